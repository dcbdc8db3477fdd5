# SPDX-License-Identifier: MIT
"""Signing in: smart_auth() for scripts and notebooks, AuthHandler for the tokens of a session.

    with smart_auth("igt-web.eu1.phsdp.com") as auth:
        set_auth(auth)

An AuthHandler reads a token file: that of a running `igtcloud login`, or the one that smart_auth() makes
for its own session, so that forked and started processes can use the session, too. The requests of a
handler are sent by the library's client, which renews the session when it is due; while nothing is sent, a
daemon thread does.
"""

from __future__ import annotations

import builtins
import contextlib
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Tuple

from igtcloud.client import _lazy
from igtcloud.client._lock import Lock

if TYPE_CHECKING:
    import getpass

    from igtcloud.client import _errors, _library
    from igtcloud.client.core import _token_file
else:
    getpass, _errors, _library, _token_file = map(_lazy.Module, (
        "getpass", "igtcloud.client._errors", "igtcloud.client._library", "igtcloud.client.core._token_file"))

__all__ = ["smart_auth", "AuthHandler", "AuthRefresher", "Periodic"]

logger = logging.getLogger(__name__)

_NO_FILE = "IGT Cloud auth file doesn't exist.\nPlease login using `igtcloud login`"
_TORN_READS = 5  # tries, 2 ms apart: writing the file takes microseconds


