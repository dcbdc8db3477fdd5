# SPDX-License-Identifier: MIT
"""`igtcloud sync`: which side is which, the plan, and what --delete never deletes."""

import errno
import os

import pytest

from igtcloud import SOME_FAILED, USAGE, tree
from test_disks import injected, on
from uploads import epd, igt, institute, items, patient_study, put, seed

FILES = [{"path": "a.txt", "text": "aaaa"}, {"path": "sub/b.bin", "size": 3000},
         {"path": "1.dcm", "size": 500, "category": "dicom"}]
SEED = seed(igt(institute("north", patient_study("P1", "A", files=FILES),
                          patient_study("P2", "B", files=[{"path": "c.txt", "text": "cc"}])),
                institute("south", patient_study("P1", "A", files=[{"path": "d.txt", "text": "d"}]))),
            igt(institute("north", patient_study("P1", "A", files=[
                {"path": "a.txt", "text": "aaaaaa"}, {"path": "new.txt", "text": "new"}])), name="replace"),
            igt(institute("ward"), name="wards"),
            epd(*[institute(f"lab{n}") for n in range(9)]))
P1 = "north/P1---A"


@pytest.fixture
def synced(igtcloud, out):
    """A folder that was downloaded before."""
    igtcloud.run("sync", "igt:trial", out)
    return out


def names(folder):
    return set(tree(folder))


# ---- sides ----

def test_down_and_up(igtcloud, out, up, lab):
    igtcloud.run("sync", "igt:trial", out, "south")
    assert names(out) == {"south/P1---A/study.json", "south/P1---A/d.txt"}
    igtcloud.run("sync", "igt:trial", out)
    assert names(out) >= {f"{P1}/a.txt", f"{P1}/sub/b.bin", "north/P2---B/c.txt"}
    put(up / lab.name / "case", {"x": "x"})
    igtcloud.run("sync", up, "igt:up")
    lab.is_whole("case", {"x": "x"})
    put(up / lab.name / "case", {"y": "y"})
    igtcloud.run("sync", f"{up}/", "up")  # a folder by its slash
    lab.is_whole("case", {"x": "x", "y": "y"})


@pytest.mark.parametrize("sides, said", [
    (["igt:trial", "igt:up"], "only one"), (["trial", "up"], "cannot tell"),
    (["./trial", "/tmp"], "cannot tell"), (["igt:", "out"], "name is missing"),
    (["igt:demo/north", "out"], "the institute comes last: igtcloud sync 'igt:demo' 'out' 'north'"),
    (["out", "igt:demo/north"], "the institute comes last: igtcloud sync 'out' 'igt:demo' 'north'"),
    (["igt:demo/north/P1/CT", "out"], "select studies with --study"),
    (["--delete", ".", "igt:trial"], "deletes local files"), (["--max-delete", "5", "igt:trial", "x"], "--delete")])
def test_wrong_sides_are_a_usage_error(igtcloud, sides, said):
    assert said in igtcloud.run("sync", *sides, status=USAGE).err


def test_a_folder_named_as_the_project(igtcloud, tmp_path, monkeypatch):
    """Never guessed: what is meant decides what is overwritten."""
    (tmp_path / "trial").mkdir()
    (tmp_path / "copy").mkdir()
    done = igtcloud.run("sync", "trial", "copy", cwd=tmp_path, status=USAGE)
    assert "igt:" in done.err
    igtcloud.run("sync", "igt:trial", "copy", cwd=tmp_path)
    assert (tmp_path / "copy" / P1 / "a.txt").exists()


def test_a_misspelt_institute(igtcloud, up, lab):
    put(up / (lab.name + "x") / "case", {"x": "x"})
    done = igtcloud.run("sync", up, "igt:up", status=SOME_FAILED)
    assert "did you mean" in done.err and lab.names() == []


# ---- --delete ----

