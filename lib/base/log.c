/* SPDX-License-Identifier: MIT */
#include "log.h"

#include "redact.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define LINE_MAX_BYTES 2048

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static igt_log_fn sink;
static void *sink_payload;
static atomic_int levels[IGT_LOG_SUBJECT_COUNT]; /* 0: logging is off */

static const char *const names[IGT_LOG_SUBJECT_COUNT] = {
    [IGT_LOG_GENERAL] = "general", [IGT_LOG_HTTP] = "http",         [IGT_LOG_MODEL] = "model",
    [IGT_LOG_AUTH] = "auth",       [IGT_LOG_API] = "api",           [IGT_LOG_S3] = "s3",
    [IGT_LOG_JOURNAL] = "journal", [IGT_LOG_TRANSFER] = "transfer", [IGT_LOG_SANDBOX] = "sandbox",
};

void igt_log_set(igt_log_fn fn, void *payload, igt_log_level level) {
  pthread_mutex_lock(&lock);
  sink = fn;
  sink_payload = payload;
  for (size_t i = 0; i < IGT_LOG_SUBJECT_COUNT; i++)
    atomic_store(&levels[i], fn ? (int)level : 0);
  pthread_mutex_unlock(&lock);
}

void igt_log_set_subject(igt_log_subject subject, igt_log_level level) {
  if ((unsigned)subject < IGT_LOG_SUBJECT_COUNT)
    atomic_store(&levels[subject], (int)level);
}

const char *igt_log_subject_name(igt_log_subject subject) {
  return (unsigned)subject < IGT_LOG_SUBJECT_COUNT ? names[subject] : "unknown";
}

bool igt__log_wanted(igt_log_level level, igt_log_subject subject) {
  return (unsigned)subject < IGT_LOG_SUBJECT_COUNT &&
         (int)level <= atomic_load_explicit(&levels[subject], memory_order_relaxed);
}

/* The text may come from a server: it must not start another line or move a terminal's cursor. */
static void make_printable(char *text) {
  for (char *p = text; *p; p++) {
    if ((unsigned char)*p < 0x20 || *p == 0x7f)
      *p = *p == '\t' ? ' ' : '?';
  }
}

void igt__log(igt_log_level level, igt_log_subject subject, const char *fmt, ...) {
  if (!igt__log_wanted(level, subject))
    return;
  char text[LINE_MAX_BYTES];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  make_printable(text);
  igt__redact(text);
  pthread_mutex_lock(&lock);
  if (sink)
    sink(sink_payload, level, subject, text);
  pthread_mutex_unlock(&lock);
}
