/* SPDX-License-Identifier: MIT */
/* Transfers. Ready studies are uploaded in batches, since each run lists an institute's studies
 * once, and then compared with the cloud (igt_verify), file by file. Up to three runs are in
 * progress, so that a large study does not delay the others. What the library reports of a file
 * or study is assigned to the study whose folder contains it. When a run ends, each of its studies
 * is finished, waits for another attempt, or fails:
 *
 *   the cloud, the network or the project     all wait; attempts do not count
 *   does not work
 *   files changed                             it waits until it is quiet again
 *   the cloud works, but this study does not  it is retried alone, and finally fails
 *   a retry cannot help                       it fails immediately */
#include <string.h>

#include "station/station.h"

#define BATCH_BYTES ((uint64_t)1024 * 1024 * 1024)
#define PAUSE_MS 60000
#define PAUSE_MOST_MS 3600000

/* ---- which comes next ---- */

static bool is_before(const station *st, const study *a, const study *b) {
  if (st->config.oldest_first)
    return a->tree.newest < b->tree.newest;
  return a->tree.newest > b->tree.newest;
}

/* in NULL: of any folder. */
static study *choose(const station *st, const watched *in, int64_t now) {
  study *best = NULL;

  for (size_t i = 0; i < st->queue.count; i++) {
    study *s = st->queue.v[i];
    if (s->state == STUDY_READY && s->due <= now && (!in || s->in == in) &&
        (!best || is_before(st, s, best)))
      best = s;
  }
  return best;
}

static bool wants_to_be_alone(const study *s) {
  return s->crashes || s->attempts || s->overwrite;
}

/* It may have waited for hours, so it is checked for later writes. False: it is not ready. */
static bool still_ready(station *st, study *s) {
  tree_state state;

  st->dirty = true;
  if (!tree_look(s->in->path, s->path, &state)) {
    s->state = STUDY_SETTLING; /* which finds out why */
    s->due = station_now();
    return false;
  }
  if (tree_same(&state, &s->tree) && !tree_is_written(s->in->path, s->path))
    return true;
  s->tree = state;
  s->state = STUDY_SETTLING;
  s->since = station_now();
  s->due = s->since + st->config.settle_ms;
  return false;
}

static void take(batch *l, study *s) {
  s->state = STUDY_ACTIVE;
  s->uploaded = s->verified = s->blameless = s->hopeless = s->unrecorded = false;
  s->same_files = s->junk_files = s->moved = 0;
  s->problem = IGT_OK;
  s->began_ms = station_now();
  l->v[l->count++] = s;
  store_begin(s->in, s);
}

static void fill(batch *l) {
  station *st = l->st;
  int64_t now = station_now();
  uint64_t bytes = 0;
  study *s;

  l->count = 0;
  l->in = NULL;
  if (!choose(st, NULL, now))
    return;
  now += STATION_TOGETHER_MS;
  while (l->count < STATION_BATCH && (s = choose(st, l->in, now)) != NULL) {
    /* While the cloud is unreachable, one study is enough to notice its return. */
    bool single = st->offline || wants_to_be_alone(s) || s->tree.bytes > BATCH_BYTES;
    os_manager_alive();
    if (l->count && (single || bytes + s->tree.bytes > BATCH_BYTES))
      return;
    if (!still_ready(st, s))
      continue;
    l->in = s->in;
    bytes += s->tree.bytes;
    take(l, s);
    if (single)
      return;
  }
}

/* ---- what the library reports ---- */

/* Both absolute: whether one is the other, or contains it. */
static bool is_part(const char *folder, const char *path) {
  size_t n = strlen(folder), m = strlen(path);
  size_t common = n < m ? n : m;
  char next = n < m ? path[common] : folder[common];

  return strncmp(folder, path, common) == 0 && (!next || next == '/');
}

static bool concerns(const study *s, const char *path) {
  char folder[2 * STATION_PATH];

  (void)snprintf(folder, sizeof folder, "%s/%s", s->in->path, s->path);
  return is_part(folder, path);
}

static const char *item_text(const igt_transfer_item *item) {
  return item->error ? item->error->text : item->text;
}

