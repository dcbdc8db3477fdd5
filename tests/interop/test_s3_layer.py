# SPDX-License-Identifier: MIT
"""lib/s3 against Ceph's radosgw: runs s3_layer.c, which has the tests."""

import base64
import json
import os
import pathlib
import re
import subprocess

import pytest

from igtcloud import program

PROGRAM = pathlib.Path(program()).resolve().parent / "tests/interop/s3_layer"
SOURCE = pathlib.Path(__file__).with_name("s3_layer.c")


def session_of(rgw):
    """Credentials of the store's STS, for what is below "session/"."""
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:*"],
         "Resource": [f"arn:aws:s3:::{rgw.bucket}/session/*"]}]}
    return rgw.boto3(service="sts").assume_role(
        RoleArn=rgw.role, RoleSessionName="s3_layer", DurationSeconds=900,
        Policy=json.dumps(policy, separators=(",", ":")))["Credentials"]  # it reads no "+" as a space


def aes(data, key, *options):
    """How Ceph encrypts a session token (its CryptoKey of type AES)."""
    command = ["openssl", "enc", *options, "-aes-128-cbc", "-K", key.encode().hex(), "-iv",
               b"cephsageyudagreg".hex()]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def expired(token, key):
    """STS issues no credentials for less than 900 seconds, so the time in the token is set back."""
    plain = aes(base64.b64decode(token), key, "-d")
    end = re.search(rb"20\d\d(?=-\d\d-\d\dT\d\d:\d\d)", plain)
    return base64.b64encode(aes(plain[:end.start()] + b"2019" + plain[end.end():], key)).decode()


def environment(rgw):
    session = session_of(rgw)
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
    return dict(clean, CMOCKA_MESSAGE_OUTPUT="TAP",
                INTEROP_ENDPOINT=rgw.endpoint, INTEROP_BUCKET=rgw.bucket,
                INTEROP_ACCESS_KEY=rgw.access_key, INTEROP_SECRET_KEY=rgw.secret_key,
                INTEROP_SESSION_ACCESS_KEY=session["AccessKeyId"],
                INTEROP_SESSION_SECRET_KEY=session["SecretAccessKey"],
                INTEROP_SESSION_TOKEN=session["SessionToken"],
                INTEROP_EXPIRED_TOKEN=expired(session["SessionToken"], rgw.sts_key))


@pytest.fixture(scope="module")
def results(rgw):
    """"ok" or "not ok" of each of its tests, and its output."""
    done = subprocess.run([PROGRAM], env=environment(rgw), stdin=subprocess.DEVNULL, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = re.findall(r"^(ok|not ok) \d+ - (\S+)", done.stdout, re.M)
    return {name: result for result, name in lines}, done


def test_all_of_it_ran(results):
    found, done = results
    assert set(found) == set(names()) and done.returncode == 0, done.stdout


def names():
    return re.findall(r"cmocka_unit_test\((\w+)\)", SOURCE.read_text())


@pytest.mark.parametrize("name", names())
def test_s3_layer(results, name):
    found, done = results
    assert found.get(name) == "ok", done.stdout
