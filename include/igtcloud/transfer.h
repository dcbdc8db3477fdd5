/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_TRANSFER_H
#define IGTCLOUD_TRANSFER_H

/**
 * @file Transfers of studies: download, upload, verify, and the list as CSV.
 *
 * igt_download(), igt_upload(), igt_verify() and igt_csv() block until they are complete and invoke
 * callbacks on the calling thread only, so callbacks may print without a lock. They must not call
 * back into the library, except igt_cancel_set(). Structures handed to a callback are valid during
 * that call. Their _start() forms return a handle immediately: see igt_transfer.
 *
 * A call returns IGT_OK if everything succeeded; IGT_E_SOME_FAILED if single studies or files
 * failed (each was reported to on_item); any other status ended the whole call. The summary is
 * always filled in.
 */

#include <stdint.h>

#include "igtcloud/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum igt_folder_structure {
  IGT_FLAT = 0,    /**< INSTITUTE/patient---study */
  IGT_HIERARCHICAL /**< INSTITUTE/patient/study */
} igt_folder_structure;

/** Categories of a study's files; may be combined. */
typedef enum igt_file_category {
  IGT_CATEGORY_FILES = 1,
  IGT_CATEGORY_DICOM = 2,
  IGT_CATEGORY_ANNOTATIONS = 4
} igt_file_category;

typedef enum igt_transfer_result {
  IGT_RESULT_DONE = 1, /**< transferred and, if `verified` is set, verified */
  IGT_RESULT_SKIPPED,  /**< already up to date */
  IGT_RESULT_FAILED,   /**< see error */
  IGT_RESULT_PLANNED,  /**< dry run: would be transferred */
  IGT_RESULT_IGNORED,  /**< deliberately left out: text says why */
  /* Results of igt_verify; a study has the first of these that applies to one of its files. */
  IGT_RESULT_SAME,          /**< on both sides, with the same content */
  IGT_RESULT_DIFFERENT,     /**< on both sides, with different content */
  IGT_RESULT_MISSING_HERE,  /**< in the cloud only */
  IGT_RESULT_MISSING_THERE, /**< on this machine only, or its upload is incomplete */
  IGT_RESULT_UNCHECKED,     /**< the sizes are equal, but the store has no checksum to compare */
  /* Of igt_download_options.delete_extra. */
  IGT_RESULT_DELETED,         /**< here only; the local file was deleted */
  IGT_RESULT_PLANNED_DELETION /**< dry run: would be deleted */
} igt_transfer_result;

typedef enum igt_transfer_item_kind {
  IGT_ITEM_FILE = 1, /**< a file of a study, a project or an import */
  IGT_ITEM_STUDY,    /**< all files of a study are finished, or the study itself failed */
  IGT_ITEM_OTHER,    /**< anything else: a stray file, an unknown folder */
  IGT_ITEM_IMPORT    /**< all files of a DICOM import are finished; its study is "DICOM import" */
} igt_transfer_item_kind;

/** The result of one file, study, import or other item. Strings are never NULL; "" if not
 * applicable. */
typedef struct igt_transfer_item {
  igt_transfer_item_kind kind;
  igt_transfer_result result;
  const char *institute; /**< its name; "" for a project's own files */
  const char *study;     /**< "patient/study"; "" for a project's own files */
  const char *study_id;  /**< studyDatabaseId */
  const char *path;      /**< relative to the study; for IGT_ITEM_OTHER as the user would find it */
  const char *local_path; /**< absolute; of a study that is uploaded or verified: its folder */
  const char *key;        /**< of the object */
  uint64_t size;          /**< bytes; of a study: all its files */
  uint64_t moved;         /**< bytes transferred over the network */
  const char *digest;     /**< "sha256:…" or "md5:…" of the content; "" if unknown */
  const char *verified;   /**< how: "sha256", "crc32c", "md5", "etag-parts", "store" (the store
                             checked the upload); "" if it could not be verified */
  const char *text;       /**< why it was ignored or skipped */
  const igt_error *error; /**< of a failed one, else NULL */
  bool minor;             /**< one of many of its kind, counted in the summary: clutter */
  uint64_t replaced_size; /**< if replaces is set: bytes of the file that was there before */
  bool replaces; /**< done: it took the place of another file, here or in the cloud; planned:
                    it would. Of igt_download and igt_upload; always false of one file */
} igt_transfer_item;

