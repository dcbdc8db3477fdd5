# SPDX-License-Identifier: MIT
"""What this machine may do to a transfer: full, small, read-only or odd disks, limits of the system,
unusable journals. A message says so, the exit status is right, and the next run continues."""

import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time

import pytest

from igtcloud import (DONE, FAILED, SOME_FAILED, Done, Program, journal_of, largest_size, on_windows, program,
                      sanitized, shown, tree)
from sandbox import BUCKET

MIB = 1024 * 1024
SANITIZED = sanitized()
NOBODY = 65534
SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "projects": [
        {"name": "p", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": [
            {"name": "s", "files": [{"path": "good.txt", "text": "good"},
                                    {"path": "film.bin", "size": 12 * MIB}]},
            {"name": "small", "files": [{"path": f"f{n}", "size": 20000} for n in range(40)]}]}]},
        {"name": "many", "projectTypeName": "EPD", "institutes": [
            {"name": "i", "generate": {"studies": 2, "files": 600, "size": 10}}]},
        {"name": "film", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": [
            {"name": "s", "files": [{"path": f"{n}.bin", "size": 3 * MIB} for n in range(8)]}]}]},
        {"name": "six", "projectTypeName": "EPD", "institutes": [
            {"name": "i", "generate": {"studies": 6, "files": 3, "size": 20000}}]},
        {"name": "in", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": []}]},
        {"name": "in2", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": []}]},
    ]}


def limited(igtcloud, which, limit, *arguments, signals=(), **options):
    """A run below a limit of the system; how it ended, but for a signal."""
    process = igtcloud.start(*arguments, **options,
                             preexec_fn=lambda: resource.setrlimit(which, (limit, limit)))
    out, err = process.communicate(timeout=120)
    assert process.returncode >= 0 or -process.returncode in signals, (process.returncode, err)
    return Done([str(a) for a in arguments], process.returncode, out or b"", err.decode())


def whole(folder):
    """The files below it; those under a final name are as long as they should be."""
    sizes = {"good.txt": 4, "film.bin": 12 * MIB}
    got = {k: v for k, v in tree(folder).items()
           if not k.endswith(("study.json", ".igtpart"))} if os.path.exists(folder) else {}
    for name, data in got.items():
        assert len(data) == sizes.get(os.path.basename(name), 20000), name
    return set(got)


def whole_films(folder):
    sizes = {os.path.basename(n): len(v) for n, v in tree(folder).items() if n.endswith(".bin")}
    assert set(sizes.values()) <= {3 * MIB}
    return set(sizes)


# ---- space ----

@contextlib.contextmanager
def mounted(folder, size):
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs",
                                       folder], capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_too_small_a_disk_is_reported_first(igtcloud, tmp_path):
    """More is listed than is free: reported before the disk is full, and no file is partial."""
    with mounted(tmp_path / "small", "6m") as small:
        done = igtcloud.run("download", "--json", small, "film", status=FAILED)
        assert " are needed" in done.error and " free" in done.error, done
        assert str(small) in done.error and done.summary["status"] == "IGT_E_NO_SPACE"
        whole_films(small)  # what was on its way ended one way or the other
        for name in tree(small):
            (small / name).unlink()
        igtcloud.run("download", "--include", "1.bin", small, "film")
        done = igtcloud.run("download", "--include", "[12].bin", small, "film", status=FAILED)
        assert "3.0 MiB are needed" in done.error and whole_films(small) >= {"1.bin"}


