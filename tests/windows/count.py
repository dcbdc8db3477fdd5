# SPDX-License-Identifier: MIT
"""Prints what scripts/check-windows ran, and what it left out for which reason: count.py REPORT"""
import collections
import sys
import xml.etree.ElementTree as ET

import wine


def main():
    cases = list(ET.parse(sys.argv[1]).getroot().iter("testcase"))
    files = {case.get("classname").rsplit(".", 1)[-1] for case in cases}
    counts = collections.defaultdict(collections.Counter)
    for case in cases:
        name = case.get("classname").rsplit(".", 1)[-1]
        bad = case.find("failure") is not None or case.find("error") is not None
        counts[name]["failed" if bad else "skipped" if case.find("skipped") is not None else "passed"] += 1
    for name, count in sorted(counts.items()):
        print(f"{name:24} {count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    for pattern, reason in wine.lines():
        if pattern.split("::")[0] in files:
            print(f"left out: {pattern}: {reason}")
    total = sum(counts.values(), collections.Counter())
    print(f"{total['passed']} passed, {total['failed']} failed")


main()
