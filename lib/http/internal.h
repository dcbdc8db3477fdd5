/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_INTERNAL_H
#define IGT_HTTP_INTERNAL_H

/* Shared by the files of this layer. Functions named _loop run on the loop's thread only. */

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "base/thread.h"
#include "http/http.h"
#include "http/timetable.h"

/* ---- url.c ---- */

/* The origin of a request's complete URL: scheme present, query allowed, no user info, no fragment,
 * plain http to loopback only. out->path stays "". */
igt_status igt__url_origin_of(const char *url, igt__url *out, igt_error *err);
/* "host" or "host:port" for messages, without the port if it is the scheme's default. */
void igt__url_label(const igt__url *url, char *out, size_t cap);

/* ---- curl.c ---- */

/* Call before any function of curl; repeatable. IGT_E_UNSUPPORTED: libcurl is not available. */
igt_status igt__curl_load(igt_error *err);

/* ---- memory.c ---- */

/* Buffer size in the direction that carries file content: twice as much saves 5 % of the processor
 * time of 512 MiB files on loopback and nothing else, and costs 128 connections 8 MiB. Not a power
 * of two: curl allocates those for itself, and they must not be taken for such a buffer
 * (memory.c). */
#define IGT__BULK_BUFFER (68u * 1024)
/* The start of each such buffer that is wiped after a request: header lines may have been there. */
#define IGT__BULK_HEAD (32u * 1024)
/* Buffer size in the other direction, and in both for all other requests; wiped entirely. */
#define IGT__SMALL_BUFFER (16u * 1024)

void igt__curl_init_memory(void); /* no effect if the program initialised curl earlier */
void igt__curl_trim(void);        /* frees the buffers kept for the next request */

/* ---- proxy.c ---- */

/* The usual variables, read once when the igt__http is created; "" if unset. */
typedef struct igt__proxies {
  char *http, *https, *none;
} igt__proxies;

igt_status igt__proxies_read(igt__proxies *proxies, igt_error *err);
void igt__proxies_finish(igt__proxies *proxies);
/* "host:port" of a proxy's URL, without user name and password, for messages. */
void igt__proxy_label(const char *proxy, char *out, size_t cap);

/* ---- rate.c ---- */

typedef enum igt__direction { IGT__UP, IGT__DOWN, IGT__DIRECTIONS } igt__direction;

typedef struct igt__rate {
  _Atomic uint64_t limit;   /* bytes per second and direction; 0: unlimited */
  _Atomic int64_t check_at; /* igt__mono_us of the next timetable lookup; INT64_MAX: never */
  pthread_mutex_t lock;
  igt__timetable table;
  struct {
    int64_t tokens; /* millionths of a byte; negative: a debt to be paid before the next bytes */
    int64_t at;     /* igt__mono_us of the last refill */
  } direction[IGT__DIRECTIONS];
} igt__rate;

/* table: replaces limit; may be NULL. */
void igt__rate_init(igt__rate *rate, uint64_t limit, const igt__timetable *table);
void igt__rate_finish(igt__rate *rate);
void igt__rate_set(igt__rate *rate, uint64_t limit); /* discards the timetable */
uint64_t igt__rate_limit(igt__rate *rate, int64_t now);
/* Takes n bytes and returns 0, or takes none and returns the microseconds to wait first. n may
 * exceed the available tokens: the next caller waits for the debt. */
int64_t igt__rate_take(igt__rate *rate, igt__direction direction, size_t n, int64_t now);

/* ---- retry.c ---- */

/* Seconds; a longer Retry-After is cut to this. */
#define IGT__RETRY_AFTER_MAX 300

typedef IGT__QUEUE(struct igt__http_private) igt__request_queue;

/* What a loop keeps for each host.
 * Retry budget: when most requests fail, retrying them all only keeps the server down. As in
 * aws-c-io: starts at 500; a transient failure takes 10, a throttled one 5; a success returns what
 * its request took, or 1.
 * Concurrency window: unlimited until the host throttles; then half of the running requests, plus
 * one for each round of successes (additive increase, multiplicative decrease). */
