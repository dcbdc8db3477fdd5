# SPDX-License-Identifier: MIT
"""The only module that calls C.

Client wraps an igt_client. Every call releases Python's lock. Ctrl-C cancels a call of the main thread and
raises at once, whatever the network does: requests and reads call back while they wait (_Wait), and other calls run on
a helper thread while the main thread waits on a lock. Other threads get no signals and call directly.

A forked child has none of the library's threads, so it forgets the parent's clients without freeing them
(freeing would wait for those threads) and their owners make new ones at first use. Helper threads are
daemons: nothing here keeps the interpreter alive. At exit clients are freed, except those in use.

Lines of the library's log wait in a queue in C (native.h) and are handed to `logging` by whoever called,
after the call: a library thread never waits for Python.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import weakref
from queue import Empty, Queue, SimpleQueue
from typing import IO, Any, Callable, List, NamedTuple, Optional, Tuple, Union

from igtcloud.client import _errors
from igtcloud.client._hints import in_python
from igtcloud.client._lock import Lock
from igtcloud.client._native import ffi, lib

Headers = List[Tuple[str, str]]


def version() -> str:
    """The version of the library, which is the package's."""
    return text(lib.igt_version())


def text(pointer: Any) -> str:
    """A C string as text; "" for NULL. What is no UTF-8 is kept as escapes."""
    data: bytes = ffi.string(pointer) if pointer else b""
    return data.decode("utf-8", "backslashreplace")


def encoded(value: Optional[str]) -> Any:
    """Text for C, NULL for None. The caller keeps the result alive for the call."""
    if value is None:
        return ffi.NULL
    if "\0" in value:
        raise _errors.InvalidArgument(f"{value!r} contains a NUL character")
    return ffi.new("char[]", os.fsencode(value))


def new(name: str) -> Any:
    """A struct with its defaults."""
    made = ffi.new(name + " *")
    getattr(lib, "native_init_" + name)(made)
    return made


def details_of(err: Any) -> _errors.Details:
    return _errors.Details(
        text(lib.igt_status_name(err.status)), in_python(text(err.text)) or text(lib.igt_status_text(err.status)),
        err.http_status, err.retry_after, err.os_error, err.retryable, text(err.code), text(err.operation),
        text(err.request_id))


def check(status: int, err: Any) -> None:
    """Raises what a status other than IGT_OK stands for."""
    if status:
        raise _errors.from_details(details_of(err))


# ---- the log ----

# A smaller file is fetched by one request: nothing of it is resumed, and opening the journal for it takes as long.
_NOT_RESUMED_BYTES = 8 << 20  # the size of a range
_PACKAGE = "igtcloud.client"
_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: logging.DEBUG}
# By igt_log_subject: general, http, model, auth, api, s3, journal, transfer, sandbox. The names are those
# under which the existing client logs the same.
_LOGGERS = [logging.getLogger(_PACKAGE + name) for name in (
    "", ".services.entities.rest", ".services.entities.model_utils", ".core.auth", ".services.entities.rest",
    ".services.entities_service", ".services.entities_service", ".services.entities_service", "")]
_DISTINCT = list(dict.fromkeys(_LOGGERS))
_log_level = 0


def _wanted_log_level() -> int:
    # isEnabledFor() remembers its answers until a level changes, unlike getEffectiveLevel().
    for wanted, level in ((4, logging.DEBUG), (3, logging.INFO), (2, logging.WARNING)):
        for logger in _DISTINCT:
            if logger.isEnabledFor(level):
                return wanted
    return 1


def _follow_logging() -> None:
    """Loggers may get another level at any time."""
    global _log_level
    wanted = _wanted_log_level()
    if wanted != _log_level:
        lib.native_log_set(wanted)
        _log_level = wanted


def drain_log() -> None:
    """Hands the lines that wait to `logging`."""
    if not lib.native_log_waiting:
        return
    level, subject = ffi.new("int *"), ffi.new("int *")
    while True:
        line = lib.native_log_take(level, subject)
        if not line:
            return
        try:
            said = in_python(text(line))
        finally:
            lib.native_free(line)
        logger = _LOGGERS[subject[0]] if subject[0] < len(_LOGGERS) else _LOGGERS[0]
        logger.log(_LEVELS.get(level[0], logging.DEBUG), "%s", said)


# ---- calls ----

class Cancel:
    """Cancels the calls that it was given to. Any thread."""

    def __init__(self) -> None:
        self.pointer = lib.igt_cancel_new()
        self._pid = os.getpid()
        if not self.pointer:
            raise MemoryError

    def set(self) -> None:
        lib.igt_cancel_set(self.pointer)

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:  # at exit the module may be empty already
        if self._pid == getpid() and self.pointer and lib is not None:
            lib.igt_cancel_free(self.pointer)


