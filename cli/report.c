/* SPDX-License-Identifier: MIT */
/* What the user sees of a transfer: callbacks that write each item to --report and, with --json, to
 * standard output, pass it to plan.c with --dry-run, print failures on the terminal (at most 20
 * with the same reason in a row), pass progress to progress.c, and finally print the summary and
 * choose the exit status. cmd_transfer.c and the other commands that transfer files open a report,
 * pass report_callbacks to the library, and close it with the result. */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "igtcloud/version.h"
#include "os/os.h"
#include "plan.h"
#include "transfer_options.h"

#define LINE_BUFFER 65536

struct report {
  const settings *s;
  const char *verb;
  progress *bar;
  plan *plan;  /* NULL: none, or JSON lines are it */
  FILE *file;  /* --report */
  int why;     /* errno of the first write to it that failed */
  bool single; /* one file: its failure is the command's failure */
  /* reason shared by the last lines */
  char reason[256];
  igt_transfer_result result;
  unsigned long long alike, alike_most;
  unsigned long long ignored; /* files and folders */
  unsigned long long partial; /* files named as unfinished ones that were uploaded */
  igt_transfer_callbacks callbacks;
  report_context context;
  igt_identity identity; /* context.user */
};

static const char *const kinds[] = {"", "file", "study", "other", "import"};
static const char *const results[] = {
    "",          "done",         "skipped",       "failed",    "planned", "ignored",         "same",
    "different", "missing here", "missing there", "unchecked", "deleted", "planned deletion"};

const char *run_id(void) {
  static char id[17];
  unsigned char bytes[8];

  if (*id)
    return id;
  os_random(bytes, sizeof bytes);
  for (size_t i = 0; i < sizeof bytes; i++)
    snprintf(id + 2 * i, sizeof id - 2 * i, "%02x", bytes[i]);
  return id;
}

/* What makes a line understandable without the others, when reports of months lie together. */
static void write_context(FILE *out, const report_context *c) {
  char when[32];
  time_t now = time(NULL);
  struct tm tm;

  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
  json_text(out, "time", when, false);
  json_text(out, "run", run_id(), false);
  json_text(out, "cloud", c->cloud, false);
  json_text(out, "project", c->project, false);
  json_text(out, "user", c->user, false);
  json_text(out, "version", igt_version(), false);
}

void report_item(FILE *out, const report_context *context, const igt_transfer_item *item) {
  fprintf(out, "{");
  json_text(out, "kind", kinds[item->kind], true);
  json_text(out, "result", results[item->result], false);
  json_text(out, "institute", item->institute, false);
  json_text(out, "study", item->study, false);
  json_text(out, "studyDatabaseId", item->study_id, false);
  if (item->kind != IGT_ITEM_STUDY && item->kind != IGT_ITEM_IMPORT) {
    json_text(out, "path", item->path, false);
    json_text(out, "local", item->local_path, false);
    json_text(out, "key", item->key, false);
    fprintf(out, ",\"size\":%llu,\"moved\":%llu", (unsigned long long)item->size,
            (unsigned long long)item->moved);
    json_text(out, "digest", item->digest, false);
    json_text(out, "verified", item->verified, false);
    if (item->replaces)
      fprintf(out, ",\"replacedSize\":%llu", (unsigned long long)item->replaced_size);
  }
  if (*item->text)
    json_text(out, "reason", item->text, false);
  if (item->error) {
    json_text(out, "status", igt_status_name(item->error->status), false);
    json_text(out, "error", item->error->text, false);
  }
  write_context(out, context);
  fprintf(out, "}\n");
  (void)fflush(out); /* ferror says later what failed */
  (void)output_failed();
}

/* The parts of "institute: patient/study: path" that exist. */
static void print_name(FILE *out, const igt_transfer_item *item) {
  const char *parts[] = {item->institute, item->study, item->path};
  bool first = true;

  for (size_t i = 0; i < 3; i++) {
    if (!*parts[i])
      continue;
    fputs(first ? "" : ": ", out);
    fputs(parts[i], out);
    first = false;
  }
}

