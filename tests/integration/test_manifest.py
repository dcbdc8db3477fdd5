# SPDX-License-Identifier: MIT
"""`igtcloud manifest`, and download and verify --manifest: a cohort is sealed, fetched and proved."""

import hashlib
import json
import os
import subprocess

import pytest

from igtcloud import NOT_FOUND, SOME_FAILED, USAGE, environment, program, tree
from rest_client import RestClient
from sandbox import BUCKET
from uploads import igt, institute, items, patient_study, seed

MIB = 1024 * 1024
NORTH = institute(
    "north",
    patient_study("P1", "A", files=[
        {"path": "notes.txt", "text": "first"}, {"path": "deep/er/film.bin", "size": 100000},
        {"path": "Übung 1.TXT", "text": "zwei"}, {"path": "empty", "size": 0},
        {"path": "half.txt", "text": "later", "completed": False},
        {"path": "old.txt", "text": "no checksum", "checksum": False},
        {"path": "1.dcm", "size": 1000, "category": "dicom"},
        {"path": "vessel.json", "text": "{}", "category": "annotations"}]),
    patient_study("P1", "B", files=[{"path": "large.bin", "size": 20 * MIB + 7}]),
    patient_study("P2", "A", files=[]))
SOUTH = institute("south", patient_study("P1", "A", files=[{"path": "notes.txt", "text": "south"}]))


def changing(name):
    """A project for a test that changes it."""
    return igt(institute("lab", patient_study("P1", "A", files=[
        {"path": "a.txt", "text": "aaaa"}, {"path": "b.txt", "text": "bbbb"},
        {"path": "sub/c.bin", "size": 5000}]), patient_study("P2", "B", files=[
            {"path": "d.txt", "text": "dddd"}])), name=name)


SEED = seed(igt(NORTH, SOUTH), igt(institute("lab"), name="none"),
            *(changing(name) for name in ("replaced", "deleted", "gone")),
            igt(institute("lab", *(patient_study("P1", "A", files=[{"path": "a", "text": text}])
                                   for text in ("one", "two"))), name="twins"))


