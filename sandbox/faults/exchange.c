/* SPDX-License-Identifier: MIT */
/* One request through the front. exchange_run takes the request's fault from the plan and records
 * it in the log. Depending on the fault's stage, response.c responds here, the connection is reset,
 * or the request is relayed to the server behind ("the cloud" in this folder) and its response
 * back, and the fault is applied on the way. front.c calls exchange_run for each request of a
 * connection; its result says whether the connection stays open, is closed or reset. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "faults/internal.h"

#define BLOCK (32 * 1024)

/* ---- the log ---- */

void exchange_log(connection *c, uint64_t more) {
  request_log_end(c->front->log, c->entry, c->in_flight, c->status, c->bytes_in,
                  c->bytes_out + more);
  c->in_flight = false;
}

/* ---- waiting ---- */

bool exchange_pause(connection *c, double seconds) {
  int64_t until = igt__mono_us() + (int64_t)(seconds * 1e6);

  for (;;) {
    int64_t left = until - igt__mono_us();
    struct pollfd fd = {.fd = c->client.fd, .events = POLLRDHUP};
    if (front_is_stopping(c->front))
      return false;
    if (left <= 0 || front_releases(c->front) != c->releases)
      return true;
    if (poll(&fd, 1, left > 20000 ? 20 : (int)(left / 1000) + 1) > 0 &&
        fd.revents & (POLLRDHUP | POLLHUP | POLLERR))
      return false;
  }
}

/* ---- the connection to the cloud ---- */

static bool is_gone(const wire *w) {
  struct pollfd fd = {.fd = w->fd, .events = POLLIN};

  return poll(&fd, 1, 0) != 0; /* an unsolicited response ends the connection, too */
}

static bool connect_cloud(connection *c) {
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_port = htons(c->front->behind),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, fd;

  if (c->cloud.fd >= 0 && !is_gone(&c->cloud))
    return true;
  wire_close(&c->cloud);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  wire_init(&c->cloud, fd);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
    return false;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return true;
}

/* ---- the request ---- */

bool exchange_drain(connection *c, body *from) {
  char block[BLOCK];
  int64_t n;

  while ((n = body_read(from, block, sizeof block)) > 0)
    c->bytes_in += (uint64_t)n;
  return n == 0;
}

static bool is_within(int64_t at, uint64_t begin, int64_t n) {
  return at >= (int64_t)begin && at < (int64_t)begin + n;
}

typedef enum relayed { RELAYED, CLIENT_BROKE, CLOUD_BROKE, STRUCK } relayed;

/* Relays the request's body to the cloud. */
static relayed relay_request_body(connection *c) {
  body from = body_of_request(&c->client, &c->request);
  int64_t at = c->fault.at < 0 ? 0 : c->fault.at;
  char block[BLOCK];
  int64_t n;

  while ((n = body_read(&from, block, sizeof block)) > 0) {
    if (c->fault.kind == FAULT_FLIP_IN_REQUEST && is_within(at, c->bytes_in, n))
      block[at - (int64_t)c->bytes_in] ^= 1;
    c->bytes_in += (uint64_t)n;
    if (c->fault.kind == FAULT_RESET_IN_REQUEST && (int64_t)c->bytes_in > at)
      return STRUCK;
    if (!body_send(c->cloud.fd, from.framing, block, (size_t)n))
      return exchange_drain(c, &from) ? CLOUD_BROKE : CLIENT_BROKE;
  }
  if (n < 0)
    return CLIENT_BROKE;
  if (from.framing == BODY_CHUNKED && !body_send(c->cloud.fd, BODY_CHUNKED, "", 0))
    return CLOUD_BROKE;
  return RELAYED;
}

/* Relays the cloud's response to "Expect: 100-continue". False: it is the final response, whose
 * body is still to come. */
static bool is_let_go_on(connection *c) {
  if (!head_read_response(&c->cloud, &c->response))
    return false;
  return c->response.status == 100 &&
         wire_send(c->client.fd, c->response.text.data, c->response.text.len);
}

/* *responded: the head of the response has been read already. */
static relayed relay_request(connection *c, bool *responded) {
  *responded = false;
  if (!connect_cloud(c) || !wire_send(c->cloud.fd, c->request.text.data, c->request.text.len))
    return CLOUD_BROKE;
  if (head_has(&c->request, "Expect", "100-continue") && !is_let_go_on(c)) {
    *responded = c->response.status >= 200;
    return CLOUD_BROKE;
  }
  return relay_request_body(c);
}

