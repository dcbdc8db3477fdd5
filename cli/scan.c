/* SPDX-License-Identifier: MIT */
/* Everything below a place of the cloud: resolves the path as `ls` does, runs igt_list_studies from
 * the node it found, and counts on the terminal what has been seen meanwhile. Studies whose files
 * cannot be listed are reported here, and the rest goes on. du, tree, find and `ls -l` are built on
 * it. */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

#include "screen.h"
#include "transfer_options.h"

#define SHOW_EVERY_MS 200

/* ---- on the terminal ---- */

void scan_clear_counts(scan *c) {
  if (c->counts && c->shown_at)
    fputs("\r\033[K", stderr);
}

static void show_counts(scan *c) {
  char studies[32], files[32], size[32];
  int64_t now = c->counts ? screen_clock_ms() : 0;
  bool asked = progress_is_asked_for();

  if (!asked && (!c->counts || now - c->shown_at < SHOW_EVERY_MS))
    return;
  c->shown_at = now;
  format_count(c->studies, studies, sizeof studies);
  format_count(c->files, files, sizeof files);
  format_size(c->bytes, size, sizeof size);
  fprintf(stderr,
          asked ? "%sigtcloud: listed %s %s, %s %s, %s%s\n" : "%slisting: %s %s, %s %s, %s%s",
          c->counts ? "\r" : "", studies, c->studies == 1 ? "study" : "studies", files,
          c->files == 1 ? "file" : "files", size, c->counts ? "\033[K" : "");
}

/* ---- callbacks of the library ---- */

size_t patient_length(const char *study_name) {
  const char *slash = strrchr(study_name, '/');

  return slash ? (size_t)(slash - study_name) : 0;
}

static bool wants(void *payload, const igt_listed_study *study) {
  const scan *c = payload;
  size_t n = strlen(c->patient);

  if (n && (strncmp(study->name, c->patient, n) != 0 || study->name[n] != '/'))
    return false;
  return !c->wants || c->wants(c->payload, study);
}

static void report_failed(scan *c, const igt_listed_study *study) {
  char name[4096], line[6144]; /* a server may send any length */

  scan_clear_counts(c);
  snprintf(name, sizeof name, "%s", study->name);
  snprintf(line, sizeof line, "failed: %s: %s", name, study->error->text);
  print_wrapped(stderr, line, wrap_columns(stderr), 0, 2);
  putc('\n', stderr);
}

static igt_status on_study(void *payload, const igt_listed_study *study) {
  scan *c = payload;

  c->studies++;
  c->files += study->files;
  c->bytes += study->bytes;
  if (study->error)
    report_failed(c, study);
  show_counts(c);
  return c->on_study ? c->on_study(c->payload, study) : IGT_OK;
}

static igt_status on_file(void *payload, const igt_listed_study *study,
                          const igt_listed_file *file) {
  const scan *c = payload;

  return c->on_file(c->payload, study, file);
}

void print_unmatched(const settings *s, uint64_t *count, const char *text) {
  if (++*count <= UNMATCHED_MOST || s->json)
    complain(IGT_E_NOT_FOUND, "%s", text);
}

void end_unmatched(const settings *s, uint64_t count) {
  if (count > UNMATCHED_MOST && !s->json)
    complain(IGT_E_NOT_FOUND, "%llu more entries match no study",
             (unsigned long long)(count - UNMATCHED_MOST));
}

static void on_institute(void *payload, const igt_institute *institute) {
  scan *c = payload;

  if (c->institute_status == IGT_OK)
    c->institute_status = c->on_institute(c->payload, institute);
}

static void on_message(void *payload, igt_status status, const char *text) {
  scan *c = payload;

  scan_clear_counts(c);
  if (status == IGT_E_NOT_FOUND)
    print_unmatched(c->s, &c->unmatched, text);
  else
    message(c->s, "%s", text);
}

/* ---- the scan ---- */

static bool take_settings(scan *c, const settings *s) {
  c->s = s;
  c->options = (igt_list_options)IGT_LIST_OPTIONS_INIT;
  c->selection = (igt_study_selection)IGT_STUDY_SELECTION_INIT;
  select_files(s, &c->selection, &c->options.categories);
  c->options.project_files = s->project_files;
  c->options.files = true;
  c->patient = "";
  c->counts = !s->quiet && !s->no_progress && !s->json && screen_is_drawable(STANDARD_ERROR);
  c->filters = (igt_filters)IGT_FILTERS_INIT;
  if (!select_studies(s, &c->selection) || !take_filters(s, &c->filters))
    return false;
  c->filters.include = s->include.v;
  c->filters.include_count = s->include.count;
  c->filters.exclude = s->exclude.v;
  c->filters.exclude_count = s->exclude.count;
  return true;
}

static void take_place_of(scan *c, const place *p) {
  c->options.below = p->target.node;
  if (p->target.kind == IGT_NODE_STUDY && igt_node_kind_of(p->target.node) == IGT_NODE_INSTITUTE)
    c->patient = p->target.rest;
  /* So that --limit counts this patient's studies alone. */
  if (*c->patient && !c->selection.study_count && !c->selection.studies_from &&
      !strpbrk(c->patient, "*?[\\")) {
    c->selection.studies = &c->patient;
    c->selection.study_count = 1;
  }
}

