/* SPDX-License-Identifier: MIT */
/* Progress of a run: totals, the studies in progress, speed and time left. */
#include "transfer/engine/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "transfer/engine/handle.h"
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

/* ---- a snapshot ---- */

static void link_rows(igt__snapshot *s) {
  for (size_t i = 0; i < s->progress.running_count; i++) {
    s->rows[i].study.name = s->rows[i].name;
    s->running[i] = &s->rows[i].study;
  }
  s->progress.running = s->running;
}

void igt__snapshot_add(igt__snapshot *s, const igt_transfer_study *study) {
  igt__shown *row = &s->rows[s->progress.running_count];

  if (s->progress.running_count == IGT__SHOWN_MOST) {
    s->progress.running_more++;
    return;
  }
  row->study = *study;
  (void)snprintf(row->name, sizeof row->name, "%s", study->name);
  s->progress.running_count++;
  link_rows(s);
}

void igt__snapshot_copy(igt__snapshot *to, const igt__snapshot *from) {
  to->progress = from->progress;
  memcpy(to->rows, from->rows, from->progress.running_count * sizeof *to->rows);
  link_rows(to);
}

/* ---- of a run ---- */

static void fill_running_locked(const igt__run *run, igt__snapshot *out) {
  for (const igt__group *group = run->groups; group; group = group->next)
    if (group->progress.files != group->progress.files_settled)
      igt__snapshot_add(out, &group->progress);
}

static void fill(igt__run *run, igt__speed *speed, igt__snapshot *out) {
  igt_transfer_progress *progress = &out->progress;
  int64_t now = igt__mono_us();
  uint64_t left;

  pthread_mutex_lock(&run->lock);
  *progress = run->totals;
  progress->running_count = progress->running_more = 0;
  fill_running_locked(run, out);
  pthread_mutex_unlock(&run->lock);
  link_rows(out);
  progress->milliseconds = (now - run->began_us) / 1000;
  progress->bytes_per_second = speed_of(speed, now, progress->bytes_settled);
  left = progress->bytes > progress->bytes_settled ? progress->bytes - progress->bytes_settled : 0;
  progress->seconds_left =
      progress->bytes_per_second > 1 ? (int64_t)((double)left / progress->bytes_per_second) : -1;
}

void igt__run_show(igt__run *run, igt__speed *speed) {
  igt__snapshot snapshot;

  fill(run, speed, &snapshot);
  if (run->transfer)
    igt__transfer_progress(run->transfer, &snapshot);
  else
    run->callbacks->on_progress(run->callbacks->payload, &snapshot.progress);
}
