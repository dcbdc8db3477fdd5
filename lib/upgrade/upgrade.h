/* SPDX-License-Identifier: MIT */
#ifndef IGT_UPGRADE_H
#define IGT_UPGRADE_H

/* Declarations shared by the files of lib/upgrade. */

#include "base/cancel.h"
#include "crypto/crypto.h"
#include "http/http.h"
#include "igtcloud/upgrade.h"

/* ---- version.c ---- */

typedef struct igt__release {
  unsigned part[3];
} igt__release;
/* "X.Y.Z" or "vX.Y.Z", nothing else. */
bool igt__release_parse(const char *text, igt__release *out);
int igt__release_compare(const igt__release *a, const igt__release *b);
void igt__release_text(const igt__release *release, char out[48]);
/* From a URL that ends in /tag/vX.Y.Z. */
bool igt__release_of_tag(const char *url, igt__release *out);

/* ---- fetch.c ---- */

typedef struct igt__release_page {
  const char *url; /* without a trailing '/' */
  igt__http *http;
  igt__cancel *cancel;
  bool is_loopback; /* so redirects may lead to this machine */
} igt__release_page;

/* Destination of an asset's bytes: a file and its digest, or memory. */
typedef struct igt__asset_sink {
  int fd;              /* -1: text */
  igt__digest *digest; /* of what is in fd */
  igt__buf *text;
  uint64_t size, most;
} igt__asset_sink;

igt_status igt__release_latest(const igt__release_page *page, igt__release *out, igt_error *err);
igt_status igt__release_asset(const igt__release_page *page, const char *version, const char *name,
                              igt__asset_sink *sink, igt_error *err);
/* The URL that a redirect from `from` leads to. Also for tests. */
igt_status igt__release_redirect(const igt__release_page *page, const char *from,
                                 const char *location, igt__buf *out, igt_error *err);

/* ---- replace.c ---- */

/* A new file beside the old one, until it replaces it. */
typedef struct igt__replacement {
  const char *target;
  char *path; /* NULL: none */
  int fd;
} igt__replacement;
igt_status igt__replacement_begin(const char *target, igt__replacement *out, igt_error *err);
igt_status igt__replacement_commit(igt__replacement *r, igt_error *err);
void igt__replacement_finish(igt__replacement *r); /* discards what was not committed */
/* Removes what killed upgrades have left behind beside target. */
void igt__replacement_sweep(const char *target);

#endif
