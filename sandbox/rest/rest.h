/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_REST_H
#define SANDBOX_REST_REST_H

/* What the files of the REST room share. One rest_call is one request: its identity, its decoded
 * path parameters and its parsed body. Functions that answer take the call; a function that
 * returns false has answered already. */

#include "../server.h"
#include "base/arena.h"
#include "base/buf.h"
#include "model/json.h"

/* What an identity may do; its roles say which of these (people.c). */
#define REST_DOWNLOAD 1u /* credentials to read objects */
#define REST_UPLOAD 2u   /* create studies, register files, credentials to write objects */
#define REST_MANAGE 4u   /* projects, institutes, users */
#define REST_SERVICES 8u /* create and delete service identities */

typedef struct rest_identity {
  const char *sub; /* login id or service id */
  const char *uid;
  const char *session; /* key of its row */
  igt__json *account;  /* NULL until rest_account was asked */
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
  const char *args[REST_ARGS]; /* decoded path parameters, in their order */
  rest_identity who;           /* zeroed when the route is open to all */
  igt__buf body;
  igt__json *json; /* the body, checked against the route's model; NULL when there is none */
  igt__json *mask; /* of X-Fields: answers are cut to it; NULL: whole */
} rest_call;

typedef struct rest_route {
  const char *method;
  const char *path;  /* "{}" stands for one path parameter */
  const char *model; /* of the body (fields.h), "[]File" for a list; NULL: no body is read */
  unsigned flags;
  unsigned rights; /* needed, all of them */
  void (*run)(rest_call *call);
} rest_route;
#define REST_OPEN 1u    /* no token */
#define REST_NO_CSRF 2u /* a token, but its CSRF token may be absent */

/* The table of routes (routes.c). NULL: answered with 404 or 405. */
const rest_route *rest_route_find(rest_call *call);

