# SPDX-License-Identifier: MIT
"""S3File: a file of the cloud as a raw, seekable file of Python."""

from __future__ import annotations

import io
import os
from typing import Any

__all__ = ["S3File"]

# A quarter of the library's first range. Reading half of that would fetch the next one ahead.
_FIRST_BYTES = 16 * 1024


class S3File(io.RawIOBase):
    """Reads a file by ranges, without downloading it. Bound to the version that existed when it was opened.

    Reading in order doubles the size of the ranges and fetches one ahead. One thread at a time. A read may
    return less than it asks for: an io.BufferedReader asks for its whole buffer, of which a header needs little.
    """

    def __init__(self, file: Any, mode: str = "rb") -> None:
        self.mode = "rb"
        self.name = file.get("file_name") or file.key
        self._reader: Any = None
        self._most = _FIRST_BYTES  # bytes of the next read
        from igtcloud.client.services import entities_service as _  # noqa: F401  the module is loaded
        from igtcloud.client.services.entities_service import _prefix_of, _prepare, _transfer, _translated

        def open_it(client: Any) -> Any:
            _prepare(client, file)
            return client.open_object(_prefix_of(file), file.key, file.get("file_size"))
        self._translated = _translated
        self._reader = _transfer(open_it)

    def readable(self) -> bool:
        self._check_open()
        return True

    def seekable(self) -> bool:
        self._check_open()
        return True

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        self._check_open()
        size: int = self._reader.size()
        return size

    @property
    def fetched(self) -> int:
        """Bytes received over the network so far."""
        fetched: int = self._reader.fetched()
        return fetched

    def tell(self) -> int:
        self._check_open()
        position: int = self._reader.tell()
        return position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Sets the position of the next read. Sends nothing."""
        self._check_open()
        if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
            raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        base = 0 if whence == os.SEEK_SET else self.tell() if whence == os.SEEK_CUR else self.size
        position = base + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        if position != self._reader.tell():
            self._most = _FIRST_BYTES
        self._reader.seek(position)
        return position

    def readinto(self, buffer: Any) -> int:
        """Reads at the current position; 0 at the end."""
        self._check_open()
        with memoryview(buffer) as given, given.cast("B") as view, view[:self._most] as part:
            self._most *= 2
            read: int = self._translated(lambda: self._reader.read_into(part))
        return read

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._reader is not None:
                self._reader.close()


