/* SPDX-License-Identifier: MIT */
#include "station/station.h"
#include "transfer_options.h"

static const option station_options[] = {
    {"folder", 0, OPTION_LIST, AT(folder), "FOLDER", NULL,
     "watch this folder as well; repeatable, up to 15"},
    {"settle", 0, OPTION_TEXT, AT(settle), "DURATION", NULL,
     "a study is complete when nothing changed for this long (default 60s)"},
    {"rescan", 0, OPTION_TEXT, AT(rescan), "DURATION", NULL,
     "look at the folders again, for file servers (default 10m)"},
    {"when-done", 0, OPTION_TEXT, AT(when_done), "ACTION", "move|delete",
     "what to do with a study that was uploaded and verified (default move)"},
    {"done-folder", 0, OPTION_TEXT, AT(done_folder), "FOLDER", NULL,
     "where to move them (default: done, in the watched folder)"},
    {"failed-folder", 0, OPTION_TEXT, AT(failed_folder), "FOLDER", NULL,
     "where to move those that failed (default: failed, in the watched folder)"},
    {"attempts", 0, OPTION_NUMBER, AT(attempts), "N", NULL,
     "give up on a study after N failed attempts (default 3)"},
    {"order", 0, OPTION_TEXT, AT(order), "WHICH", "newest|oldest",
     "which studies come first (default newest)"},
    {"quota", 0, OPTION_TEXT, AT(quota), "SIZE", NULL,
     "delete the oldest uploaded studies while done is larger than SIZE"},
    {"keep", 0, OPTION_TEXT, AT(keep), "DURATION", NULL,
     "delete uploaded studies from done after this time"},
    {"min-free", 0, OPTION_TEXT, AT(min_free), "SIZE", NULL,
     "delete the oldest uploaded studies while the disk has less free space"},
    {"status-file", 0, OPTION_TEXT, AT(status_file), "FILE", NULL,
     "write the state of the station as JSON, atomically"},
    {"metrics", 0, OPTION_TEXT, AT(metrics), "ADDRESS:PORT", NULL,
     "serve OpenMetrics for Prometheus, such as at 127.0.0.1:9187"},
    {"metrics-anywhere", 0, OPTION_FLAG, AT(metrics_anywhere), NULL, NULL,
     "allow --metrics an address that other machines can reach"},
    {"on-event", 0, OPTION_TEXT, AT(on_event), "PROGRAM", NULL,
     "run PROGRAM for each event, with JSON on its standard input"},
    {"event-names", 0, OPTION_FLAG, AT(event_names), NULL, NULL,
     "include names of studies and reasons in events"},
    {"event-timeout", 0, OPTION_TEXT, AT(event_timeout), "DURATION", NULL,
     "end PROGRAM after this time (default 60s)"},
    {"once", 0, OPTION_FLAG, AT(once), NULL, NULL, "exit when no study is left to wait for"},
    CLUTTER_OPTION,
    TRUST_STUDY_JSON_OPTION,
    FLAT_NAMES_OPTION,
    FOLDER_STRUCTURE_OPTION,
    INCLUDE_OPTION,
    EXCLUDE_OPTION,
    CONCURRENT_FILES_OPTION,
    CONNECTIONS_OPTION,
    BWLIMIT_OPTION,
    {"report", 0, OPTION_TEXT, AT(report), "FILE", NULL,
     "append a JSON line for each file and study; SIGHUP opens it anew"},
    {"journal", 0, OPTION_TEXT, AT(journal), "FILE", NULL,
     "the file that records transfers and digests"},
    END_OF_OPTIONS};

const command station_command = {
    "station",
    "FOLDER " PLACE,
    2,
    4,
    "watch a folder and upload each study once it is complete",
    "Runs until it is stopped. Watches FOLDER/INSTITUTE/<patient---study>, waits until a study is\n"
    "quiet, uploads it, verifies each file in the cloud, and moves it to FOLDER/done, or after\n"
    "failures to FOLDER/failed with a .reason file that says why. Nothing is moved or deleted\n"
    "before it is verified. A station that was stopped, by whatever means, continues where it "
    "was.\n"
    "SIGHUP reads the configuration again.",
    station_options,
    true,
    station_main};
