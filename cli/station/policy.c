/* SPDX-License-Identifier: MIT */
/* What happens to a study at the end. A verified study is moved to done/ or deleted; one that
 * failed for good is moved to failed/ with a .reason file beside it. Both are renames within a file
 * system, so a study is always in exactly one place. A program that still writes to a study does
 * not notice the rename, so the study is checked again afterwards, and moved back if something was
 * written meanwhile. A deletion begins with a rename to .igtcloud-station/deleting/DEPTH.NUMBER,
 * where the study is checked, and a second one to deleting/verified.NUMBER: from there on it is
 * only deleted. The next start moves back what it finds in the former, which is whole, and deletes
 * the latter, of which some may be gone: without its study.json the rest would be uploaded to
 * another study. DEPTH is the number of folders in the study's path, so that two studies of the
 * same name are never merged.
 *
 * In done/, only studies that this station has verified and moved there are ever deleted (--quota,
 * --keep, --min-free), and only if they have not changed since. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "station/station.h"

#define PATH_SIZE 8192
#define TRASH ".igtcloud-station/deleting"
#define VERIFIED "verified."
#define SUFFIXES 1000
#define AGAIN_MS 60000

/* ---- moving ---- */

/* Both below folders of ours, but others may write there, too: no link is followed. False: errno.
 */
static bool rename_below(const char *from_root, const char *from, const char *to_root,
                         const char *to) {
  const char *old_name, *new_name;
  int old_dir = tree_open_above(from_root, from, false, &old_name), error;
  int new_dir = old_dir >= 0 ? tree_open_above(to_root, to, true, &new_name) : -1;
  bool good = new_dir >= 0 && igt__os_rename_new(old_dir, old_name, new_dir, new_name) == 0;

  error = errno;
  if (old_dir >= 0)
    igt__os_close(old_dir);
  if (new_dir >= 0)
    igt__os_close(new_dir);
  errno = error;
  return good;
}

/* A study of the same name may have been there before: "NAME.2". folder: below root. out: where it
 * is now, below root. */
static bool move_to(const study *s, const char *root, const char *folder, char out[PATH_SIZE]) {
  const char *slash = *folder ? "/" : "";

  for (int i = 1; i < SUFFIXES; i++) {
    int n = i == 1 ? snprintf(out, PATH_SIZE, "%s%s%s", folder, slash, s->path)
                   : snprintf(out, PATH_SIZE, "%s%s%s.%d", folder, slash, s->path, i);
    if (n >= PATH_SIZE) {
      errno = ENAMETOOLONG;
      return false;
    }
    if (rename_below(s->in->path, s->path, root, out))
      return true;
    if (errno != EEXIST && errno != ENOTEMPTY)
      return false;
  }
  return false;
}

static int depth_of(const char *path) {
  int depth = 1;

  for (; *path; path++)
    depth += *path == '/';
  return depth;
}

/* Into a new folder, in which it keeps its name. */
static bool move_to_trash(const study *s, char out[PATH_SIZE]) {
  char folder[64];
  const char *name = folder + strlen(TRASH "/");
  int trash = tree_open(s->in->path, TRASH, true), error;
  bool moved = false;

  if (trash < 0)
    return false;
  for (int i = 1; i < SUFFIXES; i++) {
    (void)snprintf(folder, sizeof folder, TRASH "/%d.%d", depth_of(s->path), i);
    if (igt__os_mkdirat(trash, name, 0700) == 0) {
      moved = move_to(s, s->in->path, folder, out);
      error = errno;
      if (!moved)
        (void)igt__os_rmdirat(trash, name);
      errno = error;
      break;
    }
    if (errno != EEXIST)
      break;
  }
  error = errno;
  igt__os_close(trash);
  errno = error;
  return moved;
}

/* What the folder `name` contains, where `to` has nothing of that name; folders of `depth` levels
 * are merged. False: something stays. */
