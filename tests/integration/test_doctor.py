# SPDX-License-Identifier: MIT
"""igtcloud doctor: each line with everything in order, then with one thing broken at a time; nothing
is left behind, nothing hangs, and a bundle has neither secrets nor names."""

import contextlib
import errno
import hashlib
import io
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import tarfile
import threading
import time

import pytest

from gateway import Authority, Gateway, Proxy
from igtcloud import FAILED, PASSWORD, USER, Program, is_private, journal_of, on_windows
from sandbox import BUCKET, Sandbox
from test_disks import injected, on

PATIENT = "DOE^JANE-4711"
SEED = {
    "users": [{"name": USER, "password": PASSWORD, "roles": ["DATA_MANAGER"]},
              {"name": "reader@example.com", "password": "demo", "roles": []}],
    "projects": [{"name": "trial", "projectTypeName": "EPD", "institutes": [
        {"name": "north", "studies": [{"name": f"{PATIENT}/CT", "files": [
            {"path": "empty.txt", "text": ""}, {"path": "scan.bin", "size": 300000}]}]}]}],
}


def doctor(program, *arguments, status=0, **options):
    """{check: (result, message, advice)}; each check once."""
    done = program.run("doctor", "--json", "--timeout", "5", *arguments, status=status, **options)
    found = {line["check"]: (line["result"], line["message"], line["advice"]) for line in done.lines}
    assert len(found) == len(done.lines), done
    assert all(advice or result in ("ok", "skipped") or check == "sign-in"
               for check, (result, _, advice) in found.items()), done
    return found


