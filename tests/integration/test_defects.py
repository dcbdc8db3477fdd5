# SPDX-License-Identifier: MIT
"""Defects of the existing client, one test each: this one has none of them. The numbers,
and what else proves each of them: docs/peers.md."""

import base64
import csv
import datetime
import io
import json
import os
import re
import shutil
import time

import pytest

from igtcloud import DENIED, ENDED, ENDING, FAILED, NOT_FOUND, SOME_FAILED, USAGE, Program, is_private, on_windows, tree
from rest_client import RestClient
from sandbox import BUCKET, ROOT, Sandbox
from test_login import Login

MIB = 1024 * 1024
SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "services": [{"id": "station@trial"}],
    "projects": [
        {"name": "down", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": [
            {"name": "one", "datetime": "2024-05-06T07:08:09+00:00",
             "files": [{"path": "a.TXT", "text": "alpha"}, {"path": "b.bin", "size": 3000},
                       {"path": "half.bin", "text": "later", "completed": False}]},
            {"name": "two", "files": [{"path": "c.txt", "text": "gamma"}]},
            {"name": "=cmd()", "age": "61", "datetime": "2024-05-07T00:00:00+00:00"}]}]},
        {"name": "many", "projectTypeName": "EPD", "institutes": [
            {"name": "i", "generate": {"studies": 12, "files": 20, "size": 2000}}]},
        {"name": "film", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": [
            {"name": "s", "files": [{"path": "film.bin", "size": 30 * MIB}]}]}]},
        {"name": "trial", "institutes": [{"name": "ward", "studies": [
            {"class": "Study", "studyId": "S9",
             "patient": {"patientId": "P9", "patientName": "P9"}}]}]},
        {"name": "up", "projectTypeName": "EPD", "institutes": [{"name": "lab", "studies": []}]},
        {"name": "other", "projectTypeName": "EPD", "institutes": [
            {"name": "elsewhere", "studies": []}]},
    ]}


def canned(cloud, *answers):
    RestClient(cloud.url).ok("POST", "/__canned", list(answers), status=204)


