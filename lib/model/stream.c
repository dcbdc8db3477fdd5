/* SPDX-License-Identifier: MIT */
/* Lists element by element, from bytes as they arrive. The bytes are read twice: once to find where
 * a value ends, which can stop anywhere and continue with the next bytes, and once to decode the
 * value (decode.c). A state machine over the brackets, names and commas of the response says which
 * value comes next; elements go to the caller's function, or are kept for a list that is wanted as
 * a whole. Called by api/call.c. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "model/model.h"
#include "model/scan.h"

/* How much is requested from the network at a time. A larger size gains nothing: measured in
 * docs/internals/model.md. */
#define READ_SIZE (32u * 1024)

typedef enum igt__stream_state {
  IGT__STREAM_BEGIN, /* before the response's bracket */
  IGT__STREAM_KEY,   /* an object: before a name, or its end */
  IGT__STREAM_COLON,
  IGT__STREAM_MEMBER,       /* before a member's value */
  IGT__STREAM_NEXT_KEY,     /* before a comma, or the object's end */
  IGT__STREAM_ELEMENT,      /* a list: before an element, or its end */
  IGT__STREAM_NEXT_ELEMENT, /* before a comma, or the list's end */
  IGT__STREAM_END
} igt__stream_state;

/* A value whose end is being searched for. */
typedef struct igt__border {
  size_t seen; /* bytes of it already examined */
  unsigned depth;
  bool in_string;
  bool escaped;
} igt__border;

struct igt__model_stream {
  const igt_type *type;
  const char *what;
  igt__element_fn fn;
  void *payload;
  igt__arena *arena; /* the element's; reset after it */
  char *data;        /* unprocessed bytes: from at to len */
  size_t at, len, cap;
  uint64_t passed; /* bytes before data */
  igt__stream_state state;
  bool first; /* nothing has come in this bracket yet */
  igt__border border;
  const igt__field *list; /* for an object: the member that contains the elements */
  bool listed;            /* an object had such a member */
  size_t index;           /* of the element in its list */

  igt__seen *seen;  /* for a list that is wanted as a whole; NULL: fn is called for each */
  igt_model **kept; /* its elements */
  size_t kept_cap;
};

igt_status igt__model_stream_new(const igt_type *type, const char *what, igt__element_fn fn,
                                 void *payload, igt__model_stream **out, igt_error *err) {
  igt__model_stream *stream = igt__calloc(1, sizeof *stream);

  *out = NULL;
  if (!stream)
    return igt__fail_memory(err);
  stream->type = type;
  stream->what = what;
  stream->fn = fn;
  stream->payload = payload;
  stream->arena = igt__arena_new(0);
  if (!stream->arena) {
    igt__model_stream_free(stream);
    return igt__fail_memory(err);
  }
  igt__arena_bound(stream->arena, IGT__MAX_ELEMENT_MEMORY, NULL);
  *out = stream;
  return IGT_OK;
}

igt_status igt__model_stream_new_whole(const igt_type *type, const char *what,
                                       igt__model_stream **out, igt_error *err) {
  igt_status status = igt__model_stream_new(type, what, NULL, NULL, out, err);

  if (status != IGT_OK)
    return status;
  igt__arena_bound((*out)->arena, IGT__MAX_LIST_MEMORY, NULL);
  (*out)->seen = igt__seen_new();
  if ((*out)->seen)
    return IGT_OK;
  igt__model_stream_free(*out);
  *out = NULL;
  return igt__fail_memory(err);
}

void igt__model_stream_free(igt__model_stream *stream) {
  if (!stream)
    return;
  igt__free(stream->seen);
  igt__free(stream->kept);
  igt__arena_free(stream->arena);
  igt__free(stream->data);
  igt__free(stream);
}

