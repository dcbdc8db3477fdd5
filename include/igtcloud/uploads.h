/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_UPLOADS_H
#define IGTCLOUD_UPLOADS_H

/**
 * @file
 * Uploads that were begun and not ended: what an interrupted igt_upload() or igt_file_upload() of
 * a large file has left in the store, whose parts are paid for as long as they lie there.
 *
 * The list is the journal's: uploads of this user, on this machine, with that journal. Others,
 * and those of runs without a journal, are not seen; the cloud gives out no right to list them.
 *
 * Calls block, and may ask the cloud and the store. An igt_uploads is for one thread at a time;
 * several may be open. What igt_uploads_get() returns belongs to it and lives as long, and the
 * client must outlive it.
 */

#include <stdint.h>

#include "client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum igt_unfinished_state {
  IGT_UNFINISHED_UNKNOWN = 0, /**< the store could not be asked: see error */
  IGT_UNFINISHED_RUNNING,     /**< a program works on it now; it cannot be ended */
  IGT_UNFINISHED_RESUMABLE,   /**< the same upload once more sends what is missing */
  IGT_UNFINISHED_LOST,        /**< its file is gone or was changed: nothing can go on with it */
  IGT_UNFINISHED_GONE,        /**< the store does not have it any more */
  IGT_UNFINISHED_ENDED        /**< igt_uploads_abort() has ended it */
} igt_unfinished_state;

/** "running", "resumable", ...: of a state. Never NULL. */
IGT_EXTERN const char *igt_unfinished_state_name(igt_unfinished_state state);

/** One of them. Strings are never NULL; "" where it is not known. */
typedef struct igt_unfinished {
  igt_unfinished_state state;
  const char *place;      /**< "PROJECT/INSTITUTE/PATIENT/STUDY/files/NAME" */
  const char *project;    /**< its name */
  const char *local_path; /**< absolute */
  const char *key;        /**< of the object that it would become */
  const char *upload_id;  /**< the store's */
  uint64_t size;          /**< bytes of the file, when the upload began */
  uint64_t stored;        /**< bytes of the parts that the store has */
  uint64_t parts;         /**< that the store has */
  int64_t began;          /**< seconds since 1970; 0: not known */
  int64_t worked;         /**< when the last part was stored, at least began; 0: not known */
  igt_error error;        /**< why the store could not be asked, or did not end it; else IGT_OK */
} igt_unfinished;

typedef struct igt_uploads igt_uploads;

/** Zero means the default. */
typedef struct igt_uploads_options {
  const char *project; /**< its name, exactly; NULL: of all projects */
  const char *journal; /**< path; NULL: $XDG_STATE_HOME/igtcloud/journal.db */
  int64_t older_than;  /**< seconds: only those that nobody worked on for so long; 0: all. Those
                            of which that is not known are never older */
} igt_uploads_options;
#define IGT_UPLOADS_OPTIONS_INIT                                                                   \
  { NULL, NULL, 0 }

/**
 * Reads the journal and asks the store for each upload in it, ordered by key. One that cannot be
 * asked for is in the list all the same, with state IGT_UNFINISHED_UNKNOWN and its error. Changes
 * nothing.
 *
 * *out is igt_uploads_close()'d by the caller; NULL after an error. options may be NULL.
 * Errors: IGT_E_NOT_FOUND and IGT_E_AMBIGUOUS (project), IGT_E_CANCELLED, IGT_E_UNSUPPORTED (the
 * journal is of a newer version), IGT_E_IO, IGT_E_PERMISSION, IGT_E_NO_SPACE (the journal),
 * IGT_E_NO_MEMORY, those of signing in.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_uploads_open(igt_client *client,
                                                    const igt_uploads_options *options,
                                                    igt_uploads **out, igt_error *err);

IGT_EXTERN size_t igt_uploads_count(const igt_uploads *uploads);

/** The i-th, from 0; NULL beyond the last. */
IGT_EXTERN const igt_unfinished *igt_uploads_get(const igt_uploads *uploads, size_t i);

/**
 * Ends the i-th upload on the store, which then forgets its parts, and drops it from the journal.
 * The next upload of the file begins anew. One that is gone is dropped from the journal.
 *
 * Its state becomes IGT_UNFINISHED_ENDED, or IGT_UNFINISHED_GONE when somebody has finished or
 * ended it since the list was made: that is IGT_OK, too. After an error it stays in the journal.
 * Errors: IGT_E_INVALID (no such upload), IGT_E_LOCKED (a program works on it), IGT_E_FORBIDDEN
 * (the cloud gives no credentials for it, or the store refuses), IGT_E_CONFLICT (the store says
 * that it ended it, and still has it), IGT_E_IO (the journal), those of the network.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_uploads_abort(igt_uploads *uploads, size_t i,
                                                     igt_error *err);

/** NULL is fine. */
IGT_EXTERN void igt_uploads_close(igt_uploads *uploads);

#ifdef __cplusplus
}
#endif

#endif
