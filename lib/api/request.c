/* SPDX-License-Identifier: MIT */
/* Builds the HTTP request of a call from the operation's description: arguments are put into the
 * path, options into the query or headers, the body model is checked and encoded as JSON.
 * Everything is percent-encoded, and arguments that would address another resource are rejected.
 * Called by call.c and submit.c. */
#include "api/request.h"

#include <stdio.h>
#include <string.h>

#include "auth/response.h"
#include "base/limits.h"
#include "base/sized.h"
#include "base/str.h"
#include "model/json.h"

/* ---- the path ---- */

static bool is_dots(const char *s) {
  return strcmp(s, ".") == 0 || strcmp(s, "..") == 0;
}

/* at: after the '{' of the n-th parameter. */
static igt_status put_argument(const igt__call *call, size_t n, const char *at, igt__buf *out,
                               igt_error *err) {
  const igt__operation *operation = call->operation;
  const char *text = call->path[n].text;
  char number[24];

  if (operation->integers >> n & 1) {
    snprintf(number, sizeof number, "%lld", (long long)call->path[n].number);
    text = number;
  }
  if (!text || !*text || is_dots(text))
    return igt__fail(err, IGT_E_INVALID, "%s: the argument %.*s is %s", operation->id,
                     (int)strcspn(at, "}"), at, text && *text ? "no id" : "missing");
  igt__uri_encode(out, text, strlen(text), false);
  return IGT_OK;
}

static igt_status put_path(const igt__call *call, igt__buf *out, igt_error *err) {
  igt_status status = IGT_OK;
  size_t n = 0;

  for (const char *at = call->operation->path; *at && status == IGT_OK;) {
    size_t plain = strcspn(at, "{");

    igt__buf_append(out, at, plain);
    at += plain;
    if (*at) {
      status = put_argument(call, n++, at + 1, out, err);
      at += strcspn(at, "}") + 1;
    }
  }
  return status;
}

/* ---- options ---- */

/* Longer than any number in text. */
#define SCRATCH 40

/* As in JSON: the C library's own conversions depend on the program's locale. */
static const char *number_text(double v, char *scratch) {
  igt__json *json = igt__json_new_double(v);
  igt__buf text;

  igt__buf_init(&text, SCRATCH);
  bool ok = json && igt__json_write(&text, json, IGT__JSON_COMPACT);
  snprintf(scratch, SCRATCH, "%s", ok ? text.data : "");
  igt__buf_finish(&text);
  igt__json_free(json);
  return ok ? scratch : NULL;
}

/* One value of an option; *present false: it is not set. scratch: SCRATCH bytes. */
static const char *option_text(const igt__param *param, const void *at, char *scratch,
                               bool *present) {
  const igt_integer_field *integer = at;
  const igt_boolean_field *boolean = at;
  const igt_number_field *number = at;
  const char *text = NULL;

  switch ((igt__param_kind)param->kind) {
  case IGT__PARAM_STRING:
    text = igt__pointer_get(at);
    break;
  case IGT__PARAM_INTEGER:
    snprintf(scratch, SCRATCH, "%lld", (long long)integer->v);
    text = integer->is == IGT_SET ? scratch : NULL;
    break;
  case IGT__PARAM_BOOLEAN:
    text = boolean->is != IGT_SET ? NULL : boolean->v ? "true" : "false";
    break;
  case IGT__PARAM_NUMBER:
    text = number->is == IGT_SET ? number_text(number->v, scratch) : NULL;
    break;
  case IGT__PARAM_STRING_LIST:
    break; /* several: put_list */
  }
  *present = text != NULL;
  return text;
}

static void put_pair(igt__buf *out, const char *name, const char *value, bool *first) {
  igt__buf_putc(out, *first ? '?' : '&');
  *first = false;
  igt__uri_encode(out, name, strlen(name), false);
  igt__buf_putc(out, '=');
  igt__uri_encode(out, value, strlen(value), false);
}

