/* SPDX-License-Identifier: MIT */
/* "Authenticating Requests (AWS Signature Version 4)": by the Authorization header or, for
 * presigned URLs, by the query. s3.c calls s3_authenticate once the headers are read: it reads what
 * the client claims (key, scope, signed headers, signature), checks the time, finds the account
 * (credentials.c) and compares the signature with its own. Bodies are verified by payload.c. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/time.h"

#define MAX_SKEW (15 * 60)
#define MAX_PRESIGNED (7 * 24 * 3600)
#define MAX_HEADERS 128 /* what lies beyond would not be checked, so there must be none */

/* What the client claims about its signature. */
typedef struct claim {
  const char *access_key;
  const char *day;
  const char *region;
  const char *service;
  const char *terminator;
  const char *signed_headers;
  const char *signature;
} claim;

typedef struct headers {
  igt__sigv4_header list[MAX_HEADERS];
  size_t count;
  const char *signed_headers;
  const char *unsigned_name; /* an x-amz- header that is not signed */
  bool too_many;
} headers;

static s3_code malformed(const s3_call *call) {
  return call->presigned ? S3_QUERY_PARAMETERS : S3_HEADER_MALFORMED;
}

/* ---- the claim ---- */

/* "KEY/20260131/eu-central-1/s3/aws4_request" */
static bool split_scope(s3_call *call, const char *scope, claim *out) {
  const char **fields[] = {&out->access_key, &out->day, &out->region, &out->service,
                           &out->terminator};

  for (size_t i = 0; i < 5; i++) {
    size_t n = strcspn(scope, "/");
    if (n == 0 || (i < 4) != (scope[n] == '/'))
      return false;
    *fields[i] = igt__arena_strndup(call->arena, scope, n);
    if (!*fields[i])
      return false;
    scope += n + 1;
  }
  return true;
}

/* The value of "Name=" in "Credential=…, SignedHeaders=…, Signature=…". */
static const char *find_field(s3_call *call, const char *text, const char *name) {
  size_t n = strlen(name);

  while (*text) {
    text += strspn(text, " ,");
    size_t len = strcspn(text, ",");
    while (len > 0 && text[len - 1] == ' ')
      len--;
    if (len > n && memcmp(text, name, n) == 0 && text[n] == '=')
      return igt__arena_strndup(call->arena, text + n + 1, len - n - 1);
    text += strcspn(text, ",");
  }
  return NULL;
}

