/* SPDX-License-Identifier: MIT */
/* The queue of planned faults, and the table of their kinds. Tests post a list to /__faults
 * (control.c), which fault_plan_add checks and appends. exchange.c calls fault_plan_take once per
 * request: the first entry whose conditions match (method, path and query patterns, skip, times,
 * chance, requests in flight) decides the request's fault. All functions are thread-safe. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/queue.h"
#include "base/str.h"
#include "faults/internal.h"

#define MAX_FAULTS 10000
#define MAX_SECONDS 3600

static const struct {
  const char *name;
  fault_stage stage;
} kinds[] = {[FAULT_NONE] = {NULL, FAULT_AT_RESPONSE},
#define X(name, text, stage, status, code, sentence) [FAULT_##name] = {text, FAULT_AT_##stage},
             FAULTS(X)
#undef X
};

/* One entry of the queue. */
typedef struct planned {
  struct planned *next;
  igt__json *source; /* as posted; owns the strings below */
  const char *method, *path, *query;
  int64_t skip, times; /* times 0: unlimited */
  double chance;       /* 1: always */
  uint64_t random;     /* per entry, so that a seed reproduces a run */
  int64_t above;       /* requests in flight; -1: not a condition */
  int64_t used;
  fault fault;
} planned;

struct fault_plan {
  pthread_mutex_t lock;
  IGT__QUEUE(planned) faults; /* guarded by lock */
};

const char *fault_name(fault_kind kind) {
  return kinds[kind].name;
}

fault_stage fault_stage_of(fault_kind kind) {
  return kinds[kind].stage;
}

fault_plan *fault_plan_new(void) {
  fault_plan *plan = igt__calloc(1, sizeof *plan);

  if (plan) {
    pthread_mutex_init(&plan->lock, NULL);
    igt__queue_init(&plan->faults);
  }
  return plan;
}

static void planned_free(planned *list) {
  while (list) {
    planned *next = list->next;
    igt__json_free(list->source);
    igt__free(list);
    list = next;
  }
}

void fault_plan_free(fault_plan *plan) {
  if (!plan)
    return;
  planned_free(plan->faults.first);
  pthread_mutex_destroy(&plan->lock);
  igt__free(plan);
}

/* ---- reading ---- */

static fault_kind kind_named(const char *name) {
  for (size_t i = 1; name && i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].name, name) == 0)
      return (fault_kind)i;
  return FAULT_NONE;
}

/* A misspelt member must not result in a fault that never applies. */
static bool is_known_member(const char *name) {
  static const char *const names[] = {
      "fault", "method", "path", "query", "skip", "times",   "chance",     "seed",
      "above", "status", "at",   "by",    "to",   "seconds", "per_second", "retry_after"};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i], name) == 0)
      return true;
  return false;
}

static int64_t number(const igt__json *v, const char *name, int64_t without) {
  return igt__json_has(v, name) ? igt__json_int(igt__json_get(v, name)) : without;
}

static double real(const igt__json *v, const char *name, double without) {
  return igt__json_has(v, name) ? igt__json_double(igt__json_get(v, name)) : without;
}

static bool check(const planned *p, char *error, size_t cap) {
  const char *name;
  igt__json *value;

  for (size_t i = 0; igt__json_member(p->source, i, &name, &value); i++)
    if (!is_known_member(name)) {
      snprintf(error, cap, "unknown member \"%.100s\" of a fault", name);
      return false;
    }
  if (p->fault.kind == FAULT_NONE)
    snprintf(error, cap, "unknown fault \"%.100s\"",
             igt__json_get_str(p->source, "fault") ? igt__json_get_str(p->source, "fault") : "");
  else if (p->skip < 0 || p->times < 0 || p->chance < 0 || p->chance > 1 || p->fault.by < 1 ||
           p->fault.seconds < 0 || p->fault.seconds > MAX_SECONDS || p->fault.per_second <= 0)
    snprintf(error, cap, "the fault \"%s\" has a number that is out of range",
             kinds[p->fault.kind].name);
  else if (p->fault.kind == FAULT_REDIRECT && !p->fault.to[0])
    snprintf(error, cap, "the fault \"redirect\" needs a URL in \"to\"");
  else
    return true;
  return false;
}