@pytest.fixture
def sealed(igtcloud, tmp_path):
    """Writes a manifest; its path."""
    def write(*arguments, name="cohort.jsonl", **options):
        path = tmp_path / name
        path.write_bytes(igtcloud.run("manifest", *arguments, **options).out)
        return path
    return write


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def seal(path, lines):
    """The lines, with a last one that is right: what somebody else may write."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines[:-1]).encode()
    end = {**lines[-1], "sha256": hashlib.sha256(text).hexdigest()}
    path.write_bytes(text + json.dumps(end).encode() + b"\n")
    return path


def study(cloud, project, human):
    client = RestClient(cloud.url).login()
    found = client.institute("lab", project)
    return client, found, next(s for s in client.ok("GET", f"/api/data/hospitals/{found['id']}/studies")
                               if s["studyIdHumanReadable"] == human)


def key_of(cloud, project, human, path):
    return study(cloud, project, human)[2]["s3Prefix"] + "files/" + path


# ---- what it says ----

def test_lines_have_sizes_digests_and_etags(cloud, igtcloud, sealed):
    path = sealed("trial", "--category", "files", "--category", "dicom", "--exclude", "old.txt")
    head, *lines, end = lines_of(path)
    assert (head["kind"], head["version"], head["cloud"], head["project"]) == (
        "manifest", 1, cloud.url, "trial")
    version = subprocess.run([program(), "version"], capture_output=True, text=True).stdout.strip()
    assert head["program"] == "igtcloud " + version
    assert head["selection"] == "--category 'files' --category 'dicom' --exclude 'old.txt'"
    studies = [i for i in lines if i["kind"] == "study"]
    files = [i for i in lines if i["kind"] == "file"]
    assert [(i["institute"], i["patient"], i["study"]) for i in studies] == [
        ("north", "P1", "P1/A"), ("north", "P1", "P1/B"), ("north", "P2", "P2/A"),
        ("south", "P1", "P1/A")]
    assert {(i["category"], i["path"], i["size"]) for i in files
            if i["institute"] == "north" and i["study"] == "P1/A"} == {
        ("files", "Übung 1.TXT", 4), ("files", "deep/er/film.bin", 100000), ("files", "empty", 0),
        ("files", "notes.txt", 5), ("dicom", "1.dcm", 1000)}
    note = next(i for i in files if i["path"] == "notes.txt" and i["institute"] == "north")
    assert note["etag"] == hashlib.md5(b"first").hexdigest()
    assert note["digest"].startswith("crc64nvme:") and note["modified"].endswith("+00:00")
    assert note["studyDatabaseId"] == studies[0]["studyDatabaseId"]
    text = path.read_bytes()
    assert end == {"kind": "end", "studies": 4, "files": len(files),
                   "bytes": sum(i["size"] for i in files),
                   "sha256": hashlib.sha256(text[:text.rindex(b"\n", 0, -1) + 1]).hexdigest()}
    assert "half.txt" not in path.read_text()


def test_same_cohort_same_lines(sealed):
    """But for the header's time: the order is the cloud's, whatever responds first."""
    first, second = (sealed("trial", name=name).read_text().splitlines() for name in "ab")
    assert first[1:-1] == second[1:-1]


def test_a_manifest_has_the_selected_files_only(igtcloud, sealed, tmp_path):
    lines = lines_of(sealed("trial", "north", "--study", "P1/*", "--max-size", "10", "--ext", ".txt"))
    assert {i.get("path") for i in lines[1:-1]} == {None, "notes.txt", "Übung 1.TXT"}
    assert [i["study"] for i in lines if i["kind"] == "study"] == ["P1/A", "P1/B"]
    igtcloud.run("manifest", "trial", "--study", "P9/*", status=NOT_FOUND)
    igtcloud.run("manifest", "nowhere", status=NOT_FOUND)


# ---- exactly that ----

def test_download_and_verify(igtcloud, sealed, out):
    path = sealed("trial", "--exclude", "notes.txt")
    done = igtcloud.run("download", "--json", "--manifest", path, out)
    assert set(tree(out)) == {f"north/{s}/study.json" for s in ("P1---A", "P1---B", "P2---A")} | {
        "north/P1---A/deep/er/film.bin", "north/P1---A/Übung 1.TXT", "north/P1---A/empty",
        "north/P1---A/old.txt", "north/P1---B/large.bin", "south/P1---A/study.json"}
    assert done.summary["filesDone"] == 5
    before = tree(out)
    again = igtcloud.run("download", "--json", "--manifest", path, out)
    assert again.summary["filesSkipped"] == 5 and tree(out) == before
    offline = igtcloud.run("verify", "--json", "--manifest", path, out, sign_in=False)
    assert offline.summary["filesSame"] == 5 and offline.summary["requests"] == 0
    online = igtcloud.run("verify", "--json", "--manifest", path)
    assert online.summary["filesSame"] == 5
    assert {i["path"] for i in items(offline, kind="file")} == {
        i["path"] for i in items(online, kind="file")}


def test_categories_have_folders(igtcloud, sealed, out):
    path = sealed("trial", "north", "--category", "files", "--category", "annotations")
    igtcloud.run("download", "--folder-structure", "hierarchical", "--manifest", path, out)
    assert "north/P1/A/annotations/vessel.json" in tree(out)
    igtcloud.run("verify", "--folder-structure", "hierarchical", "--manifest", path, out, sign_in=False)


def test_two_studies_of_one_name(igtcloud, sealed, out):
    """study.json tells which folder is which study, as for a download."""
    path = sealed("twins")
    igtcloud.run("download", "--manifest", path, out)
    assert len(list((out / "lab").iterdir())) == 2
    igtcloud.run("verify", "--manifest", path, out, sign_in=False)


def test_standard_input(igtcloud, sealed, out):
    """A pipe can be read once, and a download reads its manifest twice."""
    text = sealed("trial", "south").read_bytes()
    command = [program(), "download", "--manifest", "-", out, "--domain", igtcloud.url, "--user", igtcloud.user,
               "--password-command", f"echo {igtcloud.password}"]

    def download(text):
        return subprocess.run(command, input=text, capture_output=True, env=environment(igtcloud.home), check=False)
    done = download(text)
    assert done.returncode == 0 and b"Downloaded 1 study" in done.stderr, done
    assert tree(out)["south/P1---A/notes.txt"] == b"south"
    done = download(text[:-10])
    assert done.returncode == 1 and b"is not a complete manifest" in done.stderr, done


def test_no_cloud_is_needed(igtcloud, sealed, out, home):
    path = sealed("trial", "south")
    igtcloud.run("download", "--manifest", path, out)
    done = subprocess.run([program(), "verify", "--manifest", path, out], capture_output=True,
                          text=True, env=environment(home, CLOUD_DOMAIN="http://127.0.0.1:1"))
    assert done.returncode == 0 and "1 identical file" in done.stderr


# ---- what changed ----

def test_local_changes(igtcloud, sealed, out):
    path = sealed("trial", "north")
    igtcloud.run("download", "--manifest", path, out)
    folder = out / "north/P1---A"
    (folder / "notes.txt").write_text("fIrst")
    (folder / "Übung 1.TXT").unlink()
    (folder / "extra.txt").write_text("more")
    (folder / "old.txt").write_text("longer than before")
    done = igtcloud.run("verify", "--json", "--manifest", path, out, sign_in=False,
                        status=SOME_FAILED)
    found = {i["path"]: i["result"] for i in items(done, kind="file") if i["result"] != "same"}
    assert found == {"notes.txt": "different", "Übung 1.TXT": "missing here",
                     "extra.txt": "missing there", "old.txt": "different"}
    assert {i["study"]: i["result"] for i in items(done, kind="study")}["P1/B"] == "same"
    igtcloud.run("download", "--manifest", path, out)
    (folder / "extra.txt").unlink()
    igtcloud.run("verify", "--manifest", path, out, sign_in=False)


@pytest.mark.parametrize("content", [b"AAAA", b"longer"])
def test_replaced_in_the_cloud(cloud, igtcloud, sealed, out, content):
    """Also by content of the same size: the others are fetched, and nothing else."""
    path = sealed("replaced")
    key = key_of(cloud, "replaced", "P1/A", "a.txt")
    before = cloud.boto3().get_object(Bucket=BUCKET, Key=key)["Body"].read()
    cloud.boto3().put_object(Bucket=BUCKET, Key=key, Body=content)
    done = igtcloud.run("download", "--json", "--manifest", path, out, status=SOME_FAILED)
    failed = items(done, kind="file", result="failed")
    assert [i["path"] for i in failed] == ["a.txt"] and "changed in the cloud" in failed[0]["error"]
    assert set(tree(out / "lab/P1---A")) == {"study.json", "b.txt", "sub/c.bin"}
    done = igtcloud.run("verify", "--json", "--manifest", path, status=SOME_FAILED)
    assert [i["path"] for i in items(done, result="different", kind="file")] == ["a.txt"]
    cloud.boto3().put_object(Bucket=BUCKET, Key=key, Body=before)
    igtcloud.run("download", "--manifest", path, out)
    igtcloud.run("verify", "--manifest", path)


def test_vanished_from_the_cloud(cloud, igtcloud, sealed, out):
    path = sealed("deleted")
    client, lab, found = study(cloud, "deleted", "P2/B")
    client.ok("DELETE", f"/api/data/hospitals/{lab['id']}/studies/{found['studyDatabaseId']}", status=204)
    igtcloud.run("rm", "--yes", "deleted/lab/P1/A/files/b.txt")
    done = igtcloud.run("download", "--json", "--manifest", path, out, status=SOME_FAILED)
    failed = items(done, result="failed")
    assert ("b.txt", "P1/A") in [(i.get("path"), i["study"]) for i in failed]
    assert "P2/B" in [i["study"] for i in failed if i["kind"] == "study"]
    assert set(tree(out)) == {"lab/P1---A/study.json", "lab/P1---A/a.txt", "lab/P1---A/sub/c.bin"}
    done = igtcloud.run("verify", "--json", "--manifest", path, status=SOME_FAILED)
    assert [i["path"] for i in items(done, result="missing there", kind="file")] == ["b.txt"]


def test_a_failing_file_is_no_seal(cloud, igtcloud, tmp_path):
    cloud.faults({"fault": "forbidden", "path": "**/a.txt", "times": 0})
    done = igtcloud.run("manifest", "gone", status=SOME_FAILED)
    assert "a.txt" in done.err and b'"kind":"end"' not in done.out
    path = tmp_path / "half.jsonl"
    path.write_bytes(done.out)
    done = igtcloud.run("download", "--manifest", path, tmp_path / "out", status=None)
    assert done.status == 1 and "its last line is missing" in done.err


# ---- hostile and damaged ----

def test_a_damaged_manifest_is_refused(igtcloud, sealed, out):
    path = sealed("trial", "south")
    text = path.read_bytes()
    for damaged, said in ((text[:-1], "is missing"), (text.replace(b"south", b"South", 1), "changed after"),
                          (text + b"{}\n", "text after the last line"), (b"", "is missing"),
                          (b"[1]\n" + text, "is not a manifest"), (text[:len(text) // 2], "is missing"),
                          (text.replace(b'"version":1', b'"version":2', 1), "of version 2"),
                          (b"no manifest\n", "is not a manifest"), (b"{}\n", "is not a manifest"),
                          (b"\n".join(text.split(b"\n")[::2]), "line 2: a file")):
        path.write_bytes(damaged)
        done = igtcloud.run("download", "--manifest", path, out, status=None)
        assert done.status in (1, 2) and said in done.err and not out.exists(), done
        done = igtcloud.run("verify", "--manifest", path, path.parent, sign_in=False, status=None)
        assert done.status in (1, 2) and said in done.err


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/../../evil", "a//b", "x\0y", "."])
def test_paths_that_leave_the_study(igtcloud, sealed, out, name):
    path = sealed("trial", "south")
    lines = lines_of(path)
    lines[2]["path"] = name
    done = igtcloud.run("download", "--manifest", seal(path, lines), out, status=None)
    assert done.status == 1 and "line 3" in done.err and not out.exists()


@pytest.mark.parametrize("change", [
    lambda l: l[2].update(size=-1), lambda l: l[2].update(size="5"), lambda l: l[2].update(category="x"),
    lambda l: l[2].update(digest="nonsense"), lambda l: l[2].update(studyDatabaseId="other"),
    lambda l: l[1].pop("institute"), lambda l: l[-1].update(files=7), lambda l: l.insert(2, l[1]),
    lambda l: l[2].update(kind="folder"), lambda l: l[0].pop("cloud"), lambda l: l.insert(1, l[2])])
def test_lines_that_are_wrong(igtcloud, sealed, out, change):
    path = sealed("trial", "south")
    lines = lines_of(path)
    change(lines)
    done = igtcloud.run("verify", "--manifest", seal(path, lines), path.parent, sign_in=False,
                        status=None)
    assert done.status == 1 and "cohort.jsonl" in done.err


def test_a_digest_that_the_content_does_not_have(igtcloud, sealed, out):
    path = sealed("trial", "south")
    lines = lines_of(path)
    kind, value = lines[2]["digest"].split(":")
    lines[2]["digest"] = f"{kind}:{'0' * len(value)}"
    done = igtcloud.run("download", "--manifest", seal(path, lines), out, status=SOME_FAILED)
    assert "digest in the manifest" in done.err and set(tree(out)) == {"south/P1---A/study.json"}


def test_another_cloud(igtcloud, sealed, out, home):
    """A stranger's file does not choose where passwords go."""
    path = sealed("trial", "south")
    lines = lines_of(path)
    lines[0]["cloud"] = "https://evil.example"
    seal(path, lines)
    env = environment(home, CLOUD_JWT_TOKEN="secret", CLOUD_CSRF_TOKEN="secret")
    done = subprocess.run([program(), "download", "--manifest", path, out], capture_output=True,
                          text=True, env=env)
    assert done.returncode == USAGE and "--domain evil.example" in done.stderr
    done = igtcloud.run("download", "--manifest", path, out, status=None)
    assert done.status == USAGE and "of https://evil.example, not of" in done.err and not out.exists()


