/* SPDX-License-Identifier: MIT */
/* Studies, their files and their series. */
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NORTH "ops-north"
#define EPD "ops-epd-lab"

static igt_epd_study *epd_study_new(const char *name) {
  const char *const legal[] = {"consent"};
  igt_epd_study_event event = {.description = SET("begin"), .is_master = SET(true)};
  igt_epd_study_event *const events[] = {&event};
  igt_epd_study body = {.name = SET(name),
                        .duration = SET(95),
                        .redo = SET(false),
                        .physician = {IGT_NULL, NULL},
                        .datetime = {.is = IGT_SET,
                                     .v = {.seconds = 1700000000,
                                           .microseconds = 250000,
                                           .offset = 120,
                                           .has_offset = true}},
                        .base.legal_basis = {IGT_SET, 1, legal},
                        .base.study_database_id = SET("not mine to set")};
  igt_root_study *made = NULL;

  body.base.model.type = igt_epd_study_type();
  body.events.is = IGT_SET;
  body.events.count = 1;
  body.events.v = (igt_epd_study_event **)(uintptr_t)events;
  OK(igt_create_study(client, EPD, &body.base, &made, &err));
  assert_true(igt_model_is(&made->model, igt_epd_study_type()));
  return (igt_epd_study *)made;
}

#define ID(study) ((study)->base.study_database_id.v)

static void drop(igt_epd_study *study) {
  OK(igt_delete_study(client, EPD, ID(study), &err));
  igt_model_free(&study->base.model);
}

/* ---- studies ---- */

static void test_round_trip(void **state) {
  igt_epd_study *made = epd_study_new("round trip");
  igt_root_study *read = NULL;

  (void)state;
  assert_string_not_equal(ID(made), "not mine to set");
  OK(igt_get_study(client, EPD, ID(made), &read, &err));
  const igt_epd_study *study = (const igt_epd_study *)read;
  IS(study->name, "round trip");
  assert_int_equal(study->duration.v, 95);
  assert_int_equal(study->redo.is, IGT_SET);
  assert_false(study->redo.v);
  assert_int_equal(study->physician.is, IGT_NULL);
  assert_int_equal(study->comments.is, IGT_ABSENT);
  assert_true(study->datetime.v.seconds == 1700000000 && study->datetime.v.offset == 120 &&
              study->datetime.v.microseconds == 250000);
  assert_true(study->events.count == 1 && study->events.v[0]->is_master.v);
  IS(study->base.created_by, "demo@example.com");
  assert_true(study->base.created_on.valid);
  igt_model_free(&read->model);
  OK(igt_delete_study(client, EPD, ID(made), &err));
  FAILS(igt_get_study(client, EPD, ID(made), &read, &err), IGT_E_NOT_FOUND, ID(made));
  assert_null(read);
  igt_model_free(&made->base.model);
}

static void test_put_and_patch(void **state) {
  igt_epd_study *made = epd_study_new("before");
  igt_epd_study change = {.comments = SET("patched")};
  igt_root_study *after = NULL;

  (void)state;
  change.base.model.type = igt_epd_study_type();
  OK(igt_update_study(client, EPD, ID(made), &change.base, &after, &err));
  IS(((igt_epd_study *)after)->comments, "patched");
  IS(((igt_epd_study *)after)->name, "before");
  igt_model_free(&after->model);
  change.comments = (igt_string_field)SET("put");
  change.name = (igt_string_field)SET("after");
  OK(igt_replace_study(client, EPD, ID(made), &change.base, NULL, &err));
  OK(igt_get_study(client, EPD, ID(made), &after, &err));
  IS(((igt_epd_study *)after)->name, "after");
  IS(((igt_epd_study *)after)->comments, "put");
  assert_int_equal(((igt_epd_study *)after)->duration.is, IGT_ABSENT);
  igt_model_free(&after->model);
  drop(made);
}

