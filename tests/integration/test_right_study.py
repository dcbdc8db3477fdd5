# SPDX-License-Identifier: MIT
"""Data goes to the right institute, patient and study, or nowhere: copied folders, descriptions
without a study id, misspelt institutes, names in two Unicode forms."""

import itertools
import json
import os
import re
import signal
import unicodedata
import uuid

import pytest

from igtcloud import FAILED, NOT_FOUND, SOME_FAILED, USAGE, Program, shown
from odd_cloud import Reply
from rest_client import RestClient
from uploads import (Place, changes, epd, igt, institute, items, objects, patient_study, put,
                     seed)

NUMBER = itertools.count()
NAME = unicodedata.normalize("NFC", "M\u00fcller")
DECOMPOSED = unicodedata.normalize("NFD", NAME)
TREE = ["--folder-structure", "hierarchical"]
BESIDE = "beside"
TWINS = [patient_study("Anonymous", "1", files=[{"path": f"{n}.dcm", "text": n}]) for n in "ab"]
SEED = seed(igt(*[institute(f"ward{n}", patient_study("ALICE", "CT"), patient_study("BOB", "CT"))
                  for n in range(90)], institute(BESIDE)),
            igt(institute("north", patient_study("P1", "A")), institute(NAME), name="forms"),
            igt(institute("cohort", *TWINS), name="twins"),
            igt(institute("deep", *[patient_study(p, s, files=[
                {"path": "y", "text": p}, {"path": "sub/x", "text": p}]) for p, s in (
                    ("A/B", "C"), ("A", "B---C"), ("A---B", "C"), ("Z", "a/b/c"), ("P9", None),
                    ("P1", "S"))]), institute("nested", *[patient_study("P9", s, files=[
                        {"path": "sub/x", "text": f"{s}"}]) for s in (None, "S")]),
                institute("elsewhere"), name="levels"),
            epd(institute("cases", *[{"name": n, "files": [{"path": "sub/x", "text": n}]}
                                     for n in ("case", "a/b", "a---b")]), name="cases of epd"),
            igt(institute("mixed", patient_study("Anna", "1"), patient_study("ANNA", "1")),
                name="cases"),
            igt(institute("ward", patient_study("A", "1")), institute("ward", patient_study("B", "2")),
                name="one name"), igt(name="twin", description="first"), igt(name="twin"),
            igt(institute("ward", *[patient_study(p, "1", raw={"s3Prefix": f"{folder}/"}, files=[
                {"path": "x", "text": p}]) for p, folder in (
                    ("A", "one"), ("B", "one"), ("C", "other"))]), name="one folder"))


class Ward:
    """An institute of ALICE/CT and BOB/CT that no other test has, and its folder."""

    def __init__(self, cloud, igtcloud, folder):
        self.name = f"ward{next(NUMBER)}"
        self.cloud, self.igtcloud, self.top = cloud, igtcloud, folder
        self.place = Place(cloud, self.name, "trial")
        self.alice = self.place.study("ALICE/CT")
        self.id = self.alice["studyDatabaseId"]

    def put(self, files):
        put(self.top / self.name, {n: json.dumps(c) if isinstance(c, dict) else c
                                   for n, c in files.items()})

    def run(self, command="upload", *options, **more):
        return self.igtcloud.run(command, "--json", *options, self.top, "trial", self.name, **more)


@pytest.fixture
def ward(cloud, igtcloud, tmp_path):
    return Ward(cloud, igtcloud, tmp_path / "up")


# ---- a folder whose name and study.json disagree ----

@pytest.mark.case("security-3")
@pytest.mark.parametrize("folder, options", [
    ("BOB---CT", []), ("BOB/CT", TREE), ("BOB---new", []), ("CAROL---CT", []), ("CAROL/CT", TREE),
    ("BOB", [])])
def test_a_copied_folder(ward, folder, options):
    """Its name is that of another study, or of another patient: nothing is sent."""
    ward.put({f"{folder}/study.json": {"studyDatabaseId": ward.id}, f"{folder}/x": "bob's"})
    ward.cloud.clear()
    done = ward.run("upload", *options, status=SOME_FAILED)
    assert "ALICE/CT" in done.err and folder.split("-")[0].split("/")[0] in done.err
    assert "--trust-study-json" in done.err and changes(ward.cloud) == []
    ward.run("verify", *options, status=SOME_FAILED)
    ward.run("upload", *options, "--trust-study-json")
    assert ward.place.contents("ALICE/CT") == {"x": b"bob's"}
    assert ward.place.contents("BOB/CT") == {}


@pytest.mark.case("security-3")
def test_a_copied_folder_of_annotations(ward):
    ward.put({"BOB---CT/study.json": {"studyDatabaseId": ward.id}, "BOB---CT/x.json": "{}"})
    done = ward.run("upload", "--category", "annotations", status=SOME_FAILED)
    assert "disagree" in done.err and ward.place.contents("ALICE/CT", "annotations/") == {}


@pytest.mark.parametrize("folder, options", [
    ("for-ann", []), ("ALICE---CT for ann", []), ("ALICE/done", TREE), ("ALICE---CT", [])])
def test_a_renamed_folder(ward, folder, options):
    """A name of the user's own is none of another study: the study.json counts."""
    ward.put({f"{folder}/study.json": {"studyDatabaseId": ward.id}, f"{folder}/x": "1"})
    ward.run("upload", *options)
    assert ward.place.contents("ALICE/CT") == {"x": b"1"}
    done = ward.run("verify", *options)
    assert done.summary["filesSame"] == 1


