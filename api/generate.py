#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the API's descriptions (Swagger 2.0, OpenAPI 3) into C: models and operations.

    generate.py OUTPUT_DIR DESCRIPTION.json...

Writes models.h, models.c, operations.h and operations.c. What a description holds and this
program does not know is an error that names the place, never left out in silence.
See docs/internals/model.md.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from description import (ARGUMENTS, KEYWORDS, METHODS, element_model, prose, read,  # noqa: E402
                         snake)
from errors import SpecError  # noqa: E402

__all__ = ['ARGUMENTS', 'KEYWORDS', 'METHODS', 'SpecError', 'c_string', 'generate', 'snake']
WIDTH = 100

FIELD_TYPES = {
    'STRING': 'igt_string_field', 'INTEGER': 'igt_integer_field', 'NUMBER': 'igt_number_field',
    'BOOLEAN': 'igt_boolean_field', 'TIME': 'igt_time_field', 'JSON': 'igt_json_field',
    'STRING_LIST': 'igt_string_list_field', 'INTEGER_LIST': 'igt_integer_list_field',
}


def c_string(text):
    return '"' + ''.join(c if ' ' <= c <= '~' and c not in '"\\' else
                         ''.join(f'\\{b:03o}' for b in c.encode()) for c in text) + '"'


def wrap(text, first, rest, end=''):
    """Words in lines of at most WIDTH columns."""
    lines, line = [], first
    for word in text.split(' '):
        glue = '' if line == first or line == rest else ' '
        if len(line + glue + word) + len(end) > WIDTH and line not in (first, rest):
            lines.append(line.rstrip())
            line, glue = rest, ''
        line += glue + word
    return '\n'.join(lines + [line + end]).replace('\xa0', ' ')


def call_like(head, parts, tail):
    """`head(a, b, c)tail`, broken between parts: aligned, or where that is too wide, indented."""
    pad = ' ' * (len(head) + 1)
    if max(len(pad + part + ',' + tail) for part in parts) > WIDTH:
        pad = ' ' * 4
    lines, line = [], head + '('
    for n, part in enumerate(parts):
        text = part + (',' if n + 1 < len(parts) else ')' + tail)
        glue = '' if line in (pad, head + '(') else ' '
        if len(line + glue + text) > WIDTH and line != pad:
            lines.append(line)
            line, glue = pad, ''
        line += glue + text
    return '\n'.join(lines + [line])


# ---- C ----


def c_names(api):
    """Everything that the code will declare, with what it is declared for."""
    for model in api.models.values():
        for name in (model.c_name, model.c_name + '_type', model.c_name + '_new'):
            yield name, model.place
    for model in list_models(api):
        for name in (model.c_name + '_list', model.c_name + '_list_type'):
            yield name, model.place
    for operation in api.operations.values():
        yield operation.c_name, operation.place
        if element_model(operation)[0]:
            yield operation.c_name + '_each', operation.place
        if operation.params:
            yield operation.c_name + '_options', operation.place
            yield operation.c_name + '_options_init', operation.place
    for name, (element, _) in each_types(api).items():
        yield name[4:], element.place


def check_names(api):
    """One name in C for one thing, none of them the library's own."""
    known = {name: 'the library' for name in api.taken}
    for name, place in c_names(api):
        if name in known:
            raise SpecError(place, f'igt_{name} would be declared twice in C: see {known[name]}')
        known[name] = place


BANNER = '''/* SPDX-License-Identifier: MIT */
/* Made by api/generate.py from the descriptions of the API. Do not edit. */
'''


def guard(name, include, body):
    return (f'{BANNER}#ifndef IGTCLOUD_{name}_H\n#define IGTCLOUD_{name}_H\n\n{include}\n'
            '#ifdef __cplusplus\nextern "C" {\n#endif\n\n'
            f'{body}\n#ifdef __cplusplus\n}}\n#endif\n\n#endif\n')


def by_parents(models):
    """Parents before what extends them."""
    return sorted(models.values(), key=lambda model: len(model.ancestors()))


def field_note(field):
    words = [field.text] if field.text else []
    if field.required:
        words.append('required')
    if field.read_only:
        words.append('set by the server')
    if field.values:
        words.append('one of ' + ', '.join(map(prose, field.values)))
    return f' /**< {"; ".join(words)} */' if words else ''


