/* SPDX-License-Identifier: MIT */
/* A loop: a thread that drives a curl multi handle, timers and an inbox for other threads.
 *
 * Each round (run) takes submitted requests and posts from the inbox, fires timers, sweeps for
 * cancelled and idle requests, starts ready requests on free slots, lets curl handle its timeouts
 * and finished transfers, and polls. request.c implements what happens to each request. Other
 * threads only append to the inbox under the lock and wake the poll through a pipe.
 *
 * The loop polls its own array of descriptors: curl adds and removes a socket for each request,
 * which takes two system calls with epoll and none here, and a loop has tens of sockets, not
 * thousands. curl only hears of sockets that are ready. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/internal.h"

/* A cancel flag cannot wake a loop, since a signal handler may set it. */
#define CANCEL_POLL_US 100000
#define SWEEP_MOST_US 1000000
/* Functions that keep posting themselves while the loop stops are run this often, then dropped. */
#define STOP_ROUNDS 1000

static _Thread_local const igt__loop *current;

/* ---- timers ---- */

/* Few timers are set at a time (requests that back off), and most of them expire last. */
void igt__timer_set_loop(igt__loop *loop, igt__timer *timer, int64_t due) {
  igt__timer **at = &loop->timers;

  igt__timer_clear(timer);
  while (*at && (*at)->due <= due)
    at = &(*at)->next;
  timer->due = due;
  timer->next = *at;
  timer->prev = at;
  if (*at)
    (*at)->prev = &timer->next;
  *at = timer;
}

void igt__timer_clear(igt__timer *timer) {
  if (!timer->prev)
    return;
  *timer->prev = timer->next;
  if (timer->next)
    timer->next->prev = timer->prev;
  timer->prev = NULL;
}

static void run_timers(igt__loop *loop) {
  int64_t now;

  if (!loop->timers)
    return;
  now = igt__mono_us();
  while (loop->timers && (loop->timers->due <= now || loop->stopping)) {
    igt__timer *timer = loop->timers;
    igt__timer_clear(timer);
    timer->fn(timer);
  }
}

/* ---- called from other threads ---- */

static void wake_locked(igt__loop *loop) {
  ssize_t n;

  if (!loop->sleeping || loop->woken)
    return;
  loop->woken = true;
  do
    n = write(loop->wake[1], "", 1);
  while (n < 0 && errno == EINTR);
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
      igt__timer_set_loop(loop, &post->timer, igt__mono_us() + (int64_t)post->ms * 1000);
    }
    post = next;
  }
}

