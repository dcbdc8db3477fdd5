/* SPDX-License-Identifier: MIT */
/* The manifest command, and --manifest of download and verify. `igtcloud manifest` writes what a
 * selection of studies consists of; the others read such a file, which then is all the selection
 * there is. It is untrusted: it may name a cloud, but the user's credentials go there only if it is
 * a known one, or the one that the user chose. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "igtcloud/manifest.h"
#include "transfer_options.h"

static igt_status to_stdout(void *payload, const void *data, size_t n) {
  (void)payload;
  (void)fwrite(data, 1, n, stdout);
  return output_failed() ? IGT_E_IO : IGT_OK;
}

/* ---- igtcloud manifest ---- */

static void print_written(const settings *s, const igt_transfer_summary *sum) {
  char size[32];

  if (s->quiet)
    return;
  format_size(sum->bytes_done, size, sizeof size);
  message(s, "Listed %llu %s, %llu %s (%s)", (unsigned long long)sum->studies,
          sum->studies == 1 ? "study" : "studies", (unsigned long long)sum->files_done,
          sum->files_done == 1 ? "file" : "files", size);
  note(sum->studies_undated, "study has", "studies have", " no date and passed the date filter");
  note(sum->files_incomplete, "file is", "files are", " incomplete in the cloud; left out");
  note(sum->files_unverified, "file has", "files have",
       " no digest in the store: only its ETag and size identify it");
}

/* The items go to --report; standard output is the manifest's. */
static int write_manifest(settings *s, const char *environment, const igt_manifest_options *o) {
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  igt_error err = IGT_ERROR_INIT;
  settings plain = *s;
  int status = EXIT_FAILED;
  igt_client *client;
  report *r;
  igt_status result;

  plain.json = false;
  if (!(r = report_open(&plain, "listed", &status)) ||
      !(client = report_client(r, environment, o->selection->project, &status)))
    return status;
  result = igt_manifest_write(client, o, report_callbacks(r), &summary, &err);
  report_end(r);
  close_client(client);
  if (result == IGT_OK && output_error())
    return EXIT_FAILED; /* main says why */
  if (result == IGT_OK || result == IGT_E_SOME_FAILED)
    print_written(s, &summary);
  return result == IGT_OK ? EXIT_DONE : fail(&err);
}

static int cmd_manifest(settings *s) {
  igt_manifest_options o = IGT_MANIFEST_OPTIONS_INIT;
  igt_study_selection selection = IGT_STUDY_SELECTION_INIT;
  igt_filters filters = IGT_FILTERS_INIT;
  const char *environment;
  int status;

  if (!check_dates(s) || !parse_shard(s, &o.shard, &o.shards) || !select_studies(s, &selection) ||
      !take_filters(s, &filters))
    return EXIT_USAGE;
  selection.project = s->arguments[0];
  selection.institute = s->argument_count > 1 ? s->arguments[1] : NULL;
  environment = s->argument_count > 2 ? s->arguments[2] : NULL;
  if (environment && !is_environment(environment))
    return usage_error("the environment must be PROD or TEST, not '%s'", environment);
  select_files(s, &selection, &o.categories);
  filters.include = s->include.v;
  filters.include_count = s->include.count;
  filters.exclude = s->exclude.v;
  filters.exclude_count = s->exclude.count;
  o.selection = &selection;
  o.filters = &filters;
  o.write = to_stdout;
  char *criteria = given_options(&manifest_command);
  o.criteria = criteria;
  status = write_manifest(s, environment, &o);
  free(criteria);
  return status;
}

static const option manifest_options[] = {
    SELECTION_OPTIONS,
    STUDY_OPTIONS,
    FIELD_OPTIONS,
    FILTER_OPTIONS,
    AGE_OPTIONS,
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "list files of this category; repeatable, default files"},
    {"connections", 0, OPTION_NUMBER, AT(connections), "N", NULL,
     "maximum connections (default 128; opened as needed)"},
    {"report", 0, OPTION_TEXT, AT(report), "FILE", NULL,
     "write a JSON line for each file that failed or was left out"},
    END_OF_OPTIONS};

const command manifest_command = {
    "manifest",
    PLACE,
    1,
    3,
    "write a manifest of studies, to download or verify them later",
    "Writes a manifest of the selected studies to standard output: JSON lines with each study and\n"
    "each file, its size, digest and ETag, and a last line that shows whether any of it was\n"
    "changed or cut off. `igtcloud download --manifest FILE TARGET_FOLDER` fetches exactly these\n"
    "files, and `igtcloud verify --manifest FILE` proves later that nothing has changed. "
    "This\ntakes one request to the store for each file.",
    manifest_options,
    true,
    cmd_manifest};

/* ---- --manifest ---- */

/* Of the command line; what variables and profiles choose does not apply. */
static bool chooses_nothing(void) {
  static const struct {
    size_t offset;
    const char *name;
  } choices[] = {{AT(institute), "institute"},
                 {AT(study), "study"},
                 {AT(studies_from), "studies-from"},
                 {AT(patient), "patient"},
                 {AT(modality), "modality"},
                 {AT(label), "label"},
                 {AT(modified_since), "modified-since"},
                 {AT(modified_until), "modified-until"},
                 {AT(limit), "limit"},
                 {AT(newest), "newest"},
                 {AT(ext), "ext"},
                 {AT(start), "start"},
                 {AT(end), "end"},
                 {AT(category), "category"},
                 {AT(project_files), "project-files"},
                 {AT(include), "include"},
                 {AT(exclude), "exclude"},
                 {AT(filter_from), "filter-from"},
                 {AT(files_from), "files-from"},
                 {AT(min_size), "min-size"},
                 {AT(max_size), "max-size"},
                 {AT(min_age), "min-age"},
                 {AT(max_age), "max-age"}};

  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
    const char *origin = option_origin(choices[i].offset);
    if (origin && strcmp(origin, "the command line") == 0) {
      usage_error("--manifest selects the files; it cannot be combined with --%s", choices[i].name);
      return false;
    }
  }
  return true;
}

