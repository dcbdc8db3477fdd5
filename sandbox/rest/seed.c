/* SPDX-License-Identifier: MIT */
/* Fills a new store from a seed: the built-in demo or a JSON file, in the form that docs/sandbox.md
 * describes. seed_all walks through the lists of users, services, projects, institutes, studies and
 * files and stores each element with the functions that the routes use; all of it in one
 * transaction. main.c calls sbx_seed before the sandbox is ready; seed_files.c creates the files'
 * objects. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/root.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "fields.h"
#include "rest.h"
#include "seed_demo.h"
#include "seed_files.h"

/* The limit of a seed file: 100,000 studies written out individually are some 60 MB. */
#define MAX_SEED (256u * 1024 * 1024)
#define SEEDER "seed@igtcloud-sandbox"

typedef struct seed {
  sbx_server *server;
  igt_error err;
} seed;

/* Calls fn for each element of the list `key`, if present. */
static bool each(seed *s, const igt__json *object, const char *key,
                 bool (*fn)(seed *s, const igt__json *element, void *payload), void *payload) {
  const igt__json *list = igt__json_get(object, key);

  if (igt__json_typeof(list) == IGT__JSON_NULL)
    return true;
  if (igt__json_typeof(list) != IGT__JSON_ARRAY) {
    igt__fail(&s->err, IGT_E_INVALID, "%s must be a list", key);
    return false;
  }
  for (size_t i = 0; i < igt__json_count(list); i++) {
    if (!fn(s, igt__json_at(list, i), payload)) {
      if (s->err.status == IGT_OK)
        igt__fail(&s->err, IGT_E_IO, "%s[%zu] could not be stored", key, i);
      return false;
    }
  }
  return true;
}

/* Members of "raw" replace those that the server sets. */
static void merge_raw(igt__json *doc, const igt__json *spec) {
  const igt__json *raw = igt__json_get(spec, "raw"), *remove = igt__json_get(spec, "raw_remove");
  const char *key;
  igt__json *value;

  for (size_t i = 0; igt__json_member(raw, i, &key, &value); i++)
    igt__json_set(doc, key, igt__json_copy(value));
  for (size_t i = 0; i < igt__json_count(remove); i++) {
    const char *name = igt__json_str(igt__json_at(remove, i));
    if (name)
      igt__json_remove(doc, name);
  }
}

/* Stores the document; an s3Prefix from "raw" is recorded, so that credentials can be issued for
 * it. */
static bool store(seed *s, const char *kind, const char *id, const char *parent, igt__json *doc,
                  const igt__json *spec) {
  const char *prefix = igt__json_get_str(igt__json_get(spec, "raw"), "s3Prefix");

  merge_raw(doc, spec);
  return sbx_doc_put(s->server->store, kind, id, parent, doc) &&
         (!prefix || !*prefix || rest_prefix_remember(s->server, prefix));
}

/* ---- users and services ---- */

static bool roles_known(seed *s, const igt__json *roles) {
  for (size_t i = 0; i < igt__json_count(roles); i++) {
    const char *role = igt__json_str(igt__json_at(roles, i));
    if (!rest_role_known(role)) {
      igt__fail(&s->err, IGT_E_INVALID, "unknown role %.60s", role ? role : "this");
      return false;
    }
  }
  return true;
}

static bool add_user(seed *s, const igt__json *spec, void *payload) {
  const char *name = igt__json_get_str(spec, "name");
  const char *password = igt__json_get_str(spec, "password");
  igt__json *roles = igt__json_copy(igt__json_get(spec, "roles"));
  bool ok = false;

  (void)payload;
  if (!igt__json_has(spec, "roles")) {
    igt__json_free(roles);
    roles = igt__json_new_array();
    igt__json_push(roles, igt__json_new_str("INVESTIGATOR"));
  }
  if (!name || !password) {
    igt__fail(&s->err, IGT_E_INVALID, "a user needs a name and a password");
  } else if (roles_known(s, roles)) {
    igt__json *user = rest_user_new(name, roles);
    ok = user && store(s, "user", name, NULL, user, spec) &&
         rest_password_set(s->server, name, password);
    igt__json_free(user);
  }
  igt__json_free(roles);
  return ok;
}

