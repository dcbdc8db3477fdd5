/* SPDX-License-Identifier: MIT */
/* Downloads a project and uploads a folder to it at the same time, in one poll() loop: no thread of
 * the program waits for either, and both call back on this one.
 *
 *     two_transfers DOMAIN PROJECT DOWNLOAD_FOLDER UPLOAD_FOLDER
 */
#include <poll.h>
#include <stdio.h>

#include "igtcloud/igtcloud.h"

typedef struct job {
  const char *name;
  igt_transfer *transfer;
} job;

static void on_item(void *payload, const igt_transfer_item *item) {
  const job *j = payload;

  if (item->kind == IGT_ITEM_FILE)
    printf("%s: %s %s: %s\n", j->name, item->study, item->path,
           item->error ? item->error->text : "done");
}

static igt_status start(job jobs[2], igt_client *client, char **argv, igt_error *err) {
  igt_transfer_callbacks callbacks = IGT_TRANSFER_CALLBACKS_INIT;
  igt_study_selection selection = IGT_STUDY_SELECTION_INIT;
  igt_download_options down = IGT_DOWNLOAD_OPTIONS_INIT;
  igt_upload_options up = IGT_UPLOAD_OPTIONS_INIT;
  igt_status status;

  callbacks.on_item = on_item;
  selection.project = argv[2];
  down.selection = up.selection = &selection;
  down.target = argv[3];
  up.source = argv[4];
  callbacks.payload = &jobs[0];
  status = igt_download_start(client, &down, &callbacks, &jobs[0].transfer, err);
  callbacks.payload = &jobs[1]; /* copied, as all options: they may change now */
  return status == IGT_OK ? igt_upload_start(client, &up, &callbacks, &jobs[1].transfer, err)
                          : status;
}

/* A descriptor is readable while something waits to be dispatched, and after the end. */
static void run(job jobs[2]) {
  bool finished[2] = {false, false};

  while (!finished[0] || !finished[1]) {
    struct pollfd fds[2];
    for (int i = 0; i < 2; i++)
      fds[i] = (struct pollfd){finished[i] ? -1 : igt_transfer_fd(jobs[i].transfer), POLLIN, 0};
    if (poll(fds, 2, -1) < 0)
      return;
    for (int i = 0; i < 2; i++)
      if (fds[i].revents && igt_transfer_dispatch(jobs[i].transfer, &finished[i], NULL) != IGT_OK)
        return;
  }
}

int main(int argc, char **argv) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  job jobs[2] = {{"down", NULL}, {"up", NULL}};
  igt_client *client = NULL;
  int failed = 0;

  if (argc != 5) {
    fprintf(stderr, "usage: two_transfers DOMAIN PROJECT FOLDER_TO_DOWNLOAD_TO FOLDER_TO_UPLOAD\n");
    return 2;
  }
  options.domain = argv[1];
  if (igt_client_new(&options, &client, &err) || igt_client_sign_in(client, &err) ||
      start(jobs, client, argv, &err))
    failed = fprintf(stderr, "%s\n", err.text) > 0;
  else
    run(jobs);
  for (int i = 0; i < 2; i++) {
    if (jobs[i].transfer && igt_transfer_wait(jobs[i].transfer, NULL, &err) != IGT_OK)
      failed = fprintf(stderr, "%s: %s\n", jobs[i].name, err.text) > 0;
    igt_transfer_free(jobs[i].transfer);
  }
  igt_client_free(client);
  return failed;
}
