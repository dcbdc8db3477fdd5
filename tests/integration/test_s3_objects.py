# SPDX-License-Identifier: MIT
"""Objects, conditions, ranges, copies and lists, through boto3 and by hand."""

import base64
import concurrent.futures
import email.utils
import hashlib
import io
import os
import socket
import time

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError


def refused(call, *arguments, **named):
    """The error's code and HTTP status."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def keys_of(answer):
    return [entry["Key"] for entry in answer.get("Contents", [])]


def prefixes_of(answer):
    return [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])]


# ---- put, get, head, delete ----

def test_round_trip(s3, bucket, prefix):
    put = s3.put_object(Bucket=bucket, Key=prefix + "x", Body=b"hello", ContentType="text/plain",
                        CacheControl="no-store", ContentDisposition="inline",
                        ContentEncoding="gzip", ContentLanguage="de",
                        Metadata={"one": "1", "two": "2"}, ServerSideEncryption="AES256")
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert put["ServerSideEncryption"] == "AES256"
    for answer in (s3.get_object(Bucket=bucket, Key=prefix + "x"),
                   s3.head_object(Bucket=bucket, Key=prefix + "x")):
        assert answer["ContentLength"] == 5
        assert answer["ContentType"] == "text/plain"
        assert answer["CacheControl"] == "no-store"
        assert answer["ContentDisposition"] == "inline"
        assert answer["ContentEncoding"] == "gzip"
        assert answer["ContentLanguage"] == "de"
        assert answer["Metadata"] == {"one": "1", "two": "2"}
        assert answer["ServerSideEncryption"] == "AES256"
        assert answer["ETag"] == put["ETag"]
        assert abs(answer["LastModified"].timestamp() - time.time()) < 60
        assert "Body" not in answer or answer["Body"].read() == b"hello"


def test_own_checksum(raw, prefix):
    """Where the client sent none; the check value of the CRC catalogue."""
    put = raw.request("PUT", prefix + "x", body=b"123456789")
    expected = base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()
    for answer in (put, raw.request("GET", prefix + "x", headers={"x-amz-checksum-mode": "ENABLED"})):
        assert answer.headers["x-amz-checksum-crc64nvme"] == expected
        assert answer.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert "x-amz-checksum-crc64nvme" not in raw.request("GET", prefix + "x").headers


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 3 << 20])
def test_objects_of_any_size_come_back(s3, bucket, prefix, size):
    body = os.urandom(size)
    s3.put_object(Bucket=bucket, Key=prefix + "x", Body=body)
    answer = s3.get_object(Bucket=bucket, Key=prefix + "x")
    assert answer["Body"].read() == body
    assert answer["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert s3.head_object(Bucket=bucket, Key=prefix + "x")["ContentLength"] == size


@pytest.mark.parametrize("name", ["a b", "a+b", "a%20b", "ümläut", "日本", "a//b", "/lead", "a&<>\"'b",
                                  "tail ", "~!*'()", "..", "x" * 900], ids=ascii)
def test_any_key_is_kept(s3, bucket, prefix, name):
    key = prefix + name
    s3.put_object(Bucket=bucket, Key=key, Body=name.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == name.encode()
    assert keys_of(s3.list_objects_v2(Bucket=bucket, Prefix=prefix)) == [key]
    assert keys_of(s3.list_objects(Bucket=bucket, Prefix=prefix)) == [key]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert refused(s3.get_object, Bucket=bucket, Key=key) == ("NoSuchKey", 404)


def test_key_too_long(raw):
    assert raw.request("PUT", "x" * 1025).code == "KeyTooLongError"


def test_a_put_replaces_the_object(s3, bucket, prefix):
    s3.put_object(Bucket=bucket, Key=prefix + "x", Body=b"one", Metadata={"a": "1"})
    s3.put_object(Bucket=bucket, Key=prefix + "x", Body=b"second")
    answer = s3.get_object(Bucket=bucket, Key=prefix + "x")
    assert answer["Body"].read() == b"second" and answer["Metadata"] == {}


def test_a_deleted_object_is_gone(s3, bucket, prefix):
    s3.put_object(Bucket=bucket, Key=prefix + "x", Body=b"x")
    for _ in range(2):  # what is not there is deleted, too
        assert s3.delete_object(Bucket=bucket, Key=prefix + "x")[
            "ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(s3.get_object, Bucket=bucket, Key=prefix + "x") == ("NoSuchKey", 404)
    assert refused(s3.head_object, Bucket=bucket, Key=prefix + "x") == ("404", 404)


def test_delete_many(s3, raw, bucket, prefix):
    keys = [f"{prefix}{i}" for i in range(20)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys[:5]]})
    assert sorted(d["Key"] for d in answer["Deleted"]) == sorted(keys[:5])
    answer = s3.delete_objects(Bucket=bucket, Delete={
        "Objects": [{"Key": k} for k in keys[5:]], "Quiet": True})
    assert "Deleted" not in answer and "Errors" not in answer
    assert keys_of(s3.list_objects_v2(Bucket=bucket, Prefix=prefix)) == []
    assert raw.request("POST", "", {"delete": ""}, b"<Delete/>").code == "InvalidRequest"


@pytest.mark.parametrize("xml", [b"", b"<Delete>", b"<Delete></Delete>", b"<Other/>",
                                 b"<Delete><Object/></Delete>",
                                 b"<!DOCTYPE a [<!ENTITY b 'c'>]><Delete><Object><Key>&b;</Key>"
                                 b"</Object></Delete>"])
def test_delete_malformed(raw, xml):
    import base64
    digest = base64.b64encode(hashlib.md5(xml).digest()).decode()
    answer = raw.request("POST", "", {"delete": ""}, xml, {"content-md5": digest})
    assert (answer.status, answer.code) == (400, "MalformedXML")


@pytest.mark.parametrize("query", ["acl", "policy", "versions", "website", "torrent"])
def test_what_is_not_there_says_so(raw, query):
    answer = raw.request("GET", "x", {query: ""})
    assert (answer.status, answer.code) == (501, "NotImplemented")


def test_tags_are_not_implemented(s3, raw, bucket, prefix):
    s3.put_object(Bucket=bucket, Key=prefix + "x", Body=b"")
    assert s3.get_object_tagging(Bucket=bucket, Key=prefix + "x")["TagSet"] == []
    assert refused(s3.put_object, Bucket=bucket, Key=prefix + "x", Tagging="a=b")[1] == 501
    assert raw.request("DELETE", prefix + "x", {"tagging": ""}).status == 405
    assert raw.request("GET", prefix + "x").status == 200


def test_encryption_other_than_ours(s3, bucket, prefix):
    assert refused(s3.put_object, Bucket=bucket, Key=prefix + "x",
                   ServerSideEncryption="aws:kms")[0] == "NotImplemented"


# ---- conditions ----

def test_read_conditions(s3, bucket, prefix):
    key = {"Bucket": bucket, "Key": prefix + "x"}
    etag = s3.put_object(**key, Body=b"x")["ETag"]
    modified = s3.head_object(**key)["LastModified"].timestamp()
    earlier, later = modified - 10, modified + 10
    assert s3.get_object(**key, IfMatch=etag)["Body"].read() == b"x"
    assert s3.get_object(**key, IfMatch="*")["Body"].read() == b"x"
    assert refused(s3.get_object, **key, IfMatch='"0"') == ("PreconditionFailed", 412)
    assert refused(s3.get_object, **key, IfNoneMatch=etag) == ("304", 304)
    assert s3.get_object(**key, IfNoneMatch='"0"')["Body"].read() == b"x"
    assert refused(s3.get_object, **key, IfModifiedSince=later) == ("304", 304)
    assert s3.get_object(**key, IfModifiedSince=earlier)["Body"].read() == b"x"
    assert refused(s3.get_object, **key, IfUnmodifiedSince=earlier) == ("PreconditionFailed", 412)
    assert s3.get_object(**key, IfUnmodifiedSince=later)["Body"].read() == b"x"
    # RFC 9110 13.2.2: entity tags come before dates.
    assert s3.get_object(**key, IfMatch=etag, IfUnmodifiedSince=earlier)["Body"].read() == b"x"
    assert s3.get_object(**key, IfNoneMatch='"0"', IfModifiedSince=later)["Body"].read() == b"x"


def test_write_conditions(raw, prefix):
    key = prefix + "x"
    assert raw.request("PUT", key, body=b"0", headers={"if-match": '"0"'}).code == "NoSuchKey"
    assert raw.request("PUT", key, body=b"1", headers={"if-none-match": "*"}).status == 200
    again = raw.request("PUT", key, body=b"2", headers={"if-none-match": "*"})
    assert (again.status, again.code) == (412, "PreconditionFailed")
    etag = raw.request("HEAD", key).headers["etag"]
    assert raw.request("PUT", key, body=b"3", headers={"if-match": '"0"'}).status == 412
    assert raw.request("GET", key).body == b"1"
    assert raw.request("PUT", key, body=b"4", headers={"if-match": etag}).status == 200
    assert raw.request("GET", key).body == b"4"


def test_one_of_many_writers_wins(raw, prefix):
    """All of them begin while nothing is there (the go-ahead says that a body was admitted)."""
    waiting, headers = [], {"if-none-match": "*", "content-length": "1", "expect": "100-continue"}

    def begin(method, path, query, headers, body):
        connection = socket.create_connection(tuple(raw.host.split(":")), timeout=30)
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        waiting.append(connection)
    ask, raw.send = raw.send, begin
    for _ in range(8):
        raw.request("PUT", prefix + "x", headers=headers, payload="UNSIGNED-PAYLOAD",
                    unsigned={"content-length", "expect"})
    raw.send = ask
    for i, connection in enumerate(waiting):
        connection.sendall(b"%d" % i)
    first_lines = [connection.recv(65536).split(b"\r\n")[0] for connection in waiting]
    won = [i for i, line in enumerate(first_lines) if b" 200 " in line]
    assert len(won) == 1 and sum(b" 412 " in line for line in first_lines) == 7
    assert raw.request("GET", prefix + "x").body == b"%d" % won[0]
    for connection in waiting:
        connection.close()


# ---- ranges ----

@pytest.mark.parametrize("text, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=2-5", 2, 5), ("bytes=5-", 5, 9), ("bytes=-3", 7, 9),
    ("bytes=8-100", 8, 9), ("bytes=-100", 0, 9),
    ("bytes=8-18446744073709551616", 8, 9), ("bytes=8-99999999999999999999999999999", 8, 9),
    ("bytes=-99999999999999999999999999999", 0, 9), ("bytes=00000000000000000000000000000002-5", 2, 5)])
def test_ranges_are_served(raw, prefix, text, first, last):
    raw.request("PUT", prefix + "x", body=b"0123456789")
    answer = raw.request("GET", prefix + "x", headers={"range": text})
    assert (answer.status, answer.body) == (206, b"0123456789"[first:last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/10"
    answer = raw.request("HEAD", prefix + "x", headers={"range": text})
    assert (answer.status, answer.headers["content-length"]) == (206, str(last - first + 1))


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-",
                                  "bytes=18446744073709551616-18446744073709551617"])
def test_ranges_that_can_not_be(raw, prefix, text):
    raw.request("PUT", prefix + "x", body=b"0123456789")
    answer = raw.request("GET", prefix + "x", headers={"range": text})
    assert (answer.status, answer.code) == (416, "InvalidRange")
    assert answer.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize("text", ["bytes=5-2", "bytes=a-b", "bytes=", "bytes=-", "lines=1-2",
                                  "bytes=0-1,3-4", "bytes=1-2 ", "bytes=+1-2", "bytes=1"])
def test_ranges_that_are_none(raw, prefix, text):
    raw.request("PUT", prefix + "x", body=b"0123456789")
    answer = raw.request("GET", prefix + "x", headers={"range": text})
    assert (answer.status, answer.body) == (200, b"0123456789")


def test_range_of_nothing(raw, prefix):
    raw.request("PUT", prefix + "x")
    assert raw.request("GET", prefix + "x", headers={"range": "bytes=0-9"}).status == 416


def test_range_if_unchanged(raw, prefix):
    etag = raw.request("PUT", prefix + "x", body=b"0123456789").headers["etag"]
    answer = raw.request("GET", prefix + "x", headers={"range": "bytes=1-2", "if-range": etag})
    assert answer.body == b"12"
    answer = raw.request("GET", prefix + "x", headers={"range": "bytes=1-2", "if-range": '"0"'})
    assert (answer.status, len(answer.body)) == (200, 10)


# ---- copies ----

def test_a_copy_has_content_and_metadata(s3, bucket, prefix):
    s3.put_object(Bucket=bucket, Key=prefix + "a b", Body=b"data", Metadata={"m": "1"},
                  ContentType="text/x", ServerSideEncryption="AES256", ChecksumAlgorithm="SHA256")
    s3.copy_object(Bucket=bucket, Key=prefix + "c", CopySource=f"{bucket}/{prefix}a b")
    answer = s3.get_object(Bucket=bucket, Key=prefix + "c")
    assert answer["Body"].read() == b"data"
    assert (answer["Metadata"], answer["ContentType"]) == ({"m": "1"}, "text/x")
    assert answer["ServerSideEncryption"] == "AES256"
    s3.copy_object(Bucket=bucket, Key=prefix + "c", CopySource={"Bucket": bucket, "Key": prefix + "c"},
                   Metadata={"m": "2"}, MetadataDirective="REPLACE")
    answer = s3.get_object(Bucket=bucket, Key=prefix + "c")
    assert answer["Body"].read() == b"data" and answer["Metadata"] == {"m": "2"}


def test_copy_refused(s3, bucket, prefix):
    s3.put_object(Bucket=bucket, Key=prefix + "a", Body=b"data")
    source = {"Bucket": bucket, "Key": prefix + "a"}
    assert refused(s3.copy_object, Bucket=bucket, Key=prefix + "a",
                   CopySource=source)[0] == "InvalidRequest"
    assert refused(s3.copy_object, Bucket=bucket, Key=prefix + "b",
                   CopySource={"Bucket": bucket, "Key": prefix + "none"})[0] == "NoSuchKey"
    assert refused(s3.copy_object, Bucket=bucket, Key=prefix + "b",
                   CopySource={"Bucket": "other", "Key": "x"})[0] == "NoSuchBucket"
    assert refused(s3.copy_object, Bucket=bucket, Key=prefix + "b", CopySource=source,
                   CopySourceIfMatch='"0"') == ("PreconditionFailed", 412)


# ---- lists ----

@pytest.fixture(scope="module")
def tree(sandbox):
    """a, b/1..b/5, b/c/1, d/e/f, z"""
    s3 = sandbox.boto3()
    for name in ["a", "b/1", "b/2", "b/3", "b/4", "b/5", "b/c/1", "d/e/f", "z"]:
        s3.put_object(Bucket="igtcloud", Key="tree/" + name, Body=name.encode())
    return s3


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
def test_list_pages(tree, call, size):
    def listed(**more):
        keys, prefixes = [], []
        for page in tree.get_paginator(call).paginate(
                Bucket="igtcloud", PaginationConfig={"PageSize": size}, **more):
            assert len(keys_of(page)) + len(prefixes_of(page)) <= size
            keys += keys_of(page)
            prefixes += prefixes_of(page)
        return [k[5:] for k in keys], [p[5:] for p in prefixes]
    assert listed(Prefix="tree/") == (
        ["a", "b/1", "b/2", "b/3", "b/4", "b/5", "b/c/1", "d/e/f", "z"], [])
    assert listed(Prefix="tree/", Delimiter="/") == (["a", "z"], ["b/", "d/"])
    assert listed(Prefix="tree/b", Delimiter="/") == ([], ["b/"])
    assert listed(Prefix="tree/b/", Delimiter="/") == (
        ["b/1", "b/2", "b/3", "b/4", "b/5"], ["b/c/"])
    assert listed(Prefix="tree/none") == ([], [])


def test_list_start(tree, bucket):
    answer = tree.list_objects_v2(Bucket=bucket, Prefix="tree/", StartAfter="tree/b/3")
    assert keys_of(answer) == ["tree/b/4", "tree/b/5", "tree/b/c/1", "tree/d/e/f", "tree/z"]
    assert answer["KeyCount"] == 5 and answer["StartAfter"] == "tree/b/3"
    answer = tree.list_objects(Bucket=bucket, Prefix="tree/", Marker="tree/b/", Delimiter="/")
    assert (keys_of(answer), prefixes_of(answer)) == (["tree/z"], ["tree/d/"])
    assert tree.list_objects_v2(Bucket=bucket, Prefix="tree/", MaxKeys=0)["KeyCount"] == 0


def test_list_entries(tree, bucket):
    entry = tree.list_objects_v2(Bucket=bucket, Prefix="tree/a", FetchOwner=True)["Contents"][0]
    assert entry["ETag"] == f'"{hashlib.md5(b"a").hexdigest()}"'
    assert (entry["Size"], entry["StorageClass"]) == (1, "STANDARD")
    assert entry["Owner"]["ID"]


def test_list_refused(tree, raw, bucket):
    assert refused(tree.list_objects_v2, Bucket=bucket, ContinuationToken="!")[0] == "InvalidArgument"
    assert raw.request("GET", "", {"max-keys": "-1"}).code == "InvalidArgument"
    assert raw.request("GET", "", {"encoding-type": "xml"}).code == "InvalidArgument"


def test_large_list(s3, bucket, prefix):
    keys = [f"{prefix}{i:04}" for i in range(1005)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b""), keys))
    first = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
    assert first["IsTruncated"] and keys_of(first) == keys[:1000]
    rest = s3.list_objects_v2(Bucket=bucket, Prefix=prefix,
                              ContinuationToken=first["NextContinuationToken"])
    assert not rest["IsTruncated"] and keys_of(rest) == keys[1000:]


# ---- buckets ----

def test_the_account_has_one_bucket(s3, bucket):
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [bucket]
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"][
        "x-amz-bucket-region"] == "eu-central-1"
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-central-1"
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert refused(s3.create_bucket, Bucket=bucket)[0] == "BucketAlreadyOwnedByYou"
    assert refused(s3.head_bucket, Bucket="other") == ("404", 404)
    assert refused(s3.list_objects_v2, Bucket="other") == ("NoSuchBucket", 404)
    assert refused(s3.put_object, Bucket="other", Key="x") == ("NoSuchBucket", 404)


# ---- through boto3's own transfers ----

def test_file_transfers(s3, bucket, prefix, tmp_path):
    body = os.urandom(12 << 20)
    (tmp_path / "up").write_bytes(body)
    config = TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=6 << 20)
    s3.upload_file(str(tmp_path / "up"), bucket, prefix + "x", Config=config,
                   ExtraArgs={"ServerSideEncryption": "AES256"})
    s3.download_file(bucket, prefix + "x", str(tmp_path / "down"), Config=config)
    assert (tmp_path / "down").read_bytes() == body
    s3.copy({"Bucket": bucket, "Key": prefix + "x"}, bucket, prefix + "y", Config=config)
    out = io.BytesIO()
    s3.download_fileobj(bucket, prefix + "y", out)
    assert out.getvalue() == body


def test_last_modified(raw, prefix):
    raw.request("PUT", prefix + "x", body=b"x")
    date = email.utils.parsedate_to_datetime(raw.request("HEAD", prefix + "x").headers[
        "last-modified"])
    assert abs(date.timestamp() - time.time()) < 60
