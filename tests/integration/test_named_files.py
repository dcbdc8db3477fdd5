# SPDX-License-Identifier: MIT
"""Files that are named on the command line: what is no file, links, "-", and who may read them."""

import contextlib
import json
import os
import sqlite3
import subprocess
import threading

import pytest

from igtcloud import DONE, FAILED, SOME_FAILED, USAGE, Done, is_private, on_windows, program
from uploads import epd, igt, institute, patient_study, put, seed, special

SEED = seed(epd(*[institute(f"lab{n}") for n in range(10)]),
            igt(institute("ward", patient_study("P1", "A", files=[{"path": "a.txt", "text": "a"}]))))
SOON = 10  # what it is about would wait for ever; a busy machine takes some seconds


def local(*arguments, **more):
    """A command that talks to no cloud."""
    done = subprocess.run([program(), *map(str, arguments)], capture_output=True, timeout=SOON,
                          check=False, **more)
    return Done([str(a) for a in arguments], done.returncode, done.stdout, done.stderr.decode())


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


# ---- what is read ----

@pytest.mark.case("security-8")
@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "/dev/zero"])
@pytest.mark.parametrize("command, option", [("download", "--service-file"),
                                             ("download", "--ca-file"), ("api", "--input")])
def test_input_that_is_no_file(igtcloud, out, tmp_path, kind, command, option):
    path = special(tmp_path / "input", kind)
    what = [out, "trial"] if command == "download" else ["POST", "data/projects"]
    done = igtcloud.run(command, option, path, *what, status=None, timeout=SOON)
    if (option, kind) == ("--ca-file", "folder"):  # a folder of certificates, of which http needs none
        assert done.status == DONE
    else:
        assert done.status not in (DONE, SOME_FAILED) and str(path) in done.err


@pytest.mark.case("security-8")
@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "/dev/zero"])
def test_reports_that_are_no_files(tmp_path, kind):
    path = special(tmp_path / "part.jsonl", kind)
    done = local("report", "merge", tmp_path / "all.jsonl", path)
    assert done.status == FAILED and str(path) in done.err


@pytest.mark.case("security-8", "transfers-29")
def test_pipes_are_read(igtcloud, tmp_path):
    report = tmp_path / "one.jsonl"
    igtcloud.run("download", "--report", report, tmp_path / "out", "trial")
    merged = tmp_path / "all.jsonl"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(report.read_bytes(),))
    writer.start()  # and waits for a reader
    assert local("report", "merge", merged, pipe).status == DONE
    writer.join()
    assert len(lines(merged.read_text())) == len(lines(report.read_text()))
    done = local("report", "merge", "-", "-", stdin=report.open("rb"))
    assert lines(done.out.decode())[-1]["kind"] == "summary"


@pytest.mark.case("security-8")
def test_process_substitution(igtcloud, tmp_path):
    report = tmp_path / "one.jsonl"
    igtcloud.run("download", "--report", report, tmp_path / "out", "trial")
    done = subprocess.run(["bash", "-c", f"{program()} report merge - <(cat {report})"],
                          capture_output=True, timeout=SOON, check=True)
    assert lines(done.stdout.decode())[-1]["shards"] == 1


# ---- the journal ----

@pytest.mark.case("security-8")
@pytest.mark.parametrize("tail", ["", ".lock", "-wal", "-journal"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "folder"])
def test_a_journal_that_is_no_file(igtcloud, tmp_path, tail, kind):
    special(tmp_path / f"journal.db{tail}", kind)
    put(tmp_path / "up", {"lab0/case/a": "a"})
    done = igtcloud.run("upload", "--journal", tmp_path / "journal.db", tmp_path / "up", "up",
                        status=None, timeout=SOON)
    assert f"journal.db{tail}" in done.err and "not a regular file" in done.err


