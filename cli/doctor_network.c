/* SPDX-License-Identifier: MIT */
/* The probes of `igtcloud doctor` that need the network: the connection to the cloud, the clock
 * (igt_probe_server), the account, and with a project the store, a read and a write. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "doctor.h"
#include "igtcloud/file.h"
#include "igtcloud/probe.h"

/* ---- the connection to the cloud ---- */

static void report_proxy(doctor *d, const igt_server_info *i, const igt_error *err) {
  if (!*i->proxy)
    found(d, "proxy", VERDICT_OK, NULL, "none");
  else if (err->status == IGT_E_PROXY)
    found(d, "proxy", VERDICT_ERROR, "correct the proxy where it was set, or ask its operator",
          "%s", err->text);
  else
    found(d, "proxy", VERDICT_OK, NULL, "%s, from %s", i->proxy, i->proxy_source);
}

static void report_name(doctor *d, const igt_server_info *i, const igt_error *err) {
  if (err->status == IGT_E_PROXY && i->stage == IGT_PROBE_NAME)
    return;
  if (i->stage == IGT_PROBE_NAME)
    found(d, "dns", VERDICT_ERROR,
          "check --domain and the name server (resolvectl status); behind a proxy, set --proxy",
          "%s", err->text);
  else
    found(d, "dns", VERDICT_OK, NULL, "%s%s %s%s (%" PRIu32 " ms)", *i->proxy ? "the proxy " : "",
          *i->proxy ? i->proxy : i->host, *i->address ? "has the address " : "was found",
          i->address, i->name_us / 1000);
}

static void report_connection(doctor *d, const igt_server_info *i, const igt_error *err) {
  if (i->stage < IGT_PROBE_CONNECT || err->status == IGT_E_PROXY)
    return;
  if (i->stage == IGT_PROBE_CONNECT)
    found(d, "tcp", VERDICT_ERROR,
          "is the cloud running, and does the firewall let this machine connect to that port?",
          "%s", err->text);
  else
    found(d, "tcp", VERDICT_OK, NULL, "connected to %s (%" PRIu32 " ms)",
          *i->proxy ? i->proxy : i->host, i->connect_us / 1000);
}

/* "Dec 31 23:59:59 2026 GMT", as OpenSSL prints it; 0: not understood. */
static int64_t parse_end(const char *text) {
  struct tm tm = {0};

  return strptime(text, "%b %d %H:%M:%S %Y GMT", &tm) ? (int64_t)timegm(&tm) : 0;
}

static void report_distrust(doctor *d, const igt_server_info *i, const igt_error *err) {
  if (!*i->issuer) {
    found(d, "tls", VERDICT_ERROR,
          "if the network inspects TLS, give its certificate with --ca-file", "%s", err->text);
    return;
  }
  found(d, "tls", VERDICT_ERROR,
        "if the issuer is your network's own, save its certificate (PEM) and give it with "
        "--ca-file; otherwise this may not be the cloud",
        "%s; the certificate of %s was issued by %s", err->text, i->subject, i->issuer);
}

static void report_tls(doctor *d, const igt_server_info *i, const igt_error *err) {
  int64_t left = *i->expires ? parse_end(i->expires) - (int64_t)time(NULL) : 0;

  if (i->stage < IGT_PROBE_TLS)
    return;
  if (i->stage == IGT_PROBE_TLS)
    report_distrust(d, i, err);
  else if (!i->is_encrypted)
    found(d, "tls", VERDICT_OK, NULL, "not encrypted: the cloud is on this machine");
  else if (left > 0 && left < 14 * 86400)
    found(d, "tls", VERDICT_WARNING, "tell the cloud's administrator",
          "the certificate of %s expires on %s", i->host, i->expires);
  else
    found(d, "tls", VERDICT_OK, NULL,
          "%s, issued by %s, chain of %" PRIu32 " up to %s (%" PRIu32 " ms); trusted: %s",
          i->subject, i->issuer, i->certificates, i->root, i->tls_us / 1000, i->trusted);
}

