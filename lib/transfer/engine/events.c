/* SPDX-License-Identifier: MIT */
/* A run's items and messages, from any thread to the one in igt__run_wait, which hands them on in
 * lists: to the transfer's queue (handle.c), or for a single file to the callbacks. An event is a
 * copy followed by its strings, in one allocation. Producers pause when that thread, or whoever
 * dispatches the transfer, falls behind. Called by everything that reports. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "transfer/engine/events.h"
#include "transfer/engine/handle.h"
#include "transfer/engine/run.h"

/* ---- an event ---- */

/* The strings of an item, in the order in which they are stored after its event. */
static const char **item_string(igt_transfer_item *item, unsigned i) {
  const char **const strings[] = {&item->institute, &item->study,      &item->study_id,
                                  &item->path,      &item->local_path, &item->key,
                                  &item->digest,    &item->verified,   &item->text};

  return i < sizeof strings / sizeof *strings ? strings[i] : NULL;
}

static void fill_strings(igt_transfer_item *item) {
  for (unsigned i = 0; item_string(item, i); i++)
    if (!*item_string(item, i))
      *item_string(item, i) = "";
}

/* Names from a server may have megabytes; such names are useless. */
static size_t shown_length(const char *text) {
  size_t n = strnlen(text, IGT__MAX_SHOWN);

  if (n == IGT__MAX_SHOWN)
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
      n--;
  return n;
}

struct igt__event *igt__event_of_item(const igt_transfer_item *item) {
  igt_transfer_item copy = *item;
  size_t need = 0;
  struct igt__event *event;

  fill_strings(&copy);
  for (unsigned i = 0; item_string(&copy, i); i++)
    need += shown_length(*item_string(&copy, i)) + 1;
  event = igt__malloc(sizeof *event + need);
  if (!event)
    return NULL;
  memset(event, 0, sizeof *event);
  if (item->error && !(event->error = igt__malloc(sizeof *event->error))) {
    igt__free(event);
    return NULL;
  }
  event->item = copy;
  char *at = event->text;
  for (unsigned i = 0; item_string(&event->item, i); i++) {
    const char **s = item_string(&event->item, i);
    size_t n = shown_length(*s);
    memcpy(at, *s, n);
    at[n] = '\0';
    *s = at;
    at += n + 1;
  }
  if (item->error)
    igt__error_keep(event->error, item->error);
  event->item.error = event->error;
  return event;
}

void igt__event_free(struct igt__event *event) {
  igt__free(event->error);
  igt__free(event);
}

struct igt__event *igt__event_of_message(igt_status status, const char *text) {
  size_t n = strlen(text) + 1;
  struct igt__event *event = igt__calloc(1, sizeof *event + n);

  if (!event)
    return NULL;
  event->is_message = true;
  event->status = status;
  memcpy(event->text, text, n);
  return event;
}

void igt__event_deliver(const struct igt__event *event, const igt_transfer_callbacks *callbacks) {
  if (event->is_message && callbacks->on_message)
    callbacks->on_message(callbacks->payload, event->status, event->text);
  else if (!event->is_message && callbacks->on_item)
    callbacks->on_item(callbacks->payload, &event->item);
}

/* ---- of a run ---- */

void igt__failure_keep(igt_error **kept, const igt_error *err) {
  if (!*kept)
    *kept = igt__malloc(sizeof **kept);
  if (*kept)
    igt__error_keep(*kept, err);
}

void igt__failure_get(const igt_error *kept, igt_error *out) {
  if (kept)
    *out = *kept;
  else
    igt__fail_memory(out);
}

static void push_event(igt__run *run, struct igt__event *event) {
  pthread_mutex_lock(&run->lock);
  igt__queue_add(&run->events, event);
  run->event_count++;
  /* The calling thread checks ten times a second anyway; waking it for each file costs more than
   * the file. */
  if (run->event_count == IGT__EVENTS_MAX / 2)
    pthread_cond_broadcast(&run->changed);
  pthread_mutex_unlock(&run->lock);
}

void igt__run_wait_events(igt__run *run) {
  pthread_mutex_lock(&run->lock);
  while (run->event_count >= IGT__EVENTS_MAX && run->fatal == IGT_OK &&
         !igt__cancel_is_set(run->cancel))
    (void)igt__cond_wait_for(&run->changed, &run->lock, 1000);
  pthread_mutex_unlock(&run->lock);
}

void igt__run_message(igt__run *run, igt_status status, const char *fmt, ...) {
  char text[IGT_ERROR_TEXT_MAX];
  struct igt__event *event;
  va_list args;

  va_start(args, fmt);
  (void)vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  igt__log(status == IGT_OK ? IGT_LOG_INFO : IGT_LOG_WARNING, IGT_LOG_TRANSFER, "%s", text);
  if (!run->callbacks->on_message)
    return;
  event = igt__event_of_message(status, text);
  if (event)
    push_event(run, event);
}

