/* SPDX-License-Identifier: MIT */
#ifndef IGT_S3_INTERNAL_H
#define IGT_S3_INTERNAL_H

/* Shared by the files of this room. */

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "s3/s3.h"
#include "s3/sigv4.h"
#include "s3/xml.h"

/* ---- credentials.c ---- */

/* The signing key of the day and region, derived once: four HMACs are a third of what signing
 * costs, and 20,000 small files ask for it 20,000 times. Any thread. */
void igt__s3_signing_key(igt__s3_credentials *c, const char *timestamp, const char *region,
                         igt__sigv4_key *out);
/* What an object's URL begins with, up to its key, appended to url; found once for each region that
 * is thought to be the bucket's: reading the endpoint's URL twice was 2 % of a small file. False:
 * not known yet. Any thread. */
bool igt__s3_place_recall(igt__s3_credentials *c, const char *region, igt__buf *url);
void igt__s3_place_keep(igt__s3_credentials *c, const char *region, const igt__buf *url);

/* ---- provider.c ---- */

/* Waits in line for credentials; part of the request, so that waiting allocates nothing. done is
 * called once, on the thread of the fetch, without a lock held. */
typedef struct igt__s3_waiter {
  struct igt__s3_waiter *next;
  void (*done)(struct igt__s3_waiter *waiter, igt_status status, const igt_error *err);
} igt__s3_waiter;

/* Credentials that are good for a request now, or NULL when there are none: then the waiter is in
 * line and will be called, and a fetch runs. Starts a fetch ahead of their end. Never blocks. */
igt__s3_credentials *igt__s3_provider_get(igt__s3_provider *provider, igt__s3_waiter *waiter);
/* The newest there are, good or not; NULL when never fetched. */
igt__s3_credentials *igt__s3_provider_peek(igt__s3_provider *provider);
/* The store refused c as expired: it is not handed out again. */
void igt__s3_provider_refuse(igt__s3_provider *provider, const igt__s3_credentials *c);
/* A request that was refused without a reason was refused again with c, which was fetched for that:
 * others need not fetch any. */
void igt__s3_provider_prove(igt__s3_provider *provider, const igt__s3_credentials *c);
bool igt__s3_provider_is_proven(igt__s3_provider *provider, const igt__s3_credentials *c);
/* By our clock c should have ended, or is about to. */
bool igt__s3_provider_is_due(igt__s3_provider *provider, const igt__s3_credentials *c);

/* ---- store.c, locate.c ---- */

/* What was learnt of a bucket. Only grows; entries live until igt__s3_free. */
typedef struct igt__s3_bucket {
  char region[64];
} igt__s3_bucket;

/* Whether x-amz-checksum-sha256 comes back from the store, which then says what it has. MISSED is
 * for good: where two kinds of stores answer, each one's next body would be sent twice. */
typedef enum igt__s3_echo {
  IGT__S3_ECHO_UNKNOWN,
  IGT__S3_ECHO_SEEN,
  IGT__S3_ECHO_MISSED
} igt__s3_echo;

struct igt__s3 {
  igt__http *http;
  char env_endpoint[512]; /* "" : none */
  char env_region[64];
  _Atomic int64_t clock_offset; /* seconds */
  atomic_bool skew_logged;
  atomic_bool no_checksums; /* the store does not know x-amz-checksum-* */
  _Atomic igt__s3_echo echo;
  pthread_mutex_t lock;
  igt__map *buckets; /* by lock */
};

bool igt__s3_region_valid(const char *region);
/* Remembers the region of a bucket. False when nothing changed by it: repeating is no use. */
bool igt__s3_learn_region(igt__s3 *s3, const char *bucket, const char *region,
                          const char *was_region);
/* A region out of ENDPOINT, such as "bucket.s3.eu-central-1.amazonaws.com". */
bool igt__s3_region_of_endpoint(const char *endpoint, char region[64]);
/* Whether a redirect of a request for bucket may go to this URL: https, and an S3 host of AWS
 * that names the bucket. origin gets scheme and host. */
bool igt__s3_redirect_allowed(const char *location, const char *bucket, char *origin, size_t cap);

/* ---- request.c, sign.c, response.c ---- */

/* Why a request that failed is sent again at once. */
typedef enum igt__s3_again {
  IGT__S3_AGAIN_NO,
  IGT__S3_AGAIN_CREDENTIALS, /* new ones first */
  IGT__S3_AGAIN_REGION,
  IGT__S3_AGAIN_REDIRECT,
  IGT__S3_AGAIN_CLOCK,
  IGT__S3_AGAIN_CHECKSUMS, /* without them */
  IGT__S3_AGAIN_COMPLETE,  /* after a pause */
  IGT__S3_AGAIN_DAMAGED,   /* the store has other bytes than were sent */
  IGT__S3_AGAIN_COUNT
} igt__s3_again;

struct igt__s3_request_private {
  igt__s3_waiter waiter; /* first: the private part is found from it */
  igt__s3_request *req;
  igt__s3 *s3;
  unsigned loop;
  igt__post *post;           /* for its failure, which must be told without memory, too */
  void *blocking;            /* of igt__s3_perform; NULL: on_done is called */
  igt__s3_credentials *used; /* what the last attempt was signed with */
  int64_t used_offset;       /* clock offset of the last attempt */
  char used_region[64];
  igt__s3_again again; /* decided while the answer is read */
  unsigned char repeats[IGT__S3_AGAIN_COUNT];
  bool sent_checksums, without_checksums;
  char sent_sha256[48]; /* x-amz-checksum-sha256 of the last attempt; "": none */
  uint64_t expected;    /* bytes of the body that have to come; UINT64_MAX: not known */
  uint64_t most;        /* that may come */
  uint64_t received;
  /* Of a GET that continues, over all attempts: what on_data took, of which object. */
  uint64_t taken;
  uint64_t object_size;
  char object_etag[80];
  char redirect[300];                         /* origin of a temporary redirect; "": none */
  igt__buf complete;                          /* the body of COMPLETE */
  igt__buf url, query, scratch, names, value; /* kept between attempts */
  igt_error err;                              /* what a waiter that failed reports */
};

/* request.c: gives back what is kept for the next request. */
void igt__s3_requests_trim(void);

/* sign.c: url and headers of one attempt. */
igt_status igt__s3_prepare(igt__http_request *http, igt_error *err);
/* response.c: what came back. */
igt_status igt__s3_on_headers(igt__http_request *http, igt_error *err);
igt_status igt__s3_on_data(igt__http_request *http, const char *data, size_t n, igt_error *err);
igt_status igt__s3_on_restart(igt__http_request *http, igt_error *err);
void igt__s3_on_error_response(igt__http_request *http, igt_error *err);
/* An <Error> or header says how a repetition could succeed: sets again. */
void igt__s3_decide_again(igt__s3_request *req, const igt__s3_error_details *details,
                          const igt_error *err);
/* A GET that goes on behind what was taken: the bytes of this attempt. False: all of the request's.
 */
bool igt__s3_rest(const igt__s3_request *req, uint64_t *first, uint64_t *last);
/* "bytes FIRST-LAST/TOTAL" (RFC 9110, 14.4); S3 always knows the total. */
bool igt__s3_content_range_parse(const char *text, uint64_t *first, uint64_t *last,
                                 uint64_t *total);
/* The result of a finished exchange: reads XML answers, compares digests. */
igt_status igt__s3_conclude(igt__s3_request *req, igt_status status, igt_error *err);

#endif
