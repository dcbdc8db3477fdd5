/* SPDX-License-Identifier: MIT */
/* Credentials for clients of the S3 backend: AssumeRole (AWS Security Token Service, 2011-06-15)
 * with a session policy that restricts the role to one action and prefix.
 * sbx_s3_backend_credentials writes the policy, sends the request with sbx__s3_backend_send and
 * turns the XML response into the JSON of the REST API; rest/auth.c calls it. */
#include "store/s3_backend_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "s3/s3.h"
#include "s3/xml.h"

#define SHORTEST_SESSION 900 /* STS's minimum */
#define LONGEST_SESSION 3600 /* of a role, unless its owner allows more */

/* The actions that the cloud's credentials allow. */
static const char *const get_actions[] = {"s3:GetObject", NULL};
static const char *const put_actions[] = {"s3:PutObject", "s3:AbortMultipartUpload",
                                          "s3:ListMultipartUploadParts", NULL};
static const char *const all_actions[] = {"s3:*", NULL};

static igt__json *statement(const char *const *actions, const char *resource) {
  igt__json *s = igt__json_new_object(), *list = igt__json_new_array();

  for (; *actions; actions++)
    igt__json_push(list, igt__json_new_str(*actions));
  igt__json_set_str(s, "Effect", "Allow");
  igt__json_set(s, "Action", list);
  igt__json_set_str(s, "Resource", resource);
  return s;
}

static bool policy_write(const sbx_s3_backend *backend, const char *action, const char *prefix,
                         igt__buf *out) {
  const char *const *actions = strcmp(action, "GET") == 0   ? get_actions
                               : strcmp(action, "PUT") == 0 ? put_actions
                                                            : all_actions;
  igt__json *policy = igt__json_new_object(), *list = igt__json_new_array();
  char resource[1200];
  bool ok;

  snprintf(resource, sizeof resource, "arn:aws:s3:::%s/%s*", backend->bucket, prefix);
  igt__json_push(list, statement(actions, resource));
  igt__json_set_str(policy, "Version", "2012-10-17");
  igt__json_set(policy, "Statement", list);
  ok = igt__json_write(out, policy, IGT__JSON_COMPACT);
  igt__json_free(policy);
  return ok;
}

static igt_status take(void *payload, const char *path, const char *text, igt_error *err) {
  static const char *const names[][2] = {{"AccessKeyId", "accessKey"},
                                         {"SecretAccessKey", "secretKey"},
                                         {"SessionToken", "sessionToken"},
                                         {"Expiration", "expires"}};
  const char *name = strrchr(path, '/');

  (void)err;
  for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
    if (strcmp(name + 1, names[i][0]) == 0 && strstr(path, "/Credentials/"))
      igt__json_set_str(payload, names[i][1], text);
  return IGT_OK;
}

static igt_status assume(sbx_s3_backend *backend, const igt__buf *form, igt__json *out,
                         igt_error *err) {
  backend_request req = {.method = "POST",
                         .service = "sts",
                         .path = "/",
                         .query = "",
                         .content_type = "application/x-www-form-urlencoded",
                         .body = form->data,
                         .body_len = form->len,
                         .fd = -1};
  igt_status status = sbx__s3_backend_send(backend, &req, err);

  if (status == IGT_OK)
    status = igt__xml_parse(req.http.response.data, req.http.response.len, take, out, err);
  if (status == IGT_OK && !igt__json_has(out, "sessionToken"))
    status = igt__fail(err, IGT_E_PROTOCOL, "the STS response contains no credentials");
  igt__http_request_finish(&req.http);
  return status;
}

static int session_seconds(int wanted) {
  int seconds = wanted > SHORTEST_SESSION ? wanted : SHORTEST_SESSION;

  return seconds < LONGEST_SESSION ? seconds : LONGEST_SESSION;
}

static bool form_write(const sbx_s3_backend *backend, const char *policy, int seconds,
                       igt__buf *form) {
  igt__buf_printf(form,
                  "Action=AssumeRole&Version=2011-06-15&RoleSessionName=igtcloud-sandbox"
                  "&DurationSeconds=%d&RoleArn=",
                  session_seconds(seconds));
  igt__uri_encode(form, backend->role, strlen(backend->role), false);
  igt__buf_puts(form, "&Policy=");
  igt__uri_encode(form, policy, strlen(policy), false);
  return !form->failed;
}

igt__json *sbx_s3_backend_credentials(sbx_s3_backend *backend, const char *action,
                                      const char *prefix, int seconds, char *error,
                                      size_t error_cap) {
  igt_error err = IGT_ERROR_INIT;
  igt__json *out = igt__json_new_object();
  igt__buf policy, form;
  igt_status status = IGT_E_NO_MEMORY;

  igt__buf_init(&policy, 16 * 1024);
  igt__buf_init(&form, 64 * 1024);
  if (strpbrk(prefix, "*?$")) /* these are special characters in a policy */
    status = igt__fail(&err, IGT_E_INVALID,
                       "credentials cannot be limited to a prefix with '*', '?' or '$'");
  else if (out && policy_write(backend, action, prefix, &policy) &&
           form_write(backend, policy.data, seconds, &form))
    status = assume(backend, &form, out, &err);
  if (status == IGT_OK) {
    igt__json_set_str(out, "bucket", backend->bucket);
    igt__json_set_str(out, "endpoint", backend->origin);
    igt__json_set_str(out, "region", backend->region);
  } else {
    snprintf(error, error_cap, "%s", err.text[0] ? err.text : "out of memory");
    igt__json_free(out);
    out = NULL;
  }
  igt__buf_finish(&policy);
  igt__buf_finish(&form);
  return out;
}