static bool read_header(s3_call *call, const char *authorization, claim *out) {
  if (!igt__str_starts(authorization, IGT__SIGV4_ALGORITHM " ")) {
    s3_fail(call, S3_INVALID_REQUEST,
            "The authorization mechanism you have provided is not supported. Please use "
            "AWS4-HMAC-SHA256.");
    return false;
  }
  const char *fields = authorization + strlen(IGT__SIGV4_ALGORITHM " ");
  const char *scope = find_field(call, fields, "Credential");
  out->signed_headers = find_field(call, fields, "SignedHeaders");
  out->signature = find_field(call, fields, "Signature");
  if (!scope || !out->signed_headers || !out->signature) {
    s3_fail(call, S3_HEADER_MALFORMED,
            "The authorization header is malformed; it needs Credential, SignedHeaders and "
            "Signature.");
    return false;
  }
  if (!split_scope(call, scope, out)) {
    s3_fail(call, S3_HEADER_MALFORMED,
            "The authorization header is malformed; the Credential is mal-formed; expecting "
            "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
    return false;
  }
  return true;
}

static bool read_query(s3_call *call, claim *out) {
  const char *algorithm = sbx_query(call->req, "X-Amz-Algorithm", 0);
  const char *scope = sbx_query(call->req, "X-Amz-Credential", 0);

  out->signed_headers = sbx_query(call->req, "X-Amz-SignedHeaders", 0);
  out->signature = sbx_query(call->req, "X-Amz-Signature", 0);
  call->presigned = true;
  if (!algorithm || !scope || !out->signed_headers || !out->signature ||
      !sbx_query_has(call->req, "X-Amz-Date") || !sbx_query_has(call->req, "X-Amz-Expires")) {
    s3_fail(call, S3_QUERY_PARAMETERS,
            "Query-string authentication version 4 requires the X-Amz-Algorithm, "
            "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
            "X-Amz-Expires parameters.");
    return false;
  }
  if (strcmp(algorithm, IGT__SIGV4_ALGORITHM) != 0) {
    s3_fail(call, S3_QUERY_PARAMETERS, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
    return false;
  }
  if (!split_scope(call, scope, out)) {
    s3_fail(call, S3_QUERY_PARAMETERS,
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; "
            "expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
    return false;
  }
  return true;
}

static bool read_claim(s3_call *call, claim *out) {
  const char *authorization = sbx_header(call->req, "Authorization");
  bool query = sbx_query_has(call->req, "X-Amz-Algorithm");

  if (authorization && query) {
    s3_fail(call, S3_INVALID_ARGUMENT,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm "
            "query parameter, Signature query string parameter or the "
            "Authorization header should be specified");
    return false;
  }
  if (authorization)
    return read_header(call, authorization, out);
  if (query)
    return read_query(call, out);
  s3_fail(call, S3_ACCESS_DENIED, NULL); /* anonymous requests are not allowed to do anything */
  return false;
}

static bool check_scope(s3_call *call, const claim *claimed) {
  const char *where = call->presigned ? "Error parsing the X-Amz-Credential parameter"
                                      : "The authorization header is malformed";

  if (strcmp(claimed->service, "s3") != 0) {
    s3_fail(call, malformed(call), "%s; incorrect service \"%s\". This endpoint belongs to \"s3\".",
            where, claimed->service);
    return false;
  }
  if (strcmp(claimed->terminator, "aws4_request") != 0) {
    s3_fail(call, malformed(call), "%s; incorrect terminal \"%s\". Expecting \"aws4_request\".",
            where, claimed->terminator);
    return false;
  }
  if (strcmp(claimed->region, SBX_REGION) == 0)
    return true;
  sbx_add_header(call->req, "x-amz-bucket-region", SBX_REGION); /* all that a HEAD can carry */
  s3_fail_with(call, malformed(call), "Region", SBX_REGION,
               "%s; the region '%s' is wrong; expecting '" SBX_REGION "'", where, claimed->region);
  return false;
}

/* ---- the time ---- */

static bool read_time(s3_call *call, int64_t *seconds) {
  const char *text =
      call->presigned ? sbx_query(call->req, "X-Amz-Date", 0) : sbx_header(call->req, "x-amz-date");
  const char *date = call->presigned || text ? NULL : sbx_header(call->req, "Date");

  if (!(text && igt__basic_parse(text, seconds)) &&
      !(date && igt__http_date_parse(date, seconds)) &&
      !(date && igt__basic_parse(date, seconds))) {
    if (call->presigned)
      s3_fail(call, S3_QUERY_PARAMETERS,
              "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    else
      s3_fail(call, S3_ACCESS_DENIED,
              "AWS authentication requires a valid Date or x-amz-date header");
    return false;
  }
  igt__time_format_basic(*seconds, call->timestamp, sizeof call->timestamp);
  return true;
}

static bool check_presigned_time(s3_call *call, int64_t signed_at, int64_t now) {
  int64_t lifetime = 0;

  if (!igt__str_to_int64(sbx_query(call->req, "X-Amz-Expires", 0), &lifetime) || lifetime < 1 ||
      lifetime > MAX_PRESIGNED) {
    s3_fail(call, S3_QUERY_PARAMETERS,
            "X-Amz-Expires must be a number of seconds from 1 to 604800 (a week)");
    return false;
  }
  if (now > signed_at + lifetime)
    s3_fail(call, S3_ACCESS_DENIED, "Request has expired");
  else if (signed_at > now + MAX_SKEW)
    s3_fail(call, S3_ACCESS_DENIED, "Request is not yet valid");
  else
    return true;
  return false;
}

static bool check_time(s3_call *call, const claim *claimed) {
  int64_t signed_at = 0, now = igt__wall_seconds();

  if (!read_time(call, &signed_at))
    return false;
  if (strncmp(call->timestamp, claimed->day, 8) != 0 || strlen(claimed->day) != 8) {
    s3_fail(call, malformed(call),
            "Invalid credential date \"%s\". This date is not the same as "
            "X-Amz-Date: \"%.8s\".",
            claimed->day, call->timestamp);
    return false;
  }
  if (call->presigned)
    return check_presigned_time(call, signed_at, now);
  if (signed_at < now - MAX_SKEW || signed_at > now + MAX_SKEW) {
    char text[24];
    igt__time_format_basic(now, text, sizeof text);
    s3_fail_with(call, S3_TIME_SKEWED, "ServerTime", text, NULL);
    return false;
  }
  return true;
}

/* ---- the account ---- */

static bool check_account(s3_call *call) {
  const sbx_credentials *account = &call->credentials;
  const char *token = call->presigned ? sbx_query(call->req, "X-Amz-Security-Token", 0)
                                      : sbx_header(call->req, "x-amz-security-token");
  size_t n = strlen(account->session_token);

  if (!token && n > 0) /* S3's response to temporary keys without their token */
    s3_fail(call, S3_INVALID_ACCESS_KEY, NULL);
  else if (token &&
           (strlen(token) != n || !igt__equal_constant_time(token, account->session_token, n)))
    s3_fail(call, S3_INVALID_TOKEN, NULL);
  else
    return true;
  return false;
}

/* ---- the signature ---- */

static bool is_listed(const char *list, const char *name) {
  size_t n = strlen(name);

  for (;;) {
    size_t len = strcspn(list, ";");
    if (len == n && igt__str_starts_nocase(list, name))
      return true;
    list += len;
    if (!*list++)
      return false;
  }
}

static bool collect(void *payload, const char *name, const char *value) {
  headers *h = payload;

  if (h->count == MAX_HEADERS) {
    h->too_many = true;
    return false;
  }
  h->list[h->count++] = (igt__sigv4_header){name, value};
  if (igt__str_starts_nocase(name, "x-amz-") && !is_listed(h->signed_headers, name))
    h->unsigned_name = name;
  return true;
}

/* Everything that could change the meaning of the request must be signed: the host and every x-amz-
 * header. */
static bool check_signed_headers(s3_call *call, const headers *h) {
  if (h->too_many)
    s3_fail(call, S3_INVALID_REQUEST, "The request has more headers than this server signs.");
  else if (!is_listed(h->signed_headers, "host"))
    s3_fail_with(call, S3_ACCESS_DENIED, "HeadersNotSigned", "host",
                 "There were headers present in the request which were not signed");
  else if (h->unsigned_name)
    s3_fail_with(call, S3_ACCESS_DENIED, "HeadersNotSigned", h->unsigned_name,
                 "There were headers present in the request which were not signed");
  else if (!sbx_header(call->req, "Host"))
    s3_fail(call, S3_INVALID_REQUEST, "Missing required header for this request: Host");
  else
    return true;
  return false;
}

/* The path as S3 signs it: every byte except the unreserved ones is escaped, however the client
 * encoded it in the request. */
static bool canonical_path(const char *path, igt__buf *out) {
  igt__buf plain;

  igt__buf_init(&plain, strlen(path) + 1);
  bool ok = igt__uri_decode(&plain, path, strlen(path), false) &&
            igt__uri_encode(out, plain.data, plain.len, true);
  igt__buf_finish(&plain);
  return ok;
}

static bool sign(s3_call *call, const claim *claimed, const headers *h) {
  igt__buf path, scratch;

  igt__buf_init(&path, 64 * 1024);
  igt__buf_init(&scratch, 1024 * 1024);
  bool ok = canonical_path(call->req->path, &path);
  igt__sigv4_request request = {
      .method = call->req->method,
      .path = path.data,
      .query = call->req->query,
      .headers = h->list,
      .header_count = h->count,
      .signed_headers = claimed->signed_headers,
      .payload_hash = call->content_sha256,
  };
  ok = ok && igt__sigv4_sign(&call->signing_key, &request, call->timestamp, SBX_REGION, "s3",
                             &scratch, call->signature);
  igt__buf_finish(&path);
  igt__buf_finish_wipe(&scratch);
  return ok;
}

static bool check_signature(s3_call *call, const claim *claimed) {
  headers h = {.signed_headers = claimed->signed_headers};

  sbx_headers_each(call->req, collect, &h);
  if (!check_signed_headers(call, &h))
    return false;
  if (!sign(call, claimed, &h)) {
    s3_fail(call, S3_INVALID_REQUEST, "The request cannot be canonicalized.");
    return false;
  }
  if (strlen(claimed->signature) == 64 &&
      igt__equal_constant_time(claimed->signature, call->signature, 64))
    return true;
  s3_fail_with(call, S3_SIGNATURE, "SignatureProvided", claimed->signature, NULL);
  return false;
}

/* Reads x-amz-content-sha256, which payload.c interprets. */
static bool read_content_hash(s3_call *call) {
  call->content_sha256 = sbx_header(call->req, "x-amz-content-sha256");
  if (!call->content_sha256 && call->presigned) {
    call->content_sha256 = sbx_query(call->req, "X-Amz-Content-Sha256", 0);
    if (!call->content_sha256)
      call->content_sha256 = IGT__SIGV4_UNSIGNED;
  }
  if (call->content_sha256)
    return true;
  s3_fail(call, S3_INVALID_REQUEST,
          "Missing required header for this request: x-amz-content-sha256");
  return false;
}

bool s3_authenticate(s3_call *call) {
  claim claimed = {0};

  if (!read_claim(call, &claimed) || !check_scope(call, &claimed) || !read_content_hash(call) ||
      !check_time(call, &claimed))
    return false;
  if (strlen(claimed.access_key) >= sizeof call->credentials.access_key ||
      !s3_identity_find(call->server, claimed.access_key, claimed.day, &call->credentials,
                        &call->signing_key)) {
    s3_fail_with(call, S3_INVALID_ACCESS_KEY, "AWSAccessKeyId", claimed.access_key, NULL);
    return false;
  }
  if (!check_account(call) || !check_signature(call, &claimed))
    return false;
  if (call->credentials.expires && call->credentials.expires <= igt__wall_seconds()) {
    s3_fail(call, S3_EXPIRED_TOKEN, NULL);
    return false;
  }
  return true;
}

bool s3_allowed(const s3_call *call, s3_right right, const char *bucket, const char *name) {
  const sbx_credentials *account = &call->credentials;

  if (strcmp(account->bucket, bucket) != 0 || !igt__str_starts(name, account->prefix))
    return false;
  if (strcmp(account->action, "*") == 0)
    return true;
  switch (right) {
  case S3_RIGHT_READ:
    return strcmp(account->action, "GET") == 0;
  case S3_RIGHT_WRITE:
    return strcmp(account->action, "PUT") == 0;
  case S3_RIGHT_ADMIN:
    return false;
  }
  return false;
}
