# SPDX-License-Identifier: MIT
"""Uploading a folder to a project."""

from __future__ import annotations

import errno
import getpass
import json
import logging
import os
import stat
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Dict, Iterable, List, Optional, Tuple

from igtcloud.client import native
from igtcloud.client._local import files_below, kind_of
from igtcloud.client.services import entities_service
from igtcloud.client.tools.common import run_native, study_key

__all__ = ["upload_project", "upload_study", "upload_annotation_files", "upload_project_files"]

logger = logging.getLogger(__name__)
_SIDECAR = "study.json"
_SIDECAR_BYTES = 8 << 20
_DIVIDED = ("files", "dicom")  # folders of a download of several categories
_PARTS = ("study_id", "visit_name", "instance_uid")  # what tells a patient's studies apart


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
    """Uploads local_folder/INSTITUTE/PATIENT---STUDY/... as annotations of those studies of the institutes.

    Folders that are no study of their institute, or of several, are logged; when everything else is complete,
    native.NotFound or native.Ambiguous is raised (both are LookupErrors).
    """
    unmatched: List[Exception] = []
    for institute in institutes:
        root = os.path.join(os.fspath(local_folder), _plain(institute.name))
        if not os.path.isdir(root):
            continue
        studies = _by_folder(institute.studies)
        for name in _folders_in(root):
            try:
                study = _only_study(studies.get(unicodedata.normalize("NFC", name), []), os.path.join(root, name))
            except LookupError as error:
                logger.error("%s", error)
                unmatched.append(error)
                continue
            _upload_files(study.annotations, _study_files(os.path.join(root, name)), max_workers_files)
    if unmatched:
        raise unmatched[0]


def _plain(name: Any) -> str:
    """A name of the cloud that is to be one of a folder here: it leads nowhere else."""
    if name in (None, "", ".", "..") or "/" in name:
        raise native.InvalidArgument(f"'{name}' cannot be the name of a folder")
    return str(name)


def _by_folder(studies: Iterable[Any]) -> Dict[str, List[Any]]:
    """The studies that each name of a folder stands for."""
    found: Dict[str, List[Any]] = {}
    for study in studies:
        name = (study.get("study_id_human_readable") or "").replace("/", "---")
        found.setdefault(unicodedata.normalize("NFC", name), []).append(study)
    return found


def _only_study(found: List[Any], folder: str) -> Any:
    if len(found) == 1:
        return found[0]
    if not found:
        raise native.NotFound(f"{folder}: the institute has no such study, so the folder was left out")
    raise native.Ambiguous(f"{folder}: {len(found)} studies of the institute match: "
                           f"{', '.join(str(study.study_database_id) for study in found)}")


def _folders_in(folder: str) -> List[str]:
    return sorted(name for name in os.listdir(folder) if kind_of(os.path.join(folder, name)) == stat.S_IFDIR)


def upload_study(study_type: str, study_folder: Any, patient_name: str, institute_id: str, studies: Any,
                 _submit_password: Optional[str] = None, max_workers_files: Optional[int] = None,
                 client_kwargs: Optional[Any] = None) -> Tuple[Any, List[str], List[str]]:
    """Uploads a folder as one study, which is found among `studies` or added to them.

    Returns the study, the names of the files that were uploaded, and of those that were there. The study is
    submitted with that password once all files are there. Raises what the first failing file raises, when the
    others are complete. Links and what is no file are left out, with a warning; a folder that cannot be read, or
    from which nothing could be sent, is an error, and creates no study.
    """
    folder = os.fspath(study_folder)
    local, is_described = _study_of(study_type, folder, patient_name, institute_id)
    pairs = _files_of_study(folder)
    study = _matching(local, studies, folder)
    if study is None and not pairs and not is_described:
        raise native.InvalidArgument(f"{folder}: it contains no files, so no study was created")
    study = studies.append(local) if study is None else study
    if study is None:
        raise RuntimeError(f"Error creating study for {patient_name}")
    uploaded, skipped = _upload_files(study.files, pairs, max_workers_files)
    if _submit_password is not None:
        _submit(study, institute_id, _submit_password)
    return study, uploaded, skipped


def upload_project_files(project: Any, files_folder: Any, max_workers_files: Optional[int] = None) -> None:
    """Uploads the files of a folder as the project's own. Links are left out, with a warning."""
    if not os.path.isdir(files_folder):
        logger.info("'files' is not a directory. Skipping project files upload...")
        return
    uploaded, skipped = _upload_files(project.files, _study_files(os.fspath(files_folder)), max_workers_files)
    logger.info("Project: %s files_uploaded: %d, files_skipped: %d", project.get("name"), len(uploaded), len(skipped))


# ---- the right study ----

