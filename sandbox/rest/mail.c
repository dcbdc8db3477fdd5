/* SPDX-License-Identifier: MIT */
/* Stores the mails that the cloud would send; users with the right to manage users can read them:
 * GET /__mail. They contain activation tokens and links to files. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "crypto/crypto.h"

#define ACTIVATION_CHARS 32

bool rest_mail_send(sbx_server *server, const char *to, const char *subject, const char *text) {
  char id[37], now[40];
  igt__json *mail = igt__json_new_object();

  rest_now(now);
  igt__json_set_str(mail, "to", to);
  igt__json_set_str(mail, "subject", subject);
  igt__json_set_str(mail, "text", text);
  igt__json_set_str(mail, "on", now);
  bool ok = mail && igt__uuid(id) && sbx_doc_put(server->store, "mail", id, NULL, mail);
  igt__json_free(mail);
  return ok;
}

void rest_mail_get(rest_call *call) {
  rest_respond_docs(call, "mail", NULL, NULL, NULL, NULL);
}

void rest_audit_get(rest_call *call) {
  rest_respond_docs(call, "audit", NULL, NULL, NULL, NULL);
}

bool rest_activation_send(sbx_server *server, const char *login) {
  char token[ACTIVATION_CHARS + 1];
  bool ok = igt__random_token(token, ACTIVATION_CHARS) &&
            sbx_kv_put(server->store, "activation", token, login, 0) &&
            rest_mail_send(server, login, "Activate your account", token);

  igt__wipe(token, sizeof token);
  return ok;
}

/* Does what the page behind the link in that mail would do. */
void rest_activate(rest_call *call) {
  const char *token = igt__json_get_str(call->json, "token");
  const char *password = igt__json_get_str(call->json, "password");
  char *login = sbx_kv_get(call->server->store, "activation", token);
  igt__json *user = login ? sbx_doc_get(call->server->store, "user", login) : NULL;

  if (!user) {
    rest_fail(call, 404, "The token is not from an activation mail, or was already used");
  } else if (!*password) {
    rest_fail(call, 400, "Activation.password must not be empty");
  } else {
    igt__json_set_bool(igt__json_get(user, "accountStatus"), "emailVerified", true);
    if (rest_password_set(call->server, login, password) &&
        rest_store(call, "user", login, NULL, user)) {
      sbx_kv_delete(call->server->store, "activation", token);
      rest_respond_empty(call, 204);
    }
  }
  igt__json_free(user);
  igt__free(login);
}
