/* SPDX-License-Identifier: MIT */
#ifndef CLI_OS_COMMANDS_H
#define CLI_OS_COMMANDS_H

/* Commands that only this system has, in the list of commands.c: cmd_station_service.c. Before
 * `station`, which takes everything that is none of them as a folder. */
extern const struct command station_install_command, station_remove_command;

#define OS_COMMANDS &station_install_command, &station_remove_command,

#endif