typedef struct igt__http_host {
  struct igt__http_host *next;
  int tokens;
  unsigned running;
  double most;        /* size of the window; 0: unlimited */
  int64_t lowered_at; /* igt__mono_us; requests started before do not affect the new window */
  igt__request_queue parked; /* requests waiting for the window */
  char host[];
} igt__http_host;

igt__http_host *igt__http_host_of(igt__http_host **list, const char *host); /* NULL: no memory */
void igt__http_hosts_free(igt__http_host *list);
bool igt__retry_budget_take(igt__http_host *host_state, igt__retry retry, int *taken);
void igt__retry_budget_give(igt__http_host *host_state, int *taken);
/* A response to a request that started at began_at. slots: a window of that size is lifted. */
void igt__window_throttled(igt__http_host *host_state, int64_t began_at);
void igt__window_succeeded(igt__http_host *host_state, int64_t began_at, size_t slots);
unsigned igt__window_free(const igt__http_host *host_state); /* how many more may start now */

/* Back-off before the n-th retry, counted from 1. retry_after < 0: absent. */
int64_t igt__retry_delay_us(unsigned n, int retry_after);
int64_t igt__outage_delay_us(unsigned n); /* same, during an outage */
/* Retry-After: seconds or a date (RFC 9110 10.2.3), which is compared with the server's own Date if
 * present. -1: absent or invalid. */
int igt__retry_after(const char *value, int64_t server_date);

/* ---- loop.c ---- */

typedef struct igt__loop igt__loop;

/* In a list sorted by due; owned by the struct that embeds it. */
typedef struct igt__timer {
  struct igt__timer *next, **prev; /* prev NULL: not armed */
  int64_t due;                     /* igt__mono_us */
  void (*fn)(struct igt__timer *timer);
} igt__timer;

struct igt__post {
  igt__timer timer; /* must be first: run_post casts */
  struct igt__post *next;
  igt__loop *loop;
  unsigned ms;
  void (*fn)(void *payload);
  void *payload;
};

/* An easy handle and its settings, reused by successive attempts. */
typedef struct igt__slot {
  struct igt__slot *next; /* in the list of free slots */
  CURL *easy;
  /* Of the current attempt. CURLINFO_ACTIVESOCKET is available only after it ends. */
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
  igt__request_queue inbox;
  IGT__QUEUE(igt__post) posts;
  bool sleeping; /* in poll: a write to wake[1] is needed */
  bool woken;    /* the byte was written */
  bool stop;

  atomic_bool sweep_now;

  /* the loop thread's own */
  CURLM *multi;
  struct pollfd *fds; /* [0] is wake[0] */
  size_t fd_count, fd_cap;
  struct pollfd *ready_fds; /* same capacity as fds */
  int64_t curl_due;         /* when curl wants CURL_SOCKET_TIMEOUT; -1: never */
  int64_t sweep_due;
  igt__timer *timers;
  igt__timer rate_timer;
  igt__request_queue ready;         /* waiting for a slot */
  struct igt__http_private *all;    /* every request between submit and done */
  size_t cancellable;               /* how many of them have a cancel flag or a stream */
  struct igt__http_private *paused; /* by the rate limit or a full stream, in FIFO order */
  igt__slot *slots, *free_slots;
  size_t slot_count, running;
  igt__http_host *host_states;
  bool stopping;
};

