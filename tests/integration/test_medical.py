# SPDX-License-Identifier: MIT
"""Medical folders: what is left out of a study, imports, clutter, annotations, and the messages about
them."""

import csv
import io
import os

import pytest

from igtcloud import SOME_FAILED, shown
from sandbox import ROOT
from test_disks import injected, on
from test_rest_data import dicom
from uploads import changes, epd, igt, institute, items, patient_study, put, seed

SEED = seed(igt(*[institute(f"ward{n}", patient_study("P1", "A")) for n in range(80)]),
            epd(*[institute(f"ward{n}", {"name": "case"}) for n in range(80)]))

TREE = ["--folder-structure", "hierarchical"]
MARKS = ["--category", "annotations"]
IMPORT = ["--category", "dicom"]


# ---- what lies beside the folders of categories ----

@pytest.mark.case("dicom-3")
def test_what_lies_beside_files_is_named_and_counted(igtcloud, up, name, ward):
    put(up, {f"{name}/P1/A/files/n.txt": "n", f"{name}/P1/A/images/CT_small.dcm": "ct",
             f"{name}/P1/A/images/deep/2.dcm": "ct", f"{name}/P1/A/loose.txt": "l"})
    done = igtcloud.run("upload", *TREE, up, "trial")
    assert ward.contents("P1/A") == {"n.txt": b"n"}
    for lost in ("images/CT_small.dcm", "images/deep/2.dcm", "loose.txt"):
        assert f"ignored: {name}: {shown(up)}/{name}/P1/A/{lost}" in done.err
    assert "3 files ignored" in done.err
    done = igtcloud.run("upload", "--json", *TREE, up, "trial")
    assert done.summary["filesIgnored"] == 3
    done = igtcloud.run("verify", "--json", *TREE, up, "trial", name, status=SOME_FAILED)
    assert {i["path"] for i in items(done, kind="file", result="missing there")} == {
        "images/CT_small.dcm", "images/deep/2.dcm", "loose.txt"}
    assert done.summary["filesSame"] == 1 and done.summary["filesMissingThere"] == 3


@pytest.mark.case("dicom-3")
@pytest.mark.parametrize("files", [{}, {"notes.txt": "n"}])
def test_a_study_with_dicom_alone_fails(cloud, igtcloud, up, name, ward, files):
    put(up, {f"{name}/new/S/dicom/1.dcm": "x", f"{name}/P1/A/x": "x",
             **{f"{name}/new/S/{n}": t for n, t in files.items()}})
    done = igtcloud.run("upload", *TREE, up, "trial", status=SOME_FAILED)
    assert "--category dicom" in done.err and "failed: " + name + ": new/S" in done.err
    assert ward.names() == ["P1/A"] and ward.contents("P1/A") == {"x": b"x"}
    assert f"{1 + len(files)} file{'s' if files else ''} ignored" in done.err


@pytest.mark.case("dicom-3")
def test_folders_of_other_categories_are_one_sentence(igtcloud, up, name, ward):
    put(up, {f"{name}/P1/A/files/n.txt": "n", f"{name}/P1/A/dicom/1.dcm": "ct",
             f"{name}/P1/A/dicom/2.dcm": "ct", f"{name}/P1/A/annotations/1.json": "{}"})
    done = igtcloud.run("upload", *TREE, up, "trial")
    assert "A/dicom: left out (2 files): --category dicom" in done.err
    assert "A/annotations: left out (1 file): --category annotations" in done.err
    assert "3 files ignored" in done.err and "1.dcm" not in done.err
    igtcloud.run("upload", *TREE, *MARKS, up, "trial")
    done = igtcloud.run("verify", "--json", *TREE, up, "trial", name, status=SOME_FAILED)
    assert {i["path"] for i in items(done, kind="file", result="missing there")} == {
        "1.dcm", "2.dcm"}
    assert done.summary["filesSame"] == 2  # n.txt, 1.json


@pytest.mark.case("dicom-3")
def test_a_download_of_several_categories_verifies(igtcloud, up, name, ward, tmp_path):
    put(up, {f"{name}/P1/A/n.txt": "n"})
    igtcloud.run("upload", *TREE, up, "trial")
    put(tmp_path / "m", {f"{name}/P1/A/1.json": "{}"})
    igtcloud.run("upload", *MARKS, tmp_path / "m", "trial")
    igtcloud.run("download", *MARKS, "--category", "files", tmp_path / "d", "trial", name)
    done = igtcloud.run("verify", "--json", tmp_path / "d", "trial", name)
    assert done.summary["filesSame"] == 2
    done = igtcloud.run("verify", "--category", "files", tmp_path / "d", "trial", name)
    assert "annotations: not compared; --category annotations" in done.err


