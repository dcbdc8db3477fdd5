# SPDX-License-Identifier: MIT
"""`igtcloud cat`, `cp` and `rm`: single files of the cloud, both ways, and deleting."""

import hashlib
import os
import signal
import subprocess

import pytest

from igtcloud import DENIED, DONE, FAILED, NOT_FOUND, USAGE, ended_by, environment, tree
from rest_client import RestClient
from sandbox import BUCKET, seeded

LARGE = 20 * 1024 * 1024 + 7

SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "services": [{"id": "station@trial"}],
    "projects": [
        {"name": "trial", "id": "p1", "files": [{"path": "forms/a b.txt", "text": "Name:"}],
         "institutes": [
            {"name": "north", "id": "i1", "studies": [
                {"class": "Study", "id": "s1", "studyId": "CT",
                 "patient": {"patientId": "P1", "patientName": "P1"}, "files": [
                     {"path": "report.txt", "text": "Nothing remarkable.\n"},
                     {"path": "empty", "size": 0},
                     {"path": "d/large.bin", "size": LARGE},
                     {"path": "gone.txt", "text": "x", "object": False},
                     {"path": "1.dcm", "category": "dicom", "text": "no real one"},
                     {"path": "vessel.json", "category": "annotations", "text": "{}"}]}]}]}],
}
STUDY = "trial/north/P1/CT"


@pytest.fixture
def cloud(tmp_path):
    """One for each test: they change what is in it."""
    with seeded(tmp_path, SEED) as running:
        yield running


def stored(cloud, igtcloud, path):
    """The object of a file of the cloud, as S3 has it."""
    file = igtcloud.run("show", path, "--json").lines[0]
    return cloud.boto3().get_object(Bucket=BUCKET, Key=file["key"])["Body"].read()


# ---- cat ----

@pytest.mark.smoke
def test_cat_prints_a_file(cloud, igtcloud):
    assert igtcloud.run("cat", f"{STUDY}/files/report.txt").out == b"Nothing remarkable.\n"
    assert igtcloud.run("cat", f"{STUDY}/files/empty").out == b""
    assert igtcloud.run("cat", f"{STUDY}/dicom/1.dcm").out == b"no real one"
    assert igtcloud.run("cat", f"igt:{STUDY}/annotations/vessel.json").out == b"{}"
    assert igtcloud.run("cat", "trial/files/forms/a b.txt").out == b"Name:"


def test_cat_of_a_large_file(cloud, igtcloud):
    data = igtcloud.run("cat", f"{STUDY}/files/d/large.bin").out
    assert len(data) == LARGE
    assert hashlib.sha256(data).digest() == \
        hashlib.sha256(stored(cloud, igtcloud, f"{STUDY}/files/d/large.bin")).digest()


def test_cat_says_what_is_wrong(cloud, igtcloud):
    """The bytes have been written by then, but the exit status reports it."""
    plain = RestClient(cloud.url)
    right = igtcloud.run("cat", f"{STUDY}/files/report.txt").out
    key = igtcloud.run("show", f"{STUDY}/files/report.txt", "--json").lines[0]["key"]
    etag = cloud.boto3().head_object(Bucket=BUCKET, Key=key)["ETag"]
    size = len(right)
    plain.ok("POST", "/__canned", [
        {"method": "GET", "path": "/igtcloud/**/report.txt", "status": 206, "body": "x" * size,
         "headers": {"ETag": etag, "Content-Range": f"bytes 0-{size - 1}/{size}"}}], status=204)
    done = igtcloud.run("cat", f"{STUDY}/files/report.txt", status=FAILED)
    assert "'report.txt'" in done.err and "md5 differs" in done.err


def test_cat_wants_a_file(igtcloud):
    for path in ("trial", STUDY, f"{STUDY}/files", "trial/north/P1"):
        igtcloud.run("cat", path, status=USAGE)
    igtcloud.run("cat", f"{STUDY}/files/no.txt", status=NOT_FOUND)
    assert "gone.txt" in igtcloud.run("cat", f"{STUDY}/files/gone.txt", status=NOT_FOUND).err


def test_a_service_may_not_read(cloud, igtcloud):
    done = igtcloud.run("cat", f"{STUDY}/files/report.txt", "--service-file",
                        cloud.data / "station@trial.pem", sign_in=False, status=DENIED)
    assert "may upload but not download" in done.err