static bool bring_back(int above, const char *name, int to, int depth) {
  int fd = tree_step(above, name, false), into, error = 0;
  igt__os_dir *dir = fd >= 0 ? igt__os_dir_take(fd) : NULL;
  bool all = dir != NULL;
  const char *e;

  while (dir && (e = igt__os_dir_next(dir, NULL, &error)) != NULL) {
    if (igt__os_rename_new(fd, e, to, e) == 0)
      continue;
    into = errno == EEXIST && depth > 1 ? tree_step(to, e, false) : -1;
    all = into >= 0 && bring_back(fd, e, into, depth - 1) && all;
    if (into >= 0)
      igt__os_close(into);
  }
  if (dir)
    igt__os_dir_close(dir);
  return igt__os_rmdirat(above, name) == 0 && all;
}

static void recover_one(const watched *w, int trash, const char *name, int to, int depth) {
  if (bring_back(trash, name, to, depth))
    station_log(PRIORITY_NOTICE, "recovered", NULL,
                "the station stopped before it deleted a study: moved it back from %s/" TRASH
                "/%s to %s, where it is verified again",
                w->path, name, w->path);
  else
    station_log(PRIORITY_ERROR, "stuck", NULL,
                "%s/" TRASH "/%s contains a study whose deletion was interrupted, and cannot be "
                "moved back: move it to %s yourself",
                w->path, name, w->path);
}

/* The rest of a study that was checked before its deletion began. */
static void delete_rest(const watched *w, const char *name) {
  char path[PATH_SIZE];

  (void)snprintf(path, sizeof path, TRASH "/%s", name);
  if (tree_remove(w->path, path))
    station_log(PRIORITY_NOTICE, "recovered", NULL,
                "deleted the rest of a verified study, whose deletion was interrupted");
  else
    station_log(PRIORITY_WARNING, "stuck", NULL,
                "cannot delete all of %s/%s, the rest of a verified study: %s", w->path, path,
                strerror(errno));
}

void policy_recover(const watched *w) {
  int to = tree_open(w->path, "", false), trash = tree_open(w->path, TRASH, false), error;
  igt__os_dir *dir = trash >= 0 ? igt__os_dir_open(trash) : NULL;
  const char *name;

  while (dir && (name = igt__os_dir_next(dir, NULL, &error)) != NULL) {
    int depth = (int)strtol(name, NULL, 10);
    if (depth >= 1)
      recover_one(w, trash, name, to, depth);
    else if (strncmp(name, VERIFIED, strlen(VERIFIED)) == 0)
      delete_rest(w, name);
  }
  if (dir)
    igt__os_dir_close(dir);
  if (trash >= 0)
    igt__os_close(trash);
  if (to >= 0)
    igt__os_close(to);
}

static void move_back(const study *s, const char *root, const char *from) {
  if (!rename_below(root, from, s->in->path, s->path))
    station_log(PRIORITY_ERROR, "stuck", s,
                "%s cannot be moved back from %s/%s: %s: move it back yourself", s->path, root,
                from, strerror(errno));
}