static bool key_write(seed *s, const char *path, const igt__buf *pem) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool ok = fd >= 0 && fchmod(fd, 0600) == 0 && igt__fd_write(fd, pem->data, pem->len);

  if (!ok)
    igt__fail_errno(&s->err, errno, "the key file %s cannot be written", path);
  if (fd >= 0 && close(fd) != 0)
    ok = false;
  return ok;
}

/* An existing key is kept: scripts may use it. Its public key is in public_pem; empty:
 * the file does not exist. */
static bool key_read(seed *s, const char *path, igt__buf *public_pem) {
  char *pem = NULL;
  size_t n = 0;

  if (access(path, F_OK) != 0 && errno == ENOENT)
    return true;
  bool ok = igt__file_read(path, IGT__MAX_KEY_FILE, &pem, &n, &s->err) == IGT_OK &&
            igt__rsa_public_of(pem, n, path, public_pem, &s->err) == IGT_OK;
  if (pem)
    igt__wipe(pem, n);
  igt__free(pem);
  return ok;
}

static bool add_service(seed *s, const igt__json *spec, void *payload) {
  const char *id = igt__json_get_str(spec, "id"), *name = igt__json_get_str(spec, "name");
  const char *public_pem = igt__json_get_str(spec, "public_key");
  const char *key_file = igt__json_get_str(spec, "key_file");
  const char *organization = igt__json_get_str(spec, "organization");
  igt__buf pem, path, existing;

  (void)payload;
  id = id ? id : "service@igtcloud-sandbox";
  igt__buf_init(&pem, 16 * 1024);
  igt__buf_init(&path, IGT__MAX_PATH);
  igt__buf_init(&existing, 16 * 1024);
  if (key_file)
    igt__buf_puts(&path, key_file);
  else
    igt__buf_printf(&path, "%s/%s.pem", s->server->data_dir, id);
  igt__json *service = NULL;
  bool ok = igt__name_check(id, "the service id", &s->err) == IGT_OK &&
            (public_pem || key_read(s, path.data, &existing));
  if (ok && existing.len)
    public_pem = existing.data;
  ok = ok &&
       (service = rest_service_new(s->server, organization ? organization : REST_ORGANIZATION,
                                   name ? name : id, id, public_pem, &pem, &s->err)) &&
       (public_pem || key_write(s, path.data, &pem));
  igt__json_free(service);
  igt__buf_finish(&existing);
  igt__buf_finish(&path);
  igt__buf_finish_wipe(&pem);
  return ok;
}

/* ---- studies ---- */

typedef struct file_place {
  const char *owner;
  const char *prefix;
  bool study;
} file_place;

static bool add_file(seed *s, const igt__json *spec, void *payload) {
  const file_place *place = payload;

  return rest_seed_file(s->server, place->owner, place->study, place->prefix, spec, &s->err);
}

/* The spec's members that are fields of the study. */
static igt__json *study_body(const igt__json *spec, const igt__json *institute) {
  static const char *const ours[] = {"class", "type", "id", "files", "raw", "raw_remove"};
  const char *type = igt__json_get_str(spec, "class");
  igt__json *body = igt__json_copy(spec);

  if (!type)
    type = igt__json_get_str(spec, "type");
  type = type ? rest_study_type_of(type) : igt__json_get_str(institute, "studyType");
  for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
    igt__json_remove(body, ours[i]);
  if (!igt__json_has(body, "studyType"))
    igt__json_set_str(body, "studyType", type);
  return body;
}

static bool study_store(seed *s, const igt__json *institute, const igt__json *spec,
                        const igt__json *body) {
  const char *institute_id = igt__json_get_str(institute, "id");
  igt__json *study =
      rest_study_new(s->server, institute, body, igt__json_get_str(spec, "id"), NULL, SEEDER);
  char *id = igt__strdup(igt__json_get_str(study, "studyDatabaseId"));
  bool ok = id && store(s, "study", id, institute_id, study, spec);
  const char *prefix = igt__json_get_str(study, "s3Prefix");
  file_place place = {id, prefix ? prefix : "", true};

  ok = ok && each(s, spec, "files", add_file, &place);
  igt__free(id);
  igt__json_free(study);
  return ok;
}

static bool add_study(seed *s, const igt__json *spec, void *payload) {
  const igt__json *institute = payload;
  char why[256];
  igt__json *body = study_body(spec, institute);
  bool ok = rest_model_check("RootStudy", body, why, sizeof why);

  if (!ok)
    igt__fail(&s->err, IGT_E_INVALID, "invalid study: %s", why);
  ok = ok && study_store(s, institute, spec, body);
  igt__json_free(body);
  return ok;
}

