/* SPDX-License-Identifier: MIT */
/* Resolves names and paths to nodes. A path is "PROJECT/INSTITUTE/PATIENT/STUDY/CATEGORY/FILE", but
 * names may contain slashes, so each step compares the children's names with the start of the
 * remaining path: an exact match wins over one in another Unicode form, and a study may carry the
 * suffix that its folder has on disk. The entry points are igt_node_find and igt_node_resolve. */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "base/unicode.h"
#include "cloud/node.h"
#include "cloud/suffix.h"

#define BY_ID "id:"

/* ---- by name ---- */

/* What the children are compared with: a name that is all of `text`, or, in a path, one that `text`
 * starts with, up to its end or a slash. */
typedef struct search {
  igt_node *node;
  igt_node_kind kind;
  const char *text;
  bool in_path;
  igt_model *found;
  size_t length;   /* length of the name in the text */
  bool exact;      /* is the name byte for byte: other forms of it don't count */
  bool is_patient; /* a study's name starts with text and a slash */
  igt__several several;
  igt__similar similar; /* of projects and institutes: there are few */
} search;

static bool ends_at(const search *s, size_t n) {
  return s->text[n] == '\0' || (s->in_path && s->text[n] == '/');
}

/* Length of the name in the text in another Unicode form; 0: none. In a path, each end of a
 * component may be the end of the name. */
static size_t fits_otherwise(const search *s, const char *name) {
  size_t n = 0;

  if (igt__nfc_is_plain(name) && igt__nfc_is_plain(s->text))
    return 0;
  for (;;) {
    n += s->in_path ? strcspn(s->text + n, "/") : strlen(s->text + n);
    char *text = igt__strndup(s->text, n);
    bool same = text && igt__nfc_eq(text, name);
    igt__free(text);
    if (same)
      return n;
    if (!s->text[n])
      return 0;
    n++;
  }
}

/* Length of a study's name with the suffix that its folder has beside another one of that name
 * (docs/names.md); 0: no match. */
static size_t fits_suffix(const search *s, const char *name, const char *id) {
  size_t n = strlen(name), end;
  char *text;
  bool is;

  if (s->kind != IGT_NODE_STUDY || strncmp(s->text, name, n) != 0 || s->text[n] != ' ')
    return 0;
  end = n + (s->in_path ? strcspn(s->text + n, "/") : strlen(s->text + n));
  text = igt__strndup(s->text, end);
  is = text && igt__suffix_is(text, name, id);
  igt__free(text);
  return is ? end : 0;
}

/* Length of this model's name in the text; 0: no match. *exact: byte for byte. */
static size_t fits(const search *s, const char *name, const char *id, bool *exact) {
  size_t n = strlen(name), m;

  *exact = n > 0 && strncmp(name, s->text, n) == 0 && ends_at(s, n);
  if (n == 0 || *exact)
    return n;
  m = fits_suffix(s, name, id);
  return m ? m : fits_otherwise(s, name);
}

static const char *note_of(igt_node_kind kind, const igt_model *model) {
  switch (kind) {
  case IGT_NODE_PROJECT:
    return igt__text_of(&((const igt_project *)model)->description);
  case IGT_NODE_INSTITUTE:
    return igt__text_of(&((const igt_institute *)model)->description);
  case IGT_NODE_STUDY:
    return igt__model_name(kind, model);
  default:
    return "";
  }
}

/* In a path, a name is compared with as many components as it has. */
static void offer(search *s, const char *name) {
  size_t n = strcspn(s->text, "/");
  char *wanted;

  if (s->found || (s->kind != IGT_NODE_PROJECT && s->kind != IGT_NODE_INSTITUTE))
    return;
  for (const char *p = name; s->text[n] && (p = strchr(p, '/')) != NULL; p++)
    n += 1 + strcspn(s->text + n + 1, "/");
  wanted = igt__strndup(s->text, s->in_path ? n : strlen(s->text));
  if (wanted)
    igt__similar_offer(&s->similar, wanted, name);
  igt__free(wanted);
}

