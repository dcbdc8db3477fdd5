/* SPDX-License-Identifier: MIT */
/* Reads the token file, through which a running `igtcloud login` shares its session with other
 * programs: validates its owner, mode and type (anybody can place one in a shared folder), rereads
 * it until two reads agree, since the writer (token_holder.c) replaces it in place, and waits
 * briefly for a token that is about to be renewed. Called by source.c and igt_token_read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwt.h"
#include "auth/lifetime.h"
#include "auth/token_internal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/str.h"

#define FILE_NAME "igtcloud_auth_mmap"
/* A writer replaces five pages within microseconds; one that the scheduler suspends in the middle
 * is back within a few of these waits. */
#define TORN_TRIES 8
#define TORN_WAIT_US 10000
/* A token with so little time left ends before it can be used. */
#define NEAR_END_S 1
/* How long a reader waits for a login that is about to renew its token, and how often it checks. */
#define RENEWAL_WAIT_US 10000000
#define RENEWAL_LOOK_US 100000

bool igt_token_default_path(char *out, size_t cap) {
  const char *path = getenv("CLOUD_TOKEN_MMAP");
  int n;

  if (path && *path)
    n = snprintf(out, cap, "%s", path);
  else
    n = snprintf(out, cap, "%s/" FILE_NAME, igt__os_temporary_folder());
  return n >= 0 && (size_t)n < cap;
}

igt_status igt__token_path(const char *path, char *out, size_t cap, igt_error *err) {
  if (path ? (size_t)snprintf(out, cap, "%s", path) < cap : igt_token_default_path(out, cap))
    return IGT_OK;
  return igt__fail(err, IGT_E_INVALID, "the token file's path is longer than %zu bytes", cap - 1);
}

/* ---- trust ---- */

/* A file in a shared folder may be somebody else's trap: a file or link of theirs, or a file of
 * ours that they can read. */
static igt_status check_trust(int fd, const char *path, const igt__stat *st, igt_error *err) {
  if (!S_ISREG(st->st_mode))
    return igt__fail(err, IGT_E_TOKEN_FILE,
                     "the token file %s is not a regular file, so it is not used", path);
  if (st->st_uid != igt__os_user())
    return igt__fail(err, IGT_E_TOKEN_FILE,
                     "the token file %s belongs to another user (uid %lu), so it is not used; set "
                     "CLOUD_TOKEN_MMAP to another path",
                     path, (unsigned long)st->st_uid);
  if ((st->st_mode & 077) && !igt__os_has_modes(fd))
    return igt__fail(
        err, IGT_E_TOKEN_FILE,
        "the token file %s can be used by others, as its disk (FAT or exFAT) cannot "
        "refuse them, so it is not used; set CLOUD_TOKEN_MMAP to a path on another disk",
        path);
  if (st->st_mode & 077)
    return igt__fail(err, IGT_E_TOKEN_FILE,
                     "the token file %s can be used by others (mode %04o), so it is not used; "
                     "sign out there, or make it private with: " IGT__OS_MAKE_PRIVATE("%s"),
                     path, (unsigned)(st->st_mode & 07777), path);
  if (st->st_nlink > 1)
    return igt__fail(err, IGT_E_TOKEN_FILE,
                     "the token file %s has %lu hard links, so it is not used; set "
                     "CLOUD_TOKEN_MMAP to another path",
                     path, (unsigned long)st->st_nlink);
  return IGT_OK;
}

