/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_FETCH_INTERNAL_H
#define IGT_TRANSFER_FETCH_INTERNAL_H

/* Shared by fetch.c (a file from plan to end), fetch_small.c (one GET), fetch_ranges.c (a large
 * object in pieces) and fetch_resume.c (how far it has come, for a later run). */

#include <stdatomic.h>

#include "transfer/download/check.h"
#include "transfer/download/fetch.h"
#include "transfer/download/partial.h"

/* One GET up to this size; ranges of this size above it. The existing client's parts are as
 * large, and so are most objects' parts: a range that is one part costs the store one read. */
#define IGT__FETCH_RANGE ((uint64_t)8 * 1024 * 1024)
/* What a range counts for the line (flow.h). */
#define IGT__FETCH_WEIGHT ((uint64_t)512 * 1024)
/* Against a store that answers with other bytes again and again. */
#define IGT__FETCH_RESTARTS 2

typedef struct fetch {
  igt__job job;
  igt__group *group;
  igt__run *run;
  igt__s3_provider *provider;
  igt__root *root;
  char *key, *path, *item_path;
  uint64_t listed_size;
  bool keep_date, only_new;

  /* What the store says; set by the first answer. */
  uint64_t size;   /* as listed, while the store does not state it */
  bool size_known; /* the store stated it */
  char etag[80];
  int64_t last_modified;
  igt__check check;
  bool checking;
  igt__partial partial;
  bool opened; /* its partial file, which may hold something */
  uint64_t moved;
  uint64_t waiting; /* bytes that have no place on the disk yet */

  /* Large files. */
  bool large;   /* ranges are wanted */
  bool busy;    /* its one GET, or the look at the object, is under way */
  bool ready;   /* looked at the object: ranges may be given out */
  bool resumed; /* some ranges are of an earlier run */
  unsigned restarts;
  size_t range_count, next_range;
  /* Of each range its first bytes that are written. Written by its piece alone, on its loop. */
  _Atomic uint32_t *got;
  _Atomic int64_t note_at; /* when the journal is told again */
  bool noted;              /* it may have a row */
  pthread_mutex_t lock;    /* what follows */
  size_t in_flight, missing;
  igt_status status; /* the first failure */
  igt_error *error;  /* and its words; NULL: there was no memory for them */
} fetch;

typedef struct part {
  igt__s3_request req;
  fetch *file;
  uint64_t at; /* where the next byte goes */
  uint64_t first;
  uint64_t counted; /* into the progress */
  size_t range;
  char *held; /* a small file's bytes; NULL: they are written as they come */
} part;

/* ---- fetch.c ---- */

/* The end of f: its item is told, it leaves the scheduler, and is gone. Any thread. */
void igt__fetch_done(fetch *f, const char *digest);
void igt__fetch_failed(fetch *f, igt_status status, const igt_error *err);
/* The scheduler may give it out again: anew, or (ready) its ranges. */
void igt__fetch_come_back(fetch *f, bool ready);
/* n bytes of it have their place on the disk. */
void igt__fetch_take_place(fetch *f, uint64_t n);
/* What an answer says of the object; begins to check. */
igt_status igt__fetch_facts(fetch *f, const igt__s3_request *req, igt_error *err);
/* Whether all of the object is there, as far as anything tells: a digest, or else the list, which
 * has to agree with what came. */
igt_status igt__fetch_settle(fetch *f, char digest[128], igt_error *err);
/* Whether an answer is of the object that f is about: IGT_E_PRECONDITION. */
igt_status igt__fetch_same(const fetch *f, const igt__s3_request *req, igt_error *err);
igt_status igt__fetch_write(fetch *f, const char *data, size_t n, uint64_t at, igt_error *err);
/* What was written gets its name. */
igt_status igt__fetch_commit(fetch *f, igt_error *err);
/* Reads size bytes of fd into check; ends early when the run does. */
igt_status igt__fetch_hash(int fd, uint64_t size, igt__check *check, igt__run *run, igt_error *err);

part *igt__fetch_part_new(fetch *f, igt__s3_op op, igt_error *err);
void igt__fetch_part_free(part *p);
void igt__fetch_part_count(part *p, size_t n); /* into the progress */
void igt__fetch_part_uncount(part *p);         /* all that it had counted */

/* ---- fetch_resume.c ---- */

uint64_t igt__fetch_range_length(const fetch *f, size_t i);
bool igt__fetch_has(const fetch *f, size_t i); /* all of range i */
/* Into ranges, none of which is there yet. Once the object's size is known. */
igt_status igt__fetch_divide(fetch *f, igt_error *err);
/* Whether the journal should be told now. Any thread; cheap. */
bool igt__fetch_is_due(fetch *f);
/* Tells the journal what f->got says. Any thread, without f->lock. */
void igt__fetch_remember(fetch *f);
void igt__fetch_forget(fetch *f); /* before the partial file is emptied, or has its name */
/* Whether an earlier run left something of it. */
bool igt__fetch_was_begun(const fetch *f);
/* Takes over what is there of this object from an earlier run. False: nothing. */
bool igt__fetch_recall(fetch *f);

/* ---- fetch_small.c ---- */

/* Up to here a body is held until it is whole and compared, and then written at once: curl hands it
 * over in pieces of 16 KiB, none of which lies on whole pages. */
#define IGT__FETCH_HELD ((uint64_t)64 * 1024)

void igt__fetch_small(fetch *f);

/* ---- fetch_ranges.c ---- */

/* Looks at the object, and how it can be checked. Blocking. */
igt_status igt__fetch_look(fetch *f, igt_error *err);
/* The task that does so for a file, takes what an earlier run left, and lets ranges be given out.
 */
void igt__fetch_prepare(void *fetch);
void igt__fetch_range(fetch *f, size_t i);
/* The next range that is not there, from `from` on; range_count: none. */
size_t igt__fetch_next(const fetch *f, size_t from);

#endif
