/* SPDX-License-Identifier: MIT */
/* The S3 layer against an independent implementation of S3. Its address and the keys come from the
 * environment, since others may read the arguments of a process. test_s3_layer.py describes the
 * variables and runs this program. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "s3/s3.h"
#include "transfer/engine/pool.h"

#define MIB ((size_t)1024 * 1024)
/* More than a page of a list: 1,000. */
#define MANY 1003

/* ---- the layer, and its credentials ---- */

static igt__http *http;
static igt__s3 *s3;
static igt__pool *pool;
static igt__s3_provider *root;

typedef struct keys {
  const char *access_key, *secret_key, *session_token, *bucket, *region;
  int life; /* in seconds; 0: not given */
} keys;

/* The n-th fetch returns the n-th of them; later ones the last. */
typedef struct fetching {
  keys sets[2];
  unsigned count;
  _Atomic unsigned fetches;
} fetching;

static const char *env(const char *name) {
  const char *value = getenv(name);

  if (!value || !*value)
    fail_msg("%s is not set: scripts/check interop runs this program", name);
  return value;
}

static igt_status fetch(void *payload, igt__s3_credentials **out, igt_error *err) {
  fetching *f = payload;
  unsigned n = atomic_fetch_add(&f->fetches, 1);
  const keys *k = &f->sets[n < f->count ? n : f->count - 1];
  igt__s3_credentials *c = igt__s3_credentials_new();

  (void)err;
  c->access_key = igt__secret_new(k->access_key, strlen(k->access_key));
  c->secret_key = igt__secret_new(k->secret_key, strlen(k->secret_key));
  if (k->session_token)
    c->session_token = igt__secret_new(k->session_token, strlen(k->session_token));
  snprintf(c->bucket, sizeof c->bucket, "%s", k->bucket);
  snprintf(c->endpoint, sizeof c->endpoint, "%s", env("INTEROP_ENDPOINT"));
  snprintf(c->region, sizeof c->region, "%s", k->region);
  c->expires = k->life ? igt__wall_seconds() + k->life : 0;
  *out = c;
  return IGT_OK;
}

static void defer(void *payload, void (*task)(void *arg), void *arg) {
  igt__pool_add(payload, task, arg);
}

static igt__s3_provider *provider_of(fetching *f) {
  igt__s3_provider_options options = {
      .fetch = fetch, .payload = f, .defer = defer, .defer_payload = pool};

  return igt__s3_provider_new(&options);
}

static keys root_keys(void) {
  return (keys){env("INTEROP_ACCESS_KEY"),
                env("INTEROP_SECRET_KEY"),
                NULL,
                env("INTEROP_BUCKET"),
                "us-east-1",
                0};
}

static keys session_keys(const char *token) {
  return (keys){env("INTEROP_SESSION_ACCESS_KEY"),
                env("INTEROP_SESSION_SECRET_KEY"),
                token,
                env("INTEROP_BUCKET"),
                "us-east-1",
                0};
}

static fetching root_fetching;

static int open_s3(void **state) {
  igt__http_options options = {.user_agent = "igtcloud-interop", .retries = UINT_MAX};

  (void)state;
  unsetenv("AWS_ENDPOINT_URL_S3");
  unsetenv("AWS_ENDPOINT_URL");
  pool = igt__pool_new("test", 1);
  root_fetching = (fetching){.sets = {root_keys()}, .count = 1};
  root = provider_of(&root_fetching);
  return igt__http_new(&options, &http, NULL) || igt__s3_new(http, &s3, NULL) || !pool || !root;
}

static int close_s3(void **state) {
  (void)state;
  igt__s3_provider_unref(root);
  igt__pool_free(pool);
  igt__s3_free(s3);
  igt__http_free(http);
  return 0;
}

/* ---- requests ---- */

static void begin(igt__s3_request *req, igt__s3_op op, const char *key) {
  assert_int_equal(igt__s3_request_init(req, op, NULL), IGT_OK);
  req->provider = root;
  req->key = key;
}

static void succeed(igt__s3_request *req) {
  igt_error err = IGT_ERROR_INIT;

  if (igt__s3_perform(s3, req, &err) != IGT_OK)
    fail_msg("%s: %s (%s, HTTP %d)", req->key ? req->key : "", err.text, err.code, err.http_status);
}

