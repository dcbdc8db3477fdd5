/* SPDX-License-Identifier: MIT */
/* The journal of transfers (lib/journal): finished files and downloads, unfinished uploads and
 * their parts, runs and reboots, claims and locks between processes, and files of earlier formats,
 * damaged ones and ones that are something else. */
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

  if (igt__journal_open(path, NULL, &j, &moved, &err) != IGT_OK)
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
  j = open_it(false); /* persistent across processes */
  assert_true(igt__journal_find_file(j, "https://a", "key", "/local", &found));
  assert_int_equal(found.size, 8);
  assert_int_equal(found.mtime_ns, 12);
  assert_string_equal(found.digest, "sha256:1");
  igt__journal_close(j);
}

/* A row stores the common end of key and path once; the differing starts distinguish rows. */
static void test_names(void **state) {
  static const char *const names[][2] = {
      {"p/s1/files/a.dcm", "/t/s1/a.dcm"},
      {"p/s2/files/a.dcm", "/t/s1/a.dcm"},
      {"p/s1/files/a.dcm", "/t/s2/a.dcm"},
      {"p/s1/files/b/a.dcm", "/t/s1/b/a.dcm"},
      {"p/s1/files/xa.dcm", "/t/s1/a.dcm"},
      {"a.dcm", "/t/s1/a.dcm"},
      {"t/s1/a.dcm", "/t/s1/a.dcm"},
      {"", ""},
      {"p/s1/files/", "/t/s1/"},
      {"p/s1/files/c:d", "/t/s1/c%3Ad"},
  };
  enum { COUNT = sizeof names / sizeof *names };
  igt__journal *j = open_it(false), *other = open_it(false);
  igt__journal_file found;

  (void)state;
  for (unsigned i = 0; i < COUNT; i++)
    igt__journal_put_file(i % 2 ? j : other, "o", names[i][0], names[i][1],
                          &(igt__journal_file){.size = i});
  igt__journal_flush(other, NULL);
  igt__journal_flush(j, NULL);
  for (int round = 0; round < 2; round++) {
    for (unsigned i = 0; i < COUNT; i++) {
      assert_true(igt__journal_find_file(j, "o", names[i][0], names[i][1], &found));
      assert_int_equal(found.size, i);
    }
    assert_false(igt__journal_find_file(j, "o", "p/s3/files/a.dcm", "/t/s1/a.dcm", &found));
    assert_false(igt__journal_find_file(j, "o", "p/s1/files/b.dcm", "/t/s1/b.dcm", &found));
    igt__journal_close(j);
    j = open_it(false);
  }
  igt__journal_close(other);
  igt__journal_close(j);
}

/* Far more than the queue holds while nobody writes it, and than the number of folders
 * remembered. */
static void test_many(void **state) {
  enum { COUNT = 20000 };
  igt__journal *j = open_it(false);
  igt__journal_file found;
  char key[64], local[64];

  (void)state;
  for (unsigned i = 0; i < COUNT; i++) {
    snprintf(key, sizeof key, "p/%u/f", i / 2);
    snprintf(local, sizeof local, "/t/%u/f%u", i / 2, i % 2);
    igt__journal_put_file(j, "o", key, local, &(igt__journal_file){.size = i});
    if (i == COUNT / 2)
      igt__journal_flush(j, NULL);
  }
  igt__journal_close(j);
  j = open_it(false);
  for (unsigned i = 0; i < COUNT; i += 97) {
    snprintf(key, sizeof key, "p/%u/f", i / 2);
    snprintf(local, sizeof local, "/t/%u/f%u", i / 2, i % 2);
    assert_true(igt__journal_find_file(j, "o", key, local, &found));
    assert_int_equal(found.size, i);
  }
  igt__journal_close(j);
}

static bool count_one(void *payload, const igt__journal_unfinished *one) {
  (void)one;
  ++*(int *)payload;
  return true;
}

