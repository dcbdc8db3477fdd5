/* SPDX-License-Identifier: MIT */
/* Models from any bytes. Beyond not crashing: what is decoded can be written and decoded again with
 * the same result, a list gives the same as a whole and in blocks, and two parsers agree on what is
 * JSON. */
#include "demand.h"
#include "igtcloud/models.h"
#include "model/model.h"
#include "model/scan.h"

static void round_trip(const igt_type *type, const char *json, size_t n) {
  static const igt__json_style styles[] = {IGT__JSON_COMPACT, IGT__JSON_INDENT4};
  igt_model *first = NULL, *second = NULL;
  igt__buf one, two;

  if (igt__model_decode(type, json, n, "fuzz", &first, NULL) != IGT_OK)
    return;
  for (size_t i = 0; i < 2; i++) {
    igt__buf_init(&one, SIZE_MAX / 2);
    igt__buf_init(&two, SIZE_MAX / 2);
    demand(igt__model_write(&one, first, styles[i], IGT__WRITE_ALL));
    demand(igt__model_decode(type, one.data, one.len, "fuzz", &second, NULL) == IGT_OK);
    demand(igt__model_write(&two, second, styles[i], IGT__WRITE_ALL));
    demand(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    igt_model_free(second);
    igt__buf_finish(&one);
    igt__buf_finish(&two);
  }
  igt_model_free(first);
}

static igt_status count(void *payload, const char *list, igt_model *element) {
  (void)list;
  demand(element != NULL);
  ++*(size_t *)payload;
  return IGT_OK;
}

static void in_pieces(const igt_type *type, const char *json, size_t n) {
  igt__model_stream *stream = NULL;
  igt_model *whole = NULL;
  size_t elements = 0;
  igt_status want = igt__model_decode(type, json, n, "fuzz", &whole, NULL);
  igt_status status = igt__model_stream_new(type, "fuzz", count, &elements, &stream, NULL);

  for (size_t at = 0; at < n && status == IGT_OK;) {
    size_t cap = 0, some = 1 + (unsigned char)json[at] % 7u;
    char *space = igt__model_stream_space(stream, &cap);

    some = some < n - at ? some : n - at;
    memcpy(space, json + at, some);
    at += some;
    status = igt__model_stream_filled(stream, some, NULL);
  }
  if (status == IGT_OK)
    status = igt__model_stream_end(stream, NULL);
  /* In a stream depth counts from the element. */
  demand((status == IGT_OK) == (want == IGT_OK) || want == IGT_E_LIMIT);
  if (whole)
    demand(elements == ((igt_root_study_list *)whole)->count);
  igt__model_stream_free(stream);
  igt_model_free(whole);
}

static void two_parsers(const char *json, size_t n) {
  igt__scan scan;
  igt__json *tree = NULL;
  igt_status status = igt__json_parse(json, n, "fuzz", &tree, NULL);
  bool good;

  igt__scan_init(&scan, json, n);
  good = igt__scan_skip(&scan) && igt__scan_peek(&scan) == '\0' && scan.at == scan.end;
  if (!scan.too_deep && status != IGT_E_LIMIT)
    demand(good == (status == IGT_OK));
  igt__json_free(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *json = (const char *)data;

  round_trip(igt_root_study_type(), json, size);
  round_trip(igt_series_type(), json, size);
  round_trip(igt_project_list_type(), json, size);
  round_trip(igt_files_type(), json, size);
  in_pieces(igt_root_study_list_type(), json, size);
  two_parsers(json, size);
  return 0;
}
