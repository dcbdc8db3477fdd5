# SPDX-License-Identifier: MIT
"""Sessions, and clouds that say odd things about them."""

import base64
import json
import os
import subprocess
import time

import pytest

from igtcloud import DENIED, FAILED, SOME_FAILED, Program, environment, program
from odd_cloud import Handler, OddCloud, Reply, decode
from sandbox import Sandbox
from test_login import Login

USERS = [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER", "SERVICES_MANAGER"]}]
SEED = {"users": USERS, "projects": [{"name": "p", "projectTypeName": "EPD", "institutes": [
    {"name": "i", "studies": [{"name": "s", "files": [{"path": "a.txt", "text": "a"}]}]}]}]}


@pytest.fixture
def igtcloud(odd, home):
    return Program(odd.url, home)


# ---- how long a session lives ----

ENDS = {"largest": 2**63 - 1, "milliseconds": 1800000000000, "nanoseconds": 18 * 10**17,
        "negative": -2**63, "past": 1000, "zero": 0, "float": time.time() + 3600.5,
        "huge": 1e300, "text": "1800000000", "unsigned": 2**64 - 1}


@pytest.mark.case("security-10")
@pytest.mark.parametrize("end, max_age", [*((e, "none") for e in ENDS), *(
    ("past", m) for m in ("0", "-1", "9223372036854775807", "x"))])
def test_an_odd_end_is_no_storm(odd, home, end, max_age):
    """One login and one introspection serve a run, whatever the token says of its end."""
    def change(request, reply):
        if request.path.endswith(("/login", "/refresh")) and reply.status == 200:
            odd.change_claims(reply, lambda c: c.update(exp=ENDS[end]),
                              None if max_age == "none" else max_age)
    odd.change = change
    Program(odd.url, home).run("ls", "p/i")
    assert odd.count("POST", "/login") == 1 and odd.count("POST", "/refresh") <= 1


@pytest.mark.case("security-10")
@pytest.mark.parametrize("end", [2**63 - 1, -2**63, 0, 1e300, "1800000000000", 5])
def test_an_odd_end_from_introspection(cloud, odd, igtcloud, end):
    jwt, csrf = tokens(cloud)

    def change(request, reply):
        if request.path.endswith("/introspect"):
            reply.json = {**reply.json, "exp": end}
    odd.change = change
    igtcloud.run("ls", "p/i", sign_in=False, env={"CLOUD_JWT_TOKEN": jwt, "CLOUD_CSRF_TOKEN": csrf})
    assert odd.count("GET", "/introspect") == 1


def tokens(cloud):
    from rest_client import RestClient
    client = RestClient(cloud.url).login()
    return client.jwt, client.csrf


# ---- a login that is kept ----

def wait_until_expired(home):
    """The token that the login's file has."""
    record = base64.b64decode((home / "igtcloud_auth_mmap").read_bytes().rstrip(b"\0"))
    end = json.loads(record)["jwt_data"]["exp"]
    Sandbox.wait_for(lambda: time.time() > end)


@pytest.mark.case("transfers-23")
def test_login_survives_hours_without_a_network(home):
    """Longer than its token lives; commands wait for the renewal that is due."""
    with Sandbox(seed="demo", token_lifetime=2) as cloud:
        login = Login(cloud, str(home), "--user", "demo@example.com", "--password-stdin")
        login.wait_for(b"Signed in")
        cloud.kill()
        login.wait_for(b"retrying")
        wait_until_expired(home)
        cloud.start()
        done = Program(cloud.url, home).run("whoami", sign_in=False, timeout=40)
        assert "(token file)" in done.text
        assert login.end() == 0


@pytest.mark.case("transfers-23")
def test_get_token_waits_for_a_renewal_that_is_due(home):
    with Sandbox(seed="demo", token_lifetime=2) as cloud:
        login = Login(cloud, str(home), "--user", "demo@example.com", "--password-stdin")
        login.wait_for(b"Signed in")
        cloud.kill()
        login.wait_for(b"retrying")
        wait_until_expired(home)
        waiting = Program(None, home).start("get-token", sign_in=False)
        cloud.start()
        out, err = waiting.communicate(timeout=40)
        assert waiting.returncode == 0, err
        claims = json.loads(decode(out.decode().split(".")[1]))
        assert claims["exp"] > time.time() - 1
        assert login.end() == 0


# ---- the token file ----

def login_at(path, url, home):
    return subprocess.run([program(), "login", "--domain", url, "--user", "demo@example.com"],
                          env=environment(home, CLOUD_TOKEN_MMAP=path), capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=20, text=True, check=False)


@pytest.mark.case("security-13")
@pytest.mark.parametrize("content", [
    b"My thesis", b"\0" * 20480 + b"x", b"eyJzdWIiOi", b'{"sub":1}', b"\n", b"x" * 100000,
    b"\0" * 100 + b"x", base64.b64encode(bytes(range(1, 250)) * 9), b"eyJzdWIiOi" + b"\xff" * 100],
    ids=lambda c: repr(c[:12]))
def test_a_file_that_is_no_token_file_is_left_alone(cloud, home, content):
    path = home / "thesis.doc"
    path.write_bytes(content)
    path.chmod(0o600)
    before = path.stat()
    done = login_at(path, cloud.url, home)
    if content == b"eyJzdWIiOi":  # a token file that was cut off is one of ours
        assert "password" in done.stderr
        return
    assert done.returncode != 0 and "not a token file" in done.stderr, done
    assert "password" not in done.stderr
    assert path.read_bytes() == content and path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.case("security-13")
@pytest.mark.parametrize("content", [b"", b"secret key"])
def test_a_hard_link_is_no_token_file(cloud, home, content):
    key, path = home / "key", home / "link"
    key.write_bytes(content)
    key.chmod(0o600)
    os.link(key, path)
    done = login_at(path, cloud.url, home)
    assert done.returncode != 0 and "hard link" in done.stderr, done
    assert key.read_bytes() == content and path.exists()


# ---- whom a service's key signs for ----

@pytest.fixture
def key(cloud, home):
    folder = home / "keys"
    folder.mkdir()
    Program(cloud.url, home).run("service create", "p/i", "station", cwd=folder)
    return next(folder.glob("*.pem"))


AUDIENCES = ["https://evil.example.com/oauth2/access_token", "https://igt-web.eu1.phsdp.com/x",
             "urn:cloud", "127.0.0.1", "", "https://127.0.0.1.example.com/", "https://127.0.0.1@e.com/"]


@pytest.mark.case("security-20")
@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_key_signs_for_no_other_place(odd, home, key, audience):
    odd.answer = lambda r: Reply(body=audience) if r.path.endswith("$aud") else None
    done = Program(odd.url, home).run("whoami", "--service-file", key, sign_in=False, status=None)
    assert done.status in (FAILED, DENIED), done
    assert "nothing was signed" in done.err and odd.count("POST", "/login") == 0


@pytest.mark.case("security-20")
def test_an_audience_is_configured(odd, home, key):
    odd.answer = lambda r: Reply(body="https://iam.example.com/t") if r.path.endswith("$aud") else None
    done = Program(odd.url, home).run("whoami", "--service-file", key, "--audience",
                                      "https://iam.example.com/t", sign_in=False, status=None)
    login = [r for r in odd.seen if r.path.endswith("/login")]
    assert login, done  # the sandbox refuses it, as it should
    claims = json.loads(decode(json.loads(login[0].body)["assertion"].split(".")[1]))
    assert claims["aud"] == ["https://iam.example.com/t"]
    assert 60 <= claims["exp"] - time.time() <= 600


@pytest.mark.case("security-20", "security-10")
@pytest.mark.parametrize("year", [2, 30, 7000])
def test_a_server_of_another_year_gets_no_lasting_assertion(odd, home, key, monkeypatch, year):
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + year * 31556952))
    monkeypatch.setattr(Handler, "date_time_string", lambda *_: date)
    Program(odd.url, home).run("whoami", "--service-file", key, sign_in=False, status=None)
    sent, = [r for r in odd.seen if r.path.endswith("/login")]
    claims = json.loads(decode(json.loads(sent.body)["assertion"].split(".")[1]))
    assert claims["exp"] - time.time() <= 600


