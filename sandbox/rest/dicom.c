/* SPDX-License-Identifier: MIT */
/* A reader for DICOM files (PS3.10): rest_dicom_read collects the identifiers by which an import
 * sorts a file, rest_dicom_image_read the attributes and pixels that a preview needs. Both iterate
 * over the top-level elements (element_next), skip sequences, and guess the encoding from the data
 * where the meta information is missing or wrong. Every read is bounded by the buffer. Text is
 * decoded by dicom_text.c. dicom_import.c and series.c call this. */
#include "dicom.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dicom_text.h"

#define PREAMBLE 128u
#define UNDEFINED 0xFFFFFFFFu

typedef struct reader {
  const unsigned char *p, *end;
  bool explicit_vr, big;
} reader;

typedef struct element {
  uint32_t tag; /* group << 16 | element */
  char vr[3];
  uint32_t length;
} element;

static uint32_t le16(const unsigned char *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get16(const reader *r, const unsigned char *p) {
  return r->big ? (uint32_t)p[0] << 8 | p[1] : le16(p);
}

static uint32_t get32(const reader *r, const unsigned char *p) {
  return r->big ? get16(r, p) << 16 | get16(r, p + 2) : get16(r, p) | get16(r, p + 2) << 16;
}

static size_t left(const reader *r) {
  return (size_t)(r->end - r->p);
}

/* VRs with a 32-bit length after two reserved bytes: PS3.5 table 7.1-1. */
static bool long_vr(const char *vr) {
  static const char names[][3] = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                  "SV", "UC", "UN", "UR", "UT", "UV"};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (memcmp(vr, names[i], 2) == 0)
      return true;
  }
  return false;
}

static bool header(reader *r, element *e) {
  if (left(r) < 8)
    return false;
  *e = (element){.tag = get16(r, r->p) << 16 | get16(r, r->p + 2)};
  if (!r->explicit_vr || e->tag >> 16 == 0xFFFE) {
    e->length = get32(r, r->p + 4);
    r->p += 8;
    return true;
  }
  memcpy(e->vr, r->p + 4, 2);
  if (!long_vr(e->vr)) {
    e->length = get16(r, r->p + 6);
    r->p += 8;
    return true;
  }
  if (left(r) < 12)
    return false;
  e->length = get32(r, r->p + 8);
  r->p += 12;
  return true;
}

/* Skips a sequence of undefined length, whose items may also have undefined length. */
static bool skip_undefined(reader *r, unsigned depth) {
  element e;

  while (depth < 32 && header(r, &e)) {
    if (e.tag == 0xFFFEE0DD || e.tag == 0xFFFEE00D)
      return true;
    if (e.length == UNDEFINED) {
      if (!skip_undefined(r, depth + 1))
        return false;
    } else if (e.length > left(r)) {
      return false;
    } else {
      r->p += e.length;
    }
  }
  return false;
}

/* Copies a value that is ASCII by its VR. */
static void ascii_copy(char *out, size_t cap, const unsigned char *s, size_t n) {
  rest_dicom_text("ISO_IR 6", s, n, out, cap);
}

/* ---- the file ---- */

static bool looks_explicit(const reader *r) {
  return left(r) >= 8 && r->p[4] >= 'A' && r->p[4] <= 'Z' && r->p[5] >= 'A' && r->p[5] <= 'Z';
}

/* Group 2 is always explicit little endian; it says how the rest is encoded. */
static bool meta_read(reader *r, char syntax[80]) {
  r->explicit_vr = true;
  while (left(r) >= 8 && le16(r->p) == 2) {
    element e;
    if (!header(r, &e) || e.length > left(r))
      return false;
    if (e.tag == 0x00020010)
      ascii_copy(syntax, 80, r->p, e.length);
    r->p += e.length;
  }
  return true;
}

/* Writers declare the data set's encoding wrongly, so it is detected. Standard group numbers are
 * small; in the wrong byte order they are not. */
static void guess_encoding(reader *r) {
  if (left(r) < 8)
    return;
  r->big = r->p[0] == 0 && r->p[1] > 0 && r->p[1] < 0x80;
  r->explicit_vr = looks_explicit(r);
}

