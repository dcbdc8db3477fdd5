/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_IGTCLOUD_H
#define IGTCLOUD_IGTCLOUD_H

/** @file The complete public interface of libigtcloud. */

#include "client.h"
#include "cloud.h"
#include "describe.h"
#include "error.h"
#include "field.h"
#include "file.h"
#include "igtcloud/model.h"
#include "igtcloud/models.h"
#include "igtcloud/operations.h"
#include "list.h"
#include "log.h"
#include "manifest.h"
#include "name.h"
#include "object.h"
#include "probe.h"
#include "request.h"
#include "selection.h"
#include "transfer.h"
#include "upgrade.h"
#include "uploads.h"
#include "version.h"

#endif
