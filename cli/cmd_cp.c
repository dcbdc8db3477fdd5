/* SPDX-License-Identifier: MIT */
/* The cp command: copies one file from or to the cloud, whose side is marked by "igt:". A download
 * writes to a file, a folder or standard output; an upload reads a file or standard input. The
 * library resolves the path in the cloud and moves the bytes; report.c prints the result. main.c
 * calls cmd_cp. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "igtcloud/file.h"
#include "transfer_options.h"

/* Standard input is buffered in memory first: its size is announced before its bytes. */
#define INPUT_MOST ((size_t)1024 * 1024 * 1024)

static const option cp_options[] = {
    {"include-modified-date", 0, OPTION_FLAG, AT(include_modified_date), NULL, NULL,
     "set the local file's modification time to the cloud's"},
    FOLLOW_LINKS_OPTION,
    {"bwlimit", 0, OPTION_TEXT, AT(bwlimit), "RATE", NULL, "limit bytes/s, such as 20M"},
    JOURNAL_OPTION,
    NO_JOURNAL_OPTION,
    END_OF_OPTIONS};

static bool is_remote(const char *text) {
  return strncmp(text, REMOTE, strlen(REMOTE)) == 0;
}

static igt_file_options file_options(const settings *s) {
  igt_file_options o = IGT_FILE_OPTIONS_INIT;

  o.journal = s->journal;
  o.no_journal = s->no_journal;
  o.keep_date = s->include_modified_date;
  o.follow_links = s->follow_links;
  return o;
}

/* ---- download ---- */

/* With a slash at its end if it is a folder: the file keeps its name there. free() it. */
static char *local_target(const char *target) {
  size_t n = strlen(target);
  igt__stat st;
  bool folder = igt__os_stat(target, &st) == 0 && S_ISDIR(st.st_mode) && n && target[n - 1] != '/';
  char *path = malloc(n + 2);

  if (path)
    snprintf(path, n + 2, "%s%s", target, folder ? "/" : "");
  else
    complain(IGT_E_NO_MEMORY, "out of memory");
  return path;
}

static int download(const settings *s, igt_client *client, const char *source, const char *target) {
  igt_file_options options = file_options(s);
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  char *path = local_target(target);
  report *r = path ? report_open_single(s, "downloaded", &status) : NULL;

  if (r) {
    igt_status result =
        igt_file_download_path(client, source, path, &options, report_callbacks(r), &err);
    status = report_close_single(r, result, &err);
  }
  free(path);
  return status;
}

static int copy_down(const settings *s) {
  const char *source = remote_path(s->arguments[0]), *target = s->arguments[1];
  int status = EXIT_FAILED;
  igt_client *client = open_here(s, &status);

  if (!client)
    return status;
  status =
      strcmp(target, "-") == 0 ? print_file(client, source) : download(s, client, source, target);
  close_client(client);
  return status;
}

/* ---- upload ---- */

static bool read_input(char **data, size_t *size) {
  size_t cap = 0, n = 0;
  char *all = NULL;

  for (;;) {
    if (n == cap) {
      char *more = realloc(all, cap ? cap * 2 : 65536);
      if (!more || cap >= INPUT_MOST)
        break;
      all = more;
      cap = cap ? cap * 2 : 65536;
    }
    ssize_t got = igt__os_read(STANDARD_INPUT, all + n, cap - n);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      break;
    if (got == 0) {
      *data = all;
      *size = n;
      return true;
    }
    n += (size_t)got;
  }
  free(all);
  complain(IGT_E_IO, "standard input cannot be read, or exceeds 1 GiB");
  return false;
}

static int upload(const settings *s, igt_client *client, const char *source, const char *target) {
  igt_file_source content = IGT_FILE_SOURCE_INIT;
  igt_file_options options = file_options(s);
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  char *data = NULL;

  content.path = source;
  if (strcmp(source, "-") == 0) {
    content.path = NULL;
    if (!read_input(&data, &content.data_size))
      return EXIT_FAILED;
    content.data = data;
  }
  report *r = report_open_single(s, "uploaded", &status);
  if (r) {
    igt_status result =
        igt_file_upload_path(client, target, &content, &options, report_callbacks(r), &err);
    status = report_close_single(r, result, &err);
  }
  free(data);
  return status;
}

static int copy_up(const settings *s) {
  const char *source = s->arguments[0], *target = remote_path(s->arguments[1]);
  bool input = strcmp(source, "-") == 0;
  int status = EXIT_FAILED;
  igt_client *client;

  if (input && s->password_stdin)
    return usage_error("standard input cannot be both the password and the file");
  if (!input && !igt__os_is_readable(source)) {
    complain(IGT_E_IO, "cannot read '%s': %s", source, strerror(errno));
    return EXIT_FAILED;
  }
  if (!(client = open_here(s, &status)))
    return status;
  status = upload(s, client, source, target);
  close_client(client);
  return status;
}

/* The side that is meant: what does not exist here. */
static int no_remote(const char *source, const char *target) {
  bool is_here = strcmp(source, "-") == 0 || file_exists(source);

  return usage_error("mark the side that is in the cloud with " REMOTE
                     ", as in: igtcloud cp '%s%s' '%s%s'",
                     is_here ? "" : REMOTE, source, is_here ? REMOTE : "", target);
}

static int cmd_cp(settings *s) {
  bool from = is_remote(s->arguments[0]), to = is_remote(s->arguments[1]);

  if (from && to)
    return usage_error("a copy has one side on this machine: only one of SOURCE_FILE and "
                       "TARGET_FILE can begin with " REMOTE);
  if (!from && !to)
    return no_remote(s->arguments[0], s->arguments[1]);
  return from ? copy_down(s) : copy_up(s);
}

const command cp_command = {
    "cp",
    "SOURCE_FILE TARGET_FILE",
    2,
    2,
    "copy a single file from or to the cloud",
    "Copies a single file. The remote path begins with igt:, such as\n"
    "igt:demo/north/P1/CT/files/report.txt. If the target ends in / or is a folder, the file\n"
    "keeps its name. A study's path is followed by files (default), dicom (read-only) or\n"
    "annotations, a project's by files; igt:PROJECT/INSTITUTE/dicom/ is the institute's DICOM\n"
    "import. An existing file of that name is replaced atomically. - is standard input as\n"
    "SOURCE_FILE, and standard output as TARGET_FILE (as `igtcloud cat`).\n"
    "\n"
    "  igtcloud cp igt:demo/north/P1/CT/files/report.txt .\n"
    "  igtcloud cp scan.dcm igt:demo/north/dicom/",
    cp_options,
    true,
    cmd_cp};
