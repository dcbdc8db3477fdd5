/* SPDX-License-Identifier: MIT */
/* The sandbox's store (sandbox/store): documents, values, registered files, objects, transactions,
 * multipart uploads, crashes, concurrent threads, and rows that are cached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"

/* Each test has its own folder and store. */
typedef struct fixture {
  char dir[64];
  sbx_store *store;
} fixture;

static sbx_store *open_store(const char *dir) {
  char error[256] = "";
  sbx_store *store = sbx_store_open(dir, error, sizeof error);

  if (!store)
    print_error("%s\n", error);
  assert_non_null(store);
  return store;
}

static int set_up(void **state) {
  fixture *f = test_calloc(1, sizeof *f);

  snprintf(f->dir, sizeof f->dir, "/tmp/test_sandbox_store.XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  f->store = open_store(f->dir);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  char command[128];

  sbx_store_close(f->store);
  snprintf(command, sizeof command, "rm -rf %s", f->dir);
  assert_int_equal(system(command), 0);
  test_free(f);
  return 0;
}

static void reopen(fixture *f) {
  sbx_store_close(f->store);
  f->store = open_store(f->dir);
}

/* Files below DIR/name, at any depth. */
static size_t count_files(const fixture *f, const char *name) {
  char command[160];
  unsigned long n = 0;

  snprintf(command, sizeof command, "find %s/%s -type f | wc -l", f->dir, name);
  FILE *p = popen(command, "r");
  assert_non_null(p);
  assert_int_equal(fscanf(p, "%lu", &n), 1);
  pclose(p);
  return n;
}

/* ---- documents ---- */

static void put_doc(sbx_store *store, const char *kind, const char *id, const char *parent, int n) {
  igt__json *doc = igt__json_new_object();

  assert_true(igt__json_set_int(doc, "n", n));
  assert_true(sbx_doc_put(store, kind, id, parent, doc));
  igt__json_free(doc);
}

static int64_t doc_number(sbx_store *store, const char *kind, const char *id) {
  igt__json *doc = sbx_doc_get(store, kind, id);
  int64_t n = doc ? igt__json_int(igt__json_get(doc, "n")) : -1;

  igt__json_free(doc);
  return n;
}

static bool join_ids(void *payload, const char *id, const char *doc, size_t n) {
  assert_int_equal(strlen(doc), n);
  igt__buf_puts(payload, id);
  return true;
}

static void assert_ids(sbx_store *store, const char *kind, const char *parent, const char *ids) {
  igt__buf buf;

  igt__buf_init(&buf, 1 << 20);
  assert_true(sbx_doc_each(store, kind, parent, join_ids, &buf));
  assert_string_equal(buf.data, ids);
  igt__buf_finish(&buf);
}

static void test_documents(void **state) {
  fixture *f = *state;

  put_doc(f->store, "study", "c", "x", 1);
  put_doc(f->store, "study", "a", "y", 2);
  put_doc(f->store, "study", "b", "x", 3);
  put_doc(f->store, "other", "a", NULL, 4);
  assert_int_equal(doc_number(f->store, "study", "a"), 2);
  assert_int_equal(doc_number(f->store, "other", "a"), 4);
  assert_int_equal(doc_number(f->store, "study", "z"), -1);
  put_doc(f->store, "study", "c", "x", 5);
  assert_int_equal(doc_number(f->store, "study", "c"), 5);
  assert_ids(f->store, "study", NULL, "cab"); /* in order of insertion, also after a replacement */
  assert_ids(f->store, "study", "x", "cb");
  assert_int_equal(sbx_doc_count(f->store, "study", NULL), 3);
  assert_int_equal(sbx_doc_count(f->store, "study", "y"), 1);
  assert_true(sbx_doc_delete(f->store, "study", "c"));
  reopen(f);
  assert_ids(f->store, "study", NULL, "ab");
}

/* A cursor spans many pages, and writes between its steps do not disturb it. */
static void test_cursor(void **state) {
  fixture *f = *state;
  char id[16];
  size_t seen = 0, n;
  const char *got, *doc;

  for (int i = 0; i < 1000; i++) {
    snprintf(id, sizeof id, "%d", i);
    put_doc(f->store, "study", id, NULL, i);
  }
  sbx_cursor *c = sbx_doc_cursor(f->store, "study", NULL);
  assert_non_null(c);
  while (sbx_cursor_next(c, &got, &doc, &n)) {
    snprintf(id, sizeof id, "%zu", seen++);
    assert_string_equal(got, id);
    put_doc(f->store, "other", id, NULL, 1);
  }
  sbx_cursor_free(c);
  assert_int_equal(seen, 1000);
}

/* ---- values ---- */

static int64_t fake_now = 1000000;

static int64_t fake_wall(void) {
  return fake_now * 1000000;
}

static void assert_value(sbx_store *store, const char *key, const char *value) {
  char *got = sbx_kv_get(store, "session", key);

  if (value)
    assert_string_equal(got, value);
  else
    assert_null(got);
  igt__free(got);
}

static void test_values(void **state) {
  fixture *f = *state;
  static const igt__clock_hooks hooks = {.wall = fake_wall};

  igt__clock_set_hooks(&hooks);
  assert_true(sbx_kv_put(f->store, "session", "a", "1", 0));
  assert_true(sbx_kv_put(f->store, "session", "b", "2", fake_now + 10));
  assert_value(f->store, "a", "1");
  assert_value(f->store, "b", "2");
  fake_now += 10;
  assert_value(f->store, "a", "1");
  assert_value(f->store, "b", NULL);
  assert_true(sbx_kv_put(f->store, "session", "a", "3", 0));
  reopen(f);
  assert_value(f->store, "a", "3");
  assert_true(sbx_kv_delete(f->store, "session", "a"));
  assert_value(f->store, "a", NULL);
  igt__clock_set_hooks(NULL);
}

/* ---- registered files ---- */

static bool join_files(void *payload, const sbx_file *file) {
  return igt__buf_printf(payload, "%s:%d:%d ", file->key, (int)file->size, file->completed);
}

static void test_registered_files(void **state) {
  fixture *f = *state;
  int64_t size = 0;
  bool completed = false, known = false;
  igt__buf buf;

  igt__buf_init(&buf, 1000);
  assert_true(sbx_file_put(f->store, "study", "b", 1, false));
  assert_true(sbx_file_put(f->store, "study", "a", 2, false));
  assert_true(sbx_file_put(f->store, "other", "a", 3, false));
  assert_true(sbx_file_put(f->store, "study", "b", 4, true));
  assert_true(sbx_file_get(f->store, "study", "b", &size, &completed));
  assert_int_equal(size, 4);
  assert_true(completed);
  assert_false(sbx_file_get(f->store, "study", "c", &size, &completed));
  assert_true(sbx_file_each(f->store, "study", join_files, &buf));
  assert_string_equal(buf.data, "b:4:1 a:2:0 ");
  assert_true(sbx_file_add(f->store, "study", "a", 9, &known));
  assert_true(known); /* and unchanged */
  assert_true(sbx_file_add(f->store, "study", "0", 5, &known));
  assert_false(known);
  assert_true(sbx_file_complete(f->store, "study", "a", 6, &known));
  assert_true(known);
  assert_true(sbx_file_complete(f->store, "study", "d", 6, &known));
  assert_false(known);
  igt__buf_clear(&buf);
  assert_true(sbx_file_each(f->store, "study", join_files, &buf));
  assert_string_equal(buf.data, "b:4:1 a:6:1 0:5:0 ");
  assert_true(sbx_file_delete(f->store, "study", "b"));
  assert_false(sbx_file_get(f->store, "study", "b", &size, &completed));
  igt__buf_finish(&buf);
}

/* ---- objects ---- */

static char *text_of(const char *s) {
  return (char *)(uintptr_t)s;
}

static bool put_object(sbx_store *store, const char *key, const char *body, size_t n) {
  sbx_object object = {.key = text_of(key), .etag = "e", .modified = 5};
  sbx_incoming *in = sbx_incoming_new(store);

  assert_non_null(in);
  assert_true(sbx_incoming_write(in, body, n));
  return sbx_object_commit(store, "bucket", in, &object);
}

static void assert_object(sbx_store *store, const char *key, const char *body, size_t n) {
  sbx_object object = {0};
  int fd = sbx_object_open(store, "bucket", key, &object);

  assert_true(fd >= 0);
  assert_int_equal(object.size, n);
  char *got = test_malloc(n + 1);
  assert_int_equal(read(fd, got, n + 1), n);
  assert_memory_equal(got, body, n);
  test_free(got);
  close(fd);
  sbx_object_finish(&object);
}

static void test_objects(void **state) {
  fixture *f = *state;
  sbx_object object = {0};

  assert_true(put_object(f->store, "a", "hello", 5));
  assert_true(put_object(f->store, "empty", "", 0));
  assert_object(f->store, "a", "hello", 5);
  assert_object(f->store, "empty", "", 0);
  assert_true(put_object(f->store, "a", "other", 5));
  assert_int_equal(count_files(f, "objects"), 2); /* the replaced file has been removed */
  reopen(f);
  assert_object(f->store, "a", "other", 5);
  assert_false(sbx_object_get(f->store, "other", "a", &object));
  assert_true(sbx_object_delete(f->store, "bucket", "a"));
  assert_true(sbx_object_delete(f->store, "bucket", "a"));
  assert_false(sbx_object_get(f->store, "bucket", "a", &object));
  assert_int_equal(count_files(f, "objects"), 1);
}

/* Bodies around the size of the buffer, in blocks. */
static void test_bodies(void **state) {
  fixture *f = *state;
  static char body[200000];

  for (size_t i = 0; i < sizeof body; i++)
    body[i] = (char)(i * 7 + i / 251);
  const size_t sizes[] = {1, 65535, 65536, 65537, 131072, sizeof body};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    for (size_t part = 1000; part < 200000; part *= 9) {
      sbx_object object = {.key = text_of("x"), .etag = "e"};
      sbx_incoming *in = sbx_incoming_new(f->store);
      for (size_t at = 0; at < sizes[i]; at += part)
        assert_true(sbx_incoming_write(in, body + at, part < sizes[i] - at ? part : sizes[i] - at));
      assert_true(sbx_object_commit(f->store, "bucket", in, &object));
      assert_object(f->store, "x", body, sizes[i]);
    }
  }
  assert_int_equal(count_files(f, "objects"), 1);
  assert_int_equal(count_files(f, "incoming"), 0);
}

