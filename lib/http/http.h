/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_H
#define IGT_HTTP_H

/* HTTP requests on libcurl, which is named in this room alone. Knows nothing of IGT or S3.
 *
 * An igt__http owns one or a few loop threads, each running a curl multi handle; a request
 * lives on one loop from submit to done, and all its callbacks run on that loop's thread, so
 * they must not block on the network or on locks held for long. Blocking callers use
 * igt__http_perform or igt__http_open from threads of their own.
 *
 * Every attempt is checked against limits.h, has a connect timeout and an idle timeout (never a
 * total one), TLS 1.2 at least with peer and host verified, the usual proxy variables in both
 * cases (http_proxy, https_proxy, all_proxy, no_proxy with names, suffixes, CIDR), and only
 * https or loopback http URLs. Redirects are followed for GET within the same origin alone;
 * another origin's is IGT_E_PROTOCOL: credentials never leave the origin. */

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/error.h"

typedef struct igt__http igt__http;

typedef struct igt__http_options {
  const char *user_agent;      /* required */
  const char *ca_file;         /* PEM trusted in place of the system's store; NULL: the system's */
  unsigned loops;              /* threads; 0: 2 */
  unsigned connect_timeout_ms; /* 0: 10,000 */
  unsigned idle_timeout_ms;    /* less than 1 byte/s for that long fails; 0: 30,000 */
  unsigned retries;            /* attempts without progress beyond the first, a request;
                                  UINT_MAX: none; 0: 5 */
  unsigned max_connections;    /* kept open in all; 0: 64 */
  uint64_t bytes_per_second;   /* over all connections, each way; 0: no limit */
  const struct igt__timetable *timetable; /* in its place, copied; NULL: none */
} igt__http_options;

igt_status igt__http_new(const igt__http_options *options, igt__http **out, igt_error *err);
/* Cancels what runs (on_done is called with IGT_E_CANCELLED) and joins the threads. */
void igt__http_free(igt__http *http);
unsigned igt__http_loops(const igt__http *http);
uint64_t igt__http_requests(const igt__http *http); /* sent so far, each attempt; any thread */
/* How often a server asked for fewer requests, or did not answer in time, so far. Any thread. */
uint64_t igt__http_slow_downs(const igt__http *http);
/* New connections are made for a line of few MB/s, or not. Any thread. */
void igt__http_set_slow_line(igt__http *http, bool slow);

/* What to do about a failed attempt. One table, in retry.c, decides. */
typedef enum igt__retry {
  IGT__RETRY_NEVER,      /* permanent */
  IGT__RETRY_TRANSIENT,  /* back-off: 500 ms * 2^n, full jitter, 20 s at most */
  IGT__RETRY_THROTTLED,  /* the same, and fewer requests at once; Retry-After is a floor */
  IGT__RETRY_CREDENTIALS /* new credentials, then once more at once */
} igt__retry;
igt__retry igt__retry_class(const igt_error *err);
/* While no response at all comes, a patient request is retried for at least so long without
 * progress, whatever the number of attempts. 0: without retries. */
int64_t igt__http_patience_us(const igt__http *http);
/* A transfer runs: until it ends, all requests are patient, provided that any server responded. */
void igt__http_patient(igt__http *http, bool begins); /* any thread */
/* For callers that repeat a request later, among others. */
unsigned igt__http_retries(const igt__http *http);              /* the options' */
unsigned igt__retry_delay_ms(unsigned n, const igt_error *err); /* the n-th back-off, from 1 */
/* For callers on threads of their own that repeat what this room may not, such as a request that
 * creates, once they have looked: waits for the n-th back-off, from 1. False: cancelled, or n is
 * more than the options' retries. */
bool igt__retry_wait(const igt__http *http, unsigned n, int retry_after, igt__cancel *cancel);

typedef struct igt__http_request igt__http_request;

struct igt__http_request {
  /* ---- set by the caller before submit ---- */
  const char *method;    /* a literal: "GET", "PUT" ... */
  const char *operation; /* a literal for errors and log: "GetObject", "get_studies" */
  const void *body;      /* in memory, borrowed until done; NULL: none */
  int body_fd;           /* or read from a file: fd (borrowed) at body_offset; -1: none */
  uint64_t body_offset;
  uint64_t body_len;
  bool patient;                 /* waits for a link that is down: see igt__http_patience_us */
  bool idempotent;              /* may be sent again after an unclear end (a lost answer); else only
                                   failures before anything was sent, refusals (4xx) and 503 are retried */
  size_t max_body;              /* of an answer that is collected; 0: IGT__MAX_JSON_BODY */
  bool compressed;              /* offers gzip and deflate; the body arrives decoded */
  bool redirects_are_responses; /* 3xx is an answer < 400 like any other: S3's carry a document.
                                 Else all but 2xx is an error */
  bool collect_error_body;      /* default true by _init: answers >= 400 are collected (64 KiB) even
                                   when on_data is set, which then does not see them */
  igt__cancel *cancel;          /* borrowed, may be NULL */
  void *payload;                /* the callbacks' */

