# SPDX-License-Identifier: MIT
"""Here are tests of the file that is handed out, and some that run it as scripts/check-windows does."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

collect_ignore = [] if "WINDOWS_DRIVE" in os.environ else ["test_paths.py", "test_proxy_settings.py", "test_service.py", "test_upgrading.py"]
