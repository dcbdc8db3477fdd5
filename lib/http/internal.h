/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_INTERNAL_H
#define IGT_HTTP_INTERNAL_H

/* Shared by the files of this room. A function named _loop runs on the loop's thread alone. */

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "http/timetable.h"

/* ---- url.c ---- */

/* The origin of a request's whole URL: scheme given, query allowed, no user info, no fragment,
 * plain http to loopback alone. out->path stays "". */
igt_status igt__url_origin_of(const char *url, igt__url *out, igt_error *err);
/* "host" or "host:port" for sentences, the port only where it is not the scheme's default. */
void igt__url_label(const igt__url *url, char *out, size_t cap);

/* ---- curl.c ---- */

/* Before any function of curl's; again and again. IGT_E_UNSUPPORTED: it is not there. */
igt_status igt__curl_load(igt_error *err);

/* ---- memory.c ---- */

/* The way that files take has a buffer of this size: twice as much saves 5 % of the processor time
 * of files of 512 MiB on loopback and nothing else, and costs 128 connections 8 MiB. No power of
 * two: what curl makes of its own accord is one, and must not be taken for a buffer (memory.c). */
#define IGT__BULK_BUFFER (68u * 1024)
/* Of each, the begin that is overwritten after a request: where header lines may have been. */
#define IGT__BULK_HEAD (32u * 1024)
/* The other way, and both of all other requests; overwritten whole. */
#define IGT__SMALL_BUFFER (16u * 1024)

void igt__curl_init_memory(void); /* a program that set curl up before keeps its way */
void igt__curl_trim(void);        /* gives back buffers that are kept for the next request */

/* ---- proxy.c ---- */

/* The usual variables, read once when the igt__http is made; "" is none. */
typedef struct igt__proxies {
  char *http, *https, *none;
} igt__proxies;

igt_status igt__proxies_read(igt__proxies *proxies, igt_error *err);
void igt__proxies_finish(igt__proxies *proxies);
/* "host:port" of a proxy's URL, without user name and password, for sentences. */
void igt__proxy_label(const char *proxy, char *out, size_t cap);

/* ---- rate.c ---- */

typedef enum igt__direction { IGT__UP, IGT__DOWN, IGT__DIRECTIONS } igt__direction;

typedef struct igt__rate {
  _Atomic uint64_t limit;   /* bytes per second each way; 0: none */
  _Atomic int64_t check_at; /* igt__mono_us when the timetable is to be asked; INT64_MAX: never */
  pthread_mutex_t lock;
  igt__timetable table;
  struct {
    int64_t tokens; /* millionths of a byte; below zero: a debt that must pass before the next */
    int64_t at;     /* igt__mono_us of the last count */
  } direction[IGT__DIRECTIONS];
} igt__rate;

/* table: NULL, or what is asked from now on in place of limit. */
void igt__rate_init(igt__rate *rate, uint64_t limit, const igt__timetable *table);
void igt__rate_finish(igt__rate *rate);
void igt__rate_set(igt__rate *rate, uint64_t limit); /* ends a timetable */
uint64_t igt__rate_limit(igt__rate *rate, int64_t now);
/* Takes n bytes and returns 0, or takes none and returns the microseconds to wait first. n may
 * be more than there is: the debt is paid by whoever asks next. */
int64_t igt__rate_take(igt__rate *rate, igt__direction direction, size_t n, int64_t now);

/* ---- retry.c ---- */

#define IGT__RETRY_AFTER_MAX                                                                       \
  300 /* seconds; a server that asks for more is not waited for longer                             \
       */

typedef struct igt__queue {
  struct igt__http_private *first, **last;
} igt__queue;

/* What a loop grants a host.
 * Repetitions: when most requests fail, repeating them all only keeps the server down. As in
 * aws-c-io: 500, a transient failure takes 10, a throttled one 5, a success gives back what its
 * request took, or 1.
 * Requests at once: no bound until the host says that it is too busy; then half of what runs, and
 * with each round of successes one more (additive increase, multiplicative decrease). */
typedef struct igt__http_host {
  struct igt__http_host *next;
  int tokens;
  unsigned running;
  double most;        /* at once; 0: no bound */
  int64_t lowered_at; /* igt__mono_us; who began before says nothing about the new bound */
  igt__queue parked;  /* wait until fewer run */
  char host[];
} igt__http_host;

igt__http_host *igt__http_host_of(igt__http_host **list,
                                  const char *host); /* NULL without memory */
void igt__http_hosts_free(igt__http_host *list);
bool igt__retry_budget_take(igt__http_host *host_state, igt__retry retry, int *taken);
void igt__retry_budget_give(igt__http_host *host_state, int *taken);
/* An answer to a request that began then. slots: when as many may run, the bound is gone. */
void igt__window_throttled(igt__http_host *host_state, int64_t began_at);
void igt__window_succeeded(igt__http_host *host_state, int64_t began_at, size_t slots);
unsigned igt__window_free(const igt__http_host *host_state); /* how many more may run now */

