/* SPDX-License-Identifier: MIT */
/* igt_manifest_write: the selected studies and their files as lines of JSON. As for a CSV with
 * files (csv/csv.c), each study is a job: one pool lists its files, another asks the store for the
 * digest of each, and the oldest job is waited for whenever the list gets long, so that lines come
 * in the cloud's order and memory stays bounded. A digest runs over what is written; the last line
 * has it, and is left out if anything failed. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fingerprints.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/path.h"
#include "base/queue.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "igtcloud/operations.h"
#include "igtcloud/version.h"
#include "model/json.h"
#include "transfer/download/fetch.h"
#include "transfer/engine/events.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/manifest.h"
#include "transfer/engine/options.h"
#include "transfer/engine/plan.h"
#include "transfer/engine/pool.h"
#include "transfer/engine/tree.h"

#define FLUSH_AT ((size_t)128 * 1024)

typedef struct writing writing;
typedef struct job job;

/* What happens to a listed file. */
typedef enum fate { WRITTEN, UNWANTED, INCOMPLETE, FAILED } fate;

/* A file that was listed. */
typedef struct listed {
  struct listed *next;
  job *job;
  const igt__category *category;
  igt__s3_provider *provider; /* the job's */
  const char *key, *path;
  uint64_t size;
  fate fate;
  igt_error *error; /* of a failed one, or NULL without memory */
  igt__stored stored;
} listed;

struct job {
  struct job *next;
  writing *w;
  const igt_institute *institute;
  igt_root_study *study;
  igt__quota lists;
  igt__arena *arena;
  IGT__QUEUE(listed) files;
  igt__s3_provider *providers[IGT__CATEGORY_COUNT];
  const igt__category *category; /* being listed */
  igt__fingerprints *names;      /* of that category */
  unsigned pending;              /* tasks; guarded by the lock */
  igt_status status;
  igt_error error;
};

struct writing {
  igt__run run;
  igt__group group; /* stands for all studies: only its run is used */
  igt_transfer *transfer;
  igt_manifest_options own;
  igt__shared_options shared;
  const igt_manifest_options *options; /* own */
  igt_transfer_summary *summary;       /* the transfer's */
  igt__found found;
  igt__pool *listers, *head_pool;
  unsigned concurrency, waiting;
  IGT__QUEUE(job) jobs;
  pthread_mutex_t lock;
  pthread_cond_t job_done;
  igt__buf out;
  igt__digest *digest;
  uint64_t unmatched;
  igt_error error; /* of what ended the walk */
};

/* ---- output ---- */

static igt_status flush(writing *w, igt_error *err) {
  igt_status status = IGT_OK;

  if (w->out.failed)
    return igt__fail_memory(err);
  if (w->out.len) {
    igt__digest_update(w->digest, w->out.data, w->out.len);
    status = igt__transfer_write(w->transfer, w->options->write, w->options->write_payload,
                                 w->out.data, w->out.len);
  }
  igt__buf_clear(&w->out);
  return status == IGT_OK ? IGT_OK : igt__fail(err, status, "the output could not be written");
}

/* Takes over the line. */
static igt_status put_line(writing *w, igt__json *line, bool good, igt_error *err) {
  good = good && igt__json_write(&w->out, line, IGT__JSON_VISIBLE) && igt__buf_putc(&w->out, '\n');
  igt__json_free(line);
  if (!good)
    return igt__fail_memory(err);
  return w->out.len >= FLUSH_AT ? flush(w, err) : IGT_OK;
}

static const char *utc(int64_t seconds, char text[40]) {
  igt_time t = {.seconds = seconds, .has_offset = true};

  igt__time_format(&t, 'T', text, 40);
  return text;
}

static igt_status put_header(writing *w, igt_error *err) {
  igt__json *line = igt__json_new_object();
  const char *criteria = w->options->criteria ? w->options->criteria : "";
  char program[64], now[40];
  bool good;

  (void)snprintf(program, sizeof program, "igtcloud %s", igt_version());
  good = line && igt__json_set_str(line, "kind", "manifest") &&
         igt__json_set_int(line, "version", IGT__MANIFEST_VERSION) &&
         igt__json_set_str(line, "cloud", w->run.origin) &&
         igt__json_set_str(line, "project", igt__text_of(&w->found.project->name)) &&
         igt__json_set_str(line, "projectId", igt__text_of(&w->found.project->id)) &&
         igt__json_set_str(line, "created", utc(igt__wall_seconds(), now)) &&
         igt__json_set_str(line, "program", program) &&
         igt__json_set_str(line, "selection", criteria);
  return put_line(w, line, good, err);
}

