/* SPDX-License-Identifier: MIT */
#include "spares.h"

#include <string.h>

void *igt__spares_take(igt__spares *spares) {
  void *p;

  pthread_mutex_lock(&spares->lock);
  p = spares->first;
  if (p) {
    memcpy(&spares->first, p, sizeof spares->first);
    spares->count--;
  }
  pthread_mutex_unlock(&spares->lock);
  return p;
}

bool igt__spares_give(igt__spares *spares, void *p) {
  bool kept;

  pthread_mutex_lock(&spares->lock);
  kept = IGT__SPARES_KEPT && spares->count < spares->most;
  if (kept) {
    memcpy(p, &spares->first, sizeof spares->first);
    spares->first = p;
    spares->count++;
  }
  pthread_mutex_unlock(&spares->lock);
  return kept;
}
