/* SPDX-License-Identifier: MIT */
/* Filters of files. Each pattern, rule and name remembers whether it selected a path in the whole
 * run, so that a typo in one is reported instead of looking like an empty project; flags are
 * atomic, since studies are planned by several threads. Names are looked up in a map, because a
 * list may have a hundred thousand of them. Called by the planners of download, upload, verify and
 * csv, through plan.h where there is a run. */
#include "transfer/engine/filter.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#define DAY_S (24 * 60 * 60)
#define NAMES_SHOWN 3 /* of those that matched nothing */

typedef struct pattern {
  const char *glob;
  bool adds; /* a rule: "+" */
  bool seen; /* atomic */
} pattern;

typedef struct patterns {
  pattern *v;
  size_t count;
} patterns;

struct igt__filter {
  patterns include, exclude, rules;
  igt__map *names; /* of pattern; NULL: all */
  pattern *name_seen;
  uint64_t min_size, max_size;
  int64_t min_age, max_age;
};

int64_t igt__age_of(int64_t modified) {
  int64_t age = igt__wall_seconds() - modified;

  return age < -DAY_S ? INT64_MAX : age > 0 ? age : 0;
}

/* ---- making one ---- */

static igt_status check_limits(const igt_filters *f, igt_error *err) {
  if (f->has_max_size && f->min_size > f->max_size)
    return igt__fail(err, IGT_E_INVALID,
                     "no file passes: the minimum size, %llu, exceeds the maximum, %llu",
                     (unsigned long long)f->min_size, (unsigned long long)f->max_size);
  if (f->min_age < 0 || f->max_age < 0)
    return igt__fail(err, IGT_E_INVALID, "an age is negative");
  if (f->max_age && f->min_age > f->max_age)
    return igt__fail(err, IGT_E_INVALID,
                     "no file passes: the minimum age, %lld s, exceeds the maximum, %lld s",
                     (long long)f->min_age, (long long)f->max_age);
  return IGT_OK;
}

igt_status igt__filters_check(const igt_filters *f, igt_error *err) {
  for (size_t i = 0; i < f->rule_count; i++) {
    const char *rule = f->rules[i];
    if (!rule || (*rule != '+' && *rule != '-') || rule[1] != ' ' || !rule[2])
      return igt__fail(err, IGT_E_INVALID,
                       "rule %zu of the filter, '%.100s', is neither '+ GLOB' nor '- GLOB'", i + 1,
                       rule ? rule : "");
  }
  return check_limits(f, err);
}

static igt_status reserve(patterns *list, size_t count, igt_error *err) {
  list->v = count ? igt__calloc(count, sizeof *list->v) : NULL;
  return !count || list->v ? IGT_OK : igt__fail_memory(err);
}

static void add_all(patterns *list, const char *const *globs, size_t count) {
  for (size_t i = 0; i < count; i++)
    list->v[list->count++].glob = globs[i];
}

static void add_rules(patterns *list, const igt_filters *f) {
  for (size_t i = 0; i < f->rule_count; i++)
    list->v[list->count++] = (pattern){.glob = f->rules[i] + 2, .adds = *f->rules[i] == '+'};
}

/* The same name in "./NAME" and "NAME/", as in globs. */
static char *plain_name(const char *name) {
  size_t n;

  while (name[0] == '.' && name[1] == '/')
    name += 2;
  for (n = strlen(name); n > 1 && name[n - 1] == '/';)
    n--;
  return igt__strndup(name, n);
}

static igt_status add_names(igt__filter *filter, const igt_filters *f, igt_error *err) {
  filter->names = igt__map_new();
  filter->name_seen = igt__calloc(f->name_count + 1, sizeof *filter->name_seen);
  if (!filter->names || !filter->name_seen)
    return igt__fail_memory(err);
  for (size_t i = 0; i < f->name_count; i++) {
    char *name = plain_name(f->names[i]);
    bool added = name && (igt__map_has(filter->names, name) ||
                          igt__map_set(filter->names, name, &filter->name_seen[i]));
    igt__free(name);
    if (!added)
      return igt__fail_memory(err);
  }
  return IGT_OK;
}

static igt_status fill(igt__filter *filter, const igt_transfer_options *t, const igt_filters *f,
                       igt_error *err) {
  igt_status status = reserve(&filter->include, t->include_count + f->include_count, err);

  if (status == IGT_OK)
    status = reserve(&filter->exclude, t->exclude_count + f->exclude_count, err);
  if (status == IGT_OK)
    status = reserve(&filter->rules, f->rule_count, err);
  if (status != IGT_OK)
    return status;
  add_all(&filter->include, t->include, t->include_count);
  add_all(&filter->include, f->include, f->include_count);
  add_all(&filter->exclude, t->exclude, t->exclude_count);
  add_all(&filter->exclude, f->exclude, f->exclude_count);
  filter->min_size = f->min_size;
  filter->max_size = f->has_max_size ? f->max_size : UINT64_MAX;
  filter->min_age = f->min_age;
  filter->max_age = f->max_age ? f->max_age : INT64_MAX;
  add_rules(&filter->rules, f);
  return f->names ? add_names(filter, f, err) : IGT_OK;
}

