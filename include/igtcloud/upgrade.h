/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_UPGRADE_H
#define IGTCLOUD_UPGRADE_H

/**
 * @file Replaces a program by another release of itself.
 *
 * A release page is a URL such as https://github.com/OWNER/NAME/releases: PAGE/latest redirects to
 * .../tag/vX.Y.Z, and PAGE/download/vX.Y.Z/ has the assets. For each platform they are the program,
 * igtcloud-X.Y.Z-linux-MACHINE (MACHINE as printed by `uname -m`), and its signature, the same name
 * and ".sig": 64 bytes, Ed25519 (RFC 8032) over the line that sha256sum prints of the program
 * ("DIGEST", two spaces, the name without a folder, a line feed). So a program of another version
 * or platform cannot be passed off under this name, even by a server that impersonates the page.
 */

#include <stdbool.h>

#include "igtcloud/client.h"
#include "igtcloud/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** All fields are optional unless stated otherwise; zero means the default. Borrowed during the
 * call. */
typedef struct igt_upgrade_options {
  size_t size;          /**< set by IGT_UPGRADE_OPTIONS_INIT */
  const char *releases; /**< required: the release page; https, or http to this machine */
  const char
      *release_key; /**< the public key: PEM, or its base64; NULL or "": upgrading is unsupported */
  const char *current;         /**< required: the current version, "X.Y.Z" */
  const char *target;          /**< required: the program's file; symbolic links are not followed */
  const char *version;         /**< "X.Y.Z" or "vX.Y.Z", may be older; NULL: the latest */
  bool dry_run;                /**< only report what would be done; download nothing */
  const char *ca_file;         /**< PEM certificates trusted in place of the system's */
  unsigned connect_timeout_ms; /**< 0: 10,000 */
  unsigned idle_timeout_ms;    /**< an idle connection fails after this long; 0: 30,000 */
  int retries;                 /**< retries of a request; 0: 5; -1: none */
  igt_cancel *cancel;          /**< cancels the call; may be NULL */
  const char *proxy;           /**< as in igt_client_options */
  const char *proxy_source;    /**< as in igt_client_options */
} igt_upgrade_options;
#define IGT_UPGRADE_OPTIONS_INIT IGT_SIZED(igt_upgrade_options)
/** As IGT_UPGRADE_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_upgrade_options_init(igt_upgrade_options *options, size_t size);

/** What igt_upgrade() found and did. */
typedef struct igt_upgrade_result {
  size_t size;      /**< set by IGT_UPGRADE_RESULT_INIT */
  char version[48]; /**< the release that was found, "X.Y.Z"; "" if the call failed before */
  bool is_current;  /**< already installed */
  bool replaced;    /**< target was replaced by that version */
} igt_upgrade_result;
#define IGT_UPGRADE_RESULT_INIT IGT_SIZED(igt_upgrade_result)
/** As IGT_UPGRADE_RESULT_INIT, where an initializer cannot be used: size is sizeof(*result). */
IGT_EXTERN void igt_upgrade_result_init(igt_upgrade_result *result, size_t size);

/**
 * Replaces `target` by the latest release, or by the given one. The new program is written beside
 * the old one, verified by its signature, given the old one's mode (without set-user-id bits), and
 * renamed over it: at any time either the complete old or the complete new program exists. A
 * failure before the rename leaves the old program and no other file.
 *
 * Proxies come from the environment, as for every request. Redirects may lead to another host by
 * https only (to this machine only if the release page is on it); no credentials are sent. Blocks;
 * any thread, and concurrent calls are safe.
 *
 * Errors: IGT_E_UNSUPPORTED (no release key, or the latest release is older than `current`);
 * IGT_E_INVALID (an option, such as a version that is not X.Y.Z); IGT_E_KEY (a damaged key);
 * IGT_E_CHECKSUM (the signature is invalid: do not use that file); IGT_E_NOT_FOUND (no such
 * release, or it has no program for this platform); IGT_E_PROTOCOL (not a release page, too many
 * redirects, or a forbidden redirect); IGT_E_LIMIT (an asset of more than 256 MiB); IGT_E_NO_FILE,
 * IGT_E_PERMISSION, IGT_E_READ_ONLY, IGT_E_NO_SPACE, IGT_E_IO (target); IGT_E_CANCELLED,
 * IGT_E_NO_MEMORY, and network errors.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_upgrade(const igt_upgrade_options *options,
                                               igt_upgrade_result *out, igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
