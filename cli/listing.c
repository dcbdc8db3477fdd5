/* SPDX-License-Identifier: MIT */
/* Rows of models: a table on a terminal, tab-separated when piped, JSON lines with --json.
 * listing_row picks the cells of the chosen columns from a model. Rows that are to be sorted or
 * aligned are kept in a table (table.c) until the list ends; others are printed as they come. On a
 * terminal the column with the name comes first, and ids are left out unless requested. show_model
 * prints one model with all fields. cmd_ls.c, cmd_show.c and the commands that list entities use
 * it. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "igtcloud/model.h"
#include "screen.h"
#include "table.h"

#define MAX_COLUMNS 64
/* Text of rows that are kept: a list may be as long as the server likes. What follows is neither
 * sorted nor aligned with what comes later. */
#define HELD_MOST ((size_t)64 * 1024 * 1024)

struct listing {
  const settings *s;
  column columns[MAX_COLUMNS];
  size_t count;
  bool chosen;  /* by --fields */
  bool checked; /* the fields are known to exist */
  bool on_terminal;
  char *names;            /* --fields, split */
  const char *sort_field; /* "a|b"; NULL: the name */
  bool sorted;
  bool by_number, newest; /* the largest number, the latest date first */
  table *rows;            /* NULL: they are printed as they come */
  size_t held_most;       /* bytes of rows */
  size_t printed;         /* rows */
  int64_t now;
  bool failed;
};

void listing_hold(listing *l, size_t bytes) {
  l->held_most = bytes;
}

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

bool for_people(void) {
  const char *forced = getenv("IGTCLOUD_FORCE_TTY");

  return os_is_terminal(STANDARD_OUTPUT) || (forced && *forced);
}

const char *text_of(const igt_string_field *field) {
  return field->is == IGT_SET && field->v ? field->v : "";
}

bool begin_bold(void) {
  const char *none = getenv("NO_COLOR");
  bool bold = os_is_terminal(STANDARD_OUTPUT) && !(none && *none);

  fputs(bold ? "\033[1m" : "", stdout);
  return bold;
}

void end_bold(bool bold) {
  fputs(bold ? "\033[0m" : "", stdout);
}

/* On a terminal the name comes first, as the first that one looks for. */
static void arrange(listing *l) {
  size_t n = 0;

  for (size_t i = 0; i < l->count; i++) {
    column c = l->columns[i];
    if (c.look & LOOK_ID && !l->s->ids)
      continue;
    if (c.look & LOOK_NAME) {
      memmove(l->columns + 1, l->columns, n * sizeof *l->columns);
      l->columns[0] = c;
    } else {
      l->columns[n] = c;
    }
    n++;
  }
  l->count = n;
}

/* --sort; on a terminal, lists with a name are sorted by it. False: there is no such column. */
static bool choose_order(listing *l) {
  const char *sort = l->s->sort;
  unsigned look = !sort                        ? 0
                  : strcmp(sort, "date") == 0  ? LOOK_TIME
                  : strcmp(sort, "files") == 0 ? LOOK_COUNT
                  : strcmp(sort, "size") == 0  ? LOOK_SIZE
                                               : 0;

  l->by_number = look & (LOOK_COUNT | LOOK_SIZE);
  l->newest = look == LOOK_TIME;
  for (size_t i = 0; look && i < l->count; i++)
    if (l->columns[i].look & look || (look == LOOK_SIZE && l->columns[i].is_size))
      l->sort_field = l->columns[i].field;
  if (!look || l->sort_field)
    return true;
  usage_error("--sort %s: this list has no such column%s", sort,
              look == LOOK_TIME ? "" : "; -l counts the files of studies");
  return false;
}

static bool has_name(const listing *l) {
  for (size_t i = 0; i < l->count; i++)
    if (l->columns[i].look & LOOK_NAME)
      return true;
  return false;
}

static void print_line(char *const *cells) {
  fputs(cells[0], stdout);
}

/* Rows are kept to be aligned, or to be sorted. */
static bool open_table(listing *l, bool sorted) {
  table_column columns[MAX_COLUMNS] = {{NULL}};
  bool aligned = l->on_terminal;

  if (!sorted && !aligned)
    return true;
  for (size_t i = 0; i < l->count; i++)
    columns[i] = (table_column){.title = l->columns[i].title,
                                .right = l->columns[i].is_size ||
                                         l->columns[i].look & (LOOK_COUNT | LOOK_SIZE),
                                .wide = l->columns[i].look & LOOK_WIDE};
  l->rows = table_new(columns, aligned ? l->count : 1, aligned ? NULL : print_line);
  return l->rows != NULL;
}

