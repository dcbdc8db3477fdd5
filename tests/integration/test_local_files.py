# SPDX-License-Identifier: MIT
"""Local trees that others may have made: links out of them, FIFOs, and what cannot be looked at."""

import json
import os
import pathlib
import socket

import pytest

from igtcloud import DONE, SOME_FAILED
from uploads import Place, epd, igt, institute, items, patient_study, put, seed

SEED = seed(epd(*[institute(f"lab{n}") for n in range(40)]),
            igt(institute("ward", patient_study("P1", "A")), institute("empty")),
            igt(institute("down", patient_study("P1", "A", files=[{"path": "a.txt", "text": "a"}])),
                name="get"))
SOON = 20  # seconds, on a busy machine; what it is about would wait for ever


@pytest.fixture
def up(tmp_path):
    (tmp_path / "up").mkdir()
    return tmp_path / "up"


counter = iter(range(40))


@pytest.fixture
def lab(cloud):
    """An institute of the test's own, in which there is nothing."""
    name = f"lab{next(counter)}"
    place = Place(cloud, name, "up")
    place.name = name
    return place


def special(path, kind):
    """Something at path that is no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
        os.chdir(here)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(kind)
    return path


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
    assert "gone" in done.err and "a link to something that is not there" in done.err


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
