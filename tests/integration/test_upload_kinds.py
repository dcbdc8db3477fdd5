# SPDX-License-Identifier: MIT
"""Uploads of other kinds: --submit, --category annotations, --category dicom."""

import pytest

from igtcloud import DENIED, ENDED, ENDING, FAILED, SOME_FAILED, Program
from odd_cloud import Reply
from test_rest_data import dicom
from uploads import (Place, changes, epd, igt, institute, items, objects, patient_study, put, seed,
                     sent_bytes)

SEED = seed(igt(*[institute(f"ward{n}", patient_study("P1", "A"), patient_study("P1", "B"),
                            patient_study("P2", "A"), patient_study("alone")) for n in range(40)]),
            epd(*[institute(f"ward{n}", {"name": "case"}) for n in range(40)]),
            services=[{"id": "station@trial"}])


TREE = ["--folder-structure", "hierarchical"]
NOW = [*TREE, "--min-age", "0"]  # what a test has just made counts as finished


# ---- --submit ----

def states(place):
    return {s["studyIdHumanReadable"]: s["electronicRecordState"] for s in place.studies()}


def test_submit_asks_on_the_terminal(igtcloud, up, name, ward):
    put(up, {f"{name}/P1/A/x": "x"})
    status, screen = igtcloud.on_terminal(
        "upload", "--submit", *NOW, up, "trial",
        answers=[(r"Password .again, to submit the studies.: ", "demo")])
    assert status == 0, screen
    assert states(ward)["P1/A"] == "submitted" and states(ward)["P1/B"] == "draft"
    assert "demo\n" not in screen


@pytest.mark.parametrize("given", ["demo", "demo\ndemo"])
def test_submit_from_standard_input(igtcloud, up, name, ward, given):
    """Unattended: the password may be repeated on a line of its own."""
    put(up, {f"{name}/P1/A/x": "x", f"{name}/new/S/x": "y"})
    igtcloud.password = given
    igtcloud.run("upload", "--submit", *NOW, up, "trial")
    assert states(ward)["P1/A"] == states(ward)["new/S"] == "submitted"


@pytest.mark.parametrize("how", ["draft", "another"])
def test_submit_that_the_cloud_does_not_confirm(odd, home, up, name, ward, how):
    """It responds with 200, and a study that is not submitted, or is another one."""
    study = ward.study("P1/A" if how == "draft" else "P1/B")
    odd.answer = lambda r: Reply(200, {**study, "electronicRecordState": how if how == "draft" else
                                       "submitted"}) if "record-state" in r.path else None
    igtcloud = Program(odd.url, home, password="demo\ndemo")
    put(up, {f"{name}/P1/A/x": "x"})
    done = igtcloud.run("upload", "--submit", *NOW, up, "trial", status=SOME_FAILED)
    assert "not submitted" in done.err and "the cloud responded" in done.err
    done = igtcloud.run("study submit", f"trial/{name}/P1/A", status=FAILED)
    assert "the cloud responded" in done.err


def test_submit_by_a_command(igtcloud, up, name, ward, tmp_path):
    put(up, {f"{name}/P1/A/x": "x"})
    arguments = ["--submit", *NOW, up, "trial", "--user", igtcloud.user, "--password-command"]
    once = f"test ! -e {tmp_path}/was && touch {tmp_path}/was && echo demo"
    done = igtcloud.run("upload", *arguments, once, sign_in=False, status=FAILED)
    assert "exit status 1" in done.err and ward.contents("P1/A") == {}
    igtcloud.run("upload", *arguments, "echo demo", sign_in=False)
    assert states(ward)["P1/A"] == "submitted"


def test_submit_with_a_wrong_password(igtcloud, up, name, ward):
    put(up, {f"{name}/P1/A/x": "x"})
    igtcloud.password = "demo\nwrong"
    done = igtcloud.run("upload", "--submit", *NOW, up, "trial", status=None)
    assert done.status in (SOME_FAILED, DENIED) and "was not submitted" in done.err
    assert states(ward)["P1/A"] == "draft" and ward.contents("P1/A") == {"x": b"x"}
    assert "wrong" not in done.err


