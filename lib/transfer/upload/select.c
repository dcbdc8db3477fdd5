/* SPDX-License-Identifier: MIT */
/* Applies a selection to the folders of an upload's source: by the institute's name, by the names
 * of patient and study as the folder and its study.json have them, by the date and the labels in
 * the study.json, and by the times of the files in it. All study folders are looked at before the
 * first is uploaded; those that are selected become u->chosen, to which upload_study.c limits
 * itself. Of the cloud only the institutes' names are needed for that and, for a modality, their
 * lists of series. Called by upload.c at the start of the run. */
#include "transfer/upload/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/root.h"
#include "base/walk.h"
#include "model/model.h"
#include "transfer/engine/institutes.h"
#include "transfer/upload/match_internal.h"

typedef struct choice {
  const char *path; /* below the source */
  int64_t newest;   /* in seconds since 1970 */
} choice;

struct igt__upload_selected {
  igt__arena *arena;
  choice *v;
  size_t count, cap;
  const char **paths; /* for u->chosen */
};

typedef struct scan {
  igt__run *run;
  igt__found *found;
  igt__root *root;
  const char *source;        /* absolute, as all paths */
  const igt__chosen *chosen; /* by the caller */
  bool annotations;
  igt__upload_selected *out;      /* NULL: only whether there are any is asked */
  const igt_institute *institute; /* NULL: in a folder that is not one */
  bool any;                       /* a study folder in it is selected */
  igt_status status;
  igt_error *err;
} scan;

bool igt__upload_selects(const igt__selection *s) {
  return igt__selection_is_narrow(s) || s->by_date || s->options.limit || s->options.newest;
}

static void fail_memory(scan *s) {
  s->status = igt__fail_memory(s->err);
}

/* ---- times ---- */

typedef struct times {
  bool changes; /* also when a file was put here, whatever time it has */
  int64_t newest;
} times;

static void take_time(times *t, const igt__stat *st, bool is_folder) {
  int64_t at = is_folder ? INT64_MIN : (int64_t)st->st_mtim.tv_sec;

  if (t->changes && (int64_t)st->st_ctim.tv_sec > at)
    at = (int64_t)st->st_ctim.tv_sec;
  if (at > t->newest)
    t->newest = at;
}

static int each_time(void *payload, const igt__walk_entry *e) {
  times *t = payload;

  if ((e->kind == IGT__WALK_FILE || e->kind == IGT__WALK_DIR) && !igt__is_clutter(e->path))
    take_time(t, &e->st, e->kind == IGT__WALK_DIR);
  return 0;
}

/* An unreadable file is reported by the upload itself: the folder counts as changed now. */
static int64_t newest_of(scan *s, const char *path) {
  times t = {.changes = s->found->selection->since_last, .newest = INT64_MIN};
  igt__stat st;

  if (igt__root_stat(s->root, path, &st, NULL) == IGT_OK)
    take_time(&t, &st, true);
  if (igt__walk(s->root, path, each_time, &t, NULL, NULL) != IGT_OK)
    return INT64_MAX;
  return t.newest;
}

/* ---- one folder ---- */

static void count_undated(igt__run *run) {
  pthread_mutex_lock(&run->lock);
  run->summary.studies_undated++;
  pthread_mutex_unlock(&run->lock);
}

static bool add_choice(scan *s, const char *path, int64_t newest) {
  igt__upload_selected *out = s->out;
  const char *own = igt__arena_strdup(out->arena, igt__root_below(s->root, path));

  if (own && out->count == out->cap) {
    size_t cap = out->cap ? out->cap * 2 : 64;
    choice *more = igt__realloc(out->v, cap * sizeof *out->v);
    if (!more)
      return false;
    out->v = more;
    out->cap = cap;
  }
  if (own)
    out->v[out->count++] = (choice){own, newest};
  return own != NULL;
}

/* "P1---CT" is P1/CT; the name as it is, too, since a patient may be called so. */
static bool flat_names(igt__selection *selection, igt__study_names *names) {
  igt__buf human;
  bool takes;

  igt__buf_init(&human, IGT__MAX_JOINED);
  for (const char *p = names->human; *p;) {
    bool joint = strncmp(p, "---", 3) == 0;
    igt__buf_putc(&human, joint ? '/' : *p);
    p += joint ? 3 : 1;
  }
  takes = igt__selection_names(selection, names);
  names->human = human.data;
  takes |= !human.failed && igt__selection_names(selection, names);
  igt__buf_finish(&human);
  return takes;
}

