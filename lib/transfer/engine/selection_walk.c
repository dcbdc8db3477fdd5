/* SPDX-License-Identifier: MIT */
/* Lists the selected studies: institute by institute as they arrive, until the limit is reached; or
 * newest first, for which all are read and kept, or as many as the limit. Institutes that are not
 * selected are not listed. For a modality an institute's series are listed first, once. Called by
 * download, csv and igt_selection_each(); verify, which has its own order, uses the parts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/quota.h"
#include "base/time.h"
#include "base/unicode.h"
#include "cloud/study_list.h"
#include "igtcloud/selection.h"
#include "model/model.h"
#include "transfer/engine/find.h"
#include "transfer/engine/options.h"

typedef struct kept {
  igt_root_study *study;
  const igt_institute *institute;
  int64_t at; /* microseconds since 1970 */
  uint64_t number;
  size_t memory;
  bool undated;
} kept;

typedef struct walk {
  igt_client *client;
  igt__found *found;
  unsigned shard, shards;
  const igt__selected_fns *fns;
  void *payload;
  const igt_institute *institute;
  uint64_t count;   /* handed out, or kept */
  bool full;        /* nothing more is wanted */
  igt_status ended; /* by the caller's function */
  /* newest */
  kept *v;
  size_t kept_count, kept_cap;
  uint64_t seen;
  igt__quota memory;
} walk;

/* ---- series ---- */

static igt_status each_series(void *payload, igt_series *series) {
  igt__selection *s = payload;
  const char *study = igt__text_of(&series->study_database_id);
  const char *modality = igt__text_of(&series->modality);

  if (!*study || igt__map_has(s->series, study))
    return IGT_OK;
  if (!igt__selection_has_modality(s, modality))
    return s->no_memory ? IGT_E_NO_MEMORY : IGT_OK;
  return igt__map_set(s->series, study, s) ? IGT_OK : IGT_E_NO_MEMORY;
}

igt_status igt__found_enter(igt_client *client, igt__found *found, const igt_institute *institute,
                            igt_error *err) {
  igt__selection *s = found->selection;

  if (s->options.modality_count == 0)
    return IGT_OK;
  igt__map_free(s->series);
  if (!(s->series = igt__map_new()))
    return igt__fail_memory(err);
  return igt_get_series_list_each(client, igt__text_of(&institute->id), NULL, each_series, s, err);
}

/* ---- the newest ---- */

/* The study's own date, else that of its record. */
static int64_t time_of(const igt_root_study *study) {
  const igt_time_field *field = &study->created_on;
  int64_t day;

  if (igt__study_day(study, &day)) {
    field = igt_model_is(&study->model, igt_epd_study_type())
                ? &((const igt_epd_study *)study)->datetime
                : &((const igt_base_study *)study)->study_date;
    if (!field->valid)
      return day * 86400 * 1000000;
  }
  return field->is == IGT_SET && field->valid ? field->v.seconds * 1000000 + field->v.microseconds
                                              : INT64_MIN;
}

static int newest_first(const void *a, const void *b) {
  const kept *x = a, *y = b;

  if (x->at != y->at)
    return x->at < y->at ? 1 : -1;
  return x->number < y->number ? -1 : 1;
}

static void drop(walk *w, kept *k) {
  igt_model_free(&k->study->model);
  igt__quota_give(&w->memory, k->memory);
}

static void sort_kept(walk *w) {
  uint64_t limit = w->found->selection->options.limit;

  if (w->kept_count)
    qsort(w->v, w->kept_count, sizeof *w->v, newest_first);
  while (limit && w->kept_count > limit)
    drop(w, &w->v[--w->kept_count]);
}

static bool grow(walk *w) {
  size_t cap = w->kept_cap ? w->kept_cap * 2 : 64;
  kept *more = igt__realloc(w->v, cap * sizeof *w->v);

  if (more) {
    w->v = more;
    w->kept_cap = cap;
  }
  return more != NULL;
}

/* Those beyond the limit are dropped whenever the array is full. */
static igt_status keep(walk *w, const igt_root_study *study, bool undated) {
  kept k = {
      .institute = w->institute, .at = time_of(study), .number = w->seen++, .undated = undated};

  if (w->kept_count == w->kept_cap) {
    sort_kept(w);
    if (w->kept_count * 2 > w->kept_cap || !w->kept_cap)
      if (!grow(w))
        return IGT_E_NO_MEMORY;
  }
  k.study = (igt_root_study *)igt_model_copy(&study->model);
  if (!k.study)
    return IGT_E_NO_MEMORY;
  k.memory = igt__model_memory(&k.study->model);
  if (!igt__quota_take(&w->memory, k.memory)) {
    igt_model_free(&k.study->model);
    return IGT_E_LIMIT;
  }
  w->v[w->kept_count++] = k;
  return IGT_OK;
}