/* Checks what users read and programs act on. code NULL: HEAD has none. */
static void refused(igt__s3_request *req, igt_status status, int http_status, const char *code) {
  igt_error err = IGT_ERROR_INIT;

  (void)igt__s3_perform(s3, req, &err);
  print_message("refused: %s (%s, HTTP %d, request %s)\n", err.text, err.code, err.http_status,
                err.request_id);
  assert_int_equal(err.status, status);
  assert_int_equal(err.http_status, http_status);
  assert_string_equal(err.code, code ? code : "");
  assert_true(*err.operation && *err.request_id);
  if (code) {
    assert_ptr_equal(strstr(err.text, "S3 says: "), err.text);
    assert_non_null(strstr(err.text, igt_status_text(status))); /* this store sends no message */
  } else {
    assert_ptr_equal(strstr(err.text, "S3 responded with HTTP "), err.text);
  }
  assert_int_equal(req->http_status, http_status);
  igt__s3_request_finish(req);
}

static void set_body(igt__s3_request *req, const void *data, size_t n) {
  req->body = data;
  req->body_len = n;
  igt__digest_of(IGT__SHA256, data, n, req->sha256);
  req->has_md5 = true; /* this radosgw does not return checksums */
  igt__digest_of(IGT__MD5, data, n, req->md5);
}

static void put(const char *key, const void *data, size_t n) {
  igt__s3_request req;
  char md5[33];

  begin(&req, IGT__S3_PUT, key);
  set_body(&req, data, n);
  succeed(&req);
  igt__hex(req.md5, 16, md5);
  assert_string_equal(req.etag, md5);
  igt__s3_request_finish(&req);
}

static void get_is(igt__s3_request *req, const void *data, size_t n) {
  succeed(req);
  assert_int_equal(req->content_length, n);
  assert_int_equal(req->http.response.len, n);
  assert_memory_equal(req->http.response.data, data, n);
  igt__s3_request_finish(req);
}

static unsigned char *pattern(size_t n) {
  unsigned char *data = malloc(n + 1);

  assert_non_null(data);
  for (size_t i = 0; i < n; i++)
    data[i] = (unsigned char)((i * 7 + i / 251) % 256);
  return data;
}

/* ---- objects ---- */

static void test_objects_of_many_sizes(void **state) {
  static const size_t sizes[] = {0, 1, 70000, 3 * MIB + 1};
  unsigned char *data = pattern(3 * MIB + 1);
  char md5[33];

  (void)state;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    igt__s3_request req;
    put("sizes/one", data, sizes[i]);
    begin(&req, IGT__S3_HEAD, "sizes/one");
    succeed(&req);
    assert_int_equal(req.object_size, sizes[i]);
    assert_in_range(req.last_modified, igt__wall_seconds() - 300, igt__wall_seconds() + 300);
    unsigned char digest[16];
    igt__digest_of(IGT__MD5, data, sizes[i], digest);
    igt__hex(digest, 16, md5);
    assert_string_equal(req.etag, md5);
    igt__s3_request_finish(&req);
    begin(&req, IGT__S3_GET, "sizes/one");
    get_is(&req, data, sizes[i]);
  }
  free(data);
}

static void test_a_body_of_a_file(void **state) {
  unsigned char *data = pattern(300000);
  FILE *file = tmpfile();
  igt__s3_request req;

  (void)state;
  assert_int_equal(fwrite(data, 1, 300000, file), 300000);
  assert_int_equal(fflush(file), 0);
  begin(&req, IGT__S3_PUT, "sizes/file");
  set_body(&req, data + 1000, 200000);
  req.body = NULL;
  req.body_fd = fileno(file);
  req.body_offset = 1000;
  succeed(&req);
  igt__s3_request_finish(&req);
  begin(&req, IGT__S3_GET, "sizes/file");
  get_is(&req, data + 1000, 200000);
  fclose(file);
  free(data);
}

typedef struct sink {
  unsigned char *data;
  size_t n;
  unsigned headers;
} sink;

