/* SPDX-License-Identifier: MIT */
/* The table of routes: method, path, model of the body, flags, required rights, and the function
 * that serves it. rest_route_find splits and decodes the path once, compares it with each row,
 * stores the parameters in the call, and responds with 404 or 405 if no row matches. rest.c calls
 * it. */
#include "rest.h"

#include <string.h>

#include "base/str.h"

/* More specific paths come before those with a parameter in the same position. */
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

    {"GET", "/api/data/hospitals/{}/studies/{}/download-files", NULL, 0, REST_DOWNLOAD,
     rest_study_download},
    {"POST", "/api/data/hospitals/{}/studies/{}/download-link", NULL, 0, REST_DOWNLOAD,
     rest_study_download_link},
    {"POST", "/api/data/hospitals/{}/studies/{}/$action", NULL, 0, REST_UPLOAD, rest_study_action},
    {"GET", "/api/data/hospitals/{}/series/{}/{}", NULL, 0, REST_DOWNLOAD, rest_series_preview},
    {"GET", "/api/data/case-labels", NULL, 0, 0, rest_case_labels},
    {"GET", "/api/data/projects/{}/download-files", NULL, 0, REST_DOWNLOAD, rest_project_download},

    {"GET", "/api/data/applications", NULL, 0, 0, rest_applications_get},
    {"POST", "/api/data/applications", "ApplicationRequest", 0, REST_MANAGE,
     rest_applications_post},
    {"GET", "/api/data/applications/file-formats", NULL, 0, 0, rest_application_formats},
    {"GET", "/api/data/applications/{}", NULL, 0, 0, rest_application_get},
    {"PUT", "/api/data/applications/{}", "ApplicationRequest", 0, REST_MANAGE,
     rest_application_put},
    {"DELETE", "/api/data/applications/{}", NULL, 0, REST_MANAGE, rest_application_delete},
    {"GET", "/api/data/projects/{}/applications", NULL, 0, 0, rest_project_applications_get},
    {"POST", "/api/data/projects/{}/applications", "ProjectApplicationRequest", 0, REST_MANAGE,
     rest_project_applications_post},
    {"DELETE", "/api/data/projects/{}/applications/{}", "ProjectApplicationRequest", 0, REST_MANAGE,
     rest_project_application_delete},

    {"GET", "/api/data/epd-sites", NULL, 0, 0, rest_sites_get},
    {"POST", "/api/data/epd-sites", "EpdSite", 0, REST_MANAGE, rest_sites_post},
    {"GET", "/api/data/epd-sites/{}", NULL, 0, 0, rest_site_get},
    {"PUT", "/api/data/epd-sites/{}", "EpdSite", 0, REST_MANAGE, rest_site_put},
    {"DELETE", "/api/data/epd-sites/{}", NULL, 0, REST_MANAGE, rest_site_delete},
    {"GET", "/api/data/projects/{}/epd-sites", NULL, 0, 0, rest_project_sites},

    {"GET", "/api/data/integrations/aisuite", NULL, 0, 0, rest_ai_connections},
    {"POST", "/api/data/integrations/aisuite/mappings/$generate", NULL, 0, REST_MANAGE,
     rest_ai_mappings_post},
    {"GET", "/api/data/integrations/aisuite/mappings/attributes", NULL, 0, 0,
     rest_ai_mappings_attributes},
    {"GET", "/api/data/integrations/aisuite/mappings/files", NULL, 0, 0, rest_ai_mappings_files},
    {"POST", "/api/data/integrations/aisuite/tasks/completed/{}", "TaskCompleted", 0, 0,
     rest_ai_task_post},
    {"GET", "/api/data/integrations/aisuite/{}/collections", NULL, 0, 0, rest_ai_collections_get},
    {"POST", "/api/data/integrations/aisuite/{}/collections", NULL, 0, REST_MANAGE,
     rest_ai_collections_post},
    {"GET", "/api/data/integrations/aisuite/{}/projects", NULL, 0, 0, rest_ai_projects},
    {"GET", "/api/data/integrations/aisuite/{}/projects/{}", NULL, 0, 0, rest_ai_sync_get},
    {"POST", "/api/data/integrations/aisuite/{}/projects/{}", NULL, 0, REST_MANAGE,
     rest_ai_sync_post},

    {"POST", "/api/data/reports/project", NULL, 0, REST_MANAGE, rest_report_post},
    {"GET", "/api/data/tasks/completed/{}", NULL, 0, 0, rest_task_get},
    {"POST", "/api/data/tasks/completed/{}", "TaskCompleted", 0, 0, rest_task_post},

    {"GET", "/api/data/training-applications", NULL, 0, 0, rest_training_get},
    {"GET", "/api/data/training-applications/{}/$storage", NULL, 0, 0, rest_training_storage},
    {"GET", "/api/data/training-applications/{}/guide", NULL, 0, 0, rest_training_guide},

    {"GET", "/api/data/organizations/{}/services", NULL, 0, 0, rest_services_get},
    {"POST", "/api/data/organizations/{}/services", "Service", 0, REST_SERVICES,
     rest_services_post},
    {"DELETE", "/api/data/organizations/{}/services/{}", NULL, 0, REST_SERVICES,
     rest_service_delete},
    {"GET", "/api/data/organizations/{}/groups", NULL, 0, 0, rest_groups_get},
    {"GET", "/api/data/organizations/{}/users-groups", NULL, 0, 0, rest_users_groups_get},
    {"PUT", "/api/data/organizations/{}/users-groups", "UsersGroups", 0, REST_MANAGE,
     rest_users_groups_put},

    {"GET", "/api/data/users", NULL, 0, 0, rest_users_get},
    {"POST", "/api/data/users", "UserRequest", 0, REST_MANAGE, rest_users_post},
    {"POST", "/api/data/users/$mfa-reset", "UserActivationRequest", 0, REST_MANAGE,
     rest_user_mfa_reset},
    {"POST", "/api/data/users/$profile", NULL, 0, 0, rest_user_profile},
    {"POST", "/api/data/users/$resend-activation", "UserActivationRequest", 0, REST_MANAGE,
     rest_user_resend_activation},
    {"GET", "/api/data/users/$storage", NULL, 0, 0, rest_user_storage},
    {"GET", "/api/data/users/download-files", NULL, 0, 0, rest_user_files_download},
    {"GET", "/api/data/users/files", NULL, 0, 0, rest_user_files_get},
    {"DELETE", "/api/data/users/files", NULL, 0, 0, rest_user_files_delete},
    {"GET", "/api/data/users/me", NULL, 0, 0, rest_me_get},
    {"DELETE", "/api/data/users/training-settings", NULL, 0, 0, rest_user_training_delete},
    {"GET", "/api/data/users/{}", NULL, 0, 0, rest_user_get},
    {"PUT", "/api/data/users/{}", "UserRequest", 0, REST_MANAGE, rest_user_put},
    {"DELETE", "/api/data/users/{}", NULL, 0, REST_MANAGE, rest_user_delete},

    /* Sandbox extensions. Web pages cannot call them: application/json is required. */
    {"GET", "/__canned", NULL, REST_OPEN, 0, rest_canned_get},
    {"POST", "/__canned", "[]Canned", REST_OPEN, 0, rest_canned_post},
    {"DELETE", "/__canned", NULL, REST_OPEN, 0, rest_canned_delete},
    {"GET", "/__mail", NULL, 0, REST_MANAGE, rest_mail_get},
    {"GET", "/__audit", NULL, 0, REST_MANAGE, rest_audit_get},
    {"GET", "/__imports/{}", NULL, 0, REST_DOWNLOAD, rest_imports_get},
    {"POST", "/__activate", "Activation", REST_OPEN, 0, rest_activate},
};

