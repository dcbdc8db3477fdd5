/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_UPLOAD_H
#define IGT_TRANSFER_UPLOAD_H

/* What the parts of an upload share: the run (upload.c), the studies of an institute
 * (upload_study.c), its DICOM import (upload_import.c), and the files of one folder
 * (upload_plan.c), whatever they belong to. */

#include "base/arena.h"
#include "base/fingerprints.h"
#include "base/str.h"
#include "igtcloud/operations.h"
#include "transfer/engine/find.h"
#include "transfer/engine/plan.h"
#include "transfer/engine/tree.h"
#include "transfer/upload/match.h"
#include "transfer/upload/send.h"

typedef struct igt__upload {
  igt__run run;
  igt__sender sender;
  const igt_upload_options *options;
  igt__found found;
  igt__semaphore room;
  char *source;    /* absolute */
  igt__root *root; /* the source: everything that is read is read below it */
  igt_identity identity;
} igt__upload;

/* Something that is left out is named. */
void igt__upload_ignored(igt__upload *u, const char *institute, const char *path, const char *why);
/* igt__stray_fn of an upload; institute "" where none is known. */
void igt__upload_stray(igt__upload *u, const char *institute, const char *path, const char *why,
                       const igt_error *err);
/* A study that failed before it had a group. */
void igt__upload_study_failed(igt__upload *u, const char *institute, const char *study,
                              const igt_error *err);

/* ---- the files of one folder, which go to one place ---- */

/* Files that are registered by one request. */
#define IGT__UPLOAD_BATCH 500

/* Where a study.json describes a study. */
typedef enum igt__sidecars {
  IGT__SIDECAR_NONE,
  IGT__SIDECAR_ON_TOP,
  IGT__SIDECAR_ANYWHERE
} igt__sidecars;

/* What an import and the plan of its files share. */
typedef struct igt__import_memory {
  char *prefix;       /* of what the journal knows its files by: no import's id is in it */
  char id[37];        /* of this import */
  uint64_t resumed;   /* files that an earlier run has sent for this very import */
  bool begun;         /* the journal has the id */
  uint64_t bad_names; /* files that failed for their names, which the others need not wait for */
} igt__import_memory;

typedef struct igt__upload_plan igt__upload_plan;
struct igt__upload_plan {
  igt__upload *u;
  const igt_institute *institute; /* NULL: project files */
  char *folder;                   /* absolute: what is below it goes up */
  char *name;                     /* of the group: "patient/study" */
  /* Opens the group where it has to be made first (NULL: it is open); on a producer's thread.
   * Without a group afterwards the plan ends, and give_up reports why, if it was an error. */
  igt_status (*open)(igt__upload_plan *plan, igt_error *err);
  void (*give_up)(igt__upload_plan *plan, const igt_error *err);
  void (*release)(igt__upload_plan *plan); /* the owner's own; may be NULL */
  void *own;
  bool registered;            /* keys are told to the cloud before, and completed after */
  igt__sidecars sidecar;      /* never sent as a file */
  igt__import_memory *import; /* the cloud has no list: what the journal knows is there; or NULL */
  void (*begin_import)(igt__upload_plan *plan); /* before its first file goes */
  const char *list; /* of the files that are there: "files", "annotations"; NULL: none */
  bool is_new;      /* created a moment ago: nothing is there yet */
  bool only_named;  /* nothing of it can go, so there is no study: what it holds is reported */
  uint64_t files, links, others; /* that were met: regular files, links and what else is not sent */

  igt__group *group;
  char *prefix;      /* of the keys */
  igt__arena *arena; /* of the batch */
  igt__quota held;   /* there: the cloud decides how much it is */
  igt__fingerprints
      *there;      /* of each key the cloud's list has: the size and 1, or 0 if not complete */
  igt__map *spelt; /* keys of the list that are not in NFC, by what they are in NFC */
  igt__arena *spellings; /* of spelt */
  igt__map *respelt;     /* keys that files of another spelling have got here */
  igt__s3_provider *put, *get;
  igt_file *batch[IGT__UPLOAD_BATCH];
  igt__send_file pending[IGT__UPLOAD_BATCH];
  size_t batch_count;
};

/* folder is taken over, also on failure. NULL: no memory. */
igt__upload_plan *igt__upload_plan_new(igt__upload *u, const igt_institute *institute, char *folder,
                                       const char *name);
void igt__upload_plan_free(igt__upload_plan *plan);
/* The plan's group and the prefix of its keys, s3_prefix and what is below it. False: no memory. */
bool igt__upload_plan_open(igt__upload_plan *plan, const char *study, const char *study_id,
                           const char *s3_prefix, const char *below,
                           void (*on_settled)(igt__group *group));
/* What a look into the folder, up to the first file that can go up, has found. */
typedef struct igt__outlook {
  bool any;      /* there is something in it */
  bool content;  /* something that is not clutter, whether it can go up or not */
  bool sendable; /* a file can go up */
} igt__outlook;
igt_status igt__upload_plan_look(igt__upload_plan *plan, igt__outlook *out, igt_error *err);
/* Runs it soon on a producer's thread; the plan is freed there. */
void igt__upload_plan_begin(igt__upload_plan *plan);

/* ---- an institute ---- */

/* igt_upload's categories files and annotations: each study folder in path. */
igt_status igt__upload_studies(igt__upload *u, const igt_institute *institute, const char *path,
                               igt_error *err);
/* Category dicom: everything in path, as one import. */
igt_status igt__upload_import(igt__upload *u, const igt_institute *institute, const char *path,
                              igt_error *err);

#endif
