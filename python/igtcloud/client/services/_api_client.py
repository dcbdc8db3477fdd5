# SPDX-License-Identifier: MIT
"""ApiClient sends what an operation wants sent, and returns or raises what came back.

The request is made by the library's client of the AuthHandler that the service has (BaseService), so it goes
to the cloud of its tokens. A refusal is the ApiException of its status. A failure without a response is an
ApiException with status 0, which also is the built-in exception that it stands for (_errors), and urllib3's
MaxRetryError if the program has imported urllib3.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Mapping, Optional, Tuple, Type, Union

from igtcloud.client import _lazy
from igtcloud.client._lock import Lock
from igtcloud.client.services import _exceptions, _models

if TYPE_CHECKING:
    import json

    from igtcloud.client import _errors, _library
else:
    json, _errors, _library = map(_lazy.Module, ("json", "igtcloud.client._errors", "igtcloud.client._library"))

Timeout = Union[None, int, float, Tuple[Optional[float], Optional[float]]]


class Configuration:
    """Settings of an ApiClient. The library has its own defaults for what is None.

    proxy, ssl_ca_cert and retries apply to the operations of this service; smart_auth() takes them for a whole session.
    """

    def __init__(self, host: Optional[str] = None, api_key: Optional[Dict[str, str]] = None,
                 discard_unknown_keys: bool = True, **more: Any) -> None:
        self.host_path = ""
        self._host = host or ""
        self.api_key = api_key or {}
        self.discard_unknown_keys = discard_unknown_keys
        self.auth_handler_provider: Optional[Callable[[], Any]] = None
        self.verify_ssl = True
        self.ssl_ca_cert: Optional[str] = None
        self.cert_file: Optional[str] = None
        self.key_file: Optional[str] = None
        self.proxy: Optional[str] = None
        self.proxy_headers: Optional[Dict[str, str]] = None
        self.retries: Any = None
        self.connection_pool_maxsize = 5 * (os.cpu_count() or 1)
        self.temp_folder_path: Optional[str] = None
        self.debug = False
        self.logger_file: Optional[str] = None
        self.client_side_validation = True
        for name, value in more.items():
            setattr(self, name, value)

    @property
    def host(self) -> str:
        """Where requests go: the cloud of the tokens in use, and the path of the service."""
        if self.auth_handler_provider is None:
            return self._host
        return f"{self.auth_handler_provider().domain}{self.host_path}"

    @host.setter
    def host(self, value: str) -> None:
        self._host = value


class Headers(Dict[str, str]):
    """Response headers, found in any case; values of one name are joined by ", "."""

    def __init__(self, pairs: Iterable[Tuple[str, str]] = ()) -> None:
        super().__init__()
        self._names: Dict[str, str] = {}
        for name, value in pairs:
            known = self._names.setdefault(name.lower(), name)
            super().__setitem__(known, f"{super().__getitem__(known)}, {value}" if known in self else value)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(self._names[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._names.get(name.lower(), "") in self.keys()

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default

    def __reduce__(self) -> Any:
        return Headers, (list(self.items()),)


class RESTResponse(io.IOBase):
    """A raw response: `status`, `reason`, `data` (bytes), `getheader()`, `getheaders()`."""

    def __init__(self, status: int, headers: _library.Headers, data: bytes) -> None:
        self.status = status
        self.data: Any = data
        self._pairs = headers

    @property
    def reason(self) -> str:
        """What the status is called, such as "Not Found"."""
        return _reason(self.status)

    @cached_property
    def headers(self) -> Headers:
        return Headers(self._pairs)

    def getheaders(self) -> Headers:
        return self.headers

    def getheader(self, name: str, default: Optional[str] = None) -> Optional[str]:
        found: Optional[str] = self.headers.get(name, default)
        return found


def _reason(status: int) -> str:
    import http  # takes longer to import than most modules of this package

    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


class ApiClient:
    """Sends requests of the `...Api` classes. Any thread."""

    def __init__(self, configuration: Optional[Configuration] = None, header_name: Optional[str] = None,
                 header_value: Optional[str] = None, cookie: Optional[str] = None, pool_threads: int = 1) -> None:
        self.configuration = configuration or Configuration()
        self.default_headers: Dict[str, str] = {}
        if header_name is not None and header_value is not None:
            self.default_headers[header_name] = header_value
        if cookie is not None:
            self.default_headers["Cookie"] = cookie
        self.pool_threads = pool_threads
        self.last_response: Optional[RESTResponse] = None
        self._pool: Any = None
        self._pool_generation = -1
        self._lock = Lock()

    def __enter__(self) -> "ApiClient":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Ends the pool of async_req; another is made when needed."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and self._pool_generation == _library.generation():
            pool.close()
            pool.join()

    @property
    def pool(self) -> Any:
        """The pool of async_req: threads that do not keep the interpreter alive."""
        with self._lock:
            if self._pool is None or self._pool_generation != _library.generation():
                from multiprocessing.pool import ThreadPool

                self._pool, self._pool_generation = ThreadPool(self.pool_threads), _library.generation()
            return self._pool

    @property
    def user_agent(self) -> str:
        """What is put in front of the library's own User-Agent."""
        return self.default_headers.get("User-Agent", "igtcloud-python-client")

    @user_agent.setter
    def user_agent(self, value: str) -> None:
        self.default_headers["User-Agent"] = value

    def set_default_header(self, header_name: str, header_value: str) -> None:
        """Sends this header with every request."""
        self.default_headers[header_name] = header_value

    @staticmethod
    def sanitize_for_serialization(obj: Any) -> Any:
        """JSON-ready: a model as a dict with the API's names, datetimes as ISO text, lists and dicts
        likewise. ApiValueError for other types."""
        return _models.sanitize(obj)

    def call(self, operation: Any, path: str, query: Iterable[Tuple[str, str]], headers: Mapping[str, str],
             body: Optional[bytes], async_req: bool = False, preload: bool = True, data_only: bool = True,
             timeout: Timeout = None) -> Any:
        """Sends a request of an operation: see README.md, Internals."""
        work = _Call(self, operation, _with_query(path, query), dict(headers), body, preload, data_only,
                     _milliseconds(timeout))
        return self.pool.apply_async(work) if async_req else work()

    def _library_client(self) -> _library.Client:
        from igtcloud.client.core import auth

        configuration = self.configuration
        provider = configuration.auth_handler_provider
        settings = {name: value for name, value in (("proxy", configuration.proxy),
                                                    ("ca_file", configuration.ssl_ca_cert),
                                                    ("retries", _count_of(configuration.retries)))
                    if value is not None}
        return auth.client_of(provider() if provider else auth.AuthHandler(), **settings)