def test_disk_that_fills_on_the_way(igtcloud, cloud, tmp_path):
    """Someone else takes the space; once it is free again, the same command continues."""
    with mounted(tmp_path / "small", "30m") as small:
        # All but one file wait in their second MiB until the disk is full.
        cloud.faults({"fault": "silence", "path": f"/{BUCKET}/**/*.bin", "method": "GET",
                               "skip": 1, "times": 0, "at": MIB, "seconds": 600})
        process = igtcloud.start("download", "--json", small, "film")
        cloud.wait_for(lambda: list(small.rglob("*.bin")))
        with open(small / "other", "wb", buffering=0) as other, contextlib.suppress(OSError):
            while other.write(b"x" * 65536):
                pass
        cloud.heal()
        out, err = process.communicate(timeout=60)
        done = Done(["download"], process.returncode, out, err.decode())
        assert done.status == FAILED and "No space left" in done.error, done
        assert f"below '{shown(small)}'" in done.error and '"hint":"free some space' in done.err, done
        arrived = {n: os.path.getsize(small / n) for n in tree(small) if n.endswith(".bin")}
        assert arrived and set(arrived.values()) == {3 * MIB}
        (small / "other").unlink()
        done = igtcloud.run("download", "--json", small, "film")
        assert done.summary["filesSkipped"] == len(arrived) and not done.summary["filesFailed"]


@pytest.mark.parametrize("command", [["csv", "{}/lists", "p"], ["download", "--report", "{}/report", "{}/out", "p"]])
def test_what_to_do_about_a_full_disk(igtcloud, tmp_path, command):
    """Whatever could not be written, and where."""
    with mounted(tmp_path / "small", "64k") as small:
        with open(small / "other", "wb", buffering=0) as other, contextlib.suppress(OSError):
            while other.write(b"x" * 4096):
                pass
        err = igtcloud.run(*[word.format(small) for word in command], status=FAILED).err
        assert str(small) in err and "free some space, then run the same command again" in err, err
        ends = [line for line in err.splitlines() if line.startswith("igtcloud: ")]
        assert ends and all("free some space" in line for line in ends), err


def test_largest_size_of_a_file(igtcloud, out):
    """One file is too large for the system; the others are there, and the study says so."""
    done = limited(igtcloud, resource.RLIMIT_FSIZE, MIB, "download", "--json", out, "p")
    assert done.status == SOME_FAILED and done.summary["filesFailed"] == 1
    failed = next(i for i in done.items if i["result"] == "failed")
    assert failed["path"] == "film.bin" and "too large" in failed["error"]
    assert len(whole(out)) == 41
    done = limited(igtcloud, resource.RLIMIT_FSIZE, 10000, "download", "--no-journal", "--json",
                   out / "b", "p")
    assert done.status == SOME_FAILED and whole(out / "b") == {"i/s/good.txt"}
    done = igtcloud.run("download", "--json", out, "p")
    assert len(whole(out)) == 43 - 1 + 1 and done.summary["filesSkipped"] == 41


def test_output_that_cannot_be_written(igtcloud, out, tmp_path):
    with open("/dev/full", "wb") as full:
        for arguments in (["download", "--json", out, "p"], ["csv", "-", "p"]):
            process = igtcloud.start(*arguments, stdout=full)
            _, err = process.communicate(timeout=60)
            assert process.returncode == FAILED and b"cannot write to standard output: No space left" in err
            assert b"IGT_E_NO_SPACE" in err or b"free some space, then run the same command again" in err, err
            assert (b'"hint":"free some space' in err) == ("--json" in arguments), err
    for option in ("--report", "--log-file"):
        done = igtcloud.run("download", "--debug", option, "/dev/full", out, "p", status=FAILED)
        assert "cannot write" in done.err
    done = igtcloud.run("download", "--report", tmp_path / "none" / "r", out, "p", status=FAILED)
    assert str(tmp_path / "none" / "r") in done.error
    assert len(whole(out)) == 42  # what was asked for is there all the same


# ---- a quota ----

QUOTA = pathlib.Path(program()).parent / "tests/torture/quota.so"


def over_quota(igtcloud, folder, call, *arguments, first=1, **options):
    """A run whose user has no more quota below the folder, from the first-th such call on."""
    env = {"LD_PRELOAD": QUOTA, "QUOTA_BELOW": folder, "QUOTA_CALL": call, "QUOTA_FROM": first}
    return igtcloud.run(*arguments, env=env, **options)


@pytest.mark.plain("a preloaded library, and the sanitizers want to be loaded first")
@pytest.mark.dynamic
@pytest.mark.parametrize("call, first", [("write", 1), ("write", 20), ("reserve", 1), ("create", 1),
                                         ("create", 12), ("rename", 1), ("rename", 9)])
