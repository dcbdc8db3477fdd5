/* SPDX-License-Identifier: MIT */
/* Interprets S3's responses: copies headers into the request's fields, maps errors to statuses, and
 * decides what is learned from an error. on_headers validates what the headers promise (range,
 * object, length) before any byte is handed on; igt__s3_conclude parses the body once it is
 * complete and compares digests. If an error shows how a retry could succeed (another region, a
 * corrected clock, new credentials, no checksum headers, MD5 included), it sets `again`, which
 * request.c acts on. Called by lib/http on a loop's thread, through request.c. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "s3/internal.h"

static const char *header(const igt__s3_request *req, const char *name) {
  const char *value = igt__http_response_header(&req->http, name, 0);

  return value ? value : "";
}

/* "" if it does not fit: half an identifier is useless. */
static void copy_header(const igt__s3_request *req, const char *name, char *out, size_t cap) {
  const char *value = header(req, name);
  size_t n = strlen(value);

  if (n >= cap)
    n = 0;
  memcpy(out, value, n);
  out[n] = '\0';
}

static bool is_redirect(int http_status) {
  return http_status >= 300 && http_status < 400;
}

/* ---- headers ---- */

static void read_checksum(igt__s3_request *req) {
  /* The strongest first; a store sends one, rarely two. */
  static const char *const names[] = {"x-amz-checksum-sha256", "x-amz-checksum-crc64nvme",
                                      "x-amz-checksum-crc32c", "x-amz-checksum-crc32",
                                      "x-amz-checksum-sha1"};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    copy_header(req, names[i], req->checksum, sizeof req->checksum);
    if (req->checksum[0]) {
      igt__str_copy(req->checksum_alg, sizeof req->checksum_alg,
                    names[i] + strlen("x-amz-checksum-"));
      break;
    }
  }
  /* A checksum of checksums without the "-N" suffix cannot be distinguished from one of the
   * bytes. */
  if (strcmp(header(req, "x-amz-checksum-type"), "COMPOSITE") == 0 && !strchr(req->checksum, '-'))
    req->checksum_alg[0] = req->checksum[0] = '\0';
}

static void read_fields(igt__s3_request *req) {
  uint64_t parts;
  int64_t date;

  req->content_length = req->http.content_length;
  req->size_known = req->content_length >= 0;
  req->object_size = req->size_known ? (uint64_t)req->content_length : 0;
  if (!igt__s3_etag_copy(req->etag, sizeof req->etag, header(req, "ETag")))
    req->etag[0] = '\0';
  req->is_weak = igt__str_starts(header(req, "ETag"), "W/");
  if (igt__http_date_parse(header(req, "Last-Modified"), &date))
    req->last_modified = date;
  if (igt__str_to_uint64(header(req, "x-amz-mp-parts-count"), &parts) && parts <= IGT__S3_MAX_PARTS)
    req->parts_count = (unsigned)parts;
  copy_header(req, "x-amz-server-side-encryption", req->sse, sizeof req->sse);
  read_checksum(req);
}

bool igt__s3_content_range_parse(const char *text, uint64_t *first, uint64_t *last,
                                 uint64_t *total) {
  char copy[80];
  char *dash, *slash;

  if (!igt__str_starts_nocase(text, "bytes ") || strlen(text) >= sizeof copy)
    return false;
  igt__str_copy(copy, sizeof copy, text + 6);
  dash = strchr(copy, '-');
  slash = strchr(copy, '/');
  if (!dash || !slash || slash < dash)
    return false;
  *dash = *slash = '\0';
  return igt__str_to_uint64(copy, first) && igt__str_to_uint64(dash + 1, last) &&
         igt__str_to_uint64(slash + 1, total) && *first <= *last && *last < *total;
}

bool igt__s3_rest(const igt__s3_request *req, uint64_t *first, uint64_t *last) {
  const struct igt__s3_request_private *priv = req->priv;
  uint64_t end = priv->object_size;

  if (!req->continues || priv->taken == 0)
    return false;
  if (req->ranged && req->last < end)
    end = req->last + 1;
  *first = (req->ranged ? req->first : 0) + priv->taken;
  *last = end - 1;
  return *first < end;
}

