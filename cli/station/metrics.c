/* SPDX-License-Identifier: MIT */
/* --metrics: serves GET /metrics, the state of the station in the OpenMetrics text format, from the
 * station's loop without ever waiting: it accepts a few connections, each with one request of at
 * most 2 KiB and some seconds, and all get the same response. Only loopback addresses are accepted
 * unless --metrics-anywhere is given. The metrics have numbers only, no names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "igtcloud/version.h"
#include "station/station.h"

#define REQUEST_SIZE 2048
#define PATIENCE_MS 5000

typedef struct connection {
  os_source socket; /* OS_NO_SOURCE: free */
  int64_t deadline;
  char request[REQUEST_SIZE];
  size_t have;
  char *response;
  size_t length, sent;
} connection;

struct metrics_server {
  os_source listening;
  connection v[METRICS_CONNECTIONS];
};

/* ---- the numbers ---- */

typedef enum metric_kind { GAUGE, COUNTER } metric_kind;

static void put_metric(FILE *out, metric_kind kind, const char *name, const char *unit,
                       const char *help, double value) {
  const char *suffix = kind == COUNTER ? "_total" : "";

  fprintf(out, "# TYPE igtcloud_station_%s %s\n", name, kind == COUNTER ? "counter" : "gauge");
  if (unit)
    fprintf(out, "# UNIT igtcloud_station_%s %s\n", name, unit);
  fprintf(out, "# HELP igtcloud_station_%s %s\n", name, help);
  fprintf(out, "igtcloud_station_%s%s %.17g\n", name, suffix, value);
}

static void put_studies(FILE *out, const station_counts *c) {
  fputs("# TYPE igtcloud_station_studies gauge\n"
        "# HELP igtcloud_station_studies Studies in the watched folders.\n",
        out);
  fprintf(out, "igtcloud_station_studies{state=\"settling\"} %llu\n",
          (unsigned long long)c->settling);
  fprintf(out, "igtcloud_station_studies{state=\"ready\"} %llu\n", (unsigned long long)c->ready);
  fprintf(out, "igtcloud_station_studies{state=\"uploading\"} %llu\n",
          (unsigned long long)c->active);
  fprintf(out, "igtcloud_station_studies{state=\"stuck\"} %llu\n", (unsigned long long)c->stuck);
}

static void put_times(FILE *out, const station *st, const station_counts *c) {
  int64_t waits = c->oldest ? station_wall() - c->oldest : 0;

  put_metric(out, GAUGE, "oldest_waiting_seconds", "seconds",
             "How long the oldest study has been waiting.", (double)(waits > 0 ? waits : 0));
  put_metric(out, GAUGE, "start_timestamp_seconds", "seconds", "When the station was started.",
             (double)st->started);
  if (st->totals.last_success)
    put_metric(out, GAUGE, "last_success_timestamp_seconds", "seconds",
               "When a study was last uploaded and verified.", (double)st->totals.last_success);
  if (st->found.identity.expires)
    put_metric(out, GAUGE, "session_expiry_timestamp_seconds", "seconds",
               "When the session has to be renewed, which the station does.",
               (double)st->found.identity.expires);
  if (st->found.key_expires)
    put_metric(out, GAUGE, "key_expiry_timestamp_seconds", "seconds",
               "When the key of the service identity expires: rotate it before.",
               (double)st->found.key_expires);
}

static void put_totals(FILE *out, const station *st) {
  const station_totals *t = &st->totals;

  put_metric(out, COUNTER, "uploaded_studies", NULL, "Studies that were uploaded and verified.",
             (double)t->uploaded);
  put_metric(out, COUNTER, "uploaded_bytes", "bytes", "Size of these studies.",
             (double)t->uploaded_bytes);
  put_metric(out, COUNTER, "sent_bytes", "bytes", "Bytes sent, including retries.",
             (double)t->moved_bytes);
  put_metric(out, COUNTER, "failed_studies", NULL, "Studies that were moved to failed.",
             (double)t->failed);
  put_metric(out, COUNTER, "retried_studies", NULL, "Failed attempts that are retried.",
             (double)t->retried);
  put_metric(out, COUNTER, "deleted_studies", NULL, "Uploaded studies that were deleted from done.",
             (double)t->deleted);
  put_metric(out, COUNTER, "hook_failures", NULL, "Runs of the --on-event program that failed.",
             (double)t->hook_failures);
  put_metric(out, COUNTER, "hook_dropped", NULL,
             "Events dropped because that program was too slow.", (double)t->hook_dropped);
}

static void put_all(FILE *out, const station *st) {
  station_counts c = station_count(st);

  fputs("# TYPE igtcloud_station info\n# HELP igtcloud_station The version of the station.\n", out);
  fprintf(out, "igtcloud_station_info{version=\"%s\"} 1\n", igt_version());
  put_studies(out, &c);
  put_metric(out, GAUGE, "waiting_bytes", "bytes", "Size of the studies that wait.",
             (double)c.bytes);
  put_metric(out, GAUGE, "loose_files", NULL,
             "Files that are not in the folder of a study, and are not uploaded.",
             (double)loose_count(st));
  put_metric(out, GAUGE, "online", NULL, "1 if the cloud responds, 0 if not.", !st->offline);
  put_metric(out, GAUGE, "free_bytes", "bytes", "Free space on the disk of the watched folder.",
             (double)policy_free_bytes(&st->roots[0]));
  put_times(out, st, &c);
  put_totals(out, st);
  fputs("# EOF\n", out);
}

/* ---- the responses ---- */

static bool is_get(const char *request, const char *path) {
  size_t n = strlen(path);

  return strncmp(request, "GET ", 4) == 0 && strncmp(request + 4, path, n) == 0 &&
         (request[4 + n] == ' ' || request[4 + n] == '?');
}

