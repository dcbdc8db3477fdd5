/* SPDX-License-Identifier: MIT */
/* Requests to the release page: finds the latest version from the redirect of releases/latest, and
 * downloads an asset into a file or into memory. Redirects are followed here and not by lib/http,
 * which stays within an origin to protect credentials; no credentials are sent here. Called by
 * upgrade.c. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/os/os.h"
#include "base/root.h"
#include "base/str.h"
#include "upgrade/upgrade.h"

#define MAX_REDIRECTS 5
#define MAX_URL (64u * 1024)

typedef struct exchange {
  igt__asset_sink *sink; /* NULL: a redirect is all that is needed */
  const char *url;
} exchange;

/* ---- redirects ---- */

static bool is_redirect(int http_status) {
  return http_status >= 300 && http_status < 400;
}

/* Parses scheme, host and port of a URL; path and query are not examined. */
static igt_status origin_of(const char *text, igt__url *out, igt_error *err) {
  char origin[512];
  const char *host = strstr(text, "://");
  size_t n;

  if (!host)
    return igt__fail(err, IGT_E_PROTOCOL, "it is not a complete URL");
  n = (size_t)(host - text) + 3;
  n += strcspn(text + n, "/?#");
  if (n >= sizeof origin)
    return igt__fail(err, IGT_E_PROTOCOL, "its host name is too long");
  memcpy(origin, text, n);
  origin[n] = '\0';
  return igt__url_parse(origin, "its address", out, err);
}

static igt_status check_redirect(const igt__release_page *page, const char *url, igt_error *err) {
  igt__url to;
  igt_status status = origin_of(url, &to, err);

  if (status == IGT_OK && to.is_loopback && !page->is_loopback)
    status = igt__fail(err, IGT_E_PROTOCOL, "it points to this machine");
  if (status == IGT_OK)
    return status;
  igt__error_prefix(err, "the redirect of %s is not followed", page->url);
  if (err)
    err->status = IGT_E_PROTOCOL;
  return IGT_E_PROTOCOL;
}

igt_status igt__release_redirect(const igt__release_page *page, const char *from,
                                 const char *location, igt__buf *out, igt_error *err) {
  char origin[300];
  igt__url base;
  igt_status status = IGT_OK;

  igt__buf_clear(out);
  if (location[0] == '/' && location[1] != '/') {
    status = origin_of(from, &base, err);
    if (status != IGT_OK)
      return status;
    igt__url_origin(&base, origin, sizeof origin);
    igt__buf_puts(out, origin);
  }
  igt__buf_append(out, location, strcspn(location, "#"));
  if (out->failed)
    return igt__fail(err, IGT_E_PROTOCOL, "the redirect of %s is too long", page->url);
  return check_redirect(page, out->data, err);
}

/* ---- one request ---- */

static igt_status on_headers(igt__http_request *req, igt_error *err) {
  const exchange *x = req->payload;

  if (is_redirect(req->http_status) && igt__http_response_header(req, "Location", 0))
    return IGT_OK;
  if (!x->sink)
    return igt__fail(err, IGT_E_PROTOCOL,
                     "%s names no release: a redirect to .../tag/vX.Y.Z was expected. Is a proxy "
                     "that requires a login in between?",
                     x->url);
  if (req->http_status != 200)
    return igt__fail(err, IGT_E_PROTOCOL, "%s: the response (HTTP %d) is not a file", x->url,
                     req->http_status);
  if (req->content_length > 0 && (uint64_t)req->content_length > x->sink->most)
    return igt__fail(err, IGT_E_LIMIT, "%s: it has more bytes than a release may have (%llu)",
                     x->url, (unsigned long long)x->sink->most);
  return IGT_OK;
}

static igt_status on_data(igt__http_request *req, const char *data, size_t n, igt_error *err) {
  const exchange *x = req->payload;
  igt__asset_sink *sink = x->sink;

  if (!sink || is_redirect(req->http_status)) { /* a page for humans */
    if (n <= IGT__MAX_RELEASE_PAGE - req->response.len && igt__buf_append(&req->response, data, n))
      return IGT_OK;
    return igt__fail(err, IGT_E_LIMIT, "%s: the response is too long", x->url);
  }
  if (n > sink->most - sink->size)
    return igt__fail(err, IGT_E_LIMIT, "%s: it has more bytes than a release may have (%llu)",
                     x->url, (unsigned long long)sink->most);
  sink->size += n;
  if (sink->fd < 0)
    return igt__buf_append(sink->text, data, n) ? IGT_OK : igt__fail_memory(err);
  igt__digest_update(sink->digest, data, n);
  if (!igt__fd_write(sink->fd, data, n))
    return igt__fail_errno(err, errno, "the new program could not be written");
  return IGT_OK;
}

