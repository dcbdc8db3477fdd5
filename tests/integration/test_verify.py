# SPDX-License-Identifier: MIT
"""`igtcloud verify` against the sandbox: a tree that was downloaded or uploaded, file by file."""

import json
import os
import shutil

import pytest

from igtcloud import DONE, FAILED, NOT_FOUND, SOME_FAILED, USAGE, shown, tree
from rest_client import RestClient
from sandbox import BUCKET
from test_download import NORTH
from uploads import patient_study, put

MIB = 1024 * 1024
SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "services": [{"id": "station@in"}],
    "projects": [
        {"name": "trial", "institutes": [
            {"name": "north", "studies": NORTH},
            {"name": "south", "studies": [
                patient_study("P1", "A", studyDate="2024-03-03T12:00:00+00:00",
                              files=[{"path": "notes.txt", "text": "south's"}])]}],
         "files": [{"path": "protocol.txt", "text": "rules"}]},
        {"name": "large", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "studies": [
                {"name": "film", "files": [{"path": "film.bin", "size": 17 * MIB + 1}]},
                {"name": "parts", "files": [{"path": "film.bin", "size": 17 * MIB + 1}]},
                {"name": "odd", "files": [{"path": "film.bin", "size": 11 * MIB}]}]}]},
        {"name": "many", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "generate": {"studies": 40, "files": 10, "size": 1000}}]},
        {"name": "in", "projectTypeName": "EPD", "institutes": [{"name": "lab", "studies": []}]},
        *({"name": f"own-{n}", "projectTypeName": "EPD",
           "institutes": [{"name": "lab", "studies": []}]} for n in ("files", "dicom", "only")),
        *({"name": f"also-{n}", "projectTypeName": "EPD",
           "institutes": [{"name": "lab", "studies": []}]} for n in ("files", "dicom")),
        {"name": "hollow", "projectTypeName": "EPD",
         "institutes": [{"name": "lab", "studies": [{"name": "nothing"}]}]},
        {"name": "patients", "institutes": [{"name": "ward", "studies": []}]},
    ],
}


@pytest.fixture
def trial(igtcloud, tmp_path):
    """The whole project, as it was downloaded."""
    igtcloud.run("download", tmp_path / "trial", "trial")
    return tmp_path / "trial"


def key_of(cloud, project, institute, human, name):
    client = RestClient(cloud.url).login()
    where = client.institute(institute, project)
    studies = client.ok("GET", f"/api/data/hospitals/{where['id']}/studies")
    study = next(s for s in studies if s["studyIdHumanReadable"] == human)
    return study["s3Prefix"] + "files/" + name


def results(done):
    """(institute, study, path): result, of the files that are not the same. The one that the cloud
    does not have completely is left out."""
    return {(i["institute"], i["study"], i["path"]): i["result"]
            for i in done.items if i["kind"] == "file" and i["result"] != "same"
            and (i["path"], i["result"]) != ("half.txt", "ignored")}


def same(igtcloud, n, *arguments):
    done = igtcloud.run("verify", "--json", *arguments)
    assert results(done) == {} and done.summary["filesSame"] == n, done
    assert done.summary["status"] == "IGT_OK"
    return done


# ---- what is the same ----

@pytest.mark.smoke
def test_a_download_is_the_same(igtcloud, trial):
    before = {p: os.stat(trial / p) for p in tree(trial)}
    done = same(igtcloud, 7, trial, "trial")
    files = {(i["study"], i["path"]): i for i in done.items if i["kind"] == "file"}
    notes = files["P1/B", "notes.txt"]
    assert notes["verified"] and notes["digest"].startswith(notes["verified"] + ":")
    assert notes["size"] == 6 and notes["moved"] == 0
    assert notes["local"] == shown(trial / "north/P1---B/notes.txt") and notes["key"]
    studies = [i for i in done.items if i["kind"] == "study"]
    assert len(studies) == 4 and {i["result"] for i in studies} == {"same"}
    assert done.summary["filesIncomplete"] == 1 and done.summary["bytesMoved"] == 0
    assert "7 identical files" in done.err
    after = {p: os.stat(trial / p) for p in tree(trial)}
    assert {p: s.st_mtime_ns for p, s in after.items()} == \
        {p: s.st_mtime_ns for p, s in before.items()}