def struct_member(field):
    note = field_note(field)
    if field.kind == 'MODEL':
        return (f'  struct {{\n    igt_presence is;\n    igt_{field.ref.c_name} *v;\n'
                f'  }} {field.c_name};{note}')
    if field.kind == 'MODEL_LIST':
        return (f'  struct {{\n    igt_presence is;\n    size_t count;\n'
                f'    igt_{field.ref.c_name} **v;\n  }} {field.c_name};{note}')
    return f'  {FIELD_TYPES[field.kind]} {field.c_name};{note}'


def struct(model):
    what = f'{prose(model.name)}: what {prose(model.parent.name)} has, and more.' if model.parent \
        else f'{prose(model.name)}.'
    first = f'  igt_{model.parent.c_name} base;' if model.parent else '  igt_model model;'
    body = '\n'.join([first] + [struct_member(field) for field in model.own])
    name = f'igt_{model.c_name}'
    return (f'/** {what} */\nstruct {name} {{\n{body}\n}};\n'
            f'/** The type of this model. Any thread. */\n'
            f'IGT_EXTERN const igt_type *{name}_type(void);\n'
            f'/** An empty one. Free: igt_model_free(). NULL: no memory. */\n'
            f'static inline {name} *\n{name}_new(void)\n{{\n'
            f'  return ({name} *)\n      igt_model_new({name}_type());\n}}\n')


def list_models(api):
    """Models that some operation responses a list of, in the order of the models."""
    responses = {op.response.name for op in api.operations.values() if op.response_is_list}
    return [model for model in by_parents(api.models) if model.name in responses]


def list_struct(model):
    name = f'igt_{model.c_name}'
    return (f'/** A list of {prose(model.name)}. Free: igt_model_free(&list->model). */\n'
            f'typedef struct {name}_list {{\n  igt_model model;\n  size_t count;\n'
            f'  {name} **v;\n}} {name}_list;\n'
            f'/** The type of this list, for igt_model_parse(). Any thread. */\n'
            f'IGT_EXTERN const igt_type *{name}_list_type(void);\n')


def models_h(api):
    models = by_parents(api.models)
    text = '\n'.join(f'typedef struct igt_{m.c_name} igt_{m.c_name};' for m in models) + '\n\n'
    text += '\n'.join(struct(model) for model in models) + '\n'
    text += '\n'.join(list_struct(model) for model in list_models(api))
    about = '/** @file The models of the API. See model.h for how they are used. */\n\n'
    return guard('MODELS', about + '#include "igtcloud/model.h"\n', text)


def field_row(model, path, field):
    required = field.required or field.name in model.required
    flags = [name for name, on in (('IGT__FIELD_READ_ONLY', field.read_only),
                                   ('IGT__FIELD_REQUIRED', required)) if on]
    ref = f'&{table(field.ref)}' if field.ref else 'NULL'
    parts = [c_string(field.name), str(len(field.name.encode())), 'IGT__KIND_' + field.kind,
             ' | '.join(flags) or '0', f'offsetof(igt_{model.c_name}, {path})', ref]
    line = '  {' + ', '.join(parts) + '},'
    if len(line) <= WIDTH:
        return line
    return '  {' + ', '.join(parts[:4]) + ',\n   ' + ', '.join(parts[4:]) + '},'


def table(model, suffix=''):
    """The name of a type's table, which the library alone sees."""
    return f'igt__type_of_{model.c_name}{suffix}'


def type_tables(api):
    """(table, name in C) of each type."""
    return [(table(model), model.c_name) for model in by_parents(api.models)] + \
        [(table(model, '_list'), model.c_name + '_list') for model in list_models(api)]


def type_declarations(api):
    return ''.join(f'extern const igt_type {name};\n' for name, _ in type_tables(api)) + '\n'


def model_tables(api, model):
    name, fields = model.c_name, model.line()
    text = ''
    derived = [m for m in by_parents(api.models) if model in m.ancestors()]
    tags = [m.discriminator for m in [model] + model.ancestors() if m.discriminator]
    index = [f.name for _, f in fields].index(tags[0]) if tags else -1
    if fields:
        rows = '\n'.join(field_row(model, path, field) for path, field in fields)
        text += f'static const igt__field fields_{name}[] = {{\n{rows}\n}};\n'
    if derived:
        items = ', '.join(f'&{table(m)}' for m in derived)
        text += wrap(f'static const igt_type *const derived_{name}[] = {{{items}}};',
                     '', '    ') + '\n'
    base = f'&{table(model.parent)}' if model.parent else 'NULL'
    text += (f'const igt_type {table(model)} = {{\n    .name = {c_string(model.name)},\n'
             f'    .kind = IGT__TYPE_OBJECT,\n    .size = sizeof(igt_{name}),\n'
             f'    .base = {base},\n    .discriminator = {index},\n')
    if fields:
        text += f'    .fields = fields_{name},\n    .field_count = {len(fields)},\n'
    if derived:
        text += f'    .derived = derived_{name},\n    .derived_count = {len(derived)},\n'
    return text + '};\n'


