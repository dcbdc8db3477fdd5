/* SPDX-License-Identifier: MIT */
/* Users, groups, service identities, a user's own storage, training. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static igt_user_request request(const char *login) {
  return (igt_user_request){
      .given_name = SET("Ann"),
      .family_name = SET("Lee"),
      .email = SET("ann@example.com"),
      .login_id = SET(login),
      .preferred_language = SET("nl-NL"),
      .training_start_date = {.is = IGT_SET, .v = {.seconds = 1704153600, .has_offset = true}}};
}

static igt_user *user_new(const char *login) {
  const igt_user_request body = request(login);
  igt_user *made = NULL;

  OK(igt_create_user(client, NULL, &body, &made, &err));
  IS(made->login_id, login);
  return made;
}

static igt_status find_user(void *payload, igt_user *user) {
  const char **login = payload;

  if (*login && strcmp(user->login_id.v, *login) == 0)
    *login = NULL;
  return IGT_OK;
}

/* ---- users ---- */

static void test_users(void **state) {
  igt_user *made = user_new("ann@example.com"), *read = NULL;
  igt_user_request change = request("ann@example.com");
  igt_user_list *list = NULL;
  const char *login = "ann@example.com";

  (void)state;
  OK(igt_get_user(client, made->user_uuid.v, NULL, &read, &err));
  IS(read->profile.v->given_name, "Ann");
  IS(read->profile.v->contact.v->email_address, "ann@example.com");
  IS(read->settings.v->training_start_date, "2024-01-02");
  assert_false(read->account_status.v->email_verified.v);
  igt_model_free(&read->model);
  OK(igt_get_users_each(client, NULL, find_user, &login, &err));
  assert_null(login);
  change.family_name.v = "May";
  OK(igt_replace_user(client, made->user_uuid.v, &change, &err));
  OK(igt_get_users(client, NULL, &list, &err));
  FIND(read, list, login_id, "ann@example.com");
  IS(read->profile.v->family_name, "May");
  igt_model_free(&list->model);
  OK(igt_delete_user(client, made->user_uuid.v, &err));
  FAILS(igt_get_user(client, made->user_uuid.v, NULL, &read, &err), IGT_E_NOT_FOUND,
        made->user_uuid.v);
  igt_model_free(&made->model);
}

static void test_users_refused(void **state) {
  igt_user_request body = request("x@example.com");

  (void)state;
  FAILS(igt_create_user(viewer, NULL, &body, NULL, &err), IGT_E_FORBIDDEN, "viewer");
  body.email.is = IGT_ABSENT;
  FAILS(igt_create_user(client, NULL, &body, NULL, &err), IGT_E_REQUIRED, "email");
  body.email = (igt_string_field)SET("");
  FAILS(igt_create_user(client, NULL, &body, NULL, &err), IGT_E_BAD_REQUEST, "email");
  FAILS(igt_delete_user(client, "none", &err), IGT_E_NOT_FOUND, "none");
}

static void test_accounts(void **state) {
  igt_user *made = user_new("bob@example.com"), *read = NULL;
  const igt_user_activation_request body = {.login_id = SET("bob@example.com")};
  const igt_user_activation_request nobody = {.login_id = SET("none")};
  igt_hsdp_response *outcome = NULL;
  char *first = last_mail(), *second;

  (void)state;
  OK(igt_resend_activation(client, NULL, &body, &outcome, &err));
  IS(outcome->resource_type, "OperationOutcome");
  assert_true(outcome->issue.count == 1 && outcome->issue.v[0]->details.is == IGT_SET);
  igt_model_free(&outcome->model);
  second = last_mail();
  assert_string_not_equal(first, second);
  free(first);
  free(second);
  OK(igt_reset_mfa(client, &body, &err));
  OK(igt_get_user(client, made->user_uuid.v, NULL, &read, &err));
  IS(read->account_status.v->mfa_status, "RESET");
  igt_model_free(&read->model);
  FAILS(igt_reset_mfa(client, &nobody, &err), IGT_E_NOT_FOUND, "none");
  FAILS(igt_resend_activation(client, NULL, &nobody, NULL, &err), IGT_E_NOT_FOUND, "none");
  OK(igt_delete_user(client, made->user_uuid.v, &err));
  igt_model_free(&made->model);
}