@pytest.mark.smoke
def test_all_in_order(cloud, igtcloud, here):
    found = doctor(igtcloud, "--target", here, "trial")
    assert {result for result, _, _ in found.values()} == {"ok"}, found
    assert list(found) == ["version", "configuration", "token file", "keyring", "proxy", "dns", "tcp", "tls",
                           "http", "clock", "sign-in", "roles", "store", "download", "upload",
                           "disk space", "file system", "journal"]
    assert found["store"][1].startswith(cloud.url) and "region" in found["store"][1]
    assert "293.0 KiB in" in found["download"][1] and "MiB/s" in found["upload"][1]
    # Nothing is left, here or there.
    assert os.listdir(here) == [] and not journal_of(igtcloud.home).exists()
    s3 = cloud.boto3()
    assert not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    assert not [o for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"] if "doctor" in o["Key"]]


def test_text_for_people(igtcloud, here):
    done = igtcloud.run("doctor", "--target", here)
    lines = done.text.splitlines()
    assert lines[-1] == "0 errors, 0 warnings" and lines[0].startswith("ok       version         igtcloud ")
    assert any(line.startswith("skipped  store") for line in lines)
    done = igtcloud.run("doctor", "--quiet", "--target", here / "missing", status=FAILED)
    assert len(done.text.splitlines()) == 2 and done.text.startswith("error    target")


def test_unknown_name(home):
    found = doctor(Program("https://nowhere.invalid", home), status=FAILED)
    assert found["dns"][0] == "error" and "nowhere.invalid" in found["dns"][1]
    assert found["sign-in"][0] == "skipped" and "tcp" not in found and found["journal"][0] == "ok"


def test_closed_port(home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # without listen: nobody else gets it, and it refuses
        port = taken.getsockname()[1]
        found = doctor(Program(f"http://127.0.0.1:{port}", home), status=FAILED)
    assert found["dns"][0] == "ok" and found["tcp"][0] == "error" and "firewall" in found["tcp"][2]


@contextlib.contextmanager
def silent_server():
    """Accepts, and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = []
        def accept():
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept())
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for connection, _ in taken:
            connection.close()


def test_a_server_that_says_nothing(home):
    """Neither to a request nor to a handshake."""
    with silent_server() as port:
        found = doctor(Program(f"http://127.0.0.1:{port}", home), "--timeout", "1", status=FAILED)
        assert found["tcp"][0] == "ok" and found["http"][0] == "error", found
        found = doctor(Program(f"https://127.0.0.1:{port}", home), "--timeout", "1", status=FAILED)
        assert found["tcp"][0] == "ok" and found["tls"][0] == "error", found


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


def test_an_untrusted_certificate_is_explained(cloud, home, authority, tmp_path_factory):
    stranger = Authority(tmp_path_factory.mktemp("tls"), "Hospital Inspection")
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        found = doctor(Program(gateway.url, home), "--ca-file", authority.file)
        assert "issued by CN = test authority" in found["tls"][1]
        assert f"{authority.file}, --ca-file" in found["tls"][1]
    with Gateway(cloud.url, authority.issue("localhost", days=(-1, 3))) as gateway:
        found = doctor(Program(gateway.url, home), "--ca-file", authority.file)
        assert found["tls"][0] == "warning" and "expires on" in found["tls"][1]
    with Gateway(cloud.url, stranger.issue("localhost")) as gateway:
        found = doctor(Program(gateway.url, home), "--ca-file", authority.file, status=FAILED)
        assert found["tls"][0] == "error" and "CN = Hospital Inspection" in found["tls"][1], found
        assert gateway.seen == []  # the names were read, and nothing was sent


def test_the_proxy_is_examined(cloud, home):
    program = Program(cloud.url, home)
    with Proxy(credentials="me:hush-hush") as proxy:
        found = doctor(program, "--proxy", proxy.url_of("me", "hush-hush"))
        assert found["proxy"][1] == f"127.0.0.1:{proxy.port}, from --proxy"
        config = home / "proxy.config"
        config.write_text(f"[default]\nproxy = {proxy.url_of('me', 'hush-hush')}\n", encoding="utf-8")
        found = doctor(program, "--config", config)
        assert found["proxy"][1] == f"127.0.0.1:{proxy.port}, from the key proxy of the configuration file"
        found = doctor(program, env={"IGTCLOUD_PROXY": proxy.url_of("me", "hush-hush")})
        assert found["proxy"][1] == f"127.0.0.1:{proxy.port}, from IGTCLOUD_PROXY"
    found = doctor(program, env={"http_proxy": "http://me:hush-hush@localhost:9"}, status=FAILED)
    assert found["proxy"][0] == "error" and "localhost:9" in found["proxy"][1]
    assert "hush" not in str(found)


@pytest.mark.parametrize("ahead, result, side", [(120, "warning", "behind"), (-3600, "error", "ahead of")])
def test_a_wrong_clock_is_reported(home, ahead, result, side):
    with Sandbox(seed="demo", extra=["--clock", ahead]) as sandbox:
        found = doctor(Program(sandbox.url, home), status=None)
    assert found["clock"][0] == result and f" s {side} the server's" in found["clock"][1]
    assert abs(int(found["clock"][1].split(" is ")[1].split()[0]) - abs(ahead)) < 30


def test_wrong_passwords_and_missing_roles_are_reported(cloud, home):
    found = doctor(Program(cloud.url, home, password="other"), status=FAILED)
    assert found["sign-in"][0] == "error" and "roles" not in found
    found = doctor(Program(cloud.url, home), sign_in=False, status=FAILED)
    assert found["sign-in"][0] == "error" and "igtcloud login" in found["sign-in"][2]
    found = doctor(Program(cloud.url, home, user="reader@example.com"))
    assert found["roles"][0] == "warning"


def test_service_key(cloud, home):
    program = Program(cloud.url, home)
    with Sandbox(seed="demo") as sandbox:
        key = shutil.copy(next(sandbox.data.glob("*.pem")), home / "upload-station@demo.pem")
        os.chmod(key, 0o600)
        program = Program(sandbox.url, home)
        found = doctor(program, "--service-file", key, "demo", sign_in=False, status=None)
        assert "(a service)" in found["sign-in"][1] and found["store"][0] == "skipped", found
        assert found["upload"][0] in ("ok", "skipped") and "download" not in found
    with open(key, "w", encoding="ascii") as file:
        file.write("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    found = doctor(Program(cloud.url, home), "--service-file", key, sign_in=False, status=FAILED)
    assert found["sign-in"][0] == "error" and "--service-file" in found["sign-in"][2]


@pytest.mark.parametrize("days, result, said", [(-2, "error", "has expired"), (12, "warning", "expires in 12 days"),
                                                (400, "ok", "expires in 400 days")])
def test_expiry_of_a_key(cloud, home, days, result, said):
    """As `igtcloud service create` and rotate record it beside the key."""
    key = home / "station.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    os.chmod(key, 0o600)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + (days + 0.5) * 86400))
    pathlib.Path(f"{key}.info").write_text(json.dumps({"keys": [{
        "key": "sha256:" + hashlib.sha256(key.read_bytes()).hexdigest(), "serviceId": "s", "name": "n",
        "organizationId": "o", "expiresOn": when}]}))
    found = doctor(Program(cloud.url, home), "--service-file", key, sign_in=False, status=FAILED)
    assert found["key"][0] == result and said in found["key"][1], found
    os.remove(f"{key}.info")
    found = doctor(Program(cloud.url, home), "--service-file", key, sign_in=False, status=FAILED)
    assert "no record" in found["key"][1]
    os.remove(key)
    found = doctor(Program(cloud.url, home), "--service-file", key, sign_in=False, status=FAILED)
    assert found["key"][0] == "error" and "No such file" in found["key"][1], found


def test_a_store_that_fails(cloud, igtcloud):
    cloud.faults({"fault": "internal-error", "path": "*scan.bin*", "times": 0})
    found = doctor(igtcloud, "trial", status=FAILED)
    assert found["download"][0] == "error" and found["upload"][0] == "ok", found
    found = doctor(igtcloud, "no-such-project", status=FAILED)
    assert found["store"][0] == "error" and "igtcloud ls" in found["store"][2]


def test_a_login_that_hangs(cloud, igtcloud):
    cloud.faults({"fault": "silence", "seconds": 60, "path": "/api/auth/login", "times": 0})
    found = doctor(igtcloud, "--timeout", "1", "--retries", "1", status=FAILED)
    assert found["http"][0] == "ok" and found["sign-in"][0] == "error" and found["journal"][0] == "ok"


@pytest.mark.skipif(not pathlib.Path("/proc/self/task").is_dir() or on_windows(), reason="names are read from /proc")
def test_its_threads_have_names(cloud, igtcloud):
    """Those of the command line as those of the library: `top -H` and debuggers show what hangs."""
    cloud.faults({"fault": "silence", "seconds": 60, "path": "/api/auth/login", "times": 0})
    process = igtcloud.start("doctor")
    threads = pathlib.Path(f"/proc/{process.pid}/task")
    try:
        cloud.wait_for(lambda: {"igt-watch", "igt-loop"} <=
                       {name.read_text().strip() for name in threads.glob("*/comm")})
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not os.environ.get("IGTCLOUD_LONG"), reason="with IGTCLOUD_LONG")
def test_patience_has_a_limit(cloud, igtcloud):
    """Of its own, whatever the options say; a question on the terminal does not count."""
    cloud.faults({"fault": "silence", "seconds": 600, "path": "/api/auth/login", "times": 0})
    started = time.monotonic()
    found = doctor(igtcloud, "--timeout", "300", status=FAILED)
    assert 25 < time.monotonic() - started < 45
    assert "no result within 30 s" in found["sign-in"][1] and found["journal"][0] == "ok", found


def test_a_folder_that_cannot_be_written(igtcloud, tmp_path):
    for target, said in ((tmp_path / "missing", "No such file"), ("/proc/self/fd", "")):
        found = doctor(igtcloud, "--target", target, status=FAILED)
        assert found["target"][0] == "error" and said in found["target"][1]


@pytest.fixture
def journal(igtcloud, out):
    igtcloud.run("download", out, "trial")
    return journal_of(igtcloud.home)


def test_the_journal_is_examined_and_left_alone(igtcloud, journal):
    before = sorted(os.listdir(journal.parent))
    found = doctor(igtcloud)
    assert "intact; 2 files" in found["journal"][1] or "intact; 3 files" in found["journal"][1], found
    assert sorted(os.listdir(journal.parent)) == before
    os.chmod(journal, 0o644)
    assert doctor(igtcloud)["journal"][0] == "warning"
    os.chmod(journal, 0o600)
    with contextlib.closing(sqlite3.connect(journal)) as db:
        db.execute("INSERT INTO upload(origin, key, local, began) VALUES('o', 'k', 'l', 1700000000)")
        db.commit()
    found = doctor(igtcloud)
    assert found["uploads"][0] == "warning" and found["uploads"][1].startswith("1 unfinished")


def test_damaged_journal(igtcloud, journal):
    """It is reported, and left as it is."""
    with open(journal, "r+b") as file:
        for page in range(1, os.path.getsize(journal) // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 512)
    content = journal.read_bytes()
    found = doctor(igtcloud, status=FAILED)
    assert found["journal"][0] == "error" and "damaged" in found["journal"][1], found
    assert journal.read_bytes() == content


def test_token_file(igtcloud, home):
    path = home / "tokens"
    path.write_bytes(b"\0" * 20480)
    os.chmod(path, 0o644)
    found = doctor(igtcloud, status=None, env={"CLOUD_TOKEN_MMAP": path})
    assert found["token file"][0] == "error", found


SECRETS = ("hush-proxy-1", "hush-config-2", "hush-jwt-3", "hush-csrf-4", "hush-token-5", "hush-command-6", PASSWORD + "\n")


def test_the_bundle_has_no_secrets_and_no_names(cloud, igtcloud, home, out, tmp_path):
    """Secrets and names that are in everything it could read."""
    igtcloud.run("download", out, "trial")  # the journal knows patients
    config = home / "config"
    config.write_text("[default]\nproxy = http://me:hush-config-2@127.0.0.1:9\n"
                      f"user = {USER}\ninclude = *{PATIENT}*\nretries = 2\n", encoding="utf-8")
    token = home / "tokens"
    token.write_text("hush-token-5")
    cloud.faults({"fault": "internal-error", "path": "*scan.bin*", "times": 0})
    bundle = tmp_path / "bundle.tar"
    done = igtcloud.run("doctor", "--bundle", bundle, "--proxy", "none", "--target", out, "trial",
                        status=FAILED, env={
                            "IGTCLOUD_CONFIG": config, "CLOUD_TOKEN_MMAP": token,
                            "https_proxy": "http://me:hush-proxy-1@127.0.0.1:9",
                            "CLOUD_JWT_TOKEN": "hush-jwt-3"})
    assert "look through it" in done.err and "scan.bin" in done.text
    assert is_private(bundle)
    with tarfile.open(bundle) as tar:
        texts = {m.name.split("/")[1]: tar.extractfile(m).read().decode() for m in tar}
    assert sorted(texts) == ["configuration.txt", "doctor.json", "doctor.txt", "environment.txt", "system.txt"]
    everything = "\n".join(texts.values())
    for secret in (*SECRETS, PATIENT, "DOE", "JANE", "scan.bin", USER, str(home), "trial"):
        assert secret not in everything, (secret, everything)
    assert "retries = 2" in texts["configuration.txt"] and "include = (set)" in texts["configuration.txt"]
    assert "CLOUD_JWT_TOKEN = (set)" in texts["environment.txt"]
    assert "https_proxy = http://(hidden)@127.0.0.1:9" in texts["environment.txt"]
    rows = [json.loads(line) for line in texts["doctor.json"].splitlines()]
    assert [row["check"] for row in rows if row["result"] == "error"] == ["token file", "download"]
    assert "HTTP status 500" in next(row["message"] for row in rows if row["check"] == "download")
    listed = subprocess.run(["tar", "tvf", bundle], capture_output=True, text=True, check=True).stdout
    assert listed.count("-rw-------") == 5
    # An existing file is another's.
    before = bundle.read_bytes()
    done = igtcloud.run("doctor", "--bundle", bundle, status=FAILED)
    assert "File exists; name another file" in done.err and bundle.read_bytes() == before
    assert done.out == b""  # no check has run


def test_a_bundle_on_standard_output(igtcloud, tmp_path):
    done = igtcloud.run("doctor", "--bundle", "-", "--target", tmp_path, status=None)
    assert "version" in done.err and "igtcloud" in done.err
    with tarfile.open(fileobj=io.BytesIO(done.out)) as tar:
        assert sorted(m.name.split("/")[1] for m in tar)[1:3] == ["doctor.json", "doctor.txt"]


@pytest.mark.skipif(not os.environ.get("IGTCLOUD_LONG"), reason="with IGTCLOUD_LONG")
def test_full_and_read_only_disks_are_reported(igtcloud, tmp_path):
    """A full one, and one that is mounted read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place],
                                      capture_output=True).returncode:
        pytest.skip("this machine cannot mount")
    try:
        with contextlib.suppress(OSError), open(place / "filler", "wb") as file:
            file.write(b"x" * 100000)
        found = doctor(igtcloud, "--target", place, status=FAILED)
        assert found["target"][0] == "error" and "space" in found["target"][1], found
        assert found["disk space"][0] == "warning" and os.listdir(place) == ["filler"]
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        found = doctor(igtcloud, "--target", place, status=FAILED)
        assert found["target"][0] == "error" and "read-only" in found["target"][2].lower(), found
    finally:
        subprocess.run(["umount", place], check=True)


