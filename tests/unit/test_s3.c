/* SPDX-License-Identifier: MIT */
/* Where objects are located, when credentials expire, and that they are fetched once for all
 * requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "s3/internal.h"

/* ---- locate ---- */

static const struct place {
  const char *endpoint, *bucket, *region, *key, *url; /* url NULL: refused */
} places[] = {
    {"", "bkt", "", "a/b c+d", "https://bkt.s3.us-east-1.amazonaws.com/a/b%20c%2Bd"},
    {"", "bkt", "eu-central-1", "k", "https://bkt.s3.eu-central-1.amazonaws.com/k"},
    {"", "bkt", "cn-north-1", "k", "https://bkt.s3.cn-north-1.amazonaws.com.cn/k"},
    {"", "dotted.bkt", "", "k", "https://s3.us-east-1.amazonaws.com/dotted.bkt/k"},
    {"", "Upper_Case", "", "k", "https://s3.us-east-1.amazonaws.com/Upper_Case/k"},
    {"", "bkt", "evil.example/", "k", "https://bkt.s3.us-east-1.amazonaws.com/k"},
    {"https://s3.amazonaws.com", "bkt", "eu-west-1", "k",
     "https://bkt.s3.eu-west-1.amazonaws.com/k"},
    {"http://127.0.0.1:9000", "bkt", "", "k", "http://127.0.0.1:9000/bkt/k"},
    {"http://localhost:9000/", "bkt", "", "k", "http://localhost:9000/bkt/k"},
    {"http://[::1]:9000", "bkt", "", "k", "http://[::1]:9000/bkt/k"},
    {"https://store.example", "bkt", "", "k", "https://bkt.store.example/k"},
    {"https://store.example:8443", "bkt", "", "k", "https://bkt.store.example:8443/k"},
    {"https://store.example", "a.b", "", "k", "https://store.example/a.b/k"},
    {"https://store.example/s3", "bkt", "", "k", "https://store.example/s3/bkt/k"},
    {"http://store.example", "bkt", "", "k", NULL},
    {"ftp://store.example", "bkt", "", "k", NULL},
    {"", "", "", "k", NULL},
    {"", "a/b", "", "k", NULL},
    {"", "..", "", "k", NULL},
};

static igt__s3 *new_s3(void) {
  igt__s3 *s3 = NULL;

  unsetenv("AWS_ENDPOINT_URL_S3");
  unsetenv("AWS_ENDPOINT_URL");
  unsetenv("AWS_REGION");
  unsetenv("AWS_DEFAULT_REGION");
  assert_int_equal(igt__s3_new(NULL, &s3, NULL), IGT_OK);
  return s3;
}

static void locate(igt__s3 *s3, const struct place *place) {
  igt__s3_credentials *c = igt__s3_credentials_new();
  char region[64];
  igt__buf url;

  igt__buf_init(&url, 16384);
  strcpy(c->endpoint, place->endpoint);
  strcpy(c->bucket, place->bucket);
  strcpy(c->region, place->region);
  igt_status status = igt__s3_locate(s3, c, place->key, &url, region, NULL);
  if (place->url) {
    assert_int_equal(status, IGT_OK);
    assert_string_equal(url.data, place->url);
  } else {
    assert_int_not_equal(status, IGT_OK);
  }
  igt__buf_finish(&url);
  igt__s3_credentials_unref(c);
}

static void test_locate_table(void **state) {
  igt__s3 *s3 = new_s3();

  (void)state;

  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    locate(s3, &places[i]);
  igt__s3_free(s3);
}

static void test_regions_are_learnt_a_bucket(void **state) {
  static const struct place before = {"", "one", "", "k",
                                      "https://one.s3.us-east-1.amazonaws.com/k"},
                            after = {"", "one", "", "k",
                                     "https://one.s3.eu-west-3.amazonaws.com/k"},
                            other = {"", "two", "", "k",
                                     "https://two.s3.us-east-1.amazonaws.com/k"};
  igt__s3 *s3 = new_s3();

  (void)state;

  locate(s3, &before);
  assert_false(igt__s3_learn_region(s3, "one", "us-east-1", "us-east-1"));
  assert_false(igt__s3_learn_region(s3, "one", "bad.region", "us-east-1"));
  assert_true(igt__s3_learn_region(s3, "one", "eu-west-3", "us-east-1"));
  locate(s3, &after);
  locate(s3, &other);
  igt__s3_free(s3);
}

