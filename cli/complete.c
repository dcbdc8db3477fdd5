/* SPDX-License-Identifier: MIT */
/* `igtcloud __complete WORD...`, which the shells' completions call for arguments that are names in
 * the cloud: prints the candidates for the last word, one per line. The words before it are read as
 * the command line itself is, so that --domain, variables and the profile apply. Uses the running
 * login (or CLOUD_JWT_TOKEN) and nothing else: it never asks, signs in, or says what went wrong,
 * and ends after 0.9 s. complete_cache.c of os/ keeps a list for some seconds. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "complete.h"

#define TIME_MS 900
/* Of a project, whose studies are offered together: each is a request. */
#define INSTITUTES_MOST 8
/* More names are of no use in a menu. */
#define NAMES_MOST ((size_t)1024 * 1024)

/* What is to be completed. */
typedef struct wanted {
  const char *parent; /* path of the place whose children are candidates; "" for projects */
  const char *prefix; /* of the candidates, such as "igt:trial/" */
  bool continues;     /* the children have children that may be named: candidates end with '/' */
} wanted;

/* ---- listing ---- */

typedef struct names {
  FILE *out;
  const char *patient; /* of the studies; "" for patients */
  char last[256];      /* patients of adjacent studies are listed once */
  size_t length;
} names;

/* A shell writes the names to the terminal as they are. */
static bool is_harmless(const char *name) {
  unsigned columns;

  for (; *name; name += next_character(name, &columns))
    if (!is_plain(name))
      return false;
  return true;
}

static igt_status each_child(void *payload, igt_node *child) {
  names *n = payload;
  const char *name = igt_node_name(child), *shown = name;
  size_t len = strlen(name), patient = strlen(n->patient);

  if (igt_node_kind_of(child) == IGT_NODE_STUDY && patient) {
    if (strncmp(name, n->patient, patient) != 0 || name[patient] != '/')
      return IGT_OK;
    shown = name + patient + 1;
    len = strlen(shown);
  } else if (igt_node_kind_of(child) == IGT_NODE_STUDY && strrchr(name, '/')) {
    len = (size_t)(strrchr(name, '/') - name);
  }
  if (!is_harmless(shown) || len >= sizeof n->last ||
      (strlen(n->last) == len && strncmp(n->last, shown, len) == 0))
    return IGT_OK;
  snprintf(n->last, sizeof n->last, "%.*s", (int)len, shown);
  n->length += len + 2;
  fprintf(n->out, "%s%s\n", n->last, shown[len] ? "/" : ""); /* a patient has studies */
  return n->length < NAMES_MOST ? IGT_OK : IGT_E_CANCELLED;
}

static igt_client *open_quietly(const settings *s) {
  igt_client_options o = IGT_CLIENT_OPTIONS_INIT;
  const char *variable = getenv("CLOUD_DOMAIN");
  igt_token *token = NULL;
  igt_client *client = NULL;

  if (igt_token_read(NULL, &token, NULL) != IGT_OK)
    token = NULL;
  o.domain = s->domain ? s->domain : variable ? variable : token ? igt_token_domain(token) : NULL;
  o.user = s->user;
  o.ca_file = s->ca_file;
  o.proxy = s->proxy;
  o.retries = -1;
  o.connect_timeout_ms = o.idle_timeout_ms = 1000;
  if ((token || getenv("CLOUD_JWT_TOKEN")) && o.domain && *o.domain &&
      igt_client_new(&o, &client, NULL) != IGT_OK)
    client = NULL;
  igt_token_free(token);
  return client;
}

static igt_node_kind children_of(const igt_node_target *t) {
  if (t->kind != IGT_NODE_NONE)
    return t->kind == IGT_NODE_STUDY ? IGT_NODE_STUDY : IGT_NODE_NONE;
  switch (igt_node_kind_of(t->node)) {
  case IGT_NODE_CLOUD:
    return IGT_NODE_PROJECT;
  case IGT_NODE_PROJECT:
    return IGT_NODE_INSTITUTE;
  case IGT_NODE_INSTITUTE:
    return IGT_NODE_STUDY;
  default:
    return IGT_NODE_NONE;
  }
}

