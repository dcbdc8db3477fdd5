/* SPDX-License-Identifier: MIT */
/* The du command: files and bytes below a place, summed up by institute, patient, study or type.
 * The groups are kept in a hash table in memory, one small entry each; files are only counted as
 * they pass. One request lists the files of one study, as for `igtcloud csv --files`. main.c calls
 * it through du_command. */
#include <stdlib.h>
#include <string.h>

#include "scan.h"
#include "transfer_options.h"

typedef enum grouping { BY_INSTITUTE, BY_PATIENT, BY_STUDY, BY_TYPE } grouping;

static const char *const words[] = {"institute", "patient", "study", "type"};

/* An institute whose studies were seen: patients of two institutes may have the same name. */
typedef struct institute {
  struct institute *next;
  char *id, *name;
} institute;

typedef struct group {
  struct group *next; /* of the same hash */
  uint64_t files, bytes, studies, incomplete;
  const institute *institute; /* of a study or patient; NULL: any */
  char name[];
} group;

typedef struct usage {
  scan c;
  const settings *s;
  grouping by;
  group **table; /* by hash; its size is a power of two */
  size_t capacity, count;
  group *total;
  institute *institutes; /* the current one first */
} usage;

/* ---- groups ---- */

static size_t hash_of(const char *name, const institute *of) {
  size_t h = (size_t)of ^ 14695981039346656037u; /* FNV-1a */

  for (; *name; name++)
    h = (h ^ (unsigned char)*name) * 1099511628211u;
  return h ^ h >> 29;
}

static bool grow(usage *u) {
  size_t capacity = u->capacity ? u->capacity * 2 : 64;
  group **table = calloc(capacity, sizeof(group *));

  if (!table)
    return false;
  for (size_t i = 0; i < u->capacity; i++)
    for (group *g = u->table[i], *next; g; g = next) {
      group **slot = &table[hash_of(g->name, g->institute) & (capacity - 1)];
      next = g->next;
      g->next = *slot;
      *slot = g;
    }
  free(u->table);
  u->table = table;
  u->capacity = capacity;
  return true;
}

/* The group of this name, new if there is none. NULL: no memory. */
static group *find_group(usage *u, const institute *of, const char *name) {
  group *g, **slot;

  if (u->count >= u->capacity && !grow(u))
    return NULL;
  slot = &u->table[hash_of(name, of) & (u->capacity - 1)];
  for (g = *slot; g; g = g->next)
    if (g->institute == of && strcmp(g->name, name) == 0)
      return g;
  if (!(g = calloc(1, sizeof *g + strlen(name) + 1)))
    return NULL;
  g->institute = of;
  memcpy(g->name, name, strlen(name) + 1);
  g->next = *slot;
  *slot = g;
  u->count++;
  return g;
}

/* NULL: no memory. */
static const institute *find_institute(usage *u, const igt_institute *of) {
  const char *id = text_of(&of->id);
  institute *i = u->institutes;

  while (i && strcmp(i->id, id) != 0)
    i = i->next;
  if (i)
    return i;
  if (!(i = calloc(1, sizeof *i)))
    return NULL;
  i->next = u->institutes;
  u->institutes = i;
  i->id = strdup(id);
  i->name = strdup(text_of(&of->name));
  return i->id && i->name ? i : NULL;
}

static void free_groups(usage *u) {
  for (institute *i = u->institutes, *next; i; i = next) {
    next = i->next;
    free(i->id);
    free(i->name);
    free(i);
  }
  for (size_t i = 0; i < u->capacity; i++)
    for (group *g = u->table[i], *next; g; g = next) {
      next = g->next;
      free(g);
    }
  free(u->table);
  free(u->total);
}

/* ---- counting ---- */

