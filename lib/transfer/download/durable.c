/* SPDX-License-Identifier: MIT */
/* Protects downloads from a loss of power. At the start of a run its row in the journal is synced,
 * with this boot's id; at the end one syncfs covers all files, and the row is removed. A row left
 * by another boot, or by a run whose syncfs failed, says since when files may have the right size
 * but the wrong content. Called by download.c, and igt__durable_sync by single.c. */
#include "transfer/download/durable.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/root.h"
#include "base/str.h"
#include "crypto/crypto.h"
#include "journal/journal.h"
#include "transfer/engine/last_run.h"

#define SYNCING "syncing" /* no boot has this id */
#define CLOCK_SLACK_S 60  /* the clock may have been set in between */

/* A digest of what the options select, which may be a long list of patients: the same command gives
 * the same one. NULL: no memory. */
static char *describe(const igt__run *run, const igt_download_options *o,
                      const igt__selection *selection) {
  char hex[2 * 32 + 1], *scope = NULL;
  unsigned char digest[32];
  igt__buf text;

  igt__buf_init(&text, IGT__SCOPE_MAX);
  igt__buf_printf(&text, "%s\n", run->origin);
  if (igt__selection_describe(selection, &text) &&
      igt__run_describe(o->transfer, o->categories, &text) &&
      igt__buf_printf(&text, "%d %" PRId64 " %" PRIu64 "%d", o->project_files, selection->since,
                      selection->options.limit, selection->options.newest)) {
    igt__digest_of(IGT__SHA256, text.data, text.len, digest);
    igt__hex(digest, sizeof digest, hex);
    scope = igt__strdup(hex);
  }
  igt__buf_finish(&text);
  return scope;
}

static igt__journal_run row(const igt__durable *durable) {
  return (igt__journal_run){durable->target, durable->scope, durable->boot};
}

void igt__durable_begin(igt__durable *durable, igt__run *run, const igt_download_options *options,
                        const igt__selection *selection, const char *target) {
  igt__journal_run mine;

  if (!run->journal || options->transfer->dry_run)
    return;
  durable->target = igt__strdup(target);
  durable->scope = describe(run, options, selection);
  if (durable->target && durable->scope)
    igt__str_copy(durable->boot, sizeof durable->boot, strcmp(run->boot, "?") ? run->boot : "");
  if (!*durable->boot)
    return;
  mine = row(durable);
  durable->doubt = run->doubt = igt__journal_begin_run(run->journal, &mine);
  if (durable->doubt)
    igt__run_message(
        run, IGT_OK,
        "an earlier run ended in a crash, a power loss or a disk error: its files are verified by "
        "content");
}

bool igt__durable_doubts(const igt__durable *durable, const igt__stat *st) {
  return durable->doubt && (int64_t)st->st_ctim.tv_sec >= durable->doubt - CLOCK_SLACK_S;
}

bool igt__durable_is_refused(int os_error) {
  return os_error == EINVAL || os_error == ENOSYS || os_error == EOPNOTSUPP || os_error == EPERM ||
         os_error == EACCES || os_error == ENOTTY;
}

/* result: of the sync, with errno. */
static igt_status check_sync(igt__run *run, int result, const char *target, igt_error *err) {
  if (result == 0)
    return IGT_OK;
  if (!igt__durable_is_refused(errno))
    return igt__fail_errno(err, errno, "files written below %s did not reach the disk", target);
  igt__run_message(run, IGT_OK,
                   "the file system of '%s' cannot confirm that files have reached the disk (%s): "
                   "if the machine loses power soon, run the same command again",
                   target, strerror(errno));
  igt__run_deliver(run); /* the run itself has finished */
  return IGT_OK;
}

igt_status igt__durable_sync(igt__run *run, igt__root *root, igt__sync_group *group,
                             igt_error *err) {
  int result = igt__sync_group_run(group, igt__root_fd(root));

  return check_sync(run, result, igt__root_path(root), err);
}

/* *synced: it is known to be on the disk. */
static igt_status sync_target(igt__run *run, igt__root *root, const char *target, bool *synced,
                              igt_error *err) {
  int result = root ? igt__os_sync_all(igt__root_fd(root)) : 0;

  *synced = result == 0;
  return check_sync(run, result, target, err);
}

/* status: whether all of the run is correct. */
static void end_run(const igt__durable *durable, igt__run *run, igt_status status, bool lost,
                    bool on_disk) {
  igt__journal_run mine = row(durable);

  if (lost)
    igt__journal_lose_run(run->journal, &mine);
  else if (on_disk)
    igt__journal_end_run(run->journal, &mine, status == IGT_OK);
}

igt_status igt__durable_end(igt__durable *durable, igt__run *run, igt__root *root,
                            igt_status status, igt_error *err) {
  const char *target = root ? igt__root_path(root) : "";
  igt_error lost = IGT_ERROR_INIT;
  bool on_disk = true;
  igt_status synced = IGT_OK;

  /* Files that others write from now on carry the boot's own mark again. */
  if (root && *durable->boot)
    igt__journal_mark_downloads(run->journal, target, run->boot, SYNCING);
  if (!run->options.dry_run)
    synced = sync_target(run, root, target, &on_disk, &lost);
  if (root && *durable->boot && synced == IGT_OK && on_disk)
    igt__journal_mark_downloads(run->journal, target, SYNCING, "");
  if (*durable->boot)
    end_run(durable, run, status, synced != IGT_OK, on_disk);
  igt__free(durable->target);
  igt__free(durable->scope);
  if (synced == IGT_OK)
    return status;
  if (!*durable->boot)
    igt__error_append(&lost, "; no journal remembers which of them to verify: run the same command "
                             "again with --checksum");
  if (err)
    igt__error_copy(err, &lost);
  return synced;
}
