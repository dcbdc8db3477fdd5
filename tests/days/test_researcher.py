# SPDX-License-Identifier: MIT
"""The researcher's day passes, and stops where something is not as it should be."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

MISSING = [name for name in ("nbclient", "ipykernel", "pandas") if not importlib.util.find_spec(name)]
SCRIPT = pathlib.Path(__file__).with_name("researcher.py")


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")
@pytest.mark.plain("its notebook loads the package of build/python")
def test_a_cohort_from_csv_to_notebook(tmp_path):
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDEVMODE"}  # of what Jupyter warns is not ours
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "day"], env=env, timeout=300, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.rstrip().endswith("# Done.") and "12 files are the cloud's" in done.stdout
