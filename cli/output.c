/* SPDX-License-Identifier: MIT */
/* Messages, the log, and exit statuses. Messages go to standard error, or after leave_terminal to
 * the log file or the system's log; fail and usage_error also return the exit status. open_log
 * connects the library's log callback to a file, to standard error, or, without --debug and
 * --log-file, to a filter that only shows warnings. All commands use these functions. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

int exit_status_of(igt_status status) {
  switch (status) {
  case IGT_OK:
    return EXIT_DONE;
  case IGT_E_INVALID:
    return EXIT_USAGE;
  case IGT_E_SOME_FAILED:
    return EXIT_SOME_FAILED;
  case IGT_E_UNAUTHORIZED:
  case IGT_E_FORBIDDEN:
  case IGT_E_LOGIN:
  case IGT_E_EXPIRED:
  case IGT_E_KEY:
  case IGT_E_TOKEN_FILE:
  case IGT_E_NO_SESSION:
    return EXIT_NOT_ALLOWED;
  case IGT_E_NOT_FOUND:
    return EXIT_NOT_FOUND;
  case IGT_E_CANCELLED:
    return caught_signal() ? 128 + caught_signal() : EXIT_INTERRUPTED;
  default:
    return EXIT_FAILED;
  }
}

/* ---- messages ---- */

static FILE *log_file;
static FILE *debug_out; /* of --debug; NULL: none */
static bool to_journal; /* standard error is systemd's journal */
static bool has_left;   /* detached from the terminal: standard error is /dev/null */

static void log_line(void *payload, igt_log_level level, igt_log_subject subject, const char *text);

void leave_terminal(void) {
  has_left = true;
}

int log_descriptor(void) {
  return log_file && fileno(log_file) > 2 ? fileno(log_file) : -1;
}

/* "<3>" before a line tells the journal its priority (sd-daemon(3)). */
static void print_line(int priority, const char *text) {
  if (to_journal)
    fprintf(stderr, "<%d>", priority);
  print_wrapped(stderr, text, wrap_columns(stderr), 0, 2);
  putc('\n', stderr);
}

static void say(int priority, const char *text) {
  bool is_error = priority <= PRIORITY_ERROR;

  if (!has_left) {
    print_line(priority, text);
  } else if (log_descriptor() >= 0) {
    log_line(log_file, is_error ? IGT_LOG_ERROR : IGT_LOG_INFO, IGT_LOG_AUTH, text);
  } else {
    os_log(priority, text);
  }
}

/* ---- errors as JSON ---- */

static bool json_errors;
static held_errors *holder; /* NULL: errors are printed */

void hold_errors(held_errors *into) {
  holder = into;
}

static void hold(const char *text) {
  if (holder->count < HELD_ERRORS_MOST)
    snprintf(holder->v[holder->count++], sizeof *holder->v, "%.*s", (int)sizeof *holder->v - 1,
             text);
}

void use_json_errors(void) {
  json_errors = true;
}

/* What to do about it, if the same holds for all errors of the status; NULL: the message says it.
 */
static const char *hint_of(igt_status status) {
  switch (status) {
  case IGT_E_INVALID:
    return "see igtcloud COMMAND --help";
  case IGT_E_NO_SESSION:
  case IGT_E_EXPIRED:
  case IGT_E_UNAUTHORIZED:
    return "sign in with igtcloud login, or give --user or --service-file";
  case IGT_E_FORBIDDEN:
    return "ask the administrator of the project for access";
  case IGT_E_NOT_FOUND:
    return "igtcloud ls lists what exists";
  case IGT_E_NO_SPACE:
    return "free some space and run the command again; it resumes";
  case IGT_E_TLS:
    return "give the certificates of an inspecting proxy with --ca-file";
  case IGT_E_THROTTLED:
  case IGT_E_SERVER:
  case IGT_E_TIMEOUT:
  case IGT_E_NETWORK:
    return "run the command again; it resumes";
  default:
    return NULL;
  }
}

static void json_text_or_null(const char *key, const char *value) {
  if (value && *value) {
    json_text(stderr, key, value, false);
    return;
  }
  fprintf(stderr, ",\"%s\":null", key);
}

/* kind: "error" or "warning". */
static void print_json_error(const char *kind, igt_status status, const char *hint,
                             const char *text, const igt_error *err) {
  flockfile(stderr);
  fprintf(stderr, "{\"%s\":{\"code\":", kind);
  if (status == IGT_OK)
    fputs("null", stderr);
  else
    json_value(stderr, igt_status_name(status));
  json_text(stderr, "message", text, false);
  json_text_or_null("hint", hint);
  if (err && err->http_status)
    fprintf(stderr, ",\"http_status\":%d", err->http_status);
  else
    fputs(",\"http_status\":null", stderr);
  json_text_or_null("request_id", err ? err->request_id : NULL);
  fputs("}}\n", stderr);
  funlockfile(stderr);
}

/* What those who read no hints are told as well, unless the message does. */
static const char *advice_of(igt_status status, const char *text) {
  bool lacks = status == IGT_E_NO_SPACE && !strstr(text, "free some space");

  return lacks ? "; free some space, then run the same command again" : "";
}

