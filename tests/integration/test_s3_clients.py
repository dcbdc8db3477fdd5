# SPDX-License-Identifier: MIT
"""Clients that no one here wrote: awscli, rclone, s3cmd. (boto3 is in all other files.)"""

import json
import os
import shutil
import subprocess
import urllib.request

import pytest

from igtcloud import tool


def same(a, b):
    """Both folders hold the same names and bytes."""
    def tree(root):
        return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert tree(a) == tree(b)


def versions_of(name):
    """The system's own, and another one that stands earlier in PATH (a newer one signs and
    checksums in other ways)."""
    found = [shutil.which(name, path="/usr/bin:/bin"), shutil.which(name)]
    return list(dict.fromkeys(path for path in found if path)) or [name]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Names and sizes that make trouble: below and above the limit of multipart."""
    root = tmp_path_factory.mktemp("files")
    sizes = {"empty": 0, "one": 1, "a b/c+d.txt": 100, "ümläut/日本.bin": 70000,
             "deep/er/still": 3000, "large.bin": 20 << 20, "~!(x)'&=.txt": 5}
    for name, size in sizes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    return root


def call(command, env, **more):
    done = subprocess.run([str(c) for c in command], env=env, capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


# ---- awscli ----

@pytest.fixture(scope="module", params=versions_of("aws"))
def aws(request, sandbox):
    env = sandbox.s3_environment()

    def run(*arguments):
        return call([request.param, "--endpoint-url", sandbox.url, *arguments], env)
    return run


def test_aws_files(aws, files, bucket, prefix, tmp_path):
    where = f"s3://{bucket}/{prefix}"
    aws("s3", "cp", "--recursive", "--sse", "AES256", files, where)
    aws("s3", "cp", "--recursive", where, tmp_path / "down")
    same(files, tmp_path / "down")
    assert aws("s3", "sync", files, where, "--size-only") == ""
    listing = aws("s3", "ls", "--recursive", where)
    assert len(listing.splitlines()) == 7
    assert "PRE deep/" in aws("s3", "ls", where)
    aws("s3", "mv", where + "large.bin", where + "moved.bin")
    aws("s3", "cp", where + "moved.bin", tmp_path / "moved.bin")
    assert (tmp_path / "moved.bin").read_bytes() == (files / "large.bin").read_bytes()
    aws("s3", "rm", "--recursive", where)
    assert "Contents" not in (aws("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix)
                              or "{}")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_aws_checksums(aws, files, bucket, prefix, tmp_path, algorithm):
    put = json.loads(aws("s3api", "put-object", "--bucket", bucket, "--key", prefix + "x", "--body",
                         files / "ümläut/日本.bin", "--checksum-algorithm", algorithm))
    got = json.loads(aws("s3api", "get-object", "--bucket", bucket, "--key", prefix + "x",
                         "--checksum-mode", "ENABLED", tmp_path / "x"))
    assert put["Checksum" + algorithm] == got["Checksum" + algorithm]
    assert (tmp_path / "x").read_bytes() == (files / "ümläut/日本.bin").read_bytes()


def test_aws_presign(aws, bucket, prefix, s3):
    s3.put_object(Bucket=bucket, Key=prefix + "a b", Body=b"shared")
    url = aws("s3", "presign", f"s3://{bucket}/{prefix}a b").strip()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        assert answer.read() == b"shared"


# ---- rclone ----

@pytest.fixture(scope="module", params=[("Other", 2), ("Minio", 1)], ids=str)
def rclone(request, sandbox):
    root, env = sandbox.root_credentials(), sandbox.s3_environment()
    env.update(RCLONE_CONFIG=os.devnull, RCLONE_CONFIG_BOX_TYPE="s3",
               RCLONE_CONFIG_BOX_PROVIDER=request.param[0],
               RCLONE_CONFIG_BOX_ACCESS_KEY_ID=root["accessKey"],
               RCLONE_CONFIG_BOX_SECRET_ACCESS_KEY=root["secretKey"],
               RCLONE_CONFIG_BOX_ENDPOINT=sandbox.url, RCLONE_CONFIG_BOX_REGION=root["region"],
               RCLONE_CONFIG_BOX_FORCE_PATH_STYLE="true",
               RCLONE_CONFIG_BOX_SERVER_SIDE_ENCRYPTION="AES256",
               RCLONE_CONFIG_BOX_UPLOAD_CUTOFF="8M", RCLONE_CONFIG_BOX_CHUNK_SIZE="5M",
               RCLONE_CONFIG_BOX_LIST_VERSION=str(request.param[1]))
    path = tool("rclone")

    def run(*arguments):
        return call([path, "--retries", "1", *arguments], env)
    return run


def test_rclone_copies_and_checks(rclone, files, bucket, prefix, tmp_path):
    where = f"box:{bucket}/{prefix.rstrip('/')}"
    rclone("copy", files, where)
    rclone("check", files, where)
    rclone("copy", where, tmp_path / "down")
    same(files, tmp_path / "down")
    times = {p.relative_to(files): p.stat().st_mtime_ns for p in files.rglob("*") if p.is_file()}
    for name, mtime in times.items():
        assert (tmp_path / "down" / name).stat().st_mtime_ns == mtime
    os.utime(tmp_path / "down" / "one", (1e9, 1e9))
    rclone("sync", tmp_path / "down", where)  # sets the time by a copy onto itself
    assert json.loads(rclone("lsjson", where + "/one"))[0]["ModTime"].startswith("2001-09-09")
    rclone("moveto", where + "/large.bin", where + "/sub/moved.bin")
    assert rclone("size", "--json", where + "/sub").startswith('{"count":1,"bytes":20971520')
    rclone("purge", where)
    assert rclone("lsf", f"box:{bucket}", "--include", prefix + "**") == ""


# ---- s3cmd ----

@pytest.fixture
def s3cmd(sandbox, tmp_path):
    root, host = sandbox.root_credentials(), sandbox.url.removeprefix("http://")
    config, path, env = tmp_path / "config", tool("s3cmd"), sandbox.s3_environment()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        env.pop(name)
    env["LC_ALL"] = "C.UTF-8"

    def run(*arguments, region="eu-central-1"):
        config.write_text(f"[default]\naccess_key = {root['accessKey']}\n"
                          f"secret_key = {root['secretKey']}\nhost_base = {host}\n"
                          f"host_bucket = {host}\nbucket_location = {region}\nuse_https = False\n"
                          f"multipart_chunk_size_mb = 5\nsignature_v2 = False\n")
        return call([path, "-c", config, "--no-progress", *arguments], env)
    return run


def test_s3cmd_puts_lists_and_gets(s3cmd, files, bucket, prefix, tmp_path):
    where = f"s3://{bucket}/{prefix}"
    s3cmd("put", "--recursive", "--server-side-encryption", f"{files}/", where)
    assert len(s3cmd("ls", "--recursive", where).splitlines()) == 7
    s3cmd("sync", where, f"{tmp_path}/down/")
    same(files, tmp_path / "down")
    s3cmd("cp", where + "one", where + "two")
    s3cmd("mv", where + "two", where + "three")
    s3cmd("get", where + "three", tmp_path / "three")
    assert (tmp_path / "three").read_bytes() == (files / "one").read_bytes()
    s3cmd("del", "--recursive", "--force", where)
    assert s3cmd("ls", "--recursive", where) == ""


def test_s3cmd_learns_the_region(s3cmd, files, bucket, prefix):
    where = f"s3://{bucket}/{prefix}"
    s3cmd("put", files / "one", where, region="us-east-1")
    assert where + "one" in s3cmd("ls", where, region="us-east-1")
