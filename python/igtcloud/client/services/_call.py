# SPDX-License-Identifier: MIT
"""Where an operation becomes a request: the one function between the generated part and the runtime.

The generated operations (services.entities.api and so on) check their arguments, build a Request and
call send(). The runtime, igtcloud.client.services._runtime, turns it into an igt_request() of the
library and returns a Response. Nothing above this module knows how bytes travel, and nothing below it
knows a model. Tests put a function of their own in `transport`.

What the runtime has to provide:

    def request(api_client, request): -> Response

- `api_client.configuration.auth_handler_provider`, if it is not None, is called without arguments and
  returns the AuthHandler whose domain and tokens the request uses (BaseService sets it). Otherwise
  `configuration.host` and `configuration.api_key` (`jwt`, `csrf_token`) apply.
- It returns the Response for every HTTP status, refusals too, with all headers and the whole body.
  The caller turns a status outside 200 to 299 into an ApiException.
- What is no HTTP response raises: no connection, a time limit, TLS, a sign-in that fails.
- With `request.sink`, the body of a 2xx is written to sink.write(bytes) as it arrives, and
  `Response.data` is b''. Bodies of refusals are in `data` all the same.
- It may be called from any thread, concurrently, and after a fork.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Tuple, Union

if TYPE_CHECKING:
    from typing import IO

Timeout = Union[None, int, float, Tuple[Union[int, float, None], Union[int, float, None]]]


class Request(NamedTuple):
    """A request as the operation wants it sent."""

    method: str
    """GET, POST, PUT, PATCH, DELETE."""
    path: str
    """From /api/ on, percent-encoded, with the query: /api/data/projects/1?$filter=x."""
    headers: Dict[str, str]
    """Accept, Content-Type, User-Agent, the client's default headers, X-Fields. Never the session's."""
    body: Optional[bytes]
    """JSON in UTF-8; None: no body."""
    timeout: Timeout
    """Seconds for the whole request, or (connecting, waiting for bytes); None: the library's own."""
    open: bool
    """True: needs no session and must not start one (signing in, the audience)."""
    service: str
    """auth, action or entities."""
    sink: Optional["IO[bytes]"] = None
    """Receives the body of a success, for operations that return a file."""


class Headers(Dict[str, str]):
    """Response headers, found in any case. Of a name sent twice the values are joined by ", "."""

    def __init__(self, pairs: Union[Dict[str, str], List[Tuple[str, str]], Tuple[()]] = ()) -> None:
        super().__init__()
        self._names: Dict[str, str] = {}
        for name, value in pairs.items() if isinstance(pairs, dict) else pairs:
            known = self._names.setdefault(name.lower(), name)
            if known in self:
                value = f'{super().__getitem__(known)}, {value}'
            super().__setitem__(known, value)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(self._names[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._names

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default

    def __reduce__(self) -> Any:
        return Headers, (list(self.items()),)


class Response:
    """What came back: what `_preload_content=False` returns and `ApiClient.last_response` is."""

    __slots__ = ('status', 'reason', 'data', 'headers')

    def __init__(self, status: int, reason: str = '', headers: Any = (), data: Any = b'') -> None:
        self.status = status
        self.reason = reason
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.data = data

    def getheaders(self) -> Headers:
        """All headers."""
        return self.headers

    def getheader(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """A header, in any case; `default` if it was not sent."""
        found: Optional[str] = self.headers.get(name, default)
        return found

    def read(self, amount: Optional[int] = None) -> bytes:
        """The body, as urllib3's responses give it."""
        data: bytes = self.data if isinstance(self.data, bytes) else self.data.encode()
        return data if amount is None else data[:amount]


transport: Optional[Callable[[Any, Request], Response]] = None
"""Replaces the runtime; for tests."""


def send(api_client: Any, request: Request) -> Response:
    """Sends a request with the session of `api_client`. See above for what it raises."""
    if transport is not None:
        return transport(api_client, request)
    from igtcloud.client.services import _runtime
    response: Response = _runtime.request(api_client, request)
    return response
