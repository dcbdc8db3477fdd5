/* SPDX-License-Identifier: MIT */
/* igt_csv: the studies of a project as a CSV file. Studies are listed institute by institute and
 * become rows of a table (table.c), which are written in blocks to a partial file, an existing
 * file, or the caller's function. With files, each study's files are listed on a pool; the jobs
 * form a list in the studies' order, and the oldest one is waited for whenever the list gets long,
 * so that rows come in order and memory stays bounded. Called by `igtcloud csv`. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/queue.h"
#include "base/str.h"
#include "igtcloud/operations.h"
#include "transfer/csv/table.h"
#include "transfer/download/partial.h"
#include "transfer/engine/events.h"
#include "transfer/engine/filter.h"
#include "transfer/engine/find.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/options.h"
#include "transfer/engine/other_categories.h"
#include "transfer/engine/plan.h"
#include "transfer/engine/pool.h"

#define FLUSH_AT ((size_t)128 * 1024)
#define MAX_HEADER ((size_t)256 * 1024)

typedef struct csv csv;

/* A file that was listed. */
typedef struct listed {
  struct listed *next;
  int64_t size; /* -1: unknown */
  char name[];
} listed;

/* With files: a study whose files are listed on a pool; rows are written in the studies' order. The
 * study's own values are stored once, not for each file. */
typedef struct job {
  struct job *next;
  csv *csv;
  igt_root_study *study;
  const char *institute_id;
  igt__buf cells; /* of the study */
  igt__quota lists;
  igt__arena *arena; /* files */
  IGT__QUEUE(listed) rows;
  const igt__category *category; /* being listed */
  bool several, any;             /* requested categories; files are listed */
  uint64_t files, left_out;      /* left_out: in each row */
  igt_status status;
  igt_error error;
  bool done;
} job;