def put(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def files(folder):
    return {k: v for k, v in tree(folder).items() if os.path.basename(k) != "study.json"}


def studies(cloud, project, institute):
    """Human-readable id: study."""
    client = RestClient(cloud.url).login()
    where = client.institute(institute, project)
    listed = client.ok("GET", f"/api/data/hospitals/{where['id']}/studies")
    return {s["studyIdHumanReadable"]: s for s in listed}


def names_in(cloud, project, institute, study):
    client = RestClient(cloud.url).login()
    where = client.institute(institute, project)
    study = studies(cloud, project, institute)[study]
    answer = client.ok("GET", f"/api/data/hospitals/{where['id']}/studies/"
                              f"{study['studyDatabaseId']}/files")
    return sorted(f["fileName"] for f in answer["files"])


def stored(cloud, study, name, below="files/"):
    key = study["s3Prefix"] + below + name
    return cloud.boto3().get_object(Bucket=BUCKET, Key=key)["Body"].read()


# ---- what failed must not look done ----

def test_d01_failures_have_a_status(cloud, igtcloud, out, tmp_path):
    for command in ("download", "csv", "upload", "verify"):
        igtcloud.run(command, put(tmp_path / "x", {"lab/s/f": "x"}), "no such", status=NOT_FOUND)
    canned(cloud, {"method": "GET", "path": "/igtcloud/**c.txt", "status": 404})
    done = igtcloud.run("download", "--json", out, "down", status=SOME_FAILED)
    assert done.summary["filesFailed"] == 1
    put(tmp_path / "a", {"lab/x---y/mark.json": "{"})
    igtcloud.run("upload", "--category", "annotations", tmp_path / "a", "up", status=SOME_FAILED)


def test_d02_names_stay_in_the_target(tmp_path):
    seed = json.loads(json.dumps(SEED))
    seed["projects"] = [{"name": "p", "projectTypeName": "EPD", "institutes": [
        {"name": "i", "studies": [{"name": "s", "files": [
            {"path": f"{n}", "text": "evil", "raw": {"fileName": name}} for n, name in enumerate(
                ["../evil", "/tmp/igtcloud-d02", "a/../../evil", "..\\evil", "good"])]}]}]}]
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    (tmp_path / "fence").mkdir()
    with Sandbox(seed=tmp_path / "seed.json") as server:
        for more in ([], ["--portable-names"]):
            Program(server.url, tmp_path).run("download", *more, tmp_path / "fence/out", "p",
                                              status=SOME_FAILED)
    assert {n for n in tree(tmp_path / "fence") if not n.endswith("study.json")} == {
        "out/i/s/good", "out/i/s/%%..%5Cevil"} | (set() if on_windows() else {"out/i/s/..\\evil"})
    assert not os.path.exists("/tmp/igtcloud-d02")


@pytest.mark.parametrize("studies_at_once", [1, 8])
def test_d03_studies_of_one_patient_stay_apart(cloud, igtcloud, tmp_path, studies_at_once):
    patient = f"P{studies_at_once}"
    put(tmp_path / "up", {f"ward/{patient}/S1/x": "one", f"ward/{patient}/S2/x": "two",
                          f"ward/{patient}/Thumbs.db": "stray"})
    arguments = ["--folder-structure", "hierarchical", "--concurrent-studies", studies_at_once,
                 tmp_path / "up", "trial"]
    for _ in range(2):
        igtcloud.run("upload", *arguments)
        mine = {k: v for k, v in studies(cloud, "trial", "ward").items()
                if k.startswith(patient + "/")}
        assert set(mine) == {f"{patient}/S1", f"{patient}/S2"}
        assert [stored(cloud, mine[f"{patient}/{s}"], "x") for s in ("S1", "S2")] == [b"one", b"two"]


def test_d04_an_institute_of_another_project_is_none(cloud, igtcloud, tmp_path):
    put(tmp_path / "up", {"elsewhere/s/x": "x", "lab/d04/x": "x"})
    igtcloud.run("upload", tmp_path / "up", "mistyped", "elsewhere", status=NOT_FOUND)
    done = igtcloud.run("upload", tmp_path / "up", "up", "elsewhere", status=NOT_FOUND)
    assert "'up'" in done.err and "'elsewhere'" in done.err
    igtcloud.run("upload", tmp_path / "up", "up", status=SOME_FAILED)
    assert studies(cloud, "other", "elsewhere") == {} and "d04" in studies(cloud, "up", "lab")


def test_d05_a_change_of_the_same_size_is_sent(cloud, igtcloud, tmp_path):
    up = put(tmp_path / "up", {"lab/d05/x": "first", "lab/d05/y": "never"})
    igtcloud.run("upload", up, "up")
    put(up, {"lab/d05/x": "FIRST"})
    os.utime(up / "lab/d05/y")  # touched, with the same content
    done = igtcloud.run("upload", "--json", up, "up")
    assert done.summary["filesDone"] == 1 and done.summary["filesSkipped"] == 1
    put(up, {"lab/d05/x": "fIRST"})
    done = igtcloud.run("upload", "--json", "--no-journal", "--checksum", up, "up")
    assert done.summary["filesDone"] == 1
    assert stored(cloud, studies(cloud, "up", "lab")["d05"], "x") == b"fIRST"


def test_d06_content_is_checked(cloud, igtcloud, out):
    cloud.faults({"fault": "flip", "method": "GET", "path": "**b.bin", "at": 1000, "times": 0})
    done = igtcloud.run("download", "--json", out, "down", status=SOME_FAILED)
    assert {i["path"]: i["status"] for i in done.items if i["kind"] == "file" and
            i["result"] == "failed"} == {"b.bin": "IGT_E_CHECKSUM"}
    assert set(files(out)) == {"i/one/a.TXT", "i/two/c.txt"}
    cloud.clear()
    done = igtcloud.run("download", "--json", out, "down")
    assert all(i["digest"] and i["verified"] for i in done.items
               if i["kind"] == "file" and i["result"] == "done")


def test_d07_extensions(igtcloud, out):
    igtcloud.run("download", "--ext", ".txt", out, "down")
    assert set(files(out)) == {"i/one/a.TXT", "i/two/c.txt"}
    done = igtcloud.run("download", "--ext", ".mov", out, "down")
    assert "'.mov'" in done.err  # nothing matched, which is reported


# ---- sessions and secrets ----

@pytest.fixture
def login(cloud, tmp_path):
    (tmp_path / "session").mkdir()
    running = Login(cloud, str(tmp_path / "session"), "--user", "demo@example.com",
                    "--password-stdin")
    running.wait_for(b"Signed in as")
    yield running
    running.end()


def test_d09_the_token_is_nobody_elses(cloud, login, tmp_path):
    path = tmp_path / "session/igtcloud_auth_mmap"
    assert is_private(path)
    mine = Program(cloud.url, tmp_path / "session")
    mine.run("csv", "-", "down", sign_in=False)
    planted = tmp_path / "planted"
    planted.mkdir()
    shutil.copy(path, planted / "real")
    (planted / "igtcloud_auth_mmap").symlink_to(planted / "real")
    done = Program("", planted).run("get-token", sign_in=False, status=DENIED)
    assert done.out == b"" and "link" in done.err
    (planted / "igtcloud_auth_mmap").unlink()
    shutil.copy(path, planted / "igtcloud_auth_mmap")
    (planted / "igtcloud_auth_mmap").chmod(0o644)
    Program("", planted).run("get-token", sign_in=False, status=DENIED)


def test_d10_clear_text_is_refused(tmp_path, out):
    done = Program("http://192.0.2.1", tmp_path).run("download", out, "p", status=None, timeout=20)
    assert done.status in (FAILED, USAGE, DENIED) and "https" in done.err


def test_d11_a_second_login_leaves_the_first(cloud, login, tmp_path):
    path = tmp_path / "session/igtcloud_auth_mmap"
    before = path.read_bytes()
    second = Login(cloud, str(tmp_path / "session"), "--user", "demo@example.com",
                   "--password-stdin")
    assert second.process.wait(20) != 0
    second.end()
    assert path.read_bytes() == before
    Program(cloud.url, tmp_path / "session").run("csv", "-", "down", sign_in=False)


def test_d12_a_shorter_token_leaves_no_tail(cloud, login, tmp_path):
    data = (tmp_path / "session/igtcloud_auth_mmap").read_bytes()
    assert len(data) == 5 * 4096
    record = data.rstrip(b"\0")
    assert json.loads(base64.b64decode(record, validate=True))["sub"] == "demo@example.com"
    assert b"\0" not in record


def test_d17_a_terminated_transfer_ends(cloud, igtcloud, out):
    cloud.faults({"fault": "silence", "method": "GET", "path": "**film.bin", "seconds": 600})
    process = igtcloud.start("download", out, "film")
    cloud.wait_for(lambda: cloud.requests(path="*film.bin", fault="silence"))
    process.send_signal(ENDING)
    _, err = process.communicate(timeout=20)
    cloud.clear()
    assert process.returncode == ENDED and b"again" in err
    assert not [n for n in files(out) if n.endswith("film.bin")]
    igtcloud.run("download", out, "film")


def test_d18_a_refresh_that_fails_ends_the_login(tmp_path):
    """It is retried while the token is valid; then the login ends by itself."""
    with Sandbox(seed="demo", token_lifetime=5, extra=["--faults"]) as cloud:
        running = Login(cloud, str(tmp_path), "--user", "demo@example.com", "--password-stdin")
        running.wait_for(b"Signed in as")
        cloud.faults({"fault": "unauthorized", "path": "/api/auth/refresh", "times": 0},
                     {"fault": "unauthorized", "path": "/api/auth/login", "times": 0})
        assert running.process.wait(60) != 0
        running.end()
        assert not (tmp_path / "igtcloud_auth_mmap").exists()


def test_d19_a_busy_server_does_not_end_the_login(tmp_path):
    with Sandbox(seed="demo", token_lifetime=6, extra=["--faults"]) as cloud:
        running = Login(cloud, str(tmp_path), "--user", "demo@example.com", "--password-stdin")
        running.wait_for(b"Signed in as")
        cloud.faults({"fault": "unavailable", "path": "/api/auth/refresh", "times": 2})
        running.wait_for(b"Session renewed until", 60)
        asked = cloud.requests(path="/api/auth/refresh")
        assert running.end() in (0, 130) and len(asked) < 12  # and no storm


def test_d21_a_failed_login_says_so(cloud, tmp_path, out):
    done = Program(cloud.url, tmp_path, password="wrong").run("download", out, "down",
                                                              status=DENIED)
    assert "Traceback" not in done.err and len(done.err.strip().split("\n")) <= 2
    assert not [n for n in os.listdir(tmp_path) if "mmap" in n] and not out.exists()


def test_d22_a_session_of_the_environment_lives_on(cloud, igtcloud, out):
    session = RestClient(cloud.url).login()
    for _ in range(2):
        igtcloud.run("download", out, "down", sign_in=False,
                     env={"CLOUD_JWT_TOKEN": session.jwt, "CLOUD_CSRF_TOKEN": session.csrf})
    assert session.get("/api/auth/introspect").status == 200


def test_d37_a_service_uploads_by_itself(cloud, tmp_path):
    """One unattended command, with a key file and no login beside it."""
    key = cloud.data / "station@trial.pem"
    assert is_private(key)
    put(tmp_path / "up", {"ward/P37/S1/x": "x"})
    station = Program(cloud.url, tmp_path)
    station.run("upload", "--folder-structure", "hierarchical", "--service-file", key,
                "--user", "station@trial", tmp_path / "up", "trial", sign_in=False)
    assert "P37/S1" in studies(cloud, "trial", "ward")
    done = station.run("download", "--service-file", key, "--user", "station@trial",
                       tmp_path / "down", "trial", sign_in=False, status=DENIED)
    assert "service" in done.err


def test_d38_only_the_credentials_that_were_given(cloud, igtcloud, out):
    """Fields that are empty are an error: the user's own AWS keys are never used in their place."""
    root = cloud.root_credentials()
    own = {"AWS_ACCESS_KEY_ID": root["accessKey"], "AWS_SECRET_ACCESS_KEY": root["secretKey"]}
    for credentials in ({"accessKey": "", "secretKey": "", "sessionToken": ""},
                        {"accessKey": None, "secretKey": None}, {}):
        canned(cloud, {"path": "/api/auth/s3credentials", "body": {"policyCredentials": [
            {"credentials": {"bucket": BUCKET, "endpoint": cloud.url, **credentials}}]}})
        done = igtcloud.run("download", "--retries", "0", out, "down", env=own, status=SOME_FAILED)
        assert files(out) == {}, done
        RestClient(cloud.url).ok("DELETE", "/__canned", status=204)


def test_d39_get_token_without_a_session(tmp_path):
    done = Program("", tmp_path).run("get-token", sign_in=False, status=DENIED)
    assert done.out == b"" and done.err.startswith("igtcloud: ")


# ---- credentials and the network ----

@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
                                  "%Y-%m-%dT%H:%M:%S.%f+00:00", "sometime"])
