/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_UNICODE_H
#define IGT_BASE_UNICODE_H

/* Names that look the same: Unicode Normalization Form C (UAX #15) and simple case folding. A Mac
 * writes "ü" as two characters, most other systems and the cloud as one; both are the same name.
 * Text that is not valid UTF-8, or is longer than a path, is left unchanged. */

#include <stdbool.h>

/* Whether the text is certainly in NFC: it has no character that normalization could change. False:
 * only igt__nfc can decide. One pass over the bytes, without allocation. */
bool igt__nfc_is_plain(const char *text);

/* Whether all normalization forms of the text are identical. */
bool igt__is_ascii(const char *text);

/* The text in NFC. igt__free; NULL: no memory. */
char *igt__nfc(const char *text);

/* Whether both have the same NFC. Without memory for that: whether their bytes are equal. */
bool igt__nfc_eq(const char *a, const char *b);

/* The case-folded NFC of the text, as case-insensitive file systems compare names. igt__free; NULL:
 * no memory. */
char *igt__nfc_fold(const char *text);

/* The text in NFD, as a Mac writes it. igt__free; NULL: no memory. */
char *igt__nfd(const char *text);

#endif
