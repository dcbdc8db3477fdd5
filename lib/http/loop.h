/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_LOOP_H
#define IGT_HTTP_LOOP_H

/* A loop: the thread that drives curl, and its inbox. */

#include <pthread.h>
#include <stdatomic.h>

#include "base/os/os.h"
#include "http/requests.h"

struct igt__post {
  igt__timer timer; /* must be first: run_post casts */
  struct igt__post *next;
  igt__loop *loop;
  unsigned ms;
  void (*fn)(void *payload);
  void *payload;
};

struct igt__loop {
  igt__http *http;
  pthread_t thread;
  bool started;
  igt__os_socket wake[2];
  bool wake_open;

  pthread_mutex_t lock;
  /* guarded by lock */
  igt__request_queue inbox;
  IGT__QUEUE(igt__post) posts;
  bool sleeping; /* in poll: a write to wake[1] is needed */
  bool woken;    /* the byte was written */
  bool stop;

  atomic_bool sweep_now;

  /* the loop thread's own */
  igt__requests requests;
  igt__os_pollfd *fds; /* [0] is wake[0] */
  size_t fd_count, fd_cap;
  igt__os_pollfd *ready_fds; /* same capacity as fds */
  int64_t curl_due;          /* when curl wants CURL_SOCKET_TIMEOUT; -1: never */
  int64_t sweep_due;
};

igt_status igt__loop_start(igt__http *http, igt__loop *loop, size_t slots, igt_error *err);
void igt__loop_stop(igt__loop *loop); /* joins the thread */
/* From any thread. */
void igt__loop_wake(igt__loop *loop, bool sweep);
void igt__loop_enqueue(igt__loop *loop, struct igt__http_private *priv);
void igt__loop_post(igt__loop *loop, igt__post *post);
bool igt__loop_is_current(const igt__http *http); /* whether called from any of http's loops */

#endif
