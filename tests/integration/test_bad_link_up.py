# SPDX-License-Identifier: MIT
"""Uploads over links on which connections break: parts are small there, and what is stored counts."""

import contextlib
import re

import pytest

from bad_link import BadLink
from igtcloud import SOME_FAILED, Program
from sandbox import seeded
from uploads import MIB, PART, Place, epd, institute, items, pattern, put, seed

SIZE = 3 * PART + 5


@contextlib.contextmanager
def cloud_behind(tmp_path, **bad):
    with BadLink(**bad) as link, \
            seeded(tmp_path, seed(epd(institute("lab"))), extra=["--public-url", link.url]) as cloud:
        link.target = cloud.port
        yield link, cloud


def test_a_line_that_is_cut(tmp_path, home):
    """Each cut costs the parts that are under way; since others were stored, it is no retry."""
    files = {"film.bin": pattern(SIZE)}
    with cloud_behind(tmp_path, up=10e6, cut_up=12 * MIB) as (link, cloud):
        put(tmp_path / "up/lab/case", files)
        done = Program(cloud.url, home).run("upload", "--json", "--retries", "1", "--connections", "2",
                                            tmp_path / "up", "up")
        Place(cloud, "lab", "up").is_whole("case", files)
        assert link.cuts >= 1
        assert items(done, kind="file")[0]["digest"].startswith(f"sha256-parts-{PART}:")


def test_what_ends_a_file(tmp_path, home):
    with cloud_behind(tmp_path, up=10e6, cut_up=3 * MIB) as (_, cloud):
        put(tmp_path / "up/lab/case", {"film.bin": pattern(SIZE)})
        done = Program(cloud.url, home).run("upload", "--retries", "1", "--timeout", "1", tmp_path / "up", "up",
                                            status=SOME_FAILED)
        assert re.search(r"gave up after \d+ attempts without progress in \d", done.err), done


@pytest.mark.parametrize("size", [PART - 1, MIB])
def test_a_put_that_breaks_is_sent_again(tmp_path, home, size):
    files = {"a.bin": pattern(size)}
    with cloud_behind(tmp_path) as (_, cloud):
        put(tmp_path / "up/lab/case", files)
        cloud.faults({"fault": "reset", "method": "PUT", "path": "/igtcloud/**/a.bin", "times": 2})
        Program(cloud.url, home).run("upload", "--retries", "3", tmp_path / "up", "up")
        Place(cloud, "lab", "up").is_whole("case", files)
