# SPDX-License-Identifier: MIT
"""The sandbox's projects, institutes, studies, files and DICOM import."""

import datetime
import json
import struct
import urllib.parse

import pytest

from rest_client import RestClient
from sandbox import Sandbox

SEED = "demo"
EPD = "demo-epd-lab"
NORTH = "demo-north"


def studies_path(institute, study=None, rest=""):
    path = f"/api/data/hospitals/{institute}/studies"
    return path if study is None else f"{path}/{study['studyDatabaseId']}{rest}"


def make_study(client, institute=EPD, **fields):
    kind = "EpdStudy" if institute == EPD else "Study"
    return client.ok("POST", studies_path(institute), {"studyType": kind, **fields}, status=201)


# ---- projects and institutes ----

def test_projects_of_the_demo(client):
    projects = client.ok("GET", "/api/data/projects")
    assert [p["name"] for p in projects] == ["demo", "demo-epd"]
    assert projects[1]["studyType"] == "EpdStudy" and projects[1]["projectTypeName"] == "EPD"
    assert all(p["s3Prefix"].endswith("/") for p in projects)


def test_institutes(client):
    project = client.project()
    institutes = client.ok("GET", f"/api/data/projects/{project['id']}/hospitals")
    assert [i["name"] for i in institutes] == ["north", "south", "empty"]
    assert {i["parentId"] for i in institutes} == {project["id"]}
    everywhere = client.ok("GET", "/api/data/hospitals")
    assert [i["name"] for i in everywhere] == ["north", "south", "empty", "lab"]
    one = client.ok("GET", f"/api/data/projects/hospitals/{NORTH}?includeChildRelations=true")
    assert one["name"] == "north" and len(one["studies"]) == 3


def test_project_with_children(client):
    project = client.ok("GET", "/api/data/projects/demo-project?includeChildRelations=true")
    assert [len(i["studies"]) for i in project["institutes"]] == [3, 1, 0]
    assert "institutes" not in client.ok("GET", "/api/data/projects/demo-project")


def test_project_life(client):
    made = client.ok("POST", "/api/data/projects", {"name": "p", "projectTypeName": "Marvel"})[0]
    assert made["studyType"] == "MarvelStudy"
    path = f"/api/data/projects/{made['id']}"
    institute = client.ok("POST", path + "/hospitals", {"name": "i"}, status=201)
    other = f"/api/data/projects/demo-project/hospitals/{institute['id']}"
    assert client.request("DELETE", other).status == 404
    client.ok("DELETE", f"{path}/hospitals/{institute['id']}", status=204)
    client.ok("DELETE", path, status=204)
    assert client.get(path).status == 404


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 1}, {"name": "x", "projectTypeName": "?"},
                                  {"name": "x", "continents": "Europe"}, []])
def test_project_refused(client, body):
    assert client.post("/api/data/projects", body).status == 400


# ---- studies ----

def test_study_is_completed_by_the_server(client):
    study = make_study(client, name="n1", age="50", datetime="2020-01-02T03:04:05",
                       studyDatabaseId="mine", createdBy="me", unknownField={"a": [1]},
                       legalBasis=["consent"], purposeOther=None)
    assert study["studyDatabaseId"] != "mine" and study["createdBy"] == "demo@example.com"
    assert study["instituteId"] == EPD and study["studyIdHumanReadable"] == "n1"
    assert study["s3Prefix"].endswith(f"/studies/{study['studyDatabaseId']}/")
    assert study["datetime"] == "2020-01-02T03:04:05" and study["unknownField"] == {"a": [1]}
    assert study["legalBasis"] == ["consent"] and study["purposeOther"] is None
    datetime.datetime.fromisoformat(study["createdOn"])
    assert client.ok("GET", studies_path(EPD, study)) == study
    assert study in client.ok("GET", studies_path(EPD))


def test_patient_has_one_id(client):
    patient = {"patientId": "X1", "patientName": "Roe^Ann"}
    a = make_study(client, NORTH, studyId="A", patient=patient)
    b = make_study(client, NORTH, studyId="B", patient=patient)
    assert a["studyIdHumanReadable"] == "Roe^Ann/A" and b["studyIdHumanReadable"] == "Roe^Ann/B"
    assert a["patientDatabaseId"] == b["patientDatabaseId"] == a["patient"]["patientDatabaseId"]
    assert a["patient"]["patientId"] == "X1" and a["hospitalId"] == NORTH


