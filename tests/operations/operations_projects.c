/* SPDX-License-Identifier: MIT */
/* Projects, institutes, a project's files, applications, sites. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static igt_project *project_new(const char *name, const char *type) {
  const char *const continents[] = {"Europe", "Asia"};
  const igt_project body = {.id = SET("not mine to set"),
                            .name = SET(name),
                            .description = SET("made by a test"),
                            .project_type_name = SET(type),
                            .continents = {IGT_SET, 2, continents}};
  igt_project_list *list = NULL;

  OK(igt_create_project(client, NULL, &body, &list, &err));
  assert_int_equal(list->count, 1);
  igt_project *made = (igt_project *)igt_model_copy(&list->v[0]->model);
  igt_model_free(&list->model);
  assert_non_null(made);
  return made;
}

static igt_institute *institute_new(const char *project, const char *name) {
  const igt_institute body = {.name = SET(name), .s3_prefix = SET("not mine to set")};
  igt_institute *made = NULL;

  OK(igt_create_institute(client, project, NULL, &body, &made, &err));
  IS(made->name, name);
  return made;
}

/* ---- projects ---- */

static igt_status find_project(void *payload, igt_project *project) {
  const char **name = payload;

  if (project->name.is == IGT_SET && strcmp(project->name.v, *name) == 0)
    *name = NULL;
  return IGT_OK;
}

static void test_projects(void **state) {
  igt_project *made = project_new("round trip", "Marvel"), *read = NULL, *found = NULL;
  igt_get_projects_options mask = IGT_GET_PROJECTS_OPTIONS_INIT;
  igt_project_list *list = NULL;
  const char *name = "round trip";

  (void)state;
  assert_string_not_equal(made->id.v, "not mine to set");
  IS(made->study_type, "MarvelStudy");
  OK(igt_get_project(client, made->id.v, NULL, &read, &err));
  IS(read->description, "made by a test");
  assert_int_equal(read->continents.count, 2);
  assert_string_equal(read->continents.v[1], "Asia");
  igt_model_free(&read->model);
  OK(igt_get_projects(client, NULL, &list, &err));
  FIND(found, list, name, "round trip");
  assert_non_null(found);
  igt_model_free(&list->model);
  OK(igt_get_projects_each(client, NULL, find_project, &name, &err));
  assert_null(name);
  mask.x_fields = "id";
  OK(igt_get_projects(client, &mask, &list, &err));
  assert_int_equal(list->v[0]->name.is, IGT_ABSENT);
  assert_int_equal(list->v[0]->id.is, IGT_SET);
  igt_model_free(&list->model);
  OK(igt_delete_project(client, made->id.v, &err));
  FAILS(igt_get_project(client, made->id.v, NULL, &read, &err), IGT_E_NOT_FOUND, made->id.v);
  assert_null(read);
  FAILS(igt_delete_project(client, made->id.v, &err), IGT_E_NOT_FOUND, made->id.v);
  igt_model_free(&made->model);
}

static void test_projects_refused(void **state) {
  igt_project body = {.name = SET("x"), .project_type_name = SET("Nonsense")};

  (void)state;
  FAILS(igt_create_project(client, NULL, &body, NULL, &err), IGT_E_BAD_REQUEST, "Nonsense");
  FAILS(igt_create_project(viewer, NULL, &body, NULL, &err), IGT_E_FORBIDDEN, "viewer");
  FAILS(igt_delete_project(viewer, "ops-project", &err), IGT_E_FORBIDDEN, "viewer");
}

static void test_project_types(void **state) {
  igt_string_list *types = NULL;
  bool epd = false;

  (void)state;
  OK(igt_get_project_types(client, &types, &err));
  for (size_t i = 0; i < types->count; i++)
    epd |= strcmp(types->v[i], "EPD") == 0;
  assert_true(epd);
  igt_model_free(&types->model);
}

/* ---- institutes ---- */

