/* SPDX-License-Identifier: MIT */
/* The probes of `igtcloud doctor` that need this machine alone: version, configuration, token file,
 * the target's file system, and the journal. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "doctor.h"
#include "igtcloud/probe.h"
#include "igtcloud/version.h"

void probe_version(doctor *d) {
  char os[256];

  os_system(false, os, sizeof os);
  found(d, "version", VERDICT_OK, NULL, "igtcloud %s on %s", igt_version(), os);
}

const char *short_path(const char *path, char *out, size_t cap) {
  const char *home = getenv("HOME");
  size_t n = home ? strlen(home) : 0;

  if (n < 2 || strncmp(path, home, n) != 0 || path[n] != '/')
    return path;
  (void)snprintf(out, cap, "~%s", path + n);
  return out;
}

/* ---- configuration ---- */

/* What the program read before the command began. */
static bool report_mistakes(doctor *d) {
  const held_errors *mistakes = setting_mistakes();

  for (size_t i = 0; i < mistakes->count; i++)
    found_private(d, "configuration", VERDICT_ERROR,
                  "correct it; `igtcloud config check` examines the whole file",
                  "a setting cannot be used", "%s", mistakes->v[i]);
  return mistakes->count > 0;
}

void probe_configuration(doctor *d) {
  const char *profile = d->s->profile ? d->s->profile : "default";
  char text[4096];
  config c;
  size_t n;

  if (report_mistakes(d))
    return;
  if (!config_read(d->s, &c)) {
    found(d, "configuration", VERDICT_ERROR, "igtcloud config check", "%s cannot be used",
          c.path ? c.path : "the file");
    return;
  }
  n = config_profiles(&c);
  if (!c.exists)
    found(d, "configuration", VERDICT_OK, NULL, "no file (%s)",
          c.path ? short_path(c.path, text, sizeof text) : "HOME is not set");
  else
    found(d, "configuration", VERDICT_OK, NULL, "%s, profile '%s'%s; %zu profile%s, %zu value%s",
          short_path(c.path, text, sizeof text), profile,
          config_has_profile(&c, profile) ? "" : " (not in the file)", n, n == 1 ? "" : "s",
          c.count, c.count == 1 ? "" : "s");
  config_free(&c);
}

/* ---- the token file ---- */

void probe_token_file(doctor *d) {
  igt_error err = IGT_ERROR_INIT;
  igt_token *token = NULL;
  char full[4096] = "", text[4096];
  const char *path;
  igt_status status = igt_token_read(NULL, &token, &err);

  (void)igt_token_default_path(full, sizeof full);
  path = short_path(full, text, sizeof text);
  if (status == IGT_OK)
    found(d, "token file", VERDICT_OK, NULL, "%s, of the login process %" PRId64, path,
          igt_token_holder(token));
  else if (status == IGT_E_NO_SESSION)
    found(d, "token file", VERDICT_OK, NULL, "none: no igtcloud login is running (%s)", path);
  else
    found(d, "token file", VERDICT_ERROR,
          "remove it and sign in again; if it belongs to another user, set TMPDIR or "
          "CLOUD_TOKEN_MMAP to a path of your own",
          "%s", err.text);
  igt_token_free(token);
}

#define KEY_WARNING_DAYS 30

/* The key of a service identity: when it expires is in the record beside it. */
void probe_key(doctor *d) {
  static const char advice[] = "replace it with `igtcloud service rotate`";
  igt_key_info info = IGT_KEY_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt_key_info_read(d->s->service_file, &info, &err);
  long long days = ((long long)info.expires - (long long)time(NULL)) / 86400;

  if (!file_exists(d->s->service_file))
    found(d, "key", VERDICT_ERROR, "check --service-file", "cannot find the key '%s': %s",
          d->s->service_file, strerror(errno));
  else if (status == IGT_E_NO_FILE || (status == IGT_OK && !info.expires))
    found(d, "key", VERDICT_OK, NULL, "there is no record of when it expires");
  else if (status != IGT_OK)
    found(d, "key", VERDICT_WARNING, NULL, "%s", err.text);
  else if (info.expires <= (int64_t)time(NULL))
    found(d, "key", VERDICT_ERROR, advice, "it has expired");
  else
    found(d, "key", days < KEY_WARNING_DAYS ? VERDICT_WARNING : VERDICT_OK,
          days < KEY_WARNING_DAYS ? advice : NULL, "it expires in %lld day%s", days,
          days == 1 ? "" : "s");
}

/* Servers need none. */
void probe_keyring(doctor *d) {
  const char *why;

  if (d->s->no_keyring)
    found(d, "keyring", VERDICT_OK, NULL, "not used (--no-keyring)");
  else if (keyring_is_available(&why))
    found(d, "keyring", VERDICT_OK, NULL, "available through libsecret");
  else
    found(d, "keyring", VERDICT_OK, NULL, "none: %s", why);
}