/* "patient/study"; the id if it has no such name. */
static const char *name_of(const job *j) {
  const char *human = igt__text_of(&j->study->study_id_human_readable);

  return *human ? human : igt__text_of(&j->study->study_database_id);
}

static bool put_names(igt__json *line, const job *j) {
  const char *name = name_of(j);
  char *patient = igt__strndup(name, strcspn(name, "/"));
  bool good =
      patient && igt__json_set_str(line, "institute", igt__text_of(&j->institute->name)) &&
      igt__json_set_str(line, "patient", patient) && igt__json_set_str(line, "study", name) &&
      igt__json_set_str(line, "studyDatabaseId", igt__text_of(&j->study->study_database_id));

  igt__free(patient);
  return good;
}

static igt_status put_study(const job *j, igt_error *err) {
  igt__json *line = igt__json_new_object();
  bool good = line && igt__json_set_str(line, "kind", "study") && put_names(line, j);

  return put_line(j->w, line, good, err);
}

static igt_status put_file(const job *j, const listed *file, igt_error *err) {
  igt__json *line = igt__json_new_object();
  uint64_t size = file->stored.size_known ? file->stored.size : file->size;
  igt_transfer_summary *summary = j->w->summary;
  char modified[40];
  bool good = line && igt__json_set_str(line, "kind", "file") && put_names(line, j) &&
              igt__json_set_str(line, "category", file->category->folder) &&
              igt__json_set_str(line, "path", file->path) &&
              igt__json_set_int(line, "size", (int64_t)size);

  if (*file->stored.digest)
    good = good && igt__json_set_str(line, "digest", file->stored.digest);
  if (*file->stored.etag)
    good = good && igt__json_set_str(line, "etag", file->stored.etag);
  if (file->stored.modified)
    good = good && igt__json_set_str(line, "modified", utc(file->stored.modified, modified));
  summary->files_done++;
  summary->bytes_done += size;
  summary->files_unverified += !*file->stored.digest;
  return put_line(j->w, line, good, err);
}

static igt_status put_end(writing *w, igt_error *err) {
  igt__json *line = igt__json_new_object();
  unsigned char digest[IGT__DIGEST_MAX];
  char hex[2 * IGT__DIGEST_MAX + 1];
  igt_status status = flush(w, err);
  bool good;

  igt__digest_final(w->digest, digest);
  igt__hex(digest, igt__digest_size(IGT__SHA256), hex);
  good = status == IGT_OK && line && igt__json_set_str(line, "kind", "end") &&
         igt__json_set_int(line, "studies", (int64_t)w->summary->studies) &&
         igt__json_set_int(line, "files", (int64_t)w->summary->files_done) &&
         igt__json_set_int(line, "bytes", (int64_t)w->summary->bytes_done) &&
         igt__json_set_str(line, "sha256", hex);
  if (status != IGT_OK) {
    igt__json_free(line);
    return status;
  }
  status = put_line(w, line, good, err);
  return status == IGT_OK ? flush(w, err) : status;
}

/* ---- events ---- */

static void push(const writing *w, struct igt__event *event) {
  if (event)
    igt__transfer_push(w->transfer, event);
}

static void report(writing *w, const igt_transfer_item *item) {
  w->summary->files_failed += item->kind == IGT_ITEM_FILE && item->result == IGT_RESULT_FAILED;
  w->summary->studies_failed += item->kind == IGT_ITEM_STUDY && item->result == IGT_RESULT_FAILED;
  push(w, igt__event_of_item(item));
}

static void report_file(const job *j, const listed *file) {
  static const igt_error no_memory = {.status = IGT_E_NO_MEMORY, .text = "out of memory"};
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = IGT_RESULT_FAILED,
                            .institute = igt__text_of(&j->institute->name),
                            .study = name_of(j),
                            .study_id = igt__text_of(&j->study->study_database_id),
                            .path = file->path,
                            .key = file->key,
                            .size = file->size,
                            .error = file->error ? file->error : &no_memory};

  if (file->fate == INCOMPLETE) {
    item.result = IGT_RESULT_IGNORED;
    item.text = "its upload is not complete";
    item.error = NULL;
    j->w->summary->files_incomplete++;
    j->w->summary->files_ignored++;
  }
  report(j->w, &item);
}

