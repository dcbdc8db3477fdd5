/* SPDX-License-Identifier: MIT */
/* Parses the headers and the body of a response as they arrive, within the bounds of limits.h.
 *
 * The callbacks in attempt.c pass each header line to igt__response_line and body bytes to
 * igt__response_data. Headers are collected in response->head. A body < 400 goes to the
 * request's spool (of a stream), its on_data, or req->response; of an error response the first 64
 * KiB are kept, and curl is stopped if it goes on for too long. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "base/time.h"
#include "http/response.h"

void igt__response_reset(igt__response *response) {
  igt__http_request *req = response->req;

  response->begun = response->cut = false;
  response->dropped = 0;
  response->line_bytes = response->line_count = 0;
  igt__buf_clear(&response->head);
  igt__buf_clear(&req->response);
  req->http_status = 0;
  req->content_length = -1;
  req->server_date = 0;
}

const char *igt__response_header(const igt__response *response, const char *name, size_t nth) {
  const char *p = response->head.data, *end = p + response->head.len;

  while (p < end) {
    const char *value = p + strlen(p) + 1;
    if (igt__str_eq_nocase(p, name) && nth-- == 0)
      return value;
    p = value + strlen(value) + 1;
  }
  return NULL;
}

bool igt__response_is_redirect(const igt__response *response) {
  int s = response->req->http_status;

  return !response->req->redirects_are_responses &&
         (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) &&
         igt__response_header(response, "Location", 0);
}

/* A partial body that was not requested would be taken for the whole. */
static bool is_unwanted_part(const igt__response *response) {
  return response->req->http_status == 206 && !response->ranged;
}

bool igt__response_is_error(const igt__response *response) {
  const igt__http_request *req = response->req;

  if (req->redirects_are_responses)
    return req->http_status >= 400;
  return req->http_status >= 300 || is_unwanted_part(response);
}

/* ---- header lines ---- */

static bool too_much(igt__response *response, const char *what) {
  igt__fail(response->err, IGT_E_LIMIT, "%s: the response has %s than allowed", response->host,
            what);
  return false;
}

/* "HTTP/1.1 200 OK": discards earlier lines, such as those of 100 Continue. */
static bool read_status_line(igt__response *response, const char *line, size_t n) {
  const char *space = memchr(line, ' ', n);
  int value = 0;

  igt__buf_clear(&response->head);
  if (space && n - (size_t)(space - line) >= 4)
    for (int i = 1; i <= 3; i++)
      value = value * 10 + (space[i] - '0');
  if (value < 100 || value > 599) {
    igt__fail(response->err, IGT_E_PROTOCOL, "%s: the response's status line is invalid",
              response->host);
    return false;
  }
  response->req->http_status = value;
  return true;
}

static bool keep_line(igt__response *response, const char *line, size_t n) {
  const char *colon = memchr(line, ':', n), *value;
  igt__buf *head = &response->head;

  if (!colon || colon == line || *line == ' ' || *line == '\t')
    return true; /* not a header, or a folded continuation line (obsolete, RFC 9112 5.2) */
  value = colon + 1;
  n -= (size_t)(value - line);
  while (n > 0 && (*value == ' ' || *value == '\t'))
    value++, n--;
  while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
    n--;
  if (memchr(line, '\0', (size_t)(colon - line)) || memchr(value, '\0', n)) {
    igt__fail(response->err, IGT_E_PROTOCOL, "%s: a NUL in the response's header", response->host);
    return false;
  }
  igt__buf_append(head, line, (size_t)(colon - line));
  igt__buf_putc(head, '\0');
  igt__buf_append(head, value, n);
  if (igt__buf_putc(head, '\0'))
    return true;
  igt__fail_memory(response->err);
  return false;
}

/* Several lengths are one if they are equal; else it is unknown which of them is the body's, for us
 * and for a proxy before us (RFC 9110 8.6). */
static igt_status check_one_length(const igt__response *response) {
  const char *first = NULL, *value;
  size_t first_len = 0;

  for (size_t i = 0; (value = igt__response_header(response, "Content-Length", i)) != NULL; i++)
    for (; *value; value += *value == ',') {
      value += strspn(value, " \t");
      size_t n = strcspn(value, ", \t");
      if (first && (n != first_len || memcmp(first, value, n) != 0))
        return igt__fail(response->err, IGT_E_PROTOCOL,
                         "%s: the response has several Content-Lengths, which differ",
                         response->host);
      first = value;
      first_len = n;
      value += n;
      value += strspn(value, " \t");
      if (*value && *value != ',')
        return igt__fail(response->err, IGT_E_PROTOCOL,
                         "%s: the response has an invalid Content-Length", response->host);
    }
  return IGT_OK;
}

