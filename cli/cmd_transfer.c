/* SPDX-License-Identifier: MIT */
/* The download, upload and csv commands, and the options that transfers share: selection of studies
 * and categories, concurrency, checks. Each command fills the library's option structure from the
 * settings, opens the client and runs the transfer with the callbacks of report.c, which prints
 * progress, items and the summary. cmd_verify.c uses these options, too. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "igtcloud/selection.h"
#include "transfer_options.h"

static unsigned category_bit(const char *name) {
  return strcmp(name, "dicom") == 0         ? IGT_CATEGORY_DICOM
         : strcmp(name, "annotations") == 0 ? IGT_CATEGORY_ANNOTATIONS
                                            : IGT_CATEGORY_FILES;
}

unsigned categories_of(const settings *s) {
  unsigned bits = 0;

  for (size_t i = 0; i < s->category.count; i++)
    bits |= category_bit(s->category.v[i]);
  return bits;
}

bool transfer_options(const settings *s, igt_transfer_options *o) {
  o->structure = s->folder_structure && strcmp(s->folder_structure, "hierarchical") == 0
                     ? IGT_HIERARCHICAL
                     : IGT_FLAT;
  o->concurrent_studies = (unsigned)s->concurrent_studies;
  o->concurrent_files = (unsigned)s->concurrent_files;
  o->include = s->include.v;
  o->include_count = s->include.count;
  o->exclude = s->exclude.v;
  o->exclude_count = s->exclude.count;
  o->checksum = s->checksum;
  o->overwrite = s->overwrite;
  o->dry_run = s->dry_run;
  o->journal = s->journal;
  o->no_journal = s->no_journal;
  o->follow_links = s->follow_links;
  o->include_clutter = s->include_clutter;
  o->portable_names = s->portable_names;
  o->ignore_unknown = s->ignore_unknown;
  o->trust_study_json = s->trust_study_json;
  return parse_shard(s, &o->shard, &o->shards);
}

void select_files(const settings *s, igt_study_selection *selection, unsigned *categories) {
  selection->ext = s->ext;
  if (s->project_files)
    return;
  selection->start = s->start;
  selection->end = s->end;
  *categories = categories_of(s);
}

bool selects_studies(const settings *s) {
  return s->institute.count || s->study.count || s->studies_from || s->patient.count ||
         s->modality.count || s->label.count || s->modified_since || s->modified_until;
}

/* Before signing in, and before standard input is read. */
static bool check_selection(const settings *s, const igt_study_selection *o) {
  igt_study_selection whole = *o;
  igt_error err = IGT_ERROR_INIT;

  whole.start = s->start;
  whole.end = s->end;
  if (igt_selection_check(&whole, &err) == IGT_OK)
    return true;
  usage_error("%s", err.text);
  return false;
}

bool select_studies(const settings *s, igt_study_selection *o) {
  if (s->project_files && (selects_studies(s) || s->limit)) {
    usage_error("--project-files takes no options that select studies");
    return false;
  }
  if (s->studies_from && strcmp(s->studies_from, "-") == 0 && !take_input(s, "studies-from"))
    return false;
  o->institutes = s->institute.v;
  o->institute_count = s->institute.count;
  o->studies = s->study.v;
  o->study_count = s->study.count;
  o->studies_from = file_option(s->studies_from);
  o->patients = s->patient.v;
  o->patient_count = s->patient.count;
  o->modalities = s->modality.v;
  o->modality_count = s->modality.count;
  o->labels = s->label.v;
  o->label_count = s->label.count;
  o->modified_since = s->modified_since;
  o->modified_until = s->modified_until;
  o->limit = (uint64_t)s->limit;
  o->newest = s->newest;
  return check_selection(s, o);
}

