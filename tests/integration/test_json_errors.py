# SPDX-License-Identifier: MIT
"""With --json an error is a JSON line on standard error, for programs."""

import json
import re
import subprocess

import pytest

from igtcloud import DENIED, FAILED, NOT_FOUND, USAGE, Program, environment, program
from sandbox import ROOT

SEED = "demo"


@pytest.fixture
def cloud(sandbox):
    return sandbox


@pytest.fixture
def igtcloud(cloud, home):
    return Program(cloud.url, home)


def error(done):
    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert len(lines) == 1 and list(lines[0]) == ["error"], done
    assert set(lines[0]["error"]) == {"code", "message", "hint", "http_status", "request_id"}
    return lines[0]["error"]


@pytest.mark.smoke
def test_what_the_cloud_refuses(igtcloud):
    found = error(igtcloud.run("ls", "--json", "nowhere", status=NOT_FOUND))
    assert found["code"] == "IGT_E_NOT_FOUND" and "nowhere" in found["message"] and found["hint"]


def test_the_response_is_named(cloud, home):
    found = error(Program(cloud.url, home, password="wrong").run("ls", "--json", status=DENIED))
    assert found["code"] == "IGT_E_LOGIN" and found["http_status"] in (401, 403)


@pytest.mark.parametrize("arguments", [["--json", "--nothing"], ["--nothing", "--json"],
                                       ["--json", "--timeout", "x"]])
def test_usage_errors_too(igtcloud, arguments):
    found = error(igtcloud.run("ls", *arguments, status=USAGE))
    assert found["code"] == "IGT_E_INVALID" and "--" in found["message"]


def test_by_variable(igtcloud):
    done = igtcloud.run("ls", "nowhere", env={"IGTCLOUD_JSON": "1"}, status=NOT_FOUND)
    assert error(done)["code"] == "IGT_E_NOT_FOUND"
    plain = igtcloud.run("ls", "--json", "--", "nowhere", "x", status=USAGE, env={"IGTCLOUD_JSON": "0"})
    assert plain.status == USAGE


def test_every_error_has_a_code(igtcloud, home, tmp_path):
    """Also those that no call of the library has made."""
    def code(*arguments, **options):
        return error(igtcloud.run(*arguments, "--json", **options))["code"]
    assert code("cp", tmp_path / "no", "igt:demo/files/no", status=FAILED) == "IGT_E_IO"
    done = subprocess.run([program(), "config", "get", "user", "--json"], env=environment(home), text=True,
                          capture_output=True)
    assert json.loads(done.stderr)["error"]["code"] == "IGT_E_NOT_FOUND" and done.returncode == NOT_FOUND
    no_command = Program(igtcloud.url, home)
    done = no_command.run("ls", "--json", "--user", "a", "--password-command", "exit 3", "--no-keyring",
                          sign_in=False, status=DENIED)
    assert error(done)["code"] == "IGT_E_NO_SESSION"
    (tmp_path / "config").write_text("[default]\nusr = a\n", encoding="utf-8")
    done = subprocess.run([program(), "config", "check", "--json", "--config", tmp_path / "config"], text=True,
                          env=environment(home), capture_output=True)
    assert json.loads(done.stderr)["error"]["code"] == "IGT_E_INVALID"


def test_every_call_gives_a_code():
    """The compiler demands one; none of them is the one for success."""
    for source in (ROOT / "cli").rglob("*.c"):
        assert not re.search(r"\bcomplain\(\s*(IGT_OK|0)\b", source.read_text(encoding="utf-8")), source
