# SPDX-License-Identifier: MIT
"""Uploading a folder to a project."""

from __future__ import annotations

import getpass
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterable, List, Optional, Tuple

from igtcloud.client import native
from igtcloud.client.services import entities_service
from igtcloud.client.tools.common import run_native, study_key

__all__ = ["upload_project", "upload_study", "upload_annotation_files", "upload_project_files"]

logger = logging.getLogger(__name__)
_SIDECAR = "study.json"


def upload_project(local_folder: Any, project_name: str, institute_name: Optional[str] = None, submit: bool = False,
                   max_workers_studies: Optional[int] = None, max_workers_files: Optional[int] = None,
                   folder_structure: Optional[str] = None, category: Optional[str] = None) -> None:
    """Uploads local_folder/INSTITUTE/PATIENT---STUDY, and the project's own files in local_folder/files.

    submit: asks for the password again, and submits each study whose files are all uploaded. category:
    "annotations" or "dicom" for those alone. Failures of files are logged; when everything else is complete,
    native.SomeFailed is raised. native.NotFound (a LookupError) if there is no such project or institute.
    """
    password = None
    if submit:
        password = getpass.getpass("For electronic record state it is required to reenter the password")
    summary = run_native(native.upload, local_folder, project_name, institute_name,
                         submit_password=password, category=(category or "files").lower(),
                         structure="hierarchical" if folder_structure == "hierarchical" else "flat",
                         concurrent_studies=max_workers_studies or 0, concurrent_files=max_workers_files or 0)
    logger.info("files_uploaded: %d, files_skipped: %d", summary.files_done, summary.files_skipped)


def upload_annotation_files(institutes: Iterable[Any], local_folder: Any,
                            max_workers_files: Optional[int] = None) -> None:
    """Uploads local_folder/INSTITUTE/PATIENT---STUDY/... as annotations of those studies of the institutes."""
    for institute in institutes:
        root = os.path.join(os.fspath(local_folder), institute.name)
        for study in institute.studies if os.path.isdir(root) else ():
            name = study.get("study_id_human_readable") or ""
            folder = os.path.join(root, name.replace("/", "---"))
            if name and os.path.isdir(folder):
                _upload_files(study.annotations, _files_below(folder), max_workers_files)


def upload_study(study_type: str, study_folder: Any, patient_name: str, institute_id: str, studies: Any,
                 _submit_password: Optional[str] = None, max_workers_files: Optional[int] = None,
                 client_kwargs: Optional[Any] = None) -> Tuple[Any, List[str], List[str]]:
    """Uploads a folder as one study, which is found among `studies` or added to them.

    Returns the study, the names of the files that were uploaded, and of those that were there. The study is
    submitted with that password once all files are there. Raises what the first failing file raises, when the
    others are complete.
    """
    folder = os.fspath(study_folder)
    local = _study_of(study_type, folder, patient_name, institute_id)
    found = [study for study in studies if study_key(study) == study_key(local)]
    if len(found) > 1:
        raise native.Ambiguous(f"{folder}: {len(found)} studies of the institute match: "
                               f"{', '.join(study.study_database_id for study in found)}")
    study = found[0] if found else studies.append(local)
    if study is None:
        raise RuntimeError(f"Error creating study for {patient_name}")
    if any(os.path.isdir(os.path.join(folder, name)) for name in ("files", "dicom")):
        folder = os.path.join(folder, "files")
    uploaded, skipped = _upload_files(study.files, _files_below(folder), max_workers_files)
    if _submit_password is not None:
        _submit(study, institute_id, _submit_password)
    return study, uploaded, skipped


def upload_project_files(project: Any, files_folder: Any, max_workers_files: Optional[int] = None) -> None:
    """Uploads the files of a folder as the project's own."""
    if not os.path.isdir(files_folder):
        logger.info("'files' is not a directory. Skipping project files upload...")
        return
    uploaded, skipped = _upload_files(project.files, _files_below(os.fspath(files_folder)), max_workers_files)
    logger.info("Project: %s files_uploaded: %d, files_skipped: %d", project.get("name"), len(uploaded), len(skipped))


def _study_of(study_type: str, folder: str, patient_name: str, institute_id: str) -> Any:
    """A study by the folder's study.json; without one, by the name of its patient. A study.json that cannot be
    read is an error: the files would get to a new study."""
    from igtcloud.client.services.entities.model.patient import Patient
    from igtcloud.client.services.entities.model.root_study import RootStudy
    from igtcloud.client.services.entities.model_utils import validate_and_convert_types

    path = os.path.join(folder, _SIDECAR)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as source:
            try:
                data = {**json.load(source), "studyType": study_type}
            except (TypeError, ValueError) as error:
                raise native.InvalidArgument(f"{path} is no study: {error}") from error
        return validate_and_convert_types(data, (RootStudy,), ["received_data"], True, True,
                                          configuration=entities_service.api_client.configuration)
    study_class: Any = entities_service.study_type_classes[study_type]
    known = study_class.attribute_map
    fields = {name: patient_name for name in ("name", "clinical_study", "subject_id") if name in known}
    study = study_class(study_type=study_type, institute_id=institute_id, **fields)
    if "patient" in known:
        study.patient = Patient(patient_id=patient_name, patient_name=patient_name)
    return study


def _files_below(folder: str) -> List[Tuple[str, str]]:
    """(path, name below the folder with '/') of each file; the sidecar is none."""
    found = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]
    pairs = [(path, os.path.relpath(path, folder).replace(os.path.sep, "/")) for path in found]
    return [pair for pair in pairs if pair[1] != _SIDECAR]


def _upload_files(files: Any, pairs: List[Tuple[str, str]], workers: Optional[int]) -> Tuple[List[str], List[str]]:
    """The names that were uploaded and those that were there. Raises the first failure, after the others."""
    with ThreadPoolExecutor(workers or 4) as pool:
        results = [(name, pool.submit(files.upload, path, name)) for path, name in pairs]
    uploaded = [name for name, done in results if done.exception() is None and done.result()]
    skipped = [name for name, done in results if done.exception() is None and not done.result()]
    for name, done in results:
        if done.exception() is not None:
            logger.error("%s: %s", name, done.exception())
    for _, done in results:
        done.result()
    return uploaded, skipped


def _submit(study: Any, institute_id: str, password: str) -> None:
    from igtcloud.client.services.entities.model.electronic_record_state import ElectronicRecordState

    state = ElectronicRecordState(username=str(entities_service.auth_handler.username), password=password,
                                  electronic_record_state="submitted")
    entities_service.post_study_electronic_record_state(institute_id, study.study_database_id, state)
