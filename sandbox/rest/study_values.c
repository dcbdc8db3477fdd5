/* SPDX-License-Identifier: MIT */
/* Distinct values in the studies of a project: case labels, sites. */
#include "rest.h"

#include "base/str.h"

void rest_push_once(igt__json *list, const char *text) {
  if (!text || !*text)
    return;
  for (size_t i = 0; i < igt__json_count(list); i++) {
    if (igt__str_eq(igt__json_str(igt__json_at(list, i)), text))
      return;
  }
  igt__json_push(list, igt__json_new_str(text));
}

typedef struct gathering {
  const char *project; /* NULL: any */
  const char *field;
  igt__json *list;
} gathering;

static bool add(void *payload, const char *id, const char *doc, size_t n) {
  gathering *g = payload;
  igt__json *study = NULL;

  (void)id;
  if (igt__json_parse(doc, n, "a study", &study, NULL) != IGT_OK)
    return true;
  if (!g->project || igt__str_eq(igt__json_get_str(study, "projectId"), g->project)) {
    const igt__json *value = igt__json_get(study, g->field);
    rest_push_once(g->list, igt__json_str(value));
    for (size_t i = 0; i < igt__json_count(value); i++)
      rest_push_once(g->list, igt__json_str(igt__json_at(value, i)));
  }
  igt__json_free(study);
  return true;
}

static void response(rest_call *call, const char *project, const char *field) {
  gathering g = {project, field, igt__json_new_array()};

  sbx_doc_each(call->server->store, "study", NULL, add, &g);
  rest_respond(call, 200, g.list);
}

void rest_case_labels(rest_call *call) {
  const char *project = sbx_query(call->req, "projectId", 0);

  if (!project || rest_exists(call, "project", project, "Project"))
    response(call, project, "caseLabels");
}

void rest_project_sites(rest_call *call) {
  if (rest_exists(call, "project", call->args[0], "Project"))
    response(call, call->args[0], "site");
}
