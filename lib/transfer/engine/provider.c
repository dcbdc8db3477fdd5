/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cloud/credentials.h"
#include "transfer/engine/run.h"

typedef struct request {
  igt__run *run;
  igt_client *client;
  char *prefix;
  char action[8];
  int64_t refused_until; /* fetches run one at a time, so no lock */
  igt_error refusal;
} request;

/* A refusal applies to all files of a study: they are not retried one by one. */
#define REFUSED_US 10000000

static igt_status ask(const request *r, igt__s3_credentials **out, igt_error *err) {
  igt_status status = igt__cloud_credentials(r->client, r->action, r->prefix, out, err);

  /* The same will happen for every study: one message, not one per file. */
  if (status == IGT_E_FORBIDDEN && igt__is_upload_only(r->client, r->action))
    igt__run_fatal(r->run, err);
  return status;
}

static igt_status fetch(void *payload, igt__s3_credentials **out, igt_error *err) {
  request *r = payload;
  igt_status status;

  if (igt__mono_us() < r->refused_until) {
    igt__error_copy(err, &r->refusal);
    return r->refusal.status;
  }
  status = ask(r, out, err);
  if (status == IGT_E_FORBIDDEN) {
    r->refused_until = igt__mono_us() + REFUSED_US;
    igt__error_keep(&r->refusal, err);
  }
  return status;
}

static void release(void *payload) {
  request *r = payload;

  igt__free(r->prefix);
  igt__free(r);
}

static void defer(void *payload, void (*task)(void *arg), void *arg) {
  igt__pool_add(payload, task, arg);
}

igt__s3_provider *igt__run_provider(igt__run *run, const char *action, const char *prefix) {
  igt__s3_provider_options options = {fetch, NULL, defer, run->credential_workers, release};
  igt__s3_provider *provider;
  request *r = igt__calloc(1, sizeof *r);

  if (!r)
    return NULL;
  r->run = run;
  r->client = run->client;
  r->prefix = igt__strdup(prefix);
  (void)snprintf(r->action, sizeof r->action, "%s", action);
  options.payload = r;
  provider = r->prefix ? igt__s3_provider_new(&options) : NULL;
  if (!provider)
    release(r);
  return provider;
}
