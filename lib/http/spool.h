/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_SPOOL_H
#define IGT_HTTP_SPOOL_H

/* A bounded buffer between a loop, which must not wait, and a thread that reads slowly. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Older bytes are in memory, newer ones in the file; while the file has unread bytes, new data is
 * appended to it. */
typedef struct igt__spool {
  uint64_t max, total; /* of the whole body */
  int fd;              /* the temporary file; -1: not needed yet */
  uint64_t most;       /* bound on the file, in bytes */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* guarded by lock */
  igt__buf memory;
  size_t taken; /* bytes of memory already read */
  uint64_t file_read, file_written;
  bool open, done;
  igt_status status;
  igt_error err;
} igt__spool;

/* On the loop's thread. host: for messages. */
igt_status igt__spool_push(igt__spool *spool, const char *data, size_t n, const char *host,
                           igt_error *err);
/* n more bytes have to wait until the reader has caught up: the temporary file has its bound. */
bool igt__spool_is_full(igt__spool *spool, size_t n);
void igt__spool_open(igt__spool *spool); /* the headers of a response < 400 are complete */
bool igt__spool_is_open(const igt__spool *spool);
void igt__spool_end(igt__spool *spool, igt_status status, const igt_error *err);

/* On the reader's. max: bytes of the whole body. */
void igt__spool_init(igt__spool *spool, uint64_t max);
void igt__spool_finish(igt__spool *spool);
/* Returns when it is open, or with the error that it ended with. */
igt_status igt__spool_wait_open(igt__spool *spool, igt_error *err);
/* *n == 0: the end of the body. */
igt_status igt__spool_read(igt__spool *spool, char *data, size_t cap, size_t *n, igt_error *err);
bool igt__spool_is_done(igt__spool *spool);
void igt__spool_wait_done(igt__spool *spool);

#endif
