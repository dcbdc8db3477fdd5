# SPDX-License-Identifier: MIT
"""The sandbox's faults themselves, seen by a client that knows nothing of them: each kind does what
docs/sandbox.md says, and the log shows it."""

import base64
import hashlib
import http.client
import json
import re
import socket
import time
import urllib.parse

import pytest

from rest_client import RestClient
from sandbox import BUCKET, ROOT, Sandbox

KEY = "some/object.bin"
BODY = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def cloud():
    with Sandbox(extra=["--faults"]) as running:
        running.boto3().put_object(Bucket=BUCKET, Key=KEY, Body=BODY)
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture
def faults(cloud):
    cloud.clear()
    yield cloud.faults
    cloud.clear()


def exchange(cloud, path="/api/data/projects", method="GET", body=None, headers=None, timeout=20):
    """Status, headers and body, over a connection of its own."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(cloud.url).netloc,
                                            timeout=timeout)
    try:
        chunked = headers is not None and "Transfer-Encoding" in headers
        connection.request(method, path, body, headers or {}, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def get_object(cloud, **more):
    return cloud.boto3().get_object(Bucket=BUCKET, Key=KEY, **more)


def last(cloud):
    return cloud.requests()[-1]


# ---- the plan ----

def test_without_faults_there_is_none():
    with Sandbox() as plain:
        assert exchange(plain, "/__faults")[0] == 404
        assert exchange(plain, "/__requests")[0] == 404


def test_every_kind_is_documented(cloud):
    source = (ROOT / "sandbox/faults/internal.h").read_text()
    kinds = re.findall(r'X\([A-Z_]+, "([a-z-]+)"', source)
    text = (ROOT / "docs/sandbox.md").read_text()
    assert len(kinds) > 20 and [k for k in kinds if f"`{k}`" not in text] == []


@pytest.mark.parametrize("wrong", [
    {}, [{"fault": "no-such"}], [{"fault": "reset", "tims": 2}], [{"fault": "redirect"}],
    [{"fault": "reset", "chance": 2}], [{"fault": "silence", "seconds": 1e9}]])
def test_plans_that_are_none(cloud, faults, wrong):
    answer = RestClient(cloud.url).post("/__faults", wrong)
    assert answer.status == 400 and answer.message
    assert cloud.planned() == []


def test_a_page_cannot_post_a_plan(cloud, faults):
    status, _, _ = exchange(cloud, "/__faults", "POST", b"[]", {"Content-Type": "text/plain"})
    assert status == 415


@pytest.mark.smoke
def test_queue_skip_and_times(cloud, faults):
    faults({"fault": "bad-gateway", "path": "/api/data/**", "skip": 1, "times": 2},
           {"fault": "too-many", "path": "/api/data/**", "method": "GET"})
    assert [exchange(cloud)[0] for _ in range(5)] == [401, 502, 502, 429, 401]
    assert exchange(cloud, "/api/auth/introspect")[0] == 401
    assert [r["fault"] for r in cloud.requests()] == [
        None, "bad-gateway", "bad-gateway", "too-many", None, None]
    assert cloud.planned() == []


def test_chance_is_the_same_again(cloud, faults):
    rounds = []
    for _ in range(2):
        cloud.clear()
        faults({"fault": "internal-error", "chance": 0.3, "seed": 7})
        rounds.append([exchange(cloud)[0] for _ in range(60)])
    assert rounds[0] == rounds[1]
    assert 5 < rounds[0].count(500) < 35 and rounds[0].count(500) + rounds[0].count(401) == 60
    assert cloud.planned()[0]["used"] == rounds[1].count(500)


def test_only_above_a_number_in_flight(cloud, faults):
    faults({"fault": "slow-down", "above": 1})
    assert [exchange(cloud)[0] for _ in range(3)] == [401] * 3
    faults({"fault": "silence", "path": "/api/auth/introspect", "seconds": 30})
    waiting = socket.create_connection(("127.0.0.1", cloud.port), timeout=20)
    waiting.sendall(b"GET /api/auth/introspect HTTP/1.1\r\nHost: x\r\n\r\n")
    cloud.wait_for(lambda: any(r["fault"] == "silence" for r in cloud.requests()))
    assert exchange(cloud)[0] == 503
    waiting.close()


# ---- answers ----

@pytest.mark.parametrize("kind, status, code", [
    ("internal-error", 500, "InternalError"), ("unavailable", 503, "ServiceUnavailable"),
    ("slow-down", 503, "SlowDown"), ("too-many", 429, "TooManyRequests"),
    ("unauthorized", 401, "AccessDenied"), ("forbidden", 403, "AccessDenied"),
    ("expired-token", 403, "ExpiredToken"), ("too-skewed", 403, "RequestTimeTooSkewed"),
    ("complete-error", 200, "InternalError")])
def test_errors_of_the_store_and_the_cloud(cloud, faults, kind, status, code):
    faults({"fault": kind, "retry_after": 7, "times": 2})
    got, headers, body = exchange(cloud, f"/{BUCKET}/{KEY}")
    assert got == status and f"<Code>{code}</Code>".encode() in body
    assert headers["Retry-After"] == "7" and headers["Date"] and headers["x-amz-request-id"]
    got, headers, body = exchange(cloud)
    assert got == status and json.loads(body)["message"]


@pytest.mark.parametrize("kind, status", [("bad-gateway", 502), ("gateway-timeout", 504),
                                          ("proxy-page", 200), ("proxy-login", 407)])
def test_pages_of_somebody_in_between(cloud, faults, kind, status):
    faults({"fault": kind})
    got, headers, body = exchange(cloud)
    assert got == status and headers["Content-Type"].startswith("text/html") and b"<html>" in body


def test_redirect_and_another_status(cloud, faults):
    faults({"fault": "redirect", "to": "http://127.0.0.2:9/x"},
           {"fault": "expired-token", "status": 400})
    status, headers, _ = exchange(cloud)
    assert status == 307 and headers["Location"] == "http://127.0.0.2:9/x"
    assert exchange(cloud)[0] == 400


# ---- broken connections ----

def test_reset_before_the_response(cloud, faults):
    faults({"fault": "reset"})
    with pytest.raises(ConnectionResetError):
        exchange(cloud)
    assert exchange(cloud)[0] == 401
    assert cloud.requests()[0]["status"] == 0


def test_reset_takes_no_effect_and_a_lost_response_does(cloud, faults):
    for kind, there in (("reset", False), ("lost-response", True)):
        key = f"effect/{kind}"
        faults({"fault": kind, "method": "PUT"})
        with pytest.raises(Exception, match="(?i)connection"):
            cloud.boto3().put_object(Bucket=BUCKET, Key=key, Body=b"abc")
        listed = cloud.boto3().list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents", [])
        assert bool(listed) == there
        assert cloud.requests()[0]["bytesIn"] == 3


def test_reset_in_the_headers(cloud, faults):
    faults({"fault": "reset-in-headers"})
    with pytest.raises((ConnectionResetError, http.client.HTTPException)):
        exchange(cloud)


@pytest.mark.parametrize("at", [0, 1, 5000, 10 ** 9])
def test_reset_in_the_body(cloud, faults, at):
    faults({"fault": "reset-in-body", "at": at})
    body = get_object(cloud)["Body"]
    with pytest.raises(Exception, match="(?i)connection|read"):
        body.read()
    assert last(cloud)["bytesOut"] == min(at, len(BODY) - 1)


def test_reset_in_the_request(cloud, faults):
    faults({"fault": "reset-in-request", "at": 1000000})
    with pytest.raises(Exception, match="(?i)connection"):
        cloud.boto3().put_object(Bucket=BUCKET, Key="cut", Body=bytes(5000000))
    assert 1000000 < last(cloud)["bytesIn"] < 1100000


def test_refused_for_a_while(cloud, faults):
    faults({"fault": "refuse", "seconds": 0.5})
    with pytest.raises(ConnectionResetError):
        exchange(cloud)
    begin = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        exchange(cloud)
    assert cloud.wait_for(lambda: not refuses(cloud))
    assert time.monotonic() - begin < 15 and exchange(cloud)[0] == 401


def refuses(cloud):
    try:
        socket.create_connection(("127.0.0.1", cloud.port), timeout=5).close()
        return False
    except ConnectionRefusedError:
        return True


# ---- wrong bytes ----

def test_body_shorter_than_its_length(cloud, faults):
    faults({"fault": "short-body", "by": 3})
    with pytest.raises(http.client.IncompleteRead) as caught:
        exchange(cloud)
    assert caught.value.expected == 3


def test_body_longer_than_its_length(cloud, faults):
    faults({"fault": "long-body", "by": 5})
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=20) as s:
        s.sendall(b"GET /api/data/projects HTTP/1.1\r\nHost: x\r\n\r\n")
        text = b""
        while piece := s.recv(65536):
            text += piece
    head, body = text.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    assert len(body) == length + 5


def test_flipped_byte(cloud, faults):
    faults({"fault": "flip", "at": 300})
    got = get_object(cloud)["Body"].read()
    assert [i for i in range(len(BODY)) if got[i] != BODY[i]] == [300]


def test_flipped_on_the_way_up_is_noticed_by_the_store(cloud, faults):
    faults({"fault": "flip-in-request", "at": 2, "method": "PUT"})
    with pytest.raises(Exception, match="BadDigest|XAmzContentSHA256Mismatch"):
        cloud.boto3().put_object(Bucket=BUCKET, Key="flipped", Body=b"abc")


def test_wrong_headers(cloud, faults):
    cloud.boto3().put_object(Bucket=BUCKET, Key="summed", Body=b"abc", ChecksumAlgorithm="CRC32")
    right = get_object(cloud)["ETag"]
    faults({"fault": "wrong-etag"}, {"fault": "wrong-checksum"}, {"fault": "wrong-checksum"})
    assert get_object(cloud)["ETag"] == '"' + "0" * 32 + '"' != right
    head = cloud.boto3().head_object(Bucket=BUCKET, Key="summed", ChecksumMode="ENABLED")
    assert head["ResponseMetadata"]["HTTPHeaders"]["x-amz-checksum-crc32"] == "AAAAAA=="
    head = cloud.boto3().head_object(Bucket=BUCKET, Key=KEY)["ResponseMetadata"]["HTTPHeaders"]
    assert head["x-amz-checksum-sha256"] == "A" * 43 + "="
    faults({"fault": "no-checksum", "method": "HEAD"})
    answers = [cloud.boto3().head_object(Bucket=BUCKET, Key="summed", ChecksumMode="ENABLED")
               for _ in range(2)]
    assert ["ChecksumCRC32" in answer for answer in answers] == [False, True]


def test_replaced_object(cloud, faults):
    s3 = cloud.boto3()
    s3.put_object(Bucket=BUCKET, Key="turned", Body=b"abc")
    faults({"fault": "replace", "skip": 1})
    first, second = (s3.get_object(Bucket=BUCKET, Key="turned") for _ in range(2))
    assert first["Body"].read() == b"abc"
    assert second["Body"].read() == bytes(255 - x for x in b"abc")
    assert first["ETag"] != second["ETag"]


# ---- slow ----

def test_silence_delays_a_response(cloud, faults):
    faults({"fault": "silence", "seconds": 0.3}, {"fault": "silence", "seconds": 0.3, "at": 100})
    begin = time.monotonic()
    assert get_object(cloud)["Body"].read() == BODY
    assert get_object(cloud)["Body"].read() == BODY
    assert time.monotonic() - begin >= 0.6


def test_silence_ends_with_the_faults(cloud, faults):
    """Whether it has begun, or a request that will get it still sends its body."""
    faults({"fault": "silence", "seconds": 600, "times": 2})
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=20) as early, \
            socket.create_connection(("127.0.0.1", cloud.port), timeout=20) as late:
        for s, body in ((early, b"{}"), (late, b"{")):
            s.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n" + body)
        cloud.wait_for(lambda: len(cloud.requests(fault="silence")) == 2)
        cloud.heal()
        late.sendall(b"}")
        for s in (early, late):
            assert s.recv(65536).startswith(b"HTTP/1.1 4")


def test_trickle_slows_a_body(cloud, faults):
    cloud.boto3().put_object(Bucket=BUCKET, Key="short", Body=b"abcd")
    faults({"fault": "trickle", "per_second": 20, "method": "GET"})
    begin = time.monotonic()
    assert cloud.boto3().get_object(Bucket=BUCKET, Key="short")["Body"].read() == b"abcd"
    assert time.monotonic() - begin >= 0.15


def test_ends_while_somebody_waits():
    with Sandbox(extra=["--faults"]) as running:
        running.faults({"fault": "silence", "seconds": 600})
        waiting = socket.create_connection(("127.0.0.1", running.port), timeout=20)
        waiting.sendall(b"GET /api/auth/introspect HTTP/1.1\r\nHost: x\r\n\r\n")
        running.wait_for(lambda: running.requests())
        assert running.stop() == 0, running.log()
        waiting.close()


# ---- the log, and what is not spoilt ----

def test_the_log_has_every_request(cloud, faults):
    s3 = cloud.boto3()
    s3.get_object(Bucket=BUCKET, Key=KEY, Range="bytes=10-19")["Body"].read()
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    s3.upload_part(Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=3, Body=b"x" * 100)
    first, _, part = cloud.requests()
    assert (first["method"], first["path"], first["range"]) == (
        "GET", f"/{BUCKET}/{KEY}", "bytes=10-19")
    assert (first["status"], first["bytesIn"], first["bytesOut"]) == (206, 0, 10)
    assert first["accessKey"] == cloud.root_credentials()["accessKey"]
    assert part["part"] == 3 and part["bytesIn"] >= 100 and part["took"] >= 0
    assert part["connection"] == first["connection"] and part["at"] > first["at"]
    md5 = base64.b64encode(hashlib.md5(b"abc").digest()).decode()
    s3.put_object(Bucket=BUCKET, Key="summed", Body=b"abc", ContentMD5=md5)
    assert first["contentMd5"] is None and cloud.requests()[-1]["contentMd5"] == md5
    assert "Signature" not in json.dumps(cloud.requests())


def test_log_has_all_of_clients_that_are_gone(cloud, faults):
    """Without waiting: also of those that nobody had read when they went."""
    faults({"fault": "silence", "seconds": 600, "times": 0})
    for _ in range(2):
        for n in range(100):
            with socket.create_connection(("127.0.0.1", cloud.port), timeout=20) as s:
                s.sendall(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n)
        log = cloud.requests()
        assert sorted(int(r["path"][1:]) for r in log) == list(range(100))
        assert all(r["took"] is not None and r["fault"] == "silence" for r in log)
        cloud._ask("DELETE", "/__requests")


def test_deleting_faults_waits_for_clients_that_are_gone(cloud, faults):
    faults({"fault": "bad-gateway", "times": 0})
    for n in range(100):
        with socket.create_connection(("127.0.0.1", cloud.port), timeout=20) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    cloud.heal()
    assert [r["fault"] for r in cloud.requests()] == ["bad-gateway"] * 100


def test_response_that_was_read_is_in_the_log(cloud, faults):
    """As long as its connection is kept, too."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(cloud.url).netloc, timeout=20)
    for n in range(100):
        connection.request("GET", "/api/data/projects" if n % 2 else f"/{BUCKET}?list-type=2")
        body = connection.getresponse().read()
        entry = cloud.requests()[-1]
        assert entry["took"] is not None and entry["bytesOut"] == len(body) and entry["status"]
    connection.close()


