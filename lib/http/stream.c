/* SPDX-License-Identifier: MIT */
/* Responses that a blocking caller reads in chunks: a request whose body goes to a spool. */
#include <stdatomic.h>

#include "base/mem.h"
#include "http/loop.h"
#include "http/request.h"

struct igt__http_stream {
  igt__http *http;
  igt__http_request *req;
  igt__spool spool;
};

static void free_stream(igt__http_stream *stream) {
  igt__http_end_blocking(stream->http);
  stream->req->priv->spool = NULL;
  igt__spool_finish(&stream->spool);
  igt__free(stream);
}

/* A longer response arrives while the caller reads what there is. */
#define FIRST_READ (32u * 1024)

/* For the thread that drives the loop: only it adds to the spool meanwhile. */
static bool is_enough(const void *payload) {
  const igt__spool *spool = payload;

  return spool->done || (spool->open && spool->total >= FIRST_READ);
}

igt_status igt__http_open(igt__http *http, igt__http_request *req, uint64_t max_bytes,
                          igt__http_stream **out, igt_error *err) {
  igt__http_stream *stream = igt__malloc(sizeof *stream);
  igt_status status;

  *out = NULL;
  if (!stream)
    return igt__fail_memory(err);
  stream->req = req;
  stream->http = http;
  igt__spool_init(&stream->spool, max_bytes);
  req->priv->spool = &stream->spool;
  atomic_store(&req->priv->abort, false);
  igt__http_submit_blocking(http, req, is_enough, &stream->spool);
  status = igt__spool_wait_open(&stream->spool, err);
  if (status)
    free_stream(stream);
  else
    *out = stream;
  return status;
}

igt_status igt__http_read(igt__http_stream *stream, char *data, size_t cap, size_t *n,
                          igt_error *err) {
  return igt__spool_read(&stream->spool, data, cap, n, err);
}

void igt__http_close(igt__http_stream *stream) {
  struct igt__http_private *priv;

  if (!stream)
    return;
  priv = stream->req->priv;
  if (!igt__spool_is_done(&stream->spool)) {
    atomic_store(&priv->abort, true);
    igt__loop_wake(priv->loop, true);
  }
  igt__spool_wait_done(&stream->spool);
  atomic_store(&priv->abort, false);
  free_stream(stream);
}
