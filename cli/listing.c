/* SPDX-License-Identifier: MIT */
/* Rows of models: a table on a terminal, tab-separated when piped, JSON lines with --json.
 * listing_row picks the cells of the chosen columns from a model; on a terminal the first rows are
 * buffered to find the columns' widths, and the rest is printed as it comes. show_model prints one
 * model with all fields. cmd_ls.c, cmd_show.c and the commands that list entities use it. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "igtcloud/model.h"

#define MAX_COLUMNS 64
/* Rows buffered to find the columns' widths; a longer list continues with those widths. */
#define HELD_ROWS 500
/* Or this much text: a name may be as long as the server likes. */
#define HELD_BYTES ((size_t)4 * 1024 * 1024)

struct listing {
  const settings *s;
  column columns[MAX_COLUMNS];
  size_t count;
  bool chosen;  /* by --fields */
  bool checked; /* the fields are known to exist */
  bool on_terminal;
  char *names; /* --fields, split */
  char **held; /* cells of the buffered rows, row by row */
  size_t held_rows, held_bytes, widths[MAX_COLUMNS];
  bool flowing; /* the buffered rows are printed */
  bool failed;
};

/* ---- choosing columns ---- */

static bool choose_fields(listing *l) {
  if (!(l->names = strdup(l->s->fields)))
    return false;
  for (char *name = l->names, *end; name && l->count < MAX_COLUMNS; name = end) {
    end = strchr(name, ',');
    if (end)
      *end++ = '\0';
    if (*name)
      l->columns[l->count++] = (column){name, name, false};
  }
  l->chosen = true;
  return true;
}

static bool for_people(void) {
  const char *forced = getenv("IGTCLOUD_FORCE_TTY");

  return isatty(STDOUT_FILENO) || (forced && *forced);
}

listing *listing_open(const settings *s, const column *columns) {
  listing *l = calloc(1, sizeof *l);

  if (l) {
    l->s = s;
    l->on_terminal = for_people() && !s->json;
    for (; columns->title; columns++)
      l->columns[l->count++] = *columns;
    if (s->fields) {
      l->count = 0;
      if (!choose_fields(l)) {
        free(l);
        l = NULL;
      }
    }
  }
  if (!l)
    complain("out of memory");
  return l;
}

/* ---- a row's cells ---- */

/* The index of a field in "a|b"; -1: not one of them. */
static int place_in(const char *wanted, const char *name) {
  size_t n = strlen(name);
  int i = 0;

  for (const char *p = wanted; p; p = strchr(p, '|'), p = p ? p + 1 : NULL, i++)
    if (strncmp(p, name, n) == 0 && (p[n] == '\0' || p[n] == '|'))
      return i;
  return -1;
}

typedef struct row {
  listing *l;
  char *cells[MAX_COLUMNS];
  int places[MAX_COLUMNS]; /* of the fields from which the cells came */
  bool exists[MAX_COLUMNS];
  FILE *known; /* names, for the message about an unknown one */
  bool json;
} row;

static void set_cell(row *r, size_t i, const char *text, int at) {
  char size[32];

  if (r->l->columns[i].is_size && r->l->on_terminal && !r->json && *text) {
    format_size(strtoull(text, NULL, 10), size, sizeof size);
    text = size;
  }
  free(r->cells[i]);
  r->cells[i] = strdup(text);
  r->places[i] = at;
}

static igt_status take_field(void *payload, const igt_field_text *field) {
  row *r = payload;

  if (field->known || field->is != IGT_ABSENT)
    fprintf(r->known, " %s", field->name);
  for (size_t i = 0; i < r->l->count; i++) {
    int at = place_in(r->l->columns[i].field, field->name);
    if (at < 0)
      continue;
    r->exists[i] = true;
    if (field->is == IGT_ABSENT || (!r->json && field->is != IGT_SET))
      continue;
    if (!r->cells[i] || at < r->places[i])
      set_cell(r, i, r->json ? field->json : field->text, at);
  }
  return IGT_OK;
}

