# SPDX-License-Identifier: MIT
"""Interoperability with the existing Python client: python_client.py SOURCE

SOURCE is its `src` folder (it is not part of this project, so this is no test of `make check`). It
needs Debian's python3-boto3, -click, -cachetools, -tenacity, -tqdm and -jwt. Starts a sandbox with the
demo's seed, runs the client's commands and its library against it, and compares what came back.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from rest_client import RestClient
from sandbox import Sandbox

# Run inside the client: its boto3 reads no endpoint from the environment, makes clients in a
# race, and its password prompt wants a terminal.
SHIM = """
import os, sys, threading, getpass, boto3
real, lock = boto3.client, threading.Lock()
def client(*args, **more):
    with lock:
        return real(*args, endpoint_url=os.environ["SANDBOX_URL"], region_name="eu-central-1", **more)
boto3.client = client
getpass.getpass = lambda *_: "demo"
"""
CLI = SHIM + "from igtcloud.client.tools.cli import cli; cli()"
LIBRARY = SHIM + """
from igtcloud.client.core.auth import smart_auth
from igtcloud.client.services import entities_service, set_auth
from igtcloud.client.services.entities.model.service import Service
url, image = os.environ["SANDBOX_URL"], sys.argv[1]
with smart_auth(url, "demo@example.com") as auth:
    set_auth(auth)
    south = [i for i in entities_service.get_all_institutes() if i.name == "south"][0]
    assert south.dicom.upload(image, "a/image.dcm")
    made = [s for s in entities_service.get_studies(south.id) if s.patient.patient_name == "Doe^Jane"]
    assert [f.file_name.split("/")[-1] for f in made[0].dicom] == ["image.dcm"], made
    assert [s.series_type for s in made[0].series] == ["IgtCloudSeries"]
    service = entities_service.post_services(south.id, Service(name="station"))
with smart_auth(url, service.service_id, key=service.private_key) as auth:
    set_auth(auth)
    study = [i for i in entities_service.get_all_institutes() if i.name == "south"][0].studies[0]
    assert study.files.upload(image, "by-service.dcm")
    try:
        study.files[0].download(".")
    except Exception as error:
        assert "upload only" in str(error), error
    else:
        raise AssertionError("a service could download")
"""


class ExistingClient:
    def __init__(self, sandbox, source, work):
        self.sandbox, self.work = sandbox, work
        self.env = {**os.environ, "PYTHONPATH": str(source), "SANDBOX_URL": sandbox.url,
                    "NO_PROXY": "127.0.0.1", "TMPDIR": str(work / "tmp")}
        (work / "tmp").mkdir()

    def run(self, code, *args, cwd=None):
        done = subprocess.run(["/usr/bin/python3", "-c", code, *map(str, args)], env=self.env,
                              cwd=cwd or self.work, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == 0 and "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def command(self, name, *args, cwd=None):
        return self.run(CLI, name, *args, "--domain", self.sandbox.url, "--user",
                        "demo@example.com", cwd=cwd)

    # ---- what it does ----

    def upload_and_download(self):
        files = {"files/sub/p.txt": b"project", "north/P9---S1/a/big.bin": os.urandom(20000000),
                 "north/P9---S1/h \u00fc.txt": b"hello", "south/new/empty": b""}
        for name, body in files.items():
            path = self.work / "up" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        self.command("upload", "up", "demo", "--submit")
        assert "files_uploaded: 0, files_skipped: 1" in self.command("upload", "up", "demo")
        self.command("download", "down", "demo")
        self.command("download", "down", "demo", "--project-files")
        for name, body in files.items():
            assert (self.work / "down" / name).read_bytes() == body, name
        assert '"submitted"' in (self.work / "down/north/P9---S1/study.json").read_text()

    def categories(self):
        path = self.work / "ann/north/P0001---CTA/x/note.json"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        self.command("upload", ".", "demo", "north", "--category", "annotations",
                     cwd=self.work / "ann")
        self.command("download", "all", "demo", "north", "--category", "files", "--category",
                     "dicom", "--category", "annotations")
        study = self.work / "all/north/P0001---CTA"
        for name in ("files/report.txt", "dicom/series1/image1.dcm", "annotations/vessel.json",
                     "annotations/x/note.json"):
            assert (study / name).is_file(), name

    def csv(self):
        (self.work / "csv").mkdir()  # it makes none itself
        self.command("csv", "csv", "demo", "--files")
        lines = (self.work / "csv/cloud_demo.csv").read_text("utf-8").splitlines()
        assert lines[0].endswith(",filename,filesize") and any("film.bin,3000000" in line
                                                               for line in lines)

    def login_as_service(self):
        key = self.sandbox.data / "upload-station@demo.pem"
        daemon = subprocess.Popen(["/usr/bin/python3", "-c", CLI, "login", "-d", self.sandbox.url,
                                   "-s", str(key)], env=self.env, cwd=self.work,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            token, end = "", time.monotonic() + 30
            while token.count(".") != 2 and time.monotonic() < end:
                time.sleep(0.2)
                token = subprocess.run(["/usr/bin/python3", "-c", CLI, "get-token"], env=self.env,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       text=True, check=False).stdout.strip()
            assert token.count(".") == 2, token
            client = RestClient(self.sandbox.url)
            answer = client.get("/api/data/projects", headers={"X-JWT": token,
                                                               "X-CSRF-TOKEN": "x"})
            assert answer.status == 403  # the session is there, the CSRF token is another
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)

    def library(self):
        image = self.work / "all/north/P0001---CTA/dicom/series1/image1.dcm"
        self.run(LIBRARY, image)


def main():
    source = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as temporary, Sandbox(seed="demo") as sandbox:
        existing = ExistingClient(sandbox, source, pathlib.Path(temporary))
        for step in (existing.upload_and_download, existing.categories, existing.csv,
                     existing.login_as_service, existing.library):
            step()
            print(f"{step.__name__}: works", flush=True)


if __name__ == "__main__":
    main()
