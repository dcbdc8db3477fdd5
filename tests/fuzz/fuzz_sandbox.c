/* SPDX-License-Identifier: MIT */
/* Requests to the sandbox from various identities: nobody ("none"), a signed-in user ("user"), S3
 * credentials of one prefix for reading ("get") or writing ("put"), or the root account ("root"):
 * "WHO METHOD TARGET", header lines, an empty line, the body. Except for the root account's own
 * requests, none may ever reveal or change an object of another prefix. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "demand.h"
#include "folder.h"
#include "http_in_memory.h"
#include "s3/sigv4.h"
#include "server.h"

#define OWN "mine/"
/* Objects accumulate over the runs; then a new store is created. */
#define RUNS_A_STORE 20000

static sbx_server server;
static sbx_credentials root, put, get;
static char dir[64], jwt[8192], csrf[256], upload_id[40], study_id[64];
/* New for each store, so that no input contains them by chance or by learning. */
static char secret_name[25], secret_bytes[33], others[40];
static unsigned runs;

/* ---- a store with a user, a study and another user's object ---- */

static void take_down(void) {
  sbx_store_close(server.store);
  sbx_s3_free(server.s3);
  if (dir[0])
    remove_folder(dir);
  dir[0] = '\0';
  server.store = NULL;
  server.s3 = NULL;
}

static void put_object(const char *key, const char *content) {
  sbx_object object = {.size = strlen(content), .modified = 1770000000};
  sbx_incoming *in = sbx_incoming_new(server.store);
  unsigned char md5[16];

  object.key = igt__strdup(key);
  igt__digest_of(IGT__MD5, content, strlen(content), md5);
  igt__hex(md5, sizeof md5, object.etag);
  demand(in && sbx_incoming_write(in, content, strlen(content)));
  demand(sbx_object_commit(server.store, SBX_BUCKET, in, &object));
  sbx_object_finish(&object);
}

static void cookie(const char *headers, const char *name, char *out, size_t cap) {
  const char *at = strstr(headers, name);

  demand(at != NULL);
  at += strlen(name);
  snprintf(out + strlen(out), cap - strlen(out), "%.*s", (int)strcspn(at, ";\n"), at);
}

static void sign_in(void) {
  char text[] =
      "POST /api/auth/login\nContent-Type: application/json\n\n"
      "{\"grantType\":\"password\",\"username\":\"demo@example.com\",\"password\":\"demo\"}";
  fuzz_exchange x = {0};
  igt__json *response = NULL;

  demand(fuzz_exchange_read(&x, text, sizeof text - 1));
  fuzz_exchange_run(&x, &server, &sbx_rest_handler);
  demand(x.status == 200);
  jwt[0] = '\0';
  cookie(x.response_headers.data, "jwt_header_payload=", jwt, sizeof jwt);
  strcat(jwt, ".");
  cookie(x.response_headers.data, "jwt_signature=", jwt, sizeof jwt);
  demand(igt__json_parse(x.response.data, x.response.len, "login", &response, NULL) == IGT_OK);
  snprintf(csrf, sizeof csrf, "%s", igt__json_get_str(response, "CSRFToken"));
  igt__json_free(response);
  fuzz_exchange_finish(&x);
}

/* An existing study and an existing upload: "{study}" and "{upload}" in a request. "{secret}" is
 * the name of the other user's object. */
static bool first_study(void *payload, const char *id, const char *doc, size_t n) {
  (void)payload;
  (void)doc;
  (void)n;
  snprintf(study_id, sizeof study_id, "%s", id);
  return false;
}

static void begin_upload(void) {
  sbx_upload upload = {.key = igt__strdup(OWN "big")};

  demand(sbx_upload_new(server.store, SBX_BUCKET, &upload));
  snprintf(upload_id, sizeof upload_id, "%s", upload.id);
  sbx_upload_finish(&upload);
}

