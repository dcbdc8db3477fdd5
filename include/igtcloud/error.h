/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_ERROR_H
#define IGTCLOUD_ERROR_H

/**
 * @file Results of calls: a status for the kind of result, and an error with the details.
 *
 * A call returns an igt_status: IGT_OK (0) or a named code below zero. A caller that wants the
 * details passes its own igt_error, initialized with IGT_ERROR_INIT; every function accepts NULL.
 * An igt_error owns nothing, needs no free, and may be copied by assignment.
 */

#include <stdbool.h>
#include <stddef.h>

#include "igtcloud/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Kinds of results. The numbers are fixed and grouped by ten; new codes are added inside their
 * group, so treat an unknown one as a failure of its group.
 */
typedef enum igt_status {
  IGT_OK = 0,

  /* The call itself. */
  IGT_E_INTERNAL = -1,    /**< a defect in this library; please report it */
  IGT_E_NO_MEMORY = -2,   /**< out of memory */
  IGT_E_INVALID = -3,     /**< an argument or option is wrong */
  IGT_E_CANCELLED = -4,   /**< igt_cancel_set() was called */
  IGT_E_UNSUPPORTED = -5, /**< the server or the platform cannot do this */
  IGT_E_LIMIT = -6,       /**< a limit (size, depth, count) was exceeded */

  /* This machine. */
  IGT_E_IO = -10,          /**< reading or writing a file failed */
  IGT_E_NO_FILE = -11,     /**< a local file or folder does not exist */
  IGT_E_PERMISSION = -12,  /**< permission denied */
  IGT_E_NO_SPACE = -13,    /**< disk full or quota used up */
  IGT_E_UNSAFE_NAME = -14, /**< a name that would leave the target, or that the disk cannot store */
  IGT_E_CHANGED = -15,     /**< a local file changed while it was read */
  IGT_E_COLLISION = -16,   /**< names collide, or do not fit the folder structure */
  IGT_E_LOCKED = -17,      /**< in use by another process */
  IGT_E_READ_ONLY = -18,   /**< the file system is mounted read-only */

  /* The network. */
  IGT_E_RESOLVE = -20,  /**< the host name cannot be resolved */
  IGT_E_CONNECT = -21,  /**< no connection */
  IGT_E_TIMEOUT = -22,  /**< no response, or no progress, for too long */
  IGT_E_TLS = -23,      /**< certificate or handshake */
  IGT_E_PROXY = -24,    /**< the proxy refused or failed */
  IGT_E_NETWORK = -25,  /**< a connection broke during a request */
  IGT_E_PROTOCOL = -26, /**< the response violates HTTP, S3 or the API */

  /* Responses of the server. */
  IGT_E_BAD_REQUEST = -30,  /**< 400 and other 4xx */
  IGT_E_UNAUTHORIZED = -31, /**< 401: not signed in, or the session has ended */
  IGT_E_FORBIDDEN = -32,    /**< 403: signed in, but not allowed */
  IGT_E_NOT_FOUND = -33,    /**< 404, or no such project, institute, study or file */
  IGT_E_CONFLICT = -34,     /**< 409 */
  IGT_E_PRECONDITION = -35, /**< 412: the object is not the one that was expected */
  IGT_E_THROTTLED = -36,    /**< 429 or 503 SlowDown */
  IGT_E_SERVER = -37,       /**< 5xx */
  IGT_E_RANGE = -38,        /**< 416 */

  /* Invalid data. */
  IGT_E_PARSE = -40,    /**< not JSON, not XML, or cut off */
  IGT_E_TYPE = -41,     /**< a field of another type than described */
  IGT_E_REQUIRED = -42, /**< a required field is missing */

  /* Signing in. */
  IGT_E_LOGIN = -50,      /**< the user name, password or key was rejected */
  IGT_E_EXPIRED = -51,    /**< the token or the credentials expired */
  IGT_E_KEY = -52,        /**< the private key cannot be read or used */
  IGT_E_TOKEN_FILE = -53, /**< the token file is not trustworthy or is damaged */
  IGT_E_NO_SESSION = -54, /**< nobody is signed in */

  /* Transfers. */
  IGT_E_CHECKSUM = -60,    /**< the content does not match the store's checksum */
  IGT_E_SOME_FAILED = -61, /**< some items failed; the report names them */
  IGT_E_AMBIGUOUS = -62,   /**< several studies, projects or institutes match */
  IGT_E_GONE = -63         /**< an object changed or disappeared during the transfer */
} igt_status;

#define IGT_ERROR_TEXT_MAX 1024

/** The details of a failure. All strings are NUL-terminated, "" if unknown. */
typedef struct igt_error {
  size_t size; /**< set by IGT_ERROR_INIT */
  igt_status status;
  int http_status;               /**< of the response that caused it; 0 if none */
  int retry_after;               /**< seconds requested by the server; 0 if none */
  int os_error;                  /**< errno of the system call that caused it, or 0 */
  bool retryable;                /**< the same call may succeed later, unchanged */
  char code[64];                 /**< the server's own code, such as S3's "SlowDown" */
  char operation[96];            /**< such as "get_studies" or "GetObject" */
  char request_id[96];           /**< the server's request id, for support */
  char text[IGT_ERROR_TEXT_MAX]; /**< for the user: what failed, on what, why, what to do */
} igt_error;

/** An igt_error with IGT_OK. */
#define IGT_ERROR_INIT IGT_SIZED(igt_error)
/** As IGT_ERROR_INIT, where an initializer cannot be used: size is sizeof(*err). */
IGT_EXTERN void igt_error_init(igt_error *err, size_t size);

/** The name of a status as in this header, such as "IGT_E_TIMEOUT". Never NULL. */
IGT_EXTERN const char *igt_status_name(igt_status status);

/** A short description of a status, such as "no response in time". Never NULL. */
IGT_EXTERN const char *igt_status_text(igt_status status);

#ifdef __cplusplus
}
#endif

#endif
