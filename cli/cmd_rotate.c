/* SPDX-License-Identifier: MIT */
/* The service rotate command: replaces the key of a service identity by a new one, so that a
 * station that uses the key file has a working key at any moment. The cloud has no operation for
 * that: the new key belongs to a new identity of the same name, and the record beside the key file
 * (KEY.info) says that it replaces the old one.
 *
 *   0. the key file is that of the old identity                 else nothing has changed
 *   1. the new identity is created, with its key in KEY.new     else nothing has changed
 *   2. signs in with it                                         else it is deleted again
 *   3. records it in KEY.info, beside the old one's entry       else it is deleted again
 *   4. renames KEY.new to KEY                                   else it is deleted again
 *   5. deletes the old identity                                 else both keys work; says so
 *
 * A KEY.new that a killed rotation left is never used: the next one stops and says so. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "os/os.h"

#define PATH_SIZE 4096

typedef struct rotation {
  const settings *s;
  igt_client *client; /* of the manager */
  const char *organization;
  const char *given; /* SERVICE: an id, or a name that only one has */
  char old[128];     /* its id */
  bool is_found_by_id;
  unsigned named; /* how many have that name */
  const char *path;
  char fresh[PATH_SIZE];
  char name[128];
  igt_key_info info; /* of the new one */
} rotation;

/* ---- the old identity ---- */

static igt_status find_old(void *payload, igt_service *service) {
  rotation *r = payload;
  const char *id = service->service_id.is == IGT_SET ? service->service_id.v : "";

  const char *name = service->name.is == IGT_SET ? service->name.v : "";
  bool is_id = strcmp(id, r->given) == 0, is_name = strcmp(name, r->given) == 0;

  r->named += is_name;
  if (!*id || (!is_id && (!is_name || r->is_found_by_id)))
    return IGT_OK;
  r->is_found_by_id = is_id;
  snprintf(r->old, sizeof r->old, "%s", id);
  snprintf(r->name, sizeof r->name, "%s", name);
  return IGT_OK;
}

static int look_for_old(rotation *r) {
  igt_error err = IGT_ERROR_INIT;

  if (igt_get_services_each(r->client, r->organization, NULL, find_old, r, &err) != IGT_OK)
    return fail(&err);
  if (!*r->name) {
    complain(IGT_E_NOT_FOUND,
             "there is no service identity '%s' in '%s': `igtcloud service list '%s'` shows their "
             "names and ids",
             r->given, r->s->arguments[0], r->s->arguments[0]);
    return EXIT_NOT_FOUND;
  }
  if (r->is_found_by_id || r->named == 1)
    return EXIT_DONE;
  complain(IGT_E_AMBIGUOUS,
           "%u service identities of '%s' have the name '%s': give the id of one, as `igtcloud "
           "service list '%s'` shows it",
           r->named, r->s->arguments[0], r->given, r->s->arguments[0]);
  return EXIT_FAILED;
}

/* The key file exists, and the directory can take the new one. */
static int look_at_files(rotation *r) {
  char path[PATH_SIZE];
  igt__stat st;

  snprintf(path, sizeof path, "%s.pem", r->old);
  r->path = r->s->key_file ? r->s->key_file : strdup(path);
  if (!r->path || snprintf(r->fresh, sizeof r->fresh, "%s.new", r->path) >= PATH_SIZE)
    return usage_error("--key-file: the name is too long");
  if (igt__os_lstat(r->path, &st) != 0 || !S_ISREG(st.st_mode))
    return usage_error("'%s' is not a key file that could be replaced: give the station's with "
                       "--key-file",
                       r->path);
  if (igt__os_lstat(r->fresh, &st) != 0)
    return EXIT_DONE;
  complain(IGT_E_LOCKED,
           "'%s' exists: it was left by a rotation that did not finish. Check `igtcloud service "
           "list '%s'`, delete identities that are not in use, and remove the file",
           r->fresh, r->s->arguments[0]);
  return EXIT_FAILED;
}

/* ---- the new identity ---- */

static void take_back(const rotation *r) {
  igt_error err = IGT_ERROR_INIT;

  (void)igt__os_unlink(r->fresh);
  if (igt_delete_service(r->client, r->organization, r->info.service, &err) != IGT_OK)
    complain(err.status,
             "the new service identity '%s' remains, because it could not be deleted: %s",
             r->info.service, err.text);
}

/* The date without a zone is UTC. */
static int64_t seconds_of(const char *text) {
  struct tm tm = {0};

  return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) : 0;
}

void key_info_of(const igt_service *service, const char *organization, igt_key_info *out) {
  igt_key_info_init(out, sizeof *out);
  snprintf(out->service, sizeof out->service, "%s",
           service->service_id.is == IGT_SET ? service->service_id.v : "");
  snprintf(out->name, sizeof out->name, "%s", service->name.is == IGT_SET ? service->name.v : "");
  snprintf(out->organization, sizeof out->organization, "%s", organization);
  out->expires = service->expires_on.is == IGT_SET ? seconds_of(service->expires_on.v) : 0;
}

static int create_new(rotation *r) {
  igt_service *service = NULL;
  igt_error err = IGT_ERROR_INIT;

  if (igt_service_create(r->client, r->organization, r->name, r->fresh, &service, &err) != IGT_OK)
    return fail(&err);
  key_info_of(service, r->organization, &r->info);
  igt_model_free(&service->model);
  return EXIT_DONE;
}

