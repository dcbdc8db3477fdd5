/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SCHED_H
#define IGT_TRANSFER_SCHED_H

/* The one scheduler of a transfer: it owns the number of connections in all. Work (a file) gives
 * out pieces (the whole file, or one range or part); groups (studies) get turns round-robin, so
 * that a large study does not starve small ones, and the works of a group among themselves, so
 * that a large file does not starve its neighbours. Thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct igt__sched igt__sched;
typedef struct igt__sched_queue igt__sched_queue; /* a group's place in the scheduler */
typedef struct igt__job igt__job;

struct igt__job {
  igt__sched_queue *queue; /* set by igt__sched_add */
  igt__job *next;          /* the scheduler's */
  bool queued, begun;
  /* Bytes that each of its pieces moves over the line, at most; 0: few. How many run at once
   * depends on it (flow.h). Changed only while none of them is queued or runs. */
  uint64_t weight;
  /* Under the scheduler's lock: the next piece to start; *more says whether there are others
   * after it. False: none just now (igt__sched_more brings the work back). */
  bool (*take)(igt__job *job, unsigned *part, bool *more);
  /* Outside the lock, on whatever thread freed the slot; must not block. */
  void (*start)(igt__job *job, unsigned part);
  /* Instead of being begun, after igt__sched_stop: ends with igt__sched_job_done. */
  void (*drop)(igt__job *job);
};

/* Pieces in flight in all: `slots` at first, up to `most` while more help (pace.h), and fewer where
 * large ones share a slow line (flow.h).
 * jobs_per_queue: files of one group at once, 0: no cap. */
igt__sched *igt__sched_new(unsigned slots, unsigned most, unsigned jobs_per_queue);
void igt__sched_free(igt__sched *sched); /* all lanes are gone by then */

/* settled(payload) is called once, when the lane was closed and all its works are done. */
igt__sched_queue *igt__sched_open(igt__sched *sched, void (*settled)(void *payload), void *payload);
void igt__sched_close(igt__sched *sched, igt__sched_queue *queue);

/* A new work of the lane. */
void igt__sched_add(igt__sched *sched, igt__sched_queue *queue, igt__job *job);
/* The work has pieces again. */
void igt__sched_more(igt__sched *sched, igt__job *job);
/* Bytes came or went. May start pieces: not to be called with a lock that `take` needs. */
void igt__sched_moved(igt__sched *sched, uint64_t bytes);
/* A piece broke off, and what it had moved is lost. */
void igt__sched_lost(igt__sched *sched);
/* Bytes per second of all pieces together, of late; 0: not known yet. */
double igt__sched_rate(igt__sched *sched);
/* The store wants fewer requests at once. */
void igt__sched_slow_down(igt__sched *sched);
unsigned igt__sched_slots(igt__sched *sched); /* as many may be in flight now */
/* A piece ended: its slot is free. weight: the work's when the piece began. */
void igt__sched_part_done(igt__sched *sched, uint64_t weight);
/* The work ended (no piece of it runs, none is queued); it may be freed afterwards. */
void igt__sched_job_done(igt__sched *sched, igt__job *job);

/* Works that are queued or under way, in all; producers wait while there are many. */
size_t igt__sched_backlog(igt__sched *sched);
void igt__sched_wait_backlog(igt__sched *sched, size_t below, bool (*give_up)(void *), void *arg);
/* From now on works that were not begun are dropped, also those that are added later. */
void igt__sched_stop(igt__sched *sched);

#endif
