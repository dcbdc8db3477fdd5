# SPDX-License-Identifier: MIT
"""Finding projects and institutes, filters, keys of studies."""

from __future__ import annotations

import json
import logging
from datetime import date, datetime
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from igtcloud.client import native
from igtcloud.client.services import entities_service

__all__ = ["TqdmLoggingHandler", "find_project_by_name", "find_institute_by_name", "find_project_and_institutes",
           "filter_by_ext", "filter_by_study_date", "flatten_dict", "study_key"]


class TqdmLoggingHandler(logging.Handler):
    """Writes records between progress bars. Needs tqdm."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            from tqdm import tqdm  # type: ignore[import]

            tqdm.write(self.format(record))
            self.flush()
        except Exception:
            self.handleError(record)


def _only(found: List[Any], what: str, name: str) -> Any:
    """None if there is none. Several of a name are an error: data would end up in any of them."""
    if len(found) > 1:
        raise native.Ambiguous(f"there are {len(found)} {what} named '{name}': {', '.join(str(one.id) for one in found)}")
    return found[0] if found else None


def find_project_by_name(project_name: str) -> Any:
    """The project of exactly this name, or None. Ambiguous (a LookupError) if there are several."""
    return _only([p for p in entities_service.get_projects() if p.get("name") == project_name], "projects", project_name)


def find_institute_by_name(institute_name: str, project_id: Optional[str] = None) -> Any:
    """The institute of exactly this name in that project, without one in all, or None. Ambiguous if several."""
    institutes = entities_service.get_institutes(project_id) if project_id else entities_service.get_all_institutes()
    return _only([i for i in institutes if i.get("name") == institute_name], "institutes", institute_name)


def find_project_and_institutes(project_name: str, institute_name: Optional[str] = None) -> Tuple[Any, Iterable[Any]]:
    """The project or None, and those of its institutes that have this name, or all.

    A service identity may see an institute but no project: then the institute of that name is meant.
    """
    projects = entities_service.get_projects()
    project = _only([p for p in projects if p.get("name") == project_name], "projects", project_name)
    if project is None:
        hidden = find_institute_by_name(institute_name) if institute_name and not projects else None
        return None, [hidden] if hidden else []
    if not institute_name:
        return project, project.institutes
    return project, [i for i in (find_institute_by_name(institute_name, project.id),) if i is not None]


class _ExtFilter:
    """Files of a type, such as ".txt"; native transfers know it by `ext`."""

    def __init__(self, ext: str) -> None:
        self.ext = ext

    def __call__(self, file: Any, study: Any = None) -> bool:
        return str(file.get("type") or "").lower() == self.ext.lower()


class _DateFilter:
    """Studies between two dates, inclusive; native transfers know it by `start` and `end`."""

    def __init__(self, start: Optional[str], end: Optional[str]) -> None:
        self.start, self.end = _day("start", start), _day("end", end)

    def __call__(self, study: Any) -> bool:
        when = study.get("datetime") if type(study).__name__ == "EpdStudy" else study.get("study_date")
        day = when.date() if isinstance(when, datetime) else None
        if day is None:
            return True  # as the command; its summary says how many
        return (self.start or date.min) <= day <= (self.end or date.max)


def _day(name: str, value: Optional[str]) -> Optional[date]:
    try:
        return date.fromisoformat(value) if value else None
    except (TypeError, ValueError):
        raise ValueError(f"{name}: '{value}' is not a date of the form YYYY-MM-DD") from None


def filter_by_ext(ext: Optional[str]) -> Optional[Callable[..., bool]]:
    """A predicate of a file (and its study): whether it has this type, in any case. None for None."""
    return None if ext is None else _ExtFilter(ext)


def filter_by_study_date(start: Optional[str], end: Optional[str]) -> Optional[Callable[[Any], bool]]:
    """A predicate of a study: whether its date is within these, YYYY-MM-DD, inclusive; one without a date is.
    None if both are empty. ValueError for what is no date."""
    return _DateFilter(start, end) if start or end else None


def native_selection(studies_filter: Any, files_filter: Any) -> Optional[Dict[str, Any]]:
    """What native transfers take in place of these filters; None if they know no such filter."""
    selection: Dict[str, Any] = {}
    if isinstance(studies_filter, _DateFilter):
        selection.update(start=studies_filter.start, end=studies_filter.end)
    elif studies_filter is not None:
        return None
    if isinstance(files_filter, _ExtFilter):
        selection.update(ext=files_filter.ext)
    elif files_filter is not None:
        return None
    return selection


def flatten_dict(input_dict: Dict[str, Any]) -> Dict[str, Any]:
    """A dict without nested ones: their fields get the outer name as a prefix, lists become text."""
    flat: Dict[str, Any] = {}
    for key, value in input_dict.items():
        if isinstance(value, dict):
            for name, inner in flatten_dict(value).items():
                flat[name if name.startswith(key) else key + name.title()] = inner
        elif isinstance(value, list):
            flat[key] = ", ".join(json.dumps(one, default=str) if isinstance(one, (dict, list)) else str(one)
                                  for one in value)
        else:
            flat[key] = value
    return flat


def study_key(study: Any) -> Any:
    """What distinguishes a study: the first present of name, clinical study, subject, patient's name, id."""
    for name in ("name", "clinical_study", "subject_id"):
        if name in study:
            return study.get(name)
    if "patient" in study:
        return study.patient.patient_name
    return study.study_database_id


def show_progress(unit: str = "B") -> Callable[[Any], Any]:
    """A callback for native transfers: a bar of tqdm, if that is installed and somebody looks."""
    try:
        from tqdm.auto import tqdm  # type: ignore[import]
    except ImportError:
        return lambda progress: None
    bar = tqdm(total=0, unit=unit, unit_scale=True, unit_divisor=1024, disable=None, leave=False)

    def update(progress: Any) -> None:
        bar.total = progress.bytes
        bar.update(progress.bytes_settled - bar.n)

    update.close = bar.close  # type: ignore[attr-defined]
    return update


def run_native(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """A native transfer, with a bar, and its summary. The library logs the failures of files and its messages."""
    update = show_progress()
    try:
        return function(*arguments, on_progress=update, **options)
    finally:
        getattr(update, "close", int)()
