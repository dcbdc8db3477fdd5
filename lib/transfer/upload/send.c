/* SPDX-License-Identifier: MIT */
/* Uploads one file as a job of the scheduler: decides between a single PUT and a multipart upload
 * (send_parts.c), reads and hashes the file on a hasher's thread, sends the request, and afterwards
 * records the file in the journal, notifies the cloud and reports the result. A file that changed
 * while it was sent fails. Called by upload_plan.c and single.c. */
#include "transfer/upload/send_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "transfer/upload/complete.h"

/* Files up to this size are kept in memory while they are sent: lib/http sends as much in one
 * system call. */
#define HELD_MOST ((uint64_t)64 * 1024)
/* If a PUT would take longer, a multipart upload is worth its requests. */
#define LONG_S 5.0
/* Time for bytes in buffers to arrive: an earlier list has nothing to add. */
#define ARRIVE_US 500000

static void send_free(send_job *s) {
  if (s->fd >= 0)
    igt__os_close(s->fd);
  igt__s3_provider_unref(s->provider);
  pthread_mutex_destroy(&s->lock);
  igt__free(s->parts);
  igt__free(s->late);
  igt__free(s->upload_id);
  igt__free(s->error);
  igt__free(s->path);
  igt__free(s->key);
  igt__free(s->item_path);
  igt__free(s->import_key);
  igt__free(s);
}

static void end(send_job *s) {
  if (s->claim) /* before the run, which owns the journal, can end */
    igt__journal_release_upload(s->run->journal, s->run->origin, s->key);
  igt__send_pass_turn(s);
  igt__sched_job_done(s->run->sched, &s->job);
  send_free(s);
}

static igt_transfer_item item_of(const send_job *s, igt_transfer_result result) {
  return (igt_transfer_item){.kind = IGT_ITEM_FILE,
                             .result = result,
                             .path = s->item_path,
                             .local_path = s->path,
                             .key = s->key,
                             .size = s->local.size,
                             .moved = s->moved};
}

/* If the store finds the content damaged, the file has usually changed while it was sent. */
static igt_status better_reason(const send_job *s, igt_status status, igt_error *err) {
  igt_error changed = IGT_ERROR_INIT;

  if (status != IGT_E_CHECKSUM || s->fd < 0 ||
      igt__local_unchanged(&s->local, s->fd, NULL, &changed) != IGT_E_CHANGED)
    return status;
  igt__error_copy(err, &changed);
  return IGT_E_CHANGED;
}

void igt__send_failed(send_job *s, igt_status status, igt_error *err) {
  igt_transfer_item item = item_of(s, IGT_RESULT_FAILED);

  status = better_reason(s, status, err);
  if (status == IGT_E_CANCELLED) {
    igt__group_dropped(s->group);
  } else {
    item.error = err;
    igt__group_item(s->group, &item);
  }
  end(s);
}

static void end_done(send_job *s) {
  igt_transfer_item item = item_of(s, IGT_RESULT_DONE);
  igt__journal_file remembered = {.size = s->local.size,
                                  .mtime_ns = s->local.mtime_ns,
                                  .ctime_ns = s->young ? IGT__JOURNAL_DOUBT : s->local.ctime_ns,
                                  .inode = s->local.inode};

  item.digest = s->digest;
  item.verified = "store";
  item.replaces = s->replaces;
  item.replaced_size = s->replaced_size;
  (void)snprintf(remembered.etag, sizeof remembered.etag, "%s",
                 s->import_key ? s->import_id : s->etag);
  (void)snprintf(remembered.digest, sizeof remembered.digest, "%s", s->digest);
  (void)snprintf(remembered.verified, sizeof remembered.verified, "store");
  igt__journal_put_file(s->run->journal, s->run->origin, s->import_key ? s->import_key : s->key,
                        s->path, &remembered);
  igt__group_item(s->group, &item);
  end(s);
}

/* ---- notifying the cloud ---- */

static void end_notified(igt__notification *notification, igt_status status, igt_error *err) {
  send_job *s = (send_job *)((char *)notification - offsetof(send_job, notification));

  if (status == IGT_OK) {
    end_done(s);
  } else {
    igt__error_append(err, " (the file is stored, but the cloud was not notified)");
    igt__send_failed(s, status, err);
  }
}