/* doc: its study.json; NULL: none. */
static bool is_named(const scan *s, const igt__json *doc, const char *human, bool flat) {
  igt__selection *selection = s->found->selection;
  const igt__json *patient = doc ? igt__json_get(doc, "patient") : NULL;
  igt__study_names names = {.human = human};

  names.id = doc ? igt__doc_text(doc, "studyDatabaseId") : NULL;
  names.patient_id = patient ? igt__json_get_str(patient, "patientId") : NULL;
  names.patient_name = patient ? igt__json_get_str(patient, "patientName") : NULL;
  return flat ? flat_names(selection, &names) : igt__selection_names(selection, &names);
}

/* The study.json as a study; without a type, it has that of the institute. NULL: it is none. */
static igt_root_study *study_of(const scan *s, igt__json *doc) {
  const char *type = s->institute ? igt__studies_type(s->institute) : NULL;
  igt_model *study = NULL;
  igt__buf text;

  igt__buf_init(&text, IGT__MAX_JSON_BODY);
  if ((!type || igt__json_get(doc, "studyType") || igt__json_set_str(doc, "studyType", type)) &&
      igt__json_write(&text, doc, IGT__JSON_COMPACT))
    (void)igt__model_decode(igt_root_study_type(), text.data, text.len, IGT__SIDECAR, &study, NULL);
  igt__buf_finish(&text);
  return (igt_root_study *)study;
}

/* Whether date, labels and modality select it, which only a study.json has. */
static bool is_described(const scan *s, igt__json *doc, bool *undated) {
  igt__selection *selection = s->found->selection;
  const igt_study_selection *o = &selection->options;
  igt_root_study *study;
  bool takes;

  *undated = selection->by_date;
  if (!selection->by_date && !o->label_count && !o->modality_count)
    return true;
  study = doc ? study_of(s, doc) : NULL;
  if (!study)
    return !o->label_count && !o->modality_count;
  takes =
      igt__selection_describes(selection, study) && igt__study_has_day(selection, study, undated);
  igt_model_free(&study->model);
  return takes;
}

/* Whether a name leaves open which study its folder is: it has no patient, or the selection has
 * ids, which no name has. */
static bool says_nothing(const igt__selection *selection, const char *human, bool flat) {
  return (selection->entries && selection->only_ids) ||
         (!strchr(human, '/') && !(flat && strstr(human, "---")));
}

/* A study.json that cannot be read is an error of its study, unless the folder's name says that it
 * is not selected. */
static bool is_meant(const scan *s, const char *path, const char *human, bool flat) {
  igt__json *doc = NULL;
  bool readable = igt__sidecar_read(s->root, path, &doc, NULL) == IGT_OK, undated = false;
  bool takes = is_named(s, doc, human, flat) && (!readable || is_described(s, doc, &undated));

  takes |= !readable && says_nothing(s->found->selection, human, flat);

  if (takes && undated)
    count_undated(s->run);
  igt__json_free(doc);
  return takes;
}

/* Whether the folder is selected; if so, notes it. */
static bool look_at(scan *s, const char *path, const char *human, bool flat) {
  igt__selection *selection = s->found->selection;
  int64_t newest = 0;

  if (!is_meant(s, path, human, flat)) {
    if (selection->no_memory)
      fail_memory(s);
    return false;
  }
  if (selection->by_time || selection->options.newest)
    newest = newest_of(s, path);
  if (selection->by_time && !igt__selection_has_time(selection, newest, newest)) {
    selection->too_old += newest < selection->since;
    return false;
  }
  s->any = true;
  selection->taken++;
  if (!s->institute || !s->out) /* nothing more is asked */
    return true;
  if (igt__in_shard(human, s->run->options.shard, s->run->options.shards) &&
      !add_choice(s, path, newest))
    fail_memory(s);
  return true;
}

/* ---- the folders of an institute ---- */

static void pass(void *payload, const char *path, const char *why, const igt_error *err) {
  (void)payload;
  (void)path;
  (void)why;
  (void)err; /* the upload reports it */
}

