/* SPDX-License-Identifier: MIT */
/* The ls command: lists what is below a place: projects, institutes, studies, series or files,
 * depending on the kind of the node. Each kind has its columns; listing.c prints the rows. place.c
 * resolves the path; the library lists the nodes. main.c calls it through ls_command. */
#include <stdlib.h>
#include <string.h>

#include "igtcloud/selection.h"
#include "transfer_options.h"

static const option ls_options[] = {FIELDS_OPTION, STUDY_OPTIONS, FIELD_OPTIONS, END_OF_OPTIONS};

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
  const char *below;   /* only paths below this; "" for all */
  bool with_category;  /* names start with "files/" and so on */
  size_t count, limit; /* rows; limit 0: all */
  const char *project; /* of selected studies */
  bool in_institute;   /* they are shown without their institute */
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
  if (l->limit && l->count == l->limit)
    return IGT_E_CANCELLED;
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
  ls l = {.out = listing_open(s, columns_of(kind)),
          .below = target->rest,
          .with_category = whole_study,
          .limit = (size_t)s->limit};
  igt_status status = l.out ? IGT_OK : IGT_E_NO_MEMORY;
  int result;

  for (size_t i = 0; whole_study && status == IGT_OK && i < 3; i++)
    status = igt_node_each(target->node, in_study[i], each, &l, &err);
  if (!whole_study && status == IGT_OK)
    status = igt_node_each(target->node, kind, each, &l, &err);
  if (l.limit && l.count == l.limit && status == IGT_E_CANCELLED)
    status = IGT_OK;
  result = listing_close(l.out, exit_status_of(status));
  if (status == IGT_OK && l.count == 0 && *l.below) {
    usage_error("'%s' does not exist", target->rest);
    return EXIT_NOT_FOUND;
  }
  /* The listing has already reported an invalid field. */
  return status == IGT_OK || status == IGT_E_INVALID ? result : fail(&err);
}

/* ---- selected studies ---- */

static igt_status each_selected(void *payload, const igt_institute *institute,
                                const igt_root_study *study) {
  ls *l = payload;
  const char *human = study->study_id_human_readable.v, *name = institute->name.v;
  const char *study_name = human && *human ? human : study->study_database_id.v;
  char *path = NULL;
  igt_status status;

  if (!study_name || !is_below(study_name, l->below))
    return IGT_OK;
  if (asprintf(&path, "%s/%s/%s", l->project, name ? name : "", study_name) < 0)
    return IGT_E_NO_MEMORY;
  l->count++;
  status = listing_row(l->out, &study->model, path,
                       l->in_institute ? study_name : path + strlen(l->project) + 1);
  free(path);
  return status;
}

static void tell(void *payload, igt_status status, const char *text) {
  (void)payload;
  (void)status;
  complain("%s", text);
}

/* Of a project, an institute, or one of its patients. */
static int list_selected(const settings *s, const place *p, igt_study_selection *selection) {
  const igt_node_target *target = &p->target;
  const igt_node *node = target->node;
  bool in_institute = igt_node_kind_of(node) == IGT_NODE_INSTITUTE;
  const igt_node *project = in_institute ? igt_node_parent(node) : node;
  igt_error err = IGT_ERROR_INIT;
  igt_status status;
  ls l = {.below = target->rest, .in_institute = in_institute};

  if (igt_node_kind_of(project) != IGT_NODE_PROJECT ||
      (target->kind != IGT_NODE_NONE && target->kind != IGT_NODE_STUDY))
    return usage_error("options that select studies require PROJECT, PROJECT/INSTITUTE or "
                       "PROJECT/INSTITUTE/PATIENT");
  selection->project = l.project = igt_node_name(project);
  if (in_institute)
    selection->institute = igt_node_name(node);
  if (*l.below && (s->study.count || s->studies_from))
    return usage_error("a patient and --study or --studies-from both name studies: use one");
  if (*l.below) {
    selection->studies = &l.below;
    selection->study_count = 1;
  }
  if (!(l.out = listing_open(s, studies)))
    return EXIT_FAILED;
  status = igt_selection_each(p->client, selection, each_selected, &l, tell, &err);
  listing_close(l.out, EXIT_DONE);
  return status == IGT_OK ? EXIT_DONE : fail(&err);
}

static int cmd_ls(settings *s) {
  igt_study_selection selection = IGT_STUDY_SELECTION_INIT;
  int status = EXIT_FAILED;
  place p;

  if (!select_studies(s, &selection))
    return EXIT_USAGE;
  if (!place_open(&p, s, s->argument_count ? s->arguments[0] : "", &status))
    return status;
  if (igt_node_kind_of(p.target.node) == IGT_NODE_INSTITUTE && p.target.kind == IGT_NODE_DICOM)
    status = usage_error("an institute's DICOM import is write-only and cannot be listed");
  else if (selects_studies(s) || s->newest)
    status = list_selected(s, &p, &selection);
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
    "With options that select studies, lists the selected studies of the project or institute.\n"
    "\n"
    "Prints a table on a terminal, otherwise tab-separated lines without a header. --json prints\n"
    "all fields; --fields selects some.",
    ls_options,
    true,
    cmd_ls};
