/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_RETRY_H
#define IGT_HTTP_RETRY_H

/* Back-off, and what a loop keeps for each host. */

#include "base/queue.h"
#include "http/http.h"

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

#endif