def models_c(api):
    text = BANNER + '#include "igtcloud/models.h"\n\n#include <stddef.h>\n\n#include "model/type.h"\n\n'
    text += type_declarations(api)
    text += '\n'.join(model_tables(api, model) for model in by_parents(api.models))
    for model in list_models(api):
        text += (f'\nconst igt_type {table(model, "_list")} = {{\n'
                 f'    .name = {c_string("list of " + model.name)},\n'
                 f'    .kind = IGT__TYPE_LIST,\n    .size = sizeof(igt_{model.c_name}_list),\n'
                 f'    .discriminator = -1,\n    .element = &{table(model)},\n}};\n')
    for name, c_name in type_tables(api):
        text += f'\nconst igt_type *igt_{c_name}_type(void)\n{{\n  return &{name};\n}}\n'
    return text


def option_member(param):
    words = [f'"{prose(param.name)}"' + (' header' if param.place == 'header' else '')]
    if param.text:
        words[0] += ': ' + param.text.rstrip('.')
    if param.required:
        words.append('required')
    if param.default not in (None, []):
        words.append('the server takes absent as ' + prose(json.dumps(param.default).strip('"')))
    note = f' /**< {"; ".join(words)} */'
    kind = {'STRING': 'const char *', 'INTEGER': 'igt_integer_field ',
            'BOOLEAN': 'igt_boolean_field ', 'NUMBER': 'igt_number_field ',
            'STRING_LIST': 'const char *const *'}[param.kind]
    text = f'  {kind}{param.c_name};{note}'
    if param.kind == 'STRING_LIST':
        text += f'\n  size_t {param.c_name}_count;'
    return text


def options_struct(operation):
    name = f'igt_{operation.c_name}_options'
    body = '\n'.join(option_member(param) for param in operation.params)
    must = '' if any(param.required for param in operation.params) else '; NULL stands for none'
    return (f'/** Options of igt_{operation.c_name}(){must}. */\n'
            f'typedef struct {name} {{\n  size_t size; /**< set by {name.upper()}_INIT */\n'
            f'{body}\n}} {name};\n'
            f'#define {name.upper()}_INIT IGT_SIZED({name})\n'
            f'/** As {name.upper()}_INIT, where an initializer cannot be\n'
            f' * used: size is sizeof(*options). */\n'
            f'IGT_EXTERN void {name}_init(\n    {name} *options, size_t size);\n\n')


def inputs(operation):
    parts = ['igt_client *client']
    for param in operation.path_params:
        kind = 'int64_t ' if param.kind == 'INTEGER' else 'const char *'
        parts.append(kind + param.c_name)
    if operation.params:
        parts.append(f'const igt_{operation.c_name}_options *options')
    if operation.body_is_list:
        parts += [f'const igt_{operation.body.c_name} *const *body', 'size_t body_count']
    elif operation.body:
        parts.append(f'const igt_{operation.body.c_name} *body')
    return parts


def response_type(operation):
    """The C type that an operation responses, or None."""
    if operation.response in (None, 'file'):
        return None
    if isinstance(operation.response, str):
        return 'igt_string_list' if operation.response == 'strings' else 'igt_text'
    return f'igt_{operation.response.c_name}' + ('_list' if operation.response_is_list else '')


def whole_parts(operation):
    parts = inputs(operation)
    if operation.response == 'file':
        parts += ['igt_write_fn write', 'void *payload']
    elif operation.response:
        parts.append(f'{response_type(operation)} **out')
    return parts + ['igt_error *err']


def each_fn(operation):
    element, named = element_model(operation)
    return f'igt_{operation.response.c_name if named else element.c_name}_fn'


def each_parts(operation):
    return inputs(operation) + [f'{each_fn(operation)} fn', 'void *payload', 'igt_error *err']


def about(operation):
    text = (operation.summary or prose(operation.id)) + \
        f' `{operation.method}\xa0{prose(operation.path)}`'
    if operation.response == 'raw':
        text += ' The description says nothing of the response: out, which may be NULL, gets its text.'
    elif operation.response == 'file':
        text += f' Bytes ({prose(operation.accept)}) go to write.'
    return wrap(text, '/** ', ' * ', ' */')


