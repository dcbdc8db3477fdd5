/* SPDX-License-Identifier: MIT */
#include "http/timer.h"

#include <stddef.h>

/* Few timers are set at a time (requests that back off), and most of them expire last. */
void igt__timer_set(igt__timers *timers, igt__timer *timer, int64_t due) {
  igt__timer **at = &timers->first;

  igt__timer_clear(timer);
  while (*at && (*at)->due <= due)
    at = &(*at)->next;
  timer->due = due;
  timer->next = *at;
  timer->prev = at;
  if (*at)
    (*at)->prev = &timer->next;
  *at = timer;
}

void igt__timer_clear(igt__timer *timer) {
  if (!timer->prev)
    return;
  *timer->prev = timer->next;
  if (timer->next)
    timer->next->prev = timer->prev;
  timer->prev = NULL;
}
