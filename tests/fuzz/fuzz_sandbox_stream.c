/* SPDX-License-Identifier: MIT */
/* Any bytes on a connection to the sandbox: it responds or closes, and serves the next
 * connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "demand.h"
#include "folder.h"
#include "server.h"

/* Far longer than a response takes on a busy machine; a connection that stays open is a finding. */
#define PATIENCE_MS 60000

static sbx_server server;
static char dir[64];
static uint16_t port;

static void take_down(void) {
  sbx_http_stop(server.http);
  sbx_store_close(server.store);
  sbx_s3_free(server.s3);
  remove_folder(dir);
}

static const sbx_handler *route(void *of, sbx_request *req) {
  if (sbx_canned_take(of, req))
    return &sbx_canned_handler;
  return igt__str_starts(req->path, "/api/") || igt__str_starts(req->path, "/__")
             ? &sbx_rest_handler
             : &sbx_s3_handler;
}

static void set_up(void) {
  const sbx_http_options options = {.host = "127.0.0.1"};
  char error[512];

  strcpy(dir, "/tmp/fuzz-stream-XXXXXX");
  demand(mkdtemp(dir) != NULL);
  server = (sbx_server){.data_dir = dir,
                        .base_url = "http://127.0.0.1:9",
                        .token_lifetime = 864000,
                        .s3_lifetime = 864000};
  server.s3 = sbx_s3_new();
  server.store = sbx_store_open(dir, error, sizeof error);
  demand(server.s3 && server.store && sbx_seed(&server, "demo", error, sizeof error));
  server.http = sbx_http_start(&options, route, &server, error, sizeof error);
  demand(server.http != NULL);
  port = sbx_http_port(server.http);
  atexit(take_down);
}

static int dial(void) {
  static unsigned count;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)}, from = to;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

  /* The server closes first, and its ports stay in TIME_WAIT for a minute: with one address, ports
   * would soon run out. */
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  from.sin_addr.s_addr = htonl(0x7f010000u | (count++ / 1000 % 250 + 1));
  from.sin_port = 0;
  demand(fd >= 0);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  demand(bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
  demand(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
  return fd;
}

/* Reads until the peer closes. A response must start as one. */
static void read_all(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  char piece[65536];
  bool first = true;

  for (;;) {
    int ready;
    do
      ready = poll(&p, 1, PATIENCE_MS);
    while (ready < 0 && errno == EINTR); /* interrupted by libFuzzer's timer */
    demand(ready == 1);
    ssize_t n = read(fd, piece, sizeof piece);
    if (n <= 0)
      return;
    demand(!first || (n >= 5 && memcmp(piece, "HTTP/", 5) == 0));
    first = false;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int fd;

  if (!port)
    set_up();
  fd = dial();
  for (size_t at = 0; at < size;) {
    ssize_t n = send(fd, data + at, size - at, MSG_NOSIGNAL);
    if (n <= 0)
      break;
    at += (size_t)n;
  }
  shutdown(fd, SHUT_WR);
  read_all(fd);
  close(fd);
  return 0;
}
