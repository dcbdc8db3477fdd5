/* SPDX-License-Identifier: MIT */
/* Transfers as handles (lib/transfer/engine/handle.c), with jobs that send nothing: when the
 * descriptor is readable, which thread the callbacks run on, bounded queues, and what callbacks may
 * do. Built for TSan as well. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/sized.h"
#include "fake_session.h"
#include "transfer/engine/events.h"
#include "transfer/engine/handle.h"

/* ---- jobs ---- */

typedef struct job {
  void (*act)(struct job *job);
  igt_transfer *transfer;
  atomic_uint pushed;
  atomic_bool go, released;
  igt_status status, written;
} job;

static igt_status run_job(igt_transfer *transfer, void *arg, igt_error *err) {
  job *j = arg;

  j->transfer = transfer;
  if (j->act)
    j->act(j);
  igt__transfer_summary(transfer)->files_done = j->pushed;
  return j->status == IGT_OK ? IGT_OK : igt__fail(err, j->status, "the job's own words");
}

static void release_job(void *arg) {
  job *j = arg;

  atomic_store(&j->released, true);
}

static const igt__transfer_kind kind = {run_job, release_job};

static void push_item(job *j, const char *path) {
  igt_transfer_item item = {.kind = IGT_ITEM_FILE, .result = IGT_RESULT_DONE, .path = path};
  struct igt__event *event = igt__event_of_item(&item);

  assert_non_null(event);
  igt__transfer_push(j->transfer, event);
  j->pushed++;
}

static bool is_stopped(job *j) {
  return igt__cancel_is_set(igt__client_cancel(igt__transfer_client(j->transfer)));
}

static void nap(void) {
  nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static void push_three(job *j) {
  struct igt__event *message = igt__event_of_message(IGT_E_CHANGED, "a message");

  push_item(j, "a");
  igt__transfer_push(j->transfer, message);
  push_item(j, "b");
}

/* Until it is cancelled. */
static void push_for_ever(job *j) {
  while (!is_stopped(j))
    push_item(j, "x");
}

static void wait_for_cancel(job *j) {
  while (!is_stopped(j))
    nap();
}

static void wait_for_go(job *j) {
  while (!atomic_load(&j->go))
    nap();
  push_item(j, "late");
}

/* ---- a program ---- */

typedef struct program {
  igt_client *client;
  igt_transfer *transfer;
  job job;
  pthread_t thread; /* callbacks come here */
  char seen[256];
  unsigned items, reports;
  void (*in_callback)(struct program *p);
  igt_status inside; /* of what the callback called */
  igt_error err;
} program;

static void note(program *p, const char *text) {
  assert_true(pthread_equal(p->thread, pthread_self()));
  if (strlen(p->seen) + strlen(text) + 2 < sizeof p->seen)
    strcat(strcat(p->seen, text), " ");
}

static void on_item(void *payload, const igt_transfer_item *item) {
  program *p = payload;

  p->items++;
  note(p, item->path);
  if (p->in_callback)
    p->in_callback(p);
}

static void on_message(void *payload, igt_status status, const char *text) {
  assert_int_equal(status, IGT_E_CHANGED);
  note(payload, text);
}

static void on_progress(void *payload, const igt_transfer_progress *progress) {
  program *p = payload;

  p->reports++;
  assert_int_equal(progress->running_count, 1);
  note(p, progress->running[0]->name);
}

static int set_up(void **state) {
  program *p = calloc(1, sizeof *p);
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;

  p->err = (igt_error)IGT_ERROR_INIT;
  p->thread = pthread_self();
  options.domain = "http://127.0.0.1:1"; /* nothing is sent */
  assert_int_equal(igt_client_new(&options, &p->client, &p->err), IGT_OK);
  *state = p;
  return 0;
}

static int tear_down(void **state) {
  program *p = *state;

  igt_transfer_free(p->transfer);
  igt_client_free(p->client);
  free(p);
  return 0;
}

static igt_status make(program *p, void (*act)(job *j)) {
  igt_transfer_callbacks callbacks = IGT_TRANSFER_CALLBACKS_INIT;

  p->job.act = act;
  callbacks.on_item = on_item;
  callbacks.on_message = on_message;
  callbacks.on_progress = on_progress;
  callbacks.payload = p;
  return igt__transfer_new(p->client, &callbacks, &kind, &p->job, &p->transfer, &p->err);
}

static void start(program *p, void (*act)(job *j)) {
  assert_int_equal(make(p, act), IGT_OK);
  assert_int_equal(igt__transfer_start(&p->transfer, &p->err), IGT_OK);
}

static bool is_readable(const program *p, int ms) {
  struct pollfd fd = {igt_transfer_fd(p->transfer), POLLIN, 0};

  return poll(&fd, 1, ms) == 1;
}

static bool dispatch(program *p) {
  bool finished = false;

  assert_int_equal(igt_transfer_dispatch(p->transfer, &finished, &p->err), IGT_OK);
  return finished;
}

/* ---- delivery ---- */

static void test_events_come_in_order_on_this_thread(void **state) {
  program *p = *state;
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;

  start(p, push_three);
  while (is_readable(p, 10000) && !dispatch(p))
    ;
  assert_string_equal(p->seen, "a a message b ");
  assert_true(igt_transfer_is_finished(p->transfer));
  assert_true(is_readable(p, 0)); /* and stays so after the end */
  assert_int_equal(igt_transfer_wait(p->transfer, &summary, &p->err), IGT_OK);
  assert_int_equal(summary.files_done, 2);
  assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_OK); /* again */
}

