# SPDX-License-Identifier: MIT
"""What a description of an API says: its models and operations, checked, as generate.py writes them
in C. Swagger 2.0 is read here; openapi3.py brings OpenAPI 3 into its form first."""

import json
import os
import re

import openapi3
from errors import SpecError, check_keys, take

MAX_FIELDS = 256  # IGT__MAX_FIELDS of lib/model/walk.h
MAX_DEPTH = 32    # of schemas within schemas
METHODS = ('get', 'put', 'post', 'delete', 'patch')
# Of C (C23 too) and C++; they get a "_" behind them.
KEYWORDS = set('''alignas alignof and asm auto bool break case catch char class compl concept const
constexpr continue default delete do double else enum explicit export extern false float for friend
goto if inline int long mutable namespace new noexcept not nullptr operator or private protected
public register requires restrict return short signed sizeof static struct switch template this
throw true try typedef typeid typename typeof union unsigned using virtual void volatile while xor
linux unix'''.split())
# Members and parameters that all models and functions have.
RESERVED = {'model', 'base'}
ARGUMENTS = {'client', 'options', 'body', 'body_count', 'out', 'err', 'fn', 'payload', 'write',
             'size'}
# The session sends these; a description may have them as parameters of each operation.
SESSION_HEADERS = {'x-jwt', 'x-csrf-token'}
SEPARATORS = {'csv': ',', 'ssv': ' ', 'tsv': '\t', 'pipes': '|', 'multi': ''}
# Limits on values say nothing about their form.
SCHEMA = {'$ref', 'type', 'format', 'enum', 'readOnly', 'items', 'properties', 'required', 'allOf',
          'additionalProperties', 'discriminator', 'minLength', 'maxLength', 'pattern', 'minimum',
          'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minItems', 'maxItems',
          'uniqueItems', 'minProperties', 'maxProperties'}
OBJECT = {'type', 'properties', 'required', 'discriminator', 'additionalProperties', 'readOnly',
          'minProperties', 'maxProperties'}


def snake(name):
    """studyDatabaseId -> study_database_id, CSRFToken -> csrf_token, $filter -> filter."""
    name = re.sub(r'[^0-9A-Za-z]+', '_', name).strip('_')
    name = re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', name)
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    return name.lower()


def member(name, taken, place):
    """A C name for a member or argument that is not in `taken`."""
    c_name = snake(name)
    if not c_name:
        raise SpecError(place, f'no C name can be made of "{name}"')
    if c_name[0].isdigit():
        c_name = '_' + c_name
    if c_name in KEYWORDS or c_name in taken:
        c_name += '_'
    if c_name in taken:
        raise SpecError(place, f'two members would be called {c_name} in C')
    return c_name


def prose(text):
    """A sentence for a comment; nothing in it may end the comment."""
    return ' '.join(str(text).split()).replace('*/', '* /').replace('/*', '/ *')


def library_names():
    """What the public headers declare already: a model must not be called so."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'include', 'igtcloud')
    names = set()
    for file_name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if not file_name.endswith('.h'):
            continue
        with open(os.path.join(folder, file_name), encoding='utf-8') as file:
            text = re.sub(r'/\*.*?\*/', '', file.read(), flags=re.S)
        for pattern in (r'typedef\s+(?:struct|enum|union)\s+\w+\s+igt_(\w+)\s*;',
                        r'}\s*igt_(\w+)\s*;', r'\(\*igt_(\w+)\)', r'\bigt_(\w+)\s*\('):
            names.update(re.findall(pattern, text))
    return names


def unique(pairs):
    """Of JSON: of a name that appears twice, all values but one would silently be lost."""
    found = {}
    for key, value in pairs:
        if key in found:
            raise SpecError(key, 'this name appears twice in one object')
        found[key] = value
    return found


def c_names():
    """operationId -> the operation's name in C, where it is not the id itself."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'names.json')
    with open(path, encoding='utf-8') as file:
        return json.load(file, object_pairs_hook=unique)


