/* SPDX-License-Identifier: MIT */
/* The options that choose files: --filter-from and --files-from read lists of rules and names from
 * files, the others limit sizes and ages. take_filters turns them into the library's igt_filters
 * for download, upload, verify, csv and manifest. The lists stay in memory until the program ends,
 * since the library borrows them during the run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transfer_options.h"

#define MAX_LINES 1000000 /* some 100 MB; a longer list is a manifest */

typedef struct lines {
  const char **v;
  size_t count, cap;
} lines;

#define MAX_LINE 65536 /* longer than any path: the file is not a list */

/* ---- numbers ---- */

bool parse_duration(const char *name, const char *text, int64_t *seconds) {
  static const struct {
    char unit;
    int64_t seconds;
  } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
  char *end;
  long long n = strtoll(text, &end, 10);

  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    bool ends = !*end || !end[1];
    if (end > text && *text >= '0' && *text <= '9' && ends && *end == units[i].unit &&
        n <= 1000000) {
      *seconds = n * units[i].seconds;
      return true;
    }
  }
  usage_error("--%s '%s' is not a duration such as 90s, 10m, 2h, 1d or 4w", name, text);
  return false;
}

/* "500k", "20M", "1.5G", or bytes, as --bwlimit takes them. */
static bool take_size(const char *name, const char *text, uint64_t *size) {
  if (parse_size(text, size))
    return true;
  usage_error("--%s '%s' is not a size such as 512, 500k, 20M or 1.5G", name, text);
  return false;
}

/* ---- lists ---- */

/* Takes over line. False: out of memory, or too many lines; reported. */
static bool add_line(lines *list, const char *path, char *line) {
  if (list->count == list->cap) {
    size_t cap = list->cap ? list->cap * 2 : 64;
    const char **v = list->count < MAX_LINES ? realloc((void *)list->v, cap * sizeof *v) : NULL;
    if (!v) {
      if (list->count < MAX_LINES)
        complain(IGT_E_NO_MEMORY, "out of memory");
      else
        complain(IGT_E_LIMIT, "'%s' has more than %d lines", path, MAX_LINES);
      free(line);
      return false;
    }
    list->v = v;
    list->cap = cap;
  }
  list->v[list->count++] = line;
  return true;
}

/* *keep: the line is a rule; blank lines and comments are not. False: a usage error. */
static bool check_rule(const char *path, size_t number, char *line, bool *keep) {
  size_t n = strlen(line), blank = strspn(line, " \t");

  while (n > blank && (line[n - 1] == ' ' || line[n - 1] == '\t'))
    line[--n] = '\0';
  memmove(line, line + blank, n - blank + 1);
  *keep = *line && *line != '#' && *line != ';';
  if (!*keep || ((*line == '+' || *line == '-') && line[1] == ' ' && line[2]))
    return true;
  usage_error("%s, line %zu: '%.200s' is neither '+ GLOB', '- GLOB' nor a comment", path, number,
              line);
  return false;
}

/* One line without its end; it is freed or becomes part of the list. */
static bool take_line(lines *list, const char *path, size_t number, char *line, size_t n,
                      bool are_rules) {
  bool keep = true, good = true;

  if (strlen(line) != n) {
    usage_error("%s, line %zu: it contains a NUL byte, so the file is not text", path, number);
    good = false;
  } else {
    line[strcspn(line, "\r\n")] = '\0';
    keep = *line != '\0';
    good = !are_rules || check_rule(path, number, line, &keep);
  }
  if (good && keep)
    return add_line(list, path, line);
  free(line);
  return good;
}

/* As getline, of which no more than MAX_LINE bytes are kept: a device or a file without line ends
 * must not fill the memory. *line: to be freed. 0: the end, or an error, see ferror. */
static size_t read_line(FILE *in, char **line) {
  size_t cap = 0, n = 0;
  int c = 0;

  *line = NULL;
  while (c != '\n' && n < MAX_LINE && (c = getc(in)) != EOF) {
    if (n + 1 >= cap) {
      char *more = realloc(*line, cap = cap ? 2 * cap : 128);
      if (!more)
        return MAX_LINE;
      *line = more;
    }
    (*line)[n++] = (char)c;
  }
  if (n)
    (*line)[n] = '\0';
  return n;
}

static bool read_lines(FILE *in, const char *path, bool are_rules, lines *list) {
  size_t number = 0, n;
  bool good = true;
  char *line;

  while (good && (n = read_line(in, &line)) > 0) {
    if (n == MAX_LINE) {
      free(line);
      return usage_error("%s, line %zu: it is longer than %d bytes, so the file is not a list",
                         path, number + 1, MAX_LINE),
             false;
    }
    if (number == 0 && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) /* UTF-8's mark */
      memmove(line, line + 3, (n -= 3) + 1);
    good = take_line(list, path, ++number, line, n, are_rules);
  }
  if (good && ferror(in)) {
    complain(IGT_E_IO, "cannot read '%s': %s", path, strerror(errno));
    return false;
  }
  return good;
}

/* Before anything is read: a mistake must not cost the input. */
static bool take_inputs(const settings *s, const char *name, const texts *paths) {
  for (size_t i = 0; i < paths->count; i++)
    if (strcmp(paths->v[i], "-") == 0 && !take_input(s, name))
      return false;
  return true;
}

static bool read_lists(const char *name, const texts *paths, bool are_rules, lines *list) {
  for (size_t i = 0; i < paths->count; i++) {
    const char *path = paths->v[i], *why;
    FILE *in;
    if (!(in = open_input(path, &why))) {
      usage_error("--%s: cannot read '%s': %s", name, path, why);
      return false;
    }
    bool good = read_lines(in, strcmp(path, "-") == 0 ? "standard input" : path, are_rules, list);
    close_input(in);
    if (!good)
      return false;
  }
  if (paths->count && !list->count) {
    usage_error("--%s '%s' is empty: it names no %s", name, paths->v[0],
                are_rules ? "rule" : "file");
    return false;
  }
  return true;
}

bool take_filters(const settings *s, igt_filters *o) {
  static lines rules, names; /* once per run of the program */

  if ((s->min_size && !take_size("min-size", s->min_size, &o->min_size)) ||
      (s->max_size && !take_size("max-size", s->max_size, &o->max_size)) ||
      (s->max_age && !parse_duration("max-age", s->max_age, &o->max_age)) ||
      (s->min_age && !parse_duration("min-age", s->min_age, &o->min_age)))
    return false;
  o->has_max_size = s->max_size != NULL;
  if (s->max_age && o->max_age == 0)
    return usage_error("--max-age 0 excludes every file"), false;
  if (o->has_max_size && o->min_size > o->max_size)
    return usage_error("--min-size %s exceeds --max-size %s", s->min_size, s->max_size), false;
  if (o->max_age && o->min_age > o->max_age)
    return usage_error("--min-age %s exceeds --max-age %s", s->min_age, s->max_age), false;
  if (!take_inputs(s, "filter-from", &s->filter_from) ||
      !take_inputs(s, "files-from", &s->files_from) ||
      !read_lists("filter-from", &s->filter_from, true, &rules) ||
      !read_lists("files-from", &s->files_from, false, &names))
    return false;
  o->rules = rules.v;
  o->rule_count = rules.count;
  o->names = names.v;
  o->name_count = names.count;
  return true;
}
