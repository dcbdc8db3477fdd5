# SPDX-License-Identifier: MIT
"""What models can do besides having fields: collections of projects, institutes and studies, and files.

The classes of models (_models.py) get these mixins as their first base. A property of a mixin hides the field
of its name; nothing here is a field.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, Optional

from igtcloud.client._lock import Lock

_locks_lock = Lock()


def _module() -> Any:
    import sys

    import igtcloud.client.services  # noqa: F401  the module behind the object of the same name

    return sys.modules["igtcloud.client.services.entities_service"]


def _service() -> Any:
    from igtcloud.client.services import entities_service

    return entities_service


class _HasCollections:
    """Loads each collection once, at first use, and keeps it."""

    _collections: Optional[Dict[str, Any]] = None
    _collections_lock: Any = None

    def _collection_named(self, name: str, load: Callable[[], Any]) -> Any:
        with _locks_lock:
            if self._collections is None:
                self._collections, self._collections_lock = {}, Lock(threading.RLock)
        with self._collections_lock:  # several threads, one request
            if name not in self._collections:
                self._collections[name] = load()
            return self._collections[name]


def _collection(name: str, loader: str, needs_service: bool = True) -> Any:
    """A property that calls a function of entities_service: there programs find it, and replace it."""

    def load(model: Any) -> Any:
        function = getattr(_module(), loader)
        return model._collection_named(name, lambda: function(*((_service(),) if needs_service else ()), model))

    def ignore(model: Any, value: Any) -> None:
        """Assigning has no effect."""

    return property(load, ignore)


class ProjectMixin(_HasCollections):
    institutes = _collection("institutes", "_load_project_institutes")
    files = _collection("files", "_load_project_files")

    def to_dataframe(self, files: bool = False) -> Any:
        """The studies of all institutes as a pandas.DataFrame: a row for each study, or with files=True
        for each file. See igtcloud.client.frames."""
        from igtcloud.client import frames

        make = frames.files if files else frames.studies
        return make(self.institutes, self.name)  # type: ignore[attr-defined]


class InstituteMixin(_HasCollections):
    studies = _collection("studies", "_load_institute_studies")
    dicom = _collection("dicom", "_load_institute_dicom", needs_service=False)

    def to_dataframe(self, files: bool = False) -> Any:
        """The studies as a pandas.DataFrame: a row for each study, or with files=True for each file. See
        igtcloud.client.frames."""
        from igtcloud.client import frames

        return (frames.files if files else frames.studies)([self])


class StudyMixin(_HasCollections):
    series = _collection("series", "_load_study_series")
    files = _collection("files", "_load_study_files")
    dicom = _collection("dicom", "_load_dicom_files")
    annotations = _collection("annotations", "_load_annotation_files")


class FileMixin:
    """A file of the cloud."""

    _collection: Any = None  # the FilesCollectionWrapper that it belongs to

    @property
    def category(self) -> str:
        """files, dicom or annotations."""
        category: str = self._collection.category if self._collection is not None else "files"
        return category

    @category.setter
    def category(self, value: Any) -> None:
        """Assigning has no effect."""

    def credentials(self, action: str) -> Any:
        """S3 credentials for GET or PUT; None if the cloud gives none."""
        return _module().get_file_creds(self, action)

    def download(self, destination_dir: Any, overwrite: bool = True,
                 callback: Optional[Callable[[int], Any]] = None, include_modified_date: bool = False,
                 client_kwargs: Optional[Dict[str, Any]] = None) -> bool:
        """Downloads to destination_dir/file_name. See download_file()."""
        done: bool = _module().download_file(self, destination_dir, overwrite, callback, include_modified_date,
                                             client_kwargs)
        return done

    def download_fileobj(self, file_obj: Any) -> None:
        """Writes the content to a binary file object. See download_fileobj()."""
        _module().download_fileobj(self, file_obj)

    def open(self, mode: str = "rb", buffering: int = -1, **kwargs: Any) -> Any:
        """Opens the content for reading, by ranges. See open_file()."""
        return _module().open_file(self, mode, buffering, **kwargs)


# A literal: generate.py reads it.
MIXINS: Dict[str, type] = {
    "Project": ProjectMixin,
    "Institute": InstituteMixin,
    "File": FileMixin,
    "AnnotationStudy": StudyMixin,
    "BaseStudy": StudyMixin,
    "ClinicalImageLibraryStudy": StudyMixin,
    "CoreLabsStudy": StudyMixin,
    "EchoNavStudy": StudyMixin,
    "EpdStudy": StudyMixin,
    "IGuideUStudy": StudyMixin,
    "MarvelStudy": StudyMixin,
    "RootStudy": StudyMixin,
    "Study": StudyMixin,
    "WeTrustStudy": StudyMixin,
}
