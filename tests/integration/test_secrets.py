# SPDX-License-Identifier: MIT
"""What must stay secret: not in logs, errors, files, arguments, memory that a crash writes, nor on
the terminal; and files that hold it are nobody else's."""

import base64
import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import threading
import time
import uuid

import pytest

from gateway import Gateway, Proxy
from igtcloud import DENIED, FAILED, Program, environment, is_private_mode, program, sanitized, tree
from terminal import CONSOLE, Terminal
from test_login import Login

PASSWORD = "correct-horse-battery-staple-91"
SEED = {
    "users": [{"name": "demo@example.com", "password": PASSWORD, "roles": ["DATA_MANAGER"]}],
    "projects": [{"name": "p", "projectTypeName": "IGT", "institutes": [
        {"name": "i", "studies": [
            {"studyId": "S", "patient": {"patientId": "P", "patientName": "P"},
             "files": [{"path": "a.txt", "text": "hello"}]}]}]}]}
SANITIZED = sanitized()
NOBODY = 65534


@pytest.fixture
def gateway(cloud):
    with Gateway(cloud.url, host="127.0.0.1") as running:
        yield running


@pytest.fixture
def igtcloud(gateway, home):
    return Program(gateway.url, home, password=PASSWORD)


def secrets_of(gateway):
    """All that went over the wire and must stay there."""
    found = {PASSWORD, base64.b64encode(PASSWORD.encode()).decode()}
    for _, _, headers in gateway.seen:
        for name, value in headers.items():
            if name.lower() in ("x-jwt", "x-csrf-token", "x-amz-security-token"):
                found.add(value)
                found.update(part for part in value.split(".") if len(part) > 40)
            elif name.lower() == "authorization":
                found.add(re.search("Signature=([0-9a-f]{64})", value)[1])
    for target, _, body in gateway.answers:
        if "s3credentials" in target:
            for policy in json.loads(body)["policyCredentials"]:
                found.update((policy["credentials"]["secretKey"],
                              policy["credentials"]["sessionToken"]))
    assert len(found) > 4
    return {secret.encode() for secret in found}


def assert_hidden(gateway, home, *outputs):
    """In no output, and in no file below home."""
    for name, data in [*tree(home).items(), *enumerate(o.encode() for o in outputs)]:
        for secret in secrets_of(gateway):
            assert secret not in data, f"{secret} in {name}"


def run_all(igtcloud, home, status=None):
    """Commands of every kind with all that they can say; their outputs."""
    up = home / "up" / "i" / "P---S"
    up.mkdir(parents=True, exist_ok=True)
    (up / f"new-{uuid.uuid4().hex}.txt").write_text("data")  # no other test has sent it
    said = []
    for n, (name, *arguments) in enumerate([
            ("whoami",), ("csv", "--files", "-", "p"), ("upload", home / "up", "p"),
            ("download", "--report", home / "report", home / "out", "p"),
            ("verify", home / "out", "p")]):
        done = igtcloud.run(name, "--debug", "--json", "--retries", "0", "--log-file",
                            home / f"log{n}", *arguments, status=status)
        assert done.status != 2, done
        said += [done.text, done.err]
    return said


def test_runs_that_succeed(gateway, igtcloud, home):
    said = run_all(igtcloud, home, status=0)
    assert len(tree(home)["log3"].splitlines()) > 5
    assert_hidden(gateway, home, *said)


@pytest.mark.parametrize("where", ["/login", "/projects", "/s3credentials", "/igtcloud/",
                                   "/files"])
def test_server_that_repeats_what_it_was_sent(gateway, igtcloud, home, where):
    igtcloud.run("download", home / "out", "p")
    gateway.repeat = where
    said = run_all(igtcloud, home)
    assert any("(hidden)" in text for text in said), "\n".join(said)
    assert_hidden(gateway, home, *said)


def test_proxy_password(cloud, home):
    with Proxy(credentials="me:hush-hush-17") as proxy:
        for password, status in (("hush-hush-17", 0), ("other-word-18", FAILED)):
            done = Program(cloud.url, home, password=PASSWORD).run(
                "csv", "--debug", "--log-file", home / "log", "-", "p", status=status,
                env={"http_proxy": proxy.url_of("me", password)})
            for text in (done.text, done.err, (home / "log").read_text()):
                assert password not in text
                assert base64.b64encode(f"me:{password}".encode()).decode() not in text


# ---- what others see of the process ----

