/* SPDX-License-Identifier: MIT */
/* Which study a folder belongs to, and which study is created from it: docs/internals/upload.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "transfer/upload/match.h"

static igt_institute institute_of(const char *type) {
  igt_institute institute = {0};

  institute.study_type.is = IGT_SET;
  institute.study_type.v = type;
  return institute;
}

/* only: studies other than this folder's are not kept. */
static igt__studies *studies_for(const char *type, const char *const *docs,
                                 const igt__folder *only) {
  igt_institute institute = institute_of(type);
  igt__studies *studies;

  assert_int_equal(igt__studies_new(&institute, &studies, NULL), IGT_OK);
  assert_true(!only || igt__studies_only(studies, only));
  for (; docs && *docs; docs++) {
    igt_model *study;
    igt_error err;
    if (igt__model_decode(igt_root_study_type(), *docs, strlen(*docs), "d", &study, &err) != IGT_OK)
      fail_msg("%s: %s", *docs, err.text);
    assert_true(igt__studies_add(studies, (igt_root_study *)study));
    igt_model_free(study);
  }
  return studies;
}

static igt__studies *studies_of(const char *type, const char *const *docs) {
  return studies_for(type, docs, NULL);
}

static igt__json *parse(const char *text) {
  igt__json *doc = NULL;

  if (text)
    assert_int_equal(igt__json_parse(text, strlen(text), "d", &doc, NULL), IGT_OK);
  return doc;
}

/* ---- which study ---- */

static const char *const patients[] = {
    "{\"studyType\":\"Study\",\"studyDatabaseId\":\"1\",\"studyIdHumanReadable\":\"P1/A\","
    "\"studyId\":\"A\",\"patient\":{\"patientName\":\"P1\"}}",
    "{\"studyType\":\"Study\",\"studyDatabaseId\":\"2\",\"studyIdHumanReadable\":\"P1/B\","
    "\"studyId\":\"B\",\"patient\":{\"patientName\":\"P1\"}}",
    "{\"studyType\":\"Study\",\"studyDatabaseId\":\"3\",\"studyIdHumanReadable\":\"P2/A\","
    "\"studyId\":\"A\",\"patient\":{\"patientName\":\"P2\"}}",
    "{\"studyType\":\"Study\",\"studyDatabaseId\":\"4\",\"studyIdHumanReadable\":\"P3---A\","
    "\"patient\":{\"patientName\":\"P3---A\"}}",
    "{\"studyType\":\"Study\",\"studyDatabaseId\":\"5\",\"studyIdHumanReadable\":\"twin/A\","
    "\"studyId\":\"A\",\"patient\":{\"patientName\":\"twin\"}}",
    "{\"studyType\":\"Study\",\"studyDatabaseId\":\"6\",\"studyIdHumanReadable\":\"twin/A\","
    "\"studyId\":\"A\",\"patient\":{\"patientName\":\"twin\"}}",
    "{\"studyType\":\"Study\",\"studyDatabaseId\":\"7\",\"studyIdHumanReadable\":\"P4\","
    "\"patient\":{\"patientName\":\"P4\"}}",
    "{\"studyType\":\"Study\",\"studyDatabaseId\":\"8\",\"studyIdHumanReadable\":\"Mu\xcc\x88ller/"
    "A\","
    "\"studyId\":\"A\",\"patient\":{\"patientName\":\"Mu\xcc\x88ller\"}}",
    NULL};

static const char *const subjects[] = {
    "{\"studyType\":\"IGuideUStudy\",\"studyDatabaseId\":\"1\",\"studyIdHumanReadable\":\"S1\","
    "\"subjectId\":\"S1\"}",
    "{\"studyType\":\"IGuideUStudy\",\"studyDatabaseId\":\"2\",\"studyIdHumanReadable\":\"S2/v1\","
    "\"subjectId\":\"S2\",\"visitName\":\"v1\"}",
    NULL};

#define AMBIGUOUS "ambiguous"
#define REFUSED "refused"

