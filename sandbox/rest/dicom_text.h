/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REST_DICOM_TEXT_H
#define SANDBOX_REST_DICOM_TEXT_H

/* Text of a DICOM file as UTF-8: PS3.5, 6.1, according to the Specific Character Set
 * (0008,0005). */

#include <stddef.h>

/* charset: the element's value, terms separated by '\'; "" when the file has none, which means
 * ASCII: other bytes are then taken as UTF-8 if valid, otherwise as Latin 1. Trailing padding is
 * removed; control characters and bytes that cannot be decoded become '?'. */
void rest_dicom_text(const char *charset, const unsigned char *s, size_t n, char *out, size_t cap);

#endif
