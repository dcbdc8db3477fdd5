#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the API's descriptions (Swagger 2.0) into C: models and operations.

    generate.py OUTPUT_DIR DESCRIPTION.json...

Writes models.h, models.c, operations.h and operations.c. What a description holds and this
program does not know is an error that names the place, never left out in silence.
See docs/internals/model.md.
"""

import json
import os
import re
import sys

WIDTH = 100
MAX_FIELDS = 256  # IGT__MAX_FIELDS of lib/model/walk.h
METHODS = ('get', 'put', 'post', 'delete', 'patch')
# Say nothing about the form of what is sent.
PROSE = {'description', 'summary', 'example', 'title', 'default', 'tags', 'externalDocs'}
# Of C (C23 too) and C++; they get a "_" behind them.
KEYWORDS = set('''alignas alignof and asm auto bool break case catch char class compl concept const
constexpr continue default delete do double else enum explicit export extern false float for friend
goto if inline int long mutable namespace new noexcept not nullptr operator or private protected
public register requires restrict return short signed sizeof static struct switch template this
throw true try typedef typeid typename typeof union unsigned using virtual void volatile while xor
linux unix'''.split())
# Members and parameters that all models and functions have.
RESERVED = {'model', 'base'}
ARGUMENTS = {'client', 'options', 'body', 'body_count', 'out', 'err', 'fn', 'payload', 'write'}

FIELD_TYPES = {
    'STRING': 'igt_string_field', 'INTEGER': 'igt_integer_field', 'NUMBER': 'igt_number_field',
    'BOOLEAN': 'igt_boolean_field', 'TIME': 'igt_time_field', 'JSON': 'igt_json_field',
    'STRING_LIST': 'igt_string_list_field', 'INTEGER_LIST': 'igt_integer_list_field',
}


class SpecError(Exception):
    """A description that cannot be turned into C."""

    def __init__(self, place, problem):
        super().__init__(f'{place}: {problem}')


def check_keys(node, known, place):
    """Refuses what is neither known here nor prose."""
    if not isinstance(node, dict):
        raise SpecError(place, 'an object is expected')
    for key in node:
        if key not in known and key not in PROSE and not key.startswith('x-'):
            raise SpecError(f'{place}/{key}', 'this is not known to the generator')


def snake(name):
    """studyDatabaseId -> study_database_id, CSRFToken -> csrf_token, $filter -> filter."""
    name = re.sub(r'[^0-9A-Za-z]+', '_', name).strip('_')
    name = re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', name)
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    return name.lower()


def member(name, taken, place):
    """A C name for a member or argument that is not in `taken`."""
    c_name = snake(name)
    if not c_name or c_name[0].isdigit():
        c_name = '_' + c_name if c_name else ''
    if not c_name:
        raise SpecError(place, f'no C name can be made of "{name}"')
    if c_name in KEYWORDS or c_name in taken:
        c_name += '_'
    if c_name in taken:
        raise SpecError(place, f'two things would be called {c_name} in C')
    return c_name


def c_string(text):
    return '"' + ''.join(c if ' ' <= c <= '~' and c not in '"\\' else
                         ''.join(f'\\{b:03o}' for b in c.encode()) for c in text) + '"'


def prose(text):
    """A sentence for a comment; nothing in it may end the comment."""
    return ' '.join(str(text).split()).replace('*/', '* /').replace('/*', '/ *')


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


# ---- what a description says ----


class Field:
    def __init__(self, name, c_name, kind, ref, node, required):
        self.name = name
        self.c_name = c_name
        self.kind = kind
        self.ref = ref  # the name of a model
        self.read_only = bool(node.get('readOnly'))
        self.required = required
        self.values = node.get('enum')
        self.text = prose(node.get('description', ''))


class Model:
    def __init__(self, name, node, parent, place):
        self.name = name
        self.c_name = snake(name)
        self.parent = parent  # a name, then a Model
        self.node = node
        self.place = place
        self.own = []
        self.discriminator = node.get('discriminator')

    def line(self):
        """All fields with the way to their member: those of parents first."""
        fields = [('base.' + path, field) for path, field in self.parent.line()] \
            if self.parent else []
        return fields + [(field.c_name, field) for field in self.own]

    def ancestors(self):
        return [self.parent] + self.parent.ancestors() if self.parent else []


class Param:
    def __init__(self, node, kind, c_name):
        self.name = node['name']
        self.place = node['in']
        self.required = bool(node.get('required'))
        self.default = node.get('default')
        self.kind = kind
        self.c_name = c_name
        self.text = prose(node.get('description', ''))


class Operation:
    def __init__(self, node, method, path, place):
        self.id = node['operationId']
        self.c_name = snake(self.id)
        self.method = method.upper()
        self.path = path
        self.place = place
        self.summary = prose(node.get('summary') or node.get('description') or '')
        self.open = False
        self.accept = 'application/json'
        self.path_params = []
        self.params = []
        self.body = None
        self.body_is_list = False
        self.answer = None  # None, 'raw', 'text', 'strings', 'file', or a Model
        self.answer_is_list = False


class Api:
    """The models and operations of all descriptions."""

    def __init__(self):
        self.models = {}
        self.operations = {}

    def read(self, path):
        with open(path, encoding='utf-8') as file:
            spec = json.load(file)
        name = os.path.basename(path)
        check_keys(spec, {'swagger', 'basePath', 'paths', 'info', 'produces', 'consumes', 'host',
                          'schemes', 'securityDefinitions', 'security', 'definitions',
                          'responses'}, name)
        if spec.get('swagger') != '2.0':
            raise SpecError(f'{name}/swagger', 'only Swagger 2.0 is known')
        for model, node in spec.get('definitions', {}).items():
            self.add_model(model, node, f'{name}/definitions/{model}')
        return name, spec

    def add_model(self, name, node, place):
        parent = None
        if 'allOf' in node:
            check_keys(node, {'allOf', 'type'}, place)
            parts = node['allOf']
            if len(parts) != 2 or '$ref' not in parts[0] or '$ref' in parts[1]:
                raise SpecError(f'{place}/allOf', 'one reference and one object are expected')
            parent, node = self.ref(parts[0], place + '/allOf/0'), parts[1]
            place += '/allOf/1'
        check_keys(node, {'type', 'properties', 'required', 'discriminator'}, place)
        if node.get('type', 'object') != 'object':
            raise SpecError(f'{place}/type', 'a model must be an object')
        model = Model(name, node, parent, place)
        known = self.models.get(name)
        if known and (known.node, known.parent) != (model.node, model.parent):
            raise SpecError(place, f'another description has another {name}: {known.place}')
        for other in self.models.values():
            if other.c_name == model.c_name and other.name != name:
                raise SpecError(place, f'{name} and {other.name} have one name in C')
        self.models.setdefault(name, model)

    @staticmethod
    def ref(node, place):
        check_keys(node, {'$ref'}, place)
        match = re.fullmatch(r'#/definitions/(.+)', node['$ref'])
        if not match:
            raise SpecError(f'{place}/$ref', f'"{node["$ref"]}" does not lead to a definition')
        return match[1]

    def resolve(self):
        """Names become models, properties become fields."""
        for model in self.models.values():
            if model.parent:
                model.parent = self.model(model.parent, model.place)
        for model in self.models.values():
            self.check_loop(model)
            self.fill(model)
        for model in self.models.values():
            for ancestor in [model] + model.ancestors():
                names = [field.name for _, field in ancestor.line()]
                if ancestor.discriminator and ancestor.discriminator not in names:
                    raise SpecError(model.place, 'the discriminator is no property')
            names = [field.name for _, field in model.line()]
            twice = {name for name in names if names.count(name) > 1}
            if len(names) > MAX_FIELDS:
                raise SpecError(model.place, f'more than {MAX_FIELDS} fields')
            if twice:
                raise SpecError(model.place, f'{twice.pop()} is inherited and has its own form')

    @staticmethod
    def check_loop(model):
        seen, at = set(), model
        while at:
            if at.name in seen:
                raise SpecError(model.place, 'a model cannot extend itself')
            seen.add(at.name)
            at = at.parent

    def fill(self, model):
        taken = set(RESERVED)
        required = model.node.get('required', [])
        properties = model.node.get('properties', {})
        for name in required:
            if name not in properties:
                raise SpecError(f'{model.place}/required', f'{name} is no property')
        for name, node in properties.items():
            place = f'{model.place}/properties/{name}'
            kind, ref = self.kind(node, place)
            c_name = member(name, taken, place)
            taken.add(c_name)
            model.own.append(Field(name, c_name, kind, ref, node, name in required))

    def model(self, name, place):
        if name not in self.models:
            raise SpecError(place, f'there is no definition of {name}')
        return self.models[name]

    def kind(self, node, place):
        """(field kind, model or None) of a property's schema."""
        if '$ref' in node:
            check_keys(node, {'$ref', 'readOnly'}, place)
            return 'MODEL', self.model(self.ref({'$ref': node['$ref']}, place), place)
        check_keys(node, {'type', 'format', 'enum', 'readOnly', 'items', 'minLength', 'maxLength',
                          'pattern', 'minimum', 'maximum', 'minItems', 'maxItems',
                          'uniqueItems'}, place)
        kind = node.get('type')
        if kind == 'array':
            return self.list_kind(node.get('items'), place + '/items')
        if 'items' in node:
            raise SpecError(place + '/items', 'only an array has items')
        if kind == 'string':
            return ('TIME' if node.get('format') == 'date-time' else 'STRING'), None
        known = {'integer': 'INTEGER', 'number': 'NUMBER', 'boolean': 'BOOLEAN', 'object': 'JSON'}
        if kind not in known:
            raise SpecError(place + '/type', f'{json.dumps(kind)} is not known to the generator')
        return known[kind], None

    def list_kind(self, items, place):
        if items is None:
            raise SpecError(place, 'an array must say of what')
        kind, ref = self.kind(items, place)
        if kind not in ('STRING', 'INTEGER', 'MODEL'):
            raise SpecError(place, f'lists of {kind.lower()} are not known to the generator')
        return kind + '_LIST', ref

    # ---- operations ----

    def read_operations(self, name, spec):
        base = '/api' + spec.get('basePath', '')
        secure = bool(spec.get('security'))
        for path, item in spec.get('paths', {}).items():
            shared = item.get('parameters', [])
            check_keys(item, set(METHODS) | {'parameters'}, f'{name}/paths/{path}')
            for method in METHODS:
                if method not in item:
                    continue
                place = f'{name}/paths/{path}/{method}'
                operation = self.operation(item[method], method, base + path, shared, place)
                operation.open = not item[method].get('security', secure)
                if operation.c_name in self.operations:
                    raise SpecError(place, f'a second operation {operation.id}')
                self.operations[operation.c_name] = operation

    def operation(self, node, method, path, shared, place):
        check_keys(node, {'operationId', 'parameters', 'responses', 'security', 'produces',
                          'consumes', 'deprecated'}, place)
        if 'operationId' not in node:
            raise SpecError(place, 'an operation must have an operationId')
        operation = Operation(node, method, path, place)
        own = node.get('parameters', [])
        names = {(param.get('name'), param.get('in')) for param in own}
        every = [p for p in shared if (p.get('name'), p.get('in')) not in names] + own
        taken = set(ARGUMENTS)
        for n, param in enumerate(every):
            self.add_param(operation, param, taken, f'{place}/parameters/{n}')
        self.order_path(operation)
        self.read_answer(operation, node, place)
        return operation

    def add_param(self, operation, node, taken, place):
        check_keys(node, {'name', 'in', 'required', 'type', 'format', 'items', 'collectionFormat',
                          'schema', 'enum'}, place)
        where = node.get('in')
        if where == 'body':
            self.read_body(operation, node.get('schema', {}), place + '/schema')
            return
        if where not in ('path', 'query', 'header'):
            raise SpecError(place + '/in', f'{json.dumps(where)} is not known to the generator')
        kind = {'string': 'STRING', 'integer': 'INTEGER', 'boolean': 'BOOLEAN',
                'array': 'STRING_LIST'}.get(node.get('type'))
        if not kind or (where == 'path' and kind in ('BOOLEAN', 'STRING_LIST')):
            raise SpecError(place + '/type', f'{json.dumps(node.get("type"))} is not known here')
        if kind == 'STRING_LIST' and (node.get('collectionFormat') != 'multi' or
                                      node.get('items', {}).get('type') != 'string'):
            raise SpecError(place, 'only lists of strings, each with the name, are known')
        param = Param(node, kind, member(node['name'], taken, place))
        taken.add(param.c_name)
        (operation.path_params if where == 'path' else operation.params).append(param)

    @staticmethod
    def order_path(operation):
        """The arguments stand as the path has them."""
        in_path = re.findall(r'\{([^}]*)\}', operation.path)
        by_name = {param.name: param for param in operation.path_params}
        if sorted(in_path) != sorted(by_name):
            raise SpecError(operation.place, 'its parameters are not those of its path')
        operation.path_params = [by_name[name] for name in in_path]

    def read_body(self, operation, schema, place):
        if operation.body:
            raise SpecError(place, 'a second body')
        if schema.get('type') == 'array':
            check_keys(schema, {'type', 'items'}, place)
            operation.body_is_list = True
            schema, place = schema.get('items', {}), place + '/items'
        if '$ref' in schema:
            operation.body = self.model(self.ref(schema, place), place)
        elif schema.get('type') == 'object' and not operation.body_is_list:
            name = operation.id + '_body'
            self.add_model(name, schema, place)
            self.fill(self.models[name])
            operation.body = self.models[name]
        else:
            raise SpecError(place, 'a body must be a model or a list of one')

    def read_answer(self, operation, node, place):
        """The form of a success. Where none is described the body is handed out as it is."""
        responses = node.get('responses', {})
        good = [code for code in sorted(responses) if code[0] in '23']
        forms = []
        for code in good:
            check_keys(responses[code], {'schema', 'headers'}, f'{place}/responses/{code}')
            schema = responses[code].get('schema')
            if schema and schema not in forms:
                forms.append(schema)
        if len(forms) > 1:
            raise SpecError(place + '/responses', 'answers of several forms')
        if not forms:
            operation.answer = None if good else 'raw'
            return
        self.read_form(operation, forms[0], f'{place}/responses')
        if operation.answer == 'file':
            operation.accept = ', '.join(node.get('produces', ['*/*']))

    def read_form(self, operation, schema, place):
        if '$ref' in schema:
            operation.answer = self.model(self.ref(schema, place), place)
        elif schema.get('type') in ('file', 'string'):
            operation.answer = {'file': 'file', 'string': 'text'}[schema['type']]
        elif schema.get('type') == 'array' and '$ref' in schema.get('items', {}):
            operation.answer = self.model(self.ref(schema['items'], place), place)
            operation.answer_is_list = True
        elif schema.get('type') == 'array' and schema.get('items', {}).get('type') == 'string':
            operation.answer = 'strings'
        else:
            raise SpecError(place, 'an answer of this form is not known to the generator')


