# SPDX-License-Identifier: MIT
"""The rest of the sandbox's REST API: archives, previews, applications, sites, tasks, reports,
users, groups, own storage, training, AI Suite, field masks; what goes with what is deleted."""

import io
import json
import shutil
import subprocess
import urllib.parse
import zipfile

import pytest

from rest_client import RestClient
from sandbox import BUCKET

SEED = "demo"
NORTH, EPD = "demo-north", "demo-epd-lab"
DATA = "/api/data"


@pytest.fixture
def viewer(sandbox):
    return RestClient(sandbox.url).login("viewer@example.com", "viewer")


def study(client, name="CTA", institute=NORTH):
    studies = client.ok("GET", f"{DATA}/hospitals/{institute}/studies")
    return next(s for s in studies if s["studyIdHumanReadable"].endswith(name))


def study_path(s):
    return f"{DATA}/hospitals/{s['instituteId']}/studies/{s['studyDatabaseId']}"


def query(**values):
    return "?" + urllib.parse.urlencode(values)


# ---- archives ----

def unzip(answer):
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    archive = zipfile.ZipFile(io.BytesIO(answer.body))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def test_archive_of_a_study(client, sandbox):
    s = study(client)
    files = unzip(client.get(study_path(s) + "/download-files"))
    assert sorted(files) == ["report.txt", "waveforms/ecg.bin"]
    assert files["report.txt"] == b"Nothing remarkable.\n"
    stored = sandbox.boto3().get_object(Bucket=BUCKET, Key=s["s3Prefix"] + "files/waveforms/ecg.bin")
    assert files["waveforms/ecg.bin"] == stored["Body"].read()


def test_archive_of_a_project(client):
    files = unzip(client.get(DATA + "/projects/demo-project/download-files"))
    assert sorted(files) == ["forms/consent.txt", "protocol.txt"]
    assert client.get(DATA + "/projects/none/download-files").status == 404


def test_archive_of_nothing_and_of_names_beyond_ascii(client, sandbox):
    s = client.ok("POST", f"{DATA}/hospitals/{EPD}/studies",
                  {"studyType": "EpdStudy", "name": 'a "b"\r\nc/é'}, status=201)
    assert unzip(client.get(study_path(s) + "/download-files")) == {}
    keys = [s["s3Prefix"] + "files/" + name for name in ("Grüße/ä b.txt", "empty", "no object")]
    client.ok("POST", study_path(s) + "/files", [{"key": k, "fileSize": 3} for k in keys])
    boto = sandbox.boto3()
    boto.put_object(Bucket=BUCKET, Key=keys[0], Body=b"abc")
    boto.put_object(Bucket=BUCKET, Key=keys[1], Body=b"")
    files = unzip(client.get(study_path(s) + "/download-files"))
    assert files == {"Grüße/ä b.txt": b"abc", "empty": b""}


def test_archive_by_another_reader(client, tmp_path):
    assert shutil.which("unzip"), "unzip is not installed: scripts/install-deps test"
    path = tmp_path / "study.zip"
    path.write_bytes(client.get(study_path(study(client)) + "/download-files").body)
    subprocess.run(["unzip", "-tq", str(path)], check=True, stdout=subprocess.DEVNULL)


def test_download_link(client):
    s = study(client)
    client.ok("POST", study_path(s) + "/download-link", status=202)
    mail = client.ok("GET", "/__mail")[-1]
    assert mail["to"] == "demo@example.com"
    task = urllib.parse.urlsplit(mail["text"]).path
    answer = client.get(task)
    assert answer.status == 302
    assert urllib.parse.urlsplit(answer.headers["Location"]).path == study_path(s) + "/download-files"
    body = client.ok("GET", task + "?redirect=false")
    assert body["status"] == "completed" and body["url"] == answer.headers["Location"]


# ---- series and their previews ----

def test_action_makes_series_with_a_preview(client, tmp_path):
    s = study(client)
    client.ok("POST", study_path(s) + "/$action", status=204)
    series = client.ok("GET", study_path(s) + "/series")
    assert [x["modality"] for x in series] == ["OT"] and series[0]["seriesType"] == "IgtCloudSeries"
    client.ok("POST", study_path(s) + "/$action", status=204)  # nothing twice
    assert len(client.ok("GET", study_path(s) + "/series")) == 1
    picture = client.get(series[0]["previewUrl"])
    assert picture.status == 200 and picture.headers["Content-Type"] == "image/jpg"
    samples = pixels(picture.body)
    assert len(samples) == 64 and samples[0] == 0 and samples[-1] == 255
    assert samples == sorted(samples)  # the demo's image is a ramp
    assert client.get(f"{DATA}/hospitals/{NORTH}/series/{series[0]['seriesDatabaseId']}/x.png").status == 404
    assert client.get(f"{DATA}/hospitals/{EPD}/series/{series[0]['seriesDatabaseId']}/preview.jpg").status == 404


