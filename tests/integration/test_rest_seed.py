# SPDX-License-Identifier: MIT
"""Seeds of the sandbox: what a file can say, what is refused, canned answers."""

import hashlib
import http.client
import json
import os
import pathlib
import stat

import botocore.exceptions
import pytest

from rest_client import RestClient
from sandbox import ROOT, Sandbox, SandboxError

USER = {"name": "u", "password": "p", "roles": ["DATA_MANAGER"]}


def started(tmp_path, seed, **options):
    path = tmp_path / "seed.json"
    path.write_text(seed if isinstance(seed, str) else json.dumps({"users": [USER], **seed}))
    return Sandbox(seed=path, **options)


def login(sandbox):
    return RestClient(sandbox.url).login("u", "p")


def only_study(client):
    institute = client.ok("GET", "/api/data/hospitals")[0]
    return client.ok("GET", f"/api/data/hospitals/{institute['id']}/studies")[0]


def files_of(client, study, query=""):
    return client.ok("GET", f"/api/data/hospitals/{study['instituteId']}/studies/"
                            f"{study['studyDatabaseId']}/files{query}")


def study_seed(**study):
    return {"projects": [{"name": "p", "projectTypeName": "EPD",
                          "institutes": [{"name": "i", "studies": [{"name": "s", **study}]}]}]}


def test_ids_and_members(tmp_path):
    seed = {"projects": [{"name": "p", "id": "P", "institutes": [
        {"name": "i", "id": "I", "studies": [
            {"id": "S", "class": "Study", "studyId": "1",
             "patient": {"patientId": "x", "patientName": "x"}}]}]}]}
    with started(tmp_path, seed) as sandbox:
        client = login(sandbox)
        study = client.ok("GET", "/api/data/hospitals/I/studies/S")
        assert study["studyIdHumanReadable"] == "x/1" and study["s3Prefix"] == "P/I/studies/S/"


def test_file_contents(tmp_path):
    files = [{"path": "t", "text": "ü"}, {"path": "b", "base64": "AAH/"},
             {"path": "f", "size": 7, "fill": "abc"}, {"path": "n", "size": 100001},
             {"path": "m", "size": 100001}, {"path": "e", "size": 0},
             {"path": "x/y.json", "text": "{}", "category": "annotations"},
             {"path": "1.dcm", "text": "d", "category": "dicom"},
             {"path": "later", "size": 3, "completed": False, "object": False}]
    with started(tmp_path, study_seed(files=files)) as sandbox:
        client = login(sandbox)
        study = only_study(client)
        lists = files_of(client, study, "?auxiliary=true")
        assert [f["fileName"] for f in lists["files"]] == ["t", "b", "f", "n", "m", "e", "later"]
        assert [f["fileName"] for f in lists["annotations"]] == ["x/y.json"]
        assert [f["fileName"] for f in lists["dicom"]] == ["1.dcm"]
        assert not lists["files"][-1]["isCompleted"]
        s3 = client.s3(sandbox, "GET", study["s3Prefix"])
        got = {}
        for f in lists["files"][:-1]:
            answer = s3.get_object(Bucket="igtcloud", Key=f["key"])
            got[f["fileName"]] = answer["Body"].read()
            assert answer["ETag"] == '"' + hashlib.md5(got[f["fileName"]]).hexdigest() + '"'
            assert len(got[f["fileName"]]) == f["fileSize"]
        assert got["t"] == "ü".encode() and got["b"] == b"\0\1\xff" and got["f"] == b"abcabca"
        assert got["n"] != got["m"] and len(set(got["n"])) > 200 and got["e"] == b""


def test_studies_are_generated_by_a_seed(tmp_path):
    seed = {"projects": [{"name": "p", "projectTypeName": "IGT", "institutes": [
        {"name": "i", "generate": {"studies": 3, "files": 2, "size": 10}}]}]}
    with started(tmp_path, seed) as sandbox:
        client = login(sandbox)
        institute = client.institute("i", "p")
        studies = client.ok("GET", f"/api/data/hospitals/{institute['id']}/studies")
        assert [s["studyIdHumanReadable"] for s in studies] == [
            f"patient-00000{n}/study-00000{n}" for n in range(3)]
        files = files_of(client, studies[1])["files"]
        assert [(f["fileSize"], f["isCompleted"]) for f in files] == [(10, True)] * 2
        s3 = client.s3(sandbox, "GET", studies[1]["s3Prefix"] + "files/")
        bodies = {s3.get_object(Bucket="igtcloud", Key=f["key"])["Body"].read() for f in files}
        assert len(bodies) == 2


