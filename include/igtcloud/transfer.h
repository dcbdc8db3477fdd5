/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_TRANSFER_H
#define IGTCLOUD_TRANSFER_H

/**
 * @file
 * Moving studies: download, upload, verify, and the list as CSV.
 *
 * Each call blocks until all is done, and calls back on the calling thread only, so callbacks
 * may print without a lock. They must not call back into the library, except igt_cancel_set().
 * Structures handed to a callback are valid during that call.
 *
 * A call returns IGT_OK when everything that was asked for is there; IGT_E_SOME_FAILED when
 * single studies or files failed (each was reported to on_item); any other status ended the
 * whole call. The summary is filled in every case.
 */

#include <stdint.h>

#include "client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum igt_structure {
  IGT_FLAT = 0,    /**< INSTITUTE/patient---study */
  IGT_HIERARCHICAL /**< INSTITUTE/patient/study */
} igt_structure;

/** Categories of a study's files; several may be joined. */
typedef enum igt_category {
  IGT_CATEGORY_FILES = 1,
  IGT_CATEGORY_DICOM = 2,
  IGT_CATEGORY_ANNOTATIONS = 4
} igt_category;

typedef enum igt_result {
  IGT_RESULT_DONE = 1, /**< moved and, where `verified` says so, checked */
  IGT_RESULT_SKIPPED,  /**< was there already */
  IGT_RESULT_FAILED,   /**< see error */
  IGT_RESULT_PLANNED,  /**< dry run: would be moved */
  IGT_RESULT_IGNORED,  /**< left out on purpose: text says why */
  /* Of igt_verify; a study's is the first of these that one of its files has. */
  IGT_RESULT_SAME,          /**< here and there, with the same content */
  IGT_RESULT_DIFFERENT,     /**< here and there, with another content */
  IGT_RESULT_MISSING_HERE,  /**< in the cloud alone */
  IGT_RESULT_MISSING_THERE, /**< on this machine alone, or its upload is not complete */
  IGT_RESULT_UNCHECKED      /**< the sizes are equal, but the store holds nothing else that tells */
} igt_result;

typedef enum igt_transfer_item_kind {
  IGT_ITEM_FILE = 1, /**< a file of a study, a project or an import */
  IGT_ITEM_STUDY,    /**< all files of a study are settled, or the study itself failed */
  IGT_ITEM_OTHER,    /**< something met on the way: a stray file, an unknown folder */
  IGT_ITEM_IMPORT    /**< all files of a DICOM import are settled; its study is "DICOM import" */
} igt_transfer_item_kind;

/** What became of one thing. Strings are never NULL; "" where there is nothing to say. */
typedef struct igt_transfer_item {
  igt_transfer_item_kind kind;
  igt_result result;
  const char *institute;  /**< its name; "" for a project's own files */
  const char *study;      /**< "patient/study"; "" for a project's own files */
  const char *study_id;   /**< studyDatabaseId */
  const char *path;       /**< below the study; for IGT_ITEM_OTHER as the user would find it */
  const char *local_path; /**< absolute */
  const char *key;        /**< of the object */
  uint64_t size;          /**< bytes; of a study: all its files */
  uint64_t moved;         /**< bytes that went over the wire for it */
  const char *digest;     /**< "sha256:…" or "md5:…" of the content; "" when not known */
  const char *verified;   /**< by what: "sha256", "crc32c", "md5", "etag-parts", "store" (the
                               store checked what we sent); "" when nothing could be checked */
  const char *text;       /**< why it was ignored or skipped */
  const igt_error *error; /**< of a failed one, else NULL */
  bool minor;             /**< one of many of its kind, which the summary counts: clutter */
} igt_transfer_item;

/** A study (or the project's files) that is being moved. */
typedef struct igt_transfer_running {
  const char *name; /**< "institute: patient/study" */
  uint64_t files, files_settled;
  uint64_t bytes, bytes_moved;
} igt_transfer_running;

#define IGT_RUNNING_MAX 16

typedef struct igt_progress {
  bool listing; /**< more may still be found: totals grow */
  uint64_t studies, studies_settled;
  uint64_t files, files_settled, files_failed, files_skipped;
  uint64_t bytes, bytes_settled; /**< of the files that need moving; settled counts moved bytes */
  double bytes_per_second;       /**< over the last seconds */
  int64_t seconds_left;          /**< -1: not known */
  int64_t milliseconds;          /**< since the start */
  size_t running_count;          /**< of running[] that are filled */
  size_t running_more;           /**< running beyond those */
  igt_transfer_running running[IGT_RUNNING_MAX];
} igt_progress;

