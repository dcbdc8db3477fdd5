/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_VERSION_H
#define IGTCLOUD_VERSION_H

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The library's version, such as "0.1.0". */
IGT_EXTERN const char *igt_version(void);

#ifdef __cplusplus
}
#endif

#endif
