/* SPDX-License-Identifier: MIT */
/* Uploads a file in parts: resumes or creates the multipart upload, sends the parts, completes or
 * aborts it. A task on a helper thread compares the journal's record with the file and the store's
 * list of parts; the missing parts are then dispatched by the scheduler, each is read and hashed,
 * sent, and recorded in the journal when stored. After the last part another task completes the
 * upload (complete.c). Called by send.c. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "transfer/upload/complete.h"
#include "transfer/upload/send_internal.h"

/* How often an upload that was ended by others is restarted. */
#define MAX_RESTARTS 2
#define HOLD_POLL_US 50000
/* Bytes a second from which on a part of 8 MiB is a matter of less than half a second. */
#define FAST_RATE 20e6
#define PLACE_MAX 65536 /* names of the cloud, and a path of at most 4,096 bytes */

static uint64_t part_length(const send_job *s, unsigned i) {
  uint64_t first = (uint64_t)i * s->part_size;

  return s->local.size - first < s->part_size ? s->local.size - first : s->part_size;
}

static uint64_t count_of(const send_job *s, uint64_t part_size) {
  return (s->local.size + part_size - 1) / part_size;
}

/* A resumed upload keeps its part size, whatever the line is now. */
static bool size_of_begun(const send_job *s, uint64_t *part_size) {
  igt__journal_upload old;

  if (!igt__journal_find_upload(s->run->journal, s->run->origin, s->key, s->path, &old) ||
      old.size != s->local.size || old.part_size < IGT__SEND_PART_LEAST ||
      count_of(s, old.part_size) > IGT__S3_MAX_PARTS)
    return false;
  *part_size = old.part_size;
  return true;
}

bool igt__send_has_parts(const send_job *s) {
  uint64_t part_size;

  return size_of_begun(s, &part_size);
}

/* All parts of an object have one size, otherwise its ETag could not be verified; so the rate at
 * the start decides. */
static void count_parts(send_job *s) {
  double rate = igt__sched_rate(s->run->sched);

  if (!size_of_begun(s, &s->part_size)) {
    s->part_size = rate >= FAST_RATE ? IGT__SEND_PART : IGT__SEND_PART_LEAST;
    while (count_of(s, s->part_size) > IGT__S3_MAX_PARTS)
      s->part_size *= 2;
  }
  s->part_count = (unsigned)count_of(s, s->part_size);
  s->job.weight = s->part_size;
}

static const igt__journal_part *known_as(const igt__journal_part *known, size_t count,
                                         const igt__s3_part *part) {
  for (size_t k = 0; k < count; k++)
    if (known[k].number == part->number && strcmp(known[k].etag, part->etag) == 0)
      return &known[k];
  return NULL;
}

/* Whether the file has the bytes of part `at`, by their SHA-256 in the journal or, for a part that
 * was stored in the last moment of a killed run, by an ETag that is their MD5. Size, time and inode
 * number prove nothing: another file may have all three. */
static bool is_here(const send_job *s, unsigned at, const unsigned char *sha256, const char *etag,
                    unsigned char now[32]) {
  unsigned char md5[16];
  char hex[33];

  if (igt__digest_range(s->fd, (uint64_t)at * s->part_size, part_length(s, at), now,
                        sha256 ? NULL : md5, s->run->cancel, NULL) != IGT_OK)
    return false;
  if (sha256)
    return memcmp(now, sha256, 32) == 0;
  igt__hex(md5, sizeof md5, hex);
  return strcmp(hex, etag) == 0;
}

/* A part counts if the store's copy has the bytes that the file has now. */
static bool may_adopt(const send_job *s, const igt__s3_part *listed,
                      const igt__journal_part *recorded, unsigned char sha256[32]) {
  unsigned number = listed->number;

  return number >= 1 && number <= s->part_count && listed->size == part_length(s, number - 1) &&
         (recorded || strlen(listed->etag) == 32) &&
         is_here(s, number - 1, recorded ? recorded->sha256 : NULL, listed->etag, sha256);
}

