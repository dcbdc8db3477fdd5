/* SPDX-License-Identifier: MIT */
#include "seed_files.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"

#define PIECE (64u * 1024)
#define MAX_TEXT (256u * 1024 * 1024)

/* An object on its way into the store. */
typedef struct writer {
  sbx_incoming *in;
  igt__digest *md5, *crc64; /* crc64 NULL: an object of the time before S3 had them */
  uint64_t size;
  bool ok;
} writer;

static writer writer_begin(sbx_server *server, bool checksum) {
  writer w = {sbx_incoming_new(server->store), igt__digest_new(IGT__MD5),
              checksum ? igt__digest_new(IGT__CRC64NVME) : NULL, 0, false};
  w.ok = w.in && w.md5 && (w.crc64 || !checksum);
  return w;
}

static void writer_finish(writer *w) {
  igt__digest_free(w->md5);
  igt__digest_free(w->crc64);
}

static void writer_add(writer *w, const void *data, size_t n) {
  w->ok = w->ok && sbx_incoming_write(w->in, data, n);
  if (w->ok)
    igt__digest_update(w->md5, data, n);
  if (w->ok && w->crc64)
    igt__digest_update(w->crc64, data, n);
  w->size += n;
}

static bool add_checksum(writer *w, sbx_object *object) {
  unsigned char crc[IGT__DIGEST_MAX];
  if (!w->crc64)
    return true;
  igt__digest_final(w->crc64, crc);
  return sbx_s3_add_own_checksum(object, crc);
}

static bool writer_end(writer *w, sbx_server *server, const char *key) {
  unsigned char digest[IGT__DIGEST_MAX];
  sbx_object object = {.key = (char *)(uintptr_t)key,
                       .size = w->size,
                       .modified = igt__wall_seconds(),
                       .sse = "AES256"};
  if (w->ok) {
    igt__digest_final(w->md5, digest);
    igt__hex(digest, igt__digest_size(IGT__MD5), object.etag);
    w->ok = add_checksum(w, &object);
  }
  if (w->ok)
    w->ok = sbx_object_commit(server->store, SBX_BUCKET, w->in, &object);
  else
    sbx_incoming_discard(w->in);
  igt__free(object.metadata);
  writer_finish(w);
  return w->ok;
}

bool rest_object_put(sbx_server *server, const char *key, const void *data, size_t n) {
  writer w = writer_begin(server, true);
  writer_add(&w, data, n);
  return writer_end(&w, server, key);
}

/* ---- what is in it ---- */

/* FNV-1a, so that each key has bytes of its own, the same in each run. */
static uint64_t key_hash(const char *key) {
  uint64_t h = 0xcbf29ce484222325u;
  for (; *key; key++)
    h = (h ^ (unsigned char)*key) * 0x100000001b3u;
  return h;
}

/* xorshift64*: incompressible, and faster than the disk. */
static void add_noise(writer *w, uint64_t state, uint64_t size) {
  uint64_t words[PIECE / 8];
  state |= 1;
  while (size > 0 && w->ok) {
    size_t n = size < sizeof words ? (size_t)size : sizeof words;
    for (size_t i = 0; i < (n + 7) / 8; i++) {
      state ^= state >> 12;
      state ^= state << 25;
      state ^= state >> 27;
      words[i] = state * 0x2545F4914F6CDD1Du;
    }
    writer_add(w, words, n);
    size -= n;
  }
}

static void add_fill(writer *w, const char *fill, uint64_t size) {
  size_t len = strlen(fill);
  char piece[PIECE];
  size_t whole = len < sizeof piece ? sizeof piece / len * len : 0;
  for (size_t at = 0; at < whole; at += len)
    memcpy(piece + at, fill, len);
  while (size > 0 && w->ok) {
    const char *from = whole ? piece : fill;
    size_t most = whole ? whole : len;
    size_t n = size < most ? (size_t)size : most;
    writer_add(w, from, n);
    size -= n;
  }
}

