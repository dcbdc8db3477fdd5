# SPDX-License-Identifier: MIT
"""`igtcloud download` against the sandbox: each option, large objects, existing files."""

import calendar
import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import time

import pytest

from igtcloud import Program, SOME_FAILED, USAGE, NOT_FOUND, shown, tree
from rest_client import RestClient
from sandbox import BUCKET, Sandbox
from uploads import patient_study

MIB = 1024 * 1024
# An institute's studies, whose categories, dates and names are what a tree can have.
NORTH = [
    patient_study("P1", "A", studyDate="2024-03-01T23:30:00+00:00", files=[
        {"path": "notes.txt", "text": "first"},
        {"path": "deep/er/film.bin", "size": 100000},
        {"path": "Übung 1.TXT", "text": "zwei"},
        {"path": "empty", "size": 0},
        {"path": "half.txt", "text": "later", "completed": False},
        {"path": "1.dcm", "size": 1000, "category": "dicom"},
        {"path": "vessel.json", "text": "{}", "category": "annotations"}]),
    patient_study("P1", "B", studyDate="2024-03-02T00:00:00+00:00",
                  files=[{"path": "notes.txt", "text": "second"}]),
    patient_study("P2", "A", files=[{"path": "notes.txt", "text": "third"}])]
SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "projects": [
        {"name": "trial", "institutes": [
            {"name": "north", "studies": NORTH},
            {"name": "south", "studies": [
                patient_study("P1", "A", studyDate="2024-03-03T12:00:00+00:00",
                              files=[{"path": "notes.txt", "text": "south's", "checksum": False}])]},
        ], "files": [{"path": "protocol.txt", "text": "rules"},
                     {"path": "sub/plan.bin", "size": 5000}]},
        {"name": "heart", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "studies": [
                {"name": "case", "datetime": "2024-05-06T07:08:09+00:00", "age": "61",
                 "raw": {"novel": {"x": [1, "ü"]}, "lastUpdatedOn": "2024-05-06T07:08:09.5Z",
                         "procedureTypes": [], "maxRetentionDate": "2030-01-01",
                         "comments": None},
                 "files": [{"path": "map.txt", "text": "map"}]}]}]},
        {"name": "large", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "studies": [
                {"name": "film", "files": [{"path": "film.bin", "size": 25 * MIB + 1,
                                            "checksum": False}]},
                {"name": "parts", "files": [{"path": "film.bin", "size": 20 * MIB + 7}]},
                {"name": "odd", "files": [{"path": "film.bin", "size": 11 * MIB}]},
                {"name": "one", "files": [{"path": "small.bin", "size": 6 * MIB}]}]}]},
        {"name": "many", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "generate": {"studies": 60, "files": 3, "size": 1000}}]},
    ],
}


def files(folder):
    """Without the descriptions of studies."""
    return {k: v for k, v in tree(folder).items() if os.path.basename(k) != "study.json"}


def rest(cloud):
    return RestClient(cloud.url).login()


def study_of(cloud, project, institute, human):
    client = rest(cloud)
    where = client.institute(institute, project)
    studies = client.ok("GET", f"/api/data/hospitals/{where['id']}/studies")
    return next(s for s in studies if s["studyIdHumanReadable"] == human)


# ---- what goes where ----

@pytest.mark.smoke
def test_whole_project(igtcloud, out):
    done = igtcloud.run("download", out, "trial")
    got = files(out)
    assert set(got) == {
        "north/P1---A/notes.txt", "north/P1---A/deep/er/film.bin", "north/P1---A/Übung 1.TXT",
        "north/P1---A/empty", "north/P1---B/notes.txt", "north/P2---A/notes.txt",
        "south/P1---A/notes.txt"}
    assert got["north/P1---A/notes.txt"] == b"first" and got["north/P1---A/empty"] == b""
    assert got["south/P1---A/notes.txt"] == b"south's"
    assert len(got["north/P1---A/deep/er/film.bin"]) == 100000
    assert len(tree(out)) == 7 + 4
    assert done.out == b"" and "4 studies, 7 files" in done.err
    assert "1 file is incomplete" in done.err