/* The first format is dropped: finished files are forgotten, uploads are not. */
static void test_first_format(void **state) {
  igt__journal_file found;
  igt__journal_upload upload;
  char command[900];
  int calls = 0;

  (void)state;
  snprintf(command, sizeof command, "mkdir '%s/deep' && %s '%s' \"%s\"", top,
           "/usr/bin/python3 -c 'import sqlite3, sys; "
           "sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])'",
           path,
           "CREATE TABLE file(origin, key, local);"
           "CREATE TABLE upload(origin TEXT NOT NULL, key TEXT NOT NULL, local TEXT NOT NULL, "
           "size INTEGER, mtime INTEGER, inode INTEGER, part_size INTEGER, upload_id TEXT, "
           "PRIMARY KEY(origin, key)) WITHOUT ROWID;"
           "INSERT INTO upload VALUES('o', 'k', '/l', 1, 2, 3, 4, 'id'); PRAGMA user_version=1;");
  assert_int_equal(system(command), 0);
  for (int i = 0; i < 2; i++) {
    igt__journal *j = open_it(false);
    assert_true(igt__journal_find_upload(j, "o", "k", "/l", &upload));
    assert_int_equal(igt__journal_each_upload(j, "o", count_one, &calls, NULL), IGT_OK);
    assert_int_equal(igt__journal_find_file(j, "o", "k", "/l", &found), i);
    igt__journal_put_file(j, "o", "k", "/l", &(igt__journal_file){.size = 3});
    igt__journal_close(j);
  }
  assert_int_equal(calls, 2);
}

/* The format of 0.1.0: its rows of finished files have no inode and no change time. */
static void test_second_format(void **state) {
  igt__journal_file found, more = {.size = 4, .ctime_ns = 5, .inode = 6};
  char command[900];

  (void)state;
  snprintf(command, sizeof command, "mkdir -p '%s/deep' && rm -f '%s'* && %s '%s' \"%s\"", top,
           path,
           "/usr/bin/python3 -c 'import sqlite3, sys; "
           "sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])'",
           path,
           "CREATE TABLE folder(id INTEGER PRIMARY KEY, origin TEXT NOT NULL, key TEXT NOT NULL, "
           "local TEXT NOT NULL, UNIQUE(origin, key, local));"
           "CREATE TABLE finished(folder INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER, "
           "mtime INTEGER, etag TEXT, digest TEXT, verified TEXT, PRIMARY KEY(folder, name)) "
           "WITHOUT ROWID;"
           "INSERT INTO folder VALUES(1, 'o', 'p', '/l');"
           "INSERT INTO finished VALUES(1, 'x', 3, 2, 'e', 'sha256:1', 'store');"
           "PRAGMA user_version=2;");
  assert_int_equal(system(command), 0);
  igt__journal *j = open_it(false);
  assert_true(igt__journal_find_file(j, "o", "p/x", "/l/x", &found));
  assert_int_equal(found.size, 3);
  assert_int_equal(found.ctime_ns, 0);
  igt__journal_put_file(j, "o", "p/x", "/l/x", &more);
  assert_true(igt__journal_find_file(j, "o", "p/x", "/l/x", &found));
  assert_int_equal(found.ctime_ns, 5);
  assert_int_equal(found.inode, 6);
  igt__journal_close(j);
}