/* All values after a single occurrence of the name, separated as described. */
static igt_status put_joined(const igt__param *param, const char *const *list, size_t count,
                             igt__buf *out, bool *first, igt_error *err) {
  const char separator[] = {param->separator, '\0'};
  igt_status status = IGT_OK;
  igt__buf text;

  igt__buf_init(&text, out->max);
  for (size_t i = 0; i < count && status == IGT_OK; i++) {
    if (!list[i])
      continue;
    igt__buf_puts(&text, text.len > 0 ? separator : "");
    igt__buf_puts(&text, list[i]);
    if (strchr(list[i], param->separator))
      status = igt__fail(err, IGT_E_INVALID, "a value of %s contains the list separator \"%s\"",
                         param->name, separator);
  }
  put_pair(out, param->name, text.data, first);
  out->failed |= text.failed;
  out->too_long |= text.too_long;
  igt__buf_finish(&text);
  return status;
}

static igt_status put_list(const igt__param *param, const char *options, igt__buf *out, bool *first,
                           bool *present, igt_error *err) {
  const char *const *list = igt__pointer_get(options + param->offset);
  size_t count;

  memcpy(&count, options + param->count_offset, sizeof count);
  *present = list && count > 0;
  if (*present && param->separator)
    return put_joined(param, list, count, out, first, err);
  for (size_t i = 0; *present && i < count; i++)
    if (list[i])
      put_pair(out, param->name, list[i], first);
  return IGT_OK;
}

static igt_status check_required(const igt__call *call, const igt__param *param, bool present,
                                 igt_error *err) {
  if (present || !param->required)
    return IGT_OK;
  return igt__fail(err, IGT_E_REQUIRED, "%s: the option %s is required", call->operation->id,
                   param->name);
}

/* Where an option is in the caller's struct; NULL: that was built without it. */
static const char *option_at(const igt__call *call, size_t offset) {
  const char *options = call->options;
  size_t size;

  if (!options)
    return NULL;
  memcpy(&size, options, sizeof size);
  return offset < size ? options + offset : NULL;
}

static igt_status check_options(const igt__call *call, igt_error *err) {
  igt_status status =
      igt__options_check(call->operation->options_size, call->options, "options", err);

  if (status != IGT_OK)
    igt__error_prefix(err, "%s", call->operation->id);
  return status;
}

static igt_status put_query(const igt__call *call, igt__buf *out, igt_error *err) {
  const igt__operation *operation = call->operation;
  igt_status status = check_options(call, err);
  bool first = true;

  for (size_t i = 0; i < operation->param_count && status == IGT_OK; i++) {
    const igt__param *param = &operation->params[i];
    const char *at = option_at(call, param->offset);
    char scratch[SCRATCH];
    bool present = false;

    if (param->is_header)
      continue;
    if (at && param->kind == IGT__PARAM_STRING_LIST) {
      status = put_list(param, call->options, out, &first, &present, err);
    } else if (at) {
      const char *text = option_text(param, at, scratch, &present);

      if (present)
        put_pair(out, param->name, text, &first);
    }
    if (status == IGT_OK)
      status = check_required(call, param, present, err);
  }
  return status;
}

igt_status igt__call_url(const igt__call *call, const char *origin, igt__buf *out, igt_error *err) {
  igt_status status;

  igt__buf_puts(out, origin);
  status = put_path(call, out, err);
  if (status == IGT_OK)
    status = put_query(call, out, err);
  if (status == IGT_OK && out->failed)
    return out->too_long
               ? igt__fail(err, IGT_E_LIMIT, "%s: the arguments are too long", call->operation->id)
               : igt__fail_memory(err);
  return status;
}

/* ---- headers, body ---- */

/* Unless the program has its own. */
static igt_status put_default(const igt__call *call, igt__http_request *req, const char *name,
                              const char *value) {
  for (size_t i = 0; i < call->header_count; i++)
    if (igt__str_eq_nocase(call->headers[i].name, name))
      return IGT_OK;
  return igt__http_add_header(req, name, value);
}

