# SPDX-License-Identifier: MIT
"""Compares the performance targets with the results. The results are read from the tables, so that
sections of an earlier run are included."""

import re

import cases

FLOOR = ("curl", "cp", "static")   # what a user would not take, and igtcloud itself
STATIC = 1.05            # CPU of the program in one file, times the dynamic one's
CSV_CONNECTIONS = 16     # lib/api/client.c: FIRST_CONNECTIONS
CONSTANT = 12            # sign-in, project, institutes, studies, credentials of an again run
MEMORY_MIB = 64
FLAT = 1.1               # memory of one run and the next differs by so much


class Section:
    """A case's table: tool to its figures; and the notes."""

    def __init__(self, text):
        self.text, self.tools = text, {}
        for line in text.splitlines():
            cells = [c.strip().replace(",", "") for c in line.strip("|").split("|")]
            if line.startswith("| ") and len(cells) == 9 and cells[0]:
                self.tools[cells[0]] = {"wall": float(cells[1]), "cpu": float(cells[4]),
                                        "memory": float(cells[6]), "requests": int(cells[7] or 0)}

    @property
    def own(self):
        return self.tools.get("igtcloud")

    def others(self):
        return {n: t for n, t in self.tools.items() if n != "igtcloud" and n not in FLOOR}

    def noted(self, pattern):
        found = re.search(pattern, self.text)
        return float(found[1]) if found else None


def _row(name, target, measured, reached):
    """reached None: there is nothing to go by."""
    return f"| {name} | {target} | {measured} | {'?' if reached is None else 'yes' if reached else 'no'} |"


def _faster(case, s):
    if not s.own:
        return
    others = s.others()
    if not others:
        yield _row(case, "faster than the others, less CPU", "no other tool was run", None)
        return
    wall = min(others, key=lambda n: others[n]["wall"])
    cpu = min(others, key=lambda n: others[n]["cpu"])
    yield _row(case, "faster than every other tool",
               f"{s.own['wall']:.2f} s; {wall} {others[wall]['wall']:.2f} s",
               s.own["wall"] < others[wall]["wall"])
    yield _row(case, "CPU seconds below all others'",
               f"{s.own['cpu']:.2f} s; {cpu} {others[cpu]['cpu']:.2f} s",
               s.own["cpu"] < others[cpu]["cpu"])


def _static(case, tools):
    """tools: of two builds of igtcloud in the same run."""
    for name, own in tools.items():
        word = re.sub("^igtcloud", "static", name)
        if name.startswith("igtcloud") and word in tools:
            ratio = tools[word]["cpu"] / own["cpu"]
            yield _row(f"{case}: {word}", f"at most {STATIC} × the CPU seconds of {name}", f"{ratio:.2f} ×",
                       ratio <= STATIC)


def _times(case, s, tool, times):
    """igtcloud is so many times as fast."""
    if s.own and tool in s.tools:
        ratio = s.tools[tool]["wall"] / s.own["wall"]
        yield _row(case, f"at least {times} × as fast as {tool}", f"{ratio:.1f} ×", ratio >= times)
    elif s.own:
        yield _row(case, f"at least {times} × as fast as {tool}", f"{tool} was not run", None)


def _large_down(case, s):
    yield from _faster(case, s)
    if s.own and "curl" in s.tools:
        ratio = s.own["wall"] / s.tools["curl"]["wall"]
        yield _row(case, "within 1.25 × parallel curl", f"{ratio:.2f} ×", ratio <= 1.25)


def _small_down(case, s):
    yield from _faster(case, s)
    for tool, times in (("rclone", 3), ("aws", 10), ("reference", 10)):
        yield from _times(case, s, tool, times)


def _small_up(case, s):
    yield from _faster(case, s)
    yield from _times(case, s, "reference", 10)


def _latency(case, s):
    if not s.own:
        return
    reached = s.noted(r"files: ([0-9.]+) % was reached")
    yield _row(case, "85 % of what the connections allow",
               "not noted" if reached is None else f"{reached:.0f} %",
               None if reached is None else reached >= 85)
    yield from _times(case, s, "reference", 10)


def _again(case, s):
    if not s.own:
        return
    known = next(c for c in cases.ALL if c.name == case)
    yield _row(case, "under 1 s", f"{s.own['wall']:.2f} s", s.own["wall"] < 1)
    extra = s.own["requests"] - known.studies
    yield _row(case, "requests: the number of studies and a constant",
               f"{s.own['requests']:,} = {known.studies} + {extra}", 0 <= extra <= CONSTANT)


def _one_study_slow(case, s):
    others = s.noted(r"other studies was there after ([0-9.]+) s")
    if s.own and others is not None:
        yield _row(case, "the others are not held up",
                   f"their last file after {others:.2f} s of {s.own['wall']:.2f} s",
                   others < s.own["wall"] / 2)


def _csv(case, s):
    if not s.own:
        return
    if "curl" in s.tools:
        bound = 1.5 * s.tools["curl"]["wall"] + 1
        yield _row(case, "within 1.5 × curl + 1 s", f"{s.own['wall']:.2f} s of {bound:.2f} s",
                   s.own["wall"] <= bound)
    yield _row(case, "under 32 MiB", f"{s.own['memory']:.0f} MiB", s.own["memory"] < 32)


