/* SPDX-License-Identifier: MIT */
#ifndef STATION_H
#define STATION_H

/* What the files of `igtcloud station` share. station.c has the loop and calls the others:
 *
 *   watch.c, scan.c   find the folders of studies, by names that appear and by looking again
 *   tree.c, writers.c whether a study is quiet: its files and their times, who has them open
 *   queue.c           the studies that are here, and which comes next
 *   loose.c           files that belong to no study
 *   roots.c           which folders are watched, and where their studies go
 *   store.c           the lock of a watched folder, and what has to survive a restart
 *   batch.c           uploads and verifies some studies at a time
 *   policy.c          moves or deletes what was verified, moves aside what failed, frees disk
 *   trash.c           deletes in a way that the next start can finish
 *   session.c         the client, who is signed in, when the key expires
 *   notify.c          what manages it, and the log
 *   metrics.c, status.c, hook.c   what others see of it
 *   clock.c           the time
 *
 * Everything runs on one thread, except the library's transfers and one thread of session.c, which
 * waits for the network. Times in milliseconds are those of station_now(). */

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"

#define STATION_ROOTS 16
#define STATION_FOLDER ".igtcloud-station" /* in each watched folder */
#define STATION_PATH 4096                  /* bytes of a path: Linux' most */
#define STATION_BATCHES 3
#define STATION_BATCH 32 /* studies of one transfer */
/* Studies that were written together become ready together, within the time that it takes to look
 * at them: they are sent in one order, and by one transfer. */
#define STATION_TOGETHER_MS 500

/* ---- clock.c ---- */

/* Milliseconds since some time; goes on while the machine sleeps, and never jumps. */
int64_t station_now(void);
/* The same, never faster: for what other programs do. */
int64_t station_real_ms(void);
/* Seconds since 1970. */
int64_t station_wall(void);
/* How long to wait for this many milliseconds. */
int station_timeout(int64_t ms);
/* "2026-12-01T23:00:00Z" */
const char *station_time(int64_t seconds, char out[32]);

/* ---- tree.c ---- */

/* The state of a study's folder. Equal states: nothing was written in between. */
typedef struct tree_state {
  uint64_t files, bytes;
  uint64_t hash;     /* of names, sizes and times */
  int64_t newest;    /* modification time, seconds */
  uint64_t hidden;   /* partial files of programs that are writing */
  uint64_t others;   /* links, devices and such, which cannot be uploaded */
  uint64_t stations; /* folders in which stations keep their state */
} tree_state;

typedef struct tree_entry {
  const char *path; /* below the study */
  int dir;          /* of its folder; name in it */
  const char *name;
  uint64_t device, inode, size;
  int64_t mtime_ns, ctime_ns;
  bool is_file;
  bool is_station; /* the folder of a station's state; other folders are no entries */
} tree_entry;
/* Other than 0 ends the walk. */
typedef int (*tree_fn)(void *payload, const tree_entry *entry);
/* lstat's mode of what is at root/path; 0: nothing. */
unsigned tree_mode(const char *root, const char *path);
/* A folder below root, without following links: others may write there. make: creates what is
 * missing. -1: errno. */
int tree_open(const char *root, const char *path, bool make);
/* A folder in an open one, as tree_open. */
int tree_step(int dir, const char *name, bool make);
/* The folder that contains path, as tree_open; *name: the last component. */
int tree_open_above(const char *root, const char *path, bool make, const char **name);
/* Both below folders of ours, but others may write there, too: no link is followed. False: errno;
 * EEXIST if there is something of that name. */
bool tree_rename(const char *from_root, const char *from, const char *to_root, const char *to);
/* False: errno; *ended is what fn returned. ENOENT: the folder itself is gone. */
bool tree_walk(const char *root, const char *path, tree_fn fn, void *payload, int *ended);
bool tree_look(const char *root, const char *path, tree_state *out);
/* Whether a station watches the folder, or one in it, or did. */
bool tree_holds_station(const char *root, const char *path);
bool tree_same(const tree_state *a, const tree_state *b);
bool tree_remove(const char *root, const char *path);
/* The folders above path that are empty now, of so many levels. */
void tree_remove_empty(const char *root, const char *path, int levels);
/* Of files and folders that systems and NAS boxes leave in every folder: those of
 * lib/transfer/engine/tree.c that are not hidden. */
