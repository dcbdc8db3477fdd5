/* SPDX-License-Identifier: MIT */
/* Sessions against a fake of the auth service. Time only advances when a test advances it, or by as
 * much as the code under test sleeps. */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/jwt.h"
#include "auth/session.h"
#include "auth/token_file.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "http_server.h"

#define US 1000000LL
#define START (1800000000LL * US)

/* ---- the clock ---- */

static _Atomic int64_t moved;
static _Atomic bool flows; /* for events that take a while: a cancel */

static int64_t wall(void) {
  return START + atomic_load(&moved);
}
static int64_t monotonic(void) {
  struct timespec t = {1, 0};

  if (atomic_load(&flows))
    clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * US + t.tv_nsec / 1000 + atomic_load(&moved);
}
static void sleep_moves(int64_t us) {
  atomic_fetch_add(&moved, us);
}
static uint64_t no_jitter(void) {
  return 0;
}
static void pass(int64_t seconds) {
  atomic_fetch_add(&moved, seconds * US);
}

/* ---- memory ---- */

static _Atomic long allocations_left;

static bool may_allocate(void) {
  return atomic_fetch_sub(&allocations_left, 1) > 0;
}
static void *scarce_alloc(size_t n) {
  return may_allocate() ? malloc(n) : NULL;
}
static void *scarce_resize(void *p, size_t n) {
  return may_allocate() ? realloc(p, n) : NULL;
}

static const igt__mem_hooks mem_hooks = {scarce_alloc, scarce_resize, free};

/* ---- the service ---- */

typedef struct service {
  pthread_mutex_t lock;
  int life;  /* in seconds, of Max-Age */
  int ahead; /* seconds by which its clock is ahead; sent in Date */
  bool no_max_age, no_date;
  const char *exp;  /* as written in the JWT; NULL: the correct value */
  size_t padding;   /* additional bytes in each JWT */
  bool no_refresh;  /* tokens as issued to services */
  int login_status; /* 0: 200 */
  int refresh_status;
  int introspect_status;
  int logout_status;
  http_fault login_fault, refresh_fault, logout_fault;
  http_response fixed; /* if it has a body: the response to login and refresh */
  unsigned issued;     /* JWTs so far */
  unsigned logins, refreshes, logouts, introspects, audiences;
  char last_jwt[IGT__MAX_TOKEN * 2];
  void *texts[400];
  size_t n_texts;
} service;

static const char *keep(service *s, char *text) {
  assert_true(s->n_texts < 400);
  s->texts[s->n_texts++] = text;
  return text;
}

static void issue(service *s, igt__buf *head, igt__buf *payload) {
  igt__buf text;

  igt__buf_init(&text, 32768);
  igt__buf_init(head, 32768);
  igt__buf_init(payload, 1024);
  if (s->exp)
    igt__buf_printf(&text, "{\"exp\":%s", s->exp);
  else
    igt__buf_printf(&text, "{\"exp\":%lld", (long long)(wall() / US + s->ahead + s->life));
  igt__buf_printf(&text, ",\"access_token\":\"access-%u\"", ++s->issued);
  if (!s->no_refresh)
    igt__buf_puts(&text, ",\"refresh_token\":\"r\"");
  igt__buf_puts(&text, ",\"padding\":\"");
  for (size_t i = 0; i < s->padding; i++)
    igt__buf_putc(&text, 'x');
  igt__buf_puts(&text, "\"}");
  igt__buf_puts(head, "aGVhZA.");
  igt__base64url_encode(head, text.data, text.len);
  igt__buf_printf(payload, "c2ln%04u", s->issued);
  snprintf(s->last_jwt, sizeof s->last_jwt, "%s.%s", head->data, payload->data);
  igt__buf_finish(&text);
}

/* The response to login and refresh; the attributes' order and case vary, as with real servers. */
static http_response granted(service *s) {
  http_response a = {0};
  igt__buf head, signature, lines, body;

  if (s->fixed.body)
    return s->fixed;
  issue(s, &head, &signature);
  igt__buf_init(&lines, 65536);
  igt__buf_init(&body, 4096);
  igt__buf_printf(&lines,
                  "Content-Type: application/json\r\n"
                  "Set-Cookie: other=1; Path=/; Max-Age=1\r\n"
                  "Set-Cookie: jwt_signature=%s; HttpOnly; SECURE\r\n"
                  "set-cookie: jwt_header_payload=%s; Secure; Path=/",
                  signature.data, head.data);
  if (!s->no_max_age)
    igt__buf_printf(&lines, "; max-age=%d", s->life);
  igt__buf_puts(&lines, "\r\n");
  if (s->ahead && !s->no_date) {
    char date[40];

    igt__time_format_http(wall() / US + s->ahead, date, sizeof date);
    igt__buf_printf(&lines, "Date: %s\r\n", date);
  }
  igt__buf_printf(&body, "{\"sub\":\"ann@example.com\",\"CSRFToken\":\"csrf-%u\"}", s->issued);
  a.headers = keep(s, igt__buf_take(&lines));
  a.body = keep(s, igt__buf_take(&body));
  igt__buf_finish(&head);
  igt__buf_finish(&signature);
  return a;
}

static http_response refused(int status) {
  return (http_response){.status = status,
                         .headers = "Content-Type: application/json\r\n",
                         .body = "{\"message\":\"no, says the server\"}"};
}

static http_response json(const char *body) {
  return (http_response){.headers = "Content-Type: application/json\r\n", .body = body};
}

static char *dated(int ahead) {
  char date[40];
  igt__buf lines;

  igt__time_format_http(wall() / US + ahead, date, sizeof date);
  igt__buf_init(&lines, 200);
  igt__buf_printf(&lines, "Content-Type: application/json\r\nDate: %s\r\n", date);
  return igt__buf_take(&lines);
}

static http_response serve_locked(service *s, const http_seen *seen) {
  http_response a;

  if (strcmp(seen->target, "/api/auth/login") == 0) {
    s->logins++;
    a = s->login_status ? refused(s->login_status) : granted(s);
    a.fault = s->login_fault;
    return a;
  }
  if (strcmp(seen->target, "/api/auth/refresh") == 0) {
    s->refreshes++;
    a = s->refresh_status ? refused(s->refresh_status) : granted(s);
    a.fault = s->refresh_fault;
    return a;
  }
  if (strcmp(seen->target, "/api/auth/logout") == 0) {
    s->logouts++;
    a = s->logout_status ? refused(s->logout_status) : json("{}");
    a.fault = s->logout_fault;
    return a;
  }
  if (strcmp(seen->target, "/api/auth/introspect") == 0) {
    s->introspects++;
    return s->introspect_status ? refused(s->introspect_status)
                                : json("{\"sub\":\"env@example.com\",\"exp\":1800003600,"
                                       "\"active\":true}");
  }
  if (strcmp(seen->target, "/api/auth/login/$aud") == 0) {
    s->audiences++;
    a = json("\"http://127.0.0.1/oauth2/access_token\"");
    if (s->ahead)
      a.headers = keep(s, dated(s->ahead));
    return a;
  }
  return refused(404);
}

static http_response serve(void *payload, const http_seen *seen) {
  service *s = payload;
  http_response a;

  pthread_mutex_lock(&s->lock);
  a = serve_locked(s, seen);
  pthread_mutex_unlock(&s->lock);
  return a;
}

static unsigned count(service *s, const unsigned *which) {
  unsigned n;

  pthread_mutex_lock(&s->lock);
  n = *which;
  pthread_mutex_unlock(&s->lock);
  return n;
}

/* ---- the fixture ---- */

typedef struct fixture {
  http_server *server;
  service service;
  igt__http *http;
  igt__session *session;
  igt__session_options options;
  igt__cancel *cancel;
  char origin[100];
  char dir[100];
  char token_path[200];
  char key_path[200];
  igt_error err;
  unsigned asked_user, asked_password;
  char question[300];
} fixture;

static bool response_prompt(void *payload, igt_prompt_kind what, const char *question,
                            char *response, size_t cap) {
  fixture *f = payload;

  snprintf(f->question, sizeof f->question, "%s", question);
  if (what == IGT_PROMPT_USER)
    f->asked_user++;
  else
    f->asked_password++;
  snprintf(response, cap, "%s",
           what == IGT_PROMPT_USER ? "ann@example.com" : "hunter2 \"\\\xc3\xa9");
  return true;
}

