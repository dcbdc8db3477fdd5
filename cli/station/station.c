/* SPDX-License-Identifier: MIT */
/* The loop of `igtcloud station`. It waits (os_wait) for the first of: a name that appears, an
 * event of a transfer, a signal, a request for the metrics, the end of the sign-in thread, and the
 * time at which a study has been quiet for long enough. Then it does what is due. Nothing in it
 * waits for the network or for another program.
 *
 * The life of a study: found (scan.c), seen twice in the same state, --settle apart (step_study),
 * uploaded and verified (batch.c), moved or deleted (policy.c). Whatever ends the process, the
 * study is still in its folder, and the next station starts over with it; files that were uploaded
 * are in the library's journal and are not sent twice. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "igtcloud/version.h"
#include "station/station.h"

#define FIRST_PAUSE_MS 5000
#define LONGEST_PAUSE_MS 300000
#define STATUS_MS 60000
#define STATUS_SOON_MS 1000
#define TIDY_MS 60000
#define KEY_LOOK_MS 60000
#define INQUIRY_MS 900000
#define RESCAN_SOON_MS 200
#define KEY_WARNING_S ((int64_t)30 * 24 * 60 * 60)
#define HOOK_TICK_MS 100
#define WAITING_MS 3600000
#define STARTUP_MS 15000

/* ---- numbers ---- */

station_counts station_count(const station *st) {
  station_counts c = {.settling = 0};

  for (size_t i = 0; i < st->queue.count; i++) {
    const study *s = st->queue.v[i];
    c.settling += s->state == STUDY_SETTLING;
    c.ready += s->state == STUDY_READY;
    c.active += s->state == STUDY_ACTIVE;
    c.stuck += s->state == STUDY_VERIFIED;
    c.bytes += s->tree.bytes;
    if (s->state != STUDY_SETTLING && (!c.oldest || s->arrived < c.oldest))
      c.oldest = s->arrived;
  }
  return c;
}

/* ---- the cloud ---- */

void station_offline(station *st, igt_status status, const char *why) {
  bool known = st->offline;

  if (st->offline_until > station_now()) /* several runs end for the same reason */
    return;
  st->offline_ms = st->offline_ms ? 2 * st->offline_ms : FIRST_PAUSE_MS;
  if (st->offline_ms > LONGEST_PAUSE_MS)
    st->offline_ms = LONGEST_PAUSE_MS;
  st->offline_until = station_now() + st->offline_ms;
  st->offline = st->dirty = true;
  if (known)
    return;
  station_log(PRIORITY_WARNING, "offline", NULL, "cannot upload: %s; studies are waiting; retrying",
              why);
  hook_event(st, "offline", NULL, igt_status_text(status));
}

void station_online(station *st) {
  if (st->offline) {
    station_log(PRIORITY_NOTICE, "online", NULL, "uploading again");
    hook_event(st, "online", NULL, NULL);
    st->dirty = true;
  }
  st->offline = false;
  st->offline_ms = st->offline_until = 0;
}

bool station_has_institute(const station *st, const char *path) {
  size_t n = strcspn(path, "/");

  for (const char *p = st->found.institutes; p && *p; p += strlen(p) + 1)
    if (strlen(p) == n && strncmp(p, path, n) == 0)
      return true;
  return false;
}

static void start_inquiry(station *st) {
  if (st->inquiry)
    return;
  st->inquiry_ended = inquiry_start(&st->inquiry, st->line, st->s, st->institute);
  st->next_inquiry = station_now() + INQUIRY_MS;
}

static void use_line(station *st, line *fresh) {
  line_drop(st->line);
  st->line = fresh;
  st->offline_until = 0;
  start_inquiry(st);
}

/* A new client, for a new key. */
static void reconnect(station *st) {
  int status;
  line *fresh = line_open(st->s, st->environment, &status);

  if (fresh)
    use_line(st, fresh);
}

/* ---- the key ---- */

static void warn_of_key(station *st) {
  int64_t left = st->found.key_expires - station_wall();
  char when[32];

  if (!st->found.key_expires || left > KEY_WARNING_S) {
    st->key_warned = false;
    return;
  }
  if (st->key_warned)
    return;
  st->key_warned = true;
  station_time(st->found.key_expires, when);
  station_log(PRIORITY_WARNING, "key-expires", NULL,
              "the key %s %s at %s: replace it with `igtcloud service rotate`", st->s->service_file,
              left > 0 ? "expires" : "has expired", when);
  hook_event(st, "key-expires", NULL, when);
}

