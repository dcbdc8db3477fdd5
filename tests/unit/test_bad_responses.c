/* SPDX-License-Identifier: MIT */
/* Responses that violate the description, for each way of requesting them: a single model, a whole
 * list, a streamed list. The error names the operation, the field and the expected type. */

#include "calls.h"

#define JSON_TYPE "application/json"
#define DEEP 200

typedef struct bad {
  const char *type;
  const char *element; /* of the list; also used as the single model */
  igt_status status;
  const char *field, *wanted; /* expected in the message; "" for none */
} bad;

static const char *deep(void) {
  static char text[2 * DEEP + 64];

  strcpy(text, "{\"x\":");
  memset(text + strlen(text), '[', DEEP);
  return strcat(text, "1");
}

static const bad cases[] = {
    /* wrong types */
    {JSON_TYPE, "{\"name\":7}", IGT_E_TYPE, "name", "a string but is a number"},
    {JSON_TYPE, "{\"name\":[\"a\"]}", IGT_E_TYPE, "name", "a string but is a list"},
    {JSON_TYPE, "{\"duration\":\"95\"}", IGT_E_TYPE, "duration", "an integer but is a string"},
    {JSON_TYPE, "{\"redo\":1}", IGT_E_TYPE, "redo", "true or false but is a number"},
    {JSON_TYPE, "{\"events\":{}}", IGT_E_TYPE, "events", "a list of objects but is an object"},
    {JSON_TYPE, "{\"events\":[{},{\"isMaster\":\"y\"}]}", IGT_E_TYPE, "events[1].isMaster",
     "true or false"},
    {JSON_TYPE, "{\"legalBasis\":[\"a\",1]}", IGT_E_TYPE, "legalBasis", "a string but is a number"},
    {JSON_TYPE, "{\"datetime\":20200102}", IGT_E_TYPE, "datetime", "a string but is a number"},
    {JSON_TYPE, "[]", IGT_E_TYPE, "", "an object is expected"},
    {JSON_TYPE, "\"text\"", IGT_E_TYPE, "", "an object is expected"},
    /* numbers out of range */
    {JSON_TYPE, "{\"duration\":9223372036854775808}", IGT_E_TYPE, "duration", "64 bits"},
    {JSON_TYPE, "{\"duration\":-1e30}", IGT_E_TYPE, "duration", "64 bits"},
    {JSON_TYPE, "{\"duration\":1.5}", IGT_E_TYPE, "duration", "64 bits"},
    /* not JSON */
    {JSON_TYPE, "{\"duration\":01}", IGT_E_PARSE, "", "not JSON at byte"},
    {JSON_TYPE, "{\"duration\":NaN}", IGT_E_PARSE, "", "not JSON at byte"},
    {JSON_TYPE, "{\"name\":\"\xff\"}", IGT_E_PARSE, "", "not JSON at byte"},
    {JSON_TYPE, "{\"name\":\"\xed\xa0\x80\"}", IGT_E_PARSE, "", "not JSON at byte"},
    {JSON_TYPE, "{\"name\":\"a\nb\"}", IGT_E_PARSE, "", "not JSON at byte"},
    {JSON_TYPE, "{\"name\":\"a\\u0000b\"}", IGT_E_TYPE, "name", "NUL"},
    {JSON_TYPE, "{\"name\" \"a\"}", IGT_E_PARSE, "", "not JSON at byte"},
    {JSON_TYPE, "{'name':'a'}", IGT_E_PARSE, "", "not JSON at byte"},
    /* another content type: the page of a proxy or a captive portal */
    {"text/html", "<html>sign in</html>", IGT_E_PROTOCOL, "", "html"},
    {"text/html", "{\"name\":\"a\"}", IGT_E_PROTOCOL, "", "html"},
};
#define CASES (sizeof cases / sizeof cases[0])

static void check(fixture *f, const bad *c, igt_status status, const char *operation) {
  if (status != c->status)
    fail_msg("%s: %s: %s", c->element, igt_status_name(status), f->err.text);
  assert_int_equal(f->err.status, c->status);
  assert_string_equal(f->err.operation, operation);
  if (!strstr(f->err.text, operation) && c->status != IGT_E_PROTOCOL)
    fail_msg("\"%s\" does not name %s", f->err.text, operation);
  if (!strstr(f->err.text, c->field) || !strstr(f->err.text, c->wanted))
    fail_msg("%s: \"%s\" does not say \"%s\" and \"%s\"", c->element, f->err.text, c->field,
             c->wanted);
}

/* A study of the concrete type that has the fields. */
static void study_text(const bad *c, char *out, size_t cap) {
  if (c->element[0] == '{' && strcmp(c->type, JSON_TYPE) == 0)
    snprintf(out, cap, "{\"studyType\":\"EpdStudy\",%s", c->element + 1);
  else
    snprintf(out, cap, "%s", c->element);
}

static void test_one_model(void **state) {
  fixture *f = *state;

  for (size_t i = 0; i < CASES; i++) {
    char text[512];
    igt_root_study *study = (igt_root_study *)(void *)f; /* must be reset */

    study_text(&cases[i], text, sizeof text);
    response(f, cases[i].type, text);
    check(f, &cases[i], igt_get_study(f->client, "h", "s", &study, &f->err), "get_study");
    assert_null(study);
  }
}

static igt_status count_studies(void *payload, igt_root_study *study) {
  assert_non_null(study);
  ++*(size_t *)payload;
  return IGT_OK;
}

