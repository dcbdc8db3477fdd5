# SPDX-License-Identifier: MIT
"""Runs a program on a terminal of its own, as a person would."""

import os
import pty
import re
import select
import struct
import fcntl
import termios
import time


def run(command, env, answers=(), timeout=60, columns=120):
    """Answers each question, a regular expression, once it stands there. (exit status, all that
    was on the screen)."""
    pid, screen = pty.fork()
    if pid == 0:
        try:
            os.execve(command[0], command, env)
        finally:
            os._exit(127)
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    shown, left, end = "", list(answers), time.monotonic() + timeout
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
        shown += piece.decode("utf-8", "replace")
        if left and (found := re.search(left[0][0], shown[seen:])):
            seen += found.end()
            os.write(screen, left.pop(0)[1].encode() + b"\n")
    os.close(screen)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert not left, f"never asked {left[0][0]!r}: {shown!r}"
    return status, shown.replace("\r\n", "\n")
