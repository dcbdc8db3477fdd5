/* SPDX-License-Identifier: MIT */
/* `igtcloud station install` and `station remove`: a station as a service of Windows, which
 * service.c is. On Linux systemd's units do that (packaging/systemd). */
#include "cli.h"

#include "os/windows/system.h"
#include "station/options.h"
#include "station/station.h"

#include <stdlib.h>

#define DEFAULT_NAME "igtcloud-station"
#define WORDS_MOST 512

static const char *name_of(const settings *s) {
  return s->service_name ? s->service_name : DEFAULT_NAME;
}

/* ---- what the service would not have ---- */

/* A variable of this terminal is not one of the service. */
static void warn_of_variables(void) {
  for (char **v = os_environment(); *v; v++) {
    size_t n = strcspn(*v, "=");

    if (strncmp(*v, "IGTCLOUD_", 9) == 0 || strncmp(*v, "CLOUD_DOMAIN=", 13) == 0)
      complain_at(PRIORITY_WARNING, IGT_OK,
                  "%.*s is set here, but not for the service: give the option instead", (int)n, *v);
  }
}

static void warn_of_configuration(const settings *s) {
  const char *path = config_path(s);

  if (path && !s->config && file_exists(path))
    complain_at(PRIORITY_WARNING, IGT_OK,
                "the service does not read your configuration file '%s': name one with --config "
                "that its account can read, but not write",
                path);
}

static bool check(settings *s) {
  igt__stat st;

  if (!station_check(s))
    return false;
  if (igt__os_stat(s->arguments[0], &st) != 0 || !S_ISDIR(st.st_mode)) {
    usage_error("'%s' is not a folder", s->arguments[0]);
    return false;
  }
  if (s->service_file && !igt__os_is_readable(s->service_file)) {
    usage_error("cannot read the key '%s'", s->service_file);
    return false;
  }
  if (s->proxy && strchr(s->proxy, '@')) {
    usage_error("others can read a service's command line: write the proxy with its password into "
                "a configuration file, and give that with --config");
    return false;
  }
  if (s->service_file || s->password_command)
    return true;
  usage_error("a service cannot ask for a password: give --service-file");
  return false;
}

/* ---- its command line ---- */

/* How many words an option of installing takes: these are no options of a station. */
static int words_of_installing(const char *word) {
  static const char *const names[] = {"--service-name", "--account"};

  for (size_t i = 0; i < 2; i++) {
    size_t n = strlen(names[i]);

    if (strncmp(word, names[i], n) == 0 && (!word[n] || word[n] == '='))
      return word[n] ? 1 : 2;
  }
  return 0;
}

static size_t station_words(const char *out[WORDS_MOST]) {
  size_t given, n = 0;
  const char *const *words = typed_words(&given);
  bool only_arguments = false;

  out[n++] = "station";
  for (size_t i = 0; i < given && n < WORDS_MOST; i++) {
    int skip = only_arguments ? 0 : words_of_installing(words[i]);

    only_arguments |= strcmp(words[i], "--") == 0;
    if (skip)
      i += (size_t)skip - 1;
    else
      out[n++] = words[i];
  }
  return n;
}

static int run_install(settings *s) {
  const char *words[WORDS_MOST];
  char title[300];
  service made = {.name = name_of(s), .title = title, .account = s->account, .words = words};
  const char *account = s->account ? s->account : "NT AUTHORITY\\LocalService";
  int status;

  if (!check(s))
    return EXIT_USAGE;
  made.count = station_words(words);
  (void)snprintf(title, sizeof title, "IGT Cloud upload station (%s)", made.name);
  status = service_install(&made);
  if (status != EXIT_DONE)
    return status;
  warn_of_variables();
  warn_of_configuration(s);
  message(s,
          "Installed the service %s, which starts with Windows. Let its account use the folder%s, "
          "then start it:",
          made.name, s->service_file ? " and read the key" : "");
  message(s, "    icacls \"%s\" /grant \"%s:(OI)(CI)M\"", s->arguments[0], account);
  if (s->service_file)
    message(s, "    icacls \"%s\" /grant \"%s:R\"", s->service_file, account);
  message(s, "    sc start %s", made.name);
  return EXIT_DONE;
}

static int run_remove(settings *s) {
  const char *name = s->argument_count ? s->arguments[0] : DEFAULT_NAME;
  int status = service_remove(name);

  if (status == EXIT_DONE)
    message(s, "Removed the service %s", name);
  return status;
}

/* ---- the commands ---- */

static const option install_options[] = {
    {"service-name", 0, OPTION_TEXT, AT(service_name), "NAME", NULL,
     "the service's name (default " DEFAULT_NAME ")"},
    {"account", 0, OPTION_TEXT, AT(account), "ACCOUNT", NULL,
     "the account that it runs as (default LocalService); prompts for its password"},
    STATION_OPTIONS,
    END_OF_OPTIONS};

const command station_install_command = {
    "station install",
    "FOLDER " PLACE,
    2,
    4,
    "install a station as a service of Windows",
    "Takes the same arguments as `igtcloud station`, and makes Windows run it at each start, "
    "under\n"
    "an account with few rights. It is restarted after errors, and writes to the event log.\n"
    "Relative paths are relative to the current folder. Requires an administrator. `sc start`,\n"
    "`sc stop` and the list of services control it; `sc control NAME paramchange` makes it reload\n"
    "its configuration.",
    install_options,
    true,
    run_install};

const command station_remove_command = {
    "station remove",
    "[NAME]",
    0,
    1,
    "remove the service of a station",
    "Stops the service and removes it. Requires an administrator. Folders and keys stay.",
    no_options,
    false,
    run_remove};
