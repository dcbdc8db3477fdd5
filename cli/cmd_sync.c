/* SPDX-License-Identifier: MIT */
/* The sync command: an upload or a download, depending on which argument is the folder, with
 * --delete of local files that the cloud does not have. Nothing in the cloud is ever deleted. The
 * transfer itself, its options and its summary are those of download and upload (cmd_transfer.c,
 * report.c). */
#include <stdlib.h>
#include <string.h>

#include "transfer_options.h"

/* ---- which side is which ---- */

static bool is_remote(const char *text) {
  return strncmp(text, REMOTE, strlen(REMOTE)) == 0;
}

static bool has_separator(const char *text) {
  while (*text && !igt__os_is_separator(*text))
    text++;
  return *text;
}

/* A project's name may be that of a folder, too: then igt: tells them apart. */
static bool looks_local(const char *text) {
  igt__stat st;

  return !is_remote(text) && (has_separator(text) || text[0] == '.' ||
                              (igt__os_stat(text, &st) == 0 && S_ISDIR(st.st_mode)));
}

/* False: it is a path, and a usage error says how to write what is meant. */
static bool is_project(const char *project, const char *folder, bool down) {
  int n = (int)strcspn(project, "/");
  const char *institute = project + n + strspn(project + n, "/");

  if (!project[n])
    return true;
  if (strchr(institute, '/'))
    usage_error("'" REMOTE "%s' is a path, but sync takes a project: select studies with --study, "
                "as in: igtcloud sync '%s%.*s' ... --study 'PATIENT/STUDY'",
                project, REMOTE, n, project);
  else if (down)
    usage_error(
        "'" REMOTE
        "%s' is a path, but sync takes a project; the institute comes last: igtcloud sync '" REMOTE
        "%.*s' '%s' '%s'",
        project, n, project, folder, institute);
  else
    usage_error("'" REMOTE "%s' is a path, but sync takes a project; the institute comes last: "
                "igtcloud sync '%s' '" REMOTE "%.*s' '%s'",
                project, folder, n, project, institute);
  return false;
}

/* False: a usage error was printed. */
static bool take_sides(const settings *s, bool *down, const char **folder, const char **project) {
  const char *a = s->arguments[0], *b = s->arguments[1];
  bool marked = is_remote(a) || is_remote(b);

  if (is_remote(a) && is_remote(b)) {
    usage_error(
        "one side of a sync must be a local folder: only one argument can begin with " REMOTE);
    return false;
  }
  if (!marked && looks_local(a) == looks_local(b)) {
    usage_error("cannot tell which of '%s' and '%s' is the project: write " REMOTE
                "PROJECT for it, as in `igtcloud sync " REMOTE "'My project' studies`",
                a, b);
    return false;
  }
  *down = marked ? is_remote(a) : looks_local(b);
  *folder = *down ? b : a;
  *project = remote_path(*down ? a : b);
  if (!**project || !**folder) {
    usage_error("the project's name is missing after " REMOTE);
    return false;
  }
  return !marked || is_project(*project, *folder, *down);
}

/* ---- the transfer ---- */

typedef struct sides {
  bool down;
  const char *folder;
  igt_transfer_options transfer;
  igt_filters filters;
  igt_study_selection selection;
  unsigned categories;
} sides;

static igt_status transfer(const settings *s, igt_client *client, const sides *x,
                           const igt_transfer_callbacks *callbacks, igt_transfer_summary *summary,
                           igt_error *err) {
  igt_download_options down = IGT_DOWNLOAD_OPTIONS_INIT;
  igt_upload_options up = IGT_UPLOAD_OPTIONS_INIT;

  if (x->down) {
    down.transfer = &x->transfer;
    down.selection = &x->selection;
    down.target = x->folder;
    down.categories = x->categories;
    down.include_modified_date = s->include_modified_date;
    down.delete_extra = s->delete_extra;
    down.max_delete = s->max_delete < 0 ? UINT64_MAX : (uint64_t)s->max_delete;
    return igt_download(client, &down, callbacks, summary, err);
  }
  up.transfer = &x->transfer;
  up.selection = &x->selection;
  up.source = x->folder;
  up.category = x->categories;
  return igt_upload(client, &up, callbacks, summary, err);
}

static int run(const settings *s, igt_client *client, const sides *x, report *r) {
  igt_transfer_summary summary = IGT_TRANSFER_SUMMARY_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_status result = transfer(s, client, x, report_callbacks(r), &summary, &err);

  return report_close(r, result, &summary, &err);
}

static int cmd_sync(settings *s) {
  sides x = {.transfer = IGT_TRANSFER_OPTIONS_INIT,
             .filters = IGT_FILTERS_INIT,
             .selection = IGT_STUDY_SELECTION_INIT};
  const char *environment, *project;
  int status = EXIT_USAGE;
  igt_client *client;
  report *r;

  if (!take_sides(s, &x.down, &x.folder, &project) || !check_dates(s) ||
      !transfer_options(s, &x.transfer) || !select_studies(s, &x.selection) ||
      !take_filters(s, &x.filters) || !take_place(s, &x.selection.institute, &environment))
    return EXIT_USAGE;
  if (!x.down && s->delete_extra)
    return usage_error("--delete deletes local files, when the cloud is the source; `igtcloud rm` "
                       "deletes in the cloud");
  if (s->max_delete && !s->delete_extra)
    return usage_error("--max-delete requires --delete");
  select_files(s, &x.selection, &x.categories);
  if (!x.down && s->category.count > 1)
    return usage_error("an upload takes only one --category");
  x.selection.project = project;
  x.transfer.filters = &x.filters;
  if (!(r = report_open(s, x.down ? "downloaded" : "uploaded", &status)) ||
      !(client = report_client(r, environment, project, &status)))
    return status;
  status = run(s, client, &x, r);
  close_client(client);
  return status;
}

static const option sync_options[] = {
    {"delete", 0, OPTION_FLAG, AT(delete_extra), NULL, NULL,
     "after a run without failures, delete local files that the cloud does not have"},
    {"max-delete", 0, OPTION_NUMBER, AT(max_delete), "N", NULL,
     "delete nothing if more files than this would be (default 100); 0 allows no deletion"},
    SELECTION_OPTIONS,
    STUDY_OPTIONS,
    FIELD_OPTIONS,
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "what to synchronize; repeatable for downloads, default files"},
    MODIFIED_DATE_OPTION,
    PORTABLE_NAMES_OPTION,
    FOLLOW_LINKS_OPTION,
    CLUTTER_OPTION,
    IGNORE_UNKNOWN_OPTION,
    TRUST_STUDY_JSON_OPTION,
    MOVING_OPTIONS,
    END_OF_OPTIONS};

const command sync_command = {
    "sync",
    "SOURCE TARGET [INSTITUTE] [PROD|TEST]",
    2,
    4,
    "make a folder match the cloud, or bring the cloud up to date",
    "Downloads (igt:PROJECT FOLDER) or uploads (FOLDER igt:PROJECT) what is missing or has "
    "changed,\n"
    "as `igtcloud download` and `igtcloud upload` do. igt: may be left out if the other argument\n"
    "is an existing folder or contains a slash.\n"
    "\n"
    "--delete is for downloads: when everything else has succeeded, it deletes local files that\n"
    "the cloud does not have, in the folders of studies that were downloaded before. The folder\n"
    "of a study that the cloud no longer has is named, and stays. Nothing in the cloud is ever\n"
    "deleted.\n"
    "--dry-run prints what would happen on standard output.",
    sync_options,
    true,
    cmd_sync};
