/* SPDX-License-Identifier: MIT */
/* S3 credentials: issues temporary ones for the REST side (sbx_credentials_issue) and finds them
 * for the S3 side, and creates the root account. They are kept in the store as small values; a
 * set-associative cache in front of it keeps the credentials and the signing key of the day, so
 * that a signature check neither reads the store nor derives the key. auth.c uses s3_identity_find,
 * rest/auth.c issues, main.c writes the root account. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/root.h"
#include "internal.h"

#define KIND "s3credentials"
#define ROOT_KIND "s3root"

/* Credentials are remembered for a week after they expire, so that the response is ExpiredToken. */
#define REMEMBERED (7 * 24 * 3600)

/* AWS session tokens are some hundred characters long; clients must not rely on shorter ones. */
#define TOKEN_CHARS 356

/* ---- the cache ---- */

/* Enough for the accounts that are likely in use concurrently: one per study and direction. Each
 * set holds a few accounts with the same hash. */
#define SETS 256
#define WAYS 4

typedef struct slot {
  char day[9]; /* of the signing key; "" for an empty slot */
  sbx_credentials credentials;
  igt__sigv4_key key;
} slot;

typedef struct set {
  slot slots[WAYS];
  unsigned next; /* index of the next slot to replace */
} set;

struct sbx_s3 {
  pthread_mutex_t lock;
  set sets[SETS];
};

sbx_s3 *sbx_s3_new(void) {
  sbx_s3 *s3 = igt__calloc(1, sizeof *s3);

  if (s3)
    pthread_mutex_init(&s3->lock, NULL);
  return s3;
}

void sbx_s3_free(sbx_s3 *s3) {
  if (!s3)
    return;
  pthread_mutex_destroy(&s3->lock);
  igt__wipe(s3, sizeof *s3);
  igt__free(s3);
}

/* FNV-1a; access keys are random already. */
static set *set_of(sbx_s3 *s3, const char *access_key) {
  uint32_t hash = 2166136261u;

  for (; *access_key; access_key++)
    hash = (hash ^ (unsigned char)*access_key) * 16777619u;
  return &s3->sets[hash % SETS];
}

static bool slot_read(sbx_s3 *s3, const char *access_key, const char *day, sbx_credentials *out,
                      igt__sigv4_key *key) {
  bool found = false;

  pthread_mutex_lock(&s3->lock);
  const set *among = set_of(s3, access_key);
  for (size_t i = 0; i < WAYS && !found; i++) {
    const slot *s = &among->slots[i];
    found = strcmp(s->day, day) == 0 && strcmp(s->credentials.access_key, access_key) == 0;
    if (found) {
      *out = s->credentials;
      *key = s->key;
    }
  }
  pthread_mutex_unlock(&s3->lock);
  return found;
}

static void slot_write(sbx_s3 *s3, const char *day, const sbx_credentials *credentials,
                       const igt__sigv4_key *key) {
  pthread_mutex_lock(&s3->lock);
  set *among = set_of(s3, credentials->access_key);
  slot *s = &among->slots[among->next++ % WAYS];
  snprintf(s->day, sizeof s->day, "%.8s", day);
  s->credentials = *credentials;
  s->key = *key;
  pthread_mutex_unlock(&s3->lock);
}

bool s3_identity_find(sbx_server *server, const char *access_key, const char *day,
                      sbx_credentials *credentials, igt__sigv4_key *key) {
  if (server->s3 && slot_read(server->s3, access_key, day, credentials, key))
    return true;
  if (!sbx_credentials_find(server, access_key, credentials))
    return false;
  igt__sigv4_key_derive(credentials->secret_key, strlen(credentials->secret_key), day, SBX_REGION,
                        "s3", key);
  if (server->s3)
    slot_write(server->s3, day, credentials, key);
  return true;
}

/* ---- in the store ---- */

static bool save(sbx_store *store, const sbx_credentials *c) {
  igt__buf text;
  igt__json *doc = igt__json_new_object();

  igt__buf_init(&text, 16 * 1024);
  bool ok =
      doc && igt__json_set_str(doc, "secretKey", c->secret_key) &&
      igt__json_set_str(doc, "sessionToken", c->session_token) &&
      igt__json_set_str(doc, "bucket", c->bucket) && igt__json_set_str(doc, "prefix", c->prefix) &&
      igt__json_set_str(doc, "action", c->action) &&
      igt__json_set_int(doc, "expires", c->expires) &&
      igt__json_write(&text, doc, IGT__JSON_COMPACT) &&
      sbx_kv_put(store, KIND, c->access_key, text.data, c->expires ? c->expires + REMEMBERED : 0);
  igt__json_free(doc);
  igt__buf_finish_wipe(&text);
  return ok;
}

