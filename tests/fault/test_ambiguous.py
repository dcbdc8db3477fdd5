# SPDX-License-Identifier: MIT
"""Requests that may have taken effect although their response was lost: looked up, and never executed
twice."""

import pytest

import cloud as c
from promise import promise

LOST = ["lost-response", "reset", "internal-error", "reset-in-headers", "reset-in-body"]


LOST_EFFECT = ["lost-response", "reset-in-headers", "reset-in-body"]  # the others took none


def upload(cloud, igtcloud, tmp_path, expected):
    c.write(tmp_path / "up/lab", expected)
    igtcloud.run("upload", tmp_path / "up", "target")
    log = cloud.requests()
    assert cloud.planned() == []
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)
    return log


def studies_of(tmp_path):
    """As many as there are faults, with two files each."""
    return {f"{tmp_path.name}-{n}/{name}": name.encode() for n in range(len(LOST))
            for name in ("a.txt", "b.txt")}


def posts_to(log, ending):
    return [r for r in log if r["method"] == "POST" and r["path"].endswith(ending)]


@promise("Requests of unknown outcome",
         "creating a study fails, or the response is lost",
         "the institute's studies are listed before it is retried: one study, never two")
def test_study_is_created_once(cloud, igtcloud, tmp_path):
    cloud.faults(*({"fault": kind, "method": "POST", "path": "**/studies"} for kind in LOST))
    expected = studies_of(tmp_path)
    log = upload(cloud, igtcloud, tmp_path, expected)
    names = [s for s in c.Api(cloud).all_names("target") if s.startswith(tmp_path.name)]
    assert sorted(names) == sorted({k.split("/")[0] for k in expected})
    looks = [r for r in log if r["method"] == "GET" and r["path"].endswith("/studies")]
    assert len(looks) == 1 + len(LOST)
    assert len(posts_to(log, "/studies")) == len(names) + len(LOST) - len(LOST_EFFECT)


@promise("Requests of unknown outcome",
         "registering files fails, or the response is lost",
         "the study's files are listed; only those missing are registered again")
@pytest.mark.smoke
def test_files_are_registered_once(cloud, igtcloud, tmp_path):
    cloud.faults(*({"fault": kind, "method": "POST", "path": "**/files"} for kind in LOST))
    log = upload(cloud, igtcloud, tmp_path, studies_of(tmp_path))
    assert len(posts_to(log, "/files")) == 2 * len(LOST) - len(LOST_EFFECT)


@promise("Requests of unknown outcome",
         "`$file-upload-completed` fails, or the response is lost",
         "sent again, as it is idempotent")
def test_completion_is_sent_again(cloud, igtcloud, tmp_path):
    cloud.faults(*({"fault": kind, "method": "POST", "path": "**/$file-upload-completed"}
                   for kind in LOST[:4]))
    upload(cloud, igtcloud, tmp_path, studies_of(tmp_path))


@promise("Requests of unknown outcome",
         "CompleteMultipartUpload fails, its response is lost, is a 200 with an error in the "
         "body or a page from a proxy, or the request body is damaged",
         "the parts are listed, then it is completed again or the object is checked; no byte "
         "is sent twice")
def test_completing_a_multipart_upload(cloud, igtcloud, tmp_path):
    kinds = LOST + ["complete-error", "proxy-page", "slow-down", "short-body", "flip-in-request"]
    size = 8 * c.MIB + 3
    cloud.faults(*({"fault": kind, "method": "POST", "path": f"**/{kind}.bin", "query": "uploadId=",
                    "at": 40} for kind in kinds))
    log = upload(cloud, igtcloud, tmp_path,
                 {f"{tmp_path.name}/{kind}.bin": kind[:1].encode() * size for kind in kinds})
    for kind in kinds:
        mine = [r for r in log if r["path"].endswith(f"/{kind}.bin")]
        assert sum(r["bytesIn"] for r in mine if r["part"]) == size
        ends = [r for r in mine if r["method"] == "POST" and "uploadId=" in r["query"]]
        assert len(ends) == (1 if kind in LOST_EFFECT + ["short-body"] else 2), (kind, ends)


@promise("Requests of unknown outcome",
         "the same for a single file (`cp`)",
         "the object is checked; no byte is sent twice")
def test_completing_a_single_upload(cloud, igtcloud, tmp_path):
    size = 8 * c.MIB + 3
    c.write(tmp_path, {"film.bin": bytes(size)})
    igtcloud.run("study create", "target/lab", f"name={tmp_path.name}")
    cloud.faults({"fault": "lost-response", "method": "POST", "path": c.S3, "query": "uploadId="})
    igtcloud.run("cp", tmp_path / "film.bin", f"igt:target/lab/{tmp_path.name}/files/")
    sent = [r for r in cloud.requests(method="PUT", path="*/film.bin") if r["part"]]
    assert sum(r["bytesIn"] for r in sent) == size


@promise("Requests of unknown outcome",
         "the same for a service identity, which may not read objects",
         "an upload that is gone from the store counts as completed")
def test_completing_a_multipart_upload_as_a_service(cloud, igtcloud, tmp_path):
    expected = {f"{tmp_path.name}/film.bin": bytes(9 * c.MIB)}
    c.write(tmp_path / "up/lab", expected)
    cloud.faults({"fault": "lost-response", "method": "POST", "path": c.S3, "query": "uploadId="})
    igtcloud.run("upload", "--service-file", cloud.data / "station@trial.pem", tmp_path / "up",
                 "target", sign_in=False)
    assert not cloud.requests(path="*/s3credentials", query="*action=GET*")
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)


@promise("Requests of unknown outcome",
         "the response to CreateMultipartUpload is lost",
         "a new upload is started; the lost one stays in the store, without parts")
def test_creating_a_multipart_upload(cloud, igtcloud, tmp_path):
    cloud.faults({"fault": "lost-response", "method": "POST", "query": "uploads"})
    log = upload(cloud, igtcloud, tmp_path, {f"{tmp_path.name}/film.bin": bytes(9 * c.MIB)})
    uploads = {r["query"].split("uploadId=")[1] for r in log if r["part"]}
    assert len(uploads) == 1 and len([r for r in log if r["query"] == "uploads="]) == 2
    path = next(r["path"] for r in log if r["part"])
    left = [u["UploadId"] for u in cloud.boto3().list_multipart_uploads(Bucket="igtcloud")["Uploads"]
            if path.endswith(u["Key"])]
    assert len(left) == 1 and left[0] not in uploads