def test_contents_are_the_stores(cloud, igtcloud, out):
    igtcloud.run("download", out, "trial", "north")
    prefix = study_of(cloud, "trial", "north", "P1/A")["s3Prefix"]
    stored = cloud.boto3().get_object(Bucket=BUCKET, Key=prefix + "files/deep/er/film.bin")
    assert files(out)["north/P1---A/deep/er/film.bin"] == stored["Body"].read()


def test_one_institute_and_everything(igtcloud, out):
    igtcloud.run("download", out, "trial", "south", "test")
    assert set(files(out)) == {"south/P1---A/notes.txt"}
    igtcloud.run("download", out, "trial", "*", "PROD")
    assert len(files(out)) == 7


def test_a_hierarchical_tree_is_written(igtcloud, out):
    igtcloud.run("download", "--folder-structure", "HIERARCHICAL", out, "trial", "north")
    assert {"north/P1/A/notes.txt", "north/P1/A/study.json", "north/P1/B/notes.txt",
            "north/P2/A/notes.txt"} <= set(tree(out))


def test_each_category_is_downloaded(igtcloud, out):
    igtcloud.run("download", "--category", "dicom", out / "d", "trial", "north")
    assert set(files(out / "d")) == {"north/P1---A/1.dcm"}
    igtcloud.run("download", "--category=Annotations", out / "a", "trial", "north")
    assert files(out / "a") == {"north/P1---A/vessel.json": b"{}"}
    igtcloud.run("download", *"--category dicom --category files --category annotations".split(),
                 out / "all", "trial", "north")
    assert {"north/P1---A/dicom/1.dcm", "north/P1---A/files/deep/er/film.bin",
            "north/P1---A/annotations/vessel.json", "north/P1---A/study.json",
            "north/P2---A/files/notes.txt"} <= set(tree(out / "all"))
    assert len(files(out / "all")) == 8


def test_project_files(igtcloud, out):
    igtcloud.run("download", "--project-files", out, "trial")
    got = tree(out)
    assert set(got) == {"files/protocol.txt", "files/sub/plan.bin"}
    assert got["files/protocol.txt"] == b"rules" and len(got["files/sub/plan.bin"]) == 5000


# ---- which ones ----

def test_files_are_selected_by_extension(igtcloud, out):
    igtcloud.run("download", "--ext", ".txt", out, "trial", "north")
    assert set(files(out)) == {
        "north/P1---A/notes.txt", "north/P1---A/Übung 1.TXT", "north/P1---B/notes.txt",
        "north/P2---A/notes.txt"}


@pytest.mark.parametrize("options, studies", [
    (["--start", "2024-03-02"], {"north/P1---B", "north/P2---A", "south/P1---A"}),
    (["--end", "2024-03-01"], {"north/P1---A", "north/P2---A"}),
    (["--start=2024-03-01", "--end=2024-03-02"], {"north/P1---A", "north/P1---B", "north/P2---A"}),
])
def test_studies_are_selected_by_date(igtcloud, out, options, studies):
    done = igtcloud.run("download", *options, out, "trial")
    assert {os.path.dirname(p) for p in tree(out) if p.endswith("study.json")} == studies
    assert "1 study has no date" in done.err


def test_date_of_an_epd_study(igtcloud, out):
    igtcloud.run("download", "--start", "2024-05-06", "--end", "2024-05-06", out, "heart")
    assert files(out) == {"lab/case/map.txt": b"map"}
    igtcloud.run("download", "--start", "2024-05-07", out / "none", "heart")
    assert tree(out / "none") == {}


