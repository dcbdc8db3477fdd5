/* SPDX-License-Identifier: MIT */
/* The archive of `igtcloud doctor --bundle`: a tar of texts, mode 0600, that leaves this machine
 * with a support ticket. What goes into it is chosen, not filtered out: the findings (of those that
 * could name a patient, the status alone), the system's version, and of settings and variables the
 * names; values only of those that are known to be harmless. Then the user's name, the home folder
 * and the paths that the user gave are replaced by what they are: in findings as they are made,
 * before they are cut off or escaped, and in all of the texts. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "doctor.h"
#include "igtcloud/version.h"

/* ---- replacing names ---- */

typedef struct replacement {
  const char *from, *to;
  bool is_path; /* whole words, also with ~ for the home folder */
} replacement;

#define NAME_LEAST 3 /* shorter ones are parts of words */

static bool is_in_word(char c) {
  return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Windows writes a path in either case and with either separator. */
static int folded(char c) {
  return c == '\\' ? '/' : tolower((unsigned char)c);
}

static bool begins_with(const char *text, const char *name, size_t n) {
  size_t i = 0;

  while (i < n && text[i] && folded(text[i]) == folded(name[i]))
    i++;
  return i == n;
}

/* The bytes of path at the beginning of text; 0: it is not there. */
static size_t path_there(const char *text, const char *path, size_t n) {
  return begins_with(text, path, n) && !is_in_word(text[n]) ? n : 0;
}

static size_t any_path_there(const char *text, const char *path) {
  const char *home = getenv("HOME");
  size_t n = strlen(path), in_home = home ? strlen(home) : 0, k;

  while (n > 1 && folded(path[n - 1]) == '/')
    n--;
  if (n < NAME_LEAST)
    return 0;
  k = path_there(text, path, n);
  if (k || *text != '~' || in_home < 2 || n <= in_home || strncmp(path, home, in_home) != 0)
    return k;
  k = path_there(text + 1, path + in_home, n - in_home);
  return k ? k + 1 : 0;
}

static size_t length_there(const char *all, const char *text, const replacement *r) {
  if (!r->from)
    return 0;
  if (r->is_path)
    return text > all && is_in_word(text[-1]) ? 0 : any_path_there(text, r->from);
  size_t n = strlen(r->from);
  return n >= NAME_LEAST && begins_with(text, r->from, n) ? n : 0;
}

/* Of several, the longest: a folder in the home folder is not left with its name. */
static void write_replaced(FILE *out, const char *all, const replacement *r, size_t count) {
  for (const char *text = all; *text;) {
    size_t best = 0, n, longest = 0;

    for (size_t i = 0; i < count; i++)
      if ((n = length_there(all, text, &r[i])) > longest) {
        longest = n;
        best = i;
      }
    if (longest)
      fputs(r[best].to, out);
    else
      putc(*text, out);
    text += longest ? longest : 1;
  }
}

/* Paths that the user gave may be named for a patient or a study. */
char *without_names(const doctor *d, const char *text) {
  const replacement all[] = {{d->target, "the target folder", true},
                             {d->s->journal, "the journal", true},
                             {d->s->service_file, "the key file", true},
                             {d->s->ca_file, "the file of --ca-file", true},
                             {d->s->config, "the configuration file", true},
                             {d->s->log_file, "the log file", true},
                             {getenv("CLOUD_TOKEN_MMAP"), "the token file", true},
                             {getenv("TMPDIR"), "TMPDIR", true},
                             {getenv("XDG_STATE_HOME"), "XDG_STATE_HOME", true},
                             {getenv("XDG_CONFIG_HOME"), "XDG_CONFIG_HOME", true},
                             {getenv("HOME"), "~", false},
                             {getenv("USERPROFILE"), "~", false}, /* and below: Windows' */
                             {getenv("LOCALAPPDATA"), "LOCALAPPDATA", true},
                             {getenv("APPDATA"), "APPDATA", true},
                             {getenv("TEMP"), "TEMP", true},
                             {getenv("TMP"), "TMP", true},
                             {getenv("USERNAME"), "(login)", false},
                             {d->here, "the current folder", true},
                             {d->user, "(user)", false},
                             {d->s->user, "(user)", false},
                             {getenv("CLOUD_USERNAME"), "(user)", false},
                             {getenv("LOGNAME"), "(login)", false},
                             {getenv("USER"), "(login)", false},
                             {d->project, "(project)", false}};
  char *result = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&result, &n);

  if (!out)
    return NULL;
  write_replaced(out, text, all, sizeof all / sizeof *all);
  if (fclose(out) == 0)
    return result;
  free(result);
  return NULL;
}

