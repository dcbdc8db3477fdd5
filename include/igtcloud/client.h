/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_CLIENT_H
#define IGTCLOUD_CLIENT_H

/**
 * @file The client: one account on one IGT Cloud. Everything else is created from it.
 *
 * Ownership: what `**out` returns belongs to the caller and is freed by the type's `_free`; strings
 * passed in are copied; what a getter returns belongs to its parent and lives as long as that.
 * Units, here and in the other headers: bytes; times in seconds, unless a name ends in _ms
 * (milliseconds) or _us (microseconds).
 * Threads: a client may be used by several threads concurrently. Freeing it must be the last call.
 */

#include <stdint.h>

#include "igtcloud/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct igt_client igt_client;
typedef struct igt_cancel igt_cancel;

/** A flag that cancels long calls. Free: igt_cancel_free(). NULL: no memory. */
IGT_EXTERN igt_cancel *igt_cancel_new(void);
/** Accepts NULL. Clients and transfers that use the flag keep it alive. */
IGT_EXTERN void igt_cancel_free(igt_cancel *cancel);
/** Any thread; async-signal-safe. Calls end with IGT_E_CANCELLED within 2 s. */
IGT_EXTERN void igt_cancel_set(igt_cancel *cancel);

/**
 * Sets what this thread does while it waits in a blocking call: from now on, whenever it has waited
 * for 50 ms in a row, fn(payload) is called on it. An interpreter runs its signal handlers there, a
 * user interface its events. To end the call, set a cancel that was given to it. fn may make other
 * calls of the library. fn NULL: nothing is called, as in every new thread.
 *
 * It covers requests, credentials, and opening and reading a file, but not the part of a request
 * that signs in or renews the session, for which other threads may wait. Calls that transfer files
 * have callbacks, and igt_transfer_fd() is for threads with something else to do.
 */
IGT_EXTERN void igt_wait_hook_set(void (*fn)(void *payload), void *payload);

/**
 * Receives bytes as they arrive: a file that a server sends, or CSV. Called on the caller's thread;
 * IGT_OK continues, any other status ends the call with that status.
 */
typedef igt_status (*igt_write_fn)(void *payload, const void *data, size_t n);

/**
 * An igt_write_fn for a file descriptor: `payload` is a pointer to the int, which stays open. The
 * call that it ends reports why the write failed (IGT_E_NO_SPACE, IGT_E_IO and so on). On Windows
 * the descriptor is one of the C library's (open, fileno), and gets the bytes as they are, also in
 * text mode.
 */
IGT_EXTERN igt_status igt_write_fd(void *payload, const void *data, size_t n);

/** What the library asks the program for. */
typedef enum igt_prompt_kind { IGT_PROMPT_USER = 1, IGT_PROMPT_PASSWORD = 2 } igt_prompt_kind;

/**
 * Asks the user (or reads a file) for a user name or a password. Runs on the thread of the call
 * that needs it and may not call back into the library. `question` is a complete prompt such as
 * "ann@example.com@igt-web.eu1.phsdp.com's password". Writes a NUL-terminated reply of less than
 * cap bytes and returns true; false means that no user can be asked.
 */
typedef bool (*igt_prompt_fn)(void *payload, igt_prompt_kind what, const char *question,
                              char *response, size_t cap);

