/* SPDX-License-Identifier: MIT */
/* Uploads a file to a study and shows how far it is. Sign in before, with `igtcloud login`.
 *
 *     upload_progress DOMAIN PROJECT/INSTITUTE/PATIENT/STUDY FILE
 */
#include <stdio.h>
#include <string.h>

#include <igtcloud/file.h>

static void on_progress(void *payload, const igt_transfer_progress *progress) {
  (void)payload;
  fprintf(stderr, "\r%llu of %llu bytes, %.0f bytes/s ",
          (unsigned long long)progress->bytes_settled, (unsigned long long)progress->bytes,
          progress->bytes_per_second);
}

static void on_item(void *payload, const igt_transfer_item *item) {
  (void)payload;
  if (item->result == IGT_RESULT_DONE)
    printf("%s\n%s\n", item->key, item->digest);
}

static igt_status upload(igt_client *client, const char *path, const char *file, igt_error *err) {
  igt_transfer_callbacks callbacks = IGT_TRANSFER_CALLBACKS_INIT;
  igt_file_source source = IGT_FILE_SOURCE_INIT;
  const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
  igt_node *cloud = NULL;
  igt_node_target target = IGT_NODE_TARGET_INIT;
  igt_status status = igt_cloud_open(client, &cloud, err);

  callbacks.on_item = on_item;
  callbacks.on_progress = on_progress;
  source.path = file;
  if (status == IGT_OK)
    status = igt_node_resolve(cloud, path, &target, err);
  if (status == IGT_OK)
    status =
        igt_file_upload(target.node, IGT_NODE_FILE, name, &source, NULL, &callbacks, NULL, err);
  fprintf(stderr, "\n");
  igt_cloud_close(cloud);
  return status;
}

int main(int argc, char **argv) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = NULL;
  igt_status status;

  if (argc != 4) {
    fprintf(stderr, "usage: upload_progress DOMAIN PROJECT/INSTITUTE/PATIENT/STUDY FILE\n");
    return 2;
  }
  options.domain = argv[1];
  status = igt_client_new(&options, &client, &err);
  if (status == IGT_OK)
    status = upload(client, argv[2], argv[3], &err);
  if (status != IGT_OK)
    fprintf(stderr, "upload_progress: %s\n", err.text);
  igt_client_free(client);
  return status == IGT_OK ? 0 : 1;
}
