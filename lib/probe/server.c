/* SPDX-License-Identifier: MIT */
#include "api/client.h"
#include "base/sized.h"
#include "http/probe.h"

#define LIMIT_MS 10000

igt_status igt_probe_server(igt_client *client, const char *url, unsigned limit_ms,
                            igt_server_info *out, igt_error *err) {
  igt_server_info own = IGT_SERVER_INFO_INIT;
  igt_status status = igt__result_check(out, "igt_server_info", err);

  igt__error_clear(err);
  if (status == IGT_OK && !client)
    status = igt__fail(err, IGT_E_INVALID, "no client was given");
  if (status != IGT_OK)
    return status;
  status = igt__http_probe(igt__client_http(client), url ? url : igt__client_origin(client),
                           limit_ms ? limit_ms : LIMIT_MS, igt__client_cancel(client), &own, err);
  igt__result_write(out, &own, sizeof own);
  return status;
}

IGT__DEFINE_INIT(igt_server_info)