static void report_response(doctor *d, const igt_server_info *i, const igt_error *err) {
  if (i->stage == IGT_PROBE_RESPONSE)
    found(d, "http", VERDICT_ERROR, "is something else at this address? try again later", "%s",
          err->text);
  else if (i->stage == IGT_PROBE_DONE)
    found(d, "http", i->http_status >= 500 ? VERDICT_WARNING : VERDICT_OK,
          i->http_status >= 500 ? "the cloud has a problem, or is under maintenance" : NULL,
          "the server responds (status %" PRId32 ", %" PRIu32 " ms)", i->http_status,
          i->response_us / 1000);
}

#define CLOCK_FAIR_S 30
#define CLOCK_MOST_S 300 /* a service's assertion is valid for some minutes */

static void report_clock(doctor *d, const igt_server_info *i) {
  int64_t off = i->clock_behind < 0 ? -i->clock_behind : i->clock_behind;

  if (i->stage != IGT_PROBE_DONE)
    return;
  if (!i->clock_known)
    found(d, "clock", VERDICT_SKIPPED, NULL, "the server's response has no date");
  else if (off < CLOCK_FAIR_S)
    found(d, "clock", VERDICT_OK, NULL, "%" PRId64 " s off the server's", off);
  else
    found(d, "clock", off >= CLOCK_MOST_S ? VERDICT_ERROR : VERDICT_WARNING,
          "set this machine's clock: timedatectl set-ntp true; signing in with a service key and "
          "signed requests depend on it",
          "this machine's clock is %" PRId64 " s %s the server's", off,
          i->clock_behind > 0 ? "behind" : "ahead of");
}

void probe_server(doctor *d) {
  igt_server_info i = IGT_SERVER_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;

  d->is_offline =
      igt_probe_server(d->client, NULL, (unsigned)(d->own.timeout * 1000), &i, &err) != IGT_OK;
  if (err.status == IGT_E_CANCELLED)
    return;
  report_proxy(d, &i, &err);
  report_name(d, &i, &err);
  report_connection(d, &i, &err);
  report_tls(d, &i, &err);
  report_response(d, &i, &err);
  report_clock(d, &i);
  if (d->is_offline)
    found(d, "sign-in", VERDICT_SKIPPED, NULL, "there is no connection to %s",
          igt_client_domain(d->client));
}

/* ---- the account ---- */

static const char *advice_for_sign_in(igt_status status) {
  switch (status) {
  case IGT_E_NO_SESSION:
    return "run igtcloud login, or give --user or --service-file";
  case IGT_E_KEY:
    return "check --service-file, and make it private with " IGT__OS_MAKE_PRIVATE(
        "FILE") "; igtcloud service create makes a new key";
  case IGT_E_TOKEN_FILE:
    return "remove the token file, then igtcloud login";
  case IGT_E_LOGIN:
  case IGT_E_EXPIRED:
  case IGT_E_UNAUTHORIZED:
    return "check the user name and the password; a service's key may be deleted or expired";
  default:
    return NULL;
  }
}

void probe_sign_in(doctor *d) {
  static const char *const sources[] = {"none",     "token file",  "environment",
                                        "password", "service key", "tokens"};
  igt_identity who = IGT_IDENTITY_INIT;
  igt_error err = IGT_ERROR_INIT;
  char end[40] = "an unknown time";
  time_t expires;
  struct tm tm;

  d->has_no_session = igt_client_sign_in(d->client, &err) != IGT_OK ||
                      igt_client_identity(d->client, &who, &err) != IGT_OK;
  if (d->has_no_session) {
    if (err.status != IGT_E_CANCELLED)
      found_error(d, "sign-in", &err, advice_for_sign_in(err.status));
    return;
  }
  expires = (time_t)who.expires;
  if (who.expires && gmtime_r(&expires, &tm))
    strftime(end, sizeof end, "%Y-%m-%dT%H:%M:%SZ", &tm);
  snprintf(d->user, sizeof d->user, "%s", who.user);
  d->is_service = who.is_service;
  found(d, "sign-in", VERDICT_OK, NULL, "%s%s at %s until %s (%s)", who.user,
        who.is_service ? " (a service)" : "", who.domain, end, sources[who.source]);
}

static void add_name(char *list, size_t cap, const char *name) {
  size_t n = strlen(list), k = strlen(name);
  const char *at = list;

  while ((at = strstr(at, name)) != NULL) {
    if ((at == list || at[-1] == ' ') && (at[k] == ',' || !at[k]))
      return;
    at++;
  }
  snprintf(list + n, cap - n, "%s%s", n ? ", " : "", name);
}

