/* SPDX-License-Identifier: MIT */
/* Files outside the studies' folders: in a watched folder itself, or in the folder of an institute
 * or patient. A station never uploads them, although whoever put them there expects it to, so each
 * is named in the log once it has stayed for --settle, and all are counted in the status file and
 * the metrics. Links count too, as a link to a study's folder is not followed, and folders that
 * another station watches.
 *
 * The set is a study_queue of its own: STUDY_SETTLING is a new file, STUDY_READY one that was
 * reported. scan.c adds and removes them. */
#include <string.h>

#include "station/station.h"

#define LOOSE_MOST 10000 /* a folder of single images must not fill the memory */
#define LOOSE_NAMED 100  /* nor the journal */

void loose_see(station *st, watched *w, const char *path) {
  study *s = queue_find(&st->loose, w, path);

  if (!s && st->loose.count < LOOSE_MOST && (s = queue_add(&st->loose, w, path)) != NULL) {
    s->since = station_now();
    if (s->since + st->config.settle_ms < st->next_loose)
      st->next_loose = s->since + st->config.settle_ms;
  }
  if (s)
    s->scan = st->scan;
}

void loose_forget(station *st, watched *w, const char *path) {
  study *s = queue_find(&st->loose, w, path);

  if (s)
    queue_remove(&st->loose, s);
}

void loose_drop_unseen(station *st) {
  for (size_t i = st->loose.count; i > 0; i--)
    if (st->loose.v[i - 1]->scan != st->scan)
      queue_remove(&st->loose, st->loose.v[i - 1]);
}

uint64_t loose_count(const station *st) {
  uint64_t count = 0;

  for (size_t i = 0; i < st->loose.count; i++)
    count += st->loose.v[i]->state == STUDY_READY;
  return count;
}

static void report_one(station *st, study *s) {
  s->state = STUDY_READY;
  if (tree_holds_station(s->in->path, s->path)) {
    station_log(PRIORITY_WARNING, "watched", NULL,
                "%s/%s is left alone: a station watches it or a folder in it, or did; if none "
                "does, delete the folder " STATION_FOLDER " there",
                s->in->path, s->path);
    hook_event(st, "problem", s, "a station watches the folder");
    return;
  }
  hook_event(st, "problem", s, "a file is not in the folder of a study");
  station_log(PRIORITY_WARNING, "loose-file", NULL,
              "%s/%s is not in the folder of a study and will not be uploaded: move it to "
              "INSTITUTE/STUDY/",
              s->in->path, s->path);
}

void loose_report(station *st, bool all) {
  int64_t now = station_now();
  uint64_t named = loose_count(st), more = 0;

  st->next_loose = INT64_MAX;
  for (size_t i = st->loose.count; i > 0; i--) {
    study *s = st->loose.v[i - 1];
    int64_t due = s->since + st->config.settle_ms;
    if (s->state == STUDY_READY)
      continue;
    if (!all && due > now) {
      if (due < st->next_loose)
        st->next_loose = due;
    } else if (!tree_mode(s->in->path, s->path)) {
      queue_remove(&st->loose, s);
    } else if (named++ < LOOSE_NAMED) {
      report_one(st, s);
    } else {
      s->state = STUDY_READY;
      more++;
    }
  }
  if (more) {
    station_log(PRIORITY_WARNING, "loose-file", NULL,
                "%llu more files are not in the folder of a study and will not be uploaded",
                (unsigned long long)more);
    hook_event(st, "problem", NULL, "more files are not in the folder of a study");
  }
  st->dirty = true;
}