static bool begins_like_dicom(const unsigned char *data, size_t n) {
  reader r = {data, data + n, false, false};
  element e;

  guess_encoding(&r);
  if (n < 8 || (get16(&r, data) != 2 && get16(&r, data) != 8))
    return false;
  return header(&r, &e) && (e.length <= left(&r) || e.length == UNDEFINED) &&
         (e.tag & 0xFFFF) <= 0x1000;
}

static const char *reader_begin(reader *r, const unsigned char *data, size_t n, char syntax[80]) {
  *r = (reader){data, data + n, true, false};
  syntax[0] = '\0';
  if (n >= PREAMBLE + 4 && memcmp(data + PREAMBLE, "DICM", 4) == 0)
    r->p += PREAMBLE + 4;
  else if (!begins_like_dicom(data, n))
    return "it is not DICOM";
  if (!meta_read(r, syntax))
    return "its meta information is damaged";
  if (strcmp(syntax, "1.2.840.10008.1.2.1.99") == 0 ||
      strcmp(syntax, "1.2.840.10008.1.2.4.95") == 0)
    return "its data set is deflated";
  guess_encoding(r);
  return NULL;
}

/* The next top-level element, with its value at r->p; elements of undefined length are skipped.
 * False: no more elements, or the file is truncated. */
static bool element_next(reader *r, element *e) {
  while (header(r, e)) {
    if (e->length != UNDEFINED)
      return e->length <= left(r);
    if (e->tag == 0x7FE00010)
      return true; /* fragments */
    reader inner = *r;
    if (memcmp(e->vr, "UN", 2) == 0) /* implicit within (PS3.5, 6.2.2) */
      inner.explicit_vr = false;
    if (!skip_undefined(&inner, 0))
      return false;
    r->p = inner.p;
  }
  return false;
}

/* ---- identifiers ---- */

static void take(rest_dicom *out, const char *charset, const element *e,
                 const unsigned char *value) {
#define FIELD(number, member)                                                                      \
  case number:                                                                                     \
    rest_dicom_text(charset, value, e->length, out->member, sizeof out->member);                   \
    break
#define CODE(number, member)                                                                       \
  case number:                                                                                     \
    ascii_copy(out->member, sizeof out->member, value, e->length);                                 \
    break
  switch (e->tag) {
    CODE(0x00080018, instance_uid);
    CODE(0x00080020, study_date);
    CODE(0x00080030, study_time);
    FIELD(0x00080050, accession);
    CODE(0x00080060, modality);
    FIELD(0x00081030, description);
    FIELD(0x00100010, patient_name);
    FIELD(0x00100020, patient_id);
    CODE(0x00100030, birth_date);
    CODE(0x00100040, sex);
    CODE(0x0020000D, study_uid);
    CODE(0x0020000E, series_uid);
    FIELD(0x00200010, study_id);
  default:
    break;
  }
#undef FIELD
#undef CODE
}

/* A UID becomes part of keys. Many real ones are no valid UIDs, but none leads to another folder.
 */
static bool is_safe_uid(const char *uid) {
  return !strchr(uid, '/') && strcmp(uid, ".") != 0 && strcmp(uid, "..") != 0;
}

const char *rest_dicom_read(const unsigned char *data, size_t n, rest_dicom *out) {
  char syntax[80], charset[128] = "";
  reader r;
  element e;
  const char *why = reader_begin(&r, data, n, syntax);

  *out = (rest_dicom){0};
  if (why)
    return why;
  while (element_next(&r, &e) && e.tag <= 0x00200010) {
    if (e.tag == 0x00041220)
      return "it is a DICOMDIR, the index of a disc";
    if (e.tag == 0x00080005)
      ascii_copy(charset, sizeof charset, r.p, e.length);
    take(out, charset, &e, r.p);
    r.p += e.length;
  }
  for (size_t len = strlen(out->patient_name); len > 0 && out->patient_name[len - 1] == '='; len--)
    out->patient_name[len - 1] = '\0'; /* trailing empty component groups (PS3.5, 6.2.1) */
  if (!is_safe_uid(out->study_uid) || !is_safe_uid(out->series_uid) ||
      !is_safe_uid(out->instance_uid))
    return "it has a UID that contains a slash or is a dot";
  return out->study_uid[0] ? NULL : "it has no Study Instance UID";
}

/* ---- the image ---- */

typedef struct image_facts {
  rest_dicom_image *image;
  unsigned samples, is_signed;
  char photometric[32];
  double spacing[2]; /* of rows, of columns; 0: unknown */
} image_facts;

