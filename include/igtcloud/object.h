/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_OBJECT_H
#define IGTCLOUD_OBJECT_H

/**
 * @file Single files by the key of their object, for programs that have listed the files
 * themselves: nothing is looked up. file.h does the same with nodes and paths.
 *
 * All calls block. Threads: they may be called by many threads on one client, which is how a
 * program transfers many small files; whole studies are faster with transfer.h. The client keeps
 * the temporary credentials of each prefix for all of them until they expire or it signs out.
 * Callbacks are called on the calling thread.
 */

#include "igtcloud/file.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An object of the store, as the cloud's list of files describes it. Strings are borrowed. */
typedef struct igt_object {
  size_t size;        /**< set by IGT_OBJECT_INIT */
  const char *prefix; /**< required: what credentials are requested for. A project's s3Prefix; a
                         study's s3Prefix and "files/", "0/" (DICOM) or "annotations/" */
  const char *key;    /**< required: starts with prefix */
  const char *name;   /**< for messages and callbacks; NULL: the key behind the prefix */
  uint64_t bytes;     /**< its length as listed; 0: unknown, or empty */
  const char *institute_id; /**< igt_object_upload() of a study's file: with study_id, notifies the
                               cloud when the file is stored ($file-upload-completed); NULL: a file
                               of a project, an annotation, part of an import */
  const char *study_id;
} igt_object;
#define IGT_OBJECT_INIT IGT_SIZED(igt_object)
/** As IGT_OBJECT_INIT, where an initializer cannot be used: size is sizeof(*object). */
IGT_EXTERN void igt_object_init(igt_object *object, size_t size);

/** What the store knows about an object. */
typedef struct igt_object_info {
  size_t size; /**< set by IGT_OBJECT_INFO_INIT */
  uint64_t bytes;
  bool bytes_known;       /**< the store stated its length */
  int64_t modified;       /**< seconds since 1970; 0: unknown */
  char etag[80];          /**< without quotes; "" if unknown */
  char checksum_kind[16]; /**< "sha256", "crc32c", ...; "": none */
  char checksum[64];      /**< base64; "-N" at its end: of the checksums of N parts */
} igt_object_info;
#define IGT_OBJECT_INFO_INIT IGT_SIZED(igt_object_info)
/** As IGT_OBJECT_INFO_INIT, where an initializer cannot be used: size is sizeof(*info). */
IGT_EXTERN void igt_object_info_init(igt_object_info *info, size_t size);

/**
 * Queries the store about an object: one request, and one for credentials at first. cancel may be
 * NULL. Errors: IGT_E_INVALID (no prefix, or the key does not start with it), IGT_E_NOT_FOUND,
 * IGT_E_FORBIDDEN (service identities may not read), and network errors.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_object_stat(igt_client *client, const igt_object *object,
                                                   igt_cancel *cancel, igt_object_info *out,
                                                   igt_error *err);

/**
 * Requests the credentials that igt_object_stat(), _open() and _download() below a prefix need,
 * unless the client has them, and does not wait for them: for a program that knows what it will
 * read next. If the request fails, those calls repeat it and report why. Never blocks: if it is
 * necessary to sign in, that is done by a thread of the library, too.
 * Errors: IGT_E_INVALID (no client or no prefix), IGT_E_NO_MEMORY.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_object_prepare(igt_client *client, const char *prefix,
                                                      igt_error *err);

/** As igt_file_open(). The client must outlive the reader. */
IGT_EXTERN IGT_MUST_USE igt_status igt_object_open(igt_client *client, const igt_object *object,
                                                   const igt_file_open_options *options,
                                                   igt_file_reader **out, igt_error *err);

/** As igt_file_download(), with the object's name for a path of NULL. */
IGT_EXTERN IGT_MUST_USE igt_status igt_object_download(igt_client *client, const igt_object *object,
                                                       const char *path,
                                                       const igt_file_options *options,
                                                       const igt_transfer_callbacks *callbacks,
                                                       igt_error *err);

/**
 * Whether igt_object_upload() accepts the object's key: for a program that registers a file before
 * it sends it, since a file that is not sent stays registered. Requests nothing. Any thread.
 * Errors: IGT_E_INVALID (no prefix or key, or the key is not below the prefix), IGT_E_UNSAFE_NAME
 * (what follows the prefix cannot be used as a name).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_object_check(const igt_object *object, igt_error *err);

/**
 * Stores a file's content under the key, replacing an existing object, as igt_file_upload(); but
 * the file is not registered (the program has done so: igt_register_study_files(),
 * igt_register_project_files()), and an import is not started. bytes is ignored.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_object_upload(igt_client *client, const igt_object *object,
                                                     const igt_file_source *source,
                                                     const igt_file_options *options,
                                                     const igt_transfer_callbacks *callbacks,
                                                     igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
