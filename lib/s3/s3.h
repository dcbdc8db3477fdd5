/* SPDX-License-Identifier: MIT */
#ifndef IGT_S3_H
#define IGT_S3_H

/* Objects in S3: where they are, signing, and requests for objects and multipart uploads. Requests
 * are asynchronous: they run on the loops of lib/http. expat is included by xml.c only. */

#include "base/error.h"
#include "crypto/crypto.h"
#include "http/http.h"

/* ---- SigV4 (sigv4.h has the pure functions) ---- */

/* Temporary credentials for one action on one prefix. Reference counted, because parts in flight
 * keep the ones that they were signed with. Secrets are wiped when the last reference is
 * released. */
typedef struct igt__s3_credentials {
  int refs;
  igt__secret *access_key;
  igt__secret *secret_key;
  igt__secret *session_token;
  char bucket[256];
  char endpoint[512]; /* as received with the credentials; "": not given */
  char region[64];    /* likewise */
  int64_t expires;    /* seconds, UTC; 0: not known */
  int64_t issued;
} igt__s3_credentials;
igt__s3_credentials *igt__s3_credentials_new(void);
igt__s3_credentials *igt__s3_credentials_ref(igt__s3_credentials *c); /* atomic */
void igt__s3_credentials_unref(igt__s3_credentials *c);
/* Parses the cloud's `expires`: ISO 8601 with T or a space, fraction, and Z, an offset or neither
 * (then UTC). 0: not parseable. */
int64_t igt__s3_expires_parse(const char *text);

/* A credentials provider: the credentials of one action and prefix, fetched when first needed and
 * again ahead of their expiry (a tenth of their lifetime, at most 5 min; provider.c) or after
 * ExpiredToken, once for all waiters. The fetch function is the caller's (it calls the API); the
 * caller's workers run it, never a loop. */
typedef struct igt__s3_provider igt__s3_provider;
typedef igt_status (*igt__s3_fetch_fn)(void *payload, igt__s3_credentials **out, igt_error *err);
typedef struct igt__s3_provider_options {
  igt__s3_fetch_fn fetch; /* blocking */
  void *payload;
  /* Runs task(arg) soon, on a thread that may block. */
  void (*defer)(void *defer_payload, void (*task)(void *arg), void *arg);
  void *defer_payload;
  void (*release)(void *payload); /* called with the last reference; NULL: nothing to do */
} igt__s3_provider_options;
igt__s3_provider *igt__s3_provider_new(const igt__s3_provider_options *options);
igt__s3_provider *igt__s3_provider_ref(igt__s3_provider *provider);
void igt__s3_provider_unref(igt__s3_provider *provider);
/* A request will need the credentials soon: fetches them now if they never were, so that no request
 * waits for them while it occupies a connection. Any thread; does not block. */
void igt__s3_provider_warm(igt__s3_provider *provider);
/* Waits until there are credentials, so that a request submitted now does not have to: it could not
 * be cancelled meanwhile. The fetch itself goes on after a cancel: others may wait for it.
 * Blocking. */
igt_status igt__s3_provider_wait(igt__s3_provider *provider, igt__cancel *cancel, igt_error *err);

/* ---- the store ---- */

/* State shared by all requests: the HTTP client, the learned region of each bucket, the server's
 * clock. */
typedef struct igt__s3 igt__s3;
igt_status igt__s3_new(igt__http *http, igt__s3 **out, igt_error *err); /* http is borrowed */
void igt__s3_free(igt__s3 *s3);
/* Seconds by which the server's clock is ahead of ours, learned from Date when S3 responded with
 * RequestTimeTooSkewed; logged once. */
int64_t igt__s3_clock_offset(const igt__s3 *s3);
/* Whether a body needs its MD5: true until the store has returned the x-amz-checksum-sha256 that
 * was sent with one, and permanently once it has omitted it. Any thread. */
bool igt__s3_wants_md5(const igt__s3 *s3);

/* The code of the error of a store that sends the whole object where a range was requested. */
#define IGT__S3_NO_RANGES "NoRanges"

typedef enum igt__s3_op {
  IGT__S3_GET,
  IGT__S3_HEAD,
  IGT__S3_PUT,
  IGT__S3_CREATE_MULTIPART,
  IGT__S3_UPLOAD_PART,
  IGT__S3_COMPLETE_MULTIPART,
  IGT__S3_ABORT_MULTIPART,
  IGT__S3_LIST_PARTS,
  IGT__S3_LIST_OBJECTS
} igt__s3_op;

typedef struct igt__s3_part {
  unsigned number; /* from 1 */
  uint64_t size;
  char etag[80];            /* without quotes */
  unsigned char sha256[32]; /* of our own parts; zero if not known */
} igt__s3_part;

/* An object listed by LIST_OBJECTS. */
typedef struct igt__s3_object {
  char *key;
  uint64_t size;
  int64_t last_modified; /* seconds; 0: not given */
  char etag[80];         /* without quotes */
} igt__s3_object;

