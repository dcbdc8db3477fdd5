/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_H
#define IGT_HTTP_H

/* HTTP requests on libcurl, which no other layer uses. Knows nothing of IGT or S3.
 *
 * An igt__http owns one or a few loop threads, each running a curl multi handle. A request lives on
 * one loop from submit to done, and all its callbacks run on that loop's thread, so they must not
 * block on the network or on locks held for long. Blocking callers use igt__http_perform or
 * igt__http_open from threads of their own.
 *
 * Every attempt is checked against limits.h, has a connect timeout and an idle timeout (never a
 * total one), requires TLS 1.2 or later with peer and host verified, honours the usual proxy
 * variables in both cases (http_proxy, https_proxy, all_proxy, no_proxy with names, suffixes,
 * CIDR), and accepts only https or loopback http URLs. Redirects are followed for GET and HEAD
 * within the same origin only; a redirect to another origin is IGT_E_PROTOCOL: credentials never
 * leave the origin. */

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/error.h"

typedef struct igt__http igt__http;

typedef struct igt__http_options {
  const char *user_agent; /* required */
  const char *ca_file;    /* PEM, trusted instead of the system's store; NULL: the system's store */
  const char *proxy; /* URL, for http and https alike; "" or "none": none; NULL: the variables' */
  const char *proxy_source;    /* where it was set, for messages; NULL: --proxy */
  unsigned loops;              /* threads; 0: 2 */
  unsigned connect_timeout_ms; /* 0: 10,000 */
  unsigned idle_timeout_ms;    /* a transfer below 1 byte/s for this long fails; 0: 30,000 */
  unsigned retries; /* further attempts of a request without progress; UINT_MAX: none; 0: 5 */
  unsigned max_connections;               /* open connections in total; 0: 64 */
  uint64_t bytes_per_second;              /* over all connections, per direction; 0: unlimited */
  const struct igt__timetable *timetable; /* replaces bytes_per_second; copied; NULL: none */
} igt__http_options;

/* curl's allocator is one for the whole process, and a host program may use the same libcurl. So it
 * stays the C library's, unless the program says before the first connection that the process is
 * its own, as igtcloud and the sandbox do: then memory is wiped before it is freed. */
void igt__curl_own_process(void);

igt_status igt__http_new(const igt__http_options *options, igt__http **out, igt_error *err);
/* Cancels all running requests (on_done gets IGT_E_CANCELLED) and joins the threads. */
void igt__http_free(igt__http *http);
uint64_t igt__http_requests(const igt__http *http); /* sent so far, each attempt; any thread */
/* How often a server throttled us or failed to respond in time, so far. Any thread. */
uint64_t igt__http_slow_downs(const igt__http *http);
/* Whether new connections are tuned for a link of a few MB/s. Any thread. */
void igt__http_set_slow_line(igt__http *http, bool slow);

/* What to do about a failed attempt. A single table, in retry.c, decides. */
typedef enum igt__retry {
  IGT__RETRY_NEVER,      /* permanent */
  IGT__RETRY_TRANSIENT,  /* back-off: 500 ms * 2^n, full jitter, 20 s at most */
  IGT__RETRY_THROTTLED,  /* same, with fewer concurrent requests; Retry-After is the minimum */
  IGT__RETRY_CREDENTIALS /* refresh the credentials, then retry once without delay */
} igt__retry;
igt__retry igt__retry_class(const igt_error *err);
/* While no response arrives at all, a patient request is retried for at least this long without
 * progress, regardless of the number of attempts. 0: retries are off. */
int64_t igt__http_patience_us(const igt__http *http);
/* Call with true when a transfer begins and with false when it ends. In between all requests are
 * patient, provided that some server has responded. */
void igt__http_patient(igt__http *http, bool begins); /* any thread */
/* For callers that retry a request themselves later, among others. */
unsigned igt__http_retries(const igt__http *http);              /* as set in the options */
unsigned igt__retry_delay_ms(unsigned n, const igt_error *err); /* the n-th back-off, from 1 */
/* For callers on threads of their own that retry what this layer must not, such as a create request
 * after checking whether it took effect: waits for the n-th back-off, counted from 1. False:
 * cancelled, or n exceeds the options' retries. */
