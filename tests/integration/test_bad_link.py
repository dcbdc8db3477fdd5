# SPDX-License-Identifier: MIT
"""Links on which no connection lives long enough for a file: what arrived is kept, in the run and across a
kill. Bounds are on the bytes that crossed the link, not on time."""

import contextlib
import os
import signal
import sqlite3

import pytest

from bad_link import BadLink
from igtcloud import FAILED, SOME_FAILED, Program, tree
from sandbox import BUCKET, Sandbox, seeded
from uploads import epd, institute, seed

MIB = 1024 * 1024
LARGE, SMALL = 20 * MIB + 3, 3 * MIB + 1
SEED = seed(epd(institute("big", {"name": "film", "files": [{"path": "film.bin", "size": LARGE}]}),
                institute("some", {"name": "s", "files": [{"path": f"f{n}.bin", "size": SMALL}
                                                          for n in range(6)]}),
                institute("other", {"name": "s", "files": [{"path": "f.bin", "size": 7 * MIB}]}),
                name="down"))
ENOUGH = 256 * 1024  # lists, header lines, what lies in buffers when a connection is cut


@contextlib.contextmanager
def cloud_behind(tmp_path, **bad):
    """S3 alone is behind the link; REST, which has tests of its own, is accessed directly."""
    with BadLink(**bad) as link, \
            seeded(tmp_path, SEED, extra=["--public-url", link.url]) as cloud:
        link.target = cloud.port
        yield link, cloud


def files_below(folder):
    return {n: c for n, c in tree(folder).items() if not n.endswith("study.json")}


def is_whole(cloud, folder):
    """Each file of the folder is what the store has."""
    client = cloud.boto3()
    stored = {o["Key"] for o in client.list_objects_v2(Bucket=BUCKET)["Contents"]}
    found = files_below(folder)
    for name, content in found.items():
        study, base = name.split("/")[-3:-1], name.rsplit("/", 1)[1]
        keys = [k for k in stored if k.endswith("/files/" + base)]
        assert any(client.get_object(Bucket=BUCKET, Key=k)["Body"].read() == content
                   for k in keys), (study, name)
    return found


# A cut hits six files at a time, some of which had nothing yet: that costs them a retry.
@pytest.mark.parametrize("name, total, cut, retries",
                         [("big", LARGE, 3 * MIB, "1"), ("some", 6 * SMALL, MIB, "5")])
def test_download_goes_on_where_it_broke(tmp_path, home, out, name, total, cut, retries):
    with cloud_behind(tmp_path, cut_bytes=cut) as (link, cloud):
        done = Program(cloud.url, home).run("download", "--json", "--retries", retries, out, "down",
                                                name)
        assert link.cuts >= total // cut - 1
        assert link.passed < total + link.cuts * ENOUGH
        moved = sum(i["moved"] for i in done.items if i["kind"] == "file")
        assert moved == total
        assert all(i["verified"] for i in done.items if i["kind"] == "file")
        assert len(is_whole(cloud, out)) == (1 if name == "big" else 6)


def test_cat_and_cp(tmp_path, home, out):
    with cloud_behind(tmp_path, cut_bytes=MIB) as (link, cloud):
        igtcloud = Program(cloud.url, home)
        cat = igtcloud.run("cat", "--retries", "1", "down/some/s/files/f1.bin")
        assert link.passed < SMALL + link.cuts * ENOUGH and link.cuts
        igtcloud.run("cp", "--retries", "1", "igt:down/some/s/files/f1.bin", out)
        assert cat.out == out.read_bytes() and len(cat.out) == SMALL
        assert link.passed < 2 * SMALL + link.cuts * ENOUGH


def test_cp_goes_on_after_a_kill(tmp_path, home, out):
    with cloud_behind(tmp_path, down=8e6) as (link, cloud):
        igtcloud = Program(cloud.url, home)
        command = ("cp", "--journal", home / "journal", "igt:down/other/s/files/f.bin", out)
        assert killed_after(link, lambda: igtcloud.start(*command), HALF, lambda: rows(home)) == -9
        before = link.passed
        igtcloud.run(*command)
        assert link.passed - before < 7 * MIB - 2 * MIB
        content = igtcloud.run("cat", "down/other/s/files/f.bin").out
        assert out.read_bytes() == content and len(content) == 7 * MIB


