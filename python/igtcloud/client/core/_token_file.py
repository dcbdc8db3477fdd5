# SPDX-License-Identifier: MIT
"""The token file: five pages, base64 of a JSON object, the rest NUL.

Whoever signed in writes it in place; others keep it mapped and decode it anew at each use, so a renewed
token is seen at once. docs/internals/auth.md describes the format, which the existing client shares.
"""

from __future__ import annotations

import base64
import json
import mmap
import os
import stat
from typing import Any, Dict, Optional

SIZE = 5 * 4096


def default_path() -> str:
    """Where `igtcloud login` has it."""
    import tempfile  # here and below: the services can be imported without it, and it takes long

    return os.environ.get("CLOUD_TOKEN_MMAP") or os.path.join(tempfile.gettempdir(), "igtcloud_auth_mmap")


def payload_of(jwt: str) -> Dict[str, Any]:
    """The claims of a JWT; {} if it has none that can be read."""
    try:
        part = jwt.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return claims if isinstance(claims, dict) else {}
    except (IndexError, ValueError):
        return {}


def encode(user: str, jwt: str, csrf: str, domain: str) -> bytes:
    """The file's content. ValueError if the token does not fit."""
    record = {"sub": user, "jwt": jwt, "jwt_data": payload_of(jwt), "csrf": csrf, "domain": domain}
    data = base64.b64encode(json.dumps(record).encode())
    if len(data) >= SIZE:
        raise ValueError(f"the token of {user} is too large for a token file ({len(data)} bytes)")
    return data.ljust(SIZE, b"\0")


def decode(page: bytes) -> Dict[str, Any]:
    """The record. ValueError if there is none, or if it is being written."""
    text = page.split(b"\0", 1)[0].split(b"\n", 1)[0].strip()
    record = json.loads(base64.b64decode(text, validate=True))
    if not isinstance(record, dict):
        raise ValueError("no record")
    return record


class Reader:
    """A mapped token file. OSError if it cannot be opened, PermissionError if it cannot be trusted."""

    def __init__(self, path: str) -> None:
        self.path = path
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)  # it may be a FIFO of others
        try:
            _check_owner(path, os.fstat(fd))
            self.inode = os.fstat(fd).st_ino
            self._map = mmap.mmap(fd, SIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        finally:
            os.close(fd)

    def is_replaced(self) -> bool:
        """Whether another login has made a new file at the path."""
        try:
            return os.stat(self.path, follow_symlinks=False).st_ino != self.inode
        except OSError:
            return False

    def read(self) -> Dict[str, Any]:
        """ValueError after close(), and if the content cannot be decoded."""
        page = self._map[:]
        return decode(page)

    @property
    def is_closed(self) -> bool:
        return self._map.closed

    def close(self) -> None:
        self._map.close()


def _check_owner(path: str, status: os.stat_result) -> None:
    """In a shared temporary folder anybody can place a file of this name."""
    if not stat.S_ISREG(status.st_mode) or status.st_size < SIZE:
        raise PermissionError(f"{path} is not a token file")
    if status.st_uid != os.geteuid():
        raise PermissionError(f"the token file {path} belongs to another user, so it is not used")
    if status.st_mode & 0o077:
        raise PermissionError(f"the token file {path} can be used by others (mode {status.st_mode & 0o7777:04o}), "
                              f"so it is not used; `chmod 600 {path}` if it is yours")


class Writer:
    """A token file of its own, mode 0600, in the folder of the shared one."""

    def __init__(self) -> None:
        import tempfile

        folder, name = os.path.split(os.path.abspath(default_path()))
        os.makedirs(folder, exist_ok=True)
        self._fd, self.path = tempfile.mkstemp(prefix=name, dir=folder)
        self._pid = os.getpid()
        os.ftruncate(self._fd, SIZE)

    def write(self, page: bytes) -> None:
        """In place: readers have the file mapped."""
        os.pwrite(self._fd, page, 0)

    def close(self) -> None:
        """Removes it, unless this is a forked child: then it is the parent's."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            if self._pid == os.getpid():
                try:
                    os.unlink(self.path)
                except FileNotFoundError:
                    pass


def same_origin(one: Optional[str], other: str) -> bool:
    """Whether two domains with scheme are the same scheme, host and port."""
    return _origin(one or "") == _origin(other)


def _origin(domain: str) -> str:
    domain = domain.rstrip("/").lower()
    for scheme, port in (("https://", ":443"), ("http://", ":80")):
        if domain.startswith(scheme) and domain.endswith(port):
            return domain[:-len(port)]
    return domain
