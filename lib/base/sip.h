/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_SIP_H
#define IGT_BASE_SIP_H

/* SipHash (Aumasson, Bernstein: "SipHash: a fast short-input PRF") with a key per process: names
 * come from a server, which could choose them to collide in one slot if it could predict the hash.
 * 131,072 such names took 19 s with FNV-1a. */

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3: the position in a hash table whose entries are then compared. */
uint64_t igt__sip_place(const char *text);
/* SipHash-2-4 with 128 bits: identifies the string. Among ten million strings, two share it with a
 * probability of 10^-25. */
void igt__sip_print(const char *text, uint64_t print[2]);
/* Same, with a given key, for its test. */
void igt__sip_print_keyed(const uint64_t key[2], const char *text, size_t n, uint64_t print[2]);

#endif
