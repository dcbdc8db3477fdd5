/* SPDX-License-Identifier: MIT */
/* Parts of `igtcloud station` that need no cloud: the table of studies, and what tells that a
 * study's folder has changed or is written to. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "station/station.h"

#include <cmocka.h> /* behind cli.h, whose fail() it would replace */

void os_manager_alive(void) {}

int usage_error(const char *format, ...) {
  (void)format;
  return 2;
}

/* ---- the table ---- */

static void test_thousands_are_found_and_removed_in_any_order(void **state) {
  static watched one, other;
  study_queue q = {.v = NULL};
  char path[32];

  (void)state;
  for (int i = 0; i < 5000; i++) {
    snprintf(path, sizeof path, "lab/%d", i);
    assert_non_null(queue_add(&q, i % 2 ? &one : &other, path));
  }
  for (int i = 0; i < 5000; i += 3) {
    snprintf(path, sizeof path, "lab/%d", i);
    queue_remove(&q, queue_find(&q, i % 2 ? &one : &other, path));
  }
  assert_int_equal(q.count, 5000 - 1667);
  for (int i = 0; i < 5000; i++) {
    snprintf(path, sizeof path, "lab/%d", i);
    const study *s = queue_find(&q, i % 2 ? &one : &other, path);
    assert_int_equal(s != NULL, i % 3 != 0);
    if (s)
      assert_string_equal(s->path, path);
    assert_null(queue_find(&q, i % 2 ? &other : &one, path));
  }
  queue_free(&q);
}

static void test_the_first_problem_counts(void **state) {
  static watched in;
  study_queue q = {.v = NULL};
  study *s = queue_add(&q, &in, "lab/a");

  (void)state;
  study_problem(s, IGT_E_TIMEOUT, "first");
  study_problem(s, IGT_E_IO, "second");
  assert_int_equal(s->problem, IGT_E_TIMEOUT);
  assert_string_equal(s->problem_text, "first");
  queue_free(&q);
}

/* ---- folders ---- */

static char root[] = "/tmp/igt-station-XXXXXX";

static void put(const char *path, const char *text) {
  char full[256];
  FILE *out;

  snprintf(full, sizeof full, "%s/%s", root, path);
  out = fopen(full, "w");
  assert_non_null(out);
  fputs(text, out);
  fclose(out);
}

static int make_study(void **state) {
  char path[256];

  (void)state;
  memcpy(root + strlen(root) - 6, "XXXXXX", 6);
  assert_non_null(mkdtemp(root));
  snprintf(path, sizeof path, "%s/s", root);
  assert_int_equal(mkdir(path, 0700), 0);
  snprintf(path, sizeof path, "%s/s/sub", root);
  assert_int_equal(mkdir(path, 0700), 0);
  put("s/a", "12345");
  put("s/sub/b", "678");
  return 0;
}

static int remove_study(void **state) {
  (void)state;
  (void)tree_remove(root, "s");
  return rmdir(root);
}

static void test_a_print_counts_files_and_bytes(void **state) {
  tree_state p;

  (void)state;
  assert_true(tree_look(root, "s", &p));
  assert_int_equal(p.files, 2);
  assert_int_equal(p.bytes, 8);
  assert_int_equal(p.hidden, 0);
  put("s/c.dcm.part", "");
  assert_true(tree_look(root, "s", &p));
  assert_int_equal(p.hidden, 1);
  assert_false(tree_look(root, "none", &p));
}

