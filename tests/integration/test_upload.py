# SPDX-License-Identifier: MIT
"""`igtcloud upload` against the sandbox: what goes where, what is sent again, what is left out."""

import os
import resource
import stat

import pytest

from igtcloud import FAILED, NOT_FOUND, SOME_FAILED, USAGE, Program, shown
from rest_client import RestClient
from sandbox import BUCKET, seeded
from uploads import (NEW_STUDY, Place, changes, epd, igt, institute, items, objects, pattern, put,
                     seed, sent_bytes)

SEED = seed(epd(*[institute(f"lab{n}") for n in range(60)]),
            epd(institute("lab0"), institute("same"), name="other"),
            igt(institute("ward"), institute("wing")), services=[{"id": "station@trial"}])


# ---- what goes where ----

FILES = {"notes.txt": "first", "deep/er/film.bin": pattern(100000), "Übung 1.TXT": "zwei",
         "empty": b"", "a b+c&d=e%41.txt": "odd"}


def in_study(lab, study="case", files=None):
    return {f"{lab.name}/{study}/{n}": c for n, c in (FILES if files is None else files).items()}


@pytest.mark.smoke
def test_a_flat_folder_is_uploaded(igtcloud, up, lab):
    done = igtcloud.run("upload", put(up, in_study(lab)), "up", lab.name)
    lab.is_whole("case", FILES)
    assert done.out == b"" and "1 study, 5 files" in done.err and "1 study was created" in done.err
    assert lab.study("case")["studyType"] == "EpdStudy"


def test_every_institute_and_what_is_none(cloud, igtcloud, up):
    first, second = Place(cloud, "ward", "trial"), Place(cloud, "wing", "trial")
    put(up, {"ward/P1/S1/a": "1", "wing/P1/S1/a": "2", "unknown/P1/S1/a": "3", "Thumbs.db": "x"})
    done = igtcloud.run("upload", "--folder-structure", "Hierarchical", "--json",
                        "--ignore-unknown", up, "trial")
    assert first.contents("P1/S1") == {"a": b"1"} and second.contents("P1/S1") == {"a": b"2"}
    ignored = {i["path"] for i in items(done, kind="other", result="ignored")}
    assert ignored == {shown(up / "unknown"), shown(up / "Thumbs.db")}
    assert shown(up / "unknown") in done.err and done.summary["institutes"] == 2
    assert "--ignore-unknown" not in done.text  # it is given already


def test_one_institute_alone(cloud, igtcloud, up):
    first, second = Place(cloud, "ward", "trial"), Place(cloud, "wing", "trial")
    put(up, {"ward/P2/S1/a": "1", "wing/P2/S1/a": "2"})
    igtcloud.run("upload", "--folder-structure", "hierarchical", up, "trial", "wing", "test")
    assert "P2/S1" not in first.names() and second.contents("P2/S1") == {"a": b"2"}


def test_project_files(cloud, igtcloud, up):
    put(up, {"files/protocol.txt": "rules", "files/sub/plan.bin": pattern(5000)})
    done = igtcloud.run("upload", up, "other")
    project = RestClient(cloud.url).login().project("other")
    expected = {"protocol.txt": b"rules", "sub/plan.bin": pattern(5000)}
    assert objects(cloud, project["s3Prefix"]) == expected and "2 files" in done.err
    assert not cloud.requests(path="*upload-completed")  # it is a call of studies alone
    cloud.clear()
    igtcloud.run("upload", up, "other")
    assert changes(cloud) == []
    put(up, {"files/protocol.txt": "other rules"})
    done = igtcloud.run("upload", "--json", up, "other")
    assert done.summary["filesDone"] == 1 and done.summary["filesSkipped"] == 1
    cloud.clear()
    done = igtcloud.run("upload", "--json", up, "other")
    assert changes(cloud) == []
    # No more, no less than the cloud was asked; signing out comes later.
    asked = [r for r in cloud.requests() if not r["path"].endswith(("/login", "/logout"))]
    assert done.summary["requests"] == len(asked)


def test_only_what_lies_below_files(igtcloud, up, lab):
    put(up, in_study(lab, files={"files/a.txt": "a", "files/b/c.txt": "c", "dicom/1.dcm": "x",
                                 "annotations/n.json": "{}", "study.json": '{"name": "case"}'}))
    igtcloud.run("upload", up, "up")
    lab.is_whole("case", {"a.txt": "a", "b/c.txt": "c"})


