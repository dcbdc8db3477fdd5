/* SPDX-License-Identifier: MIT */
/* Downloads or uploads one file: a run of the transfer engine with a single file in it. It prepares
 * the destination or the content, opens a group for the file's study, adds one fetch or send job,
 * and waits; the file's own error becomes the call's. Programs call it through igtcloud/file.h with
 * a node, and through igtcloud/object.h (object.c) with a key. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/os/os.h"
#include "base/path.h"
#include "base/root.h"
#include "base/sized.h"
#include "cloud/registration.h"
#include "transfer/download/durable.h"
#include "transfer/download/fetch.h"
#include "transfer/engine/plan.h"
#include "transfer/single/object.h"
#include "transfer/upload/send.h"

typedef struct single {
  igt__run run;
  igt_client *view;   /* the client with the call's cancel flag; NULL: the call has none */
  igt__sender sender; /* of an upload */
  igt_transfer_callbacks callbacks; /* ours, around the caller's */
  const igt_transfer_callbacks *outer;
  bool begun;
  igt_error error; /* the file's own, which says more than the summary */
  igt__group *group;
  igt__s3_provider *provider;
  igt__sync_group *syncs;
  igt__root *root;  /* of a download; borrowed, as is the next one */
  const char *path; /* of the file, below root */
} single;

/* ---- the run ---- */

static void on_item(void *payload, const igt_transfer_item *item) {
  single *s = payload;

  if (item->kind != IGT_ITEM_FILE)
    return;
  if (item->result == IGT_RESULT_FAILED && item->error)
    igt__error_keep(&s->error, item->error);
  if (s->outer->on_item)
    s->outer->on_item(s->outer->payload, item);
}

static void on_progress(void *payload, const igt_transfer_progress *progress) {
  const single *s = payload;

  s->outer->on_progress(s->outer->payload, progress);
}

static void on_message(void *payload, igt_status status, const char *text) {
  const single *s = payload;

  s->outer->on_message(s->outer->payload, status, text);
}

/* The client of the run: a view, if the call can be cancelled by itself. */
static igt_client *client_of(single *s, igt_client *client, igt_cancel *cancel) {
  igt__cancel *both;

  if (!cancel)
    return client;
  both = igt__cancel_below(cancel, igt__client_cancel(client));
  s->view = both ? igt__client_view(client, both) : NULL;
  igt__cancel_unref(both);
  return s->view;
}

static igt_status begin_run(single *s, const igt__object *object, const igt_file_options *options,
                            const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt_transfer_options transfer = IGT_TRANSFER_OPTIONS_INIT;
  const igt__movers *movers;
  igt_client *client;

  memset(s, 0, sizeof *s);
  s->outer = callbacks;
  s->callbacks = (igt_transfer_callbacks)IGT_TRANSFER_CALLBACKS_INIT;
  s->callbacks.on_item = on_item;
  s->callbacks.on_progress = callbacks->on_progress ? on_progress : NULL;
  s->callbacks.on_message = callbacks->on_message ? on_message : NULL;
  s->callbacks.payload = s;
  s->callbacks.progress_ms = callbacks->progress_ms;
  s->error = (igt_error)IGT_ERROR_INIT;
  transfer.journal = options->journal;
  transfer.no_journal = options->no_journal;
  client = client_of(s, object->client, options->cancel);
  movers = igt__object_movers(object->client);
  if (!client || !movers)
    return igt__fail_memory(err);
  igt__sender_init(&s->sender, &s->run);
  s->begun = true;
  return igt__run_init_file(&s->run, client, &transfer, &s->callbacks, movers, err);
}

/* With a group for the study, institute or project that the file is in, for the journal and the
 * callbacks. */
static igt_status begin(single *s, const igt__object *object, const char *action,
                        const igt_file_options *options, const igt_transfer_callbacks *callbacks,
                        igt_error *err) {
  igt_status status = begin_run(s, object, options, callbacks, err);

  if (status != IGT_OK)
    return status;
  s->sender.project = object->project;
  s->provider = igt__object_provider(object->client, action, object->prefix);
  s->syncs = igt__object_syncs(object->client);
  s->run.turn = igt__object_turn(object->client);
  if (!s->provider || !s->syncs)
    return igt__fail_memory(err);
  status = igt__s3_provider_wait(s->provider, s->run.cancel, err);
  if (status != IGT_OK) {
    igt__error_prefix(err, "'%s'", object->name);
    return status;
  }
  s->group = igt__group_open(&s->run, object->institute, object->institute_id, object->study,
                             object->study_id, object->prefix);
  return s->group ? IGT_OK : igt__fail_memory(err);
}

