#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the API's descriptions into the generated part of the Python package.

    generate.py OUTPUT_DIR DESCRIPTION.json...

Below OUTPUT_DIR/igtcloud/client/services it writes `_tables.py`, what _models.py and _endpoint.py
make classes and operations of, and the modules by which scripts find them: entities/model/study.py
and so on, one class each, with a stub (.pyi) each for type checkers and editors. The descriptions are
read and checked by api/description.py, as for the C library. stubs.py writes the stubs.
"""

import os
import re
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'api'),
                os.path.dirname(os.path.abspath(__file__))]

import description  # noqa: E402
import stubs  # noqa: E402

BANNER = '# SPDX-License-Identifier: MIT\n' \
         '# Made by python/generate.py from the descriptions of the API. Do not edit.\n'
KINDS = {'STRING': 'str', 'INTEGER': 'int', 'NUMBER': 'float', 'BOOLEAN': 'bool',
         'TIME': 'datetime', 'STRING_LIST': '[str]', 'INTEGER_LIST': '[int]'}
RESPONSES = {None: '', 'raw': '', 'text': 'string', 'strings': 'string[]', 'file': 'file'}
# What every class of a model has of its own: a field of this name would hide it.
METHODS = {'get', 'to_dict', 'to_str', 'attribute_map', 'openapi_types', 'discriminator',
           'allowed_values', 'validations', 'additional_properties_type', 'required_properties'}


class Model:
    """A class of models: its module, its parent and its own fields.

    `name` is that of the description, which responses and discriminators use."""

    def __init__(self, service, name, parent, model, fields):
        self.service = service
        self.name = name
        self.class_name = class_name(name)
        self.module = description.snake(self.class_name)
        self.parent = parent
        self.discriminator = None
        self.fields = fields
        self.required = []
        self.model = model
        self.derived = []

    def row(self):
        return (self.module, self.name, self.parent, self.discriminator, tuple(self.required),
                tuple(self.derived), tuple(field.row() for field in self.fields))


class Field:
    """A field: its names in Python and in JSON, its type, and what the description says of it."""

    def __init__(self, field, names):
        self.name = python_name(field.name)
        self.json = field.name
        self.type = field_type(field, names)
        self.required = field.required
        self.read_only = field.read_only
        self.text = field.text
        self.values = tuple(field.values or ())

    def row(self):
        return self.name, self.json, self.type, self.text, self.values


def class_name(name):
    """A schema's name as a class: a digit cannot come first."""
    name = re.sub(r'\W', '', name)
    return 'Model' + name if name[:1].isdigit() else name


def python_name(name):
    import keyword
    found = description.snake(name)
    return '_' + found if keyword.iskeyword(found) or found in METHODS or found[:1].isdigit() else found


def is_free(model):
    """An object of which nothing is described: a plain dictionary."""
    return not model.parent and not model.own


def field_type(field, names):
    if field.kind in ('MODEL', 'MODEL_LIST'):
        free = is_free(field.ref)
        name = 'dict' if free else names[field.ref.name]
        return f'[{name}]' if field.kind == 'MODEL_LIST' else name
    if field.kind == 'JSON':
        return {'object': 'dict', 'array': 'list'}.get(field.type, 'any')
    if field.kind == 'STRING' and field.format == 'date':
        return 'date'
    return KINDS[field.kind]


def service_of(place):
    return place.split('/')[0].removesuffix('.json')


