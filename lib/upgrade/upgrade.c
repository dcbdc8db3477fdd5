/* SPDX-License-Identifier: MIT */
/* igt_upgrade: checks the options and the release key, determines the release, downloads the
 * program and its signature, verifies the signature over the program's SHA-256 line, and only then
 * replaces the file. fetch.c makes the requests, replace.c handles the file, version.c compares
 * versions. Called by `igtcloud upgrade`. */
#include "upgrade/upgrade.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/sized.h"

typedef struct upgrade {
  const igt_upgrade_options *options;
  igt__release_page page;
  char *url;
  igt__ed25519 *key;
  igt__release current, wanted;
  char version[48], name[160]; /* of the asset */
} upgrade;

/* ---- before anything is sent ---- */

static igt_status open_page(upgrade *up, igt_error *err) {
  const igt_upgrade_options *o = up->options;
  char agent[96];
  igt__http_options http = {.user_agent = agent,
                            .ca_file = o->ca_file,
                            .proxy = o->proxy,
                            .proxy_source = o->proxy_source,
                            .loops = 1,
                            .connect_timeout_ms = o->connect_timeout_ms,
                            .idle_timeout_ms = o->idle_timeout_ms,
                            .retries = o->retries < 0 ? UINT_MAX : (unsigned)o->retries,
                            .max_connections = 1};
  igt__url url;
  igt_status status = igt__url_parse(o->releases, "the release page", &url, err);
  size_t n = strlen(o->releases);

  if (status != IGT_OK)
    return status;
  if (!strstr(o->releases, "://"))
    return igt__fail(err, IGT_E_INVALID, "the release page %s is not a URL", o->releases);
  while (n > 0 && o->releases[n - 1] == '/')
    n--;
  up->url = igt__strndup(o->releases, n);
  if (!up->url)
    return igt__fail_memory(err);
  up->page.url = up->url;
  up->page.is_loopback = url.is_loopback;
  up->page.cancel = o->cancel;
  snprintf(agent, sizeof agent, "igtcloud/%s", o->current);
  return igt__http_new(&http, &up->page.http, err);
}

static igt_status check_options(upgrade *up, igt_error *err) {
  const igt_upgrade_options *o = up->options;

  if (!o->releases || !o->current || !o->target)
    return igt__fail(err, IGT_E_INVALID,
                     "an upgrade needs a release page, a program and its version");
  if (!o->release_key || !*o->release_key)
    return igt__fail(err, IGT_E_UNSUPPORTED,
                     "this build carries no release key, so it cannot tell whether a release is "
                     "genuine and does not upgrade itself; use the package manager that installed "
                     "it, or build it again");
  if (!igt__release_parse(o->current, &up->current))
    return igt__fail(err, IGT_E_INVALID, "the program's version '%s' is not X.Y.Z", o->current);
  if (o->version && !igt__release_parse(o->version, &up->wanted))
    return igt__fail(err, IGT_E_INVALID, "'%s' is not a version such as 1.2.3", o->version);
  return igt__ed25519_public(o->release_key, strlen(o->release_key), "the release key", &up->key,
                             err);
}

/* ---- choosing the release ---- */

static igt_status choose(upgrade *up, igt_error *err) {
  igt_status status = IGT_OK;
  char current[48];

  if (!up->options->version)
    status = igt__release_latest(&up->page, &up->wanted, err);
  if (status != IGT_OK)
    return status;
  igt__release_text(&up->wanted, up->version);
  if (up->options->version || igt__release_compare(&up->wanted, &up->current) >= 0)
    return IGT_OK;
  igt__release_text(&up->current, current);
  return igt__fail(
      err, IGT_E_UNSUPPORTED,
      "the latest release, %s, is older than this program, %s; name the version to downgrade",
      up->version, current);
}

static igt_status name_asset(upgrade *up, igt_error *err) {
  char machine[80];

  if (igt__os_machine(machine, sizeof machine) != 0)
    return igt__fail(err, IGT_E_INTERNAL, "the system does not report its machine type");
  snprintf(up->name, sizeof up->name, "igtcloud-%s-%s", up->version, machine);
  return IGT_OK;
}

/* ---- downloading it ---- */

static igt_status no_asset(const upgrade *up, const char *name, igt_error *err) {
  return igt__fail(err, IGT_E_NOT_FOUND,
                   "there is no release %s, or it has none for this machine: %s is not on %s",
                   up->version, name, up->url);
}

