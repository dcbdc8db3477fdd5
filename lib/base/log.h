/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_LOG_H
#define IGT_BASE_LOG_H

#include "igtcloud/log.h"

bool igt__log_wanted(igt_log_level level, igt_log_subject subject);
void igt__log(igt_log_level level, igt_log_subject subject, const char *fmt, ...) IGT_PRINTF(3, 4);

#define IGT__DEBUG(subject, ...)                                                                   \
  do {                                                                                             \
    if (igt__log_wanted(IGT_LOG_DEBUG, subject))                                                   \
      igt__log(IGT_LOG_DEBUG, subject, __VA_ARGS__);                                               \
  } while (0)
#define IGT__INFO(subject, ...) igt__log(IGT_LOG_INFO, subject, __VA_ARGS__)
#define IGT__WARN(subject, ...) igt__log(IGT_LOG_WARNING, subject, __VA_ARGS__)

#endif