/* A line of a message is put together in memory, since only a whole one can be wrapped.
 * print_wrapped makes it safe to print. */
typedef struct pending_line {
  char *text;
  size_t n;
  FILE *out; /* NULL: no memory */
} pending_line;

static FILE *begin_line(pending_line *line) {
  *line = (pending_line){NULL, 0, NULL};
  return line->out = open_memstream(&line->text, &line->n);
}

static void end_line(pending_line *line) {
  if (line->out && fclose(line->out) == 0) {
    print_wrapped(stderr, line->text, wrap_columns(stderr), 0, 2);
    putc('\n', stderr);
  }
  free(line->text);
}

/* "failed: institute: patient/study: path: why" */
static void print_item(report *r, const igt_transfer_item *item, const char *why) {
  pending_line line;
  FILE *out = begin_line(&line);

  if (!out)
    return;
  progress_clear(r->bar);
  fprintf(out, "%s: ", results[item->result]);
  print_name(out, item);
  if (*why) {
    fputs(": ", out);
    fputs(why, out);
  }
  end_line(&line);
}

/* Thousands of files may fail for the same reason, and as many lines of --studies-from name no
 * study: this many are printed on the terminal. All are in the report and in the output of --json.
 */
#define ALIKE_MOST 20
#define NO_STUDY "no study has this name"

/* An entry of --study or --studies-from. */
static bool is_unmatched(const igt_transfer_item *item) {
  return item->kind == IGT_ITEM_STUDY && item->error && item->error->status == IGT_E_NOT_FOUND &&
         !*item->institute && !*item->study_id;
}

static const char *reason_of(const igt_transfer_item *item) {
  if (is_unmatched(item))
    return NO_STUDY;
  if (item->kind == IGT_ITEM_STUDY || item->kind == IGT_ITEM_IMPORT)
    return "";
  return item->error ? item->error->text : item->text;
}

static void end_alike(report *r) {
  char line[160];

  if (r->alike > r->alike_most) {
    progress_clear(r->bar);
    snprintf(line, sizeof line,
             "%s: %llu more for the same reason (use --report or --json to list all)\n",
             results[r->result], r->alike - r->alike_most);
    print_paragraphs(stderr, line);
  }
  r->alike = 0;
}

/* Whether the item exceeds that number. */
static bool is_alike(report *r, const igt_transfer_item *item) {
  const char *reason = reason_of(item);

  if (!*reason || r->result != item->result ||
      strncmp(r->reason, reason, sizeof r->reason - 1) != 0)
    end_alike(r);
  r->result = item->result;
  r->alike_most = is_unmatched(item) ? UNMATCHED_MOST : ALIKE_MOST;
  snprintf(r->reason, sizeof r->reason, "%.255s", reason);
  return ++r->alike > r->alike_most;
}

static void print_failed(report *r, const igt_transfer_item *item) {
  if (!reader_is_gone() && !is_alike(r, item))
    print_item(r, item, item->error ? item->error->text : "unknown reason");
}

static void print_other(report *r, const igt_transfer_item *item) {
  if (!r->s->quiet && !item->minor && !is_alike(r, item))
    print_item(r, item, item->text);
}

/* Sent as any other: only their names are those of downloads or copies in progress. */
static void count_partial(report *r, const igt_transfer_item *item) {
  bool sent = item->result == IGT_RESULT_DONE || item->result == IGT_RESULT_PLANNED;

  if (item->kind == IGT_ITEM_FILE && sent && strcmp(r->verb, "uploaded") == 0)
    r->partial += is_partial_name(item->path);
}

/* Of those that did not fail. What is planned is data, and not repeated as a message. */
static bool is_printed(const igt_transfer_item *item) {
  return item->result == IGT_RESULT_IGNORED ||
         (item->kind == IGT_ITEM_FILE && item->result > IGT_RESULT_SAME &&
          item->result != IGT_RESULT_PLANNED_DELETION);
}

static void note_failure(report *r) {
  if (!r->why && ferror(r->file))
    r->why = errno;
}