static void test_redirects(void **state) {
  char region[64], origin[300];

  (void)state;

  assert_true(igt__s3_region_of_endpoint("b.s3.eu-central-1.amazonaws.com", region));
  assert_string_equal(region, "eu-central-1");
  assert_true(igt__s3_region_of_endpoint("s3-us-west-2.amazonaws.com", region));
  assert_string_equal(region, "us-west-2");
  assert_false(igt__s3_region_of_endpoint("b.s3.amazonaws.com", region));
  assert_false(igt__s3_region_of_endpoint("evil.example", region));
  assert_true(igt__s3_redirect_allowed("https://bkt.s3-us-west-2.amazonaws.com/k?x", "bkt", origin,
                                       sizeof origin));
  assert_string_equal(origin, "https://bkt.s3-us-west-2.amazonaws.com");
  static const char *const refused[] = {"http://bkt.s3.us-west-2.amazonaws.com/k",
                                        "https://other.s3.us-west-2.amazonaws.com/k",
                                        "https://bkt.s3.us-west-2.amazonaws.com.evil/",
                                        "https://bkt.s3.evil.example/amazonaws.com",
                                        "https://bkt.s3.us-west-2.amazonaws.com:444/k",
                                        "https://user@bkt.s3.x.amazonaws.com/",
                                        "//bkt.s3.us-west-2.amazonaws.com/",
                                        ""};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    assert_false(igt__s3_redirect_allowed(refused[i], "bkt", origin, sizeof origin));
}

static void test_expires(void **state) {
  (void)state;
  assert_int_equal(igt__s3_expires_parse("2001-09-09T01:46:40Z"), 1000000000);
  assert_int_equal(igt__s3_expires_parse("2001-09-09 01:46:40"), 1000000000);
  assert_int_equal(igt__s3_expires_parse("2001-09-09T01:46:40.999999"), 1000000000);
  assert_int_equal(igt__s3_expires_parse("2001-09-09T03:46:40+02:00"), 1000000000);
  assert_int_equal(igt__s3_expires_parse("2001-09-08T20:46:40-0500"), 1000000000);
  assert_int_equal(igt__s3_expires_parse("soon"), 0);
  assert_int_equal(igt__s3_expires_parse(""), 0);
  assert_int_equal(igt__s3_expires_parse(NULL), 0);
}

/* ---- the credentials provider, with a fake clock ---- */

static _Atomic int64_t now_us;

static int64_t test_clock(void) {
  return atomic_load(&now_us);
}

static const igt__clock_hooks clock_hooks = {.wall = test_clock, .monotonic = test_clock};

typedef struct bench {
  igt__s3_provider *provider;
  _Atomic unsigned fetches;
  int life; /* seconds; 0: not given */
  igt_status fail;
  void (*task)(void *); /* the deferred task, run by the test */
  void *arg;
} bench;

static igt_status fetch(void *payload, igt__s3_credentials **out, igt_error *err) {
  bench *b = payload;

  atomic_fetch_add(&b->fetches, 1);
  if (b->fail)
    return igt__fail(err, b->fail, "no credentials for prefix p/");
  *out = igt__s3_credentials_new();
  if (b->life)
    (*out)->expires = atomic_load(&now_us) / 1000000 + b->life;
  return IGT_OK;
}

static void defer(void *payload, void (*task)(void *), void *arg) {
  bench *b = payload;

  assert_null(b->task); /* single flight */
  b->task = task;
  b->arg = arg;
}

static void run_deferred(bench *b) {
  void (*task)(void *) = b->task;

  assert_non_null(task);
  b->task = NULL;
  task(b->arg);
}

typedef struct waiter {
  igt__s3_waiter base;
  int done;
  igt_status status;
  char text[64];
} waiter;

static void on_waiter(igt__s3_waiter *base, igt_status status, const igt_error *err) {
  waiter *w = (waiter *)base;

  w->done++;
  w->status = status;
  snprintf(w->text, sizeof w->text, "%.63s", err->text);
}

static bool get(bench *b, waiter *w) {
  memset(w, 0, sizeof *w);
  w->base.done = on_waiter;
  igt__s3_credentials *c = igt__s3_provider_get(b->provider, &w->base);
  igt__s3_credentials_unref(c);
  return c != NULL;
}

