# SPDX-License-Identifier: MIT
"""Tokens and S3 credentials that run out while a transfer runs."""

import pytest

import cloud as c
from igtcloud import Program
from promise import promise

STUDIES = 6


def seed():
    users = c.SEED["users"] + [{"name": "viewer@example.com", "password": "demo",
                                "roles": ["DATA_MANAGER"]}]
    studies = [{"name": f"s{n}", "files": [{"path": "f", "size": c.MIB}]} for n in range(STUDIES)]
    return {"users": users, "services": c.SEED["services"], "projects": [
        {"name": "p", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": studies}]},
        {"name": "film", "projectTypeName": "EPD", "institutes": [{"name": "lab", "studies": [
            {"name": "case", "files": [{"path": "film.bin", "size": 25 * c.MIB + 1}]}]}]},
        {"name": "target", "projectTypeName": "EPD", "institutes": [{"name": "lab"}]}]}


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "home"
    path.mkdir()
    return path


@promise("Long runs",
         "S3 credentials valid for two seconds, and a file that takes five",
         "renewed before they expire or when the store rejects them; no byte is transferred "
         "twice")
def test_s3_credentials(tmp_path, home):
    with c.start(tmp_path, seed=seed(), s3_lifetime=2) as cloud:
        Program(cloud.url, home).run("download", "--bwlimit", "6M", "--connections", "2",
                                     tmp_path / "out", "film", timeout=120)
        log = cloud.requests()
        gets = [r for r in c.objects(log) if r["status"] == 206]
        assert sum(r["bytesOut"] for r in gets) == 25 * c.MIB + 1
        assert len({r["accessKey"] for r in gets}) >= 2
        assert len(c.rest(log, "/s3credentials")) <= 12
        c.same(c.files(tmp_path / "out"), c.stored(cloud, "film"))


@promise("Long runs",
         "the same during a multipart upload",
         "renewed; parts already stored are kept")
def test_s3_credentials_up(tmp_path, home):
    expected = c.local_tree(tmp_path / "up", studies=1, large=25 * c.MIB)
    with c.start(tmp_path, seed=seed(), s3_lifetime=2) as cloud:
        Program(cloud.url, home).run("upload", "--bwlimit", "6M", "--connections", "2",
                                     tmp_path / "up", "target", timeout=120)
        log = cloud.requests()
        assert len({r["accessKey"] for r in log if r["part"]}) >= 2
        assert len({r["query"].split("uploadId=")[1] for r in log if r["part"]}) == 1
        c.same(c.content_of(cloud, expected), expected)


@promise("Long runs",
         "the store rejects credentials early, for a dozen requests at once",
         "one renewal serves all of them")
def test_one_renewal_for_all(tmp_path, home):
    seeds = seed()
    seeds["projects"][0]["institutes"][0]["studies"] = [
        {"name": "s", "files": [{"path": f"f{n}", "size": 50000} for n in range(30)]}]
    with c.start(tmp_path, "--latency", "100", seed=seeds) as cloud:
        cloud.faults({"fault": "expired-token", "path": c.S3, "method": "GET", "times": 10})
        Program(cloud.url, home).run("download", "--connections", "10", tmp_path / "out", "p")
        log = cloud.requests()
        assert len([r for r in log if r["fault"]]) == 10
        assert len(c.rest(log, "/s3credentials")) <= 3
        assert len(c.files(tmp_path / "out")) == 30


@promise("Long runs",
         "a service's access token valid for two seconds",
         "signed in again with the key as often as needed")
def test_service_token(tmp_path, home):
    expected = c.local_tree(tmp_path / "up", studies=5, large=0)
    for n, name in enumerate({k.split("/")[0] for k in expected}):
        data = bytes([n]) * c.MIB
        c.write(tmp_path / "up/lab", {f"{name}/more.bin": data})
        expected[f"{name}/more.bin"] = data
    with c.start(tmp_path, seed=seed(), token_lifetime=2, s3_lifetime=2) as cloud:
        Program(cloud.url, home).run(
            "upload", "--service-file", cloud.data / "station@trial.pem", "--bwlimit", "1M",
            "--concurrent-studies", "2", tmp_path / "up", "target", sign_in=False, timeout=120)
        logins = [r for r in c.rest(cloud.requests(), "/login") if r["method"] == "POST"]
        assert 2 <= len(logins) <= 20
        c.same(c.content_of(cloud, expected), expected)


@promise("Long runs",
         "the cloud ends the session during a transfer: 401",
         "one renewal for all waiting requests, then the transfer continues")
@pytest.mark.smoke
def test_one_renewal_after_401(tmp_path, home):
    with c.start(tmp_path, seed=seed()) as cloud:
        cloud.faults({"fault": "unauthorized", "path": "**/files", "method": "GET"})
        Program(cloud.url, home).run("download", "--concurrent-studies", "1", tmp_path / "out", "p")
        log = cloud.requests()
        assert len(c.rest(log, "/refresh")) + len(c.rest(log, "/login")) == 2
        assert len(c.files(tmp_path / "out")) == STUDIES


@promise("Long runs",
         "the local clock is hours off",
         "detected from the server's `Date` header and reported once; the server's time is "
         "used")
@pytest.mark.parametrize("hours", [-3, 5])
def test_a_clock_hours_off(tmp_path, home, hours):
    c.local_tree(tmp_path / "up", studies=2, large=9 * c.MIB)
    with c.start(tmp_path, "--clock", str(hours * 3600), seed=seed()) as cloud:
        igtcloud = Program(cloud.url, home)
        up = igtcloud.run("upload", tmp_path / "up", "target")
        down = igtcloud.run("download", tmp_path / "out", "p")
        log = cloud.requests()
        service = igtcloud.run("upload", "--service-file", cloud.data / "station@trial.pem",
                               tmp_path / "up", "target", sign_in=False)
        for done in (up, down, service):
            assert done.err.count("clock") <= 2, done
        assert "clock" in down.err, down
        assert len([r for r in c.objects(log) if r["status"] == 403]) <= 16
        assert len(c.files(tmp_path / "out")) == STUDIES
