# SPDX-License-Identifier: MIT
"""Messages after a mistake: the name that was meant, the actual reason, a number's range."""

import json
import subprocess

import pytest

from igtcloud import DENIED, NOT_FOUND, SOME_FAILED, USAGE, USER, environment, program
from test_login import Login

SEED = "demo"


@pytest.mark.parametrize("command", [
    ["ls", "demoo"], ["ls", "dmo"], ["ls", "Demo"], ["ls", "demoo/north"], ["csv", "-", "demoo"],
    ["download", "out", "demoo"], ["sync", "igt:demoo", "out"]])
def test_a_project_that_was_meant(igtcloud, tmp_path, command):
    done = igtcloud.run(*command, status=NOT_FOUND, cwd=tmp_path)
    assert "did you mean 'demo'?" in done.err, done


@pytest.mark.parametrize("command", ["ls", "tree", "rm", "show"])
def test_an_institute_that_was_meant(igtcloud, command):
    assert "did you mean 'north'?" in igtcloud.run(command, "demo/nort", status=NOT_FOUND).err


def test_nothing_is_similar(igtcloud):
    assert "did you mean" not in igtcloud.run("ls", "elsewhere", status=NOT_FOUND).err


def test_sizes_are_compared_once(igtcloud, out):
    assert "in the store" not in igtcloud.run("download", out, "demo", "--max-age", "1h").err
    next(out.rglob("report.txt")).write_text("changed")
    err = igtcloud.run("verify", out, "demo", status=SOME_FAILED).err
    assert "in the store" not in err and err.count("report.txt") == 1, err


@pytest.mark.parametrize("variable", ["CLOUD_DOMAIN", "IGTCLOUD_DOMAIN"])
def test_an_empty_domain_beside_a_login(cloud, home, variable):
    login = Login(cloud, str(home), "--user", USER, "--password-stdin")
    try:
        login.wait_for(b"Signed in")
        for command in (["ls"], ["whoami"]):
            done = subprocess.run([program(), *command], capture_output=True, text=True,
                                  env=environment(home, **{variable: ""}), timeout=60, check=False)
            assert done.returncode == USAGE and f"{variable} is set but empty" in done.stderr, done
    finally:
        login.end()


def signs_in(cloud, home, *arguments, status):
    done = subprocess.run([program(), "ls", "--domain", cloud.url, *arguments], text=True,
                          env=environment(home), stdin=subprocess.DEVNULL, capture_output=True,
                          start_new_session=True, timeout=60, check=False)
    assert done.returncode == status, done
    return done.stderr.splitlines()


def test_only_the_real_reason(cloud, home):
    failed = signs_in(cloud, home, "--user", USER, "--password-command", "exit 3", status=DENIED)
    assert len(failed) == 1 and "failed: exit status 3" in failed[0]
    nobody = signs_in(cloud, home, "--password-command", "echo demo", status=DENIED)
    assert len(nobody) == 1 and "the user name is missing" in nobody[0]
    both = signs_in(cloud, home, "--password-command", "echo demo", "--password-stdin", status=USAGE)
    assert "are mutually exclusive" in both[0]


@pytest.mark.parametrize("option, said", [
    (["--limit", "0"], "must be a whole number from 1 to 100000"),
    (["--retries", "-1"], "must be a whole number from 0 to 100000"),
    (["--timeout", "0"], "must be a number of seconds, more than 0 and less than 1000000")])
def test_numbers_out_of_range_name_the_range(igtcloud, option, said):
    assert said in igtcloud.run("csv", "-", "demo", *option, status=USAGE).err


def test_lines_name_cloud_project_and_user(cloud, igtcloud, out, tmp_path):
    lines = igtcloud.run("sync", "igt:demo", out, "--dry-run", "--json").lines
    assert {(x["cloud"], x["project"], x["user"]) for x in lines} == {(cloud.url, "demo", USER)}
    igtcloud.run("download", out, "demo")
    manifest = tmp_path / "manifest"
    manifest.write_bytes(igtcloud.run("manifest", "demo").out)
    done = subprocess.run([program(), "verify", "--manifest", manifest, out, "--json"],
                          capture_output=True, env=environment(igtcloud.home), check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(x["cloud"], x["project"]) for x in lines} == {(cloud.url, "demo")}
