# SPDX-License-Identifier: MIT
"""Stubs (.pyi) of the generated modules, for type checkers and editors.

A model has a class with its fields and a TypedDict of the same name and `Dict`, which is what its
to_dict() returns. An operation has a class with one overload of __call__ for each form of its result:
the model, (model, status, headers), the raw response, and the result to wait for."""

import description

# The types of what the mixins of _behaviour.py load, by mixin and property.
LOADED = {
    'ProjectMixin': {'institutes': 'CollectionWrapper[Institute]', 'files': 'FilesCollectionWrapper'},
    'InstituteMixin': {'studies': 'CollectionWrapper[RootStudy]', 'dicom': 'FilesCollectionWrapper'},
    'StudyMixin': {'series': 'CollectionWrapper[Series]', 'files': 'FilesCollectionWrapper',
                   'dicom': 'FilesCollectionWrapper', 'annotations': 'FilesCollectionWrapper'},
}
MODELS_OF_LOADED = {'ProjectMixin': {'Institute'}, 'InstituteMixin': {'RootStudy'},
                    'StudyMixin': {'Series'}}
TYPES = {'str': 'str', 'int': 'int', 'float': 'float', 'bool': 'bool', 'datetime': '_dt.datetime',
         'date': '_dt.date', 'dict': '_t.Dict[str, _t.Any]', 'list': '_t.List[_t.Any]',
         'any': '_t.Any', 'str|bool': '_t.Union[str, bool]'}
RESPONSES = {'': '_t.Any', 'any': '_t.Any', 'string': 'str', 'integer': 'int', 'boolean': 'bool',
             'number': 'float', 'file': '_t.BinaryIO'}
EXTRAS = ('_request_timeout: Timeout = ..., _check_input_type: bool = ..., '
          '_check_return_type: bool = ..., _host_index: _t.Optional[int] = ...')
# (arguments that choose the form, the form)
FORMS = (
    ('async_req: _t.Literal[False] = ..., _preload_content: _t.Literal[True] = ..., '
     '_return_http_data_only: _t.Literal[True] = ...', '{}'),
    ('async_req: _t.Literal[False] = ..., _preload_content: _t.Literal[True] = ..., '
     '_return_http_data_only: _t.Literal[False]', '_t.Tuple[{}, int, _t.Mapping[str, str]]'),
    ('async_req: _t.Literal[False] = ..., _preload_content: _t.Literal[False], '
     '_return_http_data_only: bool = ...', 'RESTResponse'),
    ('async_req: _t.Literal[True], _preload_content: bool = ..., '
     '_return_http_data_only: bool = ...', '_ApplyResult[_t.Any]'),
)

TABLES = '''import typing as _t

MODELS: _t.Dict[str, _t.Dict[str, _t.Tuple[_t.Any, ...]]]
OPERATIONS: _t.Dict[str, _t.Dict[str, _t.Dict[str, _t.Tuple[_t.Any, ...]]]]
'''


def python_type(name, suffix=''):
    """A type of _tables.py as an annotation; of a model: with `suffix`."""
    if name.startswith('['):
        return f'_t.List[{python_type(name[1:-1], suffix)}]'
    return TYPES[name] if name in TYPES else name + suffix


def model_of(type_):
    """The model that a type needs, or None."""
    name = type_.strip('[]')
    return None if name in TYPES or not name else name


def docstring(text, indent):
    text = text.replace('\\', '\\\\').replace('"""', "'''")
    return f'{indent}"""{text}"""\n' if text else ''


def imports(service, names, models, with_dicts):
    rows = ''
    for name in sorted(names):
        what = f'{name} as {name}, {name}Dict as {name}Dict' if with_dicts else f'{name} as {name}'
        rows += f'from igtcloud.client.services.{service}.model.{models[name].module} import {what}\n'
    return rows


def line_of(model, models):
    """All fields of a model, those of its ancestors first."""
    return (line_of(models[model.parent], models) if model.parent else []) + model.fields


def model_stub(service, model, models, mixins):
    name = model.class_name
    mixin = mixin_of(service, model, models, mixins)
    needed = {model_of(field.type) for field in line_of(model, models)} | {model.parent}
    needed |= MODELS_OF_LOADED.get(mixin, set())
    bases = [mixin] if mixin else []
    if model.parent and not models[model.parent].parent:
        bases.append('ModelComposed')
    bases.append(model.parent or 'Model')
    text = 'import datetime as _dt\nimport typing as _t\n\n'
    if mixin:
        text += f'from igtcloud.client.services._behaviour import {mixin}\n'
    text += 'from igtcloud.client.services._models import Model, ModelComposed\n'
    if mixin in LOADED:
        text += 'from igtcloud.client.services.base_service import CollectionWrapper\n'
        text += 'from igtcloud.client.services.entities_service import FilesCollectionWrapper\n'
    text += imports(service, needed - {None, name}, models, True) + '\n'
    text += dict_stub(model) + f'class {name}({", ".join(bases)}):\n'
    text += ''.join(field_stub(field, model) for field in model.fields
                    if field.name not in dir(mixins.get(name) if mixin else None))
    for prop, kind in LOADED.get(mixin, {}).items():
        text += f'    @property\n    def {prop}(self) -> {kind}: ...\n'
    text += init_stub(model, models) + f'    def to_dict(self) -> {name}Dict: ...\n'
    if model.parent or model.discriminator:
        text += '    def __getattr__(self, name: str) -> _t.Any: ...\n'
    return text