static void take_requests(struct igt__http_private *priv) {
  while (priv) {
    struct igt__http_private *next = priv->next;
    if (priv->resumed)
      igt__request_resume_loop(priv);
    else
      igt__request_accept_loop(priv);
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
  loop->stopping = loop->stop;
  pthread_mutex_unlock(&loop->lock);
  take_posts(loop, posts);
  take_requests(requests);
  return requests || posts;
}

/* ---- requests ---- */

static igt__slot *new_slot(igt__loop *loop) {
  igt__slot *slot = loop->free_slots;

  if (slot->easy || igt__slot_open(slot, loop->http, NULL) == IGT_OK)
    return slot;
  if (slot->easy)
    igt__slot_close(slot);
  return NULL;
}

static void start_ready(igt__loop *loop) {
  while (loop->ready.first && loop->free_slots) {
    struct igt__http_private *priv = loop->ready.first;
    igt__slot *slot = new_slot(loop);
    if (!slot) {
      igt__fail_memory(&priv->err);
      igt__request_end_loop(priv, IGT_E_NO_MEMORY);
      continue;
    }
    loop->free_slots = slot->next;
    igt__request_start_loop(priv, slot);
  }
}

static void finish_ended(igt__loop *loop) {
  CURLMsg *msg;
  int left;

  while ((msg = curl_multi_info_read(loop->multi, &left)) != NULL) {
    CURLcode code = msg->data.result; /* msg is invalid after the handle is removed */
    igt__slot *slot = NULL;
    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
    igt__request_ended_loop(slot->priv, code);
  }
}

/* Looks for cancelled and idle requests. */
static void sweep(igt__loop *loop, int64_t now) {
  struct igt__http_private *priv = loop->all, *next;

  for (; priv; priv = next) {
    next = priv->all_next;
    if (igt__request_is_cancelled(priv) && priv->state != IGT__HTTP_RESTING) {
      igt__request_end_loop(priv, IGT_E_CANCELLED);
    } else if (priv->state == IGT__HTTP_RUNNING && igt__attempt_is_idle(priv, now)) {
      igt__explain_idle(priv);
      igt__request_ended_loop(priv, CURLE_OPERATION_TIMEDOUT);
    }
  }
}

static int64_t sweep_step(const igt__loop *loop) {
  int64_t step = (int64_t)loop->http->idle_timeout_ms * 1000 / 8;

  if (step > SWEEP_MOST_US)
    step = SWEEP_MOST_US;
  if (loop->cancellable > 0 && step > CANCEL_POLL_US)
    step = CANCEL_POLL_US;
  return step < 1000 ? 1000 : step;
}

static bool needs_sweep(const igt__loop *loop) {
  return loop->running > 0 || loop->cancellable > 0;
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

/* ---- rate limit ---- */

void igt__loop_unpause(void *arg) {
  igt__loop *loop = arg;
  size_t in_line = 0;

  for (const struct igt__http_private *p = loop->paused; p; p = p->pause_next)
    in_line++;
  while (loop->paused && in_line-- > 0) {
    struct igt__http_private *priv = loop->paused;
    CURLcode code;
    loop->paused = priv->pause_next;
    priv->paused = 0;
    code = curl_easy_pause(priv->slot->easy, CURLPAUSE_CONT); /* may call on_body */
    if (code)
      igt__request_ended_loop(priv, code);
    else if (priv->paused && !priv->full)
      break; /* still too early, for the rest of the queue as well */
  }
}

static void on_rate(igt__timer *timer) {
  igt__loop_unpause((char *)timer - offsetof(igt__loop, rate_timer));
}

void igt__loop_pause(igt__loop *loop, struct igt__http_private *priv, int64_t wait) {
  struct igt__http_private **at = &loop->paused;
  int64_t due = igt__mono_us() + wait;

  while (*at && *at != priv)
    at = &(*at)->pause_next;
  if (!*at) {
    priv->pause_next = NULL;
    *at = priv;
  }
  loop->rate_timer.fn = on_rate;
  if (!loop->rate_timer.prev || loop->rate_timer.due > due)
    igt__timer_set_loop(loop, &loop->rate_timer, due);
}

/* ---- curl and poll ---- */

static short poll_events(int what) {
  return (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
}

static bool grow_fds(igt__loop *loop) {
  size_t cap = loop->fd_cap ? loop->fd_cap * 2 : 32;
  struct pollfd *fds = igt__realloc(loop->fds, cap * sizeof *fds), *ready;

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
  if (slot && what != CURL_POLL_REMOVE)
    slot->fd = fd;
  else if (slot && slot->fd == fd)
    slot->fd = CURL_SOCKET_BAD;
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
    curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
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
    int mask = (got & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) |
               (got & POLLOUT ? CURL_CSELECT_OUT : 0) |
               (got & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(loop->multi, loop->ready_fds[i].fd, mask, &running);
  }
}

static int64_t earlier(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int poll_timeout(const igt__loop *loop) {
  int64_t due = INT64_MAX, left;

  if (loop->ready.first && loop->free_slots)
    return 0;
  if (loop->curl_due >= 0)
    due = loop->curl_due;
  if (loop->timers)
    due = earlier(due, loop->timers->due);
  if (needs_sweep(loop))
    due = earlier(due, loop->sweep_due);
  if (due == INT64_MAX)
    return -1;
  left = due - igt__mono_us();
  return left <= 0 ? 0 : left > 60000000 ? 60000 : (int)((left + 999) / 1000);
}

static void drain_wake(igt__loop *loop) {
  char bytes[16];

  while (read(loop->wake[0], bytes, sizeof bytes) == sizeof bytes)
    ;
}

static void wait_and_drive(igt__loop *loop) {
  int timeout = poll_timeout(loop), n;

  pthread_mutex_lock(&loop->lock);
  if (loop->inbox.first || loop->posts.first || loop->stop || atomic_load(&loop->sweep_now))
    timeout = 0;
  loop->sleeping = timeout != 0;
  pthread_mutex_unlock(&loop->lock);
  n = poll(loop->fds, (nfds_t)loop->fd_count, timeout);
  if (timeout != 0) {
    pthread_mutex_lock(&loop->lock);
    loop->sleeping = false;
    if (loop->woken)
      drain_wake(loop);
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
    bool more = take_inbox(loop) || loop->timers || loop->all;
    run_timers(loop);
    while (loop->all)
      igt__request_end_loop(loop->all, IGT_E_CANCELLED);
    if (!more)
      return;
  }
}

static void *run(void *arg) {
  igt__loop *loop = arg;

  current = loop;
  while (!loop->stopping) {
    take_inbox(loop);
    run_timers(loop);
    sweep_when_due(loop);
    start_ready(loop);
    drive_timeouts(loop);
    finish_ended(loop);
    wait_and_drive(loop);
    finish_ended(loop);
  }
  run_down(loop);
  return NULL;
}

static bool open_pipe(igt__loop *loop) {
  if (pipe2(loop->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
    loop->wake[0] = loop->wake[1] = -1;
    return false;
  }
  loop->fds[0] = (struct pollfd){.fd = loop->wake[0], .events = POLLIN};
  loop->fd_count = 1;
  return true;
}

static bool open_multi(igt__loop *loop, size_t slots) {
  CURLM *multi = loop->multi = curl_multi_init();

  if (!multi)
    return false;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)slots);
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)slots);
  return true;
}

static bool make_slots(igt__loop *loop, size_t n) {
  loop->slots = igt__calloc(n, sizeof *loop->slots);
  if (!loop->slots)
    return false;
  loop->slot_count = n;
  for (size_t i = n; i-- > 0;) {
    loop->slots[i].next = loop->free_slots;
    loop->free_slots = &loop->slots[i];
  }
  return true;
}

igt_status igt__loop_start(igt__http *http, igt__loop *loop, size_t slots, igt_error *err) {
  int os_error;

  loop->http = http;
  loop->wake[0] = loop->wake[1] = -1;
  igt__queue_init(&loop->inbox);
  igt__queue_init(&loop->ready);
  igt__queue_init(&loop->posts);
  loop->curl_due = -1;
  atomic_init(&loop->sweep_now, false);
  pthread_mutex_init(&loop->lock, NULL);
  if (!grow_fds(loop) || !make_slots(loop, slots) || !open_multi(loop, slots))
    return igt__fail_memory(err);
  if (!open_pipe(loop))
    return igt__fail_errno(err, errno, "no pipe for the network's thread");
  os_error = igt__thread_start(&loop->thread, "igt-loop", 0, run, loop);
  loop->started = os_error == 0;
  return os_error ? igt__fail_errno(err, os_error, "the network's thread could not be started")
                  : IGT_OK;
}

static void drop_posts(igt__loop *loop) {
  igt__post *post;

  while (loop->timers) { /* only posts are left: all requests have ended */
    igt__timer *timer = loop->timers;
    igt__timer_clear(timer);
    if (timer != &loop->rate_timer)
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
  for (size_t i = 0; i < loop->slot_count; i++)
    if (loop->slots[i].easy)
      igt__slot_close(&loop->slots[i]);
  if (loop->multi)
    curl_multi_cleanup(loop->multi);
  for (int i = 0; i < 2; i++)
    if (loop->wake[i] >= 0)
      close(loop->wake[i]);
  igt__http_hosts_free(loop->host_states);
  igt__free(loop->slots);
  igt__free(loop->fds);
  igt__free(loop->ready_fds);
  pthread_mutex_destroy(&loop->lock);
}