/* Back-off before the n-th repetition, from 1. retry_after < 0: not given. */
int64_t igt__retry_delay_us(unsigned n, int retry_after);
int64_t igt__outage_delay_us(unsigned n); /* the same while nothing responds */
/* Retry-After: seconds or a date (RFC 9110 10.2.3), which is compared with the server's own Date
 * where there is one. -1: absent or not to be understood. */
int igt__retry_after(const char *value, int64_t server_date);

/* ---- loop.c ---- */

typedef struct igt__loop igt__loop;

/* In a list sorted by due; belongs to who embeds it. */
typedef struct igt__timer {
  struct igt__timer *next, **prev; /* prev NULL: not set */
  int64_t due;                     /* igt__mono_us */
  void (*fn)(struct igt__timer *timer);
} igt__timer;

struct igt__post {
  igt__timer timer; /* first */
  struct igt__post *next;
  igt__loop *loop;
  unsigned ms;
  void (*fn)(void *payload);
  void *payload;
};

/* An easy handle and its settings, used by one attempt after the other. */
typedef struct igt__slot {
  struct igt__slot *next; /* free ones */
  CURL *easy;
  /* Of the attempt. CURLINFO_ACTIVESOCKET tells it only when that is over. */
  curl_socket_t fd;
  struct igt__http_private *priv; /* NULL: free */
  char why[CURL_ERROR_SIZE];
} igt__slot;

struct igt__loop {
  igt__http *http;
  pthread_t thread;
  bool started;
  int wake[2];

  pthread_mutex_t lock;
  /* guarded by lock */
  igt__queue inbox;
  igt__post *posts, **posts_last;
  bool sleeping; /* in poll: a write to wake[1] is needed */
  bool woken;    /* and was made */
  bool stop;

  atomic_bool sweep_now;

  /* the thread's own */
  CURLM *multi;
  struct pollfd *fds; /* [0] is wake[0] */
  size_t fd_count, fd_cap;
  struct pollfd *ready_fds; /* same capacity */
  int64_t curl_due;         /* when curl wants CURL_SOCKET_TIMEOUT; -1: not */
  int64_t sweep_due;
  igt__timer *timers;
  igt__timer rate_timer;
  igt__queue ready;                 /* wait for a slot */
  struct igt__http_private *all;    /* every request between submit and done */
  size_t cancellable;               /* of them have a cancel */
  struct igt__http_private *paused; /* by the rate, first come first served */
  igt__slot *slots, *free_slots;
  size_t slot_count, running;
  igt__http_host *host_states;
  bool stopping;
};

igt_status igt__loop_start(igt__http *http, igt__loop *loop, size_t slots, igt_error *err);
void igt__loop_stop(igt__loop *loop); /* joins */
void igt__loop_wake(igt__loop *loop, bool sweep);
void igt__loop_enqueue(igt__loop *loop, struct igt__http_private *priv);
void igt__loop_post(igt__loop *loop, igt__post *post);
bool igt__loop_is_current(const igt__http *http); /* of any of http's loops */
void igt__timer_set_loop(igt__loop *loop, igt__timer *timer, int64_t due);
void igt__timer_clear(igt__timer *timer);
/* A transfer was paused by the rate: goes on after `wait` microseconds. */
void igt__loop_pause(igt__loop *loop, struct igt__http_private *priv, int64_t wait);
void igt__loop_unpause(void *loop); /* those that may; on the loop's thread */

/* ---- http.c ---- */

struct igt__http {
  igt__loop *loops;
  unsigned loop_count;
  char *user_agent, *ca_file;
  char *ca_pem; /* what was in ca_file, where it is a pipe, which can be read once; else NULL */
  size_t ca_pem_size;
  unsigned connect_timeout_ms, idle_timeout_ms, retries;
  igt__proxies proxies;
  igt__rate rate;
  _Atomic uint64_t requests; /* that left, each attempt */
  _Atomic uint64_t slow_downs;
  atomic_bool slow_line;
  atomic_bool responded; /* any server, ever: an address that is wrong never does */
  atomic_uint patient;   /* transfers that run */
};

/* Loops in turn, for callers who do not mind. */
unsigned igt__http_any_loop(const igt__http *http);

/* ---- request.c ---- */

void igt__requests_trim(void); /* gives back what is kept for the next request */

typedef enum igt__http_state {
  IGT__HTTP_IDLE,    /* the caller's */
  IGT__HTTP_READY,   /* waits for a slot */
  IGT__HTTP_RUNNING, /* has one */
  IGT__HTTP_WAITING, /* for the end of a back-off */
  IGT__HTTP_RESTING  /* for igt__http_resume */
} igt__http_state;

struct igt__http_private {
  igt__http_request *req;
  igt__http *http;
  igt__loop *loop;
  struct igt__http_private *queue_next; /* inbox (by the loop's lock), or ready */
  struct igt__http_private *all_next, **all_prev;
  struct igt__http_private *pause_next;
  igt__http_state state;
  igt__timer timer;