static void add_names(char *list, size_t cap, const igt_string_list_field *names) {
  for (size_t i = 0; i < names->count; i++)
    if (names->v[i])
      add_name(list, cap, names->v[i]);
}

void probe_roles(doctor *d) {
  igt_introspect_response *who = NULL;
  igt_error err = IGT_ERROR_INIT;
  char roles[400] = "";
  size_t count = 0;

  if (igt_introspect(d->client, NULL, &who, &err) != IGT_OK) {
    if (err.status != IGT_E_CANCELLED)
      found_error(d, "roles", &err, NULL);
    return;
  }
  add_names(roles, sizeof roles, &who->roles);
  if (who->organizations.is == IGT_SET) {
    count = who->organizations.v->organization_list.count;
    for (size_t i = 0; i < count; i++)
      add_names(roles, sizeof roles, &who->organizations.v->organization_list.v[i]->roles);
  }
  if (*roles || count || d->is_service)
    found(d, "roles", VERDICT_OK, NULL, "%s; in %zu organization%s", *roles ? roles : "none named",
          count, count == 1 ? "" : "s");
  else
    found(d, "roles", VERDICT_WARNING, "ask the administrator of the project for access",
          "this account has no role in any organization: it will see no projects");
  igt_model_free(&who->model);
}

/* ---- the store ---- */

static bool find_prefix(doctor *d) {
  igt_project *project = NULL;
  igt_error err = IGT_ERROR_INIT;

  if (!d->project) {
    found(d, "store", VERDICT_SKIPPED, "igtcloud doctor PROJECT examines it",
          "only known for a given project");
    return false;
  }
  if (igt_find_project(d->client, d->project, &project, &err) != IGT_OK) {
    if (err.status != IGT_E_CANCELLED)
      found_error(d, "store", &err, "igtcloud ls lists the projects that this account sees");
    return false;
  }
  if (project->s3_prefix.is == IGT_SET)
    snprintf(d->prefix, sizeof d->prefix, "%s", project->s3_prefix.v);
  igt_model_free(&project->model);
  return *d->prefix != '\0';
}

static const char advice_for_store[] =
    "does the firewall let this machine connect to the store as well as to the cloud?";

void probe_store(doctor *d) {
  igt_store_info i = IGT_STORE_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_status status;

  if (!find_prefix(d))
    return;
  if (d->is_service) {
    found(d, "store", VERDICT_SKIPPED, NULL, "a service may only upload: see upload");
    return;
  }
  status = igt_probe_store(d->client, d->prefix, 0, &i, &err);
  if (status == IGT_OK)
    found(d, "store", VERDICT_OK, NULL, "%s, region %s, bucket %s", i.endpoint, i.region, i.bucket);
  else if (status == IGT_E_FORBIDDEN)
    found(d, "store", VERDICT_WARNING, "ask the administrator of the project for access",
          "this account may not read the project's files");
  else if (status != IGT_E_CANCELLED)
    found_error(d, "store", &err, advice_for_store);
}

/* ---- reading a file ---- */

#define LOOK_AT_MOST 200 /* nodes, until a file with content is found */
#define READ_MOST (8u * 1024 * 1024)
#define READ_LIMIT_US 8000000

typedef struct search {
  doctor *d;
  unsigned looked;
  bool is_done;
  igt_error *err;
  igt_error failure; /* of reading: err is overwritten by the lists around it */
} search;

