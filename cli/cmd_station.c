/* SPDX-License-Identifier: MIT */
#include "station/options.h"
#include "station/station.h"

static const option station_options[] = {STATION_OPTIONS, END_OF_OPTIONS};

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
    "SIGHUP reloads the configuration.",
    station_options,
    true,
    station_main};
