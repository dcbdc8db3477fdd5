/* SPDX-License-Identifier: MIT */
/* Tasks: work identified by a token, whose requester polls it and whose performer reports its end.
 * Its result is at "location": a path of the API, or the key of an object. Also two requests that
 * create tasks: a download link to a study's files, and the report on all projects. routes.c calls
 * each function for its route, aisuite.c creates and ends tasks as well. */
#include "rest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "s3/sigv4.h"
#include "seed_files.h"

#define TOKEN_CHARS 32
#define LINK_SECONDS 3600
#define MAX_REPORT (64u * 1024 * 1024)

bool rest_task_new(rest_call *call, const char *kind, const char *status, const char *location,
                   char token[40]) {
  char now[40];
  igt__json *task = igt__json_new_object();
  bool ok = igt__random_token(token, TOKEN_CHARS);

  rest_now(now);
  igt__json_set_str(task, "kind", kind);
  igt__json_set_str(task, "owner", call->who.sub);
  igt__json_set_str(task, "status", status);
  igt__json_set_str(task, "createdOn", now);
  if (location)
    igt__json_set_str(task, "location", location);
  ok = ok && sbx_doc_put(call->server->store, "task", token, NULL, task);
  igt__json_free(task);
  return ok;
}

/* ---- reading ---- */

/* A URL of the object that is valid without signing in for an hour. */
static bool link_write(rest_call *call, const char *key, igt__buf *out) {
  sbx_credentials c = {0};
  igt__sigv4_key signing;
  igt__buf path, query, scratch;
  char stamp[24], signature[65];
  const char *host = strstr(call->server->base_url, "://") + 3;
  const igt__sigv4_header headers[] = {{"host", host}};

  igt__buf_init(&path, 8192);
  igt__buf_init(&query, 8192);
  igt__buf_init(&scratch, 64 * 1024);
  igt__time_format_basic(igt__wall_seconds(), stamp, sizeof stamp);
  igt__buf_puts(&path, "/" SBX_BUCKET "/");
  igt__uri_encode(&path, key, strlen(key), true);
  bool ok = sbx_credentials_issue(call->server, "GET", key, &c) &&
            igt__sigv4_presign_query(NULL, c.access_key, c.session_token, stamp, SBX_REGION, "s3",
                                     LINK_SECONDS, "host", &query);
  if (ok) {
    const igt__sigv4_request req = {.method = "GET",
                                    .path = path.data,
                                    .query = query.data,
                                    .headers = headers,
                                    .header_count = 1,
                                    .signed_headers = "host",
                                    .payload_hash = IGT__SIGV4_UNSIGNED};
    igt__sigv4_key_derive(c.secret_key, strlen(c.secret_key), stamp, SBX_REGION, "s3", &signing);
    ok = igt__sigv4_sign(&signing, &req, stamp, SBX_REGION, "s3", &scratch, signature) &&
         igt__buf_printf(out, "%s%s?%s&X-Amz-Signature=%s", call->server->base_url, path.data,
                         query.data, signature);
  }
  igt__wipe(&signing, sizeof signing);
  igt__wipe(&c, sizeof c);
  igt__buf_finish(&path);
  igt__buf_finish(&query);
  igt__buf_finish(&scratch);
  return ok;
}

static bool location_write(rest_call *call, const char *location, igt__buf *out) {
  if (location[0] == '/')
    return igt__buf_printf(out, "%s%s", call->server->base_url, location);
  return link_write(call, location, out);
}

static void response_ended(rest_call *call, const igt__json *task) {
  const char *location = igt__json_get_str(task, "location");
  igt__json *response;
  igt__buf url;

  igt__buf_init(&url, 32 * 1024);
  if (location && !location_write(call, location, &url)) {
    rest_fail(call, 500, "The link could not be created");
  } else if (location && rest_query_bool(call, "redirect", true)) {
    sbx_add_header(call->req, "Location", url.data);
    rest_respond_empty(call, 302);
  } else {
    response = igt__json_new_object();
    igt__json_set_str(response, "status", igt__json_get_str(task, "status"));
    igt__json_set(response, "message", igt__json_copy(igt__json_get(task, "message")));
    igt__json_set(response, "url", location ? igt__json_new_str(url.data) : igt__json_new_null());
    rest_respond(call, 200, response);
  }
  igt__buf_finish(&url);
}

static bool is_failure(const char *status) {
  return igt__str_eq_nocase(status, "failed") || igt__str_eq_nocase(status, "error");
}

void rest_task_get(rest_call *call) {
  igt__json *task = rest_find(call, "task", call->args[0], "Task"), *response;
  const char *status = igt__json_get_str(task, "status");
  const char *message = igt__json_get_str(task, "message");

  if (!task)
    return;
  if (!igt__str_eq(igt__json_get_str(task, "owner"), call->who.sub) &&
      !(call->who.rights & REST_MANAGE)) {
    rest_fail(call, 403, "This task belongs to another user");
  } else if (is_failure(status)) {
    rest_fail(call, 400, "The task failed: %s", message ? message : "no reason was given");
  } else if (igt__str_eq(status, "running")) {
    response = igt__json_new_object();
    igt__json_set_str(response, "status", status);
    rest_respond(call, 200, response);
  } else {
    response_ended(call, task);
  }
  igt__json_free(task);
}

