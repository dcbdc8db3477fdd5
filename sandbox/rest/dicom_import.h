/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_DICOM_IMPORT_H
#define SANDBOX_REST_DICOM_IMPORT_H

#include "../server.h"

typedef enum rest_import { REST_IMPORT_DONE, REST_IMPORT_NOTHING, REST_IMPORT_FAILED } rest_import;

/* Sorts the DICOM objects at key (or below it) into the institute's studies: one study for each
 * StudyInstanceUID, made when there is none, each object moved to the study's folder for DICOM, by
 * a name of its own. Objects that are no DICOM, or cannot be read, stay where they are. */
rest_import rest_dicom_import(sbx_server *server, const igt__json *institute, const char *key,
                              bool is_prefix, const char *user);

/* Makes the series of the DICOM objects that lie in the study. */
bool rest_dicom_index(sbx_server *server, const igt__json *institute, const igt__json *study,
                      const char *user);

/* The institute's objects that lie below Import/ still, each with the reason. NULL: no memory. */
igt__json *rest_dicom_left(sbx_server *server, const igt__json *institute);

#endif