def test_large_bodies_pass_whole(cloud, faults):
    data = bytes(range(251)) * 60000
    s3 = cloud.boto3()
    s3.put_object(Bucket=BUCKET, Key="large", Body=data)
    assert s3.get_object(Bucket=BUCKET, Key="large")["Body"].read() == data
    assert s3.head_object(Bucket=BUCKET, Key="large")["ContentLength"] == len(data)


def test_chunked_bodies_pass(cloud, faults):
    status, _, body = exchange(cloud, "/api/auth/login", "POST", iter([b'{"grant', b'Type": 1}']),
                               {"Content-Type": "application/json",
                                "Transfer-Encoding": "chunked"})
    assert status == 400 and b"grantType" in body


# ---- the clock ----

def test_clock_shifts_the_servers_date():
    with Sandbox(seed="demo", extra=["--clock", "-7200"]) as behind:
        _, headers, _ = exchange(behind)
        date = time.mktime(time.strptime(headers["Date"], "%a, %d %b %Y %H:%M:%S GMT"))
        assert abs(date - time.timezone + 7200 - time.time()) < 60
        assert len(headers.get_all("Date")) == 1
        with pytest.raises(Exception, match="RequestTimeTooSkewed"):
            behind.boto3().list_objects_v2(Bucket=BUCKET)
