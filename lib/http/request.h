/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_REQUEST_H
#define IGT_HTTP_REQUEST_H

/* The life of a request on its loop. */

#include "base/thread.h"
#include "http/attempt.h"
#include "http/requests.h"
#include "http/retry.h"

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
  igt__loop *loop;                /* that it was submitted to */
  igt__requests *requests;        /* of that loop */
  struct igt__http_private *next; /* in a queue: inbox (under the loop's lock), ready, or parked */
  struct igt__http_private *all_next, **all_prev;
  igt__http_state state;
  igt__timer timer;    /* of a back-off */
  igt__timer deadline; /* of req->deadline_us */
  igt__head head;
  igt__attempt attempt;       /* the current one, or the last */
  igt__http_host *host_state; /* of the URL's host, once known */
  bool parked;                /* in the host's queue, not in the loop's */

  /* over all attempts */
  bool renewed;          /* credentials were refreshed; once per request */
  bool progressed;       /* by the last attempt */
  unsigned retries_done; /* since the last progress */
  uint64_t kept_before;  /* value of req->kept at the last progress */
  int64_t progress_at;   /* time of the last progress, or of the submit */
  unsigned redirects;
  int taken; /* from the retry budget, by the last retry */
  bool resumed;
  igt_status resume_status;

  /* what waits for it, instead of on_done */
  atomic_bool abort;           /* set by igt__http_close */
  igt__completion *completion; /* of a thread in igt__http_perform */
  igt__spool *spool;           /* of a stream */
};

/* The request of an attempt. */
struct igt__http_private *igt__request_of(const igt__attempt *attempt);
/* How it enters and leaves its loop. */
void igt__request_accept(struct igt__http_private *priv);
void igt__request_resume(struct igt__http_private *priv);
void igt__request_start(struct igt__http_private *priv, igt__slot *slot);
void igt__request_ended(struct igt__http_private *priv, CURLcode code);
/* Ends it now, in any state; a resting request only when the loop stops. */
void igt__request_end(struct igt__http_private *priv, igt_status status);
bool igt__request_is_cancelled(const struct igt__http_private *priv);

void igt__requests_trim(void); /* frees what is kept for the next request */

#endif
