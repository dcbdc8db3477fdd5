# SPDX-License-Identifier: MIT
"""Shards of a project on several machines: docs/cluster.md, whose commands are run here."""

import getpass
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest

from igtcloud import DONE, FAILED, SOME_FAILED, environment, program, tool, tree
from rest_client import RestClient
from sandbox import ROOT

GUIDE = ROOT / "docs" / "cluster.md"
SEED = {"users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
        "projects": [{"name": "trial", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "generate": {"studies": 40, "files": 2, "size": 500}}]},
                     {"name": "sent", "projectTypeName": "EPD", "institutes": [{"name": "new"}]}]}


@pytest.fixture
def scripts_env(cloud, home, tmp_path):
    """What the guide takes for granted: the program in PATH, and a sign-in."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "igtcloud").symlink_to(pathlib.Path(program()).resolve())
    session = RestClient(cloud.url).login()
    return environment(home, PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin",
                       IGTCLOUD_DOMAIN=cloud.url, CLOUD_JWT_TOKEN=session.jwt,
                       CLOUD_CSRF_TOKEN=session.csrf, CLOUD_USERNAME="demo@example.com")


def recipe(name):
    """A block of the guide, for this project."""
    found = re.search(f"<!-- test: {name} -->\n```sh\n(.*?)```", GUIDE.read_text(), re.S)
    return found[1].replace(" PROJECT", " trial")


def lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def assert_whole(report, shards):
    *items, summary = lines(report)
    assert len({i["key"] for i in items if i["kind"] == "file" and i["result"] == "done"}) == 80
    assert summary["status"] == "IGT_OK" and summary["filesDone"] == 80, summary
    assert summary["studies"] == 40 and summary["bytesDone"] == 40000
    assert summary["shards"] == shards and summary["shardsUnfinished"] == 0


# ---- reports ----

@pytest.mark.smoke
def test_reports_become_one(igtcloud, tmp_path):
    reports = []
    for i in (1, 2, 3):
        reports.append(tmp_path / f"{i}.jsonl")
        igtcloud.run("download", "--shard", f"{i}/3", "--report", reports[-1], tmp_path / "out",
                     "trial")
    alone = [lines(r)[-1] for r in reports]
    merged = tmp_path / "all.jsonl"
    done = merge(merged, *reports)
    assert done.returncode == DONE and "3 reports: 80 files transferred" in done.stderr
    assert_whole(merged, 3)
    summary = lines(merged)[-1]
    assert summary["seconds"] == max(s["seconds"] for s in alone)
    assert summary["bytesMoved"] == sum(s["bytesMoved"] for s in alone)
    assert merge("-", *reports).stdout == merged.read_text()


def merge(*arguments):
    return subprocess.run([program(), "report", "merge", *map(str, arguments)], text=True,
                          capture_output=True, timeout=60, check=False)


def test_a_share_that_was_killed(igtcloud, tmp_path):
    igtcloud.run("download", "--report", tmp_path / "1", tmp_path / "out", "trial")
    whole = (tmp_path / "1").read_text()
    (tmp_path / "2").write_text(whole[:len(whole) // 2])
    done = merge(tmp_path / "all", tmp_path / "1", tmp_path / "2")
    assert done.returncode == SOME_FAILED and f"unfinished: {tmp_path / '2'}" in done.stderr
    summary = lines(tmp_path / "all")[-1]
    assert summary["shards"] == 2 and summary["shardsUnfinished"] == 1
    assert summary["status"] == "IGT_E_SOME_FAILED"


def test_a_share_that_failed(igtcloud, tmp_path):
    igtcloud.run("download", "--report", tmp_path / "1", tmp_path / "out", "trial")
    *items, summary = (tmp_path / "1").read_text().splitlines()
    failed = {**json.loads(summary), "status": "IGT_E_SOME_FAILED", "filesFailed": 3}
    (tmp_path / "2").write_text(json.dumps(failed, separators=(",", ":")) + "\n")
    assert merge(tmp_path / "all", tmp_path / "1", tmp_path / "2").returncode == SOME_FAILED
    assert lines(tmp_path / "all")[-1]["filesFailed"] == 3


@pytest.mark.parametrize("statuses, worst", [
    (['"IGT_OK"', '"IGT_E_SOME_FAILED"'], "IGT_E_SOME_FAILED"), (['"IGT_E_NETWORK"', '"IGT_E_SOME_FAILED"'], "IGT_E_NETWORK"),
    (['"IGT_E_NETWORK"', "3"], "IGT_E_NETWORK"), (['"IGT_OK"', "3"], ""), (['"IGT_OK"', '"' + "x" * 100 + '"'], "x" * 63)])
def test_worst_status_stays(tmp_path, statuses, worst):
    for i, status in enumerate(statuses):
        (tmp_path / f"{i}").write_text(f'{{"kind":"summary","status":{status}}}\n')
    merge(tmp_path / "all", tmp_path / "0", tmp_path / "1")
    assert lines(tmp_path / "all")[-1]["status"] == worst


def test_every_count_is_added(igtcloud, tmp_path):
    done = igtcloud.run("download", "--json", "--dry-run", tmp_path / "out", "trial")
    counts = [k for k, v in done.summary.items() if isinstance(v, int)]
    for report in (1, 2):
        summary = {**done.summary, **{k: report * 10 + i for i, k in enumerate(counts)}}
        (tmp_path / f"{report}").write_text(json.dumps(summary, separators=(",", ":")) + "\n")
    merge(tmp_path / "all", tmp_path / "1", tmp_path / "2")
    merged = lines(tmp_path / "all")[-1]
    assert {k: merged.get(k) for k in counts} == {k: 30 + 2 * i for i, k in enumerate(counts)}


def test_what_is_no_report(tmp_path):
    (tmp_path / "notes").write_text("not one\n")
    done = merge(tmp_path / "all", tmp_path / "notes")
    assert done.returncode == FAILED and "is not a report" in done.stderr
    done = merge(tmp_path / "all", tmp_path / "missing")
    assert done.returncode == FAILED and "missing" in done.stderr
    (tmp_path / "1").write_text('{"kind":"summary","status":"IGT_OK"}\n')
    done = merge(tmp_path / "1", tmp_path / "1")
    assert done.returncode == FAILED and "both an input and the output" in done.stderr
    assert (tmp_path / "1").read_text() != ""


# ---- shares ----

def test_upload_in_shares(igtcloud, cloud, tmp_path):
    for n in range(12):
        path = tmp_path / "up" / "new" / f"S{n}" / "f.txt"
        path.parent.mkdir(parents=True)
        path.write_text(str(n))
    for i in (1, 2, 3):
        done = igtcloud.run("upload", "--json", tmp_path / "up", "sent", "new",
                            env={"IGTCLOUD_SHARD": f"{i}/3"})
        assert 0 < done.summary["filesDone"] < 12
    igtcloud.run("download", tmp_path / "down", "sent", "new")
    got = {k: v for k, v in tree(tmp_path / "down").items() if not str(k).endswith("study.json")}
    assert len(got) == 12 and got == tree(tmp_path / "up")


def test_csv_in_shares(igtcloud, tmp_path):
    rows = []
    for i in (1, 2):
        done = igtcloud.run("csv", "--shard", f"{i}/2", "-", "trial", "lab")
        head, *more = done.text.splitlines()
        rows += more
    whole = igtcloud.run("csv", "-", "trial", "lab").text.splitlines()
    assert whole[0] == head and sorted(whole[1:]) == sorted(rows) and len(set(rows)) == 40


# ---- the guide ----

def test_the_recipe_for_gnu_parallel_runs(scripts_env, tmp_path):
    tool("parallel")
    subprocess.run(["/bin/sh", "-e", "-c", recipe("parallel")], cwd=tmp_path, env=scripts_env,
                   check=True, timeout=120)
    assert_whole(tmp_path / "all.jsonl", 8)
    assert len(tree(tmp_path / "OUT")) == 120  # and a study.json each


SLURM = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={work}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={work}/state
SlurmdSpoolDir={work}/spool
SlurmctldPidFile={work}/slurmctld.pid
SlurmdPidFile={work}/slurmd.pid
SlurmctldLogFile={work}/slurmctld.log
SlurmdLogFile={work}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000
PartitionName=all Nodes={host} Default=YES State=UP
"""


