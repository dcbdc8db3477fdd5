# SPDX-License-Identifier: MIT
"""docs/json.md against what the commands print: every field, its type, and nothing else."""

import contextlib
import json
import re
import signal
import subprocess

import pytest

from igtcloud import NOT_FOUND, SOME_FAILED, environment, program
from sandbox import ROOT
from test_station import HOOK, Station
from uploads import PART, epd, institute, put, seed

STUDY = {"class": "Study", "patient": {"patientId": "P1"}}
SEED = seed(
    {"name": "trial", "institutes": [
        institute("north", {**STUDY, "studyId": "CT", "files": [
            {"path": "a.txt", "text": "a"}, {"path": "later.txt", "text": "x", "completed": False}]}),
        institute("south")]},
    epd(institute("lab", {"name": "case", "files": [{"path": "a.bin", "size": 2000000}]}), name="one"),
    epd(institute("lab"), name="box"), services=[{"id": "station@all"}],
    users=[{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER", "SERVICES_MANAGER"]}])

TYPES = {"text": str, "number": (int, float), "boolean": bool, "object": dict, "list": list, "time": str}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


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


def words(section, field):
    """Those that the page lists as values of a field."""
    text, = re.findall(rf"^#+ {re.escape(section)}.*?\n\| `{field}` \| text \| (.*?) \|\n",
                       (ROOT / "docs" / "json.md").read_text("utf-8"), re.M | re.S)
    return set(re.findall(r"`([^`]+)`", text))


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
    lines += igtcloud.run("download", out, "trial", "--json", "--checksum").lines
    cloud.faults({"fault": "internal-error", "method": "GET", "path": "/igtcloud/**/a.bin", "times": 0})
    lines += igtcloud.run("download", here, "one", "--json", "--retries", "0", status=SOME_FAILED).lines
    summaries = [line for line in lines if line["kind"] == "summary"]
    compare(table("Files and studies"), [line for line in lines if line["kind"] != "summary"])
    compare(table("The summary"), summaries)
    assert {line["result"] for line in lines if line["kind"] != "summary"} <= words("Files and studies", "result")
    report = out / "report"
    igtcloud.run("download", out, "trial", "--report", report)
    assert {frozenset(json.loads(line)) for line in report.read_text().splitlines()} <= {
        frozenset(line) for line in lines}


def test_sync(igtcloud, out):
    *lines, _ = igtcloud.run("sync", "igt:trial", out, "--json", "--dry-run").lines
    assert [line["path"] for line in lines if (line["kind"], line["result"]) == ("file", "planned")] == ["a.txt"]
    igtcloud.run("sync", "igt:trial", out)
    (out / "north" / "P1---CT" / "old.txt").write_text("old")
    for options, result in (["--dry-run"], "planned deletion"), ([], "deleted"):
        *more, summary = igtcloud.run("sync", "igt:trial", out, "--json", "--delete", *options).lines
        assert [line["path"] for line in more if line["result"] == result] == ["old.txt"]
        compare(table("The summary"), [summary], rare={"error"})
        lines += more
    assert {line["result"] for line in lines} <= words("Files and studies", "result")
    assert all(line["cloud"] and line["user"] and line["project"] == "trial" for line in lines)
    compare(table("Files and studies"), lines, rare={"status", "error", "replacedSize"})


def test_report_merge(igtcloud, out, tmp_path):
    for n in (1, 2):
        igtcloud.run("download", out, "trial", "--shard", f"{n}/2", "--report", tmp_path / f"{n}")
    merged = subprocess.run([program(), "report", "merge", "-", tmp_path / "1", tmp_path / "2"],
                            capture_output=True, check=True, env=environment(igtcloud.home))
    lines = [json.loads(line) for line in merged.stdout.splitlines()]
    numbers = {field: kind for field, kind in table("The summary").items() if kind[0] == "number"}
    compare({**numbers, **table("`report merge`")}, [line for line in lines if line["kind"] == "summary"])
    compare(table("Files and studies"), [line for line in lines if line["kind"] != "summary"],
            rare={"status", "error", "replacedSize"})


def test_manifest(igtcloud, out, tmp_path):
    path, report = tmp_path / "cohort.jsonl", tmp_path / "report"
    path.write_bytes(igtcloud.run("manifest", "trial", "--report", report).out)
    header, study, file, trailer = map(json.loads, path.read_text().splitlines())
    for part, line in (("header", header), ("study", study), ("file", file), ("trailer", trailer)):
        found, = [title for title in page() if re.fullmatch(rf"(A|The) {part} of a manifest", title)]
        compare(table(found), [line])
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    for arguments in (["download", out], ["verify"], ["verify", out]):
        lines += igtcloud.run(*arguments, "--manifest", path, "--json").lines
    assert all(line["cloud"] == header["cloud"] and line["project"] == "trial" for line in lines)
    compare(table("The summary"), [line for line in lines if line["kind"] == "summary"], rare={"error"})
    compare(table("Files and studies"), [line for line in lines if line["kind"] != "summary"],
            rare={"status", "error", "replacedSize"})


def test_services(igtcloud, tmp_path):
    described = set(re.findall(r'"(\w+)":', (ROOT / "api" / "entities.json").read_text("utf-8")))
    key = tmp_path / "key.pem"
    made = igtcloud.run("service create", "box/lab", "st", "--key-file", key, "--json").lines
    rotated = igtcloud.run("service rotate", "box/lab", made[0]["serviceId"], "--key-file", key, "--json").lines
    compare(table("`service rotate`"), rotated)
    listed = igtcloud.run("service list", "box/lab", "--json").lines
    assert [line["serviceId"] for line in listed] == [rotated[0]["serviceId"]]
    for line in made + listed:
        assert set(line) <= described and TIME.match(line["expiresOn"])


def test_station(cloud, home, tmp_path):
    hook, status = tmp_path / "hook", tmp_path / "status.json"
    hook.write_text(HOOK)
    hook.chmod(0o755)

    def events():
        found = []
        for path in tmp_path.glob("hook.*.json"):
            with contextlib.suppress(json.JSONDecodeError):  # being written
                found.append(json.loads(path.read_text()))
        return found
    s = Station(cloud, home, "box", "--status-file", status, "--on-event", hook, "--event-names", "--json")
    put(s.folder, {"lab/good/a": "abc", "nowhere/bad/x": "x"})
    s.start()
    try:
        s.wait_for(lambda: {"uploaded", "failed"} <= {event["event"] for event in events()})
        cloud.faults({"fault": "internal-error", "path": "/api/data/**", "times": 0})
        put(s.folder, {"lab/later/b": "b"})
        s.wait_for(lambda: "offline" in {event["event"] for event in events()})
        waiting = s.wait_for(lambda: (t := json.loads(status.read_text()))["state"] == "offline" and t)
    finally:
        cloud.clear()
        s.stop()
    assert {event["event"] for event in events()} <= words("An event of `station`", "event")
    assert waiting["uploaded"] == waiting["failed"] == 1 and waiting["oldestWaiting"]
    compare(table("The status file"), [waiting, json.loads(status.read_text())], rare={"keyExpires"})
    assert {"offline", "stopping"} <= words("The status file of `station`", "state")
    compare(table("An event of"), events())
    lines = [json.loads(line) for line in s.log.splitlines() if line.startswith("{")]
    compare(table("Errors", 1), [line["error"] for line in lines if list(line) == ["error"]],
            rare={"code", "hint", "http_status", "request_id"})
    compare(table("Files and studies"), [line for line in lines if "kind" in line],
            rare={"reason", "replacedSize"})


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
    # Of two parts or three: earlier tests may have shown that the line is fast.
    cloud.faults({"fault": "silence", "method": "PUT", "query": "partNumber=2&", "seconds": 100, "times": 0})
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
    shown = subprocess.run(command, input=b"demo\n", capture_output=True, check=True,
                           env=environment(igtcloud.home)).stderr.decode().splitlines()
    lines = [json.loads(line)["progress"] for line in shown if line.startswith('{"progress"')]
    compare(table("Progress"), lines)
