/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "faults/internal.h"

#define MAX_KEY 4096

/* Inverts every bit: no byte of the old object remains. */
static bool copy_turned(int fd, sbx_incoming *in, igt__digest *digest) {
  unsigned char piece[64 * 1024];
  ssize_t n;

  while ((n = read(fd, piece, sizeof piece)) > 0) {
    for (ssize_t i = 0; i < n; i++)
      piece[i] = (unsigned char)~piece[i];
    igt__digest_update(digest, piece, (size_t)n);
    if (!sbx_incoming_write(in, piece, (size_t)n))
      return false;
  }
  return n == 0;
}

static bool store(sbx_store *to, int fd, sbx_object *object) {
  igt__digest *digest = igt__digest_new(IGT__MD5);
  sbx_incoming *in = digest ? sbx_incoming_new(to) : NULL;
  unsigned char md5[16];
  sbx_object turned = {.key = object->key, .size = object->size, .modified = igt__wall_seconds()};
  bool good = in && copy_turned(fd, in, digest);

  if (good) {
    igt__digest_final(digest, md5);
    igt__hex(md5, sizeof md5, turned.etag);
    igt__str_copy(turned.sse, sizeof turned.sse, object->sse);
    good = sbx_object_commit(to, SBX_BUCKET, in, &turned);
  } else if (in) {
    sbx_incoming_discard(in);
  }
  igt__digest_free(digest);
  return good;
}

bool replace_object(sbx_server *server, const char *path) {
  static const char root[] = "/" SBX_BUCKET "/";
  sbx_object object = {0};
  igt__buf key;
  bool good = false;

  igt__buf_init(&key, MAX_KEY);
  if (igt__str_starts(path, root) &&
      igt__uri_decode(&key, path + sizeof root - 1, strlen(path) - (sizeof root - 1), false)) {
    int fd = sbx_object_open(server->store, SBX_BUCKET, key.data, &object);
    good = fd >= 0 && store(server->store, fd, &object);
    if (fd >= 0)
      close(fd);
    sbx_object_finish(&object);
  }
  igt__buf_finish(&key);
  return good;
}
