/* SPDX-License-Identifier: MIT */
/* A loop: a curl multi handle, timers and an inbox, which one thread at a time drives.
 *
 * Each round (work, then wait_and_drive) takes submitted requests and posts from the inbox, fires
 * timers, sweeps for cancelled and idle requests, starts ready requests on free slots, lets curl
 * handle its timeouts and finished transfers, and polls. request.c implements what happens to each
 * request. Other threads only append to the inbox under the lock and wake the poll through a pipe.
 *
 * As a rule the loop's own thread drives it, and sleeps on a condition while there is nothing to
 * do. A caller that waits for its request anyway takes the turn of a loop that nobody drives
 * (igt__loop_submit_driving): a small request then costs no hand-over between threads, which took
 * longer than its system calls. It leaves after TURN_MS at the latest, and the thread goes on.
 *
 * The loop polls its own array of descriptors: curl adds and removes a socket for each request,
 * which takes two system calls with epoll and none here, and a loop has tens of sockets, not
 * thousands. curl only hears of sockets that are ready. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "http/explain.h"
#include "http/loop.h"
#include "http/request.h"

/* A cancel flag cannot wake a loop, since a signal handler may set it. */
#define CANCEL_POLL_US 100000
/* While all requests wait to be retried, as those of a station without a network do for days. */
#define CANCEL_POLL_IDLE_US 250000
#define SWEEP_MOST_US 1000000
/* Functions that keep posting themselves while the loop stops are run this often, then dropped. */
#define STOP_ROUNDS 1000
/* Of a caller: it has signals to look for, and its thread may have a handler that calls us. */
#define TURN_MS 50

static _Thread_local const igt__loop *current;

static void run_timers(igt__loop *loop) {
  igt__timers *timers = &loop->requests.timers;
  int64_t now;

  if (!timers->first)
    return;
  now = igt__mono_us();
  while (timers->first && (timers->first->due <= now || loop->requests.stopping)) {
    igt__timer *timer = timers->first;
    igt__timer_clear(timer);
    timer->fn(timer);
  }
}

/* ---- called from other threads ---- */

static void wake_locked(igt__loop *loop) {
  if (!loop->driven)
    pthread_cond_signal(&loop->work);
  if (!loop->sleeping || loop->woken)
    return;
  loop->woken = true;
  igt__os_wake(loop->wake[1]);
}

void igt__loop_wake(igt__loop *loop, bool sweep) {
  pthread_mutex_lock(&loop->lock);
  if (sweep)
    atomic_store(&loop->sweep_now, true);
  wake_locked(loop);
  pthread_mutex_unlock(&loop->lock);
}

void igt__loop_enqueue(igt__loop *loop, struct igt__http_private *priv) {
  pthread_mutex_lock(&loop->lock);
  igt__queue_add(&loop->inbox, priv);
  wake_locked(loop);
  pthread_mutex_unlock(&loop->lock);
}

void igt__loop_post(igt__loop *loop, igt__post *post) {
  post->loop = loop;
  pthread_mutex_lock(&loop->lock);
  igt__queue_add(&loop->posts, post);
  wake_locked(loop);
  pthread_mutex_unlock(&loop->lock);
}

bool igt__loop_is_current(const igt__http *http) {
  return current && current->http == http;
}

/* ---- inbox ---- */

static void run_post(igt__timer *timer) {
  igt__post *post = (igt__post *)timer;
  void (*fn)(void *payload) = post->fn;
  void *payload = post->payload;

  igt__free(post);
  fn(payload);
}

static void take_posts(igt__loop *loop, igt__post *post) {
  while (post) {
    igt__post *next = post->next;
    if (post->ms == 0) {
      run_post(&post->timer);
    } else {
      post->timer.fn = run_post;
      igt__timer_set(&loop->requests.timers, &post->timer,
                     igt__mono_us() + (int64_t)post->ms * 1000);
    }
    post = next;
  }
}

static void take_requests(struct igt__http_private *priv) {
  while (priv) {
    struct igt__http_private *next = priv->next;
    if (priv->resumed)
      igt__request_resume(priv);
    else
      igt__request_accept(priv);
    priv = next;
  }
}

/* True if the inbox was not empty. */
static bool take_inbox(igt__loop *loop) {
  struct igt__http_private *requests;
  igt__post *posts;

  pthread_mutex_lock(&loop->lock);
  requests = igt__queue_take_all(&loop->inbox);
  posts = igt__queue_take_all(&loop->posts);
  loop->requests.stopping = loop->stop;
  pthread_mutex_unlock(&loop->lock);
  take_posts(loop, posts);
  take_requests(requests);
  return requests || posts;
}

/* ---- requests ---- */

