# SPDX-License-Identifier: MIT
"""Bodies: signed, unsigned, in chunks, with trailers, checksums and digests."""

import base64
import hashlib
import zlib

import pytest


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def reflected_crc(data, polynomial, bits):
    """Bit by bit from the definition, for the checksums that Python does not have."""
    value = ones = (1 << bits) - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ polynomial if value & 1 else value >> 1
    return base64.b64encode((value ^ ones).to_bytes(bits // 8, "big")).decode()


SUMS = {
    "crc32": crc32,
    "crc32c": lambda data: reflected_crc(data, 0x82F63B78, 32),
    "crc64nvme": lambda data: reflected_crc(data, 0x9A6C9329AC4BC9B5, 64),
    "sha1": lambda data: base64.b64encode(hashlib.sha1(data).digest()).decode(),
    "sha256": lambda data: base64.b64encode(hashlib.sha256(data).digest()).decode(),
}
BODY = bytes(range(256)) * 80


def stored(raw, key):
    answer = raw.request("GET", key, headers={"x-amz-checksum-mode": "ENABLED"})
    return answer.body if answer.status == 200 else answer.code, answer.headers


# ---- chunks ----

@pytest.mark.parametrize("chunks", [[], [b"x"], [BODY], [BODY, BODY, b"tail"], [BODY[:8192]] * 9])
def test_signed_chunks(raw, prefix, chunks):
    assert raw.put_chunks(prefix + "x", chunks).status == 200
    body, headers = stored(raw, prefix + "x")
    assert body == b"".join(chunks)
    assert headers["content-encoding"] is None
    assert headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'


def test_other_encoding_stays(raw, prefix):
    raw.put_chunks(prefix + "x", [BODY], headers={"content-encoding": "aws-chunked,gzip"})
    assert stored(raw, prefix + "x")[1]["content-encoding"] == "gzip"


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_changed_chunk(raw, prefix, frame):
    def spoil(frames):
        where = frames[frame].index(b"\r\n") + (2 if frame < 2 else -1)
        piece = bytearray(frames[frame])
        piece[where] = ord("0") if piece[where] != ord("0") else ord("1")
        return frames[:frame] + [bytes(piece)] + frames[frame + 1:]
    answer = raw.put_chunks(prefix + "x", [BODY, BODY], spoil=spoil)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert stored(raw, prefix + "x")[0] == "NoSuchKey"


def test_chunks_in_another_order(raw, prefix):
    other = BODY[::-1]
    answer = raw.put_chunks(prefix + "x", [BODY, other],
                            spoil=lambda frames: [frames[1], frames[0], *frames[2:]])
    assert answer.code == "SignatureDoesNotMatch"


def test_last_chunk_left_out(raw, prefix):
    answer = raw.put_chunks(prefix + "x", [BODY], spoil=lambda frames: frames[:1])
    assert (answer.status, answer.code) == (400, "IncompleteBody")


@pytest.mark.parametrize("length", [len(BODY) - 1, len(BODY) + 1])
def test_decoded_length_that_is_wrong(raw, prefix, length):
    answer = raw.put_chunks(prefix + "x", [BODY], length=length)
    assert (answer.status, answer.code) == (400, "IncompleteBody")


def test_decoded_length_is_needed(raw, prefix):
    answer = raw.put_chunks(prefix + "x", [BODY], headers={"x-amz-decoded-content-length": "x"})
    assert (answer.status, answer.code) == (411, "MissingContentLength")


def test_small_chunk_in_between(raw, prefix):
    answer = raw.put_chunks(prefix + "x", [b"small", BODY])
    assert (answer.status, answer.code) == (403, "InvalidChunkSizeError")


@pytest.mark.parametrize("frames", [
    [b"nonsense\r\n"], [b"g\r\n"], [b"5\r\nhello\r\n0\r\n\r\n"], [b"\r\n"], [b"f" * 2000]])
def test_malformed_chunks(raw, prefix, frames):
    answer = raw.put_chunks(prefix + "x", [b"hello"], spoil=lambda _: frames)
    assert (answer.status, answer.code) == (400, "InvalidRequest")


# ---- trailers ----

@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("name", SUMS)
def test_trailing_checksum(raw, prefix, name, signed):
    header = "x-amz-checksum-" + name
    answer = raw.put_chunks(prefix + "x", [BODY, b"end"], (header, SUMS[name](BODY + b"end")),
                            signed=signed)
    assert answer.status == 200
    body, headers = stored(raw, prefix + "x")
    assert body == BODY + b"end"
    assert headers[header] == SUMS[name](body) == answer.headers[header]


@pytest.mark.parametrize("signed", [True, False])
def test_trailing_checksum_that_is_wrong(raw, prefix, signed):
    answer = raw.put_chunks(prefix + "x", [BODY], ("x-amz-checksum-crc32", crc32(b"other")),
                            signed=signed)
    assert (answer.status, answer.code) == (400, "BadDigest")
    assert stored(raw, prefix + "x")[0] == "NoSuchKey"


def test_trailer_that_was_changed(raw, prefix):
    def spoil(frames):
        frames[-3] = f"x-amz-checksum-crc32:{crc32(b'other')}\r\n".encode()
        return frames
    answer = raw.put_chunks(prefix + "x", [BODY], ("x-amz-checksum-crc32", crc32(BODY)),
                            spoil=spoil)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_announced_trailer_that_is_missing(raw, prefix):
    answer = raw.put_chunks(prefix + "x", [BODY], ("x-amz-checksum-crc32", crc32(BODY)),
                            signed=False, spoil=lambda frames: [*frames[:2], b"\r\n"])
    assert (answer.status, answer.code) == (400, "MalformedTrailerError")


# ---- checksums and digests in headers ----

@pytest.mark.parametrize("name", SUMS)
def test_checksum_header(raw, prefix, name):
    header = "x-amz-checksum-" + name
    answer = raw.request("PUT", prefix + "x", body=BODY, headers={header: SUMS[name](BODY)})
    assert (answer.status, answer.headers[header]) == (200, SUMS[name](BODY))
    assert stored(raw, prefix + "x")[1][header] == SUMS[name](BODY)
    plain = raw.request("GET", prefix + "x")
    assert plain.headers[header] is None
    part = raw.request("GET", prefix + "x", headers={"x-amz-checksum-mode": "ENABLED",
                                                     "range": "bytes=0-9"})
    assert (part.status, part.headers[header]) == (206, None)


@pytest.mark.parametrize("name", SUMS)
def test_checksum_header_that_is_wrong(raw, prefix, name):
    answer = raw.request("PUT", prefix + "x", body=BODY,
                         headers={"x-amz-checksum-" + name: SUMS[name](b"other")})
    assert (answer.status, answer.code) == (400, "BadDigest")


@pytest.mark.parametrize("value", ["", "!!!!", "AAAA", "AAAAAA=", "AAAAAAAA"])
def test_checksum_that_is_none(raw, prefix, value):
    answer = raw.request("PUT", prefix + "x", body=BODY, headers={"x-amz-checksum-crc32": value})
    assert (answer.status, answer.code) == (400, "InvalidRequest")


def test_two_checksums(raw, prefix):
    answer = raw.request("PUT", prefix + "x", body=BODY, headers={
        "x-amz-checksum-crc32": crc32(BODY), "x-amz-checksum-sha1": SUMS["sha1"](BODY)})
    assert (answer.status, answer.code) == (400, "InvalidRequest")


def test_content_md5(raw, prefix):
    md5 = base64.b64encode(hashlib.md5(BODY).digest()).decode()
    assert raw.request("PUT", prefix + "x", body=BODY, headers={"content-md5": md5}).status == 200
    answer = raw.request("PUT", prefix + "y", body=BODY + b"!", headers={"content-md5": md5})
    assert (answer.status, answer.code) == (400, "BadDigest")
    answer = raw.request("PUT", prefix + "y", body=BODY, headers={"content-md5": "AAAA"})
    assert (answer.status, answer.code) == (400, "InvalidDigest")
    assert stored(raw, prefix + "y")[0] == "NoSuchKey"


# ---- lengths ----

def test_length_is_needed(raw, prefix):
    answer = raw.request("PUT", prefix + "x", headers={"content-length": None,
                                                       "transfer-encoding": "chunked"},
                         unsigned={"content-length", "transfer-encoding"}, payload="UNSIGNED-PAYLOAD",
                         send=lambda *_: b"5\r\nhello\r\n0\r\n\r\n")
    assert (answer.status, answer.code) == (411, "MissingContentLength")


def test_too_large(raw, prefix):
    """Refused by its length, before any of it is read."""
    answer = raw.request("PUT", prefix + "x", payload="UNSIGNED-PAYLOAD",
                         headers={"content-length": str(6 << 30), "expect": "100-continue"},
                         unsigned={"content-length", "expect"})
    assert (answer.status, answer.code) == (400, "EntityTooLarge")
