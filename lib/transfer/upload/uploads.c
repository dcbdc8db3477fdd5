/* SPDX-License-Identifier: MIT */
/* Lists unfinished uploads from the journal, and aborts them. The store is queried for the parts of
 * each, and the local file is examined, to say whether a run would resume it; aborting one takes
 * the journal's exclusive lock on it. The list is ordered by key. Called by `igtcloud uploads`. */
#include "igtcloud/uploads.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/sized.h"
#include "cloud/find.h"
#include "transfer/engine/digest.h"
#include "transfer/upload/complete.h"

typedef struct upload {
  igt_unfinished_upload notification;
  igt_error error;
  igt__s3_provider *provider; /* shared by those of one prefix */
  size_t prefix_len;
  int64_t mtime_ns;
  uint64_t part_size;
} upload;

struct igt_uploads {
  igt__run run; /* of which the session, S3 and the journal are used */
  igt__arena *arena;
  const char *project; /* only this one's; NULL: all */
  int64_t not_after;   /* of `worked` */
  upload *v;
  size_t count, cap;
  bool whole; /* memory was sufficient for all */
};

const char *igt_unfinished_state_name(igt_unfinished_state state) {
  switch (state) {
  case IGT_UNFINISHED_UNKNOWN:
    break;
  case IGT_UNFINISHED_RUNNING:
    return "running";
  case IGT_UNFINISHED_RESUMABLE:
    return "resumable";
  case IGT_UNFINISHED_LOST:
    return "lost";
  case IGT_UNFINISHED_GONE:
    return "gone";
  case IGT_UNFINISHED_ENDED:
    return "ended";
  }
  return "unknown";
}

/* ---- the journal ---- */

/* The prefix for credentials, if the journal has none: the object's folder. */
static size_t folder_of(const char *key) {
  return (size_t)(igt__path_base(key) - key);
}

static bool is_meant(const igt_uploads *u, const igt__journal_unfinished *one) {
  return (!u->project || strcmp(one->upload.project, u->project) == 0) &&
         (u->not_after == INT64_MAX || (one->worked && one->worked <= u->not_after));
}

static bool grow(igt_uploads *u) {
  size_t cap = u->cap ? u->cap * 2 : 16;
  upload *grown = u->count < u->cap ? u->v : igt__realloc(u->v, cap * sizeof *grown);

  if (!grown)
    return false;
  u->cap = u->count < u->cap ? u->cap : cap;
  u->v = grown;
  memset(&u->v[u->count], 0, sizeof *u->v);
  return true;
}

static bool take(void *payload, const igt__journal_unfinished *one) {
  igt_uploads *u = payload;
  igt_unfinished_upload *notification;
  upload *mine;

  if (!is_meant(u, one))
    return true;
  if (!(u->whole = grow(u)))
    return false;
  mine = &u->v[u->count];
  notification = &mine->notification;
  notification->key = igt__arena_strdup(u->arena, one->key);
  notification->place = igt__arena_strdup(u->arena, one->upload.place);
  notification->project = igt__arena_strdup(u->arena, one->upload.project);
  notification->local_path = igt__arena_strdup(u->arena, one->local);
  notification->upload_id = igt__arena_strdup(u->arena, one->upload.upload_id);
  notification->size = one->upload.size;
  notification->began = one->began;
  notification->worked = one->worked;
  mine->error = (igt_error)IGT_ERROR_INIT;
  mine->mtime_ns = one->upload.mtime_ns;
  mine->part_size = one->upload.part_size;
  mine->prefix_len = one->upload.prefix_len;
  u->whole = notification->key && notification->place && notification->project &&
             notification->local_path && notification->upload_id;
  if (!u->whole)
    return false;
  if (mine->prefix_len == 0 || mine->prefix_len > strlen(notification->key))
    mine->prefix_len = folder_of(notification->key);
  u->count++;
  return true;
}

/* Ordered by key, so that uploads of one study are adjacent. */
static bool make_providers(igt_uploads *u) {
  for (size_t i = 0; i < u->count; i++) {
    upload *mine = &u->v[i], *before = i ? &u->v[i - 1] : NULL;
    char *prefix;
    if (before && before->prefix_len == mine->prefix_len &&
        strncmp(before->notification.key, mine->notification.key, mine->prefix_len) == 0) {
      mine->provider = igt__s3_provider_ref(before->provider);
      continue;
    }
    prefix = igt__strndup(mine->notification.key, mine->prefix_len);
    mine->provider = prefix ? igt__run_provider(&u->run, "PUT", prefix) : NULL;
    igt__free(prefix);
    if (!mine->provider)
      return false;
  }
  return true;
}

