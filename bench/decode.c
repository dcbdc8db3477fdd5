/* SPDX-License-Identifier: MIT */
/* How fast a list of studies is decoded, and with how much memory: decode [STUDIES]. One core, the
 * text already in memory, processor time, the best of five runs. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "igtcloud/models.h"
#include "model/model.h"

#define RUNS 5
#define PIECE (128u * 1024) /* as lib/api/call.c reads responses */

/* Of this process only: other programs may be busy. */
static int64_t cpu_us(void) {
  struct timespec t;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static size_t in_use(void) {
  struct mallinfo2 info = mallinfo2();

  return info.uordblks + info.hblkhd;
}

/* ---- the text ---- */

/* As in the sandbox's responses, with dates and names that differ. */
static void add_study(igt__buf *out, unsigned n) {
  unsigned day = 1 + n % 28, hour = n % 24, second = n % 60;

  igt__buf_printf(out,
                  "%s{\"studyDatabaseId\":\"%08x-1c3f-4a5b-9d8e-7f6a5b4c3d2e\",\"instituteId\":"
                  "\"5b0e8c1e-9c1f-4f7e-8f5a-3e1d2c4b5a69\",\"projectId\":"
                  "\"a4b9e6d2-1c3f-4a5b-9d8e-7f6a5b4c3d2e\",\"studyIdHumanReadable\":"
                  "\"study-%06u\",\"createdOn\":\"2024-01-%02uT%02u:15:%02u.%06u+00:00\","
                  "\"createdBy\":\"ann@example.com\",\"lastUpdatedOn\":"
                  "\"2024-02-%02uT%02u:25:%02u.%06u+00:00\",\"lastUpdatedBy\":\"ann@example.com\","
                  "\"legalBasis\":[\"consent\"],\"purposeOther\":null,\"electronicRecordState\":"
                  "\"draft\",\"s3Prefix\":\"a4b9e6d2/5b0e8c1e/studies/%08x/\",",
                  n ? "," : "", n, n, day, hour, second, n, day, hour, second, n + 1, n);
  if (n % 2)
    igt__buf_printf(out,
                    "\"studyType\":\"EpdStudy\",\"age\":\"61\",\"gender\":\"F\",\"datetime\":"
                    "\"2024-05-%02uT07:08:%02u+00:00\",\"procedureTypes\":[\"ablation\"],"
                    "\"duration\":%u,\"name\":\"study-%06u\",\"redo\":false}",
                    day, second, n % 300, n);
  else
    igt__buf_printf(out,
                    "\"studyType\":\"Study\",\"studyId\":\"CTA %u\",\"description\":"
                    "\"Gr\\u00fc\xc3\x9f\\\"e\\\"\",\"studyDate\":\"2024-01-%02uT10:15:%02uZ\","
                    "\"patient\":{\"patientDatabaseId\":\"%08x\",\"patientId\":\"P%06u\","
                    "\"patientName\":\"Doe^Jane\",\"gender\":\"O\"}}",
                    n, day, second, n, n);
}

/* ---- the two methods ---- */

typedef struct result {
  double seconds;
  size_t memory; /* the peak, besides the text */
  size_t count;
} result;

static igt_status feed(igt__model_stream *stream, const igt__buf *text, igt_error *err) {
  igt_status status = IGT_OK;

  for (size_t at = 0; at < text->len && status == IGT_OK;) {
    size_t cap = 0, n = text->len - at;
    char *space = igt__model_stream_space(stream, &cap);

    n = n < cap ? n : cap;
    n = n < PIECE ? n : PIECE;
    memcpy(space, text->data + at, n);
    at += n;
    status = igt__model_stream_filled(stream, n, err);
  }
  return status == IGT_OK ? igt__model_stream_end(stream, err) : status;
}

static bool ended(igt_status status, const igt_error *err) {
  if (status != IGT_OK)
    fprintf(stderr, "decode: %s\n", err->text);
  return status == IGT_OK;
}

/* Like igt_get_studies(). */
static bool whole(const igt__buf *text, result *out) {
  igt__model_stream *stream = NULL;
  igt_error err = IGT_ERROR_INIT;
  igt_model *list = NULL;
  size_t before = in_use();
  int64_t begin = cpu_us();
  igt_status status =
      igt__model_stream_new_whole(igt_root_study_list_type(), "studies", &stream, &err);

  if (status == IGT_OK)
    status = feed(stream, text, &err);
  if (status == IGT_OK)
    status = igt__model_stream_take(stream, &list, &err);
  out->seconds = (double)(cpu_us() - begin) / 1e6;
  out->memory = in_use() - before;
  out->count = list ? ((igt_root_study_list *)list)->count : 0;
  igt__model_stream_free(stream);
  igt_model_free(list);
  return ended(status, &err);
}

/* For text that is already in memory. */
static bool parsed(const igt__buf *text, result *out) {
  igt_error err = IGT_ERROR_INIT;
  igt_model *list = NULL;
  size_t before = in_use();
  int64_t begin = cpu_us();
  igt_status status =
      igt_model_parse(igt_root_study_list_type(), text->data, text->len, &list, &err);

  out->seconds = (double)(cpu_us() - begin) / 1e6;
  out->memory = in_use() - before;
  out->count = list ? ((igt_root_study_list *)list)->count : 0;
  igt_model_free(list);
  return ended(status, &err);
}

typedef struct counter {
  size_t count, before, most;
} counter;

static igt_status count(void *payload, const char *list, igt_model *element) {
  counter *c = payload;

  (void)list;
  (void)element;
  if (c->count++ % 1000 == 0 && in_use() - c->before > c->most)
    c->most = in_use() - c->before;
  return IGT_OK;
}

/* Like igt_get_studies_each(). */
static bool streamed(const igt__buf *text, result *out) {
  counter c = {.before = in_use()};
  igt__model_stream *stream = NULL;
  igt_error err = IGT_ERROR_INIT;
  int64_t begin = cpu_us();
  igt_status status =
      igt__model_stream_new(igt_root_study_list_type(), "studies", count, &c, &stream, &err);

  if (status == IGT_OK)
    status = feed(stream, text, &err);
  *out = (result){(double)(cpu_us() - begin) / 1e6, c.most, c.count};
  igt__model_stream_free(stream);
  return ended(status, &err);
}

static bool measure(const char *name, bool (*way)(const igt__buf *text, result *out),
                    const igt__buf *text) {
  result best = {0};

  for (int run = 0; run < RUNS; run++) {
    result r = {0};
    if (!way(text, &r))
      return false;
    if (run == 0 || r.seconds < best.seconds)
      best = r;
  }
  printf("%-6s %7zu studies %8.1f MB/s %10.2f MB of memory, %.2f of the JSON\n", name, best.count,
         (double)text->len / 1e6 / best.seconds, (double)best.memory / 1e6,
         (double)best.memory / (double)text->len);
  return true;
}

int main(int argc, char **argv) {
  unsigned studies = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
  igt__buf text;

  igt__buf_init(&text, (size_t)4 << 30);
  igt__buf_putc(&text, '[');
  for (unsigned n = 0; n < studies; n++)
    add_study(&text, n);
  igt__buf_puts(&text, "]\n");
  if (text.failed)
    return 1;
  printf("%.1f MB of JSON\n", (double)text.len / 1e6);
  bool ok = measure("whole", whole, &text) && measure("each", streamed, &text) &&
            measure("parse", parsed, &text);
  igt__buf_finish(&text);
  return ok ? 0 : 1;
}
