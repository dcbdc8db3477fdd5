/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_REQUESTS_H
#define IGT_HTTP_REQUESTS_H

/* The requests and slots of a loop; on its thread only. */

#include "http/attempt.h"
#include "http/retry.h"

typedef struct igt__requests {
  const igt__http *http;
  CURLM *multi;
  igt__timers timers;
  igt__request_queue ready;      /* waiting for a slot */
  struct igt__http_private *all; /* every request between submit and done */
  size_t cancellable;            /* how many of them have a cancel flag or a stream */
  igt__pauses pauses;
  igt__slot *slots, *free_slots;
  size_t slot_count, running;
  igt__http_host *hosts;
  bool stopping; /* nothing new is started */
} igt__requests;

/* False: no memory. */
bool igt__requests_init(igt__requests *requests, const igt__http *http, size_t slots);
void igt__requests_finish(igt__requests *requests); /* all requests have ended */

void igt__requests_link(igt__requests *requests, struct igt__http_private *priv);
void igt__requests_unlink(igt__requests *requests, struct igt__http_private *priv);

/* Puts it at the end of the queue. */
void igt__requests_make_ready(struct igt__http_private *priv);
/* Its host's window is full: it becomes ready once the host has fewer running requests. */
void igt__requests_park(struct igt__http_private *priv);
void igt__requests_leave(struct igt__http_private *priv); /* the queue that it is in */

/* An open slot, which stays in the list until it is taken; NULL: no memory. There must be a free
 * one. */
igt__slot *igt__requests_open_slot(igt__requests *requests);
/* Hands the slot to curl for the request, whose attempt has begun. False: no memory. */
bool igt__requests_take_slot(struct igt__http_private *priv, igt__slot *slot);
/* Back from curl; lets parked requests of the host become ready. No effect without a slot. */
void igt__requests_release_slot(struct igt__http_private *priv);

#endif
