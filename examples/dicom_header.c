/* SPDX-License-Identifier: MIT */
/* dicom_header DOMAIN PROJECT/INSTITUTE/PATIENT/STUDY/dicom/FILE
 * prints a remote DICOM file's elements before the pixels, without downloading it. Sign in first.
 */
#include <igtcloud/file.h>
#include <stdio.h>
#include <string.h>

static unsigned little(const unsigned char *p, int n) {
  return n == 0 ? 0 : p[0] | little(p + 1, n - 1) << 8;
}

static size_t get(igt_file_reader *reader, void *data, size_t n, igt_error *err) {
  size_t all = 0, got = 1;

  while (all < n && got > 0 && igt_file_read(reader, (char *)data + all, n - all, &got, err) == 0)
    all += got;
  return all;
}

static bool refuse(igt_error *err, const char *why) {
  snprintf(err->text, sizeof err->text, "%s: only Explicit VR Little Endian is supported", why);
  return (err->status = IGT_E_UNSUPPORTED) == IGT_OK;
}

/* One element (PS3.5, 7.1.2). False: the header ends here, or err has the reason. */
static bool element(igt_file_reader *reader, igt_error *err) {
  unsigned char head[12];
  char value[65] = "";

  if (get(reader, head, 8, err) < 8)
    return false;
  char vr[] = {(char)head[4], (char)head[5], '\0'};
  unsigned group = little(head, 2), number = little(head + 2, 2), length = little(head + 6, 2);
  if (strspn(vr, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < 2)
    return refuse(err, "the data set is not Explicit VR");
  if (strstr("OB OD OF OL OV OW SQ SV UC UN UR UT UV", vr))
    length = get(reader, head + 8, 4, err) == 4 ? little(head + 8, 4) : 0xffffffff;
  if (group >= 0x7fe0 || length == 0xffffffff)
    return false; /* pixels, or a sequence of undefined length */
  uint64_t next = igt_file_tell(reader) + length;
  get(reader, value, length < 64 ? length : 64, err);
  if (group == 2 && number == 0x10 && strcmp(value, "1.2.840.10008.1.2.1") != 0 &&
      strncmp(value, "1.2.840.10008.1.2.4.", 20) != 0) /* PS3.5, 10 */
    return refuse(err, value);
  size_t n = 0;
  while (value[n] >= ' ' && value[n] <= '~')
    n++;
  printf("(%04x,%04x) %s %s\n", group, number, vr, value[n] ? "..." : value);
  igt_file_seek(reader, next);
  return err->status == IGT_OK;
}

int main(int argc, char **argv) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = NULL;
  igt_node *cloud = NULL, *file = NULL;
  igt_file_reader *reader = NULL;
  igt_node_target at = IGT_NODE_TARGET_INIT;
  char head[132] = "";

  if (argc != 3) {
    fprintf(stderr, "usage: dicom_header DOMAIN PROJECT/INSTITUTE/PATIENT/STUDY/dicom/FILE\n");
    return 2;
  }
  options.domain = argv[1];
  if (igt_client_new(&options, &client, &err) == 0 && igt_cloud_open(client, &cloud, &err) == 0 &&
      igt_node_resolve(cloud, argv[2], &at, &err) == 0 &&
      igt_node_find(at.node, at.kind, at.rest, &file, &err) == 0 &&
      igt_file_open(file, NULL, &reader, &err) == 0) {
    if (get(reader, head, 132, &err) < 132 || memcmp(head + 128, "DICM", 4) != 0)
      refuse(&err, "it is no DICOM file: the preamble is missing");
    while (err.status == IGT_OK && element(reader, &err)) {
    }
    fprintf(stderr, "%llu of %llu bytes fetched\n", (unsigned long long)igt_file_fetched(reader),
            (unsigned long long)igt_file_size(reader));
  }
  if (err.status != IGT_OK)
    fprintf(stderr, "dicom_header: %s\n", err.text);
  igt_file_close(reader);
  igt_cloud_close(cloud);
  igt_client_free(client);
  return err.status == IGT_OK ? 0 : 1;
}