listing *listing_open(const settings *s, const column *columns) {
  return listing_open_by(s, columns, NULL);
}

listing *listing_open_by(const settings *s, const column *columns, const char *field) {
  listing *l = calloc(1, sizeof *l);
  bool sorted;

  if (!l) {
    complain(IGT_E_NO_MEMORY, "out of memory");
    return NULL;
  }
  l->s = s;
  l->now = (int64_t)time(NULL);
  l->held_most = HELD_MOST;
  l->on_terminal = for_people() && !s->json;
  for (; columns->title; columns++)
    l->columns[l->count++] = *columns;
  l->sort_field = field;
  sorted = field     ? true
           : s->sort ? strcmp(s->sort, "none") != 0
                     : l->on_terminal && has_name(l) && !s->fields && !s->newest;
  if (!choose_order(l)) {
    free(l);
    return NULL;
  }
  if (l->on_terminal)
    arrange(l);
  if (s->fields)
    l->count = 0;
  l->sorted = sorted;
  if ((!s->fields || choose_fields(l)) && open_table(l, sorted))
    return l;
  complain(IGT_E_NO_MEMORY, "out of memory");
  free(l->names);
  free(l);
  return NULL;
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
  char *key;   /* to sort by */
  int key_place;
  bool json;
} row;

/* Numbers and times are shown to users in their forms. */
static const char *shown_form(const listing *l, const column *c, const char *text, char *out,
                              size_t cap) {
  if (!l->on_terminal || !*text)
    return text;
  if (c->is_size || c->look & LOOK_SIZE)
    format_size(strtoull(text, NULL, 10), out, cap);
  else if (c->look & LOOK_COUNT)
    format_count(strtoull(text, NULL, 10), out, cap);
  else if (c->look & LOOK_TIME)
    format_when(text, l->now, out, cap);
  else
    return text;
  return out;
}

static void set_cell(row *r, size_t i, const char *text, int at) {
  char form[64];

  if (!r->json)
    text = shown_form(r->l, &r->l->columns[i], text, form, sizeof form);
  free(r->cells[i]);
  r->cells[i] = strdup(text);
  r->places[i] = at;
}

static void take_key(row *r, const igt_field_text *field) {
  int at = r->l->sort_field && field->is == IGT_SET ? place_in(r->l->sort_field, field->name) : -1;

  if (at < 0 || (r->key && at >= r->key_place))
    return;
  free(r->key);
  r->key = strdup(field->text);
  r->key_place = at;
}

