# SPDX-License-Identifier: MIT
"""The interop and a sandbox before it; RGW and Sandbox are shared by the tests of a module."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from radosgw import Radosgw, is_installed  # noqa: E402
from sandbox import Sandbox  # noqa: E402


@pytest.fixture(scope="module")
def rgw(tmp_path_factory):
    if not is_installed():
        pytest.skip("the interop is not installed: scripts/install-deps interop")
    with Radosgw(tmp_path_factory.mktemp("rgw") / "ceph") as running:
        yield running


@pytest.fixture(scope="module")
def cloud(rgw):
    with Sandbox(seed="demo", extra=rgw.options()) as running:
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
