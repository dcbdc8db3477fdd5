/* SPDX-License-Identifier: MIT */
/* DICOM import of an institute: uploads objects below s3Prefix + "Import/<id>/", then requests the
 * action service to sort them into studies. The cloud has no list of imported files and does not
 * report their outcome, so the journal is the only record:
 *
 * - for each file, by its path in the folder: its state, and the import it was sent in;
 * - for each folder, the id of its last import, and its progress.
 *
 * Once an import was announced its id is never reused: a later run, with a file that changed under
 * its old name, would overwrite what the cloud may be reading. So a new run has a new id and sends
 * what no import has handed over. Until then a run continues below the same id. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "cloud/prefix.h"
#include "crypto/crypto.h"
#include "transfer/upload/create.h"
#include "transfer/upload/upload.h"

#define IMPORT "Import/"
#define STARTED "started"       /* files are sent */
#define ANNOUNCING "announcing" /* the cloud may have received the request */
#define IMPORTED "imported"     /* it has been */

typedef igt__upload_plan plan;

typedef struct import {
  igt__upload *u;
  const igt_institute *institute;
  char *folder;
  igt__import_memory memory;
  bool pending; /* an earlier run began to send files and did not announce them */
} import;

/* ---- the journal ---- */

static void remember(import *i, const char *state) {
  igt__journal_file record = {.size = 0};

  (void)snprintf(record.etag, sizeof record.etag, "%s", i->memory.id);
  (void)snprintf(record.verified, sizeof record.verified, "%s", state);
  igt__journal_put_file(i->u->run.journal, i->u->run.origin, i->memory.prefix, i->folder, &record);
}

/* The state of the folder's last import, and its id; "": none. */
static void recall(import *i, char state[16]) {
  igt__journal_file known;

  state[0] = '\0';
  if (!igt__journal_find_file(i->u->run.journal, i->u->run.origin, i->memory.prefix, i->folder,
                              &known) ||
      strlen(known.etag) != 36)
    return;
  memcpy(i->memory.id, known.etag, 37);
  memcpy(state, known.verified, 16);
}

static void begin_import(plan *p) {
  import *i = p->own;

  i->memory.begun = true;
  remember(i, STARTED);
}

/* ---- asking the cloud ---- */

static igt_status post(const import *i, igt_error *err) {
  igt_update_database_request body = {0};
  char path[40];

  (void)snprintf(path, sizeof path, "%s/", i->memory.id);
  body.uploaded_path.is = body.hospital_id.is = body.is_prefix.is = IGT_SET;
  body.uploaded_path.v = path;
  body.hospital_id.v = igt__text_of(&i->institute->id);
  body.is_prefix.v = true;
  return igt_update_database(i->u->run.client, &body, err);
}

static igt_status post_and_count(import *i, igt_error *err) {
  igt_status status = post(i, err);

  if (status != IGT_OK)
    return status;
  remember(i, IMPORTED);
  pthread_mutex_lock(&i->u->run.lock);
  i->u->run.summary.imports_handed_over++;
  pthread_mutex_unlock(&i->u->run.lock);
  return status;
}

/* A request whose response was lost may have been received: then the id is not reused. */
static igt_status announce(import *i, igt_error *err) {
  igt_status status;

  remember(i, ANNOUNCING);
  (void)igt__journal_flush(i->u->run.journal, NULL);
  status = post_and_count(i, err);
  if (status != IGT_OK && !igt__is_unclear(status) && status != IGT_E_CANCELLED)
    remember(i, STARTED);
  return status;
}

/* An earlier run may have announced it and been killed before the response. If the cloud received
 * that, it finds nothing below the id any more. */
static igt_status announce_again(import *i, igt_error *err) {
  igt_status status = post_and_count(i, err);

  if (status != IGT_E_BAD_REQUEST && status != IGT_E_NOT_FOUND)
    return status;
  remember(i, IMPORTED);
  igt__error_prefix(err, "whether the interrupted import was handed over is unknown");
  igt__error_append(err,
                    "; the next run uploads only new files, and --overwrite sends all of it again");
  return status;
}

/* ---- its id ---- */

static igt_status choose_id(import *i, igt_error *err) {
  const igt_transfer_options *o = &i->u->run.options;
  char state[16];
  igt_status status = IGT_OK;

  recall(i, state);
  if (strcmp(state, STARTED) == 0) {
    i->memory.begun = i->pending = true;
    return IGT_OK;
  }
  if (strcmp(state, ANNOUNCING) == 0 && !o->overwrite)
    status = announce_again(i, err);
  if (status == IGT_OK && !igt__uuid(i->memory.id))
    status = igt__fail(err, IGT_E_INTERNAL, "the system has no random numbers");
  return status;
}

