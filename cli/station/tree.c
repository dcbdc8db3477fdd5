/* SPDX-License-Identifier: MIT */
/* Walks the folder of a study without following links, to see whether something in it changed. The
 * state of a folder is a sum over its entries, so their order does not matter; only sizes and times
 * are compared with each other, never with the clock of this machine, which may differ from that of
 * a file server and may jump. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "station/station.h"

#define DEPTH_MAX 64
#define REMOVED_MAX (DEPTH_MAX + 8) /* the folders above a study, too */
#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
#define NAME_SIZE 1024 /* Windows: 255 UTF-16 units */
#define PATH_SIZE 8192

typedef struct walk {
  tree_fn fn;
  void *payload;
  char path[PATH_SIZE]; /* below the study */
  int ended;
} walk;

static bool walk_folder(walk *w, int fd, size_t length, int depth);

static bool descend(walk *w, int dir, const char *name, size_t length, int depth) {
  int fd = igt__os_openat(dir, name, OPEN_FOLDER, 0);

  if (fd < 0)
    return errno == ENOENT || errno == ENOTDIR; /* it has just vanished */
  return walk_folder(w, fd, length, depth + 1);
}

static bool visit(walk *w, int dir, const char *name, size_t length, int depth) {
  size_t n =
      (size_t)snprintf(w->path + length, sizeof w->path - length, "%s%s", length ? "/" : "", name);
  tree_entry entry = {.path = w->path, .dir = dir, .name = name};
  igt__stat st;

  if (n >= sizeof w->path - length || depth > DEPTH_MAX) {
    errno = ENAMETOOLONG;
    return false;
  }
  if (igt__os_statat(dir, name, &st, false) != 0)
    return errno == ENOENT;
  entry.is_file = S_ISREG(st.st_mode);
  entry.device = st.st_dev;
  entry.inode = st.st_ino;
  entry.size = entry.is_file ? (uint64_t)st.st_size : 0;
  entry.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
  entry.ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
  entry.is_station = S_ISDIR(st.st_mode) && strcmp(name, STATION_FOLDER) == 0;
  if (S_ISDIR(st.st_mode) && !entry.is_station)
    return descend(w, dir, name, length + n, depth);
  w->ended = w->fn(w->payload, &entry);
  return true;
}

/* Takes ownership of fd. */
static bool walk_folder(walk *w, int fd, size_t length, int depth) {
  igt__os_dir *dir = igt__os_dir_take(fd);
  const char *name;
  bool good = dir != NULL;
  int error = errno;

  while (good && w->ended == 0 && (name = igt__os_dir_next(dir, NULL, &error)) != NULL) {
    good = visit(w, fd, name, length, depth);
    error = good ? 0 : errno;
    w->path[length] = '\0';
  }
  if (dir)
    igt__os_dir_close(dir);
  errno = error;
  return good && !error;
}

unsigned tree_mode(const char *root, const char *path) {
  char full[2 * STATION_PATH];
  igt__stat st;

  (void)snprintf(full, sizeof full, "%s/%s", root, path);
  return igt__os_lstat(full, &st) == 0 ? st.st_mode : 0;
}

int tree_step(int dir, const char *name, bool make) {
  int fd = igt__os_openat(dir, name, OPEN_FOLDER, 0);

  if (fd < 0 && errno == ENOENT && make &&
      (igt__os_mkdirat(dir, name, 0777) == 0 || errno == EEXIST))
    fd = igt__os_openat(dir, name, OPEN_FOLDER, 0);
  return fd;
}

/* Its first n bytes. */
static int open_below(const char *root, const char *path, size_t n, bool make) {
  int dir = igt__os_open(root, OPEN_FOLDER, 0);
  char name[NAME_SIZE];

  for (size_t at = 0, k; dir >= 0 && at < n; at += k + (path[at + k] == '/')) {
    k = strcspn(path + at, "/");
    int fd = -1;
    if (k == 0 || k >= sizeof name)
      errno = ENAMETOOLONG;
    else {
      (void)snprintf(name, sizeof name, "%.*s", (int)k, path + at);
      fd = tree_step(dir, name, make);
    }
    int error = errno;
    igt__os_close(dir);
    errno = error;
    dir = fd;
  }
  return dir;
}

int tree_open(const char *root, const char *path, bool make) {
  return open_below(root, path, strlen(path), make);
}