static void test_the_descriptor_is_readable_while_events_wait(void **state) {
  program *p = *state;

  start(p, wait_for_go);
  assert_false(dispatch(p)); /* never blocks */
  assert_false(is_readable(p, 0));
  assert_false(igt_transfer_is_finished(p->transfer));
  atomic_store(&p->job.go, true);
  assert_true(is_readable(p, 10000));
  assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_OK);
  assert_string_equal(p->seen, "late ");
}

static void test_waiting_delivers(void **state) {
  program *p = *state;

  p->job.status = IGT_E_SOME_FAILED;
  start(p, push_three);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_E_SOME_FAILED);
    assert_string_equal(p->err.text, "the job's own words");
  }
  assert_string_equal(p->seen, "a a message b ");
}

static void report_twice(job *j) {
  igt__snapshot snapshot = {.progress = {.files = 2}};

  igt__snapshot_add(&snapshot, &(igt_transfer_study){.name = "old"});
  igt__transfer_progress(j->transfer, &snapshot);
  memset(&snapshot, 0, sizeof snapshot);
  igt__snapshot_add(&snapshot, &(igt_transfer_study){.name = "new"});
  igt__transfer_progress(j->transfer, &snapshot);
  memset(&snapshot, 0xff, sizeof snapshot); /* it was copied */
  push_item(j, "then");
}

static void test_only_the_latest_progress_is_reported(void **state) {
  program *p = *state;

  start(p, report_twice);
  while (p->job.pushed == 0) /* both reports wait */
    nap();
  assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_OK);
  assert_string_equal(p->seen, "then new ");
}

static void test_a_blocking_call_delivers_on_its_thread(void **state) {
  program *p = *state;
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  igt_transfer *t;

  assert_int_equal(make(p, push_three), IGT_OK);
  t = p->transfer;
  p->transfer = NULL; /* freed by the call */
  assert_int_equal(igt__transfer_run(t, &summary, NULL, &p->err), IGT_OK);
  assert_string_equal(p->seen, "a a message b ");
  assert_int_equal(summary.files_done, 2);
  assert_true(p->job.released);
}

/* ---- back-pressure ---- */

static void test_a_job_waits_for_its_reader(void **state) {
  program *p = *state;

  start(p, push_for_ever);
  while (p->job.pushed < IGT__EVENTS_MAX)
    nap();
  for (int i = 0; i < 50; i++)
    nap();
  assert_int_equal(p->job.pushed, IGT__EVENTS_MAX); /* and one that waits */
  dispatch(p);
  assert_int_equal(p->items, IGT__EVENTS_MAX);
  while (p->job.pushed < IGT__EVENTS_MAX * 2)
    nap();
  igt_transfer_cancel(p->transfer);
  assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_OK);
  assert_int_equal(p->items, p->job.pushed);
}

/* ---- content ---- */

static igt_status take_bytes(void *payload, const void *data, size_t n) {
  program *p = payload;
  char text[16] = "";

  memcpy(text, data, n);
  note(p, text);
  return strcmp(text, "stop") == 0 ? IGT_E_NO_SPACE : IGT_OK;
}

static program *writer;

static void write_twice(job *j) {
  push_item(j, "before");
  j->written = igt__transfer_write(j->transfer, take_bytes, writer, "go", 2);
  if (j->written == IGT_OK)
    j->written = igt__transfer_write(j->transfer, take_bytes, writer, "stop", 4);
}

static void test_content_is_written_on_this_thread(void **state) {
  program *p = *state;

  writer = p;
  start(p, write_twice);
  assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_OK);
  assert_string_equal(p->seen, "before go stop ");
  assert_int_equal(p->job.written, IGT_E_NO_SPACE); /* the program's status is the job's */
}

static void test_nobody_takes_the_content(void **state) {
  program *p = *state;

  writer = p;
  start(p, write_twice);
  assert_true(is_readable(p, 10000));
  igt_transfer_free(p->transfer); /* while the job waits in write */
  p->transfer = NULL;
  assert_string_equal(p->seen, "");
  assert_int_equal(p->job.written, IGT_E_CANCELLED);
}

