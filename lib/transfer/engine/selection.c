/* SPDX-License-Identifier: MIT */
/* Compiles an igt_study_selection, and decides which studies it selects. Names are kept in one map:
 * a study is looked up by its id, its name and its patient, so that a list of 100,000 lines costs a
 * study no more than one line; only patterns are tried one by one. Used by find.c for every run,
 * through igt__selection_new when its options are read. */
#include "transfer/engine/selection.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "base/unicode.h"
#include "cloud/find.h"
#include "model/model.h"

/* ---- times ---- */

static int64_t local_seconds(const igt_time *t) {
  time_t seconds = (time_t)t->seconds;
  struct tm tm;

  if (t->has_offset || !gmtime_r(&seconds, &tm))
    return t->seconds;
  tm.tm_isdst = -1;
  return (int64_t)mktime(&tm);
}

/* "90s", "30m", "12h", "7d", "2w". */
static bool parse_age(const char *text, int64_t *seconds) {
  static const struct {
    char unit;
    int64_t seconds;
  } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
  size_t n = strspn(text, "0123456789");
  char digits[12];
  int64_t count;

  if (n == 0 || n > 9 || strlen(text) != n + 1)
    return false;
  igt__str_copy(digits, n + 1, text);
  for (size_t i = 0; igt__str_to_int64(digits, &count) && i < sizeof units / sizeof *units; i++)
    if (text[n] == units[i].unit) {
      *seconds = count * units[i].seconds;
      return true;
    }
  return false;
}

/* ends: a date means its last second. */
static bool parse_moment(const char *text, bool ends, int64_t *out) {
  char whole[24];
  igt_time t;
  int64_t age;

  if (igt__date_parse(text, &t)) {
    t.seconds += ends ? 86400 : 0;
    *out = local_seconds(&t) - ends;
    return true;
  }
  if (parse_age(text, &age)) {
    *out = igt__wall_seconds() - age;
    return true;
  }
  if (strlen(text) == strlen("2026-11-30T08:00")) { /* users leave out the seconds */
    igt__str_copy(whole, sizeof whole, text);
    memcpy(whole + strlen(text), ":00", sizeof ":00");
    text = whole;
  }
  if (!igt__time_parse(text, &t))
    return false;
  *out = local_seconds(&t);
  return true;
}

static igt_status fail_moment(const char *what, const char *text, igt_error *err) {
  return igt__fail(err, IGT_E_INVALID,
                   "%s '%s' is not a time: use YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ, or an age such as "
                   "12h or 7d",
                   what, text);
}

static igt_status compile_times(igt__selection *s, igt_error *err) {
  const igt_study_selection *o = &s->options;

  s->since = INT64_MIN;
  s->until = INT64_MAX;
  s->since_last = o->modified_since && strcmp(o->modified_since, "last") == 0;
  s->by_time = o->modified_since || o->modified_until;
  if (o->modified_since && !s->since_last && !parse_moment(o->modified_since, false, &s->since))
    return fail_moment("--modified-since", o->modified_since, err);
  if (o->modified_until && !parse_moment(o->modified_until, true, &s->until))
    return fail_moment("--modified-until", o->modified_until, err);
  if (s->since > s->until)
    return igt__fail(err, IGT_E_INVALID, "--modified-since '%s' is after --modified-until '%s'",
                     o->modified_since, o->modified_until);
  return IGT_OK;
}

static igt_status parse_day(const char *text, const char *what, int64_t *day, igt_error *err) {
  igt_time t;

  if (!text)
    return IGT_OK;
  if (!igt__date_parse(text, &t))
    return igt__fail(err, IGT_E_INVALID, "%s '%s' is not a valid date (YYYY-MM-DD)", what, text);
  *day = igt__time_day(&t);
  return IGT_OK;
}

