/* SPDX-License-Identifier: MIT */
/* The XML documents of the S3 API that we read and write. xml.c parses a document and calls a
 * handler with the path and text of each element; the parsers here collect what the caller needs.
 * Any document may turn out to be an <Error>: fail_if_error checks that for every result, and a
 * table maps S3's error codes to statuses where the HTTP status is not specific enough. Called by
 * response.c when a response has been received, and by request.c for the body of
 * CompleteMultipartUpload. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "s3/xml.h"

static bool copy(char *out, size_t cap, const char *text) {
  size_t n = strlen(text);
  bool fits = n < cap;

  if (!fits)
    n = cap - 1;
  memcpy(out, text, n);
  out[n] = '\0';
  return fits;
}

bool igt__s3_etag_copy(char *out, size_t cap, const char *etag) {
  size_t n;

  if (igt__str_starts(etag, "W/"))
    etag += 2;
  n = strlen(etag);
  if (n >= 2 && etag[0] == '"' && etag[n - 1] == '"') {
    etag++;
    n -= 2;
  }
  if (n >= cap) {
    out[0] = '\0';
    return false;
  }
  memcpy(out, etag, n);
  out[n] = '\0';
  return true;
}

/* Whether path is root, a slash, and rest, for any name of the root element. */
static bool path_is(const char *path, const char *rest) {
  const char *slash = strchr(path, '/');

  return slash && strcmp(slash + 1, rest) == 0;
}

/* ---- errors ---- */

/* Statuses of S3 error codes where the HTTP status alone is not specific enough. */
static const struct {
  const char *code;
  igt_status status;
} codes[] = {
    {"AccessDenied", IGT_E_FORBIDDEN},
    {"AllAccessDisabled", IGT_E_FORBIDDEN},
    {"SignatureDoesNotMatch", IGT_E_FORBIDDEN},
    {"InvalidAccessKeyId", IGT_E_FORBIDDEN},
    {"InvalidToken", IGT_E_FORBIDDEN},
    {"RequestTimeTooSkewed", IGT_E_FORBIDDEN},
    {"ExpiredToken", IGT_E_EXPIRED},
    {"ExpiredTokenException", IGT_E_EXPIRED},
    {"TokenRefreshRequired", IGT_E_EXPIRED},
    {"NoSuchKey", IGT_E_NOT_FOUND},
    {"NoSuchBucket", IGT_E_NOT_FOUND},
    {"NoSuchUpload", IGT_E_NOT_FOUND},
    {"NoSuchVersion", IGT_E_NOT_FOUND},
    {"PreconditionFailed", IGT_E_PRECONDITION},
    {"InvalidRange", IGT_E_RANGE},
    {"OperationAborted", IGT_E_CONFLICT},
    {"ConditionalRequestConflict", IGT_E_CONFLICT},
    {"SlowDown", IGT_E_THROTTLED},
    {"Throttling", IGT_E_THROTTLED},
    {"ThrottlingException", IGT_E_THROTTLED},
    {"TooManyRequests", IGT_E_THROTTLED},
    {"RequestLimitExceeded", IGT_E_THROTTLED},
    {"BandwidthLimitExceeded", IGT_E_THROTTLED},
    {"InternalError", IGT_E_SERVER},
    {"ServiceUnavailable", IGT_E_SERVER},
    /* 400s that the network caused: the body did not arrive completely, in time, or intact. */
    {"RequestTimeout", IGT_E_TIMEOUT},
    {"IncompleteBody", IGT_E_NETWORK},
    {"BadDigest", IGT_E_CHECKSUM},
    {"InvalidDigest", IGT_E_CHECKSUM},
    {"XAmzContentSHA256Mismatch", IGT_E_CHECKSUM},
    {"XAmzContentChecksumMismatch", IGT_E_CHECKSUM},
    {"EntityTooLarge", IGT_E_LIMIT},
    {"NotImplemented", IGT_E_UNSUPPORTED},
};

static bool is_transient(igt_status status) {
  switch ((int)status) {
  case IGT_E_EXPIRED:
  case IGT_E_THROTTLED:
  case IGT_E_SERVER:
  case IGT_E_TIMEOUT:
  case IGT_E_NETWORK:
  case IGT_E_CHECKSUM:
    return true;
  default:
    return false;
  }
}

static igt_status status_of(const char *code, igt_status otherwise) {
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (strcmp(codes[i].code, code) == 0)
      return codes[i].status;
  return otherwise;
}

typedef struct error_document {
  igt__s3_error_details *details;
  igt_error *err;
  char message[512];
  char code[64];
  char request_id[96];
} error_document;

