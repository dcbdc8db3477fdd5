# SPDX-License-Identifier: MIT
"""Programs that were built with another day's headers run with today's library: docs/abi.md."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from igtcloud import environment, program
from rest_client import RestClient
from sandbox import ROOT

# A build of the program in one file has no shared library.
pytestmark = pytest.mark.dynamic

BUILD = pathlib.Path(program()).resolve().parent
HEADERS = [ROOT / "include" / "igtcloud", BUILD / "api" / "igtcloud"]
STRUCT = re.compile(r"typedef struct (igt_\w+) \{\n(  size_t size;.*?)\n\} \1;", re.S)

SEED = {"users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
        "projects": [{"name": "trial", "institutes": [{"name": "north", "studies": [
            {"class": "Study", "studyId": "CT", "patient": {"patientId": "P1", "patientName": "P1"},
             "files": [{"path": "a.txt", "text": "a"}]}]}]}]}


def today(name, members):
    return members


def yesterday(name, members):
    """Without the last two, so that no padding hides that they are gone. An error is as it was in
    the first release: there is no older one."""
    if name == "igt_error":
        return members
    parts = re.sub(r"/\*.*?\*/", "", members, flags=re.S).split(";")
    return ";".join(parts[:max(2, len(parts) - 3)]) + ";"


def tomorrow(name, members):
    return members + "\n  const void *igt_later;"


def headers_of(day, folder):
    """Copies of the public headers, in which each struct that begins with its size is another."""
    found = 0
    (folder / "igtcloud").mkdir()
    for header in (path for place in HEADERS for path in place.glob("*.h")):
        text, n = STRUCT.subn(
            lambda m: f"typedef struct {m[1]} {{\n{day(m[1], m[2])}\n}} {m[1]};",
            header.read_text(encoding="utf-8"))
        found += n
        (folder / "igtcloud" / header.name).write_text(text, encoding="utf-8")
    assert found > 40
    return folder


def compiler():
    commands = json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8"))
    words = shlex.split(commands[0]["command"].split(" -")[0])
    flags = re.findall(r"-fsanitize=\S+", commands[0]["command"])
    return words + flags[:1]


def build(tmp_path, source, *flags, headers=None):
    out = tmp_path / "program"
    include = [headers] if headers else [place.parent for place in HEADERS]
    subprocess.run([*compiler(), *(f"-I{path}" for path in include), "-Wall", "-Wextra", "-Werror",
                    source, "-o", out, f"-L{BUILD}/lib", "-ligtcloud", *flags],
                   check=True, capture_output=True, text=True)
    return out


def run(path, *arguments, **env):
    return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "LD_LIBRARY_PATH": str(BUILD / "lib"), **env})


@pytest.mark.parametrize("day", [today, yesterday, tomorrow])
def test_a_program_of_another_day(cloud, tmp_path, day):
    headers = headers_of(day, tmp_path)
    flags = ["-DLATER"] if day is tomorrow else []
    grown = build(tmp_path, ROOT / "tests" / "abi" / "grown.c", *flags, headers=headers)
    client = RestClient(cloud.url).login()
    env = environment(tmp_path, CLOUD_JWT_TOKEN=client.jwt, CLOUD_CSRF_TOKEN=client.csrf)
    done = run(grown, cloud.url, str(tmp_path / "out"), **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "out").rglob("a.txt"))) == 1
    (tmp_path / "now").mkdir()
    now = run(build(tmp_path / "now", ROOT / "tests" / "abi" / "grown.c"), cloud.url,
              str(tmp_path / "now" / "out"), **env).stdout.split()
    sizes = zip(map(int, done.stdout.split()), map(int, now))
    compare = {today: int.__eq__, yesterday: int.__lt__, tomorrow: int.__gt__}[day]
    assert all(compare(mine, current) for mine, current in sizes), (done.stdout, now)


def test_the_init_functions_in_cpp(tmp_path):
    """All of them, as a C++ program calls them, which has no designated initializers."""
    names = sorted({name for place in HEADERS for path in place.glob("*.h")
                    for name, _ in STRUCT.findall(path.read_text(encoding="utf-8"))})
    text = "#include <igtcloud/igtcloud.h>\nint main() {\n"
    for name in names:
        text += (f"  {{ {name} x; {name}_init(&x, sizeof x);\n"
                 f"    const {name} y = {name.upper()}_INIT;\n"
                 f"    if (x.size != sizeof x || y.size != x.size) return 1; }}\n")
    (tmp_path / "main.cpp").write_text(text + "}\n", encoding="utf-8")
    words = compiler()
    cpp = {"gcc": "g++", "clang": "clang++", "cc": "c++"}
    out = tmp_path / "program"
    subprocess.run([*(cpp.get(word, word) for word in words), "-std=c++11", "-Wall", "-Werror",
                    *(f"-I{place.parent}" for place in HEADERS), tmp_path / "main.cpp", "-o", out,
                    f"-L{BUILD}/lib", "-ligtcloud"], check=True, capture_output=True, text=True)
    assert run(out).returncode == 0


def test_no_data_is_copied_into_programs():
    """A copy has the size of the day that the program was linked."""
    found = sorted((BUILD / "examples").iterdir())
    programs = [path for path in found if path.is_file() and os.access(path, os.X_OK)]
    assert len(programs) >= 5
    for path in [*programs, BUILD / "lib" / "libigtcloud.so"]:
        done = subprocess.run(["readelf", "-rW", path], capture_output=True, text=True, check=True)
        copies = [line for line in done.stdout.splitlines() if "_COPY" in line and "igt_" in line]
        assert not copies, (path, copies)
    done = subprocess.run(["nm", "-D", "--defined-only", BUILD / "lib" / "libigtcloud.so"],
                          capture_output=True, text=True, check=True)
    assert not [line for line in done.stdout.splitlines() if re.search(r" [BDRVG] igt_", line)]


CHECK = """
#include <igtcloud/igtcloud.h>
#include <stdio.h>
int main(void) {
  printf("%d.%d.%d %06x %d%d%d%d\\n", IGT_VERSION_MAJOR, IGT_VERSION_MINOR, IGT_VERSION_PATCH,
         IGT_VERSION_NUM, igt_version_check(IGT_VERSION_MAJOR, IGT_VERSION_MINOR),
         igt_version_check(IGT_VERSION_MAJOR, 0),
         igt_version_check(IGT_VERSION_MAJOR, IGT_VERSION_MINOR + 1),
         igt_version_check(IGT_VERSION_MAJOR + 1, 0));
  return 0;
}
"""


def test_the_version(tmp_path):
    (tmp_path / "main.c").write_text(CHECK, encoding="utf-8")
    version, number, checks = run(build(tmp_path, tmp_path / "main.c")).stdout.split()
    assert version == subprocess.run([program(), "version"], capture_output=True, text=True,
                                     check=True).stdout.strip()
    assert number == "".join(f"{int(part):02x}" for part in version.split("."))
    assert checks == "1100"


HOST = """
#include <igtcloud/igtcloud.h>
int main(void) {
  igt_client_options options = IGT_CLIENT_OPTIONS_INIT;
  igt_client *client = NULL;
  options.domain = "http://127.0.0.1:9";
  return igt_client_new(&options, &client, NULL) == IGT_OK;
}
"""


@pytest.mark.plain("with a library in place of libcurl")
def test_a_host_programs_libcurl_keeps_its_allocator(tmp_path):
    """The igtcloud program's own process is another matter: there curl wipes what it frees."""
    subprocess.run([*compiler(), "-shared", "-fPIC", ROOT / "tests" / "abi" / "curl.c", "-o",
                    tmp_path / "libcurl.so.4"], check=True)
    (tmp_path / "main.c").write_text(HOST, encoding="utf-8")
    path = f"{tmp_path}:{BUILD / 'lib'}"
    done = run(build(tmp_path, tmp_path / "main.c"), LD_LIBRARY_PATH=path)
    assert (done.returncode, done.stdout) == (0, "plain\n")
    done = run(program(), "ls", "--domain", "http://127.0.0.1:9", LD_LIBRARY_PATH=path)
    assert "own memory" in done.stdout
