/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SCHED_H
#define IGT_TRANSFER_SCHED_H

/* The scheduler of a transfer; it owns the total number of connections. A job (a file) hands out
 * parts (the whole file, or one range or part); queues (studies) get turns round-robin, so that a
 * large study does not starve small ones, and so do the jobs of a queue, so that a large file does
 * not starve its neighbours. Thread-safe. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct igt__sched igt__sched;
typedef struct igt__sched_queue igt__sched_queue; /* a group's queue in the scheduler */
typedef struct igt__job igt__job;

struct igt__job {
  igt__sched_queue *queue; /* set by igt__sched_add */
  igt__job *next;          /* the scheduler's */
  bool queued, begun;
  /* Bytes that each of its parts transfers, at most; 0: few. The number of concurrent parts depends
   * on it (flow.h). Changed only while no part of the job is queued or running. */
  uint64_t weight;
  /* Under the scheduler's lock: the next part to start; *more: whether others follow. False: none
   * at the moment (igt__sched_more queues the job again). */
  bool (*take)(igt__job *job, unsigned *part, bool *more);
  /* Outside the lock, on whatever thread freed the slot; must not block. */
  void (*start)(igt__job *job, unsigned part);
  /* Called instead of a start, after igt__sched_stop: must call igt__sched_job_done. */
  void (*drop)(igt__job *job);
};

/* Parts in flight in total: `slots` at first, up to `most` while that helps (pace.h), and fewer
 * where large ones share a slow line (flow.h). jobs_per_queue: concurrent files of one group, 0:
 * unlimited. */
igt__sched *igt__sched_new(unsigned slots, unsigned most, unsigned jobs_per_queue);
void igt__sched_free(igt__sched *sched); /* all queues must be closed */

/* settled(payload) is called once, when the queue is closed and all its jobs are done. */
igt__sched_queue *igt__sched_open(igt__sched *sched, void (*settled)(void *payload), void *payload);
void igt__sched_close(igt__sched *sched, igt__sched_queue *queue);

/* Adds a job to the queue. */
void igt__sched_add(igt__sched *sched, igt__sched_queue *queue, igt__job *job);
/* The job has parts to start again. */
void igt__sched_more(igt__sched *sched, igt__job *job);
/* Bytes were transferred. May start parts: do not call it with a lock that `take` needs. */
void igt__sched_moved(igt__sched *sched, uint64_t bytes);
/* A part broke off, and the bytes that it had transferred are lost. */
void igt__sched_lost(igt__sched *sched);
/* An earlier run stored none of its parts: see igt__flow_go_alone. */
void igt__sched_go_alone(igt__sched *sched);
/* Current rate of all parts together in bytes per second; 0: not known yet. */
double igt__sched_rate(igt__sched *sched);
/* The store asks for fewer concurrent requests. */
void igt__sched_slow_down(igt__sched *sched);
unsigned igt__sched_slots(igt__sched *sched); /* current limit of parts in flight */
/* A part ended: its slot is free. weight: the job's when the part started. */
void igt__sched_part_done(igt__sched *sched, uint64_t weight);
/* The job ended (no part of it runs or is queued); it may be freed afterwards. */
void igt__sched_job_done(igt__sched *sched, igt__job *job);

/* Waits until fewer than `below` jobs are queued or running, or give_up returns true: producers
 * wait while the number is high. */
void igt__sched_wait_backlog(igt__sched *sched, size_t below, bool (*give_up)(void *), void *arg);
/* From now on jobs that have not started are dropped, including those added later. */
void igt__sched_stop(igt__sched *sched);

#endif
