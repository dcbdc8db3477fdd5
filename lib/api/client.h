/* SPDX-License-Identifier: MIT */
#ifndef IGT_API_CLIENT_H
#define IGT_API_CLIENT_H

/* What other layers see of a client. */

#include "auth/session.h"
#include "base/cancel.h"
#include "http/http.h"
#include "igtcloud/client.h"
#include "model/operation.h"

/* The same account, connections and session with another cancel flag (a reference is taken): what
 * one call or transfer uses, so that it can be cancelled by itself. The client must outlive it.
 * NULL: no memory. Freed by igt_client_free. */
igt_client *igt__client_view(igt_client *client, igt__cancel *cancel);
/* What an upper layer keeps with a client for as long as that lives; it begins with this. */
typedef struct igt__attached {
  void (*forget)(struct igt__attached *attached);  /* the account signs out: drop its secrets */
  void (*release)(struct igt__attached *attached); /* the client is freed; it still works */
} igt__attached;
/* The client's; made at first use. The same for a client and its views. NULL: no memory. */
igt__attached *igt__client_attached(igt_client *client,
                                    igt__attached *(*attach)(igt_client *client));
igt__http *igt__client_http(igt_client *client);
igt__session *igt__client_session(igt_client *client);
igt__cancel *igt__client_cancel(igt_client *client);
/* Notes the date of a response (0: it had none), received just now. */
void igt__client_note_date(igt_client *client, int64_t server_date);
/* The time in seconds since 1970 by the cloud's clock, at most some seconds behind; by this
 * machine's before the first response. */
int64_t igt__client_cloud_seconds(igt_client *client);
const char *igt__client_origin(const igt_client *client);
unsigned igt__client_max_connections(const igt_client *client); /* at most */
unsigned igt__client_connections(const igt_client *client);     /* at first */
/* Connections to the REST API, in addition to so many to S3. */
unsigned igt__client_api_connections(unsigned connections);

#endif