static void test_discarded_body(void **state) {
  fixture *f = *state;
  static char body[100000];
  sbx_incoming *in = sbx_incoming_new(f->store);

  assert_true(sbx_incoming_write(in, body, sizeof body));
  assert_int_equal(count_files(f, "incoming"), 1);
  sbx_incoming_discard(in);
  assert_int_equal(count_files(f, "incoming"), 0);
  sbx_incoming_discard(NULL);
}

static bool join_keys(void *payload, const sbx_object *object) {
  igt__buf_printf(payload, "%s ", object->key);
  return true;
}

static void assert_keys(sbx_store *store, const char *prefix, const char *after, const char *keys) {
  igt__buf buf;

  igt__buf_init(&buf, 1000);
  assert_true(sbx_object_each(store, "bucket", prefix, after, join_keys, &buf));
  assert_string_equal(buf.data, keys);
  igt__buf_finish(&buf);
}

static void test_order_of_keys(void **state) {
  fixture *f = *state;
  const char *const keys[] = {"b", "a/2", "\xc3\xa4", "a/1", "A", "a0", "a"};

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    assert_true(put_object(f->store, keys[i], "", 0));
  assert_keys(f->store, "", "", "A a a/1 a/2 a0 b \xc3\xa4 ");
  assert_keys(f->store, "a", "", "a a/1 a/2 a0 ");
  assert_keys(f->store, "a/", "", "a/1 a/2 ");
  assert_keys(f->store, "a/", "a/1", "a/2 ");
  assert_keys(f->store, "a", "a/\xff", "a0 ");
  assert_keys(f->store, "c", "", "");
}