/* Members that are not in the description are returned as they were sent. */
static void test_unknown_fields_and_types(void **state) {
  static const char text[] = "{\"studyType\":\"EpdStudy\",\"name\":\"u\",\"future\":{\"a\":[1,2.50,"
                             "null]},\"events\":[{\"description\":\"d\",\"later\":\"x\"}]}";
  igt_model *body = NULL;
  igt_root_study *made = NULL, *again = NULL, *odd = NULL;

  (void)state;
  OK(igt_model_parse(igt_root_study_type(), text, strlen(text), &body, &err));
  OK(igt_create_study(client, EPD, (igt_root_study *)body, &made, &err));
  holds(&made->model, "\"future\":{\"a\":[1,2.5");
  holds(&made->model, "\"later\":\"x\"");
  OK(igt_replace_study(client, EPD, made->study_database_id.v, made, &again, &err));
  holds(&again->model, "\"future\":");
  OK(igt_delete_study(client, EPD, made->study_database_id.v, &err));
  /* a study of a type that a newer cloud may have */
  OK(igt_get_study(client, NORTH, "ops-odd-type", &odd, &err));
  assert_ptr_equal(odd->model.type, igt_root_study_type());
  IS(odd->study_type, "HologramStudy");
  holds(&odd->model, "\"studyType\":\"HologramStudy\"");
  holds(&odd->model, "\"holograms\":[1]");
  igt_model_free(body);
  igt_model_free(&made->model);
  igt_model_free(&again->model);
  igt_model_free(&odd->model);
}

static void test_required_and_refused(void **state) {
  igt_root_study untyped = {.purpose_other = SET("x")};
  igt_study wrong = {0};
  igt_epd_study bad = {.datetime = {.is = IGT_SET, .text = "yesterday"}};

  (void)state;
  FAILS(igt_create_study(client, EPD, &untyped, NULL, &err), IGT_E_REQUIRED, "studyType");
  wrong.base.base.model.type = igt_study_type();
  FAILS(igt_create_study(client, EPD, &wrong.base.base, NULL, &err), IGT_E_BAD_REQUEST,
        "studyType");
  bad.base.model.type = igt_epd_study_type();
  FAILS(igt_create_study(client, EPD, &bad.base, NULL, &err), IGT_E_BAD_REQUEST, "datetime");
  FAILS(igt_create_study(viewer, EPD, &bad.base, NULL, &err), IGT_E_FORBIDDEN, "upload");
  FAILS(igt_delete_study(client, NORTH, "ops-epd-study", &err), IGT_E_NOT_FOUND, "ops-epd-study");
}

static igt_status count_studies(void *payload, igt_root_study *study) {
  assert_true(igt_model_is(&study->model, igt_root_study_type()));
  ++*(size_t *)payload;
  return IGT_OK;
}

static void test_lists(void **state) {
  igt_get_studies_options filter = IGT_GET_STUDIES_OPTIONS_INIT;
  igt_root_study_list *list = NULL;
  size_t all = 0, some = 0;

  (void)state;
  OK(igt_get_studies(client, "ops-many", NULL, &list, &err));
  assert_int_equal(list->count, 300);
  igt_model_free(&list->model);
  OK(igt_get_studies_each(client, "ops-many", NULL, count_studies, &all, &err));
  assert_int_equal(all, 300);
  filter.filter = "startswith(name, 'study-00001')";
  OK(igt_get_studies_each(client, "ops-many", &filter, count_studies, &some, &err));
  assert_int_equal(some, 10);
  filter.filter = "colour eq 'red'";
  FAILS(igt_get_studies(client, "ops-many", &filter, &list, &err), IGT_E_BAD_REQUEST, "colour");
  assert_null(list);
}

/* ---- single members ---- */

static void test_members(void **state) {
  static const char *const labels[] = {"a", "b"};
  const igt_annotation_state annotated = {.annotation_state = SET("done")};
  const igt_latest_annotations latest = {
      .latest_annotations = {.is = IGT_SET, .v = {.seconds = 1600000000, .has_offset = true}}};
  const igt_case_label label = {.case_labels = {IGT_SET, 2, labels}};
  const igt_study_sticky_note note = {.has_sticky_note = SET(true)};
  const igt_study_comments comments = {.study_comments = SET("well done")};
  const char *institute = "ops-annotated", *id = "ops-annotation-study";
  igt_root_study *read = NULL;

  (void)state;
  OK(igt_set_study_annotation_state(client, institute, id, &annotated, NULL, &err));
  OK(igt_set_study_annotations_updated(client, institute, id, &latest, NULL, &err));
  OK(igt_set_study_case_labels(client, institute, id, &label, NULL, &err));
  OK(igt_set_study_sticky_note(client, institute, id, &note, NULL, &err));
  OK(igt_set_study_comments(client, institute, id, &comments, NULL, &err));
  OK(igt_get_study(client, institute, id, &read, &err));
  assert_true(igt_model_is(&read->model, igt_annotation_study_type()));
  const igt_annotation_study *study = (const igt_annotation_study *)read;
  IS(study->annotation_state, "done");
  assert_int_equal(study->latest_annotations.v.seconds, 1600000000);
  assert_int_equal(study->case_labels.count, 2);
  assert_true(study->has_sticky_note.v);
  IS(study->base.base.study_comments, "well done");
  igt_model_free(&read->model);
}