def test_quota_that_is_used_up(igtcloud, out, call, first):
    """As a full disk: one sentence ends the run, no more work is begun, what has its final name is
    whole, and the same command continues once there is space again."""
    out.mkdir()
    done = over_quota(igtcloud, out, call, "download", "--json", out, "p", first=first, status=FAILED)
    assert "Disk quota exceeded" in done.error and re.search(r"'i/(s|small)\b", done.error), done
    assert done.summary["status"] == "IGT_E_NO_SPACE"
    got = whole(out)
    assert len(got) < 42 and len(got) <= done.summary["filesDone"]
    done = igtcloud.run("download", "--json", out, "p")
    assert len(whole(out)) == 42 and done.summary["filesSkipped"] == len(got)
    assert not [n for n in tree(out) if n.endswith(".igtpart")]


def counted(summary):
    return sum(summary[n] for n in ("studies", "studiesFailed", "studiesUnfinished", "studiesNotStarted"))


@pytest.mark.plain("a preloaded library, and the sanitizers want to be loaded first")
@pytest.mark.dynamic
def test_studies_that_a_full_disk_leaves(igtcloud, out, tmp_path):
    """The summary counts them: each study of the list is somewhere."""
    options = "--concurrent-studies", "1", "--concurrent-files", "1", "--connections", "1"
    for target in (out, tmp_path / "text"):
        target.mkdir()
    done = over_quota(igtcloud, out, "rename", "download", "--json", *options, out, "six", first=6, status=FAILED)
    assert done.summary["status"] == "IGT_E_NO_SPACE" and counted(done.summary) == 6, done
    assert done.summary["studiesNotStarted"] >= 3, done
    text = over_quota(igtcloud, tmp_path / "text", "rename", "download", *options, tmp_path / "text", "six", first=6,
                      status=FAILED)
    assert re.search(r"^  [3-5] studies were not started$", text.err, re.M), text


@pytest.mark.parametrize("command", ["download", "upload"])
def test_studies_that_an_interruption_leaves(igtcloud, cloud, tmp_path, command):
    """None of them has begun to move."""
    folder, project = tmp_path / "data", "six"
    if command == "upload":
        project = "in2"
        for n in range(6):
            (folder / "i" / f"s{n}").mkdir(parents=True)
            (folder / "i" / f"s{n}" / "a").write_bytes(b"x" * 1000)
    method = "GET" if command == "download" else "PUT"
    cloud.faults({"fault": "silence", "path": f"/{BUCKET}/**", "method": method, "times": 0, "seconds": 600})
    before = len(cloud.requests())
    process = igtcloud.start(command, "--json", "--concurrent-studies", "2", folder, project)
    cloud.wait_for(lambda: [r for r in cloud.requests()[before:] if r["path"].startswith(f"/{BUCKET}/")])
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    cloud.heal()
    done = Done([command], process.returncode, out, err.decode())
    assert done.summary["status"] == "IGT_E_CANCELLED", done
    assert done.summary["studiesNotStarted"] == counted(done.summary) == 6, done
    assert "6 studies were not started" in done.err, done


@pytest.mark.plain("a preloaded library, and the sanitizers want to be loaded first")
@pytest.mark.dynamic
@pytest.mark.parametrize("call", ["close", "sync"])
def test_quota_that_shows_late(igtcloud, out, call):
    """A network share reports it only on close or sync."""
    out.mkdir()
    done = over_quota(igtcloud, out, call, "download", "--json", "--no-journal", out, "p",
                      status=FAILED)
    assert "Disk quota exceeded" in done.error, done
    assert call == "sync" or not whole(out) and re.search(r"'i/(s|small)\b", done.error)
    igtcloud.run("download", out, "p")
    assert len(whole(out)) == 42


@pytest.mark.plain("a preloaded library, and the sanitizers want to be loaded first")
@pytest.mark.dynamic
@pytest.mark.parametrize("call", ["write", "create", "rename", "close", "sync"])
def test_quota_of_a_csv(igtcloud, out, call):
    """The old file stays."""
    igtcloud.run("csv", out, "p")
    (name,), old = tree(out), tree(out)
    done = over_quota(igtcloud, out, call, "csv", "--files", out, "p", status=FAILED)
    assert "Disk quota exceeded" in done.error and name in done.error, done
    assert tree(out) == old


