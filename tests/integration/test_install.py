# SPDX-License-Identifier: MIT
"""What is installed can be used without the source."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from igtcloud import build_folder, program
from sandbox import ROOT

BUILD = build_folder()
PROGRAM = r"""
#include <igtcloud/igtcloud.h>
#include <stdio.h>
#include <string.h>
int main(void) {
  igt_client_options o = IGT_CLIENT_OPTIONS_INIT;
  igt_error err = IGT_ERROR_INIT;
  igt_client *client = NULL;
  o.domain = "http://elsewhere.example.com";
  if (igt_client_new(&o, &client, &err) != IGT_E_INVALID || !strstr(err.text, "elsewhere"))
    return 1;
  puts(igt_version());
  return 0;
}
"""


def run(*command, **env):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **{k: str(v) for k, v in env.items()}})
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """DESTDIR, as a packager would have it, and the prefix in it."""
    destdir = tmp_path_factory.mktemp("destdir")
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", destdir)
    options = json.loads(run("meson", "introspect", BUILD, "--buildoptions"))
    return destdir, {o["name"]: o["value"] for o in options}


def below(installed, *names):
    destdir, options = installed
    return pathlib.Path(f"{destdir}{options['prefix']}", *names)


def test_programs_and_their_files(installed):
    version = run(below(installed, "bin/igtcloud"), "version").strip()
    assert run(below(installed, "bin/igtcloud-sandbox"), "--version").split()[-1] == version
    share = below(installed, "share")
    commands = json.loads(run(below(installed, "bin/igtcloud"), "help", "--json"))["commands"]
    pages = {p.name for p in (share / "man/man1").iterdir()}
    assert pages == {"igtcloud.1", "igtcloud-sandbox.1",
                     *(f"igtcloud-{c['name'].replace(' ', '-')}.1" for c in commands)}
    assert {p.name for p in (share / "man/man7").iterdir()} == {"igtcloud-filters.7", "igtcloud-selection.7"}
    for shell, path in (("bash", "bash-completion/completions/igtcloud"),
                        ("zsh", "zsh/site-functions/_igtcloud"),
                        ("fish", "fish/vendor_completions.d/igtcloud.fish")):
        assert (share / path).read_text() == run(program(), "completion", shell)


def test_a_program_of_the_library(installed, tmp_path):
    """By pkg-config alone, as C; with the shared library of the installed name."""
    destdir, options = installed
    lib = below(installed, options["libdir"])
    env = {"PKG_CONFIG_PATH": lib / "pkgconfig", "PKG_CONFIG_SYSROOT_DIR": destdir}
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "igtcloud", **env))
    sanitize = options["b_sanitize"]
    if sanitize != "none":
        flags.append("-fsanitize=" + sanitize)
    (tmp_path / "main.c").write_text(PROGRAM)
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    compiler = shlex.split(commands[0]["command"].split(" -")[0])
    run(*compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", tmp_path / "main.c",
        "-o", tmp_path / "main", *flags)
    shown = run(tmp_path / "main", LD_LIBRARY_PATH=lib)
    assert shown.strip() == run("pkg-config", "--modversion", "igtcloud", **env).strip()
    assert "libigtcloud.so.0" in run("objdump", "-p", tmp_path / "main")
    assert str(destdir) not in (lib / "pkgconfig/igtcloud.pc").read_text()


def test_version_of_packages(tmp_path):
    """Of a release, after it, on the way to the next one, and without git. dpkg would order them so."""
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b"]
    version = lambda: run(ROOT / "scripts/package-version", tmp_path).strip()  # noqa: E731
    (tmp_path / "meson.build").write_text("project('igtcloud', 'c',\n  version: '1.2.0',\n")
    assert version() == "1.2.0"
    run("git", "-C", tmp_path, "init", "-q")
    commit = lambda: run(*git, "commit", "-q", "--allow-empty", "-m", "x")  # noqa: E731
    commit()
    assert re.fullmatch(r"1\.2\.0~git1\.[0-9a-f]{8}", version())
    run(*git, "tag", "v1.2.0")
    assert version() == "1.2.0"
    commit()
    commit()
    assert re.fullmatch(r"1\.2\.0\+git2\.[0-9a-f]{8}", version())
    (tmp_path / "meson.build").write_text("project('igtcloud', 'c',\n  version: '1.3.0',\n")
    assert re.fullmatch(r"1\.3\.0~git2\.[0-9a-f]{8}", version())


def test_the_folder_of_libraries():
    """Without dpkg-dev, which Meson would ask."""
    multiarch = subprocess.run(["cc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
    wanted = f"lib/{multiarch}" if multiarch and os.path.isdir(f"/usr/lib/{multiarch}") else "lib"
    assert run(ROOT / "scripts/library-folder").strip() in (wanted, wanted + "64")
    for given, folder in (((), "$(scripts/library-folder)"), (("LIBDIR=lib",), "lib")):
        said = run("make", "-n", "-C", ROOT, "BUILD=build-nowhere", *given, "build-nowhere/build.ninja")
        assert f"--libdir={folder}\n" in said, said
