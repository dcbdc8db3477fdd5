# SPDX-License-Identifier: MIT
"""The sandbox's sign-in: grants, tokens, CSRF, roles, S3 credentials."""

import base64
import json
import os
import re
import stat
import time

import botocore.exceptions
import pytest

from rest_client import RestClient
from sandbox import Sandbox

SEED = "demo"
SERVICE = "upload-station@demo"


def key_file(sandbox):
    return sandbox.data / f"{SERVICE}.pem"


@pytest.fixture
def service(sandbox):
    return RestClient(sandbox.url).login_service(SERVICE, key_file(sandbox))


# ---- password ----

def test_login_responds_as_clients_expect(sandbox):
    answer = RestClient(sandbox.url).post("/api/auth/login", {
        "grantType": "password", "username": "demo@example.com", "password": "demo"})
    assert answer.status == 200
    assert answer.json["sub"] == "demo@example.com" and answer.json["CSRFToken"]
    cookies = answer.headers.get_all("Set-Cookie")
    assert len(cookies) == 2
    assert cookies[0].startswith("jwt_header_payload=") and "Max-Age=" in cookies[0]
    assert cookies[1].startswith("jwt_signature=")
    # A client that joins the lines with a comma still reads both.
    assert not any(c.rstrip().endswith(("Secure", "Max-Age=3600")) for c in cookies)


def test_token_claims(client):
    claims = client.claims()
    assert claims["sub"] == "demo@example.com" and claims["refresh_token"] and claims["uid"]
    assert 0 < claims["exp"] - time.time() <= client.max_age


@pytest.mark.parametrize("body, status", [
    ({"grantType": "password", "username": "demo@example.com", "password": "wrong"}, 401),
    ({"grantType": "password", "username": "nobody@example.com", "password": "demo"}, 401),
    ({"grantType": "password", "username": "demo@example.com"}, 400),
    ({"grantType": "password", "username": "demo@example.com", "password": 5}, 400),
    ({"grantType": "magic"}, 400),
    ({}, 400),
    ([], 400),
    ("text", 400),
])
def test_login_refused(sandbox, body, status):
    answer = RestClient(sandbox.url).post("/api/auth/login", body)
    assert answer.status == status and answer.message
    assert not answer.headers.get_all("Set-Cookie")


@pytest.mark.parametrize("raw, status", [(b"{", 400), (b"", 400), (b'{"a":1}x', 400),
                                         (b"\xff", 400), (b"[" * 1000, 400)])
def test_login_body_that_is_no_json(sandbox, raw, status):
    answer = RestClient(sandbox.url).post("/api/auth/login", raw=raw)
    assert answer.status == status and answer.message


