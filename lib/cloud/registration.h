/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_REGISTRATION_H
#define IGT_CLOUD_REGISTRATION_H

/* What the cloud says of files that were registered with it. */

#include "igtcloud/models.h"

/* Whether the response to a registration has the file; false for NULL, too. *at: where the search
 * begins, and then where the next one best does: most responses keep the request's order. */
bool igt__registration_has(const igt_files *response, const char *key, size_t *at);
/* Fails with IGT_E_NOT_FOUND: the status was a success, but neither the response nor the list has
 * the file. Stored, it would never be listed. */
igt_status igt__fail_unregistered(igt_error *err);

#endif
