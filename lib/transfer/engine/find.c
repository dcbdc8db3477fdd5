/* SPDX-License-Identifier: MIT */
/* Resolves a compiled selection (selection.c) in the cloud: finds the project, chooses institutes
 * by their names and by the type of their studies, and decides which studies match by date and
 * shard. Called at the start of each run, then for each listed study (selection_walk.c). */
#include "transfer/engine/find.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "cloud/once.h"
#include "crypto/crypto.h"
#include "transfer/engine/institutes.h"

bool igt__found_selects(const igt__found *found, const igt_institute *institute) {
  const igt_institute_list *list = found->institutes;

  if (!found->chosen)
    return true;
  for (size_t i = 0; i < list->count; i++)
    if (list->v[i] == institute)
      return found->chosen[i];
  return false;
}

bool igt__found_selects_name(const igt__found *found, const char *name) {
  const igt_institute *institute = igt__institute_named(found, name);

  return institute && igt__found_selects(found, institute);
}

const igt_institute *igt__found_only(const igt__found *found) {
  const igt_institute_list *list = found->institutes;
  const igt_institute *only = NULL;

  for (size_t i = 0; found->by_name && list && i < list->count; i++) {
    if (!list->v[i] || !found->chosen[i])
      continue;
    if (only && strcmp(igt__text_of(&only->name), igt__text_of(&list->v[i]->name)) != 0)
      return NULL;
    only = list->v[i];
  }
  return only;
}

/* ---- which institutes ---- */

static bool *choose(igt__found *found, igt_error *err) {
  if (!found->chosen) {
    found->chosen = igt__calloc(found->institutes->count + 1, sizeof *found->chosen);
    if (!found->chosen)
      (void)igt__fail_memory(err);
  }
  return found->chosen;
}

/* An id is unique, names need not be. */
static bool choose_id(igt__found *found, const char *wanted) {
  const igt_institute_list *list = found->institutes;
  bool any = false;

  for (size_t i = 0; i < list->count; i++)
    if (list->v[i] && igt__is_id(wanted, igt__text_of(&list->v[i]->id)))
      any = found->chosen[i] = true;
  return any;
}

static igt_status choose_named(igt__found *found, const char *wanted, igt_error *err) {
  const igt_institute_list *list = found->institutes;
  const igt_institute *institute = igt__institute_named(found, wanted);
  igt__similar like;

  if (!choose(found, err))
    return IGT_E_NO_MEMORY;
  found->by_name = true;
  for (size_t i = 0; institute && i < list->count; i++)
    if (list->v[i] && strcmp(igt__text_of(&list->v[i]->name), igt__text_of(&institute->name)) == 0)
      found->chosen[i] = true;
  if (institute || choose_id(found, wanted))
    return IGT_OK;
  (void)igt__fail(err, IGT_E_NOT_FOUND, "the project '%s' has no institute '%s'",
                  igt__text_of(&found->project->name), wanted);
  like = igt__institute_like(found, wanted);
  igt__similar_say(&like, err);
  return IGT_E_NOT_FOUND;
}

static bool is_all(const char *name) {
  return strcmp(name, "*") == 0;
}

static igt_status choose_by_name(igt__found *found, igt_error *err) {
  const igt_study_selection *o = &found->selection->options;
  igt_status status = IGT_OK;
  bool all = o->institute && is_all(o->institute) && o->institute_count == 0;

  for (size_t i = 0; i < o->institute_count; i++)
    all |= is_all(o->institutes[i]);
  if (all)
    return IGT_OK;
  if (o->institute && !is_all(o->institute))
    status = choose_named(found, o->institute, err);
  for (size_t i = 0; i < o->institute_count && status == IGT_OK; i++)
    status = choose_named(found, o->institutes[i], err);
  return status;
}

static bool leave_out(igt__found *found, size_t i, igt_error *err) {
  bool all = !found->chosen;

  if (!choose(found, err))
    return false;
  if (all)
    memset(found->chosen, true, found->institutes->count);
  found->chosen[i] = false;
  return true;
}

/* Leaves out those that cannot have a selected study: a list of studies names their institutes, or
 * the type of their studies lacks a field. *why: the last that was left out for its type lacked it;
 * *fits: another has it. */
