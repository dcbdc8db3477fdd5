/* SPDX-License-Identifier: MIT */
/* Progress of a run: totals, the studies in progress, speed and time left. */
#include "transfer/engine/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/run.h"

/* Over the last three seconds or so: steady enough to read, recent enough to be accurate. */
#define RECENT_US 3000000
/* Over the last two minutes: one slow second must not change the estimate. */
#define LONG_RUN_US 120000000

/* Bytes per second since the oldest point that is not older than span. A point is kept for each
 * share of span. */
static double speed_of(igt__track *track, int64_t span, int64_t now, uint64_t bytes) {
  unsigned last = (track->n - 1) % IGT__SPEED_POINTS, oldest;

  if (track->n == 0 || now - track->at_us[last] >= span / IGT__SPEED_POINTS) {
    last = track->n++ % IGT__SPEED_POINTS;
    track->at_us[last] = now;
    track->bytes[last] = bytes;
  }
  oldest = track->n > IGT__SPEED_POINTS ? track->n % IGT__SPEED_POINTS : 0;
  while (oldest != last && now - track->at_us[oldest] > span)
    oldest = (oldest + 1) % IGT__SPEED_POINTS;
  if (now == track->at_us[oldest] || bytes < track->bytes[oldest])
    return 0;
  return (double)(bytes - track->bytes[oldest]) * 1e6 / (double)(now - track->at_us[oldest]);
}

/* ---- the whole job ---- */

/* Studies whose files are not known yet are assumed to be as large as the others. */
static uint64_t expected_bytes(const igt_transfer_progress *p) {
  uint64_t unplanned = p->studies > p->studies_planned ? p->studies - p->studies_planned : 0;

  if (!unplanned || !p->studies_planned)
    return p->bytes;
  return p->bytes + (uint64_t)((double)p->bytes / (double)p->studies_planned * (double)unplanned);
}

/* By bytes while some move; else, as when most files are there already, by studies. */
static int64_t time_left(const igt_transfer_progress *p, double rate) {
  uint64_t bytes = p->bytes_expected > p->bytes_settled ? p->bytes_expected - p->bytes_settled : 0;
  uint64_t studies = p->studies > p->studies_settled ? p->studies - p->studies_settled : 0;

  if (p->studies && !p->studies_planned)
    return -1;
  if (bytes && rate > 1)
    return (int64_t)((double)bytes / rate);
  if (bytes || !p->studies_settled)
    return bytes || studies || p->listing ? -1 : 0;
  return (int64_t)((double)p->elapsed_ms / 1000 / (double)p->studies_settled * (double)studies);
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

/* Once all are listed, what was begun is all there is. */
static uint64_t expected_studies_locked(const igt__run *run) {
  uint64_t begun = run->totals.studies + run->waiting;

  if (!run->totals.listing)
    return begun;
  return (begun > run->passed ? begun : run->passed) + run->left;
}

static void fill(igt__run *run, igt__speed *speed, igt__snapshot *out) {
  igt_transfer_progress *progress = &out->progress;
  int64_t now = igt__mono_us();

  pthread_mutex_lock(&run->lock);
  *progress = run->totals;
  progress->studies = expected_studies_locked(run);
  progress->studies_known = run->studies_known || !run->totals.listing;
  progress->running_count = progress->running_more = 0;
  fill_running_locked(run, out);
  pthread_mutex_unlock(&run->lock);
  link_rows(out);
  progress->elapsed_ms = (now - run->began_us) / 1000;
  progress->bytes_per_second = speed_of(&speed->recent, RECENT_US, now, progress->bytes_settled);
  progress->bytes_expected = expected_bytes(progress);
  progress->seconds_left =
      time_left(progress, speed_of(&speed->long_run, LONG_RUN_US, now, progress->bytes_settled));
}

void igt__run_show(igt__run *run, igt__speed *speed) {
  igt__snapshot snapshot;

  fill(run, speed, &snapshot);
  if (run->transfer)
    igt__transfer_progress(run->transfer, &snapshot);
  else
    run->callbacks->on_progress(run->callbacks->payload, &snapshot.progress);
}