class _Job:
    __slots__ = ("function", "done", "is_done", "result", "error")

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.done = threading.Lock()
        self.done.acquire()
        self.is_done = False  # set before `done` is released
        self.result: Any = None
        self.error: Optional[BaseException] = None

    def run(self) -> None:
        function, self.function = self.function, _nothing
        try:
            self.result = function()
        except BaseException as error:
            self.error = error
        finally:
            del function  # and what it holds, before the main thread goes on
            self.is_done = True
            self.done.release()


def _nothing() -> None:
    pass


class _Helper:
    """A daemon thread that runs one job at a time for the main thread."""

    def __init__(self) -> None:
        self.jobs: "SimpleQueue[_Job]" = SimpleQueue()
        threading.Thread(target=self._work, name="igtcloud", daemon=True).start()

    def _work(self) -> None:
        while True:
            job = self.jobs.get()
            job.run()
            del job


_helpers: List[_Helper] = []  # idle ones; a signal handler may call while the main thread waits


def call(function: Callable[[], Any], cancel: Callable[[], None]) -> Any:
    """The result of function, which makes one blocking call of C. `cancel` makes it return early."""
    _follow_logging()
    try:
        if threading.current_thread() is not threading.main_thread():
            return function()
        return _call_on_helper(function, cancel)
    finally:
        drain_log()


def _wait(job: _Job) -> None:
    """Whatever signals arrive: the call uses memory that must not be freed before it ends. A handler may also raise
    when the lock has just been acquired, which would then not be released again."""
    while not job.is_done:
        try:
            job.done.acquire()
        except BaseException:
            continue


def _call_on_helper(function: Callable[[], Any], cancel: Callable[[], None]) -> Any:
    helper = _helpers.pop() if _helpers else _Helper()
    job = _Job(function)
    helper.jobs.put(job)
    try:
        job.done.acquire()
    except BaseException:  # KeyboardInterrupt, or what another signal's handler raises
        cancel()
        _wait(job)  # milliseconds, and then nothing of the call goes on behind the program's back
        raise
    _helpers.append(helper)
    if job.error is not None:
        try:
            raise job.error
        finally:
            job.error = None  # no cycle with the traceback
    return job.result


# ---- calls that wait in the main thread ----

class _Wait:
    """A call in the main thread. C calls back every 50 ms meanwhile (igt_wait_hook_set), and Python runs the handlers of
    signals that have arrived as soon as it runs anything. What a handler raises cancels the call, which then raises it."""

    def __init__(self) -> None:
        self.own = self.cancel = Cancel()
        self.error: Optional[BaseException] = None

    def interrupt(self, kind: Any, error: Any, traceback: Any) -> None:
        self.error = self.error or error
        self.cancel.set()


_waits: List[_Wait] = []  # the innermost is last: a handler may call, too
_unused_waits: List[_Wait] = []


def _interrupted(kind: Any, error: Any, traceback: Any) -> None:
    if _waits:
        _waits[-1].interrupt(kind, error, traceback)


@ffi.def_extern(name="native_waiting", onerror=_interrupted)  # type: ignore[misc]
def _native_waiting(payload: Any) -> None:
    pass


def _call_hooked(function: Callable[[Any], int], cancel: Optional[Cancel] = None) -> int:
    """The status of function(igt_cancel *). cancel: what cancels the call, if it has its own."""
    wait = _unused_waits.pop() if _unused_waits else _Wait()
    wait.cancel = cancel or wait.own
    _waits.append(wait)
    try:
        status = function(wait.cancel.pointer)
    finally:
        _waits.remove(wait)
    wait.cancel = wait.own
    if wait.error is None:
        _unused_waits.append(wait)
        return status
    error, wait.error = wait.error, None
    try:
        raise error
    finally:
        del error  # no cycle with the traceback


def is_main_thread() -> bool:
    """The one that gets signals."""
    return threading.get_ident() == threading.main_thread().ident


# ---- clients ----

class Reply(NamedTuple):
    """A response, refusals included."""

    status: int
    headers: Headers
    data: bytes


class ObjectInfo(NamedTuple):
    """What the store knows about an object: bytes; seconds since 1970; None or "" for what it does not say."""

    size: Optional[int]
    modified: Optional[int]
    etag: str
    checksum_kind: str
    checksum: str


class Tokens(NamedTuple):
    """What a session's requests are sent with."""

    user: str
    jwt: str
    csrf: str


def _limit(seconds: float) -> int:
    """In milliseconds; 0: the library's own."""
    if not 0 <= seconds < 10**6:
        raise _errors.InvalidArgument(f"a time limit is a number of seconds, not {seconds!r}")
    return max(1, round(seconds * 1000)) if seconds else 0


_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()
_generation = 0  # of processes: forked children count on