/* Its children's names as lines; the caller's. */
static char *list_children(const settings *s, const char *parent) {
  igt_client *client = open_quietly(s);
  igt_node_target target = IGT_NODE_TARGET_INIT;
  igt_node *cloud = NULL;
  char *text = NULL;
  size_t size = 0;
  names n = {.out = open_memstream(&text, &size), .patient = "", .last = ""};

  if (client && n.out && igt_client_sign_in(client, NULL) == IGT_OK &&
      igt_cloud_open(client, &cloud, NULL) == IGT_OK &&
      igt_node_resolve(cloud, parent, &target, NULL) == IGT_OK &&
      children_of(&target) != IGT_NODE_NONE) {
    n.patient = target.kind == IGT_NODE_STUDY ? target.rest : "";
    (void)!igt_node_each(target.node, children_of(&target), each_child, &n, NULL);
  }
  if (n.out)
    fclose(n.out);
  igt_cloud_close(cloud);
  igt_client_free(client);
  return text;
}

/* ---- candidates ---- */

static void print_candidates(const wanted *w, const char *text, const char *typed) {
  char line[1024];

  for (size_t n; *text; text += n + (text[n] == '\n')) {
    n = strcspn(text, "\n");
    snprintf(line, sizeof line, "%s%.*s%s", w->prefix, (int)n, text,
             w->continues && n && text[n - 1] != '/' ? "/" : "");
    if (strncmp(line, typed, strlen(typed)) == 0 && *line != '-') /* it would be an option */
      printf("%s\n", line);
  }
}

static void offer(const settings *s, const wanted *w, const char *typed) {
  const char *domain = getenv("CLOUD_DOMAIN");
  char key[1024];
  char *text;

  snprintf(key, sizeof key, "%s\n%s\n%s\n%s\n", s->domain ? s->domain : "", domain ? domain : "",
           s->user ? s->user : "", w->parent);
  text = cache_read(key);
  if (!text && (text = list_children(s, w->parent)) != NULL && *text)
    cache_write(key, text);
  if (text)
    print_candidates(w, text, typed);
  free(text);
}

/* A path whose last component is being typed, of at most so many components. */
static void offer_path(const settings *s, const char *typed, size_t depth) {
  const char *path = remote_path(typed), *slash = strrchr(path, '/');
  char parent[1024] = "", prefix[1024];
  size_t at = 1;
  wanted w = {.parent = parent, .prefix = prefix};

  if (slash)
    snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
  for (const char *p = parent; *p; p++)
    at += *p == '/';
  at += *parent != '\0';
  if (at > depth || strlen(typed) >= sizeof prefix)
    return;
  snprintf(prefix, sizeof prefix, "%.*s", (int)((slash ? slash + 1 : path) - typed), typed);
  w.continues = at < depth;
  offer(s, &w, typed);
}

/* The n-th of a command's arguments; false: there is none. */
static bool argument_at(const command *cmd, size_t n, char *out, size_t cap) {
  const char *p = cmd->arguments + strspn(cmd->arguments, " ");

  for (size_t i = 0; *p; i++) {
    size_t len = strcspn(p, " "), at = 0;
    for (size_t k = 0; k < len && i == n && at + 1 < cap; k++)
      if (!strchr("[].", p[k]))
        out[at++] = p[k];
    out[at] = '\0';
    if (i == n)
      return true;
    p += len + strspn(p + len, " ");
  }
  return false;
}

/* Keys of the configuration: the options that it can set, which several commands share. */
typedef struct keys {
  const char *typed;
  const char *done[512];
  size_t count;
} keys;

static void offer_key(void *payload, const command *cmd, const option *o) {
  keys *k = payload;

  (void)cmd;
  if (!config_key_exists(o->name) || strncmp(o->name, k->typed, strlen(k->typed)) != 0)
    return;
  for (size_t i = 0; i < k->count; i++)
    if (strcmp(k->done[i], o->name) == 0)
      return;
  if (k->count < sizeof k->done / sizeof *k->done)
    k->done[k->count++] = o->name;
  printf("%s\n", o->name);
}

static void offer_keys(const char *typed) {
  keys k = {.typed = typed};

  for (size_t i = 0; commands[i]; i++)
    each_option(commands[i], offer_key, &k);
}

