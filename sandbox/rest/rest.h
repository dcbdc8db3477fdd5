/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_REST_H
#define SANDBOX_REST_REST_H

/* What the files of the REST layer share. A rest_call is one request: its identity, its decoded
 * path parameters and its parsed body. Functions that respond take the call; a function that
 * returns false has already responded. */

#include "../server.h"
#include "base/arena.h"
#include "base/buf.h"
#include "model/json.h"

/* The rights of an identity; its roles determine them (people.c). */
#define REST_DOWNLOAD 1u /* credentials to read objects */
#define REST_UPLOAD 2u   /* create studies, register files, credentials to write objects */
#define REST_MANAGE 4u   /* projects, institutes, users */
#define REST_SERVICES 8u /* create and delete service identities */

typedef struct rest_identity {
  const char *sub; /* login id or service id */
  const char *uid;
  const char *session; /* key of the session's row */
  igt__json *account;  /* NULL until rest_account was called */
  bool is_service;
  unsigned rights;
  int64_t expires; /* of the JWT */
} rest_identity;

#define REST_ARGS 4
struct rest_route;

typedef struct rest_call {
  sbx_server *server;
  sbx_request *req;
  const struct rest_route *route;
  igt__arena *arena;
  const char *args[REST_ARGS]; /* decoded path parameters, in order */
  rest_identity who;           /* zeroed when the route is open to all */
  igt__buf body;
  igt__json *json; /* the body, checked against the route's model; NULL if none */
  igt__json *mask; /* of X-Fields, applied to responses; NULL: no mask */
} rest_call;

typedef struct rest_route {
  const char *method;
  const char *path;  /* "{}" stands for one path parameter */
  const char *model; /* of the body (fields.h), "[]File" for a list; NULL: the body is ignored */
  unsigned flags;
  unsigned rights; /* all of them are required */
  void (*run)(rest_call *call);
} rest_route;
#define REST_OPEN 1u    /* no token required */
#define REST_NO_CSRF 2u /* a token, but its CSRF token is optional */

/* Finds the request's route in the table (routes.c). NULL: responded with 404 or 405. */
const rest_route *rest_route_find(rest_call *call);

