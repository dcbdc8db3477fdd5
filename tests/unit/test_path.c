/* SPDX-License-Identifier: MIT */
/* Paths below a root folder (lib/base/root.h, path.h): checks of names, partial files, folders that
 * are created on demand and remembered, walks, and errors when looking for files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/root.h"
#include "base/walk.h"

static char top[] = "/tmp/igt-path-XXXXXX";

static int make_top(void **state) {
  (void)state;
  strcpy(top, "/tmp/igt-path-XXXXXX");
  return mkdtemp(top) && chdir(top) == 0 ? 0 : -1;
}

static int remove_top(void **state) {
  (void)state;
  char command[100];
  snprintf(command, sizeof command, "rm -rf '%s'", top);
  return chdir("/") || system(command);
}

static void put(const char *path, const char *text) {
  FILE *f = fopen(path, "w");

  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static void test_check(void **state) {
  (void)state;
  char longer[300], longest[4100];
  memset(longer, 'a', sizeof longer);
  longer[256] = '\0';
  for (size_t i = 0; i < sizeof longest; i++)
    longest[i] = i % 2 ? '/' : 'a';
  longest[4001] = '\0';
  const char *bad[] = {"",      "/a",   "a//b",  "a/",   ".",    "..",   "a/../b",
                       "a/./b", "a\nb", "a\x7f", "\xff", longer, longest};
  igt_error err;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (igt__path_check(bad[i], strlen(bad[i]), "the file", &err) != IGT_E_UNSAFE_NAME)
      fail_msg("'%s' was accepted", bad[i]);
  }
  assert_int_equal(igt__path_check("a\0b", 3, "the file", &err), IGT_E_UNSAFE_NAME);
  static const char *const good[] = {"a", "a/b", "..a", "a..", "a b", "\xc3\xa4", "a\\..\\b", "-x"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_int_equal(igt__path_check(good[i], strlen(good[i]), "the file", &err), IGT_OK);
  assert_int_equal(igt__name_check("a/b", "the project", &err), IGT_E_UNSAFE_NAME);
  assert_int_equal(igt__name_check(NULL, "the project", &err), IGT_E_UNSAFE_NAME);
}

static void test_partial(void **state) {
  (void)state;
  char *p = igt__path_partial("a/b.dcm", "");
  assert_string_equal(p, "a/.b.dcm.igtpart");
  igt__free(p);
  p = igt__path_partial("b", "s");
  assert_string_equal(p, ".b.s.igtpart");
  igt__free(p);
  char longer[256];
  memset(longer, 'a', 255);
  longer[255] = '\0';
  p = igt__path_partial(longer, "");
  longer[0] = 'b';
  char *q = igt__path_partial(longer, "");
  assert_true(strlen(p) < 255 && p[0] == '.');
  assert_string_not_equal(p, q);
  igt__free(p);
  igt__free(q);
}

static void expect_open(igt__root *root, const char *path, int flags, igt_status expected) {
  int fd;
  igt_error err;
  igt_status status = igt__root_open_file(root, path, flags, 0666, true, &fd, &err);

  if (status != expected)
    fail_msg("'%s' gave %d: %s", path, status, err.text);
  if (status == IGT_OK)
    close(fd);
  else
    assert_int_equal(fd, -1);
}

/* deep/er/target with a file and links that leave it; outside must stay as it is. */
static igt__root *open_root(void) {
  igt__root *root;
  igt_error err;

  assert_int_equal(igt__root_open("deep/er/target", true, &root, &err), IGT_OK);
  put("outside", "secret");
  assert_int_equal(symlink("../../../outside", "deep/er/target/link"), 0);
  assert_int_equal(symlink("/tmp", "deep/er/target/tmp"), 0);
  put("deep/er/target/file", "x");
  return root;
}

static void close_root(igt__root *root) {
  igt_error err;
  char *text;
  size_t n;

  igt__root_close(root);
  assert_int_equal(igt__file_read("outside", 100, &text, &n, &err), IGT_OK);
  assert_string_equal(text, "secret");
  igt__free(text);
}

static void test_root_is_opened_or_created(void **state) {
  (void)state;
  igt__root *root;
  igt_error err;
  assert_int_equal(igt__root_open("none", false, &root, &err), IGT_E_NO_FILE);
  root = open_root();
  assert_true(igt__root_path(root)[0] == '/');
  close_root(root);
}

