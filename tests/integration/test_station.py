# SPDX-License-Identifier: MIT
"""`igtcloud station` against the sandbox: what it uploads, when, and what becomes of it afterwards."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from igtcloud import (DENIED, DONE, ENDING, FAILED, NOT_FOUND, SOME_FAILED, USAGE, environment, is_private, program,
                     shown)
from sandbox import ROOT
from test_disk import mounted
from test_disks import on
from uploads import MIB, Place, epd, igt, institute, pattern, put, seed

SEED = seed(*[epd(institute("lab"), institute("ward"), name=f"p{n}") for n in range(140)],
            igt(institute("lab"), name="patients"), services=[{"id": "station@all"}],
            users=[{"name": "demo@example.com", "password": "demo",
                    "roles": ["DATA_MANAGER", "SERVICES_MANAGER"]}])
RATE = 10  # station time runs this much faster


class Station:
    """One station on a folder of its own."""

    def __init__(self, cloud, home, project, *options, rate=RATE, **env):
        self.cloud, self.home, self.project = cloud, home, project
        self.folder = home.parent / "out"
        self.folder.mkdir(exist_ok=True)
        self.options, self.rate, self.env = options, rate, env
        self.key = cloud.data / "station@all.pem"
        self.process, self.log_path = None, home.parent / "station.log"

    def command(self, *more):
        return [program(), "station", str(self.folder), self.project, "--domain", self.cloud.url,
                "--service-file", str(self.key), "--settle", "3s", *map(str, self.options),
                *map(str, more)]

    def start(self, *more, **env):
        env = environment(self.home, IGTCLOUD_TEST_CLOCK_RATE=self.rate, **{**self.env, **env})
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(*more), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=env)
        return self

    def once(self, *more, status=DONE, **env):
        """Until nothing is left to do."""
        self.start("--once", *more, **env)
        assert self.process.wait(60) == status, self.log
        return self

    @property
    def log(self):
        return self.log_path.read_text("utf-8") if self.log_path.exists() else ""

    def wait_for(self, what, seconds=30):
        end = time.monotonic() + seconds
        while not (found := what()):
            assert self.process.poll() is None or what(), self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.02)
        return found

    def wait_for_log(self, text, count=1):
        return self.wait_for(lambda: self.log.count(text) >= count)

    def stop(self, number=ENDING):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                return self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        return self.process and self.process.returncode

    def tree(self, below=""):
        """Files, by name."""
        top, found = self.folder / below, {}
        for folder, _, names in os.walk(top):  # what is moved meanwhile is no error
            for path in (pathlib.Path(folder, n) for n in names):
                with contextlib.suppress(FileNotFoundError):
                    if ".igtcloud-station" not in path.parts and not path.is_fifo():
                        found[str(path.relative_to(top))] = path.read_bytes()
        return found

    def place(self, name="lab"):
        return Place(self.cloud, name, self.project)


numbers = iter(range(140))


@pytest.fixture
def station(cloud, home):
    cloud.clear()
    made = []

    def make(*options, **settings):
        project = f"p{next(numbers)}" if not made else made[0].project
        made.append(Station(cloud, home, project, *options, **settings))
        return made[-1]
    yield make
    for one in made:
        one.stop(signal.SIGKILL)
    cloud.clear()


def uploads_of(cloud, name):
    return cloud.requests(method="PUT", path=f"*/files/{name}*")


# ---- the way of a study ----

@pytest.mark.smoke
def test_studies_are_uploaded_verified_and_moved(station, cloud):
    s = station("--report", "-", "--json")
    put(s.folder, {"lab/one/a.bin": pattern(2 * MIB), "lab/one/sub/b.txt": "b", "lab/empty": None,
                   "ward/two/c.txt": "c", "lab/stray.txt": "stray", ".hidden/x/y": "y"})
    s.start()
    s.wait_for(lambda: set(s.tree("done")) == {"lab/one/a.bin", "lab/one/sub/b.txt", "ward/two/c.txt"})
    s.place().is_whole("one", {"a.bin": pattern(2 * MIB), "sub/b.txt": b"b"})
    s.place("ward").is_whole("two", {"c.txt": b"c"})
    assert s.place().names() == ["one"]  # an empty folder is not a study yet
    assert set(s.tree()) - {"done/" + n for n in s.tree("done")} == {"lab/stray.txt", ".hidden/x/y"}
    # A study that arrives meanwhile; inotify reports it.
    put(s.folder.parent, {"three/d.txt": "d"})
    os.rename(s.folder.parent / "three", s.folder / "lab/three")
    s.wait_for(lambda: "lab/three/d.txt" in s.tree("done"))
    assert s.stop() == 0 and "stopped: 3 uploaded, 0 failed" in s.log
    lines = [json.loads(line) for line in s.log.splitlines() if line.startswith("{")]
    lines = [line for line in lines if "kind" in line]  # the others warn of stray.txt
    assert {"time", "run", "cloud", "project", "user", "version"} <= set(lines[0])
    assert {i["path"] for i in lines if i["kind"] == "file"} >= {"a.bin", "sub/b.txt", "c.txt", "d.txt"}


def test_a_study_that_grows_waits(station, cloud):
    s = station(rate=1)
    s.options += ("--settle", "2s")
    path = put(s.folder, {"lab/slow/0": "0"}) / "lab/slow"
    s.start()
    for n in range(1, 5):
        time.sleep(0.7)
        (path / str(n)).write_text(str(n))
        assert not cloud.requests(method="PUT")
    s.wait_for(lambda: len(s.tree("done")) == 5)
    s.place().is_whole("slow", {str(n): str(n) for n in range(5)})


def test_a_file_that_is_open_for_writing_waits(station, cloud):
    s = station()
    put(s.folder, {"lab/open/a": "a", "lab/other/b": "b"})
    writer = subprocess.Popen(["/bin/sh", "-c", "exec 3>>a; read x"], cwd=s.folder / "lab/open",
                              stdin=subprocess.PIPE)
    try:
        s.start()
        s.wait_for(lambda: "lab/other/b" in s.tree("done"))
        time.sleep(0.6)  # twice as long as it has to be quiet
        assert not uploads_of(cloud, "a") and "lab/open/a" in s.tree()
    finally:
        writer.communicate(b"\n")
    s.wait_for(lambda: "lab/open/a" in s.tree("done"))


def test_partial_files_wait(station, cloud):
    s = station()
    put(s.folder, {"lab/copy/a.dcm.part": "half", "lab/other/b": "b"})
    s.start()
    s.wait_for(lambda: "lab/other/b" in s.tree("done"))
    assert "lab/copy/a.dcm.part" in s.tree()
    os.rename(s.folder / "lab/copy/a.dcm.part", s.folder / "lab/copy/a.dcm")
    s.wait_for(lambda: "lab/copy/a.dcm" in s.tree("done"))


def test_the_log_says_what_a_study_waits_for(station, cloud):
    """Once, after an hour; an empty folder loses nothing."""
    s = station(rate=5000)
    put(s.folder, {"lab/killed/x.tmp": "a", "lab/killed/b": "b", "lab/empty": None, "lab/open/film": "f"})
    with open(s.folder / "lab/open/film", "ab"):
        s.start()
        s.wait_for_log("lab/killed is waiting: x.tmp has the name of a file that is still being written")
        s.wait_for_log("lab/open is waiting: a program has one of its files open for writing")
        time.sleep(0.3)  # 25 min of the station's
    assert s.log.count("is waiting") == 2 and s.place().names() in ([], ["open"])
    (s.folder / "lab/killed/x.tmp").unlink()
    s.wait_for(lambda: s.place().names() == ["killed", "open"])


def test_what_cannot_be_moved_is_said_once(station, cloud):
    s = station(rate=1000)
    put(s.folder, {"lab/one/a": "a", "lab/two/study.json": "{", "done/lab": "no folder", "failed/lab": "no folder"})
    s.start()
    s.wait_for_log("lab/one cannot be moved to done")
    s.wait_for_log("lab/two cannot be moved to failed")
    time.sleep(0.3)  # 5 min of the station's
    assert s.log.count("it stays where it is") == 2
    for name in ("done", "failed"):
        (s.folder / name / "lab").unlink()
    s.wait_for(lambda: {"done/lab/one/a", "failed/lab/two/study.json"} <= set(s.tree()))
    s.wait_for(lambda: b"not JSON" in s.tree().get("failed/lab/two.reason", b""))  # written after the move


def test_dicom_beside_files_fails_at_once(station, cloud):
    s = station()
    put(s.folder, {"lab/mixed/files/a": "a", "lab/mixed/dicom/b": "b"})
    s.once(status=SOME_FAILED)
    text = (s.folder / "failed/lab/mixed.reason").read_text()
    assert "Why: b: it is in a folder for DICOM or annotations beside 'files'" in text and "after 1 attempt." in text


def test_written_to_during_the_upload(station, cloud):
    """It comes back, and the second version is what the cloud and done/ have."""
    s = station()
    cloud.faults({"fault": "silence", "method": "PUT", "path": "**/a", "seconds": 1, "times": 2})
    path = put(s.folder, {"lab/busy/a": "first"}) / "lab/busy/a"
    s.start()
    s.wait_for(lambda: cloud.planned()[0]["used"])
    path.write_text("second")
    s.wait_for(lambda: s.tree("done") == {"lab/busy/a": b"second"})
    s.place().is_whole("busy", {"a": "second"})


def test_a_hierarchical_tree_is_watched(station, cloud):
    s = station("--folder-structure", "hierarchical")
    put(s.folder, {"lab/P1/A/a": "a", "lab/P2/C/c": "c", "lab/P3/study.json": '{"name": "P3", "studyIdHumanReadable": "P3"}',
                   "lab/P3/d/e": "e"})
    s.once()
    assert set(s.tree("done")) == {"lab/P1/A/a", "lab/P2/C/c", "lab/P3/study.json", "lab/P3/d/e"}
    assert s.place().names() == ["P1", "P2", "P3"]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_which_come_first(station, order):
    """By the times of their files, not of their arrival."""
    s, ages = station("--order", order), [3, 1, 4, 0, 2]
    for n, age in enumerate(ages):
        path = put(s.folder, {f"lab/s{age}/f": str(n)}) / f"lab/s{age}/f"
        os.utime(path, (1600000000 - age * 100, 1600000000 - age * 100))
    s.once()
    begun = re.findall(r"^B 0 0 lab/s(\d)$", (s.folder / ".igtcloud-station/state").read_text(), re.M)
    assert begun == (list("01234") if order == "newest" else list("43210"))


def test_loose_files_are_named_once_and_counted(station, cloud):
    """Whoever puts a file beside the studies expects it to be uploaded."""
    port = free_port()
    s = station("--metrics", f"127.0.0.1:{port}", "--rescan", "1s")
    status = s.folder.parent / "status.json"
    put(s.folder, {"stray.dcm": "s", "lab/loose.txt": "l", "lab/Thumbs.db": "t", ".hidden": "h",
                   "lab/one/a": "a"})
    (s.folder / "lab/link").symlink_to(s.folder / "lab/one")
    s.start("--status-file", status)
    loose = "is not in the folder of a study and will not be uploaded"
    s.wait_for_log(loose, 3)
    put(s.folder, {"lab/late.txt": "l"})  # inotify reports it
    s.wait_for_log(loose, 4)
    count = lambda: status.exists() and json.loads(status.read_text())["looseFiles"]
    s.wait_for(lambda: count() == 4)
    assert check_open_metrics(get(f"http://127.0.0.1:{port}/metrics")[1])["loose_files"] == 4
    (s.folder / "stray.dcm").unlink()
    s.wait_for(lambda: count() == 3)
    assert s.stop() == 0 and s.log.count(loose) == 4
    assert all(s.log.count(f"{s.folder}/{n} {loose}") == 1
               for n in ["stray.dcm", "lab/loose.txt", "lab/link", "lab/late.txt"])


@pytest.mark.dynamic
@pytest.mark.plain("a preloaded library, and the sanitizers want to be loaded first")
@pytest.mark.parametrize("call, below", [("open", "lab"), ("read-folder", ""), ("read-folder", "lab")])
def test_a_folder_that_cannot_be_read_is_not_empty(station, cloud, call, below):
    s = station()
    put(s.folder, {"lab/one/a": "a", "ward/two/b": "b"})
    s.once(status=SOME_FAILED, **on(s.folder / below if below else s.folder, (call, errno.EIO)))
    where = s.folder / below if below else s.folder
    assert f"cannot read the folder {shown(where)}: " in s.log and "lab/one/a" in s.tree()
    s.once()
    assert set(s.tree("done")) == {"lab/one/a", "ward/two/b"}


def test_files_of_the_project_are_loose(station, cloud):
    s = station()
    put(s.folder, {"files/a": "a", "files/sub/b": "b", "lab/one/a": "a"})
    s.once()
    for name in ("files/a", "files/sub"):
        assert f"/{name} is not in the folder of a study and will not be uploaded" in s.log
    assert set(s.tree("files")) == {"a", "sub/b"}


def test_folders_of_a_nas_are_no_studies(station, cloud):
    """Nor are they moved to failed/: the NAS uses them."""
    code = (ROOT / "lib/transfer/engine/tree.c").read_text()
    names = re.findall(r'"([^"]+)"', code.split("names[] = {", 1)[1].split("};")[0])
    names = [n for n in names if n[0] != "." and not re.search(r"[:\\]", n)]
    assert {"@eaDir", "#recycle", "__MACOSX", "Thumbs.db"} <= set(names)
    s = station("--folder-structure", "hierarchical")
    places = [f"{above}{n}" for n in names for above in ("", "lab/", "lab/P/")]
    put(s.folder, {**{f"{p}/x/y": "c" for p in places[::2]}, "lab/P/one/a": "a"})
    s.start().wait_for_log("uploaded lab/P/one")
    put(s.folder, {**{f"{p}/x/y": "c" for p in places[1::2]}, "lab/P/two/a": "a"})
    s.wait_for_log("uploaded lab/P/two")
    assert s.stop() == 0 and " failed: " not in s.log and "not in the folder of a study" not in s.log
    assert set(s.tree()) == {"done/lab/P/one/a", "done/lab/P/two/a", *(f"{p}/x/y" for p in places)}


def test_many_loose_files_do_not_fill_the_log(station, cloud):
    s = station("--once")
    put(s.folder, {f"lab/{n}.dcm": "x" for n in range(130)})
    s.once()
    assert s.log.count(" is not in the folder of a study") == 100
    assert "30 more files are not in the folder of a study" in s.log


def test_several_folders(station, cloud, tmp_path):
    """Each with its own done/; only the institute that was named."""
    s = station("--folder", tmp_path / "second")
    put(s.folder, {"lab/one/a": "a", "ward/no/x": "x"})
    put(tmp_path / "second", {"lab/two/b": "b"})
    s.start("lab")
    s.wait_for(lambda: (tmp_path / "second/done/lab/two/b").exists() and "lab/one/a" in s.tree("done"))
    assert s.stop() == 0 and s.tree()["ward/no/x"] == b"x" and s.place().names() == ["one", "two"]


@pytest.mark.parametrize("outer, inner", [("", "lab"), ("lab/deep", ""), ("", "")])
def test_watched_folders_are_apart(station, outer, inner):
    """What is done in the inner one would be a study of the outer one."""
    s = station()
    put(s.folder, {"lab/one/a": "a", "lab/ward/x/b": "b", "lab/deep/lab/y/c": "c"})
    top, before, s.folder = s.folder, s.tree(), s.folder / outer
    s.once("--folder", top / inner, status=FAILED)
    assert "cannot both be watched" in s.log and s.place().names() == []
    s.folder = top
    assert s.tree() == before


def other_station(station, folder):
    other = station()
    other.folder, other.log_path = folder, other.home.parent / "other.log"
    return other


@pytest.mark.parametrize("inner", ["lab", "lab/one", "lab/one/deep"])
def test_no_station_below_another(station, inner):
    """Of two processes: the inner one is refused, and leaves nothing behind."""
    s = station()
    put(s.folder, {"lab/one/deep/a": None, "ward/x/b.part": "b"})
    s.start().wait_for_log("watching")
    other = other_station(station, s.folder / inner)
    before = sorted(s.folder.rglob("*"))
    other.once(status=FAILED)
    assert f"another station watches the folder '{shown(s.folder)}', which contains '{shown(other.folder)}'" in other.log
    assert sorted(s.folder.rglob("*")) == before
    assert s.stop() == 0


@pytest.mark.parametrize("inner, structure", [("lab", "flat"), ("lab/one", "flat"), ("lab/one/deep", "flat"),
                                              ("lab/P/x", "hierarchical"), ("lab/P", "hierarchical")])
@pytest.mark.parametrize("runs", [True, False])
def test_a_station_above_another(station, cloud, inner, structure, runs):
    """It leaves alone what the inner one watches, or did, and says so once; then it is as any other folder."""
    s = station("--folder-structure", structure, "--rescan", "2s")
    other = other_station(station, s.folder / inner)
    put(other.folder, {"lab/two/a.part": "a", "done/lab/one/a": "a"})
    put(s.folder, {"ward/x/b/c": "b"})
    other.start().wait_for_log("watching")
    if not runs:
        other.stop()
    s.start().wait_for_log("uploaded ward/x")
    left = f"{s.folder / inner} is left alone: a station watches it" if inner != "lab/one/deep" else \
        f"{s.folder}/lab/one is left alone: a station watches it or a folder in it"
    s.wait_for_log(left)
    assert s.place().names() == [] and (other.folder / "done/lab/one/a").exists()
    s.stop()
    s.once()
    assert s.log.count(left) == 2 and (other.folder / "done/lab/one/a").exists()
    if not runs:
        for name in (".igtcloud-station", "lab", "failed"):
            shutil.rmtree(other.folder / name)
        s.once()
        assert s.log.count(left) == 2 and s.place().names() != []


@pytest.mark.parametrize("option", ["--done-folder", "--failed-folder"])
@pytest.mark.parametrize("target, what", [
    (".", "is or contains the watched folder"), ("..", "is or contains the watched folder"),
    ("../second", "is or contains the watched folder"), ("../second/lab", "is in the watched folder"),
    ("../second/done", "is in the watched folder"), (".igtcloud-station", "is in the station's own folder"),
    (".igtcloud-station/deleting", "is in the station's own folder"),
    ("../third", "is in a folder that another station watches"), ("../third/lab/x", "is in a folder that another")])
def test_studies_are_never_moved_to_where_they_are_found(station, option, target, what):
    s, third = station(), other_station(station, station().folder.parent / "third")
    second = s.folder.parent / "second"
    put(s.folder, {"lab/one/a": "a"})
    put(second, {"lab/two/b": "b", "done": None})
    put(third.folder, {"lab/x": None})
    third.start().wait_for_log("watching")
    put(s.folder, {".igtcloud-station/deleting": None})
    os.chmod(s.folder / ".igtcloud-station", 0o700)
    s.once("--folder", second, option, target, status=FAILED)
    assert f"studies cannot be moved to '{shown(os.path.realpath(s.folder / target))}', which {what}" in s.log
    assert s.tree() == {"lab/one/a": b"a"} and s.place().names() == []


def test_folders_of_one_station_may_share_done(station, tmp_path):
    """Also beside the watched ones, and the usual done below them. Without a drive, it is on the current one."""
    s, second = station(), tmp_path / "second"
    put(s.folder, {"lab/one/a": "a"})
    put(second, {"lab/one/b": "b"})
    s.once("--folder", second, "--done-folder", tmp_path / "both")
    assert sorted(p.name for p in (tmp_path / "both/lab").iterdir()) == ["one", "one.2"]


def test_deleting_instead_of_moving(station, cloud):
    s = station("--when-done", "delete")
    put(s.folder, {"lab/one/a": "a", "lab/one/study.json": '{"name": "one"}'})
    s.once()
    assert s.tree() == {} and (s.folder / "lab").is_dir()
    s.place().is_whole("one", {"a": b"a"})


@pytest.mark.parametrize("deletes", [("--when-done", "delete"), ("--keep", "1d"), ("--quota", "1G"),
                                     ("--min-free", "1M")])
@pytest.mark.parametrize("leaves_out", ["--include", "--exclude"])
def test_what_filters_leave_out_is_never_deleted(station, deletes, leaves_out):
    """It is in no cloud: neither at once nor later, from done."""
    bad = station(*deletes, leaves_out, "*.tmp").once(status=USAGE)
    assert f"{deletes[0]} " in bad.log and "would delete files" in bad.log


def test_a_deletion_that_was_interrupted(station, cloud):
    """What the end of the machine left half deleted comes back, and never into another study."""
    s = station("--when-done", "delete")
    put(s.folder, {"lab/two/b": "new", ".igtcloud-station/deleting/whole.2.1/lab/one/a": "a",
                   ".igtcloud-station/deleting/whole.2.2/lab/two/b": "old",
                   ".igtcloud-station/deleting/whole.2.2/lab/two/c": "old",
                   ".igtcloud-station/deleting/whole.2.3/lab": None})
    s.once()
    s.place().is_whole("one", {"a": b"a"})
    s.place().is_whole("two", {"b": b"new"})
    left = s.folder / ".igtcloud-station/deleting"
    assert [p.name for p in left.iterdir()] == ["whole.2.2"] and "whole.2.2 contains a study" in s.log
    assert (left / "whole.2.2/lab/two/c").read_text() == "old"


def test_a_deletion_that_an_older_station_began(station, cloud):
    """Of which some files may be gone, and with study.json the name: it is no new study, and named at each start."""
    s = station("--when-done", "delete")
    deleting = s.folder / ".igtcloud-station/deleting"
    put(deleting, {"2.1/lab/one/a": "a", "3.7/lab": None})
    put(s.folder, {"lab/two/b": "b"})
    for n in (1, 2):
        s.once()
        assert s.log.count(f"{deleting}/2.1 contains a study that an older version began to delete") == n
    assert [p.name for p in deleting.iterdir()] == ["2.1"] and s.place().names() == ["two"]
    assert f"(igtcloud verify '{shown(deleting)}/2.1' '{s.project}')" in s.log


def test_the_advice_for_an_older_stations_deletion_works(station, igtcloud):
    s = station("--when-done", "delete")
    put(s.folder, {"lab/one/a": "a"})
    s.once()
    rest = s.folder / ".igtcloud-station/deleting/2.1"
    put(rest, {"lab/one/a": "a"})
    assert "1 identical file" in igtcloud.run("verify", rest, s.project).err
    put(rest, {"lab/one/b": "b"})
    igtcloud.run("verify", rest, s.project, status=SOME_FAILED)


def test_the_rest_of_a_deleted_study_is_never_uploaded(station, cloud):
    """Its study.json may be gone, without which it would be another study."""
    s = station("--when-done", "delete", "--trust-study-json")
    deep = "/".join("d" * 62)
    put(s.folder, {"lab/scan/a": "a", f"lab/scan/{deep}/b": "b", "lab/scan/study.json": '{"name": "real"}',
                   ".igtcloud-station/deleting/verified.1/lab/scan/a": "a",
                   ".igtcloud-station/deleting/verified.2": None})
    s.once()
    assert s.place().names() == ["real"] and s.tree() == {}
    assert "deleted the rest of a verified study" in s.log
    assert list((s.folder / ".igtcloud-station/deleting").iterdir()) == []


def test_killed_while_it_deletes(station, cloud):
    """Whatever is left then, it is no second study."""
    s = station("--when-done", "delete", "--trust-study-json", rate=100)
    files = {f"{n:03}": "x" for n in range(300)}
    put(s.folder, {"lab/scan/study.json": '{"name": "real"}', **{f"lab/scan/{n}": t for n, t in files.items()}})
    trash = s.folder / ".igtcloud-station/deleting"
    s.start()
    s.wait_for(lambda: not (s.folder / "lab/scan").exists())
    s.stop(signal.SIGKILL)
    s.once()
    s.place().is_whole("real", files)
    assert s.place().names() == ["real"] and s.tree() == {} and list(trash.iterdir()) == []


def killed_while_it_deletes_from_done(s, *options):
    """Once the first of many files is gone."""
    n = 1000
    put(s.folder, {"lab/scan/study.json": '{"name": "scan"}', **{f"lab/scan/{i:04}": "x" for i in range(n)}})
    s.once()
    scan = s.folder / "done/lab/scan"
    assert len(os.listdir(scan)) == n + 1
    s.start(*options)
    end = time.monotonic() + 60
    with contextlib.suppress(FileNotFoundError):
        while len(os.listdir(scan)) > n:
            assert s.process.poll() is None and time.monotonic() < end, s.log
    s.stop(signal.SIGKILL)


@pytest.mark.parametrize("limit", [("--quota", "1"), ("--keep", "1s"), ("--min-free", "1000T")])
def test_killed_while_it_deletes_from_done(station, cloud, limit):
    """The next start finishes it, with or without the option."""
    s = station()
    killed_while_it_deletes_from_done(s, *limit)
    cloud.clear()
    s.once()
    assert s.tree() == {} and list((s.folder / ".igtcloud-station/deleting").iterdir()) == []
    assert "was changed after its upload" not in s.log and not cloud.requests(method="PUT")
    s.once(*limit)
    assert "was changed after its upload" not in s.log and s.place().names() == ["scan"]


def test_done_below_an_institute(station, cloud):
    """The folder above it is not a study with everybody's files."""
    s = station("--done-folder", "lab/x/done")
    put(s.folder, {"lab/x/done": None, "lab/one/a": "a", "ward/two/b": "b"})
    s.once()
    assert set(s.tree("lab/x/done")) == {"lab/one/a", "ward/two/b"} and s.place().names() == ["one"]


