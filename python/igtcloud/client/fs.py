# SPDX-License-Identifier: MIT
"""The cloud as a file system of fsspec, for pandas, dask, zarr and everything else that reads through it.

    pandas.read_csv('igt://PROJECT/INSTITUTE/PATIENT/STUDY/files/table.csv')

Paths are those of `igtcloud ls`: below a study come `files`, `dicom` and `annotations`, below a project
its institutes and its own `files`. Names may contain slashes; the longest name that fits is meant. `id:`
and an id may stand for a name, and do where two have the same one.

Requests use the session of set_auth(), or of the running `igtcloud login`. Listings are kept for
`listings_expiry_time` seconds (60), or not at all with `use_listings_cache=False`; invalidate_cache()
forgets them. What cannot be listed is an error, also in walk(), find() and glob(). Reading a file fetches
ranges of one version of the object, with the cache that `cache_type` names, fsspec's own. Writing makes a
temporary file and uploads it when it is closed; an exception in the `with` block discards it. Files can be
removed, studies and what is above them cannot.
"""

from __future__ import annotations

import copy
import errno
import io
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from fsspec.callbacks import NoOpCallback  # type: ignore[import]
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem  # type: ignore[import]
from fsspec.utils import other_paths  # type: ignore[import]

from igtcloud.client._below import make_folders
from igtcloud.client._errors import IgtError
from igtcloud.client._local import files_below
from igtcloud.client._lock import Lock

__all__ = ['IgtFileSystem', 'IgtFile']

CATEGORIES = ('files', 'dicom', 'annotations')
REQUESTS = 16
KEPT_SECONDS = 60.0
BLOCK = 1024 * 1024


def _missing(path: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, 'No such file, study, institute or project in the cloud', path)


def _refused(what: str, path: str) -> OSError:
    return OSError(errno.EPERM, what, path)


class _Node:
    """A folder of the tree: its model, or the category of files that it is."""

    def __init__(self, kind: str, path: str, model: Any = None, files: Any = None) -> None:
        self.kind = kind      # root, project, institute, study, category
        self.path = path
        self.model = model
        self.files = files    # of a category: loads its collection


class IgtFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The projects, institutes, studies and files of an IGT Cloud. See the module."""

    protocol = 'igt'
    root_marker = ''

    def __init__(self, use_listings_cache: bool = True, listings_expiry_time: Optional[float] = None,
                 **options: Any) -> None:
        super().__init__(use_listings_cache=use_listings_cache,
                         listings_expiry_time=listings_expiry_time, **options)
        self._keep = 0.0 if not use_listings_cache else \
            KEPT_SECONDS if listings_expiry_time is None else float(listings_expiry_time)
        self._lock = Lock(threading.RLock)
        self._putting = threading.local()  # `files`: those of the folder that this thread uploads
        self._listings: Dict[Any, Tuple[float, Dict[str, Any]]] = {}

    # ---- listings, kept for a while ----

    def _kept(self, path: str, load: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
        now, key = time.monotonic(), (*self._account(), path)
        with self._lock:
            found = self._listings.get(key)
        if found is not None and now - found[0] < self._keep:
            return found[1]
        value = load()
        with self._lock:
            self._listings[key] = (now, value)
        return value

    def invalidate_cache(self, path: Optional[str] = None) -> None:
        """Forgets all listings, or those at this path and below."""
        wanted = None if path is None else self._strip_protocol(path)
        with self._lock:
            for key in list(self._listings):
                if not wanted or f'{key[-1]}/'.startswith(f'{wanted}/'):
                    del self._listings[key]
        super().invalidate_cache(path)

    def _account(self) -> Tuple[Any, Any]:
        """Whose listings these are: fsspec keeps one file system for all sessions of a process."""
        handler = self._service().auth_handler
        return handler.domain, handler.username

    @staticmethod
    def _service() -> Any:
        from igtcloud.client.services import entities_service
        return entities_service

    def _projects(self) -> Dict[str, Any]:
        return self._kept('', lambda: _named(self._service().get_projects(), 'name', 'id'))

    def _institutes(self, node: _Node) -> Dict[str, Any]:
        return self._kept(node.path, lambda: _named(
            self._service().get_institutes(node.model.id), 'name', 'id'))

    def _studies(self, node: _Node) -> Dict[str, Any]:
        return self._kept(node.path, lambda: _named(
            self._service().get_studies(node.model.id), 'study_id_human_readable', 'study_database_id'))

    def _files(self, node: _Node) -> Dict[str, Any]:
        """{path below the category: File}."""
        def load() -> Dict[str, Any]:
            listed = node.files()
            return {_below(file, listed.s3_prefix): file for file in listed}
        return self._kept(node.path, load)

    # ---- finding ----

    def _resolve(self, path: str) -> Tuple[_Node, str]:
        """The last node of a path that exists, and the rest of the path."""
        node, rest = _Node('root', ''), path
        while rest:
            found = self._step(node, rest)
            if found is None:
                return node, rest
            node, rest = found
        return node, ''

    def _step(self, node: _Node, rest: str) -> Optional[Tuple[_Node, str]]:
        if node.kind in ('project', 'study'):
            first, _, below = rest.partition('/')
            names = ('files',) if node.kind == 'project' else CATEGORIES
            if first in names:
                return self._category(node, first), below
        if node.kind in ('root', 'project', 'institute'):
            kind = {'root': 'project', 'project': 'institute', 'institute': 'study'}[node.kind]
            found = _longest(self._children(node), rest)
            if found is not None:
                name, model = found
                return _Node(kind, _joined(node.path, name), model), rest[len(name) + 1:]
        return None

    def _children(self, node: _Node) -> Dict[str, Any]:
        load = {'root': lambda _: self._projects(), 'project': self._institutes,
                'institute': self._studies}[node.kind]
        return load(node)

    def _category(self, node: _Node, name: str) -> _Node:
        model = node.model

        def load() -> Any:
            fresh = copy.copy(model)  # with collections of its own, so that a listing is a new one
            return getattr(fresh, name)
        return _Node('category', _joined(node.path, name), model, load)

    def _file(self, path: str) -> Any:
        node, rest = self._resolve(path)
        found = self._files(node).get(rest) if node.kind == 'category' else None
        if found is None:
            if not rest or self._entries(node, rest):
                raise IsADirectoryError(errno.EISDIR, 'This is a folder', path)
            raise _missing(path)
        return found

    # ---- listing ----

    def _entries(self, node: _Node, rest: str) -> List[Dict[str, Any]]:
        """What is directly below a node, or below a folder in it that is part of names alone."""
        if node.kind == 'category':
            return _tree(node.path, rest, self._files(node), _file_info)
        if node.kind == 'study':
            return [] if rest else [_folder(_joined(node.path, name)) for name in CATEGORIES]
        entries = _tree(node.path, rest, self._children(node), _model_info)
        if node.kind == 'project' and not rest:
            entries.append(_folder(_joined(node.path, 'files')))
        return entries

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> List[Any]:
        """The entries of a folder, or the entry of a file."""
        if kwargs.get('refresh'):
            self.invalidate_cache(path)
        path = self._strip_protocol(path)
        node, rest = self._resolve(path)
        entries = self._entries(node, rest)
        if node.kind == 'study' and not rest:
            entries += self._below_study(node)
        if rest and not entries:
            file = self._files(node).get(rest) if node.kind == 'category' else None
            if file is None:
                raise _missing(path)
            entries = [_file_info(path, file)]
        entries.sort(key=lambda entry: str(entry['name']))
        return entries if detail else [entry['name'] for entry in entries]

    def _below_study(self, node: _Node) -> List[Dict[str, Any]]:
        """Studies whose names go on where this one's ends: P9/S beside P9."""
        above, _ = self._resolve(self._institute_of(node.path))
        rest = node.path[len(above.path) + 1:]
        return [entry for entry in self._entries(above, rest) if entry['name'] != node.path]

    def _institute_of(self, path: str) -> str:
        node, rest = _Node('root', ''), path
        while node.kind != 'institute':
            found = self._step(node, rest)
            assert found is not None
            node, rest = found
        return node.path

    def info(self, path: str, **kwargs: Any) -> Dict[str, Any]:
        """An entry: name, size, type; of files also key and whether their upload is complete; `id`."""
        path = self._strip_protocol(path)
        node, rest = self._resolve(path)
        if not rest:
            return _folder(path) if node.model is None or node.kind == 'category' else \
                _model_info(path, node.model)
        file = self._files(node).get(rest) if node.kind == 'category' else None
        if file is not None:
            return _file_info(path, file)
        if self._entries(node, rest):
            return _folder(path)
        raise _missing(path)

    def _look(self, path: str) -> Optional[Dict[str, Any]]:
        """Its entry, or None if the cloud does not have it. What cannot be looked at is an error: fsspec's own takes it for
        missing."""
        try:
            found: Dict[str, Any] = self.info(path)
        except FileNotFoundError as error:
            if isinstance(error, IgtError):  # of this machine, such as the file of certificates
                raise
            return None
        return found

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Whether there is a file or folder of this name."""
        return self._look(path) is not None

    def isdir(self, path: str) -> bool:
        """Whether it is a folder."""
        found = self._look(path)
        return found is not None and found['type'] == 'directory'

    def isfile(self, path: str) -> bool:
        """Whether it is a file."""
        found = self._look(path)
        return found is not None and found['type'] == 'file'

    def walk(self, path: str, maxdepth: Optional[int] = None, topdown: bool = True, **kwargs: Any) -> Iterator[Any]:
        """As os.walk(). What cannot be listed is an error: fsspec's own passes it over, so that find(), glob() and
        get() would do without the studies of a moment without network."""
        detail = kwargs.pop('detail', False)
        kwargs.pop('on_error', None)
        path = self._strip_protocol(path)
        for one, folders, files in self._walk(path, maxdepth, topdown, kwargs) if self._look(path) else ():
            yield (one, folders, files) if detail else (one, list(folders), list(files))

    def _walk(self, path: str, maxdepth: Optional[int], topdown: bool,
              options: Dict[str, Any]) -> Iterator[Tuple[str, Dict[str, Any], Dict[str, Any]]]:
        folders: Dict[str, Any] = {}
        files: Dict[str, Any] = {}
        for info in self.ls(path, detail=True, **options):
            name = '' if info['name'] == path else info['name'].rsplit('/', 1)[-1]
            (folders if info['type'] == 'directory' else files)[name] = info
        folders.pop('', None)
        below = [info['name'] for info in folders.values()] if maxdepth is None or maxdepth > 1 else []
        if topdown:
            yield path, folders, files
        for one in below:
            yield from self._walk(one, None if maxdepth is None else maxdepth - 1, topdown, options)
        if not topdown:
            yield path, folders, files

    def find(self, path: str, maxdepth: Optional[int] = None, withdirs: bool = False, detail: bool = False,
             **kwargs: Any) -> Any:
        """All files below a path. Lists of many studies are fetched at the same time."""
        self._warm(self._strip_protocol(path), maxdepth)
        return super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=detail, **kwargs)

    def _warm(self, path: str, maxdepth: Optional[int]) -> None:
        if maxdepth is not None or not self._keep:
            return
        node, rest = self._resolve(path)
        if node.kind == 'category' or rest and node.kind != 'institute':
            return
        with ThreadPoolExecutor(REQUESTS, 'igtcloud-fs') as pool:
            list(pool.map(self._files, self._categories_below(node, rest)))

    def _categories_below(self, node: _Node, rest: str = '') -> Iterator[_Node]:
        if node.kind == 'study':
            yield from (self._category(node, name) for name in CATEGORIES)
        elif node.kind in ('root', 'project', 'institute'):
            if node.kind == 'project':
                yield self._category(node, 'files')
            kind = {'root': 'project', 'project': 'institute', 'institute': 'study'}[node.kind]
            for name, model in self._children(node).items():
                if not rest or f'{name}/'.startswith(f'{rest}/'):
                    yield from self._categories_below(_Node(kind, _joined(node.path, name), model))

    # ---- reading ----

    def _open(self, path: str, mode: str = 'rb', block_size: Optional[int] = None,
              autocommit: bool = True, cache_options: Optional[Dict[str, Any]] = None,
              **kwargs: Any) -> Any:
        path = self._strip_protocol(path)
        if mode == 'rb':
            file = self._file(path)
            return IgtFile(self, path, file, block_size=block_size or BLOCK, cache_options=cache_options,
                           **kwargs)
        if mode not in ('wb', 'xb'):
            raise ValueError(f'files of the cloud open as rb, wb or xb, not {mode}')
        node, rest = self._resolve(path)
        if node.kind != 'category' or not rest:
            raise _refused('Files go below `files` of a project or a study', path)
        if mode == 'xb' and rest in self._files(node):
            raise FileExistsError(errno.EEXIST, 'The file exists', path)
        return _Writer(self, node, rest)

    def cat_file(self, path: str, start: Optional[int] = None, end: Optional[int] = None,
                 **kwargs: Any) -> bytes:
        """The bytes of a file, or of a range of it; negative positions count from its end."""
        with self._file(self._strip_protocol(path)).open(buffering=0) as raw:
            size = raw.size
            first = _position(start, size, 0)
            last = max(first, _position(end, size, size))
            raw.seek(first)
            return _read(raw, last - first)

    def cat_ranges(self, paths: Sequence[str], starts: Any, ends: Any, max_gap: Optional[int] = None,
                   on_error: str = 'return', **kwargs: Any) -> List[Any]:
        """The bytes of many ranges, fetched at the same time. An exception stands in place of its
        range, unless on_error='raise'."""
        starts = starts if isinstance(starts, (list, tuple)) else [starts] * len(paths)
        ends = ends if isinstance(ends, (list, tuple)) else [ends] * len(paths)
        if not len(paths) == len(starts) == len(ends):
            raise ValueError('paths, starts and ends have different lengths')
        found = self._together(self.cat_file, zip(paths, starts, ends))
        if on_error == 'raise':
            for one in found:
                if isinstance(one, Exception):
                    raise one
        return found

    def cat(self, path: Any, recursive: bool = False, on_error: str = 'raise', **kwargs: Any) -> Any:
        """The bytes of a file; of a list, a pattern or a folder {path: bytes}, fetched at the same time."""
        paths = self.expand_path(path, recursive=recursive)
        single = isinstance(path, str) and paths == [self._strip_protocol(path)] and not recursive
        if single:
            return self.cat_file(paths[0], **kwargs)
        paths = [one for one in paths if not self.isdir(one)]
        found = self._together(lambda one: self.cat_file(one, **kwargs), ((one,) for one in paths))
        return _results(dict(zip(paths, found)), on_error)

    @staticmethod
    def _together(work: Callable[..., Any], calls: Any) -> List[Any]:
        def caught(call: Tuple[Any, ...]) -> Any:
            try:
                return work(*call)
            except Exception as error:  # noqa: BLE001  the caller decides
                return error
        with ThreadPoolExecutor(REQUESTS, 'igtcloud-fs') as pool:
            return list(pool.map(caught, calls))

    def get_file(self, rpath: str, lpath: Any, callback: Any = NoOpCallback(), outfile: Any = None,
                 **kwargs: Any) -> None:
        """Downloads a file, complete and verified, or makes the folder."""
        rpath = self._strip_protocol(rpath)
        if outfile is None and self.isdir(rpath):
            os.makedirs(lpath, exist_ok=True)
            return
        file = self._complete_file(rpath)
        if outfile is not None or hasattr(lpath, 'write'):
            callback.set_size(file.get('file_size'))
            file.download_fileobj(outfile if outfile is not None else lpath)
            return
        self._download(file, *os.path.split(os.path.abspath(lpath)), callback)

    def _complete_file(self, path: str) -> Any:
        file = self._file(path)
        if not file.get('is_completed'):
            raise _refused('The upload of this file is not complete', path)
        return file

    @staticmethod
    def _download(file: Any, root: str, name: str, callback: Any = NoOpCallback()) -> None:
        """To root/name; no link below root is followed."""
        callback.set_size(file.get('file_size'))
        twin = copy.copy(file)
        twin._collection = file._collection
        twin.file_name = name
        twin.download(root, callback=callback.relative_update)

    def get(self, rpath: Any, lpath: Any, recursive: bool = False, callback: Any = NoOpCallback(),
            **kwargs: Any) -> None:
        """Downloads files and folders, many at the same time. No link below lpath is followed."""
        rpaths = self.expand_path(rpath, recursive=recursive)
        lpaths = other_paths(rpaths, os.fspath(lpath) if hasattr(lpath, '__fspath__') else lpath)
        root = os.path.abspath(lpath) if isinstance(lpath, (str, os.PathLike)) else None
        callback.set_size(len(rpaths))

        def one(source: str, target: str) -> None:
            if any(step in ('.', '..') for step in source.split('/')):
                raise _refused('The name of this file would lead out of the folder', source)
            name = os.path.relpath(target, root) if root else '.'
            if root is None or name == '.' or name.startswith('../'):
                self.get_file(source, target, **kwargs)
            elif self.isdir(source):
                make_folders(root, name)
            else:
                self._download(self._complete_file(source), root, name)
            callback.relative_update(1)
        for found in self._together(one, zip(rpaths, lpaths)):
            if isinstance(found, Exception):
                raise found

    # ---- writing ----

    def put(self, lpath: Any, rpath: Any, recursive: bool = False, **kwargs: Any) -> None:
        """Uploads files and folders. Links within a folder are left out, with a warning: they may lead out of it. A
        folder that cannot be read is an error."""
        if recursive and isinstance(lpath, (str, os.PathLike)):
            top = os.path.abspath(os.path.expanduser(lpath))
            self._putting.files = {path for path, _ in files_below(top)} if os.path.isdir(top) else None
        try:
            super().put(lpath, rpath, recursive=recursive, **kwargs)
        finally:
            self._putting.files = None

    def put_file(self, lpath: Any, rpath: str, callback: Any = NoOpCallback(), **kwargs: Any) -> None:
        """Uploads a file, over one that is there."""
        rpath = self._strip_protocol(rpath)
        wanted = getattr(self._putting, 'files', None)
        if wanted is not None and os.path.abspath(lpath) not in wanted:
            return  # a folder, or what was named
        if os.path.isdir(lpath):
            self.makedirs(rpath, exist_ok=True)
            return
        node, rest = self._resolve(rpath)
        if node.kind != 'category' or not rest:
            raise _refused('Files go below `files` of a project or a study', rpath)
        callback.set_size(os.path.getsize(lpath))
        self._upload(node, rest, lpath, callback.relative_update)

    def _upload(self, node: _Node, rest: str, path: Any,
                callback: Optional[Callable[[int], Any]] = None) -> None:
        if any(step in ('', '.', '..') for step in rest.split('/')):
            raise _refused('No file can have this name', _joined(node.path, rest))
        node.files().upload(path, key=rest, overwrite=True, callback=callback)
        self.invalidate_cache(node.path)

    def _rm(self, path: str) -> None:
        path = self._strip_protocol(path)
        file = self._file(path)
        node, _ = self._resolve(path)
        node.files().remove(file)
        self.invalidate_cache(node.path)

    def rm(self, path: Any, recursive: bool = False, maxdepth: Optional[int] = None) -> None:
        """Deletes files. Folders within `files` go with their last file; studies cannot be deleted."""
        for one in self.expand_path(path, recursive=recursive, maxdepth=maxdepth):
            node, rest = self._resolve(one)
            if node.kind != 'category':
                raise _refused('Only files can be deleted', one)
        for one in reversed(self.expand_path(path, recursive=recursive, maxdepth=maxdepth)):
            if self.isfile(one):
                self._rm(one)

    rm_file = _rm

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Copies a file by way of this machine: the cloud cannot."""
        if self.isdir(path1):
            self.makedirs(path2, exist_ok=True)
            return
        with tempfile.TemporaryDirectory(prefix='igtcloud-') as folder:
            local = os.path.join(folder, 'file')
            self.get_file(path1, local)
            self.put_file(local, path2)

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        """Nothing to do below `files`: folders are parts of names there. Elsewhere it is refused."""
        self.makedirs(path, exist_ok=True)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """As mkdir()."""
        node, rest = self._resolve(self._strip_protocol(path))
        if rest and node.kind != 'category':
            raise _refused('Projects, institutes and studies are not created as folders', path)

    def ukey(self, path: str) -> str:
        """Changes if the file does, as far as the cloud's lists tell."""
        from hashlib import sha256
        info = self.info(path)
        return sha256(repr(sorted(info.items(), key=str)).encode()).hexdigest()

    def sign(self, path: str, expiration: int = 100, **kwargs: Any) -> str:
        raise NotImplementedError('the cloud has no links to single files')