@pytest.mark.parametrize("body, words", [
    ({}, "studyType"),
    ({"studyType": "Nonsense"}, "Nonsense"),
    ({"studyType": "RootStudy"}, "studyType"),
    ({"studyType": "Study"}, "EpdStudy"),
    ({"studyType": 3}, "studyType"),
    ({"studyType": "EpdStudy", "name": 3}, "name"),
    ({"studyType": "EpdStudy", "duration": "95"}, "duration"),
    ({"studyType": "EpdStudy", "duration": 9.5}, "duration"),
    ({"studyType": "EpdStudy", "redo": "no"}, "redo"),
    ({"studyType": "EpdStudy", "datetime": "yesterday"}, "datetime"),
    ({"studyType": "EpdStudy", "diseaseTypes": "AF"}, "diseaseTypes"),
    ({"studyType": "EpdStudy", "diseaseTypes": [1]}, "diseaseTypes"),
    ({"studyType": "EpdStudy", "events": [{"isMaster": 1}]}, "isMaster"),
    ({"studyType": "EpdStudy", "instituteId": "demo-south"}, "instituteId"),
    (["EpdStudy"], "object"),
])
def test_study_refused(client, body, words):
    answer = client.post(studies_path(EPD), body)
    assert answer.status == 400 and words in answer.message


def test_study_of_another_institute_is_not_found(client):
    study = client.ok("GET", studies_path(NORTH))[0]
    for institute in ("demo-south", "unknown"):
        assert client.get(studies_path(institute, study)).status == 404
        assert client.get(studies_path(institute, study, "/files")).status == 404
    assert client.post(studies_path("unknown"), {"studyType": "Study"}).status == 404


def test_study_put_patch_delete(client):
    study = make_study(client, name="change me", comments="old")
    path = studies_path(EPD, study)
    patched = client.ok("PATCH", path, {"studyType": "EpdStudy", "age": "7"})
    assert patched["age"] == "7" and patched["comments"] == "old"
    put = client.ok("PUT", path, {"studyType": "EpdStudy", "name": "new"})
    assert "comments" not in put and put["studyIdHumanReadable"] == "new"
    for key in ("studyDatabaseId", "createdOn", "s3Prefix"):
        assert put[key] == study[key]
    assert put["lastUpdatedOn"] >= study["lastUpdatedOn"]
    client.ok("DELETE", path, status=204)
    assert client.get(path).status == 404


@pytest.mark.parametrize("filter, names", [
    ("studyId eq 'CTA'", ["P0001/CTA", "P0002/CTA"]),
    ("studyId eq 'CTA' and patient/patientId ne 'P0001'", ["P0002/CTA"]),
    ("studyDate ge 2024-02-01 and studyDate lt 2024-03-01", ["P0002/CTA"]),
    ("startswith(patient/patientName, 'P0001') and contains(studyId,'low')", ["P0001/Follow-up"]),
    ("accessionNumber ne null", []),
    ("studyId eq 'it''s'", []),
])
def test_filter(filter, names):
    with Sandbox(seed="demo") as sandbox:
        client = RestClient(sandbox.url).login()
        query = "?" + urllib.parse.urlencode({"$filter": filter})
        found = client.ok("GET", studies_path(NORTH) + query)
        assert [s["studyIdHumanReadable"] for s in found] == names


@pytest.mark.parametrize("filter", ["studyId", "studyId is 'x'", "studyId eq 'x", "eq eq eq eq",
                                    "studyId eq 'x' or studyId eq 'y'", "contains(studyId)"])
def test_filter_refused(client, filter):
    query = "?" + urllib.parse.urlencode({"$filter": filter})
    assert client.get(studies_path(NORTH) + query).status == 400


@pytest.mark.parametrize("method, rest, body", [
    ("POST", "/annotation-state", {"annotationState": "done"}),
    ("POST", "/annotations_updated", {"latestAnnotations": "2024-01-01T00:00:00"}),
    ("POST", "/case-labels", {"caseLabels": ["a", "b"]}),
    ("PUT", "/sticky-note", {"hasStickyNote": True}),
    ("POST", "/study_comments", {"studyComments": "fine"})])
def test_single_members(client, method, rest, body):
    study = make_study(client, NORTH, studyId="members")
    key, value = next(iter(body.items()))
    assert client.ok(method, studies_path(NORTH, study, rest), body)[key] == value
    assert client.ok("GET", studies_path(NORTH, study))[key] == value
    assert client.request(method, studies_path(NORTH, study, rest), {}).status == 400
    assert client.request(method, studies_path(NORTH, study, rest), {key: {}}).status == 400