static void on_item(void *payload, const igt_transfer_item *item) {
  report *r = payload;

  count_partial(r, item);
  r->ignored += item->result == IGT_RESULT_IGNORED && item->kind != IGT_ITEM_STUDY;
  if (r->s->json)
    report_item(stdout, &r->context, item);
  if (r->file) {
    report_item(r->file, &r->context, item);
    note_failure(r);
  }
  if (r->plan)
    plan_item(r->plan, item);
  /* A study that fails because of its files is not printed, since the files are; only one that
   * fails without any is. */
  if (item->result == IGT_RESULT_FAILED && r->single)
    return;
  if (item->result == IGT_RESULT_FAILED &&
      !((item->kind == IGT_ITEM_STUDY || item->kind == IGT_ITEM_IMPORT) && item->error &&
        item->error->status == IGT_E_SOME_FAILED))
    print_failed(r, item);
  else if (is_printed(item))
    print_other(r, item);
}

static void on_progress(void *payload, const igt_transfer_progress *now) {
  progress_show(((report *)payload)->bar, now);
}

static void on_message(void *payload, igt_status status, const char *text) {
  report *r = payload;
  pending_line line;
  FILE *out;

  if ((r->s->quiet && status == IGT_OK) || reader_is_gone())
    return;
  progress_clear(r->bar);
  if (!(out = begin_line(&line)))
    return;
  fputs(status == IGT_E_AMBIGUOUS ? "warning: " : "", out);
  fputs(text, out);
  end_line(&line);
}

/* False: no memory, reported. */
static bool open_plan(report *r) {
  const char *to = r->s->report;
  char action[32];

  if (!r->s->dry_run || r->s->json || (to && strcmp(to, "-") == 0))
    return true;
  snprintf(action, sizeof action, "%.*s", (int)strlen(r->verb) - 2, r->verb);
  r->plan = plan_open(r->s, action);
  return r->plan;
}

/* --report, and the plan. False: reported. */
static bool open_outputs(report *r) {
  const char *to = r->s->report, *why;

  /* --json already writes these lines to standard output. */
  if (to && !(r->s->json && strcmp(to, "-") == 0) && !(r->file = open_output(to, false, &why))) {
    complain_io(errno, "cannot write the report '%s': %s", to, why);
    return false;
  }
  if (open_plan(r))
    return true;
  (void)close_output(r->file);
  return false;
}

report *report_open(const settings *s, const char *verb, int *exit_status) {
  report *r = calloc(1, sizeof *r);
  int64_t seconds;

  if (s->stats && !parse_duration("stats", s->stats, &seconds)) {
    free(r);
    *exit_status = EXIT_USAGE;
    return NULL;
  }
  if (!r) {
    complain(IGT_E_NO_MEMORY, "out of memory");
    *exit_status = EXIT_FAILED;
    return NULL;
  }
  r->s = s;
  r->verb = verb;
  r->context = (report_context){"", "", ""};
  if (!open_outputs(r)) {
    *exit_status = EXIT_FAILED;
    free(r);
    return NULL;
  }
  /* Programs read along, and what a run had done before it was killed is on record: each line is
   * written as a whole. Windows' C library has no buffering by lines: its is that of blocks. */
  if (s->json)
    setvbuf(stdout, NULL, _IOLBF, LINE_BUFFER);
  if (r->file)
    setvbuf(r->file, NULL, _IOLBF, LINE_BUFFER);
  r->bar = progress_new(s, verb);
  r->callbacks = (igt_transfer_callbacks)IGT_TRANSFER_CALLBACKS_INIT;
  r->callbacks.on_item = on_item;
  r->callbacks.on_progress = on_progress;
  r->callbacks.on_message = on_message;
  r->callbacks.payload = r;
  return r;
}

const igt_transfer_callbacks *report_callbacks(report *r) {
  return &r->callbacks;
}

