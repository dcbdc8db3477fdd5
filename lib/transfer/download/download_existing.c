/* SPDX-License-Identifier: MIT */
/* Compares a file of the cloud's list with the local file of its name, to skip those that are up to
 * date: by size and the journal, by content if the journal cannot say (--checksum, a crash, a
 * changed date), or by the digest of a manifest. Called by download_file.c for each file. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "transfer/download/download_plan.h"
#include "transfer/engine/digest.h"

typedef igt__download_plan plan;

static igt_status compare(plan *p, const igt__fetch_file *file, bool *same,
                          igt__journal_file *known, igt_error *err) {
  igt__comparison found;
  int fd;
  igt_status status = igt__root_open_file(p->d->root, file->path, O_RDONLY, 0, false, &fd, err);

  if (status != IGT_OK)
    return status;
  status = igt__fetch_compare(file, fd, &found, err);
  igt__os_close(fd);
  *same = status == IGT_OK && found.same;
  (void)snprintf(known->digest, sizeof known->digest, "%s", found.digest);
  (void)snprintf(known->verified, sizeof known->verified, "%s", found.verified);
  return status;
}

/* Whether a file that was written to since its transfer still has the same content. Without a
 * digest in the journal this is unknown, and only its size counts. */
static bool has_still(const igt__run *run, const igt__local *local, const char *digest) {
  igt_error err = IGT_ERROR_INIT;
  bool same;
  igt_status status = igt__digest_compare(local, digest, run->cancel, &same, &err);

  return status == IGT_E_INVALID || (status == IGT_OK && same);
}

/* Tools that correct files in place often restore their date; the change time cannot be set. */
static bool is_written_since(const igt__journal_file *known, const igt__local *local) {
  return known->mtime_ns != local->mtime_ns ||
         (known->ctime_ns && known->ctime_ns != local->ctime_ns);
}

/* How it was verified when it was fetched, if it is still the same file. False: it has changed. */
static bool recall(plan *p, const igt__fetch_file *file, const igt__stat *st,
                   igt__journal_file *known) {
  igt__run *run = &p->d->run;
  char *path = run->journal ? igt__path_join(igt__root_path(p->d->root), file->path) : NULL;
  igt__local local = {.path = path, .root = p->d->root};
  bool same = true;

  igt__local_take(&local, st);
  if (!path || !igt__journal_find_file(run->journal, run->origin, file->key, path, known) ||
      known->size != local.size) {
    memset(known, 0, sizeof *known);
  } else if (is_written_since(known, &local)) {
    same = has_still(run, &local, known->digest);
    known->mtime_ns = local.mtime_ns;
    known->ctime_ns = local.ctime_ns;
    known->inode = local.inode;
    if (same && *known->digest)
      igt__journal_put_file(run->journal, run->origin, file->key, path, known);
  }
  igt__free(path);
  return same;
}

/* A local file whose size differs from the list may have the object's size: an earlier run then
 * reported it. The store is queried if the journal remembers that; without a journal, always. */
static bool is_of_stored_size(const plan *p, igt__fetch_file *file, const igt__stat *st) {
  const igt__run *run = &p->d->run;
  char *path = run->journal ? igt__path_join(igt__root_path(p->d->root), file->path) : NULL;
  uint64_t here = (uint64_t)st->st_size;
  igt__stored stored;
  igt__journal_file known;
  bool same = !run->journal ||
              (path && igt__journal_find_file(run->journal, run->origin, file->key, path, &known) &&
               known.size == here);

  igt__free(path);
  same = same && igt__fetch_stored(file, &stored, NULL) == IGT_OK && stored.size_known &&
         stored.size == here;
  if (same)
    file->size = here;
  return same;
}

/* With a manifest: whether the local file is the one that it names. Nothing is requested if the
 * manifest has a digest. */