/* `igtcloud service rotate` replaces the file. */
static void look_at_key(station *st) {
  igt__stat now;
  igt_key_info info = IGT_KEY_INFO_INIT;
  int64_t changed;

  st->next_key_look = station_now() + KEY_LOOK_MS;
  if (!st->s->service_file || igt__os_stat(st->s->service_file, &now) != 0)
    return;
  if (igt_key_info_read(st->s->service_file, &info, NULL) == IGT_OK)
    st->found.key_expires = info.expires;
  warn_of_key(st);
  changed = (int64_t)now.st_mtim.tv_sec * 1000000000 + now.st_mtim.tv_nsec;
  if (st->key_changed && changed != st->key_changed) {
    station_log(PRIORITY_NOTICE, "key", NULL,
                "the key file %s was replaced: signing in with the new key", st->s->service_file);
    st->key_warned = false;
    reconnect(st);
  }
  st->key_changed = changed;
}

/* ---- studies ---- */

static bool is_new_state(station *st, study *s, const tree_state *state) {
  if (s->since && tree_same(state, &s->tree))
    return false;
  s->tree = *state;
  s->since = station_now();
  s->due = s->since + st->config.settle_ms;
  s->warned = false;
  return true;
}

/* Empty folders and partial files are of somebody who is not finished. */
static bool is_complete(const study *s) {
  return (s->tree.files > 0 || s->tree.others > 0) && s->tree.hidden == 0;
}

static int is_other(void *payload, const tree_entry *e) {
  bool other = !e->is_file && !e->is_station;

  if (other)
    (void)snprintf(payload, STATION_PATH, "%s", e->path);
  return other;
}

/* Before anything of it is sent. What filters leave out is the library's business. */
static bool has_unsendable(const station *st, const study *s) {
  return s->tree.others > 0 && !st->s->include.count && !st->s->exclude.count;
}

/* A station that watches a folder in it moves studies there, and this one would upload them again.
 */
static void leave_alone(station *st, study *s) {
  loose_see(st, s->in, s->path);
  store_forget(s->in, s->path);
  queue_remove(&st->queue, s);
}

static void refuse(station *st, study *s) {
  char name[STATION_PATH] = "", text[STATION_PATH + 128];
  int ended;

  (void)tree_walk(s->in->path, s->path, is_other, name, &ended);
  (void)snprintf(text, sizeof text,
                 "%s: it is a link, a device or the like, which is not uploaded: replace it with "
                 "the intended file, or delete it",
                 name);
  study_because(s, IGT_E_UNSUPPORTED, text);
  policy_fail(st, s);
}

static void cannot_look(station *st, study *s) {
  char text[256];

  (void)snprintf(text, sizeof text, "it cannot be read: %s", strerror(errno));
  if (errno == ENOENT || errno == ENOTDIR) {
    store_forget(s->in, s->path);
    queue_remove(&st->queue, s);
    return;
  }
  s->attempts++;
  study_because(s, IGT_E_IO, text);
  if (s->attempts >= st->config.attempts)
    policy_fail(st, s);
  else
    s->due = station_now() + st->config.settle_ms;
}

static int find_partial(void *payload, const tree_entry *e) {
  if (is_partial_name(e->name))
    (void)snprintf(payload, STATION_PATH, "%s", e->path);
  return is_partial_name(e->name);
}

/* What a program that was killed leaves behind would keep a study here forever, without a word. */
static void warn_of_waiting(station *st, study *s) {
  char name[STATION_PATH] = "";
  int ended;

  if (s->warned || station_now() - s->since < st->config.settle_ms + WAITING_MS ||
      s->tree.files + s->tree.others == 0)
    return;
  if (s->tree.hidden && !(tree_walk(s->in->path, s->path, find_partial, name, &ended) && ended))
    return; /* it is gone, or cannot be read just now */
  s->warned = true;
  if (s->tree.hidden)
    station_log(PRIORITY_WARNING, "waiting", s,
                "%s is waiting: %s has the name of a file that is still being written, but "
                "nothing has changed for an hour: rename or delete it",
                s->path, name);
  else
    station_log(PRIORITY_WARNING, "waiting", s,
                "%s is waiting: a program has one of its files open for writing, but nothing has "
                "changed for an hour: close that program",
                s->path);
  hook_event(st, "problem", s, "a study is still being written, but has not changed for an hour");
}

