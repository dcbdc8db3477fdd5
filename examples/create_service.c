/* SPDX-License-Identifier: MIT */
/* Creates a service identity of an institute and saves its private key, readable by its owner
 * alone. Sign in before, with `igtcloud login`, as somebody who may (SERVICES_MANAGER).
 *
 *     create_service DOMAIN PROJECT INSTITUTE NAME KEY_FILE
 */
#include <stdio.h>

#include <igtcloud/cloud.h>

static igt_status create(igt_client *client, char **arguments, igt_error *err) {
  igt_project *project = NULL;
  igt_institute *institute = NULL;
  igt_service *service = NULL;
  igt_status status = igt_find_project(client, arguments[0], &project, err);

  if (status == IGT_OK)
    status = igt_find_institute(client, project, arguments[1], &institute, err);
  if (status == IGT_OK)
    status = igt_service_create(client, institute->id.v, arguments[2], arguments[3], &service, err);
  if (status == IGT_OK)
    printf("%s\n", service->service_id.v);
  igt_model_free(service ? &service->model : NULL);
  igt_model_free(institute ? &institute->model : NULL);
  igt_model_free(project ? &project->model : NULL);
  return status;
}

int main(int argc, char **argv) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = NULL;
  igt_status status;

  if (argc != 6) {
    fprintf(stderr, "usage: create_service DOMAIN PROJECT INSTITUTE NAME KEY_FILE\n");
    return 2;
  }
  options.domain = argv[1];
  status = igt_client_new(&options, &client, &err);
  if (status == IGT_OK)
    status = create(client, argv + 2, &err);
  if (status != IGT_OK)
    fprintf(stderr, "create_service: %s\n", err.text);
  igt_client_free(client);
  return status == IGT_OK ? 0 : 1;
}