class Client:
    """An igt_client: an account on a cloud. Any thread, concurrently. Sends nothing until it is used."""

    def __init__(self, domain: str, *, user: Optional[str] = None, password: Optional[str] = None,
                 service_key: Optional[str] = None, token_file: Optional[str] = None, jwt: Optional[str] = None,
                 csrf: Optional[str] = None, environment: bool = False, ca_file: Optional[str] = None,
                 proxy: Optional[str] = None, bandwidth: Optional[str] = None, max_connections: int = 0,
                 audience: Optional[str] = None, retries: Optional[int] = None, connect_timeout: float = 0,
                 idle_timeout: float = 0) -> None:
        self._pid, self._calls, self._lock, self._pointer = os.getpid(), 0, Lock(), None
        self._readers: "weakref.WeakSet[Reader]" = weakref.WeakSet()
        options = new("igt_client_options")
        self._answers = ffi.new("native_answers *")
        self._kept = {name: encoded(value) for name, value in (
            ("domain", domain), ("user", user), ("service_key", service_key), ("token_file", token_file),
            ("jwt", jwt), ("csrf", csrf), ("ca_file", ca_file), ("proxy", proxy), ("bandwidth", bandwidth), ("audience", audience),
            ("user_agent", "igtcloud-python-client/" + version()))}
        for name, value in self._kept.items():
            setattr(options, name, value)
        self._secrets = encoded(user), encoded(password)
        self._answers.user, self._answers.password = self._secrets
        options.max_connections = max_connections
        options.retries = 0 if retries is None else retries or -1
        options.connect_timeout_ms, options.idle_timeout_ms = _limit(connect_timeout), _limit(idle_timeout)
        options.no_token_file = token_file is None
        options.no_environment = not environment
        options.prompt, options.prompt_payload = lib.native_prompt, self._answers
        self._cancel = Cancel()
        options.cancel = self._cancel.pointer
        out, err = ffi.new("igt_client **"), new("igt_error")
        check(lib.igt_client_new(options, out, err), err)
        self._pointer = out[0]
        self.generation = _generation
        _clients.add(self)

    def __del__(self) -> None:
        self._free()

    def _free(self) -> None:
        """Only in the process that made it, and not while a call is running."""
        with self._lock:
            pointer, self._pointer = (None, self._pointer) if self._calls else (self._pointer, None)
        if pointer and self._pid == os.getpid():
            for reader in list(self._readers):
                reader.close()
            lib.igt_client_free(pointer)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def is_open(self) -> bool:
        return self._pointer is not None

    def close(self) -> None:
        """Frees it. Calls of other threads are cancelled, and keep it until they end."""
        if self._pid == os.getpid():
            if self._calls:
                self._cancel.set()
            self._free()

    def run(self, function: Callable[[Any, Any], Any], cancel: Optional[Cancel] = None) -> None:
        """Calls function(igt_client *, igt_error *) and raises what its status stands for."""
        err = new("igt_error")
        check(self.status_of(function, err, cancel), err)

    def status_of(self, function: Callable[[Any, Any], Any], err: Any, cancel: Optional[Cancel] = None) -> int:
        self.begin_use()
        status: int = call(lambda: self._in_use(function, err), (cancel or self._cancel).set)
        return status

    def status_waiting(self, function: Callable[[Any, Any, bool], int], cancel: Optional[Cancel] = None) -> int:
        """The status of function(igt_client *, igt_cancel *, hooked). In the main thread it waits there, not on a
        helper: most calls of scripts are these."""
        self.begin_use()
        _follow_logging()
        pointer = self._pointer
        try:
            if not is_main_thread():
                return function(pointer, ffi.NULL, False)
            return _call_hooked(lambda own: function(pointer, own, True), cancel)
        finally:
            self.end_use()
            drain_log()

    def _in_use(self, function: Callable[[Any, Any], Any], err: Any) -> Any:
        try:
            return function(self._pointer, err)
        finally:
            self.end_use()

    def begin_use(self) -> None:
        """It is not freed before end_use()."""
        with self._lock:
            if self._pointer is None or self._pid != os.getpid():
                raise ValueError("the session has been closed")
            self._calls += 1

    def end_use(self) -> None:
        with self._lock:
            self._calls -= 1

    def pointer(self) -> Any:
        return self._pointer

    # ---- the session ----

    def sign_in(self) -> None:
        try:
            self.run(lib.igt_client_sign_in)
        finally:
            self._forget_password()

    def _forget_password(self) -> None:
        """The library has it where it is wiped."""
        if self._secrets[1]:
            ffi.memmove(self._secrets[1], bytes(ffi.sizeof(self._secrets[1])), ffi.sizeof(self._secrets[1]))
            self._answers.password = ffi.NULL

    def sign_out(self) -> None:
        self.run(lib.igt_client_sign_out)

    def tokens(self) -> "Tokens":
        """The session's, renewed if that is due. Signs in if necessary."""
        out = ffi.new("igt_token **")
        self.run(lambda client, err: lib.igt_client_token(client, out, err))
        try:
            return Tokens(text(lib.igt_token_user(out[0])), text(lib.igt_token_jwt(out[0])),
                          text(lib.igt_token_csrf(out[0])))
        finally:
            lib.igt_token_free(out[0])

    def hold_login(self, note: Callable[[str, str, str], None]) -> None:
        """Signs in and keeps the token file fresh until cancel(). Calls note(event, user, problem) in the
        thread of the call; event: ready, renewed, trouble, ended."""
        handle = ffi.new_handle(note)
        self.run(lambda client, err: lib.native_login_hold(client, handle, err))

    def cancel(self) -> None:
        """Ends the calls of this client, for good."""
        self._cancel.set()

    @property
    def domain(self) -> str:
        """ "https://host[:port]"."""
        return text(lib.igt_client_domain(self._pointer))

    # ---- requests ----

    def request(self, method: str, path: str, headers: Headers, body: Optional[bytes], timeout_ms: int = 0,
                sink: "Optional[IO[bytes]]" = None) -> Reply:
        """Sends a request and returns its response, refusals included. Raises an IgtError without one.

        path: percent-encoded, with its query. timeout_ms: 0 for the library's own limits. sink: receives
        the body of a success.
        """
        return _Request(method, path, headers, body, timeout_ms, sink).send(self)

    # ---- objects ----

    def download_object(self, prefix: str, key: str, size: Optional[int], folder: str, name: str, keep_date: bool,
                        callback: Optional[Callable[[int], Any]]) -> None:
        """Downloads an object to folder/name, whose folders are created."""
        transfer = _ObjectTransfer(prefix, key, size or 0, callback)
        transfer.options.below, transfer.options.keep_date = transfer.keep(folder), keep_date
        transfer.options.no_journal = 0 < (size or 0) <= _NOT_RESUMED_BYTES
        path = transfer.keep(name)
        transfer.run(self, lambda client, err: lib.igt_object_download(
            client, transfer.object, path, transfer.options, transfer.callbacks, err))

    def upload_object(self, prefix: str, key: str, path: str, callback: Optional[Callable[[int], Any]],
                      follow_links: bool = True) -> None:
        """Stores a local file's content under the key. follow_links: as the existing client does."""
        transfer = _ObjectTransfer(prefix, key, os.path.getsize(path), callback)
        source = new("igt_file_source")
        source.path = transfer.keep(path)
        transfer.options.follow_links = follow_links
        transfer.run(self, lambda client, err: lib.igt_object_upload(
            client, transfer.object, source, transfer.options, transfer.callbacks, err))

    def prepare_object(self, prefix: str) -> None:
        """Requests credentials for reading below the prefix, without waiting. A failure is that of whoever needs them."""
        name, err = encoded(prefix), new("igt_error")
        self.begin_use()
        try:
            lib.igt_object_prepare(self._pointer, name, err)
        finally:
            self.end_use()

    def stat_object(self, prefix: str, key: str) -> "ObjectInfo":
        """What the store knows about an object."""
        kept: List[Any] = []
        made, out, cancel = _object(prefix, key, 0, kept), new("igt_object_info"), Cancel()
        self.run(lambda client, err: lib.igt_object_stat(client, made, cancel.pointer, out, err), cancel)
        return ObjectInfo(out.bytes if out.bytes_known else None, out.modified or None, text(out.etag),
                          text(out.checksum_kind), text(out.checksum))

    def open_object(self, prefix: str, key: str, size: Optional[int], first_bytes: int = 0) -> "Reader":
        """Opens an object for reading by ranges."""
        return Reader(self, prefix, key, size or 0, first_bytes)