  /* Before each attempt: (re)builds url and headers (igt__http_set_url, _add_header); this is
   * where signing happens, so that each attempt has its own date. NULL: they are set already. */
  igt_status (*prepare)(igt__http_request *req, igt_error *err);
  /* After the final headers of an answer < 400. Not IGT_OK fails the attempt with err. */
  igt_status (*on_headers)(igt__http_request *req, igt_error *err);
  /* Body bytes of an answer < 400; NULL: collected into req->answer. On another attempt
   * on_restart says that the body begins anew; return an error there to forbid it. */
  igt_status (*on_data)(igt__http_request *req, const char *data, size_t n, igt_error *err);
  igt_status (*on_restart)(igt__http_request *req, igt_error *err);
  /* An answer >= 400: fills err->text, code, request_id from req->answer (XML or JSON). err has
   * status and http_status already. NULL: a generic sentence. */
  void (*on_error_response)(igt__http_request *req, igt_error *err);
  /* After each failed attempt that may be repeated; may change the decision (*retry). To wait
   * for new credentials return true: the request then rests until igt__http_resume, cancelled
   * or not. Without it IGT__RETRY_CREDENTIALS is not repeated. */
  bool (*on_retry)(igt__http_request *req, const igt_error *err, igt__retry *retry);
  /* Once, last. err is valid during the call. The request may be freed or submitted again. */
  void (*on_done)(igt__http_request *req, igt_status status, const igt_error *err);
  /* Body bytes received, or sent and acknowledged, since the last call, for progress; may be NULL.
   * What an attempt that failed had moved is not taken back. */
  void (*on_progress)(igt__http_request *req, uint64_t up, uint64_t down);

  /* ---- answer ---- */
  int http_status;
  igt__buf response;      /* the collected body */
  int64_t content_length; /* -1: not given */
  int64_t server_date;    /* seconds, from Date; 0: not given */
  unsigned attempts;      /* made so far */
  uint64_t bytes_sent;    /* body bytes of the last attempt */

  /* ---- set by the caller's callbacks ---- */
  /* Bytes that no later attempt has to move again; only grows. An attempt that ends with at least
   * IGT__PROGRESS_LEAST more of them than there were when it was last looked at does not count
   * against options.retries. */
  uint64_t kept;

  /* ---- private ---- */
  struct igt__http_private *priv;
};

/* Fills in defaults; body_fd -1. Every initialised request is finished. */
igt_status igt__http_request_init(igt__http_request *req, igt_error *err);
void igt__http_request_finish(igt__http_request *req); /* not between submit and done */
igt_status igt__http_set_url(igt__http_request *req, const char *url); /* copied */
void igt__http_clear_headers(igt__http_request *req);
/* Copied; a value with CR, LF or NUL is IGT_E_INVALID. Values of headers whose name is secret
 * (Authorization, X-JWT, X-CSRF-TOKEN, x-amz-security-token, Cookie) never reach the log. */
igt_status igt__http_add_header(igt__http_request *req, const char *name, const char *value);
/* Of the answer; NULL when absent; the n-th of several (Set-Cookie), from 0. */
const char *igt__http_response_header(const igt__http_request *req, const char *name, size_t nth);

/* Hands the request to loop `loop` (taken modulo the number of loops). Any thread. */
void igt__http_submit(igt__http *http, unsigned loop, igt__http_request *req);
/* Wakes a request that on_retry put to rest. status != IGT_OK ends it with err. Any thread. */
void igt__http_resume(igt__http *http, igt__http_request *req, igt_status status,
                      const igt_error *err);
/* Runs fn on a loop's thread, at once or after a delay. Any thread. igt__http_free runs what is
 * still waiting without its delay. */
void igt__http_post(igt__http *http, unsigned loop, void (*fn)(void *payload), void *payload);
void igt__http_post_after(igt__http *http, unsigned loop, unsigned ms, void (*fn)(void *payload),
                          void *payload);
/* The same with memory that was had before, so that it needs none: post is taken over; NULL: as
 * above, which waits while there is none. */
typedef struct igt__post igt__post;
igt__post *igt__http_post_new(void); /* NULL: no memory; unused, it is igt__free'd */
void igt__http_post_with(igt__http *http, unsigned loop, igt__post *post, unsigned ms,
                         void (*fn)(void *payload), void *payload);

/* Blocking forms, for any thread but a loop's. */
igt_status igt__http_perform(igt__http *http, igt__http_request *req, igt_error *err);

/* Answers read piece by piece by a blocking caller. When the reader is slower than the network,
 * what arrives goes to memory up to 256 KiB, then to an unlinked temporary file: a connection is
 * not paused before that has its bound (IGT__MAX_SPOOL). _open returns after the headers of an
 * answer < 400; a body that breaks off is an error of _read (the request is not repeated then). */
typedef struct igt__http_stream igt__http_stream;
igt_status igt__http_open(igt__http *http, igt__http_request *req, uint64_t max_bytes,
                          igt__http_stream **out, igt_error *err);
/* *n == 0 is the end. */
igt_status igt__http_read(igt__http_stream *stream, char *data, size_t cap, size_t *n,
                          igt_error *err);
void igt__http_close(igt__http_stream *stream); /* req may be finished afterwards */

/* ---- URLs ---- */
typedef struct igt__url {
  char scheme[8]; /* "http" or "https" */
  char host[256]; /* lower case; IPv6 without brackets */
  uint16_t port;  /* the scheme's default when not given */
  bool port_given;
  bool is_ip;
  bool is_loopback; /* localhost, *.localhost, 127.0.0.0/8, ::1 */
  char path[1024];  /* "" or begins with '/' */
} igt__url;
/* Adds https:// where there is no scheme. User info, query and fragment are refused; plain http
 * to anything but loopback is refused with a sentence. */
igt_status igt__url_parse(const char *text, const char *what, igt__url *out, igt_error *err);
/* "https://host:port", the port only where it is not the scheme's default. */
void igt__url_origin(const igt__url *url, char *out, size_t cap);
bool igt__url_same_origin(const igt__url *a, const igt__url *b);

#endif
