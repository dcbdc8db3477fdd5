# SPDX-License-Identifier: MIT
"""scripts/make-release: what it collects, its digests, and the tables of downloads."""

import hashlib
import os
import shutil
import subprocess
import time

import pytest

from sandbox import ROOT

NAMES = ("build-standalone/igtcloud-1.2.3-linux-x86_64", "build-standalone/igtcloud-1.2.3-linux-aarch64",
         "build-standalone/igtcloud-1.2.3-licences.txt", "build-deb/igtcloud_1.2.3_amd64.deb",
         "build-deb/igtcloud-sandbox_1.2.3_amd64.deb", "build-deb/libigtcloud0_1.2.3_amd64.deb",
         "build-deb/libigtcloud-dev_1.2.3_amd64.deb", "build-deb/python3-igtcloud_1.2.3_amd64.deb",
         "build-wheel/dist/igtcloud-1.2.3-cp39-abi3-manylinux_2_36_x86_64.whl")
EXE = "build-windows/igtcloud-1.2.3-windows-x86_64.exe"


def put(tree, name):
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"the bytes of {name}")
    return path


@pytest.fixture
def tree(tmp_path):
    """A checkout that has been built."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/make-release", "scripts/sign-release", "README.md", "docs/install.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "meson.build").write_text("project('igtcloud', 'c',\n  version: '1.2.3',\n")
    for name in NAMES:
        put(tmp_path, name)
    put(tmp_path, "build-standalone/igtcloud-1.2.2-linux-x86_64")  # an old one
    return tmp_path


def make(tree, *arguments):
    return subprocess.run([tree / "scripts/make-release", "--no-build", *arguments], capture_output=True,
                          text=True, check=False)


def test_digests_and_tables(tree):
    done = make(tree)
    assert done.returncode == 0, done.stderr
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tree / "build-release", check=True)
    assert sorted(p.name for p in (tree / "build-release").iterdir()) == \
        sorted(["SHA256SUMS", *(os.path.basename(name) for name in NAMES)])
    for page in ("README.md", "docs/install.md"):
        text = (tree / page).read_text()
        for name in (NAMES[0], NAMES[1], NAMES[3], NAMES[8]):
            data = (tree / name).read_bytes()
            assert f"| `{os.path.basename(name)}` | 0.0 MB | `{hashlib.sha256(data).hexdigest()}` |" in text
        assert "1.2.2" not in text and ".exe` |" not in text
        assert text.replace(text[text.index("<!-- downloads:"):text.index("<!-- end of")], "") == \
            (ROOT / page).read_text().replace((ROOT / page).read_text()[
                (ROOT / page).read_text().index("<!-- downloads:"):(ROOT / page).read_text().index("<!-- end of")], "")


def test_again_with_windows(tree):
    """The table is replaced, not added to."""
    make(tree)
    put(tree, EXE)
    assert make(tree).returncode == 0
    text = (tree / "README.md").read_text()
    assert text.count("linux-aarch64` |") == 1 and "windows-x86_64.exe` |" in text


def test_missing_and_old_files(tree):
    (tree / NAMES[1]).unlink()
    done = make(tree)
    assert done.returncode == 1 and NAMES[1] in done.stderr, done
    put(tree, NAMES[1])
    subprocess.run("git init -q && git add README.md && git -c user.name=x -c user.email=x commit -qm x", shell=True,
                   cwd=tree, check=True)
    past = time.time() - 1000
    os.utime(tree / NAMES[0], (past, past))
    done = make(tree)
    assert done.returncode == 1 and f"{NAMES[0]} is older than the last commit" in done.stderr, done
    assert not (tree / "build-release").exists()


def test_signed(tree):
    """Each program that `igtcloud upgrade` downloads."""
    key = tree / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    put(tree, EXE)
    put(tree, EXE.replace(".exe", ".zip"))
    assert make(tree, "--key", key).returncode == 0
    assert sorted(p.name for p in (tree / "build-release").glob("*.sig")) == \
        ["igtcloud-1.2.3-linux-aarch64.sig", "igtcloud-1.2.3-linux-x86_64.sig",
         "igtcloud-1.2.3-windows-x86_64.exe.sig"]


def test_the_programs_know_the_key(tree):
    """Of a private key, the public one; without a key, none that an earlier release has left."""
    key = tree / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    (tree / "python").mkdir()
    for name in ("scripts/make-standalone", "scripts/make-windows", "scripts/make-deb", "python/backend.py"):
        (tree / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tree}/log\n')
        (tree / name).chmod(0o755)
    for option in ([], ["--key", key]):
        done = subprocess.run([tree / "scripts/make-release", *option], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
    log = (tree / "log").read_text()
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
    programs = [line for line in log.splitlines() if line.startswith("scripts/make-standalone")]
    assert programs == ["scripts/make-standalone -Drelease_key=",
                        "scripts/make-standalone -Drelease_key=" + public.splitlines()[1]], log
    assert "make-deb -D" not in log
