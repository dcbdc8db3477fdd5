/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_FILE_H
#define IGTCLOUD_FILE_H

/**
 * @file Single files: read by ranges without downloading them, downloaded, uploaded. For whole
 * studies see transfer.h.
 *
 * All calls block. Those that take callbacks call them on the calling thread only; see transfer.h.
 */

#include "igtcloud/cloud.h"
#include "igtcloud/transfer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reading by ranges ---- */

/**
 * A remote file, open for random access. The reader is bound to the object that existed when it was
 * opened: if that is replaced meanwhile, reading fails (IGT_E_GONE) and never mixes two versions.
 * Threads: one at a time. Several readers may be used concurrently.
 */
typedef struct igt_file_reader igt_file_reader;

/** Zero means the default. */
typedef struct igt_file_open_options {
  size_t size;        /**< set by IGT_FILE_OPEN_OPTIONS_INIT */
  size_t first_bytes; /**< requested at the start and after each seek; 0: 65,536 */
  size_t most_bytes;  /**< largest request: sequential reads double the request size up to this, and
                         the next range is fetched while the current one is read; at this size the
                         next three are, in as many buffers; 0: 4 MiB */
  igt_cancel *cancel; /**< cancels opening and reading, beside the client's own; may be NULL */
} igt_file_open_options;
#define IGT_FILE_OPEN_OPTIONS_INIT IGT_SIZED(igt_file_open_options)
/** As IGT_FILE_OPEN_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_file_open_options_init(igt_file_open_options *options, size_t size);

/**
 * Opens a file of the cloud (a node of kind FILE, DICOM or ANNOTATION), which may be freed
 * afterwards; its client must stay. Requests credentials and the first bytes: two requests.
 * options: NULL for the defaults.
 * Errors: IGT_E_INVALID (no file), IGT_E_NOT_FOUND (its content is missing), IGT_E_FORBIDDEN
 * (service identities may not read), and network errors.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_open(igt_node *file,
                                                 const igt_file_open_options *options,
                                                 igt_file_reader **out, igt_error *err);
/** Accepts NULL. Cancels requests in flight and waits for them. */
IGT_EXTERN void igt_file_close(igt_file_reader *reader);

/**
 * Reads up to cap bytes at the current position: fewer at the end, and before an error, which the
 * next call returns (as read(2) does); 0 only at the end. After an error the position is behind the
 * last byte returned. Content that was read in order from the first byte to the last is compared
 * with the store's checksum: if it differs, the read at the end fails with IGT_E_CHECKSUM. Other
 * errors: IGT_E_GONE, IGT_E_CANCELLED, those of the network; the reader remains usable.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_read(igt_file_reader *reader, void *data, size_t cap,
                                                 size_t *n, igt_error *err);
/** Sets the position of the next read; beyond the end is allowed. Sends nothing. */
IGT_EXTERN void igt_file_seek(igt_file_reader *reader, uint64_t position);
/** The position of the next read. */
IGT_EXTERN uint64_t igt_file_tell(const igt_file_reader *reader);
/** Bytes of the whole file. */
IGT_EXTERN uint64_t igt_file_size(const igt_file_reader *reader);
/** Bytes received over the network so far. */
IGT_EXTERN uint64_t igt_file_fetched(const igt_file_reader *reader);
/** How the content was verified, such as "sha256" or "md5", once its end was read; "" before, and
 * if the store has no digest of it or it was not read in order. */
IGT_EXTERN const char *igt_file_verified(const igt_file_reader *reader);

/* ---- whole files ---- */