static igt_status on_error_element(void *payload, const char *path, const char *text,
                                   igt_error *err) {
  error_document *doc = payload;

  (void)err;

  if (strcmp(path, "Error") == 0)
    doc->details->is_error = true;
  else if (strcmp(path, "Error/Code") == 0)
    copy(doc->code, sizeof doc->code, text);
  else if (strcmp(path, "Error/Message") == 0)
    copy(doc->message, sizeof doc->message, text);
  else if (strcmp(path, "Error/RequestId") == 0)
    copy(doc->request_id, sizeof doc->request_id, text);
  else if (strcmp(path, "Error/Region") == 0)
    copy(doc->details->region, sizeof doc->details->region, text);
  else if (strcmp(path, "Error/Endpoint") == 0)
    copy(doc->details->endpoint, sizeof doc->details->endpoint, text);
  return IGT_OK;
}

void igt__s3_error_read(const char *xml, size_t n, igt__s3_error_details *details, igt_error *err) {
  error_document doc = {.details = details, .err = err};
  int http_status = err->http_status, retry_after = err->retry_after;
  char operation[sizeof err->operation], request_id[sizeof err->request_id];
  igt_status status;

  memset(details, 0, sizeof *details);
  if (igt__xml_parse(xml, n, on_error_element, &doc, NULL) || !details->is_error)
    return;
  memcpy(operation, err->operation, sizeof operation);
  memcpy(request_id, err->request_id, sizeof request_id);
  /* An <Error> in a 200 (CompleteMultipartUpload) has no HTTP status to go by. */
  status = status_of(doc.code, err->status ? err->status : IGT_E_BAD_REQUEST);
  if (doc.message[0])
    igt__fail(err, status, "S3 says: %s (%s)", doc.message, doc.code);
  else /* Ceph sends a code without a message: supply one */
    igt__fail(err, status, "S3 says: %s (%s)", igt_status_text(status), doc.code);
  err->http_status = http_status;
  err->retry_after = retry_after;
  err->retryable = is_transient(status);
  memcpy(err->operation, operation, sizeof operation);
  memcpy(err->request_id, doc.request_id[0] ? doc.request_id : request_id, sizeof request_id);
  memcpy(err->code, doc.code, sizeof doc.code);
}

void igt__s3_error_parse(const char *xml, size_t n, igt_error *err) {
  igt__s3_error_details details;

  igt__s3_error_read(xml, n, &details, err);
}

/* An <Error> where a result was expected. */
static igt_status fail_if_error(const char *xml, size_t n, const char *expected, bool found,
                                igt_error *err) {
  igt__s3_error_details details;
  igt_error local = IGT_ERROR_INIT;

  if (found)
    return IGT_OK;
  igt__s3_error_read(xml, n, &details, &local);
  if (!details.is_error)
    return igt__fail(err, IGT_E_PROTOCOL, "S3's response is not a %s", expected);
  if (err)
    igt__error_copy(err, &local);
  return local.status;
}

/* ---- results ---- */

typedef struct text_result {
  const char *wanted;
  char *out;
  size_t cap;
  const char *root;
  bool root_seen, found, fits;
} text_result;

static igt_status on_text_element(void *payload, const char *path, const char *text,
                                  igt_error *err) {
  text_result *result = payload;
  size_t n = strlen(result->root);

  (void)err;

  if (strcmp(path, result->root) == 0)
    result->root_seen = true;
  else if (strncmp(path, result->root, n) == 0 && path_is(path, result->wanted)) {
    result->found = *text != '\0';
    result->fits = copy(result->out, result->cap, text);
  }
  return IGT_OK;
}

igt_status igt__s3_create_parse(const char *xml, size_t n, char *upload_id, size_t cap,
                                igt_error *err) {
  text_result result = {
      .root = "InitiateMultipartUploadResult", .wanted = "UploadId", .out = upload_id, .cap = cap};
  igt_status status = igt__xml_parse(xml, n, on_text_element, &result, err);

  if (status)
    return status;
  if (result.found && !result.fits)
    return igt__fail(err, IGT_E_LIMIT, "S3 returned an upload id of more than %zu bytes", cap - 1);
  return fail_if_error(xml, n, "result of CreateMultipartUpload with an upload id", result.found,
                       err);
}

igt_status igt__s3_complete_parse(const char *xml, size_t n, char *etag, igt_error *err) {
  char quoted[96] = "";
  text_result result = {.root = "CompleteMultipartUploadResult",
                        .wanted = "ETag",
                        .out = quoted,
                        .cap = sizeof quoted};
  igt_status status = igt__xml_parse(xml, n, on_text_element, &result, err);

  if (status)
    return status;
  igt__s3_etag_copy(etag, 80, result.fits ? quoted : "");
  return fail_if_error(xml, n, "result of CompleteMultipartUpload", result.root_seen, err);
}

