/* SPDX-License-Identifier: MIT */
/* Downloads all files of one study into a folder, each verified. Sign in before, with
 * `igtcloud login`.
 *
 *     download_study DOMAIN PROJECT/INSTITUTE/PATIENT/STUDY FOLDER
 */
#include <stdio.h>

#include <igtcloud/file.h>

typedef struct job {
  igt_file_options options;
  igt_transfer_callbacks callbacks;
  igt_error *err;
  size_t done;
} job;

static void on_item(void *payload, const igt_transfer_item *item) {
  job *j = payload;

  if (item->result != IGT_RESULT_DONE)
    return;
  j->done++;
  printf("%s  %llu bytes, checked by %s\n", item->path, (unsigned long long)item->size,
         *item->verified ? item->verified : "nothing");
}

/* Names come from the server: `below` keeps them inside the folder. */
static igt_status each_file(void *payload, igt_node *file) {
  job *j = payload;

  return igt_file_download(file, NULL, &j->options, &j->callbacks, j->err);
}

static igt_status download(igt_client *client, const char *path, job *j, igt_error *err) {
  igt_error own = IGT_ERROR_INIT;
  igt_node *cloud = NULL;
  igt_node_target target = IGT_NODE_TARGET_INIT;
  igt_status status = igt_cloud_open(client, &cloud, err);

  j->err = &own;
  if (status == IGT_OK)
    status = igt_node_resolve(cloud, path, &target, err);
  if (status == IGT_OK)
    status = igt_node_each(target.node, IGT_NODE_FILE, each_file, j, err);
  if (own.status != IGT_OK)
    *err = own; /* a file's own error says more than that the walk was stopped */
  igt_cloud_close(cloud);
  return status;
}

int main(int argc, char **argv) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = NULL;
  job j = {IGT_FILE_OPTIONS_INIT, IGT_TRANSFER_CALLBACKS_INIT, NULL, 0};
  igt_status status;

  if (argc != 4) {
    fprintf(stderr, "usage: download_study DOMAIN PROJECT/INSTITUTE/PATIENT/STUDY FOLDER\n");
    return 2;
  }
  options.domain = argv[1];
  j.options.below = argv[3];
  j.callbacks.on_item = on_item;
  j.callbacks.payload = &j;
  status = igt_client_new(&options, &client, &err);
  if (status == IGT_OK)
    status = download(client, argv[2], &j, &err);
  if (status != IGT_OK)
    fprintf(stderr, "download_study: %s\n", err.text);
  igt_client_free(client);
  return status == IGT_OK ? 0 : 1;
}
