# SPDX-License-Identifier: MIT
"""The programs that are compared, each at its best documented settings. A tool knows how to fetch the
objects below a prefix into a folder, and how to send a folder below a prefix; igtcloud does the same
through the cloud's REST API, with its bookkeeping."""

import datetime
import hashlib
import hmac
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import urllib.parse

import measure

BUCKET, REGION = "igtcloud", "eu-central-1"
USER, PASSWORD = "bench@example.com", "bench"
ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = pathlib.Path(__file__).resolve().parent / "python_client.py"


class Tool:
    name = ""
    settings = ""         # of it, for the table
    takes_latency = True  # worth running where each response is delayed
    cases = ()            # if it is for some alone

    def available(self):
        return shutil.which(self.name, path="/usr/bin:/bin:/usr/local/bin") is not None

    def prepare(self, job):
        """Outside the measured time."""

    def down(self, job):
        raise NotImplementedError

    def up(self, job):
        raise NotImplementedError


def pace_of(log):
    """What lib/transfer/engine/sched.c logs at its end."""
    found = re.search(r"concurrent requests: ([0-9.]+) on average in ([0-9.]+) s .*, (\d+) at the end",
                      log)
    return (float(found[1]), float(found[2]), int(found[3])) if found else ()


class Igtcloud(Tool):
    name = "igtcloud"
    settings = "defaults"

    def __init__(self, program, name="igtcloud", more=()):
        self.program, self.name, self.more = program, name, list(more)

    def available(self):
        return os.access(self.program, os.X_OK)

    def _run(self, job, *arguments):
        env = job.environment(IGTCLOUD_JOURNAL=job.home / f"journal-{self.name}.db")
        more = ["--ca-file", job.ca] if job.ca else []
        log = job.home / "igtcloud.log"
        if job.case.latency:  # one line: how many connections it had
            log.unlink(missing_ok=True)
            more += ["--log-file", log]
        done = measure.run([self.program, *arguments, "--quiet", "--no-progress", "--domain", job.url,
                            "--user", USER, "--password-stdin", *more, *self.more], env, job.pids,
                           stdin=PASSWORD.encode() + b"\n")
        if job.case.latency:
            done.pace = pace_of(log.read_text())
        return done

    def prepare(self, job):
        if not job.again:
            for old in job.home.glob(f"journal-{self.name}.db*"):
                old.unlink()

    def down(self, job):
        return self._run(job, "download", job.target, job.project)

    def up(self, job):
        return self._run(job, "upload", job.source, job.project)

    def cat(self, job, place, target):
        """To a file, as the shell does it."""
        return measure.run(["/bin/sh", "-c", 'exec "$@" > "$0"', target, self.program, "cat", place, "--quiet",
                            "--domain", job.url, "--user", USER, "--password-stdin"], job.environment(), job.pids,
                           stdin=PASSWORD.encode() + b"\n")

    def csv(self, job, *more):
        return self._run(job, "csv", *more, job.target, job.project)


class Static(Igtcloud):
    """The program of `make standalone`, with a C library and an allocator of its own, beside the
    dynamic one; in the cases that tell the two apart."""
    cases = ("start", "small-down", "large-down", "latency-down")

    def __init__(self):
        made = sorted(ROOT.glob(f"build-standalone/igtcloud-*-linux-{os.uname().machine}"), key=os.path.getmtime)
        super().__init__(os.environ.get("STATIC") or (made or [""])[-1], "static")


def package_script(job, package, what, target):
    """SCRIPT with the Python package of this project. Both clients keep compiled modules, as installed ones have."""
    return measure.run(["/usr/bin/python3", SCRIPT, what, job.url, USER, target],
                       job.environment(PYTHONPATH=package, PYTHONDONTWRITEBYTECODE=""), job.pids, stdin=PASSWORD.encode() + b"\n")


