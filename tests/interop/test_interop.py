# SPDX-License-Identifier: MIT
"""Uploads, downloads, resume and verify through Ceph's S3, with credentials of its STS."""

import contextlib
import hashlib
import signal
import time

import botocore.exceptions
import pytest

from igtcloud import SOME_FAILED, Program, tree
from rest_client import RestClient

MIB = 1 << 20


def make_tree(folder, **sizes):
    """north/NAME---one/…: content by size and name."""
    for name, size in sizes.items():
        path = folder / "north" / f"{name}---one" / "a" / f"{name}.bin"
        path.parent.mkdir(parents=True)
        block = hashlib.sha512(name.encode()).digest()
        path.write_bytes((block * (size // 64 + 1))[:size])
    return {k: v for k, v in tree(folder).items()}


def objects(rgw, part=""):
    pages = rgw.boto3().get_paginator("list_objects_v2").paginate(Bucket=rgw.bucket)
    return {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])
            if part in o["Key"]}


def uploads(rgw):
    return rgw.boto3().list_multipart_uploads(Bucket=rgw.bucket).get("Uploads", [])


def test_there_and_back(rgw, cloud, home, tmp_path):
    """Empty, small, of many sizes, and of several parts; names beyond ASCII."""
    sent = make_tree(tmp_path / "up", empty=0, one=1, small=70000, **{"größer": 9 * MIB},
                     parts=37 * MIB + 5)
    igtcloud = Program(cloud.url, home)
    igtcloud.run("upload", tmp_path / "up", "demo")
    there = objects(rgw, "/files/a/")
    assert sorted(there.values()) == sorted(len(v) for v in sent.values()) and not uploads(rgw)
    igtcloud.run("download", tmp_path / "down", "demo", "north")
    back = tree(tmp_path / "down")
    for name, data in sent.items():
        assert back[name] == data, name
    # This radosgw does not tell how large the parts of an object are: that is guessed, and proven.
    done = igtcloud.run("verify", "--json", tmp_path / "down", "demo", "north")
    assert done.summary["filesSame"] >= len(sent) and done.summary["filesUnchecked"] == 0
    # Again: nothing moves.
    done = igtcloud.run("upload", "--json", tmp_path / "up", "demo")
    assert done.summary["filesDone"] == 0 and done.summary["bytesMoved"] == 0, done


def test_a_changed_file_is_found(rgw, cloud, home, tmp_path):
    sent = make_tree(tmp_path / "up", changed=100000)
    igtcloud = Program(cloud.url, home)
    igtcloud.run("upload", tmp_path / "up", "demo")
    name, = sent
    path = tmp_path / "up" / name
    path.write_bytes(b"?" + sent[name][1:])
    done = igtcloud.run("verify", "--json", tmp_path / "up", "demo", "north", status=SOME_FAILED)
    assert any(i.get("result") == "different" and i["path"].endswith("changed.bin")
               for i in done.items), done


@pytest.mark.parametrize("direction", ["upload", "download"])
def test_killed_in_a_large_file(rgw, cloud, home, tmp_path, direction):
    """The next run resumes, and the bytes are right."""
    name = f"killed-{direction}"
    sent = make_tree(tmp_path / "up", **{name: 48 * MIB + 3})
    igtcloud = Program(cloud.url, home)
    if direction == "download":
        igtcloud.run("upload", tmp_path / "up", "demo")
    folder = tmp_path / ("up" if direction == "upload" else "down")
    process = igtcloud.start(direction, "--bwlimit", "16M", folder, "demo", "north")

    def has_begun():
        if direction == "upload":
            return any(rgw.boto3().list_parts(Bucket=rgw.bucket, Key=u["Key"],
                                              UploadId=u["UploadId"]).get("Parts")
                       for u in uploads(rgw))
        with contextlib.suppress(FileNotFoundError):  # files that get their final names
            return sum(p.stat().st_blocks for p in folder.rglob("*") if p.is_file()) * 512 > 20 * MIB
    end = time.monotonic() + 60
    while not has_begun():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = igtcloud.run(direction, "--json", folder, "demo", "north")
    moved = next(i for i in done.items if i["kind"] == "file" and i["path"].endswith(f"{name}.bin"))
    assert 0 < moved["moved"] <= moved["size"], done
    if direction == "upload":
        assert moved["moved"] < moved["size"], done
    igtcloud.run("download", tmp_path / "check", "demo", "north")
    (path, data), = sent.items()
    assert tree(tmp_path / "check")[path] == data and not uploads(rgw)


@pytest.mark.parametrize("who", ["the command", "somebody else"])
def test_an_abandoned_upload_is_ended(rgw, cloud, home, tmp_path, who):
    """With credentials that allow PutObject, AbortMultipartUpload and ListMultipartUploadParts."""
    name = f"abandoned-{who[-4:]}"
    make_tree(tmp_path / "up", **{name: 24 * MIB})
    igtcloud = Program(cloud.url, home)
    process = igtcloud.start("upload", "--bwlimit", "8M", tmp_path / "up", "demo", "north")
    end = time.monotonic() + 60
    while not uploads(rgw):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    one, = igtcloud.run("uploads", "--json").lines
    assert one["state"] == "resumable" and one["size"] == 24 * MIB
    if who == "somebody else":
        rgw.boto3().abort_multipart_upload(Bucket=rgw.bucket, Key=one["key"],
                                           UploadId=one["uploadId"])
        assert igtcloud.run("uploads", "--json").lines[0]["state"] == "gone"
    assert igtcloud.run("uploads", "--json", "--abort", "--yes").lines[0]["state"] == "ended"
    assert not uploads(rgw) and igtcloud.run("uploads", "--json").lines == []


def s3_of(rgw, cloud, action, prefix):
    client = RestClient(cloud.url).login()
    answer = client.get(f"/api/auth/s3credentials?action={action}&prefix={prefix}")
    keys = answer.json["policyCredentials"][0]["credentials"]
    assert keys["endpoint"] == rgw.endpoint and keys["bucket"] == rgw.bucket
    return rgw.boto3(keys["accessKey"], keys["secretKey"], keys["sessionToken"])


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    return raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_credentials_are_bound(rgw, cloud, home, tmp_path):
    """To one prefix and to one action, by the STS itself."""
    make_tree(tmp_path / "up", bound=10, other=10)
    Program(cloud.url, home).run("upload", tmp_path / "up", "demo")
    keys = {name: next(iter(objects(rgw, f"/{name}.bin"))) for name in ("bound", "other")}
    prefix = keys["bound"].split("files/")[0] + "files/"
    reader, writer = (s3_of(rgw, cloud, action, prefix) for action in ("GET", "PUT"))
    bucket = rgw.bucket
    assert reader.get_object(Bucket=bucket, Key=keys["bound"])["Body"].read()
    writer.put_object(Bucket=bucket, Key=prefix + "new", Body=b"new")
    assert refused(reader.get_object, Bucket=bucket, Key=keys["other"])
    assert refused(reader.put_object, Bucket=bucket, Key=prefix + "new", Body=b"")
    assert refused(reader.delete_object, Bucket=bucket, Key=keys["bound"])
    assert refused(writer.get_object, Bucket=bucket, Key=keys["bound"])
    assert refused(writer.put_object, Bucket=bucket, Key=keys["other"], Body=b"")
    assert refused(writer.delete_object, Bucket=bucket, Key=keys["bound"])
    assert refused(writer.list_objects_v2, Bucket=bucket)
    assert objects(rgw)[keys["other"]] == 10


def test_deleted_through_the_api(rgw, cloud, home, tmp_path):
    """What the REST side does to objects reaches them: with its study they go."""
    make_tree(tmp_path / "up", doomed=10)
    Program(cloud.url, home).run("upload", tmp_path / "up", "demo")
    key, = objects(rgw, "/doomed.bin")
    study = key.split("/studies/")[1].split("/")[0]
    RestClient(cloud.url).login().ok(
        "DELETE", f"/api/data/hospitals/demo-north/studies/{study}", status=204)
    assert not objects(rgw, "/doomed.bin") and objects(rgw)


def test_store_that_is_gone(rgw, cloud, home, tmp_path):
    """Its account's keys are wrong: the sandbox says so at its start, and ends."""
    from sandbox import Sandbox, SandboxError
    wrong = tmp_path / "keys.json"
    wrong.write_text('{"accessKey": "nobody", "secretKey": "nothing"}')
    options = [o if o != rgw.keys_file else wrong for o in rgw.options()]
    with pytest.raises(SandboxError, match="the S3 behind"):
        Sandbox(extra=options)
