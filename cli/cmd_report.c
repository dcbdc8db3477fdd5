/* SPDX-License-Identifier: MIT */
/* The report merge command: combines the reports of shards into one. Reports are lines that
 * report.c wrote, one JSON object each; item lines are copied, the numbers of the summaries are
 * added up (summary_counts), and the worst status is the status of the whole. Lines are
 * scanned, not parsed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* The library limits each of an item's nine strings to 8 KiB, which JSON may expand sixfold. */
#define LINE_MAX_BYTES ((size_t)1024 * 1024)

typedef struct merge {
  FILE *out;
  igt_transfer_summary sum;
  double seconds;  /* of the slowest shard */
  char status[64]; /* the worst */
  unsigned long long shards, unfinished;
} merge;

/* The text after "name": in a summary, whose values are numbers and one status; NULL: not found. */
static const char *value_of(const char *line, const char *name) {
  char key[64];
  const char *at;

  snprintf(key, sizeof key, "\"%s\":", name);
  at = strstr(line, key);
  return at ? at + strlen(key) : NULL;
}

/* A failure of the whole run is worse than one of some files, and that is worse than success. */
static unsigned severity(const char *status) {
  return strcmp(status, igt_status_name(IGT_OK)) == 0              ? 0
         : strcmp(status, igt_status_name(IGT_E_SOME_FAILED)) == 0 ? 1
                                                                   : 2;
}

static uint64_t *sum_of(merge *m, const summary_count *count) {
  return (uint64_t *)((char *)&m->sum + count->offset);
}

/* The worse status stays; one that is missing or no string is the worst, and empty. */
static void add_status(merge *m, const char *value) {
  int n = value && *value == '"' ? (int)strcspn(value + 1, "\"") : 0;
  char status[sizeof m->status];

  snprintf(status, sizeof status, "%.*s", n, n ? value + 1 : "");
  if (severity(status) > severity(m->status))
    snprintf(m->status, sizeof m->status, "%s", status);
}

static void add_summary(merge *m, const char *line) {
  const char *at = value_of(line, "seconds");

  for (const summary_count *c = summary_counts; c->name; c++) {
    const char *value = value_of(line, c->name);
    *sum_of(m, c) += value ? strtoull(value, NULL, 10) : 0;
  }
  add_status(m, value_of(line, "status"));
  if (at && strtod(at, NULL) > m->seconds)
    m->seconds = strtod(at, NULL);
}

/* Copies all lines except the summary, which a run that finished has. */
static bool copy_lines(merge *m, FILE *in, bool *summary) {
  static const char mark[] = "{\"kind\":\"summary\"", item[] = "{\"kind\":\"";
  static char line[LINE_MAX_BYTES];
  bool fits = true;

  *summary = false;
  while (fits && fgets(line, sizeof line, in)) {
    if (!strchr(line, '\n') && feof(in))
      break;           /* a truncated last line of a run that was killed */
    if (*line == '\n') /* after a line that a full disk cut off */
      continue;
    fits = strchr(line, '\n') && strncmp(line, item, sizeof item - 1) == 0;
    if (strncmp(line, mark, sizeof mark - 1) == 0) {
      add_summary(m, line);
      *summary = true;
    } else if (fits) {
      fputs(line, m->out);
    }
  }
  return fits;
}

static void print_unfinished(const char *path) {
  char line[4352];

  snprintf(line, sizeof line, "unfinished: %.4096s: its run was interrupted; run that shard again",
           path);
  print_wrapped(stderr, line, wrap_columns(stderr), 0, 2);
  putc('\n', stderr);
}

static bool add_report(merge *m, const char *path) {
  const char *why;
  FILE *in = open_input(path, &why);
  bool summary, ok = false;

  if (!in) {
    complain(IGT_E_IO, "cannot read the report '%s': %s", path, why);
    return false;
  }
  if (!copy_lines(m, in, &summary)) {
    complain(IGT_E_INVALID, "'%s' is not a report of igtcloud (--report)", path);
  } else if (ferror(in)) {
    complain(IGT_E_IO, "cannot read the report '%s': %s", path, strerror(errno));
  } else {
    ok = true;
    m->shards++;
    m->unfinished += !summary;
    if (!summary)
      print_unfinished(path);
  }
  close_input(in);
  return ok;
}

static void write_sum(merge *m) {
  if (m->unfinished && severity(m->status) == 0)
    snprintf(m->status, sizeof m->status, "%s", igt_status_name(IGT_E_SOME_FAILED));
  fprintf(m->out, "{\"kind\":\"summary\"");
  json_text(m->out, "status", m->status, false);
  for (const summary_count *c = summary_counts; c->name; c++)
    fprintf(m->out, ",\"%s\":%llu", c->name, (unsigned long long)*sum_of(m, c));
  fprintf(m->out, ",\"seconds\":%.3f,\"shards\":%llu,\"shardsUnfinished\":%llu}\n", m->seconds,
          m->shards, m->unfinished);
}

static int merge_all(merge *m, const settings *s) {
  bool ok = true;

  for (size_t i = 1; i < s->argument_count && ok; i++)
    ok = add_report(m, s->arguments[i]);
  if (!ok)
    return EXIT_FAILED;
  write_sum(m);
  return severity(m->status) == 0 ? EXIT_DONE : EXIT_SOME_FAILED;
}

/* A file that is one of the reports must not be truncated: `merge all.jsonl *.jsonl`, run twice. */
static FILE *open_out(const char *path, const settings *s) {
  igt__stat out, in;
  const char *why;

  for (size_t i = 1; i < s->argument_count; i++)
    if (igt__os_stat(path, &out) == 0 && S_ISREG(out.st_mode) &&
        igt__os_stat(s->arguments[i], &in) == 0 && out.st_ino == in.st_ino &&
        out.st_dev == in.st_dev) {
      complain(IGT_E_INVALID, "'%s' is both an input and the output", s->arguments[i]);
      return NULL;
    }
  FILE *file = open_output(path, false, &why);
  if (!file)
    complain_io(errno, "cannot write '%s': %s", path, why);
  return file;
}

static int run_merge(settings *s) {
  merge m = {.out = open_out(s->arguments[0], s)};
  int status = EXIT_FAILED;
  bool to_stdout;

  if (!m.out)
    return status;
  snprintf(m.status, sizeof m.status, "%s", igt_status_name(IGT_OK));
  status = merge_all(&m, s);
  to_stdout = m.out == stdout;
  if (!close_output(m.out)) {
    if (!to_stdout) /* main says that, and why */
      complain(IGT_E_IO, "cannot write '%s'", s->arguments[0]);
    status = EXIT_FAILED;
  }
  if (!s->quiet && status != EXIT_FAILED)
    fprintf(stderr, "Merged %llu report%s: %llu file%s transferred, %llu failed\n", m.shards,
            m.shards == 1 ? "" : "s", (unsigned long long)m.sum.files_done,
            m.sum.files_done == 1 ? "" : "s", (unsigned long long)m.sum.files_failed);
  return status;
}

const command report_merge_command = {
    "report merge",
    "OUTPUT REPORT...",
    2,
    MAX_ARGUMENTS,
    "merge the reports of several shards",
    "Merges the reports (--report) of all shards into OUTPUT (- is standard output), with one\n"
    "summary at the end. A report without a summary comes from an interrupted run: it is named,\n"
    "and the exit status is 3, as when files have failed.",
    no_options,
    false,
    run_merge};