/** A study (or the project's files) being transferred. */
typedef struct igt_transfer_study {
  const char *name; /**< "institute: patient/study" */
  uint64_t files, files_settled;
  uint64_t bytes, bytes_moved;
} igt_transfer_study;

typedef struct igt_transfer_progress {
  bool listing;                      /**< listing goes on: totals may grow */
  uint64_t studies, studies_settled; /**< known so far, begun or not; all their files are done */
  uint64_t files, files_settled, files_failed, files_skipped;
  uint64_t bytes, bytes_settled; /**< of the files to transfer; settled counts transferred bytes */
  double bytes_per_second;       /**< over the last seconds */
  int64_t seconds_left;          /**< of the whole job; -1: unknown */
  int64_t elapsed_ms;            /**< since the start */
  const igt_transfer_study *const *running; /**< running_count of those being transferred */
  size_t running_count;
  size_t running_more;      /**< being transferred, but not in running */
  uint64_t studies_planned; /**< studies whose files are known and counted in files and bytes */
  uint64_t bytes_expected;  /**< of the whole job: bytes, and an estimate for the other studies */
  bool studies_known;       /**< the list of studies is complete: studies is the total */
} igt_transfer_progress;

typedef struct igt_transfer_callbacks {
  size_t size; /**< set by IGT_TRANSFER_CALLBACKS_INIT */
  void (*on_item)(void *payload,
                  const igt_transfer_item *item); /**< may be NULL, as may the others */
  void (*on_progress)(void *payload, const igt_transfer_progress *progress);
  /** Messages for the user: what was found, which host is used, warnings. */
  void (*on_message)(void *payload, igt_status status, const char *text);
  void *payload;
  unsigned progress_ms; /**< between on_progress calls; 0: 100 */
} igt_transfer_callbacks;
#define IGT_TRANSFER_CALLBACKS_INIT IGT_SIZED(igt_transfer_callbacks)
/** As IGT_TRANSFER_CALLBACKS_INIT, where an initializer cannot be used: size is sizeof(*callbacks).
 */
IGT_EXTERN void igt_transfer_callbacks_init(igt_transfer_callbacks *callbacks, size_t size);

typedef struct igt_transfer_summary {
  size_t size; /**< set by IGT_TRANSFER_SUMMARY_INIT */
  uint64_t institutes;
  uint64_t studies; /**< processed completely, without a failure; excludes studies cut off by the
                       end of the run */
  uint64_t studies_failed;  /**< or a file of them failed; not among studies */
  uint64_t studies_undated; /**< not filtered by date because they have none */
  uint64_t studies_created;
  uint64_t files_done, files_skipped, files_failed, files_ignored;
  uint64_t files_incomplete; /**< in the cloud, but their upload is incomplete: not downloaded; also
                                counted in files_ignored */
  uint64_t files_unverified; /**< done, but the store had no checksum to verify them with */
  uint64_t bytes_done;       /**< total size of files_done */
  uint64_t bytes_moved;      /**< over the network, in this run */
  uint64_t bytes_skipped;
  uint64_t requests; /**< sent, including retries, excluding signing in */
  double seconds;
  /* By igt_verify. */
  uint64_t files_same, bytes_same, files_different, files_missing_here, files_missing_there;
  uint64_t files_unchecked;
  uint64_t files_clutter;           /**< among files_ignored: metadata files of macOS and Windows */
  uint64_t files_handed_over;       /**< among files_skipped: handed over by an earlier import; the
                                       outcome is unknown */
  uint64_t imports, imports_failed; /**< DICOM imports, done and failed; not counted as studies */
  uint64_t imports_handed_over;     /**< the cloud was asked to sort them into studies */
  uint64_t files_young;             /**< among files_ignored: changed recently (min_age) */
  uint64_t files_deleted;  /**< local files, by delete_extra; in a dry run: that would be */
  uint64_t files_replaced; /**< among files_done: took the place of another file */
  /* Of a run that ended early: studies that it had found. */
  uint64_t studies_unfinished;  /**< cut off after a part of their files */
  uint64_t studies_not_started; /**< none of their files was tried */
  uint64_t folders_kept;        /**< with delete_extra: local folders of studies that the cloud no
                                   longer has, or not under this name */
} igt_transfer_summary;
#define IGT_TRANSFER_SUMMARY_INIT IGT_SIZED(igt_transfer_summary)
/** As IGT_TRANSFER_SUMMARY_INIT, where an initializer cannot be used: size is sizeof(*summary). */
IGT_EXTERN void igt_transfer_summary_init(igt_transfer_summary *summary, size_t size);