class AuthHandler:
    """The tokens of a token file, which is opened at first use and decoded anew at each.

    filename: path of the file; None: that of `igtcloud login` (CLOUD_TOKEN_MMAP, else igtcloud_auth_mmap in
    the temporary folder). Properties raise RuntimeError if there is no file, ValueError after the session
    of the file has been ended by this program.
    """

    def __init__(self, filename: Optional[str] = None) -> None:
        self._filename = os.fspath(filename) if filename else _token_file.default_path()
        self._reader: Optional[_token_file.Reader] = None
        self._last: Dict[str, Any] = {}
        self._lock = Lock()
        self._client: Optional[_library.Client] = None
        self._client_key: Tuple[Any, ...] = ()
        self._settings: Dict[str, Any] = {}

    @property
    def jwt_token(self) -> Optional[str]:
        """The session's JWT, as sent in X-JWT."""
        return self._read().get("jwt")

    @property
    def csrf_token(self) -> Optional[str]:
        """As sent in X-CSRF-TOKEN."""
        return self._read().get("csrf")

    @property
    def access_token(self) -> Optional[str]:
        """The access token in the JWT; None if it has none."""
        return self._claims().get("access_token")

    @property
    def uid(self) -> Optional[str]:
        """The user's id in the JWT; None if it has none."""
        return self._claims().get("uid")

    @property
    def domain(self) -> Optional[str]:
        """The cloud, with its scheme: "https://igt-web.eu1.phsdp.com"."""
        return self._read().get("domain")

    @property
    def username(self) -> Optional[str]:
        """The user's name, or the service's id."""
        return self._read().get("sub")

    @property
    def is_valid(self) -> bool:
        """Whether the token has not expired. TypeError if it does not say when."""
        expires: Any = self._claims().get("exp")
        valid: bool = expires > time.time()
        return valid

    def close(self) -> None:
        """Closes the file. The session goes on."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # of an __init__ that failed
            self.close()

    def _claims(self) -> Dict[str, Any]:
        return self._read().get("jwt_data") or {}

    def _read(self) -> Dict[str, Any]:
        with self._lock:
            reader = self._open_reader()
            for attempt in range(_TORN_READS):
                if reader.is_closed:
                    raise ValueError("mmap closed or invalid")
                try:
                    self._last = reader.read()
                    return self._last
                except ValueError:
                    time.sleep(0.002 if attempt else 0)
        logger.error("Error retrieving/decoding token")
        return self._last

    def _open_reader(self) -> _token_file.Reader:
        if self._reader is not None and not self._reader.is_closed and self._reader.is_replaced():
            self._reader.close()
            self._reader = None
        if self._reader is None:
            try:
                self._reader = _token_file.Reader(self._filename)
            except FileNotFoundError:
                raise RuntimeError(_NO_FILE) from None
            except OSError as error:
                raise RuntimeError(f"Error opening IGT Cloud auth file {self._filename}: {error}") from error
        return self._reader

    def _library_client(self) -> _library.Client:
        """The client for requests with these tokens. Another user or cloud in the file gets another client."""
        record = self._read()
        domain = record.get("domain")
        if not domain:
            raise RuntimeError(f"the token file {self._filename} names no cloud; sign in again")
        key = (domain, record.get("sub"), _library.generation())
        with self._lock:
            if self._client is None or self._client_key != key:
                self._client = _library.Client(domain, token_file=self._filename, **self._settings)
                self._client_key = key
            return self._client


class _SessionHandler(AuthHandler):
    """The tokens of a session of this process, renewed or not; in a forked child, of its token file."""

    def __init__(self, session: "_Session") -> None:
        super().__init__(session.file.path)
        self._session = session

    def _read(self) -> Dict[str, Any]:
        if self._session.is_ended:
            raise ValueError("mmap closed or invalid")
        if not self._session.is_here():
            return super()._read()
        return self._session.record()

    def _library_client(self) -> _library.Client:
        if self._session.is_ended:
            raise ValueError("mmap closed or invalid")
        if self._session.is_here():
            return self._session.client
        self._settings = self._session.settings
        return super()._library_client()

    def close(self) -> None:
        if not getattr(self, "_session", None) or not self._session.is_here():
            super().close()


class Periodic:
    """Calls function(*args, **kwargs) every `interval` seconds, on a daemon thread, until stop().

    Assigning to `interval` counts from the next call on. An exception of the function is logged.
    """

    def __init__(self, interval: float, function: Callable[..., Any], *args: Any, autostart: bool = True,
                 **kwargs: Any) -> None:
        self.interval = interval
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self._lock = Lock()
        self._stopped: Optional[threading.Event] = None
        if autostart:
            self.start()

    def start(self) -> None:
        """Starts it; nothing if it runs already. The first call comes after one interval."""
        with self._lock:
            if self._stopped is None or self._stopped.is_set():
                self._stopped = threading.Event()
                threading.Thread(target=self._run, args=(self._stopped,), name="igtcloud-periodic",
                                 daemon=True).start()

    def stop(self) -> None:
        """Stops it, from any thread, also from the function. A call that is running is not waited for."""
        with self._lock:
            if self._stopped is not None:
                self._stopped.set()

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.wait(max(self.interval, 0.05)):
            try:
                self.function(*self.args, **self.kwargs)
            except Exception:
                logger.exception("Error in periodic task")


# ---- a session of this process ----

_RENEW_AHEAD_S = 180
_sessions: List["_Session"] = []


class _Session:
    """Signed in by this process: a client, its token file, and the thread that keeps both fresh."""

    def __init__(self, client: _library.Client, auto_refresh: bool, is_ours: bool) -> None:
        self.client = client
        self.settings: Dict[str, Any] = {}  # of a client that a forked child makes
        self.is_ours = is_ours  # and so is its end: a session of the environment is shared with others
        self.is_ended = False
        self._pid = os.getpid()
        self._lock = Lock()
        self._written = ""
        self._claims: Tuple[str, Dict[str, Any]] = ("", {})
        self.file = _token_file.Writer()
        try:
            self.record()
        except BaseException:
            self.file.close()
            raise
        self.periodic = Periodic(self._seconds_to_renewal(), self._refresh, autostart=auto_refresh)
        _end_at_exit()
        _sessions.append(self)

    def is_here(self) -> bool:
        return self._pid == os.getpid()

    def record(self) -> Dict[str, Any]:
        """What the token file contains; writes it when the token is a new one."""
        tokens = self.client.tokens()
        with self._lock:
            if tokens.jwt != self._written and not self.is_ended:
                self.file.write(_token_file.encode(tokens.user, tokens.jwt, tokens.csrf, self.client.domain))
                self._written = tokens.jwt
                self._claims = tokens.jwt, _token_file.payload_of(tokens.jwt)
            claims = self._claims[1]
        return {"sub": tokens.user, "jwt": tokens.jwt, "jwt_data": claims, "csrf": tokens.csrf,
                "domain": self.client.domain}

    def _seconds_to_renewal(self) -> float:
        """As the library has it: 180 s before the end, or at half of a life of 360 s or less."""
        expires = self._claims[1].get("exp")
        if not isinstance(expires, (int, float)):
            return _RENEW_AHEAD_S
        left = expires - time.time()
        return max(0.5, left - _RENEW_AHEAD_S if left > 2 * _RENEW_AHEAD_S else left / 2)

    def _refresh(self) -> None:
        before = self._written
        try:
            self.record()
        except _errors.IgtError as error:
            logger.error("Error during refresh: %s", error)
        if self._written != before:
            logger.info("Refreshing token")
        self.periodic.interval = self._seconds_to_renewal()

    def end(self, sign_out: bool) -> None:
        """Removes the file; signs out if the session is this process's own. Failures are logged."""
        with self._lock:
            if self.is_ended:
                return
            self.is_ended = True
        self.periodic.stop()
        self.file.close()
        if self in _sessions:
            _sessions.remove(self)
        if not self.is_here():
            return
        try:
            if sign_out and self.is_ours:
                logger.info("Logout...")
                self.client.sign_out()
        except _errors.IgtError as error:
            logger.warning("The session was not signed out: %s", error)
        finally:
            self.client.close()