/* ---- lists ---- */

typedef struct list_result {
  igt__s3_request *req;
  igt__s3_part part;
  igt__s3_object object;
  size_t cap;
  bool root_seen, bad, url_encoded;
} list_result;

static bool truth(const char *text) {
  return igt__str_eq_nocase(text, "true");
}

/* Doubles *cap of an array that has no space for another element. */
static bool grow(void **array, size_t count, size_t *cap, size_t size) {
  void *larger;

  if (count < *cap)
    return true;
  *cap = *cap ? 2 * *cap : 64;
  larger = igt__realloc(*array, *cap * size);
  if (larger)
    *array = larger;
  return larger != NULL;
}

static igt_status add_part(list_result *list, igt_error *err) {
  igt__s3_request *req = list->req;
  void *array = req->listed;
  bool ok = list->part.number >= 1 && list->part.number <= IGT__S3_MAX_PARTS;

  if (!ok || req->listed_count >= IGT__S3_MAX_PARTS)
    return igt__fail(err, IGT_E_PROTOCOL, "S3 lists a part with an invalid number");
  if (!grow(&array, req->listed_count, &list->cap, sizeof *req->listed))
    return igt__fail_memory(err);
  req->listed = array;
  req->listed[req->listed_count++] = list->part;
  memset(&list->part, 0, sizeof list->part);
  return IGT_OK;
}

/* ChecksumSHA256 of a part: 32 bytes in base64. */
static void read_part_digest(igt__s3_part *part, const char *text) {
  igt__buf digest;

  igt__buf_init(&digest, 64);
  if (igt__base64_decode(&digest, text, strlen(text)) && digest.len == sizeof part->sha256)
    memcpy(part->sha256, digest.data, sizeof part->sha256);
  igt__buf_finish(&digest);
}

static igt_status on_parts_element(void *payload, const char *path, const char *text,
                                   igt_error *err) {
  list_result *list = payload;
  uint64_t number = 0;

  if (strcmp(path, "ListPartsResult") == 0)
    list->root_seen = true;
  else if (!igt__str_starts(path, "ListPartsResult/"))
    return IGT_OK;
  else if (path_is(path, "IsTruncated"))
    list->req->truncated = truth(text);
  else if (path_is(path, "NextPartNumberMarker") && igt__str_to_uint64(text, &number))
    list->req->next_marker = number <= IGT__S3_MAX_PARTS ? (unsigned)number : 0;
  else if (path_is(path, "Part/PartNumber") && igt__str_to_uint64(text, &number))
    list->part.number = number <= IGT__S3_MAX_PARTS ? (unsigned)number : 0;
  else if (path_is(path, "Part/Size"))
    list->bad |= !igt__str_to_uint64(text, &list->part.size);
  else if (path_is(path, "Part/ETag"))
    list->bad |= !igt__s3_etag_copy(list->part.etag, sizeof list->part.etag, text);
  else if (path_is(path, "Part/ChecksumSHA256"))
    read_part_digest(&list->part, text);
  else if (path_is(path, "Part"))
    return add_part(list, err);
  return IGT_OK;
}

igt_status igt__s3_parts_parse(const char *xml, size_t n, igt__s3_request *req, igt_error *err) {
  list_result list = {.req = req};
  igt_status status = igt__xml_parse(xml, n, on_parts_element, &list, err);

  if (status)
    return status;
  if (list.bad)
    return igt__fail(err, IGT_E_PROTOCOL, "S3's list of parts has an unreadable size or ETag");
  /* Each page must advance the marker, or the client would request pages forever. */
  if (req->truncated && (req->next_marker <= req->marker || req->listed_count == 0))
    return igt__fail(err, IGT_E_PROTOCOL,
                     "S3's list of parts is truncated but does not say where it continues");
  return fail_if_error(xml, n, "list of parts", list.root_seen, err);
}

/* encoding-type=url: keys may contain characters that XML cannot represent. */
static igt_status decode_key(igt__s3_object *object, igt_error *err) {
  igt__buf key;
  igt_status status = IGT_OK;

  igt__buf_init(&key, 16 * 1024);
  if (!igt__uri_decode(&key, object->key, strlen(object->key), true) || strlen(key.data) != key.len)
    status = igt__fail(err, IGT_E_PROTOCOL, "S3 lists an object with an unreadable key");
  if (!status) {
    igt__free(object->key);
    object->key = igt__buf_take(&key);
    if (!object->key)
      status = igt__fail_memory(err);
  }
  igt__buf_finish(&key);
  return status;
}

