/* SPDX-License-Identifier: MIT */
/* Output of untrusted text for users and programs. File names may be any bytes, and names from the
 * cloud any characters: nothing in them may move the cursor, change the order in which a terminal
 * shows text, or make a line of JSON unsafe to print. print_safe, print_lines, json_value and
 * print_json are used wherever a command prints such text. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "cli.h"

/* Length of the UTF-8 character at s; 0: invalid (RFC 3629). */
static size_t character(const char *s) {
  const unsigned char *c = (const unsigned char *)s;
  size_t n = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;

  if (c[0] > 0xf4 || (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
      (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
    return 0;
  for (size_t i = 1; i < n; i++)
    if ((c[i] & 0xc0) != 0x80)
      return 0;
  return n;
}

/* The code point of a valid character of n bytes. */
static unsigned code_of(const char *s, size_t n) {
  static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  unsigned code = (unsigned char)s[0] & first[n];

  for (size_t i = 1; i < n; i++)
    code = code << 6 | ((unsigned char)s[i] & 0x3f);
  return code;
}

/* C0, C1 and DEL. */
static bool is_control(unsigned code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* Marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX #9), and the line
 * and paragraph separators. */
static bool is_formatting(unsigned code) {
  return code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

static bool is_on_terminal(void) {
  static int known = -1;

  if (known < 0)
    known = os_is_terminal(STANDARD_OUTPUT);
  return known;
}

/* A pipe receives a name unchanged as long as it is one line of text: scripts use it as a name. */
void print_safe(FILE *out, const char *text) {
  put_safe(out, text, out != stdout || is_on_terminal());
}

char *safe_text(const char *text) {
  char *safe = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&safe, &n);

  if (!out)
    return NULL;
  print_safe(out, text);
  if (fclose(out) == 0)
    return safe;
  free(safe);
  return NULL;
}

void put_safe(FILE *out, const char *text, bool hide) {
  while (*text) {
    size_t n = character(text);
    unsigned code = n ? code_of(text, n) : 0;
    if (n < 2 && is_control(code))
      fprintf(out, "\\x%02x", (unsigned char)*text);
    else if (is_control(code) || (hide && is_formatting(code)))
      fprintf(out, "\\u%04x", code);
    else
      fwrite(text, 1, n, out);
    text += n ? n : 1;
  }
  (void)output_failed();
}

/* Overestimated where terminals disagree: a line that is too short does no harm. */
static unsigned width_of_code(unsigned code) {
  int width = wcwidth((wchar_t)code);

  if (code == 0xfe0f) /* turns the preceding symbol into an emoji, which may be wide */
    return 1;
  if (width < 0 || (code >= 0x1f000 && code < 0x20000))
    return code >= 0x1100 ? 2 : 1;
  return (unsigned)width;
}

size_t next_character(const char *text, unsigned *columns) {
  size_t n = character(text);
  unsigned code = n ? code_of(text, n) : 0;

  *columns = n < 2 && is_control(code)                 ? 4
             : is_control(code) || is_formatting(code) ? 6
                                                       : width_of_code(code);
  return n ? n : 1;
}

bool is_plain(const char *text) {
  size_t n = character(text);
  unsigned code = n ? code_of(text, n) : 0;

  return !is_control(code) && !is_formatting(code);
}

size_t width_of(const char *text) {
  size_t width = 0;
  unsigned columns;

  while (*text) {
    text += next_character(text, &columns);
    width += columns;
  }
  return width;
}

void json_value(FILE *out, const char *value) {
  putc('"', out);
  while (*value) {
    size_t n = character(value);
    unsigned code = n ? code_of(value, n) : 0;
    if (*value == '"' || *value == '\\')
      fprintf(out, "\\%c", *value);
    else if (n == 0)
      fputs("\\ufffd", out); /* JSON cannot contain bytes that are not text */
    else if (is_control(code) || is_formatting(code))
      fprintf(out, "\\u%04x", code);
    else
      fwrite(value, 1, n, out);
    value += n ? n : 1;
  }
  putc('"', out);
}

void json_text(FILE *out, const char *key, const char *value, bool first) {
  fprintf(out, "%s\"%s\":", first ? "" : ",", key);
  json_value(out, value);
  (void)output_failed();
}

void print_json(FILE *out, const char *json) {
  const char *written = json;

  while (*json) {
    size_t n = character(json);
    unsigned code = n ? code_of(json, n) : 0;
    if ((code >= 0x7f && code < 0xa0) || is_formatting(code)) {
      fwrite(written, 1, (size_t)(json - written), out);
      fprintf(out, "\\u%04x", code); /* it can only occur in a string */
      written = json + n;
    }
    json += n ? n : 1;
  }
  fputs(written, out);
}

void print_lines(FILE *out, const char *text, size_t n) {
  for (size_t i = 0; i < n;) {
    char one[5] = "";
    size_t len = character(text + i);
    len = len && len <= n - i ? len : 1;
    memcpy(one, text + i, len);
    if (*one == '\n' || *one == '\t' || (*one == '\r' && i + 1 < n && text[i + 1] == '\n'))
      putc(*one, out);
    else if (*one)
      print_safe(out, one);
    else
      fputs("\\x00", out);
    i += len;
  }
}

bool write_text(const char *text, size_t n) {
  if (!is_on_terminal())
    (void)fwrite(text, 1, n, stdout);
  else
    print_lines(stdout, text, n);
  return !output_failed();
}
