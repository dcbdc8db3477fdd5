/* SPDX-License-Identifier: MIT */
/* A remote file as a seekable reader with a few windows on the object: one being read, and others
 * being fetched ahead of it. A window is filled by range requests on the HTTP loops, tied to the
 * ETag of the first response; what is read in order from the start is also verified against the
 * store's checksum. Called by programs through igtcloud/file.h.
 *
 * Windows double in size up to most_bytes, with one ahead that is requested when half of the one
 * before was read: a program that only wants the beginning gets little more. From then on all of
 * them are in use, so that requests are in flight however slowly the program takes the bytes. */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/thread.h"
#include "transfer/download/check.h"
#include "transfer/single/object.h"

/* A DICOM header with its private groups fits; a request for it costs as much as one for a byte. */
#define FIRST_BYTES ((size_t)64 * 1024)
/* At a round trip time of 100 ms three requests of 4 MiB in flight fill 1 Gbit/s. */
#define MOST_BYTES ((size_t)4 * 1024 * 1024)
#define WINDOWS 4

typedef struct window {
  igt_file_reader *reader;
  igt__s3_request req;
  bool used; /* req is initialised, and data contains or awaits [first, first + size) */
  uint64_t first;
  size_t size, len; /* requested, received */
  char *data;       /* kept for the next request: fresh memory costs as much as the copy */
  size_t cap;
  atomic_bool abandoned; /* no longer wanted */
  /* guarded by reader->lock until done */
  bool done;
  igt_status status;
  igt_error err;
} window;

struct igt_file_reader {
  igt_client *client; /* a view with a cancel flag of its own, if it has one */
  bool own_client;
  igt__s3 *s3; /* the client's */
  igt__s3_provider *provider;
  char *key, *name;
  size_t first_bytes, most_bytes, next_bytes;
  window windows[WINDOWS], *now;
  unsigned aheads; /* windows behind now that are in use */
  unsigned turn;   /* of the loops */
  uint64_t position, size;
  uint64_t listed; /* its size in the cloud's list; 0: none */
  bool opened;     /* size, etag, is_weak and modified are known */
  char etag[80];
  bool is_weak;
  int64_t modified;
  atomic_ullong fetched;
  pthread_mutex_t lock;
  pthread_cond_t changed;

  /* Verifies what is read in order: complete windows, from the first. */
  igt__check_facts facts;
  char checksum_alg[16], checksum[64], sse[32];
  igt__check check;
  bool checking, out_of_order, settled;
  uint64_t checked; /* bytes */

  igt_error pending; /* the error after a partial read, for the next call */
};

/* ---- windows ---- */

static igt_status on_headers(igt__s3_request *req, igt_error *err) {
  window *w = req->payload;

  w->len = 0;
  if (!w->reader->opened)
    return IGT_OK;
  /* A store or cache that ignores If-Match would mix two objects of the same size. */
  if ((req->size_known && req->object_size != w->reader->size) ||
      !igt__s3_is_object(req, w->reader->etag, w->reader->is_weak, w->reader->modified))
    return igt__fail(err, IGT_E_PRECONDITION, "it was replaced while it was read");
  return IGT_OK;
}

static igt_status on_data(igt__s3_request *req, const char *data, size_t n, igt_error *err) {
  window *w = req->payload;

  atomic_fetch_add(&w->reader->fetched, n);
  if (atomic_load(&w->abandoned))
    return igt__fail(err, IGT_E_CANCELLED, "no longer wanted");
  if (n > w->size - w->len)
    return igt__fail(err, IGT_E_PROTOCOL, "S3 sent more bytes than were requested");
  memcpy(w->data + w->len, data, n);
  w->len += n;
  return IGT_OK;
}

static igt_status on_restart(igt__s3_request *req, igt_error *err) {
  window *w = req->payload;

  (void)err;
  w->len = 0;
  return IGT_OK;
}

static void on_done(igt__s3_request *req, igt_status status, const igt_error *err) {
  window *w = req->payload;
  igt_file_reader *reader = w->reader;

  pthread_mutex_lock(&reader->lock);
  w->done = true;
  w->status = status;
  if (status != IGT_OK)
    igt__error_keep(&w->err, err);
  pthread_cond_broadcast(&reader->changed);
  pthread_mutex_unlock(&reader->lock);
}

