# SPDX-License-Identifier: MIT
"""igtcloud upgrade, against a release page on this machine. The program under test is the one that
is installed but for the file with the release key (tests/upgrade), so that each run has a key of
its own; what is installed reads a key from nowhere."""

import contextlib
import fcntl
import http.server
import json
import os
import pathlib
import platform
import shutil
import ssl
import subprocess
import tempfile
import threading

import pytest

from gateway import Authority
from igtcloud import DONE, FAILED, NOT_FOUND, USAGE, environment, on_windows, program
from sandbox import ROOT

MACHINE = platform.machine()
SUFFIX = ".exe" if on_windows() else ""
BUILD_WINDOWS = ROOT / "build-windows" / "x86_64"
NEW = b"#!/bin/sh\necho 9.9.9\n"


def asset_name(version, machine=MACHINE):
    return f"igtcloud-{version}-{'windows' if on_windows() else 'linux'}-{machine}{SUFFIX}"


def with_test_key():
    """The program that takes its release key from TEST_RELEASE_KEY. `make windows` does not build it."""
    name = f"tests/upgrade/igtcloud-with-test-key{SUFFIX}"
    if not on_windows():
        return pathlib.Path(program()).parent / name
    with open(BUILD_WINDOWS / "with-test-key.lock", "w") as lock:  # other processes of pytest want it, too
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["ninja", "-C", BUILD_WINDOWS, name], check=True, capture_output=True)
    return BUILD_WINDOWS / name


def command_of(file, env):
    """Runs this copy of the program; under wine, by the wrapper."""
    return ([program()], {**env, "WINDOWS_PROGRAM": str(file)}) if on_windows() else ([file], env)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        answer = self.server.answers.get(self.path.split("?")[0], (404, {}, b"not here"))
        status, headers, body = answer(self) if callable(answer) else answer
        if status is None:
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Page:
    """A release page; `answers` maps a path to (status, headers, body)."""

    def __init__(self, context=None):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.daemon_threads = True
        self.server.seen, self.server.answers = [], {}
        self.seen, self.answers = self.server.seen, self.server.answers
        scheme = "https" if context else "http"
        self.origin = f"{scheme}://localhost:{self.server.server_port}"
        self.url = self.origin + "/releases"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def latest(self, version):
        self.answers["/releases/latest"] = (302, {"Location": f"{self.url}/tag/v{version}"}, b"")

    def asset(self, version, name, body):
        self.answers[f"/releases/download/v{version}/{name}"] = (200, {}, body)

    def release(self, keys, version, body=NEW, machine=MACHINE):
        """Signed; returns the asset's path."""
        name = asset_name(version, machine)
        self.asset(version, name, body)
        self.asset(version, name + ".sig", keys.sign(name, body))
        return f"/releases/download/v{version}/{name}"

    @property
    def paths(self):
        return [path for path, _ in self.seen]


class Keys:
    def __init__(self, folder):
        self.folder, self.private = folder, folder / "private.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.private],
                       check=True)
        self.public = subprocess.run(["openssl", "pkey", "-in", self.private, "-pubout"], check=True,
                                     capture_output=True, text=True).stdout

    def sign(self, name, body):
        file = self.folder / name
        file.write_bytes(body)
        subprocess.run([ROOT / "scripts" / "sign-release", self.private, file], check=True)
        return pathlib.Path(f"{file}.sig").read_bytes()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def page():
    with Page() as running:
        yield running


class Installed:
    """A copy of the program in a folder of its own."""

    def __init__(self, folder, keys):
        self.folder, self.keys = folder / "bin", keys
        self.folder.mkdir()
        self.file = self.folder / f"igtcloud{SUFFIX}"
        shutil.copy(with_test_key(), self.file)
        self.file.chmod(0o751)
        self.before = self.file.read_bytes()
        self.version = self.run("version").stdout.strip()

    def run(self, *arguments, url="", status=DONE, key=None, **more):
        options = more.pop("options", {})
        env = environment(self.folder.parent, IGTCLOUD_RELEASES=url, IGTCLOUD_RETRIES=0,
                          TEST_RELEASE_KEY=self.keys.public if key is None else key, **more)
        command, env = command_of(self.file, env)
        done = subprocess.run([*command, *arguments], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, **options)
        assert done.returncode == status, done
        return done

    def upgrade(self, page, *arguments, **more):
        return self.run("upgrade", *arguments, url=page.url, **more)

    def fails(self, page, *arguments, status=FAILED, **more):
        """And nothing has changed; what it said."""
        shown = self.upgrade(page, *arguments, status=status, **more).stderr
        self.is_as_before()
        return shown

    def is_as_before(self):
        assert self.file.read_bytes() == self.before
        assert os.listdir(self.folder) == [self.file.name]

    def is_new(self, body=NEW):
        assert self.file.read_bytes() == body
        if on_windows():  # a program that runs cannot be removed: the next start does that
            assert sorted(os.listdir(self.folder)) == ["igtcloud.exe", "igtcloud.old.exe"]
            assert (self.folder / "igtcloud.old.exe").read_bytes() == self.before
            return
        assert self.file.stat().st_mode & 0o7777 == 0o751
        assert os.listdir(self.folder) == ["igtcloud"]


