/* SPDX-License-Identifier: MIT */
/* The scripted HTTP/1.1 server of the unit tests. One thread accepts, each connection has its own;
 * it parses requests, records them, takes the next response of the script (or asks the handler) and
 * sends it, broken in the way that the response's kind says. Waiting uses one condition variable,
 * so that tests never sleep. Running out of memory aborts the test. */
#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_HEAD (256 * 1024)

typedef struct connection {
  struct connection *next;
  http_server *server;
  pthread_t thread;
  int fd; /* -1 when closed; guarded by the server's lock */
  unsigned number;
  char *in; /* data that was read but not consumed */
  size_t in_len;
} connection;

struct http_server {
  int fd;
  unsigned port;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* guarded by lock */
  connection *connections;
  unsigned connection_count;
  http_response *script;
  size_t script_count, script_next;
  http_handler handler;
  void *payload;
  http_seen **seen;
  size_t seen_count;
  bool keep_nothing, released, stopping;
  char **urls;
  size_t url_count;
};

static void *must(void *p) {
  if (!p)
    abort();
  return p;
}

/* ---- bytes ---- */

static bool send_all(connection *c, const char *data, size_t n) {
  while (n > 0) {
    ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    data += sent;
    n -= (size_t)sent;
  }
  return true;
}

static bool send_bytewise(connection *c, const char *data, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!send_all(c, data + i, 1))
      return false;
  return true;
}

static bool read_more(connection *c) {
  ssize_t n;

  c->in = must(realloc(c->in, c->in_len + 64 * 1024 + 1));
  n = recv(c->fd, c->in + c->in_len, 64 * 1024, 0);
  if (n <= 0)
    return false;
  c->in_len += (size_t)n;
  c->in[c->in_len] = '\0';
  return true;
}

static void take_in(connection *c, size_t n) {
  memmove(c->in, c->in + n, c->in_len - n + 1);
  c->in_len -= n;
}

/* ---- requests ---- */

static void free_seen(http_seen *seen) {
  free(seen->target);
  free(seen->headers);
  free(seen->body);
  free(seen);
}

const char *http_seen_header(const http_seen *seen, const char *name) {
  static _Thread_local char value[16384];
  size_t n = strlen(name);

  for (const char *line = seen->headers; *line; line = strstr(line, "\r\n") + 2) {
    if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
      const char *from = line + n + 1 + strspn(line + n + 1, " ");
      snprintf(value, sizeof value, "%.*s", (int)strcspn(from, "\r"), from);
      return value;
    }
  }
  return NULL;
}

static http_seen *parse_head(connection *c, size_t head_len) {
  http_seen *seen = must(calloc(1, sizeof *seen));
  char *line_end = strstr(c->in, "\r\n");
  char target[16384] = "";

  *line_end = '\0';
  sscanf(c->in, "%15s %16383s", seen->method, target);
  seen->target = must(strdup(target));
  seen->headers = must(strndup(line_end + 2, head_len - 2 - (size_t)(line_end + 2 - c->in)));
  seen->connection = c->number;
  take_in(c, head_len);
  return seen;
}

static bool read_body(connection *c, http_seen *seen) {
  const char *length = http_seen_header(seen, "Content-Length");
  size_t n = length ? strtoul(length, NULL, 10) : 0;

  while (c->in_len < n)
    if (!read_more(c))
      return false;
  seen->body = must(calloc(1, n + 1));
  seen->body_len = n;
  if (n > 0) {
    memcpy(seen->body, c->in, n);
    take_in(c, n);
  }
  return true;
}

static http_seen *read_request(connection *c) {
  char *end = NULL;
  http_seen *seen;

  while (c->in_len == 0 || (end = strstr(c->in, "\r\n\r\n")) == NULL)
    if (c->in_len > MAX_HEAD || !read_more(c))
      return NULL;
  seen = parse_head(c, (size_t)(end + 4 - c->in));
  if (read_body(c, seen))
    return seen;
  free_seen(seen);
  return NULL;
}

/* ---- responses ---- */

/* False if the server stops first. */
static bool wait_for_release(http_server *server) {
  bool released;

  pthread_mutex_lock(&server->lock);
  while (!server->released && !server->stopping)
    pthread_cond_wait(&server->changed, &server->lock);
  released = server->released;
  pthread_mutex_unlock(&server->lock);
  return released;
}

