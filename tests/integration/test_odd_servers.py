# SPDX-License-Identifier: MIT
"""Servers and proxies that respond as no proper one does: bombs, echoes of secrets, refusals without a
reason, joined cookies, lists that break off."""

import base64
import csv
import email.utils
import gzip
import hashlib
import io
import json
import os
import re
import threading
import time
import urllib.parse
import uuid
import zlib

import pytest

from igtcloud import DENIED, FAILED, SOME_FAILED, Program, tree
from odd_cloud import Reply
from sandbox import Sandbox

USERS = [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}]
SEED = {"users": USERS, "projects": [{"name": "p", "projectTypeName": "EPD", "institutes": [
    {"name": "i", "studies": [{"name": "s", "files": [{"path": "a.txt", "text": "a"}]}]},
    {"name": "two", "studies": [{"name": "s", "files": [{"path": "a.txt", "text": "a"},
                                                        {"path": "b.bin", "size": 9 * 1024 * 1024}]}]},
    {"name": "many", "generate": {"studies": 300, "files": 1, "size": 10}}]},
    {"name": "empty", "projectTypeName": "EPD", "institutes": [{"name": "i"}]}]}
MIB = 1024 * 1024


@pytest.fixture
def igtcloud(odd, home):
    return Program(odd.url, home)


# ---- bombs ----

