/* SPDX-License-Identifier: MIT */
/* What happens to a study at the end. A verified study is moved to done/ or deleted; one that
 * failed for good is moved to failed/ with a .reason file beside it. Both are renames within a file
 * system, so a study is always in exactly one place. A program that still writes to a study does
 * not notice the rename, so the study is checked again afterwards, and moved back if something was
 * written meanwhile. Deletions are trash.c's.
 *
 * In done/, only studies that this station has verified and moved there are ever deleted (--quota,
 * --keep, --min-free), and only if they have not changed since. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "station/station.h"

#define PATH_SIZE TRASH_PATH
#define SUFFIXES 1000
#define AGAIN_MS 60000

/* ---- moving ---- */

/* The i-th of its name, from 1: "NAME", "NAME.2". */
static bool suffixed(const study *s, int i, char out[PATH_SIZE]) {
  int n = i == 1 ? snprintf(out, PATH_SIZE, "%s", s->path)
                 : snprintf(out, PATH_SIZE, "%s.%d", s->path, i);

  if (n < PATH_SIZE)
    return true;
  errno = ENAMETOOLONG;
  return false;
}

/* A study of the same name may have been there before. out: where it is now, below root. */
static bool move_to(const study *s, const char *root, char out[PATH_SIZE]) {
  for (int i = 1; i < SUFFIXES; i++) {
    if (!suffixed(s, i, out))
      return false;
    if (tree_rename(s->in->path, s->path, root, out))
      return true;
    if (errno != EEXIST && errno != ENOTEMPTY)
      return false;
  }
  return false;
}

static void move_back(const study *s, const char *root, const char *from) {
  if (!tree_rename(root, from, s->in->path, s->path))
    station_log(PRIORITY_ERROR, "stuck", s,
                "%s cannot be moved back from %s/%s: %s: move it back yourself", s->path, root,
                from, strerror(errno));
}

static bool cannot_move(station *st, study *s, const char *what) {
  char text[512];
  int error = errno;
  bool is_new = s->stuck_errno != error;

  (void)snprintf(text, sizeof text, "cannot be %s: %s", what, strerror(error));
  if (is_new)
    station_log(PRIORITY_ERROR, "stuck", s, "%s %s; it stays where it is; retrying", s->path, text);
  s->stuck_errno = error;
  study_because(s, IGT_E_IO, text);
  if (is_new)
    hook_event(st, "problem", s, text);
  s->due = station_now() + AGAIN_MS;
  return false;
}

/* Something was written: it waits until it is quiet again. */
static bool settle_again(station *st, study *s, const char *why) {
  station_log(PRIORITY_INFO, "changed", s, "%s %s: waiting until it is quiet again", s->path, why);
  s->state = STUDY_SETTLING;
  s->due = station_now();
  s->since = 0;
  st->dirty = true;
  return false;
}

static void leave(station *st, study *s) {
  store_forget(s->in, s->path);
  queue_remove(&st->queue, s);
  st->dirty = true;
}

/* ---- reasons ---- */

/* Removes what has its name: it may be a device or another link of somebody's file. create: a new
 * file. */
static FILE *replace_reason(const study *s, const char *now, bool create) {
  char path[PATH_SIZE + 8];
  const char *name;
  int dir, fd = -1;

  (void)snprintf(path, sizeof path, "%s.reason", now);
  dir = tree_open_above(s->in->failed, path, false, &name);
  if (dir >= 0) {
    (void)igt__os_unlinkat(dir, name);
    if (create)
      fd = igt__os_openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0640);
    igt__os_close(dir);
  }
  return os_stream(fd, "w");
}

/* It may have failed several times, as NAME, NAME.2 and so on. What still lies in failed/ keeps its
 * reason. */
static void drop_reasons(const study *s) {
  char now[PATH_SIZE], reason[PATH_SIZE + 8];

  for (int i = 1; i < SUFFIXES; i++) {
    if (!suffixed(s, i, now))
      return;
    (void)snprintf(reason, sizeof reason, "%s.reason", now);
    if (tree_mode(s->in->failed, now))
      continue;
    if (!tree_mode(s->in->failed, reason))
      return;
    (void)replace_reason(s, now, false);
  }
}

