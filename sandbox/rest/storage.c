/* SPDX-License-Identifier: MIT */
/* A user's own files, and those of applications for training: folders of the object store for which
 * the user gets credentials.
 *   users/UUID/…
 *   users/UUID/training/APPLICATION/…
 * Also lists and deletes such files, and serves the PDF guides of the training applications.
 * routes.c calls each function for its route. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "crypto/crypto.h"

static const struct {
  const char *id, *environment;
  bool has_guide;
} training[] = {{"annotation-training", "LINUX", true}, {"echo-training", "WINDOWS", false}};
#define TRAINING (sizeof training / sizeof training[0])

bool rest_user_prefix(rest_call *call, char *out, size_t cap) {
  if (!rest_is_user(call))
    return false;
  snprintf(out, cap, "users/%.40s/", call->who.uid);
  return true;
}

/* ---- credentials ---- */

static igt__json *credentials_json(const sbx_credentials *c) {
  char expires[40];
  igt_time t = {.seconds = c->expires, .has_offset = true};
  igt__json *out = igt__json_new_object();

  igt__time_format(&t, 'T', expires, sizeof expires);
  igt__json_set_str(out, "accessKey", c->access_key);
  igt__json_set_str(out, "secret", c->secret_key);
  igt__json_set_str(out, "sessionToken", c->session_token);
  igt__json_set_str(out, "expiration", expires);
  return out;
}

static void response_storage(rest_call *call, const char *prefix) {
  const char *region = sbx_query(call->req, "region", 0);
  sbx_credentials c = {0};
  igt__json *response, *config;

  if (region && strcmp(region, SBX_REGION) != 0) {
    rest_fail(call, 400, "region: %.40s is not available, only %s", region, SBX_REGION);
    return;
  }
  if (!sbx_credentials_issue(call->server, "*", prefix, &c)) {
    rest_fail(call, 500, "The credentials could not be stored");
    return;
  }
  response = igt__json_new_object();
  config = igt__json_new_object();
  igt__json_set_str(config, "bucket", c.bucket);
  igt__json_set_str(config, "key", prefix);
  igt__json_set_str(config, "region", SBX_REGION);
  igt__json_set_str(config, "endpoint", call->server->base_url);
  igt__json_set(response, "credentials", credentials_json(&c));
  igt__json_set(response, "config", config);
  igt__wipe(&c, sizeof c);
  sbx_add_header(call->req, "Cache-Control", "no-store");
  rest_respond(call, 200, response);
}

void rest_user_storage(rest_call *call) {
  char prefix[64];

  if (rest_user_prefix(call, prefix, sizeof prefix))
    response_storage(call, prefix);
}

/* ---- files ---- */

typedef struct listing {
  const char *prefix;
  igt__json *list;
} listing;

static bool add_file(void *payload, const sbx_object *object) {
  listing *l = payload;

  return igt__json_push(
      l->list, rest_file_json(object->key, object->key + strlen(l->prefix), (int64_t)object->size));
}

void rest_user_files_get(rest_call *call) {
  char prefix[64];

  if (!rest_user_prefix(call, prefix, sizeof prefix))
    return;
  listing l = {prefix, igt__json_new_array()};
  sbx_object_each(call->server->store, SBX_BUCKET, prefix, "", add_file, &l);
  rest_respond(call, 200, l.list);
}

static bool own_file(rest_call *call, const char *prefix, const char *key) {
  sbx_object object = {0};
  bool there =
      igt__str_starts(key, prefix) && sbx_object_get(call->server->store, SBX_BUCKET, key, &object);

  sbx_object_finish(&object);
  if (!there)
    rest_fail(call, 404, "File %.200s does not exist", key);
  return there;
}

void rest_user_files_delete(rest_call *call) {
  char prefix[64];
  const char *key;

  if (!rest_user_prefix(call, prefix, sizeof prefix))
    return;
  if (!sbx_query_has(call->req, "keys")) {
    rest_fail(call, 400, "keys is required");
    return;
  }
  for (size_t i = 0; (key = sbx_query(call->req, "keys", i)); i++) {
    if (!own_file(call, prefix, key))
      return;
  }
  for (size_t i = 0; (key = sbx_query(call->req, "keys", i)); i++)
    sbx_object_delete(call->server->store, SBX_BUCKET, key);
  rest_respond_empty(call, 204);
}

