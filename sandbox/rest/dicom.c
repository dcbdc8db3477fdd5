/* SPDX-License-Identifier: MIT */
#include "dicom.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define PREAMBLE 128u
#define UNDEFINED 0xFFFFFFFFu

typedef struct reader {
  const unsigned char *p, *end;
  bool explicit_vr;
} reader;

typedef struct element {
  uint32_t tag; /* group << 16 | element */
  char vr[3];
  uint32_t length;
} element;

static uint32_t le16(const unsigned char *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const unsigned char *p) {
  return le16(p) | le16(p + 2) << 16;
}

static size_t left(const reader *r) {
  return (size_t)(r->end - r->p);
}

/* VRs with a length of 32 bits behind two empty bytes: PS3.5 table 7.1-1. */
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
  *e = (element){.tag = le16(r->p) << 16 | le16(r->p + 2)};
  if (!r->explicit_vr || e->tag >> 16 == 0xFFFE) {
    e->length = le32(r->p + 4);
    r->p += 8;
    return true;
  }
  memcpy(e->vr, r->p + 4, 2);
  if (!long_vr(e->vr)) {
    e->length = le16(r->p + 6);
    r->p += 8;
    return true;
  }
  if (left(r) < 12)
    return false;
  e->length = le32(r->p + 8);
  r->p += 12;
  return true;
}

/* Over a sequence of undefined length, whose items may be so as well. */
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

/* ---- texts ---- */

static void text_copy(char *out, size_t cap, const unsigned char *s, size_t n) {
  while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\0'))
    n--;
  if (n >= cap)
    n = cap - 1;
  bool utf8 = igt__utf8_valid((const char *)s, n);
  for (size_t i = 0; i < n; i++)
    out[i] = s[i] < 0x20 || (s[i] > 0x7E && !utf8) ? '?' : (char)s[i];
  out[n] = '\0';
}

static void take(rest_dicom *out, const element *e, const unsigned char *value) {
#define FIELD(number, member)                                                                      \
  case number:                                                                                     \
    text_copy(out->member, sizeof out->member, value, e->length);                                  \
    break
  switch (e->tag) {
    FIELD(0x00080018, instance_uid);
    FIELD(0x00080020, study_date);
    FIELD(0x00080030, study_time);
    FIELD(0x00080050, accession);
    FIELD(0x00080060, modality);
    FIELD(0x00081030, description);
    FIELD(0x00100010, patient_name);
    FIELD(0x00100020, patient_id);
    FIELD(0x00100030, birth_date);
    FIELD(0x00100040, sex);
    FIELD(0x0020000D, study_uid);
    FIELD(0x0020000E, series_uid);
    FIELD(0x00200010, study_id);
  default:
    break;
  }
#undef FIELD
}

/* ---- the file ---- */

/* Group 2 is explicit little endian always; it says how the rest is written. */
static bool meta_read(reader *r) {
  char syntax[80] = "";
  r->explicit_vr = true;
  while (left(r) >= 8 && le16(r->p) == 2) {
    element e;
    if (!header(r, &e) || e.length > left(r))
      return false;
    if (e.tag == 0x00020010)
      text_copy(syntax, sizeof syntax, r->p, e.length);
    r->p += e.length;
  }
  r->explicit_vr = strcmp(syntax, "1.2.840.10008.1.2") != 0;
  /* Big endian and deflated data sets: no client of ours sends them. */
  return strcmp(syntax, "1.2.840.10008.1.2.2") != 0 &&
         strcmp(syntax, "1.2.840.10008.1.2.1.99") != 0;
}

static bool reader_begin(reader *r, const unsigned char *data, size_t n) {
  *r = (reader){data, data + n, true};
  if (n < PREAMBLE + 4 || memcmp(data + PREAMBLE, "DICM", 4) != 0)
    return false;
  r->p += PREAMBLE + 4;
  return meta_read(r);
}

/* The next element of the top level, with its value at r->p; those of undefined length are left
 * out. False: there is none, or the file is cut there. */
static bool element_next(reader *r, element *e) {
  while (header(r, e)) {
    if (e->length != UNDEFINED)
      return e->length <= left(r);
    if (!skip_undefined(r, 0))
      return false;
  }
  return false;
}

bool rest_dicom_read(const unsigned char *data, size_t n, rest_dicom *out) {
  reader r;
  element e;
  *out = (rest_dicom){0};
  if (!reader_begin(&r, data, n))
    return false;
  while (element_next(&r, &e) && e.tag <= 0x00200010) {
    take(out, &e, r.p);
    r.p += e.length;
  }
  return out->study_uid[0] != '\0';
}

/* ---- its picture ---- */

static void take_image(rest_dicom_image *out, const element *e, const unsigned char *value,
                       unsigned *samples) {
  unsigned number = e->length >= 2 ? le16(value) : 0;
  if (e->tag == 0x00280002)
    *samples = number;
  else if (e->tag == 0x00280010)
    out->rows = number;
  else if (e->tag == 0x00280011)
    out->columns = number;
  else if (e->tag == 0x00280100)
    out->bits = number;
}

bool rest_dicom_image_read(const unsigned char *data, size_t n, rest_dicom_image *out) {
  unsigned samples = 1;
  reader r;
  element e = {0};
  *out = (rest_dicom_image){0};
  if (!reader_begin(&r, data, n))
    return false;
  while (element_next(&r, &e) && e.tag < 0x7FE00010) {
    take_image(out, &e, r.p, &samples);
    r.p += e.length;
  }
  out->pixels = r.p;
  return e.tag == 0x7FE00010 && samples == 1 && (out->bits == 8 || out->bits == 16) &&
         out->rows > 0 && out->columns > 0 && e.length != UNDEFINED && e.length <= left(&r) &&
         e.length >= (uint64_t)out->rows * out->columns * (out->bits / 8);
}

unsigned rest_dicom_pixel(const rest_dicom_image *image, unsigned row, unsigned column) {
  size_t at = (size_t)row * image->columns + column;
  return image->bits == 8 ? image->pixels[at] * 257u : le16(image->pixels + 2 * at);
}
