/* SPDX-License-Identifier: MIT */
/* A file of studies (--studies-from): written by hand, by a spreadsheet, or by another program. */
#include "demand.h"
#include "transfer/engine/selection.h"

static void look(igt__selection *s) {
  const igt__study_names names = {.human = "P1/CT/2", .id = "1"};
  const igt__selection_entry *entry;
  igt_error err = IGT_ERROR_INIT;
  size_t count = igt__map_count(s->entries), unmatched = 0;

  demand(s->unseen == count && s->glob_count <= count);
  (void)igt__selection_names(s, &names);
  for (size_t i = 0; (entry = igt__selection_unmatched(s, &i)) != NULL; unmatched++) {
    demand(*entry->text && *entry->name && entry->line > 0 && !entry->seen);
    demand(igt__selection_entry_fail(entry, &err) == IGT_E_NOT_FOUND);
  }
  demand(unmatched == s->unseen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  igt_study_selection options = IGT_STUDY_SELECTION_INIT;
  igt__selection *s = NULL;
  igt_error err = IGT_ERROR_INIT;

  options.project = "p";
  demand(igt__selection_new(&options, &s, &err) == IGT_OK);
  if (igt__selection_read(s, (const char *)data, size, "a file", &err) != IGT_OK)
    demand(err.status == IGT_E_PARSE || err.status == IGT_E_NO_MEMORY);
  else if (s->entries)
    look(s);
  igt__selection_free(s);
  return 0;
}
