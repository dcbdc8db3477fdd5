/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_FOLDER_H
#define FUZZ_FOLDER_H

/* The sandbox's data directory, which its targets make for themselves. */

#include <ftw.h>
#include <stdio.h>

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st;
  (void)flag;
  (void)ftw;
  return remove(path);
}

/* Removes the folder and everything in it. */
static inline void remove_folder(const char *path) {
  nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
