/* SPDX-License-Identifier: MIT */
/* The URL and header lines of a request, in two buffers that are reused from request to request.
 * Names and values are checked when they are added (RFC 9110 5.1 and 5.5), so no caller can smuggle
 * a line break into a request. curl reads a list of the lines, which igt__head_link makes for each
 * attempt without copying them. request.c fills it, attempt.c sends it. */
#include "http/head.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define MAX_URL (64u * 1024)
#define MAX_LINES (256u * 1024)

void igt__head_init(igt__head *head) {
  *head = (igt__head){.count = 0};
  igt__buf_init(&head->url, MAX_URL);
  igt__buf_init(&head->lines, MAX_LINES);
}

void igt__head_finish(igt__head *head) {
  igt__buf_finish(&head->url);
  igt__buf_finish(&head->lines);
  igt__free(head->list);
}

void igt__head_wipe(igt__head *head) {
  igt__buf_wipe(&head->url);
  igt__buf_wipe(&head->lines);
  head->count = 0;
}

size_t igt__head_memory(const igt__head *head) {
  return head->url.cap + head->lines.cap;
}

igt_status igt__head_set_url(igt__head *head, const char *url) {
  igt__buf *out = &head->url;

  igt__buf_clear(out);
  if (igt__buf_puts(out, url))
    return IGT_OK;
  return out->too_long ? IGT_E_INVALID : IGT_E_NO_MEMORY;
}

void igt__head_clear_lines(igt__head *head) {
  igt__buf_clear(&head->lines);
  head->count = 0;
}

/* A "token" of RFC 9110 5.6.2. */
static bool is_name(const char *name) {
  static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

  return *name && name[strspn(name, token)] == '\0';
}

static bool is_value(const char *value) {
  for (; *value; value++)
    if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
      return false;
  return true;
}

igt_status igt__head_add(igt__head *head, const char *name, const char *value) {
  igt__buf *lines = &head->lines;

  if (!is_name(name) || !is_value(value))
    return IGT_E_INVALID;
  /* curl sends an empty header for "Name;". */
  igt__buf_puts(lines, name);
  igt__buf_puts(lines, *value ? ": " : ";");
  igt__buf_puts(lines, value);
  if (igt__buf_putc(lines, '\0')) {
    head->count++;
    return IGT_OK;
  }
  return lines->too_long ? IGT_E_INVALID : IGT_E_NO_MEMORY;
}

bool igt__head_has(const igt__head *head, const char *name) {
  const char *line = head->lines.data;
  size_t n = strlen(name);

  for (size_t i = 0; i < head->count; i++, line += strlen(line) + 1)
    if (igt__str_starts_nocase(line, name) && (line[n] == ':' || line[n] == ';'))
      return true;
  return false;
}

bool igt__head_link(igt__head *head) {
  /* By default curl asks for permission to send large bodies, waits a second for a response that
   * some servers never send, and labels whole bodies as forms. "Name:" suppresses the header. */
  static char no_expect[] = "Expect:", no_type[] = "Content-Type:";
  size_t most = head->count + 2, n = 0;
  char *line = head->lines.data;

  if (head->lines.failed)
    return false;
  if (most > head->list_cap) {
    struct curl_slist *list = igt__realloc(head->list, most * 2 * sizeof *list);
    if (!list)
      return false;
    head->list = list;
    head->list_cap = most * 2;
  }
  for (size_t i = 0; i < head->count; i++, line += strlen(line) + 1)
    head->list[n++].data = line;
  head->list[n++].data = no_expect;
  if (!igt__head_has(head, "Content-Type"))
    head->list[n++].data = no_type;
  for (size_t i = 0; i < n; i++)
    head->list[i].next = i + 1 < n ? &head->list[i + 1] : NULL;
  return true;
}