static void test_me(void **state) {
  igt_user *me = NULL;

  (void)state;
  OK(igt_update_user_profile(viewer, &err));
  OK(igt_get_me(viewer, NULL, &me, &err));
  IS(me->login_id, "viewer@example.com");
  assert_true(me->account_status.v->last_login_time.valid);
  igt_model_free(&me->model);
}

/* ---- groups ---- */

static igt_status find_group(void *payload, igt_group *group) {
  const char **id = payload;

  if (*id && strcmp(group->id.v, *id) == 0)
    *id = NULL;
  return IGT_OK;
}

static igt_status count_entries(void *payload, igt_users_groups *entry) {
  assert_int_equal(entry->user_id.is, IGT_SET);
  ++*(size_t *)payload;
  return IGT_OK;
}

static void test_groups(void **state) {
  const char *id = "COORDINATOR";
  igt_users_groups body = {.group_ids = {IGT_SET, 1, &id}};
  igt_users_groups_list *entries = NULL;
  igt_group_list *groups = NULL;
  igt_group *group;
  igt_user *me = NULL;
  const char *wanted = id;
  size_t count = 0;

  (void)state;
  OK(igt_get_groups(client, "ops-north", NULL, &groups, &err));
  FIND(group, groups, id, "COORDINATOR");
  assert_non_null(group);
  igt_model_free(&groups->model);
  OK(igt_get_groups_each(client, "ops-north", NULL, find_group, &wanted, &err));
  assert_null(wanted);
  OK(igt_get_me(client, NULL, &me, &err));
  body.user_id = me->user_uuid;
  OK(igt_set_user_groups(client, "ops-north", NULL, &body, &entries, &err));
  assert_int_equal(entries->count, 1);
  igt_model_free(&entries->model);
  igt_model_free(&me->model);
  OK(igt_get_users_groups(client, "ops-north", NULL, &entries, &err));
  assert_string_equal(entries->v[0]->group_ids.v[0], "COORDINATOR");
  igt_model_free(&entries->model);
  OK(igt_get_users_groups_each(client, "ops-north", NULL, count_entries, &count, &err));
  assert_int_equal(count, 1);
  OK(igt_get_me(client, NULL, &me, &err));
  assert_int_equal(me->profile.v->organization_roles.count, 1);
  IS(me->profile.v->organization_roles.v[0]->organization_name, "north");
  igt_model_free(&me->model);
  body.user_id = (igt_string_field)SET("none");
  FAILS(igt_set_user_groups(client, "ops-north", NULL, &body, NULL, &err), IGT_E_BAD_REQUEST,
        "userId");
}

/* ---- service identities ---- */

static igt_status find_service(void *payload, igt_service *service) {
  const char **id = payload;

  assert_int_equal(service->private_key.is, IGT_ABSENT);
  if (*id && strcmp(service->service_id.v, *id) == 0)
    *id = NULL;
  return IGT_OK;
}

static void test_services(void **state) {
  const igt_service body = {.name = SET("station"), .service_id = SET("not mine to set")};
  igt_get_services_options filter = IGT_GET_SERVICES_OPTIONS_INIT;
  igt_service_list *list = NULL;
  igt_service *made = NULL;

  (void)state;
  OK(igt_create_service(client, "ops-north", NULL, &body, &made, &err));
  assert_string_not_equal(made->service_id.v, "not mine to set");
  assert_non_null(strstr(made->private_key.v, "PRIVATE KEY"));
  const char *id = made->service_id.v;
  OK(igt_get_services_each(client, "ops-north", NULL, find_service, &id, &err));
  assert_null(id);
  filter.filter = "name eq 'nobody'";
  OK(igt_get_services(client, "ops-north", &filter, &list, &err));
  assert_int_equal(list->count, 0);
  igt_model_free(&list->model);
  FAILS(igt_delete_service(viewer, "ops-north", made->service_id.v, &err), IGT_E_FORBIDDEN,
        "service");
  OK(igt_delete_service(client, "ops-north", made->service_id.v, &err));
  OK(igt_get_services(client, "ops-north", NULL, &list, &err));
  assert_int_equal(list->count, 0);
  igt_model_free(&list->model);
  igt_model_free(&made->model);
}