@ffi.def_extern(name="native_login")  # type: ignore[misc]
def _native_login(payload: Any, event: int, identity: Any, err: Any) -> None:
    names = {lib.IGT_LOGIN_READY: "ready", lib.IGT_LOGIN_RENEWED: "renewed", lib.IGT_LOGIN_TROUBLE: "trouble"}
    try:
        ffi.from_handle(payload)(names.get(event, "ended"), text(identity.user), text(err.text) if err else "")
    except Exception:
        logging.getLogger(_PACKAGE + ".core.auth").exception("reporting a login failed")


@ffi.def_extern(name="native_sink", error=-1)  # type: ignore[misc]
def _native_sink(payload: Any, data: Any, size: int) -> int:
    request = ffi.from_handle(payload)
    try:
        request.sink.write(ffi.buffer(data, size)[:])
        return 0
    except BaseException as error:
        request.error = error
        return -10


class _Request:
    """One call of igt_request."""

    def __init__(self, method: str, path: str, headers: Headers, body: Optional[bytes], timeout_ms: int,
                 sink: "Optional[IO[bytes]]") -> None:
        self.method, self.path, self.body, self.timeout_ms = _bytes(method), _bytes(path), body, timeout_ms
        # "name", NUL, "value", NUL and so on: one argument is converted faster than ten.
        self.headers = b"".join([_bytes(part) + b"\0" for header in headers for part in header])
        self.header_count = len(headers)
        self.sink, self.error = sink, None
        self.handle = ffi.new_handle(self) if sink is not None else ffi.NULL
        self.reply, self.err = ffi.new("native_reply *"), new("igt_error")

    def __call__(self, client: Any, cancel: Any, is_hooked: bool) -> int:
        body = self.body
        status: int = lib.native_request(
            client, self.method, self.path, self.headers, self.header_count, ffi.NULL if body is None else body,
            len(body or b""), self.timeout_ms, cancel, is_hooked, self.handle, self.reply, self.err)
        return status

    def send(self, client: Client) -> Reply:
        err, reply = self.err, self.reply
        try:
            status = client.status_waiting(self)
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            if status and not (reply.http and not 200 <= reply.http < 300):
                check(status, err)
            return Reply(reply.http, _headers_of(ffi.buffer(reply.headers, reply.header_size)[:]),
                         ffi.buffer(reply.data, reply.size)[:] if reply.data else b"")
        finally:
            lib.native_reply_finish(reply)