static void each_in(scan *s, const char *path, const char *human, size_t names);

/* names: how many components of a study's name the folder is; human: these, NULL: an institute. */
static void look_in(scan *s, const char *path, const char *name, const char *above, size_t names) {
  bool flat = s->run->options.structure == IGT_FLAT;
  char *human = above ? igt__path_join(above, name) : igt__strdup(name);

  if (!human) {
    fail_memory(s);
    return;
  }
  if (!igt__is_chosen_at(s->chosen, s->source, path)) {
    igt__free(human);
    return;
  }
  if (names == 1 && s->annotations) { /* either form; a patient's folder holds studies */
    if (!look_at(s, path, human, true))
      each_in(s, path, human, names + 1);
  } else if (flat) {
    (void)look_at(s, path, human, true);
  } else if (names == 1 ? igt__sidecar_names(s->root, path) != 1
                        : igt__holds_studies(s->root, path, names)) {
    each_in(s, path, human, names + 1);
  } else {
    (void)look_at(s, path, human, false);
  }
  igt__free(human);
}

static void each_in(scan *s, const char *path, const char *human, size_t names) {
  igt__folders list;
  igt_error ignored = IGT_ERROR_INIT;

  /* What cannot be read is for the upload to report: it is not left out. */
  if (igt__folders_in(s->root, path, pass, NULL, &list, &ignored) != IGT_OK) {
    s->any = true;
    if (s->institute && s->out && !add_choice(s, path, INT64_MAX))
      fail_memory(s);
    return;
  }
  for (size_t i = 0; i < list.count && s->status == IGT_OK && !igt__run_stopping(s->run); i++) {
    char *below = igt__path_join(path, list.v[i]);
    if (below)
      look_in(s, below, list.cloud[i], human, names);
    else
      fail_memory(s);
    igt__free(below);
  }
  igt__folders_free(&list);
}

/* They belong to no study: names leave them out, times and limits do not concern them. */
static void look_at_project_files(scan *s, const char *path) {
  const igt__selection *selection = s->found->selection;
  const igt_study_selection *o = &selection->options;

  if (!selection->entries && !o->patient_count && !o->label_count && !o->modality_count &&
      !add_choice(s, path, INT64_MIN))
    fail_memory(s);
}

/* Of a folder that is not an institute no series are known: any modality may be in it. */
static bool take_series(scan *s) {
  igt__selection *selection = s->found->selection;

  if (s->institute) {
    s->status = igt__found_enter(s->run->client, s->found, s->institute, s->err);
  } else {
    igt__map_free(selection->series);
    selection->series = NULL;
  }
  return s->status == IGT_OK;
}

/* A folder that is not an institute is an error if it has a study that would be selected. */
static void look_in_institute(scan *s, const char *path, const char *cloud) {
  const igt_institute *institute = igt__institute_named(s->found, cloud);

  s->institute = institute;
  s->any = false;
  if (!institute && strcmp(cloud, "files") == 0) {
    look_at_project_files(s, path);
    return;
  }
  if (institute && !igt__found_selects(s->found, institute))
    return;
  if (take_series(s))
    each_in(s, path, NULL, 1);
  if (!institute && s->any && !add_choice(s, path, INT64_MIN))
    fail_memory(s);
}

/* ---- all of them ---- */

static int newest_first(const void *a, const void *b) {
  const choice *x = a, *y = b;

  if (x->newest != y->newest)
    return x->newest < y->newest ? 1 : -1;
  return strcmp(x->path, y->path);
}

/* Folders that only have to be reported come last, and do not count. */
static void limit(const igt__selection *selection, igt__upload_selected *out) {
  uint64_t left = selection->options.limit;
  size_t kept = 0;

  if (selection->options.newest && out->count)
    qsort(out->v, out->count, sizeof *out->v, newest_first);
  for (size_t i = 0; i < out->count; i++) {
    bool counts = out->v[i].newest != INT64_MIN;
    if (selection->options.limit && counts && left == 0)
      continue;
    left -= counts && left > 0;
    out->v[kept++] = out->v[i];
  }
  out->count = kept;
}