def test_delete_removes_what_the_cloud_does_not_have(igtcloud, synced):
    put(synced, {f"{P1}/old.txt": "1", f"{P1}/sub/older.bin": "2", f"{P1}/A.TXT": "3"})
    before = names(synced)
    igtcloud.run("sync", "igt:trial", synced)
    assert names(synced) == before
    done = igtcloud.run("sync", "--json", "--delete", "igt:trial", synced)
    assert {i["path"] for i in items(done, result="deleted")} == {"old.txt", "sub/older.bin"}
    assert done.summary["filesDeleted"] == 2
    assert names(synced) == before - {f"{P1}/old.txt", f"{P1}/sub/older.bin"}


def test_what_stays(igtcloud, synced, tmp_path):
    """Everything that this tool did not put there, or that the options are not about."""
    keep = {"mine.txt": "not in an institute", "north/mine.txt": "not in a study",
            "north/P9---Z/x.txt": "no study of the cloud", "west/P1---A/x.txt": "no institute",
            f"{P1}/._a.txt": "clutter", f"{P1}/.b.bin.igtpart": "unfinished",
            f"{P1}/dicom/1.dcm": "another category", f"{P1}/annotations/a.json": "{}",
            f"{P1}/keep.log": "left out by a filter", f"{P1}/raw/x": "left out by a rule"}
    put(synced, keep)
    (tmp_path / "outside").write_text("outside")
    os.symlink(tmp_path / "outside", synced / P1 / "link.txt")
    (tmp_path / "rules").write_text("- raw/\n")
    done = igtcloud.run("sync", "--json", "--delete", "--exclude", "*.log", "--filter-from",
                        tmp_path / "rules", "igt:trial", synced)
    assert done.summary["filesDeleted"] == 0
    assert names(synced) >= set(keep) | {f"{P1}/link.txt"} and (tmp_path / "outside").exists()


def test_a_folder_that_was_there_before(igtcloud, out):
    """Without our study.json it is somebody else's, even with a study's name."""
    put(out, {f"{P1}/precious.txt": "mine"})
    done = igtcloud.run("sync", "--json", "--delete", "igt:trial", out)
    assert done.summary["filesDeleted"] == 0 and (out / P1 / "precious.txt").exists()


def test_not_after_a_failure(cloud, igtcloud, synced):
    """Neither of a file nor of a listing: what could not be seen is not gone."""
    put(synced, {f"{P1}/old.txt": "1"})
    (synced / P1 / "a.txt").unlink()
    cloud.faults({"fault": "forbidden", "path": "**/a.txt", "times": 0})
    igtcloud.run("sync", "--delete", "igt:trial", synced, status=SOME_FAILED)
    assert (synced / P1 / "old.txt").exists()
    cloud.heal()
    cloud.faults({"fault": "forbidden", "method": "GET", "path": "/api/data/hospitals/*/studies/*/files", "times": 0})
    igtcloud.run("sync", "--delete", "igt:trial", synced, status=SOME_FAILED)
    assert (synced / P1 / "old.txt").exists()
    cloud.heal()
    igtcloud.run("sync", "--delete", "igt:trial", synced)
    assert not (synced / P1 / "old.txt").exists()


@injected
@pytest.mark.parametrize("call", ["open", "read-folder"])
def test_not_beside_a_folder_that_cannot_be_read(igtcloud, synced, call):
    """Success would mean that nothing is there beside what the cloud has."""
    put(synced, {f"{P1}/old.txt": "1", f"{P1}/broken/older.txt": "2"})
    before = sorted(synced.rglob("*"))
    done = igtcloud.run("sync", "--delete", "igt:trial", synced, status=SOME_FAILED,
                        env=on(synced / P1 / "broken", (call, errno.EIO)))
    assert f"cannot look for files to delete in '{P1}/broken'" in done.err
    assert sorted(synced.rglob("*")) == before
    igtcloud.run("sync", "--delete", "igt:trial", synced)
    assert "old.txt" not in " ".join(map(str, synced.rglob("*.txt"))) and not list(synced.rglob("older.txt"))


@pytest.mark.parametrize("body, said", [
    ("{}", "lists no files"), ({"files": None}, "lists no files"), ({"files": []}, "lists no files"),
    ({"annotations": []}, "lists no files"), ({"files": [{}]}, "a file without a name")])
