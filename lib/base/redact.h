/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_REDACT_H
#define IGT_BASE_REDACT_H

/* Secrets never leave by a sentence: servers repeat what they were sent, in part and in other
 * encodings. What is registered here is taken out of every error text and log line. */

#include <stddef.h>

/* A shorter part of a secret may be shown: many words share those. */
#define IGT__REDACT_RUN 16

typedef struct igt__redacted {
  struct igt__redacted *next, **prev;
  const char *text; /* borrowed */
  size_t len;
} igt__redacted;

/* Until _forget, text stays where and as it is. Shorter ones than IGT__REDACT_RUN are not kept. Any
 * thread. */
void igt__redact_remember(igt__redacted *entry, const char *text, size_t len);
void igt__redact_forget(igt__redacted *entry); /* also of one that was not kept, or is zeroed */

/* Replaces each run of IGT__REDACT_RUN or more characters of a secret by "(hidden)", also where it
 * is percent-encoded, or in base64 at whatever offset. Never makes the text longer. Any thread. */
void igt__redact(char *text);

#endif
