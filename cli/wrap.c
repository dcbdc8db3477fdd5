/* SPDX-License-Identifier: MIT */
/* Text on a terminal, wrapped between words: help, messages, and what doctor found. A terminal
 * itself breaks a line wherever it ends, in the middle of a word. Into a pipe or a file each line
 * is written as it is, so that scripts find it whole. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "screen.h"

#define LEAST_COLUMNS 20 /* in less, nothing is gained by wrapping */
#define NARROW 8         /* the indent of a text for which too little is left beside another one */

unsigned wrap_columns(FILE *out) {
  int fd = out == stdout ? STANDARD_OUTPUT : STANDARD_ERROR;
  unsigned rows, columns;

  if ((out != stdout && out != stderr) || !os_is_terminal(fd))
    return 0;
  screen_size(fd, &rows, &columns);
  return columns >= LEAST_COLUMNS ? columns : 0;
}

/* The word at text with the blanks before it. */
static size_t next_word(const char *text, size_t *blanks) {
  *blanks = strspn(text, " ");
  return *blanks + strcspn(text + *blanks, " ");
}

static void put_word(FILE *out, const char *word, size_t n) {
  char *copy = strndup(word, n);

  if (copy)
    print_safe(out, copy);
  free(copy);
}

static size_t word_width(const char *word, size_t n) {
  char *copy = strndup(word, n);
  size_t width = copy ? width_of(copy) : n;

  free(copy);
  return width;
}

void print_wrapped(FILE *out, const char *text, unsigned columns, unsigned at, unsigned indent) {
  size_t n, blanks, width;
  bool first = true;

  if (!columns) {
    print_safe(out, text);
    return;
  }
  if (indent > NARROW && indent + LEAST_COLUMNS > columns) {
    indent = NARROW; /* below what is there */
    first = false;
    at = columns;
  }
  for (; *text; text += n) {
    n = next_word(text, &blanks);
    width = word_width(text + blanks, n - blanks);
    if (!first && at + blanks + width > columns) {
      fprintf(out, "\n%*s", (int)indent, "");
      at = indent + (unsigned)width;
      put_word(out, text + blanks, n - blanks);
    } else {
      at += (unsigned)(blanks + width);
      put_word(out, text, n);
    }
    first = false;
  }
}

/* Whether the lines up to an empty one fit. */
static bool fits(const char *text, unsigned columns) {
  while (*text && *text != '\n') {
    size_t n = strcspn(text, "\n");
    if (word_width(text, n) > columns)
      return false;
    text += n + (text[n] == '\n');
  }
  return true;
}

/* A paragraph as one line; *text: what follows it. */
static char *take_paragraph(const char **text) {
  const char *end = strstr(*text, "\n\n");
  size_t n = end ? (size_t)(end - *text) : strlen(*text);
  char *line;

  if (!end && n && (*text)[n - 1] == '\n')
    n--;
  line = strndup(*text, n);

  *text += n;
  for (char *p = line; p && *p; p++)
    if (*p == '\n')
      *p = ' ';
  return line;
}

/* Lines that begin with a blank are examples and tables, and stay as they are. */
static bool is_flowing(const char *text) {
  const char *end = strstr(text, "\n\n"), *blank = strstr(text, "\n ");

  return *text != ' ' && (!blank || (end && end < blank));
}

void print_paragraphs(FILE *out, const char *text) {
  unsigned columns = wrap_columns(out);

  while (*text) {
    size_t n = strcspn(text, "\n");
    if (columns && *text != '\n' && is_flowing(text) && !fits(text, columns)) {
      char *line = take_paragraph(&text);
      if (line)
        print_wrapped(out, line, columns, 0, 0);
      free(line);
    } else {
      fwrite(text, 1, n, out);
      text += n;
    }
    if (*text == '\n') {
      putc('\n', out);
      text++;
    }
  }
}
