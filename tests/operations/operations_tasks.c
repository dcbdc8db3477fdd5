/* SPDX-License-Identifier: MIT */
/* AI Suite, tasks and reports. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/json.h"

#define CONNECTION "demo"
#define PROJECT "demo-ai-project"

/* A member of a response that is not in the description; free with free(). */
static char *member(const igt_text *response, const char *name) {
  igt__json *value = NULL;

  OK(igt__json_parse(response->v, response->len, "the answer", &value, &err));
  assert_non_null(igt__json_get_str(value, name));
  char *text = strdup(igt__json_get_str(value, name));
  igt__json_free(value);
  return text;
}

/* ---- AI Suite ---- */

static igt_status count_connections(void *payload, igt_ai_suite_connection *connection) {
  IS(connection->name, CONNECTION);
  ++*(size_t *)payload;
  return IGT_OK;
}

static igt_status count_projects(void *payload, igt_ai_suite_project *project) {
  IS(project->base.id, PROJECT);
  ++*(size_t *)payload;
  return IGT_OK;
}

static void test_connections_and_projects(void **state) {
  igt_ai_suite_connection_list *connections = NULL;
  igt_ai_suite_project_list *projects = NULL;
  size_t count = 0;

  (void)state;
  OK(igt_get_ai_suite_connections(client, NULL, &connections, &err));
  assert_int_equal(connections->count, 1);
  assert_int_equal(connections->v[0]->url.is, IGT_SET);
  igt_model_free(&connections->model);
  OK(igt_get_ai_suite_connections_each(client, NULL, count_connections, &count, &err));
  OK(igt_get_ai_suite_projects(client, CONNECTION, NULL, &projects, &err));
  assert_true(projects->count == 1 && projects->v[0]->create_date.v > 0);
  igt_model_free(&projects->model);
  OK(igt_get_ai_suite_projects_each(client, CONNECTION, NULL, count_projects, &count, &err));
  assert_int_equal(count, 2);
  FAILS(igt_get_ai_suite_projects(client, "none", NULL, &projects, &err), IGT_E_NOT_FOUND, "none");
}

static igt_status count_links(void *payload, igt_ai_suite_database_collection *link) {
  IS(link->identifier, "ops-project");
  ++*(size_t *)payload;
  return IGT_OK;
}

static void test_collections(void **state) {
  igt_link_ai_suite_collection_options link = IGT_LINK_AI_SUITE_COLLECTION_OPTIONS_INIT;
  igt_get_ai_suite_collections_options ask = IGT_GET_AI_SUITE_COLLECTIONS_OPTIONS_INIT;
  igt_ai_suite_database_collection_list *list = NULL;
  igt_ai_suite_database_collection *made = NULL;
  size_t count = 0;

  (void)state;
  link.aisuite_url = "https://ai.example/?a=1&b=2";
  link.identifier = "ops-project";
  link.identifier_type = "project";
  FAILS(igt_link_ai_suite_collection(client, CONNECTION, &link, NULL, &err), IGT_E_REQUIRED,
        "aisuiteCollectionId");
  link.aisuite_collection_id = "open";
  OK(igt_link_ai_suite_collection(client, CONNECTION, &link, &made, &err));
  IS(made->aisuite_url, "https://ai.example/?a=1&b=2");
  igt_model_free(&made->model);
  ask.igtcloud_identifier = "ops-project";
  OK(igt_get_ai_suite_collections(client, CONNECTION, &ask, &list, &err));
  assert_int_equal(list->count, 1);
  igt_model_free(&list->model);
  OK(igt_get_ai_suite_collections_each(client, CONNECTION, &ask, count_links, &count, &err));
  assert_int_equal(count, 1);
  ask.igtcloud_identifier = "other";
  OK(igt_get_ai_suite_collections(client, CONNECTION, &ask, &list, &err));
  assert_int_equal(list->count, 0);
  igt_model_free(&list->model);
}