def _count_of(retries: Any) -> Optional[int]:
    """A number, or the total of urllib3's Retry."""
    count: Optional[int] = getattr(retries, "total", retries)
    return count


def _with_query(path: str, query: Iterable[Tuple[str, str]]) -> str:
    from urllib.parse import quote  # takes longer to import than most modules of this package

    text = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in query)
    return f"{path}?{text}" if text else path


def _milliseconds(timeout: Timeout) -> int:
    """Of a pair the sum: connecting and waiting both happen within the request. 0: the library's limits."""
    parts = timeout if isinstance(timeout, (tuple, list)) else (timeout,)
    if any(part is not None and (isinstance(part, bool) or not isinstance(part, (int, float)) or not part > 0)
           for part in parts) or not 1 <= len(parts) <= 2:
        raise _exceptions.ApiValueError(f"_request_timeout is a number of seconds or a pair of them, not {timeout!r}")
    if None in parts:
        return 0
    return min(max(1, round(1000 * sum(part for part in parts if part is not None))), 2**31 - 1)


class _Call:
    """One request, sent when it is called."""

    def __init__(self, api_client: ApiClient, operation: Any, path: str, headers: Dict[str, str],
                 body: Optional[bytes], preload: bool, data_only: bool, timeout_ms: int) -> None:
        self.api_client, self.operation, self.path, self.body = api_client, operation, path, body
        self.headers = {"Accept": "application/json", "Content-Type": "application/json",
                        **api_client.default_headers, **headers}
        self.preload, self.data_only, self.timeout_ms = preload, data_only, timeout_ms

    def __call__(self) -> Any:
        if self.operation.response == "file" and self.preload:
            with _IncomingFile(self.api_client.configuration.temp_folder_path) as incoming:
                response = self._send(incoming.sink)
                return self._returned(incoming.opened(response.headers), response)
        response = self._send(None)
        return self._returned(self._data_of(response), response) if self.preload else response

    def _send(self, sink: Any) -> RESTResponse:
        client = self.api_client._library_client()
        try:
            reply = client.request(self.operation.method, self.path, list(self.headers.items()), self.body,
                                   self.timeout_ms, sink)
        except _errors.IgtError as error:
            raise without_response(error) from None
        response = RESTResponse(reply.status, reply.headers, reply.data)
        self.api_client.last_response = response
        if not 200 <= reply.status < 300:
            raise _exceptions.from_response(reply.status, response.reason, reply.data.decode("utf-8", "replace"),
                                            response.headers)
        return response

    def _data_of(self, response: RESTResponse) -> Any:
        if not response.data:
            return None
        try:
            value = json.loads(response.data)
        except ValueError:
            value = response.data.decode("utf-8", "replace")
        return _models.deserialize(value, self.operation.response)

    def _returned(self, data: Any, response: RESTResponse) -> Any:
        return data if self.data_only else (data, response.status, response.headers)


