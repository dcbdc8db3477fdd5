/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "transfer_options.h"

static int cmd_verify(settings *s) {
  igt_verify_options o = IGT_VERIFY_OPTIONS_INIT;
  transfer_setup setup;
  igt_error err = IGT_ERROR_INIT;
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  int status = EXIT_USAGE;
  igt_client *client;
  report *r;

  if (s->manifest)
    return verify_manifest(s);
  if (!take_transfer(s, &verify_command, &setup))
    return EXIT_USAGE;
  o.transfer = &setup.transfer;
  o.selection = &setup.selection;
  o.local = s->arguments[0];
  o.project_files = s->project_files;
  select_files(s, &setup.selection, &o.categories);
  if (!begin_transfer(s, &setup, "verified", &r, &client, &status))
    return status;
  igt_status result = igt_verify(client, &o, report_callbacks(r), &summary, &err);
  return end_transfer(r, client, result, &summary, &err);
}

static const option verify_options[] = {
    SELECTION_OPTIONS,
    STUDY_OPTIONS,
    FIELD_OPTIONS,
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "what to compare; repeatable, default files"},
    {"project-files", 0, OPTION_FLAG, AT(project_files), NULL, NULL,
     "only the project's own files, in LOCAL_FOLDER/files"},
    FOLDER_STRUCTURE_OPTION,
    FILTER_OPTIONS,
    AGE_OPTIONS,
    MANIFEST_OPTION("compare this manifest with LOCAL_FOLDER, or without one with the cloud"),
    FOLLOW_LINKS_OPTION,
    IGNORE_UNKNOWN_OPTION,
    TRUST_STUDY_JSON_OPTION,
    CLUTTER_OPTION,
    CONCURRENT_STUDIES_OPTION,
    CONCURRENT_FILES_OPTION,
    {"connections", 0, OPTION_NUMBER, AT(connections), "N", NULL,
     "maximum connections to S3 (default 128); reads up to 16 files at once"},
    REPORT_OPTION,
    {"journal", 0, OPTION_FILE, AT(journal), "FILE", NULL,
     "the file in which uploads recorded their digests"},
    {"no-journal", 0, OPTION_FLAG, AT(no_journal), NULL, NULL, "use the store's digests only"},
    END_OF_OPTIONS};

const command verify_command = {
    "verify",
    "LOCAL_FOLDER " PLACE,
    0,
    4,
    "compare a folder with the cloud",
    "Compares each file in LOCAL_FOLDER with the cloud without transferring it, and reports "
    "every\n"
    "file that is not identical: different, missing here (in the folder), missing there (in the\n"
    "cloud, or in the manifest), or unchecked if the store has no digest. Exits with 0 if all\n"
    "files match, with 3 if not; what an upload leaves out is named and counted only.\n"
    "\n"
    "With --manifest and a LOCAL_FOLDER, its files are compared with the digests in the manifest,\n"
    "without any cloud or account. With --manifest alone, the cloud is compared with the "
    "manifest,\n"
    "without reading or transferring content.",
    verify_options,
    true,
    cmd_verify};