def test_a_folder_with_dicom_alone_is_named(igtcloud, up, lab):
    put(up, in_study(lab, files={"dicom/1.dcm": "x"}))
    done = igtcloud.run("upload", up, "up", status=SOME_FAILED)
    assert "no folder 'files'" in done.err and "--category dicom" in done.err
    assert "case" not in lab.names()


def test_a_sidecar_is_no_file(igtcloud, up, lab):
    files = {"study.json": '{"name": "mine", "comments": "ü"}', "sub/study.json": "{}", "a": "a"}
    igtcloud.run("upload", put(up, in_study(lab, "x", files)), "up")
    lab.is_whole("mine", {"sub/study.json": "{}", "a": "a"})
    study = lab.study("mine")
    assert study["comments"] == "ü" and study["studyType"] == "EpdStudy"


def test_a_download_goes_up_again(igtcloud, up, lab, tmp_path):
    put(up, in_study(lab))
    igtcloud.run("upload", up, "up")
    igtcloud.run("download", tmp_path / "down", "up", lab.name)
    done = igtcloud.run("upload", "--json", "--no-journal", tmp_path / "down", "up")
    assert done.summary["filesSkipped"] == 5 and done.summary["filesDone"] == 0
    assert len(lab.studies()) == 1


def test_as_it_is_stored(cloud, igtcloud, up, lab):
    igtcloud.run("upload", put(up, in_study(lab)), "up")
    key = lab.study("case")["s3Prefix"] + "files/deep/er/film.bin"
    assert cloud.boto3().head_object(Bucket=BUCKET, Key=key)["ServerSideEncryption"] == "AES256"
    completed = cloud.requests(method="POST", path="*upload-completed")
    posted = cloud.requests(method="POST", path="/api/data/hospitals/*/studies/*/files")
    assert len(completed) == 5 and len(posted) == 1  # registered in one request


COMPLETED = "**/$file-upload-completed"


def test_a_session_that_ends_while_the_cloud_is_notified(cloud, igtcloud, up, lab):
    """Three of the calls are refused; one renewal serves all of them, and each file is reported once."""
    put(up, in_study(lab, files={f"{n}": "x" for n in range(20)}))
    cloud.faults({"fault": "unauthorized", "method": "POST", "path": COMPLETED, "times": 3})
    done = igtcloud.run("upload", "--json", up, "up")
    assert done.summary["filesDone"] == 20
    completed = cloud.requests(method="POST", path="*upload-completed")
    assert sorted(r["status"] for r in completed) == [204] * 20 + [401] * 3
    assert len(cloud.requests(method="POST", path="/api/auth/login")) == 2  # with the first
    assert len(lab.contents("case")) == 20


def test_the_cloud_does_not_want_to_hear_of_a_file(cloud, igtcloud, up, lab):
    """It is stored, but that is not a success: the next run notifies the cloud without sending it again."""
    put(up, in_study(lab, files={"a": "1", "b": "2"}))
    cloud.faults({"fault": "forbidden", "method": "POST", "path": COMPLETED})
    done = igtcloud.run("upload", "--json", up, "up", status=SOME_FAILED)
    failed = items(done, kind="file", result="failed")
    assert len(failed) == 1
    assert "(the file is stored, but the cloud was not notified)" in done.err
    igtcloud.run("upload", "--json", up, "up")
    lab.is_whole("case", {"a": "1", "b": "2"})


# ---- what is there already ----

def test_second_run_sends_nothing(cloud, igtcloud, up, lab):
    put(up, in_study(lab))
    first = igtcloud.run("upload", "--json", up, "up")
    cloud.clear()
    done = igtcloud.run("upload", "--json", up, "up")
    checked = {i["path"]: (i["digest"], i["verified"]) for i in items(first, kind="file")}
    assert all(digest and how == "store" for digest, how in checked.values())
    assert checked == {i["path"]: (i["digest"], i["verified"]) for i in items(done, kind="file")}
    assert changes(cloud) == [] and sent_bytes(cloud) == 0
    assert done.summary["filesSkipped"] == 5 and done.summary["bytesMoved"] == 0
    assert done.summary["studiesCreated"] == 0


def test_what_changed_between_two_runs(cloud, igtcloud, up, lab):
    put(up, in_study(lab))
    igtcloud.run("upload", up, "up")
    put(up, in_study(lab, files={"notes.txt": "longer than before", "Übung 1.TXT": "drei",
                                 "new": "new"}))
    film = up / lab.name / "case/deep/er/film.bin"
    os.utime(film)  # its content did not change
    cloud.clear()
    done = igtcloud.run("upload", "--json", up, "up")
    assert {i["path"] for i in items(done, kind="file", result="done")} == {
        "notes.txt", "Übung 1.TXT", "new"}
    lab.is_whole("case", {**FILES, "notes.txt": "longer than before", "Übung 1.TXT": "drei",
                          "new": "new"})
    # Only the new one was not registered before.
    assert len(cloud.requests(method="POST", path="/api/data/hospitals/*/studies/*/files")) == 1


