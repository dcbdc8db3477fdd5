/* SPDX-License-Identifier: MIT */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "fields.h"

/* The largest body: a batch of 10,000 files to register is some 3 MB. */
#define MAX_BODY (32u * 1024 * 1024)

/* More exact paths stand before those with a parameter in the same place. */
static const rest_route routes[] = {
    {"POST", "/api/auth/login", "LoginModel", REST_OPEN, 0, rest_login},
    {"GET", "/api/auth/login/$aud", NULL, REST_OPEN, 0, rest_login_audience},
    {"POST", "/api/auth/logout", NULL, REST_NO_CSRF, 0, rest_logout},
    {"POST", "/api/auth/refresh", NULL, 0, 0, rest_refresh},
    {"GET", "/api/auth/introspect", NULL, 0, 0, rest_introspect},
    {"GET", "/api/auth/permissions", NULL, 0, 0, rest_permissions},
    {"GET", "/api/auth/s3credentials", NULL, 0, 0, rest_s3_credentials},
    {"POST", "/api/auth/audit-trail", "AuditTrail", 0, 0, rest_audit},

    {"POST", "/api/action/update-database", "UpdateDatabaseRequest", 0, REST_UPLOAD,
     rest_update_database},
    {"POST", "/api/action/preprocess-file", "PreprocessingRequest", 0, REST_UPLOAD,
     rest_preprocess_file},

    {"GET", "/api/data/projects", NULL, 0, 0, rest_projects_get},
    {"POST", "/api/data/projects", "Project", 0, REST_MANAGE, rest_projects_post},
    {"GET", "/api/data/project-types", NULL, 0, 0, rest_project_types},
    {"GET", "/api/data/projects/hospitals/{}", NULL, 0, 0, rest_institute_get},
    {"GET", "/api/data/projects/{}", NULL, 0, 0, rest_project_get},
    {"DELETE", "/api/data/projects/{}", NULL, 0, REST_MANAGE, rest_project_delete},
    {"GET", "/api/data/projects/{}/files", NULL, 0, 0, rest_project_files_get},
    {"POST", "/api/data/projects/{}/files", "[]File", 0, REST_UPLOAD, rest_project_files_post},
    {"DELETE", "/api/data/projects/{}/files", NULL, 0, REST_UPLOAD, rest_project_files_delete},
    {"GET", "/api/data/projects/{}/files/{}/content", NULL, 0, REST_DOWNLOAD,
     rest_project_file_content},
    {"GET", "/api/data/projects/{}/hospitals", NULL, 0, 0, rest_institutes_get},
    {"POST", "/api/data/projects/{}/hospitals", "Institute", 0, REST_MANAGE, rest_institutes_post},
    {"DELETE", "/api/data/projects/{}/hospitals/{}", NULL, 0, REST_MANAGE, rest_institute_delete},

    {"GET", "/api/data/hospitals", NULL, 0, 0, rest_institutes_all},
    {"GET", "/api/data/hospitals/{}/series", NULL, 0, 0, rest_series_all},
    {"GET", "/api/data/hospitals/{}/series/{}", NULL, 0, 0, rest_series_get},
    {"GET", "/api/data/hospitals/{}/studies", NULL, 0, 0, rest_studies_get},
    {"POST", "/api/data/hospitals/{}/studies", "RootStudy", 0, REST_UPLOAD, rest_studies_post},
    {"GET", "/api/data/hospitals/{}/studies/{}", NULL, 0, 0, rest_study_get},
    {"PUT", "/api/data/hospitals/{}/studies/{}", "RootStudy", 0, REST_UPLOAD, rest_study_put},
    {"PATCH", "/api/data/hospitals/{}/studies/{}", "RootStudy", 0, REST_UPLOAD, rest_study_patch},
    {"DELETE", "/api/data/hospitals/{}/studies/{}", NULL, 0, REST_UPLOAD, rest_study_delete},
    {"POST", "/api/data/hospitals/{}/studies/{}/annotation-state", "AnnotationState", 0,
     REST_UPLOAD, rest_study_member_post},
    {"POST", "/api/data/hospitals/{}/studies/{}/annotations_updated", "LatestAnnotations", 0,
     REST_UPLOAD, rest_study_member_post},
    {"POST", "/api/data/hospitals/{}/studies/{}/case-labels", "CaseLabel", 0, REST_UPLOAD,
     rest_study_member_post},
    {"PUT", "/api/data/hospitals/{}/studies/{}/sticky-note", "StudyStickyNote", 0, REST_UPLOAD,
     rest_study_member_post},
    {"POST", "/api/data/hospitals/{}/studies/{}/study_comments", "StudyComments", 0, REST_UPLOAD,
     rest_study_member_post},
    {"DELETE", "/api/data/hospitals/{}/studies/{}/annotations", NULL, 0, REST_UPLOAD,
     rest_study_annotations_delete},
    {"POST", "/api/data/hospitals/{}/studies/{}/electronic-record-state", "ElectronicRecordState",
     0, REST_UPLOAD, rest_study_record_state},
    {"GET", "/api/data/hospitals/{}/studies/{}/files", NULL, 0, 0, rest_study_files_get},
    {"POST", "/api/data/hospitals/{}/studies/{}/files", "[]File", 0, REST_UPLOAD,
     rest_study_files_post},
    {"DELETE", "/api/data/hospitals/{}/studies/{}/files", NULL, 0, REST_UPLOAD,
     rest_study_files_delete},
    {"POST", "/api/data/hospitals/{}/studies/{}/files/$file-upload-completed",
     "FileUploadCompleted", 0, REST_UPLOAD, rest_study_file_completed},
    {"GET", "/api/data/hospitals/{}/studies/{}/series", NULL, 0, 0, rest_study_series_get},
    {"PUT", "/api/data/hospitals/{}/studies/{}/series/{}", "Series", 0, REST_UPLOAD,
     rest_study_series_put},
    {"DELETE", "/api/data/hospitals/{}/studies/{}/series/{}", NULL, 0, REST_UPLOAD,
     rest_study_series_delete},

    {"GET", "/api/data/organizations/{}/services", NULL, 0, 0, rest_services_get},
    {"POST", "/api/data/organizations/{}/services", "Service", 0, REST_SERVICES,
     rest_services_post},
    {"DELETE", "/api/data/organizations/{}/services/{}", NULL, 0, REST_SERVICES,
     rest_service_delete},
    /* The sandbox's own. A page of a browser can't reach them: application/json is needed. */
    {"GET", "/__canned", NULL, REST_OPEN, 0, rest_canned_get},
    {"POST", "/__canned", "[]Canned", REST_OPEN, 0, rest_canned_post},
    {"DELETE", "/__canned", NULL, REST_OPEN, 0, rest_canned_delete},

    {"GET", "/api/data/users", NULL, 0, 0, rest_users_get},
    {"GET", "/api/data/users/me", NULL, 0, 0, rest_me_get},
    {"GET", "/api/data/users/{}", NULL, 0, 0, rest_user_get},
};

