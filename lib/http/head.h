/* SPDX-License-Identifier: MIT */
#ifndef IGT_HTTP_HEAD_H
#define IGT_HTTP_HEAD_H

/* A request as it is sent: its URL and header lines. */

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

typedef struct igt__head {
  igt__buf url;
  igt__buf lines; /* "Name: value", each NUL-terminated */
  size_t count;
  struct curl_slist *list; /* list_cap nodes pointing into lines */
  size_t list_cap;
} igt__head;

void igt__head_init(igt__head *head);
void igt__head_finish(igt__head *head);
/* Clears it and wipes what was in it, such as a signed URL; keeps the memory. */
void igt__head_wipe(igt__head *head);
size_t igt__head_memory(const igt__head *head);

igt_status igt__head_set_url(igt__head *head, const char *url);
void igt__head_clear_lines(igt__head *head);
/* IGT_E_INVALID for a name or value that HTTP does not allow, or when the lines become too long. */
igt_status igt__head_add(igt__head *head, const char *name, const char *value);
bool igt__head_has(const igt__head *head, const char *name);
/* Links the list that curl reads; head must not change while it does. False: no memory. */
bool igt__head_link(igt__head *head);

#endif
