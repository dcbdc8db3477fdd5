/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"

static const option show_options[] = {FIELDS_OPTION, END_OF_OPTIONS};

static int cmd_show(settings *s) {
  int status = EXIT_FAILED;
  igt_node *node;
  place p;

  if (!place_open(&p, s, s->arguments[0], &status))
    return status;
  node = place_node(&p, &status);
  if (node && igt_node_model(node)) {
    char *path = path_of(node);
    status = show_model(s, igt_node_model(node), path);
    free(path);
  } else if (node) {
    status = usage_error("name a project, institute, study or file");
  }
  place_close(&p);
  return status;
}

const command show_command = {
    "show",
    "PROJECT[/INSTITUTE[/PATIENT/STUDY[/files/FILE]]]",
    1,
    1,
    "show all fields of a project, institute, study or file",
    "Prints all fields, one per line. Names must match exactly; if a name is "
    "ambiguous,\nuse id:ID. `igtcloud ls` lists what exists.",
    show_options,
    true,
    cmd_show};
