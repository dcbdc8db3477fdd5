/* SPDX-License-Identifier: MIT */
/* Part of the C source of igtcloud.client._native: what runs without Python's lock. Included once,
 * in front of what cffi writes. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <igtcloud/igtcloud.h>

/* An options struct begins with its size, which only its initializer knows. */
#define NATIVE_INIT(type, init)                                                                    \
  static void native_init_##type(type *x) {                                                        \
    const type fresh = init;                                                                       \
    *x = fresh;                                                                                    \
  }
NATIVE_INIT(igt_error, IGT_ERROR_INIT)
NATIVE_INIT(igt_client_options, IGT_CLIENT_OPTIONS_INIT)
NATIVE_INIT(igt_request_options, IGT_REQUEST_OPTIONS_INIT)
NATIVE_INIT(igt_object, IGT_OBJECT_INIT)
NATIVE_INIT(igt_file_options, IGT_FILE_OPTIONS_INIT)
NATIVE_INIT(igt_file_open_options, IGT_FILE_OPEN_OPTIONS_INIT)

NATIVE_INIT(igt_file_source, IGT_FILE_SOURCE_INIT)
NATIVE_INIT(igt_transfer_callbacks, IGT_TRANSFER_CALLBACKS_INIT)
NATIVE_INIT(igt_transfer_summary, IGT_TRANSFER_SUMMARY_INIT)
NATIVE_INIT(igt_filters, IGT_FILTERS_INIT)
NATIVE_INIT(igt_transfer_options, IGT_TRANSFER_OPTIONS_INIT)
NATIVE_INIT(igt_study_selection, IGT_STUDY_SELECTION_INIT)
NATIVE_INIT(igt_download_options, IGT_DOWNLOAD_OPTIONS_INIT)
NATIVE_INIT(igt_upload_options, IGT_UPLOAD_OPTIONS_INIT)
NATIVE_INIT(igt_verify_options, IGT_VERIFY_OPTIONS_INIT)
NATIVE_INIT(igt_csv_options, IGT_CSV_OPTIONS_INIT)
NATIVE_INIT(igt_manifest_options, IGT_MANIFEST_OPTIONS_INIT)
NATIVE_INIT(igt_csv_summary, IGT_CSV_SUMMARY_INIT)
NATIVE_INIT(igt_uploads_options, IGT_UPLOADS_OPTIONS_INIT)

static void native_free(void *data) {
  free(data);
}

/* ---- prompts: Python has asked already, in the thread of its caller ---- */

typedef struct native_answers {
  const char *user;
  const char *password;
} native_answers;

static bool native_answer(void *payload, igt_prompt_kind what, const char *question, char *response,
                          size_t cap) {
  const native_answers *answers = payload;
  const char *text = what == IGT_PROMPT_USER ? answers->user : answers->password;

  (void)question;
  if (!text || strlen(text) >= cap)
    return false;
  memcpy(response, text, strlen(text) + 1);
  return true;
}

static const igt_prompt_fn native_prompt = native_answer;

/* ---- logins: the callbacks are functions of Python, which cffi defines behind this ---- */

static void native_login(void *payload, igt_login_event event, const igt_identity *identity,
                         const igt_error *err);

static igt_status native_login_hold(igt_client *client, void *payload, igt_error *err) {
  return igt_login_hold(client, native_login, payload, err);
}

/* ---- requests ---- */

/* A body in memory; one copy makes it Python's. */
typedef struct native_body {
  char *data;
  size_t size, cap;
} native_body;

static igt_status native_collect(void *payload, const void *data, size_t n) {
  native_body *body = payload;

  if (body->cap - body->size < n) {
    size_t cap = body->cap * 2 > body->size + n ? body->cap * 2 : body->size + n;
    char *grown = realloc(body->data, cap);

    if (!grown)
      return IGT_E_NO_MEMORY;
    body->data = grown;
    body->cap = cap;
  }
  memcpy(body->data + body->size, data, n);
  body->size += n;
  return IGT_OK;
}

static igt_status native_sink(void *payload, const void *data, size_t n);

/* sink: a Python object that receives the body, or NULL: *data is set, the caller's to free. */
static igt_status native_request(igt_client *client, const igt_request_options *options,
                                 igt_response **response, void *sink, char **data, size_t *size,
                                 igt_error *err) {
  native_body body = {NULL, 0, 0};
  igt_status status;

  if (sink)
    return igt_request(client, options, response, native_sink, sink, err);
  status = igt_request(client, options, response, native_collect, &body, err);
  *data = body.data;
  *size = body.size;
  return status;
}

/* ---- the log ---- */

/* A line may be written by any thread of the library, with a lock of the library held, so writing
 * one must not wait for Python's lock. Lines wait here until a Python thread takes them. */
#define NATIVE_LOG_LINES 4096

typedef struct native_log_line {
  int level, subject;
  char *text;
} native_log_line;

static struct {
  pthread_mutex_t lock;
  native_log_line lines[NATIVE_LOG_LINES];
  size_t first, count;
} native_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* When nobody takes lines, the latest are dropped: the first explain the others. */
static void native_log_put(void *payload, igt_log_level level, igt_log_subject subject,
                           const char *text) {
  char *copy = strdup(text);

  (void)payload;
  if (!copy)
    return;
  pthread_mutex_lock(&native_log.lock);
  if (native_log.count < NATIVE_LOG_LINES) {
    size_t at = (native_log.first + native_log.count++) % NATIVE_LOG_LINES;

    native_log.lines[at] = (native_log_line){(int)level, (int)subject, copy};
    copy = NULL;
  }
  pthread_mutex_unlock(&native_log.lock);
  free(copy);
}

/* 0: no log. */
static void native_log_set(int level) {
  igt_log_set(level ? native_log_put : NULL, NULL, (igt_log_level)level);
}

/* The oldest line, the caller's to free; NULL: none. */
static char *native_log_take(int *level, int *subject) {
  char *text = NULL;

  pthread_mutex_lock(&native_log.lock);
  if (native_log.count) {
    native_log_line *line = &native_log.lines[native_log.first];

    *level = line->level;
    *subject = line->subject;
    text = line->text;
    native_log.first = (native_log.first + 1) % NATIVE_LOG_LINES;
    native_log.count--;
  }
  pthread_mutex_unlock(&native_log.lock);
  return text;
}

/* In a forked child: the lock may have been held, the lines are the parent's. */
static void native_log_forget(void) {
  pthread_mutex_init(&native_log.lock, NULL);
  native_log.count = 0;
}
