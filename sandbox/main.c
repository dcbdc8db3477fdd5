/* SPDX-License-Identifier: MIT */
/* The igtcloud-sandbox program: reads the options, opens the store, starts the HTTP server (and
 * with --faults the front before it), seeds the store, writes the root credentials, and waits for
 * SIGINT or SIGTERM. route() selects the handler of each request: canned responses first, /api/ and
 * /__* go to REST, everything else to S3. */
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/str.h"
#include "faults/faults.h"
#include "http/http.h"
#include "server.h"

#define MAX_SECONDS (10 * 365 * 24 * 3600)
#define MAX_LATENCY 60000
#define MAX_CLOCK (366 * 24 * 3600)

typedef struct options {
  const char *data, *host, *seed, *public_url;
  int port, latency_ms, token_lifetime, s3_lifetime, clock;
  bool faults;
  sbx_s3_backend_options backend; /* endpoint NULL: objects are stored below data */
} options;

static const char usage[] =
    "Usage: igtcloud-sandbox --data DIR [options]\n"
    "\n"
    "An IGT Cloud Datalake on your own machine, for development and tests. Do not\n"
    "keep important data in it, and do not expose it to untrusted users.\n"
    "\n"
    "  --data DIR            store everything below DIR (created if missing)\n"
    "  --host HOST           the address to listen on (default 127.0.0.1)\n"
    "  --port N              the port; 0 picks a free one (default 0)\n"
    "  --public-url URL      the S3 endpoint given to clients, when behind a proxy (default: the\n"
    "                        listening address)\n"
    "  --seed demo|FILE      fill an empty DIR with demo content, or from a JSON file\n"
    "  --latency MS          delay each response by MS milliseconds (default 0)\n"
    "  --token-lifetime S    lifetime of a session in seconds (default 3600)\n"
    "  --s3-lifetime S       lifetime of S3 credentials in seconds (default 43200)\n"
    "  --clock S             run S seconds ahead of the machine's clock; negative: behind\n"
    "  --faults              inject faults on request at /__faults, and log requests at\n"
    "                        /__requests\n"
    "  --s3-endpoint URL     store objects in another S3; clients get credentials from its STS\n"
    "  --s3-keys FILE        that account: JSON with accessKey and secretKey\n"
    "  --s3-bucket, --s3-role, --s3-region\n"
    "                        an existing bucket, the ARN of a role that the account may\n"
    "                        assume, and the region (default us-east-1)\n"
    "  --help, --version\n"
    "\n"
    "Prints \"listening on http://HOST:PORT\" once ready. SIGTERM and SIGINT stop it.\n"
    "DIR/root-credentials.json holds the keys of an S3 account with all rights.\n";

/* ---- options ---- */

enum {
  OPT_DATA = 256,
  OPT_HOST,
  OPT_PORT,
  OPT_SEED,
  OPT_PUBLIC,
  OPT_LATENCY,
  OPT_TOKEN,
  OPT_S3,
  OPT_CLOCK,
  OPT_FAULTS,
  OPT_S3_ENDPOINT,
  OPT_S3_KEYS,
  OPT_S3_BUCKET,
  OPT_S3_ROLE,
  OPT_S3_REGION,
  OPT_HELP,
  OPT_VERSION
};

static const struct option long_options[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"host", required_argument, NULL, OPT_HOST},
    {"port", required_argument, NULL, OPT_PORT},
    {"seed", required_argument, NULL, OPT_SEED},
    {"public-url", required_argument, NULL, OPT_PUBLIC},
    {"latency", required_argument, NULL, OPT_LATENCY},
    {"token-lifetime", required_argument, NULL, OPT_TOKEN},
    {"s3-lifetime", required_argument, NULL, OPT_S3},
    {"clock", required_argument, NULL, OPT_CLOCK},
    {"faults", no_argument, NULL, OPT_FAULTS},
    {"s3-endpoint", required_argument, NULL, OPT_S3_ENDPOINT},
    {"s3-keys", required_argument, NULL, OPT_S3_KEYS},
    {"s3-bucket", required_argument, NULL, OPT_S3_BUCKET},
    {"s3-role", required_argument, NULL, OPT_S3_ROLE},
    {"s3-region", required_argument, NULL, OPT_S3_REGION},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {0}};

static bool read_number(const char *name, const char *text, int min, int max, int *out) {
  int64_t value = 0;

  if (igt__str_to_int64(text, &value) && value >= min && value <= max) {
    *out = (int)value;
    return true;
  }
  fprintf(stderr, "igtcloud-sandbox: --%s must be a number from %d to %d, not \"%s\"\n", name, min,
          max, text);
  return false;
}

