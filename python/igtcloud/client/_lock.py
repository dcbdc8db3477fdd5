# SPDX-License-Identifier: MIT
"""Locks that are free in a forked child, whichever thread of the parent had them: those threads are not there to
release them."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Any, Callable

_forks = 0
_renewing = threading.Lock()


class Lock:
    """A lock for `with`. make: threading.Lock or threading.RLock."""

    __slots__ = ("_make", "_lock", "_forks")

    def __init__(self, make: Callable[[], Any] = threading.Lock) -> None:
        self._make, self._lock, self._forks = make, make(), _forks

    def _current(self) -> Any:
        if self._forks != _forks:
            with _renewing:
                if self._forks != _forks:
                    self._lock, self._forks = self._make(), _forks
        return self._lock

    def __enter__(self) -> None:
        self._current().acquire()

    def __exit__(self, *_: Any) -> None:
        with contextlib.suppress(RuntimeError):  # forked within the block: the child's is a new one
            self._current().release()


def _after_fork_in_child() -> None:
    global _forks, _renewing
    _forks += 1
    _renewing = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
