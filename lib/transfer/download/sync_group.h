/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SYNC_GROUP_H
#define IGT_TRANSFER_SYNC_GROUP_H

/* Concurrent calls that each need their file on the disk share a sync of the file system: one that
 * begins after a call has written its file covers that, too. With 32 threads that download small
 * files, a sync for each was most of the time. */

#include <pthread.h>
#include <stdint.h>

typedef struct igt__sync_group {
  pthread_mutex_t lock;
  pthread_cond_t ended;
  uint64_t begun, finished; /* syncs, in order; at most one is running */
  uint64_t failed;          /* the last that failed; 0: none */
  int failed_errno;
  uint64_t device; /* of the callers; other file systems are synced by themselves */
  unsigned callers;
} igt__sync_group;

void igt__sync_group_init(igt__sync_group *group);
void igt__sync_group_finish(igt__sync_group *group);
/* Returns once everything that the caller has written to the file system of fd is on the disk. 0,
 * or -1 with errno as of igt__os_sync_all(). */
int igt__sync_group_run(igt__sync_group *group, int fd);

#endif
