/* SPDX-License-Identifier: MIT */
/* The system's certificates. Distributions keep them at different paths, and libcurl knows only the
 * one of the distribution that built it, so the known paths are tried in order. A single file is
 * preferred to a directory of them: libcurl parses a file once for all connections, but not if a
 * directory is set as well. Proxies are variables here, which proxy.c reads. */
#include "base/mem.h"
#include "base/os/os.h"
#include "http/internal.h"

static const char *const system_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Alpine, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* RHEL, Fedora */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL, Fedora from 43 on */
    "/var/lib/ca-certificates/ca-bundle.pem",            /* SUSE without its compatibility links */
    "/etc/ssl/cert.pem",                                 /* Alpine, macOS, BSDs */
};
static const char *const system_dirs[] = {"/etc/ssl/certs", "/etc/pki/tls/certs"};

static igt_status keep(char **to, const char *path, igt_error *err) {
  *to = igt__strdup(path);
  return *to ? IGT_OK : igt__fail_memory(err);
}

igt_status igt__trust_use_system(igt__trust *trust, igt_error *err) {
  for (size_t i = 0; i < sizeof system_files / sizeof *system_files; i++)
    if (igt__os_is_readable(system_files[i]))
      return keep(&trust->file, system_files[i], err);
  for (size_t i = 0; i < sizeof system_dirs / sizeof *system_dirs; i++)
    if (igt__os_is_readable(system_dirs[i]))
      return keep(&trust->dir, system_dirs[i], err);
  return IGT_OK;
}

CURLcode igt__trust_ask_system(CURL *easy) {
  (void)easy;
  return CURLE_OK;
}

bool igt__proxy_is_known(const char *url) {
  (void)url;
  return true;
}

void igt__proxy_ask_system(const char *url, char *out, size_t cap) {
  (void)url;
  (void)cap;
  *out = '\0';
}

CURLcode igt__proxy_use_login(CURL *easy, const char *proxy, bool tunnel) {
  (void)easy;
  (void)proxy;
  (void)tunnel;
  return CURLE_OK;
}