static const struct which {
  const char *type;
  const char *const *there;
  const char *patient, *name, *doc;
  bool only;
  const char *is; /* the studyDatabaseId; NULL: none, it is created */
} which[] = {
    /* hierarchical */
    {"Study", patients, "P1", "A", NULL, false, "1"},
    {"Study", patients, "P1", "B", NULL, true, "2"},
    {"Study", patients, "P1", "C", NULL, true, NULL},
    {"Study", patients, "P2", "B", NULL, true, NULL}, /* P2's only study is another one */
    {"Study", patients, "P3", "A", NULL, true, NULL}, /* "P3---A" is a patient's name there */
    {"Study", patients, "P4", "A", NULL, true, NULL},
    {"Study", patients, "twin", "A", NULL, true, AMBIGUOUS},
    /* flat */
    {"Study", patients, NULL, "P1---A", NULL, true, "1"},
    {"Study", patients, NULL, "P1---C", NULL, true, NULL},
    {"Study", patients, NULL, "P3---A", NULL, true, "4"}, /* created from the whole name before */
    {"Study", patients, NULL, "twin---A", NULL, true, AMBIGUOUS},
    {"Study", patients, NULL, "P1", NULL, true, AMBIGUOUS}, /* by key: two match */
    {"Study", patients, NULL, "P2", NULL, true, "3"},       /* by key: one matches */
    {"Study", patients, NULL, "P4", NULL, true, "7"},
    {"Study", patients, NULL, "P5", NULL, true, NULL},
    /* with a study.json: its studyDatabaseId comes first, then the folder's name, then its fields
     */
    {"Study", patients, "P1", "A", "{\"studyDatabaseId\":\"1\"}", false, "1"},
    /* a copied folder: its name is that of another study or patient */
    {"Study", patients, "P1", "A", "{\"studyDatabaseId\":\"2\"}", false, REFUSED},
    {"Study", patients, NULL, "P2---A", "{\"studyDatabaseId\":\"1\"}", false, REFUSED},
    {"Study", patients, NULL, "P9---A", "{\"studyDatabaseId\":\"1\"}", false, REFUSED},
    {"Study", patients, "P9", "A", "{\"studyDatabaseId\":\"1\"}", false, REFUSED},
    {"Study", patients, NULL, "P2", "{\"studyDatabaseId\":\"1\"}", false, REFUSED},
    {"Study", patients, NULL, "P2---new",
     "{\"studyId\":\"A\",\"patient\":{\"patientName\":\"P1\"}}", false, REFUSED},
    /* a folder with the user's own name, or one whose study was renamed in the cloud */
    {"Study", patients, NULL, "for-ann", "{\"studyDatabaseId\":\"1\"}", false, "1"},
    {"Study", patients, NULL, "P1---A done", "{\"studyDatabaseId\":\"1\"}", false, "1"},
    {"Study", patients, "P1", "done", "{\"studyDatabaseId\":\"1\"}", false, "1"},
    {"Study", patients, NULL, "P0---A",
     "{\"studyDatabaseId\":\"1\",\"studyIdHumanReadable\":\"P0/A\"}", false, "1"},
    /* the second of two with the same name: by the folder's suffix, with or without a study.json */
    {"Study", patients, NULL, "twin---A (6)", NULL, true, "6"},
    {"Study", patients, "twin", "A (6)", "{\"studyDatabaseId\":\"6\"}", true, "6"},
    {"Study", patients, NULL, "twin---A", "{\"studyDatabaseId\":\"6\"}", true, "6"},
    {"Study", patients, NULL, "twin---A (6)", "{\"studyDatabaseId\":\"5\"}", true, REFUSED},
    {"Study", patients, "P1", "A", "{\"studyDatabaseId\":\"99\"}", false, "1"},
    {"Study", patients, NULL, "P1---A", "{\"studyId\":\"B\",\"patient\":{\"patientName\":\"P1\"}}",
     false, "1"},
    {"Study", patients, NULL, "exam", "{\"studyId\":\"B\",\"patient\":{\"patientName\":\"P1\"}}",
     false, "2"},
    {"Study", patients, "x", "y", "{\"studyId\":\"B\",\"patient\":{\"patientName\":\"P1\"}}", false,
     "2"},
    {"Study", patients, NULL, "exam", "{\"studyId\":\"C\",\"patient\":{\"patientName\":\"P2\"}}",
     false, NULL}, /* the patient's only study is another one */
    {"Study", patients, NULL, "exam", "{\"patient\":{\"patientName\":\"P2\"}}", false, "3"},
    {"Study", patients, "x", "y", "{\"patient\":{\"patientName\":\"P2\"}}", false, NULL},
    {"Study", patients, "x", "y", "{\"patient\":{\"patientName\":\"P4\"}}", false, NULL},
    {"Study", patients, NULL, "x---A", "{\"patient\":{\"patientName\":\"P1\"}}", false, "1"},
    {"Study", patients, NULL, "exam", "{\"patient\":{\"patientName\":\"P4\"}}", false, "7"},
    /* both normalization forms of a name */
    {"Study", patients, NULL, "M\xc3\xbcller---A", NULL, true, "8"},
    {"Study", patients, NULL, "Mu\xcc\x88ller---A", NULL, true, "8"},
    {"Study", patients, "Mu\xcc\x88ller", "A", NULL, true, "8"},
    {"Study", patients, NULL, "M\xc3\xbcller", NULL, true, "8"},
    {"Study", patients, NULL, "exam",
     "{\"studyId\":\"A\",\"patient\":{\"patientName\":\"M\xc3\xbcller\"}}", false, "8"},
    {"Study", patients, "P2", "y", "{\"studyId\":\"A\"}", false, "3"}, /* its key is the folder's */
    {"Study", patients, "P1", "C", "{}", false, NULL},
    /* a type without studyId */
    {"IGuideUStudy", subjects, NULL, "S1", NULL, true, "1"},
    {"IGuideUStudy", subjects, NULL, "S2", NULL, true, "2"},
    {"IGuideUStudy", subjects, "S1", "v1", NULL, true, "1"}, /* created from that folder */
    {"IGuideUStudy", subjects, "S1", "v1", NULL, false, NULL},
    {"IGuideUStudy", subjects, "S2", "v1", NULL, false, "2"},
    {"IGuideUStudy", subjects, "S2", "v2", NULL, true, NULL},
    {"IGuideUStudy", subjects, NULL, "S2---v1", NULL, true, "2"},
    {"IGuideUStudy", subjects, NULL, "S2---v2", NULL, true, NULL},
    {"IGuideUStudy", subjects, NULL, "e", "{\"subjectId\":\"S2\",\"visitName\":\"v2\"}", true,
     NULL},
    {"IGuideUStudy", subjects, NULL, "e", "{\"subjectId\":\"S2\",\"visitName\":\"v1\"}", true, "2"},
};

