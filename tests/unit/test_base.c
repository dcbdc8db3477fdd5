/* SPDX-License-Identifier: MIT */
/* The building blocks of lib/base: memory and quotas, arenas, buffers, errors, numbers, strings,
 * URIs, patterns, maps, fingerprints, cancel, log, clock, and the redaction of secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fingerprints.h"
#include "base/free_list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/redact.h"
#include "base/root.h"
#include "base/sip.h"
#include "base/str.h"
#include "base/thread.h"
#include "igtcloud/client.h"

static unsigned allocations_left;

static void *alloc_some(size_t n) {
  return allocations_left-- > 0 ? malloc(n) : NULL;
}

static void *resize_none(void *p, size_t n) {
  (void)p, (void)n;
  return NULL;
}

static const igt__mem_hooks failing = {alloc_some, resize_none, free};

static void test_memory(void **state) {
  (void)state;
  assert_null(igt__calloc(SIZE_MAX / 2, 3));
  assert_null(igt__strdup(NULL));
  char *s = igt__strndup("abc\0def", 7);
  assert_string_equal(s, "abc");
  igt__free(s);
  allocations_left = 0;
  igt__mem_set_hooks(&failing);
  assert_null(igt__malloc(1));
  igt__mem_set_hooks(NULL);
  void *p = igt__malloc(0);
  assert_non_null(p);
  igt__free(p);
  char secret[4] = "key";
  igt__wipe(secret, sizeof secret);
  assert_memory_equal(secret, "\0\0\0\0", 4);
}

static void test_arena(void **state) {
  (void)state;
  igt__arena *a = igt__arena_new(32);
  char *first = igt__arena_strdup(a, "first");
  for (size_t i = 1; i < 5000; i++) {
    unsigned char *p = igt__arena_calloc(a, i, 1);
    assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
    assert_int_equal(p[i - 1], 0);
    memset(p, 0xff, i);
  }
  assert_string_equal(first, "first");
  assert_string_equal(igt__arena_printf(a, "%d-%s", 7, "x"), "7-x");
  assert_null(igt__arena_alloc(a, SIZE_MAX));
  size_t held = igt__arena_held(a);
  igt__arena_reset(a); /* keeps its largest block, from the start */
  assert_in_range(igt__arena_held(a), 5000, held - 1);
  held = igt__arena_held(a);
  assert_non_null(igt__arena_alloc(a, 5000));
  assert_string_equal(igt__arena_strndup(a, "again", 3), "aga");
  assert_int_equal(igt__arena_held(a), held);
  igt__arena_free(a);
  igt__arena_free(NULL);
}

static void test_buffer(void **state) {
  (void)state;
  igt__buf b;
  igt__buf_init(&b, 10);
  assert_string_equal(b.data, "");
  assert_true(igt__buf_puts(&b, "12345"));
  assert_true(igt__buf_printf(&b, "%d", 67890));
  assert_string_equal(b.data, "1234567890");
  assert_false(igt__buf_putc(&b, 'x'));
  assert_true(b.failed && b.too_long);
  assert_false(igt__buf_append(&b, "", 0)); /* it stays failed */
  assert_string_equal(b.data, "1234567890");
  assert_null(igt__buf_take(&b));
  igt__buf_init(&b, SIZE_MAX);
  char *empty = igt__buf_take(&b);
  assert_string_equal(empty, "");
  igt__free(empty);
  allocations_left = 0;
  igt__mem_set_hooks(&failing);
  assert_false(igt__buf_puts(&b, "x"));
  igt__mem_set_hooks(NULL);
  assert_true(b.failed && !b.too_long);
  igt__buf_clear(&b);
  assert_true(igt__buf_join(&b, "x", "", "yz", NULL));
  assert_string_equal(b.data, "xyz");
  const char *held = b.data;
  igt__buf_wipe(&b);
  assert_true(b.len == 0 && b.cap > 3 && b.data == held);
  assert_true(held[0] == 0 && held[1] == 0 && held[2] == 0);
  igt__buf_finish_wipe(&b);
}

