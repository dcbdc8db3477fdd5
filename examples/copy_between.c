/* SPDX-License-Identifier: MIT */
/* Copies a file from one account to another, which may be in another cloud: two clients in one
 * process, each with the token file of its own `igtcloud login` (CLOUD_TOKEN_MMAP).
 *
 *     copy_between DOMAIN TOKEN_FILE FILE  DOMAIN TOKEN_FILE PROJECT/INSTITUTE/PATIENT/STUDY
 */
#include <stdio.h>
#include <stdlib.h>

#include <igtcloud/file.h>

typedef struct account {
  igt_client *client;
  igt_node *cloud;
  igt_node_target target;
} account;

static igt_status open_account(char **arguments, account *a, igt_error *err) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_status status;

  options.domain = arguments[0];
  options.token_file = arguments[1];
  status = igt_client_new(&options, &a->client, err);
  if (status == IGT_OK)
    status = igt_cloud_open(a->client, &a->cloud, err);
  return status == IGT_OK ? igt_node_resolve(a->cloud, arguments[2], &a->target, err) : status;
}

static void close_account(account *a) {
  igt_cloud_close(a->cloud);
  igt_client_free(a->client);
}

/* free() *data. */
static igt_status read_all(const account *from, char **data, size_t *size, igt_error *err) {
  igt_file_reader *reader = NULL;
  igt_node *file = NULL;
  size_t n;
  igt_status status =
      igt_node_find(from->target.node, from->target.kind, from->target.rest, &file, err);

  if (status == IGT_OK)
    status = igt_file_open(file, NULL, &reader, err);
  *size = (size_t)igt_file_size(reader);
  if (status == IGT_OK && !(*data = malloc(*size + 1)))
    status = IGT_E_NO_MEMORY;
  if (status == IGT_OK)
    status = igt_file_read(reader, *data, *size, &n, err);
  if (status == IGT_OK)
    status = igt_file_read(reader, *data + *size, 1, &n, err); /* verifies the file at its end */
  igt_file_close(reader);
  return status;
}

int main(int argc, char **argv) {
  igt_error err = IGT_ERROR_INIT;
  account from = {NULL, NULL, IGT_NODE_TARGET_INIT}, to = {NULL, NULL, IGT_NODE_TARGET_INIT};
  igt_file_source source = IGT_FILE_SOURCE_INIT;
  char *data = NULL;
  igt_status status;

  if (argc != 7) {
    fprintf(stderr, "usage: copy_between DOMAIN TOKEN_FILE FILE DOMAIN TOKEN_FILE "
                    "PROJECT/INSTITUTE/PATIENT/STUDY\n");
    return 2;
  }
  status = open_account(argv + 1, &from, &err);
  if (status == IGT_OK)
    status = open_account(argv + 4, &to, &err);
  if (status == IGT_OK)
    status = read_all(&from, &data, &source.data_size, &err);
  source.data = data;
  if (status == IGT_OK)
    status = igt_file_upload(to.target.node, IGT_NODE_FILE, from.target.rest, &source, NULL, NULL,
                             NULL, &err);
  if (status != IGT_OK)
    fprintf(stderr, "copy_between: %s\n", *err.text ? err.text : igt_status_text(status));
  free(data);
  close_account(&from);
  close_account(&to);
  return status == IGT_OK ? 0 : 1;
}
