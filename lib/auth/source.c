/* SPDX-License-Identifier: MIT */
/* Where a session comes from and how it is renewed. igt__source_begin tries, in this order: the key
 * of a service, the token file of a running `igtcloud login`, the environment, the user's password;
 * igt__source_renew renews a grant in the way in which it was obtained. The requests are in
 * login.c, the token file in token_file.c. Called by session.c, by one thread at a time and without
 * its lock. */
#include "auth/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/audience.h"
#include "auth/key_info.h"
#include "auth/lifetime.h"
#include "auth/token_file.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/str.h"

#define PASSWORD_MAX 1024

static bool copy_option(char **to, const char *from) {
  *to = from && *from ? igt__strdup(from) : NULL;
  return *to || !from || !*from;
}

static bool copy_secret(igt__secret **to, const char *from) {
  *to = from && *from ? igt__secret_new(from, strlen(from)) : NULL;
  return *to || !from || !*from;
}

static igt_status check_options(const igt__source *source, igt_error *err) {
  if (source->service_key && source->service_file)
    return igt__fail(err, IGT_E_INVALID, "give the service's key as a file or as text, not both");
  if (source->service_key && !source->user)
    return igt__fail(err, IGT_E_INVALID,
                     "a key that is given as text needs the service's id as the user");
  if (!source->jwt != !source->csrf)
    return igt__fail(err, IGT_E_INVALID, "a session needs both its tokens, jwt and csrf");
  return IGT_OK;
}

igt_status igt__source_init(igt__source *source, const igt__session_options *options,
                            igt_error *err) {
  char *origin = igt__strdup(options->origin);

  memset(source, 0, sizeof *source);
  source->server = (igt__auth_server){options->http, origin, igt__cancel_ref(options->cancel), 0};
  source->no_token_file = options->no_token_file;
  source->no_environment = options->no_environment;
  source->prompt = options->prompt;
  source->prompt_payload = options->prompt_payload;
  if (!origin || !copy_option(&source->user, options->user) ||
      !copy_option(&source->service_file, options->service_file) ||
      !copy_option(&source->token_file, options->token_file) ||
      !copy_option(&source->audience, options->audience) ||
      !copy_secret(&source->service_key, options->service_key) ||
      !copy_secret(&source->jwt, options->jwt) || !copy_secret(&source->csrf, options->csrf))
    return igt__fail_memory(err);
  return check_options(source, err);
}

void igt__source_finish(igt__source *source) {
  igt__cancel_unref(source->server.cancel);
  igt__free((char *)(uintptr_t)source->server.origin);
  igt__free(source->user);
  igt__free(source->service_file);
  igt__free(source->token_file);
  igt__free(source->audience);
  igt__secret_free(source->service_key);
  igt__secret_free(source->jwt);
  igt__secret_free(source->csrf);
  igt__rsa_free(source->key);
  igt__secret_free(source->password);
}

/* The domain as users write it. */
static const char *host_of(const igt__source *source) {
  const char *slashes = strstr(source->server.origin, "://");

  return slashes ? slashes + 3 : source->server.origin;
}

static const char *from_environment(const igt__source *source, const char *name) {
  const char *value = source->no_environment ? NULL : getenv(name);

  return value && *value ? value : NULL;
}

/* ---- by the key of a service ---- */

/* "keys/station-7.pem" belongs to the service "station-7". */
static igt_status name_by_file(igt__source *source, int *n, igt_error *err) {
  const char *base = igt__path_local_base(source->service_file);
  const char *dot = strrchr(base, '.');
  int len = dot && dot != base ? (int)(dot - base) : (int)strlen(base);

  if (igt__str_starts(source->service_file, "/dev/") ||
      igt__str_starts(source->service_file, "/proc/"))
    return igt__fail(err, IGT_E_INVALID,
                     "a key from a pipe has no file name: give the service's id with --user");
  *n = snprintf(source->service_id, sizeof source->service_id, "%.*s", len, base);
  return IGT_OK;
}

static igt_status name_service(igt__source *source, igt_error *err) {
  igt_status status = IGT_OK;
  int n = 0;

  if (source->service_file && igt__key_info_service(source->service_file, source->user,
                                                    source->service_id, sizeof source->service_id))
    return IGT_OK;
  if (source->user)
    n = snprintf(source->service_id, sizeof source->service_id, "%s", source->user);
  else
    status = name_by_file(source, &n, err);
  if (status == IGT_OK && (n <= 0 || (size_t)n >= sizeof source->service_id))
    status = igt__fail(err, IGT_E_INVALID, "the service's id is empty or too long");
  return status;
}

