/* SPDX-License-Identifier: MIT */
#ifndef IGTCLOUD_EXPORT_H
#define IGTCLOUD_EXPORT_H

/**
 * @file Macros for the declarations of this library: IGT_EXTERN exports a function,
 * IGT_MUST_USE warns of a result that is ignored, IGT_PRINTF checks a format, and IGT_SIZED
 * initializes a struct that may grow.
 */

#if defined(_WIN32)
#define IGT_EXTERN
#elif defined(__GNUC__)
#define IGT_EXTERN __attribute__((visibility("default")))
#else
#define IGT_EXTERN
#endif

#if defined(__GNUC__)
#define IGT_MUST_USE __attribute__((warn_unused_result))
#if defined(__MINGW32__) && !defined(__clang__) /* there, printf is Microsoft's, without %zu */
#define IGT_PRINTF(f, a) __attribute__((format(gnu_printf, f, a)))
#else
#define IGT_PRINTF(f, a) __attribute__((format(__printf__, f, a)))
#endif
#else
#define IGT_MUST_USE
#define IGT_PRINTF(f, a)
#endif

/**
 * Initializes a struct that begins with its size: options, and what a call fills in. All other
 * members are zero, which is their default. The library reads and writes as many bytes as size
 * says, so a program that was built with an older header, whose structs had fewer members, runs
 * with a newer library. IGT_X_INIT is this for igt_x; igt_x_init() does the same at run time.
 */
#ifdef __cplusplus
#define IGT_SIZED(type)                                                                            \
  { sizeof(type) }
#else
#define IGT_SIZED(type)                                                                            \
  { .size = sizeof(type) }
#endif

#endif