# ---- failures without a response ----

_classes: Dict[Tuple[type, ...], Type[_exceptions.ApiException]] = {}
_STATUS = {"IGT_E_EXPIRED": 401, "IGT_E_UNAUTHORIZED": 401, "IGT_E_FORBIDDEN": 403, "IGT_E_NOT_FOUND": 404}


def without_response(error: _errors.IgtError, in_store: bool = False) -> _exceptions.ApiException:
    """The ApiException for a failure of the library. Its reason is the library's sentence.

    in_store: of a file's content, for which the existing client used boto3.
    """
    details = error.details
    status = details.http_status or _STATUS.get(details.code, 0)
    bases: Tuple[type, ...] = (type(_exceptions.from_response(status, None, None, None)), type(error))
    foreign = None
    if in_store and isinstance(error, _errors.Refused):
        foreign = _foreign_class("botocore.exceptions", "ClientError")
    elif isinstance(error, _errors.NetworkError):
        foreign = _foreign_class("urllib3.exceptions", "MaxRetryError")
    return _combined(bases + ((foreign,) if foreign else ()), status, error)


def _combined(bases: Tuple[type, ...], status: int, error: _errors.IgtError) -> _exceptions.ApiException:
    if bases not in _classes:
        members = {"__str__": lambda self: self.reason, "__reduce__": lambda self: (_again, (self.details,))}
        _classes[bases] = type(bases[1].__name__, bases, members)
    kind: Any = _classes[bases]
    made = kind.__new__(kind, error.details.text)  # the constructors of its bases take different arguments
    made.args = (error.details.text,)
    made.status, made.reason, made.body, made.headers = status, error.details.text, None, None
    made.pool, made.url = None, None  # of MaxRetryError
    made.operation_name = error.details.operation  # of ClientError, as the next
    made.response = {"Error": {"Code": error.details.server_code or str(status), "Message": error.details.text},
                     "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": error.details.request_id}}
    _errors.fill(made, error.details)
    result: _exceptions.ApiException = made
    return result


def _again(details: _errors.Details) -> _exceptions.ApiException:
    return without_response(_errors.from_details(details))


def _foreign_class(module: str, name: str) -> Optional[type]:
    """A class of a library that the program itself has imported; None otherwise."""
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None


# ---- files ----

class DownloadedFile(io.BufferedReader):
    """An open file in a temporary folder of its own, removed when it is closed."""

    def __init__(self, path: str) -> None:
        self._folder = os.path.dirname(path)
        super().__init__(io.FileIO(path, "r"))

    def close(self) -> None:
        import shutil  # here and below: only answers that are files need them, and importing them takes long

        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _IncomingFile:
    """Receives a body in a private folder, and opens it under the name that the server gave it."""

    def __init__(self, parent: Optional[str]) -> None:
        import tempfile

        self._folder: Optional[str] = tempfile.mkdtemp(prefix="igtcloud-", dir=parent)
        self.sink = open(os.path.join(self._folder, "content"), "wb")

    def __enter__(self) -> "_IncomingFile":
        return self

    def opened(self, headers: Headers) -> DownloadedFile:
        self.sink.close()
        assert self._folder is not None
        path = os.path.join(self._folder, _base_name(headers.get("Content-Disposition", "")))
        os.rename(self.sink.name, path)
        opened = DownloadedFile(path)
        self._folder = None
        return opened

    def __exit__(self, *_: Any) -> None:
        import shutil

        self.sink.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _base_name(disposition: str) -> str:
    """The last component of the server's name, which may not choose a folder."""
    from urllib.parse import unquote

    extended = re.search(r"filename\*\s*=\s*[\w-]*'[^']*'([^;\s]+)", disposition, re.I)
    plain = re.search(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', disposition, re.I)
    name = unquote(extended[1]) if extended else (plain[1] or plain[2] or "") if plain else ""
    name = re.split(r"[/\\]", name)[-1].replace("\0", "")
    encoded = name.encode("utf-8", "ignore")[:255].decode("utf-8", "ignore")
    return encoded if encoded not in ("", ".", "..") else "download"


logging.getLogger("igtcloud.client.services.auth").setLevel(logging.WARNING)
logging.getLogger("igtcloud.client.services.entities").setLevel(logging.WARNING)
logging.getLogger("igtcloud.client.services.action").setLevel(logging.WARNING)