static void see_which(const struct which *w, bool only) {
  igt__json *doc = parse(w->doc);
  igt__folder folder = {w->patient, w->name, doc, w->only};
  igt__studies *studies = studies_for(w->type, w->there, only ? &folder : NULL);
  igt__known *known = NULL;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt__studies_match(studies, &folder, &known, &err);
  const char *got = status == IGT_E_AMBIGUOUS   ? AMBIGUOUS
                    : status == IGT_E_COLLISION ? REFUSED
                    : known                     ? known->id
                                                : "none";

  /* With only the folder's candidates kept, there is no other patient to distinguish from. */
  if (only && w->is && strcmp(w->is, REFUSED) == 0)
    got = REFUSED;

  if (strcmp(got, w->is ? w->is : "none") != 0)
    fail_msg("%s/%s %s is %s, not %s: %s", w->patient ? w->patient : "", w->name,
             w->doc ? w->doc : "", got, w->is ? w->is : "none", err.text);
  assert_true(!only || !igt__studies_at(studies, 3)); /* the others are not kept */
  igt__json_free(doc);
  igt__studies_free(studies);
}

static void test_which(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
    see_which(&which[i], false);
    see_which(&which[i], true);
  }
}

static void test_ambiguous_lists_them(void **state) {
  (void)state;
  igt__studies *studies = studies_of("Study", patients);
  igt__folder folder = {NULL, "P1", NULL, true};
  igt__known *known;
  igt_error err = IGT_ERROR_INIT;
  assert_int_equal(igt__studies_match(studies, &folder, &known, &err), IGT_E_AMBIGUOUS);
  assert_null(known);
  assert_non_null(strstr(err.text, "P1/A (1)"));
  assert_non_null(strstr(err.text, "P1/B (2)"));
  assert_null(strstr(err.text, "twin"));
  igt__studies_free(studies);
}