# ---- clutter ----

CLUTTER = ("._IM1", ".DS_Store", "Thumbs.db", "desktop.ini", "THUMBS.DB", "__MACOSX/._x",
           "__macosx/deep/x")


@pytest.mark.case("dicom-14")
def test_clutter_stays_here_and_is_counted(igtcloud, up, name, ward):
    put(up, {f"{name}/P1/A/IM1": "i", f"{name}/P1/A/sub/IM2": "i",
             **{f"{name}/P1/A/sub/{c}": "c" for c in CLUTTER}})
    done = igtcloud.run("upload", *TREE, up, "trial")
    assert ward.contents("P1/A") == {"IM1": b"i", "sub/IM2": b"i"}
    assert "7 files of macOS, Windows or a NAS" in done.err and "--include-clutter" in done.err
    assert ".DS_Store:" not in done.err  # not a line each
    done = igtcloud.run("verify", "--json", *TREE, up, "trial", name)
    assert done.summary["filesSame"] == 2 and done.summary["filesClutter"] == 7
    igtcloud.run("upload", *TREE, "--include-clutter", up, "trial")
    assert set(ward.contents("P1/A")) == {"IM1", "sub/IM2", *(f"sub/{c}" for c in CLUTTER)}
    done = igtcloud.run("verify", "--json", *TREE, up, "trial", name)
    assert done.summary["filesSame"] == 9  # what is there is compared


@pytest.mark.case("dicom-14")
def test_clutter_is_no_institute_patient_or_study(igtcloud, up, name, ward):
    put(up, {f"{name}/P1/A/IM1": "i", f"{name}/__MACOSX/A/x": "c", f"{name}/P1/__MACOSX/x": "c",
             f"{name}/.DS_Store": "c", f"{name}/P1/.DS_Store": "c", "__MACOSX/P/x": "c",
             f"{name}/@eaDir/A/IM1@SynoEAStream": "c", f"{name}/.Trash-1000/A/x": "c", "#recycle/P/x": "c",
             ".DS_Store": "c", f"{name}/._P1": "c"})
    for options in ([], ["--include-clutter"]):
        igtcloud.run("upload", *TREE, *options, up, "trial")
        assert ward.names() == ["P1/A"] and set(ward.contents("P1/A")) == {"IM1"}
    done = igtcloud.run("verify", "--json", *TREE, up, "trial", name)
    assert done.summary["filesSame"] == 1 and done.summary["filesClutter"] == 10


@pytest.mark.case("dicom-14")
def test_clutter_in_annotations_and_imports(igtcloud, up, name, ward, tmp_path):
    put(up, {f"{name}/P1/A/left.json": "{}", f"{name}/P1/A/._left.json": b"\0\5\x16\7"})
    igtcloud.run("upload", *MARKS, up, "trial")
    assert set(ward.contents("P1/A", "annotations/")) == {"left.json"}
    igtcloud.run("upload", *MARKS, "--include-clutter", up, "trial", status=SOME_FAILED)
    put(tmp_path / "i", {f"{name}/CD/IM1": dicom("Clu^X", "1.2.3", "1.2.3.1", "1", "S1"),
                         f"{name}/CD/._IM1": "c", f"{name}/__MACOSX/IM1": "c"})
    done = igtcloud.run("upload", "--json", *IMPORT, tmp_path / "i", "trial")
    assert done.summary["filesDone"] == 1 and done.summary["filesClutter"] == 2


@pytest.mark.case("dicom-14")
def test_clutter_that_is_in_the_cloud_downloads(igtcloud, up, name, ward, tmp_path):
    put(up, {f"{name}/P1/A/.DS_Store": "c", f"{name}/P1/A/__MACOSX/x": "c"})
    igtcloud.run("upload", *TREE, "--include-clutter", up, "trial")
    igtcloud.run("download", tmp_path / "d", "trial", name)
    assert (tmp_path / "d" / name / "P1---A/.DS_Store").read_text() == "c"
    assert (tmp_path / "d" / name / "P1---A/__MACOSX/x").read_text() == "c"
    igtcloud.run("verify", tmp_path / "d", "trial", name)


# ---- imports ----

