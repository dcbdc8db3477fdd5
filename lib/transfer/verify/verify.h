/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_VERIFY_H
#define IGT_TRANSFER_VERIFY_H

/* Shared by the files of igt_verify: verify.c walks the project and the folder, verify_study.c
 * compares one study with its folder. */

#include "base/root.h"
#include "transfer/engine/chosen.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/last_run.h"
#include "transfer/engine/options.h"
#include "transfer/engine/plan.h"

typedef struct igt__verify {
  igt__run run;
  igt_verify_options own; /* the caller's, as this library knows it */
  igt__shared_options shared;
  const igt_verify_options *options; /* own */
  igt__found found;
  igt__chosen chosen;  /* options->folders */
  bool is_upload_only; /* a service identity: it may not read objects */
  igt__root *root;
  igt__semaphore studies;
  igt__pool *readers;
  igt__last_run last;
  uint64_t folders_later; /* local ones, in institutes to come */
  uint64_t expected;      /* studies of the institutes so far */
} igt__verify;

/* Waits for a slot, then compares a study (or with institute NULL and study "" the project's files)
 * on a producer's thread. s3_prefix NULL: the cloud has no such study. folder NULL: no local
 * folder. */
igt_status igt__verify_study(igt__verify *v, const igt_institute *institute, const char *study,
                             const char *study_id, const char *s3_prefix, const char *folder,
                             igt_error *err);

#endif