def _bytes(value: str) -> bytes:
    """An argument for C."""
    if "\0" in value:
        raise _errors.InvalidArgument(f"{value!r} contains a NUL character")
    return os.fsencode(value)


def _headers_of(packed: bytes) -> Headers:
    parts = packed.decode("utf-8", "backslashreplace").split("\0")
    return list(zip(parts[0::2], parts[1::2]))


# ---- transfers ----

class TransferCancel:
    """Cancels the transfers that it was given to. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._transfers: "weakref.WeakSet[Union[Transfer, FolderCheck]]" = weakref.WeakSet()
        self.is_set = False

    def set(self) -> None:
        with self._lock:
            self.is_set = True
            for transfer in list(self._transfers):
                transfer.cancel()

    def add(self, transfer: "Union[Transfer, FolderCheck]") -> None:
        with self._lock:
            self._transfers.add(transfer)
            if self.is_set:
                transfer.cancel()


class Transfer:
    """An igt_transfer: it runs on threads of the library, and calls back in dispatch() alone.

    start: a function of C such as igt_download_start. One thread at a time, except for cancel().
    """

    def __init__(self, client: Client, start: Any, options: Any, callbacks: "Callbacks") -> None:
        self._client, self._callbacks, self._pid = client, callbacks, os.getpid()
        self._transfer: Any = None
        out = ffi.new("igt_transfer **")
        client.begin_use()
        try:
            _follow_logging()
            err = new("igt_error")
            check(start(client.pointer(), options, callbacks.struct, out, err), err)
        except BaseException:
            client.end_use()
            raise
        self._transfer = out[0]
        callbacks.on_error = self.cancel

    def fileno(self) -> int:
        """Readable while something waits for dispatch(), and at the end."""
        number: int = lib.igt_transfer_fd(self._transfer)
        return number

    def dispatch(self) -> bool:
        """Calls back for what waits. True: the transfer has ended and everything was delivered."""
        finished, err = ffi.new("bool *"), new("igt_error")
        check(lib.igt_transfer_dispatch(self._transfer, finished, err), err)
        drain_log()
        return bool(finished[0])

    def cancel(self) -> None:
        """Ends it early. Any thread, also in a callback."""
        if self._transfer is not None and self._pid == os.getpid():
            lib.igt_transfer_cancel(self._transfer)

    def wait(self, wait: Any, summary: Any, err: Any) -> int:
        """The status of the transfer; wait is igt_transfer_wait or igt_csv_wait. Blocks until the end."""
        status: int = wait(self._transfer, summary, err)
        drain_log()
        return status

    def close(self) -> None:
        """Cancels it unless it has ended."""
        transfer, self._transfer = self._transfer, None
        if transfer is not None and self._pid == os.getpid():
            lib.igt_transfer_free(transfer)
            self._client.end_use()

    def __del__(self) -> None:
        self.close()


# ---- manifests ----

class Manifest:
    """An igt_manifest: it was read and checked. One call at a time uses it."""

    def __init__(self, path: str) -> None:
        name, out, err = encoded(path), ffi.new("igt_manifest **"), new("igt_error")
        check(call(lambda: lib.igt_manifest_open(name, out, err), _nothing), err)
        self.pointer = ffi.gc(out[0], lib.igt_manifest_close)
        info = lib.igt_manifest_get_info(self.pointer)
        self.cloud, self.project = text(info.cloud), text(info.project)


class FolderCheck:
    """igt_manifest_verify_folder() in the form of a Transfer: the call blocks a thread of its own, and what it reports
    waits, converted, until dispatch() calls back."""

    def __init__(self, manifest: Manifest, folder: str, options: Any, callbacks: "Callbacks",
                 item_of: Callable[[Any], Any], progress_of: Callable[[Any], Any]) -> None:
        self._callbacks, self._pid, self._ended, self._dropping = callbacks, os.getpid(), False, False
        self._cancel = Cancel()
        self._waiting: "Queue[Tuple[Any, ...]]" = Queue(256)
        self._summary, self._err, self._status = new("igt_transfer_summary"), new("igt_error"), 0
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        on = callbacks
        inner = Callbacks(self.cancel, (lambda raw: self._put(on.on_item, item_of(raw))) if on.on_item else None,
                          (lambda raw: self._put(on.on_progress, progress_of(raw))) if on.on_progress else None,
                          (lambda *said: self._put(on.on_message, *said)) if on.on_message else None)
        name = encoded(folder)

        def work() -> None:
            self._status = lib.igt_manifest_verify_folder(manifest.pointer, name, options, self._cancel.pointer,
                                                          inner.struct, self._summary, self._err)
            self._ended = True
            self._wake()
        _follow_logging()
        callbacks.on_error = self.cancel
        self._thread = threading.Thread(target=work, name="igtcloud", daemon=True)
        self._thread.start()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: readable in any case
            os.write(self._writer, b"x")

    def _put(self, *what: Any) -> None:
        if not self._dropping:
            self._waiting.put(what)
            self._wake()

    def fileno(self) -> int:
        return self._reader

    def dispatch(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)
        ended = self._ended  # first: what it reported before is in the queue
        with contextlib.suppress(Empty):
            while True:
                self._callbacks.call(*self._waiting.get_nowait())
        drain_log()
        return ended

    def cancel(self) -> None:
        self._cancel.set()

    def wait(self, wait: Any, summary: Any, err: Any) -> int:
        self._finish()
        drain_log()
        summary[0], err[0] = self._summary[0], self._err[0]
        return self._status

    def _finish(self) -> None:
        self._dropping = True
        while self._thread.is_alive():
            with contextlib.suppress(Empty):  # it may wait for space
                self._waiting.get_nowait()
            self._thread.join(0.001)

    def close(self) -> None:
        if self._reader < 0:
            return
        if self._pid == os.getpid():
            self.cancel()
            self._finish()
        os.close(self._reader)
        os.close(self._writer)
        self._reader = self._writer = -1


# ---- lists ----

class Listing:
    """igt_list_studies(): the call blocks a thread of its own, and what it hands out waits, at most some hundred
    studies, until it is taken. One that is closed early ends with its next study or request.

    study_of(raw, study, institute) converts a study, whose models come as JSON; file_of(raw) a file, for add().
    wants: called in that thread."""

    def __init__(self, client: Client, options: Any, study_of: Callable[[Any, str, str], Any],
                 add_file: Callable[[Any, Any], None], wants: Optional[Callable[[Any], Any]],
                 has_messages: bool) -> None:
        self._client, self._options, self._pid = client, options, os.getpid()
        self.study_of, self.add_file, self.wants = study_of, add_file, wants
        self.error: Optional[BaseException] = None
        self.summary, self._err, self._status = new("igt_list_summary"), new("igt_error"), 0
        self._waiting: "Queue[Any]" = Queue(256)
        self.is_closed, self._ended = False, False
        self._lock = threading.Lock()  # of the pipe: another file may get its numbers once it is closed
        self._pipe: Tuple[int, int] = (-1, -1)
        self._current: Any = None  # its files are not complete
        self._left = 0
        self._handle = ffi.new_handle(self)
        options.payload, options.on_study, options.on_file = self._handle, lib.native_on_study, lib.native_on_file
        options.wants = lib.native_on_wants if wants else ffi.NULL
        options.on_message = lib.native_on_list_message if has_messages else ffi.NULL

    def start(self, with_descriptor: bool = False) -> None:
        if with_descriptor:
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[0], False)
            os.set_blocking(self._pipe[1], False)
        self._client.begin_use()
        _follow_logging()
        threading.Thread(target=self._work, name="igtcloud", daemon=True).start()

    def _work(self) -> None:
        try:
            self._status = lib.igt_list_studies(self._client.pointer(), self._options, self.summary, self._err)
        finally:
            self._client.end_use()
            self._put(None)

    def _put(self, what: Any) -> None:
        if not self.is_closed:
            self._waiting.put(what)
            with self._lock, contextlib.suppress(BlockingIOError):  # full: readable in any case
                if self._pipe[1] >= 0:
                    os.write(self._pipe[1], b"x")

    def call(self, function: Callable[[], Any]) -> Any:
        """Its result for a callback; None ends the list."""
        if self.is_closed or self.error is not None:
            return None
        try:
            return function()
        except BaseException as error:
            self.error = error
            return None

    def found(self, raw: Any) -> bool:
        self._current, self._left = self._study(raw), raw.files if self._options.files else 0
        return self._settle()

    def _study(self, raw: Any) -> Any:
        return self.study_of(raw, _json_text(lib.native_study_json(raw)), _json_text(lib.native_institute_json(raw)))

    def wanted(self, raw: Any) -> bool:
        assert self.wants is not None
        return bool(self.wants(self._study(raw)))

    def found_file(self, raw: Any) -> bool:
        self.add_file(self._current, raw)
        self._left -= 1
        return self._settle()

    def _settle(self) -> bool:
        if self._left == 0:
            self._put(self._current)
        return True

    def say(self, said: str) -> bool:
        self._put(said)
        return True

    def fileno(self) -> int:
        return self._pipe[0]

    def next(self) -> Any:
        """A study, a message as a text, or None at the end. Waits for it."""
        found = None if self._ended else self._waiting.get()
        self._ended = found is None
        drain_log()
        return found

    def take(self) -> List[Any]:
        """What waits now; None is the end."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._pipe[0], 4096)
        found = []
        with contextlib.suppress(Empty):
            while True:
                found.append(self._waiting.get_nowait())
        drain_log()
        return found

    def result(self) -> Tuple[int, Any]:
        """Its status and error, after the end. Raises the exception of a callback."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return self._status, self._err

    def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        with contextlib.suppress(Empty):  # it may wait for space
            while True:
                self._waiting.get_nowait()
        with self._lock:
            pipe, self._pipe = self._pipe, (-1, -1)
        for end in pipe:
            if end >= 0:
                os.close(end)


def _json_text(copied: Any) -> str:
    try:
        return text(copied)
    finally:
        lib.native_free(copied)


def _ends(kind: Any, error: Any, traceback: Any) -> None:
    logging.getLogger(_PACKAGE).error("a callback of a list failed", exc_info=(kind, error, traceback))


@ffi.def_extern(name="native_on_wants", error=False, onerror=_ends)  # type: ignore[misc]
def _native_on_wants(payload: Any, study: Any) -> bool:
    listing = ffi.from_handle(payload)
    # A study that is wanted gets to on_study, which alone can end the list.
    return bool(listing.call(lambda: listing.wanted(study))) or listing.is_closed or listing.error is not None


@ffi.def_extern(name="native_on_study", error=-1, onerror=_ends)  # type: ignore[misc]
def _native_on_study(payload: Any, study: Any) -> int:
    listing = ffi.from_handle(payload)
    return 0 if listing.call(lambda: listing.found(study)) else int(lib.IGT_E_CANCELLED)


@ffi.def_extern(name="native_on_file", error=-1, onerror=_ends)  # type: ignore[misc]
def _native_on_file(payload: Any, study: Any, file: Any) -> int:
    listing = ffi.from_handle(payload)
    return 0 if listing.call(lambda: listing.found_file(file)) else int(lib.IGT_E_CANCELLED)


@ffi.def_extern(name="native_on_list_message")  # type: ignore[misc]
def _native_on_list_message(payload: Any, status: int, said: Any) -> None:
    listing = ffi.from_handle(payload)
    listing.call(lambda: listing.say(text(said)))


# ---- objects ----

def check_object(prefix: str, key: str) -> None:
    """Raises what upload_object() would for such a key, before anything is requested."""
    kept: List[Any] = []
    made, err = _object(prefix, key, 0, kept), new("igt_error")
    check(lib.igt_object_check(made, err), err)


def _object(prefix: str, key: str, size: int, kept: List[Any]) -> Any:
    made = new("igt_object")
    kept += [encoded(prefix), encoded(key)]
    made.prefix, made.key = kept[-2:]
    made.bytes = size
    return made


class Callbacks:
    """igt_transfer_callbacks that call functions of Python. An exception of one cancels, and is raised by the call."""

    def __init__(self, on_error: Callable[[], None], on_item: Optional[Callable[[Any], Any]] = None,
                 on_progress: Optional[Callable[[Any], Any]] = None,
                 on_message: Optional[Callable[[int, str], Any]] = None, progress_ms: int = 0) -> None:
        self.on_error, self.on_item, self.on_progress, self.on_message = on_error, on_item, on_progress, on_message
        self.error: Optional[BaseException] = None
        self._handle = ffi.new_handle(self)
        self.struct = struct = new("igt_transfer_callbacks")
        struct.payload, struct.progress_ms = self._handle, progress_ms
        struct.on_item = lib.native_on_item if on_item else ffi.NULL
        struct.on_progress = lib.native_on_progress if on_progress else ffi.NULL
        struct.on_message = lib.native_on_message if on_message else ffi.NULL

    def call(self, function: Any, *arguments: Any) -> None:
        if self.error is not None:
            return
        try:
            function(*arguments)
        except BaseException as error:
            self.error = error
            self.on_error()

    def check(self) -> None:
        """Raises the exception of a callback."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error


