/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FETCH_INTERNAL_H
#define IGT_TRANSFER_FETCH_INTERNAL_H

/* Shared by fetch.c (a file from plan to end), fetch_small.c (one GET), fetch_ranges.c (a large
 * object in ranges) and fetch_resume.c (progress in the journal, for a later run). */

#include <stdatomic.h>

#include "base/root.h"
#include "transfer/download/check.h"
#include "transfer/download/fetch.h"
#include "transfer/download/partial.h"

/* One GET up to this size; ranges of this size above it. The existing client's parts have this
 * size, and so have most objects' parts: a range that matches a part costs the store one read. */
#define IGT__FETCH_RANGE ((uint64_t)8 * 1024 * 1024)
/* The weight of a range for the line (flow.h). */
#define IGT__FETCH_WEIGHT ((uint64_t)512 * 1024)
/* Against a store that keeps responding with different bytes. */
#define IGT__FETCH_RESTARTS 2

typedef struct fetch {
  igt__job job;
  igt__group *group;
  igt__run *run;
  igt__s3_provider *provider;
  igt__root *root;
  char *key, *path, *item_path;
  uint64_t listed_size;
  bool keep_date, only_new, replaces;
  uint64_t replaced_size;
  bool only_asks; /* nothing is downloaded: the caller compares, and may know no size */
  char *expected_etag, *expected_digest; /* of a manifest; NULL: any */

  /* The store's metadata; set by the first response. */
  uint64_t size;   /* as listed, while the store does not state it */
  bool size_known; /* the store stated it */
  char etag[80];
  bool is_weak;
  _Atomic bool weakened; /* a response has the same ETag as a weak one, and no digest would tell */
  int64_t last_modified;
  igt__check check;
  bool checking;
  igt__partial partial;
  bool opened; /* its partial file, which may have content */
  uint64_t moved;
  uint64_t waiting; /* bytes without reserved disk space */

  /* Large files. */
  bool large;   /* ranges are wanted */
  bool busy;    /* its one GET, or the HEAD of the object, is in flight */
  bool ready;   /* the object is known: ranges may be dispatched */
  bool resumed; /* some ranges are from an earlier run */
  bool whole;   /* the object is known, but the store has no ranges: one GET after all */
  unsigned restarts;
  size_t range_count, next_range;
  /* For each range the number of bytes written. Written only by its request, on its loop. */
  _Atomic uint32_t *got;
  _Atomic int64_t note_at; /* next journal update */
  bool noted;              /* the journal may have a row */
  pthread_mutex_t lock;    /* what follows */
  size_t in_flight, missing;
  igt_status status; /* the first failure */
  igt_error *error;  /* with its details; NULL: no memory for them */
} fetch;

typedef struct part {
  igt__s3_request req;
  fetch *file;
  uint64_t at; /* offset of the next byte */
  uint64_t first;
  uint64_t counted; /* into the progress */
  size_t range;
  char *content; /* a small file's bytes; NULL: written as they arrive */
} part;

/* ---- fetch.c ---- */

/* Finishes f: reports its item, removes it from the scheduler and frees it. Any thread. */
void igt__fetch_done(fetch *f, const char *digest);
void igt__fetch_failed(fetch *f, igt_status status, const igt_error *err);
/* Returns it to the scheduler: from the start, or (ready) its ranges. */
void igt__fetch_come_back(fetch *f, bool ready);
/* n bytes of it have disk space reserved. */
void igt__fetch_take_place(fetch *f, uint64_t n);
/* Takes the object's metadata from a response and starts the check. */
igt_status igt__fetch_facts(fetch *f, const igt__s3_request *req, igt_error *err);
/* Whether the object is complete, as far as can be known: by a digest, or else by the list, whose
 * size must match what arrived. */
igt_status igt__fetch_settle(fetch *f, char digest[128], igt_error *err);
/* Whether a response is for f's object; IGT_E_PRECONDITION if not. */
igt_status igt__fetch_same(fetch *f, const igt__s3_request *req, igt_error *err);
igt_status igt__fetch_fail_changing(igt_error *err); /* for good */
igt_status igt__fetch_write(fetch *f, const char *data, size_t n, uint64_t at, igt_error *err);
/* Renames the partial file to its final name. */
igt_status igt__fetch_commit(fetch *f, igt_error *err);
/* Reads size bytes of fd into check; stops early with the run. */
igt_status igt__fetch_hash(int fd, uint64_t size, igt__check *check, igt__run *run, igt_error *err);

part *igt__fetch_part_new(fetch *f, igt__s3_op op, igt_error *err);
void igt__fetch_part_free(part *p);
void igt__fetch_part_count(part *p, size_t n); /* into the progress */
void igt__fetch_part_uncount(part *p);         /* all that it had counted */

/* ---- fetch_resume.c ---- */

uint64_t igt__fetch_range_length(const fetch *f, size_t i);
bool igt__fetch_has(const fetch *f, size_t i); /* all of range i */
/* Divides the file into ranges, all missing. Once the object's size is known. */
igt_status igt__fetch_divide(fetch *f, igt_error *err);
/* Whether the journal should be updated now. Any thread; cheap. */
bool igt__fetch_is_due(fetch *f);
/* Writes f->got to the journal. Any thread, without f->lock. */
void igt__fetch_remember(fetch *f);
void igt__fetch_forget(fetch *f); /* call before the partial file is truncated or renamed */
/* Whether an earlier run left something of it. */
bool igt__fetch_was_begun(const fetch *f);
/* Whether the store has a digest of the whole object, with which the result will be compared. */
bool igt__fetch_is_checkable(const fetch *f);
/* Takes over what an earlier run has fetched of this object. False: nothing. */
bool igt__fetch_recall(fetch *f);

/* ---- fetch_small.c ---- */

/* Up to this size a body is buffered until it is complete and verified, and then written in one
 * call: curl delivers it in chunks of 16 KiB, none of which is page-aligned. */
#define IGT__FETCH_IN_MEMORY ((uint64_t)64 * 1024)

void igt__fetch_small(fetch *f);

/* ---- fetch_ranges.c ---- */

/* Requests the object's metadata and decides how to verify it. Blocking. */
igt_status igt__fetch_look(fetch *f, igt_error *err);
/* The task that does so for a file, takes over what an earlier run left, and makes ranges
 * available. */
void igt__fetch_prepare(void *arg); /* a fetch */
void igt__fetch_range(fetch *f, size_t i);
/* The next missing range, starting at `from`; range_count: none. */
size_t igt__fetch_next(const fetch *f, size_t from);

#endif