static group *group_of(usage *u, const igt_listed_study *study) {
  size_t n = u->by == BY_PATIENT ? patient_length(study->name) : 0;
  const institute *of;
  char *name;
  group *g;

  if (u->by == BY_TYPE)
    return u->total;
  if (!study->institute)
    return find_group(u, NULL, "");
  if (!(of = find_institute(u, study->institute)))
    return NULL;
  if (u->by == BY_INSTITUTE)
    return find_group(u, of, "");
  name = strndup(study->name, n ? n : strlen(study->name));
  g = name ? find_group(u, of, name) : NULL;
  free(name);
  return g;
}

static void add_study(group *g, const igt_listed_study *study) {
  g->studies += study->study != NULL;
  g->files += study->files;
  g->bytes += study->bytes;
  g->incomplete += study->files_incomplete;
}

static igt_status on_study(void *payload, const igt_listed_study *study) {
  usage *u = payload;
  group *g = group_of(u, study);

  if (!g)
    return IGT_E_NO_MEMORY;
  if (g != u->total)
    add_study(g, study);
  add_study(u->total, study);
  return IGT_OK;
}

static igt_status on_file(void *payload, const igt_listed_study *study,
                          const igt_listed_file *file) {
  usage *u = payload;
  group *g = find_group(u, NULL, file->type);

  (void)study;
  if (!g)
    return IGT_E_NO_MEMORY;
  g->files++;
  g->bytes += file->size > 0 ? (uint64_t)file->size : 0;
  g->incomplete += !file->is_complete;
  return IGT_OK;
}

/* One without studies is a line, too. */
static igt_status on_institute(void *payload, const igt_institute *listed) {
  usage *u = payload;
  const institute *of = find_institute(u, listed);

  return of && find_group(u, of, "") ? IGT_OK : IGT_E_NO_MEMORY;
}

/* ---- output ---- */

static int by_name(const void *a, const void *b) {
  const group *x = *(group *const *)a, *y = *(group *const *)b;
  int order =
      x->institute && y->institute ? compare_names(x->institute->name, y->institute->name) : 0;

  return order ? order : compare_names(x->name, y->name);
}

/* The largest first. */
static int by_size(const void *a, const void *b) {
  const group *x = *(group *const *)a, *y = *(group *const *)b;

  return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : by_name(a, b);
}

static void print_as_json(const usage *u, const group *g) {
  bool is_total = g == u->total;

  printf("{");
  json_text(stdout, "kind", is_total ? "total" : words[u->by], true);
  if (g->institute)
    json_text(stdout, "institute", g->institute->name, false);
  if (!is_total && u->by != BY_INSTITUTE)
    json_text(stdout, words[u->by], g->name, false);
  printf(",\"bytes\":%llu,\"files\":%llu", (unsigned long long)g->bytes,
         (unsigned long long)g->files);
  if (is_total || u->by != BY_TYPE)
    printf(",\"studies\":%llu", (unsigned long long)g->studies);
  printf(",\"filesIncomplete\":%llu}\n", (unsigned long long)g->incomplete);
}

/* What a group is called: with its institute where several are listed. */
static void put_name(const usage *u, const group *g, FILE *out) {
  bool with_institute = g->institute && (u->by == BY_INSTITUTE ||
                                         igt_node_kind_of(u->c.options.below) == IGT_NODE_PROJECT);

  if (g == u->total)
    fputs("total", out);
  if (with_institute)
    print_safe(out, g->institute->name);
  if (with_institute && *g->name)
    putc('/', out);
  print_safe(out, g->name);
  if (for_people() && g != u->total && !*g->name && !with_institute)
    fputs(u->by == BY_TYPE ? "(no type)" : "(project files)", out);
}

static void print_row(const usage *u, const group *g) {
  char size[32], files[32], studies[32];

  if (for_people()) {
    format_size(g->bytes, size, sizeof size);
    format_count(g->files, files, sizeof files);
    format_count(g->studies, studies, sizeof studies);
    printf("%11s  %12s  ", size, files);
    if (u->by != BY_TYPE) /* a study has files of several types */
      printf("%9s  ", studies);
  } else {
    printf("%llu\t%llu\t%llu\t", (unsigned long long)g->bytes, (unsigned long long)g->files,
           (unsigned long long)g->studies);
  }
  put_name(u, g, stdout);
  putchar('\n');
}