def test_submit_never_when_a_file_failed(cloud, igtcloud, up, name, ward):
    put(up, {f"{name}/P1/A/x": "x", f"{name}/P1/A/y": "y", f"{name}/P2/A/x": "x"})
    cloud.faults({"fault": "forbidden", "method": "PUT",
                  "path": f"/igtcloud/{ward.study('P1/A')['s3Prefix']}files/y", "times": 0})
    igtcloud.password = "demo\ndemo"
    done = igtcloud.run("upload", "--submit", *NOW, up, "trial", status=SOME_FAILED)
    assert states(ward)["P1/A"] == "draft" and states(ward)["P2/A"] == "submitted"
    assert "P1/A was not submitted" in done.err
    assert len(cloud.requests(method="POST", path="*electronic-record-state")) == 1
    cloud.clear()
    igtcloud.run("upload", "--submit", *NOW, up, "trial")
    assert states(ward)["P1/A"] == "submitted"


def test_a_dry_run_submits_nothing(cloud, igtcloud, up, name, ward):
    put(up, {f"{name}/P1/A/x": "x"})
    igtcloud.password = "demo\ndemo"
    igtcloud.run("upload", "--submit", "--dry-run", *TREE, up, "trial")
    assert states(ward)["P1/A"] == "draft" and changes(cloud) == []


# ---- --category annotations ----

MARKS = ["--category", "annotations"]


def marks(place, study):
    return place.contents(study, "annotations/")


def test_annotations_in_both_forms(cloud, igtcloud, up, name, ward):
    put(up, {f"{name}/P1/A/vessels/left/1.json": '{"a": [1, 2]}', f"{name}/P1/A/note.txt": "{",
             f"{name}/P1/B/2.json": "[]", f"{name}/P2---A/deep/er/3.json": "null"})
    done = igtcloud.run("upload", *MARKS, up, "trial")
    assert marks(ward, "P1/A") == {"vessels/left/1.json": b'{"a": [1, 2]}', "note.txt": b"{"}
    assert marks(ward, "P1/B") == {"2.json": b"[]"}
    assert marks(ward, "P2/A") == {"deep/er/3.json": b"null"}
    assert "3 studies, 4 files" in done.err and ward.contents("P1/A") == {}
    # Neither registered nor completed, and the second run finds them.
    assert {r["method"] for r in changes(cloud)} == {"PUT"}
    cloud.clear()
    done = igtcloud.run("upload", *MARKS, "--json", up, "trial")
    assert changes(cloud) == [] and done.summary["filesSkipped"] == 4
    put(up, {f"{name}/P1/B/2.json": "[1]"})
    igtcloud.run("upload", *MARKS, up, "trial")
    assert marks(ward, "P1/B") == {"2.json": b"[1]"}


def test_annotations_of_a_study_with_one_name(cloud, igtcloud, up, name, ward):
    put(up, {f"{name}/alone/1.json": "{}"})
    igtcloud.run("upload", *MARKS, up, "trial")
    assert marks(ward, "alone") == {"1.json": b"{}"}
    put(up.parent / "epd", {f"{name}/case/1.json": "{}"})
    igtcloud.run("upload", *MARKS, up.parent / "epd", "up")
    assert marks(Place(cloud, name, "up"), "case") == {"1.json": b"{}"}


@pytest.mark.parametrize("text", ["{", "", "{'a': 1}", "\xff", "{} {}"])
def test_a_broken_json_holds_its_study_back(cloud, igtcloud, up, name, ward, text):
    put(up, {f"{name}/P1/A/1.json": "{}", f"{name}/P1/A/z/2.json": text.encode("latin-1"),
             f"{name}/P1/B/1.json": "{}"})
    done = igtcloud.run("upload", *MARKS, up, "trial", status=SOME_FAILED)
    assert marks(ward, "P1/A") == {} and marks(ward, "P1/B") == {"1.json": b"{}"}
    assert str(up / name / "P1/A/z/2.json") in done.err and "1 study FAILED" in done.err
    igtcloud.run("upload", *MARKS, "--exclude", "z/**", up, "trial")
    assert marks(ward, "P1/A") == {"1.json": b"{}"}


