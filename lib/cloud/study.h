/* SPDX-License-Identifier: MIT */
#ifndef IGT_CLOUD_STUDY_H
#define IGT_CLOUD_STUDY_H

/* What the cloud responds with when one study is requested or changed. */

#include "igtcloud/models.h"

/* IGT_E_PROTOCOL unless the study is the one with this id. */
igt_status igt__study_check(const igt_root_study *study, const char *id, igt_error *err);

#endif
