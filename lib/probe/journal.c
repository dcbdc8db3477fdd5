/* SPDX-License-Identifier: MIT */
#include "journal/journal.h"
#include "base/sized.h"
#include "igtcloud/probe.h"

#define LIMIT_MS 10000

igt_status igt_probe_journal(const char *path, unsigned limit_ms, igt_journal_info *out,
                             igt_error *err) {
  igt_journal_info own = IGT_JOURNAL_INFO_INIT;
  igt_status status = igt__result_check(out, "igt_journal_info", err);

  igt__error_clear(err);
  if (status != IGT_OK)
    return status;
  status = igt__journal_inspect(path, limit_ms ? limit_ms : LIMIT_MS, &own, err);
  igt__result_write(out, &own, sizeof own);
  return status;
}

IGT__DEFINE_INIT(igt_journal_info)
