#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An operator's weeks with an upload station, in some seconds: a run of the real programs against
the sandbox, in which station time runs four thousand times faster.

    tests/days/station_operator.py [FOLDER]

What happens: studies arrive; one grows while it is watched; the machine is reset in the middle of an
upload; the network is away for hours; the disk fills up; a study is broken; the key is rotated
before it expires. In the end each study is in the cloud, byte by byte, exactly once, and here
either in done/ or, with its reason, in failed/."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from igtcloud import PASSWORD, USER, environment, program  # noqa: E402
from sandbox import Sandbox  # noqa: E402
from uploads import MIB, Place, epd, institute, pattern, put, seed  # noqa: E402

DAY = 86400
SEED = seed(epd(institute("lab"), institute("ward"), name="trial"),
            users=[{"name": USER, "password": PASSWORD, "roles": ["DATA_MANAGER", "SERVICES_MANAGER"]}])


BEGAN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGAN:5.1f} s  {text}", flush=True)


class Weeks:
    def __init__(self, cloud, folder):
        self.cloud, self.folder = cloud, folder
        self.home = put(folder, {"home": None, "outbox": None, "etc": None}) / "home"
        self.outbox, self.key = folder / "outbox", folder / "etc/station.pem"
        self.log_path, self.process = folder / "station.log", None
        self.sent = {}  # study: its files, as they should be in the cloud

    # ---- the programs ----

    def igtcloud(self, *arguments, status=0):
        done = subprocess.run([program(), *map(str, arguments), "--domain", self.cloud.url, "--user",
                               USER, "--password-stdin"], input=PASSWORD + "\n", text=True,
                              capture_output=True, env=environment(self.home), timeout=60)
        assert done.returncode == status, done
        return done.stdout.strip()

    def start(self, *options, rate=4000):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [program(), "station", self.outbox, "trial", "--domain", self.cloud.url, "--service-file",
                 self.key, "--user", self.user, "--settle", "5m", "--retries", "0", "--timeout", "5",
                 "--status-file", self.folder / "status.json", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment(self.home, IGTCLOUD_TEST_CLOCK_RATE=rate))

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(30)

    @property
    def log(self):
        return self.log_path.read_text("utf-8")

    def wait_for(self, what, seconds=20):
        end = time.monotonic() + seconds
        while not (found := what()):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.02)
        return found

    # ---- studies ----

    def arrive(self, study, files):
        put(self.outbox / study, files)
        self.sent[study] = {n: c if isinstance(c, bytes) else c.encode() for n, c in files.items()}

    def is_done(self, study):
        return (self.outbox / "done" / study).is_dir() and not (self.outbox / study).exists()

    def wait_until_done(self, *studies):
        self.wait_for(lambda: all(map(self.is_done, studies)))

    # ---- the weeks ----

    def first_week(self):
        say("week 1: a key, the first studies, and one that grows while it is watched")
        self.user = self.igtcloud("service", "create", "trial/lab", "station", "--key-file", self.key)
        self.arrive("lab/first", {"a.dcm": pattern(MIB), "b/c.dcm": "c"})
        self.arrive("ward/second", {"a.dcm": "other"})
        self.start(rate=300)  # --settle is a second
        self.arrive("lab/grows", {"0.dcm": "0"})
        for n in range(1, 5):
            time.sleep(0.4)
            self.arrive("lab/grows", {f"{i}.dcm": str(i) for i in range(n + 1)})
            assert not self.is_done("lab/grows")
        self.wait_until_done("lab/first", "ward/second", "lab/grows")

    def reset(self):
        say("week 2: the machine is reset in the middle of an upload")
        self.cloud.faults({"fault": "silence", "method": "PUT", "path": "/igtcloud/**", "skip": 2,
                           "seconds": 30, "times": 9})
        self.arrive("lab/film", {"film.bin": pattern(20 * MIB)})
        self.wait_for(lambda: self.cloud.planned()[0]["used"])
        time.sleep(0.3)  # the journal is written some times a second
        self.stop(signal.SIGKILL)
        sent = sum(r["bytesIn"] for r in self.cloud.requests(method="PUT", path="/igtcloud/*"))
        self.cloud.clear()
        self.start()
        self.wait_until_done("lab/film")
        again = sum(r["bytesIn"] for r in self.cloud.requests(method="PUT", path="/igtcloud/*"))
        assert 0 < sent and again < 20 * MIB, (sent, again)  # parts that were there are not sent again

    def network(self):
        say("week 3: the network is away for hours, and studies keep arriving")
        self.cloud.stop()
        for n in range(5):
            self.arrive(f"ward/offline{n}", {"a.dcm": f"offline {n}"})
        self.wait_for(lambda: "studies are waiting" in self.log)
        later = time.monotonic() + 4 * 3600 / 4000  # four hours of station time
        while time.monotonic() < later:
            assert self.process.poll() is None
            time.sleep(0.05)
        assert not any(self.is_done(f"ward/offline{n}") for n in range(5))
        assert not list((self.outbox / "failed").rglob("*.reason"))
        self.cloud.start()
        self.wait_until_done(*(f"ward/offline{n}" for n in range(5)))
        assert "uploading again" in self.log

    def full_disk(self):
        say("week 4: the disk fills up; the station makes room in done, and only there")
        put(self.outbox / "done/lab", {"not-ours": None})
        (self.outbox / "done/lab/not-ours/x").write_bytes(b"x" * MIB)
        assert self.stop() == 0
        # Of a real disk nothing is known here: with --min-free more than there is, it counts as full.
        self.start("--min-free", "1000T")
        # os.walk: what vanishes meanwhile is no error
        self.wait_for(lambda: [n for _, _, names in os.walk(self.outbox / "done") for n in names] == ["x"])
        self.wait_for(lambda: "has less free space" in self.log)
        self.arrive("lab/full", {"a.dcm": "in spite of the full disk"})
        self.wait_for(lambda: not (self.outbox / "lab/full").exists())
        assert self.stop() == 0
        shutil.rmtree(self.outbox / "done/lab/not-ours")
        self.start()

    def broken(self):
        say("week 5: a broken study is set aside, and holds up nothing")
        put(self.outbox, {"lab/broken/study.json": "{", "lab/broken/a.dcm": "a"})
        self.arrive("lab/sound", {"a.dcm": "sound"})
        self.wait_until_done("lab/sound")
        reason = self.outbox / "failed/lab/broken.reason"
        self.wait_for(reason.exists)
        assert "study.json" in reason.read_text()
        (self.outbox / "failed/lab/broken/study.json").unlink()
        os.rename(self.outbox / "failed/lab/broken", self.outbox / "lab/broken")
        self.sent["lab/broken"] = {"a.dcm": b"a"}
        self.wait_until_done("lab/broken")

    def rotation(self):
        say("eleven months later: the key is about to expire")
        info = pathlib.Path(f"{self.key}.info")
        record = json.loads(info.read_text())
        record["keys"][-1]["expiresOn"] = time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 20 * DAY))
        info.write_text(json.dumps(record))
        self.wait_for(lambda: "igtcloud service rotate" in self.log)
        new = self.igtcloud("service", "rotate", "trial/lab", self.user, "--key-file", self.key)
        assert new != self.user and self.user not in self.igtcloud("service", "list", "trial/lab")
        self.wait_for(lambda: "was replaced" in self.log)
        self.arrive("lab/new-key", {"a.dcm": "with the new key"})
        self.wait_until_done("lab/new-key")
        status = self.wait_for(lambda: (s := json.loads((self.folder / "status.json").read_text()))
                               ["user"] == new and s)
        assert status["failed"] == 1

    def check(self):
        say("in the end: everything is in the cloud, once, byte by byte")
        for name in ("lab", "ward"):
            place = Place(self.cloud, name, "trial")
            studies = {s.split("/")[1]: f for s, f in self.sent.items() if s.startswith(name + "/")}
            assert place.names() == sorted(studies)
            for study, files in studies.items():
                place.is_whole(study, files)
        left = [p for p in self.outbox.rglob("*") if p.is_file() and not
                {"done", ".igtcloud-station"} & set(p.relative_to(self.outbox).parts)]
        assert left == [], left

    def run(self):
        try:
            for part in (self.first_week, self.reset, self.network, self.full_disk, self.broken,
                         self.rotation):
                part()
            assert self.stop() == 0
            self.check()
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()


def main(folder):
    (folder / "seed.json").write_text(json.dumps(SEED))
    with Sandbox(seed=folder / "seed.json", extra=["--faults"]) as cloud:
        Weeks(cloud, folder).run()
    say("the station is fine")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(pathlib.Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(pathlib.Path(temporary))