/* ---- the response's head ---- */

static bool is_checksum(const char *name) {
  return igt__str_starts_nocase(name, "x-amz-checksum-") &&
         !igt__str_eq_nocase(name, "x-amz-checksum-type");
}

static bool find_checksum(void *payload, const char *name) {
  if (!is_checksum(name))
    return true;
  snprintf(payload, 64, "%s", name);
  return false;
}

/* Well-formed but wrong: base64 of zeros, as long as the original. */
static void spoil_checksum(head *response) {
  char name[64] = "x-amz-checksum-sha256", value[128] = "";
  size_t n;

  head_each(response, find_checksum, name);
  if (!head_get(response, name, value, sizeof value))
    snprintf(value, sizeof value, "%.43s=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
  n = strcspn(value, "=-");
  memset(value, 'A', n);
  head_set(response, name, value);
}

static void take_checksums_out(head *response) {
  char name[64] = "";

  for (head_each(response, find_checksum, name); *name; head_each(response, find_checksum, name)) {
    head_set(response, name, NULL);
    *name = '\0';
  }
  head_set(response, "x-amz-checksum-type", NULL);
}

static ending spoil_head(connection *c) {
  switch ((int)c->fault.kind) {
  case FAULT_LOST_RESPONSE:
    return END_RESET;
  case FAULT_SILENCE:
    return c->fault.at >= 0 || exchange_pause(c, c->fault.seconds) ? END_KEEP : END_CLOSE;
  case FAULT_RESET_IN_HEADERS:
    wire_send(c->client.fd, c->response.text.data, c->response.text.len / 2);
    return END_RESET;
  case FAULT_WRONG_ETAG:
    head_set(&c->response, "ETag", "\"00000000000000000000000000000000\"");
    return END_KEEP;
  case FAULT_WRONG_CHECKSUM:
    spoil_checksum(&c->response);
    return END_KEEP;
  case FAULT_NO_CHECKSUM:
    take_checksums_out(&c->response);
    return END_KEEP;
  default:
    return END_KEEP;
  }
}

/* ---- the response's body ---- */

static bool send_slowly(connection *c, body_framing framing, const char *data, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (!body_send(c->client.fd, framing, data + i, 1))
      return false;
    c->bytes_out++;
    if (!exchange_pause(c, 1 / c->fault.per_second))
      return false;
  }
  return true;
}

static bool send_piece(connection *c, body_framing framing, const char *data, int64_t n) {
  if (n == 0)
    return true;
  if (!body_send(c->client.fd, framing, data, (size_t)n))
    return false;
  c->bytes_out += (uint64_t)n;
  return true;
}

/* Where to truncate the body: bytes from its start; INT64_MAX: nowhere. */
static int64_t cut_at(const connection *c, const body *from) {
  int64_t at = c->fault.at < 0 ? 0 : c->fault.at;

  if (c->fault.kind == FAULT_RESET_IN_BODY)
    return from->framing == BODY_LENGTH && at >= (int64_t)from->left ? (int64_t)from->left - 1 : at;
  if (c->fault.kind != FAULT_SHORT_BODY)
    return INT64_MAX;
  if (from->framing != BODY_LENGTH)
    return at;
  return (int64_t)from->left > c->fault.by ? (int64_t)from->left - c->fault.by : 0;
}

/* Sends one block, modified as the plan says. END_KEEP: continue. */
static ending spoil_piece(connection *c, body_framing framing, char *data, int64_t n, int64_t cut) {
  int64_t at = c->fault.at < 0 ? 0 : c->fault.at, done = (int64_t)c->bytes_out;

  if (done + n > cut) {
    send_piece(c, framing, data, cut - done);
    return c->fault.kind == FAULT_RESET_IN_BODY ? END_RESET : END_CLOSE;
  }
  if (c->fault.kind == FAULT_FLIP && is_within(at, c->bytes_out, n))
    data[at - done] ^= 1;
  if (c->fault.kind == FAULT_TRICKLE)
    return send_slowly(c, framing, data, n) ? END_KEEP : END_CLOSE;
  if (c->fault.kind == FAULT_SILENCE && c->fault.at >= 0 && is_within(at, c->bytes_out, n)) {
    if (!send_piece(c, framing, data, at - done) || !exchange_pause(c, c->fault.seconds))
      return END_CLOSE;
    data += at - done;
    n -= at - done;
  }
  return send_piece(c, framing, data, n) ? END_KEEP : END_CLOSE;
}