def test_d15_when_credentials_end(cloud, igtcloud, out, form):
    """With an offset, with none, or no date at all: they are used, and fetched once per study."""
    client = RestClient(cloud.url).login()
    prefix = studies(cloud, "many", "i").popitem()[1]["s3Prefix"]
    answer = client.credentials("GET", prefix.rsplit("/", 2)[0] + "/").json \
        if client.credentials("GET", prefix.rsplit("/", 2)[0] + "/").status == 200 else None
    if answer is None:
        answer = client.credentials("GET", prefix + "files/").json
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    answer["policyCredentials"][0]["credentials"]["expires"] = end.strftime(form)
    human = next(k for k, v in studies(cloud, "many", "i").items() if v["s3Prefix"] == prefix)
    canned(cloud, {"path": "/api/auth/s3credentials", "query": prefix, "body": answer})
    cloud.clear()
    done = igtcloud.run("download", "--json", out, "many", status=None)
    mine = [i for i in done.items if i["kind"] == "file" and i["study"] == human]
    assert len(mine) == 20 and {i["result"] for i in mine} == {"done"}, done
    assert len(cloud.requests(path="/api/auth/s3credentials")) <= 12


def test_d16_credentials_that_end_in_the_middle(cloud, igtcloud, out):
    cloud.faults({"fault": "expired-token", "method": "GET", "path": "/igtcloud/**film.bin",
                  "skip": 1, "times": 1},
                 {"fault": "unavailable", "method": "GET", "path": "/igtcloud/**film.bin",
                  "times": 1},
                 {"fault": "reset", "method": "GET", "path": "/igtcloud/**film.bin", "times": 1})
    igtcloud.run("download", out, "film")
    assert len(files(out)["i/s/film.bin"]) == 30 * MIB
    assert len(cloud.requests(path="/api/auth/s3credentials")) == 2


