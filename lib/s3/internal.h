/* SPDX-License-Identifier: MIT */
#ifndef IGT_S3_INTERNAL_H
#define IGT_S3_INTERNAL_H

/* Shared by the files of lib/s3. */

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "base/thread.h"
#include "s3/s3.h"
#include "s3/sigv4.h"
#include "s3/xml.h"

/* ---- credentials.c ---- */

/* The signing key of the day and region, derived once: its four HMACs are a third of the cost of
 * signing, and 20,000 small files need it 20,000 times. Any thread. */
void igt__s3_signing_key(igt__s3_credentials *c, const char *timestamp, const char *region,
                         igt__sigv4_key *out);
/* Appends the start of an object's URL, up to its key, to url. It is determined once for each
 * region that is believed to be the bucket's: parsing the endpoint's URL twice took 2 % of the time
 * of a small file. False: not known yet. Any thread. */
bool igt__s3_place_recall(igt__s3_credentials *c, const char *region, igt__buf *url);
void igt__s3_place_keep(igt__s3_credentials *c, const char *region, const igt__buf *url);

/* ---- provider.c ---- */

/* A request that waits for credentials; a member of the request, so that waiting allocates nothing.
 * done is called once, on the thread of the fetch, with no lock held. */
typedef struct igt__s3_waiter {
  struct igt__s3_waiter *next;
  void (*done)(struct igt__s3_waiter *waiter, igt_status status, const igt_error *err);
} igt__s3_waiter;

/* Credentials that are usable for a request now, or NULL if there are none: then the waiter is
 * queued and will be called, and a fetch is running. Starts a fetch ahead of their expiry. Never
 * blocks. */
igt__s3_credentials *igt__s3_provider_get(igt__s3_provider *provider, igt__s3_waiter *waiter);
/* The most recent credentials, usable or not; NULL if none were ever fetched. */
igt__s3_credentials *igt__s3_provider_peek(igt__s3_provider *provider);
/* The store rejected c as expired: it is not handed out again. */
void igt__s3_provider_refuse(igt__s3_provider *provider, const igt__s3_credentials *c);
/* A request that was rejected without a reason was rejected again with c, which had been fetched
 * because of that: other requests need not fetch new ones. */
void igt__s3_provider_prove(igt__s3_provider *provider, const igt__s3_credentials *c);
bool igt__s3_provider_is_proven(igt__s3_provider *provider, const igt__s3_credentials *c);
/* Whether c has expired by our clock, or is about to. */
bool igt__s3_provider_is_due(igt__s3_provider *provider, const igt__s3_credentials *c);

/* ---- store.c, locate.c ---- */

/* What was learned about a bucket. The list only grows; entries live until igt__s3_free. */
typedef struct igt__s3_bucket {
  char region[64];
} igt__s3_bucket;

/* Whether the store returns the x-amz-checksum-sha256 that was sent, which shows what it stored.
 * MISSED is permanent: with two kinds of stores behind one name, each one's next body would be sent
 * twice. */
typedef enum igt__s3_echo {
  IGT__S3_ECHO_UNKNOWN,
  IGT__S3_ECHO_SEEN,
  IGT__S3_ECHO_MISSED
} igt__s3_echo;

struct igt__s3 {
  igt__http *http;
  char env_endpoint[512]; /* "": none */
  char env_region[64];
  _Atomic int64_t clock_offset; /* seconds */
  atomic_bool skew_logged;
  atomic_bool no_checksums; /* the store does not support x-amz-checksum-* */
  _Atomic igt__s3_echo echo;
  pthread_mutex_t lock;
  igt__map *buckets; /* protected by lock */
};

bool igt__s3_region_valid(const char *region);
/* Remembers the region of a bucket. False if that changed nothing, so a retry is useless. */
bool igt__s3_learn_region(igt__s3 *s3, const char *bucket, const char *region,
                          const char *was_region);