@ffi.def_extern(name="native_on_item")  # type: ignore[misc]
def _native_on_item(payload: Any, item: Any) -> None:
    callbacks = ffi.from_handle(payload)
    callbacks.call(callbacks.on_item, item)


@ffi.def_extern(name="native_on_progress")  # type: ignore[misc]
def _native_on_progress(payload: Any, progress: Any) -> None:
    callbacks = ffi.from_handle(payload)
    callbacks.call(callbacks.on_progress, progress)


@ffi.def_extern(name="native_on_message")  # type: ignore[misc]
def _native_on_message(payload: Any, status: int, said: Any) -> None:
    callbacks = ffi.from_handle(payload)
    callbacks.call(callbacks.on_message, status, text(said))


class _ObjectTransfer:
    """The arguments of a transfer of one object, alive as long as the call."""

    def __init__(self, prefix: str, key: str, size: int, callback: Optional[Callable[[int], Any]]) -> None:
        self._kept: List[Any] = []
        self.object = _object(prefix, key, size, self._kept)
        self.cancel = Cancel()
        self.options = new("igt_file_options")
        self.options.cancel = self.cancel.pointer
        self._callback, self._size, self._reported = callback, size, 0
        self._callbacks = Callbacks(self.cancel.set, on_progress=self._progress if callback else None)
        self.callbacks = self._callbacks.struct

    def keep(self, value: str) -> Any:
        self._kept.append(encoded(value))
        return self._kept[-1]

    def _progress(self, progress: Any) -> None:
        self._report(min(progress.bytes_settled, self._size))

    def _report(self, so_far: int) -> None:
        """The callback gets what came since: retries are not counted twice."""
        if so_far > self._reported:
            n, self._reported = so_far - self._reported, so_far
            assert self._callback is not None
            self._callback(n)

    def run(self, client: Client, function: Callable[[Any, Any], Any]) -> None:
        err = new("igt_error")
        status = client.status_of(function, err, self.cancel)
        self._callbacks.check()
        check(status, err)
        if self._callback is not None:
            self._report(self._size)