/* ---- finding the route ---- */

/* The decoded segment, in the call's memory; NULL when it is not valid text. */
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

/* More than the longest route has. */
#define SEGMENTS 16

/* The path's segments, decoded once for all routes. */
typedef struct segments {
  const char *text[SEGMENTS]; /* NULL: not valid text, matches no route */
  size_t count;
} segments;

/* False: no route can match this path. */
static bool segments_read(rest_call *call, segments *out) {
  const char *path = call->req->path;

  out->count = 0;
  while (*path == '/') {
    size_t n = strcspn(++path, "/");
    if (out->count == SEGMENTS)
      return false;
    out->text[out->count++] = segment_decode(call, path, n);
    path += n;
  }
  return *path == '\0';
}

static bool path_matches(rest_call *call, const char *pattern, const segments *path) {
  size_t args = 0, i = 0;

  for (; *pattern == '/' && i < path->count; i++) {
    size_t n = strcspn(++pattern, "/");
    const char *text = path->text[i];
    if (!text)
      return false;
    if (n == 2 && memcmp(pattern, "{}", 2) == 0) {
      if (!*text || args == REST_ARGS)
        return false;
      call->args[args++] = text;
    } else if (strncmp(text, pattern, n) != 0 || text[n]) {
      return false;
    }
    pattern += n;
  }
  return *pattern == '\0' && i == path->count;
}

const rest_route *rest_route_find(rest_call *call) {
  segments path;
  bool path_known = false, readable = segments_read(call, &path);

  for (size_t i = 0; readable && i < sizeof routes / sizeof routes[0]; i++) {
    if (!path_matches(call, routes[i].path, &path))
      continue;
    if (strcmp(routes[i].method, call->req->method) == 0)
      return &routes[i];
    path_known = true;
  }
  if (path_known)
    rest_fail(call, 405, "%s is not allowed here", call->req->method);
  else
    rest_fail(call, 404, "No operation at %.200s", call->req->path);
  return NULL;
}
