/* SPDX-License-Identifier: MIT */
#include "transfer/sched.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "transfer/flow.h"
#include "transfer/pace.h"

/* Bytes that move are looked at this often: on a good line the first 10 ms tell that it is one. */
#define LOOK_US 5000

struct igt__lane {
  igt__lane *next; /* in the ring of lanes that have queued work */
  igt__work *head, **tail;
  bool in_ring, closed;
  unsigned active;    /* works begun and not done */
  size_t outstanding; /* works added and not done */
  void (*settled)(void *payload);
  void *payload;
};

struct igt__sched {
  pthread_mutex_t lock;
  pthread_cond_t room;
  igt__lane *ring, **ring_tail;
  igt__pace pace;
  igt__flow flow;
  unsigned running, works_per_lane;
  _Atomic uint64_t moved;  /* since the last piece */
  _Atomic uint64_t flowed; /* since the last look */
  _Atomic int64_t looked_at;
  size_t backlog;
  size_t low; /* producers wait: they are woken when the backlog is down to this; 0: none do */
  bool pumping, stopped;
  bool refused;          /* a work waits for the line */
  unsigned queued_begun; /* works that are queued with pieces left to give */
  unsigned leaving;      /* threads that have given something back and look for what comes next */
  pthread_cond_t left;
};

igt__sched *igt__sched_new(unsigned slots, unsigned most, unsigned works_per_lane) {
  igt__sched *sched = igt__calloc(1, sizeof *sched);

  if (!sched)
    return NULL;
  (void)pthread_mutex_init(&sched->lock, NULL);
  (void)pthread_cond_init(&sched->room, NULL);
  (void)pthread_cond_init(&sched->left, NULL);
  sched->ring_tail = &sched->ring;
  igt__pace_init(&sched->pace, slots, most, igt__mono_us());
  igt__flow_init(&sched->flow, most, igt__mono_us());
  sched->works_per_lane = works_per_lane;
  return sched;
}

/* The benchmark reads it: what the connections that there were would have allowed. */
static void tell_pace(const igt__pace *pace) {
  if (pace->first_us)
    IGT__INFO(
        IGT_LOG_TRANSFER,
        "requests at once: %.1f on average in %.3f s from the first to the last, %u at the end",
        igt__pace_average(pace), (double)(pace->last_us - pace->first_us) / 1e6, pace->slots);
}

void igt__sched_free(igt__sched *sched) {
  if (!sched)
    return;
  /* The last file's end is told before its thread is done here. */
  pthread_mutex_lock(&sched->lock);
  while (sched->running || sched->leaving)
    (void)pthread_cond_wait(&sched->left, &sched->lock);
  pthread_mutex_unlock(&sched->lock);
  tell_pace(&sched->pace);
  (void)pthread_cond_destroy(&sched->left);
  (void)pthread_cond_destroy(&sched->room);
  (void)pthread_mutex_destroy(&sched->lock);
  igt__free(sched);
}

/* ---- the two queues ---- */

static void ring_add_locked(igt__sched *sched, igt__lane *lane) {
  if (lane->in_ring || !lane->head)
    return;
  lane->in_ring = true;
  lane->next = NULL;
  *sched->ring_tail = lane;
  sched->ring_tail = &lane->next;
}

static igt__lane *ring_take_locked(igt__sched *sched) {
  igt__lane *lane = sched->ring;

  if (!lane)
    return NULL;
  sched->ring = lane->next;
  if (!sched->ring)
    sched->ring_tail = &sched->ring;
  lane->in_ring = false;
  return lane;
}

static void ring_remove_locked(igt__sched *sched, igt__lane *lane) {
  for (igt__lane **at = &sched->ring; *at && lane->in_ring; at = &(*at)->next)
    if (*at == lane) {
      *at = lane->next;
      if (!*at)
        sched->ring_tail = at;
      lane->in_ring = false;
      return;
    }
}

static void queue_locked(igt__sched *sched, igt__lane *lane, igt__work *work) {
  if (work->queued)
    return;
  work->queued = true;
  sched->queued_begun += work->begun;
  work->next = NULL;
  *lane->tail = work;
  lane->tail = &work->next;
}

/* On a slow line a large piece waits until those in flight are done; small ones go on. A file that
 * was begun goes on before another one is: one that is complete is worth more than two halves. */