class Reference(Tool):
    """REFERENCE='command': the existing Python client, as bench/reference runs it."""
    name = "reference"
    # Its default is 4 and 4. With more files it takes longer: one thread of Python runs at a time.
    settings = "--concurrent-studies 8 --concurrent-files 4"

    def __init__(self, command):
        self.command = command

    def available(self):
        return bool(self.command)

    def _run(self, job, command, folder):
        # TLS is Python's own, urllib3's through requests, and boto's: each has its variable.
        env = job.environment(AWS_ENDPOINT_URL=job.s3_url, AWS_DEFAULT_REGION=REGION,
                              **job.trust("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"))
        return measure.run([*shlex.split(self.command), command, *self.settings.split(),
                            "--domain", job.url, "--user", USER, folder, job.project], env, job.pids,
                           stdin=PASSWORD.encode() + b"\n")

    def down(self, job):
        return self._run(job, "download", job.target)

    def up(self, job):
        return self._run(job, "upload", job.source)

    def script(self, job, what, target):
        env = job.environment(AWS_ENDPOINT_URL=job.s3_url, AWS_DEFAULT_REGION=REGION, PYTHONDONTWRITEBYTECODE="")
        return measure.run([*shlex.split(self.command), "run", SCRIPT, what, job.url, USER, target], env, job.pids,
                           stdin=PASSWORD.encode() + b"\n")


class Rclone(Tool):
    name = "rclone"
    settings = ("--transfers 16 --checkers 16 --fast-list --s3-no-check-bucket --s3-no-head "
                "--s3-upload-concurrency 8 --s3-chunk-size 16M --multi-thread-streams 4")

    def _run(self, job, source, target):
        root = job.root
        env = job.environment(RCLONE_CONFIG=job.home / "rclone.conf", RCLONE_CONFIG_X_TYPE="s3",
                              RCLONE_CONFIG_X_PROVIDER="Other",
                              RCLONE_CONFIG_X_ACCESS_KEY_ID=root["accessKey"],
                              RCLONE_CONFIG_X_SECRET_ACCESS_KEY=root["secretKey"],
                              RCLONE_CONFIG_X_ENDPOINT=job.s3_url, RCLONE_CONFIG_X_REGION=REGION,
                              **job.trust("RCLONE_CA_CERT"))
        return measure.run(["/usr/bin/rclone", "copy", *self.settings.split(), source, target], env,
                           job.pids)

    def down(self, job):
        return self._run(job, f"X:{BUCKET}/{job.prefix}", job.target)

    def up(self, job):
        return self._run(job, job.source, f"X:{BUCKET}/{job.sent_prefix}")


class Aws(Tool):
    name = "aws"
    settings = "s3 cp --recursive, max_concurrent_requests 16, multipart_chunksize 16MB"

    def _run(self, job, source, target):
        config = job.home / "aws.config"
        config.write_text("[default]\ns3 =\n  max_concurrent_requests = 16\n"
                          "  multipart_chunksize = 16MB\n  addressing_style = path\n")
        env = job.environment(AWS_CONFIG_FILE=config, AWS_ACCESS_KEY_ID=job.root["accessKey"],
                              AWS_SECRET_ACCESS_KEY=job.root["secretKey"],
                              AWS_DEFAULT_REGION=REGION, AWS_EC2_METADATA_DISABLED="true",
                              **job.trust("AWS_CA_BUNDLE"))
        return measure.run(["/usr/bin/aws", "--endpoint-url", job.s3_url, "s3",
                            "sync" if job.again else "cp",
                            *([] if job.again else ["--recursive"]), "--only-show-errors", source,
                            target], env, job.pids)

    def down(self, job):
        return self._run(job, f"s3://{BUCKET}/{job.prefix}", job.target)

    def up(self, job):
        return self._run(job, job.source, f"s3://{BUCKET}/{job.sent_prefix}")


class S3cmd(Tool):
    name = "s3cmd"
    settings = "sync, defaults (one file at a time)"
    takes_latency = False

    def _run(self, job, source, target):
        config = job.home / "s3cmd.config"
        host = job.s3_url.split("://")[1]
        secure = f"use_https = True\nca_certs_file = {job.ca}\n" if job.ca else "use_https = False\n"
        config.write_text(f"[default]\naccess_key = {job.root['accessKey']}\n"
                          f"secret_key = {job.root['secretKey']}\nhost_base = {host}\n"
                          f"host_bucket = {host}\nbucket_location = {REGION}\n"
                          f"{secure}signature_v2 = False\n")
        return measure.run(["/usr/bin/s3cmd", "-c", config, "--no-progress", "-q", "sync", source,
                            target], job.environment(), job.pids)

    def down(self, job):
        return self._run(job, f"s3://{BUCKET}/{job.prefix}", f"{job.target}/")

    def up(self, job):
        return self._run(job, f"{job.source}/", f"s3://{BUCKET}/{job.sent_prefix}")


