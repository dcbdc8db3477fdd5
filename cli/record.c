/* SPDX-License-Identifier: MIT */
/* A row of a listing that is not a model: the fields are added one by one, then printed. */
#include <stdlib.h>
#include <time.h>

#include "cli.h"

static igt_field_text *next_field(record *r, const char *name, igt_presence is) {
  igt_field_text *field = &r->fields[r->count++];

  *field = (igt_field_text){.name = name, .is = is, .text = "", .json = "null", .known = true};
  return field;
}

void record_text(record *r, const char *name, const char *text) {
  size_t at = r->count, n = 0;
  igt_field_text *field = next_field(r, name, *text ? IGT_SET : IGT_NULL);
  FILE *out = *text ? open_memstream(&r->json[at], &n) : NULL;

  if (out) {
    json_value(out, text);
    fclose(out);
  }
  if (r->json[at]) {
    field->text = text;
    field->json = r->json[at];
  }
  r->failed = r->failed || (*text && !r->json[at]);
}

void record_number(record *r, const char *name, uint64_t number) {
  char *text = r->numbers[r->count];
  igt_field_text *field = next_field(r, name, IGT_SET);

  snprintf(text, sizeof *r->numbers, "%llu", (unsigned long long)number);
  field->text = field->json = text;
}

void record_time(record *r, const char *name, int64_t seconds) {
  char *text = r->numbers[r->count];
  time_t when = (time_t)seconds;
  struct tm tm;

  *text = '\0';
  if (seconds && gmtime_r(&when, &tm))
    strftime(text, sizeof *r->numbers, "%Y-%m-%dT%H:%M:%SZ", &tm);
  record_text(r, name, text);
}

igt_status record_print(record *r, listing *out) {
  igt_status status = r->failed ? IGT_E_NO_MEMORY : listing_fields(out, r->fields, r->count);

  for (size_t i = 0; i < r->count; i++)
    free(r->json[i]);
  *r = (record){.count = 0};
  return status;
}