static bool fits_locked(igt__sched *sched, const igt__work *work, int64_t now) {
  if (sched->stopped || igt__flow_fits(&sched->flow, work->weight, now))
    return true;
  if ((work->begun || sched->queued_begun == 0) &&
      igt__flow_has_place(&sched->flow, work->weight, now))
    return true;
  sched->refused = true;
  return false;
}

/* The first work that may have a turn: one that is under way, or a new one under the cap. */
static igt__work *dequeue_locked(igt__sched *sched, igt__lane *lane, int64_t now) {
  bool may_begin = sched->works_per_lane == 0 || lane->active < sched->works_per_lane;

  for (igt__work **at = &lane->head; *at; at = &(*at)->next) {
    igt__work *work = *at;
    if (!work->begun && !may_begin && !sched->stopped)
      continue;
    if (!fits_locked(sched, work, now))
      continue;
    *at = work->next;
    if (!*at)
      lane->tail = at;
    work->queued = false;
    sched->queued_begun -= work->begun;
    return work;
  }
  return NULL;
}

/* ---- giving out pieces ---- */

struct turn {
  igt__work *work;
  unsigned piece;
  bool drop;
};

static bool lane_turn_locked(igt__sched *sched, igt__lane *lane, struct turn *turn, int64_t now) {
  igt__work *work;

  while ((work = dequeue_locked(sched, lane, now)) != NULL) {
    bool more = false;
    if (sched->stopped && !work->begun) {
      *turn = (struct turn){work, 0, true};
      return true;
    }
    if (!work->take(work, &turn->piece, &more))
      continue;
    if (!work->begun) {
      work->begun = true;
      lane->active++;
    }
    if (more)
      queue_locked(sched, lane, work);
    turn->work = work;
    turn->drop = false;
    return true;
  }
  return false;
}

static void begin_locked(igt__sched *sched, const igt__work *work, int64_t now) {
  if (sched->running++ == 0)
    igt__pace_begin(&sched->pace, now);
  igt__flow_begin(&sched->flow, work->weight, now);
}

/* Lanes whose works all wait for the line stay in the ring. */
static bool next_turn_locked(igt__sched *sched, struct turn *turn) {
  igt__lane *first_back = NULL;
  int64_t now = igt__mono_us();

  sched->refused = false;
  if (sched->running >= sched->pace.slots && !sched->stopped)
    return false;
  while (sched->ring && sched->ring != first_back) {
    igt__lane *lane = ring_take_locked(sched);
    bool refused = sched->refused;
    sched->refused = false;
    if (lane_turn_locked(sched, lane, turn, now)) {
      ring_add_locked(sched, lane);
      if (!turn->drop)
        begin_locked(sched, turn->work, now);
      return true;
    }
    if (sched->refused) {
      ring_add_locked(sched, lane);
      first_back = first_back ? first_back : lane;
    } /* else it comes back with a new work, or when one of its works is done */
    sched->refused = sched->refused || refused;
  }
  if (sched->refused)
    igt__flow_refused(&sched->flow, now);
  return false;
}

/* Starts what can be started. One thread at a time does so; another that frees a slot meanwhile
 * leaves it to that one, which looks again before it goes. */
static void pump(igt__sched *sched) {
  struct turn turn;

  pthread_mutex_lock(&sched->lock);
  if (!sched->pumping) {
    sched->pumping = true;
    while (next_turn_locked(sched, &turn)) {
      pthread_mutex_unlock(&sched->lock);
      if (turn.drop)
        turn.work->drop(turn.work);
      else
        turn.work->start(turn.work, turn.piece);
      pthread_mutex_lock(&sched->lock);
    }
    sched->pumping = false;
  }
  pthread_mutex_unlock(&sched->lock);
}

/* leaving was raised with the last thing that was given back. */
static void pump_and_leave(igt__sched *sched) {
  pump(sched);
  pthread_mutex_lock(&sched->lock);
  sched->leaving--;
  if (!sched->leaving && !sched->running)
    pthread_cond_signal(&sched->left);
  pthread_mutex_unlock(&sched->lock);
}

/* ---- lanes and works ---- */

igt__lane *igt__sched_open(igt__sched *sched, void (*settled)(void *payload), void *payload) {
  igt__lane *lane = igt__calloc(1, sizeof *lane);

  (void)sched;
  if (!lane)
    return NULL;
  lane->tail = &lane->head;
  lane->settled = settled;
  lane->payload = payload;
  return lane;
}

