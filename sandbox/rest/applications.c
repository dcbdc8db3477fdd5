/* SPDX-License-Identifier: MIT */
/* Applications that open files, which of them a project has, and the sites of EPD studies: small
 * lists that managers maintain. Each entry is a document with a number as its id. routes.c calls
 * each function for its route; seeds create entries, too. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* "a, b" to ["a", "b"]: clients send these lists as one string and receive lists. */
static igt__json *list_of(const char *text) {
  igt__json *list = igt__json_new_array();

  while (text && *text) {
    size_t n = strcspn(text, ","), begin = strspn(text, " ");
    size_t end = n;
    while (end > begin && text[end - 1] == ' ')
      end--;
    if (end > begin)
      igt__json_push(list, igt__json_new_strn(text + begin, end - begin));
    text += n;
    text += *text == ',';
  }
  return list;
}

igt__json *rest_application_new(const igt__json *body, int64_t id) {
  const igt__json *enabled = igt__json_get(body, "enabled");
  const char *app = igt__json_get_str(body, "appId"), *name = igt__json_get_str(body, "name");
  const char *environment = igt__json_get_str(body, "vmEnvironment");
  igt__json *out = igt__json_new_object();

  igt__json_set_int(out, "id", id);
  igt__json_set_str(out, "appId", app ? app : "");
  igt__json_set_str(out, "name", name ? name : app ? app : "");
  igt__json_set(out, "supportedFormats", list_of(igt__json_get_str(body, "supportedFormats")));
  igt__json_set_str(out, "vmEnvironment", environment ? environment : "");
  igt__json_set(out, "defaultInProjectTypes",
                list_of(igt__json_get_str(body, "defaultInProjectTypes")));
  igt__json_set_bool(out, "enabled", !enabled || igt__json_bool(enabled));
  return out;
}

/* Stores a new document under the next number and responds with it; takes ownership of doc. */
static bool store_numbered(rest_call *call, const char *kind, igt__json *doc) {
  char id[24];
  int64_t number = rest_next_number(call->server, kind);

  snprintf(id, sizeof id, "%lld", (long long)number);
  igt__json_set_int(doc, "id", number);
  bool ok = rest_store(call, kind, id, NULL, number > 0 ? doc : NULL);
  return ok;
}

/* ---- applications ---- */

static bool enabled_is(void *payload, const igt__json *doc) {
  const bool *wanted = payload;

  return igt__json_bool(igt__json_get(doc, "enabled")) == *wanted;
}

void rest_applications_get(rest_call *call) {
  static bool yes = true, no = false;

  if (!sbx_query_has(call->req, "enabled"))
    rest_respond_docs(call, "application", NULL, NULL, NULL, NULL);
  else
    rest_respond_docs(call, "application", NULL, enabled_is, NULL,
                      rest_query_bool(call, "enabled", false) ? &yes : &no);
}

void rest_applications_post(rest_call *call) {
  igt__json *application = rest_application_new(call->json, 0);

  if (store_numbered(call, "application", application))
    rest_respond(call, 200, application);
  else
    igt__json_free(application);
}

static bool add_formats(void *payload, const char *id, const char *doc, size_t n) {
  igt__json *application = NULL;

  (void)id;
  if (igt__json_parse(doc, n, "an application", &application, NULL) != IGT_OK)
    return true;
  const igt__json *formats = igt__json_get(application, "supportedFormats");
  for (size_t i = 0; i < igt__json_count(formats); i++)
    rest_push_once(payload, igt__json_str(igt__json_at(formats, i)));
  igt__json_free(application);
  return true;
}

void rest_application_formats(rest_call *call) {
  igt__json *list = igt__json_new_array();

  sbx_doc_each(call->server->store, "application", NULL, add_formats, list);
  rest_respond(call, 200, list);
}

void rest_application_get(rest_call *call) {
  igt__json *application = rest_find(call, "application", call->args[0], "Application");

  if (application)
    rest_respond(call, 200, application);
}

void rest_application_put(rest_call *call) {
  igt__json *old = rest_find(call, "application", call->args[0], "Application"), *application;

  if (!old)
    return;
  application = rest_application_new(call->json, igt__json_int(igt__json_get(old, "id")));
  if (rest_store(call, "application", call->args[0], NULL, application))
    rest_respond(call, 200, application);
  else
    igt__json_free(application);
  igt__json_free(old);
}

/* The id of a project's application: "PROJECT/NUMBER". */
static void project_application_id(const char *project, const char *number, igt__buf *out) {
  igt__buf_init(out, 4096);
  igt__buf_printf(out, "%s/%s", project, number);
}