static planned *read_planned(const igt__json *v) {
  planned *p = igt__calloc(1, sizeof *p);
  const char *to;

  if (!p || !(p->source = igt__json_copy(v))) {
    igt__free(p);
    return NULL;
  }
  p->method = igt__json_get_str(p->source, "method");
  p->path = igt__json_get_str(p->source, "path");
  p->query = igt__json_get_str(p->source, "query");
  p->skip = number(v, "skip", 0);
  p->chance = real(v, "chance", 1);
  p->times = number(v, "times", p->chance < 1 || igt__json_has(v, "above") ? 0 : 1);
  p->random = (uint64_t)number(v, "seed", 1);
  p->above = number(v, "above", -1);
  p->fault.kind = kind_named(igt__json_get_str(v, "fault"));
  p->fault.status = (int)number(v, "status", 0);
  p->fault.retry_after = (int)number(v, "retry_after", -1);
  p->fault.at = number(v, "at", -1);
  p->fault.by = number(v, "by", 1);
  p->fault.seconds = real(v, "seconds", 1);
  p->fault.per_second = real(v, "per_second", 1);
  to = igt__json_get_str(v, "to");
  snprintf(p->fault.to, sizeof p->fault.to, "%s", to ? to : "");
  return p;
}

bool fault_plan_add(fault_plan *plan, const igt__json *list, char *error, size_t error_cap) {
  IGT__QUEUE(planned) added;
  planned *p;

  igt__queue_init(&added);
  if (igt__json_typeof(list) != IGT__JSON_ARRAY || igt__json_count(list) > MAX_FAULTS) {
    snprintf(error, error_cap, "the body must be a list of faults");
    return false;
  }
  for (size_t i = 0; i < igt__json_count(list); i++) {
    p = read_planned(igt__json_at(list, i));
    if (p)
      igt__queue_add(&added, p);
    if (!p || !check(p, error, error_cap)) {
      planned_free(added.first);
      return false;
    }
  }
  pthread_mutex_lock(&plan->lock);
  while ((p = igt__queue_take(&added)) != NULL)
    igt__queue_add(&plan->faults, p);
  pthread_mutex_unlock(&plan->lock);
  return true;
}

void fault_plan_clear(fault_plan *plan) {
  planned *list;

  pthread_mutex_lock(&plan->lock);
  list = igt__queue_take_all(&plan->faults);
  pthread_mutex_unlock(&plan->lock);
  planned_free(list);
}

igt__json *fault_plan_list(fault_plan *plan) {
  igt__json *list = igt__json_new_array();

  pthread_mutex_lock(&plan->lock);
  for (const planned *p = plan->faults.first; p; p = p->next) {
    igt__json *one = igt__json_copy(p->source);
    igt__json_set_int(one, "used", p->used);
    igt__json_push(list, one);
  }
  pthread_mutex_unlock(&plan->lock);
  return list;
}

/* ---- taking ---- */

/* A number from 0 up to 1, by splitmix64. */
static double draw(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;

  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* igt__glob_match does not compare the leading '/' of a path. */
static bool fits(const planned *p, const char *method, const char *path, const char *query) {
  return (!p->method || strcmp(p->method, method) == 0) &&
         (!p->path || igt__glob_match(p->path, path + (path[0] == '/'))) &&
         (!p->query || strstr(query, p->query));
}

static void use_locked(fault_plan *plan, planned *p, fault *out) {
  *out = p->fault;
  p->used++;
  if (p->times == 0 || --p->times > 0)
    return;
  (void)igt__queue_remove(&plan->faults, p);
  p->next = NULL;
  planned_free(p);
}

void fault_plan_take(fault_plan *plan, const char *method, const char *path, const char *query,
                     unsigned in_flight, fault *out) {
  memset(out, 0, sizeof *out);
  pthread_mutex_lock(&plan->lock);
  for (planned *p = plan->faults.first; p; p = p->next) {
    if (!fits(p, method, path, query))
      continue;
    if (p->above >= 0 && (int64_t)in_flight <= p->above)
      continue;
    if (p->chance < 1 && draw(&p->random) >= p->chance)
      continue;
    if (p->skip > 0)
      p->skip--;
    else
      use_locked(plan, p, out);
    break;
  }
  pthread_mutex_unlock(&plan->lock);
}