def pixels(jpeg):
    """One pixel of each 8 by 8 block, as another's decoder reads it."""
    assert shutil.which("djpeg"), "djpeg is not installed: scripts/install-deps test"
    pgm = subprocess.run(["djpeg", "-grayscale"], input=jpeg, capture_output=True, check=True).stdout
    magic, size, _, data = pgm.split(b"\n", 3)
    width, height = map(int, size.split())
    assert magic == b"P5" and len(data) == width * height
    return [data[(y * 8 + 4) * width + x * 8 + 4]
            for y in range(height // 8) for x in range(width // 8)]


def test_series_without_an_image_has_a_preview(client):
    s = study(client, "Follow-up")
    put = client.ok("PUT", study_path(s) + "/series/mine", {
        "seriesType": "IgtCloudSeries", "displayName": "D", "createdBy": "me", "s3Prefix": "x/"})
    assert put["createdBy"] == "demo@example.com" and put["s3Prefix"] == s["s3Prefix"]
    assert len(set(pixels(client.get(put["previewUrl"]).body))) > 50
    other = client.ok("PUT", study_path(s) + "/series/mine", {"seriesType": "IgtCloudSeries"})
    assert other["createdOn"] == put["createdOn"] and "displayName" not in other
    stranger = study(client, "CTA")
    assert client.request("PUT", study_path(stranger) + "/series/mine",
                          {"seriesType": "IgtCloudSeries"}).status == 404
    client.ok("DELETE", study_path(s) + "/series/mine", status=204)
    assert client.get(f"{DATA}/hospitals/{NORTH}/series/mine").status == 404


def test_filter_of_series_and_its_fields(client):
    s = study(client, "Follow-up")
    for n, modality in enumerate(("XA", "CT")):
        client.ok("PUT", f"{study_path(s)}/series/f{n}", {"seriesType": "IgtCloudSeries",
                                                         "modality": modality})
    path = f"{DATA}/hospitals/{NORTH}/series"
    found = client.ok("GET", path + query(**{"$filter": "modality eq 'XA'"}))
    assert [x["seriesDatabaseId"] for x in found] == ["f0"]
    for bad in ("colour eq 'red'", "modality eq"):
        answer = client.get(path + query(**{"$filter": bad}))
        assert answer.status == 400 and "$filter" in answer.message
    answer = client.get(f"{DATA}/hospitals/{EPD}/studies" + query(**{"$filter": "studyId eq 'x'"}))
    assert answer.status == 400 and "studyId" in answer.message


# ---- what goes with what is deleted ----

def test_deletes_cascade(client, sandbox):
    boto = sandbox.boto3()
    project = client.ok("POST", DATA + "/projects", {"name": "gone", "projectTypeName": "IGT"})[0]
    institute = client.ok("POST", f"{DATA}/projects/{project['id']}/hospitals", {"name": "i"},
                          status=201)
    s = client.ok("POST", f"{DATA}/hospitals/{institute['id']}/studies",
                  {"studyType": "Study", "studyId": "1"}, status=201)
    service = client.ok("POST", f"{DATA}/organizations/{institute['id']}/services", {"name": "s"},
                        status=201)
    key = s["s3Prefix"] + "files/a"
    client.ok("POST", study_path(s) + "/files", [{"key": key, "fileSize": 1}])
    project_key = project["s3Prefix"] + "b"
    client.ok("POST", f"{DATA}/projects/{project['id']}/files", [{"key": project_key, "fileSize": 1}])
    imported = institute["s3Prefix"] + "Import/x"
    for k in (key, project_key, imported):
        boto.put_object(Bucket=BUCKET, Key=k, Body=b"x")
    client.ok("PUT", study_path(s) + "/series/cascade", {"seriesType": "IgtCloudSeries"})
    client.ok("DELETE", f"{DATA}/projects/{project['id']}", status=204)
    for path in (f"/projects/{project['id']}", f"/projects/hospitals/{institute['id']}",
                 f"/hospitals/{institute['id']}/studies",
                 f"/hospitals/{institute['id']}/series/cascade"):
        assert client.get(DATA + path).status == 404
    left = boto.list_objects_v2(Bucket=BUCKET, Prefix=project["id"] + "/")
    assert left["KeyCount"] == 0
    assert service["serviceId"] not in json.dumps(
        client.ok("GET", DATA + "/organizations/igtcloud-sandbox/services"))
    assert client.get(DATA + "/projects/demo-project").status == 200


# ---- applications and sites ----

def test_applications(client, viewer):
    path = DATA + "/applications"
    body = {"appId": "a", "name": "A", "supportedFormats": ".x, .y", "defaultInProjectTypes": "IGT",
            "vmEnvironment": "LINUX", "enabled": False}
    made = client.ok("POST", path, body)
    assert made == {"id": made["id"], "appId": "a", "name": "A", "supportedFormats": [".x", ".y"],
                    "vmEnvironment": "LINUX", "defaultInProjectTypes": ["IGT"], "enabled": False}
    assert client.ok("GET", f"{path}/{made['id']}") == made
    assert made in client.ok("GET", path + "?enabled=false")
    assert made not in client.ok("GET", path + "?enabled=true")
    assert {".x", ".dcm"} <= set(client.ok("GET", path + "/file-formats"))
    changed = client.ok("PUT", f"{path}/{made['id']}", {**body, "name": "B"})
    assert changed == {**made, "name": "B"}
    project = f"{DATA}/projects/demo-project/applications"
    client.ok("POST", project, {"applicationId": made["id"]})
    assert changed in client.ok("GET", project)
    client.ok("DELETE", f"{project}/{made['id']}", {"applicationId": made["id"]}, status=204)
    assert changed not in client.ok("GET", project)
    assert client.request("DELETE", f"{project}/{made['id']}", {}).status == 404
    client.ok("POST", project, {"applicationId": made["id"]})
    client.ok("DELETE", f"{path}/{made['id']}", status=204)
    assert changed not in client.ok("GET", project)
    for method, where in (("GET", path), ("PUT", path), ("DELETE", path)):
        assert client.request(method, f"{where}/{made['id']}", body).status == 404
    assert viewer.post(path, body).status == 403
    for bad, field in (({**body, "enabled": 1}, "enabled"), ({**body, "name": []}, "name")):
        answer = client.post(path, bad)
        assert answer.status == 400 and field in answer.message
    assert "applicationId" in client.post(project, {}).message
    assert client.post(project, {"applicationId": 9999}).status == 404


def test_sites(client, viewer):
    path = DATA + "/epd-sites"
    sites = client.ok("POST", path, {"name": "theatre 2"})
    assert [s["name"] for s in sites] == ["lab 1", "theatre 2"]
    one = f"{path}/{sites[1]['id']}"
    assert client.ok("PUT", one, {"id": 7, "name": "theatre 3"}) == {**sites[1], "name": "theatre 3"}
    assert client.ok("GET", one)["name"] == "theatre 3"
    assert client.ok("GET", path)[1]["name"] == "theatre 3"
    client.ok("DELETE", one, status=204)
    assert client.get(one).status == 404
    assert "name" in client.post(path, {}).message
    assert viewer.post(path, {"name": "x"}).status == 403


def test_values_of_studies(client):
    made = client.ok("POST", f"{DATA}/hospitals/{EPD}/studies",
                     {"studyType": "EpdStudy", "name": "s", "site": "lab 1"}, status=201)
    assert client.ok("GET", f"{DATA}/projects/demo-epd-project/epd-sites") == ["lab 1"]
    client.ok("POST", study_path(made) + "/case-labels", {"caseLabels": ["easy", "long"]})
    assert client.ok("GET", DATA + "/case-labels" + query(projectId="demo-epd-project")) == ["easy", "long"]
    assert client.ok("GET", DATA + "/case-labels" + query(projectId="demo-project")) == []
    assert client.get(DATA + "/case-labels?projectId=none").status == 404
    client.ok("DELETE", study_path(made), status=204)
    assert client.ok("GET", DATA + "/case-labels") == []


# ---- tasks and reports ----

def test_report(client, viewer, sandbox):
    s = study(client)
    client.ok("POST", study_path(s) + "/annotation-state", {"annotationState": "started"})
    token = client.ok("POST", DATA + "/reports/project", status=202)["token"]
    path = f"{DATA}/tasks/completed/{token}"
    answer = client.get(path)
    assert answer.status == 302
    where = answer.headers["Location"]
    assert where.startswith(sandbox.url + "/igtcloud/reports/")
    rows = client.get(where[len(sandbox.url):], auth=False).json  # signed: no session is needed
    row = next(r for r in rows if r["study_database_id"] == s["studyDatabaseId"])
    assert row["project_id"] == "demo-project" and row["hospital_id"] == NORTH
    assert row["annotation_state_history"].endswith("started")
    assert row["study_date"] == {"$date": s["studyDate"]}
    assert viewer.get(path).status == 403 and viewer.post(DATA + "/reports/project").status == 403
    assert client.get(DATA + "/tasks/completed/none").status == 404


def test_tasks_end_once(client):
    where = f"{DATA}/integrations/aisuite/demo/projects/demo-ai-project"
    for report in (lambda t: f"/tasks/completed/{t['token']}",
                   lambda t: f"/integrations/aisuite/tasks/completed/{t['callbackToken']}"):
        task = client.ok("POST", where, status=202)
        path = f"{DATA}/tasks/completed/{task['token']}"
        assert client.ok("GET", path) == {"status": "running"}
        assert "status" in client.post(DATA + report(task), {"status": 1}).message
        client.ok("POST", DATA + report(task), {"status": "completed", "message": "42 images"})
        assert client.ok("GET", path) == {"status": "completed", "message": "42 images", "url": None}
        assert client.post(DATA + report(task), {}).status == 400
    task = client.ok("POST", where, status=202)
    client.ok("POST", f"{DATA}/tasks/completed/{task['token']}", {"status": "failed", "message": "no disk"})
    answer = client.get(f"{DATA}/tasks/completed/{task['token']}")
    assert answer.status == 400 and "no disk" in answer.message
    assert client.post(DATA + "/integrations/aisuite/tasks/completed/none", {}).status == 404


# ---- AI Suite ----

def test_ai_suite(client, viewer):
    base = DATA + "/integrations/aisuite"
    assert [c["name"] for c in client.ok("GET", base)] == ["demo"]
    assert client.ok("GET", base + "/demo/projects")[0]["id"] == "demo-ai-project"
    sync = base + "/demo/projects/demo-ai-project" + query(projectId="demo-project")
    assert len(client.ok("GET", sync)) == 1
    assert len(client.ok("GET", sync, headers={"X-AUTHORIZATION-CODE": "c"})) == 2
    link = {"aisuiteUrl": "https://ai", "identifier": "demo-project", "identifierType": "project",
            "aisuiteProjectId": "demo-ai-project", "aisuiteCollectionId": "open"}
    assert client.ok("POST", base + "/demo/collections" + query(**link)) == link
    found = base + "/demo/collections" + query(igtcloudIdentifier="demo-project")
    assert client.ok("GET", found) == [link]
    assert client.ok("GET", base + "/demo/collections" + query(aisuiteCollectionId="x")) == []
    for name in ("aisuiteUrl", "identifier", "identifierType", "aisuiteCollectionId"):
        answer = client.post(base + "/demo/collections" + query(**{k: v for k, v in link.items()
                                                                  if k != name}))
        assert answer.status == 400 and name in answer.message
    for path in ("/none/projects", "/none/collections", "/demo/projects/none"):
        assert client.get(base + path).status == 404
    mappings = query(projectId="demo-epd-project")
    assert client.ok("GET", base + "/mappings/attributes" + mappings) == []
    made = client.ok("POST", base + "/mappings/$generate" + mappings)
    assert client.ok("GET", base + "/mappings/attributes" + mappings) == made["attributes"]
    assert client.ok("GET", base + "/mappings/files" + mappings) == made["files"] != []
    assert "duration" in json.dumps(made["attributes"]) and "createdOn" not in json.dumps(made)
    assert "projectId" in client.post(base + "/mappings/$generate").message
    assert viewer.post(base + "/mappings/$generate" + mappings).status == 403


# ---- users and groups ----

BODY = {"givenName": "Ann", "familyName": "Lee", "email": "ann@example.com",
        "loginId": "ann@example.com", "istLevel": "2", "preferredLanguage": "nl-NL",
        "trainingStartDate": "2024-01-02T00:00:00Z", "trainingEndDate": "2024-02-03T00:00:00Z"}


def test_life_of_a_user(client, viewer, sandbox):
    made = client.ok("POST", DATA + "/users", BODY, status=201)
    assert made["profile"]["givenName"] == "Ann" and made["settings"]["istLevel"] == "2"
    assert made["settings"]["trainingStartDate"] == "2024-01-02"
    assert client.ok("POST", DATA + "/users", {**BODY, "givenName": "Anna"})["userUUID"] == made["userUUID"]
    path = f"{DATA}/users/{made['userUUID']}"
    assert client.ok("GET", path)["profile"]["givenName"] == "Anna"
    # the mail's token makes the account one that can sign in
    mail = [m for m in client.ok("GET", "/__mail") if m["to"] == "ann@example.com"]
    again = client.ok("POST", DATA + "/users/$resend-activation", {"loginId": "ann@example.com"})
    assert again["resourceType"] == "OperationOutcome"
    assert len([m for m in client.ok("GET", "/__mail") if m["to"] == "ann@example.com"]) == len(mail) + 1
    activation = {"token": mail[0]["text"], "password": "new"}
    client.ok("POST", "/__activate", activation, status=204, auth=False)
    assert client.post("/__activate", activation, auth=False).status == 404
    ann = RestClient(sandbox.url).login("ann@example.com", "new")
    assert ann.ok("GET", DATA + "/users/me")["accountStatus"]["emailVerified"] is True
    # and the next one's sets another password
    again = [m for m in client.ok("GET", "/__mail") if m["to"] == "ann@example.com"][1]
    client.ok("POST", "/__activate", {"token": again["text"], "password": "newer"}, status=204, auth=False)
    for password, status in (("new", 401), ("newer", 200), ("new", 401), ("newer", 200)):
        body = {"grantType": "password", "username": "ann@example.com", "password": password}
        assert RestClient(sandbox.url).post("/api/auth/login", body, auth=False).status == status
    # a group gives rights
    project = {"name": "by ann"}
    assert ann.post(DATA + "/projects", project).status == 403
    groups = f"{DATA}/organizations/{NORTH}/users-groups"
    entry = {"userId": made["userUUID"], "groupIds": ["DATA_MANAGER"]}
    assert client.ok("PUT", groups, entry, status=201) == [entry]
    assert client.ok("GET", groups) == [entry]
    assert "DATA_MANAGER" in [g["id"] for g in client.ok("GET", f"{DATA}/organizations/{NORTH}/groups")]
    assert ann.ok("GET", DATA + "/users/me")["profile"]["organizationRoles"][0]["organizationName"] == "north"
    assert ann.ok("GET", "/api/auth/introspect")["organizations"]["organizationList"][0]["groups"] == ["DATA_MANAGER"]
    ann.ok("POST", DATA + "/projects", project)
    client.ok("PUT", groups, {**entry, "groupIds": []}, status=201)
    assert ann.post(DATA + "/projects", project).status == 403
    # her own folder
    storage = ann.ok("GET", DATA + "/users/$storage")
    keys = storage["credentials"]
    boto = sandbox.boto3(keys["accessKey"], keys["secret"], keys["sessionToken"])
    for name in ("a.txt", "training/x"):
        boto.put_object(Bucket=storage["config"]["bucket"], Key=storage["config"]["key"] + name, Body=b"own")
    assert [f["fileName"] for f in ann.ok("GET", DATA + "/users/files")] == ["a.txt", "training/x"]
    assert unzip(ann.get(DATA + "/users/download-files"))["a.txt"] == b"own"
    ann.ok("DELETE", DATA + "/users/training-settings", status=204)
    assert "trainingStartDate" not in ann.ok("GET", DATA + "/users/me")["settings"]
    assert [f["fileName"] for f in ann.ok("GET", DATA + "/users/files")] == ["a.txt"]
    mine = ann.ok("GET", DATA + "/users/files")[0]["key"]
    assert client.request("DELETE", DATA + "/users/files" + query(keys=mine)).status == 404
    ann.ok("DELETE", DATA + "/users/files" + query(keys=mine), status=204)
    assert ann.ok("GET", DATA + "/users/files") == []
    # changes by managers
    client.ok("PUT", path, {**BODY, "familyName": "May"}, status=204)
    assert client.ok("GET", path)["profile"]["familyName"] == "May"
    client.ok("POST", DATA + "/users/$mfa-reset", {"loginId": "ann@example.com"}, status=204)
    assert client.ok("GET", path)["accountStatus"]["mfaStatus"] == "RESET"
    ann.ok("POST", DATA + "/users/$profile", status=204)
    assert ann.ok("GET", DATA + "/users/me")["accountStatus"]["lastLoginTime"]
    assert viewer.request("DELETE", path).status == 403
    client.ok("DELETE", path, status=204)
    assert client.get(path).status == 404 and ann.get(DATA + "/users/me").status == 401
    assert client.ok("GET", groups) == []
    # the same name again is another account: the old session stays ended
    again = client.ok("POST", DATA + "/users", BODY, status=201)
    assert ann.get(DATA + "/users/me").status == 401
    client.ok("DELETE", f"{DATA}/users/{again['userUUID']}", status=204)


def test_users_refused(client, viewer):
    for name in ("givenName", "familyName", "email", "loginId"):
        for value in (None, "", 3):
            answer = client.post(DATA + "/users", {**BODY, name: value})
            assert answer.status == 400 and name in answer.message
    me = client.ok("GET", DATA + "/users/me")["userUUID"]
    assert client.request("DELETE", f"{DATA}/users/{me}").status == 400
    assert "loginId" in client.request("PUT", f"{DATA}/users/{me}", BODY).message
    for path in ("/users/$mfa-reset", "/users/$resend-activation"):
        assert "loginId" in client.post(DATA + path, {}).message
        assert client.post(DATA + path, {"loginId": "none"}).status == 404
        assert viewer.post(DATA + path, {"loginId": "none"}).status == 403
    groups = f"{DATA}/organizations/{NORTH}/users-groups"
    assert "groupIds" in client.request("PUT", groups, {"userId": me, "groupIds": ["x"]}).message
    assert "userId" in client.request("PUT", groups, {"userId": "x", "groupIds": []}).message
    assert client.get(f"{DATA}/organizations/none/groups").status == 404
    assert viewer.get("/__mail").status == 403 and viewer.get("/__audit").status == 403


def test_service_identities_have_no_folder(sandbox):
    service = RestClient(sandbox.url).login_service("upload-station@demo",
                                                    sandbox.data / "upload-station@demo.pem")
    for path in ("/users/$storage", "/users/files", "/users/download-files", "/users/me"):
        assert service.get(DATA + path).status == 400


# ---- training ----

def test_training(client):
    path = DATA + "/training-applications"
    applications = {a["applicationId"]: a for a in client.ok("GET", path)}
    for name, application in applications.items():
        guide = client.get(f"{path}/{name}/guide")
        assert guide.status == (200 if application["hasGuide"] else 404)
        if guide.status == 200:
            assert guide.headers["Content-Type"] == "application/pdf"
            check_pdf(guide.body)
        storage = client.ok("GET", f"{path}/{name}/$storage?region=eu-central-1")
        assert storage["config"]["key"].endswith(f"/training/{name}/")
    assert client.get(f"{path}/none/guide").status == 404
    assert client.get(f"{path}/none/$storage").status == 404
    assert "region" in client.get(DATA + "/users/$storage?region=mars").message


def check_pdf(data):
    """The table says where each object stands."""
    assert data.startswith(b"%PDF-1.") and data.endswith(b"%%EOF\n")
    begin = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
    assert data[begin:].startswith(b"xref\n0 6\n")
    for number, line in enumerate(data[begin:].split(b"\n")[2:8]):
        if number:
            assert data[int(line[:10]):].startswith(b"%d 0 obj" % number)


# ---- masks and the rest ----

def test_field_masks(client):
    def masked(path, mask):
        return client.ok("GET", path, headers={"X-Fields": mask})
    assert masked(DATA + "/projects", "name")[0] == {"name": "demo"}
    assert set(masked(DATA + "/projects/demo-project", "{id, name}")) == {"id", "name"}
    s = study(client)
    assert masked(study_path(s), "patient{patientId}") == {"patient": {"patientId": "P0001"}}
    assert masked(study_path(s) + "/files", "files{fileSize}")["files"][0] == {"fileSize": 20}
    found = masked(f"{DATA}/hospitals/{NORTH}/studies" + query(**{"$filter": "studyId eq 'CTA'"}), "studyId")
    assert found == [{"studyId": "CTA"}, {"studyId": "CTA"}]
    answer = client.get(DATA + "/projects", headers={"X-Fields": "{name"})
    assert answer.status == 400 and "X-Fields" in answer.message


def test_audit_trail_is_kept(client):
    client.ok("POST", "/api/auth/audit-trail", {"eventType": "login", "arguments": "a"})
    entry = client.ok("GET", "/__audit")[-1]
    assert entry["eventType"] == "login" and entry["user"] == "demo@example.com"