static void report_study(writing *w, const char *institute, const char *study,
                         const igt_error *err) {
  igt_transfer_item item = {.kind = IGT_ITEM_STUDY,
                            .result = IGT_RESULT_FAILED,
                            .institute = institute,
                            .study = study,
                            .error = err};

  report(w, &item);
}

/* ---- one study: on the pools ---- */

static void task_end(job *j) {
  writing *w = j->w;

  pthread_mutex_lock(&w->lock);
  if (--j->pending == 0)
    pthread_cond_signal(&w->job_done);
  pthread_mutex_unlock(&w->lock);
}

static void task_begin(job *j) {
  pthread_mutex_lock(&j->w->lock);
  j->pending++;
  pthread_mutex_unlock(&j->w->lock);
}

static void keep_error(listed *file, const igt_error *err) {
  file->fate = FAILED;
  igt__failure_keep(&file->error, err);
}

static void ask_task(void *arg) {
  listed *file = arg;
  writing *w = file->job->w;
  igt__fetch_file fetch = {
      .group = &w->group, .provider = file->provider, .key = file->key, .size = file->size};
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__cancel_is_set(w->run.cancel)
                          ? igt__fail(&err, IGT_E_CANCELLED, "interrupted")
                          : igt__fetch_stored(&fetch, &file->stored, &err);

  if (status != IGT_OK)
    keep_error(file, &err);
  else if (!igt__filter_age(w->run.filter, file->stored.modified))
    file->fate = UNWANTED;
  task_end(file->job);
}

static igt_status check_file(job *j, const igt_file *file, const char *path, igt_error *err) {
  char *local = NULL;
  igt_status status = igt__listed_check(file, igt__text_of(&j->study->s3_prefix), err);

  if (status != IGT_OK)
    return status;
  if (igt__fingerprints_has(j->names, path))
    return igt__fail(err, IGT_E_COLLISION, "the study has another file of this name");
  if (!igt__fingerprints_set(j->names, path, 0))
    return igt__list_fail(&j->lists, "files", IGT__LIST_FILES, err);
  /* No download could put it anywhere. */
  status = igt__path_to_local(path, strlen(path), IGT__NAMES_POSIX, "the file", &local, err);
  igt__free(local);
  return status == IGT_OK ? igt__path_check_cloud(path, strlen(path), "the file", err) : status;
}

static igt_status add_file(job *j, const igt_file *file, const char *path, listed **out) {
  listed *f = igt__arena_calloc(j->arena, 1, sizeof *f);

  *out = f;
  if (!f)
    return IGT_E_NO_MEMORY;
  f->job = j;
  f->category = j->category;
  f->provider = j->providers[j->category - igt__categories];
  f->key = igt__arena_strdup(j->arena, igt__text_of(&file->key));
  f->path = igt__arena_strdup(j->arena, path);
  f->size =
      file->file_size.is == IGT_SET && file->file_size.v > 0 ? (uint64_t)file->file_size.v : 0;
  if (!f->key || !f->path)
    return IGT_E_NO_MEMORY;
  igt__queue_add(&j->files, f);
  return IGT_OK;
}

static bool passes(const job *j, const igt_file *file, const char *path) {
  const igt__run *run = &j->w->run;
  const char *ext = j->w->options->selection->ext;
  uint64_t size =
      file->file_size.is == IGT_SET && file->file_size.v > 0 ? (uint64_t)file->file_size.v : 0;

  return (!ext || igt__str_eq_nocase(ext, igt__text_of(&file->type))) && igt__wanted(run, path) &&
         igt__filter_size(run->filter, size);
}

