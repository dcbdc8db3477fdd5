/* SPDX-License-Identifier: MIT */
/* Models (lib/model): decoding with every kind of field and of error, encoding as for the API and
 * for study.json, checks before sending, walking over fields, streams of list elements in arbitrary
 * blocks, limits, and failing allocations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "igtcloud/models.h"
#include "model/model.h"
#include "model/type.h"

/* ---- helpers ---- */

static igt_model *parse(const igt_type *type, const char *json) {
  igt_error err = IGT_ERROR_INIT;
  igt_model *model = NULL;

  if (igt__model_decode(type, json, strlen(json), "test", &model, &err) != IGT_OK)
    fail_msg("%s: %s", json, err.text);
  return model;
}

static void refuse(const igt_type *type, const char *json, igt_status want, const char *text) {
  igt_error err = IGT_ERROR_INIT;
  igt_model *model = NULL;

  assert_int_equal(igt__model_decode(type, json, strlen(json), "test", &model, &err), want);
  assert_int_equal(err.status, want);
  assert_null(model);
  if (!strstr(err.text, text))
    fail_msg("\"%s\" is not in: %s", text, err.text);
}

static void writes(const igt_model *model, igt__json_style style, unsigned flags,
                   const char *want) {
  igt__buf buf;

  igt__buf_init(&buf, 1u << 20);
  assert_true(igt__model_write(&buf, model, style, flags));
  assert_string_equal(buf.data, want);
  igt__buf_finish(&buf);
}

static void round_trip(const igt_type *type, const char *json, const char *want) {
  igt_model *model = parse(type, json);

  writes(model, IGT__JSON_COMPACT, IGT__WRITE_ALL, want);
  igt_model_free(model);
}

/* ---- decoding ---- */

static void test_fields_have_three_states(void **state) {
  igt_project *p;

  (void)state;
  p = (igt_project *)parse(igt_project_type(), "{\"id\":\"7\",\"name\":null}");
  assert_int_equal(p->id.is, IGT_SET);
  assert_string_equal(p->id.v, "7");
  assert_int_equal(p->name.is, IGT_NULL);
  assert_int_equal(p->description.is, IGT_ABSENT);
  assert_ptr_equal(p->model.type, igt_project_type());
  igt_model_free(&p->model);
}

static void test_all_kinds_are_read(void **state) {
  igt_epd_study *s = (igt_epd_study *)parse(
      igt_root_study_type(),
      " { \"studyType\" : \"EpdStudy\", \"createdOn\":\"2020-01-02T03:04:05.5Z\",\n"
      "\"legalBasis\":[\"a\",null,\"\\u00fc\"], \"duration\": -12, \"redo\":true,\t"
      "\"maxRetentionDate\":\"2020-01-02\", "
      "\"events\":[{\"isMaster\":false},{}],\"FCS\":\"f\"}\r\n");

  (void)state;
  assert_true(igt_model_is(&s->base.model, igt_epd_study_type()));
  assert_true(igt_model_is(&s->base.model, igt_root_study_type()));
  assert_false(igt_model_is(&s->base.model, igt_base_study_type()));
  assert_true(s->base.created_on.valid);
  assert_int_equal(s->base.created_on.v.microseconds, 500000);
  assert_true(s->base.created_on.v.has_offset);
  assert_string_equal(s->base.created_on.text, "2020-01-02T03:04:05.5Z");
  assert_int_equal(s->base.max_retention_date.is, IGT_SET);
  assert_false(s->base.max_retention_date.valid);
  assert_int_equal(s->base.legal_basis.count, 3);
  assert_null(s->base.legal_basis.v[1]);
  assert_string_equal(s->base.legal_basis.v[2], "\xc3\xbc");
  assert_int_equal(s->duration.v, -12);
  assert_true(s->redo.v);
  assert_int_equal(s->events.count, 2);
  assert_int_equal(s->events.v[0]->is_master.is, IGT_SET);
  assert_false(s->events.v[0]->is_master.v);
  assert_string_equal(s->fcs.v, "f");
  igt_model_free(&s->base.model);
}

static void test_the_type_may_be_named_last(void **state) {
  igt_model *m = parse(igt_root_study_type(),
                       "{\"x\":{\"studyType\":\"EpdStudy\"},\"studyType\":\"AnnotationStudy\"}");

  (void)state;
  assert_ptr_equal(m->type, igt_annotation_study_type());
  assert_true(igt_model_is(m, igt_core_labs_study_type()));
  assert_true(igt_model_is(m, igt_base_study_type()));
  igt_model_free(m);
}

