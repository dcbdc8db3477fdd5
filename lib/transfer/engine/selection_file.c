/* SPDX-License-Identifier: MIT */
/* Reads a file that lists studies (studies_from). Its first line with content decides what it is:
 * a header with the column studyDatabaseId or studyIdHumanReadable makes it a CSV, as igt_csv()
 * writes it and spreadsheets save it again (separated by commas, semicolons or tabs); anything else
 * a list with a study on each line, unless the file is called a CSV and has other columns. Of a
 * CSV's rows the id counts, and the name where there is no id; the institutes that its rows name
 * are the only ones that have to be listed. */
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "transfer/engine/selection.h"

#define NO_COLUMN SIZE_MAX

typedef struct reader {
  igt__selection *selection;
  const char *at, *end;
  unsigned line;               /* of at */
  unsigned row_line;           /* where the row begins */
  char separator;              /* of the columns */
  size_t id, human, institute; /* columns; NO_COLUMN: the file has none */
  bool all_institutes;         /* each row named its institute */
  igt__buf fields[3];          /* of the row: id, human, institute */
} reader;

/* ---- lines ---- */

/* The line at r->at without its end, and the blanks around it. */
static const char *take_line(reader *r, size_t *n) {
  const char *start = r->at, *stop = memchr(start, '\n', (size_t)(r->end - start));

  r->at = stop ? stop + 1 : r->end;
  stop = stop ? stop : r->end;
  r->row_line = r->line++;
  while (stop > start && strchr(" \t\r", stop[-1]))
    stop--;
  while (start < stop && strchr(" \t", *start))
    start++;
  *n = (size_t)(stop - start);
  return start;
}

static bool read_list(reader *r) {
  while (r->at < r->end) {
    size_t n;
    const char *text = take_line(r, &n);
    if (n && *text != '#' && !igt__selection_add(r->selection, text, n, NULL, r->row_line, false))
      return false;
  }
  return true;
}

/* ---- rows of a CSV ---- */

static igt__buf *buffer_of(reader *r, size_t column) {
  return column == r->id          ? &r->fields[0]
         : column == r->human     ? &r->fields[1]
         : column == r->institute ? &r->fields[2]
                                  : NULL;
}

static void take_byte(reader *r, igt__buf *out) {
  r->line += *r->at == '\n';
  if (out)
    igt__buf_putc(out, *r->at);
  r->at++;
}

/* RFC 4180: in quotes, "" is a quote; line ends are content. */
static void take_quoted(reader *r, igt__buf *out) {
  r->at++;
  while (r->at < r->end) {
    if (*r->at == '"' && !(r->at + 1 < r->end && r->at[1] == '"'))
      break;
    r->at += *r->at == '"';
    take_byte(r, out);
  }
  r->at += r->at < r->end;
}

static void take_field(reader *r, igt__buf *out) {
  if (r->at < r->end && *r->at == '"')
    take_quoted(r, out);
  while (r->at < r->end && *r->at != r->separator && *r->at != '\n') {
    bool is_end = *r->at == '\r' && (r->at + 1 == r->end || r->at[1] == '\n');
    take_byte(r, is_end ? NULL : out);
  }
}

static void take_row(reader *r) {
  r->row_line = r->line;
  for (size_t i = 0; i < 3; i++)
    igt__buf_clear(&r->fields[i]);
  for (size_t column = 0; r->at < r->end; column++) {
    take_field(r, buffer_of(r, column));
    if (r->at < r->end && *r->at == r->separator) {
      r->at++;
      continue;
    }
    if (r->at < r->end)
      take_byte(r, NULL);
    return;
  }
}

static bool note_institute(reader *r, const igt__buf *institute) {
  igt__selection *s = r->selection;

  if (institute->len == 0)
    r->all_institutes = false;
  if (institute->len == 0 || igt__map_has(s->institutes, institute->data))
    return true;
  return igt__map_set(s->institutes, institute->data, s);
}

static bool add_row(reader *r) {
  const igt__buf *id = &r->fields[0], *human = &r->fields[1];
  const igt__buf *text = id->len ? id : human;

  if (id->failed || human->failed || r->fields[2].failed)
    return false;
  if (text->len == 0)
    return true;
  return note_institute(r, &r->fields[2]) &&
         igt__selection_add(r->selection, text->data, text->len, human->len ? human->data : NULL,
                            r->row_line, id->len > 0);
}

