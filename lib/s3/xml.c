/* SPDX-License-Identifier: MIT */
/* S3's XML, parsed by expat, which only this file includes. The parser keeps the path of the open
 * elements and the text of the innermost one, and calls the handler at each end tag. Documents come
 * from a server, so depth, text and size are limited and a document type stops the parse. Called by
 * documents.c, which has a handler for each kind of document. */
#include "s3/xml.h"

#include <expat.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

/* An upload id is at most 1 KiB, a key 1,024 bytes, an error's message a sentence or two. */
#define MAX_TEXT (16u * 1024)
#define MAX_PATH_TEXT 1024u

typedef struct xml_parse {
  XML_Parser parser;
  igt__xml_fn fn;
  void *payload;
  unsigned depth;
  igt__buf path;
  igt__buf text; /* of the innermost open element */
  igt_status status;
  igt_error *err;
} xml_parse;

static void stop(xml_parse *parse, igt_status status) {
  parse->status = status;
  XML_StopParser(parse->parser, XML_FALSE);
}

static void XMLCALL on_start(void *payload, const XML_Char *name, const XML_Char **attributes) {
  xml_parse *parse = payload;
  const char *colon = strrchr(name, ':');

  (void)attributes;

  if (parse->status) /* expat may call once more after a stop */
    return;
  if (++parse->depth > IGT__MAX_XML_DEPTH) {
    stop(parse, igt__fail(parse->err, IGT_E_LIMIT, "the XML response is more than %d elements deep",
                          IGT__MAX_XML_DEPTH));
    return;
  }
  igt__buf_clear(&parse->text);
  if (parse->path.len > 0)
    igt__buf_putc(&parse->path, '/');
  if (!igt__buf_puts(&parse->path, colon ? colon + 1 : name))
    stop(parse, parse->path.too_long ? igt__fail(parse->err, IGT_E_LIMIT,
                                                 "the XML response has names that are too long")
                                     : igt__fail_memory(parse->err));
}

static char *trim(igt__buf *text) {
  size_t from = strspn(text->data, " \t\r\n");

  while (text->len > from && strchr(" \t\r\n", text->data[text->len - 1]))
    text->data[--text->len] = '\0';
  return text->data + from;
}

static void XMLCALL on_end(void *payload, const XML_Char *name) {
  xml_parse *parse = payload;
  char *slash;

  (void)name;

  if (parse->status)
    return;
  const char *text =
      igt__str_ends(parse->path.data, "/Key") ? parse->text.data : trim(&parse->text);
  igt_status status = parse->fn(parse->payload, parse->path.data, text, parse->err);
  if (status)
    stop(parse, status);
  slash = strrchr(parse->path.data, '/');
  parse->path.len = slash ? (size_t)(slash - parse->path.data) : 0;
  if (parse->path.cap > 0)
    parse->path.data[parse->path.len] = '\0';
  igt__buf_clear(&parse->text);
  parse->depth--;
}

static void XMLCALL on_text(void *payload, const XML_Char *s, int n) {
  xml_parse *parse = payload;

  if (parse->status || igt__buf_append(&parse->text, s, (size_t)n))
    return;
  stop(parse, parse->text.too_long
                  ? igt__fail(parse->err, IGT_E_LIMIT, "the XML response has text that is too long")
                  : igt__fail_memory(parse->err));
}

/* Entities are declared in a document type. S3 sends none, so rejecting it stops entity-expansion
 * attacks (billion laughs). */
static void XMLCALL on_doctype(void *payload, const XML_Char *name, const XML_Char *sysid,
                               const XML_Char *pubid, int has_internal_subset) {
  xml_parse *parse = payload;

  (void)name, (void)sysid, (void)pubid, (void)has_internal_subset;

  stop(parse, igt__fail(parse->err, IGT_E_PROTOCOL,
                        "the XML response declares a document type, which S3 never does"));
}

static igt_status run(xml_parse *parse, const char *xml, size_t n) {
  if (XML_Parse(parse->parser, xml, (int)n, 1) == XML_STATUS_OK)
    return IGT_OK;
  if (parse->status)
    return parse->status;
  if (XML_GetErrorCode(parse->parser) == XML_ERROR_NO_MEMORY)
    return igt__fail_memory(parse->err);
  return igt__fail(parse->err, IGT_E_PARSE, "the XML response is not well-formed (line %lu: %s)",
                   (unsigned long)XML_GetCurrentLineNumber(parse->parser),
                   XML_ErrorString(XML_GetErrorCode(parse->parser)));
}

igt_status igt__xml_parse(const char *xml, size_t n, igt__xml_fn fn, void *payload,
                          igt_error *err) {
  static const XML_Memory_Handling_Suite memory = {igt__malloc, igt__realloc, igt__free};
  xml_parse parse = {.fn = fn, .payload = payload, .err = err};
  igt_status status;

  if (n > IGT__MAX_XML_BODY)
    return igt__fail(err, IGT_E_LIMIT, "the XML response is larger than %u bytes",
                     IGT__MAX_XML_BODY);
  /* While it completes a large upload S3 keeps the connection alive with white space, which some
   * stores send even before the XML declaration. */
  for (; n > 0 && strchr(" \t\r\n", *xml) && *xml; xml++)
    n--;
  igt__buf_init(&parse.path, MAX_PATH_TEXT);
  igt__buf_init(&parse.text, MAX_TEXT);
  parse.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
  if (!parse.parser) {
    status = igt__fail_memory(err);
    goto out;
  }
  XML_SetUserData(parse.parser, &parse);
  XML_SetElementHandler(parse.parser, on_start, on_end);
  XML_SetCharacterDataHandler(parse.parser, on_text);
  XML_SetStartDoctypeDeclHandler(parse.parser, on_doctype);
  status = run(&parse, xml, n);
out:
  if (parse.parser)
    XML_ParserFree(parse.parser);
  igt__buf_finish(&parse.text);
  igt__buf_finish(&parse.path);
  return status;
}

const char *igt__xml_library(void) {
  return XML_ExpatVersion();
}