/* Has it been quiet for long enough? */
static void settle_step(station *st, study *s) {
  tree_state state;

  if (!tree_look(s->in->path, s->path, &state)) {
    cannot_look(st, s);
    return;
  }
  if (state.stations) {
    leave_alone(st, s);
    return;
  }
  if (is_new_state(st, s, &state))
    return;
  s->due = station_now() + st->config.settle_ms;
  if (station_now() - s->since < st->config.settle_ms)
    return;
  if (!is_complete(s) || tree_is_written(s->in->path, s->path)) {
    warn_of_waiting(st, s);
    return;
  }
  if (has_unsendable(st, s)) {
    refuse(st, s);
    return;
  }
  s->state = STUDY_READY;
  s->due = station_now() + STATION_TOGETHER_MS;
  st->dirty = true;
}

static void step_study(station *st, study *s) {
  if (s->state == STUDY_SETTLING)
    settle_step(st, s);
  else if (s->state == STUDY_VERIFIED)
    (void)policy_finish(st, s);
}

/* Studies may leave the queue meanwhile; the last one then takes the place. */
static void step_studies(station *st) {
  int64_t now = station_now();

  for (size_t i = st->queue.count; i > 0; i--) {
    study *s = st->queue.v[i - 1];
    if ((s->state == STUDY_SETTLING || s->state == STUDY_VERIFIED) && s->due <= now) {
      step_study(st, s);
      os_manager_alive();
    }
  }
}

/* ---- settings ---- */

/* All that can fail comes first. A password from standard input is there once: the client stays. */
static bool take_settings(station *st, settings *s) {
  station_config fresh_config;
  line *fresh = NULL;
  int status;

  if (!parse_again(s) || !station_configure(s, &fresh_config) ||
      (!s->password_stdin && !(fresh = line_open(s, st->environment, &status))))
    return false;
  if (!station_open_report(st, s)) {
    line_drop(fresh);
    session_use(st->line->client);
    return false;
  }
  st->s = s;
  st->config = fresh_config;
  if (fresh)
    use_line(st, fresh);
  return true;
}

static void name_restart(const station *st) {
  char names[128];
  size_t count = station_needs_restart(st->at_start, st->s, names, sizeof names);

  if (count)
    station_log(PRIORITY_WARNING, "reload", NULL, "%s %s effect after a restart", names,
                count == 1 ? "takes" : "take");
}

/* Folders, project and the address of the metrics stay as they were. */
static void reload(station *st) {
  static settings fresh[2];
  static int turn;
  settings *s = &fresh[turn ^ 1];

  os_manager_notify(OS_RELOADING, NULL);
  if (take_settings(st, s)) {
    turn ^= 1;
    reopen_log(s);
    notify_settings(s);
    station_log(PRIORITY_NOTICE, "reload", NULL, "configuration reloaded");
    name_restart(st);
    st->scan_soon = true;
  } else {
    station_log(PRIORITY_ERROR, "reload", NULL,
                "the configuration has errors; the station continues with the previous one");
  }
  os_manager_notify(OS_READY, NULL);
}

/* ---- waiting ---- */

typedef struct sources {
  os_waiting v[3 + STATION_BATCHES + 1 + METRICS_CONNECTIONS];
  size_t count;
  size_t batches, metrics; /* where they begin */
} sources;

static void list_sources(const station *st, sources *w) {
  *w = (sources){.count = 0};
  w->v[w->count++].source = st->requests;
  w->v[w->count++].source = st->watch;
  w->v[w->count++].source = st->inquiry ? st->inquiry_ended : OS_NO_SOURCE;
  w->batches = w->count;
  for (size_t i = 0; i < STATION_BATCHES; i++)
    w->v[w->count++].source =
        st->batches[i].transfer ? igt_transfer_fd(st->batches[i].transfer) : OS_NO_SOURCE;
  w->metrics = w->count;
  w->count += metrics_sources(st->metrics, w->v + w->count);
}

static void at_most(int64_t *due, int64_t at) {
  if (at < *due)
    *due = at;
}

/* When something is due, in station time. */
static int64_t next_due(const station *st) {
  int64_t due = st->next_scan;
  bool free_batch = batch_has_space(st) && st->ready && !st->stopping;

  at_most(&due, st->next_tidy);
  at_most(&due, st->next_key_look);
  at_most(&due, st->next_loose);
  if (!st->inquiry)
    at_most(&due, st->next_inquiry);
  at_most(&due, st->next_status);
  for (size_t i = 0; i < st->queue.count; i++) {
    const study *s = st->queue.v[i];
    if (s->state == STUDY_READY && free_batch)
      at_most(&due, s->due > st->offline_until ? s->due : st->offline_until);
    else if (s->state == STUDY_SETTLING || s->state == STUDY_VERIFIED)
      at_most(&due, s->due);
  }
  return due;
}

