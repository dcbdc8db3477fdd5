/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_FILE_H
#define IGTCLOUD_FILE_H

/**
 * @file
 * Single files: read by ranges without downloading them, downloaded, uploaded. Whole studies are
 * the matter of transfer.h.
 *
 * All calls block. Those that take callbacks call them on the calling thread only; see transfer.h.
 */

#include "cloud.h"
#include "transfer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reading by ranges ---- */

/**
 * A remote file, open for reading at any place. It is tied to the object that was there when it
 * was opened: when that is replaced while it is read, reading fails (IGT_E_GONE) and never mixes.
 * Threads: one at a time. Several readers may be used at once.
 */
typedef struct igt_file_reader igt_file_reader;

/** Zero means the default. */
typedef struct igt_file_open_options {
  size_t first_bytes; /**< asked for at the start and behind each seek; 0: 65,536 */
  size_t most_bytes;  /**< asked for at once: reading on doubles what is asked for up to this, and
                           the next piece comes while this one is read; 0: 8 MiB */
} igt_file_open_options;
#define IGT_FILE_OPEN_OPTIONS_INIT                                                                 \
  { 0, 0 }

/**
 * Opens a file of the cloud (a node of kind FILE, DICOM or ANNOTATION), which may go away
 * afterwards; its client must stay. Asks for credentials and the first bytes, two requests.
 * options: NULL stands for the defaults.
 * Errors: IGT_E_INVALID (no file), IGT_E_NOT_FOUND (its content is not there),
 * IGT_E_FORBIDDEN (service identities may not read), and those of the network.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_open(igt_node *file,
                                                 const igt_file_open_options *options,
                                                 igt_file_reader **out, igt_error *err);
/** NULL is fine. Waits for what is under way, which is broken off. */
IGT_EXTERN void igt_file_close(igt_file_reader *reader);

/**
 * Up to cap bytes from where the reader stands. Fewer at the end, and before an error, which the
 * next call returns (as read(2) does); 0 behind the end alone. After an error the reader stands
 * behind the last byte that was returned.
 * What was read in order from the first byte to the last is checked against what the store knows
 * of it: then the read at the end fails with IGT_E_CHECKSUM when it differs.
 * Other errors: IGT_E_GONE, IGT_E_CANCELLED, those of the network; the reader may be used on.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_read(igt_file_reader *reader, void *data, size_t cap,
                                                 size_t *n, igt_error *err);
/** Where the next read begins; behind the end is allowed. Sends nothing. */
IGT_EXTERN void igt_file_seek(igt_file_reader *reader, uint64_t position);
IGT_EXTERN uint64_t igt_file_tell(const igt_file_reader *reader);
/** Bytes of the whole file. */
IGT_EXTERN uint64_t igt_file_size(const igt_file_reader *reader);
/** Bytes of it that came over the wire so far. */
IGT_EXTERN uint64_t igt_file_fetched(const igt_file_reader *reader);
/** By what the content was checked, such as "sha256" or "md5", after its end was read; "" before,
    and when the store knows no digest of it or it was not read in order. */
IGT_EXTERN const char *igt_file_verified(const igt_file_reader *reader);

/* ---- whole files ---- */

/** Zero means the default. */
typedef struct igt_file_options {
  const char *journal; /**< path of the journal; NULL: $XDG_STATE_HOME/igtcloud/journal.db */
  bool no_journal;     /**< remember nothing: large files start anew after an interruption */
  bool keep_date;      /**< download: local time = the object's last-modified time */
  bool follow_links;   /**< upload: path may be a link */
  const char *below;   /**< download: a folder that the path is below, made when missing as the
                            folders on the way are; nothing leads out of it */
} igt_file_options;
#define IGT_FILE_OPTIONS_INIT                                                                      \
  { NULL, false, false, false, NULL }

/**
 * Downloads a file of the cloud (a node of kind FILE, DICOM or ANNOTATION) to a path, whose
 * folder must exist; with options->below, to a path below that, or to the file's own name there
 * when path is NULL. The file appears, or is replaced, in one step when it is whole and verified.
 * options and callbacks may be NULL; on_item tells digest and check of the file.
 * Errors: IGT_E_INVALID (no file), IGT_E_NOT_FOUND, IGT_E_NO_FILE (no such folder),
 * IGT_E_UNSAFE_NAME (a name that leads elsewhere), IGT_E_CHECKSUM, IGT_E_GONE, those of writing and
 * of the network.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_download(igt_node *file, const char *path,
                                                     const igt_file_options *options,
                                                     const igt_callbacks *callbacks,
                                                     igt_error *err);

/** What is uploaded: a local file, or else bytes in memory, which stay the caller's. */
typedef struct igt_file_source {
  const char *path;
  const void *data; /**< when path is NULL */
  size_t size;      /**< of data */
} igt_file_source;

/**
 * Uploads one file under a name (its path below the category, with '/'). A file of that name is
 * replaced. Where it goes is told by node and kind:
 * a project and IGT_NODE_FILE: the project's own files; a study and IGT_NODE_FILE: the study's
 * files, registered and completed; a study and IGT_NODE_ANNOTATION; an institute and
 * IGT_NODE_DICOM: the institute's DICOM import, which is started at once.
 * out: the file's node, kept in its collection; not for an import. It may be NULL, which saves a
 * request. options and callbacks may be NULL.
 * Errors: IGT_E_INVALID (another place), IGT_E_UNSAFE_NAME, IGT_E_NO_FILE, IGT_E_CHANGED (the
 * local file changed meanwhile), IGT_E_FORBIDDEN, those of reading and of the network.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_upload(igt_node *node, igt_node_kind kind,
                                                   const char *name, const igt_file_source *source,
                                                   const igt_file_options *options,
                                                   const igt_callbacks *callbacks, igt_node **out,
                                                   igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