static igt_status sign_in_with(const rotation *r, const char *service, const char *key,
                               igt_error *err) {
  igt_client_options o = IGT_CLIENT_OPTIONS_INIT;
  igt_client *client = NULL;
  int unused;
  igt_status status;

  if (!client_options(r->s, NULL, &o, &unused))
    return IGT_E_INVALID;
  o.domain = igt_client_domain(r->client);
  o.user = service;
  o.service_file = key;
  o.no_token_file = o.no_environment = true;
  status = igt_client_new(&o, &client, err);
  if (status == IGT_OK)
    status = igt_client_sign_in(client, err);
  if (status == IGT_OK)
    (void)igt_client_sign_out(client, NULL);
  igt_client_free(client);
  return status;
}

static int try_new(const rotation *r) {
  igt_error err = IGT_ERROR_INIT;

  if (sign_in_with(r, r->info.service, r->fresh, &err) == IGT_OK)
    return EXIT_DONE;
  take_back(r);
  complain(IGT_E_LOGIN, "the new key does not sign in; the old one stays in use");
  return fail(&err);
}

/* The key of another identity would be lost: there is no copy of it. One that has expired is known
 * by its record alone. */
static int check_whose_key(const rotation *r) {
  igt_key_info info = IGT_KEY_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;
  bool known = igt_key_info_read(r->path, &info, NULL) == IGT_OK;

  if (known ? strcmp(info.service, r->old) == 0 : sign_in_with(r, r->old, r->path, &err) == IGT_OK)
    return EXIT_DONE;
  if (known) {
    complain(IGT_E_INVALID,
             "'%s' is the key of '%s', not of '%s': give the right one with --key-file", r->path,
             info.service, r->old);
    return EXIT_USAGE;
  }
  complain(IGT_E_LOGIN,
           "'%s' does not sign in as '%s', so it is not replaced: give the right one with "
           "--key-file, or if it has expired, create another with `igtcloud service create`",
           r->path, r->old);
  return fail(&err);
}

/* ---- the swap ---- */

static int swap(const rotation *r) {
  igt_error err = IGT_ERROR_INIT;

  if (!os_take_owner(r->fresh, r->path)) { /* the station's user has to be able to read it */
    complain(IGT_E_IO, "cannot give '%s' the owner of '%s': %s", r->fresh, r->path,
             strerror(errno));
    take_back(r);
    return EXIT_FAILED;
  }
  if (igt_key_info_add(r->path, r->fresh, &r->info, r->old, &err) != IGT_OK) {
    take_back(r);
    return fail(&err);
  }
  if (igt__os_rename(r->fresh, r->path) == 0)
    return EXIT_DONE;
  complain_io(errno, "cannot replace '%s': %s", r->path, strerror(errno));
  take_back(r);
  return EXIT_FAILED;
}

static int delete_old(const rotation *r) {
  igt_error err = IGT_ERROR_INIT;

  if (r->s->keep_old) {
    message(r->s, "The old service identity '%s' was kept", r->old);
    return EXIT_DONE;
  }
  if (igt_delete_service(r->client, r->organization, r->old, &err) == IGT_OK)
    return EXIT_DONE;
  complain(
      err.status,
      "the new key is in use, but the old service identity '%s' could not be deleted: delete it "
      "with `igtcloud service delete '%s' '%s'`",
      r->old, r->s->arguments[0], r->old);
  return fail(&err);
}

static int rotate(rotation *r) {
  int status = look_for_old(r);

  if (status == EXIT_DONE)
    status = look_at_files(r);
  if (status == EXIT_DONE)
    status = check_whose_key(r);
  if (status == EXIT_DONE)
    status = create_new(r);
  if (status == EXIT_DONE)
    status = try_new(r);
  if (status == EXIT_DONE)
    status = swap(r);
  if (status != EXIT_DONE)
    return status;
  if (!r->s->json) {
    print_safe(stdout, r->info.service);
    putchar('\n');
  }
  message(r->s, "'%s' has a new key, of the service identity '%s'", r->path, r->info.service);
  return delete_old(r);
}

static void print_result(const rotation *r) {
  printf("{");
  json_text(stdout, "serviceId", r->info.service, true);
  json_text(stdout, "replaces", r->old, false);
  json_text(stdout, "keyFile", r->path, false);
  printf("}\n");
}

static int cmd_rotate(settings *s) {
  rotation r = {.s = s, .given = s->arguments[1]};
  int status = EXIT_FAILED;
  igt_node *node;
  place p;

  if (!place_open(&p, s, s->arguments[0], &status))
    return status;
  node = place_node_of(&p, IGT_NODE_INSTITUTE, IGT_NODE_PROJECT, &status);
  if (node) {
    r.client = p.client;
    r.organization = igt_node_id(node);
    status = rotate(&r);
    if (status == EXIT_DONE && s->json)
      print_result(&r);
  }
  place_close(&p);
  return status;
}

static const option rotate_options[] = {
    {"key-file", 'k', OPTION_TEXT, AT(key_file), "FILE", NULL,
     "the key file to replace (default: ID.pem, as `service create` named it)"},
    {"keep-old", 0, OPTION_FLAG, AT(keep_old), NULL, NULL,
     "do not delete the old service identity"},
    END_OF_OPTIONS};

const command service_rotate_command = {
    "service rotate",
    "PROJECT[/INSTITUTE] SERVICE",
    2,
    2,
    "replace the key of a service identity",
    "Creates a new service identity of the same name, signs in with its key, replaces the old\nkey "
    "file with it atomically, and deletes the old identity. Whenever a step fails, the "
    "key\n"
    "file has a key that works. FILE.info records the new id, so that a station configured with "
    "the\n"
    "old one goes on; a running station notices the new key within a minute. Requires the role\n"
    "SERVICES_MANAGER.\n"
    "SERVICE is the id of the identity, or its name if no other has it.",
    rotate_options,
    true,
    cmd_rotate};
