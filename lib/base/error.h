/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_ERROR_H
#define IGT_BASE_ERROR_H

#include "igtcloud/error.h"

/* All of these accept err == NULL and return the status, so that a failing line reads
 * `return igt__fail(err, IGT_E_INVALID, "…", …);`. Nothing here allocates. A text that does
 * not fit ends in "…". Control characters in %s arguments are the caller's to avoid in names
 * that people typed; igt__error_* replaces them in the final text by '?'. */

/* Sets everything anew (http_status 0, retry_after -1, retryable by the status' class). */
igt_status igt__fail(igt_error *err, igt_status status, const char *fmt, ...) IGT_PRINTF(3, 4);

/* As igt__fail, with os_error and the system's words for it behind ": ". The status comes from
 * errno: ENOENT IGT_E_NO_FILE, EACCES/EPERM IGT_E_PERMISSION, ENOSPC/EDQUOT
 * IGT_E_NO_SPACE, EROFS IGT_E_READ_ONLY, ENOMEM IGT_E_NO_MEMORY, else IGT_E_IO. */
igt_status igt__fail_errno(igt_error *err, int os_error, const char *fmt, ...) IGT_PRINTF(3, 4);

igt_status igt__fail_memory(igt_error *err);

/* Puts "context: " before the text that is there; used once, by the layer that knows the name. */
igt_status igt__error_prefix(igt_error *err, const char *fmt, ...) IGT_PRINTF(2, 3);

/* Puts text behind what is there. */
void igt__error_append(igt_error *err, const char *fmt, ...) IGT_PRINTF(2, 3);

/* Takes all secrets out of an error's text, code and request id (see redact.h), for those that were
 * filled in by other means than these functions. */
void igt__error_redact(igt_error *err);

/* Takes a secret out of the text, the code and the request id, also its beginning where the text
 * was cut off in the middle of it, and any part of IGT__REDACT_RUN bytes: servers repeat what was
 * sent to them. Secrets of less than 4 bytes stay, as any word has those. */
void igt__error_hide(igt_error *err, const char *secret);

void igt__error_clear(igt_error *err);

/* errno to status as above. */
igt_status igt__status_from_errno(int os_error);

/* HTTP status to igt_status: 400 and unnamed 4xx BAD_REQUEST, 401, 403, 404/410 NOT_FOUND,
 * 407 PROXY, 408 TIMEOUT, 409, 412, 416, 429 THROTTLED, 503 SERVER, 5xx SERVER, else PROTOCOL. */
igt_status igt__status_from_http(int http_status);

#endif
