/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_PLAN_INTERNAL_H
#define IGT_TRANSFER_PLAN_INTERNAL_H

/* Shared by the files that plan the upload of one folder (igt__upload_plan): upload_plan.c walks
 * it, upload_existing.c knows the files that the cloud has, upload_batch.c registers the others. */

#include "transfer/upload/upload.h"

/* Reports a file that is not sent. path: as the cloud has it; key NULL: it has none. */
void igt__upload_report(igt__upload_plan *p, const char *path, const char *key,
                        const igt__local *local, igt_transfer_result result, const char *text,
                        const igt_error *err);

/* ---- upload_study.c ---- */

/* Reports what lies beside the folder "files" of a study's folder. IGT_E_NO_FILE: it has none. */
igt_status igt__upload_leave_rest(const igt__upload_plan *p, igt_error *err);

/* ---- upload_existing.c ---- */

/* Loads the cloud's list of the plan's files, and corrects where they are here (layout.h). */
igt_status igt__upload_load_existing(igt__upload_plan *p, igt_error *err);
/* Replaces key by that of the cloud if the list has the name in another form of Unicode (NFC and
 * NFD are one name) and no other local file has, or gets, that name. */
igt_status igt__upload_cloud_key(igt__upload_plan *p, igt__buf *key, const igt__local *local,
                                 igt_error *err);
/* *there: the cloud has the file: one of the same size and, where the journal knows it, with an
 * unchanged time or content. */
igt_status igt__upload_is_there(igt__upload_plan *p, const char *key, const igt__local *local,
                                bool *there, igt_error *err);
/* Whether the cloud has a complete file of this key, which an upload would replace; *size: its
 * bytes. */
bool igt__upload_replaces(const igt__upload_plan *p, const char *key, uint64_t *size);
/* The file's name in the journal; buf has its memory, if it needs any. */
const char *igt__upload_journal_key(const igt__upload_plan *p, const char *key, igt__buf *buf);
/* How it was verified when it was transferred; all zero if it is not that file any more. */
void igt__upload_recall(const igt__upload_plan *p, const char *key, const igt__local *local,
                        igt__journal_file *known);

/* ---- upload_batch.c ---- */

/* Adds a file; a full batch is flushed. */
igt_status igt__upload_batch_add(igt__upload_plan *p, const char *path, const char *key,
                                 const igt__local *local, igt_error *err);
/* Registers the files of the batch and hands them to send.c; reports those that fail. */
void igt__upload_batch_flush(igt__upload_plan *p);

#endif