static void test_downloads(void **state) {
  (void)state;
  igt__journal *j = open_it(false);
  unsigned char bits[2] = {0xf0, 1};
  igt__journal_begun begun[3] = {{0, 7}, {9, 8}, {10, 1}}; /* the last one is beyond the end */
  igt__journal_download d = {.size = 80,
                             .range_size = 8,
                             .etag = "x",
                             .ranges = bits,
                             .range_count = 10,
                             .begun = begun,
                             .begun_count = 3};
  igt__journal_download found;
  igt__journal_put_download(j, "/l", "k", &d);
  assert_true(igt__journal_find_download(j, "/l", "k", &found));
  assert_memory_equal(found.ranges, bits, 2);
  assert_int_equal(found.range_count, 10);
  assert_int_equal(found.begun_count, 2);
  assert_memory_equal(found.begun, begun, 2 * sizeof *begun);
  igt__free(found.ranges);
  igt__free(found.begun);
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
  unsigned *begun, before;
  igt__journal_put_upload(j, "o", "k", "/l", &u);
  igt__journal_put_part(j, "o", "k", &part);
  part.number = 1;
  igt__journal_put_part(j, "o", "k", &part);
  assert_true(igt__journal_find_upload(j, "o", "k", "/l", &found));
  assert_string_equal(found.upload_id, "id");
  assert_int_equal(igt__journal_parts(j, "o", "k", &parts), 2);
  assert_int_equal(parts[0].number, 1);
  igt__free(parts);
  assert_false(igt__journal_find_upload(j, "o", "k", "/other", &found));
  assert_true(igt__journal_find_upload(j, "o", "k", NULL, &found));
  igt__journal_drop_upload(j, "o", "k", "an older one"); /* another run has started again since */
  assert_true(igt__journal_find_upload(j, "o", "k", "/l", &found));
  assert_int_equal(igt__journal_parts(j, "o", "k", &parts), 2);
  igt__free(parts);
  igt__journal_begin_part(j, "o", "k", 4, 70000);
  igt__journal_begin_part(j, "o", "k", 3, 70000);
  igt__journal_begin_part(j, "o", "k", 5, 70000);
  part.number = 5;
  igt__journal_put_part(j, "o", "k", &part);
  assert_int_equal(igt__journal_begun_parts(j, "o", "k", &begun, &before), 2);
  assert_int_equal(begun[0], 3);
  assert_int_equal(begun[1], 4);
  assert_int_equal(before, 70000);
  igt__free(begun);
  igt__journal_drop_begun_parts(j, "o", "k");
  assert_int_equal(igt__journal_begun_parts(j, "o", "k", &begun, &before), 0);
  assert_int_equal(igt__journal_parts(j, "o", "k", &parts), 3);
  igt__free(parts);
  igt__journal_drop_upload(j, "o", "k", "id");
  assert_false(igt__journal_find_upload(j, "o", "k", "/l", &found));
  assert_int_equal(igt__journal_parts(j, "o", "k", &parts), 0);
  igt__journal_close(j);
}

/* An unfinished run of an earlier boot casts doubt, until a run over the same files has
 * finished. */
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

static void runs_began(igt__journal *j, int64_t at) {
  char command[400];

  assert_int_equal(igt__journal_flush(j, NULL), IGT_OK);
  snprintf(command, sizeof command,
           "/usr/bin/python3 -c 'import sqlite3, sys; "
           "sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])' '%s' "
           "'UPDATE run SET began=%lld'",
           path, (long long)at);
  assert_int_equal(system(command), 0);
}

/* A process may have several runs, as a station has: the oldest one counts. */
static void test_runs_of_one_process(void **state) {
  (void)state;
  igt__journal *j = open_it(false);
  igt__journal_run run = {"/target", "all", "boot-1"};
  igt__journal_run later = {"/target", "all", "boot-2"};

  assert_int_equal(igt__journal_begin_run(j, &run), 0);
  runs_began(j, 1700000001);
  igt__journal_lose_run(j, &run);
  assert_int_equal(igt__journal_begin_run(j, &run), 1700000001);
  igt__journal_lose_run(j, &run);
  assert_int_equal(igt__journal_begin_run(j, &run), 1700000001);
  igt__journal_end_run(j, &run, true);
  assert_int_equal(igt__journal_begin_run(j, &run), 0);
  runs_began(j, 1700000002);
  assert_int_equal(igt__journal_begin_run(j, &run), 0); /* the first did not reach its end */
  assert_int_equal(igt__journal_begin_run(j, &later), 1700000002);
  igt__journal_close(j);
}

static void test_damaged(void **state) {
  (void)state;
  igt__journal_close(open_it(false));
  FILE *f = fopen(path, "w");
  fwrite("SQLite format 3", 1, 16, f);
  for (int i = 0; i < 10000; i++)
    fputs("not a database ", f);
  fclose(f);
  igt__journal_close(open_it(true));
  igt__journal_close(open_it(false));
}

/* case: security-13 */
static void test_file_that_was_named_by_mistake(void **state) {
  static const char *const thesis[] = {"years of work", "SQLite format", "x"};
  igt__journal *journal = NULL;
  bool moved = true;

  (void)state;
  igt__journal_close(open_it(false)); /* creates its folder */
  for (size_t i = 0; i < sizeof thesis / sizeof *thesis; i++) {
    char text[64] = "";
    FILE *f = fopen(path, "w");
    fputs(thesis[i], f);
    fclose(f);
    assert_int_equal(igt__journal_open(path, NULL, &journal, &moved, NULL), IGT_E_UNSUPPORTED);
    assert_null(journal);
    assert_false(moved);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_string_equal(text, thesis[i]);
  }
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
  igt__journal_close(theirs); /* releases its claims */
  assert_true(igt__journal_claim(mine, "o", "i", "study"));
  igt__journal_close(mine);
}