static void make_http(fixture *f) {
  igt__http_options options = {.user_agent = "test/1", .loops = 1, .retries = UINT32_MAX};

  assert_int_equal(igt__http_new(&options, &f->http, NULL), IGT_OK);
}

static int set_up(void **state) {
  static const igt__clock_hooks hooks = {wall, monotonic, sleep_moves, no_jitter};
  fixture *f = calloc(1, sizeof *f);

  /* Before any thread exists that allocates. */
  atomic_store(&allocations_left, LONG_MAX);
  igt__mem_set_hooks(&mem_hooks);
  atomic_store(&moved, 0);
  atomic_store(&flows, false);
  igt__clock_set_hooks(&hooks);
  f->err = (igt_error)IGT_ERROR_INIT;
  pthread_mutex_init(&f->service.lock, NULL);
  f->service.life = 3600;
  f->server = http_server_start();
  http_server_handle(f->server, serve, &f->service);
  make_http(f);
  f->cancel = igt__cancel_new();
  snprintf(f->origin, sizeof f->origin, "http://127.0.0.1:%u", http_server_port(f->server));
  strcpy(f->dir, "/tmp/igt-auth-XXXXXX");
  if (!mkdtemp(f->dir))
    return -1;
  snprintf(f->token_path, sizeof f->token_path, "%s/token", f->dir);
  snprintf(f->key_path, sizeof f->key_path, "%s/station-7.key.pem", f->dir);
  setenv("CLOUD_TOKEN_MMAP", f->token_path, 1);
  unsetenv("CLOUD_USERNAME");
  unsetenv("CLOUD_JWT_TOKEN");
  unsetenv("CLOUD_CSRF_TOKEN");
  f->options = (igt__session_options){.http = f->http,
                                      .origin = f->origin,
                                      .prompt = response_prompt,
                                      .prompt_payload = f,
                                      .cancel = f->cancel};
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;

  igt__session_free(f->session);
  http_server_release(f->server);
  igt__http_free(f->http);
  http_server_stop(f->server);
  for (size_t i = 0; i < f->service.n_texts; i++)
    free(f->service.texts[i]);
  pthread_mutex_destroy(&f->service.lock);
  igt__cancel_unref(f->cancel);
  unlink(f->token_path);
  unlink(f->key_path);
  rmdir(f->dir);
  free(f);
  igt__clock_set_hooks(NULL);
  return 0;
}

static void open_session(fixture *f) {
  igt__session_free(f->session);
  assert_int_equal(igt__session_new(&f->options, &f->session, &f->err), IGT_OK);
}

static igt_status sign_in(fixture *f) {
  if (!f->session)
    open_session(f);
  return igt__session_sign_in(f->session, false, &f->err);
}

static igt_identity identity(fixture *f) {
  igt_identity id = IGT_IDENTITY_INIT;

  igt__session_identity(f->session, &id);
  return id;
}

static igt_status authorize_quietly(igt__session *session, unsigned *generation, igt_error *err) {
  igt__http_request req;
  igt_status status = igt__http_request_init(&req, err);

  if (status == IGT_OK)
    status = igt__session_authorize(session, &req, generation, err);
  igt__http_request_finish(&req);
  return status;
}

static igt_status authorize(fixture *f, unsigned *generation) {
  return authorize_quietly(f->session, generation, &f->err);
}

/* Sends an authorized request and returns the JWT and CSRF token that it carried. */
static void send_authorized(fixture *f, char *jwt, size_t jwt_cap, char *csrf, size_t csrf_cap) {
  igt__http_request req;
  const http_seen *seen;
  const char *value;
  unsigned generation;
  char url[200];

  snprintf(url, sizeof url, "%s/api/data/projects", f->origin);
  assert_int_equal(igt__http_request_init(&req, NULL), IGT_OK);
  req.operation = "get_projects";
  req.method = "GET";
  igt__http_set_url(&req, url);
  assert_int_equal(igt__session_authorize(f->session, &req, &generation, &f->err), IGT_OK);
  assert_int_equal(igt__http_perform(f->http, &req, NULL), IGT_E_NOT_FOUND);
  igt__http_request_finish(&req);
  seen = http_server_seen(f->server, http_server_count(f->server) - 1);
  value = http_seen_header(seen, "X-JWT");
  snprintf(jwt, jwt_cap, "%s", value ? value : "(none)");
  value = http_seen_header(seen, "X-CSRF-TOKEN");
  snprintf(csrf, csrf_cap, "%s", value ? value : "(none)");
}

static const http_seen *last_seen(fixture *f, const char *target) {
  for (size_t i = http_server_count(f->server); i-- > 0;) {
    const http_seen *seen = http_server_seen(f->server, i);

    if (strcmp(seen->target, target) == 0)
      return seen;
  }
  fail_msg("no request to %s", target);
  return NULL;
}

static igt__json *body_of(const http_seen *seen) {
  igt__json *body = NULL;

  assert_int_equal(igt__json_parse(seen->body, seen->body_len, "body", &body, NULL), IGT_OK);
  return body;
}

/* ---- passwords ---- */

static void test_password(void **state) {
  fixture *f = *state;
  char jwt[2000], csrf[100];
  const http_seen *seen;
  igt__json *body;
  igt_identity id = IGT_IDENTITY_INIT;

  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(f->asked_user, 1);
  assert_int_equal(f->asked_password, 1);
  assert_non_null(strstr(f->question, "ann@example.com@127.0.0.1:"));
  seen = last_seen(f, "/api/auth/login");
  assert_string_equal(seen->method, "POST");
  assert_string_equal(http_seen_header(seen, "Accept"), "application/json");
  assert_string_equal(http_seen_header(seen, "Content-Type"), "application/json");
  body = body_of(seen);
  assert_int_equal(igt__json_count(body), 3);
  assert_string_equal(igt__json_get_str(body, "grantType"), "password");
  assert_string_equal(igt__json_get_str(body, "username"), "ann@example.com");
  assert_string_equal(igt__json_get_str(body, "password"), "hunter2 \"\\\xc3\xa9");
  igt__json_free(body);
  id = identity(f);
  assert_string_equal(id.user, "ann@example.com");
  assert_string_equal(id.domain, f->origin);
  assert_int_equal(id.source, IGT_SESSION_PASSWORD);
  assert_int_equal(id.expires, START / US + 3600);
  assert_false(id.is_service);
  send_authorized(f, jwt, sizeof jwt, csrf, sizeof csrf);
  assert_string_equal(jwt, f->service.last_jwt);
  assert_string_equal(csrf, "csrf-1");
}

static void test_known_user_is_not_prompted_for(void **state) {
  fixture *f = *state;

  setenv("CLOUD_USERNAME", "env-user", 1);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(f->asked_user, 0);
  assert_non_null(strstr(f->question, "env-user@"));
  f->options.user = "option-user";
  open_session(f);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_non_null(strstr(f->question, "option-user@"));
  f->options.user = NULL;
  f->options.no_environment = true;
  open_session(f);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(f->asked_user, 1);
}

/* D21: one clear message. A wrong password is not tried by a hundred requests in turn: accounts
 * would be locked. */
static void test_wrong_password(void **state) {
  fixture *f = *state;
  unsigned generation;

  f->service.login_status = 401;
  assert_int_equal(sign_in(f), IGT_E_LOGIN);
  assert_int_equal(f->err.status, IGT_E_LOGIN);
  assert_int_equal(f->err.http_status, 401);
  assert_non_null(strstr(f->err.text, "ann@example.com"));
  assert_non_null(strstr(f->err.text, "no, says the server"));
  assert_null(strstr(f->err.text, "hunter2"));
  assert_int_equal(identity(f).source, IGT_SESSION_NONE);
  for (int i = 0; i < 5; i++)
    assert_int_equal(authorize(f, &generation), IGT_E_LOGIN);
  assert_int_equal(count(&f->service, &f->service.logins), 1);
  f->service.login_status = 0;
  assert_int_equal(sign_in(f), IGT_OK); /* an explicit new attempt is made */
  assert_int_equal(authorize(f, &generation), IGT_OK);
  assert_int_equal(f->asked_password, 2);
}

