/* SPDX-License-Identifier: MIT */
/* Resumes a download after a kill. A running download records in the journal, some times a second,
 * how far each range has come (with the object's ETag), and a later run continues from there: only
 * bytes that were written before they were recorded count, and the whole file is still read and
 * compared at the end. A file that arrives within a second leaves no row. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/root.h"
#include "base/str.h"
#include "transfer/download/fetch_internal.h"

/* How often the journal is updated while a file grows. A commit follows within a tenth of a second:
 * a kill costs what arrived in both periods. */
#define NOTE_US 250000
/* The first update: most small files are complete by then and cost the journal nothing. */
#define FIRST_NOTE_US 500000
/* A stopped process, or a clock that was set in between. */
#define NOTE_SLACK_S 10

uint64_t igt__fetch_range_length(const fetch *f, size_t i) {
  uint64_t first = (uint64_t)i * IGT__FETCH_RANGE;

  return f->size - first < IGT__FETCH_RANGE ? f->size - first : IGT__FETCH_RANGE;
}

bool igt__fetch_has(const fetch *f, size_t i) {
  return f->got && f->got[i] == igt__fetch_range_length(f, i);
}

igt_status igt__fetch_divide(fetch *f, igt_error *err) {
  f->range_count = (size_t)((f->size + IGT__FETCH_RANGE - 1) / IGT__FETCH_RANGE);
  igt__free(f->got);
  f->got = igt__calloc(f->range_count + 1, sizeof *f->got);
  return f->got ? IGT_OK : igt__fail_memory(err);
}

static void put_local(const fetch *f, char *out, size_t cap) {
  (void)snprintf(out, cap, "%s/%s", igt__root_path(f->root), f->path);
}

/* ---- writing ---- */

/* Fills in the ranges' state in the journal's form; false: no memory. */
static bool describe(const fetch *f, igt__journal_download *out) {
  out->range_count = f->range_count;
  out->ranges = igt__calloc(f->range_count / 8 + 1, 1);
  out->begun = igt__malloc((f->range_count + 1) * sizeof *out->begun);
  for (size_t i = 0; out->ranges && out->begun && i < f->range_count; i++) {
    uint32_t got = f->got[i];
    if (got == igt__fetch_range_length(f, i))
      out->ranges[i / 8] |= (unsigned char)(1u << (i % 8));
    else if (got)
      out->begun[out->begun_count++] = (igt__journal_begun){(uint32_t)i, got};
  }
  return out->ranges && out->begun;
}

void igt__fetch_remember(fetch *f) {
  char local[IGT__OS_PATH_MAX + 4096];
  igt__journal_download now = {.size = f->size, .range_size = IGT__FETCH_RANGE};

  /* A partial file under another name is never found again, and its row would be taken for the
   * usual one's. */
  if (!f->run->journal || !*f->etag || !f->got || f->partial.fd < 0 || f->partial.salted)
    return;
  igt__str_copy(now.etag, sizeof now.etag, f->etag);
  igt__str_copy(now.boot, sizeof now.boot, f->run->boot);
  now.doubt = f->run->doubt;
  put_local(f, local, sizeof local);
  pthread_mutex_lock(&f->lock);
  if (describe(f, &now)) {
    f->noted = true;
    igt__journal_put_download(f->run->journal, local, f->key, &now);
  }
  pthread_mutex_unlock(&f->lock);
  igt__free(now.ranges);
  igt__free(now.begun);
}

bool igt__fetch_is_due(fetch *f) {
  int64_t now = igt__mono_us(), due = f->note_at;

  if (due == 0) {
    f->note_at = now + FIRST_NOTE_US;
    return false;
  }
  /* Whichever request of it gets here first, on any loop, writes the update. */
  return now >= due && atomic_compare_exchange_strong(&f->note_at, &due, now + NOTE_US);
}

/* A row of another object with the same local path is removed, too: it would claim these bytes. */
void igt__fetch_forget(fetch *f) {
  char local[IGT__OS_PATH_MAX + 4096];

  if (f->partial.salted ||
      (!f->noted && !(f->partial.existed && igt__journal_has_downloads(f->run->journal))))
    return;
  put_local(f, local, sizeof local);
  igt__journal_drop_download(f->run->journal, local);
  f->noted = false;
}

/* ---- reading ---- */

static bool find(const fetch *f, igt__journal_download *old) {
  char local[IGT__OS_PATH_MAX + 4096];

  if (!igt__journal_has_downloads(f->run->journal))
    return false;
  put_local(f, local, sizeof local);
  return igt__journal_find_download(f->run->journal, local, f->key, old);
}

bool igt__fetch_was_begun(const fetch *f) {
  igt__journal_download old;
  bool found = find(f, &old);

  if (found) {
    igt__free(old.ranges);
    igt__free(old.begun);
  }
  return found;
}

/* Only up to the file's length: it may have been truncated. */
static void take_range(fetch *f, size_t i, uint64_t bytes, uint64_t reach) {
  uint64_t first = (uint64_t)i * IGT__FETCH_RANGE;

  if (bytes > igt__fetch_range_length(f, i))
    return;
  if (first + bytes > reach)
    bytes = first < reach ? reach - first : 0;
  f->got[i] = (uint32_t)bytes;
}

static void take(fetch *f, const igt__journal_download *old, uint64_t reach) {
  for (size_t i = 0; i < f->range_count; i++)
    if (old->ranges[i / 8] >> (i % 8) & 1)
      take_range(f, i, igt__fetch_range_length(f, i), reach);
  for (size_t i = 0; i < old->begun_count; i++)
    take_range(f, old->begun[i].range, old->begun[i].bytes, reach);
}

/* Whether a loss of power may have destroyed bytes that the row claims: bytes written during this
 * boot, or synced since, are intact, unless a run of another boot was left open in between. */
static bool is_on_disk(const fetch *f, const igt__journal_download *old) {
  const char *boot = f->run->boot;

  return (!*old->boot || (strcmp(boot, "?") != 0 && strcmp(old->boot, boot) == 0)) &&
         old->doubt == f->run->doubt;
}

bool igt__fetch_is_checkable(const fetch *f) {
  return f->check.known && !f->check.guessed;
}

/* Whether nothing but the run that wrote the row has written to the partial file: the last bytes of
 * a killed run follow its last row within a second. */
static bool is_untouched(const igt__journal_download *old, const igt__stat *st) {
  return (int64_t)st->st_ctim.tv_sec <= old->noted + NOTE_SLACK_S;
}

/* Bytes of any origin are acceptable if the whole file is compared with a digest at the end. */
static bool may_use(const fetch *f, const igt__journal_download *old, const igt__stat *st) {
  return igt__fetch_is_checkable(f) || (is_on_disk(f, old) && is_untouched(old, st));
}

bool igt__fetch_recall(fetch *f) {
  igt__journal_download old;
  igt__stat st;
  bool same;

  if (f->restarts || !find(f, &old))
    return false;
  f->noted = true;
  same = f->partial.existed && !f->partial.salted && igt__os_fstat(f->partial.fd, &st) == 0 &&
         old.size == f->size && old.range_size == IGT__FETCH_RANGE &&
         old.range_count == f->range_count && *f->etag && strcmp(old.etag, f->etag) == 0 &&
         may_use(f, &old, &st);
  if (same)
    take(f, &old, (uint64_t)st.st_size);
  igt__free(old.ranges);
  igt__free(old.begun);
  return same;
}
