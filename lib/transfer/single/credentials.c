/* SPDX-License-Identifier: MIT */
/* What a client's single objects share. The credentials: a provider for each action and prefix,
 * kept with the client (igt__client_attached), so that many calls on many threads share them. The
 * least recently used ones are dropped, and all of them when the client signs out: the next account
 * must not use the last one's. A provider that is dropped lives until its last user is done. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/mem.h"
#include "cloud/credentials.h"
#include "transfer/engine/pool.h"
#include "transfer/single/object.h"

/* Studies that a program works on at the same time; each entry is some 2 KiB. */
#define KEPT_MOST 256
/* Different prefixes fetch concurrently; one request takes one or two round trips. */
#define WORKERS 8

typedef struct entry {
  struct entry *next; /* the most recently used one is first */
  igt__s3_provider *provider;
  char action[8];
  char prefix[];
} entry;

typedef struct kept {
  igt__attached base; /* must be first */
  igt_client *client;
  igt__pool *pool;
  igt__s3 *s3;
  igt__sync_group syncs;
  igt__movers movers;
  bool has_movers;
  _Atomic(const void *) turn; /* of uploads, on a bad line */
  pthread_mutex_t lock;
  entry *entries; /* guarded by lock */
  size_t count;
} kept;

/* ---- a provider ---- */

typedef struct request {
  igt_client *client;
  char action[8];
  char prefix[];
} request;

static igt_status fetch(void *payload, igt__s3_credentials **out, igt_error *err) {
  const request *r = payload;

  return igt__cloud_credentials(r->client, r->action, r->prefix, out, err);
}

static void defer(void *payload, void (*task)(void *arg), void *arg) {
  igt__pool_add(payload, task, arg);
}

static igt__s3_provider *make_provider(const kept *k, const char *action, const char *prefix) {
  size_t n = strlen(prefix) + 1;
  request *r = igt__malloc(sizeof *r + n);
  igt__s3_provider_options options = {fetch, r, defer, k->pool, igt__free};
  igt__s3_provider *provider;

  if (!r)
    return NULL;
  r->client = k->client;
  (void)snprintf(r->action, sizeof r->action, "%s", action);
  memcpy(r->prefix, prefix, n);
  provider = igt__s3_provider_new(&options);
  if (!provider)
    igt__free(r);
  return provider;
}

/* ---- those that are kept ---- */

static void entry_free(entry *e) {
  igt__s3_provider_unref(e->provider);
  igt__free(e);
}

static void forget(igt__attached *attached) {
  kept *k = (kept *)attached;
  entry *list, *next;

  pthread_mutex_lock(&k->lock);
  list = k->entries;
  k->entries = NULL;
  k->count = 0;
  pthread_mutex_unlock(&k->lock);
  for (; list; list = next) {
    next = list->next;
    entry_free(list);
  }
}

static void release(igt__attached *attached) {
  kept *k = (kept *)attached;

  igt__pool_free(k->pool); /* a fetch in progress finishes first */
  igt__movers_stop(&k->movers);
  forget(attached);
  igt__s3_free(k->s3);
  igt__sync_group_finish(&k->syncs);
  (void)pthread_mutex_destroy(&k->lock);
  igt__free(k);
}

static igt__attached *attach(igt_client *client) {
  kept *k = igt__calloc(1, sizeof *k);

  if (!k)
    return NULL;
  k->base.forget = forget;
  k->base.release = release;
  k->client = client;
  (void)pthread_mutex_init(&k->lock, NULL);
  igt__sync_group_init(&k->syncs);
  k->pool = igt__pool_new("igt-credentials", WORKERS);
  if (k->pool && igt__s3_new(igt__client_http(client), &k->s3, NULL) == IGT_OK)
    return &k->base;
  release(&k->base);
  return NULL;
}

static entry *take_locked(kept *k, const char *action, const char *prefix) {
  for (entry **at = &k->entries; *at; at = &(*at)->next) {
    entry *e = *at;

    if (strcmp(e->action, action) == 0 && strcmp(e->prefix, prefix) == 0) {
      *at = e->next;
      return e;
    }
  }
  return NULL;
}

static entry *make_entry(const kept *k, const char *action, const char *prefix) {
  size_t n = strlen(prefix) + 1;
  entry *e = igt__malloc(sizeof *e + n);

  if (!e)
    return NULL;
  (void)snprintf(e->action, sizeof e->action, "%s", action);
  memcpy(e->prefix, prefix, n);
  e->provider = make_provider(k, action, prefix);
  if (e->provider)
    return e;
  igt__free(e);
  return NULL;
}

static entry *drop_last_locked(kept *k) {
  entry **at = &k->entries, *last;

  while ((*at)->next)
    at = &(*at)->next;
  last = *at;
  *at = NULL;
  k->count--;
  return last;
}

igt__s3_provider *igt__object_provider(igt_client *client, const char *action, const char *prefix) {
  kept *k = (kept *)igt__client_attached(client, attach);
  igt__s3_provider *provider = NULL;
  entry *e, *dropped = NULL;

  if (!k)
    return NULL;
  pthread_mutex_lock(&k->lock);
  e = take_locked(k, action, prefix);
  if (!e && (e = make_entry(k, action, prefix)) != NULL)
    k->count++;
  if (e) {
    e->next = k->entries;
    k->entries = e;
    provider = igt__s3_provider_ref(e->provider);
  }
  if (k->count > KEPT_MOST)
    dropped = drop_last_locked(k);
  pthread_mutex_unlock(&k->lock);
  if (dropped)
    entry_free(dropped);
  return provider;
}

igt__s3 *igt__object_store(igt_client *client) {
  const kept *k = (kept *)igt__client_attached(client, attach);

  return k ? k->s3 : NULL;
}

const igt__movers *igt__object_movers(igt_client *client) {
  kept *k = (kept *)igt__client_attached(client, attach);
  bool started;

  if (!k)
    return NULL;
  pthread_mutex_lock(&k->lock);
  started = k->has_movers || igt__movers_start(&k->movers);
  k->has_movers = started;
  if (!started) {
    igt__movers_stop(&k->movers);
    k->movers = (igt__movers){NULL, NULL, NULL};
  }
  pthread_mutex_unlock(&k->lock);
  return started ? &k->movers : NULL;
}

igt__sync_group *igt__object_syncs(igt_client *client) {
  kept *k = (kept *)igt__client_attached(client, attach);

  return k ? &k->syncs : NULL;
}

_Atomic(const void *) *igt__object_turn(igt_client *client) {
  kept *k = (kept *)igt__client_attached(client, attach);

  return k ? &k->turn : NULL;
}
