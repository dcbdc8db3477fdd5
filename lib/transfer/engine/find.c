/* SPDX-License-Identifier: MIT */
/* Resolves a selection: finds the project and the institutes, parses the dates, and decides which
 * studies match by institute, date and shard. Called at the start of each run, then for each listed
 * study. */
#include "transfer/engine/find.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "transfer/engine/institutes.h"

bool igt__found_selects(const igt__found *found, const igt_institute *institute) {
  return !found->wanted || strcmp(igt__text_of(&institute->name), found->wanted) == 0;
}

/* The selected institute, under the project's name for it. */
static igt_status take_wanted(igt__found *found, igt_error *err) {
  const igt_institute *institute = igt__institute_named(found, found->wanted);
  const char *like;

  if (institute) {
    found->wanted = igt__text_of(&institute->name);
    return IGT_OK;
  }
  (void)igt__fail(err, IGT_E_NOT_FOUND, "the project '%s' has no institute '%s'",
                  igt__text_of(&found->project->name), found->wanted);
  if ((like = igt__institute_like(found, found->wanted)) != NULL)
    igt__error_append(err, "; did you mean '%s'?", like);
  return IGT_E_NOT_FOUND;
}

static igt_status find_institutes(igt_client *client, igt__found *found, igt_error *err) {
  igt_status status =
      igt_get_institutes(client, igt__text_of(&found->project->id), NULL, &found->institutes, err);

  return status == IGT_OK && found->wanted ? take_wanted(found, err) : status;
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

igt_status igt__find(igt_client *client, const igt_study_selection *selection, bool with_institutes,
                     igt__found *out, igt_error *err) {
  igt_status status;

  memset(out, 0, sizeof *out);
  out->first_day = INT64_MIN;
  out->last_day = INT64_MAX;
  out->by_date = selection->start || selection->end;
  if (selection->institute && strcmp(selection->institute, "*") != 0)
    out->wanted = selection->institute;
  if (!selection->project || !*selection->project)
    return igt__fail(err, IGT_E_INVALID, "the project's name is missing");
  status = parse_day(selection->start, "the start", &out->first_day, err);
  if (status == IGT_OK)
    status = parse_day(selection->end, "the end", &out->last_day, err);
  if (status == IGT_OK && out->first_day > out->last_day)
    status = igt__fail(err, IGT_E_INVALID, "the start '%s' is after the end '%s'", selection->start,
                       selection->end);
  if (status == IGT_OK)
    status = igt_find_project(client, selection->project, &out->project, err);
  if (status == IGT_OK && with_institutes)
    status = find_institutes(client, out, err);
  if (status != IGT_OK)
    igt__found_free(out);
  return status;
}

void igt__found_free(igt__found *found) {
  igt_model_free(found->project ? &found->project->model : NULL);
  igt_model_free(found->institutes ? &found->institutes->model : NULL);
  memset(found, 0, sizeof *found);
}

/* Some servers write a bare date where the description has a date-time. */
static bool day_of(const igt_time_field *field, int64_t *day) {
  igt_time date;

  if (field->is != IGT_SET)
    return false;
  if (field->valid)
    date = field->v;
  else if (!field->text || !igt__date_parse(field->text, &date))
    return false;
  *day = igt__time_day(&date);
  return true;
}

bool igt__study_day(const igt_root_study *study, int64_t *day) {
  if (igt_model_is(&study->model, igt_epd_study_type()))
    return day_of(&((const igt_epd_study *)study)->datetime, day);
  if (igt_model_is(&study->model, igt_base_study_type()))
    return day_of(&((const igt_base_study *)study)->study_date, day);
  return false;
}

bool igt__found_has(const igt__found *found, bool dated, int64_t day, bool *undated) {
  *undated = found->by_date && !dated;
  return !found->by_date || !dated || (day >= found->first_day && day <= found->last_day);
}

bool igt__found_has_day(const igt__found *found, const igt_root_study *study, bool *undated) {
  int64_t day = 0;
  bool dated = igt__study_day(study, &day);

  return igt__found_has(found, dated, day, undated);
}

igt_status igt__shard_check(unsigned shard, unsigned shards, igt_error *err) {
  if (shards && (shard < 1 || shard > shards))
    return igt__fail(err, IGT_E_INVALID, "invalid shard %u of %u: shards are numbered from 1",
                     shard, shards);
  return IGT_OK;
}

bool igt__in_shard(const char *id, unsigned shard, unsigned shards) {
  unsigned char digest[16];

  if (shards < 2)
    return true;
  igt__digest_of(IGT__MD5, id, strlen(id), digest);
  return ((unsigned)digest[0] << 16 | (unsigned)digest[1] << 8 | digest[2]) % shards == shard - 1;
}