static void test_nobody_to_ask(void **state) {
  fixture *f = *state;

  f->options.prompt = NULL;
  assert_int_equal(sign_in(f), IGT_E_NO_SESSION);
  assert_non_null(strstr(f->err.text, "igtcloud login"));
  assert_int_equal(http_server_count(f->server), 0);
}

static void test_responses_that_are_none(void **state) {
  static const struct {
    const char *headers, *body;
  } bad[] = {
      {"Content-Type: text/html\r\n", "<html>hotel</html>"},
      {"Content-Type: application/json\r\n", "{\"sub\":\"a\"}"},
      {"Content-Type: application/json\r\n", "{\"CSRFToken\":\"c\"}"},
      {"Content-Type: application/json\r\nSet-Cookie: jwt_header_payload=a.e30\r\n",
       "{\"CSRFToken\":\"c\"}"},
      {"Set-Cookie: jwt_header_payload=a.e30\r\nSet-Cookie: jwt_signature=c\r\n",
       "{\"CSRFToken\":\"c\"}"}, /* neither exp nor Max-Age */
      {"Set-Cookie: jwt_header_payload=a.!!\r\nSet-Cookie: jwt_signature=c\r\n",
       "{\"CSRFToken\":\"c\"}"},
      {"Set-Cookie: jwt_header_payload=a.e30; Max-Age=60\r\nSet-Cookie: jwt_signature=c\r\n",
       "{\"CSRFToken\":\"c\\r\\nX-Admin: 1\"}"},
      {"Content-Type: application/json\r\n", "[]"},
      {"Content-Type: application/json\r\n", ""},
  };
  fixture *f = *state;

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    http_server_add(f->server, (http_response){.headers = bad[i].headers, .body = bad[i].body});
    if (sign_in(f) == IGT_OK)
      fail_msg("accepted: response %zu", i);
    assert_true(f->err.status == IGT_E_PROTOCOL || f->err.status == IGT_E_PARSE);
    assert_int_equal(identity(f).source, IGT_SESSION_NONE);
  }
}

/* ---- the environment ---- */

static void test_environment(void **state) {
  fixture *f = *state;
  char jwt[100], csrf[100];

  setenv("CLOUD_JWT_TOKEN", "aa.e30.cc", 1);
  setenv("CLOUD_CSRF_TOKEN", "env-csrf", 1);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(identity(f).source, IGT_SESSION_ENVIRONMENT);
  assert_string_equal(identity(f).user, "env@example.com");
  assert_int_equal(identity(f).expires, 1800003600);
  send_authorized(f, jwt, sizeof jwt, csrf, sizeof csrf);
  assert_string_equal(jwt, "aa.e30.cc");
  assert_string_equal(csrf, "env-csrf");
  assert_int_equal(igt__session_sign_out(f->session, NULL), IGT_OK); /* D22: not ours to sign out */
  assert_int_equal(count(&f->service, &f->service.logouts), 0);
  assert_int_equal(f->asked_password, 0);
}

static void test_environment_is_refused(void **state) {
  fixture *f = *state;

  setenv("CLOUD_JWT_TOKEN", "aa.e30.cc", 1);
  setenv("CLOUD_CSRF_TOKEN", "env-csrf", 1);
  f->service.introspect_status = 401;
  assert_int_equal(sign_in(f), IGT_E_EXPIRED);
  assert_non_null(strstr(f->err.text, "CLOUD_JWT_TOKEN"));
  assert_null(strstr(f->err.text, "env-csrf"));
  assert_int_equal(f->asked_password, 0);
  setenv("CLOUD_CSRF_TOKEN", "a\r\nX-Admin: 1", 1);
  assert_int_equal(sign_in(f), IGT_E_LOGIN);
}

static void test_environment_by_halves_or_unwanted(void **state) {
  fixture *f = *state;

  setenv("CLOUD_JWT_TOKEN", "aa.e30.cc", 1);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(identity(f).source, IGT_SESSION_PASSWORD);
  setenv("CLOUD_CSRF_TOKEN", "c", 1);
  f->options.no_environment = true;
  open_session(f);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(identity(f).source, IGT_SESSION_PASSWORD);
  assert_int_equal(count(&f->service, &f->service.introspects), 0);
}

/* The Python client refreshes such a session as well. */
static void test_environment_with_refresh_token(void **state) {
  fixture *f = *state;
  unsigned generation;

  setenv("CLOUD_JWT_TOKEN", "aa.eyJyZWZyZXNoX3Rva2VuIjoiciJ9.cc", 1);
  setenv("CLOUD_CSRF_TOKEN", "c", 1);
  assert_int_equal(sign_in(f), IGT_OK);
  pass(3421);
  assert_int_equal(authorize(f, &generation), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.refreshes), 1);
}

/* ---- tokens of the program ---- */

static void test_tokens_of_the_program(void **state) {
  fixture *f = *state;
  char jwt[100], csrf[100];
  igt_token *token = NULL;

  setenv("CLOUD_JWT_TOKEN", "bb.e30.cc", 1); /* comes after what the program gives */
  setenv("CLOUD_CSRF_TOKEN", "env-csrf", 1);
  f->options.jwt = "aa.e30.cc";
  f->options.csrf = "own-csrf";
  open_session(f);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(identity(f).source, IGT_SESSION_TOKENS);
  send_authorized(f, jwt, sizeof jwt, csrf, sizeof csrf);
  assert_string_equal(jwt, "aa.e30.cc");
  assert_string_equal(csrf, "own-csrf");
  assert_int_equal(igt__session_token(f->session, &token, &f->err), IGT_OK);
  assert_string_equal(igt_token_jwt(token), "aa.e30.cc");
  assert_string_equal(igt_token_csrf(token), "own-csrf");
  assert_string_equal(igt_token_user(token), "env@example.com");
  assert_int_equal(igt_token_expires(token), 1800003600);
  igt_token_free(token);
  assert_int_equal(igt__session_sign_out(f->session, NULL), IGT_OK); /* not ours to sign out */
  assert_int_equal(count(&f->service, &f->service.logouts), 0);
}

static void test_tokens_of_the_program_are_refused(void **state) {
  fixture *f = *state;

  f->options.jwt = "aa.e30.cc";
  f->options.csrf = "own-csrf";
  open_session(f);
  f->service.introspect_status = 401;
  assert_int_equal(sign_in(f), IGT_E_EXPIRED);
  assert_non_null(strstr(f->err.text, "the given session is not accepted"));
  assert_null(strstr(f->err.text, "own-csrf"));
  assert_int_equal(f->asked_password, 0);
  igt__session_free(f->session);
  f->options.csrf = NULL;
  assert_int_equal(igt__session_new(&f->options, &f->session, &f->err), IGT_E_INVALID);
}

static void test_tokens_are_copied_once_they_are_fresh(void **state) {
  fixture *f = *state;
  igt_token *first = NULL, *second = NULL;

  open_session(f);
  assert_int_equal(igt__session_token(f->session, &first, &f->err), IGT_OK); /* signs in */
  assert_int_equal(f->asked_password, 1);
  assert_string_equal(igt_token_jwt(first), f->service.last_jwt);
  pass(3600 - 180); /* it is due */
  assert_int_equal(igt__session_token(f->session, &second, &f->err), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.refreshes), 1);
  assert_string_equal(igt_token_jwt(second), f->service.last_jwt);
  assert_string_not_equal(igt_token_jwt(first), igt_token_jwt(second));
  igt_token_free(first);
  igt_token_free(second);
}

static void test_no_token_without_a_session(void **state) {
  fixture *f = *state;
  igt_token *token = (igt_token *)state;

  open_session(f);
  f->service.login_status = 401;
  assert_int_equal(igt__session_token(f->session, &token, &f->err), IGT_E_LOGIN);
  assert_null(token);
}

/* ---- services ---- */

static igt__rsa *write_key(fixture *f, mode_t mode) {
  igt__buf private_pem, public_pem;
  igt__rsa *public_key = NULL;
  FILE *file;

  igt__buf_init(&private_pem, 65536);
  igt__buf_init(&public_pem, 65536);
  assert_int_equal(igt__rsa_generate(&private_pem, &public_pem, NULL), IGT_OK);
  file = fopen(f->key_path, "w");
  fwrite(private_pem.data, 1, private_pem.len, file);
  fclose(file);
  chmod(f->key_path, mode);
  assert_int_equal(igt__rsa_public(public_pem.data, public_pem.len, "k", &public_key, NULL),
                   IGT_OK);
  igt__buf_finish_wipe(&private_pem);
  igt__buf_finish(&public_pem);
  f->options.service_file = f->key_path;
  return public_key;
}

