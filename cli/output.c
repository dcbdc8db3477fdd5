/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
    return caught_signal() == 15 ? EXIT_TERMINATED : EXIT_INTERRUPTED;
  default:
    return EXIT_FAILED;
  }
}

/* Bytes of the UTF-8 character at s; 0: there is none (RFC 3629). Names of local files may be any
 * bytes. */
static size_t character(const char *s) {
  const unsigned char *c = (const unsigned char *)s;
  size_t n = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;

  if (c[0] > 0xf4 || (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
      (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
    return 0;
  for (size_t i = 1; i < n; i++)
    if ((c[i] & 0xc0) != 0x80)
      return 0;
  return n;
}

void print_safe(FILE *out, const char *text) {
  while (*text) {
    unsigned char c = (unsigned char)*text;
    size_t n = character(text);
    if (c < 0x20 || c == 0x7f || n == 0)
      fprintf(out, "\\x%02x", c);
    else if (c == 0xc2 && (unsigned char)text[1] < 0xa0)
      fprintf(out, "\\u%04x", (unsigned char)text[1]); /* C1 controls */
    else
      fwrite(text, 1, n, out);
    text += n ? n : 1;
  }
}

int fail(const igt_error *err) {
  fprintf(stderr, "igtcloud: ");
  print_safe(stderr, *err->text ? err->text : igt_status_text(err->status));
  if (*err->request_id) {
    fprintf(stderr, " (request ");
    print_safe(stderr, err->request_id);
    fprintf(stderr, ")");
  }
  fprintf(stderr, "\n");
  return exit_status_of(err->status);
}

int usage_error(const char *fmt, ...) {
  char text[1024];
  va_list args;

  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  fprintf(stderr, "igtcloud: ");
  print_safe(stderr, text);
  fprintf(stderr, "\n");
  return EXIT_USAGE;
}

void message(const settings *s, const char *fmt, ...) {
  char text[2048];
  va_list args;

  if (s->quiet)
    return;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  print_safe(stderr, text);
  fprintf(stderr, "\n");
}

void json_value(FILE *out, const char *value) {
  putc('"', out);
  while (*value) {
    unsigned char c = (unsigned char)*value;
    size_t n = character(value);
    if (c == '"' || c == '\\')
      fprintf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
      fprintf(out, "\\u%04x", c);
    else if (n == 0)
      fputs("\\ufffd", out); /* JSON has no bytes that are no text */
    else
      fwrite(value, 1, n, out);
    value += n ? n : 1;
  }
  putc('"', out);
}

void json_text(FILE *out, const char *key, const char *value, bool first) {
  fprintf(out, "%s\"%s\":", first ? "" : ",", key);
  json_value(out, value);
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
  fprintf(out, "%s %s %s: ", when, levels[level], igt_log_subject_name(subject));
  print_safe(out, text);
  putc('\n', out);
  fflush(out);
}

/* Without --debug and --log-file people see what they have to know, in words alone. */
static void show_warning(void *payload, igt_log_level level, igt_log_subject subject,
                         const char *text) {
  (void)level;
  if (subject == IGT_LOG_TRANSFER) /* the report tells it, with the names */
    return;
  message(payload, "igtcloud: warning: %s", text);
}

static FILE *log_file;

bool close_log(void) {
  if (!log_file || (fflush(log_file) == 0 && !ferror(log_file)))
    return true;
  fprintf(stderr, "igtcloud: the log file could not be written\n");
  return false;
}

void open_log(settings *s) {
  FILE *out = stderr;
  const char *why;

  if (!s->debug && !s->log_file) {
    igt_log_set(show_warning, s, IGT_LOG_WARNING);
    return;
  }
  if (s->log_file) {
    out = open_output(s->log_file, true, &why);
    if (!out) {
      fprintf(stderr, "igtcloud: the log file '%s' cannot be written: %s\n", s->log_file, why);
      exit(EXIT_FAILED);
    }
    log_file = out;
  }
  igt_log_set(log_line, out, s->debug ? IGT_LOG_DEBUG : IGT_LOG_INFO);
}
