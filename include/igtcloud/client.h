/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_CLIENT_H
#define IGTCLOUD_CLIENT_H

/**
 * @file
 * The client: one account on one IGT Cloud. Everything else hangs off it.
 *
 * Ownership: what `**out` gives is the caller's, freed by the type's `_free`; strings passed
 * in are copied; what a getter returns belongs to its parent and lives as long.
 * Threads: a client may be used from several threads at a time. Freeing it is the last call.
 */

#include <stdint.h>

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct igt_client igt_client;
typedef struct igt_cancel igt_cancel;

/** A flag that ends long calls. */
IGT_EXTERN igt_cancel *igt_cancel_new(void);
/** NULL is fine. Clients and transfers that were given it keep it alive. */
IGT_EXTERN void igt_cancel_free(igt_cancel *cancel);
/** Any thread, and safe in a signal handler. Calls end with IGT_E_CANCELLED within 2 s. */
IGT_EXTERN void igt_cancel_set(igt_cancel *cancel);

/**
 * Takes bytes as they come: a file that a server sends, or CSV. Called on the caller's thread;
 * IGT_OK goes on, anything else ends the call with it.
 */
typedef igt_status (*igt_write_fn)(void *payload, const void *data, size_t n);

/**
 * An igt_write_fn for a file descriptor: `payload` is a pointer to the int, which stays open.
 * The call that it ends says why the system refused (IGT_E_NO_SPACE, IGT_E_IO and so on).
 */
IGT_EXTERN igt_status igt_write_fd(void *payload, const void *data, size_t n);

/** What a program is asked for when the library needs it. */
typedef enum igt_prompt { IGT_PROMPT_USER = 1, IGT_PROMPT_PASSWORD = 2 } igt_prompt;

/**
 * Asks a person (or a file) for a user name or a password. Runs on the thread of the call that
 * needs it and may not call back into the library. `question` is a ready sentence such as
 * "ann@example.com@igt-web.eu1.phsdp.com's password". Writes a NUL-terminated answer of less
 * than cap bytes and returns true; false means that there is nobody to ask.
 */
typedef bool (*igt_prompt_fn)(void *payload, igt_prompt what, const char *question, char *response,
                              size_t cap);

/** All fields optional unless said; zero means the default. */
typedef struct igt_client_options {
  const char *domain; /**< required: "host", "host:port" or a URL; https unless loopback */
  const char *user;   /**< user name or service id; NULL: environment, key file's name, asked */
  const char *service_file; /**< PEM private key of a service identity: sign in as that */
  const char *ca_file;      /**< PEM certificates trusted in place of the system's */
  const char *token_file; /**< NULL: CLOUD_TOKEN_MMAP, else igtcloud_auth_mmap in TMPDIR or /tmp */
  bool no_token_file;     /**< do not use the session of a running `igtcloud login` */
  bool no_environment;    /**< ignore CLOUD_JWT_TOKEN, CLOUD_CSRF_TOKEN, CLOUD_USERNAME */
  igt_prompt_fn prompt;   /**< NULL: nobody is asked */
  void *prompt_payload;
  unsigned connect_timeout_ms; /**< 0: 10,000 */
  unsigned idle_timeout_ms;    /**< silence on a connection that is an error; 0: 30,000 */
  int retries;                 /**< a request, beyond the first try; 0: 5; -1: none */
  unsigned max_connections;    /**< to S3, hard cap; 0: 128. 16 at first, then as many as
                                    make it faster, fewer while the store asks for it */
  uint64_t bytes_per_second;   /**< over all connections; 0: no limit */
  igt_cancel *cancel;          /**< ends whatever the client does; may be NULL */
  const char *user_agent;      /**< put before the library's own; NULL: none */
  const char *bandwidth;       /**< in place of bytes_per_second: a rate such as "20M", or a day's
                                    timetable, see igt_bandwidth_check(); NULL: none */
  const char *audience; /**< of a service's assertion, when it is not part of the cloud's domain;
                             NULL: the one that the cloud names, if it belongs to the cloud */
} igt_client_options;

#define IGT_CLIENT_OPTIONS_INIT                                                                    \
  { NULL, NULL, NULL, NULL, NULL, false, false, NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL }

