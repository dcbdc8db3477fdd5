# SPDX-License-Identifier: MIT
"""How a transfer reports its progress: on a narrow terminal, in a log, and on a signal."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

from bad_link import BadLink
from igtcloud import DONE, USAGE, Program, environment, on_windows, program
from sandbox import seeded
from terminal import Terminal
from uploads import epd, igt, institute, put, seed

SEED = seed(
    epd(institute("lab", *[{"name": f"case-{n:03}", "files": [{"path": "a.bin", "size": 20000}]}
                           for n in range(150)]), name="many"),
    epd(institute("lab", {"name": "case", "files": [{"path": "a.bin", "size": 3000000}]}),
        name="one"),
    igt(institute("lab"), institute("lob"), name="two"))


def start(igtcloud, *arguments, **options):
    """Without --no-progress."""
    command = [c for c in igtcloud.command(*arguments) if c != "--no-progress"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment(igtcloud.home), **options)
    process.stdin.write(b"demo\n")
    process.stdin.close()
    process.stdin = None
    return process


def read_until(stream, text):
    """The lines up to the one with this text."""
    lines = []
    while not lines or not re.search(text, lines[-1]):
        line = stream.readline().decode()
        assert line, lines
        lines.append(line)
    return lines


def test_the_total_is_known_while_the_first_studies_move(igtcloud, out):
    """150 studies, of which at most 64 are in progress."""
    process = start(igtcloud, "download", out, "many", "--bwlimit", "400k", "--stats", "1s")
    line = read_until(process.stderr, r"/150 studies.* of ~2\.\d MiB, .*, 0:\d\d left")[-1]
    assert int(re.search(r"(\d+)/150", line)[1]) < 75, line
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("structure", ["flat", "hierarchical"])
def test_the_total_of_an_upload_is_known_from_the_first_study_on(igtcloud, here, structure):
    """In two institutes, of which the first is begun."""
    names = [f"F{n}---{s}" if structure == "flat" else f"H{n}/{s}" for n in range(40) for s in "AB"]
    put(here, {f"{lab}/{name}/a.bin": 20000 * "x" for lab in ("lab", "lob") for name in names})
    process = start(igtcloud, "upload", here, "two", "--bwlimit", "500k", "--stats", "1s",
                    "--folder-structure", structure)
    left = r"[\d:-]+" if on_windows() else r"\d:\d\d"  # wine takes its time, and a busy machine has no rate at first
    line = read_until(process.stderr, rf"studies,.* of ~(2\.9|3\.\d) MiB, .*, {left} left")[-1]
    done, total = map(int, re.search(r" (\d+)/(\d+)\+? studies", line).groups())
    assert done < 80 and (total == 160 if structure == "flat" else 150 <= total <= 170), line
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_the_total_of_a_comparison_is_known_from_the_first_study_on(tmp_path, home, here):
    put(here, {f"{lab}/case-{n}/a.bin": "x" for lab in ("lab", "lob") for n in range(40)})
    cases = [{"name": f"case-{n}", "files": [{"path": "a.bin", "text": "x"}]} for n in range(41)]
    with seeded(tmp_path, seed(epd(institute("lab", *cases), institute("lob", *cases), name="two"))) as cloud:
        igtcloud = Program(cloud.url, home)
        cloud.faults({"fault": "silence", "path": "/igtcloud/**/a.bin", "seconds": 1, "times": 0})
        process = start(igtcloud, "verify", here, "two", "--json", "--stats", "1s",
                        "--concurrent-studies", "4")
        found = json.loads(read_until(process.stderr, '"studies":81')[-1])["progress"]
        assert found["studiesDone"] < 41 and found["studies"] == 81, found  # of lob, the folders
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("stats, wanted", [("1s", True), ("0", False), (None, False)])
def test_lines_in_a_log(igtcloud, out, stats, wanted):
    process = start(igtcloud, "download", out, "one", "--bwlimit", "1500k",
                    *(["--stats", stats] if stats else []))
    err = process.communicate(timeout=60)[1].decode()
    assert process.returncode == DONE, err
    found = re.findall(r"^igtcloud: downloaded \d/1 studies, \d/1 files, [\d.]+ \w+ of 2\.9 MiB, "
                       r"[\d.]+ \w+/s, [\d:-]+ left$", err, re.M)
    assert bool(found) == wanted and "\x1b" not in err, err


def test_quiet_runs_say_nothing_unless_asked(igtcloud, out):
    process = start(igtcloud, "download", out, "one", "--bwlimit", "1500k", "--stats", "1s", "-q")
    assert process.communicate(timeout=60)[1] == b""


@pytest.mark.parametrize("more", [[], ["--json"], ["--quiet"]])
def test_asked_by_a_signal(igtcloud, cloud, out, more):
    process = start(igtcloud, "download", out, "one", "--bwlimit", "700k", *more)
    cloud.wait_for(lambda: list(out.rglob(".*igtpart")))
    process.send_signal(signal.SIGUSR1)
    line = read_until(process.stderr, "downloaded|progress")[-1]
    if more == ["--json"]:
        shown = json.loads(line)["progress"]
        assert shown["studies"] == 1 and shown["bytes"] == shown["bytesExpected"] == 3000000
        assert shown["studiesKnown"] is True and shown["secondsLeft"] is None or shown["secondsLeft"] >= 0
    else:
        assert line.startswith("igtcloud: downloaded 0/1 studies, 0/1 files, ")
    process.communicate(timeout=60)
    assert process.returncode == DONE


def test_the_signal_ends_no_command(igtcloud, cloud):
    cloud.clear()
    cloud.faults({"fault": "silence", "path": "/api/data/projects", "seconds": 1, "times": 1})
    process = start(igtcloud, "ls")
    cloud.wait_for(lambda: cloud.requests(path="/api/data/projects"))
    process.send_signal(signal.SIGUSR1)
    out, err = process.communicate(timeout=60)
    assert process.returncode == DONE and b"many" in out, err


def test_stats_are_a_duration(igtcloud, out):
    assert "--stats" in igtcloud.run("download", out, "one", "--stats", "often", status=USAGE).err


@pytest.mark.parametrize("columns", [100, 60, 20])
def test_a_narrow_terminal_has_what_matters(cloud, home, out, columns):
    terminal = Terminal([program(), "download", "--domain", cloud.url, "--user", "demo@example.com",
                         "--bwlimit", "1M", str(out), "many"],
                        environment(home, TERM="xterm"), columns=columns)
    terminal.wait_for(b"password: ")
    terminal.write(b"demo\n")
    assert terminal.end(60) == 0
    lines = re.findall(r"(?:^|\n)([^\r\n\x1b]*left[^\r\n\x1b]*)(?:\x1b\[K|\r\n)", terminal.text.decode())
    assert lines and all(len(line) < columns for line in lines)
    assert any("/150 studies" in line for line in lines) == (columns >= 60)
    assert all("left" in line for line in lines)


def test_bytes_of_an_upload_are_those_that_got_through(tmp_path, home, here):
    """On a slow link: what waits in the socket's buffer has not moved."""
    (here / "lab" / "case").mkdir(parents=True)
    (here / "lab" / "case" / "large.bin").write_bytes(os.urandom(4000000))
    with BadLink(up=400e3) as link, \
            seeded(tmp_path, seed(epd(institute("lab"))), extra=["--public-url", link.url]) as cloud:
        link.target = cloud.port
        # Else its end of a connection acknowledges megabytes before they pass.
        link.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        process = start(Program(cloud.url, home), "upload", "--json", "--stats", "1s", here, "up")
        for _ in range(3):
            shown = json.loads(read_until(process.stderr, "progress")[-1])["progress"]
            # The link has acknowledged some 80 KB that have not passed; the sender's buffer has 256 KB more.
            assert shown["bytesDone"] <= link.passed_up + 150000
        assert shown["bytesDone"] > 0
        process.kill()
        process.communicate()
