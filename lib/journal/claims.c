/* SPDX-License-Identifier: MIT */
/* Coordination between processes that share the journal. Locks on bytes of a file beside it keep
 * them apart: studies under creation, uploads that are worked on, partial files of downloads. A
 * name is hashed to the byte that is locked; the kernel releases the locks of a process that ends.
 * A table shares the studies that were created. Called by the upload (match, create, unfinished
 * uploads) and by download/partial.c. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/os/os.h"
#include "crypto/crypto.h"
#include "journal/internal.h"

/* For a year: an upload that takes weeks may be the same command each day. */
#define CREATED_KEPT_S (366 * 24 * 60 * 60)

/* ---- claims ---- */

/* The byte of a name. Two names with the same byte wait for each other, which does no harm. */
static int64_t place_of(const char *origin, const char *institute, const char *name) {
  igt__digest *digest = igt__digest_new(IGT__SHA256);
  const char *const parts[] = {origin, institute, name};
  unsigned char out[IGT__DIGEST_MAX];
  uint64_t place = 0;

  if (!digest)
    return 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    igt__digest_update(digest, parts[i], strlen(parts[i]) + 1);
  igt__digest_final(digest, out);
  igt__digest_free(digest);
  memcpy(&place, out, sizeof place);
  return (int64_t)(place >> 2);
}

/* Downloads never need it. Without it, two concurrent programs may create the same study, or one
 * may end the other's upload. */
static bool open_claims(igt__journal *journal) {
  pthread_mutex_lock(&journal->lock);
  if (journal->claims < 0) /* igt__journal_open verified that it is a regular file or absent */
    journal->claims =
        igt__os_open(journal->claims_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
  pthread_mutex_unlock(&journal->lock);
  return journal->claims >= 0;
}

static bool lock_name(igt__journal *journal, bool shared, const char *origin, const char *group,
                      const char *name) {
  if (!journal || !open_claims(journal))
    return true;
  return igt__os_lock_byte(journal->claims, place_of(origin, group, name), shared) == 0 ||
         (errno != EAGAIN && errno != EACCES); /* a file system without locks */
}

static void unlock_name(igt__journal *journal, const char *origin, const char *group,
                        const char *name) {
  if (journal && journal->claims >= 0)
    (void)igt__os_unlock_byte(journal->claims, place_of(origin, group, name));
}

bool igt__journal_claim(igt__journal *journal, const char *origin, const char *institute,
                        const char *name) {
  return lock_name(journal, false, origin, institute, name);
}

void igt__journal_unclaim(igt__journal *journal, const char *origin, const char *institute,
                          const char *name) {
  unlock_name(journal, origin, institute, name);
}

/* No institute has this id. */
#define UPLOADS "uploads"

bool igt__journal_hold_upload(igt__journal *journal, const char *origin, const char *key,
                              bool alone) {
  return lock_name(journal, !alone, origin, UPLOADS, key);
}

void igt__journal_release_upload(igt__journal *journal, const char *origin, const char *key) {
  unlock_name(journal, origin, UPLOADS, key);
}

bool igt__journal_upload_is_held(igt__journal *journal, const char *origin, const char *key) {
  return journal && open_claims(journal) &&
         igt__os_byte_is_locked(journal->claims, place_of(origin, UPLOADS, key));
}

/* ---- partial files ---- */

/* No institute has this id. */
#define PARTIALS "partials"

/* Another machine, or another user's journal, must not produce the same name. */
static bool make_salt(const igt__journal *journal, char salt[9]) {
  char host[256] = "", hex[2 * IGT__DIGEST_MAX + 1];
  unsigned char out[IGT__DIGEST_MAX];
  igt__digest *digest = igt__digest_new(IGT__SHA256);

  if (!digest)
    return false;
  igt__os_host_name(host, sizeof host);
  igt__digest_update(digest, host, strlen(host) + 1);
  igt__digest_update(digest, journal->claims_path, strlen(journal->claims_path));
  igt__digest_final(digest, out);
  igt__digest_free(digest);
  igt__hex(out, 4, hex);
  memcpy(salt, hex, 9);
  return true;
}

bool igt__journal_hold_partial(igt__journal *journal, const char *root, const char *path,
                               char salt[9]) {
  return journal && open_claims(journal) && make_salt(journal, salt) &&
         igt__os_lock_byte(journal->claims, place_of(PARTIALS, root, path), false) == 0;
}

void igt__journal_release_partial(igt__journal *journal, const char *root, const char *path) {
  unlock_name(journal, PARTIALS, root, path);
}

/* ---- studies that were created ---- */

bool igt__journal_find_created(igt__journal *journal, const char *origin, const char *institute,
                               const char *name, char id[128]) {
  sqlite3_stmt *stmt;
  bool found;

  if (!journal)
    return false;
  pthread_mutex_lock(&journal->lock);
  /* A batch sees nothing that others wrote after it began. */
  (void)igt__journal_commit_locked(journal);
  stmt = igt__journal_start_locked(journal, FIND_CREATED, origin, institute);
  igt__bind_text(stmt, 3, name);
  found = sqlite3_step(stmt) == SQLITE_ROW;
  if (found)
    igt__column_text(stmt, 0, id, 128);
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return found;
}

bool igt__journal_is_of_other(igt__journal *journal, const char *origin, const char *institute,
                              const char *name, const char *id) {
  sqlite3_stmt *stmt;
  bool found;

  if (!journal)
    return false;
  pthread_mutex_lock(&journal->lock);
  stmt = igt__journal_start_locked(journal, FIND_CREATOR, origin, institute);
  igt__bind_text(stmt, 3, id);
  igt__bind_text(stmt, 4, name);
  found = sqlite3_step(stmt) == SQLITE_ROW;
  (void)sqlite3_reset(stmt);
  pthread_mutex_unlock(&journal->lock);
  return found;
}

void igt__journal_put_created(igt__journal *journal, const char *origin, const char *institute,
                              const char *name, const char *id) {
  int64_t now = igt__wall_seconds();
  sqlite3_stmt *stmt;

  if (!journal)
    return;
  pthread_mutex_lock(&journal->lock);
  igt__bind_int(journal->stmt[FORGET_CREATED], 1, (uint64_t)(now - CREATED_KEPT_S));
  igt__journal_write_locked(journal, FORGET_CREATED);
  stmt = igt__journal_start_locked(journal, PUT_CREATED, origin, institute);
  igt__bind_text(stmt, 3, name);
  igt__bind_text(stmt, 4, id);
  igt__bind_int(stmt, 5, (uint64_t)now);
  igt__journal_write_locked(journal, PUT_CREATED);
  (void)igt__journal_commit_locked(journal);
  pthread_mutex_unlock(&journal->lock);
}
