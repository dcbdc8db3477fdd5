/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_LOG_H
#define IGTCLOUD_LOG_H

/**
 * @file The library's log. The library itself prints nothing. No line contains a password, a token,
 * a key or a signature.
 */

#include "igtcloud/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum igt_log_level {
  IGT_LOG_ERROR = 1,
  IGT_LOG_WARNING = 2,
  IGT_LOG_INFO = 3,
  IGT_LOG_DEBUG = 4,
  IGT_LOG_TRACE = 5
} igt_log_level;

/** The subject of a line. */
typedef enum igt_log_subject {
  IGT_LOG_GENERAL = 0,
  IGT_LOG_HTTP,
  IGT_LOG_MODEL,
  IGT_LOG_AUTH,
  IGT_LOG_API,
  IGT_LOG_S3,
  IGT_LOG_JOURNAL,
  IGT_LOG_TRANSFER,
  IGT_LOG_SANDBOX,
  IGT_LOG_SUBJECT_COUNT
} igt_log_subject;

/**
 * Called for each line, on any thread of the library, one call at a time. It must not call back
 * into the library. The text has no newline and is valid during the call only.
 */
typedef void (*igt_log_fn)(void *payload, igt_log_level level, igt_log_subject subject,
                           const char *text);

/**
 * Sends the log of this process to `fn`; NULL turns it off. Lines above `level` are not produced.
 * Set it before creating clients; it applies to all of them.
 */
IGT_EXTERN void igt_log_set(igt_log_fn fn, void *payload, igt_log_level level);

/** Sets the level of one subject. */
IGT_EXTERN void igt_log_set_subject(igt_log_subject subject, igt_log_level level);

/** "http", "auth", ... Never NULL. */
IGT_EXTERN const char *igt_log_subject_name(igt_log_subject subject);

#ifdef __cplusplus
}
#endif

#endif
