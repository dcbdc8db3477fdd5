# SPDX-License-Identifier: MIT
"""Wrong bytes under a right name: detected, fetched or sent again, and never kept."""

import pytest

import cloud as c
from igtcloud import SOME_FAILED
from promise import promise

FILM = "/igtcloud/**/film.bin"


@promise("Integrity",
         "a bit flips in an object on the way down, or its ETag or checksum does not match",
         "the digest detects it and the file is fetched once more (a wrong ETag beside a "
         "correct checksum is ignored)")
@pytest.mark.parametrize("kind", ["flip", "wrong-etag", "wrong-checksum"])
def test_small_object(cloud, igtcloud, out, kind):
    cloud.faults({"fault": kind, "path": "**/f.bin", "method": "GET", "at": 4000})
    done = igtcloud.run("download", "--json", out, "one")
    assert len(cloud.requests(path="*/f.bin", method="GET")) == (1 if kind == "wrong-etag" else 2)
    assert next(i for i in done.items if i["kind"] == "file")["verified"]
    c.same(c.files(out), c.stored(cloud, "one"))


@promise("Integrity",
         "a bit flips in one range of a large object",
         "the digest of the whole file detects it and the file is fetched once more")
@pytest.mark.smoke
def test_large_object(cloud, igtcloud, out):
    cloud.faults({"fault": "flip", "path": FILM, "method": "GET", "at": 1000000, "skip": 1})
    igtcloud.run("download", out, "film")
    moved = sum(r["bytesOut"] for r in cloud.requests(path="*/film.bin", method="GET"))
    assert moved == 2 * (25 * c.MIB + 1)
    c.same(c.files(out), c.stored(cloud, "film"))


@promise("Integrity",
         "every attempt delivers wrong bytes",
         "that file fails by name; nothing is left under its name or beside it")
def test_wrong_at_every_attempt(cloud, igtcloud, out):
    cloud.faults({"fault": "flip", "path": "**/one.bin", "method": "GET", "times": 0})
    done = igtcloud.run("download", out, "mixed", status=SOME_FAILED)
    assert "one.bin" in done.err and 2 <= len(cloud.requests(path="*/one.bin", method="GET")) <= 4
    got = c.files(out / "lab" / "case-1")
    assert "one.bin" not in got and len(got) == len(c.MIXED) - 1 and c.leftovers(out) == []


@promise("Integrity",
         "a file of that name exists, and its replacement arrives damaged",
         "the existing file is kept")
def test_old_file_survives(cloud, igtcloud, out):
    c.write(out, {"lab/case/f.bin": b"old"})
    cloud.faults({"fault": "flip", "path": "**/f.bin", "method": "GET", "times": 0})
    igtcloud.run("download", out, "one", status=SOME_FAILED)
    assert c.files(out) == {"lab/case/f.bin": b"old"}


@promise("Integrity",
         "the object is replaced between two ranges of a download",
         "`If-Match` fails; the file is fetched once more from the start and is the new object "
         "throughout")
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_replaced_between_ranges(cloud, igtcloud, out, nth):
    cloud.faults({"fault": "replace", "path": FILM, "method": "GET", "skip": nth - 1})
    done = igtcloud.run("download", "--connections", "1", "--json", out, "film")
    moved = [r for r in cloud.requests(path="*/film.bin", method="GET")]
    refused = [r for r in moved if r["status"] == 412]
    assert refused and sum(r["bytesOut"] for r in moved if r["status"] == 206) <= 2 * (
        25 * c.MIB + 1)
    assert next(i for i in done.items if i["kind"] == "file")["verified"]
    c.same(c.files(out), c.stored(cloud, "film"))


@promise("Integrity",
         "the object is replaced at every range",
         "that file fails by name; nothing of it is left")
def test_replaced_at_every_range(cloud, igtcloud, out):
    cloud.faults({"fault": "replace", "path": FILM, "method": "GET", "times": 0})
    done = igtcloud.run("download", "--connections", "1", out, "film", status=SOME_FAILED)
    assert "keeps changing during the download" in done.err
    assert c.files(out) == {} and c.leftovers(out) == []


@promise("Integrity",
         "a bit flips in a PUT or a part on the way up, or the store's SHA-256 does not match "
         "the bytes",
         "the store rejects it by its digest, or the client rejects the response; sent again")
@pytest.mark.parametrize("kind", ["flip-in-request", "wrong-checksum"])
@pytest.mark.smoke
def test_uploaded_bytes_arrive_unchanged(cloud, igtcloud, tmp_path, kind):
    expected = {f"{tmp_path.name}/small.bin": b"x" * 5000,
                f"{tmp_path.name}/film.bin": bytes(range(256)) * 4 * 9 * 1024}
    c.write(tmp_path / "up/lab", expected)
    cloud.faults({"fault": kind, "method": "PUT", "path": "**/small.bin", "at": 70},
                 {"fault": kind, "method": "PUT", "query": "partNumber=1&", "at": 70})
    igtcloud.run("upload", tmp_path / "up", "target")
    assert len(cloud.requests(path="*/small.bin", method="PUT")) == 2
    assert len([r for r in cloud.requests(path="*/film.bin") if r["part"] == 1]) == 2
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)


@promise("Integrity",
         "the store returns no SHA-256 and its ETag does not match the bytes, or it stops "
         "returning SHA-256",
         "sent again, from then on with an MD5")
@pytest.mark.parametrize("kind", ["wrong-etag", "no-checksum"])
@pytest.mark.parametrize("name", ["small.bin", "film.bin"])
def test_upload_by_md5(cloud, igtcloud, tmp_path, name, kind):
    content = bytes(range(256)) * (20 if name == "small.bin" else 4 * 9 * 1024)
    expected = {f"{tmp_path.name}/a.bin": b"first", f"{tmp_path.name}/{name}": content}
    c.write(tmp_path / "up/lab", expected)
    cloud.faults({"fault": kind, "method": "PUT", "path": f"**/{name}"})
    if kind == "wrong-etag":
        cloud.faults({"fault": "no-checksum", "method": "PUT", "times": 0})
    igtcloud.run("upload", "--connections", "1", tmp_path / "up", "target")
    sent = cloud.requests(path=f"*/{name}", method="PUT")
    assert len(sent) == (2 if name == "small.bin" else 3)
    assert all(r["contentMd5"] for r in sent[1:])
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)


@promise("Integrity",
         "a file grows, shrinks or changes during its upload",
         "that file fails and the error says so; a mix of versions is never completed")
def test_file_changes_while_it_is_sent(cloud, igtcloud, tmp_path):
    path = tmp_path / "up/lab" / tmp_path.name / "film.bin"
    c.write(path.parent, {"film.bin": bytes(9 * c.MIB)})
    cloud.faults({"fault": "silence", "method": "PUT", "query": "partNumber=1&", "seconds": 600})
    process = igtcloud.start("upload", tmp_path / "up", "target", "--timeout", "3")
    cloud.wait_for(lambda: any(r["part"] == 1 for r in cloud.requests()))
    with open(path, "r+b") as f:
        f.write(b"changed")
    _, err = process.communicate(timeout=60)
    assert process.returncode == SOME_FAILED and b"changed while" in err, err
    assert [f["isCompleted"] for f in c.Api(cloud).files("target", tmp_path.name)] == [False]