/* ---- training ---- */

void rest_user_training_delete(rest_call *call) {
  igt__json *user, *settings;
  char prefix[64], folder[80];

  if (!rest_user_prefix(call, prefix, sizeof prefix))
    return;
  user = igt__json_copy(rest_account(call));
  settings = igt__json_get(user, "settings");
  igt__json_remove(settings, "trainingStartDate");
  igt__json_remove(settings, "trainingEndDate");
  snprintf(folder, sizeof folder, "%straining/", prefix);
  rest_drop_objects(call->server, folder);
  if (rest_store(call, "user", call->who.sub, NULL, user))
    rest_respond_empty(call, 204);
  igt__json_free(user);
}

void rest_training_get(rest_call *call) {
  igt__json *list = igt__json_new_array();

  for (size_t i = 0; i < TRAINING; i++) {
    igt__json *application = igt__json_new_object();
    igt__json_set_str(application, "applicationId", training[i].id);
    igt__json_set_str(application, "vmEnvironment", training[i].environment);
    igt__json_set_bool(application, "hasGuide", training[i].has_guide);
    igt__json_push(list, application);
  }
  rest_respond(call, 200, list);
}

/* TRAINING: responded with a 404. */
static size_t training_of_path(rest_call *call) {
  size_t i = 0;

  while (i < TRAINING && strcmp(training[i].id, call->args[0]) != 0)
    i++;
  if (i == TRAINING)
    rest_fail(call, 404, "Training application %.100s does not exist", call->args[0]);
  return i;
}

void rest_training_storage(rest_call *call) {
  size_t i = training_of_path(call);
  char prefix[64], folder[128];

  if (i == TRAINING || !rest_user_prefix(call, prefix, sizeof prefix))
    return;
  snprintf(folder, sizeof folder, "%straining/%s/", prefix, training[i].id);
  response_storage(call, folder);
}

/* Writes one page with one line, and the table of object offsets (ISO 32000-1, 7.5). */
static void write_pdf(igt__buf *out, const char *line) {
  size_t at[6], begin;
  char text[160];

  snprintf(text, sizeof text, "BT /F1 18 Tf 72 720 Td (%.100s) Tj ET", line);
  igt__buf_puts(out, "%PDF-1.4\n");
  at[1] = out->len;
  igt__buf_puts(out, "1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n");
  at[2] = out->len;
  igt__buf_puts(out, "2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n");
  at[3] = out->len;
  igt__buf_puts(out,
                "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
                "/Resources << /Font << /F1 5 0 R >> >> >>\nendobj\n");
  at[4] = out->len;
  igt__buf_printf(out, "4 0 obj\n<< /Length %zu >>\nstream\n%s\nendstream\nendobj\n", strlen(text),
                  text);
  at[5] = out->len;
  igt__buf_puts(out, "5 0 obj\n<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n");
  begin = out->len;
  igt__buf_puts(out, "xref\n0 6\n0000000000 65535 f \n");
  for (size_t i = 1; i < 6; i++)
    igt__buf_printf(out, "%010zu 00000 n \n", at[i]);
  igt__buf_printf(out, "trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%zu\n%%%%EOF\n", begin);
}

void rest_training_guide(rest_call *call) {
  size_t i = training_of_path(call);
  char line[100];
  igt__buf pdf;

  if (i == TRAINING)
    return;
  if (!training[i].has_guide) {
    rest_fail(call, 404, "There is no guide to %s", training[i].id);
    return;
  }
  snprintf(line, sizeof line, "A guide to %s, by the sandbox", training[i].id);
  igt__buf_init(&pdf, 16 * 1024);
  write_pdf(&pdf, line);
  if (pdf.failed)
    rest_fail(call, 500, "out of memory");
  else
    sbx_respond(call->req, 200, "application/pdf", pdf.data, pdf.len);
  igt__buf_finish(&pdf);
}