static igt_status look(void *payload, igt_model *model) {
  search *s = payload;
  const char *name = igt__model_name(s->kind, model), *id = igt__model_id(s->kind, model);
  size_t n = strcspn(s->text, "/"), length;
  bool exact;

  if (s->kind == IGT_NODE_STUDY && !s->text[n] && strncmp(name, s->text, n) == 0 && name[n] == '/')
    s->is_patient = true;
  if ((length = fits(s, name, id, &exact)) == 0 || (s->exact && !exact)) {
    offer(s, name);
    return IGT_OK;
  }
  if (exact && !s->exact) { /* a better match than before */
    memset(&s->several, 0, sizeof s->several);
    igt_model_free(s->found);
    s->found = NULL;
    s->exact = true;
  }
  igt__several_add(&s->several, id, note_of(s->kind, model));
  if (s->found)
    return IGT_OK;
  s->length = length;
  s->found = igt_model_copy(model);
  return s->found ? IGT_OK : IGT_E_NO_MEMORY;
}

static igt_status run_search(search *s, igt_error *err) {
  const igt__children *kept = &s->node->children[s->kind];
  igt_status status = IGT_OK;

  if (!kept->loaded)
    status = igt__children_each(s->node, s->kind, look, s, err);
  for (size_t i = 0; kept->loaded && status == IGT_OK && i < kept->count; i++)
    status = look(s, kept->v[i]->model);
  if (status == IGT_E_NO_MEMORY)
    (void)igt__fail_memory(err);
  if (status == IGT_OK && s->several.count > 1) {
    status = igt__several_fail(&s->several, igt__kind_plural(s->kind), s->text, err);
    igt__error_append(err, "; give one of them as id:...");
  }
  if (status != IGT_OK) {
    igt_model_free(s->found);
    s->found = NULL;
  }
  return status;
}

static igt_status none_found(const search *s, igt_error *err) {
  if (s->node->kind == IGT_NODE_CLOUD)
    (void)igt__fail(err, IGT_E_NOT_FOUND,
                    "no project '%s' on %s is visible to you; names must match exactly", s->text,
                    igt_client_domain(s->node->client));
  else
    (void)igt__fail(err, IGT_E_NOT_FOUND, "the %s '%s' has no %s '%s'",
                    igt_node_kind_name(s->node->kind), s->node->name, igt_node_kind_name(s->kind),
                    s->text);
  igt__similar_say(&s->similar, err);
  return IGT_E_NOT_FOUND;
}

static igt_status keep(igt_node *node, igt_node_kind kind, igt_model *model, igt_node **out,
                       igt_error *err) {
  *out = igt__child_keep(node, kind, model);
  return *out ? IGT_OK : igt__fail_memory(err);
}

static igt_status find_by_id(igt_node *node, igt_node_kind kind, const char *id, igt_node **out,
                             igt_error *err) {
  igt_model *model = NULL;
  igt_status status = igt__child_by_id(node, kind, id, &model, err);

  return status == IGT_OK ? keep(node, kind, model, out, err) : status;
}

igt_status igt_node_find(igt_node *node, igt_node_kind kind, const char *name, igt_node **out,
                         igt_error *err) {
  search s = {.node = node, .kind = kind, .text = name ? name : ""};
  igt_status status = igt__check_kind(node, kind, err);

  *out = NULL;
  if (status != IGT_OK)
    return status;
  if (strncmp(s.text, BY_ID, strlen(BY_ID)) == 0)
    return find_by_id(node, kind, s.text + strlen(BY_ID), out, err);
  status = run_search(&s, err);
  if (status == IGT_OK && !s.found)
    status = none_found(&s, err);
  return status == IGT_OK ? keep(node, kind, s.found, out, err) : status;
}

/* ---- paths ---- */

static const char *skip_slashes(const char *path) {
  while (*path == '/')
    path++;
  return path;
}

/* Whether the path continues with this word; *rest: what follows it. */
static bool next_is(const char *path, const char *word, const char **rest) {
  size_t n = strlen(word);

  if (strncmp(path, word, n) != 0 || (path[n] && path[n] != '/'))
    return false;
  *rest = skip_slashes(path + n);
  return true;
}

static igt_status step_by_id(igt_node *node, igt_node_kind kind, const char **path, igt_node **out,
                             igt_error *err) {
  const char *begin = *path + strlen(BY_ID);
  size_t n = strcspn(begin, "/");
  char *id = igt__strndup(begin, n);
  igt_status status = id ? find_by_id(node, kind, id, out, err) : igt__fail_memory(err);

  igt__free(id);
  *path = skip_slashes(begin + n);
  return status;
}

