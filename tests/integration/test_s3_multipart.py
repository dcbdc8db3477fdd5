# SPDX-License-Identifier: MIT
"""Multipart uploads."""

import base64
import hashlib
import os
import zlib

import pytest
from botocore.exceptions import ClientError

from test_s3_payload import SUMS, crc32, reflected_crc

PART = 5 << 20


@pytest.fixture(scope="module")
def bodies():
    return [os.urandom(PART), os.urandom(PART), b"the end"]


def refused(call, *arguments, **named):
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


class Upload:
    def __init__(self, s3, bucket, key, **options):
        self.s3, self.where, self.parts = s3, {"Bucket": bucket, "Key": key}, []
        self.where["UploadId"] = s3.create_multipart_upload(**self.where, **options)["UploadId"]

    def put(self, number, body, **options):
        answer = self.s3.upload_part(**self.where, PartNumber=number, Body=body, **options)
        sums = {k: v for k, v in answer.items() if k.startswith("Checksum")}
        self.parts.append({"PartNumber": number, "ETag": answer["ETag"], **sums})
        return answer

    def complete(self, parts=None, **options):
        return self.s3.complete_multipart_upload(
            **self.where, MultipartUpload={"Parts": parts or self.parts}, **options)

    def refused(self, parts=None, **options):
        return refused(self.complete, parts, **options)


@pytest.fixture
def upload(s3, bucket, prefix):
    return Upload(s3, bucket, prefix + "x", ServerSideEncryption="AES256", ContentType="text/x",
                  Metadata={"m": "1"})