static void test_errors(void **state) {
  (void)state;
  igt_error err = IGT_ERROR_INIT;
  assert_int_equal(igt__fail(NULL, IGT_E_IO, "x"), IGT_E_IO);
  assert_int_equal(igt__fail_errno(&err, ENOSPC, "cannot write '%s'", "a\033[2J"), IGT_E_NO_SPACE);
  assert_string_equal(err.text, "cannot write 'a?[2J': No space left on device");
  assert_int_equal(err.os_error, ENOSPC);
  assert_int_equal(err.retry_after, 0);
  igt__error_prefix(&err, "study '%s'", "s1");
  assert_string_equal(err.text, "study 's1': cannot write 'a?[2J': No space left on device");
  assert_int_equal(err.status, IGT_E_NO_SPACE);
  igt__fail(&err, IGT_E_TIMEOUT, "%s, again", err.text); /* an argument that is overwritten */
  assert_true(strncmp(err.text, "study 's1'", 10) == 0);
  assert_true(err.retryable);
  assert_int_equal(err.os_error, 0);
  char longer[3000];
  memset(longer, 'a', sizeof longer);
  longer[sizeof longer - 1] = '\0';
  igt__fail(&err, IGT_E_IO, "%s", longer);
  size_t n = strlen(err.text);
  assert_true(n < sizeof err.text && n > 1000);
  assert_string_equal(err.text + n - 4, "a\xe2\x80\xa6");
  igt__error_clear(&err);
  assert_int_equal(err.status, IGT_OK);
  assert_string_equal(igt_status_name(IGT_E_GONE), "IGT_E_GONE");
  assert_string_equal(igt_status_name((igt_status)-999), "IGT_E_UNKNOWN");
  assert_int_equal(igt__status_from_http(404), IGT_E_NOT_FOUND);
  assert_int_equal(igt__status_from_http(418), IGT_E_BAD_REQUEST);
  assert_int_equal(igt__status_from_http(599), IGT_E_SERVER);
  assert_int_equal(igt__status_from_http(302), IGT_E_PROTOCOL);
}

static void test_numbers(void **state) {
  (void)state;
  int64_t i;
  uint64_t u;
  assert_true(igt__str_to_int64("-9223372036854775808", &i) && i == INT64_MIN);
  assert_false(igt__str_to_int64("9223372036854775808", &i));
  assert_true(igt__str_to_uint64("18446744073709551615", &u) && u == UINT64_MAX);
  static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "0x1", "1.0", NULL};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    assert_false(igt__str_to_int64(bad[k], &i));
    assert_false(igt__str_to_uint64(bad[k], &u));
  }
  assert_false(igt__str_to_uint64("-1", &u));
}

static void test_strings(void **state) {
  (void)state;
  assert_true(igt__str_eq(NULL, NULL) && !igt__str_eq("", NULL));
  assert_true(igt__str_eq_nocase(".DCM", ".dcm") && !igt__str_eq_nocase(".dc", ".dcm"));
  assert_true(igt__str_starts("abc", "") && !igt__str_starts("ab", "abc"));
  assert_true(igt__str_ends("a.dcm", ".dcm") && !igt__str_ends("m", ".dcm"));
  char out[16];
  igt__str_copy(out, 4, "abc");
  assert_string_equal(out, "abc");
  igt__str_copy(out, 4, "abcd");
  assert_string_equal(out, "abc");
  igt__str_copy(out, 1, "abc");
  assert_string_equal(out, "");
  igt__format_bytes(0, out, sizeof out);
  assert_string_equal(out, "0 B");
  igt__format_bytes(1024 * 1024 - 1, out, sizeof out);
  assert_string_equal(out, "1.0 MiB");
  igt__format_bytes(UINT64_MAX, out, sizeof out);
  assert_string_equal(out, "16.0 EiB");
}