static igt_status hand_out_kept(walk *w) {
  igt_status status = IGT_OK;

  sort_kept(w);
  for (size_t i = 0; i < w->kept_count && status == IGT_OK; i++)
    status = w->fns->study(w->payload, w->v[i].institute, w->v[i].study, w->v[i].undated);
  return status;
}

/* ---- all institutes ---- */

static igt_status each_study(void *payload, igt_root_study *study) {
  walk *w = payload;
  igt__selection *s = w->found->selection;
  const igt_study_selection *o = &s->options;
  bool undated;

  if (!igt__found_takes(w->found, study, &undated))
    return w->ended = s->no_memory ? IGT_E_NO_MEMORY : IGT_OK;
  s->taken++;
  if (igt__in_shard(igt__text_of(&study->study_database_id), w->shard, w->shards)) {
    w->count++;
    w->ended = o->newest ? keep(w, study, undated)
                         : w->fns->study(w->payload, w->institute, study, undated);
  }
  w->full = (!o->newest && o->limit && w->count == o->limit) ||
            (s->entries && s->only_ids && s->unseen == 0);
  if (w->ended != IGT_OK)
    return w->ended;
  return w->full ? IGT_E_CANCELLED : IGT_OK;
}

static igt_status list_institute(walk *w, igt_error *err) {
  igt_status status;

  if (w->fns->institute)
    w->fns->institute(w->payload, w->institute);
  status = igt__found_enter(w->client, w->found, w->institute, err);
  if (status == IGT_OK)
    status = igt__each_study(w->client, igt__text_of(&w->institute->id), each_study, w, err);
  if (status == IGT_OK || w->full || w->ended != IGT_OK)
    return w->ended;
  w->found->selection->incomplete = true;
  return w->fns->failed && status != IGT_E_CANCELLED ? w->fns->failed(w->payload, w->institute, err)
                                                     : status;
}

static igt_status list_all(walk *w, igt_error *err) {
  const igt_institute_list *list = w->found->institutes;
  igt_status status = IGT_OK;

  for (size_t i = 0; i < list->count && status == IGT_OK && !w->full; i++) {
    w->institute = list->v[i];
    if (w->institute && igt__found_selects(w->found, w->institute))
      status = list_institute(w, err);
  }
  if (w->full && w->found->selection->unseen)
    w->found->selection->incomplete = true;
  return status;
}

igt_status igt__each_selected(igt_client *client, igt__found *found, unsigned shard,
                              unsigned shards, const igt__selected_fns *fns, void *payload,
                              igt_error *err) {
  walk w = {.client = client,
            .found = found,
            .shard = shard,
            .shards = shards,
            .fns = fns,
            .payload = payload};
  igt_status status;

  igt__quota_init_fair(&w.memory, IGT__MAX_LIST_MEMORY);
  status = list_all(&w, err);
  if (status == IGT_OK)
    status = hand_out_kept(&w);
  if (status == IGT_E_LIMIT && igt__quota_refused(&w.memory))
    (void)igt__fail(err, IGT_E_LIMIT,
                    "there are too many studies to sort by date; select fewer, or only the "
                    "newest with a limit");
  while (w.kept_count)
    drop(&w, &w.v[--w.kept_count]);
  igt__free(w.v);
  return status;
}

/* ---- for runs with their own order ---- */

static igt_status note_id(void *payload, const igt_institute *institute, igt_root_study *study,
                          bool undated) {
  igt__selection *s = payload;

  (void)institute;
  (void)undated;
  return igt__map_set(s->settled, igt__text_of(&study->study_database_id), s) ? IGT_OK
                                                                              : IGT_E_NO_MEMORY;
}

igt_status igt__found_settle(igt_client *client, igt__found *found, unsigned shard, unsigned shards,
                             igt_error *err) {
  static const igt__selected_fns fns = {.study = note_id};
  igt__selection *s = found->selection;
  igt_status status;

  if (!s->options.limit)
    return IGT_OK;
  if (!(s->settled = igt__map_new()))
    return igt__fail_memory(err);
  s->settling = true;
  status = igt__each_selected(client, found, shard, shards, &fns, s, err);
  s->settling = false;
  return status == IGT_E_NO_MEMORY ? igt__fail_memory(err) : status;
}

/* ---- the end ---- */