static igt_status check_length(igt__response *response) {
  igt__http_request *req = response->req;

  if (req->on_data || response->spool || req->content_length < 0 ||
      strcmp(req->method, "HEAD") == 0 || (uint64_t)req->content_length <= req->response.max)
    return IGT_OK;
  return igt__fail(response->err, IGT_E_LIMIT,
                   "%s: the response announces %lld bytes, more than the limit of %zu",
                   response->host, (long long)req->content_length, req->response.max);
}

/* A callback that succeeded may have left the reason of something that it coped with, which must
 * not become the reason why the attempt fails later. */
static bool settle(igt__response *response, igt_status status) {
  if (status)
    response->err->status = status;
  else if (response->err->status)
    igt__error_clear(response->err);
  return status == IGT_OK;
}

/* The empty line after the headers of the final response (not of a 1xx before it). */
static bool end_header(igt__response *response) {
  igt__http_request *req = response->req;
  const char *length = igt__response_header(response, "Content-Length", 0);
  const char *date = igt__response_header(response, "Date", 0);
  igt_status status = IGT_OK;

  if (req->http_status < 200)
    return true;
  response->begun = true;
  if (!length || !igt__str_to_int64(length, &req->content_length) || req->content_length < 0)
    req->content_length = -1;
  if (date)
    igt__http_date_parse(date, &req->server_date);
  req->response.max = req->max_body ? req->max_body : IGT__MAX_JSON_BODY;
  if (igt__response_is_error(response)) {
    req->response.max = IGT__MAX_ERROR_BODY;
    return true;
  }
  status = check_one_length(response);
  if (!status)
    status = check_length(response);
  if (!status && req->on_headers)
    status = req->on_headers(req, response->err);
  if (!status && response->spool)
    igt__spool_open(response->spool);
  return settle(response, status);
}

bool igt__response_line(igt__response *response, const char *line, size_t n) {
  response->line_bytes += n;
  response->line_count++;
  if (response->line_bytes > IGT__MAX_HEADER_BYTES)
    return too_much(response, "longer header lines");
  if (response->line_count > IGT__MAX_HEADER_COUNT)
    return too_much(response, "more header lines");
  while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
    n--;
  if (response->begun)
    return true; /* trailers of a chunked body: counted, otherwise ignored */
  if (n > 5 && memcmp(line, "HTTP/", 5) == 0)
    return read_status_line(response, line, n);
  return n == 0 ? end_header(response) : keep_line(response, line, n);
}

/* ---- body ---- */

static bool collect(igt__response *response, const char *data, size_t n) {
  igt__buf *body = &response->req->response;

  if (igt__buf_append(body, data, n))
    return true;
  if (body->too_long)
    igt__fail(response->err, IGT_E_LIMIT, "%s: the response does not end within %zu bytes",
              response->host, body->max);
  else
    igt__fail_memory(response->err);
  return false;
}

/* The start of an error page is enough, and an endless one must not occupy the connection. */
static bool collect_error(igt__response *response, const char *data, size_t n) {
  igt__buf *body = &response->req->response;
  size_t left = IGT__MAX_ERROR_BODY - body->len;

  if (!response->req->collect_error_body || igt__response_is_redirect(response))
    left = 0;
  response->dropped += n > left ? n - left : 0;
  if (!igt__buf_append(body, data, n < left ? n : left)) {
    igt__fail_memory(response->err);
    return false;
  }
  response->cut = response->dropped > IGT__MAX_ERROR_BODY;
  return !response->cut;
}

bool igt__response_data(igt__response *response, const char *data, size_t n) {
  igt__http_request *req = response->req;
  igt_status status;

  if (igt__response_is_error(response))
    return collect_error(response, data, n);
  if (response->spool)
    status = igt__spool_push(response->spool, data, n, response->host, response->err);
  else if (req->on_data)
    status = req->on_data(req, data, n, response->err);
  else
    return collect(response, data, n);
  response->delivered = true;
  return settle(response, status);
}