def test_a_study_whose_list_is_empty_keeps_its_files(canned, igtcloud, synced, body, said):
    before = sorted(synced.rglob("*"))
    canned({"method": "GET", "path": "/api/data/hospitals/*/studies/*/files", "status": 200, "body": body})
    done = igtcloud.run("sync", "--delete", "igt:trial", synced, status=None)
    assert said in done.err and sorted(synced.rglob("*")) == before


def test_max_delete(igtcloud, synced):
    put(synced, {f"{P1}/old{n}.txt": "x" for n in range(101)})
    for options, limit in (([], 100), (["--max-delete", "7"], 7), (["--max-delete", "0"], 0)):
        done = igtcloud.run("sync", "--delete", *options, "igt:trial", synced, status=SOME_FAILED)
        assert f"101 local files are not in the cloud, more than the {limit}" in done.err
        assert len([n for n in names(synced) if "/old" in n]) == 101
    done = igtcloud.run("sync", "--json", "--delete", "--max-delete", "101", "igt:trial", synced)
    assert done.summary["filesDeleted"] == 101
    igtcloud.run("sync", "--delete", "--max-delete", "0", "igt:trial", synced)  # nothing is to be deleted


def test_categories_in_folders(igtcloud, out):
    options = ["--category", "files", "--category", "dicom"]
    igtcloud.run("sync", *options, "igt:trial", out)
    put(out, {f"{P1}/files/old": "1", f"{P1}/dicom/old": "2", f"{P1}/annotations/x": "3", f"{P1}/top": "4"})
    done = igtcloud.run("sync", "--json", "--delete", *options, "igt:trial", out)
    assert {i["path"] for i in items(done, result="deleted")} == {"files/old", "dicom/old"}


# ---- folders of studies that are gone ----

def kept_lines(done):
    return {i["path"] for i in items(done, kind="other", result="ignored")}


def sync_then_remove(igtcloud, folder, *options):
    """A study is deleted in the cloud after it was downloaded."""
    source = folder.parent / "source"
    put(source, {"north/P7---Gone/x.txt": "x"})
    igtcloud.run("upload", source, "trial")
    igtcloud.run("sync", *options, "igt:trial", folder)
    igtcloud.run("rm", "--yes", "trial/north/P7/Gone")


@pytest.fixture
def removed(igtcloud, synced):
    """And one renamed."""
    sync_then_remove(igtcloud, synced)
    sidecar = synced / "south/P1---A/study.json"
    sidecar.write_text(sidecar.read_text().replace("P1/A", "P1/Old"))
    (synced / "south/P1---A").rename(synced / "south/P1---Old")
    put(synced, {"mine/P9---Z/x.txt": "not downloaded", "north/P9---Z/x.txt": "neither",
                 "north/P8---Z/study.json": '{"studyDatabaseId": "x", "projectId": "another"}'})
    return synced


def test_folders_of_removed_studies_are_named(igtcloud, removed):
    gone = {"north/P7---Gone", "south/P1---Old"}
    before = names(removed)
    for options in ["--dry-run"], []:
        done = igtcloud.run("sync", "--json", "--delete", *options, "igt:trial", removed)
        assert kept_lines(done) == gone and done.summary["foldersKept"] == 2
        assert done.summary["filesIgnored"] == 0 and names(removed) >= before
    done = igtcloud.run("sync", "--delete", "igt:trial", removed)
    assert "ignored: north/P7---Gone: the cloud no longer has this study" in done.err
    assert "  2 folders of studies that the cloud no longer has were kept; delete" in done.err
    assert "folders ignored" not in done.err
    done = igtcloud.run("sync", "--json", "--delete", "igt:trial", removed, "north")
    assert kept_lines(done) == {"north/P7---Gone"}
    done = igtcloud.run("sync", "--json", "igt:trial", removed)
    assert kept_lines(done) == set() and done.summary["foldersKept"] == 0


