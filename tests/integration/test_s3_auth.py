# SPDX-License-Identifier: MIT
"""Signatures and everything around them, by requests that are wrong in one thing."""

import datetime
import http.client

import pytest

from s3_raw import RawS3, now


def stamp(seconds):
    return (now() + datetime.timedelta(seconds=seconds)).strftime("%Y%m%dT%H%M%SZ")


def test_good_request(raw, prefix):
    assert raw.request("PUT", prefix + "a b+c~ü'(x)", body=b"hello").status == 200
    answer = raw.request("GET", prefix + "a b+c~ü'(x)")
    assert (answer.status, answer.body) == (200, b"hello")
    assert len(answer.headers["x-amz-request-id"]) == 16


def test_unescaped_path_signs_as_escaped(raw, prefix):
    """Some clients leave '(' and '=' as they are on the wire, and sign them escaped."""
    raw.request("PUT", prefix + "(a=b)", body=b"x")
    when = stamp(0)
    path = f"/igtcloud/{prefix}(a=b)"
    headers = {"host": raw.host, "x-amz-date": when, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    names = sorted(headers)
    seed = raw.signature("GET", f"/igtcloud/{prefix}%28a%3Db%29", {}, headers, names,
                         "UNSIGNED-PAYLOAD", when)
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={raw.access_key}/{raw.scope(when)},"
                                f"SignedHeaders={';'.join(names)},Signature={seed}")
    assert raw.send("GET", path, {}, headers, b"").status == 200


@pytest.mark.parametrize("change", ["method", "key", "query", "header", "secret"])
def test_changed_after_signing(raw, prefix, change):
    raw.request("PUT", prefix + "x", body=b"1")
    when = stamp(0)
    signer = RawS3("http://" + raw.host, raw.access_key, raw.secret_key)
    if change == "secret":
        signer.secret_key = raw.secret_key[:-1] + ("a" if raw.secret_key[-1] != "a" else "b")
    headers = {"host": raw.host, "x-amz-date": when, "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
               "x-amz-meta-a": "1"}
    names = sorted(headers)
    path = f"/igtcloud/{prefix}x"
    seed = signer.signature("GET", path, {}, headers, names, "UNSIGNED-PAYLOAD", when)
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={raw.access_key}/{raw.scope(when)},"
                                f"SignedHeaders={';'.join(names)},Signature={seed}")
    method, query = "GET", {}
    if change == "method":
        method = "DELETE"
    elif change == "key":
        path += "y"
    elif change == "query":
        query = {"response-content-type": "text/html"}
    elif change == "header":
        headers["x-amz-meta-a"] = "2"
    answer = raw.send(method, path, query, headers, b"")
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_no_signature(raw):
    connection = http.client.HTTPConnection(raw.host, timeout=30)
    connection.request("GET", "/igtcloud/x")
    response = connection.getresponse()
    assert response.status == 403 and b"<Code>AccessDenied</Code>" in response.read()


def test_signature_version_2(raw):
    answer = raw.request("GET", "x", authorization=f"AWS {raw.access_key}:c2lnbmF0dXJl")
    assert (answer.status, answer.code) == (400, "InvalidRequest")


@pytest.mark.parametrize("authorization", [
    "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=b",
    "AWS4-HMAC-SHA256 Credential=a/b/c/d/e/f,SignedHeaders=host,Signature=b",
    "AWS4-HMAC-SHA256 SignedHeaders=host,Signature=b",
    "AWS4-HMAC-SHA256 Credential=////,SignedHeaders=host,Signature=b"])
def test_malformed_authorization(raw, authorization):
    answer = raw.request("GET", "x", authorization=authorization)
    assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed")


def test_wrong_region_names_the_right_one(raw):
    raw.region = "us-east-1"
    answer = raw.request("GET", "x")
    assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed")
    assert answer.xml.findtext("Region") == "eu-central-1"
    assert raw.request("HEAD", "x").headers["x-amz-bucket-region"] == "eu-central-1"


