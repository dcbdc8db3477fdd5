/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_STORE_S3_BACKEND_INTERNAL_H
#define SANDBOX_STORE_S3_BACKEND_INTERNAL_H

/* Shared by s3_backend.c and s3_backend_sts.c. */

#include "http/http.h"
#include "s3/sigv4.h"
#include "store/s3_backend.h"

struct sbx_s3_backend {
  igt__http *http;
  char origin[300], host[300]; /* "http://127.0.0.1:7480", "127.0.0.1:7480" */
  char region[64], bucket[64], role[256];
  char access_key[130], secret_key[130];
};

/* One signed request. */
typedef struct backend_request {
  const char *method;
  const char *service;      /* "s3", "sts" */
  const char *path;         /* encoded */
  const char *query;        /* encoded and sorted, "" */
  const char *content_type; /* NULL: none */
  const void *body;
  int fd; /* or read from a file; -1: not */
  uint64_t body_len;
  igt__http_request http; /* holds the response; finish it */
} backend_request;

igt_status sbx__s3_backend_send(sbx_s3_backend *backend, backend_request *req, igt_error *err);

#endif