/* One step down. *out NULL with IGT_OK: the path ends in a patient. */
static igt_status step(igt_node *node, igt_node_kind kind, const char **path, igt_node **out,
                       igt_error *err) {
  search s = {.node = node, .kind = kind, .text = *path, .in_path = true};
  igt_status status;

  *out = NULL;
  if (strncmp(*path, BY_ID, strlen(BY_ID)) == 0)
    return step_by_id(node, kind, path, out, err);
  status = run_search(&s, err);
  if (status != IGT_OK || (!s.found && s.is_patient))
    return status;
  if (!s.found)
    return none_found(&s, err);
  *path = skip_slashes(*path + s.length);
  return keep(node, kind, s.found, out, err);
}

/* The categories of a node, by their names in a path. False: the path does not continue into
 * one. */
static bool category(const igt_node *node, const char *path, igt_node_target *out) {
  static const struct {
    igt_node_kind in, kind;
    const char *word;
  } words[] = {{IGT_NODE_PROJECT, IGT_NODE_FILE, "files"},
               {IGT_NODE_INSTITUTE, IGT_NODE_DICOM, "dicom"},
               {IGT_NODE_STUDY, IGT_NODE_FILE, "files"},
               {IGT_NODE_STUDY, IGT_NODE_DICOM, "dicom"},
               {IGT_NODE_STUDY, IGT_NODE_ANNOTATION, "annotations"},
               {IGT_NODE_STUDY, IGT_NODE_SERIES, "series"}};

  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (words[i].in == node->kind && next_is(path, words[i].word, &out->rest)) {
      out->kind = words[i].kind;
      return true;
    }
  return false;
}

static igt_status no_category(const igt_node *study, const char *path, igt_error *err) {
  static const char *const words[] = {"files", "dicom", "annotations", "series"};
  igt__similar like = {0};
  char typed[32];

  (void)igt__fail(err, IGT_E_NOT_FOUND,
                  "a study ('%s') contains files, dicom, annotations or series, not '%s'",
                  study->name, path);
  igt__str_copy(typed, sizeof typed, path);
  typed[strcspn(typed, "/")] = '\0';
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    igt__similar_offer(&like, typed, words[i]);
  igt__similar_say(&like, err);
  return IGT_E_NOT_FOUND;
}

static igt_node_kind below(igt_node_kind kind) {
  return kind == IGT_NODE_CLOUD     ? IGT_NODE_PROJECT
         : kind == IGT_NODE_PROJECT ? IGT_NODE_INSTITUTE
                                    : IGT_NODE_STUDY;
}

static igt_status resolve(igt_node *from, const char *path, igt_node_target *out, igt_error *err) {
  igt_status status = IGT_OK;

  out->node = from;
  out->rest = path = skip_slashes(path);
  while (status == IGT_OK && *path && !category(out->node, path, out)) {
    igt_node *next = NULL;
    if (out->node->kind == IGT_NODE_STUDY)
      return no_category(out->node, path, err);
    if (out->node->kind > IGT_NODE_STUDY)
      return igt__fail(err, IGT_E_NOT_FOUND, "'%s' has nothing below it", out->node->name);
    status = step(out->node, below(out->node->kind), &path, &next, err);
    out->rest = path;
    if (status == IGT_OK && !next) {
      out->kind = IGT_NODE_STUDY;
      return IGT_OK;
    }
    if (status == IGT_OK)
      out->node = next;
  }
  return status;
}

igt_status igt_node_resolve(igt_node *from, const char *path, igt_node_target *out,
                            igt_error *err) {
  igt_node_target own = IGT_NODE_TARGET_INIT;
  igt_status status;

  igt__error_clear(err);
  if (!from || !path || !out)
    return igt__fail(err, IGT_E_INVALID, "no path was given");
  status = igt__result_check(out, "igt_node_target", err);
  if (status != IGT_OK)
    return status;
  status = resolve(from, path, &own, err);
  igt__result_write(out, &own, sizeof own);
  return status;
}

IGT__DEFINE_INIT(igt_node_target)
