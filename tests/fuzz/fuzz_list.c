/* SPDX-License-Identifier: MIT */
/* Long responses of every described kind, decoded element by element as they arrive: the same
 * elements as when the response is decoded as a whole, whatever the block sizes. */
#include "demand.h"
#include "igtcloud/models.h"
#include "model/model.h"
#include "model/type.h"

typedef struct seen {
  size_t count;
  igt__buf text;
} seen;

static igt_status see(void *payload, const char *list, igt_model *element) {
  seen *s = payload;

  (void)list;
  demand(element != NULL);
  s->count++;
  demand(igt__model_write(&s->text, element, IGT__JSON_COMPACT, IGT__WRITE_ALL));
  demand(igt__buf_putc(&s->text, '\n'));
  return IGT_OK;
}

static igt_status in_pieces(const igt_type *type, const char *json, size_t n, size_t most,
                            seen *out) {
  igt__model_stream *stream = NULL;
  igt_status status = igt__model_stream_new(type, "fuzz", see, out, &stream, NULL);

  for (size_t at = 0; at < n && status == IGT_OK;) {
    size_t cap = 0;
    char *space = igt__model_stream_space(stream, &cap);
    size_t some = most < n - at ? most : n - at;

    demand(space && cap > 0);
    some = some < cap ? some : cap;
    memcpy(space, json + at, some);
    at += some;
    status = igt__model_stream_filled(stream, some, NULL);
  }
  if (status == IGT_OK)
    status = igt__model_stream_end(stream, NULL);
  igt__model_stream_free(stream);
  return status;
}

static void compare(const igt_type *type, const char *json, size_t n) {
  static const size_t pieces[] = {SIZE_MAX, 1, 13};
  seen by[3];
  igt_status status[3];

  for (size_t i = 0; i < 3; i++) {
    by[i].count = 0;
    igt__buf_init(&by[i].text, SIZE_MAX / 2);
    status[i] = in_pieces(type, json, n, pieces[i], &by[i]);
  }
  for (size_t i = 1; i < 3; i++) {
    demand((status[0] == IGT_OK) == (status[i] == IGT_OK));
    if (status[0] == IGT_OK)
      demand(by[0].count == by[i].count && by[0].text.len == by[i].text.len &&
             memcmp(by[0].text.data, by[i].text.data, by[0].text.len) == 0);
  }
  for (size_t i = 0; i < 3; i++)
    igt__buf_finish(&by[i].text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const igt_type *const types[] = {
      igt_project_list_type(), igt_institute_list_type(), igt_root_study_list_type(),
      igt_file_list_type(),    igt_series_list_type(),    igt_user_list_type(),
      igt_files_type(),
  };

  /* The first byte selects the kind, so that the fuzzer need not satisfy all of them with one
   * input. */
  if (size > 0)
    compare(types[*data % (sizeof types / sizeof *types)], (const char *)data + 1, size - 1);
  return 0;
}