bool igt__retry_wait(const igt__http *http, unsigned n, int retry_after, igt__cancel *cancel);
/* The same, but false instead of waiting beyond deadline_us (igt__mono_us; 0: none). */
bool igt__retry_wait_until(const igt__http *http, unsigned n, int retry_after, int64_t deadline_us,
                           igt__cancel *cancel);

/* Prefixes err with the number of attempts and the seconds since the last progress, unless there
 * was one attempt only, or its text says so already. */
void igt__retry_gave_up(igt_error *err, unsigned attempts, int64_t progress_at_us);

typedef struct igt__http_request igt__http_request;

struct igt__http_request {
  /* ---- set by the caller before submit ---- */
  const char *method;    /* a literal: "GET", "PUT" ... */
  const char *operation; /* a literal, for errors and the log: "GetObject", "get_studies" */
  const void *body;      /* in memory, borrowed until done; NULL: none */
  int body_fd;           /* or sent from a file: fd (borrowed) at body_offset; -1: none */
  uint64_t body_offset;
  uint64_t body_len;
  bool patient;    /* outlasts a link that is down: see igt__http_patience_us */
  bool idempotent; /* may be resent after an unclear failure (a lost response); otherwise only
                      failures before anything was sent, refusals (4xx) and 503 are retried */
  size_t max_body; /* of a collected response; 0: IGT__MAX_JSON_BODY */
  bool compressed; /* accept gzip and deflate; the body is delivered decoded */
  bool redirects_are_responses; /* treat 3xx as a response < 400 like any other: S3's carry a
                                   document. Otherwise everything but 2xx is an error */
  bool collect_error_body; /* true by default: responses >= 400 are collected (64 KiB) even when
                              on_data is set; on_data does not see them */
  /* igt__mono_us at which it fails with IGT_E_TIMEOUT, in whatever state; 0: never. Not together
   * with an on_retry that lets it rest. */
  int64_t deadline_us;
  igt__cancel *cancel; /* borrowed, may be NULL */
  void *payload;       /* passed to the callbacks */

  /* Before each attempt: (re)builds URL and headers (igt__http_set_url, _add_header). Signing
   * happens here, so that each attempt has its own date. NULL: both are already set. */
  igt_status (*prepare)(igt__http_request *req, igt_error *err);
  /* After the final headers of a response < 400. Anything but IGT_OK fails the attempt with err. */
  igt_status (*on_headers)(igt__http_request *req, igt_error *err);
  /* Body bytes of a response < 400; NULL: collected into req->response. When a later attempt
   * delivers the body again from the start, on_restart is called first; it returns an error to
   * forbid that. */
  igt_status (*on_data)(igt__http_request *req, const char *data, size_t n, igt_error *err);
  igt_status (*on_restart)(igt__http_request *req, igt_error *err);
  /* A response >= 400: fills err->text, code, request_id from req->response (XML or JSON). err
   * already has status and http_status. NULL: a generic message. */
  void (*on_error_response)(igt__http_request *req, igt_error *err);
  /* After each failed attempt that may be retried; may change the decision (*retry). To wait for
   * new credentials, return true: the request then rests until igt__http_resume, cancelled or not.
   * Without this callback IGT__RETRY_CREDENTIALS is not retried. */
  bool (*on_retry)(igt__http_request *req, const igt_error *err, igt__retry *retry);
  /* Called once, last. err is valid during the call. The request may then be freed or submitted
   * again. */
  void (*on_done)(igt__http_request *req, igt_status status, const igt_error *err);
  /* Body bytes received, or sent and acknowledged, since the last call; may be NULL. Bytes moved by
   * a failed attempt are not subtracted. */
  void (*on_progress)(igt__http_request *req, uint64_t up, uint64_t down);

