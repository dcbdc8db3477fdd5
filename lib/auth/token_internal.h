/* SPDX-License-Identifier: MIT */
#ifndef IGT_AUTH_TOKEN_INTERNAL_H
#define IGT_AUTH_TOKEN_INTERNAL_H

/* Shared by the reader (token_file.c) and the writer (token_holder.c) of the token file. */

#include "auth/token_file.h"
#include "base/os/os.h"

/* Copies path, or the default one if it is NULL. */
igt_status igt__token_path(const char *path, char *out, size_t cap, igt_error *err);
/* Opens a file that only its owner, the present user, can use: IGT_E_TOKEN_FILE otherwise,
 * IGT_E_NO_SESSION if it does not exist. */
igt_status igt__token_open(const char *path, int flags, int *fd, igt__stat *st, igt_error *err);
/* Reads up to IGT__TOKEN_FILE_SIZE bytes from the start. */
igt_status igt__token_read_page(int fd, char *page, size_t *n, igt_error *err);
/* It has not expired, or the server did not state in a usable way when it does. */
bool igt__token_is_live(const igt_token *token);

#endif
