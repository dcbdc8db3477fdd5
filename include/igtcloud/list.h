/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_LIST_H
#define IGTCLOUD_LIST_H

/**
 * @file The studies of a project with their files, as a stream: `igtcloud du`, `tree` and `find`
 * are built on it. igt_csv() (transfer.h) writes the same list as CSV.
 *
 * Callbacks run on the calling thread, in the cloud's order, and may not call back into the
 * library, except igt_cancel_set(). What they are given belongs to the library and is valid during
 * that call. Strings are never NULL; "" if unknown.
 */

#include "igtcloud/cloud.h"
#include "igtcloud/transfer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A study; or a project's own files, then institute and study are NULL and name is "". */
typedef struct igt_listed_study {
  const igt_institute *institute;
  const igt_root_study *study;
  const char *name;          /**< "patient/study", or its id if it has no name */
  uint64_t files, bytes;     /**< of its listed files; 0 unless files were requested */
  uint64_t files_incomplete; /**< among them: their upload is not complete */
  const igt_error *error;    /**< why its files could not be listed; NULL: they were */
} igt_listed_study;

/** A file of a study, or of the project. */
typedef struct igt_listed_file {
  const char *category; /**< "files", "dicom" or "annotations" */
  const char *path;     /**< below the category */
  const char *type;     /**< ".dcm", as the cloud has it */
  int64_t size;         /**< bytes; -1: unknown */
  bool is_complete;     /**< its upload is complete */
} igt_listed_file;

/** Options of igt_list_studies(). Zero means the default. */
typedef struct igt_list_options {
  size_t size;                          /**< set by IGT_LIST_OPTIONS_INIT */
  const igt_study_selection *selection; /**< required, for its project, unless below is set; then
                                           its project is ignored */
  const igt_node *below; /**< a project, an institute or a study of a tree, instead of
                            looking up the selection's project again; not changed */
  bool files;            /**< list each study's files: one request for a study, or two if both files
                            and another category are selected */
  bool project_files;    /**< only the project's own files; below must be NULL or a project */
  unsigned categories;   /**< igt_file_category bits; 0: files */
  unsigned concurrency;  /**< concurrent lists of files; 0: the client's connections */
  unsigned shard;        /**< 1 to shards: only this share of the studies */
  unsigned shards;       /**< 0: no sharding */
  /** Whether a study and its files are wanted, before anything is requested for it: files and bytes
   * are 0. NULL: all are. */
  bool (*wants)(void *payload, const igt_listed_study *study);
  /** Each study, with the totals of its files. A status other than IGT_OK ends the list. */
  igt_status (*on_study)(void *payload, const igt_listed_study *study);
  /** Then each of its files. NULL: not wanted; a status other than IGT_OK ends the list. */
  igt_status (*on_file)(void *payload, const igt_listed_study *study, const igt_listed_file *file);
  /** Messages for the user. May be NULL. */
  void (*on_message)(void *payload, igt_status status, const char *text);
  void *payload;
  const igt_filters *filters; /**< of files; ages are IGT_E_UNSUPPORTED. NULL: all */
  /** Each institute, before its studies are listed, which may be before the last studies of another
   * one are handed over. It lives until the end of the call. NULL: not wanted. */
  void (*on_institute)(void *payload, const igt_institute *institute);
} igt_list_options;
#define IGT_LIST_OPTIONS_INIT IGT_SIZED(igt_list_options)
/** As IGT_LIST_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_list_options_init(igt_list_options *options, size_t size);

typedef struct igt_list_summary {
  size_t size; /**< set by IGT_LIST_SUMMARY_INIT */
  uint64_t institutes, studies, studies_undated, studies_failed, files, bytes;
} igt_list_summary;
#define IGT_LIST_SUMMARY_INIT IGT_SIZED(igt_list_summary)
/** As IGT_LIST_SUMMARY_INIT, where an initializer cannot be used: size is sizeof(*summary). */
IGT_EXTERN void igt_list_summary_init(igt_list_summary *summary, size_t size);

/**
 * Lists studies, and with files each study's files, several concurrently. Blocks until the end.
 * Memory does not grow with the number of studies. summary may be NULL.
 *
 * Errors: IGT_E_SOME_FAILED: single studies' files could not be listed, and each of these was
 * handed to on_study with its error; IGT_E_NOT_FOUND, IGT_E_AMBIGUOUS (project or institute);
 * IGT_E_INVALID (dates, shard, below); a callback's status; those of signing in and of the network,
 * which end the list.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_list_studies(igt_client *client,
                                                    const igt_list_options *options,
                                                    igt_list_summary *summary, igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