/** All fields are optional unless stated otherwise; zero means the default. */
typedef struct igt_client_options {
  size_t size;        /**< set by IGT_CLIENT_OPTIONS_INIT */
  const char *domain; /**< required: "host", "host:port" or a URL; https unless loopback */
  const char *user; /**< user name or service id; NULL: environment, key file's name, else prompt */
  const char *service_file; /**< PEM private key of a service identity: sign in as that */
  const char *ca_file;      /**< PEM certificates trusted in place of the system's */
  const char *token_file; /**< NULL: CLOUD_TOKEN_MMAP, else igtcloud_auth_mmap in TMPDIR or /tmp */
  bool no_token_file;     /**< do not use the session of a running `igtcloud login` */
  bool no_environment;    /**< ignore CLOUD_JWT_TOKEN, CLOUD_CSRF_TOKEN, CLOUD_USERNAME */
  igt_prompt_fn prompt;   /**< NULL: never prompts */
  void *prompt_payload;
  unsigned connect_timeout_ms; /**< 0: 10,000 */
  unsigned idle_timeout_ms;    /**< an idle connection fails after this long; 0: 30,000 */
  int retries;                 /**< retries of a request; 0: 5; -1: none. In a
                                  transfer a link that is down is waited for, 12 s per retry */
  unsigned max_connections;  /**< to S3, hard limit; 0: 128. Starts with 16, adds connections while
                                that is faster, and reduces them when the store throttles */
  uint64_t bytes_per_second; /**< of all connections together; 0: no limit */
  igt_cancel *cancel;        /**< cancels all calls of the client; may be NULL */
  const char *user_agent;    /**< prepended to the library's own; NULL: none */
  const char *bandwidth;     /**< instead of bytes_per_second: a rate such as "20M", or a daily
                                timetable, see igt_bandwidth_check(); NULL: none */
  const char *audience; /**< audience of a service's assertion, if it is outside the cloud's domain;
                           NULL: the one that the cloud names, which must belong to its domain */
  const char *service_key; /**< in place of service_file: the private key itself, as PEM, in lines
                              or in one; user is required, and is the service's id */
  const char *jwt;         /**< with csrf: the tokens of a session from elsewhere, such as those of
                              igt_client_token(); they are checked, renewed if they can be, and not
                              signed out */
  const char *csrf;
  const char *proxy; /**< URL of a proxy (http, https, socks4, socks5, socks5h) for all requests,
                        perhaps with user:password@; hosts in no_proxy are exempt. "" or "none": no
                        proxy. NULL: https_proxy, http_proxy, all_proxy */
  const char *proxy_source; /**< where proxy was set, for messages about it; at most 63 bytes, NULL:
                               "--proxy" */
} igt_client_options;
#define IGT_CLIENT_OPTIONS_INIT IGT_SIZED(igt_client_options)
/** As IGT_CLIENT_OPTIONS_INIT, where an initializer cannot be used: size is sizeof(*options). */
IGT_EXTERN void igt_client_options_init(igt_client_options *options, size_t size);

/**
 * Checks a bandwidth limit (bytes per second, for each direction): a rate ("20M", "1.5G", "500k",
 * plain bytes; units are powers of 1,024; "off" means no limit), or comma-separated entries, of
 * which the first that applies is used: "HH:MM-HH:MM RATE" in local time, over midnight too, and
 * "RATE" for the rest of the day, as in "08:00-18:00 20M, off". Without a matching entry there is
 * no limit. Any thread. Errors: IGT_E_INVALID with a sentence.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_bandwidth_check(const char *text, igt_error *err);

/**
 * Creates a client. Sends nothing.
 * Errors: IGT_E_INVALID (a bad domain, bandwidth or proxy, plain http to another machine, a
 * service_key without a user, one of jwt and csrf alone), IGT_E_NO_MEMORY, IGT_E_NO_FILE and
 * IGT_E_TLS (ca_file).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_client_new(const igt_client_options *options,
                                                  igt_client **out, igt_error *err);
/** Frees it; sends nothing, so a session that it started lives on (igt_client_sign_out()). Accepts
 * NULL. No call may be running, and readers, trees and transfers of it must be freed before. */
IGT_EXTERN void igt_client_free(igt_client *client);

/**
 * Signs in. Tries in this order: service_key or service_file if set; jwt and csrf if set; a valid
 * token file whose scheme, host and port match the domain and whose user matches `user` if set;
 * CLOUD_JWT_TOKEN with CLOUD_CSRF_TOKEN, checked by introspect; user name and password, prompted
 * for. Calls that need a session sign in automatically. The session is renewed before it expires,
 * once for all threads.
 * Errors: IGT_E_LOGIN, IGT_E_EXPIRED, IGT_E_KEY, IGT_E_TOKEN_FILE, IGT_E_NO_SESSION (no credentials
 * and no prompt), and network errors.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_client_sign_in(igt_client *client, igt_error *err);

/** Ends the session if this client started it; a session from outside is left alone. The next call
 * that needs a session signs in again. Errors: those of the network; the session then expires by
 * itself. */
IGT_EXTERN igt_status igt_client_sign_out(igt_client *client, igt_error *err);

typedef enum igt_session_source {
  IGT_SESSION_NONE = 0,
  IGT_SESSION_TOKEN_FILE,
  IGT_SESSION_ENVIRONMENT,
  IGT_SESSION_PASSWORD,
  IGT_SESSION_SERVICE_KEY,
  IGT_SESSION_TOKENS /**< jwt and csrf of the options */
} igt_session_source;