static int64_t now_us(void) {
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static igt_status read_beginning(doctor *d, igt_node *file, igt_error *err) {
  igt_file_reader *reader = NULL;
  int64_t begin = now_us();
  uint64_t bytes = 0;
  size_t n = 1;
  char text[80], *data = malloc(1 << 20);
  igt_status status = data ? igt_file_open(file, NULL, &reader, err) : IGT_E_NO_MEMORY;

  while (status == IGT_OK && n && bytes < READ_MOST && now_us() - begin < READ_LIMIT_US) {
    status = igt_file_read(reader, data, 1 << 20, &n, err);
    bytes += status == IGT_OK ? n : 0;
  }
  if (status == IGT_OK)
    found(d, "download", VERDICT_OK, NULL, "throughput: read the beginning of a file, %s",
          rate_text(bytes, (uint64_t)(now_us() - begin), text, sizeof text));
  igt_file_close(reader);
  free(data);
  return status;
}

static igt_status look_into(void *payload, igt_node *node);

static igt_status look_below(search *find, igt_node *node) {
  static const igt_node_kind below[][4] = {[IGT_NODE_PROJECT] = {IGT_NODE_FILE, IGT_NODE_INSTITUTE},
                                           [IGT_NODE_INSTITUTE] = {IGT_NODE_STUDY},
                                           [IGT_NODE_STUDY] = {IGT_NODE_FILE, IGT_NODE_DICOM}};
  const igt_node_kind *kinds = below[igt_node_kind_of(node)];
  igt_status status = IGT_OK;

  for (size_t i = 0; i < 4 && kinds[i] && status == IGT_OK && !find->is_done; i++)
    status = igt_node_each(node, kinds[i], look_into, find, find->err);
  return status;
}

/* IGT_E_CANCELLED ends the search when it is done. */
static igt_status look_into(void *payload, igt_node *node) {
  search *find = payload;
  igt_status status = IGT_OK;

  if (find->looked++ >= LOOK_AT_MOST) {
    find->is_done = true;
    return IGT_E_CANCELLED;
  }
  if (igt_node_kind_of(node) < IGT_NODE_FILE)
    return look_below(find, node);
  const igt_file *file = (const igt_file *)igt_node_model(node);
  if (file->file_size.is != IGT_SET || file->file_size.v <= 0)
    return IGT_OK;
  status = read_beginning(find->d, node, &find->failure);
  find->is_done = status == IGT_OK;
  return find->is_done ? IGT_E_CANCELLED : status;
}

void probe_download(doctor *d) {
  igt_error err = IGT_ERROR_INIT;
  search find = {.d = d, .err = &err, .failure = IGT_ERROR_INIT};
  igt_node *cloud = NULL, *project = NULL;
  igt_status status;

  if (!*d->prefix || d->is_service)
    return;
  status = igt_cloud_open(d->client, &cloud, &err);
  if (status == IGT_OK)
    status = igt_node_find(cloud, IGT_NODE_PROJECT, d->project, &project, &err);
  if (status == IGT_OK)
    status = look_below(&find, project);
  if (status == IGT_OK || (find.is_done && find.looked > LOOK_AT_MOST))
    found(d, "download", VERDICT_SKIPPED, NULL, "no file with content was found in the project");
  else if (!find.is_done && status == IGT_E_FORBIDDEN)
    found(d, "download", VERDICT_WARNING, "ask the administrator of the project for access",
          "this account may not read the files of the project");
  else if (!find.is_done && status != IGT_E_CANCELLED)
    found_error(d, "download", find.failure.status ? &find.failure : &err, advice_for_store);
  igt_cloud_close(cloud);
}

/* ---- writing ---- */

#define UPLOAD_BYTES (1u * 1024 * 1024)

static void report_upload(doctor *d, const igt_store_info *i) {
  char text[80];

  rate_text(i->uploaded, i->upload_us, text, sizeof text);
  if (i->upload_abort == IGT_OK)
    found(d, "upload", VERDICT_OK, NULL, "throughput: stored %s; deleted again; %s, region %s",
          text, i->endpoint, i->region);
  else
    found(d, "upload", VERDICT_WARNING,
          "this account may not abort uploads, so parts of interrupted ones remain and cost "
          "storage: ask the cloud's administrator",
          "stored %s, but deleting it failed: %s", text, igt_status_text(i->upload_abort));
}

void probe_upload(doctor *d) {
  igt_store_info i = IGT_STORE_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_status status;

  if (!*d->prefix)
    return;
  status = igt_probe_store(d->client, d->prefix, UPLOAD_BYTES, &i, &err);
  if (status == IGT_OK)
    report_upload(d, &i);
  else if (status == IGT_E_FORBIDDEN)
    found(d, "upload", VERDICT_SKIPPED, NULL, "this account may not upload to the project");
  else if (status != IGT_E_CANCELLED)
    found_error(d, "upload", &err, advice_for_store);
}