static char *respond(const char *request, const station *st, size_t *length) {
  char *body = NULL, *whole = NULL;
  size_t n = 0;
  bool found = is_get(request, "/metrics");
  FILE *out = open_memstream(&body, &n);

  if (out && found)
    put_all(out, st);
  else if (out)
    fputs("the metrics are at /metrics\n", out);
  if (out && fclose(out) == 0 && (out = open_memstream(&whole, length)) != NULL) {
    fprintf(out,
            "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
            found ? "200 OK" : "404 Not Found",
            found ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                  : "text/plain; charset=utf-8",
            n, body);
    (void)fclose(out);
  }
  free(body);
  return whole;
}

/* ---- connections ---- */

static bool is_open(const connection *c) {
  return c->socket != OS_NO_SOURCE;
}

static void hang_up(connection *c) {
  os_hang_up(c->socket);
  free(c->response);
  *c = (connection){.socket = OS_NO_SOURCE};
}

static bool would_block(void) {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* False: the connection is done. */
static bool receive(connection *c, const station *st) {
  ssize_t n = os_receive(c->socket, c->request + c->have, sizeof c->request - 1 - c->have);

  if (n <= 0)
    return n < 0 && would_block();
  c->have += (size_t)n;
  c->request[c->have] = '\0';
  if (strstr(c->request, "\r\n\r\n") || strstr(c->request, "\n\n"))
    c->response = respond(c->request, st, &c->length);
  else if (c->have + 1 < sizeof c->request)
    return true;
  return c->response != NULL;
}

static bool transmit(connection *c) {
  ssize_t n = os_send(c->socket, c->response + c->sent, c->length - c->sent);

  if (n < 0)
    return would_block();
  c->sent += (size_t)n;
  return c->sent < c->length;
}

/* Where all are taken, the one that has had the longest makes place. */
static void accept_one(metrics_server *m) {
  os_source fresh = os_accept(m->listening);
  connection *slot = &m->v[0];

  if (fresh == OS_NO_SOURCE)
    return;
  for (size_t i = 0; i < METRICS_CONNECTIONS; i++)
    if (!is_open(&m->v[i]) || (is_open(slot) && m->v[i].deadline < slot->deadline))
      slot = &m->v[i];
  if (is_open(slot))
    hang_up(slot);
  slot->socket = fresh;
  slot->deadline = station_real_ms() + PATIENCE_MS;
}

size_t metrics_sources(const metrics_server *m, os_waiting *out) {
  size_t n = 0;

  if (!m)
    return 0;
  out[n++] = (os_waiting){.source = m->listening, .interest = OS_RECEIVE};
  for (size_t i = 0; i < METRICS_CONNECTIONS; i++)
    out[n++] =
        (os_waiting){.source = m->v[i].socket, .interest = m->v[i].response ? OS_SEND : OS_RECEIVE};
  return n;
}

void metrics_serve(metrics_server *m, const os_waiting *in, size_t count, const station *st) {
  for (size_t i = 1; i < count; i++) {
    connection *c = &m->v[i - 1];
    bool open = is_open(c);
    if (open && in[i].ready)
      open = c->response ? transmit(c) : receive(c, st);
    if (open && c->response && !c->sent)
      open = transmit(c);
    if (is_open(c) && (!open || station_real_ms() > c->deadline))
      hang_up(c);
  }
  if (in[0].ready)
    accept_one(m);
}

/* "127.0.0.1:9187", "[::1]:9187", "localhost:9187" */
static os_listening listen_on(const char *address, bool anywhere, os_source *out) {
  const char *colon = strrchr(address, ':');
  size_t n = colon ? (size_t)(colon - address) : 0;
  char host[256];

  if (n == 0 || n >= sizeof host || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
    return OS_NO_ADDRESS;
  if (address[0] == '[' && address[n - 1] == ']')
    (void)snprintf(host, sizeof host, "%.*s", (int)n - 2, address + 1);
  else
    (void)snprintf(host, sizeof host, "%.*s", (int)n, address);
  if (strcmp(host, "localhost") == 0)
    (void)snprintf(host, sizeof host, "127.0.0.1");
  return os_listen(host, colon + 1, anywhere, out);
}

metrics_server *metrics_open(const char *address, bool anywhere) {
  os_source listening;
  metrics_server *m = NULL;

  switch (listen_on(address, anywhere, &listening)) {
  case OS_LISTENS:
    m = calloc(1, sizeof *m);
    break;
  case OS_NO_ADDRESS:
    usage_error("--metrics '%s' is not an address such as 127.0.0.1:9187", address);
    return NULL;
  case OS_NOT_LOCAL:
    usage_error("--metrics '%s' can be reached from other machines: use 127.0.0.1, or add "
                "--metrics-anywhere",
                address);
    return NULL;
  case OS_CANNOT_LISTEN:
    complain(IGT_E_IO, "cannot listen on %s for --metrics: %s", address, strerror(errno));
    return NULL;
  }
  if (!m) {
    os_hang_up(listening);
    complain(IGT_E_NO_MEMORY, "out of memory");
    return NULL;
  }
  m->listening = listening;
  for (size_t i = 0; i < METRICS_CONNECTIONS; i++)
    m->v[i].socket = OS_NO_SOURCE;
  return m;
}

void metrics_close(metrics_server *m) {
  if (!m)
    return;
  for (size_t i = 0; i < METRICS_CONNECTIONS; i++)
    if (is_open(&m->v[i]))
      hang_up(&m->v[i]);
  os_hang_up(m->listening);
  free(m);
}
