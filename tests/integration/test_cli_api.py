# SPDX-License-Identifier: MIT
"""`igtcloud api`: one request of any kind, and what the description says."""

import json
import subprocess

import pytest

from igtcloud import DENIED, FAILED, NOT_FOUND, USAGE, Program, environment
from rest_client import RestClient
from sandbox import ROOT

SEED = "demo"


@pytest.fixture
def session(cloud):
    """The environment of an existing session."""
    client = RestClient(cloud.url).login()
    return {"CLOUD_JWT_TOKEN": client.jwt, "CLOUD_CSRF_TOKEN": client.csrf}


@pytest.mark.smoke
def test_get_prints_the_response_unchanged(cloud, igtcloud):
    expected = RestClient(cloud.url).login().get("/api/data/projects").body
    for path in ("/api/data/projects", "data/projects", "api/data/projects"):
        assert igtcloud.run("api", "GET", path).out == expected + b"\n"
    assert igtcloud.run("api", "get", "data/projects").out == expected + b"\n"


def test_fields_of_a_get_are_its_query(igtcloud):
    path = "data/hospitals/demo-north/studies"
    every = json.loads(igtcloud.run("api", "GET", path).out)
    some = json.loads(igtcloud.run("api", "GET", path, "-f", "$filter=studyId eq 'CTA'").out)
    assert len(every) == 3 and [s["studyId"] for s in some] == ["CTA", "CTA"]
    assert json.loads(igtcloud.run("api", "GET", path + "?x=y", "--field",
                                   "$filter=studyId eq 'CTA'").out) == some


def test_body_of_fields(igtcloud):
    """Typed as the description says: isPrefix is a boolean, a number is one."""
    made = json.loads(igtcloud.run("api", "POST", "data/applications", "-f", "appId=viewer 1",
                                   "-f", "enabled=true", "-f", "name=Viewer").out)
    assert made["enabled"] is True and made["name"] == "Viewer"
    done = igtcloud.run("api", "PUT", f"data/applications/{made['id']}", "-f", "enabled:=false",
                        "-f", "appId=viewer 1", "-f", "name=Viewer")
    assert json.loads(done.out)["enabled"] is False
    assert igtcloud.run("api", "DELETE", f"data/applications/{made['id']}").out == b""
    assert "no field" in igtcloud.run("api", "POST", "data/applications", "-f", "colour=red",
                                      status=USAGE).err


def test_body_of_a_file(igtcloud, session, tmp_path):
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"studyType": "Study", "studyId": "X",
                                "patient": {"patientId": "PX", "patientName": "PX"}}))
    made = json.loads(igtcloud.run("api", "POST", "data/hospitals/demo-empty/studies", "--input",
                                   body).out)
    assert made["studyIdHumanReadable"] == "PX/X"
    body.write_text('{"studyComments": "from a pipe"}')
    path = f"data/hospitals/demo-empty/studies/{made['studyDatabaseId']}/study_comments"
    with open(body, "rb") as source:
        done = subprocess.run(igtcloud.command("api", "POST", path, "--input", "-",
                                               sign_in=False), stdin=source, capture_output=True,
                              env=environment(igtcloud.home, **session), timeout=60)
    assert done.returncode == 0 and json.loads(done.stdout)["studyComments"] == "from a pipe"
    igtcloud.run("api", "POST", path, "--input", "-", status=USAGE)
    igtcloud.run("api", "POST", path, "--input", tmp_path / "no.json", status=USAGE)


def test_a_file_comes_as_it_is(igtcloud):
    data = igtcloud.run("api", "GET", "data/projects/demo-project/download-files").out
    assert data[:4] == b"PK\x03\x04" and not data.endswith(b"\n\n")


def test_an_operation_that_is_open_to_all(cloud, igtcloud):
    done = igtcloud.run("api", "GET", "auth/login/$aud", sign_in=False)
    assert json.loads(done.out) == cloud.url + "/oauth2/access_token"


def test_one_request_and_no_other(cloud, igtcloud, session):
    """With an existing session, the request log has only this one."""
    cloud.clear()
    igtcloud.run("api", "GET", "data/project-types", sign_in=False, env=session)
    assert [(r["method"], r["path"]) for r in cloud.requests()] == [
        ("GET", "/api/auth/introspect"), ("GET", "/api/data/project-types")]
    cloud.clear()
    igtcloud.run("api", "GET", "auth/login/$aud", sign_in=False)
    assert [r["path"] for r in cloud.requests()] == ["/api/auth/login/$aud"]