static void check_assertion(const char *jwt, igt__rsa *key, const char *id) {
  const char *dot = strrchr(jwt, '.');
  igt__json *claims = NULL;
  igt__buf sig;

  igt__buf_init(&sig, 4096);
  assert_true(igt__base64url_decode(&sig, dot + 1, strlen(dot + 1)));
  assert_true(igt__rs256_verify(key, jwt, (size_t)(dot - jwt), sig.data, sig.len));
  assert_int_equal(igt__jwt_claims(jwt, &claims, NULL), IGT_OK);
  assert_string_equal(igt__json_str(igt__json_at(igt__json_get(claims, "aud"), 0)),
                      "http://127.0.0.1/oauth2/access_token");
  assert_string_equal(igt__json_get_str(claims, "iss"), id);
  assert_string_equal(igt__json_get_str(claims, "sub"), id);
  assert_int_equal(igt__json_int(igt__json_get(claims, "exp")), wall() / US + 300);
  igt__json_free(claims);
  igt__buf_finish(&sig);
}

static void test_service_key(void **state) {
  fixture *f = *state;
  igt__rsa *public_key = write_key(f, 0600);
  igt__json *body;
  unsigned generation;

  f->service.no_refresh = true;
  assert_int_equal(sign_in(f), IGT_OK);
  body = body_of(last_seen(f, "/api/auth/login"));
  assert_string_equal(igt__json_get_str(body, "grantType"), "jwt-key");
  assert_string_equal(igt__json_get_str(body, "hospitalOrgId"), "");
  check_assertion(igt__json_get_str(body, "assertion"), public_key, "station-7.key");
  igt__json_free(body);
  assert_int_equal(identity(f).source, IGT_SESSION_SERVICE_KEY);
  assert_true(identity(f).is_service);
  unlink(f->key_path); /* was read once, at the start */
  pass(3421);
  assert_int_equal(authorize(f, &generation), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.logins), 2); /* no refresh token: a new login */
  assert_int_equal(count(&f->service, &f->service.refreshes), 0);
  assert_int_equal(f->asked_user + f->asked_password, 0);
  igt__rsa_free(public_key);
}

static void test_service_key_of_a_named_user(void **state) {
  fixture *f = *state;
  igt__rsa *public_key = write_key(f, 0644); /* used, with a warning */
  igt__json *body;

  f->options.user = "other-id";
  assert_int_equal(sign_in(f), IGT_OK);
  body = body_of(last_seen(f, "/api/auth/login"));
  check_assertion(igt__json_get_str(body, "assertion"), public_key, "other-id");
  igt__json_free(body);
  igt__rsa_free(public_key);
}

/* Puts it all on one line, as the cloud issues it. */
static void read_key(const fixture *f, char *out, size_t cap, bool one_line) {
  FILE *file = fopen(f->key_path, "r");
  size_t n = fread(out, 1, cap - 1, file), to = 0;

  fclose(file);
  out[n] = '\0';
  for (size_t i = 0; i < n; i++)
    if (!one_line || out[i] != '\n')
      out[to++] = out[i];
  out[to] = '\0';
}

static void test_service_key_as_text(void **state) {
  fixture *f = *state;
  igt__rsa *public_key = write_key(f, 0600);
  char text[8192];
  igt__json *body;
  unsigned generation;

  f->options.service_file = NULL;
  f->options.service_key = text;
  f->options.user = "station-8";
  for (int one_line = 0; one_line < 2; one_line++) {
    read_key(f, text, sizeof text, one_line);
    igt__session_free(f->session);
    assert_int_equal(igt__session_new(&f->options, &f->session, &f->err), IGT_OK);
    memset(text, 'x', sizeof text - 1); /* it was copied */
    assert_int_equal(igt__session_sign_in(f->session, false, &f->err), IGT_OK);
    body = body_of(last_seen(f, "/api/auth/login"));
    check_assertion(igt__json_get_str(body, "assertion"), public_key, "station-8");
    igt__json_free(body);
    assert_int_equal(identity(f).source, IGT_SESSION_SERVICE_KEY);
  }
  pass(3421);
  assert_int_equal(authorize(f, &generation), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.logins), 3);
  igt__rsa_free(public_key);
}

static void test_service_keys_as_text_that_are_none(void **state) {
  fixture *f = *state;

  igt__session_free(f->session);
  f->options.service_key = "-----BEGIN NOTHING-----";
  assert_int_equal(igt__session_new(&f->options, &f->session, &f->err), IGT_E_INVALID);
  assert_non_null(strstr(f->err.text, "id as the user"));
  f->options.user = "station-8";
  f->options.service_file = f->key_path;
  assert_int_equal(igt__session_new(&f->options, &f->session, &f->err), IGT_E_INVALID);
  f->options.service_file = NULL;
  assert_int_equal(igt__session_new(&f->options, &f->session, &f->err), IGT_OK);
  for (int i = 0; i < 2; i++) { /* also when it is tried again */
    assert_int_equal(igt__session_sign_in(f->session, false, &f->err), IGT_E_KEY);
    assert_non_null(strstr(f->err.text, "the service's key"));
  }
  assert_int_equal(http_server_count(f->server), 0);
}

static void test_keys_that_are_none(void **state) {
  fixture *f = *state;
  FILE *file;

  f->options.service_file = f->key_path;
  assert_int_equal(sign_in(f), IGT_E_KEY);
  assert_non_null(strstr(f->err.text, f->key_path));
  file = fopen(f->key_path, "w");
  fputs("no key", file);
  fclose(file);
  assert_int_equal(sign_in(f), IGT_E_KEY);
  assert_non_null(strstr(f->err.text, f->key_path));
  assert_int_equal(http_server_count(f->server), 0);
}

static void test_refused_key(void **state) {
  fixture *f = *state;
  igt__rsa *public_key = write_key(f, 0600);

  f->service.login_status = 400;
  assert_int_equal(sign_in(f), IGT_E_LOGIN);
  assert_non_null(strstr(f->err.text, "station-7.key"));
  igt__rsa_free(public_key);
}

/* ---- renewing ---- */

static void test_renews_ahead_of_the_end(void **state) {
  fixture *f = *state;
  char jwt[2000], csrf[100], old[IGT__MAX_TOKEN * 2];
  const http_seen *seen;
  unsigned before, after;

  assert_int_equal(sign_in(f), IGT_OK);
  snprintf(old, sizeof old, "%s", f->service.last_jwt);
  assert_int_equal(authorize(f, &before), IGT_OK);
  pass(3600 - 181);
  assert_int_equal(authorize(f, &after), IGT_OK);
  assert_int_equal(before, after);
  assert_int_equal(count(&f->service, &f->service.refreshes), 0);
  pass(1);
  assert_int_equal(authorize(f, &after), IGT_OK);
  assert_int_not_equal(before, after);
  assert_int_equal(count(&f->service, &f->service.refreshes), 1);
  seen = last_seen(f, "/api/auth/refresh");
  assert_string_equal(http_seen_header(seen, "X-JWT"), old);
  assert_string_equal(http_seen_header(seen, "X-CSRF-TOKEN"), "csrf-1");
  assert_int_equal(seen->body_len, 0);
  send_authorized(f, jwt, sizeof jwt, csrf, sizeof csrf);
  assert_string_equal(jwt, f->service.last_jwt);
  assert_string_not_equal(jwt, old);
  assert_string_equal(csrf, "csrf-1"); /* the CSRF token of the login stays valid */
  assert_int_equal(identity(f).expires, wall() / US + 3600);
}

