/* SPDX-License-Identifier: MIT */
/* igt_study_selection: what a file of studies contains, which studies and times match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "transfer/engine/find.h"
#include "transfer/engine/selection.h"

static igt__selection *selection_of(const igt_study_selection *options) {
  igt__selection *s = NULL;
  igt_error err = IGT_ERROR_INIT;

  if (igt__selection_new(options, &s, &err) != IGT_OK)
    fail_msg("%s", err.text);
  return s;
}

/* ---- files ---- */

static void check_file(const char *text, const char *entries) {
  igt_study_selection options = IGT_STUDY_SELECTION_INIT;
  igt__selection *s;
  const igt__selection_entry *entry;
  char found[512] = "";

  options.project = "p";
  s = selection_of(&options);
  assert_int_equal(igt__selection_read(s, text, strlen(text), "file", NULL), IGT_OK);
  for (size_t i = 0; (entry = igt__selection_unmatched(s, &i)) != NULL;) {
    char one[128];
    (void)snprintf(one, sizeof one, "%u:%s%s|", entry->line, entry->text, entry->glob ? "*" : "");
    strncat(found, one, sizeof found - strlen(found) - 1);
  }
  assert_string_equal(found, entries);
  igt__selection_free(s);
}

static void test_files_list_studies(void **state) {
  static const char *const cases[][2] = {
      {"", ""},
      {"P1/CT\nP2", "1:P1/CT|2:P2|"},
      {"\xef\xbb\xbf# x\r\n\r\n  P1/CT \t\r\nP1/CT\n#\nP?", "3:P1/CT|6:P?*|"},
      {"\\#1/x\n", "1:\\#1/x*|"},
      {"P1, the first\n", "1:P1, the first|"},
      {"studyDatabaseId\n1\n\n2*\n", "2:1|4:2*|"}, /* an id is no pattern */
      {"a,studyDatabaseId,studyIdHumanReadable\nx,1,P1/CT\nx,,P2/CT\nx,,\n", "2:1|3:P2/CT|"},
      {"# c\n\"studyIdHumanReadable\";b\r\n\"P;\"\"1\"\"\";\"x\r\ny\"\r\nP2\r\n",
       "3:P;\"1\"|5:P2|"},
      {"b\tstudyDatabaseId\nx\t1\nx\t1\n", "2:1|"},
      {"studyDatabaseId\n\"1", "2:1|"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_file(cases[i][0], cases[i][1]);
}

static void test_a_csv_names_its_institutes(void **state) {
  static const struct {
    const char *text;
    size_t count; /* 0: it does not name them all */
  } cases[] = {
      {"studyDatabaseId,instituteId\n1,n\n2,s\n3,n\n", 2},
      {"studyDatabaseId,instituteId\n1,n\n2,\n", 0},
      {"studyDatabaseId\n1\n", 0},
      {"P1\n", 0},
  };
  igt_study_selection options = IGT_STUDY_SELECTION_INIT;

  (void)state;
  options.project = "p";
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    igt__selection *s = selection_of(&options);
    assert_int_equal(igt__selection_read(s, cases[i].text, strlen(cases[i].text), "f", NULL),
                     IGT_OK);
    assert_int_equal(s->institutes ? igt__map_count(s->institutes) : 0, cases[i].count);
    igt__selection_free(s);
  }
}

static void test_a_file_that_is_no_text_is_refused(void **state) {
  igt_study_selection options = IGT_STUDY_SELECTION_INIT;
  igt__selection *s;

  (void)state;
  options.project = "p";
  s = selection_of(&options);
  assert_int_equal(igt__selection_read(s, "\xff\xfeP\0", 4, "file", NULL), IGT_E_PARSE);
  igt__selection_free(s);
}

/* ---- names ---- */

static void test_names_match(void **state) {
  static const struct {
    const char *study, *patient, *human, *id;
    bool takes;
  } cases[] = {
      {"P1/CT", NULL, "P1/CT", "1", true},
      {"P1/CT", NULL, "P1/CT/2", "1", false},
      {"P1", NULL, "P1/CT/2", "1", true},
      {"P1", NULL, "P11/CT", "1", false},
      {"CT", NULL, "P1/CT", "1", false},
      {"1", NULL, "P1/CT", "1", true},
      {"P?/C*", NULL, "P1/CT", "1", true},
      {"P1/*", NULL, "P1/CT/2", "1", true},
      {"*/2", NULL, "P1/CT/2", "1", false},
      {"**/2", NULL, "P1/CT/2", "1", true},
      {"P*", NULL, "P1/CT", "1", true},
      {"[a]", NULL, "[a]/CT", "1", true},
      {"p1/CT", NULL, "P1/CT", "1", false},
      {"case", NULL, "case", "1", true},
      {"u\xcc\x88", NULL, "\xc3\xbc/1", "1", true},
      {NULL, "P*", "P1/CT", "1", true},
      {NULL, "CT", "P1/CT", "1", false},
      {"*/CT", "P2", "P1/CT", "1", false},
      {"*/CT", "P1", "P1/CT", "1", true},
      {"1", NULL, "", "1", true},
      {NULL, NULL, "", "", true},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    igt_study_selection options = IGT_STUDY_SELECTION_INIT;
    const igt__study_names names = {.human = cases[i].human, .id = cases[i].id};
    igt__selection *s;
    options.project = "p";
    options.studies = &cases[i].study;
    options.study_count = cases[i].study != NULL;
    options.patients = &cases[i].patient;
    options.patient_count = cases[i].patient != NULL;
    s = selection_of(&options);
    if (igt__selection_names(s, &names) != cases[i].takes)
      fail_msg("%s %s: %s", cases[i].study, cases[i].patient, cases[i].human);
    igt__selection_free(s);
  }
}

static void test_a_patient_is_known_by_its_fields_too(void **state) {
  static const char *const ids[] = {"A-1*"};
  igt_study_selection options = IGT_STUDY_SELECTION_INIT;
  const igt__study_names names = {.human = "Ann/CT", .id = "1", .patient_id = "A-12"};
  igt__selection *s;

  (void)state;
  options.project = "p";
  options.patients = ids;
  options.patient_count = 1;
  s = selection_of(&options);
  assert_true(igt__selection_names(s, &names));
  igt__selection_free(s);
}

/* ---- times ---- */

static int64_t noon(void) {
  return (int64_t)1767268800 * 1000000; /* 2026-01-01T12:00:00Z */
}

static void test_times_have_many_forms(void **state) {
  static const struct {
    const char *text;
    int64_t since, until; /* INT64_MIN: an error */
  } cases[] = {
      {"2026-01-01", 1767225600, 1767311999},
      {"2026-01-01T08:00:00Z", 1767254400, 1767254400},
      {"2026-01-01T08:00:00+02:00", 1767247200, 1767247200},
      {"2026-01-01T08:00", 1767254400, 1767254400}, /* TZ is UTC */
      {"90s", 1767268710, 1767268710},
      {"12h", 1767225600, 1767225600},
      {"7d", 1766664000, 1766664000},
      {"2w", 1766059200, 1766059200},
      {"7", INT64_MIN, INT64_MIN},
      {"-7d", INT64_MIN, INT64_MIN},
      {"7dd", INT64_MIN, INT64_MIN},
      {"2026-02-30", INT64_MIN, INT64_MIN},
      {"", INT64_MIN, INT64_MIN},
  };
  igt__clock_hooks hooks = igt__clock_get_hooks();

  (void)state;
  hooks.wall = noon;
  igt__clock_set_hooks(&hooks);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    igt_study_selection since = IGT_STUDY_SELECTION_INIT, until = IGT_STUDY_SELECTION_INIT;
    igt_status wanted = cases[i].since == INT64_MIN ? IGT_E_INVALID : IGT_OK;
    igt__selection *s = NULL;
    since.project = until.project = "p";
    since.modified_since = until.modified_until = cases[i].text;
    assert_int_equal(igt__selection_new(&since, &s, NULL), wanted);
    if (s)
      assert_int_equal(s->since, cases[i].since);
    igt__selection_free(s);
    assert_int_equal(igt__selection_new(&until, &s, NULL), wanted);
    if (s)
      assert_int_equal(s->until, cases[i].until);
    igt__selection_free(s);
  }
  igt__clock_set_hooks(NULL);
}