static igt_status choose(igt__upload *u, igt__upload_selected *out, igt_error *err) {
  limit(u->found.selection, out);
  out->paths = igt__arena_calloc(out->arena, out->count + 1, sizeof *out->paths);
  if (!out->paths)
    return igt__fail_memory(err);
  for (size_t i = 0; i < out->count; i++)
    out->paths[i] = out->v[i].path;
  u->chosen = (igt__chosen){.v = out->paths, .count = out->count};
  return IGT_OK;
}

igt_status igt__upload_select(igt__upload *u, igt__upload_selected **out, igt_error *err) {
  scan s = {.run = &u->run,
            .found = &u->found,
            .root = u->root,
            .source = u->source,
            .chosen = &u->chosen,
            .annotations = u->options->category == IGT_CATEGORY_ANNOTATIONS,
            .err = err};
  igt__folders folders = {0};

  *out = s.out = igt__calloc(1, sizeof *s.out);
  if (!s.out || !(s.out->arena = igt__arena_new(0)))
    return igt__fail_memory(err);
  s.status = igt__folders_in(u->root, u->source, pass, NULL, &folders, err);
  for (size_t i = 0; i < folders.count && s.status == IGT_OK; i++) {
    char *path = igt__path_join(u->source, folders.v[i]);
    if (path && igt__is_chosen(&u->chosen, folders.v[i]))
      look_in_institute(&s, path, folders.cloud[i]);
    else if (!path)
      fail_memory(&s);
    igt__free(path);
  }
  igt__folders_free(&folders);
  return s.status == IGT_OK ? choose(u, s.out, err) : s.status;
}

bool igt__may_be_selected(igt__run *run, igt__found *found, igt__root *root,
                          const igt__candidate *c) {
  igt_error err = IGT_ERROR_INIT;
  igt__chosen all = {.count = 0};
  scan s = {.run = run,
            .found = found,
            .root = root,
            .source = igt__root_path(root),
            .chosen = &all,
            .institute = c->institute,
            .err = &err};
  char *path = igt__path_join(s.source, c->folder);
  bool flat = run->options.structure == IGT_FLAT;

  if (!igt__upload_selects(found->selection))
    s.any = true;
  else if (!path || (!c->institute && !take_series(&s)))
    s.any = true; /* it cannot be known */
  else if (!c->human)
    each_in(&s, path, NULL, 1);
  else if (c->is_study)
    (void)look_at(&s, path, c->human, flat);
  else
    each_in(&s, path, c->human, c->names + 1);
  igt__free(path);
  return s.any || s.status != IGT_OK;
}

void igt__upload_selected_free(igt__upload_selected *selected) {
  if (!selected)
    return;
  igt__free(selected->v);
  igt__arena_free(selected->arena);
  igt__free(selected);
}

/* ---- the order ---- */

typedef struct ranked {
  char *v, *cloud;
  size_t rank, number;
} ranked;

static int by_rank(const void *a, const void *b) {
  const ranked *x = a, *y = b;

  if (x->rank != y->rank)
    return x->rank < y->rank ? -1 : 1;
  return x->number < y->number ? -1 : 1;
}

/* The first of the choices that the folder is, or contains. */
static size_t rank_of(const igt__upload_selected *selected, const char *below, const char *name) {
  size_t n = strlen(below), length = strlen(name);

  for (size_t i = 0; i < selected->count; i++) {
    const char *path = selected->v[i].path;
    if (n && (strncmp(path, below, n) != 0 || path[n] != '/'))
      continue;
    path += n ? n + 1 : 0;
    if (strncmp(path, name, length) == 0 && (!path[length] || path[length] == '/'))
      return i;
  }
  return SIZE_MAX;
}

void igt__upload_sort(const igt__upload *u, const igt__upload_selected *selected, const char *path,
                      igt__folders *folders) {
  ranked *list;

  if (!selected || !u->found.selection->options.newest || folders->count == 0 ||
      !(list = igt__calloc(folders->count, sizeof *list)))
    return; /* without memory for it they keep their order */
  for (size_t i = 0; i < folders->count; i++)
    list[i] = (ranked){folders->v[i], folders->cloud[i],
                       rank_of(selected, igt__root_below(u->root, path), folders->v[i]), i};
  qsort(list, folders->count, sizeof *list, by_rank);
  for (size_t i = 0; i < folders->count; i++) {
    folders->v[i] = list[i].v;
    folders->cloud[i] = list[i].cloud;
  }
  igt__free(list);
}