/* D19: no request storm when tokens live for 180 s or less. */
static void test_short_lives_are_renewed_at_their_half(void **state) {
  static const int lives[] = {360, 300, 180, 60, 10, 2, 1};
  fixture *f = *state;
  unsigned generation;

  for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
    int due = lives[i] / 2 > 1 ? lives[i] / 2 : 1;

    f->service.life = lives[i];
    f->service.refreshes = 0;
    open_session(f);
    assert_int_equal(sign_in(f), IGT_OK);
    for (int k = 0; k < 20; k++)
      assert_int_equal(authorize(f, &generation), IGT_OK);
    atomic_fetch_add(&moved, due * US - 1);
    assert_int_equal(authorize(f, &generation), IGT_OK);
    assert_int_equal(count(&f->service, &f->service.refreshes), 0);
    atomic_fetch_add(&moved, 1);
    assert_int_equal(authorize(f, &generation), IGT_OK);
    assert_int_equal(count(&f->service, &f->service.refreshes), 1);
  }
}

/* A token's lifetime does not depend on whose clock is correct. */
static void test_clocks_that_differ(void **state) {
  static const int ahead[] = {7200, -7200, 61, -61};
  fixture *f = *state;
  unsigned generation;

  for (size_t i = 0; i < 12; i++) {
    f->service.ahead = ahead[i % 4];
    f->service.no_max_age = i < 4;
    f->service.no_date = i >= 8;
    f->service.refreshes = 0;
    open_session(f);
    assert_int_equal(sign_in(f), IGT_OK);
    assert_int_equal(identity(f).expires, wall() / US + f->service.ahead + 3600);
    pass(3419);
    assert_int_equal(authorize(f, &generation), IGT_OK);
    assert_int_equal(count(&f->service, &f->service.refreshes), 0);
    pass(1);
    assert_int_equal(authorize(f, &generation), IGT_OK);
    assert_int_equal(count(&f->service, &f->service.refreshes), 1);
  }
}

/* security-10: odd expiry times sent by a server. */
static void test_odd_ends(void **state) {
  static const char *const exps[] = {"9223372036854775807",
                                     "-9223372036854775808",
                                     "1e300",
                                     "-1e300",
                                     "1800003600000",
                                     "1800003600000000",
                                     "1800003600000000000",
                                     "-1",
                                     "0",
                                     "1",
                                     "1800003600.75",
                                     "\"1800003600\"",
                                     "\"x\"",
                                     "18446744073709551615",
                                     "null",
                                     "[]"};
  fixture *f = *state;
  unsigned generation;

  for (size_t i = 0; i < 2 * sizeof exps / sizeof exps[0]; i++) {
    f->service.exp = exps[i / 2];
    f->service.no_max_age = i % 2;
    f->service.logins = f->service.refreshes = 0;
    open_session(f);
    assert_int_equal(sign_in(f), IGT_OK);
    for (int k = 0; k < 600; k++) {
      assert_int_equal(authorize(f, &generation), IGT_OK);
      atomic_fetch_add(&moved, US / 10);
    }
    assert_int_equal(count(&f->service, &f->service.logins), 1);
    assert_in_range(count(&f->service, &f->service.refreshes), 0, 2);
  }
}

/* When a server rejects the token that it has just issued, another one is requested once per second
 * at most. */
static void test_refused_again_and_again(void **state) {
  fixture *f = *state;
  unsigned generation;
  int64_t begin;

  open_session(f);
  assert_int_equal(sign_in(f), IGT_OK);
  begin = atomic_load(&moved);
  for (int k = 0; k < 20; k++) {
    assert_int_equal(authorize(f, &generation), IGT_OK);
    assert_int_equal(igt__session_renew(f->session, generation, &f->err), IGT_OK);
  }
  assert_in_range(atomic_load(&moved) - begin, 19 * US, 21 * US);
}

static void test_assertions_end_by_the_servers_clock(void **state) {
  fixture *f = *state;
  igt__rsa *public_key = write_key(f, 0600);
  igt__json *body, *claims = NULL;

  f->service.ahead = 7200;
  assert_int_equal(sign_in(f), IGT_OK);
  body = body_of(last_seen(f, "/api/auth/login"));
  assert_int_equal(igt__jwt_claims(igt__json_get_str(body, "assertion"), &claims, NULL), IGT_OK);
  assert_int_equal(igt__json_int(igt__json_get(claims, "exp")), wall() / US + 7200 + 300);
  igt__json_free(claims);
  igt__json_free(body);
  igt__rsa_free(public_key);
}

static void test_old_token_serves_while_renewing_fails(void **state) {
  fixture *f = *state;
  unsigned before, after;

  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(authorize(f, &before), IGT_OK);
  f->service.refresh_status = 500;
  pass(3420);
  for (int i = 0; i < 10; i++)
    assert_int_equal(authorize(f, &after), IGT_OK);
  assert_int_equal(before, after);
  assert_int_equal(count(&f->service, &f->service.refreshes), 1); /* not with each request */
  pass(11);
  assert_int_equal(authorize(f, &after), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.refreshes), 2);
  f->service.refresh_status = 0;
  pass(11);
  assert_int_equal(authorize(f, &after), IGT_OK);
  assert_int_not_equal(before, after);
}

/* For callers that must not block: true while the token is valid, false when a new one would have
 * to be requested. */
static bool authorize_now(fixture *f) {
  igt__http_request req;
  bool good;

  assert_int_equal(igt__http_request_init(&req, NULL), IGT_OK);
  good = igt__session_authorize_now(f->session, &req);
  igt__http_request_finish(&req);
  return good;
}

static void test_authorizes_at_once_or_not_at_all(void **state) {
  fixture *f = *state;
  unsigned generation;

  open_session(f);
  assert_false(authorize_now(f));
  assert_int_equal(count(&f->service, &f->service.logins), 0);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_true(authorize_now(f));
  pass(3420); /* due */
  assert_false(authorize_now(f));
  assert_int_equal(count(&f->service, &f->service.refreshes), 0);
  f->service.refresh_status = 500;
  assert_int_equal(authorize(f, &generation), IGT_OK);
  assert_true(authorize_now(f)); /* renewing has just failed: the old one is used */
  pass(180);
  assert_false(authorize_now(f)); /* it has expired */
  f->service.refresh_status = 0;
  assert_int_equal(authorize(f, &generation), IGT_OK);
  assert_true(authorize_now(f));
}

static void test_at_the_end_the_failure_is_reported(void **state) {
  fixture *f = *state;
  unsigned generation;

  assert_int_equal(sign_in(f), IGT_OK);
  f->service.refresh_status = 500;
  pass(3600);
  assert_int_equal(authorize(f, &generation), IGT_E_SERVER);
  f->service.refresh_status = 401;
  f->service.login_status = 401;
  assert_int_equal(authorize(f, &generation), IGT_E_LOGIN);
  for (int i = 0; i < 5; i++)
    assert_int_equal(authorize(f, &generation), IGT_E_LOGIN);
  assert_int_equal(count(&f->service, &f->service.refreshes), 2); /* a refusal is final */
  assert_int_equal(count(&f->service, &f->service.logins), 2);
  f->service.login_status = 0;
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.logins), 3);
  assert_int_equal(authorize(f, &generation), IGT_OK);
}

static void test_password_again_when_the_refresh_token_has_ended(void **state) {
  fixture *f = *state;
  unsigned generation;

  assert_int_equal(sign_in(f), IGT_OK);
  f->service.refresh_status = 401;
  pass(3600);
  assert_int_equal(authorize(f, &generation), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.refreshes), 1);
  assert_int_equal(count(&f->service, &f->service.logins), 2);
  assert_int_equal(f->asked_password, 1); /* not again */
}

static void test_kept_while_no_request_is_made(void **state) {
  fixture *f = *state;

  assert_int_equal(sign_in(f), IGT_OK);
  igt__session_keep(f->session);
  assert_int_equal(count(&f->service, &f->service.refreshes), 0);
  pass(3420);
  igt__session_keep(f->session);
  igt__session_keep(f->session);
  assert_int_equal(count(&f->service, &f->service.refreshes), 1);
}

static void test_renew_after_401(void **state) {
  fixture *f = *state;
  unsigned first, second;

  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(authorize(f, &first), IGT_OK);
  assert_int_equal(igt__session_renew(f->session, first, &f->err), IGT_OK);
  assert_int_equal(authorize(f, &second), IGT_OK);
  assert_int_not_equal(first, second);
  assert_int_equal(igt__session_renew(f->session, first, &f->err), IGT_OK); /* another thread did */
  assert_int_equal(count(&f->service, &f->service.refreshes), 1);
  f->service.refresh_status = 403;
  f->service.login_status = 401;
  assert_int_equal(igt__session_renew(f->session, second, &f->err), IGT_E_LOGIN);
  assert_int_equal(igt__session_renew(f->session, second, &f->err), IGT_E_LOGIN);
  assert_int_equal(count(&f->service, &f->service.refreshes), 2);
}

