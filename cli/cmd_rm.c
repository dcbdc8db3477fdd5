/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli.h"

static const option rm_options[] = {YES_OPTION, END_OF_OPTIONS};

static const char *consequence(igt_node_kind kind) {
  switch (kind) {
  case IGT_NODE_PROJECT:
    return " and everything in it";
  case IGT_NODE_INSTITUTE:
    return " and all its studies";
  case IGT_NODE_STUDY:
    return " and all its files";
  default:
    return "";
  }
}

static int remove_node(const settings *s, igt_node *node) {
  igt_node_kind kind = igt_node_kind_of(node);
  igt_error err = IGT_ERROR_INIT;
  char *path = path_of(node);
  int status;

  if (!path)
    return EXIT_FAILED;
  status = confirm(s, "Delete the %s '%s'%s?", igt_node_kind_name(kind), path, consequence(kind));
  if (status == EXIT_DONE && igt_node_remove(node, &err) != IGT_OK)
    status = fail(&err);
  else if (status == EXIT_DONE)
    message(s, "Deleted '%s'", path);
  free(path);
  return status;
}

static int cmd_rm(settings *s) {
  int status = EXIT_FAILED;
  igt_node *node;
  place p;

  if (!place_open(&p, s, s->arguments[0], &status))
    return status;
  node = place_node(&p, &status);
  if (node && igt_node_parent(node))
    status = remove_node(s, node);
  else if (node)
    status = usage_error("name a file, study, institute or project to delete");
  place_close(&p);
  return status;
}

const command rm_command = {
    "rm",
    "PROJECT[/INSTITUTE[/PATIENT/STUDY[/files/NAME]]]",
    1,
    1,
    "delete a file, study, institute or project",
    "Permanently deletes a file, study, institute or project, and everything in it. Asks for\n"
    "confirmation; without a terminal, --yes is required.",
    rm_options,
    true,
    cmd_rm};