static ending send_more(connection *c) {
  for (int64_t i = 0; i < c->fault.by; i++)
    if (!wire_send(c->client.fd, "?", 1))
      return END_CLOSE;
  return END_CLOSE;
}

/* Faults of a body hold it up or cut it: it is logged as far as it came. */
static bool is_spoilt(const connection *c) {
  return c->fault.kind != FAULT_NONE &&
         (fault_stage_of(c->fault.kind) == FAULT_AT_BODY || c->fault.kind == FAULT_SILENCE);
}

static ending relay_response_body(connection *c, body *from) {
  int64_t cut = cut_at(c, from);
  char block[BLOCK];
  int64_t n;

  while ((n = body_read(from, block, sizeof block)) > 0) {
    if (from->ended && !is_spoilt(c))
      exchange_log(c, (uint64_t)n);
    ending end = spoil_piece(c, from->framing, block, n, cut);
    if (end != END_KEEP)
      return end;
  }
  if (n < 0)
    return END_RESET; /* the cloud broke off: so does the front */
  if (c->fault.kind == FAULT_LONG_BODY)
    return send_more(c);
  if (from->framing == BODY_CHUNKED) {
    exchange_log(c, 0);
    if (!body_send(c->client.fd, BODY_CHUNKED, "", 0))
      return END_CLOSE;
  }
  return from->framing == BODY_TO_END ? END_CLOSE : END_KEEP;
}

static bool is_over(const connection *c) {
  return head_has(&c->request, "Connection", "close") ||
         head_has(&c->response, "Connection", "close");
}

static ending relay_response(connection *c, bool head_is_there) {
  body from;
  ending end;

  while (!head_is_there || c->response.status < 200) {
    if (!head_read_response(&c->cloud, &c->response))
      return END_RESET;
    head_is_there = true;
  }
  from = body_of_response(&c->cloud, &c->response, c->request.method);
  end = spoil_head(c);
  if (end != END_KEEP)
    return end;
  c->status = c->response.status;
  if (from.ended)
    exchange_log(c, 0);
  if (!wire_send(c->client.fd, c->response.text.data, c->response.text.len))
    return END_CLOSE;
  end = relay_response_body(c, &from);
  return end == END_KEEP && is_over(c) ? END_CLOSE : end;
}

static ending relay(connection *c) {
  bool responded = false;

  if (c->fault.kind == FAULT_REPLACE)
    replace_object(c->front->server, c->request.path);
  switch (relay_request(c, &responded)) {
  case RELAYED:
    return relay_response(c, false);
  case CLOUD_BROKE: /* it may have responded before the end of the request's body */
    if (c->cloud.fd >= 0)
      relay_response(c, responded);
    return c->status ? END_CLOSE : END_RESET;
  case CLIENT_BROKE:
    return END_CLOSE;
  case STRUCK:
    break;
  }
  return END_RESET;
}

/* ---- one request ---- */

static ending strike_before(connection *c) {
  body from = body_of_request(&c->client, &c->request);

  if (!exchange_drain(c, &from))
    return END_CLOSE;
  if (c->fault.kind == FAULT_REFUSE)
    front_refuse(c->front, c->fault.seconds);
  return END_RESET;
}

ending exchange_run(connection *c) {
  sbx_front *front = c->front;
  ending end;

  if (control_is_for(&c->request))
    return control_run(c);
  c->status = 0;
  c->bytes_in = c->bytes_out = 0;
  c->entry = request_log_begin(front->log, c->number, &c->request);
  c->in_flight = true;
  c->releases = front_releases(front);
  fault_plan_take(front->plan, c->request.method, c->request.path, c->request.query,
                  request_log_in_flight(front->log), &c->fault);
  request_log_strike(front->log, c->entry, c->fault.kind);
  if (c->fault.kind != FAULT_NONE && fault_stage_of(c->fault.kind) == FAULT_AT_RESPONSE)
    end = response_fault(c);
  else if (fault_stage_of(c->fault.kind) == FAULT_AT_BEFORE)
    end = strike_before(c);
  else
    end = relay(c);
  if (end != END_KEEP)
    wire_close(&c->cloud);
  if (c->in_flight || end != END_KEEP)
    exchange_log(c, 0);
  return end;
}