def form_of(node):
    """The node without prose, for a comparison."""
    if isinstance(node, list):
        return [form_of(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: form_of(value) for key, value in node.items()
            if key == 'properties' or not (key in ('description', 'example', 'title', 'default')
                                           or key.startswith('x-'))}


class Field:
    def __init__(self, name, c_name, kind, ref, node, required):
        self.name = name
        self.c_name = c_name
        self.kind = kind
        self.ref = ref  # the name of a model
        self.read_only = node.get('readOnly') is True
        self.required = required
        self.values = node.get('enum') if isinstance(node.get('enum'), list) else None
        self.text = prose(node.get('description', ''))
        self.format = node.get('format')
        self.type = node.get('type')


class Model:
    def __init__(self, name, c_name, parent, parts, place):
        self.name = name
        self.c_name = c_name
        self.parent = parent  # a name, then a Model
        self.parts = parts    # [(place, object schema)]: its own fields
        self.place = place
        self.own = []
        self.filled = False
        self.required = set()
        tags = [part['discriminator'] for _, part in parts if 'discriminator' in part]
        self.discriminator = tags[0] if tags else None

    def form(self):
        return (self.parent if isinstance(self.parent, (str, type(None))) else self.parent.name,
                [form_of(part) for _, part in self.parts])

    def line(self):
        """All fields with the way to their member: those of parents first."""
        fields = [('base.' + path, field) for path, field in self.parent.line()] \
            if self.parent else []
        return fields + [(field.c_name, field) for field in self.own]

    def ancestors(self):
        return [self.parent] + self.parent.ancestors() if self.parent else []


class Param:
    def __init__(self, node, kind, c_name, separator):
        self.name = node['name']
        self.place = node['in']
        self.required = node.get('required') is True
        self.default = node.get('default')
        self.kind = kind
        self.c_name = c_name
        self.separator = separator  # of a list; '': the name once for each
        self.text = prose(node.get('description', ''))


class Operation:
    def __init__(self, operation_id, c_name, node, method, path, place):
        self.id = operation_id
        self.c_name = c_name
        self.method = method.upper()
        self.path = path
        self.place = place
        self.summary = prose(node.get('summary') or node.get('description') or '')
        self.tags = [tag for tag in take(node, 'tags', list, place) if isinstance(tag, str)]
        self.open = False
        self.accept = 'application/json'
        self.path_params = []
        self.params = []
        self.body = None
        self.body_is_list = False
        self.response = None  # None, 'raw', 'text', 'strings', 'file', or a Model
        self.response_is_list = False


class Api:
    """The models and operations of all descriptions."""

    def __init__(self):
        self.models = {}
        self.aliases = {}  # definitions that are no objects: name -> (node, place)
        self.operations = {}
        self.taken = library_names()
        self.c_names = c_names()

    # ---- a file ----

    def read(self, path):
        name = os.path.basename(path)
        with open(path, encoding='utf-8') as file:
            try:
                spec = json.load(file, object_pairs_hook=unique)
            except SpecError as error:
                raise SpecError(name, str(error)) from error
                json.dumps(spec, ensure_ascii=False).encode()  # half a surrogate pair is not text
            except (ValueError, RecursionError) as error:
                raise SpecError(name, f'this is not JSON: {error}') from error
        definitions = f'{name}/definitions'
        if isinstance(spec, dict) and 'openapi' in spec:
            spec, definitions = openapi3.to_swagger(spec, name), f'{name}/components/schemas'
        check_keys(spec, {'swagger', 'basePath', 'paths', 'info', 'produces', 'consumes', 'host',
                          'schemes', 'securityDefinitions', 'security', 'definitions',
                          'responses', 'parameters'}, name)
        if spec.get('swagger') != '2.0':
            raise SpecError(f'{name}/swagger', 'only Swagger 2.0 and OpenAPI 3 are supported')
        for model, node in take(spec, 'definitions', dict, name).items():
            self.add_definition(model, node, f'{definitions}/{model}')
        return name, spec

    # ---- models ----

    def add_definition(self, name, node, place):
        check_keys(node, SCHEMA, place)
        if 'allOf' in node or 'properties' in node or node.get('type', 'object') == 'object' and \
                '$ref' not in node and 'enum' not in node:
            self.add_model(name, node, place)
            return
        known = self.aliases.get(name)
        if name in self.models or known and form_of(known[0]) != form_of(node):
            raise SpecError(place, f'another description defines {name} differently')
        self.aliases[name] = (node, place)

    def add_model(self, name, node, place, c_name=None):
        parent, parts = self.parts(node, place)
        if snake(name) == '':
            raise SpecError(place, f'no C name can be made of "{name}"')
        known = self.models.get(name)
        c_name = known.c_name if known else c_name or snake(name)
        if not known and c_name in self.taken:
            c_name += '_'
        model = Model(name, c_name, parent, parts, place)
        if known and known.form() != model.form():
            raise SpecError(place, f'another description defines {name} differently: {known.place}')
        if name in self.aliases:
            raise SpecError(place, f'another description defines {name} differently')
        for other in self.models.values():
            if other.c_name == model.c_name and other.name != name:
                raise SpecError(place, f'{name} and {other.name} have the same name in C')
        return self.models.setdefault(name, model)

    def parts(self, node, place):
        """What it extends, and its own objects."""
        if 'allOf' not in node:
            return None, [self.own_part(node, place)]
        check_keys(node, OBJECT | {'allOf'}, place)
        parent, found = None, []
        for n, part in enumerate(take(node, 'allOf', list, place)):
            at = f'{place}/allOf/{n}'
            if isinstance(part, dict) and '$ref' in part:
                if parent:
                    raise SpecError(f'{place}/allOf', 'more than one reference: a model extends one')
                parent = self.ref(part, at)
            else:
                found.append(self.own_part(part, at))
        beside = {key: value for key, value in node.items() if key != 'allOf'}
        if 'properties' in beside or 'required' in beside or 'discriminator' in beside:
            found.append(self.own_part(beside, place))
        return parent, found

    @staticmethod
    def own_part(node, place):
        check_keys(node, OBJECT, place)
        if node.get('type', 'object') != 'object':
            raise SpecError(f'{place}/type', 'a model must be an object')
        take(node, 'properties', dict, place)
        for required in take(node, 'required', list, place):
            if not isinstance(required, str):
                raise SpecError(f'{place}/required', 'a list of names is expected')
        if not isinstance(node.get('discriminator', ''), str):
            raise SpecError(f'{place}/discriminator', 'a name is expected')
        return place, node

    @staticmethod
    def ref(node, place):
        check_keys(node, {'$ref', 'readOnly'}, place)
        match = re.fullmatch(r'#/definitions/(.+)', take(node, '$ref', str, place))
        if not match:
            raise SpecError(f'{place}/$ref', f'"{node["$ref"]}" does not lead to a definition')
        return match[1].replace('~1', '/').replace('~0', '~')

    def resolve(self):
        """Names become models, properties become fields."""
        for model in list(self.models.values()):
            if model.parent and isinstance(model.parent, str):
                model.parent = self.model(model.parent, model.place)
        for model in list(self.models.values()):
            self.check_loop(model)
        for model in list(self.models.values()):
            self.fill(model)
        for model in self.models.values():
            self.check_model(model)

    @staticmethod
    def check_model(model):
        for ancestor in [model] + model.ancestors():
            names = [field.name for _, field in ancestor.line()]
            if ancestor.discriminator and ancestor.discriminator not in names:
                raise SpecError(model.place, 'the discriminator is not a property')
        names = [field.name for _, field in model.line()]
        if len(names) > MAX_FIELDS:
            raise SpecError(model.place, f'more than {MAX_FIELDS} fields')
        for name in model.required:
            if name not in names:
                raise SpecError(f'{model.place}/required', f'{name} is not a property')

    @staticmethod
    def check_loop(model):
        seen, at = set(), model
        while at:
            if at.name in seen:
                raise SpecError(model.place, 'a model cannot extend itself')
            seen.add(at.name)
            at = at.parent

    def fill(self, model):
        if model.filled:
            return
        model.filled = True
        if model.parent:
            self.fill(model.parent)
        inherited = {field.name: field for _, field in model.parent.line()} if model.parent else {}
        taken = set(RESERVED)
        for place, part in model.parts:
            model.required.update(part.get('required', []))
            for name, node in part.get('properties', {}).items():
                self.add_field(model, name, node, f'{place}/properties/{name}', inherited, taken)
        own = {field.name: field for field in model.own}
        for name in model.required & set(own):
            own[name].required = True

    def add_field(self, model, name, node, place, inherited, taken):
        kind, ref = self.kind(node, place, (model.name, name))
        known = {field.name: field for field in model.own} | inherited
        if name in known:  # said again
            if (known[name].kind, known[name].ref) != (kind, ref):
                raise SpecError(model.place, f'{name} is inherited, and redefined with another type')
            return
        c_name = member(name, taken, place)
        taken.add(c_name)
        model.own.append(Field(name, c_name, kind, ref, node, False))

    def model(self, name, place):
        if name not in self.models:
            raise SpecError(place, f'there is no definition of {name}')
        return self.models[name]

    # ---- schemas ----

    def plain(self, node, place, depth=0):
        """A schema that is not a reference to another name of a schema, and its place: aliases are
        followed, and allOf of one reference, as a way to write prose beside it, is undone."""
        check_keys(node, SCHEMA, place)
        if depth > MAX_DEPTH:
            raise SpecError(place, 'circular references')
        parts = node.get('allOf')
        if isinstance(parts, list) and len(parts) == 1 and 'properties' not in node:
            check_keys(node, {'allOf', 'readOnly', 'type'}, place)
            return self.plain(parts[0], f'{place}/allOf/0', depth + 1)
        if '$ref' in node:
            name = self.ref(node, place)
            if name in self.aliases:
                return self.plain(*self.aliases[name], depth + 1)
        return node, place

    def kind(self, node, place, owner):
        """(field kind, model or None) of a property's schema. owner: what an object that stands in
        it is called by."""
        node, place = self.plain(node, place)
        if '$ref' in node:
            return 'MODEL', self.model(self.ref(node, place), place)
        kind = node.get('type', 'object' if 'properties' in node or 'allOf' in node else None)
        if kind == 'array':
            return self.list_kind(node, place, owner)
        if 'items' in node:
            raise SpecError(place + '/items', 'only an array has items')
        if kind == 'object' and ('properties' in node or 'allOf' in node):
            return 'MODEL', self.inline(node, place, owner)
        if 'type' not in node:  # anything, or one of these
            texts = take(node, 'enum', list, place)
            return ('STRING' if texts and all(isinstance(v, str) for v in texts) else 'JSON'), None
        if kind == 'string':
            return ('TIME' if node.get('format') == 'date-time' else 'STRING'), None
        known = {'integer': 'INTEGER', 'number': 'NUMBER', 'boolean': 'BOOLEAN', 'object': 'JSON'}
        if not isinstance(kind, str) or kind not in known:
            raise SpecError(place + '/type', f'{json.dumps(kind)} is not supported')
        return known[kind], None

    def list_kind(self, node, place, owner):
        """Lists of what has no list of its own are JSON text."""
        if 'items' not in node:
            raise SpecError(place + '/items', 'an array requires items')
        kind, ref = self.kind(node['items'], place + '/items', owner)
        return (kind + '_LIST', ref) if kind in ('STRING', 'INTEGER', 'MODEL') else ('JSON', None)

    def inline(self, node, place, owner, c_name=None):
        """A model for an object that has no name of its own."""
        name = '_'.join(owner)
        if name in self.models and self.models[name].place != place:
            raise SpecError(place, f'{name} is already defined: {self.models[name].place}')
        model = self.add_model(name, node, place, c_name)
        if isinstance(model.parent, str):
            model.parent = self.model(model.parent, place)
        self.check_loop(model)
        self.fill(model)
        self.check_model(model)
        return model

    # ---- operations ----

    def read_operations(self, name, spec):
        base = self.base_path(spec, name)
        secure = self.needs_session(spec, name)
        for path, item in take(spec, 'paths', dict, name).items():
            if path.startswith('x-'):
                continue
            at = f'{name}/paths/{path}'
            check_keys(item, set(METHODS) | {'parameters'}, at)
            shared = self.params_of(spec, item, at)
            for method in METHODS:
                if method in item:
                    self.read_operation(spec, item[method], (method, base + path, shared, secure),
                                        f'{at}/{method}')

    @staticmethod
    def base_path(spec, name):
        """A URL is /api, the base path and the path; a base path may have the /api already."""
        base = take(spec, 'basePath', str, name).rstrip('/')
        if base and not base.startswith('/'):
            raise SpecError(f'{name}/basePath', 'it must begin with a slash')
        return base if base == '/api' or base.startswith('/api/') else '/api' + base

    @staticmethod
    def needs_session(spec, name):
        """Of operations that say nothing. A description that speaks of security nowhere is one of a
        service that needs it everywhere: its own clients send the tokens all the same."""
        if 'security' in spec:
            return bool(take(spec, 'security', list, name))
        return not any(isinstance(node, dict) and 'security' in node
                       for item in spec.get('paths', {}).values() if isinstance(item, dict)
                       for node in item.values())

    @staticmethod
    def params_of(spec, node, place):
        """The parameters with their places, references followed."""
        found = []
        for n, param in enumerate(take(node, 'parameters', list, place)):
            at = f'{place}/parameters/{n}'
            if isinstance(param, dict) and '$ref' in param:
                match = re.fullmatch(r'#/parameters/(.+)', take(param, '$ref', str, at))
                known = spec.get('parameters', {})
                if not match or not isinstance(known, dict) or match[1] not in known:
                    raise SpecError(f'{at}/$ref', 'it does not lead to a parameter')
                param = known[match[1]]
            check_keys(param, {'name', 'in', 'required', 'type', 'format', 'items', 'schema', 'enum',
                               'collectionFormat', 'allowEmptyValue'} | SCHEMA - {'$ref'}, at)
            if not take(param, 'name', str, at) or not take(param, 'in', str, at):
                raise SpecError(at, 'a parameter must have a name and a place')
            found.append((param, at))
        return found

    def operation_name(self, operation_id, node, place):
        """x-c-name, else what names.json calls it, else its id."""
        named = take(node, 'x-c-name', str, place) or self.c_names.get(operation_id, '')
        if named and not re.fullmatch(r'[a-z][a-z0-9]*(_[a-z0-9]+)*', named):
            raise SpecError(f'{place}/x-c-name', f'"{named}" is not a C name: use words_in_lower_case')
        return named or snake(operation_id)

    def read_operation(self, spec, node, how, place):
        method, path, shared, secure = how
        check_keys(node, {'operationId', 'parameters', 'responses', 'security', 'produces',
                          'consumes', 'deprecated', 'schemes'}, place)
        operation_id = take(node, 'operationId', str, place)
        if not snake(operation_id):
            raise SpecError(place, 'an operation must have an operationId')
        operation = Operation(operation_id, self.operation_name(operation_id, node, place), node,
                              method, path, place)
        if operation.c_name in self.operations:
            other = self.operations[operation.c_name]
            raise SpecError(place, f'the operation {operation.id} is already defined' if other.id == operation.id
                            else f'{operation.id} and {other.id} have the same name in C')
        own = self.params_of(spec, node, place)
        names = {(param.get('name'), param.get('in')) for param, _ in own}
        every = [(p, at) for p, at in shared if (p.get('name'), p.get('in')) not in names] + own
        operation.open = not take(node, 'security', list, place, secure)
        taken = set(ARGUMENTS)
        for param, at in every:
            if param.get('in') == 'header' and param['name'].lower() in SESSION_HEADERS:
                operation.open = False
            else:
                self.add_param(operation, param, taken, at)
        self.order_path(operation)
        self.read_response(operation, spec, node, place)
        self.operations[operation.c_name] = operation

    def add_param(self, operation, node, taken, place):
        where = node.get('in')
        if where == 'body':
            self.read_body(operation, take(node, 'schema', dict, place), place + '/schema')
            return
        if where not in ('path', 'query', 'header'):
            raise SpecError(place + '/in', f'{json.dumps(where)} is not supported')
        said = node.get('type')
        kind = {'string': 'STRING', 'integer': 'INTEGER', 'boolean': 'BOOLEAN', 'number': 'NUMBER',
                'array': 'STRING_LIST'}.get(said) if isinstance(said, str) else None
        if not kind or (where == 'path' and kind not in ('STRING', 'INTEGER')) or \
                (where == 'header' and kind == 'STRING_LIST'):
            raise SpecError(place + '/type', f'{json.dumps(said)} is not supported here')
        separator = self.separator(node, place) if kind == 'STRING_LIST' else ''
        param = Param(node, kind, member(node['name'], taken, place), separator)
        taken.add(param.c_name)
        if kind == 'STRING_LIST':
            taken.add(param.c_name + '_count')
        (operation.path_params if where == 'path' else operation.params).append(param)

    @staticmethod
    def separator(node, place):
        items = take(node, 'items', dict, place)
        if items.get('type') not in ('string', 'integer', 'number', 'boolean'):
            raise SpecError(place + '/items', 'only lists of plain values are supported here')
        how = node.get('collectionFormat', 'csv')
        if not isinstance(how, str) or how not in SEPARATORS:
            raise SpecError(place + '/collectionFormat',
                            f'{json.dumps(how)} is not supported')
        return SEPARATORS[how]

    @staticmethod
    def order_path(operation):
        """The arguments stand as the path has them."""
        in_path = re.findall(r'\{([^}]*)\}', operation.path)
        by_name = {param.name: param for param in operation.path_params}
        if sorted(in_path) != sorted(by_name):
            raise SpecError(operation.place, 'its path parameters do not match its path')
        if len(in_path) > 32 or '?' in operation.path or '#' in operation.path:
            raise SpecError(operation.place, 'this is not a path')
        operation.path_params = [by_name[name] for name in in_path]

    def read_body(self, operation, schema, place):
        if operation.body:
            raise SpecError(place, 'more than one body')
        schema, place = self.plain(schema, place)
        if schema.get('type') == 'array':
            operation.body_is_list = True
            schema, place = self.plain(take(schema, 'items', dict, place), place + '/items')
        if '$ref' in schema:
            operation.body = self.model(self.ref(schema, place), place)
        elif 'allOf' in schema or 'properties' in schema or schema.get('type') == 'object':
            operation.body = self.inline(schema, place, (operation.id, 'body'),
                                          operation.c_name + '_body')
        else:
            raise SpecError(place, 'a body must be a model or a list of models')

    # ---- responses ----

    def read_response(self, operation, spec, node, place):
        """The form of a success. Where none is described the body is handed out as it is."""
        responses = take(node, 'responses', dict, place)
        good = [code for code in sorted(responses) if code[:1] in ('2', '3')]
        produces = take(node, 'produces', list, place)
        forms = []
        for code in good:
            schema = self.response_schema(spec, responses[code], f'{place}/responses/{code}')
            if schema and form_of(schema) not in [form_of(form) for form, _ in forms]:
                forms.append((schema, f'{place}/responses/{code}/schema'))
        if len(forms) > 1:
            raise SpecError(place + '/responses', 'responses of several types')
        if not all(isinstance(kind, str) for kind in produces):
            raise SpecError(place + '/produces', 'media types are expected')
        is_file = bool(good and produces) and not any('json' in kind for kind in produces)
        if forms:
            self.read_form(operation, *forms[0], is_file)
        else:
            operation.response = 'file' if is_file else None if good else 'raw'
        if operation.response == 'file':
            operation.accept = ', '.join(produces or ['*/*'])

    @staticmethod
    def response_schema(spec, node, place):
        if isinstance(node, dict) and '$ref' in node:
            match = re.fullmatch(r'#/responses/(.+)', take(node, '$ref', str, place))
            known = spec.get('responses', {})
            if not match or not isinstance(known, dict) or match[1] not in known:
                raise SpecError(f'{place}/$ref', 'it does not lead to a response')
            node = known[match[1]]
        check_keys(node, {'schema', 'headers', 'examples'}, place)
        return take(node, 'schema', dict, place)

    def read_form(self, operation, schema, place, is_file):
        if schema.get('type') == 'file':
            operation.response = 'file'
            return
        schema, place = self.plain(schema, place)
        kind = schema.get('type')
        if is_file and kind in ('string', None):
            operation.response = 'file'
        elif '$ref' in schema:
            operation.response = self.model(self.ref(schema, place), place)
        elif kind == 'array':
            self.read_list(operation, schema, place)
        elif 'properties' in schema or 'allOf' in schema:
            operation.response = self.inline(schema, place, (operation.id, 'response'),
                                              operation.c_name + '_response')
        elif kind in ('string', 'integer', 'number', 'boolean', 'object'):
            operation.response = 'text' if kind == 'string' else 'raw'
        else:
            raise SpecError(place, 'this type of response is not supported')

    def read_list(self, operation, schema, place):
        kind, ref = self.list_kind(schema, place, (operation.id, 'element'))
        if kind == 'MODEL_LIST':
            operation.response, operation.response_is_list = ref, True
        else:
            operation.response = 'strings' if kind == 'STRING_LIST' else 'raw'


def element_model(operation):
    """The model that an operation's _each hands out, and whether it comes from a named list."""
    response = operation.response
    if not isinstance(response, Model) or operation.method != 'GET':
        return None, False
    if operation.response_is_list:
        return response, False
    refs = {field.ref for _, field in response.line() if field.kind == 'MODEL_LIST'}
    if len(refs) == 1 and all(f.kind == 'MODEL_LIST' for _, f in response.line()):
        return refs.pop(), True
    return None, False


def read(paths):
    """The API that the files describe together."""
    api = Api()
    specs = [api.read(path) for path in paths]
    api.resolve()
    for name, spec in specs:
        api.read_operations(name, spec)
    return api
