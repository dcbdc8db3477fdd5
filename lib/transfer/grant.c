/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "igtcloud/operations.h"
#include "model/model.h"
#include "transfer/run.h"

typedef struct request {
  igt__run *run;
  igt_client *client;
  char *prefix;
  char action[8];
  int64_t refused_until; /* fetches run one at a time, so no lock */
  igt_error refusal;
} request;

/* A refusal holds for all files of a study: they don't ask again one by one. */
#define REFUSED_US 10000000

/* Where the objects are, when the cloud says so in fields of its own: design.md, the sandbox. */
static igt_status take_extra(void *payload, const igt__field_view *field) {
  igt__s3_credentials *c = payload;
  const igt_json_field *value = field->field;
  bool endpoint = strcmp(field->name, "endpoint") == 0;
  igt__json *text = NULL;

  if (field->known || value->is != IGT_SET || (!endpoint && strcmp(field->name, "region") != 0))
    return IGT_OK;
  if (igt__json_parse(value->v, strlen(value->v), field->name, &text, NULL) == IGT_OK &&
      igt__json_str(text)) {
    if (endpoint)
      (void)snprintf(c->endpoint, sizeof c->endpoint, "%s", igt__json_str(text));
    else
      (void)snprintf(c->region, sizeof c->region, "%s", igt__json_str(text));
  }
  igt__json_free(text);
  return IGT_OK;
}

static igt__secret *secret(const igt_string_field *field) {
  return field->is == IGT_SET ? igt__secret_new(field->v, strlen(field->v)) : NULL;
}

static igt_status take(const igt_credentials *from, igt__s3_credentials **out, igt_error *err) {
  igt__s3_credentials *c;

  if (from->access_key.is != IGT_SET || from->secret_key.is != IGT_SET ||
      from->bucket.is != IGT_SET)
    return igt__fail(err, IGT_E_REQUIRED,
                     "the cloud's S3 credentials have no accessKey, secretKey or bucket");
  if (!(c = igt__s3_credentials_new()))
    return igt__fail_memory(err);
  c->access_key = secret(&from->access_key);
  c->secret_key = secret(&from->secret_key);
  c->session_token = secret(&from->session_token);
  (void)snprintf(c->bucket, sizeof c->bucket, "%s", from->bucket.v);
  c->expires = from->expires.is == IGT_SET ? igt__s3_expires_parse(from->expires.v) : 0;
  (void)igt__model_each_field(&from->model, take_extra, c);
  if (!c->access_key || !c->secret_key) {
    igt__s3_credentials_unref(c);
    return igt__fail_memory(err);
  }
  *out = c;
  return IGT_OK;
}

static igt_status ask(const request *r, igt__s3_credentials **out, igt_error *err) {
  igt_get_s3_credentials_resource_options options = IGT_GET_S3_CREDENTIALS_RESOURCE_OPTIONS_INIT;
  igt_s3_credential_response *answer = NULL;
  igt_status status;

  options.prefix = r->prefix;
  options.action = r->action;
  status = igt_get_s3_credentials_resource(r->client, &options, &answer, err);
  if (status == IGT_E_FORBIDDEN && strcmp(r->action, "GET") == 0) {
    igt_identity who;
    if (igt_client_identity(r->client, &who, NULL) == IGT_OK && who.is_service) {
      /* It will be so for every study: one sentence, not one a file. */
      igt_error all = IGT_ERROR_INIT;
      (void)igt__fail(&all, IGT_E_FORBIDDEN,
                      "%s is a service identity, which may upload but not download: sign in as a "
                      "user",
                      who.user);
      all.http_status = 403;
      igt__run_fatal(r->run, &all);
    }
    return status;
  }
  if (status != IGT_OK)
    return status;
  if (answer->policy_credentials.count == 0 || !answer->policy_credentials.v[0] ||
      answer->policy_credentials.v[0]->credentials.is != IGT_SET)
    status =
        igt__fail(err, IGT_E_FORBIDDEN, "the cloud gave no S3 credentials for '%s'", r->prefix);
  else
    status = take(answer->policy_credentials.v[0]->credentials.v, out, err);
  igt_model_free(&answer->model);
  return status;
}

static igt_status fetch(void *payload, igt__s3_credentials **out, igt_error *err) {
  request *r = payload;
  igt_status status;

  if (igt__mono_us() < r->refused_until) {
    *err = r->refusal;
    return r->refusal.status;
  }
  status = ask(r, out, err);
  if (status == IGT_E_FORBIDDEN) {
    r->refused_until = igt__mono_us() + REFUSED_US;
    r->refusal = *err;
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

igt__s3_grant *igt__run_grant(igt__run *run, const char *action, const char *prefix) {
  igt__s3_grant_options options = {fetch, NULL, defer, run->helpers, release};
  igt__s3_grant *grant;
  request *r = igt__calloc(1, sizeof *r);

  if (!r)
    return NULL;
  r->run = run;
  r->client = run->client;
  r->prefix = igt__strdup(prefix);
  (void)snprintf(r->action, sizeof r->action, "%s", action);
  options.payload = r;
  grant = r->prefix ? igt__s3_grant_new(&options) : NULL;
  if (!grant)
    release(r);
  return grant;
}