@pytest.mark.case("dicom-30")
def test_cat_into_a_closed_pipe(igtcloud):
    process = igtcloud.start("cat", f"{STUDY}/files/d/large.bin")
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) == ended_by(signal.SIGPIPE) and process.stderr.read() == b""


# ---- cp, down ----

@pytest.mark.smoke
def test_cp_down(igtcloud, here):
    igtcloud.run("cp", f"igt:{STUDY}/files/report.txt", here / "mine.txt")
    igtcloud.run("cp", f"igt:{STUDY}/files/report.txt", here)
    igtcloud.run("cp", "igt:trial/files/forms/a b.txt", f"{here}/")
    assert {p.name: p.read_bytes() for p in here.iterdir()} == {
        "mine.txt": b"Nothing remarkable.\n", "report.txt": b"Nothing remarkable.\n",
        "a b.txt": b"Name:"}


def test_cp_down_replaces_in_one_step(cloud, igtcloud, here):
    (here / "large.bin").write_bytes(b"old")
    done = igtcloud.run("cp", f"igt:{STUDY}/files/d/large.bin", here, "--json")
    assert done.items[0]["result"] == "done" and done.items[0]["verified"]
    assert (here / "large.bin").read_bytes() == \
        stored(cloud, igtcloud, f"{STUDY}/files/d/large.bin")
    assert os.listdir(here) == ["large.bin"]


def test_cp_down_keeps_the_date(cloud, igtcloud, here):
    igtcloud.run("cp", f"igt:{STUDY}/files/report.txt", here, "--include-modified-date")
    key = igtcloud.run("show", f"{STUDY}/files/report.txt", "--json").lines[0]["key"]
    date = cloud.boto3().head_object(Bucket=BUCKET, Key=key)["LastModified"].timestamp()
    assert int((here / "report.txt").stat().st_mtime) == int(date)


def test_cp_and_the_journal(igtcloud, here):
    """Its path is reported; without it nothing is left at home."""
    large = f"igt:{STUDY}/files/d/large.bin"
    igtcloud.run("cp", large, here, "--no-journal", "--bwlimit", "1G")
    assert not [name for name in tree(igtcloud.home) if "journal" in name]
    igtcloud.run("cp", large, here, "--journal", here / "own.db")
    assert (here / "own.db").exists()
    assert not [name for name in tree(igtcloud.home) if "journal" in name]
    igtcloud.run("cp", large, here)
    assert [name for name in tree(igtcloud.home) if name.endswith("journal.db")]


def test_cp_down_that_cannot_be(igtcloud, here):
    igtcloud.run("cp", f"igt:{STUDY}/files/no.txt", here, status=NOT_FOUND)
    igtcloud.run("cp", f"igt:{STUDY}", here, status=USAGE)
    done = igtcloud.run("cp", f"igt:{STUDY}/files/report.txt", here / "no/such/folder",
                        status=FAILED)
    assert "no/such" in done.err and done.err.count("igtcloud:") == 1
    igtcloud.run("cp", f"igt:{STUDY}/files/report.txt", here, "--bwlimit", "fast", status=USAGE)
    assert os.listdir(here) == []


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_cp_down_replaces_no_device(igtcloud, here, kind):
    """As root, /dev/null would become a file."""
    os.mkfifo(here / "fifo")
    os.symlink("/dev/null", here / "link")
    done = igtcloud.run("cp", f"igt:{STUDY}/files/report.txt", here / kind, status=None)
    assert done.status in (FAILED, USAGE) and "not a regular file" in done.err
    assert not (here / kind).is_file() and sorted(os.listdir(here)) == ["fifo", "link"]


# ---- cp, up ----

@pytest.mark.smoke
def test_cp_up(cloud, igtcloud, here):
    (here / "new.txt").write_bytes(b"new\n")
    igtcloud.run("cp", here / "new.txt", f"igt:{STUDY}")
    igtcloud.run("cp", here / "new.txt", f"igt:{STUDY}/files/sub/")
    igtcloud.run("cp", here / "new.txt", f"igt:{STUDY}/files/other.txt")
    igtcloud.run("cp", here / "new.txt", f"igt:{STUDY}/annotations/")
    igtcloud.run("cp", here / "new.txt", "igt:trial/files/forms/")
    names = [line.split("\t")[2] for line in igtcloud.run("ls", STUDY).text.splitlines()]
    for name in ("files/new.txt", "files/sub/new.txt", "files/other.txt", "annotations/new.txt"):
        assert name in names
        assert stored(cloud, igtcloud, f"{STUDY}/{name}") == b"new\n"
    assert stored(cloud, igtcloud, "trial/files/forms/new.txt") == b"new\n"
    file = igtcloud.run("show", f"{STUDY}/files/other.txt", "--json").lines[0]
    assert file["isCompleted"] is True and file["fileSize"] == 4


