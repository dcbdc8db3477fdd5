/* SPDX-License-Identifier: MIT */
/* The token file through which a login shares its session with other programs
 * (lib/auth/token_file.h): the format, also as the Python client writes it, files that are not
 * trusted, torn reads, and holders that replace or remove each other's tokens. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/token_file.h"
#include "base/clock.h"
#include "base/limits.h"

static char dir[100], path[200];

static int set_up(void **state) {
  (void)state;
  strcpy(dir, "/tmp/igt-token-XXXXXX");
  if (!mkdtemp(dir))
    return -1;
  snprintf(path, sizeof path, "%s/token", dir);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  unlink(path);
  rmdir(path);
  return rmdir(dir);
}

/* ---- making tokens ---- */

static void make_jwt(igt__buf *out, const char *mark, int64_t expires, igt__json **claims) {
  igt__buf text;

  igt__buf_init(&text, 16384);
  igt__buf_init(out, 32768);
  *claims = igt__json_new_object();
  igt__json_set_int(*claims, "exp", expires);
  igt__json_set_str(*claims, "access_token", mark);
  igt__json_set_str(*claims, "refresh_token", "r");
  igt__json_write(&text, *claims, IGT__JSON_COMPACT);
  igt__buf_puts(out, "aGVhZA.");
  igt__base64url_encode(out, text.data, text.len);
  igt__buf_puts(out, ".c2ln");
  igt__buf_finish(&text);
}

static igt_status make_page(char *page, const char *mark, int64_t expires) {
  igt__json *claims = NULL;
  igt_status status;
  igt__buf jwt;

  make_jwt(&jwt, mark, expires, &claims);
  status = igt__token_encode("ann@example.com", jwt.data, claims, "csrf-1",
                             "https://igt.example.com", page, NULL);
  igt__json_free(claims);
  igt__buf_finish(&jwt);
  return status;
}

static void write_file(const void *data, size_t n, mode_t mode) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

  assert_true(fd >= 0);
  assert_int_equal(fchmod(fd, mode), 0);
  assert_int_equal(write(fd, data, n), n);
  close(fd);
}

static int64_t soon(void) {
  return igt__wall_seconds() + 3600;
}

static igt_status read_status(igt_error *err) {
  igt_token *token = NULL;
  igt_status status = igt_token_read(path, &token, err);

  assert_true((token != NULL) == (status == IGT_OK));
  igt_token_free(token);
  return status;
}

/* ---- reading ---- */

static void test_round_trip(void **state) {
  char page[IGT__TOKEN_FILE_SIZE];
  igt_token *token = NULL;

  (void)state;
  assert_int_equal(make_page(page, "access-1", 1999999999), IGT_OK);
  assert_int_equal(page[IGT__TOKEN_FILE_SIZE - 1], 0);
  write_file(page, sizeof page, 0600);
  assert_int_equal(igt_token_read(path, &token, NULL), IGT_OK);
  assert_string_equal(igt_token_user(token), "ann@example.com");
  assert_string_equal(igt_token_domain(token), "https://igt.example.com");
  assert_string_equal(igt_token_csrf(token), "csrf-1");
  assert_string_equal(igt_token_access(token), "access-1");
  assert_true(strncmp(igt_token_jwt(token), "aGVhZA.", 7) == 0);
  assert_int_equal(igt_token_expires(token), 1999999999);
  assert_int_equal(igt_token_holder(token), 0);
  igt_token_free(token);
}

/* As the Python client writes it: json.dumps with spaces, another order, a file that other programs
 * made longer. */
static void test_reads_what_python_writes(void **state) {
  static const char json[] =
      "{\"sub\": \"j\\u00f6rg\", \"jwt\": \"aA.eyJleHAiOjE5OTk5OTk5OTl9.cw\", \"jwt_data\": "
      "{\"exp\": 1999999999}, \"csrf\": \"c\", \"domain\": \"https://igt-web.eu1.phsdp.com\"}";
  static char page[IGT__TOKEN_FILE_SIZE];
  igt_token *token = NULL;
  igt__buf text;

  (void)state;
  igt__buf_init(&text, 8192);
  igt__base64_encode(&text, json, sizeof json - 1);
  memset(page, 0, sizeof page);
  memcpy(page, text.data, text.len);
  write_file(page, sizeof page, 0600);
  assert_int_equal(igt_token_read(path, &token, NULL), IGT_OK);
  assert_string_equal(igt_token_user(token), "j\xc3\xb6rg");
  assert_string_equal(igt_token_access(token), "");
  igt_token_free(token);
  igt__buf_finish(&text);
}

