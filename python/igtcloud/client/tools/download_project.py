# SPDX-License-Identifier: MIT
"""Downloading a project's own files."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, List, Optional

from igtcloud.client import native
from igtcloud.client.tools.common import find_project_by_name, native_selection, run_native

__all__ = ["download_project"]

logger = logging.getLogger(__name__)


def download_project(project_name: str, destination: Any, files_filter: Optional[Callable[[Any], bool]] = None,
                     include_modified_date: bool = False) -> None:
    """Downloads the project's own files to destination/files.

    files_filter: a predicate of a file. Failures of files are logged; when everything else is complete,
    native.SomeFailed is raised. native.NotFound (a LookupError) if there is no such project.
    """
    selection = native_selection(None, files_filter)
    if selection is not None:
        run_native(native.download, destination, project_name, project_files=True,
                   include_modified_date=include_modified_date, **selection)
        return
    project = find_project_by_name(project_name)
    if project is None:
        raise native.NotFound(f"no project '{project_name}' is visible to you")
    target, failed = os.path.join(os.fspath(destination), "files"), []  # type: Any, List[str]

    def fetch(file: Any) -> None:
        try:
            file.download(target, overwrite=False, include_modified_date=include_modified_date)
        except Exception as error:
            logger.error("%s: %s", file.file_name, error)
            failed.append(file.file_name)

    assert files_filter is not None
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fetch, [file for file in project.files if files_filter(file)]))
    if failed:
        raise native.SomeFailed(f"{len(failed)} files failed: {', '.join(failed[:10])}")