@pytest.mark.case("security-13")
@pytest.mark.parametrize("kind", ["text", "database"])
def test_a_journal_that_was_named_by_mistake(igtcloud, tmp_path, out, kind):
    path = tmp_path / "thesis.db"
    if kind == "text":
        path.write_text("years of work")
    else:
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE chapter(text)")
    content = path.read_bytes()
    done = igtcloud.run("download", "--journal", path, out, "trial")
    assert "left alone" in done.err and "continuing without it" in done.err
    igtcloud.run("uploads", "--journal", path, status=FAILED)
    assert path.read_bytes() == content
    assert {p.name for p in tmp_path.iterdir()} == {"home", "out", "thesis.db"}


@pytest.mark.case("security-11", "security-13")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("kind", ["file", "link", "folder of theirs"])
def test_a_planted_journal(igtcloud, tmp_path, out, kind):
    """Whoever can write it decides what is skipped, and can read patients' names in it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777 if kind != "folder of theirs" else 0o755)
    path = shared / "journal.db"
    if kind == "link":
        path.symlink_to(tmp_path / "made")
    else:
        path.touch()
        path.chmod(0o666)
    os.chown(path, 65534, 65534, follow_symlinks=False)
    done = igtcloud.run("download", "--journal", path, out, "trial")
    if kind == "folder of theirs":
        assert "another user" not in done.err and path.stat().st_size
        return
    assert "another user" in done.err and "continuing without it" in done.err
    assert [p.name for p in shared.iterdir()] == ["journal.db"]
    assert not (tmp_path / "made").exists()
    assert igtcloud.run("uploads", "--journal", path, status=None).status != DONE


# ---- what is written ----

def write_report(igtcloud, path, out, command):
    if command == "report merge":
        part = out / "part.jsonl"
        part.write_text('{"kind":"summary","status":"IGT_OK"}\n')
        return local("report", "merge", path, part)
    if command == "--log-file":
        return local("version", "--log-file", path)
    return igtcloud.run("download", command, path, out / "data", "trial", status=None,
                        timeout=SOON)


@pytest.mark.case("security-12")
@pytest.mark.parametrize("command", ["--report", "report merge", "--log-file"])
@pytest.mark.parametrize("link", ["symbolic", "dangling", "hard"])
def test_planted_links(igtcloud, out, tmp_path, command, link):
    out.mkdir(exist_ok=True)
    victim = tmp_path / "thesis"
    if link != "dangling":
        victim.write_text("years of work")
    path = tmp_path / "report.jsonl"
    os.link(victim, path) if link == "hard" else path.symlink_to(victim)
    done = write_report(igtcloud, path, out, command)
    assert done.status == FAILED and str(path) in done.err and "link" in done.err
    assert victim.exists() == (link != "dangling")
    assert link == "dangling" or victim.read_text() == "years of work"


@pytest.mark.case("security-12")
@pytest.mark.parametrize("command", ["--report", "report merge", "--log-file"])
def test_only_the_user_may_read(igtcloud, out, tmp_path, command):
    out.mkdir(exist_ok=True)
    path = tmp_path / "report.jsonl"
    assert write_report(igtcloud, path, out, command).status == DONE
    assert is_private(path)
    if command != "--log-file" and not on_windows():  # somebody may have made it as it should be; access lists stay
        path.chmod(0o644)
        assert write_report(igtcloud, path, out, command).status == DONE
        assert is_private(path)


@pytest.mark.case("security-12")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else(igtcloud, out, tmp_path):
    path = tmp_path / "report.jsonl"
    path.touch()
    os.chown(path, 65534, 65534)
    done = write_report(igtcloud, path, out, "--report")
    assert done.status == FAILED and "another user" in done.err and path.read_text() == ""


@pytest.mark.case("security-12")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a pipe away")
@pytest.mark.parametrize("command", ["--report", "report merge", "--log-file"])
@pytest.mark.parametrize("link", [False, True])
def test_a_pipe_of_somebody_else(igtcloud, out, tmp_path, command, link):
    """Whoever reads at its other end would see patients' names."""
    out.mkdir(exist_ok=True)
    path, pipe = tmp_path / "report.jsonl", tmp_path / ("pipe" if link else "report.jsonl")
    os.mkfifo(pipe)
    os.chmod(pipe, 0o666)
    if link:
        path.symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.chown(pipe, 65534, 65534)
        done = write_report(igtcloud, path, out, command)
        assert done.status == FAILED and "the pipe belongs to another user" in done.err
        assert os.read(reader, 100) == b""
        os.chown(pipe, 0, 0)
        assert write_report(igtcloud, path, out, command).status == DONE
    finally:
        os.close(reader)