def test_a_study_that_was_renamed_in_the_cloud(ward):
    """The folder has the old name, as its study.json does."""
    ward.put({"ALICE---CT/study.json": {k: ward.alice[k] for k in (
        "studyDatabaseId", "studyIdHumanReadable")}, "ALICE---CT/x": "1"})
    ward.place.client.ok("PATCH", f"/api/data/hospitals/{ward.place.id}/studies/{ward.id}",
                         {"studyType": "Study", "patient": {"patientName": "P-001"}})
    ward.run()
    assert ward.place.contents("P-001/CT") == {"x": b"1"}


@pytest.mark.case("security-3")
def test_a_copy_beside_its_original(ward):
    """The copy comes first by name; the original's files are not mixed with its."""
    ward.put({"ALICE---CT/x": "original", "ALICE---CS/x": "copy",
              "ALICE---CS/study.json": {"studyDatabaseId": ward.id},
              "ALICE---CT/study.json": {"studyDatabaseId": ward.id}})
    done = ward.run(status=SOME_FAILED)
    assert ward.place.contents("ALICE/CT") == {"x": b"original"}
    assert "ALICE---CS" in done.err and "studyDatabaseId" in done.err


# ---- descriptions that do not tell a patient's studies apart ----

@pytest.mark.case("security-4")
@pytest.mark.parametrize("form", ["flat", "hierarchical"])
def test_descriptions_without_a_study_id(ward, form):
    options = TREE if form == "hierarchical" else []
    sep = "/" if options else "---"
    for part in "ABC":
        ward.put({f"ANN{sep}{part}/study.json":
                  {"studyDatabaseId": f"elsewhere {part}", "patient": {"patientName": "ANN"}},
                  f"ANN{sep}{part}/x": part})
    ward.run("upload", *options)
    assert {n for n in ward.place.names() if n.startswith("ANN")} == {"ANN/A", "ANN/B", "ANN/C"}
    for more in ([], ["--no-journal"]):
        done = ward.run("upload", *options, *more)
        assert done.summary["filesSkipped"] == 3 and done.summary["studiesCreated"] == 0
    assert ward.place.contents("ANN/B") == {"x": b"B"}