class Package:
    """Everything that is generated: {service: {class name: Model}} and the operations."""

    def __init__(self, specs):
        self.api = description.read(specs)
        self.services = [os.path.basename(path).removesuffix('.json') for path in specs]
        self.names = self.class_names()
        self.models = {service: {} for service in self.services}
        self.operations = {service: {} for service in self.services}
        self.add_models(specs)
        self.add_operations()

    def class_names(self):
        """schema -> class. Bodies without a name are InlineObject, InlineObject1 and so on, in the
        order of the operations."""
        names = {name: class_name(name) for name in self.api.models}
        bodies = [op.body.name for op in self.api.operations.values()
                  if op.body and '/paths/' in op.body.place]
        for count, name in enumerate(dict.fromkeys(bodies)):
            names[name] = f'InlineObject{count or ""}'
        return names

    def add_models(self, specs):
        for model in self.api.models.values():
            if not is_free(model):
                self.add_model(service_of(model.place), model)
        for path, service in zip(specs, self.services):  # one that several services describe
            import json
            with open(path, encoding='utf-8') as file:
                known = json.load(file).get('definitions', {})
            for name in known:
                if name in self.api.models and not is_free(self.api.models[name]) \
                        and self.names[name] not in self.models[service]:
                    self.add_model(service, self.api.models[name])
        for service in self.services:
            self.models[service] = dict(sorted(self.models[service].items()))

    def add_model(self, service, model):
        name = self.names[model.name]
        fields = [Field(field, self.names) for field in model.own]
        made = Model(service, name if '/paths/' in model.place else model.name,
                     self.names[model.parent.name] if model.parent else None, model, fields)
        chain = [model] + model.ancestors()
        required = set().union(*(one.required for one in chain))
        made.required = [python_name(field.name) for _, field in model.line()
                         if field.required or field.name in required]
        tags = [one.discriminator for one in chain if one.discriminator]
        made.discriminator = python_name(tags[0]) if tags else None
        made.derived = [self.names[other.name] for other in self.api.models.values()
                        if model in other.ancestors()] if tags else []
        made.derived.sort()
        self.models[service][name] = made
        if model.parent and fields:
            part = Model(service, name + 'AllOf', None, model, fields)
            part.required = [field.name for field in fields if field.required]
            self.models[service][name + 'AllOf'] = part

    def add_operations(self):
        for operation in self.api.operations.values():
            service = service_of(operation.place)
            tag = (operation.tags or [service])[0]
            api = tag[:1].upper() + re.sub(r'\W', '', tag[1:]) + 'Api'
            row = self.operation_row(operation)
            self.operations[service].setdefault(api, {})[row[0]] = row

    def operation_row(self, operation):
        """(name, id, method, path, parameters, body, response, accept, open, summary); a parameter:
        (name, API's name, place, type, required, separator, default, text)."""
        params = [self.param_row(p, True) for p in operation.path_params]
        params += [self.param_row(p, True) for p in operation.params if p.required]
        params += [self.param_row(p, False) for p in operation.params if not p.required]
        body = self.names[operation.body.name] if operation.body else ''
        if operation.body_is_list:
            body = f'[{body}]'
        response = operation.response
        if isinstance(response, description.Model):
            response = 'any' if is_free(response) else self.names[response.name]
            response += '[]' if operation.response_is_list else ''
        else:
            response = RESPONSES[response]
        return (description.snake(operation.id), operation.id, operation.method, operation.path,
                tuple(params), body, response, operation.accept, operation.open, operation.summary)

    @staticmethod
    def param_row(param, required):
        default = param.default if param.default not in (None, []) else None
        kind = KINDS[param.kind]
        if kind == 'str' and isinstance(default, bool):
            kind = 'str|bool'  # described as a text, meant as a switch: programs pass True
        return (python_name(param.name), param.name, param.place, kind, required, param.separator,
                default, param.text)


# ---- writing ----


def literal(value, indent=0):
    """Python for a nested table, a line for each row."""
    pad = ' ' * indent
    if isinstance(value, dict):
        rows = ''.join(f'{pad}    {key!r}: {literal(one, indent + 4)},\n' for key, one in value.items())
        return '{\n' + rows + pad + '}'
    return repr(value)


def tables(package):
    models = {service: {name: model.row() for name, model in models.items()}
              for service, models in package.models.items()}
    return (BANNER + '"""The models and operations of the API. See generate.py for what the columns '
            'are."""\n\n' + f'MODELS = {literal(models)}\n\nOPERATIONS = {literal(package.operations)}\n')


def model_module(service, model):
    return (BANNER + f'"""{model.class_name} of services.{service}."""\n\n'
            'from igtcloud.client.services._models import load as _load\n\n'
            f'{model.class_name} = _load({service!r}, {model.class_name!r})\n')


def api_module(service, name):
    return (BANNER + f'"""{name} of services.{service}."""\n\n'
            'from igtcloud.client.services._endpoint import load as _load\n\n'
            f'{name} = _load({service!r}, {name!r})\n')


def lazy_module(what, modules, package):
    """A module whose names are imported when they are first used."""
    rows = ''.join(f'    {name!r}: {module!r},\n' for name, module in sorted(modules.items()))
    return (BANNER + f'"""{what}, imported at first use."""\n\n'
            f'from importlib import import_module as _import\n\n_MODULES = {{\n{rows}}}\n'
            '__all__ = list(_MODULES)\n\n\n'
            'def __getattr__(name):\n'
            '    if name not in _MODULES:\n'
            "        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')\n"
            f"    found = getattr(_import('{package}.' + _MODULES[name]), name)\n"
            '    globals()[name] = found\n'
            '    return found\n\n\n'
            'def __dir__():\n    return sorted(set(globals()) | set(_MODULES))\n')


