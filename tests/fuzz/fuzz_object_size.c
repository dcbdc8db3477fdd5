/* SPDX-License-Identifier: MIT */
/* The size of an object as reported by a store (Content-Length, Content-Range, to HEAD and GET,
 * with and without a range), and the resulting plan. The first line is "H", "G" or "R FIRST LAST";
 * the header lines of the response follow. */
#include "base/limits.h"
#include "base/mem.h"
#include "demand.h"
#include "http/request.h"
#include "s3/internal.h"
#include "transfer/download/fetch_internal.h"

/* Plans ranges that cover the object and nothing else. */
static void plan(uint64_t size) {
  fetch f = {.size = size};
  uint64_t last;

  if (igt__fetch_divide(&f, NULL) != IGT_OK)
    return;
  demand((size == 0) == (f.range_count == 0));
  if (f.range_count > 0) {
    last = igt__fetch_range_length(&f, f.range_count - 1);
    demand(last > 0 && last <= IGT__FETCH_RANGE);
    demand((uint64_t)(f.range_count - 1) * IGT__FETCH_RANGE + last == size);
  }
  igt__free(f.got);
}

static void look(const igt__s3_request *req) {
  if (!req->size_known)
    demand(req->object_size == 0);
  demand(req->object_size <= IGT__S3_MAX_OBJECT);
  demand(req->content_length >= -1);
  if (req->http_status == 206)
    demand(req->size_known && req->content_length > 0 &&
           (uint64_t)req->content_length <= req->object_size);
  if (req->ranged && req->http_status == 206)
    demand((uint64_t)req->content_length <= req->last - req->first + 1);
  if (req->size_known)
    plan(req->object_size);
}

static void read_ask(igt__s3_request *req, const char *line) {
  unsigned long long first = 0, last = 0;

  req->ranged = *line == 'R' && sscanf(line + 1, "%llu %llu", &first, &last) == 2 &&
                first <= last && last < INT64_MAX; /* no request exceeds an object's size */
  req->first = first;
  req->last = last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = igt__strndup((const char *)data, size), *at = text ? strchr(text, '\n') : NULL;
  igt__s3_request req;
  bool good = true;

  if (!at ||
      igt__s3_request_init(&req, *text == 'H' ? IGT__S3_HEAD : IGT__S3_GET, NULL) != IGT_OK) {
    igt__free(text);
    return 0;
  }
  read_ask(&req, text);
  req.http.method = *text == 'H' ? "HEAD" : "GET";
  req.http.payload = &req;
  req.http.redirects_are_responses = true;
  req.http.on_headers = igt__s3_on_headers;
  igt__response_reset(&req.http.priv->attempt.response);
  for (at++; good && *at && !req.http.priv->attempt.response.begun;) {
    size_t n = strcspn(at, "\n");

    n += at[n] == '\n';
    good = igt__response_line(&req.http.priv->attempt.response, at, n);
    at += n;
  }
  if (good && req.http.priv->attempt.response.begun && req.http_status >= 200 &&
      req.http_status < 300)
    look(&req);
  igt__s3_request_finish(&req);
  igt__free(text);
  return 0;
}
