# SPDX-License-Identifier: MIT
"""The benchmark runs, and knows a tool that did only half of the work. No times are looked at."""

import pathlib
import subprocess
import sys

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


def test_sections_are_kept(tmp_path):
    out = tmp_path / "results.md"
    for case in ("start", "again-down"):
        assert bench("--quick", "--quiet", "--tools", "igtcloud", "--dir", tmp_path, "--output", out,
                     case).returncode == 0
    assert "## start\n" in out.read_text() and "## again-down\n" in out.read_text()


def test_unknown_case():
    done = bench("nothing")
    assert done.returncode == 2 and "nothing" in done.stderr
