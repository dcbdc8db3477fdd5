/* SPDX-License-Identifier: MIT */
/* The find command: the paths of the files below a place that pass all tests, one per line, as cat
 * and cp take them. The cloud's lists have no dates of files, so --newer looks at the study's:
 * studies that are too old are left out before their files are listed. As with find(1), finding
 * nothing is not an error. main.c calls it through find_command. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "scan.h"
#include "transfer_options.h"

typedef struct finder {
  scan c;
  const settings *s;
  char sign; /* of --size: '+', '-' or 0; 'x': any size */
  uint64_t bytes;
  bool by_time;
  int64_t since;
  char *study_path; /* of the study being listed */
} finder;

/* ---- tests ---- */

static bool read_tests(finder *f) {
  const char *size = f->s->size;

  f->sign = 'x';
  if (size) {
    f->sign = *size == '+' || *size == '-' ? *size : 0;
    if (!parse_size(size + (f->sign != 0), &f->bytes)) {
      usage_error("--size '%s' must be a size such as +1G (larger), -10M (smaller) or 512", size);
      return false;
    }
  }
  f->by_time = f->s->newer != NULL;
  if (f->by_time && !parse_when(f->s->newer, &f->since)) {
    usage_error("--newer '%s' is not a date (YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ)", f->s->newer);
    return false;
  }
  return true;
}

/* When the study was last changed, or else created. False: unknown, so it may be new. */
static bool changed_at(const igt_root_study *study, int64_t *when) {
  const igt_time_field *field =
      study->last_updated_on.is == IGT_SET ? &study->last_updated_on : &study->created_on;

  return field->is == IGT_SET && field->text && parse_when(field->text, when);
}

static bool wants_study(void *payload, const igt_listed_study *study) {
  const finder *f = payload;
  int64_t when;

  return !f->by_time || !study->study || !changed_at(study->study, &when) || when >= f->since;
}

static bool has_size(const finder *f, int64_t size) {
  if (f->sign == 'x')
    return true;
  if (size < 0)
    return false;
  return f->sign == '+'   ? (uint64_t)size > f->bytes
         : f->sign == '-' ? (uint64_t)size < f->bytes
                          : (uint64_t)size == f->bytes;
}

/* ".dcm" or "dcm". */
static bool has_type(const settings *s, const char *type) {
  for (size_t i = 0; i < s->types.count; i++)
    if (strcasecmp(s->types.v[i] + (*s->types.v[i] == '.'), type + (*type == '.')) == 0)
      return true;
  return s->types.count == 0;
}

static bool has_name(const settings *s, const char *path) {
  const char *slash = strrchr(path, '/');

  return !s->name || glob_matches(s->name, slash ? slash + 1 : path);
}

/* ---- output ---- */

static void print_path(const finder *f, const igt_listed_file *file) {
  const char *const parts[] = {f->study_path, "/", file->category, "/", file->path};

  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (f->s->print0)
      fputs(parts[i], stdout);
    else
      print_safe(stdout, parts[i]);
  putchar(f->s->print0 ? '\0' : '\n');
}

static igt_status on_file(void *payload, const igt_listed_study *study,
                          const igt_listed_file *file) {
  finder *f = payload;

  if (!has_size(f, file->size) || !has_type(f->s, file->type) || !has_name(f->s, file->path))
    return IGT_OK;
  if (f->s->json)
    scan_print_file(&f->c, f->study_path, NULL, study, file);
  else
    print_path(f, file);
  return output_failed() ? IGT_E_IO : IGT_OK;
}

static igt_status on_study(void *payload, const igt_listed_study *study) {
  finder *f = payload;

  free(f->study_path);
  f->study_path = scan_study_path(&f->c, study);
  return f->study_path ? IGT_OK : IGT_E_NO_MEMORY;
}

static int cmd_find(settings *s) {
  finder f = {.s = s};
  int status = EXIT_USAGE;

  if (!read_tests(&f) || !scan_open(&f.c, s, s->arguments[0], &status))
    return status;
  f.c.counts = false; /* the paths themselves show that it goes on */
  f.c.wants = wants_study;
  f.c.on_study = on_study;
  f.c.on_file = on_file;
  f.c.payload = &f;
  status = scan_run(&f.c);
  scan_close(&f.c);
  free(f.study_path);
  return status;
}

static const option find_options[] = {
    {"name", 0, OPTION_TEXT, AT(name), "GLOB", NULL,
     "only files whose name matches, such as '*.dcm'"},
    {"size", 0, OPTION_TEXT, AT(size), "[+-]SIZE", NULL,
     "larger than (+1G), smaller than (-10M), or exactly SIZE"},
    {"newer", 0, OPTION_TEXT, AT(newer), "DATE", NULL,
     "only in studies that were changed on this date or later"},
    {"type", 0, OPTION_LIST, AT(types), ".EXT", NULL, "only files of this type; repeatable"},
    {"print0", '0', OPTION_FLAG, AT(print0), NULL, NULL,
     "end each path with a NUL byte instead of a new line, for xargs -0"},
    BELOW_OPTIONS,
    END_OF_OPTIONS};

const command find_command = {
    "find",
    BELOW,
    1,
    1,
    "find files by name, size, type or date",
    "Prints the paths of all files below a place that pass every given test, one per line, as\n"
    "igtcloud cat and cp take them. A study's date is that of its last change (lastUpdatedOn);\n"
    "the cloud's lists have none for files. SIZE has the units K, M, G and T, in powers of 1024.\n"
    "\n"
    "Control characters in names are escaped; -0 prints them as they are. If nothing is found,\n"
    "nothing is printed and the exit status is 0, as with find(1).",
    find_options,
    true,
    cmd_find};