SHIMS = {
    'exceptions': ('The exceptions of the service: the same classes in all services.',
                   'from igtcloud.client.services._exceptions import *  # noqa: F401, F403\n'
                   'from igtcloud.client.services._exceptions import __all__  # noqa: F401\n'),
    'api_client': ('What sends the requests.',
                   'from igtcloud.client.services._api_client import ApiClient\n'
                   'from igtcloud.client.services._endpoint import Endpoint\n\n'
                   "__all__ = ['ApiClient', 'Endpoint']\n"),
    'configuration': ('The settings of an ApiClient.',
                      'from igtcloud.client.services._api_client import Configuration\n\n'
                      "__all__ = ['Configuration']\n"),
    'rest': ('What came back.',
             'import logging\n\nfrom igtcloud.client.services._api_client import RESTResponse\n\n'
             "__all__ = ['RESTResponse']\nlogger = logging.getLogger(__name__)\n"),
    'model_utils': ('What models have in common.',
                    'from igtcloud.client.services._model_utils import *  # noqa: F401, F403\n'
                    'from igtcloud.client.services._model_utils import __all__  # noqa: F401\n'),
}

ROOT = '''
from igtcloud.client.services._api_client import ApiClient, Configuration
from igtcloud.client.services._exceptions import (ApiAttributeError, ApiException, ApiKeyError,
                                                  ApiTypeError, ApiValueError, OpenApiException)

__version__ = '1.0.0'
__all__ = ['ApiClient', 'Configuration', 'OpenApiException', 'ApiAttributeError', 'ApiTypeError',
           'ApiValueError', 'ApiKeyError', 'ApiException']
'''


def mixins():
    """MIXINS of _behaviour.py: {model: its mixin}. Nothing else of the package is imported."""
    from importlib.util import module_from_spec, spec_from_file_location
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        'igtcloud/client/services/_behaviour.py')
    spec = spec_from_file_location('_behaviour', path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MIXINS


def files(package):
    """{path below igtcloud/client/services: text}."""
    found = {'_tables.py': tables(package)}
    for service in package.services:
        base, name = f'igtcloud.client.services.{service}', service
        models, apis = package.models[service], package.operations[service]
        found[f'{name}/__init__.py'] = \
            BANNER + f'"""The service {service} as its interface describes it."""\n' + ROOT
        for shim, (text, body) in SHIMS.items():
            found[f'{name}/{shim}.py'] = BANNER + f'"""{text}"""\n\n' + body
        found[f'{name}/model/__init__.py'] = \
            BANNER + '"""A module for each model. All of them: ' + f'{base}.models."""\n'
        for model in models.values():
            found[f'{name}/model/{model.module}.py'] = model_module(service, model)
        found[f'{name}/models/__init__.py'] = lazy_module(
            f'All models of services.{service}', {m.class_name: m.module for m in models.values()},
            base + '.model')
        found[f'{name}/api/__init__.py'] = \
            BANNER + f'"""A module for each group of operations. All of them: {base}.apis."""\n'
        for api in apis:
            found[f'{name}/api/{description.snake(api)}.py'] = api_module(service, api)
        found[f'{name}/apis/__init__.py'] = lazy_module(
            f'All operations of services.{service}', {a: description.snake(a) for a in apis},
            base + '.api')
    found.update(stubs.files(package, BANNER, mixins()))
    return found


def write(specs, out):
    """Writes the generated part below `out`/igtcloud/client/services. specs: paths of the API's
    descriptions, one for each service and named after it. Files that would not change are left as
    they are, modules of an earlier run that no longer belong are removed. Returns the paths."""
    folder = os.path.join(out, 'igtcloud', 'client', 'services')
    package = Package(specs)
    found = files(package)
    for name, text in found.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.islink(path):
            os.unlink(path)
        try:
            with open(path, encoding='utf-8') as file:
                if file.read() == text:
                    continue
        except FileNotFoundError:
            pass
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
    for service in package.services:
        for part in ('model', 'api'):
            below = os.path.join(folder, service, part)
            for name in os.listdir(below):
                if name.endswith(('.py', '.pyi')) and f'{service}/{part}/{name}' not in found:
                    os.unlink(os.path.join(below, name))
    return [os.path.join(folder, name) for name in found]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        write(sys.argv[2:], sys.argv[1])
    except (description.SpecError, OSError) as error:
        sys.exit(f'python/generate.py: {error}')


if __name__ == '__main__':
    main()