def element_model(operation):
    """The model that an operation's _each hands out, and whether it comes from a named list."""
    answer = operation.answer
    if not isinstance(answer, Model) or operation.method != 'GET':
        return None, False
    if operation.answer_is_list:
        return answer, False
    refs = {field.ref for _, field in answer.line() if field.kind == 'MODEL_LIST'}
    if len(refs) == 1 and all(f.kind == 'MODEL_LIST' for _, f in answer.line()):
        return refs.pop(), True
    return None, False


# ---- C ----

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
    what = f'{model.name}: what {model.parent.name} has, and more.' if model.parent \
        else f'{model.name}.'
    first = f'  igt_{model.parent.c_name} base;' if model.parent else '  igt_model model;'
    body = '\n'.join([first] + [struct_member(field) for field in model.own])
    name = f'igt_{model.c_name}'
    return (f'/** {what} */\nstruct {name} {{\n{body}\n}};\n'
            f'IGT_EXTERN extern const igt_type {name}_type;\n'
            f'/** Free: igt_model_free(). NULL: no memory. */\n'
            f'static inline {name} *\n{name}_new(void)\n{{\n'
            f'  return ({name} *)\n      igt_model_new(&{name}_type);\n}}\n')


def list_models(api):
    """Models that some operation answers a list of, in the order of the models."""
    answers = {op.answer.name for op in api.operations.values() if op.answer_is_list}
    return [model for model in by_parents(api.models) if model.name in answers]


