/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "s3/internal.h"

/* What callers see, followed by the cached signing key and the base URL of the bucket. */
typedef struct credentials {
  igt__s3_credentials pub; /* must be first */
  pthread_mutex_t lock;
  /* protected by lock */
  char date[9];
  char region[64];
  igt__sigv4_key key;
  char place[1024]; /* "https://host/bucket/"; "": not known yet */
  char place_region[64];
} credentials;

igt__s3_credentials *igt__s3_credentials_new(void) {
  credentials *c = igt__calloc(1, sizeof *c);

  if (!c)
    return NULL;
  c->pub.refs = 1;
  pthread_mutex_init(&c->lock, NULL);
  return &c->pub;
}

igt__s3_credentials *igt__s3_credentials_ref(igt__s3_credentials *c) {
  if (c)
    __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
  return c;
}

void igt__s3_credentials_unref(igt__s3_credentials *c) {
  credentials *whole = (credentials *)c;

  if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  igt__secret_free(c->access_key);
  igt__secret_free(c->secret_key);
  igt__secret_free(c->session_token);
  pthread_mutex_destroy(&whole->lock);
  igt__wipe(whole, sizeof *whole);
  igt__free(whole);
}

void igt__s3_signing_key(igt__s3_credentials *c, const char *timestamp, const char *region,
                         igt__sigv4_key *out) {
  credentials *whole = (credentials *)c;

  pthread_mutex_lock(&whole->lock);
  if (strncmp(whole->date, timestamp, 8) != 0 || strcmp(whole->region, region) != 0) {
    igt__sigv4_key_derive(igt__secret_text(c->secret_key), igt__secret_len(c->secret_key),
                          timestamp, region, "s3", &whole->key);
    memcpy(whole->date, timestamp, 8);
    snprintf(whole->region, sizeof whole->region, "%s", region);
  }
  *out = whole->key;
  pthread_mutex_unlock(&whole->lock);
}

bool igt__s3_place_recall(igt__s3_credentials *c, const char *region, igt__buf *url) {
  credentials *whole = (credentials *)c;
  bool known;

  pthread_mutex_lock(&whole->lock);
  known = whole->place[0] && strcmp(whole->place_region, region) == 0 &&
          igt__buf_puts(url, whole->place);
  pthread_mutex_unlock(&whole->lock);
  return known;
}

void igt__s3_place_keep(igt__s3_credentials *c, const char *region, const igt__buf *url) {
  credentials *whole = (credentials *)c;

  if (url->failed || url->len >= sizeof whole->place || strlen(region) >= 64)
    return;
  pthread_mutex_lock(&whole->lock);
  memcpy(whole->place, url->data, url->len + 1);
  igt__str_copy(whole->place_region, sizeof whole->place_region, region);
  pthread_mutex_unlock(&whole->lock);
}

/* A time without an offset is UTC. */
int64_t igt__s3_expires_parse(const char *text) {
  igt_time time;

  if (!text || !igt__time_parse(text, &time))
    return 0;
  return time.seconds;
}
