/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_AUDIENCE_H
#define IGT_AUTH_AUDIENCE_H

#include "base/error.h"

/* Whether a service's key may sign an assertion for the audience that the cloud at origin names. A
 * signed assertion is valid wherever its audience is, so a wrong host must not be able to choose
 * it: the audience's host is the cloud's or a subdomain of it, or belongs to the identity service
 * that the cloud's operator runs, or the audience is the configured one (NULL or "": none). Fails
 * with IGT_E_KEY and a message. */
igt_status igt__audience_check(const char *audience, const char *origin, const char *configured,
                               igt_error *err);

#endif
