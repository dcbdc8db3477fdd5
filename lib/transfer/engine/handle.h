/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_HANDLE_H
#define IGT_TRANSFER_HANDLE_H

/* An igt_transfer: a job on a thread of its own, and how its reports reach the program's thread,
 * which takes them with igt_transfer_dispatch.
 *
 *    job's thread                                     program's thread
 *    items, messages -- igt__transfer_push_all -->    queue   -- on_item, on_message
 *    progress --------- igt__transfer_progress -->    latest  -- on_progress
 *    content ---------- igt__transfer_write ----->    write   -- the job waits for its status
 *
 * The queue is bounded: a job whose events nobody asks for waits in igt__transfer_wait_space. */

#include "base/arena.h"
#include "igtcloud/transfer.h"
#include "transfer/engine/progress.h"

struct igt__event;

/* The job of a transfer. run is called on the job's thread, once; release frees the job, after run
 * or without it. Summaries are filled in by run: see igt__transfer_summary. */
typedef struct igt__transfer_kind {
  igt_status (*run)(igt_transfer *transfer, void *job, igt_error *err);
  void (*release)(void *job);
} igt__transfer_kind;

/* Takes over the job, also after an error. Copies the callbacks. */
igt_status igt__transfer_new(igt_client *client, const igt_transfer_callbacks *callbacks,
                             const igt__transfer_kind *kind, void *job, igt_transfer **out,
                             igt_error *err);
/* Options outlive the call that passes them: a copy of a string that lives as long as the transfer;
 * NULL for NULL. Without memory igt__transfer_start fails. */
const char *igt__transfer_keep(igt_transfer *transfer, const char *text);
/* The same for a list of strings. */
void igt__transfer_keep_list(igt_transfer *transfer, const char *const **list, size_t count);
/* The same for the strings of options. */
void igt__transfer_keep_shared(igt_transfer *transfer, igt_transfer_options *options);
/* The same for filters, which are the transfer's own copy. */
void igt__transfer_keep_filters(igt_transfer *transfer, igt_filters *filters);
/* A password: wiped with the transfer. */
const char *igt__transfer_keep_secret(igt_transfer *transfer, const char *text);

/* Starts the job's thread, or frees the transfer and sets *out to NULL. */
igt_status igt__transfer_start(igt_transfer **out, igt_error *err);
/* What a blocking call is: signs in on this thread, so that prompts come on it, starts, delivers
 * until the end, and frees. Either summary may be NULL. */
igt_status igt__transfer_run(igt_transfer *transfer, igt_transfer_summary *summary,
                             igt_csv_summary *csv, igt_error *err);

/* A public function such as igt_download: how a job is made from its options. */
typedef struct igt__transfer_call {
  igt__transfer_kind kind;
  size_t job_size;
  /* Reads and checks the options into a job of zeros. kind.release follows after an error, too. */
  igt_status (*read)(void *job, const void *options, igt_error *err);
  /* Replaces the strings that the job needs after the call by copies. May be NULL. */
  void (*keep)(igt_transfer *transfer, void *job);
} igt__transfer_call;

/* Its form that returns a handle, and its form that blocks. summary: checked and emptied first; or
 * csv, which the caller has checked; NULL: not wanted. */
igt_status igt__transfer_call_start(const igt__transfer_call *call, igt_client *client,
                                    const void *options, const igt_transfer_callbacks *callbacks,
                                    igt_transfer **out, igt_error *err);
igt_status igt__transfer_call_run(const igt__transfer_call *call, igt_client *client,
                                  const void *options, const igt_transfer_callbacks *callbacks,
                                  igt_transfer_summary *summary, igt_csv_summary *csv,
                                  igt_error *err);

/* ---- on the job's thread ---- */

/* A view with a cancel flag of its own. */
igt_client *igt__transfer_client(const igt_transfer *transfer);
/* To see which are set; they are called by igt_transfer_dispatch only. */
const igt_transfer_callbacks *igt__transfer_callbacks(const igt_transfer *transfer);
igt_transfer_summary *igt__transfer_summary(igt_transfer *transfer);
igt_csv_summary *igt__transfer_csv_summary(igt_transfer *transfer);

/* Space for more events; else waits for some, at most ms. */
bool igt__transfer_wait_space(igt_transfer *transfer, unsigned ms);
/* Queues a list of events (linked by next, last points behind the last), and makes the descriptor
 * readable. Takes them over. */
void igt__transfer_push_all(igt_transfer *transfer, struct igt__event *first,
                            struct igt__event **last, size_t count);
/* One of them; waits for space. */
void igt__transfer_push(igt_transfer *transfer, struct igt__event *event);
/* Replaces an earlier one that was not delivered yet; copied. */
void igt__transfer_progress(igt_transfer *transfer, const igt__snapshot *snapshot);
/* Calls write on the program's thread and waits for what it returns. IGT_E_CANCELLED: the transfer
 * is being freed. igt_write_fd is called here: it belongs to no thread. */
igt_status igt__transfer_write(igt_transfer *transfer, igt_write_fn write, void *payload,
                               const void *data, size_t n);

#endif