def prototypes(operation):
    head = f'IGT_EXTERN IGT_MUST_USE igt_status igt_{operation.c_name}'
    text = (options_struct(operation) if operation.params else '') + about(operation) + '\n'
    text += call_like(head, whole_parts(operation), ';') + '\n'
    if element_model(operation)[0]:
        text += (f'/** The same, element by element, in constant memory. */\n'
                 + call_like(head + '_each', each_parts(operation), ';') + '\n')
    return text


def each_types(api):
    """name of the callback's type -> (element, named list?)."""
    found = {}
    for operation in api.operations.values():
        element, named = element_model(operation)
        if element:
            found[each_fn(operation)] = (element, named)
    return found


def fn_typedefs(api):
    text = ('/*\n * Elements of a list as they arrive. Called on the caller\'s thread; element is '
            'valid during the\n * call alone (igt_model_copy() keeps it). IGT_OK goes on; anything '
            'else ends the call with it.\n * It may call into the library, but must not free the '
            'client.\n */\n')
    for name, (element, named) in each_types(api).items():
        parts = ['void *payload', f'igt_{element.c_name} *element']
        if named:
            parts.insert(1, 'const char *list')
            text += '/** list: the name of the list that the element is in, such as "files". */\n'
        text += call_like(f'typedef igt_status (*{name})', parts, ';') + '\n'
    return text


def operations_h(api):
    head = '''/**
 * @file
 * The operations of the API, one function each.
 *
 * Arguments: those of the path, options (query and headers), the body, then what comes back.
 * `*out` is the caller's: igt_model_free(&(*out)->model), or &(*out)->base.model where it extends
 * another; it is NULL after a failure. out may be NULL when the response is not wanted.
 * All block, sign in when nobody has, renew a session that ends, and may be called from several
 * threads. Errors: IGT_E_INVALID and IGT_E_REQUIRED before anything is sent; those of signing in
 * and of the network; what the server said; IGT_E_PARSE, IGT_E_TYPE, IGT_E_LIMIT of its response.
 */

#include "igtcloud/client.h"
#include "igtcloud/models.h"
'''
    text = fn_typedefs(api) + '\n'
    text += '\n'.join(prototypes(operation) for operation in api.operations.values())
    return guard('OPERATIONS', head, text)


def param_row(operation, param):
    options = f'igt_{operation.c_name}_options'
    count = f'offsetof({options}, {param.c_name}_count)' if param.kind == 'STRING_LIST' else '0'
    flags = ['true' if on else 'false' for on in (param.place == 'header', param.required)]
    separator = f"'{param.separator}'".replace('\t', '\\t') if param.separator else "'\\0'"
    return wrap(f'{{{c_string(param.name)}, IGT__PARAM_{param.kind}, {separator}, '
                f'{", ".join(flags)}, offsetof({options}, {param.c_name}), {count}}},', '    ', '     ')


def response_table(operation):
    named = {'raw': 'igt__raw_type', 'text': 'igt__text_type', 'strings': 'igt__string_list_type'}
    if operation.response in (None, 'file'):
        return 'NULL'
    if isinstance(operation.response, str):
        return '&' + named[operation.response]
    return '&' + table(operation.response, '_list' if operation.response_is_list else '')


# They set a state, and set it again when they are sent again.
IDEMPOTENT_POSTS = {'post_study_files_upload_completed', 'post_study_electronic_record_state'}


def is_idempotent(operation):
    return operation.method in ('GET', 'PUT', 'DELETE') or operation.id in IDEMPOTENT_POSTS


def operation_table(operation):
    name, text = operation.c_name, ''
    if operation.params:
        rows = '\n'.join(param_row(operation, param) for param in operation.params)
        text += f'static const igt__param params_{name}[] = {{\n{rows}\n}};\n'
    bits = sum(1 << n for n, p in enumerate(operation.path_params) if p.kind == 'INTEGER')
    rows = [('id', c_string(operation.id)), ('method', c_string(operation.method)),
            ('path', c_string(operation.path)), ('integers', bits and str(bits)),
            ('open', operation.open and 'true'),
            ('idempotent', is_idempotent(operation) and 'true'),
            ('accept', c_string(operation.accept)),
            ('params', operation.params and f'params_{name}'),
            ('param_count', operation.params and str(len(operation.params))),
            ('options_size', operation.params and f'sizeof(igt_{operation.c_name}_options)'),
            ('body', operation.body and f'&{table(operation.body)}'),
            ('body_is_list', operation.body_is_list and 'true'),
            ('response', response_table(operation))]
    body = ''.join(f'    .{key} = {value},\n' for key, value in rows if value)
    return text + f'static const igt__operation op_{name} = {{\n{body}}};\n'