@pytest.fixture
def installed(tmp_path, keys):
    return Installed(tmp_path, keys)


# ---- what should happen ----

@pytest.mark.case("security-23")
def test_what_a_killed_upgrade_left_is_removed(page, installed, keys):
    """Not the file of an upgrade that runs, nor what has a name of another kind."""
    old, busy = (installed.folder / f".igtcloud-upgrade-{c * 16}" for c in "ab")
    other = installed.folder / ".igtcloud-upgrade.txt"
    for file in (old, busy, other):
        file.write_bytes(b"half")
    page.latest("9.9.9")
    page.release(keys, "9.9.9")
    with open(busy) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed.upgrade(page)
        assert not old.exists() and busy.exists() and other.exists()


@pytest.mark.case("security-23")
def test_killed_upgrade(installed, keys):
    """Killed while it waits for the program; the next one finds nothing of it afterwards."""
    with Page() as slow:
        slow.latest("9.9.9")
        path = slow.release(keys, "9.9.9")
        asked, killed = threading.Event(), threading.Event()

        def wait(handler):
            asked.set()
            killed.wait(30)
            return None, {}, b""
        slow.answers[path] = wait
        command, env = command_of(installed.file, environment(
            installed.folder.parent, IGTCLOUD_RELEASES=slow.url, TEST_RELEASE_KEY=keys.public))
        process = subprocess.Popen([*command, "upgrade"], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=env)
        assert asked.wait(30)
        process.kill()
        process.wait()
        killed.set()
    assert len(os.listdir(installed.folder)) == 2
    with Page() as page:
        page.latest("9.9.9")
        page.release(keys, "9.9.9")
        installed.upgrade(page)
    installed.is_new()


@pytest.mark.smoke
def test_upgrade(page, installed, keys):
    page.latest("9.9.9")
    path = page.release(keys, "9.9.9")
    shown = installed.upgrade(page).stderr
    assert f"igtcloud {installed.version} is now 9.9.9" in shown
    installed.is_new()
    assert page.paths == ["/releases/latest", path + ".sig", path]
    if not on_windows():  # NEW is no program there; tests/windows/test_upgrading.py runs one
        assert subprocess.run([installed.file], capture_output=True).stdout == b"9.9.9\n"
    sent = {name.lower() for _, headers in page.seen for name in headers}
    assert sent <= {"host", "user-agent", "accept", "accept-encoding"}


def test_already_the_latest(page, installed):
    page.latest(installed.version)
    assert "the latest release" in installed.fails(page, status=DONE)
    assert page.paths == ["/releases/latest"]
    shown = json.loads(installed.upgrade(page, "--json").stdout)
    assert shown == {"version": installed.version, "previous": installed.version, "replaced": False}


def test_dry_run(page, installed):
    page.latest("9.9.9")
    assert "would become 9.9.9" in installed.upgrade(page, "--dry-run", status=DONE).stdout
    installed.is_as_before()
    assert page.paths == ["/releases/latest"]


@pytest.mark.parametrize("version", ["9.9.8", "v9.9.8", "0.0.1"])
def test_named_version(page, installed, keys, version):
    """Also an older one; the page is not asked for the latest."""
    path = page.release(keys, version.lstrip("v"))
    installed.upgrade(page, version)
    installed.is_new()
    assert page.paths == [path + ".sig", path]


