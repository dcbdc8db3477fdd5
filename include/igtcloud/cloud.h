/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_CLOUD_H
#define IGTCLOUD_CLOUD_H

/**
 * @file Convenience on top of the operations: finding by name, walking a cloud from its projects
 * down to files, and service identities with their keys.
 *
 * A cloud is walked as a tree of nodes. Each kind of child is a collection, loaded on first use and
 * cached; igt_node_add() and igt_node_remove() change the cloud and the collection together.
 *
 * Ownership: igt_cloud_open() creates the tree, igt_cloud_close() frees all of it. Nodes, their
 * models and their strings belong to the tree and live until they are removed or forgotten.
 * Threads: a tree belongs to one thread at a time. Several trees of one client, and several clients
 * with different accounts, may be used concurrently.
 *
 * Errors of all calls that send requests: those of signing in, of the network, and of the server,
 * as for the operations.
 */

#include "igtcloud/operations.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The project with exactly this name, or of this id if none has the name. Free:
 * igt_model_free(&(*out)->model). Errors: IGT_E_NOT_FOUND; IGT_E_AMBIGUOUS, which lists the
 * projects of that name.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_find_project(igt_client *client, const char *name,
                                                    igt_project **out, igt_error *err);
/** The institute with exactly this name in that project. As igt_find_project(). */
IGT_EXTERN IGT_MUST_USE igt_status igt_find_institute(igt_client *client,
                                                      const igt_project *project, const char *name,
                                                      igt_institute **out, igt_error *err);

/* ---- walking ---- */

/** A node of a cloud's tree. */
typedef struct igt_node igt_node;

/** Kinds of nodes; the numbers are fixed. */
typedef enum igt_node_kind {
  IGT_NODE_NONE = 0,
  IGT_NODE_CLOUD = 1,     /**< the root; its children are projects */
  IGT_NODE_PROJECT = 2,   /**< igt_project; children: institutes, files */
  IGT_NODE_INSTITUTE = 3, /**< igt_institute; children: studies, series */
  IGT_NODE_STUDY = 4,     /**< igt_root_study or a type that extends it; children: series, files,
                               dicom, annotations */
  IGT_NODE_SERIES = 5,    /**< igt_series or a type that extends it */
  IGT_NODE_FILE = 6,      /**< igt_file, of a project or a study */
  IGT_NODE_DICOM = 7,     /**< igt_file, of a study */
  IGT_NODE_ANNOTATION = 8 /**< igt_file, of a study */
} igt_node_kind;

/** Creates the root of a new tree. Sends nothing. Errors: IGT_E_INVALID, IGT_E_NO_MEMORY. */
IGT_EXTERN IGT_MUST_USE igt_status igt_cloud_open(igt_client *client, igt_node **out,
                                                  igt_error *err);
/** Frees the tree. Accepts NULL; ignores nodes other than a root. */
IGT_EXTERN void igt_cloud_close(igt_node *cloud);

/** None of these sends a request. */
IGT_EXTERN igt_node_kind igt_node_kind_of(const igt_node *node);
/** "project", "institute", "study", "series", "file", "dicom", "annotation", "cloud". */
IGT_EXTERN const char *igt_node_kind_name(igt_node_kind kind);
/** Its name; a study's is "patient/study", a file's its path below the category. Never NULL. */
IGT_EXTERN const char *igt_node_name(const igt_node *node);
/** Its id in the API; a file's is its key. Never NULL. */
IGT_EXTERN const char *igt_node_id(const igt_node *node);
/** Its parent; NULL for the root. */
IGT_EXTERN igt_node *igt_node_parent(const igt_node *node);
/** Its fields as the cloud returned them; the type depends on the kind. NULL for the root. */
IGT_EXTERN const igt_model *igt_node_model(const igt_node *node);
/** The client of the tree. */
IGT_EXTERN igt_client *igt_node_client(const igt_node *node);

/**
 * The number of children of a kind. The first use loads and caches all of them.
 * Errors: IGT_E_INVALID if this node has no children of that kind.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_count(igt_node *node, igt_node_kind kind, size_t *count,
                                                  igt_error *err);
/** The i-th of the children loaded by igt_node_count() or igt_node_find(); NULL beyond the last. */
IGT_EXTERN igt_node *igt_node_at(const igt_node *node, igt_node_kind kind, size_t i);
/** Frees the cached children of a kind; they are loaded again when needed. */
IGT_EXTERN void igt_node_forget(igt_node *node, igt_node_kind kind);

/**
 * Receives a child on the caller's thread; it is valid during the call only. IGT_OK continues; any
 * other status ends igt_node_each() with that status.
 */