/* ---- transactions ---- */

static void test_rollback(void **state) {
  fixture *f = *state;

  assert_true(put_object(f->store, "a", "old", 3));
  assert_true(sbx_store_begin(f->store));
  assert_false(sbx_store_begin(f->store)); /* transactions do not nest */
  assert_true(put_object(f->store, "a", "new", 3));
  assert_true(put_object(f->store, "b", "new", 3));
  put_doc(f->store, "study", "a", NULL, 1);
  assert_object(f->store, "a", "new", 3); /* it sees its own writes */
  sbx_store_rollback(f->store);
  assert_object(f->store, "a", "old", 3);
  assert_int_equal(doc_number(f->store, "study", "a"), -1);
  assert_int_equal(count_files(f, "objects"), 1);
}

static void test_commit(void **state) {
  fixture *f = *state;

  assert_true(put_object(f->store, "a", "old", 3));
  assert_true(sbx_store_begin(f->store));
  assert_true(put_object(f->store, "a", "new", 3));
  assert_int_equal(count_files(f, "objects"), 2); /* both, until the commit */
  assert_true(sbx_store_commit(f->store));
  assert_false(sbx_store_commit(f->store));
  assert_object(f->store, "a", "new", 3);
  assert_int_equal(count_files(f, "objects"), 1);
}