def test_other_forms_of_a_download(igtcloud, tmp_path):
    form = ["--folder-structure", "hierarchical"]
    igtcloud.run("download", *form, tmp_path / "h", "trial")
    same(igtcloud, 7, *form, tmp_path / "h", "trial")
    categories = "--category files --category dicom --category annotations".split()
    igtcloud.run("download", *categories, tmp_path / "c", "trial")
    same(igtcloud, 9, *categories, tmp_path / "c", "trial")
    same(igtcloud, 9, tmp_path / "c", "trial")  # all that is here, unless some are asked for
    same(igtcloud, 7, "--category", "files", tmp_path / "c", "trial")
    igtcloud.run("download", "--category", "annotations", tmp_path / "a", "trial")
    same(igtcloud, 1, "--category", "annotations", tmp_path / "a", "trial")
    igtcloud.run("download", "--project-files", tmp_path / "p", "trial")
    same(igtcloud, 1, "--project-files", tmp_path / "p", "trial")


def test_project_files_beside_studies(igtcloud, trial):
    igtcloud.run("download", "--project-files", trial, "trial")
    same(igtcloud, 8, trial, "trial")
    (trial / "files/protocol.txt").write_text("RULES")
    done = igtcloud.run("verify", "--json", trial, "trial", status=SOME_FAILED)
    assert results(done) == {("", "", "protocol.txt"): "different"}
    same(igtcloud, 1, trial, "trial", "south")


def test_an_upload_is_the_same(igtcloud, tmp_path):
    tree_up = tmp_path / "up"
    for study, name, data in (("one", "a/b.bin", os.urandom(5000)), ("one", "ü", b"x"),
                              ("two", "film.bin", os.urandom(17 * MIB + 3)),
                              ("two", "empty", b"")):
        path = tree_up / "lab" / study / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    done = igtcloud.run("verify", "--json", tree_up, "in", status=SOME_FAILED)
    assert set(results(done).values()) == {"missing there"} and len(results(done)) == 4
    igtcloud.run("upload", tree_up, "in")
    done = same(igtcloud, 4, tree_up, "in")
    verified = {i["path"]: i["verified"] for i in done.items if i["kind"] == "file"}
    assert verified["film.bin"] in ("sha256", "etag-parts") and all(verified.values())
    igtcloud.run("download", tmp_path / "down", "in")
    same(igtcloud, 4, tmp_path / "down", "in")


CATEGORIES = "--category files --category dicom --category annotations".split()


def files_in(folder):
    return {n for n in tree(folder) if not n.endswith("study.json")}


@pytest.mark.parametrize("options", [[], ["--category", "files"], ["--checksum"]])
def test_a_download_into_a_folder_that_is_divided(igtcloud, trial, tmp_path, options):
    """It follows the division: files beside "files" would be a second copy that no upload sends."""
    out = tmp_path / "divided"
    igtcloud.run("download", *CATEGORIES, out, "trial")
    before = files_in(out)
    (out / "north/P1---A/files/notes.txt").unlink()
    (out / "north/P1---B/files/notes.txt").write_text("other, longer")
    done = igtcloud.run("download", "--json", *options, out, "trial")
    assert files_in(out) == before and done.summary["filesDone"] == 2
    same(igtcloud, 9, out, "trial")
    done = igtcloud.run("sync", "--delete", "--json", "igt:trial", out)
    assert files_in(out) == before and done.summary["filesDeleted"] == 0


@pytest.mark.parametrize("own", ["files", "dicom"])
def test_a_download_into_a_folder_of_a_study_with_folders_called_as_ours(igtcloud, tmp_path, own):
    """Such folders divide nothing, however little of the study is here; an earlier division stays."""
    project = f"also-{own}"
    put(tmp_path / "up/lab/case/files", {"x": "1", f"{own}/x": "22", f"{own}/files/x": "333"})
    igtcloud.run("upload", tmp_path / "up", project)
    igtcloud.run("download", tmp_path / "whole", project)
    expected = {"lab/case/x", f"lab/case/{own}/x", f"lab/case/{own}/files/x"}
    for left in (set(), {f"lab/case/{own}/x"}, expected - {"lab/case/x"}):
        for name in expected - left:
            (tmp_path / "whole" / name).unlink(missing_ok=True)
        igtcloud.run("download", tmp_path / "whole", project)
        assert files_in(tmp_path / "whole") == expected
    igtcloud.run("download", *CATEGORIES, tmp_path / "divided", project)
    before = files_in(tmp_path / "divided")
    (tmp_path / "divided/lab/case/files/x").unlink()
    igtcloud.run("download", tmp_path / "divided", project)
    assert files_in(tmp_path / "divided") == before