/* ---- a study that was verified ---- */

static void report_done(station *st, study *s) {
  char size[32];

  format_size(s->tree.bytes, size, sizeof size);
  study_because(s, IGT_OK, NULL);
  st->totals.uploaded++;
  st->totals.uploaded_bytes += s->tree.bytes;
  st->totals.last_success = station_wall();
  station_log(PRIORITY_INFO, "uploaded", s, "uploaded %s: %llu %s (%s), verified and %s", s->path,
              (unsigned long long)s->tree.files, s->tree.files == 1 ? "file" : "files", size,
              st->config.delete_done ? "deleted" : "moved to done");
  hook_event(st, "uploaded", s, NULL);
}

/* Nothing that was not compared with the cloud may go with it. Who has a file open is asked first:
 * behind a rename nobody can open another. */
static bool is_same_study(const char *root, const char *path, const study *s) {
  tree_state state;

  return !tree_is_written(root, path) && tree_look(root, path, &state) &&
         tree_same(&state, &s->tree);
}

static void undo_move(const station *st, const study *s, const char *root, const char *from) {
  int error = errno;

  move_back(s, root, from);
  if (st->config.delete_done)
    trash_leave(s, from);
  errno = error;
}

static void keep(watched *w, const study *s, const char *path) {
  char full[PATH_SIZE + STATION_PATH];

  (void)snprintf(full, sizeof full, "%s/%s", w->done, path);
  store_keep(w, full, &s->tree);
}

bool policy_finish(station *st, study *s) {
  watched *w = s->in;
  const char *root = st->config.delete_done ? w->path : w->done;
  char now[PATH_SIZE], sealed[PATH_SIZE];
  tree_state state;

  if (!tree_look(w->path, s->path, &state))
    return errno == ENOENT ? (leave(st, s), false) : cannot_move(st, s, "read");
  if (!tree_same(&state, &s->tree) || tree_is_written(w->path, s->path))
    return settle_again(st, s, "was written to during its upload");
  if (st->config.delete_done ? !trash_take(s, now) : !move_to(s, root, now))
    return cannot_move(st, s, st->config.delete_done ? "deleted" : "moved to done");
  if (!is_same_study(root, now, s)) {
    undo_move(st, s, root, now);
    return settle_again(st, s, "was written to while it was moved");
  }
  if (st->config.delete_done && !trash_seal_taken(w, now, sealed)) {
    undo_move(st, s, root, now);
    return cannot_move(st, s, "deleted");
  }
  if (st->config.delete_done)
    trash_delete(w, sealed);
  else
    keep(w, s, now);
  drop_reasons(s);
  report_done(st, s);
  leave(st, s);
  return true;
}

/* ---- a study that failed ---- */

/* Back where it was, a study of an institute that does not exist would fail again. */
static void write_advice(FILE *out, const station *st, const study *s) {
  const char *below = strchr(s->path, '/');
  bool misplaced = s->status == IGT_E_NOT_FOUND && st->found.institutes && below &&
                   !station_has_institute(st, s->path);

  fprintf(out, "What to do: %s\n%s/",
          misplaced ? "move the folder below that of an institute of the project, to"
                    : "correct this, then move the folder back to",
          s->in->path);
  if (misplaced)
    fputs("INSTITUTE", out);
  put_safe(out, misplaced ? below : s->path, true);
}

static bool write_reason(const station *st, const study *s, const char *now) {
  const char *why = s->why && *s->why ? s->why : igt_status_text(s->status);
  FILE *out = replace_reason(s, now, true);
  char when[32];
  int error;

  if (!out)
    return false;
  put_safe(out, s->path, true);
  fprintf(out, " was not uploaded%s to the project '%s' (%s).\n\nWhy: ",
          s->moved || *s->study_id ? " completely" : "", st->project,
          igt_client_domain(st->line->client));
  put_safe(out, why, true);
  fprintf(out, "%s\n\nWhen: %s", strchr(".?!", why[strlen(why) - 1]) ? "" : ".",
          station_time(station_wall(), when));
  if (s->attempts)
    fprintf(out, ", after %u %s", s->attempts, s->attempts == 1 ? "attempt" : "attempts");
  fputs(".\n\n", out);
  write_advice(out, st, s);
  fputs("\nThe station uploads it again. This file can be deleted.\n", out);
  if (fclose(out) == 0)
    return true;
  error = errno; /* half a reason would mislead */
  (void)replace_reason(s, now, false);
  errno = error;
  return false;
}

