/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_DICOM_H
#define SANDBOX_REST_DICOM_H

/* What the import and the previews need to know about a DICOM file: PS3.10, with or without its
 * preamble and meta information; the top level of the data set, in implicit or explicit VR, little
 * or big endian. Deflated data sets are not supported. Text is converted to UTF-8
 * (dicom_text.h). */

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

/* data: the start of the file; the fields come before the pixel data. Returns NULL, or a string
 * literal with the reason why the file cannot be sorted into a study. */
const char *rest_dicom_read(const unsigned char *data, size_t n, rest_dicom *out);

/* An uncompressed grey image; the first of several frames. */
typedef struct rest_dicom_image {
  unsigned rows, columns;
  unsigned bits;               /* 8 or 16 bits allocated per pixel */
  unsigned stored, high;       /* the bits stored, and the highest of them */
  bool inverted;               /* MONOCHROME1: small values are bright */
  const unsigned char *pixels; /* in data */
} rest_dicom_image;

/* data: the whole file. Returns NULL, or a string literal with the reason why it is not drawn.
 * out->rows is 0 if there is no image at all. */
const char *rest_dicom_image_read(const unsigned char *data, size_t n, rest_dicom_image *out);
/* The pixel's brightness, from 0 to 65535. */
unsigned rest_dicom_pixel(const rest_dicom_image *image, unsigned row, unsigned column);

#endif