static void adopt_parts(send_job *s, const igt__s3_part *listed, size_t n) {
  igt__journal_part *known = NULL;
  size_t count = igt__journal_parts(s->run->journal, s->run->origin, s->key, &known);

  for (size_t i = 0; i < n; i++) {
    unsigned char sha256[32];
    if (!may_adopt(s, &listed[i], known_as(known, count, &listed[i]), sha256))
      continue;
    s->parts[listed[i].number - 1] = listed[i];
    memcpy(s->parts[listed[i].number - 1].sha256, sha256, 32);
  }
  igt__free(known);
}

static igt__upload_end end_of(const send_job *s) {
  return (igt__upload_end){.run = s->run,
                           .provider = s->provider,
                           .key = s->key,
                           .prefix_len = s->prefix_len,
                           .upload_id = s->upload_id,
                           .parts = s->parts,
                           .part_count = s->part_count,
                           .size = s->local.size};
}

/* The upload is gone: a run that was killed right after completing it has stored the whole object.
 * The ETag that the object then has follows from the file alone; the journal may lack the last
 * parts. */
static bool find_whole(send_job *s) {
  igt__upload_end upload = end_of(s);
  igt_status status = IGT_OK;

  for (unsigned i = 0; i < s->part_count && status == IGT_OK; i++) {
    igt__s3_part *part = &s->parts[i];
    unsigned char md5[16];
    status = igt__digest_range(s->fd, (uint64_t)i * s->part_size, part_length(s, i), part->sha256,
                               md5, s->run->cancel, NULL);
    part->number = i + 1;
    part->size = part_length(s, i);
    if (status == IGT_OK)
      igt__hex(md5, sizeof md5, part->etag);
  }
  s->whole = status == IGT_OK && igt__upload_is_stored(&upload, s->etag);
  return s->whole;
}

static igt_status list_parts(send_job *s, igt_error *err) {
  unsigned marker = 0;
  bool truncated = true;
  igt_status status = IGT_OK;

  while (truncated && status == IGT_OK) {
    send_part *p = igt__send_part_new(s, IGT__S3_LIST_PARTS, err);
    if (!p)
      return err->status;
    p->req.upload_id = s->upload_id;
    p->req.marker = marker;
    status = igt__s3_perform(s->run->s3, &p->req, err);
    if (status == IGT_OK)
      adopt_parts(s, p->req.listed, p->req.listed_count);
    truncated = p->req.truncated && p->req.next_marker > marker;
    marker = p->req.next_marker;
    igt__send_part_free(p);
  }
  return status;
}

/* No process ends an upload that a run has locked. Ending one takes a moment: wait for it. */
static igt_status hold(send_job *s, igt_error *err) {
  igt__run *run = s->run;

  while (!s->claim) {
    s->claim = igt__journal_hold_upload(run->journal, run->origin, s->key, false);
    if (!s->claim && igt__run_stopping(run))
      return igt__fail(err, IGT_E_CANCELLED, "interrupted");
    if (!s->claim)
      igt__sleep_us(HOLD_POLL_US);
  }
  return IGT_OK;
}

/* A useless upload is aborted, because its parts cost storage. Uploads that other runs are working
 * on are theirs to end; if the abort fails, the upload stays in the journal, for the next run or
 * `igtcloud uploads`. */
static void discard(send_job *s, const char *upload_id) {
  igt__upload_end upload = end_of(s);
  igt__journal *journal = s->run->journal;
  const char *origin = s->run->origin;

  upload.upload_id = upload_id;
  if (!igt__journal_hold_upload(journal, origin, s->key, true))
    return;
  if (igt__upload_abort(&upload, NULL) == IGT_OK)
    igt__journal_drop_upload(journal, origin, s->key, upload_id);
  (void)igt__journal_hold_upload(journal, origin, s->key, false);
}

