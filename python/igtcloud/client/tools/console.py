# SPDX-License-Identifier: MIT
"""The console script `igtcloud` of the wheel. Where the C program of that name is installed, it runs that one,
so that a wheel in front of it in PATH does not hide it; else the commands of tools.cli."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def program() -> str:
    """The first `igtcloud` in PATH that is a program, not a script; "" if there is none."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or os.curdir, "igtcloud")
        try:
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF" and os.access(path, os.X_OK):
                    return path
        except OSError:
            continue
    return ""


def main() -> None:
    """Runs the command line."""
    path = program()
    if path:
        os.execv(path, ["igtcloud", *sys.argv[1:]])
    try:
        from igtcloud.client.tools.cli import cli
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("igtcloud"):
            raise
        sys.exit(f"igtcloud: the command line needs the module {error.name}: pip install 'igtcloud[cli]'")
    cli(prog_name="igtcloud")