/* ---- threads ---- */

#define THREADS 12

typedef struct worker {
  pthread_t thread;
  igt__session *session;
  unsigned generation; /* to renew; 0: authorize */
  igt_status status;
  igt_error err;
} worker;

static void *work(void *payload) {
  worker *w = payload;

  if (w->generation)
    w->status = igt__session_renew(w->session, w->generation, &w->err);
  else
    w->status = authorize_quietly(w->session, &w->generation, &w->err);
  return NULL;
}

static void start_workers(fixture *f, worker *workers, unsigned generation) {
  for (int i = 0; i < THREADS; i++) {
    workers[i] =
        (worker){.session = f->session, .generation = generation, .status = IGT_E_INTERNAL};
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
}

static void join_workers(worker *workers, igt_status expected) {
  for (int i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    if (workers[i].status != expected)
      fail_msg("thread %d: %s", i, workers[i].err.text);
  }
}

static void test_one_login_for_all_threads(void **state) {
  fixture *f = *state;
  worker workers[THREADS];

  f->service.login_fault = HTTP_HOLD;
  open_session(f);
  start_workers(f, workers, 0);
  http_server_wait(f->server, 1);
  http_server_release(f->server);
  join_workers(workers, IGT_OK);
  assert_int_equal(count(&f->service, &f->service.logins), 1);
  assert_int_equal(f->asked_password, 1);
}

static void test_one_refusal_for_all_threads(void **state) {
  fixture *f = *state;
  worker workers[THREADS];

  f->service.login_status = 401;
  f->service.login_fault = HTTP_HOLD;
  open_session(f);
  start_workers(f, workers, 0);
  http_server_wait(f->server, 1);
  http_server_release(f->server);
  join_workers(workers, IGT_E_LOGIN);
  assert_int_equal(count(&f->service, &f->service.logins), 1);
}

static void test_one_refresh_for_all_threads(void **state) {
  fixture *f = *state;
  worker workers[THREADS];
  unsigned generation;

  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(authorize(f, &generation), IGT_OK);
  f->service.refresh_fault = HTTP_HOLD;
  start_workers(f, workers, generation);
  http_server_wait(f->server, 2);
  http_server_release(f->server);
  join_workers(workers, IGT_OK);
  assert_int_equal(count(&f->service, &f->service.refreshes), 1);
}

/* While one thread renews, the others use the token that is still valid. */
static void test_living_token_makes_nobody_wait(void **state) {
  fixture *f = *state;
  worker renewing;
  unsigned first, now;

  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(authorize(f, &first), IGT_OK);
  f->service.refresh_fault = HTTP_HOLD;
  pass(3420);
  renewing = (worker){.session = f->session, .status = IGT_E_INTERNAL};
  assert_int_equal(pthread_create(&renewing.thread, NULL, work, &renewing), 0);
  http_server_wait(f->server, 2);
  assert_int_equal(authorize(f, &now), IGT_OK); /* would hang otherwise */
  assert_int_equal(first, now);
  http_server_release(f->server);
  pthread_join(renewing.thread, NULL);
  assert_int_equal(renewing.status, IGT_OK);
  assert_int_not_equal(renewing.generation, first);
}

static void test_cancel_ends_a_login(void **state) {
  fixture *f = *state;
  worker workers[THREADS];

  atomic_store(&flows, true);
  f->service.login_fault = HTTP_HOLD;
  open_session(f);
  start_workers(f, workers, 0);
  http_server_wait(f->server, 1);
  igt__cancel_set(f->cancel);
  join_workers(workers, IGT_E_CANCELLED);
}

/* ---- signing out ---- */

static void test_signs_out(void **state) {
  fixture *f = *state;
  const http_seen *seen;

  assert_int_equal(sign_in(f), IGT_OK);
  igt__cancel_set(f->cancel); /* signing out is the last thing that an interrupted program does */
  assert_int_equal(igt__session_sign_out(f->session, &f->err), IGT_OK);
  seen = last_seen(f, "/api/auth/logout");
  assert_string_equal(seen->method, "POST");
  assert_string_equal(http_seen_header(seen, "X-JWT"), f->service.last_jwt);
  assert_int_equal(seen->body_len, 0);
  assert_int_equal(identity(f).source, IGT_SESSION_NONE);
  assert_string_equal(identity(f).user, "");
  assert_int_equal(igt__session_sign_out(f->session, &f->err), IGT_OK); /* nothing left to do */
  assert_int_equal(count(&f->service, &f->service.logouts), 1);
}

static void test_signing_out_of_an_ended_session_is_fine(void **state) {
  fixture *f = *state;

  f->service.logout_status = 401;
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(igt__session_sign_out(f->session, &f->err), IGT_OK);
  f->service.logout_status = 500;
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(igt__session_sign_out(f->session, &f->err), IGT_E_SERVER);
  assert_int_equal(identity(f).source, IGT_SESSION_NONE);
}

/* Waiting for a server that does not respond is limited. */
static void test_silent_server_is_left(void **state) {
  fixture *f = *state;
  struct timespec before, after;

  atomic_store(&flows, true);
  f->service.logout_fault = HTTP_HOLD;
  assert_int_equal(sign_in(f), IGT_OK);
  clock_gettime(CLOCK_MONOTONIC, &before);
  assert_int_equal(igt__session_sign_out(f->session, &f->err), IGT_E_TIMEOUT);
  clock_gettime(CLOCK_MONOTONIC, &after);
  assert_in_range(after.tv_sec - before.tv_sec, 2, 10);
}

/* ---- out of memory ---- */

static igt_status sign_in_and_renew(fixture *f) {
  unsigned generation = 0;
  igt_status status = igt__session_new(&f->options, &f->session, &f->err);

  if (status == IGT_OK)
    status = igt__session_sign_in(f->session, false, &f->err);
  if (status == IGT_OK)
    status = authorize(f, &generation);
  if (status == IGT_OK && f->asked_password)
    status = igt__session_renew(f->session, generation, &f->err);
  return status;
}

static void cancel_at_once(void *payload, igt_login_event event, const igt_identity *id,
                           const igt_error *err) {
  fixture *f = payload;

  (void)event;
  (void)id;
  (void)err;
  igt__cancel_set(f->cancel);
}

static void renew_cancel(fixture *f) {
  igt__cancel_unref(f->cancel);
  f->cancel = f->options.cancel = igt__cancel_new();
}

static igt_status hold_once(fixture *f) {
  igt_status status;

  atomic_fetch_add(&allocations_left, 1);
  renew_cancel(f);
  status = igt__session_new(&f->options, &f->session, &f->err);
  return status == IGT_OK ? igt__session_hold(f->session, cancel_at_once, f, &f->err) : status;
}

/* Each allocation of a session's life fails once: an error each time, no crash, no leak (ASan). */
static void starve(fixture *f, igt_status (*live)(fixture *f)) {
  igt_status status = IGT_E_NO_MEMORY;
  long n;

  for (n = 0; n < 5000 && status != IGT_OK; n++) {
    igt__session_free(f->session);
    f->session = NULL;
    f->err = (igt_error)IGT_ERROR_INIT;
    atomic_store(&allocations_left, n);
    status = live(f);
    atomic_store(&allocations_left, LONG_MAX);
    if (status != f->err.status)
      fail_msg("allocation %ld: %s, but reported %s", n, igt_status_name(status), f->err.text);
  }
  assert_int_equal(status, IGT_OK);
  assert_in_range(n, 5, 4999);
}

static igt__token_holder *hold_file(fixture *f, const char *user, const char *domain,
                                    const char *mark);

static void test_survives_lack_of_memory(void **state) {
  fixture *f = *state;
  igt__token_holder *holder = hold_file(f, "bob", f->origin, "one");

  f->service.fixed = granted(&f->service);
  starve(f, sign_in_and_renew);
  igt__token_holder_close(holder);
  starve(f, sign_in_and_renew);
  assert_true(f->asked_password > 0);
  starve(f, hold_once);
  renew_cancel(f);
  assert_int_equal(access(f->token_path, F_OK), -1);
  f->asked_password = 0;
  setenv("CLOUD_JWT_TOKEN", "aa.e30.cc", 1);
  setenv("CLOUD_CSRF_TOKEN", "c", 1);
  starve(f, sign_in_and_renew);
  assert_int_equal(f->asked_password, 0);
}

/* ---- the token file of another program ---- */

static igt__token_holder *hold_file(fixture *f, const char *user, const char *domain,
                                    const char *mark) {
  igt__token_holder *holder = NULL;
  char page[IGT__TOKEN_FILE_SIZE], jwt[400];
  igt__json *claims = igt__json_new_object();
  igt__buf text, encoded;

  igt__buf_init(&text, 1000);
  igt__buf_init(&encoded, 1000);
  igt__json_set_int(claims, "exp", wall() / US + 3600);
  igt__json_set_str(claims, "access_token", mark);
  igt__json_set_str(claims, "refresh_token", "r");
  igt__json_write(&text, claims, IGT__JSON_COMPACT);
  igt__base64url_encode(&encoded, text.data, text.len);
  snprintf(jwt, sizeof jwt, "aGVhZA.%s.c2ln", encoded.data);
  assert_int_equal(igt__token_encode(user, jwt, claims, "file-csrf", domain, page, NULL), IGT_OK);
  assert_int_equal(igt__token_holder_open(f->token_path, &holder, NULL), IGT_OK);
  assert_int_equal(igt__token_holder_write(holder, page, NULL), IGT_OK);
  igt__buf_finish(&text);
  igt__buf_finish(&encoded);
  igt__json_free(claims);
  return holder;
}

static void test_token_file(void **state) {
  fixture *f = *state;
  igt__token_holder *holder = hold_file(f, "bob@example.com", f->origin, "one");
  char jwt[400], csrf[100];

  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(identity(f).source, IGT_SESSION_TOKEN_FILE);
  assert_string_equal(identity(f).user, "bob@example.com");
  assert_int_equal(http_server_count(f->server), 0);
  send_authorized(f, jwt, sizeof jwt, csrf, sizeof csrf);
  assert_true(strncmp(jwt, "aGVhZA.", 7) == 0);
  assert_string_equal(csrf, "file-csrf");
  assert_int_equal(igt__session_sign_out(f->session, NULL), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.logouts), 0);
  assert_int_equal(access(f->token_path, F_OK), 0);
  igt__token_holder_close(holder);
}

