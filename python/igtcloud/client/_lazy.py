# SPDX-License-Identifier: MIT
"""Modules that are imported when they are first used. Importing the services, as each script does first, takes a third
less time without the C library and what else only a session or a failure needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Module:
    """Stands for a module, which is imported by the first use of one of its names."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._module is None:
            self._module = import_module(self._name)
        return getattr(self._module, name)
