/* SPDX-License-Identifier: MIT */
/* The ls command: lists what is below a place: projects, institutes, studies, series or files,
 * depending on the kind of the node. Each kind has its columns; listing.c prints the rows. place.c
 * resolves the path; the library lists the nodes. With -l, institutes and studies get the numbers
 * and sizes of their files, which scan.c lists. main.c calls it through ls_command. */
#include <stdlib.h>
#include <string.h>

#include "igtcloud/selection.h"
#include "scan.h"
#include "transfer_options.h"

static const option ls_options[] = {
    {"count", 'l', OPTION_FLAG, AT(details), NULL, NULL,
     "count files and bytes; lists the files of each study"},
    {"long", 0, OPTION_FLAG, AT(ids), NULL, NULL, "show ids on a terminal as well"},
    {"sort", 0, OPTION_TEXT, AT(sort), "ORDER", "name|date|size|files|none",
     "default: name on a terminal, else the cloud's order"},
    {"category", 0, OPTION_LIST, AT(category), "NAME", "files|dicom|annotations",
     "with -l: count files of this category; repeatable, default files"},
    FIELDS_OPTION,
    DATE_OPTIONS,
    STUDY_OPTIONS,
    FIELD_OPTIONS,
    EXT_OPTION,
    FILTER_OPTIONS,
    END_OF_OPTIONS};

static const column projects[] = {{"TYPE", "projectTypeName", false, 0},
                                  {"DESCRIPTION", "description", false, LOOK_WIDE},
                                  {"ID", "id", false, LOOK_ID},
                                  {"PROJECT", "name", false, LOOK_NAME},
                                  {NULL, NULL, false, 0}};
static const column institutes[] = {{"STUDIES", "studyType", false, 0},
                                    {"DESCRIPTION", "description", false, LOOK_WIDE},
                                    {"ID", "id", false, LOOK_ID},
                                    {"INSTITUTE", "name", false, LOOK_NAME},
                                    {NULL, NULL, false, 0}};
static const column counted_institutes[] = {{"TYPE", "studyType", false, 0},
                                            {"STUDIES", "studyCount", false, LOOK_COUNT},
                                            {"FILES", "fileCount", false, LOOK_COUNT},
                                            {"SIZE", "byteCount", true, LOOK_SIZE},
                                            {"DESCRIPTION", "description", false, LOOK_WIDE},
                                            {"ID", "id", false, LOOK_ID},
                                            {"INSTITUTE", "name", false, LOOK_NAME},
                                            {NULL, NULL, false, 0}};
#define DATES "datetime|studyDate|procedureDate"
static const column studies[] = {{"TYPE", "studyType", false, 0},
                                 {"DATE", DATES, false, LOOK_TIME},
                                 {"STATE", "electronicRecordState|state", false, 0},
                                 {"ID", "studyDatabaseId", false, LOOK_ID},
                                 {"STUDY", "studyIdHumanReadable", false, LOOK_NAME},
                                 {NULL, NULL, false, 0}};
static const column counted_studies[] = {{"FILES", "fileCount", false, LOOK_COUNT},
                                         {"SIZE", "byteCount", true, LOOK_SIZE},
                                         {"DATE", DATES, false, LOOK_TIME},
                                         {"STATE", "electronicRecordState|state", false, 0},
                                         {"TYPE", "studyType", false, 0},
                                         {"ID", "studyDatabaseId", false, LOOK_ID},
                                         {"STUDY", "studyIdHumanReadable", false, LOOK_NAME},
                                         {NULL, NULL, false, 0}};
static const column series[] = {{"TYPE", "seriesType", false, 0},
                                {"MODALITY", "modality", false, 0},
                                {"NAME", "displayName|documentTitle", false, LOOK_WIDE},
                                {"ID", "seriesDatabaseId", false, 0},
                                {"UID", "instanceUid", false, 0},
                                {NULL, NULL, false, 0}};
static const column files[] = {{"SIZE", "fileSize", true, LOOK_SIZE},
                               {"COMPLETE", "isCompleted", false, 0},
                               {"FILE", "fileName|key", false, LOOK_NAME},
                               {NULL, NULL, false, 0}};

