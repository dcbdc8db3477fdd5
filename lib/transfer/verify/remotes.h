/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_REMOTES_H
#define IGT_TRANSFER_REMOTES_H

/* The files of a study as the cloud lists them, looked up by name. The names themselves are not
 * stored: a study may have a million files, and a run processes 16 studies concurrently. Stored are
 * the fingerprint of the name (base/fingerprints.h) and the size. The key is nearly always the
 * common prefix and the name; others are stored. For one thread. */

#include "base/quota.h"

typedef struct igt__remote {
  const char *key; /* "": the cloud lists it without one */
  uint64_t size;
  bool completed, wanted;
} igt__remote;

typedef struct igt__remotes igt__remotes;

/* prefix: of the keys; copied. NULL: no memory. Entries count against the quota. */
igt__remotes *igt__remotes_new(const char *prefix, igt__quota *lists);
void igt__remotes_free(igt__remotes *remotes);
bool igt__remotes_have(const igt__remotes *remotes, const char *name);
/* Adds a new name. False: no memory, or the quota is exhausted. */
bool igt__remotes_add(igt__remotes *remotes, const char *name, const igt__remote *file);
/* out->key is valid until the next call. False: no such file. */
bool igt__remotes_find(igt__remotes *remotes, const char *name, igt__remote *out);
/* The listed name of a file with this NFC form (NFC and NFD are one name); the name itself if it is
 * listed, or if there is no such file. Valid until the next call. NULL: no memory. */
const char *igt__remotes_other_form(igt__remotes *remotes, const char *name);
/* Marks a wanted file as found. False: no such file, or already marked. */
bool igt__remotes_see(igt__remotes *remotes, const char *name);
/* Wanted files that were not marked. */
size_t igt__remotes_unseen(const igt__remotes *remotes);

#endif