def test_annotations_of_a_study_that_is_not_there(igtcloud, up, name, ward):
    before = ward.names()
    put(up, {f"{name}/P1/C/1.json": "{}", f"{name}/P9---A/1.json": "{}", f"{name}/P1/A/1.json": "{}"})
    done = igtcloud.run("upload", *MARKS, up, "trial", status=SOME_FAILED)
    assert "'P1/C'" in done.err and "'P9---A'" in done.err and ward.names() == before
    assert marks(ward, "P1/A") == {"1.json": b"{}"} and "2 studies FAILED" in done.err


def test_annotations_in_a_folder_that_is_neither_study_nor_patient(igtcloud, up, name, ward):
    before = ward.names()
    put(up, {f"{name}/mistyped/1.json": "{}", f"{name}/P1/A/1.json": "{}"})
    done = igtcloud.run("upload", *MARKS, up, "trial", status=SOME_FAILED)
    assert "no study 'mistyped'" in done.err and "1 study FAILED" in done.err
    assert marks(ward, "P1/A") == {"1.json": b"{}"} and ward.names() == before


def test_downloaded_annotations_go_up_again(cloud, igtcloud, up, name, ward, tmp_path):
    put(up, {f"{name}/P1/A/m/1.json": "{}"})
    igtcloud.run("upload", *MARKS, up, "trial")
    put(tmp_path / "f", {f"{name}/P1/A/x": "x"})
    igtcloud.run("upload", *TREE, tmp_path / "f", "trial")
    for n, options in enumerate((["--category", "annotations"],
                                 ["--category", "annotations", "--category", "files"])):
        igtcloud.run("download", *options, tmp_path / f"d{n}", "trial", name)
        cloud.clear()
        igtcloud.run("upload", *MARKS, "--no-journal", tmp_path / f"d{n}", "trial")
        assert changes(cloud) == [] and marks(ward, "P1/A") == {"m/1.json": b"{}"}


@pytest.mark.parametrize("sub", ["files", "dicom"])
def test_images_never_become_annotations(cloud, igtcloud, up, name, ward, sub):
    """A study of a download of several categories that has no annotations."""
    put(up, {f"{name}/P1/A/{sub}/film.bin": "x", f"{name}/P1/B/{sub}/film.bin": "x",
             f"{name}/P1/B/annotations/1.json": "{}"})
    done = igtcloud.run("upload", *MARKS, up, "trial", status=SOME_FAILED)
    assert marks(ward, "P1/A") == {} and marks(ward, "P1/B") == {"1.json": b"{}"}
    assert "P1/A" in done.err
    assert "no folder 'annotations'" in done.err and "1 study FAILED" in done.err


# ---- --category dicom ----

IMPORT = ["--category", "dicom"]


def images(name):
    return {f"{name}/disk/1.dcm": dicom("Imp^One", "1.2.3", "1.2.3.1", "1", "S1"),
            f"{name}/disk/2.dcm": dicom("Imp^One", "1.2.3", "1.2.3.1", "2", "S1"),
            f"{name}/3.dcm": dicom("Imp^Two", "1.2.4", "1.2.4.1", "3", "S9")}


def imported(cloud):
    return cloud.requests(method="POST", path="*/update-database")