static void test_root_is_not_left(void **state) {
  (void)state;
  igt__root *root = open_root();
  igt_error err;
  struct stat st;
  expect_open(root, "a/b/c", O_CREAT | O_WRONLY, IGT_OK);
  expect_open(root, "link", O_RDONLY, IGT_E_UNSAFE_NAME);
  expect_open(root, "link", O_CREAT | O_WRONLY | O_TRUNC, IGT_E_UNSAFE_NAME);
  expect_open(root, "tmp/x", O_CREAT | O_WRONLY, IGT_E_UNSAFE_NAME);
  expect_open(root, "../x", O_CREAT | O_WRONLY, IGT_E_UNSAFE_NAME);
  expect_open(root, "a/../../x", O_CREAT | O_WRONLY, IGT_E_UNSAFE_NAME);
  expect_open(root, "a//x", O_CREAT | O_WRONLY, IGT_E_UNSAFE_NAME);
  expect_open(root, "file/x", O_CREAT | O_WRONLY, IGT_E_COLLISION);
  expect_open(root, "a", O_CREAT | O_WRONLY, IGT_E_COLLISION);
  expect_open(root, "nothing", O_RDONLY, IGT_E_NO_FILE);
  assert_int_equal(igt__root_stat(root, "link", &st, &err), IGT_OK);
  assert_true(S_ISLNK(st.st_mode));
  close_root(root);
}

static void test_root_renames_and_removes(void **state) {
  (void)state;
  igt__root *root = open_root();
  igt_error err;
  struct stat st;
  expect_open(root, "a/b/c", O_CREAT | O_WRONLY, IGT_OK);
  assert_int_equal(igt__root_rename(root, "a/b/c", "moved/here", &err), IGT_OK);
  assert_int_equal(igt__root_stat(root, "a/b/c", &st, &err), IGT_E_NO_FILE);
  assert_int_equal(igt__root_rename(root, "moved/here", "a", &err), IGT_E_COLLISION);
  assert_int_equal(igt__root_unlink(root, "moved/here", &err), IGT_OK);
  assert_int_equal(igt__root_unlink(root, "moved/here", &err), IGT_E_NO_FILE);
  /* A folder that is removed while it is remembered is created again. */
  assert_int_equal(system("rm -rf deep/er/target/moved"), 0);
  expect_open(root, "moved/again", O_CREAT | O_WRONLY, IGT_OK);
  assert_int_equal(access("deep/er/target/moved/again", F_OK), 0);
  put("deep/er/target/new", "1");
  assert_int_equal(igt__root_rename_new(root, "new", "newer", &err), IGT_OK);
  assert_int_equal(igt__root_rename_new(root, "file", "newer", &err), IGT_OK); /* test_folding.c */
  assert_int_equal(igt__root_rename_new(root, "newer", "file", &err), IGT_OK);
  close_root(root);
}

/* The leftover of a run that was killed while it probed the file system is removed by the next
 * probe. */
static void test_root_probes_clean_up(void **state) {
  (void)state;
  igt__root *root = open_root();
  put("deep/er/target/.igtcloud-probe-a\xc3\xa9", "");
  put("deep/er/target/.igtcloud-probe-x:.", "");
  assert_false(igt__root_folds(root));
  assert_int_equal(igt__root_names(root), IGT__NAMES_POSIX);
  assert_int_not_equal(system("ls -a deep/er/target | grep -q probe"), 0);
  close_root(root);
}

static void test_many_folders(void **state) {
  (void)state;
  igt__root *root;
  char path[40];
  assert_int_equal(igt__root_open(top, false, &root, NULL), IGT_OK);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 200; i++) {
      snprintf(path, sizeof path, "d%d/f", i * 7 % 200);
      expect_open(root, path, O_CREAT | O_WRONLY, IGT_OK);
    }
  }
  igt__root_close(root);
}

static void test_files(void **state) {
  (void)state;
  igt__root *root;
  igt_error err;
  char *text;
  size_t n;
  assert_int_equal(igt__root_open(top, false, &root, &err), IGT_OK);
  put("f", "old");
  assert_int_equal(igt__root_write_file(root, "f", "new!", 4, 0600, &err), IGT_OK);
  assert_int_equal(igt__file_read("f", 4, &text, &n, &err), IGT_OK);
  assert_string_equal(text, "new!");
  igt__free(text);
  assert_int_equal(igt__file_read("f", 3, &text, &n, &err), IGT_E_LIMIT);
  assert_null(text);
  assert_int_equal(igt__file_read("none", 3, &text, &n, &err), IGT_E_NO_FILE);
  assert_int_equal(igt__file_read(".", 3, &text, &n, &err), IGT_E_IO);
  igt__root_close(root);
  char *p = igt__path_absolute("x");
  assert_true(p[0] == '/' && strcmp(igt__path_base(p), "x") == 0);
  igt__free(p);
}

static int note(void *payload, const igt__walk_entry *e) {
  static const char letters[] = "FDLSU";

  igt__buf_printf(payload, "%c:%s ", letters[e->kind], e->path);
  return strcmp(e->name, "skip") == 0 ? 1 : strcmp(e->name, "stop") == 0 ? 7 : 0;
}