def image(study="1.2.3", number="1", patient="Imp^One", size=0):
    return dicom(patient, study, study + ".1", study + ".1." + number, "S" + study[-1]) + b"\0" * size


def imports(cloud):
    return [r["path"] for r in cloud.requests(method="PUT") if "/Import/" in r["path"]]


def imported(cloud):
    return cloud.requests(method="POST", path="*/update-database")


@pytest.mark.case("dicom-6")
@pytest.mark.parametrize("how", ["written", "renamed", "linked"])
def test_another_slice_of_the_same_size_and_time(igtcloud, up, name, ward, how):
    slices = [image("1.2.3", patient="Imp^One"), image("1.2.4", patient="Imp^Two")]
    assert len(slices[0]) == len(slices[1])
    path = put(up, {f"{name}/CD/IM000001": slices[0]}) / name / "CD/IM000001"
    os.utime(path, (1577836800, 1577836800))
    igtcloud.run("upload", *IMPORT, up, "trial")
    if how == "written":
        path.write_bytes(slices[1])
    else:
        other = put(up.parent / "other", {"x": slices[1]}) / "x"
        os.utime(other, (1577836800, 1577836800))
        path.unlink()
        (os.replace if how == "renamed" else os.link)(other, path)
    os.utime(path, (1577836800, 1577836800))
    done = igtcloud.run("upload", "--json", *IMPORT, up, "trial")
    assert done.summary["filesDone"] == 1 and "Imp^Two/S4" in ward.names()


@injected
@pytest.mark.case("dicom-6")
@pytest.mark.parametrize("fraction", [0, 990_000_000], ids=["CD", "exFAT"])
def test_another_disc_in_the_drive(igtcloud, up, name, ward, fraction):
    """They have no change times, and what is written alike has the same inode numbers."""
    path, env = up / name / "CD/IM1", on(up, ("clock", 1))
    for study, sent in (("1.2.3", 1), ("1.2.4", 1), ("1.2.4", 0)):
        put(up, {f"{name}/CD/IM1": image(study)})
        os.utime(path, ns=(0, 1577836800_000000000 + fraction))
        inode = path.stat().st_ino
        done = igtcloud.run("upload", "--json", *IMPORT, up, "trial", env=env)
        assert done.summary["filesDone"] == sent and path.stat().st_ino == inode
    assert {"Imp^One/S3", "Imp^One/S4"} <= set(ward.names())


@pytest.mark.case("dicom-6")
def test_the_same_content_with_another_inode_is_not_sent_again(cloud, igtcloud, up, name):
    path = put(up, {f"{name}/CD/IM1": image()}) / name / "CD/IM1"
    igtcloud.run("upload", *IMPORT, up, "trial")
    for _ in range(2):  # the second time without a look
        status = path.stat()
        copy = path.with_suffix(".new")
        copy.write_bytes(path.read_bytes())
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(copy, path)
        cloud.clear()
        done = igtcloud.run("upload", "--json", *IMPORT, up, "trial")
        assert done.summary["filesHandedOver"] == 1 and changes(cloud) == []


@pytest.mark.case("dicom-6", "security-17")
def test_another_file_of_the_same_size_and_time_in_a_study(igtcloud, up, name, ward):
    path = put(up, {f"{name}/P1/A/x": "one"}) / name / "P1/A/x"
    os.utime(path, (1577836800, 1577836800))
    igtcloud.run("upload", *TREE, up, "trial")
    path.write_text("two")
    os.utime(path, (1577836800, 1577836800))
    igtcloud.run("upload", *TREE, up, "trial")
    assert ward.contents("P1/A") == {"x": b"two"}


@pytest.mark.case("dicom-7", "dicom-8")
def test_what_was_handed_over_is_not_called_there(cloud, igtcloud, up, name, ward):
    put(up, {f"{name}/1.dcm": image(), f"{name}/2.dcm": image(number="2")})
    done = igtcloud.run("upload", *IMPORT, up, "trial")
    assert "Uploaded 1 DICOM import, 2 files" in done.err and "study" not in done.err
    assert "1 import was handed over" in done.err
    study = ward.study("Imp^One/S3")
    ward.client.ok("DELETE", f"/api/data/hospitals/{ward.id}/studies/{study['studyDatabaseId']}",
                   status=204)
    cloud.clear()
    done = igtcloud.run("upload", *IMPORT, up, "trial")
    assert "2 files were handed over to an earlier import" in done.err
    assert "already there" not in done.err and "there already" not in done.err
    assert "--overwrite" in done.err and changes(cloud) == []
    done = igtcloud.run("upload", "--json", *IMPORT, up, "trial")
    assert items(done, kind="import", result="skipped") and not items(done, kind="study")
    igtcloud.run("upload", *IMPORT, "--overwrite", up, "trial")
    assert len(ward.contents("Imp^One/S3", "0/")) == 2