const summary_count summary_counts[] = {
    {"imports", offsetof(igt_transfer_summary, imports)},
    {"importsFailed", offsetof(igt_transfer_summary, imports_failed)},
    {"importsHandedOver", offsetof(igt_transfer_summary, imports_handed_over)},
    {"filesHandedOver", offsetof(igt_transfer_summary, files_handed_over)},
    {"institutes", offsetof(igt_transfer_summary, institutes)},
    {"studies", offsetof(igt_transfer_summary, studies)},
    {"studiesFailed", offsetof(igt_transfer_summary, studies_failed)},
    {"studiesUndated", offsetof(igt_transfer_summary, studies_undated)},
    {"studiesUnfinished", offsetof(igt_transfer_summary, studies_unfinished)},
    {"studiesNotStarted", offsetof(igt_transfer_summary, studies_not_started)},
    {"studiesCreated", offsetof(igt_transfer_summary, studies_created)},
    {"filesDone", offsetof(igt_transfer_summary, files_done)},
    {"filesSkipped", offsetof(igt_transfer_summary, files_skipped)},
    {"filesFailed", offsetof(igt_transfer_summary, files_failed)},
    {"filesIgnored", offsetof(igt_transfer_summary, files_ignored)},
    {"filesClutter", offsetof(igt_transfer_summary, files_clutter)},
    {"filesYoung", offsetof(igt_transfer_summary, files_young)},
    {"filesIncomplete", offsetof(igt_transfer_summary, files_incomplete)},
    {"filesUnverified", offsetof(igt_transfer_summary, files_unverified)},
    {"bytesDone", offsetof(igt_transfer_summary, bytes_done)},
    {"bytesMoved", offsetof(igt_transfer_summary, bytes_moved)},
    {"bytesSkipped", offsetof(igt_transfer_summary, bytes_skipped)},
    {"filesSame", offsetof(igt_transfer_summary, files_same)},
    {"bytesSame", offsetof(igt_transfer_summary, bytes_same)},
    {"filesDifferent", offsetof(igt_transfer_summary, files_different)},
    {"filesMissingHere", offsetof(igt_transfer_summary, files_missing_here)},
    {"filesMissingThere", offsetof(igt_transfer_summary, files_missing_there)},
    {"filesDeleted", offsetof(igt_transfer_summary, files_deleted)},
    {"foldersKept", offsetof(igt_transfer_summary, folders_kept)},
    {"filesReplaced", offsetof(igt_transfer_summary, files_replaced)},
    {"filesUnchecked", offsetof(igt_transfer_summary, files_unchecked)},
    {"requests", offsetof(igt_transfer_summary, requests)},
    {NULL, 0}};

static uint64_t count_of(const igt_transfer_summary *s, const summary_count *count) {
  return *(const uint64_t *)((const char *)s + count->offset);
}

static void write_summary(const report *r, FILE *out, const igt_transfer_summary *s,
                          igt_status status, const igt_error *err) {
  fprintf(out, "{\"kind\":\"summary\"");
  json_text(out, "status", igt_status_name(status), false);
  for (const summary_count *c = summary_counts; c->name; c++)
    fprintf(out, ",\"%s\":%llu", c->name, (unsigned long long)count_of(s, c));
  fprintf(out, ",\"seconds\":%.3f", s->seconds);
  if (status != IGT_OK && err && *err->text)
    json_text(out, "error", err->text, false);
  write_context(out, &r->context);
  fprintf(out, "}\n");
  (void)fflush(out); /* ferror says later what failed */
  (void)output_failed();
}

void note(unsigned long long n, const char *noun, const char *nouns, const char *text) {
  char line[512];

  if (!n)
    return;
  snprintf(line, sizeof line, "  %llu %s%s", n, n == 1 ? noun : nouns, text);
  print_wrapped(stderr, line, wrap_columns(stderr), 0, 4);
  putc('\n', stderr);
}

static void print_compared(const report *r, const igt_transfer_summary *s) {
  bool folder = r->s->manifest && r->s->argument_count; /* compared with the manifest, no cloud */

  note(s->files_different, "file", "files", " DIFFERENT");
  note(s->files_missing_here, "file", "files", " MISSING HERE");
  note(s->files_missing_there, "file", "files",
       folder ? " MISSING THERE (not in the manifest)" : " MISSING THERE");
  note(s->files_unchecked, "file", "files", " not checked: the store has no suitable digest");
}