static igt_status compile_days(igt__selection *s, igt_error *err) {
  const igt_study_selection *o = &s->options;
  igt_status status;

  s->first_day = INT64_MIN;
  s->last_day = INT64_MAX;
  s->by_date = o->start || o->end;
  status = parse_day(o->start, "the start", &s->first_day, err);
  if (status == IGT_OK)
    status = parse_day(o->end, "the end", &s->last_day, err);
  if (status == IGT_OK && s->first_day > s->last_day)
    status =
        igt__fail(err, IGT_E_INVALID, "the start '%s' is after the end '%s'", o->start, o->end);
  return status;
}

/* ---- entries ---- */

static bool is_glob(const char *text) {
  return strpbrk(text, "*?[\\") != NULL;
}

/* In the arena, in NFC; NULL: no memory. */
static const char *keep_nfc(igt__selection *s, const char *text, size_t n) {
  char *raw = igt__arena_strndup(s->arena, text, n), *nfc;

  if (!raw || igt__nfc_is_plain(raw))
    return raw;
  nfc = igt__nfc(raw);
  raw = nfc ? igt__arena_strdup(s->arena, nfc) : NULL;
  igt__free(nfc);
  return raw;
}

static bool add_glob(igt__selection *s, igt__selection_entry *entry) {
  if (s->glob_count == s->glob_cap) {
    size_t cap = s->glob_cap ? s->glob_cap * 2 : 16;
    igt__selection_entry **more = igt__realloc(s->globs, cap * sizeof(igt__selection_entry *));
    if (!more)
      return false;
    s->globs = more;
    s->glob_cap = cap;
  }
  s->globs[s->glob_count++] = entry;
  return true;
}

bool igt__selection_add(igt__selection *s, const char *text, size_t n, const char *name,
                        unsigned line, bool is_id) {
  const char *own = keep_nfc(s, text, n);
  igt__selection_entry *entry;

  if (!s->entries && !(s->entries = igt__map_new()))
    return false;
  if (!own || igt__map_has(s->entries, own))
    return own != NULL;
  entry = igt__arena_calloc(s->arena, 1, sizeof *entry);
  if (!entry)
    return false;
  entry->text = own;
  entry->name = name ? igt__arena_strdup(s->arena, name) : own;
  entry->line = line;
  entry->glob = !is_id && is_glob(own);
  s->only_ids &= is_id;
  s->unseen++;
  return entry->name && igt__map_set(s->entries, own, entry) &&
         (!entry->glob || add_glob(s, entry));
}

static igt_status compile_entries(igt__selection *s, igt_error *err) {
  const igt_study_selection *o = &s->options;
  char *text = NULL;
  size_t n;
  igt_status status = IGT_OK;

  s->only_ids = true;
  for (size_t i = 0; i < o->study_count; i++)
    if (!igt__selection_add(s, o->studies[i], strlen(o->studies[i]), NULL, 0, false))
      return igt__fail_memory(err);
  if (!o->studies_from)
    return IGT_OK;
  status = igt__file_read(o->studies_from, IGT__MAX_STUDY_LIST, &text, &n, err);
  if (status == IGT_OK)
    status = igt__selection_read(s, text, n, o->studies_from, err);
  igt__free(text);
  if (status == IGT_OK && !s->entries)
    status = igt__fail(err, IGT_E_NOT_FOUND, "'%s' lists no study", o->studies_from);
  return status;
}

/* ---- compiling ---- */

static bool keep_text(igt__selection *s, const char **text) {
  const char *own = *text ? igt__arena_strdup(s->arena, *text) : NULL;
  bool good = own || !*text;

  *text = own;
  return good;
}

static bool keep_list(igt__selection *s, const char *const **list, size_t count) {
  const char **own = count ? igt__arena_calloc(s->arena, count, sizeof *own) : NULL;

  for (size_t i = 0; own && i < count; i++)
    if (!(own[i] = keep_nfc(s, (*list)[i], strlen((*list)[i]))))
      return false;
  *list = own;
  return own || !count;
}

