# SPDX-License-Identifier: MIT
"""The operations of the API, and the classes that scripts find them on.

load() makes a class such as ProjectsApi of _tables.py: an attribute of it for each operation. On an
object, the attribute is an Endpoint, made at first use. Calling it checks the arguments, builds the
request and hands it to ApiClient.call(), which sends it and turns the response into models.

Arguments follow one rule in all operations: those of the path, then required ones of the query, then
`payload`, the body, by position or name; all others by name. Types are checked before anything is
sent, unless `_check_input_type=False`. None for an argument that may be left out leaves it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from igtcloud.client import _lazy
from igtcloud.client._lock import Lock
from igtcloud.client.services import _types
from igtcloud.client.services._exceptions import ApiTypeError, ApiValueError
from igtcloud.client.services._models import load as load_model
from igtcloud.client.services._models import sanitize
from igtcloud.client.services._tables import OPERATIONS

if TYPE_CHECKING:
    import json
else:
    json = _lazy.Module('json')

# What every operation takes besides its own arguments, with its default.
EXTRAS = {'async_req': False, '_host_index': None, '_preload_content': True, '_request_timeout': None,
          '_return_http_data_only': True, '_check_input_type': True, '_check_return_type': True}
NONE = type(None)
EXTRA_TYPES = {'async_req': (bool,), '_host_index': (NONE, int), '_preload_content': (bool,),
               '_request_timeout': (NONE, int, float, (int, float), [int, float]),
               '_return_http_data_only': (bool,), '_check_input_type': (bool,),
               '_check_return_type': (bool,)}
# Of a URL, as they are: RFC 3986, section 2.3.
UNRESERVED = frozenset('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~')
PARSED = frozenset(('id', 'method', 'path', 'body', 'response', 'accept', 'open', 'summary', 'service', 'params',
                    'positional', 'by_name', 'types'))
WITH_BODY = ('POST', 'PUT', 'PATCH', 'DELETE')

_lock = Lock()
_classes: Dict[Tuple[str, str], type] = {}


class Param:
    """An argument of an operation. place: path, query or header. separator: of a list in one value; '': the
    name once for each. default: what the server takes if the argument is absent."""

    __slots__ = ('name', 'api_name', 'place', 'type', 'required', 'separator', 'default', 'text')

    def __init__(self, name: str, api_name: str, place: str, type: str, required: bool, separator: str,
                 default: Any, text: str) -> None:
        self.name, self.api_name, self.place, self.type = name, api_name, place, type
        self.required, self.separator, self.default, self.text = required, separator, default, text


class Operation:
    """An operation as the description has it. An attribute of its class: see Endpoint for objects."""

    def __init__(self, group: str, service: str, row: Tuple[Any, ...]) -> None:
        self.name = row[0]
        self.group = group
        self.model_service = service
        self._row = row

    def __getattr__(self, name: str) -> Any:
        """At first use: a program calls a few of the operations."""
        if name not in PARSED:
            raise AttributeError(name)
        self._parse()
        return vars(self)[name]

    def _parse(self) -> None:
        (_, self.id, self.method, self.path, params, self.body, self.response, self.accept, self.open,
         self.summary) = self._row
        self.service = self.path.split('/')[2]
        self.params = [Param(*param) for param in params]
        self.positional = [param.name for param in self.params if param.required]
        if self.body:
            self.positional.append('payload')
        self.by_name = {param.name: param for param in self.params}
        self.types = {param.name: param.type for param in self.params}
        if self.body:
            self.types['payload'] = self.body

    def __get__(self, api: Any, cls: Any) -> Any:
        if api is None:
            return self
        endpoint = Endpoint(self, api)
        vars(api)[self.name] = endpoint  # an attribute of the object: found without this from now on
        return endpoint

    def __repr__(self) -> str:
        return f'<operation {self.name}: {self.method} {self.path}>'

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return document(self)

    @property
    def __signature__(self) -> Any:
        return signature(self)

    def class_of(self, name: str) -> Any:
        """The class of a model among the arguments."""
        return load_model(self.model_service, name)


class Endpoint:
    """An operation that can be called, with the ApiClient of the object it is an attribute of.

    `settings`, `params_map`, `attribute_map`, `location_map`, `openapi_types` and
    `collection_format_map` describe it."""

    def __init__(self, operation: Operation, api: Any) -> None:
        self.operation = operation
        self._api = api
        self.__name__ = operation.name

    @property
    def api_client(self) -> Any:
        """What sends the request."""
        return self._api.api_client

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return document(self.operation)

    @property
    def __signature__(self) -> Any:
        return signature(self.operation)

    def __repr__(self) -> str:
        return repr(self.operation)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        operation = self.operation
        extras = EXTRAS
        if not EXTRAS.keys().isdisjoint(kwargs):
            extras = {name: kwargs.pop(name, default) for name, default in EXTRAS.items()}
        values = bind(operation, args, kwargs)
        if extras is not EXTRAS:
            check_extras(extras)
        if extras['_check_input_type']:
            for name, value in values.items():
                _types.check(value, operation.types[name], [name], operation.class_of)
        else:
            refuse_none(operation, values)
        return self.api_client.call(
            operation, path_of(operation, values), list(query_of(operation, values)),
            headers_of(operation, values), body_of(operation, values), async_req=extras['async_req'],
            preload=extras['_preload_content'], data_only=extras['_return_http_data_only'],
            timeout=timeout_of(extras['_request_timeout']))

    # ---- as the existing client describes operations ----

    @property
    def settings(self) -> Dict[str, Any]:
        """The request and its response: path, method, operation, the types of the response."""
        operation = self.operation
        base = '/api/' + operation.service
        return {'response_type': response_type(operation),
                'auth': ['csrf_token', 'jwt'],
                'endpoint_path': operation.path[len(base):], 'operation_id': operation.name,
                'http_method': operation.method, 'servers': None}

    @property
    def params_map(self) -> Dict[str, List[str]]:
        """The names of all arguments, of those that are required, and of those that may be None."""
        operation = self.operation
        optional = [param.name for param in operation.params if not param.required]
        return {'all': [*operation.positional, *optional, *EXTRAS],
                'required': list(operation.positional), 'nullable': ['_request_timeout'], 'enum': [],
                'validation': []}

    @property
    def attribute_map(self) -> Dict[str, str]:
        """Python's name of an argument -> the API's."""
        return {param.name: param.api_name for param in self.operation.params}

    @property
    def location_map(self) -> Dict[str, str]:
        """The name of an argument -> path, query, header or body."""
        found = {param.name: param.place for param in self.operation.params}
        return {**found, 'payload': 'body'} if self.operation.body else found

    @property
    def openapi_types(self) -> Dict[str, Any]:
        """The name of an argument -> its types."""
        operation = self.operation
        found: Dict[str, Any] = {name: (_types.as_classes(type_, operation.class_of),)
                                 for name, type_ in operation.types.items()}
        return {**found, **EXTRA_TYPES}

    @property
    def collection_format_map(self) -> Dict[str, str]:
        """The name of an argument that is a list -> how it is written."""
        words = {'': 'multi', ',': 'csv', ' ': 'ssv', '\t': 'tsv', '|': 'pipes'}
        return {param.name: words[param.separator] for param in self.operation.params
                if param.type.startswith('[')}


# ---- arguments ----


def bind(operation: Operation, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Dict[str, Any]:
    """The arguments of a call by name, without those left out."""
    positional = operation.positional
    if len(args) > len(positional):
        count, many = len(positional), 's' * (len(positional) != 1)
        raise TypeError(f'{operation.name}() takes {count} positional argument{many} but {len(args)} '
                        f"{'was' if len(args) == 1 else 'were'} given")
    values = dict(zip(positional, args))
    for name, value in kwargs.items():
        if name in values:
            raise TypeError(f"{operation.name}() got multiple values for argument '{name}'")
        if name not in operation.types:
            raise ApiTypeError(f"Got an unexpected parameter '{name}' to method `{operation.name}`")
        if value is not None or name in positional:
            values[name] = value
    if len(values) < len(positional) or len(args) < len(positional):
        absent = [name for name in positional if name not in values]
        if absent:
            raise TypeError(f'{operation.name}() {_types.missing(absent)}')
    return values


def refuse_none(operation: Operation, values: Dict[str, Any]) -> None:
    for name, value in values.items():
        if value is None:
            raise ApiValueError(f'Value may not be None for non-nullable parameter `{name}` when '
                                f'calling `{operation.name}`')


def check_extras(extras: Dict[str, Any]) -> None:
    for name, value in extras.items():
        if name == '_host_index':
            if value is not None:
                _types.check(value, 'int', [name], load_nothing)
        elif name != '_request_timeout':
            _types.check(value, 'bool', [name], load_nothing)


def load_nothing(name: str) -> type:
    raise AssertionError(name)


def timeout_of(value: Any) -> Any:
    """`_request_timeout`: None, a number of seconds, or a pair of them, for connecting and for each
    wait; 0 is none."""
    if isinstance(value, (tuple, list)) and len(value) == 2:
        first, second = (seconds_of(one) for one in value)
        return None if first is None and second is None else (first, second)
    return seconds_of(value)


def seconds_of(value: Any) -> Optional[float]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ApiTypeError(_types.message('_request_timeout', value, ('NoneType', 'float', 'int', 'list',
                                                                      'tuple')), ['_request_timeout'])
    if not 0 <= value < float('inf'):
        raise ApiValueError(f'_request_timeout must be a number of seconds, not {value}')
    return value or None


# ---- the request ----


def text_of(value: Any) -> str:
    """A value in a path, query or header."""
    value = sanitize(value)
    text = value if isinstance(value, str) else str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ApiValueError(f'{text!r} is no text: {error.reason}') from error
    return text


def quoted(text: str) -> str:
    """Percent-encoded, slashes too."""
    if UNRESERVED.issuperset(text):
        return text
    from urllib.parse import quote  # takes longer to import than most modules of this package

    return quote(text, safe='')


def path_of(operation: Operation, values: Dict[str, Any]) -> str:
    path = operation.path
    for param in operation.params:
        if param.place == 'path':
            text = quoted(text_of(values[param.name]))
            # As a segment, these two would be taken for steps in the tree, in any encoding.
            if text in ('', '.', '..'):
                raise ApiValueError(f"Invalid value for `{param.name}`: '{text}'", [param.name])
            path = path.replace('{' + param.api_name + '}', text)
    return str(path)


def query_of(operation: Operation, values: Dict[str, Any]) -> Iterator[Tuple[str, str]]:
    for param in operation.params:
        if param.place != 'query' or param.name not in values:
            continue
        value = values[param.name]
        if not param.type.startswith('[') or not isinstance(value, (list, tuple)):
            yield param.api_name, text_of(value)
        elif param.separator:
            yield param.api_name, param.separator.join(map(text_of, value))
        else:
            yield from ((param.api_name, text_of(one)) for one in value)


def headers_of(operation: Operation, values: Dict[str, Any]) -> Dict[str, str]:
    headers = {'Accept': operation.accept, 'Content-Type': 'application/json'}
    for param in operation.params:
        if param.place == 'header' and param.name in values:
            text = text_of(values[param.name])
            if any(ord(char) < 32 or ord(char) == 127 for char in text):
                raise ApiValueError(f'Invalid value for `{param.name}`: a header is one line',
                                    [param.name])
            headers[param.api_name] = text
    return headers


def body_of(operation: Operation, values: Dict[str, Any]) -> Optional[bytes]:
    if operation.body:
        try:
            return json.dumps(sanitize(values['payload']), allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            if isinstance(error, ApiValueError):
                raise
            raise ApiValueError(f'the payload has no form in JSON: {error}', ['payload']) from error
    # As the existing client does: the entities service wants an object, the others nothing.
    return b'{}' if operation.service == 'data' and operation.method in WITH_BODY else None


# ---- what it is ----


def response_type(operation: Operation) -> Any:
    """The types of the response as `settings` has them."""
    import io
    name = operation.response
    many = name.endswith('[]')
    name = name[:-2] if many else name
    known: Dict[str, Any] = {'string': str, 'integer': int, 'boolean': bool, 'number': float,
                             'file': io.IOBase}
    if not name:
        return None
    kind = known[name] if name in known else object if name == 'any' else operation.class_of(name)
    return ([kind],) if many else (kind,)


def returned(operation: Operation) -> str:
    """What a call returns, in words of Python."""
    name = operation.response
    if name.endswith('[]'):
        return f'list of {returned_one(name[:-2])}'
    return returned_one(name)


def returned_one(name: str) -> str:
    words = {'string': 'str', 'integer': 'int', 'boolean': 'bool', 'number': 'float',
             'file': 'an open binary file', 'any': 'decoded JSON',
             '': 'decoded JSON or text, None if the response is empty'}
    return words.get(name, name)


def document(operation: Operation) -> str:
    """The docstring of an operation."""
    lines = [operation.summary, '', f'    {operation.method} {operation.path}', '']
    rows = []
    for name in [*operation.positional,
                 *(param.name for param in operation.params if not param.required)]:
        param = operation.by_name.get(name)
        words = [operation.types[name] + ('' if name in operation.positional else ', optional')]
        if param is not None and param.text:
            words.append(param.text)
        if param is not None and param.default is not None:
            words.append(f'The server takes {param.default} if it is absent.')
        rows.append(f'    {name}: ' + '. '.join(word.rstrip('.') for word in words))
    if rows:
        lines += ['Arguments:', *rows, '']
    lines += [f'Returns: {returned(operation)}', '',
              'Also takes async_req, _preload_content, _return_http_data_only, _request_timeout,',
              '_check_input_type, _check_return_type and _host_index.', '',
              'Raises ApiException and its family if the server refuses, ApiTypeError and ApiValueError',
              'before sending, for arguments that do not fit.']
    return '\n'.join(lines)


def signature(operation: Operation) -> Any:
    """The signature of an operation, for help() and editors."""
    from inspect import Parameter, Signature
    params = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in operation.positional]
    params += [Parameter(param.name, Parameter.KEYWORD_ONLY, default=None)
               for param in operation.params if not param.required]
    params += [Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in EXTRAS.items()]
    return Signature(params)


class Api:
    """The base of the classes of operations, such as ProjectsApi(api_client)."""

    def __init__(self, api_client: Any = None) -> None:
        if api_client is None:
            from igtcloud.client.services._api_client import ApiClient
            api_client = ApiClient()
        self.api_client = api_client

    def __dir__(self) -> List[str]:
        return sorted(set(object.__dir__(self)))


def load(service: str, name: str) -> Any:
    """The class of a group of operations."""
    with _lock:
        found = _classes.get((service, name))
        if found is None:
            rows = OPERATIONS[service][name]
            body: Dict[str, Any] = {key: Operation(name, service, row) for key, row in rows.items()}
            body['__module__'] = f'igtcloud.client.services.{service}.api.{module_of(name)}'
            body['__doc__'] = f'Operations of the service {service}: ' + ', '.join(rows) + '.'
            found = _classes[service, name] = type(name, (Api,), body)
    return found


def module_of(name: str) -> str:
    """EpdSitesApi -> epd_sites_api."""
    return ''.join('_' + char.lower() if char.isupper() else char for char in name).lstrip('_')