/**
 * Whether the text says how many bytes a second may move, both ways: a rate ("20M", "1.5G", "500k",
 * plain bytes; units are of 1,024; "off" is no limit), or entries with commas between, of which the
 * first that holds counts: "HH:MM-HH:MM RATE" in local time, over midnight too, and "RATE" for the
 * rest of the day, as in "08:00-18:00 20M, off". Where no entry holds there is no limit.
 * Any thread. Errors: IGT_E_INVALID with a sentence.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_bandwidth_check(const char *text, igt_error *err);

/**
 * Makes a client. Nothing is sent yet.
 * Errors: IGT_E_INVALID (a bad domain or bandwidth, plain http to another machine),
 * IGT_E_NO_MEMORY, IGT_E_NO_FILE and IGT_E_TLS (ca_file).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_client_new(const igt_client_options *options,
                                                  igt_client **out, igt_error *err);
IGT_EXTERN void igt_client_free(igt_client *client);

/**
 * Signs in. In this order: service_file when given; a live token file whose scheme, host and
 * port are the domain's and whose user is `user` when that is given; CLOUD_JWT_TOKEN with
 * CLOUD_CSRF_TOKEN, checked by introspect; user name and password, prompted for.
 * Calls that need a session sign in by themselves if this was not called.
 * The session is renewed ahead of its end, once for all threads.
 * Errors: IGT_E_LOGIN, IGT_E_EXPIRED, IGT_E_KEY, IGT_E_TOKEN_FILE, IGT_E_NO_SESSION (nobody to
 * ask), and those of the network.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_client_sign_in(igt_client *client, igt_error *err);

/** Ends the session if this client began it; one that was handed in is left alone. */
IGT_EXTERN igt_status igt_client_sign_out(igt_client *client, igt_error *err);

typedef enum igt_session_source {
  IGT_SESSION_NONE = 0,
  IGT_SESSION_TOKEN_FILE,
  IGT_SESSION_ENVIRONMENT,
  IGT_SESSION_PASSWORD,
  IGT_SESSION_SERVICE_KEY
} igt_session_source;

/** Who is signed in. */
typedef struct igt_identity {
  char user[256];
  char domain[300]; /**< "https://host" */
  igt_session_source source;
  int64_t expires; /**< seconds since 1970 UTC; 0: not known */
  bool is_service;
} igt_identity;
IGT_EXTERN IGT_MUST_USE igt_status igt_client_identity(igt_client *client, igt_identity *out,
                                                       igt_error *err);

/** "https://host[:port]". Belongs to the client. */
IGT_EXTERN const char *igt_client_domain(const igt_client *client);

/* ---- the token file, shared by `igtcloud login` with every other command ---- */

/** One live token. Holds secrets: free it, which wipes it. */
typedef struct igt_token igt_token;
/**
 * Reads the live token of path (NULL: the default path). While a running login is due to renew it,
 * waits for that, up to 10 s.
 * Errors: IGT_E_NO_SESSION (no file, empty or expired), IGT_E_TOKEN_FILE (another owner, a link,
 * readable by others, damaged).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_token_read(const char *path, igt_token **out,
                                                  igt_error *err);
IGT_EXTERN void igt_token_free(igt_token *token);
IGT_EXTERN const char *igt_token_user(const igt_token *token);
IGT_EXTERN const char *igt_token_domain(const igt_token *token);
IGT_EXTERN const char *igt_token_jwt(const igt_token *token);
IGT_EXTERN const char *igt_token_csrf(const igt_token *token);
/** "" when the JWT holds none. */
IGT_EXTERN const char *igt_token_access(const igt_token *token);
IGT_EXTERN int64_t igt_token_expires(const igt_token *token);
/** The process that holds the file (its lock), 0 when none does. */
IGT_EXTERN int64_t igt_token_holder(const igt_token *token);
/** The path that NULL stands for. Written to out; false when it does not fit. */
IGT_EXTERN bool igt_token_default_path(char *out, size_t cap);

/** What a held session tells its program. Called on the thread that called igt_login_hold. */
typedef enum igt_login_event {
  IGT_LOGIN_READY = 1, /**< signed in, the file is written */
  IGT_LOGIN_RENEWED,   /**< a new token stands in the file */
  IGT_LOGIN_TROUBLE,   /**< renewing failed and is being retried: err says why */
  IGT_LOGIN_ENDED      /**< the file is removed, the session signed out; err: it was not, and why */
} igt_login_event;
typedef void (*igt_login_fn)(void *payload, igt_login_event event, const igt_identity *identity,
                             const igt_error *err);
/**
 * `igtcloud login`: signs in (by key or password, never by an existing token file or the
 * environment's tokens), writes the token file (0600, locked, five pages), keeps it fresh until
 * the client's cancel is set, then signs out and removes the file. Renewal is due 180 s before
 * the end, or at half of a life of 360 s or less; failing renewals are retried for 180 s, while
 * the old token stays until it really ends.
 * Returns IGT_OK after a cancel. Errors: those of igt_client_sign_in; IGT_E_LOCKED (another
 * login holds the file; it is left alone); IGT_E_TOKEN_FILE; IGT_E_EXPIRED (could not renew).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_login_hold(igt_client *client, igt_login_fn fn,
                                                  void *payload, igt_error *err);
/**
 * Removes the token file of this process's igt_login_hold, if there is one, without signing out.
 * For a program that ends at once, such as on a second signal. Any thread, and safe in a signal
 * handler; the login that is held must not be used any more.
 */
IGT_EXTERN void igt_login_abandon(void);

#ifdef __cplusplus
}
#endif

#endif
