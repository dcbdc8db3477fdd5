# SPDX-License-Identifier: MIT
"""Models and collections in notebooks: what their _repr_html_() show.

A model is a table of its fields, a collection a table with a row for each. A study shows the previews
of its series, and a short list of studies one each; they are fetched when shown, all at once, within
`seconds`. What does not arrive is left out: showing never fails.

    %load_ext igtcloud.client.notebook

does the same for plain lists of models, as get_projects() returns them.

`rows` is how many rows a list shows, `previews` how many pictures; 0: none.
"""

from __future__ import annotations

import base64
import html
import re
import threading
import time
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple
from urllib.parse import unquote, urlsplit

from igtcloud.client.services._models import Model

__all__ = ['model', 'models', 'load_ipython_extension', 'rows', 'previews', 'seconds']

rows = 20
previews = 12
seconds = 3.0

_PREVIEW = re.compile(r'/hospitals/([^/]+)/series/([^/]+)/([^/]+)')
_LONGEST = 200
_LARGEST = 256 * 1024
# What a list shows first; other fields follow in the order of the description.
_FIRST = ('name', 'study_id_human_readable', 'file_name', 'display_name', 'study_type', 'series_type',
          'study_date', 'modality', 'file_size', 'state', 'description')
_LAST = ('s3_prefix', 'key')


def model(one: Model) -> str:
    """A model as a table of its fields."""
    cells = ''.join(f'<tr><th style="text-align:left">{html.escape(name)}</th>'
                    f'<td style="text-align:left">{_cell(one[name])}</td></tr>'
                    for name in one._names())
    head = f'<caption style="text-align:left"><b>{html.escape(type(one).__name__)}</b></caption>'
    pictures = ''.join(_pictures([one], previews).get(0, []))
    return f'<div><table>{head}{cells}</table>{pictures}</div>'


def models(items: Sequence[Model]) -> str:
    """A list of models as a table."""
    shown = list(items[:rows])
    names = _names(shown)
    pictures = _pictures(shown, 1) if len(shown) <= previews else {}
    heads = ([''] if pictures else []) + names
    text = ''.join(f'<th>{html.escape(name)}</th>' for name in ['', *heads])
    for number, one in enumerate(shown):
        cells = [''.join(pictures.get(number, []))] if pictures else []
        cells += [_cell(one[name]) if name in one else '' for name in names]
        text += f'<tr><th>{number}</th>' + ''.join(f'<td>{cell}</td>' for cell in cells) + '</tr>'
    count = f'{len(items)} {_kind(items)}' + (f', the first {rows}' if len(items) > rows else '')
    return f'<div><p>{html.escape(count)}</p><table>{text}</table></div>'


def _kind(items: Sequence[Model]) -> str:
    names = {type(one).__name__ for one in items}
    return names.pop() if len(names) == 1 else 'items'


def _names(items: Iterable[Model]) -> List[str]:
    """The columns of a list: what at least one of them has, the telling ones first."""
    found = dict.fromkeys(name for one in items for name in one._names())
    first = [name for name in _FIRST if name in found]
    last = [name for name in _LAST if name in found]
    return first + [name for name in found if name not in first + last] + last


def _cell(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, Model):
        value = ', '.join(f'{name}: {value[name]}' for name in value._names())
    text = ', '.join(map(str, value)) if isinstance(value, list) else str(value)
    return html.escape(text if len(text) <= _LONGEST else text[:_LONGEST] + '…')


# ---- previews ----


def _pictures(items: Sequence[Model], each: int) -> Dict[int, List[str]]:
    """{position: pictures} of the studies and series among the items."""
    found: Dict[int, List[str]] = {}
    waiting = [(number, one) for number, one in enumerate(items) if 'series_type' in one._fields
               or hasattr(type(one), 'series')]
    if not waiting or not previews:
        return found

    def fetch(number: int, one: Model) -> None:
        try:
            pictures = _pictures_of(one, each, end)
        except Exception:  # noqa: BLE001  a picture less
            return
        if pictures:
            found[number] = pictures
    # Threads of their own: one that hangs keeps neither the notebook nor the interpreter waiting.
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=fetch, args=job, daemon=True) for job in waiting[:previews]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(found)


def _pictures_of(one: Any, each: int, end: float) -> List[str]:
    series = [one] if 'series_type' in one._fields else list(one.series)
    places = [place for place in map(_preview_of, series) if place]
    pictures = []
    for place in places[:each]:
        if time.monotonic() < end:
            pictures += _picture(place)
    return pictures


def _preview_of(series: Model) -> Optional[Tuple[str, str, str]]:
    """Institute, series and file name of a preview. The host of the URL does not count: pictures come
    from the cloud that is signed in to."""
    match = _PREVIEW.search(urlsplit(str(series.get('preview_url') or '')).path)
    return (unquote(match[1]), unquote(match[2]), unquote(match[3])) if match else None


def _picture(place: Tuple[str, str, str]) -> List[str]:
    from igtcloud.client.services import entities_service
    with entities_service.get_series_preview(*place, _request_timeout=seconds) as file:
        data = file.read(_LARGEST + 1)
    kind = 'png' if data.startswith(b'\x89PNG') else 'jpeg' if data.startswith(b'\xff\xd8') else ''
    if not kind or len(data) > _LARGEST:
        return []
    text = base64.b64encode(data).decode()
    return [f'<img style="display:inline;max-height:96px" alt="preview" src="data:image/{kind};base64,{text}">']


# ---- plain lists ----


def _list(items: List[Any]) -> Optional[str]:
    if items and all(isinstance(one, Model) for one in items):
        return models(items)
    return None  # as without this module


def load_ipython_extension(ipython: Any) -> None:
    """%load_ext igtcloud.client.notebook: lists of models as tables."""
    ipython.display_formatter.formatters['text/html'].for_type(list, _list)


def unload_ipython_extension(ipython: Any) -> None:
    """%unload_ext igtcloud.client.notebook"""
    ipython.display_formatter.formatters['text/html'].pop(list, None)