/* ---- the texts ---- */

static void write_findings(FILE *out, const doctor *d) {
  for (size_t i = 0; i < d->count; i++) {
    const finding *f = &d->v[i];
    fprintf(out, "%-8s %-15s ", verdict_name(f->verdict), f->check);
    print_safe(out, f->public_text);
    fputs("\n", out);
    if (*f->advice)
      fprintf(out, "%25s%s\n", "", f->advice);
  }
}

static void write_json(FILE *out, const doctor *d) {
  for (size_t i = 0; i < d->count; i++)
    print_finding_json(out, &d->v[i], d->v[i].public_text);
}

static void write_system(FILE *out, const doctor *d) {
  char os[512], when[32];
  time_t now = time(NULL);
  struct tm tm;

  (void)d;
  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
  fprintf(out, "time: %s\nigtcloud: %s\n", when, igt_version());
  os_system(true, os, sizeof os);
  fprintf(out, "system: %s\n", os);
  os_limits(out);
}

/* Options and variables whose value helps, and can be neither a secret nor a name. */
static bool is_harmless(const char *name) {
  static const char *const names[] = {"domain",
                                      "audience",
                                      "timeout",
                                      "retries",
                                      "connections",
                                      "bwlimit",
                                      "proxy",
                                      "ca-file",
                                      "concurrent-studies",
                                      "concurrent-files",
                                      "http_proxy",
                                      "https_proxy",
                                      "all_proxy",
                                      "no_proxy",
                                      "REQUESTS_CA_BUNDLE",
                                      "AWS_CA_BUNDLE",
                                      "CURL_CA_BUNDLE",
                                      "SSL_CERT_FILE",
                                      "SSL_CERT_DIR",
                                      "AWS_ENDPOINT_URL_S3",
                                      "AWS_ENDPOINT_URL",
                                      "AWS_REGION",
                                      "AWS_DEFAULT_REGION",
                                      "CLOUD_DOMAIN",
                                      "LANG",
                                      "LC_ALL",
                                      "TZ"};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcasecmp(names[i], name) == 0)
      return true;
  return false;
}

static void write_value(FILE *out, const char *name, const char *value, const char *source) {
  char shown[512];
  bool is_proxy = strlen(name) > 5 && strcasecmp(name + strlen(name) - 6, "_proxy") == 0;

  if (!is_harmless(name) && strchr(value, '@') == NULL)
    value = *value ? "(set)" : "(empty)";
  else if (strchr(value, '@')) /* a URL with a user name and password, or an address */
    value = is_proxy || strcmp(name, "proxy") == 0
                ? shown_value("proxy", value, shown, sizeof shown)
                : "(set)";
  fprintf(out, "%s = ", name);
  print_safe(out, value);
  fprintf(out, "%s%s\n", *source ? "  # " : "", source);
}

/* 1 for the profile that the file names first: a profile may be named for a user. */
static size_t number_of_profile(const config *c, size_t entry) {
  size_t number = 0;

  for (size_t i = 0, k; i < c->count; i++) {
    for (k = 0; strcmp(c->v[k].profile, c->v[i].profile) != 0; k++)
      ;
    number += k == i;
    if (strcmp(c->v[i].profile, c->v[entry].profile) == 0)
      break;
  }
  return number;
}

static void write_configuration(FILE *out, const doctor *d) {
  char source[96];
  config c;

  if (!config_read(d->s, &c))
    return;
  fprintf(out, "# %s%s\n", c.path ? c.path : "no HOME", c.exists ? "" : " (no such file)");
  for (size_t i = 0; i < c.count; i++) {
    const char *dot = strrchr(c.v[i].key, '.');
    snprintf(source, sizeof source, "line %u", c.v[i].line);
    if (i == 0 || strcmp(c.v[i].profile, c.v[i - 1].profile) != 0)
      fprintf(out, "[profile %zu]\n", number_of_profile(&c, i));
    write_value(out, dot ? dot + 1 : c.v[i].key, c.v[i].value, source);
  }
  config_free(&c);
}