def test_a_link_leads_to_the_program(page, installed, keys, tmp_path):
    page.release(keys, "9.9.9")
    link = tmp_path / "link"
    link.symlink_to(installed.file)
    subprocess.run([link, "upgrade", "9.9.9"], check=True, capture_output=True,
                   env=environment(tmp_path, IGTCLOUD_RELEASES=page.url,
                                   TEST_RELEASE_KEY=keys.public))
    assert link.is_symlink()
    installed.is_new()


def test_redirects_lead_to_another_host(installed, keys):
    """As GitHub does it: a repository that moved, and files on a store with signed URLs."""
    with Page() as page, Page() as store:
        page.answers["/releases/latest"] = (301, {"Location": "/moved/latest"}, b"")
        page.answers["/moved/latest"] = (302, {"Location": f"{page.url}/tag/v9.9.9"}, b"moved")
        path = page.release(keys, "9.9.9")
        for end in ("", ".sig"):
            store.answers["/file" + end] = page.answers[path + end]
            page.answers[path + end] = (
                302, {"Location": f"{store.origin}/file{end}?signature=a%2Fb&x=1"}, b"<html>")
        installed.upgrade(page)
        installed.is_new()
        assert store.paths == ["/file.sig?signature=a%2Fb&x=1", "/file?signature=a%2Fb&x=1"]


def test_ca_file(installed, keys, tmp_path):
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = authority.issue("localhost")
    context.load_cert_chain(*(chain if isinstance(chain, tuple) else (chain,)))
    with Page(context) as page:
        page.latest("9.9.9")
        page.release(keys, "9.9.9")
        assert "certificate" in installed.fails(page)
        installed.upgrade(page, "--ca-file", str(authority.file))
        installed.is_new()


# ---- what must not ----

