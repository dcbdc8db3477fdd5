# SPDX-License-Identifier: MIT
"""Whole studies and projects, as the `igtcloud` command transfers them.

    from igtcloud.client import native
    summary = native.download("studies", "My project", "Hospital A", start="2026-01-01", report="moved.jsonl")

Every file is verified, appears under its final name only when it is complete, and what an interrupted run has
moved is not moved again. download(), upload(), verify() and manifest() return a Summary; if single files fail the
others are completed, and SomeFailed is raised, which has the summary and the failed items.

Requests are sent with the session that set_auth() has set, or with `auth`. Callbacks are called in the caller's
thread; an exception of theirs ends the transfer and is raised. Ctrl-C ends it, too. igtcloud.aio has the same for asyncio.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import secrets
import select
from dataclasses import dataclass, field, fields
from typing import (IO, TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple,
                    TypeVar, Union, cast)

from igtcloud.client import _errors, _library
from igtcloud.client._errors import (Ambiguous, Cancelled, FileChanged, Forbidden, IgtError, IntegrityError,
                                     InternalError, InvalidArgument, InvalidResponse, LimitExceeded, LocalError,
                                     LocalFileNotFound, LocalPermissionDenied, NetworkError, NotFound, OutOfMemory,
                                     Refused, SessionExpired, SignInFailed, TimedOut, TlsError, Unauthorized,
                                     Unsupported)
from igtcloud.client._hints import in_python
from igtcloud.client._library import TransferCancel as Cancel
from igtcloud.client._native import ffi, lib
from igtcloud.client._private import open_private

if TYPE_CHECKING:
    from igtcloud.client.core.auth import AuthHandler
    from igtcloud.client.services.entities.models import File, Institute, RootStudy

__all__ = [
    "download", "upload", "sync", "verify", "list_studies", "write_csv", "manifest", "stat", "unfinished_uploads", "Filters", "ObjectInfo",
    "Selection", "Item", "Progress", "Summary", "CsvSummary", "ListedStudy", "ListedFile", "UnfinishedUpload", "Cancel", "SomeFailed", "Ambiguous", "Cancelled",
    "FileChanged", "Forbidden", "IgtError", "IntegrityError", "InternalError", "InvalidArgument", "InvalidResponse",
    "LimitExceeded", "LocalError", "LocalFileNotFound", "LocalPermissionDenied", "NetworkError", "NotFound",
    "OutOfMemory", "Refused", "SessionExpired", "SignInFailed", "TimedOut", "TlsError", "Unauthorized", "Unsupported",
]

Path = Union[str, "os.PathLike[str]"]
Date = Union[str, datetime.date, None]
Moment = Union[str, datetime.date, datetime.timedelta, None]
_KINDS = ("", "file", "study", "other", "import")
_RESULTS = ("", "done", "skipped", "failed", "planned", "ignored", "same", "different", "missing here",
            "missing there", "unchecked", "deleted", "planned deletion")
_STRUCTURES = {"flat": 0, "hierarchical": 1}
_CATEGORIES = {"files": 1, "dicom": 2, "annotations": 4}
_FAILED_KEPT = 10_000  # of SomeFailed.failed; all are in a report


# ---- results ----

@dataclass(frozen=True)
class Item:
    """The result of one file, study, import or other item."""

    kind: str
    """file, study, import, or other."""
    result: str
    """done, skipped, failed, planned, ignored; of verify(): same, different, missing here, missing there, unchecked."""
    institute: str
    """Its name; "" for a project's own files."""
    study: str
    """patient/study."""
    study_id: str
    """The study's database id."""
    path: str
    """Relative to the study."""
    local_path: str
    """Absolute."""
    key: str
    """Of the object."""
    size: int
    """Bytes; of a study: of all its files."""
    moved: int
    """Bytes that went over the network."""
    digest: str
    """Of the content, with its kind: "sha256:...", "md5:...", "crc64nvme:..."; "" if unknown."""
    verified: str
    """How it was verified: "sha256", "crc64nvme", "md5", "etag-parts", "store"; "" if it could not be."""
    reason: str
    """Why it was ignored or skipped."""
    error: Optional[IgtError] = field(default=None, compare=False)
    """Why it failed."""
    replaced_size: Optional[int] = None
    """Bytes of the file whose place it took, here or in the cloud; with dry_run: would take. None: there was none."""

    def _as_json(self, context: Dict[str, str]) -> str:
        """A line of a report, as the command writes it."""
        row: Dict[str, Any] = {"kind": self.kind, "result": self.result, "institute": self.institute,
                               "study": self.study, "studyDatabaseId": self.study_id}
        if self.kind not in ("study", "import"):
            row.update(path=self.path, local=self.local_path, key=self.key, size=self.size, moved=self.moved,
                       digest=self.digest, verified=self.verified)
            if self.replaced_size is not None:
                row["replacedSize"] = self.replaced_size
        if self.reason:
            row["reason"] = self.reason
        if self.error is not None:
            row.update(status=self.error.code, error=str(self.error))
        row.update(context)
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(frozen=True)
class Progress:
    """How far a transfer is."""

    listing: bool
    """Listing goes on: totals may grow."""
    studies: int
    studies_settled: int
    files: int
    files_settled: int
    files_failed: int
    files_skipped: int
    bytes: int
    """Of the files to transfer."""
    bytes_settled: int
    """Bytes that have been transferred."""
    bytes_per_second: float
    """Over the last seconds."""
    seconds_left: Optional[int]
    """None: unknown."""
    seconds: float
    """Since the start."""
    bytes_expected: int = 0
    """Of the whole job: bytes, and an estimate for studies whose files are not known yet."""
    studies_known: bool = False
    """The list of studies is complete: studies is the total."""