@pytest.mark.case("security-20")
def test_a_key_signs_for_the_cloud_itself(odd, home, key):
    assert "a service" in Program(odd.url, home).run(
        "whoami", "--service-file", key, sign_in=False).text


# ---- anything but 2xx ----

@pytest.mark.case("security-15")
@pytest.mark.parametrize("status", [300, 302, 304, 305, 306, 399, 206])
def test_a_completion_that_was_not_confirmed_is_no_success(odd, igtcloud, tmp_path, status):
    folder = tmp_path / "out" / "i" / f"s{status}"
    folder.mkdir(parents=True)
    (folder / "x.txt").write_text("x")
    odd.answer = lambda r: Reply(status) if r.path.endswith("file-upload-completed") else None
    done = igtcloud.run("upload", tmp_path / "out", "p", status=None)
    assert done.status == SOME_FAILED, done
    assert f"HTTP {status}" in done.err


@pytest.mark.case("security-15")
@pytest.mark.parametrize("status", [204, 206, 300, 304])
@pytest.mark.parametrize("path", ["/login", "/projects", "/hospitals", "/studies", "/files",
                                  "/s3credentials"])
def test_a_status_without_content_is_an_error(odd, igtcloud, tmp_path, path, status):
    odd.answer = lambda r: Reply(status) if r.plain.endswith(path) else None
    done = igtcloud.run("download", tmp_path / "out", "p", status=None)
    assert done.status in (FAILED, SOME_FAILED, DENIED), done