bool take_transfer(const settings *s, const command *cmd, transfer_setup *setup) {
  if (s->argument_count < 2) {
    usage_error("%s: missing argument; usage: igtcloud %s %s", cmd->name, cmd->name,
                cmd->arguments);
    return false;
  }
  setup->transfer = (igt_transfer_options)IGT_TRANSFER_OPTIONS_INIT;
  setup->filters = (igt_filters)IGT_FILTERS_INIT;
  setup->selection = (igt_study_selection)IGT_STUDY_SELECTION_INIT;
  setup->transfer.filters = &setup->filters;
  setup->selection.project = s->arguments[1];
  return check_dates(s) && transfer_options(s, &setup->transfer) &&
         select_studies(s, &setup->selection) && take_filters(s, &setup->filters) &&
         take_place(s, &setup->selection.institute, &setup->environment);
}

bool begin_transfer(const settings *s, const transfer_setup *setup, const char *verb, report **r,
                    igt_client **client, int *exit_status) {
  *client = NULL;
  *r = report_open(s, verb, exit_status);
  if (*r)
    *client = report_client(*r, setup->environment, setup->selection.project, exit_status);
  return *client != NULL;
}

int end_transfer(report *r, igt_client *client, igt_status result,
                 const igt_transfer_summary *summary, const igt_error *err) {
  int exit_status = report_close(r, result, summary, err);

  close_client(client);
  return exit_status;
}

static int cmd_download(settings *s) {
  igt_download_options o = IGT_DOWNLOAD_OPTIONS_INIT;
  transfer_setup setup;
  igt_error err = IGT_ERROR_INIT;
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  int status = EXIT_USAGE;
  igt_client *client;
  report *r;

  if (s->manifest)
    return download_manifest(s);
  if (!take_transfer(s, &download_command, &setup))
    return EXIT_USAGE;
  o.transfer = &setup.transfer;
  o.selection = &setup.selection;
  o.target = s->arguments[0];
  o.project_files = s->project_files;
  select_files(s, &setup.selection, &o.categories);
  o.include_modified_date = s->include_modified_date;
  if (!begin_transfer(s, &setup, "downloaded", &r, &client, &status))
    return status;
  igt_status result = igt_download(client, &o, report_callbacks(r), &summary, &err);
  return end_transfer(r, client, result, &summary, &err);
}

static const option download_options[] = {
    SELECTION_OPTIONS,
    STUDY_OPTIONS,
    FIELD_OPTIONS,
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "what to download; repeatable, default files"},
    {"project-files", 0, OPTION_FLAG, AT(project_files), NULL, NULL,
     "only the project's own files, into TARGET_FOLDER/files"},
    MODIFIED_DATE_OPTION,
    MANIFEST_OPTION("exactly the files of this manifest, from the cloud and project that it names"),
    PORTABLE_NAMES_OPTION,
    MOVING_OPTIONS,
    END_OF_OPTIONS};

const command download_command = {
    "download",
    "TARGET_FOLDER " PLACE,
    1,
    4,
    "download studies",
    "Downloads all studies of an institute (default: all institutes) into\n"
    "TARGET_FOLDER/INSTITUTE/<patient---study>. A file gets its final name only when it is\n"
    "complete and verified. Existing files of the same size are skipped, others replaced, so\n"
    "running the command again resumes an interrupted download.\n"
    "\n"
    "With --manifest, TARGET_FOLDER is the only argument: the manifest names cloud, project and\n"
    "files. A file that changed or vanished since then fails, and nothing else is downloaded.",
    download_options,
    true,
    cmd_download};

/* 0 can be requested, too: files are then submitted without regard to their age. */
static bool take_min_age(const settings *s, int64_t *min_age) {
  if (!s->min_age)
    return true;
  if (!parse_duration("min-age", s->min_age, min_age))
    return false;
  if (*min_age == 0)
    *min_age = -1;
  return true;
}

