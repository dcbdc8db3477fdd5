/* SPDX-License-Identifier: MIT */
/* Matches the folders of a local tree with the project's institutes, by exact name first and by NFC
 * form otherwise. A folder that matches none is reported with all of its files, and with the
 * institute of the most similar name, by edit distance. Called by upload.c and verify.c for each
 * folder of the source. */
#include "transfer/engine/institutes.h"

#include <string.h>

#include "base/mem.h"
#include "base/name.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "base/unicode.h"
#include "base/walk.h"
#include "transfer/engine/plan.h"

static bool is_exactly(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

/* A selected one if possible, else the first. */
static const igt_institute *first_named(const igt__found *found, const char *name,
                                        bool (*same)(const char *a, const char *b)) {
  const igt_institute_list *list = found->institutes;
  const igt_institute *first = NULL;

  for (size_t i = 0; list && i < list->count; i++) {
    if (!list->v[i] || !same(igt__text_of(&list->v[i]->name), name))
      continue;
    if (!found->chosen || found->chosen[i])
      return list->v[i];
    if (!first)
      first = list->v[i];
  }
  return first;
}

const igt_institute *igt__institute_named(const igt__found *found, const char *name) {
  const igt_institute *institute = first_named(found, name, is_exactly);

  return institute ? institute : first_named(found, name, igt__nfc_eq);
}

igt_status igt__institute_alone(const igt__found *found, const igt_institute *institute,
                                igt_error *err) {
  const igt_institute_list *list = found->institutes;
  const char *name = igt__text_of(&institute->name);
  igt__several several = {.count = 0};

  for (size_t i = 0; list && i < list->count; i++)
    if (list->v[i] && strcmp(igt__text_of(&list->v[i]->name), name) == 0 &&
        (!found->chosen || found->chosen[i]))
      igt__several_add(&several, igt__text_of(&list->v[i]->id),
                       igt__text_of(&list->v[i]->description));
  if (several.count < 2)
    return IGT_OK;
  (void)igt__several_fail(&several, "institutes of the project", name, err);
  igt__error_append(err, "; give one of them as id:... in place of the name");
  return IGT_E_AMBIGUOUS;
}

bool igt__institute_twice(const igt__found *found, const igt__folders *folders, size_t i,
                          igt_error *err) {
  const igt_institute *institute = igt__institute_named(found, folders->cloud[i]);
  const char *name = institute ? igt__text_of(&institute->name) : "";

  if (!institute || strcmp(name, folders->cloud[i]) == 0)
    return false;
  for (size_t k = 0; k < folders->count; k++) {
    if (k == i || igt__institute_named(found, folders->cloud[k]) != institute ||
        (k > i && strcmp(name, folders->cloud[k]) != 0))
      continue;
    (void)igt__fail(err, IGT_E_COLLISION,
                    "another folder is the same institute, with its name in another Unicode form "
                    "(NFC and NFD): merge the folders");
    return true;
  }
  return false;
}

igt_status igt__institute_link(const igt__found *found, const char *path, igt_error *err) {
  char *name = igt__name_from_local(igt__path_base(path));
  const igt_institute *institute = name ? igt__institute_named(found, name) : NULL;
  igt_status status = name ? IGT_OK : igt__fail_memory(err);

  if (institute && igt__found_selects(found, institute))
    status = igt__fail(err, IGT_E_NO_FILE, "the folder of the institute '%s' is a link, and %s",
                       name, IGT__LINK_LEFT_OUT);
  igt__free(name);
  return status;
}

/* ---- did you mean ---- */

void igt__suggest_parent(igt__run *run, const igt__found *found, const char *source,
                         const igt__folders *folders) {
  const char *base = igt__path_base(source);
  char *name = igt__name_from_local(base);
  bool is_institute = name && folders->count && igt__institute_named(found, name);

  for (size_t i = 0; is_institute && i < folders->count; i++)
    is_institute = !igt__institute_named(found, folders->cloud[i]);
  if (is_institute)
    igt__run_message(run, IGT_E_NOT_FOUND,
                     "'%s' has the name of an institute: give the folder that contains it, '%.*s'",
                     source, (int)(base - source), source);
  igt__free(name);
}

igt__similar igt__institute_like(const igt__found *found, const char *name) {
  const igt_institute_list *list = found->institutes;
  igt__similar like = {0};

  for (size_t i = 0; list && i < list->count; i++)
    if (list->v[i])
      igt__similar_offer(&like, name, igt__text_of(&list->v[i]->name));
  return like;
}

/* ---- folders that match no institute ---- */

typedef struct unknown {
  igt__run *run;
  const char *folder;   /* absolute */
  const char *name;     /* of the folder */
  const igt_error *err; /* why it is not used */
  igt_transfer_result result;
  size_t files;
} unknown;

static int each_entry(void *payload, const igt__walk_entry *e) {
  unknown *u = payload;
  char *path = igt__path_join(u->name, e->path), *local = igt__path_join(u->folder, e->path);
  bool failed = u->result == IGT_RESULT_FAILED;
  igt_transfer_item item = {.kind = IGT_ITEM_FILE,
                            .result = u->result,
                            .path = path,
                            .local_path = local,
                            .size = e->kind == IGT__WALK_FILE ? (uint64_t)e->st.st_size : 0,
                            .text = failed ? "" : u->err->text,
                            .error = failed ? u->err : NULL};

  if (e->kind != IGT__WALK_DIR) {
    if (igt__leave_clutter(u->run, e->path, &item))
      item.error = NULL;
    else
      u->files++;
    igt__run_item(u->run, &item);
    igt__run_wait_events(u->run);
  }
  igt__free(path);
  igt__free(local);
  return igt__run_stopping(u->run) ? 2 : 0;
}

static void explain(const igt__found *found, const char *cloud, bool counted, igt_error *err) {
  igt__similar like = igt__institute_like(found, cloud);

  (void)igt__fail(err, IGT_E_NOT_FOUND, "the project '%s' has no institute '%s'",
                  igt__text_of(&found->project->name), cloud);
  igt__similar_say(&like, err);
  if (counted && !*like.name)
    igt__error_append(err, "; --ignore-unknown skips such folders without an error");
}

static void walk_unknown(unknown *u, igt__root *root) {
  igt_error err = IGT_ERROR_INIT;
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER, .path = u->folder, .text = ""};
  igt_status status = igt__walk(root, u->folder, each_entry, u, NULL, &err);

  if (status != IGT_OK) {
    item.result = IGT_RESULT_FAILED;
    item.error = &err;
    u->files++;
    igt__run_item(u->run, &item);
  }
}

