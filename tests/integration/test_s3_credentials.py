# SPDX-License-Identifier: MIT
"""Credentials that the REST side issues: bound to action, prefix and time."""

import os
import stat
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError

from rest_client import RestClient
from s3_raw import RawS3
from sandbox import BUCKET, Sandbox

SEED = "demo"


@pytest.fixture(scope="module")
def rest(sandbox):
    return RestClient(sandbox.url).login()


@pytest.fixture(scope="module")
def area(rest):
    return rest.project()["s3Prefix"]


def code(call, **named):
    with pytest.raises(ClientError) as caught:
        call(**named)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def hand_signed(sandbox, rest, action, prefix):
    c = rest.credentials(action, prefix).json["policyCredentials"][0]["credentials"]
    return RawS3(sandbox.url, c["accessKey"], c["secretKey"], c["sessionToken"])


DENIED = ("AccessDenied", 403)


def test_put_credentials(sandbox, rest, s3, area):
    """Put and multipart below the prefix, and nothing else."""
    mine, key = rest.s3(sandbox, "PUT", area), {"Bucket": BUCKET, "Key": area + "new"}
    mine.put_object(**key, Body=b"one")
    assert s3.get_object(**key)["Body"].read() == b"one"
    assert code(mine.get_object, **key) == DENIED
    assert code(mine.head_object, **key) == ("403", 403)
    assert code(mine.delete_object, **key) == DENIED
    assert code(mine.list_objects_v2, Bucket=BUCKET, Prefix=area) == DENIED
    assert code(mine.list_multipart_uploads, Bucket=BUCKET) == DENIED
    assert code(mine.copy_object, **key, CopySource=f"{BUCKET}/{area}new") == DENIED
    assert code(mine.put_object, Bucket=BUCKET, Key="elsewhere", Body=b"") == DENIED
    assert code(mine.list_buckets) == DENIED
    upload = mine.create_multipart_upload(**key)["UploadId"]
    part = mine.upload_part(**key, UploadId=upload, PartNumber=1, Body=b"two")
    assert len(mine.list_parts(**key, UploadId=upload)["Parts"]) == 1
    mine.complete_multipart_upload(**key, UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert s3.get_object(**key)["Body"].read() == b"two"
    upload = mine.create_multipart_upload(**key)["UploadId"]
    mine.abort_multipart_upload(**key, UploadId=upload)


def test_get_credentials(sandbox, rest, s3, area):
    """Get, head and list below the prefix, and nothing else."""
    mine, key = rest.s3(sandbox, "GET", area), {"Bucket": BUCKET, "Key": area + "here"}
    s3.put_object(**key, Body=b"one")
    s3.put_object(Bucket=BUCKET, Key="elsewhere", Body=b"")
    assert mine.get_object(**key)["Body"].read() == b"one"
    assert mine.head_object(**key)["ContentLength"] == 3
    listed = mine.list_objects_v2(Bucket=BUCKET, Prefix=area)["Contents"]
    assert area + "here" in [entry["Key"] for entry in listed]
    for prefix in ("", area[:-1], "elsewhere"):
        assert code(mine.list_objects_v2, Bucket=BUCKET, Prefix=prefix) == DENIED
    assert code(mine.get_object, Bucket=BUCKET, Key="elsewhere") == DENIED
    assert code(mine.put_object, **key, Body=b"") == DENIED
    assert code(mine.delete_object, **key) == DENIED
    assert code(mine.delete_objects, Bucket=BUCKET, Delete={"Objects": [{"Key": area + "here"}]}) \
        == DENIED
    assert code(mine.create_multipart_upload, **key) == DENIED
    assert code(mine.copy_object, **key, CopySource=f"{BUCKET}/{area}here") == DENIED
    assert code(mine.head_bucket, Bucket=BUCKET) == ("403", 403)
    assert s3.get_object(**key)["Body"].read() == b"one"


def test_token_belongs_to_the_keys(sandbox, rest, area):
    mine = hand_signed(sandbox, rest, "GET", area)
    assert mine.request("GET", area + "none").code == "NoSuchKey"
    token, mine.token = mine.token, None
    answer = mine.request("GET", area + "none")
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")
    mine.token = hand_signed(sandbox, rest, "GET", area).token
    assert mine.request("GET", area + "none").code == "InvalidToken"
    mine.token = token
    assert mine.get_presigned(area + "none").code == "NoSuchKey"
    assert mine.put_presigned(area + "none", b"").code == "AccessDenied"


def test_expired_credentials_are_refused():
    """Waits for the end of a lifetime, of which there is no other sign."""
    with Sandbox(seed="demo", s3_lifetime=1) as running:
        rest = RestClient(running.url).login()
        prefix = rest.project()["s3Prefix"]
        mine = hand_signed(running, rest, "GET", prefix)
        end = time.monotonic() + 30
        while (answer := mine.request("GET", prefix + "none")).code == "NoSuchKey":
            assert time.monotonic() < end
        assert (answer.status, answer.code) == (400, "ExpiredToken")
        running.restart()
        assert mine.request("GET", prefix + "none").code == "ExpiredToken"
        assert hand_signed(running, rest, "GET", prefix).request(
            "GET", prefix + "none").code == "NoSuchKey"


def test_credentials_survive_a_restart(sandbox, rest, area):
    mine, root = hand_signed(sandbox, rest, "PUT", area), sandbox.root_credentials()
    sandbox.restart()
    assert mine.request("PUT", area + "after", body=b"x").status == 200
    assert sandbox.root_credentials() == root


def test_root_credentials_are_private(sandbox):
    path = sandbox.data / "root-credentials.json"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert sandbox.root_credentials()["endpoint"] == sandbox.url
    (sandbox.data / "root-credentials.json.new").write_text("half of")  # from a crash
    path.chmod(0o644)
    sandbox.restart()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert sandbox.root_credentials()["endpoint"] == sandbox.url


def test_presigned_url_for_anyone(sandbox, rest, s3, area):
    s3.put_object(Bucket=BUCKET, Key=area + "shared", Body=b"hello")
    url = rest.s3(sandbox, "GET", area).generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": area + "shared"}, ExpiresIn=60)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        assert answer.read() == b"hello"
