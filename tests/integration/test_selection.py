# SPDX-License-Identifier: MIT
"""Which studies a command is about: the options that download, csv, verify, ls and upload share."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import sqlite3
import time
import uuid

import pytest

from igtcloud import DONE, NOT_FOUND, SOME_FAILED, USAGE, Program, journal_of, shown, tree
from rest_client import RestClient
from sandbox import ROOT, seeded
from uploads import epd, igt, institute, patient_study, put, seed

OLD, MIDDLE = "2024-01-10T08:00:00Z", "2024-06-10T08:00:00Z"
FILES = {"files": [{"path": "a.txt", "text": "a"}]}


def study(patient, name, day, updated=OLD):
    return patient_study(patient, name, **FILES, studyDate=f"2024-{day}T00:00:00+00:00",
                         raw={"createdOn": OLD, "lastUpdatedOn": updated})


NORTH = institute("North", study("Ann", "CT", "03-01"), study("Ann", "CT/2", "03-02", MIDDLE),
                  study("Ann", "XA", "03-05"), study("Bea", "CT", "03-04", MIDDLE))
SOUTH = institute("South", study("Ann", "XA", "03-03"), study("Müller", "CT", "03-06"))
SEED = seed(
    igt(NORTH, SOUTH, institute("East"), name="trial"),
    igt(institute("lab", patient_study("P1", "one", **FILES, raw={"lastUpdatedOn": OLD}),
                  patient_study("P2", "two", **FILES, raw={"lastUpdatedOn": OLD})), name="last"),
    igt(institute("lab", {"class": "AnnotationStudy", "studyId": "x", **FILES, "caseLabels": ["good", "two"],
                          "patient": {"patientId": "P1", "patientName": "P1"}},
                  {"class": "AnnotationStudy", "studyId": "y", **FILES,
                   "patient": {"patientId": "P2", "patientName": "P2"}}),
        name="labels", projectTypeName="Annotation"),
    epd(institute("lab", {"name": "case"}), name="epd"),
    igt(institute("lab", patient_study("P1", "none", raw={"createdOn": None, "lastUpdatedOn": None}),
                  patient_study("P2", "old", raw={"createdOn": OLD, "lastUpdatedOn": OLD})), name="undated"),
    igt(institute("in"), institute("other"), name="up"))


def selected(igtcloud, *options, project="trial", status=DONE):
    """The names of the studies that ls lists for these options."""
    done = igtcloud.run("ls", project, *options, "--fields", "path", status=status)
    return [line.split("/", 1)[1] for line in done.text.splitlines()]


# ---- names ----

@pytest.mark.parametrize("options, studies", [
    (["--study", "Ann/CT"], {"North/Ann/CT"}),
    (["--study", "Ann"], {"North/Ann/CT", "North/Ann/CT/2", "North/Ann/XA", "South/Ann/XA"}),
    (["--study", "A*/X?"], {"North/Ann/XA", "South/Ann/XA"}),
    (["--study", "Ann/*", "--institute", "North"], {"North/Ann/CT", "North/Ann/CT/2", "North/Ann/XA"}),
    (["--study", "*/CT/2", "--study", "Bea"], {"North/Ann/CT/2", "North/Bea/CT"}),
    (["--patient", "[BM]*"], {"North/Bea/CT", "South/Müller/CT"}),
    (["--patient", "Ann", "--study", "*/XA", "--institute", "South"], {"South/Ann/XA"}),
    (["--study", "Mu\u0308ller/CT"], {"South/Müller/CT"}),  # as a Mac types it
    (["--modified-since", "2024-06-01"], {"North/Ann/CT/2", "North/Bea/CT"}),
    (["--modified-since", "2024-06-10T08:00:00Z", "--modified-until", "2024-06-10"],
     {"North/Ann/CT/2", "North/Bea/CT"}),
    (["--modified-until", "2024-06-10T07:59:59Z", "--patient", "Ann", "--institute", "North"],
     {"North/Ann/CT", "North/Ann/XA"}),
])
def test_each_option_selects_studies(igtcloud, options, studies):
    assert set(selected(igtcloud, *options)) == studies


def test_the_newest_come_first(igtcloud):
    assert selected(igtcloud, "--newest") == [
        "South/Müller/CT", "North/Ann/XA", "North/Bea/CT", "South/Ann/XA", "North/Ann/CT/2", "North/Ann/CT"]
    assert selected(igtcloud, "--newest", "--limit", 2, "--patient", "Ann") == ["North/Ann/XA", "South/Ann/XA"]
    assert selected(igtcloud, "--limit", 2, "--study", "Ann") == ["North/Ann/CT", "North/Ann/CT/2"]


def test_only_what_is_needed_is_listed(cloud, igtcloud, out):
    lists = "/api/data/hospitals/*/studies"
    igtcloud.run("download", out, "trial", "--institute", "South", "--institute", "East")
    assert len(cloud.requests(method="GET", path=lists)) == 2
    assert set(os.listdir(out)) == {"South"}
    cloud.clear()
    assert selected(igtcloud, "--limit", 1, "--patient", "Ann") == ["North/Ann/CT"]
    assert len(cloud.requests(method="GET", path=lists)) == 1


def test_several_institutes_are_selected(igtcloud, out):
    igtcloud.run("csv", out, "trial", "North", "--institute", "South")  # beside the argument
    assert set(tree(out)) == {"cloud_trial.csv"}
    done = igtcloud.run("csv", out, "trial", "--institute", "North", "--institute", "Suoth", status=NOT_FOUND)
    assert "no institute 'Suoth'; did you mean 'South'?" in done.error


# ---- a file of studies ----

def rows(done):
    return list(csv.DictReader(io.StringIO(done.text, newline="")))


def test_a_csv_that_was_filtered(cloud, igtcloud, tmp_path, out):
    wanted = [row for row in rows(igtcloud.run("csv", "-", "trial")) if row["studyId"] == "XA"]
    path = tmp_path / "cohort.csv"
    with open(path, "w", newline="", encoding="utf-8-sig") as file:  # as a spreadsheet saves it
        table = csv.DictWriter(file, [*reversed(wanted[0])], delimiter=";")
        table.writeheader()
        table.writerows([{**row, "comments": 'a "b";\r\nc'} if "comments" in row else row for row in wanted])
    igtcloud.run("download", out, "trial", "--studies-from", path)
    assert set(tree(out)) == {f"{i}/Ann---XA/{f}" for i in ("North", "South") for f in ("a.txt", "study.json")}
    igtcloud.run("verify", out, "trial", "--studies-from", path)
    # The rows name their institutes, so the others are not listed.
    wanted = [row for row in wanted if row["instituteId"] == wanted[-1]["instituteId"]]
    path.write_text("instituteId,studyDatabaseId\n" + "".join(
        f"{row['instituteId']},{row['studyDatabaseId']}\n" for row in wanted))
    cloud.clear()
    assert selected(igtcloud, "--studies-from", path) == ["South/Ann/XA"]
    assert len(cloud.requests(method="GET", path="/api/data/hospitals/*/studies")) == 1


@pytest.mark.parametrize("header", ["patient,study", "Patient;Study;Date", "patient\tstudy", "Study ID, x", '"a","b/c"'])
def test_a_csv_without_a_known_column(igtcloud, tmp_path, out, header):
    path = tmp_path / "list.csv"
    path.write_text(f"# of the registry\n{header}\nBea/CT,1;2\t3\n")
    for command in (["download", out, "trial"], ["csv", "-", "trial"], ["ls", "trial"], ["du", "trial"]):
        done = igtcloud.run(*command, "--studies-from", path, status=None)
        assert done.status not in (DONE, SOME_FAILED), done
        assert "line 2: a CSV needs the column" in done.err and "studyIdHumanReadable" in done.err


def test_a_list(igtcloud, tmp_path, out):
    path = tmp_path / "list"
    path.write_bytes(b"\xef\xbb\xbf# a cohort\r\n\r\n  Bea/CT \r\nM*\r\nAnn/US\r\n#end")
    done = igtcloud.run("download", out, "trial", "--studies-from", path, status=SOME_FAILED)
    assert "line 5 of the list of studies: no study matches 'Ann/US'" in done.err and "1 study FAILED" in done.err
    assert set(os.listdir(out / "North")) == {"Bea---CT"} and set(os.listdir(out / "South")) == {"Müller---CT"}
    again = igtcloud.run("csv", "-", "trial", "--studies-from", path, status=SOME_FAILED)
    assert {row["studyIdHumanReadable"] for row in rows(again)} == {"Bea/CT", "Müller/CT"}
    assert "1 of the selected studies does not exist" in again.error
    path.write_text("Bea/CT\n" + "".join(f"Nobody/{i}\n" for i in range(40)))
    for command in (["download", out, "trial"], ["csv", "-", "trial"], ["ls", "trial"], ["du", "trial"]):
        done = igtcloud.run(*command, "--studies-from", path, status=SOME_FAILED)
        assert done.err.count("no study matches 'Nobody/") == 10 and "30 more" in done.err, command
    done = igtcloud.run("download", out, "trial", "--studies-from", path, "--json", status=SOME_FAILED)
    assert sum(i["result"] == "failed" for i in done.items if i["kind"] == "study") == 40
    path.write_text("Ann, B;\nBea/CT\n")  # a separator in a name
    done = igtcloud.run("ls", "trial", "--studies-from", path, "--fields", "path", status=SOME_FAILED)
    assert done.text == "trial/North/Bea/CT\n" and "no study matches 'Ann, B;'" in done.err
    path.write_text("# nothing\n")
    assert "lists no study" in igtcloud.run("ls", "trial", "--studies-from", path, status=NOT_FOUND).error
    assert "cannot be both the password and --studies-from" in igtcloud.run("ls", "trial", "--studies-from", "-", status=USAGE).error


# ---- fields that only some types have ----

def test_studies_are_selected_by_label(igtcloud):
    assert selected(igtcloud, "--label", "go*", project="labels") == ["lab/P1/x"]
    done = igtcloud.run("ls", "trial", "--label", "good", status=USAGE)
    assert done.error.endswith("the studies of the project 'trial' have no labels (caseLabels) to select by")


def test_studies_are_selected_by_modality(cloud, igtcloud):
    client = RestClient(cloud.url).login()
    where = client.institute("North", "trial")["id"]
    studies = client.ok("GET", f"/api/data/hospitals/{where}/studies")
    wanted = next(s for s in studies if s["studyIdHumanReadable"] == "Bea/CT")["studyDatabaseId"]
    client.ok("PUT", f"/api/data/hospitals/{where}/studies/{wanted}/series/{uuid.uuid4()}",
              {"seriesType": "IgtCloudSeries", "modality": "XA"})
    assert selected(igtcloud, "--modality", "xa", "--modality", "MR") == ["North/Bea/CT"]
    assert "no series, and so no modality" in igtcloud.run("ls", "epd", "--modality", "XA", status=USAGE).error


# ---- nothing, and nonsense ----

def test_nothing_matches(igtcloud, out):
    for command in (["ls", "trial"], ["download", out, "trial"], ["csv", "-", "trial"], ["verify", out, "trial"]):
        done = igtcloud.run(*command, "--study", "Ann/US", status=NOT_FOUND)
        assert "the selection matches no study of the project 'trial'" in done.error
    igtcloud.run("download", out, "trial", "East")  # an institute without studies is no error


@pytest.mark.parametrize("options, said", [
    (["--start", "2024-02-01", "--end", "2024-01-01"], "the start '2024-02-01' is after the end"),
    (["--modified-since", "2024-02-01", "--modified-until", "2024-01-31"], "is after --modified-until"),
    (["--modified-since", "yesterday"], "--modified-since 'yesterday' is not a time"),
    (["--modified-until", "last"], "--modified-until 'last' is not a time"),
    (["--limit", "0"], "--limit '0'"),
    (["--project-files", "--study", "x"], "--project-files takes no options that select studies"),
])
def test_usage_errors(cloud, igtcloud, out, options, said):
    assert said in igtcloud.run("download", out, "trial", *options, status=USAGE).error
    assert not cloud.requests(path="/api/auth/*")  # before signing in


# ---- since the last complete run ----

def began(home):
    with contextlib.closing(sqlite3.connect(journal_of(home))) as db:
        return dict(db.execute("SELECT target, max(began) FROM complete GROUP BY target"))


def test_since_the_last_complete_run(cloud, igtcloud, home, out):
    def run(status=DONE, *options):
        done = igtcloud.run("download", out, "last", "--modified-since", "last", "--json", *options, status=status)
        return {item["study"] for item in done.items if item["kind"] == "study"}

    assert run(DONE, "--limit", 1) == {"P1/one"} and run(DONE, "--dry-run") == {"P1/one", "P2/two"}
    assert not began(home)  # neither was complete
    cloud.faults({"fault": "flip", "method": "GET", "path": "/igtcloud/**a.txt", "at": 0, "times": 4})
    assert run(SOME_FAILED) == {"P1/one", "P2/two"} and not began(home)
    start = time.time()
    assert run() == {"P1/one", "P2/two"}
    assert start - 20 <= began(home)[shown(out)] <= time.time()
    assert run() == set()
    assert "no study was modified since the last complete run" in \
        igtcloud.run("download", out, "last", "--modified-since", "last").err
    client = RestClient(cloud.url).login()
    where = client.institute("lab", "last")["id"]
    changed = client.ok("GET", f"/api/data/hospitals/{where}/studies")[1]
    client.ok("PATCH", f"/api/data/hospitals/{where}/studies/{changed['studyDatabaseId']}", {
        "studyType": changed["studyType"], "description": "again"})
    assert run() == {"P2/two"}
    # Other options are another source.
    assert run(DONE, "--study", "P?/*") == {"P1/one", "P2/two"}
    assert "for runs with a folder" in igtcloud.run("ls", "last", "--modified-since", "last", status=USAGE).error


def test_the_clouds_clock_counts(tmp_path, home, out):
    with seeded(tmp_path, seed(epd(institute("lab", {"name": "case"}), name="p")), extra=["--clock", "7200"]) as ahead:
        Program(ahead.url, home).run("download", out, "p", "--modified-since", "last")
    assert 7200 - 60 < began(home)[shown(out)] - time.time() < 7200


# ---- verify and upload ----

def test_verify_compares_the_selected_ones(igtcloud, out):
    igtcloud.run("download", out, "trial", "North")
    (out / "North/Ann---CT/a.txt").write_text("b")
    igtcloud.run("verify", out, "trial", "--study", "Ann/CT", status=SOME_FAILED)
    igtcloud.run("verify", out, "trial", "--study", "Ann/XA", "--institute", "North")
    igtcloud.run("verify", out, "trial", "--limit", 1, status=SOME_FAILED)  # Ann/CT is the first
    done = igtcloud.run("verify", out, "trial", "--newest", "--limit", 1, "--json", status=SOME_FAILED)
    assert [item["study"] for item in done.items if item["kind"] == "study"] == ["Müller/CT"]


def uploaded(done):
    return [item["study"] for item in done.items if item["kind"] == "study"]


def test_upload_selects_folders(igtcloud, up):
    put(up, {"in/P1---CT/a.txt": "a", "in/P1---XA/a.txt": "a", "in/P2---CT/a.txt": "a",
             "other/P3---CT/a.txt": "a", "files/notes.txt": "of the project"})
    for days, path in enumerate(("in/P1---XA", "in/P2---CT", "other/P3---CT", "in/P1---CT")):
        then = time.time() - 86400 * days
        os.utime(up / path / "a.txt", (then, then))

    def upload(*options, status=DONE):
        return igtcloud.run("upload", up, "up", "--json", "--dry-run", *options, status=status)

    assert set(uploaded(upload("--study", "*/CT", "--institute", "in"))) == {"P1/CT", "P2/CT"}
    assert set(uploaded(upload("--patient", "P1"))) == {"P1/CT", "P1/XA"}
    assert set(uploaded(upload("--modified-since", "36h"))) == {"P1/XA", "P2/CT"}
    assert sorted(uploaded(upload("--newest", "--limit", 2, "--study", "*/CT"))) == ["P2/CT", "P3/CT"]
    assert "files/notes.txt" not in str(upload("--study", "P1").items)
    assert "the selection matches no study in" in upload("--study", "P9", status=NOT_FOUND).error
    done = upload("--study", "P1/XA", "--study", "P9/CT", status=SOME_FAILED)
    assert [i["study"] for i in done.items if i["result"] == "failed"] == ["P9/CT"]
    os.rename(up / "other", up / "oter")
    done = upload("--study", "P3", status=SOME_FAILED)
    assert "did you mean 'other'?" in str(done.items)


def test_upload_selects_by_what_study_json_says(cloud, igtcloud, up):
    for name, fields in (("P1---x", {"caseLabels": ["good"]}), ("P2---y", {"caseLabels": ["bad", "late"]})):
        put(up, {f"lab/{name}/a.txt": "a", f"lab/{name}/study.json": json.dumps(fields)})
    put(up, {"lab/P3---z/a.txt": "a", "files/notes.txt": "of the project"})

    def upload(project, *options, status=DONE):
        return igtcloud.run("upload", up, project, "--json", "--dry-run", *options, status=status)

    assert set(uploaded(upload("labels", "--label", "go*", "--label", "x"))) == {"P1/x"}
    assert "files/notes.txt" not in str(upload("labels", "--label", "late").items)
    assert "the selection matches no study in" in upload("labels", "--label", "none", status=NOT_FOUND).error
    assert "no labels (caseLabels)" in upload("up", "--label", "good", status=USAGE).error
    shutil.rmtree(up / "lab")
    for day in (1, 2):
        put(up, {f"in/P{day}---CT/a.dcm": "a", f"in/P{day}---CT/b.txt": "b",
                 f"in/P{day}---CT/study.json": json.dumps({"studyDate": f"2024-03-0{day}T08:00:00+00:00"})})
    put(up, {"in/P3---CT/a.dcm": "a"})
    done = upload("up", "--start", "2024-03-02", "--end", "2024-03-05", "--ext", ".DCM")
    assert set(uploaded(done)) == {"P2/CT", "P3/CT"} and done.summary["studiesUndated"] == 1
    assert [i["path"] for i in done.items if i["kind"] == "file" and i["result"] == "planned"] == ["a.dcm"] * 2
    assert [i["reason"] for i in done.items if i.get("path") == "b.txt"] == ["it is excluded by its type"]
    assert "has the type 'dcm'; types begin with a dot" in upload("up", "--ext", "dcm").err
    assert upload("up", "--end", "2023-01-01", "--study", "*/CT").summary["studies"] == 1  # without a date
    assert "is after the end" in upload("up", "--start", "2024-03-02", "--end", "2024-03-01", status=USAGE).error


def test_upload_selects_by_the_modality_in_the_cloud(cloud, igtcloud, out):
    igtcloud.run("download", out, "trial")
    client = RestClient(cloud.url).login()
    where = client.institute("South", "trial")["id"]
    wanted = next(s for s in client.ok("GET", f"/api/data/hospitals/{where}/studies")
                  if s["studyIdHumanReadable"] == "Ann/XA")["studyDatabaseId"]
    client.ok("PUT", f"/api/data/hospitals/{where}/studies/{wanted}/series/{uuid.uuid4()}",
              {"seriesType": "IgtCloudSeries", "modality": "OCT"})
    put(out, {"South/New---1/a.txt": "a"})
    done = igtcloud.run("upload", out, "trial", "--modality", "oct", "--json")
    assert uploaded(done) == ["Ann/XA"]
    os.rename(out / "South", out / "Suoth")
    done = igtcloud.run("upload", out, "trial", "--modality", "oct", "--json", status=SOME_FAILED)
    assert "did you mean 'South'?" in str(done.items)


# ---- the table of options ----

def test_the_table_of_options_is_true(igtcloud):
    """docs/selection.md says which command has which option."""
    lines = [line for line in (ROOT / "docs/selection.md").read_text().splitlines() if line.startswith("|")]
    first = next(i for i, line in enumerate(lines) if line.startswith("| |"))
    columns = [re.findall(r"`(\w+)`", cell) for cell in lines[first].split("|")[2:-1]]
    helps = {name: set(re.findall(r"--[a-z-]+", igtcloud.run(name, "--help").text))
             for names in columns for name in names}
    assert len(helps) == 10
    for line in lines[first + 2:]:
        options, *cells = line.split("|")[1:-1]
        for names, cell in zip(columns, cells, strict=True):
            for name in names:
                for option in re.findall(r"`(--[a-z-]+)`", options):
                    assert (option in helps[name]) == (cell.strip() != "–"), (name, option)


def test_upload_since_the_last_complete_run(igtcloud, home, up):
    put(up, {"in/A---1/a.txt": "a", "in/B---1/a.txt": "b"})

    def upload():
        found = uploaded(igtcloud.run("upload", up, "up", "--json", "--modified-since", "last"))
        with contextlib.closing(sqlite3.connect(journal_of(home))) as db:
            db.execute("UPDATE complete SET began=?", (int(time.time()) + 100,))  # after all files
            db.commit()
        return set(found)

    assert upload() == {"A/1", "B/1"} and upload() == set()
    later = time.time() + 200
    os.utime(up / "in/B---1/a.txt", (later, later))
    assert upload() == {"B/1"}


@pytest.mark.parametrize("options", [["--modified-since", "2024-06-01"], ["--modified-until", "2023-06-01"]])
@pytest.mark.parametrize("command", [["ls"], ["find"], ["du"], ["download"]])
def test_studies_without_a_date_of_change_are_reported(igtcloud, out, command, options):
    """They pass, and the note says so."""
    place = ["undated"] if command != ["download"] else [out, "undated"]
    done = igtcloud.run(*command, *place, *options)
    assert "1 study has no date and passed the date filter" in done.err
    assert selected(igtcloud, *options, project="undated") == ["lab/P1/none"]