@dataclass(frozen=True)
class Summary:
    """What a transfer did. Numbers of institutes, studies, files; bytes."""

    institutes: int
    studies: int
    studies_failed: int
    studies_undated: int
    """Not filtered by date, because they have none."""
    studies_created: int
    files_done: int
    files_skipped: int
    """Already there."""
    files_failed: int
    files_ignored: int
    files_incomplete: int
    """In the cloud, but their upload is incomplete: not downloaded; among files_ignored."""
    files_unverified: int
    """Done, but the store had no checksum to verify them with."""
    bytes_done: int
    bytes_moved: int
    bytes_skipped: int
    requests: int
    seconds: float
    files_same: int
    bytes_same: int
    files_different: int
    files_missing_here: int
    files_missing_there: int
    files_unchecked: int
    files_clutter: int
    files_handed_over: int
    imports: int
    imports_failed: int
    imports_handed_over: int
    files_young: int
    files_deleted: int
    files_replaced: int
    """Among files_done: they took the place of another file."""
    studies_unfinished: int
    """Cut off by the end of the run after a part of their files."""
    studies_not_started: int
    """Found before the run ended, and none of their files was tried."""
    folders_kept: int
    """With delete: local folders of studies that the cloud no longer has, or not under this name."""

    def _as_json(self, status: str, error: str, context: Dict[str, str]) -> str:
        row: Dict[str, Any] = {"kind": "summary", "status": status}
        row.update({_camel(f.name): getattr(self, f.name) for f in fields(self) if f.name != "seconds"})
        row["seconds"] = round(self.seconds, 3)
        if error:
            row["error"] = error
        row.update(context)
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(frozen=True)
class CsvSummary:
    """What write_csv() wrote."""

    path: str
    """Of the file; "" if it was an open one."""
    institutes: int
    studies: int
    studies_undated: int
    studies_failed: int
    files: int
    rows: int
    fields_left_out: int
    """Values without a column in the file."""
    seconds: float


@dataclass(frozen=True)
class ListedFile:
    """A file of a ListedStudy."""

    category: str
    """files, dicom or annotations."""
    path: str
    """Below the category."""
    type: str
    """Such as ".dcm"."""
    size: Optional[int]
    """Bytes; None: unknown."""
    is_complete: bool
    """Its upload is complete."""


@dataclass(frozen=True)
class ListedStudy:
    """A study that list_studies() found; or a project's own files, then without an institute and a study."""

    name: str
    """patient/study, or its id if it has no name."""
    institute: "Optional[Institute]"
    study: "Optional[RootStudy]"
    """The model, as get_studies() returns it, with its collections."""
    files: List[ListedFile]
    """Empty unless files were requested."""
    bytes: int
    """Of the files."""
    files_incomplete: int
    """Among them: their upload is not complete."""
    error: Optional[IgtError] = field(default=None, compare=False)
    """Why its files could not be listed."""


@dataclass(frozen=True)
class Selection:
    """Which studies a call handles: each argument that is given must match, and of a list one entry.

        native.Selection(studies=frame["studyDatabaseId"], institutes=["North", "South"])

    institutes: exact names. studies: "PATIENT/STUDY" with globs, "PATIENT" for all of a patient's studies, or a
    studyDatabaseId. studies_from: a file with one of these per line, or a CSV of write_csv(). patients: globs of their
    names or ids. modalities, labels: globs. modified_since, modified_until: a date, a datetime
    (without a zone: local time), an age as timedelta or "7d"; "last": since the last complete run with the same
    arguments. limit: at most this many studies. newest: the newest first.

    No study that matches is NotFound; an entry of studies or studies_from that matches none is an item that failed.
    """

    institutes: Optional[Iterable[str]] = None
    studies: Optional[Iterable[str]] = None
    studies_from: Optional[Path] = None
    patients: Optional[Iterable[str]] = None
    modalities: Optional[Iterable[str]] = None
    labels: Optional[Iterable[str]] = None
    modified_since: Moment = None
    modified_until: Moment = None
    limit: int = 0
    newest: bool = False


@dataclass(frozen=True)
class Filters:
    """Which files of the studies a call handles: those that pass everything that is given.

    Paths are those below the study, with "/"; the name of a folder selects everything in it. igtcloud-filters(7) has
    the rules of globs.
    """

    include: Sequence[str] = ()
    """Globs; with any, only files that match one of them pass."""
    exclude: Sequence[str] = ()
    rules: Sequence[str] = ()
    """"+ GLOB" or "- GLOB": the first that matches decides; a file that none matches passes."""
    names: Optional[Iterable[str]] = None
    """Exact paths of files or folders; None: all."""
    min_size: int = 0
    max_size: Optional[int] = None
    """Bytes, inclusive."""
    min_age: Union[float, datetime.timedelta] = 0
    max_age: Union[float, datetime.timedelta] = 0
    """Seconds since the file was changed, in the cloud or for an upload here; 0: no limit."""


@dataclass(frozen=True)
class UnfinishedUpload:
    """An upload of a large file that was interrupted, and whose parts the store keeps."""

    state: str
    """running, resumable, lost, gone, ended, or unknown."""
    place: str
    """PROJECT/INSTITUTE/PATIENT/STUDY/files/NAME."""
    project: str
    local_path: str
    key: str
    upload_id: str
    size: int
    """Bytes of the file when the upload started."""
    stored: int
    """Bytes of the stored parts."""
    parts: int
    began: Optional[datetime.datetime]
    worked: Optional[datetime.datetime]
    """When the last part was stored."""


class SomeFailed(_errors.SomeFailed):
    """Single files or studies failed, or differ; everything else is complete."""

    summary: Summary
    failed: List[Item]
    """What failed, or differs: at most 10,000 of them; a report has all."""


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


# ---- transfers ----

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _blocking(prepare: _Function) -> _Function:
    """A function that prepares a run, as one that runs it. igtcloud.aio takes the first: `prepare`."""

    @functools.wraps(prepare)
    def run(*arguments: Any, **options: Any) -> Any:
        return prepare(*arguments, **options).run()

    run.prepare = prepare  # type: ignore[attr-defined]
    return cast(_Function, run)