@pytest.mark.case("security-4")
def test_an_interrupted_upload_goes_on(ward):
    """Of three folders that only the ids of another cloud distinguish."""
    for part in "ABC":
        ward.put({f"exam{part}/study.json": {
            "studyDatabaseId": f"elsewhere {part}", "studyId": "1",
            "patient": {"patientName": "ANN"}}, f"exam{part}/x": part})
    ward.cloud.faults({"fault": "silence", "seconds": 600, "method": "POST", "skip": 1,
                       "path": "/api/data/hospitals/*/studies"})
    process = ward.igtcloud.start("upload", "--concurrent-studies", "1", ward.top, "trial",
                                  ward.name)
    ward.cloud.wait_for(lambda: ward.place.names().count("ANN/1") == 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    ward.cloud.clear()
    ward.run()
    done = ward.run()
    assert done.summary["studiesCreated"] == 0 and done.summary["filesSkipped"] == 3
    studies = [s for s in ward.place.studies() if s["studyIdHumanReadable"] == "ANN/1"]
    found = [objects(ward.cloud, s["s3Prefix"] + "files/") for s in studies]
    assert sorted(f["x"] for f in found) == [b"A", b"B", b"C"]


# ---- institutes ----

@pytest.mark.parametrize("name, like", [("nroth", "north"), ("North", "north"), ("north ", "north")])
def test_a_misspelt_institute(cloud, igtcloud, tmp_path, name, like):
    put(tmp_path / "up", {f"{name}/P1---A/x": "1", f"{name}/P1---A/deep/y": "2",
                          "north/P1---A/z": "3"})
    done = igtcloud.run("upload", "--json", tmp_path / "up", "forms", status=SOME_FAILED)
    failed = {i["path"] for i in items(done, kind="file", result="failed")}
    assert failed == {f"{name}/P1---A/x", f"{name}/P1---A/deep/y"}
    assert done.summary["filesFailed"] == 2 and f"did you mean '{like}'?" in done.err
    assert done.err.count("P1---A/x") == 1 and "2 files failed" in done.err
    done = igtcloud.run("verify", "--json", tmp_path / "up", "forms", status=SOME_FAILED)
    assert {i["path"] for i in items(done, result="missing there")} == failed
    assert done.summary["filesMissingThere"] == 2 and f"did you mean '{like}'?" in done.err
    done = igtcloud.run("upload", "--json", "--ignore-unknown", tmp_path / "up", "forms")
    assert done.summary["filesIgnored"] == 0 and "1 folder ignored" in done.err
    igtcloud.run("verify", "--ignore-unknown", tmp_path / "up", "forms")


@pytest.mark.parametrize("form", [[], TREE], ids=["flat", "hierarchical"])
def test_a_selection_limits_what_is_judged(igtcloud, tmp_path, form):
    """What certainly is not selected neither fails nor is missing; what may be selected does."""
    join = "/" if form else "---"
    put(tmp_path / "up", {f"nroth/P8{join}A/x": "1", f"north/P7{join}B/study.json": "{",
                          f"north/P7{join}B/x": "1"})
    if not form:  # the name has no patient: only the study.json could tell
        put(tmp_path / "up", {"north/for-ann/study.json": "{", "north/for-ann/x": "1"})
    for patient, other in (("P8", f"P7{join}B"), ("P7", "nroth")):
        for command in (["upload", "--dry-run"], ["verify"]):
            done = igtcloud.run(*command, *form, "--patient", patient, tmp_path / "up", "forms",
                                status=SOME_FAILED)
            assert patient in done.err and other not in done.err, done.err
            assert form or "for-ann" in done.err


@pytest.mark.smoke
def test_a_misspelt_institute_alone(igtcloud, tmp_path):
    put(tmp_path / "up", {"nroth/P1---A/x": "1"})
    done = igtcloud.run("upload", tmp_path / "up", "forms", status=SOME_FAILED)
    assert "nroth/P1---A/x" in done.err
    done = igtcloud.run("upload", tmp_path / "up", "forms", "nroth", status=NOT_FOUND)
    assert "did you mean 'north'?" in done.err


@pytest.mark.parametrize("command", ["upload", "verify"])
def test_the_folder_of_an_institute_in_place_of_its_parent(igtcloud, tmp_path, command):
    put(tmp_path / "up", {"north/P1---A/x": "1", "north/P2---B/x": "2"})
    done = igtcloud.run(command, tmp_path / "up/north", "forms", status=SOME_FAILED)
    hint = f"'{shown(tmp_path)}/up/north' has the name of an institute: give the folder that contains it, '{shown(tmp_path)}/up/'"
    assert done.err.count(hint) == 1
    put(tmp_path / "up", {"nroth/P1---A/x": "1"})
    assert hint not in igtcloud.run(command, tmp_path / "up", "forms", status=None).err


def test_many_files_of_a_misspelt_institute(igtcloud, tmp_path):
    put(tmp_path / "up", {f"nroth/P1---A/{n:03}": "1" for n in range(200)})
    done = igtcloud.run("upload", tmp_path / "up", "forms", status=SOME_FAILED)
    assert done.err.count("failed: ") < 30 and "more" in done.err and "200 files" in done.err


# ---- two studies with one s3Prefix ----

def test_two_studies_with_one_prefix(cloud, igtcloud, tmp_path):
    """The files of at least one of them belong to another patient."""
    up, down = tmp_path / "up", tmp_path / "down"
    put(up, {"ward/A---1/y": "1", "ward/B---1/y": "2", "ward/C---1/y": "3"})
    cloud.clear()
    for options in ([], ["--institute", "ward", "--study", "A/1"], ["--category", "annotations"]):
        done = igtcloud.run("upload", "--json", *options, up, "one folder", status=SOME_FAILED)
        assert "the same s3Prefix, 'one/'" in done.err
    assert not [r for r in cloud.requests() if r["method"] == "PUT" and "/one/" in r["path"]]
    assert Place(cloud, "ward", "one folder").contents("C/1")["y"] == b"3"
    for command, folder in (("download", down), ("verify", up)):
        done = igtcloud.run(command, "--json", folder, "one folder", status=SOME_FAILED)
        assert "the same s3Prefix, 'one/'" in done.err
    assert "the same s3Prefix, 'one/'" in igtcloud.run("manifest", "one folder", status=SOME_FAILED).err
    assert (down / "ward/C---1/x").read_text() == "C" and not (down / "ward/B---1/x").exists()


@pytest.mark.parametrize("prefix", ["", "/", "x/../y/", "x//"])
def test_a_prefix_that_may_be_that_of_others(cloud, odd, home, tmp_path, prefix):
    """Without one, the files of all studies would have the same place; a gateway may normalize the others."""
    def change(r, reply):
        if r.plain.endswith("/studies") and r.method == "GET":
            reply.json = [{**s, "s3Prefix": prefix} if s["studyIdHumanReadable"] == "C/1" else s for s in reply.json]

    odd.change, up = change, tmp_path / "up"
    put(up, {"ward/C---1/z": "3"})
    program = Program(odd.url, home)
    for command, folder in (("upload", up), ("download", tmp_path / "down"), ("verify", up)):
        done = program.run(command, "--study", "C/1", folder, "one folder", status=SOME_FAILED)
        assert "the cloud gives the study " in done.err and "s3Prefix" in done.err, done
    there = "igt:one folder/ward/C/1/files/"
    for command in (["manifest", "--study", "C/1", "one folder"], ["cp", f"{there}x", tmp_path / "x"],
                    ["cp", up / "ward/C---1/z", f"{there}z"], ["cat", "one folder/ward/C/1/files/x"]):
        done = program.run(*command, status=None)
        assert done.status in (FAILED, SOME_FAILED), done
        assert "the cloud gives the study " in done.err and "s3Prefix" in done.err, done
    assert not [r for r in odd.seen if "$file" in r.path]
    assert not [r for r in odd.seen if r.method == "POST" and "/files" in r.path]
    assert not [r for r in odd.seen if "s3credentials" in r.path]


def test_a_file_without_a_key(odd, home, tmp_path):
    def change(r, reply):
        if r.plain.endswith("/files"):
            reply.json = {"files": [{**f, "key": None} for f in reply.json["files"]]}

    odd.change = change
    done = Program(odd.url, home).run("cp", "igt:one folder/ward/C/1/files/x", tmp_path / "x", status=FAILED)
    assert done.error == "igtcloud: 'x': the cloud lists it without a key" and not (tmp_path / "x").exists()


# ---- one name in two Unicode forms ----

@pytest.mark.case("transfers-11")
def test_both_forms_are_one_name(ward):
    ward.put({f"{NAME}---1/{NAME}.dcm": "1"})
    ward.run()
    assert ward.place.contents(f"{NAME}/1") == {f"{NAME}.dcm": b"1"}
    (ward.top / ward.name / f"{NAME}---1").rename(ward.top / ward.name / f"{DECOMPOSED}---1")
    folder = ward.top / ward.name / f"{DECOMPOSED}---1"
    (folder / f"{NAME}.dcm").rename(folder / f"{DECOMPOSED}.dcm")
    ward.cloud.clear()
    done = ward.run("upload", "--no-journal")
    assert changes(ward.cloud) == [] and done.summary["filesSkipped"] == 1
    done = ward.run("verify", status=None)
    assert done.summary["filesSame"] == 1 and done.summary["filesMissingHere"] == 0


@pytest.mark.case("transfers-11")
def test_what_is_created_is_composed(ward):
    ward.put({f"{DECOMPOSED}---1/{DECOMPOSED}/{DECOMPOSED}.dcm": "1"})
    ward.run()
    assert f"{NAME}/1" in ward.place.names()
    assert ward.place.contents(f"{NAME}/1") == {f"{NAME}/{NAME}.dcm": b"1"}


@pytest.mark.case("transfers-11")
def test_two_local_names_that_are_one(ward):
    ward.put({f"P1---1/{NAME}": "composed", f"P1---1/{DECOMPOSED}": "decomposed",
              f"{NAME}---2/x": "1", f"{DECOMPOSED}---2/x": "2"})
    ward.run(status=SOME_FAILED)  # for the study: two files stay two files
    assert ward.place.contents("P1/1") == {NAME: b"composed", DECOMPOSED: b"decomposed"}
    assert [n for n in ward.place.names() if n.endswith("/2")] == [f"{NAME}/2"]


@pytest.mark.case("transfers-11")
def test_institutes_and_projects(cloud, igtcloud, tmp_path):
    put(tmp_path / "up", {f"{DECOMPOSED}/P5---A/x": "1"})
    igtcloud.run("upload", tmp_path / "up", "forms", DECOMPOSED)
    assert Place(cloud, NAME, "forms").contents("P5/A") == {"x": b"1"}
    igtcloud.run("verify", tmp_path / "up", "forms", DECOMPOSED)
    igtcloud.run("download", tmp_path / "down", "forms", DECOMPOSED)
    assert (tmp_path / "down" / NAME / "P5---A/x").read_text() == "1"
    assert "P5/A" in igtcloud.run("ls", f"forms/{DECOMPOSED}").text


# ---- one file that the cloud refuses ----

@pytest.mark.case("transfers-28")
@pytest.mark.parametrize("bad", [["b"], ["a", "z"], ["a", "b", "c"]])
def test_one_refused_registration(ward, bad):
    ward.put({f"R---1/{n}": n for n in "acdefgz" if n not in bad})
    folder = ward.top / ward.name / "R---1"
    for n in bad:
        with open(folder / n, "wb") as f:
            f.truncate(6 << 40)
    done = ward.run(status=SOME_FAILED)
    assert {i["path"] for i in items(done, kind="file", result="failed")} == set(bad)
    good = {n: n.encode() for n in "acdefgz" if n not in bad}
    assert ward.place.contents("R/1") == good
    assert all(i["path"] in i["error"] for i in items(done, kind="file", result="failed"))


# ---- nothing to send ----

@pytest.mark.case("transfers-27")
def test_folders_without_files_create_nothing(ward, tmp_path):
    (tmp_path / "x").write_text("x")
    ward.put({"E---1/sub": None, "E---2/study.json": {"studyDatabaseId": "x", "patient": {}},
              "E---3/.DS_Store": "x", "E---4/no.txt": "x"})
    (ward.top / ward.name / "E---5").mkdir()
    (ward.top / ward.name / "E---5/link").symlink_to(tmp_path / "x")
    done = ward.run("upload", "--exclude", "no.txt", status=SOME_FAILED)  # for the link
    assert ward.place.names() == ["ALICE/CT", "BOB/CT"] and done.summary["studiesCreated"] == 0
    assert "E---5: link: links are not followed" in done.err
    assert done.err.count("no study was created") == 5


@pytest.mark.case("transfers-27")
@pytest.mark.parametrize("form", ["flat", "hierarchical"])
def test_a_description_alone_creates_its_study(ward, tmp_path, form):
    """Scripts create studies from a study.json, as the existing client does."""
    options, sep = (TREE, "/") if form == "hierarchical" else ([], "---")
    for part, more in {"1": {}, "2": {".DS_Store": "x"}, "3": {"files": None}, "4": {"x": "x"},
                       "5": {"dicom/1.dcm": "x"}}.items():
        ward.put({f"E{sep}{part}/study.json": {"patient": {"patientName": "E"}, "studyId": part},
                  **{f"E{sep}{part}/{n}": t for n, t in more.items()}})
    (tmp_path / "outside").write_text("x")
    ward.put({f"E{sep}6/study.json": {"description": "of links"}})
    (ward.top / ward.name / f"E{sep}6" / "link").symlink_to(tmp_path / "outside")
    for created in (3, 0):
        done = ward.run("upload", "--exclude", "x", *options, status=SOME_FAILED)  # for 5 and 6
        assert done.summary["studiesCreated"] == created
        assert {n for n in ward.place.names() if n.startswith("E")} == {"E/1", "E/2", "E/3"}


@pytest.mark.case("transfers-33")
def test_reversed_dates(igtcloud, tmp_path):
    for command in ("download", "verify", "csv"):
        done = igtcloud.run(command, "--start", "2024-05-01", "--end", "2024-04-01", tmp_path,
                            "forms", status=USAGE)
        assert "after" in done.err


# ---- two studies of one name ----

def ids_of(folder):
    return {p.parent.name: json.loads(p.read_text())["studyDatabaseId"]
            for p in folder.rglob("study.json")}


@pytest.mark.case("dicom-5")
@pytest.mark.parametrize("options", [[], TREE, ["--portable-names"]])
def test_two_studies_of_one_name(cloud, igtcloud, tmp_path, options):
    """Both come down, each keeps its folder, and each goes back to where it was."""
    down, tree = tmp_path / "down", options if options == TREE else []
    igtcloud.run("download", *options, down, "twins")
    ids = ids_of(down)
    assert len(ids) == 2 and len(set(ids.values())) == 2
    plain = "1" if options == TREE else "Anonymous---1"
    other = next(n for n in ids if n != plain)
    assert other == f"{plain} ({ids[other][:8]})"
    done = igtcloud.run("download", "--json", *options, down, "twins")
    assert done.summary["filesSkipped"] == 2 and ids_of(down) == ids
    done = igtcloud.run("verify", "--json", *tree, down, "twins")
    assert done.summary["filesSame"] == 2
    cloud.clear()
    igtcloud.run("upload", *tree, down, "twins")
    assert changes(cloud) == []
    # The second one alone has the plain name: it keeps it, and the first one gets a suffix.
    alone = tmp_path / "alone"
    folder = next(p.parent for p in down.rglob("study.json") if p.parent.name == other)
    (alone / folder.parent.relative_to(down)).mkdir(parents=True)
    folder.rename(alone / folder.parent.relative_to(down) / plain)
    igtcloud.run("download", *options, alone, "twins")
    assert ids_of(alone) == {plain: ids[other], f"{plain} ({ids[plain][:8]})": ids[plain]}
    igtcloud.run("verify", *tree, alone, "twins")


@pytest.mark.case("dicom-5")
def test_a_name_of_two_studies_on_the_command_line(cloud, igtcloud, tmp_path):
    igtcloud.run("download", tmp_path, "twins")
    ids = ids_of(tmp_path)
    done = igtcloud.run("ls", "twins/cohort/Anonymous/1/files", status=None)
    assert done.status != 0 and "id:" in done.err and all(i in done.err for i in ids.values())
    for name, one in ids.items():
        expected = next(p.name for p in (tmp_path / "cohort" / name).glob("*.dcm"))
        assert expected in igtcloud.run("ls", f"twins/cohort/id:{one}/files").text
        suffixed = f"twins/cohort/Anonymous/1 ({one[:8]})/files"
        assert expected in igtcloud.run("ls", suffixed).text


@pytest.mark.case("dicom-5")
def test_names_that_differ_by_case_on_a_portable_disk(igtcloud, tmp_path):
    down = tmp_path / "down"
    igtcloud.run("download", "--portable-names", down, "cases")
    names = sorted(ids_of(down))
    assert len(names) == 2 and len({n.lower() for n in names}) == 2 and "(" in "".join(names)
    igtcloud.run("verify", down, "cases")


# ---- studies whose names are not patient/study ----

@pytest.mark.case("dicom-5")
@pytest.mark.parametrize("project, name", [("levels", "deep"), ("cases of epd", "cases")])
def test_hierarchical_names_of_any_length(cloud, igtcloud, tmp_path, project, name):
    """A name of one level or of several is found again where a download has put it."""
    down, place = tmp_path / "down", Place(cloud, name, project)
    igtcloud.run("download", *TREE, down, project, name)
    done = igtcloud.run("verify", "--json", *TREE, down, project, name)
    assert done.summary["filesSame"] == len(list(down.rglob("x"))) + len(list(down.rglob("y")))
    cloud.clear()
    igtcloud.run("upload", "--no-journal", *TREE, down, project, name)
    assert changes(cloud) == []
    if name == "cases":
        return
    (down / name).rename(down / "elsewhere")
    for created in (6, 0):
        done = igtcloud.run("upload", "--json", "--trust-study-json", *TREE, down, project,
                            "elsewhere")
        assert done.summary["studiesCreated"] == created
    there = Place(cloud, "elsewhere", project)
    assert there.names() == place.names()
    for human in there.names():
        assert there.contents(human) == place.contents(human)


@pytest.mark.case("dicom-5")
def test_a_study_within_a_study_is_refused(cloud, igtcloud, tmp_path):
    """Nothing tells the files of P9 from the study P9/S."""
    down, place = tmp_path / "down", Place(cloud, "nested", "levels")
    igtcloud.run("download", *TREE, down, "levels", "nested")
    cloud.clear()
    done = igtcloud.run("upload", "--no-journal", *TREE, down, "levels", status=SOME_FAILED)
    assert "flat folder structure" in done.err and changes(cloud) == []
    igtcloud.run("verify", *TREE, down, "levels", "nested", status=SOME_FAILED)
    assert place.names() == ["P9", "P9/S"]


# ---- names are not unique, ids are ----

@pytest.mark.case("dicom-5")
@pytest.mark.parametrize("mine, other", [
    ({"instanceUid": "1.2"}, {"instanceUid": "9.8"}),
    ({"patient": {"patientName": "X", "patientId": "11"}},
     {"patient": {"patientName": "X", "patientId": "22"}})])
@pytest.mark.parametrize("ids", [{}, {"studyDatabaseId": "elsewhere"}])
def test_another_study_of_the_same_name(ward, mine, other, ids):
    """A second patient of one name gets a study of its own, in this run and in later ones."""
    patient = {"patient": {"patientName": "X"}, "studyId": "1"}
    ward.put({"X---1/study.json": {**patient, **mine}, "X---1/x": "mine"})
    ward.run()
    ward.put({"X---1/study.json": {**patient, **other, **ids}, "X---1/x": "them"})
    for options, created in ([], 1), ([], 0), (["--no-journal"], 0):
        assert ward.run("upload", *options).summary["studiesCreated"] == created
        studies = [s for s in ward.place.studies() if s["studyIdHumanReadable"] == "X/1"]
        found = [objects(ward.cloud, s["s3Prefix"] + "files/") for s in studies]
        assert sorted(f["x"] for f in found) == [b"mine", b"them"]
    done = ward.run("verify", status=SOME_FAILED)  # the first one is missing here
    assert done.summary["filesSame"] == 1 and done.summary["filesDifferent"] == 0
    ward.put({"Y/study.json": {**patient, **mine}, "Y/x": "mine"})
    done = ward.run()
    assert done.summary["studiesCreated"] == 0 and done.summary["filesSkipped"] == 2
    assert ward.run("verify").summary["filesSame"] == 2


@pytest.mark.case("dicom-5")
def test_a_description_that_adds_an_id(ward):
    """The study has the id that its folder's name gave it: that is no other one."""
    ward.put({"X---1/x": "1"})
    ward.run()
    ward.put({"X---1/study.json": {"patient": {"patientName": "X", "patientId": "11"},
                                   "studyId": "1", "instanceUid": "1.2"}, "X---1/y": "2"})
    assert ward.run().summary["studiesCreated"] == 0
    assert ward.place.contents("X/1") == {"x": b"1", "y": b"2"}


# ---- the environment ----

@pytest.mark.case("transfers-33")
@pytest.mark.parametrize("value, on", [("off", False), ("no", False), ("0", False), ("FALSE", False),
                                       ("1", True), ("on", True), ("maybe", None)])
def test_flags_of_the_environment(igtcloud, tmp_path, value, on):
    done = igtcloud.run("download", tmp_path, "twins", env={"IGTCLOUD_DRY_RUN": value},
                        status=USAGE if on is None else 0)
    assert on is None or (tmp_path / "cohort").exists() is not on
    assert on is not None or "IGTCLOUD_DRY_RUN" in done.err


@pytest.mark.case("transfers-11")
def test_a_download_into_a_tree_from_a_mac(cloud, igtcloud, tmp_path):
    """A folder that is there under the decomposed name is there."""
    put(tmp_path / "up", {f"{NAME}/{NAME}---D/x.dcm": "1"})
    igtcloud.run("upload", tmp_path / "up", "forms")
    down = tmp_path / "down"
    igtcloud.run("download", down, "forms", NAME)
    for path in sorted(down.rglob("*"), key=lambda p: -len(p.parts)):
        path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))
    before = {str(p) for p in down.rglob("*")}
    done = igtcloud.run("download", "--json", down, "forms", NAME)
    assert done.summary["filesSkipped"] >= 1
    assert {str(p) for p in down.rglob("*")} == before
    igtcloud.run("verify", down, "forms", NAME)