typedef struct igt_callbacks {
  void (*on_item)(void *payload,
                  const igt_transfer_item *item); /**< NULL: not wanted, so the others */
  void (*on_progress)(void *payload, const igt_progress *progress);
  /** Sentences for a person: what was found, which host is used, what is odd. */
  void (*on_message)(void *payload, igt_status status, const char *text);
  void *payload;
  unsigned progress_ms; /**< between on_progress calls; 0: 100 */
} igt_callbacks;

typedef struct igt_summary {
  uint64_t institutes;
  uint64_t studies, studies_failed; /**< the run went all through them; not the one that an end of
                                         the run cut off */
  uint64_t studies_undated;         /**< passed a date filter because they have no date */
  uint64_t studies_created;
  uint64_t files_done, files_skipped, files_failed, files_ignored;
  uint64_t files_incomplete; /**< in the cloud, but not completed: not downloaded; each of them is
                                  one of the files_ignored, too */
  uint64_t files_unverified; /**< done, but there was nothing to check them with */
  uint64_t bytes_done;       /**< content of the files_done */
  uint64_t bytes_moved;      /**< over the wire, this run */
  uint64_t bytes_skipped;
  uint64_t requests; /**< sent, each attempt; signing in is not in it */
  double seconds;
  /* Of igt_verify. */
  uint64_t files_same, bytes_same, files_different, files_missing_here, files_missing_there;
  uint64_t files_unchecked;
  uint64_t files_clutter; /**< of the files_ignored: what macOS or Windows left in the folders */
  uint64_t files_handed_over; /**< of the files_skipped: an earlier import handed them over, and
                                 what became of them is not known */
  uint64_t imports, imports_failed; /**< DICOM imports; they are not among the studies */
  uint64_t imports_handed_over;     /**< the cloud has been asked to sort them into studies */
  uint64_t files_young;             /**< of the files_ignored: changed a short time ago (min_age) */
} igt_summary;

/** Options that download and upload share. Zero means the default. */
typedef struct igt_transfer_options {
  igt_structure structure;     /**< default IGT_FLAT */
  unsigned concurrent_studies; /**< studies at once; 0: as many as keep the connections busy */
  unsigned concurrent_files;   /**< files at once in one study; 0: no cap but the connections */
  const char *const *include;  /**< globs on the path below the study; NULL: all */
  size_t include_count;
  const char *const *exclude;
  size_t exclude_count;
  bool checksum;         /**< what is there counts only if its content is the same */
  bool overwrite;        /**< nothing counts as there already */
  bool dry_run;          /**< list and compare only; nothing is written anywhere */
  unsigned shard;        /**< 1 to shards: only this share of the studies */
  unsigned shards;       /**< 0: no sharding */
  const char *journal;   /**< path of the journal; NULL: $XDG_STATE_HOME/igtcloud/journal.db */
  bool no_journal;       /**< remember nothing: no resume of large files across runs */
  bool follow_links;     /**< upload: follow links in the tree */
  bool portable_names;   /**< download: map names that other systems cannot hold, too, as is done on
                              file systems that cannot; docs/names.md */
  bool include_clutter;  /**< upload, verify: also what macOS and Windows leave in folders: "._*",
                              ".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini", ... */
  bool ignore_unknown;   /**< upload, verify: a folder that is no institute of the project is passed
                              over; else each file in it counts as failed, or as missing there */
  bool trust_study_json; /**< upload, verify: the studyDatabaseId in a study.json counts even where
                              the folder is called as another study or patient */
} igt_transfer_options;

/** One project, one institute or all of them, and which studies. */
typedef struct igt_selection {
  const char *project;   /**< required: its name, exactly */
  const char *institute; /**< NULL or "*": all of the project */
  const char *start;     /**< YYYY-MM-DD, inclusive; NULL: from the beginning */
  const char *end;       /**< YYYY-MM-DD, inclusive; NULL: to the end */
  const char *ext;       /**< ".txt": compared with the file's type, without case; NULL: all */
} igt_selection;

typedef struct igt_download_options {
  igt_transfer_options transfer;
  igt_selection selection;
  const char *target;         /**< required: a folder, made when missing */
  unsigned categories;        /**< igt_category bits; 0: files */
  bool project_files;         /**< only the project's own files, to target/files */
  bool include_modified_date; /**< local time = the object's last-modified time */
} igt_download_options;
#define IGT_DOWNLOAD_OPTIONS_INIT                                                                  \
  {                                                                                                \
    {IGT_FLAT, 0, 0,    NULL,  0,     NULL,  0,     false, false, false,                           \
     0,        0, NULL, false, false, false, false, false, false},                                 \
        {NULL, NULL, NULL, NULL, NULL}, NULL, 0, false, false                                      \
  }

