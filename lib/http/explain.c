/* SPDX-License-Identifier: MIT */
/* Turns failed attempts into error messages: which host, what failed, what to do.
 *
 * request.c calls igt__explain_curl for failures of the connection and igt__explain_response for
 * responses that are errors or unexpected redirects; loop.c calls igt__explain_idle for the idle
 * timeout. Each fills attempt->err; retry.c derives the retry class from it. A message never
 * contains a query string, which may hold a signature, nor a proxy's password; secrets and
 * passwords that a server echoes in an error response are hidden. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/str.h"
#include "http/explain.h"
#include "http/retry.h"

#define HEADER_LINE_MAX ((size_t)100 * 1024) /* CURL_MAX_HTTP_HEADER */

typedef struct failure {
  const igt__attempt *attempt;
  igt_error *err;
  const char *host;
  char proxy[300];    /* label; "": no proxy applies */
  const char *source; /* where it was set */
  const char *why;    /* curl's message */
} failure;

static void name_proxy(failure *f) {
  const igt__proxies *proxies = &f->attempt->http->proxies;
  bool encrypted = f->attempt->origin.scheme[4] != '\0';
  const char *proxy = encrypted ? proxies->https : proxies->http;

  f->source = encrypted ? proxies->https_source : proxies->http_source;
  f->proxy[0] = '\0';
  if (*proxy)
    igt__proxy_label(proxy, f->proxy, sizeof f->proxy);
}

/* curl's message names the host and the port that it could not reach ("Failed to connect to HOST
 * port PORT after ..."): the proxy's, or the target's because no_proxy applied. Both may be on one
 * host. */
static bool is_about_proxy(const failure *f) {
  const char *port = strrchr(f->proxy, ':');
  char name[300], there[320];

  snprintf(name, sizeof name, "%.*s", (int)strcspn(f->proxy, ":"), f->proxy);
  if (!name[0] || !strstr(f->why, name))
    return false;
  if (strcmp(name, f->attempt->origin.host) != 0)
    return true;
  if (!port || strtoul(port + 1, NULL, 10) == f->attempt->origin.port)
    return false;
  snprintf(there, sizeof there, " port %s", port + 1);
  return strstr(f->why, there) != NULL;
}

static igt_status explain_proxy_response(failure *f, int http_status) {
  const char *proxy = f->proxy[0] ? f->proxy : "the network's own";
  const char *from = f->proxy[0] ? ", from " : "", *source = f->proxy[0] ? f->source : "";

  if (http_status == 407)
    igt__fail(f->err, IGT_E_PROXY,
              "%s: the proxy (%s) rejects the user name or password (407): put them into the "
              "proxy's URL (%s), as http://user:password@host:port",
              f->host, proxy, f->source);
  else
    igt__fail(f->err, IGT_E_PROXY, "%s: the proxy (%s%s%s) refuses the connection (HTTP %d)",
              f->host, proxy, from, source, http_status);
  f->err->http_status = http_status;
  return IGT_E_PROXY;
}

static igt_status explain_connect(failure *f) {
  long given = 0;
  const char *why;
  int os_error;

  curl_easy_getinfo(f->attempt->slot->easy, CURLINFO_OS_ERRNO, &given);
  os_error = (int)given;
  why = os_error ? igt__os_socket_error(&os_error) : "";
  if (is_about_proxy(f))
    igt__fail(f->err, IGT_E_PROXY, "%s: no connection to the proxy %s%s%s (it comes from %s)",
              f->host, f->proxy, os_error ? ": " : "", why, f->source);
  else
    igt__fail(f->err, IGT_E_CONNECT, "%s: no connection%s%s", f->host, os_error ? ": " : "", why);
  f->err->os_error = os_error;
  return f->err->status;
}

bool igt__is_connected(CURL *easy) {
  long port = 0;

  return curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port) == CURLE_OK && port > 0;
}

/* With a proxy, the connection may be to that, which has not answered yet. */
static bool is_in_handshake(const failure *f) {
  return f->attempt->origin.scheme[4] && !f->proxy[0] && igt__is_connected(f->attempt->slot->easy);
}

