# SPDX-License-Identifier: MIT
"""The benchmark runs, and knows a tool that did only half of the work. No times are looked at."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def bench(*arguments):
    return subprocess.run([sys.executable, ROOT / "bench" / "run", *arguments], text=True,
                          capture_output=True, timeout=300, check=False)


def test_quick(tmp_path):
    out = tmp_path / "results.md"
    done = bench("--quick", "--tools", "igtcloud,curl", "--dir", tmp_path, "--output", out,
                 "small-down", "small-up", "again-down", "again-up", "csv", "plan", "start")
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    for case in ("small-down", "small-up", "again-down", "again-up", "csv", "plan", "start"):
        assert f"## {case}\n" in text
    # 4 studies of 4 files: a PUT for each of them, and the cloud's bookkeeping.
    row = next(line for line in text[text.index("## small-up"):].splitlines()
               if line.startswith("| igtcloud"))
    assert int(row.split("|")[8].strip()) >= 16
    assert "left out" not in text


@pytest.mark.skipif(not shutil.which("nginx", path="/usr/sbin:/usr/bin"), reason="nginx is not there")
def test_tls(tmp_path):
    out = tmp_path / "results.md"
    done = bench("--quick", "--tools", "igtcloud,curl", "--dir", tmp_path, "--output", out, "tls-down",
                 "tls-up")
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    for case in ("down-large", "down-small", "up-large", "up-small"):
        assert f"## tls-{case}\n" in text
    assert "left out" not in text


def test_what_was_reached(tmp_path):
    out = tmp_path / "results.md"
    done = bench("--quick", "--quiet", "--tools", "igtcloud,curl", "--dir", tmp_path, "--output", out,
                 "far-down", "csv-files", "plan-10k")
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    assert "connections on average" in text and "The bound is" in text
    rows = [line for line in text.splitlines() if line.startswith("| far-down | 85 %")]
    assert len(rows) == 1 and " % |" in rows[0]
    assert "| memory |" in text


def test_sections_are_kept(tmp_path):
    out = tmp_path / "results.md"
    for case in ("start", "again-down"):
        assert bench("--quick", "--quiet", "--tools", "igtcloud", "--dir", tmp_path, "--output", out,
                     case).returncode == 0
    assert "## start\n" in out.read_text() and "## again-down\n" in out.read_text()


def test_unknown_case():
    done = bench("nothing")
    assert done.returncode == 2 and "nothing" in done.stderr