static void test_utf8(void **state) {
  (void)state;
  static const struct {
    const char *s;
    bool valid;
  } cases[] = {
      {"", true},
      {"a\xc3\xa4", true},
      {"\xf0\x9f\x98\x80", true},
      {"\xef\xbf\xbf", true},
      {"\xc0\xaf", false},         /* overlong */
      {"\xe0\x80\xaf", false},     /* overlong */
      {"\xed\xa0\x80", false},     /* surrogate */
      {"\xf4\x90\x80\x80", false}, /* above U+10FFFF */
      {"\xc3", false},
      {"\x80", false},
      {"\xe2\x82", false},
      {"\xff", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(igt__utf8_valid(cases[i].s, strlen(cases[i].s)), cases[i].valid);
}

static void test_uri(void **state) {
  (void)state;
  igt__buf b;
  igt__buf_init(&b, 1000);
  assert_true(igt__uri_encode(&b, "a b/\xc3\xa4+~", 8, true));
  assert_string_equal(b.data, "a%20b/%C3%A4%2B~");
  igt__buf_clear(&b);
  assert_true(igt__uri_encode(&b, "/", 1, false));
  assert_string_equal(b.data, "%2F");
  igt__buf_clear(&b);
  assert_true(igt__uri_encode(&b, " ab  c/ ", 8, true));
  assert_string_equal(b.data, "%20ab%20%20c/%20");
  igt__buf_clear(&b);
  assert_true(igt__uri_decode(&b, "%20ab%20%20c/+%2B", 17, true));
  assert_string_equal(b.data, " ab  c/ +");
  igt__buf_clear(&b);
  assert_true(igt__uri_encode(&b, "", 0, true) && igt__uri_decode(&b, "", 0, true));
  assert_int_equal(b.len, 0);
  igt__buf_clear(&b);
  assert_true(igt__uri_decode(&b, "a%2fb+c%00", 10, false));
  assert_int_equal(b.len, 6);
  assert_memory_equal(b.data, "a/b+c\0", 6);
  igt__buf_clear(&b);
  assert_true(igt__uri_decode(&b, "a+b", 3, true));
  assert_string_equal(b.data, "a b");
  static const char *const bad[] = {"%", "%1", "a%zz", "%%41"};
  for (size_t i = 0; i < 4; i++)
    assert_false(igt__uri_decode(&b, bad[i], strlen(bad[i]), false));
  igt__buf_finish(&b);
  igt__buf_init(&b, 4); /* whatever does not fit is an error, wherever it ends */
  assert_false(igt__uri_encode(&b, "abcde", 5, true));
  igt__buf_clear(&b);
  assert_false(igt__uri_decode(&b, "abcd%41", 7, true));
  igt__buf_finish(&b);
}

static void test_glob(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *path;
    bool match;
  } cases[] = {
      {"*.dcm", "a/b/c.dcm", true},
      {"*.dcm", "a.dcm/c.txt", false},
      {"a/*.dcm", "a/b/c.dcm", false},
      {"a/**/*.dcm", "a/b/c/d.dcm", true},
      {"a/**/*.dcm", "a/d.dcm", true},
      {"a/**/b", "a/xb", false},
      {"**/b", "b", true},
      {"a/**", "a/b/c", true},
      {"a/?/c", "a/b/c", true},
      {"a?c/x", "a/c/x", false},
      {"[a-c]x", "bx", true},
      {"[!a-c]x", "bx", false},
      {"[]]x", "]x", true},
      {"[x", "[x", true},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"/top/*", "top/x", true},
      {"*a*a*a*a*a*a*a*ab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
      {"", "", true},
      {"*", "", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (igt__glob_match(cases[i].pattern, cases[i].path) != cases[i].match)
      fail_msg("%s on %s", cases[i].pattern, cases[i].path);
  }
}

static void test_glob_of_folders(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *path;
    bool match;
  } cases[] = {
      {"raw", "raw/a", true},         {"raw", "x/raw/y/a", true}, {"raw", "raw", true},
      {"raw", "rawer/a", false},      {"raw/", "raw/b/a", true},  {"raw/", "x/raw/a", true},
      {"raw/", "raw", false},         {"./raw/", "raw/a", true},  {"/raw", "raw/a", true},
      {"/raw", "x/raw/a", false},     {"x/raw", "x/raw/a", true}, {"x/raw/", "y/x/raw/a", false},
      {"r*", "raw/a.txt", true},      {"raw/*", "raw/x/a", true}, {"*.txt", "raw/a.txt", true},
      {"**/raw/", "a/b/raw/c", true}, {"/", "a/b", false},        {"", "a/b", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (igt__glob_selects(cases[i].pattern, cases[i].path) != cases[i].match)
      fail_msg("%s on %s", cases[i].pattern, cases[i].path);
  }
}

static void test_map(void **state) {
  (void)state;
  igt__map *map = igt__map_new();
  assert_null(igt__map_get(map, "x"));
  assert_null(igt__map_get(NULL, "x"));
  char key[16];
  for (uintptr_t i = 0; i < 3000; i++) {
    snprintf(key, sizeof key, "k%u", (unsigned)i);
    assert_true(igt__map_set(map, key, (void *)(i + 1)));
  }
  assert_true(igt__map_set(map, "k7", NULL));
  assert_int_equal(igt__map_count(map), 3000);
  assert_ptr_equal(igt__map_get(map, "k2999"), (void *)3000);
  assert_true(igt__map_has(map, "k7") && !igt__map_get(map, "k7"));
  assert_false(igt__map_has(map, "k3000"));
  const char *name;
  void *value;
  assert_true(igt__map_at(map, 42, &name, &value));
  assert_string_equal(name, "k42");
  assert_false(igt__map_at(map, 3000, &name, &value));
  igt__map_free(map);
}

/* Names of one or the other of each of 17 pairs: all 2^17 of them end in the same state of FNV-1a's
 * low 20 bits, as a server could send them for any hash that it knows. */
static void make_pair(uint64_t *state, char pair[2][5]) {
  enum { MASK = 0xfffff, LETTERS = 26 * 26 * 26 * 26 };
  uint32_t *seen = calloc(MASK + 1, sizeof *seen);
  uint64_t hash = 0;
  uint32_t n;

  assert_non_null(seen);
  for (n = 0; n < LETTERS; n++) {
    uint32_t rest = n;
    hash = *state;
    for (int i = 0; i < 4; i++, rest /= 26)
      hash = ((hash ^ ('a' + rest % 26)) * 1099511628211u) & MASK;
    if (seen[hash])
      break;
    seen[hash] = n + 1;
  }
  uint32_t numbers[2] = {n, seen[hash] - 1};
  for (int k = 0; k < 2; k++) {
    uint32_t rest = numbers[k];
    for (int i = 0; i < 4; i++, rest /= 26)
      pair[k][i] = (char)('a' + rest % 26);
    pair[k][4] = '\0';
  }
  *state = hash;
  free(seen);
}

/* 19 s of CPU with that hash, 0.1 s with ours. */
static void test_map_of_hostile_names(void **state) {
  enum { PAIRS = 17 };
  (void)state;
  char pairs[PAIRS][2][5], key[PAIRS * 4 + 1];
  uint64_t hash = 14695981039346656037u & 0xfffff;
  igt__map *map = igt__map_new();
  for (int i = 0; i < PAIRS; i++)
    make_pair(&hash, pairs[i]);
  clock_t begin = clock();
  for (unsigned n = 0; n < 1u << PAIRS; n++) {
    for (int i = 0; i < PAIRS; i++)
      memcpy(key + (size_t)i * 4, pairs[i][n >> i & 1], 5);
    assert_true(igt__map_set(map, key, map));
  }
  assert_int_equal(igt__map_count(map), 1u << PAIRS);
  assert_true((clock() - begin) / CLOCKS_PER_SEC < 6);
  igt__map_free(map);
}

/* From `openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16 SIPHASH`, which
 * prints the words' bytes in the other order. */
static void test_sip_print(void **state) {
  (void)state;
  const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  static const struct {
    const char *text;
    size_t n;
    uint64_t print[2];
  } cases[] = {{"", 0, {0xe6a825ba047f81a3, 0x930255c71472f66d}},
               {"\0", 1, {0x44af996bd8c187da, 0x45fc229b11597634}},
               {"\0\1\2\3\4\5\6\7\10", 9, {0xabbad90a06994426, 0xed716dbb028b7fc4}}};
  uint64_t print[2], again[2];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    igt__sip_print_keyed(key, cases[i].text, cases[i].n, print);
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
      assert_memory_equal(print, cases[i].print, sizeof print);
  }
  igt__sip_print("a", print);
  igt__sip_print("a", again);
  assert_memory_equal(print, again, sizeof print);
  igt__sip_print_keyed(key, "a", 1, again);
  assert_memory_not_equal(print, again, sizeof print);
}

static void test_fingerprints(void **state) {
  (void)state;
  igt__quota whole;
  igt__quota_init(&whole, 1 << 20, NULL);
  igt__fingerprints *set = igt__fingerprints_new(false, &whole),
                    *numbers = igt__fingerprints_new(true, NULL);
  char key[16];
  assert_false(igt__fingerprints_has(NULL, "k0") || igt__fingerprints_has(set, "k0"));
  assert_null(igt__fingerprints_number(numbers, "k0"));
  for (unsigned i = 0; i < 10000; i++) {
    snprintf(key, sizeof key, "k%u", i);
    assert_false(igt__fingerprints_has(set, key));
    assert_true(igt__fingerprints_set(set, key, 0) && igt__fingerprints_set(numbers, key, i));
  }
  assert_true(whole.used == 16384 * 16); /* enough for 10,000 files of a study */
  assert_true(igt__fingerprints_set(numbers, "k7", UINT64_MAX) &&
              igt__fingerprints_set(set, "k7", 0));
  for (unsigned i = 0; i < 10000; i++) {
    snprintf(key, sizeof key, "k%u", i);
    assert_true(igt__fingerprints_has(set, key) && igt__fingerprints_has(numbers, key));
    assert_int_equal(*igt__fingerprints_number(numbers, key), i == 7 ? UINT64_MAX : i);
  }
  *igt__fingerprints_number(numbers, "k9") |= 1 << 20;
  assert_int_equal(*igt__fingerprints_number(numbers, "k9"), 9 | 1 << 20);
  assert_false(igt__fingerprints_has(set, "k10000") || igt__fingerprints_has(numbers, "K1"));
  igt__fingerprints_free(set);
  igt__fingerprints_free(numbers);
  igt__fingerprints_free(NULL);
  assert_int_equal(whole.used, 0);
}

/* Requests that do not fit, or for which there is no memory, change nothing. */
static void test_bounds_of_fingerprints(void **state) {
  (void)state;
  igt__quota whole;
  unsigned kept;
  char key[16];
  igt__quota_init(&whole, 1000, NULL);
  igt__fingerprints *set = igt__fingerprints_new(false, &whole);
  for (kept = 0; snprintf(key, sizeof key, "%u", kept) > 0 && igt__fingerprints_set(set, key, 0);)
    kept++;
  assert_true(kept == 24 && igt__quota_refused(&whole) && whole.used == 512);
  assert_true(igt__fingerprints_has(set, "23") && !igt__fingerprints_has(set, "24"));
  assert_true(igt__fingerprints_set(set, "0", 0));
  igt__fingerprints_free(set);
  assert_int_equal(whole.used, 0);
  igt__mem_set_hooks(&failing);
  allocations_left = 0;
  assert_null(igt__fingerprints_new(true, NULL));
  allocations_left = 1;
  set = igt__fingerprints_new(true, &whole);
  assert_true(set && !igt__fingerprints_set(set, "a", 1) && !igt__fingerprints_has(set, "a"));
  igt__mem_set_hooks(NULL);
  assert_int_equal(whole.used, 0);
  igt__fingerprints_free(set);
}

static void test_quota(void **state) {
  (void)state;
  igt__quota whole, part, other;
  igt__quota_init(&whole, 100, NULL);
  igt__quota_init_part(&part, &whole);
  igt__quota_init(&other, 100, &whole);
  assert_true(igt__quota_take(NULL, SIZE_MAX));
  assert_true(igt__quota_take(&part, 50));
  assert_false(igt__quota_refused(&part));
  assert_false(igt__quota_take(&part, 1));
  assert_true(igt__quota_refused(&part) && !igt__quota_refused(&whole));
  assert_true(igt__quota_take(&other, 50));
  assert_false(igt__quota_take(&other, 1)); /* it has space, the total has not */
  assert_true(igt__quota_refused(&other) && igt__quota_refused(&whole));
  igt__quota_give(&part, 50);
  assert_int_equal(whole.used, 50);
  assert_true(igt__quota_take(&part, 30) && igt__quota_take(&other, 20));
  igt__quota_init_fair(&whole, UINT64_MAX);
  assert_true(whole.most > 0 && whole.most < UINT64_MAX / 2);
}

/* Their memory counts against a quota until they are freed. */
static void test_bounds_of_arena_and_map(void **state) {
  (void)state;
  igt__quota whole;
  igt__arena *a = igt__arena_new(100);
  igt__map *map = igt__map_new();
  size_t kept = 0;
  char key[16];
  igt__quota_init(&whole, 20000, NULL);
  igt__arena_bound(a, 10000, &whole);
  igt__map_bound(map, &whole);
  while (igt__arena_alloc(a, 100))
    kept++;
  assert_true(kept > 20 && kept < 100 && igt__arena_is_full(a));
  assert_true(whole.used <= 10000 && whole.used < igt__arena_held(a));
  for (kept = 0; snprintf(key, sizeof key, "%zu", kept) > 0 && igt__map_set(map, key, map);)
    kept++;
  assert_true(kept > 50 && kept < 500 && igt__map_count(map) == kept);
  assert_true(igt__map_has(map, "0") && !igt__map_has(map, key));
  assert_true(igt__quota_refused(&whole));
  igt__arena_reset(a);
  assert_non_null(igt__arena_alloc(a, 100));
  igt__arena_free(a);
  igt__map_free(map);
  assert_int_equal(whole.used, 0);
  char longer[1000] = {0};
  map = igt__map_new();
  igt__map_bound(map, &whole);
  do
    memset(longer, 'a' + (int)igt__map_count(map), sizeof longer - 1);
  while (igt__map_set(map, longer, map) && igt__map_count(map) < 50);
  assert_true(igt__map_count(map) > 15 && igt__map_count(map) < 20);
  igt__map_free(map);
  assert_int_equal(whole.used, 0);
}

static void test_cancel(void **state) {
  (void)state;
  igt_cancel *cancel = igt_cancel_new();
  igt__cancel *again = igt__cancel_ref(cancel);
  assert_false(igt__cancel_is_set(again));
  igt_cancel_set(cancel);
  igt_cancel_free(cancel);
  assert_true(igt__cancel_is_set(again));
  igt__cancel_unref(again);
  assert_false(igt__cancel_is_set(NULL));
}

typedef struct heard {
  int lines;
  char last[200];
} heard;

static void hear(void *payload, igt_log_level level, igt_log_subject subject, const char *text) {
  (void)level, (void)subject;
  heard *h = payload;
  h->lines++;
  snprintf(h->last, sizeof h->last, "%s", text);
}

static void test_log(void **state) {
  (void)state;
  heard h = {0};
  igt__log(IGT_LOG_ERROR, IGT_LOG_HTTP, "nobody listens");
  igt_log_set(hear, &h, IGT_LOG_INFO);
  IGT__DEBUG(IGT_LOG_HTTP, "not wanted");
  IGT__INFO(IGT_LOG_HTTP, "line\nwith %s", "\033[1mcolour");
  assert_int_equal(h.lines, 1);
  assert_string_equal(h.last, "line?with ?[1mcolour");
  igt_log_set_subject(IGT_LOG_S3, IGT_LOG_DEBUG);
  IGT__DEBUG(IGT_LOG_S3, "wanted");
  assert_int_equal(h.lines, 2);
  igt_log_set(NULL, NULL, IGT_LOG_TRACE);
  IGT__WARN(IGT_LOG_S3, "gone");
  assert_int_equal(h.lines, 2);
  assert_string_equal(igt_log_subject_name(IGT_LOG_S3), "s3");
}

static int64_t fixed(void) {
  return 1234567890123456;
}

static void test_clock(void **state) {
  (void)state;
  int64_t before = igt__mono_us();
  igt__sleep_us(1000);
  assert_true(igt__mono_us() - before >= 1000);
  assert_true(igt__jitter() != igt__jitter());
  igt__clock_hooks hooks = {fixed, fixed, NULL, NULL};
  igt__clock_set_hooks(&hooks);
  assert_int_equal(igt__wall_seconds(), 1234567890);
  igt__clock_set_hooks(NULL);
  assert_true(igt__wall_seconds() > 1700000000);
}

static void test_hide(void **state) {
  igt_error err;
  char text[2000];

  (void)state;
  igt__fail(&err, IGT_E_LOGIN, "user demo, password geheim-1, again geheim-1; geheim no");
  snprintf(err.code, sizeof err.code, "geheim-1");
  snprintf(err.request_id, sizeof err.request_id, "x-geheim-1-y");
  igt__error_hide(&err, "geheim-1");
  assert_string_equal(err.text, "user demo, password (hidden), again (hidden); geheim no");
  assert_string_equal(err.code, "(hidden)");
  assert_string_equal(err.request_id, "x-(hidden)-y");
  /* A word of three letters occurs everywhere. */
  igt__error_hide(&err, "use");
  igt__error_hide(&err, "");
  igt__error_hide(&err, NULL);
  igt__error_hide(NULL, "secret");
  assert_string_equal(err.text, "user demo, password (hidden), again (hidden); geheim no");
  /* Truncated in its middle by the end of the text. */
  memset(text, 'a', sizeof text);
  memcpy(text + IGT_ERROR_TEXT_MAX - 12, "geheim-1", 8);
  text[sizeof text - 1] = '\0';
  igt__fail(&err, IGT_E_LOGIN, "%s", text + 2);
  assert_non_null(strstr(err.text, "gehei"));
  igt__error_hide(&err, "geheim-1");
  assert_null(strstr(err.text, "gehei"));
  assert_true(strlen(err.text) < sizeof err.text);
  /* Longer than it was: the text is still terminated. */
  for (size_t i = 0; i < 200; i++)
    memcpy(text + i * 5, "abcd ", 5);
  text[1000] = '\0';
  igt__fail(&err, IGT_E_LOGIN, "%s", text);
  igt__error_hide(&err, "abcd");
  assert_null(strstr(err.text, "abcd"));
  assert_true(strlen(err.text) > sizeof err.text - sizeof "(hidden)");
}

static const char long_secret[] = "eyJhbGciOiJI.UzI1NiJ9_secret-of.0123456789";

static void hides(const char *text, const char *expected) {
  char line[300];

  snprintf(line, sizeof line, "%s", text);
  igt__redact(line);
  assert_string_equal(line, expected);
}

/* security-16 */
static void test_redact(void **state) {
  igt__redacted secret, other, shorter;
  char text[3000];
  igt_error err;

  (void)state;
  igt__redact_remember(&shorter, "short", 5);
  igt__redact_remember(&secret, long_secret, sizeof long_secret - 1);
  igt__redact_remember(&other, "another secret of some length", 29);
  hides("no: JI.UzI1NiJ9_secr!", "no: (hidden)!"); /* 16 characters of it */
  hides("no: JI.UzI1NiJ9_sec!", "no: JI.UzI1NiJ9_sec!");
  hides(long_secret, "(hidden)");
  hides("a short word, another secret of some length", "a short word, (hidden)");
  hides("eyJhbGciOiJI.UzI1NiJ9_ and secret-of.0123456789.", "(hidden) and (hidden).");
  /* In base64 at each offset: of "..JI.UzI1NiJ9_secret-of". */
  hides("x ZXlKaGJHY2lPaUpJLlV6STFOaUo5X3NlY3JldC1vZg== y", "x (hidden)== y");
  hides("x YWFleUpoYkdjaU9pSkkuVXpJMU5pSjlfc2VjcmV0 y", "x (hidden) y");
  hides("%65yJhbGciOiJI%2eUzI1NiJ9_ no", "(hidden) no");
  hides("100% of 17 %zz % words", "100% of 17 %zz % words");
  igt__fail(&err, IGT_E_LOGIN, "it is %s", long_secret + 4);
  assert_string_equal(err.text, "it is (hidden)");
  igt__error_append(&err, " %s", long_secret + 7);
  assert_string_equal(err.text, "it is (hidden) (hidden)");
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  memcpy(text + 1000, long_secret, sizeof long_secret - 1);
  igt__redact(text); /* longer than the part that is searched */
  assert_null(strstr(text, "secret-of"));
  igt__redact_forget(&secret);
  igt__redact_forget(&secret);
  hides(long_secret, long_secret);
  igt__redact_forget(&other);
  igt__redact_forget(&shorter);
}

static void *no_memory(size_t size) {
  (void)size;
  return NULL;
}

/* A secret for whose index there is no memory is hidden all the same. */
static void test_redact_without_memory(void **state) {
  static const igt__mem_hooks none = {no_memory, realloc, free};
  igt__redacted indexed, first, second;

  (void)state;
  igt__redact_remember(&indexed, "another secret of some length", 29);
  igt__mem_set_hooks(&none);
  igt__redact_remember(&first, long_secret, sizeof long_secret - 1);
  igt__redact_remember(&second, "and the third one, which is long", 32);
  igt__mem_set_hooks(NULL);
  assert_null(first.grams);
  hides("no: JI.UzI1NiJ9_secr!", "no: (hidden)!");
  hides("third one, which is; ecret of some length", "(hidden); (hidden)");
  igt__redact_forget(&first);
  hides("no: JI.UzI1NiJ9_secr!", "no: JI.UzI1NiJ9_secr!");
  hides("third one, which is; ecret of some length", "(hidden); (hidden)");
  igt__redact_forget(&second);
  igt__redact_forget(&indexed);
  hides("third one, which is; ecret of some length", "third one, which is; ecret of some length");
}

static void test_free_list(void **state) {
  static igt__free_list free_list = IGT__FREE_LIST_INIT(2);
  char a[64], b[64], c[64];

  (void)state;
  memset(a, 'a', sizeof a);
  assert_null(igt__free_list_take(&free_list));
  if (!IGT__FREE_LIST_KEPT) {
    assert_false(igt__free_list_give(&free_list, a));
    return;
  }
  assert_true(igt__free_list_give(&free_list, a) && igt__free_list_give(&free_list, b));
  assert_false(igt__free_list_give(&free_list, c)); /* stays ours */
  assert_ptr_equal(igt__free_list_take(&free_list), b);
  assert_true(igt__free_list_give(&free_list, c));
  assert_ptr_equal(igt__free_list_take(&free_list), c);
  assert_ptr_equal(igt__free_list_take(&free_list), a);
  assert_null(igt__free_list_take(&free_list));
  for (size_t i = sizeof(void *); i < sizeof a; i++)
    assert_int_equal(a[i], 'a');
}

typedef struct item {
  struct item *next;
} item;

static void test_a_queue_keeps_its_order(void **state) {
  IGT__QUEUE(item) queue;
  item a, b, c;

  (void)state;
  igt__queue_init(&queue);
  assert_null(igt__queue_take(&queue));
  igt__queue_add(&queue, &a);
  igt__queue_add(&queue, &b);
  igt__queue_add(&queue, &c);
  assert_ptr_equal(igt__queue_take(&queue), &a);
  igt__queue_add(&queue, &a);
  assert_ptr_equal(igt__queue_take_all(&queue), &b);
  assert_ptr_equal(b.next, &c);
  assert_ptr_equal(c.next, &a);
  assert_null(a.next);
  assert_null(igt__queue_take(&queue));
}

static void test_a_queue_gives_up_any_item(void **state) {
  IGT__QUEUE(item) queue;
  item a, b, c, other = {NULL};

  (void)state;
  igt__queue_init(&queue);
  igt__queue_add(&queue, &a);
  igt__queue_add(&queue, &b);
  igt__queue_add(&queue, &c);
  assert_false(igt__queue_remove(&queue, &other));
  assert_true(igt__queue_remove(&queue, &b)); /* from the middle */
  assert_true(igt__queue_remove(&queue, &c)); /* the last */
  igt__queue_add(&queue, &b);
  assert_true(igt__queue_remove(&queue, &a)); /* the first */
  assert_ptr_equal(igt__queue_take(&queue), &b);
  assert_false(igt__queue_remove(&queue, &b));
  igt__queue_add(&queue, &a); /* the emptied queue can be used on */
  assert_ptr_equal(igt__queue_take(&queue), &a);
}

typedef struct seen {
  char name[16];
  bool blocked;
  igt__completion completion;
} seen;

static void *look_around(void *arg) {
  seen *s = arg;
  sigset_t mask;

  (void)pthread_getname_np(pthread_self(), s->name, sizeof s->name);
  (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
  s->blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM);
  igt__completion_set(&s->completion, IGT_OK, NULL);
  return NULL;
}

static void test_threads_have_names_and_no_signals(void **state) {
  seen joined = {.blocked = false}, detached = {.blocked = false};
  pthread_t thread;

  (void)state;
  igt__completion_init(&joined.completion);
  igt__completion_init(&detached.completion);
  assert_int_equal(igt__thread_start(&thread, "igt-joined", 0, look_around, &joined), 0);
  assert_int_equal(
      igt__thread_start(NULL, "igt-detached", IGT__THREAD_STACK, look_around, &detached), 0);
  assert_int_equal(igt__completion_finish(&detached.completion, NULL), IGT_OK);
  assert_int_equal(igt__completion_finish(&joined.completion, NULL), IGT_OK);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_string_equal(joined.name, "igt-joined");
  assert_string_equal(detached.name, "igt-detached");
  assert_true(joined.blocked && detached.blocked);
}

static void test_a_thread_needs_memory(void **state) {
  pthread_t thread;

  (void)state;
  allocations_left = 0;
  igt__mem_set_hooks(&failing);
  int os_error = igt__thread_start(&thread, "igt-none", 0, look_around, NULL);
  igt__mem_set_hooks(NULL);
  assert_int_equal(os_error, ENOMEM);
}

/* ---- the hook of waiting threads ---- */

typedef struct hooked {
  igt__completion completion;
  unsigned calls, wanted;
} hooked;

static void count_and_complete(void *payload) {
  hooked *h = payload;

  if (++h->calls == h->wanted)
    igt__completion_set(&h->completion, IGT_E_NETWORK, NULL); /* takes the lock of the wait */
}

static void test_a_waiting_thread_calls_its_hook(void **state) {
  hooked h = {.wanted = 2}, timed = {.wanted = 0}, suspended = {.wanted = 0};

  (void)state;
  igt_wait_hook_set(count_and_complete, &h);
  igt__completion_init(&h.completion);
  assert_int_equal(igt__completion_finish(&h.completion, NULL), IGT_E_NETWORK);
  assert_int_equal(h.calls, 2);
  igt_wait_hook_set(count_and_complete, &timed);
  igt__completion_init(&timed.completion);
  assert_false(igt__completion_wait_for(&timed.completion, 120));
  assert_in_range(timed.calls, 2, 3);
  igt__completion_set(&timed.completion, IGT_OK, NULL);
  (void)igt__completion_finish(&timed.completion, NULL);
  igt_wait_hook_set(count_and_complete, &suspended);
  igt__wait_hook_suspend();
  igt__completion_init(&suspended.completion);
  assert_false(igt__completion_wait_for(&suspended.completion, 120));
  igt__wait_hook_resume();
  assert_int_equal(suspended.calls, 0);
  igt__completion_set(&suspended.completion, IGT_OK, NULL);
  (void)igt__completion_finish(&suspended.completion, NULL);
  igt_wait_hook_set(NULL, NULL);
}

static void test_a_completion_has_a_status_and_its_error(void **state) {
  igt__completion completion;
  igt_error err = IGT_ERROR_INIT, got = IGT_ERROR_INIT;

  (void)state;
  igt__completion_init(&completion);
  assert_false(igt__completion_wait_for(&completion, 0));
  assert_false(igt__completion_wait_for(&completion, 2));
  igt__fail(&err, IGT_E_NETWORK, "the connection broke");
  igt__completion_set(&completion, IGT_E_NETWORK, &err);
  assert_true(igt__completion_wait_for(&completion, 0));
  assert_int_equal(igt__completion_finish(&completion, &got), IGT_E_NETWORK);
  assert_string_equal(got.text, "the connection broke");
}

static void test_a_deadline_is_monotonic(void **state) {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  struct timespec now, deadline = igt__deadline(1900);
  pthread_cond_t cond;

  (void)state;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  double left =
      (double)(deadline.tv_sec - now.tv_sec) + (double)(deadline.tv_nsec - now.tv_nsec) / 1e9;
  assert_true(left > 0 && left <= 1.9);
  assert_in_range(deadline.tv_nsec, 0, 999999999);
  /* By the wall clock this deadline would be decades in the past. */
  igt__cond_init(&cond);
  deadline = igt__deadline(20);
  pthread_mutex_lock(&lock);
  assert_false(igt__cond_wait_until(&cond, &lock, &deadline));
  pthread_mutex_unlock(&lock);
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  assert_true(now.tv_sec > deadline.tv_sec ||
              (now.tv_sec == deadline.tv_sec && now.tv_nsec >= deadline.tv_nsec));
  pthread_cond_destroy(&cond);
}

static void test_a_write_reports_a_full_disk(void **state) {
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC), fds[2];
  char text[8] = "";

  (void)state;
  assert_int_equal(pipe(fds), 0);
  assert_true(igt__fd_write(fds[1], "content", 7));
  assert_int_equal(read(fds[0], text, sizeof text), 7);
  assert_string_equal(text, "content");
  close(fds[0]);
  close(fds[1]);
  assert_true(full >= 0);
  errno = 0;
  assert_false(igt__fd_write(full, "content", 7));
  assert_int_equal(errno, ENOSPC);
  assert_true(igt__fd_write(full, "", 0));
  close(full);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_arena),
      cmocka_unit_test(test_buffer),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_strings),
      cmocka_unit_test(test_utf8),
      cmocka_unit_test(test_uri),
      cmocka_unit_test(test_glob),
      cmocka_unit_test(test_glob_of_folders),
      cmocka_unit_test(test_map),
      cmocka_unit_test(test_map_of_hostile_names),
      cmocka_unit_test(test_sip_print),
      cmocka_unit_test(test_fingerprints),
      cmocka_unit_test(test_bounds_of_fingerprints),
      cmocka_unit_test(test_free_list),
      cmocka_unit_test(test_a_queue_keeps_its_order),
      cmocka_unit_test(test_a_queue_gives_up_any_item),
      cmocka_unit_test(test_threads_have_names_and_no_signals),
      cmocka_unit_test(test_a_thread_needs_memory),
      cmocka_unit_test(test_a_waiting_thread_calls_its_hook),
      cmocka_unit_test(test_a_completion_has_a_status_and_its_error),
      cmocka_unit_test(test_a_deadline_is_monotonic),
      cmocka_unit_test(test_a_write_reports_a_full_disk),
      cmocka_unit_test(test_quota),
      cmocka_unit_test(test_bounds_of_arena_and_map),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_log),
      cmocka_unit_test(test_clock),
      cmocka_unit_test(test_hide),
      cmocka_unit_test(test_redact),
      cmocka_unit_test(test_redact_without_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