def csv_files_bound(case):
    return case.studies * case.latency / 1000 / CSV_CONNECTIONS


def _csv_files(case, s):
    if s.own:
        bound = csv_files_bound(next(c for c in cases.ALL if c.name == case))
        ratio = s.own["wall"] / bound
        yield _row(case, f"within 1.3 × {bound:.2f} s", f"{s.own['wall']:.2f} s, {ratio:.2f} ×",
                   ratio <= 1.3)


def _bad_link(case, s):
    known = next(c for c in cases.ALL if c.name == case)
    runs, times = s.noted(r"igtcloud: (\d+) runs"), s.noted(r"igtcloud: ([0-9.]+) × size")
    if not s.own:
        yield _row(case, "gets there", "no", False)
    elif known.kill and runs:
        yield _row(case, f"at most {known.most:g} runs", f"{runs:.0f}", runs <= known.most)
    elif known.most and times:
        yield _row(case, f"at most {known.most:g} × size ÷ rate", f"{times:.2f} ×", times <= known.most)
    else:
        yield _row(case, "gets there", f"{s.own['wall']:.0f} s", True)


def _start(case, s):
    for name in ("igtcloud version", "igtcloud help"):
        if name in s.tools:
            wall = s.tools[name]["wall"]
            yield _row(f"{case}: {name}", "under 5 ms", f"{wall * 1000:.1f} ms", wall < 0.005)
    if "static version" in s.tools:
        cpu = s.tools["static version"]["cpu"]
        yield _row(f"{case}: static version", "under 1 ms of CPU time", f"{cpu * 1000:.2f} ms", cpu < 0.001)


def _package(s):
    return s.tools.get("igtcloud.client")


def _python_list(case, s):
    own = _package(s)
    if own:
        yield _row(case, "under 1 s of CPU", f"{own['cpu']:.2f} s", own["cpu"] < 1)
        yield _row(case, "under 120 MB", f"{own['memory'] * 1.048576:.0f} MB", own["memory"] * 1.048576 < 120)


def _python_down(case, s):
    if not _package(s):
        return
    if "reference" not in s.tools:
        yield _row(case, "at least 10 × as fast as reference", "reference was not run", None)
        return
    ratio = s.tools["reference"]["wall"] / _package(s)["wall"]
    yield _row(case, "at least 10 × as fast as reference", f"{ratio:.1f} ×", ratio >= 10)


def _python_read(case, s):
    if _package(s) and "igtcloud cat" in s.tools:
        ratio = _package(s)["wall"] / s.tools["igtcloud cat"]["wall"]
        yield _row(case, "within 1.2 × igtcloud cat", f"{ratio:.2f} ×", ratio <= 1.2)


def _python_calls(case, s):
    took = s.noted(r"igtcloud\.client: ([0-9.]+) ms of CPU time")
    if took is not None:
        yield _row(case, "under 0.3 ms of CPU a request", f"{took:.2f} ms", took < 0.3)


ROWS = {"python-list": _python_list, "python-down": _python_down, "python-read": _python_read,
        "python-calls": _python_calls, "large-down": _large_down, "large-up": _faster, "slices-down": _faster,
        "slices-up": _faster, "small-down": _small_down, "small-up": _small_up, "latency-down": _latency,
        "latency-up": _latency, "again-down": _again, "again-up": _again, "again-slices-down": _again,
        "again-slices-up": _again,
        "one-study-slow": _one_study_slow, "csv": _csv, "csv-files": _csv_files, "start": _start,
        "tls-down-large": _faster, "tls-down-small": _faster, "tls-up-large": _faster,
        "tls-up-small": _faster,
        **{case.name: _bad_link for case in cases.ALL if case.link}}


def _memory(read):
    peaks = {name: s.own["memory"] for name, s in read.items() if s.own}
    if peaks:
        most = max(peaks, key=peaks.get)
        yield _row("memory", f"under {MEMORY_MIB} MiB in every case",
                   f"at most {peaks[most]:.0f} MiB ({most}; {len(peaks)} of "
                   f"{len(cases.ALL)} cases)", peaks[most] < MEMORY_MIB)
    for large in ("plan", "plan-studies"):
        if large in peaks and "plan-10k" in peaks:
            yield _row(f"memory: {large}", "1,000,000 files as 10,000",
                       f"{peaks[large]:.1f} MiB, {peaks['plan-10k']:.1f} MiB",
                       peaks[large] <= FLAT * peaks["plan-10k"])


def table(sections):
    """sections: name of a case to the text of its section."""
    read = {name: Section(text) for name, text in sections.items()}
    rows = [row for case in cases.ALL if case.name in read and case.name in ROWS
            for row in [*ROWS[case.name](case.name, read[case.name]), *_static(case.name, read[case.name].tools)]]
    rows += _memory(read)
    if not rows:
        return ""
    return "\n".join(["## Targets", "",
                      "The targets, and the numbers from the tables below, whichever run they are from.", "",
                      "| case | target | measured | reached |", "|---|---|---|---|", *rows]) + "\n"