static void test_an_unknown_type_is_its_base(void **state) {
  static const char json[] =
      "{\"studyType\":\"NewStudy\",\"site\":\"A\",\"s3Prefix\":\"p/\",\"deep\":{\"a\":[1,2.50]}}";
  igt_root_study *s = (igt_root_study *)parse(igt_root_study_type(), json);

  (void)state;
  assert_ptr_equal(s->model.type, igt_root_study_type());
  assert_string_equal(s->study_type.v, "NewStudy");
  writes(
      &s->model, IGT__JSON_COMPACT, IGT__WRITE_ALL,
      "{\"studyType\":\"NewStudy\",\"s3Prefix\":\"p/\",\"site\":\"A\",\"deep\":{\"a\":[1,2.50]}}");
  igt_model_free(&s->model);
  /* The declared type limits which types may be named. */
  s = (igt_root_study *)parse(igt_core_labs_study_type(), "{\"studyType\":\"EpdStudy\"}");
  assert_ptr_equal(s->model.type, igt_core_labs_study_type());
  igt_model_free(&s->model);
}

static void test_of_duplicates_the_last_wins(void **state) {
  (void)state;
  round_trip(igt_project_type(), "{\"id\":\"1\",\"u\":1,\"name\":\"x\",\"id\":null,\"u\":[2]}",
             "{\"id\":null,\"name\":\"x\",\"u\":[2]}");
}

static void test_escapes_are_undone(void **state) {
  igt_project *p = (igt_project *)parse(
      igt_project_type(),
      "{\"n\\u0061me\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20ac\\ud83d\\ude00\\ud83d!\"}");

  (void)state;
  assert_string_equal(p->name.v, "\"\\/\b\f\n\r\t\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd!");
  igt_model_free(&p->model);
}

static void test_integers_may_have_an_exponent(void **state) {
  igt_file *f = (igt_file *)parse(igt_file_type(), "{\"key\":\"k\",\"fileSize\":1.5e3}");

  (void)state;
  assert_int_equal(f->file_size.v, 1500);
  igt_model_free(&f->model);
  f = (igt_file *)parse(igt_file_type(), "{\"fileSize\":9223372036854775807}");
  assert_true(f->file_size.v == INT64_MAX);
  igt_model_free(&f->model);
}

