/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "s3/internal.h"

static void from_env(const char *first, const char *second, char *out, size_t cap) {
  const char *value = getenv(first);

  if (!value || !*value)
    value = getenv(second);
  if (value && strlen(value) < cap)
    igt__str_copy(out, cap, value);
}

igt_status igt__s3_new(igt__http *http, igt__s3 **out, igt_error *err) {
  igt__s3 *s3 = igt__calloc(1, sizeof *s3);

  *out = NULL;
  if (!s3)
    return igt__fail_memory(err);
  s3->http = http;
  pthread_mutex_init(&s3->lock, NULL);
  from_env("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", s3->env_endpoint, sizeof s3->env_endpoint);
  from_env("AWS_REGION", "AWS_DEFAULT_REGION", s3->env_region, sizeof s3->env_region);
  s3->buckets = igt__map_new();
  if (!s3->buckets) {
    igt__s3_free(s3);
    return igt__fail_memory(err);
  }
  *out = s3;
  return IGT_OK;
}

void igt__s3_free(igt__s3 *s3) {
  const char *name;
  void *bucket;

  if (!s3)
    return;
  if (s3->buckets)
    for (size_t i = 0; igt__map_at(s3->buckets, i, &name, &bucket); i++)
      igt__free(bucket);
  igt__map_free(s3->buckets);
  pthread_mutex_destroy(&s3->lock);
  igt__s3_requests_trim();
  igt__free(s3);
}

int64_t igt__s3_clock_offset(const igt__s3 *s3) {
  return atomic_load(&s3->clock_offset);
}

bool igt__s3_wants_md5(const igt__s3 *s3) {
  return atomic_load(&s3->no_checksums) || atomic_load(&s3->echo) != IGT__S3_ECHO_SEEN;
}