struct csv {
  igt_transfer *transfer;
  igt_client *client;
  igt_csv_options own; /* the caller's, as this library knows it */
  igt__shared_options shared;
  const igt_csv_options *options; /* own */
  igt_csv_summary *summary;       /* the transfer's */
  igt__cancel *cancel;
  igt__found found;
  const igt_institute *institute; /* being listed */
  igt__table *table;
  igt__quota lists; /* of all jobs */
  bool begun;       /* the header is out, columns are fixed */
  igt__root *root;
  igt__partial partial;
  char *name;
  int fd;
  igt__buf out;
  igt__pool *pool;
  unsigned concurrency, waiting;
  IGT__QUEUE(job) jobs;
  pthread_mutex_t lock;
  pthread_cond_t job_done;
  igt_error error;     /* status of a callback that ended the listing */
  igt__filter *filter; /* of files */
  igt__other_categories elsewhere;
  unsigned long long unmatched; /* entries of the selection without a study */
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

/* ---- rows of files ---- */

static bool add_file(job *j, const char *name, int64_t size) {
  size_t n = strlen(name) + 1;
  listed *file = igt__arena_alloc(j->arena, sizeof *file + n);

  if (!file)
    return false;
  file->size = size;
  memcpy(file->name, name, n);
  igt__queue_add(&j->rows, file);
  j->files++;
  return true;
}

static igt_status each_file(void *payload, const char *list, igt_file *file) {
  job *j = payload;
  const char *ext = j->csv->options->selection->ext, *name = igt__text_of(&file->file_name);
  int64_t size = file->file_size.is == IGT_SET ? file->file_size.v : -1;
  igt__buf path;
  bool good;

  if (list && strcmp(list, j->category->folder) != 0)
    return IGT_OK;
  j->any = true;
  if (ext && !igt__str_eq_nocase(ext, igt__text_of(&file->type)))
    return IGT_OK;
  if (!igt__filter_path(j->csv->filter, name) ||
      !igt__filter_size(j->csv->filter, size > 0 ? (uint64_t)size : 0))
    return IGT_OK;
  if (!j->several)
    return add_file(j, name, size) ? IGT_OK : IGT_E_NO_MEMORY;
  igt__buf_init(&path, 64 * 1024);
  good = igt__buf_join(&path, j->category->folder, "/", name, NULL) && add_file(j, path.data, size);
  igt__buf_finish(&path);
  return good ? IGT_OK : IGT_E_NO_MEMORY;
}

/* One category after the other. */
static igt_status list_files(job *j) {
  const csv *c = j->csv;
  unsigned wanted = c->options->categories ? c->options->categories : IGT_CATEGORY_FILES;
  const char *id = igt__text_of(&j->study->study_database_id);
  igt_status status = IGT_OK;

  j->several = (wanted & (wanted - 1)) != 0;
  for (size_t i = 0; i < IGT__CATEGORY_COUNT && status == IGT_OK; i++) {
    igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;
    if (!(wanted & igt__categories[i].bit))
      continue;
    j->category = &igt__categories[i];
    if (igt__categories[i].bit != IGT_CATEGORY_FILES)
      options.auxiliary = "True";
    status =
        igt_get_study_files_each(c->client, j->institute_id, id, &options, each_file, j, &j->error);
  }
  return status;
}

static void job_task(void *arg) {
  job *j = arg;
  csv *c = j->csv;

  j->status = list_files(j);
  if (j->status == IGT_E_NO_MEMORY)
    j->status = igt__list_fail(&j->lists, "files", "no real study has that many, so it has no rows",
                               &j->error);
  if (j->status == IGT_OK && !j->any && !c->options->categories)
    igt__other_categories_look(&c->elsewhere, c->client, j->institute_id,
                               igt__text_of(&j->study->study_database_id));
  if (j->status == IGT_OK && !igt__table_study_cells(c->table, j->study, &j->cells, &j->left_out))
    j->status = igt__fail_memory(&j->error);
  pthread_mutex_lock(&c->lock);
  j->done = true;
  pthread_cond_signal(&c->job_done);
  pthread_mutex_unlock(&c->lock);
}

static void job_free(job *j) {
  igt_model_free(j->study ? &j->study->model : NULL);
  igt__buf_finish(&j->cells);
  igt__arena_free(j->arena);
  igt__free(j);
}

/* Without memory for it the study is still counted. */
static void push(const csv *c, struct igt__event *event) {
  if (event)
    igt__transfer_push(c->transfer, event);
}

static void report_failed(csv *c, const job *j) {
  igt_transfer_item item = {.kind = IGT_ITEM_STUDY,
                            .result = IGT_RESULT_FAILED,
                            .study = igt__text_of(&j->study->study_id_human_readable),
                            .study_id = igt__text_of(&j->study->study_database_id),
                            .error = &j->error};

  c->summary->studies_failed++;
  push(c, igt__event_of_item(&item));
}

static igt_status write_row(csv *c, const job *j, const listed *file, igt_error *err) {
  c->summary->rows++;
  c->summary->fields_left_out += j->left_out;
  igt__buf_append(&c->out, j->cells.data, j->cells.len);
  igt__table_end_row(c->table, file ? file->name : NULL, file ? file->size : 0, &c->out);
  return c->out.len >= FLUSH_AT || c->out.failed ? write_out(c, err) : IGT_OK;
}

/* A study without files has one row. */
static igt_status write_rows(csv *c, const job *j, igt_error *err) {
  igt_status status = j->rows.first ? IGT_OK : write_row(c, j, NULL, err);

  for (const listed *file = j->rows.first; file && status == IGT_OK; file = file->next)
    status = write_row(c, j, file, err);
  c->summary->files += j->files;
  return status;
}

/* Waits for the oldest job and writes its rows. */
static igt_status finish_job(csv *c, igt_error *err) {
  job *j = c->jobs.first;
  igt_status status = IGT_OK;

  pthread_mutex_lock(&c->lock);
  while (!j->done)
    pthread_cond_wait(&c->job_done, &c->lock);
  pthread_mutex_unlock(&c->lock);
  (void)igt__queue_take(&c->jobs);
  c->waiting--;
  if (j->status == IGT_OK) {
    status = write_rows(c, j, err);
  } else if (j->status == IGT_E_CANCELLED || j->status == IGT_E_NO_MEMORY) {
    status = j->status;
    if (err)
      igt__error_copy(err, &j->error);
  } else {
    report_failed(c, j);
  }
  job_free(j);
  return status;
}

static igt_status add_job(csv *c, const igt_root_study *study, igt_error *err) {
  job *j = igt__calloc(1, sizeof *j);
  igt_status status = IGT_OK;

  if (!j)
    return igt__fail_memory(err);
  igt__buf_init(&j->cells, SIZE_MAX);
  igt__quota_init_part(&j->lists, &c->lists);
  j->arena = igt__arena_new(0);
  if (j->arena)
    igt__arena_bound(j->arena, UINT64_MAX, &j->lists);
  igt__queue_init(&j->rows);
  j->csv = c;
  j->institute_id = igt__text_of(&c->institute->id);
  j->study = (igt_root_study *)igt_model_copy(&study->model);
  if (!j->study || !j->arena) {
    job_free(j);
    return igt__fail_memory(err);
  }
  igt__queue_add(&c->jobs, j);
  c->waiting++;
  igt__pool_add(c->pool, job_task, j);
  while (c->waiting >= c->concurrency * 2 && status == IGT_OK)
    status = finish_job(c, err);
  return status;
}

/* ---- studies ---- */

static igt_status take_study(csv *c, const igt_root_study *study, igt_error *err) {
  igt_status status = c->begun ? IGT_OK : begin(c, study, err);

  c->summary->studies++;
  if (status != IGT_OK || c->options->files)
    return status == IGT_OK ? add_job(c, study, err) : status;
  c->summary->rows++;
  if (!igt__table_row(c->table, study, NULL, 0, &c->out, &c->summary->fields_left_out))
    return igt__fail_memory(err);
  return c->out.len >= FLUSH_AT ? write_out(c, err) : IGT_OK;
}

static void begin_institute(void *payload, const igt_institute *institute) {
  csv *c = payload;

  c->institute = institute;
  c->summary->institutes++;
}

static igt_status each_study(void *payload, const igt_institute *institute, igt_root_study *study,
                             bool undated) {
  csv *c = payload;

  if (igt__cancel_is_set(c->cancel))
    return igt__fail(&c->error, IGT_E_CANCELLED, "interrupted");
  c->institute = institute;
  c->summary->studies_undated += undated;
  return take_study(c, study, &c->error);
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
  igt_status status = igt__found_end(&c->found, report_unmatched, c, text, sizeof text, err);

  if (*text)
    push(c, igt__event_of_message(IGT_OK, text));
  return status;
}

static igt_status list_all(csv *c, igt_error *err) {
  static const igt__selected_fns fns = {begin_institute, each_study, NULL};
  igt_status status =
      igt__each_selected(c->client, &c->found, c->options->shard, c->options->shards, &fns, c, err);

  if (status != IGT_OK && c->error.status != IGT_OK) {
    status = c->error.status;
    if (err)
      igt__error_copy(err, &c->error);
  }
  while (c->jobs.first) {
    igt_status one = finish_job(c, status == IGT_OK ? err : NULL);
    status = status == IGT_OK ? one : status;
  }
  if (status == IGT_OK)
    status = end_selection(c, err);
  if (status == IGT_OK && !c->begun)
    status = begin(c, NULL, err);
  return status == IGT_OK ? write_out(c, err) : status;
}

static void tell_elsewhere(const csv *c) {
  char text[IGT_ERROR_TEXT_MAX];

  if (igt__other_categories_tell(&c->elsewhere, text, sizeof text))
    push(c, igt__event_of_message(IGT_OK, text));
}

static void tell_pattern(void *csv_, const char *text) {
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
                     "'%s' has another name as well (a hard link), so nothing was appended to it",
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

/* ---- the run ---- */

static igt_status run(csv *c, igt_error *err) {
  igt_status status = igt_client_sign_in(c->client, err);

  if (status == IGT_OK && c->options->files)
    status = igt__filter_new(NULL, c->options->filters, &c->filter, err);
  if (status == IGT_OK)
    status = igt__find(c->client, c->shared.selection, true, &c->found, err);
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

static void finish(csv *c) {
  job *j;

  igt__pool_free(c->pool);
  while ((j = igt__queue_take(&c->jobs)) != NULL)
    job_free(j);
  igt__table_free(c->table);
  igt__filter_free(c->filter);
  igt__buf_finish(&c->out);
  igt__found_free(&c->found);
  igt__root_close(c->root);
  igt__free(c->name);
  pthread_cond_destroy(&c->job_done);
  pthread_mutex_destroy(&c->lock);
}

static igt_status read_options(csv *c, const igt_csv_options *options, igt_error *err) {
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
    status = igt__fail(err, IGT_E_INVALID, "the target folder is missing");
  return status;
}

static igt_status list(igt_transfer *transfer, void *job_, igt_error *err) {
  csv *c = job_;
  int64_t begin_us = igt__mono_us();
  igt_status status;

  c->transfer = transfer;
  c->client = igt__transfer_client(transfer);
  c->summary = igt__transfer_csv_summary(transfer);
  c->error = (igt_error)IGT_ERROR_INIT;
  c->fd = c->partial.fd = -1;
  c->cancel = igt__client_cancel(c->client);
  igt__queue_init(&c->jobs);
  c->concurrency =
      c->options->concurrency ? c->options->concurrency : igt__client_connections(c->client);
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->job_done, NULL);
  igt__buf_init(&c->out, SIZE_MAX);
  igt__quota_init_fair(&c->lists, IGT__MAX_RUN_MEMORY);
  c->table = igt__table_new(c->options->files);
  c->pool = c->options->files ? igt__pool_new("igt-csv", c->concurrency) : NULL;
  if (!c->table || (c->options->files && !c->pool))
    status = igt__fail_memory(err);
  else
    status = run(c, err);
  if (status == IGT_OK) {
    igt__filter_report(c->filter, tell_pattern, c);
    tell_elsewhere(c);
  }
  finish(c);
  c->summary->seconds = (double)(igt__mono_us() - begin_us) / 1e6;
  return status;
}

static void release(void *job_) {
  csv *c = job_;

  if (c)
    igt__shared_options_finish(&c->shared);
  igt__free(c);
}

static igt_status prepare(igt_client *client, const igt_csv_options *options,
                          const igt_transfer_callbacks *callbacks, igt_transfer **out,
                          igt_error *err) {
  static const igt__transfer_kind kind = {list, release};
  csv *c = igt__calloc(1, sizeof *c);
  igt_status status = c ? read_options(c, options, err) : igt__fail_memory(err);

  *out = NULL;
  if (status != IGT_OK) {
    release(c);
    return status;
  }
  status = igt__transfer_new(client, callbacks, &kind, c, out, err);
  if (status != IGT_OK)
    return status;
  c->own.target = igt__transfer_keep(*out, c->own.target);
  igt__transfer_keep_filters(*out, &c->shared.filters);
  return IGT_OK;
}

igt_status igt_csv_start(igt_client *client, const igt_csv_options *options,
                         const igt_transfer_callbacks *callbacks, igt_transfer **out,
                         igt_error *err) {
  igt_status status = prepare(client, options, callbacks, out, err);

  return status == IGT_OK ? igt__transfer_start(out, err) : status;
}

igt_status igt_csv(igt_client *client, const igt_csv_options *options,
                   const igt_transfer_callbacks *callbacks, igt_csv_summary *summary,
                   igt_error *err) {
  static const igt_csv_summary none = IGT_CSV_SUMMARY_INIT;
  igt_transfer *transfer = NULL;
  igt_status status = igt__result_check(summary, "igt_csv_summary", err);

  if (status == IGT_OK) {
    igt__result_write(summary, &none, sizeof none);
    status = prepare(client, options, callbacks, &transfer, err);
  }
  return status == IGT_OK ? igt__transfer_run(transfer, NULL, summary, err) : status;
}
