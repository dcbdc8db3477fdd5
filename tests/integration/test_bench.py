# SPDX-License-Identifier: MIT
"""The benchmark runs, and detects a tool that did only half of the work. Times are not checked."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.plain("speed is measured on the plain build")


def bench(*arguments, **more):
    return subprocess.run([sys.executable, ROOT / "bench" / "run", *arguments], text=True,
                          capture_output=True, timeout=300, check=False,
                          env={**os.environ, **more})


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


# Of 16 files of 16 KiB: one is missing; all are there, and empty.
@pytest.mark.parametrize("files,why", [(15, "15 of 16 files"), (16, "0 of 262144 bytes")])
def test_half_of_the_work(tmp_path, files, why):
    tool = tmp_path / "tool.py"
    tool.write_text(f"""import pathlib, sys
for n in range({files}):
    (pathlib.Path(sys.argv[-2]) / str(n)).touch()
""")
    done = bench("--quick", "--tools", "igtcloud,reference", "--dir", tmp_path, "small-down",
                 REFERENCE=f"{sys.executable} {tool}")
    assert done.returncode == 0, done.stderr  # igtcloud did its work
    assert f"reference is left out: reference moved {why}" in done.stdout
    assert "| reference |" not in done.stdout


def test_reference_adapter(tmp_path):
    """What the existing client is given: the command, a password, and S3's address."""
    client = tmp_path / "src" / "igtcloud" / "client" / "tools"
    client.mkdir(parents=True)
    (client / "cli.py").write_text("""import sys
from getpass import getpass
import boto3
def cli():
    s3 = boto3.client("s3", aws_access_key_id="a", aws_secret_access_key="b")
    print(*sys.argv[1:], getpass("password: "), s3.meta.endpoint_url)
""")
    command = [sys.executable, ROOT / "bench" / "reference"]
    done = subprocess.run([*command, tmp_path, "download", "out", "bench"], text=True, timeout=60,
                          capture_output=True, check=False, input="a secret\n",
                          env={**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
                               "AWS_DEFAULT_REGION": "eu-central-1"})
    assert done.stdout == "download out bench a secret http://127.0.0.1:1\n", done.stderr
    done = subprocess.run([*command, client, "version"], text=True, timeout=60, capture_output=True,
                          check=False)
    assert done.returncode == 1 and "CHECKOUT has src/igtcloud" in done.stderr


@pytest.mark.skipif(not os.environ.get("REFERENCE"), reason="the existing client is not there")
def test_reference(tmp_path):
    out = tmp_path / "results.md"
    done = bench("--quick", "--tools", "igtcloud,reference", "--dir", tmp_path, "--output", out,
                 "small-down", "small-up", "tls-down-small")
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    assert text.count("\n| reference | ") == 4 and "left out" not in text  # its settings, 3 cases
    assert "× as fast as reference | reference was not run" not in text


def test_what_was_reached(tmp_path):
    out = tmp_path / "results.md"
    done = bench("--quick", "--quiet", "--tools", "igtcloud,curl", "--dir", tmp_path, "--output", out,
                 "latency-down", "csv-files", "plan-10k")
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    assert "connections on average" in text and "The bound is" in text
    rows = [line for line in text.splitlines() if line.startswith("| latency-down | 85 %")]
    assert len(rows) == 1 and " % |" in rows[0]
    assert "| memory |" in text


@pytest.mark.skipif(not (ROOT / "build/python").exists(), reason="the Python package is not built")
def test_scripts(tmp_path):
    """A file that is read takes as many bytes as one that igtcloud writes, or it is left out."""
    out = tmp_path / "results.md"
    done = bench("--quick", "--quiet", "--tools", "igtcloud", "--dir", tmp_path, "--output", out, "python")
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    assert text.count("\n| igtcloud.client | ") == 4 and "\n| igtcloud cat | " in text
    assert "left out" not in text


def test_sections_are_kept(tmp_path):
    out = tmp_path / "results.md"
    for case, tools in (("start", "igtcloud,curl"), ("again-down", "igtcloud")):
        assert bench("--quick", "--quiet", "--tools", tools, "--dir", tmp_path, "--output", out,
                     case).returncode == 0
    text = out.read_text()
    assert "## start\n" in text and "## again-down\n" in text
    # And what the tools of those sections were.
    assert "\n| curl | curl " in text


def test_unknown_case():
    done = bench("nothing")
    assert done.returncode == 2 and "nothing" in done.stderr


def test_bad_link(tmp_path):
    out = tmp_path / "results.md"
    done = bench("--quick", "--quiet", "--tools", "igtcloud,rclone", "--dir", tmp_path, "--output", out,
                 "bad-link-down", "bad-link-killed-down")
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    assert " × size ÷ rate" in text and re.search(r"igtcloud: \d+ runs", text)
    assert "| bad-link-down | at most 1.3 × size ÷ rate |" in text