/* O_NONBLOCK: a planted FIFO must not block us. */
igt_status igt__token_open(const char *path, int flags, int *fd, igt__stat *st, igt_error *err) {
  igt_status status;

  *fd = igt__os_open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
  if (*fd < 0 && errno == ELOOP)
    return igt__fail(err, IGT_E_TOKEN_FILE,
                     "the token file %s is a symbolic link, so it is not used", path);
  if (*fd < 0 && (errno == ENOENT || errno == ENOTDIR))
    return igt__fail(err, IGT_E_NO_SESSION,
                     "not signed in: there is no token file %s; run `igtcloud login`", path);
  if (*fd < 0) {
    int os_error = errno;

    igt__fail_errno(err, os_error, "the token file %s cannot be opened", path);
    if (err)
      err->status = IGT_E_TOKEN_FILE;
    return IGT_E_TOKEN_FILE;
  }
  if (igt__os_fstat(*fd, st) != 0 || igt__os_stat_owner(*fd, st) != 0)
    status = igt__fail_errno(err, errno, "the token file %s", path);
  else
    status = check_trust(*fd, path, st, err);
  if (status != IGT_OK) {
    igt__os_close(*fd);
    *fd = -1;
  }
  return status;
}

/* ---- the content ---- */

static const char *text_of(const igt__json *object, const char *key) {
  const char *s = igt__json_get_str(object, key);

  return s && strlen(s) == igt__json_str_len(igt__json_get(object, key)) ? s : NULL;
}

/* Both halves of a torn read can be valid base64 and valid JSON. The file contains the JWT twice,
 * encoded and decoded, and every new JWT differs in one of these claims. */
static bool claims_agree(const igt__json *a, const igt__json *b) {
  return igt__json_int(igt__json_get(a, "exp")) == igt__json_int(igt__json_get(b, "exp")) &&
         igt__str_eq(text_of(a, "access_token"), text_of(b, "access_token")) &&
         igt__str_eq(text_of(a, "refresh_token"), text_of(b, "refresh_token"));
}

static bool copy_text(char *out, size_t cap, const char *s) {
  int n = snprintf(out, cap, "%s", s);

  return n >= 0 && (size_t)n < cap;
}

/* As in a header: what the login that wrote the file would not have accepted from the server. */
static bool is_header_safe(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
      return false;
  return true;
}

static igt_status fill_token(igt_token *token, const igt__json *root, const igt__json *claims,
                             igt_error *err) {
  const char *jwt = text_of(root, "jwt"), *csrf = text_of(root, "csrf");
  const char *access = text_of(claims, "access_token");
  const char *user = text_of(root, "sub"), *domain = text_of(root, "domain");

  if (!csrf || !domain || !igt__json_get(claims, "exp"))
    return igt__fail(err, IGT_E_PARSE, "a field is missing");
  if (!is_header_safe(jwt) || !is_header_safe(csrf))
    return igt__fail(err, IGT_E_PARSE, "a token contains spaces or control characters");
  if (!copy_text(token->user, sizeof token->user, user ? user : "") ||
      !copy_text(token->domain, sizeof token->domain, domain))
    return igt__fail(err, IGT_E_PARSE, "a field is too long");
  token->jwt = igt__secret_new(jwt, strlen(jwt));
  token->csrf = igt__secret_new(csrf, strlen(csrf));
  token->access = access ? igt__secret_new(access, strlen(access)) : NULL;
  if (!token->jwt || !token->csrf || (access && !token->access))
    return igt__fail_memory(err);
  token->expires = igt__lifetime_time(igt__json_get(claims, "exp"));
  token->has_refresh = text_of(claims, "refresh_token") != NULL;
  return IGT_OK;
}

static igt_status token_from_json(const igt__json *root, igt_token **out, igt_error *err) {
  const char *jwt = text_of(root, "jwt");
  igt_token *token = NULL;
  igt__json *claims = NULL;
  igt_status status = jwt ? igt__jwt_claims(jwt, &claims, err)
                          : igt__fail(err, IGT_E_PARSE, "it contains no token");

  if (status != IGT_OK)
    goto out;
  if (!claims_agree(claims, igt__json_get(root, "jwt_data"))) {
    status = igt__fail(err, IGT_E_PARSE, "its parts do not match each other");
    goto out;
  }
  token = igt__calloc(1, sizeof *token);
  status = token ? fill_token(token, root, claims, err) : igt__fail_memory(err);
  if (status == IGT_OK) {
    *out = token;
    token = NULL;
  }
out:
  igt_token_free(token);
  igt__json_free_wipe(claims);
  return status;
}

