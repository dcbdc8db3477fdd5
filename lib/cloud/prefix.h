/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_PREFIX_H
#define IGT_CLOUD_PREFIX_H

/* The s3Prefix of each study. Where the cloud gives two studies the same one, the files of at least
 * one of them belong to another patient: neither may be transferred. */

#include "base/fingerprints.h"
#include "igtcloud/error.h"

/* Records that the study with this id has the prefix. False: out of memory. */
bool igt__prefix_claim(igt__fingerprints *claims, const char *prefix, const char *id);

/* IGT_E_PROTOCOL: no key can begin with it, or it is empty or leads elsewhere. whose: "study" or
 * "institute". */
igt_status igt__prefix_check_shape(const char *prefix, const char *whose, igt_error *err);
/* IGT_OK: no study with another id claimed the prefix. IGT_E_PROTOCOL: one did, no key can begin
 * with it, or it is empty or leads elsewhere ("..") where paths are normalized. An empty id: the
 * project's own files, of which nothing is checked. */
igt_status igt__prefix_check(const igt__fingerprints *claims, const char *prefix, const char *id,
                             igt_error *err);

#endif
