/* SPDX-License-Identifier: MIT */
/* Requests that a program puts together itself. */
#include <string.h>

#include "api/call.h"
#include "base/sized.h"
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
    return igt__fail(err, IGT_E_INVALID,
                     "the path must begin with a slash, such as /api/data/projects");
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

/* Those of the connection and the session: another one would break the request, or make it somebody
 * else's. */
static igt_status check_headers(const igt_request_options *options, igt_error *err) {
  static const char *const own[] = {"Host",        "Connection",      "Content-Length",
                                    "Keep-Alive",  "Expect",          "Transfer-Encoding",
                                    "Trailer",     "Upgrade",         "TE",
                                    "Range",       "Accept-Encoding", "X-JWT",
                                    "X-CSRF-TOKEN"};

  for (size_t i = 0; i < options->header_count; i++) {
    const igt_name_value *header = &options->headers[i];

    if (!header->name || !header->value)
      return igt__fail(err, IGT_E_INVALID, "header %zu has no name or no value", i + 1);
    for (size_t k = 0; k < sizeof own / sizeof *own; k++)
      if (igt__str_eq_nocase(header->name, own[k]))
        return igt__fail(err, IGT_E_INVALID, "the header '%s' is set by the library", own[k]);
  }
  return IGT_OK;
}

static igt_status check(igt_client *client, const igt_request_options *options, igt_error *err) {
  igt_status status;

  if (!client || !known_method(options->method))
    return igt__fail(err, IGT_E_INVALID, "the method must be GET, POST, PUT, PATCH or DELETE");
  status = check_path(options->path, err);
  return status == IGT_OK ? check_headers(options, err) : status;
}

static void describe(const igt_request_options *options, igt__operation *operation) {
  const igt_operation_info *info;

  operation->method = known_method(options->method);
  info = igt_operation_called(operation->method, options->path);
  operation->id = info ? info->id : "request";
  operation->open = info && info->open;
  operation->idempotent = strcmp(operation->method, "POST") != 0 &&
                          strcmp(operation->method, "PATCH") != 0; /* RFC 9110, section 9.2.2 */
  operation->accept = "application/json, */*;q=0.5";
}

/* On a view of the client if the call has a cancel flag of its own. */
static igt_status send(igt_client *client, const igt_request_options *options, igt__call *call,
                       igt_write_fn write, void *payload, igt_error *err) {
  igt__cancel *both;
  igt_client *view;
  igt_status status;

  if (!options->cancel)
    return igt__call_file(client, call, write, payload, err);
  both = igt__cancel_below(options->cancel, igt__client_cancel(client));
  view = both ? igt__client_view(client, both) : NULL;
  status = view ? igt__call_file(view, call, write, payload, err) : igt__fail_memory(err);
  igt_client_free(view);
  igt__cancel_unref(both);
  return status;
}

igt_status igt_request(igt_client *client, const igt_request_options *options,
                       igt_response **response, igt_write_fn write, void *payload, igt_error *err) {
  igt_request_options own;
  igt_response *ignored = NULL;
  igt__operation operation = {0};
  igt__call call = {.operation = &operation, .response = response ? response : &ignored};
  igt__buf path;
  igt_status status;

  igt__error_clear(err);
  *call.response = NULL;
  status = igt__options_read(&own, sizeof own, options, "igt_request_options", err);
  if (status == IGT_OK)
    status = check(client, &own, err);
  if (status != IGT_OK)
    return status;
  describe(&own, &operation);
  call.raw = own.body;
  call.raw_len = own.body_size;
  call.headers = own.headers;
  call.header_count = own.header_count;
  call.timeout_ms = own.timeout_ms;
  igt__buf_init(&path, 64 * 1024);
  put_path(&path, &own);
  operation.path = path.data;
  if (path.failed)
    status = path.too_long ? igt__fail(err, IGT_E_LIMIT, "the query is too long")
                           : igt__fail_memory(err);
  else
    status = send(client, &own, &call, write, payload, err);
  igt__buf_finish(&path);
  igt_response_free(ignored);
  return status;
}

IGT__DEFINE_INIT(igt_request_options)