def test_submit_needs_the_password(client):
    study = make_study(client, name="submit")
    path = studies_path(EPD, study, "/electronic-record-state")
    body = {"username": "demo@example.com", "password": "demo",
            "electronicRecordState": "submitted"}
    assert client.post(path, {**body, "password": "wrong"}).status == 403
    assert client.post(path, {**body, "username": "viewer@example.com",
                              "password": "viewer"}).status == 403
    for key in body:
        assert client.post(path, {k: v for k, v in body.items() if k != key}).status == 400
    assert client.ok("GET", studies_path(EPD, study))["electronicRecordState"] == "draft"
    assert client.ok("POST", path, body)["electronicRecordState"] == "submitted"


def test_series(client):
    study = make_study(client, NORTH, studyId="series")
    path = studies_path(NORTH, study, "/series")
    body = {"seriesType": "IgtCloudSeries", "modality": "XA", "instanceUid": "1.2"}
    made = client.ok("PUT", path + "/s-1", body)
    assert made["seriesDatabaseId"] == "s-1" and made["modality"] == "XA"
    client.ok("PUT", path + "/s-2", {**body, "modality": "CT"})
    query = "?" + urllib.parse.urlencode({"$filter": "modality eq 'CT'"})
    assert [s["seriesDatabaseId"] for s in client.ok("GET", path + query)] == ["s-2"]
    assert client.ok("GET", f"/api/data/hospitals/{NORTH}/series/s-1") == made
    assert client.get("/api/data/hospitals/demo-south/series/s-1").status == 404
    assert client.request("PUT", path + "/s-3", {"seriesType": "None"}).status == 400
    client.ok("DELETE", path + "/s-1", status=204)
    assert [s["seriesDatabaseId"] for s in client.ok("GET", path)] == ["s-2"]


# ---- files ----

def register(client, study, files, institute=EPD, status=200):
    body = [{"key": study["s3Prefix"] + "files/" + name, "fileSize": size}
            for name, size in files.items()]
    return client.ok("POST", studies_path(institute, study, "/files"), body, status=status)


def put(sandbox, client, study, name, body):
    s3 = client.s3(sandbox, "PUT", study["s3Prefix"] + "files/")
    s3.put_object(Bucket="igtcloud", Key=study["s3Prefix"] + "files/" + name, Body=body)


def complete(client, study, name):
    return client.post(studies_path(EPD, study, "/files/$file-upload-completed"),
                       {"uploadedPath": name, "triggerAction": True})


def test_upload_of_a_file(sandbox, client):
    study = make_study(client, name="upload")
    made = register(client, study, {"a/b ü.txt": 5})["files"]
    assert made == [{"key": study["s3Prefix"] + "files/a/b ü.txt", "fileName": "a/b ü.txt",
                     "fileSize": 5, "isCompleted": False, "isNew": True, "type": ".txt",
                     "progressInBytes": 0, "progressPercentage": 0, "uploadId": ""}]
    assert complete(client, study, "a/b ü.txt").status == 400  # no object yet
    put(sandbox, client, study, "a/b ü.txt", b"123456")
    listed = client.ok("GET", studies_path(EPD, study, "/files"))["files"]
    assert [f["isCompleted"] for f in listed] == [False]
    assert client.ok("GET", studies_path(EPD, study, "/files?completed=true"))["files"] == []
    assert complete(client, study, "a/b ü.txt").status == 204
    listed = client.ok("GET", studies_path(EPD, study, "/files"))["files"]
    assert [(f["isCompleted"], f["progressInBytes"], f["progressPercentage"]) for f in listed] == [
        (True, 6, 100)]  # the object's size counts


def test_a_completed_file_may_come_again(sandbox, client):
    study = make_study(client, name="again")
    register(client, study, {"f": 1})
    for body in (b"1", b"22"):
        put(sandbox, client, study, "f", body)
        assert complete(client, study, "f").status == 204
    assert client.ok("GET", studies_path(EPD, study, "/files"))["files"][0]["fileSize"] == 2


def test_registering_twice_keeps_the_state(sandbox, client):
    study = make_study(client, name="twice")
    register(client, study, {"f": 1})
    put(sandbox, client, study, "f", b"1")
    complete(client, study, "f")
    again = register(client, study, {"f": 1})["files"][0]
    assert again["isCompleted"] and not again["isNew"]
    assert not register(client, study, {"f": 2})["files"][0]["isCompleted"]


def test_a_batch_of_files(client):
    study = make_study(client, name="batch")
    files = {f"d/{n}.bin": n for n in range(5000)}
    assert len(register(client, study, files)["files"]) == 5000
    listed = client.ok("GET", studies_path(EPD, study, "/files"))["files"]
    assert {f["fileName"]: f["fileSize"] for f in listed} == files
    assert register(client, study, {})["files"] == []