/* ---- multipart ---- */

static bool put_part(sbx_store *store, const char *id, unsigned number, const char *body) {
  sbx_part part = {.number = number, .etag = "e"};
  sbx_incoming *in = sbx_incoming_new(store);

  assert_true(sbx_incoming_write(in, body, strlen(body)));
  return sbx_part_commit(store, id, in, &part);
}

static bool join_parts(void *payload, const sbx_part *part) {
  return igt__buf_printf(payload, "%u:%d ", part->number, (int)part->size);
}

static void feed(void *payload, const void *data, size_t n) {
  igt__buf_append(payload, data, n);
}

static void test_multipart(void **state) {
  fixture *f = *state;
  sbx_upload upload = {.key = text_of("x")}, got;
  sbx_object object = {.key = text_of("x"), .etag = "m-2"};
  const unsigned numbers[] = {2, 9};
  sbx_part part;
  igt__buf buf;

  igt__buf_init(&buf, 1000);
  assert_true(sbx_upload_new(f->store, "bucket", &upload));
  assert_true(put_part(f->store, upload.id, 9, "tail"));
  assert_true(put_part(f->store, upload.id, 2, "replaced"));
  assert_true(put_part(f->store, upload.id, 2, "head,"));
  assert_int_equal(count_files(f, "objects"), 2);
  assert_true(sbx_part_each(f->store, upload.id, 0, join_parts, &buf));
  assert_string_equal(buf.data, "2:5 9:4 ");
  igt__buf_clear(&buf);
  sbx_incoming *in = sbx_upload_assemble(f->store, upload.id, numbers, 2, feed, &buf);
  assert_non_null(in);
  assert_string_equal(buf.data, "head,tail");
  assert_true(sbx_upload_commit(f->store, "bucket", upload.id, numbers, 2, in, &object));
  assert_object(f->store, "x", "head,tail", 9);
  assert_int_equal(count_files(f, "objects"), 1);
  assert_false(sbx_upload_get(f->store, "bucket", "x", upload.id, &got));
  assert_false(put_part(f->store, upload.id, 3, "late"));
  assert_true(sbx_object_part(f->store, "bucket", "x", "m-2", 2, &part));
  assert_int_equal(part.offset, 5);
  assert_int_equal(part.size, 4);
  assert_false(sbx_object_part(f->store, "bucket", "x", "m-2", 3, &part));
  assert_false(sbx_object_part(f->store, "bucket", "x", "other", 1, &part));
  igt__buf_finish(&buf);
}

static void test_aborted(void **state) {
  fixture *f = *state;
  sbx_upload upload = {.key = text_of("x")}, got = {0};

  assert_true(sbx_upload_new(f->store, "bucket", &upload));
  assert_true(put_part(f->store, upload.id, 1, "body"));
  reopen(f);
  assert_true(sbx_upload_get(f->store, "bucket", "x", upload.id, &got));
  sbx_upload_finish(&got);
  assert_false(sbx_upload_get(f->store, "bucket", "y", upload.id, &got));
  assert_true(sbx_upload_abort(f->store, upload.id));
  assert_false(sbx_upload_get(f->store, "bucket", "x", upload.id, &got));
  assert_int_equal(count_files(f, "objects"), 0);
}

/* ---- crashes ---- */

