# SPDX-License-Identifier: MIT
"""`igtcloud tree`, `du` and `find`, and what `ls` shows on a terminal: what is in a cloud."""

import json
import re
import subprocess

import pytest

from igtcloud import NOT_FOUND, SOME_FAILED, USAGE, environment, program

SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "projects": [
        {"name": "trial", "id": "p1", "files": [
            {"path": "forms/consent.txt", "text": "Name:"}, {"path": "protocol.txt", "text": "x"}],
         "institutes": [
            {"name": "north", "id": "i1", "studies": [
                {"class": "Study", "id": "s3", "studyId": "CT", "patient": {"patientId": "P10"},
                 "raw": {"lastUpdatedOn": "2024-06-01T12:00:00+00:00"},
                 "files": [{"path": "a.txt", "text": "a"}]},
                {"class": "Study", "id": "s1", "studyId": "CT", "patient": {"patientId": "P1"},
                 "raw": {"lastUpdatedOn": "2024-05-31T23:59:59+00:00"},
                 "files": [
                     {"path": "report.txt", "text": "Nothing."},
                     {"path": "waves/ecg.bin", "size": 3000000},
                     {"path": "waves/later.bin", "size": 3000, "completed": False},
                     {"path": "1.dcm", "category": "dicom", "text": "no real one"},
                     {"path": "vessel.json", "category": "annotations", "text": "{}"}]},
                {"class": "Study", "id": "s2", "studyId": "MR", "patient": {"patientId": "P1"}},
                {"class": "Study", "id": "s4", "studyId": "CT", "patient": {"patientId": "P2"}}]},
            {"name": "south", "id": "i2", "studies": [
                {"class": "Study", "id": "s5", "studyId": "CT", "patient": {"patientId": "P1"},
                 "files": [{"path": "odd\nname.dcm", "size": 100}]}]},
            {"name": "empty", "id": "i3"}]},
        {"name": "many", "id": "p3", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "id": "i5", "generate": {"studies": 300, "files": 2, "size": 10}}]},
    ],
}


def rows(done):
    return [line.split("\t") for line in done.text.splitlines()]


def requests(cloud):
    return len(cloud.requests())


# ---- version ----

def version(*arguments):
    return subprocess.run([program(), "version", *arguments], capture_output=True, text=True,
                          check=True).stdout


def test_version_prints_one_line():
    plain = version()
    assert plain.count("\n") == 1
    text = version("--verbose").splitlines()
    assert any(re.match(r"compiler: (gcc|.*[Cc]lang) \d+", line, re.I) for line in text), text
    assert text[0] == plain.strip() and text[1].startswith("commit: ")
    assert any(line.split()[0] == "SQLite" and line.split()[1][0].isdigit() for line in text)
    reported = json.loads(version("-v", "--json"))
    assert reported["version"] == plain.strip() and reported["commit"] and reported["platform"].split()[0]
    assert {"OpenSSL", "json-c", "expat", "SQLite", "libcurl"} <= set(reported["libraries"])
    assert all(number[0].isdigit() for number in reported["libraries"].values())
    assert isinstance(reported["features"], list)


# ---- tree ----

def test_tree_prints_studies_and_files(igtcloud):
    done = igtcloud.run("tree", "trial")
    assert done.text == """\
trial/north  (4 studies, 4 files, 2.9 MiB)
├── P1  (2 studies, 3 files, 2.9 MiB)
│   ├── CT  (3 files, 2.9 MiB)
│   │   ├── report.txt  8 B
│   │   └── waves
│   │       ├── ecg.bin  2.9 MiB
│   │       └── later.bin  2.9 KiB
│   └── MR  (0 files, 0 B)
├── P2  (1 study, 0 files, 0 B)
│   └── CT  (0 files, 0 B)
└── P10  (1 study, 1 file, 1 B)
    └── CT  (1 file, 1 B)
        └── a.txt  1 B
trial/south  (1 study, 1 file, 100 B)
└── P1  (1 study, 1 file, 100 B)
    └── CT  (1 file, 100 B)
        └── odd\\x0aname.dcm  100 B
trial/empty  (0 studies, 0 files, 0 B)
"""