static bool keep_options(igt__selection *s) {
  igt_study_selection *o = &s->options;

  return keep_text(s, &o->project) && keep_text(s, &o->institute) && keep_text(s, &o->start) &&
         keep_text(s, &o->end) && keep_text(s, &o->ext) && keep_text(s, &o->studies_from) &&
         keep_text(s, &o->modified_since) && keep_text(s, &o->modified_until) &&
         keep_list(s, &o->institutes, o->institute_count) &&
         keep_list(s, &o->studies, o->study_count) &&
         keep_list(s, &o->patients, o->patient_count) &&
         keep_list(s, &o->modalities, o->modality_count) &&
         keep_list(s, &o->labels, o->label_count);
}

static igt_status compile(igt__selection *s, igt_error *err) {
  igt_status status;

  if (!(s->arena = igt__arena_new(0)) || !keep_options(s))
    return igt__fail_memory(err);
  status = compile_days(s, err);
  if (status == IGT_OK)
    status = compile_times(s, err);
  return status == IGT_OK ? compile_entries(s, err) : status;
}

igt_status igt__selection_new(const igt_study_selection *options, igt__selection **out,
                              igt_error *err) {
  igt__selection *s = igt__calloc(1, sizeof *s);
  igt_status status;

  *out = NULL;
  if (!s)
    return igt__fail_memory(err);
  s->options = *options;
  status = compile(s, err);
  if (status == IGT_OK)
    *out = s;
  else
    igt__selection_free(s);
  return status;
}

void igt__selection_free(igt__selection *s) {
  if (!s)
    return;
  igt__map_free(s->entries);
  igt__map_free(s->institutes);
  igt__map_free(s->series);
  igt__map_free(s->settled);
  igt__free(s->globs);
  igt__arena_free(s->arena);
  igt__free(s);
}

bool igt__selection_is_narrow(const igt__selection *s) {
  const igt_study_selection *o = &s->options;

  return s->entries || o->patient_count || o->modality_count || o->label_count || s->by_time;
}

/* ---- the criteria as text ---- */

static void put_list(igt__buf *out, const char *what, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    igt__buf_printf(out, "%s=%s\n", what, list[i]);
}

static void put(igt__buf *out, const char *what, const char *text) {
  if (text)
    igt__buf_printf(out, "%s=%s\n", what, text);
}

bool igt__selection_describe(const igt__selection *s, igt__buf *out) {
  const igt_study_selection *o = &s->options;
  const char *text;

  put(out, "project", o->project);
  put(out, "institute", o->institute && strcmp(o->institute, "*") != 0 ? o->institute : NULL);
  put_list(out, "institute", o->institutes, o->institute_count);
  put(out, "start", o->start);
  put(out, "end", o->end);
  put(out, "ext", o->ext);
  for (size_t i = 0; s->entries && igt__map_at(s->entries, i, &text, NULL); i++)
    put(out, "study", text);
  put_list(out, "patient", o->patients, o->patient_count);
  put_list(out, "modality", o->modalities, o->modality_count);
  put_list(out, "label", o->labels, o->label_count);
  put(out, "until", o->modified_until);
  return !out->failed;
}

/* ---- matching ---- */

static bool note(igt__selection *s, igt__selection_entry *entry) {
  if (!entry)
    return false;
  s->unseen -= !entry->seen;
  entry->seen = true;
  return true;
}

/* The first n bytes of text: "" if there is no entry of that name. */
static bool has_entry(igt__selection *s, const char *text, size_t n) {
  char *part = igt__strndup(text, n);
  bool has = part && *part && note(s, igt__map_get(s->entries, part));

  s->no_memory |= !part;

  igt__free(part);
  return has;
}

/* A pattern with a slash is compared with the whole name, and with its first components: a study's
 * own name may contain slashes, and all of a patient's studies means these, too. */
static bool glob_takes(const char *pattern, const char *human, const char *patient) {
  return strchr(pattern, '/') ? igt__glob_selects(pattern, human)
                              : igt__glob_match(pattern, patient);
}

