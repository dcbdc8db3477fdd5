# SPDX-License-Identifier: MIT
"""`igtcloud uploads`: what killed uploads have left in the store, and its end."""

import os
import shutil
import signal
import sqlite3
import subprocess

import pytest

from igtcloud import DENIED, FAILED, NOT_FOUND, SOME_FAILED, USAGE, Program, environment, shown
from sandbox import BUCKET
from uploads import Film, PART, SIZE, epd, institute, put, seed

LABS = 40
counter = iter(range(LABS))
SEED = seed(epd(*[institute(f"lab{n}") for n in range(LABS)]), epd(institute("lab"), name="other"))


@pytest.fixture
def film(cloud, tmp_path):
    return Film(cloud, tmp_path, f"lab{next(counter)}")


@pytest.fixture
def killed(cloud, igtcloud, film):
    """Two of its five parts are there."""
    film.interrupted(igtcloud, signal.SIGKILL)
    cloud.clear()
    return film


def listed(igtcloud, *options, **more):
    return igtcloud.run("uploads", "--json", *options, **more).lines


def journal(igtcloud):
    return f"{igtcloud.home}/.local/state/igtcloud/journal.db"


def journal_rows(igtcloud):
    with sqlite3.connect(journal(igtcloud)) as db:
        return db.execute("SELECT (SELECT count(*) FROM upload), (SELECT count(*) FROM part)").fetchone()


# ---- the list ----

@pytest.mark.smoke
def test_a_killed_upload_is_listed_and_goes_on(cloud, igtcloud, killed):
    one, = listed(igtcloud)
    upload, = killed.uploads()
    assert one["state"] == "resumable" and one["project"] == "up"
    assert one["place"] == f"up/{killed.lab}/case/files/film.bin"
    assert one["local"] == shown(killed.path) and one["key"] == upload["Key"]
    assert one["uploadId"] == upload["UploadId"]
    assert (one["size"], one["stored"], one["parts"]) == (SIZE, 2 * PART, 2)
    assert one["began"] <= one["worked"] and one["began"].endswith("Z")
    assert "error" not in one
    cloud.clear()
    igtcloud.run("upload", killed.top, "up")
    killed.is_whole()
    assert killed.parts() == [3, 4, 5]
    done = igtcloud.run("uploads")
    assert done.text == "" and "No unfinished uploads" in done.err


def test_looking_changes_nothing(cloud, igtcloud, killed):
    igtcloud.run("uploads")
    igtcloud.run("uploads", "--abort", "--dry-run")
    assert killed.stored() == [1, 2]
    assert {r["method"] for r in cloud.requests(path=f"/{BUCKET}/*")} == {"GET"}
    assert len(listed(igtcloud)) == 1


def test_the_list_for_pipes_terminals_and_programs(igtcloud, killed):
    """Tabs when piped, a table for users, the requested fields."""
    place = f"up/{killed.lab}/case/files/film.bin"
    state, began, *rest = igtcloud.run("uploads").text.rstrip("\n").split("\t")
    assert state == "resumable" and began.endswith("Z")
    assert rest == [str(SIZE), str(2 * PART), shown(killed.path), place]
    head, line = igtcloud.run("uploads", env={"IGTCLOUD_FORCE_TTY": "1"}).text.splitlines()
    assert head.split() == ["STATE", "SINCE", "SIZE", "STORED", "FILE", "PLACE"]
    assert "20.0 MiB" in line and "10.0 MiB" in line
    assert igtcloud.run("uploads", "--fields", "parts,place").text == f"2\t{place}\n"
    assert listed(igtcloud, "--fields", "parts") == [{"parts": 2}]
    done = igtcloud.run("uploads", "--fields", "colour", status=USAGE)
    assert "unknown field 'colour'" in done.err and "uploadId" in done.err


@pytest.mark.case("transfers-30")
@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_output_that_cannot_be_written(igtcloud, killed, arguments, redirection):
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *map(str, igtcloud.command("uploads", *arguments))]
    done = subprocess.run(command, input=b"demo\n", capture_output=True, env=environment(igtcloud.home),
                          timeout=60, check=False)
    assert done.returncode == FAILED and b"cannot write" in done.stderr, done


def test_of_one_project(igtcloud, killed):
    assert len(listed(igtcloud, "up")) == 1
    done = igtcloud.run("uploads", "other")
    assert done.text == "" and "No unfinished uploads" in done.err


@pytest.mark.parametrize("file, options, place", [
    ("files/film.bin", [], "up/files/film.bin"),
    ("{lab}/deep/film.bin", ["--category", "dicom"], "up/{lab}/dicom/deep/film.bin")])