static igt_status each_file(void *payload, const char *list, igt_file *file) {
  job *j = payload;
  const char *path = *igt__text_of(&file->file_name) ? file->file_name.v
                                                     : igt__path_base(igt__text_of(&file->key));
  igt_error err = IGT_ERROR_INIT;
  igt_status status;
  listed *added;

  if (igt__cancel_is_set(j->w->run.cancel))
    return IGT_E_CANCELLED;
  if ((list && strcmp(list, j->category->folder) != 0) ||
      (igt__has_key(file) && (!passes(j, file, path) || igt__is_folder_key(file))) ||
      (j->category->bit == IGT_CATEGORY_FILES && strcmp(path, IGT__SIDECAR) == 0))
    return IGT_OK;
  if (add_file(j, file, *path ? path : "?", &added) != IGT_OK)
    return IGT_E_NO_MEMORY;
  if (igt__has_key(file) && (file->is_completed.is != IGT_SET || !file->is_completed.v)) {
    added->fate = INCOMPLETE;
    return IGT_OK;
  }
  status = check_file(j, file, path, &err);
  if (status == IGT_E_NO_MEMORY || status == IGT_E_LIMIT)
    return IGT_E_NO_MEMORY;
  if (status != IGT_OK) {
    keep_error(added, &err);
    return IGT_OK;
  }
  task_begin(j);
  igt__pool_add(j->w->head_pool, ask_task, added);
  return IGT_OK;
}

static igt_status begin_category(job *j, size_t c, igt_error *err) {
  igt__buf prefix;

  igt__buf_init(&prefix, IGT__MAX_JOINED);
  igt__buf_printf(&prefix, "%s%s", igt__text_of(&j->study->s3_prefix), igt__categories[c].prefix);
  igt__fingerprints_free(j->names);
  j->names = igt__fingerprints_new(false, &j->lists);
  j->category = &igt__categories[c];
  j->providers[c] = prefix.failed ? NULL : igt__run_provider(&j->w->run, "GET", prefix.data);
  igt__buf_finish(&prefix);
  return j->names && j->providers[c] ? IGT_OK : igt__fail_memory(err);
}

static igt_status list_files(job *j, igt_error *err) {
  const igt_manifest_options *o = j->w->options;
  unsigned wanted = o->categories ? o->categories : IGT_CATEGORY_FILES;
  igt_status status = IGT_OK;

  for (size_t c = 0; c < IGT__CATEGORY_COUNT && status == IGT_OK; c++) {
    igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;
    if (!(wanted & igt__categories[c].bit))
      continue;
    if (igt__categories[c].bit != IGT_CATEGORY_FILES)
      options.auxiliary = "True";
    status = begin_category(j, c, err);
    if (status == IGT_OK)
      status = igt_get_study_files_each(j->w->run.client, igt__text_of(&j->institute->id),
                                        igt__text_of(&j->study->study_database_id), &options,
                                        each_file, j, err);
  }
  return status == IGT_E_NO_MEMORY ? igt__list_fail(&j->lists, "files", IGT__LIST_FILES, err)
                                   : status;
}

static void list_task(void *arg) {
  job *j = arg;
  const char *id = igt__text_of(&j->study->study_database_id);

  j->status =
      *id ? igt__run_check_prefix(&j->w->run, igt__text_of(&j->study->s3_prefix), id, &j->error)
          : igt__fail(&j->error, IGT_E_REQUIRED, "the cloud lists a study without an id");
  if (j->status == IGT_OK)
    j->status = list_files(j, &j->error);
  task_end(j);
}

/* ---- the studies: on the job's thread ---- */

static void job_free(job *j) {
  for (const listed *f = j->files.first; f; f = f->next)
    igt__free(f->error);
  for (size_t c = 0; c < IGT__CATEGORY_COUNT; c++)
    igt__s3_provider_unref(j->providers[c]);
  igt_model_free(j->study ? &j->study->model : NULL);
  igt__fingerprints_free(j->names);
  igt__arena_free(j->arena);
  igt__free(j);
}

static igt_status write_study(job *j, igt_error *err) {
  igt_status status = put_study(j, err);

  j->w->summary->studies++;
  for (const listed *f = j->files.first; f && status == IGT_OK; f = f->next) {
    if (f->fate == WRITTEN)
      status = put_file(j, f, err);
    else if (f->error &&
             (igt__status_is_fatal(f->error->status) || f->error->status == IGT_E_CANCELLED))
      status = igt__fail(err, f->error->status, "%s", f->error->text);
    else if (f->fate != UNWANTED)
      report_file(j, f);
  }
  return status;
}

