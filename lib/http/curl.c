/* SPDX-License-Identifier: MIT */
/* Loads libcurl with the first connection instead of at program start: libcurl and the twenty
 * libraries behind it take two thirds of the start-up time, and help, version, completions and
 * whatever fails before it needs the network do not use them. The functions that this layer calls
 * are defined here under curl's own names and forward to the loaded library, so that curl's header
 * checks every call. igt__http_new loads it (igt__curl_load). */
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>

#include "http/internal.h"

#ifdef IGT__CURL_LIBRARY /* the option curl_library: a bundle has one under a name of its own */
#define SONAME IGT__CURL_LIBRARY
#else
#define SONAME "libcurl.so.4"
#endif

#define FUNCTIONS(X)                                                                               \
  X(curl_global_init)                                                                              \
  X(curl_version)                                                                                  \
  X(curl_global_init_mem)                                                                          \
  X(curl_easy_init)                                                                                \
  X(curl_easy_cleanup)                                                                             \
  X(curl_easy_setopt)                                                                              \
  X(curl_easy_getinfo)                                                                             \
  X(curl_easy_pause)                                                                               \
  X(curl_easy_perform)                                                                             \
  X(curl_easy_strerror)                                                                            \
  X(curl_multi_init)                                                                               \
  X(curl_multi_cleanup)                                                                            \
  X(curl_multi_setopt)                                                                             \
  X(curl_multi_add_handle)                                                                         \
  X(curl_multi_remove_handle)                                                                      \
  X(curl_multi_info_read)                                                                          \
  X(curl_multi_socket_action)

/* Declared from the functions, not the header's macros, which check the arguments of three of
 * them. */
#define MEMBER(name) __typeof__(name) *name##_;
static struct {
  void *library;
  FUNCTIONS(MEMBER)
} lib;

#define FIND(name) *(void **)&lib.name##_ = dlsym(library, #name);
#define MISSING(name) || !lib.name##_

static igt_status load_locked(igt_error *err) {
  void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

  if (!library)
    return igt__fail(err, IGT_E_UNSUPPORTED,
                     "%s cannot be loaded, and without it there is no network (Debian's package "
                     "is libcurl4): %s",
                     SONAME, dlerror());
  FUNCTIONS(FIND)
  if (!library FUNCTIONS(MISSING)) {
    (void)dlclose(library);
    return igt__fail(err, IGT_E_UNSUPPORTED, "this machine's %s is too old: 7.88 is required",
                     SONAME);
  }
  lib.library = library;
  igt__curl_init();
  return IGT_OK;
}

/* Never unloaded: the host program may use curl as well. */
igt_status igt__curl_load(igt_error *err) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  igt_status status = IGT_OK;

  pthread_mutex_lock(&lock);
  if (!lib.library)
    status = load_locked(err);
  pthread_mutex_unlock(&lock);
  return status;
}

/* ---- under curl's names; the parentheses prevent the header's macros from expanding ---- */

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): curl's own names differ from
 * one version to the next. */
CURLcode(curl_global_init)(long flags) {
  return lib.curl_global_init_(flags);
}

char *(curl_version)(void) {
  return lib.curl_version_();
}

CURLcode(curl_global_init_mem)(long flags, curl_malloc_callback m, curl_free_callback f,
                               curl_realloc_callback r, curl_strdup_callback s,
                               curl_calloc_callback c) {
  return lib.curl_global_init_mem_(flags, m, f, r, s, c);
}

CURL *(curl_easy_init)(void) {
  return lib.curl_easy_init_();
}

void(curl_easy_cleanup)(CURL *easy) {
  lib.curl_easy_cleanup_(easy);
}

/* The type of the argument follows from the option's number. */
CURLcode(curl_easy_setopt)(CURL *easy, CURLoption option, ...) {
  CURLcode code;
  va_list args;

  va_start(args, option);
  if ((int)option < CURLOPTTYPE_OBJECTPOINT)
    code = lib.curl_easy_setopt_(easy, option, va_arg(args, long));
  else if ((int)option >= CURLOPTTYPE_OFF_T && (int)option < CURLOPTTYPE_BLOB)
    code = lib.curl_easy_setopt_(easy, option, va_arg(args, curl_off_t));
  else
    code = lib.curl_easy_setopt_(easy, option, va_arg(args, void *));
  va_end(args);
  return code;
}

CURLcode(curl_easy_getinfo)(CURL *easy, CURLINFO info, ...) {
  CURLcode code;
  va_list args;

  va_start(args, info);
  code = lib.curl_easy_getinfo_(easy, info, va_arg(args, void *));
  va_end(args);
  return code;
}

CURLcode(curl_easy_pause)(CURL *easy, int mask) {
  return lib.curl_easy_pause_(easy, mask);
}

CURLcode(curl_easy_perform)(CURL *easy) {
  return lib.curl_easy_perform_(easy);
}

const char *(curl_easy_strerror)(CURLcode code) {
  return lib.curl_easy_strerror_(code);
}

CURLM *(curl_multi_init)(void) {
  return lib.curl_multi_init_();
}

CURLMcode(curl_multi_cleanup)(CURLM *multi) {
  return lib.curl_multi_cleanup_(multi);
}

CURLMcode(curl_multi_setopt)(CURLM *multi, CURLMoption option, ...) {
  CURLMcode code;
  va_list args;

  va_start(args, option);
  code = (int)option < CURLOPTTYPE_OBJECTPOINT
             ? lib.curl_multi_setopt_(multi, option, va_arg(args, long))
             : lib.curl_multi_setopt_(multi, option, va_arg(args, void *));
  va_end(args);
  return code;
}

CURLMcode(curl_multi_add_handle)(CURLM *multi, CURL *easy) {
  return lib.curl_multi_add_handle_(multi, easy);
}

CURLMcode(curl_multi_remove_handle)(CURLM *multi, CURL *easy) {
  return lib.curl_multi_remove_handle_(multi, easy);
}

CURLMsg *(curl_multi_info_read)(CURLM *multi, int *left) {
  return lib.curl_multi_info_read_(multi, left);
}

CURLMcode(curl_multi_socket_action)(CURLM *multi, curl_socket_t fd, int mask, int *running) {
  return lib.curl_multi_socket_action_(multi, fd, mask, running);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
