/* SPDX-License-Identifier: MIT */
#include "transfer/tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/path.h"
#include "base/str.h"
#include "transfer/plan.h"

#define NAME_OVERHEAD 32 /* of a small allocation */

bool igt__is_folder(const char *path, bool follow_links) {
  struct stat st;

  return (follow_links ? stat(path, &st) : lstat(path, &st)) == 0 && S_ISDIR(st.st_mode);
}

/* ---- clutter ---- */

/* "._NAME" is macOS's second half of NAME on disks that cannot hold it (AppleDouble), one for each
 * file; the others lie in folders that were merely looked at, or at the top of a disk. */
static bool is_clutter_name(const char *name, size_t n) {
  static const char *const names[] = {".DS_Store",
                                      "__MACOSX",
                                      ".AppleDouble",
                                      ".LSOverride",
                                      ".Spotlight-V100",
                                      ".Trashes",
                                      ".fseventsd",
                                      ".TemporaryItems",
                                      ".DocumentRevisions-V100",
                                      ".apdisk",
                                      ".VolumeIcon.icns",
                                      "Icon\r",
                                      "Thumbs.db",
                                      "Thumbs.db:encryptable",
                                      "ehthumbs.db",
                                      "ehthumbs_vista.db",
                                      "desktop.ini",
                                      "$RECYCLE.BIN",
                                      "System Volume Information"};

  if (n > 2 && name[0] == '.' && name[1] == '_')
    return true;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strlen(names[i]) == n && strncasecmp(names[i], name, n) == 0)
      return true; /* all of them are ASCII, and so is every letter that folds */
  return false;
}

bool igt__is_clutter(const char *path) {
  for (size_t n; *path; path += n + (path[n] == '/')) {
    n = strcspn(path, "/");
    if (is_clutter_name(path, n))
      return true;
  }
  return false;
}

/* ---- folders ---- */

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

void igt__folders_free(igt__folders *list) {
  for (size_t i = 0; i < list->count; i++) {
    igt__free(list->v[i]);
    if (list->cloud)
      igt__free(list->cloud[i]);
  }
  igt__free(list->v);
  igt__free(list->cloud);
  list->v = list->cloud = NULL;
  list->count = 0;
}

/* The name is held twice, with a pointer each. */
static bool add(igt__folders *list, igt__quota *held, size_t *cap, const char *name) {
  if (!igt__quota_take(held, 2 * (strlen(name) + NAME_OVERHEAD)))
    return false;
  if (list->count == *cap) {
    size_t more = *cap ? *cap * 2 : 64;
    char **v = igt__realloc(list->v, more * sizeof *v);
    if (!v)
      return false;
    list->v = v;
    *cap = more;
  }
  if (!(list->v[list->count] = igt__strdup(name)))
    return false;
  list->count++;
  return true;
}

static igt_status name_folders(igt__folders *list, igt_error *err) {
  list->cloud = igt__calloc(list->count + 1, sizeof *list->cloud);
  for (size_t i = 0; list->cloud && i < list->count; i++)
    if (!(list->cloud[i] = igt__name_from_local(list->v[i])))
      return igt__fail_memory(err);
  return list->cloud ? IGT_OK : igt__fail_memory(err);
}

igt_status igt__folders_in(const char *path, bool follow_links,
                           void (*stray)(void *payload, const char *path), void *payload,
                           igt__folders *out, igt_error *err) {
  DIR *dir = opendir(path);
  const struct dirent *e;
  size_t cap = 0;
  igt_status status = IGT_OK;
  igt__quota held;

  memset(out, 0, sizeof *out);
  igt__quota_init(&held, IGT__MAX_LIST_MEMORY, NULL);
  if (!dir)
    return igt__fail_errno(err, errno, "cannot read the folder '%s'", path);
  while (status == IGT_OK && (errno = 0, e = readdir(dir)) != NULL) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
      continue;
    char *full = igt__path_join(path, e->d_name);
    if (!full)
      status = igt__fail_memory(err);
    else if (!igt__is_folder(full, follow_links) || igt__is_clutter(e->d_name))
      stray(payload, full);
    else if (!add(out, &held, &cap, e->d_name))
      status = igt__held_fail(&held, "folders", path, err);
    igt__free(full);
  }
  if (status == IGT_OK && errno)
    status = igt__fail_errno(err, errno, "cannot read the folder '%s'", path);
  closedir(dir);
  if (out->count)
    qsort(out->v, out->count, sizeof *out->v, by_name);
  if (status == IGT_OK)
    status = name_folders(out, err);
  if (status != IGT_OK)
    igt__folders_free(out);
  return status;
}

static bool has_sidecar(const char *folder) {
  char *path = igt__path_join(folder, IGT__SIDECAR);
  bool has = path && access(path, F_OK) == 0;

  igt__free(path);
  return has;
}

size_t igt__folders_undescribed(const char *path, const igt__folders *list) {
  size_t n = 0;

  for (size_t i = 0; i < list->count; i++) {
    char *folder = igt__path_join(path, list->v[i]);
    n += !folder || !has_sidecar(folder); /* without memory nothing is guessed */
    igt__free(folder);
  }
  return n;
}

igt_status igt__sidecar_read(const char *folder, igt__json **doc, igt_error *err) {
  char *path = igt__path_join(folder, IGT__SIDECAR), *text = NULL;
  size_t n = 0;
  igt_status status = path ? IGT_OK : igt__fail_memory(err);

  *doc = NULL;
  if (status == IGT_OK && access(path, F_OK) == 0) {
    status = igt__file_read(path, IGT__MAX_STUDY_JSON, &text, &n, err);
    if (status == IGT_OK)
      status = igt__json_parse_small(text, n, IGT__MAX_STUDY_VALUES, path, doc, err);
    if (status == IGT_OK && igt__json_typeof(*doc) != IGT__JSON_OBJECT)
      status =
          igt__fail(err, IGT_E_TYPE, "%s is not the description of a study (a JSON object)", path);
  }
  igt__free(text);
  igt__free(path);
  return status;
}

char *igt__content_folder(const char *folder, bool follow_links, bool *whole) {
  char *files = igt__path_join(folder, "files"), *dicom = igt__path_join(folder, "dicom");
  bool known = files && dicom;

  *whole = known && !igt__is_folder(files, follow_links) && !igt__is_folder(dicom, follow_links);
  igt__free(dicom);
  if (known && !*whole)
    return files;
  igt__free(files);
  return known ? igt__strdup(folder) : NULL;
}

igt_status igt__cloud_path(const char *folder, const char *path, char **out, igt_error *err) {
  char *name = igt__path_from_local(path), *twin;
  struct stat st;
  igt_status status =
      name ? igt__path_check_cloud(name, strlen(name), "the file", err) : igt__fail_memory(err);

  if (status == IGT_OK && strcmp(name, path) != 0) {
    twin = igt__path_join(folder, name);
    if (!twin)
      status = igt__fail_memory(err);
    else if (lstat(twin, &st) == 0)
      status = igt__fail(err, IGT_E_COLLISION,
                         "in the cloud it would have the name of another file that is here");
    igt__free(twin);
  }
  if (status != IGT_OK) {
    igt__free(name);
    name = NULL;
  }
  *out = name;
  return status;
}