bool tree_is_clutter(const char *name, size_t n);

/* ---- writers.c ---- */

/* Whether a program is known to have a file of the folder open for writing. */
bool tree_is_written(const char *root, const char *path);

/* ---- queue.c ---- */

typedef struct station station;

typedef enum study_state {
  STUDY_SETTLING, /* new or changed */
  STUDY_READY,    /* quiet, waiting for its turn */
  STUDY_ACTIVE,   /* is uploaded and verified */
  STUDY_VERIFIED  /* could not be moved, so it is still here */
} study_state;

struct batch;
typedef struct study {
  struct watched *in;
  char *path; /* below the watched folder: "INSTITUTE/STUDY" */
  study_state state;
  tree_state tree;
  int64_t since;    /* the state has been the same since */
  int64_t due;      /* when to look again; of a ready one: not before */
  int64_t arrived;  /* wall clock */
  bool warned;      /* the log says what it waits for */
  int stuck_errno;  /* why it cannot be moved, as the log has it; 0: it can */
  int64_t began_ms; /* of the transfer */
  unsigned attempts;
  unsigned crashes; /* how often the station ended in the middle of it: it is uploaded alone */
  bool overwrite;   /* the cloud has a file of this name and size, with another content */
  uint64_t scan;    /* the last one that saw it */
  igt_status status;
  char *why; /* why it is still here */
  /* in this transfer */
  bool uploaded, verified;
  bool blameless;  /* the whole run failed, because of the project */
  bool hopeless;   /* its study.json is wrong, and will be the next time */
  bool unrecorded; /* uploaded, but the journal has no digests to verify it with */
  uint64_t same_files, junk_files, sidecars, moved;
  igt_status problem;
  char *problem_text;
  char study_id[64];
} study;

typedef struct study_queue {
  study **v;
  size_t count, space;
  study **slots; /* a hash table of the same */
  size_t slot_count;
} study_queue;
study *queue_find(const study_queue *q, const struct watched *in, const char *path);
study *queue_add(study_queue *q, struct watched *in, const char *path); /* NULL: no memory */
void queue_remove(study_queue *q, study *s);
void queue_free(study_queue *q);
void study_problem(study *s, igt_status status, const char *text); /* the first counts */
void study_because(study *s, igt_status status, const char *text);

/* ---- store.c ---- */

/* One watched folder. */
typedef struct watched {
  char *path;          /* absolute, without links */
  char *done, *failed; /* folders for studies that were uploaded, or not */
  int lock;
  FILE *log;         /* what has to survive: appended to, rewritten at the start */
  bool log_failed;   /* reported */
  uint64_t records;  /* in the log */
  struct kept *kept; /* studies in done/, which may be deleted */
  size_t kept_count, kept_space;
  uint64_t kept_bytes;
  int delete_errno;  /* why none of them can be deleted, as the log has it; 0: they can */
  int read_errno;    /* why a folder could not be read in the last scan; 0: all were */
  int read_reported; /* the same, as the log has it */
  struct tried *tried;
  size_t tried_count, tried_space;
  /* The time of the records, see store.c: time_s at time_ms, which is station_now()'s. */
  int64_t time_s, time_ms;
  int64_t time_put; /* in the log, at this station_now() */
  bool time_known;  /* by an earlier station */
} watched;

/* A study that was verified and moved to done/. */
typedef struct kept {
  char *path; /* absolute */
  int64_t at; /* of store_time() */
  tree_state tree;
} kept;

/* Locks the folder. False: reported. */
bool store_open(watched *w, const char *path);
/* What an earlier station left. done and failed are known. */
void store_read(watched *w);
/* Whether a station watches the folder; false also where this user cannot tell. */
bool store_is_locked(const char *folder);
void store_close(watched *w);
/* Now and then: writes what could not be written, and that time passes. */
void store_tick(watched *w);
/* Seconds: the difference between two has certainly passed in between. */
int64_t store_time(const watched *w);
/* Before an upload begins: that it did, and how often. */
void store_begin(watched *w, const study *s);
/* An attempt ended: the study is uploaded, or waits for another one. */
void store_end(watched *w, const study *s);
/* It is gone from here. */
void store_forget(watched *w, const char *path);
void store_keep(watched *w, const char *path, const tree_state *state);
void store_unkeep(watched *w, size_t i);
/* What an earlier station knew of it: attempts, crashes. */
void store_recall(const watched *w, study *s);