static bool read_backend_option(sbx_s3_backend_options *backend, int c) {
  switch (c) {
  case OPT_S3_ENDPOINT:
    backend->endpoint = optarg;
    return true;
  case OPT_S3_KEYS:
    backend->keys = optarg;
    return true;
  case OPT_S3_BUCKET:
    backend->bucket = optarg;
    return true;
  case OPT_S3_ROLE:
    backend->role = optarg;
    return true;
  case OPT_S3_REGION:
    backend->region = optarg;
    return true;
  default:
    return false;
  }
}

/* 0: continue; otherwise main's exit status plus one. */
static int read_option(options *o, int c) {
  switch (c) {
  case OPT_DATA:
    o->data = optarg;
    return 0;
  case OPT_HOST:
    o->host = optarg;
    return 0;
  case OPT_SEED:
    o->seed = optarg;
    return 0;
  case OPT_PUBLIC:
    o->public_url = optarg;
    return 0;
  case OPT_PORT:
    return read_number("port", optarg, 0, 65535, &o->port) ? 0 : 3;
  case OPT_LATENCY:
    return read_number("latency", optarg, 0, MAX_LATENCY, &o->latency_ms) ? 0 : 3;
  case OPT_TOKEN:
    return read_number("token-lifetime", optarg, 1, MAX_SECONDS, &o->token_lifetime) ? 0 : 3;
  case OPT_S3:
    return read_number("s3-lifetime", optarg, 1, MAX_SECONDS, &o->s3_lifetime) ? 0 : 3;
  case OPT_CLOCK:
    return read_number("clock", optarg, -MAX_CLOCK, MAX_CLOCK, &o->clock) ? 0 : 3;
  case OPT_FAULTS:
    o->faults = true;
    return 0;
  case OPT_HELP:
    fputs(usage, stdout);
    return 1;
  case OPT_VERSION:
    puts("igtcloud-sandbox " IGT__VERSION);
    return 1;
  default: /* getopt has printed the error, except for these */
    if (read_backend_option(&o->backend, c))
      return 0;
    fputs("Try igtcloud-sandbox --help.\n", stderr);
    return 3;
  }
}

static int read_options(options *o, int argc, char **argv) {
  for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
    int end = read_option(o, c);
    if (end)
      return end;
  }
  if (optind < argc) {
    fprintf(stderr, "igtcloud-sandbox: unexpected argument \"%s\"\n", argv[optind]);
    return 3;
  }
  if (o->backend.endpoint && (!o->backend.keys || !o->backend.bucket || !o->backend.role)) {
    fputs("igtcloud-sandbox: --s3-endpoint needs --s3-keys, --s3-bucket and --s3-role\n", stderr);
    return 3;
  }
  if (o->public_url && !igt__str_starts(o->public_url, "https://") &&
      !igt__str_starts(o->public_url, "http://")) {
    fputs("igtcloud-sandbox: --public-url must begin with https:// or http://\n", stderr);
    return 3;
  }
  if (!o->data || !*o->data) {
    fputs("igtcloud-sandbox: --data DIR is missing\nTry igtcloud-sandbox --help.\n", stderr);
    return 3;
  }
  return 0;
}

/* ---- the clock ---- */

static int64_t clock_shift;
static igt__clock_hooks real_clock;

static int64_t shifted_wall(void) {
  return real_clock.wall() + clock_shift;
}

static void shift_clock(int seconds) {
  static igt__clock_hooks shifted;

  if (seconds == 0)
    return;
  clock_shift = (int64_t)seconds * 1000000;
  real_clock = shifted = igt__clock_get_hooks();
  shifted.wall = shifted_wall;
  igt__clock_set_hooks(&shifted);
}

/* ---- routing ---- */

/* The port is only known once the server listens; requests that arrive before setup has finished
 * get a 503. */
static atomic_bool ready;

static void not_ready(void *server, sbx_request *req) {
  (void)server;
  sbx_add_header(req, "Retry-After", "1");
  sbx_respond(req, 503, "text/plain", "The sandbox is starting.\n", 25);
}

static const sbx_handler starting = {.begin = not_ready};

static const sbx_handler *route(void *server, sbx_request *req) {
  if (!atomic_load(&ready))
    return &starting;
  if (sbx_canned_take(server, req))
    return &sbx_canned_handler;
  if (igt__str_starts(req->path, "/api/") || igt__str_starts(req->path, "/__"))
    return &sbx_rest_handler;
  return &sbx_s3_handler;
}

/* ---- running ---- */