/* Finishing a large file writes to the journal, which a loop must not wait for. */
static void stored_large_task(void *arg) {
  send_job *s = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = IGT_OK;

  if (s->complete)
    status = igt__notify_blocking(&s->notification, &err);
  end_notified(&s->notification, status, &err);
}

static void report(send_job *s) {
  if (s->large) {
    igt__pool_add(s->run->helpers, stored_large_task, s);
  } else if (s->complete) {
    igt__notify(&s->notification);
  } else {
    end_done(s);
  }
}

/* ---- a file that changes while it is sent ---- */

static igt_status compare_whole(const send_job *s, igt_error *err) {
  unsigned char sha256[32];
  char now[128];
  igt_status status = igt__digest_range(s->fd, 0, s->local.size, sha256, NULL, s->run->cancel, err);

  if (status != IGT_OK)
    return status;
  igt__digest_text(sha256, 0, now);
  return strcmp(now, s->digest) == 0 ? IGT_OK : igt__local_fail_changed(err);
}

/* A write that restores size and modification time leaves a trace in the change time; in a young
 * file not even that. A PUT has what one reading found, but each part was read at another time. */
igt_status igt__send_settle_content(send_job *s, igt_error *err) {
  igt__local now = s->local;
  igt_status status = igt__local_unchanged(&s->local, s->fd, &now, err);

  if (status != IGT_OK || (now.ctime_ns == s->local.ctime_ns && !(s->large && s->young)))
    return status;
  status = s->large ? igt__send_compare_parts(s, err) : compare_whole(s, err);
  if (status == IGT_OK) { /* of this state; a write after it is seen by the next look */
    s->local.ctime_ns = now.ctime_ns;
    s->young = igt__local_is_young(&now);
  }
  return status;
}

static void end_stored(send_job *s, igt_status status, igt_error *err) {
  igt__os_close(s->fd); /* notifications may queue up: they need no open file */
  s->fd = -1;
  if (status != IGT_OK)
    igt__send_failed(s, status, err);
  else
    report(s);
}

static void stored_task(void *arg) {
  send_job *s = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__send_settle_content(s, &err);

  end_stored(s, status, &err);
}

/* Its bytes are in the store, all of one state of the file. */
void igt__send_stored(send_job *s) {
  igt__local now = s->local;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__local_unchanged(&s->local, s->fd, &now, &err);

  if (status == IGT_OK && now.ctime_ns != s->local.ctime_ns)
    igt__pool_add(s->run->hashers, stored_task, s); /* this may be a loop's thread */
  else
    end_stored(s, status, &err);
}

/* ---- parts ---- */

static void on_progress(igt__s3_request *req, uint64_t up, uint64_t down) {
  send_part *p = req->payload;

  (void)down;
  p->counted += up;
  igt__group_moved(p->s->group, up);
}

static igt_status on_restart(igt__s3_request *req, igt_error *err) {
  send_part *p = req->payload;

  (void)err;
  igt__group_unmoved(p->s->group, p->counted);
  p->counted = 0;
  return IGT_OK;
}

send_part *igt__send_part_new(send_job *s, igt__s3_op op, igt_error *err) {
  send_part *p = igt__calloc(1, sizeof *p);

  if (!p || igt__s3_request_init(&p->req, op, err) != IGT_OK) {
    igt__free(p);
    (void)igt__fail_memory(err);
    return NULL;
  }
  p->s = s;
  p->req.payload = p;
  p->req.provider = s->provider;
  p->req.key = s->key;
  p->req.cancel = s->run->cancel;
  p->req.on_progress = on_progress;
  p->req.on_restart = on_restart;
  p->began_us = igt__mono_us();
  return p;
}

void igt__send_part_free(send_part *p) {
  igt__s3_request_finish(&p->req);
  igt__free(p->content);
  igt__free(p);
}

igt_status igt__send_set_body(send_part *p, uint64_t at, uint64_t n, igt_error *err) {
  igt__s3_request *req = &p->req;
  const send_job *s = p->s;

  req->body_fd = s->fd;
  req->body_offset = at;
  req->body_len = n;
  req->has_md5 = igt__s3_wants_md5(s->run->s3);
  return igt__digest_range(s->fd, at, n, req->sha256, req->has_md5 ? req->md5 : NULL,
                           s->run->cancel, err);
}

