/* SPDX-License-Identifier: MIT */
/* Which names appear and disappear in the watched folders, down to the level of studies. Changes
 * inside a study are found by tree.c, so that ten thousand waiting studies need no watches of their
 * own. Here is which folder has which of the system's numbers (os_watch_add). */
#include <stdlib.h>
#include <string.h>

#include "station/station.h"

/* By those numbers, which count up from 1. */
static struct {
  watched *in;
  char *folder;
} * watches;
static size_t watch_space;

static bool keep(int number, watched *w, const char *folder) {
  size_t i = (size_t)number;

  if (i >= watch_space) {
    size_t space = i + 64;
    void *more = realloc(watches, space * sizeof *watches);
    if (!more)
      return false;
    watches = more;
    memset(watches + watch_space, 0, (space - watch_space) * sizeof *watches);
    watch_space = space;
  }
  if (watches[i].folder && watches[i].in == w && strcmp(watches[i].folder, folder) == 0)
    return true;
  free(watches[i].folder);
  watches[i].in = w;
  watches[i].folder = strdup(folder);
  return watches[i].folder != NULL;
}

bool watch_add(os_source watch, watched *w, const char *folder) {
  int number = watch == OS_NO_SOURCE ? -1 : os_watch_add(watch, w->path, folder);

  return number == 0 || (number > 0 && keep(number, w, folder));
}

typedef struct reading {
  watch_fn fn;
  void *payload;
} reading;

/* name may lead into folders below the watched one. */
static void take_name(void *payload, int number, const char *name) {
  const reading *r = payload;
  size_t i = (size_t)number;
  char folder[4096];
  const char *slash;
  int n;

  if (number < 0 || i >= watch_space || !watches[i].folder)
    return;
  if (!name) {
    free(watches[i].folder);
    watches[i].folder = NULL;
    return;
  }
  slash = strrchr(name, '/');
  if (!slash) {
    r->fn(r->payload, watches[i].in, watches[i].folder, name);
    return;
  }
  n = snprintf(folder, sizeof folder, "%s%s%.*s", watches[i].folder, *watches[i].folder ? "/" : "",
               (int)(slash - name), name);
  if (n > 0 && (size_t)n < sizeof folder)
    r->fn(r->payload, watches[i].in, folder, slash + 1);
}

bool watch_read(os_source watch, watch_fn fn, void *payload) {
  reading r = {fn, payload};

  return os_watch_read(watch, take_name, &r);
}

void watch_close(os_source watch) {
  for (size_t i = 0; i < watch_space; i++)
    free(watches[i].folder);
  free(watches);
  watches = NULL;
  watch_space = 0;
  if (watch != OS_NO_SOURCE)
    os_watch_close(watch);
}