static igt_status keep(igt__s3_request *req, const char *data, size_t n, igt_error *err) {
  sink *to = req->payload;

  (void)err;
  memcpy(to->data + to->n, data, n);
  to->n += n;
  return IGT_OK;
}

static igt_status count_headers(igt__s3_request *req, igt_error *err) {
  (void)err;
  ((sink *)req->payload)->headers++;
  return IGT_OK;
}

static void test_read_as_it_comes(void **state) {
  unsigned char *data = pattern(2 * MIB);
  sink to = {.data = malloc(2 * MIB)};
  igt__s3_request req;

  (void)state;
  put("sizes/stream", data, 2 * MIB);
  begin(&req, IGT__S3_GET, "sizes/stream");
  req.payload = &to;
  req.on_data = keep;
  req.on_headers = count_headers;
  succeed(&req);
  igt__s3_request_finish(&req);
  assert_int_equal(to.headers, 1);
  assert_int_equal(to.n, 2 * MIB);
  assert_memory_equal(to.data, data, 2 * MIB);
  free(to.data);
  free(data);
}

/* The store verifies both digests, and stores nothing that does not match them. */
static void test_damaged_on_the_way(void **state) {
  igt__s3_request req;

  (void)state;
  begin(&req, IGT__S3_PUT, "damaged");
  set_body(&req, "right", 5);
  req.md5[0] ^= 1;
  refused(&req, IGT_E_CHECKSUM, 400, "BadDigest");
  begin(&req, IGT__S3_PUT, "damaged");
  set_body(&req, "right", 5);
  req.sha256[0] ^= 1;
  refused(&req, IGT_E_CHECKSUM, 400, "XAmzContentSHA256Mismatch");
  begin(&req, IGT__S3_HEAD, "damaged");
  refused(&req, IGT_E_NOT_FOUND, 404, NULL);
}

static void test_ranges(void **state) {
  unsigned char *data = pattern(100000);
  igt__s3_request req;
  char etag[80];

  (void)state;
  put("ranged", data, 100000);
  begin(&req, IGT__S3_HEAD, "ranged");
  succeed(&req);
  strcpy(etag, req.etag);
  igt__s3_request_finish(&req);
  static const struct {
    uint64_t first, last, n;
  } table[] = {{0, 0, 1},
               {0, 99999, 100000},
               {500, 1499, 1000},
               {99999, 99999, 1},
               {99000, 200000, 1000} /* ends with the object */};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    begin(&req, IGT__S3_GET, "ranged");
    req.ranged = true;
    req.first = table[i].first;
    req.last = table[i].last;
    req.if_match = etag;
    succeed(&req);
    assert_int_equal(req.http_status, 206);
    assert_int_equal(req.object_size, 100000);
    assert_int_equal(req.http.response.len, table[i].n);
    assert_memory_equal(req.http.response.data, data + table[i].first, table[i].n);
    assert_string_equal(req.etag, etag);
    igt__s3_request_finish(&req);
  }
  begin(&req, IGT__S3_GET, "ranged"); /* beyond the end */
  req.ranged = true;
  req.first = 100000;
  req.last = 100001;
  refused(&req, IGT_E_RANGE, 416, "InvalidRange");
  free(data);
}

/* Ranges of an object that was replaced between two of them are not mixed. */
static void test_only_the_object_that_was_meant(void **state) {
  igt__s3_request req;
  char etag[80];

  (void)state;
  put("matched", "before", 6);
  begin(&req, IGT__S3_HEAD, "matched");
  succeed(&req);
  strcpy(etag, req.etag);
  igt__s3_request_finish(&req);
  put("matched", "behind", 6);
  for (int ranged = 0; ranged < 2; ranged++) {
    begin(&req, IGT__S3_GET, "matched");
    req.ranged = ranged;
    req.last = 3;
    req.if_match = etag;
    refused(&req, IGT_E_PRECONDITION, 412, "PreconditionFailed");
  }
}