static void test_every_change_shows(void **state) {
  static const struct timespec then[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
  tree_state before, now;
  char from[256], to[256];

  (void)state;
  assert_true(tree_look(root, "s", &before) && tree_look(root, "s", &now));
  assert_true(tree_same(&before, &now));
  put("s/a", "1234x"); /* the same size */
  assert_true(tree_look(root, "s", &now));
  assert_false(tree_same(&before, &now));
  snprintf(from, sizeof from, "%s/s/a", root);
  snprintf(to, sizeof to, "%s/s/d", root);
  before = now;
  assert_int_equal(rename(from, to), 0);
  assert_true(tree_look(root, "s", &now));
  assert_false(tree_same(&before, &now));
  before = now;
  assert_int_equal(utimensat(AT_FDCWD, to, then, 0), 0);
  assert_true(tree_look(root, "s", &now));
  assert_false(tree_same(&before, &now));
}

static void test_a_rename_of_the_whole_is_no_change(void **state) {
  tree_state before, now;
  char from[256], to[256];

  (void)state;
  assert_true(tree_look(root, "s", &before));
  snprintf(from, sizeof from, "%s/s", root);
  snprintf(to, sizeof to, "%s/t", root);
  assert_int_equal(rename(from, to), 0);
  assert_true(tree_look(root, "t", &now));
  assert_true(tree_same(&before, &now));
  assert_int_equal(rename(to, from), 0);
}

static void test_a_link_is_not_followed(void **state) {
  char path[256];
  tree_state p;

  (void)state;
  snprintf(path, sizeof path, "%s/s/link", root);
  assert_int_equal(symlink("/etc", path), 0);
  assert_true(tree_look(root, "s", &p));
  assert_int_equal(p.files, 2);
  snprintf(path, sizeof path, "%s/link", root);
  assert_int_equal(symlink("s", path), 0);
  assert_false(tree_look(root, "link", &p));
  assert_int_equal(unlink(path), 0);
}

/* In a process of its own: a lease and /proc are about others. */
static void test_a_writer_shows_until_it_closes(void **state) {
  char path[256], byte;
  int to_child[2], to_parent[2];
  pid_t child;

  (void)state;
  assert_int_equal(pipe(to_child), 0);
  assert_int_equal(pipe(to_parent), 0);
  assert_false(tree_is_written(root, "s"));
  snprintf(path, sizeof path, "%s/s/sub/b", root);
  child = fork();
  if (child == 0) {
    int fd = open(path, O_WRONLY | O_APPEND);
    close(to_child[1]);
    if (fd < 0 || write(to_parent[1], "+", 1) != 1 || read(to_child[0], &byte, 1) != 0)
      _exit(1);
    _exit(0);
  }
  assert_int_equal(read(to_parent[0], &byte, 1), 1);
  assert_true(tree_is_written(root, "s"));
  close(to_child[1]);
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_false(tree_is_written(root, "s"));
  close(to_child[0]);
  close(to_parent[0]);
  close(to_parent[1]);
}

/* ---- a line of the state file ---- */

/* In memory that ends with it, so that ASan sees what is read behind. */
static char *line_of(const char *text) {
  char *made = strdup(text);

  assert_non_null(made);
  return made;
}

static void test_a_path_survives_whatever_is_in_it(void **state) {
  char *text = NULL, *end;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);
  const char *path = "lab/a\n%\x01\x7f\xc3\xa4 b%4";

  (void)state;
  assert_non_null(out);
  state_put_path(out, path);
  fclose(out);
  end = strchr(text, '\n');
  assert_true(end && !end[1]);
  *end = '\0';
  assert_true(state_path(text));
  assert_string_equal(text, path);
  free(text);
}

static void test_a_damaged_path_is_refused(void **state) {
  static const char *const bad[] = {"", "%", "%4", "x%4", "%4g", "%g4", "%00", "a%", "% 4", "%+4"};

  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char *damaged = line_of(bad[i]);
    assert_false(state_path(damaged));
    free(damaged);
  }
}

static void test_numbers_of_a_damaged_line_are_refused(void **state) {
  static const char *const bad[] = {
      "", "12", "-1 ", " 1 ", "+1 ", "1x ", "11 ", "g ", "99999999999999999999 "};
  uint64_t n = 7;
  char *whole = line_of("10 ff x"), *rest = whole;

  (void)state;
  assert_true(state_number(&rest, 10, 10, &n));
  assert_int_equal(n, 10);
  assert_true(state_number(&rest, 16, 255, &n));
  assert_int_equal(n, 255);
  assert_string_equal(rest, "x");
  free(whole);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    rest = whole = line_of(bad[i]);
    assert_false(state_number(&rest, 10, 10, &n));
    assert_int_equal(n, 255);
    free(whole);
  }
}

/* ---- the input of a program ---- */

/* More than any pipe holds: nothing waits for a reader, and one that reads gets all of it. */
static void test_a_long_event_waits_for_no_reader(void **state) {
  size_t n = 4 * 1024 * 1024, got = 0;
  char *text = malloc(n + 1), part[65536];
  ssize_t k;

  (void)state;
  assert_non_null(text);
  memset(text, 'x', n);
  text[n] = '\0';
  int unread = hook_input(text), fd = hook_input(text);
  assert_true(unread >= 0 && fd >= 0);
  assert_int_equal(close(unread), 0);
  while ((k = read(fd, part, sizeof part)) > 0) {
    assert_int_equal(part[0] + part[k - 1], 'x' + 'x');
    got += (size_t)k;
  }
  assert_int_equal(got, n);
  close(fd);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_thousands_are_found_and_removed_in_any_order),
      cmocka_unit_test(test_the_first_problem_counts),
      cmocka_unit_test(test_a_long_event_waits_for_no_reader),
      cmocka_unit_test(test_a_path_survives_whatever_is_in_it),
      cmocka_unit_test(test_a_damaged_path_is_refused),
      cmocka_unit_test(test_numbers_of_a_damaged_line_are_refused),
      cmocka_unit_test_setup_teardown(test_a_print_counts_files_and_bytes, make_study,
                                      remove_study),
      cmocka_unit_test_setup_teardown(test_every_change_shows, make_study, remove_study),
      cmocka_unit_test_setup_teardown(test_a_rename_of_the_whole_is_no_change, make_study,
                                      remove_study),
      cmocka_unit_test_setup_teardown(test_a_link_is_not_followed, make_study, remove_study),
      cmocka_unit_test_setup_teardown(test_a_writer_shows_until_it_closes, make_study,
                                      remove_study),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
