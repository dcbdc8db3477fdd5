# SPDX-License-Identifier: MIT
"""What `make demo` shows, as its user sees it: scripts/demo installs and builds, demo.py does this."""

import os
import re
import subprocess

from igtcloud import environment, program
from sandbox import ROOT, program as sandbox_program


def test_demo(tmp_path):
    """It succeeds, and what it prints is true."""
    env = environment(tmp_path, IGTCLOUD_BIN=program(), IGTCLOUD_SANDBOX_BIN=sandbox_program())
    done = subprocess.run(["/usr/bin/python3", ROOT / "scripts/demo.py"], env=env, timeout=300,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    said = done.stdout
    images = int(re.search(r"with (\d+) DICOM files", said)[1])
    files = images + 6 * 2 + 1  # a waveform and a note a study, a project file
    assert images > 20
    assert f"Uploaded 6 studies, {files} files" in said and "6 studies were created" in said
    assert "Uploaded 6 studies, 6 files" in said  # annotations
    assert said.count(f"Downloaded 6 studies, {files - 1} files") == 2
    table = said[said.index("The studies as CSV"):]
    assert len(re.findall(r"^  [0-9a-f-]{36},", table, re.M)) == 6
    assert f"Done: {files + 6} files went up and came back, every byte the same." in said
    assert "Signed out" in said and "FAILED" not in said and "warning" not in said
    assert os.listdir(tmp_path) == []  # nothing is left behind, the journal neither


def test_demo_of_a_program_that_fails(tmp_path):
    """It does not report success."""
    env = environment(tmp_path, IGTCLOUD_BIN="/bin/false", IGTCLOUD_SANDBOX_BIN=sandbox_program())
    done = subprocess.run(["/usr/bin/python3", ROOT / "scripts/demo.py"], env=env, timeout=300,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 1 and "demo: igtcloud login failed" in done.stdout
    assert "Done" not in done.stdout and os.listdir(tmp_path) == []