def list_struct(model):
    name = f'igt_{model.c_name}'
    return (f'/** A list of {model.name}. Free: igt_model_free(&list->model). */\n'
            f'typedef struct {name}_list {{\n  igt_model model;\n  size_t count;\n'
            f'  {name} **v;\n}} {name}_list;\nIGT_EXTERN extern const igt_type {name}_list_type;\n')


def models_h(api):
    models = by_parents(api.models)
    text = '\n'.join(f'typedef struct igt_{m.c_name} igt_{m.c_name};' for m in models) + '\n\n'
    text += '\n'.join(struct(model) for model in models) + '\n'
    text += '\n'.join(list_struct(model) for model in list_models(api))
    about = '/** @file The models of the API. See model.h for how they are used. */\n\n'
    return guard('MODELS', about + '#include "igtcloud/model.h"\n', text)


def field_row(model, path, field):
    flags = [name for name, on in (('IGT__FIELD_READ_ONLY', field.read_only),
                                   ('IGT__FIELD_REQUIRED', field.required)) if on]
    ref = f'&igt_{field.ref.c_name}_type' if field.ref else 'NULL'
    parts = [c_string(field.name), str(len(field.name.encode())), 'IGT__KIND_' + field.kind,
             ' | '.join(flags) or '0', f'offsetof(igt_{model.c_name}, {path})', ref]
    line = '  {' + ', '.join(parts) + '},'
    if len(line) <= WIDTH:
        return line
    return '  {' + ', '.join(parts[:4]) + ',\n   ' + ', '.join(parts[4:]) + '},'


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
        items = ', '.join(f'&igt_{m.c_name}_type' for m in derived)
        text += wrap(f'static const igt_type *const derived_{name}[] = {{{items}}};',
                     '', '    ') + '\n'
    base = f'&igt_{model.parent.c_name}_type' if model.parent else 'NULL'
    text += (f'const igt_type igt_{name}_type = {{\n    .name = {c_string(model.name)},\n'
             f'    .kind = IGT__TYPE_OBJECT,\n    .size = sizeof(igt_{name}),\n'
             f'    .base = {base},\n    .discriminator = {index},\n')
    if fields:
        text += f'    .fields = fields_{name},\n    .field_count = {len(fields)},\n'
    if derived:
        text += f'    .derived = derived_{name},\n    .derived_count = {len(derived)},\n'
    return text + '};\n'