static void start_ready(igt__requests *requests) {
  while (requests->ready.first && requests->free_slots) {
    struct igt__http_private *priv = requests->ready.first;
    igt__slot *slot = igt__requests_open_slot(requests);
    if (slot) {
      igt__request_start(priv, slot);
    } else {
      igt__fail_memory(&priv->attempt.err);
      igt__request_end(priv, IGT_E_NO_MEMORY);
    }
  }
}

static void finish_ended(igt__loop *loop) {
  CURLMsg *msg;
  int left;

  while ((msg = curl_multi_info_read(loop->requests.multi, &left)) != NULL) {
    CURLcode code = msg->data.result; /* msg is invalid after the handle is removed */
    igt__slot *slot = NULL;
    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
    igt__request_ended(igt__request_of(slot->attempt), code);
  }
}

/* Looks for cancelled and idle requests. */
static void sweep(igt__loop *loop, int64_t now) {
  struct igt__http_private *priv = loop->requests.all, *next;

  for (; priv; priv = next) {
    next = priv->all_next;
    if (igt__request_is_cancelled(priv) && priv->state != IGT__HTTP_RESTING) {
      igt__request_end(priv, IGT_E_CANCELLED);
    } else if (priv->state == IGT__HTTP_RUNNING && igt__attempt_is_idle(&priv->attempt, now)) {
      igt__explain_idle(&priv->attempt);
      igt__request_ended(priv, CURLE_OPERATION_TIMEDOUT);
    }
  }
}

static int64_t sweep_step(const igt__loop *loop) {
  int64_t step = (int64_t)loop->http->idle_timeout_ms * 1000 / 8;
  int64_t poll = loop->requests.running > 0 ? CANCEL_POLL_US : CANCEL_POLL_IDLE_US;

  if (step > SWEEP_MOST_US)
    step = SWEEP_MOST_US;
  if (loop->requests.cancellable > 0 && step > poll)
    step = poll;
  return step < 1000 ? 1000 : step;
}

static bool needs_sweep(const igt__loop *loop) {
  return loop->requests.running > 0 || loop->requests.cancellable > 0;
}

static void sweep_when_due(igt__loop *loop) {
  int64_t now, step = sweep_step(loop);

  if (atomic_exchange(&loop->sweep_now, false))
    loop->sweep_due = 0;
  else if (!needs_sweep(loop))
    return;
  now = igt__mono_us();
  if (loop->sweep_due > now + step) /* a request with a cancel flag was added since */
    loop->sweep_due = now + step;
  if (now < loop->sweep_due)
    return;
  loop->sweep_due = now + step;
  sweep(loop, now);
}

/* ---- curl and poll ---- */

static short poll_events(int what) {
  return (short)((what & CURL_POLL_IN ? IGT__OS_POLL_IN : 0) |
                 (what & CURL_POLL_OUT ? IGT__OS_POLL_OUT : 0));
}

static bool grow_fds(igt__loop *loop) {
  size_t cap = loop->fd_cap ? loop->fd_cap * 2 : 32;
  igt__os_pollfd *fds = igt__realloc(loop->fds, cap * sizeof *fds), *ready;

  if (!fds)
    return false;
  loop->fds = fds;
  ready = igt__realloc(loop->ready_fds, cap * sizeof *ready);
  if (!ready)
    return false;
  loop->ready_fds = ready;
  loop->fd_cap = cap;
  return true;
}

static void note_socket(CURL *easy, curl_socket_t fd, int what) {
  igt__slot *slot = NULL;

  curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot);
  if (!slot || (slot->fd == fd) != (what == CURL_POLL_REMOVE))
    return;
  if (what == CURL_POLL_REMOVE) {
    slot->fd = CURL_SOCKET_BAD;
    return;
  }
  slot->fd = fd;
  slot->mark = igt__os_mark_received(fd);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg) {
  igt__loop *loop = arg;
  size_t i = 1;

  (void)socket_arg;
  note_socket(easy, fd, what);
  while (i < loop->fd_count && loop->fds[i].fd != fd)
    i++;
  if (what == CURL_POLL_REMOVE) {
    if (i < loop->fd_count)
      loop->fds[i] = loop->fds[--loop->fd_count];
    return 0;
  }
  if (i == loop->fd_count) {
    if (loop->fd_count == loop->fd_cap && !grow_fds(loop))
      return -1;
    loop->fds[loop->fd_count++].fd = fd;
  }
  loop->fds[i].events = poll_events(what);
  loop->fds[i].revents = 0;
  return 0;
}

static int on_curl_timer(CURLM *multi, long ms, void *arg) {
  igt__loop *loop = arg;

  (void)multi;
  loop->curl_due = ms < 0 ? -1 : ms == 0 ? 0 : igt__mono_us() + (int64_t)ms * 1000;
  return 0;
}

