/* SPDX-License-Identifier: MIT */
#ifndef IGT_S3_XML_H
#define IGT_S3_XML_H

/* S3's XML, parsed by expat, which only xml.c includes. Documents come from a server and are
 * limited: IGT__MAX_XML_BODY bytes, IGT__MAX_XML_DEPTH nested elements, 16 KiB of text in one
 * element, and no document type at all, so there are no entities to expand. */

#include "s3/s3.h"

/* Called at the end of an element. path: the names from the root, joined by '/', without namespaces
 * and prefixes ("ListPartsResult/Part/ETag"). text: of the element itself, entities resolved,
 * surrounding white space trimmed except in a <Key>, where it is part of the name. A return value
 * other than IGT_OK stops the parse with it. */
typedef igt_status (*igt__xml_fn)(void *payload, const char *path, const char *text,
                                  igt_error *err);
igt_status igt__xml_parse(const char *xml, size_t n, igt__xml_fn fn, void *payload, igt_error *err);

/* S3's results. An <Error> document, whatever its HTTP status was, is a failure with the status
 * that its code stands for. */
igt_status igt__s3_create_parse(const char *xml, size_t n, char *upload_id, size_t cap,
                                igt_error *err);
/* etag: at least 80 bytes. */
igt_status igt__s3_complete_parse(const char *xml, size_t n, char *etag, igt_error *err);
/* Fills req->listed, truncated, next_marker. */
igt_status igt__s3_parts_parse(const char *xml, size_t n, igt__s3_request *req, igt_error *err);
/* Fills req->objects, truncated. */
igt_status igt__s3_objects_parse(const char *xml, size_t n, igt__s3_request *req, igt_error *err);

/* The fields of an <Error> document besides code, text and request id. */
typedef struct igt__s3_error_details {
  bool is_error; /* whether it is an <Error> */
  char region[64];
  char endpoint[256];
} igt__s3_error_details;
/* Like igt__s3_error_parse, with the other fields. err->status is set if the code determines it;
 * http_status and retry_after of err stay unchanged. */
void igt__s3_error_read(const char *xml, size_t n, igt__s3_error_details *details, igt_error *err);

/* The body of CompleteMultipartUpload. */
bool igt__s3_complete_encode(const igt__s3_part *parts, size_t n, bool checksums, igt__buf *out);

/* Copies the ETag without its quotes and a weak "W/". False if it does not fit. */
bool igt__s3_etag_copy(char *out, size_t cap, const char *etag);

/* "expat_2.5.0" */
const char *igt__xml_library(void);

#endif
