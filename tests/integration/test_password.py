# SPDX-License-Identifier: MIT
"""Passwords that nobody types: the program of --password-command, and the desktop's keyring (a
libsecret of the tests' own; in the long stage the real one, with gnome-keyring)."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from igtcloud import DENIED, FAILED, PASSWORD, USER, Program, environment, program
from terminal import Terminal

SEED = "demo"


def run(cloud, home, *arguments, status=0, user=USER, **env):
    done = subprocess.run([program(), *map(str, arguments), "--domain", cloud.url, "--user", user],
                          capture_output=True, text=True, env=environment(home, **env),
                          stdin=subprocess.DEVNULL, timeout=60, start_new_session=True)
    assert done.returncode == status, done
    return done


# ---- --password-command ----

@pytest.mark.smoke
def test_option_variable_and_profile(cloud, home):
    command = f"printf '{PASSWORD}\\nanother line\\n'"
    assert "demo" in run(cloud, home, "ls", "--password-command", command).stdout
    assert "demo" in run(cloud, home, "ls", IGTCLOUD_PASSWORD_COMMAND=command).stdout
    config = home / "config"
    config.write_text(f"[default]\npassword-command = printf '{PASSWORD}\\n' | cat\n", encoding="utf-8")
    assert "demo" in run(cloud, home, "ls", IGTCLOUD_CONFIG=config).stdout
    # It has no say in what the command reads.
    assert "demo" in run(cloud, home, "ls", "--password-command", f"cat; echo {PASSWORD}").stdout


@pytest.mark.parametrize("command, said", [
    ("exit 3", "failed: exit status 3"), ("true", "printed no password"),
    ("echo; echo second", "printed no password"), ("kill -9 $$", "killed by signal 9"),
    ("nonexistent-helper-77 2>/dev/null", "failed: exit status 127"),
    (f"echo {PASSWORD}; exit 1", "failed: exit status 1")])
def test_a_command_that_fails(cloud, home, command, said):
    done = run(cloud, home, "ls", "--password-command", command, status=DENIED)
    assert said in done.stderr and PASSWORD not in done.stderr.replace(USER, ""), done


def test_a_wrong_password(cloud, home):
    done = run(cloud, home, "ls", "--password-command", "echo wrong-77", status=DENIED)
    assert "wrong-77" not in done.stderr and "rejected" in done.stderr


def test_the_password_is_in_no_arguments(cloud, home):
    """Of any process, while the command runs."""
    seen = home / "seen"
    command = f"cat /proc/[0-9]*/cmdline > {seen} 2>/dev/null; cat {home}/secret"
    (home / "secret").write_text("hush-in-a-file\n")
    run(cloud, home, "ls", "--password-command", command, status=DENIED)
    assert b"igtcloud" in seen.read_bytes() and b"hush-in-a-file" not in seen.read_bytes()


# ---- the keyring ----

@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secret")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "libsecret-1.so.0",
                    pathlib.Path(__file__).parent / "fake_secret.c"], check=True)
    return folder


@pytest.fixture
def keyring(library, tmp_path):
    return {"LD_LIBRARY_PATH": library, "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere",
            "FAKE_SECRET_FILE": tmp_path / "entries"}


def sign_in(cloud, home, response, **env):
    """igtcloud login on a terminal, until it is signed in; the text."""
    login = Terminal([program(), "login", "--domain", cloud.url, "--user", USER],
                     environment(home, TERM="xterm", **env))
    login.wait_for(b"password: ")
    login.write(PASSWORD.encode() + b"\n")
    if response:
        login.wait_for(b"Keep the password in the keyring?")
        login.write(response.encode() + b"\n")
    login.wait_for(b"until interrupted")
    return login


@pytest.mark.dynamic
def test_login_offers_to_keep_it(cloud, home, keyring):
    entries = keyring["FAKE_SECRET_FILE"]
    login = sign_in(cloud, home, "n", **keyring)
    assert not entries.exists()
    login.write(b"\x03")
    login.end()
    login = sign_in(cloud, home, "y", **keyring)
    assert entries.read_text() == f"program=igtcloud domain={cloud.url} user={USER} \t{PASSWORD}\n"
    assert b"logout --forget" in login.text and PASSWORD.encode() + b"\r" not in login.text
    login.write(b"\x03")
    login.end()
    # From now on nobody is asked, and another account is not concerned.
    assert "demo" in run(cloud, home, "ls", **keyring).stdout
    run(cloud, home, "ls", "--no-keyring", status=DENIED, **keyring)
    run(cloud, home, "ls", user="else@example.com", status=DENIED, **keyring)
    out = subprocess.run([program(), "logout", "--forget"], env=environment(home, **keyring),
                         capture_output=True, text=True, check=True)
    assert "removed from the keyring" in out.stderr and entries.read_text() == ""
    run(cloud, home, "ls", status=DENIED, **keyring)


@pytest.mark.dynamic
def test_a_password_that_is_outdated(cloud, home, keyring):
    keyring["FAKE_SECRET_FILE"].write_text(
        f"program=igtcloud domain={cloud.url} user={USER} \told-password-8\n")
    done = run(cloud, home, "ls", status=DENIED, **keyring)
    assert "logout --forget" in done.stderr and "old-password-8" not in done.stderr


@pytest.mark.dynamic
def test_a_keyring_that_fails(cloud, home, keyring):
    """The user is asked, as without one; what cannot be kept is said."""
    keyring["FAKE_SECRET_BROKEN"] = "1"
    login = sign_in(cloud, home, "y", **keyring)
    assert b"the keyring cannot keep the password: the fake keyring is broken" in login.text
    login.write(b"\x03")
    login.end()
    done = subprocess.run([program(), "logout", "--forget"], env=environment(home, **keyring),
                          capture_output=True, text=True, check=False)
    assert done.returncode == FAILED and "cannot remove" in done.stderr


def test_no_offer_without_a_keyring(cloud, home):
    login = sign_in(cloud, home, None)
    assert b"keyring" not in login.text
    login.write(b"\x03")
    login.end()


@pytest.mark.dynamic
@pytest.mark.skipif(not os.environ.get("IGTCLOUD_LONG"), reason="with IGTCLOUD_LONG")
def test_gnome_keyring(cloud, home):
    """The real one: a login stores it, another command finds it, and logout removes it; also what
    libsecret's own tool has stored."""
    for tool in ("dbus-run-session", "gnome-keyring-daemon", "secret-tool"):
        assert shutil.which(tool), f"{tool} is not installed: scripts/install-deps long"
    igtcloud, account = program(), f"--domain '{cloud.url}' --user '{USER}'"
    attributes = f"program igtcloud domain '{cloud.url}' user '{USER}'"
    script = f"""set -ex
        printf x | gnome-keyring-daemon --unlock --components=secrets > /dev/null
        {igtcloud} login --background {account}
        {igtcloud} logout
        {igtcloud} ls {account}
        test "$(secret-tool lookup {attributes})" = '{PASSWORD}'
        {igtcloud} logout --forget
        ! secret-tool lookup {attributes}
        printf %s '{PASSWORD}' | secret-tool store --label=x {attributes}
        {igtcloud} whoami {account}
        echo all is well"""
    shell = Terminal([shutil.which("dbus-run-session"), "--", "sh", "-c", script],
                     environment(home, TERM="xterm"))
    shell.wait_for(b"password: ")
    shell.write(PASSWORD.encode() + b"\n")
    shell.wait_for(b"Keep the password in the keyring?")
    shell.write(b"y\n")
    assert shell.end(60) == 0 and shell.text.rstrip().endswith(b"all is well"), shell.text
    assert shell.text.count(b"password: ") == 1


def test_a_program_that_does_not_end(cloud, home, tmp_path):
    """It has closed its output and obeys no signal: Ctrl-C ends it all the same."""
    script = f"echo x; exec >&-; trap '' TERM INT; touch {tmp_path}/runs; for i in $(seq 300); do sleep 0.1; done"
    command = [program(), "ls", "--domain", cloud.url, "--user", "demo@example.com",
               "--password-command", script]
    with subprocess.Popen(command, env=environment(home), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        end = time.monotonic() + 20
        while not (tmp_path / "runs").exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode in (130, -signal.SIGINT)
