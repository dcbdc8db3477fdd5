/* SPDX-License-Identifier: MIT */
/* Proxies: the one of the options, else those of the environment. libcurl reads http_proxy in lower
 * case only; users set both. no_proxy exempts hosts from either, as in curl. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
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

/* The first of the two that is set; upper may be NULL. */
typedef struct variable {
  const char *name, *value; /* value NULL: neither is */
} variable;

static variable read_variable(const char *lower, const char *upper) {
  const char *value = getenv(lower);

  if (!value && upper)
    return (variable){upper, getenv(upper)};
  return (variable){lower, value};
}

typedef struct choice {
  variable http, https;
} choice;

static choice from_variables(void) {
  /* In a CGI program HTTP_PROXY contains the client's "Proxy:" header (httpoxy, CVE-2016-5387). */
  const char *upper_http = getenv("REQUEST_METHOD") ? NULL : "HTTP_PROXY";
  variable all = read_variable("all_proxy", "ALL_PROXY");
  choice c = {read_variable("http_proxy", upper_http), read_variable("https_proxy", "HTTPS_PROXY")};

  if (!all.value)
    all.value = "";
  return (choice){c.http.value ? c.http : all, c.https.value ? c.https : all};
}

/* What curl connects through. A host without a scheme is an http proxy. */
static bool is_proxy_scheme(const char *url) {
  static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
  const char *end = strstr(url, "://");

  for (size_t i = 0; end && i < sizeof schemes / sizeof *schemes; i++)
    if (strlen(schemes[i]) == (size_t)(end - url) && strncasecmp(url, schemes[i], end - url) == 0)
      return true;
  return !end;
}

/* The message names the host only: what precedes it may be a password. */
static igt_status check_option(const char *url, igt_error *err) {
  char label[300];

  igt__proxy_label(url, label, sizeof label);
  if (*label && *label != ':' && is_proxy_scheme(url) && !strpbrk(label, " \t\r\n"))
    return IGT_OK;
  return igt__fail(err, IGT_E_INVALID,
                   "the proxy '%s' is not a URL such as http://HOST:PORT (also https, socks4, "
                   "socks5, socks5h), nor none",
                   label);
}

static igt_status choose(const char *option, const char *source, choice *out, igt_error *err) {
  variable given = {source && *source ? source : "--proxy", option};

  if (!option) {
    *out = from_variables();
    return IGT_OK;
  }
  if (!*option || strcasecmp(option, "none") == 0)
    given.value = "";
  *out = (choice){given, given};
  return *given.value ? check_option(option, err) : IGT_OK;
}

igt_status igt__proxies_read(const char *option, const char *source, igt__proxies *proxies,
                             igt_error *err) {
  variable none = read_variable("no_proxy", "NO_PROXY");
  choice chosen;

  if (choose(option, source, &chosen, err) != IGT_OK)
    return IGT_E_INVALID;
  igt__str_copy(proxies->http_source, sizeof proxies->http_source, chosen.http.name);
  igt__str_copy(proxies->https_source, sizeof proxies->https_source, chosen.https.name);
  proxies->by_system = !option && !*chosen.http.value && !*chosen.https.value;
  proxies->http = igt__strdup(is_on_this_machine(chosen.http.value) ? chosen.http.value : "");
  proxies->https = igt__strdup(chosen.https.value);
  proxies->none = igt__strdup(none.value ? none.value : "");
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