  /* ---- response ---- */
  int http_status;
  igt__buf response;      /* the collected body */
  int64_t content_length; /* -1: absent */
  int64_t server_date;    /* from Date, seconds since 1970; 0: absent */
  unsigned attempts;      /* so far */
  uint64_t bytes_sent;    /* body bytes of the last attempt */

  /* ---- set by the caller's callbacks ---- */
  /* Bytes that no later attempt needs to move again; only grows. An attempt that raises it by at
   * least IGT__PROGRESS_LEAST since the last check does not count against options.retries. */
  uint64_t kept;

  /* ---- private ---- */
  struct igt__http_private *priv;
};

/* Sets the defaults; body_fd is -1. Every initialised request must be finished. */
igt_status igt__http_request_init(igt__http_request *req, igt_error *err);
void igt__http_request_finish(igt__http_request *req); /* not between submit and done */
igt_status igt__http_set_url(igt__http_request *req, const char *url); /* copied */
void igt__http_clear_headers(igt__http_request *req);
/* Copies both. IGT_E_INVALID for a value with CR, LF or NUL. Values of headers with a secret name
 * (Authorization, X-JWT, X-CSRF-TOKEN, x-amz-security-token, Cookie) never reach the log. */
igt_status igt__http_add_header(igt__http_request *req, const char *name, const char *value);
/* Of the response; NULL when absent. nth selects among several (Set-Cookie), from 0. */
const char *igt__http_response_header(const igt__http_request *req, const char *name, size_t nth);
/* All of them: "name\0value\0" each, *n bytes. */
const char *igt__http_response_head(const igt__http_request *req, size_t *n);

/* Hands the request to loop `loop` (taken modulo the number of loops). Any thread. */
void igt__http_submit(igt__http *http, unsigned loop, igt__http_request *req);
/* Round robin, for callers without a preference. */
unsigned igt__http_any_loop(const igt__http *http);
/* Wakes a request that on_retry put to rest. status != IGT_OK fails it with err. Any thread. */
void igt__http_resume(igt__http *http, igt__http_request *req, igt_status status,
                      const igt_error *err);
/* Runs fn on a loop's thread, immediately or after a delay. Any thread. igt__http_free runs pending
 * calls without waiting for their delay. */
void igt__http_post_after(igt__http *http, unsigned loop, unsigned ms, void (*fn)(void *payload),
                          void *payload);
/* Same, with a preallocated post, which it takes over: cannot fail. NULL: as above, which waits
 * until memory is available. */
typedef struct igt__post igt__post;
igt__post *igt__http_post_new(void); /* NULL: no memory; free an unused one with igt__free */
void igt__http_post_with(igt__http *http, unsigned loop, igt__post *post, unsigned ms,
                         void (*fn)(void *payload), void *payload);

/* Blocking forms, for any thread but a loop's. */
igt_status igt__http_perform(igt__http *http, igt__http_request *req, igt_error *err);

/* Responses that a blocking caller reads in chunks. When the reader is slower than the network, up
 * to 256 KiB are buffered in memory, the rest in an unlinked temporary file; the connection is not
 * paused before that file reaches its limit (IGT__MAX_SPOOL). _open returns after the headers of a
 * response < 400; a body that breaks off afterwards is an error of _read (the request is not
 * retried then). */
typedef struct igt__http_stream igt__http_stream;
igt_status igt__http_open(igt__http *http, igt__http_request *req, uint64_t max_bytes,
                          igt__http_stream **out, igt_error *err);
/* *n == 0: end of the body. */
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
/* Adds https:// if there is no scheme. Rejects user info, query and fragment, and plain http to
 * anything but loopback, each with a message. */
igt_status igt__url_parse(const char *text, const char *what, igt__url *out, igt_error *err);
/* "https://host:port", without the port if it is the scheme's default. */
void igt__url_origin(const igt__url *url, char *out, size_t cap);
bool igt__url_same_origin(const igt__url *a, const igt__url *b);

/* libcurl, and what it was built with, as "libcurl/7.88.1 OpenSSL/3.0.15 ..."; "" if it cannot be
 * loaded. */
const char *igt__http_libraries(void);

#endif