/* A token with a line break in it would add a header. */
static void test_tokens_that_fit_no_header(void **state) {
  static const char json[] =
      "{\"jwt\": \"aA.eyJleHAiOjE5OTk5OTk5OTl9.cw\", \"jwt_data\": {\"exp\": "
      "1999999999}, \"csrf\": \"c\\r\\nX: y\", \"domain\": \"https://a.b\"}";
  igt_token *token = NULL;
  igt_error err = IGT_ERROR_INIT;
  igt__buf text;

  (void)state;
  igt__buf_init(&text, 8192);
  igt__base64_encode(&text, json, sizeof json - 1);
  write_file(text.data, text.len, 0600);
  assert_int_equal(igt_token_read(path, &token, &err), IGT_E_TOKEN_FILE);
  assert_non_null(strstr(err.text, "control characters"));
  igt__error_clear(&err);
  igt__buf_finish(&text);
}

static void test_nobody_signed_in(void **state) {
  static const char zeros[IGT__TOKEN_FILE_SIZE];
  char page[IGT__TOKEN_FILE_SIZE];

  (void)state;
  assert_int_equal(read_status(NULL), IGT_E_NO_SESSION); /* no file */
  write_file("", 0, 0600);
  assert_int_equal(read_status(NULL), IGT_E_NO_SESSION);
  write_file(zeros, sizeof zeros, 0600);
  assert_int_equal(read_status(NULL), IGT_E_NO_SESSION);
  assert_int_equal(make_page(page, "a", igt__wall_seconds() - 1), IGT_OK); /* D39 */
  write_file(page, sizeof page, 0600);
  assert_int_equal(read_status(NULL), IGT_E_NO_SESSION);
}

/* D9 */
static void test_distrusts(void **state) {
  char page[IGT__TOKEN_FILE_SIZE], other[250];
  igt_error err = IGT_ERROR_INIT;

  (void)state;
  assert_int_equal(make_page(page, "a", soon()), IGT_OK);
  write_file(page, sizeof page, 0644);
  assert_int_equal(read_status(&err), IGT_E_TOKEN_FILE);
  assert_non_null(strstr(err.text, "0644"));
  write_file(page, sizeof page, 0620);
  assert_int_equal(read_status(NULL), IGT_E_TOKEN_FILE);
  write_file(page, sizeof page, 0600);
  assert_int_equal(read_status(NULL), IGT_OK);
  snprintf(other, sizeof other, "%s/other", dir);
  assert_int_equal(rename(path, other), 0);
  assert_int_equal(symlink(other, path), 0);
  assert_int_equal(read_status(&err), IGT_E_TOKEN_FILE);
  assert_non_null(strstr(err.text, "link"));
  unlink(other);
  unlink(path);
  assert_int_equal(mkfifo(path, 0600), 0); /* must not hang */
  assert_int_equal(read_status(NULL), IGT_E_TOKEN_FILE);
  unlink(path);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_int_equal(read_status(NULL), IGT_E_TOKEN_FILE);
  rmdir(path);
}

static void test_distrusts_other_owner(void **state) {
  char page[IGT__TOKEN_FILE_SIZE];
  igt_error err = IGT_ERROR_INIT;

  (void)state;
  if (geteuid() != 0) /* only root can change a file's owner; the check itself needs no root */
    return;
  assert_int_equal(make_page(page, "a", soon()), IGT_OK);
  write_file(page, sizeof page, 0600);
  assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
  assert_int_equal(read_status(&err), IGT_E_TOKEN_FILE);
  assert_non_null(strstr(err.text, "12345"));
}

static void no_sleep(int64_t us) {
  (void)us;
}
static int64_t fixed_time(void) {
  return 1800000000LL * 1000000;
}
static uint64_t no_jitter(void) {
  return 0;
}

static void test_reports_damage(void **state) {
  static const igt__clock_hooks hooks = {fixed_time, fixed_time, no_sleep, no_jitter};
  char page[IGT__TOKEN_FILE_SIZE];
  igt_error err = IGT_ERROR_INIT;

  (void)state;
  igt__clock_set_hooks(&hooks);
  assert_int_equal(make_page(page, "a", 1999999999), IGT_OK);
  page[40] = '!';
  write_file(page, sizeof page, 0600);
  assert_int_equal(read_status(&err), IGT_E_TOKEN_FILE);
  write_file("aGVsbG8=", 8, 0600);
  assert_int_equal(read_status(&err), IGT_E_TOKEN_FILE);
  write_file("e30=", 4, 0600); /* {} */
  assert_int_equal(read_status(&err), IGT_E_TOKEN_FILE);
  igt__clock_set_hooks(NULL);
}

