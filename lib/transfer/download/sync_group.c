/* SPDX-License-Identifier: MIT */
#include "transfer/download/sync_group.h"

#include <errno.h>
#include <stdbool.h>

#include "base/os/os.h"

void igt__sync_group_init(igt__sync_group *group) {
  *group = (igt__sync_group){.begun = 0};
  (void)pthread_mutex_init(&group->lock, NULL);
  (void)pthread_cond_init(&group->ended, NULL);
}

void igt__sync_group_finish(igt__sync_group *group) {
  (void)pthread_cond_destroy(&group->ended);
  (void)pthread_mutex_destroy(&group->lock);
}

/* False: the group is of another file system. */
static bool enter_locked(igt__sync_group *group, uint64_t device) {
  if (group->callers && group->device != device)
    return false;
  group->device = device;
  group->callers++;
  return true;
}

static void sync_locked(igt__sync_group *group, int fd) {
  uint64_t mine = ++group->begun;
  int error;

  pthread_mutex_unlock(&group->lock);
  error = igt__os_sync_all(fd) == 0 ? 0 : errno;
  pthread_mutex_lock(&group->lock);
  if (error) {
    group->failed = mine;
    group->failed_errno = error;
  }
  group->finished = mine;
  pthread_cond_broadcast(&group->ended);
}

/* One that is running may have begun before the caller's file was written: the next one counts. Its
 * failure, or that of a later one, is the caller's. */
static int wait_locked(igt__sync_group *group, int fd) {
  uint64_t wanted = group->begun + 1;

  while (group->finished < wanted) {
    if (group->finished == group->begun)
      sync_locked(group, fd);
    else
      pthread_cond_wait(&group->ended, &group->lock);
  }
  return group->failed >= wanted ? group->failed_errno : 0;
}

int igt__sync_group_run(igt__sync_group *group, int fd) {
  igt__stat st;
  int error;

  if (igt__os_fstat(fd, &st) != 0)
    return igt__os_sync_all(fd);
  pthread_mutex_lock(&group->lock);
  if (!enter_locked(group, (uint64_t)st.st_dev)) {
    pthread_mutex_unlock(&group->lock);
    return igt__os_sync_all(fd);
  }
  error = wait_locked(group, fd);
  group->callers--;
  pthread_mutex_unlock(&group->lock);
  errno = error;
  return error ? -1 : 0;
}