igt_status igt__token_parse(const char *data, size_t n, igt_token **out, igt_error *err) {
  igt__buf text;
  igt__json *root = NULL;
  igt_status status = IGT_OK;
  size_t len = 0;

  igt__buf_init(&text, IGT__TOKEN_FILE_SIZE);
  while (len < n && data[len] != '\0' && data[len] != '\n' && data[len] != '\r')
    len++;
  if (len == 0) {
    status = igt__fail(err, IGT_E_NO_SESSION, "it is empty");
    goto out;
  }
  if (!igt__base64_decode(&text, data, len)) {
    status = igt__fail(err, IGT_E_PARSE, "it is not base64");
    goto out;
  }
  status = igt__json_parse(text.data, text.len, "its content", &root, err);
  if (status == IGT_OK)
    status = token_from_json(root, out, err);
out:
  igt__json_free_wipe(root);
  igt__buf_finish_wipe(&text);
  return status;
}

igt_status igt__token_read_page(int fd, char *page, size_t *n, igt_error *err) {
  ssize_t got = 0;

  *n = 0;
  do {
    got = igt__os_pread(fd, page + *n, IGT__TOKEN_FILE_SIZE - *n, (int64_t)*n);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return igt__fail_errno(err, errno, "it cannot be read");
    *n += (size_t)got;
  } while (got != 0 && *n < IGT__TOKEN_FILE_SIZE);
  return IGT_OK;
}

/* Valid is what two reads return identically and what decodes. */
static igt_status read_settled(int fd, char *a, char *b, igt_token **out, igt_error *err) {
  size_t n = 0, m = 0;
  igt_status status = IGT_OK;

  for (int try = 0; try < TORN_TRIES; try++) {
    if (try > 0)
      igt__sleep_us(TORN_WAIT_US);
    status = igt__token_read_page(fd, a, &n, err);
    if (status == IGT_OK)
      status = igt__token_read_page(fd, b, &m, err);
    if (status != IGT_OK)
      return status;
    if (n != m || memcmp(a, b, n) != 0) {
      status = igt__fail(err, IGT_E_PARSE, "it keeps changing");
      continue;
    }
    status = igt__token_parse(a, n, out, err);
    if (status == IGT_OK || status == IGT_E_NO_SESSION || status == IGT_E_NO_MEMORY)
      return status;
  }
  return status;
}

static igt_status explain(const char *path, igt_status status, igt_error *err) {
  igt_error cause = IGT_ERROR_INIT;

  if (status == IGT_OK || status == IGT_E_NO_MEMORY)
    return status;
  if (status == IGT_E_NO_SESSION)
    return igt__fail(err, status, "not signed in: the token file %s is empty; run `igtcloud login`",
                     path);
  if (err)
    igt__error_keep(&cause, err);
  return igt__fail(err, IGT_E_TOKEN_FILE, "the token file %s is damaged: %s", path, cause.text);
}

igt_status igt__token_file_read(const char *path, igt_token **out, igt_error *err) {
  int fd = -1;
  igt__stat st;
  char *pages = NULL;
  igt_status status = igt__token_open(path, O_RDONLY, &fd, &st, err);

  if (status != IGT_OK)
    return status;
  pages = igt__calloc(2, IGT__TOKEN_FILE_SIZE);
  status = pages ? read_settled(fd, pages, pages + IGT__TOKEN_FILE_SIZE, out, err)
                 : igt__fail_memory(err);
  status = explain(path, status, err);
  if (status == IGT_OK)
    (*out)->holder = igt__os_holder(fd);
  if (pages)
    igt__wipe(pages, 2 * IGT__TOKEN_FILE_SIZE);
  igt__free(pages);
  igt__os_close(fd);
  return status;
}

bool igt__token_is_live(const igt_token *token) {
  return token->expires == 0 || token->expires > igt__wall_seconds();
}

/* A login holds the file and is due to renew the token, which takes a moment, or as long as the
 * network is down. */
static bool is_worth_a_wait(const igt_token *token) {
  return token->holder > 0 && token->expires > 0 &&
         token->expires - igt__wall_seconds() <= NEAR_END_S;
}

