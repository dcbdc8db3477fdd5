/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_STORE_H
#define SANDBOX_STORE_H

/* What the sandbox stores: rows in SQLite (DIR/sandbox.db) and one file for each object's bytes
 * (DIR/objects). Only the files of store/ know SQLite. All calls are thread-safe. Acknowledged
 * writes survive kill -9: an object's file is in place and its row committed before the response is
 * sent.
 *
 * Entities of the REST API are kept as JSON documents: a kind ("project", "institute", "study",
 * "series", "user", "service", "application", …), an id, a parent id (an institute's project, a
 * study's institute) and the document. Registered files have rows of their own, because there can
 * be a million. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/json.h"

typedef struct sbx_store sbx_store;

sbx_store *sbx_store_open(const char *dir, char *error, size_t error_cap);
void sbx_store_close(sbx_store *store);

/* Objects are stored there from now on; borrowed. Uploads and parts of the sandbox's own S3 are
 * not. */
struct sbx_s3_backend;
void sbx_store_set_backend(sbx_store *store, struct sbx_s3_backend *backend);

/* ---- documents ---- */
/* Adds or replaces. Insertion order is kept for lists. */
bool sbx_doc_put(sbx_store *store, const char *kind, const char *id, const char *parent,
                 const igt__json *doc);
igt__json *sbx_doc_get(sbx_store *store, const char *kind, const char *id); /* caller frees */
bool sbx_doc_has(sbx_store *store, const char *kind, const char *id);
/* Top-level string members, without parsing the whole document: out[i] is the value of names[i]
 * (free with igt__free; NULL: none). All are NULL when it returns false because the document does
 * not exist. */
bool sbx_doc_texts(sbx_store *store, const char *kind, const char *id, const char *const *names,
                   char **out, size_t count);
bool sbx_doc_delete(sbx_store *store, const char *kind, const char *id);
/* Every document of a kind (parent NULL: all), as stored text, in order of insertion. Reads ahead
 * in pages, so a list of 100,000 needs little memory and does not block writers. Stops when the
 * callback returns false. */
bool sbx_doc_each(sbx_store *store, const char *kind, const char *parent,
                  bool (*fn)(void *payload, const char *id, const char *doc, size_t n),
                  void *payload);
/* The same as a cursor, for responses that are streamed. */
typedef struct sbx_cursor sbx_cursor;
sbx_cursor *sbx_doc_cursor(sbx_store *store, const char *kind, const char *parent);
bool sbx_cursor_next(sbx_cursor *cursor, const char **id, const char **doc, size_t *n);
void sbx_cursor_free(sbx_cursor *cursor);
int64_t sbx_doc_count(sbx_store *store, const char *kind, const char *parent);
/* Several writes as one transaction: begin, puts, commit. One at a time; nesting is an error. */
bool sbx_store_begin(sbx_store *store);
bool sbx_store_commit(sbx_store *store);
void sbx_store_rollback(sbx_store *store);

/* ---- small values that are not documents: sessions, secrets, counters; expires 0: never ---- */
bool sbx_kv_put(sbx_store *store, const char *kind, const char *key, const char *value,
                int64_t expires);
char *sbx_kv_get(sbx_store *store, const char *kind, const char *key); /* igt__free; NULL */
/* The same, with its expiry; 0: never. */
char *sbx_kv_get_until(sbx_store *store, const char *kind, const char *key, int64_t *expires);
bool sbx_kv_delete(sbx_store *store, const char *kind, const char *key);

/* Counts changes of what a sign-in depends on: documents "user" and "service", values "session" and
 * "secret". Conclusions drawn from them hold as long as this number, taken before they were read,
 * stays the same; it changes before such a write returns. */
uint64_t sbx_store_people(sbx_store *store);

/* ---- registered files of studies and projects ---- */
typedef struct sbx_file {
  const char *key; /* the complete object key */
  int64_t size;    /* as registered */
  bool completed;  /* an object of that size exists, or the client said so */
} sbx_file;
bool sbx_file_put(sbx_store *store, const char *owner, const char *key, int64_t size,
                  bool completed);
/* Adds a file that is not complete yet. *known: the key exists, and is not changed. */
bool sbx_file_add(sbx_store *store, const char *owner, const char *key, int64_t size, bool *known);
/* *known: the key exists; otherwise nothing is written. */
bool sbx_file_complete(sbx_store *store, const char *owner, const char *key, int64_t size,
                       bool *known);
bool sbx_file_get(sbx_store *store, const char *owner, const char *key, int64_t *size,
                  bool *completed);
