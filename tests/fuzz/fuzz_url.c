/* SPDX-License-Identifier: MIT */
/* A domain as typed by a user, and locations sent by servers: endpoint, region, redirect. */
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "demand.h"
#include "http/internal.h"
#include "s3/internal.h"

static void url(const char *text) {
  igt__url one, two;
  char origin[300], label[300];

  if (igt__url_parse(text, "fuzz", &one, NULL) != IGT_OK)
    return;
  /* Plain HTTP only to this machine. */
  demand(strcmp(one.scheme, "https") == 0 || one.is_loopback);
  demand(one.port != 0 && one.host[0] && !strpbrk(one.host, "@/?# \r\n\t\\"));
  igt__url_origin(&one, origin, sizeof origin);
  igt__url_label(&one, label, sizeof label);
  demand(igt__url_parse(origin, "fuzz", &two, NULL) == IGT_OK);
  demand(igt__url_same_origin(&one, &two) && one.is_loopback == two.is_loopback);
  demand(igt__url_origin_of(origin, &two, NULL) == IGT_OK && igt__url_same_origin(&one, &two));
}

static void redirect(const char *text) {
  char origin[300], region[64];
  igt__url where;

  if (igt__s3_redirect_allowed(text, "bucket", origin, sizeof origin))
    demand(igt__url_parse(origin, "fuzz", &where, NULL) == IGT_OK && where.scheme[4] &&
           igt__str_starts(where.host, "bucket.s3") && strstr(where.host, ".amazonaws.com"));
  if (igt__s3_region_of_endpoint(text, region))
    demand(igt__s3_region_valid(region));
}

static void escapes(const char *text, size_t n) {
  igt__buf one, two;

  igt__buf_init(&one, SIZE_MAX / 2);
  igt__buf_init(&two, SIZE_MAX / 2);
  demand(igt__uri_encode(&one, text, n, true));
  demand(igt__uri_decode(&two, one.data, one.len, false));
  demand(two.len == n && (n == 0 || memcmp(two.data, text, n) == 0));
  igt__buf_clear(&two);
  (void)igt__uri_decode(&two, text, n, true);
  igt__buf_finish(&one);
  igt__buf_finish(&two);
}

/* Names chosen by a server. */
static void path(const char *text, size_t n) {
  if (igt__path_check(text, n, "fuzz", NULL) != IGT_OK)
    return;
  demand(n > 0 && n <= 4000 && text[0] != '/' && strlen(text) == n && igt__utf8_valid(text, n));
  for (const char *p = text; p; p = strchr(p, '/')) {
    p += *p == '/';
    demand(*p && *p != '/' && !(p[0] == '.' && (p[1] == '/' || !p[1])) &&
           !(p[0] == '.' && p[1] == '.' && (p[2] == '/' || !p[2])));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = igt__strndup((const char *)data, size);
  char proxy[64];

  if (!text)
    return 0;
  url(text);
  redirect(text);
  escapes((const char *)data, size);
  path(text, size);
  (void)igt__glob_match(text, "patients/P0001/series1/image1.dcm");
  igt__proxy_label(text, proxy, sizeof proxy);
  demand(!strchr(proxy, '@'));
  igt__free(text);
  return 0;
}
