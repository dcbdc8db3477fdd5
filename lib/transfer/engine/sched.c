/* SPDX-License-Identifier: MIT */
/* The scheduler's queues. Queues with waiting jobs form a ring; each turn takes the next queue, its
 * next job, and one part of that job, while slots are free (pace.c adapts their number) and the
 * line has capacity for a part of that weight (flow.c). pump() starts parts without holding the
 * lock; one thread at a time pumps, and others that free a slot meanwhile leave it to that one.
 * Fetches, sends and comparisons add their jobs here. */
#include "transfer/engine/sched.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/thread.h"
#include "transfer/engine/flow.h"
#include "transfer/engine/pace.h"

/* How often moved bytes are evaluated: on a good line the first 10 ms show that it is good. */
#define LOOK_US 5000
/* How often a waiting producer checks whether it is to give up. */
#define GIVE_UP_MS 100

struct igt__sched_queue {
  igt__sched_queue *next; /* in the ring of queues with waiting jobs */
  IGT__QUEUE(igt__job) jobs;
  bool in_ring, closed;
  unsigned active;    /* jobs started and not done */
  size_t outstanding; /* jobs added and not done */
  void (*settled)(void *payload);
  void *payload;
};

struct igt__sched {
  pthread_mutex_t lock;
  pthread_cond_t drained; /* the backlog has fallen to `low` */
  IGT__QUEUE(igt__sched_queue) ring;
  igt__pace pace;
  igt__flow flow;
  unsigned running, jobs_per_queue;
  _Atomic uint64_t moved;  /* since the last part */
  _Atomic uint64_t flowed; /* since the last evaluation */
  _Atomic int64_t looked_at;
  size_t backlog;
  size_t low; /* producers are woken when the backlog is down to this; 0: none waits */
  bool pumping, stopped;
  bool refused;          /* a job waits for the line */
  unsigned queued_begun; /* queued jobs with parts left */
  unsigned leaving; /* threads that have released something and are looking for the next part */
  pthread_cond_t left;
};

igt__sched *igt__sched_new(unsigned slots, unsigned most, unsigned jobs_per_queue) {
  igt__sched *sched = igt__calloc(1, sizeof *sched);

  if (!sched)
    return NULL;
  (void)pthread_mutex_init(&sched->lock, NULL);
  igt__cond_init(&sched->drained);
  (void)pthread_cond_init(&sched->left, NULL);
  igt__queue_init(&sched->ring);
  igt__pace_init(&sched->pace, slots, most, igt__mono_us());
  igt__flow_init(&sched->flow, most, igt__mono_us());
  sched->jobs_per_queue = jobs_per_queue;
  return sched;
}

/* The benchmark reads it: what the available connections would have allowed. */
static void log_pace(const igt__pace *pace) {
  if (pace->first_us)
    IGT__INFO(
        IGT_LOG_TRANSFER,
        "concurrent requests: %.1f on average in %.3f s from the first to the last, %u at the end",
        igt__pace_average(pace), (double)(pace->last_us - pace->first_us) / 1e6, pace->slots);
}

void igt__sched_free(igt__sched *sched) {
  if (!sched)
    return;
  /* The last file is reported before its thread is done here. */
  pthread_mutex_lock(&sched->lock);
  while (sched->running || sched->leaving)
    (void)pthread_cond_wait(&sched->left, &sched->lock);
  pthread_mutex_unlock(&sched->lock);
  log_pace(&sched->pace);
  (void)pthread_cond_destroy(&sched->left);
  (void)pthread_cond_destroy(&sched->drained);
  (void)pthread_mutex_destroy(&sched->lock);
  igt__free(sched);
}

/* ---- the ring and the jobs of a queue ---- */

static void ring_add_locked(igt__sched *sched, igt__sched_queue *queue) {
  if (queue->in_ring || !queue->jobs.first)
    return;
  queue->in_ring = true;
  igt__queue_add(&sched->ring, queue);
}

static igt__sched_queue *ring_take_locked(igt__sched *sched) {
  igt__sched_queue *queue = igt__queue_take(&sched->ring);

  if (queue)
    queue->in_ring = false;
  return queue;
}

static void ring_remove_locked(igt__sched *sched, igt__sched_queue *queue) {
  if (queue->in_ring)
    (void)igt__queue_remove(&sched->ring, queue);
  queue->in_ring = false;
}

static void queue_locked(igt__sched *sched, igt__sched_queue *queue, igt__job *job) {
  if (job->queued)
    return;
  job->queued = true;
  sched->queued_begun += job->begun;
  igt__queue_add(&queue->jobs, job);
}

/* On a slow line a large part waits until those in flight are done; small ones continue. A started
 * file continues before another one starts: one complete file is worth more than two halves. */
static bool fits_locked(igt__sched *sched, const igt__job *job, int64_t now) {
  if (sched->stopped || igt__flow_fits(&sched->flow, job->weight, now))
    return true;
  if ((job->begun || sched->queued_begun == 0) &&
      igt__flow_has_place(&sched->flow, job->weight, now))
    return true;
  sched->refused = true;
  return false;
}

