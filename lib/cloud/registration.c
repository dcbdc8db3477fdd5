/* SPDX-License-Identifier: MIT */
#include "cloud/registration.h"

#include <string.h>

#include "base/error.h"
#include "cloud/find.h"

bool igt__registration_has(const igt_files *response, const char *key, size_t *at) {
  size_t n = response && response->files.is == IGT_SET ? response->files.count : 0;

  for (size_t i = 0; i < n; i++) {
    size_t here = (*at + i) % n;
    const igt_file *file = response->files.v[here];
    if (file && strcmp(igt__text_of(&file->key), key) == 0) {
      *at = here + 1;
      return true;
    }
  }
  return false;
}

igt_status igt__fail_unregistered(igt_error *err) {
  return igt__fail(err, IGT_E_NOT_FOUND,
                   "the cloud reported that the file was registered, but does not list it, so it "
                   "was not sent");
}
