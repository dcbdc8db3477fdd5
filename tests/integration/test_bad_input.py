# SPDX-License-Identifier: MIT
"""What a hostile server, a broken network or a full disk may do: one clear sentence, the right exit
status, nothing outside the target, nothing half written under a final name."""

import contextlib
import http.server
import os
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from igtcloud import DENIED, FAILED, SOME_FAILED, Program, ended_by, largest_size, on_windows, program, sanitized, tree
from rest_client import RestClient
from sandbox import seeded

USERS = [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}]
MIB = 1024 * 1024


def project(*institutes, **more):
    return {"users": USERS, "projects": [
        {"name": "p", "projectTypeName": "EPD", "institutes": list(institutes), **more}]}


def institute(*studies, name="i", **more):
    return {"name": name, "studies": list(studies), **more}


def study(*files, name="s", **more):
    return {"name": name, "files": list(files), **more}


GOOD = {"path": "good.txt", "text": "good"}
# Good as gold; tests add answers that are not.
SEED = project(institute(study(GOOD, {"path": "film.bin", "size": 12 * MIB})))


@pytest.fixture
def out(tmp_path):
    """Its parent is checked as well: nothing may appear beside it."""
    (tmp_path / "fence").mkdir()
    return tmp_path / "fence" / "out"


def names(out):
    """All files but the studies' descriptions, from the folder around the target on."""
    return {n for n in tree(out.parent) if not n.endswith("/study.json")}


def sentence(done):
    """The last line on standard error, which says what went wrong."""
    lines = done.err.rstrip("\n").split("\n")
    assert all(c.isprintable() for line in lines for c in line), done.err
    return done.error


# ---- names from the server ----

HOSTILE_FILES = ["../evil", "../../evil", "a/../../evil", "/tmp/igtcloud-evil", "//evil", "./evil",
                 "evil/", "evil//x", "..", ".", "a/..", "evil/" * 900 + "x"]
HOSTILE_FOLDERS = ["..", ".", "../evil", "/evil", "../../evil", "evil/../..", "e" * 256]


def stored(name):
    """Windows ignores a dot at the end of a name, so it is escaped: docs/names.md."""
    return name[:-1] + "%2E" if on_windows() and name.endswith(".") else name


@pytest.mark.parametrize("options", [[], ["--folder-structure", "hierarchical"]])
def test_hostile_file_names(tmp_path, home, out, options):
    files = [{"path": f"{i}.txt", "text": "evil", "raw": {"fileName": name}}
             for i, name in enumerate(HOSTILE_FILES)]
    with seeded(tmp_path, project(institute(study(GOOD, *files, GOOD | {"path": "z"})))) as server:
        done = Program(server.url, home).run("download", "--json", *options, out, "p",
                                             status=SOME_FAILED)
    assert names(out) == {"out/i/s/good.txt", "out/i/s/z"}
    assert not os.path.exists("/tmp/igtcloud-evil")
    failed = [i for i in done.items if i["kind"] == "file" and i["result"] == "failed"]
    assert len(failed) == len(HOSTILE_FILES)
    assert {i["status"] for i in failed} == {"IGT_E_UNSAFE_NAME"}
    assert f"{len(files)} files" in sentence(done)


@pytest.mark.parametrize("structure", ["flat", "hierarchical"])
def test_hostile_study_names(tmp_path, home, out, structure):
    studies = [study(GOOD, name=f"n{i}", raw={"studyIdHumanReadable": name})
               for i, name in enumerate(HOSTILE_FOLDERS)]
    with seeded(tmp_path, project(institute(*studies, study(GOOD, name="fine")))) as server:
        done = Program(server.url, home).run("download", "--folder-structure", structure, out, "p",
                                             status=SOME_FAILED)
    sentence(done)
    got = names(out)
    assert "out/i/fine/good.txt" in got
    # What "---" makes of a slash is a name like any other.
    named = [n.replace("/", "---") for n in HOSTILE_FOLDERS]
    assert got - {"out/i/fine/good.txt"} <= {
        f"out/i/{n if stored(n) == n else '%%' + stored(n)}/good.txt" for n in named}
    if structure == "hierarchical":
        assert got == {"out/i/fine/good.txt"}
    assert "studies FAILED" in done.err


