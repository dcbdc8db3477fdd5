/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_SEED_DEMO_H
#define SANDBOX_REST_SEED_DEMO_H

/* The seed "demo", in the form that docs/sandbox.md describes. */
extern const char rest_seed_demo[];

#endif
