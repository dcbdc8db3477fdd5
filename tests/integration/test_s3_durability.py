# SPDX-License-Identifier: MIT
"""What was acknowledged is there after a kill, and the program's own options and ends."""

import concurrent.futures
import http.client
import os
import socket
import subprocess
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from sandbox import BUCKET, Sandbox, program


def test_killed_while_objects_come_in():
    with Sandbox() as sandbox:
        acknowledged, stop = {}, threading.Event()

        def put(worker):
            s3 = sandbox.boto3()
            for i in range(100000):
                key, body = f"{worker}/{i}", b"%d/%d" % (worker, i) * 1000
                try:
                    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
                except (BotoCoreError, ClientError):
                    return
                acknowledged[key] = body
                if len(acknowledged) >= 200:
                    stop.set()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(put, i) for i in range(4)]
            assert stop.wait(60)
            sandbox.kill()
            for worker in workers:
                worker.result()
        sandbox.start()
        s3 = sandbox.boto3()
        for key, body in acknowledged.items():
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
        # Every file has its row, and nothing of what was on its way is left.
        listed = sum(len(page.get("Contents", [])) for page in
                     s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET))
        files = [f for f in (sandbox.data / "objects").rglob("*") if f.is_file()]
        assert len(files) == listed >= len(acknowledged)
        assert list((sandbox.data / "incoming").iterdir()) == []


def test_killed_between_parts():
    with Sandbox() as sandbox:
        s3, where = sandbox.boto3(), {"Bucket": BUCKET, "Key": "x"}
        upload = s3.create_multipart_upload(**where)["UploadId"]
        one = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"1" * (5 << 20))["ETag"]
        sandbox.kill()
        sandbox.start()
        two = s3.upload_part(**where, UploadId=upload, PartNumber=2, Body=b"2")["ETag"]
        s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]})
        assert s3.get_object(**where)["Body"].read() == b"1" * (5 << 20) + b"2"


def test_client_that_goes_away(sandbox, s3, raw, prefix):
    """A body that ends early leaves nothing."""
    host, port = raw.host.split(":")

    def leave(when, seed):
        return b"x" * 100000
    request = {"payload": "UNSIGNED-PAYLOAD", "headers": {"content-length": "200000"},
               "unsigned": {"content-length"}}
    original = raw.send

    def send(method, path, query, headers, body):
        with socket.create_connection((host, int(port))) as s:
            lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
            s.sendall("\r\n".join(lines).encode() + body)
    raw.send = send
    raw.request("PUT", prefix + "x", send=leave, **request)
    raw.send = original
    assert raw.request("GET", prefix + "x").code == "NoSuchKey"
    end = time.monotonic() + 30
    while list((sandbox.data / "incoming").iterdir()):
        assert time.monotonic() < end


def test_replaced_while_it_is_read(s3, raw, bucket, prefix):
    """Who began to read an object reads that one to its end."""
    bodies = [bytes([i]) * (1 << 20) for i in range(8)]
    raw.request("PUT", prefix + "x", body=bodies[0])

    def read(_):
        return raw.request("GET", prefix + "x").body
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(read, i) for i in range(40)]
        for body in bodies:
            s3.put_object(Bucket=bucket, Key=prefix + "x", Body=body)
        assert {r.result() for r in reads} <= set(bodies)


def test_early_refusal_keeps_the_connection(raw, prefix):
    """A body that nobody wants is read to its end, so that the next request finds its beginning."""
    connection = http.client.HTTPConnection(raw.host, timeout=30)
    for _ in range(3):
        connection.request("PUT", "/igtcloud/" + prefix + "x", body=b"x" * (4 << 20))
        response = connection.getresponse()
        assert response.status == 403 and b"AccessDenied" in response.read()


# ---- the program ----

def run(*arguments):
    return subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)


def test_help_and_version():
    done = run("--help")
    assert done.returncode == 0 and "--token-lifetime" in done.stdout and "development" in done.stdout
    assert run("--version").stdout.startswith("igtcloud-sandbox ")


@pytest.mark.parametrize("arguments", [
    [], ["--data"], ["--nonsense"], ["--data", "d", "rest"], ["--data", "d", "--port", "65536"],
    ["--data", "d", "--port", "x"], ["--data", "d", "--latency", "-1"],
    ["--data", "d", "--token-lifetime", "0"], ["--data", "d", "--s3-lifetime", "1.5"]])
def test_usage_errors(arguments, tmp_path):
    done = subprocess.run([program(), *arguments], capture_output=True, text=True, cwd=tmp_path,
                          timeout=60)
    assert done.returncode == 2 and done.stderr.startswith(("igtcloud-sandbox:", program()))
    assert list(tmp_path.iterdir()) == []


def test_clean_stop():
    with Sandbox() as sandbox:
        assert "development and tests" in sandbox.log()
        assert sandbox.stop() == 0


def test_database_is_private(tmp_path):
    """Of a new one and of one that an earlier version made."""
    files = ["sandbox.db", "sandbox.db-wal"]
    for _ in range(2):
        with Sandbox(data=tmp_path / "data") as sandbox:
            modes = {p.name: p.stat().st_mode & 0o777 for p in sandbox.data.glob("sandbox.db*")}
            assert modes == dict.fromkeys(files, 0o600)
        (tmp_path / "data" / "sandbox.db").chmod(0o644)


def test_stop_with_responses_in_transit():
    with Sandbox(latency=60000) as sandbox:
        with socket.create_connection(("127.0.0.1", sandbox.port)) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sandbox.stop() == 0


def test_latency_delays_each_response_concurrently():
    with Sandbox(latency=300) as sandbox:
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(60) as pool:
            def ask(_):
                connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=30)
                connection.request("GET", "/")
                return connection.getresponse().status
            assert list(pool.map(ask, range(60))) == [403] * 60
        took = time.monotonic() - begin
        assert 0.3 <= took < 15  # late, but all at the same time: not 18 s


def test_folder_in_use(sandbox):
    done = run("--data", sandbox.data)
    assert done.returncode == 1 and "in use by another sandbox" in done.stderr


def test_port_in_use(sandbox, tmp_path):
    done = run("--data", tmp_path / "d", "--port", sandbox.port)
    assert done.returncode == 1 and str(sandbox.port) in done.stderr


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_host_of_others(tmp_path, host):
    done = run("--data", tmp_path / "d", "--host", host)
    assert done.returncode == 1 and host in done.stderr


def test_folder_that_can_not_be(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "x", tmp_path / "a" / "b"):
        done = run("--data", path)
        assert done.returncode == 1 and str(path) in done.stderr


def test_database_that_is_none(tmp_path):
    (tmp_path / "sandbox.db").write_bytes(os.urandom(8192))
    done = run("--data", tmp_path)
    assert done.returncode == 1 and "sandbox.db" in done.stderr


def test_same_port_after_a_restart():
    with Sandbox() as sandbox:
        url = sandbox.url
        for _ in range(3):
            assert sandbox.restart().url == url
