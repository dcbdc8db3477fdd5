/* SPDX-License-Identifier: MIT */
/* Finds the certificates that servers are judged by: --ca-file, else what one of the variables of
 * requests, boto3, curl and OpenSSL names, else the system's.
 *
 * igt__http_new calls igt__trust_find; attempt.c sets the result on each handle, and
 * explain.c names it in errors. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "http/internal.h"

/* In this order. Each may name a file or a directory; SSL_CERT_DIR is read beside SSL_CERT_FILE. */
static const char *const variables[] = {"REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE",
                                        "SSL_CERT_FILE"};

static igt_status keep(char **to, const char *path, igt_error *err) {
  *to = igt__strdup(path);
  return *to ? IGT_OK : igt__fail_memory(err);
}

/* Both the file and the folder, where OpenSSL's two variables are set. */
static void set_label(igt__trust *trust, const char *source) {
  const char *both = trust->file && trust->dir ? " and " : "";

  (void)snprintf(trust->label, sizeof trust->label, "%s%s%s, %s", trust->file ? trust->file : "",
                 both, trust->dir ? trust->dir : "", source);
  if (trust->by_system)
    (void)snprintf(trust->label, sizeof trust->label, "those of Windows");
  else if (!trust->file && !trust->dir)
    (void)snprintf(trust->label, sizeof trust->label, "none found on this machine");
}

/* curl opens a file for new connections; from a pipe it would block, and find it empty the second
 * time, so a pipe is read here. */
static igt_status use(igt__trust *trust, const char *path, igt_error *err) {
  igt__stat st;
  igt_status status;

  if (igt__os_stat(path, &st) != 0 || (!S_ISFIFO(st.st_mode) && !igt__os_is_readable(path)))
    return igt__fail_errno(err, errno, "cannot open '%s'", path);
  if (S_ISDIR(st.st_mode))
    return keep(&trust->dir, path, err);
  status = keep(&trust->file, path, err);
  if (status || S_ISREG(st.st_mode))
    return status;
  return igt__file_read(path, IGT__MAX_CA_FILE, &trust->pem, &trust->pem_size, err);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);

  return value && *value ? value : NULL;
}

/* A variable whose file is missing is an error, as it is to requests: falling back to the system's
 * certificates would trust what the user has excluded. */
static igt_status use_variables(igt__trust *trust, igt_error *err) {
  const char *value = NULL, *name = NULL, *dir = variable("SSL_CERT_DIR");
  igt_status status = IGT_OK;

  for (size_t i = 0; i < sizeof variables / sizeof *variables && !value; i++)
    value = variable(name = variables[i]);
  if (value && use(trust, value, err) != IGT_OK)
    return igt__error_prefix(err, "the trusted certificates (%s)", name);
  /* OpenSSL's own variable is a list of directories, of which some may be missing. */
  if (dir && !trust->dir && (!value || strcmp(name, "SSL_CERT_FILE") == 0))
    status = keep(&trust->dir, dir, err);
  set_label(trust, value ? name : "SSL_CERT_DIR");
  return status;
}

igt_status igt__trust_find(const char *ca_file, igt__trust *trust, igt_error *err) {
  igt_status status;

  if (ca_file) {
    if (use(trust, ca_file, err) != IGT_OK)
      return igt__error_prefix(err, "the file of trusted certificates");
    set_label(trust, "--ca-file");
    return IGT_OK;
  }
  status = use_variables(trust, err);
  if (!status && !trust->file && !trust->dir) {
    status = igt__trust_use_system(trust, err);
    set_label(trust, "the system's");
  }
  return status;
}

void igt__trust_finish(igt__trust *trust) {
  igt__free(trust->file);
  igt__free(trust->dir);
  igt__free(trust->pem);
  memset(trust, 0, sizeof *trust);
}
