# SPDX-License-Identifier: MIT
"""What an upload sends for the store to check by: an MD5 until the store has shown that it checks
SHA-256, and again once it left that out of an answer; nothing counts as stored that no digest
speaks for."""

import re

import pytest

from gateway import Gateway
from igtcloud import SOME_FAILED, Program
from odd_cloud import OddCloud
from sandbox import BUCKET
from uploads import PART, Place, epd, institute, items, pattern, put, seed

SMALL = {f"f{n}": pattern(1000 + n, seed=n) for n in range(8)}
LARGE = {"film.bin": pattern(4 * PART + 5)}
TREES = pytest.mark.parametrize("files, count", [(SMALL, 8), (LARGE, 5)], ids=["puts", "parts"])


SEED = seed(epd(*[institute(f"lab{n}") for n in range(30)]))

counter = iter(range(30))


class Upload:
    def __init__(self, cloud, program, folder):
        self.cloud, self.program, self.folder = cloud, program, folder
        self.lab = f"lab{next(counter)}"

    def run(self, files, *options, **expected):
        put(self.folder / "up" / self.lab / "case", files)
        return self.program.run("upload", "--json", *options, self.folder / "up", "up", **expected)

    def md5s(self):
        """Of each body in its order: whether an MD5 was sent."""
        return [r["contentMd5"] is not None
                for r in self.cloud.requests(method="PUT", path=f"/{BUCKET}/*")]

    def is_whole(self, files):
        Place(self.cloud, self.lab, "up").is_whole("case", files)


@pytest.fixture
def upload(cloud, igtcloud, tmp_path):
    return Upload(cloud, igtcloud, tmp_path)


@TREES
def test_until_the_store_returns_the_sha256(upload, files, count):
    upload.run(files, "--connections", "1")
    assert upload.md5s() == [True] + [False] * (count - 1)
    upload.is_whole(files)


@TREES
def test_a_store_without_checksums(cloud, upload, files, count):
    cloud.faults({"fault": "no-checksum", "method": "PUT", "times": 0})
    done = upload.run(files)
    assert upload.md5s() == [True] * count
    assert all(file["verified"] == "store" for file in items(done, kind="file"))
    upload.is_whole(files)


@TREES
def test_a_store_that_stops_to_tell_it(cloud, upload, files, count):
    """The body that was sent without MD5 comes again with one, and so do all others."""
    cloud.faults({"fault": "no-checksum", "method": "PUT", "skip": 2, "times": 0})
    done = upload.run(files, "--connections", "1")
    assert upload.md5s() == [True, False, False] + [True] * (count - 2)
    assert done.summary["bytesMoved"] == sum(map(len, files.values()))
    assert sum(file["moved"] for file in items(done, kind="file")) == done.summary["bytesMoved"]
    upload.is_whole(files)


def test_many_at_once(cloud, upload):
    """Those in flight have MD5s or not, as it comes; each is compared with what was sent for it."""
    files = {f"f{n}": pattern(5000, seed=n) for n in range(60)} | LARGE
    cloud.faults({"fault": "no-checksum", "method": "PUT", "skip": 25, "times": 1})
    upload.run(files)
    faults = [r["fault"] for r in cloud.requests(method="PUT", path=f"/{BUCKET}/*")]
    assert faults.count("no-checksum") == 1 and False in upload.md5s()
    assert len(faults) - (60 + 5) <= 1  # that one at most came again
    upload.is_whole(files)


@TREES
@pytest.mark.parametrize("skip", [0, 2], ids=["first", "later"])
def test_another_sha256_once(cloud, upload, files, count, skip):
    cloud.faults({"fault": "wrong-checksum", "method": "PUT", "skip": skip})
    upload.run(files, "--connections", "1")
    assert len(upload.md5s()) == count + 1
    upload.is_whole(files)


@TREES
def test_another_sha256_for_ever(cloud, upload, files, count):
    name = list(files)[-1]
    cloud.faults({"fault": "wrong-checksum", "method": "PUT", "path": f"**/{name}", "times": 0,
                  "skip": count - 3 if name in LARGE else 0})
    done = upload.run(files, "--connections", "1", status=SOME_FAILED)
    assert "S3 stored different bytes from those sent (SHA-256 " in done.err
    failed = items(done, kind="file", result="failed")
    assert [file["path"] for file in failed] == [name]
    assert not Place(cloud, upload.lab, "up").registered("case")[name]["isCompleted"]
    cloud.clear()
    upload.run(files)
    upload.is_whole(files)


def test_a_bit_that_turns_is_noticed_without_md5(cloud, upload):
    cloud.faults({"fault": "flip-in-request", "method": "PUT", "at": 70, "skip": 2})
    upload.run(SMALL, "--connections", "1")
    assert upload.md5s() == [True] + [False] * 8
    assert [r["status"] for r in cloud.requests(method="PUT", path=f"/{BUCKET}/*")] == (
        [200, 200, 400] + [200] * 6)
    upload.is_whole(SMALL)


# ---- completed ----

WRONG = "0" * 32 + "-5"


def completed_as(etag, wrong_head):
    """Of CompleteMultipartUpload's response, and of the HEAD that follows."""
    def change(request, reply):
        if request.method == "POST" and "uploadId=" in request.path:
            reply.body = re.sub(b"<ETag>.*</ETag>", f"<ETag>{etag}</ETag>".encode(), reply.body)
        elif request.method == "HEAD" and wrong_head:
            reply.drop("ETag").headers.append(("ETag", f'"{WRONG}"'))
    return change


@pytest.mark.case("security-26")
@pytest.mark.parametrize("etag, looked", [(WRONG, 1), ("0" * 32 + "-4", 1), ("opaque", 0), ("", 0)])
def test_a_completion_with_another_etag(cloud, home, tmp_path, etag, looked):
    """That of an object in parts is compared; the object itself decides."""
    with OddCloud(cloud.url) as odd, Gateway(cloud.url, s3=odd.url) as gateway:
        odd.change = completed_as(etag, wrong_head=False)
        upload = Upload(cloud, Program(gateway.url, home), tmp_path)
        upload.run(LARGE)
        assert odd.count("HEAD", "film.bin") == looked
    upload.is_whole(LARGE)


@pytest.mark.case("security-26")
def test_parts_that_became_another_object(cloud, home, tmp_path):
    """They are sent again, and then it is an error."""
    with OddCloud(cloud.url) as odd, Gateway(cloud.url, s3=odd.url) as gateway:
        odd.change = completed_as(WRONG, wrong_head=True)
        upload = Upload(cloud, Program(gateway.url, home), tmp_path)
        done = upload.run(LARGE, status=SOME_FAILED)
        assert "the stored object is not the one that was sent" in done.err
        assert odd.count("POST", "uploadId=") == 3
    assert not any("file-upload-completed" in path for _, path, _ in gateway.seen)
