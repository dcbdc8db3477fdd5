/* SPDX-License-Identifier: MIT */
/* igtcloud config: shows, checks and changes the configuration file (config.c). A change writes all
 * lines, with comments and in their order, to a new file that replaces the old one once it is
 * complete. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *profile_of(const settings *s) {
  return s->profile ? s->profile : "default";
}

/* "lab.user", where lab is no command. */
static bool may_name_profile(const char *key) {
  const char *dot = strchr(key, '.');

  return dot && dot > key && config_key_exists(dot + 1);
}

static int unknown_key(const char *key) {
  const char *like = config_key_like(key);
  int n = (int)strcspn(key, ".");

  if (!like && may_name_profile(key))
    return usage_error("unknown key '%s': there is no command '%.*s'; if it is a profile, give "
                       "--profile %.*s and the key '%s'",
                       key, n, key, n, key, key + n + 1);
  return usage_error("unknown key '%s'%s%s%s", key,
                     like ? "; did you mean '" : "; keys are the long names of options",
                     like ? like : "", like ? "'?" : "");
}

static int run_path(settings *s) {
  const char *path = config_path(s);

  if (!path)
    return usage_error("HOME is not set; name the file with --config or IGTCLOUD_CONFIG");
  puts(path);
  return EXIT_DONE;
}

/* ---- list and get: what applies, from variables and the profile ---- */

typedef struct lister {
  const settings *s;
  const config *config;
  listing *out;       /* of list */
  const char *key;    /* of get */
  char done[256][40]; /* options listed already: several commands share most of them */
  size_t done_count, found;
} lister;

static void put_value(lister *l, const char *key, const char *value, const char *source) {
  record r = {.count = 0};
  char shown[512];

  l->found++;
  value = shown_value(key, value, shown, sizeof shown);
  if (!l->out) {
    puts(value);
    return;
  }
  record_text(&r, "key", key);
  record_text(&r, "value", value);
  record_text(&r, "source", source);
  (void)record_print(&r, l->out);
}

static bool is_done(lister *l, const char *name) {
  for (size_t i = 0; i < l->done_count; i++)
    if (strcmp(l->done[i], name) == 0)
      return true;
  if (l->done_count < sizeof l->done / sizeof *l->done)
    snprintf(l->done[l->done_count++], sizeof *l->done, "%s", name);
  return false;
}

static void put_variable(void *payload, const command *cmd, const option *o) {
  lister *l = payload;
  char name[64];
  const char *value;

  (void)cmd;
  if (!config_key_exists(o->name) || !variable_of(o, name, sizeof name) || is_done(l, o->name))
    return;
  value = getenv(name);
  if (value && *value && (!l->key || strcmp(l->key, o->name) == 0))
    put_value(l, o->name, value, name);
}

static void put_cloud_variable(lister *l, const char *key) {
  const char *variable = cloud_variable(key);

  if (variable && (!l->key || strcmp(l->key, key) == 0))
    put_value(l, key, getenv(variable), variable);
}

static void put_entries(lister *l) {
  char source[128], name[64];

  for (size_t i = 0; i < l->config->count; i++) {
    const config_entry *e = &l->config->v[i];
    const char *value =
        variable_of(&(option){.name = e->key}, name, sizeof name) ? getenv(name) : NULL;
    if (strcmp(e->profile, profile_of(l->s)) != 0 || (value && *value) || cloud_variable(e->key) ||
        (l->key && strcmp(l->key, e->key) != 0))
      continue;
    snprintf(source, sizeof source, "profile '%s', line %u", e->profile, e->line);
    put_value(l, e->key, e->value, source);
  }
}

static bool list_values(lister *l, config *c) {
  if (!config_read(l->s, c))
    return false;
  if (l->s->profile && !config_has_profile(c, l->s->profile)) {
    usage_error("there is no profile '%s' in '%s'", l->s->profile, c->path ? c->path : "");
    config_free(c);
    return false;
  }
  l->config = c;
  for (size_t i = 0; commands[i]; i++)
    each_option(commands[i], put_variable, l);
  put_cloud_variable(l, "domain");
  put_cloud_variable(l, "user");
  put_entries(l);
  config_free(c);
  return true;
}

