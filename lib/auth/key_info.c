/* SPDX-License-Identifier: MIT */
/* What a private key cannot say of itself: which service it belongs to, and until when. It is in
 * KEY.info beside the key, as JSON:
 *
 *     {"keys": [{"key": "sha256:...", "serviceId": "...", "name": "...", "organizationId": "...",
 *                "expiresOn": "2027-12-01T00:00:00Z", "replaces": ["..."]}]}
 *
 * An entry is found by the digest of the key file. So a key can be replaced in one step: first the
 * entry of the new key is added, then the new file is renamed over the old one; at every moment the
 * key file has its own entry. The latest entries are kept. No secret is in the file. */
#include "auth/key_info.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/sized.h"
#include "base/str.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "igtcloud/cloud.h"
#include "model/json.h"

#define ENTRIES_MOST 8
#define INFO_MAX ((size_t)64 * 1024)
#define DIGEST_SIZE (sizeof "sha256:" + 2 * IGT__DIGEST_MAX)

IGT__DEFINE_INIT(igt_key_info)

/* ---- the two files ---- */

static igt_status digest_of(const char *key_path, char out[DIGEST_SIZE], igt_error *err) {
  igt__digest *digest = igt__digest_new(IGT__SHA256);
  unsigned char bytes[IGT__DIGEST_MAX];
  char hex[2 * IGT__DIGEST_MAX + 1], *pem = NULL;
  size_t n = 0;
  igt_status status =
      digest ? igt__file_read(key_path, IGT__MAX_KEY_FILE, &pem, &n, err) : igt__fail_memory(err);

  if (status == IGT_OK) {
    igt__digest_update(digest, pem, n);
    igt__digest_final(digest, bytes);
    igt__hex(bytes, igt__digest_size(IGT__SHA256), hex);
    (void)snprintf(out, DIGEST_SIZE, "sha256:%s", hex);
  }
  if (pem)
    igt__wipe(pem, n);
  igt__free(pem);
  igt__digest_free(digest);
  return status;
}

static bool info_path(const char *key_path, const char *suffix, char *out, size_t cap) {
  int n = snprintf(out, cap, "%s.info%s", key_path, suffix);

  return n > 0 && (size_t)n < cap;
}

/* IGT_E_NO_FILE: there is none. */
static igt_status read_info(const char *key_path, igt__json **out, igt_error *err) {
  char path[IGT__OS_PATH_MAX], *text = NULL;
  size_t n = 0;
  igt_status status;

  *out = NULL;
  if (!info_path(key_path, "", path, sizeof path))
    return igt__fail(err, IGT_E_INVALID, "the name of the key file is too long");
  status = igt__file_read(path, INFO_MAX, &text, &n, err);
  if (status == IGT_OK)
    status = igt__json_parse(text, n, path, out, err);
  igt__free(text);
  return status;
}

static igt__json *find_entry(const igt__json *doc, const char *digest) {
  igt__json *keys = igt__json_get(doc, "keys");
  size_t count = igt__json_typeof(keys) == IGT__JSON_ARRAY ? igt__json_count(keys) : 0;

  for (size_t i = count; i > 0; i--) {
    const char *of = igt__json_get_str(igt__json_at(keys, i - 1), "key");
    if (of && strcmp(of, digest) == 0)
      return igt__json_at(keys, i - 1);
  }
  return NULL;
}

/* ---- reading ---- */

static void take_text(const igt__json *entry, const char *name, char *out, size_t cap) {
  const char *text = igt__json_get_str(entry, name);

  (void)snprintf(out, cap, "%s", text ? text : "");
}

static void take_entry(const igt__json *entry, igt_key_info *out) {
  const char *expires = igt__json_get_str(entry, "expiresOn");
  igt_time t;

  take_text(entry, "serviceId", out->service, sizeof out->service);
  take_text(entry, "name", out->name, sizeof out->name);
  take_text(entry, "organizationId", out->organization, sizeof out->organization);
  out->expires = expires && igt__time_parse(expires, &t) ? t.seconds : 0;
}