static bench *new_bench(int life) {
  static bench b;
  igt__s3_provider_options options = {
      .fetch = fetch, .payload = &b, .defer = defer, .defer_payload = &b};

  memset(&b, 0, sizeof b);
  b.life = life;
  atomic_store(&now_us, INT64_C(1700000000) * 1000000);
  igt__clock_set_hooks(&clock_hooks);
  b.provider = igt__s3_provider_new(&options);
  return &b;
}

static void end_bench(bench *b) {
  igt__s3_provider_unref(b->provider);
  igt__clock_set_hooks(NULL);
}

static void test_one_fetch_serves_all_waiters(void **state) {
  bench *b = new_bench(3600);
  waiter w[3];

  (void)state;

  for (int i = 0; i < 3; i++)
    assert_false(get(b, &w[i]));
  run_deferred(b);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(w[i].done, 1);
    assert_int_equal(w[i].status, IGT_OK);
  }
  assert_true(get(b, &w[0]));
  assert_int_equal(b->fetches, 1);
  end_bench(b);
}

static void test_renewed_ahead_of_time(void **state) {
  static const struct {
    int life;
    int64_t quiet_us; /* no fetch until then */
  } table[] = {{2, 1790000}, {3, 2690000}, {60, 53900000}, {3600, INT64_C(3299) * 1000000}};
  (void)state;

  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    bench *b = new_bench(table[i].life);
    waiter w;
    assert_false(get(b, &w));
    run_deferred(b);
    atomic_fetch_add(&now_us, table[i].quiet_us);
    assert_true(get(b, &w));
    assert_null(b->task);
    atomic_fetch_add(&now_us, (int64_t)table[i].life * 1000000 * 995 / 1000 - table[i].quiet_us);
    assert_true(get(b, &w)); /* the old ones are still valid */
    assert_true(get(b, &w));
    run_deferred(b);
    assert_int_equal(b->fetches, 2);
    end_bench(b);
  }
}

static void test_past_the_end_requests_wait(void **state) {
  bench *b = new_bench(2);
  waiter w;

  (void)state;

  assert_false(get(b, &w));
  run_deferred(b);
  atomic_fetch_add(&now_us, 2000001);
  assert_false(get(b, &w));
  run_deferred(b);
  assert_int_equal(w.done, 1);
  end_bench(b);
}

static void test_an_end_in_the_past_is_not_believed(void **state) {
  bench *b = new_bench(-7200); /* local time without offset, or a wrong clock */
  waiter w;

  (void)state;

  assert_false(get(b, &w));
  run_deferred(b);
  for (int i = 0; i < 100; i++)
    assert_true(get(b, &w));
  assert_int_equal(b->fetches, 1);
  end_bench(b);
}

static void test_refused_credentials_are_renewed_once(void **state) {
  bench *b = new_bench(0);
  waiter w[2];
  igt__s3_credentials *old;

  (void)state;

  assert_false(get(b, &w[0]));
  run_deferred(b);
  old = igt__s3_provider_peek(b->provider);
  igt__s3_provider_refuse(b->provider, old);
  assert_false(get(b, &w[0]));
  igt__s3_provider_refuse(b->provider, old); /* a second part gets the same response */
  assert_false(get(b, &w[1]));
  run_deferred(b);
  igt__s3_provider_refuse(b->provider, old); /* a third, late: the new ones are not affected */
  assert_true(get(b, &w[0]));
  assert_int_equal(b->fetches, 2);
  igt__s3_credentials_unref(old);
  end_bench(b);
}

static void test_a_failed_fetch_fails_its_waiters(void **state) {
  bench *b = new_bench(2);
  waiter w[2];

  (void)state;

  b->fail = IGT_E_FORBIDDEN;
  assert_false(get(b, &w[0]));
  assert_false(get(b, &w[1]));
  run_deferred(b);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(w[i].done, 1);
    assert_int_equal(w[i].status, IGT_E_FORBIDDEN);
    assert_string_equal(w[i].text, "no credentials for prefix p/");
  }
  b->fail = IGT_OK; /* the next request tries again */
  assert_false(get(b, &w[0]));
  run_deferred(b);
  assert_int_equal(w[0].status, IGT_OK);
  /* A failed early renewal harms nothing, and is not retried with each request. */
  b->fail = IGT_E_CONNECT;
  atomic_fetch_add(&now_us, 1850000);
  assert_true(get(b, &w[0]));
  run_deferred(b);
  assert_true(get(b, &w[0]));
  assert_null(b->task);
  end_bench(b);
}