@pytest.mark.case("dicom-7")
def test_an_import_never_overwrites_an_earlier_one(cloud, igtcloud, up, name, ward):
    """A file that changed goes below another id, and by itself."""
    put(up, {f"{name}/IM1": image("1.2.3"), f"{name}/IM2": image("1.2.3", "2")})
    cloud.clear()
    igtcloud.run("upload", *IMPORT, up, "trial")
    first = imports(cloud)
    put(up, {f"{name}/IM1": image("1.2.4", size=2)})
    cloud.clear()
    igtcloud.run("upload", *IMPORT, up, "trial")
    second = imports(cloud)
    assert len(first) == 2 and len(second) == 1 and not set(first) & set(second)
    assert ward.contents("Imp^One/S3", "0/") and ward.contents("Imp^One/S4", "0/")
    cloud.clear()
    igtcloud.run("upload", *IMPORT, "--overwrite", up, "trial")
    assert len(imports(cloud)) == 2 and not set(imports(cloud)) & {*first, *second}


@pytest.mark.case("dicom-7")
@pytest.mark.parametrize("fault", ["internal-error", "lost-response"])
def test_an_import_whose_announcement_was_lost(cloud, igtcloud, up, name, ward, fault):
    """It may have been received: its id gets no more files, and it is announced again."""
    put(up, {f"{name}/IM1": image("1.2.3")})
    cloud.clear()
    cloud.faults({"fault": fault, "method": "POST", "path": "update-database", "times": 0})
    igtcloud.run("upload", *IMPORT, up, "trial", "--retries", "1", status=SOME_FAILED)
    first = imports(cloud)
    cloud.clear()
    put(up, {f"{name}/IM1": image("1.2.4", size=2)})
    if fault == "lost-response":  # nothing is left below the id, so nobody knows
        done = igtcloud.run("upload", *IMPORT, up, "trial", status=SOME_FAILED)
        assert "import was handed over is unknown" in done.err and imports(cloud) == []
        cloud.clear()
    igtcloud.run("upload", *IMPORT, up, "trial")
    assert len(imported(cloud)) == (1 if fault == "lost-response" else 2)
    assert len(imports(cloud)) == 1 and not set(first) & set(imports(cloud))
    assert {"Imp^One/S3", "Imp^One/S4"} <= set(ward.names())


@pytest.mark.parametrize("how", ["removed", "left out"])
def test_files_that_were_sent_and_never_announced_are_not_forgotten(cloud, igtcloud, up, name, ward, how):
    put(up, {f"{name}/IM1": image("1.2.3")})
    cloud.faults({"fault": "forbidden", "method": "POST", "path": "update-database", "times": 0})
    igtcloud.run("upload", *IMPORT, up, "trial", status=SOME_FAILED)
    cloud.clear()
    options = [] if how == "removed" else ["--exclude", "*"]
    if how == "removed":
        (up / name / "IM1").unlink()
    done = igtcloud.run("upload", *IMPORT, *options, up, "trial", status=SOME_FAILED)
    assert "were not handed over" in done.err and ward.names() == ["P1/A"] and imported(cloud) == []
    put(up, {f"{name}/IM1": image("1.2.3")})
    igtcloud.run("upload", *IMPORT, up, "trial")
    assert ward.names() == ["Imp^One/S3", "P1/A"]


# ---- studies whose files are of another category ----

