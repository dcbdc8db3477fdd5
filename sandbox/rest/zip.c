/* SPDX-License-Identifier: MIT */
/* ZIP archives of stored objects, produced in order by rest_zip_next: pending headers first, then
 * the bytes of the current object's file, and after the last member the central directory. Only the
 * list of members is kept in memory. Fields beyond 32 bits use Zip64. archives.c adds the members
 * and streams the result as a response. */
#include "zip.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/crypto.h"

#define LOCAL 0x04034b50u
#define CENTRAL 0x02014b50u
#define END64 0x06064b50u
#define LOCATOR64 0x07064b50u
#define END 0x06054b50u
#define NEEDS_20 20u
#define NEEDS_45 45u    /* Zip64 */
#define MADE_BY 0x032Du /* Unix, 4.5 */
#define UTF8_NAME 0x0800u
#define BIG 0xFFFFFFFFu
#define MANY 0xFFFFu
#define BLOCK (64u * 1024)

typedef struct member {
  char *key, *name;
  uint64_t size, offset;
  uint32_t crc, stamp; /* stamp: date << 16 | time in DOS format */
} member;

struct rest_zip {
  sbx_store *store;
  const char *bucket;
  member *members;
  size_t count, cap;

  igt__buf pending; /* headers to be sent, and how much of them was */
  size_t pending_sent;
  size_t at;     /* the next member */
  int fd;        /* of the member being sent; -1: none */
  uint64_t left; /* remaining bytes of it */
  uint64_t sent; /* bytes of the archive so far */
  bool ended;
};

rest_zip *rest_zip_new(sbx_store *store, const char *bucket) {
  rest_zip *zip = igt__calloc(1, sizeof *zip);

  if (!zip)
    return NULL;
  zip->store = store;
  zip->bucket = bucket;
  zip->fd = -1;
  igt__buf_init(&zip->pending, INT_MAX);
  return zip;
}

void rest_zip_free(void *payload) {
  rest_zip *zip = payload;

  if (!zip)
    return;
  for (size_t i = 0; i < zip->count; i++) {
    igt__free(zip->members[i].key);
    igt__free(zip->members[i].name);
  }
  if (zip->fd >= 0)
    close(zip->fd);
  igt__buf_finish(&zip->pending);
  igt__free(zip->members);
  igt__free(zip);
}

bool rest_zip_add(rest_zip *zip, const char *key, const char *name) {
  if (zip->count == zip->cap) {
    size_t cap = zip->cap ? 2 * zip->cap : 64;
    member *members = igt__realloc(zip->members, cap * sizeof *members);
    if (!members)
      return false;
    zip->members = members;
    zip->cap = cap;
  }
  member m = {.key = igt__strdup(key), .name = igt__strdup(name)};
  zip->members[zip->count++] = m;
  return m.key && m.name && strlen(name) <= MANY;
}

/* ---- little endian ---- */

static void put(igt__buf *out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    igt__buf_putc(out, (char)(value >> (8 * i) & 0xFF));
}

static uint32_t dos_time(int64_t seconds) {
  time_t t = (time_t)seconds;
  struct tm tm;

  if (!gmtime_r(&t, &tm) || tm.tm_year < 80 || tm.tm_year > 207)
    return 1u << 21 | 1u << 16; /* 1980-01-01, the earliest representable date */
  return (uint32_t)(tm.tm_year - 80) << 25 | (uint32_t)(tm.tm_mon + 1) << 21 |
         (uint32_t)tm.tm_mday << 16 | (uint32_t)tm.tm_hour << 11 | (uint32_t)tm.tm_min << 5 |
         (uint32_t)(tm.tm_sec / 2);
}

/* ---- one member ---- */

static void put_common(igt__buf *out, const member *m, bool big) {
  put(out, big ? NEEDS_45 : NEEDS_20, 2);
  put(out, UTF8_NAME, 2);
  put(out, 0, 2); /* stored */
  put(out, m->stamp, 4);
  put(out, m->crc, 4);
}

static void put_local(rest_zip *zip, const member *m) {
  bool big = m->size >= BIG;
  igt__buf *out = &zip->pending;

  put(out, LOCAL, 4);
  put_common(out, m, big);
  put(out, big ? BIG : m->size, 4);
  put(out, big ? BIG : m->size, 4);
  put(out, strlen(m->name), 2);
  put(out, big ? 20 : 0, 2);
  igt__buf_puts(out, m->name);
  if (!big)
    return;
  put(out, 1, 2);
  put(out, 16, 2);
  put(out, m->size, 8);
  put(out, m->size, 8);
}

static void put_central(rest_zip *zip, const member *m) {
  bool big = m->size >= BIG, backend = m->offset >= BIG;
  size_t extra = (big ? 16 : 0) + (backend ? 8 : 0);
  igt__buf *out = &zip->pending;

  put(out, CENTRAL, 4);
  put(out, MADE_BY, 2);
  put_common(out, m, big || backend);
  put(out, big ? BIG : m->size, 4);
  put(out, big ? BIG : m->size, 4);
  put(out, strlen(m->name), 2);
  put(out, extra ? extra + 4 : 0, 2);
  put(out, 0, 2);                       /* comment */
  put(out, 0, 2);                       /* disk */
  put(out, 0, 2);                       /* internal attributes */
  put(out, (uint64_t)0100644 << 16, 4); /* a regular Unix file */
  put(out, backend ? BIG : m->offset, 4);
  igt__buf_puts(out, m->name);
  if (extra) {
    put(out, 1, 2);
    put(out, extra, 2);
  }
  if (big) {
    put(out, m->size, 8);
    put(out, m->size, 8);
  }
  if (backend)
    put(out, m->offset, 8);
}

