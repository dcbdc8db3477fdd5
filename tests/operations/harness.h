/* SPDX-License-Identifier: MIT */
#ifndef TEST_OPERATIONS_HARNESS_H
#define TEST_OPERATIONS_HARNESS_H

/* Helpers for the programs that call the API's operations against a sandbox. The sandbox is already
 * running, with the seed of test_operations.py; $OPERATIONS_URL is its address. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "igtcloud/igtcloud.h"

/* Signed in as demo@example.com, who has all rights. */
extern igt_client *client;
/* Signed in as viewer@example.com, who may list and download. */
extern igt_client *viewer;
extern igt_error err;
/* The number of responses with status 401: the library signs in again by itself. */
extern int refused;

/* For cmocka_run_group_tests. */
int group_begin(void **state);
int group_end(void **state);

/* A separate client. NULL password: there is no prompt. */
igt_client *client_of(const char *user, const char *password);

void ok_at(igt_status status, const char *file, int line);
/* The call succeeded. */
#define OK(call) ok_at((call), __FILE__, __LINE__)
void fails_at(igt_status got, igt_status want, const char *word, const char *file, int line);
/* The call failed with this status; the message contains the word, and the error names an
 * operation. */
#define FAILS(call, want, word) fails_at((call), (want), (word), __FILE__, __LINE__)

/* The field is set to this value. */
#define IS(field, text)                                                                            \
  do {                                                                                             \
    assert_int_equal((field).is, IGT_SET);                                                         \
    assert_string_equal((field).v, text);                                                          \
  } while (0)
#define SET(value)                                                                                 \
  { IGT_SET, (value) }

/* An element of a response's list whose string field is `text`; NULL: none. */
#define FIND(out, list, field, text)                                                               \
  do {                                                                                             \
    (out) = NULL;                                                                                  \
    for (size_t find_i = 0; find_i < (list)->count; find_i++)                                      \
      if ((list)->v[find_i]->field.is == IGT_SET && strcmp((list)->v[find_i]->field.v, text) == 0) \
        (out) = (list)->v[find_i];                                                                 \
  } while (0)

/* The model's JSON contains this text. */
void holds(const igt_model *model, const char *word);
void holds_not(const igt_model *model, const char *word);

/* The bytes of a response that is a file. */
typedef struct bytes {
  size_t len;
  char data[256 * 1024];
} bytes;
igt_status bytes_take(void *payload, const void *data, size_t n);
bool bytes_have(const bytes *all, const void *part, size_t n);

/* Puts an object with the credentials of a Storage or S3Credential response. */
void object_put(const char *access_key, const char *secret, const char *session, const char *bucket,
                const char *key, const void *data, size_t n);
/* The response to a GET of one of the sandbox's own paths, sent by `client`. Free it with
 * igt_model_free. */
igt_text *sandbox_get(const char *path);
/* The last mail's text; free with free(). */
char *last_mail(void);

#endif