static void test_mappings(void **state) {
  igt_generate_ai_suite_mappings_options make = IGT_GENERATE_AI_SUITE_MAPPINGS_OPTIONS_INIT;
  igt_get_ai_suite_attribute_mappings_options attributes =
      IGT_GET_AI_SUITE_ATTRIBUTE_MAPPINGS_OPTIONS_INIT;
  igt_get_ai_suite_file_mappings_options files = IGT_GET_AI_SUITE_FILE_MAPPINGS_OPTIONS_INIT;
  igt_text *text = NULL;

  (void)state;
  attributes.project_id = files.project_id = make.project_id = "ops-epd";
  OK(igt_get_ai_suite_attribute_mappings(client, &attributes, &text, &err));
  assert_string_equal(text->v, "[]\n");
  igt_model_free(&text->model);
  FAILS(igt_generate_ai_suite_mappings(viewer, &make, NULL, &err), IGT_E_FORBIDDEN, "viewer");
  OK(igt_generate_ai_suite_mappings(client, &make, NULL, &err));
  OK(igt_get_ai_suite_attribute_mappings(client, &attributes, &text, &err));
  assert_non_null(strstr(text->v, "procedureTypes"));
  igt_model_free(&text->model);
  OK(igt_get_ai_suite_file_mappings(client, &files, &text, &err));
  assert_non_null(strstr(text->v, "annotations/"));
  igt_model_free(&text->model);
}

static igt_status count_collections(void *payload, igt_ai_suite_collection *collection) {
  IS(collection->version, "1");
  ++*(size_t *)payload;
  return IGT_OK;
}

/* ---- tasks ---- */

static void sync_begin(char **token, char **callback) {
  igt_start_ai_suite_sync_options options = IGT_START_AI_SUITE_SYNC_OPTIONS_INIT;
  igt_text *response = NULL;

  options.project_id = "ops-project";
  options.x_authorization_code = "code";
  OK(igt_start_ai_suite_sync(client, CONNECTION, PROJECT, &options, &response, &err));
  *token = member(response, "token");
  *callback = member(response, "callbackToken");
  igt_model_free(&response->model);
}

static void test_synchronisation(void **state) {
  igt_get_ai_suite_sync_options options = IGT_GET_AI_SUITE_SYNC_OPTIONS_INIT;
  const igt_task_completed failure = {.status = SET("failed"), .message = SET("no disk")};
  igt_ai_suite_collection_list *list = NULL;
  char *token, *callback;
  size_t count = 0;

  (void)state;
  OK(igt_get_ai_suite_sync(client, CONNECTION, PROJECT, &options, &list, &err));
  assert_int_equal(list->count, 1);
  igt_model_free(&list->model);
  options.x_authorization_code = "code"; /* a header that gives access to another collection */
  OK(igt_get_ai_suite_sync_each(client, CONNECTION, PROJECT, &options, count_collections, &count,
                                &err));
  assert_int_equal(count, 2);
  sync_begin(&token, &callback);
  OK(igt_get_task(client, token, NULL, &err)); /* still running */
  OK(igt_report_ai_suite_task(client, callback, &failure, &err));
  FAILS(igt_get_task(client, token, NULL, &err), IGT_E_BAD_REQUEST, "no disk");
  FAILS(igt_report_ai_suite_task(client, callback, &failure, &err), IGT_E_BAD_REQUEST, "ended");
  free(token);
  free(callback);
}

static void test_tasks(void **state) {
  const igt_task_completed end = {.status = SET("completed"), .message = SET("all of it")};
  char *token, *callback;

  (void)state;
  sync_begin(&token, &callback);
  OK(igt_report_task(client, token, &end, &err));
  OK(igt_get_task(client, token, NULL, &err));
  FAILS(igt_report_task(client, token, &end, &err), IGT_E_BAD_REQUEST, "ended");
  FAILS(igt_get_task(viewer, token, NULL, &err), IGT_E_FORBIDDEN, "another user");
  FAILS(igt_get_task(client, "none", NULL, &err), IGT_E_NOT_FOUND, "none");
  FAILS(igt_report_task(client, "none", &end, &err), IGT_E_NOT_FOUND, "none");
  free(token);
  free(callback);
}

static void test_report(void **state) {
  igt_get_task_options options = IGT_GET_TASK_OPTIONS_INIT;
  igt_text *response = NULL;
  char *token;

  (void)state;
  FAILS(igt_request_project_report(viewer, &response, &err), IGT_E_FORBIDDEN, "viewer");
  OK(igt_request_project_report(client, &response, &err));
  token = member(response, "token");
  igt_model_free(&response->model);
  options.redirect = (igt_boolean_field)SET(false);
  OK(igt_get_task(client, token, &options, &err));
  OK(igt_get_task(client, token, NULL, &err)); /* follows the redirect to the report */
  free(token);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_connections_and_projects),
      cmocka_unit_test(test_collections),
      cmocka_unit_test(test_mappings),
      cmocka_unit_test(test_synchronisation),
      cmocka_unit_test(test_tasks),
      cmocka_unit_test(test_report),
  };

  return cmocka_run_group_tests(tests, group_begin, group_end);
}
