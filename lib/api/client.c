/* SPDX-License-Identifier: MIT */
/* The igt_client: one account on one cloud. It owns the HTTP client and the session, which all
 * calls and transfers of the program share. Programs create it; lib/cloud, lib/transfer and call.c
 * get its parts through client.h. */
#include "api/client.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sized.h"
#include "http/timetable.h"
#include "igtcloud/version.h"

/* Concurrent connections to S3 at first: enough to fill a line of 1 Gbit/s over a long distance
 * with large files. Small files need more, and get more while that helps, up to
 * MOST_CONNECTIONS. */
#define FIRST_CONNECTIONS 16
#define MOST_CONNECTIONS 128
/* Additional connections for the cloud's REST API: listings, and a call for each uploaded file,
 * which takes as long as the PUT before it. Half as many as to S3, and at least this many. */
#define LEAST_API_CONNECTIONS 8

struct igt_client {
  igt_client *of; /* not NULL: a view, which owns its cancel alone */
  igt__http *http;
  igt__session *session;
  igt__cancel *cancel;
  unsigned max_connections;
  char origin[300];
  int64_t
      clock_ahead; /* atomic; seconds by which the cloud's clock is ahead of ours; not a view's */
  pthread_mutex_t lock;
  igt__attached *attached; /* guarded by lock */
};

const char *igt_version(void) {
  return IGT__VERSION;
}

/* meson.build and version.h name one version; as an enum, since both expand to the same words. */
enum { BUILT_VERSION = IGT__VERSION_NUM };
_Static_assert(IGT_VERSION_NUM == BUILT_VERSION,
               "igtcloud/version.h and meson.build have different versions");

bool igt_version_check(unsigned major, unsigned minor) {
  return major == IGT_VERSION_MAJOR && minor <= IGT_VERSION_MINOR;
}

/* ---- making one ---- */

static igt_status set_origin(igt_client *client, const char *domain, igt_error *err) {
  igt__url url;
  igt_status status;

  if (!domain || !*domain)
    return igt__fail(err, IGT_E_INVALID, "no domain was given");
  status = igt__url_parse(domain, "the domain", &url, err);
  if (status != IGT_OK)
    return status;
  if (url.path[0] && strcmp(url.path, "/") != 0)
    return igt__fail(err, IGT_E_INVALID, "the domain %s must not have a path", domain);
  igt__url_origin(&url, client->origin, sizeof client->origin);
  return IGT_OK;
}

static unsigned retries(int wanted) {
  return wanted < 0 ? UINT_MAX : (unsigned)wanted;
}

unsigned igt__client_api_connections(unsigned connections) {
  unsigned n = connections + connections / 2;

  return n > LEAST_API_CONNECTIONS ? n : LEAST_API_CONNECTIONS;
}

static igt_status make_http(igt_client *client, const igt_client_options *options, igt_error *err) {
  char agent[256];
  igt__timetable table = {.count = 0};
  igt__http_options http = {.user_agent = agent,
                            .ca_file = options->ca_file,
                            .proxy = options->proxy,
                            .proxy_source = options->proxy_source,
                            .connect_timeout_ms = options->connect_timeout_ms,
                            .idle_timeout_ms = options->idle_timeout_ms,
                            .retries = retries(options->retries),
                            .max_connections = client->max_connections +
                                               igt__client_api_connections(client->max_connections),
                            .bytes_per_second = options->bytes_per_second,
                            .timetable = &table};

  if (options->bandwidth && igt__timetable_parse(options->bandwidth, &table, err) != IGT_OK)
    return IGT_E_INVALID;
  snprintf(agent, sizeof agent, "%.200s%sigtcloud/%s",
           options->user_agent ? options->user_agent : "",
           options->user_agent && *options->user_agent ? " " : "", igt_version());
  return igt__http_new(&http, &client->http, err);
}

static igt_status make_session(igt_client *client, const igt_client_options *options,
                               igt_error *err) {
  igt__session_options session = {.http = client->http,
                                  .origin = client->origin,
                                  .user = options->user,
                                  .service_file = options->service_file,
                                  .service_key = options->service_key,
                                  .jwt = options->jwt,
                                  .csrf = options->csrf,
                                  .token_file = options->token_file,
                                  .audience = options->audience,
                                  .no_token_file = options->no_token_file,
                                  .no_environment = options->no_environment,
                                  .prompt = options->prompt,
                                  .prompt_payload = options->prompt_payload,
                                  .cancel = client->cancel};

  return igt__session_new(&session, &client->session, err);
}

igt_status igt_bandwidth_check(const char *text, igt_error *err) {
  igt__timetable table;

  return igt__timetable_parse(text, &table, err);
}

