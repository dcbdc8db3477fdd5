/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_IGTCLOUD_H
#define IGTCLOUD_IGTCLOUD_H

/** @file The complete public interface of libigtcloud. */

#include "igtcloud/client.h"
#include "igtcloud/cloud.h"
#include "igtcloud/describe.h"
#include "igtcloud/error.h"
#include "igtcloud/export.h"
#include "igtcloud/field.h"
#include "igtcloud/file.h"
#include "igtcloud/list.h"
#include "igtcloud/log.h"
#include "igtcloud/manifest.h"
#include "igtcloud/model.h"
#include "igtcloud/models.h"
#include "igtcloud/name.h"
#include "igtcloud/object.h"
#include "igtcloud/operations.h"
#include "igtcloud/probe.h"
#include "igtcloud/request.h"
#include "igtcloud/selection.h"
#include "igtcloud/transfer.h"
#include "igtcloud/upgrade.h"
#include "igtcloud/uploads.h"
#include "igtcloud/version.h"

#endif
