/* SPDX-License-Identifier: MIT */
/* The configuration file: INI with a section for each profile, a line at a time. config_read loads
 * the whole file into a list of entries in the order of its lines; options.c takes those of the
 * chosen profile, and cmd_config.c lists, checks and changes the file. The file names programs to
 * run and servers to trust, so one that another user could have written is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define LINE_SIZE 1024
#define ENTRIES_MAX 4096
#define BLANKS " \t\r\n"

const char *config_path(const settings *s) {
  static char path[4096];
  size_t n;

  if (s->config)
    return s->config;
  if (!os_config_folder(path, sizeof path))
    return NULL;
  n = strlen(path);
  return snprintf(path + n, sizeof path - n, "/igtcloud/config") < (int)(sizeof path - n) ? path
                                                                                          : NULL;
}

/* ---- reading ---- */

typedef struct reader {
  FILE *in;
  config *into;
  const char *path;
  char section[LINE_SIZE];
  unsigned line;
  bool failed; /* reported */
} reader;

static bool complain_of_line(reader *r, const char *what) {
  if (!r->failed)
    complain(IGT_E_INVALID, "%s, line %u: %s", r->path, r->line, what);
  r->failed = true;
  return false;
}

static bool take_entry(reader *r, const char *name, const char *value) {
  config *c = r->into;
  config_entry *more;

  if (!*r->section)
    return complain_of_line(r, "the key is not in a section; start with [default]");
  if (!*value)
    return complain_of_line(r, "the value is empty");
  if (c->count == ENTRIES_MAX)
    return complain_of_line(r, "the file has too many lines");
  more = realloc(c->v, (c->count + 1) * sizeof *more);
  if (!more)
    return complain_of_line(r, "out of memory");
  c->v = more;
  more += c->count;
  *more = (config_entry){strdup(r->section), strdup(name), strdup(value), r->line};
  if (!more->profile || !more->key || !more->value)
    return complain_of_line(r, "out of memory");
  c->count++;
  return true;
}

static char *trim(char *text) {
  size_t n;

  text += strspn(text, BLANKS);
  for (n = strlen(text); n > 0 && strchr(BLANKS, text[n - 1]); n--)
    text[n - 1] = '\0';
  return text;
}

/* What begins with a ';' after a blank; in a value, a ';' alone may be part of it. */
static void cut_comment(char *text) {
  for (char *p = text; *p; p++)
    if (*p == ';' && (p == text || p[-1] == ' ' || p[-1] == '\t')) {
      *p = '\0';
      return;
    }
}

/* Files that Windows' editor wrote begin with a byte order mark. */
config_line config_parse(char *text, unsigned number) {
  static const char mark[] = "\xef\xbb\xbf";
  config_line line = {.kind = CONFIG_NOTHING};
  char *end;

  line.name = trim(number == 1 && strncmp(text, mark, 3) == 0 ? text + 3 : text);
  if (!*line.name || *line.name == ';' || *line.name == '#')
    return line;
  line.kind = *line.name == '[' ? CONFIG_SECTION : CONFIG_KEY;
  line.name += line.kind == CONFIG_SECTION;
  end = line.name + strcspn(line.name, line.kind == CONFIG_SECTION ? "]" : "=:");
  if (!*end)
    return (config_line){.kind = CONFIG_NEITHER};
  *end++ = '\0';
  if (line.kind == CONFIG_SECTION)
    return line;
  cut_comment(end);
  line.name = trim(line.name);
  line.value = trim(end);
  return line;
}

static bool take_line(reader *r, char *text) {
  config_line line = config_parse(text, r->line);

  switch (line.kind) {
  case CONFIG_NOTHING:
    return true;
  case CONFIG_SECTION:
    if (!*line.name)
      return complain_of_line(r, "the profile has no name");
    snprintf(r->section, sizeof r->section, "%s", line.name);
    return true;
  case CONFIG_KEY:
    return take_entry(r, line.name, line.value);
  case CONFIG_NEITHER:
    break;
  }
  return complain_of_line(r, "this is neither [PROFILE] nor KEY = VALUE");
}

/* fgets does not say how long a line is that has a NUL byte in it. Returns 0 at the end. */
static size_t next_line(FILE *in, char *line, size_t size) {
  size_t n = 0;
  int c = 0;

  while (n + 1 < size && c != '\n' && (c = getc(in)) != EOF)
    line[n++] = (char)c;
  line[n] = '\0';
  return n;
}

static void read_lines(reader *r) {
  char line[LINE_SIZE];
  size_t n;

  while (!r->failed && (n = next_line(r->in, line, sizeof line)) > 0) {
    r->line++;
    if (strlen(line) < n)
      (void)complain_of_line(r, "the line has a NUL byte; save the file as UTF-8");
    else if (n + 1 == sizeof line && line[n - 1] != '\n')
      (void)complain_of_line(r, "the line is too long");
    else
      (void)take_line(r, line);
  }
}