/* ---- finding the route ---- */

/* The decoded segment, in the call's memory; NULL when it is no text. */
static const char *segment_decode(rest_call *call, const char *s, size_t n) {
  igt__buf buf;
  const char *out = NULL;
  igt__buf_init(&buf, n + 1);
  if (igt__uri_decode(&buf, s, n, false) && !memchr(buf.data, '\0', buf.len) &&
      igt__utf8_valid(buf.data, buf.len))
    out = igt__arena_strndup(call->arena, buf.data, buf.len);
  igt__buf_finish(&buf);
  return out;
}

static bool path_matches(rest_call *call, const char *pattern) {
  const char *path = call->req->path;
  size_t args = 0;
  while (*pattern == '/' && *path == '/') {
    size_t np = strcspn(++pattern, "/"), n = strcspn(++path, "/");
    const char *text = segment_decode(call, path, n);
    if (!text)
      return false;
    if (np == 2 && memcmp(pattern, "{}", 2) == 0) {
      if (n == 0 || args == REST_ARGS)
        return false;
      call->args[args++] = text;
    } else if (strlen(text) != np || memcmp(text, pattern, np) != 0) {
      return false;
    }
    pattern += np;
    path += n;
  }
  return *pattern == '\0' && *path == '\0';
}

/* NULL: answered with 404 or 405. */
static const rest_route *route_find(rest_call *call) {
  bool path_known = false;
  for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
    if (!path_matches(call, routes[i].path))
      continue;
    if (strcmp(routes[i].method, call->req->method) == 0)
      return &routes[i];
    path_known = true;
  }
  if (path_known)
    rest_fail(call, 405, "%s is not allowed here", call->req->method);
  else
    rest_fail(call, 404, "There is nothing at %.200s", call->req->path);
  return NULL;
}

