# SPDX-License-Identifier: MIT
"""The tests of the Python package, on the package in build/python; IGTCLOUD_PYTHON names another."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = pathlib.Path(os.environ.get('IGTCLOUD_PYTHON', ROOT / 'build' / 'python'))
sys.path.insert(0, str(PACKAGE))