static igt_status take_field(void *payload, const igt_field_text *field) {
  row *r = payload;

  if (field->known || field->is != IGT_ABSENT)
    fprintf(r->known, " %s", field->name);
  take_key(r, field);
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

/* The content of a row: a model, and fields of our own. */
typedef struct content {
  const igt_model *model; /* NULL: none */
  const igt_field_text *fields;
  size_t count;
} content;

static igt_status each_field(const content *c, igt_field_fn fn, void *payload) {
  igt_error err = IGT_ERROR_INIT;
  igt_status status = IGT_OK;

  if (c->model)
    status = igt_model_each_field(c->model, fn, payload, &err);
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

static void listing_print(listing *l);

static void free_row(row *r) {
  for (size_t i = 0; i < r->l->count; i++)
    free(r->cells[i]);
}

/* ---- printing ---- */

static void print_cells(const listing *l, FILE *out, char *const *cells) {
  for (size_t i = 0; i < l->count; i++) {
    if (i)
      putc('\t', out);
    put_safe(out, cells[i] ? cells[i] : "", l->on_terminal);
  }
  putc('\n', out);
}

static void print_json_cells(FILE *out, const row *r) {
  const char *comma = "";

  putc('{', out);
  for (size_t i = 0; i < r->l->count; i++) {
    if (!r->cells[i])
      continue;
    fputs(comma, out);
    json_value(out, r->l->columns[i].title);
    putc(':', out);
    print_json(out, r->cells[i]);
    comma = ",";
  }
  fputs("}\n", out);
  (void)output_failed();
}

static void print_fields(FILE *out, const content *c, const char *comma) {
  for (size_t i = 0; i < c->count; i++) {
    if (c->fields[i].is == IGT_ABSENT)
      continue;
    fputs(comma, out);
    json_value(out, c->fields[i].name);
    putc(':', out);
    print_json(out, c->fields[i].json);
    comma = ",";
  }
}

/* The model as the cloud sent it, preceded by its path, followed by fields of our own. */
static igt_status print_whole(FILE *out, const content *c, const char *path) {
  igt_text *json = NULL;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = c->model ? igt_model_encode(c->model, &json, &err) : IGT_OK;
  const char *comma = "";

  if (status != IGT_OK)
    return status;
  putc('{', out);
  if (path) {
    json_text(out, "path", path, true);
    comma = ",";
  }
  if (json && json->len > 2) {
    char *inner = strndup(json->v + 1, json->len - 2);
    fputs(comma, out);
    print_json(out, inner ? inner : "");
    comma = ",";
    free(inner);
  }
  print_fields(out, c, comma);
  fputs("}\n", out);
  (void)output_failed();
  igt_model_free(json ? &json->model : NULL);
  return IGT_OK;
}

/* The line of a row that is not aligned. */
static igt_status put_line(FILE *out, const row *r, const content *c, const char *path) {
  if (!r->json && !r->l->s->json)
    print_cells(r->l, out, r->cells);
  else if (r->l->chosen)
    print_json_cells(out, r);
  else
    return print_whole(out, c, path);
  return IGT_OK;
}

static igt_status print_now(listing *l, const row *r, const content *c, const char *path) {
  if (listing_is_full(l))
    return IGT_E_CANCELLED;
  l->printed++;
  return put_line(stdout, r, c, path);
}

/* Of a list that is too long to be kept. */
static void let_flow(listing *l) {
  bool announced = l->printed > 0;

  l->printed += table_rows(l->rows);
  if (l->sorted)
    table_sort(l->rows, l->by_number, l->newest);
  listing_print(l);
  if (!announced && l->sorted)
    message(l->s, "the list is too long to be sorted as a whole: it follows in sorted parts");
}

static igt_status keep(listing *l, row *r, const content *c, const char *path) {
  char *line = NULL, *key = r->key;
  size_t n = 0;
  igt_status status = IGT_OK;
  bool good;

  r->key = NULL;
  if (l->on_terminal) {
    good = table_add(l->rows, r->cells, key);
    memset(r->cells, 0, sizeof r->cells);
  } else {
    FILE *out = open_memstream(&line, &n);
    if (out) {
      status = put_line(out, r, c, path);
      fclose(out);
    }
    good = line && table_add(l->rows, &line, key);
  }
  if (good && table_held(l->rows) > l->held_most)
    let_flow(l);
  return good ? status : IGT_E_NO_MEMORY;
}

/* Cells are needed for a table and for --fields; not for whole models as JSON, unless to sort. */
static igt_status add_row(listing *l, const content *c, const char *path, const char *name) {
  bool whole = l->s->json && !l->chosen;
  row r = {.l = l, .json = l->s->json};
  igt_status status = whole && !l->rows ? IGT_OK : read_row(&r, c, path);

  if (status == IGT_OK && name && !l->chosen && !whole) { /* relative to the listed place */
    size_t at = l->on_terminal ? 0 : l->count - 1;
    set_cell(&r, at, name, 0);
  }
  if (!l->sort_field && l->rows)
    r.key = strdup(name ? name : path ? path : "");
  if (status != IGT_OK)
    l->failed = true;
  else
    status = l->rows ? keep(l, &r, c, path) : print_now(l, &r, c, path);
  free(r.key);
  free_row(&r);
  return status;
}

igt_status listing_row(listing *l, const igt_model *model, const char *path, const char *name) {
  const content c = {.model = model};

  return add_row(l, &c, path, name);
}

igt_status listing_row_with(listing *l, const igt_model *model, const char *path, const char *name,
                            const igt_field_text *more, size_t count) {
  const content c = {.model = model, .fields = more, .count = count};

  return add_row(l, &c, path, name);
}

igt_status listing_fields(listing *l, const igt_field_text *fields, size_t count) {
  const content c = {.fields = fields, .count = count};

  return add_row(l, &c, NULL, NULL);
}

bool listing_sorts(const listing *l) {
  return l->sorted;
}

bool listing_is_full(const listing *l) {
  return l->s->limit && !l->rows && l->printed >= (size_t)l->s->limit;
}

static void listing_print(listing *l) {
  unsigned rows, columns = 0;

  if (l->on_terminal)
    screen_size(STANDARD_OUTPUT, &rows, &columns);
  table_print(l->rows, l->s->limit ? (size_t)l->s->limit : SIZE_MAX, columns);
}

int listing_close(listing *l, int exit_status) {
  if (!l)
    return EXIT_FAILED;
  if (l->rows && !l->failed) {
    if (l->sorted)
      table_sort(l->rows, l->by_number, l->newest);
    listing_print(l);
  }
  table_free(l->rows);
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
