/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_UPGRADE_H
#define IGTCLOUD_UPGRADE_H

/**
 * @file
 * Replacing a program by another release of itself.
 *
 * A release page is a URL such as https://github.com/OWNER/NAME/releases: PAGE/latest redirects to
 * .../tag/vX.Y.Z, and PAGE/download/vX.Y.Z/ has the assets. For each platform these are the
 * program, igtcloud-X.Y.Z-linux-MACHINE (MACHINE as `uname -m` says), and its signature, the same
 * name and
 * ".sig": 64 bytes, Ed25519 (RFC 8032) over the line that sha256sum prints of the program
 * ("DIGEST", two spaces, the name without a folder, a line feed). So a program of another version
 * or platform does not pass for this one under its name, whoever answers in the page's place.
 */

#include <stdbool.h>

#include "client.h"
#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** All fields optional unless said; zero means the default. Borrowed during the call. */
typedef struct igt_upgrade_options {
  const char *releases;    /**< required: the release page; https, or http to this machine */
  const char *release_key; /**< the public key: PEM, or its base64; NULL or "": nothing is done */
  const char *current;     /**< required: the version that is there, "X.Y.Z" */
  const char *target;      /**< required: the program's file; a link is not followed */
  const char *version;     /**< this one, "X.Y.Z" or "vX.Y.Z", older ones too; NULL: the latest */
  bool dry_run;            /**< only say what would be done; nothing is downloaded */
  const char *ca_file;     /**< PEM certificates trusted in place of the system's */
  unsigned connect_timeout_ms; /**< 0: 10,000 */
  unsigned idle_timeout_ms;    /**< silence on a connection that is an error; 0: 30,000 */
  int retries;                 /**< a request, beyond the first try; 0: 5; -1: none */
  igt_cancel *cancel;          /**< ends the call; may be NULL */
} igt_upgrade_options;

#define IGT_UPGRADE_OPTIONS_INIT                                                                   \
  { NULL, NULL, NULL, NULL, NULL, false, NULL, 0, 0, 0, NULL }

/** What igt_upgrade() found and did. */
typedef struct igt_upgrade_result {
  char version[48]; /**< that was looked for, "X.Y.Z"; "" when it did not get so far */
  bool is_current;  /**< it is there already */
  bool replaced;    /**< target is that version now */
} igt_upgrade_result;

/**
 * Replaces `target` by the latest release, or by the one that is named. The new program is written
 * beside the old one, its signature is checked, it gets the old one's mode (not its set-user-id
 * bits), and is renamed over it: at any time the whole old or the whole new program is there.
 * Whatever fails before the rename leaves the old one and nothing beside it.
 *
 * Proxies come from the environment, as for every request. Redirects may lead to another host by
 * https alone (to this machine only when the release page is on it); no credentials are sent.
 * Blocks; any thread, and several calls at once are safe.
 *
 * Errors: IGT_E_UNSUPPORTED (no release key, or the latest release is older than `current`);
 * IGT_E_INVALID (an option, such as a version that is not X.Y.Z); IGT_E_KEY (a damaged key);
 * IGT_E_CHECKSUM (the signature is not right: do not use that file); IGT_E_NOT_FOUND (no such
 * release, or it has no program for this platform); IGT_E_PROTOCOL (no release page, too many
 * redirects, or one that leads to where it must not); IGT_E_LIMIT (an asset of more than 256 MiB);
 * IGT_E_NO_FILE, IGT_E_PERMISSION, IGT_E_READ_ONLY, IGT_E_NO_SPACE, IGT_E_IO (target);
 * IGT_E_CANCELLED, IGT_E_NO_MEMORY, and those of the network.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_upgrade(const igt_upgrade_options *options,
                                               igt_upgrade_result *out, igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
