# SPDX-License-Identifier: MIT
"""Fixtures of all integration tests. Tests run in parallel, each module with a sandbox of its own."""

import itertools
import uuid

import pytest

from igtcloud import Program, sanitized, search_leaks_of, static
from odd_cloud import OddCloud
from rest_client import RestClient
from s3_raw import RawS3
from sandbox import BUCKET, Sandbox, seeded
from uploads import Place


def pytest_runtest_setup(item):
    mark = item.get_closest_marker("plain")
    if mark and sanitized():
        pytest.skip(mark.args[0])
    if item.get_closest_marker("dynamic") and static():
        pytest.skip("a static program loads no libraries")
    search_leaks_of(item)


@pytest.fixture(scope="module")
def sandbox(request):
    """A sandbox for the tests of one module, of its SEED if that is "demo", else empty."""
    with Sandbox(seed=getattr(request.module, "SEED", None)) as running:
        yield running
        assert running.stop() == 0, running.log()  # sanitizers speak up at the end, too


@pytest.fixture
def client(sandbox):
    return RestClient(sandbox.url).login()


@pytest.fixture(scope="module")
def cloud(request, tmp_path_factory):
    """A sandbox with the module's SEED, for its tests."""
    with seeded(tmp_path_factory.mktemp("seed"), request.module.SEED) as running:
        yield running


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def igtcloud(cloud, home):
    """The program against the module's cloud, which has neither faults nor a log when it begins."""
    cloud.clear()
    yield Program(cloud.url, home)
    cloud.clear()
    RestClient(cloud.url).ok("DELETE", "/__canned", status=204)


@pytest.fixture
def canned(cloud):
    plain = RestClient(cloud.url)
    yield lambda *answers: plain.ok("POST", "/__canned", list(answers), status=204)
    plain.ok("DELETE", "/__canned", status=204)


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path):
    """Does not exist yet."""
    return tmp_path / "out"


@pytest.fixture
def odd(cloud):
    """A proxy in front of the module's cloud that responds as the test wants."""
    with OddCloud(cloud.url) as running:
        yield running


# ---- uploads: each test has an institute of its own, of the many in the module's SEED ----

@pytest.fixture(scope="module")
def numbers():
    return itertools.count()


@pytest.fixture
def up(tmp_path):
    """The folder that is uploaded."""
    folder = tmp_path / "up"
    folder.mkdir()
    return folder


@pytest.fixture
def lab(cloud, numbers):
    """An institute of project "up" in which there is nothing."""
    return Place(cloud, f"lab{next(numbers)}", "up")


@pytest.fixture
def name(numbers):
    """The institute's of `ward`; other projects may have one of that name, too."""
    return f"ward{next(numbers)}"


@pytest.fixture
def ward(cloud, name):
    """An institute of project "trial" as the SEED has it."""
    return Place(cloud, name, "trial")


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