typedef struct ls {
  const settings *s;
  const place *p;
  listing *out;
  const char *below;   /* only paths below this; "" for all */
  bool with_category;  /* names start with "files/" and so on */
  size_t count;        /* rows */
  const char *project; /* of selected studies */
  bool in_institute;   /* they are shown without their institute */
  int status;          /* of scans */
  uint64_t unmatched;  /* entries of the selection without a study */
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

/* ---- with -l ---- */

typedef struct counted {
  ls *l;
  scan c;
  uint64_t studies, files, bytes;
} counted;

static igt_status print_counted(counted *n, const igt_model *model, const char *path,
                                const char *name, bool with_studies) {
  const struct {
    const char *name;
    uint64_t n;
  } counts[] = {{"studyCount", n->studies}, {"fileCount", n->files}, {"byteCount", n->bytes}};
  igt_field_text fields[3];
  char numbers[3][24];
  size_t count = 0;

  for (size_t i = with_studies ? 0 : 1; i < 3; i++, count++) {
    snprintf(numbers[count], sizeof numbers[count], "%llu", (unsigned long long)counts[i].n);
    fields[count] = (igt_field_text){.name = counts[i].name,
                                     .is = IGT_SET,
                                     .text = numbers[count],
                                     .json = numbers[count],
                                     .known = true};
  }
  scan_clear_counts(&n->c);
  return listing_row_with(n->l->out, model, path, name, fields, count);
}

static igt_status add_study(void *payload, const igt_listed_study *study) {
  counted *n = payload;

  n->studies++;
  n->files += study->files;
  n->bytes += study->bytes;
  return IGT_OK;
}

/* An institute, with the sums of its studies. */
static igt_status each_counted_institute(void *payload, igt_node *node) {
  ls *l = payload;
  counted n = {.l = l};
  place p = {.client = l->p->client, .target = IGT_NODE_TARGET_INIT};
  igt_status status = IGT_E_NO_MEMORY;
  char *path;

  p.target.node = node;
  scan_below(&n.c, l->s, &p);
  n.c.on_study = add_study;
  n.c.payload = &n;
  int ended = scan_run(&n.c);
  if (ended != EXIT_DONE)
    l->status = ended;
  if (ended != EXIT_DONE && ended != EXIT_SOME_FAILED)
    return IGT_E_CANCELLED;
  if ((path = path_of(node)) != NULL)
    status = print_counted(&n, igt_node_model(node), path, igt_node_name(node), true);
  free(path);
  return status;
}

/* Of a study; path: of it. */
static const char *shown_name(const ls *l, const char *name, const char *path) {
  return l->project && !l->in_institute ? path + strlen(l->project) + 1 : name;
}

static igt_status each_counted_study(void *payload, const igt_listed_study *study) {
  counted *n = payload;
  char *path = scan_study_path(&n->c, study);
  igt_status status = path ? IGT_OK : IGT_E_NO_MEMORY;

  n->files = study->files;
  n->bytes = study->bytes;
  if (status == IGT_OK)
    status =
        print_counted(n, &study->study->model, path, shown_name(n->l, study->name, path), false);
  n->c.enough = status == IGT_E_CANCELLED && listing_is_full(n->l->out);
  free(path);
  return status;
}

/* The exit status. */
static int count_studies(ls *l) {
  counted n = {.l = l};

  scan_below(&n.c, l->s, l->p);
  if (listing_sorts(l->out) && !l->s->newest) /* the first ones are known at the end */
    n.c.selection.limit = 0;
  n.c.on_study = each_counted_study;
  n.c.payload = &n;
  return scan_run(&n.c);
}

static const column *columns_of(igt_node_kind kind, bool details) {
  return kind == IGT_NODE_PROJECT     ? projects
         : kind == IGT_NODE_INSTITUTE ? (details ? counted_institutes : institutes)
         : kind == IGT_NODE_STUDY     ? (details ? counted_studies : studies)
         : kind == IGT_NODE_SERIES    ? series
                                      : files;
}

static igt_node_kind children_of(igt_node_kind kind) {
  return kind == IGT_NODE_CLOUD       ? IGT_NODE_PROJECT
         : kind == IGT_NODE_PROJECT   ? IGT_NODE_INSTITUTE
         : kind == IGT_NODE_INSTITUTE ? IGT_NODE_STUDY
                                      : IGT_NODE_FILE;
}

static igt_status list_nodes(ls *l, igt_node_kind kind, igt_error *err) {
  static const igt_node_kind in_study[] = {IGT_NODE_FILE, IGT_NODE_DICOM, IGT_NODE_ANNOTATION};
  igt_node *node = l->p->target.node;
  igt_status status = IGT_OK;

  if (!l->with_category)
    return igt_node_each(
        node, kind, l->s->details && kind == IGT_NODE_INSTITUTE ? each_counted_institute : each, l,
        err);
  for (size_t i = 0; status == IGT_OK && i < 3; i++)
    status = igt_node_each(node, in_study[i], each, l, err);
  return status;
}

/* The exit status of a list that ended in some way. */
static int end_list(ls *l, igt_status status, const igt_error *err) {
  bool full = l->out && listing_is_full(l->out);
  int result;

  if (status == IGT_E_CANCELLED && full) /* --limit */
    status = IGT_OK;
  result = listing_close(l->out, exit_status_of(status));
  if (status == IGT_OK && l->count == 0 && *l->below && !l->s->details) {
    usage_error("'%s' does not exist", l->below);
    return EXIT_NOT_FOUND;
  }
  if (l->status != EXIT_DONE) /* reported */
    return l->status;
  /* The listing has already reported an invalid field. */
  return status == IGT_OK || status == IGT_E_INVALID ? result : fail(err);
}

static int list(const settings *s, const place *p) {
  const igt_node_target *target = &p->target;
  igt_node_kind kind =
      target->kind != IGT_NODE_NONE ? target->kind : children_of(igt_node_kind_of(target->node));
  bool whole_study =
      target->kind == IGT_NODE_NONE && igt_node_kind_of(target->node) == IGT_NODE_STUDY;
  igt_error err = IGT_ERROR_INIT;
  ls l = {.s = s,
          .p = p,
          .out = listing_open(s, columns_of(kind, s->details)),
          .below = target->rest,
          .with_category = whole_study};
  igt_status status = IGT_OK;

  if (!l.out)
    return EXIT_USAGE;
  if (s->details && kind == IGT_NODE_STUDY)
    l.status = count_studies(&l);
  else
    status = list_nodes(&l, kind, &err);
  return end_list(&l, status, &err);
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
  status = listing_row(l->out, &study->model, path, shown_name(l, study_name, path));
  free(path);
  return status;
}

static void report_trouble(void *payload, igt_status status, const char *text) {
  ls *l = payload;

  if (status == IGT_E_NOT_FOUND)
    print_unmatched(l->s, &l->unmatched, text);
  else if (status == IGT_OK)
    message(l->s, "%s", text);
  else
    complain(status, "%s", text);
}

/* Of a project, an institute, or one of its patients. */
static int list_selected(const settings *s, const place *p, igt_study_selection *selection) {
  const igt_node_target *target = &p->target;
  const igt_node *node = target->node;
  bool in_institute = igt_node_kind_of(node) == IGT_NODE_INSTITUTE;
  const igt_node *project = in_institute ? igt_node_parent(node) : node;
  igt_error err = IGT_ERROR_INIT;
  igt_status status;
  ls l = {.s = s, .p = p, .below = target->rest, .in_institute = in_institute};

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
  if (!(l.out = listing_open(s, s->details ? counted_studies : studies)))
    return EXIT_USAGE;
  if (s->details)
    return listing_close(l.out, count_studies(&l));
  if (listing_sorts(l.out) && !s->newest)
    selection->limit = 0;
  status = igt_selection_each(p->client, selection, each_selected, &l, report_trouble, &err);
  listing_close(l.out, EXIT_DONE);
  end_unmatched(s, l.unmatched);
  return status == IGT_OK ? EXIT_DONE : fail(&err);
}

static int cmd_ls(settings *s) {
  igt_study_selection selection = IGT_STUDY_SELECTION_INIT;
  int status = EXIT_FAILED;
  place p;

  if (!check_dates(s) || !select_studies(s, &selection))
    return EXIT_USAGE;
  if (!s->details && (s->ext || selects_files(s)))
    return usage_error(
        "options that choose files require -l, which counts them; `igtcloud find` lists files");
  selection.start = s->start;
  selection.end = s->end;
  if (!place_open(&p, s, s->argument_count ? s->arguments[0] : "", &status))
    return status;
  if (igt_node_kind_of(p.target.node) == IGT_NODE_INSTITUTE && p.target.kind == IGT_NODE_DICOM)
    status = usage_error("an institute's DICOM import is write-only and cannot be listed");
  else if (selects_studies(s) || s->start || s->end || s->newest)
    status = list_selected(s, &p, &selection);
  else
    status = list(s, &p);
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
    "Prints a table on a terminal, sorted by name, with sizes and dates in short forms;\n"
    "otherwise tab-separated lines without a header, in the cloud's order and with exact\n"
    "values. --json prints all fields; --fields selects some. -l adds the number and size of\n"
    "the files of each study or institute, which takes one request for each study; options\n"
    "that choose files choose which of them count.",
    ls_options,
    true,
    cmd_ls};
