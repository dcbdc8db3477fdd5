/* SPDX-License-Identifier: MIT */
/* igt_csv: the studies of a project as a CSV file. Studies are listed institute by institute and
 * become rows of a table (table.c), which are written in blocks to a partial file, an existing
 * file, or the caller's function. list.c lists the studies, and with files each study's files; what
 * a study's rows have in common is made on its pool. Called by `igtcloud csv`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "transfer/csv/table.h"
#include "transfer/download/partial.h"
#include "transfer/engine/events.h"
#include "transfer/engine/filter.h"
#include "transfer/engine/find.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/last_run.h"
#include "transfer/engine/options.h"
#include "transfer/list/list.h"

#define FLUSH_AT ((size_t)128 * 1024)
#define MAX_HEADER ((size_t)256 * 1024)

typedef struct csv csv;

/* A study's own cells, made on the pool and stored once, not for each file. */
typedef struct cells {
  igt__buf text;
  uint64_t left_out; /* in each row */
} cells;

struct csv {
  igt_transfer *transfer;
  igt_client *client;
  igt_csv_options own; /* the caller's, as this library knows it */
  igt__shared_options shared;
  const igt_csv_options *options; /* own */
  igt_csv_summary *summary;       /* the transfer's */
  igt__found found;
  igt__table *table;
  bool begun;   /* the header is out, columns are fixed */
  bool several; /* categories: names begin with theirs */
  igt__root *root;
  igt__partial partial;
  char *name;
  int fd;
  igt__buf out, path;
  igt__list_counts counts;
  igt__filter *filter;          /* of files */
  unsigned long long unmatched; /* entries of the selection without a study */
  igt__journal *journal;        /* NULL: not needed */
  igt__last_run last;
};

/* ---- output ---- */

static igt_status write_out(csv *c, igt_error *err) {
  const igt__buf *out = &c->out;
  igt_status status = IGT_OK;

  if (out->failed)
    return igt__fail_memory(err);
  if (c->options->write && out->len > 0)
    status = igt__transfer_write(c->transfer, c->options->write, c->options->write_payload,
                                 out->data, out->len);
  if (status != IGT_OK)
    (void)igt__fail(err, status, "the output could not be written");
  else if (!c->options->write && !igt__fd_write(c->fd, out->data, out->len))
    status = igt__fail_errno(err, errno, "cannot write '%s'", c->summary->path);
  igt__buf_clear(&c->out);
  return status;
}

/* The columns that are known before the first row: those of the first study, then of all types
 * that the institutes have. */
static igt_status begin(csv *c, const igt_root_study *first, igt_error *err) {
  bool good = true;

  c->begun = true;
  if (igt__table_columns(c->table)) /* of the file that is appended to */
    return IGT_OK;
  if (first)
    good = igt__table_add_study(c->table, first);
  for (size_t i = 0; i < c->found.institutes->count && good; i++) {
    const igt_institute *institute = c->found.institutes->v[i];
    if (institute && igt__found_selects(&c->found, institute))
      good = igt__table_add_type(c->table, igt__text_of(&institute->study_type));
  }
  return good && igt__table_header(c->table, &c->out) ? IGT_OK : igt__fail_memory(err);
}

/* ---- rows ---- */

static void cells_free(void *prepared) {
  cells *own = prepared;

  igt__buf_finish(&own->text);
  igt__free(own);
}

/* On the pool. */
static igt_status prepare_study(void *payload, igt__listed *study, igt_error *err) {
  const csv *c = payload;
  cells *own = igt__calloc(1, sizeof *own);

  if (!own)
    return igt__fail_memory(err);
  igt__buf_init(&own->text, SIZE_MAX);
  study->prepared = own;
  return igt__table_study_cells(c->table, study->study, &own->text, &own->left_out)
             ? IGT_OK
             : igt__fail_memory(err);
}

/* Without memory for it the study is still counted. */
static void push(const csv *c, struct igt__event *event) {
  if (event)
    igt__transfer_push(c->transfer, event);
}

static void report_failed(const csv *c, const igt__listed *study) {
  igt_transfer_item item = {.kind = IGT_ITEM_STUDY,
                            .result = IGT_RESULT_FAILED,
                            .study = igt__text_of(&study->study->study_id_human_readable),
                            .study_id = igt__text_of(&study->study->study_database_id),
                            .error = &study->error};

  push(c, igt__event_of_item(&item));
}

static const char *name_of(csv *c, const igt__listed_file *file) {
  if (!c->several)
    return file->name;
  igt__buf_clear(&c->path);
  return igt__buf_join(&c->path, igt__categories[file->category].folder, "/", file->name, NULL)
             ? c->path.data
             : NULL;
}

