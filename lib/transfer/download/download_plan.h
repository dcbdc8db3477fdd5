/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_DOWNLOAD_PLAN_H
#define IGT_TRANSFER_DOWNLOAD_PLAN_H

/* The plan of one study's download, shared by the files that make it on a producer's thread:
 * download_study.c opens it and lists the categories, download_file.c decides about each file of a
 * list, and download_existing.c compares a file with the local one of its name. */

#include "model/model.h"
#include "transfer/download/case_names.h"
#include "transfer/download/download.h"
#include "transfer/download/fetch.h"
#include "transfer/download/leftovers.h"

/* One study (or the project's files) while it is planned. */
typedef struct igt__download_plan {
  igt__download *d;
  igt_root_study *study; /* NULL: project files */
  const igt_institute *institute;
  igt__group *group;
  char *folder;                /* below the target: "institute/patient---study" */
  igt__quota lists;            /* names and case variants: the cloud decides how many */
  igt__fingerprints *names;    /* paths seen, lower case where the file system folds it */
  igt__case_names *case_names; /* NULL: the file system distinguishes all names */
  igt__s3_provider *provider;  /* of the category being listed */
  const char *subfolder;       /* of the category, or "" */
  const char *list;            /* which list of the response */
  bool any;                    /* the category being listed has files */
  bool names_any, nameless;    /* before a deletion: any list has a file, one without a name */
  bool is_new;                 /* the study is new here: its files will be wanted */
  igt_file **twins; /* files that exist here in another form of Unicode, to the list's end */
  size_t twin_count;
  const igt__manifest_study
      *listed;               /* of the manifest; NULL: there is none, all files are wanted */
  igt__manifest_table table; /* its files */
  igt__leftovers leftovers;  /* beside files that are up to date */
  igt__present present;      /* to delete what else is here */
  igt_error *why;            /* of what failed in each_name() of download_study.c */
} igt__download_plan;

/* The name of a file: the path below its prefix. */
const char *igt__download_name(const igt_file *file);

/* The callback of a list of files: hands the file to fetch.c, or reports why not. */
igt_status igt__download_each_file(void *payload, const char *list, igt_file *file);
/* Decides about the files that igt__download_each_file left to the end of the list, which returned
 * status; reports a list that did not fit into memory. */
igt_status igt__download_list_end(igt__download_plan *p, igt_status status, igt_error *err);

/* Whether the local file is up to date: by its size, and by the journal if it knows more; by its
 * content with --checksum. known: the file's digest and how it was verified, if known. May correct
 * the size of file; notes what it would replace. */
igt_status igt__download_is_there(igt__download_plan *p, igt__fetch_file *file, bool *there,
                                  igt__journal_file *known, igt_error *err);

#endif
