/* SPDX-License-Identifier: MIT */
/* The tree of nodes (lib/cloud) on a scripted server: finding by name, walking, paths, adding and
 * removing, service identities and their keys, and which clouds may be reached by plain HTTP. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client_for.h"
#include "cloud/credentials.h"
#include "fake_session.h"
#include "http_server.h"
#include "igtcloud/cloud.h"

#define JSON "Content-Type: application/json\r\n"
#define API "/api/data/"

/* ---- a small cloud ---- */

typedef struct fixture {
  http_server *server;
  igt_client *client;
  igt_node *cloud;
  igt_error err;
  char folder[64];
} fixture;

static const struct {
  const char *request, *response;
} pages[] = {
    {"GET " API "projects", "[{\"id\":\"p1\",\"name\":\"demo\",\"s3Prefix\":\"p1/\"},"
                            "{\"id\":\"p2\",\"name\":\"twin\",\"description\":\"old\"},"
                            "{\"id\":\"p3\",\"name\":\"twin\"},{\"id\":\"p4\",\"name\":\"a/b\"}]"},
    {"GET " API "projects/p3", "{\"id\":\"p3\",\"name\":\"twin\"}"},
    {"GET " API "projects/p1/hospitals",
     "[{\"id\":\"i1\",\"name\":\"north\",\"parentId\":\"p1\"}]"},
    {"GET " API "projects/p4/hospitals",
     "[{\"id\":\"i4\",\"name\":\"north\",\"parentId\":\"p4\"}]"},
    {"GET " API "projects/hospitals/i4", "{\"id\":\"i4\",\"name\":\"north\",\"parentId\":\"p4\"}"},
    {"GET " API "projects/p1/files", "{\"files\":[{\"key\":\"p1/x.txt\",\"fileName\":\"x.txt\"}]}"},
    {"GET " API "hospitals/i1/studies",
     "[{\"studyType\":\"Study\",\"studyDatabaseId\":\"s1\",\"studyIdHumanReadable\":\"P1/CT\"},"
     "{\"studyType\":\"Study\",\"studyDatabaseId\":\"s2\",\"studyIdHumanReadable\":\"P1/CTA\"},"
     "{\"studyType\":\"Study\",\"studyDatabaseId\":\"s3\",\"studyIdHumanReadable\":\"P2\"}]"},
    {"GET " API "hospitals/i1/studies/s1/files?auxiliary=true",
     "{\"dicom\":[{\"key\":\"k/0/1.dcm\"}],\"annotations\":[{\"key\":\"k/annotations/a.json\","
     "\"fileName\":\"a.json\"}]}"},
    {"GET " API "hospitals/i1/studies/s1/files",
     "{\"files\":[{\"key\":\"k/files/d/r.txt\",\"fileName\":\"d/r.txt\"}]}"},
    {"POST " API "hospitals/i1/studies",
     "{\"studyType\":\"Study\",\"studyDatabaseId\":\"s9\",\"studyIdHumanReadable\":\"P9/MR\"}"},
    {"POST " API "projects", "[{\"id\":\"p9\",\"name\":\"new\"}]"},
    {"DELETE " API "hospitals/i1/studies/s1/files?keys=k%2Ffiles%2Fd%2Fr.txt", ""},
    {"DELETE " API "hospitals/i1/studies/s1", ""},
    {"POST " API "organizations/i1/services",
     "{\"serviceId\":\"up@i1\",\"name\":\"up\",\"privateKey\":\"-----BEGIN RSA PRIVATE KEY----- "
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABBBB "
     "-----END RSA PRIVATE KEY-----\"}"},
    {"POST " API "organizations/i2/services",
     "{\"serviceId\":\"../up\",\"privateKey\":\"-----BEGIN X----- AAAA -----END X-----\"}"},
    {"POST " API "organizations/i3/services", "{\"serviceId\":\"up3\",\"privateKey\":\"none\"}"},
    {"DELETE " API "organizations/i2/services/..%2Fup", ""},
    {"DELETE " API "organizations/i3/services/up3", ""},
};