static bool entries_take(igt__selection *s, const char *human, const char *patient,
                         const char *id) {
  bool takes = *id && note(s, igt__map_get(s->entries, id));

  if (s->only_ids)
    return takes;
  takes |= has_entry(s, human, strlen(human));
  takes |= has_entry(s, patient, strlen(patient));
  for (size_t i = 0; i < s->glob_count; i++)
    if (glob_takes(s->globs[i]->text, human, patient))
      takes |= note(s, s->globs[i]);
  return takes;
}

static bool matches(igt__selection *s, const char *pattern, const char *text) {
  bool is_plain = !text || igt__nfc_is_plain(text);
  char *nfc = is_plain ? NULL : igt__nfc(text);
  const char *own = is_plain ? text : nfc;
  bool does = own && *own && (strcmp(pattern, own) == 0 || igt__glob_match(pattern, own));

  s->no_memory |= !is_plain && !nfc;
  igt__free(nfc);
  return does;
}

static bool patients_take(igt__selection *s, const char *patient, const igt__study_names *names) {
  const igt_study_selection *o = &s->options;

  for (size_t i = 0; i < o->patient_count; i++)
    if (matches(s, o->patients[i], patient) || matches(s, o->patients[i], names->patient_id) ||
        matches(s, o->patients[i], names->patient_name))
      return true;
  return o->patient_count == 0;
}

bool igt__selection_names(igt__selection *s, const igt__study_names *names) {
  const char *id = names->id ? names->id : "";
  const char *called = names->human && *names->human ? names->human : id;
  char *nfc, *patient;
  bool takes;

  if (!s->entries && s->options.patient_count == 0)
    return true;
  nfc = igt__nfc_is_plain(called) ? igt__strdup(called) : igt__nfc(called);
  patient = nfc ? igt__strndup(nfc, strcspn(nfc, "/")) : NULL;
  takes = patient && patients_take(s, patient, names) &&
          (!s->entries || entries_take(s, nfc, patient, id));
  s->no_memory |= !patient;
  igt__free(nfc);
  igt__free(patient);
  return takes;
}

bool igt__selection_has_time(igt__selection *s, int64_t from, int64_t to) {
  return to >= s->since && from <= s->until;
}

/* The times that a field may stand for: of a date alone, a day and the differences of clocks. */
static bool time_of(const igt_time_field *field, int64_t *from, int64_t *to) {
  igt_time date;

  if (field->is != IGT_SET)
    return false;
  if (field->valid) {
    *from = *to = field->v.seconds;
    return true;
  }
  if (!field->text || !igt__date_parse(field->text, &date))
    return false;
  *from = date.seconds - 43200;
  *to = date.seconds + 86400 + 43200;
  return true;
}

static bool times_take(igt__selection *s, const igt_root_study *study, bool *undated) {
  int64_t from, to;
  bool dated = s->by_time && (time_of(&study->last_updated_on, &from, &to) ||
                              time_of(&study->created_on, &from, &to));

  *undated = s->by_time && !dated;
  if (!dated || igt__selection_has_time(s, from, to))
    return true;
  s->too_old += from <= s->until;
  return false;
}

static bool labels_take(igt__selection *s, const igt_root_study *study) {
  const igt_study_selection *o = &s->options;
  const igt_string_list_field *labels;

  if (o->label_count == 0)
    return true;
  if (!igt_model_is(&study->model, igt_annotation_study_type()))
    return false;
  labels = &((const igt_annotation_study *)study)->case_labels;
  for (size_t i = 0; labels->is == IGT_SET && i < labels->count; i++)
    for (size_t k = 0; k < o->label_count; k++)
      if (matches(s, o->labels[k], labels->v[i]))
        return true;
  return false;
}