/* "path" is our own field: the entity's place, as this command line names it. */
static void take_path(row *r, const char *path) {
  FILE *out;
  char *text = NULL;
  size_t n = 0;

  for (size_t i = 0; path && i < r->l->count; i++) {
    if (strcmp(r->l->columns[i].field, "path") != 0)
      continue;
    r->exists[i] = true;
    if (!r->json) {
      set_cell(r, i, path, 0);
    } else if ((out = open_memstream(&text, &n)) != NULL) {
      json_value(out, path);
      fclose(out);
      set_cell(r, i, text, 0);
      free(text);
    }
  }
}

static igt_status check_fields(listing *l, const row *r, const char *known, const char *path) {
  for (size_t i = 0; l->chosen && !l->checked && i < l->count; i++)
    if (!r->exists[i]) {
      usage_error("--fields: unknown field '%s'; the fields are%s%s", l->columns[i].field,
                  path ? " path" : "", known);
      return IGT_E_INVALID;
    }
  l->checked = true;
  return IGT_OK;
}

/* The content of a row: a model, or fields of our own. */
typedef struct content {
  const igt_model *model;
  const igt_field_text *fields;
  size_t count;
} content;

static igt_status each_field(const content *c, igt_field_fn fn, void *payload) {
  igt_error err = IGT_ERROR_INIT;
  igt_status status = IGT_OK;

  if (c->model)
    return igt_model_each_field(c->model, fn, payload, &err);
  for (size_t i = 0; i < c->count && status == IGT_OK; i++)
    status = fn(payload, &c->fields[i]);
  return status;
}

static igt_status read_row(row *r, const content *c, const char *path) {
  char *known = NULL;
  size_t n = 0;
  igt_status status;

  r->known = open_memstream(&known, &n);
  if (!r->known)
    return IGT_E_NO_MEMORY;
  status = each_field(c, take_field, r);
  fclose(r->known);
  if (status == IGT_OK) {
    take_path(r, path);
    status = check_fields(r->l, r, known, path);
  }
  free(known);
  return status;
}

static void free_row(row *r) {
  for (size_t i = 0; i < r->l->count; i++)
    free(r->cells[i]);
}

/* ---- printing ---- */

static void print_cells(const listing *l, char *const *cells) {
  for (size_t i = 0; i < l->count; i++) {
    const char *text = cells[i] ? cells[i] : "";
    size_t pad =
        l->on_terminal && l->widths[i] > width_of(text) ? l->widths[i] - width_of(text) : 0;
    if (i)
      printf(l->on_terminal ? "  " : "\t");
    if (l->columns[i].is_size)
      printf("%*s", (int)pad, "");
    print_safe(stdout, text);
    if (!l->columns[i].is_size && i + 1 < l->count)
      printf("%*s", (int)pad, "");
  }
  putchar('\n');
}

static void print_title(const listing *l) {
  const char *none = getenv("NO_COLOR");
  bool bold = isatty(STDOUT_FILENO) && !(none && *none);
  char *titles[MAX_COLUMNS];

  for (size_t i = 0; i < l->count; i++)
    titles[i] = (char *)(size_t)l->columns[i].title;
  if (bold)
    printf("\033[1m");
  print_cells(l, titles);
  if (bold)
    printf("\033[0m");
}

static void flush_held(listing *l) {
  for (size_t i = 0; i < l->count; i++) {
    l->widths[i] = width_of(l->columns[i].title);
    for (size_t k = 0; k < l->held_rows; k++) {
      const char *text = l->held[k * l->count + i];
      size_t width = text ? width_of(text) : 0;
      if (width > l->widths[i])
        l->widths[i] = width;
    }
  }
  if (l->held_rows)
    print_title(l);
  for (size_t k = 0; k < l->held_rows; k++) {
    print_cells(l, l->held + k * l->count);
    for (size_t i = 0; i < l->count; i++)
      free(l->held[k * l->count + i]);
  }
  free(l->held);
  l->held = NULL;
  l->flowing = true;
}

/* Takes ownership of the cells. */
static igt_status hold(listing *l, row *r) {
  if (!l->held && !(l->held = calloc(HELD_ROWS * l->count + 1, sizeof *l->held)))
    return IGT_E_NO_MEMORY;
  for (size_t i = 0; i < l->count; i++)
    l->held_bytes += r->cells[i] ? strlen(r->cells[i]) : 0;
  memcpy(l->held + l->held_rows * l->count, r->cells, l->count * sizeof *l->held);
  memset(r->cells, 0, sizeof r->cells);
  if (++l->held_rows == HELD_ROWS || l->held_bytes > HELD_BYTES)
    flush_held(l);
  return IGT_OK;
}