static int run_list(settings *s) {
  static const column columns[] = {
      {"KEY", "key", false}, {"VALUE", "value", false}, {"SOURCE", "source", false}, {NULL}};
  lister l = {.s = s, .out = listing_open(s, columns)};
  config c;

  if (!l.out)
    return EXIT_FAILED;
  return listing_close(l.out, list_values(&l, &c) ? EXIT_DONE : EXIT_USAGE);
}

static int run_get(settings *s) {
  lister l = {.s = s, .key = s->arguments[0]};
  config c;

  if (!config_key_exists(l.key))
    return unknown_key(l.key);
  if (!list_values(&l, &c))
    return EXIT_USAGE;
  if (!l.found)
    complain(IGT_E_NOT_FOUND, "'%s' is set neither by a variable nor in the profile '%s'", l.key,
             profile_of(s));
  return l.found ? EXIT_DONE : EXIT_NOT_FOUND;
}

/* ---- check ---- */

static bool appears_before(const config *c, size_t i) {
  for (size_t k = 0; k < i; k++)
    if (strcmp(c->v[k].profile, c->v[i].profile) == 0 && strcmp(c->v[k].key, c->v[i].key) == 0)
      return true;
  return false;
}

static const option *option_of_key(const char *key) {
  const option *o = NULL;

  for (size_t i = 0; commands[i] && !o; i++)
    o = config_option(commands[i], key);
  return o;
}

static bool check_entry(const config *c, size_t i) {
  const config_entry *e = &c->v[i];
  const option *o = option_of_key(e->key);
  const char *like = o ? NULL : config_key_like(e->key), *wrong = o ? check_value(o, e->value) : "";

  if (!o)
    complain(IGT_E_INVALID, "%s, line %u: unknown key '%s'%s%s%s", c->path, e->line, e->key,
             like ? "; did you mean '" : "", like ? like : "", like ? "'?" : "");
  else if (wrong)
    complain(IGT_E_INVALID, "%s, line %u: %s = '%s' %s%s%s", c->path, e->line, e->key, e->value,
             wrong, o->choices ? ": " : "", o->choices ? o->choices : "");
  else if (o->kind != OPTION_LIST && appears_before(c, i))
    complain(IGT_E_INVALID, "%s, line %u: '%s' is set twice in the profile '%s'", c->path, e->line,
             e->key, e->profile);
  else
    return true;
  return false;
}

static int run_check(settings *s) {
  config c;
  size_t bad = 0, profiles;

  if (!config_read(s, &c))
    return EXIT_USAGE;
  for (size_t i = 0; i < c.count; i++)
    bad += !check_entry(&c, i);
  profiles = config_profiles(&c);
  if (!c.exists)
    message(s, "%s: the file does not exist", c.path ? c.path : "HOME is not set");
  else if (!bad)
    message(s, "%s: %zu value%s in %zu profile%s, no errors", c.path, c.count,
            c.count == 1 ? "" : "s", profiles, profiles == 1 ? "" : "s");
  config_free(&c);
  return bad ? EXIT_USAGE : EXIT_DONE; /* as of a command that uses it */
}

/* ---- set and unset ---- */

typedef struct edit {
  const char *profile, *key, *value; /* value NULL: the key is removed */
  FILE *out;
  char *pending; /* blank lines and comments */
  size_t pending_size;
  bool inside, found, written, removed, failed; /* found: the profile; failed: out of memory */
} edit;

static void write_value(edit *e) {
  if (e->value && !e->written)
    fprintf(e->out, "%s = %s\n", e->key, e->value);
  e->written = true;
}