static void settle(igt__lane *lane) {
  void (*settled)(void *) = lane->settled;
  void *payload = lane->payload;

  igt__free(lane);
  settled(payload);
}

void igt__sched_close(igt__sched *sched, igt__lane *lane) {
  bool over;

  pthread_mutex_lock(&sched->lock);
  lane->closed = true;
  over = lane->outstanding == 0;
  if (over)
    ring_remove_locked(sched, lane);
  pthread_mutex_unlock(&sched->lock);
  if (over)
    settle(lane);
}

void igt__sched_add(igt__sched *sched, igt__lane *lane, igt__work *work) {
  pthread_mutex_lock(&sched->lock);
  work->lane = lane;
  work->begun = false;
  work->queued = false;
  lane->outstanding++;
  sched->backlog++;
  queue_locked(sched, lane, work);
  ring_add_locked(sched, lane);
  pthread_mutex_unlock(&sched->lock);
  pump(sched);
}

void igt__sched_more(igt__sched *sched, igt__work *work) {
  pthread_mutex_lock(&sched->lock);
  queue_locked(sched, work->lane, work);
  ring_add_locked(sched, work->lane);
  pthread_mutex_unlock(&sched->lock);
  pump(sched);
}

static void look_locked(igt__sched *sched, int64_t now) {
  atomic_store_explicit(&sched->looked_at, now, memory_order_relaxed);
  igt__flow_moved(&sched->flow, atomic_exchange_explicit(&sched->flowed, 0, memory_order_relaxed),
                  now);
}

void igt__sched_piece_done(igt__sched *sched, uint64_t weight) {
  uint64_t bytes = atomic_exchange_explicit(&sched->moved, 0, memory_order_relaxed);
  int64_t now = igt__mono_us();

  pthread_mutex_lock(&sched->lock);
  igt__pace_piece(&sched->pace, bytes, sched->ring && sched->running >= sched->pace.slots, now);
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

static void unqueue_locked(igt__sched *sched, igt__lane *lane, igt__work *work) {
  for (igt__work **at = &lane->head; *at; at = &(*at)->next)
    if (*at == work) {
      *at = work->next;
      if (!*at)
        lane->tail = at;
      work->queued = false;
      sched->queued_begun -= work->begun;
      return;
    }
}

void igt__sched_work_done(igt__sched *sched, igt__work *work) {
  igt__lane *lane = work->lane;
  bool over;

  pthread_mutex_lock(&sched->lock);
  if (work->queued) /* it failed with pieces left */
    unqueue_locked(sched, lane, work);
  if (work->begun)
    lane->active--;
  lane->outstanding--;
  sched->backlog--;
  sched->leaving++;
  over = lane->closed && lane->outstanding == 0;
  if (over)
    ring_remove_locked(sched, lane);
  else
    ring_add_locked(sched, lane);
  if (sched->backlog <= sched->low) {
    sched->low = 0;
    pthread_cond_broadcast(&sched->room);
  }
  pthread_mutex_unlock(&sched->lock);
  if (over)
    settle(lane);
  pump_and_leave(sched);
}

size_t igt__sched_backlog(igt__sched *sched) {
  size_t n;

  pthread_mutex_lock(&sched->lock);
  n = sched->backlog;
  pthread_mutex_unlock(&sched->lock);
  return n;
}

void igt__sched_wait_backlog(igt__sched *sched, size_t below, bool (*give_up)(void *), void *arg) {
  pthread_mutex_lock(&sched->lock);
  while (sched->backlog >= below && !give_up(arg)) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    sched->low = below / 2; /* room for many, not one: a dozen producers don't wake for each file */
    /* Woken when a work is done; looks at give_up ten times a second. */
    until.tv_nsec += 100000000;
    if (until.tv_nsec >= 1000000000) {
      until.tv_sec++;
      until.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&sched->room, &sched->lock, &until);
  }
  pthread_mutex_unlock(&sched->lock);
}

void igt__sched_stop(igt__sched *sched) {
  pthread_mutex_lock(&sched->lock);
  sched->stopped = true;
  pthread_mutex_unlock(&sched->lock);
  pump(sched);
}
