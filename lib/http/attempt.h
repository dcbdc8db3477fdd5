/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_ATTEMPT_H
#define IGT_HTTP_ATTEMPT_H

/* One attempt of a request: an exchange with curl on a slot. On the loop's thread only. */

#include "base/queue.h"
#include "http/head.h"
#include "http/internal.h"
#include "http/response.h"
#include "http/timer.h"

typedef struct igt__attempt igt__attempt;

/* An easy handle and its settings, reused by successive attempts. */
typedef struct igt__slot {
  struct igt__slot *next; /* in the list of free slots */
  CURL *easy;
  /* Of the current attempt. CURLINFO_ACTIVESOCKET is available only after it ends. */
  curl_socket_t fd;
  uint64_t mark;         /* igt__os_mark_received, when this slot began to use fd */
  igt__attempt *attempt; /* NULL: free */
  char why[CURL_ERROR_SIZE];
} igt__slot;

igt_status igt__slot_open(igt__slot *slot, const igt__http *http, igt_error *err);
void igt__slot_close(igt__slot *slot);

/* The attempts of a loop that are paused by the rate limit or by a full spool, in FIFO order. */
typedef struct igt__pauses {
  IGT__QUEUE(igt__attempt) waiting;
  igt__timers *timers;
  igt__timer timer;
  void (*on_failed)(igt__attempt *attempt, CURLcode code); /* when it was to continue */
} igt__pauses;

void igt__pauses_init(igt__pauses *pauses, igt__timers *timers,
                      void (*on_failed)(igt__attempt *attempt, CURLcode code));

struct igt__attempt {
  igt__http_request *req;
  igt__http *http;
  igt__head *head; /* of the request */
  igt__pauses *pauses;
  igt__slot *slot;    /* NULL: not running */
  igt__attempt *next; /* in pauses */

  igt__url origin;
  char host[300];  /* label of origin, for messages */
  bool sent;       /* connected, and the request began to leave */
  bool whole_body; /* curl has the whole body, instead of reading it by callback */
  bool waiting;    /* in pauses */
  bool full;       /* because of a full spool */
  unsigned paused; /* CURLPAUSE_ bits */
  uint64_t body_pos;
  uint64_t up, down; /* bytes moved, including the response's headers */
  uint64_t reported; /* body bytes reported by on_progress */
  int64_t began_at;
  struct { /* see igt__attempt_is_idle */
    uint64_t moved, crawl_moved;
    int64_t at, crawl_at;
    bool crawls; /* it failed for moving too slowly */
  } idle;
  igt__response response;
  igt_error err; /* why it failed */
};

/* The slot is free and open; it is taken when the caller has added it to curl. */
igt_status igt__attempt_begin(igt__attempt *attempt, igt__slot *slot, igt_error *err);
/* It ended: reports the rest of the body as sent. */
void igt__attempt_note_sent(igt__attempt *attempt, CURLcode code);
/* The TLS handshake failed, or what it needs, such as the trusted certificates. */
bool igt__attempt_failed_in_tls(CURLcode code);
/* It failed in the way in which servers without free connections refuse new ones. */
bool igt__attempt_was_refused(const igt__attempt *attempt, CURLcode code);
/* Whether requests of this method follow redirects: with any other one it might be another request,
 * or be done twice (RFC 9110 15.4). */
bool igt__may_follow(const char *method);
void igt__attempt_unpause(igt__attempt *attempt); /* it ends */
/* Less than 1 byte/s in both directions for the idle timeout, or less than IGT__MIN_RATE for much
 * longer (idle.crawls). */
bool igt__attempt_is_idle(igt__attempt *attempt, int64_t now);

#endif
