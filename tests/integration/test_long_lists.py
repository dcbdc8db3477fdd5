# SPDX-License-Identifier: MIT
"""Lists that are longer than what one connection of the link can carry."""

import gzip
import random

import pytest

from bad_link import BadLink
from igtcloud import FAILED, Program, tree
from rest_client import RestClient
from uploads import epd, institute, seed

COUNT = 300
CUT = 60000  # bytes; the list has five times as many, compressed, and the ids a fifth
NOISE = random.Random(1)
SEED = seed(epd(institute("i", *[{"name": f"n{k:03d}", "unknownField": NOISE.randbytes(800).hex()}
                                 for k in range(COUNT)]), name="long"))


@pytest.fixture
def link(cloud):
    with BadLink(down=1e6, cut_bytes=CUT) as link:
        link.target = cloud.port
        yield link


@pytest.mark.parametrize("command", [("csv",), ("csv", "--retries", "1"), ("ls", "long/i"),
                                     ("ls", "--json", "long/i")])
def test_list_of_studies(cloud, igtcloud, home, out, link, command):
    """Only its ids are listed, and then each study; nothing is missing, doubled or in another order."""
    arguments = (*command, "-", "long") if command[0] == "csv" else command
    good = igtcloud.run(*arguments)
    cloud.clear()
    bad = Program(link.url, home).run(*arguments)
    assert bad.out == good.out and len(good.out) > 1000
    assert link.cuts >= 2
    single = cloud.requests(method="GET", path="/api/data/hospitals/*/studies/*", status=200)
    assert 0 < len(single) <= COUNT + link.cuts


def test_a_list_longer_than_a_connection_is_downloaded(cloud, igtcloud, home, tmp_path, link):
    folders = [tmp_path / "good", tmp_path / "bad"]
    igtcloud.run("download", folders[0], "long")
    done = Program(link.url, home).run("download", "--json", folders[1], "long")
    assert tree(folders[0]) == tree(folders[1]) and len(tree(folders[1])) == COUNT
    assert done.summary["studiesFailed"] == 0


def test_ids_that_do_not_fit_either(cloud, home, link):
    """A server without field masks: it ends, and says why."""
    with BadLink(down=1e6, cut_bytes=CUT // 10) as worse:
        worse.target = cloud.port
        done = Program(worse.url, home).run("csv", "--retries", "1", "-", "long", status=FAILED)
    assert "without progress" in done.err and "list_studies" not in done.err


def test_one_that_is_deleted_meanwhile(cloud, igtcloud, home, link):
    good = igtcloud.run("csv", "-", "long").out.splitlines()
    cloud.faults({"fault": "forbidden", "method": "GET", "path": "/api/data/hospitals/*/studies/*",
                  "status": 404, "times": 1})
    bad = Program(link.url, home).run("csv", "-", "long").out.splitlines()
    assert len(bad) == len(good) - 1 and set(bad) < set(good)


def test_good_link_makes_one_request(cloud, igtcloud):
    igtcloud.run("csv", "-", "long")
    assert len(cloud.requests(method="GET", path="/api/data/hospitals/**")) == 1


def test_compressed_for_those_who_ask(cloud):
    """Long lists, as by a web server in front of the cloud."""
    client = RestClient(cloud.url).login()
    project = client.project("long")
    lab = client.ok("GET", f"/api/data/projects/{project['id']}/hospitals")[0]
    path = f"/api/data/hospitals/{lab['id']}/studies"
    plain = client.get(path)
    assert plain.headers["Content-Encoding"] is None and len(plain.json) == COUNT
    for accepted in ("gzip", "deflate, gzip;q=0.5"):
        packed = client.get(path, headers={"Accept-Encoding": accepted})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert len(packed.body) < 0.7 * len(plain.body)
    for accepted in ("identity", "gzip;q=0"):
        assert client.get(path, headers={"Accept-Encoding": accepted}).body == plain.body
    short = f"/api/data/projects/{project['id']}/hospitals"
    assert client.get(short, headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] is None
