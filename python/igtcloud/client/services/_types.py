# SPDX-License-Identifier: MIT
"""The types of fields and arguments: checking them, and dates in JSON.

A type is a word as in _tables.py: str, int, float, bool, datetime, date, dict, list, any, the name of a
model, or one of these in brackets for a list of it. `additional` is any JSON and dates, the type of
fields that the description does not have."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from igtcloud.client.services._exceptions import ApiTypeError, ApiValueError

PLAIN = {'str', 'int', 'float', 'bool', 'dict', 'list', 'any', '[str]', '[int]', '[dict]'}
NONE: type = type(None)
ANY_JSON: Tuple[type, ...] = (bool, date, datetime, dict, float, int, list, str, NONE)
_ISO = re.compile(r'(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?'
                  r'\s*([Zz]|[+-]\d\d(?::?\d\d)?)?)?', re.ASCII)


# ---- checking ----


def message(name: Any, value: Any, wanted: Sequence[str], key: bool = False) -> str:
    """What is wrong with a value's type."""
    names = sorted(wanted)
    kinds = f'is {names[0]}' if len(names) == 1 else f"is one of [{', '.join(names)}]"
    return (f"Invalid type for variable '{name}'. Required {'key' if key else 'value'} type {kinds} and "
            f'passed type was {type(value).__name__}')


def missing(names: Sequence[str]) -> str:
    """What Python says of arguments that a call lacks."""
    quoted = [repr(name) for name in names]
    listed = ', '.join(quoted[:-1]) + (',' if len(quoted) > 2 else '') + ' and ' + quoted[-1] \
        if len(quoted) > 1 else quoted[0]
    return f"missing {len(quoted)} required positional argument{'s' * (len(quoted) > 1)}: {listed}"


def _fail(value: Any, path: Sequence[Any], *wanted: type) -> None:
    raise ApiTypeError(message(path[-1], value, [one.__name__ for one in wanted]), path,
                       valid_classes=wanted)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_CHECKS: Dict[str, Tuple[type, Callable[[Any], bool]]] = {
    'str': (str, lambda value: isinstance(value, str)),
    'str|bool': (str, lambda value: isinstance(value, (str, bool))),
    'int': (int, _is_int),
    'float': (float, lambda value: isinstance(value, float) or _is_int(value)),
    'bool': (bool, lambda value: isinstance(value, bool)),
    'datetime': (datetime, lambda value: isinstance(value, datetime)),
    'date': (date, lambda value: isinstance(value, date) and not isinstance(value, datetime)),
    'dict': (dict, lambda value: isinstance(value, dict)),
    'list': (list, lambda value: isinstance(value, list)),
}


def check(value: Any, type_: str, path: Sequence[Any], class_of: Callable[[str], type]) -> None:
    """Raises ApiTypeError, with the place, unless the value is of this type. class_of: finds models."""
    if type_ in _CHECKS:
        kind, fits = _CHECKS[type_]
        if not fits(value):
            _fail(value, path, kind)
        if type_ == 'dict':
            _check_json(value, path)
    elif type_.startswith('['):
        if not isinstance(value, list):
            _fail(value, path, list)
        for index, one in enumerate(value):
            check(one, type_[1:-1], [*path, index], class_of)
    elif type_ in ('any', 'additional'):
        if not isinstance(value, ANY_JSON):
            _fail(value, path, *ANY_JSON)
        _check_json(value, path)
    elif not isinstance(value, class_of(type_)):
        _fail(value, path, class_of(type_))


def _check_json(value: Any, path: Sequence[Any]) -> None:
    """Everything in a free value must have a form in JSON. Without recursion: values may be deep, and
    so may a value's place, which is a pair (place above, step) until there is an error to name it."""
    waiting: List[Tuple[Any, Any]] = [(value, None)]
    while waiting:
        value, at = waiting.pop()
        if isinstance(value, dict):
            for key, one in value.items():
                if not isinstance(key, str):
                    raise ApiTypeError(message(key, key, ('str',), key=True), [*path, *_steps((at, key))],
                                       valid_classes=(str,), key_type=True)
                waiting.append((one, (at, key)))
        elif isinstance(value, list):
            waiting.extend((one, (at, index)) for index, one in enumerate(value))
        elif not isinstance(value, ANY_JSON) and not hasattr(value, '_json'):
            _fail(value, [*path, *_steps(at)], *ANY_JSON)


def _steps(at: Any) -> List[Any]:
    found: List[Any] = []
    while at is not None:
        at, step = at
        found.append(step)
    return found[::-1]


def check_value(value: Any, allowed: Sequence[Any], path: Sequence[Any]) -> None:
    """Raises ApiValueError unless the value is one of the allowed."""
    if value not in allowed:
        raise ApiValueError(f'Invalid value for `{path[-1]}` ({value}), must be one of {list(allowed)}')


def as_classes(type_: str, class_of: Callable[[str], type]) -> Any:
    """A type as `openapi_types` has it: a class, [class] for a list, {str: classes} for free objects."""
    if type_.startswith('['):
        return [as_classes(type_[1:-1], class_of)]
    if type_ == 'dict':
        return {str: ANY_JSON}
    if type_ == 'any':
        return object
    return _CHECKS[type_][0] if type_ in _CHECKS else class_of(type_)


# ---- dates ----


def _offset(text: Optional[str]) -> Optional[timezone]:
    if not text:
        return None
    if text in 'Zz':
        return timezone.utc
    digits = text[1:].replace(':', '').ljust(4, '0')
    delta = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-delta if text[0] == '-' else delta)


def _parse(text: str) -> Tuple[Optional[datetime], bool]:
    """The date in a text of JSON, and whether isoformat() of it says all that the text says."""
    match = _ISO.fullmatch(text)
    if match is None:
        return _parse_other(text), False
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        found = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0),
                         int(second or 0), int((fraction or '').ljust(6, '0')[:6]), _offset(offset))
    except ValueError:
        return None, False
    return found, hour is not None and not (fraction or '')[6:].strip('0')


def _parse_other(text: str) -> Optional[datetime]:
    """Other forms, if dateutil is installed, which the existing client parses all dates with."""
    if not 8 <= len(text) <= 64:
        return None
    try:
        from dateutil.parser import parse  # type: ignore[import]
        found: datetime = parse(text)
    except (ImportError, ValueError, OverflowError, TypeError):
        return None
    return found


def parse_datetime(value: Any) -> Any:
    """A date and time of JSON: aware if it has an offset. Of a bare date: midnight, naive. The value
    itself if it is no date."""
    if type(value) is not str:
        return value
    found = _parse(value)[0]
    return value if found is None else found


def parse_date(value: Any) -> Any:
    """A date of JSON; the value itself if it is none."""
    if type(value) is not str:
        return value
    found = _parse(value)[0]
    return value if found is None else found.date()


def iso(text: str, type_: str) -> str:
    """A date as it is sent: what isoformat() makes of it, or the text as it came if that would add or
    lose something (a bare date, digits below the microsecond)."""
    found, exact = _parse(text)
    return found.isoformat() if found is not None and exact and type_ == 'datetime' else text
