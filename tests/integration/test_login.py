# SPDX-License-Identifier: MIT
"""`igtcloud login` and what lives on its token file, against the sandbox."""

import base64
import contextlib
import glob
import json
import mmap
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from igtcloud import DENIED, DONE, FAILED, USER, Program, environment, is_private, on_windows, program, tree
from sandbox import Sandbox

PAGES = 5 * 4096


def test_login_without_a_terminal_says_what_helps(tmp_path):
    with Sandbox() as cloud:
        done = subprocess.run([program(), "login", "--domain", cloud.url], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, env=environment(tmp_path),
                              start_new_session=True, timeout=60, check=False)
    assert done.returncode == DENIED, done
    assert "--password-stdin" in done.stderr and "--service-file" in done.stderr


@pytest.fixture(scope="module")
def cloud():
    with Sandbox(seed="demo", token_lifetime=4) as running:
        yield running
        assert running.stop() == 0, running.log()


class Login:
    """A running `igtcloud login`."""

    def __init__(self, cloud, home, *arguments, password=b"demo\n"):
        self.path = os.path.join(home, "igtcloud_auth_mmap")
        self.process = subprocess.Popen(
            [program(), "login", "--domain", cloud.url, *arguments], stdin=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment(home), start_new_session=True)
        with contextlib.suppress(BrokenPipeError):  # it may end without reading
            self.process.stdin.write(password)
            self.process.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.said = b""

    def wait_for(self, text, seconds=20):
        """Until it says so on standard error."""
        end = time.monotonic() + seconds
        while text not in self.said:
            ready = select.select([self.process.stderr], [], [], max(0, end - time.monotonic()))[0]
            more = os.read(self.process.stderr.fileno(), 4096) if ready else b""
            assert more, f"not said: {text!r}, but {self.said!r}"
            self.said += more
        return self

    def end(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        if not self.process.stderr.closed:
            self.said += self.process.stderr.read()
            self.process.stderr.close()
        return self.process.wait(20)


@pytest.fixture
def home(tmp_path):
    return str(tmp_path)


@pytest.fixture
def login(cloud, home):
    running = Login(cloud, home, "--user", "demo@example.com", "--password-stdin")
    running.wait_for(b"Signed in as demo@example.com")
    yield running
    running.end()


def igtcloud(cloud, home):
    return Program(cloud.url, home)


def decode(path):
    with open(path, "rb") as f:
        return json.loads(base64.b64decode(f.read().rstrip(b"\0")))


def test_token_file(cloud, home, login):
    status = os.lstat(login.path)
    assert is_private(login.path)
    assert status.st_size == PAGES
    token = decode(login.path)
    assert set(token) == {"sub", "jwt", "jwt_data", "csrf", "domain"}
    assert token["sub"] == "demo@example.com"
    assert token["domain"] == cloud.url
    payload = token["jwt"].split(".")[1]
    claims = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    assert json.loads(claims) == token["jwt_data"]


@pytest.mark.smoke
def test_get_token(cloud, home, login):
    def get(*arguments):
        done = subprocess.run([program(), "get-token", *arguments], env=environment(home),
                              capture_output=True, timeout=20)
        assert done.returncode == DONE and done.stderr == b"", done
        assert done.stdout.endswith(b"\n") and done.stdout.count(b"\n") == 1
        return done.stdout.decode().strip()

    token = decode(login.path)
    assert get("-t", "csrf") == token["csrf"]
    assert get().count(".") == 2
    assert get("-t", "access")


def test_commands_use_it_without_asking(cloud, home, login):
    who = json.loads(igtcloud(cloud, home).run("whoami", "--json", sign_in=False).text)
    assert who["user"] == "demo@example.com" and who["source"] == "token file"
    target = os.path.join(home, "out")
    igtcloud(cloud, home).run("download", target, "demo", sign_in=False)
    assert tree(target)
    assert decode(login.path)["sub"] == "demo@example.com"  # still signed in


def test_a_password_that_is_not_used_is_mentioned(cloud, home, login):
    said = f"The login of {USER} is running, so --password-stdin is not used"
    run = igtcloud(cloud, home).run
    assert said in run("ls", "--domain", cloud.url, "--password-stdin", sign_in=False).err
    assert said not in run("ls", "--domain", cloud.url, sign_in=False).err
    assert said not in run("ls", "--domain", cloud.url, "--password-stdin", "--user", "sofie@example.com",
                           sign_in=False, status=None).err


def test_renews_in_place(cloud, home, login):
    """A program that mapped the file before sees the new token, which is valid."""
    with open(login.path, "rb") as f, \
            mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as view:
        first = json.loads(base64.b64decode(view.readline().strip(b"\0")))
        login.wait_for(b"Session renewed until")
        view.seek(0)
        second = json.loads(base64.b64decode(view.readline().strip(b"\0")))
    assert first["jwt"] != second["jwt"]
    assert first["csrf"] == second["csrf"]
    igtcloud(cloud, home).run("whoami", sign_in=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ends_well(cloud, home, login, number):
    token = decode(login.path)
    assert login.end(number) == DONE
    assert b"Signed out" in login.said
    assert not os.path.exists(login.path)
    done = igtcloud(cloud, home).run(
        "whoami", sign_in=False, status=DENIED,
        env={"CLOUD_JWT_TOKEN": token["jwt"], "CLOUD_CSRF_TOKEN": token["csrf"]})
    assert "CLOUD_JWT_TOKEN" in done.err  # the session was ended on the server


@pytest.mark.smoke
def test_logout_ends_the_running_login(cloud, home, login):
    Program(None, home).run("logout", sign_in=False)
    assert not os.path.exists(login.path)
    assert login.process.wait(20) == DONE


def test_second_login_leaves_the_first_alone(cloud, home, login):
    before = decode(login.path)["csrf"]
    second = Login(cloud, home, "--user", "demo@example.com", "--password-stdin")
    assert second.end(0) == FAILED
    assert b"already running" in second.said and str(login.process.pid).encode() in second.said
    assert b"`igtcloud logout` ends it" in second.said
    assert decode(login.path)["csrf"] == before


def test_wrong_password(cloud, home):
    login = Login(cloud, home, "--user", "demo@example.com", "--password-stdin", password=b"no\n")
    login.process.wait(20)
    assert login.end() == DENIED
    assert b"was rejected" in login.said and b"Traceback" not in login.said
    assert not os.path.exists(login.path)


def test_nobody_is_signed_in(cloud, home):
    for command in (["get-token"], ["whoami", "--domain", cloud.url]):
        done = subprocess.run([program(), *command], env=environment(home), capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=20, start_new_session=True)
        assert done.returncode == DENIED and done.stdout == b"", done
        assert b"igtcloud login" in done.stderr


def test_the_scheme_is_named_where_logins_differ_in_it(cloud, home, login):
    """Signed in with http, and then asked for https at the same host, and the other way round."""
    host = cloud.url.split("://")[1]
    done = igtcloud(cloud, home).run("whoami", "--domain", f"https://{host}", sign_in=False, status=DENIED)
    assert f"not signed in to {host}: run `igtcloud login`" in done.err and f"the running login is for {cloud.url}" in done.err
    assert login.end() == DONE
    done = igtcloud(cloud, home).run("whoami", "--domain", cloud.url, sign_in=False, status=DENIED)
    assert f"not signed in to {cloud.url}: run `igtcloud login`" in done.err and "the running login" not in done.err


def test_a_key_that_was_given_comes_before_a_profiles_user(cloud, home, key):
    file = Path(home, ".config/igtcloud/config")
    file.parent.mkdir(parents=True)
    file.write_text(f"[default]\nuser = {USER}\n", encoding="utf-8")
    for arguments, variables in ((["-s", key], {}), ([], {"IGTCLOUD_SERVICE_FILE": key})):
        done = igtcloud(cloud, home).run("whoami", "--json", "--domain", cloud.url, *arguments, env=variables,
                                         sign_in=False)
        assert done.lines[0]["user"] == "upload-station@demo"
    # Both of the profile: the user says whose key it is.
    os.rename(key, Path(home, "key"))
    file.write_text(f"[default]\nuser = upload-station@demo\nservice-file = {Path(home, 'key')}\n", encoding="utf-8")
    done = igtcloud(cloud, home).run("whoami", "--json", "--domain", cloud.url, sign_in=False)
    assert done.lines[0]["user"] == "upload-station@demo"


def test_a_user_that_was_given_comes_before_a_profiles_key(cloud, home, key):
    file = Path(home, ".config/igtcloud/config")
    file.parent.mkdir(parents=True)
    file.write_text(f"[default]\nservice-file = {key}\n", encoding="utf-8")

    def who(*arguments, **variables):
        done = igtcloud(cloud, home).run("whoami", "--json", "--domain", cloud.url, *arguments, env=variables,
                                         sign_in=False)
        return done.lines[0]["user"]

    stdin = "--password-stdin"
    assert who("--user", USER, stdin) == who(stdin, IGTCLOUD_USER=USER) == who(stdin, CLOUD_USERNAME=USER) == USER
    # The name of the key's own service chooses the key; a key that was given as well, too.
    assert who("--user", "upload-station@demo") == who(IGTCLOUD_USER="upload-station@demo") == "upload-station@demo"
    assert who() == "upload-station@demo"


def test_a_token_for_another_cloud_is_not_sent(cloud, home, login):
    with Sandbox(seed="demo") as other:
        who = json.loads(igtcloud(other, home).run("whoami", "--json").text)
        assert who["source"] == "password"


def test_a_file_that_others_can_read_is_refused(cloud, home, login):
    os.chmod(login.path, 0o644)
    done = igtcloud(cloud, home).run("whoami", sign_in=False, status=DENIED)
    for word in ["icacls", "/reset", "/inheritance:r"] if on_windows() else ["chmod 600"]:
        assert word in done.err
    done = igtcloud(cloud, home).run("whoami", "--json")
    assert json.loads(done.text)["source"] == "password" and "warning" in done.err


def test_session_of_the_environment_is_not_ended(cloud, home, login):
    token = decode(login.path)
    more = {"CLOUD_JWT_TOKEN": token["jwt"], "CLOUD_CSRF_TOKEN": token["csrf"],
            "CLOUD_TOKEN_MMAP": os.path.join(home, "none")}
    for _ in range(2):
        who = json.loads(igtcloud(cloud, home).run("whoami", "--json", sign_in=False, env=more).text)
        assert who["source"] == "environment"


def test_background_detaches_once_signed_in(cloud, home):
    path = os.path.join(home, "igtcloud_auth_mmap")
    subprocess.run(
        [program(), "login", "--background", "--domain", cloud.url, "--user", "demo@example.com",
         "--password-stdin"], input=b"demo\n", env=environment(home), check=True, timeout=20,
        start_new_session=True)
    assert decode(path)["sub"] == "demo@example.com"
    igtcloud(cloud, home).run("whoami", sign_in=False)
    # Again: there is nothing to do, except for another user.
    def again(*arguments):
        return igtcloud(cloud, home).run("login", "--background", "--domain", cloud.url, "--password-stdin", *arguments,
                                         sign_in=False, status=None)
    before = decode(path)["csrf"]
    for arguments in (["--user", USER], []):
        done = again(*arguments)
        assert done.status == DONE and f"Already signed in as {USER} to {cloud.url} (process " in done.err, done
    done = again("--user", "another@example.com")
    assert done.status == FAILED and "already running" in done.err and decode(path)["csrf"] == before
    Program(None, home).run("logout", sign_in=False)
    assert not os.path.exists(path)


@pytest.fixture
def key(cloud, home):
    copy = os.path.join(home, "upload-station@demo.pem")
    shutil.copy(glob.glob(str(cloud.data / "*.pem"))[0], copy)
    os.chmod(copy, 0o600)
    return copy


def test_a_service_signs_in_with_its_key(cloud, home, key):
    login = Login(cloud, home, "-s", key)
    login.wait_for(b"Signed in as upload-station@demo")
    who = json.loads(igtcloud(cloud, home).run("whoami", "--json", sign_in=False).text)
    assert who["isService"] and who["user"] == "upload-station@demo"
    login.wait_for(b"Session renewed until")
    assert login.end() == DONE
    assert b"warning" not in login.said


def test_service_key_that_others_can_read(cloud, home, key):
    os.chmod(key, 0o644)
    login = Login(cloud, home, "-s", key)
    login.wait_for(b"Signed in")
    assert login.end() == DONE
    assert b"warning: the key file" in login.said


def test_service_key_that_is_none(cloud, home, key):
    with open(key, "w") as f:
        f.write("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    login = Login(cloud, home, "-s", key)
    login.process.wait(20)
    assert login.end() == DENIED
    assert key.encode() in login.said
