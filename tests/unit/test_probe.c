/* SPDX-License-Identifier: MIT */
/* What `igtcloud doctor` measures with (igtcloud/probe.h): stages of a connection, a folder, a
 * journal, and the arguments that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <unistd.h>

#include "base/os/os.h"
#include "http_server.h"
#include "igtcloud/probe.h"
#include "journal/journal.h"

static char top[] = "/tmp/igt-probe-XXXXXX";

static int make_top(void **state) {
  (void)state;
  strcpy(top, "/tmp/igt-probe-XXXXXX");
  return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state) {
  char command[100];

  (void)state;
  snprintf(command, sizeof command, "rm -rf '%s'", top);
  return system(command);
}

static igt_client *client_of(const char *domain) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_client *client = NULL;

  options.domain = domain;
  options.no_token_file = options.no_environment = true;
  options.proxy = "none";
  assert_int_equal(igt_client_new(&options, &client, NULL), IGT_OK);
  return client;
}

static void test_a_server_that_responds(void **state) {
  http_server *server = http_server_start();
  igt_client *client = client_of(http_server_url(server, ""));
  igt_server_info info = IGT_SERVER_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;

  (void)state;
  http_server_add(
      server, (http_response){.status = 404, .headers = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"});
  assert_int_equal(igt_probe_server(client, NULL, 0, &info, &err), IGT_OK);
  assert_int_equal(info.stage, IGT_PROBE_DONE);
  assert_int_equal(info.http_status, 404);
  assert_string_equal(info.address, "127.0.0.1");
  assert_true(info.clock_known && info.clock_behind < -1000000000);
  assert_false(info.is_encrypted);
  assert_string_equal(info.proxy, "");
  /* It came without anything that belongs to an account. */
  assert_null(http_seen_header(http_server_seen(server, 0), "Authorization"));
  assert_null(http_seen_header(http_server_seen(server, 0), "Cookie"));
  igt_client_free(client);
  http_server_stop(server);
}

static void test_a_server_that_does_not(void **state) {
  igt_client *client = client_of("http://127.0.0.1:1");
  igt_server_info info = IGT_SERVER_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;
  http_server *server = http_server_start();

  (void)state;
  assert_int_equal(igt_probe_server(client, NULL, 0, &info, &err), IGT_E_CONNECT);
  assert_int_equal(info.stage, IGT_PROBE_CONNECT);
  assert_int_equal(igt_probe_server(client, "https://nowhere.invalid", 0, &info, &err),
                   IGT_E_RESOLVE);
  assert_int_equal(info.stage, IGT_PROBE_NAME);
  http_server_add(server, (http_response){.fault = HTTP_HOLD});
  assert_int_equal(igt_probe_server(client, http_server_url(server, ""), 200, &info, &err),
                   IGT_E_TIMEOUT);
  assert_int_equal(info.stage, IGT_PROBE_RESPONSE);
  assert_non_null(strstr(err.text, "no response within 0.2 s"));
  assert_int_equal(igt_probe_server(client, "http://far.example", 0, &info, &err), IGT_E_INVALID);
  igt_client_free(client);
  http_server_release(server);
  http_server_stop(server);
}

static size_t count_files(void) {
  DIR *dir = opendir(top);
  size_t count = 0;

  assert_non_null(dir);
  while (readdir(dir))
    count++;
  closedir(dir);
  return count - 2;
}

static void test_a_folder(void **state) {
  igt_folder_info info = IGT_FOLDER_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;

  (void)state;
  assert_int_equal(igt_probe_folder(top, &info, &err), IGT_OK);
  assert_true(info.is_writable && info.keeps_times && info.keeps_case);
  assert_true(*info.type && (!info.space_known || info.free_bytes > 0));
  assert_int_equal(count_files(), 0);
  assert_int_equal(igt_probe_folder("/nowhere/at/all", &info, &err), IGT_E_NO_FILE);
  assert_non_null(strstr(err.text, "/nowhere/at/all"));
  assert_int_equal(igt_probe_folder(NULL, &info, &err), IGT_E_INVALID);
}

static void make_journal(const char *path) {
  igt__journal *journal = NULL;
  igt__journal_upload upload = {.size = 1, .upload_id = "u", .project = "", .place = ""};
  igt__journal_file file = {.size = 7, .etag = "e", .digest = "sha256:1", .verified = "md5"};
  bool moved;

  assert_int_equal(igt__journal_open(path, NULL, &journal, &moved, NULL), IGT_OK);
  igt__journal_put_file(journal, "https://a", "key", "/local", &file);
  igt__journal_put_upload(journal, "https://a", "key", "/local", &upload);
  igt__journal_close(journal);
}

static void test_a_journal(void **state) {
  igt_journal_info info = IGT_JOURNAL_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;
  char path[100];
  FILE *file;

  (void)state;
  snprintf(path, sizeof path, "%s/journal.db", top);
  assert_int_equal(igt_probe_journal(path, 0, &info, &err), IGT_OK);
  assert_false(info.exists);
  assert_int_equal(count_files(), 0); /* it was not created */
  make_journal(path);
  assert_int_equal(igt_probe_journal(path, 0, &info, &err), IGT_OK);
  assert_true(info.exists && info.is_intact);
  /* On Windows the folder decides what others may do, here that of temporary files. */
  assert_int_equal(info.mode & (igt__os_has_portable_names() ? 0700 : 07777), 0600);
  assert_int_equal(info.files, 1);
  assert_int_equal(info.uploads, 1);
  assert_true(info.oldest_start > 1700000000 && info.bytes > 0);
  file = fopen(path, "w");
  assert_non_null(file);
  fputs("this is no database, and longer than a header of one hundred bytes would be, is it not, "
        "it is",
        file);
  fclose(file);
  assert_int_equal(igt_probe_journal(path, 0, &info, &err), IGT_E_PARSE);
  assert_false(info.is_intact);
  unlink(path);
}

static void test_results_without_a_size(void **state) {
  igt_journal_info journal = {0};
  igt_folder_info folder = {0};
  igt_store_info store = {0};
  igt_server_info server = {0};
  igt_client *client = client_of("http://127.0.0.1:1");
  igt_store_info good = IGT_STORE_INFO_INIT;

  (void)state;
  assert_int_equal(igt_probe_journal("/x", 0, &journal, NULL), IGT_E_INVALID);
  assert_int_equal(igt_probe_folder(top, &folder, NULL), IGT_E_INVALID);
  assert_int_equal(igt_probe_store(client, "p/", 0, &store, NULL), IGT_E_INVALID);
  assert_int_equal(igt_probe_server(client, NULL, 0, &server, NULL), IGT_E_INVALID);
  assert_int_equal(igt_probe_store(client, "", 0, &good, NULL), IGT_E_INVALID);
  assert_int_equal(igt_probe_store(client, "p/", (uint64_t)1 << 30, &good, NULL), IGT_E_INVALID);
  igt_client_free(client);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_server_that_responds),
      cmocka_unit_test(test_a_server_that_does_not),
      cmocka_unit_test(test_a_folder),
      cmocka_unit_test(test_a_journal),
      cmocka_unit_test(test_results_without_a_size),
  };

  return cmocka_run_group_tests(tests, make_top, remove_top);
}
