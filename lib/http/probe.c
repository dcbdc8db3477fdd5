/* SPDX-License-Identifier: MIT */
/* One connection to a server, with the settings of every other request (igt__slot_open) but on a
 * handle of its own, driven to its end: how long each stage took, who the server says it is, and
 * what its clock shows. A certificate that is not trusted is read on a second connection, which is
 * closed after the handshake, before anything is sent: its issuer names the proxy that inspects
 * TLS. lib/probe calls it. */
#include "http/probe.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/time.h"
#include "http/attempt.h"
#include "http/explain.h"

typedef struct probe {
  igt__slot slot;
  igt__attempt attempt; /* for explain.c */
  igt__http_request req;
  igt__cancel *cancel;
  igt_server_info *out;
  int64_t server_date, came_at; /* seconds; 0: none */
} probe;

static size_t on_header(char *line, size_t size, size_t n, void *arg) {
  static const char name[] = "Date:";
  probe *p = arg;
  char value[64];

  n *= size;
  if (n > sizeof name && n - sizeof name < sizeof value && igt__str_starts_nocase(line, name)) {
    const char *start = line + sizeof name - 1;
    size_t left = n - (sizeof name - 1), skip = strspn(start, " \t");
    snprintf(value, sizeof value, "%.*s", (int)(left - skip), start + skip);
    value[strcspn(value, "\r\n")] = '\0';
    if (igt__http_date_parse(value, &p->server_date))
      p->came_at = igt__wall_seconds();
  }
  p->attempt.response.begun = true;
  return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
  (void)data, (void)arg;
  return size * n;
}

static int on_ready(void *arg, char *ip, char *local_ip, int port, int local_port) {
  probe *p = arg;

  (void)ip, (void)local_ip, (void)port, (void)local_port;
  p->attempt.sent = true;
  return CURL_PREREQFUNC_OK;
}

static int on_second(void *arg, curl_off_t all_down, curl_off_t down, curl_off_t all_up,
                     curl_off_t up) {
  const probe *p = arg;

  (void)all_down, (void)down, (void)all_up, (void)up;
  return igt__cancel_is_set(p->cancel);
}

/* ---- what was seen ---- */

static uint32_t lap(CURL *easy, CURLINFO until, CURLINFO since) {
  curl_off_t end = 0, begin = 0;

  curl_easy_getinfo(easy, until, &end);
  if (since)
    curl_easy_getinfo(easy, since, &begin);
  return end > begin ? (uint32_t)(end - begin) : 0;
}

static void take_times(CURL *easy, igt_server_info *out) {
  out->name_us = lap(easy, CURLINFO_NAMELOOKUP_TIME_T, 0);
  out->connect_us = lap(easy, CURLINFO_CONNECT_TIME_T, CURLINFO_NAMELOOKUP_TIME_T);
  out->tls_us =
      out->is_encrypted ? lap(easy, CURLINFO_APPCONNECT_TIME_T, CURLINFO_CONNECT_TIME_T) : 0;
  out->response_us = lap(easy, CURLINFO_STARTTRANSFER_TIME_T, CURLINFO_PRETRANSFER_TIME_T);
}

/* The value of "NAME:VALUE" in a certificate; without control characters, which the other side may
 * have put there. */
static void take_field(const struct curl_slist *list, const char *name, char *out, size_t cap) {
  for (; list; list = list->next)
    if (igt__str_starts(list->data, name)) {
      igt__str_copy(out, cap, list->data + strlen(name));
      for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
          *c = '?';
      return;
    }
}

static void take_certificates(CURL *easy, igt_server_info *out) {
  struct curl_certinfo *chain = NULL;

  if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain ||
      chain->num_of_certs <= 0)
    return;
  out->certificates = (uint32_t)chain->num_of_certs;
  take_field(chain->certinfo[0], "Subject:", out->subject, sizeof out->subject);
  take_field(chain->certinfo[0], "Issuer:", out->issuer, sizeof out->issuer);
  take_field(chain->certinfo[0], "Expire date:", out->expires, sizeof out->expires);
  take_field(chain->certinfo[chain->num_of_certs - 1], "Issuer:", out->root, sizeof out->root);
}

static igt_probe_stage stage_of(CURL *easy, CURLcode code, const igt_server_info *out) {
  if (igt__attempt_failed_in_tls(code))
    return IGT_PROBE_TLS;
  switch ((int)code) {
  case CURLE_OK:
    return IGT_PROBE_DONE;
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
    return IGT_PROBE_NAME;
  case CURLE_COULDNT_CONNECT:
  case CURLE_PROXY:
    return IGT_PROBE_CONNECT;
  default:
    break;
  }
  if (lap(easy, CURLINFO_NAMELOOKUP_TIME_T, 0) == 0)
    return IGT_PROBE_NAME;
  if (!igt__is_connected(easy))
    return IGT_PROBE_CONNECT;
  if (out->is_encrypted && lap(easy, CURLINFO_APPCONNECT_TIME_T, 0) == 0)
    return out->proxy[0] ? IGT_PROBE_CONNECT : IGT_PROBE_TLS;
  return IGT_PROBE_RESPONSE;
}