typedef igt_status (*igt_node_fn)(void *payload, igt_node *child);
/**
 * Streams the children in constant memory; nothing is cached. fn may load the child's own children,
 * but must not change node.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_each(igt_node *node, igt_node_kind kind, igt_node_fn fn,
                                                 void *payload, igt_error *err);

/**
 * The child with exactly this name, or with this id ("id:" and the id). It is added to the cached
 * collection; other children are not.
 * Errors: IGT_E_NOT_FOUND; IGT_E_AMBIGUOUS, which lists the ids of those with that name.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_find(igt_node *node, igt_node_kind kind,
                                                 const char *name, igt_node **out, igt_error *err);

/** Where a path leads. */
typedef struct igt_node_target {
  size_t size;        /**< set by IGT_NODE_TARGET_INIT */
  igt_node *node;     /**< the last existing node of the path */
  igt_node_kind kind; /**< the collection that the path continues in; NONE: it ends at node */
  const char *rest; /**< the rest of the given path: a file's name that may not exist, or a patient
                       whose studies are meant; "" if the path ends there */
} igt_node_target;
#define IGT_NODE_TARGET_INIT IGT_SIZED(igt_node_target)
/** As IGT_NODE_TARGET_INIT, where an initializer cannot be used: size is sizeof(*target). */
IGT_EXTERN void igt_node_target_init(igt_node_target *target, size_t size);

/**
 * Follows "PROJECT/INSTITUTE/PATIENT/STUDY/files/PATH" from a cloud, or the rest of such a path
 * from a node further down. Each name must match exactly and may contain slashes; "id:…" stands for
 * a name. Behind a study come files, dicom, annotations or series; behind a project, "files" are
 * the project's own; behind an institute, "dicom" is its import. A patient alone leads to its
 * institute, with IGT_NODE_STUDY and the patient's name as rest. What follows a category is not
 * looked up.
 * Errors: IGT_E_NOT_FOUND; IGT_E_AMBIGUOUS, which lists what is meant; IGT_E_INVALID.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_resolve(igt_node *from, const char *path,
                                                    igt_node_target *out, igt_error *err);

/**
 * Creates a project, an institute or a study from the fields of model (which stays the caller's)
 * and adds it to the collection. out may be NULL. Files are added by igt_file_upload().
 * Errors: IGT_E_UNSUPPORTED for other kinds, IGT_E_REQUIRED for missing fields.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_add(igt_node *node, igt_node_kind kind,
                                                const igt_model *model, igt_node **out,
                                                igt_error *err);
/**
 * Deletes it and everything below it in the cloud, and frees the node. After a failure the node
 * stays valid. Errors: IGT_E_INVALID for the root.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_remove(igt_node *node, igt_error *err);

/* ---- service identities ---- */

/**
 * Writes a private key as PEM: in lines of 64 columns, mode 0600. Never replaces an existing file.
 * Errors: IGT_E_KEY (no PEM), IGT_E_COLLISION (the file exists), those of writing.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_key_save(const char *pem, const char *path, igt_error *err);
/**
 * Creates a service identity of an organization (a project's or institute's id) and saves its
 * private key, which the cloud returns only once. The file is created first, so that no identity is
 * left without its key; if the key cannot be written after all, the identity is deleted. path: NULL
 * stands for "<service id>.pem" in the current folder.
 * Free: igt_model_free(&(*out)->model); out contains no private key. It may be NULL.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_service_create(igt_client *client,
                                                      const char *organization_id, const char *name,
                                                      const char *path, igt_service **out,
                                                      igt_error *err);

/** What is known of the private key of a service identity. */
typedef struct igt_key_info {
  size_t size;            /**< set by IGT_KEY_INFO_INIT */
  char service[256];      /**< the service's id */
  char name[128];         /**< the service's name */
  char organization[128]; /**< id of the project or institute that it belongs to */
  int64_t expires;        /**< seconds since 1970 UTC; 0: unknown */
} igt_key_info;
#define IGT_KEY_INFO_INIT IGT_SIZED(igt_key_info)
/** As IGT_KEY_INFO_INIT, where an initializer cannot be used: size is sizeof(*info). */
IGT_EXTERN void igt_key_info_init(igt_key_info *info, size_t size);
/**
 * Reads what igt_key_info_add() recorded of the key in the file key_path: when it expires, and
 * whose it is. The record is the file "<key_path>.info", which has no secrets. Any thread. Errors:
 * IGT_E_NO_FILE (no record of this key), those of reading the two files.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_key_info_read(const char *key_path, igt_key_info *out,
                                                     igt_error *err);
/**
 * Records it. new_key: the file of the key, if it will be renamed to key_path; NULL: key_path.
 * Record it before renaming: then key_path has a record at any time. replaced (may be NULL): the id
 * of the service whose key it replaces; signing in with key_path as that user then means the new
 * service. The record is replaced atomically, and gets the owner of key_path. Errors:
 * IGT_E_INVALID, those of reading the key and of writing the record.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_key_info_add(const char *key_path, const char *new_key,
                                                    const igt_key_info *info, const char *replaced,
                                                    igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
