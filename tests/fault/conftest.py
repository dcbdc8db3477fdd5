# SPDX-License-Identifier: MIT
"""Fixtures of the fault tests: a sandbox with --faults, the program, a mixed tree both ways."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import pytest  # noqa: E402

import cloud as clouds  # noqa: E402
from igtcloud import Program, search_leaks_of  # noqa: E402
from rest_client import RestClient  # noqa: E402


def pytest_runtest_setup(item):
    search_leaks_of(item)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with clouds.start(tmp_path_factory.mktemp("seed")) as sandbox:
        yield sandbox
        assert sandbox.stop() == 0, sandbox.log()


@pytest.fixture
def cloud(running):
    """One sandbox a module; each test begins without faults and with an empty log."""
    running.clear()
    yield running
    running.clear()


@pytest.fixture
def canned(cloud):
    plain = RestClient(cloud.url)
    yield lambda *responses: plain.ok("POST", "/__canned", list(responses), status=204)
    plain.ok("DELETE", "/__canned", status=204)


@pytest.fixture
def igtcloud(cloud, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Program(cloud.url, home)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"
