/* SPDX-License-Identifier: MIT */
#include "cloud/prefix.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/sip.h"

#define SHARED 0 /* in place of the number of one study */

static uint64_t number_of(const char *id) {
  uint64_t number = igt__sip_place(id);

  return number == SHARED ? 1 : number;
}

bool igt__prefix_claim(igt__fingerprints *claims, const char *prefix, const char *id) {
  const uint64_t *known = *prefix ? igt__fingerprints_number(claims, prefix) : NULL;
  uint64_t number = number_of(id);

  if (!*prefix || (known && *known == number))
    return true;
  return igt__fingerprints_set(claims, prefix, known ? SHARED : number);
}

/* "a/../b/" is the place of "b/" for a gateway that normalizes paths, and without any prefix the
 * files of all studies would share one place. Without a '/' at the end it only looks odd. */
static const char *trouble(const char *prefix) {
  if (!*prefix)
    return "no s3Prefix";
  if (strlen(prefix) > IGT__S3_MAX_KEY)
    return "an s3Prefix that is longer than S3's keys of 1,024 bytes";
  for (const char *p = prefix; *p; p += *p == '/') {
    size_t n = strcspn(p, "/");
    if (igt__component_trouble(p, n))
      return "an s3Prefix with an empty part or '..' in it";
    p += n;
  }
  return NULL;
}

igt_status igt__prefix_check_shape(const char *prefix, const char *whose, igt_error *err) {
  const char *why = trouble(prefix);

  if (!why)
    return IGT_OK;
  return igt__fail(err, IGT_E_PROTOCOL,
                   "the cloud gives the %s %s; report it to the cloud's support", whose, why);
}

igt_status igt__prefix_check(const igt__fingerprints *claims, const char *prefix, const char *id,
                             igt_error *err) {
  const uint64_t *known = *prefix ? igt__fingerprints_number(claims, prefix) : NULL;
  igt_status status =
      *id ? igt__prefix_check_shape(prefix, "study", err) : IGT_OK; /* project files have no id */

  if (status != IGT_OK)
    return status;
  if (!known || *known == number_of(id))
    return IGT_OK;
  return igt__fail(err, IGT_E_PROTOCOL,
                   "the cloud gives this study and another one the same s3Prefix, '%s', so their "
                   "files cannot be told apart; report it to the cloud's support",
                   prefix);
}
