/* SPDX-License-Identifier: MIT */
/* Passes the files of a fuzz target's corpus to it, instead of libFuzzer: used by `make check`.
 * Each is copied to a block of exactly its size, so that ASan sees reads beyond it. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
  FILE *f = fopen(path, "rb");
  uint8_t *data = NULL;
  long n;

  if (!f || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0 ||
      !(data = malloc(n ? (size_t)n : 1)) || fread(data, 1, (size_t)n, f) != (size_t)n) {
    printf("not ok - cannot read %s\n", path);
    if (f)
      fclose(f);
    free(data);
    return 1;
  }
  fclose(f);
  (void)LLVMFuzzerTestOneInput(data, (size_t)n);
  free(data);
  return 0;
}

int main(int argc, char **argv) {
  struct dirent *e;
  int files = 0, failed = 0;
  char path[4096];
  DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

  if (!dir) {
    printf("1..1\nnot ok 1 - no corpus\n");
    return 1;
  }
  while ((e = readdir(dir)) != NULL) {
    if (e->d_name[0] == '.')
      continue;
    (void)snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
    failed += replay(path);
    files++;
  }
  closedir(dir);
  printf("1..1\n%s 1 - %d files replayed\n", failed || !files ? "not ok" : "ok", files);
  return failed || !files;
}