def test_two_downloads_at_once_over_a_line_that_is_cut(tmp_path, home, out):
    """Into one folder: each file is fetched by one of them, and all are complete at the end."""
    with cloud_behind(tmp_path, down=8e6, cut_bytes=8 * MIB) as (link, cloud):
        igtcloud = Program(cloud.url, home)
        both = [igtcloud.start("download", out, "down", "some") for _ in range(2)]
        ends = [(p.communicate(timeout=120)[1].decode(), p.returncode) for p in both]
        assert all(status in (0, SOME_FAILED) for _, status in ends), ends
        assert all(status == 0 or "another process is writing" in err for err, status in ends), ends
        igtcloud.run("download", out, "down", "some")
        assert link.cuts >= 1 and len(is_whole(cloud, out)) == 6 and not partial(out)


@pytest.mark.case("security-25")
def test_what_was_read_before_an_error_is_not_lost(tmp_path, home):
    """cat reads 256 KiB at once: the first window is 64 KiB, the second one fails."""
    with cloud_behind(tmp_path) as (_, cloud):
        igtcloud = Program(cloud.url, home)
        whole = igtcloud.run("cat", "down/some/s/files/f1.bin")
        cloud.faults({"fault": "reset", "method": "GET", "path": "/igtcloud/**/f1.bin", "skip": 1,
                      "times": 0})
        done = igtcloud.run("cat", "--retries", "0", "down/some/s/files/f1.bin", status=FAILED)
        assert done.out == whole.out[:64 * 1024] and "f1.bin" in done.err


def test_a_byte_now_and_then_is_no_progress(tmp_path, home, out):
    """20 KiB a connection: 64 KiB in three attempts pass, and in two they don't."""
    with cloud_behind(tmp_path, cut_bytes=24 * 1024) as (link, cloud):
        igtcloud = Program(cloud.url, home)
        done = igtcloud.run("download", "--retries", "1", "--connections", "1", out, "down", "other",
                            status=SOME_FAILED)
        assert "gave up after 2 attempts without progress in " in done.err
        assert link.cuts <= 4  # two attempts, and one of each that reaches the other loop
        assert not [n for n in files_below(out) if n.endswith("f.bin")]


def test_an_object_that_is_replaced_meanwhile(tmp_path, home, out):
    """Never the start of one version and the rest of another."""
    new = os.urandom(7 * MIB)
    with cloud_behind(tmp_path, cut_bytes=3 * MIB) as (link, cloud):
        client = cloud.boto3()
        key = next(o["Key"] for o in client.list_objects_v2(Bucket=BUCKET)["Contents"]
                   if o["Key"].endswith("/files/f.bin"))

        def replace():
            link.on_cut = None
            link.cut_bytes = 0
            client.put_object(Bucket=BUCKET, Key=key, Body=new)
        client = cloud.boto3()
        link.on_cut = replace
        Program(cloud.url, home).run("download", out, "down", "other")
        assert link.cuts == 1 and list(files_below(out).values()) == [new]


# ---- across a kill ----

HALF = 6 * MIB  # of the 7 of f.bin: at 8 MB/s its place is in the journal before, after half a second


