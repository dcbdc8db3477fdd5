# SPDX-License-Identifier: MIT
"""--json and --report of downloads and uploads: a line for each file and study, the summary last."""

import hashlib
import json
import os

import pytest

from igtcloud import FAILED, NOT_FOUND, SOME_FAILED, on_windows, shown
from uploads import MIB, PART, Place, epd, institute, items, pattern, put, seed

SEED = seed(
    epd(institute("i", {"name": "s", "files": [
            {"path": "a", "text": "alpha"}, {"path": "b", "text": "beta"},
            {"path": "half", "text": "later", "completed": False}]}),
        name="down", files=[{"path": "p", "text": "project"}]),
    epd(*[institute(f"lab{n}") for n in range(10)]))

SUMMARY = {"kind", "status", "institutes", "studies", "studiesFailed", "studiesUndated",
           "studiesCreated", "filesDone", "filesSkipped", "filesFailed", "filesIgnored",
           "filesIncomplete", "filesUnverified", "bytesDone", "bytesMoved", "bytesSkipped",
           "requests", "seconds"}
FILE = {"kind", "result", "institute", "study", "studyDatabaseId", "path", "local", "key", "size",
        "moved", "digest", "verified"}
STUDY = {"kind", "result", "institute", "study", "studyDatabaseId"}


# No name of Windows has a quotation mark or a line feed.
ODD = "sub/ü 'q'.bin" if on_windows() else "sub/ü \"q\"\n.bin"
counter = iter(range(10))


@pytest.fixture
def name():
    return f"lab{next(counter)}"


def check(done, report):
    """The same lines in both places, in the form that scripts rely on."""
    assert report.read_bytes() == done.out
    assert [i["kind"] for i in done.lines].count("summary") == 1
    assert done.lines[-1]["kind"] == "summary" and SUMMARY <= set(done.summary)
    for item in done.items:
        assert (FILE if item["kind"] != "study" else STUDY) <= set(item), item
        assert ("error" in item) == (item["result"] == "failed"), item
    files = items(done, kind="file")
    for result, count, size in (("done", "filesDone", "bytesDone"),
                                ("skipped", "filesSkipped", "bytesSkipped"),
                                ("failed", "filesFailed", None)):
        of_it = [i for i in files if i["result"] == result]
        assert done.summary[count] == len(of_it)
        assert size is None or done.summary[size] == sum(i["size"] for i in of_it)
    of_studies = [i["result"] for i in items(done, kind="study")]
    assert done.summary["studiesFailed"] == of_studies.count("failed")
    assert done.summary["studies"] == len(of_studies) - of_studies.count("failed")
    assert done.summary["bytesMoved"] == sum(i["moved"] for i in files)
    return {i["path"]: i for i in files}


def test_the_report_of_an_upload(cloud, igtcloud, name, tmp_path):
    report, large = tmp_path / "report", pattern(9 * MIB)
    up = put(tmp_path / "up", {f"{name}/s/a": "alpha", f"{name}/s/{ODD}": large,
                               f"{name}/s/b": "beta", f"{name}/stray": "x"})
    cloud.faults({"fault": "forbidden", "method": "PUT", "path": "/igtcloud/**/s*/files/b",
                  "times": 0}, {"fault": "forbidden", "method": "PUT", "path": "**/b", "times": 0})
    done = igtcloud.run("upload", "--json", "--report", report, up, "up", status=SOME_FAILED)
    files = check(done, report)
    study = Place(cloud, name, "up").study("s")
    assert set(files) == {"a", "b", ODD}
    a = files["a"]
    assert (a["result"], a["institute"], a["study"], a["size"], a["moved"], a["verified"]) == (
        "done", name, "s", 5, 5, "store")
    assert a["studyDatabaseId"] == study["studyDatabaseId"]
    assert a["local"] == shown(up / name / "s/a") and a["key"] == study["s3Prefix"] + "files/a"
    assert a["digest"] == "sha256:" + hashlib.sha256(b"alpha").hexdigest()
    parts = b"".join(hashlib.sha256(large[n:n + PART]).digest() for n in (0, PART))
    assert files[ODD]["digest"] == \
        f"sha256-parts-{PART}:" + hashlib.sha256(parts).hexdigest()
    assert files["b"]["result"] == "failed" and files["b"]["status"] == "IGT_E_FORBIDDEN"
    assert items(done, kind="study")[0]["status"] == "IGT_E_SOME_FAILED"
    assert items(done, kind="other")[0]["path"] == shown(up / name / "stray")
    assert done.summary["status"] == "IGT_E_SOME_FAILED" and done.summary["studiesCreated"] == 1
    assert done.summary["error"] == "1 file and 1 study failed; everything else succeeded"
    cloud.clear()
    done = igtcloud.run("upload", "--json", "--report", report, up, "up")
    files = check(done, report)
    assert {n: i["result"] for n, i in files.items()} == {
        "a": "skipped", ODD: "skipped", "b": "done"}
    assert files["a"]["key"] == study["s3Prefix"] + "files/a" and files["a"]["reason"]


