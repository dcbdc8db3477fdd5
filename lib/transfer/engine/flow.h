/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FLOW_H
#define IGT_TRANSFER_FLOW_H

/* How many bytes may be in flight, by the rate at which bytes move. pace.h bounds the number of
 * requests; this keeps large parts from sharing a slow line, on which none of them would finish
 * before the connection breaks. Not thread-safe: the scheduler's lock guards it. */

#include <stdbool.h>
#include <stdint.h>

#define IGT__FLOW_WINDOWS 8

typedef struct igt__flow {
  unsigned most; /* `wide` never exceeds it */
  /* in flight: parts that move bytes, large ones among them, and the bytes of all */
  unsigned running, heavy;
  uint64_t in_flight;
  /* the rate: bytes per second of the last windows in which anything moved */
  double recent[IGT__FLOW_WINDOWS];
  unsigned windows; /* number of measurements */
  int64_t window_at;
  uint64_t window_bytes;
  uint64_t burst;   /* bytes to come that only fill buffers in transit */
  int64_t began_at; /* the first part; 0: none yet */
  int64_t last_at;  /* the last one that started before any byte moved */
  int64_t lag_us;   /* from then to the first byte; 0: none yet */
  /* parts that may run whatever the rate, and the attempt to raise their number */
  unsigned wide;
  unsigned wide_before; /* 0: no attempt in progress */
  double rate_before;   /* `wide` without the additional parts */
  double proved;        /* the rate that `wide` was last seen to reach */
  int64_t mark_at;      /* measured from here on */
  uint64_t mark_bytes;
  int64_t hold_until, hold_us;
  int64_t lost_at;
  unsigned losing;     /* lost parts that have not finished yet */
  unsigned ended_well; /* large ones, since the last loss */
  uint64_t since_loss; /* bytes: what ended without any was a request before the first part */
  bool alone;          /* two concurrent parts were lost and none succeeded */
  bool waiting;        /* a part was refused since */
} igt__flow;

void igt__flow_init(igt__flow *flow, unsigned most, int64_t now_us);
/* A part of this size may start, because the line is fast enough for it beside the others; */
bool igt__flow_fits(const igt__flow *flow, uint64_t bytes, int64_t now_us);
/* or because few are in flight. */
bool igt__flow_has_place(const igt__flow *flow, uint64_t bytes, int64_t now_us);
/* It had to wait: more concurrent parts may be tried. */
void igt__flow_refused(igt__flow *flow, int64_t now_us);
void igt__flow_begin(igt__flow *flow, uint64_t bytes, int64_t now_us);
void igt__flow_moved(igt__flow *flow, uint64_t bytes, int64_t now_us);
void igt__flow_end(igt__flow *flow, uint64_t bytes, int64_t now_us);
/* The bytes that a part had moved are lost with its connection. */
void igt__flow_lost(igt__flow *flow, int64_t now_us);
/* One large part at a time, until its loss or a gain by several shows otherwise: an earlier run
 * ended with several in flight and stored none. */
void igt__flow_go_alone(igt__flow *flow);
/* Bytes per second; 0: not known yet. */
double igt__flow_rate(const igt__flow *flow, int64_t now_us);

#endif
