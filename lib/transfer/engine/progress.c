/* SPDX-License-Identifier: MIT */
/* Progress of a run: totals, the studies in progress, speed and time left. */
#include <stdio.h>

#include "base/clock.h"
#include "transfer/engine/run.h"

/* Over the last three seconds or so: steady enough to read, recent enough to be accurate. */
static double speed_of(igt__speed *speed, int64_t now, uint64_t bytes) {
  unsigned slot = speed->n % IGT__SPEED_POINTS, oldest;

  speed->at_us[slot] = now;
  speed->bytes[slot] = bytes;
  speed->n++;
  oldest = speed->n >= IGT__SPEED_POINTS ? speed->n % IGT__SPEED_POINTS : 0;
  while (oldest != slot && now - speed->at_us[oldest] > 3000000)
    oldest = (oldest + 1) % IGT__SPEED_POINTS;
  if (oldest == slot || now == speed->at_us[oldest])
    return 0;
  return (double)(bytes - speed->bytes[oldest]) * 1e6 / (double)(now - speed->at_us[oldest]);
}

/* Studies in progress that a report names; the others are counted. */
#define SHOWN_MOST 16

typedef struct shown {
  igt_transfer_study study;
  char name[256];
} shown;

static void show(shown *row, const igt_transfer_study *study) {
  row->study = *study;
  (void)snprintf(row->name, sizeof row->name, "%s", study->name);
  row->study.name = row->name;
}

static void fill_running_locked(igt__run *run, igt_transfer_progress *out, shown *rows) {
  out->running_count = 0;
  out->running_more = 0;
  for (igt__group *group = run->groups; group; group = group->next) {
    if (group->progress.files == group->progress.files_settled)
      continue;
    if (out->running_count < SHOWN_MOST)
      show(&rows[out->running_count++], &group->progress);
    else
      out->running_more++;
  }
}

void igt__run_show(igt__run *run, igt__speed *speed) {
  igt_transfer_progress progress;
  shown rows[SHOWN_MOST];
  const igt_transfer_study *running[SHOWN_MOST];
  int64_t now = igt__mono_us();
  uint64_t left;

  pthread_mutex_lock(&run->lock);
  progress = run->totals;
  fill_running_locked(run, &progress, rows);
  pthread_mutex_unlock(&run->lock);
  for (size_t i = 0; i < progress.running_count; i++)
    running[i] = &rows[i].study;
  progress.running = running;
  progress.milliseconds = (now - run->began_us) / 1000;
  progress.bytes_per_second = speed_of(speed, now, progress.bytes_settled);
  left = progress.bytes > progress.bytes_settled ? progress.bytes - progress.bytes_settled : 0;
  progress.seconds_left =
      progress.bytes_per_second > 1 ? (int64_t)((double)left / progress.bytes_per_second) : -1;
  run->callbacks->on_progress(run->callbacks->payload, &progress);
}