/* A small file is read once, for its digests and for sending, together with the header lines. */
static igt_status hold_body(send_part *p, igt_error *err) {
  igt__s3_request *req = &p->req;
  const send_job *s = p->s;
  size_t n = (size_t)s->local.size;
  igt_status status;

  p->content = igt__malloc(n);
  if (!p->content)
    return igt__fail_memory(err);
  status = igt__local_read(s->fd, p->content, n, err);
  if (status != IGT_OK)
    return status;
  req->body = p->content;
  req->body_len = n;
  igt__digest_of(IGT__SHA256, p->content, n, req->sha256);
  req->has_md5 = igt__s3_wants_md5(s->run->s3);
  if (req->has_md5)
    igt__digest_of(IGT__MD5, p->content, n, req->md5);
  return IGT_OK;
}

/* Corrects the progress counter for bytes missed or counted twice. */
void igt__send_settle_count(send_part *p, bool good, uint64_t size) {
  if (!good)
    igt__group_unmoved(p->s->group, p->counted);
  else if (p->counted < size)
    igt__group_moved(p->s->group, size - p->counted);
  else
    igt__group_unmoved(p->s->group, p->counted - size);
}

igt_status igt__send_open(send_job *s, igt_error *err) {
  if (s->fd >= 0)
    return IGT_OK;
  s->young = igt__local_is_young(&s->local);
  return igt__local_open(&s->local, &s->fd, err);
}

/* ---- one PUT ---- */

static void put_task(void *arg);

static void put_done(igt__s3_request *req, igt_status status, const igt_error *failure) {
  send_part *p = req->payload;
  send_job *s = p->s;
  igt__sched *sched = s->run->sched;
  uint64_t weight = s->job.weight;
  bool again;
  igt_error err = failure && status != IGT_OK ? *failure : (igt_error)IGT_ERROR_INIT;

  igt__send_settle_count(p, status == IGT_OK, s->local.size);
  if (req->unverified) { /* once: now with MD5, and in the same slot */
    igt__send_part_free(p);
    igt__pool_add(s->run->hashers, put_task, s);
    return;
  }
  s->moved = p->counted;
  (void)snprintf(s->etag, sizeof s->etag, "%s", req->etag);
  igt__digest_text(req->sha256, 0, s->digest);
  again = status != IGT_OK && igt__send_again(p, &err);
  igt__send_part_free(p);
  if (status == IGT_OK)
    igt__send_stored(s);
  else if (!again)
    igt__send_failed(s, status, &err);
  igt__sched_part_done(sched, weight);
}

void igt__send_put_back(send_job *s, bool stopping) {
  igt_error err = IGT_ERROR_INIT;

  if (stopping) {
    igt__send_failed(s, igt__fail(&err, IGT_E_CANCELLED, "interrupted"), &err);
    return;
  }
  pthread_mutex_lock(&s->lock);
  s->busy = false;
  pthread_mutex_unlock(&s->lock);
  igt__sched_more(s->run->sched, &s->job);
}

/* A file of two parts can be resumed, which is worth it if each takes long. */
static bool better_in_parts(const send_job *s) {
  double rate;

  if (s->local.size <= IGT__SEND_PART_LEAST)
    return false;
  rate = igt__sched_rate(s->run->sched);
  return (rate > 0 && (double)s->local.size > rate * LONG_S) || igt__send_has_parts(s);
}

static void put_task(void *arg) {
  send_job *s = arg;
  igt__sched *sched = s->run->sched;
  uint64_t weight = s->job.weight;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__send_open(s, &err);
  send_part *p = NULL;

  if (status == IGT_OK && better_in_parts(s)) {
    s->large = true;
    igt__pool_add(s->run->helpers, igt__send_prepare, s);
    return;
  }
  if (status == IGT_OK)
    p = igt__send_part_new(s, IGT__S3_PUT, &err);
  if (p)
    status = s->local.size <= HELD_MOST ? hold_body(p, &err)
                                        : igt__send_set_body(p, 0, s->local.size, &err);
  if (!p || status != IGT_OK) {
    if (p)
      igt__send_part_free(p);
    igt__send_failed(s, err.status, &err);
    igt__sched_part_done(sched, weight);
    return;
  }
  p->req.on_done = put_done;
  p->req.once = !p->content;
  s->notification.loop = igt__run_loop(s->run);
  igt__s3_submit(s->run->s3, s->notification.loop, &p->req);
}