/* The bad element comes after a good one. */
static void in_a_list(const bad *c, char *out, size_t cap) {
  char text[512];

  study_text(c, text, sizeof text);
  if (strcmp(c->type, JSON_TYPE) == 0)
    snprintf(out, cap, "[{\"studyType\":\"Study\"},%s]", text);
  else
    snprintf(out, cap, "%s", text);
}

static void test_whole_lists(void **state) {
  fixture *f = *state;

  for (size_t i = 0; i < CASES; i++) {
    char text[600];
    igt_root_study_list *list = (igt_root_study_list *)(void *)f;

    in_a_list(&cases[i], text, sizeof text);
    response(f, cases[i].type, text);
    check(f, &cases[i], igt_get_studies(f->client, "h", NULL, &list, &f->err), "get_studies");
    assert_null(list);
    if (cases[i].status == IGT_E_TYPE && cases[i].field[0] && !strstr(f->err.text, "element 1"))
      fail_msg("\"%s\" does not say which element", f->err.text);
  }
}

static void test_element_by_element(void **state) {
  fixture *f = *state;

  for (size_t i = 0; i < CASES; i++) {
    char text[600];
    size_t count = 0;

    in_a_list(&cases[i], text, sizeof text);
    response(f, cases[i].type, text);
    check(f, &cases[i], igt_get_studies_each(f->client, "h", NULL, count_studies, &count, &f->err),
          "get_studies");
    assert_int_equal(count, strcmp(cases[i].type, JSON_TYPE) == 0 ? 1 : 0);
  }
}

/* ---- deep, truncated, duplicate ---- */

static void test_deep_responses(void **state) {
  fixture *f = *state;
  igt_root_study *study = NULL;
  igt_root_study_list *list = NULL;
  char text[2 * DEEP + 100];

  response(f, JSON_TYPE, deep());
  assert_int_equal(igt_get_study(f->client, "h", "s", &study, &f->err), IGT_E_LIMIT);
  assert_non_null(strstr(f->err.text, "nested deeper than 64 levels"));
  assert_null(study);
  snprintf(text, sizeof text, "[%s]", deep());
  response(f, JSON_TYPE, text);
  assert_int_not_equal(igt_get_studies(f->client, "h", NULL, &list, &f->err), IGT_OK);
  assert_string_equal(f->err.operation, "get_studies");
  assert_null(list);
}

static void test_responses_cut_anywhere(void **state) {
  static const char whole[] =
      "[{\"studyType\":\"EpdStudy\",\"events\":[{\"isMaster\":true}],\"name\":\"\\u00fc\"}]";
  fixture *f = *state;

  for (size_t n = 0; n < sizeof whole - 1; n++) {
    igt_root_study_list *list = NULL;
    char text[sizeof whole];

    snprintf(text, sizeof text, "%.*s", (int)n, whole);
    response(f, JSON_TYPE, text);
    assert_int_equal(igt_get_studies(f->client, "h", NULL, &list, &f->err), IGT_E_PARSE);
    assert_string_equal(f->err.operation, "get_studies");
    assert_null(list);
  }
}

static void test_what_stands_twice_counts_once(void **state) {
  fixture *f = *state;
  igt_root_study *study = NULL;

  response(f, JSON_TYPE,
           "{\"studyType\":\"EpdStudy\",\"name\":\"a\",\"x\":1,\"name\":null,\"x\":{\"y\":2},"
           "\"events\":[{}],\"events\":[]}");
  ok(f, igt_get_study(f->client, "h", "s", &study, &f->err));
  same(&study->model, "{\"studyType\":\"EpdStudy\",\"name\":null,\"events\":[],\"x\":{\"y\":2}}",
       false);
}

/* Invalid dates keep their text, and are marked as invalid. */
static void test_wrong_dates(void **state) {
  static const char *const dates[] = {"",
                                      "yesterday",
                                      "2020-01-02",
                                      "2020-13-01T00:00:00Z",
                                      "2020-02-30T00:00:00Z",
                                      "2020-01-02T24:00:00Z",
                                      "2020-01-02T03:04:60Z",
                                      "2020-01-02T03:04:05+25:00",
                                      "20200102T030405Z",
                                      "0000-01-01T00:00:00Z",
                                      "2020-01-02T03:04:05Zx",
                                      " 2020-01-02T03:04:05Z",
                                      "-2020-01-02T03:04:05Z"};
  fixture *f = *state;

  for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
    igt_root_study *study = NULL;
    char text[200];

    snprintf(text, sizeof text, "{\"studyType\":\"EpdStudy\",\"datetime\":\"%s\"}", dates[i]);
    response(f, JSON_TYPE, text);
    ok(f, igt_get_study(f->client, "h", "s", &study, &f->err));
    const igt_time_field *field = &((igt_epd_study *)study)->datetime;
    if (field->valid)
      fail_msg("%s was taken for a date-time", dates[i]);
    assert_int_equal(field->is, IGT_SET);
    assert_int_equal(field->v.seconds, 0);
    assert_string_equal(field->text, dates[i]);
    same(&study->model, text, false);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CALL(test_one_model),
      CALL(test_whole_lists),
      CALL(test_element_by_element),
      CALL(test_deep_responses),
      CALL(test_responses_cut_anywhere),
      CALL(test_what_stands_twice_counts_once),
      CALL(test_wrong_dates),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
