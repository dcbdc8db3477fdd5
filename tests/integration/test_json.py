# SPDX-License-Identifier: MIT
"""docs/json.md against what the commands print: every field, its type, and nothing else."""

import json
import re
import signal
import subprocess

import pytest

from igtcloud import NOT_FOUND, SOME_FAILED, environment, program
from sandbox import ROOT
from uploads import PART, epd, institute, seed

STUDY = {"class": "Study", "patient": {"patientId": "P1"}}
SEED = seed(
    {"name": "trial", "institutes": [
        institute("north", {**STUDY, "studyId": "CT", "files": [
            {"path": "a.txt", "text": "a"}, {"path": "later.txt", "text": "x", "completed": False}]}),
        institute("south")]},
    epd(institute("lab", {"name": "case", "files": [{"path": "a.bin", "size": 2000000}]}), name="one"))

TYPES = {"text": str, "number": (int, float), "boolean": bool, "object": dict, "list": list, "time": str}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def page():
    """{section: [table, ...]}; a table is {field: (type, always)}."""
    sections, tables = {}, None
    for line in (ROOT / "docs" / "json.md").read_text("utf-8").splitlines():
        if line.startswith("#"):
            tables = sections.setdefault(line.lstrip("# "), [])
        elif line.startswith("| field |"):
            tables.append({})
        elif field := re.match(r"\| `(\w+)` \| (\w+)(\??) \|", line):
            tables[-1][field[1]] = (field[2], not field[3])
    return sections


def table(section, n=0):
    found, = [tables for title, tables in page().items() if title.startswith(section)]
    return found[n]


def compare(documented, lines, also=(), rare=()):
    """rare: need not occur here."""
    assert lines
    for line in lines:
        unknown = set(line) - set(documented) - set(also)
        assert not unknown, f"docs/json.md lacks {unknown} of {line}"
        for field, (kind, always) in documented.items():
            if field not in line or line[field] is None:
                assert not always, f"{field} is missing in {line}"
                continue
            assert isinstance(line[field], TYPES[kind]), (field, line)
            assert (kind == "number") <= (not isinstance(line[field], bool)), (field, line)
            assert kind != "time" or TIME.fullmatch(line[field]), (field, line)
    seen = {field for line in lines for field in line}
    assert set(documented) - seen <= set(rare), f"never printed: {set(documented) - seen - set(rare)}"


def test_files_and_studies(igtcloud, cloud, here, out):
    lines = igtcloud.run("download", out, "trial", "--json").lines
    lines += igtcloud.run("download", out, "trial", "--json").lines
    (out / "north" / "P1---CT" / "a.txt").write_text("b")
    lines += igtcloud.run("verify", out, "trial", "--json", status=SOME_FAILED).lines
    cloud.faults({"fault": "internal-error", "method": "GET", "path": "/igtcloud/**/a.bin", "times": 0})
    lines += igtcloud.run("download", here, "one", "--json", "--retries", "0", status=SOME_FAILED).lines
    summaries = [line for line in lines if line["kind"] == "summary"]
    compare(table("Files and studies"), [line for line in lines if line["kind"] != "summary"])
    compare(table("The summary"), summaries)
    report = out / "report"
    igtcloud.run("download", out, "trial", "--report", report)
    assert {frozenset(json.loads(line)) for line in report.read_text().splitlines()} <= {
        frozenset(line) for line in lines}


def test_csv(igtcloud, out):
    compare(table("`csv`"), igtcloud.run("csv", out, "trial", "--files", "--json").lines)


def test_entities(igtcloud):
    described = set(re.findall(r'"(\w+)":', (ROOT / "api" / "entities.json").read_text("utf-8") +
                               (ROOT / "api" / "action.json").read_text("utf-8")))
    lines = []
    for command in (["ls"], ["ls", "trial"], ["ls", "trial/north"], ["ls", "trial/north/P1/CT"],
                    ["ls", "trial", "-l"], ["ls", "trial/north", "-l"], ["show", "trial/north/P1/CT"]):
        lines += igtcloud.run(*command, "--json").lines
    compare(table("`ls`"), lines, also=described)


@pytest.mark.parametrize("section, runs", [
    ("`tree`", [["tree", "trial"], ["tree", "one"]]),
    ("`find`", [["find", "trial"]]),
    ("`du`", [["du", "trial", "--by", by] for by in ("institute", "patient", "study", "type")]),
    ("`rm`", [["rm", "trial/south", "--dry-run"], ["rm", "one", "--dry-run"], ["rm", "trial/north/P1/CT", "--dry-run"]]),
    ("`whoami`", [["whoami"]])])
def test_commands(igtcloud, section, runs):
    lines = []
    for command in runs:
        lines += igtcloud.run(*command, "--json").lines
    compare(table(section), lines)


def test_doctor(igtcloud):
    compare(table("`doctor`"), igtcloud.run("doctor", "trial", "--json", status=None).lines)


def test_version_and_config(home):
    def lines(*arguments, **env):
        done = subprocess.run([program(), *arguments, "--json"], capture_output=True, text=True,
                              env=environment(home, **env), check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]
    compare(table("`version"), lines("version") + lines("version", "--verbose"))
    compare(table("`config list`"), lines("config", "list", IGTCLOUD_USER="ann"))


def test_unfinished_uploads(igtcloud, cloud, here):
    (here / "lab" / "case").mkdir(parents=True)
    (here / "lab" / "case" / "film.bin").write_bytes(bytes(3 * PART))
    cloud.faults({"fault": "silence", "method": "PUT", "query": "partNumber=3&", "seconds": 100, "times": 0})
    process = igtcloud.start("upload", here, "one")
    cloud.wait_for(lambda: igtcloud.run("uploads", "--json", status=None).lines)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    cloud.clear()
    compare(table("`uploads`"), igtcloud.run("uploads", "--json").lines, rare={"status", "error"})


def test_errors_and_progress(igtcloud, cloud, out):
    done = [igtcloud.run("ls", "nope", "--json", status=NOT_FOUND)]
    cloud.faults({"fault": "internal-error", "path": "/api/data/projects", "times": 0})
    done.append(igtcloud.run("ls", "--json", "--retries", "0", status=None))
    errors = [json.loads(one.err.splitlines()[-1]) for one in done]
    compare(table("Errors"), errors)
    compare(table("Errors", 1), [error["error"] for error in errors])
    cloud.clear()
    command = [c for c in igtcloud.command("download", out, "one", "--json", "--bwlimit", "1M", "--stats", "1s")
               if c != "--no-progress"]
    told = subprocess.run(command, input=b"demo\n", capture_output=True, check=True,
                          env=environment(igtcloud.home)).stderr.decode().splitlines()
    lines = [json.loads(line)["progress"] for line in told if line.startswith('{"progress"')]
    compare(table("Progress"), lines)
