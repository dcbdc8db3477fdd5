# SPDX-License-Identifier: MIT
"""Files with names of patients, which only the user may read."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import IO, Any, Optional

from igtcloud.client import _errors

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def _refuse(path: str, why: str) -> None:
    raise _errors.from_details(_errors.Details("IGT_E_PERMISSION", f"cannot write to '{path}': {why}"))


def _own(path: str) -> Optional[int]:
    """A descriptor of the process, as in /dev/stderr."""
    found = re.fullmatch(r"/dev/(?:stdout|stderr|fd/(\d+))", path)
    return None if found is None else int(found[1]) if found[1] else 1 if path.endswith("stdout") else 2


def _opened(path: str) -> int:
    """A link may lead to a device or a pipe, as /dev/stderr does, and to no file."""
    try:
        return os.open(path, _WRITE | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    handle = os.open(path, _WRITE & ~os.O_CREAT)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        _refuse(path, "it is a link to a file; name the file itself")
    return handle


def _check(path: str, found: os.stat_result) -> None:
    """In a shared folder anybody can place a file of this name, and wait for what we write."""
    if stat.S_ISCHR(found.st_mode):
        return
    if found.st_uid != os.geteuid():
        _refuse(path, "it belongs to another user")
    if stat.S_ISREG(found.st_mode) and found.st_nlink != 1:
        _refuse(path, "it is a hard link: the file has other names")


def _prepare(path: str, handle: int) -> None:
    found = os.fstat(handle)
    _check(path, found)
    if stat.S_ISREG(found.st_mode):
        os.fchmod(handle, 0o600)
        os.ftruncate(handle, 0)
    os.set_blocking(handle, True)


def open_private(path: Any) -> IO[str]:
    """Opens a file for lines of text. It is emptied, and from then on readable by the user alone."""
    path = os.fspath(path)
    own = _own(path)
    handle = _opened(path) if own is None else os.dup(own)
    try:
        if own is None:
            _prepare(path, handle)
        # Line by line: what a killed run had done is on record.
        return open(handle, "w", encoding="utf-8", errors="surrogateescape", buffering=1)
    except BaseException:
        os.close(handle)
        raise
