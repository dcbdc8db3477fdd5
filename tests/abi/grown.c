/* SPDX-License-Identifier: MIT */
/* A program of another day: test_abi.py compiles it with today's headers, with headers whose
 * structs lack their last members (yesterday's), and with headers whose structs have one more
 * (tomorrow's, LATER), and runs each with today's library.
 *
 *     grown DOMAIN FOLDER
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <igtcloud/igtcloud.h>

#define GUARD 256

static int failures;

static void expect(int good, const char *what) {
  if (good)
    return;
  fprintf(stderr, "grown: %s\n", what);
  failures++;
}

/* Each struct stands before bytes that nobody may touch. */
#define GUARDED(type, name)                                                                        \
  struct {                                                                                         \
    type x;                                                                                        \
    unsigned char guard[GUARD];                                                                    \
  } name;                                                                                          \
  memset(&name, 0xa5, sizeof name);                                                                \
  type##_init(&name.x, sizeof name.x)

static int untouched(const unsigned char *guard) {
  for (size_t i = 0; i < GUARD; i++)
    if (guard[i] != 0xa5)
      return 0;
  return 1;
}

static void fail(const char *what, const igt_error *err) {
  fprintf(stderr, "grown: %s: %s\n", what, err->text);
  failures++;
}

static igt_client *sign_in(const char *domain) {
  GUARDED(igt_client_options, options);
  GUARDED(igt_identity, identity);
  GUARDED(igt_error, err);
  igt_client *client = NULL;

  options.x.domain = domain;
  if (igt_client_new(&options.x, &client, &err.x) != IGT_OK)
    fail("the client", &err.x);
  else if (igt_client_sign_in(client, &err.x) != IGT_OK ||
           igt_client_identity(client, &identity.x, &err.x) != IGT_OK)
    fail("signing in", &err.x);
  expect(identity.x.size == sizeof identity.x && identity.x.user[0], "the identity");
  expect(untouched(identity.guard) && untouched(err.guard), "bytes behind the identity");
  return client;
}

static void look(igt_client *client) {
  GUARDED(igt_node_target, target);
  GUARDED(igt_get_projects_options, mask);
  GUARDED(igt_error, err);
  igt_project_list *projects = NULL;
  igt_node *cloud = NULL;

  if (igt_get_projects(client, &mask.x, &projects, &err.x) != IGT_OK)
    fail("the projects", &err.x);
  expect(projects && projects->count == 1, "the number of projects");
  igt_model_free(projects ? &projects->model : NULL);
  if (igt_cloud_open(client, &cloud, &err.x) != IGT_OK ||
      igt_node_resolve(cloud, "trial/north", &target.x, &err.x) != IGT_OK)
    fail("the place", &err.x);
  expect(target.x.node && igt_node_kind_of(target.x.node) == IGT_NODE_INSTITUTE, "the institute");
  expect(igt_node_resolve(cloud, "nowhere", &target.x, &err.x) == IGT_E_NOT_FOUND &&
             err.x.status == IGT_E_NOT_FOUND && strstr(err.x.text, "nowhere"),
         "an error's text");
  expect(untouched(target.guard) && untouched(err.guard), "bytes behind the place");
  igt_cloud_close(cloud);
}

static void download(igt_client *client, const char *folder) {
  GUARDED(igt_download_options, options);
  GUARDED(igt_transfer_options, transfer);
  GUARDED(igt_study_selection, selection);
  GUARDED(igt_transfer_callbacks, callbacks);
  GUARDED(igt_transfer_summary, summary);
  GUARDED(igt_error, err);

  options.x.transfer = &transfer.x;
  options.x.selection = &selection.x;
  options.x.target = folder;
  selection.x.project = "trial";
  transfer.x.structure = IGT_HIERARCHICAL;
  if (igt_download(client, &options.x, &callbacks.x, &summary.x, &err.x) != IGT_OK)
    fail("the download", &err.x);
  expect(summary.x.size == sizeof summary.x && summary.x.files_done == 1, "the summary");
  expect(untouched(summary.guard) && untouched(err.guard), "bytes behind the summary");
#ifdef LATER
  expect(!summary.x.igt_later, "a result that this library does not know is zero");
  transfer.x.igt_later = folder;
  expect(igt_download(client, &options.x, &callbacks.x, &summary.x, &err.x) == IGT_E_UNSUPPORTED &&
             strstr(err.x.text, "igt_transfer_options"),
         "an option that this library does not know");
#endif
  memset(&summary.x.size, 0, sizeof summary.x.size);
  expect(igt_download(client, &options.x, NULL, &summary.x, &err.x) == IGT_E_INVALID &&
             strstr(err.x.text, "not initialized"),
         "a summary that was not initialized");
}

int main(int argc, char **argv) {
  igt_client *client;

  if (argc != 3)
    return 2;
  client = sign_in(argv[1]);
  if (!failures)
    look(client);
  if (!failures)
    download(client, argv[2]);
  igt_client_free(client);
  printf("%zu %zu %zu %zu %zu\n", sizeof(igt_client_options), sizeof(igt_identity),
         sizeof(igt_node_target), sizeof(igt_study_selection), sizeof(igt_transfer_summary));
  return failures ? 1 : 0;
}