/* Waits until none of its requests is in flight. */
static void wait_for(window *w) {
  igt_file_reader *reader = w->reader;

  pthread_mutex_lock(&reader->lock);
  while (w->used && !w->done)
    igt__cond_wait_hooked(&reader->changed, &reader->lock);
  pthread_mutex_unlock(&reader->lock);
}

static void drop(window *w) {
  if (!w->used)
    return;
  atomic_store(&w->abandoned, true);
  wait_for(w);
  igt__s3_request_finish(&w->req);
  w->used = false;
}

/* The k-th behind the one being read. */
static window *window_at(igt_file_reader *reader, unsigned k) {
  return &reader->windows[((unsigned)(reader->now - reader->windows) + k) % WINDOWS];
}

static void drop_all(igt_file_reader *reader) {
  for (size_t i = 0; i < WINDOWS; i++) /* all of them end at the same time */
    atomic_store(&reader->windows[i].abandoned, true);
  for (size_t i = 0; i < WINDOWS; i++)
    drop(&reader->windows[i]);
  reader->aheads = 0;
}

static bool has_memory(window *w, size_t size) {
  if (w->cap >= size)
    return true;
  igt__free(w->data);
  w->data = igt__malloc(size);
  w->cap = w->data ? size : 0;
  return w->data;
}

static igt_status begin(window *w, uint64_t first, size_t size, igt_error *err) {
  igt_file_reader *reader = w->reader;

  drop(w);
  if (reader->opened && size > reader->size - first)
    size = (size_t)(reader->size - first);
  if (!has_memory(w, size) || igt__s3_request_init(&w->req, IGT__S3_GET, err) != IGT_OK)
    return igt__fail_memory(err);
  w->used = true;
  w->done = false;
  w->first = first;
  w->size = size;
  w->len = 0;
  atomic_store(&w->abandoned, false);
  w->req.provider = reader->provider;
  w->req.key = reader->key;
  w->req.cancel = igt__client_cancel(reader->client);
  w->req.ranged = true;
  w->req.first = first;
  w->req.last = first + size - 1;
  w->req.if_match = *reader->etag ? reader->etag : NULL;
  w->req.continues = true;
  w->req.payload = w;
  w->req.on_headers = on_headers;
  w->req.on_data = on_data;
  w->req.on_restart = on_restart;
  w->req.on_done = on_done;
  /* The first ones share a connection; those of a long read are divided among the loops. */
  igt__s3_submit(reader->s3, size < reader->most_bytes ? 0 : reader->turn++, &w->req);
  return IGT_OK;
}

static bool covers(const window *w, uint64_t position) {
  return w->used && position >= w->first && position - w->first < w->size;
}

/* Waits for the window's bytes; on failure drops it and returns the reason. */
static igt_status settle(window *w, igt_error *err) {
  const char *name = w->reader->name;
  igt_status status;

  wait_for(w);
  status = w->status;
  if (status == IGT_OK && w->reader->opened && w->len != w->size)
    status = igt__fail(&w->err, IGT_E_NETWORK, "the response is shorter than its range");
  if (status == IGT_OK)
    return IGT_OK;
  if (status == IGT_E_PRECONDITION)
    status = igt__fail(&w->err, IGT_E_GONE, "it was replaced while it was read: open it again");
  if (err) {
    igt__error_copy(err, &w->err);
    igt__error_prefix(err, "'%s'", name);
  }
  drop(w);
  return status;
}

/* ---- checking ---- */

/* The part size of the store's digest; 0: unknown. */
static uint64_t part_length(igt_file_reader *reader, unsigned part) {
  igt__s3_request req;
  uint64_t length = 0;

  if (igt__s3_request_init(&req, IGT__S3_HEAD, NULL) != IGT_OK)
    return 0;
  req.provider = reader->provider;
  req.key = reader->key;
  req.cancel = igt__client_cancel(reader->client);
  req.part_number = part;
  if (igt__s3_perform(reader->s3, &req, NULL) == IGT_OK && req.content_length > 0 &&
      strcmp(req.etag, reader->etag) == 0)
    length = (uint64_t)req.content_length;
  igt__s3_request_finish(&req);
  return length;
}

