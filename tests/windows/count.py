# SPDX-License-Identifier: MIT
"""Prints what scripts/check-windows ran, what it left out and why, and the share that passed: count.py REPORT...

The share is of all tests that make sense on Windows, in the files that ran: those that passed, failed, were
skipped, or were left out because wine cannot show them (wine) or because of a known fault (fault). Only those
of the kind `no` in the table `skips` are not counted. REPORT is a file of pytest's --junitxml; of a test in
several, the last one counts."""
import collections
import fnmatch
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ET

import wine

ROOT = pathlib.Path(__file__).resolve().parents[2]


def outcomes(reports):
    found = {}
    for report in reports:
        for case in ET.parse(report).getroot().iter("testcase"):
            bad = case.find("failure") is not None or case.find("error") is not None
            result = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
            found[f"{case.get('classname').rsplit('.', 1)[-1]}::{case.get('name')}"] = result
    return found


def all_tests(files):
    """Each test of these files, without the plugin that leaves some out."""
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    paths = [ROOT / f"tests/integration/{file}.py" for file in sorted(files)]
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider",
                           *map(str, paths)], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return [pathlib.PurePath(file).stem + "::" + test for file, mark, test in
            (line.partition("::") for line in done.stdout.splitlines()) if mark and file.endswith(".py")]


def main():
    ran = outcomes(sys.argv[1:])
    files = {name.split("::")[0] for name in ran}
    names = set(all_tests(files)) | set(ran)
    left_out = {}
    for kind, pattern, reason in wine.skips():
        for name in names:
            if name not in ran and fnmatch.fnmatchcase(name, pattern):
                left_out.setdefault(name, (kind, reason))
    total = collections.Counter()
    for file in sorted(files):
        here = [name for name in names if name.split("::")[0] == file]
        count = collections.Counter(ran.get(name) or left_out.get(name, ("not run",))[0] for name in here)
        total += count
        print(f"{file:24} " + ", ".join(f"{n} {kind}" for kind, n in sorted(count.items())))
    for kind, pattern, reason in wine.skips():
        if pattern.split("::")[0] in files:
            print(f"left out ({kind}): {pattern}: {reason}")
    sensible = sum(total.values()) - total["no"]
    print(f"{total['passed']} passed, {total['failed']} failed, of {sensible} that make sense on Windows "
          f"({100 * total['passed'] / max(sensible, 1):.1f} %); left out: {total['no']} that make none, "
          f"{total['wine']} that wine cannot show, {total['fault']} with known faults")


main()