/**
 * Downloads. A file appears under its final name only when it is whole and verified.
 * Errors besides IGT_E_SOME_FAILED: IGT_E_NOT_FOUND (project or institute), IGT_E_AMBIGUOUS,
 * IGT_E_INVALID (dates, shard), IGT_E_NO_SPACE, IGT_E_READ_ONLY, those of signing in.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_download(igt_client *client,
                                                const igt_download_options *options,
                                                const igt_callbacks *callbacks,
                                                igt_summary *summary, igt_error *err);

typedef struct igt_upload_options {
  igt_transfer_options transfer;
  igt_selection selection;     /**< project and institute; the rest is ignored */
  const char *source;          /**< required: LOCAL_FOLDER */
  unsigned category;           /**< 0 or IGT_CATEGORY_FILES: studies and project files; else
                                    IGT_CATEGORY_ANNOTATIONS or IGT_CATEGORY_DICOM */
  const char *submit_password; /**< not NULL: each study whose files are all there is submitted,
                                    unless one of them may still be written: it was changed within
                                    the last minute, or within min_age */
  bool whole_flat_names; /**< flat: the patient of a new study is the whole name of its folder,
                              as with the Python client; else what is before "---" */
  int64_t min_age; /**< seconds: files that were changed later than so long ago are left out, since
                        they may still be written. 0: none is, and submit_password goes by a minute;
                        negative: nor does submit_password look at their age */
} igt_upload_options;
#define IGT_UPLOAD_OPTIONS_INIT                                                                    \
  {                                                                                                \
    {IGT_FLAT, 0, 0,    NULL,  0,     NULL,  0,     false, false, false,                           \
     0,        0, NULL, false, false, false, false, false, false},                                 \
        {NULL, NULL, NULL, NULL, NULL}, NULL, 0, NULL, false, 0                                    \
  }

/**
 * Uploads a folder. Errors as for igt_download; IGT_E_NO_FILE when source is no folder.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_upload(igt_client *client, const igt_upload_options *options,
                                              const igt_callbacks *callbacks, igt_summary *summary,
                                              igt_error *err);

typedef struct igt_verify_options {
  igt_transfer_options transfer; /**< of these: structure, concurrent_*, include, exclude, shard,
                                      journal, follow_links */
  igt_selection selection;
  const char *local;   /**< required: a folder that was downloaded or uploaded */
  unsigned categories; /**< igt_category bits; 0: files */
  bool project_files;  /**< only the project's own files, in local/files */
} igt_verify_options;
#define IGT_VERIFY_OPTIONS_INIT                                                                    \
  {                                                                                                \
    {IGT_FLAT, 0, 0,    NULL,  0,     NULL,  0,     false, false, false,                           \
     0,        0, NULL, false, false, false, false, false, false},                                 \
        {NULL, NULL, NULL, NULL, NULL}, NULL, 0, false                                             \
  }

/**
 * Compares a folder with the cloud, without moving files: each file of either side is reported
 * as same, different, missing here, missing there or unchecked. The content of each local file
 * is read and held against what the store knows of its object (a checksum, or an ETag that is
 * made of MD5s), else against the digest that the store checked when this machine uploaded it.
 *
 * A study's folder is found as igt_upload finds it: by its study.json, else by its name. The
 * project's own files are compared when local has a folder "files" and all institutes are
 * selected.
 *
 * Returns IGT_OK when all is the same; IGT_E_SOME_FAILED when anything is not, or could not be
 * told. Other errors as for igt_upload. Writes nothing.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_verify(igt_client *client, const igt_verify_options *options,
                                              const igt_callbacks *callbacks, igt_summary *summary,
                                              igt_error *err);

typedef struct igt_csv_options {
  igt_selection selection;
  bool files;         /**< a row a file */
  const char *target; /**< folder for cloud_<project>.csv; ignored when write is set */
  bool append;        /**< add to the file that is there, by its header */
  igt_write_fn write; /**< takes the CSV instead of a file; on the calling thread */
  void *write_payload;
  unsigned concurrency; /**< listings of files at once; 0: the client's connections */
  unsigned shard, shards;
  unsigned categories; /**< with files: igt_category bits; 0: files. Of several, a file's name
                            begins with its category's: "dicom/..." */
} igt_csv_options;
#define IGT_CSV_OPTIONS_INIT                                                                       \
  { {NULL, NULL, NULL, NULL, NULL}, false, NULL, false, NULL, NULL, 0, 0, 0, 0 }

typedef struct igt_csv_summary {
  uint64_t institutes, studies, studies_undated, studies_failed, files, rows;
  uint64_t fields_left_out; /**< values whose column is not in the file */
  char path[4096];          /**< of the file; "" when write was set */
  double seconds;
} igt_csv_summary;

/** Lists studies (or files) as CSV. The file is replaced in one step, or not at all. */
IGT_EXTERN IGT_MUST_USE igt_status igt_csv(igt_client *client, const igt_csv_options *options,
                                           const igt_callbacks *callbacks, igt_csv_summary *summary,
                                           igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