@pytest.mark.case("dicom-16")
def test_lists_and_downloads_of_imported_studies(igtcloud, up, name, tmp_path):
    put(up, {f"{name}/1.dcm": image(), f"{name}/2.dcm": image("1.2.4")})
    igtcloud.run("upload", *IMPORT, up, "trial")
    hint = "3 studies have no files in the category files, but files in the category dicom"
    done = igtcloud.run("csv", "-", "trial", name, "--files")
    assert hint in done.err and "--category dicom" in done.err and ".dcm" not in done.text
    done = igtcloud.run("download", tmp_path / "d", "trial", name)
    assert hint in done.err
    done = igtcloud.run("csv", "-", "trial", name, "--category", "dicom")
    names = [row["filename"] for row in csv.DictReader(io.StringIO(done.text))]
    assert sorted(names) == ["", "1.2.3.1/1.dcm", "1.2.4.1/2.dcm"] and "select them with" not in done.err
    put(tmp_path / "m", {f"{name}/P1/A/1.json": "{}"})
    igtcloud.run("upload", *MARKS, tmp_path / "m", "trial")
    done = igtcloud.run("csv", "-", "trial", name, "--files", "--category", "dicom", "--category",
                        "annotations")
    names = [row["filename"] for row in csv.DictReader(io.StringIO(done.text))]
    assert sorted(names) == ["annotations/1.json", "dicom/1.2.3.1/1.dcm", "dicom/1.2.4.1/2.dcm"]
    done = igtcloud.run("download", "--category", "dicom", tmp_path / "e", "trial", name)
    assert "select them with" not in done.err


# ---- words ----

@pytest.mark.case("security-17")
def test_a_file_that_was_changed_here_is_moved(igtcloud, up, name, ward, tmp_path):
    put(up, {f"{name}/P1/A/x": "one", f"{name}/P1/A/y": "yyy"})
    done = igtcloud.run("upload", *TREE, up, "trial")
    out = tmp_path / "out"
    igtcloud.run("download", out, "trial", name)
    local = out / name / "P1---A/x"
    local.write_text("two")
    done = igtcloud.run("download", out, "trial", name)
    assert local.read_text() == "one"
    assert "1 file was already there (compared by size and date only; use --checksum)" in done.err
    date = local.stat().st_mtime_ns
    local.write_text("two")
    os.utime(local, ns=(date, date))  # a tool that restores the date
    igtcloud.run("download", out, "trial", name)
    assert local.read_text() == "one"
    os.utime(local, (1577836800, 1577836800))  # another date, the same content
    done = igtcloud.run("download", "--json", out, "trial", name)
    assert done.summary["filesSkipped"] == 2
    done = igtcloud.run("download", "--checksum", out, "trial", name)
    assert "2 files were already there, with the same content" in done.err


# ---- annotations as Python writes them ----

@pytest.mark.case("dicom-13")
@pytest.mark.parametrize("text", [
    '{"a":NaN}', "[NaN, Infinity, -Infinity]", "NaN", "-Infinity", '{"a": 1, "a": 2}',
    '{"a": 123456789012345678901234567890, "b": 1E400, "c": -0}', '{"a": "\\ud800"}',
    "\ufeff{}", "[" * 800 + "]" * 800])
def test_annotations_that_python_reads_go_up(igtcloud, up, name, ward, text):
    put(up, {f"{name}/P1/A/1.json": text})
    igtcloud.run("upload", *MARKS, up, "trial")
    assert ward.contents("P1/A", "annotations/") == {"1.json": text.encode()}


@pytest.mark.case("dicom-13")
@pytest.mark.parametrize("text", ['{"a":nan}', "-NaN", "Inf", "+Infinity", "NaNs", "Infinity1", "--1",
                                  '{NaN: 1}', "N", "-I", "01"])
def test_annotations_that_python_does_not_read_stay(igtcloud, up, name, ward, text):
    put(up, {f"{name}/P1/A/1.json": text})
    igtcloud.run("upload", *MARKS, up, "trial", status=SOME_FAILED)
    assert ward.contents("P1/A", "annotations/") == {}


# ---- layouts ----

@pytest.mark.case("dicom-17")
def test_series_folders_of_the_longest_uids(igtcloud, up, name, ward, tmp_path):
    """What a deep folder and two UIDs of 64 characters are called comes down, up and verifies."""
    uid = "1.2." + "3" * 60
    put(up, {f"{name}/CD/IM1": dicom("Long^Uid", uid[:-1] + "4", uid, uid[:-1] + "5", "L")})
    igtcloud.run("upload", *IMPORT, up, "trial")
    down = tmp_path / ("deep" * 20)
    for options in ([], ["--portable-names"]):
        igtcloud.run("download", *IMPORT, *options, down, "trial", name)
        assert (down / name / "Long^Uid---L" / uid / "IM1").read_bytes() == \
            (up / name / "CD/IM1").read_bytes()
        igtcloud.run("verify", *IMPORT, down, "trial", name)


@pytest.mark.case("dicom-17")
def test_the_manual_explains_the_layouts():
    page = (ROOT / "docs/man/igtcloud-download.roff").read_text("utf-8")
    assert "named by its UID" in page and "For another layout" in page