@pytest.mark.parametrize("option", ["--start", "--end"])
@pytest.mark.parametrize("value", ["2024-13-01", "2024-02-30", "01.02.2024", "2024-1-2", "", "today"])
def test_dates_that_are_none(igtcloud, out, option, value):
    done = igtcloud.run("download", option, value, out, "trial", status=USAGE)
    assert option in done.err and not out.exists()


def test_include_exclude(igtcloud, out):
    igtcloud.run("download", "--include", "*.txt", "--include", "deep/**", "--exclude", "notes*",
                 out, "trial", "north")
    assert set(files(out)) == {"north/P1---A/deep/er/film.bin"}


def test_shards_are_disjoint_and_complete(igtcloud, out):
    shards = []
    for i in (1, 2, 3):
        igtcloud.run("download", "--shard", f"{i}/3", "--ext", ".none", out / str(i), "many")
        shards.append(set(tree(out / str(i))))
    assert all(shards) and len(set.union(*shards)) == 60 == sum(map(len, shards))
    for wrong in ("0/3", "4/3", "x", "1/0", "1/2/3"):
        done = igtcloud.run("download", "--shard", wrong, out, "many", status=USAGE)
        assert "--shard" in done.err


@pytest.mark.parametrize("options", [
    ["--concurrent-studies", "1", "--concurrent-files", "1"],
    ["--concurrent-studies", "2", "--connections", "1"], ["--connections", "64"],
    ["--concurrent-files", "2"]])
def test_any_concurrency_downloads_everything(igtcloud, out, options):
    done = igtcloud.run("download", *options, out, "many")
    assert len(files(out)) == 180 and "60 studies, 180 files" in done.err


# ---- study.json ----

def test_study_json_to_the_letter(cloud, igtcloud, out):
    igtcloud.run("download", out, "heart")
    text = (out / "lab/case/study.json").read_bytes()
    study = study_of(cloud, "heart", "lab", "case")
    iso = {"datetime": "2024-05-06T07:08:09+00:00", "lastUpdatedOn": "2024-05-06T07:08:09.500000+00:00"}
    expected = {"studyType": study.pop("studyType"), **study, **iso}
    expected["novel"] = expected.pop("novel")  # what is not known comes last
    assert expected["procedureTypes"] == [] and expected["comments"] is None
    if expected["createdOn"].endswith("Z"):
        expected["createdOn"] = expected["createdOn"][:-1] + "+00:00"
    assert text.decode("ascii") == json.dumps(expected, indent=4)


def test_study_json_is_renewed_only_when_it_changed(igtcloud, out):
    igtcloud.run("download", out, "heart")
    path = out / "lab/case/study.json"
    before, text = path.stat().st_ino, path.read_bytes()
    igtcloud.run("download", out, "heart")
    assert path.stat().st_ino == before
    path.write_bytes(b"{}")
    igtcloud.run("download", out, "heart")
    assert path.read_bytes() == text


# ---- what is there already ----

def test_second_run_moves_nothing(igtcloud, out):
    igtcloud.run("download", out, "trial")
    before = {p: os.stat(out / p) for p in tree(out)}
    done = igtcloud.run("download", "--json", out, "trial")
    assert {p: os.stat(out / p) for p in tree(out)} == before
    assert done.summary["filesSkipped"] == 7 and done.summary["bytesMoved"] == 0


@pytest.mark.case("security-17")
def test_other_size_is_fetched_and_so_is_what_the_journal_knows_to_differ(igtcloud, out):
    igtcloud.run("download", out, "trial", "north")
    first, second = out / "north/P1---A/notes.txt", out / "north/P1---B/notes.txt"
    first.write_text("longer than before")
    second.write_text("SECOND")
    done = igtcloud.run("download", "--json", out, "trial", "north")
    assert first.read_text() == "first" and second.read_text() == "second"
    assert done.summary["filesDone"] == 2
    second.write_text("SECOND")  # without the journal the size is all there is
    done = igtcloud.run("download", "--no-journal", out, "trial", "north")
    assert second.read_text() == "SECOND"
    assert "already there (compared by size and date only; use --checksum)" in done.err