static void test_what_is_not_there(void **state) {
  fetching elsewhere = {.sets = {root_keys()}, .count = 1};
  igt__s3_request req;

  (void)state;
  begin(&req, IGT__S3_GET, "no such key");
  refused(&req, IGT_E_NOT_FOUND, 404, "NoSuchKey");
  begin(&req, IGT__S3_HEAD, "no such key");
  refused(&req, IGT_E_NOT_FOUND, 404, NULL);
  elsewhere.sets[0].bucket = "no-such-bucket";
  begin(&req, IGT__S3_GET, "key");
  req.provider = provider_of(&elsewhere);
  igt__s3_provider *provider = req.provider;
  refused(&req, IGT_E_NOT_FOUND, 404, "NoSuchBucket");
  igt__s3_provider_unref(provider);
}

/* ---- multipart ---- */

static void create(const char *key, char id[1024]) {
  igt__s3_request req;

  begin(&req, IGT__S3_CREATE_MULTIPART, key);
  succeed(&req);
  strcpy(id, req.new_upload_id);
  igt__s3_request_finish(&req);
  assert_true(*id);
}

static void begin_part(igt__s3_request *req, const char *key, const char *id, unsigned number,
                       const void *data, size_t n) {
  begin(req, IGT__S3_UPLOAD_PART, key);
  req->upload_id = id;
  req->part_number = number;
  set_body(req, data, n);
}

static igt__s3_part send_part(const char *key, const char *id, unsigned number, const void *data,
                              size_t n) {
  igt__s3_part part = {.number = number, .size = n};
  igt__s3_request req;
  char md5[33];

  begin_part(&req, key, id, number, data, n);
  succeed(&req);
  strcpy(part.etag, req.etag);
  memcpy(part.sha256, req.sha256, 32);
  igt__hex(req.md5, 16, md5);
  assert_string_equal(part.etag, md5);
  igt__s3_request_finish(&req);
  return part;
}

static void begin_of(igt__s3_request *req, igt__s3_op op, const char *key, const char *id) {
  begin(req, op, key);
  req->upload_id = id;
}

static void end_of_parts(const igt__s3_part *parts, unsigned count, char etag[80]) {
  unsigned char all[2 * 16], md5[16];

  assert_int_equal(count, 2);
  for (unsigned i = 0; i < count; i++)
    assert_true(igt__unhex(parts[i].etag, 32, all + i * 16));
  igt__digest_of(IGT__MD5, all, sizeof all, md5);
  igt__hex(md5, 16, etag);
  strcat(etag, "-2");
}

static void test_in_parts(void **state) {
  size_t first = 5 * MIB, n = first + 100;
  unsigned char *data = pattern(n);
  igt__s3_part parts[2];
  igt__s3_request req;
  char id[1024], etag[80];

  (void)state;
  create("parts/whole", id);
  begin_of(&req, IGT__S3_LIST_PARTS, "parts/whole", id);
  succeed(&req);
  assert_int_equal(req.listed_count, 0);
  igt__s3_request_finish(&req);
  parts[1] = send_part("parts/whole", id, 2, data + first, 100); /* in any order */
  parts[0] = send_part("parts/whole", id, 1, "to be replaced", 14);
  parts[0] = send_part("parts/whole", id, 1, data, first);
  begin_of(&req, IGT__S3_LIST_PARTS, "parts/whole", id);
  succeed(&req);
  assert_int_equal(req.listed_count, 2);
  assert_false(req.truncated);
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(req.listed[i].number, i + 1);
    assert_int_equal(req.listed[i].size, parts[i].size);
    assert_string_equal(req.listed[i].etag, parts[i].etag);
  }
  igt__s3_request_finish(&req);
  begin_of(&req, IGT__S3_COMPLETE_MULTIPART, "parts/whole", id);
  req.parts = parts;
  req.part_count = 2;
  succeed(&req);
  end_of_parts(parts, 2, etag);
  if (*req.etag) /* this radosgw only returns it when completing is repeated */
    assert_string_equal(req.etag, etag);
  igt__s3_request_finish(&req);
  begin(&req, IGT__S3_GET, "parts/whole");
  get_is(&req, data, n);
  begin(&req, IGT__S3_HEAD, "parts/whole");
  succeed(&req);
  assert_int_equal(req.object_size, n);
  assert_string_equal(req.etag, etag);
  igt__s3_request_finish(&req);
  /* The upload has ended: there is nothing to list and nothing to abort, which is not an error. */
  begin_of(&req, IGT__S3_LIST_PARTS, "parts/whole", id);
  refused(&req, IGT_E_NOT_FOUND, 404, "NoSuchUpload");
  begin_of(&req, IGT__S3_ABORT_MULTIPART, "parts/whole", id);
  succeed(&req);
  igt__s3_request_finish(&req);
  begin(&req, IGT__S3_GET, "parts/whole");
  get_is(&req, data, n);
  free(data);
}

