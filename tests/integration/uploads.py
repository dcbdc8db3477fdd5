# SPDX-License-Identifier: MIT
"""What the tests of `igtcloud upload` share: parts of seeds, trees, looks at the cloud."""

import functools
import os
import socket

from rest_client import RestClient
from sandbox import BUCKET

MIB = 1024 * 1024
PART = 5 * MIB  # what the program sends until it knows the line
MULTIPART = 8 * MIB  # the size from which on it does
SIZE = 4 * PART + 5
USERS = [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}]
NEW_STUDY = "/api/data/hospitals/*/studies"


def epd(*institutes, name="up", **more):
    return {"name": name, "projectTypeName": "EPD", "institutes": list(institutes), **more}


def igt(*institutes, name="trial", **more):
    return {"name": name, "institutes": list(institutes), **more}


def institute(name, *studies):
    return {"name": name, "studies": list(studies)}


def patient_study(patient, study=None, **more):
    return {"class": "Study", "patient": {"patientId": patient, "patientName": patient},
            **({"studyId": study} if study else {}), **more}


def seed(*projects, **more):
    return {"users": USERS, "projects": list(projects), **more}


def put(folder, files):
    """Path: content, bytes or text; None makes a folder."""
    for name, content in files.items():
        path = folder / name
        (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@functools.lru_cache(8)
def pattern(size, seed=0):
    """Bytes in which no two MiB are the same."""
    period = bytes((i * 7 + seed) % 251 for i in range(8, 8 + 251))
    rest = (period * (MIB // 251 + 1))[:MIB - 8]
    pieces = [n.to_bytes(8, "big") + rest for n in range(0, size, MIB)]
    if pieces:
        pieces[-1] = pieces[-1][:size - (len(pieces) - 1) * MIB]
    return b"".join(pieces)


class Place:
    """An institute as the cloud has it."""

    def __init__(self, cloud, institute_name, project):
        self.cloud, self.client, self.name = cloud, RestClient(cloud.url).login(), institute_name
        found = self.client.institute(institute_name, project)
        self.id, self.prefix = found["id"], found["s3Prefix"]

    def studies(self):
        """A list of all of them."""
        return self.client.ok("GET", f"/api/data/hospitals/{self.id}/studies")

    def study(self, human):
        found = [s for s in self.studies() if s["studyIdHumanReadable"] == human]
        assert len(found) == 1, (human, [s["studyIdHumanReadable"] for s in self.studies()])
        return found[0]

    def names(self):
        return sorted(s["studyIdHumanReadable"] for s in self.studies())

    def registered(self, human, auxiliary=False):
        """The file list, by name."""
        study = self.study(human)
        answer = self.client.ok("GET", f"/api/data/hospitals/{self.id}/studies/"
                                       f"{study['studyDatabaseId']}/files"
                                       + ("?auxiliary=True" if auxiliary else ""))
        return {f["fileName"]: f for f in answer["annotations" if auxiliary else "files"]}

    def contents(self, human, below="files/"):
        """What the store has, by name."""
        prefix = self.study(human)["s3Prefix"] + below
        return objects(self.cloud, prefix)

    def is_whole(self, human, files):
        """The study has exactly these files, in the list as in the store."""
        expected = {n: c if isinstance(c, bytes) else c.encode() for n, c in files.items()}
        assert self.contents(human) == expected
        listed = self.registered(human)
        assert set(listed) == set(expected)
        assert all(f["isCompleted"] and f["fileSize"] == len(expected[n])
                   for n, f in listed.items()), listed


def objects(cloud, prefix):
    s3, found = cloud.reader, {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        for item in page.get("Contents", []):
            body = s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            found[item["Key"][len(prefix):]] = body
    return found


def changes(cloud):
    """Requests that changed something in the cloud, but for signing in and out."""
    return [r for r in cloud.requests() if r["method"] not in ("GET", "HEAD")
            and not r["path"].startswith("/api/auth/")]


def sent_bytes(cloud):
    """Bytes of bodies that went to the store."""
    return sum(r["bytesIn"] for r in cloud.requests(path=f"/{BUCKET}/*"))


def items(done, **wanted):
    return [i for i in done.items if all(i.get(k) == v for k, v in wanted.items())]


class Film:
    """A file that goes up in five parts."""

    def __init__(self, cloud, folder, lab):
        self.lab, self.cloud = lab, cloud
        self.top = put(folder / "up", {f"{self.lab}/case/film.bin": pattern(SIZE)})
        self.path = self.top / self.lab / "case/film.bin"
        self.content = pattern(SIZE)

    def is_whole(self):
        Place(self.cloud, self.lab, "up").is_whole("case", {"film.bin": self.content})
        assert self.uploads() == []  # nothing half done lies about

    def uploads(self):
        """That are begun and not ended."""
        return self.all_uploads(Place(self.cloud, self.lab, "up").prefix)

    def all_uploads(self, prefix):
        found = self.cloud.boto3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [u for u in found if u["Key"].startswith(prefix)]

    def parts(self, status=200):
        """Numbers of the parts that were asked for and answered so."""
        return sorted(r["part"] for r in self.cloud.requests(method="PUT", path="*/film.bin")
                      if r["part"] and r["status"] == status)

    def stored(self):
        upload = self.uploads()[0]
        found = self.cloud.boto3().list_parts(Bucket=BUCKET, Key=upload["Key"],
                                              UploadId=upload["UploadId"])
        return [p["PartNumber"] for p in found.get("Parts", [])]

    def interrupted(self, igtcloud, number, *options):
        """Ends a run by a signal once two parts are there and the others are not."""
        self.cloud.faults({"fault": "reset", "method": "PUT", "path": "**/film.bin", "skip": 2,
                           "times": 0})
        process = igtcloud.start("upload", "--connections", "1", *options, self.top, "up")
        self.cloud.wait_for(lambda: len(self.parts()) == 2)
        self.cloud.wait_for(lambda: len(self.cloud.requests(method="PUT", path="*/film.bin")) > 2)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        self.cloud.clear()  # what it had sent has met the fault
        return process.returncode, err.decode()


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
