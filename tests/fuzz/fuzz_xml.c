/* SPDX-License-Identifier: MIT */
/* Every parser of S3 documents on the same bytes. */
#include "demand.h"
#include "s3/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *xml = (const char *)data;
  igt__s3_request parts = {.op = IGT__S3_LIST_PARTS}, objects = {.op = IGT__S3_LIST_OBJECTS};
  igt__s3_error_details details;
  igt_error err = IGT_ERROR_INIT;
  char id[64], etag[80];

  (void)!igt__s3_create_parse(xml, size, id, sizeof id, &err);
  (void)!igt__s3_complete_parse(xml, size, etag, &err);
  (void)!igt__s3_parts_parse(xml, size, &parts, &err);
  (void)!igt__s3_objects_parse(xml, size, &objects, &err);
  igt__s3_error_read(xml, size, &details, &err);
  igt__s3_request_finish(&parts);
  igt__s3_request_finish(&objects);
  return 0;
}