static void test_record_state(void **state) {
  igt_epd_study *made = epd_study_new("record");
  igt_electronic_record_state body = {.username = SET("demo@example.com"),
                                      .password = SET("wrong"),
                                      .electronic_record_state = SET("submitted")};
  igt_root_study *read = NULL;

  (void)state;
  FAILS(igt_set_study_electronic_record_state(client, EPD, ID(made), &body, NULL, &err),
        IGT_E_FORBIDDEN, "password");
  assert_null(strstr(err.text, "wrong"));
  body.password.v = "demo";
  OK(igt_set_study_electronic_record_state(client, EPD, ID(made), &body, NULL, &err));
  OK(igt_get_study(client, EPD, ID(made), &read, &err));
  IS(read->electronic_record_state, "submitted");
  igt_model_free(&read->model);
  drop(made);
}

/* ---- files ---- */

static igt_status count_files(void *payload, const char *list, igt_file *file) {
  size_t *counts = payload;

  counts[strcmp(list, "files") == 0 ? 0 : strcmp(list, "dicom") == 0 ? 1 : 2]++;
  assert_int_equal(file->key.is, IGT_SET);
  return IGT_OK;
}

static void test_files(void **state) {
  const char *prefix = "ops-project/ops-north/studies/ops-study/files/";
  igt_get_study_files_options options = IGT_GET_STUDY_FILES_OPTIONS_INIT;
  const igt_file_upload_completed whole = {.uploaded_path = SET("waiting.txt"),
                                           .trigger_action = SET(true)};
  const igt_file_upload_completed nameless = {.trigger_action = SET(true)};
  igt_delete_study_files_options keys = IGT_DELETE_STUDY_FILES_OPTIONS_INIT;
  char key[2][100];
  const char *const list[] = {key[0], key[1]};
  igt_file a = {.key = SET(key[0]), .file_size = SET(1)};
  igt_file b = {.key = SET(key[1]), .file_size = SET(2), .is_completed = SET(true)};
  const igt_file *const body[] = {&a, &b};
  igt_files *files = NULL;
  igt_file *file;
  size_t counts[3] = {0};

  (void)state;
  snprintf(key[0], sizeof key[0], "%sa.bin", prefix);
  snprintf(key[1], sizeof key[1], "%sb c/\xc3\xbc.bin", prefix);
  OK(igt_register_study_files(client, NORTH, "ops-study", NULL, body, 2, &files, &err));
  assert_int_equal(files->files.count, 2);
  assert_false(files->files.v[1]->is_completed.v); /* clients cannot set this */
  igt_model_free(&files->model);
  FAILS(igt_complete_study_file(client, NORTH, "ops-study", &nameless, &err), IGT_E_REQUIRED,
        "uploadedPath");
  OK(igt_complete_study_file(client, NORTH, "ops-study", &whole, &err));
  options.completed = (igt_boolean_field)SET(true);
  OK(igt_get_study_files(client, NORTH, "ops-study", &options, &files, &err));
  FIND(file, &files->files, file_name, "waiting.txt");
  assert_non_null(file);
  FIND(file, &files->files, file_name, "a.bin");
  assert_null(file);
  igt_model_free(&files->model);
  options.completed.is = IGT_ABSENT;
  options.auxiliary = "True";
  OK(igt_get_study_files_each(client, NORTH, "ops-study", &options, count_files, counts, &err));
  assert_true(counts[0] == 4 && counts[1] == 1 && counts[2] == 1);
  keys.keys = list;
  keys.keys_count = 2;
  OK(igt_delete_study_files(client, NORTH, "ops-study", &keys, &err));
  OK(igt_get_study_files(client, NORTH, "ops-study", NULL, &files, &err));
  assert_int_equal(files->files.count, 2);
  igt_model_free(&files->model);
}

static void test_annotations_are_deleted(void **state) {
  igt_delete_study_annotations_options options = IGT_DELETE_STUDY_ANNOTATIONS_OPTIONS_INIT;
  igt_get_study_files_options auxiliary = IGT_GET_STUDY_FILES_OPTIONS_INIT;
  igt_files *files = NULL;

  (void)state;
  FAILS(igt_delete_study_annotations(client, NORTH, "ops-study", &options, &err), IGT_E_REQUIRED,
        "patientId");
  options.patient_id = "P1";
  OK(igt_delete_study_annotations(client, NORTH, "ops-study", &options, &err));
  auxiliary.auxiliary = "True";
  OK(igt_get_study_files(client, NORTH, "ops-study", &auxiliary, &files, &err));
  assert_int_equal(files->annotations.count, 0);
  assert_int_equal(files->dicom.count, 1);
  igt_model_free(&files->model);
}

