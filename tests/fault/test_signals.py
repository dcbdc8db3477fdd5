# SPDX-License-Identifier: MIT
"""INT and TERM in the middle: the run ends within two seconds, signs out, and says how to continue."""

import signal
import time

import pytest

import cloud as c
from promise import promise

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def in_the_middle(cloud, igtcloud, *arguments):
    """A run whose next objects never arrive; the sandbox has seen every request in flight."""
    cloud.faults({"fault": "silence", "path": "/igtcloud/**", "seconds": 600, "times": 0,
                  "skip": 2})
    process = igtcloud.start(*arguments, "--connections", "4")
    cloud.wait_for(lambda: sum(bool(r["fault"]) for r in cloud.requests()) >= 4)
    return process


@promise("Signals",
         "SIGINT or SIGTERM during transfers",
         "no new transfers start; exits within seconds, signs out, says how to resume; status "
         "130 or 143")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("way", ["download", "upload"])
def test_first_signal(cloud, igtcloud, tmp_path, number, way):
    if way == "download":
        process = in_the_middle(cloud, igtcloud, way, tmp_path / "out", "mixed")
    else:
        c.local_tree(tmp_path / "up")
        process = in_the_middle(cloud, igtcloud, way, tmp_path / "up", "target")
    process.send_signal(number)
    begin = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == STATUS[number], err
    assert b"again" in err and len(err.splitlines()) < 8, err
    assert time.monotonic() - begin < 20  # two seconds, on a machine that has nothing else to do
    asked = [r for r in cloud.requests() if r["path"].startswith("/igtcloud/")]
    logout = cloud.requests(path="*/logout")
    assert len(logout) == 1 and logout[0]["number"] > max(r["number"] for r in asked)


@promise("Signals",
         "a second signal during that shutdown",
         "exits at once, as the signal would by default")
def test_second_signal(cloud, igtcloud, tmp_path):
    cloud.faults({"fault": "silence", "path": "**/logout", "seconds": 600})
    process = in_the_middle(cloud, igtcloud, "download", tmp_path / "out", "mixed")
    process.send_signal(signal.SIGINT)
    cloud.wait_for(lambda: cloud.requests(path="*/logout"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode in (-signal.SIGINT, 130)


@promise("Signals", "a signal while a request backs off for minutes", "exits without waiting")
@pytest.mark.smoke
def test_while_it_backs_off(cloud, igtcloud, tmp_path):
    cloud.faults({"fault": "slow-down", "path": "/igtcloud/**", "retry_after": 300, "times": 0})
    process = igtcloud.start("download", tmp_path / "out", "mixed")
    cloud.wait_for(lambda: len([r for r in cloud.requests() if r["fault"]]) >= 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


@promise("Signals", "the same command again after a signal", "resumes; the tree is complete")
def test_run_again_after_a_signal(cloud, igtcloud, tmp_path):
    process = in_the_middle(cloud, igtcloud, "download", tmp_path / "out", "mixed")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    cloud.clear()
    igtcloud.run("download", tmp_path / "out", "mixed")
    c.same(c.files(tmp_path / "out"), c.stored(cloud, "mixed"))
    assert c.leftovers(tmp_path / "out") == []