static igt_status write_row(csv *c, const cells *own, const igt__listed_file *file,
                            igt_error *err) {
  const char *name = file ? name_of(c, file) : NULL;

  if (file && !name)
    return igt__fail_memory(err);
  c->summary->rows++;
  c->summary->fields_left_out += own->left_out;
  igt__buf_append(&c->out, own->text.data, own->text.len);
  igt__table_end_row(c->table, name, file ? file->size : 0, &c->out);
  return c->out.len >= FLUSH_AT || c->out.failed ? write_out(c, err) : IGT_OK;
}

/* A study without files has one row. */
static igt_status write_rows(csv *c, const igt__listed *study, igt_error *err) {
  igt_status status = study->files ? IGT_OK : write_row(c, study->prepared, NULL, err);

  for (size_t k = 0; k < IGT__CATEGORY_COUNT; k++)
    for (const igt__listed_file *file = study->by_category[k].first; file && status == IGT_OK;
         file = file->next)
      status = write_row(c, study->prepared, file, err);
  return status;
}

static igt_status write_study(csv *c, const igt__listed *study, igt_error *err) {
  c->summary->rows++;
  if (!igt__table_row(c->table, study->study, NULL, 0, &c->out, &c->summary->fields_left_out))
    return igt__fail_memory(err);
  return c->out.len >= FLUSH_AT ? write_out(c, err) : IGT_OK;
}

static igt_status on_study(void *payload, const igt__listed *study, igt_error *err) {
  csv *c = payload;

  if (!c->options->files)
    return write_study(c, study, err);
  if (study->status == IGT_OK)
    return write_rows(c, study, err);
  report_failed(c, study);
  return IGT_OK;
}

/* The columns must be known before the pool prepares the first study. */
static igt_status on_found(void *payload, const igt__listed *study, bool *wanted, igt_error *err) {
  csv *c = payload;

  (void)wanted;
  return c->begun ? IGT_OK : begin(c, study->study, err);
}

static void take_counts(csv *c) {
  igt_csv_summary *s = c->summary;

  s->institutes = c->counts.institutes;
  s->studies = c->counts.studies - c->counts.failed;
  s->studies_undated = c->counts.undated;
  s->studies_failed = c->counts.failed;
  s->files = c->counts.files;
}

static void report_unmatched(void *payload, const char *study, const igt_error *err) {
  csv *c = payload;
  igt_transfer_item item = {
      .kind = IGT_ITEM_STUDY, .result = IGT_RESULT_FAILED, .study = study, .error = err};

  c->unmatched++;
  push(c, igt__event_of_item(&item));
}

static igt_status end_selection(csv *c, igt_error *err) {
  char text[IGT_ERROR_TEXT_MAX];
  igt_status status = igt__found_end(&c->found, NULL, report_unmatched, c, text, sizeof text, err);

  if (*text)
    push(c, igt__event_of_message(IGT_OK, text));
  return status;
}

static igt_status list_all(csv *c, igt_error *err) {
  const igt_csv_options *o = c->options;
  const igt__list_options list = {.client = c->client,
                                  .found = &c->found,
                                  .files = o->files,
                                  .categories = o->categories,
                                  .ext = o->selection->ext,
                                  .filter = c->filter,
                                  .too_many =
                                      "no real study has that many, so its files have no rows",
                                  .concurrency = o->concurrency,
                                  .shard = o->shard,
                                  .shards = o->shards,
                                  .on_found = on_found,
                                  .prepare = prepare_study,
                                  .release = cells_free,
                                  .on_study = on_study,
                                  .payload = c};
  igt_status status = igt__list_studies(&list, &c->counts, err);

  take_counts(c);
  if (status == IGT_OK)
    status = end_selection(c, err);
  if (status == IGT_OK && !c->begun)
    status = begin(c, NULL, err);
  return status == IGT_OK ? write_out(c, err) : status;
}

static void report_elsewhere(const csv *c) {
  char text[IGT_ERROR_TEXT_MAX];

  if (igt__other_categories_text(&c->counts.elsewhere, text, sizeof text))
    push(c, igt__event_of_message(IGT_OK, text));
}

static void report_pattern(void *csv_, const char *text) {
  push(csv_, igt__event_of_message(IGT_OK, text));
}

/* ---- the file ---- */

/* cloud_<project>.csv, or cloud_<institute's id>.csv; characters that a name cannot contain become
 * "_". */
static char *file_name(const csv *c) {
  igt__buf out;
  const char *name = igt__text_of(&c->found.project->name);
  const igt_institute *only = igt__found_only(&c->found);

  if (only)
    name = igt__text_of(&only->id);
  igt__buf_init(&out, 250);
  igt__buf_puts(&out, "cloud_");
  for (; *name && out.len < 240; name++)
    igt__buf_putc(&out, *name == '/' || (unsigned char)*name < 0x20 || *name == 0x7f ? '_' : *name);
  igt__buf_puts(&out, ".csv");
  return igt__buf_take(&out);
}

