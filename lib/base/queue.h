/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_QUEUE_H
#define IGT_BASE_QUEUE_H

/* Singly linked first-in-first-out queues of structs that contain their own link, a member `next`:
 * adding and taking never allocate, and each struct is in at most one queue at a time. Macros, so
 * that the items keep their type; an argument may be evaluated twice. Locking is the owner's. */

#include <stdbool.h>
#include <stddef.h>

/* Must be initialised: an empty queue's `last` points to its `first`. To walk a queue, start at
 * `first` and follow `next`. */
#define IGT__QUEUE(type)                                                                           \
  struct {                                                                                         \
    type *first, **last;                                                                           \
  }

#define igt__queue_init(queue) ((void)((queue)->first = NULL, (queue)->last = &(queue)->first))

#define igt__queue_add(queue, item)                                                                \
  ((void)((item)->next = NULL, *(queue)->last = (item), (queue)->last = &(item)->next))

/* Removes the first item and returns it; NULL: the queue is empty. */
#define igt__queue_take(queue)                                                                     \
  ({                                                                                               \
    __typeof__((queue)->first) taken_ = (queue)->first;                                            \
    if (taken_ && !((queue)->first = taken_->next))                                                \
      (queue)->last = &(queue)->first;                                                             \
    taken_;                                                                                        \
  })

/* Empties the queue; returns its items, linked by `next`. */
#define igt__queue_take_all(queue)                                                                 \
  ({                                                                                               \
    __typeof__((queue)->first) taken_ = (queue)->first;                                            \
    igt__queue_init(queue);                                                                        \
    taken_;                                                                                        \
  })

/* Removes an item from the middle; false: it was not in the queue. Takes time with its position. */
#define igt__queue_remove(queue, item)                                                             \
  ({                                                                                               \
    __typeof__((queue)->last) at_ = &(queue)->first;                                               \
    bool found_;                                                                                   \
    while (*at_ && *at_ != (item))                                                                 \
      at_ = &(*at_)->next;                                                                         \
    found_ = *at_ != NULL;                                                                         \
    if (found_ && !(*at_ = (item)->next))                                                          \
      (queue)->last = at_;                                                                         \
    found_;                                                                                        \
  })

#endif
