/* SPDX-License-Identifier: MIT */
/* systemd starts a station like any program: packaging/systemd. */
#include "os/os.h"

int os_run(int argc, char **argv, int (*run)(int argc, char **argv)) {
  return run(argc, argv);
}
