/* SPDX-License-Identifier: MIT */
/* The local tree of an upload or a verification: lists the folders that may be institutes, patients
 * or studies, recognises the metadata files of macOS and Windows, reads study.json, and finds where
 * the files of a study are. Anything that is not a folder is reported to the caller's function, so
 * that nothing is left out without a message. Called by upload.c, upload_study.c, verify.c and
 * verify_study.c. */
#include "transfer/engine/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "base/walk.h"
#include "transfer/engine/plan.h"

#define SHOWN_FOLDERS 5

#define NAME_OVERHEAD 32 /* of a small allocation */
#define MOST_NAMES 8     /* of a study: deeper folders are its own */

igt_status igt__folder_look(igt__root *root, const char *path, bool *is, igt_error *err) {
  igt__stat st;
  bool found;
  igt_status status = igt__root_look(root, path, &found, &st, err);

  *is = status == IGT_OK && found && S_ISDIR(st.st_mode);
  return status;
}

/* ---- clutter ---- */

/* "._NAME" is macOS's second half of NAME on disks that cannot store it (AppleDouble), one for each
 * file; the others appear in folders that were merely viewed, at the top of a disk, or on a NAS. */
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
                                      "@eaDir", /* Synology */
                                      "#recycle",
                                      "@Recycle", /* QNAP */
                                      ".@__thumb",
                                      "System Volume Information"};

  if (n > 2 && name[0] == '.' && name[1] == '_')
    return true;
  if (n > 7 && strncmp(name, ".Trash-", 7) == 0 && strspn(name + 7, "0123456789") == n - 7)
    return true; /* what a Linux desktop deleted on another disk */
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

/* The name is stored twice, with a pointer each. */
static bool add(igt__folders *list, igt__quota *lists, size_t *cap, const char *name) {
  if (!igt__quota_take(lists, 2 * (strlen(name) + NAME_OVERHEAD)))
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

/* Whether the target of a link in this place is uploaded under its own name, too: it is in the
 * tree. */
static bool is_in_tree(const igt__root *root, const char *full) {
  const char *top = igt__root_path(root);
  char *tree = igt__os_real_path(top), *target = igt__os_real_path(full);
  bool in = tree && target && igt__str_starts(target, tree) &&
            (target[strlen(tree)] == '/' || !target[strlen(tree)]);

  free(tree);
  free(target);
  return in;
}

/* A link where the folder of a study, patient or institute could be. Only looks at the link: what
 * is beyond it is not read. */
static igt_status see_link(igt__root *root, const char *full, const char *name, igt_error *err) {
  char *path = igt__path_join(igt__root_path(root), igt__root_below(root, full));
  igt__stat st;
  int why = igt__root_look_beyond(root, full, &st);
  igt_status status = path ? IGT_OK : igt__fail_memory(err);

  if (path && !why && S_ISDIR(st.st_mode) && !is_in_tree(root, path))
    status = igt__fail(err, IGT_E_NO_FILE,
                       "it is a link to a folder, and links are not followed: its contents are "
                       "left out (use --follow-links to include them)");
  else if (path && why &&
           name[0] != '.') /* ".#NAME": how editors mark the files that they have open */
    status = igt__fail_errno(err, why, "it is a link to something that cannot be reached");
  igt__free(path);
  return status;
}

/* Also if the folder cannot be read any more. */
static bool is_still_listed(igt__root *root, const char *full, const char *name) {
  const char *base = igt__path_base(full);
  char *folder = igt__strndup(full, base > full ? (size_t)(base - full) - 1 : 0);
  int fd = -1;
  bool listed = !folder || igt__root_open_folder(root, folder, &fd, NULL) != IGT_OK ||
                igt__folder_lists(fd, name);

  if (fd >= 0)
    igt__os_close(fd);
  igt__free(folder);
  return listed;
}

/* One entry of a folder: added to the list, or passed to stray. */
static igt_status take_entry(igt__root *root, const char *full, const char *name,
                             igt__stray_fn stray, void *payload, igt__folders *out,
                             bool *is_folder) {
  igt_error err = IGT_ERROR_INIT;
  igt__stat st;
  bool found;
  igt_status status;

  *is_folder = false;
  if (igt__is_clutter(name)) {
    stray(payload, full, NULL, NULL);
    return IGT_OK;
  }
  status = igt__root_look(root, full, &found, &st, &err);
  if (status == IGT_E_NO_MEMORY)
    return status;
  if (status == IGT_OK && !found) {
    if (!is_still_listed(root, full, name))
      return IGT_OK; /* it was removed meanwhile */
    status = igt__fail_errno(&err, ENOENT, "it is listed, but cannot be found");
  }
  if (status == IGT_OK && S_ISDIR(st.st_mode) && !igt__utf8_valid(name, strlen(name)))
    status = igt__fail(&err, IGT_E_UNSAFE_NAME,
                       "the folder's name is not valid UTF-8, which the cloud requires; rename it");
  if (status == IGT_OK && S_ISLNK(st.st_mode))
    status = see_link(root, full, name, &err);
  if (status == IGT_E_NO_MEMORY)
    return status;
  if (status != IGT_OK)
    stray(payload, full, NULL, &err);
  else if (S_ISDIR(st.st_mode))
    *is_folder = true;
  else
    stray(payload, full, S_ISLNK(st.st_mode) ? IGT__LINK_LEFT_OUT : NULL, NULL);
  out->links += status == IGT_OK && S_ISLNK(st.st_mode);
  out->files += status == IGT_OK && !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode);
  return IGT_OK;
}