# ---- limits of the system ----

@pytest.mark.parametrize("limit", [16, 24, 32, 48, 64])
def test_few_file_descriptors(igtcloud, out, limit):
    """With too few, each file that gets none fails; what is reported as done is complete."""
    done = limited(igtcloud, resource.RLIMIT_NOFILE, limit, "download", "--json", out, "p")
    assert done.status in (DONE, FAILED, SOME_FAILED)
    if done.status:
        # glibc's words, and musl's
        assert "too many" in done.err.lower() or "No file descriptors" in done.err, done
        done.error
    else:
        assert len(whole(out)) == 42
    if done.out:
        assert len(whole(out)) == done.summary["filesDone"]
    igtcloud.run("download", out, "p")
    assert len(whole(out)) == 42


def test_few_file_descriptors_for_an_upload(igtcloud, tmp_path):
    folder = tmp_path / "up/i/fds"
    folder.mkdir(parents=True)
    for n in range(60):
        (folder / f"{n}").write_bytes(b"x" * 1000)
    done = limited(igtcloud, resource.RLIMIT_NOFILE, 28, "upload", "--json", tmp_path / "up", "in")
    assert done.status in (DONE, FAILED, SOME_FAILED)
    igtcloud.run("upload", tmp_path / "up", "in")
    assert igtcloud.run("verify", "--json", tmp_path / "up", "in", "i",
                        status=None).summary["filesMissingThere"] == 0


@pytest.mark.plain("a small address space, and the sanitizers reserve terabytes")
@pytest.mark.parametrize("size", [40, 48, 56, 64, 80])
def test_little_memory(igtcloud, out, size):
    """Whatever fails for lack of memory says so, leaves complete files or none, and continues in the next
    run. (Debian 12's libcurl divides by zero when its memory ends within a timer.)"""
    done = limited(igtcloud, resource.RLIMIT_AS, size * MIB, "download", "--json", "--timeout", "5",
                   "--connections", "4", out, "p", signals=[signal.SIGFPE])
    if done.status == DONE:
        assert len(whole(out)) == 42
    else:
        assert done.err.strip()
    whole(out)
    igtcloud.run("download", out, "p")
    assert len(whole(out)) == 42


# ---- the journal ----

def test_journal_that_cannot_be_had(igtcloud, out, tmp_path):
    (tmp_path / "file").write_text("x")
    for n, path in enumerate((tmp_path / "file/journal", "/proc/none/journal", "/dev/full", tmp_path)):
        done = igtcloud.run("download", "--journal", path, out / str(n), "p")
        assert "continuing without it" in done.err and str(path) in done.err or n == 1
        assert len(whole(out / str(n))) == 42
    done = igtcloud.run("download", out / "home", "p", env={"HOME": "/proc/none"})
    assert "continuing without it" in done.err


def test_journal_of_a_newer_version(igtcloud, out):
    """It is left unchanged for the newer program."""
    igtcloud.run("download", out, "p")
    path = journal_of(igtcloud.home)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    before = path.read_bytes()
    done = igtcloud.run("download", out / "again", "p")
    assert "newer igtcloud" in done.err and "--journal" in done.err
    assert path.read_bytes() == before and len(whole(out / "again")) == 42


def ctime_of(file):
    """As the journal has it: Windows counts in 100 ns."""
    ns = file.stat().st_ctime_ns
    return ns // 100 * 100 if on_windows() else ns