static bool read_rows(reader *r) {
  bool good = true;

  while (r->at < r->end && good) {
    take_row(r);
    good = add_row(r);
  }
  return good;
}

/* ---- what the file is ---- */

static bool is_column(const char *name, size_t n, const char *wanted) {
  if (n > 1 && name[0] == '"' && name[n - 1] == '"') {
    name++;
    n -= 2;
  }
  return n == strlen(wanted) && memcmp(name, wanted, n) == 0;
}

/* Whether the line is the header of a CSV with this separator. */
static bool is_header(reader *r, const char *line, size_t n, char separator) {
  const char *end = line + n;

  r->separator = separator;
  r->id = r->human = r->institute = NO_COLUMN;
  for (size_t column = 0; line <= end; column++) {
    const char *stop = memchr(line, separator, (size_t)(end - line));
    size_t length = (size_t)((stop ? stop : end) - line);
    if (is_column(line, length, "studyDatabaseId"))
      r->id = column;
    else if (is_column(line, length, "studyIdHumanReadable"))
      r->human = column;
    else if (is_column(line, length, "instituteId"))
      r->institute = column;
    line += length + 1;
  }
  return r->id != NO_COLUMN || r->human != NO_COLUMN;
}

/* A file that is called a CSV, and whose first line has columns without a known one: they would be
 * looked for as a study. In other files a separator may be part of a patient's name. */
static igt_status check_columns(const reader *r, const char *path, igt_error *err) {
  const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at)), *dot = strrchr(path, '.');
  const char *end = stop ? stop : r->end, *at = r->at;
  bool is_csv = dot && (strcasecmp(dot, ".csv") == 0 || strcasecmp(dot, ".tsv") == 0);

  while (at < end && *at != ',' && *at != ';' && *at != '\t')
    at++;
  if (!is_csv || at == end)
    return IGT_OK;
  return igt__fail(err, IGT_E_PARSE,
                   "'%s', line %u: a CSV needs the column 'studyDatabaseId' or "
                   "'studyIdHumanReadable', which `igtcloud csv` writes; a list of studies, one a "
                   "line, needs a name that does not end in %s",
                   path, r->line, dot);
}

/* Skips blank lines and comments; the first other one is left to be read, unless it is a header. */
static bool find_header(reader *r) {
  while (r->at < r->end) {
    const char *start = r->at;
    size_t n;
    const char *line = take_line(r, &n);
    if (n == 0 || *line == '#')
      continue;
    if (is_header(r, line, n, ',') || is_header(r, line, n, ';') || is_header(r, line, n, '\t'))
      return true;
    r->at = start;
    r->line--;
    return false;
  }
  return false;
}

static bool read_csv(reader *r) {
  igt__selection *s = r->selection;
  bool good;

  if (!s->institutes && !(s->institutes = igt__map_new()))
    return false;
  good = read_rows(r);
  /* Entries of other sources may be in any institute. */
  if (!r->all_institutes || r->institute == NO_COLUMN || s->options.study_count) {
    igt__map_free(s->institutes);
    s->institutes = NULL;
  }
  return good;
}

igt_status igt__selection_read(igt__selection *selection, const char *text, size_t n,
                               const char *path, igt_error *err) {
  reader r = {
      .selection = selection, .at = text, .end = text + n, .line = 1, .all_institutes = true};
  bool good;

  if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
    r.at += 3;
  if (memchr(text, '\0', n))
    return igt__fail(err, IGT_E_PARSE, "'%s' is not a list of studies: it is not text (UTF-8)",
                     path);
  for (size_t i = 0; i < 3; i++)
    igt__buf_init(&r.fields[i], IGT__MAX_JSON_ELEMENT);
  bool is_csv = find_header(&r);
  igt_status status = is_csv ? IGT_OK : check_columns(&r, path, err);
  good = status != IGT_OK || (is_csv ? read_csv(&r) : read_list(&r));
  for (size_t i = 0; i < 3; i++)
    igt__buf_finish(&r.fields[i]);
  return good ? status : igt__fail_memory(err);
}