static igt_status fail_no_ranges(const igt__s3_request *req, igt_error *err) {
  (void)igt__fail(err, IGT_E_PROTOCOL,
                  "S3 sent the whole object where bytes %llu to %llu were requested: it does not "
                  "support ranges, so the file can only be downloaded as a whole",
                  (unsigned long long)req->first, (unsigned long long)req->last);
  if (err)
    igt__str_copy(err->code, sizeof err->code, IGT__S3_NO_RANGES);
  return IGT_E_PROTOCOL;
}

/* What says which bytes these are, given twice with two values, says nothing: which of them a proxy
 * added is a guess. */
static igt_status check_single(const igt__s3_request *req, igt_error *err) {
  static const char *const names[] = {"Content-Range",         "ETag",
                                      "x-amz-checksum-sha256", "x-amz-checksum-crc64nvme",
                                      "x-amz-checksum-crc32c", "x-amz-checksum-crc32",
                                      "x-amz-checksum-sha1"};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *other;

    for (size_t n = 1; (other = igt__http_response_header(&req->http, names[i], n)) != NULL; n++)
      if (strcmp(other, header(req, names[i])) != 0)
        return igt__fail(err, IGT_E_PROTOCOL,
                         "S3's response has several %s headers, which differ: does a proxy or a "
                         "cache add one?",
                         names[i]);
  }
  return IGT_OK;
}

/* The bytes of another range under the right name are the worst that a cache can do to us. */
static igt_status check_range(igt__s3_request *req, igt_error *err) {
  uint64_t requested_first = req->first, requested_last = req->last, first, last, total;
  bool rest = igt__s3_rest(req, &requested_first, &requested_last);
  const char *text = header(req, "Content-Range");

  if (req->http_status == 200) {
    if (req->first > 0 || (req->size_known && req->object_size > req->last + 1))
      return fail_no_ranges(req, err);
    if (!req->size_known) /* chunked: no more may arrive than was requested */
      req->priv->most = req->last + 1;
    return IGT_OK;
  }
  if (!igt__s3_content_range_parse(text, &first, &last, &total))
    return igt__fail(err, IGT_E_PROTOCOL,
                     "S3 sent a range without saying which (no usable Content-Range)");
  req->object_size = total;
  req->size_known = true;
  req->priv->expected = req->priv->most = last - first + 1;
  if (!req->ranged && !rest) { /* nobody asked for a part: a whole object in a 206 is fine */
    requested_first = 0;
    requested_last = total - 1;
  }
  if (req->op == IGT__S3_GET && /* of a HEAD it is the part's place in the object */
      (first != requested_first || last != (requested_last < total ? requested_last : total - 1)))
    return igt__fail(err, IGT_E_PROTOCOL,
                     "S3 sent bytes %llu to %llu where %llu to %llu were requested",
                     (unsigned long long)first, (unsigned long long)last,
                     (unsigned long long)requested_first, (unsigned long long)requested_last);
  if (req->content_length >= 0 && (uint64_t)req->content_length != req->priv->expected)
    return igt__fail(err, IGT_E_PROTOCOL, "S3's Content-Length and Content-Range disagree");
  req->content_length = (int64_t)req->priv->expected;
  return IGT_OK;
}

/* All of it is sent again: the store does not support ranges, or nothing was left to request. */
static igt_status start_again(igt__s3_request *req, igt_error *err) {
  req->priv->taken = 0;
  return req->on_restart ? req->on_restart(req, err) : IGT_OK;
}

bool igt__s3_is_object(const igt__s3_request *req, const char *etag, bool is_weak,
                       int64_t modified) {
  return strcmp(req->etag, etag) == 0 && req->is_weak == is_weak &&
         (!req->last_modified || !modified || req->last_modified == modified);
}

/* The start of one object followed by the rest of another is neither of them. */
static igt_status check_same(igt__s3_request *req, igt_error *err) {
  const struct igt__s3_request_private *priv = req->priv;

  if (igt__s3_is_object(req, priv->object_etag, priv->object_is_weak, priv->object_modified) &&
      req->object_size == priv->object_size)
    return IGT_OK;
  return igt__fail(err, IGT_E_PRECONDITION, "the object changed while it was fetched");
}