def test_control_characters_in_a_reason(station, cloud):
    s, name = station(), "x\n\x1b[31mWhy: no reason"
    put(s.folder, {f"lab/{name}/a": "a"})
    os.symlink("/etc/hostname", s.folder / "lab" / name / "b\x1b]0;title\x07")
    s.once(status=SOME_FAILED)
    text = (s.folder / "failed/lab" / f"{name}.reason").read_text()
    assert text.startswith("lab/x\\x0a\\x1b[31mWhy: no reason was not uploaded") and "\x1b" not in text
    assert sum(line.startswith("Why: ") for line in text.splitlines()) == 1


def test_a_link_is_never_deleted(station, cloud):
    s = station("--when-done", "delete")
    put(s.folder, {"lab/linked/a": "a"})
    os.symlink("/etc/hostname", s.folder / "lab/linked/b")
    s.once(status=SOME_FAILED)
    assert os.path.islink(s.folder / "failed/lab/linked/b")
    assert "b: " in (s.folder / "failed/lab/linked.reason").read_text()


def test_links_fail_a_study_before_anything_is_sent(station, cloud):
    """Alone or beside files; and the advice is one that the station can follow."""
    s = station()
    put(s.folder, {"lab/mixed/a": "a", "lab/only": None, "lab/good/b": "b"})
    for name in ("mixed/sub.link", "only/link"):
        os.symlink("/etc/hostname", s.folder / "lab" / name)
    s.once(status=SOME_FAILED)
    assert s.place().names() == ["good"] and not uploads_of(cloud, "a")
    for name, link in (("mixed", "sub.link"), ("only", "link")):
        text = (s.folder / f"failed/lab/{name}.reason").read_text()
        assert f"\n\nWhy: {link}: " in text and "--follow-links" not in text
        assert "attempt" not in text and "was not uploaded to the project" in text
        assert os.path.islink(s.folder / "failed/lab" / name / link)


