/* SPDX-License-Identifier: MIT */
/* The progress of a transfer. On a terminal: a line per running study and a total, redrawn in
 * place; progress_clear removes them before other output is printed. Elsewhere: a line of the total
 * every minute, or as --stats says. After SIGUSR1: the total at once, whatever was chosen. report.c
 * creates it and passes on each progress callback of the library; all functions accept NULL. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "progress_line.h"
#include "screen.h"
#include "transfer_options.h"

#define MAX_LINES 16

struct progress {
  const settings *s;
  const char *verb;
  bool live;       /* lines that are redrawn */
  int64_t every;   /* ms; 0: no lines in between */
  int64_t said_at; /* ms of the run */
  unsigned shown;  /* lines on the screen */
  FILE *frame;     /* the next frame, written to the terminal at once so that it does not flicker */
};

progress *progress_new(const settings *s, const char *verb) {
  progress *p = calloc(1, sizeof *p);
  int64_t seconds = 60;

  if (!p)
    return NULL;
  p->s = s;
  p->verb = verb;
  if (s->quiet || s->no_progress)
    return p;
  p->live = !s->json && screen_is_drawable(STANDARD_ERROR);
  if (s->stats)
    (void)parse_duration("stats", s->stats, &seconds); /* checked before */
  p->every = p->live ? 0 : seconds * 1000;
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
  char line[1400], done[32], all[32], amount[80] = "";
  unsigned percent = r->bytes ? (unsigned)(r->bytes_moved * 100 / r->bytes) : 100;

  format_size(r->bytes_moved, done, sizeof done);
  format_size(r->bytes, all, sizeof all);
  if (columns >= 70)
    snprintf(amount, sizeof amount, "%llu/%llu files  %s/%s  ",
             (unsigned long long)r->files_settled, (unsigned long long)r->files, done, all);
  snprintf(line, sizeof line, "%3u%%  %s%.1200s", percent > 100 ? 100 : percent, amount, r->name);
  put_line(p, line, columns);
}

static void put_frame(progress *p, const igt_transfer_progress *now) {
  char line[512];
  unsigned rows, columns;
  size_t lines;

  screen_size(STANDARD_ERROR, &rows, &columns);
  rows = rows ? rows : 24;
  columns = columns ? columns : 80;
  if (p->shown)
    fprintf(p->frame, "\r\033[%uA", p->shown);
  p->shown = 0;
  lines = rows > 4 ? rows - 3 : rows > 2;
  if (lines > MAX_LINES)
    lines = MAX_LINES;
  for (size_t i = 0; i < now->running_count && i < lines; i++)
    put_running(p, now->running[i], columns);
  progress_line(now, p->verb, columns, line, sizeof line);
  put_line(p, line, columns);
  fputs("\033[J", p->frame);
}

static void redraw(progress *p, const igt_transfer_progress *now) {
  char *text = NULL;
  size_t n = 0;

  if (!(p->frame = open_memstream(&text, &n)))
    return;
  put_frame(p, now);
  if (fclose(p->frame) == 0)
    fwrite(text, 1, n, stderr);
  free(text);
}

static void say(progress *p, const igt_transfer_progress *now) {
  static const char name[] = "igtcloud: ";
  char line[512];

  progress_clear(p);
  p->said_at = now->elapsed_ms;
  if (p->s->json) {
    progress_json(now, stderr);
    return;
  }
  progress_sentence(now, p->verb, line, sizeof line);
  fputs(name, stderr);
  print_wrapped(stderr, line, wrap_columns(stderr), (unsigned)strlen(name), 2);
  putc('\n', stderr);
}

void progress_show(progress *p, const igt_transfer_progress *now) {
  if (!p || reader_is_gone())
    return;
  if (progress_is_asked_for() || (p->every && now->elapsed_ms - p->said_at >= p->every))
    say(p, now);
  if (p->live)
    redraw(p, now);
}