/* A process that dies with objects, a body being received and a file without a row. */
static void test_crash(void **state) {
  fixture *f = *state;
  char command[160];

  sbx_store_close(f->store);
  f->store = NULL;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    static char body[100000];
    sbx_store *store = open_store(f->dir);
    put_object(store, "a", "kept", 4);
    sbx_incoming_write(sbx_incoming_new(store), body, sizeof body);
    _exit(0);
  }
  int status = 1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  snprintf(command, sizeof command,
           "cd %s/objects && mkdir -p ab && echo x > ab/abcdefabcdefabcdefabcdefabcdefab", f->dir);
  assert_int_equal(system(command), 0);
  assert_int_equal(count_files(f, "incoming"), 1);
  f->store = open_store(f->dir);
  assert_object(f->store, "a", "kept", 4);
  assert_int_equal(count_files(f, "incoming"), 0);
  assert_int_equal(count_files(f, "objects"), 1);
}

static void test_one_at_a_time(void **state) {
  fixture *f = *state;
  char error[256] = "";

  assert_null(sbx_store_open(f->dir, error, sizeof error));
  assert_non_null(strstr(error, "in use by another sandbox"));
}

/* ---- threads ---- */

#define WRITERS 4
#define ROUNDS 50

static void *hammer(void *arg) {
  sbx_store *store = arg;
  char body[32], key[16];
  static _Atomic unsigned next;
  unsigned me = next++;

  for (unsigned i = 0; i < ROUNDS; i++) {
    snprintf(key, sizeof key, "%u/%u", me, i);
    size_t n = (size_t)snprintf(body, sizeof body, "%u-%u", me, i);
    sbx_object object = {.key = key, .etag = "e"}, got = {0};
    sbx_incoming *in = sbx_incoming_new(store);
    if (!in || !sbx_incoming_write(in, body, n) ||
        !sbx_object_commit(store, "bucket", in, &object) ||
        !sbx_object_get(store, "bucket", key, &got) || got.size != n)
      return arg;
    sbx_object_finish(&got);
    if (i % 10 == 0 && (!sbx_store_begin(store) || !sbx_kv_put(store, "k", key, "v", 0) ||
                        !sbx_store_commit(store)))
      return arg;
  }
  return NULL;
}

static void test_threads(void **state) {
  fixture *f = *state;
  pthread_t ids[WRITERS];

  for (size_t i = 0; i < WRITERS; i++)
    assert_int_equal(pthread_create(&ids[i], NULL, hammer, f->store), 0);
  for (size_t i = 0; i < WRITERS; i++) {
    void *failed = NULL;
    pthread_join(ids[i], &failed);
    assert_null(failed);
  }
  assert_int_equal(count_files(f, "objects"), WRITERS * ROUNDS);
}

/* ---- what sign-ins depend on ---- */

static void test_people(void **state) {
  fixture *f = *state;
  uint64_t before = sbx_store_people(f->store);

  put_doc(f->store, "study", "a", NULL, 1);
  assert_true(sbx_kv_put(f->store, "counter", "a", "1", 0));
  assert_true(put_object(f->store, "a", "1", 1));
  assert_int_equal(sbx_store_people(f->store), before);
  put_doc(f->store, "user", "a", NULL, 1);
  assert_true(sbx_store_people(f->store) != before);
  before = sbx_store_people(f->store);
  assert_true(sbx_doc_delete(f->store, "user", "a"));
  assert_true(sbx_store_people(f->store) != before);
  before = sbx_store_people(f->store);
  assert_true(sbx_kv_put(f->store, "session", "s", "1", 0));
  assert_true(sbx_store_people(f->store) != before);
  before = sbx_store_people(f->store);
  assert_true(sbx_kv_delete(f->store, "session", "s"));
  assert_true(sbx_store_people(f->store) != before);
  before = sbx_store_people(f->store);
  assert_true(sbx_store_begin(f->store));
  put_doc(f->store, "service", "a", NULL, 1);
  assert_int_equal(sbx_store_people(f->store), before); /* not visible to others yet */
  assert_true(sbx_store_commit(f->store));
  assert_true(sbx_store_people(f->store) != before);
}

