# SPDX-License-Identifier: MIT
"""Studies and files as tables of pandas: what project.to_dataframe() and its like return.

A row for each study, or with files for each file; a column for each field that some row has, in the
order of the description, under Python's names. A patient's fields get its name in front
(`patient_given_name`). Types are pandas' own that know missing values: string, boolean, Int64,
datetime64[ns, UTC]; lists and JSON are objects.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Tuple

from igtcloud.client.services._models import Model

if TYPE_CHECKING:
    import pandas  # type: ignore[import]

__all__ = ['studies', 'files', 'models']

# Lists of files come from the cloud, a request each.
REQUESTS = 16
DTYPES = {'str': 'string', 'bool': 'boolean', 'int': 'Int64', 'float': 'Float64',
          'datetime': 'datetime', 'date': 'datetime'}
Row = Dict[str, Any]


def models(items: Iterable[Model]) -> 'pandas.DataFrame':
    """A row for each model, such as the projects of get_projects()."""
    found = list(items)
    return _frame([_row(one) for one in found], _columns(type(one) for one in found))


def studies(institutes: Iterable[Any], project: str = '') -> 'pandas.DataFrame':
    """The studies of these institutes, with their institute's name and, unless empty, the project's."""
    rows, classes = [], []
    for institute, study in _studies_of(institutes):
        rows.append({**_place(project, institute), **_row(study)})
        classes.append(type(study))
    return _frame(rows, {**_place_types(project), **_columns(classes)})


def files(institutes: Iterable[Any], project: str = '') -> 'pandas.DataFrame':
    """The files of the studies of these institutes, with their study's fields. A study without files
    has one row, with no file."""
    pairs = list(_studies_of(institutes))
    rows: List[Row] = []
    file_types: Dict[str, str] = {}
    with ThreadPoolExecutor(REQUESTS, 'igtcloud-frames') as pool:
        try:
            for (institute, study), listed in zip(pairs, pool.map(_files_of, pairs)):
                head = {**_place(project, institute), **_row(study)}
                file_types.update(_file_columns(listed))
                rows.extend({**head, **_file_row(file)} for file in listed)
                if not listed:
                    rows.append(head)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    types = {**_place_types(project), **_columns(type(study) for _, study in pairs)}
    return _frame(rows, {**types, **file_types})


def _studies_of(institutes: Iterable[Any]) -> Iterator[Tuple[Any, Any]]:
    return ((institute, study) for institute in institutes for study in institute.studies)


def _files_of(pair: Tuple[Any, Any]) -> Any:
    return pair[1].files


def _place(project: str, institute: Any) -> Row:
    names = {'institute': institute.get('name')}
    return {'project': project, **names} if project else names


def _place_types(project: str) -> Dict[str, str]:
    return {'project': 'str', 'institute': 'str'} if project else {'institute': 'str'}


def _file_row(file: Any) -> Row:
    """A file's own fields; of those that a study has too, under `file_...`."""
    return {_file_name(name): value for name, value in _row(file).items()}


def _file_name(name: str) -> str:
    return name if name.startswith('file_') else f'file_{name}'


def _file_columns(listed: Iterable[Any]) -> Dict[str, str]:
    return {_file_name(name): kind for name, kind in _columns({type(file) for file in listed}).items()}


def _row(model: Model) -> Row:
    """A model's fields, nested models in place."""
    row: Row = {}
    for name in model._names():
        value = model[name]
        if isinstance(value, Model):
            row.update({_nested(name, inner): one for inner, one in _row(value).items()})
        else:
            row[name] = value
    return row


def _nested(outer: str, name: str) -> str:
    return name if name.startswith(outer) else f'{outer}_{name}'


def _columns(classes: Iterable[Any]) -> Dict[str, str]:
    """Column -> type, in the order of the description: what these classes may have."""
    found: Dict[str, str] = {}
    for cls in dict.fromkeys(classes):
        for field in cls._fields.values():
            if field.type in DTYPES or field.type.startswith('[') or field.type in ('dict', 'any', 'list'):
                found.setdefault(field.name, field.type)
            else:
                inner = _columns([cls._class(field.type)])
                found.update({_nested(field.name, name): kind for name, kind in inner.items()
                              if _nested(field.name, name) not in found})
    return found


def _frame(rows: List[Row], types: Dict[str, str]) -> 'pandas.DataFrame':
    import pandas
    there = {name for row in rows for name in row}
    fixed = [name for name in types if name in there or name in ('project', 'institute')]
    others = list(dict.fromkeys(name for row in rows for name in row if name not in types))
    columns = {name: _column(pandas, [row.get(name) for row in rows], types.get(name, ''))
               for name in fixed + others}
    return pandas.DataFrame(columns)


def _column(pandas: Any, values: List[Any], kind: str) -> Any:
    """One column. What does not fit its type (the cloud may send anything) makes it a column of objects,
    except in dates, where it is missing: those that pandas cannot hold, as before 1678, too."""
    dtype = DTYPES.get(kind)
    if dtype == 'datetime':
        return pandas.to_datetime(pandas.Series(values, dtype=object), utc=True, errors='coerce')
    if dtype == 'string' and any(not isinstance(one, (str, type(None))) for one in values):
        dtype = None
    try:
        return pandas.Series(values, dtype=dtype or object)
    except (TypeError, ValueError, OverflowError):
        return pandas.Series(values, dtype=object)