/* Sets *again if on_headers has already seen this object. */
static igt_status begin_or_go_on(igt__s3_request *req, bool *again, igt_error *err) {
  struct igt__s3_request_private *priv = req->priv;

  *again = false;
  if (!req->continues)
    return IGT_OK;
  if (priv->taken > 0 && req->http_status != 206) {
    igt_status status = start_again(req, err);
    if (status)
      return status;
  }
  if (priv->taken > 0) {
    *again = true;
    return check_same(req, err);
  }
  priv->object_size = req->object_size;
  memcpy(priv->object_etag, req->etag, sizeof priv->object_etag);
  priv->object_is_weak = req->is_weak;
  priv->object_modified = req->last_modified;
  return IGT_OK;
}

static bool has_size(const igt__s3_request *req) {
  return req->op == IGT__S3_GET || req->op == IGT__S3_HEAD;
}

static bool has_etag(const igt__s3_request *req) {
  return req->op == IGT__S3_GET || req->op == IGT__S3_HEAD || req->op == IGT__S3_PUT ||
         req->op == IGT__S3_UPLOAD_PART;
}

igt_status igt__s3_on_headers(igt__http_request *http, igt_error *err) {
  igt__s3_request *req = http->payload;
  struct igt__s3_request_private *priv = req->priv;
  igt_status status = IGT_OK;
  bool again = false;

  req->http_status = http->http_status;
  priv->received = 0;
  priv->expected = priv->most = UINT64_MAX;
  if (is_redirect(http->http_status)) { /* the body may name the region: see conclude_redirect */
    priv->most = IGT__MAX_ERROR_BODY;
    return IGT_OK;
  }
  status = check_single(req, err);
  if (status)
    return status;
  read_fields(req);
  if (has_etag(req) && !req->etag[0])
    return igt__fail(err, IGT_E_PROTOCOL,
                     "the response is not from S3 (no ETag): a proxy or captive portal?");
  if (req->op == IGT__S3_GET) {
    if (http->content_length >= 0)
      priv->expected = priv->most = (uint64_t)http->content_length;
  }
  if ((req->op == IGT__S3_GET && req->ranged) || http->http_status == 206)
    status = check_range(req, err);
  if (!status && has_size(req) && req->object_size > IGT__S3_MAX_OBJECT)
    status = igt__fail(err, IGT_E_LIMIT,
                       "S3 says that the object has %llu bytes, more than any object can have",
                       (unsigned long long)req->object_size);
  if (!status)
    status = begin_or_go_on(req, &again, err);
  if (!status && !again && req->on_headers)
    status = req->on_headers(req, err);
  return status;
}

/* ---- body ---- */

static igt_status take(igt__s3_request *req, const char *data, size_t n, igt_error *err) {
  igt_status status = req->on_data(req, data, n, err);

  if (status || !req->continues)
    return status;
  req->priv->taken += n;
  if (req->priv->taken > req->http.kept)
    req->http.kept = req->priv->taken;
  return IGT_OK;
}

igt_status igt__s3_on_data(igt__http_request *http, const char *data, size_t n, igt_error *err) {
  igt__s3_request *req = http->payload;
  struct igt__s3_request_private *priv = req->priv;

  /* Of a response without a length only its end shows that it is not the requested part. */
  if (n > priv->most - priv->received && req->ranged && http->http_status == 200)
    return fail_no_ranges(req, err);
  if (n > priv->most - priv->received)
    return igt__fail(err, IGT_E_PROTOCOL, "S3 sent more bytes than it announced");
  priv->received += n;
  if (!is_redirect(http->http_status))
    return take(req, data, n, err);
  return igt__buf_append(&priv->scratch, data, n) ? IGT_OK : igt__fail_memory(err);
}

