/* SPDX-License-Identifier: MIT */
/* The version command. The commit is that of the sources when the program was built (meson's
 * vcs_tag); a library says its own version, so that a bug report names what ran. main.c calls it
 * through version_command, for --version, too. */
#include "igtcloud/version.h"

#include <string.h>

#include "cli.h"
#include "commit.h"
#include "os/os.h"

static void print_library(void *payload, const char *name, const char *version) {
  bool *first = payload;

  if (!first) {
    printf("  %-12s %s\n", name, version);
    return;
  }
  json_text(stdout, name, version, *first);
  *first = false;
}

/* What this build can do, and others cannot. */
static void print_features(bool json) {
  const struct {
    const char *name;
    bool has;
  } features[] = {{"journal", true}, {"upgrade", *release_key() != '\0'}};
  const char *comma = "";

  fputs(json ? ",\"features\":[" : "features:", stdout);
  for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
    if (!features[i].has)
      continue;
    printf(json ? "%s\"%s\"" : "%.0s %s", comma, features[i].name);
    comma = ",";
  }
  fputs(json ? "]" : "\n", stdout);
}

/* clang's __VERSION__ has its name, gcc's has the number alone. */
#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void print_details(bool json) {
  bool first = true;
  char platform[256] = "";

  os_system(false, platform, sizeof platform);
  if (json) {
    json_text(stdout, "commit", IGTCLOUD_COMMIT, false);
    json_text(stdout, "compiler", COMPILER, false);
    json_text(stdout, "platform", platform, false);
    printf(",\"libraries\":{");
    igt_libraries(print_library, &first);
    printf("}");
    print_features(true);
    return;
  }
  printf("commit: %s\ncompiler: %s\nplatform: %s\nlibraries:\n", IGTCLOUD_COMMIT, COMPILER,
         platform);
  igt_libraries(print_library, NULL);
  print_features(false);
}

static int cmd_version(settings *s) {
  if (s->json) {
    printf("{");
    json_text(stdout, "version", igt_version(), true);
  } else {
    printf("%s\n", igt_version());
  }
  if (s->verbose)
    print_details(s->json);
  if (s->json)
    printf("}\n");
  return EXIT_DONE;
}

static const option version_options[] = {
    {"verbose", 'v', OPTION_FLAG, AT(verbose), NULL, NULL,
     "also the commit, the libraries, the features and the platform"},
    END_OF_OPTIONS};

const command version_command = {
    "version",
    "",
    0,
    0,
    "print the version",
    "Prints the version and nothing else. The verbose form is for bug reports.",
    version_options,
    false,
    cmd_version,
    true};
