/* SPDX-License-Identifier: MIT */
/* The studies in the watched folders: an unordered array, and a hash table of the same by folder
 * and path (open addressing; a removal closes its gap). */
#include <stdlib.h>
#include <string.h>

#include "station/station.h"

static size_t hash_of(const watched *in, const char *path) {
  uint64_t h = 0xcbf29ce484222325u ^ (uintptr_t)in;

  for (const char *p = path; *p; p++)
    h = (h ^ (unsigned char)*p) * 0x100000001b3u;
  return (size_t)(h ^ (h >> 32));
}

/* The slot of the study, or the empty one where it belongs. */
static size_t slot_of(const study_queue *q, const watched *in, const char *path) {
  size_t i = hash_of(in, path) & (q->slot_count - 1);

  while (q->slots[i] && (q->slots[i]->in != in || strcmp(q->slots[i]->path, path) != 0))
    i = (i + 1) & (q->slot_count - 1);
  return i;
}

study *queue_find(const study_queue *q, const watched *in, const char *path) {
  return q->slot_count ? q->slots[slot_of(q, in, path)] : NULL;
}

static bool grow(study_queue *q) {
  size_t space = q->space ? 2 * q->space : 64;
  study **v = realloc(q->v, space * sizeof(study *));
  study **slots = calloc(2 * space, sizeof(study *));

  if (v)
    q->v = v;
  if (!v || !slots) {
    free(slots);
    return false;
  }
  free(q->slots);
  q->slots = slots;
  q->slot_count = 2 * space;
  q->space = space;
  for (size_t i = 0; i < q->count; i++)
    q->slots[slot_of(q, v[i]->in, v[i]->path)] = v[i];
  return true;
}

study *queue_add(study_queue *q, watched *in, const char *path) {
  study *s;

  if (q->count == q->space && !grow(q))
    return NULL;
  s = calloc(1, sizeof *s);
  if (!s || !(s->path = strdup(path))) {
    free(s);
    return NULL;
  }
  s->in = in;
  s->arrived = station_wall();
  q->v[q->count++] = s;
  q->slots[slot_of(q, in, path)] = s;
  return s;
}

/* Entries behind the gap that would no longer be found move into it. */
static void close_gap(study_queue *q, size_t gap) {
  size_t mask = q->slot_count - 1;

  q->slots[gap] = NULL;
  for (size_t i = (gap + 1) & mask; q->slots[i]; i = (i + 1) & mask) {
    size_t home = hash_of(q->slots[i]->in, q->slots[i]->path) & mask;
    if (((i - home) & mask) < ((i - gap) & mask))
      continue;
    q->slots[gap] = q->slots[i];
    q->slots[i] = NULL;
    gap = i;
  }
}

static void study_free(study *s) {
  free(s->path);
  free(s->why);
  free(s->problem_text);
  free(s);
}

void queue_remove(study_queue *q, study *s) {
  close_gap(q, slot_of(q, s->in, s->path));
  for (size_t i = 0; i < q->count; i++)
    if (q->v[i] == s) {
      q->v[i] = q->v[--q->count];
      break;
    }
  study_free(s);
}

void queue_free(study_queue *q) {
  for (size_t i = 0; i < q->count; i++)
    study_free(q->v[i]);
  free(q->v);
  free(q->slots);
  *q = (study_queue){.v = NULL};
}

/* ---- what is wrong with one ---- */

void study_problem(study *s, igt_status status, const char *text) {
  if (s->problem != IGT_OK)
    return;
  s->problem = status;
  free(s->problem_text);
  s->problem_text = strdup(text);
}

void study_because(study *s, igt_status status, const char *text) {
  free(s->why);
  s->status = status;
  s->why = text ? strdup(text) : NULL;
}
