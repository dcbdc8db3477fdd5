/* SPDX-License-Identifier: MIT */
/* systemd starts services here, by units. */
#include "cli.h"

int os_run(int argc, char **argv, int (*run)(int argc, char **argv)) {
  return run(argc, argv);
}

static int refuse(void) {
  complain(IGT_E_UNSUPPORTED, "systemd starts stations here, by the unit "
                              "igtcloud-station@.service; see igtcloud-station(1)");
  return EXIT_FAILED;
}

int os_service_install(const os_service *service) {
  (void)service;
  return refuse();
}

int os_service_remove(const char *name) {
  (void)name;
  return refuse();
}