class IgtFile(AbstractBufferedFile):  # type: ignore[misc]
    """A file that is read by ranges, through one of fsspec's caches."""

    def __init__(self, fs: IgtFileSystem, path: str, file: Any, **kwargs: Any) -> None:
        self._raw = file.open(buffering=0)
        self._raw_lock = threading.Lock()
        try:
            super().__init__(fs, path, 'rb', size=self._raw.size, **kwargs)
        except BaseException:
            self._raw.close()
            raise

    def _fetch_range(self, start: int, end: int) -> bytes:
        with self._raw_lock:
            self._raw.seek(start)
            return _read(self._raw, end - start)

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Writer(io.BufferedRandom):
    """A temporary file, uploaded when it is closed."""

    def __init__(self, fs: IgtFileSystem, node: _Node, rest: str) -> None:
        handle, self._path = tempfile.mkstemp(prefix='igtcloud-')
        self._target = fs, node, rest
        self._keep, self._pid = True, os.getpid()
        super().__init__(io.FileIO(handle, 'w+b'))

    def discard(self) -> None:
        """Nothing is uploaded at the end."""
        self._keep = False

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            self.discard()
        self.close()

    def close(self) -> None:
        if self.closed or self._pid != os.getpid():  # of a forked child's parent, which goes on writing
            return
        try:
            super().close()
            if self._keep:
                fs, node, rest = self._target
                fs._upload(node, rest, self._path)
        finally:
            self._keep = False
            os.unlink(self._path)

    def __del__(self) -> None:
        self.discard()  # it was not closed: it may be half of a file
        self.close()