@pytest.mark.case("security-15")
@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/json"])
def test_a_web_page_is_no_confirmation(odd, igtcloud, tmp_path, kind):
    folder = tmp_path / "out" / "i" / "page"
    folder.mkdir(parents=True)
    (folder / "x.txt").write_text("x")
    page = b"\n<!DOCTYPE html><html>Sign in to the guest network</html>"
    odd.answer = lambda r: (Reply(200, page, [("Content-Type", kind)])
                            if r.path.endswith("file-upload-completed") else None)
    done = igtcloud.run("upload", tmp_path / "out", "p", status=None)
    assert done.status == SOME_FAILED, done


@pytest.mark.case("security-15")
@pytest.mark.parametrize("status", [201, 202])
def test_other_successes_are_successes(odd, igtcloud, tmp_path, status):
    folder = tmp_path / "out" / "i" / f"fine{status}"
    folder.mkdir(parents=True)
    (folder / "x.txt").write_text("x")

    def change(request, reply):
        if request.path.endswith("file-upload-completed"):
            reply.status = status
    odd.change = change
    igtcloud.run("upload", tmp_path / "out", "p")


@pytest.mark.case("transfers-23")
def test_a_page_of_a_guest_network_does_not_end_a_login(home):
    """It responds with 403 to everything, until somebody signs in there."""
    with Sandbox(seed="demo", token_lifetime=2) as cloud, OddCloud(cloud.url) as odd:
        login = Login(odd, str(home), "--user", "demo@example.com", "--password-stdin")
        login.wait_for(b"Signed in")
        odd.answer = lambda r: Reply(403, b"<html>Welcome</html>", [("Content-Type", "text/html")])
        login.wait_for(b"retrying")
        wait_until_expired(home)
        odd.answer = lambda r: None
        assert "(token file)" in Program(odd.url, home).run("whoami", sign_in=False).text
        assert login.end() == 0
