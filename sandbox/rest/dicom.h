/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_DICOM_H
#define SANDBOX_REST_DICOM_H

/* What the import needs to know of a DICOM file: PS3.10, the top level of the data set, in
 * implicit or explicit little endian. Texts are taken as UTF-8 when they are, else their bytes
 * beyond ASCII become '?'. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rest_dicom {
  char patient_name[128];
  char patient_id[128];
  char birth_date[16]; /* YYYYMMDD */
  char sex[8];
  char study_uid[80];
  char study_id[64];
  char study_date[16];
  char study_time[24];
  char accession[64];
  char description[128];
  char series_uid[80];
  char modality[24];
  char instance_uid[80];
} rest_dicom;

/* data: the file's beginning; the fields stand before the pixel data. */
bool rest_dicom_read(const unsigned char *data, size_t n, rest_dicom *out);

/* A grey picture that is not compressed. pixels: in data. */
typedef struct rest_dicom_image {
  unsigned rows, columns;
  unsigned bits; /* 8 or 16 of each */
  const unsigned char *pixels;
} rest_dicom_image;

/* data: the whole file. False: no picture, or one of another kind. */
bool rest_dicom_image_read(const unsigned char *data, size_t n, rest_dicom_image *out);
/* The pixel, as part of the largest value that its bits can say: 0 to 65535. */
unsigned rest_dicom_pixel(const rest_dicom_image *image, unsigned row, unsigned column);

#endif
