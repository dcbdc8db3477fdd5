/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "igtcloud/version.h"

int cmd_version(settings *s) {
  if (s->json)
    printf("{\"version\":\"%s\"}\n", igt_version());
  else
    printf("%s\n", igt_version());
  return EXIT_DONE;
}

static void format_end(int64_t seconds, char *out, size_t cap) {
  time_t t = (time_t)seconds;
  struct tm tm;

  if (seconds)
    strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
  else
    snprintf(out, cap, "an unknown time");
}

/* ---- login ---- */

typedef struct holding {
  const settings *s;
  int ready; /* a pipe to the parent of --background; -1: none */
} holding;

static void on_login(void *payload, igt_login_event event, const igt_identity *identity,
                     const igt_error *err) {
  holding *h = payload;
  char end[40];

  format_end(identity->expires, end, sizeof end);
  if (event == IGT_LOGIN_READY) {
    message(h->s, "Signed in as %s to %s", identity->user, identity->domain);
    if (h->ready >= 0) {
      (void)!write(h->ready, "+", 1);
      close(h->ready);
      h->ready = -1;
      int null = open("/dev/null", O_RDWR | O_CLOEXEC);
      if (null >= 0)
        for (int fd = 0; fd <= 2; fd++)
          dup2(null, fd);
    } else {
      message(h->s, "The session is kept fresh until this is interrupted (Ctrl-C).");
    }
  } else if (event == IGT_LOGIN_RENEWED) {
    message(h->s, "Renewed until %s", end);
  } else if (event == IGT_LOGIN_TROUBLE) {
    message(h->s, "Renewing failed and is tried again: %s", err ? err->text : "");
  } else if (err) {
    message(h->s, "The session was not signed out and ends by itself: %s", err->text);
  } else {
    message(h->s, "Signed out");
  }
}

static int hold(const settings *s, int ready) {
  igt_error err = IGT_ERROR_INIT;
  holding h = {s, ready};
  int status = EXIT_FAILED;
  igt_client *client = open_client(s, NULL, &status);

  if (!client)
    return status;
  status = EXIT_DONE;
  if (igt_login_hold(client, on_login, &h, &err) != IGT_OK && err.status != IGT_E_CANCELLED)
    status = fail(&err);
  igt_client_free(client);
  return status;
}

/* The child is made before any thread is; the parent goes once the child is signed in. */
static int hold_in_background(const settings *s) {
  int ends[2], status = 0;
  char byte;
  pid_t child;

  if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
    fprintf(stderr, "igtcloud: cannot go to the background: %s\n", strerror(errno));
    return EXIT_FAILED;
  }
  if (child == 0) {
    close(ends[0]);
    /* The terminal is asked for a password first; setsid would lose it, so Ctrl-C is kept out by
     * a process group of its own only once it is signed in. */
    return hold(s, ends[1]);
  }
  close(ends[1]);
  while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
    ;
  close(ends[0]);
  if (waitpid(child, &status, WNOHANG) == 0 && byte == '+')
    return EXIT_DONE;
  if (waitpid(child, &status, 0) < 0)
    return EXIT_FAILED;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

int cmd_login(settings *s) {
  return s->background ? hold_in_background(s) : hold(s, -1);
}

/* ---- the session of a login that runs ---- */

int cmd_logout(settings *s) {
  igt_token *token = NULL;
  igt_error err = IGT_ERROR_INIT;
  pid_t holder;

  if (igt_token_read(NULL, &token, &err) != IGT_OK) {
    if (err.status != IGT_E_NO_SESSION)
      return fail(&err);
    message(s, "Nobody is signed in");
    return EXIT_DONE;
  }
  holder = (pid_t)igt_token_holder(token);
  igt_token_free(token);
  if (holder <= 0 || kill(holder, SIGTERM) != 0) {
    fprintf(stderr, "igtcloud: no running login holds the token file; it ends by itself\n");
    return EXIT_FAILED;
  }
  for (int i = 0; i < 300; i++) { /* it signs out, which takes a request or two */
    struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    if (kill(holder, 0) != 0 && errno == ESRCH) {
      message(s, "Signed out");
      return EXIT_DONE;
    }
    if (igt_token_read(NULL, &token, NULL) != IGT_OK) {
      message(s, "Signed out");
      return EXIT_DONE;
    }
    igt_token_free(token);
    nanosleep(&pause, NULL);
  }
  fprintf(stderr, "igtcloud: the login (process %d) did not end in time\n", (int)holder);
  return EXIT_FAILED;
}

int cmd_whoami(settings *s) {
  static const char *const sources[] = {"none", "token file", "environment", "password",
                                        "service key"};
  igt_identity identity;
  igt_error err = IGT_ERROR_INIT;
  char end[40];
  int status = EXIT_FAILED;

  igt_client *client = open_here(s, &status);
  if (!client)
    return status;
  if (igt_client_sign_in(client, &err) == IGT_OK &&
      igt_client_identity(client, &identity, &err) == IGT_OK) {
    format_end(identity.expires, end, sizeof end);
    if (s->json) {
      printf("{");
      json_text(stdout, "user", identity.user, true);
      json_text(stdout, "domain", identity.domain, false);
      json_text(stdout, "source", sources[identity.source], false);
      printf(",\"isService\":%s,\"expires\":%" PRId64 "}\n", identity.is_service ? "true" : "false",
             identity.expires);
    } else {
      print_safe(stdout, identity.user);
      printf("%s at %s until %s (%s)\n", identity.is_service ? " (a service)" : "", identity.domain,
             end, sources[identity.source]);
    }
    status = EXIT_DONE;
  } else {
    status = fail(&err);
  }
  close_client(client);
  return status;
}

int cmd_get_token(settings *s) {
  igt_token *token = NULL;
  igt_error err = IGT_ERROR_INIT;
  const char *type = s->token_type ? s->token_type : "jwt", *text;

  if (igt_token_read(NULL, &token, &err) != IGT_OK)
    return fail(&err);
  text = strcmp(type, "csrf") == 0     ? igt_token_csrf(token)
         : strcmp(type, "access") == 0 ? igt_token_access(token)
                                       : igt_token_jwt(token);
  if (*text)
    printf("%s\n", text);
  else
    fprintf(stderr, "igtcloud: the session has no %s token\n", type);
  bool found = *text != '\0';
  igt_token_free(token);
  return found ? EXIT_DONE : EXIT_NOT_ALLOWED;
}
