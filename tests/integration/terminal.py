# SPDX-License-Identifier: MIT
"""Runs a program on a terminal of its own, as a user would."""

import os
import pty
import re
import select
import signal
import struct
import fcntl
import termios
import time
import tty

CONSOLE = "WINDOWS_DRIVE" in os.environ  # wine's: scripts/check-windows


def prepare(fd, rows, columns):
    """wine's console reads keys, not lines: the terminal must not edit them first, nor show them."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    if CONSOLE:
        tty.setraw(fd)


def typed(text):
    """The Enter key is a carriage return."""
    return text.replace(b"\n", b"\r") if CONSOLE else text


def written(drawn):
    """What the program wrote: wine's console hides the cursor for each letter, moves it over spaces, and clears the rest
    of a line."""
    if not CONSOLE:
        return drawn
    drawn = re.sub(rb"\x1b\[\?25[lh]|\x1b\[K(?=\r\n)", b"", drawn)
    return re.sub(rb"(?:\x1b\[K)?\x1b\[(\d*)C", lambda found: b" " * int(found[1] or 1), drawn)


def run(command, env, answers=(), timeout=60, columns=120):
    """Answers each question (a regular expression) once it appears. (exit status, all that
    was on the screen)."""
    pid, screen = pty.fork()
    if pid == 0:
        try:
            os.execve(command[0], command, env)
        finally:
            os._exit(127)
    prepare(screen, 40, columns)
    drawn, shown, left, end = b"", "", list(answers), time.monotonic() + timeout
    seen = 0  # of what is shown, up to the last question
    while True:
        assert time.monotonic() < end, f"{command} waits: {shown!r}"
        if not select.select([screen], [], [], 1)[0]:
            continue
        try:
            piece = os.read(screen, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not piece:
            break
        drawn += piece
        shown = written(drawn).decode("utf-8", "replace")
        if left and (found := re.search(left[0][0], shown[seen:])):
            seen += found.end()
            os.write(screen, typed(left.pop(0)[1].encode() + b"\n"))
    os.close(screen)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert not left, f"never asked {left[0][0]!r}: {shown!r}"
    return status, shown.replace("\r\n", "\n")


class Terminal:
    """A program on a terminal of its own, step by step. `text` is all that it wrote."""

    def __init__(self, command, env, rows=24, columns=80):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execve(command[0], command, env)
            finally:
                os._exit(127)
        prepare(self.fd, rows, columns)
        self.drawn, self.seen, self.status = b"", 0, None

    @property
    def text(self):
        return written(self.drawn)

    def wait_for(self, text, timeout=30):
        """Until it appears, after what was waited for before."""
        end = time.monotonic() + timeout
        while text not in self.text[self.seen:]:
            left = max(0, end - time.monotonic())
            assert select.select([self.fd], [], [], left)[0], f"no {text!r} in {self.text!r}"
            self.drawn += os.read(self.fd, 65536)
        self.seen = self.text.index(text, self.seen) + len(text)

    def write(self, text):
        os.write(self.fd, typed(text))

    def has_echo(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def wait_for_echo(self, wanted=True, timeout=10):
        end = time.monotonic() + timeout
        while self.has_echo() != wanted:
            assert time.monotonic() < end, f"echo stays {not wanted}: {self.text!r}"
            time.sleep(0.01)

    def wait(self, timeout=20):
        """The exit status, negative for a signal."""
        end = time.monotonic() + timeout
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"it does not end: {self.text!r}")
            else:
                time.sleep(0.005)
        return self.status

    def end(self, timeout=20):
        """Reads to the end; the exit status, negative for a signal."""
        end = time.monotonic() + timeout
        while True:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                break
            try:
                more = os.read(self.fd, 65536)
            except OSError:  # EIO: the last one has closed it
                break
            if not more:
                break
            self.drawn += more
        self.wait(max(1, end - time.monotonic()))
        os.close(self.fd)
        return self.status