def test_places(cloud, igtcloud, film, file, options, place):
    shutil.rmtree(film.top)
    put(film.top, {file.format(lab=film.lab): film.content})
    film.interrupted(igtcloud, signal.SIGKILL, *options)
    one, = listed(igtcloud, "up")
    assert one["place"] == place.format(lab=film.lab) and one["stored"] == 2 * PART
    igtcloud.run("uploads", "--abort", "--yes")
    assert listed(igtcloud) == [] and film.all_uploads(one["key"]) == []


# ---- the end ----

def test_ended_uploads_are_gone_and_the_next_begins_anew(cloud, igtcloud, killed):
    one, = listed(igtcloud, "--abort", "--yes")
    assert one["state"] == "ended"
    assert killed.uploads() == [] and listed(igtcloud) == []
    assert journal_rows(igtcloud) == (0, 0)
    cloud.clear()
    igtcloud.run("upload", killed.top, "up")
    killed.is_whole()
    assert killed.parts() == [1, 2, 3, 4, 5]


def test_nobody_to_ask(igtcloud, killed):
    done = igtcloud.run("uploads", "--abort", status=USAGE)
    assert "--yes" in done.err and killed.stored() == [1, 2]


@pytest.mark.parametrize("answer, status", [("n", FAILED), ("y", 0)])
def test_it_asks(igtcloud, killed, answer, status):
    question = r"The store holds 10.0 MiB of 1 unfinished upload. 1 of them can still be resumed. Abort it\?"
    ended, screen = igtcloud.on_terminal("uploads", "--abort", answers=[(question, answer)])
    assert ended == status and str(killed.path) in screen
    assert len(killed.uploads()) == len(listed(igtcloud)) == (0 if answer == "y" else 1)


def test_one_under_way_is_left_alone(cloud, igtcloud, film):
    cloud.faults({"fault": "silence", "method": "PUT", "path": "**/film.bin", "skip": 2,
                  "seconds": 600})
    process = igtcloud.start("upload", "--connections", "1", film.top, "up")
    cloud.wait_for(lambda: len(film.parts()) == 2)
    assert listed(igtcloud)[0]["state"] == "running"
    done = igtcloud.run("uploads", "--abort", "--yes", "--json")
    assert done.lines[0]["state"] == "running" and "Skipped 1 upload in progress" in done.err
    assert process.poll() is None
    assert not cloud.requests(method="DELETE", path="*/film.bin")
    cloud.heal()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    film.is_whole()
    assert film.parts() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("change", ["removed", "other", "shorter"])
def test_lost_ones(igtcloud, killed, change):
    assert listed(igtcloud, "--lost") == []
    if change == "removed":
        killed.path.unlink()
    else:
        killed.path.write_bytes(killed.content[:SIZE if change == "other" else 10])
    assert [one["state"] for one in listed(igtcloud, "--lost")] == ["lost"]
    assert len(listed(igtcloud, "--lost", "--abort", "--yes")) == 1
    assert killed.uploads() == [] and listed(igtcloud) == []


@pytest.mark.case("transfers-8")
def test_another_inode_is_not_lost(igtcloud, killed):
    """A copy of the same size and time: the stored parts are compared with it when it is resumed."""
    shutil.copy2(killed.path, killed.top / "other")
    os.replace(killed.top / "other", killed.path)
    assert listed(igtcloud, "--lost") == []
    assert [one["state"] for one in listed(igtcloud)] == ["resumable"]


def test_what_may_go_on_is_not_lost(igtcloud, killed):
    # Another inode alone says nothing: not every file system keeps its numbers.
    shutil.copy2(killed.path, killed.top / "other")
    os.replace(killed.top / "other", killed.path)
    done = igtcloud.run("uploads", "--lost", "--abort", "--yes")
    assert "No unfinished uploads match" in done.err and killed.stored() == [1, 2]


def test_older_than(igtcloud, killed):
    """By the last part that was stored, not by the first."""
    assert listed(igtcloud, "--older-than", "1") == []
    for column, found in (("began", 0), ("worked", 1)):
        with sqlite3.connect(journal(igtcloud)) as db:
            db.execute(f"UPDATE upload SET {column} = {column} - 3 * 86400 - 60")
        assert len(listed(igtcloud, "--older-than", "3")) == found
    assert listed(igtcloud, "--older-than", "4") == []
    with sqlite3.connect(journal(igtcloud)) as db:  # of an earlier version
        db.execute("UPDATE upload SET began = NULL, worked = NULL")
    assert listed(igtcloud, "--older-than", "1") == [] and listed(igtcloud)[0]["began"] is None


