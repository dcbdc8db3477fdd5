# SPDX-License-Identifier: MIT
"""Models: what the cloud sends and takes, as objects.

A model wraps the decoded JSON object (`_json`, by the names of JSON) and its class's table of fields.
Nothing is converted when a response arrives, which makes lists of 20,000 studies cheap: a date or a
nested model is converted when it is first read, and kept in `_read`, so that there is one object
for each nested model. What was never read or changed is sent back as it came.

Classes are made of _tables.py when they are first needed, by load(). A class whose name is in
_behaviour.MIXINS has that mixin as its first base: collections of projects and studies, downloads of
files. A mixin's properties hide fields of their name.

Models that a program makes check names and types when they are made and on assignment (_types.py).
Models from the cloud do not: it may know fields and types that the description does not. A field that
the description does not know is read under its name in JSON. Studies, series and AI Suite models have
it in to_dict() and send it back; in all others it can be read only, as the existing client drops it.
"""

from __future__ import annotations

import copy
import threading
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Dict, Iterator, List, Optional, Set, Tuple

from igtcloud.client._lock import Lock
from igtcloud.client.services import _types
from igtcloud.client.services._exceptions import ApiAttributeError, ApiTypeError, ApiValueError
from igtcloud.client.services._tables import MODELS

ADDITIONAL = 'additional'
SCALARS = {'string': str, 'integer': int, 'boolean': bool, 'number': float}
_LEAVES = (str, int, float, bool, type(None))
PRIVATE = ('_check_type', '_path_to_item', '_spec_property_naming', '_configuration',
           '_visited_composed_classes')

_lock = Lock(threading.RLock)
_classes: Dict[Tuple[str, str], type] = {}


class Field:
    """A field of a model: an attribute of the class that reads and writes `_json`."""

    def __init__(self, service: str, name: str, json: str, type_: str, text: str,
                 values: Tuple[str, ...]) -> None:
        self.name = name
        self.json = json
        self.type = type_
        self.values = values
        self.convert = _converter(type_, service)
        self.__doc__ = text or None

    def __get__(self, model: Any, owner: Any = None) -> Any:
        if model is None:
            return self
        try:
            value = model._json[self.json]
        except KeyError:
            raise _absent(model, self.name) from None
        return value if self.convert is None or value is None else _converted(model, self)

    def __set__(self, model: Any, value: Any) -> None:
        model[self.name] = value


def _absent(model: Any, name: Any) -> ApiAttributeError:
    path = [*model._path, name] if name else [*model._path]
    return ApiAttributeError(f"{type(model).__name__} has no attribute '{name}'", path)


def _converter(type_: str, service: str) -> Optional[Callable[[Any], Any]]:
    """What makes a value of decoded JSON one of this type; None: they are the same."""
    if type_ == 'datetime':
        return _types.parse_datetime
    if type_ == 'date':
        return _types.parse_date
    if type_ in _types.PLAIN:
        return None
    if type_.startswith('['):
        return lambda value: _nested_list(value, service, type_[1:-1])
    return lambda value: _wrap(load(service, type_), dict(value)) if type(value) is dict else value


def _nested_list(value: Any, service: str, name: str) -> Any:
    if type(value) is not list:
        return value
    cls = load(service, name)
    return [_wrap(cls, dict(one)) if type(one) is dict else one for one in value]


def _converted(model: Any, field: Field) -> Any:
    """The field's value, converted at the first read. The same object each time, in all threads."""
    read = model._read
    if read is not None and field.json in read:
        return read[field.json]
    assert field.convert is not None
    value = field.convert(model._json[field.json])
    return _read_of(model).setdefault(field.json, value)


def _read_of(model: Any) -> Dict[str, Any]:
    """What is converted already; one dictionary for all threads."""
    read: Optional[Dict[str, Any]] = model._read
    if read is None:
        with _lock:
            read = model._read
            if read is None:
                read = {}
                _set_read(model, read)
    return read


