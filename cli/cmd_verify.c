/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"

int cmd_verify(settings *s) {
  igt_verify_options o = IGT_VERIFY_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_summary summary;
  const char *environment;
  int status = EXIT_USAGE;
  igt_client *client;
  report *r;

  if (!check_dates(s) || !transfer_options(s, &o.transfer) ||
      !take_place(s, &o.selection.institute, &environment))
    return EXIT_USAGE;
  o.local = s->arguments[0];
  o.selection.project = s->arguments[1];
  o.project_files = s->project_files;
  select_files(s, &o.selection, &o.categories);
  if (!(client = open_client(s, environment, &status)))
    return status;
  message(s, "Using %s", igt_client_domain(client));
  if ((r = report_open(s, "verified", &status)) != NULL) {
    igt_status result = igt_verify(client, &o, report_callbacks(r), &summary, &err);
    status = report_close(r, result, &summary, &err);
  }
  close_client(client);
  return status;
}
