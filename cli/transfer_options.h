/* SPDX-License-Identifier: MIT */
#ifndef TRANSFER_OPTIONS_H
#define TRANSFER_OPTIONS_H

/* What the commands share that transfer, compare or list whole projects: rows of their option
 * tables, and the library's options made from the settings. */

#include "cli.h"

#define PLACE "PROJECT [INSTITUTE] [PROD|TEST]"
#define BELOW "PROJECT[/INSTITUTE[/PATIENT[/STUDY]]]"

/* clang-format off: it would give each member of a row its own line. */

/* ---- single rows ---- */

#define INCLUDE_OPTION                                                                             \
  {                                                                                                \
    "include", 0, OPTION_LIST, AT(include), "GLOB", NULL,                                          \
        "only files that match, or that are in a matching folder; repeatable"                      \
  }
#define EXCLUDE_OPTION                                                                             \
  {                                                                                                \
    "exclude", 0, OPTION_LIST, AT(exclude), "GLOB", NULL,                                          \
        "skip files that match, or that are in a matching folder; repeatable"                      \
  }
#define FOLLOW_LINKS_OPTION                                                                        \
  { "follow-links", 0, OPTION_FLAG, AT(follow_links), NULL, NULL, "follow symbolic links" }
#define CLUTTER_OPTION                                                                             \
  {                                                                                                \
    "include-clutter", 0, OPTION_FLAG, AT(include_clutter), NULL, NULL,                            \
        "include clutter of macOS and Windows: ._*, .DS_Store, Thumbs.db"                          \
  }
#define MODIFIED_DATE_OPTION                                                                       \
  {                                                                                                \
    "include-modified-date", 0, OPTION_FLAG, AT(include_modified_date), NULL, NULL,                \
        "set each file's modification time to the cloud's"                                         \
  }
#define PORTABLE_NAMES_OPTION                                                                      \
  {                                                                                                \
    "portable-names", 0, OPTION_FLAG, AT(portable_names), NULL, NULL,                              \
        "also replace characters that Windows does not allow in names"                             \
  }
#define FLAT_NAMES_OPTION                                                                          \
  {                                                                                                \
    "flat-names", 0, OPTION_TEXT, AT(flat_names), "FORM", "split|whole",                           \
        "new studies from P1---A: patient P1, study A (default), or patient P1---A"                \
  }
#define FOLDER_STRUCTURE_OPTION                                                                    \
  {                                                                                                \
    "folder-structure", 0, OPTION_TEXT, AT(folder_structure), "FORM", "flat|hierarchical",         \
        "INSTITUTE/patient---study, or INSTITUTE/patient/study"                                    \
  }
#define SHARD_OPTION                                                                               \
  { "shard", 0, OPTION_TEXT, AT(shard), "I/N", NULL, "only the I-th of N shards of the studies" }
#define CONCURRENT_STUDIES_OPTION                                                                  \
  {                                                                                                \
    "concurrent-studies", 0, OPTION_NUMBER, AT(concurrent_studies), "N", NULL,                     \
        "concurrent studies (default: enough to keep connections busy)"                            \
  }
#define CONCURRENT_FILES_OPTION                                                                    \
  {                                                                                                \
    "concurrent-files", 0, OPTION_NUMBER, AT(concurrent_files), "N", NULL,                         \
        "concurrent files in a study (default: no limit)"                                          \
  }
#define CONNECTIONS_OPTION                                                                         \
  {                                                                                                \
    "connections", 0, OPTION_NUMBER, AT(connections), "N", NULL,                                   \
        "maximum connections to S3 (default 128; opened as needed)"                                \
  }
#define BWLIMIT_OPTION                                                                             \
  {                                                                                                \
    "bwlimit", 0, OPTION_TEXT, AT(bwlimit), "RATE", NULL,                                          \
        "limit bytes/s: 20M, or by time of day: '08:00-18:00 20M, off'"                            \
  }
#define REPORT_OPTION                                                                              \
  {                                                                                                \
    "report", 0, OPTION_TEXT, AT(report), "FILE", NULL,                                            \
        "write a JSON line for each file; - is standard output"                                    \
  }
#define JOURNAL_OPTION                                                                             \
  {                                                                                                \
    "journal", 0, OPTION_FILE, AT(journal), "FILE", NULL,                                          \
        "the file that records unfinished transfers"                                               \
  }