/* Moves unprocessed bytes to the front; grows only for an element that does not fit. */
char *igt__model_stream_space(igt__model_stream *stream, size_t *cap) {
  size_t keep = stream->len - stream->at;

  if (stream->at > 0 && keep > 0)
    memmove(stream->data, stream->data + stream->at, keep);
  stream->passed += stream->at;
  stream->at = 0;
  stream->len = keep;
  if (stream->cap - keep < READ_SIZE / 2) {
    size_t larger = stream->cap ? stream->cap * 2 : READ_SIZE;
    char *data = igt__realloc(stream->data, larger);

    if (!data)
      return NULL;
    stream->data = data;
    stream->cap = larger;
  }
  *cap = stream->cap - stream->len;
  return stream->data + stream->len;
}

/* ---- where a value ends ---- */

/* In a string: moves past the available bytes, or past its closing quote. */
static const char *pass_string(igt__border *b, const char *at, const char *end) {
  while (at < end) {
    char c = *at++;

    if (b->escaped) {
      b->escaped = false;
    } else if (c == '\\') {
      b->escaped = true;
    } else if (c == '"') {
      b->in_string = false;
      break;
    }
  }
  return at;
}

/* The value's length; 0 if its end has not arrived yet. A number or word ends at the byte after it.
 * Whether it is valid JSON is checked by the decoder. */
static size_t find_border(igt__border *b, const char *begin, const char *end) {
  const char *at = begin + b->seen;

  while (at < end) {
    if (b->in_string) {
      at = pass_string(b, at, end);
      if (!b->in_string && b->depth == 0)
        return (size_t)(at - begin);
      continue;
    }
    switch (*at) {
    case '"':
      b->in_string = true;
      break;
    case '{':
    case '[':
      b->depth++;
      break;
    case '}':
    case ']':
      if (b->depth == 0)
        return (size_t)(at - begin);
      if (--b->depth == 0)
        return (size_t)(at - begin) + 1;
      break;
    case ',':
    case ' ':
    case '\t':
    case '\r':
    case '\n':
      if (b->depth == 0)
        return (size_t)(at - begin);
      break;
    default:
      break;
    }
    at++;
  }
  b->seen = (size_t)(at - begin);
  return 0;
}

/* ---- steps ---- */

static igt_status broken(igt__model_stream *s, const char *problem, igt_error *err) {
  return igt__fail(err, IGT_E_PARSE, "%s: not JSON at byte %llu: %s", s->what,
                   (unsigned long long)s->passed + s->at, problem);
}

/* *n: the value's length, 0 if more bytes are needed. */
static igt_status whole_value(igt__model_stream *s, size_t *n, igt_error *err) {
  *n = find_border(&s->border, s->data + s->at, s->data + s->len);
  if (*n > IGT__MAX_JSON_ELEMENT || (*n == 0 && s->border.seen > IGT__MAX_JSON_ELEMENT))
    return igt__fail(err, IGT_E_LIMIT, "%s: element %zu is larger than %u bytes", s->what, s->index,
                     IGT__MAX_JSON_ELEMENT);
  if (*n == 0 && s->border.seen == 0)
    return broken(s, "a value is missing", err);
  if (*n > 0)
    s->border = (igt__border){0};
  return IGT_OK;
}

/* Prefixes an error with the element's number. */
static igt_status name_element(const igt__model_stream *s, igt_status status, igt_error *err) {
  if (s->list)
    igt__error_prefix(err, "%s: element %zu of %s", s->what, s->index, s->list->name);
  else
    igt__error_prefix(err, "%s: element %zu", s->what, s->index);
  return status;
}

static igt_status hand_out(igt__model_stream *s, const igt_type *type, size_t n, igt_error *err) {
  igt_model *model = NULL;
  igt_status status;

  status = igt__model_decode_in(s->arena, type, s->data + s->at, n, NULL, &model, err);
  if (status != IGT_OK)
    return name_element(s, status, err);
  status = s->fn(s->payload, s->list ? s->list->name : NULL, model);
  igt__arena_reset(s->arena);
  return status;
}

