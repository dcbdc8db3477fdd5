/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_INTERNAL_H
#define IGT_HTTP_INTERNAL_H

/* The igt__http object, and the small parts of this layer that have no header of their own. */

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

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

void igt__curl_init(void);
void igt__curl_trim(void); /* frees the buffers kept for the next request */

/* ---- proxy.c ---- */

/* Read once, when the igt__http is created; "" if there is none. */
typedef struct igt__proxies {
  char *http, *https;                     /* URLs, perhaps with a password */
  char *none;                             /* the hosts of no_proxy */
  char http_source[64], https_source[64]; /* where they come from, for messages */
  bool by_system; /* neither option nor variable: the system's settings count */
} igt__proxies;

/* option: the proxy's URL, "" or "none" for none, NULL for the usual variables; source: where it
 * was set, NULL: --proxy. IGT_E_INVALID: the option is not the URL of a proxy. */
igt_status igt__proxies_read(const char *option, const char *source, igt__proxies *proxies,
                             igt_error *err);
void igt__proxies_finish(igt__proxies *proxies);
/* os/: false while the user's settings are asked for the URL's proxy, on another thread: try again
 * soon. Called by loops. */
bool igt__proxy_is_known(const char *url);
/* The proxy of the user's settings for a URL, "": none. Called by loops, once it is known. */
void igt__proxy_ask_system(const char *url, char *out, size_t cap);
/* Signs in to proxies that ask for it as the user who is signed in to the system, if it can.
 * tunnel: the requests go through a CONNECT. */
CURLcode igt__proxy_use_login(CURL *easy, const char *proxy, bool tunnel);
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

/* ---- trust.c ---- */

/* What servers' certificates are compared with. Without file and dir no server is trusted. */
typedef struct igt__trust {
  char *file, *dir; /* NULL: none */
  char *pem;        /* content of file if it is a pipe, which can be read only once; else NULL */
  size_t pem_size;
  bool by_system;  /* neither: the system judges each chain */
  char label[320]; /* for messages: the path and who named it */
} igt__trust;

/* ca_file: the user's, or NULL. *trust is empty; igt__trust_finish frees it, also after an error:
 * IGT_E_NO_FILE and the other errors of opening what the user named. */
igt_status igt__trust_find(const char *ca_file, igt__trust *trust, igt_error *err);
void igt__trust_finish(igt__trust *trust);

/* os/: the system's own certificates. IGT_OK also without any. */
igt_status igt__trust_use_system(igt__trust *trust, igt_error *err);
/* Has the system judge the chains of this handle's servers, if trust->by_system. */
CURLcode igt__trust_ask_system(CURL *easy);

/* ---- http.c ---- */

typedef struct igt__loop igt__loop;

struct igt__http {
  igt__loop *loops;
  unsigned loop_count;
  _Atomic unsigned blocking; /* callers that wait for a request, or read a stream */
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

/* Submits the request of a caller that waits for it, who may drive the loop until
 * is_enough(payload) (loop.h). It calls igt__http_end_blocking when it has what it waited for. */
void igt__http_submit_blocking(igt__http *http, igt__http_request *req,
                               bool (*is_enough)(const void *payload), const void *payload);
void igt__http_end_blocking(igt__http *http);

#endif