# ---- failures ----

def test_a_bad_study_json_fails_at_once(station, cloud):
    s = station()
    put(s.folder, {"lab/bad/study.json": "{", "lab/bad/x": "x",
                   "lab/odd/study.json": '{"name": ["list"]}', "lab/odd/x": "x"})
    s.once(status=SOME_FAILED)
    assert "attempt 1 of" not in s.log
    for name in ("bad", "odd"):
        text = (s.folder / f"failed/lab/{name}.reason").read_text()
        assert "study.json" in text and "after 1 attempt.\n" in text


def test_an_institute_left_out(station, cloud, tmp_path):
    """The first folder is a patient's then: it is in no event, and the advice does not fail again."""
    hook = tmp_path / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    s = station("--on-event", hook)
    put(s.folder, {"P-1001---Mustermann_Hans/series1/a.dcm": "a", "lob/P2---B/x": "x"})
    s.once(status=SOME_FAILED)
    events = [p.read_text() for p in tmp_path.glob("hook.*.json")]
    assert len(events) == 2 and "Mustermann" not in "".join(events)
    assert all(e["institute"] == "" and e["attempts"] == 1 for e in map(json.loads, events))
    text = (s.folder / "failed/lob/P2---B.reason").read_text()
    assert "did you mean 'lab'?\n" in text and "after 1 attempt.\n" in text
    assert f"What to do: move the folder below that of an institute of the project, to\n" \
           f"{s.folder}/INSTITUTE/P2---B\n" in text


