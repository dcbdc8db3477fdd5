# SPDX-License-Identifier: MIT
"""`igtcloud ls` and `igtcloud show`: each level, each form, and what is not there."""

import re

import pytest

from igtcloud import DENIED, FAILED, NOT_FOUND, USAGE
from rest_client import RestClient

SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "projects": [
        {"name": "trial", "id": "p1", "description": "first", "files": [
            {"path": "forms/consent.txt", "text": "Name:"}, {"path": "protocol.txt", "text": "x"}],
         "institutes": [
            {"name": "north", "id": "i1", "studies": [
                {"class": "Study", "id": "s1", "studyId": "CT", "description": "a\tb\nc",
                 "studyDate": "2024-01-15T10:15:00+00:00",
                 "patient": {"patientId": "P1", "patientName": "P1"}, "files": [
                     {"path": "report.txt", "text": "Nothing."},
                     {"path": "waves/ecg.bin", "size": 3000000},
                     {"path": "1.dcm", "category": "dicom", "text": "no real one"},
                     {"path": "vessel.json", "category": "annotations", "text": "{}"}]},
                {"class": "Study", "id": "s2", "studyId": "MR",
                 "patient": {"patientId": "P1", "patientName": "P1"}},
                {"class": "Study", "id": "s3", "studyId": "CT",
                 "patient": {"patientId": "P10", "patientName": "P10"}}]},
            {"name": "north", "id": "i2"}, {"name": "empty", "id": "i3"}]},
        {"name": "a/b", "id": "p2", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "id": "i4", "studies": [
                {"name": "case 1", "datetime": "2024-05-06T07:08:09+00:00", "redo": True}]}]},
        {"name": "many", "id": "p3", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "id": "i5", "generate": {"studies": 1200, "files": 0, "size": 0}}]},
        {"name": "hostile", "id": "p4", "raw": {"name": "\u001b[31mred"}},
    ],
}


def rows(done):
    return [line.split("\t") for line in done.text.splitlines()]


def last(done):
    return [row[-1] for row in rows(done)]


@pytest.mark.smoke
def test_projects_are_listed(igtcloud):
    done = igtcloud.run("ls")
    assert rows(done)[0] == ["IGT", "first", "p1", "trial"]
    assert last(done) == ["trial", "a/b", "many", "\\x1b[31mred"]


def test_institutes_of_a_project_are_listed(igtcloud):
    assert rows(igtcloud.run("ls", "trial")) == [
        ["Study", "", "i1", "north"], ["Study", "", "i2", "north"], ["Study", "", "i3", "empty"]]
    assert last(igtcloud.run("ls", "igt:a/b/")) == ["lab"]


def test_studies_of_an_institute_are_listed(igtcloud):
    assert rows(igtcloud.run("ls", "trial/id:i1")) == [
        ["Study", "2024-01-15T10:15:00+00:00", "draft", "s1", "P1/CT"],
        ["Study", "", "draft", "s2", "P1/MR"], ["Study", "", "draft", "s3", "P10/CT"]]
    assert rows(igtcloud.run("ls", "a/b/lab"))[0][:2] == ["EpdStudy", "2024-05-06T07:08:09+00:00"]
    assert igtcloud.run("ls", "trial/empty").out == b""


def test_studies_of_a_patient(igtcloud):
    assert last(igtcloud.run("ls", "trial/id:i1/P1")) == ["P1/CT", "P1/MR"]


def test_files_of_a_study_are_listed(igtcloud):
    assert rows(igtcloud.run("ls", "trial/id:i1/P1/CT")) == [
        ["8", "true", "files/report.txt"], ["3000000", "true", "files/waves/ecg.bin"],
        ["11", "true", "dicom/1.dcm"], ["2", "true", "annotations/vessel.json"]]
    assert last(igtcloud.run("ls", "trial/id:i1/id:s1/files")) == ["report.txt", "waves/ecg.bin"]
    assert last(igtcloud.run("ls", "trial/id:i1/P1/CT/files/waves")) == ["waves/ecg.bin"]
    assert last(igtcloud.run("ls", "trial/id:i1/P1/CT/annotations")) == ["vessel.json"]
    assert last(igtcloud.run("ls", "trial/files")) == ["forms/consent.txt", "protocol.txt"]


@pytest.mark.case("dicom-31")
def test_series_of_a_study_are_listed(cloud, igtcloud):
    """The UID, a name where there is one, and the database id once."""
    place = "trial/id:i1/P10/CT/series"
    assert igtcloud.run("ls", place).out == b""
    client = RestClient(cloud.url).login()
    made = [client.ok("PUT", f"/api/data/hospitals/i1/studies/s3/series/x{n}",
                      {"seriesType": "IgtCloudSeries", "modality": "CT", "instanceUid": f"1.2.{n}",
                       **more}) for n, more in enumerate(({}, {"displayName": "left coronary"}))]
    done = igtcloud.run("ls", place)
    assert sorted(rows(done)) == sorted(
        ["IgtCloudSeries", "CT", s.get("displayName", ""), s["seriesDatabaseId"], s["instanceUid"]]
        for s in made)


@pytest.mark.parametrize("command", ["ls", "show"])
@pytest.mark.parametrize("path, text", [
    ("Trial", "no project 'Trial'"), ("tria", "no project 'tria'"),
    ("trial/south", "no institute 'south'"), ("trial/id:i4", "no institute with the id 'i4'"),
    ("trial/id:i1/P2", "no study 'P2'"), ("trial/id:i1/P1/XX", "no study 'P1/XX'"),
    ("trial/id:i1/P1/CT/other", "files, dicom, annotations or series"),
    ("trial/id:i1/P1/CT/files/no.txt", "no.txt"), ("id:nope", ""), ("a", "no project 'a'")])
