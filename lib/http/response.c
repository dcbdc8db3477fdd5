/* SPDX-License-Identifier: MIT */
/* Parses the headers and the body of a response as they arrive, within the bounds of limits.h.
 *
 * The callbacks in attempt.c pass each header line to igt__response_line and body bytes to
 * igt__response_data. Headers are collected in priv->response_head. A body < 400 goes to the
 * request's stream, its on_data, or req->response; of an error response the first 64 KiB are kept,
 * and curl is told to stop when it goes on for too long. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "base/time.h"
#include "http/internal.h"

void igt__response_reset(struct igt__http_private *priv) {
  igt__http_request *req = priv->req;

  priv->responding = priv->cut = false;
  priv->dropped = 0;
  priv->header_bytes = priv->header_count = 0;
  igt__buf_clear(&priv->response_head);
  igt__buf_clear(&req->response);
  req->http_status = 0;
  req->content_length = -1;
  req->server_date = 0;
}

bool igt__response_is_redirect(const struct igt__http_private *priv) {
  int s = priv->req->http_status;

  return !priv->req->redirects_are_responses &&
         (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) &&
         igt__http_response_header(priv->req, "Location", 0);
}

/* A partial body that was not requested would be taken for the whole. */
static bool is_unwanted_part(const struct igt__http_private *priv) {
  return priv->req->http_status == 206 && !igt__attempt_has_header(priv, "Range");
}

bool igt__response_is_error(const struct igt__http_private *priv) {
  const igt__http_request *req = priv->req;

  if (req->redirects_are_responses)
    return req->http_status >= 400;
  return req->http_status >= 300 || is_unwanted_part(priv);
}

/* ---- header lines ---- */

static bool too_much(struct igt__http_private *priv, const char *what) {
  igt__fail(&priv->err, IGT_E_LIMIT, "%s: the response has %s than allowed", priv->host, what);
  return false;
}

/* "HTTP/1.1 200 OK": discards earlier lines, such as those of 100 Continue. */
static bool read_status_line(struct igt__http_private *priv, const char *line, size_t n) {
  const char *space = memchr(line, ' ', n);
  int value = 0;

  igt__buf_clear(&priv->response_head);
  if (space && n - (size_t)(space - line) >= 4)
    for (int i = 1; i <= 3; i++)
      value = value * 10 + (space[i] - '0');
  if (value < 100 || value > 599) {
    igt__fail(&priv->err, IGT_E_PROTOCOL, "%s: the response's status line is invalid", priv->host);
    return false;
  }
  priv->req->http_status = value;
  return true;
}

static bool keep_line(struct igt__http_private *priv, const char *line, size_t n) {
  const char *colon = memchr(line, ':', n), *value;
  igt__buf *head = &priv->response_head;

  if (!colon || colon == line || *line == ' ' || *line == '\t')
    return true; /* not a header, or a folded continuation line (obsolete, RFC 9112 5.2) */
  value = colon + 1;
  n -= (size_t)(value - line);
  while (n > 0 && (*value == ' ' || *value == '\t'))
    value++, n--;
  while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
    n--;
  if (memchr(line, '\0', (size_t)(colon - line)) || memchr(value, '\0', n)) {
    igt__fail(&priv->err, IGT_E_PROTOCOL, "%s: a NUL in the response's header", priv->host);
    return false;
  }
  igt__buf_append(head, line, (size_t)(colon - line));
  igt__buf_putc(head, '\0');
  igt__buf_append(head, value, n);
  if (igt__buf_putc(head, '\0'))
    return true;
  igt__fail_memory(&priv->err);
  return false;
}

static igt_status check_length(struct igt__http_private *priv) {
  igt__http_request *req = priv->req;

  if (req->on_data || priv->stream || req->content_length < 0 || strcmp(req->method, "HEAD") == 0 ||
      (uint64_t)req->content_length <= req->response.max)
    return IGT_OK;
  return igt__fail(&priv->err, IGT_E_LIMIT,
                   "%s: the response announces %lld bytes, more than the limit of %zu", priv->host,
                   (long long)req->content_length, req->response.max);
}