/* Anybody can plant a second name of one of our files, or a file of their own, in a folder that all
 * may write to: the rows must not go into the one, nor to the owner of the other. */
static igt_status check_append(const csv *c, igt_error *err) {
  igt__stat st, folder;

  if (igt__os_fstat(c->fd, &st) != 0 || igt__os_fstat(igt__root_fd(c->root), &folder) != 0)
    return igt__fail_errno(err, errno, "cannot read '%s'", c->summary->path);
  if (st.st_nlink > 1)
    return igt__fail(err, IGT_E_UNSAFE_NAME,
                     "'%s' has more than one hard link, so nothing was appended to it",
                     c->summary->path);
  if (st.st_uid != igt__os_user() && folder.st_mode & S_IWOTH)
    return igt__fail(err, IGT_E_UNSAFE_NAME,
                     "'%s' belongs to another user (uid %lu), in a folder that everybody can write "
                     "to, so nothing was appended to it",
                     c->summary->path, (unsigned long)st.st_uid);
  return IGT_OK;
}

/* An existing file is added to by its own header. */
static igt_status open_append(csv *c, bool *there, igt_error *err) {
  char *text = igt__malloc(MAX_HEADER);
  ssize_t n;
  igt_status status = text ? IGT_OK : igt__fail_memory(err);

  *there = false;
  if (status == IGT_OK)
    status = igt__root_open_file(c->root, c->name, O_RDWR | O_APPEND, 0, false, &c->fd, err);
  if (status == IGT_E_NO_FILE) {
    igt__free(text);
    return IGT_OK;
  }
  if (status == IGT_OK)
    status = check_append(c, err);
  n = status == IGT_OK ? igt__os_pread(c->fd, text, MAX_HEADER, 0) : 0;
  if (n > 0 && !igt__table_add_header(c->table, text, (size_t)n))
    status = igt__fail_memory(err);
  *there = status == IGT_OK;
  igt__free(text);
  return status;
}

static igt_status open_file(csv *c, igt_error *err) {
  bool appending = false;
  igt_status status;

  c->name = file_name(c);
  if (!c->name)
    return igt__fail_memory(err);
  status = igt__root_open(c->options->target, true, &c->root, err);
  if (status == IGT_OK)
    (void)snprintf(c->summary->path, sizeof c->summary->path, "%s/%s", igt__root_path(c->root),
                   c->name);
  if (status == IGT_OK && c->options->append)
    status = open_append(c, &appending, err);
  if (status != IGT_OK || appending)
    return status;
  status = igt__partial_open(&c->partial, c->root, c->name, NULL, err);
  c->fd = c->partial.fd;
  if (status == IGT_OK && igt__os_truncate(c->fd, 0) != 0)
    status = igt__fail_errno(err, errno, "cannot write '%s'", c->summary->path);
  return status;
}

static igt_status close_file(csv *c, igt_status status, igt_error *err) {
  if (c->partial.name && status == IGT_OK) {
    if (!igt__file_sync(c->fd))
      status = igt__fail_errno(err, errno, "cannot write '%s'", c->summary->path);
    else
      return igt__partial_commit(&c->partial, -1, false, err);
  }
  if (c->partial.name)
    igt__partial_close(&c->partial, false);
  else if (c->fd >= 0 && igt__os_close(c->fd) != 0 && status == IGT_OK)
    status = igt__fail_errno(err, errno, "cannot write '%s'", c->summary->path);
  return status;
}

/* ---- since the last complete one ---- */

/* Lists use the journal for nothing else. */
static igt_status begin_last(csv *c, igt_error *err) {
  const igt_csv_options *o = c->options;
  char *target, scope[64];
  bool aside, first = false;
  igt_status status;

  if (!c->shared.selection->since_last)
    return IGT_OK;
  if (o->write)
    return igt__fail(err, IGT_E_INVALID, IGT__LAST_NEEDS_TARGET);
  (void)snprintf(scope, sizeof scope, "%d %u %u/%u", o->files, o->categories, o->shard, o->shards);
  status = igt__journal_open(NULL, igt__client_cancel(c->client), &c->journal, &aside, err);
  target = status == IGT_OK ? igt__path_absolute(o->target) : NULL;
  if (status == IGT_OK && !target)
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = igt__last_run_begin(&c->last, c->journal, c->shared.selection, "csv",
                                 igt__client_origin(c->client), target, scope,
                                 igt__client_cloud_seconds(c->client), &first, err);
  if (first)
    push(c, igt__event_of_message(IGT_OK, IGT__NO_LAST_RUN));
  igt__free(target);
  return status;
}

