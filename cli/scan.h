/* SPDX-License-Identifier: MIT */
#ifndef CLI_SCAN_H
#define CLI_SCAN_H

/* scan.c: everything below a place of the cloud, as a stream of studies and files, for the commands
 * that look at whole projects. */

#include "cli.h"
#include "igtcloud/list.h"

typedef struct scan {
  const settings *s;
  place p;
  igt_list_options options;
  igt_study_selection selection;
  igt_filters filters;
  const char *patient; /* only this one's studies; "": all */
  bool (*wants)(void *payload, const igt_listed_study *study); /* NULL: all */
  /* The number of seen studies and files, on a terminal. */
  bool counts;
  uint64_t studies, files, bytes;
  int64_t shown_at;
  uint64_t unmatched; /* entries of the selection without a study */
  igt_status (*on_study)(void *payload, const igt_listed_study *study);
  igt_status (*on_file)(void *payload, const igt_listed_study *study, const igt_listed_file *file);
  /* Each institute of a whole project or cloud, also one without studies. May be NULL. */
  igt_status (*on_institute)(void *payload, const igt_institute *institute);
  igt_status institute_status; /* of the last call */
  void *payload;
  bool enough; /* a callback ended the scan, which is not a failure */
} scan;

/* Resolves the place, and takes selection and categories from the settings. The caller sets the
 * callbacks. False: *exit_status is set; nothing to close. */
bool scan_open(scan *c, const settings *s, const char *path, int *exit_status);
/* As scan_open, below a place that is open already, and stays so. */
void scan_below(scan *c, const settings *s, const place *p);
/* Lists; returns the exit status, after reporting errors. */
int scan_run(scan *c);
void scan_close(scan *c);

/* The name in the path of the place that a study is in: "trial/north/P1/CT". free() it. */
char *scan_study_path(const scan *c, const igt_listed_study *study);
/* The same of its institute: "trial/north". */
char *scan_institute_path(const scan *c, const igt_institute *institute);
/* A line of JSON; path: the study's. kind NULL: there is only one. */
void scan_print_study(const scan *c, const char *path, const igt_listed_study *study);
void scan_print_file(const scan *c, const char *path, const char *kind,
                     const igt_listed_study *study, const igt_listed_file *file);
/* Reports an entry of the selection without a study. Beyond the first ones they are only counted,
 * unless a program reads along. */
void print_unmatched(const settings *s, uint64_t *count, const char *text);
void end_unmatched(const settings *s, uint64_t count);
/* Before something else is printed on the terminal. */
void scan_clear_counts(scan *c);
/* A study's patient: the part of its name up to the last slash; its length, 0: none. */
size_t patient_length(const char *study_name);

#endif
