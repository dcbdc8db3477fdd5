# SPDX-License-Identifier: MIT
"""SIGKILL at any moment, then the same command: it completes, and moves only what was missing."""

import os
import random
import signal
import time

import pytest

import cloud as c
from igtcloud import Program, ranges_in_journal
from promise import promise

# `make check-long`: 200 in all, in `make check` 10.
KILLS = 100 if os.environ.get("IGTCLOUD_LONG") else 5
FILM = 25 * c.MIB + 1
RANGE = 8 * c.MIB


@pytest.fixture
def state(tmp_path):
    """The journal that all runs of a test share, beside their folders."""
    return ["--journal", tmp_path / "journal.db"]


def kill_at_random(igtcloud, rng, longest, *arguments, **options):
    """Starts it and kills it within `longest` seconds; its status, -9 if it was killed."""
    process = igtcloud.start(*arguments, **options)
    try:
        process.wait(rng.random() * longest)
    except Exception:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode


def run_time(igtcloud, *arguments):
    begin = time.monotonic()
    igtcloud.run(*arguments, timeout=120)
    return time.monotonic() - begin


@promise("Resume",
         "SIGKILL at random moments while a mixed tree is downloaded, repeatedly",
         "never a wrong file under its final name; the next run completes; nothing is left "
         "over")
def test_kills_of_downloads(cloud, igtcloud, tmp_path, state):
    expected, rng, out = c.stored(cloud, "mixed"), random.Random(4), tmp_path / "out"
    longest = run_time(igtcloud, "download", tmp_path / "first", "mixed") * 1.2
    done = 0
    for n in range(KILLS):
        status = kill_at_random(igtcloud, rng, longest, "download", *state, out, "mixed")
        assert status in (0, -9)
        final = c.finished(out) if out.exists() else {}
        c.same(final, {k: expected[k] for k in final})
        if status == 0:  # from the begin, with what it remembers or without
            done += 1
            out = tmp_path / f"out{n}"
    igtcloud.run("download", *state, out, "mixed")
    c.same(c.files(out), expected)
    assert c.leftovers(out) == []


@promise("Resume",
         "SIGKILL at random moments while a mixed tree is uploaded, repeatedly",
         "whatever the cloud calls complete is complete; the next run finishes; each study and "
         "file exists once")
def test_kills_of_uploads(cloud, igtcloud, tmp_path, state):
    rng = random.Random(5)
    first = c.local_tree(tmp_path / "first", seed=1, studies=1, large=9 * c.MIB)
    longest = run_time(igtcloud, "upload", tmp_path / "first", "target") * 1.2
    tree, n, kills, expected = None, 0, 0, dict(first)
    while kills < KILLS:
        if tree is None:
            tree, n = tmp_path / f"up{n}", n + 1
            expected.update(c.local_tree(tree, seed=n, studies=1, large=9 * c.MIB))
        status = kill_at_random(igtcloud, rng, longest, "upload", *state, tree, "target")
        assert status in (0, -9)
        kills += status == -9
        if status == 0 or rng.random() < 0.3:
            igtcloud.run("upload", *state, tree, "target")
            tree = None
    if tree:
        igtcloud.run("upload", *state, tree, "target")
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)
    names = c.Api(cloud).all_names("target")
    assert len(names) == len(set(names))


def killed_when(process, cloud, what):
    cloud.wait_for(what)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -9
    log = cloud.requests()
    cloud.clear()
    return log


@promise("Resume",
         "a download is killed inside a large file",
         "resumed; ranges in the journal are not requested again")
@pytest.mark.smoke
def test_a_large_download_resumes(cloud, igtcloud, tmp_path, state):
    expected = c.stored(cloud, "film")
    cloud.faults({"fault": "silence", "path": "**/film.bin", "method": "GET", "seconds": 600,
                  "skip": 3})
    process = igtcloud.start("download", *state, "--connections", "1", tmp_path / "out", "film")
    cloud.wait_for(lambda: any(r["fault"] for r in cloud.requests()))
    cloud.wait_for(lambda: ranges_in_journal(state[1]) == 3)
    before = killed_when(process, cloud, lambda: True)
    assert sum(r["status"] == 206 and r["took"] is not None for r in before) == 3
    igtcloud.run("download", *state, tmp_path / "out", "film")
    after = [r for r in cloud.requests(path="*/film.bin", method="GET")]
    assert sum(r["bytesOut"] for r in after) == FILM - 3 * RANGE, after
    assert [r["range"] for r in after] == [f"bytes={3 * RANGE}-{FILM - 1}"]
    c.same(c.files(tmp_path / "out"), expected)


@promise("Resume",
         "an upload is killed inside a large file",
         "resumed; parts in the store are not sent again, including the most recent ones")
