/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_MANIFEST_H
#define IGTCLOUD_MANIFEST_H

/**
 * @file Manifests: what a set of studies consisted of when it was published.
 *
 * A manifest is a text of JSON lines: a header, a line for each study and each file with its size,
 * digest and ETag, and a last line with the number of studies and files and a SHA-256 of all lines
 * before it. docs/manifest.md describes the format. igt_manifest_write() makes one,
 * igt_download_options.manifest fetches exactly what it lists, igt_manifest_verify() compares it
 * with the cloud, and igt_manifest_verify_folder() with a folder, without any cloud.
 */

#include "igtcloud/transfer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reading ---- */

typedef struct igt_manifest igt_manifest;

/** What a manifest says of itself. Strings belong to the manifest and are never NULL. */
typedef struct igt_manifest_info {
  const char *cloud;   /**< "https://host" */
  const char *project; /**< its name */
  const char *created; /**< RFC 3339 */
  const char *program; /**< "igtcloud 0.1.0" */
  const char *sha256;  /**< of all lines before the last, in hexadecimal: identifies the manifest */
  uint64_t studies, files, bytes;
} igt_manifest_info;

/**
 * Reads a manifest as a whole and checks it; path may be a pipe (of up to 256 MiB). The caller
 * closes *out with igt_manifest_close(); NULL after an error.
 *
 * Errors: IGT_E_CHECKSUM (it was edited, or damaged), IGT_E_PARSE (not a manifest, or cut off),
 * IGT_E_UNSUPPORTED (of a newer version), IGT_E_UNSAFE_NAME (a path leaves its study),
 * IGT_E_LIMIT (a line or the number of studies exceeds any real one), IGT_E_NO_FILE, IGT_E_IO,
 * IGT_E_NO_MEMORY. Threads: one call at a time uses it; closed after all that do.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_manifest_open(const char *path, igt_manifest **out,
                                                     igt_error *err);
/** Valid until it is closed. */
IGT_EXTERN const igt_manifest_info *igt_manifest_get_info(const igt_manifest *manifest);
/** Accepts NULL. */
IGT_EXTERN void igt_manifest_close(igt_manifest *manifest);

/* ---- writing ---- */

typedef struct igt_manifest_options {
  size_t size;                          /**< set by IGT_MANIFEST_OPTIONS_INIT */
  const igt_study_selection *selection; /**< required, for its project */
  const igt_filters *filters;           /**< NULL: all files */
  unsigned categories;                  /**< igt_file_category bits; 0: files */
  unsigned shard, shards;
  unsigned concurrency; /**< concurrent requests; 0: the client's connections */
  igt_write_fn write;   /**< required: receives the manifest */
  void *write_payload;
  const char *criteria; /**< how the studies were chosen, such as the command line: goes into the
                             header; NULL: "" */
} igt_manifest_options;
#define IGT_MANIFEST_OPTIONS_INIT IGT_SIZED(igt_manifest_options)
/** As IGT_MANIFEST_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_manifest_options_init(igt_manifest_options *options, size_t size);

/**
 * Lists the selected studies and their files, in the cloud's order, and asks the store for the
 * digest, ETag and date of each: a request per file. Incomplete uploads are left out (item).
 *
 * If a file or study fails (item), the result is IGT_E_SOME_FAILED and the text has no last line,
 * so that nobody takes it for complete. Of the summary studies, files_done, bytes_done,
 * files_unverified (without a digest), files_incomplete and studies_undated are set. Other errors:
 * as for igt_csv(). Blocks; callbacks and write are called on this thread.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_manifest_write(igt_client *client,
                                                      const igt_manifest_options *options,
                                                      const igt_transfer_callbacks *callbacks,
                                                      igt_transfer_summary *summary,
                                                      igt_error *err);
/** As igt_download_start(), for igt_manifest_write(). */
IGT_EXTERN IGT_MUST_USE igt_status igt_manifest_write_start(igt_client *client,
                                                            const igt_manifest_options *options,
                                                            const igt_transfer_callbacks *callbacks,
                                                            igt_transfer **out, igt_error *err);

/* ---- verifying ---- */

/**
 * Compares a manifest with the cloud, without transferring files: each file is reported as same,
 * different (another size, ETag or digest) or missing there. Files that the cloud has beyond the
 * manifest do not matter.
 *
 * transfer: shard, journal and concurrency; NULL: the defaults. Returns IGT_OK if all is the same,
 * else IGT_E_SOME_FAILED. Other errors: IGT_E_INVALID (the manifest is of another cloud),
 * IGT_E_NOT_FOUND (its project), those of signing in.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_manifest_verify(
    igt_client *client, const igt_manifest *manifest, const igt_transfer_options *transfer,
    const igt_transfer_callbacks *callbacks, igt_transfer_summary *summary, igt_error *err);
/** As igt_download_start(), for igt_manifest_verify(). The manifest is closed after the transfer.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_manifest_verify_start(
    igt_client *client, const igt_manifest *manifest, const igt_transfer_options *transfer,
    const igt_transfer_callbacks *callbacks, igt_transfer **out, igt_error *err);

/**
 * Compares a manifest with a folder that was downloaded, without any cloud: the content of each
 * file is read and compared with the digest. Files are reported as same, different, missing here,
 * unchecked (the manifest has no digest; the sizes are equal), or, in the folders of its studies,
 * missing there (not in the manifest). study.json, which describes a study, is not part of a
 * manifest.
 *
 * transfer: structure, portable_names, include_clutter and follow_links; NULL: the defaults. cancel
 * may be NULL. Returns IGT_OK if all is the same, else IGT_E_SOME_FAILED. Other errors:
 * IGT_E_NO_FILE (the folder), IGT_E_CANCELLED. Blocks; callbacks are called on this thread.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_manifest_verify_folder(
    const igt_manifest *manifest, const char *folder, const igt_transfer_options *transfer,
    igt_cancel *cancel, const igt_transfer_callbacks *callbacks, igt_transfer_summary *summary,
    igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