/* "0.5\0.5" */
static void take_spacing(image_facts *f, const element *e, const unsigned char *value) {
  char text[80], *second;

  ascii_copy(text, sizeof text, value, e->length);
  f->spacing[0] = strtod(text, &second);
  f->spacing[1] = *second == '\\' ? strtod(second + 1, NULL) : 0;
}

static void take_image(image_facts *f, const reader *r, const element *e) {
  unsigned number = e->length >= 2 ? get16(r, r->p) : 0;

  switch (e->tag) {
  case 0x00280002:
    f->samples = number;
    break;
  case 0x00280004:
    ascii_copy(f->photometric, sizeof f->photometric, r->p, e->length);
    break;
  case 0x00280010:
    f->image->rows = number;
    break;
  case 0x00280011:
    f->image->columns = number;
    break;
  case 0x00181164: /* Imager Pixel Spacing, Nominal Scanned, Pixel Spacing, Pixel Aspect Ratio */
  case 0x00182010:
  case 0x00280030:
  case 0x00280034:
    take_spacing(f, e, r->p);
    break;
  case 0x00280100:
    f->image->bits = number;
    break;
  case 0x00280101:
    f->image->stored = number;
    break;
  case 0x00280102:
    f->image->high = number;
    break;
  case 0x00280103:
    f->is_signed = number;
    break;
  default:
    break;
  }
}

static bool is_square(const double spacing[2]) {
  double difference = spacing[0] - spacing[1];

  return spacing[0] <= 0 || spacing[1] <= 0 ||
         (difference < 0.01 * spacing[0] && difference > -0.01 * spacing[0]);
}

/* The reason why an image is not drawn: it would be drawn wrongly. */
static const char *why_not_drawn(const image_facts *f, const char *syntax) {
  const rest_dicom_image *image = f->image;

  if (strncmp(syntax, "1.2.840.10008.1.2.4", 19) == 0 || strcmp(syntax, "1.2.840.10008.1.2.5") == 0)
    return "its pixels are compressed";
  if (f->samples != 1)
    return "it is in colour";
  if (strncmp(f->photometric, "MONOCHROME", 10) != 0)
    return "its pixels are indices of a palette, or of another kind that is not grey";
  if (f->is_signed)
    return "its pixels are signed";
  if (image->bits != 8 && image->bits != 16)
    return "its pixels have neither 8 nor 16 bits";
  if (image->stored == 0 || image->stored > image->bits || image->high >= image->bits ||
      image->high + 1 < image->stored)
    return "the description of its pixels' bits is wrong";
  if (!is_square(f->spacing))
    return "its pixels are not square";
  return NULL;
}

const char *rest_dicom_image_read(const unsigned char *data, size_t n, rest_dicom_image *out) {
  image_facts f = {.image = out, .samples = 1};
  char syntax[80];
  reader r;
  element e = {0};
  const char *why = reader_begin(&r, data, n, syntax);

  *out = (rest_dicom_image){0};
  if (why)
    return why;
  while (element_next(&r, &e) && e.tag < 0x7FE00010) {
    take_image(&f, &r, &e);
    r.p += e.length;
  }
  if (e.tag != 0x7FE00010 || out->rows == 0 || out->columns == 0) {
    out->rows = 0;
    return "it has no picture";
  }
  if (out->stored == 0) {
    out->stored = out->bits;
    out->high = out->bits - 1;
  }
  if ((why = why_not_drawn(&f, syntax)) != NULL)
    return why;
  if (r.big)
    return "its pixels are big endian";
  out->inverted = strcmp(f.photometric, "MONOCHROME1") == 0;
  out->pixels = r.p;
  if (e.length == UNDEFINED)
    return "its pixels are compressed";
  return e.length <= left(&r) && e.length >= (uint64_t)out->rows * out->columns * (out->bits / 8)
             ? NULL
             : "its pixels are cut off";
}

unsigned rest_dicom_pixel(const rest_dicom_image *image, unsigned row, unsigned column) {
  size_t at = (size_t)row * image->columns + column;
  unsigned value = image->bits == 8 ? image->pixels[at] : le16(image->pixels + 2 * at);
  unsigned most = (1u << image->stored) - 1;

  value = value >> (image->high + 1 - image->stored) & most;
  value = image->inverted ? most - value : value;
  return value * (65535u / most);
}