def test_checksum_finds_changed_content(igtcloud, out):
    igtcloud.run("download", out, "trial", "north")
    (out / "north/P1---B/notes.txt").write_text("SECOND")
    done = igtcloud.run("download", "--json", "--checksum", out, "trial", "north")
    assert (out / "north/P1---B/notes.txt").read_text() == "second"
    assert done.summary["filesDone"] == 1 and done.summary["filesSkipped"] == 5


def test_overwrite_fetches_existing_files(igtcloud, out):
    igtcloud.run("download", out, "trial", "south")
    (out / "south/P1---A/notes.txt").write_text("SOUTH'S")
    done = igtcloud.run("download", "--json", "--overwrite", out, "trial", "south")
    assert files(out) == {"south/P1---A/notes.txt": b"south's"}
    assert done.summary["filesDone"] == 1


def test_dry_run(igtcloud, out):
    done = igtcloud.run("download", "--json", "--dry-run", out, "trial")
    assert not out.exists()
    planned = [i for i in done.items if i["kind"] == "file" and i["result"] == "planned"]
    assert len(planned) == 7 and done.summary["bytesMoved"] == 0
    assert "Would download 4 studies, 7 files" in done.err
    assert shown(out / "north/P1---A/notes.txt") in {i["local"] for i in planned}
    igtcloud.run("download", out, "trial", "south")
    done = igtcloud.run("download", "--json", "--dry-run", out, "trial", "south")
    assert not [i for i in done.items if i["result"] == "planned"]


def test_modified_date(cloud, igtcloud, out):
    prefix = study_of(cloud, "trial", "north", "P1/B")["s3Prefix"]
    key = prefix + "files/notes.txt"
    stored = cloud.boto3().head_object(Bucket=BUCKET, Key=key)["LastModified"]
    # The store counts in seconds: the local clock must be past it.
    cloud.wait_for(lambda: time.time() > stored.timestamp() + 1)
    igtcloud.run("download", out / "now", "trial", "north")
    igtcloud.run("download", "--include-modified-date", out / "then", "trial", "north")
    name = "north/P1---B/notes.txt"
    expected = calendar.timegm(stored.utctimetuple())
    assert (out / "then" / name).stat().st_mtime == expected
    assert (out / "now" / name).stat().st_mtime > expected


# ---- what it says ----

def test_json_and_report(igtcloud, out, tmp_path):
    report = tmp_path / "report.jsonl"
    done = igtcloud.run("download", "--json", "--report", report, out, "trial", "south")
    assert report.read_bytes() == done.out
    file = next(i for i in done.items if i["kind"] == "file")
    md5 = hashlib.md5(b"south's").hexdigest()
    assert file["result"] == "done" and file["path"] == "notes.txt" and file["size"] == 7
    assert (file["institute"], file["study"]) == ("south", "P1/A")
    assert file["local"] == shown(out / "south/P1---A/notes.txt")
    assert md5 in file["digest"] and file["verified"] == "md5"
    assert done.summary["status"] == done.lines[-1]["status"] and done.summary["studies"] == 1


def test_quiet_and_log_file(igtcloud, out, tmp_path):
    log = tmp_path / "log"
    done = igtcloud.run("download", "--quiet", "--log-file", log, out, "trial", "south")
    assert done.out == b"" and done.err == ""
    done = igtcloud.run("download", "--debug", "--overwrite", "--log-file", log, out, "trial",
                        "south")
    text = log.read_text() + done.err
    assert "s3credentials" in text or "projects" in text
    for secret in ("Password", "\"password\"", "X-JWT: ey", "sessionToken"):
        assert secret not in text


def test_options_from_the_environment(igtcloud, out):
    igtcloud.run("download", out, "trial", "north",
                 env={"IGTCLOUD_EXT": ".bin", "IGTCLOUD_FOLDER_STRUCTURE": "hierarchical"})
    assert set(files(out)) == {"north/P1/A/deep/er/film.bin"}