igt_status igt__s3_on_restart(igt__http_request *http, igt_error *err) {
  igt__s3_request *req = http->payload;

  uint64_t first, last;

  igt__buf_clear(&req->priv->scratch);
  if (igt__s3_rest(req, &first, &last))
    return IGT_OK;
  if (req->continues)
    return start_again(req, err);
  if (req->on_restart)
    return req->on_restart(req, err);
  if (req->on_data && req->priv->received > 0)
    return igt__fail(err, IGT_E_NETWORK, "the connection broke in the middle of the object");
  return IGT_OK;
}

/* ---- errors ---- */

static bool looks_like_html(const igt__s3_request *req) {
  const char *body = req->http.response.data;

  body += strspn(body, " \t\r\n");
  return igt__str_starts_nocase(body, "<!doctype") || igt__str_starts_nocase(body, "<html") ||
         igt__str_starts_nocase(header(req, "Content-Type"), "text/html");
}

/* The response is not from S3. 5xx keep their meaning: a load balancer's error page is as transient
 * as S3's own error. */
static void explain_foreign(igt__s3_request *req, igt_error *err) {
  int http_status = err->http_status;
  bool nothing = req->http.response.len == 0;

  if (http_status == 407 || http_status == 429 || http_status == 408)
    return;
  if (!nothing && http_status < 500 &&
      (looks_like_html(req) || !header(req, "x-amz-request-id")[0])) {
    igt__fail(err, IGT_E_PROTOCOL, "the response is not from S3 (HTTP %d%s): a proxy?", http_status,
              looks_like_html(req) ? ", a web page" : "");
    err->http_status = http_status;
    return;
  }
  snprintf(err->text, sizeof err->text, "S3 responded with HTTP %d%s: %s", http_status,
           nothing ? " without saying why" : "", igt_status_text(err->status));
}

/* For a list of parts of an upload that has ended, Ceph reports that the object is missing. Callers
 * that ask for an upload expect AWS's code. */
static void name_upload(const igt__s3_request *req, igt_error *err) {
  if (!req->upload_id || strcmp(err->code, "NoSuchKey") != 0)
    return;
  igt__str_copy(err->code, sizeof err->code, "NoSuchUpload");
  igt__error_append(err, ": there is no such upload");
}

void igt__s3_on_error_response(igt__http_request *http, igt_error *err) {
  igt__s3_request *req = http->payload;
  igt__s3_error_details details = {.is_error = false};

  req->http_status = http->http_status;
  igt__s3_error_read(http->response.data, http->response.len, &details, err);
  if (!details.is_error)
    explain_foreign(req, err);
  name_upload(req, err);
  if (header(req, "x-amz-request-id")[0])
    copy_header(req, "x-amz-request-id", err->request_id, sizeof err->request_id);
  igt__s3_decide_again(req, &details, err);
}

/* ---- what is learned from an error ---- */

static bool code_in(const char *code, const char *const *list, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(code, list[i]) == 0)
      return true;
  return false;
}

/* A rejection without a reason: of a HEAD, whose response has no body, or with an empty body. It
 * may stand for ExpiredToken; one retry with new credentials shows whether it does. */
static bool is_mute(const igt__s3_request *req, const igt_error *err) {
  return !err->code[0] && (err->http_status == 400 || err->http_status == 403) &&
         (req->op == IGT__S3_HEAD || req->http.response.len == 0);
}

static bool wants_proof(const igt__s3_request *req) {
  const struct igt__s3_request_private *priv = req->priv;

  if (igt__s3_provider_is_due(req->provider, priv->used))
    return true;
  if (priv->repeats[IGT__S3_AGAIN_CREDENTIALS] == 0)
    return !igt__s3_provider_is_proven(req->provider, priv->used);
  igt__s3_provider_prove(req->provider, priv->used);
  return false;
}

/* Stores report an expired session in several ways; only ExpiredToken is unambiguous. */
static bool wants_credentials(const igt__s3_request *req, const igt_error *err) {
  static const char *const maybe[] = {"AccessDenied", "InvalidToken", "InvalidAccessKeyId",
                                      "SignatureDoesNotMatch"};

  if (err->status == IGT_E_EXPIRED)
    return true;
  if (is_mute(req, err))
    return wants_proof(req);
  return code_in(err->code, maybe, sizeof maybe / sizeof *maybe) &&
         igt__s3_provider_is_due(req->provider, req->priv->used);
}

