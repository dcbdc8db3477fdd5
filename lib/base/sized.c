/* SPDX-License-Identifier: MIT */
#include "base/sized.h"

#include <string.h>

#include "base/error.h"

/* A larger value is not a size: the struct was not initialized. */
#define MOST_SIZE 65536

static size_t size_of(const void *theirs) {
  size_t size;

  memcpy(&size, theirs, sizeof size);
  return size;
}

static igt_status check_size(const void *theirs, const char *name, igt_error *err) {
  size_t size = size_of(theirs);

  if (size >= sizeof size && size <= MOST_SIZE)
    return IGT_OK;
  return igt__fail(err, IGT_E_INVALID, "%s: not initialized; use IGT_..._INIT or igt_..._init()",
                   name);
}

igt_status igt__options_check(size_t own_size, const void *theirs, const char *name,
                              igt_error *err) {
  const unsigned char *bytes = theirs;
  igt_status status = theirs ? check_size(theirs, name, err) : IGT_OK;

  for (size_t i = own_size; theirs && status == IGT_OK && i < size_of(theirs); i++)
    if (bytes[i])
      status =
          igt__fail(err, IGT_E_UNSUPPORTED,
                    "%s: an option is set that this version of libigtcloud does not know", name);
  return status;
}

igt_status igt__options_read(void *own, size_t own_size, const void *theirs, const char *name,
                             igt_error *err) {
  igt_status status = igt__options_check(own_size, theirs, name, err);

  memset(own, 0, own_size);
  if (theirs && status == IGT_OK)
    memcpy(own, theirs, size_of(theirs) < own_size ? size_of(theirs) : own_size);
  memcpy(own, &own_size, sizeof own_size);
  return status;
}

igt_status igt__result_check(const void *theirs, const char *name, igt_error *err) {
  return theirs ? check_size(theirs, name, err) : IGT_OK;
}

void igt__result_write(void *theirs, const void *own, size_t own_size) {
  size_t n = theirs ? size_of(theirs) : 0;

  if (n > own_size)
    n = own_size;
  if (n > sizeof n)
    memcpy((char *)theirs + sizeof n, (const char *)own + sizeof n, n - sizeof n);
}

void igt__sized_init(void *theirs, size_t size) {
  memset(theirs, 0, size);
  memcpy(theirs, &size, sizeof size);
}