@pytest.mark.case("transfers-11")
@pytest.mark.parametrize("folder", ["", f"{NAME}/", f"{DECOMPOSED}/"])
def test_a_download_of_files_from_a_mac(cloud, igtcloud, tmp_path, folder):
    """A file that is here in one form is not fetched in the other, whichever the cloud has; two
    that the cloud has stay two, also when only one of them is here."""
    lab = f"F{len(folder.encode())}"
    put(tmp_path / "up", {f"{NAME}/{lab}---1/{folder}{NAME}.dcm": "1",
                          f"{NAME}/{lab}---2/{NAME}": "composed",
                          f"{NAME}/{lab}---2/{DECOMPOSED}": "decomposed"})
    igtcloud.run("upload", tmp_path / "up", "forms")
    down = tmp_path / "down"
    mac = unicodedata.normalize("NFD", f"{folder}{NAME}.dcm")
    put(down / NAME, {f"{lab}---1/{mac}": "1", f"{lab}---2/{DECOMPOSED}": "decomposed"})
    for done in (1, 0):
        summary = igtcloud.run("download", "--json", down, "forms", NAME).summary
        assert summary["filesFailed"] == 0
    one = [p for p in (down / NAME / f"{lab}---1").rglob("*") if p.is_file()]
    assert {p.name for p in one} == {"study.json", f"{DECOMPOSED}.dcm"}
    assert (down / NAME / f"{lab}---2/{NAME}").read_text() == "composed"
    assert (down / NAME / f"{lab}---2/{DECOMPOSED}").read_text() == "decomposed"
    cloud.clear()
    igtcloud.run("upload", down, "forms", NAME)
    assert changes(cloud) == []


