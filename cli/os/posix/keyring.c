/* SPDX-License-Identifier: MIT */
/* The desktop's keyring (GNOME Keyring, KWallet, KeePassXC: the Secret Service on D-Bus) through
 * libsecret, which is loaded when it is needed: machines without a desktop need neither it nor
 * glib. An entry has three attributes: program, the cloud's domain and the user. Without a session
 * bus nothing is loaded. Calls block, also while the keyring asks the user to unlock it. password.c
 * uses it; a static program has keyring_none.c in its place. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* libsecret's SecretSchema. */
typedef struct attribute {
  const char *name;
  int type; /* 0: string */
} attribute;
typedef struct schema {
  const char *name;
  int flags;
  attribute attributes[32];
  int reserved;
  void *more[7];
} schema;
/* glib's GError. */
typedef struct error {
  unsigned domain;
  int code;
  char *message;
} error;

typedef int (*store_fn)(const schema *, const char *collection, const char *label,
                        const char *password, void *cancellable, error **, ...);
typedef char *(*lookup_fn)(const schema *, void *cancellable, error **, ...);
typedef int (*clear_fn)(const schema *, void *cancellable, error **, ...);

static struct {
  void *library;
  store_fn store;
  lookup_fn lookup;
  clear_fn clear;
  void (*free_password)(char *);
  void (*free_error)(error *);
} lib;

#define PROGRAM "program", "igtcloud"
/* Entries that `secret-tool store` made count as well: their schema has another name. */
#define DONT_MATCH_NAME 2
static const schema entries = {.name = "org.igtcloud.Password",
                               .flags = DONT_MATCH_NAME,
                               .attributes = {{"program", 0}, {"domain", 0}, {"user", 0}}};

/* What GDBus connects to; without it, it would try to start a bus. */
static bool has_bus(void) {
  const char *bus = getenv("DBUS_SESSION_BUS_ADDRESS"), *runtime = getenv("XDG_RUNTIME_DIR");
  char path[512];

  if (bus && *bus)
    return true;
  return runtime && *runtime == '/' &&
         snprintf(path, sizeof path, "%s/bus", runtime) < (int)sizeof path &&
         access(path, R_OK | W_OK) == 0;
}

static void *find(const char *name) {
  return dlsym(lib.library, name);
}

bool keyring_is_available(const char **why) {
  static bool tried, is_complete;

  *why = "there is no session bus (a desktop's, or dbus-run-session)";
  if (!has_bus())
    return false;
  *why = "libsecret-1.so.0 is not installed (Debian's package is libsecret-1-0)";
  if (!tried && (lib.library = dlopen("libsecret-1.so.0", RTLD_NOW | RTLD_LOCAL)) != NULL) {
    *(void **)&lib.store = find("secret_password_store_sync");
    *(void **)&lib.lookup = find("secret_password_lookup_sync");
    *(void **)&lib.clear = find("secret_password_clear_sync");
    *(void **)&lib.free_password = find("secret_password_free");
    *(void **)&lib.free_error = find("g_error_free");
    is_complete = lib.store && lib.lookup && lib.clear && lib.free_password && lib.free_error;
  }
  tried = true;
  return is_complete;
}

static bool is_fine(error *err, const char *what) {
  if (!err)
    return true;
  complain(IGT_E_LOGIN, "the keyring cannot %s the password: %s", what, err->message);
  lib.free_error(err);
  return false;
}

bool keyring_read(const char *domain, const char *user, char *out, size_t cap) {
  const char *why;
  error *err = NULL;
  char *password;
  bool found;

  if (!keyring_is_available(&why))
    return false;
  password = lib.lookup(&entries, NULL, &err, PROGRAM, "domain", domain, "user", user, NULL);
  if (err) { /* a bus without a keyring, or one that stays locked: prompt instead */
    debug_message("the keyring: %s", err->message);
    lib.free_error(err);
    return false;
  }
  found = password && strlen(password) < cap;
  if (found)
    memcpy(out, password, strlen(password) + 1);
  if (password)
    lib.free_password(password);
  return found;
}

bool keyring_store(const char *domain, const char *user, const char *password) {
  const char *why;
  char label[600];
  error *err = NULL;

  if (!keyring_is_available(&why))
    return false;
  snprintf(label, sizeof label, "igtcloud: %s at %s", user, domain);
  (void)lib.store(&entries, NULL, label, password, NULL, &err, PROGRAM, "domain", domain, "user",
                  user, NULL);
  return is_fine(err, "keep");
}

int keyring_forget(const char *domain, const char *user) {
  const char *why;
  error *err = NULL;
  int removed;

  if (!keyring_is_available(&why))
    return 0;
  removed = domain ? lib.clear(&entries, NULL, &err, PROGRAM, "domain", domain, "user", user, NULL)
                   : lib.clear(&entries, NULL, &err, PROGRAM, NULL);
  return is_fine(err, "remove") ? removed != 0 : -1;
}
