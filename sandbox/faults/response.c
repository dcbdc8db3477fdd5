/* SPDX-License-Identifier: MIT */
/* Responses that the front makes in place of the cloud: those of faults (an S3 error document, a
 * JSON error of the REST API, the HTML page of a proxy, a redirect) and the JSON of control.c.
 * exchange.c calls response_fault for faults of the stage FAULT_AT_RESPONSE. The result says
 * whether the connection stays open. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/time.h"
#include "faults/internal.h"

#define MAX_RESPONSE (64u * 1024 * 1024)

static const struct {
  int status;
  const char *code, *sentence;
} made[] = {[FAULT_NONE] = {0, NULL, NULL},
#define X(name, text, stage, status, code, sentence) [FAULT_##name] = {status, code, sentence},
            FAULTS(X)
#undef X
};

static const char *reason(int status) {
  static const struct {
    int status;
    const char *text;
  } reasons[] = {{200, "OK"},
                 {204, "No Content"},
                 {307, "Temporary Redirect"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {407, "Proxy Authentication Required"},
                 {429, "Too Many Requests"},
                 {500, "Internal Server Error"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"}};

  for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
    if (reasons[i].status == status)
      return reasons[i].text;
  return "Fault";
}

static bool wants_close(const connection *c) {
  return head_has(&c->request, "Connection", "close");
}

/* headers: complete lines, or "". */
static ending send_response(connection *c, int status, const char *type, const char *headers,
                            const igt__buf *text) {
  char date[40];
  igt__buf out;
  bool good;

  igt__time_format_http(igt__wall_seconds(), date, sizeof date);
  igt__buf_init(&out, MAX_RESPONSE);
  igt__buf_printf(&out,
                  "HTTP/1.1 %d %s\r\nDate: %s\r\nServer: igtcloud-sandbox\r\n"
                  "Content-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n",
                  status, reason(status), date, type, text->len, headers,
                  wants_close(c) ? "Connection: close\r\n" : "");
  if (strcmp(c->request.method, "HEAD") != 0) {
    igt__buf_append(&out, text->data, text->len);
    c->bytes_out = text->len;
  }
  c->status = status;
  if (c->in_flight)
    exchange_log(c, 0);
  good = !out.failed && wire_send(c->client.fd, out.data, out.len);
  igt__buf_finish(&out);
  return good && !wants_close(c) ? END_KEEP : END_CLOSE;
}

ending response_json(connection *c, int status, const igt__json *doc, const char *error) {
  igt__buf text;
  ending end;

  igt__buf_init(&text, MAX_RESPONSE);
  if (doc) {
    igt__json_write(&text, doc, IGT__JSON_COMPACT);
  } else if (error) {
    igt__json *message = igt__json_new_object();
    igt__json_set_str(message, "message", error);
    igt__json_write(&text, message, IGT__JSON_COMPACT);
    igt__json_free(message);
  }
  end = send_response(c, status, "application/json", "", &text);
  igt__buf_finish(&text);
  return end;
}

/* ---- as the cloud, the store or a proxy would respond ---- */

static const char *write_page(igt__buf *text, const char *sentence) {
  igt__buf_printf(text,
                  "<!DOCTYPE html>\n<html><head><title>%s</title></head>"
                  "<body><h1>%s</h1></body></html>\n",
                  sentence, sentence);
  return "text/html; charset=utf-8";
}

static const char *write_error(igt__buf *text, const connection *c, const char *code,
                               const char *sentence) {
  if (igt__str_starts(c->request.path, "/api/")) {
    igt__buf_printf(text, "{\"message\": \"%s\"}\n", sentence);
    return "application/json";
  }
  igt__buf_printf(text,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
                  "<Message>%s</Message><RequestId>FAULT%011zu</RequestId></Error>",
                  code, sentence, c->entry);
  return "application/xml";
}

static void write_headers(igt__buf *headers, const connection *c) {
  const fault *f = &c->fault;

  if (f->retry_after >= 0)
    igt__buf_printf(headers, "Retry-After: %d\r\n", f->retry_after);
  if (f->kind == FAULT_REDIRECT)
    igt__buf_printf(headers, "Location: %s\r\n", f->to);
  if (f->kind == FAULT_PROXY_LOGIN)
    igt__buf_puts(headers, "Proxy-Authenticate: Basic realm=\"network\"\r\n");
  if (made[f->kind].code && !igt__str_starts(c->request.path, "/api/"))
    igt__buf_printf(headers, "x-amz-request-id: FAULT%011zu\r\n", c->entry);
}

ending response_fault(connection *c) {
  const fault *f = &c->fault;
  int status = f->status ? f->status : made[f->kind].status;
  const char *type, *sentence = made[f->kind].sentence;
  body from = body_of_request(&c->client, &c->request);
  igt__buf text, headers;
  ending end;

  /* A client that waits for "100 Continue" learns immediately that its body is not wanted. */
  bool expects = head_has(&c->request, "Expect", "100-continue");
  if (!expects && !exchange_drain(c, &from))
    return END_CLOSE;
  igt__buf_init(&text, 4096);
  igt__buf_init(&headers, 4096);
  write_headers(&headers, c);
  type = made[f->kind].code ? write_error(&text, c, made[f->kind].code, sentence)
                            : write_page(&text, sentence);
  end = send_response(c, status, type, headers.data, &text);
  igt__buf_finish(&text);
  igt__buf_finish(&headers);
  return expects ? END_CLOSE : end;
}