static igt_status no_match(const igt__found *found, const char *source, char *text, size_t cap,
                           igt_error *err) {
  const igt__selection *s = found->selection;
  char since[40];

  if (!s->since_last || !s->too_old)
    return igt__fail(err, IGT_E_NOT_FOUND, "the selection matches no study %s '%s'",
                     source ? "in" : "of the project",
                     source ? source : igt__text_of(&found->project->name));
  igt__time_format(&(igt_time){.seconds = s->since, .has_offset = true}, 'T', since, sizeof since);
  (void)snprintf(text, cap, "no study was modified since the last complete run (%s)", since);
  return IGT_OK;
}

igt_status igt__found_end(const igt__found *found, const char *source, igt__unmatched_fn report,
                          void *payload, char *text, size_t cap, igt_error *err) {
  const igt__selection *s = found->selection;
  const igt__selection_entry *entry;

  *text = '\0';
  if (s->incomplete || !igt__selection_is_narrow(s))
    return IGT_OK;
  if (s->taken == 0)
    return no_match(found, source, text, cap, err);
  for (size_t i = 0; (entry = igt__selection_unmatched(s, &i)) != NULL;) {
    igt_error why = IGT_ERROR_INIT;
    (void)igt__selection_entry_fail(entry, &why);
    report(payload, entry->name, &why);
  }
  return IGT_OK;
}

igt_status igt__fail_unmatched(unsigned long long count, igt_error *err) {
  return igt__fail(err, IGT_E_SOME_FAILED, "%llu of the selected studies %s not exist", count,
                   count == 1 ? "does" : "do");
}

/* ---- igt_selection_each ---- */

typedef struct each {
  igt_selected_study_fn fn;
  void (*on_message)(void *payload, igt_status status, const char *text);
  void *payload;
  unsigned long long unmatched, undated;
} each;

static igt_status each_selected(void *payload, const igt_institute *institute,
                                igt_root_study *study, bool undated) {
  each *e = payload;

  e->undated += undated;
  return e->fn(e->payload, institute, study);
}

static void report_unmatched(void *payload, const char *study, const igt_error *err) {
  each *e = payload;

  (void)study;
  e->unmatched++;
  if (e->on_message)
    e->on_message(e->payload, err->status, err->text);
}

static igt_status end_each(each *e, const igt__found *found, igt_error *err) {
  char text[IGT_ERROR_TEXT_MAX];
  igt_status status = igt__found_end(found, NULL, report_unmatched, e, text, sizeof text, err);

  if (e->undated && e->on_message) {
    (void)snprintf(text, sizeof text, "%llu %s no date and passed the date filter", e->undated,
                   e->undated == 1 ? "study has" : "studies have");
    e->on_message(e->payload, IGT_OK, text);
  }
  if (status == IGT_OK && e->unmatched)
    status = igt__fail_unmatched(e->unmatched, err);
  return status;
}

static igt_status run_each(igt_client *client, igt__selection *selection, each *e, igt_error *err) {
  static const igt__selected_fns fns = {.study = each_selected};
  igt__found found;
  igt_status status = igt_client_sign_in(client, err);

  if (status == IGT_OK)
    status = igt__find(client, selection, true, &found, err);
  if (status != IGT_OK)
    return status;
  status = igt__each_selected(client, &found, 0, 0, &fns, e, err);
  if (status == IGT_OK)
    status = end_each(e, &found, err);
  igt__found_free(&found);
  return status;
}

igt_status igt_selection_check(const igt_study_selection *selection, igt_error *err) {
  igt__selection *compiled = NULL;
  igt_study_selection own;
  igt_status status;

  igt__error_clear(err);
  status = igt__options_read(&own, sizeof own, selection, "igt_study_selection", err);
  own.studies_from = NULL;
  if (status == IGT_OK)
    status = igt__selection_new(&own, &compiled, err);
  igt__selection_free(compiled);
  return status;
}

igt_status igt_selection_each(igt_client *client, const igt_study_selection *selection,
                              igt_selected_study_fn fn, void *payload,
                              void (*on_message)(void *payload, igt_status status,
                                                 const char *text),
                              igt_error *err) {
  each e = {.fn = fn, .on_message = on_message, .payload = payload};
  igt__shared_options own = {.selection = NULL};
  igt_status status;

  igt__error_clear(err);
  status = igt__shared_options_read(&own, NULL, &selection, err);
  if (status == IGT_OK && own.selection->since_last)
    status = igt__fail(err, IGT_E_INVALID, IGT__LAST_NEEDS_TARGET);
  if (status == IGT_OK)
    status = run_each(client, own.selection, &e, err);
  igt__shared_options_finish(&own);
  return status;
}
