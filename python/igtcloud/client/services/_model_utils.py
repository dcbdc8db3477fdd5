# SPDX-License-Identifier: MIT
"""What scripts import from services.entities.model_utils: classes of models, and JSON to models."""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

from igtcloud.client.services import _types
from igtcloud.client.services._exceptions import ApiTypeError, ApiValueError
from igtcloud.client.services._models import Model, ModelComposed, _wrap, to_dict

__all__ = ['OpenApiModel', 'ModelNormal', 'ModelComposed', 'ModelSimple', 'cached_property', 'date',
           'datetime', 'file_type', 'none_type', 'model_to_dict', 'validate_and_convert_types',
           'change_keys_js_to_python', 'type_error_message', 'get_type_error']

OpenApiModel = ModelNormal = Model
none_type = type(None)
file_type = io.IOBase
model_to_dict = to_dict


class ModelSimple(Model):
    """A model that is one value. The API has none."""

    __slots__ = ()


class cached_property:
    """A value of a class, worked out once, by a function without arguments."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if '_result' not in self.__dict__:
            self.__dict__['_result'] = self._function()
        return self.__dict__['_result']


def validate_and_convert_types(input_value: Any, required_types_mixed: Sequence[Any],
                               path_to_item: Sequence[Any], spec_property_naming: bool,
                               _check_type: bool, configuration: Any = None) -> Any:
    """A value as one of these types, such as `(RootStudy,)` or `([File],)`.

    With spec_property_naming the value is decoded JSON: dictionaries become models, texts become dates.
    Without it, it is a program's own value, which must have the type already. The value is not
    changed. Raises ApiTypeError or ApiValueError, with the place. With _check_type=False the parts of
    lists and dictionaries are not looked at. A configuration with `discard_unknown_keys` lets a value
    of another type through, as decoded JSON in models is."""
    path = list(path_to_item)
    for wanted in required_types_mixed:
        found = _convert(input_value, wanted, path, spec_property_naming, _check_type, configuration)
        if found is not _UNFIT:
            return found
    if spec_property_naming and configuration is not None and configuration.discard_unknown_keys:
        return input_value
    raise get_type_error(input_value, path, [_class_of(one) for one in required_types_mixed])


_UNFIT = object()


def _class_of(wanted: Any) -> type:
    return wanted if isinstance(wanted, type) else type(wanted)


def _convert(value: Any, wanted: Any, path: List[Any], decoded: bool, check: bool,
             configuration: Any) -> Any:
    """The value as this type; _UNFIT if it has another."""
    if isinstance(wanted, (list, tuple, dict)):
        return _convert_inner(value, wanted, path, decoded, check, configuration)
    if not isinstance(wanted, type):
        return _UNFIT
    if issubclass(wanted, Model):
        if isinstance(value, wanted):
            return value
        return _model(value, wanted, path) if decoded and isinstance(value, dict) else _UNFIT
    if wanted in (datetime, date) and decoded and isinstance(value, str):
        return _date(value, wanted, path)
    if wanted is int and isinstance(value, bool) or wanted is date and isinstance(value, datetime):
        return _UNFIT
    return value if isinstance(value, wanted) else _UNFIT


def _convert_inner(value: Any, wanted: Any, path: List[Any], decoded: bool, check: bool,
                   configuration: Any) -> Any:
    kind: Any = _class_of(wanted)
    if not isinstance(value, kind):
        return _UNFIT
    if not check and not decoded or not wanted:
        return value
    if kind is dict:
        inner = wanted[str] if isinstance(wanted[str], tuple) else (wanted[str],)
        for key in value:
            if not isinstance(key, str):
                raise get_type_error(key, [*path, key], (dict,), key_type=True)
        return {key: validate_and_convert_types(one, inner, [*path, key], decoded, check, configuration)
                for key, one in value.items()}
    return kind(validate_and_convert_types(one, wanted, [*path, index], decoded, check, configuration)
                for index, one in enumerate(value))


def _model(value: Dict[str, Any], wanted: Any, path: List[Any]) -> Any:
    """A model of decoded JSON, which is copied: the caller keeps its own."""
    for key in value:
        if not isinstance(key, str):
            raise get_type_error(key, [*path, key], (wanted,), key_type=True)
    return _wrap(wanted, _copy_json(value))


def _copy_json(value: Any) -> Any:
    """A copy of decoded JSON. Not copy.deepcopy(), which is ten times slower; without recursion."""
    top = [value]
    waiting: List[Any] = [top]
    while waiting:
        at = waiting.pop()
        parts: Iterable[Any] = at.items() if isinstance(at, dict) else enumerate(at)
        for key, one in parts:
            if type(one) is dict or type(one) is list:
                at[key] = copied = one.copy()
                waiting.append(copied)
    return top[0]


def _date(value: str, wanted: type, path: List[Any]) -> Any:
    found = _types.parse_datetime(value) if wanted is datetime else _types.parse_date(value)
    if isinstance(found, str):
        raise ApiValueError(f'Failed to parse {value!r} as {wanted.__name__}', path)
    return found


def change_keys_js_to_python(input_dict: Dict[str, Any], model_class: Any) -> Dict[str, Any]:
    """A dictionary by the names of JSON as one by Python's names."""
    known = {json: name for name, json in model_class.attribute_map.items()}
    return {known.get(key, key): value for key, value in input_dict.items()}


def type_error_message(var_value: Any = None, var_name: Any = None,
                       valid_classes: Sequence[type] = (), key_type: Optional[bool] = None) -> str:
    """What is wrong with a value's type."""
    return _types.message(var_name, var_value, [one.__name__ for one in valid_classes], bool(key_type))


def get_type_error(var_value: Any, path_to_item: Sequence[Any], valid_classes: Sequence[type],
                   key_type: bool = False) -> ApiTypeError:
    """The error for a value of the wrong type."""
    return ApiTypeError(type_error_message(var_value, path_to_item[-1], valid_classes, key_type),
                        path_to_item, valid_classes, key_type)
