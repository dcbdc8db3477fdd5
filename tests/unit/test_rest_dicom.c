/* SPDX-License-Identifier: MIT */
/* The sandbox's DICOM reader (sandbox/rest/dicom.c): encodings, sequences, truncation, refused
 * files and text. The sandbox is a program, not a library: its pure parts are tested by including
 * their source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../sandbox/rest/dicom.c"
#include "../../sandbox/rest/dicom_text.c"

#define EXPLICIT "1.2.840.10008.1.2.1"
#define IMPLICIT "1.2.840.10008.1.2"

typedef struct bytes {
  unsigned char data[4096];
  size_t n;
} bytes;

static void put(bytes *b, const void *data, size_t n) {
  assert_true(b->n + n <= sizeof b->data);
  memcpy(b->data + b->n, data, n);
  b->n += n;
}

static void put_int(bytes *b, uint32_t value, size_t n) {
  unsigned char le[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                         (unsigned char)(value >> 16), (unsigned char)(value >> 24)};

  put(b, le, n);
}

static void tag(bytes *b, uint32_t value) {
  put_int(b, value >> 16, 2);
  put_int(b, value & 0xFFFF, 2);
}

/* vr NULL: implicit. */
static void text(bytes *b, uint32_t number, const char *vr, const char *value) {
  size_t n = strlen(value), padded = n + n % 2;

  tag(b, number);
  if (vr) {
    put(b, vr, 2);
    put_int(b, (uint32_t)padded, 2);
  } else {
    put_int(b, (uint32_t)padded, 4);
  }
  put(b, value, n);
  put(b, " ", padded - n);
}

static void begin(bytes *b, const char *syntax) {
  *b = (bytes){.n = PREAMBLE};
  put(b, "DICM", 4);
  text(b, 0x00020010, "UI", syntax);
}

/* A sequence of undefined length with an item of undefined length, as written by scanners. */
static void sequence(bytes *b, bool is_explicit) {
  tag(b, 0x00081140);
  if (is_explicit) {
    put(b, "SQ\0\0", 4);
  }
  put_int(b, UNDEFINED, 4);
  tag(b, 0xFFFEE000);
  put_int(b, UNDEFINED, 4);
  text(b, 0x0020000D, is_explicit ? "UI" : NULL, "9.9.9"); /* not the file's own */
  tag(b, 0xFFFEE00D);
  put_int(b, 0, 4);
  tag(b, 0xFFFEE0DD);
  put_int(b, 0, 4);
}

static void rest(bytes *b, bool is_explicit) {
#define VR(vr) (is_explicit ? (vr) : NULL)
  text(b, 0x00080020, VR("DA"), "20240102");
  sequence(b, is_explicit);
  text(b, 0x00100010, VR("PN"), "Doe^Jane");
  text(b, 0x00100020, VR("LO"), "P1");
  text(b, 0x0020000D, VR("UI"), "1.2.3");
  text(b, 0x0020000E, VR("UI"), "1.2.3.4");
  text(b, 0x00200010, VR("SH"), "S1");
#undef VR
}

static void check_read(const char *syntax, bool is_explicit) {
  bytes b;
  rest_dicom d;

  begin(&b, syntax);
  rest(&b, is_explicit);
  assert_null(rest_dicom_read(b.data, b.n, &d));
  assert_string_equal(d.patient_name, "Doe^Jane");
  assert_string_equal(d.patient_id, "P1");
  assert_string_equal(d.study_uid, "1.2.3");
  assert_string_equal(d.series_uid, "1.2.3.4");
  assert_string_equal(d.study_id, "S1");
  assert_string_equal(d.study_date, "20240102");
}

static void test_reads(void **state) {
  (void)state;
  check_read(EXPLICIT, true);
  check_read(IMPLICIT, false);
}

/* Any truncation must end without reading beyond the end: ASan watches a block of the exact
 * size. */
static void test_cut_anywhere(void **state) {
  (void)state;
  bytes b;
  rest_dicom d;
  begin(&b, EXPLICIT);
  rest(&b, true);
  for (size_t n = 0; n < b.n; n++) {
    unsigned char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, b.data, n);
    rest_dicom_read(copy, n, &d);
    free(copy);
  }
  assert_non_null(rest_dicom_read(b.data, PREAMBLE + 4, &d));
}

static void test_refuses(void **state) {
  (void)state;
  bytes b;
  rest_dicom d;
  begin(&b, "1.2.840.10008.1.2.1.99");
  rest(&b, true);
  assert_string_equal(rest_dicom_read(b.data, b.n, &d), "its data set is deflated");
  begin(&b, "1.2.840.10008.1.2.1.99");
  assert_non_null(rest_dicom_read(b.data, b.n, &d));
  begin(&b, EXPLICIT);
  rest(&b, true);
  b.data[PREAMBLE] = 'X';
  assert_non_null(rest_dicom_read(b.data, b.n, &d));
  begin(&b, EXPLICIT);
  text(&b, 0x00100010, "PN", "no study");
  assert_non_null(rest_dicom_read(b.data, b.n, &d));
}

static void test_texts(void **state) {
  (void)state;
  bytes b;
  rest_dicom d;
  begin(&b, EXPLICIT);
  text(&b, 0x00100010, "PN", "M\xfcller\n^A  "); /* Latin-1, control character, padding */
  text(&b, 0x00100020, "LO", "M\xc3\xbcller");
  text(&b, 0x0020000D, "UI", "1.2");
  assert_null(rest_dicom_read(b.data, b.n, &d));
  assert_string_equal(d.patient_name, "M\xc3\xbcller?^A");
  assert_string_equal(d.patient_id, "M\xc3\xbcller");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads),
                                     cmocka_unit_test(test_cut_anywhere),
                                     cmocka_unit_test(test_refuses), cmocka_unit_test(test_texts)};

  return cmocka_run_group_tests(tests, NULL, NULL);
}
