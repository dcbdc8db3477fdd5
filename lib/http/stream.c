/* SPDX-License-Identifier: MIT */
/* Responses that a blocking caller reads in chunks: a request whose body goes to a spool. */
#include <assert.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "http/loop.h"
#include "http/request.h"

struct igt__http_stream {
  igt__http_request *req;
  igt__spool spool;
};

static void free_stream(igt__http_stream *stream) {
  stream->req->priv->spool = NULL;
  igt__spool_finish(&stream->spool);
  igt__free(stream);
}

igt_status igt__http_open(igt__http *http, igt__http_request *req, uint64_t max_bytes,
                          igt__http_stream **out, igt_error *err) {
  igt__http_stream *stream = igt__malloc(sizeof *stream);
  igt_status status;

  *out = NULL;
  if (!stream)
    return igt__fail_memory(err);
  assert(!igt__loop_is_current(http));
  stream->req = req;
  igt__spool_init(&stream->spool, max_bytes);
  req->priv->spool = &stream->spool;
  atomic_store(&req->priv->abort, false);
  igt__http_submit(http, igt__http_any_loop(http), req);
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