/* Existing files are not read unless requested. */
static void print_skipped(const report *r, const igt_transfer_summary *s) {
  note(s->files_skipped - s->files_handed_over, "file was", "files were",
       r->s->checksum ? " already there, with the same content"
                      : " already there (compared by size and date only; use --checksum)");
  note(s->files_handed_over, "file was", "files were",
       " handed over to an earlier import, whose outcome is not known here (--overwrite sends "
       "everything again)");
  note(s->imports_handed_over, "import was", "imports were",
       " handed over: the cloud creates studies from the DICOM files that it can read (see "
       "igtcloud csv)");
}

/* "Downloaded ", or "Would download " of "downloaded". */
static void print_verb(FILE *out, const report *r) {
  if (r->s->dry_run)
    fprintf(out, "Would %.*s ", (int)strlen(r->verb) - 2, r->verb);
  else
    fprintf(out, "%c%s ", toupper((unsigned char)*r->verb), r->verb + 1);
}

static void print_moved(const report *r, const igt_transfer_summary *s) {
  char size[32], rate[32];
  bool verify = strcmp(r->verb, "verified") == 0;
  uint64_t files = verify ? s->files_same : s->files_done;
  uint64_t bytes = verify ? s->bytes_same : s->bytes_moved;
  pending_line line;
  FILE *out = begin_line(&line);

  if (!out)
    return;
  format_size(verify ? bytes : s->bytes_done, size, sizeof size);
  format_size(s->seconds > 0 ? (unsigned long long)((double)bytes / s->seconds) : 0, rate,
              sizeof rate);
  print_verb(out, r);
  if (s->studies)
    fprintf(out, "%llu %s, ", (unsigned long long)s->studies,
            s->studies == 1 ? "study" : "studies");
  if (s->imports)
    fprintf(out, "%llu DICOM %s, ", (unsigned long long)s->imports,
            s->imports == 1 ? "import" : "imports");
  fprintf(out, "%llu %s%s (%s)", (unsigned long long)files, verify ? "identical " : "",
          files == 1 ? "file" : "files", size);
  if (bytes && !r->s->dry_run && !(verify && r->s->manifest && !r->s->argument_count))
    fprintf(out, " in %.1f s, %s/s", s->seconds, rate);
  end_line(&line);
}

/* Those of a file that differed: the only version of it may have been lost. */
static void print_replaced(const report *r, const igt_transfer_summary *s) {
  bool down = strcmp(r->verb, "downloaded") == 0, dry = r->s->dry_run;

  note(s->files_replaced, down ? "local file" : "file in the cloud",
       down ? "local files" : "files in the cloud",
       dry                      ? " would be replaced"
       : s->files_replaced == 1 ? " was replaced"
                                : " were replaced");
}

static void print_summary(const report *r, const igt_transfer_summary *s) {
  print_moved(r, s);
  print_replaced(r, s);
  print_compared(r, s);
  print_skipped(r, s);
  if (r->s->dry_run)
    note(s->studies_created, "study", "studies", " would be created");
  else
    note(s->studies_created, "study was", "studies were", " created");
  note(s->studies_undated, "study has", "studies have", " no date and passed the date filter");
  note(s->files_incomplete, "file is", "files are", " incomplete in the cloud; skipped");
  note(s->files_unverified, "file", "files", " not verified: the store has no suitable digest");
  note(r->partial, "file has", "files have",
       " the name of an unfinished download or copy (.part, .tmp, ...), and may be incomplete");
  note(s->files_young, "file", "files", " skipped: changed too recently (--min-age)");
  note(s->files_ignored - s->files_incomplete - s->files_clutter - s->files_young, "file", "files",
       " ignored");
  if (r->ignored > s->files_ignored + s->folders_kept)
    note(r->ignored - s->files_ignored - s->folders_kept, "folder", "folders", " ignored");
  note(s->folders_kept, "folder of a study that the cloud no longer has was",
       "folders of studies that the cloud no longer has were",
       " kept; delete what you no longer need yourself");
  note(s->files_clutter, "file", "files",
       " of macOS, Windows or a NAS skipped (._*, .DS_Store, Thumbs.db, ...); use "
       "--include-clutter to "
       "include them");
  if (r->s->dry_run)
    note(s->files_deleted, "local file", "local files", " would be deleted");
  else
    note(s->files_deleted, "local file was", "local files were", " deleted");
  note(s->files_failed, "file", "files", " FAILED");
  note(s->studies_failed, "study", "studies", " FAILED");
  note(s->imports_failed, "import", "imports", " FAILED");
  note(s->studies_unfinished, "study was", "studies were", " not finished");
  note(s->studies_not_started, "study was", "studies were", " not started");
}