igt_status igt_key_info_read(const char *key_path, igt_key_info *out, igt_error *err) {
  igt_key_info own = IGT_KEY_INFO_INIT;
  char digest[DIGEST_SIZE];
  igt__json *doc = NULL;
  const igt__json *entry;
  igt_status status = igt__result_check(out, "igt_key_info", err);

  igt__error_clear(err);
  if (status != IGT_OK || !key_path)
    return igt__fail(
        err, IGT_E_INVALID,
        "no key path was given, or igt_key_info is not initialized: use IGT_KEY_INFO_INIT");
  status = digest_of(key_path, digest, err);
  if (status == IGT_OK)
    status = read_info(key_path, &doc, err);
  if (status == IGT_OK && !(entry = find_entry(doc, digest)))
    status = igt__fail(err, IGT_E_NO_FILE, "'%s.info' belongs to another key", key_path);
  if (status == IGT_OK) {
    take_entry(entry, &own);
    igt__result_write(out, &own, sizeof own);
  }
  igt__json_free(doc);
  return status;
}

static bool replaces(const igt__json *entry, const char *user) {
  const igt__json *list = igt__json_get(entry, "replaces");
  size_t count = igt__json_typeof(list) == IGT__JSON_ARRAY ? igt__json_count(list) : 0;

  for (size_t i = 0; i < count; i++) {
    const char *old = igt__json_str(igt__json_at(list, i));
    if (old && strcmp(old, user) == 0)
      return true;
  }
  return false;
}

bool igt__key_info_service(const char *key_path, const char *user, char *out, size_t cap) {
  char digest[DIGEST_SIZE];
  igt__json *doc = NULL;
  const igt__json *entry = NULL;
  const char *service = NULL;
  bool found;

  if (read_info(key_path, &doc, NULL) == IGT_OK && digest_of(key_path, digest, NULL) == IGT_OK)
    entry = find_entry(doc, digest);
  service = entry ? igt__json_get_str(entry, "serviceId") : NULL;
  found = service && *service && strlen(service) < cap &&
          (!user || strcmp(user, service) == 0 || replaces(entry, user));
  if (found)
    (void)snprintf(out, cap, "%s", service);
  igt__json_free(doc);
  return found;
}

/* ---- writing ---- */

/* Whom the key has replaced, and whom that one had. */
static igt__json *all_replaced(const igt__json *doc, const char *replaced) {
  igt__json *list = igt__json_new_array();
  const igt__json *keys = igt__json_get(doc, "keys");
  size_t count = igt__json_typeof(keys) == IGT__JSON_ARRAY ? igt__json_count(keys) : 0;

  (void)igt__json_push(list, igt__json_new_str(replaced));
  for (size_t i = 0; i < count; i++) {
    const igt__json *entry = igt__json_at(keys, i);
    const igt__json *more = igt__json_get(entry, "replaces");
    const char *id = igt__json_get_str(entry, "serviceId");
    size_t n = igt__json_typeof(more) == IGT__JSON_ARRAY ? igt__json_count(more) : 0;
    if (!id || strcmp(id, replaced) != 0)
      continue;
    for (size_t k = 0; k < n; k++)
      (void)igt__json_push(list, igt__json_copy(igt__json_at(more, k)));
  }
  return list;
}

static igt__json *new_entry(const igt__json *doc, const igt_key_info *info, const char *digest,
                            const char *replaced) {
  igt__json *entry = igt__json_new_object();
  const igt_time t = {.seconds = info->expires, .has_offset = true};
  char expires[40];

  (void)igt__json_set_str(entry, "key", digest);
  (void)igt__json_set_str(entry, "serviceId", info->service);
  (void)igt__json_set_str(entry, "name", info->name);
  (void)igt__json_set_str(entry, "organizationId", info->organization);
  if (info->expires) {
    igt__time_format(&t, 'T', expires, sizeof expires);
    (void)igt__json_set_str(entry, "expiresOn", expires);
  }
  if (replaced)
    (void)igt__json_set(entry, "replaces", all_replaced(doc, replaced));
  return entry;
}