def test_d23_a_server_that_is_silent(cloud, igtcloud, out):
    cloud.faults({"fault": "silence", "path": "/api/data/projects", "seconds": 30, "times": 0})
    begin = time.monotonic()
    done = igtcloud.run("download", "--timeout", "1", "--retries", "0", out, "down", status=FAILED)
    assert time.monotonic() - begin < 25 and done.err.strip()


def test_d30_one_cap_for_all_connections(cloud, igtcloud, out):
    igtcloud.run("download", "--connections", "3", "--concurrent-studies", "4",
                 "--concurrent-files", "4", out, "many")
    objects = cloud.requests(method="GET", path="/igtcloud/*")
    assert len(objects) == 240
    steps = [(r["at"], 1) for r in objects] + [(r["at"] + r["took"], -1) for r in objects]
    at_once = most = 0
    for _, step in sorted(steps):
        at_once += step
        most = max(most, at_once)
    assert most <= 3


def test_d31_credentials_are_requested_once(cloud, igtcloud, out):
    igtcloud.run("download", out, "many")
    asked = [r["query"] for r in cloud.requests(path="/api/auth/s3credentials")]
    assert len(asked) == len(set(asked)) == 12


def test_d32_files_are_registered_together(cloud, igtcloud, tmp_path):
    put(tmp_path / "up", {f"lab/d32/{n}": f"{n}" for n in range(150)})
    igtcloud.run("upload", tmp_path / "up", "up")
    assert len(cloud.requests(method="POST", path="*/files")) == 1
    assert len(cloud.requests(method="GET", path="*/files")) <= 1
    assert len(cloud.requests(method="PUT", path="/igtcloud/*")) == 150


