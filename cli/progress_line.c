/* SPDX-License-Identifier: MIT */
/* The total of a transfer as a line: for a terminal in the longest form that fits, for a log as a
 * sentence, or as JSON. "+" behind a number: more are being listed. "~": estimated, since the files
 * of some studies are not known yet. progress.c prints it; test_human.c has the tables. */
#include "progress_line.h"

#include <string.h>

#include "human.h"

typedef struct parts {
  char studies[80], files[80], bytes[80], percent[16], rate[40], left[40], failed[40];
} parts;

static unsigned percent_of(const igt_transfer_progress *p) {
  double done = p->bytes_expected ? (double)p->bytes_settled / (double)p->bytes_expected
                : p->studies      ? (double)p->studies_settled / (double)p->studies
                                  : 0;

  return done >= 1 ? 100 : (unsigned)(done * 100);
}

static void make_parts(const igt_transfer_progress *p, parts *t, const char *of) {
  bool estimated = p->bytes_expected > p->bytes;
  char a[32], b[32];

  memset(t, 0, sizeof *t);
  format_count(p->studies_settled, a, sizeof a);
  format_count(p->studies, b, sizeof b);
  if (p->studies || !p->studies_known)
    snprintf(t->studies, sizeof t->studies, "%s/%s%s studies", a, b, p->studies_known ? "" : "+");
  format_count(p->files_settled, a, sizeof a);
  format_count(p->files, b, sizeof b);
  snprintf(t->files, sizeof t->files, "%s/%s%s files", a, b, p->listing ? "+" : "");
  format_size(p->bytes_settled, a, sizeof a);
  format_size(p->bytes_expected, b, sizeof b);
  snprintf(t->bytes, sizeof t->bytes, "%s%s%s%s", a, of, estimated ? "~" : "", b);
  snprintf(t->percent, sizeof t->percent, "%u%%", percent_of(p));
  format_size((unsigned long long)p->bytes_per_second, a, sizeof a);
  snprintf(t->rate, sizeof t->rate, "%s/s", a);
  format_duration(p->seconds_left, a, sizeof a);
  snprintf(t->left, sizeof t->left, "%s left", a);
  format_count(p->files_failed, a, sizeof a);
  if (p->files_failed)
    snprintf(t->failed, sizeof t->failed, "%s FAILED", a);
}

/* The parts that are not empty; ends with NULL. */
static void join(char *out, size_t cap, const char *gap, const char *const *v) {
  size_t at = 0;

  *out = '\0';
  for (bool first = true; *v; v++) {
    if (!**v)
      continue;
    at += (size_t)snprintf(out + at, cap - at, "%s%s", first ? "" : gap, *v);
    if (at >= cap)
      return;
    first = false;
  }
}

void progress_line(const igt_transfer_progress *now, const char *verb, unsigned columns, char *out,
                   size_t cap) {
  parts t;

  make_parts(now, &t, "/");
  const char *const forms[][8] = {
      {verb, t.studies, t.files, t.bytes, t.rate, t.left, t.failed, NULL},
      {t.studies, t.files, t.bytes, t.rate, t.left, t.failed, NULL},
      {t.studies, t.bytes, t.rate, t.left, t.failed, NULL},
      {t.studies, t.percent, t.rate, t.left, t.failed, NULL},
      {t.studies, t.percent, t.left, t.failed, NULL},
      {t.percent, t.left, t.failed, NULL},
      {t.percent, NULL}};

  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    join(out, cap, "  ", forms[i]);
    if (strlen(out) < columns)
      return;
  }
}

void progress_sentence(const igt_transfer_progress *now, const char *verb, char *out, size_t cap) {
  parts t;
  char begin[96];

  make_parts(now, &t, " of ");
  snprintf(begin, sizeof begin, "%s %s", verb, *t.studies ? t.studies : t.files);
  const char *const all[] = {begin, *t.studies ? t.files : "", t.bytes, t.rate, t.left, t.failed,
                             NULL};
  join(out, cap, ", ", all);
}

void progress_json(const igt_transfer_progress *now, FILE *out) {
  fprintf(out,
          "{\"progress\":{\"studies\":%llu,\"studiesKnown\":%s,\"studiesDone\":%llu,\"files\":%llu,"
          "\"filesDone\":%llu,\"filesFailed\":%llu,\"filesSkipped\":%llu,\"bytes\":%llu,"
          "\"bytesExpected\":%llu,\"bytesDone\":%llu,\"bytesPerSecond\":%.0f,",
          (unsigned long long)now->studies, now->studies_known ? "true" : "false",
          (unsigned long long)now->studies_settled, (unsigned long long)now->files,
          (unsigned long long)now->files_settled, (unsigned long long)now->files_failed,
          (unsigned long long)now->files_skipped, (unsigned long long)now->bytes,
          (unsigned long long)now->bytes_expected, (unsigned long long)now->bytes_settled,
          now->bytes_per_second);
  if (now->seconds_left >= 0)
    fprintf(out, "\"secondsLeft\":%lld,", (long long)now->seconds_left);
  else
    fprintf(out, "\"secondsLeft\":null,");
  fprintf(out, "\"seconds\":%.1f}}\n", (double)now->elapsed_ms / 1000);
}
