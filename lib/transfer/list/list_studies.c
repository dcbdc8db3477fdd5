/* SPDX-License-Identifier: MIT */
/* igt_list_studies: finds what is to be listed, by name or from a node of a tree, and hands what
 * list.c lists to the program's callbacks. */
#include "transfer/list/list.h"

#include "base/mem.h"
#include "base/sized.h"
#include "cloud/node.h"
#include "igtcloud/list.h"
#include "transfer/engine/filter.h"
#include "transfer/engine/options.h"

/* One call. */
typedef struct stream {
  igt_client *client;
  igt_list_options own; /* the caller's, as this library knows it */
  igt__shared_options shared;
  igt__found found;
  igt_institute *institute;     /* of a node */
  igt_institute_list one;       /* has it */
  unsigned long long unmatched; /* entries of the selection without a study */
  igt__list_options list;
  igt__filter *filter;
  igt__list_counts counts;
} stream;

/* ---- callbacks ---- */

static igt_listed_study study_of(const igt__listed *e) {
  const char *name = e->study ? igt__text_of(&e->study->study_id_human_readable) : "";

  return (igt_listed_study){.institute = e->institute,
                            .study = e->study,
                            .name = *name || !e->study ? name
                                                       : igt__text_of(&e->study->study_database_id),
                            .files = e->files,
                            .bytes = e->bytes,
                            .files_incomplete = e->incomplete,
                            .error = e->status != IGT_OK ? &e->error : NULL};
}

static igt_status ended(igt_status status, igt_error *err) {
  return status == IGT_OK ? IGT_OK : igt__fail(err, status, "stopped by the callback");
}

static igt_status on_found(void *payload, const igt__listed *e, bool *wanted, igt_error *err) {
  const stream *s = payload;
  igt_listed_study study = study_of(e);

  (void)err;
  *wanted = !s->own.wants || s->own.wants(s->own.payload, &study);
  return IGT_OK;
}

static igt_status hand_file(const stream *s, const igt_listed_study *study,
                            const igt__listed_file *f) {
  igt_listed_file file = {.category = igt__categories[f->category].folder,
                          .path = f->name,
                          .type = f->type,
                          .size = f->size,
                          .is_complete = f->is_complete};

  return s->own.on_file(s->own.payload, study, &file);
}

static igt_status on_study(void *payload, const igt__listed *e, igt_error *err) {
  const stream *s = payload;
  igt_listed_study study = study_of(e);
  igt_status status = s->own.on_study ? s->own.on_study(s->own.payload, &study) : IGT_OK;

  if (e->status != IGT_OK || !s->own.on_file)
    return ended(status, err);
  for (size_t c = 0; c < IGT__CATEGORY_COUNT; c++)
    for (const igt__listed_file *f = e->by_category[c].first; f && status == IGT_OK; f = f->next)
      status = hand_file(s, &study, f);
  return ended(status, err);
}

static void on_institute(void *payload, const igt_institute *institute) {
  const stream *s = payload;

  s->own.on_institute(s->own.payload, institute);
}

/* ---- what is listed ---- */

static igt_status find_project(stream *s, const igt_node *node, igt_error *err) {
  while (igt_node_kind_of(node) != IGT_NODE_PROJECT)
    node = node->parent;
  s->found.project = (igt_project *)igt_model_copy(node->model);
  return s->found.project ? IGT_OK : igt__fail_memory(err);
}

static igt_status find_node(stream *s, igt_error *err) {
  const igt_node *node = s->own.below;
  igt_node_kind kind = igt_node_kind_of(node);

  if ((kind != IGT_NODE_PROJECT && kind != IGT_NODE_INSTITUTE && kind != IGT_NODE_STUDY) ||
      (kind != IGT_NODE_PROJECT && s->own.project_files))
    return igt__fail(err, IGT_E_INVALID, "a %s has no list of studies or files",
                     igt_node_kind_name(kind));
  s->found.selection = s->shared.selection;
  if (s->own.project_files) {
    s->list.project_id = igt_node_id(node);
    return IGT_OK;
  }
  if (find_project(s, node, err) != IGT_OK)
    return IGT_E_NO_MEMORY;
  if (kind == IGT_NODE_STUDY) {
    s->list.only = (const igt_root_study *)node->model;
    node = node->parent;
  }
  if (kind != IGT_NODE_PROJECT) {
    s->institute = (igt_institute *)node->model;
    s->one.v = &s->institute;
    s->one.count = 1;
    s->found.institutes = &s->one;
  }
  return igt__found_institutes(s->client, &s->found, err);
}

static igt_status find(stream *s, igt_error *err) {
  igt_status status;

  if (s->own.below)
    return find_node(s, err);
  status = igt__find(s->client, s->shared.selection, !s->own.project_files, &s->found, err);
  if (status == IGT_OK && s->own.project_files)
    s->list.project_id = igt__text_of(&s->found.project->id);
  return status;
}

/* ---- what was not found ---- */

static void report_pattern(void *payload, const char *text) {
  const stream *s = payload;

  s->own.on_message(s->own.payload, IGT_OK, text);
}

