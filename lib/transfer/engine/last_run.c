/* SPDX-License-Identifier: MIT */
/* Remembers complete runs for modified_since "last". A run's row in the journal is named by a
 * digest of everything that decides what it covers, and has the time at which it began, a little
 * earlier: what changed while it listed, or was not visible yet, is then listed once more. Runs
 * that cover less (a limit, a later start) leave the row as it is. Called by download, upload,
 * verify and csv.
 */
#include "transfer/engine/last_run.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "crypto/crypto.h"

/* A record may become visible some time after its date, and clocks are read in whole seconds. */
#define SLACK_S 10

static bool digest_source(igt__last_run *last, const igt__selection *selection, const char *kind,
                          const char *origin, const char *scope) {
  unsigned char digest[32];
  igt__buf text;
  bool good;

  igt__buf_init(&text, IGT__SCOPE_MAX);
  igt__buf_printf(&text, "%s\n%s\n%s\n", kind, origin, scope);
  good = igt__selection_describe(selection, &text);
  if (good) {
    igt__digest_of(IGT__SHA256, text.data, text.len, digest);
    igt__hex(digest, sizeof digest, last->source);
  }
  igt__buf_finish(&text);
  return good;
}

igt_status igt__last_run_begin(igt__last_run *last, igt__journal *journal, igt__selection *s,
                               const char *kind, const char *origin, const char *target,
                               const char *scope, int64_t began, bool *first, igt_error *err) {
  int64_t before = INT64_MIN;

  *first = false;
  if (!journal)
    return s->since_last ? igt__fail(err, IGT_E_INVALID,
                                     "--modified-since last requires the journal, which has the "
                                     "last complete run")
                         : IGT_OK;
  last->journal = journal;
  last->began = began - SLACK_S;
  last->target = igt__strdup(target);
  if (!last->target || !digest_source(last, s, kind, origin, scope))
    return igt__fail_memory(err);
  *first = !igt__journal_find_complete(journal, target, last->source, &before) && s->since_last;
  if (s->since_last)
    s->since = before;
  last->covers = s->options.limit == 0 && s->since <= before;
  return IGT_OK;
}

void igt__last_run_end(igt__last_run *last, bool complete) {
  if (last->journal && last->covers && complete)
    igt__journal_put_complete(last->journal, last->target, last->source, last->began);
  igt__free(last->target);
  memset(last, 0, sizeof *last);
}

/* ---- of a run ---- */

static void put_list(igt__buf *out, const char *what, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    igt__buf_printf(out, "%s=%s\n", what, list[i]);
}

static void describe_filters(const igt_filters *f, igt__buf *out) {
  put_list(out, "include", f->include, f->include_count);
  put_list(out, "exclude", f->exclude, f->exclude_count);
  put_list(out, "rule", f->rules, f->rule_count);
  put_list(out, "name", f->names, f->name_count);
  igt__buf_printf(out, "%d %" PRIu64 " %d %" PRIu64 " %" PRId64 " %" PRId64 "\n", f->names != NULL,
                  f->min_size, f->has_max_size, f->max_size, f->min_age, f->max_age);
}

bool igt__run_describe(const igt_transfer_options *o, unsigned categories, igt__buf *out) {
  put_list(out, "include", o->include, o->include_count);
  put_list(out, "exclude", o->exclude, o->exclude_count);
  if (o->filters)
    describe_filters(o->filters, out);
  return igt__buf_printf(out, "%u %u/%u %d\n", categories, o->shard, o->shards, (int)o->structure);
}

/* A dry run has no journal of its own, and only looks the time up. */
static igt_status open_journal(const igt__run *run, const igt__selection *selection,
                               igt__journal **out, igt_error *err) {
  bool aside;

  *out = run->journal;
  if (run->journal || !run->options.dry_run || run->options.no_journal || !selection->since_last)
    return IGT_OK;
  return igt__journal_open(run->options.journal, run->cancel, out, &aside, err);
}

igt_status igt__run_last_begin(igt__run *run, igt__last_run *last, igt__selection *selection,
                               const char *kind, const char *target, unsigned categories,
                               int64_t began, igt_error *err) {
  igt__journal *journal;
  igt__buf scope;
  bool first = false;
  igt_status status = open_journal(run, selection, &journal, err);

  igt__buf_init(&scope, IGT__SCOPE_MAX);
  if (status == IGT_OK && !igt__run_describe(&run->options, categories, &scope))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = igt__last_run_begin(last, journal, selection, kind, run->origin, target, scope.data,
                                 began, &first, err);
  igt__buf_finish(&scope);
  if (run->options.filters && run->options.filters->min_age > 0)
    last->covers = false; /* what was too young has to be looked at again */
  if (journal != run->journal) {
    igt__journal_close(journal);
    last->journal = NULL;
  }
  if (first)
    igt__run_message(run, IGT_OK, "%s", IGT__NO_LAST_RUN);
  return status;
}

void igt__run_last_end(const igt__run *run, igt__last_run *last, igt_status status,
                       const igt_transfer_summary *summary) {
  igt__last_run_end(last, status == IGT_OK && !run->options.dry_run &&
                              summary->files_incomplete == 0 && summary->files_young == 0);
}