/**
 * Which files of the selected studies a call handles: those that pass all members that are set.
 * Paths are those below the study, with '/'; a folder's name selects everything in it. The manual
 * page igtcloud-filters(7) has the rules of globs. Patterns, rules and names that selected nothing
 * are reported to on_message. Zero means no limit.
 *
 * Where the cloud has the file, its size and date in the cloud count; else those of the local file.
 * An upload compares local files. The date is the object's last-modified time, which costs a
 * request for each file that passes everything else.
 */
typedef struct igt_filters {
  size_t size;                /**< set by IGT_FILTERS_INIT */
  const char *const *include; /**< globs, in addition to those of igt_transfer_options */
  size_t include_count;
  const char *const *exclude;
  size_t exclude_count;
  const char *const *rules; /**< "+ GLOB" or "- GLOB": the first that matches decides; a file that
                                 none matches passes */
  size_t rule_count;
  const char *const *names; /**< exact paths, of files or folders; NULL: all. Not NULL without any:
                                 no file passes */
  size_t name_count;
  uint64_t min_size; /**< bytes */
  uint64_t max_size; /**< bytes; applies if has_max_size is set, so that 0 can be requested */
  bool has_max_size;
  int64_t
      min_age; /**< seconds; an upload reports files that are younger, as with its own min_age */
  int64_t max_age; /**< seconds */
} igt_filters;
#define IGT_FILTERS_INIT IGT_SIZED(igt_filters)
/** As IGT_FILTERS_INIT, where an initializer cannot be used: size is sizeof(*filters). */
IGT_EXTERN void igt_filters_init(igt_filters *filters, size_t size);

/** Options shared by download and upload. Zero means the default. */
typedef struct igt_transfer_options {
  size_t size;                    /**< set by IGT_TRANSFER_OPTIONS_INIT */
  igt_folder_structure structure; /**< default IGT_FLAT */
  unsigned concurrent_studies;    /**< concurrent studies; 0: enough to keep the connections busy */
  unsigned
      concurrent_files; /**< concurrent files of one study; 0: limited by the connections only */
  const char *const *include; /**< globs matched with the path below the study; NULL: all */
  size_t include_count;
  const char *const *exclude;
  size_t exclude_count;
  bool checksum;         /**< compare existing files by checksum, not by size */
  bool overwrite;        /**< transfer files even if they already exist */
  bool dry_run;          /**< list and compare only; write nothing */
  unsigned shard;        /**< 1 to shards: only this share of the studies */
  unsigned shards;       /**< 0: no sharding */
  const char *journal;   /**< path of the journal; NULL: $XDG_STATE_HOME/igtcloud/journal.db */
  bool no_journal;       /**< do not use a journal: large files are not resumed across runs */
  bool follow_links;     /**< upload: follow symbolic links in the tree */
  bool portable_names;   /**< download: also map names that only other systems cannot store;
                            docs/names.md */
  bool include_clutter;  /**< upload, verify: include metadata files of macOS and Windows: "._*",
                            ".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini", ... */
  bool ignore_unknown;   /**< upload, verify: skip folders that are not institutes of the project;
                            else each file in them counts as failed, or as missing there */
  bool trust_study_json; /**< upload, verify: use the studyDatabaseId of a study.json even if the
                            folder has the name of another study or patient */
  const igt_filters *filters; /**< NULL: none */
} igt_transfer_options;
#define IGT_TRANSFER_OPTIONS_INIT IGT_SIZED(igt_transfer_options)
/** As IGT_TRANSFER_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_transfer_options_init(igt_transfer_options *options, size_t size);

/**
 * Selects a project, its institutes, and studies. The same selection means the same studies in
 * igt_download(), igt_verify(), igt_csv() and igt_selection_each(); igt_upload() applies it to the
 * folders on this machine. Every criterion that is set must match; of a list, one entry must.
 *
 * Names are compared in NFC. A study is named "PATIENT/STUDY" as in studyIdHumanReadable; in a
 * pattern '*' and '?' do not match '/', "**" does, [a-z] is a set, '\\' quotes the next character.
 *
 * If any criterion is set from `studies` on (but `limit` and `newest`), and no study matches, the
 * call fails with IGT_E_NOT_FOUND; an entry of `studies` or a line of `studies_from` that matched
 * no study, while others did, is a study that failed.
 */