class Reader:
    """An igt_file_reader. One thread at a time; reading releases Python's lock."""

    def __init__(self, client: Client, prefix: str, key: str, size: int, first_bytes: int) -> None:
        self._client, self._pid = client, os.getpid()  # the client must outlive it
        self._reader, self._out = None, ffi.new("igt_file_reader **")
        self._lock = threading.Lock()  # held by the thread that is in a call
        self._user, self._is_closing = 0, False
        self._cancel = Cancel()
        kept: List[Any] = []
        made, options = _object(prefix, key, size, kept), new("igt_file_open_options")
        options.cancel, options.first_bytes = self._cancel.pointer, first_bytes

        def open_it(pointer: Any, err: Any) -> int:
            with self._lock:
                status: int = lib.igt_object_open(pointer, made, options, self._out, err) if kept else -1
                self._reader = self._out[0] or None
            return status

        client.run(open_it, self._cancel)
        client._readers.add(self)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Cancels a call of another thread, and waits for it. In a handler of a signal: that ends with its call."""
        if self._reader is None or self._pid != os.getpid():
            return
        if self._user == threading.get_ident():
            self._is_closing = True
            self._cancel.set()
            return
        if not self._lock.acquire(blocking=False):
            self._cancel.set()
            self._lock.acquire()
        reader, self._reader = self._reader, None
        self._lock.release()
        if reader is not None:
            lib.igt_file_close(reader)

    def _pointer(self) -> Any:
        if self._reader is None or self._pid != os.getpid():
            raise ValueError("the file is closed, or belongs to a session that has ended or to the parent process")
        return self._reader

    def read_into(self, buffer: Any) -> int:
        """Reads at the current position; 0 at the end."""
        if self._user == threading.get_ident():
            raise RuntimeError("a handler of a signal reads a file that is being read")
        n, err = ffi.new("size_t *"), new("igt_error")

        def read(_: Any, cancel: Any, is_hooked: bool) -> int:
            with self._lock:
                pointer, self._user = self._pointer(), threading.get_ident()
                try:
                    # Released by hand: CPython 3.11 crashes when it collects the frames of an exception with an
                    # exported memoryview.
                    with ffi.from_buffer(buffer, require_writable=True) as view:
                        status: int = lib.native_read(pointer, view, len(view), is_hooked, n, err)
                finally:
                    self._user = 0
            return status

        try:
            check(self._client.status_waiting(read, self._cancel), err)
        finally:
            if self._is_closing:
                self.close()
        size: int = n[0]
        return size

    def seek(self, position: int) -> None:
        lib.igt_file_seek(self._pointer(), position)

    def tell(self) -> int:
        position: int = lib.igt_file_tell(self._pointer())
        return position

    def size(self) -> int:
        size: int = lib.igt_file_size(self._pointer())
        return size

    def fetched(self) -> int:
        fetched: int = lib.igt_file_fetched(self._pointer())
        return fetched

    def verified(self) -> str:
        return text(lib.igt_file_verified(self._pointer()))


# ---- the process ----

def generation() -> int:
    """Changes in a forked child: a client of another generation is the parent's."""
    return _generation


def _after_fork_in_child() -> None:
    global _generation
    _generation += 1
    _helpers.clear()
    _waits.clear()
    _unused_waits.clear()
    lib.native_log_forget()


def _at_exit() -> None:
    lib.native_log_set(0)
    _unused_waits.clear()
    for client in list(_clients):
        client.close()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