static void test_texts_of_documents(void **state) {
  fixture *f = *state;
  static const char *const names[] = {"a", "b", "none", "n"};
  char *texts[4];
  igt__json *doc = igt__json_new_object(), *inner = igt__json_new_object();

  igt__json_set_str(inner, "a", "inner");
  igt__json_set(doc, "in", inner);
  igt__json_set_str(doc, "a", "x/\"\xc3\xa4");
  igt__json_set_int(doc, "n", 1);
  igt__json_set_str(doc, "b", "");
  assert_true(sbx_doc_put(f->store, "study", "s", NULL, doc));
  igt__json_free(doc);
  assert_true(sbx_doc_has(f->store, "study", "s"));
  assert_true(sbx_doc_texts(f->store, "study", "s", names, texts, 4));
  assert_string_equal(texts[0], "x/\"\xc3\xa4");
  assert_string_equal(texts[1], "");
  assert_null(texts[2]);
  assert_null(texts[3]);
  for (size_t i = 0; i < 4; i++)
    igt__free(texts[i]);
  assert_false(sbx_doc_has(f->store, "study", "t"));
  assert_false(sbx_doc_texts(f->store, "study", "t", names, texts, 4));
}

/* ---- cached rows ---- */

static int64_t size_of(sbx_store *store, const char *key) {
  sbx_object object = {0};
  int64_t size = sbx_object_get(store, "bucket", key, &object) ? (int64_t)object.size : -1;

  sbx_object_finish(&object);
  return size;
}

static void *size_elsewhere(void *arg) {
  static int64_t size;

  size = size_of(arg, "a");
  return &size;
}

/* As seen by another thread, which is outside our transaction. */
static int64_t size_for_others(sbx_store *store) {
  pthread_t id;
  void *size = NULL;

  assert_int_equal(pthread_create(&id, NULL, size_elsewhere, store), 0);
  pthread_join(id, &size);
  return *(int64_t *)size;
}

static void test_rows_in_memory(void **state) {
  fixture *f = *state;

  assert_true(put_object(f->store, "a", "1", 1));
  assert_int_equal(size_of(f->store, "a"), 1);
  assert_true(put_object(f->store, "a", "22", 2));
  assert_int_equal(size_of(f->store, "a"), 2);
  for (int commits = 0; commits < 2; commits++) {
    assert_true(sbx_store_begin(f->store));
    assert_true(put_object(f->store, "a", "333", 3));
    assert_int_equal(size_of(f->store, "a"), 3);
    assert_int_equal(size_for_others(f->store), 2);
    assert_int_equal(size_for_others(f->store), 2);
    if (commits)
      assert_true(sbx_store_commit(f->store));
    else
      sbx_store_rollback(f->store);
    assert_int_equal(size_for_others(f->store), commits ? 3 : 2);
    assert_object(f->store, "a", commits ? "333" : "22", commits ? 3 : 2);
  }
  assert_true(sbx_object_delete(f->store, "bucket", "a"));
  assert_int_equal(size_of(f->store, "a"), -1);
  assert_true(sbx_store_begin(f->store));
  assert_true(put_object(f->store, "a", "4444", 4) && put_object(f->store, "b", "1", 1));
  assert_true(sbx_object_delete(f->store, "bucket", "b"));
  assert_true(sbx_store_commit(f->store));
  assert_int_equal(size_of(f->store, "a"), 4);
  assert_int_equal(size_of(f->store, "b"), -1);
  assert_true(sbx_store_begin(f->store));
  assert_true(put_object(f->store, "b", "1", 1));
  sbx_store_rollback(f->store);
  assert_int_equal(size_of(f->store, "b"), -1);
}

/* More than fit in the cache: 64 KiB each. */
static void test_many_rows(void **state) {
  fixture *f = *state;
  static char metadata[65536], key[16];

  memset(metadata, 'm', sizeof metadata - 1);
  for (int turn = 0; turn < 2; turn++) {
    for (unsigned i = 0; i < 300; i++) {
      sbx_object object = {.key = key, .etag = "e", .metadata = metadata}, got = {0};
      snprintf(key, sizeof key, "%u", i);
      snprintf(metadata, 8, "%07u", i);
      metadata[7] = 'm';
      if (turn == 0)
        assert_true(sbx_object_commit(f->store, "bucket", sbx_incoming_new(f->store), &object));
      assert_true(sbx_object_get(f->store, "bucket", key, &got));
      assert_string_equal(got.metadata, metadata);
      sbx_object_finish(&got);
    }
  }
}