static int cmd_upload(settings *s) {
  igt_upload_options o = IGT_UPLOAD_OPTIONS_INIT;
  transfer_setup setup;
  igt_error err = IGT_ERROR_INIT;
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  char password[1024];
  int status = EXIT_USAGE;
  igt_client *client;
  report *r;

  if (!take_transfer(s, &upload_command, &setup) || !take_min_age(s, &o.min_age))
    return EXIT_USAGE;
  if (s->category.count > 1)
    return usage_error("upload takes only one --category");
  o.transfer = &setup.transfer;
  o.selection = &setup.selection;
  o.source = s->arguments[0];
  select_files(s, &setup.selection, &o.category);
  o.whole_flat_names = s->flat_names && strcmp(s->flat_names, "whole") == 0;
  if (s->submit)
    will_ask_again();
  if (!begin_transfer(s, &setup, "uploaded", &r, &client, &status))
    return status;
  if (s->submit) {
    if (!ask_again(s, "Password (again, to submit the studies)", password, sizeof password)) {
      report_close_early(r, IGT_E_INVALID, NULL);
      close_client(client);
      return no_password(s, "--submit");
    }
    o.submit_password = password;
  }
  igt_status result = igt_upload(client, &o, report_callbacks(r), &summary, &err);
  explicit_bzero(password, sizeof password);
  return end_transfer(r, client, result, &summary, &err);
}

static const option upload_options[] = {SELECTION_OPTIONS,
                                        STUDY_OPTIONS,
                                        FIELD_OPTIONS,
                                        {"submit", 0, OPTION_FLAG, AT(submit), NULL, NULL,
                                         "submit each complete study; asks for the password"},
                                        {"category", 0, OPTION_LIST, AT(category), "NAME",
                                         "files|annotations|dicom",
                                         "upload annotations, or DICOM for import (default files)"},
                                        FOLLOW_LINKS_OPTION,
                                        CLUTTER_OPTION,
                                        IGNORE_UNKNOWN_OPTION,
                                        TRUST_STUDY_JSON_OPTION,
                                        FLAT_NAMES_OPTION,
                                        MOVING_OPTIONS,
                                        END_OF_OPTIONS};

const command upload_command = {
    "upload",
    "LOCAL_FOLDER " PLACE,
    2,
    4,
    "upload studies",
    "Uploads LOCAL_FOLDER/INSTITUTE/<patient---study>/... to the institutes of a project, and\n"
    "LOCAL_FOLDER/files/... to the project itself. Files that the cloud already has are skipped\n"
    "and changed ones replaced, so running the command again resumes an interrupted upload.",
    upload_options,
    true,
    cmd_upload};

static igt_status to_stdout(void *payload, const void *data, size_t n) {
  (void)payload;
  return write_text(data, n) ? IGT_OK : IGT_E_IO;
}

static void write_csv_summary(const igt_csv_summary *sum, igt_status status) {
  printf("{\"kind\":\"summary\"");
  json_text(stdout, "status", igt_status_name(status), false);
  json_text(stdout, "local", sum->path, false);
  printf(",\"institutes\":%llu,\"studies\":%llu,\"studiesFailed\":%llu,\"studiesUndated\":%llu,"
         "\"files\":%llu,\"rows\":%llu,\"valuesLeftOut\":%llu,\"seconds\":%.3f}\n",
         (unsigned long long)sum->institutes, (unsigned long long)sum->studies,
         (unsigned long long)sum->studies_failed, (unsigned long long)sum->studies_undated,
         (unsigned long long)sum->files, (unsigned long long)sum->rows,
         (unsigned long long)sum->fields_left_out, sum->seconds);
}

static void print_csv_summary(const settings *s, const igt_csv_summary *sum) {
  char where[4200] = "";

  if (s->quiet)
    return;
  if (*sum->path) {
    const char *folder = s->arguments[0], *slash = strrchr(sum->path, '/');
    snprintf(where, sizeof where, " to %s%s%s", folder,
             folder[strlen(folder) - 1] == '/' ? "" : "/", slash ? slash + 1 : sum->path);
  }
  if (s->files || s->category.count)
    message(s, "Wrote %llu %s of %llu %s with their files%s", (unsigned long long)sum->rows,
            sum->rows == 1 ? "row" : "rows", (unsigned long long)sum->studies,
            sum->studies == 1 ? "study" : "studies", where);
  else
    message(s, "Wrote %llu %s%s", (unsigned long long)sum->studies,
            sum->studies == 1 ? "study" : "studies", where);
  note(sum->studies_undated, "study has", "studies have", " no date and passed the date filter");
  note(sum->fields_left_out, "value has", "values have", " no column in the file");
  note(sum->studies_failed, "study", "studies", " FAILED");
}

