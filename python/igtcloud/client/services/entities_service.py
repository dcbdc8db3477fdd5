# SPDX-License-Identifier: MIT
"""The entities service, the collections of its models, and their files.

A file is downloaded, uploaded and read by the library: by its key, with credentials that the library keeps
for each prefix, from any number of threads.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
import weakref
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional

from igtcloud.client import _lazy
from igtcloud.client._lock import Lock
from igtcloud.client.core import auth as _auth
from igtcloud.client.services import _api_client
from igtcloud.client.services.base_service import BaseService, CollectionWrapper
from igtcloud.client.services.entities.apis import (ApplicationsApi, CaseLabelsApi, EpdSitesApi, InstitutesApi,
                                                    IntegrationsApi, OrganizationsApi, ProjectsApi, ReportsApi,
                                                    TasksApi, UsersApi)
from igtcloud.client.services.entities.model.file import File
from igtcloud.client.services.utils.s3 import S3File

if TYPE_CHECKING:
    from igtcloud.client import _errors, _library
else:
    _errors, _library = _lazy.Module("igtcloud.client._errors"), _lazy.Module("igtcloud.client._library")

_APIS = (ProjectsApi, InstitutesApi, IntegrationsApi, UsersApi, OrganizationsApi, ReportsApi, ApplicationsApi,
         CaseLabelsApi, EpdSitesApi, TasksApi)
# Behind it the library keeps ranges of its own, and fetches the next ones ahead.
_BUFFER_BYTES = 256 * 1024
_CREDENTIALS_LEFT = timedelta(hours=1)


class EntitiesService(BaseService, ProjectsApi, InstitutesApi, IntegrationsApi, UsersApi, OrganizationsApi, ReportsApi,
                      ApplicationsApi, CaseLabelsApi, EpdSitesApi, TasksApi):
    """The operations of /api/data."""

    def __init__(self, api_client: Any) -> None:
        BaseService.__init__(self, api_client, "/api/data")
        for api in _APIS:
            api.__init__(self, api_client)

    @property
    def study_type_classes(self) -> Dict[str, type]:
        """Class of each study type, by its name."""
        from igtcloud.client.services.entities.model.root_study import RootStudy

        return (RootStudy.discriminator or {})["study_type"]

    @property
    def series_type_classes(self) -> Dict[str, type]:
        """Class of each series type, by its name."""
        from igtcloud.client.services.entities.model.series import Series

        return (Series.discriminator or {})["series_type"]


# ---- collections ----

class _Order:
    """The collections of files in the order in which they were listed.

    A program that works through them, as a loop over studies does, would wait for credentials at the first file of
    each, and so would all threads of a pool. After the first step from one to the next, those of the following ones
    are requested before they are needed: of as many as were used among the last ones, so never more than twice what
    the program needs."""

    _LOOK_BACK = 32  # threads in a pool, which begin as many studies of one file at the same time
    _NEAR = 4  # a step further is none

    def __init__(self) -> None:
        self._lock, self._count = Lock(threading.RLock), 0  # a handler of a signal may use a collection, too
        self._listed: "weakref.WeakValueDictionary[int, FilesCollectionWrapper]" = weakref.WeakValueDictionary()

    def add(self, collection: "FilesCollectionWrapper") -> int:
        with self._lock:
            self._count += 1
            self._listed[self._count] = collection
            return self._count

    def after(self, collection: "FilesCollectionWrapper") -> List[str]:
        """The prefixes to prepare now that a collection is used for the first time."""
        with self._lock:
            if collection._is_used:
                return []
            collection._is_used = collection._is_prepared = True
            place = collection._place
            used = [self._has_been_used(place - n) for n in range(1, self._LOOK_BACK + 1)]
            ahead = sum(used) if any(used[:self._NEAR]) else 0
            following = (self._listed.get(place + n) for n in range(1, ahead + 1))
            return [self._prepared(one) for one in following
                    if one and not one._is_prepared and one._session() is collection._session() is not None]

    def _has_been_used(self, place: int) -> bool:
        one = self._listed.get(place)
        return one is not None and one._is_used

    @staticmethod
    def _prepared(collection: "FilesCollectionWrapper") -> str:
        collection._is_prepared = True
        return collection.s3_prefix


_order = _Order()


def _session_in_use() -> Callable[[], Any]:
    """Returns it, or None once it has ended: an id() would be that of a later one, too."""
    from igtcloud.client.services import entities_service

    handler = entities_service._auth_handler
    try:
        return weakref.ref(handler)
    except TypeError:  # a program's own, or none
        return lambda: handler


class FilesCollectionWrapper(CollectionWrapper[File]):
    """The files below a prefix. Two files are the same if their keys are."""

    def __init__(self, s3_prefix: str, iterable: Optional[Iterable[File]] = None,
                 f_init: Optional[Callable[[], Iterable[File]]] = None,
                 f_extend: Optional[Callable[[List[File]], Iterable[File]]] = None,
                 f_remove: Optional[Callable[[File], Any]] = None,
                 f_auth: Optional[Callable[[str, str], Any]] = None,
                 f_callback: Optional[Callable[[File], Any]] = None, category: str = "files",
                 owner_prefix: str = "") -> None:
        self.s3_prefix = s3_prefix if s3_prefix.endswith("/") else s3_prefix + "/"
        self.category = category
        self._owner_prefix = owner_prefix  # what is elsewhere is another study's, perhaps another patient's
        self._extend = f_extend
        self._auth = f_auth
        self._callback = f_callback
        self._credentials: Dict[str, Any] = {}
        self._is_used = self._is_prepared = False  # by downloads; guarded by _order
        self._session = _session_in_use()  # no other cloud is asked about this prefix
        self._place = _order.add(self)
        super().__init__(iterable, f_init, self._add_file if callable(f_extend) else None, f_remove)
        self._adopt(self)

    def _loaded(self) -> Iterable[File]:
        return self._adopt(super()._loaded())

    def _adopt(self, files: Iterable[File]) -> List[File]:
        files = list(files)
        for file in files:
            file._collection = self
        return files

    def _position(self, file: object) -> int:
        """-1: it is not there."""
        if not isinstance(file, File):
            return -1
        key = file.get("key")
        return next((i for i, item in enumerate(self) if item.get("key") == key), -1)

    def __contains__(self, file: object) -> bool:
        return self._position(file) >= 0

    def index(self, file: File, *limits: Any) -> int:
        at = self._position(file)
        if at < 0:
            raise ValueError(f"{file!r} is not in the collection")
        return at

    def _add_file(self, file: File) -> Optional[File]:
        if file in self:
            return None
        return self._register([file])[0]

    def _register(self, files: List[File]) -> List[File]:
        """What the cloud made of them, in their order: it may return all files of the collection."""
        assert self._extend is not None
        made = {item.key: item for item in self._extend(files) or ()}
        return self._adopt(made.get(file.key, file) for file in files)

    def extend(self, files: Iterable[File]) -> None:
        """Registers all of them with one request; those that are there already are left out."""
        if not callable(self._extend):
            raise RuntimeError("Not supported")
        known = {item.key for item in self}
        fresh = list({file.key: file for file in files if file.key not in known}.values())
        if fresh:
            list.extend(self, self._register(fresh))

    def insert(self, index: Any, file: File) -> None:
        super().insert(index, file)

    def remove(self, file: File) -> None:
        """Deletes it in the cloud and from the collection, by its key."""
        if not callable(self._remove):
            raise RuntimeError("Not supported")
        self._remove(file)
        del self[self.index(file)]

    def get_credentials(self, action: str) -> Any:
        """S3 credentials of the prefix for GET or PUT, kept while they have an hour or more left."""
        kept = self._credentials.get(action)
        if kept is None or _expires(kept) - datetime.now(timezone.utc) < _CREDENTIALS_LEFT:
            if not callable(self._auth):
                raise RuntimeError("No method for retrieving credentials")
            kept = self._credentials[action] = self._auth(action, self.s3_prefix)
        return kept

    def upload(self, filename: Any, key: Optional[str] = None, overwrite: bool = False,
               callback: Optional[Callable[[int], Any]] = None, trigger_action: bool = True,
               client_kwargs: Optional[Dict[str, Any]] = None) -> bool:
        """Uploads a local file. Returns False if it is there already, complete and of the same size.

        filename: a path. key: its name below the prefix; None: the file's own name. overwrite: upload it
        in any case. callback: called with numbers of bytes as they go, from other threads, too.
        trigger_action: process it, once it is stored. client_kwargs: ignored.

        Raises FileNotFoundError, other OSErrors of reading, InvalidArgument (a name that leads out of the
        prefix, or something other than a file), and ApiException. Nothing is registered for a name or a
        file that cannot be uploaded.
        """
        return self._upload(filename, key, overwrite, callback, trigger_action)

    def _upload(self, filename: Any, key: Optional[str], overwrite: bool = False,
                callback: Optional[Callable[[int], Any]] = None, trigger_action: bool = True,
                follow_links: bool = True) -> bool:
        """follow_links: False for what was found in a folder."""
        path = os.path.abspath(os.fspath(filename))
        if not os.path.exists(path):
            raise FileNotFoundError(errno.ENOENT, f"File {os.fspath(filename)} not found", path)
        size = os.path.getsize(path)
        name = os.path.basename(path) if key is None else os.fspath(key)
        _translated(lambda: _library.check_object(self.s3_prefix, self.s3_prefix + name))
        _check_content(path)
        file = self._entry(self.s3_prefix + name, size)
        if file.get("is_completed") and file.get("file_size") == size and not overwrite:
            if callback is not None:
                callback(size)
            return False
        _transfer(lambda client: client.upload_object(self.s3_prefix, file.key, path, callback, follow_links))
        self._note_upload(file, path, size)
        if trigger_action and callable(self._callback):
            self._callback(file)
        return True

    def _entry(self, key: str, size: int) -> File:
        """The file of this key, registered if it is a new one."""
        fresh = File(key=key, file_size=size)
        at = self._position(fresh)
        if at >= 0:
            return self[at]
        if not callable(self._add):
            # As for annotations of a study: known to the list alone.
            raise RuntimeError("Not supported")
        made = self.append(fresh)
        return made if made is not None else self[self.index(fresh)]

    def _note_upload(self, file: File, path: str, size: int) -> None:
        file.is_completed = True
        file.is_new = False
        file.file_size = size
        file.progress_in_bytes = size
        file.progress_percentage = 100
        file.type = os.path.splitext(path)[1]
        file.file_name = file.key[len(self.s3_prefix):]


def _check_content(path: str) -> None:
    """By the time the library looks, the file is registered, and would stay there without content."""
    if not os.path.isfile(path):
        raise _errors.from_details(_errors.Details("IGT_E_INVALID", f"'{path}' is not a regular file"))
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def _expires(credentials: Any) -> datetime:
    """Their end, in UTC unless an offset says otherwise; the distant past if it cannot be read."""
    try:
        end = datetime.fromisoformat(str(credentials.expires).strip().replace(" ", "T", 1).replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return datetime.min.replace(tzinfo=timezone.utc)
    return end if end.tzinfo else end.replace(tzinfo=timezone.utc)


def no_setter(self: Any, value: Any) -> None:
    """Assigning to a collection has no effect."""


def get_project_institutes(service: EntitiesService, project: Any) -> CollectionWrapper[Any]:
    """The same as project.institutes."""
    found: CollectionWrapper[Any] = project._collection_named("institutes", lambda: _load_project_institutes(service, project))
    return found


def get_institute_studies(service: EntitiesService, institute: Any) -> CollectionWrapper[Any]:
    """The same as institute.studies."""
    found: CollectionWrapper[Any] = institute._collection_named("studies", lambda: _load_institute_studies(service, institute))
    return found


def get_institute_dicom(institute: Any) -> FilesCollectionWrapper:
    """The same as institute.dicom."""
    found: FilesCollectionWrapper = institute._collection_named("dicom", lambda: _load_institute_dicom(institute))
    return found


def get_study_series(service: EntitiesService, study: Any) -> CollectionWrapper[Any]:
    """The same as study.series."""
    found: CollectionWrapper[Any] = study._collection_named("series", lambda: _load_study_series(service, study))
    return found


def get_study_files(service: EntitiesService, study: Any) -> FilesCollectionWrapper:
    """The same as study.files."""
    found: FilesCollectionWrapper = study._collection_named("files", lambda: _load_study_files(service, study))
    return found


def get_dicom_files(service: EntitiesService, study: Any) -> FilesCollectionWrapper:
    """The same as study.dicom."""
    found: FilesCollectionWrapper = study._collection_named("dicom", lambda: _load_dicom_files(service, study))
    return found


def get_annotation_files(service: EntitiesService, study: Any) -> FilesCollectionWrapper:
    """The same as study.annotations."""
    found: FilesCollectionWrapper = study._collection_named("annotations", lambda: _load_annotation_files(service, study))
    return found


def get_project_files(service: EntitiesService, project: Any) -> FilesCollectionWrapper:
    """The same as project.files."""
    found: FilesCollectionWrapper = project._collection_named("files", lambda: _load_project_files(service, project))
    return found


def _load_project_institutes(service: EntitiesService, project: Any) -> CollectionWrapper[Any]:
    return CollectionWrapper(project.get("institutes"), lambda: service.get_institutes(project.id),
                             lambda institute: service.post_institutes(project.id, institute))


def _load_institute_studies(service: EntitiesService, institute: Any) -> CollectionWrapper[Any]:
    return CollectionWrapper(institute.get("studies"), lambda: _of_institute(service.get_studies(institute.id), institute.id),
                             lambda study: service.post_studies(institute.id, study),
                             lambda study: service.delete_study(institute.id, study.study_database_id))


def _wrong_list(said: str) -> _errors.IgtError:
    return _errors.from_details(_errors.Details("IGT_E_TYPE", said))


def _of_institute(studies: Any, institute: str) -> List[Any]:
    """A response of the cloud, or of a cache in between, may be that to another request."""
    found = list(studies or ())
    for study in found:
        if (study.get("institute_id") or institute).lower() != institute.lower():
            raise _wrong_list(f"the cloud lists a study of another institute: {study.study_database_id} is of "
                              f"{study.get('institute_id')}; try again, and report it to the cloud's support")
    return found


def _load_institute_dicom(institute: Any) -> FilesCollectionWrapper:
    import uuid  # which imports platform: together they take as long as a service

    common = institute.s3_prefix + "Import/"
    return FilesCollectionWrapper(f"{common}{uuid.uuid4()}/", f_extend=lambda files: files, f_auth=s3_creds,
                                  f_callback=lambda file: update_database(institute, file, common))


def _load_study_series(service: EntitiesService, study: Any) -> CollectionWrapper[Any]:
    ids = study.institute_id, study.study_database_id
    return CollectionWrapper(None, lambda: service.get_study_series_list(*ids),
                             lambda series: service.put_study_series(*ids, series.series_database_id, series),
                             lambda series: service.delete_study_series(*ids, series.series_database_id))


def _load_study_files(service: EntitiesService, study: Any) -> FilesCollectionWrapper:
    ids = study.institute_id, study.study_database_id
    return FilesCollectionWrapper(study.s3_prefix + "files/", f_init=lambda: _listed(service.get_study_files(*ids), "files"),
                                  f_extend=lambda files: _listed(service.post_study_files(*ids, files), "files"),
                                  f_remove=lambda file: service.delete_study_files(*ids, keys=[file.key]),
                                  f_auth=s3_creds, f_callback=lambda file: file_upload_completed(service, study, file),
                                  owner_prefix=study.s3_prefix)


def _load_dicom_files(service: EntitiesService, study: Any) -> FilesCollectionWrapper:
    return FilesCollectionWrapper(study.s3_prefix + "0/", f_init=lambda: get_aux_files(service, study, "dicom"),
                                  f_auth=s3_creds, category="dicom", owner_prefix=study.s3_prefix)


def _load_annotation_files(service: EntitiesService, study: Any) -> FilesCollectionWrapper:
    return FilesCollectionWrapper(study.s3_prefix + "annotations/",
                                  f_init=lambda: get_aux_files(service, study, "annotations"),
                                  f_extend=lambda files: files, f_auth=s3_creds, category="annotations",
                                  owner_prefix=study.s3_prefix)


def _load_project_files(service: EntitiesService, project: Any) -> FilesCollectionWrapper:
    return FilesCollectionWrapper(project.s3_prefix, f_init=lambda: _listed(service.get_project_files(project.id), "files"),
                                  f_extend=lambda files: _listed(service.post_project_files(project.id, files), "files"),
                                  f_remove=lambda file: service.delete_project_files(project.id, keys=[file.key]),
                                  f_auth=s3_creds, owner_prefix=project.s3_prefix)


def _listed(files: Any, name: str) -> List[File]:
    return files.get(name) or [] if files is not None else []


def get_aux_files(service: EntitiesService, study: Any, aux: str) -> List[File]:
    """The files of a study that the cloud keeps beside its own: dicom or annotations."""
    return _listed(service.get_study_files(study.institute_id, study.study_database_id, auxiliary="True"), aux)


# ---- credentials, and what follows an upload ----

def s3_creds(action: str, s3_prefix: str) -> Any:
    """S3 credentials of a prefix for GET or PUT; None if the cloud gives none."""
    from igtcloud.client.services import auth_service

    policies = auth_service.get_s3_credentials_resource(action, prefix=s3_prefix).get("policy_credentials")
    return policies[0].credentials if policies else None


def get_file_creds(file: File, action: str) -> Any:
    """The same as file.credentials(action)."""
    if file._collection is not None:
        return file._collection.get_credentials(action)
    return s3_creds(action, file.key)


def get_category(file: File) -> str:
    """The same as file.category."""
    return file.category


def file_upload_completed(service: EntitiesService, study: Any, file: File) -> None:
    """Tells the cloud that a study's file is stored, so that it is processed."""
    from igtcloud.client.services.entities.model.file_upload_completed import FileUploadCompleted

    service.post_study_files_upload_completed(study.institute_id, study.study_database_id,
                                              FileUploadCompleted(uploaded_path=str(file.file_name), trigger_action=True))


