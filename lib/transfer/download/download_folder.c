/* SPDX-License-Identifier: MIT */
/* The local folder of a study. Two studies of an institute may have one name, or names that the
 * file system cannot tell apart: the second one's folder gets a suffix of its studyDatabaseId. A
 * folder belongs to the study named by its study.json, so a later download finds the same folders,
 * whatever the order. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/unicode.h"
#include "cloud/suffix.h"
#include "transfer/download/download.h"
#include "transfer/engine/tree.h"

/* The key by which names are compared that must be two folders, here or wherever the copy goes
 * next. */
static char *as_folder(const igt__download *d, const char *folder) {
  return d->folds || d->rules == IGT__NAMES_PORTABLE ? igt__nfc_fold(folder) : igt__strdup(folder);
}

/* Two institutes in one folder would be uploaded as one. */
static igt_status claim_institute(igt__download *d, const igt_institute *institute,
                                  const char *folder, igt_error *err) {
  const char *id = igt__text_of(&institute->id), *there;
  char *key = as_folder(d, folder);
  igt_status status = IGT_OK;

  if (key && (there = igt__map_get(d->institutes, key)) != NULL && strcmp(there, id) != 0)
    status = igt__fail(
        err, IGT_E_COLLISION,
        "another institute has the folder '%s' already: download this one to another target, "
        "as id:%s",
        folder, id);
  else if (!key || !igt__map_set(d->institutes, key, (void *)(uintptr_t)id))
    status = igt__fail_memory(err);
  igt__free(key);
  return status;
}

static bool is_there(const igt__download *d, const char *folder) {
  igt__stat st;
  bool found;

  return igt__root_look(d->root, folder, &found, &st, NULL) == IGT_OK && found;
}

/* Whether the folder above has the name. NULL: no memory, which the caller sees. */
static bool has_name(const igt__download *d, const char *above, const char *name) {
  char *path = name ? igt__path_join(above, name) : NULL;
  bool has = path && is_there(d, path);

  igt__free(path);
  return has;
}

/* One component of a path, in the form that is here. The name itself comes first, so two files
 * whose names differ in form alone stay two files. */
static char *component_on_disk(const igt__download *d, const char *above, char *name) {
  char *nfd = NULL, *nfc = NULL, *found = name;

  if (!name || igt__is_ascii(name) || has_name(d, above, name))
    return name;
  if (has_name(d, above, nfd = igt__nfd(name)))
    found = nfd;
  else if (has_name(d, above, nfc = igt__nfc(name)))
    found = nfc;
  found = nfd ? found : NULL;
  if (found != name)
    igt__free(name);
  if (found != nfd)
    igt__free(nfd);
  if (found != nfc)
    igt__free(nfc);
  return found;
}

igt_status igt__download_on_disk(const igt__download *d, const char *path, char **out,
                                 igt_error *err) {
  char *found = NULL;

  *out = NULL;
  if (!d->root || igt__is_ascii(path) || is_there(d, path))
    return (*out = igt__strdup(path)) ? IGT_OK : igt__fail_memory(err);
  for (const char *p = path; *p;) {
    size_t n = strcspn(p, "/");
    char *name = component_on_disk(d, found ? found : "", igt__strndup(p, n)), *joined = NULL;
    if (name)
      joined = found ? igt__path_join(found, name) : igt__strdup(name);
    igt__free(name);
    igt__free(found);
    if (!(found = joined))
      return igt__fail_memory(err);
    p += n + (p[n] == '/');
  }
  *out = found;
  return found ? IGT_OK : igt__fail_memory(err);
}

static igt_status as_on_disk(const igt__download *d, char **folder, igt_error *err) {
  char *found;
  igt_status status = igt__download_on_disk(d, *folder, &found, err);

  if (status == IGT_OK) {
    igt__free(*folder);
    *folder = found;
  }
  return status;
}

/* Whose folder it is, according to its study.json. *mine: this study's; *other: another study's. */
static void look_at_folder(const igt__download *d, const char *folder, const char *id, bool *mine,
                           bool *other) {
  igt__json *doc = NULL;
  const char *there;

  *mine = *other = false;
  if (!d->root || igt__sidecar_read(d->root, folder, &doc, NULL) != IGT_OK)
    return; /* an unreadable one is rewritten, or fails then */
  there = igt__json_get_str(doc, "studyDatabaseId");
  *mine = there && strcmp(there, id) == 0;
  *other = there && *there && !*mine;
  igt__json_free(doc);
}