@pytest.mark.parametrize("name", ["service", "terminator"])
def test_wrong_scope(raw, name):
    setattr(raw, name, "other")
    answer = raw.request("GET", "x")
    assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed")


def test_unknown_access_key(raw):
    raw.access_key = "AKIAAAAAAAAAAAAAAAAA"
    answer = raw.request("GET", "x")
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")


def test_token_that_belongs_to_no_one(raw):
    raw.token = "invented"
    answer = raw.request("GET", "x")
    assert (answer.status, answer.code) == (400, "InvalidToken")


@pytest.mark.parametrize("seconds", [-16 * 60, 16 * 60])
def test_clock_that_is_wrong(raw, seconds):
    answer = raw.request("GET", "x", when=stamp(seconds))
    assert (answer.status, answer.code) == (403, "RequestTimeTooSkewed")


def test_clock_within_bounds(raw):
    assert raw.request("GET", "none", when=stamp(-14 * 60)).code == "NoSuchKey"


def test_header_that_is_not_signed(raw):
    answer = raw.request("PUT", "x", headers={"x-amz-meta-a": "1"}, unsigned={"x-amz-meta-a"})
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert answer.xml.findtext("HeadersNotSigned") == "x-amz-meta-a"


@pytest.mark.parametrize("more", [125, 126, 127, 130, 300])
def test_header_that_is_not_signed_behind_many(raw, prefix, more):
    """A presigned PUT must not become a copy of another object, however many headers come first."""
    raw.request("PUT", prefix + "secret", body=b"secret")
    path, query = raw.presign("PUT", prefix + "mine")
    headers = {"host": raw.host, **{f"x{n}": "" for n in range(more)},
               "x-amz-copy-source": f"/igtcloud/{prefix}secret"}
    assert raw.send("PUT", path, query, headers, b"").status in (400, 403)
    assert raw.request("GET", prefix + "mine").code == "NoSuchKey"


def test_host_must_be_signed(raw):
    answer = raw.request("GET", "x", unsigned={"host"})
    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_content_hash_is_needed(raw):
    answer = raw.request("GET", "x", payload="nonsense")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_body_that_is_not_what_was_signed(raw, prefix):
    answer = raw.request("PUT", prefix + "x", body=b"hello", payload="0" * 64)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert raw.request("GET", prefix + "x").code == "NoSuchKey"


# ---- presigned ----

def test_presigned_urls_are_accepted(raw, prefix):
    assert raw.put_presigned(prefix + "x y", b"data").status == 200
    answer = raw.get_presigned(prefix + "x y", query={"response-content-type": "text/x"})
    assert (answer.status, answer.body) == (200, b"data")
    assert answer.headers["content-type"] == "text/x"


def test_presigned_expires(raw):
    answer = raw.get_presigned("x", when=stamp(-120), expires=60)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert "expired" in answer.xml.findtext("Message")


def test_presigned_outlives_the_skew(raw):
    assert raw.get_presigned("none", when=stamp(-3600), expires=7200).code == "NoSuchKey"


def test_presigned_not_yet(raw):
    assert raw.get_presigned("x", when=stamp(3600)).code == "AccessDenied"


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "soon"])
def test_presigned_lifetime(raw, expires):
    answer = raw.get_presigned("x", expires=expires)
    assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError")


def test_presigned_signature(raw):
    path, query = raw.presign("GET", "x")
    answer = raw.send("PUT", path, query, {"host": raw.host}, b"")
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    query["X-Amz-Expires"] = "61"
    answer = raw.send("GET", path, query, {"host": raw.host}, b"")
    assert answer.code == "SignatureDoesNotMatch"


def test_two_ways_at_once(raw):
    path, query = raw.presign("GET", "x")
    answer = raw.send("GET", path, query, {"host": raw.host, "authorization": "AWS4-HMAC-SHA256 x"},
                      b"")
    assert answer.code == "InvalidArgument"
