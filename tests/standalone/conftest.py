# SPDX-License-Identifier: MIT
"""Fixtures of the tests of `make standalone`: its programs, a cloud, and roots to run them in."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import pytest  # noqa: E402

import roots  # noqa: E402
from gateway import Authority  # noqa: E402
from sandbox import seeded  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def as_root():
    assert os.geteuid() == 0, "roots of their own take root: run this as root"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    with seeded(tmp_path_factory.mktemp("seed"), "demo") as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def empty(tmp_path):
    """A root without a C library, a shell, /dev or /proc."""
    return roots.Root(tmp_path / "root")
