/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* Which algorithms allow a checksum of the whole multipart object, and which one of the parts'
 * checksums: "Checking object integrity", the table of full object and composite checksums. */
static const s3_checksum kinds[] = {
    {"CRC32", "x-amz-checksum-crc32", "ChecksumCRC32", IGT__CRC32, true, true},
    {"CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C", IGT__CRC32C, true, true},
    {"CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", IGT__CRC64NVME, true, false},
    {"SHA1", "x-amz-checksum-sha1", "ChecksumSHA1", IGT__SHA1, false, true},
    {"SHA256", "x-amz-checksum-sha256", "ChecksumSHA256", IGT__SHA256, false, true},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

const s3_checksum *s3_checksum_by_name(const char *name) {
  for (size_t i = 0; i < KINDS; i++)
    if (igt__str_eq_nocase(kinds[i].name, name))
      return &kinds[i];
  return NULL;
}

const s3_checksum *s3_checksum_by_header(const char *header) {
  for (size_t i = 0; i < KINDS; i++)
    if (igt__str_eq_nocase(kinds[i].header, header))
      return &kinds[i];
  return NULL;
}

const s3_checksum *s3_checksum_by_element(const char *element) {
  for (size_t i = 0; i < KINDS; i++)
    if (strcmp(kinds[i].element, element) == 0)
      return &kinds[i];
  return NULL;
}

bool s3_checksum_decode(const s3_checksum *kind, const char *text, unsigned char *out) {
  igt__buf buf;

  igt__buf_init(&buf, 64);
  bool ok = igt__base64_decode(&buf, text, strlen(text)) && buf.len == igt__digest_size(kind->alg);
  if (ok)
    memcpy(out, buf.data, buf.len);
  igt__buf_finish(&buf);
  return ok;
}

void s3_base64(const unsigned char *data, size_t n, char *out, size_t cap) {
  igt__buf buf;

  igt__buf_init(&buf, cap);
  igt__base64_encode(&buf, data, n);
  snprintf(out, cap, "%s", buf.data);
  igt__buf_finish(&buf);
}

bool sbx_s3_add_own_checksum(sbx_object *object, const unsigned char crc64nvme[8]) {
  char text[16];

  s3_base64(crc64nvme, 8, text, sizeof text);
  return s3_metadata_set_checksum(&object->metadata, s3_checksum_by_name(S3_OWN_CHECKSUM), text,
                                  "FULL_OBJECT");
}
