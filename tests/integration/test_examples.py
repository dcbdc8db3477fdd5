# SPDX-License-Identifier: MIT
"""The programs of examples/ do what they say, against the sandbox."""

import base64
import concurrent.futures
import csv
import io
import os
import re
import signal
import struct
import subprocess

import pytest

from igtcloud import Program, build_folder, environment, program, tree
from rest_client import RestClient
from sandbox import ROOT

PIXELS = 6 * 1024 * 1024


def dicom():
    """Explicit VR Little Endian: a header, then pixels enough that fetching all would show."""
    def element(group, number, vr, value):
        value += b" " * (len(value) % 2)
        return struct.pack("<HH2sH", group, number, vr, len(value)) + value
    header = (element(0x0008, 0x0060, b"CS", b"XA") + element(0x0010, 0x0010, b"PN", b"Doe^Jane") +
              struct.pack("<HH2sHI", 0x0008, 0x3010, b"UN", 0, 4000) + bytes(4000) +
              element(0x0010, 0x0020, b"LO", b"P0001") +
              element(0x0028, 0x0010, b"US", struct.pack("<H", 513)))
    pixels = struct.pack("<HH2sHI", 0x7fe0, 0x0010, b"OW", 0, PIXELS) + bytes(PIXELS)
    return bytes(128) + b"DICM" + header + pixels


SEED = {
    "users": [{"name": "demo@example.com", "password": "demo",
               "roles": ["DATA_MANAGER", "SERVICES_MANAGER"]},
              {"name": "other@example.com", "password": "demo", "roles": ["MONITOR"]}],
    "projects": [
        {"name": "trial", "institutes": [
            {"name": "north", "studies": [
                {"class": "Study", "studyId": "CT", "studyDate": "2024-01-15T10:15:00+00:00",
                 "patient": {"patientId": "P1", "patientName": "P1"}, "files": [
                     {"path": "report.txt", "text": "Nothing."},
                     {"path": "d/large.bin", "size": 20000000},
                     {"path": "1.dcm", "category": "dicom",
                      "base64": base64.b64encode(dicom()).decode()}]},
                {"class": "Study", "studyId": "MR", "studyDate": "2023-12-31T23:00:00+00:00",
                 "patient": {"patientId": "P1", "patientName": "P1"}}]},
            {"name": "south", "studies": [
                {"class": "Study", "studyId": "US", "studyDate": "2024-02-01T00:00:00+00:00",
                 "patient": {"patientId": "P2", "patientName": "P2"}},
                {"class": "Study", "studyId": "XA",
                 "patient": {"patientId": "P3", "patientName": 'Q, "x"'}, "files": [
                     {"path": "a", "text": "a", "raw": {"fileName": "../../../out"}}]}]}]},
        {"name": "many", "institutes": [
            {"name": "lab", "generate": {"studies": 5000, "files": 0, "size": 0}}]}]}


@pytest.fixture
def run(cloud, tmp_path):
    """Runs an example with a session of its own; (exit status, output, errors)."""
    client = RestClient(cloud.url).login()
    env = environment(tmp_path, CLOUD_JWT_TOKEN=client.jwt, CLOUD_CSRF_TOKEN=client.csrf)

    def run_it(name, *arguments, status=0):
        path = build_folder() / "examples" / name
        done = subprocess.run([path, cloud.url, *map(str, arguments)], env=env, timeout=120,
                              capture_output=True)
        assert done.returncode == status, done
        return done.stdout.decode(), done.stderr.decode()
    return run_it


def test_each_is_short():
    sources = list((ROOT / "examples").glob("*.c"))
    assert len(sources) >= 6
    for source in sources:
        assert len(source.read_text().splitlines()) < 90, source
        assert f"`{source.stem}`" in (ROOT / "examples" / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(p.stem for p in (ROOT / "examples").glob("*.c")))