/* Of a file of the same name, size and time in the same parts; adopt_parts compares its content. */
static bool is_usable(const send_job *s, const igt__journal_upload *old) {
  igt__journal_upload again;

  return old->size == s->local.size && old->mtime_ns == s->local.mtime_ns &&
         old->part_size == s->part_size &&
         igt__journal_find_upload(s->run->journal, s->run->origin, s->key, s->path, &again);
}

/* A store that does not respond now still has the parts. */
static bool may_respond_later(const igt_error *err) {
  return err->status == IGT_E_CANCELLED || igt__status_is_fatal(err->status) ||
         igt__retry_class(err) != IGT__RETRY_NEVER;
}

static igt_status set_upload_id(send_job *s, const char *id, igt_error *err) {
  igt__free(s->upload_id);
  s->upload_id = igt__strdup(id);
  return s->upload_id ? IGT_OK : igt__fail_memory(err);
}

/* An upload that an earlier run started. */
static igt_status resume(send_job *s, bool *resumed, igt_error *err) {
  igt__journal_upload old;
  igt_error mine = IGT_ERROR_INIT;

  *resumed = false;
  if (!igt__journal_find_upload(s->run->journal, s->run->origin, s->key, NULL, &old))
    return IGT_OK;
  if (is_usable(s, &old)) {
    if (set_upload_id(s, old.upload_id, err) != IGT_OK)
      return err->status;
    *resumed =
        list_parts(s, &mine) == IGT_OK || (strcmp(mine.code, "NoSuchUpload") == 0 && find_whole(s));
    if (*resumed)
      return IGT_OK;
    if (may_respond_later(&mine)) {
      igt__error_copy(err, &mine);
      return mine.status;
    }
    memset(s->parts, 0, s->part_count * sizeof *s->parts);
  }
  discard(s, old.upload_id);
  return IGT_OK;
}

/* The category in a path of the command line. */
static const char *category_of(const send_job *s) {
  const igt__group *group = s->group;
  static const char marks[] = "annotations/";
  size_t n = sizeof marks - 1;

  if (*group->institute && !*group->study_id)
    return "dicom"; /* an institute's import, which belongs to no study yet */
  return s->prefix_len >= n && strncmp(s->key + s->prefix_len - n, marks, n) == 0 ? "annotations"
                                                                                  : "files";
}

/* "PROJECT/INSTITUTE/PATIENT/STUDY/files/NAME"; NULL: no memory. */
static char *place_of(const send_job *s) {
  const igt__group *group = s->group;
  const char *study = *group->study_id ? group->study : "";
  const char *const parts[] = {s->sender->project ? s->sender->project : "", group->institute,
                               study, category_of(s), s->item_path};
  igt__buf place;

  igt__buf_init(&place, PLACE_MAX);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (*parts[i])
      igt__buf_printf(&place, "%s%s", place.len ? "/" : "", parts[i]);
  return igt__buf_take(&place);
}

static igt_status create(send_job *s, igt_error *err) {
  igt__journal_upload now = {.size = s->local.size,
                             .mtime_ns = s->local.mtime_ns,
                             .inode = s->local.inode,
                             .part_size = s->part_size,
                             .prefix_len = s->prefix_len,
                             .project = s->sender->project};
  char *place = place_of(s);
  send_part *p = igt__send_part_new(s, IGT__S3_CREATE_MULTIPART, err);
  igt_status status;

  now.place = place;
  status = p ? igt__s3_perform(s->run->s3, &p->req, err) : err->status;
  if (status == IGT_OK) {
    (void)snprintf(now.upload_id, sizeof now.upload_id, "%s", p->req.new_upload_id);
    igt__journal_put_upload(s->run->journal, s->run->origin, s->key, s->path, &now);
    status = set_upload_id(s, now.upload_id, err);
  }
  if (p)
    igt__send_part_free(p);
  igt__free(place);
  return status;
}

/* Two parts that share the line complete together, or not at all before a kill. As within a run
 * (flow.c): one at a time after a run that stored none of several, and again while that is worth
 * more than one part a run. */
static bool goes_alone(const send_job *s, size_t begun, unsigned before) {
  unsigned progress = s->before > before ? s->before - before : 0;

  return begun > 1 ? progress == 0 : begun == 1 && progress > 1;
}