static int wait_ms(const station *st) {
  int64_t watchdog = os_manager_patience_ms();
  int ms = station_timeout(next_due(st) - station_now());

  if (watchdog && ms > watchdog / 3)
    ms = (int)(watchdog / 3);
  if (hook_is_busy(st) && ms > HOOK_TICK_MS)
    ms = HOOK_TICK_MS;
  return ms;
}

/* ---- one turn ---- */

static bool is_transient(igt_status status) {
  switch (status) {
  case IGT_E_LOGIN:
  case IGT_E_KEY:
  case IGT_E_NO_SESSION:
  case IGT_E_TOKEN_FILE:
  case IGT_E_INVALID:
  case IGT_E_NOT_FOUND:
  case IGT_E_NO_FILE:
  case IGT_E_PERMISSION:
    return false;
  default:
    return true;
  }
}

static void take_findings(station *st, const findings *found) {
  free(st->found.institutes);
  st->found = *found;
}

/* starting: a mistake of the operator ends the station, see wait_for_cloud(). */
static void end_inquiry(station *st, bool starting) {
  int64_t known = st->found.key_expires;
  findings found = {.status = IGT_OK};

  inquiry_end(st->inquiry, &found);
  st->inquiry = NULL;
  st->next_inquiry = station_now() + INQUIRY_MS;
  if (found.status != IGT_OK) {
    if (known && !found.key_expires)
      found.key_expires = known;
    found.identity = st->found.identity;
    if (!found.institutes) {
      found.institutes = st->found.institutes;
      st->found.institutes = NULL;
    }
    take_findings(st, &found);
    if (starting && !is_transient(found.status)) {
      complain(found.status, "%s", found.text);
      return;
    }
    station_offline(st, found.status, found.text);
    st->next_inquiry = st->offline_until;
    return;
  }
  take_findings(st, &found);
  if (!st->ready)
    station_log(PRIORITY_NOTICE, "ready", NULL, "signed in as %s to %s", found.identity.user,
                igt_client_domain(st->line->client));
  st->ready = true;
  station_online(st);
}

static void look_again(station *st) {
  st->scan_soon = false;
  st->next_scan = station_now() + st->config.rescan_ms;
  scan_all(st);
}

static void write_status(station *st) {
  bool due = station_now() >= st->next_status;

  if (!due)
    return;
  station_counts c = station_count(st);
  notify_running("%s%llu waiting, %llu uploading, %llu uploaded, %llu failed",
                 st->offline ? "offline: " : "", (unsigned long long)c.ready + c.settling,
                 (unsigned long long)c.active, (unsigned long long)st->totals.uploaded,
                 (unsigned long long)st->totals.failed);
  status_write(st);
  st->next_status = station_now() + STATUS_MS;
  st->dirty = false;
}

static void do_due(station *st) {
  int64_t now = station_now();

  if (now >= st->next_scan)
    look_again(st);
  if (now >= st->next_key_look)
    look_at_key(st);
  if (now >= st->next_inquiry && !st->stopping)
    start_inquiry(st);
  step_studies(st);
  if (now >= st->next_loose)
    loose_report(st, false);
  if (st->ready && !st->stopping && station_now() >= st->offline_until)
    batch_start(st);
  if (now >= st->next_tidy) {
    st->next_tidy = now + TIDY_MS;
    policy_tidy(st);
  }
  hook_tick(st);
  if (st->scan_soon && st->next_scan > now + RESCAN_SOON_MS)
    st->next_scan = now + RESCAN_SOON_MS;
  if (st->dirty && st->next_status > now + STATUS_SOON_MS)
    st->next_status = now + STATUS_SOON_MS;
  write_status(st);
}

static void turn(station *st) {
  sources w;

  list_sources(st, &w);
  os_wait(w.v, w.count, wait_ms(st));
  os_manager_alive();
  if (w.v[0].ready && os_requests_take())
    reload(st);
  if (w.v[1].ready && watch_read(st->watch, scan_name, st))
    st->scan_soon = true;
  if (w.v[2].ready)
    end_inquiry(st, false);
  for (size_t i = 0; i < STATION_BATCHES; i++)
    if (w.v[w.batches + i].ready && st->batches[i].transfer)
      batch_dispatch(&st->batches[i]);
  if (st->metrics)
    metrics_serve(st->metrics, w.v + w.metrics, w.count - w.metrics, st);
  do_due(st);
}

