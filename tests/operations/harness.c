/* SPDX-License-Identifier: MIT */
/* The harness of the operation programs: signed-in clients, checks of results and errors, access to
 * the sandbox beside the API (its own paths, mail, presigned PUTs), and a record of the operations
 * that succeeded, taken from the library's log, which test_operations.py compares with the
 * description. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/call.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/time.h"
#include "http/http.h"
#include "model/json.h"
#include "s3/sigv4.h"

#define REGION "eu-central-1"

igt_client *client, *viewer;
igt_error err = IGT_ERROR_INIT;
static const char *password;

/* ---- the operations called ---- */

/* The library logs "OPERATION HOST: STATUS after ..."; operations that succeeded are written to
 * $OPERATIONS_CALLED, to be compared with the description. */
static FILE *called;
int refused;

static void note(void *payload, igt_log_level level, igt_log_subject subject, const char *text) {
  const char *host = strchr(text, ' '), *status = host ? strchr(host + 1, ' ') : NULL;

  (void)payload;
  (void)level;
  if (subject != IGT_LOG_HTTP || !status || !strstr(text, " after ") || !called)
    return;
  if (strncmp(status + 1, "401", 3) == 0)
    refused++;
  if (status[1] == '2' || status[1] == '3')
    fprintf(called, "%.*s\n", (int)(host - text), text);
}

/* ---- clients ---- */

static bool ask(void *payload, igt_prompt_kind what, const char *question, char *response,
                size_t cap) {
  (void)payload;
  (void)question;
  if (what != IGT_PROMPT_PASSWORD || !password)
    return false;
  snprintf(response, cap, "%s", password);
  return true;
}

igt_client *client_of(const char *user, const char *text) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_client *made = NULL;

  options.domain = getenv("OPERATIONS_URL");
  options.user = user;
  options.no_token_file = options.no_environment = true;
  options.prompt = ask;
  password = text;
  OK(igt_client_new(&options, &made, &err));
  if (text)
    OK(igt_client_sign_in(made, &err));
  return made;
}

int group_begin(void **state) {
  const char *path = getenv("OPERATIONS_CALLED");

  (void)state;
  called = path ? fopen(path, "a") : NULL;
  igt_log_set(note, NULL, IGT_LOG_DEBUG);
  viewer = client_of("viewer@example.com", "viewer");
  client = client_of("demo@example.com", "demo");
  return 0;
}

int group_end(void **state) {
  (void)state;
  igt_client_free(client);
  igt_client_free(viewer);
  igt_log_set(NULL, NULL, IGT_LOG_ERROR);
  return called && fclose(called) != 0 ? -1 : 0;
}

/* ---- checking results ---- */

void ok_at(igt_status status, const char *file, int line) {
  if (status != IGT_OK)
    fail_msg("%s:%d: %s: %s", file, line, igt_status_name(status), err.text);
}

void fails_at(igt_status got, igt_status want, const char *word, const char *file, int line) {
  if (got != want)
    fail_msg("%s:%d: %s, not %s: %s", file, line, igt_status_name(got), igt_status_name(want),
             got == IGT_OK ? "" : err.text);
  if (!strstr(err.text, word))
    fail_msg("%s:%d: \"%s\" does not say \"%s\"", file, line, err.text, word);
  if (!err.operation[0])
    fail_msg("%s:%d: no operation is named", file, line);
}

static bool text_has(const igt_model *model, const char *word) {
  igt_text *text = NULL;

  OK(igt_model_encode(model, &text, &err));
  bool has = strstr(text->v, word) != NULL;
  igt_model_free(&text->model);
  return has;
}

void holds(const igt_model *model, const char *word) {
  if (!text_has(model, word))
    fail_msg("it has no %s", word);
}

void holds_not(const igt_model *model, const char *word) {
  if (text_has(model, word))
    fail_msg("it has %s", word);
}

igt_status bytes_take(void *payload, const void *data, size_t n) {
  bytes *all = payload;

  if (n > sizeof all->data - all->len)
    return IGT_E_LIMIT;
  memcpy(all->data + all->len, data, n);
  all->len += n;
  return IGT_OK;
}

bool bytes_have(const bytes *all, const void *part, size_t n) {
  return memmem(all->data, all->len, part, n) != NULL;
}

/* ---- the sandbox beside the API ---- */

igt_text *sandbox_get(const char *path) {
  const igt__operation operation = {.id = "sandbox",
                                    .method = "GET",
                                    .path = path,
                                    .accept = "application/json",
                                    .response = &igt__raw_type};
  const igt__call call = {.operation = &operation};
  igt_model *response = NULL;

  OK(igt__call_run(client, &call, &response, &err));
  return (igt_text *)response;
}

char *last_mail(void) {
  igt_text *response = sandbox_get("/__mail");
  igt__json *list = NULL;
  char *text;

  OK(igt__json_parse(response->v, response->len, "the mail", &list, &err));
  assert_true(igt__json_count(list) > 0);
  text = strdup(igt__json_get_str(igt__json_at(list, igt__json_count(list) - 1), "text"));
  igt__json_free(list);
  igt_model_free(&response->model);
  return text;
}

/* Writes a presigned URL "http://HOST/bucket/key?…" for a PUT. */
static void presign(const char *access_key, const char *secret, const char *session,
                    const char *path, igt__buf *url) {
  igt__sigv4_key signing;
  igt__buf query, scratch;
  char stamp[24], signature[65];
  const char *origin = igt_client_domain(client);
  const igt__sigv4_header host = {"host", strstr(origin, "://") + 3};

  igt__buf_init(&query, 8192);
  igt__buf_init(&scratch, 64 * 1024);
  igt__time_format_basic(igt__wall_seconds(), stamp, sizeof stamp);
  assert_true(igt__sigv4_presign_query(NULL, access_key, session, stamp, REGION, "s3", 600, "host",
                                       &query));
  const igt__sigv4_request req = {.method = "PUT",
                                  .path = path,
                                  .query = query.data,
                                  .headers = &host,
                                  .header_count = 1,
                                  .signed_headers = "host",
                                  .payload_hash = IGT__SIGV4_UNSIGNED};
  igt__sigv4_key_derive(secret, strlen(secret), stamp, REGION, "s3", &signing);
  assert_true(igt__sigv4_sign(&signing, &req, stamp, REGION, "s3", &scratch, signature));
  igt__buf_printf(url, "%s%s?%s&X-Amz-Signature=%s", origin, path, query.data, signature);
  igt__buf_finish(&query);
  igt__buf_finish(&scratch);
}

void object_put(const char *access_key, const char *secret, const char *session, const char *bucket,
                const char *key, const void *data, size_t n) {
  igt__http_request req;
  igt__buf url, path;

  igt__buf_init(&url, 16 * 1024);
  igt__buf_init(&path, 8192);
  igt__buf_printf(&path, "/%s/", bucket);
  igt__uri_encode(&path, key, strlen(key), true);
  presign(access_key, secret, session, path.data, &url);
  OK(igt__http_request_init(&req, &err));
  req.method = "PUT";
  req.operation = "PutObject";
  req.body = data;
  req.body_len = n;
  OK(igt__http_set_url(&req, url.data));
  OK(igt__http_perform(igt__client_http(client), &req, &err));
  igt__http_request_finish(&req);
  igt__buf_finish(&path);
  igt__buf_finish(&url);
}
