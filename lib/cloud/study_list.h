/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_STUDY_LIST_H
#define IGT_CLOUD_STUDY_LIST_H

/* The studies of an institute. */

#include "igtcloud/operations.h"

/* Like igt_get_studies_each, and also on a link whose connections end before the list does. */
igt_status igt__each_study(igt_client *client, const char *institute_id, igt_root_study_fn fn,
                           void *payload, igt_error *err);

#endif
