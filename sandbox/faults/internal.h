/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_FAULTS_INTERNAL_H
#define SANDBOX_FAULTS_INTERNAL_H

/* Shared by the files of this folder. */

#include <pthread.h>

#include "faults/faults.h"
#include "faults/message.h"

/* Every kind of fault: where it applies, and for responses made here their status, the S3 code and
 * a message. docs/sandbox.md has a row for each, with the same names. */
#define FAULTS(X)                                                                                  \
  X(INTERNAL_ERROR, "internal-error", RESPONSE, 500, "InternalError", "Internal error; try again") \
  X(BAD_GATEWAY, "bad-gateway", RESPONSE, 502, NULL, "Bad Gateway")                                \
  X(UNAVAILABLE, "unavailable", RESPONSE, 503, "ServiceUnavailable",                               \
    "Unavailable; try again later")                                                                \
  X(SLOW_DOWN, "slow-down", RESPONSE, 503, "SlowDown", "Please reduce your request rate")          \
  X(GATEWAY_TIMEOUT, "gateway-timeout", RESPONSE, 504, NULL, "Gateway Timeout")                    \
  X(TOO_MANY, "too-many", RESPONSE, 429, "TooManyRequests", "Too many requests")                   \
  X(UNAUTHORIZED, "unauthorized", RESPONSE, 401, "AccessDenied", "The token is no longer valid")   \
  X(FORBIDDEN, "forbidden", RESPONSE, 403, "AccessDenied", "Access Denied")                        \
  X(EXPIRED_TOKEN, "expired-token", RESPONSE, 403, "ExpiredToken", "The token has expired")        \
  X(TOO_SKEWED, "too-skewed", RESPONSE, 403, "RequestTimeTooSkewed", "The clocks differ too much") \
  X(COMPLETE_ERROR, "complete-error", RESPONSE, 200, "InternalError", "Internal error; try again") \
  X(REDIRECT, "redirect", RESPONSE, 307, NULL, "Temporary Redirect")                               \
  X(PROXY_PAGE, "proxy-page", RESPONSE, 200, NULL, "Sign in to the network")                       \
  X(PROXY_LOGIN, "proxy-login", RESPONSE, 407, NULL, "Proxy Authentication Required")              \
  X(REFUSE, "refuse", BEFORE, 0, NULL, NULL)                                                       \
  X(RESET, "reset", BEFORE, 0, NULL, NULL)                                                         \
  X(RESET_IN_REQUEST, "reset-in-request", REQUEST, 0, NULL, NULL)                                  \
  X(FLIP_IN_REQUEST, "flip-in-request", REQUEST, 0, NULL, NULL)                                    \
  X(REPLACE, "replace", REQUEST, 0, NULL, NULL)                                                    \
  X(LOST_RESPONSE, "lost-response", HEAD, 0, NULL, NULL)                                           \
  X(RESET_IN_HEADERS, "reset-in-headers", HEAD, 0, NULL, NULL)                                     \
  X(SILENCE, "silence", HEAD, 0, NULL, NULL)                                                       \
  X(WRONG_ETAG, "wrong-etag", HEAD, 0, NULL, NULL)                                                 \
  X(WRONG_CHECKSUM, "wrong-checksum", HEAD, 0, NULL, NULL)                                         \
  X(NO_CHECKSUM, "no-checksum", HEAD, 0, NULL, NULL)                                               \
  X(RESET_IN_BODY, "reset-in-body", BODY, 0, NULL, NULL)                                           \
  X(SHORT_BODY, "short-body", BODY, 0, NULL, NULL)                                                 \
  X(LONG_BODY, "long-body", BODY, 0, NULL, NULL)                                                   \
  X(FLIP, "flip", BODY, 0, NULL, NULL)                                                             \
  X(TRICKLE, "trickle", BODY, 0, NULL, NULL)

typedef enum fault_kind {
  FAULT_NONE,
#define X(name, text, stage, status, code, sentence) FAULT_##name,
  FAULTS(X)
#undef X
} fault_kind;

/* The stage of a request at which a fault applies. */
typedef enum fault_stage {
  FAULT_AT_RESPONSE, /* the front responds, the cloud receives nothing */
  FAULT_AT_BEFORE,   /* no response, the cloud receives nothing */
  FAULT_AT_REQUEST,  /* before or during the request to the cloud */
  FAULT_AT_HEAD,     /* in the cloud's response, before its body */
  FAULT_AT_BODY
} fault_stage;