static bool has_modes(const char *path) {
  int fd = igt__os_open(path, O_RDONLY | O_NONBLOCK, 0);
  bool has = fd < 0 || igt__os_has_modes(fd);

  if (fd >= 0)
    (void)igt__os_close(fd);
  return has;
}

static void warn_if_readable(const char *path) {
  igt__stat st;

  if (igt__os_stat_with_owner(path, &st) != 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 077))
    return;
  if (!has_modes(path))
    IGT__WARN(IGT_LOG_AUTH,
              "the key file %s can be used by others: its disk (FAT or exFAT) cannot refuse them; "
              "move it to another disk",
              path);
  else
    IGT__WARN(IGT_LOG_AUTH,
              "the key file %s can be used by others (mode %04o); make it private "
              "with: " IGT__OS_MAKE_PRIVATE("%s"),
              path, (unsigned)(st.st_mode & 07777), path);
}

static igt_status read_key_text(igt__source *source, igt_error *err) {
  const char *pem = igt__secret_text(source->service_key);
  igt_status status = igt__rsa_private(pem, strlen(pem), "the service's key", &source->key, err);

  if (status == IGT_OK) { /* as when its file is removed: no longer needed */
    igt__secret_free(source->service_key);
    source->service_key = NULL;
  }
  return status;
}

static igt_status read_key_file(igt__source *source, igt_error *err) {
  char *pem = NULL;
  size_t len = 0;
  igt_status status = igt__file_read(source->service_file, IGT__MAX_KEY_FILE, &pem, &len, err);

  if (status == IGT_OK) {
    warn_if_readable(source->service_file);
    status = igt__rsa_private(pem, len, source->service_file, &source->key, err);
  }
  if (pem)
    igt__wipe(pem, len);
  igt__free(pem);
  return status;
}

static igt_status load_key(igt__source *source, igt_error *err) {
  igt_status status = source->service_key ? read_key_text(source, err) : read_key_file(source, err);

  if (status == IGT_OK || status == IGT_E_NO_MEMORY)
    return status;
  if (err)
    err->status = IGT_E_KEY;
  return IGT_E_KEY;
}

/* The audience is requested each time: it may move with the service, and costs one short response
 * an hour. */
static igt_status login_key(igt__source *source, igt__grant *out, igt_error *err) {
  char *audience = NULL;
  igt_status status = IGT_OK;

  if (!source->key)
    status = load_key(source, err);
  if (status == IGT_OK)
    status = igt__login_audience(&source->server, &audience, err);
  if (status == IGT_OK)
    status = igt__audience_check(audience, source->server.origin, source->audience, err);
  if (status == IGT_OK)
    status = igt__login_key(&source->server, source->key, audience, source->service_id, out, err);
  igt__free(audience);
  return status;
}

static igt_status begin_key(igt__source *source, igt__grant *out, igt_error *err) {
  igt_status status = name_service(source, err);

  return status == IGT_OK ? login_key(source, out, err) : status;
}

/* ---- from the token file ---- */

/* Scheme, host and port must be those of the command: a token is never sent to another server. */
static bool is_of_domain(const igt__source *source, const char *domain) {
  igt__url theirs, ours;

  return igt__url_parse(domain, "the token's domain", &theirs, NULL) == IGT_OK &&
         igt__url_parse(source->server.origin, "the domain", &ours, NULL) == IGT_OK &&
         igt__url_same_origin(&theirs, &ours);
}

static void grant_from_token(const igt__source *source, igt_token *token, igt__grant *out) {
  memset(out, 0, sizeof *out);
  snprintf(out->user, sizeof out->user, "%s", token->user);
  out->jwt = token->jwt;
  out->csrf = token->csrf;
  token->jwt = token->csrf = NULL;
  out->expires = token->expires;
  if (token->expires > 0)
    out->life = igt__lifetime_left(token->expires, -1, igt__wall_seconds() + source->server.skew);
  out->has_refresh = token->has_refresh;
  out->is_service = !token->has_refresh; /* the file does not say; users' tokens can be refreshed */
}

/* IGT_E_NO_SESSION if the file has nothing for this domain and user (NULL: any). */
static igt_status read_token(const igt__source *source, const char *user, igt__grant *out,
                             igt_error *err) {
  igt_token *token = NULL;
  igt_status status = igt__token_read(source->token_file, source->server.cancel, &token, err);

  if (status != IGT_OK)
    return status;
  if (!is_of_domain(source, token->domain))
    status = igt__fail(err, IGT_E_NO_SESSION, "the running login is for another domain, %s",
                       token->domain);
  else if (user && strcmp(user, token->user) != 0)
    status = igt__fail(err, IGT_E_NO_SESSION, "the running login belongs to another user, %s",
                       token->user);
  else
    grant_from_token(source, token, out);
  igt_token_free(token);
  return status;
}

