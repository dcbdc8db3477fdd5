/* SPDX-License-Identifier: MIT */
/* The sandbox's check of request bodies (sandbox/rest/fields.c). The sandbox is a program, not a
 * library: its pure parts are tested by including their source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../sandbox/rest/fields.c"

static bool passes(const char *name, const char *text, char *why, size_t cap) {
  igt__json *value = NULL;

  assert_int_equal(igt__json_parse(text, strlen(text), "it", &value, NULL), IGT_OK);
  bool ok = rest_model_check(name, value, why, cap);
  igt__json_free(value);
  return ok;
}

static void test_accepts(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"LoginModel", "{}"},
      {"LoginModel", "{\"unknown\":[1]}"},
      {"FileUploadCompleted", "{\"uploadedPath\":\"x\",\"triggerAction\":null}"},
      {"[]File", "[]"},
      {"[]File", "[{\"key\":\"a\",\"fileSize\":0,\"isCompleted\":\"read-only\"}]"},
      {"RootStudy", "{\"studyType\":\"EpdStudy\",\"duration\":5,\"redo\":false,"
                    "\"datetime\":\"2020-01-01T00:00:00Z\",\"events\":[{\"isMaster\":true}]}"},
      {"RootStudy", "{\"studyType\":\"Study\",\"studyDate\":\"2020-01-01\","
                    "\"patient\":{\"patientId\":\"x\",\"dateOfBirth\":null},\"createdOn\":7}"},
      {"RootStudy", "{\"studyType\":\"AnnotationStudy\",\"studyName\":\"of CoreLabs\","
                    "\"studyId\":\"of Base\",\"legalBasis\":[\"of Root\"]}"},
      {"Series", "{\"seriesType\":\"MarvelSeries\",\"study\":{\"studyType\":\"MarvelStudy\"}}"},
  };
  char why[256];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (!passes(cases[i][0], cases[i][1], why, sizeof why))
      fail_msg("%s: %s", cases[i][1], why);
  }
}

static void test_refuses(void **state) {
  (void)state;
  static const char *const cases[][3] = {
      {"LoginModel", "[]", "object"},
      {"LoginModel", "{\"username\":1}", "username"},
      {"FileUploadCompleted", "{}", "uploadedPath"},
      {"FileUploadCompleted", "{\"uploadedPath\":null}", "uploadedPath"},
      {"[]File", "{}", "list"},
      {"[]File", "[{\"key\":\"a\",\"fileSize\":1},{\"key\":\"a\"}]", "fileSize"},
      {"[]File", "[{\"key\":\"a\",\"fileSize\":1.5}]", "fileSize"},
      {"[]File", "[null]", "object"},
      {"RootStudy", "{}", "studyType"},
      {"RootStudy", "{\"studyType\":\"Project\"}", "Project"},
      {"RootStudy", "{\"studyType\":\"RootStudy\"}", "RootStudy"},
      {"RootStudy", "{\"studyType\":\"Study\",\"studyDate\":\"2020-13-01\"}", "studyDate"},
      {"RootStudy", "{\"studyType\":\"Study\",\"patient\":\"x\"}", "patient"},
      {"RootStudy", "{\"studyType\":\"Study\",\"patient\":{\"gender\":1}}", "gender"},
      {"RootStudy", "{\"studyType\":\"Study\",\"legalBasis\":{}}", "legalBasis"},
      {"RootStudy", "{\"studyType\":\"EpdStudy\",\"events\":[[]]}", "events"},
      {"Series", "{\"seriesType\":\"MarvelSeries\",\"study\":{}}", "studyType"},
      {"StudyStickyNote", "{\"hasStickyNote\":\"true\"}", "bool"},
      {"Nothing", "{}", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char why[256] = "";
    if (passes(cases[i][0], cases[i][1], why, sizeof why) || !strstr(why, cases[i][2]))
      fail_msg("%s %s: \"%s\"", cases[i][0], cases[i][1], why);
  }
}

static void test_inheritance(void **state) {
  (void)state;
  assert_true(rest_model_is("AnnotationStudy", "BaseStudy"));
  assert_true(rest_model_is("AnnotationStudy", "RootStudy"));
  assert_false(rest_model_is("EpdStudy", "BaseStudy"));
  assert_false(rest_model_is("nothing", "BaseStudy"));
  assert_true(rest_model_known("File"));
  assert_false(rest_model_known("Nothing"));
}

static bool check_row(void *payload, const rest_field *field) {
  static const char *const scalars[] = {"string", "time", "int", "bool", "any"};

  (void)payload;
  bool known = rest_model_known(field->type);
  for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++)
    known = known || strcmp(field->type, scalars[i]) == 0;
  if (!known || field->name[0] == '\0' || strlen(field->name) + 1 == sizeof field->name)
    fail_msg("%s: %s", field->name, field->type);
  return true;
}

/* A mistake in the table would refuse valid requests. */
static void test_table(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
    assert_true(!models[i].parent || rest_model_known(models[i].parent));
    rest_model_fields(models[i].name, check_row, NULL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_accepts), cmocka_unit_test(test_refuses),
                                     cmocka_unit_test(test_inheritance),
                                     cmocka_unit_test(test_table)};

  return cmocka_run_group_tests(tests, NULL, NULL);
}