igt_status igt__filter_new(const igt_transfer_options *transfer, const igt_filters *filters,
                           igt__filter **out, igt_error *err) {
  static const igt_transfer_options no_transfer = IGT_TRANSFER_OPTIONS_INIT;
  static const igt_filters no_filters = IGT_FILTERS_INIT;
  igt__filter *filter = igt__calloc(1, sizeof *filter);
  igt_status status = filter ? fill(filter, transfer ? transfer : &no_transfer,
                                    filters ? filters : &no_filters, err)
                             : igt__fail_memory(err);

  *out = filter;
  if (status != IGT_OK) {
    igt__filter_free(filter);
    *out = NULL;
  }
  return status;
}

void igt__filter_free(igt__filter *filter) {
  if (!filter)
    return;
  igt__free(filter->include.v);
  igt__free(filter->exclude.v);
  igt__free(filter->rules.v);
  igt__map_free(filter->names);
  igt__free(filter->name_seen);
  igt__free(filter);
}

/* ---- paths ---- */

/* A pattern that has not selected a path yet is tried even if the path's fate is decided. */
static bool selects(pattern *p, const char *path, bool needed) {
  bool before = __atomic_load_n(&p->seen, __ATOMIC_RELAXED);

  if ((before && !needed) || !igt__glob_selects(p->glob, path))
    return false;
  if (!before)
    __atomic_store_n(&p->seen, true, __ATOMIC_RELAXED);
  return true;
}

static bool passes_patterns(igt__filter *filter, const char *path) {
  bool wanted = filter->include.count == 0;

  for (size_t i = 0; i < filter->include.count; i++)
    wanted |= selects(&filter->include.v[i], path, !wanted);
  for (size_t i = 0; i < filter->exclude.count; i++)
    if (selects(&filter->exclude.v[i], path, wanted))
      wanted = false;
  return wanted;
}

static bool passes_rules(igt__filter *filter, const char *path) {
  bool decided = false, wanted = true;

  for (size_t i = 0; i < filter->rules.count; i++)
    if (selects(&filter->rules.v[i], path, !decided) && !decided) {
      decided = true;
      wanted = filter->rules.v[i].adds;
    }
  return wanted;
}

static bool has_name(const igt__filter *filter, const char *name) {
  pattern *found = igt__map_get(filter->names, name);

  if (found && !__atomic_load_n(&found->seen, __ATOMIC_RELAXED))
    __atomic_store_n(&found->seen, true, __ATOMIC_RELAXED);
  return found != NULL;
}

/* The path itself, or a folder above it. */
static bool passes_names(const igt__filter *filter, const char *path) {
  char folder[IGT__MAX_PATH + 1];
  bool wanted;

  if (!filter->names)
    return true;
  wanted = has_name(filter, path);
  if (strlen(path) >= sizeof folder)
    return wanted;
  for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    wanted |= has_name(filter, folder);
  }
  return wanted;
}

bool igt__filter_path(igt__filter *filter, const char *path) {
  bool wanted;

  if (!filter)
    return true;
  wanted = passes_patterns(filter, path);
  wanted &= passes_rules(filter, path);
  wanted &= passes_names(filter, path);
  return wanted;
}

/* ---- size and age ---- */

bool igt__filter_size(const igt__filter *filter, uint64_t size) {
  return !filter || (size >= filter->min_size && size <= filter->max_size);
}

bool igt__filter_has_age(const igt__filter *filter) {
  return filter && (filter->min_age > 0 || filter->max_age < INT64_MAX);
}

bool igt__filter_age(const igt__filter *filter, int64_t modified) {
  int64_t age = igt__filter_has_age(filter) ? igt__age_of(modified) : 0;

  return !igt__filter_has_age(filter) || (age >= filter->min_age && age <= filter->max_age);
}

/* ---- what matched nothing ---- */

static void report_unseen(const patterns *list, const char *option, bool is_rules,
                          igt__filter_report_fn report, void *payload) {
  char text[IGT_ERROR_TEXT_MAX];

  for (size_t i = 0; i < list->count; i++) {
    if (list->v[i].seen)
      continue;
    (void)snprintf(text, sizeof text,
                   "%s '%s%.300s' matched no file (patterns are compared with the path below the "
                   "study's folder, and with the folders in it)",
                   option, is_rules ? list->v[i].adds ? "+ " : "- " : "", list->v[i].glob);
    report(payload, text);
  }
}

static void report_names(const igt__filter *filter, igt__filter_report_fn report, void *payload) {
  size_t missing = 0;
  igt__buf text;
  const char *name;
  void *value;

  igt__buf_init(&text, 4096);
  for (size_t i = 0; igt__map_at(filter->names, i, &name, &value); i++) {
    if (((const pattern *)value)->seen)
      continue;
    if (missing < NAMES_SHOWN)
      igt__buf_printf(&text, "%s'%.200s'", missing ? ", " : "", name);
    missing++;
  }
  if (missing > NAMES_SHOWN)
    igt__buf_printf(&text, " and %zu more", missing - NAMES_SHOWN);
  igt__buf_printf(&text, " of --files-from matched no file (names are paths below the study's "
                         "folder)");
  if (missing && !text.failed)
    report(payload, text.data);
  igt__buf_finish(&text);
}

void igt__filter_report(const igt__filter *filter, igt__filter_report_fn report, void *payload) {
  if (!filter)
    return;
  report_unseen(&filter->include, "--include", false, report, payload);
  report_unseen(&filter->exclude, "--exclude", false, report, payload);
  report_unseen(&filter->rules, "--filter-from: the rule", true, report, payload);
  if (filter->names)
    report_names(filter, report, payload);
}