/* Of a run that ended early, only what it did or left. */
static bool has_summary(igt_status status, const igt_transfer_summary *s) {
  return status == IGT_OK || status == IGT_E_SOME_FAILED || s->files_done ||
         s->studies_unfinished || s->studies_not_started;
}

/* False: it is not complete, and that was printed. */
static bool close_report(report *r) {
  note_failure(r); /* of the summary */
  if (close_output(r->file))
    return true;
  complain_io(r->why ? r->why : errno, "cannot write the report '%s': %s", r->s->report,
              strerror(r->why ? r->why : errno));
  return false;
}

int report_close(report *r, igt_status status, const igt_transfer_summary *summary,
                 const igt_error *err) {
  int result = exit_status_of(status);

  end_alike(r);
  progress_free(r->bar);
  plan_close(r->plan);
  if (r->s->json)
    write_summary(r, stdout, summary, status, err);
  if (r->file) {
    write_summary(r, r->file, summary, status, err);
    if (!close_report(r) && status == IGT_OK)
      result = EXIT_FAILED;
  }
  if (!r->s->quiet && !reader_is_gone() && has_summary(status, summary))
    print_summary(r, summary);
  if (status != IGT_OK)
    (void)fail(err);
  free(r);
  return result;
}

/* Its summary says why nothing happened. */
void report_close_early(report *r, igt_status status, const igt_error *err) {
  igt_transfer_summary none = IGT_TRANSFER_SUMMARY_INIT;

  if (r->s->json)
    write_summary(r, stdout, &none, status, err);
  if (r->file) {
    write_summary(r, r->file, &none, status, err);
    (void)close_report(r);
  }
  report_end(r);
}

void report_about(report *r, const char *cloud, const char *project) {
  r->context.cloud = cloud;
  r->context.project = project;
}

igt_client *report_client(report *r, const char *environment, const char *project,
                          int *exit_status) {
  return report_sign_in(r, open_client(r->s, environment, exit_status), project, exit_status);
}

igt_client *report_sign_in(report *r, igt_client *client, const char *project, int *exit_status) {
  igt_error err = IGT_ERROR_INIT;
  igt_status status;

  r->context.project = project;
  if (!client) {
    report_close_early(r, IGT_E_INVALID, NULL);
    return NULL;
  }
  r->context.cloud = igt_client_domain(client);
  message(r->s, "Using %s", igt_client_domain(client));
  igt_identity_init(&r->identity, sizeof r->identity);
  status = igt_client_sign_in(client, &err);
  if (status == IGT_OK)
    status = igt_client_identity(client, &r->identity, &err);
  r->context.user = r->identity.user;
  if (status == IGT_OK)
    return client;
  r->context.user = r->s->user ? r->s->user : "";
  report_close_early(r, status, &err);
  *exit_status = fail(&err);
  close_client(client);
  return NULL;
}

report *report_open_single(const settings *s, const char *verb, int *exit_status) {
  report *r = report_open(s, verb, exit_status);

  if (r)
    r->single = true;
  return r;
}

void report_end(report *r) {
  end_alike(r);
  progress_free(r->bar);
  plan_close(r->plan);
  free(r);
}

int report_close_single(report *r, igt_status status, const igt_error *err) {
  report_end(r);
  if (status != IGT_OK)
    (void)fail(err);
  return exit_status_of(status);
}