def update_database(institute: Any, file: File, common_prefix: str) -> None:
    """Sorts an institute's uploaded DICOM files into studies."""
    from igtcloud.client.services import action_service
    from igtcloud.client.services.action.model.update_database_request import UpdateDatabaseRequest

    path = file.key[len(common_prefix):] if file.key.startswith(common_prefix) else file.key
    action_service.post_update_database(
        UpdateDatabaseRequest(hospital_id=institute.id, uploaded_path=path, is_prefix=True))


# ---- files ----

def _transfer(work: Callable[[_library.Client], Any]) -> Any:
    """The result of work, which the current session's client does; failures as the exceptions of services."""
    from igtcloud.client.services import entities_service

    client = _auth.client_of(entities_service.auth_handler)
    return _translated(lambda: work(client))


def _translated(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except _errors.IgtError as error:
        raise _as_script_expects(error) from None


def _as_script_expects(error: _errors.IgtError) -> BaseException:
    """What is wrong on this machine is an OSError; a missing object botocore's ClientError as well, if the
    program has imported botocore; the rest an ApiException."""
    if isinstance(error, (_errors.LocalError, _errors.InvalidArgument, _errors.IntegrityError, _errors.OutOfMemory)):
        return error
    return _api_client.without_response(error, in_store=True)


def _prepare(client: _library.Client, file: File) -> None:
    """For the file's collection and those that come next."""
    collection = file._collection
    if collection is not None and not collection._is_used:
        for prefix in _order.after(collection):
            client.prepare_object(prefix)


def _prefix_of(file: File) -> str:
    """The prefix that the file's credentials are for: its collection's, else its folder."""
    key, collection = str(file.key), file._collection
    if collection is not None and key.startswith(collection.s3_prefix):
        prefix: str = collection.s3_prefix
        return prefix
    if collection is not None and not key.startswith(collection._owner_prefix):
        raise _wrong_list(f"the cloud lists '{file.get('file_name')}' with a key that is not below the s3Prefix "
                          f"'{collection._owner_prefix}'; report it to the cloud's support")
    return key[:key.rfind("/") + 1] or key


def download_file(file: File, destination_dir: Any, overwrite: bool = True,
                  callback: Optional[Callable[[int], Any]] = None, include_modified_date: bool = False,
                  client_kwargs: Optional[Dict[str, Any]] = None) -> bool:
    """Downloads a file to destination_dir/file_name, whose folders are created. True: it was downloaded.

    The file appears or is replaced at once, complete and verified. Returns False for a file whose upload is
    incomplete and, with overwrite=False, if a local one has its size. callback: called with numbers of bytes
    as they arrive, from other threads, too. include_modified_date: with the object's time. client_kwargs:
    ignored.

    Raises ValueError for a name that leads out of destination_dir, OSError for what fails on this machine,
    ApiException for refusals, a missing object and network failures.
    """
    if not file.get("is_completed"):
        return False
    folder, name = os.path.abspath(os.fspath(destination_dir)), str(file.file_name)
    destination, size = os.path.join(folder, name), file.get("file_size")
    if not overwrite and _is_there(destination, size):
        if callback is not None:
            callback(size)
        return False
    os.makedirs(folder, exist_ok=True)

    def download(client: _library.Client) -> None:
        _prepare(client, file)
        client.download_object(_prefix_of(file), file.key, size, folder, name, include_modified_date, callback)
    _transfer(download)
    return True


def _is_there(path: str, size: Any) -> bool:
    """A file of this size, and no link to one."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def download_fileobj(file: File, file_obj: Any) -> None:
    """Writes the content to a binary file object: from offset 0 if it is seekable, else in order."""
    with open_file(file, buffering=0) as source:
        if getattr(file_obj, "seekable", bool)():
            file_obj.seek(0)
        while True:
            part = source.read(1024 ** 2)
            if not part:
                return
            file_obj.write(part)


def open_file(file: File, mode: str = "rb", buffering: int = -1, **kwargs: Any) -> Any:
    """Opens the content for reading, by ranges of one version of the object.

    Binary: an io.BufferedReader; `buffering` is its size, 0 gives the raw S3File. Text ("r"): an
    io.TextIOWrapper, to which encoding, newline and errors are passed.
    """
    if "r" not in mode:
        raise RuntimeError("Mode should contain 'r'")
    raw = S3File(file, mode)
    try:
        if "b" not in mode:
            return io.TextIOWrapper(io.BufferedReader(raw), **kwargs)
        if buffering == 0:
            return raw
        return io.BufferedReader(raw, buffering if buffering > 0 else kwargs.get("buffer_size", _BUFFER_BYTES))
    except BaseException:
        raw.close()
        raise


def get_s3_client(file: File, action: str, **client_kwargs: Any) -> Any:
    """A boto3 client with the file's credentials, for what this package does not do. Needs boto3."""
    import boto3  # type: ignore[import]

    credentials = file.credentials(action)
    if not credentials:
        raise RuntimeError("No valid credentials")
    return boto3.client("s3", aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key,
                        aws_session_token=credentials.session_token, **client_kwargs), credentials.bucket


def get_s3_file_metadata(file: File, action: str = "GET", **client_kwargs: Any) -> Any:
    """The object's HEAD, as boto3 gives it; without boto3 its ContentLength, ETag and LastModified."""
    try:
        client, bucket = get_s3_client(file, action, **client_kwargs)
    except ModuleNotFoundError:
        return _transfer(lambda client: _head_of(client.stat_object(_prefix_of(file), file.key)))
    return client.head_object(Bucket=bucket, Key=file.key)


def _head_of(found: Any) -> Dict[str, Any]:
    modified = datetime.fromtimestamp(found.modified, timezone.utc) if found.modified else None
    return {"ContentLength": found.size, "ETag": f'"{found.etag}"', "LastModified": modified}