def test_refusals_set_the_exit_status(igtcloud):
    done = igtcloud.run("api", "GET", "data/hospitals/nope/studies", status=NOT_FOUND)
    assert "get_studies" in done.err and done.out == b""
    igtcloud.run("api", "POST", "data/hospitals/demo-empty/studies", status=FAILED)
    igtcloud.run("api", "TRACE", "data/projects", status=USAGE)
    for path in ("data/../auth/login", "data//projects", "data/a b", "data/{id}", "data/#x"):
        igtcloud.run("api", "GET", path, status=USAGE)
    igtcloud.run("api", "GET", "data/projects", "-f", "x", status=USAGE)
    igtcloud.run("api", "GET", status=USAGE)
    igtcloud.run("api", status=USAGE)
    igtcloud.user, igtcloud.password = "viewer@example.com", "viewer"
    igtcloud.run("api", "DELETE", "data/projects/demo-project", status=DENIED)


def test_a_post_is_never_sent_twice(cloud, igtcloud, canned):
    canned({"method": "POST", "path": "/api/data/epd-sites", "status": 500, "times": 1,
            "body": {"message": "perhaps"}})
    done = igtcloud.run("api", "POST", "data/epd-sites", "-f", "name=new site", status=FAILED)
    assert "perhaps" in done.err
    assert b"new site" not in igtcloud.run("api", "GET", "data/epd-sites").out


def test_headers_of_the_request(igtcloud):
    every = json.loads(igtcloud.run("api", "GET", "data/projects").out)
    some = json.loads(igtcloud.run("api", "GET", "data/projects", "-H", "X-Fields: id,name").out)
    assert len(some) == len(every) and all(set(one) == {"id", "name"} for one in some)
    for header in ("X-JWT: forged", "no colon", ": x", "Host: elsewhere", "X A: b"):
        igtcloud.run("api", "GET", "data/projects", "--header", header, status=USAGE)


def test_headers_of_the_response(igtcloud):
    head, body = igtcloud.run("api", "GET", "data/projects", "-i").out.split(b"\n\n", 1)
    assert head.startswith(b"HTTP 200\n") and json.loads(body)
    assert b"content-type: application/json" in head.lower()
    done = igtcloud.run("api", "GET", "data/hospitals/nope/studies", "-i", status=NOT_FOUND)
    head, body = done.out.split(b"\n\n", 1)
    assert head.startswith(b"HTTP 404\n") and "message" in json.loads(body)
    assert "get_studies" in done.err


def test_a_time_limit(igtcloud, cloud):
    cloud.faults({"fault": "silence", "path": "/api/data/epd-sites", "seconds": 100, "times": 0})
    done = igtcloud.run("api", "GET", "data/epd-sites", "--max-time", "0.2", status=FAILED)
    assert "time limit" in done.err


# ---- the description ----

METHODS = "get put post delete patch"  # the order of the description's page


def operations():
    for name, base in (("auth", "/api/auth"), ("action", "/api/action"), ("entities", "/api/data")):
        spec = json.loads((ROOT / "api" / f"{name}.json").read_text())
        for path, item in spec["paths"].items():
            for method, node in sorted(item.items(), key=lambda i: METHODS.find(i[0])):
                if method != "parameters":
                    yield node["operationId"], method.upper(), base + path, node


def offline(*arguments, **options):
    return Program(None, "/nonexistent").run("api", *arguments, sign_in=False, **options)


def test_list_has_every_operation():
    listed = [line.split("\t")[:3] for line in offline("--list").text.splitlines()]
    assert listed == [[method, path, name] for name, method, path, _ in operations()]
    assert len(offline("--list", "--json").lines) == 103


def test_describe_every_operation():
    for one, (name, method, path, node) in zip(offline("--list", "--json").lines, operations()):
        assert (one["operation"], one["method"], one["path"]) == (name, method, path)
        for parameter in node.get("parameters", []):
            if parameter["in"] != "body":
                assert parameter["name"] in [p["name"] for p in one["parameters"]]
    shown = offline("--describe", "post_studies").text
    assert "POST /api/data/hospitals/{hospital_id}/studies" in shown and "Body: RootStudy" in shown
    assert "studyType" in shown and "required" in shown


def test_describe_a_model():
    shown = offline("--describe", "EpdStudy").text
    assert "extends RootStudy" in shown and "imagedChambers" in shown
    one, = offline("--describe", "Project", "--json").lines
    assert {f["name"]: f["readOnly"] for f in one["fields"]}["id"] is True
    assert "--list" in offline("--describe", "nothing", status=USAGE).err
    offline("--describe", "Project", "--list", status=USAGE)