igt_status igt_client_new(const igt_client_options *options, igt_client **out, igt_error *err) {
  igt_client_options own;
  igt_client *client;
  igt_status status;

  igt__error_clear(err);
  *out = NULL;
  status = igt__options_read(&own, sizeof own, options, "igt_client_options", err);
  if (status != IGT_OK)
    return status;
  client = igt__calloc(1, sizeof *client);
  if (!client)
    return igt__fail_memory(err);
  (void)pthread_mutex_init(&client->lock, NULL);
  client->cancel = igt__cancel_ref(own.cancel);
  client->max_connections = own.max_connections ? own.max_connections : MOST_CONNECTIONS;
  status = set_origin(client, own.domain, err);
  if (status == IGT_OK)
    status = make_http(client, &own, err);
  if (status == IGT_OK)
    status = make_session(client, &own, err);
  if (status != IGT_OK) {
    igt_client_free(client);
    return status;
  }
  *out = client;
  return IGT_OK;
}

void igt__client_note_date(igt_client *client, int64_t server_date) {
  igt_client *own = client->of ? client->of : client;

  if (server_date)
    __atomic_store_n(&own->clock_ahead, server_date - igt__wall_seconds(), __ATOMIC_RELAXED);
}

int64_t igt__client_cloud_seconds(igt_client *client) {
  igt_client *own = client->of ? client->of : client;

  return igt__wall_seconds() + __atomic_load_n(&own->clock_ahead, __ATOMIC_RELAXED);
}

igt_client *igt__client_view(igt_client *client, igt__cancel *cancel) {
  igt_client *view = igt__calloc(1, sizeof *view);

  if (!view)
    return NULL;
  view->of = client->of ? client->of : client;
  view->http = client->http;
  view->session = client->session;
  view->max_connections = client->max_connections;
  memcpy(view->origin, client->origin, sizeof view->origin);
  view->cancel = igt__cancel_ref(cancel);
  return view;
}

igt__attached *igt__client_attached(igt_client *client,
                                    igt__attached *(*attach)(igt_client *client)) {
  igt_client *owner = client->of ? client->of : client;
  igt__attached *attached;

  pthread_mutex_lock(&owner->lock);
  if (!owner->attached)
    owner->attached = attach(owner);
  attached = owner->attached;
  pthread_mutex_unlock(&owner->lock);
  return attached;
}

static void forget_attached(igt_client *client) {
  igt__attached *attached;

  pthread_mutex_lock(&client->lock);
  attached = client->attached;
  pthread_mutex_unlock(&client->lock);
  if (attached)
    attached->forget(attached);
}

void igt_client_free(igt_client *client) {
  if (!client)
    return;
  if (!client->of) {
    if (client->attached)
      client->attached->release(client->attached);
    (void)pthread_mutex_destroy(&client->lock);
    igt__session_free(client->session);
    igt__http_free(client->http);
  }
  igt__cancel_unref(client->cancel);
  igt__free(client);
}

/* ---- the session ---- */

static igt_status need_client(const igt_client *client, igt_error *err) {
  igt__error_clear(err);
  return client ? IGT_OK : igt__fail(err, IGT_E_INVALID, "no client was given");
}

igt_status igt_client_sign_in(igt_client *client, igt_error *err) {
  igt_status status = need_client(client, err);

  return status == IGT_OK ? igt__session_sign_in(client->session, false, err) : status;
}

igt_status igt_client_sign_out(igt_client *client, igt_error *err) {
  igt_status status = need_client(client, err);

  if (status != IGT_OK)
    return status;
  forget_attached(client);
  return igt__session_sign_out(client->session, err);
}

igt_status igt_client_identity(igt_client *client, igt_identity *out, igt_error *err) {
  igt_identity own = IGT_IDENTITY_INIT;
  igt_status status = need_client(client, err);

  if (status == IGT_OK)
    status = igt__result_check(out, "igt_identity", err);
  if (status != IGT_OK)
    return status;
  igt__session_identity(client->session, &own);
  igt__result_write(out, &own, sizeof own);
  if (own.source == IGT_SESSION_NONE)
    return igt__fail(err, IGT_E_NO_SESSION, "not signed in to %s; run `igtcloud login`",
                     client->origin);
  return IGT_OK;
}

igt_status igt_client_token(igt_client *client, igt_token **out, igt_error *err) {
  igt_status status = need_client(client, err);

  *out = NULL;
  return status == IGT_OK ? igt__session_token(client->session, out, err) : status;
}

igt_status igt_login_hold(igt_client *client, igt_login_fn fn, void *payload, igt_error *err) {
  igt_status status = need_client(client, err);

  return status == IGT_OK ? igt__session_hold(client->session, fn, payload, err) : status;
}

const char *igt_client_domain(const igt_client *client) {
  return client ? client->origin : "";
}

/* ---- for other layers ---- */

igt__http *igt__client_http(igt_client *client) {
  return client->http;
}

igt__session *igt__client_session(igt_client *client) {
  return client->session;
}

igt__cancel *igt__client_cancel(igt_client *client) {
  return client->cancel;
}

const char *igt__client_origin(const igt_client *client) {
  return client->origin;
}

unsigned igt__client_max_connections(const igt_client *client) {
  return client->max_connections;
}

unsigned igt__client_connections(const igt_client *client) {
  return client->max_connections < FIRST_CONNECTIONS ? client->max_connections : FIRST_CONNECTIONS;
}

/* ---- structs of programs ---- */

IGT__DEFINE_INIT(igt_client_options)
IGT__DEFINE_INIT(igt_identity)