def test_a_large_upload_resumes(cloud, igtcloud, tmp_path, state):
    expected = {f"{tmp_path.name}/film.bin": random.Random(1).randbytes(FILM)}
    c.write(tmp_path / "up/lab", expected)
    cloud.faults({"fault": "silence", "method": "PUT", "query": "partNumber=4&", "seconds": 600})
    process = igtcloud.start("upload", *state, tmp_path / "up", "target")
    before = killed_when(process, cloud, lambda: len(
        [r for r in cloud.requests() if r["part"] and r["status"] == 200]) >= 3)
    stored = sum(r["bytesIn"] for r in before if r["status"] == 200 and r["part"])
    igtcloud.run("upload", *state, tmp_path / "up", "target")
    log = cloud.requests()
    # The fourth part's bytes had all arrived, so the store may or may not have it.
    assert sum(r["bytesIn"] for r in log if r["part"]) <= FILM - stored, log
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)


@promise("Resume",
         "an upload is killed after its last part was stored or the object was assembled, "
         "before the cloud was notified",
         "no byte is sent again; the cloud is notified")
@pytest.mark.parametrize("moment", [{"query": "uploadId=", "method": "POST"},
                                    {"path": "**/$file-upload-completed"}])
def test_killed_before_the_cloud_is_notified(cloud, igtcloud, tmp_path, state, moment):
    expected = {f"{tmp_path.name}/film.bin": random.Random(2).randbytes(9 * c.MIB)}
    c.write(tmp_path / "up/lab", expected)
    cloud.faults({"fault": "silence", "seconds": 600, **moment})
    process = igtcloud.start("upload", *state, tmp_path / "up", "target")
    cloud.wait_for(lambda: cloud.requests(fault=None) and any(
        r["took"] is None and (r["method"], r["part"]) == ("POST", None) and
        ("uploadId=" in r["query"] or "completed" in r["path"]) for r in cloud.requests()))
    killed_when(process, cloud, lambda: True)
    igtcloud.run("upload", *state, tmp_path / "up", "target")
    assert sum(r["bytesIn"] for r in c.objects(cloud.requests(), "PUT")) == 0
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)


@promise("Resume",
         "the file changes between the killed upload and the next run",
         "sent again from the start; one object never holds parts of two versions")
def test_file_changed_between_runs(cloud, igtcloud, tmp_path, state):
    path = tmp_path / "up/lab" / tmp_path.name / "film.bin"
    c.write(path.parent, {"film.bin": bytes(17 * c.MIB)})
    cloud.faults({"fault": "silence", "method": "PUT", "query": "partNumber=3&", "seconds": 600})
    process = igtcloud.start("upload", *state, tmp_path / "up", "target")
    killed_when(process, cloud, lambda: len(
        [r for r in cloud.requests() if r["part"] and r["status"] == 200]) >= 2)
    c.write(path.parent, {"film.bin": b"\1" * 17 * c.MIB})
    igtcloud.run("upload", *state, tmp_path / "up", "target")
    cloud.clear()
    expected = {f"{tmp_path.name}/film.bin": b"\1" * 17 * c.MIB}
    c.same(c.content_of(cloud, expected), expected)


@promise("Resume", "the store no longer knows the upload to be resumed", "started again")
def test_upload_unknown_to_the_store(cloud, igtcloud, tmp_path, state):
    expected = {f"{tmp_path.name}/film.bin": random.Random(3).randbytes(17 * c.MIB)}
    c.write(tmp_path / "up/lab", expected)
    cloud.faults({"fault": "silence", "method": "PUT", "query": "partNumber=3&", "seconds": 600})
    process = igtcloud.start("upload", *state, tmp_path / "up", "target")
    killed_when(process, cloud, lambda: len(
        [r for r in cloud.requests() if r["part"] and r["status"] == 200]) >= 2)
    s3 = cloud.boto3()
    for upload in s3.list_multipart_uploads(Bucket=c.BUCKET).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=c.BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    igtcloud.run("upload", *state, tmp_path / "up", "target")
    c.same(c.content_of(cloud, expected), expected)


@promise("Resume",
         "the sandbox itself is killed during a transfer and restarted",
         "the transfer continues; every file arrives")
def test_server_killed(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with c.start(tmp_path) as cloud:
        igtcloud = Program(cloud.url, home)
        process = igtcloud.start("download", "--bwlimit", "10M", tmp_path / "out", "mixed")
        cloud.wait_for(lambda: len(c.objects(cloud.requests())) > 3)
        cloud.kill()
        cloud.start()
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        c.same(c.files(tmp_path / "out"), c.stored(cloud, "mixed"))