static igt_status read_folder(igt__root *root, const char *path, igt__os_dir *dir,
                              igt__stray_fn stray, void *payload, igt__folders *out,
                              igt_error *err) {
  const char *name;
  size_t cap = 0;
  int os_error = 0;
  igt_status status = IGT_OK;
  igt__quota lists;

  igt__quota_init(&lists, IGT__MAX_LIST_MEMORY, NULL);
  while (status == IGT_OK && (name = igt__os_dir_next(dir, NULL, &os_error)) != NULL) {
    bool is_folder = false;
    char *full = igt__path_join(path, name);
    if (!full || take_entry(root, full, name, stray, payload, out, &is_folder) != IGT_OK)
      status = igt__fail_memory(err);
    else if (is_folder && !add(out, &lists, &cap, name))
      status = igt__list_fail(&lists, "folders", path, err);
    igt__free(full);
  }
  if (status == IGT_OK && os_error)
    status = igt__fail_errno(err, os_error, "cannot read the folder '%s'", path);
  return status;
}

igt_status igt__folders_in(igt__root *root, const char *path, igt__stray_fn stray, void *payload,
                           igt__folders *out, igt_error *err) {
  int fd;
  igt_status status = igt__root_open_folder(root, path, &fd, err);
  igt__os_dir *dir = status == IGT_OK ? igt__os_dir_take(fd) : NULL;

  memset(out, 0, sizeof *out);
  if (status != IGT_OK)
    return status;
  if (!dir)
    return igt__fail_errno(err, errno, "cannot read the folder '%s'", path);
  status = read_folder(root, path, dir, stray, payload, out, err);
  igt__os_dir_close(dir);
  if (out->count)
    qsort(out->v, out->count, sizeof *out->v, by_name);
  if (status == IGT_OK)
    status = name_folders(out, err);
  if (status != IGT_OK)
    igt__folders_free(out);
  return status;
}

static void pass_by(void *payload, const char *path, const char *why, const igt_error *err) {
  (void)payload;
  (void)path;
  (void)why;
  (void)err;
}

uint64_t igt__folders_count(igt__root *root, const char *path) {
  igt__folders list = {0};
  uint64_t count;

  (void)igt__folders_in(root, path, pass_by, NULL, &list, NULL);
  count = list.count;
  igt__folders_free(&list);
  return count;
}

igt_status igt__folders_check(const igt__folders *list, const char *path, igt_error *err) {
  if (list->count || (!list->links && !list->files))
    return IGT_OK;
  if (list->links)
    return igt__fail(err, IGT_E_NO_FILE, "'%s' contains only links, and %s", path,
                     IGT__LINK_LEFT_OUT);
  return igt__fail(err, IGT_E_NO_FILE,
                   "'%s' contains files but no folder of a study, so it is left out: put the "
                   "files into the folder of their study",
                   path);
}

/* An unreadable one says nothing; without memory nothing is assumed. */
static bool has_sidecar(igt__root *root, const char *folder) {
  char *path = igt__path_join(folder, IGT__SIDECAR);
  igt__stat st;
  bool found = false;
  bool has = path && igt__root_look(root, path, &found, &st, NULL) == IGT_OK && found;

  igt__free(path);
  return has;
}

igt_status igt__patient_check(igt__root *root, const char *path, igt_error *err) {
  if (!has_sidecar(root, path))
    return IGT_OK;
  return igt__fail(
      err, IGT_E_COLLISION,
      "'%s' has a study.json, so it is the folder of a study and not of a patient: use "
      "--folder-structure flat",
      path);
}