typedef struct igt_study_selection {
  size_t size;                   /**< set by IGT_STUDY_SELECTION_INIT */
  const char *project;           /**< required: its exact name */
  const char *institute;         /**< NULL or "*": all of the project, or those of institutes */
  const char *start;             /**< YYYY-MM-DD, inclusive; NULL: from the beginning */
  const char *end;               /**< YYYY-MM-DD, inclusive; NULL: to the end */
  const char *ext;               /**< ".txt": the file's type, case-insensitive; NULL: all */
  const char *const *institutes; /**< institute_count exact names, beside institute; studies of
                                      other institutes are not listed */
  size_t institute_count;
  const char *const *studies; /**< study_count patterns: "PATIENT/STUDY", or "PATIENT" for all of a
                                   patient's studies; or a studyDatabaseId. NULL: all */
  size_t study_count;
  const char *studies_from; /**< a file with one of these per line, or the CSV that igt_csv() wrote;
                                 docs/selection.md. NULL: none */
  const char *const *patients; /**< patient_count patterns of the patient's name: the first part of
                                    studyIdHumanReadable, patientName or patientId */
  size_t patient_count;
  const char *const *modalities; /**< modality_count patterns, case-insensitive: one of the study's
                                      series has it */
  size_t modality_count;
  const char *const *labels; /**< label_count patterns: one of its caseLabels */
  size_t label_count;
  /** Changed since: "2026-11-30" (local midnight), "2026-11-30T08:00:00Z", "90m", "12h", "7d",
   * "2w"; or "last": the start of the last complete run with the same target and the same options
   * (from the journal; all studies if there was none). By lastUpdatedOn, else createdOn; a study
   * without either passes. Uploads: the newest modification time in the study's folder. */
  const char *modified_since;
  const char *modified_until; /**< the same, inclusive, without "last"; a date means its end */
  uint64_t limit;             /**< at most this many studies; the rest is not read. 0: all */
  bool newest; /**< newest first: by datetime or studyDate, else createdOn; uploads: by the newest
                    modification time. Reads the whole list first */
} igt_study_selection;
#define IGT_STUDY_SELECTION_INIT IGT_SIZED(igt_study_selection)
/** As IGT_STUDY_SELECTION_INIT, where an initializer cannot be used: size is sizeof(*selection). */
IGT_EXTERN void igt_study_selection_init(igt_study_selection *selection, size_t size);

