/* SPDX-License-Identifier: MIT */
/* Studies between the list and their plans: a queue of packed JSON. The study listed before is the
 * dictionary for the next one, since most fields of neighbours are equal: some 150 bytes remain of
 * 700. So the queue holds the list of a large project in a few megabytes, and progress knows the
 * number of studies while the first ones move. download.c puts and takes. */
#include "transfer/engine/ahead.h"

#include <pthread.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/thread.h"
#include "model/model.h"
#include "transfer/engine/run.h"

/* Some 50,000 studies. */
#define HELD_MOST ((size_t)8 * 1024 * 1024)
#define GIVE_UP_MS 200

typedef struct packed {
  struct packed *next;
  const igt_institute *institute;
  size_t n;
  char bytes[];
} packed;

struct igt__ahead {
  igt__run *run;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  IGT__QUEUE(packed) queue;
  size_t held;
  bool closed;
  /* Of the thread that puts, and of the one that takes: the study before, and the current one. */
  igt__buf put_before, put_now, took_before, took_now;
};

/* ---- packing ---- */

#define SHORTEST 8 /* a copy takes up to 6 bytes */
#define SLOTS 1024

static size_t slot_of(const char *p) {
  uint64_t v;

  memcpy(&v, p, sizeof v);
  return (size_t)(v * 0x9e3779b97f4a7c15u >> 54);
}

static void put_number(igt__buf *out, size_t v) {
  for (; v >= 0x80; v >>= 7)
    igt__buf_putc(out, (char)(0x80 | (v & 0x7f)));
  igt__buf_putc(out, (char)v);
}

static size_t common_length(const char *a, size_t n, const char *b, size_t m) {
  size_t i = 0;

  while (i < n && i < m && a[i] == b[i])
    i++;
  return i;
}

/* Alternately a number of new bytes and these, and a place in the earlier text and a length. */
bool igt__pack(const char *earlier, size_t earlier_len, const char *text, size_t n, igt__buf *out) {
  uint32_t slots[SLOTS] = {0}; /* place + 1 of 8 bytes in the earlier text */
  size_t at = 0, done = 0;

  for (size_t i = 0; i + SHORTEST <= earlier_len && earlier_len < UINT32_MAX; i++)
    slots[slot_of(earlier + i)] = (uint32_t)i + 1;
  while (at + SHORTEST <= n) {
    size_t place = slots[slot_of(text + at)];
    size_t same =
        place ? common_length(earlier + place - 1, earlier_len - place + 1, text + at, n - at) : 0;
    if (same < SHORTEST) {
      at++;
      continue;
    }
    put_number(out, at - done);
    igt__buf_append(out, text + done, at - done);
    put_number(out, place - 1);
    put_number(out, same);
    done = at += same;
  }
  put_number(out, n - done);
  igt__buf_append(out, text + done, n - done);
  return !out->failed;
}

static bool take_number(const char **p, const char *end, size_t *v) {
  *v = 0;
  for (unsigned shift = 0; *p < end && shift < 63; shift += 7) {
    unsigned char c = (unsigned char)*(*p)++;
    *v |= (size_t)(c & 0x7f) << shift;
    if (!(c & 0x80))
      return true;
  }
  return false;
}

bool igt__unpack(const char *earlier, size_t earlier_len, const char *from, size_t n,
                 igt__buf *out) {
  const char *p = from, *end = from + n;
  size_t len, place;

  while (p < end) {
    if (!take_number(&p, end, &len) || len > (size_t)(end - p))
      return false;
    igt__buf_append(out, p, len);
    p += len;
    if (p == end)
      break;
    if (!take_number(&p, end, &place) || !take_number(&p, end, &len) || place > earlier_len ||
        len > earlier_len - place)
      return false;
    igt__buf_append(out, earlier + place, len);
  }
  return !out->failed;
}

/* ---- the queue ---- */

igt__ahead *igt__ahead_new(igt__run *run) {
  igt__ahead *a = igt__calloc(1, sizeof *a);

  if (!a)
    return NULL;
  a->run = run;
  (void)pthread_mutex_init(&a->lock, NULL);
  igt__cond_init(&a->changed);
  igt__queue_init(&a->queue);
  igt__buf_init(&a->put_before, IGT__MAX_JSON_BODY);
  igt__buf_init(&a->put_now, IGT__MAX_JSON_BODY);
  igt__buf_init(&a->took_before, IGT__MAX_JSON_BODY);
  igt__buf_init(&a->took_now, IGT__MAX_JSON_BODY);
  return a;
}

