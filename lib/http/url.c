/* SPDX-License-Identifier: MIT */
/* Parses and compares URLs, as strictly as credentials require.
 *
 * igt__url_parse reads addresses that users and servers configure (lib/api, lib/auth, lib/cloud,
 * lib/s3, lib/upgrade); igt__url_origin_of reads the complete URL of a request before each attempt
 * and of a redirect. Both share read_origin, which accepts https, or http to loopback, a valid host
 * name or IP address, and nothing that could hide another host: no user info, backslashes, spaces
 * or control characters. The origin (scheme, host, port) decides whether a redirect may be
 * followed. */
#include <stdio.h>
#include <string.h>

#include "base/os/os.h"
#include "base/str.h"
#include "http/internal.h"

static bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* Labels of 1 to 63 characters (RFC 1035 2.3.4). */
static bool is_host_name(const char *host) {
  size_t label = 0;

  if (*host == '.')
    return false;
  for (; *host; host++) {
    if (!is_host_char(*host))
      return false;
    label = *host == '.' ? 0 : label + 1;
    if (label > 63 || (label == 0 && (host[1] == '.' || host[1] == '\0')))
      return false;
  }
  return label > 0;
}

static void classify_host(igt__url *url) {
  unsigned char raw[16];
  static const unsigned char loopback_6[16] = {[15] = 1};
  int version = igt__os_parse_ip(url->host, raw);

  url->is_ip = version != 0;
  if (version == 4)
    url->is_loopback = raw[0] == 127;
  else if (version == 6)
    url->is_loopback = memcmp(raw, loopback_6, sizeof loopback_6) == 0;
  else
    url->is_loopback =
        strcmp(url->host, "localhost") == 0 || igt__str_ends(url->host, ".localhost");
}

static bool copy_host(igt__url *url, const char *s, size_t n) {
  if (n > 1 && s[n - 1] == '.') /* the root's dot: same host, but certificates name it without */
    n--;
  if (n == 0 || n >= sizeof url->host)
    return false;
  for (size_t i = 0; i < n; i++)
    url->host[i] = igt__ascii_lower(s[i]);
  url->host[n] = '\0';
  return true;
}

static bool read_port(igt__url *url, const char *s, size_t n) {
  unsigned port = 0;

  if (n == 0 || n > 5)
    return false;
  for (size_t i = 0; i < n; i++) {
    if (s[i] < '0' || s[i] > '9')
      return false;
    port = port * 10 + (unsigned)(s[i] - '0');
  }
  url->port = (uint16_t)port;
  url->port_given = true;
  return port > 0 && port <= 65535;
}

static bool read_authority(igt__url *url, const char *s, size_t n) {
  const char *colon;

  if (n > 0 && *s == '[') {
    const char *end = memchr(s, ']', n);
    if (!end || !copy_host(url, s + 1, (size_t)(end - s) - 1))
      return false;
    classify_host(url);
    if (!url->is_ip || !strchr(url->host, ':'))
      return false;
    n -= (size_t)(end + 1 - s);
    s = end + 1;
    return n == 0 || (*s == ':' && read_port(url, s + 1, n - 1));
  }
  colon = memchr(s, ':', n);
  if (!copy_host(url, s, colon ? (size_t)(colon - s) : n) || !is_host_name(url->host))
    return false;
  classify_host(url);
  return !colon || read_port(url, colon + 1, n - (size_t)(colon + 1 - s));
}

static bool is_plain_text(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || *s == '\\')
      return false;
  return true;
}

/* Parses scheme and authority; *rest points to what follows. */
static igt_status read_origin(const char *text, const char *what, igt__url *out, const char **rest,
                              igt_error *err) {
  const char *sep = strstr(text, "://"), *s = text;
  size_t n;

  memset(out, 0, sizeof *out);
  igt__str_copy(out->scheme, sizeof out->scheme, "https");
  if (sep && sep < text + strcspn(text, "/?#")) {
    size_t length = (size_t)(sep - text);
    if (length == 4 && igt__str_starts_nocase(text, "http"))
      igt__str_copy(out->scheme, sizeof out->scheme, "http");
    else if (length != 5 || !igt__str_starts_nocase(text, "https"))
      return igt__fail(err, IGT_E_INVALID, "%s: only https:// is supported", what);
    s = sep + 3;
  }
  out->port = out->scheme[4] ? 443 : 80;
  n = strcspn(s, "/?#");
  if (memchr(s, '@', n))
    return igt__fail(err, IGT_E_INVALID, "%s: it must not contain a user name or password", what);
  if (!is_plain_text(text) || !read_authority(out, s, n))
    return igt__fail(err, IGT_E_INVALID, "%s: not a host name or URL", what);
  if (!out->scheme[4] && !out->is_loopback)
    return igt__fail(err, IGT_E_INVALID,
                     "%s: http:// would send passwords and patient data in clear text to %s; use "
                     "https://",
                     what, out->host);
  *rest = s + n;
  return IGT_OK;
}

igt_status igt__url_parse(const char *text, const char *what, igt__url *out, igt_error *err) {
  const char *rest = "";
  igt_status status = read_origin(text, what, out, &rest, err);

  if (status)
    return status;
  if (strpbrk(rest, "?#"))
    return igt__fail(err, IGT_E_INVALID, "%s: it must not have a query or a fragment ('?' or '#')",
                     what);
  if (strlen(rest) >= sizeof out->path)
    return igt__fail(err, IGT_E_INVALID, "%s: its path is too long", what);
  igt__str_copy(out->path, sizeof out->path, rest);
  return IGT_OK;
}

igt_status igt__url_origin_of(const char *url, igt__url *out, igt_error *err) {
  const char *rest = "";
  igt_status status = read_origin(url, "the request's URL", out, &rest, err);

  if (status)
    return status;
  if (strchr(rest, '#') || !strstr(url, "://"))
    return igt__fail(err, IGT_E_INVALID, "the request's URL is not complete, or has a fragment");
  return IGT_OK;
}

static bool is_default_port(const igt__url *url) {
  return url->port == (url->scheme[4] ? 443 : 80);
}

void igt__url_label(const igt__url *url, char *out, size_t cap) {
  bool v6 = strchr(url->host, ':') != NULL;

  if (is_default_port(url))
    snprintf(out, cap, "%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "");
  else
    snprintf(out, cap, "%s%s%s:%u", v6 ? "[" : "", url->host, v6 ? "]" : "", url->port);
}

void igt__url_origin(const igt__url *url, char *out, size_t cap) {
  char label[sizeof url->host + 16];

  igt__url_label(url, label, sizeof label);
  snprintf(out, cap, "%s://%s", url->scheme, label);
}

bool igt__url_same_origin(const igt__url *a, const igt__url *b) {
  return strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0 && a->port == b->port;
}
