# SPDX-License-Identifier: MIT
"""The systemd units of packaging/systemd, as they are installed."""

import re
import shutil
import subprocess

import pytest

from igtcloud import build_folder, program
from sandbox import ROOT

UNITS = build_folder() / "packaging" / "systemd"
SERVICES = ["igtcloud-upload@.service", "igtcloud-login@.service", "igtcloud-station@.service"]


@pytest.fixture
def units(tmp_path):
    """With the program of this build, which systemd looks for."""
    for name in SERVICES:
        text = (UNITS / name).read_text()
        assert not re.search(r"@\w+@", text)
        (tmp_path / name).write_text(re.sub(r"ExecStart=\S+", f"ExecStart={program()}", text))
    shutil.copy(ROOT / "packaging/systemd/igtcloud-upload@.timer", tmp_path)
    return tmp_path


def analyze(*arguments):
    path = shutil.which("systemd-analyze")
    assert path, "systemd is not installed: scripts/install-deps test"
    return subprocess.run([path, *map(str, arguments)], capture_output=True, text=True)


def test_systemd_understands_them(units):
    """Each line: an unknown key or value is reported on standard error."""
    for name in [*SERVICES, "igtcloud-upload@.timer"]:
        done = analyze("verify", "--man=no", "--recursive-errors=no", units / name)
        assert done.returncode == 0 and not [
            line for line in done.stderr.splitlines() if "igtcloud" in line], done.stderr


def test_they_are_locked_up(units):
    """systemd's own measure: 0 is a closed box, 10 is everything allowed."""
    for name in SERVICES:
        done = analyze("security", "--offline=true", "--threshold=20", units / name)
        assert done.returncode == 0, done.stdout


def test_options_and_variables_are_real():
    """The options and variables in the units exist."""
    for name in SERVICES:
        text = (UNITS / name).read_text()
        command, *given = re.search(r"ExecStart=\S+igtcloud (.*)", text)[1].split()
        shown = subprocess.run([program(), "help", "--json", command], capture_output=True,
                               text=True, check=True).stdout
        for option in [g for g in given if g.startswith("--")]:
            assert f'"name":"{option[2:]}"' in shown
        for variable in re.findall(r"IGTCLOUD_[A-Z_]+(?==)", text):
            assert f'"variable":"{variable}"' in shown