@pytest.mark.skipif("IGTCLOUD_TEST_SLURM" not in os.environ,
                    reason="IGTCLOUD_TEST_SLURM=1 runs it: needs root, slurm-wlm and munge")
def test_the_recipe_for_slurm_runs(scripts_env, tmp_path):
    """A cluster of one machine, all in one folder."""
    work = pathlib.Path("/tmp") / f"igtcloud-slurm-{os.getpid()}"  # a socket's path must be short
    work.mkdir(mode=0o755)
    started = []
    try:
        env = dict(scripts_env, SLURM_CONF=str(work / "slurm.conf"),
                   PATH=scripts_env["PATH"] + ":/usr/sbin")
        start_slurm(work, env, started)
        script = recipe("slurm").replace("1-16%8", "1-4%2").replace("/16", "/4")
        (tmp_path / "igtcloud.sbatch").write_text(script)
        subprocess.run(["sbatch", "--wait", "igtcloud.sbatch"], cwd=tmp_path, env=env, check=True,
                       timeout=120)
        reports = sorted((tmp_path / "reports").glob("*.jsonl"))
        assert merge(tmp_path / "all.jsonl", *reports).returncode == DONE
        assert_whole(tmp_path / "all.jsonl", 4)
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(20)
        shutil.rmtree(work, ignore_errors=True)


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start_slurm(work, env, started):
    for name in ("state", "spool"):
        (work / name).mkdir()
    (work / "munge.key").write_bytes(os.urandom(128))
    (work / "munge.key").chmod(0o600)
    host = socket.gethostname().split(".")[0]
    (work / "slurm.conf").write_text(SLURM.format(host=host, ports=free_ports(2), work=work,
                                                  user=getpass.getuser()))
    for command in (["munged", "--foreground", "--force", f"--key-file={work}/munge.key",
                     f"--socket={work}/munge.socket", f"--pid-file={work}/munge.pid",
                     f"--log-file={work}/munge.log", f"--seed-file={work}/munge.seed"],
                    ["slurmctld", "-D", "-c"], ["slurmd", "-D", "-c", "-N", host]):
        with open(work / f"{command[0]}.out", "wb") as out:
            started.append(subprocess.Popen(command, env=env, stdout=out, stderr=out))
        if command[0] == "munged":
            wait_until(lambda: (work / "munge.socket").exists())
    wait_until(lambda: "idle" in subprocess.run(["sinfo", "-h", "-o", "%t"], env=env, text=True,
                                                capture_output=True, timeout=30,
                                                check=False).stdout)


def wait_until(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come so far"
        time.sleep(0.1)