/* ---- answers (reply.c) ---- */
void rest_fail(rest_call *call, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes the value over; NULL (no memory) becomes a 500. */
void rest_respond(rest_call *call, int status, igt__json *value);
/* Sends the buffer without copying it; it is empty afterwards. */
void rest_respond_text(rest_call *call, int status, igt__buf *text);
void rest_respond_empty(rest_call *call, int status);
/* A JSON array of documents, piece by piece. keep (may be NULL) says whether a document belongs
 * in it; payload is freed by release (both may be NULL). */
void rest_respond_docs(rest_call *call, const char *kind, const char *parent,
                       bool (*keep)(void *payload, const igt__json *doc),
                       void (*release)(void *payload), void *payload);
/* The same with those that $filter leaves, which may name fields of `model` (list.c). */
void rest_respond_filtered(rest_call *call, const char *kind, const char *parent,
                           const char *model);

/* ---- documents (documents.c) ---- */
/* A document, its text copied into the call's answer, or an answer of 404 that names `what`. */
igt__json *rest_find(rest_call *call, const char *kind, const char *id, const char *what);
bool rest_exists(rest_call *call, const char *kind, const char *id, const char *what);
/* Stores and answers 500 when that fails. */
bool rest_store(rest_call *call, const char *kind, const char *id, const char *parent,
                const igt__json *doc);
/* Now, as the API writes times. out: 40 bytes. */
void rest_now(char *out);
/* "true", "True", "1"; otherwise: what an absent one means. */
bool rest_query_bool(const rest_call *call, const char *name, bool otherwise);
/* Numbers that documents of a kind are known by: 1, 2 and so on, none twice. 0: not stored. */
int64_t rest_next_number(sbx_server *server, const char *kind);
/* Copies text into the call's memory; NULL stays NULL. */
const char *rest_keep(rest_call *call, const char *text);

/* ---- people (people.c): users, services, roles, passwords ---- */
unsigned rest_rights_of(const igt__json *roles);
unsigned rest_rights_of_user(const igt__json *user);
bool rest_role_known(const char *role);
const char *rest_role_name(size_t i); /* NULL behind the last one */
bool rest_password_set(sbx_server *server, const char *login, const char *password);
bool rest_password_matches(sbx_server *server, const char *login, const char *password);
/* A user's document as the API shows it, with its roles; the caller frees it. */
igt__json *rest_user_new(const char *login, const igt__json *roles);
/* Makes a service with a new key pair unless public_pem is given. private_pem may be NULL. */
igt__json *rest_service_new(sbx_server *server, const char *organization, const char *name,
                            const char *service_id, const char *public_pem, igt__buf *private_pem,
                            igt_error *err);

igt__json *rest_user_by_uuid(sbx_server *server, const char *uuid); /* users.c */
/* False: answered, the session is a service identity's. */
bool rest_is_user(rest_call *call);

/* ---- organizations (groups.c) ---- */
#define REST_ORGANIZATION "igtcloud-sandbox" /* the sandbox as a whole */
/* Whether that of the path is there; name (may be NULL): its name. False: answered. */
bool rest_organization(rest_call *call, const char **name);

/* ---- mail and tasks (mail.c, tasks.c) ---- */
bool rest_mail_send(sbx_server *server, const char *to, const char *subject, const char *text);
bool rest_activation_send(sbx_server *server, const char *login);
/* location: what it made, a path of the API or an object's key; NULL: nothing. */
bool rest_task_new(rest_call *call, const char *kind, const char *status, const char *location,
                   char token[40]);
/* The body says how it has ended; answers. */
void rest_task_end(rest_call *call, const char *token);

/* ---- a user's own folder (storage.c) ---- */
/* False: answered, a service identity has none. out: 64 bytes will do. */
bool rest_user_prefix(rest_call *call, char *out, size_t cap);

/* ---- sessions and tokens (session.c) ---- */
/* What assertions are addressed to, behind the sandbox's own URL. */
#define REST_AUDIENCE "/oauth2/access_token"
/* Reads X-JWT and X-CSRF-TOKEN into call->who; false: answered. */
bool rest_session_check(rest_call *call);
/* The user's or service's document, which is the call's; NULL: removed meanwhile, or no memory. */
igt__json *rest_account(rest_call *call);
/* A new session (session NULL) or a new token of one that runs; answers LoginResponse. */
void rest_session_response(rest_call *call, const char *sub, bool is_service, const char *session);
bool rest_session_end(sbx_server *server, const char *session);
/* The service identity that the assertion proves; NULL: answered. The caller frees it. */
igt__json *rest_assertion_check(rest_call *call, const char *assertion);

/* ---- object keys (prefix.c) ---- */
/* False when no project, institute or study owns keys below `prefix`. */
bool rest_prefix_known(sbx_server *server, const char *prefix);
bool rest_prefix_remember(sbx_server *server, const char *prefix);

/* ---- what goes with what is deleted (cascade.c) ---- */
bool rest_drop_project(sbx_server *server, const igt__json *project);
bool rest_drop_institute(sbx_server *server, const igt__json *institute);
bool rest_drop_study(sbx_server *server, const igt__json *study);
bool rest_drop_series(sbx_server *server, const igt__json *series);
bool rest_drop_objects(sbx_server *server, const char *prefix);

/* ---- studies, institutes, projects as documents ---- */
igt__json *rest_project_new(const igt__json *body, const char *id);
igt__json *rest_institute_new(const igt__json *project, const igt__json *body, const char *id);
/* Completes a study that passed its check with what the server sets. Members that begin with the
 * server are replaced. id NULL: a new one. old: the study that it replaces, or NULL. */
igt__json *rest_study_new(sbx_server *server, const igt__json *institute, const igt__json *body,
                          const char *id, const igt__json *old, const char *user);
const char *rest_study_type_of(const char *project_type);
/* The study of the path, when it is the institute's; NULL: answered. */
igt__json *rest_study_of_path(rest_call *call);
/* What the server says of a series. */
void rest_series_complete(igt__json *series, const igt__json *study, const char *id,
                          const char *user);
igt__json *rest_application_new(const igt__json *body, int64_t id);
/* Adds a text that is not in the list yet. */
void rest_push_once(igt__json *list, const char *text);

/* ---- files (files.c) ---- */
typedef enum rest_category { REST_FILES, REST_DICOM, REST_ANNOTATIONS, REST_PATHIS } rest_category;
#define REST_CATEGORIES 4
extern const char *const rest_category_names[REST_CATEGORIES];
extern const char *const rest_category_folders[REST_CATEGORIES]; /* "files/", "0/", … */

/* A file that is complete, as the API shows it. */
igt__json *rest_file_json(const char *key, const char *name, int64_t size);

/* ---- endpoints, one function each ---- */
#define REST_ENDPOINT(name) void rest_##name(rest_call *call);
#include "endpoints.h"
#undef REST_ENDPOINT

/* ---- canned answers (canned.c) ---- */
bool rest_canned_add(sbx_server *server, const igt__json *canned);

#endif
