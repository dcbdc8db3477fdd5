/* SPDX-License-Identifier: MIT */
/* The layout of object keys:
 *   PROJECT/files/…                      the project's files
 *   PROJECT/INSTITUTE/Import/UUID/…      incoming DICOM
 *   PROJECT/INSTITUTE/studies/STUDY/…    files/, 0/, annotations/, pathis/
 * A seed may give an entity another s3Prefix; those are stored by name. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define SEGMENTS 4

static bool doc_exists(sbx_server *server, const char *kind, const char *id) {
  igt__json *doc = sbx_doc_get(server->store, kind, id);

  igt__json_free(doc);
  return doc != NULL;
}

/* Splits the prefix into its first segments that end in '/', in `copy`. */
static size_t split(char *copy, const char *segments[SEGMENTS]) {
  size_t count = 0;

  for (char *slash; count < SEGMENTS && (slash = strchr(copy, '/')); copy = slash + 1) {
    *slash = '\0';
    segments[count++] = copy;
  }
  return count;
}

static bool by_place(sbx_server *server, char *copy) {
  const char *s[SEGMENTS] = {NULL};
  size_t count = split(copy, s);

  if (count < 2 || !doc_exists(server, "project", s[0]))
    return false;
  if (strcmp(s[1], "files") == 0)
    return true;
  if (!doc_exists(server, "institute", s[1]))
    return false;
  if (count < 3 || strcmp(s[2], "studies") != 0)
    return true;
  return count == SEGMENTS && doc_exists(server, "study", s[3]);
}

/* Tries each '/' from the end. */
static bool by_name(sbx_server *server, char *copy) {
  for (char *slash; (slash = strrchr(copy, '/')); *slash = '\0') {
    char *known;
    slash[1] = '\0';
    known = sbx_kv_get(server->store, "prefix", copy);
    igt__free(known);
    if (known)
      return true;
  }
  return false;
}

bool rest_prefix_known(sbx_server *server, const char *prefix) {
  char *place = igt__strdup(prefix), *name = igt__strdup(prefix);
  bool known = place && name && (by_place(server, place) || by_name(server, name));

  igt__free(place);
  igt__free(name);
  return known;
}

bool rest_prefix_remember(sbx_server *server, const char *prefix) {
  return sbx_kv_put(server->store, "prefix", prefix, "1", 0);
}