typedef struct igt_download_options {
  size_t size;                          /**< set by IGT_DOWNLOAD_OPTIONS_INIT */
  const igt_transfer_options *transfer; /**< NULL: the defaults */
  const igt_study_selection *selection; /**< required, for its project;
                                             not with a manifest */
  const char *target;                   /**< required: a folder, created if missing */
  unsigned categories;                  /**< igt_file_category bits; 0: files */
  bool project_files;                   /**< only the project's own files, to target/files */
  bool include_modified_date;           /**< local time = the object's last-modified time */
  const char *manifest; /**< path of a manifest (manifest.h): exactly its files are downloaded, and
                             selection, categories and filters must be NULL or 0. A file that
                             changed or vanished in the cloud fails. NULL: none */
  /** After a run without any failure: delete local files that the cloud does not have. Only in the
   * folders of studies that this run lists completely and whose study.json was here before; not the
   * files that filters leave out, links, or files of other categories. */
  bool delete_extra;
  uint64_t max_delete; /**< if there are more, nothing is deleted, and the result is
                            IGT_E_SOME_FAILED; 0: 100; UINT64_MAX: none may be deleted */
} igt_download_options;
#define IGT_DOWNLOAD_OPTIONS_INIT IGT_SIZED(igt_download_options)
/** As IGT_DOWNLOAD_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_download_options_init(igt_download_options *options, size_t size);

/**
 * Downloads. A file appears under its final name only when it is complete and verified. Errors
 * besides IGT_E_SOME_FAILED: IGT_E_NOT_FOUND (project or institute), IGT_E_AMBIGUOUS, IGT_E_INVALID
 * (dates, shard), IGT_E_NO_SPACE, IGT_E_READ_ONLY, those of signing in.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_download(igt_client *client,
                                                const igt_download_options *options,
                                                const igt_transfer_callbacks *callbacks,
                                                igt_transfer_summary *summary, igt_error *err);

typedef struct igt_upload_options {
  size_t size;                          /**< set by IGT_UPLOAD_OPTIONS_INIT */
  const igt_transfer_options *transfer; /**< NULL: the defaults */
  const igt_study_selection
      *selection;     /**< required: project; institutes, studies, patients, times of change and
                         types of files are those of the folders; dates and labels those of their
                         study.json; modalities are those of the cloud's study of that id */
  const char *source; /**< required: LOCAL_FOLDER */
  unsigned category;  /**< 0 or IGT_CATEGORY_FILES: studies and project files; else
                           IGT_CATEGORY_ANNOTATIONS or IGT_CATEGORY_DICOM */
  const char *submit_password; /**< not NULL: submit each study whose files are all uploaded, unless
                                  one of them was changed within the last minute, or within min_age,
                                  and may still be written */
  bool whole_flat_names; /**< flat: the patient of a new study is the whole name of its folder, as
                            with the Python client; else the part before "---" */
  int64_t min_age; /**< seconds: skip files changed more recently than this, since they may still be
                      written. 0: none are skipped, and submit_password applies one minute;
                      negative: submit_password ignores the age, too */
  const char *const *folders; /**< only these folders, relative to source, such as
                                 "INSTITUTE/patient---study"; those that do not exist are left out.
                                 NULL: all */
  size_t folder_count;
} igt_upload_options;
#define IGT_UPLOAD_OPTIONS_INIT IGT_SIZED(igt_upload_options)
/** As IGT_UPLOAD_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_upload_options_init(igt_upload_options *options, size_t size);

/**
 * Uploads a folder. Errors as for igt_download; IGT_E_NO_FILE if source is not a folder.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_upload(igt_client *client, const igt_upload_options *options,
                                              const igt_transfer_callbacks *callbacks,
                                              igt_transfer_summary *summary, igt_error *err);

typedef struct igt_verify_options {
  size_t size;                          /**< set by IGT_VERIFY_OPTIONS_INIT */
  const igt_transfer_options *transfer; /**< of these: structure, concurrent_*, include, exclude,
                                             shard, journal, follow_links; NULL: the defaults */
  const igt_study_selection *selection; /**< required, for its project */
  const char *local;                    /**< required: a folder that was downloaded or uploaded */
  unsigned categories;                  /**< igt_file_category bits; 0: files */
  bool project_files;                   /**< only the project's own files, in local/files */
  const char *const *folders;           /**< only these folders, relative to local, such as
                                           "INSTITUTE/patient---study"; what the cloud has
                                           beyond them is not compared. NULL: all */
  size_t folder_count;
} igt_verify_options;
#define IGT_VERIFY_OPTIONS_INIT IGT_SIZED(igt_verify_options)
/** As IGT_VERIFY_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_verify_options_init(igt_verify_options *options, size_t size);

/**
 * Compares a folder with the cloud without transferring files. Each file of either side is reported
 * as same, different, missing here, missing there or unchecked. The content of each local file is
 * read and compared with the object's checksum (or an ETag made of MD5s), else with the digest that
 * the store verified when this machine uploaded it. A service identity may not read objects: for it
 * that digest is compared, together with the size that the cloud lists (item.verified: "journal");
 * files that this machine did not upload are unchecked.
 *
 * A study's folder is matched as by igt_upload: by its study.json, else by its name. The project's
 * own files are compared if local has a folder "files" and all institutes are selected.
 *
 * Returns IGT_OK if everything is the same; IGT_E_SOME_FAILED if anything differs or could not be
 * compared. Other errors as for igt_upload. Writes nothing.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_verify(igt_client *client, const igt_verify_options *options,
                                              const igt_transfer_callbacks *callbacks,
                                              igt_transfer_summary *summary, igt_error *err);

typedef struct igt_csv_options {
  size_t size;                          /**< set by IGT_CSV_OPTIONS_INIT */
  const igt_study_selection *selection; /**< required, for its project */
  bool files;                           /**< one row per file */
  const char *target; /**< folder for cloud_<project>.csv; ignored if write is set */
  bool append;        /**< append to the existing file, using its header */
  igt_write_fn write; /**< receives the CSV instead of a file; on the calling thread */
  void *write_payload;
  unsigned concurrency; /**< concurrent listings of files; 0: the client's connections */
  unsigned shard, shards;
  unsigned categories; /**< with files: igt_file_category bits; 0: files. With several, file names
                          are prefixed by their category: "dicom/..." */
  const igt_filters *filters; /**< with files; NULL: none */
} igt_csv_options;
#define IGT_CSV_OPTIONS_INIT IGT_SIZED(igt_csv_options)
/** As IGT_CSV_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_csv_options_init(igt_csv_options *options, size_t size);

typedef struct igt_csv_summary {
  size_t size; /**< set by IGT_CSV_SUMMARY_INIT */
  uint64_t institutes, studies, studies_undated, studies_failed, files, rows;
  uint64_t fields_left_out; /**< values without a column in the file */
  char path[4096];          /**< of the file; "" if write was set */
  double seconds;
} igt_csv_summary;
#define IGT_CSV_SUMMARY_INIT IGT_SIZED(igt_csv_summary)
/** As IGT_CSV_SUMMARY_INIT, where an initializer cannot be used: size is sizeof(*summary). */
IGT_EXTERN void igt_csv_summary_init(igt_csv_summary *summary, size_t size);

