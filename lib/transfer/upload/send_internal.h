/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SEND_INTERNAL_H
#define IGT_TRANSFER_SEND_INTERNAL_H

/* Shared by send.c (a file from plan to end, one PUT) and send_parts.c (multipart). */

#include "transfer/upload/send.h"

/* As the existing client: one PUT below this size, and parts of this size, on a good line. */
#define IGT__SEND_PART ((uint64_t)8 * 1024 * 1024)
/* S3 takes no smaller ones but the last. On a slow line, and as long as it is not known what line
 * it is: a part that is not complete when the line is cut is lost. */
#define IGT__SEND_PART_LEAST ((uint64_t)5 * 1024 * 1024)

typedef struct send_job {
  igt__job job;
  igt__group *group;
  igt__run *run;
  igt__sender *sender;
  igt__s3_provider *provider;
  igt__local local;
  char *path, *key, *item_path;
  char *import_key; /* NULL: it is of no import */
  char import_id[37];
  size_t prefix_len;
  bool complete;
  igt__notification notification; /* of the one PUT */
  int fd;
  uint64_t moved;
  char etag[80], digest[128];

  bool large;
  uint64_t part_size;
  unsigned part_count;
  char *upload_id;
  igt__s3_part *parts; /* size 0: not stored; and number 0: nor in flight */
  bool whole;          /* an earlier run completed it */
  bool other_inode;    /* than the run that began it saw: its content is compared */
  bool held;           /* igt__journal_hold_upload */
  unsigned restarts;
  pthread_mutex_t lock; /* what follows, and parts */
  bool busy, ready;
  unsigned next_part, in_flight, missing; /* next_part from 0; in_flight: or waits for its retry */
  unsigned tries;                         /* since the last part was stored */
  int64_t progress_at, failed_at;         /* of the last part, or the beginning; the last try */
  igt_status status;                      /* the first failure */
  igt_error *error;                       /* and its words; NULL: there was no memory for them */
} send_job;

typedef struct send_part {
  igt__s3_request req;
  send_job *s;
  unsigned part; /* from 0 */
  uint64_t counted;
  int64_t began_us;
  char *held; /* a small file's bytes; NULL: they are read as they go */
} send_part;

/* ---- send.c ---- */

/* The end of s: its item is told, it leaves the scheduler, and is gone. err may be bettered. Any
 * thread. */
void igt__send_failed(send_job *s, igt_status status, igt_error *err);
/* The store has all of it: the cloud is told, then it is done. */
void igt__send_stored(send_job *s);
send_part *igt__send_part_new(send_job *s, igt__s3_op op, igt_error *err);
void igt__send_part_free(send_part *p);
/* The body: n bytes of the file from this offset, with the digests that the store needs. */
igt_status igt__send_set_body(send_part *p, uint64_t at, uint64_t n, igt_error *err);
/* What it moved stays in the progress (good) or is taken back. */
void igt__send_settle_count(send_part *p, bool good, uint64_t size);
/* The file, unchanged since it was planned. */
igt_status igt__send_open(send_job *s, igt_error *err);

/* A PUT that broke off may be given out again, or ends with the run. */
void igt__send_put_back(send_job *s, bool stopping);

/* ---- send_again.c ---- */

/* The piece has failed. True: the scheduler gets it again after a while (igt__send_part_back,
 * igt__send_put_back). False: err stands, and says how often it was tried. */
bool igt__send_again(const send_part *p, igt_error *err);
/* Something was stored. Under s->lock. */
void igt__send_progress(send_job *s);

/* ---- send_parts.c ---- */

void igt__send_part(send_job *s, unsigned i);
void igt__send_part_back(send_job *s, unsigned i, bool stopping);
/* An earlier run began to send this file in parts. */
bool igt__send_has_parts(const send_job *s);
/* The task that takes an upload up again or begins it, and lets parts be given out. */
void igt__send_prepare(void *send_job);

#endif