def test_tree_in_ascii_and_its_levels(cloud, igtcloud):
    cloud.clear()
    done = igtcloud.run("tree", "trial/north", "--level", "2", env={"LC_ALL": "C"})
    assert done.text == ("trial/north  (4 studies)\n|-- P1  (2 studies)\n|-- P2  (1 study)\n"
                         "`-- P10  (1 study)\n")
    assert not [r for r in cloud.requests() if r["path"].endswith("/files")]
    assert igtcloud.run("tree", "trial", "-L1").text == ("trial/north  (4 studies)\n"
                                                         "trial/south  (1 study)\n"
                                                         "trial/empty  (0 studies)\n")
    # Where studies are selected, one without them is not empty.
    assert "empty" not in igtcloud.run("tree", "trial", "-L1", "--patient", "P10").text
    assert "empty" not in igtcloud.run("du", "trial", "--patient", "P10").text


def test_tree_of_parts(igtcloud):
    assert igtcloud.run("tree", "trial/north/P10").text == """\
trial/north  (1 study, 1 file, 1 B)
└── P10  (1 study, 1 file, 1 B)
    └── CT  (1 file, 1 B)
        └── a.txt  1 B
"""
    done = igtcloud.run("tree", "trial/north/P1/CT", "--category", "dicom",
                        "--category", "annotations")
    assert "├── annotations\n" in done.text and "└── 1.dcm  11 B\n" in done.text
    assert igtcloud.run("tree", "trial", "--project-files").text == (
        "trial\n├── forms\n│   └── consent.txt  5 B\n└── protocol.txt  1 B\n")


def test_tree_as_json(igtcloud):
    lines = igtcloud.run("tree", "trial/north/P1", "--json").lines
    assert [(x["kind"], x["path"]) for x in lines] == [
        ("study", "trial/north/P1/CT"), ("file", "trial/north/P1/CT/files/report.txt"),
        ("file", "trial/north/P1/CT/files/waves/ecg.bin"),
        ("file", "trial/north/P1/CT/files/waves/later.bin"), ("study", "trial/north/P1/MR")]
    assert lines[0] == {"kind": "study", "path": "trial/north/P1/CT", "institute": "north",
                        "study": "P1/CT", "studyDatabaseId": "s1", "files": 3, "bytes": 3003008,
                        "filesIncomplete": 1}


# ---- du ----

@pytest.mark.smoke
def test_du_of_a_project(igtcloud):
    assert rows(igtcloud.run("du", "trial")) == [
        ["3003009", "4", "4", "north"], ["100", "1", "1", "south"], ["0", "0", "0", "empty"],
        ["3003109", "5", "5", "total"]]


@pytest.mark.parametrize("place, by, wanted", [
    ("trial", "patient", [("north/P1", 3003008, 3, 2), ("south/P1", 100, 1, 1),
                          ("north/P10", 1, 1, 1), ("north/P2", 0, 0, 1)]),
    ("trial/north", None, [("P1", 3003008, 3, 2), ("P10", 1, 1, 1), ("P2", 0, 0, 1)]),
    ("trial/north/P1", None, [("P1/CT", 3003008, 3, 1), ("P1/MR", 0, 0, 1)]),
    ("trial/north/P1/CT", None, [(".bin", 3003000, 2, 0), (".txt", 8, 1, 0)]),
    ("trial", "type", [(".bin", 3003000, 2, 0), (".dcm", 100, 1, 0), (".txt", 9, 2, 0)])])
def test_du_by(igtcloud, place, by, wanted):
    done = igtcloud.run("du", place, *(["--by", by] if by else []))
    assert [(name, int(size), int(files), int(studies))
            for size, files, studies, name in rows(done)][:-1] == wanted


def test_du_in_other_forms(igtcloud):
    lines = igtcloud.run("du", "trial/north", "--json", "--sort", "name", "--top", "2").lines
    assert lines == [
        {"kind": "patient", "institute": "north", "patient": "P1", "bytes": 3003008, "files": 3,
         "studies": 2, "filesIncomplete": 1},
        {"kind": "patient", "institute": "north", "patient": "P2", "bytes": 0, "files": 0,
         "studies": 1, "filesIncomplete": 0},
        {"kind": "total", "bytes": 3003009, "files": 4, "studies": 4, "filesIncomplete": 1}]
    table = igtcloud.run("du", "trial", env={"IGTCLOUD_FORCE_TTY": "1"}).text.splitlines()
    assert [line.split() for line in table] == [
        ["SIZE", "FILES", "STUDIES", "INSTITUTE"], ["2.9", "MiB", "4", "4", "north"],
        ["100", "B", "1", "1", "south"], ["0", "B", "0", "0", "empty"], ["2.9", "MiB", "5", "5", "total"]]
    assert len({line.rindex("  ") for line in table}) == 1


