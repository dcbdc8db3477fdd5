/* SPDX-License-Identifier: MIT */
/* The settings of a station: converts and checks the options that only `igtcloud station` has, at
 * the start and when it is told to reload them. */
#include <stdlib.h>
#include <string.h>

#include "station/station.h"
#include "transfer_options.h"

/* "20M", "1.5G", "500k", bytes; in powers of 1,024. */
static bool station_size(const char *name, const char *text, uint64_t *out) {
  static const char units[] = "kmgt";
  char *end;
  double n = strtod(text, &end);
  const char *unit = *end ? strchr(units, *end | 0x20) : NULL;

  if (end == text || !(n >= 0 && n < 1e15) || (*end && (!unit || end[1]))) {
    usage_error("--%s '%s' is not a size such as 500M or 2G", name, text);
    return false;
  }
  for (const char *u = units; unit && u <= unit; u++)
    n *= 1024;
  *out = (uint64_t)n;
  return true;
}

static bool check_hook(const char *path) {
  const char *why;

  if (!igt__os_is_absolute(path))
    usage_error("--on-event '%s' must be an absolute path: a station has no current folder", path);
  else if ((why = os_cannot_run(path)) != NULL)
    usage_error("--on-event '%s' cannot be run: %s", path, why);
  else
    return true;
  return false;
}

bool station_configure(const settings *s, station_config *c) {
  int64_t settle = 60, rescan = 600, keep = 0, hook = 60;

  *c = (station_config){.attempts = s->attempts ? (unsigned)s->attempts : 3,
                        .delete_done = s->when_done && strcmp(s->when_done, "delete") == 0,
                        .oldest_first = s->order && strcmp(s->order, "oldest") == 0,
                        .once = s->once};
  if ((s->settle && !parse_duration("settle", s->settle, &settle)) ||
      (s->rescan && !parse_duration("rescan", s->rescan, &rescan)) ||
      (s->keep && !parse_duration("keep", s->keep, &keep)) ||
      (s->event_timeout && !parse_duration("event-timeout", s->event_timeout, &hook)) ||
      (s->quota && !station_size("quota", s->quota, &c->quota)) ||
      (s->min_free && !station_size("min-free", s->min_free, &c->min_free)))
    return false;
  c->settle_ms = settle * 1000;
  c->rescan_ms = (rescan ? rescan : 1) * 1000;
  c->keep_s = keep;
  c->hook_ms = hook * 1000;
  if ((s->include.count || s->exclude.count) &&
      (c->delete_done || c->keep_s || c->quota || c->min_free)) {
    usage_error("%s would delete files that --include or --exclude leave out, which were not "
                "uploaded: leave the studies in done instead",
                c->delete_done ? "--when-done delete"
                : c->keep_s    ? "--keep"
                : c->quota     ? "--quota"
                               : "--min-free");
    return false;
  }
  if (c->delete_done && c->quota) {
    usage_error("--quota limits what stays in done, and --when-done delete leaves nothing there: "
                "give one of them");
    return false;
  }
  if (c->delete_done && c->keep_s) {
    usage_error(
        "--keep limits how long studies stay in done, and --when-done delete leaves nothing "
        "there: give one of them");
    return false;
  }
  return !s->on_event || check_hook(s->on_event);
}

static bool same_text(const char *a, const char *b) {
  return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(const texts *a, const texts *b) {
  if (a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++)
    if (strcmp(a->v[i], b->v[i]) != 0)
      return false;
  return true;
}

size_t station_needs_restart(const settings *started, const settings *now, char *out, size_t cap) {
  const struct {
    const char *name;
    bool same;
  } options[] = {{"folder", same_list(&started->folder, &now->folder)},
                 {"done-folder", same_text(started->done_folder, now->done_folder)},
                 {"failed-folder", same_text(started->failed_folder, now->failed_folder)},
                 {"metrics", same_text(started->metrics, now->metrics)},
                 {"metrics-anywhere", started->metrics_anywhere == now->metrics_anywhere}};
  size_t count = 0, len = 0;

  *out = '\0';
  for (size_t i = 0; i < sizeof options / sizeof *options && len < cap; i++)
    if (!options[i].same)
      len += (size_t)snprintf(out + len, cap - len, "%s--%s", count++ ? ", " : "", options[i].name);
  return count;
}

bool station_check(const settings *s) {
  const char *institute, *environment;
  station_config taken;

  return station_configure(s, &taken) && take_place(s, &institute, &environment);
}
