/* SPDX-License-Identifier: MIT */
/* Writes all studies of an institute as CSV to standard output, as they arrive: memory stays the
 * same for 100,000 of them. Sign in before, with `igtcloud login`.
 *
 *     studies_csv DOMAIN PROJECT INSTITUTE > studies.csv
 */
#include <stdio.h>
#include <string.h>

#include <igtcloud/cloud.h>

/* RFC 4180: quoted where necessary. */
static void cell(const igt_string_field *field, const char *end) {
  const char *text = field->is == IGT_SET ? field->v : "";
  bool quoted = strpbrk(text, ",\"\r\n") != NULL;

  if (quoted)
    putchar('"');
  for (; *text; text++) {
    if (*text == '"')
      putchar('"');
    putchar(*text);
  }
  printf("%s%s", quoted ? "\"" : "", end);
}

static igt_status each(void *payload, igt_root_study *study) {
  size_t *count = payload;

  ++*count;
  cell(&study->study_database_id, ",");
  cell(&study->study_id_human_readable, ",");
  cell(&study->study_type, ",");
  cell(&study->electronic_record_state, "\r\n");
  return ferror(stdout) ? IGT_E_IO : IGT_OK;
}

static igt_status list(igt_client *client, char **arguments, size_t *count, igt_error *err) {
  igt_project *project = NULL;
  igt_institute *institute = NULL;
  igt_status status = igt_find_project(client, arguments[0], &project, err);

  if (status == IGT_OK)
    status = igt_find_institute(client, project, arguments[1], &institute, err);
  if (status == IGT_OK)
    printf("studyDatabaseId,studyIdHumanReadable,studyType,electronicRecordState\r\n");
  if (status == IGT_OK)
    status = igt_get_studies_each(client, institute->id.v, NULL, each, count, err);
  igt_model_free(institute ? &institute->model : NULL);
  igt_model_free(project ? &project->model : NULL);
  return status;
}

int main(int argc, char **argv) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = NULL;
  igt_status status;
  size_t count = 0;

  if (argc != 4) {
    fprintf(stderr, "usage: studies_csv DOMAIN PROJECT INSTITUTE\n");
    return 2;
  }
  options.domain = argv[1];
  status = igt_client_new(&options, &client, &err);
  if (status == IGT_OK)
    status = list(client, argv + 2, &count, &err);
  fprintf(stderr, "%zu studies%s%s\n", count, *err.text ? ": " : "", err.text);
  igt_client_free(client);
  return status == IGT_OK ? 0 : 1;
}