/* In a shared folder anybody can place a file under the default name. That must not keep a user
 * from signing in, so it is reported and skipped; a path that was configured must be correct. */
static igt_status begin_token_file(igt__source *source, igt__grant *out, igt_error *untrusted,
                                   igt_error *err) {
  igt_status status = read_token(source, source->user, out, err);

  if (status == IGT_E_TOKEN_FILE && !source->token_file && err) {
    igt__error_keep(untrusted, err);
    return IGT_E_NO_SESSION;
  }
  if (status == IGT_E_NO_SESSION && err)
    IGT__DEBUG(IGT_LOG_AUTH, "%s", err->text);
  return status;
}

/* ---- from the program ---- */

static igt_status begin_tokens(igt__source *source, igt__grant *out, igt_error *err) {
  return igt__login_introspect(&source->server, "the given session", igt__secret_text(source->jwt),
                               igt__secret_text(source->csrf), out, err);
}

/* ---- from the environment ---- */

static igt_status begin_environment(igt__source *source, igt__grant *out, igt_error *err) {
  const char *jwt = from_environment(source, "CLOUD_JWT_TOKEN");
  const char *csrf = from_environment(source, "CLOUD_CSRF_TOKEN");
  igt_status status;

  if (!jwt != !csrf)
    IGT__WARN(IGT_LOG_AUTH, "%s is set without %s, so it is not used",
              jwt ? "CLOUD_JWT_TOKEN" : "CLOUD_CSRF_TOKEN",
              jwt ? "CLOUD_CSRF_TOKEN" : "CLOUD_JWT_TOKEN");
  if (!jwt || !csrf)
    return igt__fail(err, IGT_E_NO_SESSION, "the environment contains no tokens");
  status = igt__login_introspect(
      &source->server, "the session in CLOUD_JWT_TOKEN and CLOUD_CSRF_TOKEN", jwt, csrf, out, err);
  if (status == IGT_OK && source->user && strcmp(source->user, out->user) != 0)
    IGT__WARN(IGT_LOG_AUTH, "CLOUD_JWT_TOKEN belongs to %s, not to %s", out->user, source->user);
  return status;
}

/* ---- by password ---- */

/* With the scheme where it is not https. A login at the same host may differ in nothing else. */
static const char *cloud_of(const igt__source *source) {
  return igt__str_starts(source->server.origin, "https://") ? host_of(source)
                                                            : source->server.origin;
}

/* A running login at another cloud explains why "I have signed in" does not help. */
static void mention_other_login(const igt__source *source, igt_error *err) {
  igt_token *token = NULL;

  if (source->no_token_file ||
      igt__token_read(source->token_file, source->server.cancel, &token, NULL) != IGT_OK)
    return;
  if (!is_of_domain(source, token->domain))
    igt__error_append(err, "; the running login is for %s", token->domain);
  igt_token_free(token);
}

static igt_status fail_unanswered(const igt__source *source, igt_error *err) {
  if (igt__cancel_is_set(source->server.cancel))
    return igt__fail(err, IGT_E_CANCELLED, "signing in was cancelled");
  (void)igt__fail(
      err, IGT_E_NO_SESSION,
      "not signed in to %s: run `igtcloud login` on a terminal, or give a user name and a "
      "password (--user NAME --password-stdin) or a service identity "
      "(--service-file FILE)",
      cloud_of(source));
  mention_other_login(source, err);
  return IGT_E_NO_SESSION;
}

static bool ask(const igt__source *source, igt_prompt_kind what, const char *question,
                char *response, size_t cap) {
  response[0] = '\0';
  return source->prompt && source->prompt(source->prompt_payload, what, question, response, cap) &&
         response[0] != '\0';
}

static igt_status find_user(const igt__source *source, char *user, size_t cap, igt_error *err) {
  const char *known = source->user ? source->user : from_environment(source, "CLOUD_USERNAME");
  char question[600];

  if (known) {
    if ((size_t)snprintf(user, cap, "%s", known) >= cap)
      return igt__fail(err, IGT_E_INVALID, "the user name is longer than %zu bytes", cap - 1);
    return IGT_OK;
  }
  snprintf(question, sizeof question, "User name for %s", host_of(source));
  return ask(source, IGT_PROMPT_USER, question, user, cap) ? IGT_OK : fail_unanswered(source, err);
}

/* Out of memory is not a failure here: then the session ends with its refresh token. */
static void keep_password(igt__source *source, const char *password) {
  igt__secret_free(source->password);
  source->password = igt__secret_new(password, strlen(password));
}