@pytest.mark.parametrize("options", [["--study", "P1/*"], ["--limit", "1"], ["--shard", "1/2"], ["--end", "2999-01-01"],
                                     ["--modified-since", "2020-01-01"]])
def test_folders_that_were_not_selected_are_not_gone(igtcloud, removed, options):
    done = igtcloud.run("sync", "--json", "--delete", *options, "igt:trial", removed)
    assert kept_lines(done) == set() and done.summary["foldersKept"] == 0


def test_folders_of_removed_studies_in_a_hierarchical_tree(igtcloud, out):
    options = ["--folder-structure", "hierarchical"]
    sync_then_remove(igtcloud, out, *options)
    done = igtcloud.run("sync", "--json", "--delete", *options, "igt:trial", out)
    assert kept_lines(done) == {"north/P7/Gone"}


# ---- the plan ----

def test_a_dry_run_prints_the_plan(igtcloud, synced):
    put(synced, {f"{P1}/old.txt": "12345"})
    (synced / P1 / "a.txt").unlink()
    before = tree(synced)
    done = igtcloud.run("sync", "--dry-run", "--delete", "igt:trial", synced)
    assert sorted(line.split("\t") for line in done.text.splitlines()) == [
        ["delete", "5", "north", "P1/A", "", "old.txt"], ["download", "4", "north", "P1/A", "", "a.txt"]]
    assert "planned" not in done.err  # neither the file again, nor its study
    plain = igtcloud.run("download", "--dry-run", synced, "trial")
    assert plain.text == "download\t4\tnorth\tP1/A\t\ta.txt\n" and "planned" not in plain.err
    assert "Would download" in done.err and "1 local file would be deleted" in done.err
    done = igtcloud.run("sync", "--dry-run", "--json", "--delete", "igt:trial", synced)
    plan = {i["path"]: i["result"] for i in done.items if i["kind"] == "file" and "planned" in i["result"]}
    assert plan == {"old.txt": "planned deletion", "a.txt": "planned"}
    assert tree(synced) == before


def test_plan_of_an_upload(igtcloud, up, lab):
    put(up / lab.name / "case", {"x": "xyz"})
    done = igtcloud.run("sync", "--dry-run", up, "igt:up")
    assert done.text == f"create\t\t{lab.name}\tcase\t\t\nupload\t3\t{lab.name}\tcase\t\tx\n" and lab.names() == []


@pytest.mark.parametrize("command", [["upload"], ["sync", "--report", "REPORT"], ["upload", "--quiet"], ["sync", "--limit", 3]])
def test_the_plan_is_data(igtcloud, up, tmp_path, command):
    """Sorted, with the names that the cloud would have; the summary is on standard error."""
    for study, files in ("P2---B", "c"), ("P1---B", "z"), ("P1---A", "ba"):
        put(up / "ward" / study, {f"{name}.txt": "x" for name in files})
    command = [str(tmp_path / "report") if word == "REPORT" else word for word in command]
    done = igtcloud.run(*command, "--dry-run", up, "igt:wards" if command[0] == "sync" else "wards")
    assert [line.split("\t") for line in done.text.splitlines()] == [
        row for study, files in (("P1/A", "ab"), ("P1/B", "z"), ("P2/B", "c"))
        for row in [["create", "", "ward", study, "", ""],
                    *(["upload", "1", "ward", study, "", f"{name}.txt"] for name in files)]]
    assert ("Would upload 3 studies, 4 files" in done.err) == ("--quiet" not in command)
    assert "planned" not in done.err and "P1" not in done.err
    if "--report" in command:
        lines = (tmp_path / "report").read_text().splitlines()
        assert sum('"kind":"file","result":"planned"' in line for line in lines) == 4


def test_the_plan_and_a_report_on_standard_output(igtcloud, synced):
    """JSON lines only."""
    (synced / P1 / "a.txt").unlink()
    done = igtcloud.run("download", "--dry-run", "--report", "-", synced, "trial")
    assert [i["path"] for i in items(done, kind="file", result="planned")] == ["a.txt"]


