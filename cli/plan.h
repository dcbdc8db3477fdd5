/* SPDX-License-Identifier: MIT */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

/* plan.c: what a transfer would do, on standard output (--dry-run). */

#include "cli.h"

typedef struct plan plan;
/* action: of files that would be transferred, such as "upload". NULL: no memory, reported. */
plan *plan_open(const settings *s, const char *action);
/* Ignores items that are not part of the plan. */
void plan_item(plan *p, const igt_transfer_item *item);
/* Prints it, sorted. NULL is ignored. */
void plan_close(plan *p);

#endif
