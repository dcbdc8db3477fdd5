/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_MATCH_H
#define IGT_TRANSFER_MATCH_H

/* Which study of an institute a local folder is. docs/internals/upload.md has the order of the
 * rules. */

#include "base/quota.h"
#include "igtcloud/operations.h"
#include "igtcloud/transfer.h"
#include "journal/journal.h"
#include "model/json.h"
#include "transfer/engine/find.h"

/* A study that the institute has. */
typedef struct igt__known {
  const char *id, *human, *s3_prefix;
  const char *key;     /* the first of name, clinicalStudy, subjectId, patientName, id */
  bool used;           /* a folder of this run matches it */
  bool renamed;        /* that folder has its studyDatabaseId, but another name */
  const char *used_id; /* the studyDatabaseId in that folder's study.json; NULL: none */
  bool selected;       /* by the run's selection (igt__studies_load) */
  bool undated;        /* although its date is not known */
} igt__known;

typedef struct igt__studies igt__studies;

/* Without any; of the institute's study type. */
igt_status igt__studies_new(const igt_institute *institute, igt__studies **out, igt_error *err);
/* Another owner, from any thread; each calls igt__studies_free. */
igt__studies *igt__studies_ref(igt__studies *studies);
void igt__studies_free(igt__studies *studies);
/* Whether the list had it; from any thread. */
bool igt__studies_have(const igt__studies *studies, const char *id);
/* Iterates; NULL after the last. */
igt__known *igt__studies_at(igt__studies *studies, size_t i);

/* A folder to match. */
typedef struct igt__folder {
  const char *patient;  /* of a hierarchical tree; NULL: flat */
  const char *name;     /* the study folder's own name */
  const igt__json *doc; /* its study.json; NULL: none */
  bool only;            /* of a patient: the only study folder without a study.json */
  bool whole_name;      /* flat: the name of a new study is not split at "---" */
  bool trust;           /* use its studyDatabaseId, whatever the folder's name */
} igt__folder;

/* The project's institutes (borrowed): the study.json of another one of them is refused. */
void igt__studies_know_institutes(igt__studies *studies, const igt_institute_list *institutes);

/* Whether its study.json says anything of a study, beyond the ids and the place that the cloud
 * gives to each: such a folder becomes a study even without files. */
bool igt__asks_for_study(const igt__folder *folder);

/* Identifies a folder: its name and the content of its study.json. igt__free. */
char *igt__folder_claim(const igt__folder *folder);

bool igt__studies_add(igt__studies *studies, const igt_root_study *study); /* false: no memory */
/* From any thread, once all are added. IGT_E_PROTOCOL: another study has the same s3Prefix. */
igt_status igt__studies_check_prefix(const igt__studies *studies, const char *id,
                                     const char *s3_prefix, igt_error *err);
/* From here on only studies that may match the folder (borrowed) are added. False: no memory. */
bool igt__studies_only(igt__studies *studies, const igt__folder *folder);
/* Reads the institute's studies: all, or those that may match one folder. found (borrowed; NULL:
 * all) sets `selected`. IGT_E_LIMIT: too many for
 * limits.h, or for the rest of the quota of lists. */
igt_status igt__studies_load(igt_client *client, const igt_institute *institute,
                             const igt__folder *only, const igt__found *found, igt__quota *lists,
                             igt__studies **out, igt_error *err);

/* From here on, if several studies match a folder, the one is used that was created for it
 * according to the journal. Both are borrowed. */
void igt__studies_remember(igt__studies *studies, igt__journal *journal, const char *origin);

/* *out NULL with IGT_OK: none, it has to be created. IGT_E_AMBIGUOUS lists the matches;
 * IGT_E_COLLISION: another folder of this run matches the same study, the folder's name belongs to
 * another study or patient than its study.json, or that is of another institute. */
igt_status igt__studies_match(igt__studies *studies, const igt__folder *folder, igt__known **out,
                              igt_error *err);
/* By the studyDatabaseId in its study.json or its name only; NULL: none. For annotations. */
igt_status igt__studies_existing(igt__studies *studies, const igt__folder *folder, igt__known **out,
                                 igt_error *err);
/* By patient/study or patient---study only; NULL: none. */
igt_status igt__studies_by_name(igt__studies *studies, const char *patient, const char *name,
                                igt__known **out, igt_error *err);

/* Whether the folder of a new study could as well be that of a patient, by all that is known of it
 * without a look into it: nothing but its name, which has no study part. */
bool igt__may_be_patient(const igt__studies *studies, const igt__folder *folder);
/* For a study that is to be created: what has a name that differs from that of another patient, or
 * of another study of its patient, in nothing but case and blanks. NULL: nothing. Each patient is
 * returned once. */
typedef struct igt__like {
  const char *what, *name, *other; /* "patient" or "study", its new name and the other one's */
} igt__like;
igt__like igt__studies_like(igt__studies *studies, const igt_root_study *study);

/* The study to create for a folder. IGT_E_AMBIGUOUS: its type cannot distinguish it from the
 * patient's other studies; IGT_E_COLLISION: another folder of this run becomes the same study, a
 * part of its name is empty, or its patient's folder has the name of a flat study. */
igt_status igt__study_from_folder(igt__studies *studies, const igt_institute *institute,
                                  const igt__folder *folder, igt_root_study **out, igt_error *err);
/* Whether what identifies the study that the cloud responded with is what was asked for; fields
 * that the response lacks are not compared. */
bool igt__study_is_the_wanted(const igt_root_study *wanted, const igt_root_study *made);
/* "patient/study" if the folder's flat name is split into them for a new study, else NULL, also for
 * no memory; to be freed. Any thread. */
char *igt__name_of_split(const igt__studies *studies, const igt__folder *folder);

#endif
