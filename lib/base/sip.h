/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_SIP_H
#define IGT_BASE_SIP_H

/* SipHash (Aumasson, Bernstein: "SipHash: a fast short-input PRF") with a key of this process:
 * names come from a server, and with a hash that it can foresee it makes all of them meet in one
 * slot of a table. 131,072 such names took 19 s with FNV-1a. */

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3: for a place in a table whose entries are compared. */
uint64_t igt__sip_place(const char *text);
/* SipHash-2-4 of 128 bits: stands for the text. Of ten million texts, two have the same one with a
 * probability of 10^-25. */
void igt__sip_print(const char *text, uint64_t print[2]);
/* The same with a key that is known, for its test. */
void igt__sip_print_keyed(const uint64_t key[2], const char *text, size_t n, uint64_t print[2]);

#endif