static const igt_patient *patient_of(const igt_root_study *study) {
  return igt_model_is(&study->model, igt_base_study_type()) &&
                 ((const igt_base_study *)study)->patient.is == IGT_SET
             ? ((const igt_base_study *)study)->patient.v
             : NULL;
}

bool igt__selection_describes(igt__selection *s, const igt_root_study *study) {
  return (!s->series || igt__map_has(s->series, igt__text_of(&study->study_database_id))) &&
         labels_take(s, study);
}

bool igt__selection_takes(igt__selection *s, const igt_root_study *study, bool *undated) {
  const char *id = igt__text_of(&study->study_database_id);
  const igt_patient *patient = patient_of(study);
  igt__study_names names = {.human = igt__text_of(&study->study_id_human_readable), .id = id};

  *undated = false;
  if (patient) {
    names.patient_id = igt__text_of(&patient->patient_id);
    names.patient_name = igt__text_of(&patient->patient_name);
  }
  return igt__selection_names(s, &names) && igt__selection_describes(s, study) &&
         times_take(s, study, undated) &&
         (!s->settled || s->settling || igt__map_has(s->settled, id));
}

bool igt__selection_has_modality(igt__selection *s, const char *modality) {
  char *own = igt__nfc_fold(modality), *wanted;
  bool has = false;

  for (size_t i = 0; own && i < s->options.modality_count && !has; i++) {
    wanted = igt__nfc_fold(s->options.modalities[i]);
    has = wanted && *own && igt__glob_match(wanted, own);
    s->no_memory |= !wanted;
    igt__free(wanted);
  }
  s->no_memory |= !own;
  igt__free(own);
  return has;
}

/* ---- what a type of study has ---- */

static bool has_labels(const igt_type *type) {
  const igt_model of_type = {.type = type};

  return igt_model_is(&of_type, igt_annotation_study_type());
}

/* All types of series belong to types of studies that extend BaseStudy. */
static bool has_series(const igt_type *type) {
  const igt_model of_type = {.type = type};

  return igt_model_is(&of_type, igt_base_study_type());
}

/* NULL: the description has no such type. */
static const igt_type *type_named(const char *study_type) {
  igt__json *doc = igt__json_new_object();
  igt__buf text;
  igt_model *empty = NULL;
  const igt_type *type = NULL;

  igt__buf_init(&text, 4096);
  if (igt__json_set_str(doc, "studyType", study_type) &&
      igt__json_write(&text, doc, IGT__JSON_COMPACT) &&
      igt__model_decode(igt_root_study_type(), text.data, text.len, "the study", &empty, NULL) ==
          IGT_OK)
    type = empty->type;
  igt_model_free(empty);
  igt__buf_finish(&text);
  igt__json_free(doc);
  return type;
}

bool igt__selection_fits_type(const igt__selection *s, const char *study_type, const char **what) {
  const igt_study_selection *o = &s->options;
  const igt_type *type;

  *what = NULL;
  if (o->label_count == 0 && o->modality_count == 0)
    return true;
  type = type_named(*study_type ? study_type : "Study");
  if (o->label_count && !has_labels(type))
    *what = "no labels (caseLabels)";
  else if (o->modality_count && !has_series(type))
    *what = "no series, and so no modality";
  return !*what;
}

/* ---- entries that no study matched ---- */

const igt__selection_entry *igt__selection_unmatched(const igt__selection *s, size_t *i) {
  void *value;

  while (s->entries && igt__map_at(s->entries, *i, NULL, &value)) {
    const igt__selection_entry *entry = value;
    (*i)++;
    if (!entry->seen)
      return entry;
  }
  return NULL;
}

igt_status igt__selection_entry_fail(const igt__selection_entry *entry, igt_error *err) {
  if (entry->line)
    return igt__fail(err, IGT_E_NOT_FOUND, "line %u of the list of studies: no study matches '%s'",
                     entry->line, entry->name);
  return igt__fail(err, IGT_E_NOT_FOUND, "no study matches '%s'", entry->name);
}
