# SPDX-License-Identifier: MIT
"""Private keys of service identities."""

from __future__ import annotations

import os
import re
import textwrap
from typing import Any

__all__ = ["save_private_key", "key_regex"]

# Header, base64 and footer of a PEM; the base64 on one line or on many.
key_regex = re.compile(r"(-----BEGIN ([A-Z0-9 ]+)-----)([A-Za-z0-9+/=\s]*)(-----END \2-----)")
_COLUMNS = 64


def save_private_key(key: str, filename: Any) -> None:
    """Writes a private key, which the cloud gives only once, as PEM with lines of 64 characters, mode 0600.

    key: PEM, on one line or wrapped; any other text is written as it is. An existing file is replaced; a link
    is not followed. OSError if it cannot be written.
    """
    path = os.fspath(filename)
    fresh = f"{path}.{os.getpid()}.new"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(fd, "w", encoding="utf-8", newline="\n") as file:
            file.write(wrapped(key))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise


def wrapped(key: str) -> str:
    """A PEM as programs read it: header, lines of 64 characters, footer."""
    found = key_regex.search(key)
    if found is None:
        return key
    lines = textwrap.wrap("".join(found[3].split()), _COLUMNS)
    return "\n".join([found[1], *lines, found[4], ""])