def members_of(bundle):
    with tarfile.open(bundle) as tar:
        return {m.name.split("/")[1]: tar.extractfile(m).read().decode() for m in tar}


@pytest.mark.parametrize("base", ["home", "elsewhere"])
def test_a_bundle_has_no_paths_that_the_user_gave(igtcloud, home, tmp_path, base):
    """They are named for patients; also where a text is cut off, or escaped."""
    folder = (home if base == "home" else tmp_path) / ("Mustermann-Hans 'ü'" if on_windows() else 'Mustermann-Hans "ü"')
    for name in ("state", "tmp"):
        (folder / name).mkdir(parents=True)
    deep = "/".join([str(folder)] + ["Mustermann" * 20] * 8)  # longer than a line of the doctor's
    for number, target in enumerate((f"{folder}/", folder / "missing", deep, "Mustermann")):
        bundle = tmp_path / f"bundle{number}.tar"
        igtcloud.run("doctor", "--target", target, "--journal", folder / "hans.db", "--bundle", bundle,
                     status=None, cwd=folder, env={"TMPDIR": folder / "tmp", "XDG_STATE_HOME": folder / "state"})
        texts = members_of(bundle)
        for word in ("Mustermann", "Hans", "hans"):
            assert word not in "".join(texts.values()), texts
        shown = "left out" if target == deep else "the target folder"
        temporary = "the current folder/tmp/" if on_windows() else "TMPDIR/"  # wine's has no drive
        for said in (shown, "(the journal)", temporary):
            assert said in texts["doctor.txt"] and said in texts["doctor.json"], texts


