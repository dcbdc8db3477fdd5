# SPDX-License-Identifier: MIT
"""SIGKILL at random moments of each command that transfers; test_resume.py has `download` and `upload` themselves.

After each kill, no file that has its final name is wrong, and nothing is lost; the last run, which is not killed,
completes. `make check-long` kills 40 times in each test, `make check` once.
"""

import os
import random
import subprocess

import pytest

import cloud as c
from igtcloud import DONE, environment, program
from promise import promise
from test_resume import kill_at_random, run_time

KILLS = 40 if os.environ.get("IGTCLOUD_LONG") else 1
TREES = [[], ["--folder-structure", "hierarchical"]]


@pytest.fixture
def options(tmp_path):
    """Of all commands that download or upload."""
    return ["--journal", tmp_path / "journal.db"]


@promise("Resume", "SIGKILL at random moments of `sync --delete`, which both fetches and deletes",
         "never a wrong file under its final name; only files that the cloud does not have are deleted; the next run "
         "completes")
@pytest.mark.parametrize("tree", TREES, ids=["flat", "hierarchical"])
def test_kills_of_a_sync(cloud, igtcloud, tmp_path, options, tree):
    rng, out = random.Random(6), tmp_path / "out"
    command = ["sync", *options, *tree, "--delete", "igt:mixed", out]
    longest = run_time(igtcloud, *command) * 1.2
    expected, folders = c.files(out), [study.parent for study in out.rglob("study.json")]
    c.same({os.path.basename(k): v for k, v in expected.items()},
           {os.path.basename(k): v for k, v in c.stored(cloud, "mixed").items()})
    kills, of_the_user = 0, out / "lab/of-the-user.txt"
    of_the_user.write_text("not in the folder of a study")
    while kills < KILLS:
        stale = {str(folder / f"stale-{n}.txt") for folder in folders for n in range(5)}
        for path in stale:
            with open(path, "w", encoding="utf-8") as file:
                file.write("stale")
        for path in rng.sample(sorted(expected), 8):
            (out / path).unlink(missing_ok=True)
        kills += kill_at_random(igtcloud, rng, longest, *command) == -9
        there = c.finished(out)
        there.pop("lab/of-the-user.txt")
        c.same({k: v for k, v in there.items() if str(out / k) not in stale},
               {k: expected[k] for k in there if str(out / k) not in stale})
    igtcloud.run(*command)
    assert of_the_user.exists()
    of_the_user.unlink()
    c.same(c.files(out), expected)


@promise("Resume", "SIGKILL at random moments while a manifest is written",
         "a manifest without its last line is refused; one that has it names every file")
def test_kills_of_a_manifest(cloud, igtcloud, tmp_path, options):
    rng, whole = random.Random(7), igtcloud.run("manifest", "many").text.splitlines()
    longest, kills, path = run_time(igtcloud, "manifest", "many") * 1.2, 0, tmp_path / "manifest"
    while kills < KILLS:
        with open(path, "wb") as file:
            status = kill_at_random(igtcloud, rng, longest, "manifest", "many", stdout=file)
        assert status in (0, -9)
        kills += status == -9
        is_whole = len(path.read_text().splitlines()) == len(whole) and path.read_text().endswith("\n")
        assert is_whole or status == -9
        done = igtcloud.run("verify", "--manifest", path, tmp_path / "nothing", status=None)
        assert ("not a complete manifest" in done.err or "empty" in done.err) != is_whole, done
        assert done.status != DONE


@promise("Resume", "SIGKILL at random moments of `download --manifest`",
         "never a wrong file under its final name; the next run completes, and `verify --manifest` confirms it")
@pytest.mark.parametrize("tree", TREES, ids=["flat", "hierarchical"])
def test_kills_of_a_download_of_a_manifest(cloud, igtcloud, tmp_path, options, tree):
    rng, manifest = random.Random(8), tmp_path / "manifest"
    manifest.write_bytes(igtcloud.run("manifest", "mixed").out)
    command = ["download", *options, *tree, "--manifest", manifest]
    longest = run_time(igtcloud, *command, tmp_path / "first") * 1.2
    expected, kills, n = c.files(tmp_path / "first"), 0, 0
    out = tmp_path / "out0"
    while kills < KILLS:
        status = kill_at_random(igtcloud, rng, longest, *command, out)
        assert status in (0, -9)
        kills += status == -9
        there = c.finished(out) if out.exists() else {}
        c.same(there, {k: expected[k] for k in there})
        if status == 0:
            n += 1
            out = tmp_path / f"out{n}"
    igtcloud.run(*command, out)
    igtcloud.run("verify", *tree, "--manifest", manifest, out)
    c.same(c.files(out), expected)


