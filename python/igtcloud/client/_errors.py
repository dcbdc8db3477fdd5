# SPDX-License-Identifier: MIT
"""Failures that the library reports, as exceptions.

Each derives from IgtError, which has the details, and from the built-in exception that a Python
program would expect: a full disk is an OSError with ENOSPC, a cut connection a ConnectionError. Refusals
of an operation are not here: services._exceptions has them.
"""

from __future__ import annotations

import errno
from typing import Any, Dict, NamedTuple, Optional, Type


class Details(NamedTuple):
    """An igt_error of the library; error.h describes the fields."""

    code: str = "IGT_E_INTERNAL"
    text: str = ""
    http_status: int = 0
    retry_after: int = -1
    os_error: int = 0
    retryable: bool = False
    server_code: str = ""
    operation: str = ""
    request_id: str = ""


class IgtError(Exception):
    """A failure. `str()` says what failed, on what, why, and what to do."""

    details: Details = Details()

    @property
    def code(self) -> str:
        """The kind of failure, such as "IGT_E_TIMEOUT"; the names are those of the C library."""
        return self.details.code

    @property
    def http_status(self) -> int:
        """Status of the response that caused it; 0 if there was none."""
        return self.details.http_status

    @property
    def retry_after(self) -> Optional[int]:
        """Seconds that the server asked to wait; None if it did not."""
        return None if self.details.retry_after < 0 else self.details.retry_after

    @property
    def retryable(self) -> bool:
        """True: the same call may succeed later, unchanged."""
        return self.details.retryable

    @property
    def request_id(self) -> str:
        """The server's id of the request, for its support; "" if unknown."""
        return self.details.request_id

    @property
    def operation(self) -> str:
        """What was called, such as "get_studies" or "GetObject"; "" if unknown."""
        return self.details.operation

    @property
    def server_code(self) -> str:
        """The server's own code, such as "NoSuchKey"; "" if there is none."""
        return self.details.server_code

    def __reduce__(self) -> Any:
        return from_details, (self.details,)


class InternalError(IgtError, RuntimeError):
    """A defect of the library. Please report it."""


class OutOfMemory(IgtError, MemoryError):
    """Out of memory."""


class InvalidArgument(IgtError, ValueError):
    """An argument or option is wrong, or a name cannot be used."""


class Cancelled(IgtError):
    """The call was cancelled."""


class Unsupported(IgtError, NotImplementedError):
    """The server or the platform cannot do this."""


class LimitExceeded(IgtError):
    """A limit on size, depth or count was exceeded."""


class LocalError(IgtError, OSError):
    """Reading or writing on this machine failed. `errno` is set."""


class LocalFileNotFound(LocalError, FileNotFoundError):
    """A local file or folder does not exist."""


class LocalPermissionDenied(LocalError, PermissionError):
    """Permission denied on this machine."""


class FileChanged(LocalError):
    """A local file changed while it was read."""


class NetworkError(IgtError, ConnectionError):
    """No connection, or one that broke; the proxy failed; the response violates the protocol."""


class TlsError(NetworkError):
    """The certificate or the TLS handshake was rejected."""


class TimedOut(NetworkError, TimeoutError):
    """No response, or no progress, for too long."""


class Refused(IgtError):
    """The server refused."""


class Unauthorized(Refused, PermissionError):
    """Not signed in, or the session has ended."""


class Forbidden(Refused, PermissionError):
    """Signed in, but not allowed."""


class NotFound(Refused, LookupError):
    """No such project, institute, study, file or object."""


class InvalidResponse(IgtError, ValueError):
    """The response cannot be parsed, or a field is missing or of another type."""


class SignInFailed(IgtError, RuntimeError):
    """The user name, password, key or token was rejected, or there is no login."""


class SessionExpired(SignInFailed):
    """The session or the credentials expired and could not be renewed."""


class IntegrityError(IgtError):
    """The content does not match the store's checksum, or the object changed meanwhile."""


class SomeFailed(IgtError):
    """Some files or studies of a transfer failed; the others are complete."""


class Ambiguous(IgtError, LookupError):
    """Several projects, institutes or studies match; the message lists them."""


_CLASSES: Dict[str, Type[IgtError]] = {
    "INTERNAL": InternalError, "NO_MEMORY": OutOfMemory, "INVALID": InvalidArgument, "CANCELLED": Cancelled,
    "UNSUPPORTED": Unsupported, "LIMIT": LimitExceeded, "IO": LocalError, "NO_FILE": LocalFileNotFound,
    "PERMISSION": LocalPermissionDenied, "NO_SPACE": LocalError, "UNSAFE_NAME": InvalidArgument,
    "CHANGED": FileChanged, "COLLISION": LocalError, "LOCKED": LocalError, "READ_ONLY": LocalError,
    "RESOLVE": NetworkError, "CONNECT": NetworkError, "TIMEOUT": TimedOut, "TLS": TlsError,
    "PROXY": NetworkError, "NETWORK": NetworkError, "PROTOCOL": NetworkError, "UNAUTHORIZED": Unauthorized,
    "FORBIDDEN": Forbidden, "NOT_FOUND": NotFound, "PARSE": InvalidResponse, "TYPE": InvalidResponse,
    "REQUIRED": InvalidResponse, "LOGIN": SignInFailed, "EXPIRED": SessionExpired, "KEY": SignInFailed,
    "TOKEN_FILE": SignInFailed, "NO_SESSION": SignInFailed, "CHECKSUM": IntegrityError, "GONE": IntegrityError,
    "SOME_FAILED": SomeFailed, "AMBIGUOUS": Ambiguous,
}

_ERRNO = {"NO_FILE": errno.ENOENT, "PERMISSION": errno.EACCES, "NO_SPACE": errno.ENOSPC,
          "COLLISION": errno.EEXIST, "LOCKED": errno.EBUSY, "READ_ONLY": errno.EROFS, "IO": errno.EIO}


def class_for(code: str) -> Type[IgtError]:
    """The exception of a status name; Refused for other refusals of the server."""
    return _CLASSES.get(code.replace("IGT_E_", "", 1), Refused)


def fill(error: IgtError, details: Details) -> IgtError:
    """Adds the details to a new exception."""
    error.details = details
    if isinstance(error, OSError):
        # Set here: given to OSError(), they would replace the sentence by one of the C library.
        number = details.os_error or _ERRNO.get(details.code.replace("IGT_E_", "", 1))
        if number:
            error.errno = number
    return error


def from_details(details: Details) -> IgtError:
    """The exception for an igt_error."""
    return fill(class_for(details.code)(details.text), details)