/* What the last run had in flight may complete without it: bytes that are in buffers (a proxy's, a
 * tunnel's, the kernel's) still travel after a kill. And the next run may be killed as well. */
static void look_back(send_job *s) {
  unsigned *begun, before;
  size_t count = igt__journal_begun_parts(s->run->journal, s->run->origin, s->key, &begun, &before);

  for (size_t i = 0; i < count; i++) {
    if (begun[i] < 1 || begun[i] > s->part_count || s->parts[begun[i] - 1].size)
      continue;
    if (!s->late)
      s->late = igt__calloc(s->part_count, sizeof *s->late);
    if (s->late)
      s->late[begun[i] - 1] = true;
  }
  igt__free(begun);
  if (goes_alone(s, count, before))
    igt__sched_go_alone(s->run->sched);
  igt__journal_drop_begun_parts(s->run->journal, s->run->origin, s->key);
  s->listed_at = igt__mono_us();
}

static igt_status prepare(send_job *s, igt_error *err) {
  igt_status status = igt__send_open(s, err);
  bool resumed = false;

  if (status == IGT_OK)
    status = hold(s, err);
  if (status != IGT_OK)
    return status;
  count_parts(s);
  igt__free(s->parts);
  s->missing = s->next_part = 0;
  s->parts = igt__calloc(s->part_count, sizeof *s->parts);
  igt__free(s->late);
  s->late = NULL;
  if (!s->parts)
    return igt__fail_memory(err);
  status = resume(s, &resumed, err);
  if (status == IGT_OK && !resumed)
    status = create(s, err);
  for (unsigned i = 0; i < s->part_count; i++) {
    if (s->parts[i].size)
      igt__group_present(s->group, s->parts[i].size);
    else
      s->missing++;
  }
  s->before = s->part_count - s->missing;
  if (status == IGT_OK && resumed)
    look_back(s);
  return status;
}

static void complete_task(void *arg);
static void stored_whole(send_job *s);

void igt__send_prepare(void *arg) {
  send_job *s = arg;
  igt__run *run = s->run;
  uint64_t weight = s->job.weight;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = prepare(s, &err);

  if (status != IGT_OK) {
    igt__send_failed(s, status, &err);
  } else if (s->whole) {
    stored_whole(s);
  } else if (s->missing == 0) {
    igt__pool_add(run->helpers, complete_task, s);
  } else {
    pthread_mutex_lock(&s->lock);
    s->ready = true;
    pthread_mutex_unlock(&s->lock);
    igt__sched_more(run->sched, &s->job);
  }
  igt__sched_part_done(run->sched, weight);
}

/* All of a part's digests: an object's checksum by parts. */
static void digest_of_parts(send_job *s) {
  igt__digest *whole = igt__digest_new(IGT__SHA256);
  unsigned char out[32];

  for (unsigned i = 0; whole && i < s->part_count; i++)
    igt__digest_update(whole, s->parts[i].sha256, 32);
  if (whole) {
    igt__digest_final(whole, out);
    igt__digest_text(out, s->part_size, s->digest);
  }
  igt__digest_free(whole);
}

/* Each part was read at another time: all must be of one state of the file. */
igt_status igt__send_compare_parts(const send_job *s, igt_error *err) {
  unsigned char now[32];
  igt_status status = IGT_OK;

  for (unsigned i = 0; i < s->part_count && status == IGT_OK; i++) {
    status = igt__digest_range(s->fd, (uint64_t)i * s->part_size, part_length(s, i), now, NULL,
                               s->run->cancel, err);
    if (status == IGT_OK && memcmp(now, s->parts[i].sha256, sizeof now) != 0)
      status = igt__local_fail_changed(err);
  }
  return status;
}

static igt_status complete(send_job *s, igt_error *err) {
  igt_status status = igt__send_settle_content(s, err);
  igt__upload_end upload = end_of(s);

  if (status == IGT_E_CHANGED)
    discard(s, s->upload_id);
  return status == IGT_OK ? igt__upload_complete(&upload, s->etag, err) : status;
}

