/* SPDX-License-Identifier: MIT */
/* The client of a station. It is replaced when the settings are reloaded and when the key file has
 * changed; transfers that began with the old client keep it until they end, so it is counted.
 * Signing in may wait for the network, so it runs on a thread of its own, and the loop waits for
 * that thread's descriptor. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "igtcloud/name.h"
#include "station/station.h"

/* ---- the client ---- */

line *line_open(const settings *s, const char *environment, int *exit_status) {
  igt_client_options o = IGT_CLIENT_OPTIONS_INIT;
  line *l = calloc(1, sizeof *l);
  igt_error err = IGT_ERROR_INIT;

  *exit_status = EXIT_FAILED;
  if (!l || !(l->cancel = igt_cancel_new())) {
    free(l);
    complain(IGT_E_NO_MEMORY, "out of memory");
    return NULL;
  }
  if (!client_options(s, environment, &o, exit_status)) {
    igt_cancel_free(l->cancel);
    free(l);
    return NULL;
  }
  o.cancel = l->cancel;
  if (igt_client_new(&o, &l->client, &err) != IGT_OK) {
    *exit_status = fail(&err);
    igt_cancel_free(l->cancel);
    free(l);
    return NULL;
  }
  session_use(l->client);
  l->users = 1;
  return l;
}

line *line_use(line *l) {
  l->users++;
  return l;
}

void line_drop(line *l) {
  if (!l || --l->users > 0)
    return;
  /* Signing out is a request, for which the loop would wait: the session expires by itself. */
  igt_client_free(l->client);
  igt_cancel_free(l->cancel);
  free(l);
}

/* ---- the thread ---- */

struct inquiry {
  pthread_t thread;
  line *l;
  char *project, *institute;
  char *key_file;
  int ended; /* readable from the end of the thread on */
  findings found;
};

static igt_status put_name(void *payload, igt_node *institute) {
  FILE *out = payload;
  const char *name = igt_node_name(institute);

  if (*name) {
    fputs(name, out);
    fputc('\0', out);
  }
  return IGT_OK;
}

/* Who may not list them uploads all the same: then they are unknown. */
static char *institutes_of(igt_node *project) {
  char *text = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);
  igt_status status;

  if (!out)
    return NULL;
  status = igt_node_each(project, IGT_NODE_INSTITUTE, put_name, out, NULL);
  fputc('\0', out);
  if (fclose(out) == 0 && status == IGT_OK)
    return text;
  free(text);
  return NULL;
}

/* As transfers match them: exactly, but in any Unicode form. */
static bool is_named(const char *name, const char *wanted) {
  return strcmp(name, wanted) == 0 ||
         (igt_name_distance(wanted, name) == 0 && strcasecmp(name, wanted) != 0);
}

/* The folders of an institute that does not exist would never be looked at, nor be missed. */
static void look_for_institute(const inquiry *q, findings *out) {
  suggestion best = {.name = NULL};
  char like[512];

  if (!q->institute || strcmp(q->institute, "*") == 0 || strncmp(q->institute, "id:", 3) == 0 ||
      !out->institutes)
    return;
  for (const char *p = out->institutes; *p; p += strlen(p) + 1) {
    if (is_named(p, q->institute))
      return;
    suggest(&best, q->institute, p);
  }
  out->status = IGT_E_NOT_FOUND;
  (void)snprintf(out->text, sizeof out->text, "the project '%s' has no institute '%s'%s",
                 q->project, q->institute, suggestion_text(&best, like, sizeof like));
}

static void look_for_project(const inquiry *q, findings *out, igt_error *err) {
  igt_node_target target = IGT_NODE_TARGET_INIT;
  igt_node *cloud = NULL;

  out->status = igt_cloud_open(q->l->client, &cloud, err);
  if (out->status == IGT_OK)
    out->status = igt_node_resolve(cloud, q->project, &target, err);
  if (out->status == IGT_OK && igt_node_kind_of(target.node) == IGT_NODE_PROJECT)
    out->institutes = institutes_of(target.node);
  igt_cloud_close(cloud);
}

static void *inquire(void *arg) {
  inquiry *q = arg;
  findings *out = &q->found;
  igt_error err = IGT_ERROR_INIT;
  igt_key_info key = IGT_KEY_INFO_INIT;

  out->status = igt_client_sign_in(q->l->client, &err);
  if (out->status == IGT_OK)
    out->status = igt_client_identity(q->l->client, &out->identity, &err);
  if (out->status == IGT_OK)
    look_for_project(q, out, &err);
  if (out->status != IGT_OK)
    (void)snprintf(out->text, sizeof out->text, "%s",
                   *err.text ? err.text : igt_status_text(out->status));
  else
    look_for_institute(q, out);
  if (q->key_file && igt_key_info_read(q->key_file, &key, NULL) == IGT_OK)
    out->key_expires = key.expires;
  igt__os_event_set(q->ended);
  return NULL;
}

static void inquiry_free(inquiry *q) {
  if (q->ended >= 0)
    igt__os_event_close(q->ended);
  line_drop(q->l);
  free(q->project);
  free(q->institute);
  free(q->key_file);
  free(q);
}

os_source inquiry_start(inquiry **out, line *l, const settings *s, const char *institute) {
  inquiry *q = calloc(1, sizeof *q);

  *out = NULL;
  if (!q)
    return OS_NO_SOURCE;
  q->ended = -1;
  q->found.identity = (igt_identity)IGT_IDENTITY_INIT;
  q->l = line_use(l);
  q->project = strdup(s->arguments[1]);
  q->institute = institute ? strdup(institute) : NULL;
  q->key_file = s->service_file ? strdup(s->service_file) : NULL;
  if (!q->project || (institute && !q->institute) || (s->service_file && !q->key_file) ||
      (q->ended = igt__os_event_new()) < 0 ||
      os_start_thread(&q->thread, "igt-inquiry", inquire, q) != 0) {
    inquiry_free(q);
    return OS_NO_SOURCE;
  }
  *out = q;
  return q->ended;
}

void inquiry_end(inquiry *q, findings *out) {
  pthread_join(q->thread, NULL);
  if (out)
    *out = q->found;
  else
    free(q->found.institutes);
  inquiry_free(q);
}