static uint64_t part_size(igt_file_reader *reader) {
  unsigned parts = reader->check.parts;
  uint64_t size = parts == 1 ? reader->size : part_length(reader, 1);

  return size && (reader->size + size - 1) / size == parts ? size : 0;
}

static igt_status begin_check(igt_file_reader *reader, igt_error *err) {
  igt_status status = igt__check_init(&reader->check, &reader->facts, err);

  reader->checking = true;
  if (status == IGT_OK && igt__check_needs_part_size(&reader->check))
    status = igt__check_set_part_size(&reader->check, part_size(reader), err);
  return status;
}

/* The window was read to the end, in order. */
static igt_status check_window(igt_file_reader *reader, const window *w, igt_error *err) {
  igt_status status = IGT_OK;

  if (reader->out_of_order || w->first != reader->checked)
    return IGT_OK;
  if (!reader->checking)
    status = begin_check(reader, err);
  if (status == IGT_OK)
    igt__check_update(&reader->check, w->data, w->len);
  reader->checked += w->len;
  return status;
}

/* If parts differ in size from the first, a mismatch proves nothing. */
static bool parts_differ(igt_file_reader *reader) {
  for (unsigned i = 2; reader->check.by_parts && i < reader->check.parts; i++)
    if (part_length(reader, i) != reader->check.part_size)
      return true;
  return false;
}

static igt_status finish_check(igt_file_reader *reader, igt_error *err) {
  char digest[128];
  igt_status status;

  if (reader->settled || reader->out_of_order || reader->checked != reader->size)
    return IGT_OK;
  if (!reader->checking && begin_check(reader, err) != IGT_OK) /* an empty file */
    return IGT_E_NO_MEMORY;
  status = igt__check_final(&reader->check, digest, sizeof digest, err);
  reader->settled = true;
  if (status == IGT_E_CHECKSUM && parts_differ(reader)) {
    reader->check.verified = "";
    igt__error_clear(err);
    return IGT_OK;
  }
  if (status == IGT_E_CHECKSUM)
    igt__fail(err, status, "'%s': the content does not match the store's (%s differs)",
              reader->name, reader->check.verified);
  if (status != IGT_OK)
    reader->check.verified = "";
  return status;
}

/* ---- reading ---- */

static unsigned most_ahead(const igt_file_reader *reader) {
  return reader->next_bytes < reader->most_bytes ? 1 : WINDOWS - 1;
}

/* Requests what follows before it is needed, each time twice as much. */
static void read_ahead(igt_file_reader *reader) {
  while (reader->aheads < most_ahead(reader)) {
    const window *last = window_at(reader, reader->aheads);
    uint64_t end = last->first + last->size;

    if (end >= reader->size)
      return;
    reader->next_bytes =
        reader->next_bytes >= reader->most_bytes / 2 ? reader->most_bytes : reader->next_bytes * 2;
    if (begin(window_at(reader, reader->aheads + 1), end, reader->next_bytes, NULL) != IGT_OK)
      return; /* it is requested later */
    reader->aheads++;
  }
}

/* Whether a program that has read n bytes of the current window will want more: of a header alone
 * nothing else is fetched. */
static bool goes_on(const igt_file_reader *reader, size_t n) {
  return reader->now->size >= reader->most_bytes || n >= reader->now->len / 2;
}

/* The window of the position becomes the current one. False: none has it. */
static bool find_window(igt_file_reader *reader) {
  unsigned k = 0;

  while (k <= reader->aheads && !covers(window_at(reader, k), reader->position))
    k++;
  if (k > reader->aheads)
    return false;
  for (; k > 0; k--) {
    drop(reader->now);
    reader->now = window_at(reader, 1);
    reader->aheads--;
  }
  return true;
}

/* Moves the current window to the position. */
static igt_status advance(igt_file_reader *reader, igt_error *err) {
  igt_status status = IGT_OK;

  if (!find_window(reader)) {
    drop_all(reader);
    reader->next_bytes = reader->first_bytes;
    status = begin(reader->now, reader->position, reader->next_bytes, err);
  }
  return status == IGT_OK ? settle(reader->now, err) : status;
}

