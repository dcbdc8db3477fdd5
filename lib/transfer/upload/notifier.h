/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_NOTIFIER_H
#define IGT_TRANSFER_NOTIFIER_H

/* The cloud is told of each file that is stored: $file-upload-completed, a round trip a file, so
 * many of which overlap. */

#include <pthread.h>

#include "api/call.h"

struct igt__group;

/* A file that the cloud has to hear of. */
typedef struct igt__notification {
  struct igt__notification *next; /* the teller's */
  struct igt__group *group;       /* this and what follows: the caller's, until done */
  const char *path;               /* below the study, as it was registered */
  unsigned loop;
  /* Last. On that loop's thread, or on a helper's when the session had to be renewed. */
  void (*done)(struct igt__notification *file, igt_status status, igt_error *err);
} igt__notification;

/* A run's. */
typedef struct igt__notifier {
  pthread_mutex_t lock;
  const igt__operation *operation;
  unsigned calls; /* under way */
  igt__notification *first, **last;
} igt__notifier;

void igt__notifier_init(igt__notifier *notifier);
void igt__notifier_finish(igt__notifier *notifier);

/* Never blocks. */
void igt__notify(igt__notification *file);
/* The same, on a thread that may block. */
igt_status igt__notify_blocking(const struct igt__group *group, const char *path, igt_error *err);

#endif