def test_without_the_journal_the_size_decides(igtcloud, up, lab):
    put(up, in_study(lab))
    igtcloud.run("upload", up, "up")
    put(up, in_study(lab, files={"notes.txt": "other"}))
    igtcloud.run("upload", "--no-journal", up, "up")
    assert lab.contents("case")["notes.txt"] == b"first"
    done = igtcloud.run("upload", "--no-journal", "--json", "--checksum", up, "up")
    assert lab.contents("case")["notes.txt"] == b"other"
    assert done.summary["filesDone"] == 1 and done.summary["filesSkipped"] == 4


def test_overwrite_sends_existing_files(igtcloud, up, lab):
    put(up, in_study(lab))
    igtcloud.run("upload", up, "up")
    done = igtcloud.run("upload", "--json", "--overwrite", up, "up")
    assert done.summary["filesDone"] == 5 and done.summary["studiesCreated"] == 0
    lab.is_whole("case", FILES)


def test_registered_but_never_stored(cloud, igtcloud, up, lab):
    """As today's client leaves it when it is killed; then the file grew."""
    put(up, in_study(lab, files={"a": "a"}))
    igtcloud.run("upload", up, "up")
    study = lab.study("case")
    key = study["s3Prefix"] + "files/half"
    lab.client.ok("POST", f"/api/data/hospitals/{lab.id}/studies/{study['studyDatabaseId']}/files",
                  [{"key": key, "fileSize": 2}])
    put(up, in_study(lab, files={"half": "half"}))
    igtcloud.run("upload", up, "up")
    lab.is_whole("case", {"a": "a", "half": "half"})


# ---- which ones ----

def test_include_exclude(igtcloud, up, lab):
    put(up, in_study(lab))
    done = igtcloud.run("upload", "--json", "--include", "*.txt", "--include", "deep/**",
                        "--exclude", "notes*", up, "up")
    assert set(lab.contents("case")) == {"a b+c&d=e%41.txt", "deep/er/film.bin"}
    assert {i["path"] for i in items(done, result="ignored")} == {"notes.txt", "Übung 1.TXT", "empty"}


def test_dry_run(cloud, igtcloud, up, lab):
    put(up, {**in_study(lab, "old"), "files/protocol.txt": "rules"})
    igtcloud.run("upload", up, "up", lab.name)
    put(up, {**in_study(lab, "new"), **in_study(lab, "old", {"more": "more"})})
    cloud.clear()
    done = igtcloud.run("upload", "--json", "--dry-run", up, "up")
    assert changes(cloud) == [] and lab.names() == ["old"]
    planned = items(done, kind="file", result="planned")
    assert {(i["study"], i["path"]) for i in planned} == {("old", "more"),
                                                          *(("new", n) for n in FILES)}
    assert shown(up / lab.name / "new/notes.txt") in {i["local"] for i in planned}
    size = 4 + sum(len(c if isinstance(c, bytes) else c.encode()) for c in FILES.values())
    assert done.summary["bytesDone"] == size and done.summary["filesDone"] == 6
    assert done.summary["bytesMoved"] == 0 and done.summary["filesSkipped"] == 6
    created = items(done, kind="study", result="planned", study="new")
    assert [i["reason"] for i in created] == ["the study would be created"]
    assert "Would upload 2 studies, 6 files" in done.err
    assert "1 study would be created" in done.err


def test_names_of_unfinished_files_are_counted(igtcloud, up, lab):
    """Such a file is sent, since its name may be right; but the user should see it."""
    command = "upload", put(up, in_study(lab, files={"a.dcm.part": "a", "b.tmp": "b", "c.partly": "c"})), "up", lab.name
    assert "2 files have the name of an unfinished" in igtcloud.run(*command, "--dry-run").err
    done = igtcloud.run(*command)
    assert "2 files have the name of an unfinished download" in done.err
    assert set(lab.contents("case")) == {"a.dcm.part", "b.tmp", "c.partly"}
    assert "unfinished" not in igtcloud.run(*command).err