/* ---- own storage ---- */

static void store(const char *name, const char *text) {
  igt_storage *storage = NULL;
  char key[200];

  OK(igt_get_user_storage(viewer, NULL, &storage, &err));
  const igt_storage_credentials *keys = storage->credentials.v;
  assert_true(keys->expiration.valid);
  snprintf(key, sizeof key, "%s%s", storage->config.v->key.v, name);
  object_put(keys->access_key.v, keys->secret.v, keys->session_token.v, storage->config.v->bucket.v,
             key, text, strlen(text));
  igt_model_free(&storage->model);
}

static igt_status count_files(void *payload, igt_file *file) {
  assert_true(file->is_completed.v);
  ++*(size_t *)payload;
  return IGT_OK;
}

static void test_own_storage(void **state) {
  igt_delete_user_storage_files_options keys = IGT_DELETE_USER_STORAGE_FILES_OPTIONS_INIT;
  igt_file_list *files = NULL;
  static bytes all;
  size_t count = 0;

  (void)state;
  store("notes.txt", "my own notes");
  store("training/left over", "x");
  OK(igt_get_user_storage_files(viewer, NULL, &files, &err));
  assert_int_equal(files->count, 2);
  IS(files->v[0]->file_name, "notes.txt");
  assert_int_equal(files->v[0]->file_size.v, 12);
  OK(igt_get_user_storage_archive(viewer, bytes_take, &all, &err));
  assert_true(bytes_have(&all, "my own notes", 12));
  OK(igt_delete_training_settings(viewer, &err));
  OK(igt_get_user_storage_files_each(viewer, NULL, count_files, &count, &err));
  assert_int_equal(count, 1);
  const char *const list[] = {files->v[0]->key.v};
  keys.keys = list;
  keys.keys_count = 1;
  FAILS(igt_delete_user_storage_files(client, &keys, &err), IGT_E_NOT_FOUND, "notes.txt");
  OK(igt_delete_user_storage_files(viewer, &keys, &err));
  igt_model_free(&files->model);
  OK(igt_get_user_storage_files(viewer, NULL, &files, &err));
  assert_int_equal(files->count, 0);
  igt_model_free(&files->model);
}

/* ---- training ---- */

static igt_status find_guide(void *payload, igt_training_application *application) {
  char *name = payload;

  if (application->has_guide.v)
    snprintf(name, 64, "%s", application->application_id.v);
  return IGT_OK;
}

static void test_training(void **state) {
  igt_get_training_application_storage_options region =
      IGT_GET_TRAINING_APPLICATION_STORAGE_OPTIONS_INIT;
  igt_training_application_list *list = NULL;
  igt_storage *storage = NULL;
  char name[64] = "";
  static bytes guide;

  (void)state;
  OK(igt_get_training_applications(client, NULL, &list, &err));
  assert_true(list->count >= 2);
  igt_model_free(&list->model);
  OK(igt_get_training_applications_each(client, NULL, find_guide, name, &err));
  OK(igt_get_training_application_guide(client, name, bytes_take, &guide, &err));
  assert_memory_equal(guide.data, "%PDF-1.", 7);
  assert_true(bytes_have(&guide, name, strlen(name)));
  region.region = "eu-central-1";
  OK(igt_get_training_application_storage(client, name, &region, &storage, &err));
  assert_non_null(strstr(storage->config.v->key.v, name));
  igt_model_free(&storage->model);
  region.region = "mars";
  FAILS(igt_get_training_application_storage(client, name, &region, &storage, &err),
        IGT_E_BAD_REQUEST, "region");
  FAILS(igt_get_training_application_guide(client, "none", bytes_take, &guide, &err),
        IGT_E_NOT_FOUND, "none");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_users),       cmocka_unit_test(test_users_refused),
      cmocka_unit_test(test_accounts),    cmocka_unit_test(test_me),
      cmocka_unit_test(test_groups),      cmocka_unit_test(test_services),
      cmocka_unit_test(test_own_storage), cmocka_unit_test(test_training),
  };

  return cmocka_run_group_tests(tests, group_begin, group_end);
}