static igt_status begin_password(igt__source *source, igt__grant *out, igt_error *err) {
  char user[256], password[PASSWORD_MAX], question[600];
  igt_status status = find_user(source, user, sizeof user, err);

  if (status != IGT_OK)
    return status;
  snprintf(question, sizeof question, "%s@%s's password", user, host_of(source));
  if (ask(source, IGT_PROMPT_PASSWORD, question, password, sizeof password))
    status = igt__login_password(&source->server, user, password, out, err);
  else
    status = fail_unanswered(source, err);
  if (status == IGT_OK)
    keep_password(source, password);
  igt__wipe(password, sizeof password);
  return status;
}

/* ---- all of them ---- */

/* IGT_E_NO_SESSION: none was handed in. */
static igt_status begin_handed_in(igt__source *source, igt__grant *out, igt_session_source *kind,
                                  igt_error *untrusted, igt_error *err) {
  igt_status status = IGT_E_NO_SESSION;

  *kind = IGT_SESSION_TOKEN_FILE;
  if (!source->no_token_file)
    status = begin_token_file(source, out, untrusted, err);
  if (status == IGT_E_NO_SESSION && !source->no_environment) {
    *kind = IGT_SESSION_ENVIRONMENT;
    status = begin_environment(source, out, err);
  }
  return status;
}

igt_status igt__source_begin(igt__source *source, bool own_only, igt__grant *out,
                             igt_session_source *kind, igt_error *err) {
  igt_error local = IGT_ERROR_INIT, untrusted = IGT_ERROR_INIT;
  igt_status status = IGT_E_NO_SESSION;

  if (!err)
    err = &local;
  if (source->service_file || source->service_key || source->key) {
    *kind = IGT_SESSION_SERVICE_KEY;
    return begin_key(source, out, err);
  }
  if (source->jwt && !own_only) {
    *kind = IGT_SESSION_TOKENS;
    return begin_tokens(source, out, err);
  }
  if (!own_only)
    status = begin_handed_in(source, out, kind, &untrusted, err);
  if (status == IGT_E_NO_SESSION) {
    *kind = IGT_SESSION_PASSWORD;
    status = begin_password(source, out, err);
  }
  if (status == IGT_E_NO_SESSION && untrusted.status != IGT_OK)
    igt__error_copy(err, &untrusted);
  else if (untrusted.status != IGT_OK)
    IGT__WARN(IGT_LOG_AUTH, "%s", untrusted.text);
  if (status == IGT_OK)
    igt__error_clear(err); /* from the sources that were tried before */
  return status == IGT_OK ? IGT_OK : err->status;
}

static igt_status renew_token_file(igt__source *source, const igt__grant *old, igt__grant *out,
                                   igt_error *err) {
  igt__grant grant = {0};
  igt_status status = read_token(source, old->user, &grant, err);

  if (status == IGT_OK && strcmp(igt__secret_text(grant.jwt), igt__secret_text(old->jwt)) == 0) {
    igt__grant_finish(&grant);
    status = igt__fail(err, IGT_E_NO_SESSION, "the running login has not renewed it");
  }
  if (status == IGT_OK)
    *out = grant;
  if (status != IGT_E_NO_SESSION)
    return status;
  igt__error_prefix(err, "the session of `igtcloud login` is about to expire");
  if (err)
    err->status = IGT_E_EXPIRED;
  return IGT_E_EXPIRED;
}

/* A machine that slept, or one file that took longer than the refresh token lives: at night nobody
 * is there to enter the password again. */
static igt_status renew_password(igt__source *source, const igt__grant *old, igt__grant *out,
                                 igt_error *err) {
  igt_status status = igt__login_refresh(&source->server, old, out, err);

  if (status != IGT_E_EXPIRED || !source->password)
    return status;
  igt__error_clear(err);
  return igt__login_password(&source->server, old->user, igt__secret_text(source->password), out,
                             err);
}

igt_status igt__source_renew(igt__source *source, igt_session_source kind, const igt__grant *old,
                             igt__grant *out, igt_error *err) {
  switch (kind) {
  case IGT_SESSION_SERVICE_KEY: /* has no refresh token: signs in again */
    return login_key(source, out, err);
  case IGT_SESSION_TOKEN_FILE:
    return renew_token_file(source, old, out, err);
  case IGT_SESSION_ENVIRONMENT:
  case IGT_SESSION_TOKENS:
    if (!old->has_refresh)
      return igt__fail(err, IGT_E_EXPIRED, "the session%s is about to expire and cannot be renewed",
                       kind == IGT_SESSION_ENVIRONMENT ? " in CLOUD_JWT_TOKEN" : "");
    return igt__login_refresh(&source->server, old, out, err);
  case IGT_SESSION_PASSWORD:
    return renew_password(source, old, out, err);
  case IGT_SESSION_NONE:
    break;
  }
  return igt__fail(err, IGT_E_NO_SESSION, "not signed in; run `igtcloud login`");
}
