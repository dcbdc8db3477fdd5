# SPDX-License-Identifier: MIT
"""Starts and stops igtcloud-sandbox for tests.

    with Sandbox(seed="demo") as sandbox:
        boto = sandbox.boto3()          # S3 as the root account
        urllib.request.urlopen(sandbox.url + "/api/...")

The program is $IGTCLOUD_SANDBOX_BIN, or build/igtcloud-sandbox of this checkout. Each instance has
its own temporary folder and a port that the system picked.
"""

import contextlib
import fnmatch
import functools
import json
import os
import pathlib
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUCKET = "igtcloud"
REGION = "eu-central-1"
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # past any proxy


_boto3_lock = threading.Lock()  # a session makes one client after the other


@functools.cache
def _boto3_session():
    """One for all clients: a new one reads the description of S3 again, which takes longer than
    most tests. scripts/run-tests has made boto3's own, and read it."""
    import boto3
    return boto3.DEFAULT_SESSION or boto3.session.Session()


def program():
    return os.environ.get("IGTCLOUD_SANDBOX_BIN") or str(ROOT / "build" / "igtcloud-sandbox")


class SandboxError(Exception):
    pass


# Keys of services, made by the first sandbox of this run that had so many: a new one takes a quarter of a
# second. IGTCLOUD_TEST_KEYS is a folder for those of scripts/run-tests, which has a process for each file.
_keys = []
DEMO_KEY = "upload-station@demo.pem"


def _key_files(seed):
    """Names of the key files that a sandbox makes in its folder."""
    if seed == "demo":
        return [DEMO_KEY]
    try:
        services = json.loads(pathlib.Path(seed).read_text("utf-8"))["services"]
        return [s["id"] + ".pem" for s in services
                if "/" not in s["id"] and not {"key_file", "public_key"} & set(s)]
    except (KeyError, OSError, TypeError, ValueError):
        return []


def _shared_keys(first):
    """Those of other processes from this number on."""
    folder = os.environ.get("IGTCLOUD_TEST_KEYS")
    while folder and (path := pathlib.Path(folder, str(first))).exists():
        yield path.read_bytes()
        first += 1


def _share_key(number):
    """Whole or not at all: another process may read it now."""
    if folder := os.environ.get("IGTCLOUD_TEST_KEYS"):
        written = pathlib.Path(folder, f"{number}.{os.getpid()}")
        written.write_bytes(_keys[number])
        written.rename(written.with_suffix(""))