static bool learn_region(igt__s3_request *req, const igt__s3_error_details *details,
                         const igt_error *err) {
  static const char *const region_codes[] = {"PermanentRedirect", "AuthorizationHeaderMalformed",
                                             "IllegalLocationConstraintException",
                                             "TemporaryRedirect"};
  char region[64];
  struct igt__s3_request_private *priv = req->priv;

  if (err->code[0] && !code_in(err->code, region_codes, sizeof region_codes / sizeof *region_codes))
    return false;
  copy_header(req, "x-amz-bucket-region", region, sizeof region);
  if (!region[0])
    igt__str_copy(region, sizeof details->region, details->region);
  if (!region[0] && !igt__s3_region_of_endpoint(details->endpoint, region))
    return false;
  if (!igt__s3_learn_region(priv->s3, priv->used->bucket, region, priv->used_region))
    return false;
  IGT__INFO(IGT_LOG_S3, "the bucket is in region %s", region);
  return true;
}

/* S3 rejects requests whose time differs by 15 minutes; the response may be a minute old. */
#define SKEW_REJECTED_S (14 * 60)
/* Signing with a smaller correction would change nothing. */
#define SKEW_LEAST_S 60

/* Takes the server's time, if it differs that much from the one that was signed. */
static bool learn_clock(igt__s3_request *req, int64_t least) {
  struct igt__s3_request_private *priv = req->priv;
  int64_t date = req->http.server_date, offset;

  if (date == 0)
    return false;
  offset = date - igt__wall_seconds();
  if (llabs(offset - priv->used_offset) < least)
    return false;
  atomic_store(&priv->s3->clock_offset, offset);
  if (!atomic_exchange(&priv->s3->skew_logged, true))
    IGT__WARN(IGT_LOG_S3,
              "this computer's clock is %lld seconds %s of the server's; using the server's",
              llabs((long long)offset), offset < 0 ? "ahead" : "behind");
  return true;
}

static bool minds_checksums(const igt__s3_request *req, const igt_error *err) {
  if (!req->priv->sent_checksums || req->op == IGT__S3_COMPLETE_MULTIPART)
    return false;
  if (err->http_status == 501)
    return true;
  return err->http_status == 400 &&
         (strstr(err->text, "checksum") || strstr(err->text, "Checksum") ||
          strcmp(err->code, "NotImplemented") == 0) &&
         err->status != IGT_E_CHECKSUM;
}

void igt__s3_decide_again(igt__s3_request *req, const igt__s3_error_details *details,
                          const igt_error *err) {
  struct igt__s3_request_private *priv = req->priv;

  if (!priv->used)
    return;
  if (learn_region(req, details, err))
    priv->again = IGT__S3_AGAIN_REGION;
  else if (strcmp(err->code, "RequestTimeTooSkewed") == 0)
    priv->again = learn_clock(req, SKEW_LEAST_S) ? IGT__S3_AGAIN_CLOCK : IGT__S3_AGAIN_NO;
  else if (is_mute(req, err) && learn_clock(req, SKEW_REJECTED_S))
    priv->again = IGT__S3_AGAIN_CLOCK; /* a HEAD cannot say RequestTimeTooSkewed */
  else if (wants_credentials(req, err)) {
    igt__s3_provider_refuse(req->provider, priv->used);
    priv->again = IGT__S3_AGAIN_CREDENTIALS;
  } else if (minds_checksums(req, err)) {
    priv->without_checksums = true;
    priv->again = IGT__S3_AGAIN_CHECKSUMS;
  }
}

/* ---- the result ---- */

static igt_status conclude_redirect(igt__s3_request *req, igt_error *err) {
  struct igt__s3_request_private *priv = req->priv;
  const igt__buf *body = priv->scratch.len ? &priv->scratch : &req->http.response;
  igt__s3_error_details details;

  igt__fail(err, IGT_E_PROTOCOL, "S3 redirects without a location");
  err->http_status = req->http.http_status;
  igt__s3_error_read(body->data, body->len, &details, err);
  copy_header(req, "x-amz-request-id", err->request_id, sizeof err->request_id);
  err->status = IGT_E_PROTOCOL;
  igt__s3_decide_again(req, &details, err);
  return err->status;
}

