/* SPDX-License-Identifier: MIT */
/* The mapping between cloud paths and local names that name.h defines.
 *
 * igt__path_to_local checks a path and maps each component that the disk cannot store (encode);
 * downloads use it, with the rules that root.c probed. igt__path_from_local undoes the mapping
 * (decode) for uploads and verification. A local name is mapped back only if the mapping yields
 * exactly that name (is_mapped_to), so that a user's own file whose name happens to begin with "%%"
 * keeps it. */
#include "name.h"

#include <string.h>

#include "buf.h"
#include "limits.h"
#include "mem.h"
#include "path.h"
#include "str.h"

#define MARK "%%" /* prefix of a mapped component */
#define MORE "%+" /* suffix of a component that continues in the next folder */
/* Bytes of a component that was split: leaves space for the marks and a partial file's name. */
#define COMPONENT_MOST 200
#define HEX "0123456789ABCDEF"

/* ---- unsupported names ---- */

static bool is_control(unsigned char c) {
  return c < 0x20 || c == 0x7f;
}

/* Microsoft, "Naming Files, Paths, and Namespaces": these names, alone or before a dot. */
static bool is_device(const char *s, size_t n) {
  static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$"};
  size_t stem = 0;

  while (stem < n && s[stem] != '.' && s[stem] != ' ')
    stem++;
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
    if (stem == strlen(devices[i]) && igt__str_starts_nocase(s, devices[i]))
      return true;
  if (!igt__str_starts_nocase(s, "com") && !igt__str_starts_nocase(s, "lpt"))
    return false;
  if (stem == 4)
    return s[3] >= '0' && s[3] <= '9';
  /* COM¹, ² and ³ in UTF-8 */
  return stem == 5 && (unsigned char)s[3] == 0xc2 && memchr("\xb9\xb2\xb3", s[4], 3) != NULL;
}

static bool is_partial(const char *s, size_t n) {
  static const char suffix[] = ".igtpart";
  size_t m = sizeof suffix - 1;

  return n > m && s[0] == '.' && memcmp(s + n - m, suffix, m) == 0;
}

/* Whether byte i of the component is unsupported. */
static bool is_in_the_way(const char *s, size_t n, size_t i, igt__name_rules rules) {
  unsigned char c = (unsigned char)s[i];

  if (is_control(c) || c == '/')
    return true;
  if (i == 0 && is_partial(s, n))
    return true;
  if (rules == IGT__NAMES_POSIX)
    return false;
  if (strchr("<>:\"\\|?*", c))
    return true;
  if (i == n - 1 && (c == '.' || c == ' '))
    return true;
  return i == 0 && is_device(s, n);
}

static bool is_holdable(const char *s, size_t n, igt__name_rules rules) {
  if (n > IGT__MAX_NAME || (n >= 2 && memcmp(s, MARK, 2) == 0))
    return false;
  for (size_t i = 0; i < n; i++)
    if (is_in_the_way(s, n, i, rules))
      return false;
  return true;
}

/* ---- cloud to local ---- */