/* ---- the handler ---- */

static bool is_json(const char *content_type) {
  return content_type && igt__str_starts_nocase(content_type, "application/json") &&
         (content_type[16] == '\0' || content_type[16] == ';' || content_type[16] == ' ');
}

static bool has_body(const sbx_request *req) {
  return req->content_length > 0 || sbx_header(req, "Transfer-Encoding");
}

static bool rights_check(rest_call *call) {
  unsigned missing = call->route->rights & ~call->who.rights;
  if (missing == 0)
    return true;
  const char *what = missing & REST_MANAGE     ? "manage projects"
                     : missing & REST_SERVICES ? "manage service identities"
                     : missing & REST_UPLOAD   ? "upload"
                                               : "download";
  rest_fail(call, 403, "%s is not allowed to %s", call->who.sub, what);
  return false;
}

static void begin(void *server, sbx_request *req) {
  rest_call *call = igt__calloc(1, sizeof *call);
  req->state = call;
  if (!call)
    return; /* end answers */
  call->server = server;
  call->req = req;
  igt__buf_init(&call->body, MAX_BODY);
  call->arena = igt__arena_new(0);
  if (!call->arena) {
    rest_fail(call, 500, "out of memory");
    return;
  }
  call->route = route_find(call);
  if (!call->route)
    return;
  if (!(call->route->flags & REST_OPEN) && (!rest_session_check(call) || !rights_check(call)))
    return;
  if (req->content_length > (int64_t)MAX_BODY)
    rest_fail(call, 413, "The body is larger than %u bytes", MAX_BODY);
  else if (call->route->model && has_body(req) && !is_json(sbx_header(req, "Content-Type")))
    rest_fail(call, 415, "The body must be application/json");
}

static bool body(void *server, sbx_request *req, const char *data, size_t n) {
  rest_call *call = req->state;
  (void)server;
  if (!call)
    return false;
  if (!call->route->model)
    return true; /* such as the form of no fields that some clients post */
  if (igt__buf_append(&call->body, data, n))
    return true;
  rest_fail(call, 413, "The body is larger than %u bytes", MAX_BODY);
  return false;
}

static bool body_parse(rest_call *call) {
  igt_error err = IGT_ERROR_INIT;
  char why[256];
  const char *model = call->route->model;
  if (!model)
    return true;
  if (call->body.len == 0 && call->route->flags & REST_BODY_OPT)
    return true;
  if (call->body.len == 0) {
    rest_fail(call, 400, "A body is required");
    return false;
  }
  if (igt__json_parse(call->body.data, call->body.len, "the body", &call->json, &err) != IGT_OK) {
    rest_fail(call, 400, "The body is not JSON: %s", err.text);
    return false;
  }
  if (rest_model_check(model, call->json, why, sizeof why))
    return true;
  rest_fail(call, 400, "Input payload validation failed: %s", why);
  return false;
}

static void end(void *server, sbx_request *req) {
  rest_call *call = req->state;
  (void)server;
  if (!call)
    sbx_respond(req, 500, NULL, NULL, 0);
  else if (!req->responded && body_parse(call))
    call->route->run(call);
}

static void done(void *server, sbx_request *req) {
  rest_call *call = req->state;
  (void)server;
  if (!call)
    return;
  /* A login's body holds a password. */
  igt__buf_finish_wipe(&call->body);
  igt__json_free(call->json);
  igt__json_free(call->who.account);
  igt__arena_free(call->arena);
  igt__free(call);
}

const sbx_handler sbx_rest_handler = {begin, body, end, done};
