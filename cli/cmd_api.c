/* SPDX-License-Identifier: MIT */
/* The api command: sends any request of the API, or describes its operations and models.
 * Descriptions come from the tables that the library has of the API; FIELD=VALUE arguments become
 * the query or a body, whose values get the types of the description (assign.c); a body can also be
 * read from a file (file.c). The response's body is printed as it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "igtcloud/describe.h"
#include "igtcloud/request.h"

#define MAX_BODY ((size_t)64 * 1024 * 1024)

static const option api_options[] = {
    {"field", 'f', OPTION_LIST, AT(field), "KEY=VALUE", NULL,
     "a query parameter, or a member of the JSON body; repeatable"},
    {"input", 0, OPTION_TEXT, AT(input), "FILE", NULL,
     "send FILE as the body, unchanged; - is standard input"},
    {"header", 'H', OPTION_LIST, AT(header), "NAME:VALUE", NULL,
     "send this header; Accept, Content-Type and User-Agent can be replaced; repeatable"},
    {"show-headers", 'i', OPTION_FLAG, AT(show_headers), NULL, NULL,
     "print the response's status and headers first, and the body of a refusal"},
    {"max-time", 0, OPTION_SECONDS, AT(max_time), "SECONDS", NULL,
     "limit for the request, including its retries; default: none"},
    {"list", 0, OPTION_FLAG, AT(list), NULL, NULL, "list all operations, without sending anything"},
    {"describe", 0, OPTION_TEXT, AT(describe), "OPERATION", NULL,
     "describe an operation or a model, without sending anything"},
    END_OF_OPTIONS};

/* ---- descriptions ---- */

static void put_member(const char *key, const char *value) {
  printf(",\"%s\":", key);
  json_value(stdout, value);
}

static void list_as_json(const igt_operation_info *op) {
  printf("{\"operation\":");
  json_value(stdout, op->id);
  put_member("method", op->method);
  put_member("path", op->path);
  put_member("text", op->text);
  put_member("body", op->body);
  put_member("answer", op->response);
  printf(",\"open\":%s,\"parameters\":[", op->open ? "true" : "false");
  for (size_t i = 0; i < op->parameter_count; i++) {
    const igt_parameter_info *p = op->parameters[i];
    printf("%s{\"name\":", i ? "," : "");
    json_value(stdout, p->name);
    put_member("in", p->in);
    put_member("type", p->type);
    put_member("text", p->text);
    printf(",\"required\":%s}", p->required ? "true" : "false");
  }
  printf("]}\n");
}

static int list_operations(const settings *s) {
  const igt_operation_info *op;

  for (size_t i = 0; (op = igt_operation_at(i)) != NULL; i++) {
    if (s->json)
      list_as_json(op);
    else if (os_is_terminal(STANDARD_OUTPUT))
      printf("%-6s %-80s %s\n", op->method, op->path, op->id);
    else
      printf("%s\t%s\t%s\t%s\n", op->method, op->path, op->id, op->text);
  }
  return EXIT_DONE;
}

static const igt_model_info *model_of(const char *name) {
  char bare[128];
  size_t n = strcspn(name, "[");

  snprintf(bare, sizeof bare, "%.*s", (int)n, name);
  return igt_model_info_named(bare);
}

static void describe_model(const igt_model_info *model) {
  printf("%s%s%s\n", model->name, *model->base ? ", which extends " : "", model->base);
  for (size_t i = 0; i < model->field_count; i++) {
    const igt_field_info *f = model->fields[i];
    printf("  %-28s %-16s%s%s%s%s%s%s\n", f->name, f->type, f->required ? " required" : "",
           f->read_only ? " (read-only)" : "", *f->values ? " one of " : "", f->values,
           *f->text ? " " : "", f->text);
  }
}

static void describe_operation(const igt_operation_info *op) {
  const igt_model_info *model;

  printf("%s\n\n  %s %s%s\n", op->id, op->method, op->path, op->open ? "  (needs no session)" : "");
  if (*op->text)
    printf("  %s\n", op->text);
  if (op->parameter_count)
    printf("\nParameters\n");
  for (size_t i = 0; i < op->parameter_count; i++) {
    const igt_parameter_info *p = op->parameters[i];
    printf("  %-28s %-8s %-10s%s%s%s%s%s\n", p->name, p->in, p->type,
           p->required ? " required" : "", *p->text ? " " : "", p->text,
           *p->value ? "; default " : "", p->value);
  }
  if (*op->body)
    printf("\nBody: %s\n", op->body);
  if ((model = model_of(op->body)) != NULL)
    describe_model(model);
  if (*op->response)
    printf("\nResponse: %s\n", op->response);
  if ((model = model_of(op->response)) != NULL)
    describe_model(model);
}