static bool concerns_us(const char *variable) {
  static const char *const prefixes[] = {
      "IGTCLOUD_",      "CLOUD_", "AWS_",    "REQUESTS_CA_", "CURL_CA_", "SSL_CERT_",
      "XDG_STATE_HOME", "LANG=",  "LC_ALL=", "TZ=",          "TMPDIR="};
  size_t n = strcspn(variable, "=");

  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
      return true;
  return n > 6 && strncasecmp(variable + n - 6, "_proxy", 6) == 0;
}

static void write_environment(FILE *out, const doctor *d) {
  (void)d;
  for (char **v = os_environment(); *v; v++) {
    char name[128];
    size_t n = strcspn(*v, "=");
    if (!concerns_us(*v) || n >= sizeof name || !(*v)[n])
      continue;
    snprintf(name, sizeof name, "%.*s", (int)n, *v);
    write_value(out, name, *v + n + 1, "");
  }
}

/* ---- the archive: POSIX.1-1988 ustar ---- */

#define BLOCK 512

static void fill_header(char header[BLOCK], const char *name, size_t size) {
  unsigned sum = 0;

  memset(header, 0, BLOCK);
  snprintf(header, 100, "igtcloud-doctor/%s", name);
  snprintf(header + 100, 8, "%07o", 0600u);
  snprintf(header + 108, 8, "%07o", 0u);
  snprintf(header + 116, 8, "%07o", 0u);
  snprintf(header + 124, 12, "%011llo", (unsigned long long)size & 077777777777);
  snprintf(header + 136, 12, "%011llo", (unsigned long long)time(NULL) & 077777777777);
  memset(header + 148, ' ', 8);
  header[156] = '0';
  memcpy(header + 257, "ustar\00000", 8);
  for (size_t i = 0; i < BLOCK; i++)
    sum += (unsigned char)header[i];
  snprintf(header + 148, 7, "%06o", sum & 0777777);
}

typedef void (*text_fn)(FILE *out, const doctor *d);

static bool add_text(int fd, const doctor *d, const char *name, text_fn fn) {
  static const char zeros[BLOCK];
  char header[BLOCK], *raw = NULL, *text;
  size_t n = 0;
  FILE *out = open_memstream(&raw, &n);

  if (!out)
    return false;
  fn(out, d);
  if (fclose(out) != 0 || !(text = without_names(d, raw))) {
    free(raw);
    return false;
  }
  n = strlen(text);
  fill_header(header, name, n);
  bool good = write_all(fd, header, sizeof header) && write_all(fd, text, n) &&
              write_all(fd, zeros, (BLOCK - n % BLOCK) % BLOCK);
  free(raw);
  free(text);
  return good;
}

static bool write_archive(int fd, const doctor *d) {
  static const struct {
    const char *name;
    text_fn fn;
  } members[] = {{"doctor.txt", write_findings},
                 {"doctor.json", write_json},
                 {"system.txt", write_system},
                 {"configuration.txt", write_configuration},
                 {"environment.txt", write_environment}};
  static const char end[2 * BLOCK];

  for (size_t i = 0; i < sizeof members / sizeof *members; i++)
    if (!add_text(fd, d, members[i].name, members[i].fn))
      return false;
  return write_all(fd, end, sizeof end);
}

static int write_to_output(const doctor *d) {
  errno = 0;
  if (write_archive(d->output, d))
    return EXIT_DONE;
  complain_io(errno ? errno : ENOMEM, "cannot write the bundle to standard output: %s",
              strerror(errno ? errno : ENOMEM));
  return EXIT_FAILED;
}

int create_bundle(const char *path) {
  int fd = igt__os_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

  if (fd < 0)
    complain_io(errno, "cannot create the bundle '%s': %s%s", path, strerror(errno),
                errno == EEXIST ? "; name another file, or delete that one first" : "");
  return fd;
}

void drop_bundle(const char *path, int fd) {
  (void)igt__os_close(fd);
  (void)igt__os_unlink(path);
}

int write_bundle(doctor *d, const char *path, int fd) {
  int why;

  if (fd < 0)
    return write_to_output(d);
  errno = 0;
  why = write_archive(fd, d) && igt__os_sync(fd) == 0 ? 0 : errno ? errno : ENOMEM;
  if (igt__os_close(fd) != 0 && !why)
    why = errno; /* some file systems report a failed write only now */
  if (why) {
    (void)igt__os_unlink(path);
    complain_io(why, "cannot write the bundle '%s': %s", path, strerror(why));
    return EXIT_FAILED;
  }
  message(d->s, "%s: for a support ticket; look through it first (tar xf)", path);
  return EXIT_DONE;
}