def models_c(api):
    text = BANNER + '#include "igtcloud/models.h"\n\n#include <stddef.h>\n\n#include "model/type.h"\n\n'
    text += '\n'.join(model_tables(api, model) for model in by_parents(api.models))
    for model in list_models(api):
        text += (f'\nconst igt_type igt_{model.c_name}_list_type = {{\n'
                 f'    .name = {c_string("list of " + model.name)},\n'
                 f'    .kind = IGT__TYPE_LIST,\n    .size = sizeof(igt_{model.c_name}_list),\n'
                 f'    .discriminator = -1,\n    .element = &igt_{model.c_name}_type,\n}};\n')
    return text


def option_member(param):
    words = [f'"{prose(param.name)}"' + (' header' if param.place == 'header' else '')]
    if param.text:
        words[0] += ': ' + param.text.rstrip('.')
    if param.required:
        words.append('required')
    if param.default not in (None, []):
        words.append('the server takes absent as ' + json.dumps(param.default).strip('"'))
    note = f' /**< {"; ".join(words)} */'
    kind = {'STRING': 'const char *', 'INTEGER': 'igt_integer_field ',
            'BOOLEAN': 'igt_boolean_field ', 'STRING_LIST': 'const char *const *'}[param.kind]
    text = f'  {kind}{param.c_name};{note}'
    if param.kind == 'STRING_LIST':
        text += f'\n  size_t {param.c_name}_count;'
    return text


