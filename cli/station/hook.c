/* SPDX-License-Identifier: MIT */
/* --on-event: runs a program for each event, with the event as JSON on its standard input. The
 * station never waits for it: events are queued, one program runs at a time, its time is limited,
 * and when too many events wait the oldest are dropped and counted. No shell is involved, and the
 * environment has no secrets. Without --event-names an event has no names of patients, studies or
 * files, and no text that may contain them, since such programs send mail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "igtcloud/version.h"
#include "station/station.h"

#define WAITING_MOST 256
#define KILL_AFTER_MS 2000
#define FINISH_MS 3000

typedef struct hook {
  char *waiting[WAITING_MOST]; /* from first on, in a circle */
  size_t first, count;
  os_child *child; /* NULL: none runs */
  int64_t deadline;
  bool terminated, dropping;
} hook;

/* ---- the event ---- */

static void put_number(FILE *out, const char *name, uint64_t number) {
  fprintf(out, ",\"%s\":%llu", name, (unsigned long long)number);
}

static void put_study(FILE *out, const station *st, const study *s, bool is_done) {
  char institute[512];

  /* Where the institute was left out, the first folder is a patient's. */
  bool known = *s->study_id || station_has_institute(st, s->path);

  (void)snprintf(institute, sizeof institute, "%.*s", known ? (int)strcspn(s->path, "/") : 0,
                 s->path);
  json_text(out, "institute", institute, false);
  json_text(out, "studyDatabaseId", s->study_id, false);
  put_number(out, "files", s->tree.files);
  put_number(out, "bytes", s->tree.bytes);
  put_number(out, "attempts", s->attempts + is_done); /* and this one */
  if (s->began_ms)
    fprintf(out, ",\"seconds\":%.1f", (double)(station_now() - s->began_ms) / 1000);
  if (s->status != IGT_OK) {
    json_text(out, "status", igt_status_name(s->status), false);
    json_text(out, "problem", igt_status_text(s->status), false);
  }
  if (st->s->event_names) {
    json_text(out, "folder", s->in->path, false);
    json_text(out, "study", s->path, false);
    if (s->why)
      json_text(out, "reason", s->why, false);
  }
}

static char *event_text(const station *st, const char *event, const study *s, const char *detail) {
  char *text = NULL, when[32];
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);

  if (!out)
    return NULL;
  fputc('{', out);
  json_text(out, "event", event, true);
  json_text(out, "time", station_time(station_wall(), when), false);
  json_text(out, "run", run_id(), false);
  json_text(out, "version", igt_version(), false);
  json_text(out, "cloud", igt_client_domain(st->line->client), false);
  json_text(out, "project", st->project, false);
  json_text(out, "user", st->found.identity.user, false);
  if (s)
    put_study(out, st, s, strcmp(event, "uploaded") == 0);
  if (detail)
    json_text(out, "detail", detail, false);
  fputs("}\n", out);
  if (fclose(out) == 0)
    return text;
  free(text);
  return NULL;
}

void hook_event(station *st, const char *event, const study *s, const char *detail) {
  hook *h = st->hook;
  char *text;

  if (!st->s->on_event)
    return;
  if (!h && !(h = st->hook = calloc(1, sizeof *h)))
    return;
  if (!(text = event_text(st, event, s, detail)))
    return;
  if (h->count == WAITING_MOST) {
    free(h->waiting[h->first]);
    h->first = (h->first + 1) % WAITING_MOST;
    h->count--;
    st->totals.hook_dropped++;
    if (!h->dropping)
      station_log(PRIORITY_WARNING, "hook", NULL, "%s is too slow: events are dropped",
                  st->s->on_event);
    h->dropping = true;
  }
  h->waiting[(h->first + h->count++) % WAITING_MOST] = text;
}

/* ---- the program ---- */

static void start_next(station *st) {
  hook *h = st->hook;
  char *text = h->waiting[h->first];
  int input = hook_input(text);

  h->first = (h->first + 1) % WAITING_MOST;
  h->count--;
  h->dropping = h->dropping && h->count > 0;
  h->child = input >= 0 ? os_child_start(st->s->on_event, input) : NULL;
  if (!h->child) {
    st->totals.hook_failures++;
    station_log(PRIORITY_ERROR, "hook", NULL, "cannot run %s: %s", st->s->on_event,
                strerror(errno));
  }
  if (input >= 0)
    igt__os_close(input);
  free(text);
  h->terminated = false;
  h->deadline = station_real_ms() + st->config.hook_ms;
}

static void see_end(station *st) {
  hook *h = st->hook;
  char how[64];

  if (!os_child_has_ended(h->child, how, sizeof how))
    return;
  os_child_free(h->child);
  h->child = NULL;
  if (!*how)
    return;
  st->totals.hook_failures++;
  if (h->terminated)
    station_log(PRIORITY_ERROR, "hook", NULL, "%s was stopped: it ran longer than --event-timeout",
                st->s->on_event);
  else
    station_log(PRIORITY_ERROR, "hook", NULL, "%s failed with %s", st->s->on_event, how);
}

/* At once if it does not obey. */
static void limit_time(hook *h) {
  if (!h->child || station_real_ms() < h->deadline)
    return;
  os_child_end(h->child, h->terminated);
  h->terminated = true;
  h->deadline = station_real_ms() + KILL_AFTER_MS;
}

void hook_tick(station *st) {
  hook *h = st->hook;

  if (!h)
    return;
  if (h->child) {
    see_end(st);
    limit_time(h);
  }
  while (!h->child && h->count)
    start_next(st);
}

bool hook_is_busy(const station *st) {
  return st->hook && (st->hook->child || st->hook->count);
}

void hook_finish(station *st) {
  hook *h = st->hook;

  for (int waited = 0; hook_is_busy(st) && waited < FINISH_MS; waited += 20) {
    hook_tick(st);
    igt__os_pause(20);
    os_manager_alive();
  }
  if (!h)
    return;
  if (h->child)
    os_child_end(h->child, false);
  os_child_free(h->child);
  for (; h->count; h->count--, h->first = (h->first + 1) % WAITING_MOST)
    free(h->waiting[h->first]);
  free(h);
  st->hook = NULL;
}