static igt_status keep(igt__model_stream *s, const igt_type *type, size_t n, igt_error *err) {
  igt_status status;

  if (s->index == s->kept_cap) {
    size_t cap = s->kept_cap ? s->kept_cap * 2 : 64;
    igt_model **kept = igt__realloc(s->kept, cap * sizeof(igt_model *));

    if (!kept)
      return igt__fail_memory(err);
    s->kept = kept;
    s->kept_cap = cap;
  }
  status =
      igt__model_decode_part(s->arena, s->seen, type, s->data + s->at, n, &s->kept[s->index], err);
  return status == IGT_OK ? IGT_OK : name_element(s, status, err);
}

static igt_status take_element(igt__model_stream *s, size_t n, igt_error *err) {
  const igt_type *type = s->list ? s->list->type : s->type->element;
  igt_status status;

  if (s->index == IGT__MAX_LIST_COUNT)
    return igt__fail(err, IGT_E_LIMIT, "%s: the list has more than %u elements", s->what,
                     IGT__MAX_LIST_COUNT);
  status = s->seen ? keep(s, type, n, err) : hand_out(s, type, n, err);
  if (status != IGT_OK)
    return status;
  s->at += n;
  s->index++;
  s->state = IGT__STREAM_NEXT_ELEMENT;
  return IGT_OK;
}

static void begin_list(igt__model_stream *s) {
  s->at++;
  s->index = 0;
  s->first = true;
  s->state = IGT__STREAM_ELEMENT;
}

static void end_list(igt__model_stream *s) {
  s->at++;
  s->first = false;
  s->state = s->list ? IGT__STREAM_NEXT_KEY : IGT__STREAM_END;
}

static igt_status step_begin(igt__model_stream *s, char c, igt_error *err) {
  if (s->type->element && c == '[') {
    begin_list(s);
    return IGT_OK;
  }
  if (!s->type->element && c == '{') {
    s->at++;
    s->first = true;
    s->state = IGT__STREAM_KEY;
    return IGT_OK;
  }
  if (!strchr("[{\"-0123456789tfn", c))
    return broken(s, "a value is expected", err);
  return igt__fail(err, IGT_E_TYPE, "%s: %s is expected but the response is something else",
                   s->what, s->type->element ? "a list" : "an object");
}

/* The name of an object's member, including its quotes. */
static igt_status take_key(igt__model_stream *s, size_t n, igt_error *err) {
  igt__scan scan;
  igt__slice key;

  igt__scan_init(&scan, s->data + s->at, n);
  if (!igt__scan_string(&scan, &key))
    return broken(s, scan.problem, err);
  s->list = NULL;
  for (size_t i = 0; i < s->type->field_count; i++) {
    const igt__field *field = &s->type->fields[i];

    if (field->kind == IGT__KIND_MODEL_LIST && field->name_len == key.len &&
        memcmp(field->name, key.at, key.len) == 0)
      s->list = field;
  }
  s->listed |= s->list != NULL;
  s->at += n;
  s->state = IGT__STREAM_COLON;
  return IGT_OK;
}

/* A member that is not one of the lists, or a list that is null. */
static igt_status take_member(igt__model_stream *s, size_t n, igt_error *err) {
  igt__scan scan;

  igt__scan_init(&scan, s->data + s->at, n);
  if (!igt__scan_skip(&scan) || scan.at != scan.end)
    return broken(s, scan.problem ? scan.problem : "a comma is expected", err);
  if (s->list && s->data[s->at] != 'n')
    return igt__fail(err, IGT_E_TYPE, "%s: the field %s must be a list of objects", s->what,
                     s->list->name);
  s->at += n;
  s->state = IGT__STREAM_NEXT_KEY;
  return IGT_OK;
}

/* Servers may leave out empty lists, down to {}. An object of other members alone is something
 * else, such as a gateway's message, and must not pass for a study without files. */
static igt_status end_object(igt__model_stream *s, igt_error *err) {
  if (!s->listed)
    return igt__fail(err, IGT_E_TYPE, "%s: an object with a list is expected but it has none",
                     s->what);
  s->at++;
  s->state = IGT__STREAM_END;
  return IGT_OK;
}

/* Takes the comma between members or elements; next: the state after it. */
static igt_status step_comma(igt__model_stream *s, char c, igt__stream_state next, igt_error *err) {
  if (c != ',')
    return broken(s, "a comma or a closing bracket is expected", err);
  s->at++;
  s->first = false;
  s->state = next;
  return IGT_OK;
}

