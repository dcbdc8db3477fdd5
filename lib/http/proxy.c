/* SPDX-License-Identifier: MIT */
/* Proxies from the environment. libcurl reads http_proxy in lower case only; users set both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/internal.h"

/* Unencrypted requests never leave this machine: igt__url_parse allows them to loopback addresses
 * only, and a proxy elsewhere would defeat that. */
static bool is_on_this_machine(const char *proxy) {
  char label[300], url[320];
  igt__url parsed;

  igt__proxy_label(proxy, label, sizeof label);
  snprintf(url, sizeof url, "https://%s", label);
  return igt__url_parse(url, "the proxy", &parsed, NULL) == IGT_OK && parsed.is_loopback;
}

static const char *variable(const char *lower, const char *upper) {
  const char *value = getenv(lower);

  if (!value && upper)
    value = getenv(upper);
  return value;
}

igt_status igt__proxies_read(igt__proxies *proxies, igt_error *err) {
  /* In a CGI program HTTP_PROXY contains the client's "Proxy:" header (httpoxy, CVE-2016-5387). */
  const char *upper_http = getenv("REQUEST_METHOD") ? NULL : "HTTP_PROXY";
  const char *all = variable("all_proxy", "ALL_PROXY");
  const char *http = variable("http_proxy", upper_http);
  const char *https = variable("https_proxy", "HTTPS_PROXY");
  const char *none = variable("no_proxy", "NO_PROXY");

  if (!all)
    all = "";
  if (!http)
    http = all;
  proxies->http = igt__strdup(is_on_this_machine(http) ? http : "");
  proxies->https = igt__strdup(https ? https : all);
  proxies->none = igt__strdup(none ? none : "");
  if (!proxies->http || !proxies->https || !proxies->none) {
    igt__proxies_finish(proxies);
    return igt__fail_memory(err);
  }
  return IGT_OK;
}

static void wipe_and_free(char *s) {
  if (s)
    igt__wipe(s, strlen(s)); /* may contain a password */
  igt__free(s);
}

void igt__proxies_finish(igt__proxies *proxies) {
  wipe_and_free(proxies->http);
  wipe_and_free(proxies->https);
  igt__free(proxies->none);
  memset(proxies, 0, sizeof *proxies);
}

void igt__proxy_label(const char *proxy, char *out, size_t cap) {
  const char *sep = strstr(proxy, "://"), *host = sep ? sep + 3 : proxy;
  /* The last '@': passwords often contain an unencoded one, and no part of a password may be
   * shown. */
  const char *at = strrchr(host, '@');
  size_t n;

  if (at)
    host = at + 1;
  n = strcspn(host, "/?#");
  if (n >= cap)
    n = cap - 1;
  memcpy(out, host, n);
  out[n] = '\0';
}
