/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_REDACT_H
#define IGT_BASE_REDACT_H

/* Keeps secrets out of messages: servers echo what was sent to them, in part and in other
 * encodings. Secrets that are registered here are hidden in every error text and log line. */

#include <stddef.h>

/* Shorter parts of a secret may be shown: many words share those. */
#define IGT__REDACT_RUN 16

typedef struct igt__redacted {
  const char *text; /* borrowed */
  size_t len;
  struct igt__redacted_gram *grams; /* its entries in the index */
  struct igt__redacted *next;       /* if there was no memory for them */
} igt__redacted;

/* text must stay valid and unchanged until _forget. Secrets shorter than IGT__REDACT_RUN are not
 * registered. Any thread. */
void igt__redact_remember(igt__redacted *entry, const char *text, size_t len);
void igt__redact_forget(igt__redacted *entry); /* no effect if not registered, or zeroed */

/* Replaces each run of IGT__REDACT_RUN or more characters of a secret by "(hidden)", also if it is
 * percent-encoded, or base64-encoded at any offset. Never lengthens the text. Any thread. */
void igt__redact(char *text);

#endif
