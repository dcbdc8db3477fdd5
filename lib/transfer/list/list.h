/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_LIST_H
#define IGT_TRANSFER_LIST_H

/* The studies of a project with their files, in the cloud's order, in bounded memory: igt_csv() and
 * igt_list_studies() are built on it. */

#include "base/arena.h"
#include "base/queue.h"
#include "base/quota.h"
#include "transfer/engine/filter.h"
#include "transfer/engine/find.h"
#include "transfer/engine/other_categories.h"
#include "transfer/engine/plan.h"

/* A file that was listed. */
typedef struct igt__listed_file {
  struct igt__listed_file *next;
  const char *type;       /* the end of its name, or of its own */
  int64_t size;           /* -1: unknown */
  unsigned char category; /* index into igt__categories: millions of files wait */
  bool is_complete;
  char name[]; /* below the category */
} igt__listed_file;

struct igt__list;

/* A study, and with files its files; or the project's own files: then study and institute are NULL.
 * Valid during a callback. */
typedef struct igt__listed {
  struct igt__listed *next;
  struct igt__list *list;
  const igt_institute *institute;
  const igt_root_study *study;
  IGT__QUEUE(igt__listed_file) by_category[IGT__CATEGORY_COUNT];
  uint64_t files, bytes, incomplete;
  void *prepared; /* by igt__list_options.prepare */
  igt_status status;
  igt_error error; /* why its files are missing */
  /* private */
  igt_root_study *copy; /* of study */
  igt_error *wrong;     /* a file that no list can have; NULL: none */
  igt__quota quota;
  igt__arena *arena;
  unsigned wanted; /* categories of the current request */
  bool any, done;
} igt__listed;

typedef struct igt__list_options {
  igt_client *client;
  igt__found *found;          /* institutes, and which studies of them */
  const igt_root_study *only; /* of the first institute: nothing else is listed; NULL: all */
  const char *project_id;     /* only the project's own files; NULL: studies */
  bool files;                 /* each study's, one request for each list that has the categories */
  unsigned categories;        /* IGT_CATEGORY_... bits; 0: files */
  const char *ext;            /* of these files; NULL: all */
  igt__filter *filter;        /* of files; NULL: all */
  const char *too_many;       /* advice for a study whose list does not fit into memory */
  unsigned concurrency;       /* concurrent lists of files; 0: the client's connections */
  unsigned shard, shards;
  /* On the calling thread, for each study when the list of studies has it. *wanted is true; false
   * leaves it out. NULL: all are wanted. */
  igt_status (*on_found)(void *payload, const igt__listed *study, bool *wanted, igt_error *err);
  /* On the calling thread, for each institute before its studies are listed. May be NULL. */
  void (*on_institute)(void *payload, const igt_institute *institute);
  /* With files: on a thread of a pool, once its files are known; NULL: nothing to prepare. */
  igt_status (*prepare)(void *payload, igt__listed *study, igt_error *err);
  void (*release)(void *prepared);
  /* On the calling thread, in the list's order. status is not IGT_OK if its files are missing. */
  igt_status (*on_study)(void *payload, const igt__listed *study, igt_error *err);
  void *payload;
} igt__list_options;

typedef struct igt__list_counts {
  uint64_t institutes, studies, undated, failed, files, bytes;
  igt__other_categories elsewhere;
} igt__list_counts;

/* Lists until the end, or until a callback fails. counts starts at zero. A study whose files cannot
 * be listed does not end it: it is counted. Errors: those of the requests and of the callbacks,
 * IGT_E_CANCELLED, IGT_E_NO_MEMORY. */
igt_status igt__list_studies(const igt__list_options *options, igt__list_counts *counts,
                             igt_error *err);

#endif