static igt_status read_some(igt_file_reader *reader, char *data, size_t cap, size_t *n,
                            igt_error *err) {
  igt_status status = advance(reader, err);
  size_t at, have;

  if (status != IGT_OK)
    return status;
  at = (size_t)(reader->position - reader->now->first);
  have = reader->now->len - at;
  *n = have < cap ? have : cap;
  memcpy(data, reader->now->data + at, *n);
  reader->position += *n;
  if (*n == have && (status = check_window(reader, reader->now, err)) != IGT_OK)
    reader->out_of_order = true; /* and the file is not reported as verified */
  if (goes_on(reader, at + *n))
    read_ahead(reader);
  return status;
}

static igt_status take_pending(igt_file_reader *reader, igt_error *err) {
  igt_status status = reader->pending.status;

  if (err)
    igt__error_copy(err, &reader->pending);
  igt__error_clear(&reader->pending);
  return status;
}

igt_status igt_file_read(igt_file_reader *reader, void *data, size_t cap, size_t *n,
                         igt_error *err) {
  igt_status status = IGT_OK;
  size_t done = 0;

  igt__error_clear(err);
  *n = 0;
  if (!reader || (!data && cap))
    return igt__fail(err, IGT_E_INVALID, "no reader or no buffer was given");
  if (reader->pending.status != IGT_OK)
    return take_pending(reader, err);
  while (status == IGT_OK && done < cap && reader->position < reader->size) {
    size_t got = 0;
    status = read_some(reader, (char *)data + done, cap - done, &got, &reader->pending);
    done += got;
  }
  reader->pending.status = status;
  *n = done;
  if (done > 0)
    return IGT_OK;
  if (status != IGT_OK)
    return take_pending(reader, err);
  return cap > 0 ? finish_check(reader, err) : IGT_OK;
}

void igt_file_seek(igt_file_reader *reader, uint64_t position) {
  if (!reader || position == reader->position)
    return;
  reader->position = position;
  reader->out_of_order = true;
  igt__error_clear(&reader->pending);
}

uint64_t igt_file_tell(const igt_file_reader *reader) {
  return reader ? reader->position : 0;
}

uint64_t igt_file_size(const igt_file_reader *reader) {
  return reader ? reader->size : 0;
}

uint64_t igt_file_fetched(const igt_file_reader *reader) {
  return reader ? atomic_load(&reader->fetched) : 0;
}

const char *igt_file_verified(const igt_file_reader *reader) {
  return reader && reader->settled && !reader->out_of_order ? reader->check.verified : "";
}

/* ---- opening ---- */

static igt_status make_client(igt_file_reader *reader, igt_client *client, igt_cancel *cancel,
                              igt_error *err) {
  igt__cancel *both;

  reader->client = client;
  if (!cancel)
    return IGT_OK;
  both = igt__cancel_below(cancel, igt__client_cancel(client));
  reader->client = both ? igt__client_view(client, both) : NULL;
  reader->own_client = true;
  igt__cancel_unref(both);
  return reader->client ? IGT_OK : igt__fail_memory(err);
}

static igt_status make(igt_file_reader *reader, const igt__object *object, igt_cancel *cancel,
                       igt_error *err) {
  igt_status status = make_client(reader, object->client, cancel, err);

  if (status != IGT_OK)
    return status;
  reader->listed = object->size;
  reader->key = igt__strdup(object->key);
  reader->name = igt__strdup(object->name);
  reader->provider = igt__object_provider(object->client, "GET", object->prefix);
  reader->s3 = igt__object_store(object->client);
  if (!reader->key || !reader->name || !reader->provider || !reader->s3)
    return igt__fail_memory(err);
  status = igt__s3_provider_wait(reader->provider, igt__client_cancel(reader->client), err);
  if (status != IGT_OK)
    igt__error_prefix(err, "'%s'", reader->name);
  return status;
}

/* Takes the object's metadata from the first response. */
static void take_facts(igt_file_reader *reader, const igt__s3_request *req) {
  reader->size = req->object_size;
  (void)snprintf(reader->etag, sizeof reader->etag, "%s", req->etag);
  reader->is_weak = req->is_weak;
  reader->modified = req->last_modified;
  /* The checksum of a part is not that of the object. */
  if (req->http_status == 200 || reader->now->len == reader->size) {
    (void)snprintf(reader->checksum_alg, sizeof reader->checksum_alg, "%s", req->checksum_alg);
    (void)snprintf(reader->checksum, sizeof reader->checksum, "%s", req->checksum);
  }
  (void)snprintf(reader->sse, sizeof reader->sse, "%s", req->sse);
  reader->now->size = reader->now->len;
  reader->opened = true;
}

