/* SPDX-License-Identifier: MIT */
/* Reads the header of a remote DICOM file by ranges, without downloading it: the elements before
 * the pixels, of Explicit VR Little Endian; of other transfer syntaxes it says so and stops. Sign
 * in before, with `igtcloud login`.
 *
 *     dicom_header DOMAIN PROJECT/INSTITUTE/PATIENT/STUDY/dicom/FILE
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <igtcloud/file.h>

static unsigned little(const unsigned char *p, int n) {
  return n == 0 ? 0 : p[0] | little(p + 1, n - 1) << 8;
}

/* Fewer than n only at the end of the file. */
static size_t read_fully(igt_file_reader *reader, void *data, size_t n, igt_status *status,
                         igt_error *err) {
  size_t all = 0, got = 1;

  while (*status == IGT_OK && all < n && got > 0) {
    *status = igt_file_read(reader, (char *)data + all, n - all, &got, err);
    all += got;
  }
  return all;
}

static igt_status refuse(igt_error *err, const char *fmt, ...) {
  va_list args;

  va_start(args, fmt);
  vsnprintf(err->text, sizeof err->text, fmt, args);
  va_end(args);
  return err->status = IGT_E_UNSUPPORTED;
}

/* Data sets that are written in another way than their file's meta information (PS3.10, A). Those
 * with compressed pixels are Explicit VR Little Endian as well. */
static igt_status check_syntax(const char *uid, igt_error *err) {
  static const char *const others[][2] = {{"1.2.840.10008.1.2", "Implicit VR Little Endian"},
                                          {"1.2.840.10008.1.2.2", "Explicit VR Big Endian"},
                                          {"1.2.840.10008.1.2.1.99", "deflated"},
                                          {"1.2.840.10008.1.2.4.95", "deflated"},
                                          {"1.2.840.113619.5.2", "GE's private syntax"}};

  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strcmp(uid, others[i][0]) == 0)
      return refuse(err, "its data set is %s; this example reads Explicit VR Little Endian only",
                    others[i][1]);
  return IGT_OK;
}

static igt_status check_preamble(igt_file_reader *reader, igt_error *err) {
  char head[132];
  size_t n = 0;
  igt_status status = igt_file_read(reader, head, sizeof head, &n, err);

  if (status == IGT_OK && (n < sizeof head || memcmp(head + 128, "DICM", 4) != 0))
    status = refuse(err, "it is no DICOM file, or one without the preamble");
  return status;
}

/* One element (DICOM PS3.5, 7.1.2): prints a short text, and goes on behind any value. False: the
 * header has ended. */
static bool element(igt_file_reader *reader, igt_status *status, igt_error *err) {
  unsigned char head[12];
  char value[65];
  size_t got;

  *status = IGT_OK;
  if (read_fully(reader, head, 8, status, err) < 8)
    return false;
  if (head[4] < 'A' || head[4] > 'Z' || head[5] < 'A' || head[5] > 'Z') {
    *status = refuse(err, "it is not Explicit VR Little Endian");
    return false;
  }
  unsigned group = little(head, 2), number = little(head + 2, 2), length = little(head + 6, 2);
  if (strstr("OB OD OF OL OV OW SQ SV UC UN UR UT UV",
             (char[]){(char)head[4], (char)head[5], '\0'})) {
    if (read_fully(reader, head + 8, 4, status, err) < 4)
      return false;
    length = little(head + 8, 4);
  }
  if (*status != IGT_OK || group >= 0x7fe0 || length == 0xffffffff)
    return false; /* pixels, or a length that is not told */
  uint64_t next = igt_file_tell(reader) + length;
  got = read_fully(reader, value, length < 64 ? length : 64, status, err);
  value[got] = '\0';
  bool text = true;
  for (size_t i = 0; i < got && value[i]; i++)
    text = text && value[i] >= ' ' && value[i] <= '~';
  printf("(%04x,%04x) %c%c %s\n", group, number, head[4], head[5], text ? value : "...");
  if (group == 2 && number == 0x10 && *status == IGT_OK)
    *status = check_syntax(value, err);
  igt_file_seek(reader, next);
  return *status == IGT_OK;
}

static igt_status show(igt_node *cloud, const char *path, igt_error *err) {
  igt_file_reader *reader = NULL;
  igt_node *file = NULL;
  igt_node_target target;
  igt_status status = igt_node_resolve(cloud, path, &target, err);

  if (status == IGT_OK)
    status = igt_node_find(target.node, target.kind, target.rest, &file, err);
  if (status == IGT_OK)
    status = igt_file_open(file, NULL, &reader, err);
  if (status == IGT_OK)
    status = check_preamble(reader, err);
  while (status == IGT_OK && element(reader, &status, err))
    ;
  fprintf(stderr, "%llu of %llu bytes fetched\n", (unsigned long long)igt_file_fetched(reader),
          (unsigned long long)igt_file_size(reader));
  igt_file_close(reader);
  return status;
}

int main(int argc, char **argv) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = NULL;
  igt_node *cloud = NULL;

  options.domain = argc == 3 ? argv[1] : NULL;
  if (igt_client_new(&options, &client, &err) == IGT_OK &&
      igt_cloud_open(client, &cloud, &err) == IGT_OK)
    (void)(show(cloud, argv[2], &err) == IGT_OK);
  if (err.status != IGT_OK)
    fprintf(stderr, "dicom_header: %s\n", err.text);
  igt_cloud_close(cloud);
  igt_client_free(client);
  return err.status == IGT_OK ? 0 : 1;
}