@pytest.mark.parametrize("arguments", [
    [], ["x"], ["x", "trial", "*", "STAGING"], ["x", "trial", "*", "PROD", "more"],
    ["--category", "movies", "x", "trial"], ["--folder-structure", "round", "x", "trial"],
    ["--no-such", "x", "trial"], ["--concurrent-files", "0", "x", "trial"],
    ["--bwlimit", "fast", "x", "trial"], ["--retries", "-1", "x", "trial"], ["--ext"]])
def test_wrong_arguments_are_a_usage_error(igtcloud, arguments):
    done = igtcloud.run("download", *arguments, status=USAGE)
    assert done.err.startswith("igtcloud: ") and done.err.count("\n") <= 2


def test_unknown_names(igtcloud, out):
    done = igtcloud.run("download", out, "nothing", status=NOT_FOUND)
    assert "'nothing'" in done.err
    done = igtcloud.run("download", out, "trial", "nowhere", status=NOT_FOUND)
    assert "'nowhere'" in done.err and "'trial'" in done.err
    assert not out.exists()


# ---- large objects ----

def replace_in_parts(cloud, study, sizes):
    """The same bytes again, as an object of several parts."""
    return cloud.store_in_parts(study_of(cloud, "large", "lab", study)["s3Prefix"] + "files/film.bin", sizes)


def test_large_objects_are_verified(cloud, igtcloud, out):
    expected = replace_in_parts(cloud, "parts", [8 * MIB, 8 * MIB, 4 * MIB + 7])
    done = igtcloud.run("download", "--json", out, "large")
    verified = {i["study"]: i["verified"] for i in done.items if i["kind"] == "file"}
    assert verified["parts"] == "etag-parts" and verified["film"] == "md5"
    assert verified["one"] == "crc64nvme"
    got = files(out)
    assert got["lab/parts/film.bin"] == expected
    s3 = cloud.boto3()
    for study, name in (("film", "film.bin"), ("one", "small.bin")):
        key = study_of(cloud, "large", "lab", study)["s3Prefix"] + "files/" + name
        assert got[f"lab/{study}/{name}"] == s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert done.summary["filesUnverified"] == 0


def test_parts_of_an_odd_size(cloud, igtcloud, out):
    expected = replace_in_parts(cloud, "odd", [5 * MIB + 3, 6 * MIB - 3])
    done = igtcloud.run("download", "--json", "--include", "film.bin", out, "large")
    assert files(out)["lab/odd/film.bin"] == expected
    # Its parts are not all as large as the first: nothing may be claimed, nor may it fail.
    assert done.summary["filesFailed"] == 0


def test_bytes_that_changed_on_the_way(cloud, igtcloud, out, canned):
    """The store's digest says so, each time: the file fails, and nothing has its name."""
    prefix = study_of(cloud, "trial", "south", "P1/A")["s3Prefix"]
    etag = cloud.boto3().head_object(Bucket=BUCKET, Key=prefix + "files/notes.txt")["ETag"]
    canned({"method": "GET", "path": "/igtcloud/**", "body": "SOUTH'S",
            "headers": {"ETag": etag, "Content-Type": "application/octet-stream"}})
    done = igtcloud.run("download", "--json", out, "trial", "south", status=SOME_FAILED)
    assert files(out) == {}
    file = next(i for i in done.items if i["kind"] == "file")
    assert file["result"] == "failed" and "failed" in done.err and "notes.txt" in done.err


def test_store_that_is_busy_for_a_while(igtcloud, out, canned):
    canned({"method": "GET", "path": "/igtcloud/**", "status": 503, "times": 3,
            "headers": {"Content-Type": "application/xml"},
            "body": "<Error><Code>SlowDown</Code><Message>later</Message></Error>"})
    igtcloud.run("download", out, "trial", "south")
    assert files(out) == {"south/P1---A/notes.txt": b"south's"}


