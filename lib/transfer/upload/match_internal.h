/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_MATCH_INTERNAL_H
#define IGT_TRANSFER_MATCH_INTERNAL_H

/* Shared by studies.c (the institute's studies), match.c (which of them a folder is) and
 * study_fields.c (what to create for a folder). All names in here are in NFC, except those of
 * igt__known. */

#include <stdatomic.h>

#include "base/arena.h"
#include "base/fingerprints.h"
#include "base/str.h"
#include "transfer/upload/match.h"

/* Studies of one name are a chain, and those of one key. */
typedef struct igt__entry igt__entry;
struct igt__entry {
  igt__known known;
  const char *called;     /* human, or its id: the name of its folder */
  const char *part;       /* distinguishes the studies of one key; "" if none */
  const char *uid;        /* instanceUid; "" if none */
  const char *patient;    /* called, up to its first slash */
  const char *patient_id; /* "" when it has none, or no other than the patient's name */
  igt__entry *next_name, *next_key;
};

/* The study type for a folder without a study.json. */
typedef struct igt__shape {
  const char *key_field; /* name, clinicalStudy or subjectId: the one that the type has */
  bool has_patient, has_study_id, has_visit, has_institute_id;
} igt__shape;

/* What identifies a study: its key, and its own part. */
typedef struct igt__reading {
  const char *key, *part; /* part NULL: any */
} igt__reading;
#define IGT__READINGS 2

struct igt__studies {
  atomic_uint refs;
  igt__quota lists;
  igt__arena *arena;
  igt__fingerprints *prefixes;        /* of all studies, also of those that "only" leaves out */
  igt__map *by_id, *by_name, *by_key; /* by_name: as a flat folder */
  igt__map *created;                  /* studies to be created by this run, as text_of_new() */
  igt__map *by_look; /* first of each name but for case and blanks; NULL: not yet */
  igt__map *warned;  /* patients that look like others, already reported */
  igt__shape shape;  /* of the institute's study type */
  const char *institute_id;
  const igt_institute_list *institutes; /* of the project; NULL: unknown */
  igt__journal *journal;
  const char *origin;
  const igt__found *found; /* selects among them; NULL: all are selected */
  const igt__folder *only; /* only studies matching this are added; NULL: all */
  const char *only_name;   /* flat */
  igt__reading only_readings[IGT__READINGS];
  size_t only_count;
  bool failed;
};

/* ---- studies.c ---- */

igt_status igt__studies_no_space(const igt__studies *studies, igt_error *err);
/* In the arena; NULL: no memory. "" for NULL. */
const char *igt__studies_nfc(const igt__studies *studies, const char *text);
/* "patient/study" as a flat folder's name; in the arena; NULL: no memory. */
const char *igt__studies_flat(const igt__studies *studies, const char *patient, const char *name);
/* Whether the flat name is, byte for byte, that of a study. */
bool igt__is_flat_name(const char *flat, const char *called);
const char *igt__studies_type(const igt_institute *institute);

/* ---- match.c ---- */

const char *igt__doc_text(const igt__json *doc, const char *name); /* NULL: none, or "" */
/* The patientId of a study.json; "": none, or no other than the patient's name. */
const char *igt__doc_patient_id(const igt__json *doc);
/* The study.json has one of the key's fields; without, they are left to the folder's name. */
bool igt__is_described(const igt__folder *folder);
/* Whether a flat folder of this name is that of a patient's study: patient---study. */
bool igt__names_a_study(const char *name);
/* Nothing would distinguish it from the patient's other studies. */
bool igt__is_vague(const igt__studies *studies, const igt__folder *folder);
/* The possible identities of the folder's study, existing or new: the first is used for a new one.
 * Their texts are in the arena. 0: no memory. */
size_t igt__readings(const igt__studies *studies, const igt__folder *folder,
                     igt__reading out[IGT__READINGS]);

#endif
