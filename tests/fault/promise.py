# SPDX-License-Identifier: MIT
"""What a test of this folder promises, for docs/reliability.md: scripts/reliability writes the page
from the results, test_reliability_page.py checks that it is current."""

import importlib
import pathlib
import re
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

import cases  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
AREAS = ["Retry", "Throttling", "Requests of unknown outcome", "Long runs", "Integrity", "Resume",
         "Several at once", "Signals"]

HEAD = """# Reliability

What `igtcloud` does when something goes wrong on the way. Written by `scripts/reliability` from the results of the tests in
`tests/fault/`, each of which orders the fault from the sandbox (`docs/sandbox.md`, "Faults"), and compares the result
and the sandbox's log of requests with what it expects. `make check` runs all of them under ASan and UBSan, `make check-all` on the plain build, too.
Which failure is repeated, and how: `docs/internals/http.md`. The last table lists cases from attacks and other programs'
bug reports (`tests/cases.py`), and the tests for each.
"""


def promise(area, fault, result):
    """Of a test: the area, what goes wrong, what comes of it."""
    assert area in AREAS

    def mark(function):
        function.promise = (area, fault, result)
        return function
    return mark


def promises():
    """(module, function): promise, of all tests of this folder, in their order."""
    found = {}
    for path in sorted(pathlib.Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, value in vars(module).items():
            if name.startswith("test_") and getattr(value, "__module__", "") == path.stem and \
                    hasattr(value, "promise"):
                found[path.stem, name] = value.promise
    return found


def page(results, of_cases):
    """The page. results: (module, function): True when all of its parameters passed; of_cases: the
    same for the tests of cases, by (path, function)."""
    text = HEAD
    for area in AREAS:
        rows = [(key, p) for key, p in promises().items() if p[0] == area]
        if not rows:
            continue
        text += f"\n## {area}\n\n| what goes wrong | what comes of it | holds | test |\n|---|---|---|---|\n"
        for (module, name), (_, fault, result) in rows:
            holds = "yes" if results.get((module, name)) else "**NO**"
            text += f"| {fault} | {result} | {holds} | `{module}.py` `{re.sub('^test_', '', name)}` |\n"
    return text + cases.table(of_cases)