# ---- signing in ----

@contextlib.contextmanager
def smart_auth(domain: str, username: Optional[str] = None, key: Optional[str] = None, auto_refresh: bool = True,
               auto_logout: bool = True, *, proxy: Optional[str] = None, ca_file: Optional[str] = None,
               bandwidth: Optional[str] = None, max_connections: int = 0, retries: Optional[int] = None,
               connect_timeout: float = 0, idle_timeout: float = 0, audience: Optional[str] = None
               ) -> Iterator[AuthHandler]:
    """Signs in to a cloud and yields its AuthHandler; the end of the block signs out.

    The first of these that applies:

    1. the token file of a running `igtcloud login`, if it is valid, of this cloud (scheme, host and port) and,
       if `username` is given, of that user. It is left alone at the end.
    2. CLOUD_JWT_TOKEN with CLOUD_CSRF_TOKEN. That session is not signed out: others may share it.
    3. `key`, the PEM text of a service identity's private key, with `username`, the service's id.
    4. `username`, CLOUD_USERNAME, or input(), and a password from getpass.getpass().

    domain: a host, "host:port" or a URL; https without a scheme. auto_refresh: also renew the session while
    nothing is sent. auto_logout=False: neither sign out nor close the handler at the end.

    For everything that is sent with this session, files included: proxy: a URL (http, https, socks4, socks5, socks5h),
    perhaps with user:password@; "" for none; None: https_proxy, http_proxy, all_proxy. ca_file: a file of PEM
    certificates that are trusted in place of the system's. bandwidth: bytes per second, such as "20M", or by time of
    day: "08:00-18:00 20M, off". max_connections: to the store; 0: 128. retries: of a request that fails for a moment;
    None: 5. connect_timeout, idle_timeout: seconds until a connection must be there, and that it may be silent; 0: 10
    and 30. audience: of a service's assertion, where the cloud's own is outside its domain.

    Raises RuntimeError, which says why, if nobody could be signed in.
    """
    settings: Dict[str, Any] = {"proxy": proxy, "ca_file": None if ca_file is None else os.fspath(ca_file),
                                "bandwidth": bandwidth, "max_connections": max_connections, "retries": retries,
                                "connect_timeout": connect_timeout, "idle_timeout": idle_timeout,
                                "audience": audience}
    origin = _origin_of(domain, settings)
    shared = _shared_login(origin, username)
    if shared is not None:
        shared._settings = settings
        try:
            yield shared
        finally:
            shared.close()
        return
    session = _sign_in(origin, username, key, auto_refresh, settings)
    with _end_on_signals():
        try:
            yield _SessionHandler(session)
        finally:
            if auto_logout:
                session.end(sign_out=True)


