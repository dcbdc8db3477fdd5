/* SPDX-License-Identifier: MIT */
/* igtcloud doctor: runs the probes one after the other, prints a line for each, and ends with the
 * number of errors. Network probes run on this thread, and a watch cancels them when their time is
 * up, not counting the time that a question on the terminal takes. Probes of local files each run
 * on a thread of their own: a system call on a share that does not respond cannot be cancelled, so
 * that thread is abandoned. The probes are in doctor_network.c and doctor_local.c. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "doctor.h"

#define LIMIT_S 30
#define LOCAL_LIMIT_S 15
#define TIMEOUT_S 10

/* ---- output ---- */

const char *verdict_name(verdict v) {
  static const char *const names[] = {"ok", "warning", "error", "skipped"};

  return names[v];
}

void size_text(uint64_t bytes, char *out, size_t cap) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double n = (double)bytes;
  size_t unit = 0;

  for (; n >= 1024 && unit < 5; unit++)
    n /= 1024;
  snprintf(out, cap, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

const char *rate_text(uint64_t bytes, uint64_t us, char *out, size_t cap) {
  char size[24], rate[24];

  size_text(bytes, size, sizeof size);
  size_text(us ? (uint64_t)((double)bytes * 1e6 / (double)us) : 0, rate, sizeof rate);
  if (bytes < 256 * 1024)
    snprintf(out, cap, "%s in %.2f s (too little for a rate)", size, (double)us / 1e6);
  else
    snprintf(out, cap, "%s in %.2f s (%s/s)", size, (double)us / 1e6, rate);
  return out;
}

static bool is_coloured(void) {
  const char *none = getenv("NO_COLOR");

  return os_is_terminal(STANDARD_OUTPUT) && !(none && *none);
}

#define INDENT 25

static void print_text(const char *text) {
  print_wrapped(stdout, text, wrap_columns(stdout), INDENT, INDENT);
  putchar('\n');
}

static void print_finding(const finding *f) {
  static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m", "\033[2m"};
  bool coloured = is_coloured();

  printf("%s%-8s%s %-15s ", coloured ? colours[f->verdict] : "", verdict_name(f->verdict),
         coloured ? "\033[0m" : "", f->check);
  print_text(f->text);
  if (*f->advice) {
    printf("%*s", INDENT, "");
    print_text(f->advice);
  }
  fflush(stdout);
}

void print_finding_json(FILE *out, const finding *f, const char *text) {
  putc('{', out);
  json_text(out, "check", f->check, true);
  json_text(out, "result", verdict_name(f->verdict), false);
  json_text(out, "message", text, false);
  if (*f->advice)
    json_text(out, "advice", f->advice, false);
  else
    fputs(",\"advice\":null", out);
  fputs("}\n", out);
}

static void add(doctor *d, const finding *f) {
  pthread_mutex_lock(&d->lock);
  if (d->count < FINDINGS_MAX)
    d->v[d->count++] = *f;
  if (d->s->json)
    print_finding_json(stdout, f, f->text);
  else if (!d->s->quiet || f->verdict == VERDICT_ERROR)
    print_finding(f);
  pthread_mutex_unlock(&d->lock);
}

#define PUBLIC_MOST 900 /* the library shortens its errors, maybe within a path */

IGT_PRINTF(6, 0)
static void add_text(doctor *d, const char *check, verdict v, const char *advice,
                     const char *public_text, const char *fmt, va_list args) {
  finding f = {.check = check, .verdict = v};
  char full[8192], *safe; /* longer than any path: names are found before the text is cut off */

  vsnprintf(full, sizeof full, fmt, args);
  safe = without_names(d, public_text ? public_text : full);
  snprintf(f.text, sizeof f.text, "%.*s", (int)sizeof f.text - 1, full);
  if (!safe || strlen(safe) > PUBLIC_MOST)
    snprintf(f.public_text, sizeof f.public_text, "(left out: it may have part of a path)");
  else
    snprintf(f.public_text, sizeof f.public_text, "%s", safe);
  snprintf(f.advice, sizeof f.advice, "%s", advice ? advice : "");
  free(safe);
  add(d, &f);
}

void found(doctor *d, const char *check, verdict v, const char *advice, const char *fmt, ...) {
  va_list args;

  va_start(args, fmt);
  add_text(d, check, v, advice, NULL, fmt, args);
  va_end(args);
}

void found_private(doctor *d, const char *check, verdict v, const char *advice,
                   const char *public_text, const char *fmt, ...) {
  va_list args;

  va_start(args, fmt);
  add_text(d, check, v, advice, public_text, fmt, args);
  va_end(args);
}

void found_error(doctor *d, const char *check, const igt_error *err, const char *advice) {
  char text[200];

  snprintf(text, sizeof text, "%s (%s, HTTP status %d, request %s)", igt_status_text(err->status),
           igt_status_name(err->status), err->http_status,
           *err->request_id ? err->request_id : "unknown");
  found_private(d, check, VERDICT_ERROR, advice, text, "%s",
                *err->text ? err->text : igt_status_text(err->status));
}

/* ---- time limits ---- */

typedef struct watch {
  pthread_mutex_t lock;
  pthread_cond_t ended;
  pthread_t thread;
  bool is_over, is_late;
} watch;

/* Setting the wall clock must not end a probe: the clock may be what is wrong. */
static struct timespec in_seconds(int seconds) {
  struct timespec deadline;

  (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += seconds;
  return deadline;
}

/* The user's own time does not count. */
static void *watch_over(void *payload) {
  watch *w = payload;
  struct timespec next;
  int left = LIMIT_S;

  pthread_mutex_lock(&w->lock);
  while (!w->is_over && left > 0) {
    next = in_seconds(1);
    while (!w->is_over && igt__os_cond_wait_until(&w->ended, &w->lock, &next))
      ;
    if (!is_asking())
      left--;
  }
  w->is_late = !w->is_over;
  pthread_mutex_unlock(&w->lock);
  if (w->is_late)
    igt_cancel_set(session_cancel());
  return NULL;
}

static void run_watched(doctor *d, const char *check, void (*probe)(doctor *d)) {
  watch w = {.lock = PTHREAD_MUTEX_INITIALIZER};
  bool is_watched;

  if (d->is_offline || caught_signal())
    return;
  igt__os_cond_init(&w.ended);
  is_watched = os_start_thread(&w.thread, "igt-watch", watch_over, &w) == 0;
  probe(d);
  pthread_mutex_lock(&w.lock);
  w.is_over = true;
  pthread_cond_signal(&w.ended);
  pthread_mutex_unlock(&w.lock);
  if (is_watched)
    pthread_join(w.thread, NULL);
  pthread_cond_destroy(&w.ended);
  if (!w.is_late)
    return;
  d->is_offline = true; /* the client is cancelled for good */
  found(d, check, VERDICT_ERROR,
        "try again; if it persists, ask the operator of the network or the cloud",
        "no result within %d s: given up, and all checks that need the cloud are skipped", LIMIT_S);
}

typedef struct local {
  doctor *d;
  void (*probe)(doctor *d);
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool is_over;
  bool is_given_up; /* nobody waits any more: the thread frees it */
} local;

static void free_local(local *l) {
  pthread_mutex_destroy(&l->lock);
  pthread_cond_destroy(&l->ended);
  free(l);
}

static void *run_probe(void *payload) {
  local *l = payload;
  bool is_given_up;

  l->probe(l->d);
  pthread_mutex_lock(&l->lock);
  l->is_over = true;
  is_given_up = l->is_given_up;
  pthread_cond_signal(&l->ended);
  pthread_mutex_unlock(&l->lock);
  if (is_given_up)
    free_local(l);
  return NULL;
}

/* The thread of one that is late may never end: it keeps what it works on. */
static void run_local(doctor *d, const char *check, void (*probe)(doctor *d)) {
  local *l = caught_signal() ? NULL : calloc(1, sizeof *l);
  struct timespec end;
  pthread_t thread;
  bool is_over;

  if (!l)
    return;
  *l = (local){.d = d, .probe = probe, .lock = PTHREAD_MUTEX_INITIALIZER};
  igt__os_cond_init(&l->ended);
  if (os_start_thread(&thread, "igt-probe", run_probe, l) != 0) {
    free_local(l);
    return;
  }
  end = in_seconds(LOCAL_LIMIT_S);
  pthread_mutex_lock(&l->lock);
  while (!l->is_over && igt__os_cond_wait_until(&l->ended, &l->lock, &end))
    ;
  is_over = l->is_over;
  l->is_given_up = !is_over;
  pthread_mutex_unlock(&l->lock);
  if (is_over) {
    pthread_join(thread, NULL);
    free_local(l);
  } else {
    pthread_detach(thread);
    found(d, check, VERDICT_ERROR,
          "the file system does not respond: is it a network share whose server is away?",
          "no result within %d s", LOCAL_LIMIT_S);
  }
}

/* ---- the command ---- */

static bool open_cloud(doctor *d) {
  held_errors why = {.count = 0};
  int status = EXIT_FAILED;

  d->own = *d->s;
  if (!d->own.retries)
    d->own.retries = 1;
  if (d->own.timeout <= 0)
    d->own.timeout = TIMEOUT_S;
  hold_errors(&why);
  d->client = open_here(&d->own, &status);
  hold_errors(NULL);
  if (!d->client)
    found_private(d, "cloud", VERDICT_ERROR, "correct it in the option, variable or profile",
                  "the cloud's address or the options cannot be used", "%s",
                  why.count ? why.v[0] : "the cloud's address or the options cannot be used");
  d->is_offline = !d->client;
  return d->client != NULL;
}

/* The value that is missing may be the cloud's or the user's: a password goes to neither by
 * mistake. */
static void skip_sign_in(doctor *d) {
  found(d, "sign-in", VERDICT_SKIPPED, NULL,
        "the configuration has errors: correct them first (see above)");
}

/* Without a mistake the cloud is the default one, or the one of the running login. */
static bool knows_cloud(const doctor *d) {
  const char *variable = getenv("CLOUD_DOMAIN");

  return setting_mistakes()->count == 0 || d->s->domain || (variable && *variable);
}

static void run_network(doctor *d) {
  run_watched(d, "cloud", probe_server);
  if (setting_mistakes()->count > 0) {
    if (!d->is_offline)
      skip_sign_in(d);
    return;
  }
  run_watched(d, "sign-in", probe_sign_in);
  if (d->has_no_session)
    return;
  run_watched(d, "roles", probe_roles);
  run_watched(d, "store", probe_store);
  run_watched(d, "download", probe_download);
  run_watched(d, "upload", probe_upload);
}

static void run_all(doctor *d) {
  run_local(d, "version", probe_version);
  run_local(d, "configuration", probe_configuration);
  run_local(d, "token file", probe_token_file);
  if (d->s->service_file)
    run_local(d, "key", probe_key);
  run_local(d, "keyring", probe_keyring);
  if (!knows_cloud(d))
    skip_sign_in(d);
  else if (open_cloud(d))
    run_network(d);
  run_local(d, "target", probe_folder);
  run_local(d, "journal", probe_journal);
}

/* errors: those that are no finding. */
static int summarize(doctor *d, size_t errors) {
  size_t warnings = 0;

  for (size_t i = 0; i < d->count; i++) {
    errors += d->v[i].verdict == VERDICT_ERROR;
    warnings += d->v[i].verdict == VERDICT_WARNING;
  }
  if (caught_signal())
    return exit_status_of(IGT_E_CANCELLED);
  if (!d->s->json && !d->s->quiet)
    printf("\n%zu error%s, %zu warning%s\n", errors, errors == 1 ? "" : "s", warnings,
           warnings == 1 ? "" : "s");
  return errors ? EXIT_FAILED : EXIT_DONE;
}

static bool open_bundle(doctor *d, const char *path, int *file) {
  if (strcmp(path, "-") != 0)
    return (*file = create_bundle(path)) >= 0;
  d->output = os_divert_output();
  if (d->output < 0)
    complain_io(errno, "cannot write the bundle to standard output: %s", strerror(errno));
  return d->output >= 0;
}

static int cmd_doctor(settings *s) {
  static doctor d; /* a probe that is left behind may still use it */
  int status, file = -1;
  bool failed = false;

  d = (doctor){.s = s,
               .project = s->argument_count ? s->arguments[0] : NULL,
               .lock = PTHREAD_MUTEX_INITIALIZER};
  snprintf(d.target, sizeof d.target, "%s", s->target ? s->target : ".");
  if (!os_working_folder(d.here, sizeof d.here))
    *d.here = '\0';
  if (s->bundle && !open_bundle(&d, s->bundle, &file))
    return EXIT_FAILED;
  run_all(&d);
  if (s->bundle && !caught_signal())
    failed = write_bundle(&d, s->bundle, file) != EXIT_DONE;
  else if (file >= 0)
    drop_bundle(s->bundle, file);
  status = summarize(&d, failed);
  if (d.client)
    close_client(d.client);
  return status;
}

static const option options[] = {
    {"target", 0, OPTION_TEXT, AT(target), "FOLDER", NULL,
     "the folder of downloads to examine (default: the current one)"},
    {"bundle", 0, OPTION_TEXT, AT(bundle), "FILE", NULL,
     "also write a tar archive for a support ticket, without secrets and names; - is standard "
     "output"},
    {"journal", 0, OPTION_FILE, AT(journal), "FILE", NULL, "examine this journal"},
    END_OF_OPTIONS};

const command doctor_command = {
    "doctor",
    "[PROJECT]",
    0,
    1,
    "examine the connection, the account and this machine",
    "Examines what transfers depend on, and prints a line for each: ok, warning, error or\n"
    "skipped, with what to do. In order: version, configuration, token file, service key,\n"
    "keyring; proxy, name, connection and certificates of the cloud, the clock; sign-in and\n"
    "roles; free space and features of the folder's file system; the journal.\n"
    "With PROJECT it also finds the store and measures the throughput: it reads the beginning of "
    "a\n"
    "file (up to 8 MiB), and stores 1 MiB as a part of an upload that is aborted: no file appears\n"
    "in the project, and nothing remains.\n"
    "A mistake in a variable or in the configuration file is an error like any other: what needs\n"
    "the setting, such as the sign-in, is skipped.\n"
    "No probe takes longer than 30 s. Exits with 1 if there was an error.\n"
    "The archive of --bundle has these lines, the system's version, and the names of the settings\n"
    "in use. It contains no password, key, token, user name, or name of a patient, study or file.\n"
    "With --bundle - it goes to standard output, and the lines to standard error.",
    options,
    true,
    cmd_doctor,
    false,
    true};