void igt__ahead_free(igt__ahead *a) {
  packed *p;

  if (!a)
    return;
  while ((p = igt__queue_take(&a->queue)) != NULL)
    igt__free(p);
  igt__buf_finish(&a->put_before);
  igt__buf_finish(&a->put_now);
  igt__buf_finish(&a->took_before);
  igt__buf_finish(&a->took_now);
  (void)pthread_cond_destroy(&a->changed);
  (void)pthread_mutex_destroy(&a->lock);
  igt__free(a);
}

/* What is current becomes what was before. */
static void advance(igt__buf *before, igt__buf *now) {
  igt__buf other = *before;

  *before = *now;
  *now = other;
  igt__buf_clear(now);
}

static packed *pack_study(igt__ahead *a, const igt_root_study *study) {
  packed *p = NULL;
  igt__buf out;

  igt__buf_init(&out, 2 * IGT__MAX_JSON_BODY);
  if (igt__model_write(&a->put_now, &study->model, IGT__JSON_COMPACT, IGT__WRITE_ALL) &&
      igt__pack(a->put_before.data, a->put_before.len, a->put_now.data, a->put_now.len, &out) &&
      (p = igt__malloc(sizeof *p + out.len)) != NULL) {
    p->n = out.len;
    memcpy(p->bytes, out.data, out.len);
    advance(&a->put_before, &a->put_now);
  }
  igt__buf_finish(&out);
  return p;
}

static void count_waiting(igt__run *run, int n) {
  pthread_mutex_lock(&run->lock);
  run->waiting += (uint64_t)(int64_t)n;
  pthread_mutex_unlock(&run->lock);
}

igt_status igt__ahead_put(igt__ahead *a, const igt_institute *institute,
                          const igt_root_study *study, igt_error *err) {
  packed *p = pack_study(a, study);
  bool stopping = false;

  if (!p)
    return igt__fail_memory(err);
  p->institute = institute;
  pthread_mutex_lock(&a->lock);
  while (a->held >= HELD_MOST && !(stopping = igt__run_stopping(a->run)))
    (void)igt__cond_wait_for(&a->changed, &a->lock, GIVE_UP_MS);
  igt__queue_add(&a->queue, p);
  a->held += sizeof *p + p->n;
  count_waiting(a->run, 1);
  pthread_cond_broadcast(&a->changed);
  pthread_mutex_unlock(&a->lock);
  return stopping ? IGT_E_CANCELLED : IGT_OK;
}

void igt__ahead_close(igt__ahead *a) {
  pthread_mutex_lock(&a->lock);
  a->closed = true;
  pthread_cond_broadcast(&a->changed);
  pthread_mutex_unlock(&a->lock);
  pthread_mutex_lock(&a->run->lock);
  a->run->studies_known = true;
  pthread_mutex_unlock(&a->run->lock);
}

static packed *wait_for_one(igt__ahead *a) {
  packed *p;

  pthread_mutex_lock(&a->lock);
  while (!a->queue.first && !a->closed && !igt__run_stopping(a->run))
    (void)igt__cond_wait_for(&a->changed, &a->lock, GIVE_UP_MS);
  p = igt__run_stopping(a->run) ? NULL : igt__queue_take(&a->queue);
  if (p) {
    bool was_full = a->held >= HELD_MOST;
    a->held -= sizeof *p + p->n;
    if (was_full)
      pthread_cond_broadcast(&a->changed);
  }
  pthread_mutex_unlock(&a->lock);
  return p;
}

igt_status igt__ahead_take(igt__ahead *a, const igt_institute **institute, igt_root_study **study,
                           igt_error *err) {
  packed *p = wait_for_one(a);
  igt_model *model = NULL;
  igt_status status = IGT_OK;

  *study = NULL;
  if (!p)
    return IGT_OK;
  *institute = p->institute;
  if (!igt__unpack(a->took_before.data, a->took_before.len, p->bytes, p->n, &a->took_now))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = igt__model_decode(igt_root_study_type(), a->took_now.data, a->took_now.len, "a study",
                               &model, err);
  advance(&a->took_before, &a->took_now);
  *study = (igt_root_study *)model;
  igt__free(p);
  return status;
}