def _origin_of(domain: str, settings: Optional[Dict[str, Any]] = None) -> str:
    """As the library has it, which rejects what is no domain, and settings that cannot be used."""
    try:
        with _library.Client(domain, **(settings or {})) as client:
            return client.domain
    except _errors.IgtError as error:
        raise RuntimeError(str(error)) from error


def _shared_login(origin: str, username: Optional[str]) -> Optional[AuthHandler]:
    handler = AuthHandler()
    try:
        if (_token_file.same_origin(handler.domain, origin) and handler.is_valid
                and (not username or handler.username == username)):
            return handler
    except (RuntimeError, TypeError, ValueError) as error:
        if str(error) != _NO_FILE:
            logger.warning("%s", error)
    handler.close()
    return None


def _sign_in(origin: str, username: Optional[str], key: Optional[str], auto_refresh: bool,
             settings: Optional[Dict[str, Any]] = None) -> _Session:
    settings = settings or {}
    is_ours = not (os.environ.get("CLOUD_JWT_TOKEN") and os.environ.get("CLOUD_CSRF_TOKEN"))
    client = (_client_for(origin, username, key, **settings) if is_ours
              else _library.Client(origin, environment=True, **settings))
    try:
        client.sign_in()
        session = _Session(client, auto_refresh, is_ours)
        session.settings = settings
    except _errors.IgtError as error:
        logger.error("%s", error)
        client.close()
        raise RuntimeError(f"Error during login: {error}") from error
    except BaseException:
        client.close()
        raise
    logger.info("Logged in as: %s", session.record()["sub"])
    return session


def _client_for(origin: str, username: Optional[str], key: Optional[str], token_file: Optional[str] = None,
                **settings: Any) -> _library.Client:
    """Asks through Python's own functions, looked up now: notebooks replace them."""
    from urllib.parse import urlsplit

    password = None
    if key is None:
        username = username or os.environ.get("CLOUD_USERNAME") or builtins.input("Username: ")
        password = getpass.getpass(f"{username}@{urlsplit(origin).netloc}'s password: ")
    elif not username:
        raise RuntimeError("a private key needs the id of its service: smart_auth(domain, SERVICE_ID, key=...)")
    try:
        return _library.Client(origin, user=username, password=password, service_key=key, token_file=token_file,
                               **settings)
    except _errors.IgtError as error:
        raise RuntimeError(f"Error during login: {error}") from error