/* ---- roots.c ---- */

bool roots_open(station *st); /* false: reported */

/* ---- state.c: a line of the state file ---- */

/* Digits and a space, behind which *text is then. False: no such, or more than most. */
bool state_number(char **text, int base, uint64_t most, uint64_t *out);
/* The rest of the line, decoded in place. False: it is damaged, or nothing. */
bool state_path(char *text);
void state_put_path(FILE *out, const char *path); /* and the end of the line */

/* ---- watch.c ---- */

typedef void (*watch_fn)(void *payload, watched *w, const char *folder, const char *name);
/* watch: os_watch_open's; without one the folders are looked at regularly. folder: below the
 * watched one, "" for itself. False: no space for more. */
bool watch_add(os_source watch, watched *w, const char *folder);
/* Calls fn for each name that appeared or vanished; true: everything has to be looked at. */
bool watch_read(os_source watch, watch_fn fn, void *payload);
void watch_close(os_source watch);

/* ---- scan.c ---- */

void scan_all(station *st);
/* A name appeared or vanished in a folder that is watched. */
void scan_name(void *payload, watched *w, const char *folder, const char *name);

/* ---- loose.c ---- */

/* A file that is not in the folder of a study. */
void loose_see(station *st, watched *w, const char *path);
void loose_forget(station *st, watched *w, const char *path);
void loose_drop_unseen(station *st);
/* Logs those that have stayed for --settle; all: at the end, also the others. */
void loose_report(station *st, bool all);
uint64_t loose_count(const station *st); /* that were reported */

/* ---- session.c ---- */

/* The client; transfers that were begun with it keep it. */
typedef struct line {
  igt_client *client;
  igt_cancel *cancel;
  unsigned users;
} line;
/* NULL: reported, *exit_status. */
line *line_open(const settings *s, const char *environment, int *exit_status);
line *line_use(line *l);
void line_drop(line *l);

/* What the thread that waits for the network found. */
typedef struct findings {
  igt_status status;
  char text[1024];
  igt_identity identity;
  int64_t key_expires; /* 0: unknown */
  char *institutes;    /* of the project: names that end with \0, one after another, and an empty
                          one; NULL: unknown */
} findings;
typedef struct inquiry inquiry;
/* Signs in and looks whether the project and the institute exist, on a thread; OS_NO_SOURCE:
 * cannot. The source is ready once it has ended. */
os_source inquiry_start(inquiry **out, line *l, const settings *s, const char *institute);
/* Waits. The caller frees out->institutes; out may be NULL. */
void inquiry_end(inquiry *q, findings *out);

/* ---- batch.c ---- */

typedef struct batch {
  station *st;
  line *l;
  igt_transfer *transfer;
  bool verifying;
  bool journal_fails; /* it could not be written in this run */
  watched *in;
  study *v[STATION_BATCH];
  const char *paths[STATION_BATCH];
  size_t count;
  igt_transfer_callbacks callbacks;
} batch;
/* Starts transfers of what is ready, while fewer than STATION_BATCHES run. */
void batch_start(station *st);
bool batch_has_space(const station *st); /* for another one */
/* Delivers what a transfer has to say. */
void batch_dispatch(batch *l);
void batch_cancel_all(station *st);

/* ---- policy.c ---- */

/* Verified, and nothing was written since: moves or deletes it. False: not now; it stays. */
bool policy_finish(station *st, study *s);
/* Gives up: moves it to failed/ with a .reason file. */
void policy_fail(station *st, study *s);
/* Deletes the oldest of done/ where the settings ask for it. */
void policy_tidy(station *st);
uint64_t policy_free_bytes(const watched *w);

/* ---- trash.c ---- */

#define TRASH_PATH (2 * STATION_PATH)
/* Moves a study out of the watched folder, to be checked and deleted. out: where it is now, below
 * the watched folder. False: errno. */
bool trash_take(const study *s, char out[TRASH_PATH]);
/* It was moved back from path: removes the folders in which it was. */
void trash_leave(const study *s, const char *path);
/* From here on what is at root/path is only deleted, also by a later station. out: for
 * trash_delete(). False: errno. */