def options_struct(operation):
    name = f'igt_{operation.c_name}_options'
    body = '\n'.join(option_member(param) for param in operation.params)
    init = {'STRING': 'NULL', 'INTEGER': '{IGT_ABSENT, 0}', 'BOOLEAN': '{IGT_ABSENT, false}',
            'STRING_LIST': 'NULL, 0'}
    values = ', '.join(init[param.kind] for param in operation.params)
    must = '' if any(param.required for param in operation.params) else '; NULL stands for none'
    return (f'/** Options of igt_{operation.c_name}(){must}. */\n'
            f'typedef struct {name} {{\n{body}\n}} {name};\n'
            f'#define {name.upper()}_INIT {{{values}}}\n\n')


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


def answer_type(operation):
    """The C type that an operation answers, or None."""
    if operation.answer in (None, 'file'):
        return None
    if isinstance(operation.answer, str):
        return 'igt_string_list' if operation.answer == 'strings' else 'igt_text'
    return f'igt_{operation.answer.c_name}' + ('_list' if operation.answer_is_list else '')


def whole_parts(operation):
    parts = inputs(operation)
    if operation.answer == 'file':
        parts += ['igt_write_fn write', 'void *payload']
    elif operation.answer:
        parts.append(f'{answer_type(operation)} **out')
    return parts + ['igt_error *err']