static bool cannot_move(study *s, const char *what) {
  char text[512];
  int error = errno;

  (void)snprintf(text, sizeof text, "cannot be %s: %s", what, strerror(error));
  if (s->stuck_errno != error)
    station_log(PRIORITY_ERROR, "stuck", s, "%s %s; it stays where it is; retrying", s->path, text);
  s->stuck_errno = error;
  study_because(s, IGT_E_IO, text);
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

/* Removes folders above it that are empty now, of so many levels. */
static void remove_empty(const char *root, const char *path, int levels) {
  char above[PATH_SIZE];
  const char *name;

  (void)snprintf(above, sizeof above, "%s", path);
  for (char *slash; levels > 0 && (slash = strrchr(above, '/')) != NULL; levels--) {
    *slash = '\0';
    int dir = tree_open_above(root, above, false, &name);
    bool removed = dir >= 0 && igt__os_rmdirat(dir, name) == 0;
    if (dir >= 0)
      igt__os_close(dir);
    if (!removed)
      return;
  }
}

/* path: in the trash, below the watched folder. out: what there is to be deleted. */
static bool mark_verified(const watched *w, const char *path, char out[PATH_SIZE]) {
  size_t n = strlen(TRASH "/");
  char folder[PATH_SIZE];

  n += strcspn(path + n, "/");
  (void)snprintf(folder, sizeof folder, "%.*s", (int)n, path);
  for (int i = 1; i < SUFFIXES; i++) {
    (void)snprintf(out, PATH_SIZE, TRASH "/" VERIFIED "%d", i);
    if (rename_below(w->path, folder, w->path, out))
      return true;
    if (errno != EEXIST && errno != ENOTEMPTY)
      return false;
  }
  return false;
}

/* What an error leaves is deleted at the next start. */
static void delete_now(const study *s, const char *path) {
  if (!tree_remove(s->in->path, path))
    station_log(PRIORITY_WARNING, "stuck", s,
                "cannot delete all of %s/%s: %s; it will be deleted at "
                "the next start",
                s->in->path, path, strerror(errno));
}

/* Out of the trash, which has a folder for each study. */
static void undo_move(const station *st, const study *s, const char *root, const char *from) {
  int error = errno;

  move_back(s, root, from);
  if (st->config.delete_done)
    remove_empty(root, from, depth_of(s->path));
  errno = error;
}

static void keep(watched *w, const study *s, const char *path) {
  char full[PATH_SIZE + STATION_PATH];

  (void)snprintf(full, sizeof full, "%s/%s", w->done, path);
  store_keep(w, full, station_wall(), &s->tree);
}

bool policy_finish(station *st, study *s) {
  watched *w = s->in;
  const char *root = st->config.delete_done ? w->path : w->done;
  char now[PATH_SIZE], marked[PATH_SIZE];
  tree_state state;

  if (!tree_look(w->path, s->path, &state))
    return errno == ENOENT ? (leave(st, s), false) : cannot_move(s, "read");
  if (!tree_same(&state, &s->tree) || tree_is_written(w->path, s->path))
    return settle_again(st, s, "was written to during its upload");
  if (st->config.delete_done ? !move_to_trash(s, now) : !move_to(s, root, "", now))
    return cannot_move(s, st->config.delete_done ? "deleted" : "moved to done");
  if (!is_same_study(root, now, s)) {
    undo_move(st, s, root, now);
    return settle_again(st, s, "was written to while it was moved");
  }
  if (st->config.delete_done && !mark_verified(w, now, marked)) {
    undo_move(st, s, root, now);
    return cannot_move(s, "deleted");
  }
  if (st->config.delete_done)
    delete_now(s, marked);
  else
    keep(w, s, now);
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

  if (!move_to(s, s->in->failed, "", now)) {
    (void)cannot_move(s, "moved to failed");
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

/* The oldest, which is the first. Its path is below done/: store.c reads no others. */
static void delete_kept(station *st, watched *w) {
  const kept *k = &w->kept[0];
  const char *path = k->path + strlen(w->done) + 1;
  tree_state state;

  if (!tree_look(w->done, path, &state)) {
    store_unkeep(w, 0); /* somebody else has deleted it */
    return;
  }
  if (!tree_same(&state, &k->tree)) {
    station_log(PRIORITY_NOTICE, "kept", NULL,
                "%s was changed after its upload, and is not deleted", k->path);
  } else if (tree_remove(w->done, path)) {
    station_log(PRIORITY_INFO, "deleted", NULL, "deleted %s, which was uploaded and verified",
                k->path);
    st->totals.deleted++;
    remove_empty(w->done, path, 1); /* of an institute or a patient */
  } else {
    station_log(PRIORITY_ERROR, "stuck", NULL, "cannot delete %s: %s", k->path, strerror(errno));
  }
  store_unkeep(w, 0);
}

static bool has_to_go(const station *st, const watched *w) {
  const station_config *c = &st->config;

  return (c->keep_s && w->kept[0].at + c->keep_s < station_wall()) ||
         (c->quota && w->kept_bytes > c->quota) ||
         (c->min_free && policy_free_bytes(w) < c->min_free);
}

void policy_tidy(station *st) {
  bool low = false;

  for (size_t i = 0; i < st->root_count; i++) {
    watched *w = &st->roots[i];
    while (w->kept_count && has_to_go(st, w)) {
      delete_kept(st, w);
      os_manager_alive();
    }
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
