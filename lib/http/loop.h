/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_LOOP_H
#define IGT_HTTP_LOOP_H

/* A loop: what drives curl, with its thread and its inbox. */

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
  pthread_cond_t work; /* for the thread: there is something to do, and nobody does it */
  /* guarded by lock */
  bool driven; /* by the thread or by a caller; whoever does it owns what is below the lock */
  igt__request_queue inbox;
  IGT__QUEUE(igt__post) posts;
  bool sleeping; /* in poll: a write to wake[1] is needed */
  bool woken;    /* the byte was written */
  bool stop;

  atomic_bool sweep_now;

  /* the driver's own */
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
/* The same for a caller that waits for the request. If nobody drives the loop the caller does,
 * until is_enough(payload) or for 50 ms; then, or else, it waits for the thread's work. */
void igt__loop_submit_driving(igt__loop *loop, struct igt__http_private *priv,
                              bool (*is_enough)(const void *payload), const void *payload);
void igt__loop_post(igt__loop *loop, igt__post *post);
bool igt__loop_is_current(const igt__http *http); /* whether called from any of http's loops */

#endif
