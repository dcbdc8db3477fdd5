/* SPDX-License-Identifier: MIT */
/* The tree command: what is below a place, as a tree. An institute's studies come from the cloud in
 * any order, so their paths and their files' are kept until the institute ends, then sorted and
 * printed; a very large institute is printed in several sorted parts, so that memory stays bounded.
 * Without files, only the lists of studies are requested. main.c calls it through tree_command. */
#include <stdlib.h>
#include <string.h>

#include "scan.h"
#include "screen.h"
#include "transfer_options.h"

/* Paths kept for sorting. */
#define HELD_MOST ((size_t)64 * 1024 * 1024)
/* Deeper folders of a study are shown as one name. */
#define DEPTH_MOST 24

enum { INSTITUTES = 1, PATIENTS, STUDIES, FILES };

/* A study or a file. */
typedef struct leaf {
  uint64_t files, bytes; /* of a study; of a file its size */
  bool is_file;
  char path[]; /* below the institute: "PATIENT/STUDY/x" */
} leaf;

/* An institute whose list was begun. */
typedef struct begun {
  struct begun *next;
  const igt_institute *institute; /* until the list ends */
  char *path;
  bool has_studies;
} begun;

typedef struct tree {
  scan c;
  const settings *s;
  long long level; /* the deepest that is shown */
  bool several;    /* categories: they are folders */
  bool utf8;
  const igt_institute *institute; /* whose leaves these are */
  char *name;                     /* NULL: none yet */
  begun *first, **last;           /* in the list's order */
  leaf **leaves;
  size_t count, capacity, held;
  char prefix[DEPTH_MOST * 8]; /* what precedes the lines of the current folder */
} tree;

/* ---- keeping ---- */

static bool make_space(tree *t) {
  size_t capacity = t->capacity ? t->capacity * 2 : 256;
  leaf **larger =
      t->count < t->capacity ? t->leaves : realloc(t->leaves, capacity * sizeof *larger);

  if (!larger)
    return false;
  if (larger != t->leaves || t->count == t->capacity) {
    t->leaves = larger;
    t->capacity = capacity;
  }
  return true;
}

static igt_status keep(tree *t, const igt_listed_study *study, const igt_listed_file *file) {
  const char *category = file && t->several ? file->category : "";
  const char *path = file ? file->path : "", *name = study->name;
  size_t n = strlen(name) + strlen(category) + strlen(path) + 3;
  leaf *l = make_space(t) ? malloc(sizeof *l + n) : NULL;

  if (!l)
    return IGT_E_NO_MEMORY;
  *l = (leaf){.is_file = file != NULL, .files = study->files, .bytes = study->bytes};
  if (file)
    l->bytes = file->size > 0 ? (uint64_t)file->size : 0;
  snprintf(l->path, n, "%s%s%s%s%s", name, *name && file ? "/" : "", category, *category ? "/" : "",
           path);
  t->leaves[t->count++] = l;
  t->held += sizeof *l + n + sizeof *t->leaves;
  return IGT_OK;
}

static void drop_leaves(tree *t) {
  for (size_t i = 0; i < t->count; i++)
    free(t->leaves[i]);
  t->count = t->held = 0;
}

static int by_path(const void *a, const void *b) {
  const leaf *x = *(leaf *const *)a, *y = *(leaf *const *)b;
  int order = compare_names(x->path, y->path);

  return order ? order : x->is_file - y->is_file;
}

/* ---- printing ---- */

/* Leaves with the same first components. */
typedef struct range {
  size_t from, to;
  size_t at; /* where the next component starts in their paths */
  long long level;
} range;