/* False: the spec says nothing that could be in it. */
static bool add_spec(writer *w, const igt__json *spec, const char *key) {
  const igt__json *text = igt__json_get(spec, "text"), *size = igt__json_get(spec, "size");
  const char *base64 = igt__json_get_str(spec, "base64"), *fill = igt__json_get_str(spec, "fill");
  if (igt__json_typeof(text) == IGT__JSON_STRING) {
    writer_add(w, igt__json_str(text), igt__json_str_len(text));
  } else if (base64) {
    igt__buf bytes;
    igt__buf_init(&bytes, MAX_TEXT);
    bool ok = igt__base64_decode(&bytes, base64, strlen(base64));
    writer_add(w, bytes.data, bytes.len);
    igt__buf_finish(&bytes);
    return ok;
  } else if (igt__json_typeof(size) == IGT__JSON_INT && igt__json_int(size) >= 0) {
    if (fill && *fill)
      add_fill(w, fill, (uint64_t)igt__json_int(size));
    else
      add_noise(w, key_hash(key), (uint64_t)igt__json_int(size));
  } else {
    return false;
  }
  return true;
}

/* ---- the file ---- */

static bool category_find(const char *name, rest_category *out) {
  for (rest_category c = REST_FILES; c < REST_CATEGORIES; c++) {
    if (!name || strcmp(name, rest_category_names[c]) == 0) {
      *out = c;
      return true;
    }
  }
  return false;
}

/* true unless the spec says false */
static bool unless_false(const igt__json *spec, const char *key) {
  const igt__json *v = igt__json_get(spec, key);
  return igt__json_typeof(v) != IGT__JSON_BOOL || igt__json_bool(v);
}

static bool file_row(sbx_server *server, const char *owner, const char *key, uint64_t size,
                     const igt__json *spec) {
  const igt__json *raw = igt__json_get(spec, "raw");
  return sbx_file_put(server->store, owner, key, (int64_t)size, unless_false(spec, "completed")) &&
         (!raw || sbx_doc_put(server->store, "file-raw", key, owner, raw));
}

bool rest_seed_file(sbx_server *server, const char *owner, bool study, const char *prefix,
                    const igt__json *spec, igt_error *err) {
  const char *path = igt__json_get_str(spec, "path");
  rest_category category = REST_FILES;
  igt__buf key;
  bool ok = false;
  if (!path || !*path || !category_find(igt__json_get_str(spec, "category"), &category)) {
    igt__fail(err, IGT_E_INVALID,
              "a file needs a path, and a category of files, dicom, annotations or pathis");
    return false;
  }
  igt__buf_init(&key, 16 * 1024);
  igt__buf_printf(&key, "%s%s%s", prefix, study ? rest_category_folders[category] : "", path);
  writer w = writer_begin(server, unless_false(spec, "checksum"));
  if (!add_spec(&w, spec, key.data)) {
    igt__fail(err, IGT_E_INVALID, "the file %.200s needs text, base64 or size", path);
    w.ok = false;
  }
  uint64_t size = w.size;
  bool row = category == REST_FILES || igt__json_has(spec, "raw");
  if (w.ok && !unless_false(spec, "object")) {
    sbx_incoming_discard(w.in);
    writer_finish(&w);
    ok = true;
  } else {
    ok = writer_end(&w, server, key.data);
  }
  if (ok && row)
    ok = category == REST_FILES
             ? file_row(server, owner, key.data, size, spec)
             : sbx_doc_put(server->store, "file-raw", key.data, owner, igt__json_get(spec, "raw"));
  if (!ok && err && err->status == IGT_OK)
    igt__fail(err, IGT_E_IO, "the file %.200s could not be stored", path);
  igt__buf_finish(&key);
  return ok;
}

bool rest_seed_bulk_file(sbx_server *server, const char *owner, const char *prefix,
                         const char *path, const igt__json *spec, igt_error *err) {
  int64_t size = igt__json_int(igt__json_get(spec, "size"));
  bool ok = true;
  char key[1100];
  snprintf(key, sizeof key, "%s%s%s", prefix, rest_category_folders[REST_FILES], path);
  if (unless_false(spec, "object")) {
    writer w = writer_begin(server, unless_false(spec, "checksum"));
    add_noise(&w, key_hash(key), (uint64_t)size);
    ok = writer_end(&w, server, key);
  }
  if (ok && sbx_file_put(server->store, owner, key, size, true))
    return true;
  igt__fail(err, IGT_E_IO, "the file %.200s could not be stored", path);
  return false;
}