def rows(home):
    """Downloads that the journal knows of."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{home}/journal?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(*) FROM download").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def killed_after(link, start, much, ready=lambda: True):
    """Killed once this many bytes have crossed the link, which then blocks. The exit status; 0: there were
    fewer."""
    link.hold_at = link.passed + much
    process = start()
    Sandbox.wait_for(lambda: process.poll() is not None or (link.passed >= link.hold_at and ready()))
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    link.hold_at = 0
    return process.returncode


@pytest.mark.parametrize("name, total", [("big", LARGE), ("some", 6 * SMALL)])
def test_runs_that_are_killed_get_there(tmp_path, home, out, name, total):
    """Each run has its 6 MiB (0.8 s): less than one range of a file, or two small files."""
    with cloud_behind(tmp_path, down=8e6) as (link, cloud):
        igtcloud, runs = Program(cloud.url, home), 1
        arguments = ("--journal", home / "journal", out, "down", name)
        while killed_after(link, lambda: igtcloud.start("download", *arguments), 6 * MIB) != 0:
            runs += 1
            assert runs < 12
        assert runs > 1
        # A quarter of a second, and a commit's tenth, at 8 MB/s; a run reads lists, too.
        assert link.passed < total + runs * 4 * MIB
        assert len(is_whole(cloud, out)) == (1 if name == "big" else 6)


def leave_half(tmp_path, home, out, name, link, cloud):
    igtcloud = Program(cloud.url, home)
    arguments = ("--journal", home / "journal", out, "down", name)
    assert killed_after(link, lambda: igtcloud.start("download", *arguments), HALF,
                        lambda: rows(home)) == -9
    return igtcloud, arguments


def test_a_link_that_is_cut_after_a_kill(tmp_path, home, out):
    """A resumed file is retried like any other."""
    with cloud_behind(tmp_path, down=8e6) as (link, cloud):
        igtcloud, arguments = leave_half(tmp_path, home, out, "other", link, cloud)
        link.cut_bytes, link.next_cut = MIB, link.passed + MIB
        igtcloud.run("download", *arguments)
        assert link.cuts and len(is_whole(cloud, out)) == 1 and not partial(out)


def partial(out):
    return [p for p in out.rglob(".*.igtpart")]


def test_other_bytes_in_the_partial_file_are_found(tmp_path, home, out):
    with cloud_behind(tmp_path, down=8e6) as (link, cloud):
        igtcloud, arguments = leave_half(tmp_path, home, out, "other", link, cloud)
        with open(partial(out)[0], "r+b") as half:
            half.seek(1000)
            half.write(b"other bytes")
        igtcloud.run("download", *arguments)
        assert len(is_whole(cloud, out)) == 1 and not partial(out) and rows(home) == 0


@pytest.mark.parametrize("what", ["shorter", "gone"])
def test_a_partial_file_that_was_cut(tmp_path, home, out, what):
    with cloud_behind(tmp_path, down=8e6) as (link, cloud):
        igtcloud, arguments = leave_half(tmp_path, home, out, "other", link, cloud)
        if what == "gone":
            partial(out)[0].unlink()
        else:
            os.truncate(partial(out)[0], 100)
        done = igtcloud.run("download", "--json", *arguments)
        film = next(i for i in done.items if i["kind"] == "file")
        assert film["moved"] >= 7 * MIB - 100 and film["verified"]
        assert len(is_whole(cloud, out)) == 1 and not partial(out)


def test_an_object_that_is_replaced_between_runs(tmp_path, home, out):
    with cloud_behind(tmp_path, down=8e6) as (link, cloud):
        igtcloud, arguments = leave_half(tmp_path, home, out, "other", link, cloud)
        client = cloud.boto3()
        key = next(o["Key"] for o in client.list_objects_v2(Bucket=BUCKET)["Contents"]
                   if o["Key"].endswith("/files/f.bin"))
        client.put_object(Bucket=BUCKET, Key=key, Body=os.urandom(7 * MIB))
        igtcloud.run("download", *arguments)
        assert len(is_whole(cloud, out)) == 1 and not partial(out)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_small_file_goes_on_after_a_signal(tmp_path, home, out, number, status):
    with cloud_behind(tmp_path, down=8e6) as (link, cloud):
        igtcloud = Program(cloud.url, home)
        link.hold_at = 4 * MIB
        process = igtcloud.start("download", "--journal", home / "journal", out, "down", "other")
        cloud.wait_for(lambda: link.passed >= link.hold_at)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        link.hold_at = 0
        assert process.returncode == status and b"1 study was not finished" in err
        done = igtcloud.run("download", "--json", "--journal", home / "journal", out, "down", "other")
        film = next(i for i in done.items if i["kind"] == "file")
        assert 0 < film["moved"] < 7 * MIB - 2 * MIB and film["verified"]
        assert len(is_whole(cloud, out)) == 1 and not partial(out)
