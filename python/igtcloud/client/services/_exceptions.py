# SPDX-License-Identifier: MIT
"""The exceptions of all services. One set: services.auth.exceptions, services.entities.exceptions and
services.action.exceptions export the same classes, so that an except clause holds wherever an error
comes from."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

__all__ = ['OpenApiException', 'ApiTypeError', 'ApiValueError', 'ApiAttributeError', 'ApiKeyError',
           'ApiException', 'NotFoundException', 'UnauthorizedException', 'ForbiddenException',
           'ServiceException', 'render_path', 'from_response']


def render_path(path_to_item: Sequence[Any]) -> str:
    """The place of a value, as Python writes it: `['files'][0]`."""
    return ''.join(f'[{step}]' if isinstance(step, int) else f"['{step}']" for step in path_to_item)


class OpenApiException(Exception):
    """The base of everything that the services raise on their own."""


def _at(msg: str, path_to_item: Optional[Sequence[Any]]) -> str:
    return f'{msg} at {render_path(path_to_item)}' if path_to_item else msg


class ApiTypeError(OpenApiException, TypeError):
    """A value has the wrong type, or a call an argument that it does not take.

    `path_to_item` is the place of the value, `valid_classes` what it could have been; `key_type` is
    True if the key of a dictionary is meant."""

    def __init__(self, msg: str, path_to_item: Optional[Sequence[Any]] = None,
                 valid_classes: Optional[Sequence[Any]] = None,
                 key_type: Optional[bool] = None) -> None:
        self.path_to_item = path_to_item
        self.valid_classes = valid_classes
        self.key_type = key_type
        super().__init__(_at(msg, path_to_item))


class ApiValueError(OpenApiException, ValueError):
    """A value of the right type that is not allowed."""

    def __init__(self, msg: str, path_to_item: Optional[Sequence[Any]] = None) -> None:
        self.path_to_item = path_to_item
        super().__init__(_at(msg, path_to_item))


class ApiAttributeError(OpenApiException, AttributeError):
    """A model does not have a field of this name."""

    def __init__(self, msg: str, path_to_item: Optional[Sequence[Any]] = None) -> None:
        self.path_to_item = path_to_item
        super().__init__(_at(msg, path_to_item))


class ApiKeyError(OpenApiException, KeyError):
    """A key does not exist."""

    def __init__(self, msg: str, path_to_item: Optional[Sequence[Any]] = None) -> None:
        self.path_to_item = path_to_item
        super().__init__(_at(msg, path_to_item))

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class ApiException(OpenApiException):
    """The server refused, or could not be reached (`status` 0).

    `status` is the HTTP status, `reason` its phrase, `body` the body as text, `headers` a mapping in
    which names are found in any case. `body` and `headers` are None without a response."""

    def __init__(self, status: Optional[int] = None, reason: Optional[str] = None,
                 http_resp: Any = None) -> None:
        super().__init__()
        self.status = status
        self.reason = reason
        self.body: Optional[str] = None
        self.headers: Optional[Mapping[str, str]] = None
        if http_resp is not None:
            self.status, self.reason = http_resp.status, http_resp.reason
            self.body, self.headers = http_resp.data, http_resp.getheaders()

    def __str__(self) -> str:
        text = f'({self.status})\nReason: {self.reason}\n'
        if self.headers:
            text += f'HTTP response headers: {self.headers}\n'
        if self.body:
            text += f'HTTP response body: {self.body}\n'
        return text


class NotFoundException(ApiException):
    """404: it does not exist, or this account may not see it."""


class UnauthorizedException(ApiException):
    """401: not signed in, or the session has expired."""


class ForbiddenException(ApiException):
    """403: this account may not do this."""


class ServiceException(ApiException):
    """5xx: the cloud failed."""


_BY_STATUS = {401: UnauthorizedException, 403: ForbiddenException, 404: NotFoundException}


def from_response(status: int, reason: Optional[str], body: Optional[str],
                  headers: Optional[Mapping[str, str]]) -> ApiException:
    """The exception for a response that is no success. body: text; headers: a mapping in which names
    are found in any case."""
    kind = _BY_STATUS.get(status, ServiceException if 500 <= status <= 599 else ApiException)
    error = kind(status=status, reason=reason)
    error.body, error.headers = body, headers
    return error
