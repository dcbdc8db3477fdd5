# SPDX-License-Identifier: MIT
"""A Ceph of one node with radosgw, for as long as a test run: a monitor, an object store in memory and
the gateway, on ports of 127.0.0.1 that the system picked, without authentication among themselves.

    with Radosgw(folder) as rgw: rgw.endpoint, rgw.bucket, rgw.role, rgw.keys_file
"""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import uuid

PROGRAMS = ("ceph-mon", "ceph-osd", "ceph", "monmaptool", "radosgw", "radosgw-admin")
ROLE = "transfers"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/sandbox"]},
     "Action": ["sts:AssumeRole"]}]}
RIGHTS = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}]}


def is_installed():
    return all(shutil.which(name) for name in PROGRAMS)


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Radosgw:
    bucket = "interop"
    access_key, secret_key = "INTEROPACCESSKEY0001", "interop/secret+key/of/forty/characters/1"
    sts_key = "0123456789abcdef"  # which encrypts session tokens
    role = f"arn:aws:iam:::role/{ROLE}"

    def __init__(self, folder, memory=1 << 30):
        self.folder = pathlib.Path(folder)
        self.processes = []
        self.mon_port, self.port = free_ports(2)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.keys_file = self.folder / "keys.json"
        for name in ("mon", "osd", "run", "rgw"):
            (self.folder / name).mkdir(parents=True)
        self.conf = self.folder / "ceph.conf"
        self.fsid = str(uuid.uuid4())
        self.conf.write_text(self._settings(memory))
        self.keys_file.touch(0o600)
        self.keys_file.write_text(json.dumps({"accessKey": self.access_key,
                                              "secretKey": self.secret_key}))

    def _settings(self, memory):
        mine = self.folder
        values = {
            "fsid": self.fsid, "mon host": f"[v2:127.0.0.1:{self.mon_port}]",
            "public addr": "127.0.0.1", "cluster addr": "127.0.0.1",
            # who speaks to whom: one machine, nobody else
            "auth cluster required": "none", "auth service required": "none",
            "auth client required": "none", "ms bind msgr1": "false", "ms mon client mode": "crc",
            # files
            "mon data": mine / "mon", "osd data": mine / "osd", "rgw data": mine / "rgw",
            "run dir": mine / "run", "admin socket": mine / "run" / "$name.asok",
            "crash dir": mine / "run", "log file": "", "log to stderr": "true",
            "err to stderr": "true", "mon cluster log to file": "false",
            "mon data avail crit": "1",
            # one store, one copy, in memory
            "osd objectstore": "memstore", "memstore device bytes": memory,
            "osd crush chooseleaf type": "0", "osd pool default size": "1",
            "osd pool default min size": "1", "osd pool default pg num": "8",
            "osd pool default pg autoscale mode": "off", "mon allow pool size one": "true",
            "paxos propose interval": "0.05",
            # the gateway
            "rgw frontends": f"beast endpoint=127.0.0.1:{self.port} tcp_nodelay=1",
            "rgw enable apis": "s3, sts, iam, admin", "rgw thread pool size": "64",
            "rgw s3 auth use sts": "true", "rgw s3 auth order": "local, sts",
            "rgw sts key": self.sts_key,
            # server-side encryption AES256, also without TLS, with a key that is no secret
            "rgw crypt require ssl": "false",
            "rgw crypt default encryption key": base64.b64encode(b"0123456789abcdef" * 2).decode(),
        }
        return "[global]\n" + "".join(f"{k} = {v}\n" for k, v in values.items())

    # ---- processes ----

    def _call(self, *command):
        with open(self.folder / "calls.log", "ab") as log:
            subprocess.run([*map(str, command)], check=True, stdout=log, stderr=log, timeout=120,
                           stdin=subprocess.DEVNULL)

    def _start(self, *command):
        with open(self.folder / f"{command[0]}.log", "ab") as log:
            self.processes.append(subprocess.Popen(
                [*map(str, command), "-c", str(self.conf), "-f"], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True))

    def _admin(self, *arguments):
        self._call("radosgw-admin", "-c", self.conf, *arguments)

    def __enter__(self):
        try:
            self._make_cluster()
            self._make_account()
            self._start("radosgw", "-n", "client.rgw")
            self._wait()
            self.boto3().create_bucket(Bucket=self.bucket)
        except BaseException:
            self.close()
            raise
        return self

    def _make_cluster(self):
        monmap, osd = self.folder / "monmap", str(uuid.uuid4())
        self._call("monmaptool", "--create", "--fsid", self.fsid, "--addv", "a",
                   f"[v2:127.0.0.1:{self.mon_port}]", monmap)
        self._call("ceph-mon", "-c", self.conf, "-i", "a", "--mkfs", "--monmap", monmap)
        self._start("ceph-mon", "-i", "a")
        self._call("ceph", "-c", self.conf, "osd", "new", osd)
        self._call("ceph-osd", "-c", self.conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._start("ceph-osd", "-i", "0")

    def _make_account(self):
        self._admin("user", "create", "--uid=sandbox", "--display-name=sandbox",
                    f"--access-key={self.access_key}", f"--secret-key={self.secret_key}")
        self._admin("role", "create", f"--role-name={ROLE}",
                    f"--assume-role-policy-doc={json.dumps(TRUST)}")
        self._admin("role-policy", "put", f"--role-name={ROLE}", "--policy-name=all",
                    f"--policy-doc={json.dumps(RIGHTS)}")

    def _wait(self):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            assert self.processes[-1].poll() is None, "radosgw ended: see its log"
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("GET", "/")
                connection.getresponse().read()
                return
            time.sleep(0.1)
        raise TimeoutError("radosgw does not listen")

    def close(self):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
        self.processes = []

    def __exit__(self, *_):
        self.close()

    # ---- what tests use ----

    def options(self):
        """Of igtcloud-sandbox."""
        return ["--s3-endpoint", self.endpoint, "--s3-keys", self.keys_file, "--s3-bucket",
                self.bucket, "--s3-role", self.role]

    def boto3(self, access_key=None, secret_key=None, session_token=None, service="s3"):
        import boto3
        from botocore.config import Config
        return boto3.session.Session().client(
            service, endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id=access_key or self.access_key,
            aws_secret_access_key=secret_key or self.secret_key, aws_session_token=session_token,
            config=Config(s3={"addressing_style": "path"}, proxies={},
                          retries={"max_attempts": 0}))
