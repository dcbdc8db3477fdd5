# SPDX-License-Identifier: MIT
"""A link that is down for a while, so that nothing responds: attempts fail within milliseconds, and what ends a
file is a stretch of time as well as their number. `--retries 1` waits for 12 s, or twice `--timeout`."""

import time

import pytest

from igtcloud import SOME_FAILED, Program
from sandbox import seeded
from uploads import MIB, PART, Place, epd, institute, pattern, put, seed

DOWN = 3  # seconds; two attempts took half a second at most
SEED = seed(epd(institute("lab", {"name": "s", "files": [{"path": "small.bin", "size": MIB},
                                                         {"path": "film.bin", "size": 9 * MIB}]}),
                institute("empty")))


@pytest.fixture
def cloud(tmp_path):
    with seeded(tmp_path, SEED) as cloud:
        yield cloud


def refuse(cloud, path, seconds=DOWN):
    cloud.faults({"fault": "refuse", "path": path, "seconds": seconds})


@pytest.mark.parametrize("path", ["/igtcloud/**/small.bin", "/igtcloud/**/film.bin", "**/studies", "**/files"])
def test_downloads_wait_for_an_outage_to_end(cloud, home, out, path):
    refuse(cloud, path)
    began = time.monotonic()
    Program(cloud.url, home).run("download", "--retries", "1", out, "up", "lab")
    assert time.monotonic() - began > DOWN / 2
    assert {p.name: p.stat().st_size for p in out.rglob("*.bin")} == {"small.bin": MIB, "film.bin": 9 * MIB}


@pytest.mark.parametrize("size", [1000, MIB, 2 * PART + 5])
def test_uploads_wait_for_an_outage_to_end(cloud, tmp_path, home, size):
    files = {"a.bin": pattern(size)}
    put(tmp_path / "up/empty/case", files)
    refuse(cloud, "/igtcloud/**/a.bin")
    Program(cloud.url, home).run("upload", "--retries", "1", tmp_path / "up", "up")
    Place(cloud, "empty", "up").is_whole("case", files)


def test_cat_waits_for_an_outage_to_end(cloud, home):
    refuse(cloud, "/igtcloud/**/small.bin")
    done = Program(cloud.url, home).run("cat", "--retries", "1", "up/lab/s/files/small.bin")
    assert len(done.out) == MIB


def test_what_ends_it(cloud, home, out):
    """The sentence has both."""
    cloud.faults({"fault": "reset", "path": "/igtcloud/**/small.bin", "times": 0})
    began = time.monotonic()
    done = Program(cloud.url, home).run("download", "--retries", "1", "--timeout", "1", out, "up", "lab",
                                        status=SOME_FAILED)
    assert 2 <= time.monotonic() - began < 20
    assert "attempts without progress in " in done.err and "small.bin" in done.err


def test_no_retries_no_waiting(cloud, home, out):
    cloud.faults({"fault": "reset", "path": "/igtcloud/**/small.bin", "times": 0})
    Program(cloud.url, home).run("download", "--retries", "0", out, "up", "lab", status=SOME_FAILED)
    assert len(cloud.requests(path="*/small.bin", method="GET")) <= 2