/** Who is signed in. */
typedef struct igt_identity {
  size_t size; /**< set by IGT_IDENTITY_INIT */
  char user[256];
  char domain[300]; /**< "https://host" */
  igt_session_source source;
  int64_t expires; /**< seconds since 1970 UTC; 0: unknown */
  bool is_service;
} igt_identity;
#define IGT_IDENTITY_INIT IGT_SIZED(igt_identity)
/** As IGT_IDENTITY_INIT, where an initializer cannot be used: size is sizeof(*identity). */
IGT_EXTERN void igt_identity_init(igt_identity *identity, size_t size);
/** Who is signed in. Sends nothing. Errors: IGT_E_NO_SESSION (nobody), IGT_E_INVALID. */
IGT_EXTERN IGT_MUST_USE igt_status igt_client_identity(igt_client *client, igt_identity *out,
                                                       igt_error *err);

/** "https://host[:port]". Belongs to the client. */
IGT_EXTERN const char *igt_client_domain(const igt_client *client);

/* ---- the token file, shared by `igtcloud login` with every other command ---- */

/** A valid token. Contains secrets; freeing it wipes them. */
typedef struct igt_token igt_token;
/**
 * The tokens of the client's session, for a program that sends requests of its own or starts
 * another client with them (igt_client_options.jwt). Signs in if necessary, and renews them if that
 * is due; they do not change when the client renews its session later. May be called from several
 * threads. Errors: those of igt_client_sign_in.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_client_token(igt_client *client, igt_token **out,
                                                    igt_error *err);
/**
 * Reads the token file at path (NULL: the default path). If a running login is about to renew it,
 * waits up to 10 s for that.
 * Errors: IGT_E_NO_SESSION (no file, empty or expired), IGT_E_TOKEN_FILE (another owner, a link,
 * readable by others, damaged).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_token_read(const char *path, igt_token **out,
                                                  igt_error *err);
/** Accepts NULL. */
IGT_EXTERN void igt_token_free(igt_token *token);
/** The user name or the service's id. Like all strings of a token it belongs to the token. */
IGT_EXTERN const char *igt_token_user(const igt_token *token);
/** "https://host[:port]": the only place where the token may be sent. */
IGT_EXTERN const char *igt_token_domain(const igt_token *token);
/** The session's JSON web token. */
IGT_EXTERN const char *igt_token_jwt(const igt_token *token);
/** The token that the cloud expects beside the JWT, against cross-site request forgery. */
IGT_EXTERN const char *igt_token_csrf(const igt_token *token);
/** "" if the JWT has none. */
IGT_EXTERN const char *igt_token_access(const igt_token *token);
/** Seconds since 1970 UTC. */
IGT_EXTERN int64_t igt_token_expires(const igt_token *token);
/** The process that has the file locked; 0 if none. */
IGT_EXTERN int64_t igt_token_holder(const igt_token *token);
/** Writes the default path to out; false if it does not fit. */
IGT_EXTERN bool igt_token_default_path(char *out, size_t cap);

/** Events of igt_login_hold. Called on the thread that called igt_login_hold. */
typedef enum igt_login_event {
  IGT_LOGIN_READY = 1, /**< signed in; the file has been written */
  IGT_LOGIN_RENEWED,   /**< the file contains a new token */
  IGT_LOGIN_TROUBLE,   /**< renewal failed and is being retried; err says why */
  IGT_LOGIN_ENDED /**< the file has been removed and the session signed out; err says why if that
                     failed */
} igt_login_event;
typedef void (*igt_login_fn)(void *payload, igt_login_event event, const igt_identity *identity,
                             const igt_error *err);
/**
 * `igtcloud login`: signs in (by key or password, never by an existing token file or the
 * environment's tokens), writes the token file (0600, locked, five pages), keeps it fresh until the
 * client's cancel is set, then signs out and removes the file. Renewal is due 180 s before the end,
 * or at half of a life of 360 s or less; failed renewals are retried for 180 s, and the old token
 * stays until it expires. Returns IGT_OK after a cancel. Errors: those of igt_client_sign_in;
 * IGT_E_LOCKED (another login has the file locked; it is left alone); IGT_E_TOKEN_FILE;
 * IGT_E_EXPIRED (could not renew).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_login_hold(igt_client *client, igt_login_fn fn,
                                                  void *payload, igt_error *err);
/**
 * Removes the token file of this process's igt_login_hold, if any, without signing out. For a
 * program that exits immediately, such as on a second signal. Any thread, async-signal-safe; the
 * login must not be used afterwards.
 */
IGT_EXTERN void igt_login_abandon(void);

#ifdef __cplusplus
}
#endif

#endif