@pytest.mark.parametrize("command, options, said", [
    ("download", ["--study", "P1/*", "out"], "--study"), ("download", ["--include", "*", "out"], "--include"),
    ("download", ["out", "trial"], "TARGET_FOLDER only"), ("verify", ["--min-size", "1", "out"], "--min-size"),
    ("verify", ["out", "trial"], "at most"), ("download", [], "missing argument")])
def test_wrong_arguments_are_a_usage_error(igtcloud, sealed, command, options, said):
    path = sealed("trial", "south")
    assert said in igtcloud.run(command, "--manifest", path, *options, status=USAGE).err
    assert "missing argument" in igtcloud.run(command, *(["out"] if command == "download" else []),
                                              status=USAGE).err


def large_manifest(path, count):
    """A seal of `count` files of one size."""
    place = {"institute": "lab", "patient": "P1", "study": "P1/A", "studyDatabaseId": "a"}
    head = {"kind": "manifest", "version": 1, "cloud": "https://x.test", "project": "p", "projectId": "p",
            "created": "2026-01-01T00:00:00Z", "program": "a test", "selection": ""}
    files = ({"kind": "file", **place, "category": "files", "path": f"series/{n:07}.dcm", "size": 5,
              "digest": "md5:" + 32 * "0", "etag": 32 * "0"} for n in range(count))
    end = {"kind": "end", "studies": 1, "files": count, "bytes": 5 * count}
    return seal(path, [head, {"kind": "study", **place}, *files, end])


@pytest.mark.measures
def test_memory_of_a_large_manifest(tmp_path):
    """Files are read one by one: a million lines take what a thousand do, but for a few bytes each."""
    def peak(count):
        sealed = large_manifest(tmp_path / f"{count}.jsonl", count)
        (tmp_path / "empty").mkdir(exist_ok=True)
        env = environment(tmp_path)  # freed memory stays in ASan's quarantine, 256 MiB of it
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=16"
        process = subprocess.Popen([program(), "verify", "--quiet", "--manifest", sealed, tmp_path / "empty"],
                                   env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert f"missing here: {count}" in process.stderr.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == SOME_FAILED
        return used.ru_maxrss
    assert peak(50000) < peak(1000) + 8 * 1024, "kilobytes"