/* NULL, or why the file is not trusted. */
static const char *distrust(int fd) {
  igt__stat st;

  if (igt__os_fstat(fd, &st) != 0 || igt__os_stat_owner(fd, &st) != 0)
    return strerror(errno);
  if (!S_ISREG(st.st_mode))
    return "it is not a regular file";
  if (st.st_uid != 0 && st.st_uid != igt__os_user())
    return "it belongs to another user";
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !igt__os_has_modes(fd))
    return "other users can write to it, and its disk (FAT or exFAT) cannot refuse them; copy it "
           "to another disk";
  if (st.st_mode & (S_IWGRP | S_IWOTH))
    return "other users can write to it; prevent that with " IGT__OS_REFUSE_WRITERS("FILE");
  return NULL;
}

size_t config_profiles(const config *c) {
  size_t count = 0;

  for (size_t i = 0, k; i < c->count; i++) {
    for (k = 0; strcmp(c->v[k].profile, c->v[i].profile) != 0; k++)
      ;
    count += k == i;
  }
  return count;
}

bool config_read(const settings *s, config *out) {
  reader r = {.into = out, .path = config_path(s)};
  const char *why = NULL;
  int fd;

  *out = (config){.path = r.path};
  if (!r.path)
    return true;
  fd = igt__os_open(r.path, O_RDONLY | O_NONBLOCK, 0);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR) && !s->config)
    return true;
  if (fd >= 0 && (why = distrust(fd)) != NULL)
    igt__os_close(fd);
  if (why || !(r.in = os_stream(fd, "r"))) {
    complain(IGT_E_IO, "cannot use the configuration file '%s': %s", r.path,
             why ? why : strerror(errno));
    return false;
  }
  out->exists = true;
  read_lines(&r);
  if (!r.failed && ferror(r.in))
    complain(IGT_E_IO, "cannot read the configuration file '%s'", r.path);
  r.failed = r.failed || ferror(r.in);
  fclose(r.in);
  if (r.failed) {
    config_free(out);
    out->path = r.path;
  }
  return !r.failed;
}

void config_free(config *c) {
  for (size_t i = 0; i < c->count; i++) {
    free(c->v[i].profile);
    free(c->v[i].key);
    free(c->v[i].value);
  }
  free(c->v);
  *c = (config){.path = NULL};
}

bool config_has_profile(const config *c, const char *profile) {
  for (size_t i = 0; i < c->count; i++)
    if (strcmp(c->v[i].profile, profile) == 0)
      return true;
  return false;
}

/* ---- keys: the names of options, or COMMAND.NAME for the options of one command ---- */

/* The option's name in a key, and the command that it is limited to (n bytes; 0: none). */
static const char *split_key(const char *key, size_t *n) {
  const char *dot = strrchr(key, '.');

  *n = dot ? (size_t)(dot - key) : 0;
  return dot ? dot + 1 : key;
}

/* A group's command is "study-create" in a key. */
static bool is_limited_to(const command *cmd, const char *key, size_t n) {
  if (strlen(cmd->name) != n)
    return false;
  for (size_t i = 0; i < n; i++)
    if (key[i] != (cmd->name[i] == ' ' ? '-' : cmd->name[i]))
      return false;
  return true;
}

/* What the file cannot set: it would change which file is read, or which command runs. */
static bool is_excluded(const char *name) {
  static const char *const names[] = {"help", "config", "profile", "password-stdin"};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i], name) == 0)
      return true;
  return false;
}

const option *config_option(const command *cmd, const char *key) {
  size_t n;
  const char *name = split_key(key, &n);

  if (is_excluded(name) || (n > 0 && !is_limited_to(cmd, key, n)))
    return NULL;
  return command_option(cmd, name);
}

bool config_key_exists(const char *key) {
  for (size_t i = 0; commands[i]; i++)
    if (config_option(commands[i], key))
      return true;
  return false;
}

typedef struct search {
  const char *wanted;
  suggestion best;
} search;

static void compare_option(void *payload, const command *cmd, const option *o) {
  search *find = payload;

  (void)cmd;
  if (!is_excluded(o->name))
    suggest(&find->best, find->wanted, o->name);
}

/* The command that a key's first n bytes name, or are meant to name. */
static const command *command_like(const char *key, size_t n) {
  suggestion best = {.name = NULL};
  const command *found = NULL;
  char wanted[64];

  snprintf(wanted, sizeof wanted, "%.*s", (int)n, key);
  for (size_t i = 0; commands[i]; i++) {
    const char *before = best.name;
    if (is_limited_to(commands[i], key, n))
      return commands[i];
    suggest(&best, wanted, commands[i]->name);
    if (best.name != before)
      found = commands[i];
  }
  return found;
}

const char *config_key_like(const char *key) {
  size_t n;
  search find = {.wanted = split_key(key, &n)};
  const command *of = n > 0 ? command_like(key, n) : NULL;
  static char limited[128];

  if (n > 0 && !of)
    return NULL;
  for (size_t i = 0; commands[i]; i++)
    if (!of || of == commands[i])
      each_option(commands[i], compare_option, &find);
  if (!of || !find.best.name)
    return find.best.name;
  n = (size_t)snprintf(limited, sizeof limited, "%s.%s", of->name, find.best.name);
  for (char *blank = strchr(limited, ' '); blank; blank = strchr(blank, ' '))
    *blank = '-';
  return limited;
}