def test_usage(name):
    """A program that is called without arguments names them: each is one word of the usage line."""
    done = subprocess.run([build_folder() / "examples" / name], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith(f"usage: {name} DOMAIN ")
    source = (ROOT / "examples" / f"{name}.c").read_text()
    count = int(re.search(r"argc != (\d+)", source)[1])
    assert len(done.stderr.split()) == count + 1 and len(done.stderr.splitlines()) == 1


def test_list_cohort(run):
    out, err = run("list_cohort", "trial", "2024-01-01")
    assert out == "north\tP1/CT\t2024-01-15\nsouth\tP2/US\t2024-02-01\n" and "2 studies" in err
    assert "no project 'trail'" in run("list_cohort", "trail", "2024-01-01", status=1)[1]


def test_download_study(run, tmp_path):
    out, _ = run("download_study", "trial/north/P1/CT", tmp_path / "out")
    assert out.count("checked by") == 2 and "nothing" not in out
    got = tree(tmp_path / "out")
    assert sorted(got) == ["d/large.bin", "report.txt"]
    assert got["report.txt"] == b"Nothing." and len(got["d/large.bin"]) == 20000000


def test_download_study_stays_in_its_folder(run, tmp_path):
    _, err = run("download_study", 'trial/south/Q, "x"/XA', tmp_path / "a" / "b", status=1)
    assert "../../../out" in err
    assert not (tmp_path / "out").exists() and not (tmp_path.parent / "out").exists()


def test_upload_progress(run, cloud, tmp_path):
    (tmp_path / "new.bin").write_bytes(os.urandom(9000000))
    out, err = run("upload_progress", "trial/north/P1/MR", tmp_path / "new.bin")
    assert "9000000 of 9000000 bytes" in err and "sha256" in out
    data = Program(cloud.url, tmp_path).run("cat", "trial/north/P1/MR/files/new.bin").out
    assert data == (tmp_path / "new.bin").read_bytes()


def test_dicom_header_without_the_pixels(run, cloud):
    cloud.clear()
    out, err = run("dicom_header", "trial/north/P1/CT/dicom/1.dcm")
    assert out.splitlines() == ["(0008,0060) CS XA", "(0010,0010) PN Doe^Jane",
                                "(0008,3010) UN ", "(0010,0020) LO P0001 ", "(0028,0010) US ..."]
    asked = cloud.requests(path="*1.dcm")
    fetched = sum(r["bytesOut"] for r in asked)
    assert fetched < 300000 < PIXELS and all(r["range"] for r in asked)
    assert int(re.search(r"(\d+) of", err)[1]) == fetched


@pytest.mark.case("dicom-32")
@pytest.mark.parametrize("syntax, sentence", [
    ("1.2.840.10008.1.2", "1.2: only Explicit VR"), ("1.2.840.10008.1.2.2", "1.2.2: only Explicit VR"),
    ("1.2.840.10008.1.2.1.99", "1.2.1.99: only Explicit VR"), (None, "no DICOM file"),
    ("1.2.840.10008.1.2.1", "not Explicit VR")])
def test_dicom_header_of_what_it_cannot_read(run, cloud, tmp_path, syntax, sentence):
    name = f"{syntax}.dcm"
    meta = b"\2\0\x10\0UI" + len(syntax or "").to_bytes(2, "little") + (syntax or "").encode()
    (tmp_path / name).write_bytes((b"\0" * 128 + b"DICM" + meta if syntax else b"")
                                  + b"\x08\0\x60\0\2\0\0\0CT" + b"\0" * 200)
    Program(cloud.url, tmp_path).run("cp", tmp_path / name, "igt:trial/north/P1/MR/files/")
    out, err = run("dicom_header", f"trial/north/P1/MR/files/{name}", status=1)
    assert sentence in err and "(0008" not in out


def test_create_service(run, tmp_path):
    out, _ = run("create_service", "trial", "north", "station", tmp_path / "k.pem")
    assert out.startswith("station-")
    assert (tmp_path / "k.pem").stat().st_mode & 0o777 == 0o600
    assert "exists" in run("create_service", "trial", "north", "two", tmp_path / "k.pem",
                           status=1)[1]


def test_two_transfers(run, cloud, tmp_path):
    """Side by side: the upload's files are done while one of the download is slow."""
    study = tmp_path / "up" / "south" / "P2---US"
    study.mkdir(parents=True)
    for i in range(30):
        (study / f"{i}.txt").write_text(f"file {i}")
    cloud.clear()  # the log of earlier tests, too
    cloud.faults({"fault": "silence", "method": "GET", "path": "**/large.bin", "seconds": 600,
                  "times": 1})

    def release():
        cloud.wait_for(lambda: len(cloud.requests(method="POST", path="*upload-completed")) == 30)
        cloud.heal()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        released = pool.submit(release)
        out, err = run("two_transfers", "trial", tmp_path / "down", tmp_path / "up", status=1)
        released.result()
    lines = out.splitlines()
    up = [f"up: P2/US {i}.txt: done" for i in range(30)]
    assert sorted(line for line in lines if line.startswith("up: ")) == sorted(up)
    assert lines.index("down: P1/CT d/large.bin: done") > max(map(lines.index, up))
    assert "down: P1/CT report.txt: done" in lines
    assert err.startswith("down: 1 ")  # a file of the cloud has an unsafe name: nothing of the upload
    assert (tmp_path / "down" / "north" / "P1---CT" / "report.txt").read_bytes() == b"Nothing."
    data = Program(cloud.url, tmp_path).run("cat", "trial/south/P2/US/files/7.txt").out
    assert data == b"file 7"


def test_two_transfers_that_cannot_begin(run, tmp_path):
    _, err = run("two_transfers", "trial", tmp_path / "down", tmp_path / "no", status=1)
    assert "cannot read the folder" in err  # the upload; the download was cancelled by its free
    (tmp_path / "up").mkdir()
    _, err = run("two_transfers", "trail", tmp_path / "down", tmp_path / "up", status=1)
    assert "down: no project 'trail'" in err and "up: no project 'trail'" in err


def test_studies_csv(run):
    out, err = run("studies_csv", "many", "lab")
    assert len(out.splitlines()) == 5001 and "5000 studies" in err
    rows = list(csv.DictReader(io.StringIO(run("studies_csv", "trial", "south")[0])))
    assert [r["studyIdHumanReadable"] for r in rows] == ["P2/US", 'Q, "x"/XA']


def test_two_accounts_in_one_program(run, cloud, tmp_path):
    """Each with the session of its own login; what one may not do, the other's token doesn't."""
    logins, files = [], []
    try:
        for user in ("demo@example.com", "other@example.com"):
            files.append(tmp_path / f"{user}.token")
            login = Program(cloud.url, tmp_path, user).start(
                "login", env={"CLOUD_TOKEN_MMAP": files[-1]})
            logins.append(login)
            said = b""
            while b"Signed in as" not in said:
                piece = os.read(login.stderr.fileno(), 4096)
                assert piece, said
                said += piece
        run("copy_between", files[1], "trial/north/P1/CT/files/report.txt",
            cloud.url, files[0], "trial/north/P1/MR")
        one, = Program(cloud.url, tmp_path).run("show", "trial/north/P1/MR/files/report.txt",
                                                "--json").lines
        assert one["fileSize"] == 8 and one["isCompleted"] is True
        _, err = run("copy_between", files[0], "trial/north/P1/CT/files/report.txt",
                     cloud.url, files[1], "trial/south/P2/US", status=1)
        assert "403" in err or "may" in err
    finally:
        for login in logins:
            login.send_signal(signal.SIGINT)
            login.communicate(timeout=60)