@pytest.mark.case("dicom-35")
def test_singulars(ward):
    ward.put({"BOB---CT/study.json": {"studyDatabaseId": ward.id}, "BOB---CT/x": "1"})
    assert "1 study failed" in ward.run(status=SOME_FAILED).err


# ---- institutes of one name, responses about another study ----

def test_two_institutes_of_one_name(cloud, igtcloud, tmp_path):
    """Nothing goes to whichever is the first in the list; the id selects one."""
    client = RestClient(cloud.url).login()
    project = next(p for p in client.ok("GET", "/api/data/projects") if p["name"] == "one name")
    ids = [i["id"] for i in client.ok("GET", f"/api/data/projects/{project['id']}/hospitals")]
    up = put(tmp_path / "up", {"ward/B---2/new": "b", "ward/C---3/new": "c"})
    for where in ([], ["ward"]):
        cloud.clear()
        done = igtcloud.run("upload", up, "one name", *where, status=SOME_FAILED)
        assert all(i in done.err for i in ids) and "as id:..." in done.err and not changes(cloud)
    igtcloud.run("download", tmp_path / "all", "one name", status=SOME_FAILED)
    for n, human in enumerate(("A/1", "B/2")):
        out = tmp_path / str(n)
        igtcloud.run("download", out, "one name", ids[n])
        assert os.listdir(out / "ward") == [human.replace("/", "---")]
        igtcloud.run("verify", out, "one name", ids[n])
    igtcloud.run("upload", up, "one name", f"id:{ids[1]}")
    there = [[s["studyIdHumanReadable"] for s in client.ok("GET", f"/api/data/hospitals/{i}/studies")]
             for i in ids]
    assert sorted(there[0]) == ["A/1"] and sorted(there[1]) == ["B/2", "C/3"]


