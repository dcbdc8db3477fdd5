/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_MANIFEST_H
#define IGT_TRANSFER_MANIFEST_H

/* Reads a manifest, which is untrusted: it may have been cut off, edited, or written to do harm.
 * Opening it reads all of it once and checks everything that its users rely on: the digest in its
 * last line, the counts, that every path stays below its study. What is kept is a few bytes per
 * study; the files of a study are read again when they are needed. docs/manifest.md has the
 * format. */

#include "base/arena.h"
#include "base/quota.h"
#include "base/str.h"
#include "igtcloud/manifest.h"
#include "transfer/engine/find.h"
#include "transfer/engine/run.h"

#define IGT__MANIFEST_VERSION 1

typedef struct igt__manifest_study {
  const char *institute, *name, *id; /* name: patient/study */
  uint64_t at;                       /* where the lines of its files start */
  uint64_t files;
  bool seen; /* by whoever uses the manifest */
} igt__manifest_study;

/* A line of a file. Strings are valid during the call of the function that receives it. */
typedef struct igt__manifest_file {
  unsigned category; /* IGT_CATEGORY_... */
  const char *path;  /* below the study, without the category */
  uint64_t size;
  const char *digest; /* "sha256:..."; "": the store has none */
  const char *etag;   /* "": unknown */
} igt__manifest_file;
typedef igt_status (*igt__manifest_file_fn)(void *payload, const igt__manifest_file *file);

/* The struct behind igtcloud/manifest.h. */
struct igt_manifest {
  int fd;           /* -1: text has all of it */
  const char *text; /* a copy of what came through a pipe */
  char *own_text;
  uint64_t size;
  const char *path; /* for messages */
  igt__quota quota;
  igt__arena *arena;
  igt__map *studies; /* by id: igt__manifest_study, in their order */
  igt__map *institutes;
  igt_manifest_info info;
  unsigned categories; /* of all its files */
};

/* The same for a text in memory, which must outlive it: for the fuzz target. */
igt_status igt__manifest_open_text(const char *text, size_t n, igt_manifest **out, igt_error *err);

igt__manifest_study *igt__manifest_find(const igt_manifest *manifest, const char *id);
igt__manifest_study *igt__manifest_at(const igt_manifest *manifest, size_t i); /* NULL: the end */
/* The files of a study, in their order. Any thread. Ends with the first status that is not IGT_OK.
 */
igt_status igt__manifest_files(const igt_manifest *manifest, const igt__manifest_study *study,
                               igt__manifest_file_fn fn, void *payload, igt_error *err);

/* ---- in a run ---- */

/* IGT_E_INVALID: it is of another cloud. */
igt_status igt__manifest_check_cloud(const igt_manifest *manifest, const char *origin,
                                     igt_error *err);
/* Limits the institutes to those of the manifest. */
igt_status igt__manifest_choose(const igt_manifest *manifest, igt__found *found, igt_error *err);
/* The institute's studies could not be listed: they are not taken for deleted. */
void igt__manifest_skip_institute(const igt_manifest *manifest, const char *institute);
/* No study was seen yet. */
void igt__manifest_forget(const igt_manifest *manifest);
/* Reports the studies of this shard that were not seen, as failed. */
void igt__manifest_report_vanished(const igt_manifest *manifest, igt__run *run);

/* One file that was looked up. */
typedef struct igt__manifest_entry {
  uint64_t size;
  const char *digest, *etag;
  unsigned category;
  bool seen;
} igt__manifest_entry;
/* All files of a study by "category/path". Counts against the quota; NULL: no memory, or the
 * manifest could not be read again. */
typedef struct igt__manifest_table {
  igt__arena *arena;
  igt__map *files;
} igt__manifest_table;
igt_status igt__manifest_table_open(const igt_manifest *manifest, const igt__manifest_study *study,
                                    igt__quota *quota, igt__manifest_table *out, igt_error *err);
void igt__manifest_table_close(igt__manifest_table *table);
/* NULL: the manifest does not have it. folder: of the category, such as "files". */
igt__manifest_entry *igt__manifest_table_find(const igt__manifest_table *table, const char *folder,
                                              const char *path);

#endif