static void check_walk(bool follow, const char *expected, int expected_end) {
  igt__buf seen;
  igt_error err;
  igt__root *root;
  int ended;

  assert_int_equal(igt__root_open(".", false, &root, &err), IGT_OK);
  if (follow)
    igt__root_follow_links(root);
  igt__buf_init(&seen, 100000);
  assert_int_equal(igt__walk(root, "w", note, &seen, &ended, &err), IGT_OK);
  igt__root_close(root);
  assert_string_equal(seen.data, expected);
  assert_int_equal(ended, expected_end);
  igt__buf_finish(&seen);
}

static void test_walk(void **state) {
  (void)state;
  assert_int_equal(system("mkdir -p w/b/c w/skip && touch w/a w/b/c/x w/skip/no && mkfifo w/p && "
                          "ln -s ../b w/b/loop && ln -s a w/la && ln -s nowhere w/lb"),
                   0);
  check_walk(false, "F:a D:b D:b/c F:b/c/x L:b/loop L:la L:lb S:p D:skip ", 0);
  check_walk(true, "F:a D:b D:b/c F:b/c/x U:b/loop F:la U:lb S:p D:skip ", 0);
  put("w/b/c/stop", "");
  check_walk(false, "F:a D:b D:b/c F:b/c/stop ", 7);
  igt_error err;
  igt__root *root;
  assert_int_equal(igt__root_open(".", false, &root, &err), IGT_OK);
  assert_int_equal(igt__walk(root, "none", note, NULL, NULL, &err), IGT_E_NO_FILE);
  assert_int_equal(igt__walk(root, "w/la", note, NULL, NULL, &err), IGT_E_UNSAFE_NAME);
  assert_int_equal(symlink("b", "w/lfolder"), 0);
  assert_int_equal(igt__walk(root, "w/lfolder", note, NULL, NULL, &err), IGT_E_UNSAFE_NAME);
  igt__root_close(root);
}

/* Only what the system reports as missing counts as missing. */
static void check_look(igt__root *root, const char *path, igt_status expected, bool there) {
  struct stat st;
  bool found;
  igt_error err;

  assert_int_equal(igt__root_look(root, path, &found, &st, &err), expected);
  if (expected == IGT_OK)
    assert_int_equal(found, there);
}

static void test_look(void **state) {
  (void)state;
  assert_int_equal(
      system("mkdir -p k/in && touch k/in/f && ln -s in k/link && ln -s nowhere k/lost "
             "&& ln -s loop k/loop && mkfifo k/p"),
      0);
  igt__root *root;
  igt_error err;
  struct stat st;
  int fd;
  char *data, *absolute = igt__path_absolute("k/in/f");
  size_t n;
  assert_int_equal(igt__root_open("k", false, &root, &err), IGT_OK);
  assert_string_equal(igt__root_below(root, absolute), "in/f");
  assert_string_equal(igt__root_below(root, "in/f"), "in/f");
  check_look(root, absolute, IGT_OK, true);
  check_look(root, "", IGT_OK, true);
  check_look(root, "in/none", IGT_OK, false);
  check_look(root, "none/none", IGT_OK, false);
  check_look(root, "in/f/none", IGT_OK, false);
  check_look(root, "lost", IGT_OK, true);
  check_look(root, "link/f", IGT_E_UNSAFE_NAME, false);
  check_look(root, "../k/in/f", IGT_E_UNSAFE_NAME, false);
  check_look(root, "/etc/passwd", IGT_E_UNSAFE_NAME, false);
  assert_int_equal(igt__root_open_read(root, "p", &fd, &st, &err), IGT_E_UNSAFE_NAME);
  assert_int_equal(igt__root_open_read(root, "in", &fd, &st, &err), IGT_E_COLLISION);
  assert_int_equal(igt__root_open_read(root, "lost", &fd, &st, &err), IGT_E_UNSAFE_NAME);
  assert_int_equal(igt__root_read_file(root, "link/f", 10, &data, &n, &err), IGT_E_UNSAFE_NAME);
  igt__root_follow_links(root);
  check_look(root, "link/f", IGT_OK, true);
  check_look(root, "lost", IGT_E_NO_FILE, false);
  check_look(root, "loop", IGT_E_IO, false);
  assert_int_equal(igt__root_open_read(root, "p", &fd, &st, &err), IGT_E_UNSAFE_NAME);
  igt__root_close(root);
  igt__free(absolute);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_check),
      cmocka_unit_test(test_partial),
      cmocka_unit_test_setup_teardown(test_root_is_opened_or_created, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_root_is_not_left, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_root_renames_and_removes, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_root_probes_clean_up, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_many_folders, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_files, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_walk, make_top, remove_top),
      cmocka_unit_test_setup_teardown(test_look, make_top, remove_top),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
