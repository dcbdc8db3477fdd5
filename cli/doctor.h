/* SPDX-License-Identifier: MIT */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

/* What the files of `igtcloud doctor` share: findings, and the probes that make them. */

#include <pthread.h>

#include "cli.h"

typedef enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_ERROR, VERDICT_SKIPPED } verdict;

typedef struct finding {
  const char *check; /* a literal: "dns" */
  verdict verdict;
  char text[1200];
  char advice[500];       /* what to do; "": nothing */
  char public_text[1200]; /* in a bundle, which leaves this machine: no names of patients, files */
} finding;

#define FINDINGS_MAX 32

typedef struct doctor {
  settings own; /* with shorter timeouts */
  const settings *s;
  const char *project; /* NULL: none is given */
  int output;          /* for --bundle -: standard output, whose lines go to standard error */
  igt_client *client;
  char user[256]; /* signed in; left out of a bundle */
  bool is_service;
  bool is_offline;     /* no connection: what needs one is skipped */
  bool has_no_session; /* what needs one is skipped */
  char prefix[1024];   /* the project's in the store; "": not known */
  char target[4096];   /* the folder of downloads */
  char here[4096];     /* the current folder; "": not known */
  pthread_mutex_t lock;
  finding v[FINDINGS_MAX]; /* guarded by lock */
  size_t count;
} doctor;

/* cmd_doctor.c: a finding, printed at once unless --json or a bundle's form is wanted. advice NULL:
 * none. Any thread. */
void found(doctor *d, const char *check, verdict v, const char *advice, const char *fmt, ...)
    IGT_PRINTF(5, 6);
/* The same; a bundle has public_text, since the text may name patients. */
void found_private(doctor *d, const char *check, verdict v, const char *advice,
                   const char *public_text, const char *fmt, ...) IGT_PRINTF(6, 7);
/* The same, of a call that failed. The error's text may name patients: a bundle has its status. */
void found_error(doctor *d, const char *check, const igt_error *err, const char *advice);
const char *verdict_name(verdict v);
void print_finding_json(FILE *out, const finding *f, const char *text);
const char *rate_text(uint64_t bytes, uint64_t us, char *out, size_t cap);
/* path with ~ for the home folder. */
const char *short_path(const char *path, char *out, size_t cap);
void size_text(uint64_t bytes, char *out, size_t cap);

/* doctor_network.c; each blocks, and ends when the client is cancelled. */
void probe_server(doctor *d);
void probe_sign_in(doctor *d);
void probe_roles(doctor *d);
void probe_store(doctor *d);
void probe_download(doctor *d);
void probe_upload(doctor *d);

/* doctor_local.c; each may block for good, on a file system that does not respond. */
void probe_version(doctor *d);
void probe_configuration(doctor *d);
void probe_token_file(doctor *d);
void probe_key(doctor *d);
void probe_keyring(doctor *d);
void probe_folder(doctor *d);
void probe_journal(doctor *d);

/* doctor_bundle.c: a tar archive of texts for a support ticket. EXIT_FAILED: reported. */
/* text with the user's name and the paths that the user gave replaced by what they are; free() it,
 * NULL: no memory. */
char *without_names(const doctor *d, const char *text);
/* Creates the bundle's file, before the checks: -1 if it cannot be, and that was printed. */
int create_bundle(const char *path);
/* Into the file that create_bundle opened, and closes it; a bundle on standard output has fd -1. */
int write_bundle(doctor *d, const char *path, int fd);
void drop_bundle(const char *path, int fd); /* nothing was written */

#endif
