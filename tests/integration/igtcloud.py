# SPDX-License-Identifier: MIT
"""Runs the igtcloud program: $IGTCLOUD_BIN, or build/igtcloud of this checkout."""

import atexit
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import time

import sandbox
import terminal
from sandbox import ROOT

DONE, FAILED, USAGE, SOME_FAILED, DENIED, NOT_FOUND = 0, 1, 2, 3, 4, 5
USER, PASSWORD = "demo@example.com", "demo"


def program():
    return os.environ.get("IGTCLOUD_BIN") or str(ROOT / "build" / "igtcloud")


def shown(path):
    """A local path as the program's output has it: with a drive letter if it is Windows' (scripts/check-windows)."""
    return f"{os.environ.get('WINDOWS_DRIVE', '')}{path}"


def on_windows():
    """The program is Windows', under wine: scripts/check-windows."""
    return "WINDOWS_DRIVE" in os.environ


def is_private_mode(mode):
    """Only the user may read a file of that mode. On Windows its access list has the user, the system and its
    administrators, which wine shows as the modes of user and group."""
    mode = stat.S_IMODE(mode)
    return mode & 0o007 == 0 and mode & 0o600 == 0o600 if on_windows() else mode == 0o600


def is_private(path):
    return is_private_mode(os.stat(path).st_mode)


def ended_by(number):
    """The exit status of a program that a signal ends: there is none on Windows."""
    return 128 + number if on_windows() else -number


# Ends a run in good order, with this exit status. wine itself is ended by SIGTERM; Windows' own are Ctrl-C and the like.
ENDING = signal.SIGINT if on_windows() else signal.SIGTERM
ENDED = 128 + ENDING


def build_options():
    """Of the build folder that holds the program; empty if it stands elsewhere."""
    try:
        with open(os.path.join(os.path.dirname(program()), "meson-info/intro-buildoptions.json"),
                  encoding="utf-8") as file:
            return {option["name"]: option["value"] for option in json.load(file)}
    except OSError:
        return {}


@functools.cache
def sanitized():
    return build_options().get("b_sanitize", "none") != "none"


@functools.cache
def static():
    """It names no loader, as the programs of `make standalone`."""
    with open(program(), "rb") as file:
        return b"/ld-linux" not in file.read(4096)


@functools.cache
def build_folder():
    """Where the library, its headers, the examples and all that is installed were built: the
    program's; the static one is built alone, so the sandbox's."""
    return pathlib.Path(sandbox.program() if static() else program()).resolve().parent


@functools.cache
def program_for_others():
    """A copy that another user can reach, too: the checkout may lie below a home of mode 0700."""
    folder = tempfile.mkdtemp(dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    return shutil.copy(program(), folder)


# The search at its end is a third of a short run under ASan. TEST_LEAKS=smoke leaves it to the tests of that
# mark: the stage `integration` of scripts/check; its stage `leaks` has it in all.
_leaks = {"searched": True}


def search_leaks_of(item):
    """Called before each test."""
    _leaks["searched"] = os.environ.get("TEST_LEAKS") != "smoke" or item.get_closest_marker("smoke") is not None


def environment(home, **more):
    """Without the user's own sessions, proxies, certificates, settings and journal."""
    private = ("CLOUD_", "IGTCLOUD_", "XDG_")
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(private) and not k.lower().endswith("_proxy")
           and "_CA_BUNDLE" not in k and not k.startswith("SSL_CERT_")}
    env.update(HOME=str(home), TMPDIR=str(home), LC_ALL="C.UTF-8")
    if not _leaks["searched"]:
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0:malloc_context_size=1"
    env.update({k: str(v) for k, v in more.items()})
    return env


class Done:
    """How a run of it ended."""

    def __init__(self, arguments, status, out, err):
        self.arguments, self.status, self.out, self.err = arguments, status, out, err

    def __repr__(self):
        return f"igtcloud {' '.join(self.arguments)}: {self.status}\n{self.text}\n{self.err}"

    @property
    def text(self):
        return self.out.decode("utf-8")

    @property
    def error(self):
        """The last line on standard error, which says what failed; with --json its message."""
        line = self.err.rstrip("\n").split("\n")[-1]
        if line.startswith("{"):
            return json.loads(line)["error"]["message"]
        assert line.startswith("igtcloud: "), self
        return line

    @property
    def items(self):
        """Of --json: a list for the files and studies."""
        return [i for i in self.lines if i["kind"] != "summary"]

    @property
    def summary(self):
        return next(i for i in self.lines if i["kind"] == "summary")

    @property
    def lines(self):
        return [json.loads(line) for line in self.text.splitlines()]


