/* SPDX-License-Identifier: MIT */
#include "station/station.h"

int station_main(settings *s) {
  (void)s;
  complain(IGT_E_UNSUPPORTED,
           "a station does not run on Windows yet: use `igtcloud upload` from the task scheduler");
  return EXIT_FAILED;
}
