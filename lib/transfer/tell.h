/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_TELL_H
#define IGT_TRANSFER_TELL_H

/* The cloud is told of each file that is stored: $file-upload-completed, a round trip a file, so
 * many of which overlap. */

#include <pthread.h>

#include "api/call.h"

struct igt__group;

/* A file that the cloud has to hear of. */
typedef struct igt__told {
  struct igt__told *next;   /* the teller's */
  struct igt__group *group; /* this and what follows: the caller's, until done */
  const char *path;         /* below the study, as it was registered */
  unsigned loop;
  /* Last. On that loop's thread, or on a helper's when the session had to be renewed. */
  void (*done)(struct igt__told *file, igt_status status, igt_error *err);
} igt__told;

/* A run's. */
typedef struct igt__teller {
  pthread_mutex_t lock;
  const igt__operation *operation;
  unsigned calls; /* under way */
  igt__told *first, **last;
} igt__teller;

void igt__teller_init(igt__teller *teller);
void igt__teller_finish(igt__teller *teller);

/* Never blocks. */
void igt__tell(igt__told *file);
/* The same, on a thread that may block. */
igt_status igt__tell_blocking(const struct igt__group *group, const char *path, igt_error *err);

#endif