@pytest.mark.parametrize("file", [
    {}, {"key": "@x"}, {"fileSize": 1}, {"key": 1, "fileSize": 1}, {"key": "@x", "fileSize": "1"},
    {"key": "@x", "fileSize": -1}, {"key": "@x", "fileSize": 1 << 50}, {"key": "", "fileSize": 1},
    {"key": "@", "fileSize": 1}, {"key": "@dir/", "fileSize": 1}, {"key": "other/x", "fileSize": 1},
    {"key": "@" + "x" * 1024, "fileSize": 1}, {"key": "@a\0b", "fileSize": 1}, "x", None])
def test_registering_refused(client, file):
    study = make_study(client, name="refuse")
    if isinstance(file, dict) and str(file.get("key", "")).startswith("@"):
        file = {**file, "key": study["s3Prefix"] + "files/" + file["key"][1:]}
    good = {"key": study["s3Prefix"] + "files/good", "fileSize": 1}
    path = studies_path(EPD, study, "/files")
    assert client.post(path, [good, file]).status == 400
    assert client.post(path, good).status == 400
    assert client.ok("GET", path)["files"] == []  # nothing of a bad batch


def test_completing_what_is_not_registered(client):
    study = make_study(client, name="unregistered")
    assert complete(client, study, "nothing").status == 404
    path = studies_path(EPD, study, "/files/$file-upload-completed")
    assert client.post(path, {}).status == 400
    assert client.post(path, {"uploadedPath": "x", "triggerAction": "yes"}).status == 400


def test_delete_files(sandbox, client):
    study = make_study(client, name="delete")
    register(client, study, {"a": 1, "b": 1, "c": 1})
    put(sandbox, client, study, "a", b"1")
    keys = [study["s3Prefix"] + "files/" + n for n in "ab"]
    query = urllib.parse.urlencode([("keys", k) for k in keys])
    path = studies_path(EPD, study, "/files")
    assert client.request("DELETE", path).status == 400
    assert client.request("DELETE", path + "?keys=unknown").status == 404
    client.ok("DELETE", path + "?" + query, status=204)
    assert [f["fileName"] for f in client.ok("GET", path)["files"]] == ["c"]


def test_auxiliary_lists(sandbox, client):
    study = client.ok("GET", studies_path(NORTH))[0]
    path = studies_path(NORTH, study, "/files")
    assert set(client.ok("GET", path)) == {"files"}
    aux = client.ok("GET", path + "?auxiliary=True")
    assert [f["fileName"] for f in aux["dicom"]] == ["series1/image1.dcm"]
    assert "vessel.json" in [f["fileName"] for f in aux["annotations"]]
    s3 = client.s3(sandbox, "PUT", study["s3Prefix"] + "annotations/")
    s3.put_object(Bucket="igtcloud", Key=study["s3Prefix"] + "annotations/a/b.json", Body=b"{}")
    aux = client.ok("GET", path + "?auxiliary=true")["annotations"]
    assert ("a/b.json", 2, True) in [(f["fileName"], f["fileSize"], f["isCompleted"]) for f in aux]
    client.ok("DELETE", studies_path(NORTH, study, "/annotations?patientId=P0001"), status=204)
    assert client.ok("GET", path + "?auxiliary=true")["annotations"] == []


def test_project_files(sandbox, client):
    path = "/api/data/projects/demo-project/files"
    prefix = client.project()["s3Prefix"]
    client.ok("POST", path, [{"key": prefix + "new.txt", "fileSize": 3}])
    by_name = {f["fileName"]: f for f in client.ok("GET", path)["files"]}
    assert by_name["forms/consent.txt"]["isCompleted"] and not by_name["new.txt"]["isCompleted"]
    client.s3(sandbox, "PUT", prefix).put_object(Bucket="igtcloud", Key=prefix + "new.txt",
                                                 Body=b"abc")
    by_name = {f["fileName"]: f for f in client.ok("GET", path)["files"]}
    assert by_name["new.txt"]["isCompleted"]
    assert client.get(path + "/new.txt/content").body == b"abc"
    client.ok("DELETE", path + "?" + urllib.parse.urlencode({"keys": prefix + "new.txt"}),
              status=204)
    assert client.get(path + "/new.txt/content").status == 404


# ---- DICOM import ----

def element(group, number, vr, value):
    data = value.encode() + (b" " if len(value) % 2 else b"")
    return struct.pack("<HH", group, number) + vr.encode() + struct.pack("<H", len(data)) + data