static igt_status on_restart(igt__http_request *req, igt_error *err) {
  igt__asset_sink *sink = ((const exchange *)req->payload)->sink;

  igt__buf_clear(&req->response);
  if (!sink)
    return IGT_OK;
  sink->size = 0;
  if (sink->fd < 0) {
    igt__buf_clear(sink->text);
    return IGT_OK;
  }
  igt__digest_reset(sink->digest);
  if (igt__os_truncate(sink->fd, 0) != 0 || igt__os_rewind(sink->fd) != 0)
    return igt__fail_errno(err, errno, "the new program could not be written");
  return IGT_OK;
}

/* *location: where to look instead; "" if the sink has the content. */
static igt_status get(const igt__release_page *page, const char *url, igt__asset_sink *sink,
                      igt__buf *location, igt_error *err) {
  exchange x = {.sink = sink, .url = url};
  igt__http_request req;
  igt_status status = igt__http_request_init(&req, err);
  const char *found;

  igt__buf_clear(location);
  req.operation = sink ? "release asset" : "latest release";
  req.idempotent = req.redirects_are_responses = true;
  req.cancel = page->cancel;
  req.payload = &x;
  req.on_headers = on_headers;
  req.on_data = on_data;
  req.on_restart = on_restart;
  if (status == IGT_OK && (status = igt__http_set_url(&req, url)) != IGT_OK)
    igt__fail(err, status, "the URL of the release is too long");
  if (status == IGT_OK)
    status = igt__http_perform(page->http, &req, err);
  if (status == IGT_OK && is_redirect(req.http_status)) {
    found = igt__http_response_header(&req, "Location", 0);
    if (!igt__buf_puts(location, found ? found : ""))
      status = igt__fail_memory(err);
  }
  igt__http_request_finish(&req);
  return status;
}

/* ---- the page and its assets ---- */

/* Follows redirects until `latest` (if given) is known, or the sink has everything. */
static igt_status follow(const igt__release_page *page, igt__buf *url, igt__asset_sink *sink,
                         igt__release *latest, igt_error *err) {
  igt__buf location, next;
  igt_status status = IGT_OK;
  bool done = false;

  igt__buf_init(&location, MAX_URL);
  igt__buf_init(&next, MAX_URL);
  for (int i = 0; status == IGT_OK && !done && i <= MAX_REDIRECTS; i++) {
    status = get(page, url->data, sink, &location, err);
    done = latest ? igt__release_of_tag(location.data, latest) : location.len == 0;
    if (status != IGT_OK || done)
      break;
    status = igt__release_redirect(page, url->data, location.data, &next, err);
    igt__buf_clear(url);
    if (status == IGT_OK && !igt__buf_append(url, next.data, next.len))
      status = igt__fail_memory(err);
  }
  igt__buf_finish_wipe(&location); /* may be signed */
  igt__buf_finish_wipe(&next);
  if (status == IGT_OK && !done)
    return igt__fail(err, IGT_E_PROTOCOL, "%s: more than %d redirects", page->url, MAX_REDIRECTS);
  return status;
}

igt_status igt__release_latest(const igt__release_page *page, igt__release *out, igt_error *err) {
  igt__buf url;
  igt_status status;

  igt__buf_init(&url, MAX_URL);
  if (igt__buf_printf(&url, "%s/latest", page->url))
    status = follow(page, &url, NULL, out, err);
  else
    status = igt__fail_memory(err);
  igt__buf_finish(&url);
  return status;
}

igt_status igt__release_asset(const igt__release_page *page, const char *version, const char *name,
                              igt__asset_sink *sink, igt_error *err) {
  igt__buf url;
  igt_status status;

  igt__buf_init(&url, MAX_URL);
  if (igt__buf_printf(&url, "%s/download/v%s/%s", page->url, version, name))
    status = follow(page, &url, sink, NULL, err);
  else
    status = igt__fail_memory(err);
  igt__buf_finish_wipe(&url);
  return status;
}
