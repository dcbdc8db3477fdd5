/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_CLOUD_H
#define IGTCLOUD_CLOUD_H

/**
 * @file
 * Above the operations: finding by name, walking a cloud from its projects down to files, and
 * service identities with their keys.
 *
 * A cloud is walked as a tree of nodes. Each kind of child is a collection that is asked for when
 * it is first used and kept from then on; igt_node_add() and igt_node_remove() change the cloud
 * and the collection together.
 *
 * Ownership: igt_cloud_open() gives the tree, igt_cloud_close() frees all of it. Nodes, their
 * models and their strings belong to the tree and live until they are removed or forgotten.
 * Threads: a tree belongs to one thread at a time. Several trees over one client, and several
 * clients with accounts of their own, may be used at once.
 *
 * Errors of all calls that ask the cloud: those of signing in, of the network, and what the
 * server said, as for the operations.
 */

#include "igtcloud/operations.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The project of this name, exactly. Free: igt_model_free(&(*out)->model).
 * Errors: IGT_E_NOT_FOUND; IGT_E_AMBIGUOUS, which lists the projects that have the name.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_find_project(igt_client *client, const char *name,
                                                    igt_project **out, igt_error *err);
/** The institute of this name, exactly, inside that project. As igt_find_project(). */
IGT_EXTERN IGT_MUST_USE igt_status igt_find_institute(igt_client *client,
                                                      const igt_project *project, const char *name,
                                                      igt_institute **out, igt_error *err);

/* ---- walking ---- */

/** A place in a cloud. */
typedef struct igt_node igt_node;

/** What a node is; numbers are fixed. */
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

/** The root of a new tree. Nothing is sent yet. Errors: IGT_E_INVALID, IGT_E_NO_MEMORY. */
IGT_EXTERN IGT_MUST_USE igt_status igt_cloud_open(igt_client *client, igt_node **out,
                                                  igt_error *err);
/** Frees the tree. NULL is fine; anything but a root is left alone. */
IGT_EXTERN void igt_cloud_close(igt_node *cloud);

/** None of these asks the cloud. */
IGT_EXTERN igt_node_kind igt_node_kind_of(const igt_node *node);
/** "project", "institute", "study", "series", "file", "dicom", "annotation", "cloud". */
IGT_EXTERN const char *igt_node_kind_name(igt_node_kind kind);
/** Its name; a study's is "patient/study", a file's its path below the category. Never NULL. */
IGT_EXTERN const char *igt_node_name(const igt_node *node);
/** Its id in the API; a file's is its key. Never NULL. */
IGT_EXTERN const char *igt_node_id(const igt_node *node);
/** What it lies in; NULL for the root. */
IGT_EXTERN igt_node *igt_node_parent(const igt_node *node);
/** Its fields as the cloud gave them: the type that its kind says. NULL for the root. */
IGT_EXTERN const igt_model *igt_node_model(const igt_node *node);
IGT_EXTERN igt_client *igt_node_client(const igt_node *node);

/**
 * How many children of a kind there are. The first use asks for all of them and keeps them.
 * Errors: IGT_E_INVALID when nodes of this kind are not found here.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_count(igt_node *node, igt_node_kind kind, size_t *count,
                                                  igt_error *err);
/** The i-th of those that igt_node_count() or igt_node_find() brought; NULL beyond them. */
IGT_EXTERN igt_node *igt_node_at(const igt_node *node, igt_node_kind kind, size_t i);
/** Lets go of the children of a kind, nodes and all: they are asked for again when needed. */
IGT_EXTERN void igt_node_forget(igt_node *node, igt_node_kind kind);

/**
 * A child, on the caller's thread, valid during the call alone. IGT_OK goes on; anything else
 * ends igt_node_each() with it.
 */
typedef igt_status (*igt_node_fn)(void *payload, igt_node *child);
/**
 * Children as they arrive, in constant memory: nothing is kept. fn may ask child for its own
 * children, and may not change node.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_each(igt_node *node, igt_node_kind kind, igt_node_fn fn,
                                                 void *payload, igt_error *err);

/**
 * The child of this name, exactly. "id:" and an id finds it by that. It is kept in the
 * collection; the others are kept only when they were there already.
 * Errors: IGT_E_NOT_FOUND; IGT_E_AMBIGUOUS, which lists the ids of those that have the name.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_find(igt_node *node, igt_node_kind kind,
                                                 const char *name, igt_node **out, igt_error *err);

/** Where a path leads. */
typedef struct igt_node_target {
  igt_node *node;     /**< the last thing on the way that exists */
  igt_node_kind kind; /**< of the collection that the path goes into; NONE: it ends at node */
  const char *rest;   /**< behind that, within the path given: a file's name that may not exist,
                           or a patient whose studies are meant; "" when it ends there */
} igt_node_target;

/**
 * Follows "PROJECT/INSTITUTE/PATIENT/STUDY/files/PATH" from a cloud, or what is left of it from a
 * node further down. Each name must be exact and may hold slashes; "id:…" stands for a name.
 * Behind a study come files, dicom, annotations or series; behind a project, "files" are the
 * project's own; behind an institute, "dicom" is its import. A patient alone leads to its
 * institute, with IGT_NODE_STUDY and the patient's name as rest. What lies behind a category is
 * not asked for.
 * Errors: IGT_E_NOT_FOUND; IGT_E_AMBIGUOUS, which lists what is meant; IGT_E_INVALID.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_resolve(igt_node *from, const char *path,
                                                    igt_node_target *out, igt_error *err);

/**
 * Makes a project, an institute or a study of the fields in model (which stays the caller's) and
 * adds it to the collection. out may be NULL. Files come by igt_file_upload().
 * Errors: IGT_E_UNSUPPORTED for other kinds, IGT_E_REQUIRED for fields that are missing.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_add(igt_node *node, igt_node_kind kind,
                                                const igt_model *model, igt_node **out,
                                                igt_error *err);
/**
 * Deletes it in the cloud, with what the cloud holds below it, and frees the node. After a
 * failure the node stays. Errors: IGT_E_INVALID for the root.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_node_remove(igt_node *node, igt_error *err);

/* ---- service identities ---- */

/**
 * Writes a private key as PEM: lines of 64 columns whatever form it came in, mode 0600. A file
 * that is there is never replaced.
 * Errors: IGT_E_KEY (no PEM), IGT_E_COLLISION (the file exists), those of writing.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_key_save(const char *pem, const char *path, igt_error *err);
/**
 * Creates a service identity of an organization (a project's or institute's id) and saves its
 * private key, which the cloud tells only now. The file is made first, so that no identity is
 * left without its key; when the key cannot be written after all, the identity is deleted again.
 * path: NULL stands for "<service id>.pem" in the current folder.
 * Free: igt_model_free(&(*out)->model); out holds no private key. It may be NULL.
 */
IGT_EXTERN IGT_MUST_USE igt_status igt_service_create(igt_client *client,
                                                      const char *organization_id, const char *name,
                                                      const char *path, igt_service **out,
                                                      igt_error *err);

#ifdef __cplusplus
}
#endif

#endif
