/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "igtcloud/file.h"

static const option cat_options[] = {END_OF_OPTIONS};

static int write_out(const char *data, size_t n) {
  while (n > 0) {
    ssize_t done = igt__os_write(STANDARD_OUTPUT, data, n);
    if (done < 0 && errno == EINTR && !caught_signal())
      continue;
    if (done < 0 && caught_signal())
      return 128 + caught_signal();
    if (done < 0 && errno == EPIPE)
      os_note_broken_pipe();
    if (done < 0 && reader_is_gone())
      return EXIT_FAILED; /* main ends it as by the pipe */
    if (done < 0) {
      complain_io(errno, "cannot write to standard output: %s", strerror(errno));
      return EXIT_FAILED;
    }
    data += done;
    n -= (size_t)done;
  }
  return EXIT_DONE;
}

int print_file(igt_client *client, const char *path) {
  static char data[256 * 1024];
  igt_error err = IGT_ERROR_INIT;
  igt_file_reader *reader = NULL;
  igt_status status = igt_file_open_path(client, path, NULL, &reader, &err);
  int result = EXIT_DONE;
  size_t n = 1;

  while (status == IGT_OK && result == EXIT_DONE && n > 0) {
    status = igt_file_read(reader, data, sizeof data, &n, &err);
    if (status == IGT_OK)
      result = write_out(data, n);
  }
  igt_file_close(reader);
  return status == IGT_OK ? result : fail(&err);
}

static int cmd_cat(settings *s) {
  int status = EXIT_FAILED;
  igt_client *client = open_here(s, &status);

  if (!client)
    return status;
  status = print_file(client, remote_path(s->arguments[0]));
  close_client(client);
  return status;
}

const command cat_command = {
    "cat",
    "PROJECT/INSTITUTE/PATIENT/STUDY/files/NAME",
    1,
    1,
    "print a file in the cloud",
    "Writes a file to standard output as it arrives, however large it is. The content is verified\n"
    "at the end; if it does not match the store's digest, the exit status is 1. Use dicom or\n"
    "annotations instead of files for those categories; PROJECT/files/NAME is a project's own "
    "file.",
    cat_options,
    true,
    cmd_cat};
