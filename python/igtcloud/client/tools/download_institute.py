# SPDX-License-Identifier: MIT
"""Downloading the studies of a project."""

from __future__ import annotations

import io
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Optional

from igtcloud.client import native
from igtcloud.client._below import write_file
from igtcloud.client.services import entities_service
from igtcloud.client.tools.common import find_project_and_institutes, native_selection, run_native

__all__ = ["download_institutes"]

logger = logging.getLogger(__name__)


def download_institutes(project_name: str, institute_name: Optional[str], destination: Any,
                        categories: Optional[List[str]] = None,
                        studies_filter: Optional[Callable[[Any], bool]] = None,
                        files_filter: Optional[Callable[[Any, Any], bool]] = None,
                        include_modified_date: bool = False, max_workers_studies: Optional[int] = None,
                        max_workers_files: Optional[int] = None, folder_structure: Optional[str] = None) -> None:
    """Downloads the studies of a project, or of one of its institutes, to destination/INSTITUTE/PATIENT---STUDY.

    studies_filter: a predicate of a study. files_filter: a predicate of a file and its study. With filters of
    tools.common, or none, native.download() does it all. Failures of files are logged; when everything else is
    complete, native.SomeFailed is raised. native.NotFound (a LookupError) if there is no such project or institute.
    """
    options: Dict[str, Any] = {
        "categories": categories or ["files"], "include_modified_date": include_modified_date,
        "structure": "hierarchical" if folder_structure == "hierarchical" else "flat",
        "concurrent_studies": max_workers_studies or 0, "concurrent_files": max_workers_files or 0}
    selection = native_selection(studies_filter, files_filter)
    if selection is not None:
        summary = run_native(native.download, destination, project_name, institute_name, **options, **selection)
        logger.info("Downloaded %d studies, %d files", summary.studies, summary.files_done)
    else:
        _Filtered(project_name, institute_name, destination, studies_filter, files_filter, options).download()


class _Filtered:
    """A download with filters of the program: a dry run says where each file goes."""

    def __init__(self, project_name: str, institute_name: Optional[str], destination: Any,
                 studies_filter: Optional[Callable[[Any], bool]],
                 files_filter: Optional[Callable[[Any, Any], bool]], options: Dict[str, Any]) -> None:
        self.arguments = destination, project_name, institute_name
        self.studies_filter, self.files_filter, self.options = studies_filter, files_filter, options
        self.root = os.path.abspath(os.fspath(destination))
        self.failed: List[str] = []

    def download(self) -> None:
        planned: Dict[str, List[native.Item]] = {}

        def plan(item: native.Item) -> None:
            if item.kind == "file" and item.result == "planned":
                planned.setdefault(item.study_id, []).append(item)

        native.download(*self.arguments, dry_run=True, overwrite=True, on_item=plan, **self.options)
        _, institutes = find_project_and_institutes(self.arguments[1], self.arguments[2])
        studies = [study for institute in institutes for study in institute.studies
                   if self.studies_filter is None or self.studies_filter(study)]
        with ThreadPoolExecutor(self.options["concurrent_studies"] or 4) as pool:
            list(pool.map(lambda study: self._study(study, planned.get(study.study_database_id, [])), studies))
        if self.failed:
            error = native.SomeFailed(f"{len(self.failed)} files or studies failed: {', '.join(self.failed[:10])}")
            raise error

    def _study(self, study: Any, items: List[native.Item]) -> None:
        try:
            files = {file.key: file for category in self.options["categories"] for file in getattr(study, category)}
            chosen = [(files[item.key], item) for item in items if item.key in files and
                      (self.files_filter is None or self.files_filter(files[item.key], study))]
            self._write_study_json(study, items)
        except Exception as error:
            self._note(study.get("study_id_human_readable") or study.study_database_id, error)
            return
        with ThreadPoolExecutor(self.options["concurrent_files"] or 4) as pool:
            list(pool.map(lambda pair: self._file(*pair), chosen))

    def _file(self, file: Any, item: native.Item) -> None:
        kept, file.file_name = file.file_name, self._below(item.local_path)  # the local name may have been mapped
        try:
            file.download(self.root, overwrite=False, include_modified_date=self.options["include_modified_date"])
        except Exception as error:
            self._note(f"{item.study}/{item.path}", error)
        finally:
            file.file_name = kept

    def _below(self, path: str) -> str:
        return os.path.relpath(path, self.root)

    def _note(self, name: str, error: Exception) -> None:
        logger.error("%s: %s", name, error)
        self.failed.append(name)

    def _write_study_json(self, study: Any, items: List[native.Item]) -> None:
        """As native transfers write it: a file of the study says where the study's folder is."""
        if not items:
            return
        local, path = self._below(items[0].local_path), items[0].path
        if not local.endswith(path):
            return  # a mapped name: its folder is unknown
        text = json.dumps(entities_service.api_client.sanitize_for_serialization(study), indent=4)
        write_file(self.root, f"{local[:-len(path)]}study.json", io.BytesIO(text.encode("ascii")))