static igt_status decode_keys(igt__s3_request *req, igt_error *err) {
  igt_status status = IGT_OK;

  for (size_t i = 0; i < req->object_count && !status; i++)
    status = decode_key(&req->objects[i], err);
  return status;
}

static igt_status add_object(list_result *list, igt_error *err) {
  igt__s3_request *req = list->req;
  void *array = req->objects;

  if (!list->object.key)
    return igt__fail(err, IGT_E_PROTOCOL, "S3 lists an object without a key");
  if (!grow(&array, req->object_count, &list->cap, sizeof *req->objects))
    return igt__fail_memory(err);
  req->objects = array;
  req->objects[req->object_count++] = list->object;
  memset(&list->object, 0, sizeof list->object);
  return IGT_OK;
}

static int64_t read_time(const char *text) {
  igt_time time;

  return igt__time_parse(text, &time) ? time.seconds : 0;
}

static igt_status on_objects_element(void *payload, const char *path, const char *text,
                                     igt_error *err) {
  list_result *list = payload;

  if (strcmp(path, "ListBucketResult") == 0)
    list->root_seen = true;
  else if (!igt__str_starts(path, "ListBucketResult/"))
    return IGT_OK;
  else if (path_is(path, "IsTruncated"))
    list->req->truncated = truth(text);
  else if (path_is(path, "EncodingType"))
    list->url_encoded = igt__str_eq(text, "url");
  else if (path_is(path, "Contents/Key")) {
    igt__free(list->object.key);
    list->object.key = igt__strdup(text);
    return list->object.key ? IGT_OK : igt__fail_memory(err);
  } else if (path_is(path, "Contents/Size"))
    list->bad |= !igt__str_to_uint64(text, &list->object.size);
  else if (path_is(path, "Contents/ETag"))
    list->bad |= !igt__s3_etag_copy(list->object.etag, sizeof list->object.etag, text);
  else if (path_is(path, "Contents/LastModified"))
    list->object.last_modified = read_time(text);
  else if (path_is(path, "Contents"))
    return add_object(list, err);
  return IGT_OK;
}

igt_status igt__s3_objects_parse(const char *xml, size_t n, igt__s3_request *req, igt_error *err) {
  list_result list = {.req = req};
  igt_status status = igt__xml_parse(xml, n, on_objects_element, &list, err);

  igt__free(list.object.key);
  if (status)
    return status;
  if (list.bad)
    return igt__fail(err, IGT_E_PROTOCOL, "S3's list of objects has an unreadable size or ETag");
  if (req->truncated && req->object_count == 0)
    return igt__fail(err, IGT_E_PROTOCOL,
                     "S3's list of objects is truncated but does not say where it continues");
  status = fail_if_error(xml, n, "list of objects", list.root_seen, err);
  return status || !list.url_encoded ? status : decode_keys(req, err);
}

/* ---- documents we write ---- */

/* ETags come from servers: escapes the five characters that are special in XML. */
static bool put_escaped(igt__buf *out, const char *text) {
  bool ok = true;

  for (; ok && *text; text++)
    switch (*text) {
    case '<':
      ok = igt__buf_puts(out, "&lt;");
      break;
    case '>':
      ok = igt__buf_puts(out, "&gt;");
      break;
    case '&':
      ok = igt__buf_puts(out, "&amp;");
      break;
    case '"':
      ok = igt__buf_puts(out, "&quot;");
      break;
    case '\'':
      ok = igt__buf_puts(out, "&apos;");
      break;
    default:
      ok = igt__buf_putc(out, *text);
    }
  return ok;
}

static bool is_known(const unsigned char digest[32]) {
  static const unsigned char zero[32];

  return memcmp(digest, zero, sizeof zero) != 0;
}

bool igt__s3_complete_encode(const igt__s3_part *parts, size_t n, bool checksums, igt__buf *out) {
  bool ok = igt__buf_puts(
      out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");

  for (size_t i = 0; ok && i < n; i++) {
    ok = igt__buf_printf(out, "<Part><PartNumber>%u</PartNumber><ETag>&quot;", parts[i].number) &&
         put_escaped(out, parts[i].etag) && igt__buf_puts(out, "&quot;</ETag>");
    if (ok && checksums && is_known(parts[i].sha256))
      ok = igt__buf_puts(out, "<ChecksumSHA256>") &&
           igt__base64_encode(out, parts[i].sha256, sizeof parts[i].sha256) &&
           igt__buf_puts(out, "</ChecksumSHA256>");
    ok = ok && igt__buf_puts(out, "</Part>");
  }
  return ok && igt__buf_puts(out, "</CompleteMultipartUpload>");
}