class Model:
    """A model of the API. See the module for how it works."""

    __slots__ = ('_json', '_read', '_given', '__dict__', '__weakref__')
    _json: Dict[str, Any]
    _read: Optional[Dict[str, Any]]
    _given: bool
    __hash__ = None  # type: ignore[assignment]

    _service = ''
    _schema = ''
    _fields: Dict[str, Field] = {}      # Python's name -> field
    _by_json: Dict[str, Field] = {}     # JSON's name -> field
    _required: Tuple[str, ...] = ()
    _first: Tuple[str, ...] = ()        # the same by JSON's names
    _tag: Optional[str] = None          # the field that names the class
    _derived: Tuple[str, ...] = ()
    _additional = False                 # takes fields that the description does not have
    _composed_schemas: Dict[str, Any] = {}
    _nullable = False
    _path: Tuple[Any, ...] = ()
    allowed_values: ClassVar[Dict[Any, Any]] = {}
    validations: ClassVar[Dict[Any, Any]] = {}
    attribute_map: ClassVar[Dict[str, str]]                       # Python's name -> JSON's
    openapi_types: ClassVar[Dict[str, Any]]
    discriminator: ClassVar[Optional[Dict[str, Dict[str, type]]]]
    additional_properties_type: ClassVar[Optional[Tuple[type, ...]]]
    required_properties: ClassVar[Set[str]]

    # ---- making one ----

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return _new(_class_for(cls, args, kwargs) if cls._tag else cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        hidden: Dict[str, Any] = {name: kwargs.pop(name) for name in PRIVATE if name in kwargs}
        if hidden.get('_spec_property_naming'):
            kwargs = {_python_name(cls, name): value for name, value in kwargs.items()}
        _set_json(self, {})
        _set_read(self, None)
        path = tuple(hidden.get('_path_to_item') or ())
        if path:
            object.__setattr__(self, '_path', path)
        values = _arguments(cls, args, kwargs)
        lenient = hidden.get('_configuration') is not None
        _set_given(self, lenient or hidden.get('_check_type') is False)
        for name, value in values.items():
            if lenient and name not in cls._fields and not cls._additional:
                continue
            try:
                self[name] = value
            except ApiTypeError as error:
                if not cls._additional or name not in cls._fields:
                    raise
                raise ApiValueError('Invalid inputs given to generate an instance of '
                                    f"'{cls.__name__}'. {error}") from error
        if cls._tag:
            _check_tag(self)
        if lenient:
            _set_read(self, None)  # texts and dictionaries convert as those of a response do

    # ---- fields ----

    if not TYPE_CHECKING:  # the stubs say which models take other fields
        def __getattr__(self, name: str) -> Any:
            # What the class does not have: fields that the description does not know. Also where a
            # property raised AttributeError, which Python drops: calling it again keeps its message.
            if name.startswith('__'):
                raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')
            own = getattr(type(self), name, None)
            if isinstance(own, property) and own.fget is not None:
                return own.fget(self)
            json = object.__getattribute__(self, '_json')
            if name in json and name not in type(self)._by_json:
                return json[name]
            raise _absent(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith('_'):
            object.__setattr__(self, name, value)
        elif not isinstance(getattr(type(self), name, None), property):
            self[name] = value

    def __delattr__(self, name: str) -> None:
        if not name.startswith('_'):
            raise AttributeError(f'fields of a {type(self).__name__} cannot be deleted: {name!r}')
        object.__delattr__(self, name)

    def __getitem__(self, name: str) -> Any:
        field = type(self)._fields.get(name) if isinstance(name, str) else None
        if field is not None:
            return field.__get__(self)
        if isinstance(name, str) and name in self._json and name not in type(self)._by_json:
            return self._json[name]
        raise _absent(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        cls = type(self)
        field = cls._fields.get(name) if isinstance(name, str) else None
        if field is None:
            field = self._unknown(name, value)
        elif not self._given:
            _types.check(value, field.type, [*self._path, name], self._class)
            if field.values:
                _types.check_value(value, field.values, [*self._path, name])
        if field is None:
            self._json[name] = value
            return
        if field.convert is not None:  # of the cloud's models, as JSON is converted
            _read_of(self)[field.json] = field.convert(value) if self._given else value
        self._json[field.json] = value

    def _unknown(self, name: Any, value: Any) -> Optional[Field]:
        """Checks a name that is not a field's. A JSON name of a field stands for the field."""
        if not isinstance(name, str):
            raise ApiTypeError(_types.message(name, name, ('str',), key=True), [*self._path, name])
        if not self._additional and not (name in self._json and name not in self._by_json):
            raise _absent(self, name)
        if not self._given:
            _types.check(value, ADDITIONAL, [*self._path, name], self._class)
        return self._by_json.get(name)

    @classmethod
    def _class(cls, name: str) -> type:
        found: type = load(cls._service, name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """The field's value, `default` if it is absent."""
        if name == '_data_store':
            return self._data_store
        return self[name] if name in self else default

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        field = type(self)._fields.get(name)
        if field is not None:
            return field.json in self._json
        return name in self._json and name not in type(self)._by_json

    def __dir__(self) -> List[str]:
        return sorted({*object.__dir__(self), *self._names()})

    def _names(self) -> Iterator[str]:
        """The fields that are present, required ones first, then as they came."""
        return (key if field is None else field.name for key, field in self._present())

    def _present(self) -> Iterator[Tuple[str, Optional[Field]]]:
        """The same by their names in JSON, with the field of those that the description has."""
        json, by_json, first = self._json, self._by_json, self._first
        for key in first:
            if key in json:
                yield key, by_json[key]
        for key in list(json):
            field = by_json.get(key)
            if key not in first and (field is not None or self._additional):
                yield key, field

    @property
    def _data_store(self) -> '_DataStore':
        return _DataStore(self)

    # ---- as a whole ----

    def to_dict(self) -> Any:
        """The fields that are present as a dictionary, nested models too. Dates stay what they are."""
        return to_dict(self, serialize=False)

    def to_str(self) -> str:
        """to_dict() as text, for reading."""
        from pprint import pformat  # takes longer to import than all of this package
        return pformat(self.to_dict())

    def __repr__(self) -> str:
        return self.to_str()

    def _repr_html_(self) -> str:
        from igtcloud.client import notebook
        return notebook.model(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Model) or type(other) is not type(self):
            return False
        mine, theirs = list(self._names()), set(other._names())
        return len(mine) == len(theirs) and all(
            name in theirs and self[name] == other[name] for name in mine)

    def __copy__(self) -> Any:
        for name in self._names():
            self[name]  # noqa: B018  converts: a copy shares nested models
        return _restore(type(self), dict(self._json), dict(self._read or ()), self._given)

    def __deepcopy__(self, memo: Dict[int, Any]) -> Any:
        made = _new(type(self))
        memo[id(self)] = made
        _set_json(made, copy.deepcopy(self._json, memo))
        _set_read(made, copy.deepcopy(self._read, memo))
        _set_given(made, self._given)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _restore, (type(self), self._json, self._read, self._given)


class ModelComposed(Model):
    """A model that extends another."""

    __slots__ = ()


_new: Callable[..., Any] = object.__new__
_set_json: Callable[[Any, Any], None] = vars(Model)['_json'].__set__
_set_read: Callable[[Any, Any], None] = vars(Model)['_read'].__set__
_set_given: Callable[[Any, Any], None] = vars(Model)['_given'].__set__


def _wrap(cls: Any, json: Dict[str, Any]) -> Any:
    """A model of the cloud's, around its JSON. Of a class with a discriminator: the class that the
    object names, or cls if this version does not know it."""
    if cls._tag:
        cls = _tagged(cls, json.get(cls._fields[cls._tag].json)) or cls
    model = _new(cls)
    _set_json(model, json)
    _set_read(model, None)
    _set_given(model, True)
    return model


def _restore(cls: Any, json: Any, read: Any, given: bool) -> Any:
    model = _new(cls)
    _set_json(model, json)
    _set_read(model, read or None)
    _set_given(model, given)
    return model


def _tagged(cls: Any, name: Any) -> Any:
    """The class that a discriminator names below cls, or None."""
    if name == cls._schema:
        return cls
    return load(cls._service, name) if name in cls._derived else None


def _class_for(cls: Any, args: Any, kwargs: Any) -> Any:
    """Which class a model with a discriminator is made of."""
    tag = kwargs.get(cls._tag, kwargs.get(cls._fields[cls._tag].json, args[0] if args else None))
    found = _tagged(cls, tag) if isinstance(tag, str) else None
    if found is None and cls._derived and issubclass(cls, ModelComposed) is False:
        _check_tag_of(cls, tag, kwargs.get('_path_to_item', ()))
    return found or cls


def _root(cls: Any) -> Any:
    """The class that the discriminator belongs to."""
    return next(one for one in cls.__mro__ if one.__dict__.get('_is_root'))


def _check_tag(model: Any) -> None:
    cls = type(model)
    _check_tag_of(cls, model._json.get(cls._fields[cls._tag].json), model._path)


def _check_tag_of(cls: Any, tag: Any, path: Any) -> None:
    root = _root(cls)
    json = root._fields[root._tag].json
    if tag is None:
        raise ApiValueError('Cannot deserialize input data due to missing discriminator. The '
                            f"discriminator property '{json}' is missing at path: {path}")
    if tag not in root._derived:
        raise ApiValueError('Cannot deserialize input data due to invalid discriminator value. The '
                            f"description has no class for '{json}'='{tag}' at path: {path}")


def _python_name(cls: Any, name: str) -> str:
    field: Optional[Field] = cls._by_json.get(name)
    return field.name if field is not None else name


def _arguments(cls: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Dict[str, Any]:
    """The values of a constructor's call, required ones first."""
    required = cls._required
    if len(args) > len(required):
        rest = args[len(required):]
        raise ApiTypeError(f'Invalid positional arguments={rest} passed to {cls.__name__}. Remove those '
                           'invalid positional arguments.', valid_classes=(cls,))
    values = dict(zip(required, args))
    for name in values:
        if name in kwargs:
            raise TypeError(f"{cls.__name__}.__init__() got multiple values for argument '{name}'")
    missing = [name for name in required if name not in values and name not in kwargs]
    if missing:
        raise TypeError(f'{cls.__name__}.__init__() {_types.missing(missing)}')
    for name in required:
        values.setdefault(name, kwargs.get(name))
    return {**values, **kwargs}


class _DataStore(dict):  # type: ignore[type-arg]
    """`model._data_store`: the fields by Python's names. A picture of them; assignments reach the
    model, unchecked."""

    def __init__(self, model: Any) -> None:
        super().__init__((name, model[name]) for name in model._names())
        self._model = model

    def __setitem__(self, name: str, value: Any) -> None:
        model, field = self._model, type(self._model)._fields.get(name)
        model._json[field.json if field else name] = value
        if field and field.convert is not None:
            _set_read(model, {**(model._read or {}), field.json: value})
        super().__setitem__(name, value)


# ---- classes ----


class _ClassProperty:
    """Worked out when the class is first asked for it."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __get__(self, model: Any, cls: Any) -> Any:
        return self.function(cls)


def _openapi_types(cls: Any) -> Dict[str, Any]:
    order = [*cls._required, *(name for name in cls._fields if name not in cls._required)]
    return {name: (_types.as_classes(cls._fields[name].type, cls._class),) for name in order}


def _attribute_map(cls: Any) -> Dict[str, str]:
    order = [*cls._required, *(name for name in cls._fields if name not in cls._required)]
    return {name: cls._fields[name].json for name in order}


def _discriminator(cls: Any) -> Optional[Dict[str, Dict[str, type]]]:
    if not cls._tag or not cls._derived:
        return None
    return {cls._tag: {name: load(cls._service, name) for name in cls._derived}}


for _name, _function in (
        ('openapi_types', _openapi_types), ('attribute_map', _attribute_map),
        ('discriminator', _discriminator),
        ('additional_properties_type', lambda cls: _types.ANY_JSON if cls._additional else None),
        ('required_properties', lambda cls: {'_data_store', *PRIVATE})):
    setattr(Model, _name, _ClassProperty(_function))


def load(service: str, name: str) -> Any:
    """The class of a model."""
    found = _classes.get((service, name))
    if found is not None:
        return found
    with _lock:
        found = _classes.get((service, name))
        return found if found is not None else _make(service, name)


def _make(service: str, name: str) -> Any:
    module, schema, parent_name, tag, required, derived, rows = MODELS[service][name]
    parent = load(service, parent_name) if parent_name else None
    fields = {**(parent._fields if parent else {}),
              **{row[0]: Field(service, *row) for row in rows}}
    bases = [parent] if parent else [Model]
    if parent and not issubclass(parent, ModelComposed):
        bases.insert(0, ModelComposed)
    mixin = _mixin(service, name)
    if mixin is not None and not (parent and issubclass(parent, mixin)):
        bases.insert(0, mixin)
    body = {
        '__slots__': (), '__module__': f'igtcloud.client.services.{service}.model.{module}',
        '__hash__': None, '__doc__': f'{schema} of the service {service}.',
        '_service': service, '_schema': schema, '_fields': fields, '_required': required,
        '_by_json': {field.json: field for field in fields.values()}, '_tag': tag,
        '_first': tuple(fields[one].json for one in required),
        '_derived': derived, '_additional': bool(parent or tag), '_is_root': bool(tag and not parent),
        'allowed_values': {(row[0],): {value.upper(): value for value in row[4]}
                           for row in rows if row[4]},
        '__signature__': _Signature(),
    }
    hidden = _properties(mixin)
    body.update({row[0]: fields[row[0]] for row in rows if row[0] not in hidden})
    made = type(name, tuple(bases), body)
    _classes[service, name] = made
    return made


class _Signature:
    """`__signature__` of a class of models: what help() and editors show."""

    def __get__(self, model: Any, cls: Any) -> Any:
        from inspect import Parameter, Signature
        params = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in cls._required]
        params += [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in cls._fields
                   if name not in cls._required]
        return Signature(params)


def _mixin(service: str, name: str) -> Optional[type]:
    if service != 'entities':
        return None
    try:
        module = import_module('igtcloud.client.services._behaviour')
    except ModuleNotFoundError as error:
        if error.name != 'igtcloud.client.services._behaviour':
            raise
        return None
    found: Optional[type] = module.MIXINS.get(name)
    return found


def _properties(mixin: Optional[type]) -> List[str]:
    return [name for name in dir(mixin) if isinstance(getattr(mixin, name), property)] if mixin else []


# ---- JSON ----


def to_dict(model: Model, serialize: bool = True) -> Dict[str, Any]:
    """A model's fields as a dictionary. serialize: by the names of JSON."""
    found = {}
    json = model._json
    for key, field in model._present():
        value = json[key]
        if field is not None and field.convert is not None and value is not None:
            value = _converted(model, field)
        if not isinstance(value, _LEAVES):
            value = _plain(value, serialize)
        found[key if serialize or field is None else field.name] = value
    return found


def _plain(value: Any, serialize: bool) -> Any:
    if isinstance(value, Model):
        return to_dict(value, serialize)
    if isinstance(value, list):
        return [_plain(one, serialize) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one, serialize) for key, one in value.items()}
    return value


def sanitize(obj: Any) -> Any:
    """Prepares an object for json.dumps(): a model becomes a dictionary by the names of JSON, dates
    become ISO texts, tuples lists. Raises ApiValueError for what JSON has no form for."""
    if isinstance(obj, Model):
        return {key: value for key, value in _sanitized(obj)}
    if obj is None or isinstance(obj, (str, int, float, bool)):
        return obj
    if isinstance(obj, (list, tuple)):
        return [sanitize(one) for one in obj]
    if isinstance(obj, dict):
        return {key: sanitize(one) for key, one in obj.items()}
    if isinstance(obj, date):
        return obj.isoformat()
    if hasattr(obj, 'read') and hasattr(obj, 'close'):
        with obj:
            return obj.read()
    raise ApiValueError(f'Unable to prepare type {type(obj).__name__} for serialization')


def _sanitized(model: Model) -> Iterator[Tuple[str, Any]]:
    json = model._json
    for key, field in model._present():
        value = json[key]
        if field is not None and field.type in ('datetime', 'date') and type(value) is str:
            value = _types.iso(value, field.type)
        elif field is not None and field.convert is not None and value is not None:
            value = sanitize(_converted(model, field))
        elif not isinstance(value, _LEAVES):
            value = sanitize(value)
        yield key, value


def service_of(name: str) -> str:
    """The service that a model of a response belongs to."""
    return next(service for service in ('entities', 'auth', 'action')
                if service in MODELS and name in MODELS[service])


def deserialize(value: Any, type_name: str, service: Optional[str] = None, check: bool = True) -> Any:
    """Decoded JSON as what an operation returns. The value belongs to the models afterwards.

    type_name: a model or `string`, `integer`, `number`, `boolean`, either with `[]` for a list, or
    `any` or nothing for the value as it is. null is None everywhere. Raises ApiTypeError if the value
    has another form; with check=False it is returned as it is."""
    if not type_name or type_name == 'any' or value is None:
        return value
    path = ['received_data']
    if type_name.endswith('[]'):
        if type(value) is not list:
            return _mismatch(value, 'list', path, check)
        return _list(value, type_name[:-2], service, check)
    return _single(value, type_name, path, service, check)


def _list(value: List[Any], name: str, service: Optional[str], check: bool) -> List[Any]:
    if name not in SCALARS and name != 'any':
        cls = load(service or service_of(name), name)
        wrap = _wrap
        if all(type(one) is dict for one in value):
            return [wrap(cls, one) for one in value]
    return [_single(one, name, ['received_data', index], service, check)
            for index, one in enumerate(value)]


def _single(value: Any, name: str, path: List[Any], service: Optional[str], check: bool) -> Any:
    if value is None or name == 'any':
        return value
    if name in SCALARS:
        kind = SCALARS[name]
        fits = type(value) is kind or (kind is float and type(value) is int)
        return value if fits else _mismatch(value, kind.__name__, path, check)
    if type(value) is not dict:
        return _mismatch(value, name, path, check)
    return _wrap(load(service or service_of(name), name), value)


def _mismatch(value: Any, wanted: str, path: List[Any], check: bool) -> Any:
    if check:
        raise ApiTypeError(_types.message(path[-1], value, (wanted,)), path)
    return value