# ---- what goes up ----

def annotated(cloud, igtcloud, tmp_path, name):
    put(tmp_path / "data", {f"lab/{name}/x": "x"})
    igtcloud.run("upload", tmp_path / "data", "up")
    return studies(cloud, "up", "lab")[name]


def test_d25_annotations_of_any_depth(cloud, igtcloud, tmp_path):
    """LOCAL may be any folder; names below the study are kept; a bad file stops its study alone."""
    put(tmp_path / "d", {"ward/P9---S9/a.json": "{}", "ward/P9---S9/deep/er/b.json": "[1]",
                         "ward/P9---S9/deep/c.txt": "text"})
    folder = tmp_path / "some/where/deep"
    shutil.copytree(tmp_path / "d", folder)
    igtcloud.run("upload", "--category", "annotations", folder, "trial")
    study = studies(cloud, "trial", "ward")["P9/S9"]
    for name, text in (("a.json", b"{}"), ("deep/er/b.json", b"[1]"), ("deep/c.txt", b"text")):
        assert stored(cloud, study, name, "annotations/") == text
    put(folder, {"ward/P9/S9/new.json": "{}", "ward/no---such/x.json": "{}"})
    shutil.rmtree(folder / "ward/P9---S9")
    done = igtcloud.run("upload", "--category", "annotations", folder, "trial", status=SOME_FAILED)
    assert "no---such" in done.err and stored(cloud, study, "new.json", "annotations/") == b"{}"
    put(folder, {"ward/P9/S9/bad.json": "{", "ward/P9/S9/newer.json": "{}"})
    done = igtcloud.run("upload", "--category", "annotations", folder, "trial", status=SOME_FAILED)
    assert "bad.json" in done.err
    with pytest.raises(Exception):
        stored(cloud, study, "newer.json", "annotations/")


def test_d26_one_failure_does_not_stop_the_others(cloud, igtcloud, tmp_path):
    up = put(tmp_path / "up", {"lab/d26a/bad": "x", "lab/d26a/good": "x", "lab/d26b/good": "x"})
    cloud.faults({"fault": "forbidden", "method": "PUT", "path": "/igtcloud/**bad", "times": 0})
    done = igtcloud.run("upload", "--json", "--retries", "0", up, "up", status=SOME_FAILED)
    results = {(i["study"], i["path"]): i["result"] for i in done.items if i["kind"] == "file"}
    assert results == {("d26a", "bad"): "failed", ("d26a", "good"): "done",
                       ("d26b", "good"): "done"}
    cloud.clear()
    done = igtcloud.run("upload", "--json", up, "up")
    assert done.summary["filesDone"] == 1


