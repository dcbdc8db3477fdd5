/* SPDX-License-Identifier: MIT */
/* A libsecret that keeps its entries in the file of $FAKE_SECRET_FILE, a line each:
 * test_password.py loads it in place of the real one. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct error {
  unsigned domain;
  int code;
  char *message;
} error;

static char broken[] = "the fake keyring is broken";
static error the_error = {1, 1, broken};

static FILE *file(const char *mode) {
  return fopen(getenv("FAKE_SECRET_FILE"), mode);
}

static int fails(error **err) {
  if (!getenv("FAKE_SECRET_BROKEN"))
    return 0;
  *err = &the_error;
  return 1;
}

/* "program=igtcloud domain=… user=… " */
static void join(char *out, size_t cap, va_list args) {
  const char *name;

  *out = '\0';
  while ((name = va_arg(args, const char *)) != NULL) {
    size_t n = strlen(out);
    snprintf(out + n, cap - n, "%s=%s ", name, va_arg(args, const char *));
  }
}

int secret_password_store_sync(const void *schema, const char *collection, const char *label,
                               const char *password, void *cancel, error **err, ...) {
  char attributes[2000];
  va_list args;
  FILE *out;

  (void)schema, (void)collection, (void)label, (void)cancel;
  if (fails(err))
    return 0;
  va_start(args, err);
  join(attributes, sizeof attributes, args);
  va_end(args);
  out = file("a");
  fprintf(out, "%s\t%s\n", attributes, password);
  fclose(out);
  return 1;
}

static char *find(const char *attributes) {
  static char line[3000];
  FILE *in = file("r");
  char *found = NULL, *tab;

  while (in && !found && fgets(line, sizeof line, in)) {
    line[strcspn(line, "\n")] = '\0';
    tab = strchr(line, '\t');
    if (tab && strncmp(line, attributes, strlen(attributes)) == 0)
      found = tab + 1;
  }
  if (in)
    fclose(in);
  return found;
}

char *secret_password_lookup_sync(const void *schema, void *cancel, error **err, ...) {
  char attributes[2000], *found;
  va_list args;

  (void)schema, (void)cancel;
  if (fails(err))
    return NULL;
  va_start(args, err);
  join(attributes, sizeof attributes, args);
  va_end(args);
  found = find(attributes);
  return found ? strdup(found) : NULL;
}

int secret_password_clear_sync(const void *schema, void *cancel, error **err, ...) {
  char attributes[2000];
  va_list args;
  int removed;

  (void)schema, (void)cancel;
  if (fails(err))
    return 0;
  va_start(args, err);
  join(attributes, sizeof attributes, args);
  va_end(args);
  removed = find(attributes) != NULL;
  if (removed)
    fclose(file("w"));
  return removed;
}

void secret_password_free(char *password) {
  memset(password, 0, strlen(password));
  free(password);
}

void g_error_free(error *err) {
  (void)err;
}