def test_shards_are_disjoint_and_complete(cloud, igtcloud, up, lab):
    put(up, {**{f"{lab.name}/s{n}/a": "a" for n in range(40)}, "files/shared.txt": "x"})
    sizes, project = [], RestClient(cloud.url).login().project("up")
    for i in (1, 2, 3):
        before = set(lab.names())
        done = igtcloud.run("upload", "--json", "--shard", f"{i}/3", up, "up")
        sizes.append(len(set(lab.names()) - before))
        assert done.summary["studiesCreated"] == sizes[-1]
        assert len(items(done, kind="file", path="shared.txt")) == (i == 1)
    assert all(sizes) and sum(sizes) == 40
    assert f"{project['s3Prefix']}shared.txt" in {
        o["Key"] for o in cloud.boto3().list_objects_v2(
            Bucket=BUCKET, Prefix=project["s3Prefix"] + "shared")["Contents"]}
    igtcloud.run("upload", "--shard", "4/3", up, "up", status=USAGE)


@pytest.mark.parametrize("options, most", [
    (["--concurrent-studies", "1", "--concurrent-files", "1"], 1),
    (["--concurrent-studies", "2", "--concurrent-files", "2"], 4),
    (["--connections", "2"], 2), (["--connections", "64"], 64)])
def test_any_concurrency_uploads_everything(cloud, igtcloud, up, lab, options, most):
    put(up, {f"{lab.name}/s{s}/f{f}": "content" * 100 for s in range(4) for f in range(4)})
    cloud.faults({"fault": "silence", "method": "PUT", "path": f"/{BUCKET}/**", "seconds": 0.1,
                  "times": 0})
    done = igtcloud.run("upload", *options, up, "up")
    assert "4 studies, 16 files" in done.err
    puts = cloud.requests(method="PUT", path=f"/{BUCKET}/*")
    assert len(puts) == 16
    at_once = max(sum(r["at"] <= p["at"] < r["at"] + r["took"] for r in puts) for p in puts)
    assert at_once <= most
    assert all(len(lab.contents(f"s{s}")) == 4 for s in range(4))


def test_service_file_in_one_process(cloud, up, tmp_path):
    """A station: no login beside it, no terminal, nothing in the environment."""
    key = cloud.data / "station@trial.pem"
    put(up, {"ward/P7/S1/a": "a"})
    station = Program(cloud.url, tmp_path)
    for _ in range(2):
        station.run("upload", "--folder-structure", "hierarchical", "--service-file", key, up,
                    "trial", sign_in=False)
    assert Place(cloud, "ward", "trial").contents("P7/S1") == {"a": b"a"}


# ---- what can't be sent ----

def test_links_fifos_and_leftovers(igtcloud, up, lab, tmp_path):
    put(tmp_path, {"outside/secret": "no"})
    put(up, in_study(lab, files={"a": "a", ".film.bin.igtpart": "half"}))
    folder = up / lab.name / "case"
    (folder / "link").symlink_to(tmp_path / "outside/secret")
    (folder / "links").symlink_to(tmp_path / "outside")
    (up / lab.name / "linked").symlink_to(folder)
    os.mkfifo(folder / "fifo")
    done = igtcloud.run("upload", "--json", up, "up")
    lab.is_whole("case", {"a": "a"})
    assert lab.names() == ["case"]
    left = {i["path"]: i["reason"] for i in items(done, result="ignored")}
    assert set(left) == {"link", "links", "fifo", ".film.bin.igtpart", str(up / lab.name / "linked")}
    assert "--follow-links" in left["link"] and done.summary["filesIgnored"] == 5
    os.unlink(folder / "fifo")
    os.unlink(up / lab.name / "linked")
    igtcloud.run("upload", "--follow-links", up, "up")
    lab.is_whole("case", {"a": "a", "link": "no", "links/secret": "no"})


def test_stray_files_between_folders(igtcloud, up, cloud):
    ward = Place(cloud, "ward", "trial")
    before = ward.names()
    put(up, {"ward/list.db": "x", "ward/P8/list.db": "x", "ward/P8/S1/a": "a"})
    done = igtcloud.run("upload", "--folder-structure", "hierarchical", up, "trial")
    assert sorted(ward.names()) == sorted([*before, "P8/S1"])
    assert str(up / "ward/list.db") in done.err and str(up / "ward/P8/list.db") in done.err


