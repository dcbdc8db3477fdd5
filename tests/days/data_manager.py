#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A data manager's day: 40 studies arrive on a disk, with mistakes in them, and have to be in the cloud
by the evening, each under its own patient; then a cohort of them is published.

    tests/days/data_manager.py      # with the programs in build/, or in the PATH

The mistakes: an institute misspelt, the study.json of another patient's study, a study.json that is no
JSON, a file that is still being written, clutter of a Mac, files that do not belong in the cloud, a
link, a name that no cloud can have, a study that a colleague has begun, and a file that is damaged
afterwards."""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from igtcloud import Program  # noqa: E402
from sandbox import Sandbox  # noqa: E402

STUDIES = 40
SEED = {"users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
        "projects": [{"name": "trial", "institutes": [
            {"name": "Hospital North", "studies": [
                {"id": "study-p05", "class": "Study", "patient": {"patientId": "P05", "patientName": "P05"}, "studyId": "CT",
                 "files": [{"path": "report.txt", "text": "the colleague's"}]}]},
            {"name": "Hospital South"}]}]}


def say(text):
    print(f"== {text}", flush=True)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def content(n, name):
    return f"study {n:02}, {name}\n".encode() * (200 + n)


def fill(disk):
    """What arrived: 40 studies in two institutes."""
    for n in range(STUDIES):
        place = "Hospital North" if n % 2 else "Hospital South"
        study = disk / place / f"P{n:02}---CT"
        for name in ("series1/1.dcm", "series1/2.dcm", "report.txt"):
            write(study / name, content(n, name))
    return disk


def spoil(disk):
    """The mistakes. Returns the files that must not be in the cloud."""
    (disk / "Hospital South").rename(disk / "Hospitl South")
    north = disk / "Hospital North"
    write(north / "P07---CT/study.json", json.dumps({"studyIdHumanReadable": "P05/CT",
                                                      "studyDatabaseId": "study-p05"}))
    write(north / "P11---CT/study.json", "{ no json")
    write(north / "P13---CT/._report.txt", "clutter")
    write(north / "P13---CT/raw/dump.bin", b"x" * 300000)
    write(north / "P15---CT/notes.tmp", "scratch")
    (north / "P17---CT/link.dcm").symlink_to("/etc/hostname")
    write(north / os.fsdecode(b"P19---CT/bad\xff.dcm"), "bad name")
    fresh = north / "P21---CT/series1/3.dcm"
    fresh.write_bytes(b"still being written")
    return ["dump.bin", "notes.tmp", "link.dcm", "._report.txt", "hostname"]


def failures(done):
    return {(i["study"], i.get("path", "")): i.get("error", "") for i in done.items if i["result"] == "failed"}


RULES = "# only what belongs to a study\n- raw/\n- *.tmp\n"


def upload(igtcloud, disk, tmp, status):
    return igtcloud.run("sync", "--json", "--filter-from", tmp / "rules.txt", "--min-age", "10m", disk,
                        "igt:trial", status=status)


def morning(igtcloud, disk, tmp):
    say("a look at the plan: nothing is sent, and the mistakes show")
    (tmp / "rules.txt").write_text(RULES)
    done = igtcloud.run("sync", "--dry-run", "--filter-from", tmp / "rules.txt", "--min-age", "10m", disk,
                        "igt:trial", status=3)
    assert "did you mean 'Hospital South'?" in done.err, done
    assert "dump.bin" not in done.text and "notes.tmp" not in done.text
    plan = [line.split("\t") for line in done.text.splitlines()]
    assert {row[0] for row in plan} == {"create", "upload"} and all(row[2] == "Hospital North" for row in plan)

    say("the first run: what is right goes up, every mistake is named, exit 3")
    done = upload(igtcloud, disk, tmp, 3)
    failed = failures(done)
    text = json.dumps(done.items, ensure_ascii=False)
    assert any("Hospitl South" in json.dumps(i) for i in done.items if i["result"] == "failed")
    assert sum("P11" in study for study, _ in failed) and sum("P07" in study for study, _ in failed), list(failed)
    assert "bad" in text and done.summary["filesYoung"] == 1 and done.summary["filesClutter"] == 1
    assert done.summary["studiesCreated"] >= 15, done.summary


def mend(disk):
    say("the mistakes are corrected on the disk")
    (disk / "Hospitl South").rename(disk / "Hospital South")
    north = disk / "Hospital North"
    (north / "P07---CT/study.json").unlink()
    (north / "P11---CT/study.json").unlink()
    os.rename(north / os.fsdecode(b"P19---CT/bad\xff.dcm"), north / "P19---CT/bad.dcm")
    os.utime(north / "P21---CT/series1/3.dcm", (time.time() - 3600,) * 2)


def noon(igtcloud, disk, tmp, unwanted):
    mend(disk)
    done = upload(igtcloud, disk, tmp, 0)
    assert done.summary["filesFailed"] == 0
    again = upload(igtcloud, disk, tmp, 0)
    assert again.summary["filesDone"] == 0 and again.summary["studiesCreated"] == 0, again.summary

    say("everything is under its own patient, once")
    rows = igtcloud.run("csv", "--files", "-", "trial").text
    assert not [name for name in unwanted if name in rows]
    listed = [line.split("\t")[-1] for place in ("North", "South")
              for line in igtcloud.run("ls", f"trial/Hospital {place}").text.splitlines()]
    assert sorted(line.split("/")[0] for line in listed) == [f"P{n:02}" for n in range(STUDIES)], listed
    igtcloud.run("verify", "--filter-from", tmp / "rules.txt", disk, "trial")


def afternoon(igtcloud, disk, tmp):
    say("a cohort is sealed, fetched by its manifest alone, and proved without the cloud")
    (tmp / "cohort.txt").write_text("".join(f"P{n:02}/CT\n" for n in range(10, 20)))
    done = igtcloud.run("manifest", "trial", "--studies-from", tmp / "cohort.txt", "--include", "*.dcm")
    manifest = tmp / "cohort.jsonl"
    manifest.write_bytes(done.out)
    copy = tmp / "copy"
    igtcloud.run("download", "--manifest", manifest, copy)
    found = sorted(p.relative_to(copy) for p in copy.rglob("*.dcm"))
    assert len(found) == 21, found
    for path in found:
        assert (copy / path).read_bytes() == (disk / path).read_bytes(), path
    igtcloud.run("verify", "--manifest", manifest, copy, sign_in=False)
    damaged = copy / found[0]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    done = igtcloud.run("verify", "--json", "--manifest", manifest, copy, sign_in=False, status=3)
    assert [i["path"] for i in done.items if i["result"] == "different" and i["kind"] == "file"] == [
        "series1/1.dcm"]
    igtcloud.run("download", "--manifest", manifest, copy)
    igtcloud.run("verify", "--manifest", manifest, copy, sign_in=False)


def evening(igtcloud, tmp):
    say("the archive follows the cloud: what was withdrawn there is deleted here, after a look at the plan")
    archive = tmp / "archive"
    igtcloud.run("sync", "igt:trial", archive)
    igtcloud.run("rm", "--yes", "trial/Hospital North/P21/CT/files/series1/3.dcm")
    done = igtcloud.run("sync", "--dry-run", "--delete", "igt:trial", archive)
    assert [line.split("\t")[0::5] for line in done.text.splitlines()] == [["delete", "series1/3.dcm"]], done
    done = igtcloud.run("sync", "--json", "--delete", "igt:trial", archive)
    assert done.summary["filesDeleted"] == 1
    igtcloud.run("verify", archive, "trial")


def main():
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="igtcloud-day-"))
    try:
        (tmp / "seed.json").write_text(json.dumps(SEED))
        (tmp / "home").mkdir()
        with Sandbox(seed=tmp / "seed.json") as sandbox:
            igtcloud = Program(sandbox.url, tmp / "home")
            disk = fill(tmp / "disk")
            unwanted = spoil(disk)
            morning(igtcloud, disk, tmp)
            noon(igtcloud, disk, tmp, unwanted)
            afternoon(igtcloud, disk, tmp)
            evening(igtcloud, tmp)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    say("done")


if __name__ == "__main__":
    main()