igt_status igt__loop_start(igt__http *http, igt__loop *loop, size_t slots, igt_error *err);
void igt__loop_stop(igt__loop *loop); /* joins the thread */
void igt__loop_wake(igt__loop *loop, bool sweep);
void igt__loop_enqueue(igt__loop *loop, struct igt__http_private *priv);
void igt__loop_post(igt__loop *loop, igt__post *post);
bool igt__loop_is_current(const igt__http *http); /* whether called from any of http's loops */
void igt__timer_set_loop(igt__loop *loop, igt__timer *timer, int64_t due);
void igt__timer_clear(igt__timer *timer);
/* A transfer was paused; it continues after `wait` microseconds. */
void igt__loop_pause(igt__loop *loop, struct igt__http_private *priv, int64_t wait);
void igt__loop_unpause(void *loop); /* those that may continue; on the loop's thread */

/* ---- trust.c ---- */

/* What servers' certificates are compared with. Without file and dir no server is trusted. */
typedef struct igt__trust {
  char *file, *dir; /* NULL: none */
  char *pem;        /* content of file if it is a pipe, which can be read only once; else NULL */
  size_t pem_size;
} igt__trust;

/* ca_file: the user's, or NULL. *trust is empty; igt__trust_finish frees it, also after an error:
 * IGT_E_NO_FILE and the other errors of opening what the user named. */
igt_status igt__trust_find(const char *ca_file, igt__trust *trust, igt_error *err);
const char *igt__trust_label(const igt__trust *trust); /* for messages */
void igt__trust_finish(igt__trust *trust);

/* ---- http.c ---- */

struct igt__http {
  igt__loop *loops;
  unsigned loop_count;
  char *user_agent;
  igt__trust trust;
  unsigned connect_timeout_ms, idle_timeout_ms, retries;
  igt__proxies proxies;
  igt__rate rate;
  _Atomic uint64_t requests; /* sent so far, counting each attempt */
  _Atomic uint64_t slow_downs;
  atomic_bool slow_line;
  atomic_bool responded; /* by any server, ever; stays false with a wrong address */
  atomic_uint patient;   /* number of running transfers */
};

/* Round robin, for callers without a preference. */
unsigned igt__http_any_loop(const igt__http *http);

/* ---- request.c ---- */

void igt__requests_trim(void); /* frees what is kept for the next request */

/* The states of a request; they change on its loop's thread only.
 *
 *    IDLE                 owned by the caller
 *     |
 *     | igt__http_submit
 *     v
 *   READY <--------------------------+------------------------+
 *     |  ^                           |                        |
 *     |  | redirect followed, or     | back-off               | igt__http_resume
 *     |  | new credentials at once   | is over                | with IGT_OK
 *     v  |                           |                        |
 *   RUNNING -- failed, retried --> WAITING                    |
 *     |  |                                                    |
 *     |  +--- failed, on_retry returns true (credentials) --> RESTING
 *     |
 *     | succeeded, or failed for good
 *     v
 *    done                 on_done; IDLE again, the caller may free or resubmit it
 *
 * READY includes parked requests, which wait in their host's queue until its concurrency window
 * allows them. A slot and a successful prepare lead from READY to RUNNING; a prepare that fails
 * counts as a failed attempt. A cancel leads from any state to done, but a RESTING request ends
 * only when it is resumed or the loop stops, since somebody still holds it for the resume. */
typedef enum igt__http_state {
  IGT__HTTP_IDLE,    /* owned by the caller */
  IGT__HTTP_READY,   /* waiting for a slot, or parked until its host's window allows it */
  IGT__HTTP_RUNNING, /* has a slot; curl drives it */
  IGT__HTTP_WAITING, /* backing off until its timer fires */
  IGT__HTTP_RESTING  /* until igt__http_resume */
} igt__http_state;

struct igt__http_private {
  igt__http_request *req;
  igt__http *http;
  igt__loop *loop;
  struct igt__http_private *next; /* in a queue: inbox (under the loop's lock), ready, or parked */
  struct igt__http_private *all_next, **all_prev;
  struct igt__http_private *pause_next;
  igt__http_state state;
  igt__timer timer;
  igt__timer deadline; /* of req->deadline_us */

