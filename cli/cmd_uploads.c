/* SPDX-License-Identifier: MIT */
/* The uploads command: lists unfinished multipart uploads, and with --abort ends them after asking.
 * The library finds them; --lost selects only those that can no longer be resumed. Each upload
 * becomes a row of fields for listing.c. Uploads that are running are listed but never aborted.
 * main.c calls cmd_uploads. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "transfer_options.h"

static const option uploads_options[] = {
    {"abort", 0, OPTION_FLAG, AT(abort), NULL, NULL,
     "abort them and delete their parts; asks for confirmation"},
    {"lost", 0, OPTION_FLAG, AT(lost), NULL, NULL,
     "only those whose local file is gone or has changed"},
    {"older-than", 0, OPTION_NUMBER, AT(older_than), "DAYS", NULL,
     "only those without activity for this many days"},
    {"dry-run", 0, OPTION_FLAG, AT(dry_run), NULL, NULL,
     "with --abort: only show what would be aborted"},
    YES_OPTION,
    FIELDS_OPTION,
    JOURNAL_OPTION,
    END_OF_OPTIONS};

static const column columns[] = {{"STATE", "state", false}, {"SINCE", "began", false},
                                 {"SIZE", "size", true},    {"STORED", "stored", true},
                                 {"FILE", "local", false},  {"PLACE", "place|key", false},
                                 {NULL, NULL, false}};

/* ---- a row ---- */

static igt_status print_row(listing *out, const igt_unfinished_upload *one) {
  record r = {.count = 0};

  record_text(&r, "state", igt_unfinished_state_name(one->state));
  record_text(&r, "place", one->place);
  record_text(&r, "project", one->project);
  record_text(&r, "local", one->local_path);
  record_text(&r, "key", one->key);
  record_text(&r, "uploadId", one->upload_id);
  record_number(&r, "size", one->size);
  record_number(&r, "stored", one->stored);
  record_number(&r, "parts", one->parts);
  record_time(&r, "began", one->began);
  record_time(&r, "worked", one->worked);
  if (one->error->status != IGT_OK) {
    record_text(&r, "status", igt_status_name(one->error->status));
    record_text(&r, "error", one->error->text);
  }
  return record_print(&r, out);
}

/* ---- the selection ---- */

typedef struct selected {
  const settings *s;
  igt_uploads *uploads;
  bool *meant; /* for each upload; states change when they are aborted */
  size_t count, resumable, running;
  uint64_t stored;
} selected;

static const igt_unfinished_upload *pick(const selected *sel, size_t i) {
  return sel->meant[i] ? igt_uploads_get(sel->uploads, i) : NULL;
}

static void count_them(selected *sel) {
  for (size_t i = 0; i < igt_uploads_count(sel->uploads); i++) {
    const igt_unfinished_upload *one = igt_uploads_get(sel->uploads, i);
    sel->meant[i] = !sel->s->lost || one->state == IGT_UNFINISHED_LOST;
    if (!sel->meant[i])
      continue;
    if (one->state == IGT_UNFINISHED_RUNNING) {
      sel->running++;
      continue;
    }
    sel->count++;
    sel->resumable += one->state == IGT_UNFINISHED_RESUMABLE;
    sel->stored += one->stored;
  }
}

/* Also reports each error on standard error; returns the exit status. */
static int print_them(const selected *sel) {
  listing *out = listing_open(sel->s, columns);
  igt_status status = out ? IGT_OK : IGT_E_NO_MEMORY;
  int result = EXIT_DONE;

  for (size_t i = 0; i < igt_uploads_count(sel->uploads) && status == IGT_OK; i++) {
    const igt_unfinished_upload *one = pick(sel, i);
    if (!one)
      continue;
    status = print_row(out, one);
    if (one->error->status != IGT_OK && one->error->status != IGT_E_LOCKED) {
      (void)fail(one->error);
      result = EXIT_SOME_FAILED;
    }
  }
  return listing_close(out, status == IGT_OK ? result : exit_status_of(status));
}

static const char *plural(size_t n) {
  return n == 1 ? "" : "s";
}

/* ---- aborting ---- */