static void test_other_types_are_refused_by_name(void **state) {
  const struct {
    const igt_type *type;
    const char *json, *text;
  } cases[] = {
      {igt_project_type(), "{\"name\":5}", "test: the field name must be a string but is a number"},
      {igt_project_type(), "[]", "an object is expected but it is a list"},
      {igt_file_type(), "{\"fileSize\":\"5\"}", "fileSize must be an integer but is a string"},
      {igt_file_type(), "{\"fileSize\":1.5}", "fileSize must be an integer"},
      {igt_file_type(), "{\"fileSize\":9223372036854775808}", "a larger number"},
      {igt_file_type(), "{\"isNew\":0}", "isNew must be true or false"},
      {igt_files_type(), "{\"files\":[{},{\"key\":[]}]}", "files[1].key must be a string"},
      {igt_files_type(), "{\"files\":[null]}", "files[0] must be an object but is null"},
      {igt_files_type(), "{\"files\":{}}", "files must be a list of objects"},
      {igt_base_study_type(), "{\"patient\":{\"dateOfBirth\":1}}", "patient.dateOfBirth must be"},
      {igt_project_type(), "{\"continents\":[1]}", "continents must be a string"},
      {igt_project_type(), "{\"name\":\"a\\u0000b\"}", "NUL"},
      {igt_project_list_type(), "{}", "a list of objects is expected but it is an object"},
      {igt_project_list_type(), "[{\"id\":{}}]", "[0].id must be a string"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    refuse(cases[i].type, cases[i].json, IGT_E_TYPE, cases[i].text);
}

static void test_what_is_not_json_is_refused(void **state) {
  static const char *const cases[] = {"",
                                      "{",
                                      "{\"name\"",
                                      "{\"name\":",
                                      "{\"name\":\"",
                                      "{}x",
                                      "{}{}",
                                      "{\"name\":nul}",
                                      "{\"name\":\"\\x\"}",
                                      "{\"name\":\"\\u12g4\"}",
                                      "{,}",
                                      "{\"a\":1,}",
                                      "{\"name\":\"a\nb\"}",
                                      "{\"name\":\"\xff\"}",
                                      "{\"u\":01}",
                                      "{\"u\":+1}",
                                      "{\"u\":1.}",
                                      "{\"u\":1e}",
                                      "{\"u\":.5}",
                                      "{\"u\":-}",
                                      "{\"u\":[1 2]}",
                                      "{\"u\":[1,]}",
                                      "{\"u\":{\"a\" 1}}",
                                      "{u:1}",
                                      "{\"u\":tru}",
                                      "{\"u\":\"\xed\xa0\x80\"}",
                                      "{\"u\":NaN}",
                                      "{\"u\":'a'}",
                                      "\xef\xbb\xbf{}",
                                      "{\"continents\":[}",
                                      "{\"continents\":[\"a\"",
                                      "{\"institutes\":[{}"};

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    igt_model *model = NULL;
    igt_status status =
        igt__model_decode(igt_project_type(), cases[i], strlen(cases[i]), "test", &model, NULL);

    if (status != IGT_E_PARSE && status != IGT_E_TYPE)
      fail_msg("case %zu (%s): %s", i, cases[i], igt_status_name(status));
    assert_null(model);
  }
}

/* Every truncation of a valid text is refused, and none is read beyond its end (checked by
 * ASan). */
static void test_every_cut_is_refused(void **state) {
  static const char json[] = "{\"id\":\"\\u00fc1\",\"continents\":[\"a\",null],\"institutes\":"
                             "[{\"hasSeries\":true,\"studies\":[{\"studyType\":\"EpdStudy\","
                             "\"duration\":12.0}]}],\"u\":{\"x\":[1e5,false]}}";
  igt_model *model;

  (void)state;
  for (size_t n = 0; n < sizeof json - 1; n++) {
    char *cut = malloc(n ? n : 1);

    memcpy(cut, json, n);
    model = (igt_model *)1;
    assert_int_not_equal(igt__model_decode(igt_project_type(), cut, n, "test", &model, NULL),
                         IGT_OK);
    assert_null(model);
    free(cut);
  }
  igt_model_free(parse(igt_project_type(), json));
}

static void test_depth_has_a_limit(void **state) {
  char json[2048] = "{\"u\":";

  (void)state;
  for (int i = 0; i < 63; i++)
    strcat(json, "[");
  for (int i = 0; i < 63; i++)
    strcat(json, "]");
  strcat(json, "}");
  igt_model_free(parse(igt_project_type(), json));
  memset(json, '[', sizeof json - 1);
  memcpy(json, "{\"u\":", 5);
  refuse(igt_project_type(), json, IGT_E_LIMIT, "deep");
}

static void test_unknown_fields_have_a_limit(void **state) {
  igt__buf buf;

  (void)state;
  igt__buf_init(&buf, 1u << 20);
  igt__buf_putc(&buf, '{');
  for (int i = 0; i < 2000; i++)
    igt__buf_printf(&buf, "%s\"u%d\":%d", i ? "," : "", i, i);
  igt__buf_putc(&buf, '}');
  refuse(igt_project_type(), buf.data, IGT_E_LIMIT, "unknown fields");
  igt__buf_finish(&buf);
}

static void test_lists_and_texts_are_models(void **state) {
  igt_project_list *list =
      (igt_project_list *)parse(igt_project_list_type(), "[{\"id\":\"1\"},{\"id\":\"2\"}]");
  igt_string_list *strings;
  igt_text *text;

  (void)state;
  assert_int_equal(list->count, 2);
  assert_string_equal(list->v[1]->id.v, "2");
  igt_model_free(&list->v[1]->model); /* inside another model: ignored */
  writes(&list->model, IGT__JSON_COMPACT, 0, "[{\"id\":\"1\"},{\"id\":\"2\"}]");
  igt_model_free(&list->model);
  strings = (igt_string_list *)parse(&igt__string_list_type, "[\"a\",null]");
  assert_int_equal(strings->count, 2);
  assert_string_equal(strings->v[0], "a");
  assert_null(strings->v[1]);
  igt_model_free(&strings->model);
  text = (igt_text *)parse(&igt__text_type, "\"a\\u0000b\"");
  assert_int_equal(text->len, 3);
  igt_model_free(&text->model);
  text = (igt_text *)parse(&igt__raw_type, "anything <at> all");
  assert_string_equal(text->v, "anything <at> all");
  igt_model_free(&text->model);
  igt_model_free(NULL);
}

/* ---- encoding ---- */

static void test_the_servers_order_is_kept(void **state) {
  (void)state;
  round_trip(igt_root_study_type(),
             "{\"name\":\"n\",\"z\":1,\"s3Prefix\":\"p\",\"studyType\":\"EpdStudy\",\"age\":null}",
             "{\"studyType\":\"EpdStudy\",\"name\":\"n\",\"s3Prefix\":\"p\",\"age\":null,\"z\":1}");
}

static void test_study_json_is_as_python_wrote_it(void **state) {
  igt_model *m = parse(
      igt_root_study_type(),
      "{\"createdOn\":\"2019-12-31T23:59:59.1234567Z\",\"name\":"
      "\"\\u00fc\\u20ac\\ud83d\\ude00\x7f\","
      "\"maxRetentionDate\":\"1999-12-31 00:00:00\",\"datetime\":\"2020-05-06\","
      "\"studyType\":\"EpdStudy\",\"legalBasis\":[],\"events\":[{}],\"purpose\":[\"a\",\"b\"],"
      "\"redo\":false,\"u\":{\"a\":[{},[ ],1.0],\"\xc3\xbc\":\"\\/\"}}");

  (void)state;
  writes(m, IGT__JSON_INDENT4, IGT__WRITE_ISO_DATES,
         "{\n"
         "    \"studyType\": \"EpdStudy\",\n"
         "    \"createdOn\": \"2019-12-31T23:59:59.123456+00:00\",\n"
         "    \"name\": \"\\u00fc\\u20ac\\ud83d\\ude00\\u007f\",\n"
         "    \"maxRetentionDate\": \"1999-12-31T00:00:00\",\n"
         "    \"datetime\": \"2020-05-06\",\n"
         "    \"legalBasis\": [],\n"
         "    \"events\": [\n        {}\n    ],\n"
         "    \"purpose\": [\n        \"a\",\n        \"b\"\n    ],\n"
         "    \"redo\": false,\n"
         "    \"u\": {\n        \"a\": [\n            {},\n            [],\n            1.0\n      "
         "  ],\n"
         "        \"\\u00fc\": \"/\"\n    }\n}");
  igt_model_free(m);
}

static void test_what_the_server_sets_is_not_sent(void **state) {
  igt_epd_study study = {0};
  igt_epd_study *made = igt_epd_study_new();
  igt__buf buf;

  (void)state;
  assert_string_equal(made->base.study_type.v, "EpdStudy");
  made->base.s3_prefix = (igt_string_field){IGT_SET, "p"};
  made->name = (igt_string_field){IGT_SET, "n\xc3\xbc"};
  made->age.is = IGT_NULL;
  made->datetime = (igt_time_field){.is = IGT_SET, .v = {.seconds = 86400, .has_offset = true}};
  writes(&made->base.model, IGT__JSON_COMPACT, IGT__WRITE_FOR_SENDING,
         "{\"studyType\":\"EpdStudy\",\"age\":null,\"datetime\":\"1970-01-02T00:00:00+00:00\","
         "\"name\":\"n\xc3\xbc\"}");
  igt_model_free(&made->base.model);
  study.duration = (igt_integer_field){IGT_SET, INT64_MIN};
  igt__buf_init(&buf, 1000);
  assert_true(igt__model_write_as(&buf, &study.base.model, igt_epd_study_type(), IGT__JSON_COMPACT,
                                  IGT__WRITE_FOR_SENDING));
  assert_string_equal(buf.data, "{\"studyType\":\"EpdStudy\",\"duration\":-9223372036854775808}");
  igt__buf_finish(&buf);
}

static void test_a_copy_stands_alone(void **state) {
  static const char json[] = "{\"studyType\":\"EpdStudy\",\"name\":\"n\",\"age\":null,\"events\":"
                             "[{\"comments\":\"c\",\"v\":2}],\"x\":[1]}";
  igt_model *m = parse(igt_root_study_type(), json), *copy = igt_model_copy(m);

  (void)state;
  igt_model_free(m);
  assert_ptr_equal(copy->type, igt_epd_study_type());
  writes(copy, IGT__JSON_COMPACT, 0, json);
  igt_model_free(copy);
  assert_null(igt_model_copy(NULL));
}

static void test_the_public_way_is_the_same(void **state) {
  igt_error err = IGT_ERROR_INIT;
  igt_model *m = NULL;
  igt_text *text = NULL;

  (void)state;
  assert_int_equal(igt_model_parse(igt_project_type(), "{\"id\":\"1\"}", 10, &m, &err), IGT_OK);
  assert_int_equal(igt_model_encode(m, &text, &err), IGT_OK);
  assert_string_equal(text->v, "{\"id\":\"1\"}");
  igt_model_free(&text->model);
  ((igt_project *)m)->name = (igt_string_field){IGT_SET, "\xff"};
  assert_int_equal(igt_model_encode(m, &text, &err), IGT_E_INVALID);
  assert_null(text);
  igt_model_free(m);
}

/* ---- checking ---- */

static void test_requirements_are_checked_before_sending(void **state) {
  igt_error err = IGT_ERROR_INIT;
  igt_file file = {0};
  igt_root_study study = {0};
  igt_epd_study epd = {0};
  igt_patient patient = {0};
  igt_core_labs_study labs = {0};
  igt_project project = {.model.type = igt_project_type()};

  (void)state;
  assert_int_equal(igt__model_check(&file.model, igt_file_type(), "post", &err), IGT_E_REQUIRED);
  assert_non_null(strstr(err.text, "post: the field key is required"));
  file.key = (igt_string_field){IGT_SET, "k"};
  file.file_size.is = IGT_NULL;
  assert_int_equal(igt__model_check(&file.model, igt_file_type(), "post", &err), IGT_E_REQUIRED);
  file.file_size.is = IGT_SET;
  assert_int_equal(igt__model_check(&file.model, igt_file_type(), "post", &err), IGT_OK);
  file.key.v = NULL;
  assert_int_equal(igt__model_check(&file.model, igt_file_type(), "post", &err), IGT_E_INVALID);
  assert_int_equal(igt__model_check(&study.model, igt_root_study_type(), "post", &err),
                   IGT_E_REQUIRED);
  epd.base.model.type = igt_epd_study_type();
  assert_int_equal(igt__model_check(&epd.base.model, igt_root_study_type(), "post", &err), IGT_OK);
  assert_int_equal(igt__model_check(&project.model, igt_root_study_type(), "post", &err),
                   IGT_E_INVALID);
  labs.base.base.model.type = igt_core_labs_study_type();
  labs.base.patient.is = IGT_SET;
  labs.base.patient.v = &patient;
  patient.given_name = (igt_string_field){IGT_SET, "\xc0\x80"};
  assert_int_equal(igt__model_check(&labs.base.base.model, igt_root_study_type(), "post", &err),
                   IGT_E_INVALID);
  assert_non_null(strstr(err.text, "givenName is not UTF-8"));
}

/* ---- walking ---- */

static igt_status note(void *payload, const igt__field_view *field) {
  igt__buf *buf = payload;

  igt__buf_printf(buf, "%s%s%d ", field->known ? "" : "+", field->name, (int)field->is);
  return IGT_OK;
}

static igt_status stop(void *payload, const igt__field_view *field) {
  (void)field;
  return ++*(int *)payload == 2 ? IGT_E_CANCELLED : IGT_OK;
}

static void test_fields_are_walked_in_order(void **state) {
  igt_model *m = parse(igt_project_type(), "{\"name\":\"n\",\"u\":1,\"id\":null}");
  igt__buf buf;
  int calls = 0;

  (void)state;
  igt__buf_init(&buf, 1000);
  assert_int_equal(igt__model_each_field(m, note, &buf), IGT_OK);
  assert_string_equal(buf.data, "name2 id1 description0 projectTypeName0 studyType0 continents0 "
                                "s3Prefix0 institutes0 +u2 ");
  assert_int_equal(igt__model_each_field(m, stop, &calls), IGT_E_CANCELLED);
  assert_int_equal(calls, 2);
  igt__buf_clear(&buf);
  assert_int_equal(igt__type_each_field(igt_epd_site_type(), note, &buf), IGT_OK);
  assert_string_equal(buf.data, "id0 name0 ");
  igt__buf_finish(&buf);
  igt_model_free(m);
}

/* ---- streams ---- */

typedef struct elements {
  igt__buf text;
  size_t count;
  size_t end_at; /* 0: never */
} elements;

static igt_status on_element(void *payload, const char *list, igt_model *element) {
  elements *e = payload;

  if (list)
    igt__buf_printf(&e->text, "%s:", list);
  assert_true(igt__model_write(&e->text, element, IGT__JSON_COMPACT, 0));
  igt__buf_putc(&e->text, ';');
  return ++e->count == e->end_at ? IGT_E_CANCELLED : IGT_OK;
}

/* Feeds json in blocks of `piece` bytes. */
static igt_status pour(igt__model_stream *stream, const char *json, size_t n, size_t part,
                       igt_error *err) {
  igt_status status = IGT_OK;

  for (size_t at = 0; at < n && status == IGT_OK;) {
    size_t cap = 0, some = n - at < part ? n - at : part;
    char *space = igt__model_stream_space(stream, &cap);

    if (!space)
      return igt__fail_memory(err);
    assert_true(cap > 0);
    some = some < cap ? some : cap;
    memcpy(space, json + at, some);
    at += some;
    status = igt__model_stream_filled(stream, some, err);
  }
  return status == IGT_OK ? igt__model_stream_end(stream, err) : status;
}

static igt_status feed(const igt_type *type, const char *json, size_t n, size_t part, elements *e,
                       igt_error *err) {
  igt__model_stream *stream = NULL;
  igt_status status = igt__model_stream_new(type, "test", on_element, e, &stream, err);

  if (status == IGT_OK)
    status = pour(stream, json, n, part, err);
  igt__model_stream_free(stream);
  return status;
}

/* Parses the list as a whole. */
static igt_status collect(const igt_type *type, const char *json, size_t n, size_t part,
                          igt_model **out, igt_error *err) {
  igt__model_stream *stream = NULL;
  igt_status status = igt__model_stream_new_whole(type, "test", &stream, err);

  *out = NULL;
  if (status == IGT_OK)
    status = pour(stream, json, n, part, err);
  if (status == IGT_OK)
    status = igt__model_stream_take(stream, out, err);
  igt__model_stream_free(stream);
  return status;
}

/* The elements of a list, each written as text. */
static void collects(const igt_type *type, const char *json, size_t part, igt_status want,
                     const char *text) {
  igt_error err = IGT_ERROR_INIT;
  elements e = {0};
  igt_model *model = NULL;
  igt_status status = collect(type, json, strlen(json), part, &model, &err);
  igt_project_list *list = (igt_project_list *)model;

  if (status != want)
    fail_msg("%s by %zu: %s: %s", json, part, igt_status_name(status), err.text);
  igt__buf_init(&e.text, 1u << 16);
  for (size_t i = 0; list && i < list->count; i++)
    on_element(&e, NULL, &list->v[i]->model);
  if (want == IGT_OK)
    assert_string_equal(e.text.data, text);
  else if (!strstr(err.text, text))
    fail_msg("\"%s\" is not in: %s", text, err.text);
  igt__buf_finish(&e.text);
  igt_model_free(model);
}

static void streams(const igt_type *type, const char *json, igt_status want, const char *text) {
  for (size_t part = 1; part <= strlen(json) + 1; part++) {
    igt_error err = IGT_ERROR_INIT;
    elements e = {0};
    igt_status status;

    igt__buf_init(&e.text, 1u << 16);
    status = feed(type, json, strlen(json), part, &e, &err);
    if (status != want)
      fail_msg("%s by %zu: %s: %s", json, part, igt_status_name(status), err.text);
    if (want == IGT_OK)
      assert_string_equal(e.text.data, text);
    else if (!strstr(err.text, text))
      fail_msg("\"%s\" is not in: %s", text, err.text);
    igt__buf_finish(&e.text);
    if (type == igt_project_list_type())
      collects(type, json, part, want, text);
  }
}

static void test_lists_stream_however_they_are_cut(void **state) {
  const igt_type *list = igt_project_list_type(), *files = igt_files_type();

  (void)state;
  streams(list, "[]", IGT_OK, "");
  streams(list, " [ {\"id\":\"]\\\"}\"} , {\"name\":\"\\\\\",\"u\":[{},\"[\"]} ] \n", IGT_OK,
          "{\"id\":\"]\\\"}\"};{\"name\":\"\\\\\",\"u\":[{},\"[\"]};");
  streams(files, "{}", IGT_OK, "");
  streams(files,
          "{\"x\":[{\"a\":1}],\"files\":[{\"key\":\"1\"},{}],\"n\":12 ,\"dicom\":null,"
          "\"annotations\":[{\"key\":\"2\"}],\"pathis\":[]}",
          IGT_OK, "files:{\"key\":\"1\"};files:{};annotations:{\"key\":\"2\"};");
}

static void test_broken_lists_are_refused(void **state) {
  const igt_type *list = igt_project_list_type(), *files = igt_files_type();

  (void)state;
  streams(list, "", IGT_E_PARSE, "cut off");
  streams(list, "[", IGT_E_PARSE, "cut off");
  streams(list, "[{\"id\":\"1\"}", IGT_E_PARSE, "cut off");
  streams(list, "[{\"id\":\"1\"},", IGT_E_PARSE, "cut off");
  streams(list, "[{},]", IGT_E_PARSE, "a value is missing");
  streams(list, "[{} {}]", IGT_E_PARSE, "a comma");
  streams(list, "[]]", IGT_E_PARSE, "unexpected text after");
  streams(list, "<html>", IGT_E_PARSE, "a value is expected");
  streams(list, "{\"message\":\"no\"}", IGT_E_TYPE, "a list is expected");
  streams(list, "[{},null]", IGT_E_TYPE, "test: element 1: an object is expected");
  streams(list, "[{},{\"id\":1}]", IGT_E_TYPE, "test: element 1: the field id must be");
  streams(list, "[{\"id\":x}]", IGT_E_PARSE, "element 0: not JSON");
  streams(list, "[{\"id\":]}]", IGT_E_PARSE, "element 0: not JSON");
  streams(files, "[]", IGT_E_TYPE, "an object is expected");
  streams(files, "{\"files\":{}}", IGT_E_TYPE, "files must be a list");
  streams(files, "{\"files\":[]", IGT_E_PARSE, "cut off");
  streams(files, "{\"files\" []}", IGT_E_PARSE, "a colon");
  streams(files, "{\"files\":[],}", IGT_E_PARSE, "a value is missing");
  streams(files, "{files:[]}", IGT_E_PARSE, "a string is expected");
  streams(files, "{\"files\":[{\"key\":1}]}", IGT_E_TYPE, "element 0 of files: the field key");
  streams(files, "{\"u\":[1,]}", IGT_E_PARSE, "a value is expected");
}

static void test_repeated_texts_and_orders_are_kept_once(void **state) {
  static const char json[] = "[{\"name\":\"the same\",\"id\":\"1\",\"description\":\"x\\u0061yz\"},"
                             "{\"name\":\"the same\",\"id\":\"1\",\"description\":\"xayz\"},"
                             "{\"id\":\"1\",\"name\":\"the same\"},{\"description\":\"the samf\"}]";
  igt_model *ways[2] = {NULL, NULL};

  (void)state;
  assert_int_equal(collect(igt_project_list_type(), json, sizeof json - 1, 7, &ways[0], NULL),
                   IGT_OK);
  ways[1] = parse(igt_project_list_type(), json);
  for (size_t i = 0; i < 2; i++) {
    igt_project **v = ((igt_project_list *)ways[i])->v;

    assert_ptr_equal(v[0]->name.v, v[1]->name.v);
    assert_ptr_equal(v[0]->name.v, v[2]->name.v);
    assert_string_equal(v[0]->description.v, "xayz");
    assert_string_equal(v[1]->description.v, "xayz");
    assert_string_equal(v[3]->description.v, "the samf");
    assert_ptr_equal(v[0]->model.extras->order, v[1]->model.extras->order);
    assert_null(v[2]->model.extras); /* as in the description */
    writes(ways[i], IGT__JSON_COMPACT, 0,
           "[{\"name\":\"the same\",\"id\":\"1\",\"description\":\"xayz\"},"
           "{\"name\":\"the same\",\"id\":\"1\",\"description\":\"xayz\"},"
           "{\"id\":\"1\",\"name\":\"the same\"},{\"description\":\"the samf\"}]");
    igt_model_free(ways[i]);
  }
}

static void test_the_program_may_end_a_list(void **state) {
  elements e = {.end_at = 2};

  (void)state;
  igt__buf_init(&e.text, 1000);
  assert_int_equal(feed(igt_project_list_type(), "[{},{},{},{", 11, 100, &e, NULL),
                   IGT_E_CANCELLED);
  assert_int_equal(e.count, 2);
  igt__buf_finish(&e.text);
}

static void test_an_element_has_a_limit(void **state) {
  size_t n = IGT__MAX_JSON_ELEMENT + 100;
  char *json = malloc(n);
  igt_error err = IGT_ERROR_INIT;
  elements e = {0};

  (void)state;
  memset(json, 'a', n);
  memcpy(json, "[{\"id\":\"", 8);
  assert_int_equal(feed(igt_project_list_type(), json, n, 1u << 20, &e, &err), IGT_E_LIMIT);
  assert_non_null(strstr(err.text, "element 0 is larger"));
  free(json);
}

/* "{}" is two bytes, and an event's struct hundreds. */
static void test_an_element_has_a_limit_of_memory(void **state) {
  static const char head[] = "[{\"studyType\":\"EpdStudy\",\"events\":[";
  size_t n = IGT__MAX_JSON_ELEMENT - 100, at = sizeof head - 1;
  char *json = malloc(n);
  igt_error err = IGT_ERROR_INIT;
  elements e = {0};

  (void)state;
  memcpy(json, head, at);
  for (; at + 10 < n; at += 3)
    memcpy(json + at, "{},", 3);
  memcpy(json + at, "{}]}]", 5);
  assert_int_equal(feed(igt_root_study_list_type(), json, at + 5, 1u << 20, &e, &err), IGT_E_LIMIT);
  assert_non_null(strstr(err.text, "element 0: it would exceed the memory limit"));
  free(json);
}

/* ---- memory ---- */

static size_t allocations, fails_at, balance;

static void *counted_alloc(size_t size) {
  if (++allocations == fails_at)
    return NULL;
  balance++;
  return malloc(size);
}

static void *counted_resize(void *p, size_t size) {
  if (++allocations == fails_at)
    return NULL;
  balance += p == NULL;
  return realloc(p, size);
}

static void counted_release(void *p) {
  balance -= p != NULL;
  free(p);
}

/* Whichever allocation fails, the result is a clean failure and nothing leaks. */
static void test_any_allocation_may_fail(void **state) {
  static const igt__mem_hooks hooks = {counted_alloc, counted_resize, counted_release};
  static const char json[] = "[{\"u\":[1],\"id\":\"\\u00e4\",\"continents\":[\"a\"],\"institutes\":"
                             "[{\"studies\":[{\"studyType\":\"EpdStudy\",\"z\":{}}]}]}]";
  igt_status status = IGT_E_NO_MEMORY;

  (void)state;
  igt__mem_set_hooks(&hooks);
  for (fails_at = 1; status != IGT_OK && fails_at < 1000; fails_at++) {
    igt_model *m = NULL, *copy = NULL;

    allocations = balance = 0;
    status = igt__model_decode(igt_project_list_type(), json, sizeof json - 1, "test", &m, NULL);
    if (status == IGT_OK) {
      copy = igt_model_copy(m);
      status = copy ? IGT_OK : IGT_E_NO_MEMORY;
    }
    igt_model_free(m);
    m = NULL;
    if (status == IGT_OK)
      status = collect(igt_project_list_type(), json, sizeof json - 1, 30, &m, NULL);
    igt_model_free(copy);
    igt_model_free(m);
    if ((status != IGT_OK && status != IGT_E_NO_MEMORY) || balance != 0)
      break;
  }
  igt__mem_set_hooks(NULL);
  assert_int_equal(status, IGT_OK);
  assert_int_equal(balance, 0);
  assert_true(fails_at > 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields_have_three_states),
      cmocka_unit_test(test_all_kinds_are_read),
      cmocka_unit_test(test_the_type_may_be_named_last),
      cmocka_unit_test(test_an_unknown_type_is_its_base),
      cmocka_unit_test(test_of_duplicates_the_last_wins),
      cmocka_unit_test(test_escapes_are_undone),
      cmocka_unit_test(test_integers_may_have_an_exponent),
      cmocka_unit_test(test_other_types_are_refused_by_name),
      cmocka_unit_test(test_what_is_not_json_is_refused),
      cmocka_unit_test(test_every_cut_is_refused),
      cmocka_unit_test(test_depth_has_a_limit),
      cmocka_unit_test(test_unknown_fields_have_a_limit),
      cmocka_unit_test(test_lists_and_texts_are_models),
      cmocka_unit_test(test_the_servers_order_is_kept),
      cmocka_unit_test(test_study_json_is_as_python_wrote_it),
      cmocka_unit_test(test_what_the_server_sets_is_not_sent),
      cmocka_unit_test(test_a_copy_stands_alone),
      cmocka_unit_test(test_the_public_way_is_the_same),
      cmocka_unit_test(test_requirements_are_checked_before_sending),
      cmocka_unit_test(test_fields_are_walked_in_order),
      cmocka_unit_test(test_lists_stream_however_they_are_cut),
      cmocka_unit_test(test_broken_lists_are_refused),
      cmocka_unit_test(test_repeated_texts_and_orders_are_kept_once),
      cmocka_unit_test(test_the_program_may_end_a_list),
      cmocka_unit_test(test_an_element_has_a_limit),
      cmocka_unit_test(test_an_element_has_a_limit_of_memory),
      cmocka_unit_test(test_any_allocation_may_fail),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
