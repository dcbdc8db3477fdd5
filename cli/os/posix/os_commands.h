/* SPDX-License-Identifier: MIT */
#ifndef CLI_OS_COMMANDS_H
#define CLI_OS_COMMANDS_H

/* Commands that only this system has, in the list of commands.c: none. */
#define OS_COMMANDS

#endif