def test_parts_become_one_object(s3, bucket, prefix, upload, bodies):
    key = {"Bucket": bucket, "Key": prefix + "x"}
    for number, body in enumerate(bodies, 1):
        assert upload.put(number, body)["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert refused(s3.head_object, **key) == ("404", 404)
    answer = upload.complete()
    md5 = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
    assert answer["ETag"] == f'"{md5}-3"' and answer["ServerSideEncryption"] == "AES256"
    got = s3.get_object(**key)
    assert got["Body"].read() == b"".join(bodies)
    assert got["ETag"] == answer["ETag"] and got["ServerSideEncryption"] == "AES256"
    assert (got["ContentType"], got["Metadata"]) == ("text/x", {"m": "1"})
    assert refused(s3.list_parts, **upload.where) == ("NoSuchUpload", 404)


def test_numbers_with_gaps(s3, bucket, prefix, upload, bodies):
    for number, body in zip((2, 7, 10000), bodies):
        upload.put(number, body)
    upload.complete()
    key = {"Bucket": bucket, "Key": prefix + "x"}
    for number, body in enumerate(bodies, 1):
        got = s3.get_object(**key, PartNumber=number)
        assert got["Body"].read() == body
        assert got["PartsCount"] == 3
        assert s3.head_object(**key, PartNumber=number)["ContentLength"] == len(body)
    assert refused(s3.get_object, **key, PartNumber=4) == ("InvalidPartNumber", 416)


def test_part_of_a_simple_object(s3, raw, bucket, prefix):
    key = {"Bucket": bucket, "Key": prefix + "y"}
    s3.put_object(**key, Body=b"abc")
    assert s3.get_object(**key, PartNumber=1)["Body"].read() == b"abc"
    assert refused(s3.get_object, **key, PartNumber=2) == ("InvalidPartNumber", 416)
    answer = raw.request("GET", prefix + "y", {"partNumber": "1"}, headers={"range": "bytes=0-1"})
    assert answer.code == "InvalidRequest"


def test_replaced_part(s3, bucket, prefix, upload, bodies):
    upload.put(1, bodies[1])
    old = upload.parts.pop()
    upload.put(1, bodies[0])
    upload.put(2, bodies[2])
    assert upload.refused([old, upload.parts[1]]) == ("InvalidPart", 400)
    upload.complete()
    assert s3.get_object(Bucket=bucket, Key=prefix + "x")["Body"].read() == bodies[0] + bodies[2]


def test_parts_left_out(s3, bucket, prefix, upload, bodies):
    for number, body in enumerate(bodies, 1):
        upload.put(number, body)
    upload.complete([upload.parts[0], upload.parts[2]])
    assert s3.get_object(Bucket=bucket, Key=prefix + "x")["Body"].read() == bodies[0] + bodies[2]


def test_refused_completions(upload, bodies):
    upload.put(1, bodies[0])
    upload.put(2, bodies[2])
    upload.put(3, bodies[2])
    one, two, three = upload.parts
    assert upload.refused([two, one]) == ("InvalidPartOrder", 400)
    assert upload.refused([one, one]) == ("InvalidPartOrder", 400)
    assert upload.refused([one, two, three]) == ("EntityTooSmall", 400)
    assert upload.refused([one, {**two, "PartNumber": 4}]) == ("InvalidPart", 400)
    assert upload.refused([{**one, "ETag": two["ETag"]}]) == ("InvalidPart", 400)
    assert upload.complete([one, two])["ETag"].endswith('-2"')  # after all of that it is still there


@pytest.mark.parametrize("xml", [
    b"", b"<a/>", b"<CompleteMultipartUpload/>", b"<CompleteMultipartUpload>",
    b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
    b"<CompleteMultipartUpload><Part><PartNumber>0</PartNumber><ETag>x</ETag></Part>"
    b"</CompleteMultipartUpload>"])
def test_malformed_completion(raw, prefix, upload, xml):
    answer = raw.request("POST", prefix + "x", {"uploadId": upload.where["UploadId"]}, xml)
    assert (answer.status, answer.code) == (400, "MalformedXML")


@pytest.mark.parametrize("number", [0, 10001, -1])
def test_part_numbers(upload, number):
    assert refused(upload.s3.upload_part, **upload.where, PartNumber=number, Body=b"") == (
        "InvalidArgument", 400)


def test_an_aborted_upload_is_gone(s3, bucket, prefix, upload, bodies):
    upload.put(1, bodies[2])
    s3.abort_multipart_upload(**upload.where)
    assert upload.refused() == ("NoSuchUpload", 404)
    assert refused(s3.upload_part, **upload.where, PartNumber=1, Body=b"") == ("NoSuchUpload", 404)
    assert refused(s3.abort_multipart_upload, **upload.where) == ("NoSuchUpload", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket, Prefix=prefix)


def test_upload_belongs_to_its_key(s3, bucket, prefix, upload):
    other = {**upload.where, "Key": prefix + "other"}
    assert refused(s3.list_parts, **other) == ("NoSuchUpload", 404)
    assert refused(s3.upload_part, **other, PartNumber=1, Body=b"") == ("NoSuchUpload", 404)


def test_list_of_parts(s3, upload):
    for number in (1, 3, 5, 7, 9):
        upload.put(number, b"%d" % number)
    answer = s3.list_parts(**upload.where)
    assert [p["PartNumber"] for p in answer["Parts"]] == [1, 3, 5, 7, 9]
    assert answer["Parts"][1]["ETag"] == f'"{hashlib.md5(b"3").hexdigest()}"'
    assert answer["Parts"][1]["Size"] == 1 and not answer["IsTruncated"]
    pages = s3.get_paginator("list_parts").paginate(**upload.where,
                                                    PaginationConfig={"PageSize": 2})
    assert [[p["PartNumber"] for p in page["Parts"]] for page in pages] == [[1, 3], [5, 7], [9]]


def test_list_of_uploads(s3, bucket, prefix):
    ids = {}
    for name in ("a b", "a b", "c", "d"):
        one = Upload(s3, bucket, prefix + name)
        ids[one.where["UploadId"]] = prefix + name
    for size in (1, 2, 100):
        found = {}
        for page in s3.get_paginator("list_multipart_uploads").paginate(
                Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": size}):
            found.update((u["UploadId"], u["Key"]) for u in page.get("Uploads", []))
        assert found == ids
    for upload_id, key in ids.items():
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)


def test_complete_only_if_nothing_is_there(raw, s3, bucket, prefix, upload):
    upload.put(1, b"second")
    s3.put_object(Bucket=bucket, Key=prefix + "x", Body=b"first")
    xml = (f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
           f"{upload.parts[0]['ETag']}</ETag></Part></CompleteMultipartUpload>").encode()
    query = {"uploadId": upload.where["UploadId"]}
    answer = raw.request("POST", prefix + "x", query, xml, {"if-none-match": "*"})
    assert (answer.status, answer.code) == (412, "PreconditionFailed")
    assert s3.get_object(Bucket=bucket, Key=prefix + "x")["Body"].read() == b"first"
    s3.delete_object(Bucket=bucket, Key=prefix + "x")
    assert raw.request("POST", prefix + "x", query, xml, {"if-none-match": "*"}).status == 200
    assert s3.get_object(Bucket=bucket, Key=prefix + "x")["Body"].read() == b"second"


def test_wrong_part_is_not_kept(s3, upload):
    assert refused(s3.upload_part, **upload.where, PartNumber=1, Body=b"x",
                   ContentMD5=base64.b64encode(hashlib.md5(b"y").digest()).decode()) == (
        "BadDigest", 400)
    assert "Parts" not in s3.list_parts(**upload.where)


# ---- checksums ----

@pytest.mark.parametrize("name", ["crc32", "sha1", "sha256"])
def test_composite_checksums_are_verified(s3, bucket, prefix, bodies, name):
    """boto3 computes the parts' and verifies what it gets."""
    member = "Checksum" + name.upper()
    upload = Upload(s3, bucket, prefix + "x", ChecksumAlgorithm=name.upper())
    upload.put(1, bodies[0], ChecksumAlgorithm=name.upper())
    upload.put(2, bodies[2], ChecksumAlgorithm=name.upper())
    sums = [SUMS[name](bodies[0]), SUMS[name](bodies[2])]
    assert [p[member] for p in upload.parts] == sums
    assert [p[member] for p in s3.list_parts(**upload.where)["Parts"]] == sums
    answer = upload.complete()
    whole = SUMS[name](b"".join(map(base64.b64decode, sums))) + "-2"
    assert answer[member] == whole
    got = s3.get_object(Bucket=bucket, Key=prefix + "x", ChecksumMode="ENABLED")
    assert got["Body"].read() == bodies[0] + bodies[2] and got[member] == whole
    part = s3.get_object(Bucket=bucket, Key=prefix + "x", ChecksumMode="ENABLED", PartNumber=2)
    assert part["Body"].read() == bodies[2] and part[member] == sums[1]


def test_composite_needs_all(s3, bucket, prefix, bodies):
    upload = Upload(s3, bucket, prefix + "x", ChecksumAlgorithm="SHA256")
    assert refused(s3.upload_part, **upload.where, PartNumber=1, Body=b"x") == (
        "InvalidRequest", 400)
    upload.put(1, bodies[2], ChecksumAlgorithm="SHA256")
    bare = {k: v for k, v in upload.parts[0].items() if k != "ChecksumSHA256"}
    assert upload.refused([bare]) == ("InvalidRequest", 400)
    wrong = {**upload.parts[0], "ChecksumSHA256": SUMS["sha256"](b"other")}
    assert upload.refused([wrong]) == ("InvalidPart", 400)
    upload.complete()


def complete_by_hand(raw, key, upload_id, etags, headers):
    xml = "".join(f"<Part><PartNumber>{i}</PartNumber><ETag>{e}</ETag></Part>"
                  for i, e in enumerate(etags, 1))
    return raw.request("POST", key, {"uploadId": upload_id},
                       f"<CompleteMultipartUpload>{xml}</CompleteMultipartUpload>".encode(), headers)


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme"])
def test_full_object(raw, prefix, name):
    header, bodies, etags = "x-amz-checksum-" + name, [b"\x01" * PART, b"tail"], []
    if name == "crc32":
        total = base64.b64encode(zlib.crc32(b"".join(bodies)).to_bytes(4, "big")).decode()
    else:
        bodies = [b"tail of few bytes"]
        total = reflected_crc(bodies[0], *{"crc32c": (0x82F63B78, 32),
                                           "crc64nvme": (0x9A6C9329AC4BC9B5, 64)}[name])
    created = raw.request("POST", prefix + "x", {"uploads": ""}, headers={
        "x-amz-checksum-algorithm": name.upper(), "x-amz-checksum-type": "FULL_OBJECT"})
    assert created.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    upload_id = created.xml.findtext("{*}UploadId")
    for number, body in enumerate(bodies, 1):
        answer = raw.request("PUT", prefix + "x", {"uploadId": upload_id,
                                                   "partNumber": str(number)}, body)
        etags.append(answer.headers["etag"])
    wrong = complete_by_hand(raw, prefix + "x", upload_id, etags, {header: SUMS[name](b"other")})
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    size = sum(map(len, bodies))
    wrong = complete_by_hand(raw, prefix + "x", upload_id, etags,
                             {"x-amz-mp-object-size": str(size + 1)})
    assert (wrong.status, wrong.code) == (400, "InvalidRequest")
    answer = complete_by_hand(raw, prefix + "x", upload_id, etags,
                              {header: total, "x-amz-checksum-type": "FULL_OBJECT",
                               "x-amz-mp-object-size": str(size)})
    assert answer.status == 200
    got = raw.request("GET", prefix + "x", headers={"x-amz-checksum-mode": "ENABLED"})
    assert (got.headers[header], got.headers["x-amz-checksum-type"]) == (total, "FULL_OBJECT")


@pytest.mark.parametrize("algorithm, kind", [("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"),
                                             ("MD5", None), (None, "COMPOSITE"), ("CRC32", "OTHER")])
def test_checksum_types_that_can_not_be(raw, prefix, algorithm, kind):
    headers = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    answer = raw.request("POST", prefix + "x", {"uploads": ""},
                         headers={k: v for k, v in headers.items() if v})
    assert (answer.status, answer.code) == (400, "InvalidRequest")


# ---- parts that are copies ----

def test_part_copy(s3, bucket, prefix, upload):
    source = {"Bucket": bucket, "Key": prefix + "source"}
    s3.put_object(**source, Body=b"0123456789")
    answer = s3.upload_part_copy(**upload.where, PartNumber=1, CopySource=source,
                                 CopySourceRange="bytes=2-5")["CopyPartResult"]
    assert answer["ETag"] == f'"{hashlib.md5(b"2345").hexdigest()}"'
    assert refused(s3.upload_part_copy, **upload.where, PartNumber=1, CopySource=source,
                   CopySourceRange="bytes=5-20x") == ("InvalidArgument", 400)
    upload.complete([{"PartNumber": 1, "ETag": answer["ETag"]}])
    assert s3.get_object(Bucket=bucket, Key=prefix + "x")["Body"].read() == b"2345"


def test_crc32_of_the_test_itself():
    assert reflected_crc(b"123456789", 0xEDB88320, 32) == crc32(b"123456789")
