/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_SERVER_H
#define SANDBOX_SERVER_H

/* What the layers of the sandbox share: its options and components, and S3 credentials, which the
 * REST side issues and the S3 side checks. Paths below /api/ are REST, /__* are the sandbox's own,
 * everything else is S3. */

#include "http.h"
#include "store/s3_backend.h"
#include "store/store.h"

#define SBX_BUCKET "igtcloud"
#define SBX_REGION "eu-central-1"

typedef struct sbx_server {
  sbx_store *store;
  sbx_http *http;
  struct sbx_front *front; /* faults/; NULL without --faults */
  const char *data_dir;
  const char *base_url;           /* "http://127.0.0.1:PORT", or --public-url */
  int token_lifetime;             /* lifetime of a JWT in seconds */
  int s3_lifetime;                /* lifetime of S3 credentials in seconds */
  struct sbx_s3_backend *backend; /* where objects are stored; NULL: in the store */
  struct sbx_s3 *s3;              /* see below; NULL: nothing is cached between S3 requests */
  struct sbx_sessions *sessions;  /* the same for REST requests */
} sbx_server;

extern const sbx_handler sbx_rest_handler; /* rest/rest.c */
extern const sbx_handler sbx_s3_handler;   /* s3/s3.c */

/* rest/canned.c: true when a canned response applies to this request, whatever its path; its
 * handler is then sbx_canned_handler. Called by the route, once per request. */
bool sbx_canned_take(sbx_server *server, sbx_request *req);
extern const sbx_handler sbx_canned_handler;

/* rest/known.c: caches verified tokens, which REST requests would otherwise verify each time; one
 * per server. */
typedef struct sbx_sessions sbx_sessions;
sbx_sessions *sbx_sessions_new(void);
void sbx_sessions_free(sbx_sessions *sessions);

/* rest/seed.c: "demo" or the path of a file. Does nothing on a store that is already seeded. Writes
 * the service's key to DIR/<service_id>.pem (0600). */
bool sbx_seed(sbx_server *server, const char *seed, char *error, size_t error_cap);

/* ---- S3 credentials (s3/credentials.c; kept in the store, so they survive a restart) ---- */
typedef struct sbx_credentials {
  char access_key[24]; /* "ASIA" + 16 */
  char secret_key[44];
  char session_token[512]; /* "" for the root account */
  char bucket[64];
  char prefix[1024]; /* keys must start with it; "" for all */
  char action[8];    /* "GET" (get, head, list), "PUT" (put, multipart, abort) or "*" */
  int64_t expires;   /* seconds; 0: never */
} sbx_credentials;
bool sbx_credentials_issue(sbx_server *server, const char *action, const char *prefix,
                           sbx_credentials *out);
bool sbx_credentials_find(sbx_server *server, const char *access_key, sbx_credentials *out);

/* Caches what S3 requests would otherwise look up and derive each time; one per server. */
typedef struct sbx_s3 sbx_s3;
sbx_s3 *sbx_s3_new(void);
void sbx_s3_free(sbx_s3 *s3);

/* Adds the CRC64NVME that S3 computes by itself to object->metadata (s3/checksum.c). */
bool sbx_s3_add_own_checksum(sbx_object *object, const unsigned char crc64nvme[8]);

/* The account with all rights, for tests and users: created once and kept in the store. Writes
 * DIR/root-credentials.json (0600) with the current endpoint. */
bool sbx_s3_root_write(sbx_server *server, char *error, size_t error_cap);

#endif
