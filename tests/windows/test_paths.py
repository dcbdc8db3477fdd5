# SPDX-License-Identifier: MIT
"""What users of Windows write and do: paths by their rules, a login that holds in the background. By
scripts/check-windows."""
import os
import subprocess

import pytest

from igtcloud import DENIED, FAILED, USER, Program, environment, program, tree
from sandbox import seeded

SEED = {"users": [{"name": USER, "password": "demo", "roles": ["DATA_MANAGER"]}], "projects": [
    {"name": "p", "projectTypeName": "EPD", "institutes": [{"name": "n", "studies": [
        {"name": "s", "files": [{"path": "a/b c.txt", "text": "hello"}], "raw": {"studyIdHumanReadable": "S"}}]}]}]}
LONG = "/".join(letter * 60 for letter in "abcde")


@pytest.fixture(name="cloud", scope="module")
def fixture_cloud(tmp_path_factory):
    with seeded(tmp_path_factory.mktemp("seed"), SEED) as running:
        yield running


@pytest.fixture(name="igtcloud")
def fixture_igtcloud(cloud, tmp_path):
    (tmp_path / "home").mkdir()
    return Program(cloud.url, tmp_path / "home")


def on_windows(path):
    return os.environ["WINDOWS_DRIVE"] + str(path).replace("/", "\\")


@pytest.mark.parametrize("before, path, folder", [
    ("", "new\\deep\\target", "new/deep/target"),
    ("", "x\\..\\y\\", "y"),
    ("", "mixed/x\\y", "mixed/x/y"),
    ("\\\\?\\", "verbatim\\new", "verbatim/new"),
    ("", LONG.replace("/", "\\"), LONG),
])
def test_target(igtcloud, tmp_path, before, path, folder):
    target = f"{before}{on_windows(tmp_path)}\\{path}"
    igtcloud.run("download", target, "p")
    found = tree(tmp_path / folder)
    assert found["n/S/a/b c.txt"] == b"hello"
    assert igtcloud.run("verify", target, "p").text == ""
    assert found == tree(tmp_path / folder)


def test_target_below_the_current_folder(igtcloud, tmp_path):
    igtcloud.run("download", "new\\deep", "p", cwd=tmp_path)
    assert tree(tmp_path / "new/deep")["n/S/a/b c.txt"] == b"hello"


@pytest.mark.parametrize("option", ["target", "--log-file"])
def test_a_stream_is_no_path(igtcloud, tmp_path, option):
    """The bytes would be in a file that seems to be empty."""
    (tmp_path / "work").mkdir()
    stream = on_windows(tmp_path / "work/name:stream")
    arguments = [stream, "p"] if option == "target" else [option, stream, on_windows(tmp_path / "work"), "p"]
    done = igtcloud.run("download", *arguments, status=FAILED)
    assert stream in done.err and not os.listdir(tmp_path / "work")


def test_a_login_in_the_background(igtcloud, tmp_path):
    """Standard output goes to a file: the process that holds the login must let go of a pipe, too, but until
    it has, a test of it would wait for the login's end."""
    variables = {"TMPDIR": str(tmp_path)}

    def run(name, *arguments):
        command = [program(), *name.split(), *arguments]
        with open(tmp_path / "out", "wb") as out:
            status = subprocess.run(command, input=b"demo\n", stdout=out, stderr=out, timeout=60,
                                    env=environment(str(tmp_path / "home"), **variables), check=False).returncode
        return status, (tmp_path / "out").read_text()

    domain = ["--domain", igtcloud.url]
    sign_in = [*domain, "--user", USER, "--password-stdin"]
    try:
        status, text = run("login --background", *sign_in)
        assert status == 0 and "Signed in as" in text, text
        status, text = run("whoami", *domain)
        assert status == 0 and USER in text, text
        status, text = run("login --background", *sign_in)
        assert status == 0 and "Already signed in as" in text, text
    finally:
        status, text = run("logout")
    assert status == 0 and "Signed out" in text, text
    assert run("whoami", *domain)[0] == DENIED
    assert not (tmp_path / "igtcloud_auth_mmap").exists()
