# SPDX-License-Identifier: MIT
"""Writing below a folder to which others may write, too: no link in it is followed, as in transfers of the library.

The folder itself is the program's choice, and may be a link.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from typing import IO, Iterator

from igtcloud.client._errors import InvalidArgument

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextlib.contextmanager
def _opened(root: str, path: str) -> Iterator[int]:
    """The folder root/path, whose missing parts are created."""
    os.makedirs(root, exist_ok=True)
    at = os.open(root, _FOLDER)
    try:
        for name in path.split("/") if path else ():
            if name in ("", ".", ".."):
                raise InvalidArgument(f"'{path}' leads out of '{root}'")
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=at)
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def make_folders(root: str, path: str) -> None:
    """Creates root/path."""
    with _opened(root, path):
        pass


def write_file(root: str, path: str, data: "IO[bytes]") -> None:
    """Writes what is read from data to root/path, whose folders are created. The file is replaced at once."""
    folder, _, name = path.rpartition("/")
    with _opened(root, folder) as at:
        fresh = f".{secrets.token_hex(8)}.igtpart"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=at)
        try:
            with open(handle, "wb") as target:
                shutil.copyfileobj(data, target)
            os.replace(fresh, name, src_dir_fd=at, dst_dir_fd=at)
        except BaseException:
            os.unlink(fresh, dir_fd=at)
            raise