static void set_up(void) {
  char error[512], *key;

  strcpy(dir, "/tmp/fuzz-sandbox-XXXXXX");
  demand(mkdtemp(dir) != NULL);
  server = (sbx_server){.data_dir = dir,
                        .base_url = "http://127.0.0.1:9",
                        .token_lifetime = 864000,
                        .s3_lifetime = 864000};
  server.s3 = sbx_s3_new();
  server.store = sbx_store_open(dir, error, sizeof error);
  demand(server.s3 && server.store && sbx_seed(&server, "demo", error, sizeof error) &&
         sbx_s3_root_write(&server, error, sizeof error));
  demand(sbx_credentials_issue(&server, "PUT", OWN, &put) &&
         sbx_credentials_issue(&server, "GET", OWN, &get));
  key = sbx_kv_get(server.store, "s3root", "accessKey");
  demand(key && sbx_credentials_find(&server, key, &root));
  igt__free(key);
  put_object(OWN "one", "1");
  demand(igt__random_token(secret_name, sizeof secret_name - 1) &&
         igt__random_token(secret_bytes, sizeof secret_bytes - 1));
  snprintf(others, sizeof others, "others/%s", secret_name);
  put_object(others, secret_bytes);
  demand(sbx_doc_each(server.store, "study", NULL, first_study, NULL));
  begin_upload();
  sign_in();
}

/* ---- identities ---- */

typedef struct signing {
  char timestamp[24], authorization[1024], hash[65];
  igt__buf names, scratch, value;
} signing;

static void sign(fuzz_exchange *x, const sbx_credentials *who, signing *s) {
  size_t path_len = strcspn(x->target, "?");
  char *path = igt__strndup(x->target, path_len);
  igt__sigv4_header headers[FUZZ_HEADERS];
  igt__sigv4_key key;
  char signature[65];
  igt__buf plain, canonical;

  igt__time_format_basic(igt__wall_seconds(), s->timestamp, sizeof s->timestamp);
  fuzz_exchange_add(x, "Host", "127.0.0.1:9");
  fuzz_exchange_add(x, "x-amz-date", s->timestamp);
  if (who->session_token[0])
    fuzz_exchange_add(x, "x-amz-security-token", who->session_token);
  if (!fuzz_exchange_header(x, "x-amz-content-sha256"))
    fuzz_exchange_add(x, "x-amz-content-sha256", IGT__SIGV4_UNSIGNED);
  for (size_t i = 0; i < x->header_count; i++)
    headers[i] = (igt__sigv4_header){x->headers[i].name, x->headers[i].value};
  igt__buf_init(&plain, 1 << 20);
  igt__buf_init(&canonical, 1 << 20);
  if (igt__uri_decode(&plain, path, path_len, false))
    igt__uri_encode(&canonical, plain.data, plain.len, true);
  igt__sigv4_request request = {.method = x->method,
                                .path = canonical.data,
                                .query = x->target[path_len] ? x->target + path_len + 1 : "",
                                .headers = headers,
                                .header_count = x->header_count,
                                .payload_hash = fuzz_exchange_header(x, "x-amz-content-sha256")};
  igt__sigv4_key_derive(who->secret_key, strlen(who->secret_key), s->timestamp, SBX_REGION, "s3",
                        &key);
  if (igt__sigv4_signed_headers(headers, x->header_count, &s->names)) {
    request.signed_headers = s->names.data;
    if (igt__sigv4_sign(&key, &request, s->timestamp, SBX_REGION, "s3", &s->scratch, signature) &&
        igt__sigv4_authorization(who->access_key, s->timestamp, SBX_REGION, "s3", s->names.data,
                                 signature, &s->value))
      fuzz_exchange_add(x, "Authorization", s->value.data);
  }
  igt__buf_finish(&plain);
  igt__buf_finish(&canonical);
  igt__free(path);
}

/* ---- invariants ---- */