def test_d27_the_description_is_no_data(cloud, igtcloud, tmp_path):
    up = put(tmp_path / "up", {"lab/d27/study.json": '{"name": "d27"}', "lab/d27/x": "x",
                               "lab/d27bad/study.json": "{", "lab/d27bad/x": "x"})
    done = igtcloud.run("upload", up, "up", status=SOME_FAILED)
    assert "d27bad" in done.err and "study.json" in done.err
    assert names_in(cloud, "up", "lab", "d27") == ["x"]
    assert "d27bad" not in studies(cloud, "up", "lab")


def test_d28_stray_files_are_no_studies(cloud, igtcloud, tmp_path):
    up = put(tmp_path / "up", {"lab/Thumbs.db": "x", "lab/d28/x": "x"})
    done = igtcloud.run("upload", up, "up")
    assert "Thumbs.db" in done.err
    assert "Thumbs.db" not in studies(cloud, "up", "lab") and "d28" in studies(cloud, "up", "lab")


def test_d28_a_folder_with_dicom_alone_is_reported(cloud, igtcloud, tmp_path):
    up = put(tmp_path / "up", {"lab/d28dicom/dicom/1.dcm": "x", "lab/d28b/x": "x"})
    done = igtcloud.run("upload", up, "up", status=SOME_FAILED)
    assert "d28dicom" in done.err and "dicom" in done.err
    assert "d28b" in studies(cloud, "up", "lab")


def test_d28_of_patients(cloud, igtcloud, tmp_path):
    up = put(tmp_path / "up", {"ward/notes.txt": "x", "ward/P28/notes.txt": "x",
                               "ward/P28/S1/x": "x"})
    done = igtcloud.run("upload", "--folder-structure", "hierarchical", up, "trial")
    assert done.err.count("notes.txt") == 2
    assert [k for k in studies(cloud, "trial", "ward") if k.startswith("P28")] == ["P28/S1"]


# ---- lists ----

def test_d29_csv(igtcloud, out):
    for _ in range(2):
        igtcloud.run("csv", out, "down")
    (name,) = tree(out)
    rows = list(csv.DictReader(io.StringIO(tree(out)[name].decode("utf-8"), newline="")))
    assert len(rows) == 3  # twice is not double
    by_name = {r["name"]: r for r in rows}
    assert by_name["=cmd()"]["age"] == "61"  # not dropped for want of it in the first study
    assert by_name["one"]["age"] == ""


def test_d33_incomplete_files_are_reported(igtcloud, out):
    done = igtcloud.run("download", "--json", out, "down")
    assert done.summary["filesIncomplete"] == 1 and "not complete" in done.err
    assert [i["path"] for i in done.items if i["result"] == "ignored"] == ["half.bin"]
    assert done.summary["filesDone"] == 3 and "i/one/half.bin" not in files(out)


def test_d34_dates_need_no_request(cloud, igtcloud, out):
    """They come with the content; and a file of yesterday's run gets its date, too."""
    igtcloud.run("download", "--include-modified-date", out, "down")
    assert not cloud.requests(method="HEAD")
    modified = cloud.boto3().head_object(
        Bucket=BUCKET, Key=next(r["path"] for r in cloud.requests(path="*c.txt"))
        .split("/", 2)[2])["LastModified"]
    assert int((out / "i/two/c.txt").stat().st_mtime) == int(modified.timestamp())


def test_d35_dates_are_dates(igtcloud, out):
    for text in ("10", "01-02-2023", "2023-02-30", "2023-1-2"):
        done = igtcloud.run("download", "--start", text, out, "down", status=USAGE)
        assert "--start" in done.err and text in done.err
    done = igtcloud.run("csv", "--start", "2024-05-07", "-", "down")
    rows = list(csv.DictReader(io.StringIO(done.text, newline="")))
    assert {r["name"] for r in rows} == {"=cmd()", "two"} and "no date" in done.err


def test_d36_output_is_for_programs(igtcloud, out, tmp_path):
    log = tmp_path / "log"
    done = igtcloud.run("download", "--debug", "--log-file", log, out, "down")
    assert done.out == b"" and "\r" not in done.err and "\x1b" not in done.err
    for line in log.read_text().splitlines():
        datetime.datetime.strptime(line.split(" ")[0], "%Y-%m-%dT%H:%M:%SZ")