void policy_fail(station *st, study *s) {
  char now[PATH_SIZE];

  if (!move_to(s, s->in->failed, now)) {
    (void)cannot_move(st, s, "moved to failed");
    if (s->state != STUDY_SETTLING) /* it was not sent */
      s->state = STUDY_READY;
    return;
  }
  st->totals.failed++;
  station_log(PRIORITY_ERROR, "failed", s, "%s failed: %s", s->path, s->why ? s->why : "");
  if (!write_reason(st, s, now))
    station_log(PRIORITY_WARNING, "failed", s, "cannot write %s/%s.reason: %s", s->in->failed, now,
                strerror(errno));
  hook_event(st, "failed", s, NULL);
  leave(st, s);
}

/* ---- the disk ---- */

uint64_t policy_free_bytes(const watched *w) {
  return os_free_bytes(w->path);
}

/* What is known of the oldest is given up. */
static bool forget_oldest(watched *w) {
  store_unkeep(w, 0);
  return true;
}

/* Of one study, or of the disk: then none of the others could be deleted. */
static bool cannot_delete(watched *w, const kept *k) {
  int error = errno;

  if (w->delete_errno != error)
    station_log(PRIORITY_ERROR, "stuck", NULL, "cannot delete %s: %s", k->path, strerror(error));
  if (error != EROFS && error != ENOSPC && error != EIO && error != EMFILE)
    return forget_oldest(w);
  w->delete_errno = error;
  return false;
}

/* The oldest, which is the first. Its path is below done/: store.c reads no others. False: not
 * now. */
static bool delete_kept(station *st, watched *w) {
  const kept *k = &w->kept[0];
  const char *path = k->path + strlen(w->done) + 1;
  char sealed[TRASH_PATH];
  tree_state state;

  if (!tree_look(w->done, path, &state))
    return errno == ENOENT ? forget_oldest(w) /* somebody else has deleted it */
                           : cannot_delete(w, k);
  if (!tree_same(&state, &k->tree)) {
    station_log(PRIORITY_NOTICE, "kept", NULL,
                "%s was changed after its upload, and is not deleted", k->path);
    return forget_oldest(w);
  }
  if (!trash_seal(w, w->done, path, sealed))
    return cannot_delete(w, k);
  w->delete_errno = 0;
  trash_delete(w, sealed);
  station_log(PRIORITY_INFO, "deleted", NULL, "deleted %s, which was uploaded and verified",
              k->path);
  st->totals.deleted++;
  tree_remove_empty(w->done, path, 1); /* of an institute or a patient */
  return forget_oldest(w);
}

static bool has_to_go(const station *st, const watched *w) {
  const station_config *c = &st->config;

  return (c->keep_s && store_time(w) - w->kept[0].at > c->keep_s) ||
         (c->quota && w->kept_bytes > c->quota) ||
         (c->min_free && policy_free_bytes(w) < c->min_free);
}

void policy_tidy(station *st) {
  bool low = false;

  for (size_t i = 0; i < st->root_count; i++) {
    watched *w = &st->roots[i];
    store_tick(w);
    while (w->kept_count && has_to_go(st, w) && delete_kept(st, w))
      os_manager_alive();
    low |= st->config.min_free && policy_free_bytes(w) < st->config.min_free;
  }
  if (low && !st->disk_warned) {
    station_log(PRIORITY_ERROR, "disk-low", NULL,
                "the disk of the watched folder has less free space than --min-free, and done has "
                "nothing more to delete");
    hook_event(st, "disk-low", NULL, NULL);
  }
  st->disk_warned = low;
}