static void end_last(csv *c, igt_status status) {
  igt__last_run_end(&c->last, status == IGT_OK);
  igt__journal_close(c->journal);
}

/* ---- the run ---- */

static igt_status run(csv *c, igt_error *err) {
  igt_status status = igt_client_sign_in(c->client, err);

  if (status == IGT_OK && c->options->files)
    status = igt__filter_new(NULL, c->options->filters, &c->filter, err);
  if (status == IGT_OK)
    status = igt__find(c->client, c->shared.selection, true, &c->found, err);
  if (status == IGT_OK)
    status = begin_last(c, err);
  if (status == IGT_OK && !c->options->write)
    status = open_file(c, err);
  if (status == IGT_OK)
    status = list_all(c, err);
  status = close_file(c, status, err);
  if (status == IGT_OK && c->unmatched)
    status = igt__fail_unmatched(c->unmatched, err);
  if (status == IGT_OK && c->summary->studies_failed)
    status = igt__fail(err, IGT_E_SOME_FAILED, "the files of %llu %s could not be listed",
                       (unsigned long long)c->summary->studies_failed,
                       c->summary->studies_failed == 1 ? "study" : "studies");
  return status;
}

static void finish(csv *c, igt_status status) {
  end_last(c, status);
  igt__table_free(c->table);
  igt__filter_free(c->filter);
  igt__buf_finish(&c->out);
  igt__buf_finish(&c->path);
  igt__found_free(&c->found);
  igt__root_close(c->root);
  igt__free(c->name);
}

static igt_status read_options(void *job_, const void *options, igt_error *err) {
  csv *c = job_;
  igt_csv_options *own = &c->own;
  igt_status status = igt__options_read(own, sizeof *own, options, "igt_csv_options", err);

  c->options = own;
  if (status == IGT_OK)
    status = igt__shared_options_read(&c->shared, NULL, &own->selection, err);
  if (status == IGT_OK)
    status = igt__filters_read(&c->shared, &own->filters, err);
  if (status == IGT_OK)
    status = igt__shard_check(own->shard, own->shards, err);
  if (status == IGT_OK && own->filters && (own->filters->min_age || own->filters->max_age))
    status = igt__fail(err, IGT_E_UNSUPPORTED,
                       "a list of files has no dates, so it cannot be limited by age");
  if (status == IGT_OK && !own->write && (!own->target || !*own->target))
    status = igt__fail(err, IGT_E_INVALID, "no target folder was given");
  return status;
}

static igt_status list(igt_transfer *transfer, void *job_, igt_error *err) {
  csv *c = job_;
  int64_t begin_us = igt__mono_us();
  igt_status status;

  c->transfer = transfer;
  c->client = igt__transfer_client(transfer);
  c->summary = igt__transfer_csv_summary(transfer);
  c->fd = c->partial.fd = -1;
  c->several = (c->options->categories & (c->options->categories - 1)) != 0;
  igt__buf_init(&c->out, SIZE_MAX);
  igt__buf_init(&c->path, IGT__MAX_JOINED);
  c->table = igt__table_new(c->options->files);
  status = c->table ? run(c, err) : igt__fail_memory(err);
  if (status == IGT_OK) {
    igt__filter_report(c->filter, report_pattern, c);
    report_elsewhere(c);
  }
  finish(c, status);
  c->summary->seconds = (double)(igt__mono_us() - begin_us) / 1e6;
  return status;
}

static void release(void *job_) {
  csv *c = job_;

  igt__shared_options_finish(&c->shared);
  igt__free(c);
}

static void keep(igt_transfer *transfer, void *job_) {
  csv *c = job_;

  c->own.target = igt__transfer_keep(transfer, c->own.target);
  igt__transfer_keep_filters(transfer, &c->shared.filters);
}

static const igt__transfer_call call = {
    .kind = {list, release}, .job_size = sizeof(csv), .read = read_options, .keep = keep};

igt_status igt_csv_start(igt_client *client, const igt_csv_options *options,
                         const igt_transfer_callbacks *callbacks, igt_transfer **out,
                         igt_error *err) {
  return igt__transfer_call_start(&call, client, options, callbacks, out, err);
}

igt_status igt_csv(igt_client *client, const igt_csv_options *options,
                   const igt_transfer_callbacks *callbacks, igt_csv_summary *summary,
                   igt_error *err) {
  static const igt_csv_summary none = IGT_CSV_SUMMARY_INIT;
  igt_status status = igt__result_check(summary, "igt_csv_summary", err);

  if (status != IGT_OK)
    return status;
  igt__result_write(summary, &none, sizeof none);
  return igt__transfer_call_run(&call, client, options, callbacks, NULL, summary, err);
}