void scan_below(scan *c, const settings *s, const place *p) {
  (void)take_settings(c, s); /* the caller has checked them */
  c->p = *p;
  take_place_of(c, p);
}

static bool is_listable(const place *p) {
  igt_node_kind kind = igt_node_kind_of(p->target.node);

  return kind != IGT_NODE_CLOUD &&
         (p->target.kind == IGT_NODE_NONE ||
          (kind == IGT_NODE_INSTITUTE && p->target.kind == IGT_NODE_STUDY));
}

bool scan_open(scan *c, const settings *s, const char *path, int *exit_status) {
  *exit_status = EXIT_USAGE;
  if (!check_dates(s) || !take_settings(c, s))
    return false;
  if (!parse_shard(s, &c->options.shard, &c->options.shards) ||
      !place_open(&c->p, s, path, exit_status))
    return false;
  if (!is_listable(&c->p)) {
    *exit_status = usage_error("'%s' must be a project, an institute, a patient or a study", path);
    place_close(&c->p);
    return false;
  }
  take_place_of(c, &c->p);
  return true;
}

/* Then an institute in which nothing is selected is not an empty one. */
static bool is_narrow(const scan *c) {
  const settings *s = c->s;

  return selects_studies(s) || s->start || s->end || s->limit || s->shard || *c->patient;
}

int scan_run(scan *c) {
  igt_list_summary sum = IGT_LIST_SUMMARY_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_status status;

  c->options.selection = &c->selection;
  c->options.filters = &c->filters;
  c->options.wants = wants;
  c->options.on_study = on_study;
  c->options.on_file = c->on_file ? on_file : NULL;
  c->options.on_institute = c->on_institute && !is_narrow(c) ? on_institute : NULL;
  c->options.on_message = on_message;
  c->options.payload = c;
  status = igt_list_studies(c->p.client, &c->options, &sum, &err);
  if (status == IGT_OK && c->institute_status != IGT_OK) {
    err = (igt_error){.status = c->institute_status, .text = "out of memory"};
    status = err.status;
  }
  scan_clear_counts(c);
  if (!c->s->quiet)
    note(sum.studies_undated, "study has", "studies have", " no date and passed the date filter");
  end_unmatched(c->s, c->unmatched);
  return status == IGT_OK || c->enough ? EXIT_DONE : fail(&err);
}

void scan_close(scan *c) {
  place_close(&c->p);
}

/* ---- paths ---- */

/* The project: an institute's parent, or the node itself. */
static const igt_node *project_of(const scan *c) {
  const igt_node *node = c->options.below;

  while (node && igt_node_kind_of(node) != IGT_NODE_PROJECT)
    node = igt_node_parent(node);
  return node;
}

static char *path_in(const scan *c, const igt_institute *institute, const char *study) {
  const igt_node *project = project_of(c);
  char *path = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&path, &n);

  if (!out)
    return NULL;
  fputs(project ? igt_node_name(project) : "", out);
  if (institute)
    fprintf(out, "/%s", text_of(&institute->name));
  if (study)
    fprintf(out, "/%s", study);
  return fclose(out) == 0 ? path : NULL;
}

char *scan_study_path(const scan *c, const igt_listed_study *study) {
  return path_in(c, study->institute, study->study ? study->name : NULL);
}

char *scan_institute_path(const scan *c, const igt_institute *institute) {
  return path_in(c, institute, NULL);
}

/* ---- JSON ---- */

static void print_study_fields(const igt_listed_study *study) {
  json_text(stdout, "institute", study->institute ? text_of(&study->institute->name) : "", false);
  json_text(stdout, "study", study->name, false);
  json_text(stdout, "studyDatabaseId",
            study->study ? text_of(&study->study->study_database_id) : "", false);
}

void scan_print_study(const scan *c, const char *path, const igt_listed_study *study) {
  printf("{");
  json_text(stdout, "kind", "study", true);
  json_text(stdout, "path", path, false);
  print_study_fields(study);
  if (c->options.files)
    printf(",\"files\":%llu,\"bytes\":%llu,\"filesIncomplete\":%llu",
           (unsigned long long)study->files, (unsigned long long)study->bytes,
           (unsigned long long)study->files_incomplete);
  printf("}\n");
}

/* "PATH/files/x" as a JSON string. */
static void print_json_path(const char *path, const igt_listed_file *file) {
  size_t n = strlen(path) + strlen(file->category) + strlen(file->path) + 3;
  char *whole = malloc(n);

  if (whole)
    snprintf(whole, n, "%s/%s/%s", path, file->category, file->path);
  json_text(stdout, "path", whole ? whole : "", true);
  free(whole);
}

void scan_print_file(const scan *c, const char *path, const char *kind,
                     const igt_listed_study *study, const igt_listed_file *file) {
  (void)c;
  printf("{");
  print_json_path(path, file);
  if (kind)
    json_text(stdout, "kind", kind, false);
  print_study_fields(study);
  json_text(stdout, "category", file->category, false);
  json_text(stdout, "fileName", file->path, false);
  json_text(stdout, "type", file->type, false);
  if (file->size >= 0)
    printf(",\"size\":%lld", (long long)file->size);
  printf(",\"isCompleted\":%s}\n", file->is_complete ? "true" : "false");
}