@_blocking
def download(target: Path, project: Optional[str] = None, institute: Optional[str] = None, *, start: Date = None,
             end: Date = None, ext: Optional[str] = None, categories: Iterable[str] = ("files",),
             project_files: bool = False, include_modified_date: bool = False, structure: str = "flat", include: Sequence[str] = (),
             exclude: Sequence[str] = (), filters: Optional[Filters] = None, checksum: bool = False,
             overwrite: bool = False, dry_run: bool = False, shard: Optional[Tuple[int, int]] = None,
             concurrent_studies: int = 0, concurrent_files: int = 0, portable_names: bool = False,
             journal: Union[Path, bool, None] = None, report: Optional[Path] = None,
             on_item: Optional[Callable[[Item], Any]] = None, on_progress: Optional[Callable[[Progress], Any]] = None,
             on_message: Optional[Callable[[str], Any]] = None, cancel: Optional[Cancel] = None,
             auth: "Optional[AuthHandler]" = None, selection: Optional[Selection] = None,
             manifest: Optional[Path] = None, delete_extra: bool = False, max_delete: int = 100) -> Summary:
    """Downloads studies to target/INSTITUTE/patient---study, or with project_files the project's own files.

    project, institute: exact names; None: all institutes. start, end: dates, inclusive. ext: a file's type, such as
    ".dcm". categories: of "files", "dicom", "annotations". include_modified_date: local times are the objects'.
    structure: "flat" or "hierarchical". include, exclude: globs of paths below the study. filters: further limits
    of files: rules, names, sizes, ages. checksum: compare existing files by content. overwrite: transfer them in
    any case. dry_run: write nothing. shard: (i, n) transfers the i-th of n disjoint subsets of the studies.
    portable_names: for other systems, too. journal: its path, None for the user's, False for none. report: a file
    that gets a line of JSON for each item. cancel: ends the transfer when set. selection: which studies. manifest: a
    file of manifest(), in place of a project and of everything that chooses studies or files: exactly its files are
    downloaded, and one that changed or vanished in the cloud fails. delete_extra: after a run without any failure,
    delete local files that the cloud does not have, in the folders of studies that were downloaded before; more than
    max_delete of them (0: any) are SomeFailed, and none is deleted.

    Raises SomeFailed, NotFound and Ambiguous (project or institute), InvalidArgument, OSError (a full disk and so on),
    SignInFailed, NetworkError.
    """
    run = _Run("download", report, on_item, on_progress, on_message, cancel)
    if manifest is not None:
        _only_a_manifest(categories, project, institute, start, end, ext, project_files, include, exclude, filters,
                         selection)
        run.of_manifest(manifest)
        run.options.selection = ffi.NULL
    else:
        run.select(_required(project), institute, start, end, ext, selection)
    run.filter(filters)
    run.transfer(structure, include, exclude, shard, concurrent_studies, concurrent_files, journal, checksum=checksum,
                 overwrite=overwrite, dry_run=dry_run, portable_names=portable_names)
    run.set(target=os.fspath(target), categories=_bits(categories) if manifest is None else 0,
            project_files=project_files, include_modified_date=include_modified_date, delete_extra=delete_extra,
            max_delete=_most_deletions(max_delete), manifest=None if manifest is None else os.fspath(manifest))
    return run.prepared(lib.igt_download_start, auth)


@_blocking
def upload(source: Path, project: str, institute: Optional[str] = None, *, category: str = "files",
           submit_password: Optional[str] = None, whole_flat_names: bool = False, min_age: int = 0,
           structure: str = "flat", include: Sequence[str] = (), exclude: Sequence[str] = (),
           filters: Optional[Filters] = None, checksum: bool = False, overwrite: bool = False, dry_run: bool = False,
           shard: Optional[Tuple[int, int]] = None, concurrent_studies: int = 0, concurrent_files: int = 0,
           follow_links: bool = False, include_clutter: bool = False, ignore_unknown: bool = False,
           trust_study_json: bool = False, journal: Union[Path, bool, None] = None, report: Optional[Path] = None,
           on_item: Optional[Callable[[Item], Any]] = None, on_progress: Optional[Callable[[Progress], Any]] = None,
           on_message: Optional[Callable[[str], Any]] = None, cancel: Optional[Cancel] = None,
           auth: "Optional[AuthHandler]" = None, selection: Optional[Selection] = None,
           folders: Optional[Iterable[str]] = None) -> Summary:
    """Uploads source/INSTITUTE/patient---study, and the project's own files in source/files.

    category: "files"; "annotations" or "dicom" of a folder for those alone. submit_password: submit each study whose
    files are all uploaded. whole_flat_names: the patient of a new study is the whole name of its folder, as with the
    existing client. min_age: seconds; files that were changed more recently are left out. ignore_unknown: skip folders
    that are no institute. trust_study_json: use its id even in a folder of another name. selection: which of the
    studies. folders: only these, relative to source, such as "INSTITUTE/patient---study". The other arguments and the exceptions are those of download().
    """
    run = _Run("upload", report, on_item, on_progress, on_message, cancel)
    run.select(project, institute, selection=selection)
    run.filter(filters)
    run.transfer(structure, include, exclude, shard, concurrent_studies, concurrent_files, journal, checksum=checksum,
                 overwrite=overwrite, dry_run=dry_run, follow_links=follow_links, include_clutter=include_clutter,
                 ignore_unknown=ignore_unknown, trust_study_json=trust_study_json)
    run.set(source=os.fspath(source), category=_bits([category]), submit_password=submit_password,
            whole_flat_names=whole_flat_names, min_age=min_age)
    run.only(folders)
    return run.prepared(lib.igt_upload_start, auth)