/* ---- beginning and end ---- */

/* A wrong key or project is reported to the operator at the start, while the network may come
 * later. */
static int wait_for_cloud(station *st) {
  int64_t end = station_real_ms() + STARTUP_MS;
  os_waiting v[] = {{.source = st->requests}, {.source = OS_NO_SOURCE}};

  while (!os_is_asked_to_stop() && st->inquiry && station_real_ms() < end) {
    v[1].source = st->inquiry_ended;
    os_wait(v, 2, 500);
    os_manager_alive();
    if (v[1].ready)
      end_inquiry(st, true);
  }
  if (st->inquiry || st->found.status == IGT_OK || is_transient(st->found.status))
    return EXIT_DONE;
  return exit_status_of(st->found.status);
}

static bool is_idle(const station *st) {
  for (size_t i = 0; i < STATION_BATCHES; i++)
    if (st->batches[i].l)
      return false;
  return st->queue.count == 0 && !hook_is_busy(st);
}

static void stop(station *st) {
  st->stopping = true;
  os_manager_notify(OS_STOPPING, NULL);
  batch_cancel_all(st);
  igt_cancel_set(st->line->cancel);
  for (size_t i = 0; i < STATION_BATCHES; i++) {
    batch *l = &st->batches[i];
    while (l->transfer)
      batch_dispatch(l);
  }
  if (st->inquiry)
    inquiry_end(st->inquiry, NULL);
  st->inquiry = NULL;
  hook_finish(st);
  st->dirty = true;
  st->next_status = 0;
  write_status(st);
}

static void close_all(station *st) {
  if (st->inquiry)
    inquiry_end(st->inquiry, NULL);
  free(st->found.institutes);
  metrics_close(st->metrics);
  queue_free(&st->queue);
  queue_free(&st->loose);
  for (size_t i = 0; i < STATION_ROOTS; i++)
    if (st->roots[i].path)
      store_close(&st->roots[i]);
  watch_close(st->watch);
  line_drop(st->line);
  if (st->report)
    (void)close_output(st->report);
}

static void run(station *st) {
  os_manager_notify(OS_READY, "started");
  station_log(PRIORITY_NOTICE, "started", NULL,
              "watching %s for the project '%s' (run %s, version %s)", st->roots[0].path,
              st->project, run_id(), igt_version());
  while (!os_is_asked_to_stop() && !(st->config.once && st->ready && st->scan && is_idle(st)))
    turn(st);
  if (st->config.once)
    loose_report(st, true);
  stop(st);
  station_log(PRIORITY_NOTICE, "stopped", NULL, "stopped: %llu uploaded, %llu failed, %llu waiting",
              (unsigned long long)st->totals.uploaded, (unsigned long long)st->totals.failed,
              (unsigned long long)st->queue.count);
}

static bool has_unread(const station *st) {
  for (size_t i = 0; i < st->root_count; i++)
    if (st->roots[i].read_errno)
      return true;
  return false;
}

static int open_all(station *st) {
  int status = EXIT_FAILED;
  const settings *s = st->s;

  if (!station_configure(s, &st->config))
    return EXIT_USAGE;
  if (!take_place(s, &st->institute, &st->environment))
    return EXIT_USAGE;
  st->requests = os_requests_open();
  if (st->requests == OS_NO_SOURCE || !roots_open(st) || !station_open_report(st, s))
    return EXIT_FAILED;
  if (!(st->line = line_open(s, st->environment, &status)))
    return status;
  if (s->metrics && !(st->metrics = metrics_open(s->metrics, s->metrics_anywhere)))
    return EXIT_USAGE;
  st->watch = os_watch_open();
  start_inquiry(st);
  return wait_for_cloud(st);
}

int station_main(settings *s) {
  static station st; /* large; and roots are pointed at */
  int status;

  st = (station){.s = s,
                 .at_start = s,
                 .watch = OS_NO_SOURCE,
                 .inquiry_ended = OS_NO_SOURCE,
                 .next_loose = INT64_MAX};
  st.project = s->arguments[1];
  st.started = station_wall();
  os_manager_open();
  notify_settings(s);
  status = open_all(&st);
  if (status == EXIT_DONE) {
    run(&st);
    status = s->once && (st.totals.failed || has_unread(&st)) ? EXIT_SOME_FAILED : EXIT_DONE;
  }
  close_all(&st);
  return status;
}