static igt_status fail_ended(const char *path, int64_t holder, igt_error *err) {
  if (holder > 0)
    return igt__fail(err, IGT_E_NO_SESSION,
                     "the token in %s has expired, and the running login (process %lld) has not "
                     "been able to renew it yet: is there a network?",
                     path, (long long)holder);
  return igt__fail(err, IGT_E_NO_SESSION,
                   "not signed in: the token in %s has expired; run `igtcloud login`", path);
}

/* Takes ownership of the token. True: it is the one to use, or waiting is useless. */
static bool settle(igt_token *token, igt__secret **first, bool late) {
  bool renewed = *first && strcmp(igt__secret_text(*first), igt__secret_text(token->jwt)) != 0;

  if (late || renewed || !is_worth_a_wait(token))
    return true;
  if (!*first) {
    *first = token->jwt;
    token->jwt = NULL;
  }
  igt_token_free(token);
  return false;
}

static igt_status read_live(const char *path, igt__cancel *cancel, igt_token **out,
                            igt_error *err) {
  int64_t until = igt__mono_us() + RENEWAL_WAIT_US;
  igt__secret *first = NULL; /* the JWT that is about to end */
  igt_token *token = NULL;
  igt_status status;

  *out = NULL;
  for (;;) {
    status = igt__token_file_read(path, &token, err);
    if (status != IGT_OK || settle(token, &first, igt__mono_us() >= until))
      break;
    token = NULL;
    if (igt__cancel_is_set(cancel)) {
      status =
          igt__fail(err, IGT_E_CANCELLED, "cancelled while the running login renews its token");
      break;
    }
    igt__sleep_us(RENEWAL_LOOK_US);
  }
  igt__secret_free(first);
  if (status != IGT_OK)
    return status;
  if (!igt__token_is_live(token)) {
    int64_t holder = token->holder;

    igt_token_free(token);
    return fail_ended(path, holder, err);
  }
  *out = token;
  return IGT_OK;
}

igt_status igt_token_read(const char *path, igt_token **out, igt_error *err) {
  return igt__token_read(path, NULL, out, err);
}

igt_status igt__token_read(const char *path, igt__cancel *cancel, igt_token **out, igt_error *err) {
  char chosen[IGT__OS_PATH_MAX];
  igt_status status = igt__token_path(path, chosen, sizeof chosen, err);

  *out = NULL;
  return status == IGT_OK ? read_live(chosen, cancel, out, err) : status;
}

igt_token *igt__token_new(const char *user, const char *domain, const char *jwt, const char *csrf,
                          const char *access, int64_t expires) {
  igt_token *token = igt__calloc(1, sizeof *token);

  if (!token)
    return NULL;
  (void)copy_text(token->user, sizeof token->user, user);
  (void)copy_text(token->domain, sizeof token->domain, domain);
  token->jwt = igt__secret_new(jwt, strlen(jwt));
  token->csrf = igt__secret_new(csrf, strlen(csrf));
  token->access = access ? igt__secret_new(access, strlen(access)) : NULL;
  token->expires = expires;
  if (token->jwt && token->csrf && (token->access || !access))
    return token;
  igt_token_free(token);
  return NULL;
}

void igt_token_free(igt_token *token) {
  if (!token)
    return;
  igt__secret_free(token->jwt);
  igt__secret_free(token->csrf);
  igt__secret_free(token->access);
  igt__free(token);
}

const char *igt_token_user(const igt_token *token) {
  return token->user;
}

const char *igt_token_domain(const igt_token *token) {
  return token->domain;
}

const char *igt_token_jwt(const igt_token *token) {
  return igt__secret_text(token->jwt);
}

const char *igt_token_csrf(const igt_token *token) {
  return igt__secret_text(token->csrf);
}

const char *igt_token_access(const igt_token *token) {
  return igt__secret_text(token->access);
}

int64_t igt_token_expires(const igt_token *token) {
  return token->expires;
}

int64_t igt_token_holder(const igt_token *token) {
  return token->holder;
}
