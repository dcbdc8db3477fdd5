/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "journal/journal.h"

static char top[] = "/tmp/igt-journal-XXXXXX";
static char path[100];

static int make_top(void **state) {
  (void)state;
  strcpy(top, "/tmp/igt-journal-XXXXXX");
  if (!mkdtemp(top))
    return -1;
  snprintf(path, sizeof path, "%s/deep/journal.db", top);
  return 0;
}

static int remove_top(void **state) {
  (void)state;
  char command[100];
  snprintf(command, sizeof command, "rm -rf '%s'", top);
  return system(command);
}

static igt__journal *open_it(bool expect_moved) {
  igt__journal *j;
  igt_error err;
  bool moved;
  if (igt__journal_open(path, &j, &moved, &err) != IGT_OK)
    fail_msg("%s", err.text);
  assert_int_equal(moved, expect_moved);
  return j;
}

static void test_files(void **state) {
  (void)state;
  igt__journal *j = open_it(false);
  igt__journal_file file = {
      .size = 7, .mtime_ns = 12, .etag = "e", .digest = "sha256:1", .verified = "md5"};
  igt__journal_file found;
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  igt__journal_put_file(j, "https://a", "key", "/local", &file);
  assert_true(igt__journal_find_file(j, "https://a", "key", "/local", &found));
  assert_false(igt__journal_find_file(j, "https://b", "key", "/local", &found));
  file.size = 8;
  igt__journal_put_file(j, "https://a", "key", "/local", &file);
  igt__journal_close(j);
  j = open_it(false); /* it outlives the process */
  assert_true(igt__journal_find_file(j, "https://a", "key", "/local", &found));
  assert_int_equal(found.size, 8);
  assert_int_equal(found.mtime_ns, 12);
  assert_string_equal(found.digest, "sha256:1");
  igt__journal_close(j);
}

static void test_downloads(void **state) {
  (void)state;
  igt__journal *j = open_it(false);
  unsigned char bits[2] = {0xf0, 1};
  igt__journal_download d = {
      .size = 80, .range_size = 8, .etag = "x", .ranges = bits, .range_count = 10};
  igt__journal_download found;
  igt__journal_put_download(j, "/l", "k", &d);
  assert_true(igt__journal_find_download(j, "/l", "k", &found));
  assert_memory_equal(found.ranges, bits, 2);
  assert_int_equal(found.range_count, 10);
  igt__free(found.ranges);
  assert_false(igt__journal_find_download(j, "/l", "other", &found));
  igt__journal_drop_download(j, "/l");
  assert_false(igt__journal_find_download(j, "/l", "k", &found));
  igt__journal_close(j);
}

static void test_uploads(void **state) {
  (void)state;
  igt__journal *j = open_it(false);
  igt__journal_upload u = {
      .size = 100, .mtime_ns = 5, .inode = 6, .part_size = 8, .upload_id = "id"};
  igt__journal_upload found;
  igt__journal_part part = {.number = 2, .etag = "b"}, *parts;
  igt__journal_put_upload(j, "o", "k", "/l", &u);
  igt__journal_put_part(j, "o", "k", &part);
  part.number = 1;
  igt__journal_put_part(j, "o", "k", &part);
  assert_true(igt__journal_find_upload(j, "o", "k", "/l", &found));
  assert_string_equal(found.upload_id, "id");
  assert_int_equal(igt__journal_parts(j, "o", "k", &parts), 2);
  assert_int_equal(parts[0].number, 1);
  igt__free(parts);
  igt__journal_drop_upload(j, "o", "k");
  assert_false(igt__journal_find_upload(j, "o", "k", "/l", &found));
  assert_int_equal(igt__journal_parts(j, "o", "k", &parts), 0);
  igt__journal_close(j);
}

/* A run of another boot that did not end casts doubt, until a run about the same is whole. */
static void test_runs(void **state) {
  (void)state;
  igt__journal *j = open_it(false);
  igt__journal_run first = {"/target", "all", "boot-1"};
  igt__journal_run second = {"/target", "all", "boot-2"};
  igt__journal_run some = {"/target", "some", "boot-2"};
  igt__journal_run elsewhere = {"/other", "all", "boot-2"};

  assert_int_equal(igt__journal_begin_run(j, &first), 0);
  assert_int_equal(igt__journal_begin_run(j, &first), 0); /* the same boot: nothing is lost */
  igt__journal_close(j);
  j = open_it(false);
  assert_int_equal(igt__journal_begin_run(j, &elsewhere), 0);
  assert_true(igt__journal_begin_run(j, &second) > 1700000000);
  igt__journal_end_run(j, &second, false);
  assert_true(igt__journal_begin_run(j, &some) > 1700000000);
  igt__journal_end_run(j, &some, true);
  assert_true(igt__journal_begin_run(j, &second) > 1700000000);
  igt__journal_end_run(j, &second, true);
  assert_int_equal(igt__journal_begin_run(j, &second), 0);
  igt__journal_end_run(j, &second, true);
  assert_int_equal(igt__journal_begin_run(j, &first), 0);
  igt__journal_close(j);
}

static void test_damaged(void **state) {
  (void)state;
  igt__journal_close(open_it(false));
  FILE *f = fopen(path, "w");
  for (int i = 0; i < 10000; i++)
    fputs("not a database ", f);
  fclose(f);
  igt__journal_close(open_it(true));
  igt__journal_close(open_it(false));
}

static void test_claims(void **state) {
  igt__journal *mine = open_it(false), *theirs = open_it(false);
  char id[128];

  (void)state;
  assert_true(igt__journal_claim(mine, "o", "i", "study"));
  assert_false(igt__journal_claim(theirs, "o", "i", "study"));
  assert_true(igt__journal_claim(theirs, "o", "i", "another"));
  assert_true(igt__journal_claim(theirs, "o2", "i", "study"));
  assert_false(igt__journal_find_created(theirs, "o", "i", "study", id));
  igt__journal_put_created(mine, "o", "i", "study", "id-1");
  igt__journal_unclaim(mine, "o", "i", "study");
  assert_true(igt__journal_claim(theirs, "o", "i", "study"));
  assert_true(igt__journal_find_created(theirs, "o", "i", "study", id));
  assert_string_equal(id, "id-1");
  igt__journal_close(theirs); /* gives its claims back */
  assert_true(igt__journal_claim(mine, "o", "i", "study"));
  igt__journal_close(mine);
}

static void test_none(void **state) {
  (void)state;
  igt__journal_file found;
  igt__journal_part *parts;
  assert_false(igt__journal_find_file(NULL, "o", "k", "l", &found));
  igt__journal_put_file(NULL, "o", "k", "l", &(igt__journal_file){.size = 1});
  assert_int_equal(igt__journal_parts(NULL, "o", "k", &parts), 0);
  assert_int_equal(igt__journal_flush(NULL, NULL), IGT_OK);
  igt__journal_close(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_files, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_downloads, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_uploads, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_claims, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_runs, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_damaged, make_top, remove_top),
      cmocka_unit_test(test_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
