/* SPDX-License-Identifier: MIT */
#ifndef IGT_JOURNAL_H
#define IGT_JOURNAL_H

/* What is unfinished and what was verified; see README.md. Thread-safe. Every function accepts a
 * NULL journal: it then records nothing and finds nothing. */

#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"

typedef struct igt__journal igt__journal;

/* path NULL: $XDG_STATE_HOME/igtcloud/journal.db, else ~/.local/state/igtcloud/journal.db. Creates
 * the folder (0700) and the file (0600). IGT_E_UNSUPPORTED: it is of a newer version, a database of
 * another program, or path names a file of another kind; none of these is changed.
 * IGT_E_PERMISSION: another user has placed it in a folder that everybody can write to. A damaged
 * file is moved aside (".damaged") and replaced by a new one; *moved_aside says so. cancel: of the
 * run, referenced; may be NULL. While another process writes, everything that needs the file waits
 * up to 10 s, and once cancel is set a second in total: what is not written by then is lost. */
igt_status igt__journal_open(const char *path, igt__cancel *cancel, igt__journal **out,
                             bool *moved_aside, igt_error *err);
void igt__journal_close(igt__journal *journal); /* commits */
/* For a diagnosis: opens it for reading alone. The result is filled in as far as it gets. */
struct igt_journal_info;
igt_status igt__journal_inspect(const char *path, unsigned limit_ms, struct igt_journal_info *out,
                                igt_error *err);
/* Writes what is queued and commits. The thread that waits for a run calls it several times a
 * second: a kill loses only what was recorded since the last call. */
igt_status igt__journal_flush(igt__journal *journal, igt_error *err);

/* The change time of a file that was so young when it was read that a later write may have got the
 * same times: equal to no file's, so that its content is compared. */
#define IGT__JOURNAL_DOUBT 1

/* A finished and verified file. `origin` is the cloud ("https://host"), `key` its object. The local
 * file is identified by absolute path, size and modification time, and by its inode and change
 * time, which nobody can set at will. */
typedef struct igt__journal_file {
  uint64_t size;
  int64_t mtime_ns;
  int64_t ctime_ns; /* 0: it and inode are not known; or IGT__JOURNAL_DOUBT */
  uint64_t inode;
  char etag[80];
  char digest[128]; /* "sha256:…" */
  char verified[16];
} igt__journal_file;
bool igt__journal_find_file(igt__journal *journal, const char *origin, const char *key,
                            const char *local, igt__journal_file *out);
/* Queued: does not wait for the disk. */
void igt__journal_put_file(igt__journal *journal, const char *origin, const char *key,
                           const char *local, const igt__journal_file *file);

/* A range whose first bytes are in the partial file. */
typedef struct igt__journal_begun {
  uint32_t range, bytes;
} igt__journal_begun;

/* A download in ranges of one size; bit i of `ranges` says that range i is in the partial file,
 * `begun` lists those that are partly there. */
typedef struct igt__journal_download {
  uint64_t size;
  uint64_t range_size;
  char etag[80];
  unsigned char *ranges; /* igt__free; (count + 7) / 8 bytes */
  size_t range_count;
  igt__journal_begun *begun; /* igt__free */
  size_t begun_count;
  /* What a loss of power would leave of it: the boot in which it was written, "" once it is known
   * to be on the disk, and the result of igt__journal_begin_run in the run that wrote it. */
  char boot[64];
  int64_t doubt;
  int64_t noted; /* in _find only: when the row was written, in seconds since 1970; 0: not known */
} igt__journal_download;
/* Whether there may be any; cheap: known since the journal was opened. */
bool igt__journal_has_downloads(igt__journal *journal);
bool igt__journal_find_download(igt__journal *journal, const char *local, const char *key,
                                igt__journal_download *out);
void igt__journal_put_download(igt__journal *journal, const char *local, const char *key,
                               const igt__journal_download *download);
/* Marks the downloads below target that were written in boot `from` as of boot `to`. */
void igt__journal_mark_downloads(igt__journal *journal, const char *target, const char *from,
                                 const char *to);
void igt__journal_drop_download(igt__journal *journal, const char *local);

/* A run that writes below `target`. Until the file system has been synced at its end, a loss of
 * power may leave files of the right size and the wrong content; a row that is left over from
 * another boot of the machine says since when. `scope` identifies the part of the cloud that the
 * run covers. */
typedef struct igt__journal_run {
  const char *target; /* absolute */
  const char *scope;
  const char *boot; /* this boot's id */
} igt__journal_run;
/* Returns when the oldest run of another boot that did not end, or of igt__journal_lose_run, was
 * started, in seconds since 1970; 0: none. A run that a process repeats before it has ended counts
 * from the first time. */
int64_t igt__journal_begin_run(igt__journal *journal, const igt__journal_run *run);
/* What igt__journal_begin_run returns, for a call that only reads below target. */
int64_t igt__journal_doubt(igt__journal *journal, const char *target, const char *boot);
/* All of it is on the disk. whole: the run also checked everything that its scope contains and
 * found it correct, so that what other boots left behind is settled. */
