# SPDX-License-Identifier: MIT
"""Local trees that others may have made: links out of them, FIFOs, and what cannot be looked at."""

import json
import os
import pathlib
import tempfile
import time

import pytest

from igtcloud import DONE, FAILED, SOME_FAILED, USAGE, Program
from uploads import Place, epd, igt, institute, items, patient_study, put, seed, special

SEED = seed(epd(*[institute(f"lab{n}") for n in range(80)]),
            igt(institute("ward", patient_study("P1", "A")), institute("empty")),
            igt(institute("down", patient_study("P1", "A", files=[{"path": "a.txt", "text": "a"}])),
                name="get"))
SOON = 20  # seconds, on a busy machine; what it is about would wait for ever


# ---- study.json ----

@pytest.mark.case("security-1")
@pytest.mark.parametrize("links", [[], ["--folder-structure", "hierarchical"]])
def test_a_description_from_outside_of_the_tree(igtcloud, up, lab, tmp_path, links):
    (tmp_path / "config.json").write_text('{"auths": {"token": "of somebody else"}}')
    deep = "P9/X" if links else "P9---X"
    put(up, {f"{lab.name}/{deep}/a.txt": "a"})
    (up / lab.name / deep / "study.json").symlink_to(tmp_path / "config.json")
    done = igtcloud.run("upload", *links, up, "up", status=SOME_FAILED)
    assert lab.names() == []
    assert "study.json' is a link, and links are not followed" in done.err


@pytest.mark.case("security-1")
def test_a_description_behind_a_link_that_is_wanted(igtcloud, up, lab, tmp_path):
    (tmp_path / "mine.json").write_text('{"description": "mine"}')
    put(up, {f"{lab.name}/case/a.txt": "a"})
    (up / lab.name / "case/study.json").symlink_to(tmp_path / "mine.json")
    igtcloud.run("upload", "--follow-links", up, "up")
    assert lab.names() == ["case"]
    lab.is_whole("case", {"a.txt": "a"})


@pytest.mark.case("security-1", "security-8", "transfers-2")
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder", "nowhere", "study.json"])
@pytest.mark.parametrize("links", [[], ["--follow-links"]])
def test_a_description_that_is_no_file(igtcloud, up, lab, kind, links):
    """It is not "no description": the files would go to a new study."""
    put(up, {f"{lab.name}/case/a.txt": "a", f"{lab.name}/other/b": "b"})
    special(up / lab.name / "case/study.json", kind)
    done = igtcloud.run("upload", *links, up, "up", status=SOME_FAILED, timeout=SOON)
    assert lab.names() == ["other"] and "study.json" in done.err
    done = igtcloud.run("verify", *links, up, "up", status=SOME_FAILED, timeout=SOON)
    assert "failed: " in done.err and "study.json" in done.err


@pytest.mark.case("security-8")
@pytest.mark.parametrize("kind", ["fifo", "socket", "nowhere", "/dev/zero"])
def test_a_download_replaces_what_is_no_description(igtcloud, out, kind):
    path = special(out / "down/P1---A/study.json", kind)
    igtcloud.run("download", out, "get", timeout=SOON)
    assert path.is_file() and not path.is_symlink() and json.loads(path.read_text())
    assert (out / "down/P1---A/a.txt").read_text() == "a"


@pytest.mark.case("security-1")
def test_annotations_from_outside_of_the_tree(cloud, igtcloud, up, tmp_path):
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    put(up, {"ward/P1---A/mark.json": '{"mark": 1}'})
    (up / "ward/P1---A/linked.json").symlink_to(tmp_path / "secret.json")
    igtcloud.run("upload", "--category", "annotations", up, "trial")
    assert set(Place(cloud, "ward", "trial").contents("P1/A", "annotations/")) == {"mark.json"}


# ---- folders ----

@pytest.mark.case("transfers-1")
@pytest.mark.parametrize("where", ["loop", "lab/loop", "lab/case/files"])
def test_a_folder_that_cannot_be_looked_at(igtcloud, up, lab, where):
    put(up, {f"{lab.name}/good/a": "a"})
    path = up / where.replace("lab", lab.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.name)  # too many levels of links
    done = igtcloud.run("upload", "--follow-links", up, "up", status=SOME_FAILED)
    assert str(path) in done.err and "failed: " in done.err
    assert lab.names() == ["good"]
    done = igtcloud.run("verify", "--follow-links", up, "up", status=SOME_FAILED)
    assert where.replace("lab", lab.name) in done.err and "failed: " in done.err