bool selects_files(const settings *s) {
  return s->include.count || s->exclude.count || s->filter_from.count || s->files_from.count ||
         s->min_size || s->max_size;
}

/* A folder "out.csv" would be made, with the file in it. */
static bool names_a_csv_file(const char *target) {
  char inside[4096];
  size_t n = strlen(target);

  (void)snprintf(inside, sizeof inside, "%s/.", target);
  return n > 4 && strcasecmp(target + n - 4, ".csv") == 0 && !file_exists(inside);
}

/* What is written and where; false: a usage error was printed. */
static bool take_csv(const settings *s, igt_csv_options *o, igt_filters *filters) {
  if (names_a_csv_file(s->arguments[0])) {
    usage_error("'%s' looks like a file, but TARGET_FOLDER is a folder; did you mean `igtcloud csv "
                "- PROJECT > %s`?",
                s->arguments[0], s->arguments[0]);
    return false;
  }
  if (strcmp(s->arguments[0], "-") == 0)
    o->write = to_stdout;
  else
    o->target = s->arguments[0];
  o->categories = categories_of(s);
  o->files = s->files || o->categories;
  o->append = s->append;
  filters->include = s->include.v;
  filters->include_count = s->include.count;
  filters->exclude = s->exclude.v;
  filters->exclude_count = s->exclude.count;
  o->filters = filters;
  if (o->files || !selects_files(s))
    return true;
  usage_error("options that choose files require --files");
  return false;
}

/* Rows on standard output leave no place for the JSON lines of a report. */
static int run_csv(const settings *s, igt_client *client, const igt_csv_options *o) {
  igt_csv_summary summary = IGT_CSV_SUMMARY_INIT;
  igt_error err = IGT_ERROR_INIT;
  settings plain = *s;
  int status = EXIT_FAILED;
  report *r;

  plain.json = plain.json && !o->write;
  if (!(r = report_open(&plain, "listed", &status)))
    return status;
  igt_status result = igt_csv(client, o, report_callbacks(r), &summary, &err);
  report_end(r);
  if (plain.json)
    write_csv_summary(&summary, result);
  if (result == IGT_OK || result == IGT_E_SOME_FAILED)
    print_csv_summary(s, &summary);
  return result == IGT_OK ? EXIT_DONE : fail(&err);
}

static int cmd_csv(settings *s) {
  igt_csv_options o = IGT_CSV_OPTIONS_INIT;
  igt_filters filters = IGT_FILTERS_INIT;
  igt_study_selection selection = IGT_STUDY_SELECTION_INIT;
  const char *environment;
  int status = EXIT_USAGE;
  igt_client *client;

  if (!check_dates(s) || !parse_shard(s, &o.shard, &o.shards) || !select_studies(s, &selection) ||
      !take_filters(s, &filters) || !take_place(s, &selection.institute, &environment) ||
      !take_csv(s, &o, &filters))
    return EXIT_USAGE;
  o.selection = &selection;
  selection.project = s->arguments[1];
  selection.ext = s->ext;
  selection.start = s->start;
  selection.end = s->end;
  if (!(client = open_client(s, environment, &status)))
    return status;
  status = run_csv(s, client, &o);
  close_client(client);
  return status;
}

static const option csv_options[] = {
    SELECTION_OPTIONS,
    STUDY_OPTIONS,
    FIELD_OPTIONS,
    {"files", 0, OPTION_FLAG, AT(files), NULL, NULL, "write a row for each file"},
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "list files of this category; repeatable, default files"},
    FILTER_OPTIONS,
    {"append", 0, OPTION_FLAG, AT(append), NULL, NULL, "append to an existing file"},
    END_OF_OPTIONS};

const command csv_command = {
    "csv",
    "TARGET_FOLDER " PLACE,
    2,
    4,
    "list studies as CSV",
    "Writes TARGET_FOLDER/cloud_<project>.csv with a row for each study, or writes to standard\n"
    "output if TARGET_FOLDER is -.",
    csv_options,
    true,
    cmd_csv};
