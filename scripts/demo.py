# SPDX-License-Identifier: MIT
"""The demo's part that runs the programs; see scripts/demo."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("IGTCLOUD_BIN") or ROOT / "build/igtcloud"
SANDBOX = os.environ.get("IGTCLOUD_SANDBOX_BIN") or ROOT / "build/igtcloud-sandbox"
CACHE = ROOT / "build" / "demo-packages"
PACKAGES = ["python3-pydicom", "python3-nibabel"]  # they carry DICOM files for their own tests
PLACES = [("Catharina", "P-1001", "Angio-1"), ("Catharina", "P-1001", "Angio-2"),
          ("Catharina", "P-1002", "Baseline"), ("Elisabeth", "P-2001", "Angio-1"),
          ("Elisabeth", "P-2002", "Follow-up"), ("Radboud", "P-3001", "Ablation")]
SEED = {"users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
        "projects": [{"name": "Coronary", "institutes": [{"name": name} for name in
                                                         ("Catharina", "Elisabeth", "Radboud")]}]}


def say(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def stop(text):
    sys.exit(f"demo: {text}")


def dicom_files():
    """Real DICOM files out of Debian packages, unpacked without installing them; kept for later."""
    if not any(CACHE.rglob("*.dcm")):
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        CACHE.chmod(0o777)  # apt fetches as a user of its own
        done = subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=CACHE,
                              capture_output=True, text=True)
        if done.returncode:
            stop(f"the packages with DICOM files could not be fetched: {done.stderr.strip()}")
        for package in CACHE.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, CACHE / "unpacked"], check=True)
            package.unlink()
        CACHE.chmod(0o755)
    found, seen = [], set()
    for path in sorted(CACHE.rglob("*.dcm")):
        data = path.read_bytes()
        digest = hashlib.sha256(data).digest()
        if data[128:132] == b"DICM" and digest not in seen:
            seen.add(digest)
            found.append(path)
    return found or stop("the packages hold no DICOM files any more")


def lay_tree(folder):
    """A project as a hospital has it: institutes, patients, studies, files beside the images."""
    images = dicom_files()
    for i, (institute, patient, study) in enumerate(PLACES):
        where = folder / "studies" / institute / patient / study
        (where / "dicom-images").mkdir(parents=True)
        (where / "waveforms").mkdir()
        for image in images[i::len(PLACES)]:
            shutil.copy(image, where / "dicom-images" / image.name)
        samples = b"".join(((n * n * (i + 3)) % 4096).to_bytes(2, "little") for n in range(60000))
        (where / "waveforms" / "ecg.bin").write_bytes(samples)
        (where / "notes.txt").write_text(f"{patient} {study}: nothing particular\n", "utf-8")
        marks = folder / "marks" / institute / patient / study / "vessels"
        marks.mkdir(parents=True)
        (marks / "left.json").write_text(json.dumps({"points": [[1, 2], [3, 4]]}), "utf-8")
    (folder / "studies" / "files").mkdir()
    (folder / "studies" / "files" / "protocol.txt").write_text("first, second, third\n", "utf-8")
    return len(images)


def contents(folder, without=()):
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in folder.rglob("*") if p.is_file() and p.name not in without}


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ, CLOUD_TOKEN_MMAP=str(folder / "token"),
                        XDG_STATE_HOME=str(folder / "state"))
        for name in ("CLOUD_DOMAIN", "CLOUD_JWT_TOKEN", "CLOUD_CSRF_TOKEN", "CLOUD_USERNAME",
                     "http_proxy", "HTTP_PROXY"):
            self.env.pop(name, None)

    def start(self):
        seed = self.folder / "seed.json"
        seed.write_text(json.dumps(SEED), "utf-8")
        self.sandbox = subprocess.Popen(
            [SANDBOX, "--data", self.folder / "sandbox", "--port", "0",
             "--seed", seed], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.sandbox.stdout.readline()
        if not line.startswith("listening on "):
            stop("the sandbox did not start")
        self.env["CLOUD_DOMAIN"] = self.url = line.split()[-1]

    def igtcloud(self, *arguments, text=None):
        shown = " ".join(str(a).replace(str(self.folder), ".") for a in arguments)
        print(f"$ igtcloud {shown}", flush=True)
        done = subprocess.run([PROGRAM, *arguments], env=self.env, input=text,
                              text=True, cwd=self.folder)
        if done.returncode:
            stop(f"igtcloud {arguments[0]} failed with status {done.returncode}")

    def run(self):
        images = lay_tree(self.folder)
        self.start()
        say(f"An IGT Cloud runs at {self.url}; sign in, and the session serves every command:")
        self.igtcloud("login", "--background", "--password-stdin", "-u", "demo@example.com",
                      text="demo\n")
        self.signed_in = True
        self.igtcloud("whoami")
        say(f"Upload a tree of 3 institutes, 5 patients, 6 studies with {images} DICOM files:")
        self.igtcloud("upload", "studies", "Coronary", "--folder-structure", "hierarchical")
        self.igtcloud("upload", "marks", "Coronary", "--category", "annotations")
        say("The studies as CSV (its first columns):")
        table = subprocess.run([PROGRAM, "csv", "-q", "-", "Coronary"],
                               env=self.env, capture_output=True, text=True, check=True)
        for line in table.stdout.splitlines():
            print("  " + ",".join(line.split(",")[:4]))
        say("Download it again, in both forms, and the project's own files and annotations:")
        self.igtcloud("download", "flat", "Coronary")
        self.igtcloud("download", "tree", "Coronary", "--folder-structure", "hierarchical")
        self.igtcloud("download", "flat", "Coronary", "--project-files")
        self.igtcloud("download", "marks-again", "Coronary", "--folder-structure", "hierarchical",
                      "--category", "annotations")
        count = self.compare()
        say("Sign out:")
        self.igtcloud("logout")
        self.signed_in = False
        say(f"Done: {count} files went up and came back, every byte the same.")
        print("Try next:\n"
              "  build/igtcloud --help\n"
              "  build/igtcloud-sandbox --data /tmp/my-cloud --seed demo --port 8080\n"
              "  build/igtcloud download -d http://127.0.0.1:8080 -u demo@example.com here demo\n"
              "      (the password is demo)\n"
              "  make check")

    def compare(self):
        sent = contents(self.folder / "studies")
        flat = {name if name.startswith("files/") else "/".join(
            [*name.split("/")[:1], "---".join(name.split("/")[1:3]), *name.split("/")[3:]]): digest
            for name, digest in sent.items()}
        tree = {n: d for n, d in sent.items() if not n.startswith("files/")}
        pairs = [("flat", flat), ("tree", tree), ("marks-again", contents(self.folder / "marks"))]
        for folder, expected in pairs:
            there = contents(self.folder / folder, without=("study.json",))
            if there != expected:
                wrong = sorted(set(there.items()) ^ set(expected.items()))[:5]
                stop(f"{folder} is not what was sent: {wrong}")
        return len(sent) + len(pairs[2][1])

    def close(self):
        if getattr(self, "signed_in", False):
            subprocess.run([PROGRAM, "logout", "-q"], env=self.env)
        if hasattr(self, "sandbox"):
            self.sandbox.terminate()
            self.sandbox.wait(30)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="igtcloud-demo-"))
    demo = Demo(folder)
    try:
        demo.run()
    finally:
        demo.close()
        shutil.rmtree(folder, ignore_errors=True)


main()