/* NULL: *status is set. */
static igt_manifest *open_manifest(const settings *s, int *status) {
  igt_error err = IGT_ERROR_INIT;
  igt_manifest *m = NULL;

  *status = EXIT_USAGE;
  if (!chooses_nothing() || (strcmp(s->manifest, "-") == 0 && !take_input(s, "manifest")))
    return NULL;
  /* A download opens its manifest once more. */
  if (strcmp(s->manifest, "-") == 0 && !os_keep_input()) {
    *status = EXIT_FAILED;
    complain(IGT_E_IO, "cannot read the manifest on standard input: %s", strerror(errno));
    return NULL;
  }
  if (igt_manifest_open(file_option(s->manifest), &m, &err) != IGT_OK)
    *status = fail(&err);
  return m;
}

static void print_manifest(const settings *s, const igt_manifest *m) {
  const igt_manifest_info *info = igt_manifest_get_info(m);
  char size[32];

  format_size(info->bytes, size, sizeof size);
  message(s, "Manifest of %s: %llu %s, %llu %s (%s) of '%s', %s", info->created,
          (unsigned long long)info->studies, info->studies == 1 ? "study" : "studies",
          (unsigned long long)info->files, info->files == 1 ? "file" : "files", size, info->project,
          info->cloud);
}

/* Patterns may come from a variable or the profile. */
static void choose_nothing(igt_transfer_options *o) {
  o->include_count = o->exclude_count = 0;
  o->filters = NULL;
}

int download_manifest(settings *s) {
  igt_download_options o = IGT_DOWNLOAD_OPTIONS_INIT;
  igt_transfer_options transfer = IGT_TRANSFER_OPTIONS_INIT;
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_USAGE;
  const igt_manifest_info *info;
  igt_manifest *m;
  igt_client *client;
  report *r;

  if (s->argument_count != 1)
    return usage_error("download --manifest takes the TARGET_FOLDER only: the manifest names the "
                       "project");
  if (!transfer_options(s, &transfer) || !(m = open_manifest(s, &status)))
    return status;
  choose_nothing(&transfer);
  o.transfer = &transfer;
  o.target = s->arguments[0];
  o.manifest = file_option(s->manifest);
  o.include_modified_date = s->include_modified_date;
  info = igt_manifest_get_info(m);
  if ((r = report_open(s, "downloaded", &status)) != NULL &&
      (client = report_sign_in(r, open_client_of(s, info->cloud, &status), info->project,
                               &status)) != NULL) {
    print_manifest(s, m);
    igt_status result = igt_download(client, &o, report_callbacks(r), &summary, &err);
    status = report_close(r, result, &summary, &err);
    close_client(client);
  }
  igt_manifest_close(m);
  return status;
}

static int verify_folder(settings *s, const igt_manifest *m, const igt_transfer_options *transfer) {
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  igt_error err = IGT_ERROR_INIT;
  const igt_manifest_info *info = igt_manifest_get_info(m);
  igt_cancel *cancel = igt_cancel_new(); /* a signal may come at any time: never freed */
  int status = EXIT_FAILED;
  report *r;

  if (!cancel)
    return fail(&(igt_error){.status = IGT_E_NO_MEMORY, .text = "out of memory"});
  catch_signals(cancel);
  print_manifest(s, m);
  if ((r = report_open(s, "verified", &status)) != NULL) {
    report_about(r, info->cloud, info->project);
    igt_status result = igt_manifest_verify_folder(m, s->arguments[0], transfer, cancel,
                                                   report_callbacks(r), &summary, &err);
    status = report_close(r, result, &summary, &err);
  }
  return status;
}

static int verify_cloud(settings *s, const igt_manifest *m, const igt_transfer_options *transfer) {
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  igt_error err = IGT_ERROR_INIT;
  const igt_manifest_info *info = igt_manifest_get_info(m);
  int status = EXIT_FAILED;
  igt_client *client;
  report *r = report_open(s, "verified", &status);

  if (!r || !(client = report_sign_in(r, open_client_of(s, info->cloud, &status), info->project,
                                      &status)))
    return status;
  print_manifest(s, m);
  igt_status result = igt_manifest_verify(client, m, transfer, report_callbacks(r), &summary, &err);
  status = report_close(r, result, &summary, &err);
  close_client(client);
  return status;
}

int verify_manifest(settings *s) {
  igt_transfer_options transfer = IGT_TRANSFER_OPTIONS_INIT;
  int status = EXIT_USAGE;
  igt_manifest *m;

  if (s->argument_count > 1)
    return usage_error("verify --manifest takes at most a LOCAL_FOLDER: the manifest names the "
                       "project");
  if (!transfer_options(s, &transfer) || !(m = open_manifest(s, &status)))
    return status;
  choose_nothing(&transfer);
  status = s->argument_count ? verify_folder(s, m, &transfer) : verify_cloud(s, m, &transfer);
  igt_manifest_close(m);
  return status;
}