/* With faults the server itself runs behind the front, on a port that is not published. */
static bool start_servers(sbx_server *server, const options *o, char *error, size_t error_cap) {
  const sbx_http_options http = {.host = o->faults ? "127.0.0.1" : o->host,
                                 .port = o->faults ? 0 : (uint16_t)o->port,
                                 .latency_ms = o->latency_ms,
                                 .own_date = o->clock != 0};

  server->http = sbx_http_start(&http, route, server, error, error_cap);
  if (!server->http || !o->faults)
    return server->http != NULL;
  server->front = sbx_front_start(server, o->host, (uint16_t)o->port, sbx_http_port(server->http),
                                  error, error_cap);
  return server->front != NULL;
}

static bool listen_on(sbx_server *server, const options *o, char *base_url, size_t cap, char *error,
                      size_t error_cap) {
  if (!start_servers(server, o, error, error_cap))
    return false;
  bool brackets = strchr(o->host, ':');
  snprintf(base_url, cap, "http://%s%s%s:%u", brackets ? "[" : "", o->host, brackets ? "]" : "",
           server->front ? sbx_front_port(server->front) : sbx_http_port(server->http));
  server->base_url = o->public_url ? o->public_url : base_url;
  return true;
}

static void announce(const options *o, const char *base_url) {
  fprintf(stderr, "igtcloud-sandbox is for development and tests only: do not keep important "
                  "data here.\n");
  if (strcmp(o->host, "127.0.0.1") != 0 && strcmp(o->host, "localhost") != 0 &&
      strcmp(o->host, "::1") != 0)
    fprintf(stderr,
            "igtcloud-sandbox: %s is reachable by others; it has well-known passwords and no "
            "encryption\n",
            base_url);
  printf("listening on %s\n", base_url);
  fflush(stdout);
}

/* Each connection takes a descriptor, and so does the object sent over it; the usual limit is
 * 1,024. */
static void raise_file_limit(void) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

static bool open_store(sbx_server *server, const options *o, char *error, size_t error_cap) {
  server->store = sbx_store_open(o->data, error, error_cap);
  if (!server->store || !o->backend.endpoint)
    return server->store != NULL;
  server->backend = sbx_s3_backend_new(&o->backend, error, error_cap);
  sbx_store_set_backend(server->store, server->backend);
  return server->backend != NULL;
}

/* Signals are blocked in all threads and received here. */
static void wait_for_end(const sigset_t *signals) {
  int signal_number = 0;

  while (sigwait(signals, &signal_number) != 0)
    ;
}

static int run(const options *o, const sigset_t *signals) {
  char base_url[300], error[512] = "out of memory";
  int status = 1;
  sbx_server server = {
      .data_dir = o->data, .token_lifetime = o->token_lifetime, .s3_lifetime = o->s3_lifetime};

  server.s3 = sbx_s3_new();
  server.sessions = sbx_sessions_new();
  if (!server.s3 || !server.sessions || !open_store(&server, o, error, sizeof error) ||
      !listen_on(&server, o, base_url, sizeof base_url, error, sizeof error) ||
      (o->seed && !sbx_seed(&server, o->seed, error, sizeof error)) ||
      !sbx_s3_root_write(&server, error, sizeof error))
    goto out;
  atomic_store(&ready, true);
  announce(o, base_url);
  wait_for_end(signals);
  status = 0;

out:
  if (status)
    fprintf(stderr, "igtcloud-sandbox: %s\n", error);
  sbx_http_stop(server.http);
  sbx_front_stop(server.front);
  sbx_store_close(server.store);
  sbx_s3_backend_free(server.backend);
  sbx_s3_free(server.s3);
  sbx_sessions_free(server.sessions);
  return status;
}

/* The program under test shares the processors. A thread of ours that a request wakes should not
 * preempt the client that sent it and has more to send: fewer context switches, and several
 * requests are handled at a time. 20,000 small files take 4 % less time, and the sandbox 7 % less
 * CPU. */
static void take_turns(void) {
  struct sched_param param = {0};

  (void)sched_setscheduler(0, SCHED_BATCH, &param);
}

int main(int argc, char **argv) {
  options o = {.host = "127.0.0.1",
               .token_lifetime = 3600,
               .s3_lifetime = 12 * 3600, /* the existing client requests new ones at every file if
                                            less than an hour is left */
               .backend = {.region = "us-east-1"}};
  sigset_t signals;
  int end = read_options(&o, argc, argv);

  if (end)
    return end - 1;
  shift_clock(o.clock);
  raise_file_limit();
  igt__curl_own_process();
  take_turns();
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  return run(&o, &signals);
}
