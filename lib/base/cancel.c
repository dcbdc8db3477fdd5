/* SPDX-License-Identifier: MIT */
#include "cancel.h"

#include <stdatomic.h>

#include "igtcloud/client.h"
#include "mem.h"

struct igt_cancel {
  atomic_int references;
  atomic_bool set; /* lock-free, so that signal handlers may store to it */
  igt__cancel *parents[2];
};

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "igt_cancel_set must be async-signal-safe");

igt__cancel *igt__cancel_new(void) {
  igt__cancel *cancel = igt__calloc(1, sizeof *cancel);

  if (cancel)
    atomic_init(&cancel->references, 1);
  return cancel;
}

igt__cancel *igt__cancel_ref(igt__cancel *cancel) {
  if (cancel)
    atomic_fetch_add(&cancel->references, 1);
  return cancel;
}

void igt__cancel_unref(igt__cancel *cancel) {
  if (!cancel || atomic_fetch_sub(&cancel->references, 1) != 1)
    return;
  igt__cancel_unref(cancel->parents[0]);
  igt__cancel_unref(cancel->parents[1]);
  igt__free(cancel);
}

igt__cancel *igt__cancel_below(igt__cancel *a, igt__cancel *b) {
  igt__cancel *cancel = igt__cancel_new();

  if (cancel) {
    cancel->parents[0] = igt__cancel_ref(a);
    cancel->parents[1] = igt__cancel_ref(b);
  }
  return cancel;
}

void igt__cancel_set(igt__cancel *cancel) {
  if (cancel)
    atomic_store(&cancel->set, true);
}

bool igt__cancel_is_set(const igt__cancel *cancel) {
  return cancel && (atomic_load(&cancel->set) || igt__cancel_is_set(cancel->parents[0]) ||
                    igt__cancel_is_set(cancel->parents[1]));
}

igt_cancel *igt_cancel_new(void) {
  return igt__cancel_new();
}

void igt_cancel_free(igt_cancel *cancel) {
  igt__cancel_unref(cancel);
}

void igt_cancel_set(igt_cancel *cancel) {
  igt__cancel_set(cancel);
}
