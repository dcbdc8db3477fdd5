/* SPDX-License-Identifier: MIT */
#ifndef IGT_TRANSFER_EVENTS_H
#define IGT_TRANSFER_EVENTS_H

/* What a run or a list reports: an item or a message, copied with its strings into one
 * allocation. */

#include "igtcloud/transfer.h"

/* Undelivered events at which whoever makes them waits. */
#define IGT__EVENTS_MAX 512

struct igt__event {
  struct igt__event *next;
  bool is_message;
  igt_status status;
  igt_transfer_item item;
  igt_error *error; /* the item's; NULL: none, as for most items, which are a fifth as large then */
  char text[];      /* of the item, or the message */
};

/* Copies; NULL strings of the item become "". NULL: no memory. */
struct igt__event *igt__event_of_item(const igt_transfer_item *item);
struct igt__event *igt__event_of_message(igt_status status, const char *text);
/* Calls on_item or on_message, whichever it is for, if that is set. */
void igt__event_deliver(const struct igt__event *event, const igt_transfer_callbacks *callbacks);
void igt__event_free(struct igt__event *event);

#endif