/* knows: the request contains the name itself, so an error's Resource may contain it. */
static void secret_is_safe(const fuzz_exchange *x, bool knows) {
  sbx_object object = {0};

  demand(sbx_object_get(server.store, SBX_BUCKET, others, &object));
  demand(object.size == strlen(secret_bytes) && object.modified == 1770000000);
  sbx_object_finish(&object);
  demand(!memmem(x->response.data, x->response.len, secret_bytes, strlen(secret_bytes)));
  demand(knows || !memmem(x->response.data, x->response.len, secret_name, strlen(secret_name)));
}

static void run(const char *who, fuzz_exchange *x, bool knows) {
  const sbx_credentials *account = strcmp(who, "root") == 0  ? &root
                                   : strcmp(who, "put") == 0 ? &put
                                   : strcmp(who, "get") == 0 ? &get
                                                             : NULL;
  bool rest = igt__str_starts(x->target, "/api/") || igt__str_starts(x->target, "/__");
  signing s = {.timestamp = ""};

  igt__buf_init(&s.names, 1 << 20);
  igt__buf_init(&s.scratch, 1 << 20);
  igt__buf_init(&s.value, 1 << 20);
  if (account)
    sign(x, account, &s);
  if (strcmp(who, "user") == 0) {
    fuzz_exchange_add(x, "X-JWT", jwt);
    fuzz_exchange_add(x, "X-CSRF-TOKEN", csrf);
  }
  fuzz_exchange_run(x, &server, rest ? &sbx_rest_handler : &sbx_s3_handler);
  if (account == &root || strcmp(who, "user") == 0)
    put_object(others, secret_bytes); /* the request may have changed it legitimately */
  else
    secret_is_safe(x, knows);
  if (knows && strcmp(x->method, "GET") != 0) /* the name may be part of a key of its own now */
    runs = RUNS_A_STORE;
  if (strcmp(who, "user") == 0 && x->status == 401) /* has signed out, or was deleted */
    runs = RUNS_A_STORE;
  igt__buf_finish(&s.names);
  igt__buf_finish(&s.scratch);
  igt__buf_finish(&s.value);
}

static void expand(igt__buf *out, const char *data, size_t n) {
  static const struct {
    const char *name, *value;
  } names[] = {{"{upload}", upload_id}, {"{study}", study_id}, {"{secret}", secret_name}};
  const char *end = data + n;

  while (data < end) {
    size_t taken = 0;
    for (size_t i = 0; i < 3 && !taken; i++)
      if (strlen(names[i].name) <= (size_t)(end - data) &&
          memcmp(data, names[i].name, strlen(names[i].name)) == 0) {
        igt__buf_puts(out, names[i].value);
        taken = strlen(names[i].name);
      }
    if (!taken) {
      igt__buf_putc(out, *data);
      taken = 1;
    }
    data += taken;
  }
}

/* libFuzzer sees what memmem compares, and puts it into inputs: a request with the other object's
 * content gets it back in an error. */
static bool has_content(const igt__buf *text) {
  return memmem(text->data, text->len, secret_bytes, strlen(secret_bytes)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  igt__buf text;
  char *space = NULL;
  bool knows;
  fuzz_exchange x = {0};

  if (size < 5)
    return 0;
  if (runs++ == 0)
    set_up();
  igt__buf_init(&text, SIZE_MAX / 2);
  expand(&text, (const char *)data, size);
  space = text.failed || has_content(&text) ? NULL : strchr(text.data, ' ');
  knows = memmem(text.data, text.len, secret_name, strlen(secret_name)) != NULL;
  if (space) {
    *space++ = '\0';
    if (fuzz_exchange_read(&x, space, text.len - (size_t)(space - text.data)))
      run(text.data, &x, knows);
    fuzz_exchange_finish(&x);
  }
  igt__buf_finish(&text);
  if (runs >= RUNS_A_STORE) {
    take_down();
    runs = 0;
  }
  return 0;
}
