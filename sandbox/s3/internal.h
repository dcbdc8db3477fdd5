/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_S3_INTERNAL_H
#define SANDBOX_S3_INTERNAL_H

/* What the files of this folder share. Reference throughout: the Amazon S3 API Reference
 * (2006-03-01), whose error codes and messages are kept so that clients recognise them. */

#include "base/arena.h"
#include "base/buf.h"
#include "crypto/crypto.h"
#include "model/json.h"
#include "s3/sigv4.h"
#include "server.h"

/* ---- errors: name, HTTP status, code, message ---- */

#define S3_CODES(X)                                                                                \
  X(ACCESS_DENIED, 403, "AccessDenied", "Access Denied")                                           \
  X(BAD_DIGEST, 400, "BadDigest", "The digest you specified did not match what we received.")      \
  X(BUCKET_EXISTS, 409, "BucketAlreadyOwnedByYou",                                                 \
    "Your previous request to create the named bucket succeeded and you already own it.")          \
  X(CHUNK_SIZE, 403, "InvalidChunkSizeError",                                                      \
    "Only the last chunk is allowed to have a size less than 8192 bytes")                          \
  X(COPY_ITSELF, 400, "InvalidRequest",                                                            \
    "This copy request is illegal because it is trying to copy an object to itself without "       \
    "changing the object's metadata, storage class, website redirect location or encryption "      \
    "attributes.")                                                                                 \
  X(ENTITY_TOO_LARGE, 400, "EntityTooLarge",                                                       \
    "Your proposed upload exceeds the maximum allowed object size.")                               \
  X(ENTITY_TOO_SMALL, 400, "EntityTooSmall",                                                       \
    "Your proposed upload is smaller than the minimum allowed size")                               \
  X(EXPIRED_TOKEN, 400, "ExpiredToken", "The provided token has expired.")                         \
  X(HEADER_MALFORMED, 400, "AuthorizationHeaderMalformed",                                         \
    "The authorization header is malformed.")                                                      \
  X(INCOMPLETE_BODY, 400, "IncompleteBody",                                                        \
    "You did not provide the number of bytes specified by the Content-Length HTTP header.")        \
  X(INTERNAL, 500, "InternalError", "We encountered an internal error. Please try again.")         \
  X(INVALID_ACCESS_KEY, 403, "InvalidAccessKeyId",                                                 \
    "The AWS Access Key Id you provided does not exist in our records.")                           \
  X(INVALID_ARGUMENT, 400, "InvalidArgument", "Invalid Argument")                                  \
  X(INVALID_DIGEST, 400, "InvalidDigest", "The Content-MD5 you specified was invalid.")            \
  X(INVALID_PART, 400, "InvalidPart",                                                              \
    "One or more of the specified parts could not be found.  The part may not have been "          \
    "uploaded, or the specified entity tag may not match the part's entity tag.")                  \
  X(INVALID_PART_NUMBER, 416, "InvalidPartNumber", "The requested partnumber is not satisfiable")  \
  X(INVALID_PART_ORDER, 400, "InvalidPartOrder",                                                   \
    "The list of parts was not in ascending order. Parts must be ordered by part number.")         \
  X(INVALID_RANGE, 416, "InvalidRange", "The requested range is not satisfiable")                  \
  X(INVALID_REQUEST, 400, "InvalidRequest", "Invalid Request")                                     \
  X(INVALID_TOKEN, 400, "InvalidToken", "The provided token is malformed or otherwise invalid.")   \
  X(INVALID_URI, 400, "InvalidURI", "Couldn't parse the specified URI.")                           \
  X(KEY_TOO_LONG, 400, "KeyTooLongError", "Your key is too long")                                  \
  X(MALFORMED_TRAILER, 400, "MalformedTrailerError",                                               \
    "The request contained trailing data that was not well-formed or did not conform to our "      \
    "published schema.")                                                                           \
  X(MALFORMED_XML, 400, "MalformedXML",                                                            \
    "The XML you provided was not well-formed or did not validate against our published schema")   \
  X(METADATA_TOO_LARGE, 400, "MetadataTooLarge",                                                   \
    "Your metadata headers exceed the maximum allowed metadata size")                              \
  X(METHOD_NOT_ALLOWED, 405, "MethodNotAllowed",                                                   \
    "The specified method is not allowed against this resource.")                                  \
  X(MISSING_LENGTH, 411, "MissingContentLength",                                                   \
    "You must provide the Content-Length HTTP header.")                                            \
  X(NOT_IMPLEMENTED, 501, "NotImplemented",                                                        \
    "A header or query you provided implies functionality that is not implemented.")               \
  X(NO_SUCH_BUCKET, 404, "NoSuchBucket", "The specified bucket does not exist")                    \
  X(NO_SUCH_KEY, 404, "NoSuchKey", "The specified key does not exist.")                            \
  X(NO_SUCH_UPLOAD, 404, "NoSuchUpload",                                                           \
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have "   \
    "been aborted or completed.")                                                                  \
  X(PRECONDITION, 412, "PreconditionFailed",                                                       \
    "At least one of the pre-conditions you specified did not hold")                               \
  X(QUERY_PARAMETERS, 400, "AuthorizationQueryParametersError",                                    \
    "The authorization query parameters are wrong.")                                               \
  X(SHA256_MISMATCH, 400, "XAmzContentSHA256Mismatch",                                             \
    "The provided 'x-amz-content-sha256' header does not match what was computed.")                \
  X(SIGNATURE, 403, "SignatureDoesNotMatch",                                                       \
    "The request signature we calculated does not match the signature you provided. Check your "   \
    "key and signing method.")                                                                     \
  X(TIME_SKEWED, 403, "RequestTimeTooSkewed",                                                      \
    "The difference between the request time and the current time is too large.")

typedef enum s3_code {
#define X(name, status, code, text) S3_##name,
  S3_CODES(X)
#undef X
} s3_code;

/* ---- checksums (x-amz-checksum-*) ---- */

typedef struct s3_checksum {
  const char *name;    /* "CRC32C", the value of x-amz-checksum-algorithm */
  const char *header;  /* "x-amz-checksum-crc32c" */
  const char *element; /* "ChecksumCRC32C" */
  igt__digest_alg alg;
  bool full;      /* possible for a whole multipart object */
  bool composite; /* possible as a checksum of the parts' checksums */
} s3_checksum;
#define S3_OWN_CHECKSUM "CRC64NVME" /* added by the store where a client sent none */
const s3_checksum *s3_checksum_by_name(const char *name);     /* case-insensitive; NULL: unknown */
const s3_checksum *s3_checksum_by_header(const char *header); /* case-insensitive */
const s3_checksum *s3_checksum_by_element(const char *element);
/* Decodes base64 of exactly the algorithm's digest size. out: IGT__DIGEST_MAX. */
bool s3_checksum_decode(const s3_checksum *kind, const char *text, unsigned char *out);
void s3_base64(const unsigned char *data, size_t n, char *out, size_t cap);

/* ---- one request ---- */

typedef enum s3_right {
  S3_RIGHT_ADMIN, /* allowed to the root account only */
  S3_RIGHT_READ,
  S3_RIGHT_WRITE,
} s3_right;

typedef enum s3_body {
  S3_BODY_NONE,   /* read and discarded */
  S3_BODY_TEXT,   /* kept in call->text */
  S3_BODY_OBJECT, /* passed to call->in */
} s3_body;

typedef struct s3_call s3_call;

typedef struct s3_operation {
  s3_right right;
  s3_body body;
  /* Called before the body: rejects early what can be rejected early. False: it has responded. */
  bool (*begin)(s3_call *call);
  /* Called after the body was verified; responds. */
  void (*run)(s3_call *call);
  bool foreign_checksum; /* x-amz-checksum-* headers do not describe this request's body */
} s3_operation;

typedef enum s3_payload_mode {
  S3_PAYLOAD_HASHED,   /* x-amz-content-sha256 is the body's digest */
  S3_PAYLOAD_UNSIGNED, /* UNSIGNED-PAYLOAD */
  S3_PAYLOAD_CHUNKS,   /* aws-chunked; see signed and trailer below */
} s3_payload_mode;

typedef enum s3_chunk_state {
  S3_CHUNK_HEADER,
  S3_CHUNK_DATA,
  S3_CHUNK_END, /* CR LF after the data */
  S3_CHUNK_TRAILER,
} s3_chunk_state;

/* The body while it arrives: decoded, hashed and verified. */
typedef struct s3_payload {
  s3_payload_mode mode;
  bool chunks_signed;
  bool has_trailer;
  const char *sha256; /* S3_PAYLOAD_HASHED: the expected digest */
  int64_t length;     /* of the decoded body; -1: not given */
  uint64_t size;      /* received so far */

  s3_chunk_state state;
  uint64_t chunk_size, chunk_left;
  bool small_chunk;         /* the last chunk was below 8 KiB: no other may follow */
  char chunk_signature[65]; /* as sent by the client */
  char last_signature[65];  /* of the previous chunk; initially the request's */
  igt__buf line;            /* a chunk's header; at the end all trailer lines */

  igt__digest *md5, *whole, *chunk, *sum;
  unsigned char md5_value[16];
  char content_md5[32];        /* base64; "": not given */
  const s3_checksum *checksum; /* NULL: none given; at the end our own, if own_sum is set */
  bool own_sum;
  char checksum_value[64]; /* base64, from the header or trailer; at the end the computed one */
} s3_payload;

struct s3_call {
  sbx_server *server;
  sbx_request *req;
  const s3_operation *op;
  igt__arena *arena;
  char id[17];
  const char *bucket; /* NULL: the service itself */
  const char *key;    /* NULL: the bucket */

  /* The requester (auth.c). */
  bool presigned;
  char timestamp[17]; /* "20260131T235959Z" */
  sbx_credentials credentials;
  igt__sigv4_key signing_key;
  const char *content_sha256; /* the header's value, or UNSIGNED-PAYLOAD */
  char signature[65];         /* of the request: the seed of chunk signatures */

  s3_payload payload;
  sbx_incoming *in;
  igt__buf text;

  /* For multipart operations. */
  sbx_upload upload;
  unsigned part_number;
};

/* Responds with the error's XML. fmt NULL: the table's message. */
void s3_fail(s3_call *call, s3_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with one more element in the document. */
void s3_fail_with(s3_call *call, s3_code code, const char *element, const char *value,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Writes one error as an entry of a list (DeleteObjects). */
void s3_error_entry(igt__buf *out, s3_code code, const char *key);

/* ---- XML output ---- */
#define S3_NAMESPACE "http://s3.amazonaws.com/doc/2006-03-01/"
void s3_xml_open(igt__buf *out, const char *root); /* declaration and <root xmlns="…"> */
void s3_xml_text(igt__buf *out, const char *element, const char *text);
void s3_xml_int(igt__buf *out, const char *element, int64_t value);
void s3_xml_bool(igt__buf *out, const char *element, bool value);
void s3_xml_time(igt__buf *out, const char *element, int64_t seconds);
void s3_xml_etag(igt__buf *out, const char *etag); /* <ETag>, quoted */
void s3_respond_xml(s3_call *call, igt__buf *xml); /* 200; an error response when out of memory */

/* ---- auth.c, credentials.c ---- */
/* Checks the signature and everything about the account. False: it has responded. */
bool s3_authenticate(s3_call *call);
bool s3_allowed(const s3_call *call, s3_right right, const char *bucket, const char *name);
/* The account and its signing key for a day ("20260131"), cached when used before. */
bool s3_identity_find(sbx_server *server, const char *access_key, const char *day,
                      sbx_credentials *credentials, igt__sigv4_key *key);

/* ---- payload.c ---- */
bool s3_payload_begin(s3_call *call); /* reads the headers; false: it has responded */
/* Passes decoded bytes to call->in or call->text. False: it has responded. */
bool s3_payload_write(s3_call *call, const char *data, size_t n);
bool s3_payload_end(s3_call *call); /* verifies; false: it has responded */
void s3_payload_finish(s3_payload *payload);
void s3_add_checksum_header(s3_call *call); /* the payload's checksum, if it has one */

/* ---- condition.c ---- */
typedef struct s3_range {
  uint64_t from, size;
  bool partial;
  unsigned parts;    /* of a multipart object requested by part; otherwise 0 */
  char checksum[64]; /* of that part; "" if unknown */
} s3_range;
/* If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since of a GET or HEAD (RFC 9110
 * 13.2.2). False: it has responded (304, 412). */
bool s3_check_read(s3_call *call, const sbx_object *object);
/* The same for x-amz-copy-source-if-*. */
bool s3_check_copy(s3_call *call, const sbx_object *source);
/* If-Match and If-None-Match of a write, compared with the current object. */
bool s3_has_write_condition(const s3_call *call);
bool s3_check_write(s3_call *call);
/* Range and partNumber. False: it has responded. */
bool s3_select_range(s3_call *call, const sbx_object *object, s3_range *out);
/* Evaluates "bytes=0-9" for a size: 1 satisfiable, 0 to be ignored, -1 not satisfiable. */
int s3_range_parse(const char *text, uint64_t size, uint64_t *from, uint64_t *count);

/* ---- headers of objects (attributes.c) ---- */
/* Content-Type, metadata and encryption of a request; false: it has responded. Free the strings of
 * *metadata with igt__free; type may be NULL. */
bool s3_attributes_read(s3_call *call, char **content_type, char **metadata, char sse[16]);
/* Adds members to a metadata text; NULL values are skipped. */
bool s3_metadata_set_checksum(char **metadata, const s3_checksum *kind, const char *value,
                              const char *type);
bool s3_metadata_drop_checksum(char **metadata);
/* The checksum of an object, if it has one. value: 64 bytes. */
const s3_checksum *s3_metadata_checksum(const char *metadata, char *value, char *type,
                                        size_t type_cap);
void s3_attributes_add(s3_call *call, const sbx_object *object, bool checksums);
void s3_add_etag(s3_call *call, const char *etag);

/* ---- shared by operations ---- */
/* Takes ownership of call->in, and checks the request's conditions and writes as one transaction.
 * False: it has responded. (object.c) */
bool s3_commit_object(s3_call *call, const sbx_object *object);
/* Reads the upload that the query names into call->upload. False: it has responded.
 * (multipart.c) */
bool s3_find_upload(s3_call *call);
bool s3_read_part_number(s3_call *call);
/* The checksum of an upload ("CRC32C COMPOSITE"); NULL: none. (multipart.c) */
const s3_checksum *s3_upload_checksum(const sbx_upload *upload, bool *full);
int64_t s3_query_int(const s3_call *call, const char *name, int64_t missing, int64_t bad);

/* ---- operations ---- */
extern const s3_operation s3_list_buckets, s3_head_bucket, s3_get_location, s3_get_versioning,
    s3_create_bucket, s3_list_objects, s3_list_objects_v2, s3_list_uploads, s3_delete_objects,
    s3_get_object, s3_get_tagging, s3_head_object, s3_put_object, s3_delete_object, s3_copy_object,
    s3_create_upload, s3_upload_part, s3_copy_part, s3_list_parts, s3_complete_upload,
    s3_abort_upload;

#endif