def test_build_without_a_key(page, keys, tmp_path):
    """The program that is installed, which no variable gives a key."""
    page.latest("9.9.9")
    page.release(keys, "9.9.9")
    file = tmp_path / f"igtcloud{SUFFIX}"
    built = os.environ["WINDOWS_PROGRAM"] if on_windows() else program()
    shutil.copy(built, file)
    command, env = command_of(file, environment(tmp_path, IGTCLOUD_RELEASES=page.url,
                                                TEST_RELEASE_KEY=keys.public))
    done = subprocess.run([*command, "upgrade"], capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == FAILED and "carries no release key" in done.stderr
    assert not page.seen and file.read_bytes() == pathlib.Path(built).read_bytes()


@pytest.mark.parametrize("key", ["AAAA", "no base64!", "rsa"])
def test_damaged_key(page, installed, key):
    if key == "rsa":
        made = subprocess.run("openssl genrsa 2048 2>/dev/null | openssl rsa -pubout 2>/dev/null",
                              shell=True, check=True, capture_output=True, text=True)
        key = made.stdout
    assert "not a public Ed25519 key" in installed.fails(page, status=4, key=key)
    assert not page.seen


@pytest.mark.parametrize("what", ["changed", "cut", "other key", "other version", "other platform",
                                  "short", "long", "empty"])
def test_bad_signature(page, installed, keys, tmp_path, what):
    page.latest("9.9.9")
    path = page.release(keys, "9.9.9")
    signature = page.answers[path + ".sig"][2]
    name = path.split("/")[-1]
    if what == "changed":
        page.answers[path] = (200, {}, NEW.replace(b"9.9.9", b"6.6.6"))
    elif what == "cut":
        page.answers[path] = (200, {}, NEW[:-4])
    else:
        signature = {
            "other key": lambda: Keys(tmp_path).sign(name, NEW),
            "other version": lambda: keys.sign(name.replace("9.9.9", "0.0.1"), NEW),
            "other platform": lambda: keys.sign(name + "el", NEW),
            "short": lambda: signature[:63],
            "long": lambda: signature + b"\n",
            "empty": lambda: b""}[what]()
        page.answers[path + ".sig"] = (200, {}, signature)
    assert "its signature is wrong" in installed.fails(page)


def test_asset_that_breaks_off(page, installed, keys):
    page.latest("9.9.9")
    path = page.release(keys, "9.9.9")
    page.answers[path] = (200, {"Content-Length": str(len(NEW) + 10), "Connection": "close"}, NEW)
    installed.fails(page)


def test_asset_that_breaks_off_once(page, installed, keys):
    """The second attempt begins anew, in the file and in its digest."""
    page.latest("9.9.9")
    path = page.release(keys, "9.9.9")

    def first(_):
        page.answers[path] = (200, {}, NEW)
        return 200, {"Content-Length": "100", "Connection": "close"}, b"x" * 90
    page.answers[path] = first
    installed.upgrade(page, "--retries", "3")
    installed.is_new()
    assert page.paths.count(path) == 2


@pytest.mark.parametrize("missing", ["program", "signature", "release"])
def test_nothing_for_this_platform(page, installed, keys, missing):
    page.latest("9.9.9")
    path = page.release(keys, "9.9.9")
    page.release(keys, "9.9.9", machine="pdp11")
    if missing != "signature":
        del page.answers[path]
    if missing != "program":
        del page.answers[path + ".sig"]
    shown = installed.fails(page, status=NOT_FOUND)
    assert "none for this machine" in shown and MACHINE in shown


def test_latest_that_is_older(page, installed):
    page.latest("0.0.1")
    assert "older than this program" in installed.fails(page)
    assert page.paths == ["/releases/latest"]


@pytest.mark.parametrize("version", ["1.2", "1.2.3.4", "1.2.3-rc1", "../../1.2.3", "01.2.3", "vv1.2.3"])
def test_versions_that_are_none(page, installed, version):
    assert "not a version such as" in installed.fails(page, version, status=USAGE)
    assert not page.seen


@pytest.mark.parametrize("name", ["latest", "asset"])
def test_redirects_without_end(page, installed, keys, name):
    page.latest("9.9.9")
    path = page.release(keys, "9.9.9")
    at = "/releases/latest" if name == "latest" else path
    page.answers[at] = (302, {"Location": page.origin + at}, b"")
    assert "more than 5 redirects" in installed.fails(page)
    assert page.paths.count(at) == 6


@pytest.mark.parametrize("location", ["http://example.com/x", "ftp://localhost/x", "file:///etc/passwd",
                                      "//example.com/x", "x", "https://u:p@localhost/x", "https://"])
def test_redirects_to_where_they_must_not(page, installed, keys, location):
    page.latest("9.9.9")
    path = page.release(keys, "9.9.9")
    page.answers[path + ".sig"] = (302, {"Location": location}, b"")
    assert "is not followed" in installed.fails(page)


@pytest.mark.parametrize("answer", [
    (200, {"Content-Type": "text/html"}, b"<html>please sign in</html>"), (204, {}, b""),
    (302, {}, b"nowhere")], ids=["html", "empty", "no location"])
def test_page_that_is_none(page, installed, answer):
    page.answers["/releases/latest"] = answer
    assert "names no release" in installed.fails(page)


def endless(handler):
    """Until the program has had enough of it."""
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 %d x\r\nLocation: /x\r\nConnection: close\r\n\r\n"
                            % handler.server.endless)
        while True:
            handler.wfile.write(b"x" * 65536)
    return None, {}, b""


@pytest.mark.parametrize("what", ["signature", "redirect", "announced"])
def test_more_than_there_may_be(page, installed, keys, what):
    page.latest("9.9.9")
    path = page.release(keys, "9.9.9")
    if what == "announced":
        page.answers[path] = (200, {"Content-Length": str(300 << 20), "Connection": "close"}, b"x")
    else:
        page.server.endless = 200 if what == "signature" else 302
        page.answers[path + ".sig"] = endless
    shown = installed.fails(page)
    assert "more bytes than" in shown or "too long" in shown


@pytest.mark.parametrize("url, shown", [("http://example.com/releases", "clear text"),
                                        ("releases", "not a URL"), ("https://u:p@localhost", "password")])
def test_pages_that_must_not_be_requested(installed, url, shown):
    assert shown in installed.run("upgrade", url=url, status=USAGE).stderr
    installed.is_as_before()


def test_folder_that_is_read_only(page, keys):
    """As a user who may not write to it."""
    page.latest("9.9.9")
    path = page.release(keys, "9.9.9")
    with tempfile.TemporaryDirectory() as folder:  # one that any user can reach
        os.chmod(folder, 0o755)
        installed = Installed(pathlib.Path(folder), keys)
        installed.folder.chmod(0o555)
        installed.file.chmod(0o755)
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        shown = installed.fails(page, options=user)
        installed.folder.chmod(0o755)
    assert "cannot be replaced" in shown and "may write to its folder" in shown
    assert path not in page.paths  # reported before anything is downloaded