int fail(const igt_error *err) {
  const char *text = *err->text ? err->text : igt_status_text(err->status);

  if (err->status == IGT_E_NO_SESSION && has_said_why())
    return exit_status_of(err->status);
  if (json_errors && !has_left && !reader_is_gone())
    print_json_error("error", err->status, hint_of(err->status), text, err);
  else if (*err->request_id)
    complain(err->status, "%s (request %s)%s", text, err->request_id,
             advice_of(err->status, err->text));
  else
    complain(err->status, "%s%s", text, advice_of(err->status, err->text));
  if (err->status == IGT_E_LOGIN && is_from_keyring())
    complain_at(PRIORITY_WARNING, IGT_OK,
                "the password came from the keyring; igtcloud logout --forget removes it");
  return exit_status_of(err->status);
}

IGT_PRINTF(3, 0)
static void complain_args(int priority, igt_status code, const char *fmt, va_list args) {
  bool is_error = priority <= PRIORITY_ERROR;
  static const char name[] = "igtcloud: ";
  char text[4096];

  if (reader_is_gone())
    return;
  memcpy(text, name, sizeof name);
  vsnprintf(text + strlen(name), sizeof text - strlen(name), fmt, args);
  if (is_error && code == IGT_OK)
    code = IGT_E_SOME_FAILED;
  if (holder)
    hold(text + strlen(name));
  else if (json_errors && !has_left)
    print_json_error(is_error ? "error" : "warning", code,
                     code == IGT_E_NO_SPACE ? hint_of(code) : NULL, text + strlen(name), NULL);
  else
    say(priority, text);
}

void complain(igt_status code, const char *fmt, ...) {
  va_list args;

  va_start(args, fmt);
  complain_args(PRIORITY_ERROR, code, fmt, args);
  va_end(args);
}

void complain_io(int os_error, const char *fmt, ...) {
  igt_status status = os_error == ENOSPC || os_error == EDQUOT ? IGT_E_NO_SPACE : IGT_E_IO;
  char text[2048];
  va_list args;

  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  complain(status, "%s%s", text, json_errors && !has_left ? "" : advice_of(status, text));
}

void complain_at(int priority, igt_status code, const char *fmt, ...) {
  va_list args;

  va_start(args, fmt);
  complain_args(priority, code, fmt, args);
  va_end(args);
}

int usage_error(const char *fmt, ...) {
  static const char name[] = "igtcloud: ";
  char text[1024];
  va_list args;

  memcpy(text, name, sizeof name);
  va_start(args, fmt);
  vsnprintf(text + strlen(name), sizeof text - strlen(name), fmt, args);
  va_end(args);
  if (holder)
    hold(text + strlen(name));
  else if (json_errors && !has_left)
    print_json_error("error", IGT_E_INVALID, hint_of(IGT_E_INVALID), text + strlen(name), NULL);
  else
    say(PRIORITY_ERROR, text);
  return EXIT_USAGE;
}

void message(const settings *s, const char *fmt, ...) {
  char text[2048];
  va_list args;

  if (s->quiet || reader_is_gone())
    return;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  say(PRIORITY_NOTICE, text);
}

/* ---- the log ---- */

static void log_line(void *payload, igt_log_level level, igt_log_subject subject,
                     const char *text) {
  static const char *const levels[] = {"", "error", "warning", "info", "debug", "trace"};
  FILE *out = payload;
  char when[32];
  time_t now = time(NULL);
  struct tm tm;

  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
  flockfile(out);
  fprintf(out, "%s %s %s: ", when, levels[level], igt_log_subject_name(subject));
  print_safe(out, text);
  putc('\n', out);
  fflush(out);
  funlockfile(out);
}

/* Without --debug and --log-file users see only warnings, as plain messages. */
static void show_warning(void *payload, igt_log_level level, igt_log_subject subject,
                         const char *text) {
  (void)level;
  if (subject == IGT_LOG_TRANSFER) /* the report prints these, with the names */
    return;
  const settings *s = payload;

  if (!s->quiet)
    complain_at(PRIORITY_WARNING, IGT_OK, "warning: %s", text);
}

void debug_message(const char *fmt, ...) {
  char text[1024];
  va_list args;

  if (!debug_out)
    return;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  log_line(debug_out, IGT_LOG_DEBUG, IGT_LOG_GENERAL, text);
}

bool close_log(void) {
  if (!log_file || (fflush(log_file) == 0 && !ferror(log_file)))
    return true;
  complain(IGT_E_IO, "cannot write to the log file");
  return false;
}

void reopen_log(const settings *s) {
  const char *why;
  FILE *out = s->log_file && log_file ? open_output(s->log_file, true, &why) : NULL,
       *old = log_file;

  if (!out)
    return;
  log_file = out;
  debug_out = s->debug ? out : NULL;
  igt_log_set(log_line, out, s->debug ? IGT_LOG_DEBUG : IGT_LOG_INFO);
  (void)close_output(old);
}

void open_log(settings *s) {
  FILE *out = stderr;
  const char *why;

  to_journal = os_is_journal(2);

  if (s->json)
    use_json_errors();
  if (!s->debug && !s->log_file) {
    igt_log_set(show_warning, s, IGT_LOG_WARNING);
    return;
  }
  if (s->log_file) {
    out = open_output(s->log_file, true, &why);
    if (!out) {
      complain_io(errno, "cannot write to the log file '%s': %s", s->log_file, why);
      exit(EXIT_FAILED);
    }
    log_file = out;
  }
  debug_out = s->debug ? out : NULL;
  igt_log_set(log_line, out, s->debug ? IGT_LOG_DEBUG : IGT_LOG_INFO);
}