/* Threads, the real clock, a real single flight: for TSan. */

typedef struct crowd {
  igt__s3_provider *provider;
  _Atomic int running, fetches, served;
  pthread_t fetcher[64];
  _Atomic int fetchers;
} crowd;

typedef struct task {
  void (*run)(void *);
  void *arg;
} task;

static void *task_thread(void *arg) {
  task t = *(task *)arg;

  free(arg);
  t.run(t.arg);
  return NULL;
}

static void defer_to_thread(void *payload, void (*run)(void *), void *arg) {
  crowd *c = payload;
  task *t = malloc(sizeof *t);
  int slot = atomic_fetch_add(&c->fetchers, 1);

  assert_true(slot < 64);
  *t = (task){run, arg};
  assert_int_equal(pthread_create(&c->fetcher[slot], NULL, task_thread, t), 0);
}

static igt_status crowd_fetch(void *payload, igt__s3_credentials **out, igt_error *err) {
  crowd *c = payload;

  (void)err;

  assert_int_equal(atomic_fetch_add(&c->running, 1), 0);
  *out = igt__s3_credentials_new();
  atomic_fetch_add(&c->fetches, 1);
  atomic_fetch_sub(&c->running, 1);
  return IGT_OK;
}

typedef struct crowd_waiter {
  igt__s3_waiter base;
  crowd *crowd;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;
} crowd_waiter;

static void crowd_done(igt__s3_waiter *base, igt_status status, const igt_error *err) {
  crowd_waiter *w = (crowd_waiter *)base;

  (void)err;
  assert_int_equal(status, IGT_OK);
  pthread_mutex_lock(&w->lock);
  w->done = true;
  pthread_cond_signal(&w->changed);
  pthread_mutex_unlock(&w->lock);
}

static void *crowd_thread(void *arg) {
  crowd_waiter w = {.base.done = crowd_done,
                    .crowd = arg,
                    .lock = PTHREAD_MUTEX_INITIALIZER,
                    .changed = PTHREAD_COND_INITIALIZER};

  for (int i = 0; i < 200; i++) {
    w.done = false;
    igt__s3_credentials *c = igt__s3_provider_get(w.crowd->provider, &w.base);
    if (!c) {
      pthread_mutex_lock(&w.lock);
      while (!w.done)
        pthread_cond_wait(&w.changed, &w.lock);
      pthread_mutex_unlock(&w.lock);
      c = igt__s3_provider_peek(w.crowd->provider);
    }
    igt__sigv4_key key;
    igt__s3_signing_key(c, "20260101T000000Z", i % 2 ? "us-east-1" : "eu-west-1", &key);
    if (i == 100)
      igt__s3_provider_refuse(w.crowd->provider, c);
    atomic_fetch_add(&w.crowd->served, 1);
    igt__s3_credentials_unref(c);
  }
  return NULL;
}

static void test_threads_share_a_provider(void **state) {
  crowd c = {.provider = NULL};
  igt__s3_provider_options options = {
      .fetch = crowd_fetch, .payload = &c, .defer = defer_to_thread, .defer_payload = &c};
  pthread_t threads[8];

  (void)state;

  c.provider = igt__s3_provider_new(&options);
  for (int i = 0; i < 8; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, crowd_thread, &c), 0);
  for (int i = 0; i < 8; i++)
    pthread_join(threads[i], NULL);
  for (int i = 0; i < c.fetchers; i++)
    pthread_join(c.fetcher[i], NULL);
  assert_int_equal(c.served, 1600);
  assert_in_range(c.fetches, 2, 9); /* one, and one more for each rejection */
  igt__s3_provider_unref(c.provider);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_locate_table),
      cmocka_unit_test(test_regions_are_learnt_a_bucket),
      cmocka_unit_test(test_redirects),
      cmocka_unit_test(test_expires),
      cmocka_unit_test(test_one_fetch_serves_all_waiters),
      cmocka_unit_test(test_renewed_ahead_of_time),
      cmocka_unit_test(test_past_the_end_requests_wait),
      cmocka_unit_test(test_an_end_in_the_past_is_not_believed),
      cmocka_unit_test(test_refused_credentials_are_renewed_once),
      cmocka_unit_test(test_a_failed_fetch_fails_its_waiters),
      cmocka_unit_test(test_threads_share_a_provider),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