@_blocking
def sync(source: Path, target: Path, institute: Optional[str] = None, *, delete: bool = False, max_delete: int = 100,
         start: Date = None, end: Date = None, ext: Optional[str] = None, categories: Iterable[str] = ("files",),
         include_modified_date: bool = False, structure: str = "flat", include: Sequence[str] = (),
         exclude: Sequence[str] = (), filters: Optional[Filters] = None, checksum: bool = False, overwrite: bool = False,
         dry_run: bool = False, shard: Optional[Tuple[int, int]] = None, concurrent_studies: int = 0,
         concurrent_files: int = 0, portable_names: bool = False, follow_links: bool = False,
         include_clutter: bool = False, ignore_unknown: bool = False, trust_study_json: bool = False,
         journal: Union[Path, bool, None] = None, report: Optional[Path] = None,
         on_item: Optional[Callable[[Item], Any]] = None, on_progress: Optional[Callable[[Progress], Any]] = None,
         on_message: Optional[Callable[[str], Any]] = None, cancel: Optional[Cancel] = None,
         auth: "Optional[AuthHandler]" = None, selection: Optional[Selection] = None) -> Summary:
    """Makes a folder match a project, or brings the project up to date.

        native.sync("igt:My project", "studies", delete=True)   # downloads what is missing or has changed
        native.sync("outbox", "igt:My project", "Hospital A")   # uploads it

    One of source and target is "igt:" and a project's exact name, the other a folder. delete, for downloads: after a
    run without any failure, delete local files that the cloud does not have, in the folders of studies that were
    downloaded before; more than max_delete of them (0: any) are SomeFailed, and none is deleted. Nothing in the cloud is ever
    deleted. dry_run: items say what would happen, as "planned" and "planned deletion". An upload takes one of
    categories, and no dates or ext. The other arguments and the exceptions are those of download() and upload().
    """
    common: Dict[str, Any] = dict(
        structure=structure, include=include, exclude=exclude, filters=filters, checksum=checksum, overwrite=overwrite,
        dry_run=dry_run, shard=shard, concurrent_studies=concurrent_studies, concurrent_files=concurrent_files,
        journal=journal, report=report, on_item=on_item, on_progress=on_progress, on_message=on_message, cancel=cancel,
        auth=auth, selection=selection)
    remote, wanted = _remote_side(source, target)
    if wanted:
        return cast(Summary, download.prepare(  # type: ignore[attr-defined]
            target, remote, institute, start=start, end=end, ext=ext, categories=categories,
            include_modified_date=include_modified_date, portable_names=portable_names, delete_extra=delete,
            max_delete=max_delete, **common))
    names = [categories] if isinstance(categories, str) else list(categories)
    if delete:
        raise InvalidArgument("delete is for downloads: nothing in the cloud is deleted by a sync")
    if start is not None or end is not None or ext is not None or len(names) != 1:
        raise InvalidArgument("an upload takes one of categories, and neither start, end nor ext")
    return cast(Summary, upload.prepare(  # type: ignore[attr-defined]
        source, remote, institute, category=names[0], follow_links=follow_links, include_clutter=include_clutter,
        ignore_unknown=ignore_unknown, trust_study_json=trust_study_json, **common))


@_blocking
def verify(local: Optional[Path], project: Optional[str] = None, institute: Optional[str] = None, *,
           start: Date = None, end: Date = None, ext: Optional[str] = None, categories: Iterable[str] = ("files",),
           project_files: bool = False, structure: str = "flat", include: Sequence[str] = (), exclude: Sequence[str] = (),
           filters: Optional[Filters] = None, shard: Optional[Tuple[int, int]] = None, concurrent_studies: int = 0,
           concurrent_files: int = 0, follow_links: bool = False, include_clutter: bool = False,
           ignore_unknown: bool = False, trust_study_json: bool = False, journal: Union[Path, bool, None] = None,
           report: Optional[Path] = None, on_item: Optional[Callable[[Item], Any]] = None,
           on_progress: Optional[Callable[[Progress], Any]] = None, on_message: Optional[Callable[[str], Any]] = None,
           cancel: Optional[Cancel] = None, auth: "Optional[AuthHandler]" = None,
           selection: Optional[Selection] = None, manifest: Optional[Path] = None,
           folders: Optional[Iterable[str]] = None) -> Summary:
    """Compares a folder with the cloud, by content, and transfers nothing.

    With `manifest`, a file of manifest() in place of a project and of everything that chooses studies or files, it
    compares the folder with that, without a cloud; with local=None, the cloud with that, without reading content.

    Raises SomeFailed if anything differs, is missing on a side, or could not be compared: its `failed` names them.
    The arguments and other exceptions are those of download() and upload().
    """
    if manifest is not None:
        _only_a_manifest(categories, project, institute, start, end, ext, project_files, include, exclude, filters,
                         selection, folders)
        sealed = _Sealed(local, manifest, report, on_item, on_progress, on_message, cancel)
        sealed.transfer(structure, (), (), shard, concurrent_studies, concurrent_files, journal,
                        follow_links=follow_links, include_clutter=include_clutter)
        return sealed.prepared(sealed.start, auth)
    if local is None:
        raise InvalidArgument("a folder is missing: only a manifest is compared without one")
    run = _Run("verify", report, on_item, on_progress, on_message, cancel)
    run.select(_required(project), institute, start, end, ext, selection)
    run.filter(filters)
    run.transfer(structure, include, exclude, shard, concurrent_studies, concurrent_files, journal,
                 follow_links=follow_links, include_clutter=include_clutter, ignore_unknown=ignore_unknown,
                 trust_study_json=trust_study_json)
    run.set(local=os.fspath(local), categories=_bits(categories), project_files=project_files)
    run.only(folders)
    return run.prepared(lib.igt_verify_start, auth)


def _iterating(prepare: _Function) -> _Function:
    """As _blocking, for a list."""

    @functools.wraps(prepare)
    def studies(*arguments: Any, **options: Any) -> Any:
        return prepare(*arguments, **options).studies()

    studies.prepare = prepare  # type: ignore[attr-defined]
    return cast(_Function, studies)


@_iterating
def list_studies(project: str, institute: Optional[str] = None, *, files: bool = False, project_files: bool = False,
                 start: Date = None, end: Date = None, ext: Optional[str] = None,
                 categories: Iterable[str] = ("files",), filters: Optional[Filters] = None,
                 wants: Optional[Callable[[ListedStudy], Any]] = None, concurrency: int = 0,
                 shard: Optional[Tuple[int, int]] = None, on_message: Optional[Callable[[str], Any]] = None,
                 auth: "Optional[AuthHandler]" = None,
                 selection: Optional[Selection] = None) -> Iterator[ListedStudy]:
    """Yields the studies as they are listed, in the cloud's order; with `files` each with its files.

        for found in native.list_studies("My project", files=True, start="2026-01-01"):
            print(found.name, found.study.study_type, len(found.files), found.bytes)

    Memory does not grow with their number. files: lists of several studies are requested concurrently, one request for
    a study, or two if both "files" and another category are selected. project_files: the project's own files instead,
    as one study without a name. wants: whether a study's files are to be listed, before anything is requested for it;
    it is called in another thread. filters: of files, without ages, which a list does not have. Arguments are checked
    at the call, requests follow when the first study is taken; leaving the loop ends the list. The other arguments are
    those of download().

    Raises SomeFailed at the end if the files of single studies could not be listed: each of them was yielded with its
    error. Other exceptions are those of download().
    """
    run = _Listed(on_message, wants, auth)
    run.select(project, institute, start, end, ext, selection)
    run.filter(filters)
    if run.filters is not None:
        run.options.filters = run.filters
    run.set(files=files or project_files, project_files=project_files, categories=_bits(categories),
            concurrency=concurrency, shard=shard[0] if shard else 0, shards=shard[1] if shard else 0)
    return cast(Iterator[ListedStudy], run)


