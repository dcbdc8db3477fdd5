/* SPDX-License-Identifier: MIT */
/* The static program's own memcpy and the like (packaging/standalone), under other names, compared
 * with loops over bytes: every length around each border in them, every offset within a vector,
 * and at the very ends of what may be read and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#define LONGEST 4300
#define BORDER 64 /* around what is written: must stay as it is */
#define AREA (4 * LONGEST)

void *own_memcpy(void *to, const void *from, size_t n);
void *own_memmove(void *to, const void *from, size_t n);
void *own_memset(void *to, int c, size_t n);
int own_memcmp(const void *left, const void *right, size_t n);
void *own_memchr(const void *memory, int c, size_t n);
size_t own_strlen(const char *text);

/* All up to 300, then some around the borders of the larger ones. */
static size_t next_length(size_t n) {
  static const size_t larger[] = {511,  512,  1023, 1024, 2047,   2048,
                                  2049, 2111, 4095, 4096, LONGEST};

  for (size_t i = 0; n >= 300 && i < sizeof larger / sizeof *larger; i++)
    if (larger[i] > n)
      return larger[i];
  return n + 1;
}

/* Memory that ends where none is, and begins so. */
static unsigned char *guarded(size_t size) {
  size_t page = 4096;
  unsigned char *p = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  assert_true(p != MAP_FAILED && size % page == 0);
  assert_int_equal(mprotect(p + page, size, PROT_READ | PROT_WRITE), 0);
  return p + page;
}

static void scribble(unsigned char *p, size_t n) {
  for (size_t i = 0; i < n; i++)
    p[i] = (unsigned char)(i * 7 + i / 251 + 1);
}

static void move_bytes(unsigned char *to, const unsigned char *from, size_t n) {
  static unsigned char copy[LONGEST];

  for (size_t i = 0; i < n; i++)
    copy[i] = from[i];
  for (size_t i = 0; i < n; i++)
    to[i] = copy[i];
}

static void check_move(size_t to, size_t from, size_t n) {
  static unsigned char found[AREA], wanted[AREA];
  size_t end = (to > from ? to : from) + n + BORDER;

  scribble(found, end);
  scribble(wanted, end);
  assert_ptr_equal(own_memmove(found + to, found + from, n), found + to);
  move_bytes(wanted + to, wanted + from, n);
  if (memcmp(found, wanted, end) != 0)
    fail_msg("memmove to %zu from %zu of %zu bytes", to, from, n);
}

static void test_memmove_of_each_length_and_distance(void **state) {
  static const size_t apart[] = {0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 127, 128, 129, 2048};

  (void)state;
  for (size_t n = 0; n <= LONGEST; n = next_length(n))
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
      for (size_t at = BORDER; at<BORDER + 16; at += n> 300 ? 5 : 1) {
        check_move(at, at + apart[i], n);
        check_move(at + apart[i], at, n);
      }
}

static void test_memcpy_of_each_length_and_offset(void **state) {
  static unsigned char from[AREA], found[AREA], wanted[AREA];

  (void)state;
  scribble(from, sizeof from);
  for (size_t n = 0; n <= LONGEST; n = next_length(n))
    for (size_t to = 0; to<16; to += n> 300 ? 3 : 1)
      for (size_t at = 0; at < 16; at += 5) {
        memset(found, 0xa5, n + 3 * BORDER);
        memset(wanted, 0xa5, n + 3 * BORDER);
        assert_ptr_equal(own_memcpy(found + BORDER + to, from + at, n), found + BORDER + to);
        move_bytes(wanted + BORDER + to, from + at, n);
        assert_memory_equal(found, wanted, n + 3 * BORDER);
      }
}

static void test_memset_of_each_length_and_offset(void **state) {
  static unsigned char found[AREA];

  (void)state;
  for (size_t n = 0; n <= LONGEST; n = next_length(n))
    for (size_t at = BORDER; at < BORDER + 16; at++) {
      memset(found, 0x11, n + 3 * BORDER);
      assert_ptr_equal(own_memset(found + at, 0x1ee, n), found + at);
      for (size_t i = 0; i < n + 3 * BORDER; i++)
        assert_int_equal(found[i], i >= at && i < at + n ? 0xee : 0x11);
    }
}

static int sign(int n) {
  return (n > 0) - (n < 0);
}

static void test_memcmp_finds_each_difference(void **state) {
  static unsigned char left[AREA], right[AREA];

  (void)state;
  for (size_t n = 0; n <= 100; n++)
    for (size_t at = 0; at < 16; at++) {
      scribble(left, n + 32);
      memcpy(right + at, left, n);
      right[at + n] = (unsigned char)~left[n]; /* behind it */
      assert_int_equal(own_memcmp(left, right + at, n), 0);
      for (size_t i = 0; i < n; i++) {
        right[at + i] ^= 0x80;
        right[at + n - 1] = i == n - 1 ? right[at + n - 1] : (unsigned char)~left[n - 1];
        assert_int_equal(sign(own_memcmp(left, right + at, n)), left[i] > right[at + i] ? 1 : -1);
        right[at + i] ^= 0x80;
        right[at + n - 1] = left[n - 1];
      }
    }
}

/* What comes before and behind has the byte that is looked for. */
static void check_search(unsigned char *end, size_t n, size_t at) {
  unsigned char *begin = end - n;

  memset(begin, 'a', n);
  if (at < n)
    begin[at] = 'b';
  assert_ptr_equal(own_memchr(begin, 'b' | 0x100, n), at < n ? begin + at : NULL);
  if (at < n) {
    begin[at] = '\0';
    assert_int_equal(own_strlen((char *)begin), at);
  }
}

static void test_searches_stay_in_bounds(void **state) {
  unsigned char *area = guarded(4096);

  (void)state;
  memset(area, 'b', 4096);
  for (size_t n = 0; n <= 100; n++)
    for (size_t at = 0; at <= n; at++) {
      check_search(area + 4096, n, at);
      area[2000] = 'b';
      check_search(area + 2000, n, at); /* one more behind it does not count */
    }
  assert_ptr_equal(own_memchr(area, 'q', 4096), NULL);
  memset(area, 'a', 4096);
  area[3000] = 'b';
  assert_ptr_equal(own_memchr(area + 1, 'b', SIZE_MAX), area + 3000); /* as in rawmemchr */
}

static void test_copies_stay_in_bounds(void **state) {
  unsigned char *from = guarded(8192), *to = guarded(8192);

  (void)state;
  for (size_t n = 0; n <= LONGEST; n = next_length(n)) {
    own_memcpy(to, from + 8192 - n, n);
    own_memcpy(to + 8192 - n, from, n);
    own_memset(to + 8192 - n, 0, n);
    assert_int_equal(own_memcmp(to + 8192 - n, from + 8192 - n, n), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memmove_of_each_length_and_distance),
      cmocka_unit_test(test_memcpy_of_each_length_and_offset),
      cmocka_unit_test(test_memset_of_each_length_and_offset),
      cmocka_unit_test(test_memcmp_finds_each_difference),
      cmocka_unit_test(test_searches_stay_in_bounds),
      cmocka_unit_test(test_copies_stay_in_bounds),
  };

  return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