@pytest.mark.parametrize("first, then", [("files", "dicom"), ("dicom", "files")])
def test_files_of_another_category(igtcloud, out, first, then):
    """With one category its files lie in the study's folder itself: whose are the others there?"""
    igtcloud.run("sync", "--category", first, "igt:trial", out)
    before = names(out)
    put(out, {f"{P1}/old.txt": "1"})
    done = igtcloud.run("sync", "--json", "--delete", "--category", then, "igt:trial", out)
    assert {i["path"] for i in items(done, result="deleted")} == {"old.txt"}
    assert names(out) > before


def test_sizes_and_ages_that_differ(igtcloud, synced):
    """A filter looks at the cloud's size; what is there is not gone for that."""
    (synced / P1 / "a.txt").write_text("a" * 5000)
    done = igtcloud.run("sync", "--json", "--delete", "--min-size", "1k", "igt:trial", synced)
    assert done.summary["filesDeleted"] == 0 and (synced / P1 / "a.txt").exists()


# ---- a file that is replaced ----

OLD = b"corrected by hand!!"  # 19 bytes


def replaced_lines(done):
    return {i["path"]: i["replacedSize"] for i in done.items if "replacedSize" in i}


def check_replaced(igtcloud, sides, row, said, whose):
    """The plan says it, and so does the summary of the run itself; the next run replaces nothing."""
    plan = igtcloud.run("sync", "--dry-run", *sides)
    assert sorted(line.split("\t") for line in plan.text.splitlines()) == row
    assert f"  1 {whose} would be replaced\n" in plan.err
    command = ["download", sides[1], "replace"] if sides[0] == "igt:replace" else ["upload", sides[0], "up"]
    for name in command[0], "sync":
        planned = igtcloud.run(*(command if name != "sync" else ["sync", *sides]), "--dry-run", "--json")
        assert planned.summary["filesReplaced"] == 1 and replaced_lines(planned) == said
        assert {i["result"] for i in planned.items if "replacedSize" in i} == {"planned"}
    plain = igtcloud.run(*command, "--dry-run")
    assert sorted(line.split("\t") for line in plain.text.splitlines()) == row
    done = igtcloud.run("sync", "--json", *sides)
    assert done.summary["filesReplaced"] == 1 and replaced_lines(done) == said
    assert f"  1 {whose} was replaced\n" in done.err
    again = igtcloud.run("sync", "--json", *sides)
    assert again.summary["filesReplaced"] == 0 and "replaced" not in again.err


def test_a_download_says_what_it_replaces(igtcloud, out):
    igtcloud.run("sync", "igt:replace", out)
    (out / P1 / "a.txt").write_bytes(OLD)
    (out / P1 / "new.txt").unlink()  # what is not there is not replaced
    check_replaced(igtcloud, ["igt:replace", out],
                   [["download", "3", "north", "P1/A", "", "new.txt"],
                    ["download", "6", "north", "P1/A", "19", "a.txt"]], {"a.txt": 19}, "local file")
    assert (out / P1 / "a.txt").read_bytes() == b"aaaaaa"


def test_an_upload_says_what_it_replaces(igtcloud, up, lab):
    put(up / lab.name / "case", {"x": OLD, "y": "same"})
    igtcloud.run("sync", up, "igt:up")
    put(up / lab.name / "case", {"x": "xxxxxx", "new": "new"})
    check_replaced(igtcloud, [up, "igt:up"],
                   [["upload", "3", lab.name, "case", "", "new"],
                    ["upload", "6", lab.name, "case", "19", "x"]], {"x": 19}, "file in the cloud")
    lab.is_whole("case", {"x": "xxxxxx", "y": "same", "new": "new"})


def test_other_content_of_the_same_size_is_replaced(igtcloud, synced):
    (synced / P1 / "a.txt").write_text("bbbb")
    done = igtcloud.run("download", "--json", "--checksum", synced, "trial", "north")
    assert replaced_lines(done) == {"a.txt": 4} and done.summary["filesReplaced"] == 1