/* The upload was ended by another run on the same file, or by the bucket's lifecycle rules. */
static bool start_over(send_job *s, igt_status status, const igt_error *err) {
  if (status != IGT_E_NOT_FOUND || strcmp(err->code, "NoSuchUpload") != 0 ||
      s->restarts >= MAX_RESTARTS || igt__run_stopping(s->run))
    return false;
  igt__journal_drop_upload(s->run->journal, s->run->origin, s->key, s->upload_id);
  for (unsigned i = 0; i < s->part_count; i++)
    igt__group_unmoved(s->group, s->parts[i].size);
  s->restarts++;
  pthread_mutex_lock(&s->lock);
  s->busy = s->ready = false;
  s->status = IGT_OK;
  pthread_mutex_unlock(&s->lock);
  igt__sched_more(s->run->sched, &s->job);
  return true;
}

static void stored_whole(send_job *s) {
  digest_of_parts(s);
  igt__journal_drop_upload(s->run->journal, s->run->origin, s->key, s->upload_id);
  igt__send_stored(s);
}

static void complete_task(void *arg) {
  send_job *s = arg;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = complete(s, &err);

  if (status == IGT_OK)
    stored_whole(s);
  else if (!start_over(s, status, &err))
    igt__send_failed(s, status, &err);
}

static void parts_failed_task(void *arg) {
  send_job *s = arg;
  igt_error err = IGT_ERROR_INIT;

  igt__failure_get(s->error, &err);
  if (start_over(s, s->status, &err))
    return;
  if (s->status == IGT_E_CHANGED)
    discard(s, s->upload_id);
  igt__send_failed(s, s->status, &err);
}

static void keep_part(send_job *s, unsigned i, const char *etag, const unsigned char *sha256) {
  igt__journal_part part = {.number = i + 1};
  igt__s3_part *mine = &s->parts[i];

  mine->number = i + 1;
  mine->size = part_length(s, i);
  (void)snprintf(mine->etag, sizeof mine->etag, "%s", etag);
  memcpy(mine->sha256, sha256, 32);
  (void)snprintf(part.etag, sizeof part.etag, "%s", etag);
  memcpy(part.sha256, sha256, 32);
  igt__journal_put_part(s->run->journal, s->run->origin, s->key, &part);
}

/* A part in flight has finished, successfully or not. */
static void part_ended(send_job *s, unsigned i, const char *etag, const unsigned char *sha256,
                       igt_status status, const igt_error *err) {
  bool last;

  pthread_mutex_lock(&s->lock);
  s->in_flight--;
  if (status == IGT_OK) {
    keep_part(s, i, etag, sha256);
    igt__send_progress(s);
    s->missing--;
  } else if (s->status == IGT_OK) {
    s->status = status;
    igt__failure_keep(&s->error, err);
  }
  last = s->in_flight == 0 && (s->status != IGT_OK || s->missing == 0);
  status = s->status;
  pthread_mutex_unlock(&s->lock);
  if (last)
    igt__pool_add(s->run->helpers, status == IGT_OK ? complete_task : parts_failed_task, s);
}

void igt__send_part_back(send_job *s, unsigned i, bool stopping) {
  igt_error err = IGT_ERROR_INIT;
  bool failed;

  pthread_mutex_lock(&s->lock);
  failed = s->status != IGT_OK;
  if (!failed && !stopping) {
    s->in_flight--;
    s->parts[i].number = 0;
    if (i < s->next_part)
      s->next_part = i;
  }
  pthread_mutex_unlock(&s->lock);
  if (failed || stopping)
    part_ended(s, i, NULL, NULL, igt__fail(&err, IGT_E_CANCELLED, "interrupted"), &err);
  else
    igt__sched_more(s->run->sched, &s->job);
}

