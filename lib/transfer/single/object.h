/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_OBJECT_H
#define IGT_TRANSFER_OBJECT_H

/* One object of the store and where it belongs: what the calls of igtcloud/file.h (which take a
 * node) and of igtcloud/object.h (which take its key) have in common. Also the credentials of
 * single objects, which a client keeps. */

#include "cloud/node.h"
#include "igtcloud/object.h"
#include "s3/s3.h"
#include "transfer/download/sync_group.h"
#include "transfer/engine/run.h"

typedef struct igt__object {
  igt_client *client;
  char *prefix; /* what the credentials are for; owned */
  char *key;    /* starts with it; owned */
  const char *name;
  uint64_t size; /* as listed */
  /* "" or NULL where it is in none */
  const char *project, *institute, *institute_id, *study, *study_id;
} igt__object;

void igt__object_finish(igt__object *object); /* also after a failed _of */
/* A file's node. IGT_E_INVALID if it is not a file. */
igt_status igt__object_of_node(const igt_node *file, igt__object *out, igt_error *err);
/* The place of a new file named `name` in a node, as for igt_file_upload. */
igt_status igt__object_in_node(const igt_node *in, igt_node_kind kind, const char *name,
                               igt__object *out, igt_error *err);
/* What the program describes; checked. */
igt_status igt__object_of(igt_client *client, const igt_object *from, igt__object *out,
                          igt_error *err);

/* ---- credentials.c ---- */

/* The client's provider for an action ("GET", "PUT") and a prefix: the same one for all calls, so
 * that many files of a study need one request for credentials. A reference; NULL: no memory. */
igt__s3_provider *igt__object_provider(igt_client *client, const char *action, const char *prefix);
/* The S3 state for the client's single objects: what was learned about the store is kept. NULL: no
 * memory. */
igt__s3 *igt__object_store(igt_client *client);
/* The threads of the client's single files, started by the first one. NULL: no memory, or no
 * threads. */
const igt__movers *igt__object_movers(igt_client *client);
/* Of the client's downloads of single objects: a forked child makes a client of its own, and so
 * waits for no thread of its parent. NULL: no memory. */
igt__sync_group *igt__object_syncs(igt_client *client);

/* See igt__run.turn. NULL: no memory. */
_Atomic(const void *) *igt__object_turn(igt_client *client);

/* ---- single.c, reader.c ---- */

igt_status igt__object_download(const igt__object *object, const char *path,
                                const igt_file_options *options,
                                const igt_transfer_callbacks *callbacks, igt_error *err);
/* in: registers the file there first; NULL: it is registered. complete: notifies the cloud. */
igt_status igt__object_upload(const igt__object *object, igt_node *in, bool complete,
                              const igt_file_source *source, const igt_file_options *options,
                              const igt_transfer_callbacks *callbacks, igt_error *err);
igt_status igt__object_open(const igt__object *object, const igt_file_open_options *options,
                            igt_file_reader **out, igt_error *err);

#endif