def test_du_of_other_files(igtcloud):
    assert rows(igtcloud.run("du", "trial", "--project-files"))[-1][:2] == ["6", "2"]
    done = igtcloud.run("du", "trial", "--category", "files", "--category", "dicom",
                        "--category", "annotations")
    assert rows(done)[-1][:2] == ["3003122", "7"]
    assert rows(igtcloud.run("du", "trial", "--ext", ".txt"))[-1][:2] == ["9", "2"]


def test_du_costs_no_more_requests_than_csv(cloud, igtcloud):
    for project in ("many", "trial"):
        cloud.clear()
        igtcloud.run("csv", "-", project, "--files")
        by_csv = requests(cloud)
        cloud.clear()
        igtcloud.run("du", project)
        assert requests(cloud) == by_csv > 5, project
    cloud.clear()
    igtcloud.run("csv", "-", "many", "--category", "dicom", "--category", "annotations")
    assert len([r for r in cloud.requests() if r["path"].endswith("/files")]) == 300


def test_du_says_what_it_could_not_list(cloud, igtcloud):
    cloud.faults({"fault": "internal-error", "path": "**/s3/files", "times": 0})
    done = igtcloud.run("du", "trial", "--retries", "0", status=SOME_FAILED)
    assert "failed: P10/CT: " in done.err and "1 study" in done.error
    assert rows(done)[-1][:2] == ["3003108", "4"]


def test_du_of_selected_studies(igtcloud):
    assert rows(igtcloud.run("du", "trial", "--institute", "south"))[-1][:3] == ["100", "1", "1"]
    assert rows(igtcloud.run("du", "trial", "--study", "P1/*"))[-1][:3] == ["3003108", "4", "3"]
    igtcloud.run("du", "trial", "--study", "P9/*", status=NOT_FOUND)
    done = igtcloud.run("du", "trial", "--study", "P1", "--study", "P9", status=SOME_FAILED)
    assert rows(done)[-1][2] == "3" and "P9" in done.err


# ---- find ----

def found(done):
    return done.text.splitlines()


def test_find_prints_paths(igtcloud):
    assert found(igtcloud.run("find", "trial/north")) == [
        "trial/north/P10/CT/files/a.txt", "trial/north/P1/CT/files/report.txt",
        "trial/north/P1/CT/files/waves/ecg.bin", "trial/north/P1/CT/files/waves/later.bin"]


@pytest.mark.parametrize("tests, wanted", [
    (["--name", "*.bin"], ["ecg.bin", "later.bin"]), (["--name", "e?g.[a-c]*"], ["ecg.bin"]),
    (["--size", "+3000"], ["ecg.bin"]), (["--size", "3000"], ["later.bin"]),
    (["--size", "-1K"], ["a.txt", "report.txt"]), (["--size", "+2.8M"], ["ecg.bin"]),
    (["--type", "TXT"], ["a.txt", "report.txt"]),
    (["--type", ".txt", "--type", ".bin", "--size", "-100"], ["a.txt", "report.txt"]),
    (["--newer", "2024-06-01"], ["a.txt"]), (["--newer", "2024-06-01T12:00:01Z"], []),
    (["--category", "dicom"], ["1.dcm"]), (["--project-files"], ["consent.txt", "protocol.txt"])])
def test_find_by(igtcloud, tests, wanted):
    place = "trial" if "--project-files" in tests else "trial/north"
    assert sorted(p.rsplit("/", 1)[1] for p in found(igtcloud.run("find", place, *tests))) == wanted


def test_files_of_old_studies_are_not_requested(cloud, igtcloud):
    cloud.clear()
    igtcloud.run("find", "trial/north", "--newer", "2024-06-01")
    asked = {r["path"].split("/")[-2] for r in cloud.requests() if r["path"].endswith("/files")}
    assert "s3" in asked and "s1" not in asked


def test_paths_go_into_xargs(igtcloud):
    raw = igtcloud.run("find", "trial/south", "-0").out
    assert raw == b"trial/south/P1/CT/files/odd\nname.dcm\0"
    assert found(igtcloud.run("find", "trial/south")) == [
        "trial/south/P1/CT/files/odd\\x0aname.dcm"]
    paths = igtcloud.run("find", "trial/north", "--name", "report.txt", "--print0").out
    done = subprocess.run(["xargs", "-0", "-I{}", "sh", "-c", 'echo demo | "$@"', "sh",
                           *igtcloud.command("cat"), "{}"], input=paths, capture_output=True,
                          env=environment(igtcloud.home), check=False)
    assert done.stdout == b"Nothing.", done


