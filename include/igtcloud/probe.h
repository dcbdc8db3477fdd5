/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_PROBE_H
#define IGTCLOUD_PROBE_H

/**
 * @file Measures what transfers depend on, for diagnoses such as `igtcloud doctor`: the connection
 * to the cloud, the store, a folder's file system, and the journal. Each call examines one thing,
 * leaves nothing behind, and fills in the caller's struct as far as it got, also when it fails.
 *
 * All calls block, at most as long as the limits that they state, and may run on any thread. Texts
 * are NUL-terminated, truncated where they do not fit, and "" if unknown. Errors beside the named
 * ones: IGT_E_INVALID (a result without its size), IGT_E_NO_MEMORY, IGT_E_CANCELLED.
 */

#include <stdint.h>

#include "igtcloud/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the connection to a server ---- */

/** How far a connection got. */
typedef enum igt_probe_stage {
  IGT_PROBE_NAME = 1, /**< resolving the host's name, or the proxy's */
  IGT_PROBE_CONNECT,  /**< connecting to the host or the proxy; the proxy's own connection */
  IGT_PROBE_TLS,      /**< the handshake, and verifying the certificate */
  IGT_PROBE_RESPONSE, /**< waiting for a response */
  IGT_PROBE_DONE      /**< it responded, whatever the status */
} igt_probe_stage;

typedef struct igt_server_info {
  size_t size;           /**< set by IGT_SERVER_INFO_INIT */
  char host[300];        /**< "host", or "host:port" */
  char proxy[300];       /**< "host:port" of the proxy, without its password; "": none */
  char proxy_source[64]; /**< where the proxy was set: proxy_source, or the variable */
  char address[64];      /**< that was connected to: the proxy's, if there is one */
  igt_probe_stage stage; /**< reached; where it failed after an error */
  bool is_encrypted;     /**< https */
  uint32_t name_us;      /**< microseconds: resolving the name, */
  uint32_t connect_us;   /**< connecting, */
  uint32_t tls_us;       /**< the handshake, */
  uint32_t response_us;  /**< until the first byte of the response */
  char trusted[320];     /**< the trusted certificates: path, and what named it */
  char subject[256];     /**< of the server's certificate, also if it is not trusted */
  char issuer[256];      /**< of that certificate */
  char root[256];        /**< issuer of the last certificate that the server sent */
  char expires[64];      /**< when the server's certificate expires, as OpenSSL prints it */
  uint32_t certificates; /**< sent by the server; 0: unknown */
  int32_t http_status;
  bool clock_known;     /**< the response had a date: */
  int64_t clock_behind; /**< seconds by which this machine's clock is behind the server's */
} igt_server_info;
#define IGT_SERVER_INFO_INIT IGT_SIZED(igt_server_info)
/** As IGT_SERVER_INFO_INIT, where an initializer cannot be used: size is sizeof(*info). */
IGT_EXTERN void igt_server_info_init(igt_server_info *info, size_t size);

/**
 * Connects to a server as the client's requests do (proxy, trusted certificates), once, on a
 * connection of its own, and requests "/" without any credentials. If the certificate is not
 * trusted, connects once more to read its names, and sends nothing then. Any response is IGT_OK.
 * url: "https://host[:port]"; NULL: the client's cloud. limit_ms: at most this long; 0: 10,000.
 * Errors: IGT_E_RESOLVE, IGT_E_CONNECT, IGT_E_TIMEOUT, IGT_E_TLS, IGT_E_PROXY, IGT_E_NETWORK,
 * IGT_E_INVALID (url).
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_probe_server(igt_client *client, const char *url,
                                                    unsigned limit_ms, igt_server_info *out,
                                                    igt_error *err);

/* ---- the store ---- */