def test_raw_members(tmp_path):
    seed = study_seed(raw={"studyIdHumanReadable": "../../x", "name": None, "new": [1]},
                      raw_remove=["createdOn"],
                      files=[{"path": "f", "text": "1", "raw": {"fileName": "../f", "fileSize": "1"}},
                             {"path": "../g", "text": "2"},
                             {"path": "a", "category": "dicom", "text": "3",
                              "raw": {"fileName": "/etc/a"}}])
    with started(tmp_path, seed) as sandbox:
        client = login(sandbox)
        study = only_study(client)
        assert study["studyIdHumanReadable"] == "../../x" and study["new"] == [1]
        assert study["name"] is None and "createdOn" not in study
        lists = files_of(client, study, "?auxiliary=true")
        assert [(f["fileName"], f["fileSize"]) for f in lists["files"]] == [("../f", "1"),
                                                                            ("../g", 1)]
        assert lists["dicom"][0]["fileName"] == "/etc/a"


def test_raw_prefix_gets_credentials(tmp_path):
    seed = study_seed(raw={"s3Prefix": "elsewhere/s/"}, files=[{"path": "f", "text": "1"}])
    with started(tmp_path, seed) as sandbox:
        client = login(sandbox)
        assert files_of(client, only_study(client))["files"][0]["key"] == "elsewhere/s/files/f"
        assert client.credentials("GET", "elsewhere/s/files/").status == 200
        assert client.credentials("GET", "elsewhere/t/").status == 400


def test_service_key_file(tmp_path):
    key = tmp_path / "key.pem"
    with started(tmp_path, {"services": [{"id": "s@x", "key_file": str(key)}]}) as sandbox:
        assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
        RestClient(sandbox.url).login_service("s@x", key)


def test_an_existing_key_is_used(tmp_path):
    key, seed = tmp_path / "key.pem", {"services": [{"id": "s@x", "key_file": str(tmp_path / "key.pem")}]}
    with started(tmp_path, seed):
        made = key.read_bytes()
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        with started(folder, seed) as sandbox:
            assert key.read_bytes() == made
            RestClient(sandbox.url).login_service("s@x", key)
    key.write_text("no key")
    with pytest.raises(SandboxError, match="key.pem"), started(tmp_path, seed):
        pass
    assert key.read_text() == "no key"


def test_roles_of_a_seed_decide_what_users_see(tmp_path):
    users = [{"name": "none", "password": "p", "roles": []}, {"name": "plain", "password": "p"}]
    with started(tmp_path, {"users": users, **study_seed()}) as sandbox:
        none = RestClient(sandbox.url).login("none", "p")
        prefix = only_study(none)["s3Prefix"]
        assert {none.credentials(a, prefix).status for a in ("GET", "PUT")} == {403}
        plain = RestClient(sandbox.url).login("plain", "p")
        assert {plain.credentials(a, prefix).status for a in ("GET", "PUT")} == {200}


@pytest.mark.parametrize("seed, words", [
    ("{", "seed"), ("[]", "object"), ({"users": [{"name": "x"}]}, "password"),
    ({"users": [{"name": "x", "password": "y", "roles": ["KING"]}]}, "KING"),
    ({"projects": {}}, "list"), ({"projects": [{"projectTypeName": "?"}]}, "projectTypeName"),
    (study_seed(age=5), "age"), (study_seed(files=[{"path": "x"}]), "size"),
    (study_seed(files=[{"text": "x"}]), "path"),
    (study_seed(files=[{"path": "x", "text": "", "category": "?"}]), "category"),
    ({"services": [{"id": "../x"}]}, "service id"), ({"canned": [{"status": 500}]}, "path"),
    ({"canned": [{"path": "/x", "times": "1"}]}, "times")])
def test_seed_refused(tmp_path, seed, words):
    path = tmp_path / "seed.json"
    path.write_text(seed if isinstance(seed, str) else json.dumps(seed))
    data = tmp_path / "data"
    with pytest.raises(SandboxError) as error:
        Sandbox(seed=path, data=data)
    assert words in str(error.value)
    # Nothing of it stays: a right one can follow.
    path.write_text(json.dumps({"users": [USER]}))
    with Sandbox(seed=path, data=data) as sandbox:
        assert login(sandbox).ok("GET", "/api/data/projects") == []