static igt_status count_institute(void *payload, igt_institute *institute) {
  assert_int_equal(institute->id.is, IGT_SET);
  ++*(size_t *)payload;
  return IGT_OK;
}

static void test_institutes(void **state) {
  igt_project *project = project_new("with institutes", "EPD");
  igt_institute *made = institute_new(project->id.v, "ward"), *read = NULL, *found = NULL;
  igt_get_institute_options children = IGT_GET_INSTITUTE_OPTIONS_INIT;
  igt_get_project_options all = IGT_GET_PROJECT_OPTIONS_INIT;
  igt_epd_study study = {.name = SET("one")};
  igt_institute_list *list = NULL;
  igt_project *whole = NULL;
  size_t count = 0;

  (void)state;
  IS(made->parent_id, project->id.v);
  IS(made->study_type, "EpdStudy");
  study.base.model.type = igt_epd_study_type();
  OK(igt_create_study(client, made->id.v, &study.base, NULL, &err));
  OK(igt_get_institutes(client, project->id.v, NULL, &list, &err));
  assert_int_equal(list->count, 1);
  igt_model_free(&list->model);
  OK(igt_get_institutes_each(client, project->id.v, NULL, count_institute, &count, &err));
  assert_int_equal(count, 1);
  OK(igt_get_all_institutes(client, NULL, &list, &err));
  FIND(found, list, id, made->id.v);
  assert_non_null(found);
  count = list->count;
  igt_model_free(&list->model);
  size_t streamed = 0;
  OK(igt_get_all_institutes_each(client, NULL, count_institute, &streamed, &err));
  assert_int_equal(streamed, count);
  children.include_child_relations = (igt_boolean_field)SET(true);
  OK(igt_get_institute(client, made->id.v, &children, &read, &err));
  assert_int_equal(read->studies.count, 1);
  assert_true(igt_model_is(&read->studies.v[0]->model, igt_epd_study_type()));
  igt_model_free(&read->model);
  all.include_child_relations = (igt_boolean_field)SET(true);
  OK(igt_get_project(client, project->id.v, &all, &whole, &err));
  assert_int_equal(whole->institutes.count, 1);
  assert_int_equal(whole->institutes.v[0]->studies.count, 1);
  igt_model_free(&whole->model);
  FAILS(igt_delete_institute(client, "ops-project", made->id.v, &err), IGT_E_NOT_FOUND, made->id.v);
  OK(igt_delete_institute(client, project->id.v, made->id.v, &err));
  FAILS(igt_get_institute(client, made->id.v, NULL, &read, &err), IGT_E_NOT_FOUND, made->id.v);
  OK(igt_delete_project(client, project->id.v, &err));
  FAILS(igt_get_institutes(client, project->id.v, NULL, &list, &err), IGT_E_NOT_FOUND, "Project");
  igt_model_free(&made->model);
  igt_model_free(&project->model);
}

/* ---- a project's files ---- */

static igt_status find_file(void *payload, const char *list, igt_file *file) {
  const char **name = payload;

  assert_string_equal(list, "files");
  if (*name && strcmp(file->file_name.v, *name) == 0)
    *name = NULL;
  return IGT_OK;
}