static void part_done(igt__s3_request *req, igt_status status, const igt_error *err) {
  send_part *p = req->payload;
  send_job *s = p->s;
  igt__sched *sched = s->run->sched;
  uint64_t weight = s->job.weight;
  igt_error mine = err && status != IGT_OK ? *err : (igt_error)IGT_ERROR_INIT;

  igt__send_settle_count(p, status == IGT_OK, part_length(s, p->part));
  if (req->unverified) { /* once: now with MD5, and in the same slot */
    unsigned i = p->part;
    igt__send_part_free(p);
    igt__send_part(s, i);
    return;
  }
  pthread_mutex_lock(&s->lock);
  s->moved += p->counted;
  pthread_mutex_unlock(&s->lock);
  if (status == IGT_OK || !igt__send_again(p, &mine))
    part_ended(s, p->part, req->etag, req->sha256, status, &mine);
  igt__send_part_free(p);
  igt__sched_part_done(sched, weight);
}

static void part_task(void *arg) {
  send_part *p = arg;
  send_job *s = p->s;
  igt__sched *sched = s->run->sched;
  uint64_t weight = s->job.weight;
  igt_error err = IGT_ERROR_INIT;
  igt_status status =
      igt__send_set_body(p, (uint64_t)p->part * s->part_size, part_length(s, p->part), &err);

  if (status != IGT_OK) {
    part_ended(s, p->part, NULL, NULL, status, &err);
    igt__send_part_free(p);
    igt__sched_part_done(sched, weight);
    return;
  }
  p->req.upload_id = s->upload_id;
  p->req.part_number = p->part + 1;
  p->req.on_done = part_done;
  p->req.once = true;
  igt__s3_submit(s->run->s3, igt__run_loop(s->run), &p->req);
}

void igt__send_part(send_job *s, unsigned i) {
  igt_error err = IGT_ERROR_INIT;
  igt__sched *sched = s->run->sched;
  uint64_t weight = s->job.weight;
  send_part *p = igt__send_part_new(s, IGT__S3_UPLOAD_PART, &err);

  if (!p) {
    part_ended(s, i, NULL, NULL, IGT_E_NO_MEMORY, &err);
    igt__sched_part_done(sched, weight);
    return;
  }
  p->part = i;
  igt__journal_begin_part(s->run->journal, s->run->origin, s->key, i + 1, s->before);
  igt__pool_add(s->run->hashers, part_task, p);
}

/* The part as the store lists it by now, if it has the bytes that the file has; else NULL. */
static const igt__s3_part *arrived(send_part *p, unsigned i, unsigned char sha256[32]) {
  const send_job *s = p->s;

  p->req.upload_id = s->upload_id;
  p->req.marker = i; /* the part before it */
  if (igt__s3_perform(s->run->s3, &p->req, NULL) != IGT_OK)
    return NULL; /* sending it will fail, too, and say why */
  for (size_t n = 0; n < p->req.listed_count; n++)
    if (p->req.listed[n].number == i + 1)
      return may_adopt(s, &p->req.listed[n], NULL, sha256) ? &p->req.listed[n] : NULL;
  return NULL;
}

static void late_part_task(void *arg) {
  send_part *p = arg;
  send_job *s = p->s;
  igt__sched *sched = s->run->sched;
  uint64_t weight = s->job.weight;
  unsigned i = p->part;
  unsigned char sha256[32];
  const igt__s3_part *found = arrived(p, i, sha256);

  if (!found) {
    igt__send_part_free(p);
    igt__send_part(s, i);
    return;
  }
  igt__group_present(s->group, part_length(s, i));
  part_ended(s, i, found->etag, sha256, IGT_OK, NULL);
  igt__send_part_free(p);
  igt__sched_part_done(sched, weight);
}

void igt__send_late_part(send_job *s, unsigned i) {
  igt_error err = IGT_ERROR_INIT;
  send_part *p = igt__send_part_new(s, IGT__S3_LIST_PARTS, &err);

  if (!p) { /* it is sent again */
    igt__send_part(s, i);
    return;
  }
  p->part = i;
  igt__pool_add(s->run->helpers, late_part_task, p);
}
