/* SPDX-License-Identifier: MIT */
#include "gzip.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

/* Level 1 makes a tenth of a list, at some 150 MB/s; level 6 a twelfth, at a third of that. */
enum { CHUNK = SBX_GZIP_HEAD, LEVEL = 1, GZIP = 16 };

struct sbx_gzip {
  z_stream z;
  int64_t (*next)(void *payload, char *out, size_t cap);
  void (*release)(void *payload);
  void *payload;
  char in[CHUNK];
  bool last, ended;
};

sbx_gzip *sbx_gzip_new(const char *head, size_t n,
                       int64_t (*next)(void *payload, char *out, size_t cap),
                       void (*release)(void *payload), void *payload) {
  sbx_gzip *g = n <= CHUNK ? igt__calloc(1, sizeof *g) : NULL;

  if (!g ||
      deflateInit2(&g->z, LEVEL, Z_DEFLATED, MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    igt__free(g);
    if (release)
      release(payload);
    return NULL;
  }
  g->next = next;
  g->release = release;
  g->payload = payload;
  memcpy(g->in, head, n);
  g->z.next_in = (unsigned char *)g->in;
  g->z.avail_in = (unsigned)n;
  return g;
}

static bool refill(sbx_gzip *g) {
  int64_t n = g->next(g->payload, g->in, CHUNK);

  if (n < 0)
    return false;
  g->last = n == 0;
  g->z.next_in = (unsigned char *)g->in;
  g->z.avail_in = (unsigned)n;
  return true;
}

int64_t sbx_gzip_next(void *gzip, char *out, size_t cap) {
  sbx_gzip *g = gzip;

  cap = cap < CHUNK ? cap : CHUNK;
  g->z.next_out = (unsigned char *)out;
  g->z.avail_out = (unsigned)cap;
  while (!g->ended && g->z.avail_out == cap) {
    if (g->z.avail_in == 0 && !g->last && !refill(g))
      return -1;
    g->ended = deflate(&g->z, g->last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_END;
  }
  return (int64_t)(cap - g->z.avail_out);
}

void sbx_gzip_free(void *gzip) {
  sbx_gzip *g = gzip;

  (void)deflateEnd(&g->z);
  if (g->release)
    g->release(g->payload);
  igt__free(g);
}