static void print_totals(const tree *t, const range *r) {
  uint64_t files = 0, bytes = 0, studies = 0;
  char count[32], size[32];

  for (size_t i = r->from; i < r->to; i++)
    if (!t->leaves[i]->is_file) {
      studies++;
      files += t->leaves[i]->files;
      bytes += t->leaves[i]->bytes;
    }
  format_count(studies, count, sizeof count);
  if (r->level < STUDIES)
    printf("  (%s %s", count, studies == 1 ? "study" : "studies");
  format_count(files, count, sizeof count);
  format_size(bytes, size, sizeof size);
  if (t->level >= FILES)
    printf("%s%s %s, %s", r->level < STUDIES ? ", " : "  (", count, files == 1 ? "file" : "files",
           size);
  if (r->level < STUDIES || t->level >= FILES)
    putchar(')');
}

static void print_line(const tree *t, const range *r, const char *name, size_t n, bool last) {
  const leaf *first = t->leaves[r->from];
  char size[32], *shown = strndup(name, n);

  fputs(t->prefix, stdout);
  fputs(t->utf8 ? (last ? "\u2514\u2500\u2500 " : "\u251c\u2500\u2500 ")
        : last  ? "`-- "
                : "|-- ",
        stdout);
  print_safe(stdout, shown ? shown : "?");
  free(shown);
  if (r->level <= STUDIES) {
    print_totals(t, r);
  } else if (r->to - r->from == 1 && !first->path[r->at + n]) {
    format_size(first->bytes, size, sizeof size);
    printf("  %s", size);
  }
  putchar('\n');
}

/* Below a study everything is a file or a folder; above it names may have any number of parts. */
static long long level_below(const tree *t, const range *r, size_t end) {
  for (size_t i = r->from; i < r->to; i++)
    if (!t->leaves[i]->is_file && strlen(t->leaves[i]->path) == end)
      return STUDIES;
  return r->level >= STUDIES ? FILES : PATIENTS;
}

static bool same_component(const leaf *a, const leaf *b, size_t at, size_t n) {
  return strncmp(a->path + at, b->path + at, n) == 0 &&
         (b->path[at + n] == '\0' || b->path[at + n] == '/');
}

/* The leaves from r->from on that share the next component. */
static size_t group_end(const tree *t, const range *r, size_t n) {
  size_t to = r->from + 1;

  while (to < r->to && same_component(t->leaves[r->from], t->leaves[to], r->at, n))
    to++;
  return to;
}

static void print_below(tree *t, range r, unsigned depth) {
  size_t used = strlen(t->prefix);

  while (r.from < r.to && strlen(t->leaves[r.from]->path) < r.at)
    r.from++; /* the study itself */
  while (r.from < r.to) {
    const char *name = t->leaves[r.from]->path + r.at;
    size_t n = depth + 1 < DEPTH_MOST ? strcspn(name, "/") : strlen(name);
    range one = {r.from, group_end(t, &r, n), r.at, 0};
    one.level = level_below(t, &(range){one.from, one.to, r.at, r.level}, r.at + n);
    bool last = one.to == r.to;
    if (one.level <= t->level) {
      print_line(t, &one, name, n, last);
      snprintf(t->prefix + used, sizeof t->prefix - used, "%s",
               last      ? "    "
               : t->utf8 ? "\u2502   "
                         : "|   ");
      one.at = r.at + n + 1;
      print_below(t, one, depth + 1);
      t->prefix[used] = '\0';
    }
    r.from = one.to;
  }
}

/* "trial/north  (3 studies, 40 files, 1.2 GiB)" */
static void print_title(tree *t) {
  const range all = {0, t->count, 0, INSTITUTES};

  print_safe(stdout, t->name);
  if (t->institute)
    print_totals(t, &all);
  putchar('\n');
}

static void print_leaves(tree *t) {
  if (!t->name)
    return;
  if (t->count)
    qsort(t->leaves, t->count, sizeof *t->leaves, by_path);
  scan_clear_counts(&t->c);
  print_title(t);
  if (t->level > INSTITUTES)
    print_below(t, (range){0, t->count, 0, t->institute ? INSTITUTES : STUDIES}, 0);
  drop_leaves(t);
}