/* ---- stopping ---- */

static void test_one_is_cancelled_and_the_client_goes_on(void **state) {
  program *p = *state;
  igt_transfer *first;

  start(p, wait_for_cancel);
  first = p->transfer;
  igt_transfer_cancel(first);
  assert_int_equal(igt_transfer_wait(first, NULL, &p->err), IGT_OK);
  assert_false(igt__cancel_is_set(igt__client_cancel(p->client)));
  igt_transfer_free(first);
  memset(&p->job, 0, sizeof p->job);
  start(p, push_three);
  assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_OK);
}

static void test_freeing_stops_what_runs(void **state) {
  program *p = *state;

  start(p, push_for_ever); /* its queue is full */
  while (p->job.pushed < IGT__EVENTS_MAX)
    nap();
  igt_transfer_free(p->transfer);
  p->transfer = NULL;
  assert_true(p->job.released);
  assert_int_equal(p->items, 0);
}

static void test_one_that_never_ran_is_freed(void **state) {
  program *p = *state;

  assert_int_equal(make(p, push_three), IGT_OK);
  igt_transfer_free(p->transfer);
  p->transfer = NULL;
  assert_true(p->job.released);
  igt_transfer_free(NULL);
  assert_int_equal(igt_transfer_fd(NULL), -1);
  assert_int_equal(igt_transfer_wait(NULL, NULL, &p->err), IGT_E_INVALID);
}

/* ---- what callbacks may do ---- */

static void cancel_it(program *p) {
  igt_transfer_cancel(p->transfer);
}

static void test_a_callback_cancels(void **state) {
  program *p = *state;

  p->in_callback = cancel_it;
  start(p, push_for_ever);
  assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_OK);
  assert_true(p->items > 0);
}

static void free_it(program *p) {
  igt_transfer_free(p->transfer);
  p->transfer = NULL;
}

static void test_a_callback_frees(void **state) {
  program *p = *state;
  igt_transfer *t;

  p->in_callback = free_it;
  start(p, push_for_ever);
  t = p->transfer;
  assert_int_equal(igt_transfer_wait(t, NULL, &p->err), IGT_E_CANCELLED);
  assert_int_equal(p->items, 1); /* nothing is delivered after that */
  assert_true(p->job.released);
}

static void dispatch_it(program *p) {
  p->inside = igt_transfer_dispatch(p->transfer, NULL, NULL);
}

static void wait_for_it(program *p) {
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;

  p->inside = igt_transfer_wait(p->transfer, &summary, NULL);
}

static void test_a_callback_may_not_dispatch(void **state) {
  program *p = *state;

  p->in_callback = dispatch_it;
  start(p, push_three);
  assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_OK);
  assert_int_equal(p->inside, IGT_E_INVALID);
  assert_string_equal(p->seen, "a a message b ");
}

static void test_a_callback_may_not_wait(void **state) {
  program *p = *state;

  p->in_callback = wait_for_it;
  start(p, push_three);
  assert_int_equal(igt_transfer_wait(p->transfer, NULL, &p->err), IGT_OK);
  assert_int_equal(p->inside, IGT_E_INVALID);
}

/* ---- options ---- */

static void test_strings_are_copied(void **state) {
  static const char *globs[] = {"*.txt", "d/*"};
  program *p = *state;
  char journal[] = "demo", password[] = "secret";
  igt_transfer_options options = IGT_TRANSFER_OPTIONS_INIT;
  const char *secret;

  assert_int_equal(make(p, NULL), IGT_OK);
  options.include = globs;
  options.include_count = 2;
  options.journal = journal;
  igt__transfer_keep_shared(p->transfer, &options);
  secret = igt__transfer_keep_secret(p->transfer, password);
  memset(journal, 'x', 4);
  memset(password, 'x', 6);
  assert_string_equal(options.journal, "demo");
  assert_ptr_not_equal(options.include, globs);
  assert_string_equal(options.include[1], "d/*");
  assert_null(options.exclude);
  assert_string_equal(secret, "secret");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_events_come_in_order_on_this_thread),
      TEST(test_the_descriptor_is_readable_while_events_wait),
      TEST(test_waiting_delivers),
      TEST(test_only_the_latest_progress_is_reported),
      TEST(test_a_blocking_call_delivers_on_its_thread),
      TEST(test_a_job_waits_for_its_reader),
      TEST(test_content_is_written_on_this_thread),
      TEST(test_nobody_takes_the_content),
      TEST(test_one_is_cancelled_and_the_client_goes_on),
      TEST(test_freeing_stops_what_runs),
      TEST(test_one_that_never_ran_is_freed),
      TEST(test_a_callback_cancels),
      TEST(test_a_callback_frees),
      TEST(test_a_callback_may_not_dispatch),
      TEST(test_a_callback_may_not_wait),
      TEST(test_strings_are_copied),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