def test_two_projects_of_one_name(cloud, igtcloud):
    done = igtcloud.run("csv", "-", "twin", status=FAILED)
    assert "give one of them as id:..." in done.error
    for project in RestClient(cloud.url).login().ok("GET", "/api/data/projects"):
        if project["name"] == "twin":
            igtcloud.run("csv", "-", project["id"])


@pytest.mark.case("security-3")
def test_a_creation_that_returns_another_study(cloud, odd, home, tmp_path):
    """The files go nowhere, also when the command is repeated."""
    place = Place(cloud, "elsewhere", "levels")
    igtcloud = Program(odd.url, home)
    igtcloud.run("upload", put(tmp_path / "first", {"elsewhere/OLD---1/x": "old"}), "levels")
    other = place.study("OLD/1")
    odd.change = lambda r, reply: Reply(200, other) if (
        r.method == "POST" and r.path.endswith("/studies")) else None
    up = put(tmp_path / "up", {"elsewhere/NEW---1/x.new": "new"})
    done = igtcloud.run("upload", up, "levels", status=SOME_FAILED)
    assert "OLD/1" in done.err and "nothing was sent" in done.err
    odd.change = lambda *_: None
    igtcloud.run("upload", up, "levels")
    assert place.contents("OLD/1") == {"x": b"old"}