static igt_status explain_timeout(failure *f) {
  unsigned seconds = (f->attempt->http->connect_timeout_ms + 999) / 1000;

  if (is_in_handshake(f))
    return igt__fail(f->err, IGT_E_TIMEOUT,
                     "%s: connected, but the TLS handshake did not end within %u s: is a firewall "
                     "blocking it, or does this port not speak TLS?",
                     f->host, seconds);

  if (is_about_proxy(f))
    return igt__fail(f->err, IGT_E_PROXY,
                     "%s: no connection to the proxy %s within %u s (it comes from %s)", f->host,
                     f->proxy, seconds, f->source);
  return igt__fail(f->err, IGT_E_TIMEOUT,
                   "%s: no connection within %u s: is a firewall blocking it, or does this network "
                   "require a proxy?",
                   f->host, seconds);
}

igt_status igt__explain_idle(igt__attempt *attempt) {
  if (attempt->idle.crawls)
    return igt__fail(&attempt->err, IGT_E_TIMEOUT, "%s: less than %d bytes a second for %g s",
                     attempt->host, IGT__MIN_RATE,
                     (double)attempt->http->idle_timeout_ms / 1000 * IGT__CRAWL_TIMEOUTS);
  return igt__fail(&attempt->err, IGT_E_TIMEOUT, "%s: no %s for %g s", attempt->host,
                   attempt->response.begun ? "more data" : "response",
                   (double)attempt->http->idle_timeout_ms / 1000);
}

/* The connection broke during the handshake: a problem of the link, not of certificates. */
static bool is_broken_handshake(const char *why) {
  return strstr(why, "SSL_ERROR_SYSCALL") || strstr(why, "Connection reset") ||
         strstr(why, "unexpected eof") || strstr(why, "Broken pipe");
}

static igt_status explain_tls(failure *f, CURLcode code) {
  const char *trusted = f->attempt->http->trust.label, *why = f->why;

  if (igt__str_starts(why, "SSL certificate problem: "))
    why += strlen("SSL certificate problem: ");
  if (code == CURLE_SSL_CACERT_BADFILE)
    return igt__fail(f->err, IGT_E_TLS,
                     "%s: the trusted certificates (%s) cannot be used: pass a PEM file with "
                     "--ca-file",
                     f->host, trusted);
  if (code == CURLE_SSL_CONNECT_ERROR && is_broken_handshake(why))
    return igt__fail(f->err, IGT_E_NETWORK, "%s: the connection broke during the TLS handshake",
                     f->host);
  if (strstr(why, "wrong version number") || strstr(why, "packet length too long"))
    return igt__fail(f->err, IGT_E_TLS,
                     "%s does not speak TLS on this port: check the host and the port; the address "
                     "of a server on this machine without TLS begins with http://",
                     f->host);
  if (strstr(why, "protocol version") || strstr(why, "unsupported protocol"))
    return igt__fail(f->err, IGT_E_TLS,
                     "%s: it does not support TLS 1.2 or later, and older versions are not safe",
                     f->host);
  if (code != CURLE_PEER_FAILED_VERIFICATION)
    return igt__fail(f->err, IGT_E_TLS, "%s: no secure connection (%s)", f->host, why);
  return igt__fail(f->err, IGT_E_TLS,
                   "%s: its certificate is not trusted (%s; trusted certificates: %s): if your "
                   "network inspects TLS, pass its certificate with --ca-file",
                   f->host, why, trusted);
}

static igt_status explain_broken(failure *f) {
  const igt__http_request *req = f->attempt->req;

  if (!f->attempt->sent)
    return igt__fail(f->err, IGT_E_NETWORK, "%s: the connection broke before the request was sent",
                     f->host);
  if (!f->attempt->response.begun)
    return igt__fail(f->err, IGT_E_NETWORK, "%s: the connection broke before the response",
                     f->host);
  if (req->content_length >= 0)
    return igt__fail(f->err, IGT_E_NETWORK,
                     "%s: the connection broke during the response of %lld bytes", f->host,
                     (long long)req->content_length);
  return igt__fail(f->err, IGT_E_NETWORK, "%s: the connection broke during the response", f->host);
}

static igt_status explain_memory(failure *f) {
  /* curl's limit on one header line is reported as out of memory. If memory is available, that
   * limit was hit. */
  void *some = igt__malloc(HEADER_LINE_MAX);

  igt__free(some);
  if (some && f->attempt->sent && !f->attempt->response.begun)
    return igt__fail(f->err, IGT_E_LIMIT, "%s: the response's header is too long", f->host);
  return igt__fail_memory(f->err);
}

/* On a reused connection this may be the rest of the previous response: a new connection is worth a
 * try. */
