/* SPDX-License-Identifier: MIT */
/* The rm command: counts what the node contains, asks, and deletes it. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const option rm_options[] = {
    YES_OPTION,
    {"dry-run", 0, OPTION_FLAG, AT(dry_run), NULL, NULL, "only print what would be deleted"},
    END_OF_OPTIONS};

/* What is deleted with the node. Files are counted in a study only: elsewhere that would be a
 * request for each study. */
typedef struct content {
  size_t institutes, studies, files;
  unsigned long long bytes;
} content;

static igt_status add_file(void *payload, igt_node *node) {
  content *c = payload;
  const igt_file *file = (const igt_file *)igt_node_model(node);

  c->files++;
  if (file->file_size.is == IGT_SET && file->file_size.v > 0)
    c->bytes += (unsigned long long)file->file_size.v;
  return IGT_OK;
}

static igt_status count_content(igt_node *node, content *c, igt_error *err) {
  static const igt_node_kind kinds[] = {IGT_NODE_FILE, IGT_NODE_DICOM, IGT_NODE_ANNOTATION};
  igt_status status = IGT_OK;
  size_t count = 0;

  switch (igt_node_kind_of(node)) {
  case IGT_NODE_PROJECT:
    status = igt_node_count(node, IGT_NODE_INSTITUTE, &c->institutes, err);
    for (size_t i = 0; i < c->institutes && status == IGT_OK; i++) {
      status =
          igt_node_count(igt_node_at(node, IGT_NODE_INSTITUTE, i), IGT_NODE_STUDY, &count, err);
      c->studies += status == IGT_OK ? count : 0;
    }
    return status;
  case IGT_NODE_INSTITUTE:
    return igt_node_count(node, IGT_NODE_STUDY, &c->studies, err);
  case IGT_NODE_STUDY:
    for (size_t i = 0; i < 3 && status == IGT_OK; i++)
      status = igt_node_each(node, kinds[i], add_file, c, err);
    return status;
  default:
    return add_file(c, node);
  }
}

static const char *plural(size_t n, const char *one, const char *many) {
  return n == 1 ? one : many;
}

/* " with 3 institutes and 40 studies" */
static void describe(igt_node_kind kind, const content *c, char *out, size_t cap) {
  char size[32];

  format_size(c->bytes, size, sizeof size);
  out[0] = '\0';
  if (kind == IGT_NODE_PROJECT)
    snprintf(out, cap, " with %zu %s and %zu %s", c->institutes,
             plural(c->institutes, "institute", "institutes"), c->studies,
             plural(c->studies, "study", "studies"));
  else if (kind == IGT_NODE_INSTITUTE)
    snprintf(out, cap, " with %zu %s", c->studies, plural(c->studies, "study", "studies"));
  else if (kind == IGT_NODE_STUDY)
    snprintf(out, cap, " with %zu %s (%s)", c->files, plural(c->files, "file", "files"), size);
  else
    snprintf(out, cap, " (%s)", size);
}

static void print_json_result(const settings *s, igt_node_kind kind, const char *path,
                              const content *c) {
  printf("{");
  json_text(stdout, "kind", igt_node_kind_name(kind), true);
  json_text(stdout, "path", path, false);
  printf(",\"deleted\":%s", s->dry_run ? "false" : "true");
  if (kind == IGT_NODE_PROJECT)
    printf(",\"institutes\":%zu", c->institutes);
  if (kind == IGT_NODE_PROJECT || kind == IGT_NODE_INSTITUTE)
    printf(",\"studies\":%zu", c->studies);
  else
    printf(",\"files\":%zu,\"bytes\":%llu", c->files, c->bytes);
  printf("}\n");
}

/* with: as describe says. */
static void print_result(const settings *s, igt_node_kind kind, const char *path, const char *with,
                         const content *c) {
  if (s->json)
    print_json_result(s, kind, path, c);
  if (s->dry_run && !s->json) {
    printf("Would delete the %s '", igt_node_kind_name(kind));
    print_safe(stdout, path);
    printf("'%s\n", with);
  } else {
    message(s, s->dry_run ? "Would delete the %s '%s'%s" : "Deleted the %s '%s'%s",
            igt_node_kind_name(kind), path, with);
  }
}

/* A project is too much for a hasty "y". */
static int confirm_name(const settings *s, const char *path, const char *with) {
  char question[1024], typed[512] = "";

  if (s->yes)
    return EXIT_DONE;
  snprintf(question, sizeof question, "Delete the project '%s'%s? Type its name to confirm", path,
           with);
  if (!ask_text(question, typed, sizeof typed))
    return no_answer("cannot ask for confirmation without a terminal; use --yes");
  if (strcmp(typed, path) == 0)
    return EXIT_DONE;
  complain(IGT_E_CANCELLED, "that is not the project's name; nothing was deleted");
  return EXIT_FAILED;
}

static int remove_node(const settings *s, igt_node *node) {
  igt_node_kind kind = igt_node_kind_of(node);
  igt_error err = IGT_ERROR_INIT;
  content c = {.files = 0};
  char *path = path_of(node), with[128];
  int status = EXIT_DONE;

  if (!path)
    return EXIT_FAILED;
  if (count_content(node, &c, &err) != IGT_OK) {
    free(path);
    return fail(&err);
  }
  describe(kind, &c, with, sizeof with);
  if (!s->dry_run)
    status = kind == IGT_NODE_PROJECT
                 ? confirm_name(s, path, with)
                 : confirm(s, "Delete the %s '%s'%s?", igt_node_kind_name(kind), path, with);
  if (status == EXIT_DONE && !s->dry_run && igt_node_remove(node, &err) != IGT_OK)
    status = fail(&err);
  if (status == EXIT_DONE)
    print_result(s, kind, path, with, &c);
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
    "Permanently deletes a file, study, institute or project, and everything in it. Counts what\n"
    "would be deleted and asks for confirmation; a project's name must be typed. Without a "
    "terminal,\n"
    "--yes is required.",
    rm_options,
    true,
    cmd_rm};