def test_hostile_institute_names(tmp_path, home, out):
    institutes = [institute(study(GOOD), name=f"n{i}", raw={"name": name})
                  for i, name in enumerate(HOSTILE_FOLDERS)]
    with seeded(tmp_path, project(*institutes, institute(study(GOOD), name="fine"))) as server:
        done = Program(server.url, home).run("download", out, "p", status=SOME_FAILED)
    sentence(done)
    mapped = {stored(n.replace("/", "%2F")) for n in HOSTILE_FOLDERS if "/" in n}  # docs/names.md
    assert names(out) == {"out/fine/s/good.txt"} | {f"out/%%{n}/s/good.txt" for n in mapped}


@pytest.mark.parametrize("where", ["file", "study", "institute"])
def test_names_with_nul(tmp_path, home, out, where):
    """No text of the API contains one: the whole list is rejected."""
    raw = {"file": "fileName", "study": "studyIdHumanReadable", "institute": "name"}[where]
    raw, none = {"raw": {raw: "evil\0x"}}, {}
    seed = project(institute(
        study(GOOD, {"path": "x", "text": "x", **(raw if where == "file" else none)},
              **(raw if where == "study" else none)), **(raw if where == "institute" else none)))
    with seeded(tmp_path, seed) as server:
        done = Program(server.url, home).run("download", out, "p", status=None)
    assert done.status in (FAILED, SOME_FAILED) and "NUL" in done.err
    sentence(done)
    assert names(out) <= {"out/i/s/good.txt"}


def test_hostile_project_name(tmp_path, home, out):
    name = "../../evil\x1b[2J"
    seed = project(institute(study(GOOD)))
    seed["projects"][0]["raw"] = {"name": name}
    with seeded(tmp_path, seed) as server:
        done = Program(server.url, home).run("csv", out, name)
    (path,) = tree(out.parent)
    assert path.startswith("out/cloud_") and path.count("/") == 1 and "\x1b" not in path
    assert "\x1b" not in done.err


def test_names_that_collide(tmp_path, home, out):
    files = [GOOD, {"path": "1", "text": "two", "raw": {"fileName": "good.txt"}},
             {"path": "study.json", "text": "evil"}, {"path": "d", "text": "file"},
             {"path": "2", "text": "x", "raw": {"fileName": "d/below"}}]
    studies = [study(*files), study(GOOD, name="t", raw={"studyIdHumanReadable": "s"})]
    with seeded(tmp_path, project(institute(*studies))) as server:
        done = Program(server.url, home).run("download", "--json", out, "p", status=SOME_FAILED)
    got = tree(out)
    assert got["i/s/good.txt"] == b"good" and b"evil" not in got["i/s/study.json"]
    assert done.summary["filesFailed"] == 2 and done.summary["studiesFailed"] == 1
    # good.txt, and d or d/below; good.txt of the study of the same name, in a folder of its own
    assert len(names(out)) == 3, names(out)
    results = [i["result"] for i in done.items]
    assert results.count("failed") == 3 and results.count("ignored") == 1  # 2 files, their study


# ---- what is in the target already ----

@pytest.mark.parametrize("where", ["out/i", "out/i/s", "out/i/s/good.txt"])
def test_links_are_not_followed(igtcloud, out, where):
    outside = out.parent.parent / "outside"
    outside.mkdir()
    (outside / "good.txt").write_text("mine")
    link = out.parent / where
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "good.txt" if where.endswith("txt") else outside)
    done = igtcloud.run("download", out, "p", status=None)
    assert tree(outside) == {"good.txt": b"mine"}
    if where.endswith("txt"):  # the link itself may be replaced
        assert done.status in (0, SOME_FAILED)
    else:
        assert done.status == SOME_FAILED and "link" in done.err


def test_target_is_reached_by_a_link(igtcloud, out, tmp_path):
    (tmp_path / "real").mkdir()
    out.symlink_to(tmp_path / "real")
    igtcloud.run("download", out, "p")
    assert "i/s/good.txt" in tree(tmp_path / "real")


