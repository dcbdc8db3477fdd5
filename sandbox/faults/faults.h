/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_FAULTS_H
#define SANDBOX_FAULTS_H

/* A proxy in front of the sandbox's server, which injects faults into requests and responses on
 * demand and keeps a log of all of them: docs/sandbox.md, "Faults". */

#include "server.h"

typedef struct sbx_front sbx_front;

/* Listens on host and port (0: the system picks) and forwards everything to `behind`, a port of
 * 127.0.0.1. server is borrowed. NULL: error says why. */
sbx_front *sbx_front_start(sbx_server *server, const char *host, uint16_t port, uint16_t behind,
                           char *error, size_t error_cap);
uint16_t sbx_front_port(const sbx_front *front);
/* Ends all connections. Call it after the server behind was stopped: that ends the connections that
 * wait for it. */
void sbx_front_stop(sbx_front *front);

#endif
