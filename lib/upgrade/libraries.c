/* SPDX-License-Identifier: MIT */
/* igt_libraries: what runs below this library, each asked for its own version. */
#include <stdio.h>
#include <string.h>

#include "crypto/crypto.h"
#include "http/http.h"
#include "igtcloud/version.h"
#include "journal/journal.h"
#include "model/json.h"
#include "s3/xml.h"

/* The first number in a text such as "OpenSSL 3.0.15 3 Sep 2024". */
static void report(igt_library_fn fn, void *payload, const char *name, const char *text) {
  const char *number = text + strcspn(text, "0123456789");
  char version[64];

  (void)snprintf(version, sizeof version, "%.*s", (int)strcspn(number, " "), number);
  fn(payload, name, version);
}

/* "libcurl/7.88.1 OpenSSL/3.0.15 zlib/1.2.13": OpenSSL is ours, too, and named once. */
static void report_all(igt_library_fn fn, void *payload, const char *text) {
  char name[64];

  for (size_t n; *text; text += n + strspn(text + n, " ")) {
    size_t slash = strcspn(text, "/ ");
    n = strcspn(text, " ");
    if (slash >= n || *text == '(' || strncmp(text, "OpenSSL", slash) == 0)
      continue;
    (void)snprintf(name, sizeof name, "%.*s", (int)slash, text);
    report(fn, payload, name, text + slash + 1);
  }
}

void igt_libraries(igt_library_fn fn, void *payload) {
  report(fn, payload, "OpenSSL", igt__crypto_library());
  report(fn, payload, "json-c", igt__json_library());
  report(fn, payload, "expat", igt__xml_library());
  report(fn, payload, "SQLite", igt__journal_library());
  report_all(fn, payload, igt__http_libraries());
}
