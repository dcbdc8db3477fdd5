#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a test that calls every operation of the descriptions once, with every argument, option
and field, and looks at what a server sees and what the caller gets.

    make_calls.py OUTPUT.c DESCRIPTION.json...

What is expected is worked out from the descriptions here, not from the generated code.
"""

import json
import os
import sys
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'api'))

import generate  # noqa: E402  names and C literals; nothing of the tables

METHODS = ('get', 'put', 'post', 'delete', 'patch')


def name_of(schema):
    return schema['$ref'].rsplit('/', 1)[1]


class Descriptions:
    def __init__(self, paths):
        self.specs = []
        for path in paths:
            with open(path, encoding='utf-8') as file:
                self.specs.append(json.load(file))
        self.models = {}
        for spec in self.specs:
            self.models.update(spec['definitions'])

    def line(self, name):
        """The model's schemas, what it extends first."""
        node = self.models[name]
        if 'allOf' not in node:
            return [node]
        return self.line(name_of(node['allOf'][0])) + [node['allOf'][1]]

    def tag(self, name):
        tags = [node['discriminator'] for node in self.line(name) if 'discriminator' in node]
        return tags[0] if tags else None

    def parents(self, name):
        node = self.models[name]
        return [] if 'allOf' not in node else \
            [name_of(node['allOf'][0])] + self.parents(name_of(node['allOf'][0]))

    def concrete(self, name):
        """A model that extends it, or itself."""
        below = [other for other in self.models if name in self.parents(other)]
        return below[-1] if below and self.tag(name) else name

    def sample(self, schema, sending, depth=0):
        """A value with every field set; those that the server sets only when not sending."""
        if '$ref' in schema:
            return self.model(self.concrete(name_of(schema)), sending, depth)
        kind = schema['type']
        if kind == 'array':
            item = self.sample(schema['items'], sending, depth + 1)
            return [] if item is None else [item]
        if kind == 'object' and 'properties' in schema:
            return self.fields([schema], sending, depth)
        if kind == 'string':
            return '2020-01-02T03:04:05Z' if schema.get('format') == 'date-time' else 's\u00fc"\\'
        return {'integer': -5, 'boolean': True, 'number': 1.5, 'object': {'a': [1, None]}}[kind]

    def model(self, name, sending, depth):
        if depth > 3:
            return None
        value = self.fields(self.line(name), sending, depth)
        tag = self.tag(name)
        if tag:  # it is written first
            value.pop(tag)
            value = {tag: name, **value}
        return value

    def fields(self, nodes, sending, depth):
        value = {}
        for node in nodes:
            for key, schema in node.get('properties', {}).items():
                if not (sending and schema.get('readOnly')):
                    one = self.sample(schema, sending, depth + 1)
                    if one is not None:
                        value[key] = one
        return value


def c_json(value):
    text = json.dumps(value, ensure_ascii=False, separators=(',', ':'))
    pieces = [text[i:i + 60] for i in range(0, len(text), 60)] or ['']
    return '\n      '.join(generate.c_string(piece) for piece in pieces)


def names():
    with open(os.path.join(os.path.dirname(generate.__file__), 'names.json'), encoding='utf-8') as file:
        return json.load(file)