/* A folder of one of the categories belongs to the study. */
static bool is_category(const char *name) {
  return strcmp(name, "files") == 0 || strcmp(name, "dicom") == 0 ||
         strcmp(name, "annotations") == 0;
}

/* Looks at subfolders only: there may be many files. Those of the categories belong to the study.
 */
static bool is_described_folder(igt__root *root, const char *path, igt__os_kind kind) {
  const char *name = igt__path_base(path);
  bool is = kind == IGT__OS_FOLDER;

  if (is_category(name))
    return false;
  if (kind == IGT__OS_UNKNOWN && igt__folder_look(root, path, &is, NULL) != IGT_OK)
    is = false; /* the walk of the study's files reports it */
  return is && has_sidecar(root, path);
}

igt_status igt__flat_check(igt__root *root, const char *path, igt_error *err) {
  igt__os_kind kind;
  const char *name;
  int fd, os_error;
  igt_status status = igt__root_open_folder(root, path, &fd, err);
  igt__os_dir *dir = status == IGT_OK ? igt__os_dir_take(fd) : NULL;

  if (status == IGT_OK && !dir)
    status = igt__fail_errno(err, errno, "cannot read the folder '%s'", path);
  while (status == IGT_OK && (name = igt__os_dir_next(dir, &kind, &os_error)) != NULL) {
    char *below = igt__path_join(path, name);
    if (!below)
      status = igt__fail_memory(err);
    else if (is_described_folder(root, below, kind))
      status = igt__fail(err, IGT_E_COLLISION,
                         "it has no study.json, but '%s' has one, so it is the folder of a patient "
                         "and not of a study: use --folder-structure hierarchical",
                         below);
    igt__free(below);
  }
  if (dir)
    igt__os_dir_close(dir);
  return status;
}

/* One entry of igt__folders_only(). False: it is a file of the study's own. */
static bool is_no_file(igt__root *root, const char *path, const char *name, igt__os_kind kind,
                       igt__buf *names, size_t *count) {
  igt__stat st;
  bool found = false;

  if (igt__is_clutter(name))
    return true;
  if (kind != IGT__OS_FOLDER) { /* links may lead to folders; a walk of the files reports them */
    if (igt__root_look(root, path, &found, &st, NULL) != IGT_OK || !found || !S_ISDIR(st.st_mode))
      return !found || !S_ISREG(st.st_mode);
  }
  if (is_category(name))
    return false;
  if (*count < SHOWN_FOLDERS)
    igt__buf_printf(names, "%s'%s'", *count ? ", " : "", name);
  ++*count;
  return true;
}

igt_status igt__folders_only(igt__root *root, const char *path, igt__buf *names, size_t *count,
                             igt_error *err) {
  igt__os_kind kind;
  const char *name;
  int fd, os_error = 0;
  bool only = true;
  igt_status status = igt__root_open_folder(root, path, &fd, err);
  igt__os_dir *dir = status == IGT_OK ? igt__os_dir_take(fd) : NULL;

  *count = 0;
  if (status == IGT_OK && !dir)
    status = igt__fail_errno(err, errno, "cannot read the folder '%s'", path);
  while (status == IGT_OK && only && (name = igt__os_dir_next(dir, &kind, &os_error)) != NULL) {
    char *below = igt__path_join(path, name);
    if (below)
      only = is_no_file(root, below, name, kind, names, count);
    else
      status = igt__fail_memory(err);
    igt__free(below);
  }
  if (!only)
    *count = 0;
  if (*count > SHOWN_FOLDERS)
    igt__buf_printf(names, " and %zu more", *count - SHOWN_FOLDERS);
  if (dir)
    igt__os_dir_close(dir);
  return status;
}

size_t igt__folders_undescribed(igt__root *root, const char *path, const igt__folders *list) {
  size_t n = 0;

  for (size_t i = 0; i < list->count; i++) {
    char *folder = igt__path_join(path, list->v[i]);
    n += !folder || !has_sidecar(root, folder);
    igt__free(folder);
  }
  return n;
}

const char *igt__skip_mark(const char *text, size_t *n) {
  bool has = *n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;

  *n -= has ? 3 : 0;
  return text + (has ? 3 : 0);
}

