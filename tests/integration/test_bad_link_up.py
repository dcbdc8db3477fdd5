# SPDX-License-Identifier: MIT
"""Uploads over links on which connections break: parts are small there, and what is stored counts."""

import base64
import contextlib
import hashlib
import re
import signal
import sqlite3

import pytest

from bad_link import BadLink
from igtcloud import SOME_FAILED, Program
from sandbox import BUCKET, seeded
from uploads import MIB, PART, Film, Place, epd, institute, items, pattern, put, seed

SIZE = 3 * PART + 5


@contextlib.contextmanager
def cloud_behind(tmp_path, **bad):
    with BadLink(**bad) as link, \
            seeded(tmp_path, seed(epd(institute("lab"))), extra=["--public-url", link.url]) as cloud:
        link.target = cloud.port
        yield link, cloud


def test_a_line_that_is_cut(tmp_path, home):
    """Each cut costs the parts in flight; since others were stored, it does not count as a retry."""
    files = {"film.bin": pattern(SIZE)}
    with cloud_behind(tmp_path, up=10e6, cut_up=12 * MIB) as (link, cloud):
        put(tmp_path / "up/lab/case", files)
        done = Program(cloud.url, home).run("upload", "--json", "--retries", "1", "--connections", "2",
                                            tmp_path / "up", "up")
        Place(cloud, "lab", "up").is_whole("case", files)
        assert link.cuts >= 1
        assert items(done, kind="file")[0]["digest"].startswith(f"sha256-parts-{PART}:")


def test_cp_over_a_line_that_is_cut(tmp_path, home):
    film = tmp_path / "film.bin"
    film.write_bytes(pattern(SIZE))
    with cloud_behind(tmp_path, up=10e6, cut_up=12 * MIB) as (link, cloud):
        igtcloud = Program(cloud.url, home)
        put(tmp_path / "up/lab/case", {"a": "a"})
        igtcloud.run("upload", tmp_path / "up", "up")
        igtcloud.run("cp", "--retries", "1", film, "igt:up/lab/case/files/film.bin")
        assert link.cuts >= 1
        Place(cloud, "lab", "up").is_whole("case", {"a": "a", "film.bin": film.read_bytes()})
        assert not uploads_of(cloud)


def uploads_of(cloud):
    return cloud.boto3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_cp_goes_on_after(tmp_path, home, number):
    """The same command again sends the parts that the store does not have."""
    film = tmp_path / "film.bin"
    film.write_bytes(pattern(SIZE))
    command = ("cp", "--journal", home / "journal", film, "igt:up/lab/case/files/film.bin")
    with cloud_behind(tmp_path, up=8e6) as (_, cloud):
        igtcloud = Program(cloud.url, home)
        put(tmp_path / "up/lab/case", {"a": "a"})
        igtcloud.run("upload", tmp_path / "up", "up")
        cloud.faults({"fault": "slow-down", "method": "PUT", "query": "partNumber=4&", "times": 0})
        process = igtcloud.start(*command)
        cloud.wait_for(lambda: [r for r in cloud.requests(method="PUT", path="**/film.bin", status=200)
                                if r["part"] == 1])
        process.send_signal(number)
        process.communicate(timeout=20)
        cloud.clear()
        igtcloud.run(*command)
        sent = cloud.requests(method="PUT", path="**/film.bin", status=200)
        assert sent and 1 not in [r["part"] for r in sent]
        Place(cloud, "lab", "up").is_whole("case", {"a": "a", "film.bin": film.read_bytes()})
        assert not uploads_of(cloud)


def begun(home):
    """Parts in flight, as the journal has them."""
    with contextlib.closing(sqlite3.connect(f"file:{home / 'journal'}?mode=ro", uri=True)) as journal:
        return [row[0] for row in journal.execute("SELECT number FROM part WHERE etag=''")]


@pytest.mark.parametrize("arrives", [True, False])
def test_what_was_in_flight_at_a_kill_may_arrive_later(tmp_path, home, arrives):
    """It comes last, and is sent only if the store does not have it by then."""
    with cloud_behind(tmp_path, up=4e6) as (_, cloud):
        film, igtcloud = Film(cloud, tmp_path, "lab"), Program(cloud.url, home)
        command = ("upload", "--journal", home / "journal", "--connections", "1", film.top, "up")
        cloud.faults({"fault": "reset", "method": "PUT", "path": "**/film.bin", "skip": 2, "times": 0})
        process = igtcloud.start(*command)
        cloud.wait_for(lambda: film.parts() == [1, 2] and begun(home) == [3])
        process.kill()
        process.communicate(timeout=20)
        cloud.clear()
        process, upload = igtcloud.start(*command), film.uploads()[0]
        cloud.wait_for(lambda: cloud.requests(method="GET", path="**/film.bin", status=200))
        if arrives:
            body = film.content[2 * PART:3 * PART]
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            cloud.boto3().upload_part(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"], PartNumber=3,
                                      Body=body, ChecksumSHA256=digest)
        assert process.communicate(timeout=30) and process.returncode == 0
        sent = [r["part"] for r in cloud.requests(method="PUT", path="**/film.bin", status=200)]
        assert sorted(sent) == [3, 4, 5] and (arrives or sent[-1] == 3)
        film.is_whole()