def test_a_wrong_institute_ends_it_at_once(station, cloud):
    s = station().once("lap", status=NOT_FOUND)
    assert f"the project '{s.project}' has no institute 'lap'; did you mean 'lab'?\n" in s.log
    assert "studies are waiting" not in s.log
    s.once("lab")


def test_a_poisoned_study_does_not_hold_up_others(station, cloud):
    cloud.faults({"fault": "forbidden", "method": "PUT", "path": "**/poison*", "times": 0})
    s = station("--attempts", 2, "--order", "newest")
    put(s.folder, {"lab/good/a": "a", "lab/bad/poison": "p", "lab/worse/study.json": "{", "lab/worse/x": "x",
                   "nowhere/lost/x": "x"})
    s.once(status=SOME_FAILED)
    assert set(s.tree("done")) == {"lab/good/a"}
    reasons = {n: t.decode() for n, t in s.tree("failed").items() if n.endswith(".reason")}
    assert set(reasons) == {"lab/bad.reason", "lab/worse.reason", "nowhere/lost.reason"}
    assert "poison" in reasons["lab/bad.reason"] and "after 2 attempts" in reasons["lab/bad.reason"]
    assert "no institute 'nowhere'" in reasons["nowhere/lost.reason"]
    assert "move the folder back to" in reasons["lab/bad.reason"]
    assert set(s.tree("failed")) - set(reasons) == {
        "lab/bad/poison", "lab/worse/study.json", "lab/worse/x", "nowhere/lost/x"}
    # Put right and moved back, it goes up.
    cloud.clear()
    os.rename(s.folder / "failed/lab/bad", s.folder / "lab/bad")
    s.once()
    assert "lab/bad/poison" in s.tree("done")
    assert "lab/bad.reason" not in s.tree("failed") and "lab/worse.reason" in s.tree("failed")


def test_another_content_in_the_cloud_is_replaced(station, cloud, igtcloud):
    """A file of the same size was there: an upload leaves it, the comparison finds it."""
    s = station()
    put(s.folder.parent, {"before/lab/one/a": "AAAA"})
    igtcloud.run("upload", s.folder.parent / "before", s.project)
    put(s.folder, {"lab/one/a": "BBBB"})
    s.once()
    s.place().is_whole("one", {"a": b"BBBB"})
    assert s.tree("done") == {"lab/one/a": b"BBBB"}