@promise("Resume", "SIGKILL at random moments of `sync` and of `upload --submit` into the cloud",
         "whatever the cloud calls complete or submitted is complete; the next run finishes; each study exists once")
@pytest.mark.parametrize("how", ["sync", "submit"])
def test_kills_of_uploads(cloud, igtcloud, tmp_path, options, how):
    rng, large = random.Random(9), 9 * c.MIB
    igtcloud.password = "demo\ndemo"

    def command(folder):
        return ["sync", *options, folder, "igt:target"] if how == "sync" else \
            ["upload", *options, "--submit", "--min-age", "0", folder, "target"]

    expected = c.local_tree(tmp_path / "first", studies=1, large=large)
    longest = run_time(igtcloud, *command(tmp_path / "first")) * 1.2
    kills, n = 0, 0
    while kills < KILLS:
        n += 1
        tree = c.local_tree(tmp_path / f"up{n}", seed=n, studies=1, large=large)
        expected.update(tree)
        for _ in range(rng.randint(1, 4)):
            status = kill_at_random(igtcloud, rng, longest, *command(tmp_path / f"up{n}"))
            assert status in (0, -9)
            kills += status == -9
            if is_submitted(cloud, tree):
                c.same(c.content_of(cloud, tree), tree)
            if status == 0:
                break
        igtcloud.run(*command(tmp_path / f"up{n}"))
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)
    assert is_submitted(cloud, expected) == (how == "submit")
    names = c.Api(cloud).all_names("target")
    assert len(names) == len(set(names))


def is_submitted(cloud, tree):
    """Whether all of its studies are."""
    studies = c.Api(cloud).studies("target")
    return all(name in studies and studies[name]["electronicRecordState"] == "submitted"
               for name in {path.split("/")[0] for path in tree})


@promise("Resume", "SIGKILL at random moments of a station",
         "a study is in the watched folder, in the done-folder, or whole in the cloud and deleted; the next run "
         "finishes; each study exists once, and no file is sent under another study")
@pytest.mark.parametrize("when_done", ["move", "delete"])
def test_kills_of_a_station(cloud, tmp_path, when_done):
    rng, watched, expected = random.Random(10), tmp_path / "watched", {}
    (tmp_path / "home").mkdir()
    command = [program(), "station", str(watched), "target", "--domain", cloud.url, "--service-file",
               str(cloud.data / "station@trial.pem"), "--settle", "1s", "--once", "--when-done", when_done]

    def run(seconds=None):
        env = environment(tmp_path / "home", IGTCLOUD_TEST_CLOCK_RATE=100)
        with open(tmp_path / "log", "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        try:
            return process.wait(seconds or 120)
        except subprocess.TimeoutExpired:
            assert seconds, (tmp_path / "log").read_text()
            return process.kill() or process.wait()

    def lost():
        """Files of the trees that are neither in the watched folder nor in done/, nor being deleted."""
        there = {}
        for folder, _, names in os.walk(watched):
            study = os.path.relpath(folder, watched).split("lab/", 1)
            for name in names if len(study) == 2 else ():
                with open(os.path.join(folder, name), "rb") as file:
                    there[f"{study[1]}/{name}"] = file.read()
        c.same({k: v for k, v in there.items() if k in expected}, {k: expected[k] for k in there if k in expected})
        return {k: v for k, v in expected.items() if k not in there}

    kills, n, longest = 0, 0, 1.0
    while kills < KILLS:
        n += 1
        expected.update(c.local_tree(watched, seed=n, studies=2, large=9 * c.MIB))
        for _ in range(rng.randint(1, 4)):
            status = run(rng.random() * longest)
            assert status in (0, -9), (tmp_path / "log").read_text()
            kills += status == -9
            gone = lost()
            assert not gone or when_done == "delete"
            stored = c.content_of(cloud, gone)
            c.same({k: stored[k] for k in gone if k in stored}, gone)
        run()
    assert run() == 0, (tmp_path / "log").read_text()
    assert when_done == "move" and not lost() or when_done == "delete" and len(lost()) == len(expected)
    assert [path for path in (watched / "lab").rglob("*") if path.is_file()] == []
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)
    names = c.Api(cloud).all_names("target")
    assert len(names) == len(set(names))
