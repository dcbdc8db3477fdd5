# SPDX-License-Identifier: MIT
"""A cloud that speaks HTTP/2, as those behind nginx do, and S3 that does not: each response belongs to its
request. Needs nginx (scripts/install-deps bench)."""

import json
import sys

import pytest

from igtcloud import Program, tree
from sandbox import ROOT, Sandbox

sys.path.append(str(ROOT / "bench"))
import terminator  # noqa: E402

STUDIES = FILES = 40

pytestmark = pytest.mark.skipif(not terminator.program(), reason="nginx is not there")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http2")
    seed = folder / "seed.json"
    seed.write_text(json.dumps({
        "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
        "projects": [{"name": "demo", "projectTypeName": "EPD", "institutes": [
            {"name": "full", "generate": {"studies": STUDIES, "files": FILES, "size": 3000}},
            {"name": "empty"}]}]}))
    nginx = terminator.Terminator(folder / "nginx")
    with Sandbox(seed=seed, extra=["--public-url", nginx.s3_url]) as sandbox:
        nginx.start(sandbox.port)
        try:
            yield nginx
        finally:
            nginx.stop()


def run(cloud, home, *arguments):
    home.mkdir(exist_ok=True)
    return Program(cloud.url, home).run(*arguments, "--ca-file", cloud.ca)


@pytest.mark.parametrize("n", range(2))
def test_downloads_through_an_http2_proxy(cloud, tmp_path, n):
    run(cloud, tmp_path / "home", "download", tmp_path / "out", "demo", "full")
    files = [name for name in tree(tmp_path / "out") if name.endswith(".bin")]
    assert len(files) == STUDIES * FILES


def test_uploads_through_an_http2_proxy(cloud, tmp_path):
    for study in range(STUDIES):
        folder = tmp_path / "in" / "empty" / f"study-{study}"
        folder.mkdir(parents=True)
        for number in range(10):
            (folder / f"{number}.txt").write_text(f"{study} {number}")
    run(cloud, tmp_path / "home", "upload", tmp_path / "in", "demo")
    run(cloud, tmp_path / "home", "verify", tmp_path / "in", "demo", "empty")