def test_body_must_be_sent_as_json(sandbox):
    answer = RestClient(sandbox.url).post("/api/auth/login", {}, headers={
        "Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 415


# ---- tokens ----

def test_token_is_needed(sandbox):
    answer = RestClient(sandbox.url).get("/api/data/projects")
    assert answer.status == 401 and "X-JWT" in answer.message


def test_changed_token_is_refused(client):
    head, payload, signature = client.jwt.split(".")
    claims = client.claims()
    claims["exp"] += 1000
    other = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    for token in (f"{head}.{other}.{signature}", f"{head}.{payload}.", f"{head}.{payload}", "",
                  "a.b.c", client.jwt + "x", "." * 3):
        assert client.get("/api/data/projects", headers={"X-JWT": token}).status == 401, token


def test_unsigned_token_is_refused(client):
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    token = f"{head}.{client.jwt.split('.')[1]}."
    assert client.get("/api/data/projects", headers={"X-JWT": token}).status == 401


def test_csrf_is_needed_and_must_match(client):
    assert client.get("/api/data/projects", headers={"X-CSRF-TOKEN": None}).status == 401
    assert client.get("/api/data/projects", headers={"X-CSRF-TOKEN": "x"}).status == 403
    other = RestClient("http://" + client.host).login()
    assert client.get("/api/data/projects", headers={"X-CSRF-TOKEN": other.csrf}).status == 403


def test_introspect_describes_the_session(client):
    answer = client.ok("GET", "/api/auth/introspect")
    assert answer["sub"] == "demo@example.com" and answer["exp"] == client.claims()["exp"]
    assert answer["active"] is True and answer["identity_type"] == "User"


def test_refresh_keeps_the_csrf_token_of_the_login(client):
    before, csrf = client.jwt, client.csrf
    answer = client.refresh()
    assert client.jwt != before and answer.json["CSRFToken"] != csrf
    assert client.get("/api/data/projects").status == 200
    assert client.get("/api/data/projects",
                      headers={"X-CSRF-TOKEN": answer.json["CSRFToken"]}).status == 403


def test_logout_ends_the_session_at_once(client):
    client.refresh()
    answer = client.post("/api/auth/logout", raw=b"", headers={"X-CSRF-TOKEN": None})
    assert answer.status == 200 and answer.json == {"success": True}
    for path in ("/api/data/projects", "/api/auth/introspect"):
        assert client.get(path).status == 401
    assert client.post("/api/auth/refresh").status == 401


def test_logout_of_one_session_leaves_others(sandbox, client):
    other = RestClient(sandbox.url).login()
    client.post("/api/auth/logout")
    assert other.get("/api/data/projects").status == 200


def test_token_expires():
    with Sandbox(seed="demo", token_lifetime=1) as sandbox:
        client = RestClient(sandbox.url).login()
        assert client.max_age == 1
        while time.time() < client.claims()["exp"]:
            time.sleep(0.05)
        answer = client.get("/api/data/projects")
        assert answer.status == 401 and "expired" in answer.message
        assert client.post("/api/auth/refresh").status == 401


def test_session_survives_kill_and_restart():
    with Sandbox(seed="demo") as sandbox:
        client = RestClient(sandbox.url).login()
        sandbox.kill()
        sandbox.start()
        assert client.get("/api/data/projects").status == 200
        assert RestClient(sandbox.url).login_service(SERVICE, key_file(sandbox)).jwt


# ---- tokens that the server has seen before ----

def test_used_token_counts_as_long_as_its_session(sandbox, client):
    other = RestClient(sandbox.url).login()
    for one in (client, other):
        for _ in range(3):
            one.ok("GET", "/api/data/projects")
    assert client.get("/api/data/projects", headers={"X-CSRF-TOKEN": None}).status == 401
    assert client.get("/api/data/projects", headers={"X-CSRF-TOKEN": other.csrf}).status == 403
    swapped = client.jwt[:-1] + ("A" if client.jwt[-1] != "A" else "B")
    assert client.get("/api/data/projects", headers={"X-JWT": swapped}).status == 401
    client.post("/api/auth/logout")
    assert client.get("/api/data/projects").status == 401
    assert other.get("/api/data/projects").status == 200


def test_used_token_expires():
    with Sandbox(seed="demo", token_lifetime=2) as sandbox:
        client = RestClient(sandbox.url).login()
        client.ok("GET", "/api/data/projects")
        while time.time() < client.claims()["exp"]:
            time.sleep(0.05)
        answer = client.get("/api/data/projects")
        assert answer.status == 401 and "expired" in answer.message


def test_used_tokens_of_one_user_before_and_after_a_refresh(client):
    before = client.jwt
    client.ok("GET", "/api/auth/introspect")
    client.refresh()
    assert client.jwt != before
    assert client.ok("GET", "/api/auth/introspect")["exp"] == client.claims()["exp"]
    client.post("/api/auth/logout")
    for token in (before, client.jwt):
        assert client.get("/api/auth/introspect", headers={"X-JWT": token}).status == 401


# ---- service identities ----

def test_key_file_is_private(sandbox):
    assert stat.S_IMODE(os.stat(key_file(sandbox)).st_mode) == 0o600


def test_service_token(service):
    claims = service.claims()
    assert claims["sub"] == SERVICE and "refresh_token" not in claims
    assert service.ok("GET", "/api/auth/introspect")["identity_type"] == "Service"
    assert service.post("/api/auth/refresh").status == 400


@pytest.mark.parametrize("claims", [
    {"aud": ["https://elsewhere"]}, {"aud": None}, {"exp": 1}, {"exp": None}, {"exp": "soon"},
    {"iss": "someone"}, {"sub": "someone"}, {"iss": "nobody", "sub": "nobody"},
    {"exp": 99999999999}, {"exp": 2**63 - 1}, {"exp": -2**63}, {"nbf": 99999999999}])
def test_assertion_refused(sandbox, claims):
    client = RestClient(sandbox.url)
    try:
        assertion = client.assertion(SERVICE, key_file(sandbox), **claims)
    except TypeError:
        pytest.fail("PyJWT refuses to make this assertion")
    answer = client.login_assertion(assertion)
    assert answer.status == 401 and "assertion" in answer.message


def test_assertion_with_another_key_or_algorithm_is_refused(sandbox, tmp_path):
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    client = RestClient(sandbox.url)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    other = tmp_path / "other.pem"
    other.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                        serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption()))
    assert client.login_assertion(client.assertion(SERVICE, other)).status == 401
    right = client.assertion(SERVICE, key_file(sandbox))
    claims = jwt.decode(right, options={"verify_signature": False})
    for token in (jwt.encode(claims, "secret", algorithm="HS256"),
                  jwt.encode(claims, None, algorithm="none"), right[:-4] + "AAAA", "x", "a.b.c"):
        assert client.login_assertion(token).status == 401


