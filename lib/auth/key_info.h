/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_KEY_INFO_H
#define IGT_AUTH_KEY_INFO_H

/* What is known of a private key: the file KEY.info beside it; see igtcloud/cloud.h. */

#include "base/error.h"

/* Which service the key belongs to: user (NULL: not given), or the one that has replaced it. False:
 * there is no record of this key, or user is another service. */
bool igt__key_info_service(const char *key_path, const char *user, char *out, size_t cap);

#endif