def test_what_is_not_there(igtcloud, command, path, text):
    done = igtcloud.run(command, path, status=NOT_FOUND)
    assert text in done.err and done.out == b""


def test_what_is_there_twice(igtcloud):
    done = igtcloud.run("ls", "trial/north", status=FAILED)
    assert "i1" in done.err and "i2" in done.err and "id:" in done.err


def test_wrong_password(igtcloud):
    igtcloud.password = "wrong"
    igtcloud.run("ls", status=DENIED)


# ---- forms ----

def test_json_lines_have_a_path(igtcloud):
    studies = igtcloud.run("ls", "trial/id:i1", "--json").lines
    assert [s["path"] for s in studies] == ["trial/north/P1/CT", "trial/north/P1/MR",
                                            "trial/north/P10/CT"]
    assert studies[0]["patient"]["patientName"] == "P1"
    assert studies[0]["description"] == "a\tb\nc"
    files = igtcloud.run("ls", "trial/id:i1/P1/CT", "--json").lines
    assert files[1]["path"] == "trial/north/P1/CT/files/waves/ecg.bin"
    assert files[1]["fileSize"] == 3000000 and files[1]["isCompleted"] is True


def test_fields_can_be_selected(igtcloud):
    done = igtcloud.run("ls", "trial/id:i1", "--fields", "studyId,description,path")
    assert done.text.splitlines()[0] == "CT\ta\\x09b\\x0ac\ttrial/north/P1/CT"
    done = igtcloud.run("ls", "trial/id:i1", "--json", "--fields=studyDatabaseId,patient")
    assert done.lines[1] == {"studyDatabaseId": "s2",
                             "patient": {**done.lines[1]["patient"], "patientId": "P1"}}
    done = igtcloud.run("ls", "--fields", "name,colour", status=USAGE)
    assert "'colour'" in done.err and "projectTypeName" in done.err


def test_a_file_that_is_listed_can_be_taken(igtcloud):
    path = igtcloud.run("ls", "trial/id:i1/P1/CT/files", "--fields", "path").text.splitlines()[0]
    assert igtcloud.run("cat", path.replace("north", "id:i1")).out == b"Nothing."


def test_on_a_terminal(igtcloud):
    status, shown = igtcloud.on_terminal("ls", "trial/id:i1/P1/CT")
    assert status == 0
    table = shown[shown.index("\x1b[1m"):].replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert table.splitlines() == ["FILE                        SIZE  COMPLETE",
                                  "annotations/vessel.json      2 B  true",
                                  "dicom/1.dcm                 11 B  true",
                                  "files/report.txt             8 B  true",
                                  "files/waves/ecg.bin      2.9 MiB  true"]
    assert "\x1b[1m" not in igtcloud.on_terminal("ls", env={"NO_COLOR": "1"})[1]
    assert "\x1b[31m" not in igtcloud.on_terminal("ls")[1]


def test_the_form_for_people_can_be_forced(igtcloud):
    done = igtcloud.run("ls", env={"IGTCLOUD_FORCE_TTY": "1"})
    assert done.text.splitlines()[0].split() == ["PROJECT", "TYPE", "DESCRIPTION"]
    done = igtcloud.run("ls", "--long", env={"IGTCLOUD_FORCE_TTY": "1"})
    assert done.text.splitlines()[0].split() == ["PROJECT", "TYPE", "DESCRIPTION", "ID"]


def test_long_lists_flow(igtcloud):
    assert len(rows(igtcloud.run("ls", "many/lab"))) == 1200
    done = igtcloud.run("ls", "many/lab", env={"IGTCLOUD_FORCE_TTY": "1"})
    assert len(done.text.splitlines()) == 1201


# ---- show ----

@pytest.mark.smoke
def test_show_prints_all_fields(igtcloud):
    shown = dict(rows(igtcloud.run("show", "trial/id:i1/P1/CT")))
    assert shown["studyType"] == "Study" and shown["studyDatabaseId"] == "s1"
    assert shown["description"] == "a\\x09b\\x0ac"
    assert dict(rows(igtcloud.run("show", "trial")))["id"] == "p1"
    assert dict(rows(igtcloud.run("show", "trial/empty")))["studyType"] == "Study"
    assert dict(rows(igtcloud.run("show", "trial/files/protocol.txt")))["fileSize"] == "1"
    epd = dict(rows(igtcloud.run("show", "a/b/lab/case 1")))
    assert epd["studyType"] == "EpdStudy" and epd["redo"] == "true"


def test_show_in_other_forms(igtcloud):
    one, = igtcloud.run("show", "trial/id:i1/P1/CT", "--json").lines
    assert one["path"] == "trial/north/P1/CT" and one["patient"]["patientId"] == "P1"
    done = igtcloud.run("show", "trial/id:i1/P1/CT", "--fields", "studyId,studyDate")
    assert done.text == "CT\t2024-01-15T10:15:00+00:00\n"
    igtcloud.run("show", "trial", "--fields", "colour", status=USAGE)
    status, shown = igtcloud.on_terminal("show", "trial/id:i1/P1/CT")
    assert status == 0 and re.search(r"^studyId  +CT$", shown, re.M)


def test_show_wants_one_thing(igtcloud):
    for path in ("", "trial/id:i1/P1", "trial/files", "trial/id:i1/P1/CT/series"):
        igtcloud.run("show", path, status=USAGE)