bool sbx_file_delete(sbx_store *store, const char *owner, const char *key);
bool sbx_file_each(sbx_store *store, const char *owner,
                   bool (*fn)(void *payload, const sbx_file *file), void *payload);

/* ---- objects ---- */
typedef struct sbx_object {
  char *key;
  uint64_t size;
  char etag[80];      /* without quotes; "…-N" for multipart */
  int64_t modified;   /* seconds */
  char *content_type; /* NULL: none given */
  char *metadata;     /* x-amz-meta-* and the checksums as JSON text; NULL */
  char sse[16];       /* "AES256" or "" */
} sbx_object;
void sbx_object_finish(sbx_object *object);

/* A body being received: bytes go to a temporary file below DIR, the caller hashes. */
typedef struct sbx_incoming sbx_incoming;
sbx_incoming *sbx_incoming_new(sbx_store *store);
bool sbx_incoming_write(sbx_incoming *in, const void *data, size_t n);
void sbx_incoming_discard(sbx_incoming *in);
/* Makes it the object `object->key` of `bucket` (file first, then the row). Always takes ownership
 * of `in`. */
bool sbx_object_commit(sbx_store *store, const char *bucket, sbx_incoming *in,
                       const sbx_object *object);
bool sbx_object_get(sbx_store *store, const char *bucket, const char *key, sbx_object *out);
/* The file's descriptor, and the row it belongs to; -1 when it does not exist. */
int sbx_object_open(sbx_store *store, const char *bucket, const char *key, sbx_object *out);
bool sbx_object_delete(sbx_store *store, const char *bucket, const char *key);
/* Keys > after with the prefix, in UTF-8 binary order. */
bool sbx_object_each(sbx_store *store, const char *bucket, const char *prefix, const char *after,
                     bool (*fn)(void *payload, const sbx_object *object), void *payload);

/* ---- parts of multipart objects, and multipart uploads ---- */
typedef struct sbx_part {
  unsigned number; /* from 1 */
  uint64_t size;
  uint64_t offset; /* within the object; only set by sbx_object_part */
  char etag[36];
  char checksum[64]; /* base64; "": none */
  int64_t modified;
} sbx_part;
/* The n-th part of the object with this ETag; false: no such part (or not multipart). */
bool sbx_object_part(sbx_store *store, const char *bucket, const char *key, const char *etag,
                     unsigned number, sbx_part *out);

typedef struct sbx_upload {
  char id[36];
  char *key;
  int64_t initiated;
  char *content_type;
  char *metadata; /* as in sbx_object */
  char sse[16];
  char checksum[32]; /* "crc32c composite"; "": none requested */
} sbx_upload;
void sbx_upload_finish(sbx_upload *upload);
/* Sets upload->id. */
bool sbx_upload_new(sbx_store *store, const char *bucket, sbx_upload *upload);
bool sbx_upload_get(sbx_store *store, const char *bucket, const char *key, const char *id,
                    sbx_upload *out);
/* Deletes the upload and its parts. */
bool sbx_upload_abort(sbx_store *store, const char *id);
/* In order of key and id, after (after_key, after_id). */
bool sbx_upload_each(sbx_store *store, const char *bucket, const char *prefix,
                     const char *after_key, const char *after_id,
                     bool (*fn)(void *payload, const sbx_upload *upload), void *payload);
/* Adds or replaces one part. False also when the upload does not exist. Always takes ownership of
 * `in`. */
bool sbx_part_commit(sbx_store *store, const char *upload_id, sbx_incoming *in,
                     const sbx_part *part);
bool sbx_part_get(sbx_store *store, const char *upload_id, unsigned number, sbx_part *out);
bool sbx_part_each(sbx_store *store, const char *upload_id, unsigned after,
                   bool (*fn)(void *payload, const sbx_part *part), void *payload);
/* The parts' bytes, concatenated, as a new body; tee (or NULL) receives all of them. */
sbx_incoming *sbx_upload_assemble(sbx_store *store, const char *upload_id, const unsigned *numbers,
                                  size_t count,
                                  void (*tee)(void *payload, const void *data, size_t n),
                                  void *payload);
/* Makes it the object, stores the positions of its parts, and deletes the upload, all in one
 * transaction. False also when the upload does not exist. Always takes ownership of `in`. */
bool sbx_upload_commit(sbx_store *store, const char *bucket, const char *upload_id,
                       const unsigned *numbers, size_t count, sbx_incoming *in,
                       const sbx_object *object);

#endif