def test_a_seeded_folder_is_left_alone(tmp_path):
    with started(tmp_path, study_seed(), data=tmp_path / "data") as sandbox:
        client = login(sandbox)
        client.ok("POST", "/api/data/projects", {"name": "mine"})
        sandbox.restart()
        assert [p["name"] for p in client.ok("GET", "/api/data/projects")] == ["p", "mine"]


# ---- canned answers ----

def test_canned_responses(tmp_path):
    canned = [
        {"method": "GET", "path": "/api/data/projects", "status": 503, "times": 2,
         "headers": {"Retry-After": "1"}, "body": {"message": "later"}},
        {"path": "/api/data/hospitals/*/studies", "body": "[{", "skip": 1, "times": 1},
        {"path": "/api/auth/permissions", "body_base64": "AAH/",
         "headers": {"Content-Type": "text/plain"}},
        {"path": "/api/data/users/**", "query": "x=1", "status": 418}]
    with started(tmp_path, {**study_seed(), "canned": canned}) as sandbox:
        client = login(sandbox)
        for _ in range(2):
            answer = client.get("/api/data/projects")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert answer.json == {"message": "later"}
        assert client.get("/api/data/projects").status == 200
        path = f"/api/data/hospitals/{client.ok('GET', '/api/data/hospitals')[0]['id']}/studies"
        assert [client.get(path).body == b"[{" for _ in range(3)] == [False, True, False]
        answer = client.get("/api/auth/permissions")
        assert answer.body == b"\0\1\xff" and answer.headers["Content-Type"] == "text/plain"
        assert client.get("/api/data/users/me").status == 200
        assert client.get("/api/data/users/me?x=1").status == 418


def test_canned_skip_and_times(tmp_path):
    canned = [{"path": "/api/data/projects", "status": 500, "skip": 1, "times": 1}]
    with started(tmp_path, {"canned": canned}) as sandbox:
        client = login(sandbox)
        assert [client.get("/api/data/projects").status for _ in range(4)] == [200, 500, 200, 200]


def test_canned_repeat_and_cut(tmp_path):
    canned = [{"path": "/api/data/projects", "repeat": {"head": "[1", "text": ",2",
                                                        "count": 3000000, "tail": "]"}},
              {"path": "/api/data/hospitals", "body": "[", "cut": True}]
    with started(tmp_path, {"canned": canned}) as sandbox:
        client = login(sandbox)
        assert len(client.get("/api/data/projects").body) == 2 + 2 * 3000000 + 1
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            client.get("/api/data/hospitals")


def test_canned_responses_of_a_running_sandbox():
    with Sandbox(seed="demo") as sandbox:
        client = RestClient(sandbox.url).login()
        plain = RestClient(sandbox.url)
        assert plain.post("/__canned", [{"status": 500}]).status == 400  # no path
        assert plain.post("/__canned", {"path": "/x"}).status == 400
        canned = {"path": "/igtcloud/**", "method": "GET", "status": 503, "times": 1,
                  "headers": {"Content-Type": "application/xml"},
                  "body": "<Error><Code>SlowDown</Code></Error>"}
        plain.ok("POST", "/__canned", [canned, {"path": "/api/data/projects", "status": 418}],
                 status=204)
        assert len(plain.ok("GET", "/__canned")) == 2
        institute = client.ok("GET", "/api/data/projects/hospitals/demo-north")
        study = client.ok("GET", f"/api/data/hospitals/{institute['id']}/studies")[0]
        s3 = client.s3(sandbox, "GET", study["s3Prefix"])
        key = study["s3Prefix"] + "files/report.txt"
        with pytest.raises(botocore.exceptions.ClientError) as error:
            s3.get_object(Bucket="igtcloud", Key=key)
        assert error.value.response["Error"]["Code"] == "SlowDown"
        assert s3.get_object(Bucket="igtcloud", Key=key)["ContentLength"] == 20
        assert client.get("/api/data/projects").status == 418
        plain.ok("DELETE", "/__canned", status=204)
        assert client.get("/api/data/projects").status == 200


def test_example_of_the_documentation(tmp_path):
    text = pathlib.Path(ROOT, "docs", "sandbox.md").read_text("utf-8")
    seed = text.split("```json\n", 1)[1].split("```", 1)[0]
    with Sandbox(seed=write(tmp_path, seed)) as sandbox:
        client = RestClient(sandbox.url).login("ann@example.com", "secret")
        assert client.ok("GET", "/api/data/projects")[0]["name"] == "trial"
        assert client.get("/api/data/project-types").status == 503


def write(tmp_path, text):
    path = tmp_path / "seed.json"
    path.write_text(text, "utf-8")
    return path