static void keep_line(edit *e, const char *text) {
  size_t n = strlen(text);
  char *longer = realloc(e->pending, e->pending_size + n + 1);

  if (!longer) {
    e->failed = true;
    return;
  }
  memcpy(longer + e->pending_size, text, n + 1);
  e->pending = longer;
  e->pending_size += n;
}

static void write_pending(edit *e) {
  if (e->pending_size)
    fputs(e->pending, e->out);
  e->pending_size = 0;
}

static void write_line(edit *e, const char *text) {
  fputs(text, e->out);
  if (*text && text[strlen(text) - 1] != '\n')
    putc('\n', e->out);
}

/* A new key goes to the end of its section, before the blank lines and comments that precede the
 * next one: they belong to that, and wait until it is known what follows. */
static void edit_line(edit *e, const char *text, const config_line *line) {
  if (line->kind == CONFIG_SECTION) {
    if (e->inside)
      write_value(e);
    e->inside = strcmp(line->name, e->profile) == 0;
    e->found = e->found || e->inside;
  }
  if (line->kind == CONFIG_NOTHING && e->inside) {
    keep_line(e, text);
    return;
  }
  write_pending(e);
  if (!e->inside || line->kind != CONFIG_KEY || strcmp(line->name, e->key) != 0)
    write_line(e, text);
  else if (e->value && !e->written)
    write_value(e);
  else
    e->removed = true;
}

static void edit_lines(edit *e, FILE *in) {
  char *text = NULL, *copy;
  size_t size = 0;
  config_line line;

  for (unsigned number = 1; in && !e->failed && getline(&text, &size, in) >= 0; number++) {
    copy = strdup(text);
    e->failed = !copy;
    if (copy) {
      line = config_parse(copy, number);
      edit_line(e, text, &line);
    }
    free(copy);
  }
  if (e->inside)
    write_value(e);
  write_pending(e);
  if (e->value && !e->written) {
    fprintf(e->out, "%s[%s]\n", in ? "\n" : "", e->profile);
    write_value(e);
  }
  free(e->pending);
  free(text);
}

static bool make_folder(const char *path) {
  char folder[4096];

  snprintf(folder, sizeof folder, "%s", path);
  for (char *p = strchr(folder + 1, '/'); p; p = strchr(p + 1, '/')) {
    *p = '\0';
    if (igt__os_mkdir(folder, 0700) != 0 && errno != EEXIST)
      return false;
    *p = '/';
  }
  return true;
}

/* Writes the new file beside the old one, and renames it. */
static bool replace_file(const char *path, edit *e) {
  int old = igt__os_open(path, O_RDONLY, 0);
  igt__stat st = {.st_mode = 0600};
  char temporary[4128];
  int fd;
  FILE *in;

  if (old >= 0)
    (void)igt__os_fstat(old, &st);
  in = os_stream(old, "r");
  snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
  fd = os_new_file(temporary);
  bool ok = fd >= 0 && igt__os_take_after(fd, &st) == 0;
  e->out = os_stream(fd, "w");
  if (e->out)
    edit_lines(e, in);
  ok = ok && e->out && !e->failed && os_sync_stream(e->out) && !ferror(e->out) &&
       (!in || !ferror(in));
  int why = errno;
  if (e->out && fclose(e->out) != 0)
    ok = false;
  if (in)
    fclose(in);
  ok = ok && igt__os_rename(temporary, path) == 0;
  why = ok || e->out ? errno : why;
  if (!ok && fd >= 0)
    (void)igt__os_unlink(temporary);
  if (!ok)
    complain_io(why, "cannot write '%s': %s", path, strerror(why));
  return ok;
}

static int change(const settings *s, edit *e) {
  const char *path = config_path(s);
  char *resolved;
  bool good;
  config c;

  if (!path)
    return usage_error("HOME is not set; name the file with --config or IGTCLOUD_CONFIG");
  if (file_exists(path)) { /* a file with errors is not touched */
    if (!config_read(s, &c))
      return EXIT_USAGE;
    config_free(&c);
  }
  if (!make_folder(path)) {
    complain_io(errno, "cannot create the folder of '%s': %s", path, strerror(errno));
    return EXIT_FAILED;
  }
  resolved = igt__os_real_path(path); /* a link stays a link */
  good = replace_file(resolved ? resolved : path, e);
  free(resolved);
  return good ? EXIT_DONE : EXIT_FAILED;
}