/* Waits for the oldest job and writes its lines. */
static igt_status finish_job(writing *w, igt_error *err) {
  job *j = w->jobs.first;
  igt_status status = IGT_OK;

  pthread_mutex_lock(&w->lock);
  while (j->pending)
    pthread_cond_wait(&w->job_done, &w->lock);
  pthread_mutex_unlock(&w->lock);
  (void)igt__queue_take(&w->jobs);
  w->waiting--;
  if (j->status == IGT_OK) {
    status = write_study(j, err);
  } else if (j->status == IGT_E_CANCELLED || igt__status_is_fatal(j->status)) {
    status = j->status;
    if (err)
      igt__error_copy(err, &j->error);
  } else {
    report_study(w, igt__text_of(&j->institute->name), name_of(j), &j->error);
  }
  job_free(j);
  return status;
}

static igt_status each_study(void *payload, const igt_institute *institute, igt_root_study *study,
                             bool undated) {
  writing *w = payload;
  job *j;
  igt_status status = IGT_OK;

  if (igt__cancel_is_set(w->run.cancel))
    return igt__fail(&w->error, IGT_E_CANCELLED, "interrupted");
  w->summary->studies_undated += undated;
  if (!(j = igt__calloc(1, sizeof *j)))
    return igt__fail_memory(&w->error);
  igt__quota_init_part(&j->lists, &w->run.lists);
  igt__queue_init(&j->files);
  j->w = w;
  j->institute = institute;
  j->arena = igt__arena_new(0);
  j->study = (igt_root_study *)igt_model_copy(&study->model);
  j->error = (igt_error)IGT_ERROR_INIT;
  if (!j->arena || !j->study ||
      !igt__run_claim_prefix(&w->run, igt__text_of(&j->study->s3_prefix),
                             igt__text_of(&j->study->study_database_id))) {
    job_free(j);
    return igt__fail_memory(&w->error);
  }
  igt__arena_bound(j->arena, UINT64_MAX, &j->lists);
  j->pending = 1;
  igt__queue_add(&w->jobs, j);
  w->waiting++;
  igt__pool_add(w->listers, list_task, j);
  while (w->waiting >= w->concurrency * 2 && status == IGT_OK)
    status = finish_job(w, &w->error);
  return status;
}

static void each_institute(void *payload, const igt_institute *institute) {
  (void)institute;
  ((writing *)payload)->summary->institutes++;
}

static void report_unmatched(void *payload, const char *study, const igt_error *err) {
  report_study(payload, "", study, err);
}

static void report_problem(void *payload, const char *text) {
  push(payload, igt__event_of_message(IGT_OK, text));
}

static igt_status end_selection(writing *w, igt_error *err) {
  char text[IGT_ERROR_TEXT_MAX];
  igt_status status = igt__found_end(&w->found, NULL, report_unmatched, w, text, sizeof text, err);

  if (*text)
    report_problem(w, text);
  return status;
}

static igt_status list_all(writing *w, igt_error *err) {
  static const igt__selected_fns fns = {each_institute, each_study, NULL};
  igt_status status = igt__each_selected(w->run.client, &w->found, w->options->shard,
                                         w->options->shards, &fns, w, err);

  if (status != IGT_OK && w->error.status != IGT_OK) {
    status = w->error.status;
    if (err)
      igt__error_copy(err, &w->error);
  }
  while (w->jobs.first) {
    igt_status one = finish_job(w, status == IGT_OK ? err : NULL);
    status = status == IGT_OK ? one : status;
  }
  return status == IGT_OK ? end_selection(w, err) : status;
}

/* ---- the run ---- */

static igt_status finish_text(writing *w, igt_status status, igt_error *err) {
  const igt_transfer_summary *s = w->summary;

  if (status == IGT_OK && !s->files_failed && !s->studies_failed)
    return put_end(w, err);
  if (status == IGT_OK || status == IGT_E_SOME_FAILED)
    status = igt__fail(err, IGT_E_SOME_FAILED,
                       "%llu files and %llu studies failed: the manifest was left without its last "
                       "line, which marks it as incomplete",
                       (unsigned long long)s->files_failed, (unsigned long long)s->studies_failed);
  (void)flush(w, NULL);
  return status;
}