static bool send_endless(connection *c, const char *head, const char *part) {
  if (!send_all(c, head, strlen(head)))
    return false;
  while (send_all(c, part, strlen(part)))
    ;
  return false;
}

static void reset(connection *c) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};

  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static char *encode_head(const http_response *response, bool has_body, size_t *len) {
  const char *headers = response->headers ? response->headers : "";
  int status = response->status ? response->status : 200;
  char length[64] = "", *head;

  if (!strcasestr(headers, "Content-Length:") && !strcasestr(headers, "Transfer-Encoding:") &&
      status != 204 && status != 304)
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", has_body ? response->body_len : 0);
  if (asprintf(&head, "HTTP/1.1 %d Status\r\n%s%s%s\r\n", status, headers, length,
               response->close ? "Connection: close\r\n" : "") < 0)
    abort();
  *len = strlen(head);
  return head;
}

/* True if the connection stays open. */
static bool send_plain(connection *c, const http_response *response, bool head_only) {
  size_t head_len, body_len = head_only ? 0 : response->body_len;
  char *head = encode_head(response, true, &head_len);
  bool ok;

  head = must(realloc(head, head_len + body_len + 1));
  if (body_len > 0)
    memcpy(head + head_len, response->body, body_len);
  switch ((int)response->fault) {
  case HTTP_BYTEWISE:
    ok = send_bytewise(c, head, head_len + body_len);
    break;
  case HTTP_CUT_BODY:
    send_all(c, head, head_len + response->cut);
    ok = false;
    break;
  case HTTP_HOLD_BODY:
    ok = send_all(c, head, head_len + response->cut) && wait_for_release(c->server) &&
         send_all(c, head + head_len + response->cut, body_len - response->cut);
    break;
  default:
    ok = send_all(c, head, head_len + body_len);
  }
  free(head);
  return ok && !response->close;
}

static bool send_response(connection *c, const http_seen *seen, http_response *response) {
  if (response->body && response->body_len == 0)
    response->body_len = strlen(response->body);
  switch (response->fault) {
  case HTTP_RESET:
    reset(c);
    return false;
  case HTTP_CLOSE:
    return false;
  case HTTP_RESET_IN_HEADER:
    send_all(c, "HTTP/1.1 200 OK\r\nX-", 19);
    return false;
  case HTTP_ENDLESS_LINES:
    return send_endless(c, "HTTP/1.1 200 OK\r\n", "X-More: and more\r\n");
  case HTTP_ENDLESS_LINE:
    return send_endless(c, "HTTP/1.1 200 OK\r\nX-Long: ", "0123456789abcdef");
  case HTTP_ENDLESS_BODY:
    return send_endless(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                        "10\r\n0123456789abcdef\r\n");
  case HTTP_NOT_HTTP:
    send_all(c, response->body, response->body_len);
    return false;
  case HTTP_HOLD:
    if (!wait_for_release(c->server))
      return false;
    break;
  case HTTP_FINE:
  case HTTP_CUT_BODY:
  case HTTP_BYTEWISE:
  case HTTP_HOLD_BODY:
    break;
  }
  return send_plain(c, response, strcmp(seen->method, "HEAD") == 0);
}

static http_response next_response(http_server *server, http_seen *seen) {
  http_response response = {0};

  pthread_mutex_lock(&server->lock);
  if (server->script_next < server->script_count)
    response = server->script[server->script_next++];
  else if (server->handler)
    response = server->handler(server->payload, seen);
  if (!server->keep_nothing) {
    server->seen = must(realloc(server->seen, (server->seen_count + 1) * sizeof *server->seen));
    server->seen[server->seen_count] = seen;
  }
  server->seen_count++;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
  return response;
}

/* ---- threads ---- */

static void *serve(void *arg) {
  connection *c = arg;
  http_seen *seen;
  bool more = true;

  while (more && (seen = read_request(c)) != NULL) {
    http_response response = next_response(c->server, seen);
    more = send_response(c, seen, &response);
    if (c->server->keep_nothing)
      free_seen(seen);
  }
  pthread_mutex_lock(&c->server->lock);
  close(c->fd);
  c->fd = -1;
  pthread_mutex_unlock(&c->server->lock);
  free(c->in);
  c->in = NULL;
  return NULL;
}

