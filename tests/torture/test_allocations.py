# SPDX-License-Identifier: MIT
"""Allocations of the program fail (one, 40 in a row or all that follow), or threads cannot be
started: it never crashes or hangs, never claims success for what it did not do, and never leaves a
wrong file under a final name. Each TORTURE_STEP-th allocation is tried; 1 is all."""

import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from igtcloud import Program, program, tree  # noqa: E402
from sandbox import Sandbox  # noqa: E402

STEP = int(os.environ.get("TORTURE_STEP", "5"))
LIBRARY = pathlib.Path(program()).parent / "tests" / "torture" / "fail_alloc.so"
STATUSES = {0, 1, 2, 3, 4, 5}


@pytest.fixture(scope="module")
def cloud():
    with Sandbox(seed="demo") as running:
        yield running


class Run:
    """One command, with and without failing."""

    def __init__(self, cloud, home, name, *arguments):
        self.igtcloud = Program(cloud.url, home)
        self.command = [name, "--retries", "0", *arguments]
        self.home = home

    def __call__(self, **env):
        env = {"LD_PRELOAD": LIBRARY, "FAIL_COUNT": self.home / "count", **env}
        return self.igtcloud.run(*self.command, status=None, env=env, timeout=120)

    def count(self):
        done = self()
        assert done.status == 0, done
        return int((self.home / "count").read_text())


def check(done, whole):
    """whole: did it do all?"""
    assert done.status in STATUSES, f"{done.status}: {done}"
    assert "Sanitizer" not in done.err
    if done.status == 0:
        assert whole(), done
    else:
        assert done.err.strip(), done  # it says why


def visible(folder):
    """Without partial files, of which one may stay behind when its name is not known any more."""
    return {name: data for name, data in tree(folder).items()
            if not os.path.basename(name).startswith(".")}


@pytest.mark.parametrize("many", [1, 40])
@pytest.mark.parametrize("share", range(2))
@pytest.mark.parametrize("command", ["csv", "download", "verify", "upload"])
def test_failing_allocation(cloud, tmp_path, command, share, many):
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    Program(cloud.url, home).run("download", "--no-journal", out, "demo", "north")
    right = tree(out)
    arguments = {"csv": ("--files", "-", "demo", "north"),
                 "download": ("--no-journal", out, "demo", "north"),
                 "upload": ("--no-journal", out, "demo", "north"),
                 "verify": (out, "demo", "north")}[command]
    run = Run(cloud, home, command, *arguments)
    rows = None

    def whole(done):
        if command == "csv":
            return done.text.count("\n") == rows
        return command in ("verify", "upload") or visible(out) == right
    if command == "csv":
        rows = run().text.count("\n")
    if command == "download":
        shutil.rmtree(out)
    total = run.count()
    assert total > 100
    for n in range(1 + share, total + 1, 2 * STEP):
        if command == "download":
            shutil.rmtree(out, ignore_errors=True)
        done = run(FAIL_AT=n, FAIL_MANY=many)
        check(done, lambda: whole(done))
        if command == "download":  # what has its name is whole
            for name, data in visible(out).items():
                assert name.endswith("study.json") or right[name] == data, (n, name)


FOR_GOOD = 10 ** 9


@pytest.mark.parametrize("command", ["verify", "upload", "download", "csv"])
def test_memory_that_ends_for_good(cloud, tmp_path, command):
    """It ends by itself and says why; what cannot be looked at is never called the same, nor another, nor
    missing; and no folder of an upload is passed over in silence."""
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    Program(cloud.url, home).run("download", "--no-journal", out, "demo", "north")
    count = sum(not name.endswith("study.json") for name in tree(out))
    options = {"csv": ["-"], "verify": ["--json", out]}.get(command, ["--json", "--no-journal", out])
    run = Run(cloud, home, command, *options, "demo", "north")
    total, rows = run.count(), run().text.count("\n")
    for n in range(1, total + 1, STEP):
        done = run(FAIL_AT=n, FAIL_MANY=FOR_GOOD)
        assert done.status in STATUSES and "Sanitizer" not in done.err, (n, done)
        assert done.status == 0 or "memory" in done.err or "could not be" in done.err, (n, done)
        if command == "csv":
            assert done.status or done.text.count("\n") == rows, (n, done)
            continue
        results = [i["result"] for i in done.items if i["kind"] == "file"]
        assert set(results) <= {"same", "skipped", "failed"}, (n, done)
        if done.status == 0:
            assert len(results) == count and "failed" not in results, (n, done)


@pytest.mark.parametrize("command", ["verify", "upload", "download", "csv"])
def test_threads_that_cannot_be_started(cloud, tmp_path, command):
    """With too few threads it does the work with those it has, or ends and says why."""
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    Program(cloud.url, home).run("download", "--no-journal", out, "demo", "north")
    right = tree(out)
    options = {"csv": ["--files", "-"], "verify": [out]}.get(command, ["--no-journal", out])
    run = Run(cloud, home, command, *options, "demo", "north")
    for n in range(1, 16):
        if command == "download":
            shutil.rmtree(out, ignore_errors=True)
        done = run(FAIL_THREAD=n)
        check(done, lambda: command != "download" or visible(out) == right)