/* The fault that applies to a request. */
typedef struct fault {
  fault_kind kind;
  int status;      /* 0: the kind's default */
  int retry_after; /* seconds; -1: not given */
  int64_t at;      /* offset in the body, from 0; -1: not given */
  int64_t by;      /* bytes */
  double seconds;
  double per_second; /* bytes per second */
  char to[256];      /* a URL */
} fault;

/* ---- plan.c ---- */

typedef struct fault_plan fault_plan;

fault_plan *fault_plan_new(void);
void fault_plan_free(fault_plan *plan);
/* Adds the faults of a list: all or none. */
bool fault_plan_add(fault_plan *plan, const igt__json *list, char *error, size_t error_cap);
void fault_plan_clear(fault_plan *plan);
/* The remaining faults, with how often each was used. */
igt__json *fault_plan_list(fault_plan *plan);
/* The fault of a request; out->kind is FAULT_NONE for most. in_flight includes this request. */
void fault_plan_take(fault_plan *plan, const char *method, const char *path, const char *query,
                     unsigned in_flight, fault *out);

const char *fault_name(fault_kind kind);
fault_stage fault_stage_of(fault_kind kind);

/* ---- log.c ---- */

typedef struct request_log request_log;

request_log *request_log_new(void);
void request_log_free(request_log *log);
/* Returns the entry's number. */
size_t request_log_begin(request_log *log, uint64_t from, const head *request);
/* Requests that have started and not finished. */
unsigned request_log_in_flight(request_log *log);
/* Records the fault that applies to the request. */
void request_log_strike(request_log *log, size_t number, fault_kind kind);
/* The first call for an entry says that the request is no longer in flight, later ones correct the
 * numbers. */
void request_log_end(request_log *log, size_t number, bool first, int status, uint64_t bytes_in,
                     uint64_t bytes_out);
igt__json *request_log_list(request_log *log);
/* Drops finished entries; running ones still count but are not listed. */
void request_log_clear(request_log *log);

/* ---- front.c ---- */

struct sbx_front {
  sbx_server *server;
  fault_plan *plan;
  request_log *log;
  uint16_t port, behind;
  int placeholder; /* reserves the port while there is no listener */
  int listener;    /* used by the accepting thread only; -1: refusing */
  int wake[2];
  pthread_t thread;
  bool started;

  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* guarded by lock */
  struct connection *connections;
  unsigned connection_count;
  uint64_t next_number;
  int64_t refuse_until; /* igt__mono_us */
  unsigned releases;    /* how often the faults were deleted: ends silences */
  bool refusing, stopping;
};

typedef struct connection {
  sbx_front *front;
  struct connection *next, **prev;
  uint64_t number;
  wire client, cloud; /* cloud.fd is -1 when not connected */
  bool idle;          /* guarded by the front's lock: no request in progress */
  head request, response;
  fault fault;
  size_t entry;
  bool in_flight;    /* the entry is not complete */
  unsigned releases; /* front_releases before the fault was taken */
  int status;
  uint64_t bytes_in, bytes_out;
} connection;

/* Closes the port and idle connections for a while; returns when that is done. */
void front_refuse(sbx_front *front, double seconds);
bool front_is_stopping(sbx_front *front);
/* Ends silences that have begun. */
void front_release(sbx_front *front);
unsigned front_releases(sbx_front *front);
/* Waits until what clients sent before they disconnected was read, and their requests are complete
 * in the log: after the end of a program, and after the end of a killed one, the log has all that
 * it did. Other clients' requests are not waited for. */
void front_settle(sbx_front *front, const connection *asking);

/* ---- exchange.c ---- */

typedef enum ending { END_KEEP, END_CLOSE, END_RESET } ending;

/* Handles one request. END_KEEP: the client may send another one. */
ending exchange_run(connection *c);
/* Waits, not longer than until the faults are deleted; false: the client has disconnected or the
 * sandbox is stopping. */
bool exchange_pause(connection *c, double seconds);
/* Reads and discards the rest of the request's body. */
bool exchange_drain(connection *c, body *from);
/* Completes the log entry. Called before the last `more` bytes of the response go out, so that who
 * has received it finds it in the log. */
void exchange_log(connection *c, uint64_t more);

/* ---- response.c ---- */

/* Responds to the request in c in place of the cloud. */
ending response_fault(connection *c);
/* Sends a response of the sandbox itself. */
ending response_json(connection *c, int status, const igt__json *doc, const char *error);

/* ---- control.c ---- */

bool control_is_for(const head *request);
ending control_run(connection *c);

/* ---- replace.c ---- */

/* Overwrites the object of an S3 path with as many different bytes. */
bool replace_object(sbx_server *server, const char *path);

#endif