@_blocking
def write_csv(target: "Union[Path, IO[bytes]]", project: str, institute: Optional[str] = None, *, files: bool = False, append: bool = False,
              start: Date = None, end: Date = None, ext: Optional[str] = None, categories: Iterable[str] = ("files",),
              filters: Optional[Filters] = None, concurrency: int = 0, shard: Optional[Tuple[int, int]] = None,
              on_message: Optional[Callable[[str], Any]] = None, cancel: Optional[Cancel] = None,
              auth: "Optional[AuthHandler]" = None, selection: Optional[Selection] = None) -> CsvSummary:
    """Writes the studies, or with `files` a row for each file, to target/cloud_PROJECT.csv, or to `target` if that is
    a binary file open for writing.

    append: to an existing file, under its header; otherwise it is replaced at once. filters: with `files`, and without
    ages, which a list does not have. The other arguments and the exceptions are those of download().
    """
    run = _WithSink("csv", None, None, None, on_message, cancel)
    run.select(project, institute, start, end, ext, selection)
    run.filter(filters)
    if run.filters is not None:
        run.options.filters = run.filters
    if isinstance(target, (str, os.PathLike)):
        run.set(target=os.fspath(target))
    else:
        run.write_to(target)
    run.set(files=files, append=append, concurrency=concurrency,
            categories=_bits(categories) if files else 0, shard=shard[0] if shard else 0,
            shards=shard[1] if shard else 0)
    return run.prepared_csv(auth)


@_blocking
def manifest(target: Path, project: str, institute: Optional[str] = None, *, start: Date = None, end: Date = None,
             ext: Optional[str] = None, categories: Iterable[str] = ("files",), filters: Optional[Filters] = None,
             criteria: str = "", concurrency: int = 0, shard: Optional[Tuple[int, int]] = None,
             report: Optional[Path] = None, on_item: Optional[Callable[[Item], Any]] = None,
             on_message: Optional[Callable[[str], Any]] = None, cancel: Optional[Cancel] = None,
             auth: "Optional[AuthHandler]" = None, selection: Optional[Selection] = None) -> Summary:
    """Writes the file `target`: what the studies consist of, for download() and verify() with `manifest`.

    It has the size, digest and ETag of each file, which takes a request each; docs/manifest.md describes it. The file
    appears when it is complete; if anything failed it does not, and SomeFailed is raised. criteria: how the studies
    were chosen, for its header. Of the summary studies, files_done, bytes_done, files_unverified (without a digest),
    files_incomplete and studies_undated count. The other arguments and the exceptions are those of download().
    """
    run = _Writing(target, report, on_item, on_message, cancel)
    run.select(project, institute, start, end, ext, selection)
    run.filter(filters)
    if run.filters is not None:
        run.options.filters = run.filters
    run.set(categories=_bits(categories), criteria=criteria, concurrency=concurrency, shard=shard[0] if shard else 0,
            shards=shard[1] if shard else 0)
    return run.prepared(lib.igt_manifest_write_start, auth)


@dataclass(frozen=True)
class ObjectInfo:
    """What the store knows about a file's content; None or "" for what it does not say."""

    size: Optional[int]
    """Bytes."""
    modified: Optional[datetime.datetime]
    """When it was stored; aware, in UTC."""
    etag: str
    checksum_kind: str
    """sha256, crc64nvme, ..."""
    checksum: str
    """In base64; with "-N" at its end: of the checksums of N parts."""


def stat(file: "File", *, auth: "Optional[AuthHandler]" = None) -> ObjectInfo:
    """Asks the store about a file of a collection: one request, which moves none of its content.

    Raises NotFound for an object that is not there, Forbidden for a service identity, NetworkError.
    """
    from igtcloud.client.services.entities_service import _prefix_of

    found = _client(auth).stat_object(_prefix_of(file), file.key)
    return ObjectInfo(found.size, _time(found.modified or 0), found.etag, found.checksum_kind, found.checksum)


def unfinished_uploads(project: Optional[str] = None, *, abort: bool = False, older_than: float = 0,
                       journal: Optional[Path] = None,
                       auth: "Optional[AuthHandler]" = None) -> List[UnfinishedUpload]:
    """The interrupted uploads of this user on this machine, as the store has them now.

    abort: delete their parts, except those of running uploads; the list then has the state of each. older_than:
    seconds; only those idle for that long. Raises NotFound and Ambiguous (project), OSError (the journal), and what
    signing in raises.
    """
    kept = [_library.encoded(project), _library.encoded(None if journal is None else os.fspath(journal))]
    options, out = _library.new("igt_uploads_options"), ffi.new("igt_uploads **")
    options.project, options.journal, options.older_than = kept[0], kept[1], int(older_than)

    def work(client: Any, err: Any) -> Any:
        status = lib.igt_uploads_open(client, options, out, err)
        for i in range(lib.igt_uploads_count(out[0]) if abort and not status else 0):
            if lib.igt_uploads_get(out[0], i).state != lib.IGT_UNFINISHED_RUNNING:
                status = lib.igt_uploads_abort(out[0], i, err) or status
        return status

    try:
        _client(auth).run(work, _library.Cancel())
        return [_unfinished(lib.igt_uploads_get(out[0], i)) for i in range(lib.igt_uploads_count(out[0]))]
    finally:
        lib.igt_uploads_close(out[0])


def _unfinished(row: Any) -> UnfinishedUpload:
    text = _library.text
    return UnfinishedUpload(text(lib.igt_unfinished_state_name(row.state)), text(row.place), text(row.project),
                            text(row.local_path), text(row.key), text(row.upload_id), row.size, row.stored, row.parts,
                            _time(row.began), _time(row.worked))


def _time(seconds: int) -> Optional[datetime.datetime]:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc) if seconds else None


def _client(auth: "Optional[AuthHandler]") -> _library.Client:
    from igtcloud.client.core.auth import client_of

    if auth is None:
        from igtcloud.client.services import entities_service

        auth = entities_service.auth_handler
    return client_of(auth)


