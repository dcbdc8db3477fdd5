# SPDX-License-Identifier: MIT
"""docs/reliability.md is what scripts/reliability would write when all tests of this folder pass."""

import ast
import pathlib

from promise import PAGE, cases, page, promises


def without_results(text):
    return text.replace("| **NO** |", "| yes |")


def test_page_is_current():
    """All but the column of results, which scripts/reliability fills in."""
    text = page({key: True for key in promises()},
                {(t.path, t.test): True for t in cases.marked()})
    assert without_results(PAGE.read_text()) == without_results(text), "run scripts/reliability"


def test_marks_name_known_cases():
    assert [t for t in cases.marked() if t.id not in cases.CASES] == []


def test_every_test_promises_something():
    without = []
    for path in pathlib.Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and \
                    (path.stem, node.name) not in promises() and path.stem != pathlib.Path(__file__).stem:
                without.append((path.stem, node.name))
    assert without == []
