/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_UPLOADS_H
#define IGTCLOUD_UPLOADS_H

/**
 * @file Unfinished uploads: what an interrupted igt_upload() or igt_file_upload() of a large file
 * has left in the store, where its parts cost storage.
 *
 * The list is the journal's: uploads of this user, on this machine, with that journal. Others, and
 * those of runs without a journal, are not listed: the cloud grants no permission to list them.
 *
 * Calls block and may send requests. An igt_uploads is for one thread at a time; several may be
 * open. What igt_uploads_get() returns belongs to it, and the client must outlive it.
 */

#include <stdint.h>

#include "igtcloud/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum igt_unfinished_state {
  IGT_UNFINISHED_UNKNOWN = 0, /**< the store could not be queried: see error */
  IGT_UNFINISHED_RUNNING,     /**< a program is working on it; it cannot be aborted */
  IGT_UNFINISHED_RESUMABLE,   /**< repeating the upload sends only what is missing */
  IGT_UNFINISHED_LOST,        /**< its file is missing or has changed: it cannot be resumed */
  IGT_UNFINISHED_GONE,        /**< the store no longer has it */
  IGT_UNFINISHED_ENDED        /**< aborted by igt_uploads_abort() */
} igt_unfinished_state;

/** The name of a state: "running", "resumable", ... Never NULL. */
IGT_EXTERN const char *igt_unfinished_state_name(igt_unfinished_state state);

/** An unfinished upload. Strings are never NULL; "" if unknown. */
typedef struct igt_unfinished_upload {
  igt_unfinished_state state;
  const char *place;      /**< "PROJECT/INSTITUTE/PATIENT/STUDY/files/NAME" */
  const char *project;    /**< its name */
  const char *local_path; /**< absolute */
  const char *key;        /**< of the object that it would become */
  const char *upload_id;  /**< the store's */
  uint64_t size;          /**< bytes of the file when the upload started */
  uint64_t stored;        /**< bytes of the stored parts */
  uint64_t parts;         /**< stored parts */
  int64_t began;          /**< seconds since 1970; 0: unknown */
  int64_t worked;         /**< when the last part was stored, at least began; 0: unknown */
  const igt_error *error; /**< why the store could not be queried, or did not abort it; its status
                             is IGT_OK if it was and did */
} igt_unfinished_upload;

typedef struct igt_uploads igt_uploads;

/** Zero means the default. */
typedef struct igt_uploads_options {
  size_t size;         /**< set by IGT_UPLOADS_OPTIONS_INIT */
  const char *project; /**< its exact name; NULL: all projects */
  const char *journal; /**< path; NULL: $XDG_STATE_HOME/igtcloud/journal.db */
  int64_t older_than;  /**< seconds: only those idle for at least this long; 0: all. Uploads without
                          a known time never match */
} igt_uploads_options;
#define IGT_UPLOADS_OPTIONS_INIT IGT_SIZED(igt_uploads_options)
/** As IGT_UPLOADS_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_uploads_options_init(igt_uploads_options *options, size_t size);

/**
 * Reads the journal and queries the store for each upload in it, ordered by key. An upload that
 * cannot be queried is listed with state IGT_UNFINISHED_UNKNOWN and its error. Changes nothing.
 *
 * The caller closes *out with igt_uploads_close(); NULL after an error. options may be NULL.
 * Errors: IGT_E_NOT_FOUND and IGT_E_AMBIGUOUS (project), IGT_E_CANCELLED, IGT_E_UNSUPPORTED (the
 * journal is of a newer version), IGT_E_IO, IGT_E_PERMISSION, IGT_E_NO_SPACE (the journal),
 * IGT_E_NO_MEMORY, those of signing in.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_uploads_open(igt_client *client,
                                                    const igt_uploads_options *options,
                                                    igt_uploads **out, igt_error *err);

/** How many are listed. */
IGT_EXTERN size_t igt_uploads_count(const igt_uploads *uploads);

/** The i-th, from 0; NULL beyond the last. */
IGT_EXTERN const igt_unfinished_upload *igt_uploads_get(const igt_uploads *uploads, size_t i);

/**
 * Aborts the i-th upload in the store, which deletes its parts, and removes it from the journal.
 * The next upload of the file starts from the beginning. An upload that no longer exists is removed
 * from the journal.
 *
 * Its state becomes IGT_UNFINISHED_ENDED, or IGT_UNFINISHED_GONE if it was completed or aborted
 * since the list was made: that is IGT_OK, too. After an error it stays in the journal.
 * Errors: IGT_E_INVALID (no such upload), IGT_E_LOCKED (a program is working on it),
 * IGT_E_FORBIDDEN (the cloud grants no credentials for it, or the store refuses), IGT_E_CONFLICT
 * (the store reports success, but still has it), IGT_E_IO (the journal), network errors.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_uploads_abort(igt_uploads *uploads, size_t i,
                                                     igt_error *err);

/** Accepts NULL. */
IGT_EXTERN void igt_uploads_close(igt_uploads *uploads);

#ifdef __cplusplus
}
#endif

#endif