class Call:
    """The test of one operation."""

    def __init__(self, api, base, path, method, node, shared):
        self.api = api
        self.node = node
        self.c_name = names().get(node['operationId']) or generate.snake(node['operationId'])
        self.method = method
        self.target = '/api' + base + path
        self.query = []
        self.lines = []
        self.arguments = ['f->client']
        self.options = []
        self.headers = []
        self.body = None
        every = shared + node.get('parameters', [])
        for number, param in enumerate(p for p in every if p['in'] == 'path'):
            self.path_argument(param, number)
        for param in every:
            if param['in'] in ('query', 'header'):
                self.option(param)
        if self.options:
            self.arguments.append('&options')
        for param in every:
            if param['in'] == 'body':
                self.take_body(param['schema'])

    def path_argument(self, param, number):
        integer = param['type'] == 'integer'
        value = str(-7 - number) if integer else f'a/{number}?'
        self.target = self.target.replace('{' + param['name'] + '}', quote(value, safe=''))
        # In the order of the path, as the descriptions' parameters stand.
        self.arguments.append(value if integer else generate.c_string(value))

    def option(self, param):
        name = generate.snake(param['name'])
        if name in generate.KEYWORDS | generate.ARGUMENTS:
            name += '_'
        if param['type'] == 'boolean':
            self.options.append(f'options.{name} = (igt_boolean_field){{IGT_SET, true}};')
            values = ['true']
        elif param['type'] == 'array':
            self.options.append(f'options.{name} = two;')
            self.options.append(f'options.{name}_count = 2;')
            values = ['k 1', 'k&2']
        else:
            self.options.append(f'options.{name} = "v&{name}";')
            values = [f'v&{name}']
        for value in values:
            if param['in'] == 'header':
                self.headers.append(f'{param["name"]}: {value}')
            else:
                self.query.append(f'{quote(param["name"], safe="")}={quote(value, safe="")}')

    def take_body(self, schema):
        is_list = schema.get('type') == 'array'
        inner = schema['items'] if is_list else schema
        kind = generate.snake(name_of(inner)) if '$ref' in inner else self.c_name + '_body'
        self.body = self.api.sample(inner, True)
        self.lines.append(f'  igt_model *body = parse(igt_{kind}_type(),\n      '
                          f'{c_json(self.body)});')
        if is_list:
            self.lines.append(f'  const igt_{kind} *const list[] = {{(const igt_{kind} *)body}};')
            self.arguments += ['list', '1']
            self.body = [self.body]
        else:
            self.arguments.append(f'(const igt_{kind} *)body')

    def response_schema(self):
        for code, response in sorted(self.node['responses'].items()):
            if code[0] == '2' and 'schema' in response:
                return response['schema']
        return None

    def described(self):
        return any(code[0] in '23' for code in self.node['responses'])

    def response(self):
        """(C type, value to response, text of the response, content type)"""
        schema = self.response_schema()
        if schema is None:
            return (None, '', 'text/plain') if self.described() else \
                ('igt_text', 'a "text"', 'text/plain')
        if schema.get('type') == 'file':
            return 'file', 'bytes', self.node['produces'][0]
        value = self.api.sample(schema, False)
        if schema.get('type') == 'string':
            kind = 'igt_text'
        elif schema.get('type') == 'array':
            inner = schema['items']
            kind = f'igt_{generate.snake(name_of(inner))}_list' if '$ref' in inner \
                else 'igt_string_list'
        else:
            kind = 'igt_' + generate.snake(name_of(schema))
        return kind, value, 'application/json'

    def each(self, value):
        """How many elements _each hands out; None: there is none."""
        schema = self.response_schema()
        if self.method != 'get' or not schema:
            return None
        if schema.get('type') == 'array':
            return len(value) if '$ref' in schema['items'] else None
        if '$ref' not in schema:
            return None
        fields = [p for node in self.api.line(name_of(schema)) for p in node['properties'].values()]
        kinds = {name_of(p['items']) for p in fields
                 if p.get('type') == 'array' and '$ref' in p['items']}
        lists = [p for p in fields if p.get('type') == 'array' and '$ref' in p['items']]
        if len(kinds) != 1 or len(lists) != len(fields):
            return None
        return sum(len(items) for items in value.values())

    def element(self):
        schema = self.response_schema()
        if schema.get('type') == 'array':
            return generate.snake(name_of(schema['items'])), False
        field = next(p for node in self.api.line(name_of(schema))
                     for p in node['properties'].values())
        return generate.snake(name_of(field['items'])), True

    def seen(self, number):
        target = self.target + ('?' + '&'.join(self.query) if self.query else '')
        body = c_json(self.body) if self.body is not None else 'NULL'
        lines = [f'  expect(f, {number}, "{self.method.upper()}", {generate.c_string(target)},\n'
                 f'         {body});']
        lines += [f'  has_header(f, {number}, {generate.c_string(header)});'
                  for header in self.headers]
        return '\n'.join(lines)

    def code(self):
        kind, value, content = self.response()
        response = generate.c_string(value) if isinstance(value, str) and content[0] != 'a' or \
            kind in ('file', None) else c_json(value)
        lines = []
        if self.options:
            lines.append(f'  igt_{self.c_name}_options options = '
                         f'IGT_{self.c_name.upper()}_OPTIONS_INIT;')
        lines += self.lines
        if kind not in (None, 'file'):
            lines.append(f'  {kind} *out = NULL;')
        lines.append('')
        lines += ['  ' + option for option in self.options]
        lines.append(f'  static char text[] = {response};\n')
        lines.append(f'  response(f, "{content}", text);')
        arguments = list(self.arguments)
        if kind == 'file':
            arguments += ['take', 'text']
        elif kind:
            arguments.append('&out')
        lines.append(f'  ok(f, igt_{self.c_name}({", ".join(arguments + ["&f->err"])}));')
        lines.append(self.seen(0))
        if kind not in (None, 'file'):
            plain = 'true' if kind == 'igt_text' else 'false'
            want = generate.c_string(value) if kind == 'igt_text' else 'text'
            lines.append(f'  same((igt_model *)out, {want}, {plain});')
        count = self.each(value)
        each = ''
        if count is not None:
            element, named = self.element()
            middle = 'const char *list, ' if named else ''
            unused = '  assert_non_null(list);\n' if named else ''
            each = (f'static igt_status on_{self.c_name}(void *payload, {middle}'
                    f'igt_{element} *element)\n{{\n{unused}  return count(payload, '
                    f'(igt_model *)element);\n}}\n\n')
            lines.append('  size_t n = 0;\n  response(f, "application/json", text);')
            lines.append(f'  ok(f, igt_{self.c_name}_each({", ".join(self.arguments)}, '
                         f'on_{self.c_name}, &n, &f->err));')
            lines.append(f'  assert_int_equal(n, {count});')
            lines.append(self.seen(1))
        if self.body is not None:
            lines.append('  igt_model_free(body);')
        text = '\n'.join(lines)
        return (f'{each}static void test_{self.c_name}(void **state)\n{{\n'
                f'  fixture *f = *state;\n{text}\n}}\n')


