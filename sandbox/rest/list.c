/* SPDX-License-Identifier: MIT */
/* Lists that $filter restricts. */
#include "rest.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "fields.h"
#include "filter.h"

typedef struct choice {
  rest_filter *filter; /* NULL: all */
  char *hospital;      /* only series of this hospital; NULL: any */
} choice;

static bool choice_keep(void *payload, const igt__json *doc) {
  const choice *c = payload;

  return (!c->hospital || igt__str_eq(igt__json_get_str(doc, "hospitalId"), c->hospital)) &&
         (!c->filter || rest_filter_matches(c->filter, doc));
}

static void choice_release(void *payload) {
  choice *c = payload;

  if (!c)
    return;
  rest_filter_free(c->filter);
  igt__free(c->hospital);
  igt__free(c);
}

/* The request's filter, if any; false: responded. */
static bool filter_read(rest_call *call, const char *model, rest_filter **out) {
  const char *text = sbx_query(call->req, "$filter", 0);
  char why[160];

  *out = NULL;
  if (!text || !*text)
    return true;
  *out = rest_filter_parse(text, why, sizeof why);
  /* A seed may contain studies of unknown types: then any field is accepted. */
  if (*out && (!rest_model_known(model) || rest_filter_fits(*out, model, why, sizeof why)))
    return true;
  rest_filter_free(*out);
  rest_fail(call, 400, "%s", why);
  return false;
}

static void response(rest_call *call, const char *kind, const char *parent, const char *hospital,
                     const char *model) {
  rest_filter *filter;

  if (!filter_read(call, model, &filter))
    return;
  if (!filter && !hospital) {
    rest_respond_docs(call, kind, parent, NULL, NULL, NULL);
    return;
  }
  choice *c = igt__calloc(1, sizeof *c);
  char *copy = igt__strdup(hospital);
  if (!c || (hospital && !copy)) {
    rest_filter_free(filter);
    igt__free(copy);
    igt__free(c);
    rest_fail(call, 500, "out of memory");
    return;
  }
  *c = (choice){filter, copy};
  rest_respond_docs(call, kind, parent, choice_keep, choice_release, c);
}

void rest_respond_filtered(rest_call *call, const char *kind, const char *parent,
                           const char *model) {
  response(call, kind, parent, NULL, model);
}

void rest_series_all(rest_call *call) {
  if (rest_exists(call, "institute", call->args[0], "Institute"))
    response(call, "series", NULL, call->args[0], "Series");
}