def _bits(categories: Iterable[str]) -> int:
    names = [categories] if isinstance(categories, str) else list(categories)
    unknown = [name for name in names if name not in _CATEGORIES]
    if unknown or not names:
        raise InvalidArgument(f"a category is one of {', '.join(_CATEGORIES)}, not {', '.join(map(repr, unknown))}")
    return sum({_CATEGORIES[name] for name in names})


def _most_deletions(number: int) -> int:
    """For the library, to which 0 is its default, and the largest number none at all."""
    if number < 0:
        raise InvalidArgument(f"max_delete is a number of files, not {number!r}")
    return min(number, _NONE - 1) or _NONE


_NONE = 2**64 - 1


_REMOTE = "igt:"


def _remote_side(source: Path, target: Path) -> Tuple[str, bool]:
    """The project of a sync, and whether it is the source."""
    sides = [isinstance(side, str) and side.startswith(_REMOTE) for side in (source, target)]
    if sides[0] == sides[1]:
        raise InvalidArgument("one side of a sync is a project, as in 'igt:My project', and the other is a folder")
    project = os.fspath(source if sides[0] else target)[len(_REMOTE):]
    if not project:
        raise InvalidArgument(f"the project's name is missing after {_REMOTE}")
    return project, sides[0]


def _required(project: Optional[str]) -> str:
    if project is None:
        raise InvalidArgument("a project, or a manifest, is missing")
    return project


def _only_a_manifest(categories: Iterable[str], *chosen: Any) -> None:
    if any(chosen) or _bits(categories) != _CATEGORIES["files"]:  # the default
        raise InvalidArgument("a manifest says which project, studies and files: nothing else can choose them")


def _date(value: Date) -> Optional[str]:
    if isinstance(value, datetime.datetime):
        value = value.date()
    return value.isoformat() if isinstance(value, datetime.date) else value


def _seconds(age: Union[float, datetime.timedelta]) -> int:
    return int(age.total_seconds() if isinstance(age, datetime.timedelta) else age)


def _moment(value: Moment) -> Optional[str]:
    if isinstance(value, datetime.timedelta):
        return f"{max(0, round(value.total_seconds()))}s"
    if isinstance(value, datetime.datetime):
        return value.replace(microsecond=0).isoformat()
    return value.isoformat() if isinstance(value, datetime.date) else value