def test_cp_up_replaces(cloud, igtcloud, here):
    (here / "report.txt").write_bytes(b"Much more than was there.\n" * 10)
    igtcloud.run("cp", here / "report.txt", f"igt:{STUDY}/files/")
    names = igtcloud.run("ls", f"{STUDY}/files", "--fields", "fileName").text.splitlines()
    assert names.count("report.txt") == 1
    assert igtcloud.run("cat", f"{STUDY}/files/report.txt").out.startswith(b"Much more")


def test_cp_up_of_a_large_file(cloud, igtcloud, here):
    data = os.urandom(9 * 1024 * 1024 + 1)
    (here / "big.bin").write_bytes(data)
    igtcloud.run("cp", here / "big.bin", f"igt:{STUDY}/files/")
    assert stored(cloud, igtcloud, f"{STUDY}/files/big.bin") == data
    assert igtcloud.run("cat", f"{STUDY}/files/big.bin").out == data


def test_cp_of_standard_input(cloud, igtcloud, here):
    """With a session of its own, so that standard input is free."""
    session = RestClient(cloud.url).login()
    env = environment(igtcloud.home, CLOUD_JWT_TOKEN=session.jwt, CLOUD_CSRF_TOKEN=session.csrf)
    command = igtcloud.command("cp", "-", f"igt:{STUDY}/files/piped.txt", sign_in=False)
    done = subprocess.run(command, input=b"from a pipe", env=env, capture_output=True, timeout=60)
    assert done.returncode == DONE, done
    assert stored(cloud, igtcloud, f"{STUDY}/files/piped.txt") == b"from a pipe"
    command[-1] = f"igt:{STUDY}/files/"
    done = subprocess.run(command, input=b"no name", env=env, capture_output=True, timeout=60)
    assert done.returncode == USAGE, done
    igtcloud.run("cp", "-", f"igt:{STUDY}/files/piped.txt", status=USAGE)


def test_cp_to_the_dicom_import(cloud, igtcloud, here):
    """A file that is not DICOM is stored there, and the import leaves it alone."""
    (here / "no.dcm").write_bytes(b"none")
    igtcloud.run("cp", here / "no.dcm", "igt:trial/north/dicom/")
    listed = cloud.boto3().list_objects_v2(Bucket=BUCKET, Prefix="p1/i1/Import/")
    assert [o["Key"].endswith("/no.dcm") for o in listed["Contents"]] == [True]


def test_a_service_may_upload(cloud, igtcloud, here):
    (here / "new.txt").write_bytes(b"new\n")
    igtcloud.run("cp", here / "new.txt", f"igt:{STUDY}/files/", "--service-file",
                 cloud.data / "station@trial.pem", sign_in=False)
    assert stored(cloud, igtcloud, f"{STUDY}/files/new.txt") == b"new\n"


def test_cp_up_that_cannot_be(igtcloud, here):
    (here / "f").write_bytes(b"x")
    (here / "link").symlink_to(here / "f")
    igtcloud.run("cp", here / "no", f"igt:{STUDY}", status=FAILED)
    igtcloud.run("cp", here, f"igt:{STUDY}", status=USAGE)
    igtcloud.run("cp", here / "link", f"igt:{STUDY}", status=USAGE)
    igtcloud.run("cp", here / "f", f"igt:{STUDY}/dicom/", status=USAGE)
    igtcloud.run("cp", here / "f", "igt:trial/north", status=USAGE)
    igtcloud.run("cp", here / "f", f"igt:{STUDY}/files/../../x", status=FAILED)
    igtcloud.run("cp", here / "f", "igt:trial/south/dicom/", status=NOT_FOUND)
    done = igtcloud.run("cp", here / "f", here / "g", status=USAGE)
    assert f"igtcloud cp '{here}/f' 'igt:{here}/g'" in done.err
    assert "igtcloud cp 'igt:trial/files/a' 'b'" in igtcloud.run("cp", "trial/files/a", "b", status=USAGE).err
    igtcloud.run("cp", f"igt:{STUDY}/files/a", f"igt:{STUDY}/files/b", status=USAGE)
    igtcloud.run("cp", here / "link", f"igt:{STUDY}", "--follow-links")