@pytest.mark.parametrize("own", ["files", "dicom"])
def test_a_study_with_folders_called_as_ours(igtcloud, tmp_path, own):
    """Uploads, downloads and verify agree on where its files are, whichever of them made the folder."""
    put(tmp_path / "up/lab/case/files", {"x": "1", f"{own}/x": "22", f"{own}/files/x": "333"})
    igtcloud.run("upload", tmp_path / "up", f"own-{own}")
    same(igtcloud, 3, tmp_path / "up", f"own-{own}")
    igtcloud.run("download", tmp_path / "down", f"own-{own}")
    assert (tmp_path / "down/lab/case" / own / "x").read_text() == "22"
    for folder in "up", "down":
        same(igtcloud, 3, tmp_path / folder, f"own-{own}")
        done = igtcloud.run("upload", "--json", "--no-journal", tmp_path / folder, f"own-{own}")
        assert done.summary["filesSkipped"] == 3 and done.summary["filesDone"] == 0, folder
        assert done.summary["filesIgnored"] == 0, folder
    (tmp_path / "up/lab/case/files" / own / "x").unlink()
    done = igtcloud.run("verify", "--json", tmp_path / "up", f"own-{own}", status=SOME_FAILED)
    assert results(done) == {("lab", "case", f"{own}/x"): "missing here"}


def test_a_study_of_nothing_but_a_folder_called_as_ours(igtcloud, tmp_path):
    put(tmp_path / "up/lab/case/files", {"dicom/x": "22"})
    igtcloud.run("upload", tmp_path / "up", "own-only")
    igtcloud.run("download", tmp_path / "down", "own-only")
    same(igtcloud, 1, tmp_path / "down", "own-only")
    done = igtcloud.run("upload", "--json", "--no-journal", tmp_path / "down", "own-only")
    assert done.summary["filesSkipped"] == 1 and done.summary["studiesCreated"] == 0


def test_an_upload_of_patients_is_the_same(igtcloud, tmp_path):
    form = ["--folder-structure", "hierarchical"]
    for patient, study in (("P1", "S1"), ("P1", "S2"), ("P2", "S1")):
        path = tmp_path / "up/ward" / patient / study / "x"
        path.parent.mkdir(parents=True)
        path.write_text(patient + study)
    igtcloud.run("upload", *form, tmp_path / "up", "patients")
    same(igtcloud, 3, *form, tmp_path / "up", "patients")
    igtcloud.run("download", tmp_path / "flat", "patients")
    same(igtcloud, 3, tmp_path / "flat", "patients")


def test_a_folder_of_another_name_is_found_by_its_study_json(igtcloud, trial):
    (trial / "north/P1---B").rename(trial / "north/renamed")
    same(igtcloud, 7, trial, "trial")


def test_many_studies(igtcloud, tmp_path):
    igtcloud.run("download", tmp_path / "many", "many")
    for options in ([], ["--connections", "1"], ["--concurrent-studies", "1"]):
        same(igtcloud, 400, *options, tmp_path / "many", "many")


# ---- what is not ----