static void offer_argument(const settings *s, const command *cmd, const char *typed) {
  char name[128];
  size_t depth = 1;

  if (strncmp(typed, REMOTE, strlen(REMOTE)) == 0) {
    offer_path(s, typed, 4);
    return;
  }
  if (!argument_at(cmd, s->argument_count, name, sizeof name))
    return;
  if (strcmp(name, "KEY") == 0)
    offer_keys(typed);
  if (strcmp(name, "INSTITUTE") == 0 && s->argument_count > 0) {
    offer(s, &(wanted){s->arguments[s->argument_count - 1], "", false}, typed);
  } else if (strncmp(name, "PROJECT", strlen("PROJECT")) == 0) {
    for (const char *p = name; *p; p++)
      depth += *p == '/';
    if (depth == 3 && strstr(name, "STUDY")) /* PATIENT/STUDY */
      depth = 4;
    if (depth == 1)
      offer(s, &(wanted){"", "", false}, typed);
    else
      offer_path(s, typed, depth < 4 ? depth : 4);
  }
}

/* The argument of this name, such as the project of a command whose --institute is being typed. */
static const char *given_argument(const settings *s, const command *cmd, const char *begin) {
  char name[128];

  for (size_t i = 0; i < s->argument_count; i++)
    if (argument_at(cmd, i, name, sizeof name) && strncmp(name, begin, strlen(begin)) == 0)
      return s->arguments[i];
  return NULL;
}

static void offer_institutes(const settings *s, const command *cmd, const char *typed) {
  const char *project = given_argument(s, cmd, "PROJECT");

  if (project)
    offer(s, &(wanted){remote_path(project), "", false}, typed);
}

/* PATIENT/STUDY, or STUDY where there are no patients. */
static void offer_studies_of(const settings *s, const char *project, const char *institute,
                             size_t n, const char *typed) {
  const char *slash = strchr(typed, '/');
  int patient = slash ? (int)(slash - typed) : 0;
  char parent[1024], prefix[256];

  if (snprintf(parent, sizeof parent, "%s/%.*s%s%.*s", remote_path(project), (int)n, institute,
               slash ? "/" : "", patient, typed) < (int)sizeof parent &&
      snprintf(prefix, sizeof prefix, "%.*s", slash ? patient + 1 : 0, typed) < (int)sizeof prefix)
    offer(s, &(wanted){parent, prefix, false}, typed);
}

/* --study: of the institutes that were named, or of the project's first ones. */
static void offer_studies(const settings *s, const command *cmd, const char *typed) {
  const char *project = given_argument(s, cmd, "PROJECT"), *one = given_argument(s, cmd, "INST");
  char *all = NULL;
  size_t most = INSTITUTES_MOST;

  if (!project)
    return;
  for (size_t i = 0; i < s->institute.count; i++)
    offer_studies_of(s, project, s->institute.v[i], strlen(s->institute.v[i]), typed);
  if (one)
    offer_studies_of(s, project, one, strlen(one), typed);
  if (!one && !s->institute.count)
    all = list_children(s, remote_path(project));
  for (const char *p = all; p && *p && most--; p += strcspn(p, "\n") + 1)
    offer_studies_of(s, project, p, strcspn(p, "\n"), typed);
  free(all);
}

/* ---- the call ---- */

int complete(int argc, char **argv) {
  settings s = {.retries = 0};
  const char *typed = argc > 0 ? argv[argc - 1] : "";
  const command *cmd;
  size_t taken = 0, leading = argc > 1 ? leading_words(argc - 1, argv) : 0;
  int n = argc - 1;

  limit_time(TIME_MS);
  if (!freopen("/dev/null", "w", stderr) || n < 1 ||
      !(cmd = command_named((const char *const *)argv + leading, (size_t)n - leading, &taken)))
    return EXIT_DONE;
  move_behind_name(argv, leading, taken);
  if (n > 0 && strcmp(argv[n - 1], "=") == 0) /* bash takes --name=value apart */
    n--;
  bool institute = n > (int)taken && strcmp(argv[n - 1], "--institute") == 0;
  bool study = n > (int)taken && strcmp(argv[n - 1], "--study") == 0;
  n -= institute || study;
  (void)parse_options(cmd, n - (int)taken, argv + taken, &s); /* more arguments may follow */
  if (institute)
    offer_institutes(&s, cmd, typed);
  else if (study)
    offer_studies(&s, cmd, typed);
  else
    offer_argument(&s, cmd, typed);
  return EXIT_DONE;
}
