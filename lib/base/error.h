/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_ERROR_H
#define IGT_BASE_ERROR_H

#include "igtcloud/error.h"

/* The size of igt_error in the first release. */
#define IGT__ERROR_FIRST sizeof(igt_error)

/* All of these accept err == NULL and return the status, so that a failing line reads `return
 * igt__fail(err, IGT_E_INVALID, "…", …);`. Nothing here allocates. A text that does not fit ends in
 * "…". Control characters, which %s arguments such as user-supplied names may contain, are replaced
 * by '?' in the final text. */

/* Resets all fields first (retryable by the class of the status). */
igt_status igt__fail(igt_error *err, igt_status status, const char *fmt, ...) IGT_PRINTF(3, 4);

/* Like igt__fail, but sets os_error and appends ": " and the system's message. The status follows
 * from errno: ENOENT IGT_E_NO_FILE, EACCES/EPERM IGT_E_PERMISSION, ENOSPC/EDQUOT IGT_E_NO_SPACE,
 * EROFS IGT_E_READ_ONLY, ENOMEM IGT_E_NO_MEMORY, else IGT_E_IO. */
igt_status igt__fail_errno(igt_error *err, int os_error, const char *fmt, ...) IGT_PRINTF(3, 4);

igt_status igt__fail_memory(igt_error *err);

/* Prepends "context: " to the text; used once, by the layer that knows the name. */
igt_status igt__error_prefix(igt_error *err, const char *fmt, ...) IGT_PRINTF(2, 3);

/* Appends to the text. */
void igt__error_append(igt_error *err, const char *fmt, ...) IGT_PRINTF(2, 3);

/* Hides all registered secrets in an error's text, code and request id (see redact.h), for errors
 * that were filled in without these functions. */
void igt__error_redact(igt_error *err);

/* Hides a secret in the text, the code and the request id, including its beginning where the text
 * was truncated within it, and any part of IGT__REDACT_RUN bytes: servers echo what was sent to
 * them. Secrets of less than 4 bytes remain, since they are part of ordinary words. */
void igt__error_hide(igt_error *err, const char *secret);

void igt__error_clear(igt_error *err);

/* A program's igt_error may be that of an older header, and smaller than ours: it is written by the
 * functions of this header alone, and copied to and from by this one. Members of the first release
 * may be read and set by name; later ones only in error.c, where the size is known. */
void igt__error_copy(igt_error *err, const igt_error *from);
/* The same into an error of our own, which need not be initialized. */
void igt__error_keep(igt_error *own, const igt_error *from);

/* Maps errno as above. */
igt_status igt__status_from_errno(int os_error);

/* Maps an HTTP status: 400 and other 4xx BAD_REQUEST, 401, 403, 404/410 NOT_FOUND, 407 PROXY, 408
 * TIMEOUT, 409, 412, 416, 429 THROTTLED, 503 SERVER, 5xx SERVER, else PROTOCOL. */
igt_status igt__status_from_http(int http_status);

#endif