def test_each_kind_of_difference(cloud, igtcloud, trial, tmp_path):
    north = trial / "north"
    (north / "P1---A/notes.txt").write_text("FIRST")  # the same size
    (north / "P1---A/empty").write_text("no more")
    (north / "P1---A/deep/er/film.bin").unlink()
    (north / "P1---A/extra").write_text("mine")
    (north / "P1---A/half.txt").write_text("later")
    (north / "P1---A/.film.bin.igtpart").write_text("x")
    shutil.rmtree(north / "P1---B")
    (north / "new study").mkdir()
    (north / "new study/x").write_text("y")
    shutil.rmtree(trial / "south")
    (trial / "west").mkdir()
    (trial / "north/stray").write_text("z")
    report = tmp_path / "report"
    done = igtcloud.run("verify", "--json", "--report", report, trial, "trial", status=SOME_FAILED)
    assert results(done) == {
        ("north", "P1/A", "notes.txt"): "different", ("north", "P1/A", "empty"): "different",
        ("north", "P1/A", "deep/er/film.bin"): "missing here",
        ("north", "P1/A", "extra"): "missing there", ("north", "P1/A", "half.txt"): "missing there",
        ("north", "P1/A", ".film.bin.igtpart"): "ignored",
        ("north", "P1/B", "notes.txt"): "missing here",
        ("north", "new study", "x"): "missing there", ("south", "P1/A", "notes.txt"): "missing here"}
    total = done.summary
    assert (total["filesSame"], total["filesDifferent"], total["filesMissingHere"],
            total["filesMissingThere"], total["filesFailed"]) == (2, 2, 3, 3, 0)
    assert report.read_bytes() == done.out
    reasons = {i["path"]: i.get("reason") for i in done.items if i["kind"] == "file"}
    assert "7 bytes here and 0" in reasons["empty"] and "not complete" in reasons["half.txt"]
    assert {i["result"] for i in done.items if i["kind"] == "study" and i["study"] == "P2/A"} == \
        {"same"}
    others = {os.path.basename(i["path"]) for i in done.items if i["kind"] == "other"}
    assert others == {"west", "stray"}
    for line in ("different: north: P1/A: notes.txt", "missing here: south: P1/A: notes.txt",
                 "missing there: north: P1/A: extra", "2 files DIFFERENT"):
        assert line in done.err, done.err
    last = json.loads(done.err.rstrip().split("\n")[-1])
    assert last["error"]["message"].startswith("the folder does not match the cloud")
    same(igtcloud, 1, "--include", "Übung*", trial, "trial")


@pytest.mark.parametrize("options, expected", [
    (["--start", "2024-03-02"], {"P1/B", "P2/A", "south"}), (["--end", "2024-03-01"], {"P2/A"}),
    (["--ext", ".TXT"], {"P1/B", "P2/A", "south"}), (["--exclude", "notes*"], set()),
    (["--include", "deep/**"], set())])
def test_filters_choose_what_is_compared(igtcloud, trial, options, expected):
    for name in ("north/P1---B", "north/P2---A", "south/P1---A"):
        (trial / name / "notes.txt").write_text("other")
    done = igtcloud.run("verify", "--json", *options, trial, "trial",
                        status=SOME_FAILED if expected else DONE)
    assert {"south" if i == "south" else s for i, s, _ in results(done)} == expected


def test_shards_are_disjoint_and_complete(igtcloud, tmp_path):
    igtcloud.run("download", tmp_path / "many", "many")
    got = [igtcloud.run("verify", "--json", "--shard", f"{i}/3", tmp_path / "many",
                        "many").summary["filesSame"] for i in (1, 2, 3)]
    assert sum(got) == 400 and all(got)


def ignored_folders(done):
    return {i["path"]: i["reason"] for i in done.items
            if i["kind"] == "other" and i["result"] == "ignored"}


@pytest.mark.parametrize("inside", [[], ["deep/er"], ["files"], ["files", "dicom", "annotations"]])
def test_an_empty_folder_is_named(igtcloud, trial, inside):
    """Nothing of it is missing, but whoever takes it for the only copy is told."""
    folder = trial / "north/P9---Lost"
    for name in inside or [""]:
        (folder / name).mkdir(parents=True)
    done = same(igtcloud, 7, trial, "trial")
    assert ignored_folders(done) == {
        "north/P9---Lost": "it contains no files, and the cloud has no such study"}
    assert "ignored: north: north/P9---Lost: it contains no files" in done.err
    assert "1 folder ignored" in igtcloud.run("verify", trial, "trial").err
    assert not ignored_folders(same(igtcloud, 1, trial, "trial", "south"))
    assert not ignored_folders(same(igtcloud, 1, "--study", "P1/B", trial, "trial"))
    (folder / ".DS_Store").write_text("x")
    assert len(ignored_folders(igtcloud.run("verify", "--json", trial, "trial"))) == 1
    (folder / ".DS_Store").unlink()
    (folder / "study.json").write_text("{}")
    assert len(ignored_folders(same(igtcloud, 7, trial, "trial"))) == 1


def test_an_empty_folder_of_a_study(igtcloud, trial, tmp_path):
    """With files in the cloud, these are missing here; without any, the folder is named, unless it is
    what a download makes of such a study."""
    study = trial / "north/P1---B"
    shutil.rmtree(study)
    study.mkdir()
    done = igtcloud.run("verify", "--json", trial, "trial", status=SOME_FAILED)
    assert results(done) == {("north", "P1/B", "notes.txt"): "missing here"}
    assert not ignored_folders(done)
    igtcloud.run("download", tmp_path / "down", "hollow")
    assert not ignored_folders(same(igtcloud, 0, tmp_path / "down", "hollow"))
    (tmp_path / "down/lab/nothing/study.json").unlink()
    assert ignored_folders(same(igtcloud, 0, tmp_path / "down", "hollow")) == {
        "lab/nothing": "it contains no files, and the cloud has none for it"}