static void describe_model_as_json(const igt_model_info *model) {
  printf("{\"model\":");
  json_value(stdout, model->name);
  put_member("base", model->base);
  printf(",\"fields\":[");
  for (size_t i = 0; i < model->field_count; i++) {
    const igt_field_info *f = model->fields[i];
    printf("%s{\"name\":", i ? "," : "");
    json_value(stdout, f->name);
    put_member("type", f->type);
    put_member("text", f->text);
    put_member("values", f->values);
    printf(",\"required\":%s,\"readOnly\":%s}", f->required ? "true" : "false",
           f->read_only ? "true" : "false");
  }
  printf("]}\n");
}

static int describe(const settings *s) {
  const igt_operation_info *op = igt_operation_named(s->describe);
  const igt_model_info *model = igt_model_info_named(s->describe);

  if (!op && !model)
    return usage_error("unknown operation or model '%s'; `igtcloud api --list` lists the "
                       "operations",
                       s->describe);
  if (op)
    s->json ? list_as_json(op) : describe_operation(op);
  else
    s->json ? describe_model_as_json(model) : describe_model(model);
  return EXIT_DONE;
}

/* ---- a request ---- */

typedef struct request {
  igt_request_options options;
  igt_name_value query[64], headers[64];
  char *names[64], *header_names[64];
  char *path, *body;
  char method[8];
} request;

static void request_free(request *r) {
  for (size_t i = 0; i < r->options.query_count; i++)
    free(r->names[i]);
  for (size_t i = 0; i < r->options.header_count; i++)
    free(r->header_names[i]);
  free(r->path);
  free(r->body);
}

static bool read_all(FILE *in, char **data, size_t *size) {
  char piece[65536];
  size_t n;
  FILE *out = open_memstream(data, size);

  while (out && (n = fread(piece, 1, sizeof piece, in)) > 0 && *size < MAX_BODY)
    if (fwrite(piece, 1, n, out) != n || fflush(out) != 0)
      break;
  return out && fclose(out) == 0 && feof(in) && !ferror(in);
}

static bool read_body(request *r, const char *file) {
  const char *why;
  FILE *in = open_input(file, &why);
  size_t size = 0;
  bool good = in && read_all(in, &r->body, &size);

  if (!good)
    complain(IGT_E_IO, "cannot read the body '%s': %s", file,
             !in                ? why
             : size >= MAX_BODY ? "too large"
                                : strerror(errno));
  close_input(in);
  r->options.body = r->body;
  r->options.body_size = size;
  return good;
}

static bool take_query(request *r, const settings *s) {
  for (size_t i = 0; i < s->field.count; i++) {
    const char *text = s->field.v[i], *equals = strchr(text, '=');
    if (!equals || equals == text) {
      usage_error("'%s' must have the form KEY=VALUE", text);
      return false;
    }
    if (!(r->names[i] = strndup(text, (size_t)(equals - text))))
      return false;
    r->query[i] = (igt_name_value){r->names[i], equals + 1};
    r->options.query_count = i + 1;
  }
  r->options.query = r->query;
  return true;
}

static bool take_headers(request *r, const settings *s) {
  for (size_t i = 0; i < s->header.count; i++) {
    const char *text = s->header.v[i], *colon = strchr(text, ':');
    if (!colon || colon == text) {
      usage_error("--header '%s' must have the form NAME:VALUE", text);
      return false;
    }
    if (!(r->header_names[i] = strndup(text, (size_t)(colon - text))))
      return false;
    r->headers[i] = (igt_name_value){r->header_names[i], colon + 1 + strspn(colon + 1, " \t")};
    r->options.header_count = i + 1;
  }
  r->options.headers = r->headers;
  return true;
}

/* Makes a body of strings, or of the types that the description has for the operation's body. */
static bool take_members(request *r, const settings *s) {
  const igt_operation_info *op = igt_operation_called(r->method, r->path);
  const igt_model_info *model =
      op && !strchr(op->body, '[') ? igt_model_info_named(op->body) : NULL;

  r->body = assignments(model ? model->name : NULL, s->field.v, s->field.count, NULL);
  r->options.body = r->body;
  r->options.body_size = r->body ? strlen(r->body) : 0;
  return r->body != NULL;
}

/* Accepts "data/projects" as well as "/api/data/projects". */
static char *full_path(const char *path) {
  const char *before = path[0] == '/' ? "" : strncmp(path, "api/", 4) == 0 ? "/" : "/api/";
  size_t cap = strlen(path) + 6;
  char *full = malloc(cap);

  if (full)
    snprintf(full, cap, "%s%s", before, path);
  return full;
}

