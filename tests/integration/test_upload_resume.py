# SPDX-License-Identifier: MIT
"""Uploads of large files: in parts, killed and resumed, files that change on the way."""

import base64
import contextlib
import hashlib
import os
import pathlib
import signal
import sqlite3
import time

import pytest

from igtcloud import DONE, SOME_FAILED, program
from sandbox import BUCKET
from uploads import MULTIPART, Film, PART, Place, SIZE, epd, institute, items, pattern, put, seed

ODD = pathlib.Path(program()).parent / "tests/torture/odd_disk.so"
SEED = seed(epd(*[institute(f"lab{n}") for n in range(40)]))


counter = iter(range(40))


@pytest.fixture
def film(cloud, tmp_path):
    return Film(cloud, tmp_path, f"lab{next(counter)}")


def test_in_parts(cloud, igtcloud, film):
    done = igtcloud.run("upload", "--json", film.top, "up")
    film.is_whole()
    assert film.parts() == [1, 2, 3, 4, 5]
    sent = sum(r["bytesIn"] for r in cloud.requests(method="PUT", path="*/film.bin"))
    assert sent == SIZE and done.summary["bytesMoved"] == SIZE
    file = items(done, kind="file")[0]
    assert file["verified"] == "store" and file["digest"].startswith(f"sha256-parts-{PART}:")
    key = Place(cloud, film.lab, "up").study("case")["s3Prefix"] + "files/film.bin"
    head = cloud.boto3().head_object(Bucket=BUCKET, Key=key)
    assert head["ServerSideEncryption"] == "AES256" and head["ETag"].endswith('-5"')
    assert len(cloud.requests(method="POST", path="*upload-completed")) == 1


@pytest.mark.parametrize("size, parts", [(MULTIPART - 1, 0), (MULTIPART, 2), (2 * PART + 1, 3)])
def test_where_parts_begin(cloud, igtcloud, film, size, parts):
    film.content = pattern(size)
    film.path.write_bytes(film.content)
    igtcloud.run("upload", film.top, "up")
    film.is_whole()
    assert len(film.parts()) == parts


@pytest.mark.parametrize("number, status", [(signal.SIGKILL, -9), (signal.SIGTERM, 143),
                                            (signal.SIGINT, 130)])
def test_goes_on_after(cloud, igtcloud, film, number, status):
    ended, err = film.interrupted(igtcloud, number)
    assert ended == status
    if number != signal.SIGKILL:
        assert "run the same command again" in err
    assert film.stored() == [1, 2]
    done = igtcloud.run("upload", "--json", film.top, "up")
    film.is_whole()
    assert film.parts() == [3, 4, 5]
    moved = items(done, kind="file")[0]
    assert moved["moved"] == SIZE - 2 * PART and moved["size"] == SIZE
    cloud.clear()
    igtcloud.run("upload", film.top, "up")
    assert film.parts() == [] and film.uploads() == []


def test_a_part_that_the_journal_has_not(cloud, igtcloud, film):
    """Stored in the last moment of a killed run: its content shows that it is there."""
    film.interrupted(igtcloud, signal.SIGKILL)
    upload = film.uploads()[0]
    for number, body in ((4, film.content[3 * PART:4 * PART]), (5, b"wrong")):
        cloud.boto3().upload_part(
            Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"], PartNumber=number,
            Body=body, ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode())
    cloud.clear()
    igtcloud.run("upload", film.top, "up")
    film.is_whole()
    assert film.parts() == [3, 5]


def test_without_a_journal_it_begins_anew(cloud, igtcloud, film):
    film.interrupted(igtcloud, signal.SIGKILL, "--no-journal")
    igtcloud.run("upload", "--no-journal", film.top, "up")
    assert film.parts() == [1, 2, 3, 4, 5]
    Place(cloud, film.lab, "up").is_whole("case", {"film.bin": film.content})


def test_a_file_that_changed_between_two_runs(cloud, igtcloud, film):
    """Never parts of one state and parts of another."""
    film.interrupted(igtcloud, signal.SIGKILL)
    film.content = pattern(SIZE, seed=1)
    film.path.write_bytes(film.content)
    igtcloud.run("upload", film.top, "up")
    assert film.parts() == [1, 2, 3, 4, 5]
    film.is_whole()  # nor are the parts of the first state left in the store


def in_place(path, content, at=0):
    """Writes into a file and restores its times: size, modification time and inode number stay."""
    times = path.stat()
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    now = path.stat()
    assert (now.st_ino, now.st_mtime_ns, now.st_size) == (times.st_ino, times.st_mtime_ns,
                                                          times.st_size)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("what, again", [("whole", [1, 2, 3, 4, 5]), ("first", [1, 3, 4, 5]),
                                         ("nothing", [3, 4, 5])])
def test_another_content_of_the_same_size_time_and_inode(cloud, igtcloud, film, number, what, again):
    """A stored part counts only if the file has its bytes today."""
    film.interrupted(igtcloud, number)
    new = pattern(SIZE, seed=1)
    in_place(film.path, {"whole": new, "first": new[:PART], "nothing": b""}[what])
    film.content = film.path.read_bytes()
    igtcloud.run("upload", film.top, "up")
    assert film.parts() == again
    film.is_whole()