/* Studies are divided among the shards; what belongs to no study is handled by the first shard. If
 * institutes were selected by name, only folders that resemble them are reported. */
static bool counts(const igt__run *run, const igt__found *found, const char *cloud) {
  igt__similar like = {0};

  if (found->by_name)
    like = igt__institute_like(found, cloud);
  return !run->options.ignore_unknown && (run->options.shards < 2 || run->options.shard == 1) &&
         (!found->by_name || (*like.name && igt__found_selects_name(found, like.name)));
}

void igt__unknown_folder(igt__run *run, igt__root *root, const igt__found *found, const char *name,
                         const char *cloud, igt_transfer_result result, size_t *files) {
  igt_error why = IGT_ERROR_INIT;
  char *folder = igt__path_join(igt__root_path(root), name);
  unknown u = {.run = run, .folder = folder, .name = name, .err = &why, .result = result};
  igt_transfer_item item = {.kind = IGT_ITEM_OTHER, .result = IGT_RESULT_IGNORED, .path = folder};

  bool counted = counts(run, found, cloud);

  *files = 0;
  if (!folder) {
    (void)igt__fail_memory(&why);
    igt__run_fatal(run, &why);
    return;
  }
  explain(found, cloud, counted, &why);
  item.text = why.text;
  if (counted)
    walk_unknown(&u, root);
  if (u.files == 0)
    igt__run_folder(run, &item);
  *files = u.files;
  igt__free(folder);
}