/* The first job that may have a turn: a started one, or a new one below the limit. */
static void unqueue_locked(igt__sched *sched, igt__sched_queue *queue, igt__job *job) {
  (void)igt__queue_remove(&queue->jobs, job);
  job->queued = false;
  sched->queued_begun -= job->begun;
}

static igt__job *dequeue_locked(igt__sched *sched, igt__sched_queue *queue, int64_t now) {
  bool may_begin = sched->jobs_per_queue == 0 || queue->active < sched->jobs_per_queue;

  igt__job *job = queue->jobs.first;

  while (job && ((!job->begun && !may_begin && !sched->stopped) || !fits_locked(sched, job, now)))
    job = job->next;
  if (job)
    unqueue_locked(sched, queue, job);
  return job;
}

/* ---- dispatching parts ---- */

struct turn {
  igt__job *job;
  unsigned part;
  bool drop;
};

static bool queue_turn_locked(igt__sched *sched, igt__sched_queue *queue, struct turn *turn,
                              int64_t now) {
  igt__job *job;

  while ((job = dequeue_locked(sched, queue, now)) != NULL) {
    bool more = false;
    if (sched->stopped && !job->begun) {
      *turn = (struct turn){job, 0, true};
      return true;
    }
    if (!job->take(job, &turn->part, &more))
      continue;
    if (!job->begun) {
      job->begun = true;
      queue->active++;
    }
    if (more)
      queue_locked(sched, queue, job);
    turn->job = job;
    turn->drop = false;
    return true;
  }
  return false;
}

static void begin_locked(igt__sched *sched, const igt__job *job, int64_t now) {
  if (sched->running++ == 0)
    igt__pace_begin(&sched->pace, now);
  igt__flow_begin(&sched->flow, job->weight, now);
}

/* Queues whose jobs all wait for the line stay in the ring. */
static bool next_turn_locked(igt__sched *sched, struct turn *turn) {
  igt__sched_queue *first_back = NULL;
  int64_t now = igt__mono_us();

  sched->refused = false;
  if (sched->running >= sched->pace.slots && !sched->stopped)
    return false;
  while (sched->ring.first && sched->ring.first != first_back) {
    igt__sched_queue *queue = ring_take_locked(sched);
    bool refused = sched->refused;
    sched->refused = false;
    if (queue_turn_locked(sched, queue, turn, now)) {
      ring_add_locked(sched, queue);
      if (!turn->drop)
        begin_locked(sched, turn->job, now);
      return true;
    }
    if (sched->refused) {
      ring_add_locked(sched, queue);
      first_back = first_back ? first_back : queue;
    } /* else it returns with a new job, or when one of its jobs is done */
    sched->refused = sched->refused || refused;
  }
  if (sched->refused)
    igt__flow_refused(&sched->flow, now);
  return false;
}

/* Starts what can be started. One thread at a time does so; another thread that frees a slot
 * meanwhile leaves it to that one, which checks again before it returns. */
static void pump(igt__sched *sched) {
  struct turn turn;

  pthread_mutex_lock(&sched->lock);
  if (!sched->pumping) {
    sched->pumping = true;
    while (next_turn_locked(sched, &turn)) {
      pthread_mutex_unlock(&sched->lock);
      if (turn.drop)
        turn.job->drop(turn.job);
      else
        turn.job->start(turn.job, turn.part);
      pthread_mutex_lock(&sched->lock);
    }
    sched->pumping = false;
  }
  pthread_mutex_unlock(&sched->lock);
}

/* leaving was incremented with the last release. */
static void pump_and_leave(igt__sched *sched) {
  pump(sched);
  pthread_mutex_lock(&sched->lock);
  sched->leaving--;
  if (!sched->leaving && !sched->running)
    pthread_cond_signal(&sched->left);
  pthread_mutex_unlock(&sched->lock);
}

/* ---- queues and jobs ---- */

igt__sched_queue *igt__sched_open(igt__sched *sched, void (*settled)(void *payload),
                                  void *payload) {
  igt__sched_queue *queue = igt__calloc(1, sizeof *queue);

  (void)sched;
  if (!queue)
    return NULL;
  igt__queue_init(&queue->jobs);
  queue->settled = settled;
  queue->payload = payload;
  return queue;
}

static void settle(igt__sched_queue *queue) {
  void (*settled)(void *) = queue->settled;
  void *payload = queue->payload;

  igt__free(queue);
  settled(payload);
}

void igt__sched_close(igt__sched *sched, igt__sched_queue *queue) {
  bool over;

  pthread_mutex_lock(&sched->lock);
  queue->closed = true;
  over = queue->outstanding == 0;
  if (over)
    ring_remove_locked(sched, queue);
  pthread_mutex_unlock(&sched->lock);
  if (over)
    settle(queue);
}