/* A single part is requested, if the store supports that; a store that does not must not return
 * another range for it. */
static void test_one_part_of_an_object(void **state) {
  size_t first = 5 * MIB;
  unsigned char *data = pattern(first + 100);
  igt__s3_part parts[2];
  igt__s3_request req;
  char id[1024];

  (void)state;
  create("parts/alone", id);
  parts[0] = send_part("parts/alone", id, 1, data, first);
  parts[1] = send_part("parts/alone", id, 2, data + first, 100);
  begin_of(&req, IGT__S3_COMPLETE_MULTIPART, "parts/alone", id);
  req.parts = parts;
  req.part_count = 2;
  succeed(&req);
  igt__s3_request_finish(&req);
  begin(&req, IGT__S3_HEAD, "parts/alone");
  req.part_number = 2;
  succeed(&req);
  print_message("of part 2: %lld bytes of %llu, %u parts, HTTP %d\n", (long long)req.content_length,
                (unsigned long long)req.object_size, req.parts_count, req.http_status);
  if (req.parts_count) {
    assert_int_equal(req.parts_count, 2);
    assert_int_equal(req.content_length, 100);
  } else { /* this radosgw does not know partNumber, and shows that by leaving out the count */
    assert_int_equal(req.content_length, first + 100);
  }
  igt__s3_request_finish(&req);
  free(data);
}

static void test_parts_that_do_not_fit(void **state) {
  igt__s3_part parts[2];
  igt__s3_request req;
  char id[1024];

  (void)state;
  create("parts/wrong", id);
  begin_part(&req, "parts/wrong", id, 1, "damaged", 7);
  req.md5[0] ^= 1;
  refused(&req, IGT_E_CHECKSUM, 400, "BadDigest");
  parts[0] = send_part("parts/wrong", id, 1, "small", 5);
  parts[1] = send_part("parts/wrong", id, 2, "last", 4);
  begin_of(&req, IGT__S3_COMPLETE_MULTIPART, "parts/wrong", id);
  req.parts = parts;
  req.part_count = 2;
  refused(&req, IGT_E_BAD_REQUEST, 400, "EntityTooSmall");
  parts[1].etag[0] ^= 1; /* content other than the store's */
  begin_of(&req, IGT__S3_COMPLETE_MULTIPART, "parts/wrong", id);
  req.parts = parts + 1;
  req.part_count = 1;
  refused(&req, IGT_E_BAD_REQUEST, 400, "InvalidPart");
  begin(&req, IGT__S3_HEAD, "parts/wrong"); /* none of them created an object */
  refused(&req, IGT_E_NOT_FOUND, 404, NULL);
  begin_of(&req, IGT__S3_ABORT_MULTIPART, "parts/wrong", id);
  succeed(&req);
  igt__s3_request_finish(&req);
}

static void test_an_upload_that_was_ended(void **state) {
  igt_error err = IGT_ERROR_INIT;
  igt__s3_part part;
  igt__s3_request req;
  char id[1024];

  (void)state;
  create("parts/ended", id);
  part = send_part("parts/ended", id, 1, "one", 3);
  for (int i = 0; i < 2; i++) { /* repeating it is not an error */
    begin_of(&req, IGT__S3_ABORT_MULTIPART, "parts/ended", id);
    succeed(&req);
    igt__s3_request_finish(&req);
  }
  begin_of(&req, IGT__S3_LIST_PARTS, "parts/ended", id);
  refused(&req, IGT_E_NOT_FOUND, 404, "NoSuchUpload");
  begin_part(&req, "parts/ended", id, 2, "two", 3);
  refused(&req, IGT_E_NOT_FOUND, 404, "NoSuchUpload");
  /* This radosgw responds with 500, which leaves the outcome open: the caller gets that status, and
   * then checks. */
  begin_of(&req, IGT__S3_COMPLETE_MULTIPART, "parts/ended", id);
  req.parts = &part;
  req.part_count = 1;
  (void)igt__s3_perform(s3, &req, &err);
  print_message("refused: %s (%s, HTTP %d)\n", err.text, err.code, err.http_status);
  if (err.status == IGT_E_NOT_FOUND) {
    assert_string_equal(err.code, "NoSuchUpload");
  } else {
    assert_int_equal(err.status, IGT_E_SERVER);
    assert_string_equal(err.code, "CompletionUnclear");
    assert_ptr_equal(strstr(err.text, "whether the upload was completed is unknown: "), err.text);
  }
  igt__s3_request_finish(&req);
  begin(&req, IGT__S3_HEAD, "parts/ended");
  refused(&req, IGT_E_NOT_FOUND, 404, NULL);
}

