/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_CREDENTIALS_H
#define IGT_CLOUD_CREDENTIALS_H

/* Temporary S3 credentials, as issued by the API. */

#include "igtcloud/operations.h"
#include "s3/s3.h"

/* For one action ("GET", "PUT") on the keys below a prefix. Blocking: one request. */
igt_status igt__cloud_credentials(igt_client *client, const char *action, const char *prefix,
                                  igt__s3_credentials **out, igt_error *err);
/* A remote cloud must not make us send signed requests to services of this computer, which trust
 * local clients. Rejects plain http to loopback (IGT_E_PROTOCOL) unless the cloud's domain is on
 * loopback. */
igt_status igt__s3_endpoint_check(const char *domain, const char *endpoint, igt_error *err);
/* Whether a rejection of this action concerns the account rather than the requested prefix. */
bool igt__is_upload_only(igt_client *client, const char *action);

#endif
