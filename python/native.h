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
NATIVE_INIT(igt_object, IGT_OBJECT_INIT)
NATIVE_INIT(igt_object_info, IGT_OBJECT_INFO_INIT)
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
NATIVE_INIT(igt_list_options, IGT_LIST_OPTIONS_INIT)
NATIVE_INIT(igt_list_summary, IGT_LIST_SUMMARY_INIT)
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

static void native_waiting(void *payload);

/* A response, refusals included. headers: "name", NUL, "value", NUL and so on. */
typedef struct native_reply {
  int http;
  char *data;
  size_t size;
  char *headers;
  size_t header_size;
} native_reply;

static void native_reply_finish(native_reply *reply) {
  free(reply->data);
  free(reply->headers);
}

static igt_status native_pack_headers(const igt_response *response, native_reply *reply) {
  native_body packed = {NULL, 0, 0};
  igt_status status = IGT_OK;

  for (size_t i = 0; status == IGT_OK && i < igt_response_header_count(response); i++) {
    igt_name_value header = igt_response_header_at(response, i);

    status = native_collect(&packed, header.name, strlen(header.name) + 1);
    if (status == IGT_OK)
      status = native_collect(&packed, header.value, strlen(header.value) + 1);
  }
  reply->headers = packed.data;
  reply->header_size = packed.size;
  return status;
}

/* After a refusal the body is the response's, whatever was collected of it. */
static igt_status native_fill_reply(const igt_response *response, igt_status status,
                                    native_body *body, native_reply *reply) {
  size_t size;
  const char *text;

  reply->http = igt_response_status(response);
  if (status != IGT_OK && (text = igt_response_body(response, &size)) != NULL) {
    body->size = 0;
    if (size && native_collect(body, text, size) != IGT_OK)
      return IGT_E_NO_MEMORY;
  }
  return native_pack_headers(response, reply);
}

#define NATIVE_HEADERS 64

/* Calls of the main thread: more than one when a handler of a signal makes one. */
static unsigned native_hooked;

static void native_hook(bool hooked) {
  if (hooked && native_hooked++ == 0)
    igt_wait_hook_set(native_waiting, NULL);
}

static void native_unhook(bool hooked) {
  if (hooked && --native_hooked == 0)
    igt_wait_hook_set(NULL, NULL);
}

/* headers: packed as in native_reply. sink: a Python object that receives the body, or NULL: it
 * goes into *reply, which native_reply_finish() frees in any case. hooked: this is the main thread.
 */
static igt_status native_request(igt_client *client, const char *method, const char *path,
                                 const char *headers, size_t header_count, const char *body,
                                 size_t body_size, unsigned timeout_ms, igt_cancel *cancel,
                                 bool hooked, void *sink, native_reply *reply, igt_error *err) {
  igt_request_options options = IGT_REQUEST_OPTIONS_INIT;
  igt_name_value pairs[NATIVE_HEADERS];
  native_body received = {NULL, 0, 0};
  igt_response *response = NULL;
  igt_status status;

  if (header_count > NATIVE_HEADERS) {
    err->status = IGT_E_LIMIT;
    snprintf(err->text, sizeof err->text, "a request has at most %d headers", NATIVE_HEADERS);
    return IGT_E_LIMIT;
  }
  for (size_t i = 0; i < header_count; i++) {
    pairs[i].name = headers;
    pairs[i].value = pairs[i].name + strlen(pairs[i].name) + 1;
    headers = pairs[i].value + strlen(pairs[i].value) + 1;
  }
  options.method = method;
  options.path = path;
  options.headers = pairs;
  options.header_count = header_count;
  options.body = body;
  options.body_size = body_size;
  options.timeout_ms = timeout_ms;
  options.cancel = cancel;
  native_hook(hooked);
  status = igt_request(client, &options, &response, sink ? native_sink : native_collect,
                       sink ? sink : &received, err);
  native_unhook(hooked);
  if (response && native_fill_reply(response, status, &received, reply) != IGT_OK)
    status = err->status = IGT_E_NO_MEMORY;
  igt_response_free(response);
  reply->data = received.data;
  reply->size = received.size;
  return status;
}

/* ---- reading ---- */

static igt_status native_read(igt_file_reader *reader, void *data, size_t cap, bool hooked,
                              size_t *n, igt_error *err) {
  igt_status status;

  native_hook(hooked);
  status = igt_file_read(reader, data, cap, n, err);
  native_unhook(hooked);
  return status;
}

/* ---- lists: models cross as JSON ---- */

/* The caller's to free; NULL without memory. */
static char *native_json(const igt_model *model) {
  igt_text *text = NULL;
  char *copy = NULL;

  if (igt_model_encode(model, &text, NULL) == IGT_OK) {
    copy = strdup(text->v);
    igt_model_free(&text->model);
  }
  return copy;
}

/* NULL: a project's own files have neither. */
static char *native_study_json(const igt_listed_study *study) {
  return study->study ? native_json(&study->study->model) : NULL;
}

static char *native_institute_json(const igt_listed_study *study) {
  return study->institute ? native_json(&study->institute->model) : NULL;
}

/* ---- the log ---- */

/* A line may be written by any thread of the library, with a lock of the library held, so writing
 * one must not wait for Python's lock. Lines wait here until a Python thread takes them. */
#define NATIVE_LOG_LINES 4096

typedef struct native_log_line {
  int level, subject;
  char *text;
} native_log_line;

/* A look at it costs Python less than a call. It may be late by a line. */
static int native_log_waiting;

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
    __atomic_store_n(&native_log_waiting, 1, __ATOMIC_RELAXED);
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
  if (!native_log.count)
    __atomic_store_n(&native_log_waiting, 0, __ATOMIC_RELAXED);
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
  native_log_waiting = 0;
}