class _Run:
    """The arguments of one call, alive as long as it runs, and what its callbacks collect."""

    def __init__(self, what: str, report: Optional[Path], on_item: Optional[Callable[[Item], Any]],
                 on_progress: Optional[Callable[[Progress], Any]], on_message: Optional[Callable[[str], Any]],
                 cancel: Optional[Cancel]) -> None:
        self._kept: List[Any] = []
        self._what, self._report_path = what, report
        self._report: Optional[IO[str]] = None
        self._id, self._user = secrets.token_hex(8), ""
        self._on_item, self._on_progress, self._on_message = on_item, on_progress, on_message
        self.failed: List[Item] = []
        self._cancel = cancel or Cancel()
        self._transfer: Any = None
        self._client: Optional[_library.Client] = None
        self._cloud, self._project = "", ""
        self.filters: Any = None
        self.options = _library.new(f"igt_{what}_options")
        self.selection = _library.new("igt_study_selection")
        if what != "transfer":
            self.options.selection = self.selection

    def _keep(self, value: Optional[str]) -> Any:
        self._kept.append(_library.encoded(value))
        return self._kept[-1]

    def _fill(self, struct: Any, values: Dict[str, Any]) -> None:
        for name, value in values.items():
            try:
                setattr(struct, name, self._keep(value) if value is None or isinstance(value, str) else value)
            except (OverflowError, TypeError) as error:
                raise InvalidArgument(f"{name}={value!r} cannot be used: {error}") from error

    def set(self, **values: Any) -> None:
        self._fill(self.options, values)

    def select(self, project: str, institute: Optional[str], start: Date = None, end: Date = None,
               ext: Optional[str] = None, selection: Optional[Selection] = None) -> None:
        self._project = project
        self._fill(self.selection, {"project": project, "institute": institute, "start": _date(start),
                                    "end": _date(end), "ext": ext})
        if selection is not None:
            self._narrow(selection)

    def of_manifest(self, path: Path) -> _library.Manifest:
        found = _library.Manifest(os.fspath(path))
        self._cloud, self._project = found.cloud, found.project
        return found

    def _narrow(self, selection: Selection) -> None:
        for name, count, values in (("institutes", "institute_count", selection.institutes),
                                    ("studies", "study_count", selection.studies),
                                    ("patients", "patient_count", selection.patients),
                                    ("modalities", "modality_count", selection.modalities),
                                    ("labels", "label_count", selection.labels)):
            if values is None:
                continue
            self._fill_list(self.selection, name, count, values)
            if getattr(self.selection, count) == 0:
                raise InvalidArgument(f"{name} is empty, which selects nothing; None selects all")
        self._fill(self.selection, {
            "studies_from": None if selection.studies_from is None else os.fspath(selection.studies_from),
            "modified_since": _moment(selection.modified_since), "modified_until": _moment(selection.modified_until),
            "limit": selection.limit, "newest": selection.newest})

    def _fill_list(self, struct: Any, name: str, count: str, values: Iterable[str]) -> None:
        if isinstance(values, str):
            raise InvalidArgument(f"{name} is a list of texts, not a text")
        texts = ffi.new("const char *[]", [self._keep(value) for value in values])
        self._kept.append(texts)
        setattr(struct, name, texts)
        setattr(struct, count, len(texts))

    def only(self, folders: Optional[Iterable[str]]) -> None:
        if folders is not None:
            self._fill_list(self.options, "folders", "folder_count", folders)

    def filter(self, filters: Optional[Filters]) -> None:
        if filters is None:
            return
        self.filters = _library.new("igt_filters")
        for name, count, values in (("include", "include_count", filters.include),
                                    ("exclude", "exclude_count", filters.exclude),
                                    ("rules", "rule_count", filters.rules)):
            self._fill_list(self.filters, name, count, values)
        if filters.names is not None:
            self._fill_list(self.filters, "names", "name_count", filters.names)
        self._fill(self.filters, {
            "min_size": filters.min_size, "max_size": filters.max_size or 0,
            "has_max_size": filters.max_size is not None, "min_age": _seconds(filters.min_age),
            "max_age": _seconds(filters.max_age)})

    def transfer(self, structure: str, include: Sequence[str], exclude: Sequence[str],
                 shard: Optional[Tuple[int, int]], concurrent_studies: int, concurrent_files: int,
                 journal: Union[Path, bool, None], **flags: bool) -> None:
        if structure not in _STRUCTURES:
            raise InvalidArgument(f"a structure is 'flat' or 'hierarchical', not {structure!r}")
        transfer = self.options if self._what == "transfer" else _library.new("igt_transfer_options")
        self._kept.append(transfer)
        self._fill_list(transfer, "include", "include_count", include)
        self._fill_list(transfer, "exclude", "exclude_count", exclude)
        if self.filters is not None:
            transfer.filters = self.filters
        self._fill(transfer, {
            "structure": _STRUCTURES[structure], "concurrent_studies": concurrent_studies,
            "concurrent_files": concurrent_files, "shard": shard[0] if shard else 0, "shards": shard[1] if shard else 0,
            "no_journal": journal is False, **flags})
        if isinstance(journal, (str, os.PathLike)):
            transfer.journal = self._keep(os.fspath(journal))
        if self._what != "transfer":
            self.options.transfer = transfer

    def _context(self) -> Dict[str, str]:
        """What makes a line of a report understandable without the others."""
        if not self._user and self._client is not None:
            with contextlib.suppress(IgtError):  # the transfer signs in first; if that failed, it says so
                self._user = self._client.tokens().user
        now = datetime.datetime.now(datetime.timezone.utc)
        return {"time": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "run": self._id,
                "cloud": self._client.domain if self._client is not None else self._cloud,
                "project": self._project, "user": self._user, "version": _library.version()}

    # ---- callbacks, on the thread of the call ----

    def _item(self, raw: Any) -> None:
        self._settled(_item_of(raw))

    def _settled(self, item: Item) -> None:
        if item.result in ("failed", "different", "missing here", "missing there", "unchecked"):
            if len(self.failed) < _FAILED_KEPT:
                self.failed.append(item)
        if self._report is not None:
            self._report.write(item._as_json(self._context()))
        if self._on_item is not None:
            self._on_item(item)

    def _progress(self, raw: Any) -> None:
        assert self._on_progress is not None
        self._on_progress(_progress_of(raw))

    def _message(self, status: int, said: str) -> None:
        assert self._on_message is not None
        said = in_python(said)
        self._on_message(said if self._what == "upload" else said.replace("category=", "categories="))

    # ---- the call ----

    def prepared(self, start: Any, auth: "Optional[AuthHandler]") -> Summary:
        """Itself, under the type of what run() will return."""
        self._start, self._auth, self._wait = start, auth, lib.igt_transfer_wait
        self._result = _library.new("igt_transfer_summary")
        return cast(Summary, self)

    def prepared_csv(self, auth: "Optional[AuthHandler]") -> CsvSummary:
        self._start, self._auth, self._wait = lib.igt_csv_start, auth, lib.igt_csv_wait
        self._result = _library.new("igt_csv_summary")
        return cast(CsvSummary, self)

    def begin(self) -> Union[_library.Transfer, _library.FolderCheck]:
        """Starts the transfer. close() follows in any case, result() once it has ended."""
        self._open()
        self._client = _client(self._auth)
        transfer = self._transfer = _library.Transfer(self._client, self._start, self.options, self._callbacks)
        self._cancel.add(transfer)
        return transfer

    def _open(self) -> None:
        self._callbacks = _library.Callbacks(lambda: None, self._item if self._what != "csv" else None,
                                             self._progress if self._on_progress else None,
                                             self._message if self._on_message else None)
        if self._report_path is not None:
            self._report = open_private(self._report_path)

    def abandon(self) -> None:
        """Ends it early; nothing more is reported. Takes milliseconds."""
        self._callbacks.error = self._callbacks.error or _errors.Cancelled("the transfer was cancelled")
        self._transfer.cancel()
        self._transfer.wait(self._wait, self._result, _library.new("igt_error"))

    def result(self) -> Union[Summary, CsvSummary]:
        err = _library.new("igt_error")
        status = self._transfer.wait(self._wait, self._result, err)
        self._callbacks.check()
        if self._what == "csv":
            _library.check(status, err)
            return self._csv_summary()
        summary = Summary(**{f.name: getattr(self._result, f.name) for f in fields(Summary)})
        if self._report is not None:
            said = _library.details_of(err).text if status else ""
            self._report.write(summary._as_json(_library.text(lib.igt_status_name(status)), said, self._context()))
        if status == lib.IGT_E_SOME_FAILED:
            details = _library.details_of(err)
            error = SomeFailed(details.text)
            _errors.fill(error, details)
            error.summary, error.failed = summary, self.failed
            raise error
        _library.check(status, err)
        return summary

    def _csv_summary(self) -> CsvSummary:
        numbers = {f.name: getattr(self._result, f.name) for f in fields(CsvSummary) if f.name != "path"}
        return CsvSummary(path=os.fsdecode(ffi.string(self._result.path)), **numbers)

    def close(self) -> None:
        if self._transfer is not None:
            self._transfer.close()
        if self._report is not None:
            self._report.close()

    def run(self) -> Union[Summary, CsvSummary]:
        """Waits for the end, in this thread: signals interrupt it."""
        try:
            transfer = self.begin()
            try:
                waiting = select.poll()
                waiting.register(transfer.fileno(), select.POLLIN)
                while not transfer.dispatch():
                    waiting.poll()
            except BaseException:
                self.abandon()
                raise
            return self.result()
        finally:
            self.close()


class _WithSink(_Run):
    """The bytes that it makes go to an open file, in the caller's thread."""

    sink: "Optional[IO[bytes]]" = None
    error: Optional[BaseException] = None  # of the sink

    def write_to(self, sink: "IO[bytes]") -> None:
        self.sink = sink
        self._kept.append(ffi.new_handle(self))
        self.options.write, self.options.write_payload = lib.native_sink, self._kept[-1]

    def result(self) -> Union[Summary, CsvSummary]:
        try:
            return super().result()
        except IgtError:
            if self.error is not None:
                raise self.error
            raise

    def close(self) -> None:
        super().close()
        self._kept.clear()  # the handle refers to this