typedef struct igt_store_info {
  size_t size;        /**< set by IGT_STORE_INFO_INIT */
  char endpoint[512]; /**< "https://host[:port]" of the bucket */
  char bucket[256];
  char region[64];
  int64_t expires;         /**< of the credentials, seconds since 1970; 0: unknown */
  uint64_t uploaded;       /**< bytes that were stored, and deleted again */
  uint64_t upload_us;      /**< microseconds for these bytes */
  igt_status upload_abort; /**< why what was stored could not be deleted; IGT_OK: it was */
} igt_store_info;
#define IGT_STORE_INFO_INIT IGT_SIZED(igt_store_info)
/** As IGT_STORE_INFO_INIT, where an initializer cannot be used: size is sizeof(*info). */
IGT_EXTERN void igt_store_info_init(igt_store_info *info, size_t size);

/**
 * Requests credentials for a prefix (a project's s3Prefix) and uses them once. upload_bytes 0:
 * permission to read; looks for an object that does not exist. Otherwise permission to write:
 * stores as many bytes (at most 64 MiB) as a part of a multipart upload, which never becomes an
 * object, and aborts the upload, also after an error or a cancel: nothing remains.
 * The client's timeouts and its cancel apply.
 * Errors: IGT_E_FORBIDDEN (this account may not), those of signing in and of the network.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_probe_store(igt_client *client, const char *prefix,
                                                   uint64_t upload_bytes, igt_store_info *out,
                                                   igt_error *err);

/* ---- a folder ---- */

typedef struct igt_folder_info {
  size_t size;      /**< set by IGT_FOLDER_INFO_INIT */
  char type[32];    /**< the file system's: "ext4", "nfs", "0x…" */
  bool space_known; /**< the system knows the next two: */
  uint64_t free_bytes;
  uint64_t total_bytes;
  bool is_local;    /**< write() reports a failed write, as on a local disk; else perhaps close() */
  bool is_writable; /**< a file could be created and written; the others are unknown otherwise */
  bool has_locks;   /**< flock */
  bool can_reserve; /**< fallocate */
  bool keeps_times; /**< modification times */
  bool keeps_case;  /**< "A" and "a" are two files */
} igt_folder_info;
#define IGT_FOLDER_INFO_INIT IGT_SIZED(igt_folder_info)
/** As IGT_FOLDER_INFO_INIT, where an initializer cannot be used: size is sizeof(*info). */
IGT_EXTERN void igt_folder_info_init(igt_folder_info *info, size_t size);

/**
 * Tries what downloads use on a hidden file of its own in an existing folder, and removes it.
 * A file system that does not respond (NFS) blocks the call.
 * Errors: IGT_E_NO_FILE (no such folder), IGT_E_PERMISSION, IGT_E_READ_ONLY, IGT_E_NO_SPACE,
 * IGT_E_IO.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_probe_folder(const char *path, igt_folder_info *out,
                                                    igt_error *err);

/* ---- the journal ---- */

typedef struct igt_journal_info {
  size_t size;     /**< set by IGT_JOURNAL_INFO_INIT */
  char path[1024]; /**< that was examined */
  bool exists;
  uint32_t mode;        /**< permissions, as of stat(2) */
  uint64_t bytes;       /**< with its write-ahead log */
  bool is_intact;       /**< SQLite's integrity check found nothing */
  char damage[256];     /**< what it found first */
  uint64_t files;       /**< finished and verified */
  uint64_t downloads;   /**< unfinished */
  uint64_t uploads;     /**< unfinished: parts in the store that cost storage */
  int64_t oldest_start; /**< of these uploads, seconds since 1970; 0: none, or unknown */
} igt_journal_info;
#define IGT_JOURNAL_INFO_INIT IGT_SIZED(igt_journal_info)
/** As IGT_JOURNAL_INFO_INIT, where an initializer cannot be used: size is sizeof(*info). */
IGT_EXTERN void igt_journal_info_init(igt_journal_info *info, size_t size);

/**
 * Examines the journal at path (NULL: the default one), without changing it. One that does not
 * exist is IGT_OK. limit_ms: at most this long; 0: 10,000.
 * Errors: IGT_E_TIMEOUT, IGT_E_PARSE (no database, or damaged: see damage), IGT_E_PERMISSION,
 * IGT_E_IO.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_probe_journal(const char *path, unsigned limit_ms,
                                                     igt_journal_info *out, igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
