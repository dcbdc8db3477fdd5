# SPDX-License-Identifier: MIT
"""The password prompt on a terminal: echo is off while it waits, and as before in every other
moment, whatever signal comes."""

import os
import signal

import pytest

from igtcloud import DENIED, environment, program, static
from sandbox import Sandbox
from terminal import Terminal

SEED = "demo"
QUESTION = b"password: "


def prompt(cloud, home, *command):
    command = command or ("whoami", "--user", "demo@example.com")
    return Terminal([program(), command[0], "--domain", cloud.url, *command[1:]],
                    environment(home, TERM="xterm"))


def shell(cloud, home):
    """An interactive shell, which has job control."""
    terminal = Terminal(["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"],
                        environment(home, PS1="$ ", TERM="xterm", CLOUD_DOMAIN=cloud.url,
                                    PATH=os.path.dirname(program()) + ":" + os.environ["PATH"]))
    terminal.wait_for(b"$ ")
    return terminal


def status_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(line.split()[1] for line in file if line.startswith(name + ":"))


def sleeps(pid):
    """How many times it has gone to sleep or has been stopped."""
    return int(status_of(pid, "voluntary_ctxt_switches"))


def state(pid):
    """One letter: S sleeps, T is stopped."""
    return status_of(pid, "State")


def is_asked(terminal):
    terminal.wait_for(QUESTION)
    terminal.wait_for_echo(False)


def answer_and_leave(terminal):
    """Of a program in the foreground of a shell; the password is never on the screen."""
    is_asked(terminal)
    terminal.write(b"demo\n")
    terminal.wait_for(b"demo@example.com at")
    terminal.write(b"exit\n")
    terminal.end()
    assert b"demo\r\n" not in terminal.text


@pytest.fixture
def cloud(sandbox):
    return sandbox


ENDING = ["HUP", "INT", "QUIT", "TERM", "USR2", "ALRM", "ABRT", "XCPU", "VTALRM",
          "PROF", "IO", "PWR", "SYS", "TRAP", "RTMIN",
          pytest.param("SEGV", marks=pytest.mark.plain("the sanitizers have a handler of their own"))]


@pytest.mark.case("security-22")
@pytest.mark.parametrize("name", ENDING)
def test_a_signal_that_ends_it(cloud, home, name):
    number = getattr(signal, f"SIG{name}")
    if name == "RTMIN" and static():
        number += 1  # musl's own begin one later than glibc's
    terminal = prompt(cloud, home)
    is_asked(terminal)
    os.kill(terminal.pid, number)
    terminal.wait()
    assert terminal.has_echo()
    caught = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
    assert terminal.end() == caught.get(number, -number)


@pytest.mark.case("security-22")
@pytest.mark.parametrize("key, name", [(b"\x03", "INT"), (b"\x1c", "QUIT")])
def test_a_key_that_ends_a_login_in_the_background(cloud, home, key, name):
    """Both of its processes."""
    terminal = prompt(cloud, home, "login", "--background", "--user", "demo@example.com")
    is_asked(terminal)
    terminal.write(key)
    status = terminal.end()
    assert status == (130 if name == "INT" else -signal.SIGQUIT)


@pytest.mark.case("security-22", "transfers-6")
@pytest.mark.parametrize("command", [b"igtcloud whoami -u demo@example.com",
                                     b"igtcloud login --background -u demo@example.com"])
def test_stop_and_continue(cloud, home, command):
    """By the key, twice; what was typed before is forgotten, and nothing is ever shown."""
    terminal = shell(cloud, home)
    terminal.write(command + b"; echo status=$?\n")
    terminal.wait_for(QUESTION)
    for _ in range(2):
        terminal.wait_for_echo(False)
        terminal.write(b"half a pass")
        terminal.write(b"\x1a")
        terminal.wait_for(b"Stopped")
        terminal.wait_for(b"$ ")
        assert terminal.has_echo()
        terminal.write(b"fg\n")
        is_asked(terminal)
    terminal.write(b"demo\n")
    terminal.wait_for(b"demo@example.com")
    terminal.wait_for(b"$ ")
    terminal.write(b"igtcloud logout; exit\n")
    terminal.end()
    assert b"half a pass" not in terminal.text and b"demo\r\n" not in terminal.text


@pytest.mark.case("security-22")
@pytest.mark.parametrize("name", ["TSTP", "STOP", "TTIN", "TTOU"])
def test_stopped_by_a_signal(cloud, home, name):
    terminal = shell(cloud, home)
    terminal.write(b"igtcloud whoami -u demo@example.com\n")
    is_asked(terminal)
    pid = os.tcgetpgrp(terminal.fd)
    os.kill(pid, getattr(signal, f"SIG{name}"))
    terminal.wait_for(b"Stopped")
    terminal.wait_for(b"$ ")
    assert terminal.has_echo()
    terminal.write(b"fg\n")
    answer_and_leave(terminal)


@pytest.mark.case("security-22")
def test_continued_in_the_background(cloud, home):
    """It does not touch the terminal that is now the shell's."""
    terminal = shell(cloud, home)
    terminal.write(b"igtcloud whoami -u demo@example.com\n")
    is_asked(terminal)
    pid = os.tcgetpgrp(terminal.fd)
    terminal.write(b"\x1a")
    terminal.wait_for(b"Stopped")
    terminal.wait_for(b"$ ")
    slept = sleeps(pid)
    terminal.write(b"bg\n")
    Sandbox.wait_for(lambda: sleeps(pid) > slept and state(pid) in "ST")  # it ran, and waits again
    terminal.write(b"echo go''ne on\n")
    terminal.wait_for(b"gone on")
    assert terminal.has_echo()
    terminal.write(b"fg\n")
    answer_and_leave(terminal)


def test_signals_that_do_nothing(cloud, home):
    terminal = prompt(cloud, home)
    is_asked(terminal)
    for name in ("WINCH", "CHLD", "URG"):
        os.kill(terminal.pid, getattr(signal, f"SIG{name}"))
    assert not terminal.has_echo()
    os.kill(terminal.pid, signal.SIGCONT)
    is_asked(terminal)
    terminal.write(b"wrong\n")
    assert terminal.end() == DENIED
    assert terminal.text.count(QUESTION) == 2  # SIGCONT alone made it ask again


# ---- confirmations ----

@pytest.mark.parametrize("path, question", [("demo/north", b"[y/N]: "), ("demo", b"confirm: ")])
@pytest.mark.parametrize("key, status", [(b"\x03", 130), (b"\x04", 1)])
def test_a_confirmation_without_an_answer(cloud, home, path, question, key, status):
    """Ctrl-C ends it as the signal does, Ctrl-D means no; neither is taken for a missing terminal."""
    terminal = prompt(cloud, home, "rm", "--user", "demo@example.com", path)
    is_asked(terminal)
    terminal.write(b"demo\n")
    terminal.wait_for(question)
    terminal.write(key)
    assert terminal.end() == status
    after = terminal.text[terminal.seen:].replace(b"^C", b"")
    assert after.startswith(b"\r\n") and b"nothing was changed" in after
    assert b"--yes" not in after and b"without a terminal" not in after


@pytest.mark.parametrize("key", [b"\x03", b"\x04"])
def test_a_password_prompt_without_an_answer_ends_its_line(cloud, home, key):
    terminal = prompt(cloud, home)
    is_asked(terminal)
    terminal.write(key)
    assert terminal.end() == (130 if key == b"\x03" else DENIED)
    after = terminal.text[terminal.seen:].replace(b"^C", b"")
    assert after.startswith(b"\r\n") and not after.startswith(b"\r\n\r\n")