/* What the file's format cannot have. */
static const char *unwritable(const char *key, const char *value) {
  size_t n = strlen(value);

  if (strpbrk(value, "\r\n"))
    return "has a line break";
  if (n == 0)
    return "is empty; remove the key with `igtcloud config unset`";
  if (strstr(value, " ;") || strstr(value, "\t;") || *value == ';')
    return "has a blank followed by ';', which begins a comment";
  if (strchr(" \t", value[0]) || strchr(" \t", value[n - 1]))
    return "begins or ends with a blank";
  return strlen(key) + n > 1000 ? "is too long" : NULL;
}

static int run_set(settings *s) {
  const char *key = s->arguments[0], *value = s->arguments[1], *wrong;
  const option *o = option_of_key(key);
  edit e = {.profile = profile_of(s), .key = key, .value = value};

  if (!o)
    return unknown_key(key);
  if ((wrong = check_value(o, value)) != NULL)
    return usage_error("%s = '%s' %s%s%s", key, value, wrong, o->choices ? ": " : "",
                       o->choices ? o->choices : "");
  if ((wrong = unwritable(key, value)) != NULL)
    return usage_error("the value of '%s' %s", key, wrong);
  if (strpbrk(e.profile, "[]\r\n") || strlen(e.profile) > 48)
    return usage_error("'%s' cannot be the name of a profile", e.profile);
  return change(s, &e);
}

static int run_unset(settings *s) {
  edit e = {.profile = profile_of(s), .key = s->arguments[0]};
  const char *path = config_path(s);
  int status = path && file_exists(path) ? change(s, &e) : EXIT_DONE;

  if (status == EXIT_DONE && !e.removed) {
    if (e.found || !s->profile)
      complain(IGT_E_NOT_FOUND, "the profile '%s' has no key '%s'", e.profile, e.key);
    else
      complain(IGT_E_NOT_FOUND, "there is no profile '%s' in '%s'", e.profile, path ? path : "");
    status = EXIT_NOT_FOUND;
  }
  return status;
}

#define CONFIG_COMMAND(symbol, name, arguments, count, summary, about, fn)                         \
  const command symbol = {name,  arguments,  count, count, summary,                                \
                          about, no_options, false, fn,    true}

CONFIG_COMMAND(config_list_command, "config list", "", 0, "show the values that apply",
               "Prints the values that variables and the profile set, and where each comes from.\n"
               "The profile is that of --profile, or [default].",
               run_list);
CONFIG_COMMAND(config_get_command, "config get", "KEY", 1, "print one value",
               "Prints the value of KEY as other commands would use it. Exits with 5 if it is not "
               "set.",
               run_get);
CONFIG_COMMAND(
    config_set_command, "config set", "KEY VALUE", 2, "set a value in a profile",
    "Writes KEY = VALUE into the profile of --profile, or into [default], and creates the\n"
    "file if needed. KEY is the long name of an option, or COMMAND.NAME for one command\n"
    "only, such as download.connections.",
    run_set);
CONFIG_COMMAND(config_unset_command, "config unset", "KEY", 1, "remove a value from a profile",
               "Removes KEY from the profile of --profile, or from [default].", run_unset);
CONFIG_COMMAND(config_path_command, "config path", "", 0, "print the name of the file",
               "Prints the name of the configuration file, whether it exists or not.", run_path);
CONFIG_COMMAND(config_check_command, "config check", "", 0, "check the configuration file",
               "Checks all profiles of the configuration file: its owner and mode, the names of "
               "keys,\n"
               "and their values. Exits with 2 if anything is wrong.",
               run_check);