static igt_status choose_fitting(igt__found *found, const char **why, bool *fits, igt_error *err) {
  const igt__selection *s = found->selection;
  const igt_institute_list *list = found->institutes;

  for (size_t i = 0; i < list->count; i++) {
    const igt_institute *institute = list->v[i];
    const char *what;
    if (!institute || !igt__found_selects(found, institute))
      continue;
    if (igt__selection_fits_type(s, igt__text_of(&institute->study_type), &what)) {
      *fits = true;
      if (!s->institutes || igt__map_has(s->institutes, igt__text_of(&institute->id)))
        continue;
    } else {
      *why = what;
    }
    if (!leave_out(found, i, err))
      return IGT_E_NO_MEMORY;
  }
  return IGT_OK;
}

igt_status igt__found_institutes(igt_client *client, igt__found *found, igt_error *err) {
  const char *why = NULL;
  bool fits = false;
  igt_status status = IGT_OK;

  if (!found->institutes)
    status =
        igt__list_institutes(client, igt__text_of(&found->project->id), &found->institutes, err);
  if (status == IGT_OK)
    status = choose_by_name(found, err);
  if (status == IGT_OK)
    status = choose_fitting(found, &why, &fits, err);
  if (status == IGT_OK && why && !fits)
    status = igt__fail(err, IGT_E_INVALID, "the studies of the project '%s' have %s to select by",
                       igt__text_of(&found->project->name), why);
  return status;
}

igt_status igt__find(igt_client *client, igt__selection *selection, bool with_institutes,
                     igt__found *out, igt_error *err) {
  igt_status status;

  memset(out, 0, sizeof *out);
  out->selection = selection;
  status = igt_find_project(client, selection->options.project, &out->project, err);
  if (status == IGT_OK && with_institutes)
    status = igt__found_institutes(client, out, err);
  if (status != IGT_OK)
    igt__found_free(out);
  return status;
}

void igt__found_free(igt__found *found) {
  igt_model_free(found->project ? &found->project->model : NULL);
  igt_model_free(found->institutes ? &found->institutes->model : NULL);
  igt__free(found->chosen);
  memset(found, 0, sizeof *found);
}

/* ---- which studies ---- */

/* Some servers write a bare date where the description has a date-time. */
static bool day_of(const igt_time_field *field, int64_t *day) {
  igt_time date;

  if (field->is != IGT_SET)
    return false;
  if (field->valid)
    date = field->v;
  else if (!field->text || !igt__date_parse(field->text, &date))
    return false;
  *day = igt__time_day(&date);
  return true;
}

bool igt__study_day(const igt_root_study *study, int64_t *day) {
  if (igt_model_is(&study->model, igt_epd_study_type()))
    return day_of(&((const igt_epd_study *)study)->datetime, day);
  if (igt_model_is(&study->model, igt_base_study_type()))
    return day_of(&((const igt_base_study *)study)->study_date, day);
  return false;
}

bool igt__study_has_day(const igt__selection *s, const igt_root_study *study, bool *undated) {
  int64_t day = 0;
  bool dated = s->by_date && igt__study_day(study, &day);

  *undated = s->by_date && !dated;
  return !dated || (day >= s->first_day && day <= s->last_day);
}

bool igt__found_takes(const igt__found *found, const igt_root_study *study, bool *undated) {
  bool no_day, no_time;

  /* The names first: an entry that matched is not reported as missing for the study's date. */
  if (!igt__selection_takes(found->selection, study, &no_time) ||
      !igt__study_has_day(found->selection, study, &no_day))
    return false;
  *undated = no_day || no_time;
  return true;
}

igt_status igt__shard_check(unsigned shard, unsigned shards, igt_error *err) {
  if (shards && (shard < 1 || shard > shards))
    return igt__fail(err, IGT_E_INVALID, "invalid shard %u of %u: shards are numbered from 1",
                     shard, shards);
  return IGT_OK;
}

bool igt__in_shard(const char *id, unsigned shard, unsigned shards) {
  unsigned char digest[16];

  if (shards < 2)
    return true;
  igt__digest_of(IGT__MD5, id, strlen(id), digest);
  return ((unsigned)digest[0] << 16 | (unsigned)digest[1] << 8 | digest[2]) % shards == shard - 1;
}