#define NO_JOURNAL_OPTION                                                                          \
  { "no-journal", 0, OPTION_FLAG, AT(no_journal), NULL, NULL, "do not use a journal" }
#define MANIFEST_OPTION(help)                                                                      \
  { "manifest", 0, OPTION_TEXT, AT(manifest), "FILE", NULL, help }
#define IGNORE_UNKNOWN_OPTION                                                                      \
  {                                                                                                \
    "ignore-unknown", 0, OPTION_FLAG, AT(ignore_unknown), NULL, NULL,                              \
        "skip folders that are not institutes of the project"                                      \
  }
#define TRUST_STUDY_JSON_OPTION                                                                    \
  {                                                                                                \
    "trust-study-json", 0, OPTION_FLAG, AT(trust_study_json), NULL, NULL,                          \
        "trust study.json even if it is of another study or institute than the folder"             \
  }

/* ---- groups of rows ---- */

#define EXT_OPTION                                                                                 \
  { "ext", 0, OPTION_TEXT, AT(ext), ".EXT", NULL, "only files with this extension, such as .txt" }

#define DATE_OPTIONS                                                                               \
  {"start",                                                                                        \
   0,                                                                                              \
   OPTION_TEXT,                                                                                    \
   AT(start),                                                                                      \
   "YYYY-MM-DD",                                                                                   \
   NULL,                                                                                           \
   "only studies of this date or later, or without a date"},                                       \
  {                                                                                                \
    "end", 0, OPTION_TEXT, AT(end), "YYYY-MM-DD", NULL,                                            \
        "only studies of this date or earlier, or without a date"                                  \
  }

#define SELECTION_OPTIONS EXT_OPTION, DATE_OPTIONS, SHARD_OPTION

#define STUDY_OPTIONS                                                                              \
  {"institute", 0, OPTION_LIST, AT(institute), "NAME", NULL, "only this institute; repeatable"},   \
      {"study",                                                                                    \
       0,                                                                                          \
       OPTION_LIST,                                                                                \
       AT(study),                                                                                  \
       "PATIENT/STUDY",                                                                            \
       NULL,                                                                                       \
       "only these studies: a glob, a PATIENT, or an id; repeatable"},                             \
      {"studies-from",                                                                             \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(studies_from),                                                                           \
       "FILE",                                                                                     \
       NULL,                                                                                       \
       "only the studies in FILE: one per line, or a CSV; - is standard input"},                   \
      {"patient",                                                                                  \
       0,                                                                                          \
       OPTION_LIST,                                                                                \
       AT(patient),                                                                                \
       "GLOB",                                                                                     \
       NULL,                                                                                       \
       "only studies of patients with this name or id; repeatable"},                               \
      {"modified-since",                                                                           \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(modified_since),                                                                         \
       "TIME",                                                                                     \
       NULL,                                                                                       \
       "only studies changed since 2026-11-30, 7d, 12h, or last (the last run), or without a "     \
       "date"},                                                                                    \
      {"modified-until",                                                                           \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(modified_until),                                                                         \
       "TIME",                                                                                     \
       NULL,                                                                                       \
       "only studies changed no later than this, or without a date"},                              \
      {"limit", 0, OPTION_NUMBER, AT(limit), "N", NULL, "at most N studies"}, {                    \
    "newest", 0, OPTION_FLAG, AT(newest), NULL, NULL,                                              \
        "newest studies first; with --limit only the N newest"                                     \
  }

#define FIELD_OPTIONS                                                                              \
  {"modality",                                                                                     \
   0,                                                                                              \
   OPTION_LIST,                                                                                    \
   AT(modality),                                                                                   \
   "GLOB",                                                                                         \
   NULL,                                                                                           \
   "only studies with a series of this modality, such as XA; repeatable"},                         \
  {                                                                                                \
    "label", 0, OPTION_LIST, AT(label), "GLOB", NULL,                                              \
        "only studies with this case label; repeatable"                                            \
  }

