# SPDX-License-Identifier: MIT
"""What `make windows` hands out: the program's header, imports and resources, its signature, and the zip."""
import os
import pathlib
import re
import shutil
import struct
import subprocess
import zipfile

import pytest

import pe

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "build-windows"
VERSION = re.search(r"^ *version: '([^']+)'", (ROOT / "meson.build").read_text(), re.M)[1]
NAME = f"igtcloud-{VERSION}-windows-x86_64"
PREFIX = os.environ.get("WINEPREFIX") or os.path.expanduser(os.environ.get("XDG_CACHE_HOME", "~/.cache") + "/igtcloud/wine")
# Of each Windows since 10. Not ucrtbase's own forwarders, and nothing that an installer brings.
WINDOWS_OWN = {"advapi32.dll", "bcrypt.dll", "crypt32.dll", "iphlpapi.dll", "kernel32.dll", "msvcrt.dll", "normaliz.dll",
               "ntdll.dll", "ole32.dll", "rpcrt4.dll", "secur32.dll", "shell32.dll", "user32.dll", "winhttp.dll",
               "ws2_32.dll"}

pytestmark = pytest.mark.skipif(not (OUT / f"{NAME}.exe").exists(), reason="make windows")


@pytest.fixture(name="program", scope="module")
def fixture_program():
    return pe.Program(OUT / f"{NAME}.exe")


def test_imports_are_of_windows_itself(program):
    assert program.imports and set(program.imports) <= WINDOWS_OWN


def test_addresses_are_random_and_data_is_not_run(program):
    wanted = pe.HIGH_ENTROPY | pe.DYNAMIC_BASE | pe.NX
    assert program.flags & wanted == wanted
    assert program.directories[5][1], "no relocations, without which Windows cannot move it"
    assert (program.machine, program.subsystem) == (0x8664, 3)  # x86-64, console


def test_nothing_in_it_tells_when_and_where_it_was_built(program):
    assert program.timestamp == 0
    folders = {str(ROOT), os.path.expanduser("~/.cache/igtcloud"), str(OUT)}
    assert not [folder for folder in folders if folder.encode() in program.data]


def test_version_of_the_file(program):
    resource = program.resources[pe.VERSION]
    at = resource.index(struct.pack("<I", 0xFEEF04BD))  # VS_FIXEDFILEINFO
    _, _, high, low = struct.unpack_from("<IIII", resource, at)
    assert (high >> 16, high & 0xFFFF, low >> 16) == tuple(map(int, VERSION.split(".")))
    for text in ("ProductName", "igtcloud", "ProductVersion", VERSION):
        assert f"{text}\0".encode("utf-16-le") in resource


def test_manifest_asks_for_utf8_long_paths_and_no_rights(program):
    manifest = program.resources[pe.MANIFEST].decode()
    assert re.search(r"<activeCodePage[^>]*>UTF-8<", manifest)
    assert re.search(r"<longPathAware[^>]*>true<", manifest)
    assert 'level="asInvoker"' in manifest and f'version="{VERSION}.0"' in manifest


def test_icon_in_all_sizes(program):
    group = program.resources[pe.ICON]
    count, = struct.unpack_from("<H", group, 4)
    assert [group[6 + 14 * n] for n in range(count)] == [16, 24, 32, 48, 64]


def test_zip_has_the_program_and_what_belongs_to_it(program):
    with zipfile.ZipFile(OUT / f"{NAME}.zip") as archive:
        assert archive.namelist() == ["igtcloud.exe", "LICENCES.txt", "README.txt"]
        assert archive.read("igtcloud.exe") == program.data
        readme = archive.read("README.txt").decode()
        licences = archive.read("LICENCES.txt").decode()
    assert f"igtcloud {VERSION} for Windows\r\n" in readme and "\n" not in readme.replace("\r\n", "")
    assert readme.count("\r\n") < 66, "more than a page"
    for library in ("igtcloud", "openssl", "curl", "zlib", "json-c", "expat", "sqlite3", "mingw-w64-x86-64-dev",
                    "gcc-mingw-w64-base"):
        assert f"==== {library} ====" in licences


def run(*command, **variables):
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not shutil.which("osslsigncode"), reason="osslsigncode")
def test_signed_with_a_certificate_of_ones_own(tmp_path):
    key, certificate, copy = tmp_path / "key.pem", tmp_path / "certificate.pem", tmp_path / "igtcloud.exe"
    assert run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days",
               "2", "-subj", "/CN=igtcloud test", "-addext", "extendedKeyUsage=codeSigning").returncode == 0
    shutil.copy(OUT / f"{NAME}.exe", copy)
    signed = run(ROOT / "packaging/windows/sign", copy, WINDOWS_CERTIFICATE=str(certificate), WINDOWS_KEY=str(key))
    assert signed.returncode == 0, signed.stderr
    verify = ("osslsigncode", "verify", "-CAfile", certificate, "-in")
    done = run(*verify, copy)
    assert done.returncode == 0 and "CN=igtcloud test" in done.stdout, done.stdout
    data = bytearray(copy.read_bytes())
    data[len(data) // 3] ^= 1
    (tmp_path / "changed.exe").write_bytes(data)
    assert run(*verify, tmp_path / "changed.exe").returncode != 0


def commands(path):
    """(command words, options) of each `.\\igtcloud ...` in a document."""
    for text in re.findall(r"\.\\igtcloud ([^`|\n\\]+)", path.read_text()):
        words = text.split("   ")[0].split()
        yield tuple(w for w in words if not w.startswith("-"))[:2], [w for w in words if w.startswith("--")]


@pytest.mark.skipif(not shutil.which("wine"), reason="wine")
@pytest.mark.parametrize("name", ["docs/windows-trial.md", "packaging/windows/README.txt.in"])
def test_commands_of_the_documents_exist(name):
    """Each with its options, in the help of the program that a reader has."""
    run("wineserver", "-p10", WINEPREFIX=PREFIX)  # for 10 s after the last program: each start of one takes 3 s
    wanted = {}
    for words, options in commands(ROOT / name):
        wanted.setdefault(words[0], set()).update(option.rstrip(".,;") for option in options)
    assert len(wanted) > 4
    for command, options in wanted.items():
        done = run(ROOT / "scripts/wine-run", OUT / f"{NAME}.exe", command, "--help", WINEPREFIX=PREFIX)
        assert done.returncode == 0, (command, done.stderr)
        assert not [option for option in options if not re.search(rf"{re.escape(option)}\b", done.stdout)], command
