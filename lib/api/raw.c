/* SPDX-License-Identifier: MIT */
/* Requests that a program puts together itself. */
#include <string.h>

#include "api/call.h"
#include "base/str.h"
#include "igtcloud/describe.h"

static const char *known_method(const char *method) {
  static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

  for (size_t i = 0; method && i < sizeof methods / sizeof *methods; i++)
    if (strcmp(methods[i], method) == 0)
      return methods[i];
  return NULL;
}

/* Rejects a path that would leave the API or form another request: RFC 3986, section 3.3. */
static igt_status check_path(const char *path, igt_error *err) {
  if (!path || path[0] != '/')
    return igt__fail(err, IGT_E_INVALID, "a path begins with a slash, such as /api/data/projects");
  for (const char *p = path; *p; p++)
    if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("#{}<>\"\\^`|", *p))
      return igt__fail(err, IGT_E_INVALID,
                       "the path '%s' contains a character that must be percent-encoded", path);
  for (const char *p = path; p && *p != '?'; p = strpbrk(p + 1, "/?"))
    if (strncmp(p, "/../", 4) == 0 || strcmp(p, "/..") == 0 || strncmp(p, "/./", 3) == 0 ||
        strncmp(p, "/..?", 4) == 0 || strncmp(p, "//", 2) == 0)
      return igt__fail(err, IGT_E_INVALID, "the path '%s' is not normalized", path);
  return IGT_OK;
}

static void put_path(igt__buf *out, const igt_request_options *options) {
  char glue = strchr(options->path, '?') ? '&' : '?';

  igt__buf_puts(out, options->path);
  for (size_t i = 0; i < options->query_count; i++) {
    igt__buf_putc(out, glue);
    glue = '&';
    igt__uri_encode(out, options->query[i].name, strlen(options->query[i].name), false);
    igt__buf_putc(out, '=');
    igt__uri_encode(out, options->query[i].value, strlen(options->query[i].value), false);
  }
}

igt_status igt_request(igt_client *client, const igt_request_options *options,
                       igt_response *response, igt_write_fn write, void *payload, igt_error *err) {
  igt_response ignored;
  igt__operation operation = {.id = "request", .accept = "application/json, */*;q=0.5"};
  igt__call call = {.operation = &operation, .response = response ? response : &ignored};
  const igt_operation_info *info;
  igt__buf path;
  igt_status status;

  igt__error_clear(err);
  if (!client || !options || !(operation.method = known_method(options->method)))
    return igt__fail(err, IGT_E_INVALID, "the method is GET, POST, PUT, PATCH or DELETE");
  status = check_path(options->path, err);
  if (status != IGT_OK)
    return status;
  info = igt_operation_called(operation.method, options->path);
  operation.id = info ? info->id : operation.id;
  operation.open = info && info->open;
  operation.idempotent = strcmp(operation.method, "POST") != 0 &&
                         strcmp(operation.method, "PATCH") != 0; /* RFC 9110, section 9.2.2 */
  call.raw = options->body;
  call.raw_len = options->body_size;
  igt__buf_init(&path, 64 * 1024);
  put_path(&path, options);
  operation.path = path.data;
  if (path.failed)
    status = path.too_long ? igt__fail(err, IGT_E_LIMIT, "the query is too long")
                           : igt__fail_memory(err);
  else
    status = igt__call_file(client, &call, write, payload, err);
  igt__buf_finish(&path);
  return status;
}