int tree_open_above(const char *root, const char *path, bool make, const char **name) {
  const char *slash = strrchr(path, '/');

  *name = slash ? slash + 1 : path;
  return open_below(root, path, slash ? (size_t)(slash - path) : 0, make);
}

bool tree_rename(const char *from_root, const char *from, const char *to_root, const char *to) {
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

bool tree_walk(const char *root, const char *path, tree_fn fn, void *payload, int *ended) {
  walk *w = malloc(sizeof *w);
  int fd = w ? tree_open(root, path, false) : -1;
  bool good = fd >= 0;

  *ended = 0;
  if (good) {
    *w = (walk){.fn = fn, .payload = payload};
    good = walk_folder(w, fd, 0, 0);
    *ended = w->ended;
  }
  int error = errno;
  free(w);
  errno = error;
  return good;
}

/* ---- states ---- */

/* splitmix64's mixing steps over FNV-1a (both public domain). */
static uint64_t hash_of(const tree_entry *e) {
  uint64_t h = 0xcbf29ce484222325u;
  const uint64_t numbers[] = {e->size, (uint64_t)e->mtime_ns, (uint64_t)e->ctime_ns, e->is_file};

  for (const char *p = e->path; *p; p++)
    h = (h ^ (unsigned char)*p) * 0x100000001b3u;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    h = (h ^ numbers[i]) * 0xbf58476d1ce4e5b9u;
    h ^= h >> 29;
  }
  return h;
}

bool tree_is_clutter(const char *name, size_t n) {
  static const char *const names[] = {"Thumbs.db",   "Thumbs.db:encryptable",
                                      "ehthumbs.db", "ehthumbs_vista.db",
                                      "desktop.ini", "Icon\r",
                                      "__MACOSX",    "$RECYCLE.BIN",
                                      "@eaDir",      "#recycle",
                                      "@Recycle",    "System Volume Information"};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strlen(names[i]) == n && strncasecmp(names[i], name, n) == 0)
      return true;
  return false;
}

static int add_entry(void *payload, const tree_entry *e) {
  tree_state *p = payload;

  p->hash += hash_of(e);
  p->files += e->is_file;
  p->others += !e->is_file && !e->is_station;
  p->stations += e->is_station;
  p->bytes += e->size;
  p->hidden += is_partial_name(e->name);
  if (e->mtime_ns / 1000000000 > p->newest)
    p->newest = e->mtime_ns / 1000000000;
  return 0;
}

bool tree_look(const char *root, const char *path, tree_state *out) {
  int ended;

  *out = (tree_state){.files = 0};
  return tree_walk(root, path, add_entry, out, &ended);
}

bool tree_holds_station(const char *root, const char *path) {
  char below[STATION_PATH];
  tree_state state;
  int n = snprintf(below, sizeof below, "%s/" STATION_FOLDER, path);

  return (n < (int)sizeof below && S_ISDIR(tree_mode(root, below))) ||
         (tree_look(root, path, &state) && state.stations > 0);
}

bool tree_same(const tree_state *a, const tree_state *b) {
  return a->files == b->files && a->bytes == b->bytes && a->hash == b->hash;
}

/* ---- removing ---- */

static bool remove_below(int dir, const char *name, int depth) {
  int fd = igt__os_openat(dir, name, OPEN_FOLDER, 0), error = errno;
  igt__os_dir *folder = fd >= 0 ? igt__os_dir_take(fd) : NULL;
  const char *entry;
  bool good = folder && depth < REMOVED_MAX;

  while (good && (entry = igt__os_dir_next(folder, NULL, &error)) != NULL) {
    if (igt__os_unlinkat(fd, entry) != 0)
      good = (errno == EISDIR || errno == EPERM) && remove_below(fd, entry, depth + 1);
    error = errno;
    os_manager_alive();
  }
  if (folder)
    igt__os_dir_close(folder);
  errno = error;
  return good && igt__os_rmdirat(dir, name) == 0;
}

bool tree_remove(const char *root, const char *path) {
  const char *name;
  int dir = tree_open_above(root, path, false, &name);
  bool good = dir >= 0 && remove_below(dir, name, 0);

  if (dir >= 0)
    igt__os_close(dir);
  return good;
}

void tree_remove_empty(const char *root, const char *path, int levels) {
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