static void print_json_cells(const row *r) {
  printf("{");
  for (size_t i = 0, n = 0; i < r->l->count; i++) {
    if (!r->cells[i])
      continue;
    if (n++)
      putchar(',');
    json_value(stdout, r->l->columns[i].title);
    putchar(':');
    print_json(stdout, r->cells[i]);
  }
  printf("}\n");
}

/* The model as the cloud sent it, preceded by its path. */
static igt_status print_whole(const igt_model *model, const char *path) {
  igt_text *json = NULL;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt_model_encode(model, &json, &err);

  if (status != IGT_OK)
    return status;
  printf("{");
  if (path) {
    printf("\"path\":");
    json_value(stdout, path);
  }
  if (path && json->len > 2)
    putchar(',');
  print_json(stdout, json->v + 1);
  putchar('\n');
  igt_model_free(&json->model);
  return IGT_OK;
}

static igt_status add_row(listing *l, const content *c, const char *path, const char *name) {
  row r = {.l = l, .json = l->s->json};
  igt_status status = read_row(&r, c, path);

  if (status == IGT_OK && name && !l->chosen) /* relative to the listed place, not to the top */
    set_cell(&r, l->count - 1, name, 0);
  if (status != IGT_OK)
    l->failed = true;
  else if (r.json)
    print_json_cells(&r);
  else if (l->on_terminal && !l->flowing)
    status = hold(l, &r);
  else
    print_cells(l, r.cells);
  free_row(&r);
  return status;
}

igt_status listing_row(listing *l, const igt_model *model, const char *path, const char *name) {
  const content c = {.model = model};

  return l->s->json && !l->chosen ? print_whole(model, path) : add_row(l, &c, path, name);
}

static void print_fields(const igt_field_text *fields, size_t count) {
  const char *comma = "";

  putchar('{');
  for (size_t i = 0; i < count; i++) {
    if (fields[i].is == IGT_ABSENT)
      continue;
    fputs(comma, stdout);
    json_value(stdout, fields[i].name);
    putchar(':');
    print_json(stdout, fields[i].json);
    comma = ",";
  }
  puts("}");
}

igt_status listing_fields(listing *l, const igt_field_text *fields, size_t count) {
  const content c = {.fields = fields, .count = count};

  if (!l->s->json || l->chosen)
    return add_row(l, &c, NULL, NULL);
  print_fields(fields, count);
  return IGT_OK;
}

int listing_close(listing *l, int exit_status) {
  if (!l)
    return EXIT_FAILED;
  if (l->on_terminal && !l->flowing && !l->failed)
    flush_held(l);
  free(l->held);
  free(l->names);
  free(l);
  return exit_status;
}

/* ---- one model ---- */

typedef struct showing {
  bool on_terminal;
  size_t width;
  bool measuring;
} showing;

static igt_status show_field(void *payload, const igt_field_text *field) {
  showing *show = payload;

  if (field->is == IGT_ABSENT)
    return IGT_OK;
  if (show->measuring) {
    size_t width = width_of(field->name);
    show->width = width > show->width ? width : show->width;
    return IGT_OK;
  }
  print_safe(stdout, field->name);
  if (show->on_terminal)
    printf("%*s", (int)(show->width - width_of(field->name) + 2), "");
  else
    putchar('\t');
  print_safe(stdout, field->text);
  putchar('\n');
  return IGT_OK;
}

int show_model(const settings *s, const igt_model *model, const char *path) {
  static const column none[] = {{NULL, NULL, false}};
  showing show = {.on_terminal = for_people(), .measuring = true};
  igt_error err = IGT_ERROR_INIT;

  if (s->fields || s->json) {
    listing *l = listing_open(s, none);
    igt_status status = l ? listing_row(l, model, path, NULL) : IGT_E_NO_MEMORY;
    return listing_close(l, exit_status_of(status));
  }
  if (igt_model_each_field(model, show_field, &show, &err) != IGT_OK)
    return fail(&err);
  show.measuring = false;
  if (igt_model_each_field(model, show_field, &show, &err) != IGT_OK)
    return fail(&err);
  return EXIT_DONE;
}
