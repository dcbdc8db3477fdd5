/* SPDX-License-Identifier: MIT */
/* Hides registered secrets in messages.
 *
 * Secrets are long (a token has kilobytes) and numerous (each study's S3 credentials), messages are
 * short. The message is therefore indexed by the hashes of each 8 bytes of it, then each secret is
 * read once. Where 8 of its bytes may occur in the message, the length of the common run is
 * measured. Encoded forms are found by decoding the message, not by encoding the secrets. error.c
 * and log.c call igt__redact on every text; lib/auth and lib/crypto register the secrets. */
#include "base/redact.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define HIDDEN "(hidden)"
#define LONGEST 2048 /* of a message or log line; anything after it is ignored */
#define BUCKETS 1024
#define GRAM 8
#define NONE UINT16_MAX
/* Base64 of IGT__REDACT_RUN bytes, at any offset. */
#define BASE64_RUN 22

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static igt__redacted *first; /* guarded by lock */

void igt__redact_remember(igt__redacted *entry, const char *text, size_t len) {
  *entry = (igt__redacted){.text = text, .len = len};
  if (len < IGT__REDACT_RUN)
    return;
  pthread_mutex_lock(&lock);
  entry->next = first;
  entry->prev = &first;
  if (first)
    first->prev = &entry->next;
  first = entry;
  pthread_mutex_unlock(&lock);
}

/* The length says whether it is in the list: prev is written by whoever forgets its neighbour. */
void igt__redact_forget(igt__redacted *entry) {
  if (entry->len < IGT__REDACT_RUN)
    return;
  pthread_mutex_lock(&lock);
  *entry->prev = entry->next;
  if (entry->next)
    entry->next->prev = entry->prev;
  pthread_mutex_unlock(&lock);
  *entry = (igt__redacted){0};
}

/* ---- common runs of two texts ---- */

typedef struct grams {
  const char *text;
  size_t n;
  uint16_t head[BUCKETS];
  uint16_t next[LONGEST];
} grams;

static unsigned bucket_of(const char *s) {
  uint64_t v;

  memcpy(&v, s, GRAM);
  return (unsigned)((v * 0x9e3779b97f4a7c15u) >> 54);
}

static void index_text(grams *g, const char *text, size_t n) {
  g->text = text;
  g->n = n;
  memset(g->head, 0xff, sizeof g->head);
  for (size_t i = 0; i + GRAM <= n; i++) {
    unsigned b = bucket_of(text + i);

    g->next[i] = g->head[b];
    g->head[b] = (uint16_t)i;
  }
}

/* Marks the parts of the text that it shares with the secret. */
static bool mark_secret(const grams *g, const char *secret, size_t len, bool *marks) {
  bool found = false;

  for (size_t j = 0; j + IGT__REDACT_RUN <= len; j++)
    for (uint16_t i = g->head[bucket_of(secret + j)]; i != NONE; i = g->next[i]) {
      size_t same = 0;

      while (i + same < g->n && j + same < len && g->text[i + same] == secret[j + same])
        same++;
      if (same < IGT__REDACT_RUN)
        continue;
      memset(marks + i, true, same);
      found = true;
    }
  return found;
}

static bool mark_locked(grams *g, const char *text, size_t n, bool *marks) {
  bool found = false;

  if (n < IGT__REDACT_RUN)
    return false;
  index_text(g, text, n);
  for (const igt__redacted *e = first; e; e = e->next)
    found |= mark_secret(g, e->text, e->len, marks);
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

static void mark_base64_locked(grams *g, const char *text, size_t n, bool *marks) {
  char decoded[LONGEST];
  bool ignored[LONGEST];

  for (size_t i = 0, run; i < n; i += run + 1) {
    for (run = 0; i + run < n && base64_value(text[i + run]) >= 0;)
      run++;
    for (size_t k = 0; k < 4 && run >= BASE64_RUN; k++)
      if (mark_locked(g, decoded, decode_base64(text + i + k, run - k, decoded), ignored))
        memset(marks + i, true, run);
  }
}

static void mark_percent_locked(grams *g, const char *text, size_t n, bool *marks) {
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
  if (!mark_locked(g, decoded, len, found))
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
  bool marks[LONGEST] = {false};
  grams g;

  if (n < IGT__REDACT_RUN)
    return;
  if (n > LONGEST)
    n = LONGEST;
  pthread_mutex_lock(&lock);
  if (first) {
    (void)mark_locked(&g, text, n, marks);
    mark_base64_locked(&g, text, n, marks);
    mark_percent_locked(&g, text, n, marks);
  }
  pthread_mutex_unlock(&lock);
  if (memchr(marks, true, n))
    replace(text, n, marks);
}
