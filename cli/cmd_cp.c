/* SPDX-License-Identifier: MIT */
/* The cp command: copies one file from or to the cloud, whose side is marked by "igt:". A download
 * opens the place and writes to a file, a folder or standard output; an upload resolves the target
 * folder, which also decides the name in the cloud, and reads a file or standard input. The library
 * moves the bytes; report.c prints the result. main.c calls cmd_cp. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "igtcloud/file.h"

/* Standard input is buffered in memory first: its size is announced before its bytes. */
#define MAX_INPUT ((size_t)1024 * 1024 * 1024)

static const option cp_options[] = {
    {"include-modified-date", 0, OPTION_FLAG, AT(include_modified_date), NULL, NULL,
     "set the local file's modification time to the cloud's"},
    {"follow-links", 0, OPTION_FLAG, AT(follow_links), NULL, NULL, "follow symbolic links"},
    {"bwlimit", 0, OPTION_TEXT, AT(bwlimit), "RATE", NULL, "limit bytes/s, such as 20M"},
    {"journal", 0, OPTION_TEXT, AT(journal), "FILE", NULL,
     "the file that records unfinished transfers"},
    {"no-journal", 0, OPTION_FLAG, AT(no_journal), NULL, NULL, "do not use a journal"},
    END_OF_OPTIONS};

static bool is_remote(const char *text) {
  return strncmp(text, REMOTE, strlen(REMOTE)) == 0;
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');

  return slash ? slash + 1 : path;
}

/* folder + "/" + name. free() it. */
static char *join(const char *folder, const char *name) {
  size_t n = strlen(folder), cap = n + strlen(name) + 2;
  char *path = malloc(cap);

  if (path)
    snprintf(path, cap, "%s%s%s", folder, n && folder[n - 1] != '/' ? "/" : "", name);
  return path;
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

static int download(const settings *s, igt_node *file, const char *target) {
  igt_file_options options = file_options(s);
  igt_error err = IGT_ERROR_INIT;
  struct stat st;
  int status = EXIT_FAILED;
  bool folder = (stat(target, &st) == 0 && S_ISDIR(st.st_mode)) ||
                (*target && target[strlen(target) - 1] == '/');
  char *path = folder ? join(target, base_name(igt_node_name(file))) : strdup(target);
  igt_status result;

  if (!path) {
    complain("out of memory");
    return EXIT_FAILED;
  }
  report *r = report_open_single(s, "downloaded", &status);
  if (r) {
    result = igt_file_download(file, path, &options, report_callbacks(r), &err);
    status = report_close_single(r, result, &err);
  }
  free(path);
  return status;
}

static int copy_down(const settings *s) {
  int status = EXIT_FAILED;
  igt_node *node;
  place p;

  if (!place_open(&p, s, s->arguments[0], &status))
    return status;
  node = place_node(&p, &status);
  if (node && is_file_kind(igt_node_kind_of(node)) && strcmp(s->arguments[1], "-") == 0)
    status = print_file(node);
  else if (node && is_file_kind(igt_node_kind_of(node)))
    status = download(s, node, s->arguments[1]);
  else if (node)
    status = usage_error("'%s' is not a file; use `igtcloud download` for studies", p.path);
  place_close(&p);
  return status;
}

/* ---- upload ---- */

static bool read_input(char **data, size_t *size) {
  size_t cap = 0, n = 0;
  char *all = NULL;

  for (;;) {
    if (n == cap) {
      char *more = realloc(all, cap ? cap * 2 : 65536);
      if (!more || cap >= MAX_INPUT)
        break;
      all = more;
      cap = cap ? cap * 2 : 65536;
    }
    ssize_t got = read(STDIN_FILENO, all + n, cap - n);
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
  complain("standard input cannot be read, or exceeds 1 GiB");
  return false;
}

/* The name in the cloud: the target's, or the local file's name in the target folder. */
static char *remote_name(const igt_node_target *target, const char *source) {
  const char *rest = target->rest;
  size_t n = strlen(rest);

  if (n && rest[n - 1] != '/')
    return strdup(rest);
  if (strcmp(source, "-") == 0) {
    usage_error("reading from standard input: add a file name to the target");
    return NULL;
  }
  return join(rest, base_name(source));
}

static int upload(const settings *s, igt_node_target *target, const char *name,
                  const char *source) {
  igt_node_kind kind = target->kind == IGT_NODE_NONE ? IGT_NODE_FILE : target->kind;
  igt_file_source content = {source, NULL, 0};
  igt_file_options options = file_options(s);
  igt_error err = IGT_ERROR_INIT;
  igt_status result;
  int status = EXIT_FAILED;
  char *data = NULL;

  if (strcmp(source, "-") == 0) {
    content.path = NULL;
    if (!read_input(&data, &content.size))
      return EXIT_FAILED;
    content.data = data;
  }
  report *r = report_open_single(s, "uploaded", &status);
  if (r) {
    result = igt_file_upload(target->node, kind, name, &content, &options, report_callbacks(r),
                             NULL, &err);
    status = report_close_single(r, result, &err);
  }
  free(data);
  return status;
}

static int copy_up(const settings *s) {
  const char *source = s->arguments[0];
  int status = EXIT_FAILED;
  char *name;
  place p;

  if (strcmp(source, "-") == 0 && s->password_stdin)
    return usage_error("standard input cannot be both the password and the file");
  if (strcmp(source, "-") != 0 && access(source, R_OK) != 0) {
    complain("cannot read '%s': %s", source, strerror(errno));
    return EXIT_FAILED;
  }
  if (!place_open(&p, s, s->arguments[1], &status))
    return status;
  name = remote_name(&p.target, source);
  status = name ? upload(s, &p.target, name, source) : EXIT_USAGE;
  free(name);
  place_close(&p);
  return status;
}

static int cmd_cp(settings *s) {
  bool from = is_remote(s->arguments[0]), to = is_remote(s->arguments[1]);

  if (from == to)
    return usage_error("either SOURCE_FILE or TARGET_FILE must be remote (" REMOTE
                       "PROJECT/...), for example: igtcloud cp " REMOTE "demo/files/a.txt .");
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
