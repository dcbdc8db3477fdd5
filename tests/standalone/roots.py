# SPDX-License-Identifier: MIT
"""Runs a program of `make standalone` in a root of its own."""

import functools
import pathlib
import shutil
import subprocess

from igtcloud import PASSWORD, USER, Done
from sandbox import ROOT


@functools.cache
def standalone(machine="x86_64"):
    """The newest that scripts/make-standalone made."""
    found = sorted((ROOT / "build-standalone").glob(f"igtcloud-*-linux-{machine}"),
                   key=lambda path: path.stat().st_mtime)
    assert found, "scripts/make-standalone has not run"
    return found[-1]


class Root:
    """A folder that is the program's /. It has the program, and what a test puts there."""

    def __init__(self, folder, machine="x86_64"):
        self.folder, self.before = pathlib.Path(folder), []
        self.folder.mkdir(exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        shutil.copy(standalone(machine), self.folder / "igtcloud")
        if machine != "x86_64":  # itself one static file
            name = f"qemu-{machine}-static"
            emulator = shutil.which(name)
            assert emulator, f"{name} is missing: scripts/install-deps static-test"
            shutil.copy(emulator, self.folder / name)
            self.before = [f"/{name}"]

    def put(self, path, source):
        """path: absolute, in the root."""
        target = self.folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    def execute(self, *arguments, given=b"", status=0, env=None):
        command = ["chroot", self.folder, *self.before, "/igtcloud", *map(str, arguments)]
        done = subprocess.run(command, input=given, capture_output=True, timeout=120, check=False,
                              env={"PATH": "/usr/sbin:/usr/bin", "HOME": "/tmp", **(env or {})})
        result = Done(list(map(str, arguments)), done.returncode, done.stdout, done.stderr.decode())
        assert status is None or result.status == status, result
        return result

    def run(self, url, command, *arguments, **options):
        """Signed in."""
        return self.execute(command, "--no-progress", "--domain", url, "--user", USER,
                            "--password-stdin", *arguments, given=PASSWORD.encode() + b"\n",
                            **options)
