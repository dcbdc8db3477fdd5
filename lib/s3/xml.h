/* SPDX-License-Identifier: MIT */
#ifndef IGT_S3_XML_H
#define IGT_S3_XML_H

/* S3's XML, by expat, which is named in xml.c alone. Documents come from a server and are held
 * to limits: IGT__MAX_XML_BODY bytes, IGT__MAX_XML_DEPTH elements deep, 16 KiB of text in one
 * element, and no document type at all, so that there are no entities to expand. */

#include "s3/s3.h"

/* An element as it ends. path: names from the root, joined by '/', without namespaces and
 * prefixes ("ListPartsResult/Part/ETag"). text: of the element itself, entities resolved, space
 * around it trimmed but in a <Key>, where it belongs to the name. Not IGT_OK ends the parse with
 * it. */
typedef igt_status (*igt__xml_fn)(void *payload, const char *path, const char *text,
                                  igt_error *err);
igt_status igt__xml_parse(const char *xml, size_t n, igt__xml_fn fn, void *payload, igt_error *err);

/* The answers of S3. An <Error> document, whatever its HTTP status was, is a failure with the
 * status that its code stands for. */
igt_status igt__s3_create_parse(const char *xml, size_t n, char *upload_id, size_t cap,
                                igt_error *err);
/* etag: at least 80 bytes. */
igt_status igt__s3_complete_parse(const char *xml, size_t n, char *etag, igt_error *err);
/* Fills req->listed, truncated, next_marker. */
igt_status igt__s3_parts_parse(const char *xml, size_t n, igt__s3_request *req, igt_error *err);
/* Fills req->objects, truncated. */
igt_status igt__s3_objects_parse(const char *xml, size_t n, igt__s3_request *req, igt_error *err);

/* What an <Error> document says beyond code, text and request id. */
typedef struct igt__s3_error_details {
  bool is_error; /* it is one */
  char region[64];
  char endpoint[256];
} igt__s3_error_details;
/* igt__s3_error_parse with the rest. err->status is set where the code decides it; http_status
 * and retry_after of err stay. */
void igt__s3_error_read(const char *xml, size_t n, igt__s3_error_details *details, igt_error *err);

/* What CompleteMultipartUpload sends. */
bool igt__s3_complete_encode(const igt__s3_part *parts, size_t n, bool checksums, igt__buf *out);

/* Copies without the quotes around it and a weak "W/". False when it does not fit. */
bool igt__s3_etag_copy(char *out, size_t cap, const char *etag);

#endif