/* ---- responses (reply.c) ---- */
void rest_fail(rest_call *call, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes ownership of the value; NULL (out of memory) becomes a 500. */
void rest_respond(rest_call *call, int status, igt__json *value);
/* Sends the buffer without copying it; it is empty afterwards. */
void rest_respond_text(rest_call *call, int status, igt__buf *text);
void rest_respond_empty(rest_call *call, int status);
/* Streams a JSON array of documents. keep (may be NULL) selects documents; release frees payload
 * (both may be NULL). */
void rest_respond_docs(rest_call *call, const char *kind, const char *parent,
                       bool (*keep)(void *payload, const igt__json *doc),
                       void (*release)(void *payload), void *payload);
/* The same, restricted by $filter, which may name fields of `model` (list.c). */
void rest_respond_filtered(rest_call *call, const char *kind, const char *parent,
                           const char *model);

/* ---- documents (documents.c) ---- */
/* A document, its text copied into the call's memory; NULL: responded with a 404 that names
 * `what`. */
igt__json *rest_find(rest_call *call, const char *kind, const char *id, const char *what);
bool rest_exists(rest_call *call, const char *kind, const char *id, const char *what);
/* Stores the document; false: responded with a 500. */
bool rest_store(rest_call *call, const char *kind, const char *id, const char *parent,
                const igt__json *doc);
/* The current time in the API's format. out: 40 bytes. */
void rest_now(char *out);
/* "true", "True", "1"; `otherwise` if absent. */
bool rest_query_bool(const rest_call *call, const char *name, bool otherwise);
/* The next number of documents of a kind: 1, 2 and so on, never reused. 0: not stored. */
int64_t rest_next_number(sbx_server *server, const char *kind);
/* Copies text into the call's memory; NULL stays NULL. */
const char *rest_keep(rest_call *call, const char *text);

/* ---- people (people.c): users, services, roles, passwords ---- */
unsigned rest_rights_of(const igt__json *list);
unsigned rest_rights_of_user(const igt__json *user);
bool rest_role_known(const char *role);
const char *rest_role_name(size_t i); /* NULL after the last one */
bool rest_password_set(sbx_server *server, const char *login, const char *password);
bool rest_password_matches(sbx_server *server, const char *login, const char *password);
/* Creates a user's document with its roles, in the API's form; the caller frees it. */
igt__json *rest_user_new(const char *login, const igt__json *role_list);
/* Creates a service with a new key pair, unless public_pem is given. private_pem may be NULL. */
igt__json *rest_service_new(sbx_server *server, const char *organization, const char *name,
                            const char *service_id, const char *public_pem, igt__buf *private_pem,
                            igt_error *err);

igt__json *rest_user_by_uuid(sbx_server *server, const char *uuid); /* users.c */
/* False: responded, the session belongs to a service identity. */
bool rest_is_user(rest_call *call);

/* ---- organizations (groups.c) ---- */
#define REST_ORGANIZATION "igtcloud-sandbox" /* the sandbox as a whole */
/* Whether the path's organization exists; name (may be NULL) receives its name. False:
 * responded. */
bool rest_organization(rest_call *call, const char **name);

/* ---- mail and tasks (mail.c, tasks.c) ---- */
bool rest_mail_send(sbx_server *server, const char *to, const char *subject, const char *text);
bool rest_activation_send(sbx_server *server, const char *login);
/* location: the result, a path of the API or an object's key; NULL: none. */
bool rest_task_new(rest_call *call, const char *kind, const char *status, const char *location,
                   char token[40]);
/* Ends the task as the body says; responds. */
void rest_task_end(rest_call *call, const char *token);

/* ---- a user's own folder (storage.c) ---- */
/* False: responded, service identities have none. out: 64 bytes suffice. */
bool rest_user_prefix(rest_call *call, char *out, size_t cap);

/* ---- sessions and tokens (session.c) ---- */
/* The audience of assertions, relative to the sandbox's own URL. */
#define REST_AUDIENCE "/oauth2/access_token"
/* Reads X-JWT and X-CSRF-TOKEN into call->who; false: responded. */
bool rest_session_check(rest_call *call);
/* The user's or service's document, owned by the call; NULL: deleted meanwhile, or out of
 * memory. */
igt__json *rest_account(rest_call *call);
/* Starts a session (session NULL) or issues a new token for a running one; responds with
 * LoginResponse. */
void rest_session_response(rest_call *call, const char *sub, bool is_service, const char *session);
bool rest_session_end(sbx_server *server, const char *session);
/* The service identity that the assertion proves; NULL: responded. The caller frees it. */
igt__json *rest_assertion_check(rest_call *call, const char *assertion);

/* ---- object keys (prefix.c) ---- */
/* False when keys below `prefix` belong to no project, institute or study. */
bool rest_prefix_known(sbx_server *server, const char *prefix);
bool rest_prefix_remember(sbx_server *server, const char *prefix);

/* ---- deleting entities with their contents (cascade.c) ---- */
bool rest_drop_project(sbx_server *server, const igt__json *project);
bool rest_drop_institute(sbx_server *server, const igt__json *institute);
bool rest_drop_study(sbx_server *server, const igt__json *study);
bool rest_drop_series(sbx_server *server, const igt__json *series);
bool rest_drop_objects(sbx_server *server, const char *prefix);

/* ---- studies, institutes, projects as documents ---- */
igt__json *rest_project_new(const igt__json *body, const char *id);
igt__json *rest_institute_new(const igt__json *project, const igt__json *body, const char *id);
/* Adds what the server sets to a study that passed its check. Members that the server sets are
 * replaced. id NULL: a new study. old: the study that it replaces, or NULL. */
igt__json *rest_study_new(sbx_server *server, const igt__json *institute, const igt__json *body,
                          const char *id, const igt__json *old, const char *user);
const char *rest_study_type_of(const char *project_type);
/* The path's study, if it belongs to the path's institute; NULL: responded. */
igt__json *rest_study_of_path(rest_call *call);
/* Adds what the server sets to a series. */
void rest_series_complete(igt__json *series, const igt__json *study, const char *id,
                          const char *user);
igt__json *rest_application_new(const igt__json *body, int64_t id);
/* Appends a string if the list does not contain it yet. */
void rest_push_once(igt__json *list, const char *text);

/* ---- files (files.c) ---- */
typedef enum rest_category { REST_FILES, REST_DICOM, REST_ANNOTATIONS, REST_PATHIS } rest_category;
#define REST_CATEGORIES 4
extern const char *const rest_category_names[REST_CATEGORIES];
extern const char *const rest_category_folders[REST_CATEGORIES]; /* "files/", "0/", … */

/* A complete file in the API's form. */
igt__json *rest_file_json(const char *key, const char *name, int64_t size);

/* ---- endpoints, one function each ---- */
#define REST_ENDPOINT(name) void rest_##name(rest_call *call);
#include "endpoints.h"
#undef REST_ENDPOINT

/* ---- canned responses (canned.c) ---- */
bool rest_canned_add(sbx_server *server, const igt__json *canned);

#endif
