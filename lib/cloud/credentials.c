/* SPDX-License-Identifier: MIT */
/* Temporary S3 credentials from the cloud: calls the operation for an action and a key prefix,
 * copies the response into an igt__s3_credentials, and validates what the cloud sent (complete
 * keys, an endpoint that signed requests may be sent to). The fetch functions of engine/provider.c
 * and single/reader.c call it. */
#include "cloud/credentials.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "cloud/find.h"
#include "http/http.h"
#include "model/model.h"

/* Half an address is another address: one that does not fit becomes one that is rejected. */
static void take_endpoint(igt__s3_credentials *c, const char *text) {
  (void)snprintf(c->endpoint, sizeof c->endpoint, "%s",
                 strlen(text) < sizeof c->endpoint ? text : "an address that is too long");
}

/* Location of the objects, if the cloud sends it in additional fields, as the sandbox does. */
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
      take_endpoint(c, igt__json_str(text));
    else
      (void)snprintf(c->region, sizeof c->region, "%s", igt__json_str(text));
  }
  igt__json_free(text);
  return IGT_OK;
}

/* The code that signs with them uses buffers of fixed size: half a key is useless. */
static igt_status check_lengths(const igt_credentials *from, igt_error *err) {
  const struct {
    const char *name;
    const igt_string_field *field;
    size_t most;
  } all[] = {{"accessKey", &from->access_key, IGT__S3_MAX_ACCESS_KEY},
             {"secretKey", &from->secret_key, IGT__S3_MAX_SECRET_KEY},
             {"sessionToken", &from->session_token, IGT__S3_MAX_SESSION_TOKEN},
             {"bucket", &from->bucket, sizeof((igt__s3_credentials *)0)->bucket - 1}};

  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i].field->is == IGT_SET && strlen(all[i].field->v) > all[i].most)
      return igt__fail(err, IGT_E_LIMIT,
                       "the cloud's S3 credentials cannot be used: their %s has %zu bytes; at most "
                       "%zu are allowed",
                       all[i].name, strlen(all[i].field->v), all[i].most);
  return IGT_OK;
}

static igt__secret *secret(const igt_string_field *field) {
  return field->is == IGT_SET ? igt__secret_new(field->v, strlen(field->v)) : NULL;
}

igt_status igt__s3_endpoint_check(const char *domain, const char *endpoint, igt_error *err) {
  igt__url cloud, store;

  if (!*endpoint || igt__url_parse(endpoint, "the S3 endpoint", &store, NULL) != IGT_OK ||
      strcmp(store.scheme, "http") != 0)
    return IGT_OK; /* a non-URL, or plain http to another host, is rejected when it is used */
  if (igt__url_parse(domain, "the domain", &cloud, NULL) == IGT_OK && cloud.is_loopback)
    return IGT_OK;
  return igt__fail(err, IGT_E_PROTOCOL,
                   "%s names this computer as the S3 store (%.200s), which only a cloud on this "
                   "computer may do; nothing was sent there",
                   domain, endpoint);
}

static igt_status take(igt_client *client, const igt_credentials *from, igt__s3_credentials **out,
                       igt_error *err) {
  igt_status status;
  igt__s3_credentials *c;

  if (from->access_key.is != IGT_SET || from->secret_key.is != IGT_SET ||
      from->bucket.is != IGT_SET)
    return igt__fail(err, IGT_E_REQUIRED,
                     "the cloud's S3 credentials have no accessKey, secretKey or bucket");
  if (check_lengths(from, err) != IGT_OK)
    return IGT_E_LIMIT;
  if (strlen(from->bucket.v) >= sizeof c->bucket)
    return igt__fail(err, IGT_E_LIMIT, "the cloud's bucket name is too long");
  if (!(c = igt__s3_credentials_new()))
    return igt__fail_memory(err);
  c->access_key = secret(&from->access_key);
  c->secret_key = secret(&from->secret_key);
  c->session_token = secret(&from->session_token);
  (void)snprintf(c->bucket, sizeof c->bucket, "%s", from->bucket.v);
  c->expires = from->expires.is == IGT_SET ? igt__s3_expires_parse(from->expires.v) : 0;
  (void)igt__model_each_field(&from->model, take_extra, c);
  status = c->access_key && c->secret_key
               ? igt__s3_endpoint_check(igt_client_domain(client), c->endpoint, err)
               : igt__fail_memory(err);
  if (status != IGT_OK) {
    igt__s3_credentials_unref(c);
    return status;
  }
  *out = c;
  return IGT_OK;
}

bool igt__is_upload_only(igt_client *client, const char *action) {
  igt_identity who = IGT_IDENTITY_INIT;

  return strcmp(action, "GET") == 0 && igt_client_identity(client, &who, NULL) == IGT_OK &&
         who.is_service;
}

static igt_status explain_refusal(igt_client *client, const char *action, igt_error *err) {
  igt_identity who = IGT_IDENTITY_INIT;

  if (!igt__is_upload_only(client, action) || igt_client_identity(client, &who, NULL) != IGT_OK)
    return IGT_E_FORBIDDEN;
  igt__fail(err, IGT_E_FORBIDDEN,
            "%s is a service identity, which may upload but not download: sign in as a user",
            who.user);
  if (err)
    err->http_status = 403;
  return IGT_E_FORBIDDEN;
}

igt_status igt__cloud_credentials(igt_client *client, const char *action, const char *prefix,
                                  igt__s3_credentials **out, igt_error *err) {
  igt_get_s3_credentials_options options = IGT_GET_S3_CREDENTIALS_OPTIONS_INIT;
  igt_s3_credential_response *response = NULL;
  igt_status status;

  *out = NULL;
  options.prefix = prefix;
  options.action = action;
  status = igt_get_s3_credentials(client, &options, &response, err);
  if (status == IGT_E_FORBIDDEN)
    return explain_refusal(client, action, err);
  if (status != IGT_OK)
    return status;
  if (response->policy_credentials.count == 0 || !response->policy_credentials.v[0] ||
      response->policy_credentials.v[0]->credentials.is != IGT_SET)
    status =
        igt__fail(err, IGT_E_FORBIDDEN, "the cloud returned no S3 credentials for '%s'", prefix);
  else
    status = take(client, response->policy_credentials.v[0]->credentials.v, out, err);
  igt_model_free(&response->model);
  return status;
}