/* ---- the scheduler's side ---- */

static bool is_late(const send_job *s, unsigned i) {
  return s->late && s->late[i];
}

static unsigned next_of(const send_job *s, unsigned from, bool late) {
  while (from < s->part_count &&
         (s->parts[from].size || s->parts[from].number || is_late(s, from) != late))
    from++;
  return from;
}

/* Parts that were in flight at the end of the last run come last: what lay in buffers on the path
 * may still complete them. */
static unsigned next_missing(const send_job *s) {
  unsigned i = next_of(s, s->next_part, false);

  return i < s->part_count || !s->late ? i : next_of(s, 0, true);
}

static bool take(igt__job *job, unsigned *number, bool *more) {
  send_job *s = (send_job *)job;
  bool any;

  *more = false;
  *number = 0;
  pthread_mutex_lock(&s->lock);
  if (!s->ready) {
    any = !s->busy;
    s->busy = true;
  } else {
    *number = next_missing(s);
    any = s->status == IGT_OK && *number < s->part_count;
    if (any) {
      s->next_part = is_late(s, *number) ? s->part_count : *number + 1;
      s->parts[*number].number = *number + 1;
      *more = next_missing(s) < s->part_count;
      s->in_flight++;
    }
  }
  pthread_mutex_unlock(&s->lock);
  return any;
}

static void start(igt__job *job, unsigned number) {
  send_job *s = (send_job *)job;

  if (!s->large)
    igt__pool_add(s->run->hashers, put_task, s);
  else if (!s->ready)
    igt__pool_add(s->run->helpers, igt__send_prepare, s);
  else if (is_late(s, number) && igt__mono_us() - s->listed_at >= ARRIVE_US)
    igt__send_late_part(s, number);
  else
    igt__send_part(s, number);
}

static void drop(igt__job *job) {
  send_job *s = (send_job *)job;

  igt__group_dropped(s->group);
  end(s);
}

void igt__sender_init(igt__sender *sender, igt__run *run) {
  igt__notifier_init(&sender->notifier, run);
  sender->project = NULL;
}

void igt__sender_finish(igt__sender *sender) {
  igt__notifier_finish(&sender->notifier);
}

igt_status igt__send_add(const igt__send_file *file, igt_error *err) {
  send_job *s = igt__calloc(1, sizeof *s);

  if (!s)
    return igt__fail_memory(err);
  s->group = file->group;
  s->run = file->group->run;
  s->sender = file->sender;
  s->provider = igt__s3_provider_ref(file->provider);
  s->fd = -1;
  s->local = file->local;
  s->local.path = s->path = igt__strdup(file->local.path);
  s->key = igt__strdup(file->key);
  s->item_path = igt__strdup(file->item_path);
  if (file->import_key) {
    s->import_key = igt__strdup(file->import_key);
    (void)snprintf(s->import_id, sizeof s->import_id, "%s", file->import_id);
  }
  s->notification = (igt__notification){.notifier = &s->sender->notifier,
                                        .group = s->group,
                                        .path = s->item_path,
                                        .done = end_notified};
  s->prefix_len = file->prefix_len;
  s->complete = file->complete;
  s->replaces = file->replaces;
  s->replaced_size = file->replaced_size;
  s->large = file->local.size >= IGT__SEND_PART;
  s->progress_at = igt__mono_us();
  s->job.weight = s->large ? IGT__SEND_PART_LEAST : s->local.size;
  s->job.take = take;
  s->job.start = start;
  s->job.drop = drop;
  pthread_mutex_init(&s->lock, NULL);
  if (!s->path || !s->key || !s->item_path || (file->import_key && !s->import_key)) {
    send_free(s);
    return igt__fail_memory(err);
  }
  igt__group_found(s->group, s->local.size);
  igt__s3_provider_warm(s->provider);
  igt__sched_add(s->run->sched, s->group->queue, &s->job);
  return IGT_OK;
}