static void print_one(const usage *u, const group *g) {
  if (u->s->json)
    print_as_json(u, g);
  else
    print_row(u, g);
  (void)output_failed();
}

static void print_title(const usage *u) {
  static const char *const titles[] = {"INSTITUTE", "PATIENT", "STUDY", "TYPE"};
  bool bold = begin_bold();

  printf("%11s  %12s  ", "SIZE", "FILES");
  if (u->by != BY_TYPE)
    printf("%9s  ", "STUDIES");
  printf("%s\n", titles[u->by]);
  end_bold(bold);
}

static int print_groups(const usage *u) {
  group **sorted = calloc(u->count + 1, sizeof *sorted);
  size_t n = 0, most = u->s->top ? (size_t)u->s->top : SIZE_MAX;
  bool by_names = u->s->sort && strcmp(u->s->sort, "name") == 0;

  if (!sorted) {
    complain(IGT_E_NO_MEMORY, "out of memory");
    return EXIT_FAILED;
  }
  for (size_t i = 0; i < u->capacity; i++)
    for (group *g = u->table[i]; g; g = g->next)
      sorted[n++] = g;
  qsort(sorted, n, sizeof *sorted, by_names ? by_name : by_size);
  if (for_people() && !u->s->json)
    print_title(u);
  for (size_t i = 0; i < n && i < most; i++)
    print_one(u, sorted[i]);
  print_one(u, u->total);
  free(sorted);
  return EXIT_DONE;
}

/* ---- the command ---- */

static grouping choose(const usage *u) {
  igt_node_kind kind = igt_node_kind_of(u->c.options.below);

  for (size_t i = 0; u->s->by && i < sizeof words / sizeof *words; i++)
    if (strcmp(u->s->by, words[i]) == 0)
      return (grouping)i;
  return kind == IGT_NODE_STUDY || u->s->project_files ? BY_TYPE
         : kind == IGT_NODE_INSTITUTE                  ? *u->c.patient ? BY_STUDY : BY_PATIENT
                                                       : BY_INSTITUTE;
}

static int cmd_du(settings *s) {
  usage u = {.s = s};
  int status, printed;

  if (!scan_open(&u.c, s, s->arguments[0], &status))
    return status;
  u.by = choose(&u);
  u.total = calloc(1, sizeof *u.total + 1);
  u.c.on_study = on_study;
  u.c.on_file = u.by == BY_TYPE ? on_file : NULL;
  u.c.on_institute = u.by == BY_INSTITUTE ? on_institute : NULL;
  u.c.payload = &u;
  status = u.total ? scan_run(&u.c) : EXIT_FAILED;
  if (u.total && (status == EXIT_DONE || status == EXIT_SOME_FAILED)) {
    printed = print_groups(&u);
    status = status == EXIT_DONE ? printed : status;
  }
  free_groups(&u);
  scan_close(&u.c);
  return status;
}

static const option du_options[] = {
    {"by", 0, OPTION_TEXT, AT(by), "GROUP", "institute|patient|study|type",
     "what to sum by (default: what is directly below the place)"},
    {"sort", 0, OPTION_TEXT, AT(sort), "ORDER", "size|name",
     "the largest first (default), or by name"},
    {"top", 0, OPTION_NUMBER, AT(top), "N", NULL, "only the first N lines, and the total"},
    BELOW_OPTIONS,
    END_OF_OPTIONS};

const command du_command = {
    "du",
    BELOW,
    1,
    1,
    "sum up files and bytes",
    "Prints the number of files and bytes of a project by institute, of an institute by\n"
    "patient, of a patient by study, or of a study by type of file. The last line is the\n"
    "total. DICOM and annotations count only if their category is selected.\n"
    "\n"
    "Prints a table on a terminal, otherwise lines of bytes, files, studies and name,\n"
    "separated by tabs.",
    du_options,
    true,
    cmd_du};