static igt_status explain_no_http(failure *f) {
  long connects = 0;

  curl_easy_getinfo(f->attempt->slot->easy, CURLINFO_NUM_CONNECTS, &connects);
  if (connects == 0)
    return igt__fail(f->err, IGT_E_NETWORK, "%s: the response on a reused connection is not HTTP",
                     f->host);
  return igt__fail(f->err, IGT_E_PROTOCOL, "%s: the response is not HTTP", f->host);
}

static igt_status explain_code(failure *f, CURLcode code) {
  if (igt__attempt_failed_in_tls(code))
    return explain_tls(f, code);
  switch ((int)code) {
  case CURLE_COULDNT_RESOLVE_HOST:
    return igt__fail(f->err, IGT_E_RESOLVE,
                     "%s: unknown host name: is it spelled correctly, and is there a network?",
                     f->host);
  case CURLE_COULDNT_RESOLVE_PROXY:
    return igt__fail(f->err, IGT_E_PROXY,
                     "%s: the host name of the proxy %s is not known (it comes from %s)", f->host,
                     f->proxy, f->source);
  case CURLE_COULDNT_CONNECT:
    return explain_connect(f);
  case CURLE_OPERATION_TIMEDOUT:
    return explain_timeout(f);
  case CURLE_PROXY:
    return igt__fail(f->err, IGT_E_PROXY, "%s: the proxy %s, from %s, failed (%s)", f->host,
                     f->proxy, f->source, f->why);
  case CURLE_OUT_OF_MEMORY:
    return explain_memory(f);
  case CURLE_URL_MALFORMAT:
    return igt__fail(f->err, IGT_E_INVALID, "%s: the request's URL cannot be used", f->host);
  case CURLE_UNSUPPORTED_PROTOCOL: /* a response without any header: HTTP/0.9 */
  case CURLE_WEIRD_SERVER_REPLY:
    return explain_no_http(f);
  case CURLE_BAD_CONTENT_ENCODING:
    return igt__fail(f->err, IGT_E_PROTOCOL, "%s: the response's compression is damaged", f->host);
  default: /* reset, cut off, and any codes that curl may add */
    return explain_broken(f);
  }
}

igt_status igt__explain_curl(igt__attempt *attempt, CURLcode code) {
  failure f = {
      .attempt = attempt, .err = &attempt->err, .host = attempt->host, .why = attempt->slot->why};
  long connect_code = 0;

  if (attempt->err.status) /* one of our callbacks failed it, with a reason */
    return attempt->err.status;
  name_proxy(&f);
  if (!*f.why)
    f.why = curl_easy_strerror(code);
  curl_easy_getinfo(attempt->slot->easy, CURLINFO_HTTP_CONNECTCODE, &connect_code);
  if (!attempt->sent && connect_code >= 300)
    return explain_proxy_response(&f, (int)connect_code);
  return explain_code(&f, code);
}

/* ---- responses ---- */

/* A URL without its query, which may hold a signature. */
static void without_query(const char *url, char *out, size_t cap) {
  snprintf(out, cap, "%.*s", (int)strcspn(url, "?#"), url);
}

static igt_status explain_redirect(igt__attempt *attempt, unsigned redirects) {
  const char *method = attempt->req->method;
  char *url = NULL, label[300] = "another place";
  bool same;
  igt__url to;

  curl_easy_getinfo(attempt->slot->easy, CURLINFO_REDIRECT_URL, &url);
  same = url && igt__url_origin_of(url, &to, NULL) == IGT_OK;
  if (same)
    igt__url_origin(&to, label, sizeof label);
  same = same && igt__url_same_origin(&to, &attempt->origin);
  if (same && !igt__may_follow(method)) {
    without_query(url, label, sizeof label);
    igt__fail(&attempt->err, IGT_E_PROTOCOL,
              "the server redirects a %s (HTTP %d) to %s, which was not followed, since it would "
              "not be the same request: is the address right, or does a proxy in between change "
              "paths? Ask its administrator",
              method, attempt->req->http_status, label);
  } else if (same && redirects > 0)
    igt__fail(&attempt->err, IGT_E_PROTOCOL, "%s: too many redirects", attempt->host);
  else
    igt__fail(&attempt->err, IGT_E_PROTOCOL,
              "%s: it responds with a redirect (HTTP %d) to %s, which is not followed because "
              "credentials stay with their host: is the address right, or a sign-in page of the "
              "network in between?",
              attempt->host, attempt->req->http_status, label);
  attempt->err.http_status = attempt->req->http_status;
  return attempt->err.status;
}