/* ---- generated studies ---- */

/* 2020 to 2024, in a different order than the names. */
static void bulk_date(uint64_t n, char *out, size_t cap) {
  snprintf(out, cap, "%04u-%02u-%02uT%02u:%02u:%02u+00:00", (unsigned)(2020 + n % 5),
           (unsigned)(1 + n * 7 % 12), (unsigned)(1 + n * 11 % 28), (unsigned)(n % 24),
           (unsigned)(n * 13 % 60), (unsigned)(n * 17 % 60));
}

static igt__json *bulk_body(const char *type, uint64_t n) {
  char name[40], date[40];
  igt__json *body = igt__json_new_object();

  snprintf(name, sizeof name, "study-%06llu", (unsigned long long)n);
  bulk_date(n, date, sizeof date);
  igt__json_set_str(body, "studyType", type);
  if (!rest_model_is(type, "BaseStudy")) {
    bool epd = rest_model_is(type, "EpdStudy");
    igt__json_set_str(body, epd ? "name" : "subjectId", name);
    igt__json_set_str(body, epd ? "datetime" : "procedureDate", date);
    return body;
  }
  igt__json *patient = igt__json_new_object();
  igt__json_set_str(body, "studyId", name);
  igt__json_set_str(body, "studyDate", date);
  snprintf(name, sizeof name, "patient-%06llu", (unsigned long long)n);
  igt__json_set_str(patient, "patientId", name);
  igt__json_set_str(patient, "patientName", name);
  igt__json_set(body, "patient", patient);
  return body;
}

static bool bulk_study(seed *s, const igt__json *institute, uint64_t n, const igt__json *spec) {
  int64_t files = igt__json_int(igt__json_get(spec, "files"));
  igt__json *body = bulk_body(igt__json_get_str(institute, "studyType"), n);
  igt__json *study = rest_study_new(s->server, institute, body, NULL, NULL, SEEDER);
  const char *id = igt__json_get_str(study, "studyDatabaseId");
  const char *prefix = igt__json_get_str(study, "s3Prefix");
  bool ok = study &&
            sbx_doc_put(s->server->store, "study", id, igt__json_get_str(institute, "id"), study);

  for (int64_t f = 0; ok && f < files; f++) {
    char path[40];
    snprintf(path, sizeof path, "file-%06lld.bin", (long long)f);
    ok = rest_seed_bulk_file(s->server, id, prefix, path, spec, &s->err);
  }
  igt__json_free(study);
  igt__json_free(body);
  return ok;
}

static bool generate(seed *s, const igt__json *institute, const igt__json *spec) {
  int64_t studies = igt__json_int(igt__json_get(spec, "studies"));
  int64_t files = igt__json_int(igt__json_get(spec, "files"));
  int64_t size = igt__json_int(igt__json_get(spec, "size"));

  if (studies < 0 || files < 0 || size < 0) {
    igt__fail(&s->err, IGT_E_INVALID, "generate: studies, files and size must not be negative");
    return false;
  }
  for (int64_t n = 0; n < studies; n++) {
    if (!bulk_study(s, institute, (uint64_t)n, spec))
      return false;
  }
  return true;
}

/* ---- projects and institutes ---- */

static bool add_institute(seed *s, const igt__json *spec, void *payload) {
  const igt__json *project = payload, *bulk = igt__json_get(spec, "generate");
  igt__json *institute = rest_institute_new(project, spec, igt__json_get_str(spec, "id"));
  char *id = igt__strdup(igt__json_get_str(institute, "id"));
  bool ok = id && store(s, "institute", id, igt__json_get_str(project, "id"), institute, spec);

  ok = ok && each(s, spec, "studies", add_study, institute) &&
       (!bulk || generate(s, institute, bulk));
  igt__free(id);
  igt__json_free(institute);
  return ok;
}

