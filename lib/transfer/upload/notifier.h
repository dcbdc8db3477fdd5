/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_NOTIFIER_H
#define IGT_TRANSFER_NOTIFIER_H

/* The completion notifier: notifies the cloud of each stored file ($file-upload-completed). That
 * is one round trip per file, so many of them overlap. */

#include <pthread.h>

#include "api/call.h"
#include "base/queue.h"
#include "transfer/engine/run.h"

/* A file to report to the cloud. */
typedef struct igt__notification {
  struct igt__notification *next; /* the notifier's */
  struct igt__notifier *notifier; /* this and what follows: the caller's, until done */
  igt__group *group;
  const char *path; /* below the study, as it was registered */
  unsigned loop;
  /* Called last, on that loop's thread, or on a helper's when the session had to be renewed. */
  void (*done)(struct igt__notification *file, igt_status status, igt_error *err);
} igt__notification;

/* One per run; outlives the run's pools. */
typedef struct igt__notifier {
  igt__run *run;
  pthread_mutex_t lock;
  const igt__operation *operation;
  unsigned calls; /* in flight */
  IGT__QUEUE(igt__notification) waiting;
} igt__notifier;

void igt__notifier_init(igt__notifier *notifier, igt__run *run);
void igt__notifier_finish(igt__notifier *notifier);

/* Never blocks. */
void igt__notify(igt__notification *file);
/* The same, on a thread that may block. */
igt_status igt__notify_blocking(const igt__notification *file, igt_error *err);

#endif
