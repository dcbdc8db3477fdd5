/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_AUDIENCE_H
#define IGT_AUTH_AUDIENCE_H

#include "base/error.h"

/* Whether a service's key may sign an assertion for the audience that the cloud at origin names. A
 * signed assertion is good wherever its audience is, so a wrong host must not choose it: its host
 * is the cloud's or below it, is one of the identity service that the cloud's operator runs, or the
 * audience is the configured one (NULL or "": none). IGT_E_KEY with a sentence. */
igt_status igt__audience_check(const char *audience, const char *origin, const char *configured,
                               igt_error *err);

#endif
