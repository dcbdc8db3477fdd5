# SPDX-License-Identifier: MIT
"""What each test of this folder promises. scripts/reliability writes docs/reliability.md from these
promises and the results; test_reliability_page.py checks that the page is current."""

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

What `igtcloud` does when something fails. `scripts/reliability` writes this page from the results of the tests in
`tests/fault/`: each makes the sandbox inject a fault (`docs/sandbox.md`, "Faults"), then checks the result and the sandbox's
request log. `make check` runs them under ASan and UBSan; `make check-all` runs them on the plain build as well.
`docs/internals/http.md` says which failures are retried, and how. The last table lists cases from attacks and from bug reports
of comparable programs (`tests/cases.py`) with their tests.
"""


def promise(area, fault, result):
    """Marks a test with its row of the page: the area, the fault, and the result."""
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
        text += f"\n## {area}\n\n| fault | result | passed | test |\n|---|---|---|---|\n"
        for (module, name), (_, fault, result) in rows:
            holds = "yes" if results.get((module, name)) else "**NO**"
            text += f"| {fault} | {result} | {holds} | `{module}.py` `{re.sub('^test_', '', name)}` |\n"
    return text + cases.table(of_cases)