static bool make_request(request *r, const settings *s) {
  bool query;

  memset(r, 0, sizeof *r);
  r->options = (igt_request_options)IGT_REQUEST_OPTIONS_INIT;
  r->options.timeout_ms = (unsigned)(s->max_time * 1000);
  if (!take_headers(r, s))
    return false;
  for (size_t i = 0; s->arguments[0][i] && i + 1 < sizeof r->method; i++)
    r->method[i] = (char)(s->arguments[0][i] & ~('a' <= s->arguments[0][i] ? 0x20 : 0));
  r->options.method = r->method;
  if (!(r->path = full_path(s->arguments[1])))
    return false;
  r->options.path = r->path;
  query = s->input || strcmp(r->method, "GET") == 0 || strcmp(r->method, "DELETE") == 0;
  if (s->input && !read_body(r, s->input))
    return false;
  if (query)
    return take_query(r, s);
  return s->field.count == 0 || take_members(r, s);
}

typedef struct output {
  igt_response *response;
  bool show_headers;
  char last;
} output;

static bool show_head(output *o) {
  char line[64];
  bool good;

  if (!o->show_headers || !o->response)
    return true;
  o->show_headers = false; /* once */
  snprintf(line, sizeof line, "HTTP %d\n", igt_response_status(o->response));
  good = write_text(line, strlen(line));
  for (size_t i = 0; good && i < igt_response_header_count(o->response); i++) {
    igt_name_value header = igt_response_header_at(o->response, i);
    good = write_text(header.name, strlen(header.name)) && write_text(": ", 2) &&
           write_text(header.value, strlen(header.value)) && write_text("\n", 1);
  }
  return good && write_text("\n", 1);
}

static igt_status write_out(void *payload, const void *data, size_t n) {
  output *o = payload;

  if (n)
    o->last = ((const char *)data)[n - 1];
  return show_head(o) && write_text(data, n) ? IGT_OK : IGT_E_IO;
}

/* Nothing was written yet: a refusal, or a response without a body. */
static bool show_refusal(output *o) {
  size_t n;
  const char *body = igt_response_body(o->response, &n);

  return !o->show_headers || !o->response ||
         (show_head(o) && write_text(body, n) && (n == 0 || write_text("\n", 1)));
}

static int send_request(const settings *s, const request *r) {
  output o = {NULL, s->show_headers, '\n'};
  igt_error err = IGT_ERROR_INIT;
  const char *type;
  int status = EXIT_FAILED;
  igt_client *client = open_here(s, &status);

  if (!client)
    return status;
  status = EXIT_DONE;
  if (igt_request(client, &r->options, &o.response, write_out, &o, &err) != IGT_OK)
    status = fail(&err);
  if (!show_refusal(&o))
    status = EXIT_FAILED;
  type = igt_response_header(o.response, "Content-Type", 0);
  if (status == EXIT_DONE && o.last != '\n' && type &&
      strncasecmp(type, "application/json", 16) == 0)
    putchar('\n');
  igt_response_free(o.response);
  close_client(client);
  return status;
}

static int cmd_api(settings *s) {
  int status = EXIT_USAGE;
  request r;

  if (s->list + (s->describe != NULL) + (s->argument_count > 0) != 1 || s->argument_count == 1)
    return usage_error("usage: igtcloud api METHOD PATH, or --list, or --describe OPERATION");
  if (s->list)
    return list_operations(s);
  if (s->describe)
    return describe(s);
  if (s->input && strcmp(s->input, "-") == 0 && s->password_stdin)
    return usage_error("standard input cannot be both the password and the body");
  if (make_request(&r, s))
    status = send_request(s, &r);
  request_free(&r);
  return status;
}

const command api_command = {
    "api",
    "[METHOD PATH]",
    0,
    2,
    "send any API request and print the response",
    "Sends one request, besides those to sign in and out, and prints the response unchanged: JSON\n"
    "or a file. The path may omit /api/. -f KEY=VALUE is a query parameter for GET, DELETE and\n"
    "with --input; otherwise it is a member of the JSON body, typed as the "
    "description\n"
    "says; KEY:=JSON is any value. --list and --describe work offline.\n"
    "\n"
    "  igtcloud api GET data/projects\n"
    "  igtcloud api GET data/hospitals/42/studies -f '$filter=state eq \"new\"'\n"
    "  igtcloud api POST data/users/\\$mfa-reset -f loginId=ann@example.com\n"
    "  igtcloud api --describe get_studies",
    api_options,
    true,
    cmd_api};
