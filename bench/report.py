# SPDX-License-Identifier: MIT
"""Medians and ratios as Markdown. What stands in a file between runs of some cases is kept."""

import datetime
import os
import platform
import re
import statistics

import targets
import cases
import terminator


def median(runs, field):
    return statistics.median(getattr(r, field) for r in runs)


def cell(value, unit=""):
    return f"{value:.{4 if value < 0.1 else 3 if value < 1 else 2}f}{unit}"


def latency_notes(case, own):
    """A file costs one round trip to S3 where it counts, so connections ÷ latency files a second are
    the most. Connections: what lib/transfer/engine/pace.c had come to, on average from the first request
    to the last."""
    wall, files = median(own, "wall"), case.count
    flying = files * case.latency / 1000
    notes = [f"{flying / wall:.1f} files in flight on average of the whole run: {files} × "
             f"{case.latency} ms ÷ {wall:.2f} s."]
    paced = sorted((r for r in own if r.pace), key=lambda r: r.wall)
    if paced:
        average, seconds, end = paced[len(paced) // 2].pace
        most = average * seconds / (case.latency / 1000)
        notes.append(f"{average:.1f} connections on average, {end} at the end. In the {seconds:.2f} s from "
                     f"the first request to S3 to the last, what the connections allow (connections "
                     f"÷ ({case.latency} ms × 1 round trip a file)) is {most:,.0f} files: "
                     f"{100 * files / most:.0f} % was reached (target: 85 %).")
    return notes


def link_notes(case, own):
    if case.kill:
        return [f"igtcloud: {own[0].runs} runs (target: at most {case.most:g})."]
    times = median(own, "wall") / case.shortest
    bound_text = f" (target: at most {case.most:g})" if case.most else ""
    return [f"igtcloud: {times:.2f} × size ÷ rate, which is {case.shortest:.0f} s{bound_text}."]


class Result:
    def __init__(self, case, runs, counts, failed):
        self.case, self.runs, self.counts, self.failed = case, runs, counts, failed

    @property
    def broken(self):
        """igtcloud itself did not get through."""
        return "igtcloud" in self.failed or not any(n.startswith("igtcloud") for n in self.runs)

    def _row(self, name, own):
        runs = self.runs[name]
        wall, cpu = median(runs, "wall"), median(runs, "cpu")
        spread = f"{cell(min(r.wall for r in runs))}–{cell(max(r.wall for r in runs))}"
        row = [name, cell(wall), spread, f"{wall / own[0]:.2f}" if own[0] else "", cell(cpu),
               f"{cpu / own[1]:.2f}" if own[1] else "", f"{median(runs, 'memory'):.1f}",
               f"{self.counts.get(name, ''):,}" if self.counts.get(name) else "",
               cell(median(runs, "server"))]
        return "| " + " | ".join(row) + " |"

    def _notes(self):
        case, notes = self.case, []
        own = self.runs.get("igtcloud")
        if own and case.latency and case.kind in ("down", "up"):
            notes += latency_notes(case, own)
        if own and case.kind == "csv-files":
            bound = targets.csv_files_bound(case)
            notes.append(f"The bound is {bound:.2f} s: {case.studies} studies × {case.latency} ms ÷ "
                         f"{targets.CSV_CONNECTIONS} connections; igtcloud took "
                         f"{median(own, 'wall') / bound:.2f} × of it (target: 1.3).")
        curl = self.runs.get("curl")
        if own and curl and case.kind == "csv":
            bound = 1.5 * median(curl, "wall") + 1
            notes.append(f"The bound is 1.5 × curl + 1 s = {bound:.2f} s; igtcloud took "
                         f"{median(own, 'wall') / bound:.2f} × of it.")
        if case.calls:
            notes += [f"{name}: {1000 * median(runs, 'cpu') / case.calls:.2f} ms of CPU time for a request, with its "
                      "share of starting Python and signing in." for name, runs in self.runs.items()]
        if case.tls:
            notes.append(f"{terminator.version()} with two workers in front of the sandbox, HTTP/2 for the "
                         "REST API and HTTP/1.1 for S3; its processor seconds are the server's.")
        if own and case.link:
            notes += link_notes(case, own)
        if own and case.big and case.studies:
            notes.append("igtcloud: the last file of the other studies was there after "
                         f"{cell(median(own, 'others'))} s.")
        if own and case.bytes and case.kind in ("down", "up"):
            notes.append(f"igtcloud: {case.bytes / median(own, 'wall') / 1e6:,.0f} MB/s, "
                         f"{case.count / median(own, 'wall'):,.0f} files/s.")
        notes += [f"{name} is left out: {why.splitlines()[0][:200]}"
                  for name, why in self.failed.items()]
        return notes

    def _rounds(self):
        count = max(map(len, self.runs.values()), default=0)
        return "1 round" if count == 1 else f"{count} rounds"

    def table(self):
        head = ["", "wall s", "from–to", "ratio", "cpu s", "ratio", "peak MiB", "requests",
                "server cpu s"]
        own = next((self.runs[n] for n in self.runs if n.startswith("igtcloud")), None)
        base = (median(own, "wall"), median(own, "cpu")) if own else (0, 0)
        order = sorted(self.runs, key=lambda n: (not n.startswith("igtcloud"),
                                                 median(self.runs[n], "wall")))
        lines = [f"## {self.case.name}", "",
                 f"{self.case.what}; {self._rounds()}, {datetime.date.today()}.", "",
                 "| " + " | ".join(head) + " |", "|" + "---|" + "--:|" * (len(head) - 1)]
        lines += [self._row(name, base) for name in order]
        notes = self._notes()
        return "\n".join(lines + ([""] + [f"- {n}" for n in notes] if notes else [])) + "\n"


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (f"{os.cpu_count()} × {model}, {pages / 2**30:.0f} GiB, Linux {platform.release()}; "
            f"client and server share the processors, load average {os.getloadavg()[0]:.0f} at the end")


def sections(text):
    """What a file has: name to section."""
    found = {}
    for part in re.split(r"(?m)^(?=## )", text):
        if part.startswith("## "):
            found[part[3:part.index("\n")].strip()] = part.rstrip() + "\n"
    return found


def tool_rows(text):
    """What a file has: name to row of the table of tools."""
    table = re.search(r"(?m)^\| tool \|.*\n\|---.*\n((?:\|.*\n)*)", text)
    return {row.split("|")[1].strip(): row for row in table[1].splitlines()} if table else {}


def write(path, results, selected, versions):
    before = path.read_text() if path.exists() else ""
    old, known, rows = sections(before), dict(versions), tool_rows(before)
    old.update({r.case.name: r.table() for r in results})
    rows.update({t.name: f"| {t.name} | {known.get(t.name, '')} | {t.settings} |" for t in selected})
    order = [c.name for c in cases.ALL if c.name in old]
    lines = ["# Results", "", f"Made by `bench/run`, last on {datetime.date.today()}: {machine()}.",
             "Each case has the date of its run. Ratios are relative to igtcloud in the same run; above 1 is slower,",
             "or costs more. How it is measured: [README.md](README.md).", "",
             "| tool | version | settings |", "|---|---|---|", *rows.values()]
    summary = targets.table({n: old[n] for n in order})
    path.write_text("\n".join(lines) + "\n\n" + "\n".join([*([summary] if summary else []),
                                                          *(old[n] for n in order)]))
