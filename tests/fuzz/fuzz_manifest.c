/* SPDX-License-Identifier: MIT */
/* Manifests, which anybody may have written. What is accepted keeps its promises: the counts are
 * those of the lines, each study is found by its id, every path stays below its study, and the
 * files are the same when they are read again. */
#include "base/limits.h"
#include "base/name.h"
#include "base/path.h"
#include "demand.h"
#include "transfer/engine/manifest.h"

typedef struct seen {
  uint64_t files, bytes;
  unsigned categories;
} seen;

static igt_status each(void *payload, const igt__manifest_file *file) {
  seen *s = payload;

  s->files++;
  s->bytes += file->size;
  s->categories |= file->category;
  demand(file->size <= IGT__S3_MAX_OBJECT);
  demand(igt__path_check_cloud(file->path, strlen(file->path), "the file", NULL) == IGT_OK);
  demand(strlen(file->etag) < 80 && strlen(file->digest) < 128);
  return IGT_OK;
}

static void look_up(const igt_manifest *m, const igt__manifest_study *study) {
  igt__manifest_table table;
  igt__quota quota;
  igt_status status;

  igt__quota_init(&quota, 1 << 20, NULL);
  status = igt__manifest_table_open(m, study, &quota, &table, NULL);
  demand(status == IGT_OK || status == IGT_E_PARSE || status == IGT_E_LIMIT);
  demand(status != IGT_OK || igt__map_count(table.files) == study->files);
  igt__manifest_table_close(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const igt__manifest_study *study;
  igt_manifest *m = NULL;
  seen all = {0, 0, 0};

  if (igt__manifest_open_text((const char *)data, n, &m, NULL) != IGT_OK) {
    demand(!m);
    return 0;
  }
  for (size_t i = 0; (study = igt__manifest_at(m, i)) != NULL; i++) {
    demand(igt__manifest_find(m, study->id) == study);
    demand(*study->institute && *study->name);
    demand(igt__manifest_files(m, study, each, &all, NULL) == IGT_OK);
    look_up(m, study);
  }
  demand(igt__map_count(m->studies) == m->info.studies && all.files == m->info.files);
  demand(all.bytes == m->info.bytes && all.categories == m->categories);
  demand(strlen(m->info.sha256) == 64);
  igt_manifest_close(m);
  return 0;
}