/* ---- the store ---- */

static igt_status list_page(const igt_uploads *u, upload *mine, unsigned *marker, bool *more,
                            igt_error *err) {
  igt__s3_request req;
  igt_status status = igt__s3_request_init(&req, IGT__S3_LIST_PARTS, err);

  if (status != IGT_OK)
    return status;
  req.provider = mine->provider;
  req.key = mine->notification.key;
  req.upload_id = mine->notification.upload_id;
  req.marker = *marker;
  req.cancel = u->run.cancel;
  status = igt__s3_perform(u->run.s3, &req, err);
  for (size_t i = 0; status == IGT_OK && i < req.listed_count; i++)
    mine->notification.stored += req.listed[i].size;
  mine->notification.parts += status == IGT_OK ? req.listed_count : 0;
  *more = status == IGT_OK && req.truncated && req.next_marker > *marker;
  *marker = req.next_marker;
  igt__s3_request_finish(&req);
  return status;
}

/* Whether the file is as it was when the upload started, so a run would resume it. */
static bool is_unchanged(const upload *mine) {
  igt__local now;
  igt__stat st;

  if (igt__os_stat(mine->notification.local_path, &st) != 0)
    return errno != ENOENT && errno != ENOTDIR; /* an unreadable file is not known to be lost */
  if (!S_ISREG(st.st_mode))
    return false;
  igt__local_take(&now, &st);
  return now.size == mine->notification.size && now.mtime_ns == mine->mtime_ns;
}

/* A run was killed right after completing the upload: its object is complete, and the next run
 * detects that from the parts in the journal. */
static bool has_all_parts(const igt_uploads *u, const upload *mine) {
  igt__journal_part *parts = NULL;
  size_t count = igt__journal_parts(u->run.journal, u->run.origin, mine->notification.key, &parts);

  igt__free(parts);
  return mine->part_size &&
         count == (mine->notification.size + mine->part_size - 1) / mine->part_size;
}

static igt_unfinished_state state_of(const igt_uploads *u, const upload *mine, igt_status found) {
  if (igt__journal_upload_is_held(u->run.journal, u->run.origin, mine->notification.key))
    return IGT_UNFINISHED_RUNNING;
  if (found != IGT_OK && !(is_unchanged(mine) && has_all_parts(u, mine)))
    return IGT_UNFINISHED_GONE;
  return is_unchanged(mine) ? IGT_UNFINISHED_RESUMABLE : IGT_UNFINISHED_LOST;
}

static igt_status ask_store(igt_uploads *u, upload *mine, igt_error *err) {
  igt_error *own = &mine->error;
  unsigned marker = 0;
  bool more = true;
  igt_status status = IGT_OK;

  while (more && status == IGT_OK)
    status = list_page(u, mine, &marker, &more, own);
  if (status == IGT_OK || strcmp(own->code, "NoSuchUpload") == 0) {
    *own = (igt_error)IGT_ERROR_INIT;
    mine->notification.state = state_of(u, mine, status);
    return IGT_OK;
  }
  if (igt__journal_upload_is_held(u->run.journal, u->run.origin, mine->notification.key))
    mine->notification.state = IGT_UNFINISHED_RUNNING;
  igt__error_prefix(own, "the store could not be queried for the upload of '%s'",
                    mine->notification.local_path);
  if (status != IGT_E_CANCELLED && !igt__status_is_fatal(status))
    return IGT_OK; /* reported with the upload */
  if (err)
    igt__error_copy(err, own);
  return status;
}

/* ---- the list ---- */

/* A damaged journal was moved aside, and a list without its content would be wrong. */
static igt_status open_journal(igt_uploads *u, const char *path, igt_error *err) {
  bool moved = false;
  igt_status status = igt__journal_open(path, u->run.cancel, &u->run.journal, &moved, err);

  if (status == IGT_OK && moved)
    igt__log(IGT_LOG_WARNING, IGT_LOG_JOURNAL,
             "the journal was damaged, so it was moved aside (.damaged) and a new one started: "
             "uploads recorded in it are not listed");
  return status;
}

static igt_status check_project(igt_uploads *u, igt_error *err) {
  igt_project *project = NULL;
  igt_status status;

  if (!u->project)
    return IGT_OK;
  status = igt_find_project(u->run.client, u->project, &project, err);
  igt_model_free(project ? &project->model : NULL);
  return status;
}