static void count_done(igt_transfer_summary *s, const igt_transfer_item *item) {
  s->files_done++;
  s->bytes_done += item->size;
  s->bytes_moved += item->moved;
  s->files_unverified += item->result == IGT_RESULT_DONE && item->verified[0] == '\0';
  s->files_replaced += item->replaces;
}

static void count_skipped_locked(igt__run *run, const igt_transfer_item *item) {
  run->summary.files_skipped++;
  run->summary.bytes_skipped += item->size;
  run->totals.files_skipped++;
}

static void count_file_locked(igt__run *run, const igt_transfer_item *item) {
  igt_transfer_summary *s = &run->summary;

  switch (item->result) {
  case IGT_RESULT_DONE:
  case IGT_RESULT_PLANNED:
    count_done(s, item);
    break;
  case IGT_RESULT_SKIPPED:
    count_skipped_locked(run, item);
    break;
  case IGT_RESULT_FAILED:
    s->files_failed++;
    s->bytes_moved += item->moved;
    run->totals.files_failed++;
    break;
  case IGT_RESULT_IGNORED:
    s->files_ignored++;
    break;
  case IGT_RESULT_SAME:
    s->files_same++;
    s->bytes_same += item->size;
    break;
  case IGT_RESULT_DIFFERENT:
    s->files_different++;
    break;
  case IGT_RESULT_MISSING_HERE:
    s->files_missing_here++;
    break;
  case IGT_RESULT_MISSING_THERE:
    s->files_missing_there++;
    break;
  case IGT_RESULT_UNCHECKED:
    s->files_unchecked++;
    break;
  case IGT_RESULT_DELETED:
  case IGT_RESULT_PLANNED_DELETION:
    s->files_deleted++;
    break;
  }
}

static void count_item_locked(igt__run *run, const igt_transfer_item *item) {
  if (item->kind == IGT_ITEM_STUDY) {
    run->totals.studies_settled++;
    run->summary.studies_failed += item->result == IGT_RESULT_FAILED;
  } else if (item->kind == IGT_ITEM_IMPORT) {
    run->summary.imports_failed += item->result == IGT_RESULT_FAILED;
  } else {
    count_file_locked(run, item);
  }
}

/* A report that leaves out one of its files must not be that of a success. */
static void fail_unreported(igt__run *run) {
  igt_error err = IGT_ERROR_INIT;

  (void)igt__fail_memory(&err);
  igt__run_fatal(run, &err);
}

void igt__run_folder(igt__run *run, const igt_transfer_item *item) {
  igt_transfer_item filled = *item;
  struct igt__event *event;

  if (!run->callbacks->on_item)
    return;
  fill_strings(&filled);
  if ((event = igt__event_of_item(&filled)) != NULL)
    push_event(run, event);
  else
    fail_unreported(run);
}

void igt__run_item(igt__run *run, const igt_transfer_item *item) {
  igt_transfer_item filled = *item;

  fill_strings(&filled);
  pthread_mutex_lock(&run->lock);
  count_item_locked(run, &filled);
  pthread_mutex_unlock(&run->lock);
  if (filled.result == IGT_RESULT_FAILED && filled.error)
    igt__log(IGT_LOG_ERROR, IGT_LOG_TRANSFER, "%s %s: %s", filled.study, filled.path,
             filled.error->text);
  igt__run_folder(run, &filled);
}

/* All events so far; *last: behind the last one. */
static struct igt__event *take_all(igt__run *run, struct igt__event ***last, size_t *count) {
  struct igt__event *list;

  pthread_mutex_lock(&run->lock);
  *last = run->events.last;
  *count = run->event_count;
  list = igt__queue_take_all(&run->events);
  if (run->event_count >= IGT__EVENTS_MAX) /* producers wait */
    pthread_cond_broadcast(&run->changed);
  run->event_count = 0;
  pthread_mutex_unlock(&run->lock);
  return list;
}

void igt__run_deliver(igt__run *run) {
  struct igt__event **last, *list;
  size_t count;

  list = take_all(run, &last, &count);
  if (run->transfer) {
    igt__transfer_push_all(run->transfer, list, last, count);
    return;
  }
  while (list) {
    struct igt__event *event = list;
    list = event->next;
    igt__event_deliver(event, run->callbacks);
    igt__event_free(event);
  }
}

void igt__run_drop_events(igt__run *run) {
  struct igt__event *event;

  while ((event = igt__queue_take(&run->events)) != NULL)
    igt__event_free(event);
}