static http_response serve(void *payload, const http_seen *seen) {
  char request[512];

  (void)payload;
  snprintf(request, sizeof request, "%s %s", seen->method, seen->target);
  for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
    if (strcmp(pages[i].request, request) == 0)
      return (http_response){.status = *pages[i].response ? 200 : 204,
                             .headers = JSON,
                             .body = *pages[i].response ? pages[i].response : NULL};
  return (http_response){.status = 404, .headers = JSON, .body = "{\"message\":\"none\"}"};
}

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);

  f->server = http_server_start();
  http_server_handle(f->server, serve, NULL);
  f->client = client_for(f->server, NULL);
  assert_int_equal(igt_cloud_open(f->client, &f->cloud, &f->err), IGT_OK);
  snprintf(f->folder, sizeof f->folder, "/tmp/igtcloud-test-cloud-XXXXXX");
  assert_non_null(mkdtemp(f->folder));
  assert_int_equal(chdir(f->folder), 0);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  char command[128];

  igt_cloud_close(f->cloud);
  igt_client_free(f->client);
  http_server_stop(f->server);
  assert_int_equal(chdir("/"), 0);
  snprintf(command, sizeof command, "rm -rf %s", f->folder);
  assert_int_equal(system(command), 0);
  free(f);
  return 0;
}

static void ok(fixture *f, igt_status status) {
  if (status != IGT_OK)
    fail_msg("%s: %s", igt_status_name(status), f->err.text);
}

/* The last call failed with this status, and its message contains the text. */
static void failed(fixture *f, igt_status status, igt_status expected, const char *text) {
  assert_int_equal(status, expected);
  if (!strstr(f->err.text, text))
    fail_msg("'%s' does not hold '%s'", f->err.text, text);
}

/* ---- finding by name ---- */

static void test_projects_and_institutes_are_found(void **state) {
  fixture *f = *state;
  igt_project *project = NULL;
  igt_institute *institute = NULL;

  ok(f, igt_find_project(f->client, "demo", &project, &f->err));
  assert_string_equal(project->id.v, "p1");
  ok(f, igt_find_institute(f->client, project, "north", &institute, &f->err));
  assert_string_equal(institute->id.v, "i1");
  igt_model_free(&institute->model);
  failed(f, igt_find_institute(f->client, project, "North", &institute, &f->err), IGT_E_NOT_FOUND,
         "the project 'demo' has no institute 'North'");
  assert_null(institute);
  igt_model_free(&project->model);
  failed(f, igt_find_project(f->client, "dem", &project, &f->err), IGT_E_NOT_FOUND, "'dem'");
  failed(f, igt_find_project(f->client, "twin", &project, &f->err), IGT_E_AMBIGUOUS,
         "2 projects have the name 'twin'; their ids are p2 (old), p3");
  assert_null(project);
  ok(f, igt_find_project(f->client, "p3", &project, &f->err));
  assert_string_equal(project->name.v, "twin");
  igt_model_free(&project->model);
}

/* ---- walking ---- */

static void test_collections_load_once(void **state) {
  fixture *f = *state;
  size_t count = 9, requests;
  igt_node *project, *study;

  assert_int_equal(http_server_count(f->server), 0);
  assert_null(igt_node_at(f->cloud, IGT_NODE_PROJECT, 0));
  ok(f, igt_node_count(f->cloud, IGT_NODE_PROJECT, &count, &f->err));
  assert_int_equal(count, 4);
  project = igt_node_at(f->cloud, IGT_NODE_PROJECT, 0);
  assert_string_equal(igt_node_name(project), "demo");
  assert_ptr_equal(igt_node_parent(project), f->cloud);
  assert_true(igt_model_is(igt_node_model(project), igt_project_type()));
  ok(f, igt_node_count(f->cloud, IGT_NODE_PROJECT, &count, &f->err));
  assert_int_equal(http_server_count(f->server), 1);
  ok(f, igt_node_find(project, IGT_NODE_INSTITUTE, "north", &study, &f->err));
  ok(f, igt_node_find(study, IGT_NODE_STUDY, "P1/CT", &study, &f->err));
  ok(f, igt_node_count(study, IGT_NODE_DICOM, &count, &f->err));
  assert_int_equal(count, 1);
  assert_string_equal(igt_node_name(igt_node_at(study, IGT_NODE_DICOM, 0)), "1.dcm");
  ok(f, igt_node_count(study, IGT_NODE_ANNOTATION, &count, &f->err));
  assert_int_equal(count, 1);
  requests = http_server_count(f->server);
  igt_node_forget(study, IGT_NODE_DICOM);
  ok(f, igt_node_count(study, IGT_NODE_DICOM, &count, &f->err));
  assert_int_equal(http_server_count(f->server), requests + 1);
  failed(f, igt_node_count(study, IGT_NODE_PROJECT, &count, &f->err), IGT_E_INVALID,
         "a study has no projects");
}