static void test_types_have_or_lack_fields(void **state) {
  static const char *const any[] = {"*"};
  static const struct {
    const char *type;
    bool labels, modalities;
  } cases[] = {
      {"AnnotationStudy", true, true}, {"Study", false, true}, {"EpdStudy", false, false},
      {"MarvelStudy", false, true},    {"", false, true},      {"IGuideUStudy", false, false}};
  igt_study_selection by_label = IGT_STUDY_SELECTION_INIT, by_modality = by_label;
  igt__selection *labels, *modalities;

  (void)state;
  by_label.project = by_modality.project = "p";
  by_label.labels = by_modality.modalities = any;
  by_label.label_count = by_modality.modality_count = 1;
  labels = selection_of(&by_label);
  modalities = selection_of(&by_modality);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *what;
    assert_int_equal(igt__selection_fits_type(labels, cases[i].type, &what), cases[i].labels);
    assert_int_equal(what == NULL, cases[i].labels);
    assert_int_equal(igt__selection_fits_type(modalities, cases[i].type, &what),
                     cases[i].modalities);
  }
  assert_true(igt__selection_has_modality(modalities, "XA"));
  assert_false(igt__selection_has_modality(modalities, ""));
  igt__selection_free(labels);
  igt__selection_free(modalities);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_files_list_studies),
      cmocka_unit_test(test_a_csv_names_its_institutes),
      cmocka_unit_test(test_a_file_that_is_no_text_is_refused),
      cmocka_unit_test(test_names_match),
      cmocka_unit_test(test_a_patient_is_known_by_its_fields_too),
      cmocka_unit_test(test_times_have_many_forms),
      cmocka_unit_test(test_types_have_or_lack_fields),
  };

  (void)setenv("TZ", "UTC", 1);
  tzset();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