def test_find_as_json(igtcloud):
    one, = igtcloud.run("find", "trial/north/P1", "--name", "later*", "--json").lines
    assert one == {"path": "trial/north/P1/CT/files/waves/later.bin", "institute": "north",
                   "study": "P1/CT", "studyDatabaseId": "s1", "category": "files",
                   "fileName": "waves/later.bin", "type": ".bin", "size": 3000,
                   "isCompleted": False}


def test_nothing_found_is_no_error_but_no_place_is(igtcloud):
    assert igtcloud.run("find", "trial", "--name", "none").out == b""
    for command in ("find", "du", "tree"):
        igtcloud.run(command, "trial/nowhere", status=NOT_FOUND)
        igtcloud.run(command, "trial/files", status=USAGE)
    for wrong in (["--size", "big"], ["--size", "+"], ["--newer", "monday"], ["--newer", "2024-2"],
                  ["--start", "x"], ["--shard", "3/2"]):
        igtcloud.run("find", "trial", *wrong, status=USAGE)


# ---- ls ----

def table(igtcloud, *arguments, columns=120):
    """Of a terminal that wide: the lines of cells."""
    status, shown = igtcloud.on_terminal("ls", *arguments, columns=columns, env={"NO_COLOR": "1"})
    assert status == 0, shown
    shown = shown[shown.index("password: ") + len("password: "):].split("\r\x1b[K")[-1].lstrip("\n")
    return shown.splitlines()


def test_ls_is_sorted_with_the_name_first(igtcloud):
    lines = table(igtcloud, "trial/north")
    assert [line.split()[0] for line in lines] == ["STUDY", "P1/CT", "P1/MR", "P2/CT", "P10/CT"]
    assert "s1" not in " ".join(lines)
    assert [line.split()[-1] for line in table(igtcloud, "trial/north", "--long")] == [
        "ID", "s1", "s2", "s4", "s3"]


def test_ls_counts(igtcloud):
    lines = table(igtcloud, "trial/north", "-l")
    assert [line.split()[:4] for line in lines[:3]] == [
        ["STUDY", "FILES", "SIZE", "DATE"], ["P1/CT", "3", "2.9", "MiB"], ["P1/MR", "0", "0", "B"]]
    lines = table(igtcloud, "trial", "-l", "--sort", "size")
    assert [line.split()[:6] for line in lines] == [
        ["INSTITUTE", "TYPE", "STUDIES", "FILES", "SIZE", "DESCRIPTION"],
        ["north", "Study", "4", "4", "2.9", "MiB"], ["south", "Study", "1", "1", "100", "B"],
        ["empty", "Study", "0", "0", "0", "B"]]
    assert rows(igtcloud.run("ls", "trial/north/P1", "-l"))[0] == [
        "3", "3003008", "", "draft", "Study", "s1", "P1/CT"]
    one, two = igtcloud.run("ls", "trial/north/P1", "-l", "--json").lines
    assert (one["studyDatabaseId"], one["fileCount"], one["byteCount"]) == ("s1", 3, 3003008)
    assert two["fileCount"] == 0 and "studyCount" not in two


@pytest.mark.parametrize("columns", [70, 40, 20, 5])
def test_ls_fits(igtcloud, columns):
    lines = table(igtcloud, "trial/north", "-l", "--long", columns=columns)
    assert len(lines) == 5 and max(map(len, lines)) <= columns, lines
    assert lines[1].startswith("P1/CT"[:columns]) and (columns < 40 or " 3 " in lines[1])


def test_ls_limits_and_sorts_in_a_pipe(cloud, igtcloud):
    names = [r[-1] for r in rows(igtcloud.run("ls", "trial/north"))]
    assert names == ["P10/CT", "P1/CT", "P1/MR", "P2/CT"]
    assert [r[-1] for r in rows(igtcloud.run("ls", "trial/north", "--limit", "2"))] == names[:2]
    done = igtcloud.run("ls", "trial/north", "--limit", "2", "--sort", "name")
    assert [r[-1] for r in rows(done)] == ["P1/CT", "P1/MR"]
    done = igtcloud.run("ls", "trial/north/P1/CT", "--sort", "size", "--json", "--limit", "1")
    assert [f["fileSize"] for f in done.lines] == [3000000]
    done = igtcloud.run("ls", "trial/north", "-l", "--limit", "1", "--sort", "size",
                        "--fields", "fileCount,studyDatabaseId")
    assert done.text == "3\ts1\n"
    cloud.clear()
    igtcloud.run("ls", "many/lab", "-l", "--limit", "1", env={"IGTCLOUD_CONNECTIONS": "4"})
    assert len([r for r in cloud.requests() if r["path"].endswith("/files")]) < 300
    igtcloud.run("ls", "trial", "--sort", "size", status=USAGE)