/* Nodes found before the whole collection is loaded stay the same. */
static void test_found_nodes_stay(void **state) {
  fixture *f = *state;
  igt_node *one = NULL, *again = NULL;
  size_t count;

  ok(f, igt_node_find(f->cloud, IGT_NODE_PROJECT, "demo", &one, &f->err));
  ok(f, igt_node_count(f->cloud, IGT_NODE_PROJECT, &count, &f->err));
  assert_int_equal(count, 4);
  ok(f, igt_node_find(f->cloud, IGT_NODE_PROJECT, "demo", &again, &f->err));
  assert_ptr_equal(one, again);
}

static igt_status count_nested(void *payload, igt_node *child) {
  size_t *counts = payload, files;
  igt_status status = igt_node_count(child, IGT_NODE_FILE, &files, NULL);

  counts[0]++;
  counts[1] += status == IGT_OK ? files : 0;
  return counts[0] == 3 ? IGT_E_CANCELLED : IGT_OK;
}

static void test_each_keeps_nothing(void **state) {
  fixture *f = *state;
  size_t counts[2] = {0, 0};

  failed(f, igt_node_each(f->cloud, IGT_NODE_PROJECT, count_nested, counts, &f->err),
         IGT_E_CANCELLED, "stopped by the callback");
  assert_int_equal(counts[0], 3);
  assert_int_equal(counts[1], 1);
  assert_null(igt_node_at(f->cloud, IGT_NODE_PROJECT, 0));
}

/* ---- paths ---- */

static void resolves(fixture *f, const char *path, const char *id, igt_node_kind kind,
                     const char *rest) {
  igt_node_target target = IGT_NODE_TARGET_INIT;

  ok(f, igt_node_resolve(f->cloud, path, &target, &f->err));
  assert_string_equal(igt_node_id(target.node), id);
  assert_int_equal(target.kind, kind);
  assert_string_equal(target.rest, rest);
}

static void test_paths_are_followed(void **state) {
  fixture *f = *state;

  resolves(f, "", "", IGT_NODE_NONE, "");
  resolves(f, "demo", "p1", IGT_NODE_NONE, "");
  resolves(f, "/demo/", "p1", IGT_NODE_NONE, "");
  resolves(f, "demo/files/a/b.txt", "p1", IGT_NODE_FILE, "a/b.txt");
  resolves(f, "demo/files", "p1", IGT_NODE_FILE, "");
  resolves(f, "demo/north", "i1", IGT_NODE_NONE, "");
  resolves(f, "a/b/north", "i4", IGT_NODE_NONE, "");
  resolves(f, "id:p3", "p3", IGT_NODE_NONE, "");
  resolves(f, "a/b/id:i4", "i4", IGT_NODE_NONE, "");
  resolves(f, "demo/north/P1/CT", "s1", IGT_NODE_NONE, "");
  resolves(f, "demo/north/P1/CTA/series", "s2", IGT_NODE_SERIES, "");
  resolves(f, "demo/north/P2", "s3", IGT_NODE_NONE, "");
  resolves(f, "demo/north/P1", "i1", IGT_NODE_STUDY, "P1");
  resolves(f, "demo/north/dicom", "i1", IGT_NODE_DICOM, "");
  resolves(f, "demo/north/P1/CT/annotations/a/b.json", "s1", IGT_NODE_ANNOTATION, "a/b.json");
}