@contextlib.contextmanager
def waiting(home, *arguments, **options):
    """A download whose server says nothing: it is signing in."""
    import socket
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        process = Program(url, home, password=PASSWORD).start(
            "download", *arguments, home / "out", "p", **options)
        connection, _ = server.accept()
        with connection:
            assert connection.recv(100)
            yield process
        process.kill()
        process.communicate()


def test_secrets_are_not_in_the_process_list(home):
    with waiting(home, env={"https_proxy": "http://me:hush@127.0.0.1:9"}) as process:
        with open(f"/proc/{process.pid}/cmdline", "rb") as f:
            line = f.read()
    assert b"download" in line and PASSWORD.encode() not in line and b"hush" not in line


@pytest.mark.parametrize("form", [["--proxy", "http://me:hush@127.0.0.1:9"],
                                  ["--proxy=me:hush@127.0.0.1:9"]])
def test_the_password_of_a_proxy_leaves_the_arguments(home, form):
    with waiting(home, *form, env={"no_proxy": "127.0.0.1"}) as process:
        with open(f"/proc/{process.pid}/cmdline", "rb") as f:
            line = f.read()
    assert b"127.0.0.1:9" in line and b"hush" not in line


def test_no_option_takes_a_secret(home):
    """The usage error does not repeat it either."""
    for option in (f"--password={PASSWORD}", f"-p{PASSWORD}"):
        done = Program("http://127.0.0.1:1", home).run("csv", option, "-", "p", status=2)
        assert "hush" not in done.text


@pytest.mark.measures
def test_crash_leaves_no_core(home):
    def allow():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY:
        def allow():  # noqa: F811
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    with waiting(home, preexec_fn=allow, cwd=home) as process:
        with open(f"/proc/{process.pid}/limits") as f:
            limit = next(line for line in f if "core file" in line)
        assert limit.split()[4:6] == ["0", "0"]
        process.send_signal(signal.SIGSEGV)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -signal.SIGSEGV
    if not SANITIZED:
        assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)
    assert not [name for name in os.listdir(home) if "core" in name]


@pytest.mark.measures
def test_other_programs_of_the_same_user(home):
    """/proc/PID belongs to root, so none may read the environment (with CLOUD_JWT_TOKEN), the memory,
    or attach a debugger. Sanitizers need what is forbidden here."""
    options = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    if options:
        os.chmod(home, 0o777)
        for parent in list(home.parents)[:-2]:
            os.chmod(parent, os.stat(parent).st_mode | 0o011)
    with waiting(home, **options) as process:
        owner = os.stat(f"/proc/{process.pid}/environ").st_uid
        tried = subprocess.run(["cat", f"/proc/{process.pid}/environ"], capture_output=True,
                               **options)
    if SANITIZED:
        assert owner != 0 or not options
    else:
        assert owner == 0 and tried.returncode != 0 and tried.stdout == b""