def test_folders_and_files_in_the_way(igtcloud, out):
    (out / "i" / "s" / "good.txt").mkdir(parents=True)
    done = igtcloud.run("download", out, "p", status=SOME_FAILED)
    assert "good.txt" in done.err and names(out) == {"out/i/s/film.bin"}
    (out / "file").write_text("x")
    done = igtcloud.run("download", out / "file", "p", status=FAILED)
    assert str(out / "file") in sentence(done)


# ---- JSON ----

PROJECTS, HOSPITALS = "/api/data/projects", "/api/data/projects/*/hospitals"
STUDIES, FILES = "/api/data/hospitals/*/studies", "/api/data/hospitals/*/studies/*/files"
CREDENTIALS = "/api/auth/s3credentials"


@pytest.mark.parametrize("path", [PROJECTS, HOSPITALS, STUDIES, FILES, CREDENTIALS,
                                  "/api/auth/login"])
@pytest.mark.parametrize("body, cut", [
    ('[{"id": "x", "na', False), ('[{"id": "x", "na', True), ("", False), ("<html>busy</html>", False),
    ('"text"', False), ("[[[", False), ("[1, 2]", False), ("null", False),
    ('{"a": 1} {"b": 2}', False), ('[{"id": 5, "name": [], "files": 7}]', False),
    ('{"files": {"a": 1}, "policyCredentials": "no"}', False), ("[" * 100000, False)])
def test_wrong_json(igtcloud, out, canned, path, body, cut):
    canned({"path": path, "body": body, "cut": cut})
    done = igtcloud.run("download", "--retries", "0", out, "p", status=None, timeout=30)
    assert names(out) == set()
    assert done.status in (FAILED, SOME_FAILED, DENIED, 5), done
    sentence(done)


@pytest.mark.parametrize("member, value", [
    ("fileSize", "1"), ("fileSize", -1), ("fileSize", 1e300), ("fileSize", None), ("fileSize", 1.5),
    ("key", 5), ("key", None), ("key", ""), ("fileName", {"a": 1}), ("isCompleted", "maybe"),
    ("type", 7)])
def test_file_members_of_a_wrong_type(tmp_path, home, out, member, value):
    files = [{"path": "bad.txt", "text": "bad!", "raw": {member: value}}, GOOD]
    with seeded(tmp_path, project(institute(study(*files)))) as server:
        done = Program(server.url, home).run("download", out, "p", status=None)
    sentence_or_fine = done.status == 0 or sentence(done)
    assert sentence_or_fine and done.status in (0, SOME_FAILED), done
    assert not [n for n in names(out) if n not in ("out/i/s/good.txt", "out/i/s/bad.txt")]


@pytest.mark.parametrize("member, value", [
    ("studyDatabaseId", None), ("studyDatabaseId", 5), ("studyDatabaseId", "../../projects"),
    ("s3Prefix", None), ("s3Prefix", 7), ("studyType", "Unheard"), ("studyType", 3),
    ("datetime", "never"), ("datetime", 5), ("procedureTypes", "x"), ("age", {})])
@pytest.mark.parametrize("command", ["download", "csv"])
def test_study_members_of_a_wrong_type(tmp_path, home, out, member, value, command):
    """At worst the list that contains it is rejected; other institutes continue."""
    bad = institute(study(GOOD, name="bad", raw={member: value}))
    with seeded(tmp_path, project(bad, institute(study(GOOD), name="fine"))) as server:
        done = Program(server.url, home).run(command, out, "p", status=None)
    if done.status:
        assert done.status in (FAILED, SOME_FAILED) and sentence(done)
    if command == "download":
        assert done.status in (0, SOME_FAILED) and "out/fine/s/good.txt" in names(out)
    assert all(n.startswith("out/") for n in tree(out.parent))