def test_a_part_of_the_old_content_that_the_journal_has_not(cloud, igtcloud, film):
    film.interrupted(igtcloud, signal.SIGKILL)
    upload, body = film.uploads()[0], film.content[3 * PART:4 * PART]
    cloud.boto3().upload_part(
        Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"], PartNumber=4, Body=body,
        ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode())
    in_place(film.path, b"other", 4 * PART - 5)
    film.content = film.path.read_bytes()
    cloud.clear()
    igtcloud.run("upload", film.top, "up")
    assert film.parts() == [3, 4, 5]
    film.is_whole()


def killed_while_completing(cloud, igtcloud, film):
    """The object is stored, and the run that completed it never knew."""
    cloud.faults({"fault": "silence", "method": "POST", "path": "**/film.bin", "query": "uploadId=",
                  "seconds": 600})
    process = igtcloud.start("upload", film.top, "up")
    cloud.wait_for(lambda: cloud.requests(method="POST", path="**/film.bin") and stored(cloud, film))
    process.kill()
    process.wait()
    cloud.clear()


def stored(cloud, film):
    prefix = Place(cloud, film.lab, "up").prefix
    return [o for o in cloud.boto3().list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
            if o["Key"].endswith("/film.bin")]


@pytest.mark.parametrize("parts", [5, 3])
def test_killed_while_the_store_completes(cloud, igtcloud, film, home, parts):
    """The next run recognises the object, and sends nothing but the notification; also if the journal
    did not record the last parts."""
    killed_while_completing(cloud, igtcloud, film)
    with contextlib.closing(sqlite3.connect(home / ".local/state/igtcloud/journal.db")) as db, db:
        db.execute("DELETE FROM part WHERE number>?", (parts,))
    igtcloud.run("upload", film.top, "up")
    assert film.parts() == []
    assert len(cloud.requests(method="POST", path="*upload-completed")) == 1
    film.is_whole()


def test_killed_while_the_store_completes_and_changed(cloud, igtcloud, film):
    killed_while_completing(cloud, igtcloud, film)
    in_place(film.path, b"other", 2 * PART)
    film.content = film.path.read_bytes()
    igtcloud.run("upload", film.top, "up")
    assert film.parts() == [1, 2, 3, 4, 5]
    film.is_whole()


def test_a_folder_that_was_moved_between_two_runs(cloud, igtcloud, film):
    """The parts that another path has sent are of no use, and are not left behind."""
    film.interrupted(igtcloud, signal.SIGKILL)
    film.top = film.top.rename(film.top.parent / "elsewhere")
    igtcloud.run("upload", film.top, "up")
    film.is_whole()


def test_parts_that_cannot_be_listed_now(cloud, igtcloud, film):
    """A store that does not respond still has the parts: they count in the next run."""
    film.interrupted(igtcloud, signal.SIGKILL)
    cloud.faults({"fault": "internal-error", "method": "GET", "path": "**/film.bin",
                  "query": "uploadId=", "times": 0})
    igtcloud.run("upload", "--retries", "0", film.top, "up", status=SOME_FAILED)
    assert film.parts() == []
    cloud.clear()
    assert film.stored() == [1, 2]
    igtcloud.run("upload", film.top, "up")
    film.is_whole()
    assert film.parts() == [3, 4, 5]


def test_parts_that_may_not_be_listed(cloud, igtcloud, film):
    """Rights to list may be missing: then the upload begins anew, and the old one is ended."""
    film.interrupted(igtcloud, signal.SIGKILL)
    cloud.faults({"fault": "forbidden", "method": "GET", "path": "**/film.bin",
                  "query": "uploadId=", "times": 0})
    igtcloud.run("upload", film.top, "up")
    film.is_whole()
    assert film.parts() == [1, 2, 3, 4, 5]


def test_an_upload_that_the_store_forgot(cloud, igtcloud, film):
    film.interrupted(igtcloud, signal.SIGKILL)
    upload = film.uploads()[0]
    cloud.boto3().abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"],
                                         UploadId=upload["UploadId"])
    igtcloud.run("upload", film.top, "up")
    film.is_whole()
    assert film.parts() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("how", ["touch", "grow", "shrink", "other bytes", "same times"])