static igt_status parse_sidecar(igt__root *root, const char *path, igt__json **doc,
                                igt_error *err) {
  char *text;
  size_t n;
  igt_status status = igt__root_read_file(root, path, IGT__MAX_STUDY_JSON, &text, &n, err);

  if (status != IGT_OK)
    return status;
  const char *json = igt__skip_mark(text, &n);
  status = igt__json_parse_small(json, n, IGT__MAX_STUDY_VALUES, path, doc, err);
  if (status == IGT_OK && igt__json_typeof(*doc) != IGT__JSON_OBJECT)
    status =
        igt__fail(err, IGT_E_TYPE, "%s is not the description of a study (a JSON object)", path);
  igt__free(text);
  return status;
}

igt_status igt__sidecar_read(igt__root *root, const char *folder, igt__json **doc, igt_error *err) {
  char *path = igt__path_join(folder, IGT__SIDECAR);
  igt__stat st;
  bool found = false;
  igt_status status = path ? igt__root_look(root, path, &found, &st, err) : igt__fail_memory(err);

  *doc = NULL;
  if (status == IGT_OK && found)
    status = parse_sidecar(root, path, doc, err);
  igt__free(path);
  return status;
}

igt_status igt__cloud_path(igt__root *root, const char *folder, const char *path, char **out,
                           igt_error *err) {
  char *name = igt__path_from_local(path), *twin;
  igt__stat st;
  bool found;
  igt_status status =
      name ? igt__path_check_cloud(name, strlen(name), "the file", err) : igt__fail_memory(err);

  if (status == IGT_OK && strcmp(name, path) != 0) {
    twin = igt__path_join(folder, name);
    if (!twin)
      status = igt__fail_memory(err);
    else if ((status = igt__root_look(root, twin, &found, &st, err)) == IGT_OK && found)
      status = igt__fail(err, IGT_E_COLLISION,
                         "in the cloud it would have the name of another local file");
    igt__free(twin);
  }
  if (status != IGT_OK) {
    igt__free(name);
    name = NULL;
  }
  *out = name;
  return status;
}

/* ---- studies whose names are not patient/study ---- */

size_t igt__sidecar_names(igt__root *root, const char *folder) {
  igt__json *doc = NULL;
  const char *human;
  size_t n = 0;

  if (igt__sidecar_read(root, folder, &doc, NULL) == IGT_OK &&
      (human = igt__json_get_str(doc, "studyIdHumanReadable")) != NULL && *human)
    for (n = 1; *human; human++)
      n += *human == '/';
  igt__json_free(doc);
  return n;
}

static bool is_folder_entry(igt__root *root, igt__os_kind kind, const char *path) {
  bool is = kind == IGT__OS_FOLDER;

  return kind == IGT__OS_UNKNOWN ? igt__folder_look(root, path, &is, NULL) == IGT_OK && is : is;
}

/* One entry of igt__holds_studies(). False: it is a file, so the folder is a study itself. */
static bool look_below(igt__root *root, const char *path, igt__os_kind kind, size_t names,
                       bool *found) {
  if (!is_folder_entry(root, kind, path))
    return false;
  *found = *found || (has_sidecar(root, path) ? igt__sidecar_names(root, path) == names + 1
                                              : igt__holds_studies(root, path, names + 1));
  return true;
}

bool igt__holds_studies(igt__root *root, const char *folder, size_t names) {
  const char *name;
  bool found = false, folders = true;
  int fd, ignored;
  igt__os_dir *dir;
  igt__os_kind kind;

  if (names >= MOST_NAMES || igt__root_open_folder(root, folder, &fd, NULL) != IGT_OK)
    return false;
  if (!(dir = igt__os_dir_take(fd)))
    return false;
  while (folders && (name = igt__os_dir_next(dir, &kind, &ignored)) != NULL) {
    if (igt__is_clutter(name))
      continue;
    char *path = igt__path_join(folder, name);
    folders = path && look_below(root, path, kind, names, &found);
    igt__free(path);
  }
  igt__os_dir_close(dir);
  return folders && found;
}

static void mute(void *payload, const char *path, const char *why, const igt_error *err) {
  (void)payload;
  (void)path;
  (void)why;
  (void)err;
}

igt_status igt__holds_described(igt__root *root, const char *folder, bool *holds, igt_error *err) {
  igt__folders list;
  igt_status status = igt__folders_in(root, folder, mute, NULL, &list, err);

  *holds = false;
  for (size_t i = 0; status == IGT_OK && i < list.count && !*holds; i++) {
    char *path = igt__path_join(folder, list.v[i]);
    *holds = path && has_sidecar(root, path);
    igt__free(path);
  }
  igt__folders_free(&list);
  return status;
}