/* The names that a study's folder may have: its own, and those with a suffix of its id for a second
 * study of that name. */
enum { PLAIN, SHORT_SUFFIX, LONG_SUFFIX, FOLDER_NAMES };

static igt_status folder_name(const igt__download *d, const char *institute, const char *human,
                              const char *id, int form, char **out, igt_error *err) {
  char *study = NULL;
  igt__buf name;
  igt_status status;

  *out = NULL;
  igt__buf_init(&name, IGT__MAX_JOINED);
  igt__buf_puts(&name, human);
  if (form != PLAIN)
    igt__suffix_put(&name, id, form == LONG_SUFFIX);
  status = name.failed
               ? igt__fail_memory(err)
               : igt__study_folder(name.data, d->run.options.structure, d->rules, &study, err);
  if (status == IGT_OK && !(*out = igt__path_join(institute, study)))
    status = igt__fail_memory(err);
  if (status == IGT_OK)
    status = as_on_disk(d, out, err);
  igt__free(study);
  igt__buf_finish(&name);
  return status;
}

igt_status igt__download_is_claimed(const igt__download *d, const char *folder, bool *claimed,
                                    igt_error *err) {
  char *key = as_folder(d, folder);

  *claimed = key && igt__fingerprints_has(d->folders, key);
  igt__free(key);
  return key ? IGT_OK : igt__fail_memory(err);
}

static igt_status claim_folder(igt__download *d, const char *folder, igt_error *err) {
  char *key = as_folder(d, folder);
  igt_status status = IGT_OK;

  if (!key || !igt__fingerprints_set(d->folders, key, 0))
    status = igt__list_fail(&d->lists, "studies", "process one institute at a time", err);
  igt__free(key);
  return status;
}

/* The folder whose study.json names this study, whatever the order in which the cloud lists them;
 * else the first name that no other study uses. *out NULL: all are taken. */
static igt_status find_folder(igt__download *d, const char *institute, const char *human,
                              const char *id, char **out, igt_error *err) {
  char *free_one = NULL, *folder;
  igt_status status = IGT_OK;

  *out = NULL;
  for (int form = PLAIN; form < FOLDER_NAMES && status == IGT_OK && !*out; form++) {
    bool claimed = false, mine = false, other = false;
    status = folder_name(d, institute, human, id, form, &folder, err);
    if (status == IGT_E_UNSAFE_NAME && form != PLAIN) { /* too long with its suffix */
      status = IGT_OK;
      continue;
    }
    if (status == IGT_OK)
      status = igt__download_is_claimed(d, folder, &claimed, err);
    if (status == IGT_OK && !claimed)
      look_at_folder(d, folder, id, &mine, &other);
    if (status == IGT_OK && mine) {
      *out = folder;
    } else if (status == IGT_OK && !claimed && !other && !free_one) {
      free_one = folder;
    } else {
      igt__free(folder);
    }
  }
  if (status == IGT_OK && !*out) {
    *out = free_one;
    free_one = NULL;
  }
  igt__free(free_one);
  return status;
}

igt_status igt__download_folder(igt__download *d, const igt_institute *institute, const char *human,
                                const char *id, char **out, igt_error *err) {
  char *local_institute = NULL;
  igt_status status = igt__name_to_local(igt__text_of(&institute->name), d->rules, "the institute",
                                         &local_institute, err);

  *out = NULL;
  if (status == IGT_OK)
    status = claim_institute(d, institute, local_institute, err);
  if (status == IGT_OK)
    status = as_on_disk(d, &local_institute, err);
  if (status == IGT_OK)
    status = find_folder(d, local_institute, human, id, out, err);
  igt__free(local_institute);
  if (status != IGT_OK)
    return status;
  if (!*out)
    return igt__fail(err, IGT_E_COLLISION,
                     "the folder of its name, '%s', and that of its id belong to other studies",
                     human);
  return claim_folder(d, *out, err);
}
