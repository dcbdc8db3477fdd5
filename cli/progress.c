/* SPDX-License-Identifier: MIT */
/* The progress display of a transfer on a terminal: a line per running file and a total, redrawn in
 * place. report.c creates it and passes on each progress callback of the library; progress_clear
 * removes the lines before other output is printed. Without a terminal, or with --quiet, --json or
 * --no-progress, there is none, and all functions accept NULL. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define MAX_LINES 16

struct progress {
  const char *verb;
  unsigned shown; /* lines on the screen */
  FILE *frame;    /* the next frame, written to the terminal at once so that it does not flicker */
};

progress *progress_new(const settings *s, const char *verb) {
  const char *term = getenv("TERM");
  progress *p;

  if (s->quiet || s->no_progress || s->json || !isatty(STDERR_FILENO) ||
      (term && strcmp(term, "dumb") == 0))
    return NULL;
  p = calloc(1, sizeof *p);
  if (p)
    p->verb = verb;
  return p;
}

void progress_free(progress *p) {
  progress_clear(p);
  free(p);
}

void progress_clear(progress *p) {
  if (!p || !p->shown)
    return;
  fprintf(stderr, "\r\033[%uA\033[J", p->shown);
  p->shown = 0;
}

static void screen(unsigned *rows, unsigned *columns) {
  *rows = 24;
  *columns = 80;
  os_screen(STDERR_FILENO, rows, columns);
}

/* As much as fits before the last column: some terminals wrap when that is written. */
static void put_line(progress *p, const char *text, unsigned columns) {
  unsigned left = columns > 1 ? columns - 1 : 1;

  for (size_t bytes = 0; *text && bytes < 512;) {
    unsigned width;
    size_t n = next_character(text, &width);
    bool plain = is_plain(text);
    width = plain ? width : 1;
    if (width > left)
      break;
    if (plain)
      fwrite(text, 1, n, p->frame);
    else
      putc('?', p->frame);
    left -= width;
    text += n;
    bytes += n;
  }
  fputs("\033[K\n", p->frame);
  p->shown++;
}

static void put_running(progress *p, const igt_transfer_study *r, unsigned columns) {
  char line[1400], done[32], all[32];
  unsigned percent = r->bytes ? (unsigned)(r->bytes_moved * 100 / r->bytes) : 100;

  format_size(r->bytes_moved, done, sizeof done);
  format_size(r->bytes, all, sizeof all);
  snprintf(line, sizeof line, "%3u%%  %llu/%llu files  %s/%s  %.1200s",
           percent > 100 ? 100 : percent, (unsigned long long)r->files_settled,
           (unsigned long long)r->files, done, all, r->name);
  put_line(p, line, columns);
}

static void put_total(progress *p, const igt_transfer_progress *now, unsigned columns) {
  char line[256], studies[80] = "", done[32], all[32], rate[32], left[32];

  format_size(now->bytes_settled, done, sizeof done);
  format_size(now->bytes, all, sizeof all);
  format_size((unsigned long long)now->bytes_per_second, rate, sizeof rate);
  format_duration(now->listing ? -1 : now->seconds_left, left, sizeof left);
  if (now->studies || now->listing)
    snprintf(studies, sizeof studies, " %llu/%llu%s studies ",
             (unsigned long long)now->studies_settled, (unsigned long long)now->studies,
             now->listing ? "+" : "");
  snprintf(line, sizeof line, "%s%s %llu/%llu files  %s/%s  %s/s  %s left%s", p->verb, studies,
           (unsigned long long)now->files_settled, (unsigned long long)now->files, done, all, rate,
           left, now->files_failed ? "  FAILURES" : "");
  put_line(p, line, columns);
}

static void put_frame(progress *p, const igt_transfer_progress *now) {
  unsigned rows, columns;
  size_t lines;

  screen(&rows, &columns);
  if (p->shown)
    fprintf(p->frame, "\r\033[%uA", p->shown);
  p->shown = 0;
  lines = rows > 4 ? rows - 3 : rows > 2;
  if (lines > MAX_LINES)
    lines = MAX_LINES;
  for (size_t i = 0; i < now->running_count && i < lines; i++)
    put_running(p, now->running[i], columns);
  put_total(p, now, columns);
  fputs("\033[J", p->frame);
}

void progress_show(progress *p, const igt_transfer_progress *now) {
  char *text = NULL;
  size_t n = 0;

  if (!p || !(p->frame = open_memstream(&text, &n)))
    return;
  put_frame(p, now);
  if (fclose(p->frame) == 0)
    fwrite(text, 1, n, stderr);
  free(text);
}