@pytest.mark.case("security-3")
@pytest.mark.parametrize("mine,other", [("AMY", "OTHER"), ('"studyId": "CT7"', '"studyId": "CT8"')])
def test_a_creation_that_returns_a_new_study_of_another_name(odd, home, tmp_path, mine, other):
    """Such as one that another client creates at the same time."""
    def change(request, reply):
        if request.method == "POST" and request.path.endswith("/studies"):
            body = json.dumps(json.loads(reply.body))
            assert mine in body
            return Reply(reply.status, body.replace(mine, other).encode())
        return None
    odd.change = change
    up = put(tmp_path / "up", {f"elsewhere/{'AMY' if mine == 'AMY' else 'BOB'}---CT7/x": "mine"})
    done = Program(odd.url, home).run("upload", up, "levels", status=SOME_FAILED)
    assert "responded with another study" in done.err and "nothing was sent" in done.err


@pytest.mark.case("security-3")
def test_a_creation_without_a_response_and_another_study_afterwards(odd, home, tmp_path):
    def change(request, reply):
        if request.method == "POST" and request.plain.endswith("/studies"):
            return Reply(502)
        if request.method == "GET" and re.search("/studies/[0-9a-f-]{36}$", request.plain):
            return Reply(200, dict(json.loads(reply.body), studyDatabaseId=str(uuid.uuid4())))
        return None
    odd.change = change
    up = put(tmp_path / "up", {"elsewhere/CAROL---CT7/x": "carol"})
    done = Program(odd.url, home).run("upload", up, "levels", status=SOME_FAILED)
    assert "responded with another study" in done.err and "nothing was sent" in done.err


# ---- a tree of the other folder structure ----

def test_a_flat_tree_is_no_hierarchical_one(ward, tmp_path):
    """A downloaded study's folder must not become a patient, nor its subfolders studies."""
    ward.put({"P7---S/study.json": {"studyIdHumanReadable": "P7/S"}, "P7---S/sub/x": "x",
              "P7---S/y": "y"})
    ward.cloud.clear()
    done = ward.run("upload", *TREE, status=SOME_FAILED)
    assert "P7---S" in done.err and "--folder-structure flat" in done.err
    assert changes(ward.cloud) == []
    ward.run()
    assert ward.place.contents("P7/S") == {"sub/x": b"x", "y": b"y"}


@pytest.mark.parametrize("patient", ["P7", "ALICE"])
def test_a_hierarchical_tree_is_no_flat_one(ward, patient):
    """A patient's folder must not become one study of all of the patient's files."""
    ward.put({f"{patient}/{s}/{n}": c for s in "AB" for n, c in (
        ("study.json", {"studyIdHumanReadable": f"{patient}/{s}"}), ("x", s))})
    ward.cloud.clear()
    done = ward.run("upload", status=SOME_FAILED)
    assert f"{patient}/" in done.err and "--folder-structure hierarchical" in done.err
    assert changes(ward.cloud) == []
    ward.run("upload", *TREE)
    assert ward.place.contents(f"{patient}/B") == {"x": b"B"}


def test_a_study_may_have_files_of_that_name(ward):
    ward.put({"P7---S/study.json": {"studyIdHumanReadable": "P7/S"}, "P7---S/old/study.json": {}})
    ward.put({"P7---T/files/study.json": {}, "P7---T/files/x": "x"})
    ward.run()
    assert ward.place.contents("P7/S") == {"old/study.json": b"{}"}
    assert ward.place.contents("P7/T") == {"study.json": b"{}", "x": b"x"}


@pytest.mark.parametrize("options, folder, study", [
    ([], "", "S---1"), (TREE, "", "S/1"), (TREE, "S/", "S/1")])
def test_files_without_a_folder_of_a_study(ward, options, folder, study):
    """All of a folder would be left out, and its only copy lost by whoever then deletes it."""
    ward.put({f"{folder}x.dcm": "x"})
    for command in ("upload", "verify"):
        done = ward.run(command, *options, status=SOME_FAILED)
        assert "no folder of a study" in done.err and "x.dcm" in done.text
    ward.put({f"{study}/y": "y"})
    done = ward.run("upload", *options)
    assert done.summary["filesDone"] == 1 and done.summary["filesIgnored"] == 1


# ---- folders whose names say too little, or something else ----

