/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_SELECTION_H
#define IGT_TRANSFER_SELECTION_H

/* Which studies a run is about: an igt_study_selection, compiled once when the run is prepared, and
 * then asked for each institute and each study. selection.c compiles and matches, selection_file.c
 * reads studies_from, selection_walk.c lists the selected studies. One thread at a time: it records
 * which of its entries have matched. */

#include "base/arena.h"
#include "base/path.h"
#include "base/str.h"
#include "igtcloud/operations.h"
#include "igtcloud/transfer.h"

#define IGT__LAST_NEEDS_TARGET                                                                     \
  "--modified-since last is for runs with a folder, whose last complete run the journal has"

/* An entry of `studies` or of `studies_from`. */
typedef struct igt__selection_entry {
  const char *text; /* NFC */
  const char *name; /* for messages */
  unsigned line;    /* in the file; 0: of `studies` */
  bool glob;
  bool seen; /* a study matched it */
} igt__selection_entry;

typedef struct igt__selection {
  igt_study_selection options; /* the caller's; strings and lists are in the arena */
  igt__arena *arena;
  igt__map *entries; /* by their text, in order; NULL: studies are not selected by name */
  igt__selection_entry **globs;
  size_t glob_count, glob_cap;
  size_t unseen;        /* entries that match at most one study, by its id, and did not yet */
  bool only_ids;        /* there are no other entries */
  igt__map *institutes; /* ids of the CSV's institutes; NULL: it does not name all of them */
  int64_t first_day, last_day; /* start and end, in days since 1970; INT64_MIN and MAX: open */
  bool by_date;                /* start or end is set */
  bool by_time;                /* modified_since or modified_until is */
  bool since_last;             /* modified_since is "last": resolved by the run */
  int64_t since, until;        /* in seconds since 1970, inclusive; INT64_MIN and MAX: open */
  igt__map *series; /* ids of the current institute's studies with the modality; NULL: not needed */
  igt__map *settled; /* ids of all studies that limit leaves (igt__found_settle); NULL: any */
  bool settling;     /* they are being collected */
  bool no_memory;    /* a comparison failed: its result is false, and must not be used */
  bool incomplete;   /* not all studies were listed: entries may have matched another one */
  uint64_t taken;    /* studies that matched */
  uint64_t too_old;  /* that were not, because of modified_since alone */
} igt__selection;

/* Copies, checks and compiles options, which own their size already; reads studies_from. *out is
 * freed with igt__selection_free. IGT_E_INVALID: dates, reversed ranges; those of igt__file_read.
 */
igt_status igt__selection_new(const igt_study_selection *options, igt__selection **out,
                              igt_error *err);
void igt__selection_free(igt__selection *selection);

/* Whether anything but institutes, start, end, limit and order is selected: then finding no study
 * is an error. */
bool igt__selection_is_narrow(const igt__selection *selection);
/* The criteria, as text: the same ones give the same text. Without modified_since, limit and
 * newest, which choose among the studies of one source. */
bool igt__selection_describe(const igt__selection *selection, igt__buf *out);

/* What a study, or the folder of one, is called. NULL: not known. */
typedef struct igt__study_names {
  const char *human; /* PATIENT/STUDY */
  const char *id;    /* studyDatabaseId */
  const char *patient_id, *patient_name;
} igt__study_names;
/* Whether `studies`, `studies_from` and `patients` select it; notes the entries that do. This and
 * the following set no_memory, which is for whoever asks to look at. */
bool igt__selection_names(igt__selection *selection, const igt__study_names *names);
/* Whether a time in [from, to], in seconds since 1970, was within the range. */
bool igt__selection_has_time(igt__selection *selection, int64_t from, int64_t to);
/* Whether a study of the cloud is selected, but for its date (find.h) and `limit`. undated: no date
 * of a change is known. */
bool igt__selection_takes(igt__selection *selection, const igt_root_study *study, bool *undated);
/* Whether labels and modality select it. series has those of its institute. */
bool igt__selection_describes(igt__selection *selection, const igt_root_study *study);
/* Whether it is one of `modalities`. */
bool igt__selection_has_modality(igt__selection *selection, const char *modality);
/* Whether studies of this type have what the selection asks for; *what: that they do not. */
bool igt__selection_fits_type(const igt__selection *selection, const char *study_type,
                              const char **what);

/* The i-th entry of those that no study matched, from *i on; NULL: no more. After limit ended the
 * listing, there are none. */
const igt__selection_entry *igt__selection_unmatched(const igt__selection *selection, size_t *i);
/* Reports one of them. */
igt_status igt__selection_entry_fail(const igt__selection_entry *entry, igt_error *err);

/* ---- selection_file.c ---- */

/* Adds what a file of studies contains. Internal to selection.c, and the fuzz target. */
igt_status igt__selection_read(igt__selection *selection, const char *text, size_t n,
                               const char *path, igt_error *err);
/* An entry; text is copied. name NULL: text. is_id: it can only be a studyDatabaseId. */
bool igt__selection_add(igt__selection *selection, const char *text, size_t n, const char *name,
                        unsigned line, bool is_id);

#endif