def dicom(patient, study, series, instance, study_id):
    meta = element(2, 0x10, "UI", "1.2.840.10008.1.2.1")
    return b"\0" * 128 + b"DICM" + meta + b"".join([
        element(8, 0x18, "UI", instance), element(8, 0x20, "DA", "20230405"),
        element(8, 0x30, "TM", "060708"), element(8, 0x60, "CS", "XA"),
        element(0x10, 0x10, "PN", patient), element(0x10, 0x20, "LO", patient),
        element(0x20, 0xd, "UI", study), element(0x20, 0xe, "UI", series),
        element(0x20, 0x10, "SH", study_id), b"\xe0\x7f\x10\x00OB\0\0\x02\0\0\0ab"])


def test_dicom_import(sandbox, client):
    prefix = client.institute("south")["s3Prefix"] + "Import/"
    s3 = client.s3(sandbox, "PUT", prefix + "u1/")
    images = {"a/1.dcm": dicom("Imp^One", "1.2.3", "1.2.3.1", "1", "S1"),
              "a/2.dcm": dicom("Imp^One", "1.2.3", "1.2.3.1", "2", "S1"),
              "b/3.dcm": dicom("Imp^Two", "1.2.4", "1.2.4.1", "3", "S9"), "notes.txt": b"text"}
    for name, body in images.items():
        s3.put_object(Bucket="igtcloud", Key=prefix + "u1/" + name, Body=body)
    body = {"uploadedPath": "u1", "hospitalId": "demo-south", "isPrefix": True}
    client.ok("POST", "/api/action/update-database", body)
    studies = {s["studyIdHumanReadable"]: s for s in client.ok("GET", studies_path("demo-south"))}
    one = studies["Imp^One/S1"]
    assert one["studyDate"] == "2023-04-05T06:07:08+00:00" and one["instanceUid"] == "1.2.3"
    assert "Imp^Two/S9" in studies
    aux = client.ok("GET", studies_path("demo-south", one, "/files?auxiliary=true"))["dicom"]
    assert [f["fileName"] for f in aux] == ["1.2.3.1/1.dcm", "1.2.3.1/2.dcm"]
    got = client.s3(sandbox, "GET", one["s3Prefix"] + "0/").get_object(
        Bucket="igtcloud", Key=aux[1]["key"])["Body"].read()
    assert got == images["a/2.dcm"]
    series = client.ok("GET", studies_path("demo-south", one, "/series"))
    assert [(s["instanceUid"], s["modality"]) for s in series] == [("1.2.3.1", "XA")]
    assert len(client.ok("GET", "/api/data/hospitals/demo-south/series")) == 2
    # The same again finds nothing of the images, but what was no DICOM is still there.
    assert client.post("/api/action/update-database",
                       {**body, "uploadedPath": "u1/a"}).status == 400
    client.ok("POST", "/api/action/update-database", {**body, "uploadedPath": "u1/notes.txt"})


@pytest.mark.parametrize("body, status", [
    ({}, 400), ({"uploadedPath": "x"}, 400), ({"uploadedPath": "x", "hospitalId": "no"}, 404),
    ({"uploadedPath": "../x", "hospitalId": NORTH}, 400),
    ({"uploadedPath": "/x", "hospitalId": NORTH}, 400),
    ({"uploadedPath": "x", "hospitalId": NORTH, "isPrefix": "yes"}, 400),
    ({"uploadedPath": "none", "hospitalId": NORTH}, 400)])
def test_update_database_refused(client, body, status):
    assert client.post("/api/action/update-database", body).status == status


# ---- a long list ----

@pytest.mark.measures
def test_long_list_takes_no_memory(tmp_path):
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({
        "users": [{"name": "u", "password": "p"}],
        "projects": [{"name": "big", "projectTypeName": "EPD",
                      "institutes": [{"name": "i", "generate": {"studies": 30000}}]}]}))
    with Sandbox(seed=seed) as sandbox:
        client = RestClient(sandbox.url).login("u", "p")
        institute = client.institute("i", "big")
        before = peak_memory(sandbox)
        studies = client.ok("GET", studies_path(institute["id"]))
        assert [s["name"] for s in studies] == [f"study-{n:06}" for n in range(30000)]
        if "tsan" not in str(sandbox.process.args[0]):  # whose own memory grows with what it has seen
            assert peak_memory(sandbox) - before < 16 * 1024, "kilobytes"


def peak_memory(sandbox):
    with open(f"/proc/{sandbox.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