/* A callback that succeeded may have left the reason of something that it coped with, which must
 * not become the reason why the attempt fails later. */
static bool settle(struct igt__http_private *priv, igt_status status) {
  if (status)
    priv->err.status = status;
  else if (priv->err.status)
    igt__error_clear(&priv->err);
  return status == IGT_OK;
}

/* The empty line after the headers of the final response (not of a 1xx before it). */
static bool end_header(struct igt__http_private *priv) {
  igt__http_request *req = priv->req;
  const char *length = igt__http_response_header(req, "Content-Length", 0);
  const char *date = igt__http_response_header(req, "Date", 0);
  igt_status status = IGT_OK;

  if (req->http_status < 200)
    return true;
  priv->responding = true;
  if (!length || !igt__str_to_int64(length, &req->content_length) || req->content_length < 0)
    req->content_length = -1;
  if (date)
    igt__http_date_parse(date, &req->server_date);
  req->response.max = req->max_body ? req->max_body : IGT__MAX_JSON_BODY;
  if (igt__response_is_error(priv)) {
    req->response.max = IGT__MAX_ERROR_BODY;
    return true;
  }
  status = check_length(priv);
  if (!status && req->on_headers)
    status = req->on_headers(req, &priv->err);
  if (!status && priv->stream)
    igt__stream_opened_loop(priv->stream);
  return settle(priv, status);
}

bool igt__response_line(struct igt__http_private *priv, const char *line, size_t n) {
  priv->header_bytes += n;
  priv->header_count++;
  if (priv->header_bytes > IGT__MAX_HEADER_BYTES)
    return too_much(priv, "longer header lines");
  if (priv->header_count > IGT__MAX_HEADER_COUNT)
    return too_much(priv, "more header lines");
  while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
    n--;
  if (priv->responding)
    return true; /* trailers of a chunked body: counted, otherwise ignored */
  if (n > 5 && memcmp(line, "HTTP/", 5) == 0)
    return read_status_line(priv, line, n);
  return n == 0 ? end_header(priv) : keep_line(priv, line, n);
}

/* ---- body ---- */

static bool collect(struct igt__http_private *priv, const char *data, size_t n) {
  igt__buf *response = &priv->req->response;

  if (igt__buf_append(response, data, n))
    return true;
  if (response->too_long)
    igt__fail(&priv->err, IGT_E_LIMIT, "%s: the response does not end within %zu bytes", priv->host,
              response->max);
  else
    igt__fail_memory(&priv->err);
  return false;
}

/* The start of an error page is enough, and an endless one must not occupy the connection. */
static bool collect_error(struct igt__http_private *priv, const char *data, size_t n) {
  igt__buf *response = &priv->req->response;
  size_t room = IGT__MAX_ERROR_BODY - response->len;

  if (!priv->req->collect_error_body || igt__response_is_redirect(priv))
    room = 0;
  priv->dropped += n > room ? n - room : 0;
  if (!igt__buf_append(response, data, n < room ? n : room)) {
    igt__fail_memory(&priv->err);
    return false;
  }
  priv->cut = priv->dropped > IGT__MAX_ERROR_BODY;
  return !priv->cut;
}

bool igt__response_data(struct igt__http_private *priv, const char *data, size_t n) {
  igt__http_request *req = priv->req;
  igt_status status;

  if (igt__response_is_error(priv))
    return collect_error(priv, data, n);
  if (priv->stream)
    status = igt__stream_push_loop(priv->stream, data, n, &priv->err);
  else if (req->on_data)
    status = req->on_data(req, data, n, &priv->err);
  else
    return collect(priv, data, n);
  priv->delivered = true;
  return settle(priv, status);
}