def test_service_identity_can_be_made_and_deleted(sandbox, client, tmp_path):
    made = client.ok("POST", "/api/data/organizations/demo-north/services", {"name": "station"},
                     status=201)
    assert re.fullmatch("-----BEGIN RSA PRIVATE KEY-----MII[A-Za-z0-9+/]+=*-----END RSA PRIVATE KEY-----",
                        made["privateKey"])  # one line: the existing client wraps it
    key = tmp_path / "station.pem"
    key.write_text("\n".join(re.findall("-----[A-Z ]+-----|[^-]{1,64}", made["privateKey"])))
    station = RestClient(sandbox.url).login_service(made["serviceId"], key)
    listed = client.ok("GET", "/api/data/organizations/demo-north/services")
    assert [s["serviceId"] for s in listed] == [made["serviceId"]]
    assert "privateKey" not in listed[0]
    path = f"/api/data/organizations/demo-north/services/{made['serviceId']}"
    assert station.request("DELETE", path).status == 403
    client.ok("DELETE", path, status=204)
    assert station.get("/api/data/projects").status == 401
    assert RestClient(sandbox.url).login_assertion(
        station.assertion(made["serviceId"], key)).status == 401


# ---- roles and S3 credentials ----

def study_prefix(client):
    institute = client.institute()
    return client.ok("GET", f"/api/data/hospitals/{institute['id']}/studies")[0]["s3Prefix"]


def test_service_may_upload_and_not_download(client, service):
    prefix = study_prefix(client) + "files/"
    assert service.credentials("PUT", prefix).status == 200
    refused = service.credentials("GET", prefix)
    assert refused.status == 403 and "upload only" in refused.message


def test_viewer_may_download_and_not_upload(sandbox):
    viewer = RestClient(sandbox.url).login("viewer@example.com", "viewer")
    prefix = study_prefix(viewer) + "files/"
    assert viewer.credentials("GET", prefix).status == 200
    assert viewer.credentials("PUT", prefix).status == 403
    institute = viewer.institute()
    answer = viewer.post(f"/api/data/hospitals/{institute['id']}/studies", {"studyType": "Study"})
    assert answer.status == 403
    assert viewer.post("/api/data/projects", {"name": "x"}).status == 403


def test_credentials_fields(sandbox, client):
    prefix = study_prefix(client) + "files/"
    answer = client.credentials("GET", prefix).json["policyCredentials"]
    assert len(answer) == 1
    credentials = answer[0]["credentials"]
    assert credentials["bucket"] == "igtcloud" and credentials["region"] == "eu-central-1"
    assert credentials["endpoint"] == sandbox.url
    left = time.mktime(time.strptime(credentials["expires"], "%Y-%m-%dT%H:%M:%S")) - time.mktime(
        time.gmtime())
    assert 0 < left <= 24 * 3600
    assert answer[0]["allowed"]["resources"] == [prefix + "*"]


@pytest.mark.parametrize("action, prefix, status", [
    ("DELETE", "demo-project/files/", 400), ("", "demo-project/files/", 400), ("GET", "", 400),
    ("GET", "demo-project/", 400), ("GET", "nowhere/files/", 400), ("GET", "/", 400),
    ("GET", "demo-project/demo-north/studies/", 400), ("GET", "d", 400),
    ("GET", "demo-project/demo-north/studies/unknown/files/", 400),
    ("GET", "demo-epd-project/unknown/Import/", 400), ("GET", "x" * 2000, 400),
    ("GET", "demo-project/files/", 200), ("PUT", "demo-project/demo-north/Import/1/", 200)])
def test_credentials_prefix(client, action, prefix, status):
    assert client.credentials(action, prefix).status == status


def test_credentials_open_their_prefix_and_nothing_else(sandbox, client):
    prefix = study_prefix(client)
    s3 = client.s3(sandbox, "GET", prefix + "files/")
    body = s3.get_object(Bucket="igtcloud", Key=prefix + "files/report.txt")["Body"].read()
    assert body == b"Nothing remarkable.\n"
    for key in (prefix + "annotations/vessel.json", "demo-project/files/protocol.txt"):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            s3.get_object(Bucket="igtcloud", Key=key)
        assert error.value.response["Error"]["Code"] == "AccessDenied"
    with pytest.raises(botocore.exceptions.ClientError):
        s3.put_object(Bucket="igtcloud", Key=prefix + "files/x", Body=b"x")


# ---- paths ----

@pytest.mark.parametrize("method, path, status", [
    ("GET", "/api/data/nothing", 404), ("GET", "/api/", 404), ("GET", "/api/data/projects/", 404),
    ("PUT", "/api/data/projects", 405), ("GET", "/api/data/projects/%00", 404),
    ("GET", "/api/data/projects/%zz", 404), ("GET", "/api/data/projects/..", 404),
    ("GET", "/api/data/projects/unknown", 404), ("GET", "/api/auth/login", 405),
    ("GET", "/api/data/projects/demo%2Dproject", 200), ("GET", "/api/data/users/me", 200)])
def test_paths(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status == status
    assert status == 200 or answer.message