/* Until DNS knows a new bucket, S3 redirects requests with a 307 and a Location. */
static void read_location(igt__s3_request *req) {
  struct igt__s3_request_private *priv = req->priv;

  if (req->http.http_status == 307 && priv->used && priv->again == IGT__S3_AGAIN_NO &&
      igt__s3_redirect_allowed(header(req, "Location"), priv->used->bucket, priv->redirect,
                               sizeof priv->redirect))
    priv->again = IGT__S3_AGAIN_REDIRECT;
}

static bool is_md5(const char *etag) {
  return strlen(etag) == 32 && strspn(etag, "0123456789abcdefABCDEF") == 32;
}

/* An ETag is the MD5 unless the object is multipart or its encryption key is not S3's own. */
static bool is_other_md5(const igt__s3_request *req) {
  unsigned char md5[16];

  if (igt__str_starts(req->sse, "aws:") || !is_md5(req->etag) || !igt__unhex(req->etag, 32, md5))
    return false;
  return memcmp(md5, req->md5, sizeof md5) != 0;
}

static igt_status fail_damaged(const char *what, const char *value, igt_error *err) {
  igt__fail(err, IGT_E_CHECKSUM, "S3 stored different bytes from those sent (%s %.79s)", what,
            value);
  err->retryable = true;
  return IGT_E_CHECKSUM;
}

/* The body was sent without MD5, because the store had returned the SHA-256 of earlier ones. */
static igt_status fail_unverified(igt__s3_request *req, igt_error *err) {
  if (atomic_exchange(&req->priv->s3->echo, IGT__S3_ECHO_MISSED) != IGT__S3_ECHO_MISSED)
    IGT__INFO(
        IGT_LOG_S3,
        "the store omitted x-amz-checksum-sha256 from a response; adding Content-MD5 from now on");
  req->unverified = true;
  igt__fail(err, IGT_E_CHECKSUM,
            "S3 does not say which bytes it stored (no x-amz-checksum-sha256)");
  err->retryable = true;
  return IGT_E_CHECKSUM;
}

/* The SHA-256 that the store returns and the ETag show what it stored. */
static igt_status check_stored(igt__s3_request *req, igt_error *err) {
  struct igt__s3_request_private *priv = req->priv;
  const char *echo = header(req, "x-amz-checksum-sha256");
  bool echoed = *echo && priv->sent_sha256[0];
  igt__s3_echo unknown = IGT__S3_ECHO_UNKNOWN;

  if (echoed && strcmp(echo, priv->sent_sha256) != 0)
    return fail_damaged("SHA-256", echo, err);
  if (req->has_md5 && is_other_md5(req))
    return fail_damaged("ETag", req->etag, err);
  if (!echoed && !req->has_md5)
    return fail_unverified(req, err);
  if (echoed)
    atomic_compare_exchange_strong(&priv->s3->echo, &unknown, IGT__S3_ECHO_SEEN);
  return IGT_OK;
}

/* If the length was not stated, the end of the body determines it. */
static void take_length(igt__s3_request *req, uint64_t received) {
  req->content_length = (int64_t)received;
  if (req->http_status == 200)
    req->object_size = received;
}

static igt_status check_received(igt__s3_request *req, igt_error *err) {
  const struct igt__s3_request_private *priv = req->priv;
  uint64_t received = req->on_data ? priv->received : req->http.response.len;

  if (priv->expected == UINT64_MAX)
    take_length(req, received);
  if (priv->expected == UINT64_MAX || received == priv->expected)
    return IGT_OK;
  igt__fail(err, IGT_E_NETWORK, "S3 sent %llu of %llu bytes", (unsigned long long)received,
            (unsigned long long)priv->expected);
  err->retryable = true;
  return IGT_E_NETWORK;
}