static void test_token_file_must_fit(void **state) {
  static const char *const domains[] = {"https://127.0.0.1", "http://127.0.0.1:1",
                                        "http://igt.example.com", "https://other.example.com", ""};
  fixture *f = *state;
  igt__token_holder *holder;

  for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
    holder = hold_file(f, "ann@example.com", domains[i], "one");
    open_session(f);
    assert_int_equal(sign_in(f), IGT_OK);
    assert_int_equal(identity(f).source, IGT_SESSION_PASSWORD);
    igt__token_holder_close(holder);
  }
  holder = hold_file(f, "bob@example.com", f->origin, "one");
  f->options.user = "ann@example.com";
  open_session(f);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(identity(f).source, IGT_SESSION_PASSWORD);
  f->options.user = NULL;
  f->options.no_token_file = true;
  open_session(f);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(identity(f).source, IGT_SESSION_PASSWORD);
  igt__token_holder_close(holder);
}

static void test_token_file_is_read_again(void **state) {
  fixture *f = *state;
  igt__token_holder *holder = hold_file(f, "bob", f->origin, "one");
  unsigned first, second;

  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(authorize(f, &first), IGT_OK);
  igt__token_holder_close(holder);
  holder = hold_file(f, "bob", f->origin, "two");
  assert_int_equal(igt__session_renew(f->session, first, &f->err), IGT_OK);
  assert_int_equal(authorize(f, &second), IGT_OK);
  assert_int_not_equal(first, second);
  pass(3420); /* due, but the other program has not renewed it yet */
  assert_int_equal(authorize(f, &first), IGT_OK);
  assert_int_equal(first, second);
  igt__token_holder_close(holder);
  holder = hold_file(f, "bob", f->origin, "three");
  pass(3);
  assert_int_equal(authorize(f, &first), IGT_OK);
  assert_int_not_equal(first, second);
  igt__token_holder_close(holder);
  assert_int_equal(http_server_count(f->server), 0);
}

static void test_token_file_goes_away(void **state) {
  fixture *f = *state;
  igt__token_holder *holder = hold_file(f, "bob", f->origin, "one");
  unsigned generation;

  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(authorize(f, &generation), IGT_OK);
  igt__token_holder_close(holder);
  assert_int_equal(igt__session_renew(f->session, generation, &f->err), IGT_E_EXPIRED);
  assert_non_null(strstr(f->err.text, "igtcloud login"));
  holder = hold_file(f, "eve", f->origin, "two"); /* not the user with which this program started */
  assert_int_equal(igt__session_renew(f->session, generation, &f->err), IGT_E_EXPIRED);
  igt__token_holder_close(holder);
  holder = hold_file(f, "bob", f->origin, "three");
  assert_int_equal(igt__session_renew(f->session, generation, &f->err), IGT_OK);
  igt__token_holder_close(holder);
  assert_int_equal(f->asked_password, 0);
}

/* Anybody can create a file in /tmp: that must not lock others out. A path given explicitly is
 * different. */
static void test_untrusted_token_file(void **state) {
  fixture *f = *state;
  igt__token_holder *holder = hold_file(f, "bob", f->origin, "one");

  chmod(f->token_path, 0644);
  assert_int_equal(sign_in(f), IGT_OK);
  assert_int_equal(identity(f).source, IGT_SESSION_PASSWORD);
  f->options.prompt = NULL;
  open_session(f);
  assert_int_equal(sign_in(f), IGT_E_TOKEN_FILE); /* reported when it is the reason */
  f->options.prompt = response_prompt;
  f->options.token_file = f->token_path;
  open_session(f);
  assert_int_equal(sign_in(f), IGT_E_TOKEN_FILE);
  igt__token_holder_close(holder);
}

/* ---- holding ---- */

typedef struct log {
  fixture *f;
  igt_login_event events[1000];
  size_t n;
  size_t renewals; /* awaited before the cancel */
  igt_login_event cancel_at;
  igt_error trouble;
  int64_t at;          /* time of the last event */
  bool password_ends;  /* after the first login */
  int64_t recovers_at; /* refreshing is rejected from then on, logging in is not */
} log;

static void on_event(void *payload, igt_login_event event, const igt_identity *id,
                     const igt_error *err) {
  log *l = payload;
  igt_token *token = NULL;

  assert_true(l->n < 1000);
  l->events[l->n++] = event;
  l->at = atomic_load(&moved);
  if (l->recovers_at && l->at >= l->recovers_at)
    l->f->service.refresh_status = 401;
  if (l->password_ends)
    l->f->service.login_status = 401;
  if (event == IGT_LOGIN_READY || event == IGT_LOGIN_RENEWED) {
    struct stat st;

    assert_string_equal(id->user, "ann@example.com");
    assert_int_equal(igt_token_read(l->f->token_path, &token, NULL), IGT_OK);
    assert_string_equal(igt_token_jwt(token), l->f->service.last_jwt);
    assert_string_equal(igt_token_domain(token), l->f->origin);
    assert_int_equal(stat(l->f->token_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, IGT__TOKEN_FILE_SIZE);
    igt_token_free(token);
  }
  if (err)
    l->trouble = *err;
  if (event == IGT_LOGIN_ENDED)
    assert_int_equal(access(l->f->token_path, F_OK), -1);
  if (event == l->cancel_at && (event != IGT_LOGIN_RENEWED || --l->renewals == 0))
    igt__cancel_set(l->f->cancel);
}

static igt_status hold(fixture *f, log *l) {
  l->f = f;
  open_session(f);
  return igt__session_hold(f->session, on_event, l, &f->err);
}

static void test_holds_and_renews(void **state) {
  fixture *f = *state;
  log l = {.cancel_at = IGT_LOGIN_RENEWED, .renewals = 3};

  assert_int_equal(hold(f, &l), IGT_OK);
  assert_int_equal(l.n, 5);
  assert_int_equal(l.events[0], IGT_LOGIN_READY);
  assert_int_equal(l.events[3], IGT_LOGIN_RENEWED);
  assert_int_equal(l.events[4], IGT_LOGIN_ENDED);
  assert_int_equal(count(&f->service, &f->service.refreshes), 3);
  assert_int_equal(count(&f->service, &f->service.logouts), 1);
  assert_in_range(l.at, 3 * 3420 * US, 3 * 3422 * US);
}

/* login uses the key or password, whatever else is available. */
static void test_holds_its_own(void **state) {
  fixture *f = *state;
  log l = {.cancel_at = IGT_LOGIN_READY};

  setenv("CLOUD_JWT_TOKEN", "aa.e30.cc", 1);
  setenv("CLOUD_CSRF_TOKEN", "c", 1);
  assert_int_equal(hold(f, &l), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.introspects), 0);
  assert_int_equal(f->asked_password, 1);
  assert_int_equal(count(&f->service, &f->service.logouts), 1);
}