static void test_wrong_paths_are_reported(void **state) {
  fixture *f = *state;
  igt_node_target target = IGT_NODE_TARGET_INIT;

  failed(f, igt_node_resolve(f->cloud, "twin/x", &target, &f->err), IGT_E_AMBIGUOUS, "p2 (old)");
  assert_non_null(strstr(f->err.text, "id:"));
  failed(f, igt_node_resolve(f->cloud, "demo/south", &target, &f->err), IGT_E_NOT_FOUND,
         "the project 'demo' has no institute 'south'");
  failed(f, igt_node_resolve(f->cloud, "demo/north/P3", &target, &f->err), IGT_E_NOT_FOUND, "'P3'");
  failed(f, igt_node_resolve(f->cloud, "demo/north/P1/CT/x.txt", &target, &f->err), IGT_E_NOT_FOUND,
         "files, dicom, annotations or series, not 'x.txt'");
  failed(f, igt_node_resolve(f->cloud, "demo/id:i4", &target, &f->err), IGT_E_NOT_FOUND,
         "the project 'demo' has no institute with the id 'i4'");
}

/* ---- adding and removing ---- */

static void test_nodes_are_added_and_removed(void **state) {
  fixture *f = *state;
  igt_node_target target = IGT_NODE_TARGET_INIT;
  igt_node *made = NULL, *file = NULL;
  igt_study *study = igt_study_new();
  igt_project project = {0};
  size_t count;

  ok(f, igt_node_resolve(f->cloud, "demo/north", &target, &f->err));
  ok(f, igt_node_add(target.node, IGT_NODE_STUDY, &study->base.base.model, &made, &f->err));
  assert_string_equal(igt_node_name(made), "P9/MR");
  igt_model_free(&study->base.base.model);
  ok(f, igt_node_remove(igt_node_at(target.node, IGT_NODE_STUDY, 0), &f->err) == IGT_E_NOT_FOUND
            ? IGT_OK
            : IGT_E_INTERNAL); /* the server has no s9 to delete: the node stays */
  assert_non_null(igt_node_at(target.node, IGT_NODE_STUDY, 0));
  ok(f, igt_node_find(target.node, IGT_NODE_STUDY, "P1/CT", &made, &f->err));
  ok(f, igt_node_find(made, IGT_NODE_FILE, "d/r.txt", &file, &f->err));
  ok(f, igt_node_remove(file, &f->err));
  assert_null(igt_node_at(made, IGT_NODE_FILE, 0));
  ok(f, igt_node_remove(made, &f->err));
  assert_null(igt_node_at(target.node, IGT_NODE_STUDY, 1));
  failed(f, igt_node_add(target.node, IGT_NODE_SERIES, &project.model, NULL, &f->err),
         IGT_E_UNSUPPORTED, "created by the cloud");
  project.name = (igt_string_field){IGT_SET, "new"};
  ok(f, igt_node_add(f->cloud, IGT_NODE_PROJECT, &project.model, &made, &f->err));
  assert_string_equal(igt_node_id(made), "p9");
  ok(f, igt_node_count(f->cloud, IGT_NODE_PROJECT, &count, &f->err));
  assert_int_equal(count, 5);
  failed(f, igt_node_remove(f->cloud, &f->err), IGT_E_INVALID, "cannot be removed");
}

/* ---- keys ---- */

static char *content(const char *path, mode_t *mode) {
  static char text[4096];
  struct stat st;
  FILE *file = fopen(path, "r");
  size_t n;

  if (!file)
    return NULL;
  n = fread(text, 1, sizeof text - 1, file);
  text[n] = '\0';
  assert_int_equal(fstat(fileno(file), &st), 0);
  *mode = st.st_mode & 0777;
  fclose(file);
  return text;
}

#define A64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define WRAPPED "-----BEGIN RSA PRIVATE KEY-----\n" A64 "\nBBBB\n-----END RSA PRIVATE KEY-----\n"

static void test_keys_are_wrapped_and_private(void **state) {
  fixture *f = *state;
  mode_t mode = 0;
  static const char *const forms[] = {
      "-----BEGIN RSA PRIVATE KEY----- " A64 "BBBB -----END RSA PRIVATE KEY-----",
      "-----BEGIN RSA PRIVATE KEY-----" A64 "BBBB-----END RSA PRIVATE KEY-----",
      "\r\n-----BEGIN RSA PRIVATE KEY-----\r\n" A64 "BB\r\nBB\r\n-----END RSA PRIVATE KEY-----"};

  for (size_t i = 0; i < 3; i++) {
    umask(0);
    ok(f, igt_key_save(forms[i], "k.pem", &f->err));
    assert_string_equal(content("k.pem", &mode), WRAPPED);
    assert_int_equal(mode, 0600);
    failed(f, igt_key_save(forms[i], "k.pem", &f->err), IGT_E_COLLISION, "'k.pem' exists");
    unlink("k.pem");
  }
  failed(f, igt_key_save("no key", "k.pem", &f->err), IGT_E_KEY, "PEM");
  assert_int_equal(access("k.pem", F_OK), -1);
  failed(f, igt_key_save(forms[0], "no/k.pem", &f->err), IGT_E_NO_FILE, "no/k.pem");
}

