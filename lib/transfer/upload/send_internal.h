/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SEND_INTERNAL_H
#define IGT_TRANSFER_SEND_INTERNAL_H

/* Shared by send.c (a file from plan to end, one PUT), send_parts.c (multipart) and send_retry.c.
 */

#include "transfer/upload/send.h"

/* Like the existing client: one PUT below this size, and parts of this size, on a good line. */
#define IGT__SEND_PART ((uint64_t)8 * 1024 * 1024)
/* S3 accepts smaller parts only at the end. Used on a slow line, and while its speed is unknown: a
 * part that is incomplete when the line breaks is lost. */
#define IGT__SEND_PART_LEAST ((uint64_t)5 * 1024 * 1024)

typedef struct send_job {
  igt__job job;
  igt__group *group;
  igt__run *run;
  igt__sender *sender;
  igt__s3_provider *provider;
  igt__local local;
  char *path, *key, *item_path;
  char *import_key; /* NULL: not an import */
  char import_id[37];
  size_t prefix_len;
  bool complete, replaces;
  uint64_t replaced_size;
  igt__notification notification; /* of the single PUT */
  int fd;
  bool young; /* when it was opened: igt__local_is_young */
  uint64_t moved;
  char etag[80], digest[128];

  bool large;
  uint64_t part_size;
  unsigned part_count;
  char *upload_id;
  igt__s3_part *parts; /* size 0: not stored; number 0 as well: not in flight */
  unsigned before;     /* parts that were stored when the run began */
  int64_t listed_at;   /* the parts, when the upload was resumed */
  bool *late;          /* by part: in flight when the last run ended; NULL: none */
  bool whole;          /* an earlier run completed it */
  bool claim;          /* igt__journal_hold_upload */
  unsigned restarts;
  pthread_mutex_t lock; /* guards what follows, and parts */
  bool busy, ready;
  unsigned next_part, in_flight, missing; /* next_part from 0; in_flight: or waits for its retry */
  unsigned tries;                         /* since the last part was stored */
  int64_t progress_at, failed_at;         /* of the last part, or the start; of the last attempt */
  igt_status status;                      /* the first failure */
  igt_error *error;                       /* with its details; NULL: no memory for them */
} send_job;

typedef struct send_part {
  igt__s3_request req;
  send_job *s;
  unsigned part; /* from 0 */
  uint64_t counted;
  int64_t began_us;
  char *content; /* a small file's bytes; NULL: read while sending */
} send_part;

/* ---- send.c ---- */

/* Reports the item, removes s from the scheduler and frees it. May replace err by a better one. Any
 * thread. */
void igt__send_failed(send_job *s, igt_status status, igt_error *err);
/* The store has all of it: notifies the cloud, then finishes. */
void igt__send_stored(send_job *s);
send_part *igt__send_part_new(send_job *s, igt__s3_op op, igt_error *err);
void igt__send_part_free(send_part *p);
/* Sets the body: n bytes of the file from this offset, with the digests that the store needs. */
igt_status igt__send_set_body(send_part *p, uint64_t at, uint64_t n, igt_error *err);
/* Keeps its moved bytes in the progress (good) or subtracts them. */
void igt__send_settle_count(send_part *p, bool good, uint64_t size);
/* Opens the file; it must be unchanged since it was planned. */
igt_status igt__send_open(send_job *s, igt_error *err);
/* IGT_E_CHANGED unless the file still has what was sent. Reads it again if its times leave a doubt:
 * not on a loop's thread. */
igt_status igt__send_settle_content(send_job *s, igt_error *err);

/* Returns a broken PUT to the scheduler, or ends it with the run. */
void igt__send_put_back(send_job *s, bool stopping);

/* ---- send_retry.c ---- */

/* The part has failed. True: it returns to the scheduler after a while (igt__send_part_back,
 * igt__send_put_back). False: err is final and says how often it was tried. */
bool igt__send_again(const send_part *p, igt_error *err);
/* Records that something was stored. Under s->lock. */
void igt__send_progress(send_job *s);
/* The job has ended, or waits. */
void igt__send_pass_turn(send_job *s);

/* ---- send_parts.c ---- */

void igt__send_part(send_job *s, unsigned i);
/* The same for a part that was in flight when the last run was killed: sends it only if it has not
 * arrived since. */
void igt__send_late_part(send_job *s, unsigned i);
void igt__send_part_back(send_job *s, unsigned i, bool stopping);
/* IGT_E_CHANGED unless the file has the bytes of all stored parts. */
igt_status igt__send_compare_parts(const send_job *s, igt_error *err);
/* Whether an earlier run started to send this file in parts. */
bool igt__send_has_parts(const send_job *s);
/* The task that resumes or creates an upload and makes its parts available. */
void igt__send_prepare(void *arg); /* a send_job */

#endif
