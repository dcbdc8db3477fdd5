# SPDX-License-Identifier: MIT
"""The data manager's day, as anyone can run it."""

import pathlib
import subprocess
import sys


def test_a_data_managers_day():
    script = pathlib.Path(__file__).with_name("data_manager.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("== done")