  /* the request as sent */
  igt__buf url;
  igt__buf head; /* lines "Name: value", each NUL-terminated */
  size_t head_count;
  struct curl_slist *lines; /* line_cap nodes pointing into head */
  size_t line_cap;

  /* one attempt */
  igt__slot *slot;
  igt__http_host *host_state; /* of the URL's host, once known */
  bool parked;                /* in the host's queue, not in the loop's */
  igt__url origin;
  char host[300];  /* label of origin, for messages */
  bool sent;       /* connected, and the request began to leave */
  bool whole_body; /* curl has the whole body, instead of reading it by callback */
  bool responding; /* the final header lines are complete */
  bool cut;        /* enough of an error's body was read; curl was told to stop */
  unsigned paused; /* CURLPAUSE_ bits, set by the rate limit or a full stream */
  bool full;       /* by a full stream */
  uint64_t body_pos;
  uint64_t up, down;     /* bytes moved, including the response's headers */
  uint64_t notification; /* body bytes reported by on_progress */
  uint64_t marked;       /* bytes moved up to mark_at: see igt__attempt_is_idle */
  int64_t mark_at;
  uint64_t crawl_marked; /* same, for the longer window of is_crawling */
  int64_t crawl_at;
  bool crawls;
  uint64_t dropped;       /* discarded bytes of an error's body */
  igt__buf response_head; /* "name\0value\0"... */
  size_t header_bytes, header_count;
  int64_t began_at;
  igt_error err;

  /* all attempts */
  bool delivered;        /* body bytes went to on_data since the last on_restart */
  bool renewed;          /* credentials were refreshed; once per request */
  bool progressed;       /* by the last attempt */
  unsigned retries_done; /* since the last progress */
  uint64_t kept_before;  /* value of req->kept at the last progress */
  int64_t progress_at;   /* time of the last progress, or of the submit */
  unsigned redirects;
  int taken; /* from the retry budget, by the last retry */
  bool resumed;
  igt_status resume_status;

  atomic_bool abort;           /* set by igt__http_close */
  igt__completion *completion; /* of a thread in igt__http_perform */
  igt__http_stream *stream;
};

/* How a request enters and leaves its loop. */
void igt__request_accept_loop(struct igt__http_private *priv);
void igt__request_resume_loop(struct igt__http_private *priv);
void igt__request_start_loop(struct igt__http_private *priv, igt__slot *slot);
void igt__request_ended_loop(struct igt__http_private *priv, CURLcode code);
/* Ends it now, in any state; a resting request only when the loop stops. */
void igt__request_end_loop(struct igt__http_private *priv, igt_status status);
bool igt__request_is_cancelled(const struct igt__http_private *priv);

/* ---- attempt.c: one exchange with curl ---- */

igt_status igt__slot_open(igt__slot *slot, const igt__http *http, igt_error *err);
void igt__slot_close(igt__slot *slot);
igt_status igt__attempt_begin(struct igt__http_private *priv, igt__slot *slot, igt_error *err);
/* Whether the request has a header line of that name. */
bool igt__attempt_has_header(const struct igt__http_private *priv, const char *name);
/* Less than 1 byte/s in both directions for the idle timeout, or less than IGT__MIN_RATE for much
 * longer (priv->crawls). */
bool igt__attempt_is_idle(struct igt__http_private *priv, int64_t now);

/* ---- response.c: header lines and body as they arrive ---- */

void igt__response_reset(struct igt__http_private *priv);
/* False: the attempt failed with priv->err, or (priv->cut) enough was read. */
bool igt__response_line(struct igt__http_private *priv, const char *line, size_t n);
bool igt__response_data(struct igt__http_private *priv, const char *data, size_t n);
/* Everything but 2xx, and an unrequested 206; with redirects_are_responses >= 400 only. */
bool igt__response_is_error(const struct igt__http_private *priv);
/* 3xx with a Location that this layer handles. */
bool igt__response_is_redirect(const struct igt__http_private *priv);

/* ---- explain.c: error messages ---- */

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