class Program:
    """The program against one server; `home` keeps its journal from run to run."""

    def __init__(self, url, home, user=USER, password=PASSWORD):
        self.url, self.home, self.user, self.password = url, str(home), user, password

    def command(self, name, *arguments, sign_in=True):
        command = [program(), *name.split(), "--no-progress"]
        if self.url:
            command += ["--domain", self.url]
        if sign_in:
            command += ["--user", self.user, "--password-stdin"]
        return command + [str(a) for a in arguments]

    def start(self, name, *arguments, sign_in=True, env=None, **options):
        """Without waiting for its end. user=, group=: as another user."""
        command = self.command(name, *arguments, sign_in=sign_in)
        if "user" in options:
            command[0] = program_for_others()
        with tempfile.TemporaryFile() as password:
            password.write(self.password.encode() + b"\n")
            password.seek(0)
            options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
            return subprocess.Popen(command, stdin=password, start_new_session=True,
                                    env=environment(self.home, **(env or {})), **options)

    def run(self, name, *arguments, status=DONE, timeout=180, **options):
        """Asserts the exit status, unless it is None."""
        # A process of wine keeps the streams that it began with: a pipe of a login in the background has no end.
        with contextlib.ExitStack() as files:
            outputs = [] if "stdout" in options or not on_windows() else \
                [files.enter_context(tempfile.TemporaryFile()) for _ in range(2)]
            process = self.start(name, *arguments, **dict(zip(("stdout", "stderr"), outputs)), **options)
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            for file in outputs:
                file.seek(0)
            if outputs:
                out, err = [file.read() for file in outputs]
        done = Done([name, *map(str, arguments)], process.returncode, out, err.decode("utf-8"))
        assert status is None or done.status == status, done
        return done

    def on_terminal(self, name, *arguments, answers=(), env=None, **options):
        """(exit status, what was on the screen); the password is asked for there."""
        command = [program(), *name.split(), "--domain", self.url, "--user", self.user,
                   *map(str, arguments)]
        return terminal.run(command, environment(self.home, TERM="xterm", **(env or {})),
                            [("password: ", self.password), *answers], **options)


def largest_size(process, timeout=60):
    """Waits for its end; the largest resident size that was seen, in MiB. (wait4's is that of the
    test before the program was loaded, when that was larger.)"""
    largest, end = 0, time.monotonic() + timeout
    while process.poll() is None:
        assert time.monotonic() < end, process.kill() or "it did not end"
        with contextlib.suppress(OSError, IndexError):
            with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as f:
                lines = [line.split() for line in f]
            largest = max(largest, *(int(w[1]) for w in lines if w[0] == "VmHWM:"), 0)
        time.sleep(0.005)
    return largest / 1024


def open_files(pid):
    """{descriptor: what it leads to}. The process may close some while this looks."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[number] = os.readlink(f"/proc/{pid}/fd/{number}")
    return found


def tool(name):
    """A client's path; the system's own before others that stand earlier in PATH."""
    path = shutil.which(name, path="/usr/bin:/bin:" + os.environ.get("PATH", ""))
    assert path, f"{name} is not installed: scripts/install-deps test"
    return path


def journal_of(home):
    return pathlib.Path(home) / ".local/state/igtcloud/journal.db"


def ranges_in_journal(path):
    """How many ranges of an unfinished download the journal has, while the program writes it."""
    with contextlib.suppress(sqlite3.OperationalError), \
            contextlib.closing(sqlite3.connect(path, timeout=10)) as db:
        return sum(bin(byte).count("1") for (ranges,) in db.execute("SELECT ranges FROM download")
                   for byte in ranges or b"")
    return 0


def tree(folder):
    """Path: content of every file below, hidden ones and leftovers too."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, folder)] = f.read()
    return found