def bomb(size):
    """Gzip of blanks, and the list's end."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as f:
        f.write(b"[")
        for _ in range(size // MIB):
            f.write(b" " * MIB)
        f.write(b"]")
    return packed.getvalue()


def spool_watch(pid, seen, stop):
    """The largest size of an unlinked file that the process has open."""
    while not stop.wait(0.005):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                path = f"/proc/{pid}/fd/{fd}"
                if "(deleted)" in os.readlink(path):
                    seen.append(os.stat(path).st_size)
        except OSError:
            pass


@pytest.mark.measures
@pytest.mark.case("security-14")
def test_a_list_that_unpacks_to_gigabytes_does_not_fill_tmpdir(odd, igtcloud):
    packed = bomb(280 * MIB)
    odd.answer = lambda r: (Reply(200, packed, [("Content-Encoding", "gzip")])
                            if r.plain.endswith("/studies") else None)
    process = igtcloud.start("ls", "p/i")
    seen, stop = [0], threading.Event()
    watch = threading.Thread(target=spool_watch, args=(process.pid, seen, stop))
    watch.start()
    process.communicate(timeout=300)
    stop.set()
    watch.join()
    assert max(seen) <= 256 * MIB


@pytest.mark.case("security-14")
@pytest.mark.parametrize("path", ["/login", "/s3credentials"])
def test_a_bomb_in_place_of_a_short_response(odd, igtcloud, tmp_path, path):
    packed = bomb(80 * MIB)
    odd.answer = lambda r: (Reply(200, packed, [("Content-Encoding", "gzip")])
                            if r.plain.endswith(path) else None)
    done = igtcloud.run("download", tmp_path / "out", "p", "i", status=None)
    assert done.status in (FAILED, SOME_FAILED, DENIED) and "out of memory" not in done.err


@pytest.mark.parametrize("encoding, spoil", [
    ("gzip", lambda b: gzip.compress(b)[:-9]), ("gzip", lambda b: b"\x1f\x8b junk"),
    ("deflate", lambda b: zlib.compress(b)[:-3]), ("br", lambda b: b), ("gzip", lambda b: b)],
    ids=["cut", "junk", "deflate-cut", "unknown", "not-packed"])
def test_a_damaged_encoding_is_an_error(odd, igtcloud, encoding, spoil):
    def change(request, reply):
        if request.plain.endswith("/studies"):
            reply.body = spoil(reply.body)
            reply.headers.append(("Content-Encoding", encoding))
    odd.change = change
    done = igtcloud.run("ls", "p/i", "--retries", 1, status=None)
    assert done.status in (FAILED, SOME_FAILED) or "s" in done.text.split(), done


# ---- secrets ----

def parts(secret):
    yield "from the 11th", secret[10:]
    yield "16 of it", secret[20:36]
    yield "in base64", base64.b64encode(b"x" + secret.encode()).decode()
    yield "in base64url", base64.urlsafe_b64encode(b"xy" + secret.encode()).decode()
    yield "percent", "".join(f"%{ord(c):02x}" for c in secret[5:60])
    yield "quoted", urllib.parse.quote(f'"{secret}"')


def shown(text, secret, n=16):
    pieces = [secret, base64.b64encode(secret.encode()).decode()]
    return [p[i:i + n] for p in pieces for i in range(len(p) - n + 1) if p[i:i + n] in text]


@pytest.mark.case("security-16")
@pytest.mark.parametrize("status", [400, 403, 500])
@pytest.mark.parametrize("n", range(6))
def test_a_server_that_repeats_a_token(odd, igtcloud, home, n, status):
    secrets = []

    def answer(request):
        if not request.plain.endswith("/projects"):
            return None
        secrets.append(request.headers["X-JWT"])
        return Reply(status, {"message": f"no: {list(parts(secrets[0]))[n][1]} is not known"})
    odd.answer = answer
    done = igtcloud.run("ls", "--debug", "--retries", 0, "--log-file", home / "log", status=None)
    assert secrets and done.status != 0
    assert "(hidden)" in done.err
    text = done.err + done.text + (home / "log").read_text()
    assert not shown(text, secrets[0]), text


@pytest.mark.case("security-16")
def test_a_server_that_repeats_what_is_inside_of_a_token(odd, igtcloud):
    inside = []

    def answer(request):
        if not request.plain.endswith("/projects"):
            return None
        claims = json.loads(base64.urlsafe_b64decode(request.headers["X-JWT"].split(".")[1] + "=="))
        inside.append(claims["refresh_token"])
        return Reply(400, {"message": f"the session {inside[0]} and {inside[0][3:25]}"})
    odd.answer = answer
    done = igtcloud.run("ls", status=None)
    assert inside and "(hidden)" in done.err and not shown(done.err, inside[0])


@pytest.mark.case("security-16")
def test_a_server_that_repeats_a_long_password(odd, home):
    password = "correct horse battery staple"
    odd.answer = lambda r: Reply(400, {"message": f"not {password[4:24]}"}) \
        if r.plain.endswith("/login") else None
    done = Program(odd.url, home, password=password).run("ls", status=DENIED)
    assert "(hidden)" in done.err and "battery" not in done.err


PASSWORDS = ["hunt3r!x", 'q"u\\o7', "tab\there"]


@pytest.mark.case("security-16")
@pytest.mark.parametrize("status", [400, 401, 500])
@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("command", ["login", "study submit", "upload"])
def test_a_server_that_repeats_a_short_password(odd, home, tmp_path, status, password, command):
    """Of whatever request it was in, in errors and in the log of retries."""
    echoed = []

    def answer(request):
        if request.method == "POST" and request.plain.endswith(
                "/login" if command == "login" else "electronic-record-state"):
            sent = request.body.decode()
            echoed.append(sent)
            return Reply(status, {"message": f"{password} is wrong: {sent}"})
        return None
    odd.answer = answer
    typed = password if command == "login" else f"demo\n{password}"
    igtcloud = Program(odd.url, home, password=typed)
    debug = ["--debug", "--retries", 1, "--log-file", home / "log"]
    if command == "upload":
        (tmp_path / "up/i/s").mkdir(parents=True)
        (tmp_path / "up/i/s/a.txt").write_text("a")
        os.utime(tmp_path / "up/i/s/a.txt", (10**9, 10**9))
        done = igtcloud.run("upload", *debug, "--submit", tmp_path / "up", "p", status=None)
    elif command == "login":
        done = igtcloud.run("ls", *debug, status=None)
    else:
        done = igtcloud.run("study submit", *debug, "igt:p/i/s", status=None)
    assert echoed and "password" in echoed[0] and done.status != 0, done
    text = done.err + done.text + (home / "log").read_text()
    for form in (password, json.dumps(password)[1:-1], password.replace("\t", "?")):
        assert form not in text, done


# ---- names that are too long for everything ----

LONG = "N" * 70000


def with_long(member):
    """A list of studies or files gets one more, whose member is longer than a key, a name or a URL."""
    def change(request, reply):
        if request.method != "GET" or reply.status != 200:
            return
        if request.plain.endswith("/studies"):
            studies = reply.json
            more = {**studies[0], "studyDatabaseId": "long", "name": "long", "studyIdHumanReadable": "long",
                    "s3Prefix": "long/"}
            more.update({"name": LONG, "studyIdHumanReadable": LONG} if member == "name" else
                        {"patient": {"patientId": LONG, "patientName": LONG}, "studyId": LONG,
                         "studyType": "Study"} if member == "patient" else {member: LONG})
            reply.json = [more, *studies] if member in ("s3Prefix", "name", "patient", "studyDatabaseId") else studies
        elif request.plain.endswith("/studies/long/files"):
            reply.status, reply.body = 200, b'{"files":[]}'
        elif request.plain.endswith("/files"):
            files = reply.json
            more = {**files["files"][0], "fileName": LONG, "key": "k/" + LONG}
            reply.json = {**files, "files": [more, *files["files"]]} if member == "fileName" else files
    return change


@pytest.mark.case("security-9")
@pytest.mark.parametrize("member", ["s3Prefix", "name", "patient", "studyDatabaseId", "fileName"])
@pytest.mark.parametrize("command", ["download", "download --folder-structure hierarchical", "download --study *",
                                     "download --portable-names", "upload", "verify", "csv --files", "manifest",
                                     "tree", "du", "find"])
def test_one_long_name_fails_alone(cloud, odd, home, tmp_path, member, command):
    """It was taken for a lack of memory, which ends a run."""
    new = f"new-{member}"
    Program(cloud.url, home).run("download", tmp_path / "there", "p", "i")
    (tmp_path / "there/i/s" / new).write_text("x")
    odd.change = with_long(member)
    name, *options = command.split()
    folder = [tmp_path / ("there" if name in ("upload", "verify") else "out")]
    place = ["p/i"] if name in ("tree", "du", "find") else ["p", "i"]
    done = Program(odd.url, home).run(name, *options, *(folder if len(place) > 1 and name != "manifest" else []),
                                      *place, status=None)
    assert "memory" not in done.err and done.status in (0, 3), done.err[-2000:]
    assert len(done.err) < 20000
    if name == "download":
        assert [n for n in tree(tmp_path / "out") if n.endswith("/a.txt")]
    if name == "verify":
        assert " identical file" in done.err
    if name == "upload":
        assert "1 study, 1 file (1 B)" in done.err


# ---- S3 refuses without a word ----

@pytest.mark.case("security-24")
@pytest.mark.parametrize("method, status", [("HEAD", 400), ("HEAD", 403), ("GET", 400), ("GET", 403)])
def test_a_refusal_without_a_word_is_tried_with_new_credentials(cloud, odd, home, tmp_path, method,
                                                                status):
    refused = []

    def answer(request):
        if request.method == method and request.plain.endswith("a.txt") and not refused:
            refused.append(request)
            return Reply(status)
        return None
    odd.answer = answer

    def change(request, reply):
        if request.plain.endswith("s3credentials"):
            reply.body = reply.body.replace(cloud.url.encode(), odd.url.encode())
    odd.change = change
    more = ["--checksum"] if method == "HEAD" else []
    igtcloud = Program(odd.url, home)
    if more:
        igtcloud.run("download", tmp_path / "out", "p", "i")
    before = odd.count("GET", "s3credentials")
    igtcloud.run("download", tmp_path / "out", "p", "i", *more)
    assert refused and odd.count("GET", "s3credentials") == before + 2


@pytest.mark.case("security-24")
def test_a_store_that_always_refuses_is_believed(cloud, odd, home, tmp_path):
    odd.answer = lambda r: Reply(403) if r.plain.endswith("a.txt") else None

    def change(request, reply):
        if request.plain.endswith("s3credentials"):
            reply.body = reply.body.replace(cloud.url.encode(), odd.url.encode())
    odd.change = change
    Program(odd.url, home).run("download", tmp_path / "out", "p", "i", status=SOME_FAILED)
    assert odd.count("GET", "s3credentials") == 2


TOO_SKEWED = b"<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>"


@pytest.mark.case("security-24")
def test_a_refusal_without_a_word_may_be_about_the_clock(cloud, odd, home, out):
    """The difference to the server's clock, learned from a GET, is no longer true when a HEAD is signed, as
    if a clock had been set in between; a HEAD cannot say RequestTimeTooSkewed."""
    seen = []

    def answer(request):
        if request.plain.endswith("a.txt"):
            seen.append(request)
            if len(seen) > 1:
                return Reply(200, b"a", [("ETag", f'"{hashlib.md5(b"a").hexdigest()}"'),
                                         ("Content-Type", "application/octet-stream")])
            date = email.utils.formatdate(time.time() + 7200, usegmt=True)
            return Reply(raw=f"HTTP/1.1 403 Forbidden\r\nDate: {date}\r\nContent-Type: application/xml\r\n"
                             f"Content-Length: {len(TOO_SKEWED)}\r\n\r\n".encode() + TOO_SKEWED)
        return Reply(503) if request.plain.endswith("b.bin") and len(seen) < 2 else None
    odd.answer = answer

    def change(request, reply):
        if request.plain.endswith("s3credentials"):
            reply.body = reply.body.replace(cloud.url.encode(), odd.url.encode())
    odd.change = change
    Program(odd.url, home).run("download", "--retries", 20, out, "p", "two")
    assert os.path.getsize(out / "two/s/b.bin") == 9 * MIB and len(seen) == 2


# ---- cookies ----

@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("expires", ["", "; Expires=Wed, 21 Oct 2099 07:28:00 GMT"])
def test_cookies_that_a_proxy_joined(odd, igtcloud, order, expires):
    def change(request, reply):
        if request.plain.endswith("/login"):
            lines = [f"other=1{expires}; Path=/", *(c + expires for c in reply.get("Set-Cookie"))]
            reply.drop("Set-Cookie").headers.append(
                ("Set-Cookie", ", ".join(lines[::-1] if order else lines)))
    odd.change = change
    assert "s" in igtcloud.run("ls", "p/i").text


# ---- lists that break off ----

def test_a_list_that_goes_on_is_no_failed_attempt(odd, igtcloud):
    """Cut six times, a bit further each time, with two retries."""
    cuts = iter([2000, 20000, 40000, 60000, 80000, 100000])

    def change(request, reply):
        if request.plain.endswith("/studies"):
            cut = next(cuts, None)
            if cut:
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                return Reply(raw=head + b"%d\r\n\r\n" % len(reply.body) + reply.body[:cut])
        return None
    odd.change = change
    done = igtcloud.run("ls", "p/many", "--retries", 2)
    assert len(done.text.splitlines()) == 300


def test_a_list_that_does_not_go_on_says_so(odd, igtcloud):
    """Not even the list of ids, which is requested when the whole one breaks off, fits."""
    def change(request, reply):
        if request.plain.endswith("/studies"):
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            return Reply(raw=head + b"%d\r\n\r\n" % len(reply.body) + reply.body[:2000])
        return None
    odd.change = change
    done = igtcloud.run("ls", "p/many", "--retries", 2, status=FAILED)
    assert "without progress" in done.err, done


# ---- a study that is listed twice ----

def listed_twice(request, reply):
    if request.method == "GET" and request.plain.endswith("/studies"):
        reply.json = [*reply.json, reply.json[0]]


def test_a_study_that_is_listed_twice_is_downloaded_once(odd, igtcloud, tmp_path):
    odd.change = listed_twice
    done = igtcloud.run("download", "--json", tmp_path / "out", "p", "i")
    assert "more than once" in done.err
    keys = [i["key"] for i in done.items if i["kind"] == "file"]
    assert done.summary["studies"] == 1 and keys and len(keys) == len(set(keys))
    assert [p.name for p in (tmp_path / "out/i").iterdir()] == ["s"]


def test_a_study_that_is_listed_twice_has_one_row(odd, igtcloud):
    odd.change = listed_twice
    done = igtcloud.run("csv", "-", "p", "i")
    assert len(list(csv.DictReader(io.StringIO(done.text)))) == 1 and "more than once" in done.err


@pytest.mark.parametrize("field, value", [("studyIdHumanReadable", "another"), ("s3Prefix", "another/"),
                                          ("patient", {"patientId": "another"})])
@pytest.mark.parametrize("first", [True, False])
def test_different_studies_with_one_id(odd, igtcloud, tmp_path, field, value, first):
    """Neither is right: the files that the id has may be of either. The others are as usual."""
    def change(request, reply):
        if request.method == "GET" and request.plain.endswith("/studies"):
            other = dict(reply.json[0], **{field: value})
            reply.json = [other, *reply.json] if first else [*reply.json, other]
    odd.change = change
    for status, *command in ((SOME_FAILED, "download", tmp_path / "out", "p", "i"), (FAILED, "csv", "-", "p", "i"),
                             (FAILED, "manifest", "p", "i")):
        done = igtcloud.run(*command, status=status)
        assert "different studies with the id" in done.err, done.err


def test_a_study_of_another_institute_in_the_list(odd, igtcloud, tmp_path):
    """It is not filed under this one; what else the list has is as usual."""
    def change(request, reply):
        if request.method == "GET" and request.plain.endswith("/studies"):
            reply.json = [dict(reply.json[0], studyDatabaseId=str(uuid.uuid4()), instituteId=str(uuid.uuid4()),
                               studyIdHumanReadable="stray", s3Prefix="stray/"), *reply.json]
    odd.change = change
    made = tmp_path / "in"
    (made / "i/new").mkdir(parents=True)
    (made / "i/new/a.txt").write_text("a")
    for status, *command in ((SOME_FAILED, "download", tmp_path / "out", "p", "i"), (FAILED, "csv", "-", "p", "i"),
                             (FAILED, "manifest", "p", "i"), (SOME_FAILED, "upload", made, "p", "i"),
                             (None, "verify", tmp_path / "out", "p", "i")):
        done = igtcloud.run(*command, status=status)
        assert done.status and "a study of another institute: 'stray'" in done.err, done.err
    assert [p.name for p in (tmp_path / "out/i").iterdir()] == ["s"]


@pytest.mark.parametrize("respond", [
    lambda kept: {"files": kept}, lambda kept: {}, lambda kept: {"files": None}, lambda kept: {"files": []}])
def test_a_file_that_is_not_registered(odd, igtcloud, tmp_path, respond):
    """Although the status is 200. Stored, it would never be listed."""
    made, name = tmp_path / "in", f"new{uuid.uuid4()}"
    for file in "abcdefg":
        (made / "i" / name).mkdir(parents=True, exist_ok=True)
        (made / "i" / name / f"{file}.txt").write_text(file)

    def answer(request):
        if request.method != "POST" or not request.plain.endswith("/files"):
            return None
        kept = [f for f in json.loads(request.body) if not f["key"].endswith("/e.txt")]
        request.body = json.dumps(kept).encode()
        request.headers.replace_header("Content-Length", str(len(request.body)))
        return None if kept else Reply(200, respond([]))

    def change(request, reply):
        if request.method == "POST" and request.plain.endswith("/files") and reply.status == 200:
            reply.json = respond(reply.json["files"])
    odd.answer, odd.change = answer, change
    done = igtcloud.run("upload", "--json", made, "empty", "i", status=SOME_FAILED)
    failed = [i for i in done.items if i["kind"] == "file" and i["result"] == "failed"]
    assert [i["key"].rpartition("/")[2] for i in failed] == ["e.txt"] and "does not list it" in str(failed)
    assert len([i for i in done.items if i["kind"] == "file"]) == 7


@pytest.mark.parametrize("where", ["p/i/s/files", "p/files"])
def test_a_file_that_cp_cannot_register(odd, igtcloud, tmp_path, where):
    def answer(request):
        return Reply(200, {"files": []}) if request.method == "POST" and request.plain.endswith("/files") else None
    odd.answer = answer
    (tmp_path / "new.txt").write_text("new")
    done = igtcloud.run("cp", tmp_path / "new.txt", f"igt:{where}/new.txt", status=None)
    assert done.status and "does not list it" in done.err, done


def test_another_study_than_the_requested_one(odd, igtcloud, tmp_path):
    """The list breaks off until the studies are requested one by one."""
    def change(request, reply):
        if request.method != "GET":
            return
        if request.plain.endswith("/studies") and "x-fields" not in {n.lower() for n in request.headers}:
            reply.raw = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n%s" % (len(reply.body), reply.body[:50]))
        elif re.search("/studies/[0-9a-f-]{36}$", request.plain):
            reply.json = dict(reply.json, studyDatabaseId=str(uuid.uuid4()))
    odd.change = change
    done = igtcloud.run("csv", "-", "p", "i", status=FAILED)
    assert "responded with another study" in done.err


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("path, what", [("/projects", "projects"), ("/hospitals", "institutes")])
def test_different_parents_with_one_id(odd, igtcloud, tmp_path, path, what, first):
    """Each request for studies names the id alone: they would be filed under either."""
    def change(request, reply):
        if request.method == "GET" and request.plain.endswith(path):
            other = dict(reply.json[0], name="another")
            reply.json = [other, *reply.json] if first else [*reply.json, other]
    odd.change = change
    made = tmp_path / "in"
    for institute in ("i", "another"):
        (made / institute / "new").mkdir(parents=True)
        (made / institute / "new/a.txt").write_text("a")
    for command in (("ls", "p"), ("download", tmp_path / "out", "p"), ("download", tmp_path / "out", "p", "i"),
                    ("csv", "-", "p"), ("manifest", "p"), ("upload", made, "p"), ("verify", made, "p")):
        done = igtcloud.run(*command, status=FAILED)
        assert f"different {what} with the id" in done.err, done.err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_an_institute_that_is_listed_twice_is_downloaded_once(odd, igtcloud, tmp_path):
    def change(request, reply):
        if request.method == "GET" and request.plain.endswith(("/projects", "/hospitals")):
            reply.json = [*reply.json, reply.json[0]]
    odd.change = change
    done = igtcloud.run("download", "--json", tmp_path / "out", "p", "i")
    keys = [i["key"] for i in done.items if i["kind"] == "file"]
    assert done.summary["studies"] == 1 and keys and len(keys) == len(set(keys))
    assert "lists the institute" in done.err and "lists the project" in done.err, done.err
    assert len(igtcloud.run("ls", "p").text.splitlines()) == 3


# ---- fields that are not known ----

def test_two_fields_of_one_column_are_counted(odd, igtcloud):
    """A value that another one of its row replaces is not lost without a word."""
    def change(request, reply):
        if request.method == "GET" and request.plain.endswith("/studies"):
            reply.json = [dict(s, futureObject={"a": 1, "b": 2}, futureObjectA=own)
                          for s, own in zip(reply.json, ("own", 1))]
    odd.change = change
    done = igtcloud.run("csv", "-", "p", "many")
    assert "1 value has no column" in done.err and done.text.count("own") == 1


def test_unknown_objects_become_columns(odd, igtcloud):
    def change(request, reply):
        if request.plain.endswith("/studies"):
            study = reply.json[0]
            reply.json = [{**study, "futureObject": {"a": 1, "futureObjectId": "x", "bC": [1, "y"],
                                                     "deep": {"q": True}, "no": None},
                           "futureList": [{"a": 1}], "empty": {}}]
    odd.change = change
    done = igtcloud.run("csv", "-", "p", "i")
    row, = csv.DictReader(io.StringIO(done.text))
    assert row["futureObjectA"] == "1" and row["futureObjectId"] == "x"
    assert row["futureObjectBc"] == "1, y" and row["futureObjectDeep"] == '{"q":true}'
    assert row["futureObjectNo"] == "" and "futureObject" not in row and "empty" not in row


# ---- HTTP that is none ----

RAW = {
    "http09": b"[]\n", "nothing": b"", "half a status": b"HTTP/1.1 2", "no status": b"HTTP/1.1 \r\n\r\n",
    "flood": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100000 + b"\r\n[]",
    "long line": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 2 * MIB + b"\r\n\r\n[]",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n[]",
    "100 only": b"HTTP/1.1 100 Continue\r\n\r\n",
    "status 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n[]",
    "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n[]",
    "negative": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[]",
}


@pytest.mark.case("security-15")
@pytest.mark.parametrize("kind", RAW)
def test_no_http_is_an_error_in_time(odd, igtcloud, kind):
    odd.answer = lambda r: Reply(raw=RAW[kind]) if r.plain.endswith("/studies") else None
    begin = time.monotonic()
    done = igtcloud.run("ls", "p/i", "--retries", 0, "--timeout", 5, status=None)
    assert done.status in (FAILED, SOME_FAILED), done
    assert time.monotonic() - begin < 20


def with_length(body, *lengths):
    head = b"".join(b"Content-Length: %s\r\n" % length.encode() for length in lengths)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + b"\r\n" + body


@pytest.mark.parametrize("first, second", [("2", "{n}"), ("{n}", "2"), ("{n}, 2", None), ("2,{n}", None), ("{n} 2", None),
                                           ("{n}", "{n}, {n},2")])
def test_lengths_that_differ_are_refused(odd, igtcloud, first, second):
    """Which of them counts is a guess, for us and for a proxy in between (RFC 9110 8.6)."""
    def change(request, reply):
        if request.plain.endswith("/studies"):
            lengths = [length.format(n=len(reply.body)) for length in (first, second) if length]
            return Reply(raw=with_length(reply.body, *lengths))
        return None
    odd.change = change
    done = igtcloud.run("ls", "p/i", "--retries", 0, "--timeout", 5, status=FAILED)
    assert "Content-Length" in done.err, done


def test_equal_lengths_are_one(odd, igtcloud):
    def change(request, reply):
        if request.plain.endswith("/studies"):
            return Reply(raw=with_length(reply.body, str(len(reply.body)), str(len(reply.body))))
        return None
    odd.change = change
    assert "s" in igtcloud.run("ls", "p/i").text


def test_trailers_change_nothing(odd, igtcloud):
    def change(request, reply):
        if request.plain.endswith("/studies"):
            return Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         b"Transfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n"
                         b"%x\r\n%s\r\n0\r\nSet-Cookie: a=b\r\nContent-Type: text/html\r\n\r\n"
                         % (len(reply.body), reply.body))
        return None
    odd.change = change
    assert "s" in igtcloud.run("ls", "p/i").text


def test_a_huge_retry_after_is_bounded_by_sigterm(odd, igtcloud):
    odd.answer = lambda r: Reply(503, {"message": "busy"}, [("Retry-After", str(2**63 - 1))]) \
        if r.plain.endswith("/studies") else None
    process = igtcloud.start("ls", "p/i")
    Sandbox.wait_for(lambda: odd.count("GET", "/studies"))
    process.terminate()
    process.communicate(timeout=30)




@pytest.mark.parametrize("body", [{"message": "down for maintenance"}, {"value": []}])
@pytest.mark.parametrize("command", ["download", "upload", "verify", "csv"])
def test_a_message_is_no_study_without_files(odd, igtcloud, tmp_path, body, command):
    """Where a study's files are listed: a gateway's JSON is not an empty list."""
    odd.answer = lambda r: Reply(200, body) if r.method == "GET" and r.plain.endswith(
        "/files") else None
    (tmp_path / "i" / "s").mkdir(parents=True)
    (tmp_path / "i" / "s" / "new.txt").write_text("new")
    what = ["--files", "-"] if command == "csv" else [tmp_path]
    done = igtcloud.run(command, *what, "p", "i", status=SOME_FAILED)
    assert "an object with a list is expected" in done.err