typedef igt_status (*igt__take_fn)(igt__model_stream *s, size_t n, igt_error *err);

/* *more: the value continues in the next bytes. */
static igt_status step_value(igt__model_stream *s, igt__take_fn take, bool *more, igt_error *err) {
  size_t n = 0;
  igt_status status = whole_value(s, &n, err);

  *more = status == IGT_OK && n == 0;
  return status == IGT_OK && n > 0 ? take(s, n, err) : status;
}

static igt_status step_key(igt__model_stream *s, char c, bool *more, igt_error *err) {
  if (c != '}' || !s->first)
    return step_value(s, take_key, more, err);
  s->at++;
  s->state = IGT__STREAM_END;
  return IGT_OK;
}

static igt_status step_colon(igt__model_stream *s, char c, igt_error *err) {
  if (c != ':')
    return broken(s, "a colon is expected", err);
  s->at++;
  s->state = IGT__STREAM_MEMBER;
  return IGT_OK;
}

static igt_status step(igt__model_stream *s, bool *more, igt_error *err) {
  char c = s->data[s->at];

  switch (s->state) {
  case IGT__STREAM_BEGIN:
    return step_begin(s, c, err);
  case IGT__STREAM_KEY:
    return step_key(s, c, more, err);
  case IGT__STREAM_COLON:
    return step_colon(s, c, err);
  case IGT__STREAM_MEMBER:
    if (s->list && c == '[') {
      begin_list(s);
      return IGT_OK;
    }
    return step_value(s, take_member, more, err);
  case IGT__STREAM_NEXT_KEY:
    if (c != '}')
      return step_comma(s, c, IGT__STREAM_KEY, err);
    return end_object(s, err);
  case IGT__STREAM_ELEMENT:
    if (c == ']' && s->first) {
      end_list(s);
      return IGT_OK;
    }
    return step_value(s, take_element, more, err);
  case IGT__STREAM_NEXT_ELEMENT:
    if (c != ']')
      return step_comma(s, c, IGT__STREAM_ELEMENT, err);
    end_list(s);
    return IGT_OK;
  case IGT__STREAM_END:
    return broken(s, "unexpected text after the value", err);
  }
  return igt__fail(err, IGT_E_INTERNAL, "%s: no such state", s->what);
}

static bool pass_space(igt__model_stream *s) {
  while (s->at < s->len && strchr(" \t\r\n", s->data[s->at]) && s->data[s->at])
    s->at++;
  return s->at < s->len;
}

igt_status igt__model_stream_filled(igt__model_stream *stream, size_t n, igt_error *err) {
  igt_status status = IGT_OK;
  bool more = false;

  stream->len += n;
  while (status == IGT_OK && !more && pass_space(stream))
    status = step(stream, &more, err);
  return status;
}

igt_status igt__model_stream_end(igt__model_stream *stream, igt_error *err) {
  if (stream->state == IGT__STREAM_END)
    return IGT_OK;
  stream->at = stream->len;
  return broken(stream, "it is cut off", err);
}

igt_status igt__model_stream_take(igt__model_stream *stream, igt_model **out, igt_error *err) {
  igt__model_list *list = igt__arena_calloc(stream->arena, 1, stream->type->size);
  struct igt__extras *extras = igt__arena_calloc(stream->arena, 1, sizeof *extras);
  size_t size = stream->index * sizeof(igt_model *);
  igt_model **v = igt__arena_alloc(stream->arena, size);

  *out = NULL;
  if (!list || !extras || !v)
    return igt__fail_memory(err);
  if (size > 0)
    memcpy(v, stream->kept, size);
  *extras = (struct igt__extras){.arena = stream->arena, .owns_arena = true};
  list->model = (igt_model){.type = stream->type, .extras = extras};
  list->count = stream->index;
  igt__pointer_set(&list->v, v);
  stream->arena = NULL;
  *out = &list->model;
  return IGT_OK;
}