def test_d36_bodies_of_errors_are_not_logged_raw(cloud, igtcloud, out):
    canned(cloud, {"path": "/api/data/projects", "status": 500,
                   "body": {"message": "no", "password": "hunter2", "name": "Doe^John"}})
    done = igtcloud.run("download", "--debug", "--retries", "0", out, "down", status=FAILED)
    assert "hunter2" not in done.err and "Doe^John" not in done.err


# ---- what users of such tools ask for ----

def test_ask09_a_failed_download_leaves_the_old_file(cloud, igtcloud, out):
    put(out, {"i/one/b.bin": "of yesterday"})
    cloud.faults({"fault": "flip", "method": "GET", "path": "**b.bin", "at": 1000, "times": 0})
    igtcloud.run("download", out, "down", status=SOME_FAILED)
    assert files(out)["i/one/b.bin"] == b"of yesterday"
    cloud.clear()
    cloud.faults({"fault": "reset-in-body", "method": "GET", "path": "**b.bin", "at": 1000,
                  "times": 0})
    igtcloud.run("download", "--retries", "1", out, "down", status=SOME_FAILED)
    assert files(out)["i/one/b.bin"] == b"of yesterday"
    cloud.clear()
    igtcloud.run("download", out, "down")
    assert len(files(out)["i/one/b.bin"]) == 3000


def test_ask10_a_success_that_stored_nothing(cloud, igtcloud, tmp_path):
    """The store says 200 and has no object: the file failed, and the next run sends it."""
    up = put(tmp_path / "up", {"lab/ask10/x": "content"})
    canned(cloud, {"method": "PUT", "path": "/igtcloud/**ask10/files/x", "status": 200,
                   "headers": {"ETag": '"9a0364b9e99bb480dd25e1f0284c8555"'}},
           {"method": "PUT", "path": "/igtcloud/**files/x", "status": 200,
            "headers": {"ETag": '"9a0364b9e99bb480dd25e1f0284c8555"'}})
    done = igtcloud.run("upload", "--json", "--retries", "0", up, "up", status=SOME_FAILED)
    assert done.summary["filesFailed"] == 1
    RestClient(cloud.url).ok("DELETE", "/__canned", status=204)
    igtcloud.run("upload", up, "up")
    assert stored(cloud, studies(cloud, "up", "lab")["ask10"], "x") == b"content"


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_ask16_a_clock_that_is_hours_wrong(tmp_path, seconds):
    with Sandbox(seed="demo", extra=["--clock", str(seconds)]) as server:
        mine = Program(server.url, tmp_path)
        mine.run("download", tmp_path / "out", "demo")
        put(tmp_path / "up", {"lab/clock/x": "x"})
        mine.run("upload", tmp_path / "up", "demo-epd")
        done = mine.run("verify", "--json", tmp_path / "up", "demo-epd", "lab", status=None)
    assert files(tmp_path / "out") and done.summary["filesMissingThere"] == 0


def test_ask18_a_report_of_what_failed(cloud, igtcloud, out, tmp_path):
    """A line of JSON for each file says which; the same command transfers those, and only those."""
    report = tmp_path / "report"
    cloud.faults({"fault": "forbidden", "method": "GET", "path": "**c.txt", "times": 0})
    igtcloud.run("download", "--report", report, out, "down", status=SOME_FAILED)
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    failed = [i for i in lines if i["kind"] == "file" and i["result"] == "failed"]
    assert [(i["study"], i["path"]) for i in failed] == [("two", "c.txt")] and failed[0]["error"]
    cloud.clear()
    done = igtcloud.run("download", "--json", out, "down")
    assert [i["path"] for i in done.items if i["kind"] == "file" and i["result"] == "done"] == [
        "c.txt"]


# ---- the table ----

def test_the_table_tells_the_truth():
    """docs/peers.md has a row for each, and each test that it names is there."""
    text = (ROOT / "docs/peers.md").read_text("utf-8")
    for row in [f"D{n}" for n in range(1, 40)] + [f"A{n}" for n in range(1, 31)]:
        assert re.search(rf"^\| {row} \|", text, re.M), row
    known = {}
    for path, names in re.findall(r"`((?:unit|integration|fault|generator)/test_\w+\.(?:py|c))`:? ?"
                                  r"((?:`\w+`(?:, )?)*)", text):
        if path not in known:
            known[path] = (ROOT / "tests" / path).read_text("utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"\b(test_)?{name}\b", known[path]), (path, name)
    assert len(known) > 10