def test_two_at_once_over_a_line_that_is_cut(tmp_path, home):
    """Two runs of one tree share one study, one upload and its parts."""
    files = {"film.bin": pattern(SIZE), **{f"f{n}": str(n) for n in range(10)}}
    with cloud_behind(tmp_path, up=20e6, cut_up=SIZE - MIB) as (link, cloud):
        put(tmp_path / "up/lab/case", files)
        both = [Program(cloud.url, home).start("upload", tmp_path / "up", "up") for _ in range(2)]
        ends = [(p.communicate(timeout=120)[1].decode(), p.returncode) for p in both]
        assert [status for _, status in ends] == [0, 0], ends
        assert link.cuts >= 1
        place = Place(cloud, "lab", "up")
        assert place.names() == ["case"] and not uploads_of(cloud)
        place.is_whole("case", files)


def test_what_ends_a_file(tmp_path, home):
    with cloud_behind(tmp_path, up=10e6, cut_up=3 * MIB) as (_, cloud):
        put(tmp_path / "up/lab/case", {"film.bin": pattern(SIZE)})
        done = Program(cloud.url, home).run("upload", "--retries", "1", "--timeout", "1", tmp_path / "up", "up",
                                            status=SOME_FAILED)
        assert re.search(r"gave up after \d+ attempts without progress in \d", done.err), done


@pytest.mark.parametrize("size", [PART - 1, MIB])
def test_a_put_that_breaks_is_sent_again(tmp_path, home, size):
    files = {"a.bin": pattern(size)}
    with cloud_behind(tmp_path) as (_, cloud):
        put(tmp_path / "up/lab/case", files)
        cloud.faults({"fault": "reset", "method": "PUT", "path": "/igtcloud/**/a.bin", "times": 2})
        Program(cloud.url, home).run("upload", "--retries", "3", tmp_path / "up", "up")
        Place(cloud, "lab", "up").is_whole("case", files)


REGISTRATION = "/api/data/hospitals/*/studies/*/files"


def test_a_registration_longer_than_a_connection(tmp_path, home):
    """It is halved when it breaks again, and what is registered is progress: twice two failures with two
    retries."""
    files = {f"f{n}": str(n) for n in range(100)}
    with seeded(tmp_path, seed(epd(institute("lab")))) as cloud:
        put(tmp_path / "up/lab/case", files)
        for skip in 0, 1:
            cloud.faults({"fault": "reset", "method": "POST", "path": REGISTRATION, "times": 2, "skip": skip})
        Program(cloud.url, home).run("upload", "--retries", "2", tmp_path / "up", "up")
        Place(cloud, "lab", "up").is_whole("case", files)
        posts = cloud.requests(method="POST", path=REGISTRATION)
        whole = sum(r["bytesIn"] for r in posts if r["fault"] is None)
        assert [r["fault"] for r in posts][:5] == ["reset", "reset", None, "reset", "reset"], posts
        assert posts[2]["bytesIn"] < 0.6 * whole
        assert len(posts) <= 9


def test_registrations_over_a_line_that_is_cut(tmp_path, home):
    """500 files take 100 kB, and a connection lasts for 64 kB."""
    files = {f"{'a-long-name-' * 10}{n:03}": "" for n in range(500)}
    with BadLink(cut_up=64 * 1024) as link, seeded(tmp_path, seed(epd(institute("lab")))) as cloud:
        link.target = cloud.port
        put(tmp_path / "up/lab/case", files)
        Program(link.url, home).run("upload", "--retries", "3", tmp_path / "up", "up")
        assert link.cuts >= 2
        Place(cloud, "lab", "up").is_whole("case", files)


def test_what_ends_a_registration(tmp_path, home):
    with seeded(tmp_path, seed(epd(institute("lab")))) as cloud:
        put(tmp_path / "up/lab/case", {"a": "a", "b": "b"})
        cloud.faults({"fault": "reset", "method": "POST", "path": REGISTRATION, "times": 0})
        done = Program(cloud.url, home).run("upload", "--retries", "1", tmp_path / "up", "up", status=SOME_FAILED)
        assert re.search(r"gave up after 2 attempts without progress in \d", done.err), done
        assert "gave up" not in done.err.split("gave up", 1)[1].splitlines()[0], done
