/* SPDX-License-Identifier: MIT */
/* The igt_response that igt_request hands to the program: a copy in one allocation, since the
 * request that received it is gone by then. */
#include "api/response.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct igt_response {
  int http_status;
  size_t count, head_len, body_len;
  char data[]; /* "name\0value\0" of each header, then the body and a NUL */
};

igt_response *igt__response_new(const igt__http_request *req) {
  size_t head_len, body_len = req->response.len;
  const char *head = igt__http_response_head(req, &head_len);
  igt_response *response = igt__calloc(1, sizeof *response + head_len + body_len + 1);

  if (!response)
    return NULL;
  response->http_status = req->http_status;
  response->head_len = head_len;
  response->body_len = body_len;
  if (head_len)
    memcpy(response->data, head, head_len);
  if (body_len)
    memcpy(response->data + head_len, req->response.data, body_len);
  for (size_t i = 0; i < head_len; i++)
    response->count += head[i] == '\0';
  response->count /= 2;
  return response;
}

void igt_response_free(igt_response *response) {
  if (!response)
    return;
  /* Cookies may be in the headers, anything in the body. */
  igt__wipe(response->data, response->head_len + response->body_len);
  igt__free(response);
}

int igt_response_status(const igt_response *response) {
  return response ? response->http_status : 0;
}

size_t igt_response_header_count(const igt_response *response) {
  return response ? response->count : 0;
}

igt_name_value igt_response_header_at(const igt_response *response, size_t i) {
  const char *name = response ? response->data : NULL;

  if (i >= igt_response_header_count(response))
    return (igt_name_value){NULL, NULL};
  while (i-- > 0)
    for (int strings = 0; strings < 2; strings++)
      name += strlen(name) + 1;
  return (igt_name_value){name, name + strlen(name) + 1};
}

const char *igt_response_header(const igt_response *response, const char *name, size_t nth) {
  const char *at = response ? response->data : NULL;

  for (size_t i = 0; name && i < igt_response_header_count(response); i++) {
    const char *value = at + strlen(at) + 1;

    if (igt__str_eq_nocase(at, name) && nth-- == 0)
      return value;
    at = value + strlen(value) + 1;
  }
  return NULL;
}

const char *igt_response_body(const igt_response *response, size_t *size) {
  if (size)
    *size = response ? response->body_len : 0;
  return response ? response->data + response->head_len : "";
}