# ---- rm ----

def test_rm_asks(igtcloud):
    path = f"{STUDY}/files/report.txt"
    status, shown = igtcloud.on_terminal("rm", path, answers=[(r"Delete the file .*\[y/N\]", "n")])
    assert status == FAILED and "nothing was changed" in shown
    igtcloud.run("show", path)
    status, shown = igtcloud.on_terminal("rm", path, answers=[(r"\[y/N\]", "y")])
    assert status == DONE and f"Deleted the file '{path}'" in shown
    igtcloud.run("show", path, status=NOT_FOUND)


def test_rm_takes_no_patient(igtcloud):
    patient = STUDY.rsplit("/", 1)[0]
    done = igtcloud.run("rm", "--yes", patient, status=USAGE)
    assert f"'{patient}' is a patient" in done.err and f"`igtcloud ls '{patient}'` lists them" in done.err
    igtcloud.run("show", STUDY)


def test_rm_without_a_terminal(igtcloud):
    done = igtcloud.run("rm", f"{STUDY}/files/report.txt", status=USAGE)
    assert "--yes" in done.err
    igtcloud.run("show", f"{STUDY}/files/report.txt")


def test_rm_counts_what_it_deletes(igtcloud):
    for path, with_, row in [
            ("trial", "the project 'trial' with 1 institute and 1 study",
             {"kind": "project", "path": "trial", "deleted": False, "institutes": 1, "studies": 1}),
            ("trial/north", "the institute 'trial/north' with 1 study",
             {"kind": "institute", "path": "trial/north", "deleted": False, "studies": 1})]:
        done = igtcloud.run("rm", "--dry-run", "--json", path)
        assert f"Would delete {with_}" in done.err and done.lines == [row]
        plan = igtcloud.run("rm", "--dry-run", path)
        assert plan.text == f"Would delete {with_}\n" and "delete" not in plan.err
    study = igtcloud.run("rm", "--dry-run", "--json", STUDY).lines[0]
    listed = igtcloud.run("ls", "--json", STUDY).lines
    assert (study["files"], study["bytes"]) == (len(listed), sum(f["fileSize"] for f in listed))
    igtcloud.run("show", STUDY)


def test_rm_of_a_project_asks_for_its_name(igtcloud):
    for typed in ("y", "trail"):
        status, shown = igtcloud.on_terminal("rm", "trial", answers=[("Type its name to confirm: ", typed)])
        assert status == FAILED and "nothing was deleted" in shown
    igtcloud.run("show", "trial")
    status, shown = igtcloud.on_terminal("rm", "trial", answers=[("Type its name to confirm: ", "trial")])
    assert status == DONE and "Deleted the project 'trial' with 1 institute" in shown


@pytest.mark.smoke
def test_rm_of_each_kind(cloud, igtcloud):
    igtcloud.run("rm", "--yes", "trial/files/forms/a b.txt")
    assert igtcloud.run("ls", "trial/files").out == b""
    igtcloud.run("rm", "--yes", f"{STUDY}/annotations/vessel.json")
    igtcloud.run("rm", "--yes", f"{STUDY}/dicom/1.dcm")
    igtcloud.run("rm", "--yes", f"{STUDY}/files/report.txt")
    assert "dicom" not in igtcloud.run("ls", STUDY).text
    keys = [o["Key"] for o in cloud.boto3().list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert not [k for k in keys if k.endswith(("vessel.json", "1.dcm", "report.txt", "b.txt"))]
    igtcloud.run("rm", "-y", STUDY)
    assert igtcloud.run("ls", "trial/north").out == b""
    igtcloud.run("rm", "--yes", "trial/north")
    assert igtcloud.run("ls", "trial").out == b""
    igtcloud.run("rm", "--yes", "trial")
    igtcloud.run("ls", "trial", status=NOT_FOUND)


def test_rm_wants_one_thing(igtcloud):
    igtcloud.run("rm", "--yes", "", status=USAGE)
    igtcloud.run("rm", "--yes", "trial/north/P1", status=USAGE)
    igtcloud.run("rm", "--yes", f"{STUDY}/files", status=USAGE)
    igtcloud.run("rm", "--yes", f"{STUDY}/files/no.txt", status=NOT_FOUND)