static igt_status is_as_listed(plan *p, const igt__fetch_file *file, const igt__stat *st,
                               bool *same, igt__journal_file *known, igt_error *err) {
  igt__run *run = &p->d->run;
  char *path = igt__path_join(igt__root_path(p->d->root), file->path);
  igt__local local = {.path = path, .root = p->d->root};
  bool recalled;
  igt_status status = IGT_OK;

  if (!path)
    return igt__fail_memory(err);
  igt__local_take(&local, st);
  recalled = run->journal && *file->etag && !run->options.checksum &&
             !igt__durable_doubts(&p->d->durable, st) &&
             igt__journal_find_file(run->journal, run->origin, file->key, path, known) &&
             known->size == local.size && !is_written_since(known, &local) &&
             strcmp(known->etag, file->etag) == 0;
  if (recalled) {
    *same = true;
  } else if (*file->digest) {
    status = igt__digest_compare(&local, file->digest, run->cancel, same, err);
    (void)snprintf(known->digest, sizeof known->digest, "%s", *same ? file->digest : "");
    (void)snprintf(known->verified, sizeof known->verified, "%s", *same ? "manifest" : "");
  } else {
    status = compare(p, file, same, known, err);
  }
  igt__free(path);
  return status;
}

/* Without a record, --checksum is how one verifies after a failed sync (durable.c). */
static bool is_from_disk(const plan *p, const igt__stat *st) {
  const igt__durable *durable = &p->d->durable;

  return igt__durable_doubts(durable, st) || (p->d->run.options.checksum && !*durable->boot);
}

/* After a failed write, the pages in memory may be right although the disk has others: what is
 * verified must come from the disk. */
static void read_from_disk(plan *p, const igt__fetch_file *file) {
  int fd;

  if (igt__root_open_file(p->d->root, file->path, O_RDONLY, 0, false, &fd, NULL) != IGT_OK)
    return;
  igt__os_drop_cached(fd);
  igt__os_close(fd);
}

igt_status igt__download_is_there(plan *p, igt__fetch_file *file, bool *there,
                                  igt__journal_file *known, igt_error *err) {
  igt__stat st;
  igt_status status;

  *there = false;
  memset(known, 0, sizeof *known);
  if (!p->d->root)
    return IGT_OK;
  if (p->case_names && (status = igt__case_names_claim(p->case_names, file->path, err)) != IGT_OK)
    return status == IGT_E_NO_MEMORY ? igt__list_fail(&p->lists, "files", IGT__LIST_FILES, err)
                                     : status;
  /* Most files are new. To write down that one is missing takes longer than all else here. */
  status = igt__root_stat(p->d->root, file->path, &st, NULL);
  if (status != IGT_OK && status != IGT_E_NO_FILE)
    status = igt__root_stat(p->d->root, file->path, &st, err);
  if (status == IGT_E_NO_FILE) {
    file->only_new = p->case_names != NULL;
    return IGT_OK;
  }
  if (status != IGT_OK)
    return status;
  if (S_ISDIR(st.st_mode))
    return igt__fail(err, IGT_E_COLLISION, "a folder has the file's name");
  file->replaces = true;
  file->replaced_size = (uint64_t)st.st_size;
  if (S_ISREG(st.st_mode) && is_from_disk(p, &st))
    read_from_disk(p, file);
  if (file->etag && !p->d->run.options.overwrite && S_ISREG(st.st_mode))
    return (uint64_t)st.st_size == file->size ? is_as_listed(p, file, &st, there, known, err)
                                              : IGT_OK;
  if (p->d->run.options.overwrite || !S_ISREG(st.st_mode) ||
      ((uint64_t)st.st_size != file->size && !is_of_stored_size(p, file, &st)))
    return IGT_OK;
  if (p->d->run.options.checksum || igt__durable_doubts(&p->d->durable, &st))
    return compare(p, file, there, known, err);
  *there = recall(p, file, &st, known);
  return IGT_OK;
}