void igt__sched_add(igt__sched *sched, igt__sched_queue *queue, igt__job *job) {
  pthread_mutex_lock(&sched->lock);
  job->queue = queue;
  job->begun = false;
  job->queued = false;
  queue->outstanding++;
  sched->backlog++;
  queue_locked(sched, queue, job);
  ring_add_locked(sched, queue);
  pthread_mutex_unlock(&sched->lock);
  pump(sched);
}

void igt__sched_more(igt__sched *sched, igt__job *job) {
  pthread_mutex_lock(&sched->lock);
  queue_locked(sched, job->queue, job);
  ring_add_locked(sched, job->queue);
  pthread_mutex_unlock(&sched->lock);
  pump(sched);
}

static void look_locked(igt__sched *sched, int64_t now) {
  atomic_store_explicit(&sched->looked_at, now, memory_order_relaxed);
  igt__flow_moved(&sched->flow, atomic_exchange_explicit(&sched->flowed, 0, memory_order_relaxed),
                  now);
}

void igt__sched_part_done(igt__sched *sched, uint64_t weight) {
  uint64_t bytes = atomic_exchange_explicit(&sched->moved, 0, memory_order_relaxed);
  int64_t now = igt__mono_us();

  pthread_mutex_lock(&sched->lock);
  igt__pace_part(&sched->pace, bytes, sched->ring.first && sched->running >= sched->pace.slots,
                 now);
  look_locked(sched, now);
  igt__flow_end(&sched->flow, weight, now);
  sched->running--;
  sched->leaving++;
  pthread_mutex_unlock(&sched->lock);
  pump_and_leave(sched);
}

void igt__sched_moved(igt__sched *sched, uint64_t bytes) {
  int64_t now = igt__mono_us();
  bool refused;

  atomic_fetch_add_explicit(&sched->moved, bytes, memory_order_relaxed);
  atomic_fetch_add_explicit(&sched->flowed, bytes, memory_order_relaxed);
  if (now - atomic_load_explicit(&sched->looked_at, memory_order_relaxed) < LOOK_US)
    return;
  pthread_mutex_lock(&sched->lock);
  look_locked(sched, now);
  refused = sched->refused;
  pthread_mutex_unlock(&sched->lock);
  if (refused)
    pump(sched);
}

void igt__sched_lost(igt__sched *sched) {
  pthread_mutex_lock(&sched->lock);
  igt__flow_lost(&sched->flow, igt__mono_us());
  pthread_mutex_unlock(&sched->lock);
}

void igt__sched_go_alone(igt__sched *sched) {
  pthread_mutex_lock(&sched->lock);
  igt__flow_go_alone(&sched->flow);
  pthread_mutex_unlock(&sched->lock);
}

double igt__sched_rate(igt__sched *sched) {
  pthread_mutex_lock(&sched->lock);
  double rate = igt__flow_rate(&sched->flow, igt__mono_us());
  pthread_mutex_unlock(&sched->lock);
  return rate;
}

void igt__sched_slow_down(igt__sched *sched) {
  pthread_mutex_lock(&sched->lock);
  igt__pace_slow_down(&sched->pace, igt__mono_us());
  pthread_mutex_unlock(&sched->lock);
}

unsigned igt__sched_slots(igt__sched *sched) {
  pthread_mutex_lock(&sched->lock);
  unsigned slots = sched->pace.slots;
  pthread_mutex_unlock(&sched->lock);
  return slots;
}

void igt__sched_job_done(igt__sched *sched, igt__job *job) {
  igt__sched_queue *queue = job->queue;
  bool over;

  pthread_mutex_lock(&sched->lock);
  if (job->queued) /* it failed with parts left */
    unqueue_locked(sched, queue, job);
  if (job->begun)
    queue->active--;
  queue->outstanding--;
  sched->backlog--;
  sched->leaving++;
  over = queue->closed && queue->outstanding == 0;
  if (over)
    ring_remove_locked(sched, queue);
  else
    ring_add_locked(sched, queue);
  if (sched->backlog <= sched->low) {
    sched->low = 0;
    pthread_cond_broadcast(&sched->drained);
  }
  pthread_mutex_unlock(&sched->lock);
  if (over)
    settle(queue);
  pump_and_leave(sched);
}

void igt__sched_wait_backlog(igt__sched *sched, size_t below, bool (*give_up)(void *), void *arg) {
  pthread_mutex_lock(&sched->lock);
  while (sched->backlog >= below && !give_up(arg)) {
    /* Woken only once there is space for many: a dozen producers must not wake for each file. */
    sched->low = below / 2;
    (void)igt__cond_wait_for(&sched->drained, &sched->lock, GIVE_UP_MS);
  }
  pthread_mutex_unlock(&sched->lock);
}

void igt__sched_stop(igt__sched *sched) {
  pthread_mutex_lock(&sched->lock);
  sched->stopped = true;
  pthread_mutex_unlock(&sched->lock);
  pump(sched);
}