static void test_archive(void **state) {
  static bytes all;
  FILE *file = tmpfile();
  int fd = fileno(file);

  (void)state;
  all.len = 0;
  OK(igt_get_study_archive(client, NORTH, "ops-study", bytes_take, &all, &err));
  assert_memory_equal(all.data, "PK\3\4", 4);
  assert_true(bytes_have(&all, "Nothing remarkable.\n", 20));
  OK(igt_get_study_archive(client, NORTH, "ops-study", igt_write_fd, &fd, &err));
  assert_int_equal(lseek(fd, 0, SEEK_END), all.len);
  fclose(file);
  FAILS(igt_get_study_archive(client, NORTH, "none", bytes_take, &all, &err), IGT_E_NOT_FOUND,
        "none");
}

static void test_download_link(void **state) {
  char *link;

  (void)state;
  OK(igt_request_study_download_link(client, NORTH, "ops-study", &err));
  link = last_mail();
  const char *token = strrchr(link, '/') + 1;
  /* redirects to the archive, which is read to its end */
  OK(igt_get_task(client, token, NULL, &err));
  free(link);
}

/* ---- series ---- */

static igt_status count_series(void *payload, igt_series *series) {
  assert_true(igt_model_is(&series->model, igt_igt_cloud_series_type()));
  ++*(size_t *)payload;
  return IGT_OK;
}

static void test_series(void **state) {
  igt_igt_cloud_series body = {.base.modality = SET("XA"), .base.display_name = SET("first")};
  igt_get_study_series_list_options filter = IGT_GET_STUDY_SERIES_LIST_OPTIONS_INIT;
  igt_get_series_list_options of_all = IGT_GET_SERIES_LIST_OPTIONS_INIT;
  igt_series_list *list = NULL;
  igt_series *read = NULL;
  size_t count = 0;
  static bytes picture;

  (void)state;
  body.base.model.type = igt_igt_cloud_series_type();
  OK(igt_replace_study_series(client, NORTH, "ops-study", "ops-series", &body.base, &read, &err));
  IS(read->study_database_id, "ops-study");
  igt_model_free(&read->model);
  OK(igt_start_study_action(client, NORTH, "ops-study",
                            &err)); /* creates one from the DICOM file */
  OK(igt_get_study_series_list(client, NORTH, "ops-study", NULL, &list, &err));
  assert_int_equal(list->count, 2);
  igt_model_free(&list->model);
  filter.filter = "modality eq 'XA'";
  OK(igt_get_study_series_list_each(client, NORTH, "ops-study", &filter, count_series, &count,
                                    &err));
  assert_int_equal(count, 1);
  of_all.filter = "displayName eq 'first'";
  OK(igt_get_series_list(client, NORTH, &of_all, &list, &err));
  assert_int_equal(list->count, 1);
  igt_model_free(&list->model);
  count = 0;
  OK(igt_get_series_list_each(client, NORTH, NULL, count_series, &count, &err));
  assert_int_equal(count, 2);
  OK(igt_get_series(client, NORTH, "ops-series", &read, &err));
  IS(read->display_name, "first");
  igt_model_free(&read->model);
  OK(igt_get_series_preview(client, NORTH, "ops-series", "preview.jpg", bytes_take, &picture,
                            &err));
  assert_memory_equal(picture.data, "\xff\xd8\xff", 3);
  assert_memory_equal(picture.data + picture.len - 2, "\xff\xd9", 2);
  FAILS(igt_get_series_preview(client, NORTH, "ops-series", "x", bytes_take, &picture, &err),
        IGT_E_NOT_FOUND, "preview");
  OK(igt_delete_study_series(client, NORTH, "ops-study", "ops-series", &err));
  FAILS(igt_get_series(client, NORTH, "ops-series", &read, &err), IGT_E_NOT_FOUND, "ops-series");
  assert_null(read);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_put_and_patch),
      cmocka_unit_test(test_unknown_fields_and_types),
      cmocka_unit_test(test_required_and_refused),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_members),
      cmocka_unit_test(test_record_state),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_annotations_are_deleted),
      cmocka_unit_test(test_archive),
      cmocka_unit_test(test_download_link),
      cmocka_unit_test(test_series),
  };

  return cmocka_run_group_tests(tests, group_begin, group_end);
}
