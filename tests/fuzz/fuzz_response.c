/* SPDX-License-Identifier: MIT */
/* The header lines and the body of an HTTP response, within the limits of limits.h. Lines up to the
 * first empty one, then the body in blocks. */
#include "base/limits.h"
#include "demand.h"
#include "http/request.h"

static bool lines(igt__response *response, const char **data, const char *end) {
  while (*data < end && !response->begun) {
    const char *line = *data, *lf = memchr(line, '\n', (size_t)(end - line));

    *data = lf ? lf + 1 : end;
    if (!igt__response_line(response, line, (size_t)(*data - line)))
      return false;
  }
  return response->begun;
}

static void body(igt__response *response, const char *data, const char *end) {
  for (size_t n = 0; data < end; data += n) {
    n = 1 + (unsigned char)*data % 97u;
    if (n > (size_t)(end - data))
      n = (size_t)(end - data);
    if (!igt__response_data(response, data, n)) {
      demand(response->cut || response->err->status != IGT_OK);
      return;
    }
  }
  demand(response->req->response.len <= IGT__MAX_JSON_BODY);
}

static void look(const igt__http_request *req) {
  static const char *const names[] = {"Location", "Date", "ETag", "Retry-After", "Content-Range"};
  const char *cookie;

  demand(req->http_status >= 100 && req->http_status <= 599);
  demand(req->content_length >= -1);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    (void)igt__http_response_header(req, names[i], 0);
  for (size_t i = 0; (cookie = igt__http_response_header(req, "Set-Cookie", i)) != NULL; i++)
    demand(i < IGT__MAX_HEADER_COUNT && !strpbrk(cookie, "\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *at = (const char *)data, *end = at + size;
  igt__response *response;
  igt__http_request req;

  if (igt__http_request_init(&req, NULL) != IGT_OK)
    return 0;
  req.method = "GET";
  req.operation = "fuzz";
  req.max_body = 1 << 16;
  response = &req.priv->attempt.response;
  igt__response_reset(response);
  if (lines(response, &at, end)) {
    look(&req);
    body(response, at, end);
  }
  igt__http_request_finish(&req);
  return 0;
}
