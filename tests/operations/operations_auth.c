/* SPDX-License-Identifier: MIT */
/* The services auth and action: tokens, introspection, credentials, and the import of uploaded
 * DICOM files. */
#include "harness.h"

#include <stdlib.h>

static void test_who_is_signed_in(void **state) {
  igt_introspect_options mask = IGT_INTROSPECT_OPTIONS_INIT;
  igt_introspect_response *who = NULL;
  igt_permissions_response *may = NULL;

  (void)state;
  OK(igt_introspect(client, NULL, &who, &err));
  IS(who->sub, "demo@example.com");
  IS(who->identity_type, "User");
  assert_true(who->active.v && who->exp.v > 1700000000);
  igt_model_free(&who->model);
  mask.x_fields = "sub";
  OK(igt_introspect(client, &mask, &who, &err));
  IS(who->sub, "demo@example.com");
  assert_int_equal(who->active.is, IGT_ABSENT);
  igt_model_free(&who->model);
  OK(igt_get_permissions(client, NULL, &may, &err));
  assert_true(may->permissions.count >= 4);
  igt_model_free(&may->model);
  OK(igt_get_permissions(viewer, NULL, &may, &err));
  assert_int_equal(may->permissions.count, 1);
  assert_string_equal(may->permissions.v[0], "DOWNLOAD");
  igt_model_free(&may->model);
}

static void test_login(void **state) {
  const igt_login_model right = {.grant_type = SET("password"),
                                 .username = SET("viewer@example.com"),
                                 .password = SET("viewer")};
  igt_login_model wrong = right;
  igt_login_response *session = NULL;
  igt_text *audience = NULL;

  (void)state;
  OK(igt_login(client, NULL, &right, &session, &err));
  IS(session->sub, "viewer@example.com");
  assert_int_equal(session->csrf_token.is, IGT_SET);
  igt_model_free(&session->model);
  wrong.password.v = "no";
  FAILS(igt_login(client, NULL, &wrong, &session, &err), IGT_E_UNAUTHORIZED, "password");
  assert_null(session);
  wrong.grant_type.v = "nonsense";
  FAILS(igt_login(client, NULL, &wrong, NULL, &err), IGT_E_BAD_REQUEST, "grantType");
  OK(igt_get_login_audience(client, &audience, &err));
  assert_non_null(strstr(audience->v, "/oauth2/access_token"));
  igt_model_free(&audience->model);
}

static void test_refresh_and_logout(void **state) {
  igt_client *own = client_of("viewer@example.com", "viewer");
  igt_login_response *session = NULL;
  igt_logout_response *end = NULL;
  igt_user *me = NULL;

  (void)state;
  OK(igt_refresh_token(own, &session, &err));
  IS(session->sub, "viewer@example.com");
  igt_model_free(&session->model);
  OK(igt_get_me(own, NULL, &me, &err));
  igt_model_free(&me->model);
  refused = 0;
  OK(igt_logout(own, NULL, &end, &err));
  assert_true(end->success.v);
  igt_model_free(&end->model);
  OK(igt_get_me(own, NULL, &me, &err)); /* the session has ended: a new one was started */
  igt_model_free(&me->model);
  assert_true(refused > 0);
  igt_client_free(own);
}

static void test_audit_trail(void **state) {
  const igt_audit_trail entry = {.event_action = SET("read"),
                                 .event_type = SET("operations"),
                                 .arguments = SET("a \"quoted\" one")};
  igt_text *kept;

  (void)state;
  OK(igt_add_audit_entry(client, &entry, &err));
  kept = sandbox_get("/__audit");
  assert_non_null(strstr(kept->v, "\"eventType\":\"operations\""));
  assert_non_null(strstr(kept->v, "a \\\"quoted\\\" one"));
  igt_model_free(&kept->model);
}

/* ---- credentials, and the action service on objects stored with them ---- */

static igt_status one_policy(void *payload, const char *list, igt_s3_credential *policy) {
  assert_string_equal(list, "policyCredentials");
  assert_int_equal(policy->credentials.is, IGT_SET);
  IS(policy->credentials.v->bucket, "igtcloud");
  ++*(int *)payload;
  return IGT_OK;
}

static void test_credentials(void **state) {
  igt_get_s3_credentials_options options = IGT_GET_S3_CREDENTIALS_OPTIONS_INIT;
  igt_s3_credential_response *response = NULL;
  int count = 0;

  (void)state;
  FAILS(igt_get_s3_credentials(client, &options, &response, &err), IGT_E_REQUIRED, "action");
  options.action = "GET";
  options.prefix = "ops-project/files/";
  OK(igt_get_s3_credentials_each(client, &options, one_policy, &count, &err));
  assert_int_equal(count, 1);
  options.prefix = "elsewhere/";
  FAILS(igt_get_s3_credentials(client, &options, &response, &err), IGT_E_BAD_REQUEST, "elsewhere/");
  options.action = "PUT";
  options.prefix = "ops-project/files/";
  FAILS(igt_get_s3_credentials(viewer, &options, &response, &err), IGT_E_FORBIDDEN, "upload");
}