/* Extracts the region from ENDPOINT, such as "bucket.s3.eu-central-1.amazonaws.com". */
bool igt__s3_region_of_endpoint(const char *endpoint, char region[64]);
/* Whether a request for bucket may be redirected to this URL: https, and an S3 host of AWS that
 * names the bucket. origin receives scheme and host. */
bool igt__s3_redirect_allowed(const char *location, const char *bucket, char *origin, size_t cap);

/* ---- request.c, sign.c, response.c ---- */

/* Why a failed request is retried immediately. */
typedef enum igt__s3_again {
  IGT__S3_AGAIN_NO,
  IGT__S3_AGAIN_CREDENTIALS, /* with new ones */
  IGT__S3_AGAIN_REGION,
  IGT__S3_AGAIN_REDIRECT,
  IGT__S3_AGAIN_CLOCK,
  IGT__S3_AGAIN_CHECKSUMS, /* without them */
  IGT__S3_AGAIN_COMPLETE,  /* after a pause */
  IGT__S3_AGAIN_DAMAGED,   /* the store has other bytes than were sent */
  IGT__S3_AGAIN_COUNT
} igt__s3_again;

struct igt__s3_request_private {
  igt__s3_waiter waiter; /* must be first: the private struct is found from it */
  igt__s3_request *req;
  igt__s3 *s3;
  unsigned loop;
  igt__post *post;             /* for its failure, which must be reported even when out of memory */
  igt__completion *completion; /* of a thread in igt__s3_perform; NULL: on_done is called */
  igt__s3_credentials *used;   /* what the last attempt was signed with */
  int64_t used_offset;         /* clock offset of the last attempt */
  char used_region[64];
  igt__s3_again again; /* decided while the response is read */
  unsigned char repeats[IGT__S3_AGAIN_COUNT];
  bool sent_checksums, without_checksums;
  char sent_sha256[48]; /* x-amz-checksum-sha256 of the last attempt; "": none */
  uint64_t expected;    /* bytes of the body still expected; UINT64_MAX: not known */
  uint64_t most;        /* largest body that is accepted */
  uint64_t received;
  /* For a GET that continues, over all attempts: the bytes that on_data took, and of which
   * object. */
  uint64_t taken;
  uint64_t object_size;
  char object_etag[80];
  bool object_is_weak;
  int64_t object_modified;
  char redirect[300];                         /* origin of a temporary redirect; "": none */
  igt__buf complete;                          /* the body of COMPLETE */
  igt__buf url, query, scratch, names, value; /* kept between attempts */
  igt_error err;                              /* what a waiter that failed reports */
};

/* request.c: frees what is kept for the next request. */
void igt__s3_requests_trim(void);

/* sign.c: URL and headers of one attempt. */
igt_status igt__s3_prepare(igt__http_request *http, igt_error *err);
/* response.c: handlers of the response. */
igt_status igt__s3_on_headers(igt__http_request *http, igt_error *err);
igt_status igt__s3_on_data(igt__http_request *http, const char *data, size_t n, igt_error *err);
igt_status igt__s3_on_restart(igt__http_request *http, igt_error *err);
void igt__s3_on_error_response(igt__http_request *http, igt_error *err);
/* Sets `again` if an <Error> or a header says how a retry could succeed. */
void igt__s3_decide_again(igt__s3_request *req, const igt__s3_error_details *details,
                          const igt_error *err);
/* The byte range of this attempt, for a GET that continues after the bytes already taken. False:
 * all of the request's range. */
bool igt__s3_rest(const igt__s3_request *req, uint64_t *first, uint64_t *last);
/* "bytes FIRST-LAST/TOTAL" (RFC 9110, section 14.4); S3 always states the total. */
bool igt__s3_content_range_parse(const char *text, uint64_t *first, uint64_t *last,
                                 uint64_t *total);
/* The result of a finished exchange: parses XML responses, compares digests. */
igt_status igt__s3_conclude(igt__s3_request *req, igt_status status, igt_error *err);

#endif