/* Nothing remembers a failed sync of a single file: a later run would take what has the right name
 * and size for good. So the file does not keep its name. */
static igt_status sync_file(single *s, igt_error *err) {
  igt_status status = igt__durable_sync(&s->run, s->root, s->syncs, err);

  if (status == IGT_OK)
    return IGT_OK;
  if (igt__root_unlink(s->root, s->path, NULL) == IGT_OK)
    igt__error_prefix(err, "'%s' was removed because it may be damaged", s->path);
  else
    igt__error_prefix(err, "'%s' may be damaged and cannot be removed; download it again", s->path);
  return status;
}

/* Waits for the file that was added; its own error is the call's. */
static igt_status wait(single *s, igt_status status, igt_error *err) {
  igt_error mine = IGT_ERROR_INIT;
  igt_transfer_summary summary;

  if (s->group)
    igt__group_close(s->group);
  if (s->group && status == IGT_OK) {
    status = igt__run_wait(&s->run, &summary, &mine);
    /* The journal records it: a later download into this folder will skip it. */
    if (status == IGT_OK && s->root)
      status = sync_file(s, &mine);
    if (status == IGT_E_SOME_FAILED && s->error.status != IGT_OK) {
      mine = s->error;
      status = mine.status;
    }
    if (status != IGT_OK && err)
      igt__error_copy(err, &mine);
  }
  igt__s3_provider_unref(s->provider);
  if (s->begun) {
    igt__run_finish(&s->run);
    igt__sender_finish(&s->sender);
  }
  igt_client_free(s->view);
  return status;
}

/* ---- download ---- */

static igt_status fetch(single *s, const igt__object *object, igt__root *root, const char *name,
                        bool keep_date, igt_error *err) {
  igt__fetch_file fetch = {.group = s->group,
                           .provider = s->provider,
                           .root = root,
                           .key = object->key,
                           .path = name,
                           .item_path = object->name,
                           .size = object->size,
                           .keep_date = keep_date};

  s->root = root;
  s->path = name;
  s->run.syncs = s->syncs;
  return igt__fetch_add(&fetch, err);
}

static igt_status download(const igt__object *object, igt__root *root, const char *name,
                           const igt_file_options *options, const igt_transfer_callbacks *callbacks,
                           igt_error *err) {
  single s;
  igt_status status = begin(&s, object, "GET", options, callbacks, err);

  if (status == IGT_OK)
    status = fetch(&s, object, root, name, options->keep_date, err);
  return wait(&s, status, err);
}

