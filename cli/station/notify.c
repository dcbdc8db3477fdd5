/* SPDX-License-Identifier: MIT */
/* What the station says to whoever manages it (systemd, or Windows' service manager), and its log:
 * the system's where it takes fields, otherwise where the lines of other commands go. */
#include <stdarg.h>

#include "igtcloud/version.h"
#include "station/station.h"

static const settings *current;

void notify_settings(const settings *s) {
  current = s;
}

void notify_running(const char *fmt, ...) {
  char text[1024];
  va_list args;

  va_start(args, fmt);
  (void)vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  os_manager_notify(OS_RUNNING, text);
}

static bool to_system(int priority, const char *event, const study *s, const char *text) {
  const bool failed = s && s->status != IGT_OK;
  const os_field fields[] = {{"IGTCLOUD_EVENT", event},
                             {"IGTCLOUD_RUN", run_id()},
                             {"IGTCLOUD_VERSION", igt_version()},
                             {"IGTCLOUD_FOLDER", s ? s->in->path : ""},
                             {"IGTCLOUD_STUDY", s ? s->path : ""},
                             {"IGTCLOUD_STUDY_ID", s ? s->study_id : ""},
                             {"IGTCLOUD_STATUS", failed ? igt_status_name(s->status) : ""},
                             {NULL, NULL}};

  return os_manager_log(priority, text, fields);
}

void station_log(int priority, const char *event, const study *s, const char *fmt, ...) {
  char text[4096];
  va_list args;

  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (to_system(priority, event, s, text))
    return;
  if (priority <= PRIORITY_WARNING)
    complain_at(priority, s ? s->status : IGT_OK, "%s", text);
  else
    message(current, "%s", text);
}