static void drive_timeouts(igt__loop *loop) {
  int running;

  for (int i = 0; i < 4 && loop->curl_due >= 0; i++) {
    if (loop->curl_due > 0 && loop->curl_due > igt__mono_us())
      break;
    loop->curl_due = -1; /* may be set again by on_curl_timer */
    curl_multi_socket_action(loop->requests.multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

static void drive_sockets(igt__loop *loop) {
  size_t n = 0;
  int running;

  /* Each action may change loop->fds. curl ignores a socket that is closed by the time it is
   * handled. */
  for (size_t i = 1; i < loop->fd_count; i++)
    if (loop->fds[i].revents)
      loop->ready_fds[n++] = loop->fds[i];
  for (size_t i = 0; i < n; i++) {
    short got = loop->ready_fds[i].revents;
    int mask = (got & IGT__OS_POLL_READ ? CURL_CSELECT_IN : 0) |
               (got & IGT__OS_POLL_OUT ? CURL_CSELECT_OUT : 0) |
               (got & IGT__OS_POLL_FAILED ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(loop->requests.multi, loop->ready_fds[i].fd, mask, &running);
  }
}

static int64_t earlier(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int poll_timeout(const igt__loop *loop) {
  int64_t due = INT64_MAX, left;

  if (loop->requests.ready.first && loop->requests.free_slots)
    return 0;
  if (loop->curl_due >= 0)
    due = loop->curl_due;
  if (loop->requests.timers.first)
    due = earlier(due, loop->requests.timers.first->due);
  if (needs_sweep(loop))
    due = earlier(due, loop->sweep_due);
  if (due == INT64_MAX)
    return -1;
  left = due - igt__mono_us();
  return left <= 0 ? 0 : left > 60000000 ? 60000 : (int)((left + 999) / 1000);
}

/* most: milliseconds; -1: until something happens. */
static void wait_and_drive(igt__loop *loop, int most) {
  int timeout = poll_timeout(loop), n;

  if (most >= 0 && (timeout < 0 || timeout > most))
    timeout = most;
  pthread_mutex_lock(&loop->lock);
  if (loop->inbox.first || loop->posts.first || loop->stop || atomic_load(&loop->sweep_now))
    timeout = 0;
  loop->sleeping = timeout != 0;
  pthread_mutex_unlock(&loop->lock);
  n = igt__os_poll(loop->fds, loop->fd_count, timeout);
  if (timeout != 0) {
    pthread_mutex_lock(&loop->lock);
    loop->sleeping = false;
    if (loop->woken)
      igt__os_wake_drain(loop->wake[0]);
    loop->woken = false;
    pthread_mutex_unlock(&loop->lock);
  }
  if (n > 0)
    drive_sockets(loop);
}

/* ---- the thread ---- */

/* Ends all remaining requests, and whatever their callbacks start, until nothing is left. */
static void run_down(igt__loop *loop) {
  for (int i = 0; i < STOP_ROUNDS; i++) {
    bool more = take_inbox(loop) || loop->requests.timers.first || loop->requests.all;
    run_timers(loop);
    while (loop->requests.all)
      igt__request_end(loop->requests.all, IGT_E_CANCELLED);
    if (!more)
      return;
  }
}

/* What can be done without waiting. */
static void work(igt__loop *loop) {
  take_inbox(loop);
  run_timers(loop);
  sweep_when_due(loop);
  start_ready(&loop->requests);
  drive_timeouts(loop);
  finish_ended(loop);
}

/* Has a request, or something to do for curl: later versions close connections in rounds, too. */
static bool has_work(const igt__loop *loop) {
  return loop->requests.all || loop->requests.timers.first || loop->curl_due >= 0 ||
         loop->fd_count > 1;
}

static bool is_idle_locked(const igt__loop *loop) {
  return !loop->inbox.first && !loop->posts.first && !loop->stop && !has_work(loop);
}

/* Waits until there is something to do and nobody does it. False: the loop is to stop. */
static bool take_turn(igt__loop *loop) {
  bool stop;

  pthread_mutex_lock(&loop->lock);
  while (loop->driven || is_idle_locked(loop))
    pthread_cond_wait(&loop->work, &loop->lock);
  loop->driven = true;
  stop = loop->stop;
  pthread_mutex_unlock(&loop->lock);
  return !stop;
}

/* False: there is more to do. */
static bool end_turn(igt__loop *loop) {
  bool idle;

  if (has_work(loop))
    return false;
  pthread_mutex_lock(&loop->lock);
  idle = is_idle_locked(loop);
  loop->driven = !idle;
  pthread_mutex_unlock(&loop->lock);
  return idle;
}

static void *run(void *arg) {
  igt__loop *loop = arg;

  current = loop;
  while (take_turn(loop)) {
    do {
      work(loop);
      if (loop->requests.stopping)
        break;
      wait_and_drive(loop, -1);
      finish_ended(loop);
    } while (!end_turn(loop));
    if (loop->requests.stopping)
      break;
  }
  run_down(loop);
  return NULL;
}

/* ---- a caller's turn ---- */

static bool begin_turn(igt__loop *loop, struct igt__http_private *priv) {
  bool mine;

  pthread_mutex_lock(&loop->lock);
  igt__queue_add(&loop->inbox, priv);
  mine = !loop->driven && !loop->stop && !current;
  if (mine)
    loop->driven = true;
  else
    wake_locked(loop);
  pthread_mutex_unlock(&loop->lock);
  return mine;
}

/* What is left is the thread's. */
static void leave_turn(igt__loop *loop) {
  pthread_mutex_lock(&loop->lock);
  loop->driven = false;
  if (!is_idle_locked(loop))
    pthread_cond_signal(&loop->work);
  pthread_mutex_unlock(&loop->lock);
}

static void drive_until(igt__loop *loop, bool (*is_enough)(const void *), const void *payload) {
  int64_t until = igt__mono_us() + (int64_t)TURN_MS * 1000, left = TURN_MS;

  for (;;) {
    work(loop);
    if (is_enough(payload) || loop->requests.stopping || left <= 0)
      return;
    wait_and_drive(loop, (int)left);
    finish_ended(loop);
    if (is_enough(payload))
      return;
    left = (until - igt__mono_us() + 999) / 1000;
  }
}

void igt__loop_submit_driving(igt__loop *loop, struct igt__http_private *priv,
                              bool (*is_enough)(const void *payload), const void *payload) {
  igt__os_signals before;

  if (!begin_turn(loop, priv))
    return;
  current = loop;
  igt__os_block_broken_pipe(&before);
  drive_until(loop, is_enough, payload);
  igt__os_unblock_broken_pipe(&before);
  current = NULL;
  leave_turn(loop);
}

/* ---- start and end ---- */

static bool open_pipe(igt__loop *loop) {
  if (igt__os_wake_open(loop->wake) != 0)
    return false;
  loop->wake_open = true;
  loop->fds[0] = (igt__os_pollfd){.fd = loop->wake[0], .events = IGT__OS_POLL_IN};
  loop->fd_count = 1;
  return true;
}

/* A paused attempt failed when it was to continue. */
static void on_pause_failed(igt__attempt *attempt, CURLcode code) {
  igt__request_ended(igt__request_of(attempt), code);
}

static bool open_requests(igt__loop *loop, size_t slots) {
  CURLM *multi;

  igt__pauses_init(&loop->requests.pauses, &loop->requests.timers, on_pause_failed);
  if (!igt__requests_init(&loop->requests, loop->http, slots))
    return false;
  multi = loop->requests.multi;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)slots);
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)slots);
  return true;
}

igt_status igt__loop_start(igt__http *http, igt__loop *loop, size_t slots, igt_error *err) {
  int os_error;

  loop->http = http;
  igt__queue_init(&loop->inbox);
  igt__queue_init(&loop->posts);
  loop->curl_due = -1;
  atomic_init(&loop->sweep_now, false);
  pthread_mutex_init(&loop->lock, NULL);
  pthread_cond_init(&loop->work, NULL);
  if (!grow_fds(loop) || !open_requests(loop, slots))
    return igt__fail_memory(err);
  if (!open_pipe(loop))
    return igt__fail_errno(err, errno, "cannot create a pipe for the network thread");
  os_error = igt__thread_start(&loop->thread, "igt-loop", 0, run, loop);
  loop->started = os_error == 0;
  return os_error ? igt__fail_errno(err, os_error, "the network thread could not be started")
                  : IGT_OK;
}

static void drop_posts(igt__loop *loop) {
  igt__post *post;

  while (loop->requests.timers.first) { /* only posts are left: all requests have ended */
    igt__timer *timer = loop->requests.timers.first;
    igt__timer_clear(timer);
    if (timer != &loop->requests.pauses.timer)
      igt__free(timer);
  }
  while ((post = igt__queue_take(&loop->posts)) != NULL)
    igt__free(post);
}

void igt__loop_stop(igt__loop *loop) {
  if (!loop->http) /* was never started */
    return;
  if (loop->started) {
    pthread_mutex_lock(&loop->lock);
    loop->stop = true;
    wake_locked(loop);
    pthread_mutex_unlock(&loop->lock);
    pthread_join(loop->thread, NULL);
  }
  drop_posts(loop);
  igt__requests_finish(&loop->requests);
  if (loop->wake_open)
    igt__os_wake_close(loop->wake);
  igt__free(loop->fds);
  igt__free(loop->ready_fds);
  pthread_cond_destroy(&loop->work);
  pthread_mutex_destroy(&loop->lock);
}