/* Lists and sizes, which suit listings, too. */
#define FILTER_OPTIONS                                                                             \
  INCLUDE_OPTION, EXCLUDE_OPTION,                                                                  \
      {"filter-from",                                                                              \
       0,                                                                                          \
       OPTION_LIST,                                                                                \
       AT(filter_from),                                                                            \
       "FILE",                                                                                     \
       NULL,                                                                                       \
       "rules '+ GLOB' and '- GLOB', the first that matches decides; man igtcloud-filters"},       \
      {"files-from",                                                                               \
       0,                                                                                          \
       OPTION_LIST,                                                                                \
       AT(files_from),                                                                             \
       "FILE",                                                                                     \
       NULL,                                                                                       \
       "only files named in this list, one per line"},                                             \
      {"min-size",                                                                                 \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(min_size),                                                                               \
       "SIZE",                                                                                     \
       NULL,                                                                                       \
       "only files of at least this size: 512, 500k, 20M, 1.5G"},                                  \
  {                                                                                                \
    "max-size", 0, OPTION_TEXT, AT(max_size), "SIZE", NULL, "only files of at most this size"      \
  }

#define AGE_OPTIONS                                                                                \
  {"min-age",                                                                                      \
   0,                                                                                              \
   OPTION_TEXT,                                                                                    \
   AT(min_age),                                                                                    \
   "DURATION",                                                                                     \
   NULL,                                                                                           \
   "skip files changed more recently than 90s, 10m, 2h, 1d, 4w"},                                  \
  {                                                                                                \
    "max-age", 0, OPTION_TEXT, AT(max_age), "DURATION", NULL,                                      \
        "skip files changed longer ago than this"                                                  \
  }

/* Of commands that look at all files below a place (scan.h). */
#define BELOW_OPTIONS                                                                              \
  {"category",                                                                                     \
   0,                                                                                              \
   OPTION_LIST,                                                                                    \
   AT(category),                                                                                   \
   "NAME",                                                                                         \
   "files|dicom|annotations",                                                                      \
   "list files of this category; repeatable, default files"},                                      \
      {"project-files",                                                                            \
       0,                                                                                          \
       OPTION_FLAG,                                                                                \
       AT(project_files),                                                                          \
       NULL,                                                                                       \
       NULL,                                                                                       \
       "only the project's own files"},                                                            \
      SELECTION_OPTIONS, STUDY_OPTIONS, FIELD_OPTIONS, FILTER_OPTIONS

#define MOVING_OPTIONS                                                                             \
  CONCURRENT_STUDIES_OPTION, CONCURRENT_FILES_OPTION, CONNECTIONS_OPTION, FOLDER_STRUCTURE_OPTION, \
      FILTER_OPTIONS, AGE_OPTIONS,                                                                 \
      {"checksum",                                                                                 \
       0,                                                                                          \
       OPTION_FLAG,                                                                                \
       AT(checksum),                                                                               \
       NULL,                                                                                       \
       NULL,                                                                                       \
       "compare existing files by checksum, not by size"},                                         \
      {"overwrite",                                                                                \
       0,                                                                                          \
       OPTION_FLAG,                                                                                \
       AT(overwrite),                                                                              \
       NULL,                                                                                       \
       NULL,                                                                                       \
       "transfer files even if they already exist"},                                               \
      {"dry-run", 0, OPTION_FLAG, AT(dry_run), NULL, NULL, "only show what would be transferred"}, \
      BWLIMIT_OPTION, REPORT_OPTION, JOURNAL_OPTION, NO_JOURNAL_OPTION

/* clang-format on */

/* filters.c: --filter-from, --files-from, --min-size, --max-size, --min-age, --max-age. False: a
 * usage error was printed. */
bool take_filters(const settings *s, igt_filters *o);
/* "90", "90s", "10m", "2h", "1d", "4w"; false: a usage error was printed. */
bool parse_duration(const char *name, const char *text, int64_t *seconds);

/* cmd_transfer.c: what download, upload and verify pass to the library. transfer and selection
 * refer to each other and to the settings: not to be copied. */
typedef struct transfer_setup {
  igt_transfer_options transfer;
  igt_filters filters;
  igt_study_selection selection;
  const char *environment;
} transfer_setup;

/* Whether options choose files among those of the studies. */
bool selects_files(const settings *s);
/* From the settings, with the arguments FOLDER PROJECT [INSTITUTE] [PROD|TEST]. False: a usage
 * error was printed. */
bool take_transfer(const settings *s, const command *cmd, transfer_setup *setup);
/* Opens the report (verb: "downloaded") and the client. False: *exit_status is set; nothing to
 * close. */
bool begin_transfer(const settings *s, const transfer_setup *setup, const char *verb, report **r,
                    igt_client **client, int *exit_status);
/* Prints the summary and closes both; returns the exit status. */
int end_transfer(report *r, igt_client *client, igt_status result,
                 const igt_transfer_summary *summary, const igt_error *err);

#endif
