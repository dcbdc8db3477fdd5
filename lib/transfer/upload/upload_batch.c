/* SPDX-License-Identifier: MIT */
/* Registers the files of a plan in batches, and hands those registered to send.c. A batch that the
 * cloud rejects is halved until the file that causes it fails alone, and one that breaks off is
 * halved because a connection may not last for the whole. Called by upload_plan.c. */
#include <string.h>

#include "base/clock.h"
#include "cloud/registration.h"
#include "model/model.h"
#include "transfer/upload/create.h"
#include "transfer/upload/plan_internal.h"

#define BATCH IGT__UPLOAD_BATCH

typedef igt__upload_plan plan;

static void clear_batch(plan *p) {
  p->batch_count = 0;
  igt__arena_reset(p->arena);
}

static size_t count_missing(const igt_files *response, const igt_file *const *body, size_t n) {
  size_t missing = 0, at = 0;

  for (size_t i = 0; i < n; i++)
    missing += !igt__registration_has(response, body[i]->key.v, &at);
  return missing;
}

/* A file that the cloud did not register is stored, but never listed. The status has the batch
 * halved, so that such a file fails alone. */
static igt_status see_registered(plan *p, const igt_files *response, const igt_file *const *body,
                                 size_t n, igt_error *err) {
  igt_status status;

  if (count_missing(response, body, n) == 0)
    return IGT_OK;
  status = igt__upload_load_existing(p, err);
  for (size_t i = 0; i < n && status == IGT_OK; i++)
    if (!igt__fingerprints_has(p->there, body[i]->key.v))
      status = igt__fail_unregistered(err);
  return status;
}

/* Registers those of count files of the batch, starting at first, that the cloud does not have. */
static igt_status register_files(plan *p, size_t first, size_t count, igt_error *err) {
  const igt_file *body[BATCH];
  size_t n = 0;
  igt_files *response = NULL;
  igt_status status;

  for (size_t i = first; i < first + count; i++)
    if (!igt__fingerprints_has(p->there, p->pending[i].key))
      body[n++] = p->batch[i];
  if (n == 0 || !p->registered)
    return IGT_OK;
  if (p->institute)
    status = igt_register_study_files(p->u->run.client, p->group->institute_id, p->group->study_id,
                                      NULL, body, n, &response, err);
  else
    status = igt_register_project_files(p->u->run.client, igt__text_of(&p->u->found.project->id),
                                        NULL, body, n, &response, err);
  if (status == IGT_OK)
    status = see_registered(p, response, body, n, err);
  igt_model_free(response ? &response->model : NULL);
  return status;
}

/* A lost response may have been a success: queries what is registered now. A request that takes
 * longer than a connection lasts never arrives, so from the second failure on it is halved, and
 * whatever is registered is progress. *done: how many are, from the first one on. */
static igt_status register_surely(plan *p, size_t first, size_t count, size_t *done,
                                  igt_error *err) {
  int64_t progress_at = igt__mono_us();
  igt_status status = IGT_OK;
  size_t step = count;
  unsigned failed = 0;

  *done = 0;
  while (*done < count) {
    size_t n = step < count - *done ? step : count - *done;
    status = failed ? igt__upload_load_existing(p, err) : IGT_OK;
    if (status == IGT_OK)
      status = register_files(p, first + *done, n, err);
    if (status == IGT_OK) {
      *done += n;
      step *= 2;
      failed = 0;
      progress_at = igt__mono_us();
    } else if (igt__is_unclear(status) && igt__wait_to_look(&p->u->run, ++failed, err)) {
      step = failed > 1 ? (n + 1) / 2 : n;
    } else {
      break;
    }
  }
  if (igt__is_unclear(status))
    igt__retry_gave_up(err, failed, progress_at);
  return status;
}

/* The cloud refuses the request, perhaps because of a single file. */
static bool is_refusal(igt_status status) {
  return status == IGT_E_BAD_REQUEST || status == IGT_E_CONFLICT || status == IGT_E_NOT_FOUND ||
         status == IGT_E_FORBIDDEN; /* the response of a firewall that rejects a name */
}

/* After this many refusals without a success in between, single files are not the cause. */
#define REFUSALS_MOST 40