/* ---- the connection ---- */

static void set_all(probe *p, const char *origin, const char *proxy, long limit_ms) {
  CURL *easy = p->slot.easy;

  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, p);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, p);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_second);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, p);
  curl_easy_setopt(easy, CURLOPT_URL, origin);
  curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
  curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, limit_ms);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, limit_ms);
}

/* Ends with the handshake: a request to a server that nobody vouches for is never sent. */
static void read_untrusted(probe *p) {
  CURL *easy = p->slot.easy;

  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  if (curl_easy_perform(easy) == CURLE_OK)
    take_certificates(easy, p->out);
}

static void take_response(probe *p) {
  CURL *easy = p->slot.easy;
  long status = 0;

  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  p->out->http_status = (int32_t)status;
  p->out->clock_known = p->came_at != 0;
  if (p->out->clock_known)
    p->out->clock_behind = p->server_date - p->came_at;
}

/* What did not come in time, more precisely than explain.c can say. */
static igt_status explain_late(const probe *p, unsigned limit_ms, igt_error *err) {
  static const char *const what[] = {[IGT_PROBE_NAME] = "address for the name",
                                     [IGT_PROBE_CONNECT] = "connection",
                                     [IGT_PROBE_TLS] = "end of the TLS handshake",
                                     [IGT_PROBE_RESPONSE] = "response"};

  return igt__fail(err, IGT_E_TIMEOUT, "%s: no %s within %g s", p->attempt.host,
                   what[p->out->stage], (double)limit_ms / 1000);
}

static igt_status run(probe *p, unsigned limit_ms, igt_error *err) {
  CURL *easy = p->slot.easy;
  CURLcode code = curl_easy_perform(easy);
  char *address = NULL;

  if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address)
    igt__str_copy(p->out->address, sizeof p->out->address, address);
  take_times(easy, p->out);
  take_certificates(easy, p->out);
  p->out->stage = stage_of(easy, code, p->out);
  if (code == CURLE_OK) {
    take_response(p);
    return IGT_OK;
  }
  if (code == CURLE_ABORTED_BY_CALLBACK)
    return igt__fail(err, IGT_E_CANCELLED, "%s: cancelled", p->attempt.host);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return explain_late(p, limit_ms, err);
  (void)igt__explain_curl(&p->attempt, code);
  igt__error_copy(err, &p->attempt.err);
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    read_untrusted(p);
  return p->attempt.err.status;
}

static igt_status start(probe *p, igt__http *http, const char *origin, unsigned limit_ms,
                        igt_error *err) {
  const char *proxy;
  igt_status status = igt__url_origin_of(origin, &p->attempt.origin, err);

  if (status)
    return status;
  igt__url_label(&p->attempt.origin, p->attempt.host, sizeof p->attempt.host);
  igt__str_copy(p->out->host, sizeof p->out->host, p->attempt.host);
  p->out->is_encrypted = p->attempt.origin.scheme[4] != '\0';
  proxy = p->out->is_encrypted ? http->proxies.https : http->proxies.http;
  if (*proxy) {
    igt__proxy_label(proxy, p->out->proxy, sizeof p->out->proxy);
    igt__str_copy(p->out->proxy_source, sizeof p->out->proxy_source,
                  p->out->is_encrypted ? http->proxies.https_source : http->proxies.http_source);
  }
  igt__str_copy(p->out->trusted, sizeof p->out->trusted, http->trust.label);
  if ((status = igt__slot_open(&p->slot, http, err)) != IGT_OK)
    return status;
  p->attempt.http = http;
  p->attempt.slot = &p->slot;
  p->attempt.req = &p->req;
  p->req.content_length = -1;
  set_all(p, origin, proxy, (long)limit_ms);
  return IGT_OK;
}

igt_status igt__http_probe(igt__http *http, const char *origin, unsigned limit_ms,
                           igt__cancel *cancel, igt_server_info *out, igt_error *err) {
  probe p = {.cancel = cancel, .out = out};
  igt_status status;

  p.attempt.err = (igt_error)IGT_ERROR_INIT;
  out->stage = IGT_PROBE_NAME;
  status = start(&p, http, origin, limit_ms, err);
  if (!status)
    status = run(&p, limit_ms, err);
  if (p.slot.easy)
    igt__slot_close(&p.slot);
  return status;
}