def call_struct(operation):
    text = ''
    if operation.path_params:
        args = [f'{{.{"number" if p.kind == "INTEGER" else "text"} = {p.c_name}}}'
                for p in operation.path_params]
        text = wrap(f'const igt__arg path[] = {{{", ".join(args)}}};', '  ', '      ') + '\n'
    rows = [f'.operation = &op_{operation.c_name}']
    rows += ['.path = path'] if operation.path_params else []
    rows += ['.options = options'] if operation.params else []
    rows += ['.body = body'] if operation.body else []
    rows += ['.body_count = body_count'] if operation.body_is_list else []
    return text + wrap(f'const igt__call call = {{{", ".join(rows)}}};', '  ', '      ') + '\n'


def whole_function(operation):
    head = call_like(f'igt_status igt_{operation.c_name}', whole_parts(operation), '')
    text = f'{head}\n{{\n' + call_struct(operation)
    if operation.response == 'file':
        return text + '\n  return igt__call_file(client, &call, write, payload, err);\n}\n'
    kind = response_type(operation)
    if not kind:
        return text + '\n  return igt__call_run(client, &call, NULL, err);\n}\n'
    return (text + '  igt_model *response = NULL;\n'
            '  igt_status status = igt__call_run(client, &call, out ? &response : NULL, err);\n\n'
            f'  if (out)\n    *out = ({kind} *)response;\n  return status;\n}}\n')


def each_function(operation):
    fn = each_fn(operation)
    head = call_like(f'igt_status igt_{operation.c_name}_each', each_parts(operation), '')
    return (f'{head}\n{{\n' + call_struct(operation)
            + f'  {fn[4:]}_call each = {{fn, payload}};\n\n'
            f'  return igt__call_each(client, &call, {fn[4:]}_run, &each, err);\n}}\n')


def adapter(name, element, named):
    """The typed callback behind the general one."""
    short = name[4:]
    args = ('list, ' if named else '') + f'(igt_{element.c_name} *)element'
    unused = '' if named else '  (void)list;\n'
    head = call_like(f'static igt_status {short}_run',
                     ['void *payload', 'const char *list', 'igt_model *element'], '')
    return (f'typedef struct {short}_call {{\n  {name} fn;\n  void *payload;\n}} {short}_call;\n\n'
            f'{head}\n{{\n  const {short}_call *each = payload;\n\n{unused}'
            f'  return each->fn(each->payload, {args});\n}}\n')


def operations_c(api):
    text = (BANNER + '#include "igtcloud/operations.h"\n\n#include <stddef.h>\n\n#include "api/call.h"\n#include "base/sized.h"\n\n')
    text += type_declarations(api)
    text += '\n'.join(adapter(n, *v) for n, v in each_types(api).items())
    for operation in api.operations.values():
        text += '\n' + operation_table(operation) + '\n' + whole_function(operation)
        if element_model(operation)[0]:
            text += '\n' + each_function(operation)
    text += '\n' + ''.join(f'IGT__DEFINE_INIT(igt_{operation.c_name}_options)\n'
                           for operation in api.operations.values() if operation.params)
    rows = ''.join(f'    &op_{operation.c_name},\n' for operation in api.operations.values())
    return text + f'\nconst igt__operation *const igt__operations[] = {{\n{rows}    NULL,\n}};\n'


def generate(paths):
    """{file name: content} for descriptions."""
    try:
        api = read(paths)
    except RecursionError as error:
        raise SpecError(', '.join(map(os.path.basename, paths)), 'schemas are too deep') from error
    check_names(api)
    return {'models.h': models_h(api), 'models.c': models_c(api),
            'operations.h': operations_h(api), 'operations.c': operations_c(api)}


def main(arguments):
    if len(arguments) < 2:
        print('usage: generate.py OUTPUT_DIR DESCRIPTION.json...', file=sys.stderr)
        return 2
    try:
        files = generate(arguments[1:])
    except (SpecError, OSError, UnicodeDecodeError) as error:
        print(f'generate.py: {error}', file=sys.stderr)
        return 1
    os.makedirs(arguments[0], exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(arguments[0], name), 'w', encoding='utf-8') as file:
            file.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
