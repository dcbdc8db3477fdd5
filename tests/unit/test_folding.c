/* SPDX-License-Identifier: MIT */
/* A file system that takes upper and lower case for the same, which Linux cannot mount everywhere:
 * the linker puts these functions in front of those of lib/base/os. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/root.h"
#include "transfer/download/case_names.h"

int __real_igt__os_statat(int dir, const char *name, igt__stat *st, bool follow);
int __wrap_igt__os_statat(int dir, const char *name, igt__stat *st, bool follow);
int __real_igt__os_openat(int dir, const char *name, int flags, mode_t mode);
int __wrap_igt__os_openat(int dir, const char *name, int flags, mode_t mode);
int __real_igt__os_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_igt__os_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_igt__os_rename_new(int from_dir, const char *from, int to_dir, const char *to);

/* The name under which it is stored; else the name itself. */
static const char *stored(int dir, const char *name, char out[256]) {
  int copy = __real_igt__os_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0), ignored;
  igt__os_dir *entries = igt__os_dir_take(copy);
  const char *entry;

  strcpy(out, name);
  while ((entry = igt__os_dir_next(entries, NULL, &ignored)) != NULL)
    if (strcasecmp(entry, name) == 0)
      strcpy(out, entry);
  igt__os_dir_close(entries);
  return out;
}

int __wrap_igt__os_statat(int dir, const char *name, igt__stat *st, bool follow) {
  char out[256];

  return __real_igt__os_statat(dir, stored(dir, name, out), st, follow);
}

int __wrap_igt__os_openat(int dir, const char *name, int flags, mode_t mode) {
  char out[256];

  if (dir == AT_FDCWD)
    return __real_igt__os_openat(dir, name, flags, mode);
  return __real_igt__os_openat(dir, stored(dir, name, out), flags, mode);
}

/* Keeps the stored name, as such file systems do. */
int __wrap_igt__os_renameat(int from_dir, const char *from, int to_dir, const char *to) {
  char out[256];

  return __real_igt__os_renameat(from_dir, from, to_dir, stored(to_dir, to, out));
}

int __wrap_igt__os_rename_new(int from_dir, const char *from, int to_dir, const char *to) {
  char out[256];
  igt__stat st;

  if (__real_igt__os_statat(to_dir, stored(to_dir, to, out), &st, false) == 0) {
    errno = EEXIST;
    return -1;
  }
  return __real_igt__os_renameat(from_dir, from, to_dir, to);
}

static char folder[] = "/tmp/igtcloud-folding-XXXXXX";

static igt__root *open_root(void) {
  igt__root *root = NULL;

  assert_int_equal(igt__root_open(folder, true, &root, NULL), IGT_OK);
  return root;
}

static void put(igt__root *root, const char *path, const char *text) {
  assert_int_equal(igt__root_write_file(root, path, text, strlen(text), 0600, NULL), IGT_OK);
}

static void expect(igt__root *root, const char *path, const char *text) {
  char *data = NULL;
  size_t n = 0;

  assert_int_equal(igt__root_read_file(root, path, 100, &data, &n, NULL), IGT_OK);
  assert_int_equal(n, strlen(text));
  assert_memory_equal(data, text, n);
  igt__free(data);
}

/* Another process has downloaded the same file meanwhile. */
static void test_the_same_name_is_replaced(void **state) {
  igt__root *root = open_root();

  (void)state;
  put(root, "one/Name.txt", "theirs");
  put(root, "one/.part", "ours");
  assert_int_equal(igt__root_rename_new(root, "one/.part", "one/Name.txt", NULL), IGT_OK);
  expect(root, "one/Name.txt", "ours");
  igt__root_close(root);
}

static void test_a_variant_is_a_collision(void **state) {
  igt__root *root = open_root();

  (void)state;
  put(root, "two/Name.txt", "another");
  put(root, "two/.part", "ours");
  assert_int_equal(igt__root_rename_new(root, "two/.part", "two/NAME.txt", NULL), IGT_E_COLLISION);
  expect(root, "two/Name.txt", "another");
  igt__root_close(root);
}

static void test_a_file_that_appears_is_no_variant_of_itself(void **state) {
  igt__root *root = open_root();
  igt__quota lists;
  igt__case_names *names;

  (void)state;
  igt__quota_init(&lists, 1 << 20, NULL);
  put(root, "three/there.txt", "1");
  names = igt__case_names_new(root, "three", &lists);
  assert_non_null(names);
  assert_int_equal(igt__case_names_claim(names, "three/first.txt", NULL), IGT_OK);
  put(root, "three/Late.txt", "2"); /* by another process, after the folder was read */
  assert_int_equal(igt__case_names_claim(names, "three/Late.txt", NULL), IGT_OK);
  put(root, "three/Later.txt", "3");
  assert_int_equal(igt__case_names_claim(names, "three/LATER.txt", NULL), IGT_E_COLLISION);
  assert_int_equal(igt__case_names_claim(names, "three/THERE.txt", NULL), IGT_E_COLLISION);
  igt__case_names_free(names);
  igt__root_close(root);
}

static int set_up(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
  char command[80];

  (void)state;
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_same_name_is_replaced),
      cmocka_unit_test(test_a_variant_is_a_collision),
      cmocka_unit_test(test_a_file_that_appears_is_no_variant_of_itself),
  };

  return cmocka_run_group_tests(tests, set_up, tear_down);
}