@pytest.mark.case("security-12")
@pytest.mark.parametrize("kind", ["hard", "foreign", "group"])
def test_planted_csv_files(igtcloud, out, tmp_path, kind):
    """--append adds to a file of ours, or of somebody's whose folder it is."""
    out.mkdir()
    victim = tmp_path / "thesis"
    victim.write_text("studyDatabaseId\n")
    os.link(victim, out / "cloud_trial.csv")
    if kind != "hard":
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        victim.unlink()
        victim = out / "cloud_trial.csv"
        os.chown(victim, 65534, 65534)
        out.chmod(0o1777 if kind == "foreign" else 0o2775)
    done = igtcloud.run("csv", "--append", out, "trial",
                        status=DONE if kind == "group" else FAILED)
    assert (victim.read_text() == "studyDatabaseId\n") == (kind != "group")
    assert kind == "group" or ("hard link" if kind == "hard" else "another user") in done.err


@pytest.mark.case("security-8")
@pytest.mark.parametrize("command", ["--report", "report merge", "--log-file"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "folder"])
def test_output_that_is_no_file(igtcloud, out, tmp_path, command, kind):
    out.mkdir(exist_ok=True)
    path = special(tmp_path / "report.jsonl", kind)
    done = write_report(igtcloud, path, out, command)
    assert done.status == FAILED and str(path) in done.err


@pytest.mark.case("transfers-29")
@pytest.mark.parametrize("name", ["/dev/stderr", "/dev/fd/2", "link", "/proc/self/fd/2"])
@pytest.mark.parametrize("to", ["pipe", "file"])
def test_the_log_of_a_container(igtcloud, out, tmp_path, name, to):
    if name == "link":
        name = tmp_path / "igtcloud.log"
        name.symlink_to("/dev/stderr")
    arguments = ["download", "--log-file", name, out, "trial"]
    if to == "pipe":
        assert " info transfer: " in igtcloud.run(*arguments).err
    else:
        with open(tmp_path / "err", "wb") as err:
            assert igtcloud.start(*arguments, stderr=err).wait(SOON) == DONE
        text = (tmp_path / "err").read_text()
        assert " info transfer: " in text and "Downloaded " in text


@pytest.mark.case("transfers-29")
def test_a_log_that_is_a_link_to_a_device(igtcloud, out, tmp_path):
    (tmp_path / "log").symlink_to("/dev/null")
    igtcloud.run("download", "--log-file", tmp_path / "log", "--report", "/dev/null", out, "trial")
    assert (tmp_path / "log").is_symlink()


@pytest.mark.case("transfers-29")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_report_to_standard_output(igtcloud, out, monkeypatch, tmp_path, more):
    monkeypatch.chdir(tmp_path)
    done = igtcloud.run("download", "--report", "-", *more, out, "trial")
    found = lines(done.out.decode())
    assert [i["kind"] for i in found] == ["file", "study", "summary"]
    assert not (tmp_path / "-").exists()


@pytest.mark.case("transfers-29")
def test_dash_wherever_a_file_is_named(igtcloud, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = igtcloud.run("cp", "igt:trial/ward/P1/A/files/a.txt", "-")
    assert done.out == b"a"
    assert b" debug " in igtcloud.run("whoami", "--debug", "--log-file", "-").out
    igtcloud.run("service create", "--key-file", "-", "trial", "x", status=USAGE)
    assert not (tmp_path / "-").exists()
