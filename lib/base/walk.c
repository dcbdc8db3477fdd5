/* SPDX-License-Identifier: MIT */
/* Walks the tree below a folder of a root (igt__walk, path.h), depth first and sorted by name.
 *
 * Each folder's names are read completely and sorted (read_names), then each entry is examined with
 * fstatat and reported to the callback; folders are entered by openat with O_NOFOLLOW unless links
 * are followed, in which case the chain of levels detects loops by device and inode. Names count
 * against a quota, so that a huge folder fails with a message. Used by lib/transfer to plan uploads
 * and to verify local studies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "limits.h"
#include "mem.h"
#include "os/os.h"
#include "path.h"
#include "root.h"
#include "str.h"
#include "walk.h"

/* Each level keeps a folder open; a process has 1,024 descriptors. */
#define MAX_DEPTH 256
#define NAME_OVERHEAD 32 /* of a small allocation, including its pointer */

typedef struct level {
  const struct level *above;
  uint64_t device, inode;
  unsigned depth;
} level;

typedef struct walk {
  bool follow_links;
  igt__walk_fn fn;
  void *payload;
  igt__buf path;   /* of the entry, relative to the walked folder */
  igt__quota held; /* names of the folders from the top to the current one */
  int ended_with;
} walk;

typedef struct names {
  igt__quota *quota;
  size_t taken; /* from the quota */
  char **v;
  size_t count, cap;
} names;

static void names_free(names *n) {
  for (size_t i = 0; i < n->count; i++)
    igt__free(n->v[i]);
  igt__free(n->v);
  igt__quota_give(n->quota, n->taken);
}