static void test_more_parts_than_a_page(void **state) {
  unsigned marker = 0, seen = 0, pages = 0;
  bool more = true;
  char id[1024];

  (void)state;
  create("parts/many", id);
  for (unsigned i = 1; i <= MANY; i++)
    (void)send_part("parts/many", id, i, &i, sizeof i);
  while (more) {
    igt__s3_request req;
    begin_of(&req, IGT__S3_LIST_PARTS, "parts/many", id);
    req.marker = marker;
    succeed(&req);
    for (size_t i = 0; i < req.listed_count; i++)
      assert_int_equal(req.listed[i].number, ++seen);
    more = req.truncated;
    marker = req.next_marker;
    igt__s3_request_finish(&req);
    assert_true(++pages < 10);
  }
  assert_int_equal(seen, MANY);
  assert_true(pages > 1);
  igt__s3_request req;
  begin_of(&req, IGT__S3_ABORT_MULTIPART, "parts/many", id);
  succeed(&req);
  igt__s3_request_finish(&req);
}

/* ---- lists ---- */

static void begin_list(igt__s3_request *req, const char *prefix, const char *after) {
  begin(req, IGT__S3_LIST_OBJECTS, NULL);
  req->prefix = prefix;
  req->after = after;
}

static void test_more_objects_than_a_page(void **state) {
  char key[64], after[64] = "";
  unsigned seen = 0, pages = 0;
  bool more = true;

  (void)state;
  for (unsigned i = 0; i < MANY; i++) {
    snprintf(key, sizeof key, "many/%04u", i);
    put(key, key, i % 20);
  }
  put("many", "beside the prefix", 17);
  while (more) {
    igt__s3_request req;
    begin_list(&req, "many/", *after ? after : NULL);
    succeed(&req);
    for (size_t i = 0; i < req.object_count; i++, seen++) {
      snprintf(key, sizeof key, "many/%04u", seen);
      assert_string_equal(req.objects[i].key, key);
      assert_int_equal(req.objects[i].size, seen % 20);
      assert_int_equal(strlen(req.objects[i].etag), 32);
      assert_true(req.objects[i].last_modified > 1700000000);
    }
    more = req.truncated;
    snprintf(after, sizeof after, "%s", req.objects[req.object_count - 1].key);
    igt__s3_request_finish(&req);
    assert_true(++pages < 10);
  }
  assert_int_equal(seen, MANY);
  assert_true(pages > 1);
}

static void test_an_empty_list(void **state) {
  igt__s3_request req;

  (void)state;
  begin_list(&req, "nothing begins so", NULL);
  succeed(&req);
  assert_int_equal(req.object_count, 0);
  assert_false(req.truncated);
  igt__s3_request_finish(&req);
}

/* ---- names ---- */

static const char *const names[] = {
    "names/a b",          "names/a+b",       "names/a%b",
    "names/a%20b",        "names/a%2Fb",     "names/größer/東京.dcm",
    "names/e\xcc\x81",    "names/a&b=c",     "names/a?b",
    "names/a#b",          "names/a;b,c:d@e", "names/a//b",
    "names/'(quoted)!*'", "names/\"<xml>\"", "names/~tilde-_.",
    "names/a\\b",         "names/..b/.c",    "names/line\001control",
    "names/[1]{2}|^`$",   "names/trailing ", "names/folder/"};