static bool add_project(seed *s, const igt__json *spec, void *payload) {
  const igt__json *bulk = igt__json_get(spec, "generate");
  igt__json *project = rest_project_new(spec, igt__json_get_str(spec, "id"));
  char *id = igt__strdup(igt__json_get_str(project, "id"));
  igt__json *bulk_institute = NULL;
  bool ok = id && store(s, "project", id, NULL, project, spec);

  (void)payload;
  if (!project)
    igt__fail(&s->err, IGT_E_INVALID, "a project has an unknown projectTypeName");
  file_place place = {id, igt__json_get_str(project, "s3Prefix"), false};
  ok = ok && each(s, spec, "institutes", add_institute, project) &&
       each(s, spec, "files", add_file, &place);
  if (ok && bulk) {
    bulk_institute = igt__json_new_object();
    igt__json_set_str(bulk_institute, "name", "generated");
    igt__json_set(bulk_institute, "generate", igt__json_copy(bulk));
    ok = add_institute(s, bulk_institute, project);
  }
  igt__json_free(bulk_institute);
  igt__free(id);
  igt__json_free(project);
  return ok;
}

static bool add_canned(seed *s, const igt__json *spec, void *payload) {
  char why[256];

  (void)payload;
  if (rest_model_check("Canned", spec, why, sizeof why))
    return rest_canned_add(s->server, spec);
  igt__fail(&s->err, IGT_E_INVALID, "invalid canned response: %s", why);
  return false;
}

/* ---- applications and sites ---- */

static bool add_application(seed *s, const igt__json *spec, void *payload) {
  char why[256], id[24];
  int64_t number;

  (void)payload;
  if (!rest_model_check("ApplicationRequest", spec, why, sizeof why)) {
    igt__fail(&s->err, IGT_E_INVALID, "invalid application: %s", why);
    return false;
  }
  number = rest_next_number(s->server, "application");
  snprintf(id, sizeof id, "%lld", (long long)number);
  igt__json *doc = rest_application_new(spec, number);
  bool ok = number > 0 && store(s, "application", id, NULL, doc, spec);
  igt__json_free(doc);
  return ok;
}

static bool add_site(seed *s, const igt__json *spec, void *payload) {
  const char *name = igt__json_str(spec);
  char id[24];

  (void)payload;
  if (!name) {
    igt__fail(&s->err, IGT_E_INVALID, "a site must be a name");
    return false;
  }
  int64_t number = rest_next_number(s->server, "epd-site");
  snprintf(id, sizeof id, "%lld", (long long)number);
  igt__json *doc = igt__json_new_object();
  igt__json_set_int(doc, "id", number);
  igt__json_set_str(doc, "name", name);
  bool ok = number > 0 && sbx_doc_put(s->server->store, "epd-site", id, NULL, doc);
  igt__json_free(doc);
  return ok;
}

/* ---- the whole seed ---- */

static bool seed_all(seed *s, const igt__json *root) {
  if (igt__json_typeof(root) != IGT__JSON_OBJECT) {
    igt__fail(&s->err, IGT_E_INVALID, "the seed must be an object");
    return false;
  }
  return each(s, root, "users", add_user, NULL) && each(s, root, "services", add_service, NULL) &&
         each(s, root, "projects", add_project, NULL) &&
         each(s, root, "applications", add_application, NULL) &&
         each(s, root, "sites", add_site, NULL) && each(s, root, "canned", add_canned, NULL);
}

static igt__json *seed_read(const char *name, igt_error *err) {
  igt__json *root = NULL;
  char *text = NULL;
  size_t n = 0;

  if (strcmp(name, "demo") == 0)
    igt__json_parse(rest_seed_demo, strlen(rest_seed_demo), "the demo seed", &root, err);
  else if (igt__file_read(name, MAX_SEED, &text, &n, err) == IGT_OK)
    igt__json_parse(text, n, name, &root, err);
  igt__free(text);
  return root;
}

bool sbx_seed(sbx_server *server, const char *name, char *error, size_t error_cap) {
  seed s = {server, IGT_ERROR_INIT};
  igt__json *root = NULL;
  char *before = sbx_kv_get(server->store, "seed", "done");
  bool ok = before != NULL;

  igt__free(before);
  if (ok)
    return true;
  root = seed_read(name, &s.err);
  /* One transaction: an invalid seed leaves nothing behind, and 100,000 studies are quick. */
  if (root && sbx_store_begin(server->store)) {
    ok = seed_all(&s, root) && sbx_kv_put(server->store, "seed", "done", name, 0);
    if (ok)
      ok = sbx_store_commit(server->store);
    else
      sbx_store_rollback(server->store);
  }
  if (!ok)
    snprintf(error, error_cap, "seed %s: %s", name,
             s.err.text[0] ? s.err.text : "the data could not be stored");
  igt__json_free(root);
  return ok;
}
