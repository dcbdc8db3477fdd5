/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

#define MAX_RESPONSE (64u * 1024)

static void put_owner(igt__buf *xml) {
  igt__buf_puts(xml, "<Owner>");
  s3_xml_text(xml, "ID", "igtcloud-sandbox");
  s3_xml_text(xml, "DisplayName", "igtcloud-sandbox");
  igt__buf_puts(xml, "</Owner>");
}

static void list_run(s3_call *call) {
  igt__buf xml;

  igt__buf_init(&xml, MAX_RESPONSE);
  s3_xml_open(&xml, "ListAllMyBucketsResult");
  put_owner(&xml);
  igt__buf_puts(&xml, "<Buckets><Bucket>");
  s3_xml_text(&xml, "Name", SBX_BUCKET);
  s3_xml_time(&xml, "CreationDate", 1767225600); /* 2026-01-01: it has always existed */
  igt__buf_puts(&xml, "</Bucket></Buckets></ListAllMyBucketsResult>");
  s3_respond_xml(call, &xml);
  igt__buf_finish(&xml);
}

static void head_run(s3_call *call) {
  sbx_add_header(call->req, "x-amz-bucket-region", SBX_REGION);
  sbx_respond(call->req, 200, "application/xml", NULL, 0);
}

static void location_run(s3_call *call) {
  static const char xml[] =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<LocationConstraint xmlns=\"" S3_NAMESPACE "\">" SBX_REGION "</LocationConstraint>";

  sbx_respond(call->req, 200, "application/xml", xml, sizeof xml - 1);
}

/* Buckets are never versioned: the response is an empty document. */
static void versioning_run(s3_call *call) {
  static const char xml[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                            "<VersioningConfiguration xmlns=\"" S3_NAMESPACE "\"/>";

  sbx_respond(call->req, 200, "application/xml", xml, sizeof xml - 1);
}

/* The only bucket exists already; clients that create theirs first accept this as success. */
static void create_run(s3_call *call) {
  s3_fail(call, S3_BUCKET_EXISTS, NULL);
}

const s3_operation s3_list_buckets = {S3_RIGHT_ADMIN, S3_BODY_NONE, NULL, list_run};
const s3_operation s3_head_bucket = {S3_RIGHT_READ, S3_BODY_NONE, NULL, head_run};
const s3_operation s3_get_location = {S3_RIGHT_READ, S3_BODY_NONE, NULL, location_run};
const s3_operation s3_get_versioning = {S3_RIGHT_READ, S3_BODY_NONE, NULL, versioning_run};
const s3_operation s3_create_bucket = {S3_RIGHT_ADMIN, S3_BODY_TEXT, NULL, create_run};