/* Institutes without studies, after the others. */
static void print_empty(tree *t) {
  drop_leaves(t);
  for (begun *b = t->first; b; b = b->next) {
    if (b->has_studies)
      continue;
    free(t->name);
    t->name = b->path;
    t->institute = b->institute;
    b->path = NULL;
    print_title(t);
  }
}

static void free_begun(begun *list) {
  for (begun *b = list, *next; b; b = next) {
    next = b->next;
    free(b->path);
    free(b);
  }
}

/* ---- listing ---- */

static igt_status begin_institute(tree *t, const igt_institute *institute) {
  if (t->name && t->institute == institute && t->held < HELD_MOST)
    return IGT_OK;
  print_leaves(t);
  free(t->name);
  t->institute = institute;
  t->name = scan_institute_path(&t->c, institute);
  for (begun *b = t->first; b; b = b->next)
    b->has_studies |= b->institute == institute;
  return t->name ? IGT_OK : IGT_E_NO_MEMORY;
}

static igt_status on_institute(void *payload, const igt_institute *institute) {
  tree *t = payload;
  begun *b = calloc(1, sizeof *b);

  if (!b)
    return IGT_E_NO_MEMORY;
  b->institute = institute;
  b->path = scan_institute_path(&t->c, institute);
  *t->last = b;
  t->last = &b->next;
  return b->path ? IGT_OK : IGT_E_NO_MEMORY;
}

static igt_status on_study(void *payload, const igt_listed_study *study) {
  tree *t = payload;
  igt_status status;

  if (t->s->json) {
    free(t->name);
    t->name = scan_study_path(&t->c, study);
    if (t->name && study->study)
      scan_print_study(&t->c, t->name, study);
    return t->name ? IGT_OK : IGT_E_NO_MEMORY;
  }
  status = begin_institute(t, study->institute);
  return status == IGT_OK && study->study ? keep(t, study, NULL) : status;
}

static igt_status on_file(void *payload, const igt_listed_study *study,
                          const igt_listed_file *file) {
  tree *t = payload;

  if (!t->s->json)
    return keep(t, study, file);
  scan_print_file(&t->c, t->name, "file", study, file);
  return output_failed() ? IGT_E_IO : IGT_OK;
}

static int cmd_tree(settings *s) {
  tree t = {.s = s, .level = s->level ? s->level : FILES, .prefix = ""};
  int status;

  if (!scan_open(&t.c, s, s->arguments[0], &status))
    return status;
  t.several = (t.c.options.categories & (t.c.options.categories - 1)) != 0;
  t.utf8 = screen_is_utf8();
  t.c.options.files = t.level >= FILES;
  t.c.on_study = on_study;
  t.c.on_file = t.level >= FILES ? on_file : NULL;
  t.c.on_institute = s->json ? NULL : on_institute;
  t.last = &t.first;
  t.c.payload = &t;
  status = scan_run(&t.c);
  if (!s->json && (status == EXIT_DONE || status == EXIT_SOME_FAILED)) {
    print_leaves(&t);
    print_empty(&t);
  }
  free_begun(t.first);
  drop_leaves(&t);
  free(t.leaves);
  free(t.name);
  scan_close(&t.c);
  return status;
}

static const option tree_options[] = {
    {"level", 'L', OPTION_NUMBER, AT(level), "N", NULL,
     "show institutes (1), patients (2), studies (3), or files, too (4, the default)"},
    BELOW_OPTIONS,
    END_OF_OPTIONS};

const command tree_command = {
    "tree",
    BELOW,
    1,
    1,
    "show studies and files as a tree",
    "Prints each institute with its patients, studies and files, sorted, with numbers and\n"
    "sizes. Up to level 3 no files are listed, which takes one request for an institute instead\n"
    "of one for each study.",
    tree_options,
    true,
    cmd_tree};