  /* what is sent */
  igt__buf url;
  igt__buf head; /* lines "Name: value", each with its NUL */
  size_t head_count;
  struct curl_slist *lines; /* array of line_cap nodes over head */
  size_t line_cap;

  /* one attempt */
  igt__slot *slot;
  igt__http_host *host_state; /* of the host, once that is known */
  bool parked;                /* in its line, and not in the loop's */
  igt__url origin;
  char host[300];  /* label of origin */
  bool sent;       /* a connection was there and the request began to leave */
  bool whole_body; /* curl has the body at once, instead of asking for pieces */
  bool responding; /* the final header lines are complete */
  bool cut;        /* enough of an error's body was seen; curl was told to stop */
  unsigned paused; /* CURLPAUSE_ bits, by the rate or a stream that is full */
  bool full;       /* the latter */
  uint64_t body_pos;
  uint64_t up, down;     /* bytes moved, headers of the answer too */
  uint64_t notification; /* of the body, by on_progress */
  uint64_t marked;       /* of them up to mark_at: see igt__attempt_is_idle */
  int64_t mark_at;
  uint64_t crawl_marked; /* the same over a longer time */
  int64_t crawl_at;
  bool crawls;
  uint64_t dropped;       /* of a body that nobody wants */
  igt__buf response_head; /* "name\0value\0"... */
  size_t header_bytes, header_count;
  int64_t began_at;
  igt_error err;

  /* all attempts */
  bool delivered;        /* body bytes went to on_data since the last on_restart */
  bool renewed;          /* credentials, once */
  bool progressed;       /* the last attempt */
  unsigned retries_done; /* since the last progress */
  uint64_t kept_before;  /* req->kept at the last progress */
  int64_t progress_at;   /* of the last progress, or when the request was submitted */
  unsigned redirects;
  int taken; /* from the budget, by the last repetition */
  bool resumed;
  igt_status resume_status;

  atomic_bool abort; /* igt__http_close */
  struct igt__http_waiter *waiter;
  igt__http_stream *stream;
};

typedef struct igt__http_waiter {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;
  igt_status status;
  igt_error err;
} igt__http_waiter;

/* The request enters or leaves its loop. */
void igt__request_accept_loop(struct igt__http_private *priv);
void igt__request_resume_loop(struct igt__http_private *priv);
void igt__request_start_loop(struct igt__http_private *priv, igt__slot *slot);
void igt__request_ended_loop(struct igt__http_private *priv, CURLcode code);
/* Ends it now, whatever it does; not while it rests unless the loop stops. */
void igt__request_end_loop(struct igt__http_private *priv, igt_status status);
bool igt__request_is_cancelled(const struct igt__http_private *priv);

/* ---- attempt.c: one exchange with curl ---- */

igt_status igt__slot_open(igt__slot *slot, const igt__http *http, igt_error *err);
void igt__slot_close(igt__slot *slot);
igt_status igt__attempt_begin(struct igt__http_private *priv, igt__slot *slot, igt_error *err);
/* Whether a header line of that name is sent. */
bool igt__attempt_has_header(const struct igt__http_private *priv, const char *name);
/* Less than 1 byte/s, either way, for as long as the idle timeout, or less than IGT__MIN_RATE for
 * much longer (priv->crawls). */
bool igt__attempt_is_idle(struct igt__http_private *priv, int64_t now);

/* ---- response.c: header lines and body as they come ---- */

void igt__response_reset(struct igt__http_private *priv);
/* False: the attempt has failed with priv->err, or (priv->cut) enough was seen. */
bool igt__response_line(struct igt__http_private *priv, const char *line, size_t n);
bool igt__response_data(struct igt__http_private *priv, const char *data, size_t n);
/* Anything but 2xx, and a 206 that was not asked for; with redirects_are_responses >= 400 alone. */
bool igt__response_is_error(const struct igt__http_private *priv);
/* 3xx with a Location that this room deals with. */
bool igt__response_is_redirect(const struct igt__http_private *priv);

/* ---- explain.c: sentences ---- */

igt_status igt__explain_curl(struct igt__http_private *priv, CURLcode code);
igt_status igt__explain_idle(struct igt__http_private *priv);
igt_status igt__explain_response(struct igt__http_private *priv);

/* ---- stream.c ---- */

igt_status igt__stream_push_loop(igt__http_stream *stream, const char *data, size_t n,
                                 igt_error *err);
/* n bytes more are to wait until the reader has caught up: the temporary file has its bound. */
bool igt__stream_is_full(igt__http_stream *stream, size_t n);
void igt__stream_opened_loop(igt__http_stream *stream);
bool igt__stream_is_open(const igt__http_stream *stream);
void igt__stream_done_loop(igt__http_stream *stream, igt_status status, const igt_error *err);

#endif
