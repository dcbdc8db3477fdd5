# SPDX-License-Identifier: MIT
"""INT and TERM: the run stops by itself, says how to continue, signs out, and leaves nothing half
written under a final name. Large files, which go on in the middle: test_download.py and
test_upload_resume.py."""

import contextlib
import json
import os
import signal
import sqlite3
import time

import pytest

from igtcloud import open_files, tree
from uploads import Place, epd, institute, put, seed

BOTH = pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
MANY = {f"f{n:03}": f"content of {n}" for n in range(60)}
SEED = seed(epd(institute("i", {"name": "s", "files": [{"path": n, "text": c}
                                                       for n, c in MANY.items()]}), name="down"),
            epd(*[institute(f"lab{n}") for n in range(10)]))


counter = iter(range(10))


def stopped(cloud, process, method, number, arrived=lambda: True):
    """Ten files are moved, and the program knows it; the next ones hang: then the signal."""
    def asked():
        return cloud.requests(method=method, path="/igtcloud/*/f???")
    cloud.wait_for(lambda: len([r for r in asked() if r["status"] == 200]) >= 10)
    cloud.wait_for(lambda: [r for r in asked() if r["took"] is None])
    cloud.wait_for(arrived)
    assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return out.decode(), err.decode()


def hang(cloud, method):
    cloud.faults({"fault": "silence", "method": method, "path": "/igtcloud/**/f*", "skip": 10,
                  "seconds": 100, "times": 0})


def is_signed_out(cloud):
    return cloud.requests(method="POST", path="*/logout", status=200) or \
        cloud.requests(method="POST", path="*/logout", status=204)


@BOTH
def test_an_interrupted_download_is_continued(cloud, igtcloud, tmp_path, number, status):
    hang(cloud, "GET")
    process = igtcloud.start("download", "--json", "--report", tmp_path / "report",
                             tmp_path / "out", "down")

    def names():
        return list((tmp_path / "out").rglob("f???"))
    out, err = stopped(cloud, process, "GET", number, lambda: len(names()) >= 10)
    assert process.returncode == status
    assert "run the same command again" in err and "FAILED" not in err
    there = {path.name: path.read_text() for path in names()}
    assert 10 <= len(there) < 60 and all(MANY[n] == c for n, c in there.items())
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[-1]["kind"] == "summary" and lines[-1]["status"] == "IGT_E_CANCELLED"
    assert lines[-1]["studies"] == 0 and " study, " not in err
    assert (tmp_path / "report").read_text() == out
    assert len([i for i in lines if i["kind"] == "file" and i["result"] == "done"]) == len(there)
    assert not [i for i in lines if i.get("result") == "failed"]
    assert is_signed_out(cloud)
    cloud.clear()
    done = igtcloud.run("download", "--json", tmp_path / "out", "down")
    assert done.summary["filesSkipped"] == len(there) and done.summary["filesFailed"] == 0
    assert {os.path.basename(n): c.decode() for n, c in tree(tmp_path / "out").items()
            if not n.endswith("study.json")} == MANY


@BOTH
def test_an_interrupted_upload_is_continued(cloud, igtcloud, tmp_path, number, status):
    name = f"lab{next(counter)}"
    place = Place(cloud, name, "up")
    up = put(tmp_path / "up", {f"{name}/s/{n}": c for n, c in MANY.items()})
    hang(cloud, "PUT")
    process = igtcloud.start("upload", "--json", up, "up")
    out, err = stopped(cloud, process, "PUT", number)
    assert process.returncode == status
    assert "run the same command again" in err and "FAILED" not in err
    lines = [json.loads(line) for line in out.splitlines()]
    done = [i["path"] for i in lines if i["kind"] == "file" and i["result"] == "done"]
    listed = place.registered("s")
    assert {n for n, f in listed.items() if f["isCompleted"]} >= set(done)
    assert lines[-1]["status"] == "IGT_E_CANCELLED" and lines[-1]["studies"] == 0
    assert is_signed_out(cloud)
    cloud.clear()
    again = igtcloud.run("upload", "--json", up, "up")
    assert again.summary["filesSkipped"] >= len(done) and again.summary["studiesCreated"] == 0
    place.is_whole("s", MANY)


@BOTH
def test_while_the_lists_are_read(cloud, igtcloud, tmp_path, number, status):
    cloud.faults({"fault": "silence", "method": "GET", "path": "/api/data/hospitals/*/studies",
                  "seconds": 100})
    process = igtcloud.start("download", tmp_path / "out", "down")
    cloud.wait_for(lambda: cloud.requests(path="/api/data/hospitals/*/studies"))
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == status and tree(tmp_path / "out") == {}, err
    assert is_signed_out(cloud)


def test_a_second_signal_ends_it_at_once(cloud, igtcloud, tmp_path):
    """Also while signing out hangs."""
    hang(cloud, "GET")
    cloud.faults({"fault": "silence", "method": "POST", "path": "**/logout", "seconds": 100})
    process = igtcloud.start("download", tmp_path / "out", "down")
    cloud.wait_for(lambda: len(cloud.requests(method="GET", path="/igtcloud/*/f???")) > 10)
    process.send_signal(signal.SIGINT)
    cloud.wait_for(lambda: cloud.requests(method="POST", path="*/logout"))
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert all(MANY[os.path.basename(n)].encode() == c for n, c in tree(tmp_path / "out").items()
               if not n.endswith(("study.json", ".igtpart")))


@contextlib.contextmanager
def held(journal):
    """Another process writes, and does not end."""
    with contextlib.closing(sqlite3.connect(journal, timeout=10, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize("when", ["before the run", "during the run"])
def test_a_journal_that_another_process_holds(cloud, igtcloud, tmp_path, when):
    """Waiting for it ends with the run, within 2 s; the limit here leaves time for a busy machine."""
    journal = tmp_path / "journal.db"
    command = ("download", "--journal", journal, tmp_path / "out", "down")
    igtcloud.run("download", "--journal", journal, "--include", "f000", tmp_path / "first", "down")
    hang(cloud, "GET")
    with contextlib.ExitStack() as stack:
        if when == "before the run":
            stack.enter_context(held(journal))
            process = igtcloud.start(*command)
            cloud.wait_for(lambda: os.path.realpath(journal) in open_files(process.pid).values())
        else:
            process = igtcloud.start(*command)
            cloud.wait_for(lambda: len(cloud.requests(method="GET", path="/igtcloud/*/f???", status=200)) >= 10)
            stack.enter_context(held(journal))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 143 and time.monotonic() - began < 4