static igt_status put_own(const igt__call *call, igt__http_request *req, igt_error *err) {
  for (size_t i = 0; i < call->header_count; i++) {
    igt_status status = igt__http_add_header(req, call->headers[i].name, call->headers[i].value);

    if (status == IGT_E_INVALID)
      return igt__fail(err, status, "the header '%s' is not valid HTTP", call->headers[i].name);
    if (status != IGT_OK)
      return igt__fail_memory(err);
  }
  return IGT_OK;
}

/* Accept, Content-Type and the options that are sent as headers. */
static igt_status put_headers(const igt__call *call, igt__http_request *req, igt_error *err) {
  const igt__operation *operation = call->operation;
  igt_status status = put_default(call, req, "Accept", operation->accept);

  /* The services expect a Content-Type in every request, as their other client sends it. */
  if (status == IGT_OK)
    status = put_default(call, req, "Content-Type", "application/json");
  for (size_t i = 0; i < operation->param_count && status == IGT_OK; i++) {
    const igt__param *param = &operation->params[i];
    const char *at = option_at(call, param->offset);
    char scratch[SCRATCH];
    bool present = false;
    const char *text = NULL;

    if (!param->is_header)
      continue;
    if (at)
      text = option_text(param, at, scratch, &present);
    if (check_required(call, param, present, err) != IGT_OK)
      return IGT_E_REQUIRED;
    if (present)
      status = igt__http_add_header(req, param->name, text);
  }
  if (status == IGT_E_INVALID)
    return igt__fail(err, status, "%s: an option contains a line break", operation->id);
  return status == IGT_OK ? IGT_OK : igt__fail_memory(err);
}

static igt_status check_body(const igt__call *call, igt_error *err) {
  const igt__operation *operation = call->operation;
  igt_status status = IGT_OK;

  if (!call->body)
    return operation->body_is_list && !call->body_count
               ? IGT_OK
               : igt__fail(err, IGT_E_REQUIRED, "%s: a body is required", operation->id);
  if (!operation->body_is_list)
    return igt__model_check(call->body, operation->body, operation->id, err);
  for (size_t i = 0; i < call->body_count && status == IGT_OK; i++) {
    const igt_model *model = igt__pointer_get((const char *)call->body + i * sizeof(void *));

    status = model ? igt__model_check(model, operation->body, operation->id, err)
                   : igt__fail(err, IGT_E_INVALID, "%s: element %zu of the body is NULL",
                               operation->id, i);
  }
  return status;
}

igt_status igt__call_body(const igt__call *call, igt__buf *out, igt_error *err) {
  const igt__operation *operation = call->operation;
  igt_status status;
  bool ok;

  if (!operation->body)
    return IGT_OK;
  status = check_body(call, err);
  if (status != IGT_OK)
    return status;
  if (operation->body_is_list)
    ok = igt__model_write_list(out, call->body, call->body_count, operation->body,
                               IGT__JSON_COMPACT, IGT__WRITE_FOR_SENDING);
  else
    ok = igt__model_write_as(out, call->body, operation->body, IGT__JSON_COMPACT,
                             IGT__WRITE_FOR_SENDING);
  if (ok)
    return IGT_OK;
  return out->too_long ? igt__fail(err, IGT_E_LIMIT, "%s: the body is too large", operation->id)
                       : igt__fail_memory(err);
}

igt_status igt__call_prepare(const igt__call *call, igt_client *client, const igt__buf *url,
                             const igt__buf *body, igt__http_request *req, igt_error *err) {
  const igt__operation *operation = call->operation;
  igt_status status;

  req->method = operation->method;
  req->operation = operation->id;
  req->idempotent = operation->idempotent;
  req->compressed = true;
  req->cancel = igt__client_cancel(client);
  req->on_error_response = igt__response_error;
  if (operation->body || call->raw) {
    req->body = body->data;
    req->body_len = body->len;
  }
  if (igt__http_set_url(req, url->data) != IGT_OK)
    return igt__fail_memory(err);
  status = put_headers(call, req, err);
  return status == IGT_OK ? put_own(call, req, err) : status;
}