def test_network_away(station, cloud):
    s = station(rate=100)
    s.start()
    s.wait_for_log("signed in")
    cloud.faults({"fault": "internal-error", "path": "/api/data/**", "times": 0})
    put(s.folder, {"lab/one/a": "a"})
    s.wait_for_log("studies are waiting")
    time.sleep(0.5)  # some pauses
    assert s.tree() == {"lab/one/a": b"a"} and s.log.count("studies are waiting") == 1
    cloud.heal()
    s.wait_for(lambda: s.tree("done") == {"lab/one/a": b"a"})
    assert "uploading again" in s.log


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_it_waits_without_work(station, cloud):
    """While studies are ready and a transfer waits for the cloud, the loop sleeps."""
    s = station()
    s.start()
    s.wait_for_log("signed in")
    cloud.faults({"fault": "internal-error", "path": "/api/data/**", "times": 0})
    put(s.folder, {f"lab/s{n}/a": "a" for n in range(50)})
    s.wait_for_log("studies are waiting")
    cloud.heal()
    cloud.faults({"fault": "silence", "path": "/api/data/**", "seconds": 2, "times": 3})
    s.wait_for(lambda: cloud.planned() and cloud.planned()[0]["used"])
    before = cpu_seconds(s.process.pid)
    time.sleep(1)
    assert cpu_seconds(s.process.pid) - before < 0.3
    s.wait_for(lambda: len(s.tree("done")) == 50)


def test_it_starts_without_the_network(station, cloud, home):
    s = station(rate=100)
    put(s.folder, {"lab/one/a": "a"})
    url = cloud.url
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        cloud.url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        try:
            s.start("--retries", 1)
        finally:
            cloud.url = url
        s.wait_for_log("watching")
        assert s.process.poll() is None and s.tree() == {"lab/one/a": b"a"}
        assert s.stop() == 0


@pytest.mark.parametrize("fault", ["forbidden", "proxy-page"])
def test_a_project_that_cannot_be_entered(station, cloud, fault):
    """A change of roles must not empty the queue into failed/."""
    s = station("--attempts", "1", rate=20)
    s.start()
    s.wait_for_log("signed in as")
    cloud.faults({"fault": fault, "method": "GET", "path": "/api/data/**", "times": 0})
    put(s.folder, {f"lab/s{n}/a": "a" for n in range(3)})
    s.wait_for_log("cannot upload: ")
    assert set(s.tree()) == {f"lab/s{n}/a" for n in range(3)}
    cloud.clear()
    s.wait_for(lambda: len(s.tree("done")) == 3)
    assert not s.tree("failed")


def test_mistakes_end_it_at_once(station, cloud, tmp_path):
    s = station()
    for options, status, text in (
            (["--metrics", "0.0.0.0:0"], USAGE, "can be reached from other machines"),
            (["--metrics", "9187"], USAGE, "is not an address"),
            (["--settle", "soon"], USAGE, "--settle"), (["--quota", "much"], USAGE, "--quota"),
            (["--on-event", "mail"], USAGE, "absolute path"),
            (["--on-event", "/no/such/mail"], USAGE, "'/no/such/mail' cannot be run: No such file"),
            (["--on-event", "/etc/passwd"], USAGE, "is it executable (chmod +x)?"),
            (["--when-done", "delete", "--quota", "1G"], USAGE, "leaves nothing there"),
            (["--when-done", "delete", "--keep", "3d"], USAGE, "--keep limits how long"),
            (["--done-folder", "/dev/shm"], FAILED, "another file system"),
            (["--service-file", tmp_path / "none.pem"], DENIED, "none.pem"),
            (["--folder", tmp_path / "none"], FAILED, "none")):
        s.once(*options, status=status)
        assert text in s.log, s.log
    s.project = "nobody's"
    s.once(status=NOT_FOUND)


# ---- it goes on where it was ----

def test_killed_in_the_middle(station, cloud):
    s = station()
    cloud.faults({"fault": "silence", "method": "PUT", "path": "**/a", "seconds": 30, "times": 2})
    put(s.folder, {"lab/one/a": "a", "lab/two/b": "b"})
    s.start()
    s.wait_for(lambda: cloud.planned()[0]["used"] and uploads_of(cloud, "b"))
    time.sleep(0.5)  # the journal is written some times a second
    s.stop(signal.SIGKILL)
    cloud.clear()
    s.once()
    assert set(s.tree("done")) == {"lab/one/a", "lab/two/b"}
    assert not uploads_of(cloud, "b")  # it had been uploaded before
    s.place().is_whole("one", {"a": b"a"})


def test_one_station_for_a_folder(station, cloud):
    s = station().start()
    s.wait_for_log("watching")
    other = station()
    other.log_path = other.home.parent / "other.log"
    other.once(status=FAILED)
    assert "another station watches" in other.log
    assert s.stop() == 0


def test_quota_of_done(station, cloud):
    s = station("--quota", "2500")
    for n in range(4):
        put(s.folder, {f"lab/s{n}/f": "x" * 1000})
        s.once()
    s.start()
    s.wait_for(lambda: len(s.tree("done")) == 2)
    assert set(s.tree("done")) == {"lab/s2/f", "lab/s3/f"}
    s.stop()
    # What somebody else has put there, or changed, is not deleted.
    put(s.folder, {"done/lab/mine/f": "y" * 9000})
    (s.folder / "done/lab/s2/f").write_text("changed")
    s.options = ("--quota", "1")
    s.start()
    s.wait_for(lambda: "lab/s3/f" not in s.tree("done"))
    assert set(s.tree("done")) == {"lab/mine/f", "lab/s2/f"}


def state_of(s):
    return s.folder / ".igtcloud-station/state"


def rewrite(s, pattern, with_what):
    """In the state file, while no station runs; as often as there are such lines."""
    text, count = re.subn(pattern, with_what, state_of(s).read_text(), flags=re.M)
    state_of(s).write_text(text)
    return count


def test_a_clock_that_jumps_makes_no_study_old(station, cloud):
    """While the station is away, or while it runs: all that it knows is a year before the clock."""
    s = station("--keep", "1d")
    put(s.folder, {"lab/one/a": "a"})
    s.once()
    earlier = lambda found: f"{found[1]} {int(found[2]) - 400 * 86400}"
    assert rewrite(s, r"^([KT]) (\d+)(?= )", earlier)
    s.once()
    assert set(s.tree("done")) == {"lab/one/a"} and "deleted" not in s.log
    # But what has passed counts.
    s.rate = 100000
    s.start()
    s.wait_for(lambda: not s.tree("done"))
    s.wait_for_log("deleted ")  # the move out of done comes first


@pytest.mark.parametrize("same_boot", [True, False])
def test_time_between_two_stations(station, same_boot):
    """The uptime of the machine tells; of another start of it, nothing does."""
    s = station("--keep", "60s", rate=1)
    s.options += ("--settle", "0s")
    put(s.folder, {"lab/one/a": "a"})
    s.once()
    boot = r"\2" if same_boot else "another"
    assert rewrite(s, r"^(T \d+ )\d+ (\S+)$", rf"\g<1>1 {boot}")  # just after the machine was started
    s.once()
    assert bool(s.tree("done")) != same_boot


def test_the_state_of_an_older_station(station):
    """It wrote the clock's time, which may have been any: all are as old as the newer station."""
    s = station("--keep", "1d")
    put(s.folder, {"lab/one/a": "a", "lab/two/b": "b"})
    s.once()
    rewrite(s, r"^T .*\n", "")
    times = iter(["1000", "99999999999"])
    assert rewrite(s, r"^K \d+", lambda _: f"K {next(times)}") == 2
    s.once()
    assert len(s.tree("done")) == 2
    s.rate = 100000
    s.start()
    s.wait_for(lambda: not s.tree("done"))


def test_damaged_lines_of_the_state(station, cloud):
    """They are skipped, counted, and not shown; the others hold."""
    s = station("--attempts", "3")
    put(s.folder, {"lab/one/a": "abc"})
    s.once()
    good = [line for line in state_of(s).read_text().splitlines() if line[0] in "TK"]
    bad = ["B 0 0 SECRET%4", "B 0 0 SECRET%", "B 1 -1 lab/SECRET", "B 99999999999999999999 0 lab/SECRET",
           "B 0", "K 1 1 18446744073709551615 a " + str(s.folder / "done/lab/SECRET"), "K -5 1 1 a x", "F ", "U %00",
           "E 1 1 x" + "y" * 30000, "SECRET", "B\t0 0 SECRET", "T 1", "K 1 1 1 0xSECRET x"]
    state_of(s).write_text("\n".join([*good, *bad, "E 2 0 lab/two", "X of a later version", "", "B 0 0 lab/cut%"]))
    cloud.faults({"fault": "forbidden", "method": "PUT", "path": "**/b", "times": 0})
    put(s.folder, {"lab/two/b": "b"})
    s.once("--quota", "1", status=SOME_FAILED)
    assert f"{len(bad)} damaged lines in {shown(state_of(s))}: " in s.log and "SECRET" not in s.log
    assert "after 3 attempts" in (s.folder / "failed/lab/two.reason").read_text()
    assert s.tree("done") == {}  # its own record was good
    s.once()
    assert s.log.count("damaged line") == 1