void igt__journal_end_run(igt__journal *journal, const igt__journal_run *run, bool whole);
/* The disk lost some of it: from now on the run counts as one of another boot. The system reports
 * such an error once, so the next sync may succeed although the files are damaged. */
void igt__journal_lose_run(igt__journal *journal, const igt__journal_run *run);

/* When the last complete run between a folder and a source began, in seconds since 1970; false:
 * there was none. source: identifies what the run covered (lib/transfer/engine/last_run.h). */
bool igt__journal_find_complete(igt__journal *journal, const char *target, const char *source,
                                int64_t *began);
void igt__journal_put_complete(igt__journal *journal, const char *target, const char *source,
                               int64_t began);

/* A multipart upload. */
typedef struct igt__journal_upload {
  uint64_t size;
  int64_t mtime_ns;
  uint64_t inode;
  uint64_t part_size;
  char upload_id[1024];
  /* For lists; in _put only, borrowed, "" if not known. */
  const char *project; /* its name */
  const char *place;   /* "PROJECT/INSTITUTE/PATIENT/STUDY/files/NAME" */
  size_t prefix_len;   /* of the key: what credentials for it are requested for; 0: not known */
} igt__journal_upload;
/* local NULL: that of any local file. */
bool igt__journal_find_upload(igt__journal *journal, const char *origin, const char *key,
                              const char *local, igt__journal_upload *out);
void igt__journal_put_upload(igt__journal *journal, const char *origin, const char *key,
                             const char *local, const igt__journal_upload *upload);
/* Only the one with this id: another run may have started a new one since. */
void igt__journal_drop_upload(igt__journal *journal, const char *origin, const char *key,
                              const char *upload_id);
/* All of a cloud's, ordered by key. Stops if fn returns false; fn must not use the journal. */
typedef struct igt__journal_unfinished {
  const char *key, *local; /* valid during the call, as are upload's strings */
  igt__journal_upload upload;
  int64_t began, worked; /* seconds since 1970: created, last part stored; 0: not known */
} igt__journal_unfinished;
typedef bool (*igt__journal_upload_fn)(void *payload, const igt__journal_unfinished *one);
igt_status igt__journal_each_upload(igt__journal *journal, const char *origin,
                                    igt__journal_upload_fn fn, void *payload, igt_error *err);
/* Runs that work on an upload hold a shared lock on it; to end an upload that may still be of use
 * takes an exclusive one. Locking again converts a lock that is already held. False: others hold
 * it. A process that ends releases its locks. On a file system without locks every request
 * succeeds. */
bool igt__journal_hold_upload(igt__journal *journal, const char *origin, const char *key,
                              bool alone);
void igt__journal_release_upload(igt__journal *journal, const char *origin, const char *key);
/* Whether others hold it. */
bool igt__journal_upload_is_held(igt__journal *journal, const char *origin, const char *key);
/* One stored part of it. */
typedef struct igt__journal_part {
  unsigned number;
  char etag[80];
  unsigned char sha256[32];
} igt__journal_part;
void igt__journal_put_part(igt__journal *journal, const char *origin, const char *key,
                           const igt__journal_part *part);
/* All of them, ordered; the caller frees *out with igt__free. */
size_t igt__journal_parts(igt__journal *journal, const char *origin, const char *key,
                          igt__journal_part **out);
/* A part starts to be sent. It counts as in flight until igt__journal_put_part. `before`: how many
 * parts were stored when the run began. */
void igt__journal_begin_part(igt__journal *journal, const char *origin, const char *key,
                             unsigned number, unsigned before);
/* How many were in flight when a run ended, and the `before` of that run. *numbers: which, ordered;
 * the caller frees it with igt__free. */
size_t igt__journal_begun_parts(igt__journal *journal, const char *origin, const char *key,
                                unsigned **numbers, unsigned *before);
void igt__journal_drop_begun_parts(igt__journal *journal, const char *origin, const char *key);

/* Locks the partial file of a download on a file system without locks of its own. True: no other
 * process that shares the journal holds it, according to a lock and not to the lack of locks. salt:
 * for its name, the same for all processes that share the journal on this machine, and different
 * for all others. */
bool igt__journal_hold_partial(igt__journal *journal, const char *root, const char *path,
                               char salt[9]);
void igt__journal_release_partial(igt__journal *journal, const char *root, const char *path);

/* Claims a study that is about to be created: one program at a time for each name among all that
 * share the journal, so that two concurrent uploads of one tree create one study. False: another
 * one holds the claim. A process that ends releases its claims. name: of any length. */
bool igt__journal_claim(igt__journal *journal, const char *origin, const char *institute,
                        const char *name);
void igt__journal_unclaim(igt__journal *journal, const char *origin, const char *institute,
                          const char *name);
/* The study that was created for it, recorded for a year: visible to others immediately. */
bool igt__journal_find_created(igt__journal *journal, const char *origin, const char *institute,
                               const char *name, char id[128]);
/* Whether the study of this id was created for another name. */
bool igt__journal_is_of_other(igt__journal *journal, const char *origin, const char *institute,
                              const char *name, const char *id);
void igt__journal_put_created(igt__journal *journal, const char *origin, const char *institute,
                              const char *name, const char *id);

/* "3.40.1", of SQLite */
const char *igt__journal_library(void);

#endif
