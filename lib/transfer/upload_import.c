/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "transfer/upload.h"

/* DICOM of an institute: objects below s3Prefix + "Import/<uuid>/", then the action service is told
 * the part below "Import/". The cloud has no list of what was imported, so the journal remembers
 * the uuid of a folder: a second run goes on below the same one, and sends what changed. */

#define IMPORT "Import/"
#define STARTED "started"
#define IMPORTED "imported"

typedef igt__upload_plan plan;

static void remember(igt__upload *u, const char *prefix, const char *folder, const char *uuid,
                     const char *state) {
  igt__journal_file record = {.size = 0};

  (void)snprintf(record.etag, sizeof record.etag, "%s", uuid);
  (void)snprintf(record.verified, sizeof record.verified, "%s", state);
  igt__journal_put_file(u->run.journal, u->run.origin, prefix, folder, &record);
}

/* The institute's folder of imports. */
static char *import_folder(const char *institute_prefix) {
  igt__buf out;

  igt__buf_init(&out, 64 * 1024);
  igt__buf_printf(&out, "%s" IMPORT, institute_prefix);
  return igt__buf_take(&out);
}

static bool choose_uuid(igt__upload *u, const char *prefix, const char *folder, char uuid[37]) {
  igt__journal_file known;

  if (igt__journal_find_file(u->run.journal, u->run.origin, prefix, folder, &known) &&
      strlen(known.etag) == 36) {
    memcpy(uuid, known.etag, 37);
    return true;
  }
  if (!igt__uuid(uuid))
    return false;
  remember(u, prefix, folder, uuid, STARTED);
  return true;
}

/* group->s3_prefix is <institute's prefix>Import/<uuid>/. */
static const char *below_import(const igt__group *group) {
  const char *at = group->s3_prefix, *found = NULL;

  while ((at = strstr(at, IMPORT)) != NULL)
    found = at += strlen(IMPORT);
  return found ? found : group->s3_prefix;
}

typedef struct import {
  igt__upload *u;
  char *prefix, *folder;
  char uuid[37];
} import;

static void import_free(import *i) {
  igt__free(i->prefix);
  igt__free(i->folder);
  igt__free(i);
}

static import *import_new(igt__upload *u, const igt_institute *institute, const char *folder) {
  import *i = igt__calloc(1, sizeof *i);

  if (!i)
    return NULL;
  i->u = u;
  i->prefix = import_folder(igt__text_of(&institute->s3_prefix));
  i->folder = igt__strdup(folder);
  if (i->prefix && i->folder && choose_uuid(u, i->prefix, i->folder, i->uuid))
    return i;
  import_free(i);
  return NULL;
}

/* Whether an earlier run has told the cloud of all that is there. */
static bool was_told(const import *i) {
  igt__journal_file known;

  return igt__journal_find_file(i->u->run.journal, i->u->run.origin, i->prefix, i->folder,
                                &known) &&
         strcmp(known.verified, IMPORTED) == 0;
}

static igt_status tell(const import *i, const igt__group *group, igt_error *err) {
  igt_update_database_request body = {0};

  body.uploaded_path.is = body.hospital_id.is = body.is_prefix.is = IGT_SET;
  body.uploaded_path.v = below_import(group);
  body.hospital_id.v = group->institute_id;
  body.is_prefix.v = true;
  return igt_post_update_database(i->u->run.client, &body, err);
}

static void start_import(const import *i, igt__group *group) {
  igt_error err = IGT_ERROR_INIT;

  if (tell(i, group, &err) == IGT_OK) {
    remember(i->u, i->prefix, i->folder, i->uuid, IMPORTED);
    return;
  }
  igt__error_prefix(&err, "all files are there, but the import was not started");
  if (!group->done_files) /* it may have been started by a run that did not live to hear of it */
    igt__error_append(&err, "; unless its studies are there already, --overwrite sends all again");
  igt__group_failed(group, &err);
}

static void import_settled(igt__group *group) {
  import *i = group->owner;
  igt__run *run = &i->u->run;
  uint64_t there = group->done_files + group->skipped;

  if (group->failed && group->done_files)
    remember(i->u, i->prefix, i->folder, i->uuid, STARTED);
  if (group->failed)
    igt__run_message(run, IGT_E_SOME_FAILED, "%s was not started: not all of it is there",
                     group->label);
  else if (!group->dropped && !run->options.dry_run && there && (group->done_files || !was_told(i)))
    start_import(i, group);
  igt__room_leave(&i->u->room);
  import_free(i);
}

static igt_status begin(igt__upload *u, const igt_institute *institute, const char *path,
                        igt_error *err) {
  import *i = import_new(u, institute, path);
  plan *p = i ? igt__upload_plan_new(u, institute, igt__strdup(path), "DICOM import") : NULL;
  igt__buf prefix;

  igt__buf_init(&prefix, 64 * 1024);
  if (p) {
    igt__buf_printf(&prefix, "%s%s/", i->prefix, i->uuid);
    p->sidecar = IGT__SIDECAR_ANYWHERE;
    p->own_memory = true;
  }
  if (!p || prefix.failed ||
      !igt__upload_plan_open(p, p->name, "", prefix.data, "", import_settled)) {
    igt__buf_finish(&prefix);
    if (p)
      igt__upload_plan_free(p);
    if (i)
      import_free(i);
    return igt__fail_memory(err);
  }
  p->group->owner = i;
  igt__buf_finish(&prefix);
  igt__upload_plan_begin(p);
  return IGT_OK;
}

igt_status igt__upload_import(igt__upload *u, const igt_institute *institute, const char *path,
                              igt_error *err) {
  igt_status status;

  if (!igt__in_shard(igt__text_of(&institute->name), u->run.options.shard, u->run.options.shards) ||
      !igt__room_enter(&u->room))
    return IGT_OK;
  status = begin(u, institute, path, err);
  if (status != IGT_OK)
    igt__room_leave(&u->room);
  return status;
}