# ---- what others see of it ----

def get(url):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as r:
        return r.headers["Content-Type"], r.read().decode()


METRIC = re.compile(r'^igtcloud_station_[a-z_]+(\{[a-z]+="[^"]*"\})? [-+.e0-9]+$')


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def check_open_metrics(text):
    """The rules of OpenMetrics 1.0 that apply to it."""
    lines, families, values = text.splitlines(), {}, {}
    assert text.endswith("# EOF\n") and lines[-1] == "# EOF"
    for line in lines[:-1]:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in families
            families[family] = kind
        elif line.startswith("# UNIT "):
            assert line.split(" ")[2].endswith("_" + line.split(" ")[3])
        elif not line.startswith("# HELP "):
            assert METRIC.match(line), line
            name, value = line.rsplit(" ", 1)
            plain = name.split("{")[0]
            kind = families.get(plain) or families.get(plain.removesuffix("_total")) or \
                families.get(plain.removesuffix("_info"))
            assert kind and (kind == "counter") == plain.endswith("_total"), line
            values[name.removeprefix("igtcloud_station_")] = float(value)
    return values


def test_metrics_and_status(station, cloud):
    port = free_port()
    s = station("--metrics", f"127.0.0.1:{port}")
    status = s.folder.parent / "status.json"
    put(s.folder, {"lab/SECRET---NAME/a": "abc", "nowhere/x/y": "y"})
    s.start("--status-file", status)
    s.wait_for_log("uploaded lab/SECRET---NAME")
    s.wait_for_log("failed: ")
    kind, text = get(f"http://127.0.0.1:{port}/metrics")
    values = check_open_metrics(text)
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert values["uploaded_studies_total"] == 1 and values["uploaded_bytes_total"] == 3
    assert values["failed_studies_total"] == 1 and values["online"] == 1
    assert values["session_expiry_timestamp_seconds"] > time.time() and "SECRET" not in text
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"http://127.0.0.1:{port}/")
    # Those that connect and say nothing, or too much, hold up nobody.
    with contextlib.ExitStack() as open_ones:
        for n in range(6):
            c = open_ones.enter_context(socket.create_connection(("127.0.0.1", port)))
            c.sendall(b"GET /" + b"x" * 4000 if n % 2 else b"GET")
        assert get(f"http://127.0.0.1:{port}/metrics")[1].endswith("# EOF\n")
    found = s.wait_for(lambda: (t := json.loads(status.read_text()))["uploaded"] == t["failed"] == 1 and t)
    assert found["state"] == "idle" and found["project"] == s.project
    assert stat.S_IMODE(status.stat().st_mode) == 0o644 and "SECRET" not in status.read_text()
    assert s.stop() == 0 and json.loads(status.read_text())["state"] == "stopping"


HOOK = """#!/bin/sh
cat > "$0.$$.json"
env > "$0.$$.env"
[ -e "$0.hang" ] && sleep 60 & wait
exit 0
"""


def test_the_hook_gets_each_event(station, cloud, tmp_path):
    hook = tmp_path / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    s = station("--on-event", hook, SECRET="s3cret")
    put(s.folder, {"lab/P1---SECRET/a": "abc", "nowhere/P2---SECRET/y": "y"})
    s.once(status=SOME_FAILED)
    texts = [p.read_text() for p in tmp_path.glob("hook.*.json")]
    events = {e["event"]: e for e in map(json.loads, texts)}
    assert set(events) == {"uploaded", "failed"} and not any("SECRET" in t for t in texts)
    up, failed = events["uploaded"], events["failed"]
    assert (up["institute"], up["files"], up["bytes"], up["attempts"]) == ("lab", 1, 3, 1)
    assert up["studyDatabaseId"] == s.place().studies()[0]["studyDatabaseId"]
    assert failed["status"] == "IGT_E_NOT_FOUND" and up["run"] == failed["run"]
    for path in tmp_path.glob("hook.*.env"):
        assert "SECRET" not in path.read_text() and "IGTCLOUD" not in path.read_text()
    # Names only for those who ask; one that hangs is ended, and nothing waits for it.
    (tmp_path / "hook.hang").touch()
    put(s.folder, {"lab/P3---SECRET/a": "abc"})
    began = time.monotonic()
    s.once("--event-names", "--event-timeout", "1s")
    assert time.monotonic() - began < 15 and "ran longer than --event-timeout" in s.log
    assert any('"study":"lab/P3---SECRET"' in p.read_text() for p in tmp_path.glob("hook.*.json"))


def test_the_hook_hears_of_what_is_passed_over(station, cloud, tmp_path):
    """It is neither uploaded nor moved to failed/, so nobody would look for it."""
    hook = tmp_path / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    s = station("--on-event", hook)
    put(s.folder, {"stray-SECRET.dcm": "s", "lab/SECRET.txt": "l", "lab/one/a": "a"})
    s.once()
    texts = [p.read_text() for p in tmp_path.glob("hook.*.json")]
    events = [e for e in map(json.loads, texts) if e["event"] == "problem"]
    assert len(events) == 2 and not any("SECRET" in t for t in texts)
    assert {e["detail"] for e in events} == {"a file is not in the folder of a study"}
    assert {e["institute"] for e in events} == {"", "lab"} and all(e["attempts"] == 0 for e in events)


@pytest.mark.parametrize("hook", ["#!/bin/sh\nexit 0\n", "#!/bin/sh\nexec 0<&-\nexit 7\n", "#!/bin/sh\nread -n 1 x\n"])
def test_a_hook_need_not_read(station, tmp_path, hook):
    """Nothing waits for it, no SIGPIPE ends the station, and the next event follows."""
    (tmp_path / "hook").write_text(hook)
    (tmp_path / "hook").chmod(0o755)
    s = station("--on-event", tmp_path / "hook", "--event-names")
    put(s.folder, {f"lab/P{n}---{'x' * 200}/{'y' * 200}": "abc" for n in range(20)})
    s.once()
    assert len(s.place().studies()) == 20 and not list((s.folder / "failed").glob("*/*"))


# ---- the disk ----

def test_a_full_disk_stops_no_upload(station, cloud, tmp_path):
    """Nothing can be written: no state, journal, report, status or reason. A service cannot verify without its journal:
    no study fails because of that. Once there is space, all of it is written again."""
    with mounted(tmp_path / "small", "4m") as small:
        s = station("--report", small / "report", "--status-file", small / "status", rate=100, XDG_STATE_HOME=small)
        s.folder = small / "out"
        put(s.folder, {"lab/P1---a/a": "abc", "lab/P2---b/b": "abc", "nowhere/x/a": "x"})
        with contextlib.suppress(OSError), open(small / "fill", "wb", buffering=0) as fill:
            while True:
                fill.write(bytes(65536))
        s.start().wait_for_log("cannot be verified while the journal cannot be written")
        s.wait_for(lambda: len(uploads_of(cloud, "")) >= 2)
        for what in ("status file", "report", "journal"):
            assert len(re.findall(rf"{what}.*(No space left|disk is full)", s.log)) == 1, s.log
        s.wait_for(lambda: not (small / "status.new").exists())  # it is there while one is written
        assert list(s.tree("failed")) == ["nowhere/x/a"]
        (small / "fill").unlink()
        put(s.folder, {"lab/P3---c/c": "abc", "nowhere/y/a": "x"})
        s.wait_for(lambda: len(s.tree("done")) == 3)
        s.wait_for(lambda: "nowhere/y.reason" in s.tree("failed"))
        assert s.stop() == 0 and json.loads((small / "status").read_text())["uploaded"] == 3
        state = state_of(s).read_text()  # with what the full disk had refused
        assert len(re.findall("^K ", state, re.M)) == 3 and all(re.match(r"[BEFKT] \S", n) for n in state.splitlines())
        lines = [json.loads(line) for line in (small / "report").read_text().splitlines() if line]
        assert "P3/c" in {x["study"] for x in lines} or "P3---c" in {x["study"] for x in lines}, lines