typedef struct igt__s3_request igt__s3_request;
struct igt__s3_request {
  /* ---- set by the caller ---- */
  igt__s3_op op;
  igt__s3_provider *provider; /* borrowed until done */
  const char *key;            /* borrowed */
  /* GET: bytes first to last; the whole object if !ranged. part_number > 0 requests that part (GET,
   * HEAD) or names it (UPLOAD_PART). */
  bool ranged;
  uint64_t first, last;
  unsigned part_number;
  const char *if_match; /* an ETag without quotes, NULL: none */
  /* GET: bytes that on_data took are kept. If an attempt breaks off, the next one requests only the
   * rest, of the same object (If-Match); on_headers is not called for it, and on_restart only if
   * the store sends all of it again. If the object has changed by then: IGT_E_PRECONDITION. */
  bool continues;
  const char *upload_id;
  /* Bodies: the digest of every byte is known before the request is signed; the store checks
   * x-amz-content-sha256, x-amz-checksum-sha256 and, with has_md5, Content-MD5. */
  const void *body;
  int body_fd; /* -1: body is in memory */
  uint64_t body_offset, body_len;
  unsigned char sha256[32];
  bool has_md5; /* as returned by igt__s3_wants_md5 */
  unsigned char md5[16];
  const igt__s3_part *parts; /* COMPLETE: all of them, in order */
  size_t part_count;
  const char *prefix, *after; /* LIST_OBJECTS */
  unsigned marker;            /* LIST_PARTS: those after this number */
  bool once; /* the caller makes the retries that lib/http would make after a delay: see broke */
  igt__cancel *cancel;
  void *payload;
  igt_status (*on_headers)(igt__s3_request *req, igt_error *err);
  igt_status (*on_data)(igt__s3_request *req, const char *data, size_t n, igt_error *err);
  igt_status (*on_restart)(igt__s3_request *req, igt_error *err);
  void (*on_progress)(igt__s3_request *req, uint64_t up, uint64_t down);
  void (*on_done)(igt__s3_request *req, igt_status status, const igt_error *err);

  /* ---- response ---- */
  int http_status;
  char etag[80];          /* without quotes */
  bool is_weak;           /* the ETag had "W/" */
  int64_t content_length; /* of this response's body; -1: not stated, or not a possible length */
  bool size_known;        /* whether the headers state object_size */
  uint64_t object_size;  /* of the whole object: Content-Range or Content-Length. Not stated: 0, and
                            the received length once a body has ended */
  int64_t last_modified; /* seconds; 0: not given */
  unsigned parts_count;  /* x-amz-mp-parts-count; 0: not given */
  char checksum_alg[16]; /* "sha256", "crc32c", ...: from x-amz-checksum-*; "": none */
  char checksum[64];     /* base64, with "-N" if composite */
  char sse[32];          /* x-amz-server-side-encryption */
  bool broke;            /* once: a failure that another attempt may fix */
  bool unverified; /* a body without MD5: nothing shows what the store has. An error; the body must
                      be sent again with MD5 */
  char *new_upload_id;  /* CREATE_MULTIPART; freed by _finish */
  igt__s3_part *listed; /* LIST_PARTS; freed by _finish */
  size_t listed_count;
  igt__s3_object *objects; /* LIST_OBJECTS, in the store's order; freed by _finish */
  size_t object_count;
  bool truncated; /* request the next page: marker = next_marker, or after = the last key */
  unsigned next_marker;
  /* private */
  igt__http_request http;
  struct igt__s3_request_private *priv;
};
igt_status igt__s3_request_init(igt__s3_request *req, igt__s3_op op, igt_error *err);
void igt__s3_request_finish(igt__s3_request *req);
/* Whether the response is for the object that an earlier one described. A weak ETag is accepted
 * only where the earlier one was weak, too (proxies weaken all of them); modified 0: not known. */
bool igt__s3_is_object(const igt__s3_request *req, const char *etag, bool is_weak,
                       int64_t modified);
/* Any thread. on_done is called exactly once, on the loop's thread. A CompleteMultipartUpload that
 * returns 200 with an <Error> is a failure; after an ExpiredToken the credentials are renewed and
 * the request continues; the right region is learned from a 301 or a 400
 * AuthorizationHeaderMalformed, and the request is retried. */
void igt__s3_submit(igt__s3 *s3, unsigned loop, igt__s3_request *req);
/* Blocking form. */
igt_status igt__s3_perform(igt__s3 *s3, igt__s3_request *req, igt_error *err);

/* ---- location ---- */

/* Where an object is: the endpoint and region of the credentials; else AWS_ENDPOINT_URL_S3,
 * AWS_ENDPOINT_URL; AWS_REGION, AWS_DEFAULT_REGION; else AWS. Path style for IP addresses,
 * localhost, and bucket names with dots. https or loopback only. url must be empty and receives
 * scheme://host[:port]/[bucket/]key, encoded. */
igt_status igt__s3_locate(igt__s3 *s3, igt__s3_credentials *c, const char *key, igt__buf *url,
                          char region[64], igt_error *err);

/* ---- S3's XML ---- */
void igt__s3_error_parse(const char *xml, size_t n, igt_error *err); /* code, text, request id */

#endif
