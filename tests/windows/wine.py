# SPDX-License-Identifier: MIT
"""A pytest plugin of scripts/check-windows: leaves out the tests that the table `skips` names. A line of
the table that fits no test of its file is an error."""
import fnmatch
import pathlib

import pytest

TABLE = pathlib.Path(__file__).with_name("skips")


def lines():
    """Pairs of a pattern, FILE::TEST without the folder and .py, and a reason."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern, reason = line.split(maxsplit=1)
            yield pattern, reason


def name_of(item):
    return f"{item.path.stem}::{item.name}"


def pytest_collection_modifyitems(config, items):
    names = {item: name_of(item) for item in items}
    files = {name.split("::")[0] for name in names.values()}
    left_out = set()
    for pattern, _ in lines():
        fitting = [item for item, name in names.items() if fnmatch.fnmatchcase(name, pattern)]
        if not fitting and pattern.split("::")[0] in files and not config.option.keyword:
            raise pytest.UsageError(f"{TABLE}: {pattern} fits no test")
        left_out.update(fitting)
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]