/* ---- reporting the end ---- */

void rest_task_end(rest_call *call, const char *token) {
  igt__json *task = rest_find(call, "task", token, "Task");
  const char *status = igt__json_get_str(call->json, "status");
  const char *message = igt__json_get_str(call->json, "message");

  if (!task)
    return;
  if (!igt__str_eq(igt__json_get_str(task, "status"), "running")) {
    rest_fail(call, 400, "The task has already ended");
  } else if (igt__str_eq(status, "running")) {
    rest_fail(call, 400, "status must say how the task has ended");
  } else {
    igt__json_set_str(task, "status", status && *status ? status : "completed");
    if (message)
      igt__json_set_str(task, "message", message);
    if (rest_store(call, "task", token, NULL, task))
      rest_respond(call, 200, igt__json_new_object());
  }
  igt__json_free(task);
}

void rest_task_post(rest_call *call) {
  rest_task_end(call, call->args[0]);
}

/* ---- a link to a study's files ---- */

void rest_study_download_link(rest_call *call) {
  igt__json *study = rest_study_of_path(call);
  char token[40], text[200];
  igt__buf location;

  if (!study)
    return;
  igt__buf_init(&location, 4096);
  igt__buf_printf(&location, "/api/data/hospitals/%s/studies/%s/download-files", call->args[0],
                  call->args[1]);
  bool ok = rest_task_new(call, "download", "completed", location.data, token);
  if (ok) {
    snprintf(text, sizeof text, "%s/api/data/tasks/completed/%s", call->server->base_url, token);
    ok = rest_mail_send(call->server, call->who.sub, "The files that you requested", text);
  }
  if (ok)
    rest_respond_empty(call, 202);
  else
    rest_fail(call, 500, "The mail could not be stored");
  igt__buf_finish(&location);
  igt__json_free(study);
}

/* ---- the report on all projects: a list of ProjectReportData ---- */

typedef struct report {
  sbx_server *server;
  igt__buf text;
  bool any;
} report;

static bool add_state(void *payload, const char *id, const char *doc, size_t n) {
  igt__buf *history = payload;
  igt__json *state = NULL;

  (void)id;
  if (igt__json_parse(doc, n, "a state", &state, NULL) == IGT_OK) {
    const char *name = igt__json_get_str(state, "annotationState");
    const char *on = igt__json_get_str(state, "on");
    igt__buf_printf(history, "%s%s %s", history->len ? "; " : "", on ? on : "", name ? name : "");
  }
  igt__json_free(state);
  return true;
}

/* A time as an object, as in the description. */
static void set_date(igt__json *row, const char *key, const igt__json *time) {
  igt__json *date = igt__json_new_object();

  if (time)
    igt__json_set(date, "$date", igt__json_copy(time));
  igt__json_set(row, key, date);
}

static igt__json *report_row(report *r, const igt__json *study) {
  static const char *const names[][2] = {{"project_id", "projectId"},
                                         {"hospital_id", "instituteId"},
                                         {"study_database_id", "studyDatabaseId"},
                                         {"study_id", "studyIdHumanReadable"}};
  const igt__json *date = igt__json_get(study, "studyDate");
  igt__json *row = igt__json_new_object();
  igt__buf history;

  igt__buf_init(&history, 1024 * 1024);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    igt__json_set(row, names[i][0], igt__json_copy(igt__json_get(study, names[i][1])));
  sbx_doc_each(r->server->store, "annotation-state", igt__json_get_str(study, "studyDatabaseId"),
               add_state, &history);
  igt__json_set_str(row, "annotation_state_history", history.data);
  set_date(row, "study_date", date ? date : igt__json_get(study, "datetime"));
  set_date(row, "created_on", igt__json_get(study, "createdOn"));
  igt__buf_finish(&history);
  return row;
}

static bool add_study(void *payload, const char *id, const char *doc, size_t n) {
  report *r = payload;
  igt__json *study = NULL, *row;

  (void)id;
  if (igt__json_parse(doc, n, "a study", &study, NULL) != IGT_OK)
    return true;
  row = report_row(r, study);
  igt__buf_puts(&r->text, r->any ? ",\n" : "");
  r->any = true;
  igt__json_write(&r->text, row, IGT__JSON_COMPACT);
  igt__json_free(row);
  igt__json_free(study);
  return !r->text.failed;
}

void rest_report_post(rest_call *call) {
  report r = {.server = call->server};
  char key[80], name[40], token[40];
  igt__json *response;

  igt__buf_init(&r.text, MAX_REPORT);
  igt__buf_putc(&r.text, '[');
  bool ok = igt__random_token(name, TOKEN_CHARS) &&
            sbx_doc_each(call->server->store, "study", NULL, add_study, &r) &&
            igt__buf_puts(&r.text, "]\n");
  snprintf(key, sizeof key, "reports/%s.json", name);
  ok = ok && rest_object_put(call->server, key, r.text.data, r.text.len) &&
       rest_task_new(call, "report", "completed", key, token);
  if (ok) {
    response = igt__json_new_object();
    igt__json_set_str(response, "token", token);
    rest_respond(call, 202, response);
  } else {
    rest_fail(call, 500, "The report could not be stored");
  }
  igt__buf_finish(&r.text);
}
