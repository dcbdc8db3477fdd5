# SPDX-License-Identifier: MIT
"""Listing the studies of a project as CSV."""

from __future__ import annotations

import csv
import logging
import os
import tempfile
from typing import Any, Callable, Dict, Optional

from igtcloud.client import native
from igtcloud.client._below import write_file
from igtcloud.client.tools.common import find_project_and_institutes, native_selection

__all__ = ["list_project"]

logger = logging.getLogger(__name__)


def list_project(project_name: str, destination: Any, institute_name: Optional[str] = None, list_files: bool = False,
                 studies_filter: Optional[Callable[[Any], bool]] = None,
                 files_filter: Optional[Callable[[Any], bool]] = None) -> None:
    """Writes destination/cloud_PROJECT.csv: a row for each study, or with list_files for each file.

    studies_filter, files_filter: predicates of a study, of a file. The file is replaced at once. native.NotFound
    (a LookupError) if there is no such project or institute.
    """
    selection = native_selection(studies_filter, files_filter)
    if selection is not None:
        summary = native.write_csv(destination, project_name, institute_name, files=list_files,
                                   on_message=lambda text: logger.info("%s", text), **selection)
        logger.info("Wrote %d rows to %s", summary.rows, summary.path)
        return
    with tempfile.TemporaryDirectory(prefix="igtcloud-") as scratch:
        written = native.write_csv(scratch, project_name, institute_name, files=list_files).path
        chosen = _chosen(project_name, institute_name, list_files, studies_filter, files_filter)
        fresh = written + ".new"
        with open(written, encoding="utf-8", newline="") as source, \
                open(fresh, "w", encoding="utf-8", newline="") as target:
            rows = csv.DictReader(source)
            writer = csv.DictWriter(target, rows.fieldnames or [])
            writer.writeheader()
            writer.writerows(row for row in rows if _is_chosen(row, chosen))
        with open(fresh, "rb") as made:
            write_file(os.fspath(destination), os.path.basename(written), made)


def _chosen(project_name: str, institute_name: Optional[str], list_files: bool,
            studies_filter: Optional[Callable[[Any], bool]],
            files_filter: Optional[Callable[[Any], bool]]) -> Dict[str, Any]:
    """{id of a study: the names of its chosen files, or None for all}."""
    _, institutes = find_project_and_institutes(project_name, institute_name)
    studies = (study for institute in institutes for study in institute.studies)
    return {study.study_database_id:
            {file.file_name for file in study.files if files_filter(file)} if list_files and files_filter else None
            for study in studies if studies_filter is None or studies_filter(study)}


def _is_chosen(row: Dict[str, str], chosen: Dict[str, Any]) -> bool:
    study = row.get("studyDatabaseId", "")
    if study not in chosen:
        return False
    names = chosen[study]
    return names is None or not row.get("filename") or row["filename"] in names