#define PASSWORD_MAX 1024 /* an error's text is shorter than this */

/* Removes the escapes of a JSON string's text in place; \u stays, as passwords are sent without
 * it. */
static void unescape(char *text) {
  static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
  char *out = text;

  for (const char *p = text; *p; p++) {
    const char *known = p[0] == '\\' && p[1] ? strchr(from, p[1]) : NULL;

    if (p[0] == '\\' && p[1])
      p++;
    *out++ = known ? to[known - from] : *p;
  }
  *out = '\0';
}

/* The JSON string that begins at p; *n: its length up to the closing quote, which may be
 * missing. */
static const char *json_string(const char *p, const char *end, size_t *n) {
  while (p < end && strchr(" \t\r\n:", *p) && *p)
    p++;
  if (p == end || *p != '"')
    return NULL;
  p++;
  for (*n = 0; p + *n < end && p[*n] != '"';)
    *n += p[*n] == '\\' && p + *n + 1 < end ? 2 : 1;
  return p;
}

/* Passwords are too short for igt__redact, which would hide ordinary words because of them. They
 * are therefore hidden in the response to the request that carried them: verbatim, and in their
 * JSON form. */
static void hide_passwords(igt__attempt *attempt) {
  static const char key[] = "assword\"";
  const char *p = attempt->req->body, *end = p ? p + attempt->req->body_len : NULL;
  char text[PASSWORD_MAX];
  size_t n = 0;

  while (p && (p = igt__mem_find(p, (size_t)(end - p), key, sizeof key - 1)) != NULL) {
    const char *value = json_string(p += sizeof key - 1, end, &n);

    if (!value)
      continue;
    p = value + n;
    n = n < sizeof text ? n : sizeof text - 1;
    memcpy(text, value, n);
    text[n] = '\0';
    igt__error_hide(&attempt->err, text);
    unescape(text);
    igt__error_hide(&attempt->err, text);
    for (char *c = text; *c; c++) /* as in error texts */
      *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
    igt__error_hide(&attempt->err, text);
  }
  igt__wipe(text, sizeof text);
}

/* Some servers echo the request in their error, and users send error messages to others. */
static void hide_secrets(igt__attempt *attempt) {
  static const char *const names[] = {
      "Authorization: ", "X-JWT: ", "X-CSRF-TOKEN: ", "x-amz-security-token: ", "Cookie: "};
  const char *line = attempt->head->lines.data;

  for (size_t i = 0; i < attempt->head->count; i++, line += strlen(line) + 1)
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
      if (igt__str_starts_nocase(line, names[k]))
        igt__error_hide(&attempt->err, line + strlen(names[k]));
  hide_passwords(attempt);
}

/* 300, an unrequested 304, or a 206 without a Range header. */
static igt_status explain_odd(igt__attempt *attempt) {
  igt__fail(&attempt->err, IGT_E_PROTOCOL,
            "%s: an unexpected HTTP %d: it may come from a proxy or gateway in between",
            attempt->host, attempt->req->http_status);
  attempt->err.http_status = attempt->req->http_status;
  return attempt->err.status;
}

igt_status igt__explain_response(igt__attempt *attempt, unsigned redirects) {
  igt__http_request *req = attempt->req;
  igt_error *err = &attempt->err;
  failure f = {.attempt = attempt, .err = err, .host = attempt->host};
  igt_status status = igt__status_from_http(req->http_status);
  int retry_after = igt__retry_after(igt__response_header(&attempt->response, "Retry-After", 0),
                                     req->server_date);

  if (igt__response_is_redirect(&attempt->response))
    return explain_redirect(attempt, redirects);
  if (req->http_status < 400)
    return explain_odd(attempt);
  name_proxy(&f);
  if (req->http_status == 407)
    return explain_proxy_response(&f, 407);
  igt__fail(err, status, "%s: the server responded with HTTP %d (%s)", attempt->host,
            req->http_status, igt_status_text(status));
  err->http_status = req->http_status;
  err->retry_after = retry_after > 0 ? retry_after : 0;
  if (req->on_error_response)
    req->on_error_response(req, err);
  hide_secrets(attempt);
  if (!err->status) /* it is an error regardless */
    err->status = status;
  if (!err->http_status)
    err->http_status = req->http_status;
  if (err->retry_after <= 0)
    err->retry_after = retry_after > 0 ? retry_after : 0;
  return err->status;
}