def mixin_of(service, model, models, mixins):
    """The name of a model's mixin, unless an ancestor has it already."""
    name = model.class_name
    if service != 'entities' or name not in mixins:
        return None
    return None if model.parent in mixins else mixins[name].__name__


def dict_stub(model):
    above = f'{model.parent}Dict' if model.parent else '_t.TypedDict'
    rows = [f'    {field.name}: _t.Optional[{python_type(field.type, "Dict")}]\n'
            for field in model.fields]
    return (f'class {model.class_name}Dict({above}, total=False):\n' + (''.join(rows) or '    ...\n')
            + '\n')


def field_stub(field, model):
    kind = python_type(field.type)
    kind = kind if field.name in model.required else f'_t.Optional[{kind}]'
    notes = ([field.text] if field.text else []) + (['set by the server'] if field.read_only else [])
    return f'    {field.name}: {kind}{"  # " if notes else ""}{"; ".join(notes)}\n'


def init_stub(model, models):
    fields = {field.name: field for field in line_of(model, models)}
    rows = [f'{name}: {python_type(fields[name].type)}' for name in model.required]
    rest = [f'{name}: {python_type(field.type)} = ...' for name, field in fields.items()
            if name not in model.required]
    if model.parent or model.discriminator:
        rest.append('**additional: _t.Any')
    if any(not row.startswith('**') for row in rest):
        rows.append('*')
    return f'    def __init__({", ".join(["self"] + rows + rest)}) -> None: ...\n'


def response_stub(response):
    many = response.endswith('[]')
    name = response[:-2] if many else response
    kind = RESPONSES.get(name, name)
    return f'_t.List[{kind}]' if many else kind


def operation_stub(row):
    name, _, method, path, params, body, response, _, _, summary = row
    required = [f'{p[0]}: {python_type(p[3])}' for p in params if p[4]]
    if body:
        required.append(f'payload: {python_type(body)}')
    optional = [f'{p[0]}: _t.Optional[{python_type(p[3])}] = ...' for p in params if not p[4]]
    text = f'class _{name}(Endpoint):\n' + docstring(f'{summary} `{method} {path}`'.strip(), '    ')
    for chosen, form in FORMS:
        args = ', '.join(['self', *required, '*', *optional, chosen, EXTRAS])
        text += (f'    @_t.overload\n    def __call__({args}) -> '
                 f'{form.format(response_stub(response))}: ...\n')
    return text + '\n'


def api_stub(service, name, rows, models):
    needed = {model_of(row[5]) for row in rows.values()}
    needed |= {row[6].replace('[]', '') for row in rows.values()}
    text = ('import datetime as _dt\nimport typing as _t\nfrom multiprocessing.pool import '
            'ApplyResult as _ApplyResult\n\n'
            'from igtcloud.client.services._api_client import RESTResponse\n'
            'from igtcloud.client.services._endpoint import Api, Endpoint\n')
    text += imports(service, {one for one in needed if one in models}, models, False)
    text += ('\nTimeout = _t.Union[None, float, _t.Tuple[_t.Optional[float], _t.Optional[float]], '
             '_t.List[_t.Optional[float]]]\n\n')
    text += ''.join(operation_stub(row) for row in rows.values())
    text += f'class {name}(Api):\n'
    return text + ''.join(f'    {key}: _{key}\n' for key in rows)


def files(package, banner, mixins):
    """{path below igtcloud/client/services: text}. mixins: {model: class in _behaviour}."""
    found = {'_tables.pyi': banner + TABLES}
    for service in package.services:
        models, apis = package.models[service], package.operations[service]
        base = f'igtcloud.client.services.{service}'
        for model in models.values():
            found[f'{service}/model/{model.module}.pyi'] = \
                banner + model_stub(service, model, models, mixins)
        rows = [f'from {base}.model.{m.module} import {m.class_name} as {m.class_name}\n'
                for m in models.values()]
        found[f'{service}/models/__init__.pyi'] = banner + ''.join(rows)
        rows = []
        for name, operations in apis.items():
            module = description.snake(name)
            found[f'{service}/api/{module}.pyi'] = banner + api_stub(service, name, operations, models)
            rows.append(f'from {base}.api.{module} import {name} as {name}\n')
        found[f'{service}/apis/__init__.pyi'] = banner + ''.join(rows)
    return found