def test_a_bundle_has_no_names_of_windows(igtcloud, tmp_path):
    """Its paths are written in either case, with either separator."""
    bundle = tmp_path / "bundle.tar"
    igtcloud.run("doctor", "--bundle", bundle, status=None, env={
        "USERPROFILE": r"C:\Users\Hans", "TEMP": r"D:\Hans\Temp", "USERNAME": "HMuster",
        "SSL_CERT_DIR": r"c:/users/hans/certs;D:\hans\temp\x;E:\HMuster"})
    assert r"SSL_CERT_DIR = ~/certs;TEMP\x;E:\(login)" in members_of(bundle)["environment.txt"]


def test_profiles_in_a_bundle_are_numbered(igtcloud, tmp_path):
    config = tmp_path / "config"
    config.write_text("[default]\nretries = 2\ntimeout = 9\n[hans]\nretries = 3\n[default]\nconnections = 4\n",
                      encoding="utf-8")
    bundle = tmp_path / "bundle.tar"
    igtcloud.run("doctor", "--config", config, "--bundle", bundle)
    lines = members_of(bundle)["configuration.txt"].splitlines()
    assert lines[0] == "# the configuration file"
    assert [line for line in lines if line[0] == "["] == ["[profile 1]", "[profile 2]", "[profile 1]"]


