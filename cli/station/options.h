/* SPDX-License-Identifier: MIT */
#ifndef STATION_OPTIONS_H
#define STATION_OPTIONS_H

/* Of `igtcloud station`, and of the command that installs it as a service of Windows. */
#include "transfer_options.h"

#define STATION_OPTIONS                                                                            \
  {"folder",                                                                                       \
   0,                                                                                              \
   OPTION_LIST,                                                                                    \
   AT(folder),                                                                                     \
   "FOLDER",                                                                                       \
   NULL,                                                                                           \
   "watch this folder as well; repeatable, up to 15"},                                             \
      {"settle",                                                                                   \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(settle),                                                                                 \
       "DURATION",                                                                                 \
       NULL,                                                                                       \
       "a study is complete when nothing changed for this long (default 60s)"},                    \
      {"rescan",                                                                                   \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(rescan),                                                                                 \
       "DURATION",                                                                                 \
       NULL,                                                                                       \
       "rescan the folders this often, for file servers (default 10m)"},                           \
      {"when-done",                                                                                \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(when_done),                                                                              \
       "ACTION",                                                                                   \
       "move|delete",                                                                              \
       "what to do with a study that was uploaded and verified (default move)"},                   \
      {"done-folder",                                                                              \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(done_folder),                                                                            \
       "FOLDER",                                                                                   \
       NULL,                                                                                       \
       "where to move them (default: done, in the watched folder)"},                               \
      {"failed-folder",                                                                            \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(failed_folder),                                                                          \
       "FOLDER",                                                                                   \
       NULL,                                                                                       \
       "where to move those that failed (default: failed, in the watched folder)"},                \
      {"attempts",                                                                                 \
       0,                                                                                          \
       OPTION_NUMBER,                                                                              \
       AT(attempts),                                                                               \
       "N",                                                                                        \
       NULL,                                                                                       \
       "give up on a study after N failed attempts (default 3)"},                                  \
      {"order",                                                                                    \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(order),                                                                                  \
       "WHICH",                                                                                    \
       "newest|oldest",                                                                            \
       "which studies come first (default newest)"},                                               \
      {"quota",                                                                                    \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(quota),                                                                                  \
       "SIZE",                                                                                     \
       NULL,                                                                                       \
       "delete the oldest uploaded studies while done is larger than SIZE"},                       \
      {"keep",                                                                                     \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(keep),                                                                                   \
       "DURATION",                                                                                 \
       NULL,                                                                                       \
       "delete uploaded studies from done after this time"},                                       \
      {"min-free",                                                                                 \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(min_free),                                                                               \
       "SIZE",                                                                                     \
       NULL,                                                                                       \
       "delete the oldest uploaded studies while the disk has less free space"},                   \
      {"status-file",                                                                              \
       0,                                                                                          \
       OPTION_FILE,                                                                                \
       AT(status_file),                                                                            \
       "FILE",                                                                                     \
       NULL,                                                                                       \
       "write the state of the station as JSON, atomically"},                                      \
      {"metrics",                                                                                  \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(metrics),                                                                                \
       "ADDRESS:PORT",                                                                             \
       NULL,                                                                                       \
       "serve OpenMetrics for Prometheus, such as at 127.0.0.1:9187"},                             \
      {"metrics-anywhere",                                                                         \
       0,                                                                                          \
       OPTION_FLAG,                                                                                \
       AT(metrics_anywhere),                                                                       \
       NULL,                                                                                       \
       NULL,                                                                                       \
       "let --metrics use an address that other machines can reach"},                              \
      {"on-event",                                                                                 \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(on_event),                                                                               \
       "PROGRAM",                                                                                  \
       NULL,                                                                                       \
       "run PROGRAM for each event, with JSON on its standard input"},                             \
      {"event-names",                                                                              \
       0,                                                                                          \
       OPTION_FLAG,                                                                                \
       AT(event_names),                                                                            \
       NULL,                                                                                       \
       NULL,                                                                                       \
       "include names of studies and reasons in events"},                                          \
      {"event-timeout",                                                                            \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(event_timeout),                                                                          \
       "DURATION",                                                                                 \
       NULL,                                                                                       \
       "end PROGRAM after this time (default 60s)"},                                               \
      {"once", 0, OPTION_FLAG, AT(once), NULL, NULL, "exit when no study is left to wait for"},    \
      CLUTTER_OPTION, TRUST_STUDY_JSON_OPTION, FLAT_NAMES_OPTION, FOLDER_STRUCTURE_OPTION,         \
      INCLUDE_OPTION, EXCLUDE_OPTION, CONCURRENT_FILES_OPTION, CONNECTIONS_OPTION, BWLIMIT_OPTION, \
      {"report",                                                                                   \
       0,                                                                                          \
       OPTION_TEXT,                                                                                \
       AT(report),                                                                                 \
       "FILE",                                                                                     \
       NULL,                                                                                       \
       "append a JSON line for each file and study; SIGHUP reopens it"},                           \
  {                                                                                                \
    "journal", 0, OPTION_FILE, AT(journal), "FILE", NULL,                                          \
        "the file that records transfers and digests"                                              \
  }

#endif