/** Lists studies (or files) as CSV. The file is replaced atomically, or not at all. */
IGT_EXTERN IGT_MUST_USE igt_status igt_csv(igt_client *client, const igt_csv_options *options,
                                           const igt_transfer_callbacks *callbacks,
                                           igt_csv_summary *summary, igt_error *err);

/* ---- without a blocked thread ---- */

/**
 * A transfer that runs in the background, on threads of the library. What it reports waits in
 * memory until the program asks for it: callbacks, and igt_csv_options.write, are called by
 * igt_transfer_dispatch() and igt_transfer_wait() only, on the thread that calls these. A program
 * with a poll() loop watches igt_transfer_fd() of each transfer.
 *
 * At most some thousand items and messages wait, and the latest progress; then the transfer pauses
 * until they are dispatched. (igt_write_fd as igt_csv_options.write needs no dispatch: the library
 * writes to the descriptor itself.)
 *
 * Threads: igt_transfer_cancel() and igt_transfer_is_finished() may be called by any thread;
 * dispatch, wait and free by one at a time. In a callback of the transfer igt_transfer_cancel() and
 * igt_transfer_free() may be called: after the latter nothing more is delivered. Dispatching or
 * waiting there is IGT_E_INVALID. Another transfer's functions may be called there.
 * The client must outlive its transfers.
 */