static int ask(const selected *sel) {
  char size[32], resumable[100] = "";

  format_size(sel->stored, size, sizeof size);
  if (sel->resumable)
    snprintf(resumable, sizeof resumable, " %zu of them can still be resumed.", sel->resumable);
  for (size_t i = 0; !sel->s->yes && i < igt_uploads_count(sel->uploads); i++) {
    const igt_unfinished_upload *one = pick(sel, i);
    if (one && one->state != IGT_UNFINISHED_RUNNING)
      message(sel->s, "%s (%s)", one->local_path, igt_unfinished_state_name(one->state));
  }
  return confirm(sel->s, "The store holds %s of %zu unfinished upload%s.%s Abort %s?", size,
                 sel->count, plural(sel->count), resumable, sel->count == 1 ? "it" : "them all");
}

/* Uploads listed as running are not aborted, even if they have ended since: the user was not asked
 * about them. */
static size_t end_them(selected *sel) {
  size_t ended = 0;

  for (size_t i = 0; i < igt_uploads_count(sel->uploads) && !caught_signal(); i++) {
    const igt_unfinished_upload *one = pick(sel, i);
    igt_error err = IGT_ERROR_INIT;
    if (!one || one->state == IGT_UNFINISHED_RUNNING)
      continue;
    if (igt_uploads_abort(sel->uploads, i, &err) == IGT_OK)
      ended++;
    else
      sel->running += err.status == IGT_E_LOCKED;
  }
  return ended;
}

static int abort_them(selected *sel) {
  int status = EXIT_DONE;
  size_t ended = 0;

  if (sel->count && !sel->s->dry_run && (status = ask(sel)) == EXIT_DONE)
    ended = end_them(sel);
  if (status != EXIT_DONE)
    return status;
  status = print_them(sel);
  message(sel->s, sel->s->dry_run ? "Would abort %zu upload%s" : "Aborted %zu upload%s",
          sel->s->dry_run ? sel->count : ended, plural(sel->s->dry_run ? sel->count : ended));
  return caught_signal() ? exit_status_of(IGT_E_CANCELLED) : status;
}

static int list_or_abort(selected *sel) {
  const settings *s = sel->s;
  int status;

  count_them(sel);
  if (sel->count + sel->running == 0) {
    message(s, "No unfinished uploads%s", s->lost || s->older_than ? " match" : "");
    return EXIT_DONE;
  }
  status = s->abort ? abort_them(sel) : print_them(sel);
  if (s->abort && sel->running)
    message(s, "Skipped %zu upload%s in progress", sel->running, plural(sel->running));
  return status;
}

static int work(const settings *s, igt_uploads *uploads) {
  selected sel = {.s = s, .uploads = uploads};
  igt_error err = IGT_ERROR_INIT;
  int status;

  sel.meant = calloc(igt_uploads_count(uploads) + 1, sizeof *sel.meant);
  if (!sel.meant) {
    err.status = IGT_E_NO_MEMORY;
    return fail(&err);
  }
  status = list_or_abort(&sel);
  free(sel.meant);
  return status;
}

static int cmd_uploads(settings *s) {
  igt_uploads_options o = IGT_UPLOADS_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_uploads *uploads = NULL;
  int status = EXIT_FAILED;
  igt_client *client = open_here(s, &status);

  if (!client)
    return status;
  o.project = s->argument_count ? s->arguments[0] : NULL;
  o.journal = s->journal;
  o.older_than = s->older_than * 24 * 60 * 60;
  if (igt_uploads_open(client, &o, &uploads, &err) == IGT_OK)
    status = work(s, uploads);
  else
    status = fail(&err);
  igt_uploads_close(uploads);
  close_client(client);
  return status;
}

const command uploads_command = {
    "uploads",
    "[PROJECT]",
    0,
    1,
    "list unfinished uploads, and abort them",
    "Lists the parts that interrupted uploads of large files have left in the store, for one\n"
    "project or all: parts that cost storage but are not visible. Each line has the state, the\n"
    "start, the size of the file, and how much of it is stored. The state is resumable (the same\n"
    "upload continues it), lost (the file is gone or has changed), running (in progress now), or\n"
    "gone (the store no longer has it).\n"
    "\n"
    "--abort aborts them, except those in progress: the store deletes the parts, and the next\n"
    "upload of the file starts over. Asks for confirmation; without a terminal, --yes is "
    "required.\n"
    "\n"
    "The list comes from the journal: uploads of this user on this machine. Uploads of others are\n"
    "not listed, as there is no way to know whether they are in progress.",
    uploads_options,
    true,
    cmd_uploads};
