# SPDX-License-Identifier: MIT
"""A pytest plugin of scripts/check-windows: leaves out the tests that the table `skips` names; with
WINDOWS_SMOKE it leaves only those that the table `smoke` names. A line of a table that fits no test of
its file is an error."""
import fnmatch
import os
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent
KINDS = ("no", "wine", "fault")  # `skips` says what they mean


def read(table):
    return [line for line in (HERE / table).read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]


def skips():
    """(kind, pattern, reason); a pattern is FILE::TEST without the folder and .py, FILE::*, or @MARK."""
    for line in read("skips"):
        kind, pattern, reason = line.split(maxsplit=2)
        if kind not in KINDS:
            raise pytest.UsageError(f"skips: {kind} is none of {', '.join(KINDS)}")
        yield kind, pattern, reason


def name_of(item):
    return f"{item.path.stem}::{item.name}"


def fitting(table, pattern, names, partial):
    """The items that a pattern names. With -k or a single test on the command line none may do."""
    if pattern.startswith("@"):
        return [item for item in names if item.get_closest_marker(pattern[1:])]
    found = [item for item, name in names.items() if fnmatch.fnmatchcase(name, pattern)]
    files = {name.split("::")[0] for name in names.values()}
    if not found and pattern.split("::")[0] in files and not partial:
        raise pytest.UsageError(f"{HERE / table}: {pattern} fits no test")
    return found


def pytest_collection_modifyitems(config, items):
    names = {item: name_of(item) for item in items}
    partial = config.option.keyword or any("::" in arg for arg in config.args)
    left_out = {item for _, pattern, _ in skips() for item in fitting("skips", pattern, names, partial)}
    chosen = set(items)
    if os.environ.get("WINDOWS_SMOKE"):
        chosen = {item for line in read("smoke") for item in fitting("smoke", line, names, partial)}
    gone = [item for item in items if item in left_out or item not in chosen]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]