static void *accept_all(void *arg) {
  http_server *server = arg;
  int fd, one = 1;

  while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
    connection *c = must(calloc(1, sizeof *c));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->server = server;
    c->fd = fd;
    pthread_mutex_lock(&server->lock);
    c->number = ++server->connection_count;
    c->next = server->connections;
    server->connections = c;
    if (server->stopping)
      shutdown(fd, SHUT_RDWR);
    if (pthread_create(&c->thread, NULL, serve, c) != 0)
      abort();
    pthread_mutex_unlock(&server->lock);
  }
  return NULL;
}

http_server *http_server_start(void) {
  http_server *server = must(calloc(1, sizeof *server));
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;

  server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&at, sizeof at) != 0 ||
      listen(server->fd, 128) != 0 || getsockname(server->fd, (struct sockaddr *)&at, &len) != 0)
    abort();
  server->port = ntohs(at.sin_port);
  pthread_mutex_init(&server->lock, NULL);
  pthread_cond_init(&server->changed, NULL);
  if (pthread_create(&server->thread, NULL, accept_all, server) != 0)
    abort();
  return server;
}

static void join_connections(http_server *server) {
  connection *c;

  pthread_mutex_lock(&server->lock);
  for (c = server->connections; c; c = c->next)
    if (c->fd >= 0)
      shutdown(c->fd, SHUT_RDWR);
  c = server->connections;
  pthread_mutex_unlock(&server->lock);
  while (c) {
    connection *next = c->next;
    pthread_join(c->thread, NULL);
    free(c);
    c = next;
  }
}

void http_server_stop(http_server *server) {
  pthread_mutex_lock(&server->lock);
  server->stopping = true;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
  shutdown(server->fd, SHUT_RDWR);
  pthread_join(server->thread, NULL);
  close(server->fd);
  join_connections(server);
  http_server_forget(server);
  for (size_t i = 0; i < server->url_count; i++)
    free(server->urls[i]);
  free(server->urls);
  free(server->script);
  pthread_mutex_destroy(&server->lock);
  pthread_cond_destroy(&server->changed);
  free(server);
}

/* ---- the interface for tests ---- */

unsigned http_server_port(const http_server *server) {
  return server->port;
}

const char *http_server_url(http_server *server, const char *path) {
  char *url;

  if (asprintf(&url, "http://127.0.0.1:%u%s", server->port, path) < 0)
    abort();
  pthread_mutex_lock(&server->lock);
  server->urls = must(realloc(server->urls, (server->url_count + 1) * sizeof *server->urls));
  server->urls[server->url_count++] = url;
  pthread_mutex_unlock(&server->lock);
  return url;
}

void http_server_add(http_server *server, http_response response) {
  pthread_mutex_lock(&server->lock);
  server->script = must(realloc(server->script, (server->script_count + 1) * sizeof response));
  server->script[server->script_count++] = response;
  pthread_mutex_unlock(&server->lock);
}

void http_server_handle(http_server *server, http_handler handler, void *payload) {
  pthread_mutex_lock(&server->lock);
  server->handler = handler;
  server->payload = payload;
  pthread_mutex_unlock(&server->lock);
}

void http_server_wait(http_server *server, size_t n) {
  pthread_mutex_lock(&server->lock);
  while (server->seen_count < n)
    pthread_cond_wait(&server->changed, &server->lock);
  pthread_mutex_unlock(&server->lock);
}

size_t http_server_count(http_server *server) {
  size_t n;

  pthread_mutex_lock(&server->lock);
  n = server->seen_count;
  pthread_mutex_unlock(&server->lock);
  return n;
}

const http_seen *http_server_seen(http_server *server, size_t i) {
  const http_seen *seen = NULL;

  pthread_mutex_lock(&server->lock);
  if (i < server->seen_count && !server->keep_nothing)
    seen = server->seen[i];
  pthread_mutex_unlock(&server->lock);
  if (!seen)
    abort();
  return seen;
}

void http_server_forget(http_server *server) {
  pthread_mutex_lock(&server->lock);
  for (size_t i = 0; i < server->seen_count && server->seen; i++)
    free_seen(server->seen[i]);
  free(server->seen);
  server->seen = NULL;
  server->seen_count = 0;
  pthread_mutex_unlock(&server->lock);
}

void http_server_keep_nothing(http_server *server) {
  pthread_mutex_lock(&server->lock);
  server->keep_nothing = true;
  pthread_mutex_unlock(&server->lock);
}

void http_server_release(http_server *server) {
  pthread_mutex_lock(&server->lock);
  server->released = true;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}
