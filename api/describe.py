#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the API's descriptions into what people and programs read of them.

    describe.py --c OUTPUT.c DESCRIPTION.json...          the tables behind igtcloud/describe.h
    describe.py --markdown OUTPUT.md DESCRIPTION.json...  docs/api.md
"""

import sys

from description import element_model, prose, read
from errors import SpecError
from generate import BANNER, WIDTH, c_string, table, type_declarations, wrap

C_HEAD = '''#include "igtcloud/describe.h"

#include <string.h>

#include "igtcloud/models.h"
#include "model/describe.h"
#include "model/type.h"

'''

KINDS = {'STRING': 'string', 'INTEGER': 'integer', 'NUMBER': 'number', 'BOOLEAN': 'boolean',
         'TIME': 'date-time', 'JSON': 'any', 'STRING_LIST': 'string[]',
         'INTEGER_LIST': 'integer[]'}


def field_type(field):
    if field.ref:
        return field.ref.name + ('[]' if field.kind == 'MODEL_LIST' else '')
    return KINDS[field.kind]


def service(operation):
    return operation.path.split('/')[2]


def body(operation):
    if not operation.body:
        return ''
    return operation.body.name + ('[]' if operation.body_is_list else '')


def response(operation):
    if operation.response is None:
        return ''
    if isinstance(operation.response, str):
        return {'raw': 'any', 'text': 'string', 'strings': 'string[]', 'file': 'file'}[
            operation.response]
    return operation.response.name + ('[]' if operation.response_is_list else '')


def parameters(operation):
    return operation.path_params + operation.params


def default(param):
    return '' if param.default in (None, []) else str(param.default)


def by_name(api):
    return sorted(api.models.values(), key=lambda model: model.name.encode())


# ---- C ----


def flag(on):
    return 'true' if on else 'false'


def row(parts):
    """Broken between parts alone: texts have spaces of their own."""
    lines, line = [], '    {' + parts[0]
    for part in parts[1:]:
        if len(line + ', ' + part) + 2 > WIDTH:
            lines.append(line + ',')
            line = '     ' + part
        else:
            line += ', ' + part
    return '\n'.join(lines + [line + '},'])


def pointed(kind, name, rows):
    """An array of pointers: programs do not step by the size that an entry had when they were built."""
    pointers = ', '.join(f'&table_{name}[{i}]' for i in range(len(rows)))
    return (f'static const {kind} table_{name}[] = {{\n' + '\n'.join(rows) + '\n};\n'
            + wrap(f'static const {kind} *const {name}[] = {{{pointers}}};', '', '    ') + '\n')


def c_operation(operation):
    params = [row([c_string(p.name), c_string(p.place), c_string(KINDS[p.kind]), c_string(p.text),
                   c_string(default(p)), flag(p.required)]) for p in parameters(operation)]
    if not params:
        return ''
    return pointed('igt_parameter_info', f'parameters_{operation.c_name}', params)


def c_operations(api):
    text = ''.join(c_operation(op) for op in api.operations.values())
    text += 'static const igt_operation_info operations[] = {\n'
    for op in api.operations.values():
        count = len(parameters(op))
        text += row([c_string(op.id), c_string('igt_' + op.c_name), c_string(service(op)), c_string(op.method),
                     c_string(op.path), c_string(op.summary), c_string(body(op)),
                     c_string(response(op)), flag(op.open),
                     f'parameters_{op.c_name}' if count else 'NULL', str(count)]) + '\n'
    return text + '};\n\n'


def c_models(api):
    text = ''
    for model in by_name(api):
        rows = [row([c_string(f.name), c_string(field_type(f)), c_string(f.text),
                     c_string('|'.join(map(prose, f.values or []))), flag(f.required),
                     flag(f.read_only)]) for _, f in model.line()]
        if rows:
            text += pointed('igt_field_info', f'fields_{model.c_name}', rows)
    text += 'static const igt_model_info models[] = {\n'
    for model in by_name(api):
        count = len(model.line())
        text += row([c_string(model.name), c_string(model.parent.name if model.parent else ''),
                     f'&{table(model)}',
                     f'fields_{model.c_name}' if count else 'NULL', str(count)]) + '\n'
    return text + '};\n\n'


def describe_c(api):
    return (BANNER + C_HEAD + type_declarations(api) + c_operations(api) + c_models(api) +
            'const igt__description igt__description_of_api = {\n'
            '    operations, sizeof operations / sizeof *operations,\n'
            '    models, sizeof models / sizeof *models,\n};\n')


# ---- Markdown ----


def cell(text):
    return text.replace('|', '\\|')


def link(name, models):
    bare = name.removesuffix('[]')
    if bare not in models:
        return f'`{name}`' if name else ''
    return f'[{name.replace("[]", "")}](#{bare.lower()})' + ('[]' if name != bare else '')


def md_parameter(param):
    notes = [param.text] if param.text else []
    if param.required:
        notes.append('required')
    if default(param):
        notes.append(f'default `{default(param)}`')
    note = '; '.join(note.rstrip('.') for note in notes)
    return f'| `{param.name}` | {param.place} | {KINDS[param.kind]} | {cell(note)} |\n'


def md_operation(operation, models):
    text = f'### {operation.id}\n\n`{operation.method} {operation.path}`'
    text += '  (needs no session)\n\n' if operation.open else '\n\n'
    if operation.summary:
        text += operation.summary + '\n\n'
    if parameters(operation):
        text += '| parameter | in | type | |\n|---|---|---|---|\n'
        text += ''.join(map(md_parameter, parameters(operation))) + '\n'
    facts = [f'{name}: {link(value, models)}' for name, value in
             (('Body', body(operation)), ('Response', response(operation))) if value]
    facts.append(f'C: `igt_{operation.c_name}()`')
    if element_model(operation)[0]:
        facts[-1] += f', `igt_{operation.c_name}_each()`'
    return text + ' · '.join(facts) + '\n\n'


def md_field(field, models):
    notes = [field.text.rstrip('.')] if field.text else []
    if field.required:
        notes.append('required')
    if field.read_only:
        notes.append('set by the server')
    if field.values:
        notes.append('one of ' + ', '.join(f'`{prose(v)}`' for v in field.values))
    kind = link(field_type(field), models) if field.ref else field_type(field)
    return f'| `{field.name}` | {kind} | {cell("; ".join(notes))} |\n'


def md_model(model, models):
    text = f'### {model.name}\n\n'
    if model.parent:
        text += f'All of {link(model.parent.name, models)}, and:\n\n' if model.own else \
            f'All of {link(model.parent.name, models)}.\n\n'
    elif not model.own:
        text += 'No fields of its own.\n\n'
    if model.own:
        text += '| field | type | |\n|---|---|---|\n'
        text += ''.join(md_field(field, models) for field in model.own) + '\n'
    return text


def describe_md(api):
    models = set(api.models)
    operations = list(api.operations.values())
    inline = {op.id + '_body' for op in operations}  # have no name in the description
    text = (f'# The REST API\n\n{len(operations)} operations and {len(models - inline)} models in '
            f'{len(set(map(service, operations)))} services. Made by `api/describe.py` from the '
            'descriptions in `api/`; do not edit.\n\n'
            'Each operation is a function of `igtcloud/operations.h` and can be called by '
            '`igtcloud api METHOD PATH`; `igtcloud api --describe OPERATION` prints the '
            'same.\n\n')
    for name in dict.fromkeys(map(service, operations)):
        text += f'## Service {name}\n\n'
        text += ''.join(md_operation(op, models) for op in operations if service(op) == name)
    text += '## Models\n\n' + ''.join(md_model(model, models) for model in by_name(api))
    return text.rstrip('\n') + '\n'


def main(arguments):
    forms = {'--c': describe_c, '--markdown': describe_md}
    if len(arguments) < 3 or arguments[0] not in forms:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        text = forms[arguments[0]](read(arguments[2:]))
    except (SpecError, OSError, ValueError) as error:
        print(f'describe.py: {error}', file=sys.stderr)
        return 1
    with open(arguments[1], 'w', encoding='utf-8') as file:
        file.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
