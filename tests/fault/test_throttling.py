# SPDX-License-Identifier: MIT
"""A busy cloud: its Retry-After is honoured, and fewer requests are in flight."""

import pytest

import cloud as c
from igtcloud import Program
from promise import promise


@promise("Throttling",
         "503 SlowDown or 429 with `Retry-After: 2`",
         "not retried within two seconds")
@pytest.mark.smoke
def test_retry_after(cloud, igtcloud, out):
    cloud.faults({"fault": "slow-down", "path": "**/f.bin", "retry_after": 2},
                 {"fault": "too-many", "path": "/api/data/projects", "retry_after": 2})
    igtcloud.run("download", out, "one")
    for path in ("*/f.bin", "*/projects"):
        first, second = cloud.requests(path=path, method="GET")
        assert second["at"] - first["at"] >= 2, (first, second)


# That it rises again is tested by tests/unit/test_retry.c: here it depends on how long those that
# were refused still back off.
@promise("Throttling",
         "the store rejects more than three requests at once, for a while",
         "concurrency drops until few are rejected; every file arrives")
def test_concurrency_falls(tmp_path):
    seed = {"users": c.SEED["users"], "projects": [
        {"name": "p", "projectTypeName": "EPD", "institutes": [{"name": "i", "studies": [
            {"name": "s", "files": [{"path": f"f{n:03}", "size": 200} for n in range(400)]}]}]}]}
    home = tmp_path / "home"
    home.mkdir()
    with c.start(tmp_path, "--latency", "20", seed=seed) as cloud:
        cloud.faults({"fault": "slow-down", "path": c.S3, "above": 3})
        process = Program(cloud.url, home).start("download", "--connections", "16",
                                                   tmp_path / "out", "p")
        cloud.wait_for(lambda: len(c.objects(cloud.requests())) >= 160, seconds=120)
        cloud.heal()
        busy = len(c.objects(cloud.requests()))
        _, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
        gets = c.objects(cloud.requests())
        assert len(c.files(tmp_path / "out")) == 400
        knows = gets[40:busy]  # by then it has learnt
        assert gets[10]["fault"] or any(r["fault"] for r in gets[:30])
        assert sum(bool(r["fault"]) for r in knows) < 0.5 * len(knows)