#define VERSIONS 400

typedef struct race {
  sbx_store *store;
  _Atomic int64_t acknowledged;
} race;

/* Each read is at least as new as what was acknowledged before it started. */
static void *follow(void *arg) {
  race *r = arg;

  for (int64_t seen = 0; seen < VERSIONS;) {
    int64_t least = atomic_load(&r->acknowledged);
    sbx_object object = {0};
    int fd = sbx_object_open(r->store, "bucket", "raced", &object);
    char body[16] = "";
    bool good = fd >= 0 && read(fd, body, sizeof body - 1) > 0 && object.modified >= least &&
                object.modified >= seen && strtoll(body, NULL, 10) == object.modified;
    seen = object.modified;
    if (fd >= 0)
      close(fd);
    sbx_object_finish(&object);
    if (!good)
      return arg;
  }
  return NULL;
}

static bool put_version(sbx_store *store, int64_t version) {
  char body[16];
  sbx_object object = {.key = text_of("raced"), .etag = "e", .modified = version};
  sbx_incoming *in = sbx_incoming_new(store);
  int n = snprintf(body, sizeof body, "%d", (int)version);

  assert_true(in && sbx_incoming_write(in, body, (size_t)n));
  return sbx_object_commit(store, "bucket", in, &object);
}

static void test_rows_under_writes(void **state) {
  fixture *f = *state;
  race r = {.store = f->store};
  pthread_t ids[2];

  assert_true(put_version(f->store, 0));
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&ids[i], NULL, follow, &r), 0);
  for (int64_t version = 1; version <= VERSIONS; version++) {
    assert_true(put_version(f->store, version));
    atomic_store(&r.acknowledged, version);
  }
  for (size_t i = 0; i < 2; i++) {
    void *failed = NULL;
    pthread_join(ids[i], &failed);
    assert_null(failed);
  }
}

/* The same for a document, whose reads are cached, too. */
static void *follow_document(void *arg) {
  race *r = arg;

  for (int64_t seen = 0; seen < VERSIONS;) {
    int64_t least = atomic_load(&r->acknowledged), now = doc_number(r->store, "study", "raced");
    if (now < least || now < seen || now > VERSIONS)
      return arg;
    seen = now;
  }
  return NULL;
}

/* Every other write is followed by one that is rolled back, which nobody may see. */
static void test_documents_under_writes(void **state) {
  fixture *f = *state;
  race r = {.store = f->store};
  pthread_t ids[2];

  put_doc(f->store, "study", "raced", NULL, 0);
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&ids[i], NULL, follow_document, &r), 0);
  for (int64_t version = 1; version <= VERSIONS; version++) {
    put_doc(f->store, "study", "raced", NULL, (int)version);
    atomic_store(&r.acknowledged, version);
    if (version % 2 == 0)
      continue;
    assert_true(sbx_store_begin(f->store));
    put_doc(f->store, "study", "raced", NULL, VERSIONS + 1);
    assert_int_equal(doc_number(f->store, "study", "raced"), VERSIONS + 1);
    sbx_store_rollback(f->store);
    assert_int_equal(doc_number(f->store, "study", "raced"), version);
  }
  for (size_t i = 0; i < 2; i++) {
    void *failed = NULL;
    pthread_join(ids[i], &failed);
    assert_null(failed);
  }
  assert_true(sbx_doc_has(f->store, "study", "raced"));
  assert_true(sbx_doc_delete(f->store, "study", "raced"));
  assert_false(sbx_doc_has(f->store, "study", "raced"));
  assert_false(sbx_doc_delete(f->store, "study", "raced"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_documents),
      TEST(test_cursor),
      TEST(test_values),
      TEST(test_registered_files),
      TEST(test_objects),
      TEST(test_bodies),
      TEST(test_rollback),
      TEST(test_commit),
      TEST(test_discarded_body),
      TEST(test_aborted),
      TEST(test_order_of_keys),
      TEST(test_crash),
      TEST(test_multipart),
      TEST(test_one_at_a_time),
      TEST(test_threads),
      TEST(test_people),
      TEST(test_texts_of_documents),
      TEST(test_rows_in_memory),
      TEST(test_many_rows),
      TEST(test_rows_under_writes),
      TEST(test_documents_under_writes),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