static bool keep_one(void *payload, const igt__journal_unfinished *one) {
  char *out = payload;

  assert_true(one->began > 1700000000 && one->worked >= one->began);
  assert_string_equal(one->local, "/l");
  assert_string_equal(one->upload.upload_id, "id");
  assert_int_equal(one->upload.prefix_len, 3);
  assert_string_equal(one->upload.project, "demo");
  sprintf(out + strlen(out), "%s=%s ", one->key, one->upload.place);
  return true;
}

static bool stop(void *payload, const igt__journal_unfinished *one) {
  (void)one;
  ++*(int *)payload;
  return false;
}

static void test_list_of_uploads(void **state) {
  (void)state;
  igt__journal *j = open_it(false), *other = open_it(false);
  igt__journal_upload u = {
      .size = 100, .upload_id = "id", .project = "demo", .place = "here", .prefix_len = 3};
  char all[200] = "";
  int calls = 0;

  igt__journal_put_upload(j, "o", "k2", "/l", &u);
  igt__journal_put_upload(j, "o", "k1", "/l", &u);
  igt__journal_put_upload(j, "o2", "k3", "/l", &u);
  igt__journal_put_part(j, "o", "k1", &(igt__journal_part){.number = 1});
  assert_int_equal(igt__journal_each_upload(j, "o", keep_one, all, NULL), IGT_OK);
  assert_string_equal(all, "k1=here k2=here ");
  igt__journal_put_upload(other, "o", "k4", "/l", &u);
  assert_int_equal(igt__journal_each_upload(j, "o", keep_one, all, NULL), IGT_OK);
  assert_string_equal(all, "k1=here k2=here k1=here k2=here k4=here ");
  assert_int_equal(igt__journal_each_upload(j, "o", stop, &calls, NULL), IGT_OK);
  assert_int_equal(calls, 1);
  igt__journal_close(other);
  igt__journal_close(j);
}

static void test_holding_uploads(void **state) {
  igt__journal *one = open_it(false), *two = open_it(false), *ender = open_it(false);

  (void)state;
  assert_false(igt__journal_upload_is_held(ender, "o", "k"));
  assert_true(igt__journal_hold_upload(one, "o", "k", false)); /* runs can share it */
  assert_true(igt__journal_upload_is_held(ender, "o", "k"));
  assert_false(igt__journal_upload_is_held(ender, "o2", "k"));
  assert_false(igt__journal_upload_is_held(one, "o", "k")); /* not held by others */
  assert_true(igt__journal_hold_upload(two, "o", "k", false));
  assert_false(igt__journal_hold_upload(ender, "o", "k", true));
  assert_true(igt__journal_hold_upload(ender, "o", "other", true));
  assert_true(igt__journal_hold_upload(ender, "o2", "k", true));
  assert_false(igt__journal_hold_upload(one, "o", "k", true)); /* shared with another run */
  igt__journal_release_upload(one, "o", "k");
  assert_true(igt__journal_hold_upload(two, "o", "k", true)); /* taken over */
  assert_false(igt__journal_hold_upload(one, "o", "k", false));
  assert_true(igt__journal_hold_upload(two, "o", "k", false));
  assert_true(igt__journal_hold_upload(one, "o", "k", false));
  igt__journal_close(one); /* releases its locks */
  igt__journal_close(two);
  assert_true(igt__journal_hold_upload(ender, "o", "k", true));
  igt__journal_close(ender);
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
      cmocka_unit_test_setup_teardown(test_names, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_many, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_first_format, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_second_format, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_downloads, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_uploads, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_claims, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_list_of_uploads, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_holding_uploads, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_runs, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_runs_of_one_process, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_damaged, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_file_that_was_named_by_mistake, make_top, remove_top),
      cmocka_unit_test(test_none),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