HEAD = '''/* Made by tests/generator/make_calls.py. Do not edit. */
#include "calls.h"

'''


def model_test(api, name):
    c_name = generate.snake(name)
    return (f'static void test_model_{c_name}(void **state)\n{{\n  static const char text[] =\n      '
            f'{c_json(api.model(name, False, 0))};\n\n  (void)state;\n'
            f'  same(parse(igt_{c_name}_type(), text), text, false);\n}}\n')


def main(arguments):
    api = Descriptions(arguments[1:])
    calls = [Call(api, spec['basePath'], path, method, item[method], item.get('parameters', []))
             for spec in api.specs for path, item in spec['paths'].items()
             for method in METHODS if method in item]
    text = HEAD + '\n'.join(call.code() for call in calls)
    text += '\n' + '\n'.join(model_test(api, name) for name in api.models)
    rows = [f'      CALL(test_{call.c_name}),' for call in calls]
    rows += [f'      cmocka_unit_test(test_model_{generate.snake(name)}),' for name in api.models]
    text += ('\nint main(void)\n{\n  const struct CMUnitTest tests[] = {\n' + '\n'.join(rows)
             + '\n  };\n\n  return cmocka_run_group_tests(tests, NULL, NULL);\n}\n')
    with open(arguments[0], 'w', encoding='utf-8') as file:
        file.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