def test_what_the_store_has_forgotten(cloud, igtcloud, killed):
    upload, = killed.uploads()
    cloud.boto3().abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"],
                                         UploadId=upload["UploadId"])
    one, = listed(igtcloud)
    assert (one["state"], one["stored"]) == ("gone", 0)
    one, = listed(igtcloud, "--abort", "--yes")
    assert one["state"] == "ended" and listed(igtcloud) == []


def test_an_earlier_versions_upload(igtcloud, killed):
    """It says no prefix: the object's folder serves."""
    with sqlite3.connect(journal(igtcloud)) as db:
        db.execute("UPDATE upload SET prefix = NULL, project = NULL, place = NULL, began = NULL")
    one, = listed(igtcloud)
    assert one["state"] == "resumable" and one["place"] is None
    assert igtcloud.run("uploads").text.rstrip("\n").split("\t")[-1] == one["key"]
    igtcloud.run("uploads", "--abort", "--yes")
    assert killed.uploads() == []


# ---- what goes wrong ----

def test_no_such_project(igtcloud, killed):
    done = igtcloud.run("uploads", "--abort", "--yes", "nowhere", status=NOT_FOUND)
    assert "'nowhere'" in done.err and killed.stored() == [1, 2]


def test_who_is_not_known(cloud, igtcloud, killed):
    stranger = Program(cloud.url, igtcloud.home, password="wrong")
    stranger.run("uploads", "--abort", "--yes", status=DENIED)
    assert killed.stored() == [1, 2]


def test_the_store_refuses(cloud, igtcloud, killed):
    """An error, the exit status of a partial failure, and it stays in the list."""
    cloud.faults({"fault": "forbidden", "method": "DELETE", "path": "**/film.bin", "times": 0})
    done = igtcloud.run("uploads", "--abort", "--yes", "--json", status=SOME_FAILED)
    assert f"the upload of '{shown(killed.path)}' was not aborted: " in done.err and "Aborted 0 uploads" in done.err
    one, = done.lines
    assert one["state"] == "resumable" and one["status"] == "IGT_E_FORBIDDEN" and one["error"]
    assert killed.stored() == [1, 2] and journal_rows(igtcloud)[0] == 1
    cloud.clear()
    igtcloud.run("uploads", "--abort", "--yes")
    assert killed.uploads() == []


def test_the_cloud_gives_no_credentials(cloud, igtcloud, killed):
    cloud.faults({"fault": "forbidden", "path": "**/s3credentials", "times": 0})
    for options in ([], ["--abort", "--yes"]):
        done = igtcloud.run("uploads", "--json", *options, status=SOME_FAILED)
        assert str(killed.path) in done.err
        one, = done.lines
        assert one["state"] == "unknown" and one["status"] == "IGT_E_FORBIDDEN"
    cloud.clear()
    assert killed.stored() == [1, 2] and len(listed(igtcloud)) == 1


def test_one_that_cannot_be_queried_does_not_hold_up_others(cloud, igtcloud, film):
    put(film.top, {f"{film.lab}/case/second.bin": film.content})
    cloud.faults({"fault": "reset", "method": "PUT", "path": "**/*.bin", "skip": 2, "times": 0})
    process = igtcloud.start("upload", "--retries", "0", film.top, "up")
    process.communicate(timeout=60)
    cloud.clear()
    cloud.faults({"fault": "internal-error", "method": "GET", "path": "**/film.bin", "times": 0})
    done = igtcloud.run("uploads", "--json", "--retries", "0", status=SOME_FAILED)
    states = {one["local"].rsplit("/", 1)[1]: one["state"] for one in done.lines}
    assert states == {"film.bin": "unknown", "second.bin": "resumable"}
    assert len(cloud.requests(path="*/s3credentials")) == 1  # one serves the study


def test_a_journal_that_is_newer(igtcloud, killed):
    with sqlite3.connect(journal(igtcloud)) as db:
        db.execute("PRAGMA user_version = 99")
    done = igtcloud.run("uploads", status=FAILED)
    assert "newer igtcloud" in done.err


def test_a_journal_that_is_damaged(igtcloud, killed):
    """What it knew is not in the list, and that is said."""
    for tail in ("-wal", "-shm"):  # a kill leaves them, and SQLite mends with them
        os.unlink(journal(igtcloud) + tail)
    with open(journal(igtcloud), "wb") as f:
        f.write(b"not a database " * 1000)
    done = igtcloud.run("uploads")
    assert "damaged" in done.err and ".damaged" in done.err
