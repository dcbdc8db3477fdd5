/* SPDX-License-Identifier: MIT */
/* Hides registered secrets in messages.
 *
 * Every error and every log line passes through here, and a transfer has hundreds of secrets of
 * kilobytes (the S3 credentials of each prefix). The secrets are therefore indexed: each STRIDE
 * bytes, the GRAM bytes there are entered in a hash table, which any run of IGT__REDACT_RUN bytes
 * meets at least once. A message costs one lookup for each of its bytes, however many secrets there
 * are. Where it meets a secret, the length of the common run is measured. Encoded forms are found
 * by decoding the message, not by encoding the secrets. error.c and log.c call igt__redact on every
 * text; lib/auth and lib/crypto register the secrets. */
#include "base/redact.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define HIDDEN "(hidden)"
#define LONGEST 2048 /* of a message or log line; anything after it is ignored */
#define BUCKETS 16384
#define GRAM 8
#define STRIDE (IGT__REDACT_RUN - GRAM + 1)
/* Base64 of IGT__REDACT_RUN bytes, at any offset. */
#define BASE64_RUN 22

/* The GRAM bytes at a multiple of STRIDE in a secret: its index in the secret's grams says where.
 */
typedef struct igt__redacted_gram {
  struct igt__redacted_gram *next; /* of the bucket */
  const igt__redacted *secret;
} gram;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gram *buckets[BUCKETS];   /* guarded by lock */
static igt__redacted *unindexed; /* guarded by lock; there was no memory for their grams */
static size_t registered;        /* guarded by lock */

static gram **bucket_of(const char *s) {
  uint64_t v;

  memcpy(&v, s, GRAM);
  return &buckets[(v * 0x9e3779b97f4a7c15u) >> 50];
}

static size_t grams_of(const igt__redacted *entry) {
  return (entry->len - GRAM) / STRIDE + 1;
}

void igt__redact_remember(igt__redacted *entry, const char *text, size_t len) {
  *entry = (igt__redacted){.text = text, .len = len};
  if (len < IGT__REDACT_RUN)
    return;
  entry->grams = igt__calloc(grams_of(entry), sizeof *entry->grams);
  pthread_mutex_lock(&lock);
  registered++;
  if (!entry->grams) {
    entry->next = unindexed;
    unindexed = entry;
  }
  for (size_t i = 0; entry->grams && i < grams_of(entry); i++) {
    gram **bucket = bucket_of(text + i * STRIDE);

    entry->grams[i] = (gram){.next = *bucket, .secret = entry};
    *bucket = &entry->grams[i];
  }
  pthread_mutex_unlock(&lock);
}

static void forget_gram(gram *g, const char *text) {
  gram **at = bucket_of(text);

  while (*at != g)
    at = &(*at)->next;
  *at = g->next;
}

void igt__redact_forget(igt__redacted *entry) {
  if (entry->len < IGT__REDACT_RUN)
    return;
  pthread_mutex_lock(&lock);
  registered--;
  for (size_t i = 0; entry->grams && i < grams_of(entry); i++)
    forget_gram(&entry->grams[i], entry->text + i * STRIDE);
  for (igt__redacted **at = &unindexed; *at; at = &(*at)->next)
    if (*at == entry) {
      *at = entry->next;
      break;
    }
  pthread_mutex_unlock(&lock);
  igt__free(entry->grams);
  *entry = (igt__redacted){0};
}

/* ---- common runs of two texts ---- */

/* The text has the same GRAM bytes at i as the secret at j: marks the whole run that they share. */
static bool mark_run(const char *text, size_t n, size_t i, const igt__redacted *secret, size_t j,
                     bool *marks) {
  size_t before = 0, same = GRAM;

  while (before < i && before < j && text[i - before - 1] == secret->text[j - before - 1])
    before++;
  while (i + same < n && j + same < secret->len && text[i + same] == secret->text[j + same])
    same++;
  if (before + same < IGT__REDACT_RUN)
    return false;
  memset(marks + i - before, true, before + same);
  return true;
}

