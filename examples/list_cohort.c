/* SPDX-License-Identifier: MIT */
/* Lists the studies of a project from a day on: institute, study, day. Sign in before, with
 * `igtcloud login`.
 *
 *     list_cohort DOMAIN PROJECT 2024-01-31
 */
#include <stdio.h>
#include <string.h>

#include <igtcloud/cloud.h>

/* The date is in a different field for each type of study. */
static const igt_time_field *date_of(const igt_root_study *study) {
  if (igt_model_is(&study->model, igt_epd_study_type()))
    return &((const igt_epd_study *)study)->datetime;
  if (igt_model_is(&study->model, igt_base_study_type()))
    return &((const igt_base_study *)study)->study_date;
  return NULL;
}

typedef struct cohort {
  const char *from;
  size_t count;
} cohort;

static igt_status each_study(void *payload, igt_node *node) {
  cohort *c = payload;
  const igt_time_field *date = date_of((const igt_root_study *)igt_node_model(node));

  if (!date || date->is != IGT_SET || strncmp(date->text, c->from, 10) < 0)
    return IGT_OK;
  c->count++;
  printf("%s\t%s\t%.10s\n", igt_node_name(igt_node_parent(node)), igt_node_name(node), date->text);
  return IGT_OK;
}

static igt_status list(igt_node *cloud, const char *project_name, cohort *c, igt_error *err) {
  igt_node *project = NULL;
  size_t institutes = 0;
  igt_status status = igt_node_find(cloud, IGT_NODE_PROJECT, project_name, &project, err);

  if (status == IGT_OK)
    status = igt_node_count(project, IGT_NODE_INSTITUTE, &institutes, err);
  for (size_t i = 0; status == IGT_OK && i < institutes; i++)
    status = igt_node_each(igt_node_at(project, IGT_NODE_INSTITUTE, i), IGT_NODE_STUDY, each_study,
                           c, err);
  return status;
}

int main(int argc, char **argv) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = NULL;
  igt_node *cloud = NULL;
  igt_status status;

  if (argc != 4) {
    fprintf(stderr, "usage: list_cohort DOMAIN PROJECT YYYY-MM-DD\n");
    return 2;
  }
  cohort c = {argv[3], 0};
  options.domain = argv[1];
  status = igt_client_new(&options, &client, &err);
  if (status == IGT_OK)
    status = igt_cloud_open(client, &cloud, &err);
  if (status == IGT_OK)
    status = list(cloud, argv[2], &c, &err);
  if (status == IGT_OK)
    fprintf(stderr, "%zu studies\n", c.count);
  else
    fprintf(stderr, "list_cohort: %s\n", err.text);
  igt_cloud_close(cloud);
  igt_client_free(client);
  return status == IGT_OK ? 0 : 1;
}
