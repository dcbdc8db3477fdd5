/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_REMOTES_H
#define IGT_TRANSFER_REMOTES_H

/* The files of a study as the cloud lists them, to be looked up by their names, which they do not
 * keep: a study may have a million, and a run has 16 of them in hand. Of a file there are the
 * fingerprint of its name (base/prints.h) and its size. Its key is nearly always the prefix of all
 * and the name; another one is kept. For one thread. */

#include "base/quota.h"

typedef struct igt__remote {
  const char *key; /* "": the cloud lists it without one */
  uint64_t size;
  bool completed, wanted;
} igt__remote;

typedef struct igt__remotes igt__remotes;

/* prefix: of the keys; copied. NULL: no memory. What is added is of the quota. */
igt__remotes *igt__remotes_new(const char *prefix, igt__quota *held);
void igt__remotes_free(igt__remotes *remotes);
bool igt__remotes_have(const igt__remotes *remotes, const char *name);
/* A name that is not there yet. False: no memory, or no more of the quota. */
bool igt__remotes_add(igt__remotes *remotes, const char *name, const igt__remote *file);
/* out->key lives until the next call. False: no such file. */
bool igt__remotes_find(igt__remotes *remotes, const char *name, igt__remote *out);
/* The name, as the list has it, of a file whose name is this in NFC (a Mac's spelling and others
 * are one name); the name itself where the list has it so, or has no such file. Lives until the
 * next call. NULL: no memory. */
const char *igt__remotes_spelling(igt__remotes *remotes, const char *name);
/* Ticks a wanted file off. False: there is no such file, or it was ticked off before. */
bool igt__remotes_see(igt__remotes *remotes, const char *name);
/* Wanted files that were not ticked off. */
size_t igt__remotes_unseen(const igt__remotes *remotes);

#endif