static bool has_sidecar(const study *s) {
  char path[2 * STATION_PATH];
  igt__stat st;

  (void)snprintf(path, sizeof path, "%s/%s/study.json", s->in->path, s->path);
  return igt__os_lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* And not a response of the cloud. */
static bool is_bad_json(const study *s, const igt_error *err) {
  return err &&
         (err->status == IGT_E_PARSE || err->status == IGT_E_TYPE ||
          err->status == IGT_E_REQUIRED) &&
         err->http_status == 0 && !*err->operation && has_sidecar(s);
}

static void problem_of(study *s, igt_status status, const igt_transfer_item *item,
                       const char *text) {
  char whole[1024];
  char *advice;

  if (item->kind == IGT_ITEM_FILE && *item->path)
    (void)snprintf(whole, sizeof whole, "%s: %s", item->path, text);
  else
    (void)snprintf(whole, sizeof whole, "%s", text);
  advice = strstr(whole, "; use --"); /* for a user who typed a command */
  if (!advice)
    advice = strstr(whole, " (--follow-links");
  if (advice)
    *advice = '\0';
  s->hopeless |= s->problem == IGT_OK && is_bad_json(s, item->error);
  study_problem(s, status, whole);
}

static void note_uploaded(study *s, const igt_transfer_item *item) {
  bool failed = item->result == IGT_RESULT_FAILED;

  s->moved += item->moved;
  if (failed && item->error)
    problem_of(s, item->error->status, item, item_text(item));
  if (item->kind != IGT_ITEM_STUDY)
    return;
  s->uploaded = !failed;
  (void)snprintf(s->study_id, sizeof s->study_id, "%s", item->study_id);
}

/* Whether a file that the cloud does not have is in a folder of the study beside "files", such as
 * "dicom"; the path of the item is then the one in that folder. */
static bool is_beside_files(const study *s, const igt_transfer_item *item) {
  size_t above = strlen(s->in->path) + strlen(s->path) + 2, n = strlen(item->path);
  size_t length = strlen(item->local_path);
  const char *below = item->local_path + (above < length ? above : length);

  return strlen(below) > n && strcmp(below + strlen(below) - n, item->path) == 0 &&
         (strncmp(below, "dicom/", 6) == 0 || strncmp(below, "annotations/", 12) == 0);
}

static void note_verified(study *s, const igt_transfer_item *item, bool journal_fails) {
  bool is_file = item->kind == IGT_ITEM_FILE;

  s->unrecorded |= journal_fails && item->result == IGT_RESULT_UNCHECKED;
  if (item->result == IGT_RESULT_SAME)
    s->same_files += is_file;
  else if (item->result == IGT_RESULT_IGNORED && item->minor)
    s->junk_files++;
  else if (item->result == IGT_RESULT_IGNORED && is_file && *item->local_path)
    problem_of(s, IGT_E_UNSUPPORTED, item, item_text(item));
  else if (item->result == IGT_RESULT_FAILED && item->error)
    problem_of(s, item->error->status, item, item_text(item));
  else if (is_file &&
           (item->result == IGT_RESULT_DIFFERENT || item->result == IGT_RESULT_UNCHECKED))
    problem_of(s, IGT_E_CHECKSUM, item, item_text(item));
  else if (is_file && item->result == IGT_RESULT_MISSING_THERE && is_beside_files(s, item))
    problem_of(
        s, IGT_E_UNSUPPORTED, item,
        "it is in a folder for DICOM or annotations beside 'files', which a station does not "
        "upload: `igtcloud upload --category` does; move it elsewhere");
  else if (is_file && item->result == IGT_RESULT_MISSING_THERE)
    problem_of(s, IGT_E_GONE, item,
               *item->text ? item->text : "it is not in the cloud after the upload");
}

static void on_item(void *payload, const igt_transfer_item *item) {
  batch *l = payload;

  if (!l->verifying || item->result != IGT_RESULT_SAME)
    station_report_item(l->st, item);
  if (!*item->local_path)
    return;
  for (size_t i = 0; i < l->count; i++)
    if (l->v[i] && concerns(l->v[i], item->local_path)) {
      if (l->verifying)
        note_verified(l->v[i], item, l->journal_fails);
      else
        note_uploaded(l->v[i], item);
    }
}

#define SAME_AGAIN_MS (3600 * 1000)

/* That the journal fails, the only one of these, is a message of each run. */
static bool is_about_journal(igt_status status) {
  return status == IGT_E_NO_SPACE || status == IGT_E_READ_ONLY || status == IGT_E_IO ||
         status == IGT_E_PARSE;
}

static void on_message(void *payload, igt_status status, const char *text) {
  static char last[IGT_ERROR_TEXT_MAX];
  static int64_t said_at;
  int64_t now = station_now();
  batch *l = payload;

  l->journal_fails |= is_about_journal(status);
  if (status == IGT_OK || (strcmp(last, text) == 0 && now - said_at < SAME_AGAIN_MS))
    return;
  snprintf(last, sizeof last, "%s", text);
  said_at = now;
  station_log(PRIORITY_WARNING, "warning", NULL, "%s", text);
}

/* ---- starting ---- */

static void shared_options(const station *st, igt_transfer_options *o, bool overwrite) {
  (void)transfer_options(st->s, o);
  o->checksum = o->dry_run = o->no_journal = o->ignore_unknown = false;
  o->shards = o->shard = 0;
  o->overwrite = overwrite;
}

static igt_status start_transfer(batch *l, igt_error *err) {
  station *st = l->st;
  igt_transfer_options transfer = IGT_TRANSFER_OPTIONS_INIT;
  igt_study_selection selection = IGT_STUDY_SELECTION_INIT;
  igt_upload_options upload = IGT_UPLOAD_OPTIONS_INIT;
  igt_verify_options verify = IGT_VERIFY_OPTIONS_INIT;

  shared_options(st, &transfer, l->count == 1 && l->v[0]->overwrite);
  selection.project = st->project;
  selection.institute = st->institute;
  l->callbacks = (igt_transfer_callbacks)IGT_TRANSFER_CALLBACKS_INIT;
  l->callbacks.on_item = on_item;
  l->callbacks.on_message = on_message;
  l->callbacks.payload = l;
  for (size_t i = 0; i < l->count; i++)
    l->paths[i] = l->v[i]->path;
  upload.transfer = verify.transfer = &transfer;
  upload.selection = verify.selection = &selection;
  upload.source = verify.local = l->in->path;
  upload.folders = verify.folders = l->paths;
  upload.folder_count = verify.folder_count = l->count;
  upload.whole_flat_names = st->s->flat_names && strcmp(st->s->flat_names, "whole") == 0;
  return l->verifying ? igt_verify_start(l->l->client, &verify, &l->callbacks, &l->transfer, err)
                      : igt_upload_start(l->l->client, &upload, &l->callbacks, &l->transfer, err);
}

/* ---- the end of a study in a run ---- */

typedef enum verdict { WAIT_FOR_CLOUD, SETTLE_AGAIN, TRY_AGAIN, GIVE_UP } verdict;

static verdict verdict_of(igt_status status) {
  switch (status) {
  case IGT_E_RESOLVE:
  case IGT_E_CONNECT:
  case IGT_E_TIMEOUT:
  case IGT_E_TLS:
  case IGT_E_PROXY:
  case IGT_E_NETWORK:
  case IGT_E_THROTTLED:
  case IGT_E_SERVER:
  case IGT_E_UNAUTHORIZED:
  case IGT_E_LOGIN:
  case IGT_E_EXPIRED:
  case IGT_E_KEY:
  case IGT_E_TOKEN_FILE:
  case IGT_E_NO_SESSION:
  case IGT_E_NO_MEMORY:
  case IGT_E_NO_SPACE:
  case IGT_E_READ_ONLY:
  case IGT_E_CANCELLED:
    return WAIT_FOR_CLOUD;
  case IGT_E_CHANGED:
    return SETTLE_AGAIN;
  case IGT_E_INVALID:
  case IGT_E_UNSUPPORTED:
  case IGT_E_LIMIT:
  case IGT_E_NO_FILE:
  case IGT_E_UNSAFE_NAME:
  case IGT_E_COLLISION:
  case IGT_E_NOT_FOUND:
  case IGT_E_AMBIGUOUS:
    return GIVE_UP;
  default:
    return TRY_AGAIN;
  }
}

static int64_t pause_after(unsigned attempts) {
  int64_t ms = PAUSE_MS;

  for (unsigned i = 1; i < attempts && ms < PAUSE_MOST_MS; i++)
    ms *= 4;
  return ms < PAUSE_MOST_MS ? ms : PAUSE_MOST_MS;
}

static void settle(station *st, study *s) {
  s->state = STUDY_SETTLING;
  s->since = 0;
  s->due = station_now();
  study_because(s, s->problem, s->problem_text);
  store_end(s->in, s);
  station_log(PRIORITY_INFO, "changed", s, "%s: %s", s->path, s->problem_text);
  (void)st;
}

static void retry(station *st, study *s, bool final) {
  s->attempts++;
  study_because(s, s->problem, s->problem_text);
  if (final || s->attempts >= st->config.attempts) {
    policy_fail(st, s);
    return;
  }
  s->state = STUDY_READY;
  s->due = station_now() + pause_after(s->attempts);
  st->totals.retried++;
  store_end(s->in, s);
  station_log(PRIORITY_WARNING, "retry", s, "%s: attempt %u of %u failed: %s", s->path, s->attempts,
              st->config.attempts, s->why);
}

static void wait_again(study *s) {
  s->state = STUDY_READY;
  s->due = station_now();
  study_because(s, s->problem, s->problem_text);
  store_end(s->in, s);
}

/* The digests of what was uploaded are lost, but neither the study nor the cloud is to blame, and a
 * service may not read what it has uploaded: it is verified once the journal can be written. */
static void wait_for_journal(station *st, study *s) {
  s->state = STUDY_READY;
  s->due = station_now() + PAUSE_MS;
  study_because(s, s->problem, "it is uploaded, but not verified: the journal cannot be written");
  store_end(s->in, s);
  if (!st->journal_fails)
    station_log(
        PRIORITY_ERROR, "journal", s,
        "%s is uploaded, but cannot be verified while the journal cannot be written; it and "
        "those that follow wait",
        s->path);
  st->journal_fails = true;
}

/* cloud_works: for another study, meanwhile. */
static void end_badly(station *st, study *s, bool cloud_works) {
  verdict is = s->blameless ? WAIT_FOR_CLOUD : verdict_of(s->problem);

  if (s->unrecorded) {
    wait_for_journal(st, s);
  } else if (s->problem == IGT_E_CHECKSUM && !s->overwrite) {
    /* There was a file of this name and size before, and upload does not replace those. */
    s->overwrite = true;
    wait_again(s);
  } else if (is == SETTLE_AGAIN) {
    settle(st, s);
  } else if (is == WAIT_FOR_CLOUD && !cloud_works) {
    wait_again(s);
    if (s->problem != IGT_E_CANCELLED)
      station_offline(st, s->problem, s->problem_text);
  } else {
    retry(st, s, is == GIVE_UP || s->hopeless);
  }
}

/* Each file that is here was compared, except clutter and what describes the study. With filters
 * the others are not known. */
static void see_all_verified(const station *st, study *s) {
  uint64_t seen = s->same_files + s->junk_files + has_sidecar(s);
  char text[128];

  if (s->problem != IGT_OK || st->s->include.count || st->s->exclude.count || seen >= s->tree.files)
    return;
  (void)snprintf(text, sizeof text, "%llu of its %llu files were not compared with the cloud",
                 (unsigned long long)(s->tree.files - seen), (unsigned long long)s->tree.files);
  study_problem(s, IGT_E_GONE, text);
}

static bool any_good(const batch *l) {
  for (size_t i = 0; i < l->count; i++)
    if (l->v[i]->problem == IGT_OK)
      return true;
  return false;
}

/* ---- the end of a run ---- */

static void free_batch(batch *l) {
  line_drop(l->l);
  l->l = NULL;
  l->count = 0;
  l->st->dirty = true;
}

static void end_verified(batch *l) {
  station *st = l->st;

  for (size_t i = 0; i < l->count; i++)
    see_all_verified(st, l->v[i]);
  bool works = any_good(l);
  if (works)
    station_online(st);
  st->journal_fails &= l->journal_fails;
  for (size_t i = 0; i < l->count; i++) {
    study *s = l->v[i];
    if (s->problem != IGT_OK) {
      end_badly(st, s, works);
      continue;
    }
    s->state = STUDY_VERIFIED;
    (void)policy_finish(st, s);
  }
  free_batch(l);
}

/* Of a run that did not get as far as its studies: the network, the server's response, or who is
 * signed in (the groups of igt_status). The project cannot be found or entered, such as after a
 * change of roles, or a proxy answers everything with its own page. */
static bool is_about_the_project(igt_status status) {
  return (status <= IGT_E_RESOLVE && status > IGT_E_CHECKSUM) || status == IGT_E_AMBIGUOUS;
}

static void run_failed(batch *l, igt_status status, const igt_error *err) {
  for (size_t i = 0; i < l->count; i++)
    if (l->verifying || !l->v[i]->uploaded) {
      l->v[i]->uploaded = false;
      l->v[i]->blameless = is_about_the_project(status);
      study_problem(l->v[i], status, *err->text ? err->text : igt_status_text(status));
    }
}

/* Goes on with those that were uploaded. */
static void end_uploaded(batch *l) {
  station *st = l->st;
  igt_error err = IGT_ERROR_INIT;
  size_t good = 0;
  bool works;

  for (size_t i = 0; i < l->count; i++)
    if (!l->v[i]->uploaded)
      study_problem(l->v[i], IGT_E_NO_FILE, "the folder contains nothing that can be uploaded");
  works = any_good(l);
  for (size_t i = 0; i < l->count; i++) {
    study *s = l->v[i];
    if (s->problem == IGT_OK)
      l->v[good++] = s;
    else
      end_badly(st, s, works);
  }
  l->count = good;
  l->verifying = true;
  if (good == 0) {
    free_batch(l);
    return;
  }
  if (start_transfer(l, &err) == IGT_OK)
    return;
  run_failed(l, err.status, &err);
  end_verified(l);
}

static void end_run(batch *l) {
  igt_error err = IGT_ERROR_INIT;
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  igt_status status = igt_transfer_wait(l->transfer, &summary, &err);

  igt_transfer_free(l->transfer);
  l->transfer = NULL;
  l->st->totals.moved_bytes += summary.bytes_moved;
  if (status != IGT_OK && status != IGT_E_SOME_FAILED)
    run_failed(l, status, &err);
  if (l->verifying)
    end_verified(l);
  else
    end_uploaded(l);
}

void batch_dispatch(batch *l) {
  igt_error err = IGT_ERROR_INIT;
  bool finished = false;

  if (igt_transfer_dispatch(l->transfer, &finished, &err) != IGT_OK || finished)
    end_run(l);
}

bool batch_has_space(const station *st) {
  size_t busy = 0;

  for (size_t i = 0; i < STATION_BATCHES; i++)
    busy += st->batches[i].l != NULL;
  return busy < (st->offline ? 1 : STATION_BATCHES);
}

void batch_start(station *st) {
  for (size_t i = 0; i < STATION_BATCHES && batch_has_space(st); i++) {
    batch *l = &st->batches[i];
    igt_error err = IGT_ERROR_INIT;
    if (l->l)
      continue;
    l->st = st;
    l->verifying = l->journal_fails = false;
    fill(l);
    if (l->count == 0)
      return;
    l->l = line_use(st->line);
    st->dirty = true;
    if (start_transfer(l, &err) == IGT_OK)
      continue;
    run_failed(l, err.status, &err);
    end_uploaded(l);
    return;
  }
}

void batch_cancel_all(station *st) {
  for (size_t i = 0; i < STATION_BATCHES; i++)
    igt_transfer_cancel(st->batches[i].transfer);
}