def test_a_report_that_cannot_be_written(station):
    """As on a full disk, without one."""
    s = station("--report", "/dev/full")
    put(s.folder, {f"lab/P{n}---a/a": "abc" for n in range(5)})
    s.once()
    assert len(s.tree("done")) == 5
    assert s.log.count("cannot write the report '/dev/full': No space left on device") == 1, s.log


@pytest.mark.skipif("IGTCLOUD_BIN" in os.environ, reason="a static program loads no libraries")
def test_a_read_only_disk(station, cloud, tmp_path):
    """What was sent stays where it is, and is neither sent again nor lost; the hook hears of it."""
    hook = tmp_path / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    s = station("--on-event", hook)
    put(s.folder, {"lab/P1---a/a": "abc"})
    s.start(**on(s.folder / "done", ("rename", errno.EROFS)))
    s.wait_for_log("it stays where it is; retrying")
    assert "Read-only file system" in s.log and s.stop() == 0 and list(s.tree()) == ["lab/P1---a/a"]
    events = [json.loads(p.read_text()) for p in tmp_path.glob("hook.*.json")]
    assert [(e["event"], e["detail"]) for e in events] == \
        [("problem", "cannot be moved to done: Read-only file system")]
    cloud.clear()
    s.once()
    assert list(s.tree("done")) == ["lab/P1---a/a"] and not uploads_of(cloud, "a")


def test_a_disk_that_is_read_only_from_the_start(station, tmp_path):
    with mounted(tmp_path / "small", "4m") as small:
        s = station()
        s.folder = small
        put(s.folder, {"lab/P1---a/a": "abc"})
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        s.once(status=FAILED)
        assert "cannot keep the station's state" in s.log and "Read-only file system" in s.log


def datagrams(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(str(path))
    s.settimeout(20)
    return s


def until(sock, text):
    seen = []
    while text not in "".join(seen):
        seen.append(sock.recv(65536).decode("utf-8", "replace"))
    return "".join(seen)


def test_systemd_is_notified(station, cloud, tmp_path):
    with datagrams(tmp_path / "notify") as manager, datagrams(tmp_path / "journal") as journal:
        s = station(NOTIFY_SOCKET=tmp_path / "notify", WATCHDOG_USEC=300000,
                    IGTCLOUD_TEST_JOURNAL_SOCKET=tmp_path / "journal")
        put(s.folder, {"lab/one/a": "a", "nowhere/x/y": "y"})
        s.log_path.touch()
        st = s.log_path.stat()
        s.start(JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino}")
        assert "READY=1" in until(manager, "READY=1")
        text = until(journal, "uploaded lab/one")
        assert "PRIORITY=6\n" in text and "IGTCLOUD_STUDY=lab/one\n" in text
        assert "SYSLOG_IDENTIFIER=igtcloud\n" in text and "MESSAGE=watching" in text
        until(manager, "WATCHDOG=1")
        until(manager, "1 uploaded")
        s.process.send_signal(signal.SIGHUP)
        told = until(manager, "RELOADING=1")
        assert re.search(r"RELOADING=1\nMONOTONIC_USEC=\d+", told)
        until(manager, "READY=1")
        s.process.send_signal(signal.SIGTERM)
        until(manager, "STOPPING=1")
        assert s.process.wait(30) == 0


def test_sighup_reloads_the_configuration(station, cloud, home):
    config = home / ".config/igtcloud/config"
    put(config.parent, {"config": "[default]\nstation.attempts = 1\n"})
    report = home.parent / "report"
    s = station("--report", report)
    s.start()
    s.wait_for_log("watching")
    os.rename(report, home.parent / "report.1")  # as logrotate does
    config.write_text("[default]\nstation.order = oldest\n")
    s.process.send_signal(signal.SIGHUP)
    s.wait_for_log("configuration reloaded")
    put(s.folder, {"lab/one/a": "a"})
    s.wait_for(lambda: "lab/one/a" in s.tree("done"))
    assert '"path":"a"' in report.read_text()
    config.write_text("[default]\nstation.order = sideways\n")
    s.process.send_signal(signal.SIGHUP)
    s.wait_for_log("continues with the previous one")
    assert "restart" not in s.log and s.stop() == 0


def test_a_reload_names_the_settings_that_need_a_restart(station, cloud, home):
    config = home / ".config/igtcloud/config"
    put(config.parent, {"config": "[default]\nstation.order = oldest\n"})
    s = station()
    s.start()
    s.wait_for_log("watching")
    page = (ROOT / "docs/station.md").read_text("utf-8")
    listed = re.search(r"(`--folder`.*) are read at startup only", page, re.DOTALL).group(1)
    values = {"folder": home, "done-folder": home / "d", "failed-folder": home / "f", "metrics": "127.0.0.1:1",
              "metrics-anywhere": "true"}
    assert re.findall(r"`--([a-z-]+)`", listed) == list(values)
    for n, (name, value) in enumerate(values.items(), 1):
        config.write_text(f"[default]\nstation.{name} = {value}\n")
        s.process.send_signal(signal.SIGHUP)
        s.wait_for_log("configuration reloaded", n)
        s.wait_for_log(f"--{name} takes effect after a restart")
    config.write_text(f"[default]\nstation.folder = {home}\nstation.metrics = 127.0.0.1:1\n")
    s.process.send_signal(signal.SIGHUP)
    s.wait_for_log("--folder, --metrics take effect after a restart")
    assert s.stop() == 0


@pytest.mark.parametrize("line", ["station.order = sideways", "station.ca-file = /no/such.pem", "station.unknown = 1",
                                  "no line", "station.bwlimit = much", "station.on-event = mail", "station.report = /no/such/r",
                                  "station.connections = many"])
def test_a_mistake_in_the_configuration_changes_nothing(station, cloud, home, line):
    """Neither the report nor the hook nor the client, however often it is read; the next reload is as good as ever."""
    config, report = home / ".config/igtcloud/config", home.parent / "report"
    good = f"[default]\nstation.report = {report}\n"
    put(config.parent, {"config": good})
    s = station()
    s.start()
    s.wait_for_log("watching")
    for n in (1, 2):
        config.write_text(good)
        s.process.send_signal(signal.SIGHUP)
        s.wait_for_log("configuration reloaded", n)
        new = f"station.report = {home.parent}/new\n" if "report" not in line else ""
        config.write_text(f"[default]\n{new}{line}\n")
        for m in (1, 2):
            s.process.send_signal(signal.SIGHUP)
            s.wait_for_log("continues with the previous one", 2 * n - 2 + m)
        put(s.folder, {f"lab/s{n}/a{n}": "a"})
        s.wait_for_log(f"uploaded lab/s{n}")
        s.wait_for(lambda: f'"path":"a{n}"' in report.read_text())
        assert not (home.parent / "new").exists()
    assert s.stop() == 0


# ---- keys ----

def test_key_rotation(station, cloud, igtcloud, tmp_path):
    key = tmp_path / "station.pem"
    s = station(rate=100)
    igtcloud.run("service create", f"{s.project}/lab", "st", "--key-file", key)
    old = json.loads((tmp_path / "station.pem.info").read_text())["keys"][0]
    assert old["expiresOn"] and is_private(tmp_path / "station.pem.info")
    s.key, s.options = key, ("--user", old["serviceId"])
    s.start()
    s.wait_for_log("signed in as " + old["serviceId"])
    before = key.read_bytes()
    # A new key that does not sign in is not used.
    cloud.faults({"fault": "internal-error", "method": "POST", "path": "/api/auth/token**", "times": 0},
                 {"fault": "forbidden", "method": "GET", "path": "/api/auth/login/*", "times": 0})
    done = igtcloud.run("service rotate", f"{s.project}/lab", old["serviceId"], "--key-file", key,
                        "--retries", 0, status=None)
    assert done.status != 0 and key.read_bytes() == before and not list(tmp_path.glob("*.new"))
    cloud.clear()
    listed = igtcloud.run("service list", f"{s.project}/lab", "--json").lines
    assert [i["serviceId"] for i in listed] == [old["serviceId"]]
    done = igtcloud.run("service rotate", f"{s.project}/lab", old["serviceId"], "--key-file", key)
    new = done.text.strip()
    assert key.read_bytes() != before and is_private(key)
    listed = igtcloud.run("service list", f"{s.project}/lab", "--json").lines
    assert [i["serviceId"] for i in listed] == [new] and new != old["serviceId"]
    s.wait_for_log("was replaced")  # and goes on, although it was started as the old one
    put(s.folder, {"lab/one/a": "a"})
    s.wait_for(lambda: "lab/one/a" in s.tree("done"))
    igtcloud.run("service rotate", f"{s.project}/lab", old["serviceId"], "--key-file", key,
                 status=NOT_FOUND)
    igtcloud.run("service rotate", f"{s.project}/lab", new, "--key-file", tmp_path / "no.pem",
                 status=USAGE)


def test_the_key_of_another_is_not_replaced(station, igtcloud, tmp_path):
    """There is no copy of it."""
    place = f"{station().project}/lab"
    for name in "ab":
        igtcloud.run("service create", place, name, "--key-file", tmp_path / f"{name}.pem")
    info = json.loads((tmp_path / "a.pem.info").read_text())
    a, b = info["keys"][0]["serviceId"], tmp_path / "b.pem"
    before = b.read_bytes()
    done = igtcloud.run("service rotate", place, a, "--key-file", b, status=USAGE)
    assert f"not of '{a}'" in done.err
    for path in tmp_path.glob("*.info"):  # keys that the Python client made have no record
        path.unlink()
    done = igtcloud.run("service rotate", place, a, "--key-file", b, status=DENIED)
    assert "does not sign in as" in done.err and b.read_bytes() == before
    assert not list(tmp_path.glob("*.new"))
    assert len(igtcloud.run("service list", place, "--json").lines) == 2
    igtcloud.run("service rotate", place, "a", "--key-file", tmp_path / "a.pem")  # by its name
    assert not [i for i in igtcloud.run("service list", place, "--json").lines if i["serviceId"] == a]
    before = (tmp_path / "a.pem").read_bytes()
    igtcloud.run("service create", place, "a", "--key-file", tmp_path / "other.pem")
    done = igtcloud.run("service rotate", place, "a", "--key-file", tmp_path / "a.pem", status=FAILED)
    assert "2 service identities" in done.err and (tmp_path / "a.pem").read_bytes() == before
    done = igtcloud.run("service rotate", place, "c", status=NOT_FOUND)
    assert f"`igtcloud service list '{place}'` shows" in done.err


def test_expiry_is_warned_of(station, cloud, tmp_path, igtcloud):
    port = free_port()
    s = station("--metrics", f"127.0.0.1:{port}")
    key = tmp_path / "k.pem"
    igtcloud.run("service create", f"{s.project}/lab", "st", "--key-file", key)
    info = json.loads((tmp_path / "k.pem.info").read_text())
    s.key, s.options = key, (*s.options, "--user", info["keys"][0]["serviceId"])
    for days, warned in ((31, False), (29, True)):
        info["keys"][0]["expiresOn"] = time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86400 + 3600))
        (tmp_path / "k.pem.info").write_text(json.dumps(info))
        s.start()
        s.wait_for_log("watching", 1 + warned)
        s.wait_for(lambda: "key_expiry_timestamp" in get(f"http://127.0.0.1:{port}/metrics")[1])
        assert s.stop() == 0
        assert ("replace it with `igtcloud service rotate`" in s.log) == warned
        done = igtcloud.run("doctor", "--json", "--service-file", key, sign_in=False, status=None)
        check, = [line for line in done.lines if line.get("check") == "key"]
        assert check["result"] == ("warning" if warned else "ok") and f"in {days} days" in done.text


