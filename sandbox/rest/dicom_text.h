/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_DICOM_TEXT_H
#define SANDBOX_REST_DICOM_TEXT_H

/* Texts of a DICOM file in UTF-8: PS3.5, 6.1, by the Specific Character Set (0008,0005). */

#include <stddef.h>

/* charset: the element's value, its terms divided by '\'; "" when the file has none, which means
 * ASCII: what is beyond it is then taken as UTF-8, when it is that, and else as Latin 1. Padding at
 * the end goes, control characters and what cannot be decoded become '?'. */
void rest_dicom_text(const char *charset, const unsigned char *s, size_t n, char *out, size_t cap);

#endif