@pytest.mark.parametrize("studies", [("CT", "MR"), ("CT",)])
@pytest.mark.parametrize("clutter", [{}, {"P20/.DS_Store": "x"}])
def test_a_patients_folder_is_no_flat_study(ward, studies, clutter):
    """Without the option its studies would become one, which is called like the patient."""
    ward.put({**{f"P20/{s}/{s}.dcm": s for s in studies}, **clutter})
    ward.cloud.clear()
    for more in ([], ["--dry-run"]):
        done = ward.run("upload", *more, status=SOME_FAILED)
        assert "P20" in done.err and all(f"'{s}'" in done.err for s in studies), done.err
        assert "--folder-structure hierarchical" in done.err and "--flat-names whole" in done.err
        inside = "a study" if len(studies) == 1 else "studies"
        assert f"so it may be a patient's folder with {inside} in it" in done.err
        assert done.summary["studiesFailed"] == 1 and done.summary["filesDone"] == 0
    assert changes(ward.cloud) == []
    ward.run("upload", *TREE)
    assert all(ward.place.contents(f"P20/{s}") == {f"{s}.dcm": s.encode()} for s in studies)


def test_a_flat_study_of_one_name(ward):
    """One that is asked for, one with files of its own, and one that exists are accepted."""
    ward.put({"P21/series1/x": "1", "P21/series2/x": "2"})
    ward.run("upload", "--flat-names", "whole")
    assert ward.place.contents("P21") == {"series1/x": b"1", "series2/x": b"2"}
    ward.put({"P21/series3/x": "3", "P22/series1/x": "1", "P22/x": "x", "P23/files/s/x": "x"})
    ward.run()
    assert ward.place.contents("P21")["series3/x"] == b"3"
    assert ward.place.contents("P22") == {"series1/x": b"1", "x": b"x"}
    assert ward.place.contents("P23") == {"s/x": b"x"}


def test_a_flat_studys_folder_is_no_patient(ward):
    ward.put({"P24---CT/series1/x": "1", "P24---CT/series2/x": "2"})
    ward.cloud.clear()
    done = ward.run("upload", *TREE, status=SOME_FAILED)
    assert "P24---CT" in done.err and "--folder-structure flat" in done.err
    assert done.summary["studiesFailed"] == 2 and changes(ward.cloud) == []
    ward.run("upload", *TREE, "--flat-names", "whole")
    assert ward.place.contents("P24---CT/series1") == {"x": b"1"}
    ward.put({"P24---CT/series3/x": "3"})
    ward.run("upload", *TREE)
    assert ward.place.contents("P24---CT/series3") == {"x": b"3"}


@pytest.mark.parametrize("name, missing", [
    ("P12---", "study"), ("---X", "patient"), ("P12--- ", "study"), (" ---X", "patient"),
    ("---", "patient")])
def test_a_flat_name_with_an_empty_part(ward, name, missing):
    ward.put({f"{name}/x": "x"})
    ward.cloud.clear()
    done = ward.run("upload", status=SOME_FAILED)
    assert name in done.err and f"no {missing}" in done.err and changes(ward.cloud) == []
    ward.run("upload", "--flat-names", "whole")


# ---- the study.json of another institute ----

@pytest.mark.parametrize("folder, options", [
    ("P30---CT", []), ("P30/CT", TREE), ("ALICE---CT", []), ("ALICE/CT", TREE)])
def test_a_study_json_of_another_institute(ward, folder, options):
    """Of the same project, as when a folder is copied; also of an existing patient."""
    other = Place(ward.cloud, BESIDE, "trial")
    ward.put({f"{folder}/study.json": {"studyDatabaseId": "unknown", "instituteId": other.id},
              f"{folder}/x": "x"})
    ward.cloud.clear()
    done = ward.run("upload", *options, status=SOME_FAILED)
    assert f"institute '{BESIDE}'" in done.err and other.id in done.err and "--trust-study-json" in done.err and changes(ward.cloud) == []
    ward.run("verify", *options, status=SOME_FAILED)
    ward.run("upload", *options, "--trust-study-json")
    assert ward.place.contents(folder.replace("---", "/")) == {"x": b"x"}


@pytest.mark.parametrize("folder, options", [("P31---CT", []), ("P31/CT", TREE)])
def test_a_study_json_of_another_project(ward, folder, options):
    """Trees are moved between projects and clouds."""
    other = Place(ward.cloud, "north", "forms").id
    ward.put({f"{folder}/study.json": {"studyDatabaseId": "unknown", "instituteId": other},
              f"{folder}/x": "x"})
    ward.run("upload", *options)
    assert ward.place.contents("P31/CT") == {"x": b"x"}


# ---- names that differ in case or blanks ----

@pytest.mark.parametrize("folders, other", [
    (["alice---MR", "alice---US"], "ALICE"), (["A LICE---MR"], "ALICE"), (["Alice ---MR"], "ALICE"),
    (["ALICE---ct"], "CT"), (["P40---1", "p40---1"], None)])
def test_a_name_that_looks_like_another(ward, folders, other):
    ward.put({f"{f}/x": f for f in folders})
    done = ward.run()
    assert done.err.count("did you mean") == 1 and "warning: the folder '" in done.err, done.err
    assert other is None or f"did you mean '{other}'?" in done.err
    assert len(ward.place.names()) == 2 + len(folders)
    done = ward.run()
    assert "did you mean" not in done.err


def test_other_names_are_not_reported(ward):
    ward.put({"ALICE---MR/x": "1", "ALICIA---CT/x": "2", "BOB---ct2/x": "3"})
    assert "did you mean" not in ward.run().err


@pytest.mark.parametrize("there, here", [(NAME, DECOMPOSED), (DECOMPOSED, NAME)])
def test_unicode_forms_are_not_reported(ward, there, here):
    """They are one name, which looks the same: there is nothing to mean instead."""
    ward.put({f"{there}---CT/x": "1"})
    ward.run()
    (ward.top / ward.name / f"{there}---CT").rename(ward.top / ward.name / f"{here}---CT")
    ward.put({f"{here}---MR/z": "3"})
    done = ward.run()
    assert "did you mean" not in done.err and done.summary["studiesCreated"] == 1
    ward.put({f"{here.upper()}---US/x": "4"})
    assert "did you mean" in ward.run().err  # another case is reported, in either form