static bool mark_unindexed(const char *text, size_t n, size_t i, bool *marks) {
  bool found = false;

  for (const igt__redacted *secret = unindexed; secret; secret = secret->next)
    for (size_t j = 0; j + GRAM <= secret->len; j += STRIDE)
      if (memcmp(text + i, secret->text + j, GRAM) == 0)
        found |= mark_run(text, n, i, secret, j, marks);
  return found;
}

/* Marks the parts of the text that it shares with a secret. */
static bool mark_locked(const char *text, size_t n, bool *marks) {
  bool found = false;

  for (size_t i = 0; n >= IGT__REDACT_RUN && i + GRAM <= n; i++) {
    for (const gram *g = *bucket_of(text + i); g; g = g->next) {
      size_t j = (size_t)(g - g->secret->grams) * STRIDE;

      if (memcmp(text + i, g->secret->text + j, GRAM) == 0)
        found |= mark_run(text, n, i, g->secret, j, marks);
    }
    if (unindexed)
      found |= mark_unindexed(text, n, i, marks);
  }
  return found;
}

/* ---- encoded forms ---- */

static int base64_value(char c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = c ? strchr(digits, c == '-' ? '+' : c == '_' ? '/' : c) : NULL;

  return at ? (int)(at - digits) : -1;
}

static size_t decode_base64(const char *text, size_t n, char *out) {
  size_t len = 0;

  for (size_t i = 0; i + 4 <= n; i += 4) {
    uint32_t v = 0;

    for (size_t k = 0; k < 4; k++)
      v = v << 6 | (uint32_t)base64_value(text[i + k]);
    out[len++] = (char)(v >> 16);
    out[len++] = (char)(v >> 8);
    out[len++] = (char)v;
  }
  return len;
}

static void mark_base64_locked(const char *text, size_t n, bool *marks) {
  char decoded[LONGEST];
  bool ignored[LONGEST];

  for (size_t i = 0, run; i < n; i += run + 1) {
    for (run = 0; i + run < n && base64_value(text[i + run]) >= 0;)
      run++;
    for (size_t k = 0; k < 4 && run >= BASE64_RUN; k++)
      if (mark_locked(decoded, decode_base64(text + i + k, run - k, decoded), ignored))
        memset(marks + i, true, run);
  }
}

static void mark_percent_locked(const char *text, size_t n, bool *marks) {
  char decoded[LONGEST];
  bool found[LONGEST] = {false};
  uint16_t from[LONGEST + 1];
  size_t len = 0;

  if (!memchr(text, '%', n))
    return;
  for (size_t i = 0; i < n; len++) {
    bool escape = text[i] == '%' && i + 2 < n && igt__hex_value(text[i + 1]) >= 0 &&
                  igt__hex_value(text[i + 2]) >= 0;

    from[len] = (uint16_t)i;
    decoded[len] =
        escape ? (char)(igt__hex_value(text[i + 1]) * 16 + igt__hex_value(text[i + 2])) : text[i];
    i += escape ? 3 : 1;
  }
  from[len] = (uint16_t)n;
  if (!mark_locked(decoded, len, found))
    return;
  for (size_t i = 0; i < len; i++)
    if (found[i])
      memset(marks + from[i], true, (size_t)(from[i + 1] - from[i]));
}

/* ---- replacing ---- */

static void replace(char *text, size_t n, const bool *marks) {
  size_t out = 0;

  for (size_t i = 0; i < n; i++) {
    if (!marks[i]) {
      text[out++] = text[i];
    } else if (i == 0 || !marks[i - 1]) { /* a run is longer than its replacement */
      memcpy(text + out, HIDDEN, sizeof HIDDEN - 1);
      out += sizeof HIDDEN - 1;
    }
  }
  memmove(text + out, text + n, strlen(text + n) + 1);
}

void igt__redact(char *text) {
  size_t n = strlen(text);
  bool marks[LONGEST];

  if (n < IGT__REDACT_RUN)
    return;
  if (n > LONGEST)
    n = LONGEST;
  memset(marks, false, n);
  pthread_mutex_lock(&lock);
  if (registered) {
    (void)mark_locked(text, n, marks);
    mark_base64_locked(text, n, marks);
    mark_percent_locked(text, n, marks);
  }
  pthread_mutex_unlock(&lock);
  if (memchr(marks, true, n))
    replace(text, n, marks);
}