static bool checksum(int fd, uint64_t size, uint32_t *crc) {
  unsigned char sum[IGT__DIGEST_MAX];
  igt__digest *digest = igt__digest_new(IGT__CRC32);
  char *block = igt__malloc(BLOCK);
  uint64_t at = 0;
  ssize_t n = 0;

  while (digest && block && (n = pread(fd, block, BLOCK, (off_t)at)) > 0) {
    igt__digest_update(digest, block, (size_t)n);
    at += (uint64_t)n;
  }
  bool ok = digest && block && n == 0 && at == size;
  if (ok) {
    igt__digest_final(digest, sum);
    *crc = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3];
  }
  igt__digest_free(digest);
  igt__free(block);
  return ok;
}

/* Prepares the next member's header; false: its object was deleted, or cannot be read. */
static bool member_begin(rest_zip *zip) {
  member *m = &zip->members[zip->at++];
  sbx_object object = {0};
  int fd = sbx_object_open(zip->store, zip->bucket, m->key, &object);

  if (fd < 0)
    return false;
  m->size = zip->left = object.size;
  m->offset = zip->sent;
  m->stamp = dos_time(object.modified);
  sbx_object_finish(&object);
  zip->fd = fd;
  if (!checksum(fd, m->size, &m->crc))
    return false;
  put_local(zip, m);
  return true;
}

/* ---- the central directory ---- */

static void put_end64(rest_zip *zip, uint64_t begin, uint64_t end) {
  igt__buf *out = &zip->pending;

  put(out, END64, 4);
  put(out, 44, 8); /* size of what follows */
  put(out, MADE_BY, 2);
  put(out, NEEDS_45, 2);
  put(out, 0, 8); /* disks */
  put(out, zip->count, 8);
  put(out, zip->count, 8);
  put(out, end - begin, 8);
  put(out, begin, 8);
  put(out, LOCATOR64, 4);
  put(out, 0, 4);
  put(out, end, 8);
  put(out, 1, 4);
}

static void put_directory(rest_zip *zip) {
  igt__buf *out = &zip->pending;
  uint64_t begin = zip->sent, end;

  for (size_t i = 0; i < zip->count; i++)
    put_central(zip, &zip->members[i]);
  end = begin + out->len;
  bool big = zip->count >= MANY || begin >= BIG || end - begin >= BIG;
  if (big)
    put_end64(zip, begin, end);
  put(out, END, 4);
  put(out, 0, 4); /* disks */
  put(out, big ? MANY : zip->count, 2);
  put(out, big ? MANY : zip->count, 2);
  put(out, big ? BIG : end - begin, 4);
  put(out, big ? BIG : begin, 4);
  put(out, 0, 2); /* comment */
}

/* ---- sending ---- */

static size_t take_pending(rest_zip *zip, char *out, size_t cap) {
  size_t n = zip->pending.len - zip->pending_sent;

  if (n > cap)
    n = cap;
  memcpy(out, zip->pending.data + zip->pending_sent, n);
  zip->pending_sent += n;
  if (zip->pending_sent == zip->pending.len) {
    igt__buf_clear(&zip->pending);
    zip->pending_sent = 0;
  }
  return n;
}

/* -1: the file is shorter than it was, or cannot be read. */
static int64_t take_bytes(rest_zip *zip, char *out, size_t cap) {
  ssize_t n;

  do {
    n = read(zip->fd, out, cap < zip->left ? cap : (size_t)zip->left);
  } while (n < 0 && errno == EINTR);
  if (n <= 0)
    return -1;
  zip->left -= (uint64_t)n;
  return n;
}

/* Prepares what is sent next; false: failed. */
static bool advance(rest_zip *zip) {
  if (zip->fd >= 0) {
    close(zip->fd);
    zip->fd = -1;
  }
  if (zip->at < zip->count)
    return member_begin(zip) && !zip->pending.failed;
  zip->ended = true;
  put_directory(zip);
  return !zip->pending.failed;
}

int64_t rest_zip_next(void *payload, char *out, size_t cap) {
  rest_zip *zip = payload;
  size_t used = 0;

  while (used < cap) {
    int64_t n;
    if (zip->pending.len > 0)
      n = (int64_t)take_pending(zip, out + used, cap - used);
    else if (zip->fd >= 0 && zip->left > 0)
      n = take_bytes(zip, out + used, cap - used);
    else if (zip->ended)
      break;
    else
      n = advance(zip) ? 0 : -1;
    if (n < 0)
      return -1;
    used += (size_t)n;
    zip->sent += (uint64_t)n;
  }
  return (int64_t)used;
}
