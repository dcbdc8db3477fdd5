/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_S3_S3_H
#define SANDBOX_S3_S3_H

/* What main.c needs of the S3 side. The handler and the credentials stand in server.h. */

#include "server.h"

/* Keeps what each request would else look up and derive anew; one a server. */
typedef struct sbx_s3 sbx_s3;
sbx_s3 *sbx_s3_new(void);
void sbx_s3_free(sbx_s3 *s3);

/* The account with all rights, for tests and people: made once and kept in the store. Writes
 * DIR/root-credentials.json (0600) with today's endpoint. */
bool sbx_s3_root_write(sbx_server *server, char *error, size_t error_cap);

#endif