def test_a_mistake_in_the_configuration(cloud, igtcloud, home, here):
    """It is a line, with all others of its kind, and what needs the setting is skipped."""
    config = home / "slip.config"
    config.write_text(f"[default]\ndomain = {cloud.url}\nusr = {PATIENT}\nretries = many\n", encoding="utf-8")
    bundle = home / "bundle.tar"
    done = igtcloud.run("doctor", "--json", "--config", config, "--target", here, "--bundle", bundle,
                        env={"IGTCLOUD_CONECTIONS": "3"}, status=FAILED)
    shown = [line for line in done.lines if line["check"] == "configuration"]
    assert "slip.config" not in done.err and [line["result"] for line in shown] == ["error"] * 3
    assert "did you mean 'IGTCLOUD_CONNECTIONS'?" in shown[0]["message"]
    assert "line 3: unknown key 'usr'; did you mean 'user'?" in shown[1]["message"]
    assert "line 4: retries = 'many' must be" in shown[2]["message"] and all(line["advice"] for line in shown)
    others = {line["check"]: line["result"] for line in done.lines if line["check"] != "configuration"}
    assert others["tls"] == others["file system"] == others["journal"] == "ok"
    assert others["sign-in"] == "skipped" and "roles" not in others
    assert b"'many'" not in bundle.read_bytes() and b"a setting cannot be used" in bundle.read_bytes()