def test_unreadable_file(igtcloud, up, lab):
    put(up, in_study(lab, files={"a": "a", "locked": "no", "z": "z", "shut/x": "x"}))
    folder = up / lab.name / "case"
    (folder / "locked").chmod(0)
    (folder / "shut").chmod(0)
    if os.geteuid() == 0:  # root reads everything
        real = igtcloud.command
        for path in (up.parent.parent, up.parent):
            path.chmod(path.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
        os.chmod(igtcloud.home, 0o777)
        igtcloud.command = lambda *a, **k: ["/usr/bin/setpriv", "--bounding-set=-all",
                                            "--inh-caps=-all", *real(*a, **k)]
    done = igtcloud.run("upload", "--json", up, "up", status=SOME_FAILED)
    (folder / "shut").chmod(0o755)
    failed = {i["path"]: i["error"] for i in items(done, kind="file", result="failed")}
    assert set(failed) == {"locked", "shut"} and "Permission denied" in failed["locked"]
    assert set(lab.contents("case")) == {"a", "z"}
    assert "2 files FAILED" in done.err and "locked" in done.err


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"name": 5}', "", '{"events": {}}', "\x00"])
def test_broken_study_json(igtcloud, up, lab, text):
    """That study alone is left; it is not created under its folder's name."""
    put(up, {**in_study(lab, "bad", {"study.json": text, "a": "a"}),
             **in_study(lab, "good", {"a": "a"})})
    done = igtcloud.run("upload", up, "up", status=SOME_FAILED)
    assert lab.names() == ["good"]
    assert str(up / lab.name / "bad") in done.err and "1 study FAILED" in done.err


def test_one_study_that_cannot_be_created(cloud, igtcloud, up, lab):
    put(up, {f"{lab.name}/s{n}/a": "a" for n in range(4)})
    cloud.faults({"fault": "forbidden", "method": "POST", "path": NEW_STUDY})
    done = igtcloud.run("upload", "--json", "--concurrent-studies", "1", up, "up",
                        status=SOME_FAILED)
    assert len(lab.names()) == 3 and done.summary["studiesFailed"] == 1
    igtcloud.run("upload", up, "up")
    assert lab.names() == ["s0", "s1", "s2", "s3"]


def test_nothing_to_upload(igtcloud, up, lab, numbers):
    done = igtcloud.run("upload", up, "up", status=FAILED)
    assert "nothing to upload" in done.err and str(up) in done.err
    put(up, in_study(lab))
    other = f"lab{next(numbers)}"
    done = igtcloud.run("upload", up, "up", other, status=FAILED)
    assert f"'{other}'" in done.err and lab.names() == []


def test_project_and_institute_must_both_be_found(igtcloud, up):
    put(up, {"same/s/a": "a", "lab0/s/a": "a"})
    done = igtcloud.run("upload", up, "nothing", status=NOT_FOUND)
    assert "'nothing'" in done.err
    done = igtcloud.run("upload", up, "up", "same", status=NOT_FOUND)  # it is another project's
    assert "'same'" in done.err and "'up'" in done.err


@pytest.mark.parametrize("arguments", [
    [], ["x"], ["x", "up", "*", "STAGING"], ["x", "up", "*", "PROD", "more"],
    ["--category", "movies", "x", "up"], ["--folder-structure", "round", "x", "up"],
    ["--category", "dicom", "--category", "annotations", "x", "up"],
    ["--no-such", "x", "up"], ["--concurrent-files", "0", "x", "up"]])
def test_wrong_arguments_are_a_usage_error(igtcloud, arguments):
    done = igtcloud.run("upload", *arguments, status=USAGE)
    assert done.err.startswith("igtcloud: ") and done.err.count("\n") <= 2


def test_a_local_folder_that_is_none(igtcloud, tmp_path):
    done = igtcloud.run("upload", tmp_path / "nowhere", "up", status=FAILED)
    assert str(tmp_path / "nowhere") in done.err
    (tmp_path / "file").write_text("x")
    done = igtcloud.run("upload", tmp_path / "file", "up", status=FAILED)
    assert "not a folder" in done.err


def test_too_few_open_files(tmp_path, home):
    """Nothing is created that could not be filled; with fewer connections it is."""
    with seeded(tmp_path, seed(epd(institute("lab")))) as cloud:
        top, place = put(tmp_path / "up", {f"lab/case{n}/a": "a" for n in range(3)}), Place(cloud, "lab", "up")

        def upload(limit, *options, status):
            return Program(cloud.url, home).run("upload", *options, top, "up", status=status, preexec_fn=lambda:
                                                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        done = upload(30, status=1)
        assert "this process may have 30 files open" in done.err and "ulimit -n 256" in done.err
        assert place.names() == []
        upload(136, "--connections", "8", status=0)
        assert place.names() == ["case0", "case1", "case2"]
