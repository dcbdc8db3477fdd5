/* SPDX-License-Identifier: MIT */
#include "free_list.h"

#include <string.h>

void *igt__free_list_take(igt__free_list *free_list) {
  void *p;

  pthread_mutex_lock(&free_list->lock);
  p = free_list->first;
  if (p) {
    memcpy(&free_list->first, p, sizeof free_list->first);
    free_list->count--;
  }
  pthread_mutex_unlock(&free_list->lock);
  return p;
}

bool igt__free_list_give(igt__free_list *free_list, void *p) {
  bool kept;

  pthread_mutex_lock(&free_list->lock);
  kept = IGT__FREE_LIST_KEPT && free_list->count < free_list->most;
  if (kept) {
    memcpy(p, &free_list->first, sizeof free_list->first);
    free_list->first = p;
    free_list->count++;
  }
  pthread_mutex_unlock(&free_list->lock);
  return kept;
}