def test_power_that_was_lost(igtcloud, out):
    """What a run of an earlier boot wrote and did not sync counts by its content, not its size."""
    igtcloud.run("download", out, "p")
    file = next(f for f in sorted(out.rglob("*")) if f.is_file() and f.name != "study.json")
    data, times = file.read_bytes(), file.stat()
    file.write_bytes(bytes(len(data)))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with contextlib.closing(sqlite3.connect(journal_of(igtcloud.home))) as db, db:
        # As if the run had seen it like this: the disk lost what was in memory, not what the program did.
        db.execute("UPDATE finished SET ctime=? WHERE name LIKE ?", (ctime_of(file), f"%{file.name}"))
    igtcloud.run("download", out, "p")
    assert file.read_bytes() == bytes(len(data))  # its size is right, and nothing casts doubt
    with contextlib.closing(sqlite3.connect(journal_of(igtcloud.home))) as db, db:
        assert db.execute("SELECT count(*) FROM run").fetchone() == (0,)
        db.execute("INSERT INTO run VALUES(?, '', 'another-boot', 1, ?)",
                   (shown(out.resolve()), int(time.time()) - 3600))
    done = igtcloud.run("download", out, "p")
    assert "an earlier run ended in a crash" in done.err
    assert file.read_bytes() == data


