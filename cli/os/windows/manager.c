/* SPDX-License-Identifier: MIT */
/* Windows' service manager, if it has started this process (service.c), and its event log. */
#include "cli.h"

#include "os/windows/system.h"

#define AGAIN_MS 1000

static bool changes; /* between two states, of which the manager wants to see progress */

void os_manager_open(void) {
  changes = is_service();
}

void os_manager_notify(os_state state, const char *text) {
  (void)text;
  if (!is_service() || state == OS_RUNNING || state == OS_RELOADING)
    return;
  changes = state == OS_STOPPING;
  service_report(changes ? SERVICE_STOP_PENDING : SERVICE_RUNNING);
}

int64_t os_manager_patience_ms(void) {
  return 0;
}

void os_manager_alive(void) {
  static int64_t last;
  int64_t now;

  if (!changes || (now = os_boot_ms()) - last < AGAIN_MS)
    return;
  last = now;
  service_report(0);
}

/* Without the fields, which an event has none of. */
bool os_manager_log(int priority, const char *text, const os_field *fields) {
  (void)fields;
  if (!is_service())
    return false;
  if (priority <= PRIORITY_NOTICE)
    os_log(priority, text);
  return log_descriptor() < 0; /* the log file has it as well */
}