/* A new document with the latest entries and this one. */
static igt__json *with_entry(const igt__json *doc, igt__json *entry) {
  igt__json *out = igt__json_new_object(), *list = igt__json_new_array();
  const igt__json *keys = igt__json_get(doc, "keys");
  size_t count = igt__json_typeof(keys) == IGT__JSON_ARRAY ? igt__json_count(keys) : 0;
  size_t first = count >= ENTRIES_MOST ? count - ENTRIES_MOST + 1 : 0;

  for (size_t i = first; i < count; i++)
    (void)igt__json_push(list, igt__json_copy(igt__json_at(keys, i)));
  (void)igt__json_push(list, entry);
  (void)igt__json_set(out, "keys", list);
  return out;
}

static igt_status write_file(const char *path, const char *key_path, const igt__json *doc,
                             igt_error *err) {
  int fd = igt__os_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  igt_status status = IGT_OK;
  igt__stat st;
  igt__buf text;

  if (fd < 0)
    return igt__fail_errno(err, errno, "cannot write '%s'", path);
  igt__buf_init(&text, INFO_MAX);
  /* The station reads it as its own user, root has rotated the key. */
  if (igt__os_stat(key_path, &st) == 0)
    (void)igt__os_take_after(fd, &st);
  if (!igt__json_write(&text, doc, IGT__JSON_COMPACT) || !igt__buf_puts(&text, "\n"))
    status = igt__fail_memory(err);
  else if (!igt__fd_write(fd, text.data, text.len) || !igt__file_sync(fd))
    status = igt__fail_errno(err, errno, "cannot write '%s'", path);
  igt__buf_finish(&text);
  if (igt__os_close(fd) != 0 && status == IGT_OK)
    status = igt__fail_errno(err, errno, "cannot write '%s'", path);
  return status;
}

static igt_status replace_info(const char *key_path, const igt__json *doc, igt_error *err) {
  char path[IGT__OS_PATH_MAX], fresh[IGT__OS_PATH_MAX];
  igt_status status;

  if (!info_path(key_path, "", path, sizeof path) ||
      !info_path(key_path, ".new", fresh, sizeof fresh))
    return igt__fail(err, IGT_E_INVALID, "the name of the key file is too long");
  status = write_file(fresh, key_path, doc, err);
  if (status == IGT_OK && igt__os_rename(fresh, path) != 0)
    status = igt__fail_errno(err, errno, "cannot write '%s'", path);
  if (status != IGT_OK)
    (void)igt__os_unlink(fresh);
  return status;
}

igt_status igt_key_info_add(const char *key_path, const char *new_key, const igt_key_info *info,
                            const char *replaced, igt_error *err) {
  igt_key_info own;
  char digest[DIGEST_SIZE];
  igt__json *doc = NULL, *fresh = NULL;
  igt_status status = igt__options_read(&own, sizeof own, info, "igt_key_info", err);

  igt__error_clear(err);
  if (status != IGT_OK)
    return status;
  if (!key_path || !*own.service)
    return igt__fail(err, IGT_E_INVALID, "no key path or no service was given");
  status = digest_of(new_key ? new_key : key_path, digest, err);
  if (status != IGT_OK)
    return status;
  (void)read_info(key_path, &doc, NULL); /* a damaged one is replaced */
  fresh = with_entry(doc, new_entry(doc, &own, digest, replaced));
  status = fresh ? replace_info(key_path, fresh, err) : igt__fail_memory(err);
  igt__json_free(fresh);
  igt__json_free(doc);
  return status;
}