static bool add_holder(void *payload, const char *id, const char *doc, size_t n) {
  (void)doc;
  (void)n;
  return igt__json_push(payload, igt__json_new_str(id));
}

void rest_application_delete(rest_call *call) {
  igt__json *ids = igt__json_new_array();

  if (rest_exists(call, "application", call->args[0], "Application")) {
    sbx_doc_each(call->server->store, "project-application", NULL, add_holder, ids);
    for (size_t i = 0; i < igt__json_count(ids); i++) {
      const char *id = igt__json_str(igt__json_at(ids, i)), *slash = strrchr(id, '/');
      if (slash && strcmp(slash + 1, call->args[0]) == 0)
        sbx_doc_delete(call->server->store, "project-application", id);
    }
    sbx_doc_delete(call->server->store, "application", call->args[0]);
    rest_respond_empty(call, 204);
  }
  igt__json_free(ids);
}

/* ---- applications of a project ---- */

typedef struct holder {
  rest_call *call;
  igt__json *list;
} holder;

static bool add_application(void *payload, const char *id, const char *doc, size_t n) {
  holder *h = payload;
  const char *slash = strrchr(id, '/');

  (void)doc;
  (void)n;
  igt__json *application =
      slash ? sbx_doc_get(h->call->server->store, "application", slash + 1) : NULL;
  if (application)
    igt__json_push(h->list, application);
  return true;
}

void rest_project_applications_get(rest_call *call) {
  holder h = {call, NULL};

  if (!rest_exists(call, "project", call->args[0], "Project"))
    return;
  h.list = igt__json_new_array();
  sbx_doc_each(call->server->store, "project-application", call->args[0], add_application, &h);
  rest_respond(call, 200, h.list);
}

void rest_project_applications_post(rest_call *call) {
  const igt__json *number = igt__json_get(call->json, "applicationId");
  igt__json *application, *link;
  char text[24];
  igt__buf id;

  if (!rest_exists(call, "project", call->args[0], "Project"))
    return;
  if (!number) {
    rest_fail(call, 400, "applicationId is required");
    return;
  }
  snprintf(text, sizeof text, "%lld", (long long)igt__json_int(number));
  application = rest_find(call, "application", text, "Application");
  if (!application)
    return;
  link = igt__json_new_object();
  project_application_id(call->args[0], text, &id);
  if (rest_store(call, "project-application", id.data, call->args[0], link))
    rest_respond(call, 200, application);
  else
    igt__json_free(application);
  igt__buf_finish(&id);
  igt__json_free(link);
}

void rest_project_application_delete(rest_call *call) {
  igt__buf id;

  if (!rest_exists(call, "project", call->args[0], "Project"))
    return;
  project_application_id(call->args[0], call->args[1], &id);
  if (sbx_doc_delete(call->server->store, "project-application", id.data))
    rest_respond_empty(call, 204);
  else
    rest_fail(call, 404, "The project has no application %.40s", call->args[1]);
  igt__buf_finish(&id);
}

/* ---- sites of EPD studies ---- */

void rest_sites_get(rest_call *call) {
  rest_respond_docs(call, "epd-site", NULL, NULL, NULL, NULL);
}

static igt__json *site_new(rest_call *call) {
  const char *name = igt__json_get_str(call->json, "name");
  igt__json *site;

  if (!name || !*name) {
    rest_fail(call, 400, "EpdSite.name is required");
    return NULL;
  }
  site = igt__json_new_object();
  igt__json_set_int(site, "id", 0);
  igt__json_set_str(site, "name", name);
  return site;
}

void rest_sites_post(rest_call *call) {
  igt__json *site = site_new(call);

  if (site && store_numbered(call, "epd-site", site))
    rest_sites_get(call); /* as in the description: responds with all of them */
  igt__json_free(site);
}

void rest_site_get(rest_call *call) {
  igt__json *site = rest_find(call, "epd-site", call->args[0], "Site");

  if (site)
    rest_respond(call, 200, site);
}

void rest_site_put(rest_call *call) {
  igt__json *old = rest_find(call, "epd-site", call->args[0], "Site");
  igt__json *site = old ? site_new(call) : NULL;

  if (site) {
    igt__json_set(site, "id", igt__json_copy(igt__json_get(old, "id")));
    if (rest_store(call, "epd-site", call->args[0], NULL, site)) {
      rest_respond(call, 200, site);
      site = NULL;
    }
  }
  igt__json_free(site);
  igt__json_free(old);
}

void rest_site_delete(rest_call *call) {
  if (!rest_exists(call, "epd-site", call->args[0], "Site"))
    return;
  sbx_doc_delete(call->server->store, "epd-site", call->args[0]);
  rest_respond_empty(call, 204);
}