static void report_unmatched(void *payload, const char *study, const igt_error *err) {
  stream *s = payload;

  (void)study;
  s->unmatched++;
  if (s->own.on_message)
    s->own.on_message(s->own.payload, err->status, err->text);
}

static igt_status end_selection(stream *s, igt_error *err) {
  char text[IGT_ERROR_TEXT_MAX];
  igt_status status;

  if (s->list.only || s->list.project_id)
    return IGT_OK;
  status = igt__found_end(&s->found, NULL, report_unmatched, s, text, sizeof text, err);
  if (*text && s->own.on_message)
    s->own.on_message(s->own.payload, IGT_OK, text);
  return status;
}

/* ---- the call ---- */

static void report_elsewhere(const stream *s) {
  char text[IGT_ERROR_TEXT_MAX];

  if (s->own.on_message && igt__other_categories_text(&s->counts.elsewhere, text, sizeof text))
    s->own.on_message(s->own.payload, IGT_OK, text);
}

static igt_status list(stream *s, igt_error *err) {
  const igt_list_options *o = &s->own;
  igt_status status = igt_client_sign_in(s->client, err);

  if (status == IGT_OK)
    status = find(s, err);
  if (status != IGT_OK)
    return status;
  s->list.client = s->client;
  s->list.found = &s->found;
  s->list.files = o->files || o->project_files;
  s->list.categories = o->project_files ? 0 : o->categories;
  s->list.ext = o->selection->ext;
  s->list.filter = s->filter;
  s->list.too_many = "no real study has that many";
  s->list.concurrency = o->concurrency;
  s->list.shard = o->shard;
  s->list.shards = o->shards;
  s->list.on_found = on_found;
  s->list.on_study = on_study;
  s->list.on_institute = s->own.on_institute ? on_institute : NULL;
  s->list.payload = s;
  status = igt__list_studies(&s->list, &s->counts, err);
  if (status == IGT_OK)
    status = end_selection(s, err);
  if (status != IGT_OK)
    return status;
  report_elsewhere(s);
  if (s->own.on_message)
    igt__filter_report(s->filter, report_pattern, s);
  if (s->unmatched)
    return igt__fail_unmatched(s->unmatched, err);
  if (!s->counts.failed)
    return IGT_OK;
  return igt__fail(err, IGT_E_SOME_FAILED, "the files of %llu %s could not be listed",
                   (unsigned long long)s->counts.failed,
                   s->counts.failed == 1 ? "study" : "studies");
}

static igt_status read_options(stream *s, const igt_list_options *options, igt_error *err) {
  igt_study_selection all = IGT_STUDY_SELECTION_INIT;
  igt_list_options *own = &s->own;
  igt_status status = igt__options_read(own, sizeof *own, options, "igt_list_options", err);

  if (status == IGT_OK && own->below) {
    if (own->selection)
      status = igt__options_read(&all, sizeof all, own->selection, "igt_study_selection", err);
    all.project = igt_node_name(own->below); /* which is required, and not looked up */
    own->selection = &all;
  }
  if (status == IGT_OK)
    status = igt__shared_options_read(&s->shared, NULL, &own->selection, err);
  if (status == IGT_OK && s->shared.selection->since_last)
    status = igt__fail(err, IGT_E_INVALID, IGT__LAST_NEEDS_TARGET);
  if (status == IGT_OK)
    status = igt__filters_read(&s->shared, &own->filters, err);
  if (status == IGT_OK && own->filters && (own->filters->min_age || own->filters->max_age))
    status = igt__fail(err, IGT_E_UNSUPPORTED,
                       "a list of files has no dates, so it cannot be limited by age");
  if (status == IGT_OK)
    status = igt__filter_new(NULL, own->filters, &s->filter, err);
  if (status == IGT_OK && own->categories & ~7u)
    status = igt__fail(err, IGT_E_INVALID, "unknown category");
  return status == IGT_OK ? igt__shard_check(own->shard, own->shards, err) : status;
}

igt_status igt_list_studies(igt_client *client, const igt_list_options *options,
                            igt_list_summary *summary, igt_error *err) {
  igt_list_summary counted = IGT_LIST_SUMMARY_INIT;
  stream *s;
  igt_status status = igt__result_check(summary, "igt_list_summary", err);

  if (status != IGT_OK)
    return status;
  if (!(s = igt__calloc(1, sizeof *s)))
    return igt__fail_memory(err);
  s->client = client;
  status = read_options(s, options, err);
  if (status == IGT_OK)
    status = list(s, err);
  counted.institutes = s->counts.institutes;
  counted.studies = s->counts.studies - s->counts.failed;
  counted.studies_undated = s->counts.undated;
  counted.studies_failed = s->counts.failed;
  counted.files = s->counts.files;
  counted.bytes = s->counts.bytes;
  igt__result_write(summary, &counted, sizeof counted);
  if (s->found.institutes == &s->one)
    s->found.institutes = NULL;
  igt__found_free(&s->found);
  igt__filter_free(s->filter);
  igt__shared_options_finish(&s->shared);
  igt__free(s);
  return status;
}

IGT__DEFINE_INIT(igt_list_options)
IGT__DEFINE_INIT(igt_list_summary)