static void test_two_folders_one_study(void **state) {
  (void)state;
  igt__studies *studies = studies_of("Study", patients);
  igt__json *doc = parse("{\"studyDatabaseId\":\"1\"}");
  igt__folder first = {"P1", "A", NULL, false}, second = {"P9", "Z", doc, false};
  igt__known *known;
  igt_error err = IGT_ERROR_INIT;
  assert_int_equal(igt__studies_match(studies, &first, &known, &err), IGT_OK);
  assert_int_equal(igt__studies_match(studies, &second, &known, &err), IGT_E_COLLISION);
  igt__json_free(doc);
  igt__studies_free(studies);
}

static void test_annotations_by_name(void **state) {
  (void)state;
  igt__studies *studies = studies_of("Study", patients);
  igt__known *known;
  assert_int_equal(igt__studies_by_name(studies, "P1", "B", &known, NULL), IGT_OK);
  assert_string_equal(known->id, "2");
  assert_int_equal(igt__studies_by_name(studies, NULL, "P2---A", &known, NULL), IGT_OK);
  assert_string_equal(known->id, "3");
  assert_int_equal(igt__studies_by_name(studies, NULL, "P2", &known, NULL), IGT_OK);
  assert_null(known);
  assert_int_equal(igt__studies_by_name(studies, "twin", "A", &known, NULL), IGT_E_AMBIGUOUS);
  igt__studies_free(studies);
}

/* ---- the created study ---- */

static const struct becomes {
  const char *type, *patient, *name, *doc;
  bool only;
  const char *json; /* NULL: refused */
} becomes[] = {
    {"EpdStudy", NULL, "P1---S", NULL, true, "{\"studyType\":\"EpdStudy\",\"name\":\"P1---S\"}"},
    {"EpdStudy", NULL, "P1---", NULL, true, "{\"studyType\":\"EpdStudy\",\"name\":\"P1---\"}"},
    {"EpdStudy", "P1---S", "x", NULL, true, "{\"studyType\":\"EpdStudy\",\"name\":\"P1---S\"}"},
    {"EpdStudy", "P1", "S", NULL, true, "{\"studyType\":\"EpdStudy\",\"name\":\"P1\"}"},
    {"EpdStudy", "P1", "S", NULL, false, NULL}, /* two folders would become one study */
    {"EpdStudy", NULL, "f", "{\"studyType\":\"Other\",\"name\":\"x\",\"studyDatabaseId\":\"1\"}",
     true, "{\"studyType\":\"EpdStudy\",\"name\":\"x\"}"},
    {"EpdStudy", NULL, "f", "{\"name\":\"x\",\"electronicRecordState\":\"submitted\"}", true,
     "{\"studyType\":\"EpdStudy\",\"name\":\"x\"}"},
    {"EpdStudy", NULL, "f", "{\"comments\":\"c\"}", true,
     "{\"studyType\":\"EpdStudy\",\"comments\":\"c\",\"name\":\"f\"}"},
    {"Study", "P1", "S1", NULL, false,
     "{\"studyType\":\"Study\",\"studyId\":\"S1\",\"patient\":{\"patientId\":\"P1\","
     "\"patientName\":\"P1\"}}"},
    {"Study", NULL, "P1---S1---x", NULL, false,
     "{\"studyType\":\"Study\",\"studyId\":\"S1---x\",\"patient\":{\"patientId\":\"P1\","
     "\"patientName\":\"P1\"}}"},
    {"Study", NULL, "Mu\xcc\x88ller", NULL, false,
     "{\"studyType\":\"Study\",\"patient\":{\"patientId\":\"M\xc3\xbcller\","
     "\"patientName\":\"M\xc3\xbcller\"}}"},
    {"IGuideUStudy", NULL, "S1---v1", NULL, false,
     "{\"studyType\":\"IGuideUStudy\",\"subjectId\":\"S1\",\"visitName\":\"v1\"}"},
    {"MarvelStudy", NULL, "P1---S1", NULL, false,
     "{\"studyType\":\"MarvelStudy\",\"clinicalStudy\":\"P1\",\"studyId\":\"S1\","
     "\"patient\":{\"patientId\":\"P1\",\"patientName\":\"P1\"}}"},
    /* a study.json without a studyId leaves it to the folder's name */
    {"Study", NULL, "ANN---A", "{\"patient\":{\"patientName\":\"ANN\"}}", false,
     "{\"studyType\":\"Study\",\"studyId\":\"A\",\"patient\":{\"patientName\":\"ANN\"}}"},
    {"Study", "P1", "S1", "{\"patient\":{\"patientId\":\"7\"}}", false,
     "{\"studyType\":\"Study\",\"studyId\":\"S1\",\"patient\":{\"patientId\":\"7\","
     "\"patientName\":\"P1\"}}"},
};