static void import_free(import *i) {
  igt__free(i->memory.prefix);
  igt__free(i->folder);
  igt__free(i);
}

static import *import_new(igt__upload *u, const igt_institute *institute, const char *folder) {
  import *i = igt__calloc(1, sizeof *i);
  igt__buf prefix;

  if (!i)
    return NULL;
  igt__buf_init(&prefix, IGT__MAX_JOINED);
  igt__buf_printf(&prefix, "%s" IMPORT, igt__text_of(&institute->s3_prefix));
  i->u = u;
  i->institute = institute;
  i->folder = igt__strdup(folder);
  i->memory.prefix = igt__buf_take(&prefix);
  igt__buf_finish(&prefix);
  if (i->memory.prefix && i->folder)
    return i;
  import_free(i);
  return NULL;
}

/* ---- all files are finished ---- */

/* Nothing of this run is to be announced. Files that were removed here, perhaps for a reason, are
 * not imported unless others follow them, but neither are they forgotten. */
static void see_pending(const import *i, igt__group *group) {
  igt_error err = IGT_ERROR_INIT;

  if (!i->pending)
    return;
  (void)igt__fail(&err, IGT_E_GONE,
                  "an earlier run may have uploaded files that were not handed over, and none of "
                  "them is uploaded from here now: put them back and run the same command again to "
                  "import them");
  igt__group_failed(group, &err);
}

static void import_settled(igt__group *group) {
  import *i = group->owner;
  igt__run *run = &i->u->run;
  igt_error err = IGT_ERROR_INIT;

  /* A name that the cloud cannot store fails each time. */
  if (group->failed > i->memory.bad_names) {
    igt__run_message(run, IGT_E_SOME_FAILED, "%s was not started: not all files are uploaded",
                     group->label);
  } else if (group->dropped || run->options.dry_run) {
    /* nothing was sent, or a later run continues */
  } else if (!group->done_files && !i->memory.resumed) {
    see_pending(i, group);
  } else if (announce(i, &err) != IGT_OK) {
    igt__error_prefix(&err, "all files are uploaded, but the import was not started");
    igt__error_append(&err, "; run the same command again to retry");
    igt__group_failed(group, &err);
  }
  igt__semaphore_release(&i->u->studies);
  import_free(i);
}

static plan *import_plan(import *i) {
  plan *p = igt__upload_plan_new(i->u, i->institute, igt__strdup(i->folder), "DICOM import");
  igt__buf prefix;
  bool good;

  if (!p)
    return NULL;
  p->sidecar = IGT__SIDECAR_ANYWHERE;
  p->import = &i->memory;
  p->own = i;
  p->begin_import = begin_import;
  igt__buf_init(&prefix, IGT__MAX_JOINED);
  igt__buf_printf(&prefix, "%s%s/", i->memory.prefix, i->memory.id);
  good = !prefix.failed && igt__upload_plan_open(p, p->name, "", prefix.data, "", import_settled);
  igt__buf_finish(&prefix);
  if (good)
    return p;
  igt__upload_plan_free(p);
  return NULL;
}

static igt_status begin(igt__upload *u, const igt_institute *institute, const char *path,
                        igt_error *err) {
  import *i = import_new(u, institute, path);
  igt_status status = i ? choose_id(i, err) : igt__fail_memory(err);
  plan *p = status == IGT_OK ? import_plan(i) : NULL;

  if (p) {
    igt__group_is_import(p->group);
    p->group->owner = i;
    igt__upload_plan_begin(p);
    return IGT_OK;
  }
  if (i)
    import_free(i);
  return status == IGT_OK ? igt__fail_memory(err) : status;
}

igt_status igt__upload_import(igt__upload *u, const igt_institute *institute, const char *path,
                              igt_error *err) {
  igt_status status;

  if (!igt__in_shard(igt__text_of(&institute->name), u->run.options.shard, u->run.options.shards) ||
      !igt__semaphore_acquire(&u->studies))
    return IGT_OK;
  status = igt__prefix_check_shape(igt__text_of(&institute->s3_prefix), "institute", err);
  if (status == IGT_OK)
    status = begin(u, institute, path, err);
  if (status != IGT_OK)
    igt__semaphore_release(&u->studies);
  return status;
}