/* A body of unstated length may have ended early: only its digest or the list can show that. */
static igt_status check_whole(igt_file_reader *reader, igt_error *err) {
  igt_status status = begin_check(reader, err);

  if (status != IGT_OK || reader->check.known || reader->size == reader->listed)
    return status;
  return igt__fail(err, IGT_E_PROTOCOL,
                   "'%s': %llu bytes arrived of the %llu that are listed; the store reports no "
                   "size and has no checksum to compare",
                   reader->name, (unsigned long long)reader->size,
                   (unsigned long long)reader->listed);
}

static igt_status look(igt_file_reader *reader, igt_error *err) {
  igt_status status = begin(reader->now, 0, reader->first_bytes, err);

  if (status == IGT_OK)
    status = settle(reader->now, err);
  if (status == IGT_OK) {
    take_facts(reader, &reader->now->req);
    if (!reader->now->req.size_known)
      status = check_whole(reader, err);
  } else if (status == IGT_E_RANGE && reader->listed == 0) {
    /* An empty object has no first byte: RFC 9110, section 15.5.17. */
    igt__error_clear(err);
    reader->opened = true;
    status = IGT_OK;
  }
  return status;
}

static igt_file_reader *reader_new(const igt_file_open_options *options) {
  igt_file_reader *reader = igt__calloc(1, sizeof *reader);

  if (!reader)
    return NULL;
  reader->pending = (igt_error)IGT_ERROR_INIT;
  reader->now = &reader->windows[0];
  for (size_t i = 0; i < WINDOWS; i++)
    reader->windows[i].reader = reader;
  reader->facts =
      (igt__check_facts){reader->etag, reader->checksum_alg, reader->checksum, reader->sse};
  reader->first_bytes = options->first_bytes ? options->first_bytes : FIRST_BYTES;
  reader->most_bytes = options->most_bytes ? options->most_bytes : MOST_BYTES;
  if (reader->most_bytes < reader->first_bytes)
    reader->most_bytes = reader->first_bytes;
  reader->next_bytes = reader->first_bytes;
  (void)pthread_mutex_init(&reader->lock, NULL);
  igt__cond_init(&reader->changed);
  return reader;
}

igt_status igt__object_open(const igt__object *object, const igt_file_open_options *options,
                            igt_file_reader **out, igt_error *err) {
  igt_file_open_options own;
  igt_file_reader *reader;
  igt_status status = igt__options_read(&own, sizeof own, options, "igt_file_open_options", err);

  if (status != IGT_OK)
    return status;
  reader = reader_new(&own);
  if (!reader)
    return igt__fail_memory(err);
  status = make(reader, object, own.cancel, err);
  if (status == IGT_OK)
    status = look(reader, err);
  if (status != IGT_OK) {
    igt_file_close(reader);
    return status;
  }
  *out = reader;
  return IGT_OK;
}

igt_status igt_file_open(igt_node *file, const igt_file_open_options *options,
                         igt_file_reader **out, igt_error *err) {
  igt__object object;
  igt_status status;

  igt__error_clear(err);
  *out = NULL;
  status = igt__object_of_node(file, &object, err);
  if (status == IGT_OK)
    status = igt__object_open(&object, options, out, err);
  igt__object_finish(&object);
  return status;
}

void igt_file_close(igt_file_reader *reader) {
  if (!reader)
    return;
  drop_all(reader);
  for (size_t i = 0; i < WINDOWS; i++)
    igt__free(reader->windows[i].data);
  igt__s3_provider_unref(reader->provider);
  if (reader->checking)
    igt__check_finish(&reader->check);
  (void)pthread_cond_destroy(&reader->changed);
  (void)pthread_mutex_destroy(&reader->lock);
  if (reader->own_client)
    igt_client_free(reader->client);
  igt__free(reader->key);
  igt__free(reader->name);
  igt__free(reader);
}

IGT__DEFINE_INIT(igt_file_open_options)