@pytest.mark.smoke
def test_one_file_that_is_gone(cloud, igtcloud, out, canned):
    prefix = study_of(cloud, "trial", "north", "P1/B")["s3Prefix"]
    canned({"method": "GET", "path": f"/igtcloud/{prefix}**", "status": 404,
            "headers": {"Content-Type": "application/xml"},
            "body": "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>"})
    done = igtcloud.run("download", out, "trial", status=SOME_FAILED)
    assert len(files(out)) == 6 and "north/P1---B/notes.txt" not in files(out)
    assert "failed: north: P1/B: notes.txt" in done.err and "1 file FAILED" in done.err


def test_bwlimit_slows_a_download(igtcloud, out):
    begin = time.monotonic()
    igtcloud.run("download", "--bwlimit", "4M", "--include", "small.bin", out, "large")
    assert time.monotonic() - begin > 0.5
    assert len(files(out)["lab/one/small.bin"]) == 6 * MIB


def test_bwlimit_by_the_hour(igtcloud, out):
    """All hours have the same rate here; what the hours do is tested on a clock of its own."""
    begin = time.monotonic()
    igtcloud.run("download", "--bwlimit", "06:00-18:00 4M, 18:00-06:00 4M", "--include", "small.bin",
                 out, "large")
    assert time.monotonic() - begin > 0.5
    done = igtcloud.run("download", "--bwlimit", "8-18 4M", out, "large", status=USAGE)
    assert "--bwlimit: '8-18 4M' is neither a rate" in done.err


