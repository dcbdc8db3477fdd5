/* SPDX-License-Identifier: MIT */
/* Delivers a run's items and messages from any thread to the calling one. An event is a copy
 * followed by its strings, in one allocation; events are queued under run->lock, and
 * igt__run_deliver passes them to the callbacks. Producers pause when the calling thread falls
 * behind. Called by everything that reports. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "transfer/engine/run.h"

/* Undelivered events at which producers pause. */
#define EVENTS_MAX 512

struct igt__event {
  struct igt__event *next;
  bool is_message;
  igt_status status;
  igt_transfer_item item;
  igt_error *error; /* the item's; NULL: none, as for most items, which are a fifth as large then */
  char text[];      /* of the item, or the message */
};

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
  if (run->event_count == EVENTS_MAX / 2)
    pthread_cond_broadcast(&run->changed);
  pthread_mutex_unlock(&run->lock);
}

void igt__run_wait_events(igt__run *run) {
  pthread_mutex_lock(&run->lock);
  while (run->event_count >= EVENTS_MAX && run->fatal == IGT_OK && !igt__cancel_is_set(run->cancel))
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
  event = igt__calloc(1, sizeof *event + strlen(text) + 1);
  if (!event)
    return;
  event->is_message = true;
  event->status = status;
  memcpy(event->text, text, strlen(text) + 1);
  push_event(run, event);
}

static void count_item_locked(igt__run *run, const igt_transfer_item *item) {
  igt_transfer_summary *s = &run->summary;

  if (item->kind == IGT_ITEM_STUDY) {
    run->totals.studies_settled++;
    s->studies_failed += item->result == IGT_RESULT_FAILED;
    return;
  }
  if (item->kind == IGT_ITEM_IMPORT) {
    s->imports_failed += item->result == IGT_RESULT_FAILED;
    return;
  }
  switch (item->result) {
  case IGT_RESULT_DONE:
  case IGT_RESULT_PLANNED:
    s->files_done++;
    s->bytes_done += item->size;
    s->bytes_moved += item->moved;
    s->files_unverified += item->result == IGT_RESULT_DONE && item->verified[0] == '\0';
    break;
  case IGT_RESULT_SKIPPED:
    s->files_skipped++;
    s->bytes_skipped += item->size;
    run->totals.files_skipped++;
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
  }
}

/* The strings of an item, in the order in which they are stored after its event. */
static const char **item_string(igt_transfer_item *item, unsigned i) {
  const char **const strings[] = {&item->institute, &item->study,      &item->study_id,
                                  &item->path,      &item->local_path, &item->key,
                                  &item->digest,    &item->verified,   &item->text};
  return i < sizeof strings / sizeof *strings ? strings[i] : NULL;
}

/* Names from a server may have megabytes; such names are useless. */
static size_t shown_length(const char *text) {
  size_t n = strnlen(text, IGT__MAX_SHOWN);

  if (n == IGT__MAX_SHOWN)
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
      n--;
  return n;
}

static struct igt__event *copy_item(const igt_transfer_item *item) {
  igt_transfer_item copy = *item;
  size_t need = 0;
  struct igt__event *event;

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

static void event_free(struct igt__event *event) {
  igt__free(event->error);
  igt__free(event);
}

/* A report that leaves out one of its files must not be that of a success. */
static void fail_unreported(igt__run *run) {
  igt_error err = IGT_ERROR_INIT;

  (void)igt__fail_memory(&err);
  igt__run_fatal(run, &err);
}

void igt__run_item(igt__run *run, const igt_transfer_item *item) {
  igt_transfer_item filled = *item;
  struct igt__event *event;

  for (unsigned i = 0; item_string(&filled, i); i++)
    if (!*item_string(&filled, i))
      *item_string(&filled, i) = "";
  pthread_mutex_lock(&run->lock);
  count_item_locked(run, &filled);
  pthread_mutex_unlock(&run->lock);
  if (filled.result == IGT_RESULT_FAILED && filled.error)
    igt__log(IGT_LOG_ERROR, IGT_LOG_TRANSFER, "%s %s: %s", filled.study, filled.path,
             filled.error->text);
  if (!run->callbacks->on_item)
    return;
  if ((event = copy_item(&filled)) != NULL)
    push_event(run, event);
  else
    fail_unreported(run);
}

static void deliver(igt__run *run, struct igt__event *event) {
  const igt_transfer_callbacks *cb = run->callbacks;

  if (event->is_message)
    cb->on_message(cb->payload, event->status, event->text);
  else
    cb->on_item(cb->payload, &event->item);
  event_free(event);
}

void igt__run_deliver(igt__run *run) {
  struct igt__event *list;

  pthread_mutex_lock(&run->lock);
  list = igt__queue_take_all(&run->events);
  if (run->event_count >= EVENTS_MAX) /* producers wait */
    pthread_cond_broadcast(&run->changed);
  run->event_count = 0;
  pthread_mutex_unlock(&run->lock);
  while (list) {
    struct igt__event *event = list;
    list = event->next;
    deliver(run, event);
  }
}

void igt__run_drop_events(igt__run *run) {
  struct igt__event *event;

  while ((event = igt__queue_take(&run->events)) != NULL)
    event_free(event);
}
