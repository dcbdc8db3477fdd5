/* SPDX-License-Identifier: MIT */
/* The request log: when each request started and ended, its method, path, status, byte counts, the
 * fault it got and the access key that signed it. exchange.c adds an entry at the start of a
 * request and completes it before the last bytes of the response; control.c lists and clears
 * entries (/__requests). Entries are numbered from the start of the run; one that was dropped while
 * its request was running is no longer found. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "faults/internal.h"

/* The limit of what a test can inspect: some 400 bytes each. */
#define MAX_ENTRIES 200000

typedef struct entry {
  uint64_t connection;
  int64_t began, ended; /* igt__mono_us; ended 0: still running */
  char method[8];
  char *path, *query;
  char range[64], access_key[32], content_md5[32];
  int status;
  fault_kind fault;
  unsigned in_flight;
  uint64_t bytes_in, bytes_out;
} entry;

struct request_log {
  pthread_mutex_t lock;
  /* guarded by lock */
  entry *entries;
  size_t first; /* number of entries[0]: earlier ones were dropped */
  size_t count, cap;
  unsigned in_flight;
  int64_t began;
};

request_log *request_log_new(void) {
  request_log *log = igt__calloc(1, sizeof *log);

  if (!log)
    return NULL;
  pthread_mutex_init(&log->lock, NULL);
  log->began = igt__mono_us();
  return log;
}

static void forget_locked(request_log *log) {
  for (size_t i = 0; i < log->count; i++) {
    igt__free(log->entries[i].path);
    igt__free(log->entries[i].query);
  }
  log->first += log->count;
  log->count = 0;
}

void request_log_free(request_log *log) {
  if (!log)
    return;
  forget_locked(log);
  igt__free(log->entries);
  pthread_mutex_destroy(&log->lock);
  igt__free(log);
}

static entry *add_locked(request_log *log) {
  if (log->count == MAX_ENTRIES)
    forget_locked(log);
  if (log->count == log->cap) {
    size_t cap = log->cap ? log->cap * 2 : 256;
    entry *entries = igt__realloc(log->entries, cap * sizeof *entries);
    if (!entries)
      return NULL;
    log->entries = entries;
    log->cap = cap;
  }
  return memset(&log->entries[log->count++], 0, sizeof(entry));
}

/* Reads the access key from "AWS4-HMAC-SHA256 Credential=KEY/..."; the rest of the line is a
 * secret. */
static void read_access_key(const head *request, char *out, size_t cap) {
  char line[1024];
  const char *key = NULL;

  if (head_get(request, "Authorization", line, sizeof line))
    key = strstr(line, "Credential=");
  if (key)
    snprintf(out, cap, "%.*s", (int)strcspn(key + 11, "/"), key + 11);
}

size_t request_log_begin(request_log *log, uint64_t from, const head *request) {
  size_t number;
  entry *e;

  pthread_mutex_lock(&log->lock);
  log->in_flight++;
  number = log->first + log->count;
  e = add_locked(log);
  if (e) {
    number = log->first + log->count - 1;
    e->connection = from;
    e->began = igt__mono_us();
    e->in_flight = log->in_flight;
    snprintf(e->method, sizeof e->method, "%s", request->method);
    e->path = igt__strdup(request->path);
    e->query = igt__strdup(request->query);
    head_get(request, "Range", e->range, sizeof e->range);
    head_get(request, "Content-MD5", e->content_md5, sizeof e->content_md5);
    read_access_key(request, e->access_key, sizeof e->access_key);
  }
  pthread_mutex_unlock(&log->lock);
  return number;
}

unsigned request_log_in_flight(request_log *log) {
  unsigned n;

  pthread_mutex_lock(&log->lock);
  n = log->in_flight;
  pthread_mutex_unlock(&log->lock);
  return n;
}

static entry *find_locked(request_log *log, size_t number) {
  return number >= log->first && number - log->first < log->count
             ? &log->entries[number - log->first]
             : NULL;
}

void request_log_strike(request_log *log, size_t number, fault_kind kind) {
  entry *e;

  pthread_mutex_lock(&log->lock);
  e = find_locked(log, number);
  if (e)
    e->fault = kind;
  pthread_mutex_unlock(&log->lock);
}

void request_log_end(request_log *log, size_t number, bool first, int status, uint64_t bytes_in,
                     uint64_t bytes_out) {
  entry *e;

  pthread_mutex_lock(&log->lock);
  if (first)
    log->in_flight--;
  e = find_locked(log, number);
  if (e) {
    e->ended = igt__mono_us();
    e->status = status;
    e->bytes_in = bytes_in;
    e->bytes_out = bytes_out;
  }
  pthread_mutex_unlock(&log->lock);
}

static igt__json *part_number(const char *query) {
  const char *found = query ? strstr(query, "partNumber=") : NULL;
  int64_t number = 0;
  char digits[8];

  if (!found)
    return igt__json_new_null();
  snprintf(digits, sizeof digits, "%.*s", (int)strspn(found + 11, "0123456789"), found + 11);
  igt__str_to_int64(digits, &number);
  return igt__json_new_int(number);
}

static igt__json *text_or_null(const char *text) {
  return text && *text ? igt__json_new_str(text) : igt__json_new_null();
}

static igt__json *describe(const request_log *log, const entry *e, size_t number) {
  igt__json *v = igt__json_new_object();

  igt__json_set_int(v, "number", (int64_t)number);
  igt__json_set_int(v, "connection", (int64_t)e->connection);
  igt__json_set(v, "at", igt__json_new_double((double)(e->began - log->began) / 1e6));
  igt__json_set(v, "took",
                e->ended ? igt__json_new_double((double)(e->ended - e->began) / 1e6)
                         : igt__json_new_null());
  igt__json_set_str(v, "method", e->method);
  igt__json_set_str(v, "path", e->path);
  igt__json_set_str(v, "query", e->query);
  igt__json_set(v, "range", text_or_null(e->range));
  igt__json_set(v, "part", part_number(e->query));
  igt__json_set(v, "accessKey", text_or_null(e->access_key));
  igt__json_set(v, "contentMd5", text_or_null(e->content_md5));
  igt__json_set_int(v, "inFlight", e->in_flight);
  igt__json_set_int(v, "bytesIn", (int64_t)e->bytes_in);
  igt__json_set_int(v, "bytesOut", (int64_t)e->bytes_out);
  igt__json_set_int(v, "status", e->status);
  igt__json_set(v, "fault", text_or_null(fault_name(e->fault)));
  return v;
}

igt__json *request_log_list(request_log *log) {
  igt__json *list = igt__json_new_array();

  pthread_mutex_lock(&log->lock);
  for (size_t i = 0; i < log->count; i++)
    igt__json_push(list, describe(log, &log->entries[i], log->first + i));
  pthread_mutex_unlock(&log->lock);
  return list;
}

void request_log_clear(request_log *log) {
  pthread_mutex_lock(&log->lock);
  forget_locked(log);
  pthread_mutex_unlock(&log->lock);
}
