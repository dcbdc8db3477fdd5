# SPDX-License-Identifier: MIT
"""What the fault tests share: the content of their clouds, trees to upload, and how to look at both."""

import hashlib
import json
import os
import random
import uuid

from igtcloud import tree
from rest_client import RestClient
from sandbox import BUCKET, Sandbox

MIB = 1024 * 1024
S3 = f"/{BUCKET}/**"

# A tree like those of hospitals: many small files, some that are empty, odd names, one large.
MIXED = [{"path": f"notes/{n}.txt", "text": f"note {n}\n" * n} for n in range(12)] + [
    {"path": "empty", "size": 0}, {"path": "Übung 1.TXT", "text": "zwei"},
    {"path": "deep/er/still/film.bin", "size": 20 * MIB + 17}, {"path": "one.bin", "size": 300000}]

# Faults that another attempt may well get past; project "kinds" has a file for each.
TRANSIENT = ["internal-error", "bad-gateway", "gateway-timeout", "unavailable", "slow-down",
             "too-many", "reset", "lost-response", "reset-in-headers", "reset-in-body", "short-body"]

SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "services": [{"id": "station@trial"}],
    "projects": [
        {"name": "mixed", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "studies": [{"name": "case-1", "files": MIXED},
                                        {"name": "case-2", "files": MIXED[:6]},
                                        {"name": "case-3", "files": MIXED[6:14]}]}]},
        {"name": "kinds", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "studies": [
                {"name": "case", "files": [{"path": f"{kind}.bin", "size": 100000}
                                           for kind in TRANSIENT]}]}]},
        {"name": "one", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "studies": [
                {"name": "case", "files": [{"path": "f.bin", "size": 100000}]}]}]},
        {"name": "film", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "studies": [
                {"name": "case", "files": [{"path": "film.bin", "size": 25 * MIB + 1}]}]}]},
        {"name": "many", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "generate": {"studies": 40, "files": 5, "size": 2000}}]},
        {"name": "target", "projectTypeName": "EPD", "institutes": [{"name": "lab"}]},
    ],
}


def start(folder, *extra, seed=None, **options):
    path = folder / "seed.json"
    path.write_text(json.dumps(seed or SEED))
    return Sandbox(seed=path, extra=["--faults", *extra], **options)


# ---- what is where ----

def files(folder):
    """Path: content of all files below, without the descriptions of studies."""
    return {k: v for k, v in tree(folder).items() if os.path.basename(k) != "study.json"}


def finished(folder):
    """Files that have their final names."""
    return {k: v for k, v in files(folder).items()
            if not k.endswith(".igtpart") and not k.startswith(".igtcloud-probe-")}


def leftovers(folder):
    return [k for k in tree(folder) if k.endswith(".igtpart")]


class Api:
    """The cloud's own view of a project, queried without the program under test."""

    def __init__(self, cloud):
        self.cloud, self.rest = cloud, RestClient(cloud.url).login()

    def _institute(self, institute, project):
        if "--token-lifetime" in self.cloud.options:  # shorter than what follows may take
            self.rest.login()
        return self.rest.institute(institute, project)

    def studies(self, project, institute="lab"):
        where = self._institute(institute, project)
        found = self.rest.ok("GET", f"/api/data/hospitals/{where['id']}/studies")
        return {s["studyIdHumanReadable"]: s for s in found}

    def all_names(self, project, institute="lab"):
        """Of its studies, twice where there are two."""
        where = self._institute(institute, project)
        found = self.rest.ok("GET", f"/api/data/hospitals/{where['id']}/studies")
        return [s["studyIdHumanReadable"] for s in found]

    def files(self, project, study, institute="lab"):
        where = self._institute(institute, project)
        one = self.studies(project, institute)[study]
        path = f"/api/data/hospitals/{where['id']}/studies/{one['studyDatabaseId']}/files"
        return self.rest.ok("GET", path)["files"]

    def content(self, project, institute="lab"):
        """Study/path: the stored bytes of every file that the cloud calls complete."""
        s3, found = self.cloud.boto3(), {}
        for name in self.studies(project, institute):
            for file in self.files(project, name, institute):
                assert file["isCompleted"], file
                body = s3.get_object(Bucket=BUCKET, Key=file["key"])["Body"].read()
                found[f"{name}/{file['fileName']}"] = body
        return found


def stored(cloud, project):
    """As files() of a download would be."""
    found = {f"lab/{k}": v for k, v in Api(cloud).content(project).items()}
    cloud.clear()
    return found


# ---- what goes up ----

def write(folder, content):
    for path, data in content.items():
        where = folder / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(data)


def local_tree(folder, seed=1, studies=2, large=20 * MIB + 17):
    """LOCAL_FOLDER with one institute; names of studies that no other test has. The content by
    study/path."""
    rng, expected = random.Random(seed), {}
    stem = uuid.uuid4().hex[:8]
    for n in range(studies):
        content = {f"notes/{i}.txt": rng.randbytes(i * 37) for i in range(10)}
        content.update({"empty": b"", "Übung 1.TXT": b"zwei"})
        if n == 0 and large:
            content["film.bin"] = rng.randbytes(large)
        expected.update({f"{stem}-{n}/{path}": data for path, data in content.items()})
    write(folder / "lab", expected)
    return expected


def content_of(cloud, expected):
    """What the cloud has of the studies in `expected`, in project "target"."""
    api, s3, found = Api(cloud), cloud.boto3(), {}
    names = {k.split("/")[0] for k in expected}
    for name in names & set(api.studies("target")):
        for file in api.files("target", name):
            assert file["isCompleted"], file
            body = s3.get_object(Bucket=BUCKET, Key=file["key"])["Body"].read()
            found[f"{name}/{file['fileName']}"] = body
    return found


def same(found, expected):
    """Compares without printing megabytes."""
    def short(content):
        return {k: (len(v), hashlib.sha256(v).hexdigest()[:16]) for k, v in content.items()}
    assert short(found) == short(expected)


def rest(requests, ending):
    """Requests of the log to a REST path that ends so."""
    return [r for r in requests if r["path"].startswith("/api/") and r["path"].endswith(ending)]


def objects(requests, method="GET"):
    return [r for r in requests if r["path"].startswith(f"/{BUCKET}/") and r["method"] == method]
