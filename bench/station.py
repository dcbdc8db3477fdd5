#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an upload station costs while many studies wait: memory, and CPU time when idle.

    bench/station.py [--studies 10000] [--files 3] [--seconds 60]

Studies wait because the cloud is away (the sandbox is stopped once the station has signed in), which
is when most of them do. The station is idle once all are ready: then only its timers run, among them
attempts to reach the cloud, and the folders are looked at each --rescan (10 minutes)."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "integration"))
from igtcloud import environment, program  # noqa: E402
from sandbox import Sandbox  # noqa: E402
from uploads import epd, institute, seed  # noqa: E402


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return {name: int(values[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS", "RssAnon")}


def make(folder, studies, files):
    for n in range(studies):
        study = folder / "lab" / f"P{n:05}---Angio"
        study.mkdir(parents=True)
        for i in range(files):
            (study / f"image{i}.dcm").write_bytes(b"x")


def wait_for(process, log, what):
    while not what():
        assert process.poll() is None, log.read_text()
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--studies", type=int, default=10000)
    parser.add_argument("--files", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "seed.json").write_text(json.dumps(
            seed(epd(institute("lab"), name="p"), services=[{"id": "station@p"}])))
        (folder / "out").mkdir()
        (folder / "home").mkdir()
        log, status = folder / "log", folder / "status.json"
        with Sandbox(seed=folder / "seed.json") as cloud, open(log, "wb") as out:
            process = subprocess.Popen(
                [program(), "station", folder / "out", "p", "--domain", cloud.url, "--service-file",
                 cloud.data / "station@p.pem", "--settle", "5s", "--status-file", status],
                stdout=out, stderr=out, env=environment(folder / "home"))
            wait_for(process, log, lambda: "watching" in log.read_text())
            cloud.kill()
            began = time.monotonic()
            make(folder / "out", options.studies, options.files)
            wait_for(process, log, lambda: status.exists() and
                     json.loads(status.read_text())["ready"] == options.studies)
            print(f"{options.studies} studies of {options.files} files are ready after "
                  f"{time.monotonic() - began:.1f} s, {cpu_seconds(process.pid):.2f} s of CPU")
            before = cpu_seconds(process.pid)
            time.sleep(options.seconds)
            used = cpu_seconds(process.pid) - before
            numbers = ", ".join(f"{n} {v:.1f} MiB" for n, v in memory(process.pid).items())
            print(f"idle: {used:.2f} s of CPU in {options.seconds} s, {100 * used / options.seconds:.3f} %"
                  f" of a core")
            print(numbers)
            process.terminate()
            process.wait(30)


main()