typedef struct igt_transfer igt_transfer;

/**
 * Starts what igt_download() does, and returns. Options, their strings and callbacks are copied;
 * relative paths mean the current folder, which has to stay the same until the end. callbacks may
 * be NULL. *out is freed with igt_transfer_free(); NULL after an error. If nobody is signed in, the
 * transfer signs in, and a prompt then runs on a thread of the library: igt_client_sign_in()
 * beforehand avoids that. Errors: those that the options show (IGT_E_INVALID, IGT_E_NO_FILE),
 * IGT_E_NO_MEMORY; all others are the transfer's: see igt_transfer_wait().
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_download_start(igt_client *client,
                                                      const igt_download_options *options,
                                                      const igt_transfer_callbacks *callbacks,
                                                      igt_transfer **out, igt_error *err);
/** As igt_download_start(), for igt_upload(). */
IGT_EXTERN IGT_MUST_USE igt_status igt_upload_start(igt_client *client,
                                                    const igt_upload_options *options,
                                                    const igt_transfer_callbacks *callbacks,
                                                    igt_transfer **out, igt_error *err);
/** As igt_download_start(), for igt_verify(). */
IGT_EXTERN IGT_MUST_USE igt_status igt_verify_start(igt_client *client,
                                                    const igt_verify_options *options,
                                                    const igt_transfer_callbacks *callbacks,
                                                    igt_transfer **out, igt_error *err);
/** As igt_download_start(), for igt_csv(). Its summary: igt_csv_wait(). */
IGT_EXTERN IGT_MUST_USE igt_status igt_csv_start(igt_client *client, const igt_csv_options *options,
                                                 const igt_transfer_callbacks *callbacks,
                                                 igt_transfer **out, igt_error *err);

/**
 * A descriptor that is readable (POLLIN) while something waits to be dispatched, and from the end
 * of the transfer on. Only for poll(), select() and the like: do not read or close it. It belongs
 * to the transfer. On Windows it is the handle of an event, `(HANDLE)(intptr_t)fd`, for
 * WaitForMultipleObjects() and the like.
 */
IGT_EXTERN int igt_transfer_fd(const igt_transfer *transfer);

/**
 * Delivers what waits now to the callbacks, on this thread, and returns; never waits for more.
 * finished (may be NULL): the transfer has ended and everything was delivered.
 * Errors: IGT_E_INVALID (called in a callback, or by a second thread meanwhile), IGT_E_CANCELLED (a
 * callback has freed the transfer).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_transfer_dispatch(igt_transfer *transfer, bool *finished,
                                                         igt_error *err);

/** Whether the transfer has ended and everything was delivered. */
IGT_EXTERN bool igt_transfer_is_finished(igt_transfer *transfer);

/**
 * Ends it early, within 2 s, as IGT_E_CANCELLED; the client's other calls continue. Signing in, for
 * which other calls may wait, is not interrupted: it ends or times out first. Accepts NULL.
 */
IGT_EXTERN void igt_transfer_cancel(igt_transfer *transfer);

/**
 * Delivers until the end, and returns the transfer's status, with its error and summary (NULL: not
 * wanted), as the blocking call would. Once it is finished this returns immediately, and may be
 * repeated. Errors beside the transfer's: those of igt_transfer_dispatch().
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_transfer_wait(igt_transfer *transfer,
                                                     igt_transfer_summary *summary, igt_error *err);
/** As igt_transfer_wait(), for a transfer of igt_csv_start(). */
IGT_EXTERN IGT_MUST_USE igt_status igt_csv_wait(igt_transfer *transfer, igt_csv_summary *summary,
                                                igt_error *err);

/** Accepts NULL. One that still runs is cancelled, and waited for; what waits is dropped. */
IGT_EXTERN void igt_transfer_free(igt_transfer *transfer);

#ifdef __cplusplus
}
#endif

#endif