def test_dicom_goes_to_the_import(cloud, igtcloud, up, name, ward):
    before = ward.names()
    put(up, {**images(name), f"{name}/disk/study.json": "{}"})
    done = igtcloud.run("upload", "--json", *IMPORT, up, "trial")
    assert sorted(set(ward.names()) - set(before)) == ["Imp^One/S1", "Imp^Two/S9"]
    assert ward.contents("Imp^One/S1", "0/") == {"1.2.3.1/1.dcm": images("")["/disk/1.dcm"],
                                                 "1.2.3.1/2.dcm": images("")["/disk/2.dcm"]}
    assert done.summary["filesDone"] == 3 and len(imported(cloud)) == 1
    assert objects(cloud, ward.prefix + "Import/") == {}
    # The cloud has no list of what was imported; the journal has.
    cloud.clear()
    done = igtcloud.run("upload", "--json", *IMPORT, up, "trial")
    assert changes(cloud) == [] and done.summary["filesSkipped"] == 3
    put(up, {f"{name}/4.dcm": dicom("Imp^Two", "1.2.4", "1.2.4.1", "4", "S9")})
    done = igtcloud.run("upload", "--json", *IMPORT, up, "trial")
    assert done.summary["filesDone"] == 1 and len(imported(cloud)) == 1
    assert len(ward.contents("Imp^Two/S9", "0/")) == 2


def test_an_import_that_failed_is_started_later(cloud, igtcloud, up, name, ward):
    """Nothing of it is imported before all of it is there, and nothing is sent twice."""
    before = ward.names()
    put(up, images(name))
    cloud.faults({"fault": "forbidden", "method": "PUT", "path": "**/2.dcm", "times": 0})
    done = igtcloud.run("upload", *IMPORT, up, "trial", status=SOME_FAILED)
    assert "was not started" in done.err and imported(cloud) == [] and ward.names() == before
    cloud.clear()
    done = igtcloud.run("upload", "--json", *IMPORT, up, "trial")
    assert done.summary["filesDone"] == 1 and len(imported(cloud)) == 1
    assert len(ward.contents("Imp^One/S1", "0/")) == 2


def test_an_import_that_was_refused_is_announced_again(cloud, igtcloud, up, name, ward):
    put(up, images(name))
    cloud.faults({"fault": "forbidden", "method": "POST", "path": "update-database"})
    done = igtcloud.run("upload", *IMPORT, up, "trial", status=SOME_FAILED)
    assert "the import was not started" in done.err
    cloud.clear()
    igtcloud.run("upload", *IMPORT, up, "trial")
    assert sent_bytes(cloud) == 0 and len(imported(cloud)) == 1
    assert "Imp^One/S1" in ward.names()


def test_a_killed_import_goes_on(cloud, igtcloud, up, name, ward):
    put(up, images(name))
    cloud.faults({"fault": "reset", "method": "PUT", "path": "**/2.dcm", "times": 0})
    process = igtcloud.start("upload", *IMPORT, up, "trial")
    cloud.wait_for(lambda: len(cloud.requests(method="PUT", status=200)) == 2)
    cloud.wait_for(lambda: cloud.requests(method="PUT", path="*/2.dcm"))
    process.send_signal(ENDING)
    assert process.communicate(timeout=30) and process.returncode == ENDED
    assert imported(cloud) == []
    cloud.clear()
    done = igtcloud.run("upload", "--json", *IMPORT, up, "trial")
    assert done.summary["filesDone"] == 1 and len(imported(cloud)) == 1
    assert len(ward.contents("Imp^One/S1", "0/")) == 2


def test_a_dry_run_of_an_import(cloud, igtcloud, up, name, ward):
    put(up, images(name))
    done = igtcloud.run("upload", "--json", "--dry-run", *IMPORT, up, "trial")
    assert len(items(done, kind="file", result="planned")) == 3 and changes(cloud) == []


def test_a_service_imports(cloud, up, name, ward, tmp_path):
    put(up, images(name))
    Program(cloud.url, tmp_path).run("upload", *IMPORT, "--service-file",
                                     cloud.data / "station@trial.pem", up, "trial", sign_in=False)
    assert "Imp^One/S1" in ward.names()


def test_annotations_and_dicom_leave_project_files(cloud, igtcloud, up, name):
    put(up, {"files/protocol.txt": "x", f"{name}/P1/A/1.json": "{}"})
    igtcloud.run("upload", *MARKS, up, "trial")
    assert not cloud.requests(method="POST", path="/api/data/projects/*")