static void test_becomes(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof becomes / sizeof *becomes; i++) {
    const struct becomes *b = &becomes[i];
    igt_institute institute = institute_of(b->type);
    igt__studies *studies = studies_of(b->type, NULL);
    igt__json *doc = parse(b->doc);
    igt__folder folder = {b->patient, b->name, doc, b->only};
    igt_root_study *study;
    igt_error err = IGT_ERROR_INIT;
    igt__buf out;
    igt_status status = igt__study_from_folder(studies, &institute, &folder, &study, &err);
    igt__buf_init(&out, 10000);
    if (b->json) {
      if (status != IGT_OK)
        fail_msg("%s: %s", b->json, err.text);
      igt__json *got, *expected = parse(b->json);
      igt__buf again;
      assert_true(igt__model_write(&out, &study->model, IGT__JSON_COMPACT, IGT__WRITE_ALL));
      /* The order is that of the type. */
      assert_int_equal(igt__json_parse(out.data, out.len, "d", &got, NULL), IGT_OK);
      assert_int_equal(igt__json_count(got), igt__json_count(expected));
      const char *key;
      igt__json *value;
      for (size_t m = 0; igt__json_member(expected, m, &key, &value); m++) {
        igt__buf_init(&again, 10000);
        assert_true(igt__json_write(&again, value, IGT__JSON_COMPACT));
        igt__buf_clear(&out);
        assert_true(igt__json_write(&out, igt__json_get(got, key), IGT__JSON_COMPACT));
        assert_string_equal(out.data, again.data);
        igt__buf_finish(&again);
      }
      igt__json_free(got);
      igt__json_free(expected);
      igt_model_free(&study->model);
    } else {
      assert_int_equal(status, IGT_E_AMBIGUOUS);
      assert_null(study);
    }
    igt__buf_finish(&out);
    igt__json_free(doc);
    igt__studies_free(studies);
  }
}

static igt_status become(igt__studies *studies, const char *patient, const char *name,
                         const char *text) {
  igt_institute institute = institute_of("Study");
  igt__json *doc = parse(text);
  igt__folder folder = {patient, name, doc, false};
  igt_root_study *study;
  igt_status status = igt__study_from_folder(studies, &institute, &folder, &study, NULL);

  igt_model_free(study ? &study->model : NULL);
  igt__json_free(doc);
  return status;
}

static void test_two_folders_become_one(void **state) {
  (void)state;
  const char *same = "{\"studyId\":\"S\",\"patient\":{\"patientName\":\"P\"}}";
  igt__studies *studies = studies_of("Study", NULL);
  assert_int_equal(become(studies, NULL, "a", same), IGT_OK);
  assert_int_equal(become(studies, NULL, "b", same), IGT_E_COLLISION);
  assert_int_equal(become(studies, "P", "S", NULL), IGT_E_COLLISION);
  assert_int_equal(become(studies, "P", "T", NULL), IGT_OK);
  assert_int_equal(become(studies, NULL, "P1---", NULL), IGT_E_COLLISION);
  assert_int_equal(become(studies, NULL, "---S", NULL), IGT_E_COLLISION);
  assert_int_equal(become(studies, "P1---CT", "series1", NULL), IGT_E_COLLISION);
  assert_int_equal(become(studies, NULL, "c",
                          "{\"patient\":{\"patientName\":\"P\"},"
                          "\"instanceUid\":\"1.2\"}"),
                   IGT_OK);
  assert_int_equal(become(studies, NULL, "d",
                          "{\"patient\":{\"patientName\":\"P\"},"
                          "\"instanceUid\":\"1.3\"}"),
                   IGT_OK);
  igt__studies_free(studies);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_which),
      cmocka_unit_test(test_ambiguous_lists_them),
      cmocka_unit_test(test_two_folders_one_study),
      cmocka_unit_test(test_annotations_by_name),
      cmocka_unit_test(test_becomes),
      cmocka_unit_test(test_two_folders_become_one),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