static igt_status make_tools(writing *w, igt_error *err) {
  w->concurrency =
      w->options->concurrency ? w->options->concurrency : igt__client_connections(w->run.client);
  w->listers = igt__pool_new("igt-list", w->concurrency < 16 ? w->concurrency : 16);
  w->head_pool = igt__pool_new("igt-head", w->concurrency);
  w->digest = igt__digest_new(IGT__SHA256);
  return w->listers && w->head_pool && w->digest ? IGT_OK : igt__fail_memory(err);
}

static igt_status run(writing *w, igt_error *err) {
  igt_status status = make_tools(w, err);

  if (status == IGT_OK)
    status = igt__find(w->run.client, w->shared.selection, true, &w->found, err);
  if (status == IGT_OK)
    status = put_header(w, err);
  if (status != IGT_OK)
    return status;
  status = finish_text(w, list_all(w, err), err);
  if (status == IGT_OK)
    igt__filter_report(w->run.filter, report_problem, w);
  return status;
}

static igt_status write_manifest(igt_transfer *transfer, void *job_, igt_error *err) {
  writing *w = job_;
  igt_transfer_options options = IGT_TRANSFER_OPTIONS_INIT;
  job *j;
  igt_status status;

  options.no_journal = true;
  options.filters = w->options->filters;
  w->transfer = transfer;
  w->summary = igt__transfer_summary(transfer);
  w->error = (igt_error)IGT_ERROR_INIT;
  igt__queue_init(&w->jobs);
  (void)pthread_mutex_init(&w->lock, NULL);
  igt__cond_init(&w->job_done);
  igt__buf_init(&w->out, SIZE_MAX);
  status = igt__run_begin(&w->run, transfer, &options, err);
  w->group.run = &w->run;
  if (status == IGT_OK)
    status = run(w, err);
  igt__pool_free(w->listers);
  igt__pool_free(w->head_pool);
  while ((j = igt__queue_take(&w->jobs)) != NULL)
    job_free(j);
  w->summary->requests = igt__http_requests(w->run.http) - w->run.requests_before;
  w->summary->seconds = (double)(igt__mono_us() - w->run.began_us) / 1e6;
  igt__run_deliver(&w->run);
  igt__run_finish(&w->run);
  igt__found_free(&w->found);
  igt__digest_free(w->digest);
  igt__buf_finish(&w->out);
  (void)pthread_cond_destroy(&w->job_done);
  (void)pthread_mutex_destroy(&w->lock);
  return status;
}

static igt_status check_options(const igt_manifest_options *o, igt_error *err) {
  if (!o->write)
    return igt__fail(err, IGT_E_INVALID, "igt_manifest_options.write is required");
  if (o->categories & ~7u)
    return igt__fail(err, IGT_E_INVALID, "unknown category");
  return igt__shard_check(o->shard, o->shards, err);
}

static igt_status read_options(void *job_, const void *options, igt_error *err) {
  writing *w = job_;
  igt_manifest_options *own = &w->own;
  igt_status status = igt__options_read(own, sizeof *own, options, "igt_manifest_options", err);

  w->options = own;
  if (status == IGT_OK)
    status = igt__shared_options_read(&w->shared, NULL, &own->selection, err);
  if (status == IGT_OK)
    status = igt__filters_read(&w->shared, &own->filters, err);
  return status == IGT_OK ? check_options(own, err) : status;
}

static void release(void *job_) {
  writing *w = job_;

  igt__shared_options_finish(&w->shared);
  igt__free(w);
}

static void keep(igt_transfer *transfer, void *job_) {
  writing *w = job_;

  w->own.criteria = igt__transfer_keep(transfer, w->own.criteria);
  igt__transfer_keep_filters(transfer, &w->shared.filters);
}

static const igt__transfer_call call = {.kind = {write_manifest, release},
                                        .job_size = sizeof(writing),
                                        .read = read_options,
                                        .keep = keep};

igt_status igt_manifest_write_start(igt_client *client, const igt_manifest_options *options,
                                    const igt_transfer_callbacks *callbacks, igt_transfer **out,
                                    igt_error *err) {
  return igt__transfer_call_start(&call, client, options, callbacks, out, err);
}

igt_status igt_manifest_write(igt_client *client, const igt_manifest_options *options,
                              const igt_transfer_callbacks *callbacks,
                              igt_transfer_summary *summary, igt_error *err) {
  return igt__transfer_call_run(&call, client, options, callbacks, summary, NULL, err);
}

IGT__DEFINE_INIT(igt_manifest_options)