static void test_second_hold_leaves_the_first_alone(void **state) {
  fixture *f = *state;
  igt__token_holder *holder = hold_file(f, "bob", f->origin, "one");
  igt_token *token = NULL;
  log l = {0};

  assert_int_equal(hold(f, &l), IGT_E_LOCKED);
  assert_int_equal(l.n, 0);
  assert_int_equal(f->asked_password, 0); /* D11: before asking for it */
  assert_int_equal(igt_token_read(f->token_path, &token, NULL), IGT_OK);
  igt_token_free(token);
  igt__token_holder_close(holder);
}

static void test_failed_hold_leaves_no_file(void **state) {
  fixture *f = *state;
  log l = {0};

  f->service.login_status = 401;
  assert_int_equal(hold(f, &l), IGT_E_LOGIN);
  assert_int_equal(l.n, 0);
  assert_int_equal(access(f->token_path, F_OK), -1);
}

static void test_token_too_large_for_the_file(void **state) {
  fixture *f = *state;
  log l = {0};

  f->service.padding = 8500;
  assert_int_equal(hold(f, &l), IGT_E_LIMIT);
  assert_int_equal(count(&f->service, &f->service.logouts), 1); /* the new session is ended */
  assert_int_equal(access(f->token_path, F_OK), -1);
}

static void test_hold_is_patient(void **state) {
  fixture *f = *state;
  log l = {0};

  l.cancel_at = IGT_LOGIN_RENEWED;
  l.renewals = 1;
  l.recovers_at = 7200 * US; /* an hour after the token has expired */
  f->service.refresh_status = 503;
  assert_int_equal(hold(f, &l), IGT_OK);
  assert_true(l.n > 100);
  assert_int_equal(l.events[l.n - 2], IGT_LOGIN_RENEWED);
  assert_int_equal(l.trouble.status, IGT_E_SERVER);
  assert_in_range(l.at, 7200 * US, 7230 * US);
}

static void test_end_reports_a_failed_sign_out(void **state) {
  fixture *f = *state;
  log l = {.cancel_at = IGT_LOGIN_READY};

  f->service.logout_status = 500;
  assert_int_equal(hold(f, &l), IGT_OK);
  assert_int_equal(l.trouble.status, IGT_E_SERVER);
  assert_int_equal(access(f->token_path, F_OK), -1);
}

static void test_hold_recovers(void **state) {
  fixture *f = *state;
  log l = {.cancel_at = IGT_LOGIN_RENEWED, .renewals = 1};

  http_server_add(f->server, granted(&f->service));
  for (int i = 0; i < 3; i++)
    http_server_add(f->server, refused(500));
  assert_int_equal(hold(f, &l), IGT_OK);
  assert_int_equal(l.n, 6);
  assert_int_equal(l.events[3], IGT_LOGIN_TROUBLE);
  assert_int_equal(l.events[4], IGT_LOGIN_RENEWED);
}

/* D19: a rejected refresh is not retried for minutes; the old token stays in use. */
static void test_hold_is_refused(void **state) {
  fixture *f = *state;
  log l = {.password_ends = true};

  f->service.refresh_status = 401;
  assert_int_equal(hold(f, &l), IGT_E_EXPIRED);
  assert_int_equal(count(&f->service, &f->service.refreshes), 1);
  assert_int_equal(count(&f->service, &f->service.logins), 2);
  assert_int_equal(l.n, 3);
  assert_in_range(l.at, 3600 * US, 3602 * US);

  l = (log){.password_ends = true}; /* a short life: it expires before the retries give up */
  atomic_store(&moved, 0);
  f->service.login_status = 0;
  f->service.life = 60;
  assert_int_equal(hold(f, &l), IGT_E_EXPIRED);
  assert_in_range(l.at, 60 * US, 62 * US);
}

static void test_hold_signs_in_again(void **state) {
  fixture *f = *state;
  log l = {.cancel_at = IGT_LOGIN_RENEWED, .renewals = 2};

  f->service.refresh_status = 401;
  assert_int_equal(hold(f, &l), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.logins), 3);
  assert_int_equal(f->asked_password, 1);
}

static void test_hold_of_a_service(void **state) {
  fixture *f = *state;
  igt__rsa *public_key = write_key(f, 0600);
  log l = {.cancel_at = IGT_LOGIN_RENEWED, .renewals = 2};

  f->service.no_refresh = true;
  assert_int_equal(hold(f, &l), IGT_OK);
  assert_int_equal(count(&f->service, &f->service.logins), 3);
  assert_int_equal(count(&f->service, &f->service.refreshes), 0);
  igt__rsa_free(public_key);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(test_password),
      CASE(test_known_user_is_not_prompted_for),
      CASE(test_wrong_password),
      CASE(test_nobody_to_ask),
      CASE(test_responses_that_are_none),
      CASE(test_environment),
      CASE(test_environment_is_refused),
      CASE(test_environment_by_halves_or_unwanted),
      CASE(test_environment_with_refresh_token),
      CASE(test_tokens_of_the_program),
      CASE(test_tokens_of_the_program_are_refused),
      CASE(test_tokens_are_copied_once_they_are_fresh),
      CASE(test_no_token_without_a_session),
      CASE(test_service_key),
      CASE(test_service_key_of_a_named_user),
      CASE(test_service_key_as_text),
      CASE(test_service_keys_as_text_that_are_none),
      CASE(test_keys_that_are_none),
      CASE(test_refused_key),
      CASE(test_renews_ahead_of_the_end),
      CASE(test_short_lives_are_renewed_at_their_half),
      CASE(test_clocks_that_differ),
      CASE(test_odd_ends),
      CASE(test_refused_again_and_again),
      CASE(test_assertions_end_by_the_servers_clock),
      CASE(test_old_token_serves_while_renewing_fails),
      CASE(test_authorizes_at_once_or_not_at_all),
      CASE(test_at_the_end_the_failure_is_reported),
      CASE(test_password_again_when_the_refresh_token_has_ended),
      CASE(test_kept_while_no_request_is_made),
      CASE(test_renew_after_401),
      CASE(test_one_login_for_all_threads),
      CASE(test_one_refusal_for_all_threads),
      CASE(test_one_refresh_for_all_threads),
      CASE(test_living_token_makes_nobody_wait),
      CASE(test_cancel_ends_a_login),
      CASE(test_signs_out),
      CASE(test_signing_out_of_an_ended_session_is_fine),
      CASE(test_silent_server_is_left),
      CASE(test_survives_lack_of_memory),
      CASE(test_token_file),
      CASE(test_token_file_must_fit),
      CASE(test_token_file_is_read_again),
      CASE(test_token_file_goes_away),
      CASE(test_untrusted_token_file),
      CASE(test_holds_and_renews),
      CASE(test_holds_its_own),
      CASE(test_second_hold_leaves_the_first_alone),
      CASE(test_failed_hold_leaves_no_file),
      CASE(test_token_too_large_for_the_file),
      CASE(test_hold_is_patient),
      CASE(test_end_reports_a_failed_sign_out),
      CASE(test_hold_recovers),
      CASE(test_hold_is_refused),
      CASE(test_hold_signs_in_again),
      CASE(test_hold_of_a_service),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