static void test_services_leave_no_key_behind(void **state) {
  fixture *f = *state;
  igt_service *service = NULL;
  mode_t mode = 0;

  ok(f, igt_service_create(f->client, "i1", "up", NULL, &service, &f->err));
  assert_string_equal(content("up@i1.pem", &mode), WRAPPED);
  assert_int_equal(mode, 0600);
  assert_string_equal(service->service_id.v, "up@i1");
  assert_int_equal(service->private_key.is, IGT_ABSENT);
  igt_model_free(&service->model);
  /* The name exists already: the new identity is of no use. */
  failed(f, igt_service_create(f->client, "i1", "up", NULL, NULL, &f->err), IGT_E_IO, "up@i1.pem");
  assert_string_equal(content("up@i1.pem", &mode), WRAPPED);
  /* A file that cannot be created: nothing is requested. */
  http_server_forget(f->server);
  failed(f, igt_service_create(f->client, "i1", "up", "up@i1.pem", NULL, &f->err), IGT_E_COLLISION,
         "exists");
  assert_int_equal(http_server_count(f->server), 0);
  failed(f, igt_service_create(f->client, "i2", "up", NULL, NULL, &f->err), IGT_E_UNSAFE_NAME,
         "was deleted again");
  failed(f, igt_service_create(f->client, "i3", "up", "x.pem", NULL, &f->err), IGT_E_KEY,
         "was deleted again");
  assert_int_equal(access("x.pem", F_OK), -1);
  assert_int_equal(system("test -z \"$(ls -A | grep -v '^up@i1.pem$')\""), 0);
}

/* case: security-19 */
static void test_plain_http_to_this_computer_is_for_clouds_on_it(void **state) {
  static const char *const here[] = {"http://localhost:9000",    "http://127.0.0.1",
                                     "HTTP://LocalHost:80",      "http://127.9.9.9:9000/s3",
                                     "http://[::1]:9000",        "http://a.b.localhost:1",
                                     "http://localhost.:9000/x", "http://127.0.0.1/"};
  static const char *const far[] = {"https://cloud.test", "cloud.test", "https://10.0.0.1:8443",
                                    "https://localhost.test", "https://127.0.0.1.test"};
  static const char *const near[] = {"http://localhost:8080", "https://127.0.0.1", "https://[::1]",
                                     "cloud.localhost"};
  static const char *const other[] = {"", "https://localhost:9000", "https://s3.test",
                                      "s3.eu-west-1.amazonaws.com"};

  (void)state;
  for (size_t e = 0; e < sizeof here / sizeof *here; e++) {
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
      igt_error err = IGT_ERROR_INIT;
      assert_int_equal(igt__s3_endpoint_check(far[i], here[e], &err), IGT_E_PROTOCOL);
      assert_non_null(strstr(err.text, far[i]));
      assert_non_null(strstr(err.text, here[e]));
    }
    for (size_t i = 0; i < sizeof near / sizeof *near; i++)
      assert_int_equal(igt__s3_endpoint_check(near[i], here[e], NULL), IGT_OK);
  }
  for (size_t e = 0; e < sizeof other / sizeof *other; e++)
    assert_int_equal(igt__s3_endpoint_check(far[0], other[e], NULL), IGT_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_projects_and_institutes_are_found),
      TEST(test_collections_load_once),
      TEST(test_found_nodes_stay),
      TEST(test_each_keeps_nothing),
      TEST(test_paths_are_followed),
      TEST(test_wrong_paths_are_reported),
      TEST(test_nodes_are_added_and_removed),
      TEST(test_keys_are_wrapped_and_private),
      cmocka_unit_test(test_plain_http_to_this_computer_is_for_clouds_on_it),
      TEST(test_services_leave_no_key_behind),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