@pytest.mark.measures
@pytest.mark.parametrize("path", [PROJECTS, STUDIES, FILES, CREDENTIALS, "/igtcloud/**"])
def test_response_of_a_gigabyte(igtcloud, home, out, canned, path):
    """An endless value: given up long before a gigabyte, and never kept in memory."""
    canned({"path": path, "status": 200 if path[1] == "a" else 400,
            "repeat": {"head": '[{"id": "' if path[1] == "a" else "<Error><Code>",
                       "text": "x" * 10000, "count": 100000, "tail": '"}]'}})
    begin = time.monotonic()
    with open(home / "err", "w+b") as shown:
        process = igtcloud.start("download", "--retries", "0", out, "p", stderr=shown,
                                 stdout=subprocess.DEVNULL)
        size = largest_size(process)
        shown.seek(0)
        err = shown.read().decode("utf-8")
    assert process.returncode in (FAILED, SOME_FAILED), err
    assert time.monotonic() - begin < 20 and err.count("\n") < 12 and len(err) < 5000
    limit = 400 if sanitized() else 120
    assert 1 < size < limit, f"{size} MiB\n{err}"
    assert names(out) == set()


# ---- sign-in and the connection ----

def test_wrong_password(cloud, home, out):
    done = Program(cloud.url, home, password="wrong").run("download", out, "p", status=DENIED)
    assert "demo@example.com" in sentence(done) or "password" in sentence(done)
    assert not out.exists() and "wrong" not in sentence(done).replace("wrong password", "")


def test_expired_token(tmp_path, home, out):
    with seeded(tmp_path, project(), token_lifetime=1) as server:
        client = RestClient(server.url).login()
        server.wait_for(lambda: client.get("/api/data/projects").status == 401)
        done = Program(server.url, home).run(
            "download", out, "p", status=DENIED, sign_in=False,
            env={"CLOUD_JWT_TOKEN": client.jwt, "CLOUD_CSRF_TOKEN": client.csrf})
    assert "CLOUD_JWT_TOKEN" in sentence(done) or "expired" in sentence(done)


def test_token_that_is_none(cloud, igtcloud, out):
    done = igtcloud.run("download", out, "p", status=DENIED, sign_in=False,
                        env={"CLOUD_JWT_TOKEN": "rubbish", "CLOUD_CSRF_TOKEN": "x"})
    assert "rubbish" not in done.err
    sentence(done)


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.dynamic
def test_without_libcurl(igtcloud, home, out, tmp_path):
    """It is loaded when the network is needed, and not before."""
    (tmp_path / "libcurl.so.4").write_bytes(b"")
    done = igtcloud.run("download", out, "p", status=FAILED, env={"LD_LIBRARY_PATH": tmp_path})
    assert "libcurl.so.4 cannot be loaded" in done.err and "libcurl4" in done.err, done
    version = subprocess.run([program(), "version"], capture_output=True, text=True, check=True,
                             env={"HOME": str(home), "LD_LIBRARY_PATH": str(tmp_path)})
    assert version.stdout.count(".") == 2 and not version.stderr


@pytest.mark.parametrize("command", ["download", "csv"])
def test_unreachable_host(home, out, command):
    url = f"http://127.0.0.1:{closed_port()}"
    done = Program(url, home).run(command, "--retries", "0", out, "p", status=FAILED)
    assert "127.0.0.1" in sentence(done) and not out.exists()


def test_unknown_host(home, out):
    done = Program("https://no-such-host.invalid", home).run("download", "--retries", "0", out, "p",
                                                             status=FAILED)
    assert "no-such-host.invalid" in sentence(done) and not out.exists()


def test_plain_http_elsewhere(home, out):
    done = Program("http://cloud.example.com", home).run("download", out, "p", status=None)
    assert done.status in (FAILED, 2) and "https" in sentence(done)