static igt_status read_upload_id(igt__s3_request *req, igt_error *err) {
  const igt__buf *response = &req->http.response;
  char id[1024];
  igt_status status = igt__s3_create_parse(response->data, response->len, id, sizeof id, err);

  if (status != IGT_OK)
    return status;
  req->new_upload_id = igt__strdup(id);
  return req->new_upload_id ? IGT_OK : igt__fail_memory(err);
}

static igt_status read_result(igt__s3_request *req, igt_error *err) {
  const char *xml = req->http.response.data;
  size_t n = req->http.response.len;

  switch (req->op) {
  case IGT__S3_GET:
    return check_received(req, err);
  case IGT__S3_PUT:
  case IGT__S3_UPLOAD_PART:
    return check_stored(req, err);
  case IGT__S3_CREATE_MULTIPART:
    return read_upload_id(req, err);
  case IGT__S3_COMPLETE_MULTIPART:
    return igt__s3_complete_parse(xml, n, req->etag, err);
  case IGT__S3_LIST_PARTS:
    return igt__s3_parts_parse(xml, n, req, err);
  case IGT__S3_LIST_OBJECTS:
    return igt__s3_objects_parse(xml, n, req, err);
  case IGT__S3_HEAD:
  case IGT__S3_ABORT_MULTIPART:
    return IGT_OK;
  }
  return igt__fail(err, IGT_E_INTERNAL, "an S3 operation without a name");
}

/* Whether the store may have completed the object although we did not learn of it. */
static bool is_unclear(const igt__s3_request *req, const igt_error *err) {
  switch ((int)err->status) {
  case IGT_E_NETWORK:
  case IGT_E_TIMEOUT:
  case IGT_E_PARSE:
  case IGT_E_PROTOCOL:
  case IGT_E_LIMIT:
    return err->http_status < 300; /* no response, or only part of one */
  case IGT_E_SERVER:
    return err->http_status >= 500 && err->http_status != 503;
  case IGT_E_NOT_FOUND: /* an earlier attempt may have ended the upload */
    return strcmp(err->code, "NoSuchUpload") == 0 &&
           (req->http.attempts > 1 || req->priv->repeats[IGT__S3_AGAIN_COMPLETE] > 0);
  default:
    return false;
  }
}

static void conclude_complete(igt__s3_request *req, igt_error *err) {
  if (is_unclear(req, err)) {
    igt__str_copy(err->code, sizeof err->code, "CompletionUnclear");
    err->retryable = false;
    igt__error_prefix(err, "whether the upload was completed is unknown");
  } else if (req->http_status == 200 &&
             (err->status == IGT_E_SERVER || err->status == IGT_E_THROTTLED)) {
    /* An <Error> in a 200: S3 started to complete the upload and reports that it failed. It may be
     * retried. */
    req->priv->again = IGT__S3_AGAIN_COMPLETE;
  }
}

igt_status igt__s3_conclude(igt__s3_request *req, igt_status status, igt_error *err) {
  struct igt__s3_request_private *priv = req->priv;

  if (is_redirect(req->http.http_status)) {
    if (!status)
      status = conclude_redirect(req, err);
    read_location(req);
  } else if (!status) {
    status = read_result(req, err);
    if (status == IGT_E_CHECKSUM && !req->unverified)
      priv->again = IGT__S3_AGAIN_DAMAGED;
    if (status && err->http_status == 0 && req->op != IGT__S3_COMPLETE_MULTIPART)
      err->http_status = req->http_status;
  }
  if (!status && priv->without_checksums && !atomic_exchange(&priv->s3->no_checksums, true))
    IGT__INFO(IGT_LOG_S3, "the store does not support x-amz-checksum headers; using "
                          "Content-MD5 and x-amz-content-sha256");
  if (status && req->op == IGT__S3_COMPLETE_MULTIPART && priv->again == IGT__S3_AGAIN_NO)
    conclude_complete(req, err);
  if (status == IGT_E_NOT_FOUND && req->op == IGT__S3_ABORT_MULTIPART &&
      strcmp(err->code, "NoSuchUpload") == 0)
    status = IGT_OK; /* it is gone, as requested */
  return status;
}
