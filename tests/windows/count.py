# SPDX-License-Identifier: MIT
"""Prints what scripts/check-windows ran, what it left out and why, and the share that passed: count.py REPORT...

The share is of all tests of tests/integration that make sense on Windows: those that passed, failed, were skipped
or did not run, and those that the table `skips` leaves out because wine cannot show them (wine) or because of a
known fault (fault). Not counted are those of the kind `no` in that table, and the tests of `make check-long`. REPORT
is a file of pytest's --junitxml; of a test in several, the last one counts."""
import collections
import fnmatch
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ET

import wine

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONG = "with IGTCLOUD_LONG"


def outcomes(reports):
    """{test: (kind, why it was skipped)}"""
    found = {}
    for report in reports:
        for case in ET.parse(report).getroot().iter("testcase"):
            if not case.get("classname"):  # the run was interrupted
                continue
            bad = case.find("failure") is not None or case.find("error") is not None
            skipped = case.find("skipped")
            why = skipped.get("message") if skipped is not None else ""
            kind = "failed" if bad else "passed" if skipped is None else "long" if why == LONG else "skipped"
            found[f"{case.get('classname').rsplit('.', 1)[-1]}::{case.get('name')}"] = kind, why
    return found


def all_tests(mark=""):
    """Each test of tests/integration that has the mark, without the plugin that leaves some out."""
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    env["WINDOWS_DRIVE"] = "Z:"  # parameters differ there: ENDING
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-m", mark,
                           ROOT / "tests/integration"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return [pathlib.PurePath(file).stem + "::" + test for file, colons, test in
            (line.partition("::") for line in done.stdout.splitlines()) if colons and file.endswith(".py")]


def main():
    ran, left_out, rows = outcomes(sys.argv[1:]), {}, list(wine.skips())
    names = set(all_tests())
    for kind, pattern, reason in rows:
        found = all_tests(pattern[1:]) if pattern.startswith("@") else fnmatch.filter(names, pattern)
        for name in found:
            left_out.setdefault(name, (kind, reason))
    total, whole, reasons = collections.Counter(), {}, collections.Counter()
    for file in sorted({name.split("::")[0] for name in names}):
        results = [left_out.get(name) or ran.get(name, ("not run", "")) for name in names
                   if name.split("::")[0] == file]
        count = collections.Counter(kind for kind, _ in results)
        total += count
        reasons.update((kind, why) for kind, why in results if kind == "skipped")
        if len(set(results)) == 1 and results[0][0] in wine.KINDS:
            whole[file] = f"{file}: {len(results)} tests ({results[0][0]}): {results[0][1]}"
        else:
            print(f"{file:24} " + ", ".join(f"{n} {kind}" for kind, n in sorted(count.items())))
    print("files that are left out:", *whole.values(), sep="\n  ")
    print("tests that are left out:", *(f"{pattern} ({kind}): {reason}" for kind, pattern, reason in rows
                                        if pattern.split("::")[0] not in whole), sep="\n  ")
    print("tests that were skipped:", *(f"{n}: {why}" for (_, why), n in sorted(reasons.items())), sep="\n  ")
    sensible = sum(total.values()) - total["no"] - total["long"]
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped, {total['not run']} not run, "
          f"of {sensible} that make sense on Windows ({100 * total['passed'] / max(sensible, 1):.1f} %); "
          f"left out: {total['no']} that make none, {total['wine']} that wine cannot show, "
          f"{total['fault']} with known faults")


main()
