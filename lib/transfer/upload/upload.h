/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_UPLOAD_H
#define IGT_TRANSFER_UPLOAD_H

/* Shared by the files of igt_upload: the run (upload.c), the studies of an institute
 * (upload_institute.c), its DICOM import (upload_import.c), and the files of one folder
 * (upload_plan.c), whatever they belong to. */

#include "base/arena.h"
#include "base/fingerprints.h"
#include "base/root.h"
#include "base/str.h"
#include "igtcloud/operations.h"
#include "transfer/engine/chosen.h"
#include "transfer/engine/find.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/last_run.h"
#include "transfer/engine/options.h"
#include "transfer/engine/plan.h"
#include "transfer/engine/tree.h"
#include "transfer/upload/match.h"
#include "transfer/upload/send.h"

typedef struct igt__upload {
  igt__run run;
  igt__sender sender;
  igt_upload_options own; /* the caller's, as this library knows it */
  igt__shared_options shared;
  const igt_upload_options *options; /* own */
  igt__found found;
  igt__semaphore studies;
  igt__chosen chosen; /* options->folders, and of these what the selection leaves */
  struct igt__upload_selected *selected; /* select.h; NULL: studies are not selected */
  char *source;                          /* absolute */
  igt__root *root;                       /* the source: everything is read below it */
  igt_identity identity;
  igt__last_run last;
  uint64_t folders_later;                  /* of studies or patients, in institutes to come */
  uint64_t folders_passed, studies_passed; /* and the studies in them */
} igt__upload;

/* Reports something that is left out. */
void igt__upload_ignored(igt__upload *u, const char *institute, const char *path, const char *why);
void igt__upload_ignored_folder(igt__upload *u, const char *institute, const char *path,
                                const char *why);
/* igt__stray_fn of an upload; institute "" if unknown. */
void igt__upload_stray(igt__upload *u, const char *institute, const char *path, const char *why,
                       const igt_error *err);
/* A study that failed before it had a group. folder: absolute, or NULL. */
void igt__upload_study_failed(igt__upload *u, const char *institute, const char *study,
                              const char *folder, const igt_error *err);

/* ---- the files of one folder with one destination ---- */

/* Files that are registered by one request. */
#define IGT__UPLOAD_BATCH 500

/* Where a study.json describes a study. */
typedef enum igt__sidecars {
  IGT__SIDECAR_NONE,
  IGT__SIDECAR_ON_TOP,
  IGT__SIDECAR_ANYWHERE
} igt__sidecars;

/* Shared by an import and the plan of its files. */
typedef struct igt__import_memory {
  char *prefix;     /* prefix of its files' names in the journal, without an import's id */
  char id[37];      /* of this import */
  uint64_t resumed; /* files that an earlier run has sent for this import */
  bool begun;       /* the journal has the id */
  uint64_t
      bad_names; /* files that failed because of their names, which need not hold up the others */
} igt__import_memory;

typedef struct igt__upload_plan igt__upload_plan;
struct igt__upload_plan {
  igt__upload *u;
  const igt_institute *institute; /* NULL: project files */
  char *folder;                   /* absolute: everything below it is uploaded */
  char *name;                     /* of the group: "patient/study" */
  /* Opens the group if it has to be created first (NULL: it is open); on a producer's thread.
   * Without a group afterwards the plan ends, and give_up reports why if that was an error. */
  igt_status (*open)(igt__upload_plan *plan, igt_error *err);
  void (*give_up)(igt__upload_plan *plan, const igt_error *err);
  void (*release)(igt__upload_plan *plan); /* frees the owner's data; may be NULL */
  void *own;
  bool registered;            /* keys are registered before, and completed after the upload */
  igt__sidecars sidecar;      /* never sent as a file */
  igt__import_memory *import; /* the cloud has no list: use the journal's; or NULL */
  void (*begin_import)(igt__upload_plan *plan); /* before its first file is sent */
  char *study_folder;                           /* absolute; of a study */
  const char *list; /* the cloud's list of existing files: "files", "annotations"; NULL: none */
  bool divided;     /* folder is that of the files in study_folder, as far as its shape says */
  bool own_folders; /* the cloud's list has some that are called as ours for categories */
  bool is_new;      /* just created: it has no files yet */
  bool only_named;  /* nothing can be uploaded, so there is no study: its files are reported */
  uint64_t files, links,
      others; /* found: regular files, links and other things that are not sent */

  igt__group *group;
  char *prefix;             /* of the keys */
  igt__arena *arena;        /* of the batch */
  igt__quota lists;         /* for `there`: the cloud decides its size */
  igt__fingerprints *there; /* for each key in the cloud's list: the size + 1, or 0 if incomplete */
  igt__map *by_nfc;         /* keys of the list that are not in NFC, by their NFC form */
  igt__arena *nfc_keys;     /* memory of by_nfc */
  igt__map *taken_keys;     /* keys assigned to files whose names are other variants */
  igt__s3_provider *put, *get;
  igt_file *batch[IGT__UPLOAD_BATCH];
  igt__send_file pending[IGT__UPLOAD_BATCH];
  size_t batch_count;
};

/* Takes ownership of folder, also on failure. NULL: no memory. */
igt__upload_plan *igt__upload_plan_new(igt__upload *u, const igt_institute *institute, char *folder,
                                       const char *name);
void igt__upload_plan_free(igt__upload_plan *plan);
/* Opens the plan's group and sets the prefix of its keys, s3_prefix plus below. False: no memory.
 */
bool igt__upload_plan_open(igt__upload_plan *plan, const char *study, const char *study_id,
                           const char *s3_prefix, const char *below,
                           void (*on_settled)(igt__group *group));
/* What was found in the folder, up to the first file that can be uploaded. */
typedef struct igt__outlook {
  bool any;      /* it is not empty */
  bool content;  /* something that is not clutter, whether it can go up or not */
  bool sendable; /* a file can be uploaded */
} igt__outlook;
igt_status igt__upload_plan_look(igt__upload_plan *plan, igt__outlook *out, igt_error *err);
/* Runs the plan soon on a producer's thread, and frees it there. */
void igt__upload_plan_begin(igt__upload_plan *plan);

/* ---- an institute ---- */

/* For the categories files and annotations: each study folder in path. */
igt_status igt__upload_studies(igt__upload *u, const igt_institute *institute, const char *path,
                               igt_error *err);
/* Category dicom: everything in path, as one import. */
igt_status igt__upload_import(igt__upload *u, const igt_institute *institute, const char *path,
                              igt_error *err);

#endif
