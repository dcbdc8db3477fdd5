/* SPDX-License-Identifier: MIT */
/* Creates service identities and writes their keys to disk. The private key is returned only once,
 * so the key file (mode 0600) is created before the identity; without a given path it is renamed to
 * ID.pem afterwards. If the key cannot be written, the identity is deleted again. Called by
 * programs through igtcloud/cloud.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "cloud/find.h"
#include "crypto/crypto.h"

/* Nobody else may read it, and no existing file is overwritten: a key cannot be retrieved again. */
static igt_status create_file(const char *path, int *fd, igt_error *err) {
  *fd = igt__os_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (*fd >= 0)
    return IGT_OK;
  if (errno == EEXIST)
    return igt__fail(err, IGT_E_COLLISION, "'%s' exists: a private key never replaces a file",
                     path);
  return igt__fail_errno(err, errno, "the private key cannot be written to '%s'", path);
}

static igt_status write_key(int fd, const char *pem, const char *path, igt_error *err) {
  igt__buf text;
  igt_status status = IGT_OK;

  igt__buf_init(&text, 2 * IGT__MAX_KEY_FILE);
  if (!igt__pem_wrap(pem, strlen(pem), &text))
    status = igt__fail(err, IGT_E_KEY, "the private key is not in PEM form (-----BEGIN ...)");
  if (status == IGT_OK && (!igt__fd_write(fd, text.data, text.len) || !igt__file_sync(fd)))
    status = igt__fail_errno(err, errno, "the private key cannot be written to '%s'", path);
  igt__buf_finish_wipe(&text);
  return status;
}

igt_status igt_key_save(const char *pem, const char *path, igt_error *err) {
  int fd = -1;
  igt_status status;

  igt__error_clear(err);
  if (!pem || !path || !*path)
    return igt__fail(err, IGT_E_INVALID, "no key or no path for it was given");
  status = create_file(path, &fd, err);
  if (status != IGT_OK)
    return status;
  status = write_key(fd, pem, path, err);
  if (igt__os_close(fd) != 0 && status == IGT_OK)
    status = igt__fail_errno(err, errno, "the private key cannot be written to '%s'", path);
  if (status != IGT_OK)
    (void)igt__os_unlink(path);
  return status;
}

/* ---- creating ---- */

static igt_status post(igt_client *client, const char *organization_id, const char *name,
                       igt_service **out, igt_error *err) {
  igt_service body = {0};
  igt_status status;

  body.name.is = IGT_SET;
  body.name.v = name;
  status = igt_create_service(client, organization_id, NULL, &body, out, err);
  if (status == IGT_OK && !*igt__text_of(&(*out)->service_id))
    status = igt__fail(err, IGT_E_REQUIRED, "the response of post_services has no serviceId");
  else if (status == IGT_OK && !*igt__text_of(&(*out)->private_key))
    status = igt__fail(err, IGT_E_REQUIRED, "the response of post_services has no privateKey");
  return status;
}

/* The request may have reached the cloud, and the only copy of the key was in the response. */
static bool may_be_created(igt_status status) {
  static const igt_status unknown[] = {IGT_E_CANCELLED, IGT_E_TIMEOUT, IGT_E_NETWORK,
                                       IGT_E_PROTOCOL,  IGT_E_SERVER,  IGT_E_PARSE,
                                       IGT_E_TYPE,      IGT_E_LIMIT};

  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
    if (status == unknown[i])
      return true;
  return false;
}

/* Renames the file to its final name, which is known only now, unless a file of that name
 * exists. */
static igt_status name_file(const char *from, const igt_service *service, igt_error *err) {
  char path[IGT__MAX_NAME + 16];
  igt_status status = igt__name_check(service->service_id.v, "the service's id", err);

  if (status != IGT_OK)
    return status;
  (void)snprintf(path, sizeof path, "%s.pem", service->service_id.v);
  if (igt__os_link(from, path) != 0)
    return igt__fail_errno(err, errno, "the private key cannot be saved as '%s'", path);
  (void)igt__os_unlink(from);
  return IGT_OK;
}

static void forget_key(igt_service *service) {
  if (service->private_key.is == IGT_SET) {
    union {
      const char *from;
      char *to;
    } key = {service->private_key.v};
    igt__wipe(key.to, strlen(key.to));
  }
  service->private_key.is = IGT_ABSENT;
  service->private_key.v = NULL;
}

/* An identity whose key nobody has is useless. */
static void take_back(igt_client *client, const char *organization_id, const igt_service *service,
                      igt_error *err) {
  const char *id = igt__text_of(&service->service_id);
  igt_error second = IGT_ERROR_INIT;

  if (!*id)
    return;
  if (igt_delete_service(client, organization_id, id, &second) == IGT_OK)
    igt__error_append(err, " (the service identity was deleted again)");
  else
    igt__error_append(err,
                      " (the service identity '%s' remains, because it could not be deleted: %s)",
                      id, second.text);
}

static igt_status create(igt_client *client, const char *organization_id, const char *name,
                         const char *path, bool named, int fd, igt_service **service,
                         igt_error *err) {
  igt_status status = post(client, organization_id, name, service, err);

  if (!*service) {
    if (may_be_created(status))
      igt__error_append(err,
                        " (the service identity may have been created, but its key is lost: look "
                        "for it with `igtcloud service list`)");
    return status;
  }
  if (status == IGT_OK)
    status = write_key(fd, (*service)->private_key.v, path, err);
  if (status == IGT_OK && !named)
    status = name_file(path, *service, err);
  if (status != IGT_OK)
    take_back(client, organization_id, *service, err);
  forget_key(*service);
  return status;
}

igt_status igt_service_create(igt_client *client, const char *organization_id, const char *name,
                              const char *path, igt_service **out, igt_error *err) {
  char token[17], hidden[64];
  igt_service *service = NULL;
  bool named = path && *path;
  int fd = -1;
  igt_status status;

  igt__error_clear(err);
  if (out)
    *out = NULL;
  if (!client || !organization_id || !name || !igt__random_token(token, 16))
    return igt__fail(err, IGT_E_INVALID, "a service needs a client, an organization and a name");
  (void)snprintf(hidden, sizeof hidden, ".igtcloud-key-%s", token);
  if (!named)
    path = hidden;
  status = create_file(path, &fd, err);
  if (status != IGT_OK)
    return status;
  status = create(client, organization_id, name, path, named, fd, &service, err);
  igt__os_close(fd);
  if (status != IGT_OK)
    (void)igt__os_unlink(path);
  if (status == IGT_OK && out)
    *out = service;
  else
    igt_model_free(service ? &service->model : NULL);
  return status;
}
