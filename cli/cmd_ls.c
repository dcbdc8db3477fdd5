/* SPDX-License-Identifier: MIT */
/* The ls command: lists what is below a place: projects, institutes, studies, series or files,
 * depending on the kind of the node. Each kind has its columns; listing.c prints the rows. place.c
 * resolves the path; the library lists the nodes. main.c calls it through ls_command. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const option ls_options[] = {FIELDS_OPTION, END_OF_OPTIONS};

static const column projects[] = {{"TYPE", "projectTypeName", false},
                                  {"DESCRIPTION", "description", false},
                                  {"ID", "id", false},
                                  {"PROJECT", "name", false},
                                  {NULL, NULL, false}};
static const column institutes[] = {{"STUDIES", "studyType", false},
                                    {"DESCRIPTION", "description", false},
                                    {"ID", "id", false},
                                    {"INSTITUTE", "name", false},
                                    {NULL, NULL, false}};
static const column studies[] = {{"TYPE", "studyType", false},
                                 {"DATE", "datetime|studyDate|procedureDate", false},
                                 {"STATE", "electronicRecordState|state", false},
                                 {"ID", "studyDatabaseId", false},
                                 {"STUDY", "studyIdHumanReadable", false},
                                 {NULL, NULL, false}};
static const column series[] = {{"TYPE", "seriesType", false},
                                {"MODALITY", "modality", false},
                                {"NAME", "displayName|documentTitle", false},
                                {"ID", "seriesDatabaseId", false},
                                {"UID", "instanceUid", false},
                                {NULL, NULL, false}};
static const column files[] = {{"SIZE", "fileSize", true},
                               {"COMPLETE", "isCompleted", false},
                               {"FILE", "fileName|key", false},
                               {NULL, NULL, false}};

typedef struct ls {
  listing *out;
  const char *below;  /* only paths below this; "" for all */
  bool with_category; /* names start with "files/" and so on */
  size_t count;
} ls;

static bool is_below(const char *name, const char *folder) {
  size_t n = strlen(folder);

  return n == 0 || (strncmp(name, folder, n) == 0 &&
                    (name[n] == '\0' || name[n] == '/' || folder[n - 1] == '/'));
}

static igt_status each(void *payload, igt_node *node) {
  ls *l = payload;
  const char *name = igt_node_name(node);
  char *path;
  const char *shown;
  igt_status status;

  if (!is_below(name, l->below))
    return IGT_OK;
  l->count++;
  path = path_of(node);
  shown = path;
  if (!path)
    return IGT_E_NO_MEMORY;
  if (l->with_category) { /* the part of the path after the study */
    char *study = path_of(igt_node_parent(node));
    shown = study ? path + strlen(study) + 1 : path;
    free(study);
  }
  if (igt_node_kind_of(node) == IGT_NODE_SERIES)
    shown = NULL; /* its name may be its id, which has its own column */
  else if (!l->with_category)
    shown = name;
  status = listing_row(l->out, igt_node_model(node), path, shown);
  free(path);
  return status;
}

static const column *columns_of(igt_node_kind kind) {
  return kind == IGT_NODE_PROJECT     ? projects
         : kind == IGT_NODE_INSTITUTE ? institutes
         : kind == IGT_NODE_STUDY     ? studies
         : kind == IGT_NODE_SERIES    ? series
                                      : files;
}

static igt_node_kind children_of(igt_node_kind kind) {
  return kind == IGT_NODE_CLOUD       ? IGT_NODE_PROJECT
         : kind == IGT_NODE_PROJECT   ? IGT_NODE_INSTITUTE
         : kind == IGT_NODE_INSTITUTE ? IGT_NODE_STUDY
                                      : IGT_NODE_FILE;
}

static int list(const settings *s, const igt_node_target *target) {
  static const igt_node_kind in_study[] = {IGT_NODE_FILE, IGT_NODE_DICOM, IGT_NODE_ANNOTATION};
  igt_node_kind kind =
      target->kind != IGT_NODE_NONE ? target->kind : children_of(igt_node_kind_of(target->node));
  bool whole_study =
      target->kind == IGT_NODE_NONE && igt_node_kind_of(target->node) == IGT_NODE_STUDY;
  igt_error err = IGT_ERROR_INIT;
  ls l = {listing_open(s, columns_of(kind)), target->rest, whole_study, 0};
  igt_status status = l.out ? IGT_OK : IGT_E_NO_MEMORY;
  int result;

  for (size_t i = 0; whole_study && status == IGT_OK && i < 3; i++)
    status = igt_node_each(target->node, in_study[i], each, &l, &err);
  if (!whole_study && status == IGT_OK)
    status = igt_node_each(target->node, kind, each, &l, &err);
  result = listing_close(l.out, exit_status_of(status));
  if (status == IGT_OK && l.count == 0 && *l.below) {
    usage_error("'%s' does not exist", target->rest);
    return EXIT_NOT_FOUND;
  }
  /* The listing has already reported an invalid field. */
  return status == IGT_OK || status == IGT_E_INVALID ? result : fail(&err);
}

static int cmd_ls(settings *s) {
  int status = EXIT_FAILED;
  place p;

  if (!place_open(&p, s, s->argument_count ? s->arguments[0] : "", &status))
    return status;
  if (igt_node_kind_of(p.target.node) == IGT_NODE_INSTITUTE && p.target.kind == IGT_NODE_DICOM)
    status = usage_error("an institute's DICOM import is write-only and cannot be listed");
  else
    status = list(s, &p.target);
  place_close(&p);
  return status;
}

const command ls_command = {
    "ls",
    "[PROJECT[/INSTITUTE[/PATIENT/STUDY]]]",
    0,
    1,
    "list projects, institutes, studies and files",
    "Lists projects, a project's institutes, an institute's or a patient's studies, or a study's\n"
    "files. Append files, dicom, annotations or series to a study to list only these; "
    "PROJECT/files\n"
    "lists the project's own files. Names must match exactly; if a name is ambiguous, use id:ID.\n"
    "\n"
    "Prints a table on a terminal, otherwise tab-separated lines without a header. --json prints\n"
    "all fields; --fields selects some.",
    ls_options,
    true,
    cmd_ls};