def _matching(local: Any, studies: Any, folder: str) -> Any:
    """The study of the institute that the folder is, or None. One that its study.json contradicts is none."""
    same = [study for study in studies if study_key(study) == study_key(local)]
    named = [study for study in studies if study.get("study_database_id")
             and study.get("study_database_id") == local.get("study_database_id")]
    if named and named[0] not in same:
        raise native.Ambiguous(f"{folder}: its study.json has the studyDatabaseId of another study, of "
                               f"'{study_key(named[0])}', so nothing was sent")
    found = named or [study for study in same if not _differ(study, local)]
    if len(found) > 1:
        raise native.Ambiguous(f"{folder}: {len(found)} studies of the institute match: "
                               f"{', '.join(study.study_database_id for study in found)}")
    if found and _differ(found[0], local):
        raise native.Ambiguous(f"{folder}: its study.json contradicts the study that has its studyDatabaseId, so nothing "
                               "was sent")
    return found[0] if found else None


def _differ(one: Any, other: Any) -> bool:
    """Both say which of the patient's studies it is, or which patient of this name, and not the same."""
    pairs = [(one.get(name), other.get(name)) for name in _PARTS] + [(_patient_id(one), _patient_id(other))]
    return any(a and b and a != b for a, b in pairs)


def _patient_id(study: Any) -> Any:
    """Where one was given beside the name, which is not unique."""
    patient = study.get("patient")
    id_ = patient.get("patient_id") if patient else None
    return None if patient and id_ == patient.get("patient_name") else id_


def _study_of(study_type: str, folder: str, patient_name: str, institute_id: str) -> Tuple[Any, bool]:
    """A study by the folder's study.json; without one (False), by the name of its patient. A study.json that cannot be
    read is an error: the files would get to a new study."""
    from igtcloud.client.services.entities.model.patient import Patient
    from igtcloud.client.services.entities.model.root_study import RootStudy
    from igtcloud.client.services.entities.model_utils import validate_and_convert_types

    path = os.path.join(folder, _SIDECAR)
    text = _sidecar_text(path)
    if text is not None:
        try:
            data = {**json.loads(text), "studyType": study_type}
        except (TypeError, ValueError) as error:
            raise native.InvalidArgument(f"{path} is no study: {error}") from error
        return validate_and_convert_types(data, (RootStudy,), ["received_data"], True, True,
                                          configuration=entities_service.api_client.configuration), True
    study_class: Any = entities_service.study_type_classes[study_type]
    known = study_class.attribute_map
    fields = {name: patient_name for name in ("name", "clinical_study", "subject_id") if name in known}
    study = study_class(study_type=study_type, institute_id=institute_id, **fields)
    if "patient" in known:
        study.patient = Patient(patient_id=patient_name, patient_name=patient_name)
    return study, False


def _sidecar_text(path: str) -> Optional[str]:
    """None only if there is none: what cannot be looked at may be there. Of the folder alone: a link may lead to any
    file, whose members everyone in the project could read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise native.InvalidArgument(f"{path}: it is a link, and links are not followed") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise native.InvalidArgument(f"{path}: it is not a regular file")
        with open(handle, "rb", closefd=False) as source:
            data = source.read(_SIDECAR_BYTES + 1)
    finally:
        os.close(handle)
    if len(data) > _SIDECAR_BYTES:
        raise native.InvalidArgument(f"{path}: it has more than {_SIDECAR_BYTES >> 20} MiB")
    return data.decode("utf-8-sig")


# ---- the folder's files ----

def _files_of_study(folder: str) -> List[Tuple[str, str]]:
    """Those in its folder `files`, if a download of several categories has divided it; what lies beside is named."""
    names = os.listdir(folder)
    if not any(os.path.isdir(os.path.join(folder, name)) for name in _DIVIDED if name in names):
        return _study_files(folder)
    if "files" not in names:
        raise native.InvalidArgument(f"{folder}: it has a folder 'dicom' and none called 'files', so nothing of it is "
                                     f"uploaded; native.upload(category='dicom') sends DICOM")
    for name in sorted(set(names) - {"files", _SIDECAR}):
        logger.warning("%s: left out: it lies beside the folder 'files'", os.path.join(folder, name))
    files = os.path.join(folder, "files")
    return _study_files(files) if kind_of(files) == stat.S_IFDIR else []


def _study_files(folder: str) -> List[Tuple[str, str]]:
    """(path, name) of each file; the sidecar is none."""
    return [pair for pair in files_below(folder) if pair[1] != _SIDECAR]


def _upload_files(files: Any, pairs: List[Tuple[str, str]], workers: Optional[int]) -> Tuple[List[str], List[str]]:
    """The names that were uploaded and those that were there. Raises the first failure, after the others."""
    with ThreadPoolExecutor(workers or 4) as pool:
        send = partial(files._upload, follow_links=False)
        results = [(name, pool.submit(send, path, name)) for path, name in pairs]
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
