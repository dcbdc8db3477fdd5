/* SPDX-License-Identifier: MIT */
/* The plan of download, upload and sync --dry-run: a row on standard output for each study that
 * would be created and each file that would be transferred or deleted, sorted by study and path as
 * long as that takes little memory. report.c passes it the items. */
#include "plan.h"

#include <stdlib.h>

/* Some 5,000 rows: a plan may have millions, which are printed as they come. */
#define SORTED_MOST (1024u * 1024)

static const column columns[] = {
    {"ACTION", "action", false}, {"SIZE", "size", true},         {"INSTITUTE", "institute", false},
    {"STUDY", "study", false},   {"REPLACES", "replaces", true}, {"FILE", "path", false},
    {NULL, NULL, false}};

struct plan {
  settings s;
  listing *out;
  char action[32];
};

plan *plan_open(const settings *s, const char *action) {
  plan *p = calloc(1, sizeof *p);

  if (!p) {
    complain(IGT_E_NO_MEMORY, "out of memory");
    return NULL;
  }
  p->s = *s;
  p->s.limit = 0; /* that of studies */
  snprintf(p->action, sizeof p->action, "%s", action);
  p->out = listing_open_by(&p->s, columns, "order");
  if (p->out) {
    listing_hold(p->out, SORTED_MOST);
    return p;
  }
  free(p);
  return NULL;
}

/* NULL: it is not part of the plan. */
static const char *action_of(const plan *p, const igt_transfer_item *item) {
  if (item->kind == IGT_ITEM_FILE && item->result == IGT_RESULT_PLANNED_DELETION)
    return "delete";
  if (item->kind == IGT_ITEM_FILE && item->result == IGT_RESULT_PLANNED)
    return p->action;
  /* A text says that the study does not exist yet. */
  return item->kind == IGT_ITEM_STUDY && item->result == IGT_RESULT_PLANNED && *item->text
             ? "create"
             : NULL;
}

void plan_item(plan *p, const igt_transfer_item *item) {
  const char *action = action_of(p, item);
  bool is_file = item->kind == IGT_ITEM_FILE;
  record row = {.count = 0};
  char *order = NULL;
  size_t n = 0;
  FILE *key;

  if (!action || !(key = open_memstream(&order, &n)))
    return;
  fprintf(key, "%s/%s/%s", item->institute, item->study, is_file ? item->path : "");
  fclose(key);
  record_text(&row, "order", order ? order : "");
  record_text(&row, "action", action);
  if (is_file)
    record_number(&row, "size", item->size);
  record_text(&row, "institute", item->institute);
  record_text(&row, "study", item->study);
  record_text(&row, "path", is_file ? item->path : "");
  if (item->replaces)
    record_number(&row, "replaces", item->replaced_size);
  (void)record_print(&row, p->out);
  free(order);
}

void plan_close(plan *p) {
  if (!p)
    return;
  (void)listing_close(p->out, EXIT_DONE);
  free(p);
}
