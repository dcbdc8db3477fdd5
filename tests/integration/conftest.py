# SPDX-License-Identifier: MIT
"""Fixtures of all integration tests. Tests run in parallel, each module with a sandbox of its own."""

import os
import shutil
import uuid

import pytest

from s3_raw import RawS3
from sandbox import BUCKET, Sandbox


@pytest.fixture(scope="module")
def sandbox():
    """A sandbox without a seed, for the tests of one module."""
    with Sandbox() as running:
        yield running
        assert running.stop() == 0, running.log()  # sanitizers speak up at the end, too


@pytest.fixture
def s3(sandbox):
    """boto3 as the root account."""
    return sandbox.boto3()


@pytest.fixture
def raw(sandbox):
    """Requests signed by hand, for what no proper client would send."""
    root = sandbox.root_credentials()
    return RawS3(sandbox.url, root["accessKey"], root["secretKey"])


@pytest.fixture
def bucket():
    return BUCKET


@pytest.fixture
def prefix():
    """Keys of a test's own."""
    return uuid.uuid4().hex + "/"


def tool(name):
    """A client's path; the system's own before others that stand earlier in PATH."""
    path = shutil.which(name, path="/usr/bin:/bin:" + os.environ.get("PATH", ""))
    assert path, f"{name} is not installed: scripts/install-deps test"
    return path