@pytest.mark.case("transfers-1")
@pytest.mark.parametrize("where", ["gone", "lab/gone", "lab/P1/gone"])
def test_a_study_on_storage_that_is_not_there(igtcloud, up, lab, tmp_path, where):
    deep = ["--folder-structure", "hierarchical"] if "P1" in where else []
    put(up, {f"{lab.name}/P1/good/a": "a"})
    (up / where.replace("lab", lab.name)).symlink_to(tmp_path / "not/mounted")
    done = igtcloud.run("upload", "--follow-links", *deep, up, "up", status=SOME_FAILED)
    assert "gone" in done.err and "a broken link" in done.err


@pytest.mark.case("dicom-28")
def test_a_folder_whose_name_is_not_utf8(igtcloud, up, lab):
    put(up, {f"{lab.name}/good/a": "a"})
    folder = pathlib.Path(os.fsdecode(os.fsencode(up / lab.name) + b"/M\xfcller"))
    put(folder, {"b": "b"})
    done = igtcloud.run("upload", up, "up", status=SOME_FAILED)
    assert lab.names() == ["good"]
    assert r"M\xfcller" in done.err and "not valid UTF-8" in done.err
    assert "study.json" not in done.err


# ---- byte order marks ----

@pytest.mark.case("transfers-31")
def test_a_description_by_an_editor_on_windows(igtcloud, up, lab):
    put(up, {f"{lab.name}/case/a.txt": "a"})
    put(up, {f"{lab.name}/case/study.json": b'\xef\xbb\xbf{"description": "written there"}\r\n'})
    igtcloud.run("upload", up, "up")
    lab.is_whole("case", {"a.txt": "a"})
    igtcloud.run("verify", up, "up", lab.name, status=DONE)


@pytest.mark.case("transfers-31")
def test_annotations_by_an_editor_on_windows(cloud, igtcloud, up):
    text = b'\xef\xbb\xbf{"mark": 2}\r\n'
    put(up, {"ward/P1---A/windows.json": text})
    igtcloud.run("upload", "--category", "annotations", up, "trial")
    marks = Place(cloud, "ward", "trial").contents("P1/A", "annotations/")
    assert marks["windows.json"] == text


# ---- folders of which nothing goes up ----

def link_out(folder, tmp_path, name="linked.dcm"):
    (tmp_path / "outside").write_text("elsewhere")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(tmp_path / "outside")


@pytest.mark.case("transfers-27")
@pytest.mark.parametrize("more", [{}, {"deep/.keep.igtpart": None}, {"._a": "clutter"},
                                  {"study.json": "{}"}])
def test_a_study_of_links_alone(igtcloud, up, lab, tmp_path, more):
    folder = put(up / lab.name / "case", more)
    link_out(folder, tmp_path)
    for _ in range(2):
        done = igtcloud.run("upload", up, "up", status=SOME_FAILED)
        assert lab.names() == []
        assert "linked.dcm" in done.err and "--follow-links" in done.err
        assert "links, and links are not followed" in done.err
    igtcloud.run("upload", "--dry-run", up, "up", status=SOME_FAILED)
    igtcloud.run("upload", "--follow-links", up, "up")
    lab.is_whole("case", {"linked.dcm": "elsewhere"})
    # The study is there now, and its folder still holds nothing but links.
    igtcloud.run("upload", up, "up", status=SOME_FAILED)


@pytest.mark.case("transfers-27")
@pytest.mark.parametrize("where", ["lab", "lab/linked", "lab/P1/linked"])
def test_folders_that_are_links(igtcloud, up, lab, tmp_path, where):
    """An institute that is a link, and one or a patient of which links alone would go up."""
    tree = ["--folder-structure", "hierarchical"] if "P1" in where else []
    put(tmp_path / "outside", {"x/x": "x"})
    link = up / where.replace("lab", lab.name)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "outside")
    put(up, {"files/plan.txt": "of the project"})
    for command in ("upload", "verify"):
        done = igtcloud.run(command, *tree, up, "up", lab.name, status=SOME_FAILED)
        assert "--follow-links" in done.err and "failed: " in done.err and lab.names() == []
        assert lab.name in done.err
    igtcloud.run("upload", *tree, "--follow-links", up, "up")
    assert len(lab.names()) == 1
    igtcloud.run("verify", *tree, "--follow-links", up, "up", lab.name)


@pytest.mark.case("transfers-27")
@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_a_study_of_special_files_alone(igtcloud, up, lab, kind):
    special(up / lab.name / "case/odd", kind)
    done = igtcloud.run("upload", up, "up", status=SOME_FAILED, timeout=SOON)
    assert lab.names() == [] and "no regular file" in done.err