static void all_are_listed(void) {
  igt__s3_request req;
  size_t found = 0;

  begin_list(&req, "names/", NULL);
  succeed(&req);
  assert_int_equal(req.object_count, sizeof names / sizeof *names);
  for (size_t i = 0; i < req.object_count; i++)
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
      found += strcmp(req.objects[i].key, names[k]) == 0;
  assert_int_equal(found, sizeof names / sizeof *names);
  igt__s3_request_finish(&req);
}

/* An upload's documents contain the key as it is, and XML cannot represent control characters. */
static bool fits_xml(const char *key) {
  for (; *key; key++)
    if ((unsigned char)*key < ' ')
      return false;
  return true;
}

static void in_a_part(const char *key) {
  igt__s3_request req;
  char id[1024];

  create(key, id);
  (void)send_part(key, id, 1, key, strlen(key));
  begin_of(&req, IGT__S3_LIST_PARTS, key, id);
  succeed(&req);
  assert_int_equal(req.listed_count, 1);
  igt__s3_request_finish(&req);
  begin_of(&req, IGT__S3_ABORT_MULTIPART, key, id);
  succeed(&req);
  igt__s3_request_finish(&req);
}

static void test_names_of_all_kinds(void **state) {
  size_t count = sizeof names / sizeof *names;
  igt__s3_request req;

  (void)state;
  for (size_t i = 0; i < count; i++) {
    put(names[i], names[i], strlen(names[i]));
    if (fits_xml(names[i]))
      in_a_part(names[i]);
  }
  for (size_t i = 0; i < count; i++) { /* none overwrote another */
    begin(&req, IGT__S3_GET, names[i]);
    get_is(&req, names[i], strlen(names[i]));
  }
  all_are_listed();
}

/* ---- permissions ---- */

static void with_keys(keys k, igt_status status, int http_status, const char *code) {
  fetching f = {.sets = {k}, .count = 1};
  igt__s3_provider *provider = provider_of(&f);
  igt__s3_request req;

  begin(&req, IGT__S3_PUT, "not allowed");
  set_body(&req, "x", 1);
  req.provider = provider;
  refused(&req, status, http_status, code);
  assert_int_equal(f.fetches, 1); /* other keys would not help */
  begin(&req, IGT__S3_HEAD, "not allowed");
  req.provider = provider;
  refused(&req, IGT_E_FORBIDDEN, 403, NULL);
  igt__s3_provider_unref(provider);
  begin(&req, IGT__S3_HEAD, "not allowed");
  refused(&req, IGT_E_NOT_FOUND, 404, NULL);
}

static void test_wrong_keys(void **state) {
  keys wrong = root_keys();

  (void)state;
  wrong.secret_key = "another secret";
  with_keys(wrong, IGT_E_FORBIDDEN, 403, "SignatureDoesNotMatch");
  wrong = root_keys();
  wrong.access_key = "NOBODYSACCESSKEY0001";
  with_keys(wrong, IGT_E_FORBIDDEN, 403, "InvalidAccessKeyId");
}

/* With credentials of the store's own STS, limited to keys below "session/". */
static void test_a_session(void **state) {
  fetching f = {.sets = {session_keys(env("INTEROP_SESSION_TOKEN"))}, .count = 1};
  igt__s3_provider *provider = provider_of(&f);
  igt__s3_request req;

  (void)state;
  begin(&req, IGT__S3_PUT, "session/a b+c");
  set_body(&req, "mine", 4);
  req.provider = provider;
  succeed(&req);
  igt__s3_request_finish(&req);
  begin(&req, IGT__S3_GET, "session/a b+c");
  req.provider = provider;
  get_is(&req, "mine", 4);
  begin(&req, IGT__S3_PUT, "outside");
  set_body(&req, "mine", 4);
  req.provider = provider;
  refused(&req, IGT_E_FORBIDDEN, 403, "AccessDenied");
  begin(&req, IGT__S3_ABORT_MULTIPART, "outside");
  req.upload_id = "2~nobodys";
  req.provider = provider;
  refused(&req, IGT_E_FORBIDDEN, 403, "AccessDenied");
  assert_int_equal(f.fetches, 1);
  igt__s3_provider_unref(provider);
}

static int64_t (*system_clock)(void);
static _Atomic int64_t later_us;

