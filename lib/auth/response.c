/* SPDX-License-Identifier: MIT */
/* Responses of the cloud's REST services: parses JSON bodies, turns error responses into messages
 * that contain the server's own words, and detects web pages that a proxy or a guest network sent
 * in the service's place. Called by login.c and lib/api. */
#include "auth/response.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* Replaces the message and keeps everything else that lib/http determined. */
IGT_PRINTF(2, 3) static void report_again(igt_error *err, const char *fmt, ...) {
  char text[IGT_ERROR_TEXT_MAX];
  igt_error kept;

  igt__error_keep(&kept, err);
  va_list args;

  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  igt__fail(err, kept.status, "%s", text);
  memcpy(kept.text, err->text, sizeof kept.text);
  igt__error_copy(err, &kept);
}

static void copy_request_id(const igt__http_request *req, igt_error *err) {
  static const char *const names[] = {"X-Request-Id", "X-Amzn-RequestId", "X-Correlation-Id"};

  for (size_t i = 0; i < sizeof names / sizeof names[0] && !err->request_id[0]; i++) {
    const char *id = igt__http_response_header(req, names[i], 0);

    if (id)
      snprintf(err->request_id, sizeof err->request_id, "%s", id);
  }
}

bool igt__response_is_json(const igt__http_request *req) {
  const char *type = igt__http_response_header(req, "Content-Type", 0);

  return !type || !*type || igt__str_starts_nocase(type, "application/json") ||
         igt__str_starts_nocase(type, "application/problem+json") ||
         igt__str_starts_nocase(type, "text/json");
}

/* The services use "message"; the gateway in front of them "error_description" or "error". */
static const char *find_message(const igt__json *body) {
  static const char *const keys[] = {"message", "error_description", "error"};

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *s = igt__json_get_str(body, keys[i]);

    if (s && *s)
      return s;
  }
  return NULL;
}

void igt__response_error(igt__http_request *req, igt_error *err) {
  igt__json *body = NULL;
  const char *message = NULL;

  if (!err)
    return;
  snprintf(err->operation, sizeof err->operation, "%s", req->operation);
  copy_request_id(req, err);
  if (igt__response_is_json(req) && req->response.len > 0 &&
      igt__json_parse(req->response.data, req->response.len, "the response", &body, NULL) == IGT_OK)
    message = find_message(body);
  if (message)
    report_again(err, "%s: %s (%d)", req->operation, message, req->http_status);
  else if (!igt__response_is_json(req))
    report_again(err,
                 "%s: the response has status %d and a page instead of the cloud's JSON; it may "
                 "come from a proxy or gateway in between",
                 req->operation, req->http_status);
  else
    report_again(err, "%s: the server responded with status %d", req->operation, req->http_status);
  igt__json_free(body);
}

static igt_status name_operation(const igt__http_request *req, igt_status status, igt_error *err) {
  if (err) {
    err->http_status = req->http_status;
    snprintf(err->operation, sizeof err->operation, "%s", req->operation);
  }
  return status;
}

igt_status igt__response_expect_json(const igt__http_request *req, igt_error *err) {
  const char *type = igt__http_response_header(req, "Content-Type", 0);
  igt_status status;

  if (igt__response_is_json(req))
    return IGT_OK;
  status = igt__fail(err, IGT_E_PROTOCOL,
                     "%s: the response is not the cloud's JSON but %.80s; it may come from a proxy "
                     "or a network sign-in page in between",
                     req->operation, type);
  return name_operation(req, status, err);
}

/* Also one with another content type: no JSON starts with '<'. */
static bool is_page(const igt__http_request *req) {
  const char *type = igt__http_response_header(req, "Content-Type", 0);
  const char *body = req->response.data;

  if (req->response.len == 0)
    return false;
  if (type && igt__str_starts_nocase(type, "text/html"))
    return true;
  body += strspn(body, " \t\r\n");
  return *body == '<' || strncmp(body, "\xef\xbb\xbf<", 4) == 0;
}

/* Whether a member says that something failed: one of these names with any content, or an HTTP
 * status of 400 or more. */
static bool reports_error(const igt__json *body) {
  static const char *const errors[] = {"error", "errors", "error_description", "fault"};
  static const char *const statuses[] = {"status", "statusCode", "code"};
  bool failed = igt__json_typeof(body) == IGT__JSON_BOOL && !igt__json_bool(body);

  for (size_t i = 0; i < sizeof errors / sizeof errors[0] && !failed; i++) {
    const igt__json *value = igt__json_get(body, errors[i]);

    failed = value && (igt__json_bool(value) || igt__json_int(value) != 0 ||
                       igt__json_count(value) > 0 || igt__json_str_len(value) > 0);
  }
  for (size_t i = 0; i < sizeof statuses / sizeof statuses[0] && !failed; i++)
    failed = igt__json_int(igt__json_get(body, statuses[i])) >= 400;
  return failed;
}

static igt_status refuse_page(const igt__http_request *req, igt_error *err) {
  return igt__fail(err, IGT_E_PROTOCOL,
                   "%s: the response is a web page; a proxy or a network sign-in page in between "
                   "may have written it",
                   req->operation);
}

static igt_status refuse_error(const igt__http_request *req, const igt__json *body,
                               igt_error *err) {
  const char *message = find_message(body);

  return igt__fail(err, IGT_E_PROTOCOL, "%s: the response has status %d but reports a failure%s%s",
                   req->operation, req->http_status, message ? ": " : "", message ? message : "");
}

igt_status igt__response_expect_success(const igt__http_request *req, igt_error *err) {
  const char *data = req->response.data;
  size_t len = req->response.len;
  igt__json *body = NULL;
  igt_status status = IGT_OK;

  if (len == 0 || strspn(data, " \t\r\n") == len)
    return IGT_OK;
  if (is_page(req))
    status = refuse_page(req, err);
  else if (strcmp(req->method, "GET") == 0)
    status = IGT_OK; /* it may lead to a file */
  else if (igt__json_parse(data, len, "the response", &body, NULL) != IGT_OK)
    status = igt__fail(err, IGT_E_PROTOCOL,
                       "%s: the response has status %d but is not the cloud's JSON; it may come "
                       "from a proxy or gateway in between",
                       req->operation, req->http_status);
  else if (reports_error(body))
    status = refuse_error(req, body, err);
  igt__json_free(body);
  return status == IGT_OK ? IGT_OK : name_operation(req, status, err);
}

igt_status igt__response_parse(const igt__http_request *req, igt__json **out, igt_error *err) {
  igt_status status = igt__response_expect_json(req, err);

  if (status != IGT_OK)
    return status;
  status = igt__json_parse(req->response.data, req->response.len, "the response", out, err);
  if (status != IGT_OK) {
    igt__error_prefix(err, "%s", req->operation);
    return name_operation(req, status, err);
  }
  return IGT_OK;
}
