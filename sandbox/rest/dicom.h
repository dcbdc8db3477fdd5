/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_DICOM_H
#define SANDBOX_REST_DICOM_H

/* What the import and the previews need to know of a DICOM file: PS3.10, with or without its
 * preamble and meta information; the top level of the data set, in implicit or explicit VR, little
 * or big endian. A deflated data set is not read. Texts come in UTF-8 (dicom_text.h). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rest_dicom {
  char patient_name[400];
  char patient_id[200];
  char birth_date[16]; /* YYYYMMDD */
  char sex[8];
  char study_uid[80];
  char study_id[100];
  char study_date[16];
  char study_time[24];
  char accession[100];
  char description[256];
  char series_uid[80];
  char modality[24];
  char instance_uid[80];
} rest_dicom;

/* data: the file's beginning; the fields stand before the pixel data. NULL, or why it cannot be
 * sorted into a study: a literal. */
const char *rest_dicom_read(const unsigned char *data, size_t n, rest_dicom *out);

/* A grey picture that is not compressed; of several frames the first. */
typedef struct rest_dicom_image {
  unsigned rows, columns;
  unsigned bits;               /* 8 or 16 of each */
  unsigned stored, high;       /* of those, the ones that are the value */
  bool inverted;               /* MONOCHROME1: small values are bright */
  const unsigned char *pixels; /* in data */
} rest_dicom_image;

/* data: the whole file. NULL, or why it is not drawn: a literal. out->rows is 0 where there is no
 * picture at all. */
const char *rest_dicom_image_read(const unsigned char *data, size_t n, rest_dicom_image *out);
/* The pixel's brightness: 0 to 65535. */
unsigned rest_dicom_pixel(const rest_dicom_image *image, unsigned row, unsigned column);

#endif