/* Explicit VR little endian: the identifiers of a study and a series. */
static size_t write_dicom(char *out) {
  static const struct {
    unsigned group, element;
    const char *vr, *value; /* of an even length */
  } elements[] = {
      {0x0002, 0x0010, "UI", "1.2.840.10008.1.2.1"},
      {0x0008, 0x0060, "CS", "XA"},
      {0x0010, 0x0010, "PN", "Doe^Jo"},
      {0x0010, 0x0020, "LO", "OPS1"},
      {0x0020, 0x000D, "UI", "2.25.77"},
      {0x0020, 0x000E, "UI", "2.25.78"},
      {0x0020, 0x0010, "SH", "S-77"},
  };
  size_t at = 132;

  memset(out, 0, 512);
  memcpy(out + 128, "DICM", 4);
  for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
    size_t n = strlen(elements[i].value), even = n + n % 2;
    const char head[] = {(char)elements[i].group,
                         (char)(elements[i].group >> 8),
                         (char)elements[i].element,
                         (char)(elements[i].element >> 8),
                         elements[i].vr[0],
                         elements[i].vr[1],
                         (char)even,
                         0};
    memcpy(out + at, head, sizeof head);
    memcpy(out + at + sizeof head, elements[i].value, n);
    at += sizeof head + even;
  }
  return at;
}

static void put_dicom(const char *key) {
  igt_get_s3_credentials_options options = IGT_GET_S3_CREDENTIALS_OPTIONS_INIT;
  igt_s3_credential_response *response = NULL;
  char dicom[512];
  size_t n = write_dicom(dicom);

  options.action = "PUT";
  options.prefix = "ops-project/ops-north/Import/";
  OK(igt_get_s3_credentials(client, &options, &response, &err));
  const igt_credentials *keys = response->policy_credentials.v[0]->credentials.v;
  object_put(keys->access_key.v, keys->secret_key.v, keys->session_token.v, keys->bucket.v, key,
             dicom, n);
  igt_model_free(&response->model);
}

static void test_import(void **state) {
  igt_update_database_request request = {
      .uploaded_path = SET("upload-1"), .hospital_id = SET("ops-north"), .is_prefix = SET(true)};
  igt_get_studies_options filter = IGT_GET_STUDIES_OPTIONS_INIT;
  igt_root_study_list *studies = NULL;

  (void)state;
  FAILS(igt_update_database(client, &request, &err), IGT_E_BAD_REQUEST, "no object");
  put_dicom("ops-project/ops-north/Import/upload-1/image.dcm");
  OK(igt_update_database(client, &request, &err));
  filter.filter = "instanceUid eq '2.25.77'";
  OK(igt_get_studies(client, "ops-north", &filter, &studies, &err));
  assert_int_equal(studies->count, 1);
  assert_true(igt_model_is(&studies->v[0]->model, igt_study_type()));
  IS(studies->v[0]->study_id_human_readable, "Doe^Jo/S-77");
  igt_model_free(&studies->model);
  FAILS(igt_update_database(viewer, &request, &err), IGT_E_FORBIDDEN, "upload");
  request.hospital_id.v = "none";
  FAILS(igt_update_database(client, &request, &err), IGT_E_NOT_FOUND, "none");
}

static void test_preprocess(void **state) {
  igt_preprocessing_request request = {.uploaded_path = SET("upload-2/a.dcm"),
                                       .hospital_id = SET("ops-north")};

  (void)state;
  FAILS(igt_preprocess_file(client, &request, &err), IGT_E_BAD_REQUEST, "upload-2/a.dcm");
  put_dicom("ops-project/ops-north/Import/upload-2/a.dcm");
  OK(igt_preprocess_file(client, &request, &err));
  request.hospital_id.v = "none";
  FAILS(igt_preprocess_file(client, &request, &err), IGT_E_NOT_FOUND, "none");
  request.hospital_id.is = IGT_ABSENT;
  FAILS(igt_preprocess_file(client, &request, &err), IGT_E_BAD_REQUEST, "hospitalId");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_who_is_signed_in),   cmocka_unit_test(test_login),
      cmocka_unit_test(test_refresh_and_logout), cmocka_unit_test(test_audit_trail),
      cmocka_unit_test(test_credentials),        cmocka_unit_test(test_import),
      cmocka_unit_test(test_preprocess),
  };

  return cmocka_run_group_tests(tests, group_begin, group_end);
}