/* Halves of two tokens of the same length may be valid base64 of valid JSON. */
static void test_reports_torn_reads(void **state) {
  char one[IGT__TOKEN_FILE_SIZE], two[IGT__TOKEN_FILE_SIZE], torn[IGT__TOKEN_FILE_SIZE];
  size_t len, taken = 0;

  (void)state;
  assert_int_equal(make_page(one, "access-1", 1999999991), IGT_OK);
  assert_int_equal(make_page(two, "access-2", 1999999992), IGT_OK);
  len = strlen(one);
  assert_int_equal(len, strlen(two));
  for (size_t cut = 0; cut <= len; cut++) {
    igt_token *token = NULL;

    memcpy(torn, one, cut);
    memcpy(torn + cut, two + cut, sizeof torn - cut);
    if (igt__token_parse(torn, sizeof torn, &token, NULL) != IGT_OK)
      continue;
    taken++; /* then it is entirely one or the other */
    assert_true(memcmp(torn, one, len) == 0 || memcmp(torn, two, len) == 0);
    igt_token_free(token);
  }
  assert_true(taken >= 2);
}

/* ---- writing ---- */

static void test_encode_refuses_what_does_not_fit(void **state) {
  static char large[14000];
  char page[IGT__TOKEN_FILE_SIZE];

  (void)state;
  memset(large, 'a', sizeof large - 1);
  assert_int_equal(make_page(page, large, soon()), IGT_E_LIMIT);
  large[3000] = '\0';
  assert_int_equal(make_page(page, large, soon()), IGT_OK);
}

static void test_holder_writes_in_place(void **state) {
  static char large[3001];
  char page[IGT__TOKEN_FILE_SIZE];
  igt__token_holder *holder = NULL;
  const char *map;
  struct stat st;
  int fd;

  (void)state;
  memset(large, 'a', sizeof large - 1);
  assert_int_equal(igt__token_holder_open(path, &holder, NULL), IGT_OK);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  assert_int_equal(st.st_size, IGT__TOKEN_FILE_SIZE); /* mapped before a token: no SIGBUS */
  fd = open(path, O_RDONLY);
  map = mmap(NULL, IGT__TOKEN_FILE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
  assert_ptr_not_equal(map, MAP_FAILED);
  assert_int_equal(make_page(page, large, soon()), IGT_OK);
  assert_int_equal(igt__token_holder_write(holder, page, NULL), IGT_OK);
  assert_memory_equal(map, page, sizeof page);
  assert_int_equal(make_page(page, "short", soon()), IGT_OK); /* D12: no rest of the longer one */
  assert_int_equal(igt__token_holder_write(holder, page, NULL), IGT_OK);
  assert_memory_equal(map, page, sizeof page);
  igt__token_holder_close(holder);
  assert_int_equal(map[0], 0); /* who maps it must not use a dead token */
  assert_int_equal(access(path, F_OK), -1);
  munmap((void *)(uintptr_t)map, IGT__TOKEN_FILE_SIZE);
  close(fd);
}

/* D11 */
static void test_second_holder_leaves_the_first_alone(void **state) {
  char page[IGT__TOKEN_FILE_SIZE];
  igt__token_holder *holder = NULL, *second = NULL;
  igt_error err = IGT_ERROR_INIT;

  (void)state;
  assert_int_equal(make_page(page, "a", soon()), IGT_OK);
  assert_int_equal(igt__token_holder_open(path, &holder, NULL), IGT_OK);
  assert_int_equal(igt__token_holder_write(holder, page, NULL), IGT_OK);
  assert_int_equal(igt__token_holder_open(path, &second, &err), IGT_E_LOCKED);
  assert_null(second);
  assert_non_null(strstr(err.text, path));
  assert_int_equal(read_status(NULL), IGT_OK);
  igt__token_holder_close(holder);
  assert_int_equal(igt__token_holder_open(path, &second, NULL), IGT_OK);
  igt__token_holder_close(second);
}

/* Another process can see who holds it. */
static void test_names_the_holder(void **state) {
  char page[IGT__TOKEN_FILE_SIZE], byte = 0;
  igt__token_holder *holder = NULL;
  int ready[2], status;
  pid_t child;

  (void)state;
  assert_int_equal(make_page(page, "a", soon()), IGT_OK);
  assert_int_equal(pipe(ready), 0);
  child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    igt_token *token = NULL;
    bool ok = read(ready[0], &byte, 1) == 1 && igt_token_read(path, &token, NULL) == IGT_OK &&
              igt_token_holder(token) == getppid() &&
              igt__token_holder_open(path, &holder, NULL) == IGT_E_LOCKED;

    igt_token_free(token);
    _exit(ok ? 0 : 1);
  }
  assert_int_equal(igt__token_holder_open(path, &holder, NULL), IGT_OK);
  assert_int_equal(igt__token_holder_write(holder, page, NULL), IGT_OK);
  assert_int_equal(write(ready[1], "x", 1), 1);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  igt__token_holder_close(holder);
  close(ready[0]);
  close(ready[1]);
}