@pytest.mark.case("transfers-27")
@pytest.mark.parametrize("files", [{}, {"deep/er": None}, {".a.igtpart": "half"},
                                   {"notes.log": "x", "raw/x": "x"}, {"Thumbs.db": "x"}])
def test_folders_without_files_create_nothing(igtcloud, up, lab, files):
    put(up / lab.name / "case", {".": None, **files})
    done = igtcloud.run("upload", "--exclude", "*.log", "--exclude", "raw/", up, "up")
    assert lab.names() == [] and "no study was created" in done.err
    done = igtcloud.run("upload", "--dry-run", "--exclude", "*.log", "--exclude", "raw/", up, "up")
    assert "would be created" not in done.err


@pytest.mark.case("transfers-27")
def test_a_described_study_without_files(igtcloud, up, lab):
    """Its files may come later; without a word in it, it is an empty folder."""
    put(up, {f"{lab.name}/case/study.json": '{"description": "to come"}',
             f"{lab.name}/blank/study.json": '{"studyDatabaseId": "x", "name": null, "patient": {}}'})
    done = igtcloud.run("upload", "--dry-run", up, "up")
    assert "would be created" in done.err and lab.names() == []
    done = igtcloud.run("upload", up, "up")
    assert lab.names() == ["case"] and "blank: it contains no files, so no study was created" in done.err
    done = igtcloud.run("upload", "--json", up, "up")
    assert lab.names() == ["case"] and done.summary["studiesCreated"] == 0


@pytest.mark.case("transfers-1", "transfers-27")
@pytest.mark.parametrize("where", ["linked", "lab/linked", "lab/P1/linked"])
@pytest.mark.parametrize("to", ["folder", "nowhere"])
def test_a_linked_folder_is_a_study_left_out(igtcloud, up, lab, tmp_path, where, to):
    deep = ["--folder-structure", "hierarchical"] if "P1" in where else []
    put(up, {f"{lab.name}/P1/good/a": "a"})
    put(tmp_path, {"store/folder/b": "b"})
    (up / where.replace("lab", lab.name)).symlink_to(tmp_path / "store" / to)
    for command in ("upload", "verify"):
        done = igtcloud.run(command, "--json", *deep, up, "up", status=SOME_FAILED)
        assert "linked" in done.err and "link" in done.err and done.summary["filesFailed"] == 1
    if where == "linked":  # another institute was asked for
        igtcloud.run("upload", up, "up", lab.name)
        igtcloud.run("verify", up, "up", lab.name)


@pytest.mark.case("transfers-27")
@pytest.mark.parametrize("part", ["files", "dicom"])
def test_a_linked_part_of_a_study(igtcloud, up, lab, tmp_path, part):
    """What lies beside "files" is not the study's content because "files" is a link."""
    put(up, {f"{lab.name}/case/note": "n"})
    put(tmp_path, {"store/b": "b"})
    (up / lab.name / "case" / part).symlink_to(tmp_path / "store")
    for command in ("upload", "verify"):
        done = igtcloud.run(command, up, "up", lab.name, status=SOME_FAILED)
        assert f"/{part}' is a link to a folder" in done.err and "--follow-links" in done.err
    assert lab.names() == []


def test_ignored_folders_are_no_files(igtcloud, up, lab):
    put(up, {f"{lab.name}/case/a": "a", f"{lab.name}/notes": "x"})
    (up / lab.name / "empty").mkdir()
    done = igtcloud.run("upload", "--json", up, "up")
    assert "  1 file ignored\n  1 folder ignored\n" in done.err and done.summary["filesIgnored"] == 1


@pytest.mark.case("transfers-27")
def test_links_that_leave_out_nothing(igtcloud, up, lab, tmp_path):
    """To what goes up by its own name, to a file, and of an editor: named and counted."""
    put(up, {f"{lab.name}/case/a": "a", f"{lab.name}/notes": "x", "top": "x"})
    (up / "latest").symlink_to(lab.name)
    (up / lab.name / "newest").symlink_to(up / lab.name / "case")
    (up / lab.name / ".#notes").symlink_to("ann@host.123")
    link_out(up / lab.name, tmp_path, "file")
    link_out(up / lab.name / "case", tmp_path, "inside")
    done = igtcloud.run("upload", "--json", up, "up")
    assert done.summary["filesIgnored"] == 7 and "7 files ignored" in done.err
    for name in ("latest", "newest", ".#notes", "file", "inside", "notes", "top"):
        assert name in done.err
    lab.is_whole("case", {"a": "a"})


# ---- --exclude, --include ----