def each_fn(operation):
    element, named = element_model(operation)
    return f'igt_{operation.answer.c_name if named else element.c_name}_fn'


def each_parts(operation):
    return inputs(operation) + [f'{each_fn(operation)} fn', 'void *payload', 'igt_error *err']


def about(operation):
    text = (operation.summary or operation.id) + f' `{operation.method}\xa0{operation.path}`'
    if operation.answer == 'raw':
        text += ' The description says nothing of the answer: out, which may be NULL, gets its text.'
    elif operation.answer == 'file':
        text += f' Bytes ({operation.accept}) go to write.'
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
 * another; it is NULL after a failure. out may be NULL when the answer is not wanted.
 * All block, sign in when nobody has, renew a session that ends, and may be called from several
 * threads. Errors: IGT_E_INVALID and IGT_E_REQUIRED before anything is sent; those of signing in
 * and of the network; what the server said; IGT_E_PARSE, IGT_E_TYPE, IGT_E_LIMIT of its answer.
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
    return wrap(f'{{{c_string(param.name)}, IGT__PARAM_{param.kind}, {", ".join(flags)}, '
                f'offsetof({options}, {param.c_name}), {count}}},', '    ', '     ')


def answer_table(operation):
    named = {'raw': 'igt__raw_type', 'text': 'igt__text_type', 'strings': 'igt__string_list_type'}
    if operation.answer in (None, 'file'):
        return 'NULL'
    return '&' + named.get(operation.answer if isinstance(operation.answer, str) else '',
                           (answer_type(operation) or '') + '_type')


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
            ('body', operation.body and f'&igt_{operation.body.c_name}_type'),
            ('body_is_list', operation.body_is_list and 'true'),
            ('answer', answer_table(operation))]
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
    if operation.answer == 'file':
        return text + '\n  return igt__call_file(client, &call, write, payload, err);\n}\n'
    kind = answer_type(operation)
    if not kind:
        return text + '\n  return igt__call_run(client, &call, NULL, err);\n}\n'
    return (text + '  igt_model *answer = NULL;\n'
            '  igt_status status = igt__call_run(client, &call, out ? &answer : NULL, err);\n\n'
            f'  if (out)\n    *out = ({kind} *)answer;\n  return status;\n}}\n')


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
    text = (BANNER + '#include "igtcloud/operations.h"\n\n#include <stddef.h>\n\n#include "api/call.h"\n\n')
    text += '\n'.join(adapter(n, *v) for n, v in each_types(api).items())
    for operation in api.operations.values():
        text += '\n' + operation_table(operation) + '\n' + whole_function(operation)
        if element_model(operation)[0]:
            text += '\n' + each_function(operation)
    return text


def generate(paths):
    """{file name: content} for descriptions."""
    api = Api()
    specs = [api.read(path) for path in paths]
    api.resolve()
    for name, spec in specs:
        api.read_operations(name, spec)
    return {'models.h': models_h(api), 'models.c': models_c(api),
            'operations.h': operations_h(api), 'operations.c': operations_c(api)}


def main(arguments):
    if len(arguments) < 2:
        print('usage: generate.py OUTPUT_DIR DESCRIPTION.json...', file=sys.stderr)
        return 2
    try:
        files = generate(arguments[1:])
    except (SpecError, OSError, json.JSONDecodeError) as error:
        print(f'generate.py: {error}', file=sys.stderr)
        return 1
    os.makedirs(arguments[0], exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(arguments[0], name), 'w', encoding='utf-8') as file:
            file.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