def test_the_report_of_a_download(cloud, igtcloud, tmp_path):
    report, out = tmp_path / "report", tmp_path / "out"
    cloud.faults({"fault": "forbidden", "method": "GET", "path": "/igtcloud/**/b", "times": 0})
    done = igtcloud.run("download", "--json", "--report", report, out, "down", status=SOME_FAILED)
    files = check(done, report)
    a = files["a"]
    assert (a["result"], a["institute"], a["study"], a["size"], a["moved"]) == (
        "done", "i", "s", 5, 5)
    assert a["local"] == shown(out / "i/s/a") and a["key"].endswith("/files/a")
    assert ":" in a["digest"] and a["verified"]
    assert files["b"]["result"] == "failed" and done.summary["filesIncomplete"] == 1
    assert done.summary["error"] == "1 file and 1 study failed; everything else succeeded"
    nothing = igtcloud.run("download", "--json", "--include", "b", tmp_path / "none", "down", status=SOME_FAILED)
    assert nothing.summary["error"] == "1 file and 1 study failed"  # there is nothing else
    cloud.clear()
    done = igtcloud.run("download", "--json", "--report", report, out, "down")
    assert {n: i["result"] for n, i in check(done, report).items()} == {
        "a": "skipped", "b": "done", "half": "ignored"}
    # No more, no less than the cloud was asked; signing in and out is not in it.
    asked = [r for r in cloud.requests() if not r["path"].endswith(("/login", "/logout"))]
    assert done.summary["requests"] == len(asked) > 3


def test_project_files(igtcloud, tmp_path):
    report = tmp_path / "report"
    done = igtcloud.run("download", "--project-files", "--json", "--report", report,
                        tmp_path / "out", "down")
    files = check(done, report)
    assert files["p"]["institute"] == files["p"]["study"] == "" and done.summary["studies"] == 0


def test_dry_runs_name_absolute_paths(igtcloud, name, tmp_path, monkeypatch):
    """Also when the target is not there, and is given relative to where one is."""
    monkeypatch.chdir(tmp_path)
    done = igtcloud.run("download", "--json", "--dry-run", "to/nowhere", "down")
    assert {i["local"] for i in items(done, kind="file", result="planned")} == {
        shown(tmp_path / "to/nowhere/i/s" / n) for n in "ab"}
    put(tmp_path / "up", {f"{name}/s/a": "a"})
    done = igtcloud.run("upload", "--json", "--dry-run", "up", "up")
    assert {i["local"] for i in items(done, kind="file")} == {shown(tmp_path / "up" / name / "s/a")}
    assert not (tmp_path / "to").exists()


def test_a_run_that_fails_as_a_whole(igtcloud, tmp_path):
    report = tmp_path / "report"
    for command in ("download", "upload"):
        done = igtcloud.run(command, "--json", "--report", report, tmp_path, "nothing",
                            status=NOT_FOUND)
        assert [i["kind"] for i in done.lines] == ["summary"]
        assert done.summary["status"] == "IGT_E_NOT_FOUND" and report.read_bytes() == done.out


@pytest.mark.parametrize("command", ["download", "upload"])
def test_a_report_that_cannot_be_written(cloud, igtcloud, tmp_path, command):
    """Before anything moves; nor is a report that is not whole a success."""
    place = tmp_path / "none" / "report"
    done = igtcloud.run(command, "--report", place, tmp_path, "down", status=FAILED)
    assert str(place) in done.err and not cloud.requests(path="/igtcloud/*")
    assert os.listdir(tmp_path) == ["home"]
    if command == "download":
        done = igtcloud.run(command, "--report", "/dev/full", tmp_path / "out", "down",
                            status=FAILED)
        assert "cannot write the report '/dev/full': No space left on device" in done.err


def test_standard_output_that_is_full(igtcloud, tmp_path):
    with open("/dev/full", "wb") as full:
        process = igtcloud.start("download", "--json", tmp_path / "out", "down", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == FAILED and b"cannot write" in err


def test_quiet_prints_nothing(igtcloud, name, tmp_path):
    up = put(tmp_path / "up", {f"{name}/s/a": "a", f"{name}/stray": "x"})
    done = igtcloud.run("upload", "--quiet", up, "up")
    assert done.out == b"" and done.err == ""
    put(up, {f"{name}/broken/study.json": "{"})
    done = igtcloud.run("upload", "--quiet", up, "up", status=SOME_FAILED)
    assert done.out == b"" and "broken" in done.err


def test_lines_come_while_it_runs(cloud, igtcloud, tmp_path):
    """A program that reads along need not wait for the end."""
    cloud.faults({"fault": "silence", "method": "GET", "path": "**/b", "seconds": 100})
    process = igtcloud.start("download", "--json", tmp_path / "out", "down")
    lines = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert {i["path"] for i in lines} == {"a", "half"} and process.poll() is None
    process.terminate()
    process.communicate(timeout=30)