@pytest.mark.case("transfers-26")
@pytest.mark.parametrize("pattern", ["raw", "raw/", "/raw", "./raw/", "r?w", "**/raw"])
def test_exclude_a_folder(igtcloud, up, lab, pattern):
    put(up, {f"{lab.name}/case/{n}": n for n in ("a", "raw/b", "raw/deep/c", "rawer/d")})
    igtcloud.run("upload", "--exclude", pattern, up, "up")
    lab.is_whole("case", {"a": "a", "rawer/d": "rawer/d"})
    igtcloud.run("verify", "--exclude", pattern, up, "up", lab.name)


@pytest.mark.case("transfers-26")
@pytest.mark.parametrize("pattern", ["raw", "raw/"])
def test_include_a_folder(cloud, igtcloud, up, lab, out, pattern):
    put(up, {f"{lab.name}/case/{n}": n for n in ("a", "raw/b", "x/raw/deep/c", "rawer/d")})
    igtcloud.run("upload", up, "up")
    igtcloud.run("download", "--include", pattern, out, "up", lab.name)
    found = {str(p.relative_to(out / lab.name / "case")) for p in out.rglob("*") if p.is_file()}
    assert found == {"study.json", "raw/b", "x/raw/deep/c"}


@pytest.mark.case("transfers-26")
@pytest.mark.parametrize("option", ["--exclude", "--include"])
def test_a_pattern_that_matches_nothing_is_named(igtcloud, up, lab, out, option):
    put(up, {f"{lab.name}/case/{n}": n for n in ("a", "raw/b", ".DS_Store")})
    patterns = [x for p in ("case/raw", "raw", ".DS_Store", "Raw/*") for x in (option, p)]
    for command, *arguments in (("upload", up), ("verify", up), ("download", out)):
        done = igtcloud.run(command, *patterns, *arguments, "up", lab.name, status=None)
        assert f"{option} 'case/raw' matched no file" in done.err
        assert f"{option} 'Raw/*' matched no file" in done.err
        if command != "download":  # what was excluded is not in the cloud
            assert f"{option} 'raw' matched" not in done.err
            assert ".DS_Store' matched" not in done.err
    done = igtcloud.run("upload", "-q", *patterns, up, "up", lab.name)
    assert done.err == ""


# ---- files that cannot be read ----

@pytest.mark.case("transfers-32")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("new", [True, False])
def test_what_cannot_be_read_is_not_registered(igtcloud, lab, new):
    with tempfile.TemporaryDirectory(dir="/tmp") as top:
        top = pathlib.Path(top)
        top.chmod(0o755)
        (top / "home").mkdir(mode=0o777)
        (top / "home").chmod(0o777)
        put(top, {f"up/{lab.name}/case/locked": "no", f"up/{lab.name}/shut/x/y": "no"})
        if not new:
            put(top, {f"up/{lab.name}/case/a": "a"})
        (top / "up" / lab.name / "case/locked").chmod(0)
        (top / "up" / lab.name / "shut/x").chmod(0)
        other = Program(igtcloud.url, top / "home")
        done = other.run("upload", top / "up", "up", status=SOME_FAILED, user=65534, group=65534)
    assert "locked" in done.err and "ermission denied" in done.err
    assert lab.names() == ([] if new else ["case"])
    if not new:
        lab.is_whole("case", {"a": "a"})


def shut(top, name):
    """A file that another user cannot open, in a folder that they can list."""
    top.chmod(0o755)
    (top / "home").mkdir()
    (top / "home").chmod(0o777)
    (top / name).write_text("no")
    (top / name).chmod(0)
    return top / name


@pytest.mark.case("transfers-32")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_one_file_that_cannot_be_read_is_not_registered(igtcloud, lab, up):
    put(up, {f"{lab.name}/case/a": "a"})
    igtcloud.run("upload", up, "up", lab.name)
    with tempfile.TemporaryDirectory(dir="/tmp") as top:
        path = shut(pathlib.Path(top), "locked")
        other = Program(igtcloud.url, path.parent / "home")
        done = other.run("cp", path, f"igt:up/{lab.name}/case/files/locked", status=FAILED,
                         user=65534, group=65534)
    assert "ermission denied" in done.err
    assert set(lab.registered("case")) == {"a"}


def waits(cloud, **request):
    """A request whose response is held back until cloud.heal()."""
    cloud.clear()
    cloud.faults({"fault": "silence", "seconds": 600, **request})
    return lambda: cloud.wait_for(lambda: cloud.requests(fault="silence"))