@contextlib.contextmanager
def _end_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as an exception does, so that the session is signed out: by default
    they would kill the process on the spot. Handlers of the program itself stay."""
    import signal

    previous: List[Tuple[int, Any]] = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(number) is signal.SIG_DFL:
                previous.append((number, signal.signal(number, _exit_by_signal)))
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


def _exit_by_signal(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


class AuthRefresher:
    """Signs in, writes the token file and keeps it fresh: what `igtcloud login` does.

    As a context manager it has a file of its own and yields the AuthHandler. Otherwise start() writes the
    shared file, unless unique=True. The arguments are those of start().
    """

    def __init__(self, unique: bool = False, **start_args: Any) -> None:
        self._unique = unique
        self._start_args = start_args
        self._session: Optional[_Session] = None
        self._hold: Optional[_Hold] = None
        self._auto_logout = True

    def start(self, domain: Optional[str] = None, username: Optional[str] = None, key: Optional[str] = None,
              blocking: bool = True, auto_refresh: bool = True, auto_logout: bool = True) -> None:
        """Signs in; with `blocking` it returns once stop() is called or Ctrl-C is pressed.

        domain: also from CLOUD_DOMAIN or input(). Raises RuntimeError, which says why, if nobody could be
        signed in or another login has the shared file.
        """
        domain = domain or os.environ.get("CLOUD_DOMAIN") or builtins.input("Provide domain: ")
        if not domain:
            raise RuntimeError("Domain not provided")
        origin = _origin_of(domain)
        self._auto_logout = auto_logout
        if self._unique:
            self._session = _sign_in(origin, username, key, auto_refresh)
        else:
            self._hold = _Hold(origin, username, key)
        if blocking:
            self._block()

    def stop(self) -> None:
        """Removes the file and signs out."""
        if self._session is not None:
            self._session.end(self._auto_logout)
        if self._hold is not None:
            self._hold.stop()

    def _block(self) -> None:
        with contextlib.suppress(KeyboardInterrupt), _end_on_signals():
            try:
                while not (self._hold.is_over(1) if self._hold else self._is_session_over(1)):
                    pass
            finally:
                self.stop()

    def _is_session_over(self, seconds: float) -> bool:
        time.sleep(seconds)
        return self._session is None or self._session.is_ended

    def __enter__(self) -> AuthHandler:
        self._unique = True
        arguments: Dict[str, Any] = {**self._start_args, "blocking": False}
        self.start(**arguments)
        assert self._session is not None
        return _SessionHandler(self._session)

    def __exit__(self, *_: Any) -> None:
        if self._auto_logout:
            self.stop()


class _Hold:
    """A login of the library on a daemon thread, with the shared token file."""

    def __init__(self, origin: str, username: Optional[str], key: Optional[str]) -> None:
        self._client = _client_for(origin, username, key, token_file=_token_file.default_path())
        self._ready, self._ended = threading.Event(), threading.Event()
        self._error: Optional[BaseException] = None
        threading.Thread(target=self._run, name="igtcloud-login", daemon=True).start()
        self._ready.wait()
        if self._error is not None:
            raise RuntimeError(f"Error during login: {self._error}") from self._error

    def _run(self) -> None:
        try:
            self._client.hold_login(self._note)
        except BaseException as error:
            self._error = error
            if self._ready.is_set():
                logger.error("%s", error)
        finally:
            self._ready.set()
            self._ended.set()

    def _note(self, event: str, user: str, problem: str) -> None:
        if event == "ready":
            logger.info("Logged in as: %s", user)
            self._ready.set()
        elif event == "renewed":
            logger.info("Refreshing token")
        elif problem:
            logger.error("Error during refresh: %s", problem)

    def is_over(self, seconds: float) -> bool:
        return self._ended.wait(seconds)

    def stop(self) -> None:
        if not self._ended.is_set():
            logger.info("Logout...")
            self._client.cancel()
            self._ended.wait(30)
        self._client.close()


def _at_exit() -> None:
    """Sessions that nothing ended (auto_logout=False) go on; their token files do not stay behind."""
    for session in list(_sessions):
        if session.is_here():
            session.end(sign_out=False)


def _end_at_exit() -> None:
    """Once, and with _library loaded: handlers run in reverse order, and its own frees the clients."""
    global _is_registered
    if not _is_registered:
        import atexit

        atexit.register(_at_exit)
        _is_registered = True


_is_registered = False


# By their settings, the latest client for tokens from elsewhere, or with settings of a service: set_auth() has one.
_foreign: Dict[Tuple[Any, ...], Tuple[Any, Tuple[Any, ...], _library.Client]] = {}
_foreign_lock = Lock()


def client_of(handler: Any, **settings: Any) -> _library.Client:
    """The library's client for requests with the tokens of a handler.

    Instead of an AuthHandler a program may have an object of its own with `domain`, `jwt_token` and
    `csrf_token`, which are read for each request, as the existing client does. settings: proxy, ca_file, retries,
    in place of those of the session.
    """
    make = getattr(handler, "_library_client", None)
    if make is not None and not settings:
        client: _library.Client = make()
        return client
    try:
        key = handler.domain, handler.jwt_token, handler.csrf_token, _library.generation()
    except AttributeError:
        raise TypeError(f"set_auth() takes an AuthHandler, as smart_auth() yields it, "
                        f"not {type(handler).__name__}") from None
    chosen = tuple(sorted(settings.items()))
    with _foreign_lock:
        latest = _foreign.get(chosen)
        if latest is None or latest[0] is not handler or latest[1] != key:
            latest = _foreign[chosen] = handler, key, _library.Client(key[0], jwt=key[1], csrf=key[2], **settings)
        return latest[2]