static bool names_add(names *n, const char *name) {
  size_t size = strlen(name) + NAME_OVERHEAD;

  if (!igt__quota_take(n->quota, size))
    return false;
  n->taken += size;
  if (n->count == n->cap) {
    size_t cap = n->cap ? n->cap * 2 : 64;
    char **v = igt__realloc(n->v, cap * sizeof *v);
    if (!v)
      return false;
    n->v = v;
    n->cap = cap;
  }
  char *copy = igt__strdup(name);
  if (!copy)
    return false;
  n->v[n->count++] = copy;
  return true;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns 0 or an errno. Does not close fd. */
static int read_names(int fd, names *out) {
  igt__os_dir *dir = igt__os_dir_open(fd);

  if (!dir)
    return errno;
  const char *name;
  int os_error;
  while ((name = igt__os_dir_next(dir, NULL, &os_error)) != NULL) {
    if (!names_add(out, name)) {
      os_error = ENOMEM;
      break;
    }
  }
  igt__os_dir_close(dir);
  if (out->count)
    qsort(out->v, out->count, sizeof *out->v, by_name);
  return os_error;
}

bool igt__folder_lists(int fd, const char *wanted) {
  igt__os_dir *dir = igt__os_dir_open(fd);
  const char *name = NULL;
  int os_error = 0;

  while (dir && (name = igt__os_dir_next(dir, NULL, &os_error)) != NULL)
    if (strcmp(name, wanted) == 0)
      break;
  if (dir)
    igt__os_dir_close(dir);
  return name || !dir || os_error;
}

static bool is_loop(const level *above, const igt__stat *st) {
  for (; above; above = above->above) {
    if (above->device == st->st_dev && above->inode == st->st_ino)
      return true;
  }
  return false;
}

static igt_status walk_folder(walk *w, int fd, const level *here, igt_error *err);

/* Reports the entry; false when the walk was stopped. */
static bool report(walk *w, igt__walk_entry *entry) {
  w->ended_with = w->fn(w->payload, entry);
  return w->ended_with == 0;
}

static bool report_unreadable(walk *w, igt__walk_entry *entry, int os_error) {
  entry->kind = IGT__WALK_UNREADABLE;
  entry->os_error = os_error;
  return report(w, entry);
}

static igt_status walk_into(walk *w, int parent, igt__walk_entry *entry, const level *above,
                            igt_error *err) {
  level here = {above, entry->st.st_dev, entry->st.st_ino, above->depth + 1};

  if (is_loop(above, &entry->st) || here.depth > MAX_DEPTH) {
    report_unreadable(w, entry, here.depth > MAX_DEPTH ? ENAMETOOLONG : ELOOP);
    return IGT_OK;
  }
  int flags = O_RDONLY | O_DIRECTORY | (w->follow_links ? 0 : O_NOFOLLOW);
  int fd = igt__os_openat(parent, entry->name, flags, 0);
  if (fd < 0) {
    report_unreadable(w, entry, errno);
    return IGT_OK;
  }
  entry->kind = IGT__WALK_DIR;
  igt_status status = IGT_OK;
  if (report(w, entry))
    status = walk_folder(w, fd, &here, err);
  else if (w->ended_with == 1)
    w->ended_with = 0;
  igt__os_close(fd);
  return status;
}

static igt_status walk_entry(walk *w, int parent, const char *name, const level *here,
                             igt_error *err) {
  igt__walk_entry entry = {.path = w->path.data, .name = name};

  if (igt__os_statat(parent, name, &entry.st, w->follow_links) != 0) {
    int os_error = errno;
    if (os_error == ENOENT && !w->follow_links && !igt__folder_lists(parent, name))
      return IGT_OK; /* it was removed meanwhile */
    report_unreadable(w, &entry, os_error);
    return IGT_OK;
  }
  if (S_ISDIR(entry.st.st_mode))
    return walk_into(w, parent, &entry, here, err);
  entry.kind = S_ISREG(entry.st.st_mode)   ? IGT__WALK_FILE
               : S_ISLNK(entry.st.st_mode) ? IGT__WALK_LINK
                                           : IGT__WALK_SPECIAL;
  report(w, &entry);
  return IGT_OK;
}

static igt_status no_space(const walk *w, igt_error *err) {
  if (!igt__quota_refused(&w->held))
    return igt__fail_memory(err);
  return igt__fail(err, IGT_E_LIMIT,
                   "the folder '%s' has more entries than fit into memory (%llu MiB of names)",
                   w->path.len ? w->path.data : ".", IGT__MAX_LIST_MEMORY >> 20);
}

static igt_status walk_folder(walk *w, int fd, const level *here, igt_error *err) {
  names list = {.quota = &w->held};
  igt_status status = IGT_OK;
  int os_error = read_names(fd, &list);
  size_t length = w->path.len;

  if (os_error == ENOMEM)
    status = no_space(w, err);
  else if (os_error && length == 0)
    status = igt__fail_errno(err, os_error, "cannot read the folder");
  else if (os_error)
    report_unreadable(
        w, &(igt__walk_entry){.path = w->path.data, .name = igt__path_base(w->path.data)},
        os_error);
  for (size_t i = 0; i < list.count && status == IGT_OK && w->ended_with == 0; i++) {
    if (length)
      igt__buf_putc(&w->path, '/');
    if (!igt__buf_puts(&w->path, list.v[i]))
      status = igt__fail_memory(err);
    else
      status = walk_entry(w, fd, list.v[i], here, err);
    w->path.len = length;
    w->path.data[length] = '\0';
  }
  names_free(&list);
  return status;
}

igt_status igt__walk(igt__root *root, const char *folder, igt__walk_fn fn, void *payload,
                     int *ended_with, igt_error *err) {
  walk w = {.follow_links = igt__root_follows(root), .fn = fn, .payload = payload};
  igt__stat st;
  int fd;
  igt_status status = igt__root_open_folder(root, folder, &fd, err);

  if (ended_with)
    *ended_with = 0;
  if (status != IGT_OK)
    return status;
  igt__quota_init(&w.held, IGT__MAX_LIST_MEMORY, NULL);
  igt__buf_init(&w.path, SIZE_MAX);
  igt__buf_reserve(&w.path, 256);
  if (igt__os_fstat(fd, &st) != 0)
    status = igt__fail_errno(err, errno, "cannot read the folder '%s'", folder);
  level top = {NULL, st.st_dev, st.st_ino, 0};
  if (status == IGT_OK)
    status = walk_folder(&w, fd, &top, err);
  if (status == IGT_OK && ended_with)
    *ended_with = w.ended_with;
  igt__buf_finish(&w.path);
  igt__os_close(fd);
  return status;
}