# ---- other commands' reports ----

def test_a_run_that_fails_early_has_a_report(cloud, igtcloud, tmp_path):
    put(tmp_path / "up", {"lab/one/a": "a"})
    for command, arguments in (("upload", [tmp_path / "up", "p0"]), ("verify", [tmp_path / "up", "p0"]),
                               ("download", [tmp_path / "down", "p0"])):
        report = tmp_path / f"{command}.jsonl"
        igtcloud.run(command, "--report", report, *arguments, "--service-file", tmp_path / "no.pem",
                     sign_in=False, status=DENIED)
        line, = map(json.loads, report.read_text().splitlines())
        assert line["kind"] == "summary" and line["status"] == "IGT_E_KEY" and "no.pem" in line["error"]
        assert line["cloud"] == cloud.url and line["project"] == "p0" and line["version"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"]) and len(line["run"]) == 16


def test_priorities_for_the_journal(cloud, igtcloud, tmp_path):
    """Of every command, while systemd's journal reads standard error."""
    path = tmp_path / "err"
    with open(path, "wb") as err:
        st = path.stat()
        process = igtcloud.start("ls", "nothing/here", stderr=err,
                                 env={"JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"})
        process.communicate(timeout=30)
    assert path.read_text().startswith("<3>igtcloud: ")


# ---- a folder in which others may write ----

@pytest.mark.parametrize("kind, name", [("done", "lab"), ("failed", "nolab")])
def test_a_planted_link_moves_no_study_out_of_the_folder(station, tmp_path, kind, name):
    s = station("--attempts", "1")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    put(s.folder, {kind: None, f"{name}/one/a.bin": "a"})
    os.symlink(elsewhere, s.folder / kind / name)
    s.start().wait_for_log(f"{name}/one cannot be moved to {kind}")
    s.stop()
    assert not any(elsewhere.iterdir()) and (s.folder / name / "one/a.bin").exists()


def test_a_planted_fifo_does_not_stop_the_station(station):
    s = station("--attempts", "1")
    put(s.folder, {"nolab/one/a.bin": "a", "failed/nolab": None})
    os.mkfifo(s.folder / "failed/nolab/one.reason")
    s.start()
    s.wait_for(lambda: b"no institute 'nolab'" in s.tree("failed").get("nolab/one.reason", b"")
               if "nolab/one/a.bin" in s.tree("failed") else False)
    put(s.folder, {"lab/two/a.bin": "a"})
    s.wait_for(lambda: "lab/two/a.bin" in s.tree("done"))


@pytest.mark.parametrize("way", ["beside", "through .."])
def test_a_state_that_names_other_folders_deletes_nothing_there(station, way):
    """As a copy of a watched folder has it, or one that somebody else has written."""
    s = station("--keep", "1d")
    put(s.folder, {"lab/one/a.bin": "a"})
    s.once()
    done, kept = s.folder / "done", s.folder.parent / "kept"
    os.rename(done, kept)
    state = s.folder / ".igtcloud-station/state"
    named = f"{done}/../../kept" if way == "through .." else str(kept)
    state.write_text(re.sub(r"(?m)^K \d+", "K 1000", state.read_text()).replace(str(done), named))
    assert f"{named}/lab/one" in state.read_text()
    s.once()
    assert (kept / "lab/one/a.bin").exists() and "deleted" not in s.log


def test_a_patients_folder_in_a_flat_tree(station, cloud):
    """Its studies would become one: it is failed, with the reason, and nothing is sent."""
    s = station()
    s.project = "patients"
    put(s.folder, {"lab/P20/CT/a": "a", "lab/P20/MR/b": "b"})
    s.once(status=SOME_FAILED)
    text = (s.folder / "failed/lab/P20.reason").read_text()
    assert "'CT'" in text and "hierarchical" in text and "after 1 attempt.\n" in text
    assert s.place().names() == []