class S5cmd(Tool):
    """S5CMD=path, or what is on the PATH: Debian 12 has none."""
    name = "s5cmd"
    settings = "cp, --numworkers 64 --concurrency 8"

    def __init__(self, program):
        self.program = program

    def available(self):
        return bool(self.program)

    def _run(self, job, source, target):
        env = job.environment(AWS_ACCESS_KEY_ID=job.root["accessKey"], AWS_REGION=REGION,
                              AWS_SECRET_ACCESS_KEY=job.root["secretKey"],
                              **job.trust("AWS_CA_BUNDLE"))
        return measure.run([self.program, "--endpoint-url", job.s3_url, "--log", "error",
                            "--numworkers", "64", "cp", "--concurrency", "8", source, target], env,
                           job.pids)

    def down(self, job):
        return self._run(job, f"s3://{BUCKET}/{job.prefix}*", f"{job.target}/")

    def up(self, job):
        return self._run(job, f"{job.source}/", f"s3://{BUCKET}/{job.sent_prefix}")


def presign(job, method, key, now, extra=None):
    """A URL that needs no more headers; what a floor must not spend its time on."""
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = f"{day}/{REGION}/s3/aws4_request"
    path = urllib.parse.quote(f"/{BUCKET}/{key}")
    query = urllib.parse.urlencode(sorted({
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Date": stamp, "X-Amz-Expires": "86400",
        "X-Amz-Credential": f"{job.root['accessKey']}/{scope}",
        "X-Amz-SignedHeaders": "host", **(extra or {})}.items()),
        quote_via=lambda text, *_: urllib.parse.quote(text, safe=""))
    host = job.s3_url.split("://")[1]
    canonical = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = ("AWS4" + job.root["secretKey"]).encode()
    for step in (day, REGION, "s3", "aws4_request"):
        secret = hmac.digest(secret, step.encode(), "sha256")
    signature = hmac.new(secret, text.encode(), "sha256").hexdigest()
    return f"{job.s3_url}{path}?{query}&X-Amz-Signature={signature}"


class Curl(Tool):
    """The floor: presigned URLs, nothing checked, nothing listed."""
    name = "curl"
    settings = "--parallel --parallel-max 16, presigned URLs, nothing is listed or verified"

    def prepare(self, job):
        now = datetime.datetime.now(datetime.timezone.utc)
        lines = [f'cacert = "{job.ca}"'] if job.ca else []
        for name in job.names:
            if job.upward:
                lines += [f'url = "{presign(job, "PUT", job.sent_prefix + name, now)}"',
                          f'upload-file = "{job.source}/{name}"']
            else:
                lines += [f'url = "{presign(job, "GET", job.prefix + name, now)}"',
                          f'output = "{job.target}/{name}"']
        (job.home / "curl.config").write_text("\n".join(lines) + "\n")

    def _run(self, job):
        return measure.run(["/usr/bin/curl", "--disable", "--silent", "--show-error", "--fail",
                            "--parallel", "--parallel-max", "16", "--create-dirs", "--config",
                            job.home / "curl.config"], job.environment(),
                           job.pids)

    down = up = _run


class Copy(Tool):
    """What the disk can do."""
    name = "cp"
    settings = "-r, from the disk to the disk"
    takes_latency = False

    def down(self, job):
        return measure.run(["/bin/cp", "-r", job.local_copy, job.target / "copy"],
                           job.environment(), job.pids)


def others():
    return [Static(), Rclone(), Aws(), S3cmd(), S5cmd(os.environ.get("S5CMD") or shutil.which("s5cmd")),
            Reference(os.environ.get("REFERENCE", "")), Curl(), Copy()]


def versions(tools):
    """First lines of what they say of themselves."""
    for tool in tools:
        if tool.name in ("cp", "reference"):
            continue
        program = getattr(tool, "program", f"/usr/bin/{tool.name}")
        flag = "version" if tool.name in ("igtcloud", "static", "s5cmd", "rclone") else "--version"
        done = subprocess.run([program, flag], capture_output=True, text=True, check=False,
                              env=measure.clean_environment())
        first = (done.stdout or done.stderr).strip().splitlines()
        yield tool.name, first[0] if first else "?"


def wanted(names, program):
    tools = [t for t in [Igtcloud(pathlib.Path(program)), *others()] if t.available()]
    return [t for t in tools if not names or t.name in names]
