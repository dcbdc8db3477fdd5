/* SPDX-License-Identifier: MIT */
/* A broken body returns to the scheduler instead of being retried immediately: the line may be
 * slower by then, and allow fewer concurrent parts. A file fails after --retries attempts in a row
 * without a stored part; attempts that fail together, as when a line is cut, count as one.
 * While nothing responds, they must also have lasted for igt__http_patience_us.
 *
 * Uploads of single files have a run each, and thus no scheduler in common: four threads of a
 * program that share a line of 250 kB/s, whose connections live for a minute, would never complete
 * a part. So after a loss such an upload waits for its turn, which one of them has at a time, until
 * its file is done or loses a part again. */
#include <stdatomic.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "transfer/upload/send_internal.h"

/* An interrupted run does not wait for the end of a back-off. */
#define POLL_US 100000
/* An interruption leaves dead connections behind, each of which costs an immediate attempt. */
#define TOGETHER_US 1000000

typedef struct again {
  send_job *s;
  unsigned part;
  int64_t until;
  bool needs_turn;
} again;

void igt__send_progress(send_job *s) {
  s->tries = 0;
  s->progress_at = igt__mono_us();
}

/* ---- the turn ---- */

static bool take_turn(send_job *s) {
  const void *nobody = NULL;

  if (!s->run->turn || atomic_load(s->run->turn) == s)
    return true;
  if (!atomic_compare_exchange_strong(s->run->turn, &nobody, s))
    return false;
  pthread_mutex_lock(&s->lock);
  s->progress_at = igt__mono_us(); /* waiting was not the line's fault */
  pthread_mutex_unlock(&s->lock);
  return true;
}

void igt__send_pass_turn(send_job *s) {
  const void *mine = s;

  if (s->run->turn)
    (void)atomic_compare_exchange_strong(s->run->turn, &mine, NULL);
}

/* ---- waiting ---- */

static void come_back(void *arg);

static void wait_for(again *a) {
  igt__run *run = a->s->run;
  int64_t left = a->until - igt__mono_us();

  if (left > POLL_US)
    left = POLL_US;
  igt__http_post_after(run->http, igt__run_loop(run), left > 0 ? (unsigned)(left / 1000) : 0,
                       come_back, a);
}

static void come_back(void *arg) {
  again *a = arg;
  send_job *s = a->s;
  unsigned part = a->part;
  bool stopping = igt__run_stopping(s->run), failed;

  pthread_mutex_lock(&s->lock);
  failed = s->status != IGT_OK;
  pthread_mutex_unlock(&s->lock);
  if (!stopping && !failed && (igt__mono_us() < a->until || (a->needs_turn && !take_turn(s)))) {
    if (igt__mono_us() >= a->until)
      a->until = igt__mono_us() + POLL_US;
    wait_for(a);
    return;
  }
  igt__free(a);
  if (s->large)
    igt__send_part_back(s, part, stopping);
  else
    igt__send_put_back(s, stopping);
}

/* Under s->lock. */
static unsigned count_try(send_job *s, int64_t began_us) {
  int64_t now = igt__mono_us();

  if (s->tries == 0 || (began_us > s->failed_at && now - s->failed_at >= TOGETHER_US)) {
    s->tries++;
    s->failed_at = now;
  }
  return s->tries;
}

bool igt__send_again(const send_part *p, igt_error *err) {
  send_job *s = p->s;
  igt__run *run = s->run;
  bool lost = p->counted > 0 && err->http_status == 0;
  unsigned tries;
  int64_t progress_at;
  again *a;

  if (!p->req.broke || igt__run_stopping(run))
    return false;
  if (lost)
    igt__sched_lost(run->sched);
  igt__send_pass_turn(s);
  pthread_mutex_lock(&s->lock);
  tries = count_try(s, p->began_us);
  progress_at = s->progress_at;
  pthread_mutex_unlock(&s->lock);
  if (tries > igt__http_retries(run->http) &&
      (err->http_status || igt__mono_us() - progress_at >= igt__http_patience_us(run->http))) {
    igt__retry_gave_up(err, tries, progress_at);
    return false;
  }
  a = igt__malloc(sizeof *a);
  if (!a)
    return false;
  /* A link that moved bytes is up again: a long pause would only cost time until the next cut. */
  if (p->counted >= IGT__PROGRESS_LEAST && err->http_status == 0)
    tries = 1;
  *a = (again){s, p->part, igt__mono_us() + (int64_t)igt__retry_delay_ms(tries, err) * 1000,
               .needs_turn = lost};
  wait_for(a);
  return true;
}
