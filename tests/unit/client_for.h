/* SPDX-License-Identifier: MIT */
#ifndef TEST_CLIENT_FOR_H
#define TEST_CLIENT_FOR_H

/* A client of an http_server. */

#include "http_server.h"
#include "igtcloud/client.h"

/* Fails the test if there is none. user_agent may be NULL. */
static inline igt_client *client_for(http_server *server, const char *user_agent) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = NULL;

  options.domain = http_server_url(server, "");
  options.retries = -1;
  options.user_agent = user_agent;
  if (igt_client_new(&options, &client, &err) != IGT_OK)
    fail_msg("%s", err.text);
  return client;
}

#endif