class _Writing(_WithSink):
    """A manifest is written to a file beside its target, and renamed when it is complete."""

    def __init__(self, target: Path, report: Optional[Path], on_item: Optional[Callable[[Item], Any]],
                 on_message: Optional[Callable[[str], Any]], cancel: Optional[Cancel]) -> None:
        super().__init__("manifest", report, on_item, None, on_message, cancel)
        self._target = os.fspath(target)
        self._part = f"{self._target}.{self._id}.part"

    def begin(self) -> Union[_library.Transfer, _library.FolderCheck]:
        self.write_to(open(self._part, "xb"))
        return super().begin()

    def result(self) -> Union[Summary, CsvSummary]:
        done = super().result()
        assert self.sink is not None
        self.sink.close()
        os.replace(self._part, self._target)
        return done

    def close(self) -> None:
        super().close()
        if self.sink is not None:
            self.sink.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._part)


class _Listed(_Run):
    """The studies of a list."""

    def __init__(self, on_message: Optional[Callable[[str], Any]], wants: Optional[Callable[[ListedStudy], Any]],
                 auth: "Optional[AuthHandler]") -> None:
        super().__init__("list", None, None, None, on_message, None)
        self._wants, self._auth = wants, auth
        self._institutes: Dict[str, Any] = {}  # the latest: its studies share the model

    def start(self, with_descriptor: bool = False) -> _library.Listing:
        listing = _library.Listing(_client(self._auth), self.options, self._study_of, self._add_file, self._wants,
                                   self._on_message is not None)
        self._kept.append(listing)
        listing.start(with_descriptor)
        return listing

    def _study_of(self, raw: Any, study: str, institute: str) -> ListedStudy:
        if institute and institute not in self._institutes:
            self._institutes = {institute: _model(institute, "Institute")}
        error = _errors.from_details(_library.details_of(raw.error)) if raw.error else None
        return ListedStudy(_library.text(raw.name), self._institutes.get(institute), _model(study, "RootStudy"), [],
                           raw.bytes, raw.files_incomplete, error)

    def _add_file(self, study: ListedStudy, raw: Any) -> None:
        text = _library.text
        study.files.append(ListedFile(text(raw.category), text(raw.path), text(raw.type),
                                      raw.size if raw.size >= 0 else None, bool(raw.is_complete)))

    def take(self, found: Any) -> Optional[ListedStudy]:
        """A study; None for a message, which is handed on."""
        if isinstance(found, str):
            self._message(0, found)
            return None
        if found.error is not None and len(self.failed) < _FAILED_KEPT:
            self.failed.append(_failed_study(found))
        return cast(ListedStudy, found)

    def check(self, listing: _library.Listing) -> None:
        """After the end."""
        status, err = listing.result()
        if status == lib.IGT_E_SOME_FAILED:
            details = _library.details_of(err)
            error = SomeFailed(details.text)
            _errors.fill(error, details)
            error.summary, error.failed = _summary_of_list(listing.summary), self.failed
            raise error
        _library.check(status, err)

    def studies(self) -> Iterator[ListedStudy]:
        listing = self.start()
        try:
            found: Any
            for found in iter(listing.next, None):
                study = self.take(found)
                if study is not None:
                    yield study
            self.check(listing)
        finally:
            listing.close()


def _model(text: str, name: str) -> Any:
    from igtcloud.client.services import _models

    return _models.deserialize(json.loads(text), name, "entities", check=False) if text else None


def _failed_study(found: ListedStudy) -> Item:
    study_id = found.study.get("study_database_id", "") if found.study is not None else ""
    institute = found.institute.get("name", "") if found.institute is not None else ""
    return Item("study", "failed", institute, found.name, study_id, "", "", "", 0, 0, "", "", "", found.error)


def _summary_of_list(raw: Any) -> Summary:
    numbers: Dict[str, Any] = {f.name: 0 for f in fields(Summary)}
    numbers.update(institutes=raw.institutes, studies=raw.studies, studies_failed=raw.studies_failed,
                   studies_undated=raw.studies_undated)
    return Summary(**numbers)


class _Sealed(_Run):
    """A manifest is compared with a folder or, without one, with the cloud."""

    def __init__(self, folder: Optional[Path], path: Path, report: Optional[Path],
                 on_item: Optional[Callable[[Item], Any]], on_progress: Optional[Callable[[Progress], Any]],
                 on_message: Optional[Callable[[str], Any]], cancel: Optional[Cancel]) -> None:
        super().__init__("transfer", report, on_item, on_progress, on_message, cancel)
        self._folder, self._manifest = folder, self.of_manifest(path)

    def start(self, client: Any, options: Any, callbacks: Any, out: Any, err: Any) -> Any:
        return lib.igt_manifest_verify_start(client, self._manifest.pointer, options, callbacks, out, err)

    def begin(self) -> Union[_library.Transfer, _library.FolderCheck]:
        if self._folder is None:
            return super().begin()
        self._open()
        self._callbacks.on_item, self._callbacks.on_progress = self._settled, self._on_progress
        check = self._transfer = _library.FolderCheck(self._manifest, os.fspath(self._folder), self.options,
                                                      self._callbacks, _item_of, _progress_of)
        self._cancel.add(check)
        return check


def _progress_of(raw: Any) -> Progress:
    return Progress(
        raw.listing, raw.studies, raw.studies_settled, raw.files, raw.files_settled, raw.files_failed,
        raw.files_skipped, raw.bytes, raw.bytes_settled, raw.bytes_per_second,
        raw.seconds_left if raw.seconds_left >= 0 else None, raw.elapsed_ms / 1000, raw.bytes_expected,
        bool(raw.studies_known))


def _item_of(raw: Any) -> Item:
    text = _library.text
    return Item(_KINDS[raw.kind], _RESULTS[raw.result], text(raw.institute), text(raw.study), text(raw.study_id),
                text(raw.path), os.fsdecode(ffi.string(raw.local_path)), text(raw.key), raw.size, raw.moved,
                text(raw.digest), text(raw.verified), in_python(text(raw.text)),
                _errors.from_details(_library.details_of(raw.error)) if raw.error else None,
                raw.replaced_size if raw.replaces else None)