static void settle_batch(plan *p, size_t first, size_t count, igt_status status,
                         const igt_error *err) {
  for (size_t i = first; i < first + count; i++) {
    igt_error one = *err;
    igt_status added = status;
    if (added == IGT_OK)
      added = igt__send_add(&p->pending[i], &one);
    if (added == IGT_E_CANCELLED)
      igt__group_dropped(p->group);
    else if (added != IGT_OK)
      igt__upload_report(p, p->pending[i].item_path, p->pending[i].key, &p->pending[i].local,
                         IGT_RESULT_FAILED, "", &one);
  }
}

/* Registers a range of the batch and sends what is registered. A refused range is halved, so that a
 * file that the cloud rejects fails alone, with its own reason. */
static void register_part(plan *p, size_t first, size_t count, unsigned *refused) {
  igt_error err = IGT_ERROR_INIT;
  igt_status status = IGT_E_CANCELLED;
  size_t done = 0;

  if (!igt__run_stopping(&p->u->run))
    status = register_surely(p, first, count, &done, &err);
  settle_batch(p, first, done, IGT_OK, &err);
  first += done;
  count -= done;
  *refused = (done > 0 ? 0 : *refused) + is_refusal(status);
  if (count == 0)
    return;
  if (!is_refusal(status) || count == 1 || *refused > REFUSALS_MOST) {
    settle_batch(p, first, count, status, &err);
    return;
  }
  register_part(p, first, count / 2, refused);
  register_part(p, first + count / 2, count - count / 2, refused);
}

/* Right before the rest is registered: a file may have vanished since the walk found it. */
static void leave_unreadable(plan *p) {
  size_t kept = 0;

  for (size_t i = 0; i < p->batch_count; i++) {
    const igt__send_file *send = &p->pending[i];
    igt_error err = IGT_ERROR_INIT;
    if (igt__local_see_readable(&send->local, &err) != IGT_OK) {
      igt__upload_report(p, send->item_path, send->key, &send->local, IGT_RESULT_FAILED, "", &err);
      continue;
    }
    p->batch[kept] = p->batch[i];
    p->pending[kept++] = p->pending[i];
  }
  p->batch_count = kept;
}

void igt__upload_batch_flush(plan *p) {
  unsigned refused = 0;

  leave_unreadable(p);
  if (p->batch_count == 0) {
    clear_batch(p);
    return;
  }
  if (p->import && !p->import->begun)
    p->begin_import(p);
  register_part(p, 0, p->batch_count, &refused);
  clear_batch(p);
  igt__sched_wait_backlog(p->u->run.sched, IGT__BACKLOG, igt__run_stopping_arg, &p->u->run);
}

igt_status igt__upload_batch_add(plan *p, const char *path, const char *key,
                                 const igt__local *local, igt_error *err) {
  igt_file *file = igt__arena_calloc(p->arena, 1, sizeof *file);
  igt__send_file *send = &p->pending[p->batch_count];

  if (!file)
    return igt__fail_memory(err);
  *send = (igt__send_file){.sender = &p->u->sender,
                           .group = p->group,
                           .provider = p->put,
                           .local = *local,
                           .key = igt__arena_strdup(p->arena, key),
                           .prefix_len = strlen(p->prefix),
                           .item_path = igt__arena_strdup(p->arena, path),
                           .complete = p->registered && p->institute};
  send->replaces = igt__upload_replaces(p, key, &send->replaced_size);
  send->local.path = igt__arena_strdup(p->arena, local->path);
  if (p->import) {
    igt__buf buf;
    igt__buf_init(&buf, IGT__MAX_JOINED);
    send->import_key = igt__arena_strdup(p->arena, igt__upload_journal_key(p, key, &buf));
    send->import_id = p->import->id;
    igt__buf_finish(&buf);
    if (!send->import_key)
      return igt__fail_memory(err);
  }
  if (!send->key || !send->item_path || !send->local.path)
    return igt__fail_memory(err);
  file->key.is = IGT_SET;
  file->key.v = send->key;
  file->file_size.is = IGT_SET;
  file->file_size.v = (int64_t)local->size;
  p->batch[p->batch_count++] = file;
  if (p->batch_count == BATCH)
    igt__upload_batch_flush(p);
  return IGT_OK;
}
