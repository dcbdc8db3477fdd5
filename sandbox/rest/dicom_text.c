/* SPDX-License-Identifier: MIT */
/* Decodes DICOM text. A text is split into runs, at the ISO 2022 escape sequences that switch the
 * character set for what follows (PS3.3, C.12.1.1.2) and at the delimiters that reset it to the
 * first one. Each run has one encoding, which iconv converts. dicom.c calls rest_dicom_text for
 * every text value. */
#include "dicom_text.h"

#include <iconv.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define ESC 0x1B
#define ASCII "ASCII"
/* A character set of two-byte codes below 128: '^' may be half of a character. The escape sequence
 * is part of it. */
#define JAPANESE "ISO-2022-JP-2"

/* ---- the defined terms ---- */

static const char *encoding_of_number(unsigned number) {
  static const struct {
    unsigned number;
    const char *encoding;
  } sets[] = {{6, ASCII},          {100, "ISO-8859-1"}, {101, "ISO-8859-2"},  {109, "ISO-8859-3"},
              {110, "ISO-8859-4"}, {144, "ISO-8859-5"}, {127, "ISO-8859-6"},  {126, "ISO-8859-7"},
              {138, "ISO-8859-8"}, {148, "ISO-8859-9"}, {203, "ISO-8859-15"}, {13, "CP932"},
              {166, "TIS-620"},    {192, "UTF-8"},      {58, "EUC-CN"},       {149, "EUC-KR"}};

  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    if (sets[i].number == number)
      return sets[i].encoding;
  return ASCII; /* 87, 159: they begin with an escape sequence */
}

/* "ISO_IR 100", "ISO 2022 IR 100", and common misspellings. */
static const char *encoding_of(const char *term, size_t n) {
  char text[32];
  const char *digits;

  snprintf(text, sizeof text, "%.*s", (int)(n < 31 ? n : 31), term);
  if (strncmp(text, "GB18030", 7) == 0)
    return "GB18030";
  if (strncmp(text, "GBK", 3) == 0)
    return "GBK";
  digits = strstr(text, "IR");
  digits = digits ? strpbrk(digits, "0123456789") : NULL;
  return digits ? encoding_of_number((unsigned)strtoul(digits, NULL, 10)) : ASCII;
}

/* ---- the escape sequences ---- */

typedef struct escape {
  const char *bytes; /* after ESC */
  const char *encoding;
} escape;

static const escape escapes[] = {
    {"(B", NULL},         {"(J", NULL},          {")I", "CP932"},      {"-A", "ISO-8859-1"},
    {"-B", "ISO-8859-2"}, {"-C", "ISO-8859-3"},  {"-D", "ISO-8859-4"}, {"-F", "ISO-8859-7"},
    {"-G", "ISO-8859-6"}, {"-H", "ISO-8859-8"},  {"-L", "ISO-8859-5"}, {"-M", "ISO-8859-9"},
    {"-T", "TIS-620"},    {"-b", "ISO-8859-15"}, {"$B", JAPANESE},     {"$@", JAPANESE},
    {"$(D", JAPANESE},    {"$)C", "EUC-KR"},     {"$)A", "EUC-CN"}};

static const escape *escape_at(const unsigned char *s, size_t n) {
  for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
    size_t length = strlen(escapes[i].bytes);
    if (n > length && s[0] == ESC && memcmp(s + 1, escapes[i].bytes, length) == 0)
      return &escapes[i];
  }
  return NULL;
}

/* ---- one run ---- */

typedef struct output {
  char *at, *end; /* end: the position reserved for the NUL */
} output;

static void put_bytes(output *out, const char *s, size_t n) {
  if (n > (size_t)(out->end - out->at)) {
    n = (size_t)(out->end - out->at);
    while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80)
      n--; /* do not truncate within a character */
    out->end = out->at + n;
  }
  memcpy(out->at, s, n);
  out->at += n;
}

/* Replaces each byte that cannot be decoded by '?'. */
static void convert(output *out, const char *encoding, const unsigned char *s, size_t n) {
  iconv_t cd = iconv_open("UTF-8", encoding);
  char copy[1100], piece[16], *in = copy;
  size_t left = n < sizeof copy ? n : sizeof copy;

  memcpy(copy, s, left);
  while (left > 0 && out->at < out->end) {
    char *to = piece;
    size_t space = sizeof piece, before = left;
    if (cd != (iconv_t)-1)
      (void)iconv(cd, &in, &left, &to, &space);
    put_bytes(out, piece, (size_t)(to - piece));
    if (left == before) {
      put_bytes(out, "?", 1);
      in++;
      left--;
    }
  }
  if (cd != (iconv_t)-1)
    iconv_close(cd);
}

/* esc: the escape sequence before it; NULL: none. */
static void put_run(output *out, const char *encoding, const escape *esc, const unsigned char *s,
                    size_t n) {
  unsigned char with[1100];
  size_t length = esc ? strlen(esc->bytes) : 0;
  bool plain = strcmp(encoding, JAPANESE) != 0;

  for (size_t i = 0; i < n && plain; i++)
    plain = s[i] < 0x80;
  if (n == 0)
    return;
  if (plain) {
    put_bytes(out, (const char *)s, n);
    return;
  }
  if (strcmp(encoding, JAPANESE) != 0 || !esc || n + length + 1 > sizeof with) {
    convert(out, encoding, s, n);
    return;
  }
  with[0] = ESC;
  memcpy(with + 1, esc->bytes, length);
  memcpy(with + 1 + length, s, n);
  convert(out, encoding, with, n + length + 1);
}

/* ---- the whole text ---- */

static bool ends_sets(unsigned char c) {
  return c == '^' || c == '=' || c == '\\' || c == '\n' || c == '\r' || c == '\f' || c == '\t';
}

static void decode(output *out, const char *first, const unsigned char *s, size_t n) {
  const char *encoding = first;
  const escape *esc = NULL;
  size_t begin = 0;

  for (size_t i = 0; i < n;) {
    const escape *next = escape_at(s + i, n - i);
    bool reset = !next && strcmp(encoding, JAPANESE) != 0 && ends_sets(s[i]);
    if (!next && !reset) {
      i++;
      continue;
    }
    put_run(out, encoding, esc, s + begin, i - begin);
    if (reset)
      put_bytes(out, (const char *)s + i, 1);
    /* "(B" and "(J" only change the lower half: the upper one stays, except with two-byte sets. */
    if (reset || (next && !next->encoding && strcmp(encoding, JAPANESE) == 0))
      encoding = first;
    else if (next && next->encoding)
      encoding = next->encoding;
    esc = next;
    i += next ? 1 + strlen(next->bytes) : 1;
    begin = i;
  }
  put_run(out, encoding, esc, s + begin, n - begin);
}

/* Whether a byte below 128 can be part of a multi-byte character: delimiters are then not
 * recognised. */
static bool is_whole(const char *encoding) {
  return strncmp(encoding, "GB", 2) == 0 || strcmp(encoding, "UTF-8") == 0;
}

void rest_dicom_text(const char *charset, const unsigned char *s, size_t n, char *out, size_t cap) {
  output to = {out, out + cap - 1};
  const char *first = encoding_of(charset, strcspn(charset, "\\"));

  while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\0'))
    n--;
  if (n > 1024)
    n = 1024;
  if (!*charset)
    first = igt__utf8_valid((const char *)s, n) ? "UTF-8" : "ISO-8859-1";
  if (is_whole(first))
    put_run(&to, first, NULL, s, n);
  else
    decode(&to, first, s, n);
  *to.at = '\0';
  for (char *c = out; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7F)
      *c = '?';
}