@pytest.mark.parametrize("damage", ["text", "head", "middle", "cut", "empty"])
def test_journal_that_is_damaged(igtcloud, out, damage):
    igtcloud.run("download", out, "p")
    path = journal_of(igtcloud.home)
    data = bytearray(path.read_bytes())
    if damage == "text":
        data = b"this is no database, and never was one\n" * 100
    elif damage == "head":
        data[:100] = os.urandom(100)
    elif damage == "middle":
        data[4096:] = os.urandom(len(data) - 4096)
    elif damage == "cut":
        data = data[:len(data) // 2]
    else:
        data = b""
    for tail in ("-wal", "-shm"):
        pathlib.Path(str(path) + tail).unlink(missing_ok=True)
    path.write_bytes(bytes(data))
    done = igtcloud.run("download", "--overwrite", out, "p")
    assert len(whole(out)) == 42
    if damage in ("text", "head", "middle"):
        assert "damaged" in done.err and path.with_name("journal.db.damaged").exists()
    done = igtcloud.run("download", out / "b", "p")
    assert "warning" not in done.err and "damaged" not in done.err


def test_journal_that_cannot_grow(igtcloud, out):
    """Without it the run continues, and says what that means."""
    done = limited(igtcloud, resource.RLIMIT_FSIZE, 100000, "download", "--json", out, "many")
    assert done.status == DONE and done.summary["filesDone"] == 1200
    assert "cannot be written" in done.err and "resume" in done.err


def test_journal_of_two_at_once(igtcloud, out):
    both = [igtcloud.start("download", out / str(n), "many") for n in range(2)]
    ends = [(p.communicate(timeout=60)[1].decode(), p.returncode) for p in both]
    assert [status for _, status in ends] == [0, 0], ends
    assert not [err for err, _ in ends if "journal" in err], ends


# ---- trees ----

def deep_folder(base, length):
    """Folders in folders, until the path is that long."""
    path = str(base)
    while len(path) < length - 2:
        name = "d" * min(200, length - len(path) - 1)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        os.mkdir(name, dir_fd=fd)
        os.close(fd)
        path += "/" + name
    return path


def test_target_and_source_of_4000_bytes(igtcloud, tmp_path):
    base = deep_folder(tmp_path, 3980)
    igtcloud.run("download", base + "/o", "p", "i")
    assert len(tree(base + "/o")) == 44
    igtcloud.run("verify", base + "/o", "p", "i")
    os.makedirs(base + "/u/i/deep")
    with open(base + "/u/i/deep/x", "w", encoding="ascii") as f:
        f.write("x")
    igtcloud.run("upload", base + "/u", "in2")
    igtcloud.run("verify", base + "/u", "in2")
    shutil.rmtree(tmp_path / os.path.relpath(base, tmp_path).split("/")[0])


def test_path_that_is_too_long_for_the_store(igtcloud, tmp_path):
    """S3 keys have at most 1,024 bytes: that file fails, the others are uploaded."""
    folder = tmp_path / "up/i/longpath"
    folder.mkdir(parents=True)
    (folder / "good").write_text("x")
    deep = deep_folder(folder, 3900)
    with open(os.path.join(deep, "x"), "w", encoding="ascii") as f:
        f.write("x")
    done = igtcloud.run("upload", "--json", tmp_path / "up", "in", status=SOME_FAILED)
    failed = [i for i in done.items if i["kind"] == "file" and i["result"] == "failed"]
    assert len(failed) == 1 and "1,024" in failed[0]["error"]
    assert done.summary["filesDone"] == 1
    shutil.rmtree(folder)


@pytest.mark.measures
def test_folder_of_100000_entries(igtcloud, tmp_path):
    """Each is examined, and memory stays small."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a disk takes its time
    up = pathlib.Path(tempfile.mkdtemp(dir=memory))
    folder = up / "i/s"
    folder.mkdir(parents=True)
    fd = os.open(folder, os.O_RDONLY)
    for n in range(100000):
        os.mknod(str(n), dir_fd=fd)
    os.close(fd)
    process = igtcloud.start("verify", "--quiet", "--report", tmp_path / "report", up, "p",
                             stderr=subprocess.DEVNULL)
    size = largest_size(process)
    shutil.rmtree(up)
    assert process.returncode == SOME_FAILED
    with open(tmp_path / "report", encoding="utf-8") as f:
        for line in f:
            total = line
    assert json.loads(total)["filesMissingThere"] == 100000
    assert 5 < size < (400 if SANITIZED else 80)


def test_sparse_file(igtcloud, tmp_path):
    """Its holes are zeroes there and here."""
    folder = tmp_path / "up/i/sparse"
    folder.mkdir(parents=True)
    with open(folder / "x", "wb") as f:
        f.truncate(20 * MIB)
        f.seek(9 * MIB)
        f.write(b"in the middle")
    assert os.stat(folder / "x").st_blocks * 512 < MIB
    igtcloud.run("upload", tmp_path / "up", "in")
    igtcloud.run("download", "--include", "x", tmp_path / "down", "in")
    data = (tmp_path / "down/i/sparse/x").read_bytes()
    assert data == (folder / "x").read_bytes()


@pytest.fixture
def shared():
    """A folder that another user can reach."""
    path = pathlib.Path(tempfile.mkdtemp(dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def as_nobody(igtcloud, shared, *arguments):
    (shared / "home").mkdir(exist_ok=True)
    if os.geteuid() == 0:
        os.chown(shared / "home", NOBODY, NOBODY)
    mine = Program(igtcloud.url, shared / "home")
    options = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    process = mine.start(*arguments, **options)
    out, err = process.communicate(timeout=60)
    return Done([str(a) for a in arguments], process.returncode, out, err.decode())


def test_unreadable_files_and_folders(igtcloud, shared):
    folder = shared / "up/i/unreadable"
    (folder / "closed").mkdir(parents=True)
    for name in ("good", "secret", "closed/x"):
        (folder / name).write_text("x")
    (folder / "secret").chmod(0)
    (folder / "closed").chmod(0)
    try:
        for command in ("upload", "verify"):
            done = as_nobody(igtcloud, shared, command, "--json", shared / "up", "in")
            assert done.status == SOME_FAILED, done
            failed = {i["path"]: i["error"] for i in done.items
                      if i["kind"] == "file" and i["result"] == "failed"}
            if command == "upload":
                assert set(failed) == {"secret", "closed"}
            assert all("ermission denied" in e for e in failed.values())
        assert done.summary["filesSame"] == 1
    finally:
        (folder / "closed").chmod(0o755)


def test_target_of_somebody_else(igtcloud, shared):
    (shared / "out").mkdir(mode=0o755)
    if os.geteuid():
        (shared / "out").chmod(0o555)
    done = as_nobody(igtcloud, shared, "download", shared / "out/new", "p")
    assert done.status == FAILED and str(shared / "out/new") in done.error
    assert "ermission denied" in done.error
    done = as_nobody(igtcloud, shared, "download", shared / "out", "p")
    assert done.status in (FAILED, SOME_FAILED) and "ermission denied" in done.err


def test_links_and_special_files(igtcloud, tmp_path):
    """Neither is sent; links are with --follow-links, but no loop and nothing that blocks."""
    folder = tmp_path / "up/i/links"
    (folder / "real").mkdir(parents=True)
    (folder / "real/x").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/y").write_text("y")
    (folder / "file-link").symlink_to(tmp_path / "elsewhere/y")
    (folder / "folder-link").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(".")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    (folder / "null").symlink_to("/dev/zero")
    listener = socket.socket(socket.AF_UNIX)
    old = os.getcwd()
    os.chdir(folder)
    try:
        listener.bind("socket")
    finally:
        os.chdir(old)
    done = igtcloud.run("upload", "--json", tmp_path / "up", "in")
    by_result = {i["path"]: i["result"] for i in done.items if i["kind"] == "file"}
    assert [p for p, r in by_result.items() if r == "done"] == ["real/x"]
    assert {p for p, r in by_result.items() if r == "ignored"} == {
        "file-link", "folder-link", "loop", "dangling", "null", "pipe", "socket"}
    done = igtcloud.run("upload", "--json", "--follow-links", tmp_path / "up", "in",
                        status=SOME_FAILED)
    by_result = {i["path"]: i["result"] for i in done.items if i["kind"] == "file"}
    assert {p for p, r in by_result.items() if r == "done"} == {"file-link", "folder-link/y"}
    assert {p for p, r in by_result.items() if r == "failed"} == {"loop", "dangling"}
    assert {p for p, r in by_result.items() if r == "ignored"} == {"pipe", "socket", "null"}
    listener.close()


def test_fifo_in_the_target(igtcloud, out):
    """What is no file is replaced or refused, and never waited for."""
    (out / "i/s").mkdir(parents=True)
    os.mkfifo(out / "i/s/good.txt")
    os.mkfifo(out / "i/s/.film.bin.igtpart")
    timer = threading.Timer(30, lambda: None)
    timer.start()
    try:
        done = igtcloud.run("download", out, "p", "i", status=None, timeout=30)
    finally:
        timer.cancel()
    assert done.status in (DONE, SOME_FAILED, FAILED)
    if done.status:
        done.error


# ---- what stands in the report and the journal ----

def rows(igtcloud):
    with contextlib.closing(sqlite3.connect(journal_of(igtcloud.home))) as db:
        return {key.rsplit("/", 1)[1]: rest for key, *rest in db.execute(
            "SELECT key, size, digest, verified, etag FROM file")}


def local_of(item):
    return item["local"].removeprefix(shown(""))


def test_every_file_has_size_digest_and_proof(igtcloud, out, tmp_path):
    """Of a download and of an upload: in the report, on standard output and in the journal."""
    report = tmp_path / "report"
    done = igtcloud.run("download", "--json", "--report", report, out, "p")
    assert report.read_bytes() == done.out
    files = [i for i in done.items if i["kind"] == "file"]
    known = rows(igtcloud)
    assert len(files) == 42 == len(known)
    for item in files:
        assert item["digest"] and item["verified"] and item["size"] == os.path.getsize(local_of(item))
        size, digest, verified, etag = known[item["path"]]
        assert (size, digest, verified) == (item["size"], item["digest"], item["verified"]) and etag
    for again in (["download", "--json"], ["download", "--json", "--checksum"]):
        skipped = [i for i in igtcloud.run(*again, out, "p").items if i["kind"] == "file"]
        assert {i["result"] for i in skipped} == {"skipped"}
        assert {i["path"]: (i["digest"], i["verified"]) for i in skipped} == {
            i["path"]: (i["digest"], i["verified"]) for i in files}
    (out / "i/s/good.txt").write_text("evil")
    again = igtcloud.run("download", "--json", out, "p").items  # of the same size, and another time
    assert [i["result"] for i in again if i.get("path") == "good.txt"] == ["done"]
    assert (out / "i/s/good.txt").read_text() == "good"
    folder = tmp_path / "up/i/proof"
    folder.mkdir(parents=True)
    (folder / "tiny").write_bytes(b"x")
    (folder / "large").write_bytes(b"y" * (9 * MIB))
    done = igtcloud.run("upload", "--json", tmp_path / "up", "in")
    known = rows(igtcloud)
    for item in (i for i in done.items if i["kind"] == "file"):
        assert item["digest"].startswith("sha256") and item["verified"] == "store"
        size, digest, verified, etag = known[item["path"]]
        assert (size, digest, verified) == (item["size"], item["digest"], "store") and etag