class Sandbox:
    """One sandbox; `data` is kept over restart() and removed by close()."""

    def __init__(self, seed=None, data=None, port=0, latency=None, token_lifetime=None,
                 s3_lifetime=None, extra=(), start=True):
        self.own_data = data is None
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix="igtcloud-sandbox-"))
        self.key_files = _key_files(seed) if self.own_data else []
        self._write_keys()
        self.options = ["--data", str(self.data)]
        for name, value in (("--seed", seed), ("--latency", latency),
                            ("--token-lifetime", token_lifetime), ("--s3-lifetime", s3_lifetime)):
            if value is not None:
                self.options += [name, str(value)]
        self.options += [str(x) for x in extra]
        # The same tests on another S3: tests/interop.
        self.options += shlex.split(os.environ.get("IGTCLOUD_SANDBOX_OPTIONS", ""))
        self.port = port
        self.process = None
        self.url = None
        self.log_path = self.data.parent / (self.data.name + ".log")
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _write_keys(self):
        for key in _shared_keys(len(_keys)):
            _keys.append(key)
        for name, key in zip(self.key_files, _keys):
            with open(os.open(self.data / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(key)

    def _keep_keys(self):
        for name in self.key_files[len(_keys):]:
            _keys.append((self.data / name).read_bytes())
            _share_key(len(_keys) - 1)

    # ---- the process ----

    def start(self, timeout=120):
        """Of a restart: once nothing else has its port, as a connection of another test may."""
        end = time.monotonic() + timeout
        while not self._try_start(timeout):
            if not self.port or "is it in use?" not in self.log()[-200:] or time.monotonic() > end:
                raise SandboxError(f"the sandbox did not start:\n{self.log()}")
            time.sleep(0.05)
        return self

    def _try_start(self, timeout):
        assert self.process is None, "the sandbox runs already"
        command = [program(), *self.options, "--port", str(self.port)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log)
        line = self._first_line(timeout)
        prefix = "listening on "
        if not line.startswith(prefix):
            self.kill()
            return False
        self.url = line[len(prefix):].strip()
        self.port = int(self.url.rsplit(":", 1)[1])  # a restart keeps it
        self._keep_keys()
        return True

    def _first_line(self, timeout):
        """The first line of its standard output, without waiting longer than timeout."""
        fd, line = self.process.stdout.fileno(), b""
        end = time.monotonic() + timeout
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                break
            piece = os.read(fd, 4096)
            if not piece:
                break
            line += piece
        return line.decode("utf-8", "replace")

    def stop(self, timeout=120):
        """SIGTERM; the exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self._reap(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        """SIGKILL, as a crash would be."""
        if self.process is not None:
            self.process.kill()
            self._reap(30)

    def _reap(self, timeout):
        status = self.process.wait(timeout)
        self.process.stdout.close()
        self.process = None
        return status

    def restart_with(self, **options):
        """With other values of options that it has."""
        for name, value in options.items():
            self.options[self.options.index("--" + name.replace("_", "-")) + 1] = str(value)
        return self.restart()

    def restart(self):
        """Stops it when it runs, and starts it on the same data and port."""
        self.stop()
        return self.start()

    def close(self):
        try:
            self.stop()
        finally:
            if self.own_data:
                shutil.rmtree(self.data, ignore_errors=True)
                self.log_path.unlink(missing_ok=True)

    # ---- faults, with extra=["--faults"] ----

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, data=body,
                                         headers={"Content-Type": "application/json"})
        try:
            with _direct.open(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as e:
            raise SandboxError(e.read().decode("utf-8", "replace")) from None
        return json.loads(text) if text else None

    def faults(self, *plan):
        """Adds to the queue of faults: docs/sandbox.md."""
        self._ask("POST", "/__faults", json.dumps(plan).encode())

    def planned(self):
        return self._ask("GET", "/__faults")

    def requests(self, **wanted):
        """The log, or those entries that have these members, as path="*.bin". It has all that a program did
        that has ended."""
        def fits(value, pattern):
            return (fnmatch.fnmatchcase(value, pattern) if isinstance(pattern, str) and
                    isinstance(value, str) else value == pattern)
        return [r for r in self._ask("GET", "/__requests")
                if all(fits(r[k], v) for k, v in wanted.items())]

    def heal(self):
        """Deletes the faults, and ends silences that have begun."""
        self._ask("DELETE", "/__faults")

    def clear(self):
        """Forgets faults and log."""
        self._ask("DELETE", "/__faults")
        self._ask("DELETE", "/__requests")

    @staticmethod
    def wait_for(what, seconds=120):
        """What it came to, once that is true."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, "it did not come so far"
            time.sleep(0.01)
        return found

    def log(self):
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    # ---- S3 ----

    def root_credentials(self):
        """accessKey, secretKey, endpoint, region and bucket of the account with all rights."""
        return json.loads((self.data / "root-credentials.json").read_text("utf-8"))

    def s3_environment(self):
        """Variables for awscli and other clients, without the user's own AWS settings."""
        root = self.root_credentials()
        env = {k: v for k, v in os.environ.items() if not k.upper().startswith("AWS_")}
        env.update(AWS_ACCESS_KEY_ID=root["accessKey"], AWS_SECRET_ACCESS_KEY=root["secretKey"],
                   AWS_DEFAULT_REGION=REGION, AWS_EC2_METADATA_DISABLED="true",
                   AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null",
                   AWS_ENDPOINT_URL=self.url, NO_PROXY="127.0.0.1,localhost",
                   no_proxy="127.0.0.1,localhost")
        return env

    @functools.cached_property
    def reader(self):
        """One client for all that only looks: a new one takes longer than what it reads."""
        return self.boto3()

    def boto3(self, access_key=None, secret_key=None, session_token=None, region=REGION,
              **config):
        """A boto3 client of this S3; the root account unless keys are given."""
        from botocore.config import Config
        root = self.root_credentials()
        config.setdefault("s3", {"addressing_style": "path"})
        config.setdefault("proxies", {})
        config.setdefault("retries", {"max_attempts": 0})
        with _boto3_lock:
            return _boto3_session().client(
                "s3", endpoint_url=self.url, region_name=region,
                aws_access_key_id=access_key or root["accessKey"],
                aws_secret_access_key=secret_key or root["secretKey"],
                aws_session_token=session_token, config=Config(**config))

    def store_in_parts(self, key, sizes):
        """Stores an object again, in parts of these sizes; returns its bytes."""
        s3, where = self.boto3(), {"Bucket": BUCKET, "Key": key}
        data = s3.get_object(**where)["Body"].read()
        assert sum(sizes) == len(data)
        upload = s3.create_multipart_upload(**where)["UploadId"]
        parts, at = [], 0
        for number, size in enumerate(sizes, 1):
            part = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=data[at:at + size])
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
            at += size
        s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        return data


@contextlib.contextmanager
def seeded(folder, seed, extra=(), **options):
    """A sandbox that holds `seed`, with a log of requests and with faults; it has to end well."""
    if seed != "demo":
        path = folder / "seed.json"
        path.write_text(json.dumps(seed))
        seed = path
    with Sandbox(seed=seed, extra=["--faults", *extra], **options) as running:
        yield running
        assert running.stop() == 0, running.log()  # sanitizers speak up at the end, too
