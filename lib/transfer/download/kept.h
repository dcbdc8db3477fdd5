/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_KEPT_H
#define IGT_TRANSFER_KEPT_H

/* Folders of studies that the cloud no longer has: igt_download_options.delete_extra keeps them,
 * and says so. */

#include "base/error.h"
#include "igtcloud/transfer.h"

struct igt__download;

/* At the end of a run without failures, on the thread that waited for it: reports and counts each
 * folder that has a study.json of this project and is not that of a listed study. Nothing is
 * reported if the selection left out studies by anything but their institutes: they may well be in
 * the cloud. */
igt_status igt__kept_report(struct igt__download *d, igt_transfer_summary *summary, igt_error *err);

#endif
