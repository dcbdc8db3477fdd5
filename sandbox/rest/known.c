/* SPDX-License-Identifier: MIT */
/* A table of SLOTS verified tokens, and one of passwords that were right, each found by a hash.
 * Verifying a signature or a password's hash is slow, so it is done once for each. Passwords are
 * kept as keyed digests only. session.c asks for tokens, people.c for passwords. */
#include "known.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "rest.h"

/* Tokens likely in use concurrently; one that hashes to another's slot replaces it. */
#define SLOTS 64

struct sbx_sessions {
  pthread_mutex_t lock;
  rest_known slots[SLOTS]; /* token "": empty */
  unsigned char key[32];   /* of the passwords' digests */
  unsigned char passwords[SLOTS][32];
};

sbx_sessions *sbx_sessions_new(void) {
  sbx_sessions *sessions = igt__calloc(1, sizeof *sessions);

  if (sessions && !igt__random(sessions->key, sizeof sessions->key)) {
    igt__free(sessions);
    return NULL;
  }
  if (sessions)
    pthread_mutex_init(&sessions->lock, NULL);
  return sessions;
}

void sbx_sessions_free(sbx_sessions *sessions) {
  if (!sessions)
    return;
  pthread_mutex_destroy(&sessions->lock);
  igt__wipe(sessions, sizeof *sessions);
  igt__free(sessions);
}

/* Hashes the end of the token, which is the signature: 0 to SLOTS - 1. */
static size_t place(const char *token, size_t n) {
  uint32_t hash = 2166136261u;

  for (size_t i = n > 16 ? n - 16 : 0; i < n; i++)
    hash = (hash ^ (unsigned char)token[i]) * 16777619u;
  return (hash ^ hash >> 16) % SLOTS;
}

bool rest_known_find(sbx_sessions *sessions, const char *token, uint64_t people, int64_t now,
                     rest_known *out) {
  size_t n = strlen(token);

  if (!sessions || n == 0 || n >= sizeof out->token)
    return false;
  pthread_mutex_lock(&sessions->lock);
  const rest_known *known = &sessions->slots[place(token, n)];
  bool found = strlen(known->token) == n && igt__equal_constant_time(known->token, token, n) &&
               known->people == people && known->until > now;
  if (found)
    *out = *known;
  pthread_mutex_unlock(&sessions->lock);
  return found;
}

void rest_known_keep(sbx_sessions *sessions, const rest_known *known) {
  if (!sessions)
    return;
  pthread_mutex_lock(&sessions->lock);
  sessions->slots[place(known->token, strlen(known->token))] = *known;
  pthread_mutex_unlock(&sessions->lock);
}

static void digest(const sbx_sessions *sessions, const char *stored, const char *password,
                   unsigned char out[32]) {
  unsigned char key[32];

  igt__hmac_sha256(sessions->key, sizeof sessions->key, stored, strlen(stored), key);
  igt__hmac_sha256(key, sizeof key, password, strlen(password), out);
  igt__wipe(key, sizeof key);
}

bool rest_known_password(sbx_sessions *sessions, const char *stored, const char *password) {
  unsigned char wanted[32];

  if (!sessions)
    return false;
  digest(sessions, stored, password, wanted);
  pthread_mutex_lock(&sessions->lock);
  bool found = igt__equal_constant_time(sessions->passwords[wanted[0] % SLOTS], wanted, 32);
  pthread_mutex_unlock(&sessions->lock);
  return found;
}

void rest_known_keep_password(sbx_sessions *sessions, const char *stored, const char *password) {
  unsigned char right[32];

  if (!sessions)
    return;
  digest(sessions, stored, password, right);
  pthread_mutex_lock(&sessions->lock);
  memcpy(sessions->passwords[right[0] % SLOTS], right, sizeof right);
  pthread_mutex_unlock(&sessions->lock);
}