/* A file is replaced, also behind a link. A device or pipe would be: /dev/null as root. */
static igt_status check_target(const char *path, igt_error *err) {
  igt__stat st;

  if (igt__os_stat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
    return IGT_OK;
  return igt__fail(err, IGT_E_INVALID,
                   "'%s' is not a regular file, so it is not replaced; `igtcloud cat` writes to "
                   "devices and pipes",
                   path);
}

/* To a path chosen by the program. */
static igt_status download_to(const igt__object *object, const char *path,
                              const igt_file_options *options,
                              const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt__root *root = NULL;
  const char *name = igt__path_local_base(path);
  igt_status status = igt__name_check(name, "the local name", err);
  char *folder;

  if (status == IGT_OK)
    status = check_target(path, err);
  if (status != IGT_OK)
    return status;
  folder = name == path ? igt__strdup(".") : igt__strndup(path, (size_t)(name - path));
  if (!folder)
    return igt__fail_memory(err);
  status = igt__root_open(folder, false, &root, err);
  if (status == IGT_OK)
    status = download(object, root, name, options, callbacks, err);
  igt__root_close(root);
  igt__free(folder);
  return status;
}

/* To a path that may come from the server. */
static igt_status download_below(const igt__object *object, const char *path,
                                 const igt_file_options *options,
                                 const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt__root *root = NULL;
  igt_status status = igt__path_check(path, strlen(path), "the file's name", err);

  if (status == IGT_OK)
    status = igt__root_open(options->below, true, &root, err);
  if (status == IGT_OK)
    status = download(object, root, path, options, callbacks, err);
  igt__root_close(root);
  return status;
}

/* What a program passes, as this library knows it. */
typedef struct passed {
  igt_file_options options;
  igt_transfer_callbacks callbacks;
  igt_file_source source;
} passed;

static igt_status read_passed(passed *own, const igt_file_options *options,
                              const igt_transfer_callbacks *callbacks,
                              const igt_file_source *source, igt_error *err) {
  igt_status status =
      igt__options_read(&own->options, sizeof own->options, options, "igt_file_options", err);

  if (status == IGT_OK)
    status = igt__options_read(&own->callbacks, sizeof own->callbacks, callbacks,
                               "igt_transfer_callbacks", err);
  if (status == IGT_OK)
    status = igt__options_read(&own->source, sizeof own->source, source, "igt_file_source", err);
  return status;
}

igt_status igt__object_download(const igt__object *object, const char *path,
                                const igt_file_options *options,
                                const igt_transfer_callbacks *callbacks, igt_error *err) {
  passed own;
  igt_status status = read_passed(&own, options, callbacks, NULL, err);

  if (status != IGT_OK)
    return status;
  if (!path && own.options.below)
    path = object->name;
  if (!path || !*path)
    return igt__fail(err, IGT_E_INVALID, "no path to download to was given");
  return own.options.below ? download_below(object, path, &own.options, &own.callbacks, err)
                           : download_to(object, path, &own.options, &own.callbacks, err);
}

igt_status igt_file_download(igt_node *file, const char *path, const igt_file_options *options,
                             const igt_transfer_callbacks *callbacks, igt_error *err) {
  igt__object object;
  igt_status status;

  igt__error_clear(err);
  status = igt__object_of_node(file, &object, err);
  if (status == IGT_OK)
    status = igt__object_download(&object, path, options, callbacks, err);
  igt__object_finish(&object);
  return status;
}

/* ---- upload ---- */

/* The content to upload, as an open file: bytes in memory become an anonymous file. */
typedef struct content {
  igt__local local;
  char path[1024];
  int fd;
} content;

static igt_status take_bytes(content *c, const igt_file_source *source, igt_error *err) {
  c->fd = igt__os_memory_file();
  if (c->fd < 0 || !igt__fd_write(c->fd, source->data, source->data_size))
    return igt__fail_errno(err, errno, "no memory for the content");
  if (igt__os_path_of(c->fd, c->path, sizeof c->path) != 0)
    return igt__fail_errno(err, errno, "no memory for the content");
  c->local.path = c->path;
  c->local.follow_links = true;
  return IGT_OK;
}

static igt_status take_content(content *c, const igt_file_source *source, bool follow_links,
                               igt_error *err) {
  igt__stat st;
  igt_status status = IGT_OK;

  memset(c, 0, sizeof *c);
  c->fd = -1;
  c->local.path = source->path;
  c->local.follow_links = follow_links;
  if (!source->path)
    status = take_bytes(c, source, err);
  if (status != IGT_OK)
    return status;
  if ((c->local.follow_links ? igt__os_stat : igt__os_lstat)(c->local.path, &st) != 0)
    return igt__fail_errno(err, errno, "cannot read '%s'", c->local.path);
  if (S_ISLNK(st.st_mode))
    return igt__fail(err, IGT_E_INVALID, "'%s' is a symbolic link; use --follow-links",
                     c->local.path);
  if (!S_ISREG(st.st_mode))
    return igt__fail(err, IGT_E_INVALID, "'%s' is not a regular file", c->local.path);
  igt__local_take(&c->local, &st);
  return igt__local_see_readable(&c->local, err);
}

static igt_status is_listed(igt_node *in, const char *key, igt_error *err) {
  igt_model *file = NULL;
  igt_status status = igt__child_by_id(in, IGT_NODE_FILE, key, &file, err);

  igt_model_free(file);
  return status;
}

/* Registers the key, unless the cloud has it: a second registration is a second file. The file is
 * looked at again right before, since it may have vanished during the requests. */
static igt_status register_file(igt_node *in, const char *key, const igt__local *local,
                                igt_error *err) {
  const igt_file *list[1];
  igt_file body = {0};
  igt_files *response = NULL;
  igt_status status = is_listed(in, key, err);
  size_t at = 0;
  bool registered;

  if (status != IGT_E_NOT_FOUND)
    return status;
  status = igt__local_see_readable(local, err);
  if (status != IGT_OK)
    return status;
  body.key = (igt_string_field){IGT_SET, key};
  body.file_size = (igt_integer_field){IGT_SET, (int64_t)local->size};
  list[0] = &body;
  status = in->kind == IGT_NODE_PROJECT
               ? igt_register_project_files(in->client, in->id, NULL, list, 1, &response, err)
               : igt_register_study_files(in->client, in->parent->id, in->id, NULL, list, 1,
                                          &response, err);
  registered = igt__registration_has(response, key, &at);
  igt_model_free(response ? &response->model : NULL);
  if (status != IGT_OK || registered)
    return status;
  status = is_listed(in, key, err);
  return status == IGT_E_NOT_FOUND ? igt__fail_unregistered(err) : status;
}

static igt_status send(single *s, const igt__object *object, igt_node *in, bool complete,
                       const igt__local *local, igt_error *err) {
  size_t prefix_len = strlen(object->prefix);
  igt__send_file file = {.sender = &s->sender,
                         .group = s->group,
                         .provider = s->provider,
                         .local = *local,
                         .key = object->key,
                         .prefix_len = prefix_len,
                         .item_path = object->key + prefix_len,
                         .complete = complete};
  igt_status status = IGT_OK;

  if (in)
    status = register_file(in, object->key, local, err);
  return status == IGT_OK ? igt__send_add(&file, err) : status;
}

static igt_status send_content(const igt__object *object, igt_node *in, bool complete,
                               const content *c, const igt_file_options *options,
                               const igt_transfer_callbacks *callbacks, igt_error *err) {
  single s;
  igt_status status = begin(&s, object, "PUT", options, callbacks, err);

  if (status == IGT_OK)
    status = send(&s, object, in, complete, &c->local, err);
  return wait(&s, status, err);
}

igt_status igt__object_upload(const igt__object *object, igt_node *in, bool complete,
                              const igt_file_source *source, const igt_file_options *options,
                              const igt_transfer_callbacks *callbacks, igt_error *err) {
  passed own;
  igt_status status = read_passed(&own, options, callbacks, source, err);
  content c;

  if (status != IGT_OK)
    return status;
  if (!source || (!own.source.path && !own.source.data && own.source.data_size))
    return igt__fail(err, IGT_E_INVALID, "no content to upload was given");
  own.options.no_journal = own.options.no_journal || !own.source.path; /* cannot be resumed */
  status = take_content(&c, &own.source, own.options.follow_links, err);
  if (status == IGT_OK)
    status = send_content(object, in, complete, &c, &own.options, &own.callbacks, err);
  if (c.fd >= 0)
    igt__os_close(c.fd);
  return status;
}

static igt_status start_import(const igt_node *institute, const char *prefix, igt_error *err) {
  igt_update_database_request body = {0};
  igt_status status;

  body.uploaded_path = (igt_string_field){IGT_SET, prefix};
  body.hospital_id = (igt_string_field){IGT_SET, institute->id};
  body.is_prefix = (igt_boolean_field){IGT_SET, true};
  status = igt_update_database(institute->client, &body, err);
  if (status != IGT_OK)
    igt__error_prefix(err, "the file was uploaded, but the import was not started");
  return status;
}

static bool takes_files(const igt_node *node, igt_node_kind kind) {
  if (!node)
    return false;
  if (node->kind == IGT_NODE_STUDY)
    return kind == IGT_NODE_FILE || kind == IGT_NODE_ANNOTATION;
  return (node->kind == IGT_NODE_PROJECT && kind == IGT_NODE_FILE) ||
         (node->kind == IGT_NODE_INSTITUTE && kind == IGT_NODE_DICOM);
}

igt_status igt_file_upload(igt_node *node, igt_node_kind kind, const char *name,
                           const igt_file_source *source, const igt_file_options *options,
                           const igt_transfer_callbacks *callbacks, igt_node **out,
                           igt_error *err) {
  igt__object object;
  igt_status status;

  igt__error_clear(err);
  if (out)
    *out = NULL;
  if (!takes_files(node, kind))
    return igt__fail(err, IGT_E_INVALID,
                     "files go to a project, to a study's files or annotations, or to an "
                     "institute's DICOM import");
  if (!name || !source)
    return igt__fail(err, IGT_E_INVALID, "no content to upload, or no name for it");
  status = igt__path_check(name, strlen(name), "the file's name", err);
  if (status != IGT_OK)
    return status;
  status = igt__object_in_node(node, kind, name, &object, err);
  if (status == IGT_OK)
    status = igt__object_upload(&object, kind == IGT_NODE_FILE ? node : NULL,
                                node->kind == IGT_NODE_STUDY && kind == IGT_NODE_FILE, source,
                                options, callbacks, err);
  if (status == IGT_OK && node->kind == IGT_NODE_INSTITUTE)
    status = start_import(node, object.prefix, err);
  else if (status == IGT_OK && out)
    status = igt__child_renew(node, kind, object.key, out, err);
  igt__object_finish(&object);
  return status;
}

IGT__DEFINE_INIT(igt_file_options)
IGT__DEFINE_INIT(igt_file_source)
