# SPDX-License-Identifier: MIT
"""The program in one file runs where nothing else is, and finds each distribution's certificates."""

import os
import re
import shutil
import subprocess
import time

import pytest

import roots
from gateway import Gateway
from igtcloud import FAILED, Program, tree

LONG = bool(os.environ.get("IGTCLOUD_LONG"))
# Where the distributions have them: RHEL 9, Fedora 43, openSUSE Leap, one without its links, Alpine.
CERTIFICATES = {
    "debian": "/etc/ssl/certs/ca-certificates.crt",
    "rhel": "/etc/pki/tls/certs/ca-bundle.crt",
    "fedora": "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "suse": "/etc/ssl/ca-bundle.pem",
    "suse-bare": "/var/lib/ca-certificates/ca-bundle.pem",
    "alpine": "/etc/ssl/cert.pem",
}
MACHINES = ("x86_64", "aarch64")


def up_and_down(root, cloud, tmp_path):
    """Downloads what the dynamic program downloads, and uploads a study of two files, one large."""
    root.run(cloud.url, "download", "/tmp/down", "demo")
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    Program(cloud.url, home).run("download", tmp_path / "plain", "demo")
    assert tree(root.folder / "tmp/down") == tree(tmp_path / "plain") != {}
    study = root.folder / "tmp/up/north/P0001---CTA"
    study.mkdir(parents=True)
    name = f"from-{root.folder.parent.name}-{len(root.before)}"
    (study / f"{name}.txt").write_text("one file")
    (study / f"{name}.bin").write_bytes(os.urandom(17 << 20))
    root.run(cloud.url, "upload", "/tmp/up", "demo", "north")
    done = root.run(cloud.url, "verify", "/tmp/up", "demo", "north", status=None)
    assert name not in done.err, done
    Program(cloud.url, home).run("download", tmp_path / "back", "demo", "north")
    back = {os.path.basename(path): data for path, data in tree(tmp_path / "back").items()}
    assert back[f"{name}.bin"] == (study / f"{name}.bin").read_bytes()


@pytest.mark.parametrize("machine", MACHINES)
def test_in_an_empty_root(cloud, tmp_path, machine):
    root = roots.Root(tmp_path / "root", machine)
    assert root.execute("version").text.strip() == roots.standalone().name.split("-")[1]
    up_and_down(root, cloud, tmp_path)


@pytest.mark.parametrize("machine", MACHINES)
def test_one_static_pie(machine):
    """No interpreter and no library; it can be loaded anywhere, and its tables are read-only."""
    said = subprocess.run(["readelf", "-hldW", roots.standalone(machine)], capture_output=True, text=True,
                          check=True).stdout
    assert re.search(r"Type:\s+DYN", said) and "INTERP" not in said and "NEEDED" not in said
    assert "GNU_RELRO" in said and "TEXTREL" not in said
    assert re.search(r"GNU_STACK.* RW ", said)


def code_of(process):
    """Where its code is, once it is loaded."""
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with open(f"/proc/{process.pid}/maps", encoding="ascii") as maps:
            for line in maps:
                if " r-xp " in line and "igtcloud-" in line:
                    return line.split("-")[0]
    raise AssertionError("it was not loaded")


def test_addresses_are_random(cloud):
    """Where the kernel places it differs from run to run."""
    starts = set()
    for _ in range(4):
        with subprocess.Popen([roots.standalone(), "login", "--domain", cloud.url, "--user", "x",
                               "--password-stdin"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            starts.add(code_of(process))
            process.kill()
    assert len(starts) > 1, starts


@pytest.mark.parametrize("layout", CERTIFICATES)
def test_certificates_of_distributions(cloud, authority, empty, layout):
    """Trusted where this distribution has them; without them, or with others, nothing is sent."""
    hosts = empty.folder / "etc/hosts"
    hosts.parent.mkdir()
    hosts.write_text("127.0.0.1 localhost\n")
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        done = empty.run(gateway.url, "csv", "--retries", "0", "-", "demo", status=FAILED)
        assert "none found on this machine" in done.err and "--ca-file" in done.err, done
        assert gateway.seen == []
        empty.put(CERTIFICATES[layout], authority.file)
        assert "P0001" in empty.run(gateway.url, "csv", "-", "demo").text


def test_certificates_in_a_directory_alone(cloud, authority, empty):
    (empty.folder / "etc/ssl/certs").mkdir(parents=True)
    (empty.folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    empty.put("/etc/ssl/certs/authority.pem", authority.file)
    subprocess.run(["openssl", "rehash", empty.folder / "etc/ssl/certs"], check=True)
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        assert "P0001" in empty.run(gateway.url, "csv", "-", "demo").text


def test_inspected_network(cloud, authority, empty):
    empty.put("/tmp/inspector.pem", authority.file)
    (empty.folder / "etc").mkdir()
    (empty.folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    with Gateway(cloud.url, authority.issue("localhost")) as gateway:
        empty.run(gateway.url, "csv", "--ca-file", "/tmp/inspector.pem", "-", "demo")


def test_reasons_of_errors(cloud, empty):
    """The C library's words for what went wrong."""
    done = empty.run(cloud.url, "csv", "-", "demo", "--ca-file", "/nowhere", status=FAILED)
    assert "/nowhere': No such file or directory" in done.err, done


@pytest.mark.skipif(not LONG, reason="with IGTCLOUD_LONG")
@pytest.mark.parametrize("release", ["bullseye", "bookworm", "trixie"])
def test_in_debian(cloud, tmp_path, release):
    """Debian 11, 12 and 13: each has a C library of its own, which is not used."""
    folder = tmp_path / "root"
    subprocess.run(["mmdebstrap", "--quiet", "--variant=extract", "--include=base-files,libc6",
                    "--skip=check/qemu", release, folder, "http://deb.debian.org/debian"], check=True)
    up_and_down(roots.Root(folder), cloud, tmp_path)
    shutil.rmtree(folder, ignore_errors=True)