# ---- names ----


def _joined(path: str, name: str) -> str:
    return f'{path}/{name}' if path else name


def _named(models: Sequence[Any], name: str, id_: str) -> Dict[str, Any]:
    """{name: model}; id:ID where there is no name or two have the same one, or it is no path."""
    names = [model.get(name) or '' for model in models]
    found = {}
    for model, own in zip(models, names):
        usable = own and names.count(own) == 1 and all(
            step not in ('', '.', '..') for step in own.split('/')) and not own.startswith('id:')
        found[own if usable else f'id:{model[id_]}'] = model
    return found


def _longest(names: Dict[str, Any], path: str) -> Optional[Tuple[str, Any]]:
    """The child that a path begins with, by the longest name, and its model."""
    steps = path.split('/')
    for count in range(len(steps), 0, -1):
        name = '/'.join(steps[:count])
        if name in names:
            return name, names[name]
    if steps[0].startswith('id:'):
        for model in names.values():
            if steps[0][3:] in (model.get('id'), model.get('study_database_id')):
                return steps[0], model
    return None


def _below(file: Any, prefix: str) -> str:
    key: str = file.key
    return key[len(prefix):] if key.startswith(prefix) else file.get('file_name') or key


def _tree(path: str, rest: str, names: Dict[str, Any],
          describe: Callable[[str, Any], Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The entries directly below `rest` among names that contain slashes."""
    head = f'{rest}/' if rest else ''
    found: Dict[Tuple[str, str], Dict[str, Any]] = {}  # a file and a folder may have one name
    for name, model in names.items():
        if name.startswith(head) and name != head:
            first, _, more = name[len(head):].partition('/')
            full = _joined(path, head + first)
            if more or name.endswith('/'):  # the latter: an empty object that stands for a folder
                found.setdefault((first, 'directory'), _folder(full))
            else:
                entry = describe(full, model)
                found[first, entry['type']] = entry
    return list(found.values())


def _folder(path: str) -> Dict[str, Any]:
    return {'name': path, 'size': 0, 'type': 'directory'}


def _model_info(path: str, model: Any) -> Dict[str, Any]:
    return {**_folder(path), 'id': model.get('study_database_id') or model.get('id')}


def _file_info(path: str, file: Any) -> Dict[str, Any]:
    return {'name': path, 'size': file.get('file_size'), 'type': 'file', 'key': file.key,
            'is_completed': bool(file.get('is_completed'))}


def _position(value: Optional[int], size: int, otherwise: int) -> int:
    if value is None:
        return otherwise
    return max(0, size + value) if value < 0 else min(value, size)


def _read(raw: Any, count: int) -> bytes:
    """Exactly this many bytes, fewer only at the end."""
    buffer = bytearray(count)
    done = 0
    with memoryview(buffer) as view:
        while done < count:
            got = raw.readinto(view[done:])
            if not got:
                break
            done += got
    return bytes(buffer[:done]) if done < count else bytes(buffer)


def _results(found: Dict[str, Any], on_error: str) -> Dict[str, Any]:
    for error in found.values():
        if isinstance(error, Exception) and on_error == 'raise':
            raise error
    if on_error == 'omit':
        return {path: one for path, one in found.items() if not isinstance(one, Exception)}
    return found
