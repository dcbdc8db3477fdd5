/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"
#include "igtcloud/upgrade.h"
#include "igtcloud/version.h"

static const option options[] = {
    {"dry-run", 0, OPTION_FLAG, AT(dry_run), NULL, NULL, "only show what would be done"},
    CA_FILE_OPTION,
    PROXY_OPTION,
    TIMEOUT_OPTION,
    RETRIES_OPTION,
    END_OF_OPTIONS};

/* The running executable, with links resolved. */
static bool own_file(char *out, size_t cap) {
  const char *why = os_program(out, cap);

  if (why)
    complain(IGT_E_IO, "cannot determine the path of this program: %s", why);
  return !why;
}

static void report_result(const settings *s, const char *file, const igt_upgrade_result *result) {
  if (s->json) {
    putchar('{');
    json_text(stdout, "version", result->version, true);
    json_text(stdout, "previous", igt_version(), false);
    printf(",\"replaced\":%s}\n", result->replaced ? "true" : "false");
  } else if (result->is_current) {
    message(s, "igtcloud %s is already installed%s.", result->version,
            s->argument_count ? "" : " (the latest release)");
  } else if (s->dry_run) {
    print_safe(stdout, file);
    printf(": igtcloud %s would become %s\n", igt_version(), result->version);
  } else {
    message(s, "%s: igtcloud %s is now %s", file, igt_version(), result->version);
  }
}

static int cmd_upgrade(settings *s) {
  igt_upgrade_options o = IGT_UPGRADE_OPTIONS_INIT;
  igt_upgrade_result result = IGT_UPGRADE_RESULT_INIT;
  igt_error err = IGT_ERROR_INIT;
  const char *page = getenv("IGTCLOUD_RELEASES");
  char file[4096];

  if (!own_file(file, sizeof file))
    return EXIT_FAILED;
  o.releases = page && *page ? page : release_url();
  o.release_key = release_key();
  o.current = igt_version();
  o.target = file;
  o.version = s->argument_count ? s->arguments[0] : NULL;
  o.dry_run = s->dry_run;
  o.ca_file = file_option(s->ca_file);
  o.proxy = s->proxy;
  o.proxy_source = proxy_source();
  o.idle_timeout_ms = (unsigned)(s->timeout * 1000);
  o.retries = (int)s->retries;
  o.cancel = igt_cancel_new(); /* never freed: a signal may come at any time */
  catch_signals(o.cancel);
  if (igt_upgrade(&o, &result, &err) != IGT_OK)
    return fail(&err);
  report_result(s, file, &result);
  return EXIT_DONE;
}

const command upgrade_command = {
    "upgrade",
    "[VERSION]",
    0,
    1,
    "replace this program with the latest release",
    "Replaces this program with the latest release if that is newer, or with VERSION, which may\n"
    "be older. The download's signature is verified before anything is replaced; on failure, the\n"
    "program stays as it is.",
    options,
    false,
    cmd_upgrade};