static int64_t later_clock(void) {
  return system_clock() + atomic_load(&later_us);
}

static void most_of_a_life_goes_by(igt__s3_request *req, uint64_t up, uint64_t down) {
  (void)req;
  (void)up;
  (void)down;
  atomic_store(&later_us, 1900000);
}

/* The store does not know these keys any more. Credentials that are about to expire by our clock
 * are fetched again once; others are not, since then it is a rejection. */
static void test_a_session_that_has_ended(void **state) {
  keys old = session_keys(env("INTEROP_EXPIRED_TOKEN"));
  keys good = session_keys(env("INTEROP_SESSION_TOKEN"));
  fetching f = {.sets = {old, good}, .count = 2};
  igt__clock_hooks hooks = igt__clock_get_hooks();
  igt__s3_request req;

  (void)state;
  system_clock = hooks.monotonic;
  with_keys(old, IGT_E_FORBIDDEN, 403, "InvalidAccessKeyId");
  f.sets[0].life = 2;
  igt__s3_provider *provider = provider_of(&f);
  hooks.monotonic = later_clock;
  igt__clock_set_hooks(&hooks);
  begin(&req, IGT__S3_PUT, "session/renewed");
  set_body(&req, "new", 3);
  req.provider = provider;
  req.on_progress = most_of_a_life_goes_by;
  succeed(&req);
  igt__s3_request_finish(&req);
  igt__clock_set_hooks(NULL);
  assert_int_equal(f.fetches, 2);
  igt__s3_provider_unref(provider);
}

static int64_t an_hour_late(void) {
  struct timespec now;

  clock_gettime(CLOCK_REALTIME, &now);
  return ((int64_t)now.tv_sec - 3600) * 1000000 + now.tv_nsec / 1000;
}

static void test_a_clock_that_is_wrong(void **state) {
  igt__clock_hooks hooks = igt__clock_get_hooks();
  igt__s3 *shared = s3;
  igt__s3_request req;

  (void)state;
  assert_int_equal(igt__s3_new(http, &s3, NULL), IGT_OK); /* keeps what it learns separate */
  hooks.wall = an_hour_late;
  igt__clock_set_hooks(&hooks);
  put("clock", "right", 5);
  assert_in_range(igt__s3_clock_offset(s3), 3590, 3610);
  igt__clock_set_hooks(NULL);
  igt__s3_free(s3);
  s3 = shared;
  begin(&req, IGT__S3_GET, "clock");
  get_is(&req, "right", 5);
}

/* This store accepts any region in a signature: there is nothing to learn, and it works. */
static void test_a_region_that_is_wrong(void **state) {
  fetching f = {.sets = {root_keys()}, .count = 1};
  igt__s3_request req;

  (void)state;
  f.sets[0].region = "eu-nowhere-7";
  igt__s3_provider *provider = provider_of(&f);
  begin(&req, IGT__S3_PUT, "region");
  set_body(&req, "any", 3);
  req.provider = provider;
  succeed(&req);
  igt__s3_request_finish(&req);
  igt__s3_provider_unref(provider);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_objects_of_many_sizes),
      cmocka_unit_test(test_a_body_of_a_file),
      cmocka_unit_test(test_read_as_it_comes),
      cmocka_unit_test(test_damaged_on_the_way),
      cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_only_the_object_that_was_meant),
      cmocka_unit_test(test_what_is_not_there),
      cmocka_unit_test(test_in_parts),
      cmocka_unit_test(test_one_part_of_an_object),
      cmocka_unit_test(test_parts_that_do_not_fit),
      cmocka_unit_test(test_an_upload_that_was_ended),
      cmocka_unit_test(test_more_parts_than_a_page),
      cmocka_unit_test(test_more_objects_than_a_page),
      cmocka_unit_test(test_an_empty_list),
      cmocka_unit_test(test_names_of_all_kinds),
      cmocka_unit_test(test_wrong_keys),
      cmocka_unit_test(test_a_session),
      cmocka_unit_test(test_a_session_that_has_ended),
      cmocka_unit_test(test_a_clock_that_is_wrong),
      cmocka_unit_test(test_a_region_that_is_wrong),
  };

  return cmocka_run_group_tests(tests, open_s3, close_s3);
}