@contextlib.contextmanager
def listener(answer):
    """answer(connection) for each connection; a thread each."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


def test_server_that_says_nothing(home, out):
    def silent(connection):
        with contextlib.suppress(OSError), connection:
            while connection.recv(4096):
                pass
    with listener(silent) as url:
        begin = time.monotonic()
        done = Program(url, home).run("download", "--timeout", "0.5", "--retries", "0", out, "p",
                                      status=FAILED)
    assert time.monotonic() - begin < 10
    sentence(done)


def test_headers_without_end(home, out):
    def endless(connection):
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")
    with listener(endless) as url:
        done = Program(url, home).run("download", "--retries", "0", out, "p", status=FAILED,
                                      timeout=20)
    sentence(done)


def test_a_few_bytes_at_a_time(home, out):
    """Never silent, never done."""
    def drip(connection):
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
            while True:
                connection.sendall(b" ")
                time.sleep(0.05)
    with listener(drip) as url:
        done = Program(url, home).run("download", "--timeout", "0.2", "--retries", "0", out, "p",
                                      status=FAILED, timeout=50)
    assert "bytes a second" in done.err or "no more data" in done.err, done


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return key, cert


class Refuse(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"message": "no entry for you"}'
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def https(certificate):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    server.handle_error = lambda *_: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_untrusted_certificate(home, out, https, certificate):
    there = Program(f"https://localhost:{https}", home)
    done = there.run("download", "--retries", "0", out, "p", status=FAILED)
    assert "certificate" in sentence(done) and not out.exists()
    # Trusted, it is the server that refuses.
    done = there.run("download", "--ca-file", certificate[1], out, "p", status=DENIED)
    assert "no entry for you" in sentence(done)
    # The same certificate under another name.
    there = Program(f"https://127.0.0.1:{https}", home)
    done = there.run("download", "--retries", "0", "--ca-file", certificate[1], out, "p",
                     status=FAILED)
    assert "certificate" in sentence(done)


# ---- the store ----

def test_credentials_that_are_refused(igtcloud, out, canned):
    canned({"path": CREDENTIALS, "status": 403, "body": {"message": "services may not download"}})
    done = igtcloud.run("download", out, "p", status=None)
    assert done.status in (SOME_FAILED, DENIED) and "services may not download" in done.err
    assert names(out) == set()


def test_store_that_cuts_bodies(igtcloud, out, canned):
    canned({"method": "GET", "path": "/igtcloud/**good.txt", "body": "go", "cut": True})
    done = igtcloud.run("download", "--retries", "1", out, "p", status=SOME_FAILED)
    assert names(out) == {"out/i/s/film.bin"} and "good.txt" in done.err


# ---- disks ----

@contextlib.contextmanager
def mounted(folder, size, options="rw"):
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},{options}",
                                       "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_full_disk(igtcloud, tmp_path):
    with mounted(tmp_path / "small", "4m") as small:
        done = igtcloud.run("download", small, "p", status=None)
        assert done.status in (FAILED, SOME_FAILED)
        assert "film.bin" in done.err and "space" in done.err
        assert "i/s/film.bin" not in tree(small)
        igtcloud.run("csv", small, "p", status=0)


def test_disk_without_space(igtcloud, tmp_path):
    with mounted(tmp_path / "small", "4k") as small:
        done = igtcloud.run("csv", "--files", small, "p", status=None)
        if done.status:
            assert "space" in sentence(done) and tree(small) == {}


def test_file_size_limit(igtcloud, out):
    """Like a full disk, for users who may not mount one."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))
    process = igtcloud.start("download", "--no-journal", out, "p", preexec_fn=limit)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (FAILED, SOME_FAILED), (process.returncode, err)
    assert b"film.bin" in err and "out/i/s/film.bin" not in names(out)
    assert "out/i/s/good.txt" in names(out)


def test_read_only_target(igtcloud, tmp_path):
    with mounted(tmp_path / "fixed", "1m", "ro") as fixed:
        for command in ("download", "csv"):
            done = igtcloud.run(command, fixed / "out", "p", status=FAILED)
            assert str(fixed) in sentence(done) and "ead-only" in sentence(done)
        done = igtcloud.run("download", fixed, "p", status=None)
        assert done.status in (FAILED, SOME_FAILED) and "ead-only" in done.err


def test_folder_of_somebody_else(igtcloud, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = tmp_path / "fixed"
    folder.mkdir(mode=0o555)
    done = igtcloud.run("download", folder / "out", "p", status=FAILED)
    assert str(folder) in sentence(done)


def test_pipe_that_breaks(igtcloud, out):
    process = igtcloud.start("download", "--json", out, "p")
    process.stdout.close()
    process.communicate(timeout=30)
    assert process.returncode in (FAILED, ended_by(signal.SIGPIPE), 0)