def memory_of(pid):
    """All that a process can write to, as bytes."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if "w" not in rights:
                continue
            begin, end = (int(x, 16) for x in span.split("-"))
            with contextlib.suppress(OSError, ValueError):
                mem.seek(begin)
                yield mem.read(end - begin)


@pytest.mark.measures
def test_password_is_wiped(gateway, home):
    """`igtcloud login` lives for days. Once it is signed in the password is in its memory once, where
    the session keeps it for the day when it cannot be renewed, and in no buffer that was used."""
    login = Login(gateway, str(home), "--user", "demo@example.com", "--password-stdin",
                  password=PASSWORD.encode() + b"\n")
    login.wait_for(b"Signed in as")
    try:
        if os.geteuid() == 0 and not SANITIZED:
            memory = list(memory_of(login.process.pid))
            assert any(b"demo@example.com" in area for area in memory)
            assert sum(area.count(PASSWORD.encode()) for area in memory) <= 1
    finally:
        login.end()


# ---- the terminal ----

def ask(gateway, home):
    return Terminal([program(), "csv", "--domain", gateway.url, "-", "p"], environment(home))


def test_password_is_not_shown(gateway, home):
    terminal = ask(gateway, home)
    terminal.wait_for(b"User name")
    terminal.write(b"demo@example.com\n")
    terminal.wait_for(b"password")
    assert not terminal.has_echo()
    terminal.write(PASSWORD.encode() + b"\n")
    terminal.wait_for(b"P")
    assert terminal.end() == 0, terminal.text.decode()
    assert PASSWORD.encode() not in terminal.text


def test_interrupt_at_the_prompt(gateway, home):
    """The terminal shows again what is typed."""
    terminal = ask(gateway, home)
    terminal.wait_for(b"User name")
    terminal.write(b"demo@example.com\n")
    terminal.wait_for(b"password")
    assert not terminal.has_echo()
    os.kill(terminal.pid, signal.SIGINT)
    assert terminal.wait() == 130
    assert CONSOLE or terminal.has_echo()
    os.close(terminal.fd)


# ---- files ----

@pytest.fixture
def shared(home):
    """Where anybody may put something, like /tmp."""
    os.chmod(home, 0o1777)
    return home / "igtcloud_auth_mmap"


def plant(path, what):
    victim = path.parent / "victim"
    victim.write_text("of the victim")
    victim.chmod(0o600)
    if what == "link":
        path.symlink_to(victim)
    elif what == "dangling link":
        path.symlink_to(path.parent / "nowhere")
    elif what == "fifo":
        os.mkfifo(path, 0o600)
    elif what == "folder":
        path.mkdir(0o700)
    elif what == "hard link":
        os.link(victim, path)
    else:
        path.write_bytes(b"\0" * 20480)
        path.chmod(0o666 if what == "open to all" else 0o600)
        if what == "somebody else's":
            if os.geteuid():
                pytest.skip("needs root to plant it")
            os.chown(path, NOBODY, NOBODY)
    return victim


PLANTED = ["link", "dangling link", "fifo", "folder", "open to all", "somebody else's"]


@pytest.mark.parametrize("what", PLANTED)
def test_planted_token_file(cloud, home, shared, what):
    """Login does not write to it; other commands pass it by and ask for a password."""
    victim = plant(shared, what)
    login = Login(cloud, str(home), "--user", "demo@example.com", "--password-stdin",
                  password=PASSWORD.encode() + b"\n")
    assert login.process.wait(30) not in (0, -signal.SIGKILL)
    said = login.process.stderr.read()
    login.process.stderr.close()
    assert b"igtcloud_auth_mmap" in said, said
    done = Program(cloud.url, home, password=PASSWORD).run("csv", "-", "p")
    assert "igtcloud_auth_mmap" in done.err or what == "dangling link", done
    done = Program(None, home).run("get-token", sign_in=False, status=None)
    assert done.status in (FAILED, DENIED) and done.text == ""
    assert victim.read_text() == "of the victim" and not (home / "nowhere").exists()
    if what in ("fifo", "dangling link"):
        shared.unlink()
    for path, data in tree(home).items():
        assert b"jwt" not in data and "journal" not in path


def test_token_file_is_private_from_its_birth(cloud, home):
    """Whatever the umask is; and its end leaves nothing."""
    old = os.umask(0)
    try:
        login = Login(cloud, str(home), "--user", "demo@example.com", "--password-stdin",
                      password=PASSWORD.encode() + b"\n")
    finally:
        os.umask(old)
    path, modes = home / "igtcloud_auth_mmap", set()
    watching = threading.Event()

    def watch():
        while not watching.is_set():
            with contextlib.suppress(FileNotFoundError):
                modes.add(os.stat(path).st_mode)
            time.sleep(0.001)
    thread = threading.Thread(target=watch)
    thread.start()
    login.wait_for(b"Signed in as")
    modes.add(os.stat(path).st_mode)
    login.end()
    watching.set()
    thread.join()
    assert all(map(is_private_mode, modes)) and not path.exists()


def test_key_file_is_not_revealed(cloud, home):
    """A damaged or encrypted key: the sentence names the file, never its content."""
    good = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, text=True,
                          check=True).stdout
    damaged = good.replace(good.splitlines()[3], "!" + good.splitlines()[3][1:])
    locked = subprocess.run(["openssl", "pkcs8", "-topk8", "-passout", "pass:x"], input=good,
                            capture_output=True, text=True, check=True).stdout
    for name, text in (("damaged", damaged), ("locked", locked), ("stranger", good)):
        key = home / f"{name}.pem"
        key.write_text(text)
        key.chmod(0o600)
        done = Program(cloud.url, home).run("csv", "--debug", "--log-file", home / "log",
                                            "--service-file", key, "-", "p", status=None,
                                            sign_in=False)
        assert done.status in (FAILED, DENIED) and name in done.err, done
        for line in text.splitlines()[1:-1]:
            assert line not in done.err + done.text + (home / "log").read_text()
