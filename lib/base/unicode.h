/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_UNICODE_H
#define IGT_BASE_UNICODE_H

/* Names that look the same: Unicode Normalization Form C (UAX #15) and simple case folding. A Mac
 * writes "ü" as two characters, most other systems and the cloud as one; both are the same name.
 * Text that is not valid UTF-8, or
 * is longer than a path, is left as it is. */

#include <stdbool.h>

/* Whether the text is in NFC for certain: it has no character that normalization could change.
 * False: igt__nfc has to look. One pass over the bytes, without memory. */
bool igt__nfc_is_plain(const char *text);

/* Whether every form of the text is the same. */
bool igt__is_ascii(const char *text);

/* The text in NFC. igt__free; NULL: no memory. */
char *igt__nfc(const char *text);

/* Whether both are the same in NFC. Without memory for it: whether they have the same bytes. */
bool igt__nfc_eq(const char *a, const char *b);

/* The text in NFC without differences of case, as file systems that fold case compare names.
 * igt__free; NULL: no memory. */
char *igt__nfc_fold(const char *text);

/* The text in NFD, as a Mac writes it. igt__free; NULL: no memory. */
char *igt__nfd(const char *text);

#endif