static void copy(char *out, size_t cap, const igt__json *doc, const char *name) {
  const char *text = igt__json_get_str(doc, name);

  snprintf(out, cap, "%s", text ? text : "");
}

bool sbx_credentials_find(sbx_server *server, const char *access_key, sbx_credentials *out) {
  igt__json *doc = NULL;
  char *text = sbx_kv_get(server->store, KIND, access_key);
  bool ok = text && igt__json_parse(text, strlen(text), "credentials", &doc, NULL) == IGT_OK;

  if (ok) {
    *out = (sbx_credentials){.expires = igt__json_int(igt__json_get(doc, "expires"))};
    snprintf(out->access_key, sizeof out->access_key, "%s", access_key);
    copy(out->secret_key, sizeof out->secret_key, doc, "secretKey");
    copy(out->session_token, sizeof out->session_token, doc, "sessionToken");
    copy(out->bucket, sizeof out->bucket, doc, "bucket");
    copy(out->prefix, sizeof out->prefix, doc, "prefix");
    copy(out->action, sizeof out->action, doc, "action");
  }
  igt__json_free(doc);
  if (text)
    igt__wipe(text, strlen(text));
  igt__free(text);
  return ok;
}

/* type: "ASIA" for keys that need a token, "AKIA" for those that do not. */
static bool make_keys(const char *type, sbx_credentials *out) {
  char id[17];

  if (!igt__random_token(id, 16) || !igt__random_token(out->secret_key, 40))
    return false;
  for (char *p = id; *p; p++)
    if (*p >= 'a' && *p <= 'z')
      *p = (char)(*p - 'a' + 'A');
  snprintf(out->access_key, sizeof out->access_key, "%s%s", type, id);
  return true;
}

bool sbx_credentials_issue(sbx_server *server, const char *action, const char *prefix,
                           sbx_credentials *out) {
  *out = (sbx_credentials){.bucket = SBX_BUCKET};
  if (strlen(action) >= sizeof out->action || strlen(prefix) >= sizeof out->prefix)
    return false;
  snprintf(out->action, sizeof out->action, "%s", action);
  snprintf(out->prefix, sizeof out->prefix, "%s", prefix);
  out->expires = igt__wall_seconds() + server->s3_lifetime;
  return make_keys("ASIA", out) && igt__random_token(out->session_token, TOKEN_CHARS) &&
         save(server->store, out);
}

/* ---- the root account ---- */

static bool root_find(sbx_server *server, sbx_credentials *out) {
  char *access_key = sbx_kv_get(server->store, ROOT_KIND, "accessKey");
  bool found = access_key && sbx_credentials_find(server, access_key, out);

  igt__free(access_key);
  if (found)
    return true;
  *out = (sbx_credentials){.bucket = SBX_BUCKET, .action = "*"};
  return make_keys("AKIA", out) && save(server->store, out) &&
         sbx_kv_put(server->store, ROOT_KIND, "accessKey", out->access_key, 0);
}

static bool root_text(const sbx_server *server, const sbx_credentials *root, igt__buf *out) {
  igt__json *doc = igt__json_new_object();
  bool ok = doc && igt__json_set_str(doc, "accessKey", root->access_key) &&
            igt__json_set_str(doc, "secretKey", root->secret_key) &&
            igt__json_set_str(doc, "endpoint", server->base_url) &&
            igt__json_set_str(doc, "region", SBX_REGION) &&
            igt__json_set_str(doc, "bucket", SBX_BUCKET) &&
            igt__json_write(out, doc, IGT__JSON_INDENT4) && igt__buf_putc(out, '\n');

  igt__json_free(doc);
  return ok;
}

/* Writes the whole file or none, never readable by others. */
static bool write_private(const char *path, const char *data, size_t n) {
  char temporary[4200];

  if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
    return false;
  unlink(temporary);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return false;
  bool ok = igt__fd_write(fd, data, n);
  ok = close(fd) == 0 && ok && rename(temporary, path) == 0;
  if (!ok)
    unlink(temporary);
  return ok;
}

bool sbx_s3_root_write(sbx_server *server, char *error, size_t error_cap) {
  sbx_credentials root;
  igt__buf text;
  char path[4096];
  bool ok = false;

  igt__buf_init(&text, 16 * 1024);
  if (!root_find(server, &root) || !root_text(server, &root, &text)) {
    snprintf(error, error_cap, "the root account's keys cannot be stored in %s", server->data_dir);
    goto out;
  }
  if (snprintf(path, sizeof path, "%s/root-credentials.json", server->data_dir) >=
          (int)sizeof path ||
      !write_private(path, text.data, text.len)) {
    snprintf(error, error_cap, "%s/root-credentials.json cannot be written: %s", server->data_dir,
             strerror(errno));
    goto out;
  }
  ok = true;

out:
  igt__wipe(&root, sizeof root);
  igt__buf_finish_wipe(&text);
  return ok;
}