static igt_status get_signature(const upgrade *up, igt__buf *out, igt_error *err) {
  char name[sizeof up->name + 8];
  igt__asset_sink sink = {.fd = -1, .text = out, .most = IGT__MAX_RELEASE_PAGE};
  igt_status status;

  snprintf(name, sizeof name, "%s.sig", up->name);
  status = igt__release_asset(&up->page, up->version, name, &sink, err);
  return status == IGT_E_NOT_FOUND ? no_asset(up, name, err) : status;
}

/* The line that sha256sum prints for it, which is what the signature covers. */
static igt_status get_program(const upgrade *up, int fd, igt__buf *line, igt_error *err) {
  unsigned char digest[IGT__DIGEST_MAX];
  char hex[2 * IGT__DIGEST_MAX + 1];
  igt__asset_sink sink = {.fd = fd, .most = IGT__MAX_PROGRAM};
  igt_status status;

  sink.digest = igt__digest_new(IGT__SHA256);
  if (!sink.digest)
    return igt__fail_memory(err);
  status = igt__release_asset(&up->page, up->version, up->name, &sink, err);
  igt__digest_final(sink.digest, digest);
  igt__digest_free(sink.digest);
  igt__hex(digest, igt__digest_size(IGT__SHA256), hex);
  if (status == IGT_OK && !igt__buf_printf(line, "%s  %s\n", hex, up->name))
    status = igt__fail_memory(err);
  return status == IGT_E_NOT_FOUND ? no_asset(up, up->name, err) : status;
}

static igt_status get_verified(const upgrade *up, int fd, igt_error *err) {
  igt__buf signature, line;
  igt_status status;

  igt__buf_init(&signature, IGT__MAX_RELEASE_PAGE);
  igt__buf_init(&line, 1024);
  status = get_signature(up, &signature, err);
  if (status == IGT_OK)
    status = get_program(up, fd, &line, err);
  if (status == IGT_OK &&
      !igt__ed25519_verify(up->key, line.data, line.len, signature.data, signature.len))
    status = igt__fail(err, IGT_E_CHECKSUM,
                       "%s is not what was released: its signature is wrong. Nothing was replaced. "
                       "It was truncated or changed in transit, or %s cannot be trusted",
                       up->name, up->url);
  igt__buf_finish(&signature);
  igt__buf_finish(&line);
  return status;
}

static igt_status replace(const upgrade *up, igt_error *err) {
  igt__replacement file;
  igt_status status = igt__replacement_begin(up->options->target, &file, err);

  if (status == IGT_OK)
    status = get_verified(up, file.fd, err);
  if (status == IGT_OK && igt__cancel_is_set(up->options->cancel))
    status = igt__fail(err, IGT_E_CANCELLED, "cancelled");
  if (status == IGT_OK)
    status = igt__replacement_commit(&file, err);
  igt__replacement_finish(&file);
  return status;
}

static igt_status run(upgrade *up, igt_upgrade_result *out, igt_error *err) {
  igt_status status = check_options(up, err);

  if (status == IGT_OK && !up->options->dry_run)
    igt__replacement_sweep(up->options->target);
  if (status == IGT_OK)
    status = open_page(up, err);
  if (status == IGT_OK)
    status = choose(up, err);
  memcpy(out->version, up->version, sizeof out->version);
  if (status == IGT_OK)
    status = name_asset(up, err);
  if (status != IGT_OK)
    return status;
  out->is_current = igt__release_compare(&up->wanted, &up->current) == 0;
  if (out->is_current || up->options->dry_run)
    return IGT_OK;
  status = replace(up, err);
  out->replaced = status == IGT_OK;
  return status;
}

igt_status igt_upgrade(const igt_upgrade_options *options, igt_upgrade_result *out,
                       igt_error *err) {
  igt_upgrade_options own;
  igt_upgrade_result result = IGT_UPGRADE_RESULT_INIT;
  upgrade up = {.options = &own};
  igt_error ignored = IGT_ERROR_INIT;
  igt_status status;

  igt__error_clear(err);
  status = igt__result_check(out, "igt_upgrade_result", err);
  if (status == IGT_OK)
    status = igt__options_read(&own, sizeof own, options, "igt_upgrade_options", err);
  if (status != IGT_OK)
    return status;
  status = run(&up, &result, err ? err : &ignored);
  igt__result_write(out, &result, sizeof result);
  igt__http_free(up.page.http);
  igt__ed25519_free(up.key);
  igt__free(up.url);
  return status;
}

IGT__DEFINE_INIT(igt_upgrade_options)
IGT__DEFINE_INIT(igt_upgrade_result)
