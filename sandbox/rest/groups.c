/* SPDX-License-Identifier: MIT */
/* Groups of an organization, which here is an institute, a project or the sandbox as a whole. A
 * group is a role: its members have the role's rights, in the whole sandbox. Memberships are
 * documents of their own, and are repeated in the users' profiles. routes.c calls each function for
 * its route. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

bool rest_organization(rest_call *call, const char **name) {
  const char *id = call->args[0];
  igt__json *doc = sbx_doc_get(call->server->store, "institute", id);
  bool known = true;

  if (!doc)
    doc = sbx_doc_get(call->server->store, "project", id);
  if (!doc && strcmp(id, REST_ORGANIZATION) != 0) {
    rest_fail(call, 404, "Organization %.100s does not exist", id);
    known = false;
  }
  if (name)
    *name = doc ? rest_keep(call, igt__json_get_str(doc, "name")) : id;
  igt__json_free(doc);
  return known;
}

void rest_groups_get(rest_call *call) {
  igt__json *list;
  const char *name;

  if (!rest_organization(call, NULL))
    return;
  list = igt__json_new_array();
  for (size_t i = 0; (name = rest_role_name(i)); i++) {
    igt__json *group = igt__json_new_object();
    igt__json_set_str(group, "id", name);
    igt__json_set_str(group, "name", name);
    igt__json_push(list, group);
  }
  rest_respond(call, 200, list);
}

void rest_users_groups_get(rest_call *call) {
  if (rest_organization(call, NULL))
    rest_respond_docs(call, "users-groups", call->args[0], NULL, NULL, NULL);
}

/* ---- changing members ---- */

static bool groups_known(rest_call *call, const igt__json *groups) {
  for (size_t i = 0; i < igt__json_count(groups); i++) {
    const char *group = igt__json_str(igt__json_at(groups, i));
    if (!rest_role_known(group)) {
      rest_fail(call, 400, "UsersGroups.groupIds: group %.60s does not exist", group ? group : "");
      return false;
    }
  }
  return true;
}

/* Replaces the roles that the user's profile has for this organization. */
static void set_roles(igt__json *user, const char *id, const char *name, const igt__json *groups) {
  igt__json *profile = igt__json_get(user, "profile"), *list = igt__json_new_array();
  const igt__json *old = igt__json_get(profile, "organizationRoles");

  for (size_t i = 0; i < igt__json_count(old); i++) {
    const igt__json *role = igt__json_at(old, i);
    if (!igt__str_eq(igt__json_get_str(role, "organizationId"), id))
      igt__json_push(list, igt__json_copy(role));
  }
  if (igt__json_count(groups) > 0) {
    igt__json *role = igt__json_new_object();
    igt__json_set(role, "groups", igt__json_copy(groups));
    igt__json_set_str(role, "organizationId", id);
    igt__json_set_str(role, "organizationName", name);
    igt__json_set(role, "permissions", igt__json_new_array());
    igt__json_set(role, "roles", igt__json_copy(groups));
    igt__json_push(list, role);
  }
  igt__json_set(profile, "organizationRoles", list);
}

static bool add_entry(void *payload, const char *id, const char *doc, size_t n) {
  igt__json *entry = NULL;

  (void)id;
  if (igt__json_parse(doc, n, "an entry", &entry, NULL) == IGT_OK)
    igt__json_push(payload, entry);
  return true;
}

static bool membership_store(rest_call *call, const char *uuid, const igt__json *groups) {
  igt__json *entry = igt__json_new_object();
  igt__buf id;

  igt__buf_init(&id, 4096);
  igt__buf_printf(&id, "%s/%s", call->args[0], uuid);
  igt__json_set_str(entry, "userId", uuid);
  igt__json_set(entry, "groupIds", groups ? igt__json_copy(groups) : igt__json_new_array());
  bool ok = rest_store(call, "users-groups", id.data, call->args[0], entry);
  igt__buf_finish(&id);
  igt__json_free(entry);
  return ok;
}

void rest_users_groups_put(rest_call *call) {
  const char *uuid = igt__json_get_str(call->json, "userId"), *name;
  const igt__json *groups = igt__json_get(call->json, "groupIds");
  igt__json *user, *list;

  if (!rest_organization(call, &name) || !groups_known(call, groups))
    return;
  user = uuid ? rest_user_by_uuid(call->server, uuid) : NULL;
  if (!user) {
    rest_fail(call, 400, "UsersGroups.userId: user %.60s does not exist", uuid ? uuid : "");
    return;
  }
  set_roles(user, call->args[0], name, groups);
  if (membership_store(call, uuid, groups) &&
      rest_store(call, "user", igt__json_get_str(user, "loginId"), NULL, user)) {
    list = igt__json_new_array();
    sbx_doc_each(call->server->store, "users-groups", call->args[0], add_entry, list);
    rest_respond(call, 201, list);
  }
  igt__json_free(user);
}
