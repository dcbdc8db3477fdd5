/* SPDX-License-Identifier: MIT */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

/* Shared by options.c, which reads the command line, and settings_sources.c, which reads the
 * environment and the profile. */

#include "cli.h"

/* 1 or 0 as the word says, -1 if it says neither. */
int truth_of(const char *value);
/* Sets the option's field. NULL, or a description of the problem. */
const char *set_value(const option *o, settings *s, const char *value);

/* Checks the value, and uses it unless another source, which comes first, has set the option. NULL,
 * or a description of the problem. */
const char *offer_value(const option *o, settings *s, const char *value, const char *source);
/* Takes what the environment and the profile offer. False: a usage error was printed. */
bool take_surroundings(const command *cmd, settings *s);
/* Logs where each value of the command comes from. */
void log_given(const command *cmd);
/* Before the settings are read again. */
void forget_origins(void);

#endif