/** Zero means the default. */
typedef struct igt_file_options {
  size_t size;         /**< set by IGT_FILE_OPTIONS_INIT */
  const char *journal; /**< path of the journal; NULL: $XDG_STATE_HOME/igtcloud/journal.db */
  bool no_journal;     /**< do not use a journal: large files start from the beginning after an
                          interruption */
  bool keep_date;      /**< download: local time = the object's last-modified time */
  bool follow_links;   /**< upload: path may be a symbolic link */
  const char *below;   /**< download: the folder that path is relative to; missing folders are
                          created; the path cannot leave it */
  igt_cancel *cancel;  /**< cancels this call, beside the client's own; may be NULL */
} igt_file_options;
#define IGT_FILE_OPTIONS_INIT IGT_SIZED(igt_file_options)
/** As IGT_FILE_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_file_options_init(igt_file_options *options, size_t size);

/**
 * Downloads a file of the cloud (a node of kind FILE, DICOM or ANNOTATION) to a path, whose folder
 * must exist; with options->below, to a path below that, or to the file's own name there if path is
 * NULL. The file appears or is replaced atomically once it is complete and verified. options and
 * callbacks may be NULL; on_item reports the file's digest and how it was verified. If the system
 * reports that the disk lost what was written, the file is removed, and the result is IGT_E_IO or
 * IGT_E_NO_SPACE.
 * Errors: IGT_E_INVALID (no file), IGT_E_NOT_FOUND, IGT_E_NO_FILE (no such folder),
 * IGT_E_UNSAFE_NAME (a name that leads elsewhere), IGT_E_CHECKSUM, IGT_E_GONE, those of writing and
 * of the network.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_download(igt_node *file, const char *path,
                                                     const igt_file_options *options,
                                                     const igt_transfer_callbacks *callbacks,
                                                     igt_error *err);

/** The content to upload: a local file, or bytes in memory, which stay the caller's. */
typedef struct igt_file_source {
  size_t size; /**< set by IGT_FILE_SOURCE_INIT */
  const char *path;
  const void *data; /**< when path is NULL */
  size_t data_size; /**< bytes at data */
} igt_file_source;
#define IGT_FILE_SOURCE_INIT IGT_SIZED(igt_file_source)
/** As IGT_FILE_SOURCE_INIT, where an initializer cannot be used: size is sizeof(*source). */
IGT_EXTERN void igt_file_source_init(igt_file_source *source, size_t size);

/**
 * Uploads one file under a name (its path below the category, with '/'). An existing file of that
 * name is replaced. node and kind determine the destination: a project and IGT_NODE_FILE: the
 * project's own files; a study and IGT_NODE_FILE: the study's files, registered and completed; a
 * study and IGT_NODE_ANNOTATION; an institute and IGT_NODE_DICOM: the institute's DICOM import,
 * which is started immediately. out: the file's node, kept in its collection; not for an import. It
 * may be NULL, which saves a request. options and callbacks may be NULL.
 * Errors: IGT_E_INVALID (another place), IGT_E_UNSAFE_NAME, IGT_E_NO_FILE, IGT_E_CHANGED (the
 * local file changed meanwhile), IGT_E_FORBIDDEN, those of reading and of the network.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_upload(igt_node *node, igt_node_kind kind,
                                                   const char *name, const igt_file_source *source,
                                                   const igt_file_options *options,
                                                   const igt_transfer_callbacks *callbacks,
                                                   igt_node **out, igt_error *err);

/* ---- by path ---- */

/**
 * These three take the path of a file, "PROJECT/INSTITUTE/PATIENT/STUDY/files/NAME", in the form of
 * igt_node_resolve(), and look it up: no tree is needed. For several files of a study a tree, or
 * object.h, saves requests. Any thread; many calls may run concurrently on one client.
 * Errors beside those of the call that they make: IGT_E_NOT_FOUND, IGT_E_AMBIGUOUS, IGT_E_INVALID
 * (the path leads to no file), those of signing in.
 */

/** As igt_file_open(). The client must outlive the reader. */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_open_path(igt_client *client, const char *path,
                                                      const igt_file_open_options *options,
                                                      igt_file_reader **out, igt_error *err);
/**
 * As igt_file_download(), to the path `local`. If that ends in '/', it is a folder, in which the
 * file keeps the last part of its name.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_download_path(igt_client *client, const char *path,
                                                          const char *local,
                                                          const igt_file_options *options,
                                                          const igt_transfer_callbacks *callbacks,
                                                          igt_error *err);
/**
 * As igt_file_upload(), to the path of a file that need not exist. If the path ends in a study, a
 * category or '/', the file gets the name of source->path there; a study alone means its files.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_file_upload_path(igt_client *client, const char *path,
                                                        const igt_file_source *source,
                                                        const igt_file_options *options,
                                                        const igt_transfer_callbacks *callbacks,
                                                        igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