static void test_files(void **state) {
  igt_delete_project_files_options keys = IGT_DELETE_PROJECT_FILES_OPTIONS_INIT;
  const char *const list[] = {"ops-project/files/new.txt"};
  const igt_file file = {.key = SET(list[0]), .file_size = SET(7)};
  const igt_file nameless = {.file_size = SET(7)};
  const igt_file *const body[] = {&file, &nameless};
  const char *name = "new.txt";
  igt_files *files = NULL;
  igt_text *content = NULL;

  (void)state;
  FAILS(igt_register_project_files(client, "ops-project", NULL, body, 2, &files, &err),
        IGT_E_REQUIRED, "key");
  OK(igt_register_project_files(client, "ops-project", NULL, body, 1, &files, &err));
  IS(files->files.v[0]->file_name, "new.txt");
  igt_model_free(&files->model);
  OK(igt_get_project_files(client, "ops-project", NULL, &files, &err));
  assert_int_equal(files->files.count, 3);
  igt_model_free(&files->model);
  OK(igt_get_project_files_each(client, "ops-project", NULL, find_file, &name, &err));
  assert_null(name);
  OK(igt_get_project_file_content(client, "ops-project", "a/protocol.txt", &content, &err));
  assert_string_equal(content->v, "first, second\n");
  igt_model_free(&content->model);
  FAILS(igt_get_project_file_content(client, "ops-project", "none", &content, &err),
        IGT_E_NOT_FOUND, "none");
  keys.keys = list;
  keys.keys_count = 1;
  OK(igt_delete_project_files(client, "ops-project", &keys, &err));
  FAILS(igt_delete_project_files(client, "ops-project", &keys, &err), IGT_E_NOT_FOUND, "new.txt");
  OK(igt_get_project_files(client, "ops-project", NULL, &files, &err));
  assert_int_equal(files->files.count, 2);
  igt_model_free(&files->model);
}

static void test_archive(void **state) {
  static bytes all;

  (void)state;
  all.len = 0;
  OK(igt_get_project_archive(client, "ops-project", bytes_take, &all, &err));
  assert_memory_equal(all.data, "PK\3\4", 4);
  assert_true(bytes_have(&all, "first, second\n", 14));
  assert_true(bytes_have(&all, "a/protocol.txt", 14));
}

/* ---- applications ---- */

static igt_application *application_new(const char *name) {
  const igt_create_application_body body = {.app_id = SET("app"),
                                            .name = SET(name),
                                            .supported_formats = SET(".q, .r"),
                                            .enabled = SET(false)};
  igt_application *made = NULL;

  OK(igt_create_application(client, NULL, &body, &made, &err));
  assert_int_equal(made->supported_formats.count, 2);
  return made;
}

static igt_status find_application(void *payload, igt_application *application) {
  int64_t *id = payload;

  *id = application->id.v == *id ? 0 : *id;
  return IGT_OK;
}

static void test_applications(void **state) {
  igt_application *made = application_new("first"), *read = NULL;
  const igt_replace_application_body change = {.name = SET("second"), .enabled = SET(true)};
  igt_get_applications_options enabled = IGT_GET_APPLICATIONS_OPTIONS_INIT;
  igt_application_list *list = NULL;
  igt_text *formats = NULL;
  int64_t id = made->id.v, wanted = id;

  (void)state;
  OK(igt_get_application(client, id, NULL, &read, &err));
  IS(read->name, "first");
  igt_model_free(&read->model);
  OK(igt_get_application_file_formats(client, &formats, &err));
  assert_non_null(strstr(formats->v, "\".q\""));
  igt_model_free(&formats->model);
  OK(igt_replace_application(client, id, NULL, &change, &read, &err));
  IS(read->name, "second");
  igt_model_free(&read->model);
  enabled.enabled = (igt_boolean_field)SET(true);
  OK(igt_get_applications(client, &enabled, &list, &err));
  read = NULL;
  FIND(read, list, name, "second");
  assert_non_null(read);
  igt_model_free(&list->model);
  OK(igt_get_applications_each(client, &enabled, find_application, &wanted, &err));
  assert_int_equal(wanted, 0);
  OK(igt_delete_application(client, id, &err));
  FAILS(igt_get_application(client, id, NULL, &read, &err), IGT_E_NOT_FOUND, "Application");
  igt_model_free(&made->model);
}