/* A login that fails after it took over a valid token leaves it; one that succeeds replaces it. */
static void test_live_token_of_others_stays_until_replaced(void **state) {
  char page[IGT__TOKEN_FILE_SIZE];
  igt__token_holder *holder = NULL;

  (void)state;
  assert_int_equal(make_page(page, "a", soon()), IGT_OK);
  write_file(page, sizeof page, 0600);
  assert_int_equal(igt__token_holder_open(path, &holder, NULL), IGT_OK);
  igt__token_holder_close(holder);
  assert_int_equal(read_status(NULL), IGT_OK);
  assert_int_equal(igt__token_holder_open(path, &holder, NULL), IGT_OK);
  assert_int_equal(igt__token_holder_write(holder, page, NULL), IGT_OK);
  igt__token_holder_close(holder);
  assert_int_equal(access(path, F_OK), -1);
}

static void test_dead_token_is_cleared(void **state) {
  char page[IGT__TOKEN_FILE_SIZE];
  igt__token_holder *holder = NULL;
  struct stat st;

  (void)state;
  assert_int_equal(make_page(page, "a", igt__wall_seconds() - 5), IGT_OK);
  write_file(page, 100, 0600); /* also shorter than required */
  assert_int_equal(igt__token_holder_open(path, &holder, NULL), IGT_OK);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_size, IGT__TOKEN_FILE_SIZE);
  assert_int_equal(read_status(NULL), IGT_E_NO_SESSION);
  igt__token_holder_close(holder);
}

/* The file of that name may be another login's by now. */
static void test_removes_only_its_own(void **state) {
  char page[IGT__TOKEN_FILE_SIZE];
  igt__token_holder *holder = NULL;

  (void)state;
  assert_int_equal(make_page(page, "a", soon()), IGT_OK);
  assert_int_equal(igt__token_holder_open(path, &holder, NULL), IGT_OK);
  assert_int_equal(igt__token_holder_write(holder, page, NULL), IGT_OK);
  unlink(path);
  write_file(page, sizeof page, 0600);
  igt__token_holder_close(holder);
  assert_int_equal(read_status(NULL), IGT_OK);
}

static void test_holder_takes_no_traps(void **state) {
  char page[IGT__TOKEN_FILE_SIZE], other[250];
  igt__token_holder *holder = NULL;

  (void)state;
  memset(page, 'x', sizeof page);
  write_file(page, sizeof page, 0644);
  assert_int_equal(igt__token_holder_open(path, &holder, NULL), IGT_E_TOKEN_FILE);
  unlink(path);
  snprintf(other, sizeof other, "%s/victim", dir);
  assert_int_equal(symlink(other, path), 0);
  assert_int_equal(igt__token_holder_open(path, &holder, NULL), IGT_E_TOKEN_FILE);
  assert_int_equal(access(other, F_OK), -1);
}

/* ---- the path ---- */

static void test_default_path(void **state) {
  char out[100];

  (void)state;
  setenv("CLOUD_TOKEN_MMAP", "/x/y", 1);
  assert_true(igt_token_default_path(out, sizeof out));
  assert_string_equal(out, "/x/y");
  setenv("CLOUD_TOKEN_MMAP", "", 1);
  setenv("TMPDIR", "/elsewhere", 1);
  assert_true(igt_token_default_path(out, sizeof out));
  assert_string_equal(out, "/elsewhere/igtcloud_auth_mmap");
  unsetenv("CLOUD_TOKEN_MMAP");
  unsetenv("TMPDIR");
  assert_true(igt_token_default_path(out, sizeof out));
  assert_string_equal(out, "/tmp/igtcloud_auth_mmap");
  assert_false(igt_token_default_path(out, 10));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(test_round_trip),
      CASE(test_reads_what_python_writes),
      CASE(test_tokens_that_fit_no_header),
      CASE(test_nobody_signed_in),
      CASE(test_distrusts),
      CASE(test_distrusts_other_owner),
      CASE(test_reports_damage),
      CASE(test_reports_torn_reads),
      CASE(test_encode_refuses_what_does_not_fit),
      CASE(test_holder_writes_in_place),
      CASE(test_second_holder_leaves_the_first_alone),
      CASE(test_names_the_holder),
      CASE(test_live_token_of_others_stays_until_replaced),
      CASE(test_dead_token_is_cleared),
      CASE(test_removes_only_its_own),
      CASE(test_holder_takes_no_traps),
      CASE(test_default_path),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