def test_an_empty_folder_of_a_patient(igtcloud, tmp_path):
    form = ["--folder-structure", "hierarchical"]
    put(tmp_path / "up/ward", {"P3/S1/x": "x"})
    igtcloud.run("upload", *form, tmp_path / "up", "patients")
    (tmp_path / "up/ward/P4").mkdir()
    (tmp_path / "up/ward/P3/S2").mkdir()
    done = igtcloud.run("verify", "--json", *form, tmp_path / "up", "patients", status=None)
    assert ignored_folders(done) == {
        "ward/P3/S2": "it contains no files, and the cloud has no such study",
        "ward/P4": "it contains no study"}


def test_object_that_is_gone(cloud, igtcloud, trial):
    s3, key = cloud.boto3(), key_of(cloud, "trial", "south", "P1/A", "notes.txt")
    try:
        s3.delete_object(Bucket=BUCKET, Key=key)
        done = igtcloud.run("verify", "--json", trial, "trial", status=SOME_FAILED)
        assert results(done) == {("south", "P1/A", "notes.txt"): "missing there"}
        assert "no such object" in done.err
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"SOUTH'S")
        done = igtcloud.run("verify", "--json", trial, "trial", status=SOME_FAILED)
        assert results(done) == {("south", "P1/A", "notes.txt"): "different"}
    finally:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"south's")


def test_one_bit(igtcloud, tmp_path):
    out = tmp_path / "large"
    igtcloud.run("download", "--include", "film.bin", out, "large")
    path = out / "lab/film/film.bin"
    with open(path, "r+b") as f:
        f.seek(16 * MIB + 5)
        byte = f.read(1)[0]
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte ^ 4]))
    done = igtcloud.run("verify", "--json", out, "large", status=SOME_FAILED)
    assert results(done) == {("lab", "film", "film.bin"): "different"}


# ---- what cannot be checked ----

def in_parts(cloud, study, sizes):
    """The same bytes again, as an object of parts whose ETag is no plain MD5."""
    cloud.store_in_parts(key_of(cloud, "large", "lab", study, "film.bin"), sizes)


def test_parts_of_one_size_are_compared_one_by_one(cloud, igtcloud, tmp_path):
    """Parts of one size are checked one by one; others prove nothing, and that is reported."""
    in_parts(cloud, "parts", [8 * MIB, 8 * MIB, MIB + 1])
    in_parts(cloud, "odd", [5 * MIB, 6 * MIB])
    igtcloud.run("download", tmp_path / "large", "large")
    done = igtcloud.run("verify", "--json", tmp_path / "large", "large", status=SOME_FAILED)
    assert results(done) == {("lab", "odd", "film.bin"): "unchecked"}
    verified = {i["study"]: i["verified"] for i in done.items if i["kind"] == "file"}
    assert verified.pop("film") in ("md5", "crc64nvme")
    assert verified == {"parts": "etag-parts", "odd": ""}
    assert done.summary["filesUnchecked"] == 1 and "cannot be checked: 1" in done.err


def test_what_the_journal_knows_of_an_upload(cloud, igtcloud, tmp_path):
    """A store without a digest: the one that it verified at the upload still counts."""
    path = tmp_path / "up/lab/kms/x.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(os.urandom(3000))
    igtcloud.run("upload", tmp_path / "up", "in")
    etag = cloud.boto3().head_object(
        Bucket=BUCKET, Key=key_of(cloud, "in", "lab", "kms", "x.bin"))["ETag"]
    plain = RestClient(cloud.url)
    plain.ok("POST", "/__canned", [{
        "method": "HEAD", "path": "/igtcloud/**x.bin", "status": 200, "body": "x" * 3000,
        "headers": {"ETag": etag, "x-amz-server-side-encryption": "aws:kms"}}], status=204)
    try:
        only = ["--include", "x.bin"]
        done = same(igtcloud, 1, *only, tmp_path / "up", "in")
        assert [i["verified"] for i in done.items if i["kind"] == "file"] == ["journal"]
        done = igtcloud.run("verify", "--json", "--no-journal", *only, tmp_path / "up", "in",
                            status=SOME_FAILED)
        assert set(results(done).values()) == {"unchecked"}
        path.write_bytes(os.urandom(3000))
        done = igtcloud.run("verify", "--json", *only, tmp_path / "up", "in", status=SOME_FAILED)
        assert set(results(done).values()) == {"different"}
    finally:
        plain.ok("DELETE", "/__canned", status=204)


