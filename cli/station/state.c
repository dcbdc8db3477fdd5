/* SPDX-License-Identifier: MIT */
/* What the lines of a station's state file consist of: numbers, each followed by a space, and at
 * the end a path, which may contain line ends. A line may be damaged: nothing is read past its end,
 * and no number is taken that the station would not have written. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "station/station.h"

bool state_number(char **text, int base, uint64_t most, uint64_t *out) {
  unsigned long long n;
  char *end;

  if (!isxdigit((unsigned char)**text)) /* strtoull would take spaces and a sign */
    return false;
  errno = 0;
  n = strtoull(*text, &end, base);
  if (errno || end == *text || *end != ' ' || n > most)
    return false;
  *text = end + 1;
  *out = n;
  return true;
}

static int digit_of(char c) {
  const char *digits = "0123456789abcdef";
  const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

  return at ? (int)(at - digits) : -1;
}

bool state_path(char *text) {
  char *to = text;

  for (const char *from = text; *from; from++, to++) {
    *to = *from;
    if (*from != '%')
      continue;
    int high = digit_of(from[1]), low = high < 0 ? -1 : digit_of(from[2]);
    if (low < 0 || high + low == 0)
      return false;
    *to = (char)(16 * high + low);
    from += 2;
  }
  *to = '\0';
  return *text != '\0';
}

void state_put_path(FILE *out, const char *path) {
  for (const unsigned char *p = (const unsigned char *)path; *p; p++)
    if (*p < ' ' || *p == '%' || *p == 0x7f)
      fprintf(out, "%%%02x", *p);
    else
      putc(*p, out);
  putc('\n', out);
}
