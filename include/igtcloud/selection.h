/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_SELECTION_H
#define IGTCLOUD_SELECTION_H

/** @file The studies that a selection chooses, one by one: what `igtcloud ls` lists. */

#include "igtcloud/operations.h"
#include "igtcloud/transfer.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Checks what can be checked without the cloud and without reading studies_from: dates, times and
 * their order. The calls that take a selection do the same first. selection->project is not needed.
 * Errors: IGT_E_INVALID, IGT_E_UNSUPPORTED (set by a program for a newer library), IGT_E_NO_MEMORY.
 * Any thread.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_selection_check(const igt_study_selection *selection,
                                                       igt_error *err);

/**
 * Receives a selected study and its institute on the caller's thread; both are valid during the
 * call only. IGT_OK continues; any other status ends igt_selection_each() with that status.
 */
typedef igt_status (*igt_selected_study_fn)(void *payload, const igt_institute *institute,
                                            const igt_root_study *study);

/**
 * Hands out the studies that the selection chooses, in the cloud's order or (newest) newest first.
 * Institutes that are not selected are not listed; without `newest` the lists are streamed in
 * constant memory, and `limit` stops reading. on_message (may be NULL) receives what igt_csv()
 * would report: entries that matched no study, as IGT_E_NOT_FOUND, and at the end, as IGT_OK, how
 * many studies passed `start` or `end` because they have no date.
 *
 * Errors: IGT_E_NOT_FOUND (the project, an institute, or no study matches), IGT_E_AMBIGUOUS,
 * IGT_E_INVALID (the selection; "last", which needs a target), IGT_E_SOME_FAILED (entries that
 * matched no study, while others did), IGT_E_LIMIT (newest: too many for memory), those of reading
 * studies_from, of signing in, and of the network. Threads: as an operation; one call per thread.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_selection_each(
    igt_client *client, const igt_study_selection *selection, igt_selected_study_fn fn,
    void *payload, void (*on_message)(void *payload, igt_status status, const char *text),
    igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