static void test_applications_of_a_project(void **state) {
  igt_application *made = application_new("of a project"), *given = NULL;
  const igt_add_project_application_body body = {.application_id = SET(made->id.v)};
  const igt_remove_project_application_body gone = {.application_id = SET(made->id.v)};
  igt_application_list *list = NULL;
  int64_t wanted = made->id.v;

  (void)state;
  FAILS(igt_add_project_application(viewer, "ops-project", NULL, &body, NULL, &err),
        IGT_E_FORBIDDEN, "viewer");
  OK(igt_add_project_application(client, "ops-project", NULL, &body, &given, &err));
  IS(given->name, "of a project");
  igt_model_free(&given->model);
  OK(igt_get_project_applications_each(client, "ops-project", NULL, find_application, &wanted,
                                       &err));
  assert_int_equal(wanted, 0);
  OK(igt_remove_project_application(client, "ops-project", made->id.v, &gone, NULL, &err));
  OK(igt_get_project_applications(client, "ops-project", NULL, &list, &err));
  assert_int_equal(list->count, 0);
  igt_model_free(&list->model);
  igt_model_free(&made->model);
}

/* ---- sites and case labels ---- */

static igt_status find_site(void *payload, igt_epd_site *site) {
  const char **name = payload;

  if (*name && strcmp(site->name.v, *name) == 0)
    *name = NULL;
  return IGT_OK;
}

static void test_sites(void **state) {
  const igt_epd_site body = {.id = SET(77), .name = SET("theatre")};
  const igt_epd_site change = {.name = SET("theatre 2")};
  igt_epd_site_list *list = NULL;
  igt_epd_site *made, *read = NULL;
  const char *name = "theatre 2";

  (void)state;
  OK(igt_create_epd_site(client, NULL, &body, &list, &err));
  FIND(made, list, name, "theatre");
  assert_non_null(made);
  int64_t id = made->id.v;
  assert_int_not_equal(id, 77);
  igt_model_free(&list->model);
  OK(igt_replace_epd_site(client, id, NULL, &change, &read, &err));
  igt_model_free(&read->model);
  OK(igt_get_epd_site(client, id, NULL, &read, &err));
  IS(read->name, "theatre 2");
  igt_model_free(&read->model);
  OK(igt_get_epd_sites_each(client, NULL, find_site, &name, &err));
  assert_null(name);
  OK(igt_delete_epd_site(client, id, &err));
  OK(igt_get_epd_sites(client, NULL, &list, &err));
  FIND(made, list, name, "theatre 2");
  assert_null(made);
  igt_model_free(&list->model);
  FAILS(igt_get_epd_site(client, id, NULL, &read, &err), IGT_E_NOT_FOUND, "Site");
}

static void test_values_of_studies(void **state) {
  const char *const labels[] = {"calcified"};
  const igt_case_label body = {.case_labels = {IGT_SET, 1, labels}};
  igt_get_case_labels_options options = IGT_GET_CASE_LABELS_OPTIONS_INIT;
  igt_text *text = NULL;

  (void)state;
  OK(igt_get_project_epd_sites(client, "ops-epd", &text, &err));
  assert_string_equal(text->v, "[\"lab 9\"]\n");
  igt_model_free(&text->model);
  OK(igt_set_study_case_labels(client, "ops-epd-lab", "ops-epd-study", &body, NULL, &err));
  options.project_id = "ops-epd";
  OK(igt_get_case_labels(client, &options, &text, &err));
  assert_string_equal(text->v, "[\"calcified\"]\n");
  igt_model_free(&text->model);
  options.project_id = "none";
  FAILS(igt_get_case_labels(client, &options, &text, &err), IGT_E_NOT_FOUND, "none");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_projects),      cmocka_unit_test(test_projects_refused),
      cmocka_unit_test(test_project_types), cmocka_unit_test(test_institutes),
      cmocka_unit_test(test_files),         cmocka_unit_test(test_archive),
      cmocka_unit_test(test_applications),  cmocka_unit_test(test_applications_of_a_project),
      cmocka_unit_test(test_sites),         cmocka_unit_test(test_values_of_studies),
  };

  return cmocka_run_group_tests(tests, group_begin, group_end);
}