# ---- what goes wrong ----

def test_unreadable_links_and_special_files(igtcloud, trial, tmp_path):
    study = trial / "north/P1---A"
    (tmp_path / "outside").write_text("first")
    (study / "notes.txt").unlink()
    (study / "notes.txt").symlink_to(tmp_path / "outside")
    os.mkfifo(study / "pipe")
    done = igtcloud.run("verify", "--json", trial, "trial", status=SOME_FAILED)
    assert results(done) == {("north", "P1/A", "notes.txt"): "missing here",
                             ("north", "P1/A", "pipe"): "ignored"}
    assert done.summary["filesIgnored"] == 3
    assert "--follow-links" in done.err
    same(igtcloud, 7, "--follow-links", "--exclude", "pipe", trial, "trial")


def test_two_folders_of_one_study(igtcloud, trial):
    shutil.copytree(trial / "north/P1---B", trial / "north/copy")
    done = igtcloud.run("verify", "--json", trial, "trial", status=SOME_FAILED)
    failed = [i for i in done.items if i["result"] == "failed"]
    assert len(failed) == 1 and failed[0]["status"] == "IGT_E_COLLISION"


def test_wrong_arguments(igtcloud, trial, tmp_path):
    assert "'none'" in igtcloud.run("verify", trial, "none", status=NOT_FOUND).err
    assert "'x'" in igtcloud.run("verify", trial, "trial", "x", status=NOT_FOUND).err
    done = igtcloud.run("verify", tmp_path / "none", "trial", status=FAILED)
    assert str(tmp_path / "none") in done.err and not (tmp_path / "none").exists()
    igtcloud.run("verify", trial, status=USAGE)
    igtcloud.run("verify", "--start", "x", trial, "trial", status=USAGE)


def test_store_that_fails(cloud, igtcloud, trial):
    plain = RestClient(cloud.url)
    plain.ok("POST", "/__canned", [{"method": "HEAD", "path": "/igtcloud/**notes.txt",
                                    "status": 500}], status=204)
    try:
        done = igtcloud.run("verify", "--json", "--retries", "0", trial, "trial",
                            status=SOME_FAILED)
    finally:
        plain.ok("DELETE", "/__canned", status=204)
    assert set(results(done).values()) == {"failed"} and done.summary["filesFailed"] == 4
    assert done.summary["filesSame"] == 3

def test_a_service_identity_verifies_what_it_uploaded(cloud, igtcloud, tmp_path):
    """It may not read objects: the digest that the store verified is compared, and the file read."""
    key = ["--service-file", cloud.data / "station@in.pem"]
    folder = put(tmp_path / "up", {"lab/mine/a.bin": "mine", "lab/theirs/b.bin": "theirs"})
    shutil.copytree(folder / "lab/theirs", tmp_path / "other/lab/theirs")
    igtcloud.run("upload", *key, folder, "in", "lab", sign_in=False)
    only = ["--include", "*.bin"]
    done = igtcloud.run("verify", "--json", *key, *only, folder, "in", "lab", status=None,
                        sign_in=False)
    mine = [i for i in done.items if i["kind"] == "file" and i["study"] in ("mine", "theirs")]
    assert [(i["result"], i["verified"]) for i in mine] == [("same", "journal")] * 2
    (folder / "lab/mine/a.bin").write_text("mind")
    done = igtcloud.run("verify", "--json", *key, *only, folder, "in", "lab", status=SOME_FAILED,
                        sign_in=False)
    assert results(done)[("lab", "mine", "a.bin")] == "different"
    # Without a record of its upload only its size is known.
    done = igtcloud.run("verify", "--json", *key, *only, tmp_path / "other", "in", "lab",
                        status=SOME_FAILED, sign_in=False)
    assert results(done)[("lab", "theirs", "b.bin")] == "unchecked"
    assert any("no record of its upload" in i.get("reason", "") for i in done.items)