/* ---- the target ---- */

#define SPACE_LEAST ((uint64_t)1024 * 1024 * 1024)

static void report_space(doctor *d, const igt_folder_info *i) {
  char available[24], total[24];

  if (!i->space_known)
    return;
  size_text(i->free_bytes, available, sizeof available);
  size_text(i->total_bytes, total, sizeof total);
  if (i->free_bytes < SPACE_LEAST)
    found(d, "disk space", VERDICT_WARNING, "free some, or choose another folder with --target",
          "%s free of %s in %s", available, total, d->target);
  else
    found(d, "disk space", VERDICT_OK, NULL, "%s free of %s in %s", available, total, d->target);
}

static void report_features(doctor *d, const igt_folder_info *i) {
  const char *advice = NULL;

  if (!i->keeps_times)
    advice = "files are compared by content, which is slow; use a file system that keeps dates";
  else if (!i->has_locks)
    advice = "do not run several downloads to this folder from different machines";
  found(d, "file system", advice ? VERDICT_WARNING : VERDICT_OK, advice,
        "%s%s; locks: %s, reserving space: %s, dates: %s, upper and lower case: %s",
        *i->type ? i->type : "an unknown file system",
        i->is_local ? "" : " (may be a network share)", i->has_locks ? "yes" : "no",
        i->can_reserve ? "yes" : "no", i->keeps_times ? "yes" : "no",
        i->keeps_case ? "differ" : "the same");
}

static const char *advice_for_folder(igt_status status) {
  switch (status) {
  case IGT_E_NO_SPACE:
    return "free some space, or choose another folder with --target";
  case IGT_E_READ_ONLY:
    return "the file system is mounted read-only: choose another folder with --target";
  case IGT_E_PERMISSION:
    return "choose a folder of your own with --target, or change its permissions";
  default:
    return "name the folder of your downloads with --target";
  }
}

void probe_folder(doctor *d) {
  igt_folder_info i = IGT_FOLDER_INFO_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt_probe_folder(d->target, &i, &err);

  if (i.space_known)
    report_space(d, &i);
  if (status == IGT_OK)
    report_features(d, &i);
  else
    found(d, "target", VERDICT_ERROR, advice_for_folder(status), "%s", err.text);
}

/* ---- the journal ---- */

#define OLD_S (7 * 86400)

static void report_uploads(doctor *d, const igt_journal_info *i) {
  int64_t age = i->oldest_start ? (int64_t)time(NULL) - i->oldest_start : 0;

  if (!i->uploads)
    return;
  found(d, "uploads", age > OLD_S ? VERDICT_WARNING : VERDICT_OK,
        age > OLD_S ? "repeat the upload, or end them with igtcloud uploads --abort: their parts "
                      "cost storage"
                    : NULL,
        "%" PRIu64 " unfinished, the oldest begun %" PRId64 " day%s ago", i->uploads, age / 86400,
        age / 86400 == 1 ? "" : "s");
}

static void report_journal(doctor *d, const igt_journal_info *i) {
  char size[24], text[1024];
  const char *path = short_path(i->path, text, sizeof text);

  size_text(i->bytes, size, sizeof size);
  if (i->mode & 077)
    found(d, "journal", VERDICT_WARNING,
          "make it private with " IGT__OS_MAKE_PRIVATE("FILE") ": it contains names of patients",
          "other users may read %s (mode %03o)", path, (unsigned)i->mode);
  else
    found(d, "journal", VERDICT_OK, NULL,
          "%s, %s, intact; %" PRIu64 " file%s, %" PRIu64 " unfinished download%s", path, size,
          i->files, i->files == 1 ? "" : "s", i->downloads, i->downloads == 1 ? "" : "s");
  report_uploads(d, i);
}

void probe_journal(doctor *d) {
  igt_journal_info i = IGT_JOURNAL_INFO_INIT;
  char text[1024];
  igt_error err = IGT_ERROR_INIT;
  igt_status status = igt_probe_journal(d->s->journal, 10000, &i, &err);

  if (status == IGT_OK && !i.exists)
    found(d, "journal", VERDICT_OK, NULL, "none yet (%s)", short_path(i.path, text, sizeof text));
  else if (status == IGT_OK)
    report_journal(d, &i);
  else if (status == IGT_E_TIMEOUT)
    found(d, "journal", VERDICT_WARNING, "check it alone: sqlite3 FILE 'PRAGMA integrity_check'",
          "%s", err.text);
  else if (status == IGT_E_PARSE)
    found(
        d, "journal", VERDICT_ERROR,
        "move it aside: the next run begins a new one, compares files again and starts unfinished "
        "uploads over",
        "%s", err.text);
  else
    found(d, "journal", VERDICT_ERROR, "check the file and its folder, or give --journal", "%s",
          err.text);
}