def test_a_file_that_changes_while_it_is_sent(cloud, igtcloud, film, how):
    put(film.top, {f"{film.lab}/case/rest.txt": "quiet"})
    cloud.faults({"fault": "silence", "method": "PUT", "path": "**/film.bin", "skip": 1,
                  "seconds": 600})
    process = igtcloud.start("upload", "--connections", "1", "--journal", film.top.parent / "j",
                             film.top, "up")
    cloud.wait_for(lambda: len(cloud.requests(method="PUT", path="*/film.bin")) >= 2)
    if how == "touch":
        os.utime(film.path)
    elif how == "grow":
        with open(film.path, "ab") as f:
            f.write(b"more")
    elif how == "shrink":
        os.truncate(film.path, SIZE - PART)
    elif how == "same times":
        in_place(film.path, b"other")  # in the first part, which is stored
    else:
        with open(film.path, "r+b") as f:
            f.seek(3 * PART)
            f.write(b"other")
    cloud.heal()
    _, err = process.communicate(timeout=60)
    err = err.decode()
    assert process.returncode == SOME_FAILED, err
    assert "failed: " in err and "film.bin" in err and "the file " in err
    assert "changed" in err or "shorter" in err
    place = Place(cloud, film.lab, "up")
    assert set(place.contents("case")) == {"rest.txt"} and film.uploads() == []
    film.content = film.path.read_bytes()
    igtcloud.run("upload", "--journal", film.top.parent / "j", film.top, "up")
    place.is_whole("case", {"film.bin": film.content, "rest.txt": "quiet"})


def test_a_small_file_that_changes_while_it_is_sent(cloud, igtcloud, film):
    """It may be stored by then, but it is not done, and the next run sends it again."""
    film.path.write_bytes(b"first")
    cloud.faults({"fault": "silence", "method": "PUT", "path": "**/film.bin", "seconds": 600})
    process = igtcloud.start("upload", film.top, "up")
    cloud.wait_for(lambda: stored(cloud, film))
    film.path.write_bytes(b"other")
    cloud.heal()
    _, err = process.communicate(timeout=60)
    assert process.returncode == SOME_FAILED and "changed" in err.decode()
    assert not cloud.requests(method="POST", path="*upload-completed")
    cloud.clear()
    igtcloud.run("upload", film.top, "up")
    Place(cloud, film.lab, "up").is_whole("case", {"film.bin": b"other"})


@pytest.mark.parametrize("size", [5, 70000])
def test_a_small_file_with_restored_times(cloud, igtcloud, film, size):
    film.path.write_bytes(pattern(size))
    cloud.faults({"fault": "silence", "method": "PUT", "path": "**/film.bin", "seconds": 600})
    process = igtcloud.start("upload", film.top, "up")
    cloud.wait_for(lambda: stored(cloud, film))
    in_place(film.path, b"other")
    cloud.heal()
    _, err = process.communicate(timeout=60)
    assert process.returncode == SOME_FAILED and "changed" in err.decode()
    assert not cloud.requests(method="POST", path="*upload-completed")
    cloud.clear()
    igtcloud.run("upload", film.top, "up")
    Place(cloud, film.lab, "up").is_whole("case", {"film.bin": film.path.read_bytes()})


@pytest.mark.parametrize("size", [5, SIZE])
def test_new_permissions_are_no_change(cloud, igtcloud, film, size):
    """Whatever sets the change time alone makes the file be read again, no more."""
    film.path.write_bytes(pattern(size))
    cloud.faults({"fault": "silence", "method": "PUT", "path": "**/film.bin", "seconds": 600})
    process = igtcloud.start("upload", "--connections", "1", film.top, "up")
    cloud.wait_for(lambda: cloud.requests(method="PUT", path="*/film.bin"))
    film.path.chmod(0o600)
    cloud.heal()
    _, err = process.communicate(timeout=60)
    assert process.returncode == DONE, err.decode()
    Place(cloud, film.lab, "up").is_whole("case", {"film.bin": film.path.read_bytes()})


def test_a_downloaded_file_that_is_overwritten_in_place(cloud, igtcloud, film, out):
    film.path.write_bytes(b"first")
    igtcloud.run("upload", film.top, "up")
    igtcloud.run("download", out, "up", film.lab)
    in_place(out / film.lab / "case/film.bin", b"other")
    igtcloud.run("upload", out, "up")
    Place(cloud, film.lab, "up").is_whole("case", {"film.bin": b"other"})


@pytest.mark.plain("a preloaded library, and the sanitizers want to be loaded first")
@pytest.mark.parametrize("age", [0, 1])
def test_a_clock_that_is_too_coarse(cloud, igtcloud, film, age):
    """On FAT two writes within two seconds leave the same times, and the second one counts, too."""
    env = {"LD_PRELOAD": ODD, "ODD_BELOW": film.top, "ODD_CALLS": "clock=1"}
    film.path.write_bytes(b"first")
    now = time.time() - age
    os.utime(film.path, (now, now))
    igtcloud.run("upload", film.top, "up", env=env)
    in_place(film.path, b"other")
    igtcloud.run("upload", film.top, "up", env=env)
    Place(cloud, film.lab, "up").is_whole("case", {"film.bin": b"other"})


def test_two_at_once_on_one_tree(cloud, igtcloud, film):
    put(film.top, {f"{film.lab}/case/f{n}": str(n) for n in range(20)})
    igtcloud.run("upload", "--include", "f0", film.top, "up")
    both = [igtcloud.start("upload", film.top, "up") for _ in range(2)]
    ends = [(p.communicate(timeout=60), p.returncode) for p in both]
    assert [status for _, status in ends] == [0, 0], ends
    place = Place(cloud, film.lab, "up")
    assert place.names() == ["case"]
    place.is_whole("case", {"film.bin": film.content, **{f"f{n}": str(n) for n in range(20)}})
