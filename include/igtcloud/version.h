/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_VERSION_H
#define IGTCLOUD_VERSION_H

#include <stdbool.h>

#include "igtcloud/export.h"

/** The version of this header, for `#if IGT_VERSION_NUM >= 0x000200`. */
#define IGT_VERSION_MAJOR 0
#define IGT_VERSION_MINOR 1
#define IGT_VERSION_PATCH 0
/** 0xMMmmpp: major, minor and patch, two hexadecimal digits each. */
#define IGT_VERSION_NUM (IGT_VERSION_MAJOR << 16 | IGT_VERSION_MINOR << 8 | IGT_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/** The version of the library that runs, such as "0.1.0"; static. Any thread. */
IGT_EXTERN const char *igt_version(void);

/**
 * True if the library that runs has all of that version: it has the same major version, and is not
 * older. A program that uses functions or options of a certain version checks it once at its start:
 *
 *     if (!igt_version_check(IGT_VERSION_MAJOR, IGT_VERSION_MINOR))
 *       ...; // runs with an older libigtcloud than the header it was built with
 *
 * Any thread.
 */
IGT_EXTERN bool igt_version_check(unsigned major, unsigned minor);

/** Receives the name and version of a library; both are valid during the call only. */
typedef void (*igt_library_fn)(void *payload, const char *name, const char *version);
/** The libraries that libigtcloud uses, as they run: OpenSSL, json-c, expat, SQLite, libcurl (which
 * is loaded for it, and left out if it is missing) and those that libcurl names. Any thread. */
IGT_EXTERN void igt_libraries(igt_library_fn fn, void *payload);

#ifdef __cplusplus
}
#endif

#endif