bool trash_seal(const watched *w, const char *root, const char *path, char out[TRASH_PATH]);
bool trash_seal_taken(const watched *w, const char *path, char out[TRASH_PATH]);
void trash_delete(const watched *w, const char *sealed);
/* At the start: finishes what an earlier station began. */
void trash_recover(const station *st, const watched *w);

/* ---- notify.c ---- */

void notify_settings(const settings *s); /* for --quiet */
void notify_running(const char *fmt, ...) IGT_PRINTF(1, 2);
/* priority: of cli.h. event: a word for programs; in, s: may be NULL. */
void station_log(int priority, const char *event, const study *s, const char *fmt, ...)
    IGT_PRINTF(4, 5);

/* ---- metrics.c ---- */

typedef struct metrics_server metrics_server;
/* NULL: reported. */
metrics_server *metrics_open(const char *address, bool anywhere);
#define METRICS_CONNECTIONS 4
size_t metrics_sources(const metrics_server *m, os_waiting *out); /* 1 + METRICS_CONNECTIONS */
void metrics_serve(metrics_server *m, const os_waiting *in, size_t count, const station *st);
void metrics_close(metrics_server *m);

/* ---- status.c ---- */

void status_write(station *st);

/* ---- input.c ---- */

/* A descriptor from which a program reads the text. Nothing waits for that, however long it is, and
 * whether or not it is read. -1: errno says why. */
int hook_input(const char *text);

/* ---- hook.c ---- */

/* Queues an event: "uploaded", "failed", ... */
void hook_event(station *st, const char *event, const study *s, const char *detail);
/* Starts the next program, ends one that takes too long. */
void hook_tick(station *st);
bool hook_is_busy(const station *st);
void hook_finish(station *st); /* at the end: waits a little */

/* ---- station.c ---- */

typedef struct station_config {
  int64_t settle_ms, rescan_ms, keep_s, hook_ms;
  uint64_t quota, min_free;
  unsigned attempts;
  bool delete_done, oldest_first, once;
} station_config;

typedef struct station_totals {
  uint64_t uploaded, uploaded_bytes, moved_bytes, failed, retried, deleted, hook_failures,
      hook_dropped;
  int64_t last_success; /* wall clock */
} station_totals;

/* Counted from the queue. */
typedef struct station_counts {
  uint64_t settling, ready, active, stuck, bytes;
  int64_t oldest; /* wall clock; 0: none waits */
} station_counts;

struct station {
  const settings *s, *at_start;
  const char *project, *institute, *environment;
  station_config config;
  watched roots[STATION_ROOTS];
  size_t root_count;
  study_queue queue;
  study_queue loose; /* files that belong to no study */
  line *line;
  inquiry *inquiry;
  os_source inquiry_ended;
  findings found; /* by the last inquiry */
  batch batches[STATION_BATCHES];
  os_source watch, requests;
  metrics_server *metrics;
  bool journal_fails; /* and was reported */
  FILE *report;
  bool report_is_cut; /* its last line may not have been written as a whole */
  struct hook *hook;
  station_totals totals;
  int64_t started; /* wall clock */
  uint64_t scan;
  bool scan_soon, new_work, dirty, ready, stopping;
  int64_t next_scan, next_inquiry, next_status, next_tidy, next_key_look, next_loose;
  int64_t offline_until, offline_ms; /* the cloud does not respond: the pause */
  bool offline, key_warned, disk_warned;
  int64_t key_changed; /* modification time of its file */
};
int station_main(settings *s); /* the exit status */
/* config.c: *c from the options. False: a mistake in them was reported. */
bool station_configure(const settings *s, station_config *c);
bool station_check(const settings *s); /* false: a mistake in the options was reported */
/* The options that are read at the start alone and have changed: "--folder, --metrics"; returns
 * their number. */
size_t station_needs_restart(const settings *started, const settings *now, char *out, size_t cap);
station_counts station_count(const station *st);
/* The cloud cannot be used: nothing is started for a while. */
void station_offline(station *st, igt_status status, const char *why);
void station_online(station *st);
/* Whether the project is known to have the institute of a study's path. */
bool station_has_institute(const station *st, const char *path);
bool station_open_report(station *st, const settings *s); /* false: reported */
void station_report_item(station *st, const igt_transfer_item *item);

#endif
