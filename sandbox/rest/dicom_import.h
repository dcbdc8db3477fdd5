/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_DICOM_IMPORT_H
#define SANDBOX_REST_DICOM_IMPORT_H

#include "../server.h"

typedef enum rest_import { REST_IMPORT_DONE, REST_IMPORT_NOTHING, REST_IMPORT_FAILED } rest_import;

/* Sorts the DICOM objects at key (or below it) into the institute's studies: one study per
 * StudyInstanceUID, created if it does not exist; each object is moved to the study's DICOM folder
 * under a unique name. Objects that are not DICOM, or cannot be read, stay where they are. */
rest_import rest_dicom_import(sbx_server *server, const igt__json *institute, const char *key,
                              bool is_prefix, const char *user);

/* Creates the series of the DICOM objects in the study. */
bool rest_dicom_index(sbx_server *server, const igt__json *institute, const igt__json *study,
                      const char *user);

/* The institute's objects that are still below Import/, each with the reason. NULL: out of
 * memory. */
igt__json *rest_dicom_left(sbx_server *server, const igt__json *institute);

#endif