/* The length of the UTF-8 character at s, which is valid. */
static size_t character(const char *s) {
  unsigned char c = (unsigned char)*s;

  return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static void encode(igt__buf *out, const char *s, size_t n, igt__name_rules rules) {
  size_t begin = out->len;

  igt__buf_puts(out, MARK);
  for (size_t i = 0; i < n;) {
    size_t k = character(s + i);
    if (out->len - begin + 4 > COMPONENT_MOST) {
      igt__buf_puts(out, MORE "/" MARK);
      begin = out->len - 2;
    }
    if (s[i] == '%' || is_in_the_way(s, n, i, rules)) {
      char escape[3] = {'%', HEX[(unsigned char)s[i] >> 4], HEX[(unsigned char)s[i] & 15]};
      igt__buf_append(out, escape, 3);
      i++;
    } else {
      igt__buf_append(out, s + i, k);
      i += k;
    }
  }
}

static void map_component(igt__buf *out, const char *s, size_t n, igt__name_rules rules) {
  if (is_holdable(s, n, rules))
    igt__buf_append(out, s, n);
  else
    encode(out, s, n, rules);
}

static igt_status check_bytes(const char *path, size_t len, const char *what, igt_error *err) {
  if (len == 0)
    return igt__fail(err, IGT_E_UNSAFE_NAME, "%s has an empty name", what);
  if (strnlen(path, len) != len)
    return igt__fail_unsafe(err, what, path, "it contains a NUL byte");
  if (len > IGT__MAX_PATH)
    return igt__fail_unsafe(err, what, path, "it is longer than 4,000 bytes");
  if (!igt__utf8_valid(path, len))
    return igt__fail_unsafe(err, what, path, "it is not valid UTF-8");
  return IGT_OK;
}

igt_status igt__path_check_cloud(const char *path, size_t len, const char *what, igt_error *err) {
  igt_status status = check_bytes(path, len, what, err);

  if (status != IGT_OK)
    return status;
  if (path[0] == '/')
    return igt__fail_unsafe(err, what, path, "it is absolute");
  for (const char *p = path;; p++) {
    size_t n = strcspn(p, "/");
    const char *why = igt__component_trouble(p, n);
    if (why)
      return igt__fail_unsafe(err, what, path, why);
    p += n;
    if (!*p)
      return IGT_OK;
  }
}

static igt_status finish(igt__buf *buf, const char *what, char **out, igt_error *err) {
  igt_status status = buf->too_long
                          ? igt__fail(err, IGT_E_UNSAFE_NAME, "the name of %s is too long", what)
                      : buf->failed ? igt__fail_memory(err)
                                    : igt__path_check(buf->data, buf->len, what, err);

  if (status == IGT_OK && !(*out = igt__buf_take(buf)))
    status = igt__fail_memory(err);
  igt__buf_finish(buf);
  return status;
}

igt_status igt__path_to_local(const char *path, size_t len, igt__name_rules rules, const char *what,
                              char **out, igt_error *err) {
  igt_status status = igt__path_check_cloud(path, len, what, err);
  igt__buf buf;

  *out = NULL;
  if (status != IGT_OK)
    return status;
  igt__buf_init(&buf, IGT__MAX_PATH + 1);
  for (const char *p = path;; p++) {
    size_t n = strcspn(p, "/");
    map_component(&buf, p, n, rules);
    p += n;
    if (!*p)
      break;
    igt__buf_putc(&buf, '/');
  }
  return finish(&buf, what, out, err);
}

igt_status igt__name_to_local(const char *name, igt__name_rules rules, const char *what, char **out,
                              igt_error *err) {
  size_t n = name ? strlen(name) : 0;
  igt_status status = check_bytes(name, n, what, err);
  const char *why = status == IGT_OK ? igt__component_trouble(name, n) : NULL;
  igt__buf buf;

  *out = NULL;
  if (why)
    status = igt__fail_unsafe(err, what, name, why);
  if (status != IGT_OK)
    return status;
  igt__buf_init(&buf, IGT__MAX_PATH + 1);
  map_component(&buf, name, n, rules);
  if (strchr(buf.data, '/')) { /* must remain a single folder */
    igt__buf_finish(&buf);
    return igt__fail_unsafe(err, what, name, "it is too long for a folder name");
  }
  return finish(&buf, what, out, err);
}

/* ---- local to cloud ---- */

/* Decodes the component at *at and its continuations, and moves *at past them. False: it was not
 * mapped. */
static bool decode(igt__buf *out, const char **at) {
  const char *p = *at;

  for (;;) {
    if (strncmp(p, MARK, 2) != 0)
      return false;
    p += 2;
    while (*p && *p != '/' && strncmp(p, MORE, 2) != 0) {
      if (*p != '%') {
        igt__buf_putc(out, *p++);
        continue;
      }
      int high = igt__hex_value(p[1]), low = high < 0 ? -1 : igt__hex_value(p[2]);
      if (low < 0 || (high == 0 && low == 0))
        return false;
      igt__buf_putc(out, (char)(high << 4 | low));
      p += 3;
    }
    if (*p != '%')
      break;
    p += 2;
    if (*p != '/')
      return false;
    p++;
  }
  *at = p;
  return true;
}

/* Whether mapping name under one of the rules yields exactly this. */
static bool is_mapped_to(const igt__buf *name, const char *local, size_t n) {
  bool same = false;

  for (int rules = IGT__NAMES_POSIX; rules <= IGT__NAMES_PORTABLE && !same; rules++) {
    igt__buf again;
    igt__buf_init(&again, IGT__MAX_PATH * 4);
    map_component(&again, name->data, name->len, (igt__name_rules)rules);
    same = !again.failed && again.len == n && memcmp(again.data, local, n) == 0;
    igt__buf_finish(&again);
  }
  return same;
}

/* Appends the cloud's name of the component at *at, and moves *at past it. */
static void unmap_component(igt__buf *out, const char **at, bool slash) {
  const char *begin = *at, *end = begin;
  igt__buf name;

  igt__buf_init(&name, IGT__MAX_PATH);
  if (decode(&name, &end) && !name.failed && igt__utf8_valid(name.data, name.len) &&
      !igt__component_trouble(name.data, name.len) &&
      (slash || !memchr(name.data, '/', name.len)) &&
      is_mapped_to(&name, begin, (size_t)(end - begin))) {
    igt__buf_append(out, name.data, name.len);
  } else {
    end = begin + strcspn(begin, "/");
    igt__buf_append(out, begin, (size_t)(end - begin));
  }
  igt__buf_finish(&name);
  *at = end;
}

static char *unmap(const char *path, bool slash) {
  igt__buf out;
  char *made;

  if (!strstr(path, MARK))
    return igt__strdup(path);
  igt__buf_init(&out, SIZE_MAX);
  for (const char *p = path; *p;) {
    unmap_component(&out, &p, slash);
    if (*p)
      igt__buf_putc(&out, *p++);
  }
  made = igt__buf_take(&out);
  igt__buf_finish(&out);
  return made;
}

char *igt__path_from_local(const char *path) {
  return unmap(path, false);
}

char *igt__name_from_local(const char *name) {
  return unmap(name, true);
}