@pytest.mark.parametrize("text", ["[default]\nnonsense\n", "[other]\ndomain = nowhere.invalid\n"])
def test_a_configuration_that_cannot_be_read(home, here, text):
    """Without --domain the cloud is not known, and no other one is asked."""
    config = home / "slip.config"
    config.write_text(text, encoding="utf-8")
    done = Program(None, home).run("doctor", "--json", "--config", config, "--profile", "lab", "--target", here,
                                   sign_in=False, status=FAILED)
    found = {line["check"]: line["result"] for line in done.lines}
    assert done.err == "" and found["configuration"] == "error" and found["sign-in"] == "skipped"
    assert found["journal"] == "ok" and "dns" not in found


def test_an_empty_domain_is_a_line(home, here):
    done = Program(None, home).run("doctor", "--json", "--target", here, env={"CLOUD_DOMAIN": ""}, sign_in=False,
                                   status=FAILED)
    line = next(line for line in done.lines if line["check"] == "cloud")
    assert done.err == "" and line["result"] == "error" and "CLOUD_DOMAIN is set but empty" in line["message"]


def test_a_dead_proxy_on_the_cloud_s_own_host(cloud, home, here):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
        found = doctor(Program(cloud.url, home), "--proxy", proxy, "--target", here, status=FAILED)
        assert found["proxy"][0] == "error" and "no connection to the proxy" in found["proxy"][1]
        assert "tcp" not in found
        assert found["dns"][1].startswith("the proxy 127.0.0.1:")


@injected
@pytest.mark.parametrize("call", ["fsync", "close"])
def test_a_bundle_that_cannot_be_written(igtcloud, tmp_path, call):
    """Some file systems report a failed write only on close."""
    done = igtcloud.run("doctor", "--bundle", tmp_path / "bundle.tar", "--proxy", "none", status=FAILED,
                        env=on(tmp_path / "bundle.tar", (call, errno.EDQUOT)))
    assert f"cannot write the bundle '{tmp_path}/bundle.tar': {os.strerror(errno.EDQUOT)}" in done.err
    assert not (tmp_path / "bundle.tar").exists()
    assert "1 error," in done.text
