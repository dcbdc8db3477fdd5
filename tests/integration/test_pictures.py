# SPDX-License-Identifier: MIT
"""The pictures of the terminal in the documentation can be made again, from the commands of today."""

import os
import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

from igtcloud import build_options, program
from sandbox import ROOT

PICTURES = ROOT / "docs/pictures"


def text_of(path):
    return "\n".join(node.text or "" for node in ET.parse(path).iter("{http://www.w3.org/2000/svg}text"))


@pytest.mark.plain("the sessions take the Python package of the plain build")
def test_pictures_are_real(tmp_path):
    if not (os.path.isdir(os.path.join(os.path.dirname(program()), "python/igtcloud")) and build_options()):
        pytest.skip("no Python package beside the program")
    done = subprocess.run(["/usr/bin/python3", ROOT / "scripts/make-pictures", tmp_path], capture_output=True,
                          text=True, timeout=240)
    assert done.returncode == 0, done
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(path.name for path in PICTURES.iterdir())
    for name in names:
        now, then = text_of(tmp_path / name), text_of(PICTURES / name)
        assert "Traceback" not in now and "unknown" not in now, now
        assert "secret@" not in now.replace("http://me:secret@localhost:9", "", 1)
        commands = [line for line in then.split("\n") if re.match(r"igtcloud (?!\d)", line)]
        assert all(command in now for command in commands), (commands, now)


def test_pages_show_them_all():
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/start").glob("*.md"))
    for path in PICTURES.iterdir():
        assert f"../pictures/{path.name})" in pages