def wait_until(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come so far"
        time.sleep(0.01)


def partial_of(folder):
    found = [os.path.join(w, n) for w, _, names in os.walk(folder) for n in names
             if n.endswith(".igtpart")]
    return found[0] if found else None


def ranges_in(journal):
    """How many downloads the journal knows of that have a whole range already."""
    if not os.path.exists(journal):
        return 0
    with contextlib.closing(sqlite3.connect(journal)) as db:
        try:
            return db.execute("SELECT count(*) FROM download"
                              " WHERE hex(ranges) GLOB '*[1-9A-F]*'").fetchone()[0]
        except sqlite3.OperationalError:  # it is being made
            return 0


def interrupted(cloud, igtcloud, out, with_signal):
    """A run on the 25 MiB film that ends by a signal when its first range is there."""
    target = out / "lab/film/film.bin"
    journal = os.path.join(igtcloud.home, "journal")
    cloud.faults({"fault": "silence", "method": "GET", "path": "**/film.bin", "skip": 1, "seconds": 600})
    process = igtcloud.start("download", "--connections", "1", "--include", "film.bin", "--journal",
                             journal, "--concurrent-studies", "1", out, "large")
    wait_until(lambda: ranges_in(journal))
    assert partial_of(out)
    assert process.poll() is None and not target.exists()
    process.send_signal(with_signal)
    process.communicate(timeout=20)
    cloud.clear()
    return process.returncode, journal


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_goes_on_after(cloud, igtcloud, out, with_signal):
    status, journal = interrupted(cloud, igtcloud, out, with_signal)
    expected_status = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
    assert status == expected_status[with_signal]
    assert not (out / "lab/film/film.bin").exists() and partial_of(out)
    done = igtcloud.run("download", "--json", "--journal", journal, "--include", "film.bin", out,
                        "large")
    film = next(i for i in done.items if i["kind"] == "file" and i["study"] == "film")
    assert film["verified"] == "md5" and 0 < film["moved"] <= 18 * MIB, film
    assert done.summary["filesReplaced"] == 0 and "replacedSize" not in film  # its own partial file is no other
    key = study_of(cloud, "large", "lab", "film")["s3Prefix"] + "files/film.bin"
    stored = cloud.boto3().get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert files(out)["lab/film/film.bin"] == stored
    assert partial_of(out) is None


def test_without_a_journal_it_begins_anew(cloud, igtcloud, out):
    interrupted(cloud, igtcloud, out, signal.SIGKILL)
    done = igtcloud.run("download", "--json", "--no-journal", "--include", "film.bin", out, "large")
    film = next(i for i in done.items if i["kind"] == "file" and i["study"] == "film")
    assert film["moved"] == 25 * MIB + 1 and partial_of(out) is None


def test_what_a_partial_file_lost_is_noticed(cloud, igtcloud, out):
    """Pages lost in a power failure: the digest shows it, and the file is fetched again."""
    _, journal = interrupted(cloud, igtcloud, out, signal.SIGKILL)
    with open(partial_of(out), "r+b") as f:
        f.write(b"\0" * 4096)
    done = igtcloud.run("download", "--json", "--journal", journal, "--include", "film.bin", out,
                        "large")
    film = next(i for i in done.items if i["kind"] == "file" and i["study"] == "film")
    assert film["result"] == "done" and film["verified"] == "md5"


def test_object_that_changed_between_two_runs(cloud, igtcloud, out):
    """Ranges of the old object are useless."""
    _, journal = interrupted(cloud, igtcloud, out, signal.SIGKILL)
    key = study_of(cloud, "large", "lab", "film")["s3Prefix"] + "files/film.bin"
    data = bytes(reversed(range(256))) * (25 * MIB // 256) + b"!"
    cloud.boto3().put_object(Bucket=BUCKET, Key=key, Body=data)
    done = igtcloud.run("download", "--json", "--journal", journal, "--include", "film.bin", out,
                        "large")
    film = next(i for i in done.items if i["kind"] == "file" and i["study"] == "film")
    assert film["moved"] == len(data) and files(out)["lab/film/film.bin"] == data


def test_object_of_another_size_than_listed(cloud, igtcloud, out):
    prefix = study_of(cloud, "trial", "south", "P1/A")["s3Prefix"]
    s3, key = cloud.boto3(), prefix + "files/notes.txt"
    try:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"south's, and more")
        done = igtcloud.run("download", out, "trial", "south", status=None)
        assert done.status in (0, SOME_FAILED) and "notes.txt" in done.err
        assert files(out) in ({}, {"south/P1---A/notes.txt": b"south's, and more"})
    finally:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"south's")


def test_two_at_once_into_one_folder(igtcloud, out):
    both = [igtcloud.start("download", "--no-journal", out, "many") for _ in range(2)]
    ends = [(p.communicate(timeout=30), p.returncode) for p in both]
    assert [status for _, status in ends] == [0, 0], ends
    assert len(files(out)) == 180 and all(len(v) == 1000 for v in files(out).values())
    assert partial_of(out) is None


def test_credentials_and_token_that_run_out_on_the_way(tmp_path):
    """Both are good for two seconds; the download takes nearly four."""
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"users": SEED["users"], "projects": [
        {"name": "p", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": [
            {"name": f"s{n}", "files": [{"path": "f", "size": MIB}]} for n in range(7)]}]}]}))
    with Sandbox(seed=seed, token_lifetime=2, s3_lifetime=2) as cloud:
        igtcloud = Program(cloud.url, tmp_path)
        igtcloud.run("download", "--bwlimit", "2M", "--concurrent-studies", "2",
                     tmp_path / "out", "p")
    assert len(files(tmp_path / "out")) == 7


def test_log_is_free_of_secrets(cloud, igtcloud, out, tmp_path):
    """The password, tokens and keys that the run had: none is in its log."""
    log = tmp_path / "log"
    igtcloud.run("download", "--debug", "--log-file", log, out, "trial")
    text = log.read_text()
    assert text.count("\n") > 5
    for secret in ("eyJ", "Signature=", "jwt_signature=", '"demo"'):
        assert secret not in text, secret
