# SPDX-License-Identifier: MIT
"""Two programs doing the same work, with one journal or two, do no harm."""

import pytest

import cloud as c
from igtcloud import SOME_FAILED, Program
from promise import promise


def both(igtcloud, *arguments, journals=((), ())):
    runs = [igtcloud.start(*arguments[:1], *journal, *arguments[1:]) for journal in journals]
    ends = [(run.communicate(timeout=120)[1], run.returncode) for run in runs]
    assert [status for _, status in ends] == [0, 0], ends


@promise("Several at once",
         "two downloads into one folder, with a shared journal or none",
         "both succeed; every file is complete")
@pytest.mark.parametrize("journals", [((), ()), (["--no-journal"], ["--no-journal"])])
def test_downloads_into_one_folder(cloud, igtcloud, tmp_path, journals):
    both(igtcloud, "download", tmp_path / "out", "mixed", journals=journals)
    c.same(c.files(tmp_path / "out"), c.stored(cloud, "mixed"))
    assert c.leftovers(tmp_path / "out") == []


@promise("Several at once",
         "two uploads of one tree into existing studies",
         "both succeed; every file is complete and exists once")
@pytest.mark.smoke
def test_uploads_into_known_studies(cloud, igtcloud, tmp_path):
    expected = c.local_tree(tmp_path / "up")
    names = sorted({k.split("/")[0] for k in expected})
    c.write(tmp_path / "seeds/lab", {f"{name}/first.txt": b"1" for name in names})
    igtcloud.run("upload", tmp_path / "seeds", "target")
    both(igtcloud, "upload", tmp_path / "up", "target")
    got = c.content_of(cloud, expected)
    c.same({k: v for k, v in got.items() if not k.endswith("/first.txt")}, expected)


@promise("Several at once",
         "two uploads of one tree of new studies, with a shared journal",
         "each study is created once; every file is complete and exists once")
def test_uploads_of_new_studies(cloud, igtcloud, tmp_path):
    expected = c.local_tree(tmp_path / "up", studies=4, large=9 * c.MIB)
    # The first one's creations take effect only when the other one has long listed the studies.
    cloud.faults({"fault": "too-many", "method": "POST", "path": "**/studies", "times": 4,
                  "retry_after": 2})
    both(igtcloud, "upload", tmp_path / "up", "target")
    posts = [r for r in cloud.requests(path="*/studies") if r["method"] == "POST"]
    assert len([r for r in posts if r["status"] == 201]) == 4
    cloud.clear()
    c.same(c.content_of(cloud, expected), expected)


@promise("Several at once",
         "more large files at once than worker threads, all in need of the same credentials",
         "one request for credentials; no deadlock")
def test_credentials_for_many_large_files(tmp_path):
    files = [{"path": f"f{n}", "size": 9 * c.MIB, "object": False} for n in range(40)]
    seed = {"users": c.SEED["users"], "projects": [
        {"name": "p", "projectTypeName": "EPD", "institutes": [
            {"name": "i", "studies": [{"name": "s", "files": files}]}]}]}
    home = tmp_path / "home"
    home.mkdir()
    with c.start(tmp_path, seed=seed) as cloud:
        Program(cloud.url, home).run("download", "--connections", "32", tmp_path / "out", "p",
                                       status=SOME_FAILED)
        assert len(cloud.requests(path="*/s3credentials")) == 1
        assert len(cloud.requests(path="*/f*", method="HEAD", status=404)) == 40