@pytest.mark.case("transfers-32")
def test_one_file_that_vanishes_is_not_registered(cloud, igtcloud, lab, up):
    """Between the first look at it and the registration there are requests."""
    folder = put(up, {f"{lab.name}/case/a": "a", "gone": "gone"}) / lab.name / "case"
    igtcloud.run("upload", up, "up", lab.name)
    arrived = waits(cloud, method="GET", path="**/files")
    process = igtcloud.start("cp", up / "gone", f"igt:up/{lab.name}/case/files/gone")
    arrived()
    (up / "gone").unlink()
    cloud.heal()
    out, err = process.communicate(timeout=SOON)
    assert process.returncode == FAILED and b"No such file" in err
    assert set(lab.registered("case")) == {"a"} and folder.exists()


@pytest.mark.case("transfers-32")
def test_a_file_that_vanishes_during_the_walk_is_not_registered(cloud, igtcloud, lab, up):
    folder = put(up, {f"{lab.name}/case/z": "z"}) / lab.name / "case"
    igtcloud.run("upload", up, "up", lab.name)
    put(folder, {"gone": "gone", "new": "new"})
    arrived = waits(cloud, method="HEAD", path="**/z")
    process = igtcloud.start("upload", "--checksum", up, "up", lab.name)
    arrived()
    (folder / "gone").unlink()
    cloud.heal()
    out, err = process.communicate(timeout=SOON)
    assert process.returncode == SOME_FAILED and b"gone" in err and b"1 file FAILED" in err
    assert set(lab.registered("case")) == {"new", "z"}
    lab.is_whole("case", {"new": "new", "z": "z"})


# ---- files that are still being written ----

def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.mark.case("transfers-10")
@pytest.mark.parametrize("given, left", [("1h", {"now", "minutes"}), ("60", {"now"}),
                                         ("1d", {"now", "minutes", "hours"}), ("0", set())])
def test_min_age(igtcloud, up, lab, given, left):
    folder = put(up / lab.name / "case", {n: n for n in ("now", "minutes", "hours", "days")})
    age(folder / "minutes", 1800)
    age(folder / "hours", 7200)
    age(folder / "days", 200000)
    done = igtcloud.run("upload", "--json", "--min-age", given, up, "up")
    assert {i["path"] for i in items(done, result="ignored")} == left
    assert done.summary["filesYoung"] == len(left)
    lab.is_whole("case", {n: n for n in {"now", "minutes", "hours", "days"} - left})


@pytest.mark.case("transfers-10")
def test_min_age_of_all_files(igtcloud, up, lab):
    put(up, {f"{lab.name}/case/now": "x"})
    done = igtcloud.run("upload", "--min-age", "10m", up, "up")
    assert lab.names() == [] and "1 file skipped: changed too recently" in done.err


@pytest.mark.parametrize("value", ["", "-1", "1y", "m", "1.5h", "10mm", "99999999999999999999"])
def test_min_age_that_is_none(igtcloud, up, value):
    igtcloud.run("upload", "--min-age", value, up, "up", status=USAGE)


@pytest.mark.case("transfers-10")
@pytest.mark.parametrize("option", [[], ["--min-age", "2m"]])
def test_submit_waits_for_who_still_writes(cloud, igtcloud, up, option):
    ward = Place(cloud, "ward", "trial")
    study, tree = f"S{len(option)}", ["--folder-structure", "hierarchical"]

    def state():
        return ward.study(f"P1/{study}")["electronicRecordState"]
    igtcloud.password = "demo\ndemo"
    folder = put(up / f"ward/P1/{study}", {"a": "a", "b": "b"})
    age(folder / "a", 200000)
    done = igtcloud.run("upload", "--submit", *tree, *option, up, "trial", status=SOME_FAILED)
    assert "was not submitted" in done.err and "'b'" in done.err and "--min-age 0" in done.err
    assert state() == "draft"
    age(folder / "b", 3600)
    igtcloud.run("upload", "--submit", *tree, *option, up, "trial")
    assert state() == "submitted"
    ward.is_whole(f"P1/{study}", {"a": "a", "b": "b"})


# ---- imports ----

@pytest.mark.case("dicom-28")
def test_one_bad_name_does_not_stop_an_import(cloud, igtcloud, up):
    put(up, {"empty/good.dcm": "no image, which the import finds out"})
    pathlib.Path(os.fsdecode(os.fsencode(up) + b"/empty/M\xfcller.dcm")).write_text("x")
    done = igtcloud.run("upload", "--category", "dicom", up, "trial", status=SOME_FAILED)
    assert r"M\xfcller.dcm" in done.err and "was not started" not in done.err
    assert cloud.requests(method="POST", path="*update*")
