/* SPDX-License-Identifier: MIT */
/* The service commands: create, list and delete service identities of an organization. create
 * writes the private key, which the cloud returns only once, to a new file. The library sends the
 * requests; listing.c prints the rows. main.c calls each through its row of the command table. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const option create_options[] = {{"key-file", 'k', OPTION_TEXT, AT(key_file), "FILE", NULL,
                                         "where to save the private key (default: ID.pem)"},
                                        END_OF_OPTIONS};
static const option list_options[] = {FIELDS_OPTION, END_OF_OPTIONS};
static const option delete_options[] = {YES_OPTION, END_OF_OPTIONS};

static const column columns[] = {{"NAME", "name", false},
                                 {"EXPIRES", "expiresOn", false},
                                 {"SERVICE", "serviceId", false},
                                 {NULL, NULL, false}};

/* An organization of the API is a project or an institute. */
static const char *organization(place *p, const settings *s, int *status) {
  igt_node *node;

  if (!place_open(p, s, s->arguments[0], status))
    return NULL;
  node = place_node_of(p, IGT_NODE_INSTITUTE, IGT_NODE_PROJECT, status);
  if (!node)
    place_close(p);
  return node ? igt_node_id(node) : NULL;
}

/* For the warning before it expires; the key is usable without. */
static void record_key(const settings *s, const igt_service *service, const char *organization) {
  igt_key_info info = IGT_KEY_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;
  char path[512];

  key_info_of(service, organization, &info);
  snprintf(path, sizeof path, "%s.pem", info.service);
  if (igt_key_info_add(s->key_file ? s->key_file : path, NULL, &info, NULL, &err) != IGT_OK)
    complain(err.status, "its expiry could not be recorded: %s", err.text);
}

static int cmd_create(settings *s) {
  igt_service *service = NULL;
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  place p;

  if (s->key_file && strcmp(s->key_file, "-") == 0)
    return usage_error("--key-file '-': a private key cannot be written to standard output");
  const char *id = organization(&p, s, &status);
  if (!id)
    return status;
  if (igt_service_create(p.client, id, s->arguments[1], s->key_file, &service, &err) != IGT_OK) {
    status = fail(&err);
  } else if (s->json) {
    status = show_model(s, &service->model, NULL);
  } else {
    print_safe(stdout, service->service_id.v);
    putchar('\n');
    message(s, "Saved its private key to '%s%s'. It cannot be retrieved again; keep it safe.",
            s->key_file ? s->key_file : service->service_id.v, s->key_file ? "" : ".pem");
    status = EXIT_DONE;
  }
  if (service)
    record_key(s, service, id);
  igt_model_free(service ? &service->model : NULL);
  place_close(&p);
  return status;
}

typedef struct service_rows {
  listing *l;
  size_t count;
} service_rows;

static igt_status each(void *payload, igt_service *service) {
  service_rows *rows = payload;

  rows->count++;
  return listing_row(rows->l, &service->model, NULL, NULL);
}

/* The cloud lists those of one organization: a project's list has none of its institutes'. */
static void say_where_others_are(const settings *s) {
  if (!strchr(s->arguments[0], '/'))
    message(s,
            "The project itself has no service identities. Those of an institute: igtcloud service "
            "list '%s/INSTITUTE'",
            s->arguments[0]);
}

static int cmd_list(settings *s) {
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  place p;
  const char *id = organization(&p, s, &status);
  service_rows rows = {.count = 0};

  if (!id)
    return status;
  if ((rows.l = listing_open(s, columns)) != NULL) {
    igt_status result = igt_get_services_each(p.client, id, NULL, each, &rows, &err);
    status = listing_close(rows.l, exit_status_of(result));
    if (result == IGT_OK && !rows.count)
      say_where_others_are(s);
    if (result != IGT_OK && result != IGT_E_INVALID)
      status = fail(&err);
  }
  place_close(&p);
  return status;
}

static int cmd_delete(settings *s) {
  const char *service = s->arguments[1];
  igt_error err = IGT_ERROR_INIT;
  int status = EXIT_FAILED;
  place p;
  const char *id = organization(&p, s, &status);

  if (!id)
    return status;
  status = confirm(s, "Delete the service identity '%s'? Its key will stop working.", service);
  if (status == EXIT_DONE && igt_delete_service(p.client, id, service, &err) != IGT_OK)
    status = fail(&err);
  if (status == EXIT_DONE)
    message(s, "Deleted '%s'", service);
  place_close(&p);
  return status;
}

#define ORGANIZATION "PROJECT[/INSTITUTE]"

const command service_create_command = {
    "service create",
    ORGANIZATION " NAME",
    2,
    2,
    "create a service identity and save its key",
    "Creates a service identity for an institute or a project, prints its id, and saves its "
    "private\n"
    "key (mode 0600; an existing file is never replaced). `igtcloud login --service-file FILE`\n"
    "signs in with it. Service identities can upload but not download. Requires the role\n"
    "SERVICES_MANAGER.",
    create_options,
    true,
    cmd_create};
const command service_list_command = {
    "service list",
    ORGANIZATION,
    1,
    1,
    "list service identities",
    "Lists the service identities of an institute or a project. The list of "
    "a project has\n"
    "none of its institutes'.",
    list_options,
    true,
    cmd_list};
const command service_delete_command = {
    "service delete",
    ORGANIZATION " SERVICE",
    2,
    2,
    "delete a service identity",
    "Deletes a service identity by its id. Asks for confirmation; without a terminal, --yes is\n"
    "required.",
    delete_options,
    true,
    cmd_delete};