static igt_status fill(igt_uploads *u, const igt_uploads_options *options, igt_error *err) {
  igt_status status = open_journal(u, options->journal, err);

  if (status == IGT_OK)
    status = check_project(u, err);
  if (status == IGT_OK)
    status = igt__journal_each_upload(u->run.journal, u->run.origin, take, u, err);
  if (status == IGT_OK && (!u->whole || !make_providers(u)))
    status = igt__fail_memory(err);
  for (size_t i = 0; i < u->count && status == IGT_OK; i++)
    status = ask_store(u, &u->v[i], err);
  return status;
}

igt_status igt_uploads_open(igt_client *client, const igt_uploads_options *options,
                            igt_uploads **out, igt_error *err) {
  const igt_transfer_options transfer = {.size = sizeof transfer,
                                         .no_journal = true}; /* it is opened here, and needed */
  igt_uploads_options own;
  igt_status status;
  igt_uploads *u;

  *out = NULL;
  status = igt__options_read(&own, sizeof own, options, "igt_uploads_options", err);
  if (status != IGT_OK)
    return status;
  u = igt__calloc(1, sizeof *u);
  if (!u)
    return igt__fail_memory(err);
  u->whole = true;
  u->arena = igt__arena_new(0);
  u->not_after = own.older_than ? igt__wall_seconds() - own.older_than : INT64_MAX;
  status = igt__run_init(&u->run, client, &transfer, NULL, err);
  if (status == IGT_OK && own.project)
    u->project = igt__arena_strdup(u->arena, own.project);
  if (status == IGT_OK && (!u->arena || (own.project && !u->project)))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = fill(u, &own, err);
  if (status == IGT_OK)
    *out = u;
  else
    igt_uploads_close(u);
  return status;
}

size_t igt_uploads_count(const igt_uploads *uploads) {
  return uploads->count;
}

const igt_unfinished_upload *igt_uploads_get(const igt_uploads *uploads, size_t i) {
  upload *mine = i < uploads->count ? &uploads->v[i] : NULL;

  if (!mine)
    return NULL;
  mine->notification.error = &mine->error; /* the array has its final place */
  return &mine->notification;
}

void igt_uploads_close(igt_uploads *uploads) {
  if (!uploads)
    return;
  for (size_t i = 0; i < uploads->count; i++)
    igt__s3_provider_unref(uploads->v[i].provider);
  igt__run_finish(&uploads->run);
  igt__arena_free(uploads->arena);
  igt__free(uploads->v);
  igt__free(uploads);
}

/* ---- aborting one ---- */

/* It may have been completed, or restarted, since it was listed. */
static bool is_still_known(igt_uploads *u, const upload *mine) {
  igt__journal_upload now;

  return igt__journal_find_upload(u->run.journal, u->run.origin, mine->notification.key, NULL,
                                  &now) &&
         strcmp(now.upload_id, mine->notification.upload_id) == 0;
}

static igt_status end_held(igt_uploads *u, upload *mine, igt_error *err) {
  igt__upload_end end = {.run = &u->run,
                         .provider = mine->provider,
                         .key = mine->notification.key,
                         .prefix_len = mine->prefix_len,
                         .upload_id = mine->notification.upload_id};
  igt_status status;

  if (!is_still_known(u, mine)) {
    mine->notification.state = IGT_UNFINISHED_GONE;
    return IGT_OK;
  }
  status = igt__upload_abort(&end, err);
  if (status != IGT_OK)
    return status;
  mine->notification.state = IGT_UNFINISHED_ENDED;
  igt__journal_drop_upload(u->run.journal, u->run.origin, mine->notification.key,
                           mine->notification.upload_id);
  return igt__journal_flush(u->run.journal, err);
}

igt_status igt_uploads_abort(igt_uploads *uploads, size_t i, igt_error *err) {
  upload *mine = i < uploads->count ? &uploads->v[i] : NULL;
  igt__run *run = &uploads->run;
  igt_error own = IGT_ERROR_INIT;
  igt_status status;

  if (!mine)
    return igt__fail(err, IGT_E_INVALID, "there are only %zu uploads", uploads->count);
  if (igt__journal_hold_upload(run->journal, run->origin, mine->notification.key, true)) {
    status = end_held(uploads, mine, &own);
    igt__journal_release_upload(run->journal, run->origin, mine->notification.key);
  } else {
    mine->notification.state = IGT_UNFINISHED_RUNNING;
    status = igt__fail(&own, IGT_E_LOCKED,
                       "another process is working on this upload; wait for it or stop it");
  }
  if (status != IGT_OK)
    igt__error_prefix(&own, "the upload of '%s' was not aborted", mine->notification.local_path);
  igt__error_keep(&mine->error, &own);
  if (err && status != IGT_OK)
    igt__error_copy(err, &own);
  return status;
}

IGT__DEFINE_INIT(igt_uploads_options)
